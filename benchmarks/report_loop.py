"""The yardstick: the homework report's training loop in NumPy, as printed and tuned by hand, and in every engine.

Each function takes the data, the hidden size and the learning rate and returns ``run(n)``, which trains n epochs further
and returns the loss of the last one. All start from the same weights, so all must agree on that loss.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Run = Callable[[int], float]


def weights(hidden: int) -> list[np.ndarray]:
    """Return the report's initial W1, b1, W2, b2, W3, b3; beyond its 10 hidden units scaled so that the sigmoids do not saturate."""
    random = np.random.RandomState(2023)
    random.uniform(0, 1, (100, 2))
    scale = np.sqrt(10 / hidden)
    return [
        random.randn(2, hidden),
        random.randn(hidden),
        random.randn(hidden, hidden) * scale,
        random.randn(hidden),
        random.randn(hidden, 1) * scale,
        random.randn(1),
    ]


def cross() -> tuple[np.ndarray, np.ndarray]:
    """Return the report's second data set: 21 points in the form of an X, and their labels."""
    points, labels = [], []
    for i in range(11):
        points.append([0.1 * i, 0.1 * i])
        labels.append([0])
        if 0.1 * i != 0.5:
            points.append([0.1 * i, 1 - 0.1 * i])
            labels.append([1])
    return np.array(points), np.array(labels)


def printed(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the report's loop with its delta equations, call for call: σ is computed again for each derivative."""
    W1, b1, W2, b2, W3, b3 = weights(hidden)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + np.exp(-x))

    def derivative_sigmoid(x: Any) -> Any:
        return sigmoid(x) * (1 - sigmoid(x))

    def mean_squared(y_true: Any, y_pred: Any) -> Any:
        return np.mean((y_true - y_pred) ** 2) / 2

    def run(n: int) -> float:
        nonlocal W1, b1, W2, b2, W3, b3
        for _ in range(n):
            z1 = np.dot(X, W1) + b1
            a1 = sigmoid(z1)
            z2 = np.dot(a1, W2) + b2
            a2 = sigmoid(z2)
            z3 = np.dot(a2, W3) + b3
            y_pred = sigmoid(z3)
            loss = mean_squared(y, y_pred)

            delta3 = (y_pred - y) * derivative_sigmoid(z3)
            delta2 = np.dot(delta3, W3.T) * derivative_sigmoid(z2)
            delta1 = np.dot(delta2, W2.T) * derivative_sigmoid(z1)

            N = X.shape[0]
            W3 -= lr * (np.dot(a2.T, delta3) / N)
            b3 -= lr * (np.sum(delta3, axis=0) / N)
            W2 -= lr * (np.dot(a1.T, delta2) / N)
            b2 -= lr * (np.sum(delta2, axis=0) / N)
            W1 -= lr * (np.dot(X.T, delta1) / N)
            b1 -= lr * (np.sum(delta1, axis=0) / N)
        return float(loss)

    return run


def tuned(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the same loop as an expert tunes it: every result in a buffer of its own, all parameters in one."""
    n_points = len(X)
    values = weights(hidden)
    flat = np.concatenate([value.ravel() for value in values])
    gradient = np.empty_like(flat)
    ends = np.cumsum([value.size for value in values])[:-1]
    W1, b1, W2, b2, W3, b3 = (part.reshape(value.shape) for part, value in zip(np.split(flat, ends), values))
    gW1, gb1, gW2, gb2, gW3, gb3 = (part.reshape(value.shape) for part, value in zip(np.split(gradient, ends), values))
    y, ones, row = y.astype(float), np.ones(()), np.ones(n_points)
    a1, a2, a3, d3, s3 = (np.empty((n_points, size)) for size in (hidden, hidden, 1, 1, 1))
    d1, d2, s = (np.empty((n_points, hidden)) for _ in range(3))
    XT, a1T, a2T, W2T, W3T = X.T, a1.T, a2.T, W2.T, W3.T
    rate, scale = np.array(lr / n_points), np.array(2.0 * n_points)
    dot, add, multiply, subtract, negative, exp, divide = np.dot, np.add, np.multiply, np.subtract, np.negative, np.exp, np.divide

    def layer(x: Any, W: Any, b: Any, a: Any) -> None:
        dot(x, W, a)
        add(a, b, a)
        negative(a, a)
        exp(a, a)
        add(a, ones, a)
        divide(ones, a, a)

    def run(n: int) -> float:
        for _ in range(n):
            layer(X, W1, b1, a1)
            layer(a1, W2, b2, a2)
            layer(a2, W3, b3, a3)
            subtract(a3, y, d3)
            loss = dot(d3.T, d3)
            subtract(ones, a3, s3)
            multiply(s3, a3, s3)
            multiply(d3, s3, d3)
            dot(d3, W3T, d2)
            subtract(ones, a2, s)
            multiply(s, a2, s)
            multiply(d2, s, d2)
            dot(d2, W2T, d1)
            subtract(ones, a1, s)
            multiply(s, a1, s)
            multiply(d1, s, d1)
            dot(a2T, d3, gW3)
            dot(row, d3, gb3)
            dot(a1T, d2, gW2)
            dot(row, d2, gb2)
            dot(XT, d1, gW1)
            dot(row, d1, gb1)
            multiply(gradient, rate, gradient)
            subtract(flat, gradient, flat)
        return float(loss[0, 0] / scale)

    return run


def eager(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in this package, eager, as most people write it: raw arrays as data, functions called as functions."""
    import tinygrad_hw as tg

    W1, b1, W2, b2, W3, b3 = parameters = [tg.Tensor(value, requires_grad=True) for value in weights(hidden)]
    optimizer = tg.optim.SGD(parameters, lr)

    def run(n: int) -> float:
        for _ in range(n):
            y_pred = tg.sigmoid(tg.sigmoid(tg.sigmoid(X @ W1 + b1) @ W2 + b2) @ W3 + b3)
            loss = np.mean((y - y_pred) ** 2) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def eager_wrapped(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the same loop with the data wrapped as Tensors, and methods."""
    import tinygrad_hw as tg

    W1, b1, W2, b2, W3, b3 = parameters = [tg.Tensor(value, requires_grad=True) for value in weights(hidden)]
    optimizer = tg.optim.SGD(parameters, lr)
    inputs, targets = tg.Tensor(X), tg.Tensor(y)

    def run(n: int) -> float:
        for _ in range(n):
            y_pred = (((inputs @ W1 + b1).sigmoid() @ W2 + b2).sigmoid() @ W3 + b3).sigmoid()
            loss = ((targets - y_pred) ** 2).mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    return run


def mygrad(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in MyGrad."""
    import mygrad as mg

    W1, b1, W2, b2, W3, b3 = parameters = [mg.tensor(value) for value in weights(hidden)]

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + mg.exp(-x))

    def run(n: int) -> float:
        for _ in range(n):
            y_pred = sigmoid(sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2) @ W3 + b3)
            loss = mg.mean((y - y_pred) ** 2) / 2
            loss.backward()
            for parameter in parameters:
                parameter.data -= lr * parameter.grad
        return float(loss.item())

    return run


