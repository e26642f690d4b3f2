"""Which sizes of a program may change from run to run: the length of the batch, the widths of layers.

The code is recorded again with arrays of other lengths. Where the same calls come out, a length only sets how far loops run, and gets a
name; the numbers in the program that have changed with it are written in terms of it (0.0476 as 1 / N). A length at which other calls
come out, or an error, stays the number that it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, combinations, count
from math import isclose, prod
from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import Tensor
from ..trees import content, leaves, rebuilt
from .calls import folded_axes
from .program import Program, alike
from .trace import NUMBERS, Op, elementwise

__all__ = ["Blank", "Sized", "Sizes", "sizes_of"]

MOST_FACTORS = 3  # of the lengths that a number in a program may depend on
PRIMES = [[11, 17, 23, 31, 41, 47, 59, 67, 73, 83], [13, 19, 29, 37, 43, 53, 61, 71, 79, 89]]  # lengths to record with

Axis = tuple[Op, int]


class Unknown(ValueError):
    """A number changes with the lengths in a way that is not known."""


@dataclass(frozen=True)
class Blank:
    """An array of which only the shape and the dtype are known."""

    shape: tuple[int, ...]
    dtype: Any

    def filled(self, lengths: dict[int, int]) -> np.ndarray:
        """Return an array of it whose axes have other lengths, by number of the axis: of ones, or of zeros where it holds indices."""
        shape = tuple(lengths.get(axis, n) for axis, n in enumerate(self.shape))
        return np.full(shape, self.dtype.kind in "fc", self.dtype)


@dataclass(frozen=True)
class Sized:
    """A number that depends on lengths, as code."""

    code: str


@dataclass
class Sizes:
    """The lengths that have a name, and what depends on them.

    Attributes
    ----------
    names : of each length that may change, with its value in the recording.
    shapes : of each op, the lengths of its axes: numbers, or code of names.
    arguments : of each op whose numbers depend on lengths, its arguments with ``Sized`` in their places.
    """

    names: dict[str, int]
    shapes: dict[Op, tuple[Any, ...]]
    arguments: dict[Op, tuple[Any, Any]]

    def shape(self, op: Op) -> tuple[Any, ...]:
        return self.shapes.get(op, op.shape)

    def call(self, op: Op) -> tuple[Any, Any]:
        """Return the arguments of an op, positional and by name."""
        return self.arguments.get(op, (op.args, op.kwargs))


Record = Callable[[dict[Any, dict[int, int]]], Program]


def sizes_of(program: Program, record: Record) -> Sizes:
    """Find the lengths that may change.

    Parameters
    ----------
    program : Program
    record : callable
        Records the program again; it takes, by an input's role, the new lengths of its axes by their number.
    """
    free: list[list[Axis]] = []
    sizes = Sizes({}, {}, {})
    for group in tied(program):
        if length_of(group) > 1 and len(free) < len(PRIMES[0]):
            more = with_free(program, record, [*free, group])
            if more is not None:
                sizes = more
                free.append(group)
    return sizes


def length_of(group: list[Axis]) -> int:
    op, axis = group[0]
    return op.shape[axis]


def with_free(program: Program, record: Record, groups: list[list[Axis]]) -> Sizes | None:
    """Return what depends on the lengths of some groups of axes; None if these have to be what they are."""
    probes = [probed(program, record, groups, primes) for primes in PRIMES]
    others = [probe for probe in probes if probe is not None]
    if len(others) < len(PRIMES):
        return None
    names = named(groups)
    lengths = [[length_of(group) for group in groups], *(primes[: len(groups)] for primes in PRIMES)]
    code = partial(as_code, names=list(names), lengths=lengths)
    shapes, arguments = {}, {}
    try:
        for ops in zip(*([*each.inputs, *each.ops] for each in (program, *others))):
            shapes[ops[0]] = tuple(map(code, zip(*(op.shape for op in ops))))
            arguments[ops[0]] = symbolic([op.args for op in ops], code), symbolic([op.kwargs for op in ops], code)
    except Unknown:
        return None
    return Sizes(names, shapes, arguments)


def tied(program: Program) -> list[list[Axis]]:
    """Return the axes of inputs in groups that have to have one length, the batch's first."""
    parent: dict[Axis, Axis] = {}

    def root(axis: Axis) -> Axis:
        while axis in parent:
            axis = parent[axis]
        return axis

    updates = [((old, axis), (new, axis)) for old, new in program.updates if isinstance(new, Op) for axis in range(len(old.shape))]
    for one, other in chain(chain.from_iterable(map(same_lengths, program.ops)), updates):
        a, b = root(one), root(other)
        if a != b and one[0].shape[one[1]] == other[0].shape[other[1]] != 1:
            parent[b] = a
    groups: dict[Axis, list[Axis]] = {}
    for op in sorted(program.inputs, key=lambda op: op.role[0] != "input"):
        for axis in range(len(op.shape)):
            groups.setdefault(root((op, axis)), []).append((op, axis))
    return list(groups.values())


