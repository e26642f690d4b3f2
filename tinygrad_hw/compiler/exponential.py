"""e^x, tanh x, cosh x, log x and log(1 + x) for Numba's loops, in arithmetic alone, so that the compiler does several entries at a time.

To be imported only if Numba is there. All are within 2 units in the last place.

e^x = 2^k e^r with k the whole number nearest to x / ln 2 and |r| ≤ ln 2 / 2 (W. J. Cody & W. Waite, Software Manual for the Elementary
Functions, 1980), and e^r by Taylor's series up to r¹³ / 13!, whose rest is below a tenth of the last bit. tanh x is 1 - 2 / (e^2x + 1), and
near 0, where that cancels, a rational function (S. L. Moshier, Cephes Mathematical Library, tanh.c). log x is k ln 2 + log m of x = 2^k m
with m from √½ to √2, and log m a series in (m - 1) / (m + 1); log(1 + x) adds what 1 + x loses (FreeBSD's e_log.c, s_log1p.c).
"""

from __future__ import annotations

from math import factorial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["cosh", "exp", "log", "log1p", "plus", "tanh", "times"]

PER_LN2 = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # (whole multiples of the first are exact)
TO_WHOLE = 1.5 * 2.0**52  # added, it rounds to a whole number, which the last bits then hold
LARGEST, SMALLEST = 712.0, -750.0  # beyond, e^x and e^x / 2 are inf, or 0
NEAR = 0.625
P0, P1, P2 = -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3
Q0, Q1, Q2 = 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3
L1, L2, L3, L4 = 6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01
L5, L6, L7 = 1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01
ONE, ROOT_HALF, WHOLE = 0x3FF0000000000000, 0x3FE6A09E667F3BCD, 0x4330000000000000  # the bits of 1, of √½, and of 2^52
LEAST, LIFT = 2.0**-1022, 54  # what is less is multiplied by 2^54 first
C = [1 / factorial(k) for k in range(14)]
C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = C


def cast(result: Any, given: Any, to: Any) -> Any:
    """Return what reads the bits of a number as one of another type."""

    def typed(_: Any, x: Any) -> Any:
        return result(given), lambda context, builder, signature, args: builder.bitcast(args[0], to)

    return intrinsic(typed)


bits_of = cast(types.int64, types.float64, ir.IntType(64))
float_of = cast(types.float64, types.int64, ir.DoubleType())


together = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)  # (what is not inlined is done entry by entry)


@together
def halved(x: Any, times: Any) -> Any:
    """Return e^x / 2^times of a number."""
    x = LARGEST if x > LARGEST else x
    x = SMALLEST if x < SMALLEST else x
    shifted = x * PER_LN2 + TO_WHOLE
    k = shifted - TO_WHOLE
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    high = ((((((C13 * r + C12) * r + C11) * r + C10) * r + C9) * r + C8) * r + C7) * r
    p = (((((((high + C6) * r + C5) * r + C4) * r + C3) * r + C2) * r + C1) * r) + C0
    half = bits_of(0.5 * k + TO_WHOLE)  # (2^k in two factors, each of which has an exponent in range)
    return p * float_of((half + 1023) << 52) * float_of((bits_of(shifted) - half + 1023 - times) << 52)


@together
def exp(x: Any) -> Any:
    """Return e^x of a number."""
    return halved(x, 0)


@together
def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine of a number."""
    e = halved(abs(x), 1)
    return e + 0.25 / e


@together
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of a number."""
    size = abs(x)
    far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0)
    z = x * x
    near = x + x * z * (((P0 * z + P1) * z + P2) / (((z + Q0) * z + Q1) * z + Q2))
    sign = 1.0 if x > 0 else -1.0
    near = x if x == 0 else near  # (-0.0)
    return near if size < NEAR else sign * far


@together
def scaled(x: Any) -> Any:
    """Return k and m - 1 of a number 2^k m."""
    bits = bits_of(x)
    k = (bits + (ONE - ROOT_HALF)) >> 52
    return float_of(k + WHOLE) - (2.0**52 + 1023), float_of(bits - ((k - 1023) << 52)) - 1.0


@together
def log_of(k: Any, f: Any, lost: Any) -> Any:
    """Return log(2^k (1 + f)), and what is to be added to it."""
    s = f / (2.0 + f)
    z = s * s
    series = z * (L1 + z * (L2 + z * (L3 + z * (L4 + z * (L5 + z * (L6 + z * L7))))))
    half = 0.5 * f * f
    return k * LN2_HIGH - ((half - (s * (half + series) + (k * LN2_LOW + lost))) - f)


@together
def bounded(x: Any, zero: Any, value: Any) -> Any:
    """Return the logarithm of a number that is at its zero, or beyond, or inf or nan, else the value."""
    value = value if x < np.inf else x
    value = value if x > zero else np.nan
    return -np.inf if x == zero else value


@together
def log(x: Any) -> Any:
    """Return the natural logarithm of a number."""
    small = x < LEAST
    k, f = scaled(x * 2.0**LIFT if small else x)
    return bounded(x, 0.0, log_of(k - LIFT if small else k, f, 0.0))


@together
def log1p(x: Any) -> Any:
    """Return log(1 + x) of a number."""
    u = 1.0 + x
    k, f = scaled(u)
    lost = (1.0 - (u - x) if k > 0 else x - (u - 1.0)) / u
    value = log_of(k, x if k == 0 else f, 0.0 if k == 0 else lost)
    return bounded(x, -1.0, x if x == 0 else value)


# Sums and products whose terms may come in any order, so that the compiler adds up several at a time
plus = njit(error_model="numpy", fastmath={"reassoc"}, forceinline=True)(lambda a, b: a + b)
times = njit(error_model="numpy", fastmath={"reassoc"}, forceinline=True)(lambda a, b: a * b)
