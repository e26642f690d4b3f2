"""How to compare two speeds on a noisy machine: turn and turn about, and the median of the ratios."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter


def seconds(call: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


def ratios(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Return for each call the median ratio to the first one's time, and its median time in seconds; A B C A B C ..."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call))
    yardstick = next(iter(times.values()))
    return {name: (median(t / y for t, y in zip(own, yardstick)), median(own)) for name, own in times.items()}
