"""The report's loop over sizes: an epoch as the hidden layers widen, and as the batch grows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from . import compiled, report_loop
from .curves import Axis
from .report_loop import Run

RATE, BATCH = 0.1, 100
WIDTHS = (10, 30, 100, 300, 1_000, 2_000, 4_096)
BATCHES, HIDDEN = (1, 21, 100, 400, 1_000), (10, 100, 1_000)
TOLERANCE = 1e-9
OWN = ("NumPy, the loop as printed", "NumPy, tuned by hand with out=", "tinygrad_hw, eager", "tg.compile, NumPy", "tg.compile, Numba")

CONTESTANTS = [
    *report_loop.CONTESTANTS[:3],
    ("tg.compile, NumPy", compiled.compiled, "tinygrad_hw"),
    ("tg.compile, Numba", compiled.compiled_numba, "numba"),
    *[contestant for contestant in report_loop.CONTESTANTS[3:] if contestant[1] is not report_loop.jax_loop],
]


def data(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return so many points and their labels; for 21 the report's."""
    if batch == 21:
        return report_loop.cross()
    X = np.random.RandomState(0).uniform(size=(batch, 2))
    return X, (X[:, :1] > X[:, 1:]).astype(int)


def an_epoch(make: Callable[..., Run], batch: int, hidden: int) -> Callable[[], Any]:
    """Return a call of one epoch."""
    return partial(make(*data(batch), hidden, RATE), 1)


def growing_width() -> Axis:
    """Return the axis of the hidden layers' width."""
    contestants = [(label, lambda width, make=make: an_epoch(make, BATCH, width), module) for label, make, module in CONTESTANTS]
    what = f"an epoch of the report's network, 2-n-n-1, with {BATCH} points"
    return Axis("layer width", what, WIDTHS, contestants, TOLERANCE)


def growing_batch(hidden: int) -> Axis:
    """Return the axis of the batch for a hidden size."""
    own = [contestant for contestant in CONTESTANTS if contestant[0] in OWN]
    contestants = [(label, lambda batch, make=make: an_epoch(make, batch, hidden), module) for label, make, module in own]
    what = f"an epoch of the report's network, 2-{hidden}-{hidden}-1, with so many points"
    return Axis(f"hidden {hidden}", what, BATCHES, contestants, TOLERANCE)
