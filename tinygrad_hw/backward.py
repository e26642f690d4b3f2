"""The reverse sweep: cotangents flow from the output to the leaves, the youngest node first.

``sweep`` is the whole of backpropagation. A node's number is its place in a topological order: of all nodes that wait, the
youngest comes next, so when it does every use of it has been seen and its cotangent is complete.

Two things differ: "zero gradient" and "no gradient". ``np.where(x > 0, np.log(x), 0)`` does not use log at 0,
so the entry has *no* gradient there, whatever 1/0 may be. Where a choice is in the graph and a leaf came out
non-finite, the sweep runs again and carries with each cotangent which entries are live.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any

import numpy as np

from .graph import Node
from .rules import RULES
from .rules.reductions import broadcast_to

__all__ = ["sweep", "unbroadcast"]

repeat = RULES[broadcast_to].call
Read = Callable[[Node], tuple[Any, tuple[Any, ...]]]


def arrays(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """Read a node as arrays: the result and the arguments, as a rule takes them after ``g``."""
    return node.value, node.args


def sweep(seeds: dict[Node, Any], read: Read = arrays, since: int = 0) -> dict[Node, Any]:
    """Return the cotangent of every leaf, and of every result that keeps one, from the cotangents of the outputs.

    Parameters
    ----------
    seeds : the outputs' nodes with their cotangents.
    read : how a node's result and arguments are given to a rule: as arrays, or as tensors (then the
        cotangents are tensors too, and can be differentiated again).
    since : nodes with a smaller number are taken for leaves.
    """
    found, chose = flow(seeds, read, since)
    if chose and not all(np.isfinite(values(g)).all() for g in found.values()):
        with np.errstate(all="ignore"):
            return flow_live(seeds, read, since)
    return found


def flow(seeds: dict[Node, Any], read: Read, since: int) -> tuple[dict[Node, Any], bool]:
    """Carry each node's cotangent to its parents, and tell whether a choice was met; what is left belongs to the leaves.

    Behind a choice NumPy's warnings are held back: they may be about what was not taken.
    """
    cotangents, kept, guard = seeds.copy(), {}, None
    pending = started(seeds, since)
    ready: Node | None = None
    try:
        while pending or ready is not None:
            if ready is None:
                node = heappop(pending)[1]
            elif pending:
                node = heappushpop(pending, (-ready.number, ready))[1]
            else:
                node = ready
            ready = None
            g = cotangents.pop(node)
            if node.keeps_grad:
                kept[node] = g
            if guard is None and node.rule.kind == "choice":
                guard = np.errstate(all="ignore")
                guard.__enter__()
            if read is arrays:
                out, args = node.value, node.args
            else:
                out, args = read(node)
            kwargs = node.kwargs
            for parent, vjp, x in zip(node.parents, node.vjps, args):
                if parent is None:
                    continue
                c = vjp(g, out, *args, **kwargs) if kwargs else vjp(g, out, *args)
                if c.shape != x.shape or c.dtype is not x.dtype:
                    c = fit(c, x)
                if parent in cotangents:
                    cotangents[parent] = cotangents[parent] + c
                elif parent.parents and parent.number >= since:
                    cotangents[parent] = c
                    if ready is None:  # (most nodes send on to one: it need not wait in the heap)
                        ready = parent
                    else:
                        heappush(pending, (-parent.number, parent))
                else:
                    cotangents[parent] = c.copy() if c is g else c
    finally:
        if guard is not None:
            guard.__exit__(None, None, None)
    return (cotangents | kept if kept else cotangents), guard is not None


def started(seeds: dict[Node, Any], since: int) -> list[tuple[int, Node]]:
    """Return the heap of nodes to carry on from, the youngest on top."""
    pending = [(-node.number, node) for node in seeds if node.parents and node.number >= since]
    heapify(pending)
    return pending


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
    """Return a row of ones: times a matrix, the sum of its rows, in one call that starts sooner than a reduction."""
    row = np.ones(n, dtype)
    row.flags.writeable = False
    return row


def values(g: Any) -> Any:
    """Return the array of an array or of a tensor."""
    return g._node.value if hasattr(g, "_node") else g


def flow_live(seeds: dict[Node, Any], read: Read, since: int) -> dict[Node, Any]:
    """Do as ``flow``, and carry with each cotangent a mask of its live entries (None: all are)."""
    cotangents: dict[Node, tuple[Any, Any]] = {node: (g, None) for node, g in seeds.items()}
    kept, pending = {}, started(seeds, since)
    while pending:
        node = heappop(pending)[1]
        g, live = cotangents.pop(node)
        if node.keeps_grad:
            kept[node] = g
        out, args = read(node)
        for parent, vjp, i in node.edges:
            x = args[i]
            c, alive = vjp(g, out, *args, **node.kwargs), live_entries(node, vjp, live)
            if alive is not None:
                c, alive = np.where(alive, c, 0), fit(alive.astype(float), np.empty(x.shape)) != 0
            c = fit(c, x)
            if parent in cotangents:
                other, was_alive = cotangents[parent]
                c, alive = other + c, None if alive is None or was_alive is None else alive | was_alive
            elif parent.parents and parent.number >= since:
                heappush(pending, (-parent.number, parent))
            cotangents[parent] = (c, alive)
    return {node: g for node, (g, _) in cotangents.items()} | kept


def live_entries(node: Node, vjp: Callable[..., Any], live: Any) -> Any:
    """Return which entries of an argument's cotangent are live, None for all: the rule itself says so, read on marks.

    A choice is read on ones: what it was not taken from gets an exact 0. Everything else is read on nan for live and 0 for
    dead, since nan survives sums and products, and 0 times a finite number stays 0.
    """
    if node.rule.kind == "choice":
        mask = np.ones(node.value.shape) if live is None else live.astype(float)
        return vjp(mask, node.value, *node.args, **node.kwargs) != 0
    if live is None or node.rule.kind == "elementwise":
        return live
    marks = np.where(live, np.nan, 0.0)
    return np.isnan(vjp(marks, *map(finite, (node.value, *node.args)), **node.kwargs))


def finite(x: Any) -> Any:
    """Return an array with 1 in place of what is not finite."""
    return np.where(np.isfinite(x), x, 1) if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" else x
