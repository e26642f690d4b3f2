"""What the page shows at each step: forward one operation at a time, then backward as the sweep adds up.

A line names the array that it shows by a key: ``("value", 3)``, ``("added", 5, 0)``. ``numbers`` gives the arrays of one computation
by these keys, so that the same steps can show another: that of another epoch, or of a value that was changed in the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from ..backward import Step as Swept
from ..equations import Gradient, formula, replay
from ..graph import Edge, Node
from ..naming import Label
from .formulas import derivative, expression, shape_text, shortened, spelt
from .modules import View
from .recorded import Recorded, Vertex

__all__ = ["Key", "Line", "Question", "Step", "Swept", "details", "numbers", "replay", "steps"]

Key = tuple[Any, ...]
PRODUCTS = {np.matmul, np.dot}
FEWEST_WRONG = 2


class Line(NamedTuple):
    """One line of a step: what it is, the formula it comes from (as text, and as MathML if there is any), and the key of its array."""

    what: str
    formula: str
    key: Key | None
    mathml: str = ""
    hidden: bool = False


class Question(NamedTuple):
    """What a learner may guess before it is shown: what an operand gets, the right answer and wrong ones."""

    about: str
    right: str
    wrong: tuple[str, ...]
    key: Key


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes
    ----------
    phase : "start", "forward" or "backward".
    title, sentence : what happens, in a few words and in one sentence.
    box : the box that it is about.
    touched, complete : the boxes that get something, and those whose value or gradient is complete by it.
    arrows : the arrows it runs along.
    lines : what it shows.
    work : operations on numbers that it costs, as ``work`` counts them.
    questions : what may be guessed.
    """

    phase: str
    title: str
    sentence: str
    box: int | None
    touched: tuple[int, ...]
    complete: tuple[int, ...]
    arrows: tuple[int, ...]
    lines: tuple[Line, ...]
    work: int = 0
    questions: tuple[Question, ...] = ()


def numbers(nodes: Sequence[Node | None], values: Iterable[Any], trail: Sequence[Swept], gradients: Mapping[Node, Any]) -> dict[Key, Any]:
    """Return all arrays that steps show, by their keys; a value and a gradient by the place of its vertex in the graph."""
    found: dict[Key, Any] = {("value", i): value for i, value in enumerate(values)}
    found |= {("gradient", i): gradients[node] for i, node in enumerate(nodes) if node is not None and node in gradients}
    for k, step in enumerate(trail):
        found["g", k] = step.g
        for j, (added, total) in enumerate(step.added):
            found |= {("added", k, j): added, ("sum", k, j): total}
    return found


def steps(recorded: Recorded, view: View, trail: Sequence[Swept]) -> list[Step]:
    return [start(recorded, view), *forward(recorded, view), *Backward(recorded, view, trail).steps()]


def start(recorded: Recorded, view: View) -> Step:
    """Return the step before the first operation."""
    given = [i for i in view.owner if not recorded.vertices[i].operation or i not in view.members]
    named = [i for i in given if view.picture.boxes[view.owner[i]].kind != "folded"]
    boxes = tuple(view.owner[i] for i in named)
    kinds = [view.picture.boxes[box].kind for box in boxes]
    lines = tuple(Line(f"{shortened(recorded.vertices[i].name)}, {kind}", "", ("value", i)) for i, kind in zip(named, kinds))
    return Step("start", "What is given", "These values are given; everything else is computed from them.", None, boxes, boxes, (), lines)


