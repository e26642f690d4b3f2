"""What NumPy lacks and networks need: sigmoid, relu and their kin, and the softmax family.

Each function takes arrays and gives arrays, takes Tensors and gives Tensors, and is stable: at ±1000
it neither overflows nor warns.
"""

from __future__ import annotations

from math import erfc, pi, sqrt
from typing import Any

import numpy as np

from .reductions import floating, log_softmax, logsumexp, softmax
from .table import dispatched, rule

__all__ = ["gelu", "leaky_relu", "log_sigmoid", "log_softmax", "logsumexp", "relu", "sigmoid", "softmax", "softplus"]

# Constants as arrays of each dtype: NumPy computes with them sooner than with Python's numbers.
FLOATS = [np.dtype(kind) for kind in (np.float16, np.float32, np.float64)]
FLOAT64 = np.dtype(float)
LOG_TINY = {dtype: np.log(np.array(np.finfo(dtype).tiny)) for dtype in FLOATS}
ONES = {dtype: np.array(1, dtype) for dtype in FLOATS}
ONE = ONES[FLOAT64]


def one_like(x: Any) -> Any:
    """Return 1 in the dtype of x, or in one that does not widen it."""
    return ONE if x.dtype is FLOAT64 else ONES.get(x.dtype, ONE)


_erfc = np.frompyfunc(erfc, 1, 1)


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
    Below log(tiny) (-708.4 in float64) the result stays at tiny, the smallest normal number, instead of
    running through e⁻ˣ = inf. σ′ = σ (1 - σ).
    """
    floor = LOG_TINY.get(x.dtype, LOG_TINY[FLOAT64]) if hasattr(x, "dtype") else LOG_TINY[FLOAT64]
    out = np.maximum(x, floor)
    if type(out) is not np.ndarray:  # a number has no memory to write into
        return one_like(out) / (one_like(out) + np.exp(-out))
    np.negative(out, out)
    np.exp(out, out)
    np.add(out, one_like(out), out)
    return np.reciprocal(out, out)


@dispatched
def log_sigmoid(x: Any) -> Any:
    """Return log σ(x) = -softplus(-x), entry by entry; x of any shape."""
    return -softplus(np.negative(x))


@dispatched
def relu(x: Any) -> Any:
    """Return max(x, 0), entry by entry; its derivative at 0 is 0 (the minimum-norm subgradient)."""
    return np.maximum(x, 0)


@dispatched
def leaky_relu(x: Any, slope: float = 0.01) -> Any:
    """Return x where x > 0, else ``slope * x``; its derivative at 0 is the slope (Maas, Hannun & Ng 2013)."""
    return np.where(np.greater(x, 0), x, np.multiply(slope, x))


@dispatched
def softplus(x: Any) -> Any:
    """Return log(1 + eˣ), entry by entry, as max(x, 0) + log1p(e⁻ᵃᵇˢ⁽ˣ⁾); its derivative is σ(x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(np.copysign(x, -1)))


@dispatched
def gelu(x: Any) -> Any:
    """Return x Φ(x), Φ the normal distribution function (Hendrycks & Gimpel 2016, the exact form)."""
    return np.where(np.equal(x, -np.inf), 0, x) * normal_cdf(x)


@dispatched
def normal_cdf(x: Any) -> Any:
    """Return Φ(x) = erfc(-x / √2) / 2, entry by entry."""
    x = floating(x)
    return np.asarray(_erfc(x / -sqrt(2)), x.dtype) * 0.5


def _normal_density(x: Any) -> Any:
    """Return φ(x) = e^(-x²/2) / √(2π)."""
    return np.exp(x * x * -0.5) / sqrt(2 * pi)


rule(sigmoid,     lambda g, out, x: g * (out * (one_like(out) - out)), kind="elementwise")
rule(log_sigmoid, lambda g, out, x: g * sigmoid(-x), kind="elementwise")
rule(relu,        lambda g, out, x: g * (x > 0), kind="choice")
rule(leaky_relu,  lambda g, out, x, slope=0.01: np.where(x > 0, g, slope * g), kind="elementwise")
rule(softplus,    lambda g, out, x: g * sigmoid(x), kind="elementwise")
rule(normal_cdf,  lambda g, out, x: g * _normal_density(x), call=normal_cdf, kind="elementwise")
rule(gelu,        lambda g, out, x: g * (normal_cdf(x) + np.where(np.isinf(x), 0, x) * _normal_density(x)), kind="elementwise")
