"""Where each function's axes are: how to call it on whole batches.

A function below takes the arguments of the NumPy function for which it is registered, some of them ``Batched``, and calls that
function once on their arrays, with its axes moved behind those of the batches. Where it returns NotImplemented, or raises,
the function is called as it is written in others, if it is, and in the end entry by entry: so rare cases need no code here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from ..backward import values
from ..errors import BatchError
from ..graph import leaf
from ..rules import COMPOSITIONS, convolution, linalg, neural, products, reductions, shaping
from ..tensor import Tensor, handle
from .batched import (
    AXES,
    WRITE,
    Batched,
    Levels,
    at_levels,
    batches_in,
    common_levels,
    elementwise,
    entries_at,
    expanded,
    is_view,
    lined_up,
    with_axes,
    wrapped,
)

Axis = Any


def axes_of(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register how functions are called on whole batches; the decorated one takes the function first."""

    def register(on_batches: Callable[..., Any]) -> Callable[..., Any]:
        AXES.update({function: partial(on_batches, function) for function in functions})
        return on_batches

    return register


def whole_axes(x: Batched, axis: Axis) -> Any:
    """Return an axis of an entry, or several, or all for None, as axes of the whole array."""
    k = len(x._levels)
    if type(axis) is int:
        return normalize_axis_index(axis, x.ndim) + k
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    return axes[0] + k if len(axes) == 1 else tuple(i + k for i in axes)


def sizes_of(levels: Levels) -> tuple[int, ...]:
    """Return the number of entries of each level."""
    return tuple(level.size for level in levels)


