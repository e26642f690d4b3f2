"""Convolution and pooling over any number of axes: x has shape (N, C, *space), kernels (O, C / groups, *size).

Convolution is linear in x, in the kernels and in the cotangent, so three functions are each other's rules. All three
go through columns: for a few samples at a time the entries under each window, laid out for one matrix product, so that they stay
in the cache. Pooling goes through the places of a window: one strided slice of x holds that place of every window.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .table import dispatched, like_first, rule

__all__ = ["avg_pool", "conv1d", "conv2d", "max_pool"]

Shape = tuple[int, ...]
COLUMN_BYTES = 1 << 18  # columns at a time: what stays in the cache


def out_shape(space: Shape, size: Shape, stride: Shape, padding: Shape, dilation: Shape) -> Shape:
    """Return how many windows there are along each axis."""
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(space, size, stride, padding, dilation))


def _wide(space: Shape, padding: Shape) -> Shape:
    """Return the shape of the space with its padding."""
    return tuple(n + 2 * p for n, p in zip(space, padding))


def _inside(space: Shape, padding: Shape) -> Any:
    """Return the index of what the padding surrounds."""
    return (..., *(slice(p, p + n) for n, p in zip(space, padding)))


def _padded(x: Any, padding: Shape, around: Any = 0) -> Any:
    """Return x with one value around its space."""
    if not any(padding):
        return x
    out = np.full(x.shape[:2] + _wide(x.shape[2:], padding), around, x.dtype)
    out[_inside(x.shape[2:], padding)] = x
    return out


def _places(size: Shape, count: Shape, stride: Shape, dilation: Shape) -> Iterator[tuple[Shape, Any]]:
    """Yield each place in a window, and the index of the entries that have it."""
    for place in np.ndindex(size):
        yield place, (..., *(slice(i * d, i * d + s * (n - 1) + 1, s) for i, n, s, d in zip(place, count, stride, dilation)))


# Convolution
def _batches(n: int, bytes_each: int) -> list[slice]:
    """Return slices of n samples whose columns are small enough to stay in the cache."""
    step = max(1, min(n, COLUMN_BYTES // max(1, bytes_each)))
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def _columns(x: Any, size: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Iterator[tuple[slice, Any]]:
    """Yield a few samples at a time, and their columns: (samples, groups, size × channels, windows), in memory that is used again."""
    n, channels, space = len(x), x.shape[1] // groups, x.shape[2:]
    count = out_shape(space, size, stride, padding, dilation)
    shape = (groups, *size, channels, *count)
    batches = _batches(n, prod(shape) * x.dtype.itemsize)
    most = batches[0].stop if batches else 0
    wide = np.zeros((most, groups, channels, *_wide(space, padding)), x.dtype)
    by_sample, by_group, by_channel, *by_entry = wide.strides
    moves = (by_sample, by_group, *(b * d for b, d in zip(by_entry, dilation)), by_channel, *(b * s for b, s in zip(by_entry, stride)))
    windows, columns = as_strided(wide, (most, *shape), moves, writeable=False), np.empty((most, *shape), x.dtype)
    for batch in batches:
        m = batch.stop - batch.start
        wide[:m][_inside(space, padding)] = x[batch].reshape(m, groups, channels, *space)
        columns[:m] = windows[:m]
        yield batch, columns[:m].reshape(m, groups, prod(size) * channels, prod(count))


def _flat_kernels(w: Any, groups: int) -> Any:
    """Return the kernels of each group as rows, in the order of the columns."""
    return np.moveaxis(w, 1, -1).reshape(groups, len(w) // groups, prod(w.shape[1:]))


@dispatched
def convolution(x: Any, w: Any, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Any:
    """Return Σ x w over channels and window, for each sample, kernel and window."""
    count = out_shape(x.shape[2:], w.shape[2:], stride, padding, dilation)
    rows, out = _flat_kernels(w, groups), np.empty((len(x), len(w), *count), np.result_type(x, w))
    flat = out.reshape(len(x), groups, len(w) // groups, prod(count))
    for batch, columns in _columns(x, w.shape[2:], stride, padding, dilation, groups):
        np.matmul(rows, columns, out=flat[batch])
    return out


@dispatched
def convolution_x(g: Any, w: Any, space: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Any:
    """Return the cotangent of x: each window's g times the kernels, added up where windows overlap.

    In steps of 1 it is the convolution of g with the flipped kernels, which is faster unless there are far more kernels than channels.
    """
    size, count, channels = w.shape[2:], g.shape[2:], w.shape[1]
    around = tuple(d * (k - 1) - p for k, p, d in zip(size, padding, dilation))
    if set(stride) == {1} and min(around) >= 0 and len(w) <= 2 * groups * channels:
        flipped = np.flip(w, tuple(range(2, w.ndim))).reshape(groups, len(w) // groups, *w.shape[1:]).swapaxes(1, 2)
        return convolution(g, flipped.reshape(groups * channels, len(w) // groups, *size), stride, around, dilation, groups)
    rows, flat = _flat_kernels(w, groups).mT, g.reshape(len(g), groups, len(w) // groups, prod(count))
    out = np.zeros((len(g), groups, channels, *_wide(space, padding)), np.result_type(g, w))
    batches = _batches(len(g), groups * rows.shape[1] * prod(count) * out.dtype.itemsize)
    columns = np.empty((batches[0].stop if batches else 0, groups, rows.shape[1], prod(count)), out.dtype)
    by_place = np.moveaxis(columns.reshape(len(columns), groups, *size, channels, *count), (0, 1), (len(size), len(size) + 1))
    for batch in batches:
        m, part = batch.stop - batch.start, out[batch]
        np.matmul(rows, flat[batch], out=columns[:m])
        for place, index in _places(size, count, stride, dilation):
            part[index] += by_place[place][:m]
    return out.reshape(len(g), groups * channels, *out.shape[3:])[_inside(space, padding)]


@dispatched
def convolution_w(x: Any, g: Any, size: Shape, stride: Shape, padding: Shape, dilation: Shape, groups: int) -> Any:
    """Return the cotangent of the kernels: Σ g x over samples and windows."""
    kernels, channels = g.shape[1] // groups, x.shape[1] // groups
    flat = g.reshape(len(g), groups, kernels, prod(g.shape[2:]))
    out = np.zeros((groups, prod(size) * channels, kernels), np.result_type(x, g))
    for batch, columns in _columns(x, size, stride, padding, dilation, groups):
        out += np.add.reduce(columns @ flat[batch].mT, 0)
    return np.moveaxis(out.mT.reshape(groups * kernels, *size, channels), -1, 1)


rule(convolution,   lambda g, out, x, w, *how: convolution_x(g, w, x.shape[2:], *how),
                    lambda g, out, x, w, *how: convolution_w(x, g, w.shape[2:], *how), call=convolution)
rule(convolution_x, lambda h, out, g, w, space, *how: convolution(h, w, *how),
                    lambda h, out, g, w, space, *how: convolution_w(h, g, w.shape[2:], *how), call=convolution_x)
rule(convolution_w, lambda h, out, x, g, size, *how: convolution_x(g, h, x.shape[2:], *how),
                    lambda h, out, x, g, size, *how: convolution(x, h, *how), call=convolution_w)


# Pooling
def _lowest(dtype: np.dtype) -> Any:
    """Return the lowest number of a dtype, which the padding of a maximum holds."""
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min if dtype.kind in "iu" else 0


def _in_windows(count: Shape, size: Shape, stride: Shape) -> list[Any]:
    """Return the index of the entries that have each place in their windows."""
    return [index for _, index in _places(size, count, stride, (1,) * len(size))]


def _folded(ufunc: np.ufunc, x: Any, wide: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the ufunc's reduction of each window of x, of which ``wide`` has the padding too."""
    first, *others = _in_windows(out_shape(x.shape[2:], size, stride, padding, (1,) * len(size)), size, stride)
    out = wide[first].copy()
    for index in others:
        ufunc(out, wide[index], out=out)
    return out


