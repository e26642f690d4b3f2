"""The plan of a program: where each value lies in memory, and the straight NumPy code that computes it there.

    plan = Plan(program, fixed)
    plan.run(X, y, lr)

Every result has a place in one block of memory, which is used again as soon as nothing needs what lay there. Transposes and slices of
arrays that always lie in one place are made once. What the caller gets is memory of its own.
"""

from __future__ import annotations

import operator
import re
from bisect import insort
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import Any

import numpy as np

from .calls import SYMBOLS, VIEWS, container, shape_of
from .layout import end_to_end, part
from .names import unique
from .program import Program
from .simplify import all_finite
from .trace import NUMBERS, WEAK, Op, astype, elementwise, operands

__all__ = ["VIOLATED", "Plan", "release"]

VIOLATED = object()  # what a run returns when a decision of the engine would go the other way this time
SCALARS = (*NUMBERS, np.generic)
ALIGNMENT = 64
PIECE = 500  # calls in a piece of the code
MANY = 1000  # buffers: above, they are placed in the order in which they are needed, which takes less time
WITH_OUT = {np.concatenate, np.stack, np.clip, np.einsum, astype}  # that can write their result into an array, besides ufuncs


@dataclass(eq=False)
class Stretch:
    """So many bytes of memory, from where they start, and the first and the last call that need them."""

    nbytes: int
    first: int
    last: int
    start: int = 0


