"""Reproduce the report: ``python -m examples.report [--run ID] [--epochs N] [--jobs N] [--out DIR] [--eager | --numba]``.

Exit status: 0 if every loss and accuracy agrees with the printed one, 1 if one does not, 2 if the command was wrong,
130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import NoReturn

try:
    from joblib import cpu_count
    from tqdm import tqdm

    from tinygrad_hw.drawing import LayoutError, draw

    from ..languages import Both
    from ..playground import page as playground
    from ..playground.__main__ import printed
    from ..playground.programs import programs
    from .experiments import RUNS, TOLERANCE, Outcome, Run, as_json, first_loss, losses_of, train, train_all
    from .figures import draw_all
    from .page import page
except ModuleNotFoundError as missing:
    sys.exit(f"examples.report needs {missing.name}: pip install -e '.[report]'")
except KeyboardInterrupt:
    sys.exit(130)


PLAYGROUND, STEPPER = Both("playground.html", "playground.html"), Both("graph.html", "graph-zh.html")
TITLE = Both("One training step of the report's network.", "報告的 network 的一個訓練步驟。")


class Parser(argparse.ArgumentParser):
    """A parser that words an error in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error alone, and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def a_run(text: str) -> Run:
    """Read the id of a run."""
    if text not in RUNS:
        raise argparse.ArgumentTypeError(f"there is no run {text!r}; the runs are {', '.join(RUNS)}")
    return RUNS[text]


def a_count(text: str) -> int:
    """Read a number of epochs or jobs."""
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def a_folder(text: str) -> Path:
    """Read a folder, make it if need be, and see that it can be written to."""
    folder = Path(text)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, ValueError) as reason:
        raise argparse.ArgumentTypeError(f"cannot write to the folder {text!r}: {getattr(reason, 'strerror', None) or reason}") from None


