"""Layers and losses as functions, for those who hold the parameters themselves: ``nn.functional``.

Activations, convolution, pooling, normalisation and losses; arrays in, arrays out, and Tensors where a Tensor came in.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..rules.convolution import avg_pool, conv1d, conv2d, max_pool
from ..rules.neural import gelu, leaky_relu, log_sigmoid, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .losses import binary_cross_entropy_with_logits, cross_entropy, half_mse_loss, mse_loss

__all__ = [
    "avg_pool",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "cross_entropy",
    "gelu",
    "half_mse_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max_pool",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
]


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Return x weight + bias; x of shape (..., m), weight (m, n), bias (n,)."""
    return x @ weight if bias is None else x @ weight + bias


def layer_norm(x: Any, weight: Any = None, bias: Any = None, axis: int | tuple[int, ...] = -1, eps: float = 1e-5) -> Any:
    """Return x normalised over the axis: (x - mean) / √(var + ε) ⊙ weight + bias.

    Parameters
    ----------
    x : array or Tensor
    weight, bias : array or Tensor, optional
        Of the shape of the normalised axes, or any that broadcasts.
    axis : int or tuple of int
    eps : float
        ε, which keeps a constant x from a division by 0.

    Returns
    -------
    array or Tensor of x's shape

    Notes
    -----
    The variance has the divisor n (Ba, Kiros & Hinton 2016, "Layer normalization").
    """
    return _normalised(x, np.mean(x, axis=axis, keepdims=True), np.var(x, axis=axis, keepdims=True), weight, bias, eps)


def batch_norm(x: Any, weight: Any = None, bias: Any = None, mean: Any = None, var: Any = None, eps: float = 1e-5) -> Any:
    """Return each channel of x normalised over the samples and its space: (x - mean) / √(var + ε) weight + bias.

    Parameters
    ----------
    x : (N, C, *space) array or Tensor
    weight, bias : (C,) array or Tensor, optional
    mean, var : (C,) array or Tensor, optional
        The statistics to normalise with (for prediction); those of x itself if not given (for training).
    eps : float
        ε, which keeps a constant channel from a division by 0.

    Returns
    -------
    array or Tensor of x's shape

    Raises
    ------
    ValueError
        If only one of mean and var is given.

    Notes
    -----
    The variance has the divisor n (Ioffe & Szegedy 2015, "Batch normalization").
    """
    if (mean is None) != (var is None):
        raise ValueError("batch_norm: give both mean and var, or neither to take those of x")
    others = (0, *range(2, np.ndim(x)))
    along = (-1, *(1,) * (np.ndim(x) - 2))
    weight, bias, mean, var = (None if a is None else np.reshape(a, along) for a in (weight, bias, mean, var))
    if mean is None:
        mean, var = np.mean(x, axis=others, keepdims=True), np.var(x, axis=others, keepdims=True)
    return _normalised(x, mean, var, weight, bias, eps)


def _normalised(x: Any, mean: Any, var: Any, weight: Any, bias: Any, eps: float) -> Any:
    """Return (x - mean) / √(var + ε), scaled and shifted."""
    out = (x - mean) / np.sqrt(var + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias
