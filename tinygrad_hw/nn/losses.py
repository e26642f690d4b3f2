"""Losses: how far predictions are from their targets, as one number, or one for each entry.

Each takes ``reduction``: "mean" (the default), "sum", or "none" for the values themselves. As in PyTorch, a loss is a function
(``nn.mse_loss``) and a module with its settings (``nn.MSELoss(reduction="sum")``).
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np

from ..backward import values
from ..batching import Batched
from ..errors import ShapeError
from ..rules import neural
from ..rules.shaping import getitem
from ..rules.table import like_first
from ..tensor import Tensor
from .checks import as_floats, indices_below, one_of, same_shape
from .module import FunctionModule

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "L1Loss", "MSELoss", "NLLLoss", "SmoothL1Loss",
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "half_mse_loss", "huber_loss", "l1_loss", "mse_loss",
    "nll_loss", "smooth_l1_loss",
]  # fmt: skip

SMALLEST = float(np.exp(-100))  # added to probabilities, so that their logarithms are at least -100, as in PyTorch


def reduced(loss: str, costs: Any, reduction: str, count: Any = None) -> Any:
    """Return the mean of costs, their sum, or the costs; the mean as the sum over a count if that is given."""
    one_of(f"{loss}: reduction", reduction, ("mean", "sum", "none"))
    if reduction == "none":
        return costs
    if reduction == "sum":
        return costs.sum()
    return costs.mean() if count is None else costs.sum() / count


# Differences
@like_first
def mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean squared error, mean((y - t)²).

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape
    reduction : "mean", "sum" or "none"

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Raises
    ------
    ShapeError
        If the shapes differ: no loss of this kind broadcasts them.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.mse_loss([1.0, 2.0], [1.0, 4.0]))
    2.0
    """
    prediction, target = same_shape("mse_loss", prediction, target)
    return reduced("mse_loss", (prediction - target) ** 2, reduction)


@like_first
def half_mse_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Return half the mean squared error, mean((y - t)²) / 2, whose derivative is (y - t) / n.

    Parameters
    ----------
    prediction, target, reduction : see ``mse_loss``.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.half_mse_loss([1.0, 2.0], [1.0, 4.0]))
    1.0
    """
    prediction, target = same_shape("half_mse_loss", prediction, target)
    return reduced("half_mse_loss", (prediction - target) ** 2, reduction) / 2


@like_first
def l1_loss(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean absolute error, mean |y - t|, whose derivative at y = t is 0.

    Parameters
    ----------
    prediction, target, reduction : see ``mse_loss``.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.l1_loss([1.0, 2.0], [1.0, 5.0]))
    1.5
    """
    prediction, target = same_shape("l1_loss", prediction, target)
    return reduced("l1_loss", abs(prediction - target), reduction)


@like_first
def huber_loss(prediction: Any, target: Any, reduction: str = "mean", delta: float = 1.0) -> Any:
    """Return the mean of (y - t)² / 2 where |y - t| < δ, and of δ (|y - t| - δ/2) elsewhere (Huber 1964).

    Parameters
    ----------
    prediction, target, reduction : see ``mse_loss``.
    delta : float above 0
        δ, where the square ends.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Raises
    ------
    ValueError
        If δ is not above 0.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.huber_loss([0.5, 3.0], [0.0, 0.0]))
    1.3125
    """
    prediction, target = same_shape("huber_loss", prediction, target)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta must be above 0, not {delta!r}")
    size = abs(prediction - target)
    near = np.minimum(size, delta)
    return reduced("huber_loss", near * (size - near / 2), reduction)


@like_first
def smooth_l1_loss(prediction: Any, target: Any, reduction: str = "mean", beta: float = 1.0) -> Any:
    """Return ``huber_loss`` with δ = β, divided by β: |y - t| far out, whatever β (Girshick 2015, "Fast R-CNN").

    Parameters
    ----------
    prediction, target, reduction : see ``mse_loss``.
    beta : float above 0

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.smooth_l1_loss([0.5, 3.0], [0.0, 0.0]))
    1.3125
    """
    prediction, target = same_shape("smooth_l1_loss", prediction, target)
    return huber_loss(prediction, target, reduction, beta) / beta


