"""What NumPy lacks and networks need: sigmoid, relu and their kin, and the softmax family.

Each function takes arrays and gives arrays, takes Tensors and gives Tensors, and is stable: at ±1000
it neither overflows nor warns.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np

from .elementwise import DOUBLE, HALF, LOG_MAX, SINGLE, WIDE, gap
from .gaussian import erf, erfc, exact_gelu, gelu_slope
from .reductions import centred, excess, floating, log_softmax, logsumexp, softmax, sum_of_others, widened
from .table import dispatched, formula, like_first, no_derivative, rule

__all__ = [
    "erf", "erfc", "gelu", "leaky_relu", "log_sigmoid", "log_softmax", "logsumexp", "relu", "sigmoid", "softmax", "softplus",
]  # fmt: skip

# Constants as arrays of each dtype: with them NumPy has less overhead than with Python's numbers.
LARGEST_AND_ONE = {dtype: (LOG_MAX[dtype], np.ones((), wide)) for dtype, wide in WIDE.items()}
OF_DOUBLES = LARGEST_AND_ONE[DOUBLE]
NEAR_AND_ONE = 0.98, OF_DOUBLES[1]  # (below 0.98 1 - s has lost at most its last six bits,
NEAR_AND_ONE_OF_SINGLES = 0.9, LARGEST_AND_ONE[SINGLE][1]  # below 0.9 the last four)
CUBIC = 2 * sqrt(2 / pi)


def _growth(x: Any) -> tuple[Any, Any]:
    """Return eˣ, at most the largest number, so that it neither overflows nor warns; and 1."""
    largest, one = OF_DOUBLES if x.dtype is DOUBLE else LARGEST_AND_ONE.get(x.dtype, OF_DOUBLES)  # (to look a dtype up takes long)
    if x.size > 1000 and (x.dtype is DOUBLE or x.dtype is SINGLE) and np.maximum.reduce(x, axis=None) < 88:  # (none is too large)
        return np.exp(x), one
    e = np.minimum(x, largest)
    return np.exp(e, e) if type(e) is np.ndarray else np.exp(e), one  # (a number has no memory to write into)


@like_first
@dispatched
def sigmoid(x: Any) -> Any:
    """Return σ(x) = 1 / (1 + e⁻ˣ), entry by entry.

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Notes
    -----
    Computed as eˣ / (1 + eˣ), which keeps its digits for large negative x. σ′ = σ (1 - σ), and 1 - σ(x) is computed as
    1 / (1 + eˣ), which keeps them for large x.

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    """
    if not hasattr(x, "dtype"):
        x = np.asarray(x)
    e, one = _growth(x)
    whole = e + one
    out = np.divide(e, whole, whole) if type(whole) is np.ndarray else e / whole
    return out.astype(HALF) if x.dtype is HALF else out


@dispatched
def logistic_slope(s: Any, x: Any) -> Any:
    """Return s (1 - s) for s = σ(x), with 1 - s as 1 / (1 + eˣ) where it would cancel. (From the largest eˣ on it stays the same.)"""
    if type(s) is np.ndarray and s.size and (s.dtype is DOUBLE or s.dtype is SINGLE):
        near_one, one = NEAR_AND_ONE if s.dtype is DOUBLE else NEAR_AND_ONE_OF_SINGLES
        if s.item(s.argmax()) < near_one:
            return s * (one - s)
        saturated = np.flatnonzero(s >= near_one) if s.size > 3000 else s  # (in a smaller array to look for them takes longer)
        if 8 * saturated.size < s.size:
            rest = one - s
            rest.put(saturated, one / sum(_growth(x.take(saturated))))
            return np.multiply(s, rest, rest)
    e, one = _growth(x)
    if type(e) is not np.ndarray:
        return s * np.reciprocal(e + one).astype(x.dtype)
    slope = np.divide(s, np.add(e, one, e), e)
    return slope.astype(HALF) if x.dtype is HALF else slope


slope_of_arrays = logistic_slope.on_arrays  # type: ignore[attr-defined]  # (for speed: without asking what the arguments are)


@dispatched
def log_sigmoid(x: Any) -> Any:
    """Return log σ(x) = -softplus(-x), entry by entry.

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.log_sigmoid([-1000.0, 0.0])
    array([-1.00000000e+03, -6.93147181e-01])
    """
    return -softplus(np.negative(floating(x)))


@like_first
@dispatched
def relu(x: Any) -> Any:
    """Return max(x, 0), entry by entry; its derivative at 0 is 0 (the minimum-norm subgradient).

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.relu([-1.0, 0.0, 2.0])
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


