"""The passes: each takes a program and returns one that does the same with less work.

    program = merge_equal(program)

Each leaves every result as it is, bit for bit. (The one exception is ``sum_by_product``, whose sums may round otherwise.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..backward import row_of_ones
from .program import Program
from .trace import NUMBERS, WEAK, Op, astype, operands, replaced

__all__ = ["PASSES", "apply"]

Pass = Callable[[Program], Program]
PASSES: dict[str, Pass] = {}


def named(function: Pass) -> Pass:
    """Add a pass to the table; they are applied in the order in which they stand here."""
    PASSES[function.__name__] = function
    return function


def apply(program: Program, without: tuple[str, ...] = ()) -> Program:
    """Return the program after all passes but those named."""
    program = program.copied()
    for name, function in PASSES.items():
        if name not in without:
            program = function(program)
    return program


def is_number(x: Any, value: float) -> bool:
    """Tell whether an argument is this constant number."""
    return isinstance(x, (*NUMBERS, np.generic)) and x == value


@named
def drop_copies(program: Program) -> Program:
    """Put the original in the place of its copy: nothing in a program is ever written to."""

    def rule(op: Op) -> Any:
        same = op.function in (np.copy, np.positive) and len(op.args) == 1 and isinstance(op.args[0], Op) and op.dtype != bool
        if op.function is np.reshape and isinstance(op.args[0], Op):
            same = op.args[0].shape == op.shape
        if op.function is astype and isinstance(op.args[0], Op):
            same = op.args[0].dtype == op.dtype
        return op.args[0] if same else op

    return program.rewritten(rule)


@named
def fold_constants(program: Program) -> Program:
    """Compute once what depends on no input, and write an array of one repeated number as that number."""

    def rule(op: Op) -> Any:
        if not any(operands((op.args, op.kwargs))) and isinstance(op.value, (np.ndarray, np.generic, *NUMBERS)):
            return op.value
        if isinstance(op.function, np.ufunc) and op.function.signature is None and op.function.nout == 1:
            op.args = tuple(one_number(arg, op) for arg in op.args)
        return op

    return program.rewritten(rule)


def one_number(arg: Any, op: Op) -> Any:
    """Return a constant argument as one number, if it is one repeated and the others make up the shape."""
    if not isinstance(arg, np.ndarray) or arg.size == 0 or arg.ndim == 0:
        return arg
    first = arg.ravel()[0]
    others = [other for other in op.args if other is not arg]
    alike = arg.dtype == op.dtype and (arg.view(f"V{arg.itemsize}") == first.view(f"V{arg.itemsize}")).all()
    return first if alike and any(np.shape(getattr(o, "value", o)) == op.shape for o in others) else arg


@named
def fold_signs(program: Program) -> Program:
    """Move signs and doublings into constant factors: -(c (x + x)) is (-2c) x, and rounds the same."""

    def rule(op: Op) -> Any:
        x = op.args[0] if op.args else None
        if op.function is np.negative and isinstance(x, Op) and (parts := scaled(x)):
            return Op(np.multiply, (-parts[0], parts[1]), {}, op.value)
        if op.function is np.multiply and (parts := scaled(op)):
            c, y = parts
            if y.function is np.add and y.args[0] is y.args[1] and isinstance(y.args[0], Op) and np.isfinite(c + c):
                return Op(np.multiply, (c + c, y.args[0]), {}, op.value)
            if y.function is np.negative and not y.kwargs:
                return Op(np.multiply, (-c, y.args[0]), {}, op.value)
        return op

    return program.rewritten(rule)


def scaled(op: Any) -> tuple[Any, Op] | None:
    """Return the factor and the rest of a product with a constant number of its own dtype."""
    if op.function is np.multiply and not op.kwargs and op.dtype is not WEAK:
        for c, y in (op.args, op.args[::-1]):
            number = isinstance(c, (np.ndarray, np.generic)) and c.ndim == 0 and c.dtype == op.dtype and op.dtype.kind == "f"
            if number and isinstance(y, Op) and y.dtype == op.dtype:
                return c[()], y
    return None


@named
def drop_dead(program: Program) -> Program:
    """Leave out what nothing needs."""
    needed = set(operands(program.wanted()))
    for op in reversed(program.ops):
        if op in needed:
            needed.update(operands(op.args), operands(op.kwargs))
    updated = dict(program.updates)
    inputs = [op for op in program.inputs if op in needed or op in updated or op.role[0] in ("input", "parameter")]
    return replace(program, inputs=inputs, ops=[op for op in program.ops if op in needed])


@named
def turn_differences(program: Program) -> Program:
    """Write -c (x - y) as c (y - x) where the sign of x - y matters to nothing else."""
    users = program.users()
    wanted = set(operands(program.wanted()))
    turned: dict[Op, Op] = {}
    for op in program.ops:
        if op.function is np.subtract and not op.kwargs and op not in wanted and op.dtype is not WEAK and op.dtype.kind == "f":
            scalings = [user for user in users[op] if (parts := scaled(user)) and parts[1] is op and parts[0] < 0]
            if scalings and all(user in scalings or (user.function is np.square and not user.kwargs) for user in users[op]):
                turned[op] = Op(np.subtract, op.args[::-1], {}, -op.value)
                turned |= {user: Op(np.multiply, (-scaled(user)[0], op), {}, user.value) for user in scalings}  # type: ignore[index]
    for op, fresh in turned.items():
        op.args, op.value = fresh.args, fresh.value
    return program


@named
def merge_equal(program: Program) -> Program:
    """Compute once what is computed several times."""
    known: dict[Any, Op] = {}

    def rule(op: Op) -> Any:
        key = (key_of(op.function), key_of(op.args), key_of(op.kwargs), key_of(op.errstate))
        return known.setdefault(key, op)

    return program.rewritten(rule)


def key_of(tree: Any) -> Any:
    """Return something that is equal for equal arguments and for no others."""
    if type(tree) is Op:
        return tree
    if isinstance(tree, (tuple, list)):
        return (type(tree), *map(key_of, tree))
    if isinstance(tree, dict):
        return tuple((key, key_of(part)) for key, part in tree.items())
    if isinstance(tree, np.ndarray):
        return tree.shape, tree.dtype, tree.tobytes()
    if isinstance(tree, slice):
        return (slice, key_of(tree.start), key_of(tree.stop), key_of(tree.step))
    if isinstance(tree, (*NUMBERS, np.generic)):
        return (type(tree), repr(tree))
    try:
        hash(tree)
    except TypeError:
        return id(tree)
    return tree


@named
def sum_by_product(program: Program) -> Program:
    """Write sums as products with ones, which start sooner: over the rows of a matrix, as the eager sweep does, and of few numbers.

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


