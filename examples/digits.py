"""A network reads handwritten digits: ``python -m examples.digits`` trains it, and draws to ``out/digits.svg`` what it misreads.

The 1,797 images of 8 × 8 pixels come with scikit-learn; a fifth of them is kept for the test. ``--model mlp`` takes each image as 64
numbers, ``--model cnn`` (LeCun et al. 1989) looks for the same small patterns all over it, and reads 98 % of the test right.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import data, nn, optim

from .common import options, save


def digits(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return images (N, 1, 8, 8), from 0 to 1, and their digits (N,): to learn from, and to test with."""
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    X, y = (images[order] / 16).reshape(-1, 1, 8, 8).astype(np.float32), labels[order]
    return X[360:], y[360:], X[:360], y[:360]


def mlp() -> nn.Sequential:
    """Return two layers of weights with a ReLU between them."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def cnn() -> nn.Sequential:
    """Return two convolutions, the largest of each 2 × 2 of their results, and a layer that decides."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(512, 10)),
    )


MODELS = {"cnn": cnn, "mlp": mlp}


def train(net: nn.Sequential, epochs: int, seed: int = 0) -> list[tuple[float, float, float]]:
    """Train a network; return for each epoch the seconds so far, the mean loss, and the share of the test that is read right."""
    X, y, X_test, y_test = digits()
    optimizer = optim.Adam(net.parameters(), lr=2e-3)
    step = tg.compile(lambda images, labels: nn.cross_entropy(net(images), labels), optimizer)
    batches = data.batches(X, y, size=32, rng=seed, drop_last=True)
    told, seconds = [], 0.0
    for _ in (bar := tqdm(range(epochs), unit=" epochs", disable=None)):
        begun = time.perf_counter()
        loss = np.mean([step(images, labels) for images, labels in batches])
        seconds += time.perf_counter() - begun
        told.append((seconds, float(loss), data.accuracy(logits(net, X_test), y_test)))
        bar.set_postfix(loss=f"{loss:.3f}", right=f"{told[-1][2]:.1%}")
    return told


def logits(net: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """Return a score for each image and digit."""
    with tg.no_grad():
        return net(images).numpy()


def draw(net: nn.Sequential, told: Sequence[tuple[float, float, float]]) -> Any:
    """Return a figure of the learning curves, and of the test images that the network is least sure of."""
    _, _, X, y = digits()
    probabilities = tg.softmax(logits(net, X))
    hardest = np.argsort(probabilities[np.arange(len(y)), y])[:12]
    figure = plt.figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subfigures(1, 2)
    axes = left.subplots()
    epochs, (_, losses, shares) = range(1, len(told) + 1), zip(*told)
    axes.semilogy(epochs, losses, label="loss")
    axes.semilogy(epochs, 1 - np.array(shares), "--", label="share of the test misread")
    axes.set(xlabel="epoch", title=f"{shares[-1]:.1%} of the test read right")
    axes.legend()
    right.suptitle("The hardest of the test: read as (is)")
    for axes, i in zip(right.subplots(3, 4).flat, hardest):
        axes.imshow(X[i, 0], cmap="Greys")
        axes.set_axis_off()
        axes.set_title(f"{probabilities[i].argmax()} ({y[i]})", color="black" if probabilities[i].argmax() == y[i] else "firebrick")
    return figure


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, tell how well, and draw; return the share of the test that is read right."""
    given = options(__doc__, arguments, model=tuple(MODELS), epochs=20, out=Path("out/digits.svg"))
    net = MODELS[given.model]().reset_parameters(0).astype(np.float32)
    told = train(net, given.epochs)
    save(draw(net, told), given.out)
    seconds, _, share = told[-1]
    print(f"{nn.summary(net, (32, 1, 8, 8)).parameters:,} parameters read {share:.1%} after {seconds:.1f} s; {given.out}")
    return share


if __name__ == "__main__":
    main()
