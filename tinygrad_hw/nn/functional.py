"""Layers and losses as functions, for those who hold the parameters themselves: ``nn.functional``.

Activations, convolution, pooling, normalisation, attention and losses; arrays in, arrays out, and Tensors where a Tensor came in.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backward import values
from ..errors import ShapeError, no_attribute
from ..rules import neural
from ..rules.convolution import avg_pool, conv1d, conv2d, max_pool
from ..rules.neural import leaky_relu, log_sigmoid, logsumexp, relu, sigmoid, softplus
from ..rules.shaping import array
from ..rules.table import like_first
from .checks import Random, as_floats, generator, indices_below, one_of, probability, require_positive
from .losses import (
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

__all__ = [
    "adaptive_avg_pool2d", "avg_pool", "avg_pool1d", "avg_pool2d", "batch_norm", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "conv1d", "conv2d", "cross_entropy", "dropout", "elu", "embedding", "gelu", "half_mse_loss", "huber_loss", "l1_loss", "layer_norm",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "logsumexp", "max_pool", "max_pool1d", "max_pool2d", "mse_loss", "nll_loss",
    "one_hot", "relu", "rms_norm", "scaled_dot_product_attention", "sigmoid", "silu", "smooth_l1_loss", "softmax", "softplus",
]  # fmt: skip

max_pool1d = max_pool2d = max_pool  # (under PyTorch's names: these take any number of axes of space)
avg_pool1d = avg_pool2d = avg_pool


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Return x weight + bias.

    Parameters
    ----------
    x : (..., m) array_like or Tensor
    weight : (m, n) array or Tensor
    bias : (n,) array or Tensor, optional

    Returns
    -------
    (..., n) array or Tensor

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.functional.linear([1.0, 1.0], Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), [0.0, 0.0, 1.0])
    Tensor([ 5.,  7., 10.])
    """
    return x @ weight if bias is None else x @ weight + bias


# Activations
@like_first
def softmax(x: Any, axis: int = -1, dim: int | None = None) -> Any:
    """Return eˣ / Σ eˣ over the axis.

    Parameters
    ----------
    x : array_like or Tensor, of any shape
    axis, dim : int
        The axis; dim is PyTorch's name for it.

    Returns
    -------
    array or Tensor of x's shape

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.softmax([[0.0, 0.0], [0.0, 1000.0]], dim=0)
    array([[0.5, 0. ],
           [0.5, 1. ]])
    """
    return neural.softmax(x, axis if dim is None else dim)


@like_first
def log_softmax(x: Any, axis: int = -1, dim: int | None = None) -> Any:
    """Return x - log Σ eˣ over the axis.

    Parameters
    ----------
    x, axis, dim : see ``softmax``.

    Returns
    -------
    array or Tensor of x's shape

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.log_softmax([0.0, 1000.0], dim=0)
    array([-1000.,     0.])
    """
    return neural.log_softmax(x, axis if dim is None else dim)


@like_first
def silu(x: Any) -> Any:
    """Return x σ(x), entry by entry (Hendrycks & Gimpel 2016; "swish": Ramachandran, Zoph & Le 2017).

    Parameters
    ----------
    x : array_like or Tensor, of any shape

    Returns
    -------
    array or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.silu([-1.0, 0.0, 1.0])
    array([-0.26894142,  0.        ,  0.73105858])
    """
    x = as_floats(x)
    return x * sigmoid(x)


