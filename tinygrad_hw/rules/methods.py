"""The methods of NumPy's ufuncs: reduce, accumulate and reduceat as folds of the ufunc itself, and ``at``.

Sums, products, largest and smallest entries have rows of their own (see ``reductions``); ``outer`` is the ufunc on spread axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .reductions import Axis, _with_folded_axes, folded_last
from .shaping import array, places_in
from .table import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS, composition, no_derivative, stands_in


def _result_dtype(ufunc: Any, a: Any) -> Any:
    """Return the dtype of a ufunc's result for two entries of a."""
    return ufunc(np.ones((), a.dtype), np.ones((), a.dtype)).dtype


def _reduce(ufunc: Any) -> Any:
    """Return ufunc.reduce as a fold over the entries in order."""

    def call(a: Any, axis: Axis = 0, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
             where: Any = True) -> Any:  # fmt: skip
        a = a.astype(_result_dtype(ufunc, a) if dtype is None else dtype)
        lanes, wanted = (folded_last(x, axis)[0] for x in (a, np.broadcast_to(where, a.shape)))
        entries = [lanes[..., i] for i in range(lanes.shape[-1])]
        start = ufunc.identity if initial is None else initial
        found = entries[0] if start is None else np.broadcast_to(array(start).astype(a.dtype), lanes.shape[:-1])
        for i in range(int(start is None), len(entries)):
            found = np.where(wanted[..., i], ufunc(found, entries[i]), found) if where is not True else ufunc(found, entries[i])
        return _with_folded_axes(found, a, axis) if keepdims else found

    return call


def _accumulate(ufunc: Any) -> Any:
    """Return ufunc.accumulate as a fold that keeps every step."""

    def call(a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Any:
        a = np.moveaxis(a.astype(_result_dtype(ufunc, a) if dtype is None else dtype), axis, 0)
        found = [a[i] for i in range(len(a))]
        for i in range(1, len(found)):
            found[i] = ufunc(found[i - 1], found[i])
        return np.moveaxis(np.stack(found) if found else a, 0, axis)

    return call


def _reduceat(ufunc: Any) -> Any:
    """Return ufunc.reduceat as one reduction for each place."""

    def call(a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Any:
        a, starts = np.moveaxis(a if dtype is None else a.astype(dtype), axis, 0), [int(i) for i in indices]
        ends = [*starts[1:], len(a)]
        parts = [ufunc.reduce(a[start:end], axis=0) if start < end else a[start] for start, end in zip(starts, ends)]
        return np.moveaxis(np.stack(parts), 0, axis)

    return call


def _at(ufunc: Any) -> Any:
    """Return ufunc.at: an operation at each place in turn, also where a place is named several times."""

    def call(a: Any, indices: Any, b: Any = None) -> None:
        is_mask = stands_in(indices) and indices.dtype == bool and indices.shape == a.shape
        if is_mask and np.ndim(b) == 0 and ufunc in (np.add, np.subtract, np.multiply):
            require_castable(new := ufunc(a, b), a)
            a[...] = np.where(indices, new.astype(a.dtype), a)  # (where the mask is true may not be known, while a program is recorded)
            return
        places = places_in(a)[indices]
        others = () if b is None else (np.copy(np.broadcast_to(b, places.shape)),)  # (a copy: b may share entries with a)
        for positions in _occurrences(np.ravel(places)):
            where = np.unravel_index(np.ravel(places)[positions], a.shape) if a.ndim else ...
            new = ufunc(a[where], *(np.ravel(other)[positions] for other in others))
            require_castable(new, a)
            a[where] = new.astype(a.dtype) if a.ndim else np.reshape(new, ())

    def require_castable(new: Any, a: Any) -> None:
        if new.dtype.kind == "c" != a.dtype.kind:  # (other numbers are cut off, as NumPy does)
            raise TypeError(f"{ufunc.__name__}.at: Cannot cast from {new.dtype!r} to {a.dtype!r} with casting rule 'same_kind'")

    return call


def _occurrences(places: Any) -> list[Any]:
    """Return the positions at which each place is named for the first time, for the second time, and so on."""
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=-1))
    times = np.empty(places.size, int)
    times[order] = np.arange(places.size) - np.repeat(starts, np.diff(starts, append=places.size))
    return [np.flatnonzero(times == k) for k in range(int(times.max(initial=-1)) + 1)]


for known in [function for function in RULES if isinstance(function, np.ufunc) and function.signature is None]:
    composition(known.at, as_written=True)(_at(known))
    if known.nin == 2 and known is not np.ldexp:
        for name, body in (("reduce", _reduce), ("accumulate", _accumulate), ("reduceat", _reduceat)):
            if getattr(known, name) not in SPELLINGS and getattr(known, name) not in COMPOSITIONS:
                composition(getattr(known, name), checked=True)(body(known))

for known in [function for function in NO_DERIVATIVE if isinstance(function, np.ufunc)]:
    composition(known.at, as_written=True)(_at(known))
    if known.nin == 2:
        no_derivative(known.reduce, known.accumulate, known.reduceat)
