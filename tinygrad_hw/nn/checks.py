"""Checks of the arguments of layers and losses; each error says what would work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from ..backward import values
from ..batching import Batched
from ..errors import DTypeError, ShapeError
from ..rules.shaping import array

Random: TypeAlias = "np.random.Generator | np.random.RandomState | int | None"  # (a string, since numpy.random is slow to import)


def as_floats(x: Any, integers: bool = False) -> Any:
    """Return x as a Tensor, a batch or an array; integers become floats, unless ``integers`` says that they may stay."""
    x = array(x)
    return x if integers or x.dtype.kind in "fc" else x.astype(float)


def as_input(layer: Any, x: Any, weight: Any) -> Any:
    """Return the input of a layer, lists and integers in the layer's dtype; raise if its dtype is wider than the layer's."""
    own = weight.dtype
    if not hasattr(x, "dtype"):
        x = array(x)
        return x if hasattr(x, "requires_grad") else x.astype(own)
    if x.dtype is own:
        return x
    if x.dtype.kind in "biu":
        return x.astype(own)
    if x.dtype.kind == "f" and np.result_type(x.dtype, own) != own:
        raise DTypeError(
            f"{layer!r} has parameters of {own}, and x is {x.dtype}, which would widen all that follows: give x.astype(np.{own}), "
            f"or make the network wider by .astype(np.{x.dtype})"
        )
    return x


def same_shape(loss: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both as tensors or arrays of floats; raise if their shapes differ."""
    y, t = as_floats(prediction), as_floats(target, integers=True)
    t = t if t.dtype.kind in "fc" else t.astype(y.dtype)
    if y.shape == t.shape:
        return y, t
    fix = ""
    if [n for n in y.shape if n != 1] == [n for n in t.shape if n != 1]:
        fix = f" target.reshape({y.shape}) would fit."
    elif y.shape == t.shape[::-1]:
        fix = " target.T would fit."
    raise ShapeError(
        f"{loss}: the prediction has shape {y.shape} and the target {t.shape}: they must be equal, since broadcasting "
        f"would compare entries that do not belong together.{fix}"
    )


def indices_below(function: str, what: str, indices: Any, count: int) -> Any:
    """Return indices as an array or a batch; raise unless they are integers from 0 to count - 1."""
    places = array(values(indices))
    if places.dtype.kind not in "iu":
        raise DTypeError(f"{function}: {what} must be integers, not {places.dtype}; convert them with .astype(int)")
    if places.size and not 0 <= places.min() <= places.max() < count:
        wrong = places.min() if places.min() < 0 else places.max()
        raise IndexError(f"{function}: {what} must be from 0 to {count - 1}, and there is {wrong}")
    return indices if isinstance(indices, Batched) else places


def require_positive(layer: str, *sizes: int) -> None:
    """Raise unless the sizes of a layer are positive integers."""
    if not sizes or not all(isinstance(n, (int, np.integer)) and n > 0 for n in sizes):
        raise ValueError(f"{layer}: sizes must be positive integers, not {', '.join(map(repr, sizes)) or 'none'}")


def probability(layer: str, p: float) -> float:
    """Return p as a float; raise unless it is in [0, 1)."""
    if not 0 <= p < 1:
        raise ValueError(f"{layer}: p must be at least 0 and less than 1, not {p}")
    return float(p)


def one_of(what: str, value: Any, allowed: Iterable[Any]) -> None:
    """Raise unless a value is one of those that are allowed."""
    if value not in allowed:
        raise ValueError(f"{what} must be {', '.join(map(repr, allowed))}; it is {value!r}")


def generator(rng: Random) -> Any:
    """Return a generator of random numbers, made from the seed if one is given; raise for anything else."""
    if rng is None or (isinstance(rng, (int, np.integer)) and not isinstance(rng, bool)):
        return np.random.default_rng(rng)
    if not isinstance(rng, (np.random.Generator, np.random.RandomState)):
        raise TypeError(
            f"rng must be a numpy.random.Generator or RandomState, or an integer seed, not {type(rng).__name__}: "
            "numpy.random.default_rng(seed) makes one"
        )
    return rng
