"""A loop of equal steps in a program: one call, whose body is a program of its own.

The body is recorded once (``recorded_loop``), made smaller and planned as any program is, and run as often as there are steps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import CompileError
from .names import name_apart
from .native import NativePlan, scalar
from .passes import apply
from .plan import Plan
from .program import Program, compare
from .simplify import drop_dead
from .trace import Op, Recording, Traced, substitution

__all__ = ["Loop", "LoopRecorder", "loops_planned", "shortened"]


class Loop:
    """The steps of a loop: called with what the first one carries, with xs, and with what the steps use from outside.

    It returns a list: what the last step carried on, and an array for each result of the steps, with a row for each step.

    Attributes
    ----------
    body : a step, from what is carried, a row of each x, and what it uses from outside, to what it carries on and its results.
    carried, rows : the number of values carried, and of xs.
    count : the number of steps; ``backwards`` tells whether the last row comes first.
    """

    __name__ = "scan"
    __hash__ = object.__hash__

    def __init__(self, body: Program, carried: int, rows: int, count: int, backwards: bool) -> None:
        self.body, self.carried, self.rows, self.count, self.backwards = body, carried, rows, count, backwards
        self.form = carried, rows, count, backwards  # (all but the body)
        self.run: Callable[..., Any] | None = None
        self.nbytes = 0  # the memory that its plan holds, and that it takes for the results of the steps

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loop) or self.form != other.form:
            return False
        try:
            compare(self.body, other.body)
        except CompileError:
            return False
        return True

    def __call__(self, *args: Any) -> list[Any]:
        if self.run is None:
            self.plan(apply(self.body), lambda step: Plan(step, {}))
        assert self.run is not None
        carry, consts = list(args[: self.carried]), args[self.carried + self.rows :]
        xs = list(map(np.ascontiguousarray, args[self.carried : self.carried + self.rows]))
        stacks = self.stacks()
        for i in reversed(range(self.count)) if self.backwards else range(self.count):
            out = self.run(*carry, *(x[i] for x in xs), *consts)
            carry = out[: self.carried]
            for stack, y in zip(stacks, out[self.carried :]):
                stack[i] = y
        return [*carry, *stacks]

    def stacks(self) -> list[np.ndarray]:
        """Return an empty array for each result of the steps, with a row for each step."""
        values = [np.asarray(getattr(y, "value", y)) for y in self.body.results[self.carried :]]
        return [np.empty((self.count, *value.shape), value.dtype) for value in values]

    def plan(self, step: Program, planned: Callable[[Program], Plan]) -> None:
        """Plan a step: ``planned`` returns the plan of a program."""
        plan = planned(step)
        run = plan.run
        self.run = run if len(step.results) != 1 else lambda *args: [run(*args)]
        self.nbytes = plan.nbytes + sum(stack.nbytes for stack in self.stacks())


class LoopRecorder:
    """Records loops while a program is recorded, see ``loops.loop_recorder``."""

    def __init__(self, tape: Recording) -> None:
        self.tape = tape

    def loop(
        self, body: Callable[[list[Traced]], tuple[list[Any], Any]], values: list[Any], carried: int, count: int, backwards: bool
    ) -> tuple[list[Any], Any] | None:
        """Record a loop; return its results, and what else the body returns. None if an engine's decision differs from step to step."""
        tape, start = self.tape, len(self.tape.ops)
        step, extra, checks = self.recorded(body, values, carried, count, backwards)
        compare(step, self.recorded(body, values, carried, count, backwards)[0])
        step, consts = closed(step)
        name_apart(step)
        loop = Loop(step, carried, len(values) - carried, count, backwards)
        outs = tape.call(loop, (*values, *(Traced(tape, op) for op in consts)), {})
        outs, outcomes = outs[: len(outs) - len(checks)], outs[len(outs) - len(checks) :]
        for outcome, all_steps in zip(checks, outcomes):
            together = (np.logical_and if outcome else np.logical_or).reduce(all_steps)
            if bool(together._op.value) is not outcome:
                del tape.ops[start:]
                return None
            tape.checks.append((together._op, outcome))
        return outs, extra

    def recorded(self, body: Any, values: list[Any], carried: int, count: int, backwards: bool) -> tuple[Program, Any, list[bool]]:
        """Record a step of a loop; return it, what else the body returns, and the outcome of each decision of the engine's."""
        tape = self.tape
        outside, tape.ops, tape.checks = (tape.ops, tape.checks), [], []
        tape.depth, tape.looped = tape.depth + 1, True
        try:
            first = [np.asarray(x._op.value if isinstance(x, Traced) else x) for x in values]
            first = first[:carried] + [np.asarray(x[-1 if backwards else 0]) for x in first[carried:]]
            inputs = [tape.input(np.array(x)[()], "input", i) for i, x in enumerate(first)]
            results, extra = body(inputs)
            results = [x._op if isinstance(x, Traced) else x for x in results] + [op for op, _ in tape.checks]
            return Program([x._op for x in inputs], tape.ops, results), extra, [outcome for _, outcome in tape.checks]
        finally:
            tape.depth -= 1
            tape.ops, tape.checks = outside


