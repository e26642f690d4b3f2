"""The programs of the page, made beforehand: for each depth and activation a step and a prediction as JavaScript, and the equations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor

__all__ = ["ACTIVATIONS", "DEPTHS", "Equation", "Program", "program", "programs"]

# The function after each hidden layer, and after the last
ACTIVATIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sigmoid": (tg.sigmoid, tg.sigmoid),
    "tanh": (np.tanh, tg.sigmoid),
    "relu": (tg.relu, tg.sigmoid),
    "none": (lambda z: z, lambda z: z),
}
DEPTHS = (1, 2, 3)  # hidden layers
POINTS, WIDTH = 21, 10  # of the recording; the page chooses its own
LETTERS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@dataclass(frozen=True)
class Equation:
    """An equation as MathML, and what its left side is called in the JavaScript."""

    mathml: str
    name: str


@dataclass(frozen=True)
class Program:
    """A network as JavaScript.

    Attributes
    ----------
    step, predict : modules.
    parameters : their names, in the order in which both functions take them.
    """

    step: str
    predict: str
    parameters: tuple[str, ...]
    equations: tuple[Equation, ...]


class Network:
    """Linear layers with an activation after each; two inputs, one output."""

    def __init__(self, depth: int, activation: str) -> None:
        rng = np.random.default_rng(0)
        widths = [2, *[WIDTH] * depth, 1]
        self.layers: list[tuple[Tensor, Tensor]] = []
        for k, (m, n) in enumerate(pairwise(widths), 1):
            W = Tensor(rng.normal(size=(m, n)), requires_grad=True, name=f"W{k}")
            self.layers.append((W, Tensor(rng.normal(size=n), requires_grad=True, name=f"b{k}")))
        self.hidden, self.last = ACTIVATIONS[activation]

    @property
    def parameters(self) -> list[Tensor]:
        """The weights and biases, in the order in which the report draws them."""
        return [parameter for layer in self.layers for parameter in layer]

    def __call__(self, X: Any) -> Any:
        """Return the prediction, of shape (N, 1), for N points X of shape (N, 2)."""
        outputs = [X]
        for W, b in self.layers[:-1]:
            outputs.append(self.hidden(outputs[-1] @ W + b))
        W, b = self.layers[-1]
        return self.last(outputs[-1] @ W + b)


def half_mse(y: Any, y_hat: Any) -> Any:
    """Return half the mean squared error, the report's loss."""
    return ((y - y_hat) ** 2).mean() / 2


def program(depth: int, activation: str) -> Program:
    """Make the program of a network with so many hidden layers."""
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(POINTS, 2)), (rng.random((POINTS, 1)) < 0.5).astype(float)
    network = Network(depth, activation)
    step = tg.compile(lambda X, y: half_mse(y, network(X)), tg.optim.SGD(network.parameters, lr=0.1))
    predict = tg.compile(lambda X: network(X))
    step(X, y)
    predict(X)
    derived = tg.explain(half_mse(Tensor(y, name="y"), network(Tensor(X, name="X"))))
    last = f"delta{depth + 1}"  # which is the prediction's own where no activation follows
    names = {last: "delta_y_hat"} if activation == "none" else {}
    written = [(equation.mathml, name_of(equation.text)) for equation in (*derived.forward, *derived.backward)]
    equations = [Equation(mathml, names.get(name, name)) for mathml, name in written]
    return Program(step.javascript, predict.javascript, tuple(str(p.name) for p in network.parameters), tuple(equations))


def name_of(equation: str) -> str:
    """Return what the left side of an equation is called in a program: delta2 of δ₂, dW2 of ∂L/∂W₂."""
    left = equation.split(" = ")[0].translate(LETTERS)
    return left.replace("∂L/∂", "d").replace("δ", "delta").replace("ŷ", "y_hat")


@cache
def programs() -> dict[str, Program]:
    """Return all programs, by their depth and activation: ``2 sigmoid``."""
    return {f"{depth} {activation}": program(depth, activation) for depth in DEPTHS for activation in ACTIVATIONS}
