"""Passes that lay related arrays end to end in memory, so that one NumPy call does the work of several.

    program = update_together(program)

Each leaves every result as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..trees import content
from .program import Program
from .simplify import all_finite, drop_dead
from .trace import NUMBERS, Op, elementwise, substitution

SMALL = 4096  # entries: in larger arrays the work outweighs the overhead of a call
CLAMPS = {np.maximum: np.minimum, np.minimum: np.maximum}  # -max(z, c) is min(-z, -c)

Lane = tuple[Any, ...]  # one value for each parameter of a dtype: the parameters themselves, their gradients, their new values


def end_to_end(*arrays: Any) -> Any:
    """Return the entries of arrays one after the other."""
    return np.concatenate([np.ravel(x) for x in arrays])


def part(whole: Any, start: int, shape: tuple[int, ...]) -> Any:
    """Return a part of what was laid end to end."""
    return whole[start : start + int(np.prod(shape))].reshape(shape)


def is_array(x: Any) -> bool:
    """Tell whether an argument is an op with axes."""
    return isinstance(x, Op) and x.shape != ()


# The update of all parameters
def update_together(program: Program) -> Program:
    """Lay the parameters of an optimiser end to end in one array, their gradients and memory too, and update them in one go."""
    by_dtype: dict[Any, list[Op]] = {}
    for op in program.inputs:
        if op.role[0] == "parameter":
            by_dtype.setdefault(op.dtype, []).append(op)
    for parameters in by_dtype.values():
        lanes = [tuple(parameters), *memory_lanes(program, parameters)]
        updates = dict(program.updates)
        if len(parameters) > 1 and all(isinstance(updates.get(op), Op) and op.value.flags.c_contiguous for lane in lanes for op in lane):
            program = updated_in_lanes(program, lanes)
    return drop_dead(program)


def memory_lanes(program: Program, parameters: list[Op]) -> Iterator[Lane]:
    """Yield for each thing that the optimiser remembers the ops that hold it, one for each parameter and like it."""
    memory = {op.role[1:]: op for op in program.inputs if op.role[0] == "memory"}
    for key in [key for i, key in memory if i == parameters[0].role[1]]:
        lane = tuple(memory.get((p.role[1], key)) for p in parameters)
        if all(belongs(op, p) for op, p in zip(lane, parameters)):
            yield lane


def updated_in_lanes(program: Program, lanes: list[Lane]) -> Program:
    """Return the program with the parameters and each memory as one input, whose new value is computed in one go."""
    updates, wholes = dict(program.updates), {lane: whole_input(lane) for lane in lanes}
    joint = Joint(lanes[0], wholes)
    for lane in lanes:
        together = joint.op(tuple(updates.pop(op) for op in lane))
        together.name = together.name or f"new_{wholes[lane].name}"
        updates[wholes[lane]] = together
    return replace(program, inputs=[*program.inputs, *wholes.values()], ops=program.ops + joint.made, updates=list(updates.items()))


def whole_input(lane: Lane) -> Op:
    """Return the input in which the inputs of a lane lie end to end."""
    kind, _, *key = lane[0].role
    whole = Op(None, (), {}, end_to_end(*(op.value for op in lane)), ("flat", kind, lane[0].dtype, *key))
    whole.name = "parameters" if kind == "parameter" else str(key[0])
    return whole


class Joint:
    """Writes one call for several that do the same with different parts of a whole.

    Attributes
    ----------
    known : of each lane, the op in which it lies end to end.
    made : the ops that were written for it.
    """

    def __init__(self, parameters: Lane, known: dict[Lane, Op]) -> None:
        self.parameters, self.known = parameters, dict(known)
        self.made: list[Op] = []

    def op(self, values: Lane) -> Any:
        """Return what stands for a value of each parameter: their entries end to end, or the number that they all are."""
        if is_one_number(values):
            return values[0]
        lane: Lane = tuple(x if isinstance(x, Op) else np.full(p.shape, x, p.dtype) for x, p in zip(values, self.parameters))
        if not any(isinstance(x, Op) for x in lane):
            return end_to_end(*lane)
        if not all(isinstance(x, Op) for x in lane):
            return self.written(end_to_end, lane, lane)
        if lane not in self.known:
            alike = self.are_alike(lane)
            args = tuple(map(self.op, columns(lane))) if alike else lane
            self.known[lane] = self.written(lane[0].function if alike else end_to_end, args, lane)
        return self.known[lane]

    def are_alike(self, lane: Lane) -> bool:
        """Tell whether the ops of a lane are one elementwise function of lanes and numbers."""
        first = lane[0]
        return (
            elementwise(first)
            and all(x.function is first.function and not x.kwargs for x in lane)
            and all(is_one_number(column) or all(map(is_value_of, column, self.parameters)) for column in columns(lane))
        )

    def written(self, function: Any, args: tuple[Any, ...], lane: Lane) -> Op:
        """Write down the op that gives a lane end to end."""
        op = Op(function, args, {}, end_to_end(*(getattr(x, "value", x) for x in lane)))
        self.made.append(like(next(x for x in lane if isinstance(x, Op)), op))
        return op


def columns(ops: Iterable[Op]) -> Iterator[tuple[Any, ...]]:
    """Yield the first arguments of several ops, the second ones, and so on."""
    return zip(*(op.args for op in ops))


def is_one_number(values: Lane) -> bool:
    """Tell whether all values are the same number."""
    first: Any = values[0]
    return np.shape(getattr(first, "value", first)) == () and all(
        x is first or (not isinstance(x, Op) and not isinstance(first, Op) and content(x) == content(first)) for x in values
    )


def belongs(x: Any, parameter: Op) -> bool:
    """Tell whether an op has a parameter's shape and dtype."""
    return isinstance(x, Op) and x.shape == parameter.shape and x.dtype == parameter.dtype


