"""Random NumPy programs with views and writes, run on arrays and on Tensors: every variable must end the same.

    python -m tinygrad_hw.testing.programs 10000
    python -m tinygrad_hw.testing.programs 1000 --seed 3 --smooth

A program is plain NumPy source: indexing, iteration, reshapes and their like, in-place operators, ``out=``, ``copyto``, ``sort``, aliases,
and statements that fail. What it gives on arrays is the oracle for what it gives on Tensors: values, shapes, dtypes, and which statements
raise. Where it is smooth, the complex step (Squire & Trapp 1998) is the oracle for its gradient.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..compiler import compile as compile_
from ..drawing import draw
from ..equations import explain
from ..errors import TinygradError
from ..tensor import Tensor, no_grad

__all__ = ["WAYS", "Program", "differences", "written"]

Choose = Callable[[Sequence[Any]], Any]
Env = dict[str, Any]
Shape = tuple[int, ...]
STEP = 1e-30
LARGE, TINY = 1e9, 1e-300  # beyond and below them rounding says more than the program

READ_ONLY_AND_WRITTEN = (".at", "concatenate", "stack", "copyto", "nan_to_num")  # NumPy's, that go on where they are given such an array

# What a program may say. In braces: x, the array to read or to write to; y and z, what can be broadcast to it; c, a number; op, an
# in-place operator; new, a new variable; the others say what they are.
VIEWS = """
{x}[{basic}] | {x}[{basic}] | {x}[{basic}][...] | {x}.reshape(-1{order}) | np.reshape({x}, {reshape}{order}) | {x}.ravel()
{x}.ravel('F') | np.ravel({x}) | {x}.T | np.transpose({x}) | {x}.transpose() | np.swapaxes({x}, {axis}, -1) | {x}.swapaxes(0, {axis})
np.moveaxis({x}, {axis}, 0) | np.rollaxis({x}, {axis}) | np.rot90({x}) | {x}.squeeze() | np.squeeze({x}) | np.expand_dims({x}, {axis})
np.flip({x}, {axis}) | np.flipud({x}) | np.fliplr({x}) | np.atleast_1d({x}) | np.atleast_2d({x}) | np.atleast_3d({x}) | {x}.diagonal()
np.diagonal({x}, 1) | np.diag({x}) | np.broadcast_to({x}, (2, *{shape})) | np.split({x}, [1], {axis})[-1] | np.array_split({x}, 2)[1]
np.vsplit({x}, 2)[0] | np.hsplit({x}, [1])[1] | list({x})[-1] | np.matrix_transpose({x}) | {x}.mT | {x}[{basic}].T
np.einsum('ij->ji', {x}) | (np.einsum('ii->i', {x}[:1, :1]) if {x}.size else 0) | {x}.reshape({reshape}) | {x}[...]
{x}.astype({x}.dtype, copy=False) | {x}.view() | np.squeeze({x}, {axis}) | np.unstack({x})[0] | np.linalg.diagonal({x}) | np.flip({x})
np.reshape({x}, {reshape}{order}, copy=False) | np.permute_dims({x}) | np.lib.stride_tricks.sliding_window_view({x}, 1, {axis})
{x}.reshape({reshape}, copy=True) | {x}.astype({x}.dtype, order='F', copy=False) | {x}.copy('F')
"""
OTHER_VIEWS = "np.real({x}) | {x}.real | np.imag({x}) | {x}.imag"
NEW = """
np.broadcast_arrays({x}, np.ones({shape}))[0] * 2 | {x} + {y} | {x} - {y} | {x} * {y} | {y} - {x} | -{x} | +{x} | np.sin({x})
np.tanh({x}) | {x} * {x} | {x}.copy() | np.copy({x}) | {x}.flatten() | {x}.sum({axis}) | np.sum({x})
{x}.mean(axis={axis}, keepdims=True) | {x}[{fancy}] | np.concatenate([{x}, {x}]) | np.stack([{x}, {x}], {axis})
np.where({x} > 0.5, {x}, {y}) | np.cumsum({x}, {axis}) | np.roll({x}, 1) | np.repeat({x}, 2) | np.take({x}, [0, -1], {axis}) | {x} / 2
{x} ** 2 | np.add({x}, {y}) | np.multiply.outer({x}, np.ones(2)) | {x} @ {x}.T | np.tile({x}, 2) | np.append({x}, {x})
{x}[{fancy}][{c} > 0] | np.meshgrid({x}, {y}, copy=False)[0] * 2
"""
STEPS = """
{x} > {y} | {x} <= {y} | {x} == {y} | {x} // 2 | {x} % 2 | np.abs({x}) | np.sort({x}, {axis}) | np.argsort({x}, {axis})
np.maximum({x}, {y}) | np.clip({x}, -1, 1) | ~({x} > 0) | ({x} > 0) & ({x} < 2) | np.round({x}) | np.max({x}, {axis}) | {x}.astype(int)
{x}.astype(np.float32) | np.sign({x}) | np.floor({x}) | np.argmax({x}, {axis}) | {x}.any() | len({x}) | np.count_nonzero({x})
np.unique({x}) | np.frexp({x})[0]
"""
ASSIGNMENTS = """
{x}[{basic}] = {c} | {x}[{basic}] = {y} | {x}[{i}] = {part} | {x}[{i}] {op} {part} | {x}[{fancy}] {op} {c} | {x}[{fancy}] = {c}
{x}.T[{some}] {op} {c} | {x}.reshape(-1)[{some}] {op} {c} | {x}.ravel()[{some}] = {c} | {x}.flat[{some}] = {c} | {x}[...][{some}] = {c}
{x}[0][{some}] {op} {c} | {x}[{mask}] {op} {c} | {x}[{mask}] = {c} | {x}.flat[{some}] {op} {c} | {x}.flat = {y} * 1 | {x}.T[{mask}] = {c}
"""
IN_PLACE = "{x} {op} {y} | {x} {op} {c} | {x} {op} {x} | {x} {op} {x}[{basic}]"
FUNCTIONS = """
np.copyto({x}, {y}) | np.copyto({x}, +{y}, where={mask}) | np.copyto({x}[{basic}], {c}) | np.put({x}, {places}, {c})
np.putmask({x}, {mask}, {c}) | np.put({x}, {places}, [1.5, 2.5], mode='wrap') | np.put({x}, [0, 9], 1.5, mode='clip')
np.putmask({x}, {mask}, {y}) | np.place({x}, {mask}, [1.25, 0.5]) | np.fill_diagonal({x}, {c}) | np.fill_diagonal({x}, {c}, wrap=True)
{x}.fill({c}) | np.put_along_axis({x}, np.zeros((1,) * {ndim}, int), {c}, {axis}) | np.add.at({x}, np.s_[{fancy}], {c})
np.multiply.at({x}, np.s_[{fancy}], {c}) | np.negative.at({x}, np.s_[{fancy}]) | np.add.at({x}.T, np.s_[{basic}], {c})
np.put_along_axis({x}, np.argsort({x}, {axis}), {y}, {axis}) | np.fill_diagonal({x}.T, {c}) | np.copyto({x}.T, {c}, where={mask})
np.subtract.at({x}, [0, 0], {c}) | {x}.put({places}, {c}) | {x}.flat = {c} | {x}.T[...] = {c} | np.add.at({x}, [0, -1, 0], {x}[0])
"""
SORTS = "{x}.sort() | {x}.sort({axis}) | {x}.sort(axis=0, kind='stable')"
OTHER_FUNCTIONS = """
{x}.partition(1) | {x}.partition(0, axis={axis}) | np.nan_to_num({x}[...], copy=False) | {x}.imag = {c} | {x}.real = {c}
np.maximum.at({x}, [0, -1, 0], {c}) | {x}.real {op} {c} | {x}.imag[{some}] = {c} | {x}.T.sort() | np.greater.at({x}, [0], {c})
"""
RESULTS_GIVEN = """
np.add({y}, {z}, out={x}) | np.sin({y}, out={x}) | np.multiply({y}, {z}, out={x}, where={mask}) | np.negative({y}, {x})
np.subtract({x}, {c}, {x}) | np.tanh({x}, out={x}, where={mask}) | np.sum({y}, axis=0, out={x})
(np.cumsum({x}, 0, out={x}) if {x}.ndim else 0)
np.matmul({y}, {z}, out={x}) | np.add({y}, {z}, out=({x},)) | np.multiply({y}, {c}, out={x}[{basic}]) | np.mean({y}, axis=-1, out={x})
np.concatenate([{x}[:1], {x}[1:]], out={x}) | {new} = np.add({x}, {y}, out={x}) | np.stack([{x}[0], {x}[-1]], out={x}[:2])
np.sum({y}, out={x}[0]) | np.add({x}[1:], {x}[:-1], out={x}[1:]) | np.multiply({x}, 2, out={x}.T) | np.add.reduce({y}, out={x})
np.add.accumulate({x}, out={x}) | np.sum({y}, 0, None, {x}) | np.cumsum({x}, {axis}, None, {x}) | np.take({y}, [0, -1], 0, {x}[:2])
np.dot({y}, {z}, {x}) | np.einsum('...->...', {y}, out={x}) | np.prod({y}, axis=0, out={x}[0]) | np.add.reduce({y}, {axis}, None, {x})
np.add({y}, {z}, out={x}, casting='unsafe') | np.add({y}, {z}, out={x}, dtype=float) | {x}.mean(0, None, {x}[-1])
"""
STEPS_GIVEN = """
np.maximum({y}, {z}, out={x}) | np.clip({x}, -1, 1, out={x}) | np.round({y} + 0 * {x}, out={x}) | np.max({y}, 0, out={x})
np.floor_divide({x}, 2, out={x}) | {x}.clip(0, 1, out={x}) | {x}.sum(0, out={x}[0]) | np.greater({y}, {z}, out={x})
np.argmax({y}, 0, out={x}) | np.logical_and({y}, {z}, out={x}) | np.clip({y}, -1, 1, {x}) | np.clip({x}, 0, 1, out={x}, where={mask})
np.round({y}, 0, {x}) | np.median({y}, 0, {x}) | np.divmod({y}, 2, out=({x}, None)) | np.minimum.accumulate({x}, out={x})
np.modf({y}, out=({x}, {x}.copy()))
"""
LOOPS = """
for row in {x}: row {op} {c} | for row in {x}: row[...] = {c} | for i in range(len({x})): {x}[i] = {x}[i - 1] * 0.5 + 1
{x}[1:] += {x}[:-1] | for i, row in enumerate({x}): {x}[i] = row + i | {x}[0], {x}[-1] = {x}[-1], {x}[0] | {x}[:-1] = {x}[1:]
{x}[::-1] = {x} | {x}[...] = {x}[::-1] * 2 | first, *rest = {x}; first {op} {c} | {x} += {x}[0]
for row in np.split({x}, len({x})): row *= 2 | rows = list({x}); rows[0][...] = {c} | (lambda t: t.fill({c}))({x}[-1:])
for i in np.ndindex({x}.shape): {x}[i] {op} {c} | for row in {x}.T: row += row | {new} = {x}[None]; {new} += {x}
{x}[...] = list({x}.flat)[0] | {new} = {x}.T; {new}[0] = {new}[-1] | {x}[0], {x}[-1] = {x}[-1].copy(), {x}[0].copy()
for i in range(3): {x} *= 0.5 | {x} = {x} + {c}; {x}[0] = {c} | {new} = {x}; {new} {op} {c} | {x}, {new} = {x}[0], {x}
for a, b in zip({x}, {x}[::-1]): a[...] = b | {new} = [t * 1 for t in {x}]; {new}[0] {op} {c} | {new} = {x}[:]; del {x}; {new}[...] = {c}
"""


OPERATORS = ("+=", "-=", "*=", "/=", "**=", "//=", "%=", "&=", "|=", "^=", "<<=", ">>=", "@=")


def ways(*tables: str) -> list[str]:
    """Return the entries of tables."""
    return [way.strip() for table in tables for line in table.strip().splitlines() for way in line.split(" | ")]


STATEMENTS: dict[bool, list[list[str]]] = {  # smooth or not; each kind as often as it stands here
    smooth: [
        *[[f"{{new}} = {way}" for way in ways(VIEWS, *([] if smooth else [OTHER_VIEWS]))]] * 6,
        *[[f"{{new}} = {way}" for way in ways(NEW, *([] if smooth else [STEPS]))]] * 3,
        ["{new} = {x}"],
        *[ways(ASSIGNMENTS)] * 3,
        *[ways(IN_PLACE)] * 2,
        *[ways(FUNCTIONS, SORTS, *([] if smooth else [OTHER_FUNCTIONS]))] * 2,
        ways(RESULTS_GIVEN, *([] if smooth else [STEPS_GIVEN])),
        ways(LOOPS),
    ]
    for smooth in (False, True)
}


@dataclass(frozen=True)
class Program:
    """Statements over the variables v0, v1, ..., of which the first hold the inputs; ``repr`` is a script that runs it."""

    inputs: tuple[np.ndarray, ...]
    statements: tuple[str, ...]

    @cached_property
    def codes(self) -> list[Any]:
        """The statements, compiled."""
        return [compile(statement, f"<statement {k}>", "exec") for k, statement in enumerate(self.statements)]

    def run(self, variables: Env) -> list[BaseException | None]:
        """Run the statements on variables, which they change, and return for each the error that it raised."""
        space = {"np": np, **variables}
        errors = [attempt(code, space) for code in self.codes]
        variables.clear()
        variables.update((name, value) for name, value in space.items() if name != "np" and not name.startswith("__"))
        return errors

    def __repr__(self) -> str:
        lines = [
            f"v{k} = np.array({x.tolist() if x.size else f'np.zeros({x.shape})'}, np.{x.dtype}{order_of(x)})"
            for k, x in enumerate(self.inputs)
        ]
        return "\n".join([*lines, *self.statements])


def attempt(code: Any, space: Env) -> BaseException | None:
    """Run a statement and return its error."""
    try:
        exec(code, space)
    except Exception as error:
        return error
    return None


def order_of(x: np.ndarray) -> str:
    """Return the argument that makes an array lie in memory as this one does."""
    return "" if x.flags.c_contiguous else ", order='F'"


class Writer(dict[str, str]):
    """Writes a program statement by statement, and runs each on arrays to know which shapes there are.

    It is also what fills the braces of a statement: each name is drawn when it is met.
    """

    def __init__(self, choose: Choose, smooth: bool) -> None:
        super().__init__()
        self.choose, self.smooth = choose, smooth
        self.variables: Env = {}
        self.count = 0

    def __missing__(self, name: str) -> str:
        text = str(getattr(self, f"_{name}")())
        if name in ("x", "i", "new", "axis"):  # (the same everywhere in the statement)
            self[name] = text
        return text

    def number(self, low: int, high: int) -> int:
        """Return a number from low to high, high included."""
        return int(self.choose(range(low, high + 1)))

    def rarely(self) -> bool:
        """Return True one time in eight."""
        return self.number(0, 7) == 7

    def array(self, fits: Callable[[Any], bool]) -> str:
        """Return the name of an array that fits, most of the time."""
        arrays = [name for name, x in self.variables.items() if isinstance(x, (np.ndarray, np.generic))]
        fitting = [name for name in arrays if fits(self.variables[name])]
        return str(self.choose(fitting if fitting and not self.rarely() else arrays))

    @property
    def shape(self) -> Shape:
        """The shape of the array that the statement is about."""
        return np.shape(self.variables[self["x"]])

    # What stands for the braces
    def _x(self) -> str:
        return self.array(lambda x: x.dtype.kind == "f" or not (self.smooth or self.rarely()))

    def _new(self) -> str:
        if self.count > 2 and self.rarely():
            return self.array(lambda x: True)
        self.count += 1
        return f"v{self.count - 1}"

    def _c(self) -> str:
        return str(self.choose(("0.5", "2.0", "-1.5", "1.0", "3", "0.25", "-1")))

    def _op(self) -> str:
        return str(self.choose(OPERATORS[:3] if self.smooth else OPERATORS))

    def _y(self) -> str:
        return self.operand(self.shape)

    _z = _y

    def _shape(self) -> str:
        return str(self.shape)

    def _ndim(self) -> int:
        return len(self.shape)

    def _axis(self) -> int:
        ndim = len(self.shape)
        return self.number(-ndim, ndim - 1) if ndim and not self.rarely() else self.number(-1, 1)

    def _order(self) -> str:
        return str(self.choose(("", ", order='F'", ", order='A'")))

    def _reshape(self) -> str:
        size = int(np.prod(self.shape))
        return str(self.choose((-1, (size,), (1, -1), (-1, 1), (2, -1), (size, 1))))

    def _places(self) -> str:
        size = int(np.prod(self.shape))
        return str([self.number(-size, size - 1) for _ in range(2)] if size else [])

    def _mask(self) -> str:
        return f"{self.operand(self.shape) if self.rarely() else self['x']} {self.choose('<>')} {self._c()}"

    def _some(self) -> str:
        return str(self.choose(("...", "0", "1:", "::2", "-1", ":1")))

    def _i(self) -> str:
        return self._fancy() if self.number(0, 3) == 0 else self._basic()

    def _part(self) -> str:
        """Return what can be broadcast to the part that the index takes."""
        try:
            part = eval(f"{self['x']}[{self['i']}]", {"np": np, **self.variables})
        except Exception:
            return self._c()
        return self.operand(np.shape(part))

    def _basic(self) -> str:
        """Return a basic index: integers, slices, an ellipsis, new axes."""
        shape, parts = self.shape, []
        for n in shape[: self.number(1, len(shape)) if shape else 0]:
            kind = self.number(0, 5)
            slices = (":", "1:", ":-1", "::-1", "::2", "0:1", "-2:", "1:3")
            parts.append(str(self.number(-n, n - 1)) if kind == 0 and n else ":" if kind == 1 else str(self.choose(slices)))
        if self.rarely():
            parts.insert(self.number(0, len(parts)), "None")
        if not parts or self.rarely():
            parts.insert(self.number(0, len(parts)), "...")
        return ", ".join(parts)

    def _fancy(self) -> str:
        """Return an advanced index: lists with repeats, masks, both beside slices."""
        shape = self.shape
        if not shape or not all(shape):
            return "..."
        kind, n = self.number(0, 5), shape[0]
        numbers = [self.number(-n, n - 1) for _ in range(self.number(1, 3))]
        if kind == 0:
            return f"{self['x']} > {self._c()}"
        if kind == 1:
            return f"np.arange({n}) % 2 == 0"
        if kind in (2, 3) and len(shape) > 1:
            return f"{':' if kind == 2 else numbers}, {[k % shape[1] for k in numbers]}"
        if kind == 4 and not self.smooth:
            return self.array(lambda x: x.dtype.kind in "ib" and x.ndim == 1)
        return str(numbers)

    def operand(self, shape: Shape) -> str:
        """Return what can be broadcast to a shape, most of the time."""
        kind = self.number(0, 7)
        if kind <= 1:
            return self._c()
        if kind == 2:
            return self.literal(shape[self.number(0, len(shape)) :])
        if kind == 3 and shape:
            return self.literal((1, *shape[1:]))
        name = self.array(lambda x: fits_into(x.shape, shape) and (not self.smooth or x.dtype.kind == "f"))
        text = f"{name} * {self._c()}" if kind == 4 else f"{name}[{self._some()}]" if kind == 5 else name
        return f"{text}.copy()" if self.may_overtake(text) else text

    def may_overtake(self, text: str) -> bool:
        """Tell whether NumPy may read entries of a vector after it has written to them: it does so where the strides differ."""
        try:
            value = eval(text, {"np": np, **self.variables})
        except Exception:
            return False
        return np.ndim(value) == 1 and np.shares_memory(value, self.variables[self["x"]])

    def literal(self, shape: Shape) -> str:
        """Return an array of a shape, written out."""
        size = int(np.prod(shape))
        text = f"np.linspace(-1, 2, {size})" if self.smooth or self.number(0, 2) else f"np.arange({size})"
        return text if len(shape) == 1 else f"{text}.reshape({shape})"

    # The whole
    def statement(self) -> str:
        """Return one statement."""
        self.clear()
        kind = self.choose(STATEMENTS[self.smooth])
        way = str(self.choose(kind))
        if self.smooth and ".sort(" in way and not distinct(self.variables[self["x"]]):
            return f"{self['x']} *= 2"
        return way.format_map(self)

    def program(self, length: int) -> Program:
        """Return a program of so many statements; at its end it writes once or twice more, which shows what shares entries."""
        inputs = tuple(self.input() for _ in range(self.number(1, 2 if self.smooth else 3)))
        self.variables = {f"v{k}": np.copy(x, order="K") for k, x in enumerate(inputs)}
        self.count = len(inputs)
        statements = []
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(length):
                statements.append(self.statement())
                Program((), (statements[-1],)).run(self.variables)
        return Program(inputs, (*statements, *(f"{self._x()}[...] = {c}" for c in ("7.0", "8.0")[: self.number(0, 2)])))

    def input(self) -> np.ndarray:
        """Return an input: any of the usual shapes, dtypes and orders in memory."""
        shape = self.choose(((3,), (2, 3), (4,), (2, 2), (3, 3), (), (1, 3), (2, 1, 3), (2, 3, 2), (0,), (0, 2)))
        size, rng = int(np.prod(shape)), np.random.default_rng(self.number(0, 99))
        if self.smooth:
            x = np.round(rng.uniform(-2, 2, size), 3) + 0.0003  # (off the numbers that programs compare with)
        else:
            x = (rng.integers(-8, 9, size) / 4).astype(self.choose((float, float, float, np.float32, int, bool, complex)))
        return np.array(x.reshape(shape), order=self.choose(("C", "C", "F")))


def fits_into(shape: Shape, target: Shape) -> bool:
    """Tell whether an array of a shape can be broadcast to another."""
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def distinct(x: Any) -> bool:
    """Tell whether no two entries are equal: only then has sorting one derivative."""
    return np.unique(np.real(x)).size == np.size(x)


def written(seed: int, length: int = 8, smooth: bool = False) -> Program:
    """Return the random program of a seed."""
    return Writer(random.Random(seed).choice, smooth).program(length)


# Running
def differences(program: Program, ways: Sequence[str] = ("data", "recorded", "no_grad")) -> list[str]:
    """Run a program on arrays and in other ways, and return what differs, a line for each; nothing if all is alike.

    Parameters
    ----------
    program : Program
        What to run.
    ways : sequence of str
        Out of ``WAYS``.
    """
    found: list[str] = []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for way in ways:
            found += [f"{way}: {line}" for line in WAYS[way](program)]
    return found


def on_arrays(program: Program, change: Callable[[Any], Any]) -> tuple[Env, list[BaseException | None]]:
    """Run a program on arrays; return its variables and errors."""
    variables = {f"v{k}": change(np.copy(x, order="K")) for k, x in enumerate(program.inputs)}
    errors = program.run(variables)
    return variables, errors


def unlike(program: Program, change: Callable[[Any], Any], tensors: Callable[[Any], Any]) -> Iterator[str]:
    """Yield what differs between the program on arrays and on Tensors, each made from the inputs."""
    expected, raised = on_arrays(program, change)
    variables = {f"v{k}": tensors(x) for k, x in enumerate(program.inputs)}
    for k, (ours, theirs) in enumerate(zip(program.run(variables), raised)):
        if "as NumPy's scalars are" in str(ours):
            continue  # (what is written to a scalar is lost without a word in NumPy, or another error; a Tensor refuses it)
        if theirs is None and "read-only" in str(ours) and any(f"{f}(" in program.statements[k] for f in READ_ONLY_AND_WRITTEN):
            return
        if (ours is None) != (theirs is None) or (theirs is not None and not same_error(ours, theirs)):
            yield f"statement {k}, {program.statements[k]}: {told(ours)}; on arrays {told(theirs)}"
            return
    for name in expected:
        if name not in variables:
            yield f"{name} is missing"
        elif line := unequal(variables[name], expected[name]):
            yield f"{name}: {line}"


def told(error: BaseException | None) -> str:
    """Return what an error says, in one line."""
    return "no error" if error is None else f"{type(error).__name__} ({str(error).splitlines()[0] if str(error) else ''})"


def same_error(ours: Any, theirs: BaseException) -> bool:
    """Tell whether an error is of the kind of NumPy's, or one of our own; of two mistakes in one statement either may be told."""
    kinds = [IndexError, ValueError, TypeError] if isinstance(theirs, (IndexError, ValueError, TypeError)) else [type(theirs)]
    kinds += [ValueError, TypeError] if "'numpy." in str(theirs) else []  # (a scalar of NumPy has fewer attributes)
    return isinstance(ours, (*kinds, TinygradError))


