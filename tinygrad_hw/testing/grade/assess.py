"""Grade one piece of backpropagation: run it, judge two steps of it, and look at whether the data could hide a mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...equations import Equation
from ...errors import TinygradError
from .blames import Blame
from .judge import Judge
from .quantities import Engine
from .subject import FunctionSubject, ObjectSubject, Step, filled, named, subject_of
from .watch import Crash, Event, Watcher

__all__ = ["Assessment", "Line", "Mark", "assess"]

STEPS = 2
DRAWS = 3
ROWS = 5  # of the data that are drawn where there was one row alone


@dataclass(frozen=True)
class Line:
    """A line of the code: what it makes.

    Attributes
    ----------
    verdict : "right", "wrong", "follows" (right but for a mistake before it), "unknown" (nothing that the equations name).
    quantity : what the engine calls it.
    factor : times what.
    """

    number: int
    text: str
    name: str
    verdict: str
    quantity: str
    factor: float
    form: str


@dataclass(frozen=True)
class Mark:
    """An equation of the backward pass, and whether the code computes it: "right", "wrong", "follows", or "missing"."""

    equation: Equation
    text: str
    verdict: str
    line: int


@dataclass
class Assessment:
    """What was found.

    Attributes
    ----------
    lines, marks, blames : line by line; equation by equation; the mistakes in order.
    step : in which step they were found, from 1.
    notes : what the data cannot tell, and the like: a kind and its pieces.
    crash : what ended the code, if anything did.
    counts : what N may be.
    """

    name: str
    lines: list[Line]
    marks: list[Mark]
    blames: list[Blame]
    step: int = 1
    notes: list[tuple[str, ...]] = field(default_factory=list)
    crash: Crash | None = None
    counts: tuple[int, ...] = ()


def assess(gradients: Any, loss: Callable[..., Any] | None, example: tuple[Any, ...], seconds: float) -> Assessment:
    """Grade on the example; where it cannot tell mistakes apart, on other data too."""
    subject = subject_of(gradients, example)
    with np.errstate(all="ignore"):
        return on_several_data(subject, loss, seconds)


def on_several_data(subject: FunctionSubject | ObjectSubject, loss: Callable[..., Any] | None, seconds: float) -> Assessment:
    """Grade on the data given, and on others if these hide a mistake."""
    found, engine = judged(subject, loss, seconds)
    hidden = list(indistinct(engine, data_of(subject)))
    if not hidden:
        return found
    for better in better_examples(subject):
        try:
            again, engine = judged(better, loss, seconds)
        except (TinygradError, ValueError, TypeError):
            continue
        if (again.crash is None or found.crash is not None) and not any(indistinct(engine, data_of(better))):
            chosen = again if again.blames or not found.blames else found
            chosen.notes = [*hidden, ("better",)]
            return chosen
    found.notes = [*hidden, ("no better",)]
    return found


def judged(subject: FunctionSubject | ObjectSubject, loss: Callable[..., Any] | None, seconds: float) -> tuple[Assessment, Engine]:
    """Judge two steps of the code on its data; the first with a mistake is told."""
    watcher = Watcher(subject.files, seconds)
    subject.seconds = seconds
    steps, _ = subject.steps(watcher, STEPS)
    subject.helpers = {call.code for call in watcher.calls if call.is_helper}
    engines: list[Engine] = []
    first: Assessment | None = None
    for k, step in enumerate(steps):
        engines.append(engine_of(subject, loss, step))
        crash = watcher.crash if k == len(steps) - 1 else None
        settle_rate(step, engines[k])
        judge = Judge(engines[k], step, subject.weight_of, crash, engines[k - 1] if k else None)
        found = Assessment(subject.name, lines_of(judge), marks_of(judge), judge.blames, k + 1, crash=crash, counts=engines[k].counts)
        found.notes += [("rate",)] if not step.is_rate_known else []
        first = first or found
        if judge.blames or crash is not None:
            return found, engines[0]
    assert first is not None
    return first, engines[0]


def engine_of(subject: FunctionSubject | ObjectSubject, loss: Callable[..., Any] | None, step: Step) -> Engine:
    """Return the engine's view of a step."""
    value, tensors = subject.loss_of(loss, step.weights, list(subject.weights()))
    return Engine(value, tensors, lengths(data_of(subject)))


def data_of(subject: FunctionSubject | ObjectSubject) -> list[np.ndarray]:
    """Return the arrays of the example that are no weights: inputs and labels."""
    weights = set(map(id, subject.weights().values()))
    return [part for part in subject.example if isinstance(part, np.ndarray) and part.ndim and id(part) not in weights]


def lengths(data: list[np.ndarray]) -> Iterator[int]:
    """Yield the lengths that a mean may divide by: those of the labels."""
    for part in data[-1:]:
        yield from (n for n in (*part.shape, part.size) if n > 1)


def settle_rate(step: Step, engine: Engine) -> None:
    """Where the code keeps its rate of learning to itself, take the one that most of its changes speak for."""
    if step.is_rate_known or not any(found.is_update for found in step.found.values()):
        return
    ratios = []
    for name, equation in engine.weights.items():
        found, expected = step.found.get(name), engine.values[equation.line.variable]
        if found is not None and found.value is not None and found.value.shape == expected.shape and expected.any():
            place = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
            ratios.append(float(found.value[place] / expected[place]))
    if not ratios:
        return
    common = max(ratios, key=lambda r: sum(np.isclose(r, other, 1e-3) for other in ratios))
    if common > 0:
        step.rates = (step.rates[0] * common,)
        for found in step.found.values():
            found.value = None if found.value is None else found.value / common


