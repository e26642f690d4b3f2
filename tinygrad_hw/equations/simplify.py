"""Simplification: the ways to build an expression, each of which returns it in its shortest form.

``product``, ``times``, ``sum_of`` and ``call`` are these ways. Coefficients are exact fractions, so 2 · ½ vanishes; equal factors and
terms are merged, so x ⊙ x is x², x / x is 1, x + x is 2 x; numbers are drawn out of whatever is linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np

from ..rules import neural, reductions, shaping
from ..trees import content
from .expressions import (
    Call,
    Constant,
    Expression,
    Number,
    Ones,
    Opaque,
    Prime,
    Product,
    Shape,
    Sum,
    arguments,
    decimal,
    expressions_in,
    is_call,
    joint,
    moves_entries,
    parts_of,
)  # fmt: skip

__all__ = [
    "FOLDS", "ONE", "call", "express", "factored", "is_basic", "one_minus", "product", "scalars_apart", "side_by_side", "simpler",
    "substitute", "sum_of", "times", "without_ones",
]  # fmt: skip

FOLDS = (np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std, reductions.logsumexp)

Factors = Sequence[tuple[Expression, Number]]
Powers = dict[Expression, Number]  # the exponent of each factor

NEGLIGIBLE = Fraction(1, 10**40)
MOST_TO_MULTIPLY = 24  # atoms of an expression that is tried multiplied out


# Numbers
def express(value: Any) -> Any:
    """Return a number or an array as an expression; an expression as it is."""
    if isinstance(value, Expression):
        return value
    array = np.asarray(value)
    kinds = "iuf" if array.ndim else "biuf"  # (an array of truth values is a mask, and no number)
    if array.size and array.dtype.kind in kinds and np.isfinite(array.flat[0]) and (array.ndim == 0 or (array == array.flat[0]).all()):
        first = array.flat[0]
        return times(Product(Fraction(str(first)) if array.dtype.kind == "f" else Fraction(int(first)), ()), Ones(array.shape))
    return Constant(array)


def number_of(value: Any) -> Number | None:
    """Return the fraction that an expression is, or None."""
    return value.coefficient if isinstance(value, Product) and not value.factors else None


def is_zero(x: Expression) -> bool:
    return isinstance(x, Product) and x.coefficient == 0


def is_negative(x: Expression) -> bool:
    return isinstance(x, Product) and x.coefficient < 0


def zeros(shape: Shape) -> Expression:
    return product([(Ones(shape), 1)], 0)


def rounded(x: Number) -> Number:
    """Return a fraction of more digits than a float rounded to those of one."""
    if x.numerator.bit_length() < 64 and x.denominator.bit_length() < 64:
        return x
    return Fraction(decimal(x))


def coefficient_apart(x: Expression) -> tuple[Number, Expression]:
    """Return x as its coefficient and the rest."""
    return (x.coefficient, product(x.factors)) if isinstance(x, Product) else (1, x)


def scalars_apart(x: Expression) -> tuple[Expression, Expression]:
    """Return x as a number times the rest: a product of shape () and one without coefficient."""
    if not x.shape:
        return x, ONE
    if not isinstance(x, Product):
        return ONE, x
    scalars = [(base, exponent) for base, exponent in x.factors if not base.shape]
    return product(scalars, x.coefficient), product([factor for factor in x.factors if factor[0].shape])


# Products
def times(*factors: Expression) -> Expression:
    return product([(x, 1) for x in factors])


def product(factors: Iterable[tuple[Expression, Number]], coefficient: Number = 1) -> Expression:
    """Return the coefficient times the factors to their exponents: flat, equal factors merged, ones left out where they change nothing."""
    factors = list(factors)
    powers, coefficient = without_guard(*merged(factors, coefficient))
    powers = with_softmax(with_logistic(powers))
    shape, coefficient = joint([base.shape for base, _ in factors]), rounded(coefficient)
    kept = [(base, power) for base, power in powers.items() if power] if coefficient else []
    if coefficient < 0:
        for i, (base, power) in enumerate(kept):
            if isinstance(base, Sum) and power.denominator == 1 and power % 2 and any(map(is_negative, base.parts)):
                kept[i], coefficient = (negated(base), power), -coefficient
                break
    if joint([base.shape for base, _ in kept]) != shape:
        kept.insert(0, (Ones(shape), 1))
    kept = [(without_leading_axes(base, kept, shape), power) for base, power in kept]
    if (with_outer := outer(kept)) is not kept:
        return product(with_outer, coefficient)
    if coefficient == 1 and len(kept) == 1 and kept[0][1] == 1:
        return kept[0][0]
    return Product(coefficient, tuple(kept))


def merged(factors: Factors, coefficient: Number) -> tuple[Powers, Number]:
    """Return what factors are made of, with exponents, and the coefficient: products among them are taken apart, ones left out."""
    powers: Powers = {}
    for base, exponent in factors:
        inner: Factors = ((base, 1),)
        if isinstance(base, Product) and (exponent == 1 or (exponent.denominator == 1 and base.coefficient)):
            if base.coefficient != 1:
                coefficient *= base.coefficient if exponent == 1 else Fraction(base.coefficient) ** int(exponent)
            inner = base.factors
        for each, power in inner:
            if not isinstance(each, Ones):
                powers[each] = powers.get(each, 0) + power * exponent
    return powers, coefficient


def raised(powers: Powers, changes: Powers) -> Powers:
    """Return factors with the exponents of some of them changed by so much."""
    return powers | {base: powers.get(base, 0) + change for base, change in changes.items()}


def without_guard(powers: Powers, coefficient: Number) -> tuple[Powers, Number]:
    """Write (1 - [a = 0]) / (a + [a = 0]), with which rules say that x / 0 is to be 0, as 1 / a."""
    for base, power in powers.items():
        guard = next(filter(is_equal_to_zero, base.parts), None) if power == -1 and isinstance(base, Sum) and len(base.parts) == 2 else None
        if guard is None or guard.parts[0] not in base.parts:
            continue
        for choice, sign in ((one_minus(guard), 1), (negated(one_minus(guard)), -1)):
            if powers.get(choice) == 1:
                return raised(powers, {choice: -1, base: 1, guard.parts[0]: -1}), coefficient * sign
    return powers, coefficient


def is_equal_to_zero(x: Expression) -> bool:
    """Tell whether x is [a = 0]."""
    return is_call(x, np.equal) and isinstance(x.args[0], Expression) and number_of(express(x.args[1])) == 0


def with_logistic(powers: Powers) -> Powers:
    """Write 1 / (1 + exp(−z)) as σ(z), and exp(−z) / (1 + exp(−z)) as 1 − σ(z)."""
    for base, power in powers.items():
        one, e = base.parts if power < 0 and isinstance(base, Sum) and len(base.parts) == 2 else (ONE, ONE)
        if is_call(e, np.exp) and number_of(without_ones(one)) == 1:
            logistic = Call(neural.sigmoid, (negative(e.parts[0]),), {}, e.shape)
            both = min(max(powers.get(e, 0), 0), -power)
            others = {other: exponent for other, exponent in powers.items() if other != e}
            return raised(others, {base: -power, e: powers.get(e, 0) - both, logistic: -power - both, one_minus(logistic): both})
    return powers


def with_softmax(powers: Powers) -> Powers:
    """Write exp(z) / Σ exp(z) as softmax(z), without what is the same for all that is added up."""
    for base, power in powers.items():
        if not is_call(base, np.sum) or not base.kwargs.get("keepdims") or len(base.kwargs["axis"]) != 1:
            continue
        e, (axis,) = base.parts[0], base.kwargs["axis"]
        both = min(powers.get(e, 0), -power)
        if both > 0 and is_call(e, np.exp):
            z = e.parts[0]
            varying = [term for term in z.parts if term.shape and term.shape[axis - len(z.shape)] > 1] if isinstance(z, Sum) else []
            out = Call(neural.softmax, (sum_of(varying or [z]),), {} if axis == len(z.shape) - 1 else {"axis": axis}, e.shape)
            return raised(powers, {e: -both, base: both, out: both})
    return powers


def without_leading_axes(x: Expression, factors: Factors, shape: Shape) -> Expression:
    """Return x[None, :] as x where the other factors broadcast it."""
    if not is_call(x, np.expand_dims) or x.shape != (1,) * (len(x.shape) - len(x.parts[0].shape)) + x.parts[0].shape:
        return x
    return x.parts[0] if len(joint([base.shape for base, _ in factors if base is not x])) == len(shape) else x


def outer(factors: list[tuple[Expression, Number]]) -> list[tuple[Expression, Number]]:
    """Write a column x[:, None] times a vector y as their outer product, x yᵀ."""
    linear = [base for base, exponent in factors if exponent == 1]
    vectors = [base for base in linear if len(base.shape) == 1]
    columns = [base for base in linear if is_call(base, np.expand_dims) and len(base.shape) == 2 and base.shape[1] == 1]
    if len(vectors) != 1 or len(columns) != 1 or any(base.shape for base, _ in factors if base not in (*vectors, *columns)):
        return factors
    x, y = columns[0].parts[0], vectors[0]
    return [(bilinear(np.outer, (*x.shape, *y.shape), x, y), 1), *[factor for factor in factors if not factor[0].shape]]


def negative(x: Expression) -> Expression:
    return product([(x, 1)], -1)


def factors_of(x: Expression) -> Factors:
    return x.factors if isinstance(x, Product) else ((x, 1),)


def common_factors(terms: Sequence[Expression]) -> list[tuple[Expression, Number]]:
    """Return the factors that all terms have to the same exponent."""
    return [f for f in factors_of(terms[0]) if not isinstance(f[0], Ones) and all(f in factors_of(term) for term in terms[1:])]


def divided(term: Expression, factors: Factors, coefficient: Number = 1) -> Expression:
    """Return a term of a sum without some of its factors."""
    return without_ones(product([(term, 1), *[(base, -exponent) for base, exponent in factors]], coefficient))


def without_ones(term: Expression) -> Expression:
    """Return a term of a sum without ones: the other terms repeat it to their shape."""
    if isinstance(term, Ones):
        return ONE
    if isinstance(term, Product):
        return product([factor for factor in term.factors if not isinstance(factor[0], Ones)], term.coefficient)
    return term


ONE = Product(1, ())


# Sums
def sum_of(terms: list[Expression]) -> Expression:
    """Return the sum: flat, like terms collected, what is common to all (a sign, a number) in front."""
    if len(terms) == 1:
        return terms[0]
    collected: Powers = {}
    for term in terms:
        for coefficient, rest in flat_terms(term):
            collected[rest] = collected.get(rest, 0) + coefficient
    shape = joint([term.shape for term in terms])
    kept = terms_that_count(collected)
    if not kept:
        return zeros(shape)
    if len(kept) == 1:
        return product([(kept[0][1], 1), (Ones(shape), 1)], kept[0][0])
    size = abs(Fraction(kept[0][0])) if len({abs(c) for c, _ in kept}) == 1 else Fraction(1)
    size = -size if all(c < 0 for c, _ in kept) else size
    common = [factor for factor in common_factors([rest for _, rest in kept]) if not factor[0].shape]
    bare = [divided(rest, common, c / size) for c, rest in kept]
    if joint([term.shape for term in bare]) != shape:
        bare[0] = times(bare[0], Ones(shape))
    inner = sum_of(bare) if any(isinstance(term, Sum) for term in bare) else Sum(positive_first(bare))
    return product([(inner, 1), *common], size)


def flat_terms(term: Expression) -> list[tuple[Number, Expression]]:
    """Return the terms of a term with their coefficients: several if it is itself a sum, or a number times one."""
    coefficient, rest = coefficient_apart(term)
    parts = [coefficient_apart(part) for part in (rest.parts if isinstance(rest, Sum) else (rest,))]
    return [(coefficient * c, part) for c, part in parts]


def terms_that_count(collected: Mapping[Expression, Number]) -> list[tuple[Number, Expression]]:
    """Return the terms that are not 0, without a number so small that it only keeps log 0 finite and is lost in any other sum."""
    kept = [(c, rest) for rest, c in collected.items() if c]
    return [(c, rest) for c, rest in kept if abs(Fraction(c)) > NEGLIGIBLE or number_of(without_ones(rest)) is None] or kept


def positive_first(terms: list[Expression]) -> tuple[Expression, ...]:
    """Return the terms with one that has no minus in front."""
    first = next((i for i, term in enumerate(terms) if not is_negative(term)), 0)
    return (terms[first], *terms[:first], *terms[first + 1 :])


def negated(x: Expression) -> Sum:
    """Return a sum with every sign changed."""
    return Sum(positive_first([negative(term) for term in x.parts]))


def one_minus(x: Expression) -> Expression:
    return sum_of([ONE, negative(x)])


def multiplied_out(x: Expression) -> Expression:
    """Return x with sums in its products multiplied out, f′ written out with them; what then cancels is gone."""
    if isinstance(x, Sum):
        return sum_of([multiplied_out(term) for term in x.parts])
    if isinstance(x, Prime):
        return multiplied_out(x.factor)
    if not isinstance(x, Product):
        return x
    base = product([(part.factor if isinstance(part, Prime) else part, exponent) for part, exponent in x.factors], x.coefficient)
    if not isinstance(base, Product):
        return multiplied_out(base)
    found = next((part for part, exponent in base.factors if isinstance(part, Sum) and exponent == 1), None)
    if found is None:
        return base
    others = [factor for factor in base.factors if factor[0] is not found]
    return sum_of([multiplied_out(product([*others, (term, 1), (Ones(x.shape), 1)], base.coefficient)) for term in found.parts])


def simpler(x: Expression) -> Expression:
    """Return x multiplied out if that is shorter, as (y / ŷ - (1 - y) / (1 - ŷ)) ⊙ ŷ ⊙ (1 - ŷ) is as y - ŷ."""
    if x.size > MOST_TO_MULTIPLY or not any(isinstance(part, (Sum, Prime)) for part in x.parts):
        return x
    out = multiplied_out(x)
    return out if out.size < x.size else x


def factored(x: Expression) -> Expression:
    """Return x with what all terms of a sum have in common in front of it, as a reader expects it: (1 - z) ⊙ n for n - z ⊙ n."""
    found: dict[Expression, Expression] = {}
    for part in parts_of(x):
        if isinstance(part, Sum) and (common := common_factors(part.parts)):
            found[part] = product([(sum_of([divided(term, common) for term in part.parts]), 1), *common])
    return substitute(x, found) if found else x


# Calls
def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], shape: Shape) -> Expression:
    """Return a function of expressions: as algebra where it is algebra, else as a call, numbers drawn in front of it."""
    is_alone = isinstance(args[0], Expression) and len(expressions_in((args, kwargs))) == 1
    if function in (shaping.getitem, shaping.scatter):
        index = spelled(args[1], args[0].shape if function is shaping.getitem else shape)
        if isinstance(index, tuple) and not index and is_alone:
            return args[0]
        args = (args[0], index, *args[2:])
    if function in ALGEBRA:
        simple = ALGEBRA[function](*map(express, args), **kwargs)
        if simple is not None:
            return simple if simple.shape == shape else times(simple, Ones(shape))
    if is_alone and moves_entries(function):
        number, rest = scalars_apart(args[0])
        if isinstance(rest, Ones) or rest is ONE:
            return times(of_ones(function, rest, args[1:], kwargs, shape), number)
        if number != ONE:
            return times(call(function, (rest, *args[1:]), kwargs, shape), number)
    simple = SHAPING[function](shape, *args, **kwargs) if function in SHAPING else None
    return Call(function, args, kwargs, shape) if simple is None else simple


def of_ones(function: Callable[..., Any], ones: Expression, args: tuple[Any, ...], kwargs: dict[str, Any], shape: Shape) -> Expression:
    """Return what a function that moves entries makes of ones."""
    if function is shaping.scatter:
        return Call(function, (ones, *args), kwargs, shape)
    count = Fraction(int(np.prod(ones.shape)), int(np.prod(shape))) if function is np.sum and np.prod(shape) else 1
    return product([(Ones(shape), 1)], count)


def bilinear(function: Callable[..., Any], shape: Shape, x: Any, y: Any) -> Expression:
    """Return x y with the numbers in front."""
    (a, x), (b, y) = scalars_apart(express(x)), scalars_apart(express(y))
    return times(Call(function, (x, y), {}, shape), a, b)


def rebuilt(x: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return x with each of its parts changed, simplified anew."""
    if isinstance(x, Product):
        return product([(change(base), exponent) for base, exponent in x.factors], x.coefficient)
    if isinstance(x, Sum):
        return sum_of([change(term) for term in x.parts])
    if isinstance(x, Prime):
        return Prime(x.function, change(x.parts[0]), change(x.factor))
    if isinstance(x, Opaque):
        return Opaque(x.name, x.vjp, change(x.parts[0]), x.shape, x.reason)
    assert isinstance(x, Call)
    return call(x.function, *arguments(x, change), x.shape)