@like_first
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where x > 0, else α (eˣ - 1) (Clevert, Unterthiner & Hochreiter 2016).

    Parameters
    ----------
    x : array_like or Tensor, of any shape
    alpha : float

    Returns
    -------
    array or Tensor of x's shape and dtype (float64 for integers)

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.elu([-1000.0, 0.0, 2.0])
    array([-1.,  0.,  2.])
    """
    x = as_floats(x)
    return np.maximum(x, 0) + alpha * np.expm1(np.where(x > 0, 0, x))


@like_first
def gelu(x: Any, approximate: str = "none") -> Any:
    """Return x Φ(x), entry by entry, Φ the normal distribution function (Hendrycks & Gimpel 2016).

    Parameters
    ----------
    x : array_like or Tensor, of any shape
    approximate : "none" or "tanh"
        With "tanh", x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2, as in GPT-2.

    Returns
    -------
    array or Tensor of x's shape and dtype

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.gelu([-1.0, 0.0, 1.0], approximate="tanh")
    array([-0.15880801,  0.        ,  0.84119199])
    """
    one_of("gelu: approximate", approximate, ("none", "tanh"))
    if approximate == "none":
        return neural.gelu(x)
    x = as_floats(x)  # (the formula in NumPy's functions, for which every backend has code)
    return 0.5 * x * (1 + np.tanh(sqrt(2 / pi) * x * (1 + 0.044715 * x * x)))


@like_first
def dropout(x: Any, p: float = 0.5, training: bool = True, rng: Random = None) -> Any:
    """Return x with 0 in place of each entry with probability p, and the others divided by 1 - p; x itself if not training.

    Parameters
    ----------
    x : array or Tensor
    p : float in [0, 1)
    training : bool
    rng : Generator, RandomState or int, optional

    Returns
    -------
    array or Tensor of x's shape and dtype, whose expectation is x (Srivastava et al. 2014, "Dropout")

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.dropout([1.0, 1.0, 1.0, 1.0], 0.5, rng=0)
    array([2., 0., 0., 0.])
    """
    if not training or not probability("dropout", p):
        return x
    kept = generator(rng).uniform(size=np.shape(x)) >= p
    return np.where(kept, x, 0) / (1 - p)


@like_first
def adaptive_avg_pool2d(x: Any, output_size: int | tuple[int, ...]) -> Any:
    """Return the means of windows that divide an image evenly: place i of n holds the entries from ⌊i H / n⌋ to ⌈(i + 1) H / n⌉.

    Parameters
    ----------
    x : (N, C, H, W) array or Tensor
    output_size : int or (int, int)
        The height and the width of the result; 1 for the mean of the whole image.

    Returns
    -------
    (N, C, height, width) array or Tensor

    Raises
    ------
    ShapeError
        If x has not four axes.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.functional.adaptive_avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), (2, 1))
    array([[[[ 3.5],
             [11.5]]]])
    """
    x = as_floats(x)
    if x.ndim != 4:
        raise ShapeError(f"adaptive_avg_pool2d needs x of shape (N, C, H, W), not {x.shape}")
    height, width = output_size if isinstance(output_size, tuple) else (output_size, output_size)
    require_positive("adaptive_avg_pool2d", height, width)
    return _averaging_matrix(x.shape[2], height, x.dtype) @ x @ _averaging_matrix(x.shape[3], width, x.dtype).T


def _averaging_matrix(n: int, places: int, dtype: Any) -> np.ndarray:
    """Return the matrix that takes n entries to means over windows that divide them evenly."""
    i, entry = np.arange(places)[:, None], np.arange(n)
    inside = (entry >= i * n // places) & (entry < -((i + 1) * -n // places))
    return (inside / inside.sum(1, keepdims=True)).astype(dtype)


# Tables
def embedding(indices: Any, weight: Any, padding_idx: int | None = None) -> Any:
    """Return the rows of a table at indices: of shape (..., size) for indices of shape (...).

    Parameters
    ----------
    indices : array_like of integers
    weight : (count, size) array or Tensor
    padding_idx : int, optional
        An index whose row gets no gradient.

    Returns
    -------
    array or Tensor

    Raises
    ------
    DTypeError, IndexError
        If the indices are no integers, or not from 0 to count - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.functional.embedding([2, 0], np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    array([[5., 6.],
           [1., 2.]])
    """
    places = indices_below("embedding", "indices", indices, weight.shape[0])
    rows = weight[places]
    if padding_idx is None or isinstance(rows, np.ndarray):
        return rows
    return np.where((places != padding_idx)[..., None], rows, rows.detach())


def one_hot(classes: Any, num_classes: int | None = None) -> np.ndarray:
    """Return a row of zeros for each class, with 1 in its place.

    Parameters
    ----------
    classes : (...) array_like of integers
    num_classes : int, optional
        The length of a row; one more than the largest class if not given.

    Returns
    -------
    (..., num_classes) ndarray of integers

    Raises
    ------
    DTypeError, IndexError
        If the classes are no integers, or not from 0 to num_classes - 1.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.one_hot([2, 0])
    array([[0, 0, 1],
           [1, 0, 0]])
    """
    classes = array(classes) if np.size(classes) else np.zeros(np.shape(classes), int)
    count = int(num_classes) if num_classes is not None else int(values(classes).max(initial=-1)) + 1
    return neural.one_hot(indices_below("one_hot", "classes", classes, count), count, int)


# Normalisation
@like_first
def layer_norm(
    x: Any, normalized_shape: int | tuple[int, ...] | None = None, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Any:
    """Return x normalised over its last axes: (x - mean) / √(var + ε) ⊙ weight + bias (Ba, Kiros & Hinton 2016).

    Parameters
    ----------
    x : array or Tensor
    normalized_shape : int or tuple of int, optional
        The shape of the last axes, over which mean and variance are taken; the last axis alone if not given.
    weight, bias : array or Tensor, optional
        Of that shape, or any that broadcasts.
    eps : float
        ε, which keeps a constant x from a division by 0.

    Returns
    -------
    array or Tensor of x's shape

    Raises
    ------
    ShapeError
        If the last axes of x are others.

    Notes
    -----
    The variance has the divisor n. Half precision is computed in single; so it is by ``rms_norm`` and ``batch_norm``.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.layer_norm([[1.0, 3.0], [2.0, 2.0]]).round(3)
    array([[-1.,  1.],
           [ 0.,  0.]])
    """
    return scaled(standardized(x, last_axes("layer_norm", x, normalized_shape), eps)[0], weight, bias)


def last_axes(function: str, x: Any, shape: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the axes to normalise over; raise if the last axes of x have another shape."""
    wanted = np.shape(x)[-1:] if shape is None else (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if not wanted or np.shape(x)[-len(wanted) :] != wanted:
        raise ShapeError(f"{function}: the last axes of x must be {wanted}, and x has shape {np.shape(x)}")
    return tuple(range(-len(wanted), 0))


@like_first
def rms_norm(x: Any, normalized_shape: int | tuple[int, ...] | None = None, weight: Any = None, eps: float | None = None) -> Any:
    """Return x divided by its root mean square over its last axes: x / √(mean x² + ε) ⊙ weight (Zhang & Sennrich 2019).

    Parameters
    ----------
    x : array or Tensor
    normalized_shape, weight : see ``layer_norm``.
    eps : float, optional
        ε; the spacing of the dtype's numbers at 1 if not given, as in PyTorch.

    Returns
    -------
    array or Tensor of x's shape

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.rms_norm([1.0, 7.0]).round(3)
    array([0.2, 1.4])
    """
    wide, narrow = _widened(x)
    eps = float(np.finfo(wide.dtype).eps) if eps is None else eps
    axes = last_axes("rms_norm", x, normalized_shape)
    return scaled(narrow(wide / np.sqrt(np.mean(np.square(wide), axis=axes, keepdims=True) + eps)), weight, None)


def batch_norm(x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    """Return each channel of x normalised over the samples and its space (Ioffe & Szegedy 2015): (x - mean) / √(var + ε) weight + bias.

    Parameters
    ----------
    x : (N, C, *space) array or Tensor
    running_mean, running_var : (C,) array or Tensor, optional
        The statistics to normalise with (for prediction); those of x itself if not given (for training).
    weight, bias : (C,) array or Tensor, optional
    eps : float
        ε, which keeps a constant channel from a division by 0.

    Returns
    -------
    array or Tensor of x's shape

    Raises
    ------
    ValueError
        If only one of running_mean and running_var is given.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.functional.batch_norm([[1.0, 5.0], [3.0, 5.0]]).round(3)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    if (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm: give both running_mean and running_var, or neither to take those of x")
    axes, weight, bias, mean, var = along_channels(x, weight, bias, running_mean, running_var)
    if mean is None:
        return scaled(standardized(x, axes, eps)[0], weight, bias)
    wide, narrow = _widened(x)
    return scaled(narrow((wide - mean) / np.sqrt(var + eps)), weight, bias)


def along_channels(x: Any, *vectors: Any) -> tuple[Any, ...]:
    """Return the axes of x other than the channels', and vectors with an entry a channel so that they broadcast with x."""
    shape = (-1, *(1,) * (np.ndim(x) - 2))
    return (0, *range(2, np.ndim(x))), *(None if vector is None else np.reshape(vector, shape) for vector in vectors)


def standardized(x: Any, axis: int | tuple[int, ...], eps: float) -> tuple[Any, Any, Any]:
    """Return (x - mean) / √(var + ε) over the axis, in x's precision, with the mean and the variance, of one entry along the axis."""
    wide, narrow = _widened(x)
    mean = np.mean(wide, axis=axis, keepdims=True)
    centred = wide - mean
    variance = np.mean(np.square(centred), axis=axis, keepdims=True)
    return narrow(centred / np.sqrt(variance + eps)), mean, variance


def _widened(x: Any) -> tuple[Any, Any]:
    """Return x as floats, half precision as single, and a function that converts a result back to x's precision."""
    x = as_floats(x)
    if x.dtype == np.float16:
        return x.astype(np.float32), lambda out: out.astype(np.float16)
    return x, lambda out: out


def scaled(out: Any, weight: Any, bias: Any) -> Any:
    """Return a result times a weight, plus a bias."""
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


# Attention
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    rng: Random = None,
) -> Any:
    """Return softmax(q kᵀ / √d + mask) v: for each query a mean of the values, weighted by how their keys fit it (Vaswani et al. 2017).

    Parameters
    ----------
    query : (..., L, d) array or Tensor
    key : (..., S, d) array or Tensor
    value : (..., S, e) array or Tensor
    attn_mask : array that broadcasts to (..., L, S), optional
        Of bools: whether a query may see a key. Of floats: what is added to the scores.
    dropout_p : float in [0, 1)
        The probability with which a weight is dropped.
    is_causal : bool
        Whether a query sees only keys at its own place and before.
    scale : float, optional
        In place of 1 / √d.
    rng : Generator, RandomState or int, optional

    Returns
    -------
    (..., L, e) array or Tensor

    Raises
    ------
    ShapeError, ValueError
        If the sizes do not fit; if there are both a mask and is_causal.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> x = np.eye(3)
    >>> nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)[0]  # the first sees itself alone
    array([1., 0., 0.])
    """
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return dropout(weights, dropout_p, rng=rng) @ value


def attention_weights(query: Any, key: Any, attn_mask: Any = None, is_causal: bool = False, scale: float | None = None) -> Any:
    """Return softmax(q kᵀ / √d + mask): how much each query takes of each key's value; arguments as for attention."""
    query, key = as_floats(query), as_floats(key)
    if query.ndim < 2 or key.ndim < 2 or query.shape[-1] != key.shape[-1]:
        raise ShapeError(f"attention needs queries (..., L, d) and keys (..., S, d), not {query.shape} and {key.shape}")
    scores = (query * (scale if scale is not None else 1 / sqrt(query.shape[-1]))) @ np.swapaxes(key, -1, -2)
    if is_causal:
        if attn_mask is not None:
            raise ValueError("attention: is_causal is a mask itself; give that or attn_mask")
        attn_mask = np.tri(query.shape[-2], key.shape[-2], dtype=bool)
    if attn_mask is not None:
        attn_mask = array(attn_mask)
        scores = scores + (np.where(attn_mask, 0, -np.inf).astype(scores.dtype) if attn_mask.dtype.kind == "b" else attn_mask)
    return softmax(scores)


ELSEWHERE = {
    "conv_transpose2d": "conv2d's gradient: tg.vjp(lambda x: conv2d(x, weight), x)[1](y)",
    "cosine_similarity": "np.vecdot of normalised vectors", "interpolate": "np.repeat(np.repeat(x, 2, 2), 2, 3) for twice the size",
    "kl_div": "(t * (np.log(t) - log_p)).sum()", "logsigmoid": "log_sigmoid(x)",
    "normalize": "x / np.linalg.norm(x, axis=-1, keepdims=True)",
}  # fmt: skip


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        raise no_attribute(f"module {__name__!r}", name, ELSEWHERE, "x")
