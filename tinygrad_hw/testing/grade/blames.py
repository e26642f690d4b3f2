"""A mistake with its line and its equation; and the line that raised an exception as such a mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ...equations import Equation
from ...equations.expressions import Call, parts_of
from .lines import Matched
from .mistakes import Mistake
from .quantities import meant, variables
from .subject import weight_named
from .watch import Crash, Event

__all__ = ["Blame", "crash_blame"]

REPEATED = {
    "wrong derivative", "argument of the derivative", "factor missing", "z for a", "transpose", "axis", "layers swapped", "1/N missing",
    "1/N twice", "unknown",
}  # fmt: skip
ASSIGNED = re.compile(r"\s*([\w.\[\]'\"]+)\s*[-+*/]?=(?!=)")


@dataclass
class Blame:
    """A line at fault: what is wrong, and the equation that it should compute."""

    line: int
    text: str
    name: str
    mistake: Mistake
    equation: Equation | None
    event: Event | None = None

    def repeats(self, other: Blame) -> bool:
        """Tell whether another mistake is this one again: of the same line and kind, for another layer perhaps."""
        mine, theirs = self.mistake, other.mistake
        same = mine.kind == theirs.kind and (mine.right == theirs.right or mine.kind in REPEATED)
        return bool(self.line) and self.line == other.line and same


def crash_blame(matched: Matched, crash: Crash) -> Blame:
    """Blame the line that raised, or did not end: find the equation that it was about by the arrays that it read."""
    if crash.timed_out:
        return Blame(crash.line, crash.text, "", Mistake("time", str(crash.error)), None)
    engine, claimed = matched.engine, matched.claimed()
    operands = {
        match.quantity.text: name
        for name, x in crash.operands
        for match in meant(np.asarray(x, float), engine.quantities, engine.counts)[:1]
    }
    backward = {quantity.text for quantity in engine.quantities if quantity.is_backward} & operands.keys()

    def fit(equation: Equation) -> int:
        atoms = {engine.text(x) for x in (*parts_of(equation.line.right), *variables(equation.line.right))}
        target = ASSIGNED.match(crash.text)
        is_named = target is not None and names(matched, target[1], equation)
        return 2 * len(atoms & operands.keys()) + 3 * is_named - 2 * (equation in claimed)

    possible = [equation for equation in engine.lines if equation.line.kind != "forward" or not backward]
    equation = max(possible, key=fit, default=None)
    if equation is None or fit(equation) <= 0:
        equation = None
    told = f"{type(crash.error).__name__}: {crash.error}"
    mistake = misfit(matched, crash, equation, operands) if equation is not None and isinstance(crash.error, ValueError) else None
    return Blame(crash.line, crash.text, "", mistake or Mistake("crash", wrong=told), equation)


def names(matched: Matched, name: str, equation: Equation) -> bool:
    """Tell whether a name on the left of a line speaks of an equation."""
    weight = weight_named(re.findall(r"\w+", name)[-1], list(matched.engine.weights))
    return matched.engine.weights.get(weight or "") is equation or matched.speaks_of(name, equation)


def misfit(matched: Matched, crash: Crash, equation: Equation, operands: dict[str, str]) -> Mistake | None:
    """Say what makes the shapes of a line not fit: another layer's value, or a transpose, by what the line reads and the equation needs."""
    engine = matched.engine
    needed = {engine.text(v) for v in variables(equation.line.right) if np.ndim(matched.values.get(v, 0))}
    for right in needed - operands.keys():
        for wrong in operands.keys() - needed:
            if right[0] == wrong[0] and len(wrong) < 4:
                return Mistake("layers swapped", right, wrong)
    for part in parts_of(equation.line.right):
        if isinstance(part, Call) and part.function in (np.transpose, np.swapaxes):
            name = operands.get(engine.text(part.parts[0]))
            if name and f"{name}.T" not in crash.text and f"transpose({name}" not in crash.text:
                return Mistake("transpose", engine.text(part))
    turned = [text for text, name in operands.items() if f"{name}.T" in crash.text and f"{text}ᵀ" not in equation.text]
    return Mistake("transpose", turned[0]) if turned else None
