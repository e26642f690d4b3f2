"""A network whose matrices dominate: 784-512-512-10, batch 256, float32. Overheads of an engine should vanish here."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

SIZES, BATCH, RATE = (784, 512, 512, 10), 256, np.float32(0.1)


def start() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return the inputs, the targets and the initial weights and biases."""
    random = np.random.default_rng(0)
    X = random.normal(size=(BATCH, SIZES[0])).astype(np.float32)
    y = random.uniform(size=(BATCH, SIZES[-1])).astype(np.float32)
    parameters = []
    for inputs, outputs in pairwise(SIZES):
        parameters += [random.normal(size=(inputs, outputs)) / np.sqrt(inputs), np.zeros(outputs)]
    return X, y, [parameter.astype(np.float32) for parameter in parameters]


def by_hand() -> Callable[[], float]:
    """Return one training step in hand-written NumPy, which keeps what it has computed."""
    X, y, (W1, b1, W2, b2, W3, b3) = start()

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def step() -> float:
        nonlocal W1, b1, W2, b2, W3, b3
        a1 = sigmoid(X @ W1 + b1)
        a2 = sigmoid(a1 @ W2 + b2)
        a3 = sigmoid(a2 @ W3 + b3)
        error = a3 - y
        loss = np.mean(error**2) / 2
        delta3 = error * (a3 * (1 - a3)) / np.float32(error.size)
        delta2 = delta3 @ W3.T * (a2 * (1 - a2))
        delta1 = delta2 @ W2.T * (a1 * (1 - a1))
        W3 -= RATE * (a2.T @ delta3)
        b3 -= RATE * delta3.sum(0)
        W2 -= RATE * (a1.T @ delta2)
        b2 -= RATE * delta2.sum(0)
        W1 -= RATE * (X.T @ delta1)
        b1 -= RATE * delta1.sum(0)
        return float(loss)

    return step


def eager() -> Callable[[], float]:
    """Return the same step in this package."""
    import tinygrad_hw as tg

    X, y, values = start()
    W1, b1, W2, b2, W3, b3 = parameters = [tg.Tensor(value, requires_grad=True) for value in values]
    X, y = tg.Tensor(X), tg.Tensor(y)
    optimizer = tg.optim.SGD(parameters, float(RATE))

    def step() -> float:
        a1 = (X @ W1 + b1).sigmoid()
        a2 = (a1 @ W2 + b2).sigmoid()
        a3 = (a2 @ W3 + b3).sigmoid()
        loss = ((a3 - y) ** 2).mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