def substitute(x: Expression, new: Mapping[Expression, Expression]) -> Expression:
    """Return x with other expressions in the place of some variables, simplified anew."""
    if x in new:
        return new[x]
    return rebuilt(x, lambda part: substitute(part, new)) if x.parts else x


# Functions that are algebra
def power(x: Expression, y: Expression) -> Expression | None:
    exponent = number_of(y)
    return None if exponent is None else product([(x, int(exponent) if exponent.denominator == 1 else exponent)])


def exp(x: Expression) -> Expression | None:
    """Return softmax for exp of log softmax."""
    return Call(neural.softmax, x.args, x.kwargs, x.shape) if is_call(x, neural.log_softmax) else None


def where(condition: Expression, x: Expression, y: Expression) -> Expression | None:
    """Return a choice: as a product with the condition if one of the two is 0, with the factors of both in front."""
    if number_of(condition) is not None:
        return x if number_of(condition) else y
    if is_zero(y):
        return times(x, condition)
    if is_zero(x):
        return times(y, one_minus(condition))
    common = common_factors([x, y])
    parts = [divided(part, common) for part in (x, y)]
    chosen = Call(np.where, (condition, *parts), {}, joint([condition.shape, *[part.shape for part in parts]]))
    return product([*common, (chosen, 1)]) if common else None


