"""What the page shows at each step: forward one operation at a time, then backward as the sweep adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backward import Step as Swept
from ..backward import sweep
from ..equations import Gradient, formula
from ..graph import Edge, Node
from ..naming import Label, clean
from .formulas import expression, shape_text, shortened, spelt
from .picture import Picture
from .recorded import Recorded, Vertex

__all__ = ["Line", "Step", "Swept", "details", "entries", "replay", "steps"]

FIGURES, THRESHOLD, EDGE, WIDTH = 6, 12, 2, 56


@dataclass(frozen=True)
class Line:
    """One line of a step: what it is, the formula it comes from (as text, and as MathML if there is any), and its entries."""

    what: str
    formula: str
    value: str
    mathml: str = ""


@dataclass(frozen=True)
class Step:
    """One step: the box that it is about, the boxes that get something, the arrows it runs along, and its lines."""

    phase: str
    title: str
    box: int | None
    touched: tuple[int, ...]
    arrows: tuple[int, ...]
    lines: tuple[Line, ...]


def replay(seeds: Mapping[Node, Any]) -> tuple[list[Swept], dict[Node, Any]]:
    """Sweep again; return the sweep's steps in order, and the complete cotangent of every node that it reached."""
    trail: list[Swept] = []
    with np.errstate(all="ignore"):
        cotangents = sweep(dict(seeds), trail=trail)
    return trail, {step.node: step.g for step in trail} | cotangents


def steps(recorded: Recorded, picture: Picture, trail: Sequence[Swept]) -> list[Step]:
    """Return the steps of a picture that draws each vertex as a box of its own."""
    return [start(recorded), *forward(recorded, picture), *backward(recorded, picture, trail)]


def start(recorded: Recorded) -> Step:
    """Return the step before the first operation."""
    leaves = {i: vertex for i, vertex in enumerate(recorded.vertices) if not vertex.operation}
    lines = tuple(Line(f"{shortened(vertex.name)}, {vertex.kind}", "", entries(vertex.value)) for vertex in leaves.values())
    return Step("start", "What is given", None, tuple(leaves), (), lines)


def forward(recorded: Recorded, picture: Picture) -> list[Step]:
    """Return a step for each operation, in the order of creation."""
    made = [i for i, vertex in enumerate(recorded.vertices) if vertex.operation]
    arriving = arrows_into(picture)
    found = []
    for k, i in enumerate(made, 1):
        vertex = recorded.vertices[i]
        line = Line(shortened(vertex.name), expression(recorded, vertex), entries(vertex.value))
        found.append(Step("forward", f"Forward {k} of {len(made)}: {vertex.operation}", i, (i,), tuple(arriving[i]), (line,)))
    return found


def backward(recorded: Recorded, picture: Picture, trail: Sequence[Swept]) -> list[Step]:
    """Return a step for each node that the sweep takes."""
    position = {vertex.node: i for i, vertex in enumerate(recorded.vertices)}
    uses = Counter(parent for swept in trail for parent, _, _ in swept.node.edges)
    seen: Counter[Node] = Counter()
    outputs, arriving = set(recorded.outputs), arrows_into(picture)
    found = []
    for k, (node, g, added) in enumerate(trail, 1):
        i = position[node]
        vertex = recorded.vertices[i]
        what = "cotangent to start from" if i in outputs and not uses[node] else "cotangent that arrives"
        lines = [Line(what, f"g = {cotangent_text(recorded, vertex)}", entries(g))]
        for edge, sums in zip(node.edges, added):
            seen[edge[0]] += 1
            lines += contribution_lines(recorded, vertex, edge, recorded.vertices[position[edge[0]]], sums, seen[edge[0]], uses[edge[0]])
        touched = tuple(dict.fromkeys(position[parent] for parent, _, _ in node.edges))
        arrows = tuple(arrow for arrow in arriving[i] if picture.arrows[arrow].gradient)
        found.append(Step("backward", f"Backward {k} of {len(trail)}: {vertex.operation}", i, touched, arrows, tuple(lines)))
    return found


def arrows_into(picture: Picture) -> dict[int, list[int]]:
    """Return for each box the arrows that end there."""
    arriving: dict[int, list[int]] = {i: [] for i in range(len(picture.boxes))}
    for i, arrow in enumerate(picture.arrows):
        arriving[arrow.head].append(i)
    return arriving


def contribution_lines(
    recorded: Recorded, vertex: Vertex, edge: Edge, operand: Vertex, sums: tuple[Any, Any], nth: int, uses: int
) -> list[Line]:
    """Return what one use adds to its operand's cotangent, and the sum so far where there are several uses."""
    names = {place: recorded.vertices[source].label for place, source in zip(vertex.places, vertex.operands)}
    target, (added, total) = cotangent_side(recorded, operand), sums
    assert vertex.node is not None
    rule = formula(vertex.node, edge[2], names, vertex.label, target, adds=added is not total)
    use = f", use {nth} of {uses}" if uses > 1 else ""
    lines = [Line(f"to {shortened(operand.name)}{use}", rule.text, entries(added), rule.mathml)]
    if uses > 1:
        lines.append(Line("running sum" if nth < uses else "sum, complete", cotangent_text(recorded, operand), entries(total)))
    return lines


def details(recorded: Recorded, vertex: Vertex, gradients: Mapping[Any, Any]) -> list[Line]:
    """Return all that is to be shown of a vertex: formula, value, gradient."""
    about = f"shape {shape_text(np.shape(vertex.value))}, {vertex.value.dtype}"
    lines = [Line(vertex.kind, expression(recorded, vertex), about), Line("value", "", entries(vertex.value))]
    gradient = gradients.get(vertex.node)
    if gradient is not None:
        lines.append(Line("gradient", cotangent_text(recorded, vertex), entries(gradient)))
    return lines


def cotangent_side(recorded: Recorded, vertex: Vertex) -> Gradient | Label:
    """Return what the cotangent of a vertex is called: a derivative of the one output, if that is a single number."""
    outputs = [recorded.vertices[output] for output in recorded.outputs]
    if len(outputs) == 1 and np.ndim(outputs[0].value) == 0:
        return Gradient(outputs[0].label, vertex.label)
    return Label(f"g({vertex.name})")


def cotangent_text(recorded: Recorded, vertex: Vertex) -> str:
    """Return what the cotangent of a vertex is called, as text."""
    side = cotangent_side(recorded, vertex)
    return f"∂{spelt(side.of)}/∂{spelt(side.by)}" if isinstance(side, Gradient) else shortened(str(side))


def entries(value: Any) -> str:
    """Return the entries of an array, the middle left out where there are many."""
    return clean_lines(
        np.array2string(
            np.asarray(value),
            precision=FIGURES,
            threshold=THRESHOLD,
            edgeitems=EDGE,
            separator=", ",
            max_line_width=WIDTH,
            floatmode="maxprec",
        )
    )


def clean_lines(text: str) -> str:
    """Return text of several lines, each clean."""
    return "\n".join(map(clean, text.split("\n")))
