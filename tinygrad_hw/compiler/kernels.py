"""Numba for those parts of a program that it has code for: each becomes one call of a compiled kernel, and NumPy runs the rest.

    program, left = in_kernels(program)

What can be computed together is gathered into one kernel as far as the order of the calls allows. Long programs are
compiled in pieces, so that the time to compile grows with their length and no faster.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Collection
from heapq import heapify, heappop, heappush
from math import prod
from typing import Any

import numpy as np

from ..errors import CompileError
from ..rules.shaping import scatter
from .calls import REDUCED_BY, SYMBOLS, VIEWS, shape_of
from .layout import computed, end_to_end, like, part
from .loop import Loop, NativeLoop
from .native import JOINING, SPREADING, NativePlan, has_code, is_basic, is_entry, is_short
from .program import Program
from .simplify import all_finite
from .trace import NUMBERS, Op, astype, operands, replaced

__all__ = ["MOST", "in_kernels"]

MOST = 300  # calls in a program that becomes one kernel as a whole
PIECE, ROUND = 120, 40  # calls in one of several kernels: at most, and from where on it may end with a round of a loop
AHEAD = 10  # calls that a kernel may take from behind one that waits for it: what is computed long before it is needed leaves the caches
FEWEST = 4  # calls for which a kernel is made
SMALL = 200  # multiplications of a product: NumPy does larger ones as well
AS_FAST = {*VIEWS, np.dot, np.matmul, end_to_end}  # what NumPy does as well: nobody is warned of it


class Kernel:
    """Some calls of a program as one function, compiled by Numba: of what they use to what others use of them.

    Attributes
    ----------
    given : what it takes, ops and constant arrays.
    blocks : memory like that in which it puts the results that are arrays, a piece for each dtype.
    places : for each of these results the number of its block, and where it starts there.
    run : takes what is given, and blocks; it returns the other results.
    """

    __name__ = "kernel"

    def __init__(self, ops: list[Op], results: list[Op], renewed: Callable[[Any], Any], plans: dict[Any, NativePlan]) -> None:
        self.given: list[Any] = []
        inputs: list[Op] = []
        inside: dict[Any, Op] = {}

        def twin(x: Any) -> Any:
            if type(x) in (tuple, list):
                return type(x)(map(twin, x))
            if not isinstance(x, (Op, np.ndarray)) or (isinstance(x, np.ndarray) and not x.ndim):
                return x
            key = x if isinstance(x, Op) else id(x)
            if key not in inside:
                self.given.append(renewed(x))
                inside[key] = Op(None, (), {}, getattr(self.given[-1], "value", x), ("input", len(inputs)))
                inputs.append(inside[key])
            return inside[key]

        for op in ops:
            inside[op] = like(op, Op(op.function, twin(op.args), op.kwargs, op.value))
        ends: dict[Any, int] = {}
        self.places: dict[Op, tuple[int, int]] = {}
        for op in results:
            if op.shape != ():
                start = ends.setdefault(op.dtype, 0)
                self.places[op] = [*ends].index(op.dtype), start
                ends[op.dtype] = start + op.value.size
        self.blocks = [np.empty(size, dtype) for dtype, size in ends.items()]
        fixed = {inside[op]: part(self.blocks[i], start, op.shape) for op, (i, start) in self.places.items()}
        plan = NativePlan(Program(inputs, [inside[op] for op in ops], [inside[op] for op in results]), fixed, outputs=self.blocks)
        key = (plan.text, *plan.types)
        self.nbytes = 0 if key in plans else plan.nbytes
        if key not in plans:
            plan.compile_now()
            plans[key] = plan
        self.run = plans[key].run


def in_kernels(program: Program) -> tuple[Program, Counter[str]]:
    """Return the program with kernels in the place of what Numba has code for, and how often which other functions are called."""
    return Scheduler(program).scheduled()


class Scheduler:
    """Puts the calls of a program in an order in which as many as possible of those for Numba stand together.

    Attributes
    ----------
    ready : the calls whose arguments are there, by their place in the program.
    group : the calls that become the next kernel.
    waiting : calls for NumPy that use results of the group.
    ops : what is done.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.users = program, program.users()
        self.position = {op: i for i, op in enumerate(program.ops)}
        self.missing = {op: len({x for x in op.uses if x in self.position}) for op in program.ops}
        self.ready = [i for i, op in enumerate(program.ops) if not self.missing[op]]
        heapify(self.ready)
        self.wanted = set(operands(program.wanted()))
        self.group: dict[Op, None] = {}
        self.waiting: list[Op] = []
        self.ops: list[Op] = []
        self.instead: dict[Op, Op] = {}
        self.left_to_numpy: Counter[str] = Counter()
        self.plans: dict[Any, NativePlan] = {}  # those of the kernels so far: equal ones share their memory

    def scheduled(self) -> tuple[Program, Counter[str]]:
        """Return the program with kernels, and what was left to NumPy."""
        while self.ready or self.group or self.waiting:
            while self.ready and not self.is_full():
                self.schedule(self.program.ops[heappop(self.ready)])
            self.close_group()
        return self.program.made_of(self.ops, self.renewed), self.left_to_numpy

    def is_full(self) -> bool:
        """Tell whether the group ends here: where a round of a loop begins again, so that the kernels of its rounds are the same."""
        op, first = self.program.ops[self.ready[0]], next(iter(self.group), None)
        if first is not None and self.waiting and self.ready[0] > self.position[self.waiting[0]] + AHEAD:
            return True
        again = first is not None and (op.place, op.function, op.stage) == (first.place, first.function, first.stage)
        return len(self.group) >= PIECE or (again and len(self.group) >= ROUND)

    def schedule(self, op: Op) -> None:
        """Put a call into the group, or in front of it, or let it wait for the group."""
        if has_code_for_view(op, self.group) if is_view(op) else is_worth_compiling(op):
            self.group[op] = None
            self.release(op)
        elif any(x in self.group for x in op.uses):
            self.waiting.append(op)
        else:
            if op.function not in AS_FAST and not isinstance(op.function, (Loop, NativeLoop)):
                self.left_to_numpy[getattr(op.function, "__name__", str(op.function))] += 1
            self.emit(op)
            self.release(op)

    def release(self, op: Op) -> None:
        """Make those ready that waited for nothing else."""
        for user in dict.fromkeys(self.users[op]):
            self.missing[user] -= 1
            if not self.missing[user]:
                heappush(self.ready, self.position[user])

    def emit(self, op: Op) -> None:
        """Write down a call for NumPy."""
        op.args, op.kwargs = self.renewed((op.args, op.kwargs))
        if op.function in VIEWS and len(op.uses) == 1 and op.uses[0] is op.args[0]:  # (its argument may have another place in memory)
            op.value = op.function(op.args[0].value, *op.args[1:], **op.kwargs)
        self.ops.append(op)

    def close_group(self) -> None:
        """Write down the group, as one kernel if that is worth it and Numba compiles it; the calls that waited for it are then ready."""
        group = [*self.group]
        self.group = {}
        if sum(op.function not in VIEWS for op in group) < FEWEST or not self.emit_kernel(group):
            for op in group:
                self.emit(op)
        for op in self.waiting:
            heappush(self.ready, self.position[op])
        self.waiting = []

    def needed(self, group: list[Op]) -> set[Op]:
        """Return what of a group is needed outside of it, and what that is a view of."""
        inside = set(group)
        needed = {op for op in group if op in self.wanted or any(user not in inside for user in self.users[op])}
        for op in reversed(group):
            if op in needed and is_view(op):
                needed |= inside & {*op.uses}
        return needed

    def emit_kernel(self, group: list[Op]) -> bool:
        """Write down a group as one kernel, and behind it the views that others use; tell whether Numba compiles it."""
        needed = self.needed(group)
        results = [op for op in group if op in needed and not is_view(op)]
        try:
            kernel = Kernel(group, results, self.renewed, self.plans)
        except CompileError:
            return False
        values = [*kernel.blocks, *(op.value for op in results if op not in kernel.places)]
        whole = Op(kernel, tuple(kernel.given), {}, values)
        outs = [Op(operator.getitem, (whole, i), {}, value) for i, value in enumerate(values)]
        self.ops += [like(group[0], op) for op in (whole, *outs)]
        numbers = iter(outs[len(kernel.blocks) :])
        for op in results:
            if op in kernel.places:
                i, start = kernel.places[op]
                new = like(op, computed(part, outs[i], start, op.shape))
                self.ops.append(new)
            else:
                new = next(numbers)
            new.name, self.instead[op] = op.name, new
        for op in group:
            if op in needed and is_view(op):
                self.emit(op)
        return True

    def renewed(self, tree: Any) -> Any:
        """Return arguments with the ops that stand for the results of kernels."""
        return replaced(tree, Op, lambda op: self.instead.get(op, op))


