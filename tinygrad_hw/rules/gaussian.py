"""The Gaussian integral on plain NumPy: erf, erfc, the normal distribution function Φ and its density, and gelu.

All rest on one function without kinks or orders of magnitude, (k + z) e^(z²) erfc z, which falls from k to 1/√π and is written as a
polynomial in t = (z - k) / (z + k) (after Shepherd & Laframboise 1981, "Chebyshev approximation of (1 + 2x) exp(x²) erfc x in 0 ≤ x < ∞",
Mathematics of Computation 36). The coefficients interpolate it at Chebyshev nodes; the tests compute it anew with mpmath. Single
precision has shorter polynomials of its own, half precision is computed in single. Arrays are computed block by block, so that
intermediate results stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any, NamedTuple

import numpy as np

from .elementwise import DOUBLE, SINGLE
from .table import dispatched, formula, like_first, rule

__all__ = ["erf", "erfc", "normal_cdf", "normal_density"]

BLOCK = 1 << 16  # bytes


class Series(NamedTuple):
    """The polynomials of a dtype, the constant first, and how far its numbers reach."""

    k: float
    scaled: list[float]  # (k + z) e^(z²) erfc z, in powers of (z - k) / (z + k)
    near: list[float]  # erf(z) / z - 1 for z up to 1, in powers of z²
    farthest: float  # beyond it e^(-z²) is 0


# fmt: off
DOUBLES = Series(3.5, [
    1.08705558926226, -0.937799724567112, 0.6941136466346443, -0.4352560267168875, 0.2257386216474199, -0.09231870663850064,
    0.02651861988150118, -0.0031770503427936917, -0.0013053546903382392, 0.0007145316892872057, -4.206217182845896e-05,
    -7.477711648027305e-05, 1.8647207423905484e-05, 7.2442542522068276e-06, -3.3920403208787654e-06, -7.965337728503656e-07,
    5.505078509919124e-07, 1.162585813936494e-07, -8.346247660207666e-08, -2.178473266091442e-08, 9.015300575703472e-09,
    3.2895955234250755e-09,
], [
    0.1283791670955126, -0.3761263890318375, 0.11283791670954879, -0.026866170645076792, 0.0052239776248180145, -0.000854832698083379,
    0.0001205533111164271, -1.4925595266831182e-05, 1.6461000484121368e-06, -1.6350312701054695e-07, 1.4659775274047436e-08,
    -1.1372848856791674e-09, 5.957176147748911e-11,
], 28.0)
SINGLES = Series(2.0, [
    1.0215827554372408, -0.6871608314952443, 0.27946917132123894, -0.03643751226615453, -0.021481664678367537, 0.0064473375850931216,
    0.0029800842483207503, -0.0007674106656745078, -0.00046885003990283325,
], [
    0.12837916584835093, -0.37612626666720334, 0.11283594715160218, -0.026854212010626412, 0.005189087423433974, -0.000801686428716587,
    7.875875062685488e-05,
], 10.5)
# fmt: on


def _polynomial(coefficients: list[float], t: Any) -> Any:
    """Return Σ cᵢ tⁱ as a new array, by Horner's rule."""
    out = coefficients[-1] * t
    for coefficient in coefficients[-2:0:-1]:
        out += coefficient
        out *= t
    out += coefficients[0]
    return out


def _scaled(z: Any, series: Series) -> Any:
    """Return e^(z²) erfc z for z ≥ 0."""
    whole = z + series.k
    return _polynomial(series.scaled, (z - series.k) / whole) / whole


def _by_blocks(kernel: Callable[..., Any], *arrays: Any) -> Any:
    """Return what a kernel makes of the entries of arrays of one shape, in their dtype; integers become float64."""
    x = np.asarray(arrays[-1])
    given = x.dtype if x.dtype.kind == "f" else DOUBLE
    wide = SINGLE if given.itemsize <= SINGLE.itemsize else DOUBLE
    entries = [np.ascontiguousarray(array, wide).reshape(-1) for array in arrays]
    out = np.empty_like(entries[0])
    step = BLOCK // out.itemsize
    for start in range(0, out.size, step):
        block = slice(start, start + step)
        out[block] = kernel(*[part[block] for part in entries], SINGLES if wide == SINGLE else DOUBLES)
    return out.reshape(x.shape).astype(given, copy=False)


def _upper_tail(x: Any, series: Series) -> Any:
    """Return erfc |x|. Its square is computed in two parts, since rounding it alone would cost e^(-x²) as many digits as x² has."""
    z = np.minimum(np.absolute(x), series.farthest)
    head = np.rint(z * 16) * 0.0625
    return np.exp(-head * head) * np.exp((head - z) * (head + z)) * _scaled(z, series)


