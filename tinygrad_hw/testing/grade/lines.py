"""What the lines of a step are: every array that they made, matched with the engine's quantities by value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...equations import Equation
from .quantities import Engine, Match, matches_of
from .subject import Step
from .watch import Event

__all__ = ["Matched"]


class Matched:
    """A step, and what each of its events is: ``matches`` by its number."""

    def __init__(self, engine: Engine, step: Step, weight_of: Callable[[Event], str]) -> None:
        self.engine, self.step, self.weight_of = engine, step, weight_of
        self.matches: dict[int, Match] = {}
        is_single = any(event.value.dtype == np.float32 for event in step.events)
        for event in [event for event in step.events if event.value.size]:
            value, is_update = np.asarray(event.value, float), self.is_update(event)
            if is_update and event.before is not None:
                value = np.asarray(event.before, float) - value  # by how much it lowered a weight
            rtol = (1e-3 if is_update else 2e-4) if is_single else 1e-6 if is_update else 1e-7
            found = matches_of(value, engine.quantities, engine.counts, step.rates, rtol)
            found = [match for match in found if match.quantity.kind != "given" or not is_update]
            if found:
                self.matches[event.number] = found[0]

    def is_update(self, event: Event) -> bool:
        return self.weight_of(event) in self.engine.weights and event.before is not None and event.before.shape == event.value.shape

    def rate(self, event: Event) -> float:
        """Return the rate of learning, of which a change of a weight is a multiple; 1 for any other event."""
        return self.step.rates[0] if self.is_update(event) and self.step.rates else 1.0

    def makes(self, equation: Equation) -> bool:
        """Return whether an event is the whole of an equation."""
        return any(match.quantity.equation is equation and match.quantity.whole for match in self.matches.values())