FEW = 128  # numbers: up to so many np.add.reduce adds one after the other


@named
def cast_first(program: Program) -> Program:
    """Convert integers to floating numbers in a call of their own, which is faster than letting each call do it piece by piece."""

    def rule(op: Op) -> Any:
        if not elementwise(op) or op.kwargs or getattr(op.dtype, "kind", "") != "f":
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


@named
def prefer_dot(program: Program) -> Program:
    """Multiply two matrices by np.dot, which starts sooner than np.matmul and calls the same routine."""

    def rule(op: Op) -> Any:
        if op.function is np.matmul and not op.kwargs and all(isinstance(x, Op) and len(x.shape) == 2 for x in op.args):
            op.function = np.dot
        return op

    return program.rewritten(rule)


@named
def check_together(program: Program) -> Program:
    """Look for a non-finite entry in all gradients at once, not in each."""
    finite = {op: x for op, outcome in program.checks if outcome and isinstance(op, Op) and (x := asked_finite(op)) is not None}
    if len(finite) < 2:
        return program
    together = Op(all_finite, tuple(finite.values()), {}, True)
    last = max(program.ops.index(op) for op in finite)
    ops = [*program.ops[: last + 1], together, *program.ops[last + 1 :]]
    return replace(program, ops=ops, checks=[*((op, outcome) for op, outcome in program.checks if op not in finite), (together, True)])


def asked_finite(op: Op) -> Op | None:
    """Return x if the op is ``np.isfinite(x).all()``."""
    x = op.args[0] if op.function == np.logical_and.reduce and op.kwargs.get("axis", 0) is None else None
    return x.args[0] if isinstance(x, Op) and x.function is np.isfinite else None


def all_finite(*arrays: Any) -> bool:
    """Tell whether no entry is inf or nan: 0 times it is 0."""
    return all(np.dot(x.ravel(), np.zeros(x.size, x.dtype)) == 0 for x in arrays)


