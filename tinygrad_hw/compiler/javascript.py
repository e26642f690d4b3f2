"""The program as one JavaScript module, to run in a page: loops over typed arrays, which are made when the module is set up.

    import {make} from "./step.js"
    const step = make({N: 21, n0: 2, n1: 10, n2: 10})       // the lengths that may change; those of the recording by default
    const loss = step(X, y, W1, b1, W2, b2, W3, b3, lr)     // the parameters are changed in place
    step.memory.dW1                                         // what has a name in the source lies here

It reads as the NumPy source does: a line of that source stands above each loop. What has a line there has an array here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..errors import CompileError
from ..rules import neural, reductions, shaping
from ..rules.functions import SIGNS
from .calls import REDUCED_BY, TRANSPOSES, axes_of, axis_of, folded_axes, full_index, order_of_axes, shape_of
from .program import Program, error_of
from .sizes import Sized, Sizes
from .source import Writer
from .trace import NUMBERS, Op, Recording, Traced, astype, replaced

__all__ = ["expanded", "javascript_of"]

ARRAYS = {"f8": "Float64Array", "f4": "Float32Array", "i8": "Int32Array", "i4": "Int32Array", "b1": "Uint8Array"}

# Each function of numbers, as JavaScript of its arguments
INFIX = {function: sign for function, sign in SIGNS.items() if sign not in ("@", "//", "%")} | {
    np.float_power: "**", np.equal: "===", np.not_equal: "!==", np.logical_and: "&&", np.logical_or: "||", np.logical_xor: "!==",
}  # fmt: skip
MATH = {
    getattr(np, name): name
    for name in ("exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "cbrt", "abs", "sign", "floor", "ceil", "trunc", "hypot",
                 "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh")
} | {np.fabs: "abs", np.maximum: "max", np.minimum: "min"}  # fmt: skip
OF_TRUTHS = {np.bitwise_and: np.logical_and, np.bitwise_or: np.logical_or, np.bitwise_xor: np.logical_xor, np.invert: np.logical_not}
FORMS = {
    np.negative: "-{0}", np.positive: "{0}", np.copy: "{0}", np.conjugate: "{0}", np.real: "{0}", np.reciprocal: "1 / {0}",
    np.square: "square({0})", np.exp2: "2 ** {0}", np.logaddexp: "logaddexp({0}, {1})", np.copysign: "copysign({0}, {1})",
    np.logical_not: "!{0}", np.isnan: "Number.isNaN({0})", np.isfinite: "Number.isFinite({0})", np.isinf: "(Math.abs({0}) === Infinity)",
    np.isposinf: "({0} === Infinity)", np.isneginf: "({0} === -Infinity)", np.heaviside: "({0} > 0 ? 1 : {0} < 0 ? 0 : {1})",
    np.where: "{0} ? {1} : {2}", np.clip: "Math.min(Math.max({0}, {1}), {2})", neural.relu: "Math.max({0}, 0)",
}  # fmt: skip
HELPERS = {
    "copysign": "const copysign = (x, y) => (y < 0 || Object.is(y, -0) ? -Math.abs(x) : Math.abs(x));",
    "square": "const square = (x) => x * x;",
    "logaddexp": "const logaddexp = (x, y) => Math.max(x, y) + Math.log1p(Math.exp(-Math.abs(x - y)));",
}
FOLDS: dict[Any, tuple[str, str]] = {  # what a reduction starts with, and what it does with each entry
    np.add: ("0", "{0} += {1}"), np.multiply: ("1", "{0} *= {1}"), np.maximum: ("-Infinity", "{0} = Math.max({0}, {1})"),
    np.minimum: ("Infinity", "{0} = Math.min({0}, {1})"), np.logical_and: ("true", "{0} = {0} && !!{1}"),
    np.logical_or: ("false", "{0} = {0} || !!{1}"),
}  # fmt: skip
MOVES = TRANSPOSES | {
    np.expand_dims, np.squeeze, np.reshape, np.ravel, np.broadcast_to, operator.getitem, np.flip,
}  # fmt: skip
PRODUCTS = {np.dot, np.matmul}
DECIDED = "a value is not finite where the recorded program relies on it"

INDICES = "ijklmnpqr"

Index = list[str]  # an index for each axis, as code


# What the recording keeps as one call, of simpler ones
def _one_hot(classes: Any, count: int, dtype: Any = float) -> Any:
    return np.equal(classes[..., None], np.arange(count)).astype(dtype)


def _class_weights(x: Any, target: Any) -> Any:
    return _one_hot(target, x.shape[-1], x.dtype) if target.dtype.kind in "iu" else target


def _softmax_cross_entropy(x: Any, target: Any) -> Any:
    weights = _class_weights(x, target)
    below = x - np.maximum.reduce(x, axis=-1, keepdims=True)
    whole = np.log(np.add.reduce(np.exp(below), axis=-1, keepdims=True))
    return np.add.reduce(np.where(np.equal(weights, 0), 0.0, weights * (whole - below)), axis=-1)


def _softmax_error(x: Any, target: Any) -> Any:
    e = np.exp(x - np.maximum.reduce(x, axis=-1, keepdims=True))
    return -reductions.excess_by_masks(_class_weights(x, target), e / np.add.reduce(e, axis=-1, keepdims=True), -1)


def _var(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    count = prod([x.shape[k] for k in axes_of(axis, x.ndim)])
    from_mean = x - np.add.reduce(x, axis=axis, keepdims=True) / count
    return np.add.reduce(from_mean * from_mean, axis=axis, keepdims=keepdims) / (count - ddof)


def _std(x: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    return np.sqrt(_var(x, axis, ddof, keepdims))


EXPANSIONS: dict[Any, Callable[..., Any]] = {
    neural.one_hot: _one_hot,
    neural.softmax_cross_entropy: _softmax_cross_entropy,
    neural.softmax_error: _softmax_error,
    reductions.centred: reductions.centred_by_masks,
    reductions.excess: reductions.excess_by_masks,
    np.var: _var,
    np.std: _std,
}


def expanded(program: Program) -> Program:
    """Return a program in which some calls are written as simpler ones that can be written in JavaScript."""

    def simpler(op: Op) -> Any:
        function = EXPANSIONS.get(op.function)
        if function is None:
            return op
        tape = Recording()
        args, kwargs = replaced((op.args, op.kwargs), Op, lambda x: Traced(tape, x))
        function(*args, **kwargs)
        return tape.ops

    return program.copied().rewritten(simpler)


def javascript_of(program: Program, sizes: Sizes, name: str, doc: str) -> str:
    """Return a program as a JavaScript module.

    Raises
    ------
    CompileError
        If the program needs what cannot be written in JavaScript here; it names it, and the line of the user's code.
    """
    return Module(program, sizes).text(name, doc)


class Module:
    """Writes one program."""

    def __init__(self, program: Program, sizes: Sizes) -> None:
        self.program, self.sizes = program, sizes
        self.numpy = Writer(program)
        self.numpy.taken |= set(sizes.names)
        self.users = program.users()
        self.names: dict[Op, str] = {op: str(op.name) for op in program.inputs}
        self.lines: list[str] = []
        self.memory: list[str] = []
        self.constants: dict[str, str] = {}
        self.helpers: set[str] = set()
        self.open_loops: list[str] = []  # their indices
        for op in (*program.inputs, *program.ops):
            if op.function is not None and not is_known(op):
                raise refused(op, getattr(op.function, "__name__", str(op.function)))
            if op.shape and op.value.dtype.str[1:] not in ARRAYS:
                raise refused(op, f"arrays of {op.value.dtype}")
        self.checks = {op: outcome for op, outcome in program.checks if isinstance(op, Op)}

    # The module
    def text(self, name: str, doc: str) -> str:
        self.write_body()
        results = [*map(self.result, self.program.results), *self.update()]
        returned = results[0] if len(results) == 1 else f"[{', '.join(results)}]"
        inputs = ", ".join(str(op.name) for op in self.program.inputs)
        lengths = ", ".join(f"{key} = {value}" for key, value in self.sizes.names.items())
        stored = ", ".join(self.names[op] for op in self.program.ops if op in self.names and op.shape)
        out = [f"// {doc}", *[HELPERS[helper] for helper in sorted(self.helpers)], ""]
        out += [f"export function make({{{lengths}}} = {{}}) {{", *self.memory]
        out += [f"  const {value} = {code};" for code, value in self.constants.items()]
        out += ["", f"  function {name}({inputs}) {{", *self.lines, f"    return {returned};", "  }", ""]
        out += [f"  {name}.memory = {{{stored}}};", f"  {name}.sizes = {{{', '.join(self.sizes.names)}}};", f"  return {name};", "}", ""]
        return "\n".join(out)

    def write_body(self) -> None:
        """Write what has a line in the NumPy source, each with that line above it."""
        for op, comments, code in self.numpy.statements(self.needs_memory):
            self.names[op] = str(self.numpy.names[op])
            self.lines += [f"    // {line}" if line else "" for line in (*comments, f"{self.names[op]} = {code}")]
            self.store(op)
            if op in self.checks:
                self.put(f"if (Boolean({self.names[op]}) !== {str(self.checks[op]).lower()}) throw new RangeError({DECIDED!r});")

    def needs_memory(self, op: Op) -> bool:
        """Tell whether a value that the NumPy source writes where it is used is stored here, since it would be computed many times."""
        if op.function in MOVES:
            return False
        if not op.shape:
            return any(user.shape for user in self.users[op])
        return any(user.function in PRODUCTS or self.repeats(op, user) for user in self.users_behind_moves(op))

    def users_behind_moves(self, op: Op) -> list[Op]:
        """Return what uses an op, through transposes and the like."""
        found = []
        for user in self.users[op]:
            found += self.users_behind_moves(user) if user.function in MOVES else [user]
        return found

    def repeats(self, op: Op, user: Op) -> bool:
        """Tell whether an op would be computed again and again in what uses it: it is broadcast there, or gathered from."""
        is_broadcast = user.function not in REDUCED_BY and prod(op.shape) < prod(user.shape)
        return is_broadcast or user.function in (np.take, shaping.scatter)

    def result(self, x: Any) -> str:
        """Return the code of what is returned: an array of the module's own, or a number."""
        return self.names[x] if isinstance(x, Op) and x in self.names else self.value(x, [])

    def update(self) -> list[str]:
        """Put new values in the places of the old ones; return the code of those that are numbers."""
        numbers = []
        for old, new in self.program.updates:
            if not old.shape:
                numbers.append(self.result(new))
            elif isinstance(new, Op) and new is not old:
                self.put(f"{self.names[old]}.set({self.names[new]});")
        return numbers

    # Loops
    def store(self, op: Op) -> None:
        """Write the loops that compute an op into its memory, or a number."""
        shape, name = self.sizes.shape(op), self.names[op]
        if shape:
            self.declare(op)
        if op.function is shaping.scatter:
            self.scatter(op)
        elif shape:
            write = lambda index: self.put(f"{name}[{flat(index, shape)}] = {unbracketed(self.value_of(op, index))};")
            if self.is_flat(op):
                p = self.unused("p")
                self.loops([(p, product(shape))], lambda: write([p]))
            else:
                self.each_entry(shape, write)
        else:
            self.put(f"const {name} = {self.value_of(op, [])};")

    def is_flat(self, op: Op) -> bool:
        """Tell whether one loop over all entries will do: everything read has the op's own shape, or is a number."""
        return is_entrywise(op) and all(
            shape_of(x) == () or (
                isinstance(x, Op) and self.sizes.shape(x) == self.sizes.shape(op) and (x in self.names or self.is_flat(x))
            )
            for x in op.args
        )  # fmt: skip

    def declare(self, op: Op) -> None:
        """Make the memory of an op."""
        kind = ARRAYS[op.value.dtype.str[1:]]
        self.memory.append(f"  const {self.names[op]} = new {kind}({product(self.sizes.shape(op))});")

    def each_entry(self, shape: Any, body: Callable[[Index], None]) -> None:
        """Write a loop over each axis that is longer than 1, and inside them what ``body`` writes for an index."""
        index = [self.unused(letter) if n != 1 else "0" for letter, n in zip(INDICES, shape)]
        self.loops([(i, code_of(n)) for i, n in zip(index, shape) if n != 1], lambda: body(index))

    def loops(self, ends: list[tuple[str, str]], body: Callable[[], None]) -> None:
        """Write a loop to the end of each index, one inside the other, and inside them what ``body`` writes."""
        for index, end in ends:
            self.put(f"for (let {index} = 0; {index} < {end}; {index}++) {{")
            self.open_loops.append(index)
        body()
        for _ in ends:
            self.open_loops.pop()
            self.put("}")

    def put(self, line: str) -> None:
        self.lines.append("  " * (len(self.open_loops) + 2) + line)

    def unused(self, letter: str) -> str:
        """Return a name for an index or a sum: the letter, with a number where it is in use or the name of a value."""
        is_free = letter in INDICES and letter not in self.open_loops and letter not in self.numpy.taken
        return letter if is_free else self.numpy.unused(letter)

    # Values
    def value(self, x: Any, index: Index) -> str:
        """Return the code of an entry of an operand."""
        if not isinstance(x, Op):
            return self.constant(x, index)
        if x in self.names:
            shape = self.sizes.shape(x)
            return f"{self.names[x]}[{flat(index, shape)}]" if shape else self.names[x]
        return self.value_of(x, index)

    def value_of(self, op: Op, index: Index) -> str:
        """Return the code of an entry of what a call gives, in brackets unless it binds tightly."""
        args, kwargs = self.sizes.call(op)
        if op.function in MOVES:
            return self.value(op.args[0], self.moved(op, index))
        if is_entrywise(op):
            return self.entrywise(op, [self.value(arg, self.broadcast(x, op, index)) for arg, x in zip(args, op.args)])
        if op.function in PRODUCTS:
            return self.matrix_product(op, index)
        if op.function in REDUCED_BY:
            return self.reduction(op, index)
        if op.function is astype:
            value = self.value(op.args[0], index)
            return f"Math.trunc({value})" if op.dtype.kind == "i" and op.args[0].dtype.kind == "f" else value
        if op.function is np.take and (axis := kwargs.get("axis", args[2] if len(args) > 2 else None)) is not None:
            return self.gathered(op, axis, index)
        raise refused(op, getattr(op.function, "__name__", str(op.function)))

    def entrywise(self, op: Op, values: list[str]) -> str:
        """Return the code of a function of numbers."""
        function = OF_TRUTHS.get(op.function, op.function)
        if function in INFIX:
            sign = INFIX[function]
            left = f"({values[0]})" if sign == "**" and values[0].startswith("-") else values[0]
            return f"({left} {sign} {values[1]})"
        if function in MATH:
            return f"Math.{MATH[function]}({', '.join(map(unbracketed, values))})"
        form = FORMS[function]
        helper = form.split("(")[0]
        self.helpers |= {helper} & HELPERS.keys()
        written = form.format(*(map(unbracketed, values) if helper in HELPERS else values))
        return written if form[-1] == ")" else f"({written})"

    def broadcast(self, x: Any, op: Op, index: Index) -> Index:
        """Return the index into an operand that belongs to an index into the result."""
        if not isinstance(x, (Op, np.ndarray)) or not x.shape:
            return []
        if len(index) != len(op.shape):
            return index
        return aligned(index, self.sizes.shape(x) if isinstance(x, Op) else x.shape)

    def accumulated(self, start: str, step: str, ends: list[tuple[str, str]], value: Callable[[], str]) -> str:
        """Write loops that fold values into a variable; return its name."""
        total = self.unused("s")
        self.put(f"let {total} = {start};")
        self.loops(ends, lambda: self.put(step.format(total, unbracketed(value())) + ";"))
        return total

    def matrix_product(self, op: Op, index: Index) -> str:
        """Return the code of an entry of a matrix product: a loop before it adds it up."""
        a, b = op.args
        if op.function is np.dot and len(b.shape) > 2:
            raise refused(op, "np.dot of stacks of matrices")
        is_row, is_column = len(a.shape) > 1, len(b.shape) > 1
        batch = index[: len(index) - is_row - is_column]
        row, column = index[len(batch) : len(batch) + is_row], index[len(index) - is_column :]

        stack_a, stack_b = (aligned(batch, self.sizes.shape(x)[:-2]) for x in (a, b))
        k, length = self.unused("k"), self.sizes.shape(a)[-1]
        if length == 1:
            return f"({self.value(a, [*stack_a, *row, '0'])} * {self.value(b, [*stack_b, '0', *column])})"
        step = lambda: f"{self.value(a, [*stack_a, *row, k])} * {self.value(b, [*stack_b, k, *column])}"
        return self.accumulated("0", "{0} += {1}", [(k, code_of(length))], step)

    def reduction(self, op: Op, index: Index) -> str:
        """Return the code of an entry of a sum, a maximum and such: loops before it fold the entries."""
        x = op.args[0]
        start, step = FOLDS[REDUCED_BY[op.function]]
        shape, gone = self.sizes.shape(x), folded_axes(op)
        left = iter([i for k, i in enumerate(index) if not (op.kwargs.get("keepdims") and k in gone)])
        letters = iter(INDICES[-3:] + INDICES)
        inner = [(self.unused(next(letters)) if shape[k] != 1 else "0") if k in gone else next(left) for k in range(len(shape))]
        ends = [(inner[k], code_of(shape[k])) for k in sorted(gone) if shape[k] != 1]
        total = self.accumulated(start, step, ends, lambda: self.value(x, inner))
        return f"({total} ? 1 : 0)" if start in ("true", "false") else total

    def moved(self, op: Op, index: Index) -> Index:
        """Return the index into what a transpose, a slice or a new shape was made of."""
        x, shape = op.args[0], self.sizes.shape(op)
        if op.function is operator.getitem:
            return self.sliced(op, self.sizes.call(op)[0][1], index)
        if op.function is np.broadcast_to:
            return self.broadcast(x, op, index)
        if op.function in TRANSPOSES:
            order = order_of_axes(op)
            return [index[order.index(axis)] for axis in range(len(order))]
        if op.function is np.flip:
            turned = axes_of(axis_of(op), len(index))
            return [f"{code_of(n)} - 1 - {i}" if k in turned else i for k, (i, n) in enumerate(zip(index, shape))]
        own = self.sizes.shape(x)
        if [n for n in shape if n != 1] == [n for n in own if n != 1]:
            left = iter([i for i, n in zip(index, shape) if n != 1])
            return ["0" if n == 1 else next(left) for n in own]
        return unraveled(f"({flat(index, shape)})", own)

    def sliced(self, op: Op, key: Any, index: Index) -> Index:
        """Return the index into what was indexed by numbers, slices, None, ..., and arrays of places that stand beside each other."""
        x, keys, out = op.args[0], full_index(key, len(op.args[0].shape)), []
        arrays = [part for part in keys if is_places(part)]
        together = [k for k, part in enumerate(keys) if is_places(part)]
        if arrays and (together != list(range(together[0], together[-1] + 1)) or len({part.shape for part in arrays}) > 1):
            raise refused(op, "this way of indexing")
        left, shape = iter(index), iter(self.sizes.shape(x))
        place: Index = []
        for part in keys:
            if part is None:
                next(left)
                continue
            n = next(shape)
            if isinstance(part, slice):
                out.append(placed(part, next(left), n))
            elif isinstance(part, (int, np.integer, Sized)) and not arrays:
                out.append(code_of(part) if isinstance(part, Sized) or part >= 0 else f"{code_of(n)} - {-int(part)}")
            elif is_places(part):
                place = place or [next(left) for _ in part.shape]
                out.append(self.value(part, place))
            else:
                raise refused(op, "this way of indexing")
        return out

    def gathered(self, op: Op, axis: int, index: Index) -> str:
        """Return the code of an entry of np.take along an axis, by places in one array."""
        x, places = op.args[:2]
        axis, count = axis % len(x.shape), len(shape_of(places))
        place = self.value(places, index[axis : axis + count])
        return self.value(x, [*index[:axis], place, *index[axis + count :]])

    def scatter(self, op: Op) -> None:
        """Write the loops that add values into zeros at a place, as the gradient of indexing does."""
        g, key = op.args[0], self.sizes.call(op)[0][1]
        shape = self.sizes.shape(g)
        stand_in = Op(operator.getitem, (op, key), {}, g.value)

        def add(index: Index) -> None:
            target = f"{self.names[op]}[{flat(self.sliced(stand_in, key, index), self.sizes.shape(op))}]"
            self.put(f"{target} += {unbracketed(self.value(g, index))};")

        self.put(f"{self.names[op]}.fill(0);")
        self.each_entry(shape, add)

    # Constants
    def constant(self, x: Any, index: Index) -> str:
        """Return the code of an entry of a constant."""
        if isinstance(x, Sized):
            if " " not in x.code:
                return x.code
            if x.code not in self.constants:
                self.constants[x.code] = self.unused("c")
            return self.constants[x.code]
        if isinstance(x, np.ndarray) and x.ndim:
            code = f"{ARRAYS[x.dtype.str[1:]]}.of({', '.join(map(self.number, x.ravel()))})"
            if code not in self.constants:
                self.constants[code] = self.unused("c")
            return f"{self.constants[code]}[{flat(index, x.shape)}]"
        return self.number(x)

    def number(self, x: Any) -> str:
        """Return the code of a number."""
        value = x.item() if isinstance(x, (np.ndarray, np.generic)) else x
        if not isinstance(value, NUMBERS) or isinstance(value, complex):
            raise CompileError(f"JavaScript: {value!r} is no real number")
        value = float(value)
        code = repr(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        code = code.replace("nan", "NaN").replace("inf", "Infinity")
        return f"({code})" if code[0] == "-" else code


def is_entrywise(op: Op) -> bool:
    """Tell whether a call works entry by entry, in a way that is known here."""
    known = op.function in INFIX or op.function in MATH or op.function in FORMS or (op.function in OF_TRUTHS and op.dtype == np.bool_)
    return known and not {"where", "out"} & op.kwargs.keys()


def is_known(op: Op) -> bool:
    """Tell whether a call is of a function that can be written."""
    others = {shaping.scatter, astype, np.take}
    return is_entrywise(op) or op.function in MOVES | PRODUCTS | others or op.function in REDUCED_BY


def is_places(part: Any) -> bool:
    """Tell whether a part of an index is an array of places."""
    return isinstance(part, (Op, np.ndarray)) and len(part.shape) > 0 and part.dtype.kind == "i"


def code_of(n: Any) -> str:
    """Return a length as code."""
    return n.code if isinstance(n, Sized) else str(int(n))


def factor(n: Any) -> str:
    """Return a length as a factor."""
    code = code_of(n)
    return f"({code})" if "+" in code or "-" in code or "/" in code else code


def product(shape: tuple[Any, ...]) -> str:
    """Return the number of entries of a shape as code."""
    return " * ".join(factor(n) for n in shape if n != 1) or "1"


def flat(index: Index, shape: tuple[Any, ...]) -> str:
    """Return the place of an entry in memory as code; an index of one part for several axes is the place itself."""
    if len(index) != len(shape):
        return index[0]
    terms = []
    for axis, i in enumerate(index):
        stride = [factor(n) for n in shape[axis + 1 :] if n != 1]
        if i != "0":
            terms.append(" * ".join([f"({i})" if stride and " " in unbracketed(i) == i else i, *stride]))
    return " + ".join(terms) or "0"


def aligned(index: Index, shape: tuple[Any, ...]) -> Index:
    """Return the index into an array of a shape that is broadcast to what another index belongs to."""
    return ["0" if n == 1 else i for n, i in zip(shape, index[len(index) - len(shape) :])]


def unraveled(place: str, shape: tuple[Any, ...]) -> Index:
    """Return the index of the entry at a place in memory as code."""
    index = []
    for axis, n in enumerate(shape):
        stride = product(shape[axis + 1 :])
        whole = place if stride == "1" else f"Math.floor({place} / ({stride}))"
        index.append("0" if n == 1 else whole if axis == 0 else f"{whole} % ({code_of(n)})")
    return index


def placed(part: slice, i: str, n: Any) -> str:
    """Return the index that the entry i of a slice has in what was sliced."""
    step = part.step if part.step is not None else 1
    start = part.start if part.start is not None else 0 if step > 0 else -1
    if isinstance(n, int) and isinstance(start, int):
        start = part.indices(n)[0]
    elif isinstance(start, int) and start < 0:
        start = Sized(f"{code_of(n)} - {-start}" if start == -1 else f"Math.max({code_of(n)} - {-start}, 0)")
    moved = i if step == 1 else f"{i} * {step}" if step > 0 else f"-{i}" if step == -1 else f"{i} * ({step})"
    return moved if start == 0 else f"{code_of(start)} + {moved}"


def unbracketed(code: str) -> str:
    """Return code without brackets around the whole of it."""
    if not (code.startswith("(") and code.endswith(")")):
        return code
    depth = 0
    for k, c in enumerate(code):
        depth += {"(": 1, ")": -1}.get(c, 0)
        if depth == 0 and k < len(code) - 1:
            return code
    return code[1:-1]


def refused(op: Op, what: str) -> CompileError:
    """Return the error for what cannot be written, with the line it stands on."""
    return error_of(
        op,
        "JavaScript can be written of functions of numbers, matrix products, sums and the like, transposes, new shapes, slices, "
        f"np.where and np.take; not of {what}",
    )
