"""What the page shows at each step: forward one operation at a time, then backward as the sweep adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .build import Story
from .formulas import formula, label, shape_text
from .picture import Picture, clean
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


def steps(story: Story, picture: Picture, turns: Sequence[Turn] | None) -> list[Step]:
    """Return the steps of a picture that draws each vertex as a box of its own."""
    return [start(story), *forward(story, picture), *(backward(story, picture, turns) if turns else [])]


def start(story: Story) -> Step:
    """Return the step before the first operation."""
    recorded = story.recorded
    leaves = [vertex for vertex, operation in enumerate(recorded.operations) if not operation]
    lines = tuple(Line(f"{name(story, v)}, {story.kinds[v]}", "", entries(recorded.values[v])) for v in leaves)
    return Step("start", "What is given", None, tuple(leaves), (), lines)


def forward(story: Story, picture: Picture) -> list[Step]:
    """Return a step for each operation, in the order of creation."""
    recorded = story.recorded
    made = [vertex for vertex, operation in enumerate(recorded.operations) if operation]
    arriving = arrows_into(picture)
    return [
        Step(
            "forward",
            f"Forward {k} of {len(made)}: {recorded.operations[vertex]}",
            vertex,
            (vertex,),
            tuple(arriving[vertex]),
            (Line(name(story, vertex), story.expression(vertex), entries(recorded.values[vertex])),),
        )
        for k, vertex in enumerate(made, 1)
    ]


def backward(story: Story, picture: Picture, turns: Sequence[Turn]) -> list[Step]:
    """Return a step for each turn of the sweep."""
    recorded = story.recorded
    position = {node: vertex for vertex, node in enumerate(recorded.nodes) if node is not None}
    uses = Counter(contribution.operand for turn in turns for contribution in turn.contributions)
    seen: Counter[Any] = Counter()
    outputs, arriving = set(recorded.outputs), arrows_into(picture)
    found = []
    for k, turn in enumerate(turns, 1):
        vertex = position[turn.node]
        start_here = vertex in outputs and not uses[turn.node]
        what = "cotangent to start from" if start_here else "cotangent that arrives"
        lines = [Line(what, f"g = {cotangent_name(story, vertex)}", entries(turn.incoming))]
        for contribution in turn.contributions:
            operand = position[contribution.operand]
            seen[contribution.operand] += 1
            lines += contribution_lines(story, turn, contribution, vertex, operand, seen[contribution.operand], uses[contribution.operand])
        touched = tuple(dict.fromkeys(position[contribution.operand] for contribution in turn.contributions))
        arrows = tuple(i for i in arriving[vertex] if picture.arrows[i].gradient)
        found.append(
            Step("backward", f"Backward {k} of {len(turns)}: {recorded.operations[vertex]}", vertex, touched, arrows, tuple(lines))
        )
    return found


def arrows_into(picture: Picture) -> dict[int, list[int]]:
    """Return for each box the arrows that end there."""
    arriving: dict[int, list[int]] = {i: [] for i in range(len(picture.boxes))}
    for i, arrow in enumerate(picture.arrows):
        arriving[arrow.head].append(i)
    return arriving


def contribution_lines(story: Story, turn: Turn, contribution: Contribution, vertex: int, operand: int, nth: int, uses: int) -> list[Line]:
    """Return what one use adds to its operand's cotangent, and the sum where there are several uses."""
    recorded = story.recorded
    names = {i: name(story, u) for i, u in zip(recorded.places[vertex], recorded.operands[vertex])}
    edge = contribution.operand, contribution.vjp, contribution.place
    target = cotangent_name(story, operand)
    said = formula(turn.node, edge, target, not contribution.first, names, name(story, vertex))
    use = f", use {nth} of {uses}" if uses > 1 else ""
    lines = [Line(f"to {name(story, operand)}{use}", said.text, entries(contribution.added), said.mathml)]
    if uses > 1:
        lines.append(Line("running sum" if nth < uses else "sum, complete", target, entries(contribution.total)))
    return lines


def details(story: Story, vertex: int, gradients: Mapping[Any, Any]) -> list[Line]:
    """Return all that is to be said of a vertex: formula, value, gradient."""
    recorded = story.recorded
    value, node = recorded.values[vertex], recorded.nodes[vertex]
    lines = [
        Line(story.kinds[vertex], story.expression(vertex), f"shape {shape_text(np.shape(value))}, {value.dtype}"),
        Line("value", "", entries(value)),
    ]
    gradient = gradients.get(node)
    if gradient is not None:
        lines.append(Line("gradient", cotangent_name(story, vertex), entries(gradient)))
    return lines


def complete(turns: Sequence[Turn]) -> dict[Any, Any]:
    """Return the complete cotangents that the turns end with."""
    totals = {contribution.operand: contribution.total for turn in turns for contribution in turn.contributions}
    return {**{turn.node: turn.incoming for turn in turns}, **totals}


def name(story: Story, vertex: int) -> str:
    """Return what a vertex is called."""
    return label(story.names[vertex])


def cotangent_name(story: Story, vertex: int) -> str:
    """Return what the cotangent of a vertex is called: a derivative of the one output, if that is a single number."""
    outputs = story.recorded.outputs
    if len(outputs) == 1 and np.ndim(story.recorded.values[outputs[0]]) == 0:
        return f"∂{name(story, outputs[0])}/∂{name(story, vertex)}"
    return f"g({name(story, vertex)})"


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
