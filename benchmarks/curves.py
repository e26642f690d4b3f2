"""Curves: the cost of contestants over a growing size, and the exponent with which each grows."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from .measure import Timing, difference, ratios

LONGEST_RUN, LONGEST_START = 5.0, 10.0  # seconds; after a size that took longer a curve ends


class Axis(NamedTuple):
    """What grows, and who competes.

    A contestant is a label, ``make`` and the module that it needs. ``make(size)`` returns a call; whatever one contestant's
    calls return, first and second, the others' must return too. The first contestant is the yardstick.
    """

    name: str
    what: str
    sizes: tuple[int, ...]
    contestants: list[tuple[str, Callable[[int], Callable[[], Any]], str]]
    tolerance: float


class Curve:
    """A contestant's points over an axis, and why it ended before the axis did."""

    def __init__(self, label: str, make: Callable[[int], Callable[[], Any]]) -> None:
        self.label, self.make = label, make
        self.sizes: list[int] = []
        self.seconds: list[float] = []
        self.ratios: list[float] = []
        self.rounds: list[int] = []
        self.starts: list[float] = []  # processor seconds for making the call and calling it twice: compiling is in them
        self.stopped: str | None = None

    def start(self, size: int) -> tuple[Callable[[], Any], list[Any]] | None:
        """Return the call and what its first two calls return, or note why the curve ends here."""
        self.stopped = self.stopped or self.too_slow()
        if self.stopped:
            return None
        began = process_time()
        try:
            call = self.make(size)
            results = [call(), call()]
        except Exception as reason:  # (a peer may fail in any way: this is what the table says of it)
            self.stopped = f"fails at {size:,}: {type(reason).__name__}: {without_folders(str(reason))}"
            return None
        self.starts.append(process_time() - began)
        return call, results

    def too_slow(self) -> str | None:
        """Tell that the last size took so long that no larger one is tried; starting must also grow with the size, as unrolled loops do."""
        if self.seconds and self.seconds[-1] > LONGEST_RUN:
            return f"a run took {self.seconds[-1]:.2g} s at {self.sizes[-1]:,}, more than {LONGEST_RUN:g} s"
        if len(self.starts) > 1 and self.starts[-1] > LONGEST_START:
            growth = self.starts[-1] / self.starts[-2] / (self.sizes[-1] / self.sizes[-2])
            if growth > 0.5:
                return (
                    f"starting took {self.starts[-1]:.2g} s at {self.sizes[-1]:,}, more than {LONGEST_START:g} s, and grows with the size"
                )
        return None

    def exponent(self) -> float | None:
        """Return the exponent of the growth over the last decade, None if that holds fewer than two sizes."""
        return exponent(self.sizes, self.seconds)

    def add(self, size: int, timing: Timing) -> None:
        """Take a point."""
        self.sizes.append(size)
        self.seconds.append(timing.seconds)
        self.ratios.append(timing.ratio)
        self.rounds.append(timing.rounds)

    def as_dict(self) -> dict[str, Any]:
        """Return what is written down."""
        return {
            "sizes": self.sizes,
            "seconds": self.seconds,
            "ratios": self.ratios,
            "rounds": self.rounds,
            "starts": self.starts,
            "exponent": self.exponent(),
            "stopped": self.stopped,
        }


def without_folders(text: str) -> str:
    """Return the first line of a message, with the names of files but not of their folders."""
    return re.sub(r"(/[^/\s]+)+/", "", text.split("\n")[0])


def exponent(sizes: list[int], times: list[float], span: int = 10) -> float | None:
    """Return the slope of log time over log size by least squares, over the sizes from the largest / span on."""
    last = [(size, time) for size, time in zip(sizes, times) if span * size >= sizes[-1]]
    if len(last) < 2:
        return None
    x, y = np.log(last).T
    return float(np.sum((x - x.mean()) * (y - y.mean())) / np.sum((x - x.mean()) ** 2))


def measured(axis: Axis, rounds: int) -> dict[str, Any]:
    """Measure all contestants that are installed over all sizes; what does not agree with the yardstick is not timed."""
    curves = [Curve(label, make) for label, make, module in axis.contestants if find_spec(module)]
    for size in tqdm(axis.sizes, desc=axis.name, leave=False):
        started = {curve: start for curve in curves if (start := curve.start(size))}
        expected = started[curves[0]][1]
        for curve, (_, results) in list(started.items()):
            if (off := max(map(difference, results, expected))) > axis.tolerance:
                curve.stopped = f"differs from the yardstick at {size:,} by {off:.0e}"
                curve.starts.pop()
                del started[curve]
        timings = ratios({curve.label: call for curve, (call, _) in started.items()}, rounds)
        for curve in started:
            curve.add(size, timings[curve.label])
    absent = [label for label, _, module in axis.contestants if not find_spec(module)]
    return {"what": axis.what, "contestants": {curve.label: curve.as_dict() for curve in curves}, "not installed": absent}


def show(name: str, outcome: dict[str, Any]) -> None:
    """Print the times with their exponents, the ratios to the first contestant, and why curves ended."""
    contestants = {label: curve for label, curve in outcome["contestants"].items() if curve["sizes"]}
    sizes = next(iter(contestants.values()))["sizes"]
    print(f"\n{name}: {outcome['what']}")
    exponents = {label: f"{curve['exponent']:.2f}" if curve["exponent"] else "" for label, curve in contestants.items()}
    rows("time", sizes, {label: [*map(duration, curve["seconds"])] for label, curve in contestants.items()}, exponents)
    rows("ratio", sizes, {label: [f"{ratio:.2f}" for ratio in curve["ratios"]] for label, curve in contestants.items()})
    for label, curve in outcome["contestants"].items():
        if curve["stopped"]:
            print(f"  {label}: {curve['stopped']}")
    if outcome["not installed"]:
        print(f"  not installed: {', '.join(outcome['not installed'])}")


def rows(head: str, sizes: list[int], cells: dict[str, list[str]], exponents: dict[str, str] | None = None) -> None:
    """Print a row for each contestant under a row of the sizes, with the exponents at the end."""
    print(f"  {head:<36}" + "".join(f"{size:>11,}" for size in sizes) + (f"{'exponent':>11}" if exponents else ""))
    for label, row in cells.items():
        line = f"  {label:<36}" + "".join(f"{cell:>11}" for cell in row)
        print(f"{line:<{38 + 11 * len(sizes)}}{exponents[label]:>11}" if exponents else line)


def duration(time: float) -> str:
    """Return a time in the unit that suits it."""
    unit, factor = ("s", 1) if time >= 1 else ("ms", 1e3) if time >= 1e-3 else ("µs", 1e6)
    return f"{time * factor:.3g} {unit}"
