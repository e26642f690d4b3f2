"""A classifier of images of 8×8, 64-64-32-10: minibatches of 32, cross entropy, Adam; in double and in single precision."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, jitted, random, with_weights

LR = 1e-3


def batch(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return images and their classes."""
    return random(0, dtype, (32, 64))[0], np.random.default_rng(1).integers(0, 10, 32)


def network(dtype: Any) -> nn.Sequential:
    """Return the network."""
    net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return net.reset_parameters(0).astype(dtype)


def ours(dtype: Any) -> Training:
    """Return this package's."""
    net = network(dtype)
    return Training(lambda X, y: nn.cross_entropy(net(X), y), optim.Adam(net.parameters(), LR), batch(dtype))


def torchs(dtype: Any) -> Training:
    """Return PyTorch's."""
    import torch
    from torch.nn import Linear, ReLU, Sequential
    from torch.nn.functional import cross_entropy

    net = with_weights(Sequential(Linear(64, 64), ReLU(), Linear(64, 32), ReLU(), Linear(32, 10)), network(dtype))
    return Training(lambda X, y: cross_entropy(net(X), y), torch.optim.Adam(net.parameters(), LR), as_torch(*batch(dtype)))


def jaxs(dtype: Any) -> Any:
    """Return JAX's step."""
    import jax

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        logits = jax.nn.relu(jax.nn.relu(X @ W1 + b1) @ W2 + b2) @ W3 + b3
        return -jax.nn.log_softmax(logits)[jax.numpy.arange(len(y)), y].mean()

    return jitted(loss, [p.numpy() for p in network(dtype).parameters()], batch(dtype), LR)


PROGRAMS = {
    f"digits, {name}": Program(partial(ours, dtype), partial(torchs, dtype), partial(jaxs, dtype), tolerance)
    for name, dtype, tolerance in (("float64", np.float64, 1e-8), ("float32", np.float32, 1e-4))
}