@named
def update_together(program: Program) -> Program:
    """Lay the parameters of an optimiser end to end in one array, their gradients and memory too, and update them in one go."""
    new = dict(program.updates)
    inputs, ops, updates = list(program.inputs), list(program.ops), list(program.updates)
    groups: dict[Any, list[Op]] = {}
    for op in program.inputs:
        if op.role[0] == "parameter":
            groups.setdefault(op.dtype, []).append(op)
    for dtype, parameters in groups.items():
        lanes = [parameters]
        keys = [op.role[2] for op in program.inputs if op.role[:2] == ("memory", parameters[0].role[1])]
        for key in keys:
            lane = [op for p in parameters for op in program.inputs if op.role == ("memory", p.role[1], key) and op.shape == p.shape]
            lanes += [lane] if len(lane) == len(parameters) and all(op.dtype == dtype for op in lane) else []
        if len(parameters) < 2 or not all(op in new and isinstance(new[op], Op) for lane in lanes for op in lane):
            continue
        known: dict[tuple[Any, ...], Op] = {}
        for lane in lanes:
            whole = Op(None, (), {}, end_to_end(*(op.value for op in lane)), ("flat", lane[0].role[0], dtype, *lane[0].role[2:]))
            whole.name = {"parameter": "parameters"}.get(lane[0].role[0], str(lane[0].role[-1]))
            inputs.append(whole)
            known[tuple(lane)] = whole
        fused: list[Op] = []
        for lane in lanes:
            together = joint(tuple(new[op] for op in lane), parameters, known, fused)
            together.name = together.name or f"new_{known[tuple(lane)].name}"
            updates = [(old, value) for old, value in updates if old not in lane]
            updates.append((known[tuple(lane)], together))
        ops += fused
    return drop_dead(replace(program, inputs=inputs, ops=ops, updates=updates))


def joint(lane: tuple[Any, ...], parameters: list[Op], known: dict[tuple[Any, ...], Op], made: list[Op]) -> Any:
    """Return one op for several that do the same with the parts: elementwise calls on what is laid end to end."""
    if lane in known:
        return known[lane]
    if all(x is lane[0] for x in lane) and isinstance(lane[0], Op) and lane[0].shape == ():
        return lane[0]
    if not any(isinstance(x, Op) for x in lane):
        return lane[0]
    functions = {x.function for x in lane}
    if len(functions) == 1 and elementwise(lane[0]) and not any(x.kwargs for x in lane) and all(
        all(fits(arg, p) or (np.shape(getattr(arg, "value", arg)) == () and same(arg, first)) for arg, first in zip(x.args, lane[0].args))
        for x, p in zip(lane, parameters)
    ):  # fmt: skip
        args = tuple(joint(column, parameters, known, made) for column in zip(*(x.args for x in lane)))
        op = Op(lane[0].function, args, {}, end_to_end(*(x.value for x in lane)))
    else:
        op = Op(end_to_end, lane, {}, end_to_end(*(getattr(x, "value", x) for x in lane)))
    op.place, op.errstate = lane[0].place, lane[0].errstate
    known[lane] = op
    made.append(op)
    return op


def elementwise(op: Any) -> bool:
    """Tell whether an op is a ufunc's call that gives one result."""
    return isinstance(op, Op) and isinstance(op.function, np.ufunc) and op.function.signature is None and op.function.nout == 1


def fits(x: Any, parameter: Op) -> bool:
    """Tell whether an argument belongs to a parameter entry by entry."""
    return isinstance(x, Op) and x.shape == parameter.shape and x.dtype == parameter.dtype


def same(x: Any, y: Any) -> bool:
    """Tell whether two arguments are one op, or equal constants."""
    return x is y or (not isinstance(x, Op) and not isinstance(y, Op) and key_of(x) == key_of(y))


def end_to_end(*arrays: Any) -> Any:
    """Return the entries of arrays one after the other."""
    return np.concatenate([np.ravel(x) for x in arrays])


@named
def negate_weights(program: Program) -> Program:
    """Compute e^-(x W + b) from -W and -b, which are negated together in one call, instead of negating each layer's result."""
    flat = [op for op in program.inputs if op.role[:2] == ("flat", "parameter") and op.value.size <= SMALL]
    users = program.users()
    made: list[Op] = []
    minus: dict[Op, Op] = {}
    for whole in flat:
        negated = Op(np.negative, (whole,), {}, -whole.value)
        made.append(negated)
        start = 0
        for op in program.inputs:
            if op.role[0] == "parameter" and op.dtype == whole.dtype:
                view = part(negated.value, start, op.shape)
                minus[op] = Op(part, (negated, start, op.shape), {}, view)
                made.append(minus[op])
                start += op.value.size

    def alone(x: Any, function: Any) -> bool:
        return isinstance(x, Op) and x.function is function and not x.kwargs and len(users.get(x, [])) == 1

    before: dict[Op, list[Op]] = {}
    instead: dict[Op, Op] = {}
    for op in program.ops:
        negative: Any = op.args[0] if op.function is np.exp and alone(op.args[0], np.negative) else None
        largest: Any = negative.args[0] if negative is not None else None
        z: Any = largest.args[0] if alone(largest, np.maximum) else None
        product: Any = z.args[0] if alone(z, np.add) else None
        if alone(product, np.dot) and product.args[1] in minus and z.args[1] in minus and not isinstance(largest.args[1], Op):
            dot = Op(np.dot, (product.args[0], minus[product.args[1]]), {}, -product.value)
            total = Op(np.add, (dot, minus[z.args[1]]), {}, -z.value)
            least = Op(np.minimum, (total, -largest.args[1]), {}, -largest.value)
            before[op], instead[op] = [dot, total, least], Op(np.exp, (least,), {}, op.value)
            for fresh, old in ((dot, product), (total, z), (least, largest), (instead[op], op)):
                fresh.place, fresh.errstate = old.place, old.errstate
            before[op].append(instead[op])
    if len(instead) < 2:
        return program
    before[program.ops[0]] = made + before.get(program.ops[0], [])
    return drop_dead(inserted(program, before, instead))