def forward(recorded: Recorded, view: View) -> list[Step]:
    """Return a step for each operation or closed module, in the order of creation."""
    found = []
    results = sorted(i for i in view.members if recorded.vertices[i].operation)
    runs = [(box, list(run)) for box, run in groupby(results, lambda i: view.owner[i])]
    for k, (box, run) in enumerate(runs, 1):
        about = view.picture.boxes[box]
        shown = used_elsewhere(recorded, view, box, run)
        if about.kind == "folded":
            title, sentence = about.name, f"{about.name} is run: {about.about}. Open its box to see inside."
        else:
            vertex = recorded.vertices[run[0]]
            title = vertex.operation
            shape = f"of shape {shape_text(np.shape(vertex.value))}" if np.ndim(vertex.value) else "a single number"
            sentence = f"{shortened(vertex.name)} = {expression(recorded, vertex)} is computed, {shape}."
        lines = tuple(Line(shortened(recorded.vertices[i].name), expression(recorded, recorded.vertices[i]), ("value", i)) for i in shown)
        arrows = tuple(a for a, arrow in enumerate(view.picture.arrows) if arrow.head == box)
        costs = sum(work(recorded.vertices[i]) for i in run)
        found.append(Step("forward", f"Forward {k} of {len(runs)}: {title}", sentence, box, (box,), (box,), arrows, lines, costs))
    return found


def used_elsewhere(recorded: Recorded, view: View, box: int, run: Sequence[int]) -> list[int]:
    """Return the results of a box that others use, or that are outputs."""
    if len(run) == 1:
        return list(run)
    used = {operand for i, vertex in enumerate(recorded.vertices) if view.owner.get(i) != box for operand in vertex.operands}
    return [i for i in run if i in used or i in recorded.outputs]


class Backward:
    """The steps of the sweep in one picture."""

    def __init__(self, recorded: Recorded, view: View, trail: Sequence[Swept]) -> None:
        self.recorded, self.view, self.trail = recorded, view, trail
        self.position = {vertex.node: i for i, vertex in enumerate(recorded.vertices)}
        self.uses = Counter(parent for swept in trail for parent, _, _ in swept.node.edges)
        self.seen: Counter[Node] = Counter()

    def steps(self) -> list[Step]:
        """Return a step for each node, or each closed module, that the sweep takes."""
        runs = [(box, list(run)) for box, run in groupby(enumerate(self.trail), lambda item: self.box_of(item[1]))]
        count = sum(box is not None for box, _ in runs)
        found: list[Step] = []
        for box, run in runs:
            if box is None:
                self.seen.update(parent for _, swept in run for parent, _, _ in swept.node.edges)
            else:
                found.append(self.step(box, run, f"Backward {len(found) + 1} of {count}"))
        return found

    def box_of(self, swept: Swept) -> int | None:
        """Return the box of a node that the sweep takes, None for what only comes from outside."""
        i = self.position[swept.node]
        return self.view.owner[i] if i in self.view.members else None

    def step(self, box: int, run: Sequence[tuple[int, Swept]], count: str) -> Step:
        """Return the step in which the sweep goes through a box."""
        recorded, view = self.recorded, self.view
        about = view.picture.boxes[box]
        inside = {self.position[swept.node] for _, swept in run}
        lines: list[Line] = []
        questions: list[Question] = []
        touched: dict[int, None] = {}
        complete: dict[int, None] = {box: None}
        costs = 0
        for k, swept in run:
            i = self.position[swept.node]
            vertex = recorded.vertices[i]
            if any(i in other.operands for j, other in enumerate(recorded.vertices) if j not in inside) or i in recorded.outputs:
                what = "cotangent to start from" if i in recorded.outputs and not self.uses[swept.node] else "cotangent that arrives"
                lines.append(Line(what, f"g = {cotangent_text(recorded, vertex)}", ("g", k)))
            for j, edge in enumerate(swept.node.edges):
                self.seen[edge[0]] += 1
                target = self.position[edge[0]]
                costs += work(vertex) + (np.size(edge[0].value) if self.seen[edge[0]] > 1 else 0)
                if target in inside or target not in view.owner:
                    continue
                lines += self.contribution(vertex, edge, recorded.vertices[target], (k, j), swept.added[j])
                questions += question(recorded, vertex, edge[2], recorded.vertices[target], ("added", k, j)) if len(run) == 1 else []
                touched[view.owner[target]] = None
                if self.seen[edge[0]] == self.uses[edge[0]] and not recorded.vertices[target].operation:
                    complete[view.owner[target]] = None
        arrows = tuple(a for a, arrow in enumerate(view.picture.arrows) if arrow.head == box and arrow.gradient)
        if about.kind == "folded":
            title, sentence = about.name, f"The sweep goes back through {about.name}: {about.about}. This arrives at it and leaves it."
        else:
            vertex = recorded.vertices[self.position[run[0][1].node]]
            title, sentence = vertex.operation, self.sentence(vertex, run[0][1])
        touched.pop(box, None)
        return Step(
            "backward", f"{count}: {title}", sentence, box, tuple(touched), tuple(complete), arrows, tuple(lines), costs, tuple(questions)
        )

    def sentence(self, vertex: Vertex, swept: Swept) -> str:
        """Say what the sweep does at a node: the chain rule, and where paths meet."""
        names = list(dict.fromkeys(shortened(self.recorded.vertices[self.position[parent]].name) for parent, _, _ in swept.node.edges))
        each = f"{names[0]} gets" if len(names) == 1 else f"each of {', '.join(names[:-1])} and {names[-1]} gets"
        more = " What comes along several paths adds up." if any(self.uses[parent] > 1 for parent, _, _ in swept.node.edges) else ""
        return f"Of {shortened(vertex.name)} = {expression(self.recorded, vertex)}, {each} what arrives × the local derivative.{more}"

    def contribution(self, vertex: Vertex, edge: Edge, operand: Vertex, at: tuple[int, int], sums: tuple[Any, Any]) -> list[Line]:
        """Return what one use adds to its operand's cotangent, and the sum so far where there are several uses."""
        recorded, (nth, uses) = self.recorded, (self.seen[edge[0]], self.uses[edge[0]])
        assert vertex.node is not None
        adds = sums[0] is not sums[1] and (nth > 1 or self.position[edge[0]] in recorded.outputs)
        rule = formula(vertex.node, edge[2], recorded.labels_of(vertex), vertex.label, cotangent_side(recorded, operand), adds=adds)
        use = f", use {nth} of {uses}" if uses > 1 else ""
        lines = [Line(f"to {shortened(operand.name)}{use}", rule.text, ("added", *at), rule.mathml, hidden=True)]
        if uses > 1:
            what = "running sum" if nth < uses else "sum, complete"
            lines.append(Line(what, cotangent_text(recorded, operand), ("sum", *at), hidden=True))
        return lines