def closed(step: Program) -> tuple[Program, list[Op]]:
    """Return a step whose inputs are all that it uses, and what it used from outside before."""
    known = {*step.inputs, *step.ops}
    used = [x for op in step.ops for x in op.uses] + [y for y in step.results if isinstance(y, Op)]
    outside = list(dict.fromkeys(x for x in used if x not in known))
    inputs = {x: Op(None, (), {}, x.value, ("input", len(step.inputs) + i)) for i, x in enumerate(outside)}
    for x, op in inputs.items():
        op.name, op.hint = x.name, x.hint
    renew = substitution(inputs)
    for op in step.ops:
        op.args, op.kwargs = renew((op.args, op.kwargs))
    return Program([*step.inputs, *inputs.values()], step.ops, renew(step.results)), outside


def shortened(program: Program) -> Program:
    """Leave out the results of a program's loops that nothing uses; return the program."""
    users = program.users()
    for op in program.ops:
        if isinstance(loop := op.function, Loop):
            kept = sorted({*range(loop.carried), *(part.args[1] for part in users[op])})
            body = shortened(Program(loop.body.inputs, loop.body.ops, [loop.body.results[i] for i in kept]).copied())
            op.function, op.value = Loop(drop_dead(body), *loop.form), [op.value[i] for i in kept]
            for part in users[op]:
                part.args = (op, kept.index(part.args[1]))
    return program


def loops_planned(program: Program, planned: Callable[[Program], Plan], native: bool, without: tuple[str, ...]) -> Program:
    """Plan the loops of a program, for Numba as a whole where it has code for all that a step does; return the program."""
    for op in program.ops:
        if isinstance(loop := op.function, Loop):
            op.function = loop = Loop(loop.body, *loop.form)
            with suppress(CompileError):
                op.function = NativeLoop(loop, apply(loop.body, without)) if native else loop
            if op.function is loop:
                loop.plan(loops_planned(apply(loop.body, without), planned, native, without), planned)
    return program


class NativeLoop(NativePlan):
    """The steps of a loop that Numba has compiled, the loop inside: called as a ``Loop`` is."""

    repeats = False

    def __init__(self, loop: Loop, program: Program) -> None:
        self.steps, self.__name__ = loop, loop.__name__
        super().__init__(program, {})
        self.compile_now()
        self.nbytes += sum(stack.nbytes for stack in loop.stacks())

    def write(self) -> str:
        """Return the source of a step, and of the loop over it."""
        step = super().write().replace("def kernel(", '@njit(error_model="numpy")\ndef step(', 1)
        carried, rows = self.steps.carried, self.steps.rows
        given = [f"x{i}" for i, _ in enumerate(self.variables)]
        stacks = [f"y{i}" for i, _ in enumerate(self.program.results[carried:])]
        memory = [*self.labels.values()]
        args = [*given[:carried], *(f"{x}[k]" for x in given[carried : carried + rows]), *given[carried + rows :], *memory]
        order = "range(n - 1, -1, -1)" if self.steps.backwards else "range(n)"
        lines = [f"def kernel({', '.join(['n', 'losses', *given, *stacks, *memory])}):", f"    for k in {order}:"]
        lines += [f"        done = step({', '.join(['1', 'losses', *args])})"]
        lines += [f"        {x} = done[{i + 1}]" for i, x in enumerate(given[:carried])]
        lines += [f"        {y}[k] = done[{carried + i + 1}]" for i, y in enumerate(stacks)]
        lines += [f"    return ({', '.join([*given[:carried], ''])})", ""]
        return "\n".join(["from numba import njit", step, "", *lines])

    def __call__(self, *args: Any) -> list[Any]:
        stacks = self.steps.stacks()
        given = [np.array(x)[()] for x in args[: self.steps.carried]] + [writable(x) for x in args[self.steps.carried :]]
        carry = self.kernel(self.steps.count, self.losses, *given, *stacks, *self.memories)
        dtypes = [op.dtype for op in self.program.inputs[: self.steps.carried]]
        return [*(x if isinstance(x, np.ndarray) else dtype.type(x) for x, dtype in zip(carry, dtypes)), *stacks]

    def like_recorded(self) -> list[Any]:
        carried, rows = self.steps.carried, self.steps.rows
        given = [np.zeros(x.shape, x.dtype) if isinstance(x, np.ndarray) else x for x in super().like_recorded()]
        given[carried : carried + rows] = [np.zeros((1, *np.shape(x)), np.asarray(x).dtype) for x in given[carried : carried + rows]]
        return given + [stack[:1] for stack in self.steps.stacks()]


def writable(x: Any) -> Any:
    """Return an array as Numba has been told that it is: entries that lie one after the other, and can be written to."""
    return np.require(x, None, ["C", "W"]) if np.ndim(x) else scalar(x)