ALGEBRA: dict[Any, Callable[..., Expression | None]] = {
    np.add: lambda x, y: sum_of([x, y]),
    np.subtract: lambda x, y: sum_of([x, negative(y)]),
    **dict.fromkeys((np.multiply, np.bitwise_and, np.logical_and), times),
    np.divide: lambda x, y: None if is_zero(y) else product([(x, 1), (y, -1)]),
    np.negative: negative,
    np.positive: lambda x: x,
    np.square: lambda x: product([(x, 2)]),
    np.reciprocal: lambda x: product([(x, -1)]),
    np.power: power,
    np.exp: exp,
    np.where: where,
    np.copy: lambda x, *args, **kwargs: x,
    reductions.broadcast_to: lambda x, shape: x,
}


# Functions that move entries or reduce axes: what each makes of x, which has no number in front of it, or None if nothing simpler
def transpose(shape: Shape, x: Expression, axes: Any = None) -> Expression | None:
    """Return xᵀ: itself for a vector, x for (xᵀ)ᵀ, yᵀ xᵀ for (x y)ᵀ."""
    ndim = len(shape)
    order = [i % ndim for i in axes] if axes is not None else [*range(ndim)][::-1]
    moved = [i for i, axis in enumerate(order) if i != axis]
    if not moved:
        return x
    if axes is not None and len(moved) == 2 < ndim:
        return call(np.swapaxes, (x, *moved), {}, shape)
    if order != [*range(ndim)][::-1]:
        return None
    if is_call(x, np.transpose) and not x.kwargs and len(x.args) == 1:
        return x.args[0]
    if is_call(x, np.matmul, np.outer) and ndim == 2:
        left, right = (call(np.transpose, (part,), {}, part.shape[::-1]) for part in x.parts[::-1])
        return call(x.function, (left, right), {}, shape)
    return Call(np.transpose, (x,), {}, shape)


