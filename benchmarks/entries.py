"""Growth of reading, writing and joining entries one by one, with the exponents over all sizes and over the last tenfold."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from tinygrad_hw import Tensor

from .curves import exponent, rows
from .measure import frozen

SIZES = (100, 1_000, 10_000, 100_000)


def reading_entries(x: Tensor) -> Any:
    """Add up the entries of a vector in a loop."""
    total = 0.0
    for i in range(len(x)):
        total = total + x[i]
    return total


def reading_rows(x: Tensor) -> Any:
    """Add up the rows of a matrix in a loop."""
    total = 0.0
    for row in np.reshape(x, (-1, 1)):
        total = total + row
    return total.sum()


def splitting(x: Tensor) -> Any:
    """Split a vector into its entries, and add them up."""
    return sum(np.split(x * 1.0, len(x))).sum()


def stacking(x: Tensor) -> Any:
    """Read all entries, and stack them."""
    return np.stack(list(x)).sum()


def concatenating(x: Tensor) -> Any:
    """Read all entries, and concatenate them."""
    return np.concatenate(list(np.reshape(x, (-1, 1)))).sum()


def writing_entries(x: Tensor) -> Any:
    """Fill a vector entry by entry."""
    y = Tensor(np.zeros(len(x)))
    for i in range(len(x)):
        y[i] = x[i] * 2.0
    return y.sum()


def writing_through_views(x: Tensor) -> Any:
    """Fill the rows of a matrix through views that live on."""
    y = Tensor(np.zeros((len(x), 1)))
    rows = list(y)
    for i, row in enumerate(rows):
        row += x[i]
    return y.sum()


def a_recurrence(x: Tensor) -> Any:
    """Fill a vector with a recurrence that reads what was just written."""
    y = Tensor(np.zeros(len(x) + 1))
    for i in range(len(x)):
        y[i + 1] = y[i] * 0.5 + x[i]
    return y[-1]


PROGRAMS: tuple[Callable[[Tensor], Any], ...] = (
    reading_entries, reading_rows, splitting, stacking, concatenating, writing_entries, writing_through_views, a_recurrence,
)  # fmt: skip


def seconds(program: Callable[[Tensor], Any], size: int) -> tuple[float, float]:
    """Return the seconds for a program forward and backward."""
    x = Tensor(np.linspace(0.0, 1.0, size), requires_grad=True)
    start = perf_counter()
    out = program(x)
    recorded = perf_counter()
    out.backward()
    return recorded - start, perf_counter() - recorded


def entries(rounds: int) -> dict[str, Any]:
    """Reading, writing and joining n entries one by one: microseconds an entry, forward and backward, and the exponents."""
    outcomes = {}
    for program in PROGRAMS:
        with frozen():
            times = [[min(stage) for stage in zip(*(seconds(program, size) for _ in range(3)))] for size in SIZES]
        stages = dict(zip(("forward", "backward"), map(list, zip(*times))))
        exponents = {stage: exponent(list(SIZES), found, span=SIZES[-1] // SIZES[0]) for stage, found in stages.items()}
        last = {stage: exponent(list(SIZES), found) for stage, found in stages.items()}
        labels = {stage: f"{stage}, n^{exponents[stage]:.2f}, at the end n^{last[stage]:.2f}" for stage in stages}
        found = {labels[stage]: [f"{s / n * 1e6:.2f}" for s, n in zip(row, SIZES)] for stage, row in stages.items()}
        rows(f"{program.__name__.replace('_', ' ')}, µs an entry", list(SIZES), found)
        outcomes[program.__name__] = {"sizes": list(SIZES), "seconds": stages, "exponents": exponents, "last": last}
    return outcomes