def plain(x: Any) -> Any:
    """Return the values of what a variable holds."""
    if isinstance(x, (list, tuple)):
        return [plain(part) for part in x]
    return x.detach().numpy() if isinstance(x, Tensor) else x


def unequal(ours: Any, theirs: Any) -> str:
    """Return in what a variable differs from the oracle's; empty if in nothing."""
    if isinstance(theirs, list):
        lines = [unequal(a, b) for a, b in zip(ours, theirs)] if len(ours) == len(theirs) else ["another length"]
        return next((line for line in lines if line), "")
    if not isinstance(theirs, (np.ndarray, np.generic, int, float, bool)):
        return ""
    a, b = np.asarray(plain(ours)), np.asarray(theirs)
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype} of shape {a.shape}, not {b.dtype} of shape {b.shape}"
    scale = np.max(np.abs(b[np.isfinite(b)]), initial=0) if b.dtype.kind in "fc" else 0
    if scale > LARGE or np.allclose(a, b, rtol=1e-6 if b.dtype == np.float32 else 1e-12, atol=1e-12 * scale + TINY, equal_nan=True):
        return ""
    return f"{a.tolist()}, not {b.tolist()}"


def as_data(program: Program) -> Iterator[str]:
    """Tensors that need no gradient."""
    return unlike(program, lambda x: x, Tensor)