def options(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser("python -m examples.report", description="Reproduce the homework report.")
    parser.add_argument("--run", type=a_run, action="append", metavar="ID", help=f"repeatable; of {', '.join(RUNS)} (default: all)")
    parser.add_argument("--epochs", type=a_count, metavar="N", help="train each run for N epochs instead of its own number")
    parser.add_argument("--jobs", type=a_count, metavar="N", default=cpu_count(), help="runs side by side (default: the number of cores)")
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument("--eager", action="store_true", help="record each training step anew, instead of compiling it")
    engine.add_argument("--numba", action="store_true", help="compile the training steps with Numba, to machine code")
    parser.add_argument("--out", type=a_folder, metavar="DIR", default="out/report", help="folder for the results (default: %(default)s)")
    chosen = parser.parse_args(arguments)
    if chosen.numba and not find_spec("numba"):
        parser.error("--numba needs Numba: pip install -e '.[numba]'")
    return chosen


def main(arguments: list[str] | None = None) -> int:
    """Train, print, save; return the exit status."""
    chosen = options(arguments)
    runs = [run for run in RUNS.values() if run in (chosen.run or RUNS.values())]
    engine = "eager" if chosen.eager else "numba" if chosen.numba else "numpy"
    began = perf_counter()
    finished: dict[str, Outcome] = {}
    interrupted = False
    try:
        for outcome in train_all(runs, chosen.epochs, chosen.jobs, partial(train, engine=engine)):
            finished[outcome.run.id] = outcome
            tqdm.write("\n".join(lines(outcome)))
    except KeyboardInterrupt:
        interrupted = True
    outcomes = {run.id: finished[run.id] for run in runs if run.id in finished}
    if outcomes:
        save(outcomes, chosen.out)
        print("\n".join([*summary(outcomes), speed(list(outcomes.values()), engine)]))
        print(f"{perf_counter() - began:.1f} s in all; see {(chosen.out / 'report.html').resolve().as_uri()}")
    if interrupted:
        missing = [run.id for run in runs if run.id not in outcomes]
        print(f"interrupted; finished: {', '.join(outcomes) or 'none'}; not finished: {', '.join(missing) or 'none'}", file=sys.stderr)
        return 130
    return 0 if all(outcome.agrees for outcome in outcomes.values()) else 1


def lines(outcome: Outcome) -> list[str]:
    """Return what the report printed of a run, computed here."""
    run = outcome.run
    head = f"\n{run.id}: data {run.data}, lr {run.lr:g}, hidden_dim {run.hidden_dim}, activation {run.activation or 'none'}"
    losses = [f"epoch {epoch}, train_loss: {loss}" for epoch, loss in outcome.printed_epochs.items()]
    return [head, *losses, outcome.overflow or f"accuracy: {outcome.accuracy}"]


def summary(outcomes: dict[str, Outcome]) -> list[str]:
    """Return a table of the runs: how far from the printed losses, how many points right, how long."""
    rows = [f"\n{'run':<22}{'worst difference':>18}{'accuracy':>10}{'seconds':>9}{'µs/epoch':>10}{'by hand':>9}"]
    for outcome in outcomes.values():
        worst = "-" if outcome.worst_difference is None else f"{outcome.worst_difference:.1e}"
        verdict = "" if outcome.agrees else "  differs from the report"
        rows.append(
            f"{outcome.run.id:<22}{worst:>18}{outcome.accuracy or 'all nan':>10}"
            f"{outcome.timing.rest:>9.1f}{outcome.seconds_per_epoch * 1e6:>10.0f}{outcome.timing.by_hand * 1e6:>9.0f}{verdict}"
        )
    return [*rows, f"worst difference: relative, from the losses that the report printed; up to {TOLERANCE:g} counts as agreement"]


def speed(outcomes: list[Outcome], engine: str) -> str:
    """Say what share of the time of the loop by hand the training took, and what had to be done before."""
    how = {"numpy": "steps compiled to NumPy calls", "numba": "steps compiled by Numba", "eager": "steps recorded anew each time"}[engine]
    longer = [outcome for outcome in outcomes if outcome.epochs > 1]
    if not longer:
        return f"{how}: too few epochs to tell the speed"
    ratio = sum(outcome.timing.rest for outcome in longer) / sum(outcome.timing.by_hand * (outcome.epochs - 1) for outcome in longer)
    first = sum(outcome.timing.first for outcome in outcomes)
    return (
        f"{how}: {ratio:.2f} of the time that the same epochs take by hand (manual.py, timed in between, a hundredth of the epochs); "
        f"first steps, with what is recorded and compiled: {first:.1f} s"
    )


def save(outcomes: dict[str, Outcome], folder: Path) -> None:
    """Write losses.json, the figures, the graph, the page that steps through it, the page that trains, and report.html."""
    (folder / "losses.json").write_text(as_json(list(outcomes.values())))
    figures = draw_all(outcomes)
    for name, themes in figures.items():
        for theme, svg in themes.items():
            (folder / f"{name}-{theme}.svg").write_bytes(svg)
    (folder / PLAYGROUND.en).write_text(playground.page(programs(), printed()), encoding="utf-8")
    graph = save_graph(folder, max(outcome.epochs for outcome in outcomes.values()))
    text = page(outcomes, figures, graph, STEPPER if graph else None, PLAYGROUND)
    (folder / "report.html").write_text(text, encoding="utf-8")


def save_graph(folder: Path, epochs: int) -> dict[str, bytes] | None:
    """Draw the computation graph of one training step, and the page that steps through it; without a layout engine say so."""
    loss = first_loss(RUNS["data_X"])
    last = min(epochs, 50_000)
    kept = losses_of(RUNS["data_X"], sorted({1, *range(max(1, last // 20), last + 1, max(1, last // 20))}))
    graph = {}
    try:
        for language, ending, title, stepper in zip(("en", "zh-TW"), ("", "-zh"), TITLE, STEPPER):
            for theme in ("light", "dark"):
                graph[f"{theme}{ending}"] = draw(loss, title=title, theme=theme).svg(language).encode()
            (folder / stepper).write_text(draw(loss, title=title).html(history=kept, language=language), encoding="utf-8")
    except LayoutError as reason:
        print(f"the computation graph is not drawn: {reason}", file=sys.stderr)
        return None
    for theme, svg in graph.items():
        (folder / f"graph-{theme}.svg").write_bytes(svg)
    return graph


if __name__ == "__main__":
    sys.exit(main())
