"""A network tells two moons apart: ``python -m examples.moons`` trains it, and draws where it decides to ``out/moons.svg``.

Two half circles of points, a network of two hidden layers, binary cross entropy, minibatches: the least that a classifier needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import data, nn, optim

from .common import options, save


def moons(count: int, noise: float = 0.15, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points of shape (count, 2) on two half circles that reach into each other, and on which of them each lies."""
    rng = np.random.default_rng(seed)
    which, angle = rng.integers(0, 2, count), rng.uniform(0, np.pi, count)
    side = 1 - 2 * which
    points = np.stack([side * np.cos(angle) + which, side * np.sin(angle) + 0.5 * which], axis=1)
    return points + rng.normal(0, noise, points.shape), which


def train(epochs: int, seed: int = 0) -> tuple[nn.Sequential, float]:
    """Return a trained network, and the share of new points that it tells right."""
    X, y = moons(400, seed=seed)
    net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)).reset_parameters(seed)
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    for epoch in (bar := tqdm(range(epochs), unit=" epochs", disable=None)):
        for points, labels in data.batches(X, y[:, None], size=50, rng=epoch):
            optimizer.zero_grad()
            loss = nn.binary_cross_entropy_with_logits(net(points), labels)
            loss.backward()
            optimizer.step()
        bar.set_postfix(loss=f"{loss.item():.4f}")
    new, right = moons(1000, seed=seed + 1)
    return net, data.accuracy(net(new).numpy()[:, 0] > 0, right == 1)


def draw(net: nn.Sequential) -> Any:
    """Return a figure of the points over the probability that the network gives to the second moon."""
    X, y = moons(400)
    across, up = np.meshgrid(np.linspace(-1.7, 2.7, 200), np.linspace(-1.2, 1.7, 140))
    probability = tg.sigmoid(net(np.stack([across.ravel(), up.ravel()], axis=1)).numpy()).reshape(across.shape)
    figure, axes = plt.subplots(figsize=(6, 4))
    shades = axes.contourf(across, up, probability, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.6)
    figure.colorbar(shades, label="probability of the second moon")
    axes.contour(across, up, probability, levels=[0.5], colors="black")
    axes.scatter(*X.T, c=y, cmap="RdBu", edgecolors="white", linewidths=0.5, s=20)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", title="Where the network decides")
    return figure


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, tell how well, and draw."""
    given = options(__doc__, arguments, epochs=60, out=Path("out/moons.svg"))
    net, share = train(given.epochs)
    save(draw(net), given.out)
    print(f"{share:.1%} of new points are told right; {given.out}")
    return share


if __name__ == "__main__":
    main()
