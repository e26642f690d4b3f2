"""What the lines of a step are: every array that they made, matched with the engine's quantities by value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ...equations import Equation
from ...equations.expressions import Expression
from ...naming import label_of
from .mistakes import Meaning
from .quantities import Engine, Match, Quantity, meant, same
from .subject import Step
from .watch import Event

__all__ = ["Matched", "ratio_of"]


class Matched:
    """A step, and what each of its events is.

    Attributes
    ----------
    engine, before : the engine's view of the step, and of the step before, if there was one.
    values : the value that holds for each variable now: the engine's, and after a mistake what follows from it.
    matches : of an event by its number, what it is; ``follows`` likewise for what would be right but for a mistake before it.
    """

    def __init__(self, engine: Engine, step: Step, weight_of: Callable[[Event], str], before: Engine | None) -> None:
        self.engine, self.step, self.weight_of, self.before = engine, step, weight_of, before
        self.values: dict[Expression, Any] = dict(engine.values)
        self.events = {event.number: event for event in step.events}
        self.matches: dict[int, Match] = {}
        self.follows: dict[int, Match] = {}
        self.upstream_of: dict[int, set[int]] = {}
        for event in step.events:
            found = {event.number}
            for k in event.reads:
                found |= self.upstream_of.get(k, set())
            self.upstream_of[event.number] = found
        self.match_all(self.matches, engine.quantities)

    def seen(self, event: Event) -> np.ndarray:
        """Return what an event is judged by: its value, or by how much it lowered a weight."""
        value = np.asarray(event.value, float)
        if self.is_update(event) and event.before is not None:
            return np.asarray(event.before, float) - value
        return value

    def is_update(self, event: Event) -> bool:
        """Tell whether an event changed a weight."""
        return self.weight_of(event) in self.engine.weights and event.before is not None and event.before.shape == event.value.shape

    def rtol(self, event: Event) -> float:
        """Return how exact an event can be: as its dtype, and less where it is the difference of two near numbers."""
        single = event.value.dtype == np.float32 or any(e.value.dtype == np.float32 for e in self.step.events[:50])
        return 1e-3 if single and self.is_update(event) else 2e-4 if single else 1e-6 if self.is_update(event) else 1e-7

    def match_all(self, into: dict[int, Match], quantities: list[Quantity]) -> None:
        """Match every event with quantities that is not matched yet, or only as a sum or a row of something."""
        for event in self.step.events:
            match = self.match(event.number)
            if event.value.size and (match is None or match.form in ("summed", "row")):
                found = meant(self.seen(event), quantities, self.engine.counts, self.step.rates, self.rtol(event))
                found = [match for match in found if match.quantity.kind != "given" or not self.is_update(event)]
                if found and (match is None or found[0].form not in ("summed", "row")):
                    self.matches.pop(event.number, None)
                    into[event.number] = min(found, key=lambda match: not self.is_hinted(event, match.quantity))

    def rate(self, event: Event) -> float:
        """Return the rate of learning, of which a change of a weight is a multiple; 1 for any other event."""
        return self.step.rates[0] if self.is_update(event) and self.step.rates else 1.0

    def match(self, number: int) -> Match | None:
        """Return what an event is, right or after a mistake."""
        return self.matches.get(number) or self.follows.get(number)

    def is_hinted(self, event: Event, quantity: Quantity) -> bool:
        """Tell whether the name of an array speaks of the side of an equation."""
        return quantity.whole and quantity.equation is not None and self.speaks_of(event.name, quantity.equation)

    def speaks_of(self, name: str, equation: Equation) -> bool:
        """Tell whether a name speaks of an equation: delta2 of δ₂, dW2 of ∂L/∂W₂."""
        label = self.engine.derivation.names.labels[equation.line.node]
        if equation.line.kind == "forward" and label_of(name.split(".")[-1]) == label:
            return True
        words = re.findall(r"[^\W\d_]+|\d+", name.split(".")[-1].lower())
        letters, base = "".join(word for word in words if not word.isdigit()), label.base.lower()
        if [word for word in words if word.isdigit()][-1:] != ([label.sub] if isinstance(label.sub, str) and label.sub else []):
            return False
        if equation.line.kind == "forward":
            return letters == base
        if equation.line.kind == "gradient":
            return letters.endswith(base) and letters != base
        return letters in ("d", "dz", "δ") or "delta" in letters or letters.endswith(base)

    def upstream(self, numbers: Iterable[int]) -> set[int]:
        """Return the events that some events depend on, themselves too."""
        return {k for number in numbers for k in self.upstream_of.get(number, set())}

    def tells_of_its_origin(self, number: int) -> bool:
        """Tell whether what an event is known as says something about what it was made from: one number alone does not."""
        return self.events[number].value.size > 1 or self.is_update(self.events[number])

    def claimed(self) -> set[Equation]:
        """Return the equations that some line computes as a whole."""
        lines = [match for number, match in (*self.matches.items(), *self.follows.items()) if not self.events[number].call.is_helper]
        return {match.quantity.equation for match in lines if match.quantity.whole and match.quantity.equation is not None}

    def is_backward(self, number: int) -> bool:
        """Tell whether an event is a gradient."""
        match = self.match(number)
        return match is not None and match.quantity.is_backward

    def jump(self, event: Event) -> float:
        """Return the factor that an event brings in, beside that of what it was made from; N at the beginning is none."""
        own, above = self.match(event.number), [k for k in self.nearest_backward(event) if k in self.events]
        parent = self.match(max(above)) if above else None
        assert own is not None
        factor = own.total / self.rate(event)
        if parent is not None:
            return factor / parent.total
        return min((factor, *(factor / n for n in self.engine.counts)), key=lambda f: abs(np.log(abs(f))))

    def nearest_backward(self, event: Event) -> set[int]:
        """Return the events that are gradients and that an event was made from, through others that are none."""
        found: set[int] = set()
        waiting = list(event.reads)
        while waiting:
            number = waiting.pop()
            if self.is_backward(number):
                found.add(number)
            elif number in self.events and number not in found:
                waiting += self.events[number].reads
        return found

    def read_by(self, event: Event) -> list[Match]:
        """Return what the arrays that an event read are."""
        return [match for match in map(self.match, event.reads) if match is not None]

    def meaning(self, event: Event) -> Meaning:
        """Return what the variables stand for, and what each may be mistaken for."""
        others = {
            "other value": {x: v for x, v in self.values.items() if np.ndim(v)},
            "update first": self.weights_after(event),
            "stale": self.step_before(),
        }
        return Meaning(self.values, self.engine.writer, others)

    def weights_after(self, event: Event) -> dict[Expression, Any]:
        """Return the weights that were changed before an event, as they are then."""
        changed = {self.weight_of(e): e.value for e in self.step.events if e.number < event.number and self.is_update(e)}
        return {self.engine.variable_of(name): np.asarray(value, float) for name, value in changed.items()}

    def step_before(self) -> dict[Expression, Any]:
        """Return what the values of the forward pass and the weights were in the step before."""
        if self.before is None or len(self.before.lines) != len(self.engine.lines):
            return {}
        pairs = zip(self.engine.lines, self.before.lines)
        old: dict[Expression, Any] = {
            new.line.variable: self.before.values[before.line.variable] for new, before in pairs if new.line.kind == "forward"
        }
        weights = [name for name in self.engine.weights if name in self.before.weights]
        return old | {self.engine.variable_of(name): self.before.values[self.before.variable_of(name)] for name in weights}


def ratio_of(value: np.ndarray, expected: np.ndarray, rtol: float) -> float | None:
    """Return the factor between two arrays of as many entries, or None if there is none."""
    if np.size(value) != expected.size or not expected.any() or not np.any(value):
        return None
    value = value.reshape(expected.shape)
    place = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    ratio = float(value[place] / expected[place])
    return ratio if same(value, ratio * expected, 10 * rtol) else None
