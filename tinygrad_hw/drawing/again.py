"""A graph of single numbers as a JavaScript program, so that the page computes it again when a value is changed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..backward import sweep
from ..compiler import compile as compiled
from ..errors import TinygradError
from ..graph import Node
from ..tensor import Tensor, tensors
from .recorded import Recorded
from .steps import Key, Swept, numbers

__all__ = ["Program", "computed_again"]

MOST = 60  # vertices


class Program(NamedTuple):
    """What a page needs to compute a graph again."""

    source: str  # a JavaScript module
    leaves: Sequence[int]  # the vertices that it takes, in order
    keys: Sequence[Key]  # what each of the numbers that it returns is


def computed_again(recorded: Recorded, seeds: Mapping[Node, Any] | None, known: Mapping[Key, Any]) -> Program | None:
    """Return the program of a graph of single real numbers; None for any other, or where it cannot be written in JavaScript."""
    nodes = [vertex.node for vertex in recorded.vertices]
    values = [np.asarray(vertex.value) for vertex in recorded.vertices]
    leaves = [i for i, node in enumerate(nodes) if node is not None and node.rule is None and values[i].dtype.kind == "f"]
    if not leaves or len(nodes) > MOST or any(value.ndim or value.dtype.kind != "f" for value in values):
        return None
    keys: list[Key] = []

    def again(*given: Any) -> list[Any]:
        """Compute the graph, forward and backward, and return every number of it."""
        new = {i: Tensor(x, requires_grad=nodes[i].requires_grad) for i, x in zip(leaves, given)}  # type: ignore[union-attr]
        for i, vertex in enumerate(recorded.vertices):
            node = vertex.node
            if node is None or node.rule is None:
                new.setdefault(i, vertex.value)
                continue
            args = list(node.args)
            for place, operand in zip(vertex.places, vertex.operands):
                args[place] = new[operand]
            new[i] = node.rule.function(*args, **node.kwargs)
        order = [new[i] for i in range(len(nodes))]
        trail: list[Swept] = []
        start = {order[nodes.index(node)]._node: Tensor(seed) for node, seed in (seeds or {}).items()}
        gradients = sweep(start, tensors, trail=trail)
        found = numbers([getattr(x, "_node", None) for x in order], order, trail, {step.node: step.g for step in trail} | gradients)
        keys[:] = [key for key, x in found.items() if isinstance(x, Tensor)]
        return [found[key] for key in keys]

    try:
        program = compiled(again)
        program(*[values[i] for i in leaves])
        source = program.javascript
    except TinygradError:
        return None
    return Program(source, leaves, keys) if set(keys) <= set(known) else None
