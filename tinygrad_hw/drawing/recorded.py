"""A recorded graph as plain sequences: every vertex is its position in the order of creation.

A vertex is a node of the graph, or an array that took part without being a tensor (a constant, or an input if the user has a
name for it). Single numbers are no vertices: they stand in the formula of the operation that uses them. The walk is a loop, so
depth does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from ..graph import Node
from ..trees import content

__all__ = ["Recorded", "read"]


@dataclass(frozen=True)
class Recorded:
    """What can be reached from some outputs; equal positions of the sequences belong to one vertex.

    Attributes
    ----------
    nodes : the graph's node, or None for an array that was no tensor.
    known : the user's name for such an array, "" where there is none.
    values : the array, as it was when it was used.
    kinds : "parameter", "input", "constant" or "result".
    operations : the name of the function that made it, "" for what nothing made.
    operands : the positions of the vertices it was made from, one for each use; all are smaller than its own.
    places : for each operand, its place among the function's arguments.
    outputs : the positions of the outputs.
    """

    nodes: Sequence[Node | None]
    known: Sequence[str]
    values: Sequence[Any]
    kinds: Sequence[str]
    operations: Sequence[str]
    operands: Sequence[tuple[int, ...]]
    places: Sequence[tuple[int, ...]]
    outputs: tuple[int, ...]


def read(outputs: Sequence[Node], arrays: Mapping[str, np.ndarray] | None = None) -> Recorded:
    """Return what can be reached from the outputs, in the order of creation; equal constants are one vertex, named as an equal array."""
    nodes: list[Node | None] = []
    known: list[str] = []
    values: list[Any] = []
    kinds: list[str] = []
    operations: list[str] = []
    operands: list[tuple[int, ...]] = []
    places: list[tuple[int, ...]] = []
    position: dict[Any, int] = {}
    called: dict[Any, str] = {}
    for name, array in (arrays or {}).items():
        called.setdefault(content(array), name)

    def constant(array: np.ndarray) -> int:
        key = content(array)
        if key not in position:
            position[key] = len(nodes)
            nodes.append(None)
            known.append(called.get(key, ""))
            values.append(array)
            kinds.append("input" if key in called else "constant")
            operations.append("")
            operands.append(())
            places.append(())
        return position[key]

    for node in reachable(outputs):
        kind, operation = "result", ""
        uses: list[int] = []
        at: list[int] = []
        if node.rule is None:
            kind = "parameter" if node.requires_grad else "input"
        else:
            operation = node.rule.name
            parents = node.parents
            if node.inputs:
                parents = tuple([node.inputs.get(i) for i in range(len(node.args))])
            for i, (arg, parent) in enumerate(zip(node.args, parents)):
                if parent is not None:
                    uses.append(position[parent])
                    if parent.rule is None:
                        values[uses[-1]] = arg
                elif isinstance(arg, np.ndarray) and arg.ndim:
                    uses.append(constant(arg))
                else:
                    continue
                at.append(i)
        position[node] = len(nodes)
        nodes.append(node)
        known.append("")
        values.append(node.value)
        kinds.append(kind)
        operations.append(operation)
        operands.append(tuple(uses))
        places.append(tuple(at))
    return Recorded(nodes, known, values, kinds, operations, operands, places, tuple(position[node] for node in outputs))


def reachable(outputs: Sequence[Node]) -> list[Node]:
    """Return the nodes that the outputs were computed from, the outputs with them, the eldest first; no recursion."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        node = stack.pop()
        for parent in node.inputs.values() or node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=attrgetter("number"))
