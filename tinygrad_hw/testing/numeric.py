"""Numeric derivatives of a function along a line, from its values alone: what the rules are compared with.

A line is a function of a number that returns an array; every entry of it is differentiated for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Slope", "complex_step", "one_sided_slopes"]

Line = Callable[[Any], Any]
STEPS = 4.0 ** -np.arange(1.5, 10)
EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Slope:
    """Derivatives along a line: from the left and from the right, the smaller one as ``low``, and how far off they may be."""

    low: Any
    high: Any
    error: Any

    @property
    def is_kink(self) -> bool:
        """Whether the two sides differ."""
        return bool(np.any(self.low != self.high))


def complex_step(line: Line) -> Any:
    """Return Im line(ih) / h for a tiny h: the derivative of an analytic function at 0, exact to rounding (Squire & Trapp 1998)."""
    return np.imag(line(1e-100j)) / 1e-100


def one_sided_slopes(line: Line, noise: float = EPS, near: float = 1.0, off: Callable[[float], float] | None = None) -> Slope:
    """Return the derivatives at 0 from either side, by Richardson's extrapolation of differences.

    Parameters
    ----------
    line : callable
        A function of a number.
    noise : float
        How far off the line's values may be, relative to their size: the rounding of their dtype.
    near : float
        How far the line is looked at, relative to the usual steps.
    off : callable, optional
        Of a step, how far off the points at that distance are, relative to it.

    Returns
    -------
    Slope
        Infinite where the differences grow without bound. Where the function is not defined on one side, the derivative is that of the
        other one; where it is on neither, the error is infinite.
    """
    middle, steps = np.real(line(0.0)), near * STEPS
    ahead, behind = ([np.real(line(sign * h)) for h in steps] for sign in (1, -1))
    right = [(y - middle) / h for h, y in zip(steps, ahead)]
    left = [(middle - y) / h for h, y in zip(steps, behind)]
    sizes = [noise * np.maximum(np.abs(middle), np.abs(y)) for y in ahead]
    roundings = [size / h + (off(h) if off else 0.0) * np.abs(q) for h, size, q in zip(steps, sizes, right)]
    right_limit, right_error = _limit(right, 4, roundings)
    left_limit, left_error = _limit(left, 4, roundings)
    central, central_error = _limit([(p - m) / (2 * h) for h, p, m in zip(steps, ahead, behind)], 16, roundings)
    only_left, only_right = np.isnan(right_limit), np.isnan(left_limit)
    apart = np.abs(right_limit - left_limit) > 10 * (right_error + left_error) + 1e-6 * np.maximum(np.abs(right_limit), np.abs(left_limit))
    one_sided = np.isinf(right_limit) | np.isinf(left_limit) | apart | only_left | only_right
    right_limit, left_limit = np.where(only_left, left_limit, right_limit), np.where(only_right, right_limit, left_limit)
    error = np.where(only_left, left_error, np.where(only_right, right_error, right_error + left_error))
    return Slope(
        np.where(one_sided, np.minimum(left_limit, right_limit), central),
        np.where(one_sided, np.maximum(left_limit, right_limit), central),
        np.where(one_sided, np.where(np.isnan(right_limit), np.inf, error), central_error),
    )


def _limit(quotients: list[Any], base: int, roundings: list[Any]) -> tuple[Any, Any]:
    """Return where the quotients go as the step is quartered again and again, and an estimate of the error (Ridders 1982)."""
    best, least, row = np.full(np.shape(quotients[0]), np.nan), np.full(np.shape(quotients[0]), np.inf), [np.nan]
    for quotient, rounding in zip(quotients, roundings):
        new = [quotient]
        for k, coarser in enumerate(row):
            new.append(new[k] + (new[k] - coarser) / (float(base) ** (k + 1) - 1))
            error = np.maximum(np.abs(new[k + 1] - new[k]), np.abs(new[k + 1] - coarser)) + rounding
            best, least = np.where(error < least, new[k + 1], best), np.fmin(error, least)
        row = new
    tail = np.abs(quotients[-4:])
    endless = np.isfinite(tail).all(0) & (tail[1:] > 1.5 * tail[:-1]).all(0)
    return np.where(endless, np.copysign(np.inf, quotients[-1]), best), np.where(endless, 0.0, least)
