"""Passes that lay an optimiser's parameters end to end in memory, so that one NumPy call does the work of several.

    program = update_together(program)

Each leaves every result as it is, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..trees import content
from .program import Program
from .simplify import all_finite, drop_dead
from .trace import NUMBERS, Op, elementwise

Values = tuple[Any, ...]  # one for each parameter of a dtype: the parameters themselves, their gradients, their new values


def end_to_end(*arrays: Any) -> Any:
    """Return the entries of arrays one after the other."""
    return np.concatenate([np.ravel(x) for x in arrays])


def part(whole: Any, start: int, shape: tuple[int, ...]) -> Any:
    """Return one of the arrays that lie end to end."""
    return whole[start : start + int(np.prod(shape))].reshape(shape)


def computed(function: Any, *args: Any) -> Op:
    """Return an op with the value that its function gives."""
    return Op(function, args, {}, function(*(getattr(x, "value", x) for x in args)))


def like(old: Op, new: Op) -> Op:
    """Return a new op with what is known of the one in whose place it is computed."""
    new.place, new.errstate, new.stage = old.place, old.errstate, old.stage
    return new


# The update of all parameters
def update_together(program: Program) -> Program:
    """Lay the parameters of an optimiser end to end in one array, their gradients and memory too, and update them in one go."""
    by_dtype: dict[Any, list[Op]] = {}
    for op in program.inputs:
        if op.role[0] == "parameter":
            by_dtype.setdefault(op.dtype, []).append(op)
    for parameters in by_dtype.values():
        groups = [tuple(parameters), *memory_of(parameters, program)]
        updates = dict(program.updates)
        if len(parameters) > 1 and all(isinstance(updates.get(op), Op) and op.value.flags.c_contiguous for group in groups for op in group):
            program = with_groups_joined(program, groups)
    return drop_dead(program)


def memory_of(parameters: list[Op], program: Program) -> Iterator[Values]:
    """Yield for each thing that the optimiser remembers the ops that hold it, one for each parameter and like it."""
    memory = {op.role[1:]: op for op in program.inputs if op.role[0] == "memory"}
    for key in [key for i, key in memory if i == parameters[0].role[1]]:
        group = tuple(memory.get((p.role[1], key)) for p in parameters)
        if all(has_form_of(p, op) for op, p in zip(group, parameters)):
            yield group


def with_groups_joined(program: Program, groups: list[Values]) -> Program:
    """Return the program with one input for each group of inputs, the parameters first, whose new value is computed in one go."""
    parameters, updates, ops = groups[0], dict(program.updates), list(program.ops)
    inputs = {group: joined_input(group) for group in groups}
    known = {content(group): whole for group, whole in inputs.items()}

    def joined(values: Values) -> Any:
        """Return what stands for a value of each parameter: their entries end to end, or the number that they all are."""
        if is_one_number(values):
            return values[0]
        arrays: Values = tuple(x if isinstance(x, Op) else np.full(p.shape, x, p.dtype) for x, p in zip(values, parameters))
        computed = [x for x in arrays if isinstance(x, Op)]
        if not computed:
            return end_to_end(*arrays)
        if (key := content(arrays)) not in known:
            alike = are_alike(arrays, parameters)
            args = tuple(map(joined, columns(arrays))) if alike else arrays
            value = end_to_end(*(getattr(x, "value", x) for x in arrays))
            known[key] = like(computed[0], Op(arrays[0].function if alike else end_to_end, args, {}, value))
            ops.append(known[key])
        return known[key]

    for group, whole in inputs.items():
        new = updates[whole] = joined(tuple(updates.pop(op) for op in group))
        new.name = new.name or f"new_{whole.name}"
    return replace(program, inputs=[*program.inputs, *inputs.values()], ops=ops, updates=list(updates.items()))


def joined_input(group: Values) -> Op:
    """Return the input in which the inputs of a group lie end to end."""
    kind, _, *key = group[0].role
    whole = Op(None, (), {}, end_to_end(*(op.value for op in group)), ("flat", kind, group[0].dtype, *key))
    whole.name = "parameters" if kind == "parameter" else str(key[0])
    return whole


def are_alike(values: Values, parameters: Values) -> bool:
    """Tell whether values are computed by one elementwise function of numbers and of arrays like the parameters."""
    first = values[0]
    return all(elementwise(x) and x.function is first.function and not x.kwargs for x in values) and all(
        is_one_number(column) or all(map(can_stand_for, parameters, column)) for column in columns(values)
    )


def columns(ops: Values) -> Iterator[Values]:
    """Yield the first arguments of several ops, the second ones, and so on."""
    return zip(*(op.args for op in ops))


def is_one_number(values: Values) -> bool:
    """Tell whether all values are the same number."""
    first: Any = values[0]
    return np.shape(getattr(first, "value", first)) == () and len(set(map(content, values))) == 1


def has_form_of(parameter: Op, x: Any) -> bool:
    """Tell whether x is an op of a parameter's shape and dtype."""
    return isinstance(x, Op) and x.shape == parameter.shape and x.dtype == parameter.dtype


def can_stand_for(parameter: Op, x: Any) -> bool:
    """Tell whether an argument is an op like a parameter, or a number that can be repeated to be one."""
    if isinstance(x, Op):
        return has_form_of(parameter, x)
    return type(x) in NUMBERS or (np.ndim(x) == 0 and getattr(x, "dtype", None) == parameter.dtype)


# The test for numbers that are not finite
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
    total: Any = op.args[0] if op.function is np.isfinite else None
    is_sum = isinstance(total, Op) and total.function == np.add.reduce and total.kwargs == {"axis": None} and len(total.args) == 1
    return total.args[0] if is_sum else None
