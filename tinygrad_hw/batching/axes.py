"""Where each function's axes are: how to call it on whole batches.

A function below takes the arguments of the NumPy function for which it is registered, some of them ``Batched``, and calls that
function once on their arrays, with its axes moved behind those of the batches. Where it returns NotImplemented, or raises,
the next way is taken, at last entry by entry: so no case has to be written down here that is seldom met.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from string import ascii_letters
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from ..backward import values
from ..errors import BatchError
from ..graph import leaf
from ..rules import convolution, linalg, neural, products, reductions, shaping
from ..tensor import Tensor, handle
from .batched import (
    AXES,
    WRITE,
    Batched,
    Levels,
    batches_in,
    common,
    elementwise,
    expanded,
    is_view,
    lined_up,
    one_entry,
    with_axes,
    wrapped,
)

Axis = Any


def axes_of(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register how functions are called on whole batches; the decorated one takes the function first."""

    def register(way: Callable[..., Any]) -> Callable[..., Any]:
        AXES.update({function: partial(way, function) for function in functions})
        return way

    return register


def younger(*names: str) -> list[Any]:
    """Return those of NumPy's functions that this NumPy has."""
    return [getattr(np, name) for name in names if hasattr(np, name)]


def behind(x: Batched, axis: int) -> int:
    """Return an axis of an entry as an axis of the whole array."""
    return normalize_axis_index(axis, x.ndim) + len(x._levels)


def any_batched(*args: Any) -> bool:
    """Tell whether something other than the first argument is batched, which these ways do not look at."""
    return any(isinstance(x, Batched) for x in args)


# Number by number
for function in (neural.relu, np.real, np.imag, np.isclose, np.isposinf, np.isneginf, np.iscomplex, np.isreal, np.sinc):
    AXES[function] = partial(elementwise, function)


@axes_of(np.where)
def where(function: Any, condition: Any, *choices: Any) -> Any:
    """Choose number by number."""
    return elementwise(np.where, condition, *choices) if choices else NotImplemented