def is_value_of(x: Any, parameter: Op) -> bool:
    """Tell whether an argument is an op like a parameter, or a number that can stand for one."""
    if isinstance(x, Op):
        return belongs(x, parameter)
    return type(x) in NUMBERS or (np.ndim(x) == 0 and getattr(x, "dtype", None) == parameter.dtype)


def like(old: Op, new: Op) -> Op:
    """Return a new op with what is known of the one in whose place it is computed."""
    new.place, new.errstate, new.stage = old.place, old.errstate, old.stage
    return new


def check_together(program: Program) -> Program:
    """Look for a non-finite entry in all gradients at once, not in each: in the array in which they lie end to end, if they do."""
    finite = {op: x for op, outcome in program.checks if outcome and isinstance(op, Op) and (x := asked_finite(op)) is not None}
    if len(finite) < 2:
        return program
    arrays = dict.fromkeys(finite.values())
    wholes = [op for op in program.ops if op.function is end_to_end and len(op.uses) == len(op.args) and arrays.keys() == {*op.uses}][:1]
    together = Op(all_finite, tuple(wholes or arrays), {}, True)
    last = max(program.ops.index(op) for op in (*finite, *wholes))
    ops = [*program.ops[: last + 1], together, *program.ops[last + 1 :]]
    checks = [*((op, outcome) for op, outcome in program.checks if op not in finite), (together, True)]
    return drop_dead(replace(program, ops=ops, checks=checks))


def asked_finite(op: Op) -> Any:
    """Return x if the op asks whether the sum of x is finite."""
    total = op.args[0] if op.function is np.isfinite else None
    if isinstance(total, Op) and total.function == np.add.reduce and total.kwargs == {"axis": None} and len(total.args) == 1:
        return total.args[0]
    ones, flat = total.args if isinstance(total, Op) and total.function is np.dot else (None, None)
    return flat.args[0] if isinstance(ones, np.ndarray) and (ones == 1).all() and flat.function is np.reshape else None


# Signs
def negate_weights(program: Program) -> Program:
    """Compute e^-(x W + b) from -W and -b, which are negated together in one call, instead of negating each layer's result.

    The layer's result may be clamped on the way.
    """
    minus, made = negated_parameters(program)
    if not minus:
        return program
    users = program.users()
    before: dict[Op, list[Op]] = {}
    instead: dict[Op, Op] = {}
    for op in program.ops:
        negative = op.args[0] if op.function is np.exp else None
        if isinstance(negative, Op) and negative.function is np.negative and users[negative] == [op]:
            calls = negated(negative.args[0], minus, users)
            if calls:
                instead[op] = like(op, Op(np.exp, (calls[-1],), {}, op.value))
                before[op] = [*calls, instead[op]]
    if len(instead) < 2:
        return program
    before[program.ops[0]] = made + before.get(program.ops[0], [])
    return drop_dead(inserted(program, before, instead))


