"""The five runs of the report, what it printed of them, and their training, side by side where there are cores.

    >>> from examples.report.experiments import RUNS, train
    >>> outcome = train(RUNS["data_X"], epochs=100)
    >>> outcome.losses.shape
    (100,)

``train`` uses the tensor network, its steps compiled; ``train_by_hand`` does the same with the report's own delta equations.
"""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.optim import SGD

from . import manual, network
from .data import Points, data_100, data_X, initial_parameters
from .progress import progress_bars

__all__ = [
    "GRID",
    "PRINTED",
    "RUNS",
    "TOLERANCE",
    "Outcome",
    "Run",
    "Timing",
    "as_json",
    "best_linear",
    "first_loss",
    "start",
    "train",
    "train_all",
    "train_by_hand",
]

Steps = Callable[[int], Any]  # does so many epochs; returns their losses

SEED = 2023
PRINT_EVERY = 5000
TOLERANCE = 1e-12  # of a loss's relative difference from the printed one
CHUNK = 100  # epochs between two signs of progress
COMPARE_EVERY = 100  # chunks between two whose time is compared with the loop by hand
GRID = np.linspace(-0.05, 1.05, 221)  # the coordinates at which the decision regions are computed


@dataclass(frozen=True)
class Run:
    """One training of the report."""

    id: str
    data: str
    lr: float
    hidden_dim: int
    activation: str | None
    epochs: int


RUNS = {
    run.id: run
    for run in (
        Run("data_100", "data_100", lr=0.1, hidden_dim=10, activation="sigmoid", epochs=50_000),
        Run("data_X", "data_X", lr=0.1, hidden_dim=10, activation="sigmoid", epochs=100_000),
        Run("data_X_lr_0.01", "data_X", lr=0.01, hidden_dim=10, activation="sigmoid", epochs=100_000),
        Run("data_X_hidden_100", "data_X", lr=0.01, hidden_dim=100, activation="sigmoid", epochs=100_000),
        Run("data_X_no_activation", "data_X", lr=0.1, hidden_dim=10, activation=None, epochs=100_000),
    )
}


@dataclass(frozen=True)
class Printed:
    """What the report printed of a run: losses by epoch, nan included, and the accuracy, if it did."""

    losses: dict[int, float]
    accuracy: str | None


def read_printed() -> dict[str, Printed]:
    """Read the report's numbers from the file beside this one."""
    runs = json.loads((Path(__file__).parent / "printed_losses.json").read_text())["runs"]
    return {
        run["id"]: Printed({int(epoch): math.nan if loss is None else loss for epoch, loss in run["train_loss"].items()}, run["accuracy"])
        for run in runs
    }


PRINTED = read_printed()