@like_first
@dispatched
def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Return x where x > 0, else ``slope * x``; its derivative at 0 is the slope (Maas, Hannun & Ng 2013).

    Parameters
    ----------
    x : array_like or Tensor, of any shape
    slope : float

    Returns
    -------
    ndarray or Tensor of x's shape

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.leaky_relu([-1.0, 0.0, 2.0], slope=0.1)
    array([-0.1,  0. ,  2. ])
    """
    return np.where(np.greater(x, 0), x, np.multiply(slope, x))


@like_first
@dispatched
def softplus(x: Any) -> Any:
    """Return log(1 + eˣ), entry by entry, as max(x, 0) + log1p(e⁻ᵃᵇˢ⁽ˣ⁾); its derivative is σ(x).

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.softplus([-1000.0, 0.0, 1000.0])
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+03])
    """
    return np.maximum(x, 0) + np.log1p(np.exp(np.copysign(x, -1)))


@like_first
@dispatched
def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x Φ(x), entry by entry, Φ the normal distribution function (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    x : array_like or Tensor, of any shape
    approximate : "none" or "tanh"
        Φ itself, or ½ (1 + tanh(√(2/π) (x + 0.044715 x³))) in its place, as in GPT-2; it is computed as the logistic function of twice
        that, which keeps its digits for large negative x.

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Raises
    ------
    ValueError
        If approximate is neither "none" nor "tanh".

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.gelu([-1.0, 0.0, 1.0]), tg.gelu(1.0, approximate="tanh")
    (array([-0.15865525,  0.        ,  0.84134475]), np.float64(0.8411919906082768))
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')
    if approximate == "none":
        return exact_gelu(x)
    x = floating(x)
    return np.where(np.equal(x, -np.inf), 0, x) * sigmoid(_cubic(x))


def _cubic(x: Any) -> Any:
    """Return 2 √(2/π) (x + 0.044715 x³), with x limited to where the logistic function is not yet 0 or 1."""
    near = np.minimum(np.maximum(x, -30), 30)
    return CUBIC * near * (1 + 0.044715 * near * near)


def _gelu(g: Any, out: Any, x: Any, approximate: str = "none") -> Any:
    """Return g (Φ(x) + x φ(x)), or g (σ(u) + x σ′(u) u′) with u the cubic function of x in the other form."""
    if approximate == "none":
        return g * gelu_slope(out, x)
    s, inside = sigmoid(_cubic(x)), np.minimum(np.maximum(x, -30), 30)
    return g * (s + logistic_slope(s, _cubic(x)) * (CUBIC * inside * (1 + 3 * 0.044715 * inside * inside)))


# Losses of logits
@dispatched
def one_hot(classes: Any, count: int, dtype: Any = float) -> Any:
    """Return a row of zeros for each class, with 1 in its place; classes of any shape, from 0 to count - 1."""
    out = np.zeros((*np.shape(classes), count), dtype)
    np.put_along_axis(out, np.asarray(classes)[..., None], 1, -1)
    return out


@dispatched
def softmax_cross_entropy(x: Any, target: Any) -> Any:
    """Return -Σ t log softmax(x) over the last axis, the cross entropy of each sample.

    Parameters
    ----------
    x : (..., C) array or Tensor
        Logits.
    target : (...) array of integers, or (..., C) array or Tensor
        Each sample's class, from 0 to C - 1; or the weight t of each class, such as its probability.

    Returns
    -------
    (...) array or Tensor

    Notes
    -----
    With m = max x and d = x - m it is Σ t (log1p(Σ e^d - 1) - d), where one largest entry's 1 is left out of the sum rather than
    taken off it: a confident sample keeps its digits. What has the weight 0 counts for nothing, even at infinite logits. The
    derivative is softmax(x) - t for weights that add up to 1.
    """
    given = floating(x)
    x = np.ascontiguousarray(widened(given))
    by_row = x.reshape(-1, x.shape[-1])
    places = np.arange(len(by_row)), np.argmax(by_row, -1)
    top = by_row[places][:, None]
    below = by_row - top if np.isfinite(top).all() else gap(by_row, top)
    rest = np.exp(below)
    rest[places] = 0
    log_whole = np.log1p(np.add.reduce(rest, axis=-1))
    if np.result_type(target).kind in "iu":
        out = log_whole - below[places[0], np.reshape(target, -1)]
        return out.reshape(x.shape[:-1]).astype(given.dtype, copy=False)
    left = np.where(np.equal(target, 0), 0, (log_whole[:, None] - below).reshape(x.shape))
    return np.add.reduce(target * left, axis=-1).astype(np.result_type(given, target), copy=False)


@dispatched
def softmax_error(x: Any, target: Any) -> Any:
    """Return softmax(x) Σ t - t along the last axis, with the weights t of the classes; where a share is near 1, without cancelling."""
    shares = softmax(np.ascontiguousarray(x))
    if target.dtype.kind not in "iu":
        return -excess(target, shares, -1)
    by_row = shares.reshape(-1, shares.shape[-1])
    places = np.arange(len(by_row)), target.reshape(-1)
    own = by_row[places]
    error, large = own - 1, np.flatnonzero(own > 0.5)
    error[large] = -sum_of_others(shares, large, places[1][large])
    by_row[places] = error
    return shares


def _softmax_error_x(h: Any, out: Any, x: Any, target: Any) -> Any:
    """Return the cotangent of x through Σ t softmax(x)."""
    shares, weights = softmax(x), class_weights(x, target)
    return np.sum(weights, -1, keepdims=True) * shares * centred(h, shares, -1)


def class_weights(x: Any, target: Any) -> Any:
    """Return the weight of each class, of x's shape."""
    return one_hot(target, x.shape[-1], x.dtype) if target.dtype.kind in "iu" else target