def question(recorded: Recorded, vertex: Vertex, place: int, operand: Vertex, key: Key) -> list[Question]:
    """Ask what an operand gets; wrong answers have the wrong sign, forget the local derivative, or are another operand's."""
    right = derivative(recorded, vertex, place)
    assert vertex.node is not None
    candidates = [derivative(recorded, vertex, other) for _, _, other in vertex.node.edges]
    negated = right[1:].strip() if right[0] in "-−" else f"−{right}"
    candidates += ["g", negated, f"g {'⊙' if np.ndim(vertex.value) else '·'} {spelt(vertex.label)}", "0"]
    as_right = {right, negated, "0"} if right[0] in "0𝟎" else {right}
    wrong = tuple(dict.fromkeys(text for text in candidates if text not in as_right))[: FEWEST_WRONG + 1]
    return [Question(f"What does {shortened(operand.name)} get?", right, wrong, key)]


def work(vertex: Vertex) -> int:
    """Return what an operation costs: 2·m·k·n for a product of (m, k) by (k, n), else one for each entry of its largest array."""
    node = vertex.node
    assert node is not None
    if node.rule.function in PRODUCTS:
        return 2 * int(np.size(vertex.value)) * int(np.shape(node.args[0])[-1] if np.ndim(node.args[0]) else 1)
    return max([int(np.size(array)) for array in (vertex.value, *node.args) if isinstance(array, (np.ndarray, np.generic))])


def details(recorded: Recorded, i: int, known: Mapping[Key, Any]) -> list[Line]:
    """Return all that is to be shown of a vertex: formula, value, gradient."""
    vertex = recorded.vertices[i]
    about = f"{vertex.kind}, shape {shape_text(np.shape(vertex.value))}, {vertex.value.dtype}"
    lines = [Line(about, expression(recorded, vertex), None), Line("value", "", ("value", i))]
    if ("gradient", i) in known:
        lines.append(Line("gradient", cotangent_text(recorded, vertex), ("gradient", i), hidden=True))
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
