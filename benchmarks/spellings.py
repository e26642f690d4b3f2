"""What the spellings of one call cost: the operator or method, and as most people write it; microseconds beside NumPy alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_hw as tg

from .measure import ratios

Call = Callable[[], Any]

rng = np.random.default_rng(0)
A, B, V = rng.random((21, 10)), rng.random((10, 10)), rng.random(10)
a, t, w, v = (tg.Tensor(x, requires_grad=True) for x in (A, A, B, V))
SIGMOID = tg.sigmoid

# what is called: NumPy alone, the method or operator, as most people write it
SPELLINGS: dict[str, tuple[Call | None, Call | None, Call]] = {
    "array @ t": (lambda: A @ B, lambda: a @ w, lambda: A @ w),
    "array - t": (lambda: A - A, lambda: a - t, lambda: A - t),
    "np.sin(t)": (lambda: np.sin(A), lambda: t.sin(), lambda: np.sin(t)),
    "np.maximum(t, 0)": (lambda: np.maximum(A, 0), None, lambda: np.maximum(t, 0)),
    "np.sum(t)": (lambda: np.sum(A), lambda: t.sum(), lambda: np.sum(t)),
    "np.mean(t)": (lambda: np.mean(A), lambda: t.mean(), lambda: np.mean(t)),
    "np.max(t)": (lambda: np.max(A), lambda: t.max(), lambda: np.max(t)),
    "np.sum(t, axis=0)": (lambda: np.sum(A, axis=0), lambda: t.sum(axis=0), lambda: np.sum(t, axis=0)),
    "tg.sigmoid(t)": (lambda: SIGMOID(A), lambda: t.sigmoid(), lambda: SIGMOID(t)),
    "t[3]": (lambda: V[3], None, lambda: v[3]),
    "t[:, 0]": (lambda: A[:, 0], None, lambda: t[:, 0]),
    "t.T": (lambda: A.T, None, lambda: t.T),
    "t.reshape(210)": (lambda: A.reshape(210), None, lambda: t.reshape(210)),
    "t > 0": (lambda: A > 0, None, lambda: t > 0),
}


def spellings(rounds: int) -> dict[str, Any]:
    """The spellings of one call: microseconds in NumPy alone, by the method, and as most people write it."""
    print(f"  {'':<20}{'NumPy':>8}{'method':>8}{'written':>8}{'over the method, or NumPy':>28}")
    outcomes = {}
    for name, (alone, method, written) in SPELLINGS.items():
        calls = {"numpy": alone, "method": method, "written": written}
        timings = ratios({label: call for label, call in calls.items() if call is not None}, rounds)
        times = {label: timing.seconds * 1e6 for label, timing in timings.items()}
        over = times["written"] - times.get("method", times.get("numpy", 0.0))
        print(f"  {name:<20}{times.get('numpy', 0):8.2f}{times.get('method', 0):8.2f}{times['written']:8.2f}{over:28.2f}")
        outcomes[name] = {**times, "over": over}
    return outcomes