# What Numba computes
def is_worth_compiling(op: Op) -> bool:
    """Tell whether Numba has code for a call, knows its dtypes, and is not slower by it than NumPy."""
    copies = op.function in (*JOINING, *SPREADING, scatter)
    read = op.args[0] if op.function in JOINING else op.args[:1] if copies else op.args
    if is_entry(op):
        return is_plain(op.args[0])
    if not has_code(op) or not all(map(is_plain, (op, *read))):
        return False
    if copies:
        return op.shape != ()
    if op.function in (np.dot, np.matmul):
        return is_small_product(op)
    if op.function in REDUCED_BY:
        return is_plain_reduction(op) and not is_short(op)
    if op.function in (np.where, astype):
        return op.shape != () and not is_short(op)
    known = op.function is all_finite or op.function in SYMBOLS or op.function in known_ufuncs()
    return known and not is_short(op)


def is_view(op: Op) -> bool:
    """Tell whether an op shows an array, or a part of it, in another way."""
    return op.function in VIEWS and not is_entry(op)


def is_plain(x: Any) -> bool:
    """Tell whether something is a number or an array of a dtype that kernels compute with."""
    if isinstance(x, np.dtype):
        return True
    value = x.value if isinstance(x, Op) else x
    if isinstance(value, complex) or not isinstance(value, (np.ndarray, np.generic, *NUMBERS)):
        return False
    if isinstance(x, Op) and isinstance(value, np.ndarray) and not value.ndim and x.function is not None:
        return False  # (an array of no axes is a number to a kernel, and to the others it has to stay an array)
    dtype = np.asarray(value).dtype
    return dtype.isnative and dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype != np.float16