class Plan:
    """A program with its memory and its code.

    Parameters
    ----------
    program : Program
    fixed : dict of Op to ndarray
        Inputs that always lie in the same array.
    without : tuple of str
        What not to do: "reuse_buffers", "work_in_place".

    Attributes
    ----------
    variables : the other inputs, in the order in which ``run`` takes them.
    run : the code; it returns a list of the results, then the new values of those inputs that are updated and are not fixed.
    text : the code as text.
    nbytes : the size of the memory that it owns, with that of its loops and kernels.
    """

    def __init__(self, program: Program, fixed: dict[Op, np.ndarray], without: tuple[str, ...] = ()) -> None:
        self.program, self.fixed, self.without = program, fixed, without
        self.variables = [op for op in program.inputs if op not in fixed]
        self.names: dict[Any, str] = {}  # of ops, and by the id of things from outside the code
        self.taken = {"run": 1}  # how often each name has been asked for
        self.space: dict[str, Any] = {}  # what the code finds by its names
        self.arrays: dict[Op, np.ndarray] = dict(fixed)  # of the ops that always lie in one place
        self.order = {op: i for i, op in enumerate(program.ops)}
        self.root: dict[Op, Op] = {}
        self.outs: dict[Op, list[Op]] = {}  # the results of each kernel's call
        self.kinds = {op: self.kind(op) for op in program.ops}
        self.lies_in: dict[Op, set[Op]] = {op: {op} for op in fixed}  # the fixed arrays in whose memory an op may lie
        for op in program.ops:
            if self.kinds[op] in ("view", "own"):
                self.lies_in[op] = {y for x in op.uses for y in self.lies_in.get(x, ())}
        self.lay_out()
        self.text = ""
        self.run: Callable[..., Any] = self.written()
        release(program)

    # What each op is
    def kind(self, op: Op) -> str:
        """Return how an op is computed: a "number", a "view", into a "buffer" that it is given, or into memory of its "own".

        A kernel's "call" computes several, of which each array is an "out".
        """
        x = op.args[0] if op.function in VIEWS else None
        if hasattr(op.function, "places"):
            self.outs[op] = []
            return "call"
        if isinstance(x, Op) and x in self.outs:
            self.outs[x].append(op)
            self.order[op] = self.order[x]
            return "out" if op.shape != () else "number"
        if isinstance(op.value, SCALARS):
            return "number"
        if isinstance(x, Op) and isinstance(x.value, np.ndarray) and op.uses == [x]:
            made = op.function(x.value, *op.args[1:], **op.kwargs)
            if np.may_share_memory(made, x.value):
                op.value = made  # (a pass may have given x another value than the recorded one: the view has to lie in that)
                self.root[op] = self.root.get(x, x)
                return "view"
        if op.shape != () and (op.function is end_to_end or self.can_write_into(op)):
            return "buffer"
        return "own"

    def can_write_into(self, op: Op) -> bool:
        """Tell whether a call can write its result into an array that it is given."""
        function = op.function
        if function is np.dot:
            return all(getattr(getattr(x, "value", x), "dtype", WEAK) == op.dtype and np.ndim(getattr(x, "value", x)) for x in op.args)
        if function is np.einsum and len(op.args) < 3:  # (which may be a view of its one operand)
            return False
        if function in WITH_OUT:
            return True
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc):
            return function.__name__ in ("reduce", "accumulate")
        return isinstance(function, np.ufunc) and function.nout == 1

    # Memory
    def lay_out(self) -> None:
        """Find each buffer its place: in the array that it updates or is a part of, else in the plan's own memory."""
        program = self.program
        self.last = self.last_uses()
        results = {self.root.get(op, op) for op in program.results if isinstance(op, Op)}
        self.fresh = {op for op in results if self.kinds.get(op) in ("buffer", "own")}
        self.copied: list[tuple[Op, Any]] = []  # what is copied to a fixed array at the end
        self.joined: dict[Op, list[Op]] = {}  # for an end_to_end, the parts that have to be copied into it
        self.constants: list[tuple[Op, int, np.ndarray]] = []  # parts of an end_to_end that never change
        self.placed = self.place_updates()
        self.parts = self.parts_in_place()
        self.stretches: dict[Op, Stretch] = {}
        size = self.allocate()
        memory = self.memory = aligned(size)
        self.nbytes = size + sum(getattr(op.function, "nbytes", 0) for op in program.ops)
        known: dict[Any, np.ndarray] = {}  # (NumPy works in place with less overhead on one array than on two that share memory)

        def shared(array: np.ndarray) -> np.ndarray:
            return known.setdefault((array.__array_interface__["data"][0], array.dtype, array.shape, array.strides), array)

        for op, stretch in self.stretches.items():
            self.arrays[op] = shared(array_in(memory, stretch.start + self.parts.get(op, (op, 0))[1], op.value))
        for whole, start, constant in self.constants:
            part(self.arrays[whole], start, constant.shape)[...] = constant
        self.arrays.update({op: self.fixed[target] for op, target in self.placed.items()})
        for op in program.ops:
            if self.kinds[op] == "view" and op.args[0] in self.arrays:
                self.arrays[op] = shared(op.function(self.arrays[op.args[0]], *op.args[1:], **op.kwargs))

    def allocate(self) -> int:
        """Give each buffer a stretch of memory for as long as it is needed; return how many bytes that takes."""
        reuse, end = "reuse_buffers" not in self.without, len(self.program.ops)
        overwrite = reuse and "work_in_place" not in self.without
        lasting = {whole for whole, _, _ in self.constants}
        self.last.update(dict.fromkeys(lasting, end))
        overwriting: set[Op] = set()
        for op in self.program.ops:
            if self.kinds[op] not in ("buffer", "out") or op in self.fresh or op in self.placed or op in self.stretches:
                continue
            below = self.overwritten_by(op, overwriting) if overwrite and op not in self.parts and elementwise(op) else None
            if below is not None:
                self.parts[op] = self.parts.get(below, (below, 0))
                overwriting.add(op)
            whole = self.parts.get(op, (op, 0))[0]
            if whole not in self.stretches:
                self.stretches[whole] = Stretch(whole.value.nbytes, 0 if whole in lasting or not reuse else self.order[op], end)
            self.last[whole] = max(self.last[whole], self.last[op])
            stretch = self.stretches[op] = self.stretches[whole]
            stretch.last = self.last[whole] if reuse else end
        return place(list(dict.fromkeys(self.stretches.values())))

    def overwritten_by(self, op: Op, overwriting: set[Op]) -> Op | None:
        """Return the argument over which a result can be written, since nothing needs it any more, if there is one."""
        last_read = (x for x in op.args if isinstance(x, Op) and is_alike(x.value, op.value) and self.last[x] == self.order[op])
        return next((x for x in last_read if x in self.stretches and (x not in self.parts or x in overwriting)), None)

    def last_uses(self) -> dict[Op, int]:
        """Return the number of the last call that needs each op's memory."""
        last = dict(self.order)
        for op in self.program.ops:
            for x in op.uses:
                last[x] = max(last.get(x, -1), self.order[op])
        for op in operands(self.program.wanted()):
            last[op] = len(self.program.ops)
        for op in reversed(self.program.ops):
            if self.kinds[op] in ("view", "own") or op.function is end_to_end:  # (a call that makes its own result may return a view)
                for x in op.uses:
                    last[x] = max(last[x], last[op])
        return last

    def place_updates(self) -> dict[Op, Op]:
        """Return for each new value that can be computed into the array that it updates that array's op; note the others as copied."""
        placed: dict[Op, Op] = {}
        sources = {self.root.get(new, new) for _, new in self.program.updates if isinstance(new, Op)}
        decided = max((self.order.get(op, -1) for op, _ in self.program.checks if isinstance(op, Op)), default=-1)
        for old, new in self.program.updates:
            if old not in self.fixed:
                continue
            free = elementwise(new) and self.kinds.get(new) == "buffer" and new not in {*placed, *self.fresh} and old not in sources
            if (
                free
                and self.order[new] > decided
                and not any(self.order[op] > self.order[new] and self.shares(x, old) for op in self.program.ops for x in op.uses)
            ):
                placed[new] = old
            else:
                self.copied.append((old, new))
        return placed

    def shares(self, x: Op, fixed: Op) -> bool:
        """Tell whether an op may lie in a fixed array's memory."""
        return any(np.may_share_memory(self.fixed[y], self.fixed[fixed]) for y in self.lies_in.get(x, ()))

    def parts_in_place(self) -> dict[Op, tuple[Op, int]]:
        """Return for each op that can be computed as a part of an end_to_end that one and the offset in bytes; note the others."""
        parts: dict[Op, tuple[Op, int]] = {}
        computed = {op for op, kind in self.kinds.items() if kind in ("buffer", "out")} - {*self.fresh, *self.placed}
        for whole in self.program.ops:
            if whole.function is end_to_end and whole not in self.fresh:
                start = 0
                self.joined[whole] = []
                for x in whole.args:
                    if not isinstance(x, Op):
                        self.constants.append((whole, start, x))
                    elif x in computed and x not in parts and x.value.flags.c_contiguous:
                        parts[x] = (whole, start * whole.value.itemsize)
                        self.last[whole] = max(self.last[whole], self.last[x])
                    else:
                        self.joined[whole].append(x)
                    start += getattr(x, "value", x).size
        return parts

    # Code
    def written(self) -> Callable[..., Any]:
        """Return the code as a function; of a long program it calls several, since Python takes much memory to compile a long one."""
        blocks = self.blocks()
        ending = self.copies_to_fixed()
        results = [self.result(y) for y in self.program.results]
        results += [self.argument(new) for old, new in self.program.updates if old not in self.fixed]
        ending.append(f"return {results[0]}" if len(results) == 1 else f"return [{', '.join(results)}]")
        for op in self.variables:
            self.names.setdefault(op, unique(op.name or "x", self.taken))
        given = [self.names[op] for op in self.variables]
        if len(blocks) > 1:
            blocks = [self.calls_of_pieces(blocks, ending, given)]
        return self.made("run", given, [*blocks[0], *ending])

    def blocks(self) -> list[list[str]]:
        """Return the code of all calls, in pieces."""
        blocks: list[list[str]] = []
        for start in range(0, max(len(self.program.ops), 1), PIECE):
            lines, state = [], None
            for op in self.program.ops[start : start + PIECE]:
                code = self.lines(op)
                if code and op.errstate != state and self.kinds[op] not in ("call", "view"):  # (which never warn)
                    state = op.errstate
                    lines += [f"with {self.bound(np.errstate, 'errstate')}(**{state!r}):"] if state else []
                lines += [f"    {line}" if state else line for line in (*code, *self.checks_after(op))]
            blocks.append(lines)
        return blocks

    def calls_of_pieces(self, blocks: list[list[str]], ending: list[str], given: list[str]) -> list[str]:
        """Make each piece a function of what it needs from before to what is needed later; return the code that calls them."""
        local = {self.names[op] for op in self.program.ops if op in self.names} - self.space.keys()
        passed = local | {*given}
        used = [set(re.findall(r"\w+", "\n".join(block))) & passed for block in (*blocks, ending)]
        last = {word: number for number, words in enumerate(used) for word in words}
        known, calls = set(given), []
        violated = f"return {self.bound(VIOLATED, 'VIOLATED')}"
        for number, block in enumerate(blocks):
            gives = sorted(word for word in used[number] - known if last[word] > number)
            piece = unique(f"piece_{number}", self.taken)
            takes = sorted(used[number] & known)
            self.space[piece] = self.made(piece, takes, [*block, f"return [{', '.join(gives)}]"])
            calls += [f"out = {piece}({', '.join(takes)})"]
            calls += [f"if out is VIOLATED: {violated}"] if any(violated in line for line in block) else []
            calls += [f"[{', '.join(gives)}] = out"] if gives else []
            known |= {*gives}
        return calls

    def made(self, name: str, given: list[str], lines: list[str]) -> Callable[..., Any]:
        """Return a function of these lines."""
        body = "\n".join(f"    {line}" for line in lines)
        text = f"def {name}({', '.join(given)}):\n{body}\n\n"
        self.text += text
        made: dict[str, Any] = {}
        exec(compile(text, f"<plan of {len(self.program.ops)} calls>", "exec"), self.space, made)
        return made[name]

    def copies_to_fixed(self) -> list[str]:
        """Return the code that copies new values to the fixed arrays in which they were not computed; all are read first."""
        sources = [self.result(new) if self.root.get(new, new) in self.fixed else self.argument(new) for _, new in self.copied]
        lines = [f"copy_{i} = {source}" for i, source in enumerate(sources)]
        return lines + [f"{self.bound(np.copyto, 'np_copyto')}({self.name(old)}, copy_{i})" for i, (old, _) in enumerate(self.copied)]

    def lines(self, op: Op) -> list[str]:
        if (self.kinds[op] == "view" and op in self.arrays) or any(x in self.outs for x in op.uses):
            return []
        if self.kinds[op] == "call":
            return [self.call(op)]
        if self.kinds[op] != "buffer" or op in self.fresh:
            return [f"{self.name(op)} = {self.expression(op)}"]
        return self.fill(op) if op.function is end_to_end else [self.computed_in_place(op)]

    def call(self, op: Op) -> str:
        """Return the code of a kernel's call, which writes arrays and returns numbers."""
        arrays = [self.name(out) for out in self.outs[op] if self.kinds[out] == "out"]
        numbers = ", ".join(self.name(out) for out in self.outs[op] if self.kinds[out] == "number")
        call = f"{self.bound(op.function.run, 'kernel')}({', '.join([*map(self.argument, op.args), *arrays])})"
        return f"{numbers} = {call}" if numbers else call

    def arguments(self, op: Op) -> tuple[list[str], list[str]]:
        """Return the code of an op's positional arguments and of its keyword arguments."""
        ufunc = isinstance(op.function, np.ufunc)  # (called with less overhead on an array of no axes than on a NumPy scalar)
        args = [self.argument(np.array(arg) if ufunc and isinstance(arg, np.number) else arg) for arg in op.args]
        return args, [f"{key}={self.argument(value)}" for key, value in op.kwargs.items()]

    def expression(self, op: Op) -> str:
        """Return the code of an op whose result gets memory of its own, is a number, or a view."""
        if op.function is all_finite:
            zeros = [self.bound(np.zeros(x.value.size, x.dtype), f"zeros{x.value.size}") for x in op.args]
            return " and ".join(f"{self.argument(x)}.ravel().dot({z}) == 0" for x, z in zip(op.args, zeros))
        args, kwargs = self.arguments(op)
        has_symbol = op.function in SYMBOLS and len(args) == 2 and not kwargs
        if has_symbol and self.kinds[op] == "number" and all(shape_of(x) == () for x in op.args):
            return f"{args[0]} {SYMBOLS[op.function]} {args[1]}"
        if op.function is np.transpose and len(op.args) == 1 and not kwargs:
            return f"{args[0]}.T"
        if op.function is operator.getitem:
            return f"{args[0]}[{args[1]}]"
        return f"{self.function(op)}({', '.join(args + kwargs)})"

    def computed_in_place(self, op: Op) -> str:
        """Return the code of an op whose result is written into the memory that was laid out for it."""
        args, kwargs = self.arguments(op)
        if op.function is astype:
            return f"{self.name(op)}[...] = {args[0]}"
        if op.function is np.dot:  # (the method has less overhead than the function)
            x = self.arrays.get(op.args[0], op.args[0]) if isinstance(op.args[0], Op) else op.args[0]
            method = f"{args[0]}.dot" if isinstance(x, Op) else self.bound(x.dot, f"{args[0]}_dot")
            return f"{method}({args[1]}, {self.name(op)})"
        if elementwise(op) and len(args) == op.function.nin and op.function not in (np.maximum, np.minimum):
            return f"{self.function(op)}({', '.join([*args, self.name(op), *kwargs])})"
        return f"{self.function(op)}({', '.join([*args, *kwargs, f'out={self.name(op)}'])})"

    def function(self, op: Op) -> str:
        """Return what an op's function is called in the code."""
        return self.bound(op.function, f"np_{getattr(op.function, '__name__', 'call')}")

    def fill(self, op: Op) -> list[str]:
        """Return the code that copies into an end_to_end the parts that are not computed there."""
        lines, start = [], 0
        for x in op.args:
            value = getattr(x, "value", x)
            if any(x is other for other in self.joined[op]):
                place = self.bound(part(self.arrays[op], start, value.shape), "part")
                lines.append(f"{place}[...] = {self.argument(x)}")
            start += value.size
        return lines

    def checks_after(self, op: Op) -> list[str]:
        """Return the code that gives up where a decision goes the other way."""
        return [
            f"if {'not ' if outcome else ''}{self.name(op)}: return {self.bound(VIOLATED, 'VIOLATED')}"
            for checked, outcome in self.program.checks if checked is op
        ]  # fmt: skip

    def result(self, y: Any) -> str:
        """Return the code of what the caller gets: never memory that a later run writes to, or that somebody else holds."""
        name = self.argument(y)
        if isinstance(y, Op):
            own = self.kinds.get(y) == "number" or (y in self.fresh and self.kinds[y] == "buffer")
        else:
            own = not isinstance(y, np.ndarray)
        return name if own else f"{self.bound(np.array, 'np_array')}({name})"

    def argument(self, x: Any) -> str:
        if isinstance(x, Op):
            return self.name(x)
        if any(operands(x)):
            return container(x, self.argument)
        if type(x) in (*NUMBERS, type(None), str) and (type(x) not in (float, complex) or np.isfinite(x)):
            return repr(x)
        return self.bound(x, "c")

    def name(self, op: Op) -> str:
        """Return what an op is called in the code."""
        if op not in self.names:
            self.names[op] = unique(op.name or "v", self.taken)
            if op in self.arrays:
                self.space[self.names[op]] = self.arrays[op]
        return self.names[op]

    def bound(self, thing: Any, name: str) -> str:
        """Return what something from outside the code is called in it."""
        if id(thing) not in self.names:
            self.names[id(thing)] = unique(name, self.taken)
            self.space[self.names[id(thing)]] = thing
        return self.names[id(thing)]


