"""Grade one piece of backpropagation: run it, judge two steps of it, and look at whether the data could hide a mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...equations import Equation
from ...errors import TinygradError
from .lines import Matched
from .mistakes import Blame, Mistake, factor_mistake
from .naming import blame_of
from .quantities import Engine, ratio_of
from .repair import Repairer, Truth, all_right, is_right
from .subject import FunctionSubject, ObjectSubject, Subject, filled, named, subject_of
from .watch import Crash, Event, Watcher

__all__ = ["Assessment", "Line", "Mark", "assess"]

STEPS = 2
DRAWS = 3
ROWS = 5  # of the data that are drawn where there was one row alone


@dataclass(frozen=True)
class Line:
    """A line of the code: what it makes."""

    number: int
    text: str
    verdict: str  # "right", "wrong", "follows" (right but for a mistake before it), "unknown" (nothing that the equations name)
    quantity: str  # what the engine calls it
    factor: float  # times what
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
    """What was found: line by line, equation by equation, and the mistakes in order."""

    name: str
    lines: list[Line]
    marks: list[Mark]
    blames: list[Blame]
    step: int = 1  # in which they were found
    notes: list[tuple[str, ...]] = field(default_factory=list)  # what the data cannot tell, and the like: a kind and its pieces
    crash: Crash | None = None  # what ended the code, if anything did
    counts: tuple[int, ...] = ()  # what N may be


@np.errstate(all="ignore")
def assess(gradients: Any, loss: Callable[..., Any] | None, example: tuple[Any, ...], seconds: float) -> Assessment:
    """Grade on the example, or on other data if mistakes could hide in it."""
    subject = subject_of(gradients, example)
    given = Trial(subject, loss, seconds)
    hidden = list(indistinct(given.first_engine, data_of(subject)))
    for better in better_examples(subject) if hidden else []:
        try:
            other = Trial(better, loss, seconds)
        except (TinygradError, ValueError, TypeError):
            continue
        if (other.crash is None or given.crash is not None) and not any(indistinct(other.first_engine, data_of(better))):
            found = (other if other.is_wrong or not given.is_wrong else given).assessment()
            found.notes = [*hidden, ("better",)]
            return found
    found = given.assessment()
    found.notes = [*hidden, ("no better",)] if hidden else found.notes
    return found


class Trial:
    """Two steps of the code on its data.

    ``k`` is the first that is wrong, ``engine`` has the equations and values of it, ``first_engine`` those of the first step.
    """

    def __init__(self, subject: Subject, loss: Callable[..., Any] | None, seconds: float) -> None:
        subject.seconds = seconds
        if isinstance(subject, ObjectSubject):
            subject.keep_used(loss)
        self.subject, self.watcher, self.truth, self.seconds = subject, Watcher(subject.files, seconds), Truth(subject, loss), seconds
        self.steps = subject.steps(self.watcher, STEPS)
        subject.is_single = any(event.value.dtype == np.float32 for event in self.watcher.events)
        self.crash = self.watcher.crash
        wrong = [k for k, step in enumerate(self.steps) if not all_right(subject, self.truth, step)]
        self.k = (wrong or [len(self.steps) - 1 if self.crash is not None else 0])[0]
        self.is_wrong = bool(wrong) or self.crash is not None
        lengths = [n for part in data_of(subject)[-1:] for n in (*part.shape, part.size) if n > 1]
        names = list(subject.weights())
        self.engine = self.first_engine = Engine(*subject.loss_of(loss, self.steps[0].weights, names), lengths)
        if self.k:
            self.engine = Engine(*subject.loss_of(loss, self.steps[self.k].weights, names), lengths)

    def assessment(self) -> Assessment:
        """Return what is wrong: what mends it."""
        subject, engine, k = self.subject, self.engine, self.k
        own = final = Matched(engine, self.steps[k], subject.weight_of)
        crash = self.crash if k == len(self.steps) - 1 else None
        found = Assessment(subject.name, [], [], [], k + 1, crash=crash, counts=engine.counts)
        found.notes += [] if self.steps[k].is_rate_known else [("rate",)]
        if crash is not None and crash.timed_out:
            found.blames = [Blame(crash.line, crash.text, Mistake("time", str(crash.error)))]
        elif self.is_wrong:
            repair = Repairer(subject, self.truth, self.watcher, self.steps, engine)
            repair.mend(self.seconds / 2)
            if len(repair.steps) > k:
                final = Matched(engine, repair.steps[k], subject.weight_of)
            found.blames = [blame_of(mended, self.first_engine, final, self.watcher.sources) for mended in repair.mended]
            if not found.blames and crash is not None:
                found.blames = [Blame(crash.line, crash.text, Mistake("crash", wrong=f"{type(crash.error).__name__}: {crash.error}"))]
            elif not repair.is_complete:
                found.blames += [b for b in unexplained(final, subject) if b.line not in [o.line for o in found.blames if o.line]]
        found.lines, found.marks = lines_of(own, final, found.blames), marks_of(own, final, found.blames)
        return found


def unexplained(matched: Matched, subject: Subject) -> Iterator[Blame]:
    """Yield what no edit mends: gradients that are missing, and the first line that makes nothing known, or else a wrong gradient."""
    engine, step = matched.engine, matched.step
    wrong = []
    for name, equation in engine.weights.items():
        found, right = step.gradients.get(name), np.asarray(engine.values[equation.line.variable])
        if found is None or found.value is None:
            yield Blame(0, "", Mistake("missing", engine.side(equation)), equation)
        elif not is_right(found, right, subject.rtol(found)):
            wrong.append((equation, found.value, ratio_of(found.value, right, subject.rtol(found))))
    floating = [event for event in step.events if event.value.dtype.kind == "f" and event.value.any() and not event.call.is_helper]
    unknown = [event for event in floating if event.number not in matched.matches]
    for equation, value, ratio in wrong[:1]:
        ends = [e for e in step.events if np.array_equal(e.value, value)]
        event = next(iter([*(unknown if ratio is None else []), *ends[-1:]]), None)
        mistake = Mistake("unknown") if ratio is None else factor_mistake(ratio, engine.counts)
        yield Blame(event.line, event.text, mistake, equation) if event is not None else Blame(0, "", mistake, equation)


def data_of(subject: Subject) -> list[np.ndarray]:
    """Return the arrays of the example that are not weights: inputs and labels."""
    weights = set(map(id, subject.weights().values()))
    return [part for part in subject.example if isinstance(part, np.ndarray) and part.ndim and id(part) not in weights]


def lines_of(own: Matched, final: Matched, blames: list[Blame]) -> list[Line]:
    """Return what each line makes; a line that runs again is listed once."""
    lines: dict[tuple[int, str], Line] = {}
    mended = dict(zip(places(final.step.events), final.step.events))
    wrong = {blame.line for blame in blames}
    for place, event in zip(places(own.step.events), own.step.events):
        if not event.call.is_helper and event.value.dtype.kind == "f":
            line = line_of(own, final, event, mended.get(place), wrong)
            if line.verdict == "wrong" or (event.line, line.quantity) not in lines:
                lines[event.line, line.quantity] = line
    named = {number for number, quantity in lines if quantity}
    return [line for (number, quantity), line in lines.items() if quantity or number not in named or line.verdict == "wrong"]


def places(events: list[Event]) -> Iterator[tuple[Any, ...]]:
    """Yield for each event what it can be found by in another run: function, line, name, and how many of these came before."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        place = (event.call.function, event.line, event.name)
        yield (*place, counts[place])
        counts[place] += 1