@dispatched
def sigmoid_cross_entropy(x: Any, target: Any) -> Any:
    """Return -t log σ(x) - (1 - t) log σ(-x), entry by entry; x holds logits, target the t between 0 and 1.

    Notes
    -----
    It is log1p(e^-|x|) + |x| (1 - t where x is positive, else t), which neither overflows nor cancels; what has the factor 0 counts
    for nothing, even at infinite logits. The derivative by x is σ(x) - t.
    """
    x = floating(x)
    size, wrong = np.absolute(x), np.where(x > 0, 1 - target, target)
    return np.log1p(np.exp(-size)) + np.where(np.equal(wrong, 0), 0, size) * wrong


@dispatched
def sigmoid_error(x: Any, target: Any) -> Any:
    """Return σ(x) - t, entry by entry; where x is positive as (1 - t) - σ(-x), which does not cancel."""
    tail = sigmoid(-np.absolute(x))
    return np.where(x > 0, (1 - target) - tail, tail - target)


rule(softmax_cross_entropy, lambda g, out, x, target: g[..., None] * softmax_error(x, target),
                            lambda g, out, x, target: -g[..., None] * log_softmax(x), call=softmax_cross_entropy)
rule(softmax_error,         _softmax_error_x,
                            lambda h, out, x, target: -centred(h, softmax(x), -1), call=softmax_error)
rule(sigmoid_cross_entropy, lambda g, out, x, target: g * sigmoid_error(x, target),
                            lambda g, out, x, target: -g * x, kind="elementwise")
rule(sigmoid_error,         lambda h, out, x, target: h * (sigmoid(x) * sigmoid(-x)),
                            lambda h, out, x, target: -h, kind="elementwise")
formula(softmax_error, lambda x, target: -excess(class_weights(x, target), softmax(x), -1))
formula(sigmoid_error, lambda x, target: sigmoid(x) - target)
formula(softmax_cross_entropy, lambda x, target: -np.sum(class_weights(x, target) * log_softmax(x), axis=-1))
formula(sigmoid_cross_entropy, lambda x, target: -(target * np.log(sigmoid(x)) + (1 - target) * np.log(1 - sigmoid(x))))
formula(logistic_slope, lambda s, x: s * (1 - s))
no_derivative(one_hot)

rule(sigmoid,     lambda g, out, x: g * (slope_of_arrays if type(out) is np.ndarray else logistic_slope)(out, x), kind="elementwise")
rule(logistic_slope, None, lambda g, out, s, x: -g * (out * np.tanh(x * 0.5)), kind="elementwise")
rule(log_sigmoid, lambda g, out, x: g * sigmoid(-x), kind="elementwise")
rule(relu,        lambda g, out, x: g * (x > 0), kind="choice")
rule(leaky_relu,  lambda g, out, x, slope=0.01: np.where(x > 0, g, slope * g), kind="elementwise")
rule(softplus,    lambda g, out, x: g * sigmoid(x), kind="elementwise")
rule(gelu,        _gelu, call=gelu, kind="elementwise")
