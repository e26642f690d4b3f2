"""The many equal steps of a plain ``for``, found in a program and written as one loop.

    program = rolled(program)

A step is a block of calls that is repeated, with the same functions, shapes and constants. What it uses must come from the step itself,
from the step before, from one call outside, or from the steps of an earlier loop, one after the other. Every result stays the same,
bit for bit; the passes and the planner then see one step.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ..rules.shaping import scatter
from ..trees import content
from .loop import Loop, closed
from .names import name_apart
from .program import Program
from .trace import Op, elementwise, operands, replaced

__all__ = ["rolled"]

LONG = {"numpy": 5000, "numba": 500}  # calls: a shorter program is left as it is, since NumPy does without a loop in less time
STEPS = 16  # fewer do not become a loop
CUTS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (1, 2))  # steps to leave out at either end, which may differ from the others
CONTEXT = 24  # equal calls in a row by which a repetition is recognised
ARRAYS = (np.ndarray, np.generic)
INDEXED = (operator.getitem, scatter)

# Where a value that a step uses comes from: ("inside", place in the step), ("outside", position), ("carried", place in the step before,
# position of the first), ("row", number of an earlier loop, place, first step, stride), ("entry", place of the call, position of the array)
# or ("number", place of the call, which of its numbers).
Key = Any


def rolled(program: Program, backend: str) -> Program:
    """Return the program with each run of many equal steps as one loop."""
    words = [x for op in program.ops for x in (*op.args, *op.kwargs.values()) if isinstance(x, str)]
    if len(program.ops) < LONG[backend] or "A" in words or "K" in words:  # (the order of axes in memory, which a loop does not keep)
        return program
    return Rolled(program, backend).program_of_loops()


class Steps(NamedTuple):
    """A block of ``period`` calls that is repeated ``times`` times from the position ``start`` on."""

    start: int
    period: int
    times: int
    keys: tuple[Key, ...] = ()  # of all that a step uses, call by call
    stacked: tuple[int, ...] = ()  # the places in a step whose values are needed later, and not only what is carried at the end
    numbers: Any = None  # by key, an array of each number that differs from step to step

    @property
    def end(self) -> int:
        """The position after the last step."""
        return self.start + self.period * self.times

    def locate(self, position: Any) -> Any:
        """Return the number of the step in which a position lies, and the place in that step."""
        return divmod(position - self.start, self.period)


class LoopResults(NamedTuple):
    """The results of a loop in the program: by place in a step, what the last one carries on, and the stack of all; and its direction."""

    carried: dict[int, Op]
    stacked: dict[int, Op]
    backwards: bool


class Rolled:
    """The search for steps in a program, and the program that is made with loops for them.

    Attributes
    ----------
    position : of each op its place in the program; those of inputs are negative.
    used, user : for each use of a value, call after call, the position of the value and of the call; ``first_use``: where a call's begin.
    loops, loop_at : the runs of steps that become loops, in order; for each position the number of its loop, or -1.
    replacements : by op, the op that has replaced it.
    results : of each loop.
    """

    def __init__(self, program: Program, backend: str) -> None:
        self.program, self.calls, self.backend = program, program.ops, backend
        self.position = {op: i for i, op in enumerate((*program.inputs, *program.ops), -len(program.inputs))}
        uses = [op.uses for op in program.ops]
        self.used = np.array([self.position[x] for each in uses for x in each], int)
        self.user = np.repeat(np.arange(len(uses)), [*map(len, uses)])
        self.first_use = np.cumsum([0, *map(len, uses)])
        self.wanted = [self.position[op] for op in operands([program.wanted(), *program.gradients.values()])]
        self.loops: list[Steps] = []
        self.loop_at = np.full(len(self.calls), -1)
        self.ops: list[Op] = []
        self.replacements: dict[Op, Op] = {}
        self.results: list[LoopResults] = []

    # Finding the steps
    def find(self) -> None:
        """Find the runs of steps that can be loops."""
        known: dict[Any, int] = {}
        for start, period, length in runs(np.array([known.setdefault(code(op), len(known)) for op in self.calls])):
            phase = self.phase(start, period, length // period)
            for low, high in CUTS:
                each = Steps(start + phase + low * period, period, (length - phase) // period - low - high)
                if each.times >= STEPS and (steps := self.keyed(each)):
                    self.loop_at[steps.start : steps.end] = len(self.loops)
                    self.loops.append(steps)
                    break

    def slots(self, steps: Steps) -> np.ndarray:
        """Return the positions of what each step uses, a row for each step."""
        return self.used[self.first_use[steps.start] : self.first_use[steps.end]].reshape(steps.times, -1)

    def phase(self, start: int, period: int, count: int) -> int:
        """Return how far after the start a step should begin: where it carries on least, and all of that to the next step alone."""
        slots = self.slots(Steps(start, period, count))
        distance = np.repeat(np.arange(period), np.diff(self.first_use[start : start + period + 1])) + start - slots[0]
        cost, furthest = np.zeros(period), dict[int, int]()
        moving = (np.diff(slots[1:], axis=0) == period).all(0)
        last = slots[-1] - start
        for place, far in zip(last[moving] % period, (distance + slots[0] - slots[1] + period)[moving]):
            furthest[place] = max(far, furthest.get(place, 0))
        for place, far in furthest.items():
            crossed = np.bincount(np.arange(place + 1, place + far + 1) % period, minlength=period)
            cost += np.where(crossed > 1, np.inf, crossed)
        return int(np.argmin(cost))

    def keyed(self, steps: Steps) -> Steps | None:
        """Return steps with the keys of all that they use, or None if it does not come from the same places in all of them."""
        slots = self.slots(steps)
        relative = slots - (steps.start + steps.period * np.arange(steps.times))[:, None]
        keys = [self.key(column, places, steps) for column, places in zip(slots.T, relative.T)]
        if None in keys:
            return None
        stacked = self.places_needed(steps, {key[1] for key in keys if key[0] == "carried"})
        carried = [column[[0, -1]] for key, column in zip(keys, slots.T) if key[0] not in ("inside", "outside")]
        carried += [np.array([steps.start, steps.start]) + place for place in stacked]
        values = [(self.op_at(first).value, self.op_at(last).value) for first, last in carried]
        alike = all(isinstance(first, ARRAYS) and kind(first) == kind(last) for first, last in values)
        numbers = self.numbers(steps, keys) if alike else {}
        by_index = any(key[0] == "number" and is_indexed(self.op_at(steps.start + key[1])) for key in numbers)
        if not alike or (by_index and self.backend == "numba"):  # (which has no code for an index that is computed)
            return None
        return steps._replace(keys=tuple(keys), stacked=tuple(sorted(stacked)), numbers=numbers)

    def key(self, column: np.ndarray, places: np.ndarray, steps: Steps) -> Key:
        """Return the key of a value that each step uses, given its positions, and these counted from each step's start; or None."""
        if (places == places[0]).all() and places[0] >= 0:
            return "inside", int(places[0])
        if (column == column[0]).all():
            return "outside", int(column[0])
        if column[0] < steps.start and (places[1:] == places[1]).all() and -steps.period <= places[1] < 0:
            return "carried", int(places[1]) + steps.period, int(column[0])
        for number, earlier in enumerate(self.loops):
            if earlier.start <= column.min() and column.max() < min(earlier.end, steps.start):
                step, place = earlier.locate(column)
                stride = step[1] - step[0]
                if (place == place[0]).all() and abs(stride) == 1 and (np.diff(step) == stride).all():
                    return "row", number, int(place[0]), int(step[0]), int(stride)
        return None

    def places_needed(self, steps: Steps, carried: set[int]) -> set[int]:
        """Return the places in a step whose values are needed later, and not only what is carried at the end."""
        within = (steps.start <= self.used) & (self.used < steps.end)
        users = self.used[within & ~((steps.start <= self.user) & (self.user < steps.end))]
        found = [steps.locate(i) for i in {*users.tolist(), *self.wanted} if steps.start <= i < steps.end]
        return {place for step, place in found if step < steps.times - 1 or place not in carried}

    def op_at(self, position: int) -> Op:
        return self.calls[position] if position >= 0 else self.program.inputs[position + len(self.program.inputs)]

    # Writing the loops
    def program_of_loops(self) -> Program:
        self.find()
        if not self.loops:
            return self.program
        starts = {steps.start: steps for steps in self.loops}
        for i, op in enumerate(self.calls):
            if i in starts:
                self.write_loop(starts[i])
            if self.loop_at[i] < 0:
                op.args, op.kwargs = self.renewed((op.args, op.kwargs))
                self.ops.append(op)
        return self.program.made_of(self.ops, self.renewed)

    def renewed(self, tree: Any) -> Any:
        return replaced(tree, Op, self.current)

    def current(self, op: Op) -> Op:
        """Return what has replaced an op: if it lies in a loop, what this carries at the end, or a row of its stack."""
        position = self.position[op]
        if position >= 0 and (number := self.loop_at[position]) >= 0 and op not in self.replacements:
            step, place = self.loops[number].locate(position)
            if step == self.loops[number].times - 1 and place in self.results[number].carried:
                return self.results[number].carried[place]
            row = self.row_number(number, step)
            self.replacements[op] = self.add(op, operator.getitem, (self.results[number].stacked[place], row), op.value)
        return self.replacements.get(op, op)

    def row_number(self, number: int, step: int) -> int:
        """Return the row for a step in the stacks of a loop, whose last row comes first if the loop goes backwards."""
        return self.loops[number].times - 1 - step if self.results[number].backwards else step

    def add(self, like: Op, function: Any, args: tuple[Any, ...], value: Any) -> Op:
        """Add a call, with the line of another one, and with its name if it has the same value."""
        op = Op(function, args, {}, value)
        op.place, op.stage = like.place, like.stage
        if value is like.value:
            op.name, op.hint = like.name, like.hint
        self.ops.append(op)
        return op

    def write_loop(self, steps: Steps) -> None:
        numbers, keys = steps.numbers, dict.fromkeys(steps.keys)
        spans: dict[Key, Any] = {}  # by key an array, and the rows of it that the first and the last step take
        for key in keys:
            if key[0] == "row":
                _, number, place, first, stride = key
                rows = [self.row_number(number, step) for step in (first, first + stride * (steps.times - 1))]
                spans[key] = (self.results[number].stacked[place], *rows)
        spans |= {key: (self.current(self.op_at(key[2])), int(n[0]), int(n[-1])) for key, n in numbers.items() if key[0] == "entry"}
        backwards = sum(np.sign(last - first) for _, first, last in spans.values()) < 0
        given: dict[Key, Any] = {key: self.current(self.op_at(key[2])) for key in keys if key[0] == "carried"}
        carried = [key[1] for key in given]
        given |= {key: self.rows(span, backwards) for key, span in spans.items()}
        given |= {key: n[:: -1 if backwards else 1] for key, n in numbers.items() if key[0] == "number"}
        block = self.calls[steps.end - steps.period : steps.end]
        body, outside = self.body(steps, block, given)
        values = [op.value for op in body.results[: len(carried)]]
        values += [np.zeros((steps.times, *op.shape), op.dtype) for op in body.results[len(carried) :]]
        loop = Loop(body, len(carried), len(given) - len(carried), steps.times, backwards)
        whole = self.add(block[0], loop, (*given.values(), *map(self.current, outside)), values)
        places = [*carried, *steps.stacked]
        parts = [self.add(block[place], operator.getitem, (whole, i), value) for i, (place, value) in enumerate(zip(places, values))]
        self.results.append(LoopResults(dict(zip(carried, parts)), dict(zip(steps.stacked, parts[len(carried) :])), backwards))

    def numbers(self, steps: Steps, keys: list[Key]) -> dict[Key, np.ndarray]:
        """Return the numbers that differ from step to step; indices that take one row after another have their own keys."""
        found: dict[Key, np.ndarray] = {}
        for place in range(steps.period):
            calls = self.calls[steps.start + place : steps.end : steps.period]
            for i, numbers in enumerate(zip(*map(numbers_in, calls))) if numbers_in(calls[0]) else ():
                if len(set(map(repr, numbers))) > 1:
                    column = np.array(numbers, int if is_indexed(calls[0]) else float)
                    source = keys[self.first_use[steps.start + place] - self.first_use[steps.start]]
                    entry = calls[0].function is operator.getitem and type(calls[0].args[1]) is int and source[0] == "outside"
                    one_by_one = abs(column[1] - column[0]) == 1 and (np.diff(column) == column[1] - column[0]).all() and column.min() >= 0
                    found[("entry", place, source[1]) if entry and one_by_one else ("number", place, i)] = column
        return found

    def rows(self, span: tuple[Op, int, int], backwards: bool) -> Op:
        """Return the rows of an array, from the one for the first step to the one for the last, in the order of a loop."""
        whole, first, last = span
        low, high = min(first, last), max(first, last) + 1
        if (low, high) != (0, len(whole.value)):
            whole = self.add(whole, operator.getitem, (whole, slice(low, high)), whole.value[low:high])
        return whole if (last < first) == backwards else self.add(whole, np.flip, (whole, 0), np.flip(whole.value, 0))

    def body(self, steps: Steps, block: list[Op], given: dict[Key, Any]) -> tuple[Program, list[Op]]:
        """Return the step of a loop as a program, and what it uses from outside besides what is given."""
        likes = dict(zip(steps.keys, [x for op in block for x in op.uses]))
        inputs: dict[Key, Op] = {}
        for key, thing in given.items():  # (a number that differs from step to step, or an op of the last one)
            like = block[key[1]] if key[0] == "entry" else likes.get(key)
            value: Any = thing[0] if like is None else like.value
            inputs[key] = Op(None, (), {}, value[()] if np.ndim(value) == 0 else value, ("input", len(inputs)))
            inputs[key].name = "i" if like is None else like.name or like.hint
        entries = {key[1]: op for key, op in inputs.items() if key[0] == "entry"}
        keys, ops = iter(steps.keys), list[Op]()

        def in_body(x: Op) -> Op:
            key = next(keys)
            return inputs.get(key) or (x if key[0] == "outside" else ops[key[1]])

        for place, op in enumerate(block):
            fresh = op.again(lambda tree: replaced(tree, Op, in_body))
            numbers = iter([inputs.get(("number", place, i), number) for i, number in enumerate(numbers_in(op))])
            fresh.args = with_numbers(op, fresh.args, lambda _, numbers=numbers: next(numbers))  # type: ignore[misc]
            ops.append(entries.get(place, fresh))
        results = [ops[place] for place in (*(key[1] for key in given if key[0] == "carried"), *steps.stacked)]
        program, outside = closed(Program([*inputs.values()], [op for op in ops if op.function], results))
        name_apart(program)
        return program, outside


