"""Functions in which NumPy differs from the standard, or that take arrays only: creation, dtypes, arithmetic, shapes, sorting."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from ..graph import leaf
from ..tensor import Tensor, handle, stacked
from ..trees import leaves

__all__ = [
    "arange", "argsort", "asarray", "astype", "can_cast", "clip", "count_nonzero", "empty", "empty_like", "expand_dims", "expm1", "eye",
    "finfo", "floor_divide", "from_dlpack", "full", "full_like", "iinfo", "isdtype", "linspace", "ones", "ones_like", "repeat",
    "reshape", "result_type", "sort", "take", "take_along_axis", "unstack", "zeros", "zeros_like",
]  # fmt: skip

DEVICE = "cpu"


def on_cpu(device: Any) -> None:
    """Raise unless a device is the only one that there is."""
    if device not in (None, DEVICE):
        raise ValueError(f"there is no device {device!r}: tensors are in the memory of the CPU, device={DEVICE!r}")


# Creation
def creation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of NumPy's that creates arrays one that creates tensors."""

    @wraps(function)
    def create(*args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        on_cpu(device)
        return handle(leaf(np.array(function(*args, **kwargs))))

    return create


arange, empty, eye, full = creation(np.arange), creation(np.empty), creation(np.eye), creation(np.full)
linspace, ones, zeros = creation(np.linspace), creation(np.ones), creation(np.zeros)


def like(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of NumPy's that creates arrays like another one that creates tensors like another."""

    @wraps(function)
    def create(x: Any, /, *, dtype: Any = None, device: Any = None) -> Tensor:
        on_cpu(device)
        return handle(leaf(function(np.empty(x.shape, x.dtype), dtype)))

    return create


empty_like, ones_like, zeros_like = like(np.empty_like), like(np.ones_like), like(np.zeros_like)


def full_like(x: Any, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Return a tensor of x's shape, with one value in all places."""
    return full(x.shape, fill_value, dtype=dtype or x.dtype, device=device)


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """Return a tensor of numbers, nested lists of them, an array or a tensor; a gradient flows to a tensor that it is made of."""
    on_cpu(device)
    if copy is False and not isinstance(obj, Tensor):
        raise ValueError(f"asarray: a {type(obj).__name__} cannot become a tensor without a copy: leave out copy=False")
    made = stacked(obj) if isinstance(obj, (list, tuple)) and any(isinstance(part, Tensor) for part in leaves(obj)) else obj
    if not isinstance(made, Tensor):
        return Tensor(made, dtype=dtype)
    return writable(astype(made, made.dtype if dtype is None else dtype, copy=bool(copy)))


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return a tensor of another library's array, copied."""
    on_cpu(device)
    if isinstance(x, Tensor):
        return x if copy is False else x.copy()
    if copy is False:
        raise ValueError(f"from_dlpack: a {type(x).__name__} cannot become a tensor without a copy: leave out copy=False")
    return Tensor(np.from_dlpack(x))


# Dtypes
def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Return x in another dtype; x itself if that is its own and no copy is wanted."""
    on_cpu(device)
    if not copy and x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and np.dtype(dtype).kind not in "cb":
        raise TypeError(f"astype: {x.dtype} cannot become {np.dtype(dtype)}: take xp.real or xp.imag")
    return writable(x.astype(dtype))


def writable(x: Any) -> Any:
    """Return a tensor; a single number, which NumPy's functions return for an array without axes, as such an array."""
    return np.copy(x) if isinstance(x, Tensor) and isinstance(x._node.value, np.generic) else x


def dtype_of(x: Any) -> Any:
    """Return the dtype of an array; a dtype, or a number, as it is."""
    return x if isinstance(x, (np.dtype, type)) else getattr(x, "dtype", x)


class FloatingLimits(NamedTuple):
    """The limits of a floating dtype, as Python's numbers (NumPy's are of that dtype)."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: np.dtype


def finfo(type: Any, /) -> FloatingLimits:
    """Return the limits of a floating dtype, or of an array's."""
    found = np.finfo(dtype_of(type))
    return FloatingLimits(found.bits, float(found.eps), float(found.max), float(found.min), float(found.smallest_normal), found.dtype)


def iinfo(type: Any, /) -> Any:
    """Return the limits of an integer dtype, or of an array's."""
    return np.iinfo(dtype_of(type))


def can_cast(from_: Any, to: Any, /) -> bool:
    """Tell whether a dtype becomes another one by the rules of promotion."""
    return np.can_cast(dtype_of(from_), to)


def result_type(*arrays_and_dtypes: Any) -> Any:
    """Return the dtype that a computation with these gives."""
    return np.result_type(*map(dtype_of, arrays_and_dtypes))


isdtype = np.isdtype


# Arithmetic
def floor_divide(x1: Any, x2: Any, /) -> Any:
    """Return the floor of x1 / x2; where one of them is infinite, that is infinite or a zero (NumPy's is nan or -1)."""
    with np.errstate(invalid="ignore"):  # (np.divide below says what is invalid)
        quotient = np.floor_divide(x1, x2)
    if quotient.dtype.kind != "f":
        return quotient
    x1, x2 = (x.detach() if isinstance(x, Tensor) else x for x in (x1, x2))  # (the derivative of a floor is 0)
    return np.where(np.isinf(x1) | np.isinf(x2), np.floor(np.divide(x1, x2)), quotient)


def expm1(x: Any, /) -> Any:
    """Return exp(x) - 1, precise near 0; for complex x also at infinity and nan, and without a negative zero at 0."""
    if x.dtype.kind != "c":
        return np.expm1(x)
    with np.errstate(invalid="ignore"):  # (np.exp below says what is invalid)
        near = np.expm1(x)
    return np.where(np.isfinite(x) & (x != 0), near, np.exp(x) - 1)


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """Return the entries, those outside of the interval moved to its ends, in the dtype of x."""
    return np.clip(x, in_range(min, x.dtype), in_range(max, x.dtype)).astype(x.dtype)


def in_range(limit: Any, dtype: np.dtype) -> Any:
    """Return an array of integers in another dtype of integers, moved into its range; anything else as it is."""
    own = getattr(limit, "dtype", dtype)
    if own == dtype or own.kind not in "iu" or dtype.kind not in "iu":
        return limit
    here, there = np.iinfo(own), np.iinfo(dtype)
    return np.clip(limit, max(here.min, there.min), min(here.max, there.max)).astype(dtype)


# Shapes
def reshape(x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    """Return the entries in another shape."""
    if copy is False and x.size and not np.may_share_memory(array := np.empty(x.shape), np.reshape(array, shape)):
        raise ValueError(f"reshape: {x.shape} cannot become {shape} without a copy: leave out copy=False")
    return np.reshape(x.copy() if copy else x, shape)


def expand_dims(x: Any, /, axis: Any = 0) -> Any:
    """Return x with a new axis of size 1."""
    return np.expand_dims(x, axis)


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Return the entries along an axis, each as often as the repeats (in any dtype of integers) say."""
    return np.repeat(x, signed(repeats), axis)


def take(x: Any, indices: Any, /, *, axis: int | None = None) -> Any:
    """Return the entries at the indices (in any dtype of integers) along an axis."""
    return np.take(x, signed(indices), axis)


def signed(numbers: Any) -> Any:
    """Return an array of uint64, which NumPy refuses for places and counts, in int64; anything else as it is."""
    return numbers.astype(np.int64) if getattr(numbers, "dtype", None) == np.uint64 else numbers


def unstack(x: Any, /, *, axis: int = 0) -> tuple[Any, ...]:
    """Return the slices along an axis."""
    return tuple(np.moveaxis(x, axis, 0))


def count_nonzero(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Return how many entries are not 0."""
    return asarray(np.count_nonzero(x, axis, keepdims=keepdims))  # (one of Python's integers, before NumPy 2.3)


def take_along_axis(x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    """Return the entries at the indices along an axis, line by line."""
    return np.take_along_axis(x, indices, axis)


# Sorting
def sort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the entries in order along an axis."""
    return np.take_along_axis(x, argsort(x, axis=axis, descending=descending, stable=stable), axis)


def argsort(x: Any, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the places of the entries in order along an axis; equal ones keep theirs."""
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    n = x.shape[axis] if x.ndim else 1
    return n - 1 - np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