def negated(x: Any, minus: dict[Op, Op], users: dict[Op, list[Op]]) -> list[Op]:
    """Return the calls that compute -x from negated parameters, -x the last; none if x is no layer's result that is used once."""
    if not isinstance(x, Op) or x.kwargs or len(users[x]) != 1 or len(x.args) != 2:
        return []
    y, parameter = x.args
    if x.function in CLAMPS and not isinstance(parameter, Op):
        calls = negated(y, minus, users)
        return [*calls, like(x, Op(CLAMPS[x.function], (calls[-1], -parameter), {}, -x.value))] if calls else []
    if not isinstance(parameter, Op) or parameter not in minus:
        return []
    if x.function is np.add:
        calls = negated(y, minus, users)
        return [*calls, like(x, Op(np.add, (calls[-1], minus[parameter]), {}, -x.value))] if calls else []
    return [like(x, Op(np.dot, (y, minus[parameter]), {}, -x.value))] if x.function is np.dot else []


def negated_parameters(program: Program) -> tuple[dict[Op, Op], list[Op]]:
    """Return for each parameter that lies in a small whole, and each part of it, the op that is its negative; and all new ops in order."""
    wholes = [op for op in program.inputs if op.role[:2] == ("flat", "parameter") and op.value.size <= SMALL]
    negative = {op: Op(np.negative, (op,), {}, -op.value) for op in wholes}
    minus = {
        op: Op(part, (negative[whole], start, op.shape), {}, part(negative[whole].value, start, op.shape))
        for op, (whole, start) in starts_of(program).items()
        if whole in negative
    }
    return minus, [*negative.values(), *minus.values()]


def starts_of(program: Program) -> dict[Op, tuple[Op, int]]:
    """Return for each parameter, and for each part of an op, the whole in which it lies and where it starts there."""
    starts: dict[Op, tuple[Op, int]] = {op: op.args[:2] for op in program.ops if op.function is part}
    for whole in program.inputs:
        if whole.role[:2] == ("flat", "parameter"):
            start = 0
            for op in program.inputs:
                if op.role[0] == "parameter" and op.dtype == whole.dtype:
                    starts[op] = (whole, start)
                    start += op.value.size
    return starts


# The same call for several arrays
class Row(NamedTuple):
    """Arrays that lie end to end: the op that holds them all, and where each of them starts."""

    whole: Op
    starts: list[int]


def side_by_side(program: Program) -> Program:
    """Do one elementwise call for several that do the same with different small arrays, which are laid end to end for it.

    So σ′ = a (1 - a) of all layers is two calls, made when the last a is there.
    """
    return SideBySide(program).rewritten()