# Two classes
@like_first
def binary_cross_entropy(prediction: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of -t log p - (1 - t) log(1 - p), with p the predicted probabilities and t the targets, between 0 and 1.

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape
        Probabilities. Of logits, take ``binary_cross_entropy_with_logits``, which is exact where p is next to 0 or 1.
    reduction : "mean", "sum" or "none"

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Raises
    ------
    ValueError
        If a prediction is no probability.

    Notes
    -----
    e⁻¹⁰⁰ is added to the probabilities, so that no logarithm is below -100, the least that PyTorch's ``binary_cross_entropy`` takes.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> float(nn.binary_cross_entropy([0.5, 0.5], [0.0, 1.0]))
    0.6931471805599453
    """
    p, t = same_shape("binary_cross_entropy", prediction, target)
    raw = values(p)
    if not ((raw >= 0) & (raw <= 1)).all():
        raise ValueError(
            "binary_cross_entropy: the predictions must be probabilities, from 0 to 1; of logits, take binary_cross_entropy_with_logits"
        )
    return reduced("binary_cross_entropy", -(t * np.log(p + SMALLEST) + (1 - t) * np.log((1 - p) + SMALLEST)), reduction)


@like_first
def binary_cross_entropy_with_logits(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """Return the mean of -t log σ(z) - (1 - t) log σ(-z), with z the logits and t the target, between 0 and 1.

    Parameters
    ----------
    logits, target, reduction : see ``mse_loss``.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor; of the arguments' shape without a reduction

    Notes
    -----
    Computed as log1p(e^-|z|) + |z| (1 - t where z is positive, else t), which neither overflows nor cancels and is right at
    infinite logits. Its derivative is (σ(z) - t) / n.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> round(float(nn.binary_cross_entropy_with_logits([0.0, 2.0], [1.0, 1.0])), 4)
    0.41
    """
    z, t = same_shape("binary_cross_entropy_with_logits", logits, target)
    _warn_of_probabilities("binary_cross_entropy_with_logits", z, "sigmoid")
    return reduced("binary_cross_entropy_with_logits", neural.sigmoid_cross_entropy(z, t), reduction)


# Many classes
@like_first
def cross_entropy(
    logits: Any, target: Any, weight: Any = None, ignore_index: int = -100, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Any:
    """Return the mean of -log softmax(z)[c] over the samples, with z a sample's logits and c its class.

    Parameters
    ----------
    logits : (C,), (N, C) or (N, C, *d) Tensor or array_like
    target : (), (N,) or (N, *d) array_like of integers; or of the logits' shape
        Each sample's class, from 0 to C - 1; or the probability of each class.
    weight : (C,) array_like, optional
        What each class counts. The mean is then the weighted one.
    ignore_index : int
        A sample of this class is left out.
    label_smoothing : float
        ε in [0, 1]: the target is taken as (1 - ε) t + ε / C.
    reduction : "mean", "sum" or "none"

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if the logits are no Tensor; of the shape of the classes without a reduction

    Raises
    ------
    ShapeError, DTypeError, IndexError, ValueError
        If the shapes do not fit, the classes are no integers from 0 to C - 1, or ε is not in [0, 1].

    Notes
    -----
    Its derivative is (softmax(z) - onehot(c)) / N. Names and meanings are those of PyTorch's ``cross_entropy``.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> round(float(nn.cross_entropy([[0.0, 0.0], [5.0, 0.0]], [0, 0])), 4)
    0.3499
    """
    z, t, smoothing = _logits_last("cross_entropy", logits), as_floats(target, integers=True), float(label_smoothing)
    _warn_of_probabilities("cross_entropy", z, "softmax")
    count = z.shape[-1]
    weights = None if weight is None else _class_weights("cross_entropy", weight, z)
    if not 0 <= smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be from 0 to 1, not {label_smoothing!r}")
    if t.dtype.kind == "f" and np.shape(logits) == t.shape:
        shares = np.moveaxis(t, 1, -1) if t.ndim > 2 else t
        kept = total = None
    else:
        places, kept = _classes("cross_entropy", np.shape(logits), z.shape, t, ignore_index)
        if weights is None and not smoothing:
            return _mean_of_kept("cross_entropy", neural.softmax_cross_entropy(z, places), kept, None, reduction)
        shares = neural.one_hot(places, count, z.dtype)
        total = None if weights is None else getitem(weights, places)
    shares = shares if not smoothing else (1 - smoothing) * shares + smoothing / count
    shares = shares if weights is None else shares * weights
    return _mean_of_kept("cross_entropy", neural.softmax_cross_entropy(z, shares), kept, total, reduction)


@like_first
def nll_loss(log_probabilities: Any, target: Any, weight: Any = None, ignore_index: int = -100, reduction: str = "mean") -> Any:
    """Return the mean of -l[c] over the samples, with l a sample's logarithms of probabilities and c its class.

    Parameters
    ----------
    log_probabilities : (C,), (N, C) or (N, C, *d) Tensor or array_like
        As ``log_softmax`` gives them.
    target, weight, ignore_index, reduction : see ``cross_entropy``; classes, no probabilities.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if no Tensor is given; of the shape of the classes without a reduction

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> round(float(nn.nll_loss(np.log([[0.25, 0.75]]), [1])), 4)
    0.2877
    """
    z, t = _logits_last("nll_loss", log_probabilities), as_floats(target, integers=True)
    places, kept = _classes("nll_loss", np.shape(log_probabilities), z.shape, t, ignore_index)
    costs = -np.take_along_axis(z, places[..., None], -1)[..., 0]
    weights = None if weight is None else getitem(_class_weights("nll_loss", weight, z), places)
    return _mean_of_kept("nll_loss", costs if weights is None else costs * weights, kept, weights, reduction)


def _logits_last(loss: str, logits: Any) -> Any:
    """Return logits with their classes along the last axis."""
    z = as_floats(logits)
    if z.ndim < 1:
        raise ShapeError(f"{loss}: logits need an axis of classes: shape (C,), (N, C) or (N, C, *d), not ()")
    return np.moveaxis(z, 1, -1) if z.ndim > 2 else z


def _classes(loss: str, given: tuple[int, ...], shape: tuple[int, ...], target: Any, ignore_index: int) -> tuple[Any, Any]:
    """Return the classes, with 0 for those to ignore, and a mask of those to keep (None if all are kept)."""
    if target.shape != shape[:-1]:
        fix = ""
        if len(given) == 2 and target.shape == (given[0], 1):
            fix = "; target[:, 0] would fit"
        elif target.shape == given:
            fix = "; if it is one-hot, target.argmax(axis=1) would fit, or target.astype(float), as probabilities"
        elif target.shape == given[:-1]:
            fix = f"; if the last axis is that of the classes, logits.reshape(-1, {given[-1]}) and target.reshape(-1) would fit"
        raise ShapeError(f"{loss}: logits of shape (N, C) need a target of shape (N,), and they have {given} and {target.shape}{fix}")
    places = target if isinstance(target, Batched) else values(target)
    ignored = places == ignore_index
    if not values(ignored).any():
        return indices_below(loss, "classes", places, shape[-1]), None
    return indices_below(loss, "classes", np.where(ignored, 0, places), shape[-1]), ~ignored


def _class_weights(loss: str, weight: Any, z: Any) -> np.ndarray:
    """Return the weight of each class, as an array of the logits' dtype."""
    weights = np.asarray(weight, z.dtype)
    if weights.shape != z.shape[-1:]:
        raise ShapeError(f"{loss}: there are {z.shape[-1]} classes, and weight has shape {weights.shape}, not {z.shape[-1:]}")
    return weights


def _mean_of_kept(loss: str, costs: Any, kept: Any, weights: Any, reduction: str) -> Any:
    """Reduce costs without those to ignore; the mean is weighted by the classes' weights."""
    if kept is not None:
        costs, weights = np.where(kept, costs, 0), kept if weights is None else weights * kept
    return reduced(loss, costs, reduction, None if weights is None else np.sum(weights, dtype=costs.dtype))


def _warn_of_probabilities(loss: str, z: Any, function: str) -> None:
    """Warn where the logits are the result of the function that the loss applies itself."""
    if isinstance(z, Tensor) and z._node.rule is not None and z._node.rule.name == function:
        warnings.warn(
            f"{loss} takes logits, and applies {function} itself: its argument is the result of {function}. Leave that out", stacklevel=3
        )


# Losses as modules
class Loss(FunctionModule):
    """A loss with its settings, as a module; the arguments of its function other than the prediction and the target."""

    sections = """
Parameters
----------
**settings
    The arguments of ``{name}`` but the first two.

Raises
------
TypeError
    If there is no such setting.
"""

    def __init__(self, **settings: Any) -> None:
        allowed = list(inspect.signature(self.function).parameters)[2:]
        if unknown := [name for name in settings if name not in allowed]:
            raise TypeError(f"{type(self).__name__} has no setting {unknown[0]!r}; it has {', '.join(allowed)}")
        self.settings = settings

    def forward(self, prediction: Any, target: Any) -> Tensor:  # type: ignore[override]
        return self.function(prediction, target, **self.settings)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.settings.items())})"


class MSELoss(Loss):
    function = staticmethod(mse_loss)


class L1Loss(Loss):
    function = staticmethod(l1_loss)


class HuberLoss(Loss):
    function = staticmethod(huber_loss)


class SmoothL1Loss(Loss):
    function = staticmethod(smooth_l1_loss)


class BCELoss(Loss):
    function = staticmethod(binary_cross_entropy)


class BCEWithLogitsLoss(Loss):
    function = staticmethod(binary_cross_entropy_with_logits)


class CrossEntropyLoss(Loss):
    function = staticmethod(cross_entropy)


class NLLLoss(Loss):
    function = staticmethod(nll_loss)
