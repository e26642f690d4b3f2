"""What lets one call do the work of several: what belongs together is laid side by side in memory.

    program = update_together(program)

Each leaves every result as it is, bit for bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..trees import content
from .program import Program
from .simplify import drop_dead
from .trace import Op, elementwise, replaced


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


def fits(x: Any, parameter: Op) -> bool:
    """Tell whether an argument belongs to a parameter entry by entry."""
    return isinstance(x, Op) and x.shape == parameter.shape and x.dtype == parameter.dtype


def same(x: Any, y: Any) -> bool:
    """Tell whether two arguments are one op, or equal constants."""
    return x is y or (not isinstance(x, Op) and not isinstance(y, Op) and content(x) == content(y))


def end_to_end(*arrays: Any) -> Any:
    """Return the entries of arrays one after the other."""
    return np.concatenate([np.ravel(x) for x in arrays])


def negate_weights(program: Program) -> Program:
    """Compute e^-(x W + b) from -W and -b, which are negated together in one call, instead of negating each layer's result."""
    flat = [op for op in program.inputs if op.role[:2] == ("flat", "parameter") and op.value.size <= SMALL]
    users = program.users()
    negated = {whole: Op(np.negative, (whole,), {}, -whole.value) for whole in flat}
    spots = {op: (negated[whole], start) for op, (whole, start) in spots_of(program).items() if whole in negated}
    minus = {op: Op(part, (*spot, op.shape), {}, part(spot[0].value, spot[1], op.shape)) for op, spot in spots.items()}
    made: list[Op] = [*negated.values(), *minus.values()]

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


def spots_of(program: Program) -> dict[Op, tuple[Op, int]]:
    """Return for each parameter, and for each part of an op, the whole in which it lies and where it starts there."""
    spots: dict[Op, tuple[Op, int]] = {op: op.args[:2] for op in program.ops if op.function is part}
    for whole in program.inputs:
        if whole.role[:2] == ("flat", "parameter"):
            start = 0
            for op in program.inputs:
                if op.role[0] == "parameter" and op.dtype == whole.dtype:
                    spots[op] = (whole, start)
                    start += op.value.size
    return spots


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
            alike = ["array" if isinstance(x, Op) and x.shape != () else content(x) for x in op.args]
            groups.setdefault((op.function, op.dtype, *alike, content(op.errstate)), []).append(op)
    homes = homes_of(program)
    known: dict[tuple[Any, ...], tuple[Op, list[int]]] = {}
    before: dict[Op, list[Op]] = {}
    parts: dict[Op, Op] = {}
    there: dict[Op, int] = {}  # from which call on a part is there
    for group in sorted(groups.values(), key=lambda group: place[group[0]]):
        first = place[group[0]]
        members = [op for op in group if all(there.get(x, place.get(x, -1)) < first for x in op.args if isinstance(x, Op))]
        if len(members) < 2:
            continue
        made: list[Op] = []
        args: list[Any] = []
        fresh: dict[tuple[Any, ...], tuple[Op, list[int]]] = {}
        layouts: list[list[int]] = []
        for column in zip(*(op.args for op in members)):
            if not isinstance(column[0], Op) or column[0].shape == ():
                args.append(column[0])
                continue
            if column not in known and column not in fresh:
                if len(set(column)) < len(column) or not all(elementwise(x) or x.function is np.dot for x in column):
                    break
                fresh[column] = laid([homes[x] if x in homes and place[homes[x][0]] < first else (x, 0) for x in column])
                made.append(fresh[column][0])
            whole, starts = known.get(column) or fresh[column]
            args.append(whole)
            layouts.append(starts)
        if len(args) == len(members[0].args) and all(starts == layouts[0] for starts in layouts):
            values = (getattr(x, "value", x) for x in args)
            whole = Op(members[0].function, tuple(args), {}, members[0].function(*values))
            whole.place, whole.errstate = members[0].place, members[0].errstate
            known[tuple(members)] = whole, layouts[0]
            made.append(whole)
            for op, start in zip(members, layouts[0]):
                parts[op] = Op(part, (whole, start, op.shape), {}, part(whole.value, start, op.shape))
                parts[op].name, parts[op].place = op.name, op.place
                there[op] = first
            known.update(fresh)
            before.setdefault(group[0], []).extend([*made, *(parts[op] for op in members)])
    return drop_dead(inserted(program, before, parts))


def homes_of(program: Program) -> dict[Op, tuple[Op, int]]:
    """Return for each op that lies with nothing but constants the end_to_end in which it does, and where it starts there."""
    homes: dict[Op, tuple[Op, int]] = {}
    for whole in program.ops:
        if whole.function is end_to_end and len(whole.uses) == 1:
            sizes = [getattr(x, "value", x).size for x in whole.args]
            homes |= {x: (whole, sum(sizes[:i])) for i, x in enumerate(whole.args) if isinstance(x, Op)}
    return homes


def laid(spots: list[tuple[Op, int]]) -> tuple[Op, list[int]]:
    """Return ops laid end to end, and where what starts somewhere in each of them starts in the whole."""
    wholes = tuple(whole for whole, _ in spots)
    ends = np.cumsum([0, *(whole.value.size for whole in wholes)]).tolist()
    return Op(end_to_end, wholes, {}, end_to_end(*(x.value for x in wholes))), [end + start for end, (_, start) in zip(ends, spots)]


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
        op.args, op.kwargs = renew((op.args, op.kwargs))
    return program.made_of(ops, renew)


def part(whole: Any, start: int, shape: tuple[int, ...]) -> Any:
    """Return a part of what was laid end to end."""
    return whole[start : start + int(np.prod(shape))].reshape(shape)
