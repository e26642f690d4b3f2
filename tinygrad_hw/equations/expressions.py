"""Expressions: the trees that the right-hand sides of equations are, and how NumPy computes them.

Sums and products are entry by entry; a product keeps its factors with their exponents. Whatever is neither is a call of
a NumPy function, so ``evaluate`` can compute every expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from fractions import Fraction
from functools import partial, reduce
from operator import add
from typing import Any, TypeGuard

import numpy as np

from ..rules import RULES, shaping
from ..trees import content, leaves, mapped

__all__ = [
    "Call", "Constant", "Expression", "Number", "Ones", "Opaque", "Prime", "Product", "Shape", "Sum", "Variable", "arguments", "decimal",
    "evaluate", "expressions_in", "is_call", "joint", "magnitude", "moves_entries", "occurrences", "parts_of",
]  # fmt: skip

Shape = tuple[int, ...]
Number = Fraction | int
DIGITS = Context(prec=17)


class Expression:
    """A node of an expression's tree: equal to another that is built in the same way.

    Attributes
    ----------
    shape : of its value.
    parts : the expressions it is built from.
    size, depth : how many atoms it holds, how deep they are nested.
    """

    __slots__ = ("__weakref__", "_hash", "depth", "key", "parts", "shape", "size")

    def __init__(self, shape: Shape, parts: tuple[Expression, ...], *key: Any) -> None:
        self.shape, self.parts, self.key = shape, parts, (type(self), *key)
        self._hash = hash(self.key)
        self.size: int = sum([part.size for part in parts]) or 1
        self.depth: int = 1 + max([part.depth for part in parts], default=0)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Expression) and self._hash == other._hash and self.key == other.key)

    def __hash__(self) -> int:
        return self._hash


class Variable(Expression):
    """Something with a name: the value of a node, a gradient, the length of the batch."""

    __slots__ = ()

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, (), id(self))


class Constant(Expression):
    """An array of the program's own, or a number that is not a fraction."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = np.asarray(value)
        super().__init__(self.value.shape, (), content(self.value))


class Ones(Expression):
    """The array of ones of a shape: what repeats a smaller value to that shape."""

    __slots__ = ()

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape, (), shape)


class Product(Expression):
    """A coefficient times factors to their exponents, entry by entry; a number is a product of no factors."""

    __slots__ = ("coefficient", "factors")

    def __init__(self, coefficient: Number, factors: tuple[tuple[Expression, Number], ...]) -> None:
        self.coefficient, self.factors = coefficient, factors
        parts = tuple([base for base, _ in factors])
        super().__init__(joint([part.shape for part in parts]), parts, coefficient, frozenset(factors))


class Sum(Expression):
    """Terms added up, entry by entry."""

    __slots__ = ()

    def __init__(self, terms: tuple[Expression, ...]) -> None:
        super().__init__(joint([term.shape for term in terms]), terms, frozenset(terms))


class Call(Expression):
    """A NumPy function of arguments, some of them expressions."""

    __slots__ = ("args", "function", "kwargs")

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], shape: Shape) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        super().__init__(shape, tuple(expressions_in((args, kwargs))), function, content(args), content(kwargs))


class Prime(Expression):
    """f′(x): the factor that f's own rule multiplies a cotangent by."""

    __slots__ = ("factor", "function")

    def __init__(self, function: Callable[..., Any], argument: Expression, factor: Expression) -> None:
        self.function, self.factor = function, factor
        super().__init__(factor.shape, (argument,), function, argument)


class Opaque(Expression):
    """What a rule makes of a cotangent, where the rule cannot be read on symbols: ``vjp(g)``."""

    __slots__ = ("name", "reason", "vjp")

    def __init__(self, name: str, vjp: Callable[[Any], Any], g: Expression, shape: Shape, reason: str) -> None:
        self.name, self.vjp, self.reason = name, vjp, reason
        super().__init__(shape, (g,), name, id(vjp), g)


def is_call(x: Any, *functions: Any) -> TypeGuard[Call]:
    """Tell whether an expression is a call of one of these functions."""
    return isinstance(x, Call) and x.function in functions


