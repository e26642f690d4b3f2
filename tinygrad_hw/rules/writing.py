"""NumPy's functions that write into their argument: on a tensor each is ``t[...] = v``, in its own way of saying where.

An array that is no tensor cannot take a tensor's values: it raises, and names the ways out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .shaping import array, astype
from .table import composition


@composition(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **kwargs: Any) -> Any:
    value = astype(array(fill_value), np.result_type(a if dtype is None else dtype))
    return np.copy(np.broadcast_to(value, a.shape if shape is None else shape))


@composition(np.copyto, as_written=True)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not np.can_cast(src if hasattr(src, "dtype") else np.asarray(src), dst.dtype, casting):
        raise TypeError(f"Cannot cast array data from {np.result_type(src)!r} to {dst.dtype!r} according to the rule {casting!r}")
    dst[...] = src if where is True else np.where(where, src, dst)


@composition(np.put, as_written=True)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    places = np.ravel(np.take(np.arange(a.size), ind, mode=mode))
    a[np.unravel_index(places, a.shape)] = np.ravel(v)[np.arange(places.size) % max(np.size(v), 1)]


@composition(np.place, as_written=True)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    mask = np.asarray(mask, bool).reshape(arr.shape)
    arr[mask] = np.ravel(vals)[np.arange(np.count_nonzero(mask)) % max(np.size(vals), 1)]


@composition(np.putmask, as_written=True)
def _putmask(a: Any, /, mask: Any, values: Any) -> None:
    mask = np.asarray(mask, bool).reshape(a.shape)
    a[mask] = np.ravel(values)[np.flatnonzero(mask) % max(np.size(values), 1)]


@composition(np.put_along_axis, as_written=True)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    places = np.take_along_axis(np.arange(arr.size).reshape(arr.shape), np.asarray(indices), axis)
    arr[np.unravel_index(places, arr.shape)] = values


@composition(np.fill_diagonal, as_written=True)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    marks = np.zeros(a.shape, bool)
    np.fill_diagonal(marks, True, wrap)
    np.place(a, marks, val)
