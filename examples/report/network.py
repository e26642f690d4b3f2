"""The report's network and its loss as ordinary tensor expressions; the gradients come from ``loss.backward()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor

__all__ = ["Network", "compiled", "loss", "step"]

ACTIVATIONS: dict[str | None, Callable[[Any], Any]] = {"sigmoid": tg.sigmoid, "tanh": np.tanh, None: lambda z: z}


class Network:
    """Three linear layers, each followed by the activation σ.

    Parameters
    ----------
    parameters : dict of str to ndarray
        W1 (d, h), b1 (h,), W2 (h, k), b2 (k,), W3 (k, m), b3 (m,).
    activation : {"sigmoid", "tanh", None}
        None leaves the layers linear.
    """

    def __init__(self, parameters: dict[str, np.ndarray], activation: str | None = "sigmoid") -> None:
        self.W1, self.b1, self.W2, self.b2, self.W3, self.b3 = self.parameters = [
            Tensor(value, requires_grad=True, name=name) for name, value in parameters.items()
        ]
        self.activation = ACTIVATIONS[activation]

    def __call__(self, X: Tensor) -> Tensor:
        """Return the prediction ŷ, of shape (N, m), for N points X of shape (N, d)."""
        σ = self.activation
        a1 = σ(X @ self.W1 + self.b1)
        a2 = σ(a1 @ self.W2 + self.b2)
        return σ(a2 @ self.W3 + self.b3)


def loss(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """Return half the mean squared error: the half cancels the 2 of its derivative."""
    return ((y_true - y_pred) ** 2).mean() / 2


def compiled(network: Network, optimizer: Any, backend: str) -> Any:
    """Return the same step compiled: recorded at its first call, run as a plan from then on."""
    return tg.compile(lambda X, y: loss(y, network(X)), optimizer, backend)


def step(network: Network, X: Tensor, y: Tensor, optimizer: Any) -> float:
    """Train for one epoch; return the loss before the update."""
    train_loss = loss(y, network(X))
    optimizer.zero_grad()
    train_loss.backward()
    optimizer.step()
    return train_loss.item()
