"""What the engine knows of a loss: every value and every gradient, with its name, its equation and its number.

``Engine(loss)`` reads the equations of ``tg.explain``. Its ``quantities`` are the sides of the equations, and the parts that they are
built from (σ′(z₂), δ₃ W₃ᵀ); ``meant(array, quantities)`` finds the quantity that an array is, by value alone: as it is, transposed, times a
factor such as N or −1, summed over an axis, or one row of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import isclose
from typing import Any

import numpy as np

from ...backward import sweep
from ...equations import Equation, explain, gradients
from ...equations.expressions import Constant, Expression, Prime, Product, Variable, evaluate, multiplied, parts_of
from ...equations.simplify import substitute
from ...equations.writers import Gradient, Text
from ...graph import Node, history
from ...tensor import Tensor
from ...trees import content

__all__ = ["Engine", "Match", "Quantity", "factors", "meant", "same"]

MOST_FACTORS = 5  # of a product whose partial products are known too


@dataclass(frozen=True, eq=False)
class Quantity:
    """Something that the engine computes.

    Attributes
    ----------
    text : how it is written: ``δ₂``, ``σ′(z₂)``.
    value : float64.
    equation : the equation whose left side it is, or that it is a part of.
    kind : "given" (weights and data), "forward", "delta", "gradient" (of a weight); "cotangent" and "part" stand between these.
    whole : whether it is the whole of the equation.
    scale : of a "cotangent", by what factor it is the engine's: N for ŷ − y, which is N times ∂L/∂ŷ.
    """

    text: str
    value: np.ndarray
    equation: Equation | None
    kind: str
    whole: bool
    scale: float = 1.0

    @property
    def is_backward(self) -> bool:
        """Whether it is a gradient of the loss: proportional to the cotangents."""
        return self.kind in ("delta", "gradient", "cotangent")


@dataclass(frozen=True)
class Match:
    """How an array is a quantity: array = factor · (the quantity, in the form).

    Attributes
    ----------
    form : "", "transposed", "summed", "row" or "row transposed".
    """

    quantity: Quantity
    factor: float
    form: str

    @property
    def total(self) -> float:
        """Return by what factor it is the engine's gradient, where the quantity is one."""
        return self.factor * self.quantity.scale


class Engine:
    """The equations of a loss and the values of everything in them.

    Attributes
    ----------
    equations : what ``explain`` says.
    values : the engine's value of each variable of the equations.
    quantities : everything that has a value, the most telling first.
    weights : what each parameter is called → the equation of its gradient.
    counts : the lengths that a mean may divide by, the length of the batch first.
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
        found = all_cotangents(derivation.order, loss)
        self.cotangents = {node: np.asarray(found[node], float) for node in sorted(found, key=lambda node: not self.is_named(node))}
        self.quantities = self.read(self.values)

    def variable_of(self, name: str) -> Variable:
        """Return the variable that stands for a weight."""
        return self.derivation.values[self.weights[name].line.node]

    def name(self, variable: Expression) -> str:
        """Return what a variable is called: δ₂, or ∂L/∂W₂ for the gradient of a weight."""
        for equation in self.equations.backward:
            if equation.line.variable is variable and equation.line.kind == "gradient":
                return self.side(equation)
        return self.writer.write(variable)

    def side(self, equation: Equation) -> str:
        """Return the left side of an equation."""
        line, names = equation.line, self.derivation.names.labels
        if line.kind == "gradient":
            return self.writer.side(Gradient(names[self.derivation.root], names[line.node]))
        return self.writer.write(line.variable)

    def read(self, values: Mapping[Expression, Any]) -> list[Quantity]:
        """Return the quantities for values of the variables: sides of equations first, then what is given, then parts."""
        found = [Quantity(self.side(e), values[e.line.variable], e, e.line.kind, True) for e in reversed(self.lines)]
        lines = {e.line.variable for e in self.lines}
        found += [Quantity(self.text(x), v, None, "given", True) for x, v in values.items() if x in self.labels and x not in lines]
        for equation in reversed(self.lines):
            is_backward = equation.line.kind != "forward"
            for text, value in self.parts(equation.line.right, values):
                scale = self.scale_of(value) if is_backward else None
                found.append(Quantity(text, value, equation, "part" if scale is None else "cotangent", False, scale or 1.0))
        found += [Quantity(f"∂L/∂{self.text_of(node)}", g, None, "cotangent", False) for node, g in self.cotangents.items()]
        unnamed = [node for node in self.derivation.order if not self.is_named(node)]
        found += [Quantity(self.text_of(node)[1:-1], np.asarray(node.value, float), None, "part", False) for node in unnamed]
        return [quantity for quantity in found if quantity.value.size and (quantity.kind != "given" or quantity.value.ndim)]

    def text(self, x: Expression) -> str:
        """Write an expression."""
        return self.writer.write(x)

    def is_named(self, node: Node) -> bool:
        """Tell whether a node's value has a name in the equations."""
        return not node.edges or node in self.derivation.shown

    def text_of(self, node: Node) -> str:
        """Write a node's value: its name, or in brackets what it is computed from."""
        if self.is_named(node):
            return self.text(self.derivation.values[node])
        return f"({self.text(substitute(self.derivation.calls[node], self.derivation.inline))})"

    def scale_of(self, value: np.ndarray) -> float | None:
        """Return by what factor a part of a gradient's equation is a gradient itself, or None."""
        matches = [match_of(value, g, self.counts) for g in self.cotangents.values() if g.shape == value.shape]
        return max((match[0] for match in matches if match is not None and match[1] == ""), key=lambda scale: scale > 0, default=None)

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

    def recomputed(self, values: Mapping[Expression, Any], changed: Variable, value: np.ndarray) -> dict[Expression, Any]:
        """Return the values where one variable has another one: what follows from it is computed again, line by line."""
        new = {**values, changed: value}
        touched = {changed}
        with np.errstate(all="ignore"):
            for equation in self.lines:
                line = equation.line
                if line.variable is not changed and touched & variables(line.right):
                    touched.add(line.variable)
                    new[line.variable] = np.broadcast_to(np.asarray(evaluate(line.right, new), float), line.variable.shape)
        return new


