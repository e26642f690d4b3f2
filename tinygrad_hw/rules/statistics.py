"""The calculus of statistics: medians and quantiles, averages, covariances, histograms.

A quantile is an entry, or is interpolated between two neighbours in order: which ones is a choice, as for max, and ties share equally.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .elementwise import gap
from .reductions import Axis, _max_or_min, _with_folded_axes, folded_axes, folded_last, values_of
from .shaping import array, floats, scatter
from .table import composition, dispatched, no_derivative, rule


# Order
@dispatched
def ordered(x: Any, place: Any) -> Any:
    """Return the entry with this place in ascending order, along the last axis; place has size 1 there."""
    return np.take_along_axis(np.sort(x, -1), place, -1)


rule(ordered, lambda g, out, x, place: _max_or_min(g, out, x, -1, True), None, kind="choice")


def _quantiles(function: Any, a: Any, q: Any, axis: Axis, keepdims: bool, method: str = "linear", weights: Any = None) -> Any:
    """Return the quantiles: NumPy finds their places among the ranks; the entries at these places are interpolated."""
    a = floats(a)
    axis = None if axis is None else normalize_axis_tuple(axis, a.ndim)
    weighted = {} if weights is None else {"weights": weights}
    if not a.size:  # (NumPy's own is nan, or an error)
        return function(np.zeros(a.shape, a.dtype), q, axis=axis, method=method, keepdims=keepdims, **weighted) + 0 * np.sum(a)
    lanes, _ = folded_last(a, axis)
    (values,) = values_of(lanes)
    q = q if isinstance(q, (int, float)) else np.asarray(q)
    if weights is None and function in (np.quantile, np.percentile):  # (in every lane the same places)
        places = function(np.arange(lanes.shape[-1], dtype=float), q, method=method)
        places = np.broadcast_to(np.reshape(places, np.shape(q) + (1,) * lanes.ndim), (*np.shape(q), *lanes.shape[:-1], 1))
        known = np.broadcast_to(np.logical_not(np.isnan(values).any(-1, keepdims=True)), places.shape)
    else:
        ranks = np.where(np.isnan(values), np.nan, np.argsort(np.argsort(values, -1), -1))
        if weights is not None:
            (weights,) = values_of(array(weights))
            weighted = {"weights": folded_last(np.broadcast_to(_weights_along(weights, a, axis), a.shape), axis)[0]}
        places = function(ranks, q, axis=-1, method=method, **weighted)[..., None]
        known = np.logical_not(np.isnan(places))
        places = np.where(known, places, 0)
    kind = a.dtype if isinstance(q, (int, float)) else function(np.zeros(1, a.dtype), q, method=method).dtype
    of_each = [np.where(known[i], _interpolated(lanes, places[i]), np.nan)[..., 0].astype(kind) for i in np.ndindex(np.shape(q))]
    out = np.reshape(np.stack(of_each), (*np.shape(q), *of_each[0].shape))
    return _with_folded_axes(out, a, axis, np.ndim(q)) if keepdims else out


def _interpolated(x: Any, places: Any) -> Any:
    """Return the entries at these places in ascending order; between two of them they are interpolated."""
    low = np.floor(places)
    share = places - low
    first = ordered(x, low.astype(int))
    if not share.any():
        return first
    second = ordered(x, (low + (share > 0)).astype(int))
    return np.where(np.isneginf(np.real(first)) & (share > 0), first + second, first + share * gap(second, first))


def _quantile(function: Any) -> Any:
    """Give quantiles NumPy's own arguments."""

    def call(a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, method: str = "linear",
             keepdims: bool = False, *, weights: Any = None) -> Any:  # fmt: skip
        if a.dtype.kind == "c":
            raise TypeError(f"{function.__name__}: complex numbers have no order")
        return _quantiles(function, a, q, axis, keepdims, method, weights)

    return call


def _median(quantile: Any) -> Any:
    """Give the quantile at ½ the arguments of NumPy's medians."""

    def call(a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False) -> Any:
        return _quantiles(quantile, a, 0.5, axis, keepdims) if a.size else np.mean(a, axis=axis, keepdims=keepdims)

    return call


for function in (np.quantile, np.percentile, np.nanquantile, np.nanpercentile):
    composition(function)(_quantile(function))
composition(np.median)(_median(np.quantile))
composition(np.nanmedian)(_median(np.nanquantile))


