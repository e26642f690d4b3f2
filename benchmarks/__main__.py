"""Measure this package: `python -m benchmarks [--rounds N] [--only NAME]`. One BLAS thread; ratios, interleaved, medians."""

from __future__ import annotations

import os

for threads in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[threads] = "1"

import argparse  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from statistics import median  # noqa: E402

import numpy as np  # noqa: E402

from . import compiled, deep, large, report_loop  # noqa: E402
from .measure import ratios, seconds  # noqa: E402

AGREE, EPOCHS_TO_AGREE = 1e-12, 1000


def report(rounds: int) -> None:
    """Print the report's loop in every engine that is installed, as a ratio to the loop as printed."""
    X, y = report_loop.cross()
    contestants = report_loop.CONTESTANTS + compiled.CONTESTANTS
    present = [(label, make) for label, make, module in contestants if find_spec(module)]
    runs = {label: make(X, y, 10, 0.1) for label, make in present}
    losses = {label: run(EPOCHS_TO_AGREE) for label, run in runs.items()}
    expected = losses[present[0][0]]
    wrong = {label: loss for label, loss in losses.items() if not abs(loss - expected) <= AGREE * abs(expected)}
    if wrong:
        sys.exit(f"after {EPOCHS_TO_AGREE} epochs the loss is {expected!r}, but {wrong}: a table of unequal work is not printed")
    print(f"\nThe report's loop: 2-10-10-1, 21 points; all agree on the loss after {EPOCHS_TO_AGREE} epochs to {AGREE}")
    table(ratios({label: lambda run=run: run(50) for label, run in runs.items()}, rounds), 50)
    absent = sorted({module for _, _, module in contestants if not find_spec(module)})
    if absent:
        print(f"  not installed: {', '.join(absent)}")


def large_network(rounds: int) -> None:
    """Print a network whose matrices dominate, as a ratio to the same in hand-written NumPy."""
    by_hand, engine = large.by_hand(), large.eager()
    difference = abs(by_hand() - engine())
    if difference > 1e-5:
        sys.exit(f"the large network's losses differ by {difference}: not printed")
    print("\nA network whose matrices dominate: 784-512-512-10, batch 256, float32, sigmoids, half mean squared error")
    table(ratios({"NumPy, by hand": by_hand, "tinygrad_hw, eager": engine}, max(rounds, 15)), 1)


def deep_chain(rounds: int) -> None:
    """Print the cost of a node in a chain of a million."""
    print(f"\nA chain of {deep.NODES:,} nodes, microseconds a node (median of 3)")
    measured = [deep.chain() for _ in range(3)]
    for part in ("forward", "sweep", "freeing"):
        print(f"  {part:<34}{median(m[part] for m in measured) / deep.NODES * 1e6:8.2f}")


def import_time(rounds: int) -> None:
    """Print what importing costs beyond importing NumPy."""
    start = lambda line: subprocess.run([sys.executable, "-c", line], check=True)
    start("import tinygrad_hw")
    extra = [seconds(lambda: start("import tinygrad_hw")) - seconds(lambda: start("import numpy")) for _ in range(max(rounds, 15))]
    print(f"\nImporting takes {median(extra) * 1e3:.0f} ms more than importing NumPy")


def table(measured: dict[str, tuple[float, float]], steps: int) -> None:
    """Print ratios and times."""
    print(f"  {'':<34}{'ratio':>8}{'µs a step':>12}")
    for label, (ratio, time) in measured.items():
        print(f"  {label:<34}{ratio:8.2f}{time / steps * 1e6:12.1f}")


def compiled_steps(rounds: int) -> None:
    """Print compiled steps over sizes, with Adam, their memory, and what their first call costs."""
    print("\nCompiled steps: ratios to the loop as printed, by batch and hidden size; with Adam, to an Adam loop by hand")
    compiled.main()


PARTS = {"report": report, "compiled": compiled_steps, "large": large_network, "deep": deep_chain, "import": import_time}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="rounds of each comparison (at least 15 make a median worth quoting)")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated")
    arguments = parser.parse_args()
    print(f"NumPy {np.__version__}, Python {sys.version.split()[0]}, one BLAS thread, {arguments.rounds} rounds")
    for name in arguments.only or PARTS:
        PARTS[name](arguments.rounds)


if __name__ == "__main__":
    main()