def is_small_product(op: Op) -> bool:
    """Tell whether a product is one of few numbers."""
    shapes = [shape_of(x) for x in op.args]
    return np.asarray(op.value).dtype.kind == "f" and prod(shapes[0]) * (shapes[1][-1] if len(shapes[1]) == 2 else 1) <= SMALL


def is_plain_reduction(op: Op) -> bool:
    """Tell whether a reduction is of what has entries, by a function with a known start."""
    x = getattr(op.args[0], "value", op.args[0])
    floating = REDUCED_BY[op.function] not in (np.maximum, np.minimum) or x.dtype.kind == "f"
    return floating and x.size > 0 and is_plain(op.kwargs.get("initial", 0))


def has_code_for_view(op: Op, group: dict[Op, None]) -> bool:
    """Tell whether a kernel can make a view of what it computes."""
    x = op.args[0]
    if op.function is np.broadcast_to and isinstance(x, Op) and x.shape == ():
        return is_plain(x) and op.shape != ()
    if not isinstance(x, Op) or x not in group or op.uses != [x] or op.shape == ():
        return False
    if op.function in (np.reshape, np.ravel):
        return x.function not in VIEWS and x.value.flags.c_contiguous
    if op.function is operator.getitem:
        return is_basic(op.args[1])
    return op.function in (np.transpose, np.swapaxes, np.expand_dims, np.squeeze, np.broadcast_to)


def known_ufuncs() -> Collection[Any]:
    """Return the ufuncs that Numba knows."""
    from numba.np.ufunc_db import get_ufuncs

    return get_ufuncs()
