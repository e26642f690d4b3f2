"""A network 2-16-16-1 tells two moons apart: 100 points, hinge loss, weights kept small, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, jitted, with_weights

LR = 0.01


def points() -> tuple[np.ndarray, np.ndarray]:
    """Return points on two half circles, and ±1."""
    angle, noise = np.linspace(0, np.pi, 50), np.random.default_rng(0).normal(0, 0.1, (100, 2))
    upper, lower = np.stack([np.cos(angle), np.sin(angle)], 1), np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], 1)
    return np.concatenate([upper, lower]) + noise, np.repeat([-1.0, 1.0], 50)


def network() -> nn.Sequential:
    """Return the network."""
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)).reset_parameters(0)


def ours() -> Training:
    """Return this package's."""
    net = network()

    def loss(X: Any, y: Any) -> Any:
        return tg.relu(1 - y * net(X)[:, 0]).mean() + 1e-4 * sum((p * p).sum() for p in net.parameters())

    return Training(loss, optim.Adam(net.parameters(), LR), points())


def torchs() -> Training:
    """Return PyTorch's."""
    import torch
    from torch.nn import Linear, ReLU, Sequential

    net = with_weights(Sequential(Linear(2, 16), ReLU(), Linear(16, 16), ReLU(), Linear(16, 1)), network())

    def loss(X: Any, y: Any) -> Any:
        return torch.relu(1 - y * net(X)[:, 0]).mean() + 1e-4 * sum((p * p).sum() for p in net.parameters())

    return Training(loss, torch.optim.Adam(net.parameters(), LR), as_torch(*points()))


def jaxs() -> Any:
    """Return JAX's step."""
    import jax

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        scores = jax.nn.relu(jax.nn.relu(X @ W1 + b1) @ W2 + b2) @ W3 + b3
        return jax.nn.relu(1 - y * scores[:, 0]).mean() + 1e-4 * sum((p * p).sum() for p in parameters)

    return jitted(loss, [p.numpy() for p in network().parameters()], points(), LR)


PROGRAMS = {"moons": Program(ours, torchs, jaxs)}