def line_of(own: Matched, final: Matched, event: Event, mended: Event | None, wrong: set[int]) -> Line:
    """Return what an event is: right, or right but for a mistake before it if the mended program makes something known there."""
    match, verdict = own.matches.get(event.number), "right"
    if event.line in wrong and (mended is None or final is own or not np.array_equal(mended.value, event.value)):
        verdict = "wrong"
    elif match is None:
        match = final.matches.get(mended.number) if mended is not None else None
        verdict = "follows" if match is not None else "unknown"
    if match is None:
        return Line(event.line, event.text, verdict, "", 1.0, "")
    return Line(event.line, event.text, verdict, match.quantity.text, match.factor / own.rate(event), match.form)


def marks_of(own: Matched, final: Matched, blames: list[Blame]) -> list[Mark]:
    """Give a mark for each equation of the backward pass."""
    wrong = {blame.equation: blame.line for blame in blames if blame.equation is not None}
    lines: dict[Equation | None, int] = {}
    for matched in (final, own):
        lines |= {
            m.quantity.equation: matched.step.events[number - matched.step.events[0].number].line
            for number, m in matched.matches.items()
            if m.quantity.whole
        }
    equations = own.engine.equations.backward
    verdicts = [(e, "wrong" if e in wrong else verdict_of(own, final, e) if blames else "right") for e in equations]
    return [Mark(e, e.text, verdict, wrong.get(e) or lines.get(e, 0)) for e, verdict in verdicts]


def verdict_of(own: Matched, final: Matched, equation: Equation) -> str:
    """Return the verdict on an equation that no mistake is of."""
    name = next((name for name, e in own.engine.weights.items() if e is equation), None)
    found = own.step.gradients.get(name) if name is not None else None
    if own.makes(equation) if found is None else is_right(found, np.asarray(own.engine.values[equation.line.variable]), 1e-3):
        return "right"
    return "follows" if final is not own and (final.makes(equation) or found is not None) else "missing"


# Data that hide mistakes
def indistinct(engine: Engine, data: list[np.ndarray]) -> Iterator[tuple[str, ...]]:
    """Yield why mistakes cannot be seen on these data: one row hides 1/N and the sums, symmetric or equal weights transposes and layers."""
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


def better_examples(subject: Subject) -> Iterator[Subject]:
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
    """Return other numbers in place of an array's; labels 0 and 1 stay such, one in each row too; one or two rows become several."""
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