def _erfc(x: Any, series: Series) -> Any:
    tail = _upper_tail(x, series)
    return np.where(x < 0, 2 - tail, tail)


def _erf(x: Any, series: Series) -> Any:
    near = np.absolute(x) < 1
    z = np.where(near, x, 0)
    return np.where(near, z + z * _polynomial(series.near, z * z), np.copysign(1 - _upper_tail(x, series), x))


def _size(x: Any, series: Series) -> Any:
    """Return |x|, limited to where e^(-x²/2) becomes 0."""
    return np.minimum(np.absolute(x), 2 * series.farthest)


def _bell(size: Any) -> Any:
    """Return e^(-x²/2) of |x|."""
    out = size * size
    out *= -0.5
    return np.exp(out, out)


def _half_tail(size: Any, series: Series) -> Any:
    """Return Φ(-|x|) of |x|."""
    tail = _scaled(size * sqrt(0.5), series)
    tail *= 0.5
    tail *= _bell(size)
    return tail


def _normal_cdf(x: Any, series: Series) -> Any:
    tail = _half_tail(_size(x, series), series)
    return np.where(x > 0, 1 - tail, tail)


def _gelu(x: Any, series: Series) -> Any:
    """Return x Φ(x) as max(x, 0) - |x| Φ(-|x|)."""
    size = _size(x, series)
    size *= _half_tail(size, series)
    return np.maximum(x, 0) - size


def _gelu_slope(y: Any, x: Any, series: Series) -> Any:
    """Return Φ(x) + x φ(x) for y = x Φ(x)."""
    size, far = np.absolute(x), 2 * series.farthest
    if size.min() > 1e-20 and size.max() < far:
        cdf = y / x
    else:
        inside = (size > 1e-20) & (size < far)
        cdf = np.where(inside, y / np.where(inside, x, 1), np.where(size < 1, 0.5, x > 0))
        x, size = np.maximum(np.minimum(x, far), -far), np.minimum(size, far)
    slope = _bell(size)
    slope *= x
    slope *= 1 / sqrt(2 * pi)
    return np.add(slope, cdf, slope)


@like_first
@dispatched
def erf(x: Any) -> Any:
    """Return 2/√π ∫₀ˣ e^(-t²) dt, entry by entry, within 2 units in the last place.

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.erf([0.0, 0.5, 10.0])
    array([0.        , 0.52049988, 1.        ])
    """
    return _by_blocks(_erf, x)


@like_first
@dispatched
def erfc(x: Any) -> Any:
    """Return 1 - erf(x), entry by entry, within 8 units in the last place in the tails too.

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    ndarray or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.erfc([0.0, 0.5, 10.0])
    array([1.00000000e+00, 4.79500122e-01, 2.08848758e-45])
    """
    return _by_blocks(_erfc, x)


@dispatched
def normal_cdf(x: Any) -> Any:
    """Return Φ(x) = erfc(-x / √2) / 2, entry by entry, within (4 + x²) ε relative."""
    return _by_blocks(_normal_cdf, x)


@dispatched
def normal_density(x: Any) -> Any:
    """Return φ(x) = e^(-x²/2) / √(2π), entry by entry."""
    return _by_blocks(lambda x, series: _bell(_size(x, series)), x) * (1 / sqrt(2 * pi))


def exact_gelu(x: Any) -> Any:
    """Return x Φ(x) of arrays, and 0 at -∞."""
    return _by_blocks(_gelu, x)


@dispatched
def gelu_slope(y: Any, x: Any) -> Any:
    """Return Φ(x) + x φ(x) for y = x Φ(x), from which Φ(x) is computed."""
    return _by_blocks(_gelu_slope, y, x)


def finite(x: Any) -> Any:
    """Return x with 0 in place of infinities: what it is multiplied by is 0 there."""
    return np.where(np.isinf(x), 0, x)


rule(erf,            lambda g, out, x: g * (sqrt(8) * normal_density(sqrt(2) * x)), call=erf, kind="elementwise")
rule(erfc,           lambda g, out, x: -g * (sqrt(8) * normal_density(sqrt(2) * x)), call=erfc, kind="elementwise")
rule(normal_cdf,     lambda g, out, x: g * normal_density(x), call=normal_cdf, kind="elementwise")
rule(normal_density, lambda g, out, x: -g * finite(x) * out, call=normal_density, kind="elementwise")
rule(gelu_slope,     None, lambda g, out, y, x: g * (2 - np.square(finite(x))) * normal_density(x), call=gelu_slope, kind="elementwise")
formula(normal_density, lambda x: np.exp(x * x * -0.5) / sqrt(2 * pi))
formula(gelu_slope, lambda y, x: normal_cdf(x) + x * normal_density(x))
