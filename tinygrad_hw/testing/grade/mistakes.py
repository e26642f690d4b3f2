"""Equations with one thing wrong: what a line would give if a factor, a transpose, an axis, a sign or a name in it were another.

``variants(expression, meaning)`` walks over the right side of an equation and yields every such mistake with the value that it gives.
A line of a program whose value is that of a variant has that mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...equations.expressions import Call, Expression, Prime, Product, Sum, Variable, evaluate, mapped, multiplied, parts_of
from ...equations.writers import Text
from ...tensor import Tensor
from ...transforms import vjp

__all__ = ["Meaning", "Mistake", "variants"]


@dataclass(frozen=True)
class Mistake:
    """What is wrong: a kind, and the pieces that its sentence is made of.

    Attributes
    ----------
    kind : a key of ``words.MISTAKES``.
    right, wrong : texts: what should stand there, and what does.
    detail : tells mistakes apart that are told alike; "everywhere" where a factor may be mended in one place or in every gradient.
    """

    kind: str
    right: str = ""
    wrong: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Meaning:
    """What the variables of an equation stand for.

    Attributes
    ----------
    values : each variable's value.
    writer : what they are called.
    others : for each kind of mistake the values that a variable may be mistaken for: "other value" (of this step), "update first" (weights
        after the update), "stale" (of the step before); a variable and its value each.
    """

    values: Mapping[Expression, Any]
    writer: Text
    others: Mapping[str, Mapping[Expression, Any]]
    written: dict[Expression, str] = field(default_factory=dict)  # (each once: a mistake is written for every variable in every place)
    computed: dict[Expression, np.ndarray] = field(default_factory=dict)

    def text(self, x: Expression) -> str:
        """Write an expression."""
        if x not in self.written:
            self.written[x] = self.writer.write(x)
        return self.written[x]

    def kind_of(self, right: str, wrong: str) -> str:
        """Return what it is called that something stands where something else should, both written."""
        labels = {self.text(x): label for x, label in self.writer.labels.items()}
        return swapped(labels[right], labels[wrong]) if right in labels and wrong in labels else "other value"

    def value(self, x: Expression) -> np.ndarray:
        """Compute an expression."""
        if x not in self.computed:
            self.computed[x] = np.asarray(evaluate(x, self.values), float)
        return self.computed[x]

    def with_part(self, x: Expression, place: int, value: Any) -> np.ndarray:
        """Compute an expression of which one part has another value."""
        if isinstance(x, Prime):
            return derivative(x, value)
        parts = [value if k == place else self.value(part) for k, part in enumerate(x.parts)]
        if isinstance(x, Product):
            return np.asarray(multiplied(x.coefficient, parts, [exponent for _, exponent in x.factors]), float)
        if isinstance(x, Sum):
            return np.asarray(sum(parts[1:], parts[0]), float)
        assert isinstance(x, Call)
        remaining = iter(parts)
        args, kwargs = mapped(lambda v: next(remaining) if isinstance(v, Expression) else v, (x.args, x.kwargs))
        return np.asarray(getattr(x.function, "on_arrays", x.function)(*args, **kwargs), float)


Variant = tuple[Mistake, np.ndarray]


def variants(x: Expression, meaning: Meaning) -> Iterator[Variant]:
    """Yield every single mistake in an expression, with the value that it gives."""
    with np.errstate(all="ignore"):
        yield from mistaken_here(x, meaning)
        for k, part in enumerate(x.parts):
            for mistake, value in variants(part, meaning):
                try:
                    changed = meaning.with_part(x, k, value)
                except (ValueError, TypeError, IndexError):  # shapes that do not fit: nobody's program ran with those
                    continue
                if isinstance(x, Prime):
                    kind = mistake.kind if mistake.kind in ("update first", "stale") else "argument of the derivative"
                    mistake = Mistake(kind, mistake.right, mistake.wrong, mistake.detail)
                yield mistake, changed


def mistaken_here(x: Expression, meaning: Meaning) -> Iterator[Variant]:
    """Yield the mistakes in the outermost operation of an expression."""
    if isinstance(x, Variable):
        yield from mistaken_names(x, meaning)
    elif isinstance(x, Product):
        yield from mistaken_products(x, meaning)
    elif isinstance(x, Sum):
        yield from mistaken_sums(x, meaning)
    elif isinstance(x, Prime):
        yield from mistaken_derivatives(x, meaning)
    elif isinstance(x, Call) and x.function is np.matmul:
        yield from mistaken_matrix_products(x, meaning)
    elif isinstance(x, Call) and x.function is np.sum:
        yield from mistaken_axes(x, meaning)


def mistaken_names(x: Variable, meaning: Meaning) -> Iterator[Variant]:
    """Yield what has another name, and the values of this name at another time."""
    here = meaning.values[x]
    for kind in ("update first", "stale"):
        other = meaning.others.get(kind, {}).get(x)
        if other is not None and not np.array_equal(other, here):
            yield Mistake(kind, meaning.text(x), meaning.text(x)), other
    for other, value in meaning.others.get("other value", {}).items():
        if other is not x and np.ndim(value) == np.ndim(here) and other in meaning.writer.labels:
            yield Mistake(swapped(meaning.writer.labels[x], meaning.writer.labels[other]), meaning.text(x), meaning.text(other)), value
            if np.ndim(value) == 2 and value.shape == here.T.shape and value.shape != here.shape:
                yield Mistake("other value", meaning.text(x), meaning.text(other)), value.T


def swapped(right: Any, wrong: Any) -> str:
    """Return what it is called that one name stands for another."""
    if {right.base, wrong.base} in ({"a", "z"}, {"ŷ", "z"}) and (right.sub == wrong.sub or "ŷ" in (right.base, wrong.base)):
        return "z for a"
    return "layers swapped" if right.base == wrong.base else "other value"


def mistaken_products(x: Product, meaning: Meaning) -> Iterator[Variant]:
    """Yield products without one of their factors, and with one in the place of another."""
    factors = [(base, meaning.value(base), exponent) for base, exponent in x.factors]
    for k, (base, value, exponent) in enumerate(factors):
        rest = [factor for j, factor in enumerate(factors) if j != k]
        if base.shape and rest:
            missing = np.asarray(multiplied(x.coefficient, [v for _, v, _ in rest], [e for _, _, e in rest]), float)
            yield Mistake("factor missing", meaning.text(base)), missing
            yield Mistake("twice", meaning.text(base)), meaning.value(x) * value ** float(exponent)


def mistaken_sums(x: Sum, meaning: Meaning) -> Iterator[Variant]:
    """Yield sums without one of their terms, and with the sign of one turned."""
    values = [meaning.value(part) for part in x.parts]
    for k, part in enumerate(x.parts):
        rest = sum(value for j, value in enumerate(values) if j != k)
        yield Mistake("term missing", meaning.text(part)), np.asarray(rest, float)
        yield Mistake("sign of a term", meaning.text(x), meaning.text(part)), np.asarray(rest - values[k], float)


def mistaken_derivatives(x: Prime, meaning: Meaning) -> Iterator[Variant]:
    """Yield what is often taken for the derivative of a function f: f itself, f of what f gave, 1 − f, and so on."""
    argument = meaning.value(x.parts[0])
    f = np.asarray(getattr(x.function, "on_arrays", x.function)(argument), float)
    right = meaning.value(x)
    taken = [f, 1 - f, 1 + f, f * f, f * (1 + f), 1 + f * f, f - 1, argument, 1 - argument, argument * (1 - argument)]
    taken += [f * (1 - f), 1 - f * f, (argument > 0).astype(float)]  # (of sigmoid, tanh and relu)
    for k, wrong in enumerate(
        [*taken, 1 - argument**2, 1 - right, 1 + right, -right, right**2, derivative(x, f), getattr(x.function, "on_arrays", x.function)(f)]
    ):
        yield Mistake("wrong derivative", meaning.text(x), detail=str(k)), wrong
    for out in [part for part in parts_of(x.factor) if isinstance(part, Variable) and part.shape == argument.shape]:
        fed = np.asarray(evaluate(x.factor, {**meaning.values, out: argument}), float)  # the rule in terms of a, fed with z
        yield Mistake("argument of the derivative", meaning.text(out), meaning.text(x.parts[0])), fed


def mistaken_matrix_products(x: Call, meaning: Meaning) -> Iterator[Variant]:
    """Yield matrix products with a transpose too few or too many, in the other order, and products entry by entry."""
    values = [meaning.value(part) if isinstance(part, Expression) else part for part in x.args]
    if any(np.ndim(value) != 2 for value in values):
        return
    a, b = values
    texts = [meaning.text(part) for part in x.args]
    for mistake, (left, right) in (
        (Mistake("transpose", texts[1]), (a, b.T)),
        (Mistake("transpose", texts[0]), (a.T, b)),
        (Mistake("transpose", meaning.text(x)), (a.T, b.T)),
        (Mistake("order", meaning.text(x)), (b, a)),
        (Mistake("transpose", texts[1]), (b.T, a)),
        (Mistake("transpose", texts[0]), (b, a.T)),
    ):
        if left.shape[1] == right.shape[0]:
            yield mistake, left @ right
    for left, right in ((a, b), (a, b.T), (a.T, b)):
        if left.shape == right.shape:
            yield Mistake("entry by entry", meaning.text(x)), left * right


def mistaken_axes(x: Call, meaning: Meaning) -> Iterator[Variant]:
    """Yield sums over other axes, over all of them, over none."""
    value = meaning.value(x.parts[0])
    right = tuple(x.kwargs["axis"])
    yield Mistake("not summed", meaning.text(x)), value
    every = tuple(range(value.ndim))
    for axes in (*((axis,) for axis in every), every):
        if axes != right:
            yield Mistake("axis", spelled(right, value.ndim), spelled(axes, value.ndim)), value.sum(axes)


def spelled(axes: tuple[int, ...], ndim: int) -> str:
    """Write axes: empty where they are all."""
    return "" if len(axes) == ndim else ", ".join(map(str, axes))


def derivative(x: Prime, at: Any) -> np.ndarray:
    """Return the derivative of a function that works entry by entry, at other numbers."""
    at = np.asarray(at, float)
    out, pullback = vjp(lambda z: x.function(z), at)
    found = pullback(np.ones(np.shape(out)))
    return np.asarray(found.data if isinstance(found, Tensor) else found, float)