@dataclass(frozen=True)
class Timing:
    """Seconds that a training took.

    Attributes
    ----------
    first : of the first epoch, which also records, plans and compiles the step.
    rest : of all other epochs.
    by_hand : of an epoch of the loop by hand, timed now and then in between; nan where it was not.
    """

    first: float
    rest: float
    by_hand: float = math.nan


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes
    ----------
    run : the run.
    losses : (epochs,) ndarray, the loss of each epoch before its update; epoch 1 is ``losses[0]``.
    timing : how long the training took.
    X, y : the points (N, 2) and their labels (N, 1).
    y_pred : (N, 1) ndarray, the prediction after the last update.
    regions : ndarray, the prediction at the points of ``GRID`` × ``GRID``; first axis: second coordinate.
    """

    run: Run
    losses: np.ndarray
    timing: Timing
    X: np.ndarray
    y: np.ndarray
    y_pred: np.ndarray
    regions: np.ndarray

    @property
    def epochs(self) -> int:
        """The number of epochs trained."""
        return len(self.losses)

    @property
    def complete(self) -> bool:
        """Whether it trained for as long as the report did."""
        return self.epochs == self.run.epochs

    @property
    def seconds_per_epoch(self) -> float:
        """The mean time of an epoch; of all but the first, if there are others."""
        return self.timing.rest / (self.epochs - 1) if self.epochs > 1 else self.timing.first

    @property
    def right(self) -> np.ndarray:
        """Which points are predicted right, (N,): ŷ > 0.5 equals the label; a nan is never right."""
        return (((self.y_pred > 0.5) == self.y) & ~np.isnan(self.y_pred))[:, 0]

    @property
    def accuracy(self) -> str | None:
        """The number of right points of all, or None where the predictions are no numbers."""
        return f"{self.right.sum()}/{self.right.size}" if np.isfinite(self.y_pred).all() else None

    @property
    def printed_epochs(self) -> dict[int, float]:
        """The losses to print: of every 5000th epoch, and of the last."""
        epochs = {*range(PRINT_EVERY, self.epochs + 1, PRINT_EVERY), self.epochs}
        return {epoch: float(self.losses[epoch - 1]) for epoch in sorted(epochs)}

    @property
    def differences(self) -> dict[int, float]:
        """The relative difference from each loss that the report printed: 0 where both are nan, inf where one is."""
        ours = self.printed_epochs
        return {epoch: difference(ours[epoch], loss) for epoch, loss in PRINTED[self.run.id].losses.items() if epoch in ours}

    @property
    def worst_difference(self) -> float | None:
        """The largest of the differences, or None where the report printed no loss of these epochs."""
        return max(self.differences.values(), default=None)

    @property
    def agrees(self) -> bool:
        """Whether the losses are the printed ones within ``TOLERANCE`` and, after all epochs, the accuracy is the printed one."""
        accuracy = PRINTED[self.run.id].accuracy
        return (self.worst_difference or 0) <= TOLERANCE and (accuracy in (None, self.accuracy) or not self.complete)

    @property
    def first_overflow(self) -> tuple[int | None, int | None]:
        """The first epoch whose loss is inf, and the first whose loss is nan."""
        infinite, missing = np.flatnonzero(np.isinf(self.losses)), np.flatnonzero(np.isnan(self.losses))
        return (int(infinite[0]) + 1 if infinite.size else None, int(missing[0]) + 1 if missing.size else None)

    @property
    def overflow(self) -> str | None:
        """The overflow in words, or None where there is none."""
        infinite, missing = self.first_overflow
        if missing is None:
            return None
        before = "" if infinite is None else f"inf at epoch {infinite} and "
        return f"the loss overflows: it is {before}nan from epoch {missing} on, since nothing bounds the layers' outputs"


def as_json(outcomes: list[Outcome]) -> str:
    """Return the losses in the form of ``printed_losses.json``; what is not finite becomes null."""
    runs = [
        asdict(outcome.run)
        | {
            "epochs": outcome.epochs,
            "accuracy": outcome.accuracy,
            "train_loss": {str(epoch): loss if math.isfinite(loss) else None for epoch, loss in outcome.printed_epochs.items()},
        }
        for outcome in outcomes
    ]
    about = {"source": "python -m examples.report", "loss": "mean((y_true - y_pred)**2) / 2, recorded before that epoch's update"}
    return json.dumps(about | {"runs": runs}, indent=1, allow_nan=False) + "\n"


def difference(ours: float, printed: float) -> float:
    """Return |ours - printed| / |printed|, with nan equal to nan and to nothing else."""
    if math.isnan(ours) or math.isnan(printed):
        return 0.0 if math.isnan(ours) and math.isnan(printed) else math.inf
    return abs(ours - printed) / abs(printed)


def start(run: Run) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return the points, their labels and the first parameters; ``data_100`` is drawn first whatever the run trains on."""
    random = np.random.RandomState(SEED)
    drawn = data_100(random)
    points: Points = drawn if run.data == "data_100" else data_X()
    return *points, initial_parameters(random, run.hidden_dim)


def train(run: Run, epochs: int | None = None, tell: Callable[[int], None] = lambda epoch: None, engine: str = "numpy") -> Outcome:
    """Train the tensor network.

    Parameters
    ----------
    run : Run
        What to train, one of ``RUNS``.
    epochs : int, optional
        Instead of the run's own number.
    tell : callable
        Called with the number of epochs done, now and then.
    engine : {"numpy", "numba", "eager"}
        How its steps run: compiled to a plan of NumPy calls, by Numba to machine code, or recorded anew each time.
    """
    X, y, parameters = start(run)
    net = network.Network(parameters, run.activation)
    steps = steps_of(net, X, y, SGD(net.parameters, lr=run.lr), engine)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is told by the losses
        losses, timing = timed(steps, epochs or run.epochs, tell, steps_by_hand(parameters, X, y, run))
        with tg.no_grad():
            y_pred, regions = net(Tensor(X)).numpy(), net(Tensor(grid_points())).numpy()
    return Outcome(run, losses, timing, X, y, y_pred, regions.reshape(GRID.size, GRID.size))


def steps_of(net: network.Network, X: np.ndarray, y: np.ndarray, optimizer: SGD, engine: str) -> Steps:
    """Return what does so many training steps and returns their losses."""
    if engine == "eager":
        points, labels = Tensor(X), Tensor(y)
        return lambda n: [network.step(net, points, labels, optimizer) for _ in range(n)]
    step = network.compiled(net, optimizer, engine)
    return lambda n: step.repeat(n, X, y)


def steps_by_hand(parameters: dict[str, np.ndarray], X: np.ndarray, y: np.ndarray, run: Run) -> Steps:
    """Return the same with the report's delta equations."""
    return lambda n: [manual.step(parameters, X, y, run.lr, run.activation) for _ in range(n)]