def expressions_in(value: Any) -> list[Expression]:
    """Return the expressions in tuples, lists and dicts, in order."""
    return [x for x in leaves(value) if isinstance(x, Expression)]


def joint(shapes: list[Shape]) -> Shape:
    """Return the shape that shapes broadcast to."""
    different = {shape for shape in shapes if shape}
    return np.broadcast_shapes(*different) if len(different) > 1 else different.pop() if different else ()


def decimal(x: Number) -> Decimal:
    """Return a fraction as a decimal of as many digits as a float has."""
    return DIGITS.divide(Decimal(x.numerator), Decimal(x.denominator))


def moves_entries(function: Any) -> bool:
    """Tell whether a function of one array only moves its entries and adds them up, so that a number can be drawn out of it."""
    return function is shaping.getitem or (function in RULES and RULES[function].kind == "movement")


# Walks; no expression is nested deeper than a few dozen levels
def parts_of(x: Expression) -> list[Expression]:
    """Return x and all it is built from."""
    return [x, *[found for part in x.parts for found in parts_of(part)]]


def occurrences(x: Expression, found: dict[Expression, int] | None = None) -> dict[Expression, int]:
    """Count how often each atom stands in x; under f′ those of its written-out form do not count."""
    found = {} if found is None else found
    if not x.parts:
        found[x] = found.get(x, 0) + 1
    for part in x.parts:
        occurrences(part, found)
    return found


def evaluate(x: Expression, values: Mapping[Expression, Any]) -> Any:
    """Compute x with NumPy from the values of its variables."""
    if x in values:
        return values[x]
    if isinstance(x, Constant):
        return x.value
    if isinstance(x, Ones):
        return np.ones(x.shape)
    if isinstance(x, Product):
        return multiplied(x.coefficient, [evaluate(base, values) for base, _ in x.factors], [exponent for _, exponent in x.factors])
    if isinstance(x, Sum):
        return reduce(add, [evaluate(term, values) for term in x.parts])
    if isinstance(x, Prime):
        return evaluate(x.factor, values)
    if isinstance(x, Opaque):
        return x.vjp(evaluate(x.parts[0], values))
    assert isinstance(x, Call), "a variable without a value"
    return called(x, partial(evaluate, values=values))


def arguments(x: Call, change: Callable[[Expression], Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call, positional and named, with each expression in them changed."""
    return mapped(lambda value: change(value) if isinstance(value, Expression) else value, (x.args, x.kwargs))


def called(x: Call, compute: Callable[[Expression], Any]) -> Any:
    """Call a call's function on the arrays that its arguments are computed to be."""
    args, kwargs = arguments(x, compute)
    return getattr(x.function, "on_arrays", x.function)(*args, **kwargs)


def multiplied(coefficient: Number, bases: list[Any], exponents: list[Number]) -> Any:
    """Compute the factors above the line, then divide by those below."""
    exact = max(coefficient.numerator.bit_length(), coefficient.denominator.bit_length()) <= 53
    above, below = None, float(coefficient.denominator) if exact else 1.0
    for value, exponent in zip(bases, exponents):
        size = max(exponent, -exponent)
        value = value if size == 1 else np.square(value) if size == 2 else value ** (int(size) if size.denominator == 1 else float(size))
        if exponent > 0:
            above = value if above is None else above * value
        else:
            below = below * value
    numerator = coefficient.numerator if exact else float(decimal(coefficient))
    above = np.float64(numerator) if above is None else above if numerator == 1 else above * numerator
    return above if isinstance(below, float) and below == 1 else above / below


def magnitude(x: Expression, values: Mapping[Expression, Any]) -> Any:
    """Compute x with absolute values in every sum: the scale by which rounding errors are judged, whatever cancels in x."""
    if isinstance(x, Sum):
        return reduce(add, [magnitude(term, values) for term in x.parts])
    if isinstance(x, Product):
        sizes = [magnitude(base, values) if exponent > 0 else np.abs(evaluate(base, values)) for base, exponent in x.factors]
        return multiplied(max(x.coefficient, -x.coefficient), sizes, [exponent for _, exponent in x.factors])
    if isinstance(x, Call) and (x.function is np.matmul or moves_entries(x.function)):
        return called(x, partial(magnitude, values=values))
    return np.abs(evaluate(x, values))