def on_whole_array(function: Any, axis_arguments: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function of one batch on its whole array.

    ``axis_arguments`` has the place after x, the name and the default of each argument that names axes of an entry; a default of None
    means all axes. The function must treat the axes in front of these alike.
    """
    if not isinstance(x, Batched) or any(isinstance(arg, Batched) for arg in (*args, *kwargs.values())):
        return NotImplemented
    given = list(args)
    for place, name, default in axis_arguments:
        if place < len(given):
            given[place] = whole_axes(x, given[place])
        else:
            kwargs[name] = whole_axes(x, kwargs.get(name, default))
    return wrapped(function(x._raw, *given, **kwargs), x._levels)


# Functions of which it is enough to know the arguments that name axes
FIRST = (0, "axis", None)
AXIS_ARGUMENTS: list[tuple[tuple[Any, ...], list[tuple[int, str, Any]]]] = [
    ((np.copy, np.digitize, neural.one_hot), []),
    ((np.flip,), [FIRST]),
    ((np.swapaxes,), [(0, "axis1", None), (1, "axis2", None)]),
    ((np.moveaxis,), [(0, "source", None), (1, "destination", None)]),
    ((np.diagonal,), [(1, "axis1", 0), (2, "axis2", 1)]),
    ((sliding_window_view,), [(1, "axis", None)]),
    ((np.diff, np.partition, np.argpartition), [(1, "axis", -1)]),
    ((np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft), [(1, "axis", -1)]),
]
AXES.update({function: partial(on_whole_array, function, axes) for functions, axes in AXIS_ARGUMENTS for function in functions})

# Functions that work number by number
ELEMENTWISE = (neural.relu, np.real, np.imag, np.isclose, np.isposinf, np.isneginf, np.iscomplex, np.isreal, np.sinc)
AXES.update({function: partial(elementwise, function) for function in ELEMENTWISE})
AXES[np.where] = lambda condition, *choices: elementwise(np.where, condition, *choices) if choices else NotImplemented

# Functions called as they are written in others, without comparing the result with NumPy's
AS_COMPOSED = (np.dot, np.einsum, np.matrix_transpose, np.ravel, np.rollaxis, np.rot90, np.take)
AXES.update({function: COMPOSITIONS[function] for function in AS_COMPOSED})


# Along axes
@axes_of(
    np.sum, np.prod, np.max, np.min, np.amax, np.amin, np.mean, np.std, np.var, np.ptp, np.any, np.all, np.count_nonzero, np.median,
    np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanstd, np.nanvar, np.nanmedian, reductions.logsumexp,
    linalg.euclidean,
)  # fmt: skip
def reduce_axes(function: Any, x: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function that reduces axes, all of an entry's if none is given."""
    if isinstance(x, Batched) and axis is None and not x.ndim:  # (an entry is one number: reduce an axis of size 1)
        x, axis, kwargs = Batched(x._raw[..., None], x._levels), 0, {**kwargs, "keepdims": False}
    return on_whole_array(function, [FIRST], x, axis, *args, **kwargs)


@axes_of(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.cumsum, np.cumprod, np.nancumsum, np.nancumprod)
def along(function: Any, x: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function along an axis, or along all of an entry's in one row if none is given."""
    if axis is None and kwargs.get("keepdims"):
        return NotImplemented
    x, axis = (np.ravel(x), -1) if axis is None or not np.ndim(x) else (x, axis)
    return on_whole_array(function, [FIRST], x, axis, *args, **kwargs)


@axes_of(reductions.softmax, reductions.log_softmax, np.sort, np.argsort)
def along_last(function: Any, x: Any, axis: Axis = -1, *args: Any, **kwargs: Any) -> Any:
    """Call a function along an axis, the last if none is given."""
    return along(function, x, axis, *args, **kwargs)


@axes_of(reductions.centred, reductions.excess)
def along_shared(function: Any, x: Any, s: Any, axis: Axis) -> Any:
    """Call a function of two arrays of one shape along axes that they share."""
    levels, ndim = levels_of(x, s), max(np.ndim(x), np.ndim(s))
    x, s = (Batched(with_axes(at_levels(y, levels), levels, ndim), levels) for y in (x, s))
    return Batched(function(x._raw, s._raw, whole_axes(x, axis)), levels)


@axes_of(neural.softmax_cross_entropy, neural.softmax_error)
def along_rows(function: Any, x: Any, target: Any) -> Any:
    """Call a function of rows and of a target for each row."""
    levels = levels_of(x, target)
    return Batched(function(expanded(x, levels), expanded(target, levels)), levels)


@axes_of(np.quantile, np.percentile, np.nanquantile, np.nanpercentile)
def quantile(function: Any, a: Any, q: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function that reduces axes, and puts those of q in front."""
    found = on_whole_array(function, [(1, "axis", None)], a, q, axis, *args, **kwargs) if np.ndim(a) else NotImplemented
    if not np.ndim(q) or found is NotImplemented:
        return found
    k, n = len(found._levels), np.ndim(q)
    return Batched(np.moveaxis(found._raw, range(n), range(k, k + n)), found._levels)


@axes_of(np.roll)
def roll(function: Any, a: Any, shift: Any, axis: Axis = None) -> Any:
    """Call np.roll along axes of an entry, or along all of them in one row."""
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), a.shape)
    return on_whole_array(np.roll, [(1, "axis", None)], a, shift, axis)


def outer_of(ufunc: Any) -> Callable[..., Any]:
    """Return how ``ufunc.outer`` is called on whole batches."""
    return lambda x, y, **kwargs: ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **kwargs)


def reduce_of(ufunc: Any) -> Callable[..., Any]:
    """Return how ``ufunc.reduce`` is called on whole batches."""
    return lambda x, axis=0, *args, **kwargs: reduce_axes(ufunc.reduce, x, axis, *args, **kwargs)


for ufunc in [u for u in vars(np).values() if isinstance(u, np.ufunc) and u.nin == 2 and u.nout == 1 and u.signature is None]:
    AXES |= {ufunc.reduce: reduce_of(ufunc), ufunc.outer: outer_of(ufunc)}
    AXES[ufunc.accumulate] = partial(on_whole_array, ufunc.accumulate, [(0, "axis", 0)])


# Shapes
AXES[np.shape] = lambda a: a.shape
AXES[np.ndim] = lambda a: a.ndim
AXES[np.size] = lambda a, axis=None: a.size if axis is None else a.shape[axis]


@axes_of(np.result_type, np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj)
def about_dtypes(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function that looks at dtypes alone."""
    return function(*[x._raw if isinstance(x, Batched) else x for x in args], **kwargs)


@axes_of(np.zeros_like, np.ones_like, np.empty_like)
def constant_like(function: Any, a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **kwargs: Any) -> Any:
    """Return an array for each entry, to write into."""
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    made = function(values(a), dtype, "C", shape=(*sizes_of(a._levels), *shape))
    return Batched(handle(leaf(made)) if isinstance(a._raw, Tensor) else made, a._levels)


@axes_of(np.full_like)
def full_like(function: Any, a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None) -> Any:
    """Return one value in all places, for each entry."""
    like = np.zeros_like(a, shape=shape)
    return shaping.astype(np.broadcast_to(fill_value, like.shape) + like, dtype or a.dtype)


@axes_of(shaping.astype, *([np.astype] if hasattr(np, "astype") else []))
def astype(function: Any, x: Any, dtype: Any, order: str = "K", *args: Any, copy: bool = True, **kwargs: Any) -> Any:
    """Return each entry in another dtype."""
    return x if not copy and x.dtype == dtype and shaping.has_order(x, order) else Batched(x._raw.astype(dtype), x._levels)


def first_entry(a: Batched) -> Any:
    """Return the array of the first entry, to see how it lies in memory; None if there is none."""
    array = values(a)
    return array[(0,) * len(a._levels)] if array.size else None


@axes_of(np.reshape)
def reshape(function: Any, a: Any, shape: Any = None, order: Any = "C", **kwargs: Any) -> Any:
    """Return the numbers of each entry in another shape."""
    shape = kwargs.pop("newshape") if shape is None else shape
    shape = (int(shape),) if not hasattr(shape, "__iter__") else tuple(shape)
    if order == "A" and isinstance(entry := first_entry(a), np.ndarray):
        order = "F" if entry.flags.f_contiguous and not entry.flags.c_contiguous else "C"
    if order == "F":
        return np.transpose(np.reshape(np.transpose(a), shape[::-1], **kwargs))
    if order not in ("C", None):
        return NotImplemented
    shape = np.empty(a.shape).reshape(shape).shape  # (-1 worked out; or an error, where it does not fit)
    raw = a._raw if a.ndim else np.copy(a._raw)  # (a single number is no view)
    return Batched(np.reshape(raw, (*raw.shape[: len(a._levels)], *shape), **kwargs), a._levels)


@axes_of(shaping.axes_by_stride, shaping.contiguous)
def layout(function: Any, x: Any, *args: Any) -> Any:
    """Return how the memory of each entry lies: as that of the first."""
    entry = first_entry(x)
    return function(np.empty(x.shape) if entry is None else entry, *args)


@axes_of(np.transpose)
def transpose(function: Any, a: Any, axes: Any = None) -> Any:
    """Return the axes of each entry in another order."""
    k = len(a._levels)
    order = range(a.ndim)[::-1] if axes is None else normalize_axis_tuple(axes, a.ndim)
    if len(order) != a.ndim:
        return NotImplemented
    return Batched(np.transpose(a._raw, (*range(k), *(i + k for i in order))), a._levels)


@axes_of(np.expand_dims, np.squeeze)
def reshaped(function: Any, a: Any, axis: Axis = None) -> Any:
    """Return each entry with more axes of size 1, or fewer."""
    return np.reshape(a, function(np.empty(a.shape), axis).shape)


@axes_of(reductions.broadcast_to, np.broadcast_to)
def broadcast_to(function: Any, x: Any, shape: Any, subok: bool = False) -> Any:
    """Return each entry repeated to a shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    raw = with_axes(x, x._levels, len(shape))
    return Batched(function(raw, (*raw.shape[: len(x._levels)], *shape)), x._levels)


@axes_of(shaping.concatenate)
def concatenate(function: Any, *arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the entries of several arrays joined, each with those of the same place in the batch."""
    levels = levels_of(*arrays)
    if len({np.ndim(x) for x in arrays}) > 1:
        return NotImplemented
    whole = normalize_axis_index(axis, np.ndim(arrays[0])) + len(levels)
    return Batched(function(*(expanded(x, levels) for x in arrays), axis=whole, **options), levels)


@axes_of(shaping.stack)
def stack(function: Any, *arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the entries of several arrays joined along a new axis."""
    axis = normalize_axis_index(axis, np.ndim(arrays[0]) + 1)
    return np.concatenate([np.expand_dims(x, axis) for x in arrays], axis, **options)


# Products
@axes_of(np.matmul)
def matmul(function: Any, x: Any, y: Any, **kwargs: Any) -> Any:
    """Multiply matrices and vectors: a vector gets the axis that it lacks, which is taken out again."""
    m, n = np.ndim(x), np.ndim(y)
    if not m or not n or np.shape(x)[-1] != np.shape(y)[-2 if n > 1 else 0]:
        return NotImplemented
    if not isinstance(y, Batched) and n <= 2:  # (the batch's axes are further rows)
        return Batched(x._raw @ y, x._levels)
    if n == 1 and m <= 2 and not isinstance(x, Batched):
        return Batched(y._raw @ (x.T if m == 2 else x), y._levels)
    if m == n == 1:
        return np.sum(x * y, axis=-1) if x.dtype.kind in "fc" or y.dtype.kind in "fc" else NotImplemented  # (a sum widens integers)
    if m > 1 and n > 1:
        levels, (a, b) = lined_up((x, y))
        return Batched(a @ b, levels)
    return vector_by_matrix(x, y) if m == 1 else vector_by_matrix(y, np.swapaxes(x, -1, -2))


def vector_by_matrix(vector: Any, matrix: Any) -> Any:
    """Multiply the vector of each entry by its matrix."""
    levels = levels_of(vector, matrix)
    a, b = (with_axes(at_levels(z, levels), levels, n) for z, n in ((vector, np.ndim(matrix) - 1), (matrix, 0)))
    return Batched(products.vecmat(a, b), levels)


AXES[products.rows_by_matrix] = np.matmul
AXES[products.sum_of_products] = products.sum_of_products.on_arrays  # type: ignore[attr-defined]


@axes_of(products.einsum)
def einsum(function: Any, subscripts: str, *operands: Any) -> Any:
    """Call einsum with a label more for each vmap."""
    levels = levels_of(*operands)
    inputs, _, result = subscripts.partition("->")
    front = "".join([letter for letter in ascii_letters if letter not in subscripts][: len(levels)])
    labels = [front + label if isinstance(x, Batched) else label for label, x in zip(inputs.split(","), operands, strict=True)]
    raws = [expanded(x, levels) if isinstance(x, Batched) else x for x in operands]
    return Batched(function(f"{','.join(labels)}->{front}{result}", *raws), levels)


@axes_of(products.einsum_view)
def einsum_view(function: Any, x: Any, subscripts: str) -> Any:
    """Permute the axes of every entry of a batch: a view."""
    label, result = subscripts.split("->")
    return Batched(np.einsum(f"...{label}->...{result}", x._raw), x._levels)


# Linear algebra: the last two axes are the matrix's, all before them are free.
@axes_of(
    np.linalg.inv, np.linalg.det, np.linalg.slogdet, np.linalg.cholesky, np.linalg.eigh, np.linalg.eigvalsh, np.linalg.eig,
    np.linalg.eigvals, np.linalg.svd, np.linalg.pinv, np.linalg.qr, np.linalg.matrix_power, np.linalg.matrix_rank, np.linalg.cond,
    np.tril, np.triu, linalg.pinv, linalg.cofactors, linalg.slogdet, linalg.triangle_inverse,
    linalg.cholesky, linalg.eigh, linalg.eig, linalg.svd, linalg.qr,
)  # fmt: skip
def of_matrices(function: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function of matrices on a stack of them."""
    return on_whole_array(function, (), a, *args, **kwargs) if np.ndim(a) >= 2 else NotImplemented


@axes_of(np.linalg.solve, linalg.solve, linalg.solved)
def solve(function: Any, a: Any, b: Any) -> Any:
    """Solve for a vector, or for the columns of a matrix, in each entry."""
    if np.ndim(a) < 2 or not np.ndim(b):
        return NotImplemented
    vector = np.ndim(b) == 1
    levels, (left, right) = lined_up((a, np.expand_dims(b, 1) if vector else b))
    out = function(left, right)
    return Batched(out[..., 0] if vector else out, levels)


# Indexing
def whole_index(index: Any, x: Any, levels: Levels) -> tuple[Any, int, int, int]:
    """Return an index of one entry as an index of the whole array, and where its arrays' axes come out.

    Returns
    -------
    index : tuple
        It counts the entries of the batch too, where an array in the index is batched.
    ndim : the number of axes that the arrays in the index make together.
    first, wanted : where those axes begin in what NumPy returns, and where they belong; behind the batch's axes, if these come first.
    """
    k, parts = len(levels), index_parts(index, np.ndim(x))
    arrays = [i for i, part in enumerate(parts) if hasattr(part, "ndim")]
    if not arrays:
        return (*(slice(None),) * k, *parts), 0, 0, 0
    numbers = [i for i, part in enumerate(parts) if hasattr(part, "ndim") or isinstance(part, (int, np.integer))]
    ndim = max(parts[i].ndim for i in arrays)
    adjacent = numbers == list(range(numbers[0], numbers[-1] + 1))
    wanted = numbers[0] if adjacent else 0  # (each slice and new axis before it makes one axis of the result)
    if not any(isinstance(part, Batched) for part in parts):
        return (*(slice(None),) * k, *parts), ndim, (k + wanted if adjacent else 0), k + wanted
    raws = [with_axes(part, levels, ndim) if isinstance(part, Batched) else part for part in parts]
    counts = [np.reshape(np.arange(n), (n, *(1,) * (k - 1 - i + ndim))) for i, n in enumerate(at_levels(x, levels)._raw.shape[:k])]
    return (*counts, *raws), ndim, k, k + wanted


def index_parts(index: Any, ndim: int) -> list[Any]:
    """Return the parts of an index: lists as arrays, masks as the places that they name, the dots as slices."""
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        part = np.asarray(part) if isinstance(part, (list, range)) or (isinstance(part, tuple) and part) else part
        if isinstance(part, (bool, np.bool)) or getattr(part, "dtype", None) == np.dtype(bool):
            if isinstance(part, Batched):
                raise BatchError(f"{MASKED}; np.where(mask, x, 0) keeps the shape")
            parts += np.nonzero(np.asarray(part)) if np.ndim(part) else [np.asarray(part)]
        else:
            parts.append(part)
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    rest = [slice(None)] * (ndim - taken)
    dots = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:dots], *rest, *parts[dots + 1 :]]


MASKED = "vmap: a batched mask takes another number of entries for each"


def axes_moved(x: Any, ndim: int, first: int, wanted: int) -> Any:
    """Return an array with some of its axes, which follow each other, in another place."""
    return x if first == wanted else np.moveaxis(x, range(first, first + ndim), range(wanted, wanted + ndim))


def levels_of(*things: Any) -> Levels:
    """Return the levels of the batches among arguments and in indices."""
    return common_levels(
        part for thing in things for part in (thing if isinstance(thing, tuple) else (thing,)) if isinstance(part, Batched)
    )


@axes_of(shaping.getitem)
def getitem(function: Any, x: Any, index: Any) -> Any:
    """Return x[index] for each entry."""
    levels = levels_of(x, index)
    x = at_levels(x, levels)
    whole, *axes = whole_index(index, x, levels)
    found = Batched(axes_moved(x._raw[whole], *axes), levels)
    if axes[0]:
        make_contiguous(found)
    if found.ndim:
        return found
    dots = any(part is Ellipsis for part in (index if isinstance(index, tuple) else (index,)))
    return found if dots and (x.ndim or is_view(x._raw)) else np.copy(found)  # (a single number is no view)


def make_contiguous(x: Batched) -> None:
    """Let a new result lie in memory as each of its entries would by itself."""
    array = values(x)
    if isinstance(array, np.ndarray) and isinstance(x._raw, Tensor):
        x._raw._node.value = np.ascontiguousarray(array)
    elif isinstance(array, np.ndarray):
        x._raw = np.ascontiguousarray(array)


def shape_at(shape: tuple[int, ...], index: Any) -> tuple[int, ...]:
    """Return the shape of what an index of the whole array takes from an array of this shape."""
    return np.broadcast_to(0, shape)[tuple(np.zeros(part.shape, int) if hasattr(part, "shape") else part for part in index)].shape


def index_and_value(index: Any, value: Any, x: Batched, levels: Levels) -> tuple[Any, Any]:
    """Return an index of the whole array, and a value to put there, both as NumPy takes them."""
    whole, ndim, first, wanted = whole_index(index, x, levels)
    shape = axes_moved(np.broadcast_to(0, shape_at(x._raw.shape, whole)), ndim, first, wanted).shape
    value = at_levels(value, levels)
    while value.ndim > len(shape) - len(levels) and value.shape[0] == 1:  # (NumPy drops such axes too)
        value = np.squeeze(value, 0)
    raw = with_axes(value, levels, len(shape) - len(levels))
    return whole, raw if first == wanted else axes_moved(np.broadcast_to(raw, shape), ndim, wanted, first)


@axes_of(shaping.scatter)
def scatter(function: Any, g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros with g added at the index, for each entry."""
    levels = levels_of(g, index)
    like = Batched(np.broadcast_to(0, (*sizes_of(levels), *shape)), levels)
    whole, raw = index_and_value(index, g, like, levels)
    place = shape_at(like._raw.shape, whole)
    return Batched(function(raw if raw.shape == place else np.broadcast_to(raw, place), whole, like._raw.shape), levels)


@axes_of(shaping.setitem)
def setitem(function: Any, x: Any, value: Any, index: Any) -> Any:
    """Return x with the value at the index, for each entry."""
    levels = levels_of(x, value, index)
    x = Batched(expanded(x, levels), levels)
    if is_mask(index):
        return written_where(index, value, x)
    whole, raw = index_and_value(index, value, x, levels)
    return Batched(function(x._raw, raw, whole), levels)


def is_mask(index: Any) -> bool:
    """Tell whether an index is a mask for each entry."""
    return isinstance(index, Batched) and index.dtype == bool


def written_where(mask: Batched, value: Any, x: Batched) -> Any:
    """Return x with one value where its mask is true."""
    if np.ndim(value):
        raise BatchError(f"{MASKED}; np.where(mask, values, x) chooses among values")
    return shaping.astype(np.where(np.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim))), value, x), x.dtype)


def has_entry_for_each(x: Batched, levels: Levels) -> bool:
    """Tell whether a batch has a separate entry for each at all of these levels, so that values that differ can be written into it."""
    return len(levels) <= len(x._levels) and x._raw.shape[: len(levels)] == sizes_of(levels)


def write(x: Batched, index: Any, value: Any) -> None:
    """Write a value into each entry at the index, in place."""
    levels = levels_of(x, value, index)
    if not has_entry_for_each(x, levels):
        raise BatchError(f"vmap: what is batched cannot be written into what is the same for all entries; {WRITE}")
    if is_mask(index):
        index, value = ..., written_where(index, value, x)
    whole, raw = index_and_value(index, value, x, levels)
    x._raw[whole] = raw


AXES["write"] = write


@axes_of(np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal)
def write_by_function(function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Let a function write into each entry, which is a view of the whole array."""
    levels = common_levels(batches_in((x, *args, *kwargs.values())))
    if not isinstance(x, Batched) or not has_entry_for_each(x, levels):
        raise BatchError(f"vmap: {function.__name__} of what is batched into what is the same for all entries; {WRITE}")
    for place in np.ndindex(sizes_of(levels)):
        entries, options = entries_at(place, ((x, *args), kwargs))
        function(*entries, **options)


@axes_of(np.take_along_axis)
def take_along_axis(function: Any, arr: Any, indices: Any, axis: Axis = -1) -> Any:
    """Return the entries at the indices along an axis, line by line."""
    if axis is None:
        arr, axis = np.ravel(arr), 0
    if np.ndim(arr) != np.ndim(indices):
        return NotImplemented
    axis = normalize_axis_index(axis, np.ndim(arr))
    lines = [np.reshape(np.arange(n), (n, *(1,) * (np.ndim(arr) - i - 1))) for i, n in enumerate(np.shape(arr))]
    return shaping.getitem(arr, (*lines[:axis], indices, *lines[axis + 1 :]))


@axes_of(np.searchsorted)
def searchsorted(function: Any, a: Any, v: Any, *args: Any, **kwargs: Any) -> Any:
    """Return where values belong in one sorted row, which is the same for all entries."""
    return on_whole_array(lambda v, a, *args, **kwargs: function(a, v, *args, **kwargs), (), v, a, *args, **kwargs)


# Convolution and pooling: the samples of all entries are samples; where kernels differ from entry to entry, the channels are groups
@axes_of(convolution.largest, convolution.to_largest, convolution.of_largest, convolution.window_sum, convolution.spread_over_windows)
def pool(function: Any, *args: Any) -> Any:
    """Pool the samples of all entries."""
    arrays = [x for x in args if hasattr(x, "ndim")]
    levels = levels_of(*arrays)
    raws, k = [expanded(x, levels) for x in arrays], len(levels)
    out = function(*(np.reshape(raw, (-1, *raw.shape[k + 1 :])) for raw in raws), *args[len(arrays) :])
    return Batched(np.reshape(out, (*raws[0].shape[: k + 1], *out.shape[1:])), levels)


@axes_of(convolution.convolution, convolution.convolution_x)
def convolve(function: Any, x: Any, w: Any, *settings: Any) -> Any:
    """Convolve, or compute the cotangent of x; where kernels differ between entries, each entry is a group of channels."""
    if not isinstance(w, Batched):
        return pool(lambda x: function(x, w, *settings), x)
    levels = levels_of(x, w)
    kernels, k = expanded(w, levels), len(levels)
    out = function(as_channels(x, levels), np.reshape(kernels, (-1, *kernels.shape[k + 1 :])), *in_groups(settings, levels))
    return Batched(np.moveaxis(np.reshape(out, (len(out), *sizes_of(levels), -1, *out.shape[2:])), 0, k), levels)


@axes_of(convolution.convolution_w)
def convolve_back(function: Any, x: Any, g: Any, *settings: Any) -> Any:
    """Return the cotangents of each entry's kernels."""
    levels = levels_of(x, g)
    out = function(as_channels(x, levels), as_channels(g, levels), *in_groups(settings, levels))
    return Batched(np.reshape(out, (*sizes_of(levels), -1, *out.shape[1:])), levels)


def as_channels(x: Any, levels: Levels) -> Any:
    """Return samples (N, C, *space) with the channels of all entries of the batch one after the other."""
    samples_first = np.moveaxis(expanded(x, levels), len(levels), 0)
    return np.reshape(samples_first, (len(samples_first), -1, *samples_first.shape[len(levels) + 2 :]))


def in_groups(settings: tuple[Any, ...], levels: Levels) -> tuple[Any, ...]:
    """Return a convolution's settings, of which the number of groups is the last, with groups for each entry."""
    return *settings[:-1], settings[-1] * prod(sizes_of(levels))
