"""A Gaussian process at 200 places: three hyperparameters by the marginal likelihood, by Cholesky's decomposition, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_hw import Tensor, optim

from .training import Program, Training, as_torch, jitted

LR, START = 0.01, np.array([0.0, 0.0, -1.0])


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return squared distances of places, noisy values at them, and the unit matrix."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 200))
    return (x[:, None] - x) ** 2, np.sin(x) + 0.1 * rng.normal(size=200), np.eye(200)


def likelihood(xp: Any, solve: Any, h: Any, squares: Any, y: Any, unit: Any) -> Any:
    """Return the negative logarithm of the marginal likelihood, in any engine."""
    K = xp.exp(2 * h[0] - squares / 2 * xp.exp(-2 * h[1])) + xp.exp(2 * h[2]) * unit
    L = xp.linalg.cholesky(K)
    a = solve(L, y[:, None])
    return 0.5 * (a * a).sum() + xp.log(xp.diagonal(L)).sum()


def ours() -> Training:
    """Return this package's."""
    h = Tensor(START, requires_grad=True)
    return Training(lambda *data: likelihood(np, np.linalg.solve, h, *data), optim.Adam([h], LR), data())


def torchs() -> Training:
    """Return PyTorch's."""
    import torch

    (h,), solve = as_torch(START), lambda L, y: torch.linalg.solve_triangular(L, y, upper=False)
    h.requires_grad_()
    return Training(lambda *data: likelihood(torch, solve, h, *data), torch.optim.Adam([h], LR), as_torch(*data()))


def jaxs() -> Any:
    """Return JAX's step."""
    import jax

    solve = lambda L, y: jax.scipy.linalg.solve_triangular(L, y, lower=True)
    return jitted(lambda h, *data: likelihood(jax.numpy, solve, h, *data), START, data(), LR)


PROGRAMS = {"GP": Program(ours, torchs, jaxs)}