def leaf(x: np.ndarray) -> Tensor:
    """Return a tensor that requires a gradient, if its dtype can have one."""
    return Tensor(x, requires_grad=x.dtype.kind in "fc")


def as_recorded(program: Program) -> Iterator[str]:
    """Results of Tensors that require a gradient; the leaves themselves keep their values."""
    leaves = [leaf(x) for x in program.inputs]
    waiting = iter(leaves)
    yield from unlike(program, lambda x: x * 1, lambda x: next(waiting) * 1)
    for k, (t, x) in enumerate(zip(leaves, program.inputs)):
        if not np.array_equal(t.detach().numpy(), x, equal_nan=True):
            yield f"the leaf of input {k} has changed"


def inside_no_grad(program: Program) -> Iterator[str]:
    """Leaves that require a gradient, inside no_grad: they are written to, and stay leaves."""
    leaves = [leaf(x) for x in program.inputs]
    waiting = iter(leaves)
    with no_grad():
        yield from unlike(program, lambda x: x, lambda x: next(waiting))
    for k, t in enumerate(leaves):
        if t.requires_grad != (t.dtype.kind in "fc") or t._node.parents:
            yield f"the leaf of input {k} is one no more"


def loss_of(variables: Env) -> Any:
    """Return the sum of all floating variables, each entry with a weight of its own."""
    total: Any = 0.0
    for k, x in enumerate(value for _, value in sorted(variables.items()) if isinstance(value, (np.ndarray, np.generic, Tensor))):
        if x.dtype.kind in "fc" and x.size:
            total = total + np.sum(x * np.cos(np.arange(x.size) + k).reshape(x.shape))
    return total


