"""e^x, tanh x and cosh x for Numba's loops, in arithmetic alone, so that the compiler does several entries at a time.

To be imported only if Numba is there. All are within 2 units in the last place.

e^x = 2^k e^r with k the whole number nearest to x / ln 2 and |r| ≤ ln 2 / 2 (W. J. Cody & W. Waite, Software Manual for the Elementary
Functions, 1980), and e^r by Taylor's series up to r¹³ / 13!, whose rest is below a tenth of the last bit. tanh x is 1 - 2 / (e^2x + 1), and
near 0, where that cancels, a rational function (S. L. Moshier, Cephes Mathematical Library, tanh.c).
"""

from __future__ import annotations

from math import factorial
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

__all__ = ["cosh", "exp", "tanh"]

PER_LN2 = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # (whole multiples of the first are exact)
TO_WHOLE = 1.5 * 2.0**52  # added, it rounds to a whole number, which the last bits then hold
LARGEST, SMALLEST = 712.0, -750.0  # beyond, e^x and e^x / 2 are inf, or 0
NEAR = 0.625
P0, P1, P2 = -9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3
Q0, Q1, Q2 = 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3
C = [1 / factorial(k) for k in range(14)]
C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13 = C


def cast(result: Any, given: Any, to: Any) -> Any:
    """Return what reads the bits of a number as one of another type."""

    def typed(_: Any, x: Any) -> Any:
        return result(given), lambda context, builder, signature, args: builder.bitcast(args[0], to)

    return intrinsic(typed)


bits_of = cast(types.int64, types.float64, ir.IntType(64))
float_of = cast(types.float64, types.int64, ir.DoubleType())


@njit(error_model="numpy", fastmath={"contract"})
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


@njit(error_model="numpy", fastmath={"contract"})
def exp(x: Any) -> Any:
    """Return e^x of a number."""
    return halved(x, 0)


@njit(error_model="numpy", fastmath={"contract"})
def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine of a number."""
    e = halved(abs(x), 1)
    return e + 0.25 / e


@njit(error_model="numpy", fastmath={"contract"})
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of a number."""
    size = abs(x)
    far = 1.0 - 2.0 / (exp(2.0 * size) + 1.0)
    z = x * x
    near = x + x * z * (((P0 * z + P1) * z + P2) / (((z + Q0) * z + Q1) * z + Q2))
    sign = 1.0 if x > 0 else -1.0
    near = x if x == 0 else near  # (-0.0)
    return near if size < NEAR else sign * far