@dispatched
def largest(x: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the largest entry of each window."""
    return _folded(np.maximum, x, _padded(x, padding, _lowest(x.dtype)), size, stride, padding)


@dispatched
def window_sum(x: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the sum of each window."""
    return _folded(np.add, x, _padded(x, padding), size, stride, padding)


def _ties(x: Any, y: Any, places: list[Any], padding: Shape) -> tuple[list[Any], Any]:
    """Return for each place in the windows whether it holds the largest entry y, and how many do."""
    wide = _padded(x, padding, _lowest(x.dtype))
    best = [wide[index] == y for index in places]
    number = np.zeros(y.shape, np.min_scalar_type(len(places)))
    for mask in best:
        number += mask
    return best, np.maximum(number, 1, out=number)


def _are_apart(size: Shape, stride: Shape) -> bool:
    """Tell whether windows do not overlap, so that each entry of x is written once."""
    return all(s >= k for k, s in zip(size, stride))


@dispatched
def to_largest(g: Any, x: Any, y: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the cotangent of x: each window's g in equal shares to the entries that are its largest, y."""
    places = _in_windows(y.shape[2:], size, stride)
    best, number = _ties(x, y, places, padding)
    share = g if number.max(initial=1) == 1 else (g / number).astype(g.dtype, copy=False)
    out, part = np.zeros(x.shape[:2] + _wide(x.shape[2:], padding), g.dtype), np.empty_like(share)
    is_finite, apart = np.isfinite(share).all(), _are_apart(size, stride)  # (only of finite numbers the product with False is 0)
    for index, mask in zip(places, best):
        if is_finite and apart:
            np.multiply(share, mask, out=out[index])
        else:
            out[index] += np.multiply(share, mask, out=part) if is_finite else np.where(mask, share, 0)
    return out[_inside(x.shape[2:], padding)]


@dispatched
def of_largest(h: Any, x: Any, y: Any, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return the mean of h in each window over the entries at which x is largest, y."""
    places, wide = _in_windows(y.shape[2:], size, stride), _padded(h, padding)
    best, number = _ties(x, y, places, padding)
    return (sum(np.where(mask, wide[index], 0) for index, mask in zip(places, best)) / number).astype(h.dtype, copy=False)


@dispatched
def spread_over_windows(g: Any, space: Shape, size: Shape, stride: Shape, padding: Shape) -> Any:
    """Return each window's g at all its places, added up where windows overlap."""
    out, apart = np.zeros(g.shape[:2] + _wide(space, padding), g.dtype), _are_apart(size, stride)
    for index in _in_windows(g.shape[2:], size, stride):
        if apart:
            out[index] = g
        else:
            out[index] += g
    return out[_inside(space, padding)]


rule(largest,    lambda g, out, x, *how: to_largest(g, x, out, *how), call=largest, kind="choice")
rule(to_largest, lambda h, out, g, x, y, *how: of_largest(h, x, y, *how), None, None, call=to_largest)
rule(of_largest, lambda g, out, h, x, y, *how: to_largest(g, x, y, *how), None, None, call=of_largest)
rule(window_sum, lambda g, out, x, *how: spread_over_windows(g, x.shape[2:], *how), call=window_sum, kind="movement")
rule(spread_over_windows, lambda h, out, g, space, *how: window_sum(h, *how), call=spread_over_windows, kind="movement")


def _each(value: Any, n: int, what: str) -> Shape:
    """Return one number for each of n axes of space."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * n
    if len(numbers) != n or not all(isinstance(i, (int, np.integer)) and i >= 0 for i in numbers):
        raise ValueError(f"{what} must be one whole number, or one for each of the {n} axes of space; it is {value!r}")
    return numbers


def _convolved(
    name: str, ndim: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Any:
    """Return the convolution, its arguments checked."""
    if x.ndim != ndim + 2 or weight.ndim != ndim + 2:
        raise ValueError(
            f"{name}: x and weight need {ndim + 2} axes (samples or kernels, channels, space), not shapes {x.shape} and {weight.shape}"
        )
    if not isinstance(groups, (int, np.integer)) or groups < 1 or x.shape[1] % groups or len(weight) % groups:
        raise ValueError(f"{name}: groups={groups!r} must divide the {x.shape[1]} channels of x and the {len(weight)} kernels")
    if x.shape[1] != weight.shape[1] * groups:
        each = f" in each of {groups} groups" if groups > 1 else ""
        raise ValueError(f"{name}: x has {x.shape[1]} channels (its axis 1), the kernels take {weight.shape[1]}{each} (their axis 1)")
    stride, padding, dilation = (
        _each(value, ndim, f"{name}: {what}") for value, what in ((stride, "stride"), (padding, "padding"), (dilation, "dilation"))
    )
    _check_fit(name, x.shape[2:], weight.shape[2:], stride, padding, dilation)
    out = convolution(x, weight, stride, padding, dilation, groups)
    return out if bias is None else out + np.reshape(bias, (-1, *(1,) * ndim))


def _check_fit(name: str, space: Shape, size: Shape, stride: Shape, padding: Shape, dilation: Shape) -> None:
    """Raise if no window fits, or a size or step is less than 1."""
    if min(stride) < 1 or min(size) < 1 or min(dilation) < 1:
        apart = f", {dilation} apart" if set(dilation) != {1} else ""
        raise ValueError(f"{name}: windows of {size} entries{apart} in steps of {stride}: sizes, strides and dilations start at 1")
    if any(n + 2 * p < d * (k - 1) + 1 for n, k, p, d in zip(space, size, padding, dilation)):
        apart = f" that lie {dilation} apart" if set(dilation) != {1} else ""
        raise ValueError(f"{name}: windows of {size} entries{apart} do not fit into {space} with padding {padding}")


def conv1d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Return the cross-correlation of signals with kernels; see ``conv2d``.

    Parameters
    ----------
    x : (N, C, L) array or Tensor
    weight : (O, C / groups, k) array or Tensor
    bias : (O,) array or Tensor, optional
    stride, padding, dilation, groups : int

    Returns
    -------
    (N, O, (L + 2 padding - dilation (k - 1) - 1) // stride + 1) array or Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.functional.conv1d(np.array([[[1.0, 2.0, 4.0]]]), np.array([[[1.0, -1.0]]]))
    array([[[-1., -2.]]])
    """
    return _convolved("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1) -> Any:
    """Return the cross-correlation of images with kernels, which networks call convolution.

    Parameters
    ----------
    x : (N, C, H, W) array or Tensor
    weight : (O, C / groups, h, w) array or Tensor
    bias : (O,) array or Tensor, optional
    stride, padding, dilation : int or (int, int)
        Steps between windows; zeros put around each image; steps between the entries of a window.
    groups : int
        The channels and the kernels come in so many groups, one after the other; each kernel sees its own group's channels.

    Returns
    -------
    (N, O, H', W') array or Tensor
        H' = (H + 2 padding - dilation (h - 1) - 1) // stride + 1.

    Raises
    ------
    ValueError
        If the numbers of axes or channels differ, groups do not divide the channels and kernels, or no window fits.

    Notes
    -----
    out[n, o, i, j] = bias[o] + Σ_{c,k,l} x[n, c, s i + d k - p, s j + d l - p] weight[o, c, k, l]
    (Goodfellow, Bengio & Courville 2016, "Deep Learning", chapter 9).

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> x = np.arange(16.0).reshape(1, 1, 4, 4)
    >>> nn.functional.conv2d(x, np.ones((1, 1, 2, 2)), stride=2)
    array([[[[10., 18.],
             [42., 50.]]]])
    """
    return _convolved("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def _pooling(name: str, x: Any, size: Any, stride: Any, padding: Any) -> tuple[Shape, Shape, Shape]:
    """Return size, stride and padding for each axis of space."""
    n = x.ndim - 2
    if n < 1:
        raise ValueError(f"{name}: x needs samples, channels and space, not shape {x.shape}")
    sizes, paddings = _each(size, n, f"{name}: kernel_size"), _each(padding, n, f"{name}: padding")
    strides = sizes if stride is None else _each(stride, n, f"{name}: stride")
    _check_fit(name, x.shape[2:], sizes, strides, paddings, (1,) * n)
    return sizes, strides, paddings


@like_first
def max_pool(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Return the largest entry of each window; entries that tie share its gradient equally.

    Parameters
    ----------
    x : (N, C, *space) array or Tensor
    kernel_size : int or tuple of int
        Entries in a window along each axis of space.
    stride : int or tuple of int, optional
        Steps between windows; the kernel's size if not given.
    padding : int or tuple of int
        How far windows may reach out of x; there is nothing there to be the largest.

    Returns
    -------
    (N, C, *space') array or Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.functional.max_pool(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[5., 3.]]])
    """
    return largest(x, *_pooling("max_pool", x, kernel_size, stride, padding))


@like_first
def avg_pool(x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0) -> Any:
    """Return the mean of each window; the zeros of the padding count.

    Parameters
    ----------
    x, kernel_size, stride, padding : see ``max_pool``.

    Returns
    -------
    (N, C, *space') array or Tensor

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.functional.avg_pool(np.array([[[1.0, 5.0, 2.0, 3.0]]]), 2)
    array([[[3. , 2.5]]])
    """
    sizes, strides, paddings = _pooling("avg_pool", x, kernel_size, stride, padding)
    return window_sum(x if x.dtype.kind in "fc" else x.astype(float), sizes, strides, paddings) / prod(sizes)