SMALL = 4096  # entries: above, the work outweighs the start of a call


@named
def side_by_side(program: Program) -> Program:
    """Do one elementwise call for several that do the same with different small arrays, which are laid end to end for it.

    So σ′ = a (1 - a) of all layers is two calls, made when the last a is there.
    """
    place = {op: i for i, op in enumerate(program.ops)}
    groups: dict[Any, list[Op]] = {}
    for op in program.ops:
        arrays = [x for x in op.args if isinstance(x, Op) and x.shape != ()]
        ready = elementwise(op) and not op.kwargs and arrays and all(x.shape == op.shape and x.dtype == op.dtype for x in arrays)
        ready = ready and all(isinstance(x, Op) or np.ndim(x) == 0 for x in op.args)
        if ready and op.value.size <= SMALL and op.value.flags.c_contiguous and all(x in place for x in arrays):
            alike = ["array" if isinstance(x, Op) and x.shape != () else key_of(x) for x in op.args]
            groups.setdefault((op.function, op.dtype, *alike, key_of(op.errstate)), []).append(op)
    known: dict[tuple[Any, ...], Op] = {}
    before: dict[Op, list[Op]] = {}
    parts: dict[Op, Op] = {}
    there: dict[Op, int] = {}  # from which call on a part is there
    for group in sorted(groups.values(), key=lambda group: place[group[0]]):
        first = place[group[0]]
        members = [op for op in group if all(there.get(x, place.get(x, -1)) < first for x in op.args if isinstance(x, Op))]
        if len(members) < 2:
            continue
        start, made, args, fresh = 0, [], [], {}
        for column in zip(*(op.args for op in members)):
            if not isinstance(column[0], Op) or column[0].shape == ():
                args.append(column[0])
                continue
            if column not in known and column not in fresh:
                if len(set(column)) < len(column) or not all(elementwise(x) or x.function is np.dot for x in column):
                    break
                fresh[column] = Op(end_to_end, column, {}, end_to_end(*(x.value for x in column)))
                made.append(fresh[column])
            args.append(known.get(column) or fresh[column])
        else:
            whole = Op(members[0].function, tuple(args), {}, end_to_end(*(op.value for op in members)))
            whole.place, whole.errstate = members[0].place, members[0].errstate
            known[tuple(members)] = whole
            made.append(whole)
            for op in members:
                parts[op] = Op(part, (whole, start, op.shape), {}, part(whole.value, start, op.shape))
                parts[op].name, parts[op].place = op.name, op.place
                there[op] = first
                start += op.value.size
            known.update(fresh)
            before.setdefault(group[0], []).extend([*made, *(parts[op] for op in members)])
    return drop_dead(inserted(program, before, parts))


def inserted(program: Program, before: dict[Op, list[Op]], instead: dict[Op, Op]) -> Program:
    """Return the program with calls put in front of others, and others in the place of some."""
    ops: list[Op] = []

    def renew(tree: Any) -> Any:
        return replaced(tree, Op, lambda op: instead.get(op, op))

    for op in program.ops:
        ops += before.get(op, [])
        if op not in instead:
            ops.append(op)
    for op in ops:
        if op.function is not end_to_end:
            op.args, op.kwargs = renew((op.args, op.kwargs))
    return replace(
        program, ops=ops, results=renew(program.results), updates=[(old, renew(new)) for old, new in program.updates],
        checks=[(renew(op), outcome) for op, outcome in program.checks], gradients={p: renew(g) for p, g in program.gradients.items()},
    )  # fmt: skip


def part(whole: Any, start: int, shape: tuple[int, ...]) -> Any:
    """Return a part of what was laid end to end."""
    return whole[start : start + int(np.prod(shape))].reshape(shape)
