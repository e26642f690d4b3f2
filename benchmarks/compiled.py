"""Compiled steps: the report's loop, with Adam too, the memory, and what the first call costs.

Each contestant has the form that ``report_loop`` has: the data, the hidden size and the learning rate in, ``run(n)`` out.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import compile

from .measure import Timing, ratios, require_agreement
from .report_loop import Run, cross, weights


def step_of(hidden: int, lr: float, backend: str = "numpy", optimizer: Callable[..., Any] = tg.optim.SGD) -> Any:
    """Return the report's training step, compiled."""
    names = ["W1", "b1", "W2", "b2", "W3", "b3"]
    W1, b1, W2, b2, W3, b3 = parameters = [tg.Tensor(v, requires_grad=True, name=name) for v, name in zip(weights(hidden), names)]

    def loss_fn(X: Any, y: Any) -> Any:
        a1 = tg.sigmoid(X @ W1 + b1)
        a2 = tg.sigmoid(a1 @ W2 + b2)
        y_pred = tg.sigmoid(a2 @ W3 + b3)
        return ((y - y_pred) ** 2).mean() / 2

    return compile(loss_fn, optimizer(parameters, lr), backend=backend)


def _stepwise(step: Any, X: np.ndarray, y: np.ndarray) -> Run:
    """Return a loop that calls the step once for each epoch; what is compiled is compiled before it is timed."""

    def run(n: int) -> float:
        for _ in range(n):
            loss = step(X, y)
        return float(loss)

    return run


def compiled(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop with a compiled step, NumPy alone."""
    return _stepwise(step_of(hidden, lr), X, y)


def compiled_numba(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop with a step that Numba has compiled, a call per step."""
    return _stepwise(step_of(hidden, lr, "numba"), X, y)


def compiled_numba_loop(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop inside what Numba has compiled."""
    step = step_of(hidden, lr, "numba")
    return lambda n: float(step.repeat(n, X, y)[-1])


CONTESTANTS: list[tuple[str, Callable[..., Run], str]] = [
    ("tg.compile, NumPy", compiled, "tinygrad_hw"),
    ("tg.compile, Numba, a call per step", compiled_numba, "numba"),
    ("tg.compile, Numba, step.repeat", compiled_numba_loop, "numba"),
]


def adam_by_hand(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the report's loop with Adam instead of gradient descent, as one writes it in NumPy."""
    parameters = weights(hidden)
    means, squares, t = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters], 0

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def derivative_sigmoid(x: Any) -> Any:
        return sigmoid(x) * (1 - sigmoid(x))

    def run(n: int) -> float:
        nonlocal t
        for _ in range(n):
            W1, b1, W2, b2, W3, b3 = parameters
            z1 = np.dot(X, W1) + b1
            a1 = sigmoid(z1)
            z2 = np.dot(a1, W2) + b2
            a2 = sigmoid(z2)
            z3 = np.dot(a2, W3) + b3
            y_pred = sigmoid(z3)
            loss = np.mean((y - y_pred) ** 2) / 2
            delta3 = (y_pred - y) * derivative_sigmoid(z3)
            delta2 = np.dot(delta3, W3.T) * derivative_sigmoid(z2)
            delta1 = np.dot(delta2, W2.T) * derivative_sigmoid(z1)
            N, t = X.shape[0], t + 1
            gradients = []
            for a, delta in ((X, delta1), (a1, delta2), (a2, delta3)):
                gradients += [np.dot(a.T, delta) / N, np.sum(delta, axis=0) / N]
            for i, g in enumerate(gradients):
                means[i] = 0.9 * means[i] + 0.1 * g
                squares[i] = 0.999 * squares[i] + 0.001 * g**2
                parameters[i] = parameters[i] - lr * (means[i] / (1 - 0.9**t)) / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-8)
        return float(loss)

    return run


def adam(rounds: int) -> dict[str, Timing]:
    """Time compiled Adam steps against the Adam loop written by hand, after checking that all agree on the loss."""
    X, y = cross()
    runs = {"NumPy, by hand": adam_by_hand(X, y, 10, 0.01)}
    runs |= {f"tg.compile, {backend}": _stepwise(step_of(10, 0.01, backend, tg.optim.Adam), X, y) for backend in backends()}
    require_agreement({label: run(1000) for label, run in runs.items()}, 1e-12)
    return ratios({label: lambda run=run: run(10) for label, run in runs.items()}, rounds)


def memory() -> dict[str, int]:
    """Return the bytes of the buffers of the loop tuned by hand and of a compiled step, parameters and labels as floats included."""
    X, y = cross()
    n, h = len(X), 10
    parameters = sum(value.size for value in weights(h))
    by_hand = 2 * parameters + 5 * n * h + 3 * n + 2 * n
    step = step_of(h, 0.1)
    step(X, y)
    return {"tuned": 8 * by_hand, "compiled": step.nbytes + 8 * (parameters + n)}


def first_call(backend: str) -> float:
    """Return how many seconds the first call takes: recording, planning, and for Numba reading its cache, or compiling if it is empty."""
    X, y = cross()
    step = step_of(10, 0.1, backend)
    start = perf_counter()
    step(X, y)
    return perf_counter() - start


@contextmanager
def empty_cache() -> Iterator[None]:
    """Let Numba compile everything anew, so that what starting costs does not depend on earlier runs."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, XDG_CACHE_HOME=folder):
        yield


def backends() -> list[str]:
    """Return the backends that are installed."""
    return ["numpy", *(["numba"] if find_spec("numba") else [])]
