"""A physics-informed network 1-20-20-1 solves u″ = -u, u(0) = 0, u′(0) = 1: derivatives by x inside a loss that is differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, jitted, with_weights

LR = 1e-3


def places() -> np.ndarray:
    """Return where the equation is to hold."""
    return np.linspace(0, 2 * np.pi, 64)[:, None]


def network() -> nn.Sequential:
    """Return the network u."""
    return nn.Sequential(nn.Linear(1, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 1)).reset_parameters(0)


def ours() -> Training:
    """Return this package's."""
    u = network()

    def height(x: Any) -> tuple[Any, Any]:
        at = u(x)
        return at.sum(), at

    def slope(x: Any) -> tuple[Any, Any]:
        slope, at = tg.grad(height, has_aux=True)(x)
        return slope.sum(), (slope, at)

    def loss(x: Any) -> Any:
        bend, (slope_there, at) = tg.grad(slope, has_aux=True)(x)
        return ((bend + at) ** 2).mean() + at[0, 0] ** 2 + (slope_there[0, 0] - 1) ** 2

    return Training(loss, optim.Adam(u.parameters(), LR), (places(),))


def torchs() -> Training:
    """Return PyTorch's."""
    import torch
    from torch.nn import Linear, Sequential, Tanh

    net = with_weights(Sequential(Linear(1, 20), Tanh(), Linear(20, 20), Tanh(), Linear(20, 1)), network())

    def loss(x: Any) -> Any:
        u = net(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
        return ((bend + u) ** 2).mean() + u[0, 0] ** 2 + (slope[0, 0] - 1) ** 2

    return Training(loss, torch.optim.Adam(net.parameters(), LR), [as_torch(places())[0].requires_grad_()])


def jaxs() -> Any:
    """Return JAX's step."""
    import jax

    tanh = jax.numpy.tanh

    def u(parameters: Any, x: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        return tanh(tanh(x @ W1 + b1) @ W2 + b2) @ W3 + b3

    slope = jax.grad(lambda x, parameters: u(parameters, x).sum())
    bend = jax.grad(lambda x, parameters: slope(x, parameters).sum())

    def loss(parameters: Any, x: Any) -> Any:
        at = u(parameters, x)
        return ((bend(x, parameters) + at) ** 2).mean() + at[0, 0] ** 2 + (slope(x, parameters)[0, 0] - 1) ** 2

    return jitted(loss, [p.numpy() for p in network().parameters()], (places(),), LR)


PROGRAMS = {"PINN": Program(ours, torchs, jaxs)}
