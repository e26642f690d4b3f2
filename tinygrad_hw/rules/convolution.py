"""Convolution and pooling over any number of axes: x has shape (N, C, *space), kernels (O, C, *size).

Convolution is linear in x, in the kernels and in the cotangent, so three functions are each other's rules. All three
go through columns: for a few samples at a time the entries under each window, laid out for one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from .table import dispatched, rule

__all__ = ["avg_pool", "conv1d", "conv2d", "max_pool"]

Shape = tuple[int, ...]
COLUMN_BYTES = 1 << 18  # columns at a time: what stays in the cache


def out_shape(space: Shape, size: Shape, stride: Shape, padding: Shape) -> Shape:
    """Return how many windows there are along each axis."""
    return tuple((n + 2 * p - k) // s + 1 for n, k, s, p in zip(space, size, stride, padding))


def _padded(x: Any, padding: Shape) -> Any:
    """Return x with zeros around its space."""
    if not any(padding):
        return x
    out = np.zeros(x.shape[:2] + tuple(n + 2 * p for n, p in zip(x.shape[2:], padding)), x.dtype)
    out[_inside(x.shape[2:], padding)] = x
    return out


def _inside(space: Shape, padding: Shape) -> Any:
    """Return the index of what the padding surrounds."""
    return (..., *(slice(p, p + n) for n, p in zip(space, padding)))


def _windows(size: Shape, count: Shape, stride: Shape) -> Iterator[tuple[Shape, Any]]:
    """Yield each place in a window, and the index of the entries that have it."""
    for place in np.ndindex(size):
        yield place, (..., *(slice(i, i + s * (n - 1) + 1, s) for i, n, s in zip(place, count, stride)))


def _batches(x: Any, places: int) -> Iterator[slice]:
    """Yield slices of samples whose columns are small enough to stay in the cache."""
    step = max(1, COLUMN_BYTES // max(1, x.dtype.itemsize * places))
    return (slice(i, min(i + step, len(x))) for i in range(0, len(x), step))


def _columns(x: Any, size: Shape, count: Shape, stride: Shape) -> Iterator[tuple[slice, Any]]:
    """Yield a few samples at a time, and their columns: (samples, size × channels, windows)."""
    channels = x.shape[1]
    for batch in _batches(x, prod(size) * channels * prod(count)):
        columns = np.empty((batch.stop - batch.start, *size, channels, *count), x.dtype)
        by_place = np.moveaxis(columns, 0, len(size))
        for place, index in _windows(size, count, stride):
            by_place[place] = x[batch][index]
        yield batch, columns.reshape(len(columns), prod(size) * channels, prod(count))


def _flat_kernels(w: Any) -> Any:
    """Return the kernels as rows, in the order of the columns."""
    return np.moveaxis(w, 1, -1).reshape(len(w), prod(w.shape[1:]))


@dispatched
def convolution(x: Any, w: Any, stride: Shape, padding: Shape) -> Any:
    """Return Σ x w over channels and window, for each sample, kernel and window."""
    count = out_shape(x.shape[2:], w.shape[2:], stride, padding)
    rows, out = _flat_kernels(w), np.empty((len(x), len(w), *count), np.result_type(x, w))
    flat = out.reshape(len(x), len(w), prod(count))
    for batch, columns in _columns(_padded(x, padding), w.shape[2:], count, stride):
        np.matmul(rows, columns, out=flat[batch])
    return out


@dispatched
def convolution_x(g: Any, w: Any, space: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the cotangent of x: each window's g times the kernels, added up where windows overlap."""
    size, count, channels = w.shape[2:], g.shape[2:], w.shape[1]
    rows, flat = _flat_kernels(w).T, g.reshape(len(g), len(w), prod(count))
    out = np.zeros((len(g), channels, *(n + 2 * p for n, p in zip(space, padding))), np.result_type(g, w))
    for batch in _batches(g, len(rows) * prod(count)):
        columns = np.matmul(rows, flat[batch]).reshape(-1, *size, channels, *count)
        by_place = np.moveaxis(columns, 0, len(size))
        for place, index in _windows(size, count, stride):
            out[batch][index] += by_place[place]
    return out[_inside(space, padding)]