def runs(codes: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield the runs of repeated calls: the start, the period and the length, which may end within a step."""
    context = np.zeros(max(len(codes) - CONTEXT, 0), np.uint64)
    for k in range(CONTEXT):
        context = context * np.uint64(1000003) + codes[k : k + len(context)].astype(np.uint64)
    order = np.argsort(context, kind="stable")
    following = np.zeros(len(context), int)
    again = np.flatnonzero(context[order[1:]] == context[order[:-1]])
    following[order[again]] = order[again + 1] - order[again]
    i = end = 0
    while i < len(context):
        period = int(following[i])
        enough = (STEPS - 1) * period
        if period and i + period + enough <= len(codes) and (codes[i : i + enough] == codes[i + period : i + period + enough]).all():
            other = np.flatnonzero(codes[end:-period] != codes[end + period :]) + end
            start = int(max(other[other < i], default=end - 1)) + 1
            stop = int(min(other[other > i], default=len(codes) - period))
            yield start, period, stop - start + period
            i = end = stop + period
        else:
            i += 1


def code(op: Op) -> Any:
    """Return what the same call has in all steps."""
    args = with_numbers(op, op.args, lambda number: int)
    kwargs, state = without_ops(op.kwargs) if op.kwargs else (), tuple(op.errstate.values()) if op.errstate else ()
    return op.function, op.stage, state, kind(op.value), kwargs, *map(without_ops, args)


def without_ops(x: Any) -> Any:
    """Return an argument as something hashable, without telling apart its ops."""
    if type(x) is Op:
        return Op
    if type(x) in (tuple, list):
        return (type(x), *map(without_ops, x))
    return tuple([(key, without_ops(part)) for key, part in x.items()]) if type(x) is dict else content(x)


def kind(value: Any) -> Any:
    """Return what the value of the same call must have in all steps."""
    return (value.shape, value.dtype) if isinstance(value, ARRAYS) else type(value)


def is_indexed(op: Op) -> bool:
    """Tell whether a call has an index into an array, which may differ from step to step."""
    return op.function in INDEXED and not isinstance(getattr(op.args[0], "value", None), (list, tuple))


def is_of_doubles(op: Op) -> bool:
    """Tell whether there are numbers among the arguments that can be doubles, and so may differ from step to step."""
    kinds = [type(x) for x in op.args]
    return (int in kinds or float in kinds) and elementwise(op) and all(x.dtype == np.float64 for x in (op, *op.args) if type(x) is Op)


def numbers_in(op: Op) -> list[Any]:
    found: list[Any] = []
    with_numbers(op, op.args, lambda number: found.append(number))
    return found


def with_numbers(op: Op, args: tuple[Any, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Return arguments of a call with those numbers changed that may differ from step to step."""
    if is_indexed(op):
        index = args[1]
        changed = [change(i) if type(i) is int else i for i in (index if type(index) is tuple else (index,))]
        return (args[0], tuple(changed) if type(index) is tuple else changed[0], *args[2:])
    return tuple([change(x) if type(x) in (int, float) else x for x in args]) if is_of_doubles(op) else args