def swapaxes(shape: Shape, x: Expression, axis1: int, axis2: int) -> Expression | None:
    """Return xᵀ for a matrix, x for axes exchanged twice, and rows that are cut into heads by that name."""
    ndim = len(shape)
    axes = {axis1 % ndim, axis2 % ndim}
    if ndim == 2 == len(axes):
        return transpose(shape, x)
    if is_call(x, np.swapaxes) and {i % ndim for i in x.args[1:]} == axes:
        return x.parts[0]
    if is_call(x, np.matmul) and axes == {ndim - 1, ndim - 2}:
        turned = [call(np.swapaxes, (y, -1, -2), {}, (*y.shape[:-2], *y.shape[:-3:-1])) for y in x.parts[::-1] if len(y.shape) > 1]
        return Call(np.matmul, tuple(turned), {}, shape) if len(turned) == 2 else None
    if not is_call(x, np.reshape) or axes != {ndim - 2, ndim - 3} or x.shape[:-2] != x.parts[0].shape[:-1]:
        return None
    rows = x.parts[0]
    split = rows.parts[0] if is_call(rows, joined) else Call(heads, (rows, x.shape[-2]), {}, shape)
    return split if split.shape == shape else None


def heads(x: np.ndarray, h: int) -> np.ndarray:
    """Return the rows of x cut into h heads, each head with its rows."""
    return np.swapaxes(x.reshape(*x.shape[:-1], h, -1), -2, -3)


