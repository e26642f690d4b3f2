"""The plan as machine code, by Numba: the same calls on the same memory, written as loops, neighbours fused into one.

The code is kept in a file of the user's cache directory, so that Numba compiles it once for all processes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import operator
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ..errors import CompileError
from ..rules.functions import COMPARISONS, SIGNS
from ..rules.reductions import broadcast_to
from ..rules.shaping import barrier, scatter
from .calls import REDUCED_BY, SYMBOLS, TRANSPOSES, axes_of, axis_of, folded_axes, full_index, order_of_axes, shape_of
from .layout import end_to_end
from .plan import VIOLATED, Plan
from .program import Program
from .simplify import all_finite
from .trace import NUMBERS, Op, astype, elementwise, operands

__all__ = ["NUMPY_ONLY", "NativePlan", "require_numba"]

NUMPY_ONLY = ("sum_by_product", "bias_in_product", "cast_first", "reuse_buffers", "work_in_place")
EXPONENTIAL = Path(__file__).with_name("exponential.py")
IMPORTS = ["import numpy as np", f"from {__package__}.{EXPONENTIAL.stem} import cosh, exp, log, log1p, plus, tanh, times"]
OWN = {np.exp: "exp", np.tanh: "tanh", np.cosh: "cosh", np.log: "log", np.log1p: "log1p"}
LARGE, NARROW = 2000, 8  # multiplications, and entries along each axis: from there on BLAS is faster (Numba calls SciPy's, if installed)
LONG = 16  # rounds of a loop
JOINING = (np.stack, np.concatenate)
SPREADING = (np.broadcast_to, broadcast_to, np.copy, barrier)  # (whose entries are those of the first argument)
FORMULAS = dict.fromkeys(SPREADING, "{}") | {
    np.where: "({1} if {0} else {2})", np.negative: "-{}", np.square: "{0} * {0}", np.reciprocal: "1 / {}",
    np.isinf: "(abs({}) == np.inf)", np.isnan: "({0} != {0})", np.isfinite: "(abs({}) < np.inf)",
}  # fmt: skip
STARTS: dict[np.ufunc, str] = {
    np.add: "0", np.multiply: "1", np.maximum: "-np.inf", np.minimum: "np.inf", np.logical_and: "True", np.logical_or: "False",
}  # fmt: skip


def require_numba() -> ModuleType:
    """Return Numba, or say how to get it."""
    try:
        import numba
    except ImportError as error:
        raise ImportError(
            "backend='numba' needs Numba, which is not installed: pip install numba (backend='numpy' needs nothing more)"
        ) from error
    return numba


class NativePlan(Plan):
    """A plan that Numba has compiled.

    Attributes
    ----------
    kernel : does n runs: ``kernel(n, losses, *variables, *memories)``; it returns the number of those done, and the new numbers.
    text : its source.
    looped : whether the kernel does several steps at a time: of a program that updates something and has a number as its one result.
    groups : the ops in the order in which they are computed, those together that share a loop.
    outputs : the arrays in ``fixed`` that are given anew at each run, after the variables. Results that lie there are not returned.
    """

    kernel: Callable[..., Any]
    losses: np.ndarray
    repeats = True  # whether the code stands in a loop of n runs

    def __init__(
        self, program: Program, fixed: dict[Op, np.ndarray], without: tuple[str, ...] = (), outputs: Sequence[np.ndarray] = ()
    ) -> None:
        require_numba()
        self.outputs, self.results = outputs, [y for y in program.results if y not in fixed] if outputs else program.results
        self.numbers = {old: new for old, new in program.updates if old not in fixed}
        self.looped = bool(program.updates) and len(program.results) == 1 and shape_of(program.results[0]) == ()
        self.returned = self.results if self.looped else [*self.results, *self.numbers.values()]
        self.types = [type(getattr(y, "value", y)) for y in self.returned]
        self.memories: list[np.ndarray] = []
        self.labels: dict[tuple[int, str], str] = {}
        self.counter = count(1)
        super().__init__(program, fixed, (*without, *NUMPY_ONLY))

    # Memory
    def kind(self, op: Op) -> str:
        kind = super().kind(op)
        return "buffer" if kind == "own" else kind

    def lay_out(self) -> None:
        """Find each buffer its place: what only the loop that computes it reads needs none, and what a loop reads stays to its end."""
        for op in self.program.ops:
            has_no_axes = isinstance(op.value, np.ndarray) and not op.value.ndim
            if has_no_axes or is_short(op) or (self.kinds[op] != "view" and not has_code(op)):
                raise no_code_for(getattr(op.function, "__name__", str(op.function)))
        self.users, wanted = self.program.users(), set(operands(self.program.wanted()))
        self.groups = self.grouped()
        for group in self.groups:
            for op in group:
                if len(group) > 1 and op not in wanted and set(self.users[op]) <= {*group}:
                    self.kinds[op] = "local"
        super().lay_out()
        self.bases = [self.memory, *{id(base): base for base in map(base_of, self.fixed.values())}.values()]

    def grouped(self) -> list[list[Op]]:
        """Return the groups: neighbours of one shape that are computed entry by entry. Those in one have the same number in the order."""
        groups: list[list[Op]] = []
        checked = {op for op, _ in self.program.checks}
        given = {self.root.get(op, op) for op in self.results if isinstance(op, Op)}  # (which are new arrays in each run)
        for op in self.program.ops:
            if self.kinds[op] != "view" or self.root[op] in given:
                if groups and self.fits_in(op, groups[-1]) and groups[-1][-1] not in checked:
                    groups[-1].append(op)
                else:
                    groups.append([op])
            self.order[op] = len(groups) - 1
        return groups

    def fits_in(self, op: Op, group: list[Op]) -> bool:
        """Tell whether an op can be computed in the loop that computes a group: it may not read a view of what is only being computed."""
        together = self.loopable(op) and self.loopable(group[0]) and group[0].shape == op.shape
        return together and not any(self.root.get(x) in group for x in op.uses)

    def place_updates(self) -> dict[Op, Op]:
        """Return what can be computed into the array that it updates, which no loop may read in another order than it writes to it."""
        placed = super().place_updates()
        for new, old in list(placed.items()):
            group = self.groups[self.order[new]]
            later = group[group.index(new) + 1 :]
            if any(self.shares(x, old) and (x is not old or op in later) for op in group for x in op.uses):
                del placed[new]
                self.copied.append((old, new))
        return placed

    def compile_now(self) -> None:
        """Let Numba compile the kernel, for arguments like the recorded ones; raise CompileError if it cannot."""
        from numba.core.errors import NumbaError

        given = (self.losses, *self.samples, *self.memories)
        try:
            self.kernel(0, *given)
        except (NumbaError, NotImplementedError) as error:
            raise no_code_for(str(error).partition("\n")[0]) from None
        except Exception:  # (Numba's cache is broken, in one of many ways)
            self.kernel = compiled_here(self.text)
            self.kernel(0, *given)
            self.run = self.runner()

    def like_recorded(self) -> list[Any]:
        """Return variables like those that were there when the program was recorded."""
        return [sample(op.value) for op in self.variables]

    def runner(self) -> Callable[..., Any]:
        """Return what runs the kernel once, and returns the results; of a step the loss, and the new numbers if there are some."""
        space = {"kernel": self.kernel, "losses": self.losses, "scalar": scalar, "VIOLATED": VIOLATED}
        given = [f"x{i}" for i, _ in enumerate(self.variables)]
        outputs = {array.ctypes.data: f"y{i}" for i, array in enumerate(self.outputs)}
        args = [x if op.shape else f"scalar({x})" for op, x in zip(self.variables, given)]
        for i, array in enumerate(self.memories):
            args.append(outputs.get(array.ctypes.data, f"m{i}"))
            space[f"m{i}"] = array
        if self.looped:
            out = "[losses[0], *done[1:]]" if self.numbers else "losses[0]"
        else:
            space |= {f"type_{i}": kind for i, kind in enumerate(self.types, 1)}
            outs = [f"done[{i}]" if kind is np.ndarray else f"type_{i}(done[{i}])" for i, kind in enumerate(self.types, 1)]
            out = outs[0] if len(outs) == 1 else f"[{', '.join(outs)}]"
        text = (
            f"def make({', '.join(space)}):\n    def run({', '.join([*given, *outputs.values()])}):\n"
            f"        done = kernel({', '.join(['1', 'losses', *args])})\n"
            f"        return {out} if done[0] else VIOLATED\n    return run"
        )
        made: dict[str, Any] = {}
        exec(text, {}, made)
        return made["make"](*space.values())

    def repeat(self, n: int, variables: list[Any]) -> tuple[np.ndarray, Any]:
        """Do n steps, the loop inside; return the losses of those done, and the new numbers."""
        losses = np.empty(n, self.losses.dtype)
        done = self.kernel(n, losses, *map(scalar, variables), *self.memories)
        return losses[: done[0]], done[1:]

    # Code
    def written(self) -> Callable[..., Any]:
        self.text, self.samples = self.write(), self.like_recorded()
        self.kernel = loaded(self.text)
        results = self.program.results
        self.losses = np.empty(1, getattr(getattr(results[0], "value", 0.0), "dtype", float)) if results else np.empty(1)
        return self.runner()

    def write(self) -> str:
        """Return the source of the kernel."""
        self.head = self.converted_variables()
        body: list[str] = []
        for group in self.groups:
            body += self.loop(group) if self.loopable(group[0]) else self.single(group[0])
            body += self.tests_after(group[-1])
        body += self.ending()
        variables = [self.names[op] for op in self.variables]
        lines = [f"def kernel(n, losses, {', '.join([*variables, *self.labels.values()])}):"]
        lines += [f"    {line}" for line in (*self.head, "zero = losses.size >> 40")] + (["    for k in range(n):"] if self.repeats else [])
        lines += [f"{'        ' if self.repeats else '    '}{left_rolled(line)}" for line in body]
        lines += [f"    return {self.outcome('n')}"] if self.looped else []
        return "\n".join([*IMPORTS, "", "", *lines, ""])

    def converted_variables(self) -> list[str]:
        """Name the variables; return the code that gives numbers their dtype."""
        lines = []
        for op in self.variables:
            name = self.names[op] = f"x{next(self.counter)}"
            if op.shape == () and op.dtype in (np.float32, np.float64):
                lines.append(f"{name} = np.{np.dtype(op.dtype).name}({name})")
        return lines

    def tests_after(self, op: Op) -> list[str]:
        """Return the code that gives up where a decision goes the other way."""
        outcomes = [outcome for checked, outcome in self.program.checks if checked is op]
        return [f"if {'not ' if outcome else ''}{self.number(op)}: return {self.outcome('k')}" for outcome in outcomes]

    def ending(self) -> list[str]:
        """Return the code that stores new values and hands out results."""
        program = self.program
        read = [self.whole(new) for _, new in self.copied]
        held = {i for i, (_, new) in enumerate(self.copied) if self.root.get(new, new) in self.fixed}
        lines = [f"copy_{i} = {read[i]}.copy()" for i in held]
        lines += [f"{self.whole(old)}[...] = {f'copy_{i}' if i in held else read[i]}" for i, (old, _) in enumerate(self.copied)]
        if not self.looped:
            return [*lines, f"return ({', '.join(['n', *map(self.result, self.returned)])},)"]
        lines.append(f"losses[k] = {self.number(program.results[0])}")
        return lines + [f"{self.names[old]} = {self.number(new)}" for old, new in self.numbers.items()]

    def outcome(self, done: str) -> str:
        """Return the code of what the kernel returns after so many runs, where it ends without results."""
        values = [done, *(self.names[old] for old in self.numbers)] if self.looped else ["0", *map(self.placeholder, self.returned)]
        return f"({', '.join(values)},)"

    def placeholder(self, y: Any) -> str:
        """Return the code of something of a result's type."""
        if not isinstance(y, Op):
            return self.result(y)
        return f"np.empty({y.shape}, np.{y.dtype.name})" if y.shape else "np.nan"

    def located(self, array: np.ndarray) -> str:
        """Return the code of an array that is a part of the memory; none if its entries do not lie together."""
        label, start = self.address(array)
        flat = f"{label}[{start}:{start + array.size}]"
        axes = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
        whole = array.transpose(axes)
        if not whole.flags.c_contiguous:
            return ""
        return transposed(f"{flat}.reshape({whole.shape})", np.argsort(axes).tolist())

    def address(self, array: np.ndarray) -> tuple[str, int]:
        """Return the memory that an array lies in, by its name, and where it starts."""
        for i, base in enumerate(self.bases):
            offset = array.ctypes.data - base.ctypes.data
            if 0 <= offset <= base.nbytes - array.nbytes and (array.nbytes or base.nbytes):
                key = (i, array.dtype.name)
                if key not in self.labels:
                    self.labels[key] = f"m{len(self.labels) + 1}"
                    whole = base.reshape(-1).view(np.uint8)
                    self.memories.append(whole[: whole.size // array.itemsize * array.itemsize].view(array.dtype))
                return self.labels[key], offset // array.itemsize
        raise no_code_for("an array that lies elsewhere")

    def view(self, op: Op) -> str:
        x = self.whole(op.args[0]) if op.args else ""
        if op.function in TRANSPOSES:
            return transposed(x, order_of_axes(op))
        if op.function in (np.reshape, np.ravel):
            return f"{x}.reshape({op.shape})"
        if op.function is np.broadcast_to:
            return f"np.broadcast_to({x}, {op.shape})"
        if op.function is np.expand_dims:
            added = axes_of(axis_of(op), len(op.shape))
            return f"{x}[{', '.join('None' if axis in added else ':' for axis, _ in enumerate(op.shape))}]"
        if op.function is np.squeeze:
            shape, axis = op.args[0].shape, axis_of(op)
            gone = {i for i, n in enumerate(shape) if n == 1} if axis is None else axes_of(axis, len(shape))
            return f"{x}[{', '.join('0' if axis in gone else ':' for axis, _ in enumerate(shape))}]"
        if op.function is operator.getitem and is_basic(op.args[1]):
            return f"{x}[{', '.join(map(index_text, indices(op.args[1])))}]"
        raise no_code_for(getattr(op.function, "__name__", "an array whose entries lie apart"))

    def loopable(self, op: Op) -> bool:
        """Tell whether an op is computed entry by entry."""
        if op.shape == () or self.kinds[op] == "view":
            return False
        return elementwise(op) or op.function in (np.where, astype, *SPREADING)

    def loop(self, group: list[Op]) -> list[str]:
        """Return one loop that computes several ops of one shape."""
        shape = group[0].shape
        variables = loop_variables(shape)
        local: dict[Op, str] = {}
        lines, made = [], []
        hoisted: dict[str, str] = {}  # the names of entries that are the same in each round of the innermost loop, by their code
        for op in group:
            local[op] = f"v{next(self.counter)}"
            args = [self.entry(arg, op, variables, local) for arg in (op.args[:1] if op.function in SPREADING else op.args)]
            for i, arg in enumerate(args):
                if "[" in arg and variables[-1] not in re.findall(r"\w+", arg):
                    args[i] = hoisted.setdefault(arg, f"u{next(self.counter)}")
            lines.append(f"{local[op]} = {self.formula(op, args)}")
            if self.kinds[op] != "local":
                made += self.made_memory(op)
                lines.append(f"{self.at(op, variables)} = {local[op]}")
        return [*made, *nested(variables, shape, lines, [f"{name} = {code}" for code, name in hoisted.items()])]

    def entry(self, arg: Any, op: Op, variables: list[str], local: dict[Op, str]) -> str:
        """Return the code of the entry of an argument that an entry of the result is computed from."""
        if isinstance(arg, Op) and arg in local:
            return local[arg]
        if (shape := shape_of(arg)) == ():
            return self.number(arg, op)
        axes = [variables[len(variables) - len(shape) + axis] if n > 1 or variables == [] else "0" for axis, n in enumerate(shape)]
        return self.at(arg, axes)

    def at(self, x: Any, place: list[str]) -> str:
        """Return the code of an entry: where memory and strides are known, straight from the memory; a number is its own."""
        if shape_of(x) == ():
            return self.number(x)
        array = self.arrays.get(x) if isinstance(x, Op) else None
        if array is None:
            return f"{self.whole(x)}[{', '.join(place)}]"
        label, start = self.address(array)
        steps = [(i, stride // array.itemsize) for i, stride in zip(place, array.strides) if i != "0"]
        terms = [i if step == 1 else f"{i} * {step}" for i, step in steps]
        return f"{label}[{' + '.join([str(start), *terms])}]"

    def formula(self, op: Op, args: list[str]) -> str:
        """Return the code of an op on numbers."""
        function, bound = op.function, op.args[-1]
        if function in (np.logical_and, np.bitwise_and) and {getattr(x, "dtype", None) for x in op.args} == {np.dtype(bool)}:
            return f"({args[0]} & {args[1]})"
        if function in (np.maximum, np.minimum) and not isinstance(bound, Op) and np.shape(bound) == () and not np.isnan(bound):
            return f"({args[1]} if {args[0]} {'<' if function is np.maximum else '>'} {args[1]} else {args[0]})"
        if function is astype:
            return f"np.{op.dtype.name}({args[0]})"
        if function in OWN:
            return f"{OWN[function]}({args[0]})" if op.dtype == np.float64 else f"np.{op.dtype.name}({OWN[function]}({args[0]}))"
        return called(function, args)

    def made_memory(self, op: Op) -> list[str]:
        """Return the code that makes the memory of a result that has no place in the plan's."""
        if op.shape == () or op in self.arrays:
            return []
        self.names[op] = f"o{next(self.counter)}"
        return [f"{self.names[op]} = np.empty({op.shape}, np.{op.dtype.name})"]

    def single(self, op: Op) -> list[str]:
        """Return the code of an op that is no loop over the entries of its result."""
        if self.kinds[op] == "view":
            self.names[op] = f"o{next(self.counter)}"
            return [f"{self.names[op]} = {self.view(op)}"]
        printers = {
            end_to_end: self.fill, np.dot: self.product, np.matmul: self.product, all_finite: self.finite, scatter: self.scattered,
            np.stack: self.beside, np.concatenate: self.beside,
        }  # fmt: skip
        return [*self.made_memory(op), *printers.get(op.function, self.reduction if op.function in REDUCED_BY else self.single_number)(op)]

    def single_number(self, op: Op) -> list[str]:
        """Return the code of an op that gives a number."""
        self.names[op] = f"s{next(self.counter)}"
        if op.function is operator.getitem:
            x = op.args[0]
            return [f"{self.names[op]} = {self.at(x, [str(i % n) for i, n in zip(indices(op.args[1]), x.shape)])}"]
        return [f"{self.names[op]} = {self.formula(op, [self.number(arg, op) for arg in op.args])}"]

    def product(self, op: Op) -> list[str]:
        """Return the code of a product of matrices or of a matrix and a vector."""
        x, y = op.args
        xs, ys = shape_of(x), shape_of(y)
        if min(xs + ys) >= NARROW and prod(xs) * (ys[-1] if len(ys) == 2 else 1) >= LARGE and importlib.util.find_spec("scipy"):
            return [f"np.dot({self.whole(x)}, {self.whole(y)}, {self.whole(op)})"]
        rows, columns = ["i0"] * (len(xs) - 1), ["i1"] * (len(ys) - 1)
        left, right = self.at(x, [*rows, "i2"]), self.at(y, ["i2", *columns])
        if not columns or ys[1] == 1:
            return self.folded(op, np.add, [*rows, *columns], ["i2"], xs[-1:], f"{left} * {right}")
        target = self.at(op, [*rows, *columns])
        inner = nested(["i2", "i1"], ys, [f"{target} += t * {right}"], [f"t = {left}"])
        return nested(rows, xs[:-1], [*nested(columns, ys[1:], [f"{target} = 0"]), *inner])

    def folded(
        self, op: Op, ufunc: np.ufunc, place: list[str], inner: list[str], shape: tuple[int, ...], value: str, start: str = ""
    ) -> list[str]:
        """Return the code that folds by a ufunc the values that the inner variables run over, for each place in an op."""
        if op.shape == ():
            self.names[op] = f"s{next(self.counter)}"
        number = f"np.{op.dtype.name}" if op.dtype.kind != "b" else ""
        t, bad = f"t{next(self.counter)}", f"b{next(self.counter)}"
        first, last = [f"{t} = {number}({start or STARTS[ufunc]})"], t
        if op.dtype.kind == "f" and ufunc in (np.maximum, np.minimum):  # (so that several are compared at a time, nan is treated apart)
            sign = ">" if ufunc is np.maximum else "<"
            steps = [f"v = {value}", f"{t} = v if v {sign} {t} else {t}", f"{bad} = {bad} | (v != v)"]
            first, last = [*first, f"{bad} = {t} != {t}"], f"{number}(np.nan) if {bad} else {t}"
        elif ufunc in (np.add, np.multiply) and op.dtype.kind == "f":
            steps = [f"{t} = {'plus' if ufunc is np.add else 'times'}({t}, {value})"]
        else:
            steps = [f"{t} = {called(ufunc, [t, value])}"]
        target = self.at(op, place)
        outer = [i for i in place if i != "0"]
        return nested(
            outer, [n for i, n in zip(place, op.shape) if i in outer], [*first, *nested(inner, shape, steps), f"{target} = {last}"]
        )

    def reduction(self, op: Op) -> list[str]:
        x, ufunc, folded = op.args[0], REDUCED_BY[op.function], folded_axes(op)
        variables = loop_variables(x.shape)
        left = [("0" if i in folded else v) for i, v in enumerate(variables) if i not in folded or op.kwargs.get("keepdims")]
        value, initial = self.at(x, variables), op.kwargs.get("initial")
        start = STARTS[ufunc] if initial is None else self.number(initial, op)
        kept = len(x.shape) - len(folded)
        if min(folded, default=kept) == kept:  # (the last axes)
            return self.folded(op, ufunc, left, variables[kept:], x.shape[kept:], value, start)
        outer, target = loop_variables(op.shape, "o"), self.at(op, left)
        return [
            *nested(outer, op.shape, [f"{self.at(op, outer)} = {start}"]),
            *nested(variables, x.shape, [f"{target} = {called(ufunc, [target, value])}"]),
        ]

    def scattered(self, op: Op) -> list[str]:
        """Return the code that puts an array at an index of zeros."""
        g = op.args[0]
        outer, inner = loop_variables(op.shape, "o"), loop_variables(g.shape)
        place, free, lengths = [], iter(inner), iter(op.shape)
        for part in full_index(op.args[1], len(op.shape)):
            if part is None:
                next(free)
            elif isinstance(part, slice):
                start, _, step = part.indices(next(lengths))
                place.append(f"({start} + {next(free)} * {step})")
            else:
                place.append(str(part % next(lengths)))
        zeros = nested(outer, op.shape, [f"{self.at(op, outer)} = 0"])
        return [*zeros, *nested(inner, g.shape, [f"{self.at(op, place)} = {self.at(g, inner)}"])]

    def beside(self, op: Op) -> list[str]:
        """Return the code that puts arrays beside each other, along an axis of theirs or a new one."""
        axis = axis_of(op, 0) % len(op.shape)
        lines, start = [], 0
        for x in op.args[0]:
            inner = loop_variables(shape := shape_of(x))
            if op.function is np.stack:
                place, length = [*inner[:axis], str(start), *inner[axis:]], 1
            else:
                place, length = [*inner[:axis], f"({start} + {inner[axis]})", *inner[axis + 1 :]], shape[axis]
            lines += nested(inner, shape, [f"{self.at(op, place)} = {self.at(x, inner)}"])
            start += length
        return lines

    def finite(self, op: Op) -> list[str]:
        """Return the code of a test for inf and nan."""
        self.names[op] = f"s{next(self.counter)}"
        lines = [f"{self.names[op]} = True"]
        for x in op.args:
            variables = loop_variables(x.shape)
            test = f"{self.names[op]} and np.isfinite({self.at(x, variables)})"
            lines += nested(variables, x.shape, [f"{self.names[op]} = {test}"])
        return lines

    def fill(self, op: Op) -> list[str]:
        """Return the code that copies into what is laid end to end the parts that are not computed there."""
        lines, start = [], 0
        for x in op.args:
            size = getattr(x, "value", x).size
            if any(x is other for other in self.joined.get(op, op.args)):
                variables = loop_variables(x.shape)
                terms = [f"{v} * {prod(x.shape[axis + 1 :])}" for axis, v in enumerate(variables)]
                place = " + ".join([str(start), *terms])
                lines += nested(variables, x.shape, [f"{self.at(op, [place])} = {self.at(x, variables)}"])
            start += size
        return lines

    def whole(self, x: Any) -> str:
        """Return the code of an array: its name, which is defined in front of the loop if it has none yet, or its entries."""
        if isinstance(x, Op):
            if x not in self.names:
                code = self.located(self.arrays[x]) if x in self.arrays else ""
                code = code or self.view(x)
                self.names[x] = f"a{next(self.counter)}"
                self.head.append(f"{self.names[x]} = {code}")
            return self.names[x]
        if isinstance(x, np.ndarray) and x.size <= 1000 and x.dtype.kind in "fiub":
            return with_names(f"np.array({x.ravel().tolist()}, np.{x.dtype.name}).reshape({x.shape})")
        raise no_code_for(f"a constant {type(x).__name__}")

    def number(self, x: Any, op: Op | None = None) -> str:
        """Return the code of a number, of the dtype that it takes on in an op."""
        if isinstance(x, Op):
            if x not in self.names and x in self.arrays:
                self.names[x] = "{}[{}]".format(*self.address(self.arrays[x]))
            code, weak = self.names[x], not isinstance(x.value, (np.ndarray, np.generic))
        else:
            value = x.item() if isinstance(x, (np.ndarray, np.generic)) else x
            if not isinstance(value, NUMBERS) or isinstance(value, complex):
                raise no_code_for(f"a constant {type(x).__name__}")
            code, weak = with_names(repr(value)), True
        if weak and op is not None and op.dtype == np.float32:
            return f"np.float32({code})"
        return f"({code})" if code[0] == "-" else code

    def result(self, y: Any) -> str:
        """Return the code of a result: an array of its own, or a number."""
        if isinstance(y, Op):
            return self.number(y) if y.shape == () else self.whole(y) if y in self.fresh else f"{self.whole(y)}.copy()"
        return self.whole(y) if isinstance(y, np.ndarray) else self.number(y)


def has_code(op: Op) -> bool:
    """Tell whether there is code for a call that is no view, whatever its dtypes."""
    x = op.args[0] if op.args else None
    if op.function in JOINING:
        return type(x) in (tuple, list) and not set(op.kwargs) - {"axis"}
    if op.function is scatter:
        return is_basic(op.args[1])
    if op.function in (np.dot, np.matmul):
        return not op.kwargs and all(0 < len(shape_of(y)) <= 2 for y in op.args)
    if op.function in REDUCED_BY:
        return len(op.args) == 1 and shape_of(x) != () and set(op.kwargs) <= {"axis", "keepdims", "initial"}
    if op.function in (end_to_end, all_finite, astype, *SPREADING) or is_entry(op):
        return True
    if op.function is np.where:
        return len(op.args) == 3
    known = elementwise(op) and len(op.args) == op.function.nin and getattr(np, op.function.__name__, None) is op.function
    return not op.kwargs and (op.function in SYMBOLS or known)


def is_entry(op: Op) -> bool:
    """Tell whether an op takes one number out of an array."""
    x = op.args[0] if op.function is operator.getitem and isinstance(op.value, np.generic) else None
    return isinstance(x, Op) and isinstance(x.value, np.ndarray) and all(type(i) is int for i in indices(op.args[1]))


def is_short(op: Op) -> bool:
    """Tell whether an op computes with integers that wrap around, or with True and False as numbers, in the way of NumPy's dtypes."""
    dtype = getattr(op.value, "dtype", None)
    if dtype is None or op.function is astype:
        return False
    return dtype.kind == "u" or (dtype.kind == "i" and dtype.itemsize < 8) or (dtype.kind == "b" and op.function in SYMBOLS)


def transposed(array: str, axes: list[int]) -> str:
    """Return the code of an array with its axes in another order: the reverse has a name, by which Numba knows that it is contiguous."""
    if axes == sorted(axes):
        return array
    return f"{array}.T" if axes == sorted(axes, reverse=True) else f"{array}.transpose({tuple(axes)})"


def called(function: Any, args: list[str]) -> str:
    """Return the code of a function of numbers."""
    if function in SYMBOLS or function in COMPARISONS:
        return f"{args[0]} {SIGNS[function]} {args[1]}"
    return FORMULAS[function].format(*args) if function in FORMULAS else f"np.{function.__name__}({', '.join(args)})"


def with_names(text: str) -> str:
    """Return the code of numbers, with names for those that have no digits."""
    return text.replace("nan", "np.nan").replace("inf", "np.inf")


def left_rolled(line: str) -> str:
    """Return a line with the length of a long loop hidden from the compiler, which would take seconds to write out its rounds."""
    return re.sub(r"range\((\d+)\):", lambda loop: f"range({loop[1]} + zero):" if int(loop[1]) >= LONG else loop[0], line)


def nested(variables: list[str], shape: Sequence[int], lines: list[str], before: Sequence[str] = ()) -> list[str]:
    """Return lines inside a loop over each axis, and others before the innermost."""
    for v, n in reversed([*zip(variables, shape)]):
        lines, before = [*before, f"for {v} in range({n}):", *(f"    {line}" for line in lines)], ()
    return [*before, *lines]


def loop_variables(shape: Sequence[int], letter: str = "i") -> list[str]:
    """Return the names of the loop variables for the axes of a shape."""
    return [f"{letter}{axis}" for axis, _ in enumerate(shape)]


def indices(index: Any) -> tuple[Any, ...]:
    """Return an index as a tuple."""
    return index if isinstance(index, tuple) else (index,)


def is_basic(index: Any) -> bool:
    """Tell whether an index consists of numbers, slices, None and ... ."""
    return all(type(part) in (int, slice, type(None), type(Ellipsis)) for part in indices(index))


def index_text(i: Any) -> str:
    """Return the code of one part of an index."""
    if isinstance(i, slice):
        return ":".join("" if part is None else repr(part) for part in (i.start, i.stop, i.step))
    return "..." if i is Ellipsis else repr(i)


def base_of(array: np.ndarray) -> np.ndarray:
    """Return the array that owns another's memory."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def sample(value: Any) -> Any:
    """Return something of the type that Numba sees in a value: how the entries of an array lie belongs to it."""
    if not isinstance(value, np.ndarray):
        return value
    made = np.zeros_like(value) if value.flags.forc else np.zeros((*value.shape, 2), value.dtype)[..., 0]
    made.flags.writeable = 0 not in value.strides or value.size == 0  # (what is broadcast can only be read)
    return scalar(made)


def scalar(x: Any) -> Any:
    """Return an array of no axes as a number."""
    return x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x


def no_code_for(what: str) -> CompileError:
    """Return the error for what cannot be compiled, which lets NumPy run it."""
    return CompileError(f"Numba has no code for {what}")


@lru_cache(256)
def loaded(text: str) -> Callable[..., Any]:
    """Return the kernel of a source text, compiled by Numba at its first call, and kept for other processes.

    It is kept in a folder that only the user can write to, or not at all.
    """
    numba = require_numba()
    name = f"kernel_{hashlib.sha256(f'{numba.__version__}{EXPONENTIAL.read_text()}{text}'.encode()).hexdigest()[:20]}"
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygrad_hw"
    try:
        path = kept_file(folder, f"{name}.py", text)
        spec: Any = importlib.util.spec_from_file_location(name, path)
        module = sys.modules[name] = importlib.util.module_from_spec(spec)  # (where Numba looks for it when it reads its cache)
        exec(compile(text, str(path), "exec"), module.__dict__)
        return numba.njit(cache=True, error_model="numpy")(module.kernel)
    except (OSError, RuntimeError):  # there is no place for the file
        return compiled_here(text)


def compiled_here(text: str) -> Callable[..., Any]:
    """Return the kernel of a source text, compiled for this process alone."""
    space: dict[str, Any] = {}
    exec(compile(text, "<kernel>", "exec"), space)
    return require_numba().njit(error_model="numpy")(space["kernel"])


def kept_file(folder: Path, name: str, text: str) -> Path:
    """Return the file that holds a text, written if it is not there or holds another; raise OSError if others may write there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & 0o022):
        raise OSError(f"{folder} can be written to by others")
    path = folder / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False, encoding="utf-8") as file:
            file.write(text)
        os.replace(file.name, path)
    return path
