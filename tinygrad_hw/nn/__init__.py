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

from typing import TYPE_CHECKING, Any

from ..errors import no_attribute
from . import functional, init, utils
from .attention import MultiheadAttention
from .convolution import AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, Conv1d, Conv2d, MaxPool1d, MaxPool2d
from .layers import (
    ELU,
    GELU,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .lazy import LazyBatchNorm1d, LazyBatchNorm2d, LazyConv2d, LazyLinear
from .losses import (
    BCELoss,
    BCEWithLogitsLoss,
    CrossEntropyLoss,
    HuberLoss,
    L1Loss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    half_mse_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from .module import Module, ModuleDict, ModuleList, Parameter, Sequential, functional_call
from .norms import BatchNorm1d, BatchNorm2d, LayerNorm, RMSNorm
from .overview import summary
from .recurrent import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNCell
from .saving import load, save

__all__ = [
    "ELU", "GELU", "GRU", "LSTM", "RNN", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d",
    "BatchNorm2d", "Conv1d", "Conv2d", "CrossEntropyLoss", "Dropout", "Embedding", "Flatten", "GRUCell", "HuberLoss", "Identity", "L1Loss",
    "LSTMCell", "LayerNorm", "LazyBatchNorm1d", "LazyBatchNorm2d", "LazyConv2d", "LazyLinear", "LeakyReLU", "Linear", "LogSoftmax",
    "MSELoss", "MaxPool1d", "MaxPool2d", "Module", "ModuleDict", "ModuleList", "MultiheadAttention", "NLLLoss", "Parameter", "RMSNorm",
    "RNNCell", "ReLU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Tanh", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "cross_entropy", "functional", "functional_call", "half_mse_loss", "huber_loss", "init", "l1_loss",
    "load", "mse_loss", "nll_loss", "save", "smooth_l1_loss", "summary", "utils",
]  # fmt: skip

ELSEWHERE = {
    "ConvTranspose2d": "tg.vjp of functional.conv2d: it is its gradient", "GroupNorm": "functional.layer_norm of x.reshape(N, groups, -1)",
    "KLDivLoss": "(t * (np.log(t) - log_p)).sum()", "ParameterList": "a list in an attribute: tensors are found in it",
    "TransformerEncoderLayer": "MultiheadAttention, LayerNorm and Linear, as examples do",
    "Unflatten": "x.reshape(shape), in a function between layers",
}  # fmt: skip


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        raise no_attribute(f"module {__name__!r}", name, ELSEWHERE, "x")
