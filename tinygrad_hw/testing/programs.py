"""Random NumPy programs with views and writes, for ``strategies.programs``.

A program is plain NumPy source: indexing, iteration, reshapes and their like, in-place operators, ``out=``, ``copyto``, ``sort``, aliases,
and statements that fail. What it does to arrays is the oracle for what it must do to anything that works as an array does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Program", "Writer", "attempt", "templates"]

Choose = Callable[[Sequence[Any]], Any]
Env = dict[str, Any]
Shape = tuple[int, ...]

# Templates of expressions and statements. In braces: x, the array to read or to write to; y and z, what can be broadcast to it; c, a
# number; op, an in-place operator; new, a new variable; the other names say what they stand for.
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


def templates(*tables: str) -> list[str]:
    """Return the entries of tables."""
    return [entry.strip() for table in tables for line in table.strip().splitlines() for entry in line.split(" | ")]


def kinds_of_statements(smooth: bool) -> list[list[str]]:
    """Return the kinds of statements, a likely one several times; without what is not smooth, if asked to."""
    and_not_smooth = lambda *tables: tables[:-1] if smooth else tables
    return [
        *[[f"{{new}} = {view}" for view in templates(*and_not_smooth(VIEWS, OTHER_VIEWS))]] * 6,
        *[[f"{{new}} = {result}" for result in templates(*and_not_smooth(NEW, STEPS))]] * 3,
        ["{new} = {x}"],
        *[templates(ASSIGNMENTS)] * 3,
        *[templates(IN_PLACE)] * 2,
        *[templates(*and_not_smooth(FUNCTIONS, SORTS, OTHER_FUNCTIONS))] * 2,
        templates(*and_not_smooth(RESULTS_GIVEN, STEPS_GIVEN)),
        templates(LOOPS),
    ]


STATEMENTS = {smooth: kinds_of_statements(smooth) for smooth in (False, True)}


@dataclass(frozen=True)
class Program:
    """Statements over the variables v0, v1, ..., of which the first hold the inputs; ``repr`` is a script that runs it."""

    inputs: tuple[np.ndarray, ...]
    statements: tuple[str, ...]

    @cached_property
    def codes(self) -> list[Any]:
        return [compile(statement, f"<statement {k}>", "exec") for k, statement in enumerate(self.statements)]

    def run(self, variables: Env) -> list[BaseException | None]:
        """Run the statements on variables, which they change, and return for each the error that it raised."""
        space = {"np": np, **variables}
        errors = [attempt(code, space) for code in self.codes]
        variables.clear()
        variables.update((name, value) for name, value in space.items() if name != "np" and not name.startswith("__"))
        return errors

    def __repr__(self) -> str:
        order = lambda x: "" if x.flags.c_contiguous else ", order='F'"
        lines = [
            f"v{k} = np.array({x.tolist() if x.size else f'np.zeros({x.shape})'}, np.{x.dtype}{order(x)})"
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


class Writer(dict[str, str]):
    """Writes a program statement by statement, and runs each on arrays to know which shapes there are.

    As a dict it is what fills the braces of a template: what a name stands for is drawn when the name is met.
    """

    def __init__(self, choose: Choose, smooth: bool) -> None:
        super().__init__()
        self.choose, self.smooth = choose, smooth
        self.variables: Env = {}
        self.count = 0

    def __missing__(self, name: str) -> str:
        text = str(getattr(self, f"_{name}")())
        if name in ("x", "i", "new", "axis"):  # (they stand for the same thing everywhere in a statement)
            self[name] = text
        return text

    def number(self, low: int, high: int) -> int:
        """Return a number from low to high, high included."""
        return int(self.choose(range(low, high + 1)))

    def rarely(self) -> bool:
        """Return True one time in eight."""
        return self.number(0, 7) == 7

    def array(self, fits: Callable[[Any], bool]) -> str:
        """Return the name of an array, mostly of one that fits."""
        arrays = [name for name, x in self.variables.items() if isinstance(x, (np.ndarray, np.generic))]
        fitting = [name for name in arrays if fits(self.variables[name])]
        return str(self.choose(fitting if fitting and not self.rarely() else arrays))

    @property
    def shape(self) -> Shape:
        """The shape of the array that the statement is about."""
        return np.shape(self.variables[self["x"]])

    # What the names in braces stand for
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
        """Return what can mostly be broadcast to a shape."""
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
        """Return whether NumPy may read entries of a vector after it has written to them: it does so where the strides differ."""
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
        self.clear()
        template = str(self.choose(self.choose(STATEMENTS[self.smooth])))
        if self.smooth and ".sort(" in template and has_ties(self.variables[self["x"]]):
            return f"{self['x']} *= 2"
        return template.format_map(self)

    def program(self, length: int) -> Program:
        """Return a program of this length, and up to two more writes at its end, which show what shares entries."""
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
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def has_ties(x: Any) -> bool:
    """Return whether two entries are equal: there sorting has no derivative."""
    return np.unique(np.real(x)).size < np.size(x)