# Averages
@composition(np.average, checked=True)
def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = array(a)
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        return (mean, np.full(mean.shape, a.size / max(mean.size, 1), mean.dtype)) if returned else mean
    weights = _weights_along(weights, a, axis)
    total = np.sum(np.broadcast_to(weights, a.shape), axis, keepdims=keepdims)
    if np.any(total == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, total.astype(mean.dtype)) if returned else mean


def _weights_along(weights: Any, a: Any, axis: Axis) -> Any:
    """Return weights of a's shape as they are; those that belong to some of its axes with axes of size 1 for the others."""
    if np.shape(weights) == a.shape:
        return weights
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = folded_axes(a, axis)
    return np.expand_dims(np.transpose(weights, np.argsort(axes)), tuple(i for i in range(a.ndim) if i not in axes))


def _observations(m: Any, rowvar: bool, dtype: Any) -> Any:
    """Return the variables as rows."""
    return np.atleast_2d(m).astype(dtype) if m.ndim < 2 or rowvar else np.transpose(m).astype(dtype)


@composition(np.cov, checked=True)
def _cov(m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
         aweights: Any = None, *, dtype: Any = None) -> Any:  # fmt: skip
    m, y = (part if part is None else array(part) for part in (m, y))
    dtype = np.result_type(*(part.dtype for part in (m, y) if part is not None), float) if dtype is None else dtype
    x = _observations(m, rowvar, dtype)
    if not len(x):
        return np.zeros((0, 0)) + 0 * np.real(np.sum(m))
    x = x if y is None else np.concatenate([x, _observations(y, rowvar, dtype)])
    ddof = int(not bias) if ddof is None else ddof
    given = [w for w in (fweights, aweights) if w is not None]
    w = np.ones(x.shape[1], np.finfo(x.dtype).dtype) if not given else given[0] * 1.0 if len(given) == 1 else fweights * aweights
    total = np.sum(w)
    centred = x - np.sum(x * w, 1, keepdims=True) / total
    lost = ddof if aweights is None else ddof * np.sum(w * aweights) / total
    return np.squeeze((centred * w) @ np.conjugate(centred).mT / np.maximum(total - lost, 0))


@composition(np.corrcoef, checked=True)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    c = np.cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    spread = np.sqrt(np.real(np.diagonal(c)))
    c = c / spread[:, None] / spread
    return np.clip(np.real(c), -1, 1) + 1j * np.clip(np.imag(c), -1, 1) if c.dtype.kind == "c" else np.clip(c, -1, 1)


# Histograms: the counts have no derivative, sums of weights have
@composition(np.bincount, checked=True, as_written=True)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    (x,) = values_of(x)
    if weights is None:
        return np.bincount(x, minlength=minlength)
    return scatter(weights.astype(float), x, (max(int(np.max(x, initial=-1)) + 1, minlength),))


def _sums_in_bins(columns: list[Any], edges: list[Any], weights: Any, density: bool | None) -> Any:
    """Return the sum of the weights in each bin, of as many axes as there are columns of coordinates; the last bin has its right edge."""
    inside = np.logical_and.reduce([(x >= e[0]) & (x <= e[-1]) for x, e in zip(columns, edges)])
    places = [np.minimum(np.searchsorted(e, x[inside], "right"), len(e) - 1) - 1 for x, e in zip(columns, edges)]
    sums = scatter(np.ravel(weights)[inside], tuple(places), tuple(len(e) - 1 for e in edges))
    return sums / reduce(np.multiply, np.ix_(*map(np.diff, edges))) / np.sum(sums) if density else sums


@composition(np.histogram, checked=True, as_written=True)
def _histogram(a: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> tuple[Any, Any]:
    a, bins = values_of(a, bins)
    if weights is None:
        return np.histogram(a, bins, range, density)
    edges = np.histogram_bin_edges(a, bins, range)
    return _sums_in_bins([np.ravel(a)], [edges], weights, density), edges


@composition(np.histogram2d, checked=True)
def _histogram2d(x: Any, y: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    x, y, bins = values_of(x, y, bins)
    counts, *edges = np.histogram2d(x, y, bins, range, density)
    return (counts if weights is None else _sums_in_bins([x, y], edges, weights.astype(float), density), *edges)


@composition(np.histogramdd, checked=True)
def _histogramdd(sample: Any, bins: Any = 10, range: Any = None, density: bool | None = None, weights: Any = None) -> Any:
    sample, bins = values_of(sample, bins)
    counts, edges = np.histogramdd(sample, bins, range, density)
    columns = list(np.transpose(sample)) if hasattr(sample, "ndim") else list(sample)
    return (counts if weights is None else _sums_in_bins(columns, edges, weights.astype(float), density)), edges


no_derivative(np.histogram_bin_edges)
