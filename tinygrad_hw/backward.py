"""The reverse sweep: cotangents flow from the output to the leaves, the newest node first.

``sweep`` is the whole of backpropagation, and ``flow`` its one loop: take the waiting node with the largest number (by then all
nodes that use it are done, so its cotangent is complete), call the rule of each argument, and add up what arrives at each parent.

If there is a choice in the graph (``where``, ``max``, an index) and the cotangent of a leaf is not finite, the loop runs again and
carries with each cotangent which entries are live (``live.py``). A ``trail``, if given, records every step of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any, NamedTuple

import numpy as np

from .entries import pass_on_entries
from .graph import Node
from .live import Live
from .rules.reductions import broadcast_to

__all__ = ["Step", "sweep", "unbroadcast", "values"]

broadcast_arrays = broadcast_to.on_arrays  # type: ignore[attr-defined]
Operands = tuple[Any, tuple[Any, ...], Sequence[Any]]
Read = Callable[[Node, Any], Operands]


class Step(NamedTuple):
    """One step of the sweep: a node, its cotangent g, and for each of ``node.edges`` what was added to the parent and the sum so far."""

    node: Node
    g: Any
    added: list[tuple[Any, Any]]


def arrays(node: Node, g: Any) -> Operands:
    """Return a node's result and arguments as arrays, which a rule takes after the cotangent g, and the rule of each argument."""
    return node.value, node.args, node.vjps


def sweep(seeds: dict[Node, Any], read: Read = arrays, since: int = 0, trail: list[Step] | None = None) -> dict[Node, Any]:
    """Return the cotangent of every leaf, and of every result that keeps one, from the cotangents of the outputs.

    Parameters
    ----------
    seeds : the outputs' nodes with their cotangents.
    read : gives a node's result and arguments to the rules, as ``arrays`` or as ``tensors`` (then the cotangents are
        tensors too, and can be differentiated again).
    since : nodes with a smaller number are treated as leaves.
    trail : a list to fill with the steps of the sweep; a step is added before its rules are called.
    """
    read_node = read if trail is None else with_trail(read, trail)
    owned: set[Node] | None = set() if read_node is arrays else None
    cotangents, waiting = seeds.copy(), initial_heap(seeds, since)
    if flow(cotangents, waiting, read_node, since, trail, owned, pause=True):
        with np.errstate(all="ignore"):
            flow(cotangents, waiting, read_node, since, trail, owned)
            if not all_finite(cotangents.values()):
                if trail is not None:
                    trail.clear()
                cotangents = seeds.copy()
                flow(cotangents, initial_heap(seeds, since), Live(read_node, fit), since, trail, None)
    return cotangents


def flow(
    cotangents: dict[Node, Any], waiting: list[tuple[int, Node]], read: Read, since: int, trail: list[Step] | None,
    owned: set[Node] | None, pause: bool = False,
) -> bool:  # fmt: skip
    """Pass the cotangent of each waiting node on to its parents, and so on; those that remain in the end are the leaves'.

    With ``pause`` it stops before the first choice and returns True: from there on NumPy's warnings are silenced, which may be about
    entries that were not taken. ``owned`` are the nodes whose cotangent only the sweep holds: ``entries.py`` may add to it in place.
    """
    node: Any
    ready: Node | None = None  # (a waiting node outside of the heap, for speed: most nodes have one parent, which is next)
    while (node := pop_newest(waiting, ready) if waiting else ready) is not None:
        ready = None
        g = cotangents[node] if node.keeps_grad else cotangents.pop(node)
        if node.rule.special:
            if pause and node.rule.kind == "choice":
                cotangents[node] = g
                heappush(waiting, (-node.number, node))
                return True
            if pass_on_entries(node, g, cotangents, owned, fit, waiting, since):
                continue
        out, args, vjps, kwargs = None, node.args, node.vjps, node.kwargs
        if read is not arrays:
            out, args, vjps = read(node, g)
        elif not node.rule.view:  # (a view's value may have to be recomputed, and its rule does not use it)
            out = node.value
        for parent, vjp, x in zip(node.parents, vjps, args):
            if parent is None:
                continue
            c = vjp(g, out, *args, **kwargs) if kwargs else vjp(g, out, *args)
            if c.shape != x.shape or c.dtype is not x.dtype:
                c = fit(c, x)
            if parent in cotangents:
                cotangents[parent] = cotangents[parent] + c
            elif parent.parents and parent.number >= since:
                cotangents[parent] = c
                if ready is not None:
                    heappush(waiting, (-ready.number, ready))
                ready = parent
            else:
                cotangents[parent] = unshared(c, g)
            if trail is not None:
                trail[-1].added.append((c, cotangents[parent]))
    return False


def pop_newest(waiting: list[tuple[int, Node]], ready: Node | None) -> Node:
    return heappop(waiting)[1] if ready is None else heappushpop(waiting, (-ready.number, ready))[1]


def initial_heap(seeds: dict[Node, Any], since: int) -> list[tuple[int, Node]]:
    """Return the nodes to start from as a heap, the newest first."""
    waiting = [(-node.number, node) for node in seeds if node.parents and node.number >= since]
    heapify(waiting)
    return waiting


def unshared(c: Any, g: Any) -> Any:
    """Return a leaf's cotangent c, as a copy if it is g itself, which others hold."""
    return c.copy() if c is g else c


def with_trail(read: Read, trail: list[Step]) -> Read:
    """Return a ``read`` that first adds the node's step to the trail."""

    def read_and_note(node: Node, g: Any) -> Operands:
        trail.append(Step(node, g, []))
        return read(node, g)

    return read_and_note


def fit(c: Any, x: Any) -> Any:
    """Give a cotangent the shape and dtype of its array x: sum over axes that were broadcast, broadcast along those that were summed."""
    shape = x.shape
    if c.shape != shape:
        c = unbroadcast(c, shape)
        if c.shape != shape:
            c = broadcast_arrays(c, shape) if isinstance(c, (np.ndarray, np.generic)) else broadcast_to(c, shape)
    if c.dtype != x.dtype:
        c = (c.real if c.dtype.kind == "c" and x.dtype.kind != "c" else c).astype(x.dtype)
    return c


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Sum a cotangent over the axes along which broadcasting repeated an array of this shape."""
    extra = g.ndim - len(shape)
    if extra < 0:
        return g
    if g.shape[extra:] == shape:
        if extra == 1 and type(g) is np.ndarray and g.ndim == 2:
            return row_of_ones(len(g), g.dtype.char).dot(g)
        return np.add.reduce(g, tuple(range(extra)))
    ones = tuple(i + extra for i, n in enumerate(shape) if n == 1)
    folded = np.add.reduce(g, (*range(extra), *ones), keepdims=True)
    return folded.reshape(folded.shape[extra:])


@lru_cache(64)
def row_of_ones(n: int, dtype: str) -> np.ndarray:
    """Return a row of ones: its product with a matrix is the sum of the rows, with less overhead than ``np.sum``."""
    row = np.ones(n, dtype)
    row.flags.writeable = False
    return row


def all_finite(cotangents: Iterable[Any]) -> bool:
    """Tell whether the sum of each cotangent is finite: cheaper than testing every entry, and False if any entry is not finite."""
    with np.errstate(all="ignore"):
        return all(np.isfinite(np.add.reduce(values(g), axis=None)) for g in cotangents)


def values(x: Any) -> Any:
    """Return the array of a tensor or of a batch; anything else as it is."""
    x = getattr(x, "_raw", x)
    return x._node.value if hasattr(x, "_node") else x
