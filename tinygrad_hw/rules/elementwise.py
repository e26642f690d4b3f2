"""The calculus, entry by entry: one row per ufunc.

``g`` is the incoming cotangent, ``out`` the result, ``x`` and ``y`` the arguments.
At a kink a rule gives the minimum-norm element of the subdifferential: 0 for abs at 0 and for clip at a
bound, equal shares for maximum and its kin at a tie. Steps (floor, sign, ...) have the derivative 0.

Complex numbers follow the convention of JAX and HIPS autograd: a cotangent g of z stands for dL = Re(g dz). So the rule of a
holomorphic function is the same line as for real numbers, ``g * f'(z)`` with no conjugate; the gradient of a real L with respect
to z = a + bi is ∂L/∂a - i ∂L/∂b, whose conjugate is the direction of steepest ascent; and a real argument gets the real part.
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np

from .table import composition, dispatched, formula, no_derivative, rule

LN2, LN10, DEGREE = float(np.log(2)), float(np.log(10)), float(np.pi / 180)


def _nonzero(x: Any) -> Any:
    """Return x with 1 in place of each 0: a denominator for what is 0 there anyway."""
    return x + (x == 0)


def conj(x: Any) -> Any:
    """Return the conjugate of x; real numbers are their own."""
    return np.conjugate(x) if x.dtype.kind == "c" else x


def squared(x: Any) -> Any:
    """Return |x|²."""
    return np.real(x * np.conjugate(x)) if x.dtype.kind == "c" else np.square(x)


# Arithmetic
rule(np.add,        lambda g, out, x, y: g,
                    lambda g, out, x, y: g)
rule(np.subtract,   lambda g, out, x, y: g,
                    lambda g, out, x, y: -g)
rule(np.multiply,   lambda g, out, x, y: g * y,
                    lambda g, out, x, y: g * x)
rule(np.divide,     lambda g, out, x, y: g / y,
                    lambda g, out, x, y: -g * out / y)
rule(np.negative,   lambda g, out, x: -g)
rule(np.positive,   lambda g, out, x: g)
rule(np.reciprocal, lambda g, out, x: -g * out * out)
rule(np.square,     lambda g, out, x: g * (x + x))
rule(np.sqrt,       lambda g, out, x: g / (out + out))
rule(np.cbrt,       lambda g, out, x: g / (3 * out * out))
rule(np.remainder,  lambda g, out, x, y: g,
                    lambda g, out, x, y: -g * np.floor_divide(x, y))
rule(np.fmod,       lambda g, out, x, y: g,
                    lambda g, out, x, y: -g * np.rint((x - out) / y))


@dispatched
def power_of_log(x: Any, y: Any, n: int) -> Any:
    """Return xʸ (log x)ⁿ, the n-th derivative of xʸ by y; its limit 0 where x is 0 and y positive."""
    limit = np.equal(x, 0) & (np.real(y) > 0)
    log = np.log(np.where(limit, 1, x).astype(np.result_type(x, y, np.float16))) if n else 1
    return np.where(limit & (n > 0), 0, np.power(x, y) * log**n)


def _power_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """Return g xʸ log x, and 0 where x and y are 0."""
    return g * power_of_log(np.where(np.equal(x, 0) & np.equal(y, 0), 1, x), y, 1)


for power in (np.power, np.float_power):  # (the derivative y xʸ⁻¹ is 0 where x and y are 0, and for a constant y where y is 0)
    rule(power,      lambda g, out, x, y: g * y * power_of_log(x, np.where(np.equal(x, 0) & np.equal(y, 0), 1, y - 1), 0),
                     _power_y,
     single_vjps=(   lambda g, out, x, y: g * y * x ** (np.where(np.equal(y, 0), 0, y - 1) if hasattr(y, "dtype") else y - 1 if y else 0),
                     _power_y))
rule(power_of_log,   lambda g, out, x, y, n: g * (y * power_of_log(x, y - 1, n) + (n * power_of_log(x, y - 1, n - 1) if n else 0)),
                     lambda g, out, x, y, n: g * power_of_log(x, y, n + 1), None, call=power_of_log, kind="elementwise")
formula(power_of_log, lambda x, y, n: x**y * np.log(x) ** n)

# Exponentials and logarithms
rule(np.exp,        lambda g, out, x: g * out)
rule(np.exp2,       lambda g, out, x: g * out * LN2)
rule(np.expm1,      lambda g, out, x: g * np.exp(x))
rule(np.log,        lambda g, out, x: g / x)
rule(np.log2,       lambda g, out, x: g / (x * LN2))
rule(np.log10,      lambda g, out, x: g / (x * LN10))
rule(np.log1p,      lambda g, out, x: g / (1 + x))


def gap(x: Any, y: Any) -> Any:
    """Return x - y, and 0 where both are the same infinity."""
    same = np.equal(x, y) & np.isinf(x)
    return np.where(same, 0, x - np.where(same, 0, y))


# (the part of x in log(eˣ + eʸ) is σ(x - y), written so that it cannot overflow)
rule(np.logaddexp,  lambda g, out, x, y: g * np.exp(-np.logaddexp(0, gap(y, x))),
                    lambda g, out, x, y: g * np.exp(-np.logaddexp(0, gap(x, y))))
rule(np.logaddexp2, lambda g, out, x, y: g * np.exp2(-np.logaddexp2(0, gap(y, x))),
                    lambda g, out, x, y: g * np.exp2(-np.logaddexp2(0, gap(x, y))))

def _root(x: Any) -> Any:
    """Return √(x² + 1), for real numbers without overflow."""
    return np.sqrt(x * x + 1) if x.dtype.kind == "c" else np.hypot(x, 1)


@dispatched
def cosine(x: Any, y: Any, distance: Any) -> Any:
    """Return x / √(x² + y²); 0 at the origin, and the limit where one of the two is infinite."""
    beyond = np.isinf(x) ^ np.isinf(y)
    inside = np.where(distance == 0, 0, x / np.where(beyond, 1, _nonzero(distance)))
    return np.where(beyond, np.sign(x * 1.0) * np.isinf(x), inside).astype(distance.dtype, copy=False)


@dispatched
def one_minus_square(x: Any) -> Any:
    """Return 1 - x² as (1 - x) (1 + x), which does not cancel near ±1."""
    return (1 - x) * (1 + x)


# Half precision is computed in single.
HALF, SINGLE, DOUBLE, LONG = (np.dtype(kind) for kind in (np.float16, np.float32, np.float64, np.longdouble))
WIDE = {HALF: SINGLE, SINGLE: SINGLE, DOUBLE: DOUBLE, LONG: LONG}
LOG_MAX = {dtype: np.asarray(np.nextafter(np.log(np.finfo(wide).max), wide.type(0))) for dtype, wide in WIDE.items()}
SECH_BOUND = {dtype: largest * largest.dtype.type(0.6) for dtype, largest in LOG_MAX.items()}  # (beyond it 1 / cosh² rounds to 0)


@dispatched
def sech_squared(t: Any, x: Any) -> Any:
    """Return 1 - t² for t = tanh x, as 1 / cosh² x, which does not cancel. (Beyond the bound it is 0.)"""
    if x.dtype.kind == "c":
        return 1 - t * t
    largest = SECH_BOUND.get(x.dtype, SECH_BOUND[DOUBLE])
    return np.square(np.reciprocal(np.cosh(np.minimum(np.absolute(x), largest)))).astype(x.dtype, copy=False)


# Trigonometry
rule(np.sin,        lambda g, out, x: g * np.cos(x))
rule(np.cos,        lambda g, out, x: -g * np.sin(x))
rule(np.tan,        lambda g, out, x: g * (1 + out * out))
rule(np.arcsin,     lambda g, out, x: g / np.sqrt(one_minus_square(x)))
rule(np.arccos,     lambda g, out, x: -g / np.sqrt(one_minus_square(x)))
rule(np.arctan,     lambda g, out, x: g * np.square(1 / _root(x)))
rule(np.arctan2,    lambda g, out, y, x: g * cosine(x, y, np.hypot(y, x)) / _nonzero(np.hypot(y, x)),
                    lambda g, out, y, x: -g * cosine(y, x, np.hypot(y, x)) / _nonzero(np.hypot(y, x)))
rule(np.hypot,      lambda g, out, x, y: g * cosine(x, y, out),
                    lambda g, out, x, y: g * cosine(y, x, out))
rule(np.sinh,       lambda g, out, x: g * np.cosh(x))
rule(np.cosh,       lambda g, out, x: g * np.sinh(x))
rule(np.tanh,       lambda g, out, x: g * sech_squared(out, x))
# (the derivative by x is sin² / distance: (1 - cos²) / distance would cancel)
rule(cosine,        lambda g, out, x, y, distance: g * np.square(cosine(y, x, np.hypot(x, y))) / _nonzero(np.hypot(x, y)),
                    lambda g, out, x, y, distance: -g * out * cosine(y, x, np.hypot(x, y)) / _nonzero(np.hypot(x, y)), None,
     kind="elementwise")
rule(one_minus_square, lambda g, out, x: -2 * g * x, kind="elementwise")
rule(sech_squared,  None, lambda g, out, t, x: -2 * g * (out * np.tanh(x)), kind="elementwise")
formula(cosine, lambda x, y, distance: np.where(distance == 0, 0, x / _nonzero(distance)))
formula(one_minus_square, lambda x: 1 - x * x)
formula(sech_squared, lambda t, x: 1 - t * t)
rule(np.arcsinh,    lambda g, out, x: g / _root(x))
rule(np.arccosh,    lambda g, out, x: g / (np.sqrt(x - 1) * np.sqrt(x + 1)))
rule(np.arctanh,    lambda g, out, x: g / one_minus_square(x))
rule(np.degrees,    lambda g, out, x: g / DEGREE)
rule(np.rad2deg,    lambda g, out, x: g / DEGREE)
rule(np.radians,    lambda g, out, x: g * DEGREE)
rule(np.deg2rad,    lambda g, out, x: g * DEGREE)

def _turning(g: Any, out: Any, x: Any) -> Any:
    """Return the cotangent of x through x / |x|, which only turns with x; 0 at 0."""
    return (g - np.real(g * out) * np.conjugate(out)) * (x != 0) / _nonzero(np.absolute(x))


# Kinks
rule(np.absolute,   lambda g, out, x: g * conj(np.sign(x)))
rule(np.fabs,       lambda g, out, x: g * np.sign(x))
rule(np.copysign,   lambda g, out, x, y: g * np.sign(x) * np.copysign(1, y),
                    lambda g, out, x, y: 0 * g)
# (at a tie both have half; beside a constant it is a kink of the argument alone, whose minimum-norm subgradient is 0, as for relu and clip)
for choice, better in (
    (np.maximum, np.greater),
    (np.minimum, np.less),
    (np.fmax, lambda x, y: np.greater(x, y) | np.isnan(y)),
    (np.fmin, lambda x, y: np.less(x, y) | np.isnan(y)),
):
    rule(choice,    lambda g, out, x, y, better=better: np.where(x == y, g * 0.5, g * better(x, y)),
                    lambda g, out, x, y, better=better: np.where(x == y, g * 0.5, g * better(y, x)), kind="choice",
     single_vjps=(  lambda g, out, x, y, better=better: g * better(x, y),
                    lambda g, out, x, y, better=better: g * better(y, x)))
rule(np.where,      None,
                    lambda g, out, condition, x, y: np.where(condition, g, 0),
                    lambda g, out, condition, x, y: np.where(condition, 0, g), kind="choice")


@dispatched
def clip(x: Any, lower: Any, upper: Any) -> Any:
    """Return min(max(x, lower), upper), for bounds that are constants."""
    return np.minimum(np.maximum(x, lower), upper)


rule(clip,          lambda g, out, x, lower, upper: g * ((x > lower) & (x < upper)), None, None, kind="choice")

# Steps
for step in (np.floor, np.ceil, np.trunc, np.rint):
    rule(step,      lambda g, out, x: 0 * g)
# (the sign of a complex number is z / |z|: it turns with z)
rule(np.sign,       lambda g, out, x: _turning(g, out, x) if x.dtype.kind == "c" else 0 * g)
rule(np.floor_divide, lambda g, out, x, y: 0 * g,
                      lambda g, out, x, y: 0 * g)
rule(np.heaviside,  lambda g, out, x, y: 0 * g,
                    lambda g, out, x, y: np.where(x == 0, g, 0))

rule(np.ldexp,      lambda g, out, x, y: np.ldexp(g, y), None)
rule(np.nextafter,  lambda g, out, x, y: g, None)

# Parts of complex numbers
@dispatched
def of_parts(real: Any, imag: Any) -> Any:
    """Return real + i imag, entry by entry; infinite parts too, where the sum would be nan."""
    out = np.empty(real.shape, np.result_type(real, imag, 1j))
    out.real, out.imag = real, imag
    return out


rule(of_parts,      lambda g, out, real, imag: np.real(g),
                    lambda g, out, real, imag: -np.imag(g), call=of_parts, kind="elementwise")
formula(of_parts, lambda real, imag: real + 1j * imag)
rule(np.conjugate,  lambda g, out, x: np.conjugate(g))
rule(np.real,       lambda g, out, val: g, kind="elementwise", view=True)
rule(np.imag,       lambda g, out, val: g * -1j, kind="elementwise", view=True)


@composition(np.angle)
def _angle(z: Any, deg: bool = False) -> Any:
    radians = np.arctan2(np.imag(z), np.real(z))
    return np.degrees(radians) if deg else radians


@composition(np.real_if_close)
def _real_if_close(a: Any, tol: float = 100) -> Any:
    if a.dtype.kind != "c":
        return a
    within = tol * np.finfo(a.dtype).eps if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(np.imag(a)) < within) else a


@composition(np.clip)
def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None, dtype: Any = None) -> Any:
    a = a if dtype is None else np.positive(a, dtype=dtype)
    lower, upper = (a_min if min is None else min), (a_max if max is None else max)
    if lower is not None and upper is not None and not any(getattr(bound, "requires_grad", False) for bound in (lower, upper)):
        return clip(a, lower, upper)
    a = np.positive(a) if lower is None else np.maximum(a, lower)
    return a if upper is None else np.minimum(a, upper)


composition(np.divmod)(lambda x, y: (np.floor_divide(x, y), np.remainder(x, y)))
composition(np.modf)(lambda x: (gap(x, np.trunc(x)), np.trunc(x)))


@dispatched
def values_of(*arrays: Any) -> Any:
    """Return the arrays themselves: of tensors, their values."""
    return arrays


no_derivative(values_of)


@composition(np.frexp)
def _frexp(x: Any) -> Any:
    (values,) = values_of(x)
    exponents = np.frexp(values)[1]
    return np.ldexp(x, -exponents), exponents


@composition(np.nan_to_num, as_written=True)
def _nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    if not copy:
        x[...] = _nan_to_num(x, True, nan, posinf, neginf)
        return x
    if x.dtype.kind == "c":
        return of_parts(*(_nan_to_num(part, copy, nan, posinf, neginf) for part in (np.real(x), np.imag(x))))
    if x.dtype.kind != "f":
        return np.copy(x)
    largest = np.finfo(x.dtype).max
    upper, lower = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
    return np.where(np.isnan(x), nan, np.where(np.isposinf(x), upper, np.where(np.isneginf(x), lower, x)))


@composition(np.round, np.around)
def _round(a: Any, decimals: int = 0) -> Any:
    if a.dtype.kind in "iu":  # (which NumPy 2.0 gives back as they are)
        return np.positive(a)
    return np.rint(a) if decimals == 0 else np.rint(a * 10.0**decimals) / 10.0**decimals


composition(np.fix)(lambda x: np.trunc(x))
composition(np.sinc)(lambda x: sinc(x))

no_derivative(
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal, np.logical_and, np.logical_or,
    np.logical_not, np.logical_xor, np.isnan, np.isfinite, np.isinf, np.isnat, np.signbit, np.isneginf, np.isposinf,
    np.isclose, np.allclose, np.array_equal, np.array_equiv, np.spacing, np.bitwise_and, np.bitwise_or,
    np.bitwise_xor, np.bitwise_count, np.invert, np.left_shift, np.right_shift, np.gcd, np.lcm,
)  # fmt: skip


@dispatched
def sinc(x: Any) -> Any:
    """Return sin(πx) / (πx), and 1 at 0."""
    return np.sinc(x)


SINC_SERIES = [float((-1) ** k * 2 * k * np.pi ** (2 * k) / factorial(2 * k + 1)) for k in range(1, 12)]


def _sinc_derivative(g: Any, out: Any, x: Any) -> Any:
    """Return g (cos πx - sinc x) / x, and near 0, where that cancels, its series Σ (-1)ᵏ 2k π²ᵏ x²ᵏ⁻¹ / (2k + 1)!."""
    small = np.abs(x) < 0.25
    near, safe = np.where(small, x, 0), np.where(small, 1, x)
    square = near * near
    series: Any = SINC_SERIES[-1]
    for coefficient in SINC_SERIES[-2::-1]:
        series = coefficient + square * series
    return g * np.where(small, near * series, (np.cos(np.pi * x) - out) / safe)


rule(sinc, _sinc_derivative)