def recorded(program: Program) -> tuple[list[Tensor], Any, list[BaseException | None]]:
    """Return leaves, the loss of the program on results of them, and the errors of its statements."""
    leaves = [leaf(x) for x in program.inputs]
    variables = {f"v{k}": x * 1 for k, x in enumerate(leaves)}
    errors = program.run(variables)
    return leaves, loss_of(variables), errors


def gradient(program: Program) -> Iterator[str]:
    """The gradient of a smooth program's loss along a random direction, against the complex step; twice, since a sweep changes nothing."""
    directions = [np.random.default_rng(k).normal(size=x.shape) for k, x in enumerate(program.inputs)]
    u = [np.array(d, order="C" if x.flags.c_contiguous else "F") for d, x in zip(directions, program.inputs)]
    waiting = iter(u)
    moved, raised = on_arrays(program, lambda x: x * 1 + STEP * 1j * next(waiting))
    expected = loss_of(moved)
    leaves, loss, errors = recorded(program)
    if [e is None for e in raised] != [e is None for e in errors] or not np.isfinite(expected) or abs(expected) > LARGE:
        return  # (some functions refuse to write real numbers into complex ones; the other ways see to the errors)
    for time in ("first", "second"):
        for t in leaves:
            t.grad = None
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()
        grads = [np.zeros(t.shape) if t.grad is None else t.grad for t in leaves]
        along = sum(float(np.sum(g * d)) for g, d in zip(grads, u))
        slope, scale = float(np.imag(expected) / STEP), sum(float(np.sum(np.abs(g * d))) for g, d in zip(grads, u))
        if not abs(along - slope) <= 1e-8 * (1 + scale + abs(expected)):
            yield f"the slope is {along}, by the complex step {slope} ({time} sweep)"


