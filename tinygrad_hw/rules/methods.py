"""The methods of NumPy's ufuncs: reduce, accumulate and reduceat as folds of the ufunc itself, and ``at``.

Sums, products, largest and smallest entries have rows of their own (see ``reductions``); ``outer`` is the ufunc on spread axes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .reductions import Axis, _line_up, _with_folded_axes
from .shaping import scatter
from .table import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS, composition, no_derivative


def _reduce(ufunc: Any) -> Any:
    """Return ufunc.reduce as a fold over the entries in order."""

    def call(a: Any, axis: Axis = 0, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
             where: Any = True) -> Any:  # fmt: skip
        if where is not True:
            raise TypeError(f"{ufunc.__name__}.reduce: where= has no rule; select the entries first")
        lined, _ = _line_up(a if dtype is None else a.astype(dtype), axis)
        entries = [lined[..., i] for i in range(lined.shape[-1])]
        if initial is None and not entries:
            raise ValueError(f"zero-size array to reduction operation {ufunc.__name__} which has no initial value")
        found = entries.pop(0) if initial is None else initial
        for entry in entries:
            found = ufunc(found, entry)
        return _with_folded_axes(found, a, axis) if keepdims else found

    return call


def _accumulate(ufunc: Any) -> Any:
    """Return ufunc.accumulate as a fold that keeps every step."""

    def call(a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Any:
        a = np.moveaxis(a if dtype is None else a.astype(dtype), axis, 0)
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
    """Return ufunc.at, which has a derivative where it adds."""

    def call(a: Any, indices: Any, b: Any = None) -> None:
        if ufunc not in (np.add, np.subtract):
            raise TypeError(f"{ufunc.__name__}.at has no rule: use t[index] = np.{ufunc.__name__}(t[index], ...), each place named once")
        place = np.arange(a.size).reshape(a.shape)[indices]
        a[...] = ufunc(a, np.reshape(scatter(np.broadcast_to(b, place.shape), place, (a.size,)), a.shape))

    return call


for known in [function for function in RULES if isinstance(function, np.ufunc) and function.signature is None]:
    composition(known.at)(_at(known))
    if known.nin == 2 and known is not np.ldexp:
        for name, body in (("reduce", _reduce), ("accumulate", _accumulate), ("reduceat", _reduceat)):
            if getattr(known, name) not in SPELLINGS:
                COMPOSITIONS.setdefault(getattr(known, name), body(known))

for known in [function for function in NO_DERIVATIVE if isinstance(function, np.ufunc) and function.nin == 2]:
    no_derivative(known.reduce, known.accumulate, known.reduceat)
