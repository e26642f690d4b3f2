"""The calculus of reductions: one row per function that folds an axis, and the cumulative ones.

At a kink: ties in max and min share equally, std at a constant has the derivative 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .elementwise import _gap, _nonzero, conj, squared
from .table import composition, dispatched, no_derivative, rule

Axis = int | tuple[int, ...] | None


def restored(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Return g with the axes that were folded back in place, as axes of size 1."""
    if keepdims or axis is None:
        return g
    return np.expand_dims(g, axis)


def count(x: Any, axis: Axis) -> int:
    """Return the number of entries that one result folds."""
    if axis is None:
        return int(x.size)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([x.shape[i] for i in axes]))


def floating(x: Any) -> Any:
    """Return x as an array of floating numbers."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x.astype(np.result_type(x, np.float16), copy=False)


@dispatched
def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x repeated to the shape, in memory of its own."""
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


@dispatched
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return Σ x over the axis."""
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


@dispatched
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return Σ x / n over the axis."""
    if x.dtype.kind in "biu" or x.dtype.itemsize < 4:
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count(x, axis)


@dispatched
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the largest entry over the axis."""
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@dispatched
def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the smallest entry over the axis."""
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


@dispatched
def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return Π x over the axis."""
    return np.multiply.reduce(x, axis=axis, keepdims=keepdims)


@dispatched
def var(x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return Σ (x - mean x)² / (n - ddof) over the axis."""
    return np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)


@dispatched
def std(x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return √var x over the axis."""
    return np.std(x, axis=axis, ddof=ddof, keepdims=keepdims)


@dispatched
def cumsum(x: Any, axis: int) -> Any:
    """Return the running sum along the axis."""
    return np.add.accumulate(x, axis=axis)


@dispatched
def cumprod(x: Any, axis: int) -> Any:
    """Return the running product along the axis."""
    return np.multiply.accumulate(x, axis=axis)


@dispatched
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return log Σ exp x over the axis, without overflow.

    Parameters
    ----------
    x : array_like or Tensor
    axis : int, tuple of int or None
        The axis to fold; None folds all.
    keepdims : bool
        Keep the folded axes with size 1.

    Returns
    -------
    ndarray or Tensor
        -inf where every entry is -inf (or there is none).

    Notes
    -----
    log Σ exp(x) = m + log Σ exp(x - m) with m = max x (Blanchard, Higham & Higham 2021,
    "Accurately computing the log-sum-exp and softmax functions"). Its gradient is softmax(x).
    """
    x = floating(x)
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        out = np.log(np.add.reduce(np.exp(_gap(x, top)), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, tuple(range(x.ndim)) if axis is None else axis)


@dispatched
def softmax(x: Any, axis: Axis = -1) -> Any:
    """Return eˣ / Σ eˣ over the axis, of x's shape; it sums to 1 there.

    Raises
    ------
    numpy.exceptions.AxisError
        If x has no such axis.

    Notes
    -----
    ∂L/∂x = s ⊙ (g - Σ g ⊙ s), with s the result. Equal infinities share equally.
    """
    x = floating(x)
    parts = np.exp(_gap(x, np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)))
    return parts / np.add.reduce(parts, axis=axis, keepdims=True)


@dispatched
def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """Return x - log Σ eˣ over the axis, of x's shape."""
    x = floating(x)
    below = _gap(x, np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf))
    return below - np.log(np.add.reduce(np.exp(below), axis=axis, keepdims=True))


def _max_or_min(g: Any, out: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return g in equal shares to the entries that are the result."""
    best = x == restored(out, x, axis, keepdims)
    shares = np.add.reduce(best, axis=axis, keepdims=True)
    return np.where(best, restored(g, x, axis, keepdims) / np.maximum(shares, 1).astype(g.dtype), 0)


def _line_up(x: Any, axis: Axis) -> tuple[Any, Any]:
    """Return x with the axes to fold as one last axis, and the way back."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(i % x.ndim for i in (axis if isinstance(axis, tuple) else (axis,)))
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    turned = np.transpose(x, order)
    back = tuple(int(i) for i in np.argsort(order))
    lined = np.reshape(turned, [*(x.shape[i] for i in kept), count(x, axes)])
    return lined, lambda y: np.transpose(np.reshape(y, turned.shape), back)


def _with_folded_axes(out: Any, ndim: int, axis: Axis, before: int = 0) -> Any:
    """Return a result with the axes that were folded put back with size 1, behind ``before`` axes of its own."""
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(out, tuple(before + i % ndim for i in axes))


def _before(x: Any) -> Any:
    """Return the running product along the last axis of all entries before each."""
    ones = np.ones((*x.shape[:-1], 1), x.dtype)
    return cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), -1)