def lines_of(judge: Judge) -> list[Line]:
    """Say of each line what it makes; a line that runs again is told once."""
    told: dict[tuple[int, str], Line] = {}
    for event in judge.step.events:
        if not event.call.is_helper and event.value.dtype.kind == "f":
            line = line_of(judge, event)
            if line.verdict == "wrong" or (event.line, line.quantity) not in told:
                told[event.line, line.quantity] = line
    named = {number for number, quantity in told if quantity}
    return [line for (number, quantity), line in told.items() if quantity or number not in named or line.verdict == "wrong"]


def line_of(judge: Judge, event: Event) -> Line:
    """Say what an event is."""
    match = judge.match(event.number)
    verdict = "right" if event.number in judge.matches else "follows" if match is not None else "unknown"
    verdict = "wrong" if event.number in judge.blamed else verdict
    if match is None:
        return Line(event.line, event.text, event.name, verdict, "", 1.0, "")
    return Line(event.line, event.text, event.name, verdict, match.quantity.text, match.factor / judge.rate(event), match.form)


def marks_of(judge: Judge) -> list[Mark]:
    """Give a mark for each equation of the backward pass."""
    wrong = {blame.equation: blame.line for blame in judge.blames if blame.equation is not None}
    lines: dict[Equation | None, int] = {}
    for numbers in (judge.follows, judge.matches):
        lines |= {match.quantity.equation: judge.events[number].line for number, match in numbers.items() if match.quantity.whole}
    verdicts = [(e, "wrong" if e in wrong else verdict_of(judge, e)) for e in judge.engine.equations.backward]
    return [Mark(e, e.text, verdict, wrong.get(e) or lines.get(e, 0)) for e, verdict in verdicts]


def verdict_of(judge: Judge, equation: Equation) -> str:
    """Return the verdict on an equation that no mistake is of."""
    if not judge.blames:
        return "right"
    own = [match for match in judge.matches.values() if match.quantity.equation is equation and match.quantity.whole]
    after = [match for match in judge.follows.values() if match.quantity.equation is equation and match.quantity.whole]
    name = next((name for name, e in judge.engine.weights.items() if e is equation), None)
    if name is None:
        return "right" if own else "follows" if after else "missing"
    found = judge.step.found.get(name)
    if found is None or found.value is None:
        return "missing" if not judge.is_right(name) else "right"
    is_plain = found.event is not None and found.event.number in judge.matches
    return "right" if is_plain and judge.is_right(name) else "follows"


# Data that hide mistakes
def indistinct(engine: Engine, data: list[np.ndarray]) -> Iterator[tuple[str, ...]]:
    """Yield what on these data cannot be told: with one row 1/N and the sums, with symmetric or equal weights transposes and layers."""
    in_rows, in_columns = ({part.shape[axis] for part in data} == {1} for axis in (0, -1))
    if in_rows or (in_columns and len({part.shape[0] for part in data}) > 1):
        yield ("one row",)
    if 2 in engine.counts[:1]:
        yield ("two rows",)
    if any(not part.any() for part in data):
        yield ("zero data",)
    names = engine.derivation.names.labels
    weights = [(engine.writer.label(names[e.line.node]), np.asarray(e.line.node.value)) for e in engine.weights.values()]
    yield from alike([(text, value) for text, value in weights if value.ndim == 2])
    for equation in engine.equations.backward:
        if not np.any(engine.values[equation.line.variable]):
            yield "zero", engine.side(equation)


def alike(matrices: list[tuple[str, np.ndarray]]) -> Iterator[tuple[str, ...]]:
    """Yield which matrices are symmetric, and which equal one another."""
    for k, (text, value) in enumerate(matrices):
        if value.shape[0] == value.shape[1] > 1 and np.array_equal(value, value.T):
            yield "symmetric", text
        yield from (("equal", text, other) for other, equal in matrices[k + 1 :] if np.array_equal(value, equal))


def better_examples(subject: FunctionSubject | ObjectSubject) -> Iterator[FunctionSubject | ObjectSubject]:
    """Yield the same code with other data: weights and inputs drawn anew, more rows where there was one."""
    for seed, axis in [(seed, axis) for seed in range(DRAWS) for axis in (0, -1)]:
        rng = np.random.default_rng(seed)
        weights = {name: rng.normal(size=array.shape).astype(array.dtype) for name, array in subject.weights().items()}
        if isinstance(subject, ObjectSubject):
            example = tuple(drawn(part, axis, rng) for part in subject.example)
            yield ObjectSubject(subject.with_weights(weights), example, subject.name)
        else:
            own = named(subject.function, subject.example)
            arrays = {name: weights[name] if name in weights else drawn(array, axis, rng) for name, array in own.items()}
            yield FunctionSubject(subject.function, filled(subject.example, subject.function, arrays))


def drawn(array: Any, axis: int, rng: np.random.Generator) -> Any:
    """Return an array like one, with other numbers; labels 0 and 1 stay such, one in each row too; one or two rows become several."""
    if not isinstance(array, np.ndarray) or not array.ndim:
        return array
    shape = list(array.shape)
    shape[axis] = ROWS if shape[axis] <= 2 and (array.ndim > 1 or axis == 0) else shape[axis]
    if np.isin(array, (0, 1)).all() and array.ndim == 2 and array.shape[1 + axis] > 1 and (array.sum(1 + axis) == 1).all():
        one = np.eye(shape[1 + axis], dtype=array.dtype)[rng.integers(0, shape[1 + axis], shape[axis])]
        return one if axis == 0 else one.T
    if np.isin(array, (0, 1)).all():
        return (rng.random(shape) < 0.5).astype(array.dtype)
    return rng.normal(size=shape).astype(array.dtype) if array.dtype.kind == "f" else np.resize(array, shape)
