"""The calculus of reductions: one row per function that folds an axis, and the cumulative ones.

At a kink: ties in max and min share equally, std at a constant has the derivative 0.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .elementwise import HALF, _nonzero, conj, gap, squared, values_of
from .table import SPELLINGS, composition, dispatched, formula, like_first, no_derivative, own_code, rule

Axis = int | tuple[int, ...] | None


def folded_axes(x: Any, axis: Axis) -> tuple[int, ...]:
    """Return the axes that are folded, counted from the first; a scalar has none, whatever axis is asked for."""
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(int(i) % x.ndim for i in (axis if isinstance(axis, tuple) else (axis,))) if x.ndim else ()


def restored(g: Any, x: Any, axis: Axis, keepdims: bool) -> Any:
    """Return g with the axes that were folded back in place, as axes of size 1."""
    if keepdims or axis is None:
        return g
    return np.expand_dims(g, folded_axes(x, axis))


def count(x: Any, axis: Axis) -> int:
    """Return the number of entries that one result folds."""
    return int(x.size) if axis is None else prod([x.shape[i] for i in normalize_axis_tuple(axis, x.ndim)])


def floating(x: Any) -> Any:
    """Return x as an array of floating numbers."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x.astype(np.result_type(x, np.float16), copy=False)


def widened(x: Any) -> Any:
    """Return x, numbers of half precision in single precision: sums and counts beyond 65,504 do not fit into the former."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def divided(g: Any, n: Any) -> Any:
    """Return g / n in the dtype of g, for a count n that may be too large for it."""
    if type(n) is int and g.dtype is not HALF:
        return g / n
    wide = widened(g)
    return (wide / (n.astype(wide.dtype) if hasattr(n, "astype") else n)).astype(g.dtype, copy=False)


@dispatched
def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x repeated to the shape, in memory of its own."""
    out = np.empty(shape, x.dtype)
    out[...] = x
    return out


@dispatched
def repeated(x: Any, shape: tuple[int, ...]) -> Any:
    """Return x repeated to the shape, in the memory of x."""
    return np.broadcast_to(x, shape)


def folding(ufunc: Any) -> Any:
    """Return ``ufunc.reduce`` with the defaults of NumPy's functions: over all axes."""
    return lambda x, axis=None, keepdims=False: ufunc.reduce(x, axis=axis, keepdims=keepdims)


def _mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return Σ x / n over the axis (``np.mean`` without its overhead, where it would do just that)."""
    if x.dtype.kind in "biu" or x.dtype.itemsize < 4 or not x.size:
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.add.reduce(x, axis=axis, keepdims=keepdims) / count(x, axis)


@like_first
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

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> tg.logsumexp([1000.0, 1000.0]) == 1000 + np.log(2)
    np.True_
    """
    x = floating(x)
    wide = widened(x)
    top = np.maximum.reduce(wide, axis=axis, keepdims=True, initial=-np.inf)
    with np.errstate(divide="ignore"):
        out = (np.log(np.add.reduce(np.exp(gap(wide, top)), axis=axis, keepdims=True)) + top).astype(x.dtype, copy=False)
    return out if keepdims else np.squeeze(out, folded_axes(x, axis))