def compiled(program: Program) -> Iterator[str]:
    """A program without errors, compiled as a function of its inputs: as it is not compiled, called twice, or refused."""
    expected, errors = on_arrays(program, lambda x: x)
    if any(errors):
        return
    names = [name for name, x in expected.items() if isinstance(x, (np.ndarray, np.generic))]
    inputs = [f"v{k}" for k, _ in enumerate(program.inputs)]
    lines = [
        f"def program({', '.join(inputs)}):",
        *(f"    {statement}" for statement in program.statements),
        f"    return {', '.join(names)},",
    ]
    space: Env = {"np": np}
    exec("\n".join(lines), space)
    run = compile_(space["program"])
    for time in ("first", "second"):
        try:
            found = run(*(np.copy(x, order="K") for x in program.inputs))
        except (TinygradError, TypeError) as refused:
            if isinstance(refused, TinygradError) or "as NumPy's scalars are" in str(refused):
                return
            raise
        for name, x in zip(names, found):
            if line := unequal(x, expected[name]):
                yield f"{name}: {line} ({time} call)"


def explained(program: Program) -> Iterator[str]:
    """The drawing and the equations of a program's loss can be made, and the equations compute its values."""
    _, loss, _ = recorded(program)
    if isinstance(loss, Tensor) and loss.requires_grad:
        draw(loss).text()
        explain(loss).check()
    yield from ()