def joined(x: np.ndarray) -> np.ndarray:
    """Return the rows of heads side by side again."""
    return np.swapaxes(x, -2, -3).reshape(*x.shape[:-3], x.shape[-2], -1)


def reshape(shape: Shape, x: Expression, *args: Any, order: str = "C", **kwargs: Any) -> Expression | None:
    """Return x in a shape that is written out, unless it has it already."""
    if x.shape == shape or order != "C":
        return x if x.shape == shape else None
    ndim = len(x.shape)
    if is_call(x, np.swapaxes) and {i % ndim for i in x.args[1:]} == {ndim - 2, ndim - 3}:
        if shape == joined(np.empty(x.parts[0].shape)).shape:
            return Call(joined, x.parts, {}, shape)
    elif is_call(x, np.reshape):
        return reshape(shape, x.parts[0])
    elif is_call(x, *FOLDS):
        kept = with_axes_kept(x, set(x.kwargs.get("axis", ())))
        x = kept if kept is not None and kept.shape[len(kept.shape) - len(shape) :] == shape else x
    return Call(np.reshape, (x, shape), {}, shape)


def expand_dims(shape: Shape, x: Expression, axis: Any) -> Expression | None:
    """Return x if it has that shape already; with its axis kept, if x is a reduction over the axis that is put in."""
    return x if x.shape == shape else with_axes_kept(x, {int(i) % len(shape) for i in np.atleast_1d(axis)})


