"""Networks: modules that hold parameters, the usual layers, and losses.

    >>> import numpy as np
    >>> from tinygrad_hw import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> net = nn.Sequential(nn.Linear(2, 8, rng=rng), nn.Tanh(), nn.Linear(8, 1, rng=rng))
    >>> optimizer = optim.Adam(net.parameters(), lr=0.05)
    >>> x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     loss = nn.mse_loss(net(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    >>> np.round(net(x).numpy()).ravel() + 0.0
    array([0., 1., 1., 0.])

A module of one's own is a class with a ``forward``; what it holds in its attributes is found:

    >>> class Residual(nn.Module):
    ...     def __init__(self, size, rng=None):
    ...         self.inner = nn.Linear(size, size, rng=rng)
    ...     def forward(self, x):
    ...         return x + np.tanh(self.inner(x))
    >>> [name for name, _ in Residual(3).named_parameters()]
    ['inner.weight', 'inner.bias']

Wherever numbers are drawn, ``rng`` takes a ``numpy.random.Generator`` or a legacy ``numpy.random.RandomState``, so that
a run can be repeated; without it they differ from run to run.
"""

from . import functional
from .layers import GELU, Dropout, Embedding, LayerNorm, Linear, ReLU, Sequential, Sigmoid, Tanh
from .losses import binary_cross_entropy_with_logits, cross_entropy, half_mse_loss, mse_loss
from .module import Module

__all__ = [
    "GELU",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "functional",
    "half_mse_loss",
    "mse_loss",
]