@dispatched
def convolution_w(x: Any, g: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the cotangent of the kernels: Σ g x over samples and windows."""
    kernels, channels, count = g.shape[1], x.shape[1], g.shape[2:]
    flat, out = g.reshape(len(g), kernels, prod(count)), np.zeros((prod(size) * channels, kernels), np.result_type(x, g))
    for batch, columns in _columns(_padded(x, padding), size, count, stride):
        out += np.add.reduce(columns @ flat[batch].mT, 0)
    return np.moveaxis(out.reshape(*size, channels, kernels), (-1, -2), (0, 1))


rule(convolution,   lambda g, out, x, w, stride, padding: convolution_x(g, w, x.shape[2:], stride, padding),
                    lambda g, out, x, w, stride, padding: convolution_w(x, g, w.shape[2:], stride, padding), call=convolution)
rule(convolution_x, lambda h, out, g, w, space, stride, padding: convolution(h, w, stride, padding),
                    lambda h, out, g, w, space, stride, padding: convolution_w(h, g, w.shape[2:], stride, padding), call=convolution_x)
rule(convolution_w, lambda h, out, x, g, size, stride, padding: convolution_x(g, h, x.shape[2:], stride, padding),
                    lambda h, out, x, g, size, stride, padding: convolution(x, h, stride, padding), call=convolution_w)


# Pooling
@dispatched
def windows(x: Any, size: Shape, stride: Shape) -> Any:
    """Return the windows of x: axes of the window's size, then x's own with one entry for each window."""
    axes = tuple(range(2, x.ndim))
    steps = (..., *(slice(None, None, s) for s in stride), *(slice(None),) * len(size))
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axes)[steps]
    return np.moveaxis(seen, range(x.ndim, seen.ndim), range(len(size)))


@dispatched
def overlaid(g: Any, space: Shape, stride: Shape) -> Any:
    """Return windows put back in their places, added up where they overlap."""
    d = len(space)
    out = np.zeros((*g.shape[d : d + 2], *space), g.dtype)
    for place, index in _windows(g.shape[:d], g.shape[d + 2 :], stride):
        out[index] += g[place]
    return out


rule(windows,  lambda g, out, x, size, stride: overlaid(g, x.shape[2:], stride), kind="choice")
rule(overlaid, lambda h, out, g, space, stride: windows(h, g.shape[: len(space)], stride), call=overlaid, kind="movement")


def _each(value: Any, n: int, what: str) -> Shape:
    """Return one number for each of n axes of space."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(numbers) != n or not all(isinstance(i, (int, np.integer)) and i >= 0 for i in numbers):
        raise ValueError(f"{what} must be one whole number, or one for each of the {n} axes of space; it is {value!r}")
    return numbers


def _convolved(name: str, ndim: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any) -> Any:
    """Return the convolution, its arguments checked."""
    if x.ndim != ndim + 2 or weight.ndim != ndim + 2:
        raise ValueError(
            f"{name}: x and weight need {ndim + 2} axes (samples or kernels, channels, space), not shapes {x.shape} and {weight.shape}"
        )
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"{name}: x has {x.shape[1]} channels (its axis 1), the kernels take {weight.shape[1]} (their axis 1)")
    stride, padding = _each(stride, ndim, f"{name}: stride"), _each(padding, ndim, f"{name}: padding")
    _check_fit(name, x.shape[2:], weight.shape[2:], stride, padding)
    out = convolution(x, weight, stride, padding)
    return out if bias is None else out + np.reshape(bias, (-1, *(1,) * ndim))


def _check_fit(name: str, space: Shape, size: Shape, stride: Shape, padding: Shape) -> None:
    """Raise where a window has no place, or no step."""
    if min(stride) < 1 or min(size) < 1:
        raise ValueError(f"{name}: windows of {size} entries in steps of {stride}: sizes and strides start at 1")
    if any(n + 2 * p < k for n, k, p in zip(space, size, padding)):
        raise ValueError(f"{name}: windows of {size} entries do not fit into {space} with padding {padding}")


def conv1d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Any:
    """Return the cross-correlation of signals with kernels; see ``conv2d``.

    Parameters
    ----------
    x : (N, C, L) array or Tensor
    weight : (O, C, k) array or Tensor
    bias : (O,) array or Tensor, optional
    stride, padding : int

    Returns
    -------
    (N, O, (L + 2 padding - k) // stride + 1) array or Tensor
    """
    return _convolved("conv1d", 1, x, weight, bias, stride, padding)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Any:
    """Return the cross-correlation of images with kernels, which networks call convolution.

    Parameters
    ----------
    x : (N, C, H, W) array or Tensor
    weight : (O, C, h, w) array or Tensor
    bias : (O,) array or Tensor, optional
    stride, padding : int or (int, int)
        Steps between windows; zeros put around each image.

    Returns
    -------
    (N, O, H', W') array or Tensor
        H' = (H + 2 padding - h) // stride + 1.

    Raises
    ------
    ValueError
        If the numbers of axes or channels differ, or no window fits.

    Notes
    -----
    out[n, o, i, j] = bias[o] + Σ_{c,k,l} x[n, c, s i + k - p, s j + l - p] weight[o, c, k, l]
    (Goodfellow, Bengio & Courville 2016, "Deep Learning", chapter 9).
    """
    return _convolved("conv2d", 2, x, weight, bias, stride, padding)


def _pooled(name: str, x: Any, size: Any, stride: Any, padding: Any, around: float) -> Any:
    """Return the windows to pool, and the axes that they are."""
    n = x.ndim - 2
    if n < 1:
        raise ValueError(f"{name}: x needs samples, channels and space, not shape {x.shape}")
    sizes, paddings = _each(size, n, f"{name}: size"), _each(padding, n, f"{name}: padding")
    strides = sizes if stride is None else _each(stride, n, f"{name}: stride")
    _check_fit(name, x.shape[2:], sizes, strides, paddings)
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in paddings)], constant_values=around) if any(paddings) else x
    return windows(x, sizes, strides), tuple(range(n))


def max_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Return the largest entry of each window; entries that tie share its gradient equally.

    Parameters
    ----------
    x : (N, C, *space) array or Tensor
    size : int or tuple of int
        Entries in a window along each axis of space.
    stride : int or tuple of int, optional
        Steps between windows; the size if not given.
    padding : int or tuple of int
        How far windows may reach out of x; there is nothing there to be the largest.

    Returns
    -------
    (N, C, *space') array or Tensor
    """
    seen, axes = _pooled("max_pool", x, size, stride, padding, -np.inf)
    return np.max(seen, axis=axes)


def avg_pool(x: Any, size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Return the mean of each window; the zeros of the padding count. Arguments as ``max_pool`` has them."""
    seen, axes = _pooled("avg_pool", x, size, stride, padding, 0)
    return np.mean(seen, axis=axes)