def with_axes_kept(x: Expression, axes: set[int]) -> Expression | None:
    """Return an expression made of reductions over these axes with the axes kept; None if it contains other arrays."""
    if not x.shape:
        return x
    if isinstance(x, (Product, Sum)):
        kept: dict[Expression, Any] = {part: with_axes_kept(part, axes) for part in x.parts}
        return None if None in kept.values() else rebuilt(x, kept.__getitem__)
    if not is_call(x, *FOLDS) or x.kwargs.get("keepdims") or set(x.kwargs.get("axis", ())) != axes:
        return None
    shape = tuple([1 if i in axes else n for i, n in enumerate(x.parts[0].shape)])
    return Call(x.function, x.args, {**x.kwargs, "keepdims": True}, shape)


def fold(function: Any, shape: Shape, x: Expression, axis: Any = None, *more: Any, **kwargs: Any) -> Expression | None:
    """Return a reduction with its axes as a tuple, and what is the same along them in front of it if it is a sum or a mean."""
    ndim, names = len(x.shape), ("ddof", "keepdims")[-2 if function in (np.var, np.std) else -1 :]
    given = range(ndim) if axis is None or not ndim else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(sorted([i % ndim for i in given]))
    kwargs |= dict(zip(names, more)) | {"axis": axes}
    if function not in (np.sum, np.mean):
        return Call(function, (x,), kwargs, shape)
    if not axes or (function is np.sum and x.shape == shape):
        return x
    if function is np.sum and is_call(x, shaping.scatter) and len(axes) == ndim:
        return times(call(np.sum, x.args[:1], {}, ()), Ones(shape))
    constant = constant_along(x, axes) if kwargs.get("keepdims") else []
    varying = product([factor for factor in factors_of(x) if factor not in constant])
    if constant and varying.shape == x.shape:
        return product([(call(function, (varying,), kwargs, shape), 1), *constant])
    return Call(function, (x,), kwargs, shape)


