"""Mend a program: try small edits until every gradient is right. The edit that does it is the mistake, whatever the way of writing."""

from __future__ import annotations

import ast
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...trees import content, mapped
from .edits import ADDED, DERIVATIVE, KNOWN, SCALED, Edit, Edits, is_name, path_to
from .program import Program, coded
from .quantities import Engine, Match, matches_of, ratio_of, same
from .subject import FORWARD, Step, Subject
from .watch import Guard, Runner, Watcher, quietly

__all__ = ["Mended", "Repairer", "Truth", "all_right", "is_right"]

MOST_EDITS = 4  # of one program
PATIENCE = 20.0  # times what the program took, an edited one may take
PUT_IN = ("ratio", "factor missing", "term missing", "not summed", "function missing")  # edits that add something
UNLIKELY = ("wrong derivative", "transpose", "order")  # where another edit does as well
Values = dict[ast.AST, list[Any]]  # of expressions


class Outcome(NamedTuple):
    """What a program gives after an edit."""

    right: frozenset[tuple[Any, ...]]  # (step, weight) where a gradient is right, (step, weight, "ratio") where it is so but for a factor
    wrong: list[tuple[np.ndarray, np.ndarray]]  # what the code gives and what is right, of the first step in which these differ
    done: bool  # whether all gradients of all steps are right