WAYS: dict[str, Callable[[Program], Iterator[str]]] = {
    "data": as_data,
    "recorded": as_recorded,
    "no_grad": inside_no_grad,
    "gradient": gradient,
    "compiled": compiled,
    "explained": explained,
}


# The command
def smaller(program: Program, ways: Sequence[str]) -> Program:
    """Return the program without the statements that it differs without as well."""
    k = 0
    while k < len(program.statements):
        shorter = Program(program.inputs, program.statements[:k] + program.statements[k + 1 :])
        if tried(shorter, ways):
            program = shorter
        else:
            k += 1
    return program


def tried(program: Program, ways: Sequence[str]) -> list[str]:
    """Return what differs; an error that stops the comparison is a difference too."""
    try:
        return differences(program, ways)
    except Exception as error:
        return [told(error)]


def main(argv: list[str] | None = None) -> int:
    """Run random programs; print those that differ, made smaller, and how many there were of each kind; 0 if there was none."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_hw.testing.programs", description=main.__doc__)
    parser.add_argument("count", nargs="?", type=int, default=1000, help="how many programs (1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (0)")
    parser.add_argument("--length", type=int, default=8, help="statements of each (8)")
    parser.add_argument("--smooth", action="store_true", help="smooth programs only, with their gradients")
    parser.add_argument("--ways", default="", help=f"out of {', '.join(WAYS)}, with commas")
    parser.add_argument("--show", type=int, default=10, help="how many of those that differ to print (10)")
    options = parser.parse_args(argv)
    ways = options.ways.split(",") if options.ways else ["data", "recorded", "no_grad", *(["gradient"] if options.smooth else [])]
    kinds: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.count):
        program = written(seed, options.length, options.smooth)
        if not tried(program, ways):
            continue
        kinds["differ"] += 1
        if kinds["differ"] <= options.show:
            program = smaller(program, ways)
            print(f"seed {seed}:\n{program!r}\n# {tried(program, ways)[0]}\n", flush=True)
    print(f"{options.count - kinds['differ']} of {options.count} alike")
    return int(kinds["differ"] > 0)


if __name__ == "__main__":
    sys.exit(main())
