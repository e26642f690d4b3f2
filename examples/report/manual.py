"""The report's backpropagation by hand, in plain NumPy: the oracle that the tensor network is checked against.

    δ3 = (ŷ - y) ⊙ σ′(z3)        ∂L/∂W3 = a2ᵀ δ3 / N      ∂L/∂b3 = Σ δ3 / N
    δ2 = (δ3 W3ᵀ) ⊙ σ′(z2)       ∂L/∂W2 = a1ᵀ δ2 / N      ∂L/∂b2 = Σ δ2 / N
    δ1 = (δ2 W2ᵀ) ⊙ σ′(z1)       ∂L/∂W1 = Xᵀ δ1 / N       ∂L/∂b1 = Σ δ1 / N

``loss`` takes complex arrays too, so the complex step gives its exact derivative: ∂L/∂x = Im L(x + iε) / ε.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["forward", "gradients", "loss", "step"]

Parameters = dict[str, np.ndarray]
Function = Callable[[np.ndarray], np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e⁻ᶻ) as the report writes it."""
    return 1 / (1 + np.exp(-z))


# Each activation with its derivative, both as functions of z.
ACTIVATIONS: dict[str | None, tuple[Function, Function]] = {
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    None: (lambda z: z, np.ones_like),
}


def forward(p: Parameters, X: np.ndarray, activation: str | None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return z1, z2, z3 and X, a1, a2, ŷ."""
    σ, _ = ACTIVATIONS[activation]
    z1 = np.dot(X, p["W1"]) + p["b1"]
    a1 = σ(z1)
    z2 = np.dot(a1, p["W2"]) + p["b2"]
    a2 = σ(z2)
    z3 = np.dot(a2, p["W3"]) + p["b3"]
    return [z1, z2, z3], [X, a1, a2, σ(z3)]


def half_mse(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Return half the mean squared error."""
    return np.mean((y_true - y_pred) ** 2) / 2


def loss(p: Parameters, X: np.ndarray, y: np.ndarray, activation: str | None) -> np.ndarray:
    """Return the loss of a network, real or complex."""
    return half_mse(y, forward(p, X, activation)[1][-1])


def gradients(p: Parameters, X: np.ndarray, y: np.ndarray, activation: str | None) -> tuple[float, Parameters]:
    """Return the loss and its gradient with respect to each parameter.

    Parameters
    ----------
    p : dict of str to ndarray
        W1 (d, h), b1 (h,), W2 (h, k), b2 (k,), W3 (k, m), b3 (m,).
    X : (N, d) ndarray
        The points.
    y : (N, m) ndarray
        Their labels.
    activation : {"sigmoid", "tanh", None}
        What follows each linear layer.

    Notes
    -----
    The loss averages over all N m entries of y; in the report m is 1.
    """
    _, derivative = ACTIVATIONS[activation]
    (z1, z2, z3), (X, a1, a2, y_pred) = forward(p, X, activation)
    δ3 = (y_pred - y) * derivative(z3)
    δ2 = np.dot(δ3, p["W3"].T) * derivative(z2)
    δ1 = np.dot(δ2, p["W2"].T) * derivative(z1)
    N = y.size
    return float(half_mse(y, y_pred)), {
        "W1": np.dot(X.T, δ1) / N,
        "b1": np.sum(δ1, axis=0) / N,
        "W2": np.dot(a1.T, δ2) / N,
        "b2": np.sum(δ2, axis=0) / N,
        "W3": np.dot(a2.T, δ3) / N,
        "b3": np.sum(δ3, axis=0) / N,
    }


def step(p: Parameters, X: np.ndarray, y: np.ndarray, lr: float, activation: str | None) -> float:
    """Train for one epoch, changing the parameters in place; return the loss before the update."""
    train_loss, grads = gradients(p, X, y, activation)
    for name, grad in grads.items():
        p[name] -= lr * grad
    return train_loss