def constant_along(x: Expression, axes: tuple[int, ...]) -> list[tuple[Expression, Number]]:
    """Return the factors that have these axes with length 1."""
    return [f for f in factors_of(x) if len(f[0].shape) == len(x.shape) and not any(f[0].shape[i] > 1 for i in axes)]


def getitem(shape: Shape, x: Expression, index: Any) -> Expression | None:
    """Return new axes as expand_dims, and what was scattered to an index if it is taken from there again."""
    parts = index if isinstance(index, tuple) else (index,)
    if len(shape) > len(x.shape) and all(part is None or part is Ellipsis or is_whole(part) for part in parts):
        before = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
        new = [i if i < before else i - len(parts) for i, part in enumerate(parts) if part is None]
        return call(np.expand_dims, (x, tuple(sorted(i % len(shape) for i in new))), {}, shape)
    is_back = is_call(x, shaping.scatter) and is_basic(parts) and content(x.args[1]) == content(index)
    return x.parts[0] if is_back else None


SHAPING: dict[Any, Callable[..., Expression | None]] = {
    np.transpose: transpose,
    np.swapaxes: swapaxes,
    np.reshape: reshape,
    np.squeeze: reshape,
    np.expand_dims: expand_dims,
    shaping.getitem: getitem,
    **{function: partial(bilinear, function) for function in (np.matmul, np.outer)},
    **{function: partial(fold, function) for function in FOLDS},
}


# Indices
def spelled(index: Any, shape: Shape) -> Any:
    """Return a basic index of an array of that shape in its shortest form: [:, :3] for [..., 0:3]."""
    parts = with_colons(index, len(shape))
    if not is_basic(parts):
        return index
    for i, part in enumerate(parts):
        if isinstance(part, slice) and part.step in (None, 1):
            start, stop, _ = part.indices(shape[i])
            parts[i] = slice(start or None, stop if stop < shape[i] else None)
    while parts and is_whole(parts[-1]):
        parts.pop()
    whole = next((i for i, part in enumerate(parts) if not is_whole(part)), 0)
    parts = [Ellipsis, *parts[whole:]] if whole > 1 and len(parts) == len(shape) else parts
    return parts[0] if len(parts) == 1 else tuple(parts)


