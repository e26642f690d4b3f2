"""NumPy's functions that write into their argument: on a tensor each is written as ``t[...] = v``.

An array that is no tensor cannot take a tensor's values: it raises, and names the ways out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .reductions import values_of
from .shaping import array, astype, getitem, places_in
from .table import composition, is_scalar


@composition(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **kwargs: Any) -> Any:
    value = astype(array(fill_value), np.result_type(a if dtype is None else dtype))
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    more = max(value.ndim - len(shape), 0)  # (axes of 1 in front, as in an assignment)
    return np.copy(np.broadcast_to(np.reshape(value, value.shape[more:]) if more else value, shape))


def _castable(value: Any, target: Any, rule: str) -> Any:
    """Return a value to be written as an array, if NumPy's rule lets its dtype become the target's."""
    value = array(value)
    if not np.can_cast(value.dtype, target.dtype, rule):
        raise TypeError(f"Cannot cast array data from {value.dtype!r} to {target.dtype!r} according to the rule {rule!r}")
    return value


@composition(np.copyto, as_written=True)
def _copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = True) -> None:
    src = _castable(src, dst, casting)
    dst[...] = src if where is True else np.where(np.broadcast_to(where, dst.shape), src, dst)


@composition(np.put, as_written=True)
def _put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    places, v = np.ravel(np.take(np.arange(a.size), ind, mode=mode)), np.ravel(array(v))
    if v.size == 0:
        return
    values = v[np.arange(places.size) % v.size]
    if a.ndim:
        a[np.unravel_index(places, a.shape)] = values
    elif places.size:
        a[...] = values[-1]


def _only_safely(values: Any, target: Any) -> Any:
    """Return values to be written as an array; an array's must fit into the target's dtype whatever they are."""
    exempt = not hasattr(values, "dtype") or is_scalar(*values_of(values))
    return array(values) if exempt else _castable(values, target, "safe")


@composition(np.place, as_written=True)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    mask, vals = np.reshape(array(mask).astype(bool), arr.shape), _only_safely(vals, arr)
    if vals.size == 0 and np.any(mask):
        raise ValueError("Cannot insert from an empty array!")
    _write_where(mask, arr, vals, np.cumsum(mask) - 1)


def _write_where(mask: Any, a: Any, values: Any, places: Any) -> None:
    """Write to a where the mask is true; the places say which of the values, which are repeated as often as needed."""
    if values.size:
        found = getitem(np.ravel(values).astype(a.dtype), places % values.size)
        a[...] = np.where(mask, np.reshape(found, a.shape), a)


@composition(np.putmask, as_written=True)
def _putmask(a: Any, /, mask: Any, values: Any) -> None:
    _write_where(np.reshape(array(mask).astype(bool), a.shape), a, _only_safely(values, a), np.arange(a.size))


@composition(np.put_along_axis, as_written=True)
def _put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    places = np.take_along_axis(places_in(arr), array(indices), axis)
    arr[np.unravel_index(places, arr.shape)] = values


@composition(np.fill_diagonal, as_written=True)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    marks = np.zeros(a.shape, bool)
    np.fill_diagonal(marks, True, wrap)
    _write_where(marks, a, array(val), np.cumsum(marks) - 1)
