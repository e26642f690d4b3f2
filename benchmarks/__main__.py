"""Measure this package against hand-written NumPy and the peers that are installed.

One BLAS thread; contestants take turns; medians, and ratios within each round. What each part measures is printed, and written
with the machine and the versions to benchmarks/results/PART.json; the figures growth.svg and sizes.svg beside them are drawn from these.
"""

from __future__ import annotations

import os

for threads in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[threads] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import argparse  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from statistics import median  # noqa: E402
from time import process_time  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

try:
    from . import batches, compiled, deep, figures, large, models, report_loop, storage
    from .curves import measured, show
    from .entries import entries
    from .growth import growth
    from .measure import Timing, ratios, require_agreement, seconds
    from .sizes import HIDDEN, growing_batch
    from .spellings import spellings
except ModuleNotFoundError as missing:
    sys.exit(f"benchmarks needs {missing.name}: pip install 'tinygrad_hw[bench]'")

EPOCHS_TO_AGREE = 1000
STEPS = 5  # of a program at a time, as in training: the caches hold what is its own


def report(rounds: int) -> dict[str, Any]:
    """The report's loop, 2-10-10-1 with 21 points, in every engine that is installed."""
    X, y = report_loop.cross()
    contestants = report_loop.CONTESTANTS + compiled.CONTESTANTS
    runs = {label: make(X, y, 10, 0.1) for label, make, module in contestants if find_spec(module)}
    require_agreement({label: run(EPOCHS_TO_AGREE) for label, run in runs.items()}, 1e-12)
    timings = ratios({label: lambda run=run: run(50) for label, run in runs.items()}, rounds)
    absent = [label for label, _, module in contestants if not find_spec(module)]
    if absent:
        print(f"  not installed: {', '.join(absent)}")
    return {"contestants": table(timings, 50), "not installed": absent}


def sizes(rounds: int) -> dict[str, Any]:
    """The report's loop over batch and hidden size."""
    outcomes = {}
    for hidden in HIDDEN:
        axis = growing_batch(hidden)
        outcomes[str(hidden)] = measured(axis, rounds)
        show(axis.name, outcomes[str(hidden)])
    return outcomes


def compiled_steps(rounds: int) -> dict[str, Any]:
    """Compiled steps: the report's loop with Adam, memory, and what the first call costs."""
    adam = table(compiled.adam(rounds), 10)
    memory = compiled.memory()
    first = {backend: median(compiled.first_call(backend) for _ in range(5)) for backend in compiled.backends()}
    if "numba" in first:
        with compiled.empty_cache():
            first["numba, compiling"] = compiled.first_call("numba")
    print("  bytes of the buffers:  " + "  ".join(f"{name} {size:,}" for name, size in memory.items()))
    print("  first call:  " + "  ".join(f"{backend} {time * 1e3:.1f} ms" for backend, time in first.items()))
    return {"adam": adam, "bytes": memory, "first call, seconds": first}


def large_network(rounds: int) -> dict[str, Any]:
    """A network whose matrices dominate: 784-512-512-10, batch 256, float32, sigmoids, half mean squared error."""
    steps = {"NumPy, by hand": large.by_hand(), "tinygrad_hw, eager": large.eager()}
    require_agreement({label: step() for label, step in steps.items()}, 1e-5)
    return {"contestants": table(ratios(steps, rounds), 1)}


def deep_chain(rounds: int) -> dict[str, Any]:
    """A chain of a million nodes, microseconds a node (median of 3)."""
    runs = [deep.chain() for _ in range(3)]
    costs = {stage: median(run[stage] for run in runs) / deep.NODES * 1e6 for stage in runs[0]}
    for stage, cost in costs.items():
        print(f"  {stage:<34}{cost:8.2f}")
    return {"nodes": deep.NODES, "µs a node": costs}


def per_example(rounds: int) -> dict[str, Any]:
    """Gradients of each of 64 examples, then the Jacobian at each of 64 inputs, of a network 64-32-32-10."""
    found = {}
    for what, calls in zip(("gradients", "Jacobian"), batches.contestants()):
        require_agreement({label: batches.flat(call()) for label, call in calls.items()}, 1e-10)
        print(f"  {what}")
        found[what] = table(ratios(calls, rounds), 1)
    return found


def programs(rounds: int, names: list[str] | None = None) -> dict[str, Any]:
    """Twelve programs as users write them: a training step of each, PyTorch's eager one = 1; time of the processor."""
    if not find_spec("torch"):
        print("  not installed: torch, with which they are compared")
        return {}
    found = {}
    for name, program in models.chosen(names).items():
        print(f"  {name}")
        steps, absent = program.contestants()
        require_agreement({label: [step() for _ in range(3)] for label, step in steps.items()}, program.tolerance)
        several = {label: lambda step=step: [step() for _ in range(STEPS)] for label, step in steps.items()}
        found[name] = {"contestants": table(ratios(several, rounds, process_time), STEPS), "absent": absent}
        for label, reason in absent.items():
            print(f"  {label:<34}  refuses: {reason}")
    return found


def import_time(rounds: int) -> dict[str, Any]:
    """Importing, beyond importing NumPy."""
    start = lambda line: subprocess.run([sys.executable, "-c", line], check=True)
    start("import tinygrad_hw")
    extra = [seconds(lambda: start("import tinygrad_hw")) - seconds(lambda: start("import numpy")) for _ in range(rounds)]
    print(f"  {median(extra) * 1e3:.0f} ms")
    return {"seconds": median(extra)}


def table(timings: dict[str, Timing], steps: int) -> dict[str, Any]:
    """Print and return ratios, and the time of one step where a call does several."""
    print(f"  {'':<34}{'ratio':>8}{'µs a step':>12}")
    for label, timing in timings.items():
        print(f"  {label:<34}{timing.ratio:8.2f}{timing.seconds / steps * 1e6:12.1f}")
    return {label: {**timing._asdict(), "seconds": timing.seconds / steps} for label, timing in timings.items()}


PARTS = {
    "report": report,
    "sizes": sizes,
    "compiled": compiled_steps,
    "large": large_network,
    "deep": deep_chain,
    "spellings": spellings,
    "entries": entries,
    "batches": per_example,
    "models": programs,
    "import": import_time,
    "growth": growth,
}


def options() -> argparse.Namespace:
    """Read the command line."""
    summaries = "\n".join(f"  {name:<10}{part.__doc__.splitlines()[0]}" for name, part in PARTS.items() if part.__doc__)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\nParts:\n{summaries}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=31, help="rounds of each comparison, fewer where they are long (default: 31)")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated (default: all)")
    parser.add_argument("--program", action="append", help="of the models only those whose names begin so; nothing is written then")
    return parser.parse_args()


def main() -> None:
    """Run the parts that were asked for; write down and draw what they gave."""
    chosen = options()
    print(f"NumPy {np.__version__}, Python {sys.version.split()[0]}, one BLAS thread, up to {chosen.rounds} rounds")
    if chosen.program:
        programs(chosen.rounds, chosen.program)
        return
    with compiled.empty_cache():
        for name in chosen.only or PARTS:
            print(f"\n{PARTS[name].__doc__}")
            storage.save(name, PARTS[name](chosen.rounds))
    figures.draw_all()
    print(f"\nwritten to {storage.FOLDER.relative_to(storage.FOLDER.parent.parent)}/")


if __name__ == "__main__":
    main()
