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

Wherever numbers are drawn, ``rng`` takes a ``numpy.random.Generator``, a legacy ``numpy.random.RandomState`` or an integer seed, so that
a run can be repeated; without it they differ from run to run. ``net.reset_parameters(0)`` draws a whole network anew from one seed.
"""

# ruff: noqa: F403 (each file says in its __all__ what it adds)
from typing import TYPE_CHECKING, Any

from ..errors import no_attribute
from . import attention, convolution, functional, init, layers, lazy, losses, module, norms, overview, recurrent, saving, utils
from .attention import *
from .convolution import *
from .layers import *
from .lazy import *
from .losses import *
from .module import *
from .norms import *
from .overview import *
from .recurrent import *
from .saving import *

__all__ = ["functional", "init", "utils"]
__all__ += attention.__all__ + convolution.__all__ + layers.__all__ + lazy.__all__ + losses.__all__ + module.__all__ + norms.__all__
__all__ += overview.__all__ + recurrent.__all__ + saving.__all__

ELSEWHERE = {
    "ConvTranspose2d": "tg.vjp of functional.conv2d: it is its gradient", "GroupNorm": "functional.layer_norm of x.reshape(N, groups, -1)",
    "KLDivLoss": "(t * (np.log(t) - log_p)).sum()", "ParameterList": "a list in an attribute: tensors are found in it",
    "TransformerEncoderLayer": "MultiheadAttention, LayerNorm and Linear, as examples do",
    "Unflatten": "x.reshape(shape), in a function between layers",
}  # fmt: skip


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        raise no_attribute(f"module {__name__!r}", name, ELSEWHERE, "x")