def hips(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    parameters = weights(hidden)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + anp.exp(-x))

    def loss_of(parameters: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        y_pred = sigmoid(sigmoid(sigmoid(anp.dot(X, W1) + b1) @ W2 + b2) @ W3 + b3)
        return anp.mean((y - y_pred) ** 2) / 2

    step = autograd.value_and_grad(loss_of)

    def run(n: int) -> float:
        nonlocal parameters
        for _ in range(n):
            loss, gradients = step(parameters)
            parameters = [value - lr * gradient for value, gradient in zip(parameters, gradients)]
        return float(loss)

    return run


def pytorch(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in PyTorch, eager, on one thread."""
    import torch

    torch.set_num_threads(1)
    W1, b1, W2, b2, W3, b3 = parameters = [torch.tensor(value, requires_grad=True) for value in weights(hidden)]
    optimizer = torch.optim.SGD(parameters, lr)
    inputs, targets = torch.tensor(X), torch.tensor(y, dtype=torch.float64)

    def run(n: int) -> float:
        for _ in range(n):
            y_pred = torch.sigmoid(torch.sigmoid(torch.sigmoid(inputs @ W1 + b1) @ W2 + b2) @ W3 + b3)
            loss = ((targets - y_pred) ** 2).mean() / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return float(loss.item())

    return run


def _jax_step(X: np.ndarray, y: np.ndarray) -> Any:
    """Return JAX's loss and gradient of the report's network."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss_of(parameters: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = parameters
        y_pred = jax.nn.sigmoid(jax.nn.sigmoid(jax.nn.sigmoid(X @ W1 + b1) @ W2 + b2) @ W3 + b3)
        return jnp.mean((y - y_pred) ** 2) / 2

    return jax.value_and_grad(loss_of)


def jax_step(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in JAX, ``jit`` around one step; compiled before it is timed."""
    import jax

    gradient = _jax_step(X, y)

    @jax.jit
    def step(parameters: Any) -> Any:
        loss, gradients = gradient(parameters)
        return loss, [value - lr * g for value, g in zip(parameters, gradients)]

    parameters = [jax.numpy.asarray(value) for value in weights(hidden)]
    step(parameters)

    def run(n: int) -> float:
        nonlocal parameters
        for _ in range(n):
            loss, parameters = step(parameters)
        return float(loss)

    return run


def jax_loop(X: np.ndarray, y: np.ndarray, hidden: int, lr: float) -> Run:
    """Return the loop in JAX, the whole of it inside ``jit``; compiled before it is timed."""
    import jax

    gradient = _jax_step(X, y)

    @jax.jit
    def loop(n: Any, parameters: Any) -> Any:
        def body(_: Any, carried: Any) -> Any:
            loss, gradients = gradient(carried[1])
            return loss, [value - lr * g for value, g in zip(carried[1], gradients)]

        return jax.lax.fori_loop(0, n, body, (0.0, parameters))

    parameters = [jax.numpy.asarray(value) for value in weights(hidden)]
    loop(1, parameters)

    def run(n: int) -> float:
        nonlocal parameters
        loss, parameters = loop(n, parameters)
        return float(loss)

    return run


# what is measured: label, function, the module that it needs
CONTESTANTS: list[tuple[str, Callable[..., Run], str]] = [
    ("NumPy, the loop as printed", printed, "numpy"),
    ("NumPy, tuned by hand with out=", tuned, "numpy"),
    ("tinygrad_hw, eager", eager, "tinygrad_hw"),
    ("tinygrad_hw, eager, data wrapped", eager_wrapped, "tinygrad_hw"),
    ("MyGrad", mygrad, "mygrad"),
    ("HIPS autograd", hips, "autograd"),
    ("PyTorch, eager", pytorch, "torch"),
    ("JAX, jit per step", jax_step, "jax"),
    ("JAX, the loop inside jit", jax_loop, "jax"),
]
