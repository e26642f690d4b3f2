"""The reverse sweep: cotangents flow from the output to the leaves, the youngest node first.

``sweep`` is the whole of backpropagation, and ``flow`` its one loop: take the waiting node with the largest number (by then all
its users are done, so its cotangent is complete), call the rule of each argument, and add up what arrives at each parent.

Where a choice (``where``, ``max``, an index) is in the graph and a leaf came out non-finite, the loop runs again and carries with
each cotangent which entries are live (``live.py``). A ``trail``, if given, keeps what the loop would let go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any, NamedTuple

import numpy as np

from .graph import Node
from .live import Live
from .rules import RULES, shaping
from .rules.reductions import broadcast_to

__all__ = ["Step", "sweep", "unbroadcast", "values"]

repeat = RULES[broadcast_to].call
Read = Callable[[Node], tuple[Any, tuple[Any, ...]]]


class Step(NamedTuple):
    """One node's turn in the sweep: the cotangent that arrived, and for each of ``node.edges`` what it added and the sum so far."""

    node: Node
    g: Any
    added: list[tuple[Any, Any]]


def arrays(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """Read a node as arrays: the result and the arguments, as a rule takes them after ``g``."""
    return node.value, node.args


def sweep(seeds: dict[Node, Any], read: Read = arrays, since: int = 0, trail: list[Step] | None = None) -> dict[Node, Any]:
    """Return the cotangent of every leaf, and of every result that keeps one, from the cotangents of the outputs.

    Parameters
    ----------
    seeds : the outputs' nodes with their cotangents.
    read : how a node's result and arguments are given to a rule: as arrays, or as tensors (then the
        cotangents are tensors too, and can be differentiated again).
    since : nodes with a smaller number are taken for leaves.
    trail : a list to fill with the steps of the sweep; a step is added before its rules are called.
    """
    found, chose = flow(seeds, read, since, None, trail)
    if chose and not all_finite(found.values()):
        if trail is not None:
            trail.clear()
        with np.errstate(all="ignore"):
            found, _ = flow(seeds, read, since, Live(fit), trail)
    return found


def flow(seeds: dict[Node, Any], read: Read, since: int, live: Live | None, trail: list[Step] | None) -> tuple[dict[Node, Any], bool]:
    """Carry each node's cotangent to its parents, and tell whether a choice was met; what is left belongs to the leaves.

    Behind a choice NumPy's warnings are held back: they may be about what was not taken.
    """
    cotangents, kept, guard = seeds.copy(), {}, None
    waiting = [(-node.number, node) for node in seeds if node.parents and node.number >= since]
    heapify(waiting)
    plainly, mine = read is arrays and live is None and trail is None, set[Node]()
    ready: Node | None = None  # (one waiting node outside of the heap: most nodes send on to one, which is then taken at once)
    try:
        while waiting or ready is not None:
            if ready is None:
                node = heappop(waiting)[1]
            elif waiting:
                node = heappushpop(waiting, (-ready.number, ready))[1]
            else:
                node = ready
            ready = None
            g = cotangents.pop(node)
            if node.keeps_grad:
                kept[node] = g
            if guard is None and node.rule.kind == "choice":
                guard = np.errstate(all="ignore")
                guard.__enter__()
            if trail is not None:
                trail.append(Step(node, g, []))
            if plainly and node.rule.at_once is not None and not any(map(stands_in, (g, *node.args))):
                for reached in hand_on(node, g, cotangents, mine):
                    if reached.parents and reached.number >= since:
                        heappush(waiting, (-reached.number, reached))
                continue
            out, args = (node.value, node.args) if read is arrays else read(node)
            kwargs = node.kwargs
            together = node.rule.together if live is None else None  # (one call for the cotangents of all arguments)
            found = node.vjps if together is None else together(g, out, *args, **kwargs)
            for parent, vjp, x in zip(node.parents, found, args):
                if parent is None:
                    continue
                c = vjp if together is not None else vjp(g, out, *args, **kwargs) if kwargs else vjp(g, out, *args)
                if live is not None:
                    c = live.only(c, node, vjp, parent, x)
                if c.shape != x.shape or c.dtype is not x.dtype:
                    c = fit(c, x)
                if parent in cotangents:
                    cotangents[parent] = cotangents[parent] + c
                elif parent.parents and parent.number >= since:
                    cotangents[parent] = c
                    if ready is None:
                        ready = parent
                    else:
                        heappush(waiting, (-parent.number, parent))
                else:
                    cotangents[parent] = c.copy() if c is g else c
                if trail is not None:
                    trail[-1].added.append((c, cotangents[parent]))
    finally:
        if guard is not None:
            guard.__exit__(None, None, None)
    return (cotangents | kept if kept else cotangents), guard is not None


def hand_on(node: Node, g: Any, cotangents: dict[Node, Any], mine: set[Node]) -> list[Node]:
    """Add up what a node hands to its parents, for a rule that gives all of it at once; return the parents that were not reached before.

    Such rules read, write or join entries. ``mine`` are the nodes whose cotangent no one else holds: it may be changed where it lies,
    so that reading or writing n entries one by one costs no more than the entries.
    """
    reached = []
    for parent, c, x in zip(node.parents, node.rule.at_once(g, node in mine, *node.args, **node.kwargs), node.args):
        if parent is None:
            continue
        total: Any = cotangents.get(parent)
        if total is None:
            reached.append(parent)
        if isinstance(c, shaping.Entries):
            if parent not in mine:
                total = np.zeros(x.shape, x.dtype) if total is None else np.array(total)
            c.add_to(total)
            cotangents[parent] = total
        else:
            cotangents[parent] = fit(c, x) if total is None else total + fit(c, x)
            if c is not g or node not in mine:
                continue
        mine.add(parent)
    return reached


def fit(c: Any, x: Any) -> Any:
    """Give a cotangent the shape and the dtype of what it belongs to: sum what was repeated, repeat what was summed."""
    shape = x.shape
    if c.shape != shape:
        c = unbroadcast(c, shape)
        if c.shape != shape:
            c = repeat(c, shape) if isinstance(c, (np.ndarray, np.generic)) else broadcast_to(c, shape)
    if c.dtype != x.dtype:
        c = (c.real if c.dtype.kind == "c" and x.dtype.kind != "c" else c).astype(x.dtype)
    return c


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum over the axes along which broadcasting repeated an array of this shape."""
    extra = g.ndim - len(shape)
    if extra < 0:
        return g
    if g.shape[extra:] == shape:
        if extra == 1 and type(g) is np.ndarray and g.ndim == 2:
            return row_of_ones(len(g), g.dtype).dot(g)
        return np.add.reduce(g, tuple(range(extra)))
    ones = tuple(i + extra for i, n in enumerate(shape) if n == 1)
    folded = np.add.reduce(g, (*range(extra), *ones), keepdims=True)
    return folded.reshape(folded.shape[extra:])


@lru_cache(64)
def row_of_ones(n: int, dtype: np.dtype) -> np.ndarray:
    """Return a row of ones: times a matrix, the sum of its rows, with less call overhead than a reduction."""
    row = np.ones(n, dtype)
    row.flags.writeable = False
    return row


def all_finite(cotangents: Iterable[Any]) -> bool:
    """Tell whether all entries are finite, or rather their sums, which takes one pass over memory: a sum that overflows says no."""
    with np.errstate(all="ignore"):
        return all(np.isfinite(np.add.reduce(values(g), axis=None)) for g in cotangents)


def stands_in(x: Any) -> bool:
    """Tell whether something only stands for an array: a tensor, or what a program is recorded with."""
    return hasattr(x, "__array_function__") and not isinstance(x, np.ndarray)


def values(x: Any) -> Any:
    """Return the array of a tensor, and of a batch; anything else as it is."""
    x = getattr(x, "_raw", x)
    return x._node.value if hasattr(x, "_node") else x