class SideBySide:
    """The search for calls that can be done together, and what it has found so far.

    Attributes
    ----------
    position : of each op its place in the program.
    available : of an op that is computed together with others, the position at which that is done.
    rows : where ops lie end to end, by the tuple of them.
    parts : of each op that is computed together with others, the op that stands for it.
    before : the new ops, by the op in front of which they are put.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.position = {op: i for i, op in enumerate(program.ops)}
        self.with_constants = laid_with_constants(program)
        self.available: dict[Op, int] = {}
        self.rows: dict[tuple[Op, ...], Row] = {}
        self.parts: dict[Op, Op] = {}
        self.before: dict[Op, list[Op]] = {}

    def rewritten(self) -> Program:
        """Return the program with calls done together where they can be."""
        for group in self.groups():
            if len(group) > 1:
                self.join([op for op in group if all(self.is_there(x, group[0]) for x in op.uses)], group[0])
        return drop_dead(inserted(self.program, self.before, self.parts))

    def groups(self) -> list[list[Op]]:
        """Return the calls that differ in nothing but their arrays, together."""
        groups: dict[Any, list[Op]] = {}
        for op in self.program.ops:
            if self.can_be_joined(op):
                pattern = ["array" if is_array(x) else content(x) for x in op.args]
                groups.setdefault((op.function, op.dtype, *pattern, op.errstate and content(op.errstate)), []).append(op)
        return list(groups.values())

    def can_be_joined(self, op: Op) -> bool:
        """Tell whether an op computes each entry of a small array from numbers and the same entries of arrays that were computed."""
        if not elementwise(op) or op.kwargs or op.value.size > SMALL or not op.value.flags.c_contiguous:
            return False
        arrays = [x for x in op.args if is_array(x)]
        return bool(arrays) and all(
            x.shape == op.shape and x.dtype == op.dtype and x in self.position if is_array(x) else isinstance(x, Op) or np.ndim(x) == 0
            for x in op.args
        )

    def is_there(self, x: Op, op: Op) -> bool:
        """Tell whether x is computed before an op."""
        return self.available.get(x, self.position.get(x, -1)) < self.position[op]

    def join(self, members: list[Op], first: Op) -> None:
        """Do calls together in front of the first op, if there are several and their arguments can be laid end to end in one way."""
        rows = self.rows_of_arguments(members, first) if len(members) > 1 else {}
        if not rows:
            return
        args = [rows[column].whole if is_array(column[0]) else column[0] for column in columns(members)]
        value = members[0].function(*(getattr(x, "value", x) for x in args))
        whole = like(members[0], Op(members[0].function, tuple(args), {}, value))
        new = [row.whole for column, row in rows.items() if column not in self.rows]
        self.rows |= rows
        starts = next(iter(rows.values())).starts
        self.rows[tuple(members)] = Row(whole, starts)
        for op, start in zip(members, starts):
            self.parts[op] = like(op, Op(part, (whole, start, op.shape), {}, part(value, start, op.shape)))
            self.parts[op].name = op.name
            self.available[op] = self.position[first]
        self.before.setdefault(first, []).extend([*new, whole, *(self.parts[op] for op in members)])

    def rows_of_arguments(self, members: list[Op], first: Op) -> dict[tuple[Any, ...], Row]:
        """Return the rows in which the first, the second, ... arrays of calls lie; none if they cannot all lie in the same way."""
        rows: dict[tuple[Any, ...], Row] = {}
        for column in columns(members):
            if is_array(column[0]):
                row = self.rows.get(column) or self.laid(column, first)
                if row is None or any((row.starts, row.whole.shape) != (other.starts, other.whole.shape) for other in rows.values()):
                    return {}
                rows[column] = row
        return rows

    def laid(self, ops: tuple[Op, ...], first: Op) -> Row | None:
        """Return ops laid end to end, each with the constants that it already lies with, if they can be computed there."""
        if len(set(ops)) < len(ops) or not all(elementwise(x) or x.function is np.dot for x in ops):
            return None
        known = [self.with_constants.get(x) for x in ops]
        spots = [spot if spot is not None and self.is_there(spot[0], first) else (x, 0) for x, spot in zip(ops, known)]
        wholes = tuple(whole for whole, _ in spots)
        ends = np.cumsum([0, *(whole.value.size for whole in wholes)]).tolist()
        whole = Op(end_to_end, wholes, {}, end_to_end(*(x.value for x in wholes)))
        return Row(whole, [end + start for end, (_, start) in zip(ends, spots)])


def laid_with_constants(program: Program) -> dict[Op, tuple[Op, int]]:
    """Return for each op that lies with nothing but constants the end_to_end in which it does, and where it starts there."""
    spots: dict[Op, tuple[Op, int]] = {}
    for whole in program.ops:
        if whole.function is end_to_end and len(whole.uses) == 1:
            sizes = [getattr(x, "value", x).size for x in whole.args]
            spots |= {x: (whole, sum(sizes[:i])) for i, x in enumerate(whole.args) if isinstance(x, Op)}
    return spots


def inserted(program: Program, before: dict[Op, list[Op]], instead: dict[Op, Op]) -> Program:
    """Return the program with calls put in front of others, and others in the place of some."""
    if not before and not instead:
        return program
    ops: list[Op] = []
    renew = substitution(instead)
    for op in program.ops:
        ops += before.get(op, [])
        if op not in instead:
            ops.append(op)
    for op in ops:
        op.args, op.kwargs = renew((op.args, op.kwargs))
    return program.made_of(ops, renew)
