"""How to compare speeds on a noisy machine: turn and turn about, the median of the ratios, and only what agrees."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

SAMPLE = 0.002  # seconds: a call that is shorter is repeated until a sample lasts this long
BUDGET, FEWEST = 8.0, 3  # seconds for one comparison; if they do not suffice for all rounds there are fewer, but at least 3

Calls = dict[str, Callable[[], Any]]


class Timing(NamedTuple):
    """What was measured of one contestant: the median of its ratios to the first one, its median seconds a call, and the rounds."""

    ratio: float
    seconds: float
    rounds: int


def seconds(call: Callable[[], object], repeats: int = 1, clock: Callable[[], float] = perf_counter) -> float:
    """Return how long one call takes."""
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


def ratios(calls: Calls, rounds: int, clock: Callable[[], float] = perf_counter) -> dict[str, Timing]:
    """Time each call and its ratio to the first one in the same round, A B C A B C ..."""
    once = {name: seconds(call, clock=clock) for name, call in calls.items()}
    repeats = {name: max(1, round(SAMPLE / time)) for name, time in once.items()}
    rounds = min(rounds, max(FEWEST, int(BUDGET / sum(max(SAMPLE, time) for time in once.values()))))
    times: dict[str, list[float]] = {name: [] for name in calls}
    with frozen():
        for _ in tqdm(range(rounds), desc="rounds", leave=False):
            for name, call in calls.items():
                times[name].append(seconds(call, repeats[name], clock))
    yardstick = next(iter(times.values()))
    return {name: Timing(median(t / y for t, y in zip(own, yardstick)), median(own), rounds) for name, own in times.items()}


@contextmanager
def frozen() -> Iterator[None]:
    """Keep what exists already from Python's search for cycles, so that no contestant is slowed by what others hold."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def difference(value: Any, expected: Any) -> float:
    """Return how far a result is from the expected one, relative to its largest entry; inf if it is not finite."""
    value, expected = np.asarray(value), np.asarray(expected)
    relative = np.max(np.abs(value - expected)) / np.max(np.abs(expected))
    return float(relative) if np.isfinite(relative) else float("inf")


def require_agreement(results: dict[str, Any], tolerance: float) -> None:
    """Exit unless all results are the first one's: a table of unequal work is not printed."""
    expected = next(iter(results.values()))
    wrong = {name: value for name, value in results.items() if difference(value, expected) > tolerance}
    if wrong:
        raise SystemExit(f"{wrong} should be {expected} to {tolerance}: a table of unequal work is not printed")
