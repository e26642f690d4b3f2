"""Many trainings of the report's network side by side: ``python -m examples.sweep`` draws to ``out/sweep.svg`` which settings learn.

Learning rate × hidden units × activation × seed, each one job of joblib's: ``--backend`` is a word of joblib's ("loky": processes of this
machine; "dask" and "ray": clusters, of which ``--scheduler`` may name one). What is finished is written down at once, a line of
``out/sweep.jsonl`` each: a sweep that was stopped goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from joblib import Parallel, cpu_count, delayed, parallel_config
from tqdm import tqdm

from tinygrad_hw import optim

from .common import dask_client, options, save
from .report.data import data_X, initial_parameters
from .report.network import Network, compiled

GRID = {"lr": (0.01, 0.03, 0.1, 0.3), "hidden": (2, 5, 10, 30), "activation": ("sigmoid", "tanh")}
Setting = dict[str, Any]


def settings(seeds: int, epochs: int) -> list[Setting]:
    """Return all settings of the grid."""
    return [dict(zip((*GRID, "seed", "epochs"), values)) for values in product(*GRID.values(), range(seeds), (epochs,))]


def train(setting: Setting) -> Setting:
    """Train one network on the report's two crossing lines; return its setting with the last loss and the share of points right."""
    X, y = data_X()
    net = Network(initial_parameters(np.random.RandomState(setting["seed"]), setting["hidden"]), setting["activation"])
    step = compiled(net, optim.SGD(net.parameters, lr=setting["lr"]), "numpy")
    losses = step.repeat(setting["epochs"], X, y)
    right = (net(X).numpy() > 0.5) == y
    return setting | {"loss": float(losses[-1]), "right": float(right.mean())}


def finished(path: Path) -> list[Setting]:
    """Return what a file holds of results; a last line that was cut off is left out, of the file too."""
    if not path.exists():
        return []
    whole, _, rest = path.read_text(encoding="utf-8").rpartition("\n")
    if rest:
        path.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


@contextmanager
def workers(backend: str, scheduler: str, jobs: int) -> Iterator[None]:
    """Let joblib's jobs run by a backend inside; Dask's and Ray's are started, or joined where a scheduler is named."""
    if backend == "dask":
        with dask_client(scheduler, jobs if jobs > 0 else cpu_count()), parallel_config("dask"):
            yield
    else:
        if backend == "ray":
            import ray
            from ray.util.joblib import register_ray

            register_ray()
            ray.init(address=scheduler or None)
        with parallel_config(backend, n_jobs=jobs):
            yield


def sweep(todo: Sequence[Setting], path: Path, total: int) -> None:
    """Do all trainings, and add each result to the file as it comes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        results = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="all")(delayed(train)(setting) for setting in todo)
        for result in tqdm(results, initial=total - len(todo), total=total, unit=" trainings", disable=None):
            file.write(json.dumps(result) + "\n")
            file.flush()


def draw(results: Sequence[Setting]) -> Any:
    """Return a figure with a map for each activation: the share of points right, the mean over the seeds, for each rate and size."""
    figure, panels = plt.subplots(1, len(GRID["activation"]), figsize=(10, 4), layout="constrained")
    for axes, activation in zip(panels, GRID["activation"]):
        shares = np.full((len(GRID["lr"]), len(GRID["hidden"])), np.nan)
        for (i, lr), (j, hidden) in product(enumerate(GRID["lr"]), enumerate(GRID["hidden"])):
            shares[i, j] = np.mean([r["right"] for r in results if (r["lr"], r["hidden"], r["activation"]) == (lr, hidden, activation)])
            axes.text(j, i, f"{shares[i, j]:.0%}", ha="center", va="center", color="white" if shares[i, j] < 0.75 else "black")
        image = axes.imshow(shares, vmin=0.5, vmax=1, origin="lower", aspect="auto")
        axes.set_xticks(range(len(GRID["hidden"])), GRID["hidden"])
        axes.set_yticks(range(len(GRID["lr"])), GRID["lr"])
        axes.set(xlabel="hidden units", ylabel="learning rate", title=f"{activation}: points told right")
    figure.colorbar(image, ax=panels)
    return figure


def main(arguments: Sequence[str] | None = None) -> list[Setting]:
    """Do what is not yet done, and draw all; return the results."""
    words = ("loky", "dask", "ray", "threading", "sequential")
    given = options(__doc__, arguments, backend=words, scheduler="", jobs=-1, seeds=3, epochs=2000, out=Path("out/sweep.svg"))
    path, every = given.out.with_suffix(".jsonl"), settings(given.seeds, given.epochs)
    before = finished(path)
    todo = [setting for setting in every if not any(setting.items() <= result.items() for result in before)]
    with workers(given.backend, given.scheduler, given.jobs):
        sweep(todo, path, len(every))
    results = [result for result in finished(path) if any(setting.items() <= result.items() for setting in every)]
    save(draw(results), given.out)
    best = max(results, key=lambda result: (result["right"], -result["loss"]))
    print(f"{len(todo)} of {len(every)} trainings done, the others were; best: {best}; {given.out}")
    return results


if __name__ == "__main__":
    main()
