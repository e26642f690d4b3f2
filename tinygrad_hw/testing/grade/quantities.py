"""What the engine knows of a loss: every value and every gradient, with its name, its equation and its number.

``Engine(loss)`` reads the equations of ``tg.explain``: its ``quantities`` are their sides, and the parts of these, such as σ′(z₂).
``matches_of(array, quantities)`` finds those that an array equals: as they are, transposed, times a factor such as N or −1, or a row of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import combinations
from typing import Any

import numpy as np

from ...equations import Equation, explain, gradients
from ...equations.expressions import Constant, Expression, Prime, Product, Variable, evaluate, multiplied, parts_of
from ...equations.writers import Gradient, Text
from ...graph import Node, history
from ...tensor import Tensor
from ...transforms import vjp
from ...trees import content

__all__ = ["Engine", "Match", "Quantity", "matches_of", "ratio_of", "same"]

STEP = 1e-5  # of a difference, which is exact to about 1e-10
MOST_FACTORS = 5  # of a product whose partial products are known too


@dataclass(frozen=True, eq=False)
class Quantity:
    """Something that the engine computes."""

    text: str  # how it is written: δ₂, σ′(z₂)
    value: np.ndarray  # float64
    equation: Equation | None  # whose left side it is, or that it is a part of
    kind: str  # "given" (weights and data), "forward", "delta", "gradient" (of a weight), "part" (what stands between these)
    whole: bool  # whether it is the whole of the equation


@dataclass(frozen=True)
class Match:
    """How an array is a quantity: array = factor · (the quantity, in the form)."""

    quantity: Quantity
    factor: float
    form: str  # "", "transposed" or "row"


class Engine:
    """The equations of a loss and the values of everything in them, as ``quantities``, the most specific first.

    ``weights`` are the equations of the gradients by what the parameters are called; ``counts`` the lengths that a mean may divide by, the
    length of the batch first.
    """

    def __init__(self, loss: Tensor, parameters: Mapping[str, Tensor], counts: Iterable[int]) -> None:
        compute_once(loss._node)
        self.equations = explain(loss)
        derivation = self.derivation = self.equations._derivation
        self.labels = self.equations.backward[0]._labels
        self.writer = Text(self.labels)
        engine = gradients(derivation)
        self.values: dict[Expression, Any] = {k: np.asarray(v, float) for k, v in derivation.numbers.items()}
        self.values |= {x: np.asarray(x.value, float) for x in self.labels if isinstance(x, Constant) and x.value.dtype.kind == "f"}
        self.values |= {line.variable: np.asarray(line.node.value, float) for line in derivation.written}
        self.values |= {line.variable: np.asarray(engine[line.node], float) for line in derivation.backward}
        batch = [int(derivation.numbers[derivation.batch])] if derivation.batch is not None else []
        self.counts = tuple(dict.fromkeys([*batch, *counts]))
        self.lines = (*self.equations.forward, *self.equations.backward)
        by_node = {equation.line.node: equation for equation in self.equations.backward if equation.line.kind == "gradient"}
        self.weights = {name: by_node[tensor._node] for name, tensor in parameters.items() if tensor._node in by_node}
        self.quantities = self.read()

    def side(self, equation: Equation) -> str:
        line, names = equation.line, self.derivation.names.labels
        if line.kind == "gradient":
            return self.writer.side(Gradient(names[self.derivation.root], names[line.node]))
        return self.writer.write(line.variable)

    @cached_property
    def slopes(self) -> list[tuple[Callable[[Any], Any], np.ndarray, str]]:
        """The derivatives of the functions that are applied entry by entry: how they are computed, their values here, and what they are."""
        parts = [part for e in self.equations.backward for part in parts_of(e.line.right) if isinstance(part, Prime)]
        found: list[tuple[Callable[[Any], Any], np.ndarray, str]] = []
        found += [(partial(derivative, x), np.asarray(evaluate(x, self.values), float), self.text(x)) for x in dict.fromkeys(parts)]
        for equation in self.equations.forward:
            line, inputs = equation.line, variables(equation.line.right)
            z = next(iter(inputs), None)
            if z is None or len(inputs) > 1 or z.shape != line.variable.shape or not z.shape:
                continue
            f = partial(self.with_value, line.right, z)
            if np.allclose(f(np.flip(self.values[z])), np.flip(self.values[line.variable]), 1e-12):
                text = f"∂{self.text(line.variable)}/∂{self.text(z)}"
                found.append((partial(difference, f), difference(f, self.values[z]), text))
        return found

    def with_value(self, x: Expression, variable: Expression, value: Any) -> Any:
        """Compute an expression with another value of a variable."""
        return np.asarray(evaluate(x, {**self.values, variable: value}), float)

    def read(self) -> list[Quantity]:
        """Return the quantities: sides of equations first, then what is given, then parts."""
        values, lines = self.values, {e.line.variable for e in self.lines}
        found = [Quantity(self.side(e), values[e.line.variable], e, e.line.kind, True) for e in reversed(self.lines)]
        found += [Quantity(self.text(x), v, None, "given", True) for x, v in values.items() if x in self.labels and x not in lines]
        for equation in reversed(self.lines):
            found += [Quantity(text, value, equation, "part", False) for text, value in self.parts(equation.line.right, values)]
        return [quantity for quantity in found if quantity.value.size and (quantity.kind != "given" or quantity.value.ndim)]

    def text(self, x: Expression) -> str:
        return self.writer.write(x)

    def parts(self, x: Expression, values: Mapping[Expression, Any]) -> Iterator[tuple[str, np.ndarray]]:
        """Yield what an expression is built from: text and value, partial products too."""
        for part in parts_of(x):
            if part.parts and part is not x and part.shape:
                yield self.text(part), np.asarray(evaluate(part, values), float)
            if isinstance(part, Product):
                arrays = [(base, exponent) for base, exponent in part.factors if base.shape]
                for count in range(1, min(len(arrays), MOST_FACTORS)):
                    for chosen in combinations(arrays, count):
                        value = multiplied(1, [evaluate(base, values) for base, _ in chosen], [exponent for _, exponent in chosen])
                        yield self.text(Product(1, tuple(chosen))), np.asarray(value, float)
            if isinstance(part, Prime):
                for piece in parts_of(part.factor):
                    if piece.shape and (piece.parts or piece is part.factor):
                        yield self.text(piece), np.asarray(evaluate(piece, values), float)


def compute_once(root: Node) -> None:
    """Make one node of what a loss computes twice, as where it runs its network in two places."""
    first: dict[Any, Node] = {}
    same_as: dict[Node, Node] = {}
    for node in history([root]):
        node.parents = tuple([same_as.get(parent, parent) for parent in node.parents])  # type: ignore[arg-type]
        node.inputs = {i: same_as.get(parent, parent) for i, parent in node.inputs.items()}
        if node.rule is not None and node is not root:
            known = [node.inputs.get(i) or (node.parents[i] if i < len(node.parents) else None) for i in range(len(node.args))]
            args = [content(arg) if made is None else made for arg, made in zip(node.args, known)]
            same_as[node] = first.setdefault((node.rule.function, tuple(args), content(node.kwargs)), node)


def variables(x: Expression) -> set[Variable]:
    """Return the variables that an expression reads, those of a written-out derivative too."""
    found: set[Variable] = set()
    for part in parts_of(x):
        if isinstance(part, Variable):
            found.add(part)
        if isinstance(part, Prime):
            found |= variables(part.factor)
    return found


# Comparing by value
def same(x: np.ndarray, y: np.ndarray, rtol: float = 1e-7) -> bool:
    """Return whether two arrays of one shape agree, relative to their largest entry."""
    scale = max(np.abs(x).max(initial=0), np.abs(y).max(initial=0))
    return bool(np.isfinite(scale)) and bool(np.abs(x - y).max(initial=0) <= rtol * scale)


def ratio_of(value: np.ndarray, expected: np.ndarray, rtol: float) -> float | None:
    """Return the factor between two arrays of as many entries, or None if there is none."""
    if np.size(value) != expected.size or not expected.any() or not np.any(value):
        return None
    value = value.reshape(expected.shape)
    place = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
    ratio = float(value[place] / expected[place])
    return ratio if same(value, ratio * expected, 10 * rtol) else None


@cache
def factors(counts: tuple[int, ...], rates: tuple[float, ...] = ()) -> np.ndarray:
    """Return the factors by which a line may differ from the engine's: N, the signs, 2, and the rate of learning."""
    sizes = [1.0, *(s for n in counts if n > 1 for s in (float(n), 1.0 / n))]
    return np.array([sign * size * two * r for r in (1.0, *rates) for two in (1.0, 2.0, 0.5) for size in sizes for sign in (1.0, -1.0)])


