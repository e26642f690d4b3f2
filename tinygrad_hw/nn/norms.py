"""Layers that normalise: over a batch, over a sample's features, or by their root mean square."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from ..errors import ShapeError
from ..tensor import Tensor, no_grad
from . import functional
from .checks import as_input, require_positive
from .module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm", "RMSNorm"]


class _BatchNorm(Module):
    """What layers for batches of any number of axes have in common."""

    ndims: ClassVar[tuple[int, ...]]
    running_mean: Any
    running_var: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = float,
    ) -> None:
        require_positive(type(self).__name__, num_features)
        self.features, self.eps, self.momentum = num_features, float(eps), float(momentum)
        self.weight = Tensor(np.ones(num_features), requires_grad=True, dtype=dtype) if affine else None
        self.bias = Tensor(np.zeros(num_features), requires_grad=True, dtype=dtype) if affine else None
        self.running_mean = Tensor(np.zeros(num_features), dtype=dtype) if track_running_stats else None
        self.running_var = Tensor(np.ones(num_features), dtype=dtype) if track_running_stats else None

    def forward(self, x: Any) -> Tensor:
        """Return x normalised, of its shape (N, C, *space); in training, update the running statistics."""
        shape = np.shape(x)
        if len(shape) not in self.ndims or shape[1] != self.features:
            axes = " or ".join(map(str, self.ndims))
            raise ShapeError(f"{self!r} needs x of {axes} axes with {self.features} channels (its axis 1), and x has shape {shape}")
        x = x if self.weight is None else as_input(self, x, self.weight)
        if self.running_mean is not None and not self.training:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
        count = prod(shape) // self.features
        if self.training and count < 2:
            raise ShapeError(f"{self!r} in training needs more than one entry a channel, and x has shape {shape}; net.eval() ends training")
        axes, weight, bias = functional.along_channels(x, self.weight, self.bias)
        out, mean, variance = functional.standardized(x, axes, self.eps)
        if self.running_mean is not None:
            with no_grad():
                self._track(self.running_mean, mean)
                self._track(self.running_var, variance * (count / (count - 1)))
        return functional.scaled(out, weight, bias)

    def _track(self, running: Tensor, found: Any) -> None:
        """Move a running statistic towards that of a batch."""
        running[...] = (1 - self.momentum) * running + self.momentum * np.reshape(found, self.features)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.features}, eps={self.eps}, momentum={self.momentum})"


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features, x of shape (N, C), or of signals, (N, C, L).

    In training each channel is normalised over the batch and its space, out of training by running statistics.

    Parameters
    ----------
    num_features : int
        C, the number of channels.
    eps : float
        ε, added to the variance.
    momentum : float
        μ, how much of a batch's statistics goes into the running ones.
    affine : bool
        Whether there are a weight and a bias.
    track_running_stats : bool
        Whether there are running statistics; without, a batch is always normalised by its own.
    dtype : dtype of parameters and statistics

    Attributes
    ----------
    weight, bias : (C,) Tensor; 1 and 0 at first; or None
    running_mean, running_var : (C,) Tensor, buffers; 0 and 1 at first; or None

    Raises
    ------
    ShapeError
        If x has another number of channels or axes, or in training only one entry a channel.

    Notes
    -----
    ::

        y = (x - m) / √(v + ε) weight + bias,     m, v the batch's mean and variance (divisor n)
        running_mean ← (1 - μ) running_mean + μ m
        running_var  ← (1 - μ) running_var  + μ v n / (n - 1)

    Out of training m and v are the running ones. Ioffe & Szegedy (2015), "Batch normalization"; as PyTorch's layers of that name.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> layer = nn.BatchNorm1d(2)
    >>> layer([[1.0, 5.0], [3.0, 9.0]]).numpy().round(3), layer.running_mean.numpy()
    (array([[-1., -1.],
           [ 1.,  1.]]), array([0.2, 0.7]))
    """

    ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images, x of shape (N, C, H, W); attributes and formulas as ``BatchNorm1d`` has them.

    Parameters
    ----------
    num_features, eps, momentum, affine, track_running_stats, dtype : see ``BatchNorm1d``.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.BatchNorm2d(1)([[[[1.0]]], [[[3.0]]]]).numpy().round(3).ravel()
    array([-1.,  1.])
    """

    ndims = (4,)


class _FeatureNorm(Module):
    weight: Any
    eps: Any

    def _ones(self, shape: int | Sequence[int], dtype: Any) -> Tensor:
        sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        require_positive(type(self).__name__, *sizes)
        return Tensor(np.ones(sizes), requires_grad=True, dtype=dtype)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape}, eps={self.eps})"


class LayerNorm(_FeatureNorm):
    """Each sample with its mean taken away and divided by its standard deviation, then scaled and shifted: ``functional.layer_norm``.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last axes of x, over which mean and variance are taken.
    eps : float
        ε, added to the variance.
    dtype : dtype of the parameters
    bias : bool

    Attributes
    ----------
    weight, bias : Tensor of the shape; 1 and 0 at first; the bias may be None

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.LayerNorm(3)([1.0, 2.0, 3.0]).numpy().round(3)
    array([-1.225,  0.   ,  1.225])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, dtype: Any = float, bias: bool = True) -> None:
        self.eps = float(eps)
        self.weight = self._ones(normalized_shape, dtype)
        self.bias = Tensor(np.zeros(self.weight.shape), requires_grad=True, dtype=dtype) if bias else None

    def forward(self, x: Any) -> Tensor:
        return functional.layer_norm(as_input(self, x, self.weight), self.weight.shape, self.weight, self.bias, self.eps)


class RMSNorm(_FeatureNorm):
    """Each sample divided by its root mean square, then scaled: ``functional.rms_norm``.

    Parameters
    ----------
    normalized_shape : int or tuple of int
        The last axes of x, over which the mean is taken.
    eps : float, optional
        ε; the spacing of the dtype's numbers at 1 if not given.
    dtype : dtype of the weight

    Attributes
    ----------
    weight : Tensor of the shape; 1 at first

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.RMSNorm(2)([3.0, 4.0]).numpy().round(3)
    array([0.849, 1.131])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None, dtype: Any = float) -> None:
        self.eps = eps
        self.weight = self._ones(normalized_shape, dtype)

    def forward(self, x: Any) -> Tensor:
        return functional.rms_norm(as_input(self, x, self.weight), self.weight.shape, self.weight, self.eps)