def with_colons(index: Any, ndim: int) -> list[Any]:
    """Return the parts of an index, one for each axis if it is of integers, slices and dots."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not is_basic(parts):
        return parts
    before = parts.index(Ellipsis) if Ellipsis in parts else len(parts)
    return [*parts[:before], *[slice(None)] * (ndim - len(parts) + (Ellipsis in parts)), *parts[before + 1 :]]


def is_basic(parts: Iterable[Any]) -> bool:
    """Tell whether an index is of integers, slices and dots, so that it names no entry twice."""
    return all(isinstance(part, (int, slice, type(Ellipsis))) for part in parts)


def is_whole(part: Any) -> bool:
    """Tell whether a part of an index is a colon."""
    return isinstance(part, slice) and part == slice(None)


# What is scattered to parts of one axis
class Piece(NamedTuple):
    """A value that is scattered to a slice of one axis of a larger array, or to a place on it."""

    axis: int
    start: int
    stop: int
    index: Any
    value: Expression
    joined: Callable[..., Any]


def side_by_side(x: Expression) -> Expression:
    """Write a sum of what is scattered to slices of one axis, or to all its places, as what is joined there, with zeros in gaps."""
    scalars, terms = scalars_apart(x)
    pieces = sorted(pieces_of(terms), key=lambda piece: piece[:2]) if isinstance(terms, Sum) else []
    if len(pieces) < 2 or len({(piece.axis, piece.joined) for piece in pieces}) > 1:
        return x
    (axis, *_, joined), parts = pieces[0], []
    ends = [0, *[piece.stop for piece in pieces]]
    for end, start, piece in zip(ends, [*[piece.start for piece in pieces], x.shape[axis]], [*pieces, None]):
        if start < end or (start > end and joined is shaping.stack):
            return x
        parts += [zeros((*x.shape[:axis], start - end, *x.shape[axis + 1 :]))] if start > end else []
        parts += [piece.value] if piece else []
    return times(Call(joined, tuple(parts), {"axis": axis}, x.shape), scalars)


def pieces_of(x: Expression) -> list[Piece]:
    """Return what a sum, or a sum times other factors, scatters to parts of one axis; nothing if it is not made of such parts."""
    number, rest = scalars_apart(x)
    pieces: list[Piece] = []
    if isinstance(rest, Sum):
        found = [pieces_of(term) for term in rest.parts]
        pieces = [piece for each in found for piece in each] if all(found) else []
    elif isinstance(rest, Product):
        for base, exponent in rest.factors:
            others = product([factor for factor in rest.factors if factor[0] is not base])
            if exponent == 1 and others.shape == x.shape and (pieces := pieces_of(base)):
                pieces = [piece._replace(value=times(piece.value, part_of(others, piece))) for piece in pieces]
                break
    elif is_call(rest, shaping.concatenate):
        axis = rest.kwargs["axis"] % len(x.shape)
        spans = pairwise(accumulate([part.shape[axis] for part in rest.parts], initial=0))
        for (start, stop), part in zip(spans, rest.parts):
            index = spelled((slice(None),) * axis + (slice(start, stop),), x.shape)
            pieces += [] if is_zero(part) else [Piece(axis, start, stop, index, part, shaping.concatenate)]
    elif is_call(rest, shaping.scatter):
        pieces = scattered(rest)
    return [piece._replace(value=times(piece.value, number)) for piece in pieces]


def scattered(x: Call) -> list[Piece]:
    """Return the piece that is scattered, if it is to a slice of one axis or to a place on it."""
    index, parts = x.args[1], with_colons(x.args[1], len(x.shape))
    cut = [i for i, part in enumerate(parts) if not is_whole(part)]
    if not is_basic(parts) or len(cut) != 1 or getattr(parts[cut[0]], "step", None) is not None:
        return []
    (axis,) = cut
    place = range(x.shape[axis])[parts[axis]]
    if isinstance(place, range):
        return [Piece(axis, place.start, place.stop, index, x.parts[0], shaping.concatenate)]
    return [Piece(axis, place, place + 1, index, x.parts[0], shaping.stack)]


def part_of(x: Expression, piece: Piece) -> Expression:
    """Return the entries of an expression of the larger array's shape that lie where a piece does."""
    if isinstance(x, (Product, Sum, Prime)) and x.parts:
        return rebuilt(x, lambda part: part_of(part, piece))
    return call(shaping.getitem, (x, piece.index), {}, piece.value.shape) if x.shape else x
