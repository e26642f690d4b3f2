"""What the report draws from its random stream: the points, their labels, and the parameters a network starts with."""

from __future__ import annotations

import numpy as np

__all__ = ["PARAMETERS", "Points", "data_100", "data_X", "initial_parameters"]

PARAMETERS = ("W1", "b1", "W2", "b2", "W3", "b3")
Points = tuple[np.ndarray, np.ndarray]


def data_100(random: np.random.RandomState) -> Points:
    """Draw 100 points of the unit square; the label says on which side of the diagonal a point lies.

    Returns
    -------
    X : (100, 2) ndarray
    y : (100, 1) ndarray
        0 where the first coordinate is the larger one, else 1.
    """
    X = random.uniform(0, 1, (100, 2))
    return X, np.where(X[:, :1] > X[:, 1:], 0.0, 1.0)


def data_X() -> Points:
    """Return 21 points on the two diagonals of the unit square.

    Returns
    -------
    X : (21, 2) ndarray
    y : (21, 1) ndarray
        0 on the rising diagonal, 1 on the falling one; their common point has label 0.
    """
    points = []
    for i in range(11):
        points.append((0.1 * i, 0.1 * i, 0))
        if i != 5:
            points.append((0.1 * i, 1 - 0.1 * i, 1))
    table = np.array(points)
    return table[:, :2], table[:, 2:]


def initial_parameters(random: np.random.RandomState, hidden_dim: int) -> dict[str, np.ndarray]:
    """Draw W1, b1, W2, b2, W3, b3 of a network 2 → hidden_dim → hidden_dim → 1, in this order, from the normal distribution."""
    h = hidden_dim
    shapes = ((2, h), (h,), (h, h), (h,), (h, 1), (1,))
    return {name: random.randn(*shape) for name, shape in zip(PARAMETERS, shapes)}