def _prod(g: Any, out: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return g times the product of all the others: those before and those after, so that zeros are no trouble."""
    lined, back = _line_up(x, axis)
    others = _before(lined) * _before(lined[..., ::-1])[..., ::-1] if x.size else lined
    return restored(g, x, axis, keepdims) * back(others)


def _cumprod(g: Any, out: Any, x: Any, axis: int) -> Any:
    """Return p_k s_k: the product p_k of all before k, and s_k = g_k + x_{k+1} s_{k+1} by doubling, exact at zeros."""
    if x.shape[axis] == 0:
        return g
    x, s = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    n = x.shape[-1]
    factor = np.concatenate([x[..., 1:], np.zeros_like(x[..., :1])], axis=-1)
    step = 1
    while step < n:
        ahead = np.zeros((*x.shape[:-1], step), x.dtype)
        s = s + factor * np.concatenate([s[..., step:], ahead], axis=-1)
        factor = factor * np.concatenate([factor[..., step:], ahead], axis=-1)
        step *= 2
    return np.moveaxis(_before(x) * s, -1, axis)


def _spread(x: Any, axis: Axis, ddof: float) -> Any:
    """Return (x - mean x) / (n - ddof), conjugated."""
    return conj(x - mean(x, axis, True)) / (count(x, axis) - ddof)


def _std(g: Any, out: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return g (x - mean x) / ((n - ddof) std x), and 0 where all entries are equal, whatever rounding made of their std."""
    if x.size == 0:
        return restored(g, x, axis, keepdims)
    varies = max(x, axis, True) != min(x, axis, True)
    return restored(g / _nonzero(out), x, axis, keepdims) * _spread(x, axis, ddof) * varies


rule(broadcast_to, lambda g, out, x, shape: g, call=broadcast_to, kind="movement")
rule(sum,  lambda g, out, x, axis=None, keepdims=False: restored(g, x, axis, keepdims), kind="movement")
rule(mean, lambda g, out, x, axis=None, keepdims=False: restored(g / count(x, axis), x, axis, keepdims), kind="movement")
rule(max,  _max_or_min, kind="choice")
rule(min,  _max_or_min, kind="choice")
rule(prod, _prod)
rule(var,  lambda g, out, x, axis=None, ddof=0, keepdims=False: 2 * restored(g, x, axis, keepdims) * _spread(x, axis, ddof))
rule(std,  _std)
rule(cumsum, lambda g, out, x, axis: np.flip(cumsum(np.flip(g, axis), axis), axis))
rule(cumprod, _cumprod)
rule(logsumexp, lambda g, out, x, axis=None, keepdims=False: restored(g, x, axis, keepdims) * softmax(x, axis))
rule(softmax,     lambda g, out, x, axis=-1: out * (g - sum(g * out, axis, True)))
rule(log_softmax, lambda g, out, x, axis=-1: g - np.exp(out) * sum(g, axis, True))


def _as_numpy(reduce: Any, neutral: Any, join: Any) -> Any:
    """Give a reduction NumPy's own arguments: dtype, where and initial."""

    def call(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
             initial: Any = None, where: Any = True) -> Any:  # fmt: skip
        a = a if dtype is None else a.astype(dtype)
        a = a if where is True else np.where(where, a, neutral)
        folded = reduce(a, axis=axis, keepdims=keepdims)
        return folded if initial is None else join(folded, initial)

    return call


composition(np.sum, np.add.reduce)(_as_numpy(sum, 0, np.add))
composition(np.prod, np.multiply.reduce)(_as_numpy(prod, 1, np.multiply))


@composition(np.max, np.amax, np.maximum.reduce)
def _np_max(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _as_numpy(max, -np.inf, np.maximum)(a, axis, None, None, keepdims, initial, where)


@composition(np.min, np.amin, np.minimum.reduce)
def _np_min(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
    return _as_numpy(min, np.inf, np.minimum)(a, axis, None, None, keepdims, initial, where)


def _counted(a: Any, axis: Axis, keepdims: bool, where: Any) -> Any:
    """Return the number of entries that ``where`` lets in."""
    real = np.finfo(np.result_type(a.dtype, np.float16)).dtype
    return np.add.reduce(np.broadcast_to(where, a.shape), axis=axis, keepdims=keepdims, dtype=real)


@composition(np.mean)
def _np_mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Any = True) -> Any:
    a = a if dtype is None else a.astype(dtype)
    if where is True:
        return mean(a, axis=axis, keepdims=keepdims)
    return sum(np.where(where, a, 0), axis=axis, keepdims=keepdims) / _counted(a, axis, keepdims, where)


def _masked_var(a: Any, axis: Any, ddof: float, keepdims: bool, where: Any) -> Any:
    """Return the variance of the entries that ``where`` lets in."""
    kept = np.where(where, a, 0)
    centre = sum(kept, axis=axis, keepdims=True) / _counted(a, axis, True, where)
    squares = np.where(where, squared(kept - centre), 0)
    return sum(squares, axis=axis, keepdims=keepdims) / (_counted(a, axis, keepdims, where) - ddof)


def _root(v: Any) -> Any:
    """Return √v with the derivative 0 at 0."""
    return np.where(v == 0, 0, np.sqrt(np.where(v == 0, 1, v)))


@composition(np.var)
def _np_var(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False, *,
            where: Any = True, mean: None = None, correction: float | None = None) -> Any:  # fmt: skip
    a, ddof = (a if dtype is None else a.astype(dtype)), (ddof if correction is None else correction)
    return var(a, axis=axis, ddof=ddof, keepdims=keepdims) if where is True else _masked_var(a, axis, ddof, keepdims, where)


@composition(np.std)
def _np_std(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False, *,
            where: Any = True, mean: None = None, correction: float | None = None) -> Any:  # fmt: skip
    a, ddof = (a if dtype is None else a.astype(dtype)), (ddof if correction is None else correction)
    if where is True:
        return std(a, axis=axis, ddof=ddof, keepdims=keepdims)
    largest, smallest = np.max(a, axis, where=where, keepdims=keepdims), np.min(a, axis, where=where, keepdims=keepdims)
    return _root(np.where(largest == smallest, 0, _masked_var(a, axis, ddof, keepdims, where)))


@composition(np.ptp)
def _np_ptp(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return max(a, axis=axis, keepdims=keepdims) - min(a, axis=axis, keepdims=keepdims)


def _running(accumulate: Any) -> Any:
    """Give a cumulative function NumPy's own arguments."""

    def call(a: Any, axis: int | None = None, dtype: Any = None, out: None = None) -> Any:
        a = a if dtype is None else a.astype(dtype)
        return accumulate(np.ravel(a), 0) if axis is None or a.ndim == 0 else accumulate(a, axis)

    return call


def _along_first(accumulate: Any) -> Any:
    """Give a cumulative function the arguments of a ufunc's ``accumulate``."""
    return lambda a, axis=0, dtype=None, out=None: accumulate(a if dtype is None else a.astype(dtype), axis)


composition(np.cumsum)(_running(cumsum))
composition(np.cumprod)(_running(cumprod))
composition(np.add.accumulate)(_along_first(cumsum))
composition(np.multiply.accumulate)(_along_first(cumprod))


@composition("cumulative_sum")
def _cumulative_sum(x: Any, /, *, axis: Any = None, dtype: Any = None, out: None = None, include_initial: bool = False) -> Any:
    return _with_initial(_running(cumsum)(x, axis, dtype), 0, axis, include_initial)


@composition("cumulative_prod")
def _cumulative_prod(x: Any, /, *, axis: Any = None, dtype: Any = None, out: None = None, include_initial: bool = False) -> Any:
    return _with_initial(_running(cumprod)(x, axis, dtype), 1, axis, include_initial)


def _with_initial(out: Any, value: int, axis: int | None, wanted: bool) -> Any:
    """Put the empty sum or product in front, if wanted."""
    if not wanted:
        return out
    axis = axis or 0
    first = np.full([1 if i == axis % out.ndim else n for i, n in enumerate(out.shape)], value, out.dtype)
    return np.concatenate([first, out], axis)


@composition(np.logaddexp.reduce)
def _logaddexp_reduce(a: Any, axis: Any = 0, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return logsumexp(a, axis, keepdims)


# The nan- forms: the entries that are nan take no part, so they get no gradient.
composition(np.nansum)(lambda a, *args, **kwargs: np.sum(np.where(np.isnan(a), 0, a), *args, **kwargs))
composition(np.nanprod)(lambda a, *args, **kwargs: np.prod(np.where(np.isnan(a), 1, a), *args, **kwargs))
composition(np.nancumsum)(lambda a, *args, **kwargs: np.cumsum(np.where(np.isnan(a), 0, a), *args, **kwargs))
composition(np.nancumprod)(lambda a, *args, **kwargs: np.cumprod(np.where(np.isnan(a), 1, a), *args, **kwargs))


@composition(np.nanmean)
def _nanmean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
    return np.mean(a, axis, dtype, keepdims=keepdims, where=~np.isnan(a))


@composition(np.nanvar)
def _nanvar(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
    return np.var(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=~np.isnan(a))


@composition(np.nanstd)
def _nanstd(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False) -> Any:
    return np.std(a, axis, dtype, ddof=ddof, keepdims=keepdims, where=~np.isnan(a))


def _nan_extreme(reduce: Any, neutral: float) -> Any:
    """Return a nan- form of max or min; nan where all is nan."""

    def call(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        missing = np.isnan(a)
        best = reduce(np.where(missing, neutral, a), axis=axis, keepdims=keepdims)
        return np.where(np.all(missing, axis=axis, keepdims=keepdims), np.nan, best)

    return call


composition(np.nanmax, np.fmax.reduce)(_nan_extreme(max, -np.inf))
composition(np.nanmin, np.fmin.reduce)(_nan_extreme(min, np.inf))

no_derivative(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.argwhere, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.all, np.any, np.lexsort,
)  # fmt: skip