def release(program: Program) -> None:
    """Let go of the values of the recorded run, but for their shapes and dtypes; constants stay."""
    varying = set(program.inputs)
    for op in program.ops:
        if any(x in varying for x in op.uses):
            varying.add(op)
    for op in varying:
        if isinstance(op.value, np.ndarray) and op.value.ndim:
            op.value = blank(op.value.shape, op.value.dtype)


@lru_cache(256)
def blank(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Return an array that takes no memory."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def aligned(nbytes: int) -> np.ndarray:
    """Return memory that starts at a multiple of the width of the processor's vectors."""
    raw = np.zeros(nbytes + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + nbytes]


def array_in(memory: np.ndarray, offset: int, value: np.ndarray) -> np.ndarray:
    """Return an array in the memory of a value's shape, dtype and order of axes."""
    axes = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
    flat = memory[offset : offset + value.nbytes].view(value.dtype)
    return flat.reshape([value.shape[axis] for axis in axes]).transpose(np.argsort(axes) if axes else None)


def is_alike(x: Any, y: np.ndarray) -> bool:
    """Tell whether one array can lie where the other does."""
    return isinstance(x, np.ndarray) and x.shape == y.shape and x.dtype == y.dtype and x.strides == y.strides


def place(stretches: list[Stretch]) -> int:
    """Find each stretch a start such that those that are needed at one time lie side by side; return the end of all.

    The largest comes first, each in the lowest gap that fits.
    """
    for stretch in stretches:
        stretch.nbytes = -(-stretch.nbytes // ALIGNMENT) * ALIGNMENT
    if len(stretches) > MANY:
        return place_in_order(stretches)
    done: list[tuple[int, int, int, int]] = []  # start, end, first and last call, by start
    for stretch in sorted(stretches, key=lambda stretch: -stretch.nbytes):
        for low, high, first, last in done:
            if last < stretch.first or stretch.last < first:
                continue
            if low - stretch.start >= stretch.nbytes:
                break
            stretch.start = max(stretch.start, high)
        insort(done, (stretch.start, stretch.start + stretch.nbytes, stretch.first, stretch.last))
    return max((end for _, end, _, _ in done), default=0)


def place_in_order(stretches: list[Stretch]) -> int:
    """Do the same for many in less time: in the order in which they are needed, each in the place of one of its size if one is free."""
    end = 0
    used: list[tuple[int, int, int]] = []  # last call, bytes and start, a heap
    free: defaultdict[int, list[int]] = defaultdict(list)  # the starts of those of a size
    for stretch in sorted(stretches, key=lambda stretch: stretch.first):
        while used and used[0][0] < stretch.first:
            _, nbytes, start = heappop(used)
            free[nbytes].append(start)
        stretch.start = free[stretch.nbytes].pop() if free[stretch.nbytes] else end
        end = max(end, stretch.start + stretch.nbytes)
        heappush(used, (stretch.last, stretch.nbytes, stretch.start))
    return end