def forms(quantity: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the forms of a quantity that have a shape."""
    if squeezed(quantity.shape) == squeezed(shape):
        yield "", quantity.reshape(shape)
    if quantity.ndim == 2 and quantity.T.shape == shape and min(shape) > 1:
        yield "transposed", quantity.T


@cache
def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without its ones."""
    return tuple(n for n in shape if n != 1)


def match_of(array: np.ndarray, quantity: np.ndarray, counts: Iterable[int], rates: Iterable[float] = (), rtol: float = 1e-7) -> Any:
    """Return the factor and the form in which an array is a quantity, or None."""
    if quantity.size != array.size and (quantity.ndim != 2 or array.size not in quantity.shape):
        return None
    allowed = factors(tuple(counts), tuple(rates))
    for form, expected in forms(quantity, array.shape):
        size = float(np.abs(expected).max(initial=0))
        if not size and form == "" and not np.any(array):
            return 1.0, form
        if not size or not np.isfinite(size):
            continue
        place = np.unravel_index(np.argmax(np.abs(expected)), expected.shape)
        ratio = float(array[place] / expected[place])
        for factor in near(ratio, allowed, rtol):
            if same(array, factor * expected, rtol):
                return float(factor), form
    return row_of(array, quantity, allowed, rtol)


def near(ratio: float, allowed: np.ndarray, rtol: float) -> np.ndarray:
    """Return the factors that a ratio may be."""
    return allowed[np.abs(allowed - ratio) <= 10 * rtol * np.maximum(np.abs(allowed), abs(ratio))]


def row_of(array: np.ndarray, quantity: np.ndarray, allowed: np.ndarray, rtol: float) -> Any:
    """Return the factor in which an array is one of a quantity's rows or columns, and "row"; None if it is none of them."""
    if quantity.ndim != 2 or array.size < 2 or len(squeezed(array.shape)) != 1:
        return None
    flat = array.ravel()
    place = int(np.argmax(np.abs(flat)))
    for rows in [rows for rows in (quantity, quantity.T) if rows.shape[1] == flat.size and rows.shape[0] > 1]:
        ratios = flat[place] / np.where(rows[:, place] == 0, np.nan, rows[:, place])
        fits = np.abs(ratios[:, None] * rows - flat).max(1) <= rtol * max(np.abs(flat[place]), 1e-300)
        for factor in (factor for ratio in ratios[fits] for factor in near(ratio, allowed, rtol)):
            return float(factor), "row"
    return None


ORDER = ["", "transposed", "row"]


def matches_of(
    array: np.ndarray, quantities: Iterable[Quantity], counts: Iterable[int], rates: Iterable[float] = (), rtol: float = 1e-7
) -> list[Match]:
    """Return the quantities that an array equals, the likeliest first: whole equations before parts, no factor before a factor."""
    found = []
    counts, rates = tuple(counts), tuple(rates)
    for place, quantity in enumerate(quantities):
        match = match_of(array, quantity.value, counts, rates, rtol)
        if match is not None:
            plain = match[0] in (1.0, *map(float, counts))
            rank = (ORDER.index(match[1]), not plain, not quantity.whole, abs(match[0]) != 1, place)
            found.append((rank, Match(quantity, *match)))
    return [match for _, match in sorted(found, key=lambda item: item[0])]


def difference(f: Callable[[Any], Any], at: Any) -> np.ndarray:
    """Return the derivative of a function that works entry by entry, by a difference."""
    at = np.asarray(at, float)
    return np.asarray((f(at + STEP) - f(at - STEP)) / (2 * STEP))


def derivative(x: Prime, at: Any) -> np.ndarray:
    """Return the derivative of a function that works entry by entry, at other numbers."""
    at = np.asarray(at, float)
    out, pullback = vjp(lambda z: x.function(z), at)
    found = pullback(np.ones(np.shape(out)))
    return np.asarray(found.data if isinstance(found, Tensor) else found, float)
