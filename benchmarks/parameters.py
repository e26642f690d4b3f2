"""Growth in parameters: as many weights as inputs and targets, fitted entry by entry, so that elementwise work and memory are all the cost.

The model is tanh(w ⊙ x), the loss half the sum of squared errors; a step is forward, backward and an update by gradient descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .curves import Axis

Call = Callable[[], Any]

RATE = 0.1
SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)


def start(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the initial weights, the inputs and the targets."""
    random = np.random.default_rng(0)
    return random.normal(size=size), random.normal(size=size), random.uniform(-1, 1, size)


def by_hand(size: int) -> Call:
    """Return a step in hand-written NumPy."""
    w, x, y = start(size)

    def step() -> float:
        nonlocal w
        a = np.tanh(w * x)
        error = a - y
        loss = np.sum(error**2) / 2
        w -= RATE * (error * (1 - a**2) * x)
        return float(loss)

    return step


def eager(size: int) -> Call:
    """Return a step in this package."""
    import tinygrad_hw as tg

    w, x, y = start(size)
    w, x, y = tg.Tensor(w, requires_grad=True), tg.Tensor(x), tg.Tensor(y)
    optimizer = tg.optim.SGD([w], RATE)

    def step() -> float:
        loss = ((np.tanh(w * x) - y) ** 2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def compiled(size: int, backend: str = "numpy") -> Call:
    """Return a step in this package, compiled."""
    import tinygrad_hw as tg

    w, x, y = start(size)
    weights = tg.Tensor(w, requires_grad=True)
    step = tg.compile(lambda x, y: ((np.tanh(weights * x) - y) ** 2).sum() / 2, tg.optim.SGD([weights], RATE), backend=backend)
    return lambda: float(step(x, y))


def compiled_numba(size: int) -> Call:
    """Return a step in this package, compiled with Numba."""
    return compiled(size, "numba")


def mygrad(size: int) -> Call:
    """Return a step in MyGrad."""
    import mygrad as mg

    w, x, y = start(size)
    w = mg.tensor(w)

    def step() -> float:
        loss = mg.sum((mg.tanh(w * x) - y) ** 2) / 2
        loss.backward()
        w.data -= RATE * w.grad
        return float(loss.item())

    return step


def hips(size: int) -> Call:
    """Return a step in HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    w, x, y = start(size)
    gradient = autograd.value_and_grad(lambda w: anp.sum((anp.tanh(w * x) - y) ** 2) / 2)

    def step() -> float:
        nonlocal w
        loss, g = gradient(w)
        w = w - RATE * g
        return float(loss)

    return step


def pytorch(size: int) -> Call:
    """Return a step in PyTorch, eager, on one thread."""
    import torch

    torch.set_num_threads(1)
    w, x, y = map(torch.tensor, start(size))
    optimizer = torch.optim.SGD([w.requires_grad_()], RATE)

    def step() -> float:
        loss = ((torch.tanh(w * x) - y) ** 2).sum() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    return step


def jax_jit(size: int) -> Call:
    """Return a step in JAX, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    w, x, y = map(jax.numpy.asarray, start(size))
    gradient = jax.value_and_grad(lambda w, x, y: jax.numpy.sum((jax.numpy.tanh(w * x) - y) ** 2) / 2)

    @jax.jit
    def update(w: Any, x: Any, y: Any) -> Any:
        loss, g = gradient(w, x, y)
        return loss, w - RATE * g

    def step() -> float:
        nonlocal w
        loss, w = update(w, x, y)
        return float(loss)

    return step


AXIS = Axis(
    "parameters",
    "a step of gradient descent on so many weights, each with an input and a target: tanh(w ⊙ x) ≈ y",
    SIZES,
    [
        ("NumPy, by hand", by_hand, "numpy"),
        ("tinygrad_hw, eager", eager, "tinygrad_hw"),
        ("tg.compile, NumPy", compiled, "tinygrad_hw"),
        ("tg.compile, Numba", compiled_numba, "numba"),
        ("MyGrad", mygrad, "mygrad"),
        ("HIPS autograd", hips, "autograd"),
        ("PyTorch, eager", pytorch, "torch"),
        ("JAX, jit", jax_jit, "jax"),
    ],
    1e-9,
)
