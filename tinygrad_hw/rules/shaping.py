"""The calculus of shape: indexing, reshaping, joining, splitting, padding, sorting, repeating.

All of these only move entries, so each rule moves the cotangent's entries back; where one entry was
used several times, its cotangents add up.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from .reductions import values_of
from .table import LISTS, Each, composition, dispatched, no_derivative, own_code, rule, stands_in


# Indexing
@dispatched
def getitem(x: Any, index: Any) -> Any:
    """Return x[index], for every kind of index that NumPy has."""
    return x[index]


@dispatched
def scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros of the shape, with g added at the index as often as the index names an entry."""
    out = np.zeros(shape, g.dtype)
    if _is_basic(index):
        out[index] = g
    else:
        np.add.at(out, index, g)
    return out


def apply_views(x: Any, steps: Any) -> Any:
    """Return the view of x that several steps lead to: functions that return views, each with its further arguments."""
    for function, args, kwargs in steps:
        x = function(x, *args, **kwargs)
    return x


def layout(x: Any) -> tuple[int, ...] | None:
    """Return the axes in the order in which the memory of an array holds them; None for the usual order."""
    return None if x.flags.c_contiguous else tuple(axes_by_stride(x))


def copied(x: Any, axes: tuple[int, ...] | None) -> Any:
    """Return a copy of x of a layout: a reshape that is a view of one array of this layout is a view of every other."""
    if axes is None:
        return np.array(x, order="C")
    return np.transpose(np.copy(np.transpose(x, axes), order="C"), _inverse(axes, len(axes)))


