"""Compare what somebody's backpropagation made, line by line, with what the engine computes, and name the mistakes.

A ``Judge`` looks at one step. Every array is matched with the engine's quantities by value. Where a gradient is wrong, the first line on
the way to it that is nothing known is at fault; the equation with one thing wrong that gives its value says what is wrong. Then the
wrong value is put in the place of the right one and what follows from it is computed again, so that later lines are judged on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ...equations import Equation
from ...equations.expressions import Expression, Sum, evaluate, parts_of
from .blames import Blame, crash_blame
from .lines import Matched, ratio_of
from .mistakes import Meaning, Mistake, variants
from .quantities import Engine, forms, match_of, meant, same, variables
from .subject import Found, Step, weight_named
from .watch import Call, Crash, Event

__all__ = ["Judge"]

MOST_BLAMES = 8
ODD = ("wrong derivative", "twice")  # mistakes that another one explains better, if it does


class Explanation(NamedTuple):
    """A mistake that gives a line's value: how unlikely it is, and what value of the whole equation follows.

    ``inner`` is the equation that the mistake is in, and its wrong value, where the line has another equation written into its own.
    """

    rank: tuple[Any, ...]
    mistake: Mistake
    value: Any
    inner: tuple[Equation, Any] | None = None


class Judge(Matched):
    """Judges one step.

    Attributes
    ----------
    blames : the mistakes, in the order in which they were found; empty if every gradient is right.
    blamed : the numbers of the events at fault.
    """

    def __init__(
        self, engine: Engine, step: Step, weight_of: Callable[[Event], str], crash: Crash | None = None, before: Engine | None = None
    ) -> None:
        super().__init__(engine, step, weight_of, before)
        self.crash = crash
        self.blames: list[Blame] = []
        self.blamed: set[int] = set()
        self.found = 0  # how many mistakes, those told once for several equations too
        self.settled: set[str] = set()  # the weights whose wrong gradients are explained
        self.judge()

    def judge(self) -> None:
        """Find the mistakes one after the other."""
        while self.found < MOST_BLAMES and (wrong := self.wrong()):
            before, suspect = self.found, self.first_suspect(wrong)
            if suspect is not None:
                self.blame(suspect)
            elif self.crash is None:
                self.blame_gradient(wrong)
            if self.found == before:
                break
        if self.crash is not None and (not self.blames or self.wrong()):
            self.tell(crash_blame(self, self.crash))

    # Where gradients are wrong
    def expected(self, name: str) -> np.ndarray:
        """Return what the gradient of a weight should be, for the values that hold now."""
        return np.asarray(self.values[self.engine.weights[name].line.variable], float)

    def is_right(self, name: str) -> bool:
        """Tell whether the gradient of a weight is right; of (1, h) for (h,) that is said elsewhere."""
        found, expected = self.step.found.get(name), self.expected(name)
        if found is None or found.value is None or np.size(found.value) != expected.size:
            return found is None and not expected.any() and self.crash is None
        rtol = self.exactness(found)
        value = found.value.reshape(expected.shape)
        fits = expected.size == 1 or found.value.shape == expected.shape or sorted(found.value.shape) == sorted((*expected.shape, 1))
        return fits and (same(value, expected, rtol) or bool(np.abs(value - expected).max(initial=0) <= 1e-14))

    def wrong(self) -> list[str]:
        """Return the weights whose gradient is wrong, and not explained yet, in the order of the events that made them."""
        names = [name for name in self.engine.weights if name not in self.settled and not self.is_right(name)]
        last = len(self.events) + max(self.events, default=0) + 1
        return sorted(names, key=lambda name: self.number_of(name, last))

    def number_of(self, name: str, missing: int) -> int:
        """Return the number of the event that made the gradient of a weight."""
        found = self.step.found.get(name)
        return found.event.number if found is not None and found.event is not None else missing

    def first_suspect(self, wrong: list[str]) -> Event | None:
        """Return the first event on the way to a wrong gradient that is nothing known, and that nothing known was made from."""
        ends = [found.event.number for name in wrong if (found := self.step.found.get(name)) is not None and found.event is not None]
        known = {
            number for found in (self.matches, self.follows) for number, match in found.items() if match.form in ("", "transposed", "row")
        }
        excused = self.upstream(number for number in known if self.tells_of_its_origin(number))
        reached = self.upstream([*ends, *(self.crash.reads if self.crash is not None else ())])
        suspects = [self.events[number] for number in sorted(reached - known - excused - self.blamed)]
        made = [e for e in suspects if any(self.events[k].value.any() for k in self.upstream_of[e.number])]  # (not what a sum begins with)
        fitting = (e for e in made if e.value.dtype.kind == "f" and e.value.size and not e.call.is_helper)
        return next(fitting, None)

    # Naming a mistake
    def blame(self, event: Event, only: Equation | None = None) -> None:
        """Blame an event: find the equation that it is a wrong form of."""
        claimed, meaning = self.claimed(), self.meaning(event)
        found: list[tuple[tuple[Any, ...], Equation, Explanation]] = []
        for place, equation in enumerate(self.engine.lines if only is None else [only]):
            for best in self.explanations(event, equation, meaning)[:1]:
                rank = (equation in claimed, not self.speaks_of(event.name, equation), *best.rank[:-1], place)
                found.append((rank, equation, best))
        handed_on = self.handed_on(event, meaning) if only is None else None
        likeliest = min(found, key=lambda item: item[0], default=None)
        if handed_on is not None and (likeliest is None or likeliest[0][0] or self.is_of_that_name(event, *handed_on[:2])):
            self.add(*handed_on)
        elif likeliest is not None:
            _, equation, best = likeliest
            holder = self.incomplete_sum(event, equation, best.mistake) if best.inner is None else None
            self.add(holder or event, equation, best.mistake, best.value, best.inner)
        elif only is None and (alone := self.of_one_sample(event)) is not None:
            self.add(event, *alone)
        else:
            guessed = only or self.likely(event, claimed)
            self.add(event, guessed, self.scaled(event, guessed), self.in_shape_of(event, guessed))

    def of_one_sample(self, event: Event) -> tuple[Equation, Mistake, Any] | None:
        """Return the gradient of a weight that an event would be for one sample alone but for a mistake, and what follows for all."""
        n, meaning = self.engine.counts[0] if self.engine.counts else 0, self.meaning(event)
        weights = {self.engine.variable_of(name) for name in self.engine.weights}
        for i in range(n):
            values, *others = (
                {v: x[i : i + 1] if np.ndim(x) == 2 and len(x) == n and v not in weights else x for v, x in group.items()}
                for group in (meaning.values, *meaning.others.values())
            )
            alone = replace(meaning, values=values, others=dict(zip(meaning.others, others)))
            for equation in self.engine.weights.values():
                for mistake, value in variants(equation.line.right, alone):
                    match = match_of(self.seen(event), value, self.engine.counts, self.step.rates, self.rtol(event))
                    if match is not None and match[1] in ("", "transposed"):
                        return equation, mistake, dict(variants(equation.line.right, meaning)).get(mistake)
        return None

    def incomplete_sum(self, event: Event, equation: Equation, mistake: Mistake) -> Event | None:
        """Return the earlier event that holds a sum of several paths without a term that is missing, if the event read one."""
        if mistake.kind != "term missing":
            return None
        sums = [part for part in parts_of(equation.line.right) if isinstance(part, Sum) and part is not equation.line.right]
        for part in sums:
            for term in part.parts:
                rest = sum(self.evaluated(other, self.values) for other in part.parts if other is not term)
                if self.engine.text(term) == mistake.right:
                    reads = [self.events[number] for number in event.reads if number in self.events]
                    return next((read for read in reads if match_of(self.seen(read), np.asarray(rest), self.engine.counts)), None)
        return None

    def is_of_that_name(self, event: Event, read: Event, source: Equation) -> bool:
        """Tell whether the mistake is in an earlier event, which has the name of what it should be, or only a new name for something."""
        return read is not event and (self.speaks_of(read.name, source) or self.is_new_name(read))

    def is_new_name(self, event: Event) -> bool:
        """Tell whether an event is one that it read, under another name."""
        read = [self.events[number].value for number in event.reads if number in self.events]
        return len(read) == 1 and read[0].shape == event.value.shape and np.array_equal(read[0], event.value)

    def scaled(self, event: Event, equation: Equation | None) -> Mistake:
        """Return a factor as the mistake, if an event is an equation but for that; else that nothing is known."""
        if equation is not None:
            for form, value in forms(self.seen(event), equation.line.variable.shape):
                ratio = ratio_of(value, np.asarray(self.values[equation.line.variable]), self.rtol(event)) if form == "" else None
                if ratio is not None and value.size > 1:
                    return Mistake("scale", f"{ratio / self.rate(event):.6g}")
        return Mistake("unknown")

    def explanations(self, event: Event, equation: Equation, meaning: Meaning) -> list[Explanation]:
        """Return the mistakes in an equation, or in a part of it, that give an event's value, the likeliest first."""
        seen, right = self.seen(event), equation.line.right
        whole = list(variants(right, meaning))
        values = dict(reversed(whole))
        found = [self.explanation(event, seen, mistake, value, value, False) for mistake, value in whole]
        found += [self.explanation(event, seen, m, value, value, False, inner) for m, value, inner in self.inlined(right, meaning)]
        for part in parts_of(right):
            if part is not right and part.parts and part.shape:
                found += [self.explanation(event, seen, m, value, values.get(m), True) for m, value in variants(part, meaning)]
        return sorted((item for item in found if item is not None), key=lambda item: item.rank)

    def explanation(
        self, event: Event, seen: np.ndarray, mistake: Mistake, value: np.ndarray, whole: Any, is_part: bool, inner: Any = None
    ) -> Any:
        """Return a mistake as an explanation, if its value is that of an event; one number may stand for a whole array."""
        if value.size == 1 and seen.size > 1 and np.ptp(seen) <= 1e-6 * np.abs(seen).max():
            value = np.broadcast_to(value.reshape(()), seen.shape)
        match = match_of(seen, value, self.engine.counts, self.step.rates, self.rtol(event))
        if match is None or match[1] not in (("", "row") if is_part else ("", "row", "transposed")):
            return None
        odd = match[0] not in (1.0, *map(float, self.engine.counts), *self.step.rates)
        return Explanation((mistake.kind in ODD, match[1] != "", odd, is_part), mistake, whole, inner)

    def inlined(self, right: Expression, meaning: Meaning) -> Iterable[tuple[Mistake, np.ndarray, tuple[Equation, Any]]]:
        """Yield the mistakes in lines that the code does not write for themselves, as they show in the line that they are written in."""
        claimed = self.claimed()
        for inner in self.engine.lines:
            variable = inner.line.variable
            if variable in variables(right) and inner not in claimed:
                for mistake, value in variants(inner.line.right, meaning):
                    if np.shape(value) == variable.shape:
                        yield mistake, self.evaluated(right, self.engine.recomputed(self.values, variable, value)), (inner, value)

    def evaluated(self, x: Expression, values: Any) -> np.ndarray:
        """Compute an expression from other values; what is not finite does not matter."""
        with np.errstate(all="ignore"):
            return np.asarray(evaluate(x, values), float)

    def handed_on(self, event: Event, meaning: Meaning) -> tuple[Event, Equation, Mistake, Any] | None:
        """Return the earlier event that an event took for something that it is not, say δ₃ W₃ᵀ for δ₂: the mistake is there."""
        claimed = self.claimed()
        rank = lambda found: (found[0] in claimed, found[1] in claimed, not self.speaks_of(found[2].name, found[1]))
        reading = min(self.readings(event), key=rank, default=None)
        if reading is None:
            return None
        equation, source, read, taken = reading
        match = self.match(read.number)
        is_another = match is not None and match.quantity.kind == "forward" and match.quantity.whole
        if source in claimed or is_another:
            right, wrong = self.engine.side(source), match.quantity.text if match is not None else read.name
            value = self.evaluated(equation.line.right, {**self.values, source.line.variable: taken})
            return event, equation, Mistake(meaning.kind_of(right, wrong), right, wrong), value
        found = self.explanations(read, source, meaning)
        mistake = found[0].mistake if found else Mistake("unknown")
        return read, source, mistake, taken / (match.total if match is not None else 1.0)

    def readings(self, event: Event) -> Iterable[tuple[Equation, Equation, Event, Any]]:
        """Yield an equation that an event is, if an array that it read is taken for the left side of another equation, which it is not."""
        sources = {equation.line.variable: equation for equation in self.engine.lines}
        reads = [self.events[number] for number in event.reads if number in self.events]
        for equation in self.engine.lines:
            parts = [part for part in parts_of(equation.line.right) if part.parts and part.shape]
            for variable in [v for v in variables(equation.line.right) if v in sources]:
                for read in reads:
                    taken = self.taken_for(read, sources[variable])
                    values = {**self.values, variable: taken}
                    if taken is not None and any(self.gives(part, values, event) for part in parts if variable in variables(part)):
                        yield equation, sources[variable], read, taken

    def gives(self, x: Expression, values: Any, event: Event) -> bool:
        """Tell whether an expression of these values is what an event made."""
        return match_of(self.seen(event), self.evaluated(x, values), self.engine.counts, self.step.rates, self.rtol(event)) is not None

    def taken_for(self, read: Event, source: Equation) -> np.ndarray | None:
        """Return an event's value as another one of the left side of an equation; None if it is that, or has another shape."""
        match = self.match(read.number)
        if match is not None and match.quantity.equation is source and match.quantity.whole:
            return None
        found = forms(np.asarray(read.value, float), source.line.variable.shape)
        return next((value for form, value in found if form == ""), None)

    def faulty_helper(self, event: Event, mistake: Mistake) -> Call | None:
        """Return the call of a function that computes a derivative wrongly: one that gives nothing known wherever it is called."""
        if mistake.kind not in ("wrong derivative", "unknown"):
            return None
        calls = [call for e in self.step.events for call in e.helpers]
        fine = {call.code for call in calls if self.is_known(call)}
        return next((call for call in reversed(event.helpers) if call.code not in fine), None)

    def is_known(self, call: Call) -> bool:
        """Tell whether what a function returned is a quantity, and not only what it was given."""
        returned = np.asarray(call.returned, float)
        given = np.asarray(call.arguments[0], float)
        known = meant(returned, self.engine.quantities, self.engine.counts, (), 2e-4 if call.returned.dtype == np.float32 else 1e-7)
        return any(match.form == "" for match in known) and not np.array_equal(returned, given)

    def likely(self, event: Event, claimed: set[Equation]) -> Equation | None:
        """Return the equation that an event probably stands for: by its name, else the next of its shape."""
        weight = self.weight_of(event) if self.is_update(event) else weight_named(event.name.split(".")[-1], list(self.engine.weights))
        if weight in self.engine.weights:
            return self.engine.weights[weight]
        free = [equation for equation in self.engine.lines if equation not in claimed]
        named = [equation for equation in free if self.speaks_of(event.name, equation)]
        shaped = [equation for equation in free if self.has_shape_of(event, equation)]
        backward = [equation for equation in shaped if equation.line.kind != "forward"]
        is_backward = any(match.quantity.is_backward for match in self.read_by(event))
        return next(iter([*named, *(backward if is_backward else shaped), *free]), None)

    def has_shape_of(self, event: Event, equation: Equation) -> bool:
        """Tell whether an event may be the left side of an equation, or its transpose."""
        shape = equation.line.variable.shape
        return any(form in ("", "transposed") for form, _ in forms(np.zeros(shape), event.value.shape))

    def in_shape_of(self, event: Event, equation: Equation | None) -> Any:
        """Return an event's value as a value of an equation, without the factor that it inherits; None if it has another shape."""
        if equation is None:
            return None
        factors = [match.total for match in self.read_by(event) if match.quantity.is_backward]
        factor = self.rate(event) if self.is_update(event) else (factors or [1.0])[-1]
        found = forms(self.seen(event), equation.line.variable.shape)
        return next((value / factor for form, value in found if form in ("", "transposed")), None)

    def add(self, event: Event, equation: Equation | None, mistake: Mistake, value: Any, inner: tuple[Equation, Any] | None = None) -> None:
        """Note a mistake, in an equation that is written into the line's own perhaps, and judge what follows by the value that it gave."""
        helper = self.faulty_helper(event, mistake)
        line, text = (helper.line, helper.text) if helper is not None else (event.line, event.text)
        self.tell(Blame(line, text, event.name, mistake, inner[0] if inner is not None else equation, event))
        if inner is not None:
            self.go_on(*inner)
        else:
            self.go_on(equation, value)

    def origin(self, event: Event) -> Event:
        """Return the event in a function that was called, if an event only gives a name to what that returned."""
        read = [self.events[number] for number in event.reads if number in self.events]
        made = next((e for e in read if e.call.caller is event.call and np.array_equal(e.value, event.value)), None)
        return event if made is None else self.origin(made)

    def caller_of(self, event: Event) -> Event:
        """Return what calls a function, if an event in it is wrong whose line gives what is right in another call: so the arguments are."""
        alike = [e for e in self.events.values() if e.line == event.line and e.call.code is event.call.code and e.call is not event.call]
        right = [match for e in alike if e.value.size > 1 and (match := self.matches.get(e.number)) is not None]
        works = any(match.quantity.kind != "gradient" or np.isclose(match.total, 1.0) for match in right)
        outer = (e for e in self.events.values() if e.call is event.call.caller and event.number in self.upstream_of[e.number])
        return next(outer, event) if works else event

    def tell(self, blame: Blame) -> None:
        """Note a mistake, unless the same line was told to have it: a loop runs it again, or a function is called again."""
        if blame.event is not None and blame.line == blame.event.line:
            made = self.caller_of(self.origin(blame.event))
            blame = replace(blame, line=made.line, text=made.text)
        self.found += 1
        self.blamed |= {blame.event.number} if blame.event is not None else set()
        if not any(blame.repeats(other) for other in self.blames):
            self.blames.append(blame)

    def go_on(self, equation: Equation | None, value: Any) -> None:
        """Compute what follows from a wrong value, and match again."""
        if equation is None:
            return
        line = equation.line
        if value is not None and np.shape(value) == line.variable.shape:
            self.values = self.engine.recomputed(self.values, line.variable, np.asarray(value, float))
            self.match_all(self.follows, self.engine.read(self.values))
        else:
            below = {line.variable}
            for later in self.engine.lines:
                if below & variables(later.line.right):
                    below.add(later.line.variable)
            self.settled |= {name for name, e in self.engine.weights.items() if e.line.variable in below}
        for name, own in self.engine.weights.items():
            if own is equation:
                self.settled.add(name)

    # Gradients of which every line is something known
    def blame_gradient(self, wrong: list[str]) -> None:
        """Blame what made a gradient wrong though every line is something known: a factor, a place, a sum that was left out."""
        name = wrong[0]
        found, equation = self.step.found.get(name), self.engine.weights[name]
        side = self.engine.side(equation)
        ratio = self.ratio(name)
        if found is None or found.value is None:
            self.note(None, equation, Mistake("missing", side), name)
        elif ratio is not None:
            self.blame_factor(name, ratio, wrong, found)
        elif found.value.ndim == 2 and same(found.value.T, self.expected(name), self.exactness(found)):
            self.note(found.event, equation, Mistake("transpose", side), name)
        elif (other := self.taken_from(name, found)) is not None:
            self.misplaced(found.event, name, other)
        elif found.event is not None:
            self.blame(found.event, equation)
            self.settled.add(name)
        else:
            self.note(None, equation, Mistake("unknown"), name)

    def exactness(self, found: Found) -> float:
        """Return how exact a gradient can be."""
        return self.rtol(found.event) if found.event is not None else 1e-7

    def taken_from(self, name: str, found: Found) -> Equation | None:
        """Return the equation whose left side was taken for the gradient of a weight, if it is one."""
        rtol = self.exactness(found)
        for other, equation in self.engine.weights.items():
            if other != name and found.value is not None and same(found.value, self.expected(other), rtol):
                return equation
        match = self.matches.get(found.event.number) if found.event is not None else None
        if found.event is None or match is None or not self.is_hinted(found.event, match.quantity):
            return None
        return match.quantity.equation

    def misplaced(self, event: Event | None, name: str, other: Equation) -> None:
        """Note that something right was taken for the gradient of a weight: where it was returned, if it has its right name."""
        equation, end = self.engine.weights[name], self.step.end
        kind = "layers swapped" if other.line.kind == "gradient" else "other value"
        mistake = Mistake(kind, self.engine.side(equation), self.engine.side(other))
        if event is not None and end is not None and self.speaks_of(event.name, other):
            self.tell(Blame(end.line, end.text, event.name, mistake, equation))
            self.settled.add(name)
        else:
            self.note(event, equation, mistake, name)

    def note(self, event: Event | None, equation: Equation, mistake: Mistake, *names: str) -> None:
        """Note a mistake that nothing else follows from."""
        end = self.step.end if mistake.kind != "missing" else None
        place = (event.line, event.text, event.name) if event is not None else (end.line, end.text, "") if end is not None else (0, "", "")
        self.tell(Blame(*place, mistake, equation, event))
        self.settled.update(names)

    def blame_factor(self, name: str, ratio: float, wrong: list[str], found: Found) -> None:
        """Blame the line where a wrong factor comes in: the first that all gradients with this factor share, else the gradient's own."""
        mistake = self.factor_mistake(ratio)
        alike = [other for other in wrong if (r := self.ratio(other)) is not None and np.isclose(r, ratio, 1e-3)]
        own = self.only_upstream_of_wrong(found)
        shared = [event for event in own if all(event.number in self.upstream(self.ends([other])) for other in alike)]
        culprit = found.event
        first = self.first_to_bring(ratio, own, shared if len(alike) > 1 else own, shared)
        if first is not None:
            culprit = first
        elif len(alike) > 1 and shared:
            culprit, mistake = shared[0], Mistake(mistake.kind, mistake.right, mistake.wrong, "everywhere")
        if culprit is found.event and len(alike) == 1 and self.others_end_at_the_return(name):
            culprit = None
        explained = [other for other in alike if culprit is not None and culprit.number in self.upstream(self.ends([other]))]
        self.note(culprit, self.equation_of(culprit) or self.engine.weights[name], mistake, *explained, name)

    def first_to_bring(self, ratio: float, own: list[Event], possible: list[Event], shared: list[Event]) -> Event | None:
        """Return the first event that brings a factor in; where a product begins any factor may stand, if it is made up for later."""
        first = next((event for event in own if self.brings(event, ratio) and event in possible), None)
        if first is None or self.nearest_backward(first):
            return first
        return next((e for e in shared if (match := self.match(e.number)) and np.isclose(match.total, ratio, 1e-3)), first)

    def others_end_at_the_return(self, name: str) -> bool:
        """Tell whether the line that returns the gradients makes all others, but not this one."""
        end = self.step.end
        lines = {other: self.step.found[other].event for other in self.engine.weights if other in self.step.found}
        at_end = {other for other, event in lines.items() if event is not None and end is not None and event.line == end.line}
        return len(at_end) > 1 and at_end == self.engine.weights.keys() - {name}

    def only_upstream_of_wrong(self, found: Found) -> list[Event]:
        """Return the gradients on the way to a wrong one that no right one depends on, in order."""
        fine = self.upstream(self.ends([name for name in self.engine.weights if self.is_right(name)]))
        numbers = self.upstream([found.event.number] if found.event is not None else []) - fine
        return [self.events[number] for number in sorted(numbers) if self.is_backward(number)]

    def ends(self, names: Iterable[str]) -> list[int]:
        """Return the numbers of the events that made the gradients of some weights."""
        found = [self.step.found[name] for name in names if name in self.step.found]
        return [item.event.number for item in found if item.event is not None]

    def brings(self, event: Event, ratio: float) -> bool:
        """Tell whether an event brings in a factor, or that over N."""
        jump = self.jump(event)
        return not np.isclose(jump, 1.0, 1e-3) and any(np.isclose(jump * n, ratio, 1e-3) for n in (1, *self.engine.counts))

    def equation_of(self, event: Event | None) -> Equation | None:
        """Return the equation that an event is of, if it is not what changed a weight."""
        match = self.match(event.number) if event is not None else None
        return match.quantity.equation if event is not None and match is not None and not self.is_update(event) else None

    def ratio(self, name: str) -> float | None:
        """Return by what factor the gradient of a weight is wrong, if it is by a factor."""
        found = self.step.found.get(name)
        return None if found is None or found.value is None else ratio_of(found.value, self.expected(name), self.exactness(found))

    def factor_mistake(self, ratio: float) -> Mistake:
        """Name a factor."""
        for n in self.engine.counts:
            if n == 2 != self.engine.counts[0]:
                continue  # (the 2 of a square is forgotten more often than the number of outputs)
            if n > 1 and np.isclose(abs(ratio), n, 1e-3):
                return Mistake("1/N missing", str(n))
            if n > 1 and np.isclose(abs(ratio), 1 / n, 1e-3):
                return Mistake("1/N twice", str(n))
        return Mistake("sign") if np.isclose(ratio, -1, 1e-3) else Mistake("scale", f"{ratio:.6g}")
