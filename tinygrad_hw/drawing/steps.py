"""What the page shows at each step: forward one operation at a time, then backward as the sweep adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..equations import Gradient, formula
from ..naming import Label, clean
from .formulas import expression, shape_text, shortened, spelt
from .picture import Picture
from .recorded import Recorded, Vertex
from .replay import Contribution, Turn

__all__ = ["Line", "Step", "complete", "details", "entries", "steps"]

FIGURES, THRESHOLD, EDGE, WIDTH = 6, 12, 2, 56


@dataclass(frozen=True)
class Line:
    """One thing said in a step: what it is, the formula it comes from (as text, and as MathML if there is any), and its entries."""

    what: str
    formula: str
    value: str
    mathml: str = ""


@dataclass(frozen=True)
class Step:
    """One step: the box that it is about, the boxes that get something, the arrows it runs along, and what is said."""

    phase: str
    title: str
    box: int | None
    touched: tuple[int, ...]
    arrows: tuple[int, ...]
    lines: tuple[Line, ...]


def steps(recorded: Recorded, picture: Picture, turns: Sequence[Turn] | None) -> list[Step]:
    """Return the steps of a picture that draws each vertex as a box of its own."""
    return [start(recorded), *forward(recorded, picture), *(backward(recorded, picture, turns) if turns else [])]


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


def backward(recorded: Recorded, picture: Picture, turns: Sequence[Turn]) -> list[Step]:
    """Return a step for each node that the sweep takes."""
    position = {vertex.node: i for i, vertex in enumerate(recorded.vertices) if vertex.node is not None}
    uses = Counter(contribution.operand for turn in turns for contribution in turn.contributions)
    seen: Counter[Any] = Counter()
    outputs, arriving = set(recorded.outputs), arrows_into(picture)
    found = []
    for k, turn in enumerate(turns, 1):
        i = position[turn.node]
        vertex = recorded.vertices[i]
        what = "cotangent to start from" if i in outputs and not uses[turn.node] else "cotangent that arrives"
        lines = [Line(what, f"g = {cotangent_text(recorded, vertex)}", entries(turn.incoming))]
        for contribution in turn.contributions:
            seen[contribution.operand] += 1
            operand = recorded.vertices[position[contribution.operand]]
            lines += contribution_lines(recorded, vertex, contribution, operand, seen[contribution.operand], uses[contribution.operand])
        touched = tuple(dict.fromkeys(position[contribution.operand] for contribution in turn.contributions))
        arrows = tuple(arrow for arrow in arriving[i] if picture.arrows[arrow].gradient)
        found.append(Step("backward", f"Backward {k} of {len(turns)}: {vertex.operation}", i, touched, arrows, tuple(lines)))
    return found


def arrows_into(picture: Picture) -> dict[int, list[int]]:
    """Return for each box the arrows that end there."""
    arriving: dict[int, list[int]] = {i: [] for i in range(len(picture.boxes))}
    for i, arrow in enumerate(picture.arrows):
        arriving[arrow.head].append(i)
    return arriving


def contribution_lines(recorded: Recorded, vertex: Vertex, contribution: Contribution, operand: Vertex, nth: int, uses: int) -> list[Line]:
    """Return what one use adds to its operand's cotangent, and the sum where there are several uses."""
    names = {place: recorded.vertices[source].label for place, source in zip(vertex.places, vertex.operands)}
    target = cotangent_side(recorded, operand)
    assert vertex.node is not None
    rule = formula(vertex.node, contribution.place, names, vertex.label, target, not contribution.first)
    use = f", use {nth} of {uses}" if uses > 1 else ""
    lines = [Line(f"to {shortened(operand.name)}{use}", rule.text, entries(contribution.added), rule.mathml)]
    if uses > 1:
        what = "running sum" if nth < uses else "sum, complete"
        lines.append(Line(what, cotangent_text(recorded, operand), entries(contribution.total)))
    return lines


def details(recorded: Recorded, vertex: Vertex, gradients: Mapping[Any, Any]) -> list[Line]:
    """Return all that is to be shown of a vertex: formula, value, gradient."""
    about = f"shape {shape_text(np.shape(vertex.value))}, {vertex.value.dtype}"
    lines = [Line(vertex.kind, expression(recorded, vertex), about), Line("value", "", entries(vertex.value))]
    gradient = gradients.get(vertex.node)
    if gradient is not None:
        lines.append(Line("gradient", cotangent_text(recorded, vertex), entries(gradient)))
    return lines


def complete(turns: Sequence[Turn]) -> dict[Any, Any]:
    """Return the complete cotangents that the turns end with."""
    totals = {contribution.operand: contribution.total for turn in turns for contribution in turn.contributions}
    return {**{turn.node: turn.incoming for turn in turns}, **totals}


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