class Truth:
    """What the gradients of the weights should be, at any weights."""

    def __init__(self, subject: Subject, loss: Callable[..., Any] | None) -> None:
        self.subject, self.loss = subject, loss
        self.known: dict[bytes, dict[str, np.ndarray]] = {}
        # in which the code is as it was written
        self.unedited: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext

    def at(self, weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the gradients by the name of the weight, without those that the loss does not depend on."""
        key = b"".join(np.asarray(x, float).tobytes() for x in weights.values())
        if key not in self.known:
            with self.unedited():
                value, tensors = self.subject.loss_of(self.loss, weights, list(self.subject.weights()))
            value.backward()
            self.known[key] = {name: np.asarray(t.grad, float) for name, t in tensors.items() if t.grad is not None}
        return self.known[key]


def is_right(found: Any, expected: np.ndarray, rtol: float) -> bool:
    """Return whether what was found for a weight is its gradient; (1, h) is right for (h,), too."""
    if found is None or found.value is None or np.size(found.value) != expected.size:
        return found is None and not expected.any()
    value = found.value.reshape(expected.shape)
    fits = expected.size == 1 or found.value.shape == expected.shape or sorted(found.value.shape) == sorted((*expected.shape, 1))
    return fits and (same(value, expected, rtol) or bool(np.abs(value - expected).max(initial=0) <= 1e-14))


def all_right(subject: Subject, truth: Truth, step: Step) -> bool:
    """Return whether every gradient of a step is right; where an optimiser changes the weights by more, whether it was computed."""
    expected = truth.at(step.weights)
    settle_rate(step, expected)
    wrong = [x for name, x in expected.items() if not is_right(step.gradients.get(name), x, subject.rtol(step.gradients.get(name)))]
    made = lambda x: any(e.value.shape == x.shape and same(np.asarray(e.value, float), x, subject.rtol(None)) for e in step.events)
    return not wrong or (has_momentum(step, expected) and all(map(made, wrong)))


def has_momentum(step: Step, expected: Mapping[str, np.ndarray]) -> bool:
    """Return whether arrays beside the weights change in a step, which are not gradients."""
    beside = [np.asarray(x) for name, x in step.after.items() if name not in expected or not expected[name].any()]
    moved = [x for x in beside if x.any() and not any(x.shape == g.shape and ratio_of(x, g, 1e-3) is not None for g in expected.values())]
    return bool(moved) and any(found.is_update for found in step.gradients.values())


def settle_rate(step: Step, expected: Mapping[str, np.ndarray]) -> None:
    """Where the code keeps its rate of learning to itself, take the one that most of its changes speak for."""
    if step.is_rate_known or not any(found.is_update for found in step.gradients.values()):
        return
    pairs = [(found.value, expected[name]) for name, found in step.gradients.items() if name in expected and found.value is not None]
    ratios = [ratio for value, right in pairs if (ratio := ratio_of(value, right, 1e-4)) is not None]
    common = max(ratios, key=lambda r: sum(np.isclose(r, other, 1e-3) for other in ratios), default=0.0)
    if common > 0:
        step.rates = (step.rates[0] * common,)
        for found in step.gradients.values():
            found.value = None if found.value is None else found.value / common


@dataclass
class Mended:
    """An edit, and the values of the expressions before and after it."""

    edit: Edit
    before: Values
    after: Values


class Repairer:
    """Tries the edits of a program: those that help are ``mended``, ``steps`` what was watched of the program then."""

    def __init__(self, subject: Subject, truth: Truth, watcher: Watcher, steps: list[Step], engine: Engine) -> None:
        self.subject, self.truth, self.watcher, self.engine = subject, truth, watcher, engine
        self.mended, self.steps, self.is_complete = list[Mended](), list[Step](), False
        self.watched, self.has_momentum = steps[0], any(has_momentum(step, truth.at(step.weights)) for step in steps)
        self.functions = {call.function for call in watcher.calls}
        self.program, self.guard, self.seconds = Program(watcher.sources), Guard(), 1.0
        truth.unedited = lambda: coded(self.program.first)
        self.matches: dict[Any, Match | None] = {}  # what values are, by their content
        self.known = list({(q.value.shape, np.round(q.value, 12).tobytes()): q.value for q in engine.quantities if q.value.ndim}.values())

    def run(self, count: int, edit: Edit | None = None) -> list[Step]:
        """Run steps of the program, with an edit perhaps."""
        runner = Runner(self.subject.files, self.seconds, self.guard)
        edited = contextlib.nullcontext(True) if edit is None else self.program.edited(edit.unit, edit.changes)
        with contextlib.suppress(Exception), edited as done:  # an edited program may return what cannot be handed on
            steps = self.subject.steps(runner, count) if done else []
            return steps if runner.crash is None else steps[:-1]
        return []

    def outcome(self, edit: Edit | None = None) -> Outcome:
        """Return the outcome of one step after an edit, and of two if the first is right."""
        first = self.judged(self.run(1, edit), 1)
        return first if not first.done or self.has_momentum or (edit and edit.kind == "value") else self.judged(self.run(2, edit), 2)

    def judged(self, steps: list[Step], count: int) -> Outcome:
        """Return what is right in the steps, up to the first wrong one."""
        right: set[tuple[Any, ...]] = set()
        for k, step in enumerate(steps):
            expected = self.truth.at(step.weights)
            settle_rate(step, expected)
            wrong = []
            for name, expected_one in expected.items():
                gradient, rtol = step.gradients.get(name), self.subject.rtol(step.gradients.get(name))
                value = gradient.value if gradient is not None and gradient.value is not None else np.zeros(0)
                if is_right(gradient, expected_one, rtol):
                    right |= {(k, name), (k, name, "ratio")}
                else:
                    right |= {(k, name, "ratio")} if expected_one.size > 1 and ratio_of(value, expected_one, rtol) is not None else set()
                    wrong.append((value, expected_one))
            if wrong:
                return Outcome(frozenset(right), wrong, False)
        return Outcome(frozenset(right), [], len(steps) == count)

    def mend(self, seconds: float) -> None:
        """Edit the program until it is right, or nothing helps any more."""
        deadline = time.thread_time() + seconds
        known: dict[str, Any] = {DERIVATIVE.format(k): f for k, (f, _, _) in enumerate(self.engine.slopes)}
        known |= {SCALED: lambda thing, factor: mapped(lambda x: x * factor, thing), ADDED: lambda x, y: [a + b for a, b in zip(x, y)]}
        known[KNOWN] = lambda k: np.array(self.known[k])
        with quietly(), self.guard, self.program.knowing(known), contextlib.ExitStack() as stack:
            start = time.monotonic()
            current = self.outcome()
            self.seconds = PATIENCE * (time.monotonic() - start) + 0.1
            while not current.done and len(self.mended) < MOST_EDITS:
                before = self.probed()
                edit = self.best(current, before, deadline)
                if edit is None:
                    break
                stack.enter_context(self.program.edited(edit.unit, edit.changes))
                self.mended.append(Mended(edit, before, self.probed()))
                current = Outcome(current.right, [], True) if edit.kind == "value" else self.outcome()
            self.steps = self.subject.steps(Watcher(self.subject.files, self.seconds + 1), 2) if self.mended else []
        self.is_complete = current.done

    def probed(self) -> Values:
        """Return the values of all expressions in one step, in the order in which they are computed."""
        with self.program.probed() as values:
            self.run(1)
        return values

    def best(self, current: Outcome, values: Values, deadline: float) -> Edit | None:
        """Return the likeliest edit that makes everything right; else the one that makes most right, and nothing wrong.

        Of one cost the likeliest is tried first, so that the first that makes everything right is the answer.
        """
        order = {node: place for place, node in enumerate(values)}
        self.made: dict[tuple[Any, ...], Match | None] = {}
        self.calls: dict[ast.AST, set[str]] = {}
        crashed = self.watcher.crash.line if self.watcher.crash is not None else 0
        differences = [right - found for found, right in current.wrong if found.shape == right.shape]
        rtol, slopes, calls = self.subject.rtol(None), self.engine.slopes, self.watcher.calls
        later, ratios = all((0, name) in current.right for name in self.truth.at(self.watched.weights)), factors_between(current.wrong)
        edits = Edits(self.program, values, calls, slopes, self.known, ratios, differences, crashed, rtol, later)
        partial: list[tuple[Any, Edit]] = []
        for cost in range(1, 4 if later else 5):
            for edit in sorted(edits.of_cost(cost), key=lambda edit: self.rank(edit, order, values)):
                if time.thread_time() > deadline:
                    break
                after = self.outcome(edit)
                if after.done:
                    return edit
                if after.right > current.right:
                    partial.append(((-len(after.right), cost, self.rank(edit, order, values)), edit))
        return min(partial, key=lambda item: item[0], default=(None, None))[1]

    def rank(self, edit: Edit, order: Mapping[ast.AST, int], values: Values) -> tuple[Any, ...]:
        """Return how likely an edit is among others that do the same: where the line makes nothing known, or copies; then the first."""
        made = self.made_around(edit, values)
        kind, factor = (made.quantity.kind, made.factor) if made is not None else ("", 0.0)
        is_forward, is_known = kind in ("forward", "given") and factor == 1, factor > 0
        is_copy = isinstance(edit.statement, ast.Assign) and is_name(edit.statement.value)
        passed_on = isinstance(edit.statement, ast.Return) and is_name(edit.old)
        parts = (part for node in (edit.old, edit.statement) if node is not None for part in ast.walk(node))
        place = order.get(next(filter(order.__contains__, parts), edit.old), len(order))
        if edit.kind == "value":
            return passed_on, is_forward, is_known, not is_copy, -place if is_forward else place
        if edit.kind in PUT_IN:
            scaled = edit.kind == "ratio" and scales(edit.statement, values)
            in_forward = any(name in (*FORWARD, "loss") for name, _, _ in edit.unit.functions)
            nested = edit.kind == "function missing" and not is_name(edit.old)
            return passed_on and edit.kind != "ratio", in_forward, is_forward, not is_copy, not scaled, nested, place
        inlined = edit.kind == "wrong derivative" and any(f not in self.calls_in(edit.new) for f in self.calls_in(edit.old))
        return passed_on, is_known, not is_copy, inlined, edit.kind in UNLIKELY, place

    def made_around(self, edit: Edit, values: Values) -> Match | None:
        """Return what the outermost expression with a value is, of those around an edited one."""
        where = edit.statement, edit.changes[0].parent, edit.old
        if where not in self.made:
            outer = (edit.old if node is edit.new else node for node in path_to(edit))
            self.made[where] = self.first_match(next(filter(None, map(values.get, outer)), []))
        return self.made[where]

    def calls_in(self, node: ast.AST) -> set[str]:
        """Return the program's own functions that an expression calls."""
        if node not in self.calls:
            calls = (part.func for part in ast.walk(node) if isinstance(part, ast.Call))
            self.calls[node] = self.functions & {ast.unparse(function).split(".")[-1] for function in calls}
        return self.calls[node]

    def first_match(self, found: list[Any]) -> Match | None:
        """Return what the first value of an expression is."""
        if not found:
            return None
        value, engine = np.asarray(found[0], float), self.engine
        key = content(value)
        if key not in self.matches:
            self.matches[key] = next(iter(matches_of(value, engine.quantities, engine.counts, (), self.subject.rtol(None))), None)
        return self.matches[key]


def scales(statement: ast.stmt | None, values: Values) -> bool:
    """Return whether a statement multiplies or divides by a number."""
    found = [node for node in ast.walk(statement) if isinstance(node, ast.BinOp)] if statement is not None else []
    products = [part for node in found if isinstance(node.op, (ast.Mult, ast.Div)) for part in (node.left, node.right)]
    return any(isinstance(part, ast.Constant) or any(np.ndim(x) == 0 for x in values.get(part, [])[:1]) for part in products)


def factors_between(wrong: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Return by what factors gradients are wrong, or parts of them whose rest is right; whole numbers as such."""
    ratios: list[float | None] = []
    for found, right in wrong:
        ratios.append(ratio_of(found, right, 1e-3) if right.size > 1 else None)
        if found.shape == right.shape and right.all() and len(parts := np.unique(np.round(found / right, 5))) == 2:
            ratios += [float(part) for part in parts if part != 1]
    whole = [float(round(r)) if np.isclose(r, round(r), 1e-4) else r for r in ratios if r and np.isfinite(r)]
    return list({f"{ratio:.4g}": ratio for ratio in whole}.values())