def same_lengths(op: Op) -> Iterator[tuple[Axis, Axis]]:
    """Yield pairs of axes, of an op and of what it takes, that have one length."""
    arrays = [x for x in op.uses if len(x.shape)]
    if elementwise(op) or op.function in (np.where, np.clip):
        for x in arrays:
            yield from (((op, len(op.shape) - k), (x, len(x.shape) - k)) for k in range(1, len(x.shape) + 1))
    elif op.function in (np.dot, np.matmul) and len(arrays) == 2:
        yield from of_product(op, *arrays)
    elif op.function is np.transpose and arrays:
        axes = (op.args[1:] or (op.kwargs.get("axes"),))[0] or range(len(op.shape))[::-1]
        yield from (((op, k), (arrays[0], axis % len(op.shape))) for k, axis in enumerate(axes))
    elif getattr(op.function, "__name__", "") == "reduce" and arrays:
        yield from zip(((op, k) for k in count()), ((arrays[0], axis) for axis in kept_axes(op, arrays[0])))


def of_product(op: Op, a: Op, b: Op) -> Iterator[tuple[Axis, Axis]]:
    """Yield pairs of axes of a matrix product that have one length."""
    yield (a, len(a.shape) - 1), (b, max(len(b.shape) - 2, 0))
    if len(a.shape) >= 2:
        yield (op, len(a.shape) - 2), (a, len(a.shape) - 2)
    if len(b.shape) >= 2 and op.shape:
        yield (op, len(op.shape) - 1), (b, len(b.shape) - 1)


def kept_axes(op: Op, x: Op) -> list[int]:
    """Return the axes of an array that a reduction leaves."""
    folded = set() if op.kwargs.get("keepdims") else folded_axes(op)
    return [axis for axis in range(len(x.shape)) if axis not in folded]


def probed(program: Program, record: Record, groups: list[list[Axis]], lengths: list[int]) -> Program | None:
    """Record the program with other lengths; return it if its calls are the same, else None."""
    wanted: dict[Any, dict[int, int]] = {}
    for group, length in zip(groups, lengths):
        for op, axis in group:
            wanted.setdefault(op.role, {})[axis] = length
    try:
        with np.errstate(all="ignore"):
            other = record(wanted)
    except Exception:  # whatever the code raises with arrays of other lengths: it needs those that it had
        return None
    return other if has_same_calls(program, other) else None


def has_same_calls(program: Program, other: Program) -> bool:
    """Tell whether two programs have the same calls, of the same things, but for numbers and lengths."""
    if len(program.inputs) != len(other.inputs) or len(program.ops) != len(other.ops):
        return False
    twin = dict(zip(program.inputs, other.inputs))
    for a, b in zip(program.ops, other.ops):
        same = a.function == b.function and len(a.shape) == len(b.shape)
        if not same or not alike([a.args, a.kwargs], [b.args, b.kwargs], twin, same_but_for_numbers):
            return False
        twin[a] = b
    return all(not isinstance(a, Op) or twin.get(a) is b for a, b in zip(program.results, other.results))


def same_but_for_numbers(a: Any, b: Any) -> bool:
    """Tell whether two constants are numbers of one type, or the same."""
    return type(a) is type(b) and ((is_number(a) and is_number(b)) or content(a) == content(b))


