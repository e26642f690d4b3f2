"""Losses: how far predictions are from their targets, as one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ShapeError
from ..rules import neural
from ..rules.shaping import array
from .checks import places_below, same_shape

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "half_mse_loss", "mse_loss"]


def mse_loss(prediction: Any, target: Any) -> Any:
    """Return the mean squared error, mean((y - t)²).

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.
    """
    prediction, target = same_shape("mse_loss", prediction, target)
    return ((prediction - target) ** 2).mean()


def half_mse_loss(prediction: Any, target: Any) -> Any:
    """Return half the mean squared error, mean((y - t)²) / 2, whose derivative is (y - t) / n.

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.
    """
    prediction, target = same_shape("half_mse_loss", prediction, target)
    return ((prediction - target) ** 2).mean() / 2


def binary_cross_entropy_with_logits(logits: Any, target: Any) -> Any:
    """Return the mean of -t log σ(z) - (1 - t) log σ(-z), with z the logits and t the target, between 0 and 1.

    Parameters
    ----------
    logits, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.

    Notes
    -----
    Computed as log1p(e^-|z|) + |z| (1 - t where z is positive, else t), which neither overflows nor cancels and is right at
    infinite logits. Its derivative is (σ(z) - t) / n.
    """
    z, t = same_shape("binary_cross_entropy_with_logits", logits, target)
    return neural.sigmoid_cross_entropy(z, t).mean()


def cross_entropy(logits: Any, target: Any) -> Any:
    """Return the mean of -log softmax(z)[c] over the samples, with z a sample's logits and c its class.

    Parameters
    ----------
    logits : (N, C) Tensor or array_like
    target : (N,) array_like of integers
        Each sample's class, from 0 to C - 1.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if the logits are no Tensor

    Raises
    ------
    ShapeError
        If the shapes are others.
    DTypeError
        If the classes are no integers.
    IndexError
        If a class is negative or not less than C.

    Notes
    -----
    Its derivative is (softmax(z) - onehot(c)) / N.
    """
    logits = array(logits)
    shape, classes = logits.shape, np.shape(target)
    if len(shape) != 2 or classes != shape[:1]:
        fix = ""
        if len(shape) == 2 and classes == (shape[0], 1):
            fix = "; target[:, 0] would fit"
        elif len(shape) == 2 and classes == shape:
            fix = "; if it is one-hot, target.argmax(axis=1) would fit"
        raise ShapeError(f"cross_entropy: logits of shape (N, C) need a target of shape (N,), and they have {shape} and {classes}{fix}")
    places = places_below("cross_entropy", "classes", target, shape[1])
    return neural.softmax_cross_entropy(logits, places).mean()