def compute_once(root: Node) -> None:
    """Let what a loss computes twice, such as its network in two places, be one value in its graph."""
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


def all_cotangents(order: list[Node], loss: Tensor) -> dict[Node, Any]:
    """Return the cotangent of every node."""
    inner = [node for node in order if node.edges and not node.keeps_grad]
    for node in inner:
        node.keeps_grad = True
    try:
        return sweep({loss._node: np.ones_like(loss._node.value)})
    finally:
        for node in inner:
            node.keeps_grad = False


# Comparing by value
def same(x: np.ndarray, y: np.ndarray, rtol: float = 1e-7) -> bool:
    """Tell whether two arrays of one shape agree, relative to their largest entry."""
    if x.shape != y.shape:
        return False
    scale = max(np.abs(x).max(initial=0), np.abs(y).max(initial=0))
    return bool(np.isfinite(scale)) and bool(np.abs(x - y).max(initial=0) <= rtol * scale)


@lru_cache
def factors(counts: tuple[int, ...], rates: tuple[float, ...]) -> list[float]:
    """Return the factors by which a line may differ from the engine's: N, the signs, 2, and the rate of learning."""
    sizes = [1.0, *(s for n in counts if n > 1 for s in (float(n), 1.0 / n))]
    return [sign * size * two * rate for rate in (1.0, *rates) for two in (1.0, 2.0, 0.5) for size in sizes for sign in (1.0, -1.0)]


def forms(quantity: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the forms of a quantity that have a shape."""
    if squeezed(quantity.shape) == squeezed(shape):
        yield "", quantity.reshape(shape)
    if quantity.ndim == 2:
        if quantity.T.shape == shape and min(shape) > 1:
            yield "transposed", quantity.T
        for axis in (0, 1):
            if quantity.shape[axis] > 1 and squeezed((quantity.shape[1 - axis],)) == squeezed(shape):
                yield "summed", quantity.sum(axis).reshape(shape)


@lru_cache
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
        for factor in allowed:
            if isclose(ratio, factor, rel_tol=10 * rtol) and same(array, factor * expected, rtol):
                return factor, form
    return row_of(array, quantity, allowed, rtol)


def row_of(array: np.ndarray, quantity: np.ndarray, allowed: list[float], rtol: float) -> Any:
    """Return the factor in which an array is one of a quantity's rows or columns, and "row"; None if it is none of them."""
    if quantity.ndim != 2 or array.size < 2 or len(squeezed(array.shape)) != 1:
        return None
    flat = array.ravel()
    place = int(np.argmax(np.abs(flat)))
    for rows in [rows for rows in (quantity, quantity.T) if rows.shape[1] == flat.size and rows.shape[0] > 1]:
        ratios = flat[place] / np.where(rows[:, place] == 0, np.nan, rows[:, place])
        fits = np.abs(ratios[:, None] * rows - flat).max(1) <= rtol * max(np.abs(flat[place]), 1e-300)
        for ratio in ratios[fits]:
            factor = next((factor for factor in allowed if isclose(ratio, factor, rel_tol=10 * rtol)), None)
            if factor is not None:
                return factor, "row"
    return None


ORDER = ["", "transposed", "summed", "row"]


def meant(
    array: np.ndarray, quantities: Iterable[Quantity], counts: Iterable[int], rates: Iterable[float] = (), rtol: float = 1e-7
) -> list[Match]:
    """Return the quantities that an array is by value, the likeliest first: whole equations before parts, no factor before a factor."""
    found = []
    counts, rates = tuple(counts), tuple(rates)
    for place, quantity in enumerate(quantities):
        match = match_of(array, quantity.value, counts, rates, rtol)
        if match is not None:
            plain = match[0] in (1.0, *map(float, counts))
            rank = (ORDER.index(match[1]), not plain, not quantity.whole, abs(match[0]) != 1, place)
            found.append((rank, Match(quantity, *match)))
    return [match for _, match in sorted(found, key=lambda item: item[0])]