def is_number(x: Any) -> bool:
    return isinstance(x, (*NUMBERS, np.generic)) or (isinstance(x, np.ndarray) and x.ndim == 0)


def named(groups: list[list[Axis]]) -> dict[str, int]:
    """Name the lengths: N for the first axis of the inputs, n0, n1 ... for widths in order."""
    names: dict[str, int] = {}
    widths = count()
    for group in groups:
        op, axis = group[0]
        is_batch = op.role[0] == "input" and axis == 0 and "N" not in names
        names["N" if is_batch else f"n{next(widths)}"] = op.shape[axis]
    return names


def as_code(numbers: Sequence[Any], names: list[str], lengths: list[list[int]]) -> Any:
    """Return what a number is that was the first of these in the recording, and the others in the probes: itself, or code of lengths.

    ``lengths`` holds those of the recording, then those of each probe, in the order of their names.
    """
    first = numbers[0]
    if all(number == first for number in numbers):
        return first
    for size in range(1, MOST_FACTORS + 1):
        for chosen in combinations(range(len(names)), size):
            products = [prod(each[k] for k in chosen) for each in lengths]
            code = as_code_of_product(numbers, products, " * ".join(names[k] for k in chosen))
            if code is not None:
                return Sized(code)
    raise Unknown(f"the number {first} changes with the lengths of the inputs in a way that is not known")


def as_code_of_product(numbers: Sequence[Any], products: list[int], text: str) -> str | None:
    """Return numbers as code of a product of lengths: equal to it, with a difference, in proportion, or in inverse proportion."""
    if all(isinstance(number, int) for number in numbers):
        difference = numbers[0] - products[0]
        if all(number - product == difference for number, product in zip(numbers, products)):
            return text if not difference else f"{text} {'-' if difference < 0 else '+'} {abs(difference)}"
    values = [float(number) for number in numbers]
    for power, form in ((-1, "{} / {}"), (1, "{} * {}")):
        ratios = [value / float(product) ** power for value, product in zip(values, products)]
        if all(isclose(ratio, ratios[0], rel_tol=1e-12) for ratio in ratios):
            factor = round(ratios[0], 12) if isclose(ratios[0], round(ratios[0], 12), rel_tol=1e-14) else ratios[0]
            code = form.format(f"{factor:.17g}", f"({text})" if " " in text and power < 0 else text)
            return text if power > 0 and factor == 1 else code
    return None


def symbolic(trees: list[Any], code: Callable[[list[Any]], Any]) -> Any:
    """Return the first of several trees of arguments, with the numbers that differ in them as ``Sized``."""
    first = trees[0]
    if isinstance(first, (tuple, list)):
        return type(first)([symbolic(list(parts), code) for parts in zip(*trees)])
    if isinstance(first, dict):
        return {key: symbolic([tree[key] for tree in trees], code) for key in first}
    if isinstance(first, slice):
        return slice(*symbolic([(tree.start, tree.stop, tree.step) for tree in trees], code))
    return code([x.item() if isinstance(x, (np.ndarray, np.generic)) else x for x in trees]) if is_number(first) else first


@contextmanager
def resized(args: Any, tensors: list[tuple[Any, Node]], optimizer: Any, wanted: dict[Any, dict[int, int]]) -> Iterator[Any]:
    """Give parameters, what the optimiser remembers, and blank arguments other lengths meanwhile; yield the arguments."""
    before = [(node, node.value) for _, node in tensors]
    states = optimizer.state if optimizer is not None else []
    try:
        for role, node in tensors:
            node.value = Blank(node.value.shape, node.value.dtype).filled(wanted.get(role, {}))
        if optimizer is not None:
            optimizer.state = [
                {key: Blank(x.shape, x.dtype).filled(wanted.get(("memory", i, key), {})) if np.ndim(x) else x for key, x in state.items()}
                for i, state in enumerate(states)
            ]
        parts = [Tensor(x.filled(wanted.get(("input", i), {}))) if isinstance(x, Blank) else x for i, x in enumerate(leaves(args))]
        yield rebuilt(args, parts)
    finally:
        for node, value in before:
            node.value = value
        if optimizer is not None:
            optimizer.state = states
