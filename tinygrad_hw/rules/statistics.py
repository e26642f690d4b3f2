"""The calculus of statistics: medians and quantiles, averages, covariances, histograms.

A quantile is an entry, or a mix of two neighbours in order: which ones is a choice, as for max, and ties share equally.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .elementwise import gap
from .reductions import Axis, _line_up, _max_or_min, _with_folded_axes
from .shaping import scatter
from .table import composition, dispatched, no_derivative, rule


@dispatched
def values_of(*arrays: Any) -> Any:
    """Return the arrays themselves: of tensors, their values."""
    return arrays


no_derivative(values_of)


# Order
@dispatched
def ordered(x: Any, place: Any) -> Any:
    """Return the entry with this place in ascending order, along the last axis; place has size 1 there."""
    return np.take_along_axis(np.sort(x, -1), place, -1)


rule(ordered, lambda g, out, x, place: _max_or_min(g, out, x, -1, True), None, kind="choice")


def _quantiles(function: Any, a: Any, q: Any, axis: Axis, keepdims: bool, **options: Any) -> Any:
    """Return the quantiles: NumPy finds their places among the ranks, the entries of these places are mixed."""
    a = a if a.dtype.kind in "fc" else a.astype(float)
    axis = None if axis is None else normalize_axis_tuple(axis, a.ndim)
    lined, _ = _line_up(a, axis)
    (values,) = values_of(lined)
    ranks = np.where(np.isnan(values), np.nan, np.argsort(np.argsort(values, -1), -1))
    q = np.asarray(q)
    places = np.asarray(function(ranks, q, axis=-1, **options))
    found = [_mixed(lined, places[i][..., None], np.result_type(a.dtype, q) if q.ndim else a.dtype)[..., 0] for i in np.ndindex(q.shape)]
    out = np.reshape(np.stack(found), (*q.shape, *found[0].shape))
    return _with_folded_axes(out, a, axis, q.ndim) if keepdims else out


def _mixed(x: Any, places: Any, dtype: Any) -> Any:
    """Return the entries at these places in order, between two of them a mix; nan where the place is nan."""
    known = ~np.isnan(places)
    low = np.floor(np.where(known, places, 0))
    share = (np.where(known, places, 0) - low).astype(dtype)
    first = ordered(x, low.astype(int))
    if share.any():
        first = first + share * gap(ordered(x, (low + (share > 0)).astype(int)), first)
    return first if known.all() else np.where(known, first, np.nan)


def _quantile(function: Any, scale: float = 1) -> Any:
    """Give quantiles NumPy's own arguments."""

    def call(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
             keepdims: bool = False, *, weights: Any = None) -> Any:  # fmt: skip
        options = {"method": method} if weights is None else {"method": method, "weights": _lined_weights(a, weights, axis)}
        return _quantiles(function, a, np.asarray(q) / scale, axis, keepdims, **options)

    return call


def _lined_weights(a: Any, weights: Any, axis: Axis) -> Any:
    """Return the weights, which are constants, with a's axes."""
    weights = np.asarray(weights)
    if weights.shape != a.shape:
        axes = axis if isinstance(axis, tuple) else (axis,)
        spread = np.expand_dims(weights, tuple(i for i in range(a.ndim) if i not in [int(k or 0) % a.ndim for k in axes]))
        weights = np.broadcast_to(spread, a.shape)
    return _line_up(weights, axis)[0]


composition(np.quantile)(_quantile(np.quantile))
composition(np.percentile)(_quantile(np.quantile, 100))
composition(np.nanquantile)(_quantile(np.nanquantile))
composition(np.nanpercentile)(_quantile(np.nanquantile, 100))


@composition(np.median)
def _median(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    return _quantiles(np.quantile, a, 0.5, axis, keepdims) if a.size else np.mean(a, axis=axis, keepdims=keepdims)


@composition(np.nanmedian)
def _nanmedian(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
    return _quantiles(np.nanquantile, a, 0.5, axis, keepdims) if a.size else np.mean(a, axis=axis, keepdims=keepdims)


# Averages
@composition(np.average, checked=True)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        return (mean, np.full(mean.shape, np.size(a) / max(mean.size, 1), mean.dtype)) if returned else mean
    if np.shape(weights) != np.shape(a):
        weights = _weights_along(weights, np.ndim(a), axis)
    total = np.sum(np.broadcast_to(weights, np.shape(a)), axis, keepdims=keepdims)
    if np.any(total == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def _weights_along(weights: Any, ndim: int, axis: Axis) -> Any:
    """Return weights that belong to some axes with axes of size 1 for the others."""
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = [i % ndim for i in (axis if isinstance(axis, tuple) else (axis,))]
    turned = np.transpose(weights, tuple(int(i) for i in np.argsort(axes)))
    return np.expand_dims(turned, tuple(i for i in range(ndim) if i not in axes))


def _observations(m: Any, rowvar: bool, dtype: Any) -> Any:
    """Return the variables as rows."""
    return np.atleast_2d(m).astype(dtype) if m.ndim < 2 or rowvar else np.transpose(m).astype(dtype)


@composition(np.cov, checked=True)
def _cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
         aweights: Any = None, *, dtype: Any = None) -> Any:  # fmt: skip
    m, y = (part if part is None or hasattr(part, "dtype") else np.asarray(part) for part in (m, y))
    dtype = np.result_type(*(part.dtype for part in (m, y) if part is not None), float) if dtype is None else dtype
    x = _observations(m, rowvar, dtype)
    x = x if y is None else np.concatenate([x, _observations(y, rowvar, dtype)])
    ddof = int(not bias) if ddof is None else ddof
    given = [w for w in (fweights, aweights) if w is not None]
    w = np.ones(x.shape[1]) if not given else given[0] * 1.0 if len(given) == 1 else fweights * aweights
    total = np.sum(w)
    centred = x - np.sum(x * w, 1, keepdims=True) / total
    lost = ddof if aweights is None else ddof * np.sum(w * aweights) / total
    return np.squeeze((centred * w) @ np.conjugate(centred).mT / (total - lost))


@composition(np.corrcoef, checked=True)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    c = c / spread[:, None] / spread
    return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1) if c.dtype.kind == "c" else np.clip(c, -1, 1)


# Histograms: the counts have no derivative, sums of weights have
@composition(np.bincount, checked=True)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    (x,) = values_of(x)
    if weights is None:
        return np.bincount(x, minlength=minlength)
    return scatter(weights.astype(float), x, (max(int(np.max(x, initial=-1)) + 1, minlength),))


@composition(np.histogram, checked=True)
def _histogram(a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> tuple[Any, Any]:
    a, bins = values_of(a, bins)
    if weights is None:
        return np.histogram(a, bins, range, density)
    edges = np.histogram_bin_edges(a, bins, range)
    inside = (np.ravel(a) >= edges[0]) & (np.ravel(a) <= edges[-1])
    places = np.minimum(np.searchsorted(edges, np.ravel(a)[inside], "right"), len(edges) - 1) - 1
    sums = scatter(np.ravel(weights)[inside], places, (len(edges) - 1,))
    return (sums / np.diff(edges) / np.sum(sums) if density else sums), edges


@composition(np.histogram2d, checked=True)
def _histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    return np.histogram2d(*values_of(x, y), bins, range, density, None if weights is None else np.asarray(weights))


@composition(np.histogramdd, checked=True)
def _histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    (sample,) = values_of(sample)
    return np.histogramdd(sample, bins, range, density, None if weights is None else np.asarray(weights))


no_derivative(np.histogram_bin_edges)