def train_by_hand(run: Run, epochs: int | None = None, tell: Callable[[int], None] = lambda epoch: None) -> Outcome:
    """Do as ``train`` with the report's delta equations in plain NumPy."""
    X, y, parameters = start(run)
    with np.errstate(over="ignore", invalid="ignore"):
        losses, timing = timed(steps_by_hand(parameters, X, y, run), epochs or run.epochs, tell)
        y_pred, regions = (manual.forward(parameters, points, run.activation)[1][-1] for points in (X, grid_points()))
    return Outcome(run, losses, timing, X, y, y_pred, regions.reshape(GRID.size, GRID.size))


def first_loss(run: Run) -> Tensor:
    """Return the loss of the first epoch, with the graph that it recorded."""
    X, y, parameters = start(run)
    return network.loss(Tensor(y, name="y"), network.Network(parameters, run.activation)(Tensor(X, name="X")))


def losses_of(run: Run, epochs: Iterable[int]) -> dict[int, Tensor]:
    """Return the losses of some epochs, counted from 1 and in rising order, each with the graph that it recorded."""
    X, y, parameters = start(run)
    net = network.Network(parameters, run.activation)
    steps, done, kept = steps_of(net, X, y, SGD(net.parameters, lr=run.lr), "numpy"), 1, {}
    for epoch in epochs:
        if epoch > done:
            steps(epoch - done)
        done = epoch
        now = network.Network({str(p.name): p.numpy().copy() for p in net.parameters}, run.activation)
        kept[epoch] = network.loss(Tensor(y, name="y"), now(Tensor(X, name="X")))
    return kept


def best_linear(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the least-squares linear function of the coordinates predicts, at X and at the points of GRID × GRID."""

    def with_one(points: np.ndarray) -> np.ndarray:
        return np.column_stack([points, np.ones(len(points))])

    weights = np.linalg.lstsq(with_one(X), y)[0]
    return with_one(X) @ weights, (with_one(grid_points()) @ weights).reshape(GRID.size, GRID.size)


def grid_points() -> np.ndarray:
    """Return all points of GRID × GRID, (n, 2)."""
    return np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)


def timed(steps: Steps, epochs: int, tell: Callable[[int], None], by_hand: Steps | None = None) -> tuple[np.ndarray, Timing]:
    """Return the losses of all epochs, and how long they took; and, for comparison, an epoch by hand."""
    first = perf_counter()
    losses = [np.asarray(steps(1))]
    first = perf_counter() - first
    seconds: list[float] = []
    seconds_by_hand: list[float] = []
    for i, done in enumerate(range(1, epochs, CHUNK)):
        tell(done)
        began = perf_counter()
        losses.append(np.asarray(steps(min(CHUNK, epochs - done))))
        seconds.append(perf_counter() - began)
        if by_hand and i % COMPARE_EVERY == 0:
            began = perf_counter()
            by_hand(CHUNK)
            seconds_by_hand.append((perf_counter() - began) / CHUNK)
    tell(epochs)
    return np.concatenate(losses), Timing(first, sum(seconds), fmean(seconds_by_hand or [math.nan]))


def train_all(runs: list[Run], epochs: int | None = None, jobs: int = 1, trainer: Callable[..., Outcome] = train) -> Iterator[Outcome]:
    """Train runs side by side, the longest first, a progress bar each; give each outcome as soon as it is there.

    Parameters
    ----------
    runs : list of Run
        What to train.
    epochs : int, optional
        Instead of each run's own number.
    jobs : int
        The number of processes, each with one BLAS thread.
    trainer : callable
        ``train``, with its engine chosen by ``partial``, or ``train_by_hand``.
    """
    runs = sorted(runs, key=lambda run: run.epochs * run.hidden_dim**2, reverse=True)
    with progress_bars({run.id: epochs or run.epochs for run in runs}) as counts:
        with parallel_config(backend="loky", inner_max_num_threads=1):
            parallel = Parallel(n_jobs=min(jobs, len(runs)), return_as="generator_unordered", batch_size=1, pre_dispatch="all")
        with ctrl_c_ignored():  # the workers start here and inherit it, so that Ctrl-C is for this process to answer
            outcomes = parallel(delayed(work)(trainer, run, epochs, counts, i) for i, run in enumerate(runs))
        yield from outcomes


def work(trainer: Callable[..., Outcome], run: Run, epochs: int | None, counts: np.ndarray, i: int) -> Outcome:
    """Train, in a worker or here, writing the number of epochs done to ``counts[i]``."""
    return trainer(run, epochs, lambda epoch: counts.__setitem__(i, epoch))


@contextmanager
def ctrl_c_ignored() -> Iterator[None]:
    """Ignore Ctrl-C inside, in this process and, for good, in those that it starts."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