# Along axes
@axes_of(
    np.sum, np.prod, np.max, np.min, np.amax, np.amin, np.mean, np.std, np.var, np.ptp, np.any, np.all, np.count_nonzero, np.median,
    np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanstd, np.nanvar, np.nanmedian, reductions.logsumexp,
    linalg.euclidean,
)  # fmt: skip
def fold(function: Any, x: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function that folds axes, all of an entry's if none is given."""
    if not isinstance(x, Batched) or any_batched(axis, *args, *kwargs.values()):
        return NotImplemented
    k = len(x._levels)
    if axis is None:
        axes = tuple(range(k, k + x.ndim))
        if not axes:  # (an entry is one number: fold an axis of one)
            return wrapped(function(x._raw[..., None], k, *args, **{**kwargs, "keepdims": False}), x._levels)
    else:
        axes = tuple(i + k for i in normalize_axis_tuple(axis, x.ndim))
    return wrapped(function(x._raw, axes[0] if len(axes) == 1 else axes, *args, **kwargs), x._levels)


@axes_of(np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.cumsum, np.cumprod, np.nancumsum, np.nancumprod)
def along(function: Any, x: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function along an axis, or along all of an entry's in one row if none is given."""
    if not isinstance(x, Batched) or any_batched(axis, *args, *kwargs.values()) or (axis is None and kwargs.get("keepdims")):
        return NotImplemented
    x, axis = (np.ravel(x), -1) if axis is None or not x.ndim else (x, axis)
    return wrapped(function(x._raw, behind(x, axis), *args, **kwargs), x._levels)


@axes_of(reductions.softmax, reductions.log_softmax, np.sort, np.argsort)
def along_last(function: Any, x: Any, axis: Axis = -1, *args: Any, **kwargs: Any) -> Any:
    """Call a function along an axis, the last if none is given."""
    return along(function, x, axis, *args, **kwargs)


@axes_of(reductions.centred, reductions.excess)
def along_both(function: Any, x: Any, s: Any, axis: Axis) -> Any:
    """Call a function of two arrays of one shape along axes that they share."""
    levels, ndim = levels_of(x, s), max(np.ndim(x), np.ndim(s))
    raws = [with_axes(at_levels(y, levels), levels, ndim) for y in (x, s)]
    axes = range(ndim) if axis is None else normalize_axis_tuple(axis, ndim)
    return Batched(function(*raws, tuple(i + len(levels) for i in axes)), levels)


@axes_of(neural.softmax_cross_entropy, neural.softmax_error)
def along_rows(function: Any, x: Any, target: Any) -> Any:
    """Call a function of rows, and of what belongs to each, on a stack of both."""
    levels = levels_of(x, target)
    return Batched(function(full(x, levels)._raw, full(target, levels)._raw), levels)


@axes_of(neural.one_hot)
def number_by_number(function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function that makes something of each number."""
    return Batched(function(x._raw, *args, **kwargs), x._levels)


@axes_of(np.diff, np.partition, np.argpartition, np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft)
def along_third(function: Any, x: Any, n: Any = ..., axis: Axis = -1, *args: Any, **kwargs: Any) -> Any:
    """Call a function along an axis, which comes after an argument of another kind."""
    if not isinstance(x, Batched) or axis is None or any_batched(n, *args, *kwargs.values()):
        return NotImplemented
    given = {} if n is ... else {"n" if function is np.diff or function.__module__ == "numpy.fft" else "kth": n}
    return wrapped(function(x._raw, *args, axis=behind(x, axis), **given, **kwargs), x._levels)


@axes_of(np.quantile, np.percentile, np.nanquantile, np.nanpercentile)
def quantile(function: Any, a: Any, q: Any, axis: Axis = None, *args: Any, **kwargs: Any) -> Any:
    """Call a function that folds axes, and puts those of q in front."""
    if any_batched(q, *args, *kwargs.values()) or not a.ndim:
        return NotImplemented
    k, n = len(a._levels), np.ndim(q)
    axes = range(a.ndim) if axis is None else normalize_axis_tuple(axis, a.ndim)
    out = function(a._raw, q, tuple(i + k for i in axes), *args, **kwargs)
    return Batched(np.moveaxis(out, range(n), range(k, k + n)), a._levels)


@axes_of(np.gradient)
def gradient(function: Any, f: Any, *spacing: Any, axis: Axis = None, edge_order: int = 1) -> Any:
    """Return differences along axes of an entry."""
    if any_batched(*spacing):
        return NotImplemented
    axes = tuple(range(f.ndim)) if axis is None else normalize_axis_tuple(axis, f.ndim)
    return wrapped(function(f._raw, *spacing, axis=tuple(i + len(f._levels) for i in axes), edge_order=edge_order), f._levels)


@axes_of(np.flip)
def flip(function: Any, m: Any, axis: Axis = None) -> Any:
    """Call np.flip on the axes of an entry."""
    axes = range(m.ndim) if axis is None else normalize_axis_tuple(axis, m.ndim)
    return wrapped(np.flip(m._raw, tuple(i + len(m._levels) for i in axes)), m._levels)


@axes_of(np.roll)
def roll(function: Any, a: Any, shift: Any, axis: Axis = None) -> Any:
    """Call np.roll along axes of an entry, or along all of them in one row."""
    if axis is None:
        return np.reshape(np.roll(np.ravel(a), shift, 0), a.shape)
    axes = normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    return wrapped(np.roll(a._raw, shift, tuple(i + len(a._levels) for i in axes)), a._levels)


def fold_of(ufunc: Any) -> Callable[..., Any]:
    """Return how ``ufunc.reduce`` is called on whole batches."""
    return lambda x, axis=0, *args, **kwargs: fold(ufunc.reduce, x, axis, *args, **kwargs)


def running_of(ufunc: Any) -> Callable[..., Any]:
    """Return how ``ufunc.accumulate`` is called on whole batches."""
    return lambda x, axis=0, *args, **kwargs: along(ufunc.accumulate, x, axis, *args, **kwargs)


def outer_of(ufunc: Any) -> Callable[..., Any]:
    """Return how ``ufunc.outer`` is called on whole batches."""
    return lambda x, y, **kwargs: ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **kwargs)


for ufunc in [u for u in vars(np).values() if isinstance(u, np.ufunc) and u.nin == 2 and u.nout == 1 and u.signature is None]:
    AXES |= {ufunc.reduce: fold_of(ufunc), ufunc.accumulate: running_of(ufunc), ufunc.outer: outer_of(ufunc)}


# Shapes
@axes_of(np.shape)
def shape(function: Any, a: Any) -> Any:
    """Return the shape of one entry."""
    return a.shape


@axes_of(np.ndim)
def ndim(function: Any, a: Any) -> Any:
    """Return the number of axes of one entry."""
    return a.ndim


@axes_of(np.size)
def size(function: Any, a: Any, axis: Any = None) -> Any:
    """Return the number of numbers in one entry."""
    return a.size if axis is None else a.shape[axis]


@axes_of(np.result_type, np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj)
def about_dtypes(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function that looks at dtypes alone."""
    return function(*[x._raw if isinstance(x, Batched) else x for x in args], **kwargs)


@axes_of(np.zeros_like, np.ones_like, np.empty_like)
def constant_like(function: Any, a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None, **kwargs: Any) -> Any:
    """Return an array for each entry, to write into."""
    shape = a.shape if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    sizes = tuple(level.size for level in a._levels)
    make = {"zeros_like": np.zeros, "ones_like": np.ones, "empty_like": np.empty}[function.__name__]
    made = make((*sizes, *shape), dtype or a.dtype)
    return Batched(handle(leaf(made)) if isinstance(a._raw, Tensor) else made, a._levels)


@axes_of(np.full_like)
def full_like(function: Any, a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None) -> Any:
    """Return one value in all places, for each entry."""
    shape = np.shape(a) if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
    return shaping.astype(np.broadcast_to(fill_value, shape) + np.zeros_like(a, shape=shape), dtype or a.dtype)


@axes_of(np.copy)
def copied(function: Any, a: Any, *args: Any, **kwargs: Any) -> Any:
    """Return a copy."""
    return Batched(np.copy(a._raw), a._levels)


@axes_of(shaping.astype, *younger("astype"))
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
    if -1 in shape:
        others = int(np.prod([n for n in shape if n != -1], dtype=int))
        if shape.count(-1) > 1 or not others or a.size % others:
            return NotImplemented
        shape = tuple(a.size // others if n == -1 else n for n in shape)
    if int(np.prod(shape, dtype=int)) != a.size:
        return NotImplemented
    raw = a._raw if a.ndim else np.copy(a._raw)  # (a single number is no view)
    return Batched(np.reshape(raw, (*raw.shape[: len(a._levels)], *shape), **kwargs), a._levels)


@axes_of(shaping.axes_by_stride, shaping.contiguous)
def layout(function: Any, x: Any, *args: Any) -> Any:
    """Return how the memory of each entry lies: as that of the first."""
    entry = first_entry(x)
    return function(np.empty(x.shape) if entry is None else entry, *args)


@axes_of(np.ravel)
def ravel(function: Any, a: Any, order: Any = "C") -> Any:
    """Return the numbers of each entry in one row."""
    row = np.reshape(a, (a.size,), order)
    entry = first_entry(a)
    in_a_row = not isinstance(entry, np.ndarray) or entry.flags["F" if order == "F" else "C"]
    return row if in_a_row or order not in ("C", "F") else np.copy(row)  # (what does not lie in one row becomes a copy)


@axes_of(sliding_window_view)
def sliding_windows(function: Any, x: Any, window_shape: Any, axis: Any = None, **options: Any) -> Any:
    """Return a view of the windows of each entry."""
    k = len(x._levels)
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    return Batched(sliding_window_view(x._raw, window_shape, tuple(i + k for i in axes), **options), x._levels)


@axes_of(np.transpose)
def transpose(function: Any, a: Any, axes: Any = None) -> Any:
    """Return the axes of each entry in another order."""
    k = len(a._levels)
    order = range(a.ndim)[::-1] if axes is None else normalize_axis_tuple(axes, a.ndim)
    if len(order) != a.ndim:
        return NotImplemented
    return Batched(np.transpose(a._raw, (*range(k), *(i + k for i in order))), a._levels)


@axes_of(np.swapaxes)
def swapaxes(function: Any, a: Any, axis1: int, axis2: int) -> Any:
    """Return two axes of each entry exchanged."""
    return Batched(np.swapaxes(a._raw, behind(a, axis1), behind(a, axis2)), a._levels)


@axes_of(np.moveaxis)
def moveaxis(function: Any, a: Any, source: Axis, destination: Axis) -> Any:
    """Return axes of each entry in other places."""
    places = ([i + len(a._levels) for i in normalize_axis_tuple(axis, a.ndim)] for axis in (source, destination))
    return Batched(np.moveaxis(a._raw, *places), a._levels)


@axes_of(np.rollaxis)
def rollaxis(function: Any, a: Any, axis: int, start: int = 0) -> Any:
    """Return an axis of each entry in another place."""
    start = start + a.ndim if start < 0 else start
    return Batched(np.rollaxis(a._raw, behind(a, axis), start + len(a._levels)), a._levels)


@axes_of(np.rot90)
def rot90(function: Any, m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Return each entry turned."""
    return Batched(np.rot90(m._raw, k, (behind(m, axes[0]), behind(m, axes[1]))), m._levels)


@axes_of(np.diagonal)
def diagonal(function: Any, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the diagonal of each entry."""
    return Batched(np.diagonal(a._raw, offset, behind(a, axis1), behind(a, axis2)), a._levels)


@axes_of(np.matrix_transpose)
def matrix_transpose(function: Any, x: Any) -> Any:
    """Return the last two axes of each entry exchanged."""
    return np.swapaxes(x, -1, -2)


@axes_of(np.expand_dims)
def expand_dims(function: Any, a: Any, axis: Axis) -> Any:
    """Return each entry with new axes of size 1."""
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    places = normalize_axis_tuple(axes, a.ndim + len(axes))
    raw = a._raw.copy() if not a.ndim and isinstance(a._raw, np.ndarray) else a._raw  # (a single number is no view)
    return Batched(np.expand_dims(raw, tuple(i + len(a._levels) for i in places)), a._levels)


@axes_of(np.squeeze)
def squeeze(function: Any, a: Any, axis: Axis = None) -> Any:
    """Return each entry without axes of size 1."""
    axes = [i for i, n in enumerate(a.shape) if n == 1] if axis is None else normalize_axis_tuple(axis, a.ndim)
    return Batched(np.squeeze(a._raw, tuple(i + len(a._levels) for i in axes)), a._levels) if axes else a


@axes_of(reductions.broadcast_to, np.broadcast_to)
def broadcast_to(function: Any, x: Any, shape: Any, subok: bool = False) -> Any:
    """Return each entry repeated to a shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    raw = with_axes(x, x._levels, len(shape))
    return Batched(function(raw, (*raw.shape[: len(x._levels)], *shape)), x._levels)


@axes_of(shaping.concatenate)
def concatenate(function: Any, *arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the entries of several arrays joined, each with those of the same place in the batch."""
    levels = common(x for x in arrays if isinstance(x, Batched))
    if len({np.ndim(x) for x in arrays}) > 1:
        return NotImplemented
    k, axis = len(levels), normalize_axis_index(axis, np.ndim(arrays[0]))
    raws = [with_axes(x, levels, 0) if isinstance(x, Batched) else x[(None,) * k] for x in arrays]
    sizes = np.broadcast_shapes(*(raw.shape[:k] for raw in raws))
    return Batched(function(*(repeated(raw, sizes) for raw in raws), axis=axis + k, **options), levels)


@axes_of(shaping.stack)
def stack(function: Any, *arrays: Any, axis: int = 0, **options: Any) -> Any:
    """Return the entries of several arrays joined along a new axis."""
    axis = normalize_axis_index(axis, np.ndim(arrays[0]) + 1)
    return np.concatenate([np.expand_dims(x, axis) for x in arrays], axis, **options)


def repeated(raw: Any, sizes: tuple[int, ...]) -> Any:
    """Return an array with its first axes of these sizes."""
    return raw if raw.shape[: len(sizes)] == sizes else np.broadcast_to(raw, (*sizes, *raw.shape[len(sizes) :]))


# Products
@axes_of(np.matmul)
def matmul(function: Any, x: Any, y: Any, **kwargs: Any) -> Any:
    """Multiply matrices and vectors: a vector gets the axis that it lacks, which is taken out again."""
    m, n = np.ndim(x), np.ndim(y)
    if not m or not n or np.shape(x)[-1] != np.shape(y)[-2 if n > 1 else 0]:
        return NotImplemented
    if not isinstance(y, Batched) and n <= 2:  # (the batch's axes are rows more)
        return Batched(x._raw @ y, x._levels)
    if m == 1 and n == 2 and not isinstance(x, Batched):
        return np.swapaxes(y, -1, -2) @ x
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
    levels = common(z for z in (vector, matrix) if isinstance(z, Batched))
    a, b = (with_axes(at_levels(z, levels), levels, n) for z, n in ((vector, np.ndim(matrix) - 1), (matrix, 0)))
    return Batched(products.vecmat(a, b), levels)


@axes_of(products.rows_by_matrix)
def rows_by_matrix(function: Any, x: Any, w: Any) -> Any:
    """Multiply a stack by a matrix, each of which may be batched."""
    return np.matmul(x, w)


@axes_of(products.sum_of_products)
def sum_of_products(function: Any, x: Any, y: Any) -> Any:
    """Add up products by what they are made of."""
    return function.on_arrays(x, y)


@axes_of(np.dot)
def dot(function: Any, a: Any, b: Any) -> Any:
    """Multiply matrices and vectors, where dot and matmul are the same."""
    return np.matmul(a, b) if np.ndim(a) > 0 and 0 < np.ndim(b) <= 2 else NotImplemented


@axes_of(np.einsum)
def einsum_of_one(function: Any, subscripts: Any, *operands: Any, **kwargs: Any) -> Any:
    """Call np.einsum on one operand, which it may give back as a view."""
    if len(operands) != 1 or not isinstance(subscripts, str) or "." in subscripts or "->" not in subscripts:
        return NotImplemented
    label, result = subscripts.split("->")
    return Batched(np.einsum(f"...{label}->...{result}", operands[0]._raw, **kwargs), operands[0]._levels)


@axes_of(products.einsum)
def einsum(function: Any, subscripts: str, *operands: Any) -> Any:
    """Call einsum with a label more for each vmap."""
    levels = common(x for x in operands if isinstance(x, Batched))
    inputs, _, result = subscripts.partition("->")
    spare = [letter for letter in ascii_letters if letter not in subscripts][: len(levels)]
    used, labels, raws = set(), [], []
    for label, x in zip(inputs.split(","), operands, strict=True):
        if isinstance(x, Batched):
            raw = with_axes(x, levels, 0)
            varies = [i for i, n in enumerate(raw.shape[: len(levels)]) if n != 1]
            raw = np.reshape(raw, (*(raw.shape[i] for i in varies), *x.shape))
            label, x = "".join(spare[i] for i in varies) + label, raw
            used.update(varies)
        labels.append(label)
        raws.append(x)
    front = "".join(spare[i] for i in sorted(used))
    out = function(f"{','.join(labels)}->{front}{result}", *raws)
    k = len(front)
    return Batched(np.reshape(out, (*(level.size if i in used else 1 for i, level in enumerate(levels)), *out.shape[k:])), levels)


@axes_of(products.turned)
def turned(function: Any, x: Any, subscripts: str) -> Any:
    """Turn the axes of every entry of a batch: a view."""
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
    if not isinstance(a, Batched) or a.ndim < 2 or any_batched(*args, *kwargs.values()):
        return NotImplemented
    return wrapped(function(a._raw, *args, **kwargs), a._levels)


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
def place(index: Any, x: Any, levels: Levels) -> tuple[Any, int, int, int]:
    """Return an index of one entry as an index of the whole array, and where its arrays' axes come out.

    Returns
    -------
    index : tuple
        It counts the entries of the batch too, where an array in the index is batched.
    ndim : the number of axes that the arrays in the index make together.
    first, wanted : where those axes begin in what NumPy returns, and where they belong; behind the batch's axes, if these come first.
    """
    k, parts = len(levels), spelt_out(index, np.ndim(x))
    arrays = [i for i, part in enumerate(parts) if hasattr(part, "ndim")]
    if not arrays:
        return (*(slice(None),) * k, *parts), 0, 0, 0
    numbers = [i for i, part in enumerate(parts) if hasattr(part, "ndim") or isinstance(part, (int, np.integer))]
    ndim = max(parts[i].ndim for i in arrays)
    together = numbers == list(range(numbers[0], numbers[-1] + 1))
    wanted = numbers[0] if together else 0  # (each slice and new axis before it makes one axis of the result)
    if not any(isinstance(part, Batched) for part in parts):
        return (*(slice(None),) * k, *parts), ndim, (k + wanted if together else 0), k + wanted
    raws = [with_axes(part, levels, ndim) if isinstance(part, Batched) else part for part in parts]
    sizes = x._raw.shape[:k] if isinstance(x, Batched) and len(x._levels) == k else with_axes(x, levels, 0).shape[:k]
    counts = [np.reshape(np.arange(n), (n, *(1,) * (k - 1 - i + ndim))) for i, n in enumerate(sizes)]
    return (*counts, *raws), ndim, k, k + wanted


def spelt_out(index: Any, ndim: int) -> list[Any]:
    """Return the parts of an index: lists as arrays, masks as the places that they name, the dots as slices."""
    parts: list[Any] = []
    for part in index if isinstance(index, tuple) else (index,):
        part = np.asarray(part) if isinstance(part, (list, range)) or (isinstance(part, tuple) and part) else part
        if isinstance(part, (bool, np.bool)) or getattr(part, "dtype", None) == np.dtype(bool):
            if isinstance(part, Batched):
                raise BatchError("vmap: a batched mask takes another number of entries for each; np.where(mask, x, 0) keeps the shape")
            parts += np.nonzero(np.asarray(part)) if np.ndim(part) else [np.asarray(part)]
        else:
            parts.append(part)
    taken = sum(part is not None and part is not Ellipsis for part in parts)
    rest = [slice(None)] * (ndim - taken)
    dots = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:dots], *rest, *parts[dots + 1 :]]


def moved(x: Any, ndim: int, first: int, wanted: int) -> Any:
    """Return an array with some of its axes, which follow each other, in another place."""
    if not ndim or first == wanted:
        return x
    return np.moveaxis(x, range(first, first + ndim), range(wanted, wanted + ndim))


def levels_of(*things: Any) -> Levels:
    """Return the levels of the batches among arguments and in indices."""
    flat = [part for thing in things for part in (thing if isinstance(thing, tuple) else (thing,))]
    return common(x for x in flat if isinstance(x, Batched))


def at_levels(x: Any, levels: Levels) -> Batched:
    """Return something as a batch at these levels, its axes of size 1 where it is not batched."""
    if isinstance(x, Batched):
        return Batched(with_axes(x, levels, 0), levels)
    return Batched((x if hasattr(x, "ndim") else np.asarray(x))[(None,) * len(levels)], levels)


@axes_of(shaping.getitem)
def getitem(function: Any, x: Any, index: Any) -> Any:
    """Return x[index] for each entry."""
    levels = levels_of(x, index)
    x = at_levels(x, levels)
    whole, *where = place(index, x, levels)
    found = Batched(moved(x._raw[whole], *where), levels)
    if where[0]:
        lay_out(found)
    of_array = x.ndim > 0 or is_view(x._raw)
    return found if found.ndim or (of_array and spelt_dots(index)) else np.copy(found)  # (a single number is no view)


def lay_out(x: Batched) -> None:
    """Let a new result lie in memory as each of its entries would by itself."""
    array = values(x)
    if isinstance(array, np.ndarray) and isinstance(x._raw, Tensor):
        x._raw._node.value = np.ascontiguousarray(array)
    elif isinstance(array, np.ndarray):
        x._raw = np.ascontiguousarray(array)


def spelt_dots(index: Any) -> list[Any]:
    """Return the dots in an index."""
    return [part for part in (index if isinstance(index, tuple) else (index,)) if part is Ellipsis]


def value_at(value: Any, x: Batched, index: Any, levels: Levels) -> tuple[Any, Any]:
    """Return an index of the whole array, and a value for what stands there, both as NumPy takes them."""
    whole, ndim, first, wanted = place(index, x, levels)
    here = np.broadcast_to(np.zeros(()), x._raw.shape)[tuple(form(part) for part in whole)].shape
    there = moved(np.broadcast_to(np.zeros(()), here), ndim, first, wanted).shape
    value = at_levels(value, levels)
    while value.ndim > len(there) - len(levels) and value.shape[0] == 1:  # (NumPy drops such axes too)
        value = np.squeeze(value, 0)
    raw = with_axes(value, levels, len(there) - len(levels))
    if first != wanted and ndim:
        raw = moved(np.broadcast_to(raw, there), ndim, wanted, first)
    return whole, raw


def form(part: Any) -> Any:
    """Return a part of an index as one that gives results of the same shape."""
    return np.zeros(part.shape, int) if hasattr(part, "shape") else part


def full(x: Any, levels: Levels) -> Batched:
    """Return something as a batch with all entries written out."""
    return Batched(expanded(at_levels(x, levels), levels), levels)


@axes_of(shaping.scatter)
def scatter(function: Any, g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Return zeros with g added at the index, for each entry."""
    levels = levels_of(g, index)
    like = full(np.broadcast_to(np.zeros(()), shape), levels)
    whole, raw = value_at(g, like, index, levels)
    here = like._raw[tuple(form(part) for part in whole)].shape
    return Batched(function(raw if raw.shape == here else np.broadcast_to(raw, here), whole, like._raw.shape), levels)


@axes_of(shaping.setitem)
def setitem(function: Any, x: Any, value: Any, index: Any) -> Any:
    """Return x with the value at the index, for each entry."""
    levels = levels_of(x, value, index)
    x = full(x, levels)
    if is_mask(index):
        return written_where(index, value, x)
    whole, raw = value_at(value, x, index, levels)
    return Batched(function(x._raw, raw, whole), levels)


def is_mask(index: Any) -> bool:
    """Tell whether an index is a mask for each entry."""
    return isinstance(index, Batched) and index.dtype == bool


def written_where(mask: Batched, value: Any, x: Batched) -> Any:
    """Return x with one value where its mask is true."""
    if np.ndim(value):
        raise BatchError("vmap: a batched mask takes another number of entries for each; np.where(mask, values, x) chooses among values")
    return shaping.astype(np.where(np.reshape(mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim))), value, x), x.dtype)


def write(x: Batched, index: Any, value: Any) -> None:
    """Write a value into each entry at the index, in place."""
    levels = levels_of(x, value, index)
    if len(levels) > len(x._levels) or any(n == 1 != level.size for n, level in zip(x._raw.shape, levels)):
        raise BatchError(f"vmap: what is batched cannot be written into what is the same for all entries; {WRITE}")
    if is_mask(index):
        index, value = ..., written_where(index, value, x)
    whole, raw = value_at(value, x, index, levels)
    x._raw[whole] = raw


AXES["write"] = write


@axes_of(np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal)
def write_by_function(function: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """Let a function write into each entry, which is a view of the whole array."""
    levels = common(batches_in((x, *args, *kwargs.values())))
    if not isinstance(x, Batched) or any(n == 1 != level.size for n, level in zip(with_axes(x, levels, 0).shape, levels)):
        raise BatchError(f"vmap: {function.__name__} of what is batched into what is the same for all entries; {WRITE}")
    for place in np.ndindex(tuple(level.size for level in levels)):
        entries = [one_entry(y, place) if isinstance(y, Batched) else y for y in (x, *args)]
        function(*entries, **{key: one_entry(y, place) if isinstance(y, Batched) else y for key, y in kwargs.items()})


@axes_of(np.take)
def take(function: Any, a: Any, indices: Any, axis: Axis = None, out: None = None, mode: str = "raise") -> Any:
    """Return what stands at the indices along an axis."""
    a, axis = (np.ravel(a), 0) if axis is None else (a, normalize_axis_index(axis, np.ndim(a)))
    indices = indices if hasattr(indices, "ndim") else np.asarray(indices)
    n = np.shape(a)[axis]
    if mode != "raise":
        indices = np.clip(indices, 0, n - 1) if mode == "clip" else np.remainder(indices, n)
    return shaping.getitem(a, (*(slice(None),) * axis, indices))


@axes_of(np.take_along_axis)
def take_along_axis(function: Any, arr: Any, indices: Any, axis: Axis = -1) -> Any:
    """Return what stands at the indices along an axis, line by line."""
    if axis is None:
        arr, axis = np.ravel(arr), 0
    if np.ndim(arr) != np.ndim(indices):
        return NotImplemented
    axis = normalize_axis_index(axis, np.ndim(arr))
    lines = [np.reshape(np.arange(n), (n, *(1,) * (np.ndim(arr) - i - 1))) for i, n in enumerate(np.shape(arr))]
    return shaping.getitem(arr, (*lines[:axis], indices, *lines[axis + 1 :]))


@axes_of(np.searchsorted)
def searchsorted(function: Any, a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """Return where values belong in one sorted row, which is the same for all entries."""
    if any_batched(a, sorter):
        return NotImplemented
    return Batched(function(a, v._raw, side, sorter), v._levels)


@axes_of(np.digitize)
def digitize(function: Any, x: Any, bins: Any, right: bool = False) -> Any:
    """Return which bin values fall into; the bins are the same for all entries."""
    return NotImplemented if any_batched(bins) else Batched(np.digitize(x._raw, bins, right), x._levels)


# Convolution and pooling: the samples of all entries are samples; where kernels differ from entry to entry, the channels are groups
@axes_of(convolution.largest, convolution.to_largest, convolution.of_largest, convolution.window_sum, convolution.spread_over_windows)
def pool(function: Any, *args: Any) -> Any:
    """Pool the samples of all entries."""
    arrays = [x for x in args if hasattr(x, "ndim")]
    levels = common(batches_in(arrays))
    sizes = tuple(level.size for level in levels)
    raws = [full(x, levels)._raw for x in arrays]
    rows = [np.reshape(raw, (-1, *raw.shape[len(sizes) + 1 :])) for raw in raws]
    out = function(*rows, *args[len(arrays) :])
    return Batched(np.reshape(out, (*sizes, raws[0].shape[len(sizes)], *out.shape[1:])), levels)


@axes_of(convolution.convolution, convolution.convolution_x)
def convolve(function: Any, x: Any, w: Any, *how: Any) -> Any:
    """Convolve with kernels, or go back through it; kernels of each entry's own are those of its groups of channels."""
    if not isinstance(w, Batched):
        return pool(lambda x: function(x, w, *how), x)
    levels = levels_of(x, w)
    kernels, count = full(w, levels), int(np.prod([level.size for level in levels]))
    out = function(as_channels(x, levels), np.reshape(kernels._raw, (-1, *kernels.shape[1:])), *how[:-1], how[-1] * count)
    return from_channels(out, levels)


@axes_of(convolution.convolution_w)
def convolve_back(function: Any, x: Any, g: Any, *how: Any) -> Any:
    """Return the cotangents of each entry's kernels."""
    levels = levels_of(x, g)
    sizes = tuple(level.size for level in levels)
    out = function(as_channels(x, levels), as_channels(g, levels), *how[:-1], how[-1] * int(np.prod(sizes)))
    return Batched(np.reshape(out, (*sizes, -1, *out.shape[1:])), levels)


def as_channels(x: Any, levels: Levels) -> Any:
    """Return samples (N, C, *space) of each entry with the channels of all entries beside each other."""
    raw, k = full(x, levels)._raw, len(levels)
    moved = np.moveaxis(raw, k, 0)
    return np.reshape(moved, (len(moved), int(np.prod(moved.shape[1 : k + 2])), *moved.shape[k + 2 :]))


def from_channels(out: Any, levels: Levels) -> Batched:
    """Undo ``as_channels``."""
    sizes = tuple(level.size for level in levels)
    apart = np.reshape(out, (len(out), *sizes, out.shape[1] // int(np.prod(sizes)), *out.shape[2:]))
    return Batched(np.moveaxis(apart, 0, len(sizes)), levels)
