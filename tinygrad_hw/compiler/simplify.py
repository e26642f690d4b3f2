"""What makes a program smaller: each function takes one and returns one that does the same with less work.

    program = merge_equal(program)

Each leaves every result as it is, bit for bit. (The one exception is ``sum_by_product``, whose sums may round otherwise.)
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..backward import row_of_ones
from ..trees import content
from .program import Program
from .trace import NUMBERS, WEAK, Op, astype, elementwise, operands

FEW = 128  # numbers: up to so many np.add.reduce adds one after the other


def drop_copies(program: Program) -> Program:
    """Put the original in the place of its copy: nothing in a program is ever written to."""

    def rule(op: Op) -> Any:
        x = op.args[0] if op.args else None
        if not isinstance(x, Op):
            return op
        copied = op.function in (np.copy, np.positive) and len(op.args) == 1 and op.dtype != bool
        is_same = copied or (op.function is np.reshape and x.shape == op.shape) or (op.function is astype and x.dtype == op.dtype)
        return x if is_same else op

    return program.rewritten(rule)


def fold_constants(program: Program) -> Program:
    """Compute once what depends on no input, and write an array of one repeated number as that number."""

    def rule(op: Op) -> Any:
        if not any(op.uses) and isinstance(op.value, (np.ndarray, np.generic, *NUMBERS)):
            return op.value
        if isinstance(op.function, np.ufunc) and op.function.signature is None and op.function.nout == 1:
            op.args = tuple(as_number(arg, op) for arg in op.args)
        return op

    return program.rewritten(rule)


def as_number(arg: Any, op: Op) -> Any:
    """Return a constant argument as one number, if all its entries are that and another argument has the shape of the result."""
    if not isinstance(arg, np.ndarray) or arg.size == 0 or arg.ndim == 0:
        return arg
    first = arg.ravel()[0]
    others = [other for other in op.args if other is not arg]
    alike = arg.dtype == op.dtype and (arg.view(f"V{arg.itemsize}") == first.view(f"V{arg.itemsize}")).all()
    return first if alike and any(np.shape(getattr(o, "value", o)) == op.shape for o in others) else arg


def fold_signs(program: Program) -> Program:
    """Move signs and doublings into constant factors: -(c (x + x)) is (-2c) x, and rounds the same."""

    def rule(op: Op) -> Any:
        x = op.args[0] if op.args else None
        if op.function is np.negative and isinstance(x, Op) and (parts := factor_and_rest(x)):
            return Op(np.multiply, (-parts[0], parts[1]), {}, op.value)
        if op.function is np.multiply and (parts := factor_and_rest(op)):
            c, y = parts
            if y.function is np.add and y.args[0] is y.args[1] and isinstance(y.args[0], Op) and np.isfinite(c + c):
                return Op(np.multiply, (c + c, y.args[0]), {}, op.value)
            if y.function is np.negative and not y.kwargs:
                return Op(np.multiply, (-c, y.args[0]), {}, op.value)
        return op

    return program.rewritten(rule)


def factor_and_rest(op: Any) -> tuple[Any, Op] | None:
    """Return the factor and the rest of a product with a constant number of its own dtype; None if an op is no such product."""
    if op.function is np.multiply and not op.kwargs and op.dtype is not WEAK:
        for c, y in (op.args, op.args[::-1]):
            number = isinstance(c, (np.ndarray, np.generic)) and c.ndim == 0 and c.dtype == op.dtype and op.dtype.kind == "f"
            if number and isinstance(y, Op) and y.dtype == op.dtype:
                return c[()], y
    return None


def drop_dead(program: Program) -> Program:
    """Leave out what nothing needs."""
    needed = set(operands(program.wanted()))
    for op in reversed(program.ops):
        if op in needed:
            needed.update(op.uses)
    updated = dict(program.updates)
    inputs = [op for op in program.inputs if op in needed or op in updated or op.role[0] in ("input", "parameter", "draw")]
    return replace(program, inputs=inputs, ops=[op for op in program.ops if op in needed])


def turn_differences(program: Program) -> Program:
    """Write -c (x - y) as c (y - x) where the sign of x - y matters to nothing else."""
    users = program.users()
    wanted = set(operands(program.wanted()))
    turned: dict[Op, tuple[tuple[Any, ...], Any]] = {}  # the new arguments and the new value
    for op in program.ops:
        if op.function is np.subtract and not op.kwargs and op not in wanted and op.dtype is not WEAK and op.dtype.kind == "f":
            factors = {user: parts[0] for user in users[op] if (parts := factor_and_rest(user)) and parts[1] is op and parts[0] < 0}
            if factors and all(user in factors or (user.function is np.square and not user.kwargs) for user in users[op]):
                turned[op] = op.args[::-1], -op.value
                turned |= {user: ((-c, op), user.value) for user, c in factors.items()}
    for op, (args, value) in turned.items():
        op.args, op.value = args, value
    return program


def merge_equal(program: Program) -> Program:
    """Compute once what is computed several times; a call without warnings may be replaced by an equal one before it, which has warned."""
    known: dict[Any, Op] = {}

    def rule(op: Op) -> Any:
        args = [x if type(x) is Op else content(x) for x in op.args]
        key = (content(op.function), content(op.kwargs) if op.kwargs else (), *args)
        warned = known.get((None, *key)) if op.errstate and {*op.errstate.values()} == {"ignore"} else None
        return warned or known.setdefault((op.errstate and content(op.errstate), *key), op)

    return program.rewritten(rule)


def sum_by_product(program: Program) -> Program:
    """Write sums as products with ones, which have less overhead: over the rows of a matrix, as the eager sweep does, and of few numbers.

    The product adds in another order than ``np.add.reduce``, so a sum may round otherwise; that of squares is a product too.
    """

    def rule(op: Op) -> Any:
        x = op.args[0] if op.args else None
        axis, rest = op.kwargs.get("axis", 0), {"axis", "keepdims"} >= set(op.kwargs) and not op.kwargs.get("keepdims")
        if op.function != np.add.reduce or len(op.args) > 1 or not isinstance(x, Op) or not rest or not x.value.size or x.dtype != op.dtype:
            return op
        if x.dtype not in (np.float64, np.float32):
            return op
        if axis in (0, (0,)) and len(x.shape) == 2:
            return Op(np.dot, (row_of_ones(x.shape[0], x.dtype), x), {}, op.value)
        if axis is None and x.value.size <= FEW and x.value.flags.c_contiguous and x.function is not None:
            squared = x.function is np.square and not x.kwargs and isinstance(x.args[0], Op) and x.args[0].value.flags.c_contiguous
            x = x.args[0] if squared and x.args[0].dtype == x.dtype else x
            flat = Op(np.reshape, (x, -1), {}, x.value.reshape(-1))
            return [flat, Op(np.dot, (flat if squared else row_of_ones(x.value.size, x.dtype), flat), {}, op.value)]
        return op

    return drop_dead(program.rewritten(rule))


def cast_first(program: Program) -> Program:
    """Convert integers to floating numbers in a call of their own, which is faster than letting each call do it piece by piece."""

    def rule(op: Op) -> Any:
        if not elementwise(op) or op.kwargs or getattr(op.dtype, "kind", "") != "f" or op.function is np.ldexp:
            return op
        made: list[Op] = []

        def cast(x: Any) -> Any:
            if isinstance(x, Op) and x.shape != () and x.dtype.kind in "iu" and np.can_cast(x.dtype, op.dtype):
                made.append(Op(astype, (x, op.dtype), {}, x.value.astype(op.dtype)))
                return made[-1]
            return x

        op.args = tuple(map(cast, op.args))
        return [*made, op]

    return program.rewritten(rule)


def prefer_dot(program: Program) -> Program:
    """Multiply two matrices by np.dot, which has less overhead than np.matmul and calls the same routine."""

    def rule(op: Op) -> Any:
        if op.function is np.matmul and not op.kwargs and all(isinstance(x, Op) and len(x.shape) == 2 for x in op.args):
            op.function = np.dot
        return op

    return program.rewritten(rule)


def all_finite(*arrays: Any) -> bool:
    """Tell whether no entry is inf or nan: 0 times it is 0."""
    return all(np.dot(x.ravel(), np.zeros(x.size, x.dtype)) == 0 for x in arrays)
