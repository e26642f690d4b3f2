"""A recorded graph as a plain sequence: every vertex is its position in the order of creation.

A vertex is a node of the graph, or an array that took part without being a tensor (a constant, or an input if it has a name).
Single numbers are not vertices: they stand in the formula of the operation that uses them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import Node
from ..naming import Fingerprint, Label, Names, Thing
from .picture import shared_path

__all__ = ["Recorded", "Vertex", "read"]

Path = tuple[str, ...]


@dataclass(frozen=True)
class Vertex:
    """One value of the graph.

    Attributes
    ----------
    label : what it is called.
    kind : "parameter", "input", "constant", "result", "output" or "loss".
    operation : the name of the function that made it, "" for a leaf.
    operands : the positions of the vertices it was made from, one for each use; all are smaller than its own.
    places : for each operand, its place among the function's arguments.
    path : the module calls that it lies in, the outermost first.
    value : the array, as it was when it was used.
    node : the graph's node, or None for an array that was not a tensor.
    """

    label: Label
    kind: str
    operation: str = ""
    operands: tuple[int, ...] = ()
    places: tuple[int, ...] = ()
    path: Path = ()
    value: Any = None
    node: Node | None = None

    @property
    def name(self) -> str:
        """The label as text."""
        return str(self.label)


@dataclass(frozen=True)
class Recorded:
    """What some outputs were computed from, the positions of the outputs, and the derivatives that were written already."""

    vertices: Sequence[Vertex]
    outputs: tuple[int, ...]
    derivatives: dict[tuple[Node, int], str] = field(default_factory=dict, compare=False, repr=False)

    def labels_of(self, vertex: Vertex) -> dict[int, Label]:
        """Return the labels of a vertex's operands, by their places among the function's arguments."""
        return {place: self.vertices[operand].label for place, operand in zip(vertex.places, vertex.operands)}


def read(outputs: Sequence[Node], given: Mapping[str, Any] | None = None) -> Recorded:
    """Return what the outputs were computed from, in the order of creation; equal constants are one vertex.

    ``given`` holds the user's names for tensors and arrays.
    """
    names = Names(outputs, given)
    paths = paths_of(names)
    things = dict.fromkeys(thing for node in names.nodes for thing in (*names.operands[node], node) if thing is not None)
    position = {thing: i for i, thing in enumerate(things)}
    vertices: list[Vertex] = []
    for thing in things:
        node = thing if isinstance(thing, Node) else None
        sources = {i: position[source] for i, source in enumerate(names.operands[node] if node else []) if source is not None}
        operation, operands, places = node.rule.name if node and node.rule else "", tuple(sources.values()), tuple(sources)
        kind, value = kind_of(thing, names, outputs), value_of(thing, names)
        vertices.append(Vertex(names.labels[thing], kind, operation, operands, places, paths.get(thing, ()), value, node))
    return Recorded(vertices, tuple([position[node] for node in outputs]))


def kind_of(thing: Thing, names: Names, outputs: Sequence[Node]) -> str:
    if isinstance(thing, Fingerprint):
        return "constant" if names.labels[thing].base == "c" and thing not in names.by_user else "input"
    if thing.rule is None:
        return "parameter" if thing.requires_grad else "input"
    if thing in outputs:
        return "loss" if len(outputs) == 1 and np.size(thing.value) == 1 else "output"
    return "result"


def value_of(thing: Thing, names: Names) -> Any:
    """Return a vertex's value; a leaf's as it was when it was last used."""
    if isinstance(thing, Fingerprint):
        return names.arrays[thing]
    users = names.users.get(thing)
    return thing.value if thing.rule or not users else users[-1].args[names.operands[users[-1]].index(thing)]


# The modules
def paths_of(names: Names) -> dict[Thing, Path]:
    """Return the module calls that each value lies in, the outermost first.

    A result lies in the calls that were running when it was made. A parameter or a constant lies where all its users do, an input
    outside. Later calls of one module get a number: ``cell``, ``cell (2)``.
    """
    ends = {call: node.number for node in names.nodes for call in node.calls}
    if not ends:
        return {}
    waiting = sorted(ends, reverse=True)
    running: list[tuple[int, str]] = []
    times: Counter[str] = Counter()
    paths: dict[Thing, Path] = {}
    for node in names.nodes:
        if node.rule is None:
            continue
        while waiting and waiting[-1][0] < node.number:
            before, path = waiting.pop()
            times[path] += 1
            leave(running, before)
            running.append((ends[before, path], path if times[path] == 1 else f"{path} ({times[path]})"))
        leave(running, node.number)
        paths[node] = tuple([path for _, path in running])
    for thing, users in names.users.items():
        if thing not in paths and kind_of(thing, names, ()) != "input":
            paths[thing] = shared_path([paths[node] for node in users])
    return paths


def leave(running: list[tuple[int, str]], number: int) -> None:
    """Drop the calls that had ended by this number."""
    while running and running[-1][0] < number:
        running.pop()
