"""One training on several processes: ``python -m examples.data_parallel`` divides each batch among Dask's workers.

Each worker gets the network and its part of the batch, and gives back that part's share of the gradient; their sum is the gradient of the
whole batch, so the parameters are those of a training in one process, but for rounding. What a worker needs comes with its task: where
one dies, Dask gives the task to another, and nothing is lost. ``--scheduler`` joins a cluster; ``out/data_parallel.svg`` shows the losses.

(Digits are small, and sending the network takes longer than the gradient: this shows how it is done, not that it pays here.)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client
from tqdm import tqdm

from tinygrad_hw import data, nn, optim

from .common import dask_client, options, save
from .digits import digits, mlp

Gradients = dict[str, np.ndarray]


def share(net: nn.Module, X: np.ndarray, y: np.ndarray, count: int) -> tuple[float, Gradients]:
    """Return what a part of a batch of ``count`` samples gives to the loss, and to the gradient, by the parameters' paths."""
    net.zero_grad()
    loss = nn.cross_entropy(net(X), y, reduction="sum") / count
    loss.backward()
    return loss.item(), {path: parameter.grad for path, parameter in net.named_parameters()}


def shares(client: Client | None, net: nn.Module, X: np.ndarray, y: np.ndarray, parts: int) -> list[tuple[float, Gradients]]:
    """Return what each part of a batch gives, computed by Dask's workers, or here if there is no client."""
    if client is None:
        return [share(net, X, y, len(X))]
    tasks = [
        client.submit(share, net, *part, len(X), pure=False, retries=10) for part in zip(np.array_split(X, parts), np.array_split(y, parts))
    ]
    return client.gather(tasks)


def train(client: Client | None, epochs: int, parts: int = 1, seed: int = 0) -> tuple[nn.Module, list[float]]:
    """Return a network that reads digits, and the loss of each step."""
    X, y, _, _ = digits()
    net = mlp().reset_parameters(seed)
    optimizer = optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    batches, losses = data.batches(X.astype(float), y, size=256, rng=seed), []
    for _ in tqdm(range(epochs), unit=" epochs", disable=None):
        for batch in batches:
            found = shares(client, net, *batch, parts)
            for path, parameter in net.named_parameters():
                parameter.grad = sum(gradients[path] for _, gradients in found)
            optimizer.step()
            losses.append(sum(loss for loss, _ in found))
    return net, losses


def main(arguments: Sequence[str] | None = None) -> float:
    """Train by workers and in one process, compare, and draw; return the largest difference of two parameters."""
    given = options(__doc__, arguments, epochs=20, workers=2, scheduler="", out=Path("out/data_parallel.svg"))
    alone, losses_alone = train(None, given.epochs)
    with dask_client(given.scheduler, given.workers) as client:
        begun = time.perf_counter()
        together, losses = train(client, given.epochs, given.workers)
        seconds = time.perf_counter() - begun
    difference = float(max(abs(one.numpy() - other.numpy()).max() for one, other in zip(alone.parameters(), together.parameters())))
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(losses_alone, linewidth=3, color="lightgrey", label="one process")
    axes.plot(losses, "--", label=f"{given.workers} workers")
    axes.set(xlabel="step", ylabel="loss", yscale="log", title=f"Parameters at most {difference:.0e} apart")
    axes.legend()
    save(figure, given.out)
    print(f"loss {losses[-1]:.4f} after {len(losses)} steps, {seconds:.1f} s; parameters at most {difference:.0e} apart; {given.out}")
    return difference


if __name__ == "__main__":
    main()