def _below_the_top(x: Any, axis: Axis) -> Any:
    """Return x - max x over the axis as a new array, and 0 where both are the same infinity."""
    top = np.maximum.reduce(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - top if type(x) is np.ndarray and np.isfinite(top).all() else gap(x, top)


@like_first
@dispatched
def softmax(x: Any, axis: Axis = -1) -> Any:
    """Return eˣ / Σ eˣ over the axis; it sums to 1 there.

    Parameters
    ----------
    x : array_like or Tensor
    axis : int, tuple of int or None

    Returns
    -------
    ndarray or Tensor of x's shape

    Raises
    ------
    numpy.exceptions.AxisError
        If x has no such axis.

    Notes
    -----
    ∂L/∂x = s ⊙ (g - Σ g ⊙ s), with s the result; right to the last digits in saturated tails too (see ``centred``).
    Equal infinities share equally.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> tg.softmax([0.0, np.log(3.0)])
    array([0.25, 0.75])
    """
    x = floating(x)
    below = _below_the_top(widened(x), axis)
    if type(below) is not np.ndarray:
        parts = np.exp(below)
        return (parts / np.add.reduce(parts, axis=axis, keepdims=True)).astype(x.dtype, copy=False)
    np.exp(below, below)
    below /= np.add.reduce(below, axis=axis, keepdims=True)
    return below.astype(x.dtype, copy=False)


@like_first
@dispatched
def log_softmax(x: Any, axis: Axis = -1) -> Any:
    """Return x - log Σ eˣ over the axis.

    Parameters
    ----------
    x : array_like or Tensor
    axis : int, tuple of int or None

    Returns
    -------
    ndarray or Tensor of x's shape

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.log_softmax([0.0, 1000.0])
    array([-1000.,     0.])
    """
    x = floating(x)
    below = _below_the_top(widened(x), axis)
    log_whole = np.log(np.add.reduce(np.exp(below), axis=axis, keepdims=True))
    out = np.subtract(below, log_whole, out=below) if type(below) is np.ndarray else below - log_whole
    return out.astype(x.dtype, copy=False)


def _large_shares(s: Any, axis: Axis) -> tuple[Any, Any] | None:
    """Return the rows of a softmax with a share beyond a half, and its column, if the rows are those of the last axis."""
    if not s.ndim or not s.size or axis not in (-1, s.ndim - 1):
        return None
    return np.divmod(np.flatnonzero(s > 0.5), s.shape[-1])


def centred_by_masks(g: Any, s: Any, axis: Axis) -> Any:
    """Compute ``centred`` with operations on whole arrays only."""
    g = g - np.add.reduce(np.where(s > 0.5, g, 0), axis=axis, keepdims=True)
    return g - np.add.reduce(g * s, axis=axis, keepdims=True)


@dispatched
def centred(g: Any, s: Any, axis: Axis) -> Any:
    """Return g - Σ g s over the axis, with s a softmax: g less its mean under s.

    Where one share is near 1, that difference would cancel. So the value of g there is first subtracted from g, which changes
    nothing, since the shares add up to 1.
    """
    found = _large_shares(s, axis)
    if found is None:
        return centred_by_masks(g, s, axis)
    if len(found[0]):
        rows, columns = found
        g = np.array(np.broadcast_to(g, s.shape), order="C")
        by_row = g.reshape(-1, s.shape[-1])
        by_row[rows] -= by_row[rows, columns][:, None]
    weighted = g * s
    return np.subtract(g, np.add.reduce(weighted, axis=axis, keepdims=True), out=weighted)


def excess_by_masks(y: Any, s: Any, axis: Axis) -> Any:
    """Compute ``excess`` with operations on whole arrays only."""
    large = s > 0.5
    others, shares = (np.add.reduce(np.where(large, 0, x), axis=axis, keepdims=True) for x in (y, s))
    return np.where(large, y * shares - s * others, y - s * np.add.reduce(y, axis=axis, keepdims=True))


@dispatched
def excess(y: Any, s: Any, axis: Axis) -> Any:
    """Return y - s Σ y over the axis, with s a softmax: what y has beyond its share of the whole.

    Where a share is more than a half it is taken from 1 by adding up the others: y (1 - s) - s Σ (the other y).
    """
    found = _large_shares(s, axis)
    if found is None:
        return excess_by_masks(y, s, axis)
    rows, columns = found
    out = s * np.add.reduce(y, axis=axis, keepdims=True)
    out = np.ascontiguousarray(np.subtract(y, out, out=out))
    others, shares = (sum_of_others(x, rows, columns) for x in (y, s))
    by_row = out.reshape(-1, s.shape[-1])
    by_row[rows, columns] = _entries(y, rows, columns) * shares - _entries(s, rows, columns) * others
    return out


def _entries(x: Any, rows: Any, columns: Any) -> Any:
    """Return the entry of each of some rows that is in its column."""
    return x.reshape(-1, x.shape[-1])[rows, columns]


def sum_of_others(x: Any, rows: Any, columns: Any) -> Any:
    """Return the sum of each of some rows but for the entry in its column."""
    part = x.reshape(-1, x.shape[-1])[rows]
    part[np.arange(len(rows)), columns] = 0
    return np.add.reduce(part, axis=-1)


def _max_or_min(g: Any, out: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return g in equal shares to the entries that are the result."""
    best = x == restored(out, x, axis, keepdims)
    shares = np.add.reduce(best, axis=axis, keepdims=True)
    return np.where(best, divided(restored(g, x, axis, keepdims), np.maximum(shares, 1)), 0)


def folded_last(x: Any, axis: Axis) -> tuple[Any, Any]:
    """Return x with the axes to fold as one last axis, and the function that puts them back."""
    axes = folded_axes(x, axis)
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = kept + axes
    turned = np.transpose(x, order)
    back = tuple(int(i) for i in np.argsort(order))
    lanes = np.reshape(turned, [*(x.shape[i] for i in kept), prod([x.shape[i] for i in axes])])
    return lanes, lambda y: np.transpose(np.reshape(y, turned.shape), back)


def _with_folded_axes(out: Any, x: Any, axis: Axis, before: int = 0) -> Any:
    """Return a result with the axes of x that were folded put back with size 1, behind ``before`` axes of its own."""
    return np.expand_dims(out, tuple(before + i for i in folded_axes(x, axis)))


def _before(x: Any) -> Any:
    """Return the running product along the last axis of all entries before each."""
    ones = np.ones((*x.shape[:-1], 1), x.dtype)
    return np.cumprod(np.concatenate([ones, x[..., :-1]], axis=-1), axis=-1)


def products_of_others(x: Any) -> Any:
    """Return for each entry the product of all others along the last axis: those before times those after, so that zeros do no harm."""
    return _before(x) * _before(x[..., ::-1])[..., ::-1] if x.size else x


def _prod(g: Any, out: Any, x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return g times the product of all other entries."""
    lanes, back = folded_last(x, axis)
    return restored(g, x, axis, keepdims) * back(products_of_others(lanes))


def _cumprod(g: Any, out: Any, x: Any, axis: int | None = None) -> Any:
    """Return p_k s_k: the product p_k of all before k, and s_k = g_k + x_{k+1} s_{k+1} by doubling, exact at zeros."""
    if x.size == 0:
        return x
    shape = x.shape
    if axis is None or x.ndim == 0:
        x, axis = np.reshape(x, -1), 0
    x, s = np.moveaxis(x, axis, -1), np.moveaxis(g, axis, -1)
    n = x.shape[-1]
    factor = np.concatenate([x[..., 1:], np.zeros_like(x[..., :1])], axis=-1)
    step = 1
    while step < n:
        ahead = np.zeros((*x.shape[:-1], step), x.dtype)
        s = s + factor * np.concatenate([s[..., step:], ahead], axis=-1)
        factor = factor * np.concatenate([factor[..., step:], ahead], axis=-1)
        step *= 2
    return np.reshape(np.moveaxis(_before(x) * s, -1, axis), shape)


def _spread(x: Any, axis: Axis, ddof: float) -> Any:
    """Return (x - mean x) / (n - ddof), conjugated."""
    return divided(conj(x - np.mean(x, axis, keepdims=True)), count(x, axis) - ddof)


def _std(g: Any, out: Any, x: Any, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Any:
    """Return g (x - mean x) / ((n - ddof) std x), and 0 where all entries are equal, whatever rounding made of their std."""
    if x.size == 0:
        return restored(g, x, axis, keepdims)
    varies = np.max(x, axis, keepdims=True) != np.min(x, axis, keepdims=True)
    return restored(g / _nonzero(out), x, axis, keepdims) * _spread(x, axis, ddof) * varies


# What NumPy's functions do besides folding axes: they compute in a given dtype, leave entries out, join an initial value
def _summing(fold: Any, neutral: float, join: Any) -> Any:
    """Return a sum or product with NumPy's further arguments."""

    def call(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False,
             initial: Any = None, where: Any = True) -> Any:  # fmt: skip
        a = a if dtype is None else a.astype(dtype)
        return _joined(fold(a if where is True else np.where(where, a, neutral), axis=axis, keepdims=keepdims), initial, join)

    return call


def _choosing(fold: Any, lowest: float, join: Any) -> Any:
    """Return max or min with NumPy's further arguments."""

    def call(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Any:
        if initial is None:
            if where is not True:
                raise ValueError(f"{fold.__name__}: a where mask needs an initial value, for where it lets nothing in")
            return fold(a, axis=axis, keepdims=keepdims)
        if not a.size:
            return _joined(np.full(np.add.reduce(a, axis=axis, keepdims=keepdims).shape, lowest, a.dtype), initial, join)
        return _joined(fold(np.where(where, a, lowest), axis=axis, keepdims=keepdims), initial, join)

    return call


def _joined(folded: Any, initial: Any, join: Any) -> Any:
    """Return what was folded, joined with an initial value if there is one."""
    return folded if initial is None else join(folded, initial).astype(folded.dtype, copy=False)


def _counted(a: Any, axis: Axis, keepdims: bool, where: Any) -> Any:
    """Return the number of entries that ``where`` lets in, in the dtype in which they are added up."""
    real = np.finfo(widened(np.empty(0, a.dtype)).dtype).dtype
    return np.add.reduce(np.broadcast_to(where, a.shape), axis=axis, keepdims=keepdims, dtype=real)


def _masked_mean(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False, *, where: Any = True) -> Any:
    """Return the mean with NumPy's further arguments."""
    a = a if dtype is None else a.astype(dtype)
    if where is True:
        return np.mean(a, axis=axis, keepdims=keepdims)
    total = np.sum(np.where(where, widened(a), 0), axis=axis, keepdims=keepdims)
    return (total / _counted(a, axis, keepdims, where)).astype(a.dtype, copy=False)


def _variance(a: Any, axis: Axis, dtype: Any, ddof: float, keepdims: bool, where: Any, mean: Any) -> Any:
    """Return the variance of the entries that ``where`` lets in, around a mean that may be given."""
    if where is True and mean is None and (dtype is None or (dtype == a.dtype and a.dtype.kind == "f")):
        return np.var(a, axis=axis, ddof=ddof, keepdims=keepdims)
    if where is True:
        count(a, axis)  # (which raises if there is no such axis)
    wide = widened(a) if dtype is None else a
    centre = np.mean(wide, axis=axis, dtype=dtype, keepdims=True, where=where) if mean is None else mean
    squares = np.where(where, squared(np.where(where, wide, 0) - centre), 0)
    total = np.sum(squares, axis=axis, dtype=dtype, keepdims=keepdims)
    found = total / np.maximum(_counted(a, axis, keepdims, where) - ddof, 0)
    return found.astype(np.finfo(a.dtype).dtype if dtype is None else dtype)


def _deviation(a: Any, axis: Axis, dtype: Any, ddof: float, keepdims: bool, where: Any, mean: Any) -> Any:
    """Return the root of that variance; its derivative is 0 at 0, and where all entries are equal but rounding left a variance."""
    variance = _variance(a, axis, dtype, ddof, keepdims, where, mean)
    if mean is None:
        largest, smallest = (f(a, axis, where=where, keepdims=keepdims, initial=x) for f, x in ((np.max, -np.inf), (np.min, np.inf)))
        variance = np.where(largest == smallest, *values_of(variance), variance)
    return np.where(variance == 0, 0, np.sqrt(np.where(variance == 0, 1, variance)))


def _spreading(spread: Any, without_nan: bool = False) -> Any:
    """Return var or std with NumPy's further arguments; or its nan- form, which is nan where too few entries are left."""

    def call(a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False, *,
             where: Any = True, mean: Any = None, correction: float | None = None) -> Any:  # fmt: skip
        if correction is not None and ddof != 0:
            raise ValueError("ddof and correction can't be provided simultaneously.")
        ddof = ddof if correction is None else correction
        if not without_nan:
            return spread(a, axis, dtype, ddof, keepdims, where, mean)
        present = _present(a, where)
        found = spread(a, axis, dtype, ddof, keepdims, present, mean)
        return np.where(np.sum(present, axis=axis, keepdims=keepdims) <= ddof, np.nan, found)

    return call


def _running(accumulate: Any) -> Any:
    """Return a cumulative function with NumPy's further arguments."""
    return lambda a, axis=None, dtype=None, out=None: accumulate(a if dtype is None else a.astype(dtype), axis=axis)


rule(repeated, lambda g, out, x, shape: g, call=np.broadcast_to, kind="movement")
rule(broadcast_to, lambda g, out, x, shape: g, call=broadcast_to, kind="movement")
rule(np.sum,  lambda g, out, x, axis=None, keepdims=False: restored(g, x, axis, keepdims),
     call=folding(np.add), further=_summing(np.sum, 0, np.add), kind="movement")
rule(np.mean, lambda g, out, x, axis=None, keepdims=False: restored(divided(g, count(x, axis)), x, axis, keepdims),
     call=_mean, further=_masked_mean, kind="movement")
rule(np.max,  _max_or_min, call=folding(np.maximum), further=_choosing(np.max, -np.inf, np.maximum), kind="choice")
rule(np.min,  _max_or_min, call=folding(np.minimum), further=_choosing(np.min, np.inf, np.minimum), kind="choice")
rule(np.prod, _prod, call=folding(np.multiply), further=_summing(np.prod, 1, np.multiply))
rule(np.var,  lambda g, out, x, axis=None, ddof=0, keepdims=False: 2 * restored(g, x, axis, keepdims) * _spread(x, axis, ddof),
     further=_spreading(_variance))
rule(np.std,  _std, further=_spreading(_deviation))
rule(np.cumsum,   lambda g, out, x, axis=None: np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis), x.shape),
     further=_running(np.cumsum))
rule(np.cumprod,  _cumprod, further=_running(np.cumprod))
rule(logsumexp,   lambda g, out, x, axis=None, keepdims=False: restored(g, x, axis, keepdims) * softmax(x, axis))
rule(softmax,     lambda g, out, x, axis=-1: out * centred(g, out, axis))
rule(log_softmax, lambda g, out, x, axis=-1: excess(g, np.exp(out), axis))
rule(centred,     lambda h, out, g, s, axis: excess(h, s, axis),
                  lambda h, out, g, s, axis: -g * np.sum(h, axis, keepdims=True), None, call=centred)
rule(excess,      lambda h, out, y, s, axis: centred(h, s, axis),
                  lambda h, out, y, s, axis: -h * np.sum(y, axis, keepdims=True), None, call=excess)
formula(centred, lambda g, s, axis: g - np.sum(g * s, axis, keepdims=True))
formula(excess, lambda y, s, axis: y - s * np.sum(y, axis, keepdims=True))

SPELLINGS.update({
    np.add.reduce: np.sum, np.multiply.reduce: np.prod, np.maximum.reduce: np.max, np.minimum.reduce: np.min,
    np.amax: np.max, np.amin: np.min,
})  # fmt: skip


composition(np.ptp)(lambda a, axis=None, out=None, keepdims=False: np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims))


def _accumulate(running: Any) -> Any:
    """Return a ufunc's ``accumulate``, whose axis may be a tuple of one."""
    return lambda a, axis=0, dtype=None, out=None: running(a, axis[0] if isinstance(axis, tuple) else axis, dtype)


composition(np.add.accumulate, checked=True)(_accumulate(np.cumsum))
composition(np.multiply.accumulate, checked=True)(_accumulate(np.cumprod))
for running in ("cumulative_sum", "cumulative_prod"):  # (of NumPy 2.1)
    composition(running)(own_code(getattr(np, running, None)))
composition(np.logaddexp.reduce, checked=True)(_summing(logsumexp, -np.inf, np.logaddexp))


# The nan- forms: the entries that are nan take no part, so they get no gradient.
composition(np.nansum)(lambda a, *args, **kwargs: np.sum(np.where(np.isnan(a), 0, a), *args, **kwargs))
composition(np.nanprod)(lambda a, *args, **kwargs: np.prod(np.where(np.isnan(a), 1, a), *args, **kwargs))
composition(np.nancumsum)(lambda a, *args, **kwargs: np.cumsum(np.where(np.isnan(a), 0, a), *args, **kwargs))
composition(np.nancumprod)(lambda a, *args, **kwargs: np.cumprod(np.where(np.isnan(a), 1, a), *args, **kwargs))
composition(np.nanmean, checked=True)(lambda a, *args, where=True, **kwargs: np.mean(a, *args, where=_present(a, where), **kwargs))


def _present(a: Any, where: Any) -> Any:
    """Return which entries take part: those that are not nan and that ``where`` lets in."""
    return np.logical_and(np.logical_not(np.isnan(a)), where)


composition(np.nanvar, checked=True)(_spreading(_variance, without_nan=True))
composition(np.nanstd, checked=True)(_spreading(_deviation, without_nan=True))


def _nan_extreme(fold: Any, neutral: float) -> Any:
    """Return a nan- form of max or min; nan where all is nan."""

    def call(a: Any, axis: Any = None, out: None = None, keepdims: bool = False, initial: Any = None, where: Any = True,
             dtype: Any = None) -> Any:  # fmt: skip
        a = a if dtype is None else a.astype(dtype)
        missing = np.isnan(a)
        given = {} if initial is None else {"initial": initial, "where": where}
        best = fold(np.where(missing, neutral, a), axis=axis, keepdims=keepdims, **given)
        return best if given else np.where(np.all(missing, axis=axis, keepdims=keepdims), np.nan, best)

    return call


composition(np.nanmax, np.fmax.reduce, checked=True)(_nan_extreme(np.max, -np.inf))
composition(np.nanmin, np.fmin.reduce, checked=True)(_nan_extreme(np.min, np.inf))

no_derivative(
    np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.argsort, np.argpartition, np.argwhere, np.nonzero,
    np.flatnonzero, np.count_nonzero, np.searchsorted, np.digitize, np.all, np.any, np.lexsort,
)  # fmt: skip
