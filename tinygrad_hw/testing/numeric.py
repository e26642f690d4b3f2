"""Numeric derivatives of a function along a line, from its values alone: the oracle for what the rules say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Slope", "complex_step", "one_sided_slopes"]

Line = Callable[[complex], complex]
STEPS = 4.0 ** -np.arange(1.5, 10)


@dataclass(frozen=True)
class Slope:
    """A derivative along a line: the one from the left and the one from the right, in order, and how far off they may be."""

    low: float
    high: float
    error: float

    @property
    def is_kink(self) -> bool:
        """Whether the two sides differ."""
        return self.low != self.high


def complex_step(line: Line) -> float:
    """Return Im line(ih) / h for a tiny h: the derivative of an analytic function at 0, exact to rounding (Squire & Trapp 1998)."""
    return float(np.imag(line(1e-100j)) / 1e-100)


def one_sided_slopes(line: Line, scale: float) -> Slope:
    """Return the derivatives at 0 from either side, by Richardson's extrapolation of differences.

    Parameters
    ----------
    line : callable
        A function of a number.
    scale : float
        The size that a slope must have to count: two sides that differ by less than a millionth of it are one.

    Returns
    -------
    Slope
        Infinite where the differences grow without bound. A side on which the function is not defined counts as the other one;
        where neither is, the error is infinite.
    """
    middle, ahead, behind = line(0.0), [line(h) for h in STEPS], [line(-h) for h in STEPS]
    right, right_error = _limit([np.real(y - middle) / h for h, y in zip(STEPS, ahead)], 4)
    left, left_error = _limit([np.real(middle - y) / h for h, y in zip(STEPS, behind)], 4)
    if np.isnan(right) or np.isnan(left):
        only, error = (left, left_error) if np.isnan(right) else (right, right_error)
        return Slope(only, only, np.inf if np.isnan(only) else error)
    if np.isinf([left, right]).any() or abs(right - left) > 1e-6 * scale + 10 * (right_error + left_error):
        return Slope(min(left, right), max(left, right), right_error + left_error)
    both, error = _limit([np.real(p - m) / (2 * h) for h, p, m in zip(STEPS, ahead, behind)], 16)
    return Slope(both, both, error)


def _limit(quotients: list[float], base: int) -> tuple[float, float]:
    """Return where the quotients go as the step is quartered again and again, and an estimate of the error (Ridders 1982)."""
    tail = np.abs(quotients[-4:])
    if np.isfinite(tail).all() and (tail[1:] > 1.5 * tail[:-1]).all():
        return float(np.sign(quotients[-1]) * np.inf), 0.0
    best, least, row = np.nan, np.inf, [np.nan]
    for quotient in quotients:
        new = [float(quotient)]
        for k, coarser in enumerate(row):
            new.append(new[k] + (new[k] - coarser) / (float(base) ** (k + 1) - 1))
            error = max(abs(new[k + 1] - new[k]), abs(new[k + 1] - coarser))
            if error < least:
                best, least = new[k + 1], error
        row = new
    return best, least