def with_layout_of(like: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return x in the layout of another array."""
    return x if layout(like) == layout(x) else copied(x, layout(like))


@dispatched
def setitem(x: Any, value: Any, index: Any, steps: Any = (), axes: tuple[int, ...] | None = None) -> Any:
    """Return x with value at the index of the view that the steps lead to; ``axes`` is the layout of x."""
    out = copied(x, axes)
    apply_views(out, steps)[index] = value
    return out


BASIC = {int, slice, type(None), type(...)}  # what an index holds that holds no array


def _is_basic(index: Any) -> bool:
    """Tell whether an index names each entry at most once: integers, slices, newaxis, ellipsis, masks."""
    parts = index if isinstance(index, tuple) else (index,)
    return BASIC.issuperset(map(type, parts)) or all(
        part is None or part is Ellipsis or isinstance(part, (int, slice, np.integer)) or getattr(part, "dtype", None) == np.dtype(bool)
        for part in parts
    )


def _last_written(index: Any, shape: tuple[int, ...], value_shape: tuple[int, ...]) -> Any:
    """Tell which entries of a broadcast value remain in x after x[index] = value, where the index repeats."""
    order = np.arange(int(np.prod(value_shape))).reshape(value_shape)
    return getitem(setitem(np.zeros(shape, int), order, index), index) == order


def _setitem_value(g: Any, out: Any, x: Any, value: Any, index: Any, steps: Any = (), axes: Any = None) -> Any:
    """Return g at the index, for the last of several writes to one entry."""
    taken = apply_views(g, steps)[index]
    if not _is_basic(index):
        taken = np.where(_last_written(index, apply_views(np.empty(x.shape), steps).shape, taken.shape), taken, 0)
    return _with_ndim(taken, np.ndim(value))


class Entries:
    """The cotangent of an array of which entries were read: g at an index, 0 elsewhere. The sweep adds many of them to one array."""

    __slots__ = ("g", "index")

    def __init__(self, g: Any, index: Any) -> None:
        self.g, self.index = g, index

    def add_to(self, total: np.ndarray) -> None:
        if _is_basic(self.index):
            total[self.index] += self.g
        else:
            np.add.at(total, self.index, self.g)


def _setitem_vjps(g: Any, may_overwrite: bool, x: Any, value: Any, index: Any, steps: Any = (), axes: Any = None) -> tuple[Any, Any]:
    """Return the cotangents of x and value; where no one else holds g, that of x is g itself, changed in place."""
    of_value = np.array(_setitem_value(g, None, x, value, index, steps))
    if not may_overwrite or type(g) is not np.ndarray or layout(g) != axes:
        return setitem(g, 0.0, index, steps, axes), of_value
    apply_views(g, steps)[index] = 0
    return g, of_value


rule(getitem,   lambda g, out, x, index: scatter(g, index, x.shape), None, kind="choice", view=True,
     joint_vjp=lambda g, may_overwrite, x, index: (Entries(g, index),))
rule(scatter,   lambda g, out, x, index, shape: g[index], None, None, call=scatter, kind="movement")
rule(setitem,   lambda g, out, x, value, index, steps=(), axes=None: setitem(g, 0.0, index, steps, axes), _setitem_value, None, None, None,
     call=setitem, kind="choice", joint_vjp=_setitem_vjps)

# Axes
def _reshaped(x: Any, *args: Any, **kwargs: Any) -> Any:
    """Return np.reshape(x, ...), of an array by its method where that takes the same arguments: it has less overhead."""
    return x.reshape(*args) if len(args) == 1 and not kwargs and type(x) is np.ndarray else np.reshape(x, *args, **kwargs)


def _transposed(x: Any, axes: Any = None) -> Any:
    """Return np.transpose(x, axes), of an array by its method, which has less overhead."""
    return x.transpose(axes) if type(x) is np.ndarray else np.transpose(x, axes)


rule(np.reshape,     lambda g, out, x, shape=None, order="C", **kwargs: np.reshape(g, x.shape, order=order),
     call=_reshaped, kind="movement", view=True)
rule(np.squeeze,     lambda g, out, x, axis=None: np.reshape(g, x.shape), kind="movement", view=True)
rule(np.expand_dims, lambda g, out, x, axis: np.reshape(g, x.shape), kind="movement", view=True)
rule(np.transpose,   lambda g, out, x, axes=None: np.transpose(g, _inverse(axes, x.ndim)),
     call=_transposed, kind="movement", view=True)
rule(np.swapaxes,    lambda g, out, x, axis1, axis2: np.swapaxes(g, axis1, axis2), kind="movement", view=True)
rule(np.moveaxis,    lambda g, out, x, source, destination: np.moveaxis(g, destination, source), kind="movement", view=True)
rule(np.flip,        lambda g, out, x, axis=None: np.flip(g, axis), kind="movement", view=True)
rule(np.broadcast_to, lambda g, out, x, shape, subok=False: g, kind="movement", view=True)
rule(np.diagonal,    lambda g, out, x, *axes, **named:
     np.reshape(scatter(g, np.diagonal(places_in(x), *axes, **named), (x.size,)), x.shape), kind="movement", view=True)
rule(sliding_window_view, lambda g, out, x, window_shape, axis=None, **options: overlaid(g, x.shape, axis), None,
     kind="movement", view=True)
rule(np.roll,        lambda g, out, x, shift, axis=None: np.roll(g, np.negative(shift), axis), kind="movement")
rule(np.copy,        lambda g, out, x, *args, **kwargs: g, kind="movement")


@dispatched
def overlaid(g: Any, shape: tuple[int, ...], axis: Any = None) -> Any:
    """Return the windows of ``sliding_window_view``, put back to their places in an array of the shape and added up."""
    ndim, out = len(shape), np.zeros(shape, g.dtype)
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim, allow_duplicate=True)
    for offsets in np.ndindex(*g.shape[ndim:]):
        start = [0] * ndim
        for i, offset in zip(axes, offsets):
            start[i] += offset
        window: tuple[Any, ...] = (..., *offsets)
        out[tuple(slice(k, k + n) for k, n in zip(start, g.shape))] += g[window]
    return out


rule(overlaid, lambda h, out, g, shape, axis=None: sliding_window_view(h, g.shape[len(shape):], axis), None, None,
     call=overlaid, kind="movement")


def places_in(x: Any) -> Any:
    """Return an array of x's shape with the place of each entry, counted in C order."""
    return np.arange(x.size).reshape(x.shape)


@dispatched
def axes_by_stride(x: Any) -> list[int]:
    """Return the axes in the order in which the memory holds them."""
    return sorted(range(x.ndim), key=lambda axis: -abs(x.strides[axis]))


@dispatched
def contiguous(x: Any, order: str) -> bool:
    """Tell whether the entries are contiguous in memory in this order ("K": in any order of the axes)."""
    flags = np.transpose(x, axes_by_stride(x)).flags if order in ("K", "A") else x.flags
    return bool(flags.f_contiguous if order == "F" else flags.c_contiguous)


def has_order(x: Any, order: str) -> bool:
    """Tell whether the entries are in memory in one of NumPy's orders already."""
    return order == "K" or any(contiguous(x, one) for one in ("CF" if order == "A" else order))


@dispatched
def equal_arrays(x: Any, y: Any) -> bool:
    """Tell whether two arrays are equal, nan for nan; a compiled program holds what it was when recorded."""
    return np.array_equal(x, y, equal_nan=True)


no_derivative(axes_by_stride, contiguous, equal_arrays)


@dispatched
def barrier(x: Any, moment: Any) -> Any:
    """Return x; a compiled program computes with it anew, and shares nothing with what it computed with x before the moment."""
    return x


rule(barrier, lambda g, out, x, moment: g, None, kind="movement", call=barrier)


@composition(np.ravel)
def _ravel(a: Any, order: Any = "C") -> Any:
    axes = axes_by_stride(a) if order in ("K", "A") else list(range(a.ndim))
    if order == "K":
        flat = np.reshape(np.transpose(a, axes), -1)
    else:
        backwards = order == "A" and axes != sorted(axes) and axes[::-1] == sorted(axes)
        order = "F" if backwards else "C" if order == "A" else order
        flat = np.reshape(a, -1, order=order)
    return flat if contiguous(a, order) else np.copy(flat)


def _inverse(axes: Any, ndim: int) -> Any:
    """Return the transposition that undoes one; that of a vector may be given by an integer."""
    return None if axes is None else [int(i) for i in np.argsort([axis % ndim for axis in np.atleast_1d(axes)])]


@dispatched
def astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    """Return x in another dtype."""
    return x.astype(dtype, copy=copy)


rule(astype, lambda g, out, x, dtype, copy=True: g, None, kind="movement")
composition("astype")(lambda x, dtype, /, *, copy=True, device=None: x.astype(dtype, copy=copy))


# Joining
@dispatched
def concatenate(*arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the arrays joined along an axis that they have."""
    return np.concatenate(arrays, axis=axis, **options)


@dispatched
def stack(*arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the arrays joined along a new axis."""
    return np.stack(arrays, axis=axis, **options)


def _segment(i: int, g: Any, out: Any, *arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the part of g that came from the i-th array."""
    axis, start = axis % g.ndim, sum([x.shape[axis] for x in arrays[:i]])
    return g[(slice(None),) * axis + (slice(start, start + arrays[i].shape[axis]),)]


def _segments(g: Any, may_overwrite: bool, *arrays: Any, axis: int = 0, **options: Any) -> list[Any]:
    return np.split(g, list(accumulate(x.shape[axis] for x in arrays[:-1])), axis)


rule(concatenate, Each(_segment), kind="movement", joint_vjp=_segments)
rule(stack, Each(lambda i, g, out, *arrays, axis=0, **options: g[(slice(None),) * (axis % g.ndim) + (i,)]), kind="movement",
     joint_vjp=lambda g, may_overwrite, *arrays, axis=0, **options: list(np.moveaxis(g, axis, 0)))


def array(x: Any) -> Any:
    """Return x if it is an array or a tensor, else the array of it; nested lists may hold tensors."""
    if hasattr(x, "ndim"):
        return x
    return np.stack([array(part) for part in x]) if _holds_tensors(x) else np.asarray(x)


def floats(x: Any) -> Any:
    """Return x in floating or complex numbers; Python's numbers remain as they are, for they widen no dtype."""
    x = x if isinstance(x, (int, float, complex)) else array(x)
    return x if isinstance(x, (int, float, complex)) or x.dtype.kind in "fc" else x.astype(float)


def _holds_tensors(x: Any) -> bool:
    """Tell whether nested lists hold tensors, or whatever else stands for an array."""
    if isinstance(x, (list, tuple)):
        return any(map(_holds_tensors, x))
    return stands_in(x)


@composition(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0, out: None = None, **options: Any) -> Any:
    arrays = map(array, arrays)
    return concatenate(*map(np.ravel, arrays), **options) if axis is None else concatenate(*arrays, axis=axis, **options)


composition(np.stack)(lambda arrays, axis=0, out=None, **options: stack(*map(array, arrays), axis=axis, **options))
composition(np.vstack)(lambda tup, **kwargs: np.concatenate([np.atleast_2d(array(a)) for a in tup], 0, **kwargs))
composition(np.dstack)(lambda tup, **kwargs: np.concatenate([np.atleast_3d(array(a)) for a in tup], 2, **kwargs))


@composition(np.hstack)
def _hstack(tup: Any, **kwargs: Any) -> Any:
    arrays = [np.atleast_1d(array(a)) for a in tup]
    return np.concatenate(arrays, 0 if arrays[0].ndim == 1 else 1, **kwargs)


composition(np.column_stack)(lambda tup: np.concatenate([a if a.ndim > 1 else np.reshape(a, (-1, 1)) for a in map(array, tup)], 1))
composition(np.append)(lambda arr, values, axis=None: _concatenate([arr, values], axis))


@composition(np.block)
def _block(arrays: Any) -> Any:
    return _joined_blocks(arrays)[0] if isinstance(arrays, list) else np.copy(arrays)


def _joined_blocks(arrays: Any) -> tuple[Any, int]:
    """Return the array of nested lists, and their depth: the innermost are joined along the last axis, the next along the one before."""
    if not isinstance(arrays, list):
        return arrays, 0
    parts, depths = zip(*map(_joined_blocks, arrays))
    ndim = max(depths[0] + 1, *map(np.ndim, parts))
    return np.concatenate([_with_ndim(part, ndim) for part in parts], -depths[0] - 1), depths[0] + 1


def _with_ndim(x: Any, ndim: int) -> Any:
    """Return x with as many axes as are wanted at least: axes of size 1 are put in front."""
    return np.reshape(x, (1,) * (ndim - np.ndim(x)) + np.shape(x)) if np.ndim(x) < ndim else x


def _of_each(change: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of any number of arrays that changes each: of several it gives a tuple."""
    return lambda *arrays: change(*arrays) if len(arrays) == 1 else tuple(map(change, arrays))


composition(np.atleast_1d)(_of_each(lambda a: _with_ndim(a, 1)))
composition(np.atleast_2d)(_of_each(lambda a: _with_ndim(a, 2)))
composition(np.atleast_3d)(_of_each(lambda a: a if np.ndim(a) > 2 else np.expand_dims(_with_ndim(a, 2), -1)))


LISTS.update((
    np.concatenate, np.stack, np.vstack, np.hstack, np.dstack, np.column_stack, np.block, np.select, np.choose, np.linalg.multi_dot,
    np.histogramdd,
))  # fmt: skip

# Splitting
@composition(np.array_split)
def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    (parts,), n, before = values_of(indices_or_sections), ary.shape[axis], (slice(None),) * (axis % ary.ndim)
    if np.ndim(parts):
        edges = [0, *map(int, parts), n]
    else:
        if (parts := int(parts)) < 1:
            raise ValueError("number sections must be larger than 0.")
        each, more = divmod(n, parts)
        edges = [i * each + min(i, more) for i in range(parts + 1)]
    indices = [(*before, slice(start, stop)) for start, stop in pairwise(edges)]
    return [ary[index] for index in indices]


for splitting in (np.split, np.hsplit, np.vsplit, np.dsplit):
    composition(splitting)(own_code(splitting))


@composition(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.reshape(a, shape) if np.shape(a) == shape else np.broadcast_to(a, shape) for a in args)


composition(np.matrix_transpose)(lambda x: np.swapaxes(x, -1, -2))
composition(np.rollaxis)(own_code(np.rollaxis))


@composition(np.rot90)
def _rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    axes, out = normalize_axis_tuple(axes, m.ndim), m[:]
    for _ in range(k % 4):
        out = np.flip(np.swapaxes(out, *axes), axes[0])
    return out


# Every other function that only moves entries: apply it to their places instead, and index with the result.
def moved(function: Callable[..., Any], x: Any, *args: Any, **kwargs: Any) -> Any:
    """Return function(x, ...), by the places in x from which the entries of its result come."""
    return np.ravel(x)[function(places_in(x), *args, **kwargs)]


composition(np.repeat)(lambda a, repeats, axis=None: moved(np.repeat, a, repeats, axis))
composition(np.delete)(lambda arr, obj, axis=None: moved(np.delete, arr, obj, axis))
composition(np.take_along_axis)(lambda arr, indices, axis=-1: moved(np.take_along_axis, arr, array(indices), axis))
composition(np.tile)(  # (of nothing NumPy's is a view)
    lambda A, reps: moved(np.tile, A, reps) if A.size else np.reshape(A, np.tile(np.empty(A.shape), reps).shape)
)
composition(np.resize)(lambda a, new_shape: moved(np.resize, a, new_shape) if a.size else np.zeros(new_shape, a.dtype) + 0 * np.sum(a))
composition(np.compress, as_written=True)(lambda condition, a, axis=None, out=None: np.take(a, np.flatnonzero(condition), axis))
composition(np.fliplr, checked=True)(lambda m: m[:, ::-1])
composition(np.flipud, checked=True)(lambda m: m[::-1])


@composition(np.take)
def _take(a: Any, indices: Any, axis: int | None = None, out: None = None, mode: str = "raise") -> Any:
    a, places = np.reshape(a, (1,)) if a.ndim == 0 else a, array(indices)
    axis = axis if axis is None else normalize_axis_tuple(operator.index(axis), a.ndim)[0]
    if axis and 0 in a.shape[:axis]:  # (no entry is taken, and no index looked at)
        return np.reshape(np.copy(getitem(a, slice(0, 0))), a.shape[:axis] + places.shape + a.shape[axis + 1 :])
    n = a.size if axis is None else a.shape[axis]
    places = places.astype(int) if places.dtype.kind == "b" or not places.size else places
    places = places % n if mode == "wrap" else np.clip(places, 0, n - 1) if mode == "clip" else places
    if axis is None:
        return getitem(np.ravel(a), places)
    taken = getitem(a, (slice(None),) * axis + (places,))
    return np.copy(taken, order="C") if axis else taken  # (an index in the middle leaves another layout than take does)


def _in_order(a: Any, axis: int | None, order: Callable[[Any, int], Any]) -> Any:
    """Return the entries in the order that a function says, in the layout of a."""
    a, axis = (np.ravel(a), -1) if axis is None else (a, axis)
    axes, found = axes_by_stride(a), np.take_along_axis(a, order(a, axis), axis)
    return found if axes == sorted(axes) else copied(found, axes)


composition(np.sort)(
    lambda a, axis=-1, kind=None, order=None, *, stable=None: _in_order(a, axis, lambda a, axis: np.argsort(a, axis, kind="stable"))
)
composition(np.partition)(
    lambda a, kth, axis=-1, kind="introselect", order=None: _in_order(a, axis, lambda a, axis: np.argpartition(a, kth, axis, kind))
)


composition(np.extract, as_written=True)(lambda condition, arr: np.ravel(arr)[np.ravel(array(condition)).astype(bool)])


@composition(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    choicelist = list(map(array, choicelist))
    dtype = np.result_type(*(x.dtype for x in choicelist), getattr(default, "dtype", default))
    out = astype(array(default), dtype)
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        out = np.where(condition, choice, out)
    return out


@composition(np.choose)
def _choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    choices = list(map(array, choices))
    shape = np.broadcast_shapes(np.shape(a), *map(np.shape, choices))
    numbers = np.choose(np.broadcast_to(a, shape), [np.full(shape, k) for k in range(len(choices))], mode=mode)
    return _select([numbers == k for k in range(1, len(choices))], choices[1:], choices[0])


@composition(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    if mode in ("edge", "reflect", "symmetric", "wrap") and kwargs.get("reflect_type", "even") == "even":
        return moved(np.pad, array, pad_width, mode, **kwargs)
    if mode == "constant":
        inside = np.pad(np.ones(array.shape, bool), pad_width)
        frame = np.pad(np.zeros(array.shape, array.dtype), pad_width, constant_values=np.asarray(kwargs.get("constant_values", 0)))
        return setitem(frame, np.ravel(array), inside) if array.size else np.where(inside, 0, frame) + 0 * np.sum(array)
    raise NotImplementedError(f"pad: mode {mode!r} has no rule; constant, edge, reflect, symmetric and wrap have")


composition(np.triu)(lambda m, k=0: np.where(np.triu(np.ones(m.shape[-2:], bool), k), m, 0))
composition(np.tril)(lambda m, k=0: np.where(np.tril(np.ones(m.shape[-2:], bool), k), m, 0))


@composition(np.diag)
def _diag(v: Any, k: int = 0) -> Any:
    if v.ndim == 2:
        return np.diagonal(v, k)
    if v.ndim != 1:
        raise ValueError(f"diag: a vector or a matrix is needed, not an array of shape {v.shape}")
    n = v.size + abs(k)
    rows = np.arange(v.size)
    return scatter(v, (rows + max(-k, 0), rows + max(k, 0)), (n, n))


composition(np.diagflat)(lambda v, k=0: np.diag(np.ravel(v), k))


@composition(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    places, new = np.arange(np.size(arr)), np.size(arr) + np.arange(np.size(values))
    where = np.insert(places.reshape(np.shape(arr)), obj, new.reshape(np.shape(values)), axis)
    return np.concatenate([np.ravel(arr), np.ravel(values)])[where].astype(np.result_type(arr))


@composition(np.ediff1d, checked=True)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = np.ravel(ary)
    parts = [to_begin, flat[1:] - flat[:-1], to_end]
    return np.concatenate([np.ravel(p) for p in parts if p is not None]).astype(ary.dtype)


@composition(np.ix_, checked=True)
def _ix(*args: Any) -> Any:
    entries = [np.flatnonzero(x) if x.dtype.kind == "b" else x for x in map(array, args)]
    return tuple(np.reshape(x, (1,) * i + (-1,) + (1,) * (len(args) - i - 1)) for i, x in enumerate(entries))


@composition(np.trim_zeros, checked=True)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    found, kept = np.nonzero(np.atleast_1d(filt)), [slice(None)] * filt.ndim
    sides = trim.lower() if len(found[0]) else "fb"
    for i in range(filt.ndim) if axis is None else [i % filt.ndim for i in np.atleast_1d(axis)]:
        first, last = (int(found[i].min()), int(found[i].max()) + 1) if len(found[i]) else (0, 0)
        kept[i] = slice(first if "f" in sides else 0, last if "b" in sides else None)
    return filt[tuple(kept)]


@composition(np.unique)
def _unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: Any = None,
            **options: Any) -> Any:  # fmt: skip
    (values,) = values_of(ar)
    _, first, *others = np.unique(values, True, return_inverse, return_counts, axis, **options)
    found = np.ravel(ar)[first] if axis is None else np.take(ar, first, axis)
    others = [first, *others] if return_index else others
    return (found, *others) if others else found


@composition(np.unique_all)
def _unique_all(x: Any) -> Any:
    (values,) = values_of(x)
    found = np.unique_all(values)
    return type(found)(np.ravel(x)[found.indices], *found[1:])


for function in (np.unique_counts, np.unique_inverse):  # (a part of what np.unique_all gives, in its order, that of the numbers)
    kind = type(function(np.ones(1)))
    composition(function, as_written=True)(lambda x, kind=kind: kind(*(getattr(np.unique_all(x), name) for name in kind._fields)))
composition(np.unique_values, as_written=True)(lambda x: np.unique_all(x).values)


no_derivative(
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.min_scalar_type, np.iscomplexobj,
    np.isrealobj, np.iscomplex, np.isreal, np.shares_memory, np.may_share_memory, np.zeros_like, np.ones_like,
    np.empty_like, np.array_repr, np.array_str, np.array2string, np.unravel_index, np.ravel_multi_index,
    np.isin, np.tril_indices_from, np.triu_indices_from, np.diag_indices_from, np.iterable, np.isscalar,
)  # fmt: skip
