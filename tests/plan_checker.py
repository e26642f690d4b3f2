"""An independent check of plans: no call may read memory that something else has been written to in the meantime.

The program is computed once with a new array for each result. Then the plan's code is run one call at a time on the same inputs, and
before each call all that it reads is compared with what that was when it was computed.
"""

import numpy as np

from tinygrad_hw.compiler.trace import operands


class Overwritten(AssertionError):
    """A call reads memory that no longer holds what it should."""


def check_plan(plan, rng):
    """Raise ``Overwritten`` if a call of the plan, or its end, finds something else than what was computed."""
    program = plan.program
    before = {op: np.array(array) for op, array in plan.fixed.items()}
    given = {op: drawn(op, rng) for op in plan.variables}
    try:
        for op, array in plan.fixed.items():
            if op.role[0] not in ("parameter", "memory"):  # (which are parts of a "flat" one, where there is one)
                array[...] = rng.uniform(0.5, 1.5, array.shape)
        right = computed(program, given | {op: np.array(array) for op, array in plan.fixed.items()})
        space = dict(plan.space) | {plan.names[op]: value for op, value in given.items()}
        for op in program.ops:
            expect(plan, space, right, op.uses, op)
            with np.errstate(**(op.errstate or {})):
                code = "\n".join(plan.lines(op))
                space |= {name: thing for name, thing in plan.space.items() if name not in space}
                exec(code, space)
        expect(plan, space, right, [op for op in operands(program.wanted()) if op not in plan.fixed], "the end")
        code = "\n".join(plan.copies_to_fixed())
        space |= {name: thing for name, thing in plan.space.items() if name not in space}
        exec(code, space)
        for old, new in program.updates:
            if old in plan.fixed and not np.allclose(plan.fixed[old], right.get(new, new), rtol=1e-6, atol=1e-9, equal_nan=True):
                raise Overwritten(f"{old} becomes {plan.fixed[old]}, not {right.get(new, new)}")
        results = plan.run(*given.values())
        for result in results if isinstance(results, list) else [results]:
            if isinstance(result, np.ndarray) and any(
                np.may_share_memory(result, memory) for memory in (plan.memory, *plan.fixed.values(), *given.values())
            ):
                raise Overwritten(f"the result {result} lies in memory that somebody else writes to")
    finally:
        for op, array in plan.fixed.items():
            array[...] = before[op]


def drawn(op, rng):
    """Return a value for an input: of its shape and dtype, positive and not large."""
    value = np.asarray(op.value)
    made = rng.integers(0, 2, value.shape) if value.dtype.kind in "biu" else rng.uniform(0.5, 1.5, value.shape)
    made = np.asarray(made).astype(value.dtype)
    return made if isinstance(op.value, np.ndarray) else made.item()


def computed(program, values):
    """Return the value of each op, all in arrays of their own."""
    values = dict(values)

    def filled(tree):
        if isinstance(tree, (tuple, list)):
            return type(tree)(map(filled, tree))
        if isinstance(tree, dict):
            return {key: filled(part) for key, part in tree.items()}
        return values.get(tree, tree) if type(tree).__name__ == "Op" else tree

    for op in program.ops:
        with np.errstate(**(op.errstate or {})):
            result = op.function(*filled(op.args), **filled(op.kwargs))
        values[op] = np.array(result) if isinstance(result, np.ndarray) else result
    return values


def expect(plan, space, right, ops, reader):
    """Raise if what a call reads is not what was computed."""
    for op in ops:
        if isinstance(right[op], (tuple, list)):
            continue
        found = space[plan.names[op]] if op in plan.names and plan.names[op] in space else plan.arrays[op]
        if not np.allclose(found, right[op], rtol=1e-6, atol=1e-9, equal_nan=True):
            raise Overwritten(f"{reader} finds {found} as {op}, which was {right[op]}")
