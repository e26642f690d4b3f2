"""Rabbits and foxes (Lotka-Volterra): 200 steps of Runge and Kutta's method, and the gradient of the misfit by the four rates."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor, optim

from .training import Program, Training, as_torch, jitted

LR, STEPS, H = 1e-3, 200, 0.05
RATES, START = np.array([1.0, 0.4, 0.4, 0.1]), np.array([5.0, 2.0])


def advanced(stack: Any, rates: Any, s: Any) -> tuple[Any, Any]:
    """Return the state a step later, and the square of its distance from (4, 2.5), in any engine."""
    a, b, c, d = rates[0], rates[1], rates[2], rates[3]

    def change(s: Any) -> Any:
        rabbits, foxes = s[0], s[1]
        return stack([a * rabbits - b * rabbits * foxes, d * rabbits * foxes - c * foxes])

    k1 = change(s)
    k2 = change(s + H / 2 * k1)
    k3 = change(s + H / 2 * k2)
    k4 = change(s + H * k3)
    s = s + H / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return s, (s[0] - 4) ** 2 + (s[1] - 2.5) ** 2


def misfit(stack: Any, rates: Any, s: Any) -> Any:
    """Return the mean of the squares."""
    total = 0.0
    for _ in range(STEPS):
        s, square = advanced(stack, rates, s)
        total = total + square
    return total / STEPS


def ours() -> Training:
    """Return this package's."""
    rates = Tensor(RATES, requires_grad=True)
    return Training(lambda start: misfit(np.stack, rates, start), optim.Adam([rates], LR), (START,))


def scanned() -> Training:
    """Return this package's with a scan, so that one step is recorded."""
    rates = Tensor(RATES, requires_grad=True)
    return Training(
        lambda start: np.mean(tg.scan(lambda s, _: advanced(np.stack, rates, s), start, length=STEPS)[1]), optim.Adam([rates], LR), (START,)
    )


def torchs() -> Training:
    """Return PyTorch's."""
    import torch

    rates, start = as_torch(RATES, START)
    rates.requires_grad_()
    return Training(lambda start: misfit(torch.stack, rates, start), torch.optim.Adam([rates], LR), (start,))


def jaxs() -> Any:
    """Return JAX's step, with a scan: to compile 200 steps one by one takes minutes."""
    import jax

    def loss(rates: Any, start: Any) -> Any:
        return jax.lax.scan(lambda s, _: advanced(jax.numpy.stack, rates, s), start, length=STEPS)[1].mean()

    return jitted(loss, RATES, (START,), LR)


PROGRAMS = {"ODE": Program(ours, torchs, jaxs), "ODE, scan": Program(scanned, torchs, jaxs)}
