"""A batch that computes as one of its entries does: what ``vmap`` hands to a function in place of an array.

``Batched`` holds one array for all entries, with an axis for each vmap in progress in front. Its ``shape`` is the shape of one
entry, and it speaks NumPy's two protocols, so that code written for one entry runs for all of them at once. ``AXES`` says of a
function how to call it on whole batches; a function that NumPy's other functions compose is read on the batch as it
stands; every other function is called entry by entry.

Nothing here knows calculus. The array inside may be a Tensor, and then what is computed with it is recorded as always.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from itertools import repeat
from typing import Any

import numpy as np

from ..backward import values
from ..errors import BatchError
from ..operators import ARITHMETIC, BITWISE, COMPARISONS, METHODS, OF_ONE_TENSOR
from ..rules import COMPOSITIONS, RULES, neural, reductions, shaping
from ..tensor import Tensor, by_position
from ..trees import leaves, mapped, rebuilt, skeleton
from ..views import Flat, View, root_of

__all__ = ["AXES", "Batched", "Level", "active_levels", "common_levels", "entry_by_entry", "expanded", "lined_up", "wrapped"]


class Level:
    """One vmap in progress, and the axis that it has put in front of the arrays: ``size`` is the number of entries in its batch."""

    def __init__(self, size: int) -> None:
        self.size = size


Levels = tuple[Level, ...]
active_levels: ContextVar[Levels] = ContextVar("active_levels", default=())
composing: ContextVar[frozenset[Any]] = ContextVar("composing", default=frozenset())

AXES: dict[Any, Callable[..., Any]] = {}
RULES_OF = shaping.__name__.rpartition(".")[0]
NUMBERS = (int, float, bool, complex)

# What a call on whole batches can raise where the shapes of one entry do not fit: then one entry words the error.
MISFITS = (BatchError, ValueError, TypeError, IndexError)


# Operators and methods
def operator_pair(ufunc: Any, plain: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator and its reflection."""

    def direct(self: Batched, other: Any) -> Any:
        if type(other) in NUMBERS:
            return Batched(plain(self._raw, other), self._levels)
        if type(other) is Batched and other._levels is self._levels and other._raw.ndim == self._raw.ndim:
            try:
                return Batched(plain(self._raw, other._raw), self._levels)
            except MISFITS:
                pass
        other = operand(other)
        return other if other is NotImplemented else elementwise(ufunc, self, other)

    def reflected(self: Batched, other: Any) -> Any:
        if type(other) in NUMBERS:
            return Batched(plain(other, self._raw), self._levels)
        other = operand(other)
        return other if other is NotImplemented else elementwise(ufunc, other, self)

    return direct, reflected


def operand(x: Any) -> Any:
    """Return the other side of an operator as an array, a batch or a number; NotImplemented if it is none of these."""
    if isinstance(x, (list, tuple)):
        return np.asarray(x)
    return x if hasattr(x, "dtype") or isinstance(x, NUMBERS) else NotImplemented


def elementwise_method(ufunc: Any) -> Callable[..., Any]:
    """Return a method of no arguments."""
    return lambda self: Batched(ufunc(self._raw), self._levels)


def method_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls a function on the batch."""
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def is_view(raw: Any) -> bool:
    """Tell whether an array or a tensor shares its memory with another one."""
    return type(raw) is not Tensor if isinstance(raw, Tensor) else getattr(raw, "base", None) is not None


def in_place(operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return an operator that writes its result into its left side; a single number, as NumPy's scalars are, becomes another one."""

    def write(self: Batched, other: Any) -> Any:
        if not self.ndim and not is_view(self._raw):
            return operation(self, other)
        self[...] = operation(self, other)
        return self

    return write


class Batched:
    """All entries of a batch, seen as one of them.

    Its array has an axis for each level in front, of the level's size, or of size 1 where the entries are all the same.
    """

    __slots__ = ("__weakref__", "_levels", "_raw")
    __array_priority__ = 1100
    __hash__ = object.__hash__
    _raw: Any
    _levels: Levels
    astype: Any  # (as all methods and operators with a function of NumPy's set below the class)

    def __init__(self, raw: Any, levels: Levels) -> None:
        self._raw, self._levels = raw, levels

    shape = property(lambda self: self._raw.shape[len(self._levels) :], doc="The length of each axis of one entry.")
    ndim = property(lambda self: self._raw.ndim - len(self._levels), doc="The number of axes of one entry.")
    dtype = property(lambda self: self._raw.dtype, doc="The type of the numbers.")
    T = property(lambda self: np.transpose(self), doc="The axes of each entry in reverse order.")
    mT = property(lambda self: np.swapaxes(self, -1, -2), doc="The last two axes exchanged.")
    real = property(lambda self: np.real(self), lambda self, value: self.real.__setitem__(..., value), doc="The real part.")
    imag = property(lambda self: np.imag(self), lambda self, value: self.imag.__setitem__(..., value), doc="The imaginary part.")
    flat = property(
        lambda self: Flat(self if self.ndim else self.copy()),  # (what is written to a single number is lost, as in NumPy)
        lambda self, value: self.flat.__setitem__(slice(None), value),
        doc="The numbers of one entry in a row.",
    )

    @property
    def size(self) -> int:
        """The number of numbers in one entry."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to what is batched."""
        return bool(getattr(self._raw, "requires_grad", False))

    # NumPy's two protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        out = out[0] if isinstance(out, tuple) and len(out) == 1 else out
        if method == "__call__" and out is not None and "where" in kwargs:
            with np.errstate(all="ignore"):
                found = np.where(kwargs.pop("where"), ufunc(*inputs, **kwargs), out)
        elif out is not None and not batches_in((inputs, kwargs)):
            found = (ufunc if method == "__call__" else getattr(ufunc, method))(*inputs, **kwargs)
        elif method == "__call__":
            found = elementwise(ufunc, *inputs, **kwargs) if ufunc.signature is None else call(ufunc, inputs, kwargs)
        else:
            found = call(getattr(ufunc, method), inputs, kwargs)
        return found if out is None else written(out, found, ufunc.__name__)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = kwargs.pop("out", None)
        found = call(function, args, kwargs) if out is None or batches_in((args, kwargs)) else function(*args, **kwargs)
        return found if out is None else written(out, found, function.__name__)

    def __getitem__(self, index: Any) -> Any:
        return shaping.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        AXES["write"](self, index, value)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("an entry of this batch has no axes, and no len()")
        return int(self.shape[0])

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        sizes = " × ".join(str(level.size) for level in self._levels)
        return f"Batched({sizes} entries of shape {self.shape}, {self.dtype})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return np.copy(self)

    # Methods that take other arguments than NumPy's functions of their names
    compress = lambda self, condition, axis=None: np.compress(condition, self, axis)
    clip = lambda self, min=None, max=None, **kwargs: np.clip(self, min, max, **kwargs)
    flatten = lambda self, order="C": np.copy(np.ravel(self, order))
    fill = lambda self, value: self.__setitem__(..., value)
    partition = lambda self, kth, axis=-1: self.__setitem__(..., np.partition(self, kth, axis))
    sort = lambda self, axis=-1, kind=None, *, stable=None: self.__setitem__(..., np.sort(self, axis, kind, stable=stable))

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """Return the numbers of each entry in another shape, given as one tuple or as several integers."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **options)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes of each entry in another order, given as one tuple or as several integers."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def view(self, dtype: Any = None) -> Any:
        """Return a view of all numbers of each entry."""
        if dtype is not None and np.dtype(dtype) != self.dtype:
            raise BatchError(f"vmap: {self.dtype} cannot be viewed as {np.dtype(dtype)}: write x.astype(dtype)")
        return self[...] if self.ndim else np.copy(self)

    def detach(self) -> Any:
        """Return the same values outside the graph."""
        return Batched(self._raw.detach(), self._levels) if isinstance(self._raw, Tensor) else self

    # What would treat all entries as one
    def _same_for_all(self, what: str, instead: str) -> Any:
        """Return an entry if all are the same; else raise an error that names what would work."""
        if any(n != 1 for n in self._raw.shape[: len(self._levels)]):
            raise BatchError(f"vmap: {what} would treat the entries of a batch as one; {instead}")
        return self._raw[(0,) * len(self._levels)]

    def __bool__(self) -> bool:
        return bool(self._same_for_all("a decision by a batched value (if, while, and, or, not, min, max, sort)", BOTH_WAYS))

    def __float__(self) -> float:
        return float(self._same_for_all("float(), or a write into an array that is not batched,", f"{STAY}; {WRITE}"))

    def __int__(self) -> int:
        return int(self._same_for_all("int()", STAY))

    def __complex__(self) -> complex:
        return complex(self._same_for_all("complex()", STAY))

    def __index__(self) -> int:
        return operator.index(self._same_for_all("an index into a list or an array, a range or a size by a batched value", TAKE))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self._same_for_all("a plain array, or a write into one that is not batched,", WRITE), dtype=dtype)

    def item(self) -> Any:
        """Return the one number of an entry, where it is the same for all."""
        return self._same_for_all(".item()", STAY).item()

    def tolist(self) -> Any:
        """Return an entry as nested lists, where it is the same for all."""
        return self._same_for_all(".tolist()", STAY).tolist()

    def numpy(self) -> Any:
        """Return an entry as an array, where it is the same for all."""
        return np.array(self._same_for_all(".numpy()", STAY))

    def backward(self, grad: Any = None) -> None:
        """Raise: a gradient for each entry is ``vmap(grad(f))``."""
        raise BatchError("vmap: .backward() would add up the gradients of all entries; use tg.vmap(tg.grad(f)) for a gradient for each")


for name, ufunc in (ARITHMETIC | BITWISE | COMPARISONS).items():
    plain = getattr(operator, f"__{name}__")
    direct, reflected = operator_pair(ufunc, plain)
    setattr(Batched, f"__{name}__", direct)
    if name not in COMPARISONS:
        setattr(Batched, f"__r{name}__", reflected)
        setattr(Batched, f"__i{name}__", in_place(plain))

CALLED_ON_A_BATCH: dict[str, Callable[..., Any]] = {
    **METHODS, "sum": np.sum, "mean": np.mean, "prod": np.prod, "max": np.max, "min": np.min, "logsumexp": neural.logsumexp,
    "put": np.put, "copy": np.copy, "astype": shaping.astype, "__round__": np.round, "__divmod__": np.divmod,
    "__matmul__": np.matmul, "__rmatmul__": lambda x, y: np.matmul(y, x),  # (which is not elementwise)
}  # fmt: skip
for name, function in CALLED_ON_A_BATCH.items():
    setattr(Batched, name, method_of(function))

ON_EACH_NUMBER: dict[str, Callable[..., Any]] = {
    **OF_ONE_TENSOR, "__invert__": np.invert, "conj": np.conjugate, "conjugate": np.conjugate,
}  # fmt: skip
for name, function in ON_EACH_NUMBER.items():
    setattr(Batched, name, elementwise_method(function))

BOTH_WAYS = "np.where(condition, x, y) computes both and chooses for each entry"
STAY = "NumPy's functions and the operators take it as it is; do this outside, on what the function returns"
TAKE = "tg.Tensor(array)[index] takes an index for each entry, and so does an array that is an argument (with None in in_axes)"
WRITE = (
    "make the array to write into from a batched one (np.zeros_like(x)), join results with np.stack, and index an array a by "
    "tg.Tensor(a)[index]"
)


# How a function is called
def call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function on whole batches where it is known how, else entry by entry."""
    row, given = RULES.get(function), (args, kwargs)
    if row is not None and any(isinstance(x, Batched) for x in kwargs.values()):
        args, kwargs = by_position(function, args, kwargs)
    if row is not None and row.kind == "elementwise":
        return elementwise(function, *args, **kwargs)
    for on_batches in implementations(function, args):
        try:
            found = on_batches(*args, **kwargs)
        except MISFITS:
            continue
        if found is NotImplemented:
            continue
        if found is None or on_batches is AXES.get(function) or is_like_numpys(found, function, args, kwargs):
            return found
    return entry_by_entry(function, *given)


def is_like_numpys(found: Any, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Tell whether a composition gives what the function itself gives for the first entry, if the batches are of plain arrays."""
    batches = batches_in((args, kwargs))
    if any(not isinstance(x._raw, np.ndarray) or 0 in x._raw.shape[: len(x._levels)] for x in batches):
        return True
    args, kwargs = entries_at(repeat(0), (args, kwargs))
    ours, numpys = ([np.asarray(y) for y in leaves(out)] for out in (entries_at(repeat(0), found), function(*args, **kwargs)))
    alike = [x.shape == y.shape and x.dtype == y.dtype and np.allclose(x, y, equal_nan=True) for x, y in zip(ours, numpys)]
    return len(ours) == len(numpys) and all(alike)


def implementations(function: Any, args: tuple[Any, ...]) -> Iterator[Callable[..., Any]]:
    """Yield what calls a function on whole batches: by its axes, or by how it is written in other functions."""
    if function in AXES:
        yield AXES[function]
    elif str(getattr(function, "__module__", "")).startswith(RULES_OF) and not any(isinstance(x._raw, Tensor) for x in batches_in(args)):
        yield function.on_arrays  # (of tensors the row itself is wanted)
    if body := composed(function):
        yield body


def batches_in(args: Any) -> list[Batched]:
    """Return the batches among arguments."""
    return [x for x in leaves(args) if isinstance(x, Batched)]


def composed(function: Any) -> Callable[..., Any] | None:
    """Return the composition of a function, or None if it has none or is inside of it already (there it is called on plain values)."""
    body, inside = COMPOSITIONS.get(function), composing.get()
    if body is None or function in inside:
        return None

    def read(*args: Any, **kwargs: Any) -> Any:
        token = composing.set(inside | {function})
        try:
            return body(*args, **kwargs)
        finally:
            composing.reset(token)

    return read


def elementwise(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function that works number by number, on the batches with their axes lined up."""
    try:
        if not any(isinstance(x, Batched) for x in kwargs.values()):
            levels, raws = lined_up(args)
            return wrapped(function(*raws, **kwargs), levels)
    except MISFITS:
        pass
    return entry_by_entry(function, args, kwargs)


def entry_by_entry(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function for each entry of the batches among its arguments, and stack what it returns."""
    batches, name = batches_in((args, kwargs)), name_of(function)
    levels = common_levels(batches)
    sizes = tuple(level.size for level in levels)

    def result_at(place: Iterable[int] | None) -> Any:
        entries, options = entries_at(place, (args, kwargs))
        return function(*entries, **options)

    results = [result_at(place) for place in np.ndindex(sizes)]
    like = results[0] if results else result_at(None)
    if any(skeleton(found) != skeleton(like) for found in results):
        raise BatchError(f"vmap: {name} returns another structure for some entries of a batch than for the others")
    columns = zip(*map(leaves, results)) if results else ([] for _ in leaves(like))
    stacks = [stacked_results(list(column), y, sizes, name) for column, y in zip(columns, leaves(like))]
    for stack, y in zip(stacks, leaves(like)):
        if any(shares_entries(y, x._raw) for x in batches):  # (a view is stacked in a copy: a write to that would be lost)
            values(stack).flags.writeable = False
    return rebuilt(like, [Batched(stack, levels) for stack in stacks])


def name_of(f: Callable[..., Any]) -> str:
    """Return what to call a function in an error."""
    return getattr(f, "__name__", repr(f))


def shares_entries(part: Any, whole: Any) -> bool:
    """Tell whether a result shares entries with a batch."""
    if isinstance(part, np.ndarray) and isinstance(whole, np.ndarray):
        return np.may_share_memory(part, whole)
    return isinstance(part, View) and root_of(part) is root_of(whole)


def entries_at(place: Iterable[int] | None, tree: Any) -> Any:
    """Return a tree with the entry at this place for each batch; for no place, with zeros of the shape of an entry."""

    def entry(x: Any) -> Any:
        if not isinstance(x, Batched):
            return x
        if place is None:
            return np.zeros(x.shape, x.dtype)
        return x._raw[tuple(0 if n == 1 else i for n, i in zip(x._raw.shape[: len(x._levels)], place))]

    return mapped(entry, tree)


def stacked_results(parts: list[Any], like: Any, sizes: tuple[int, ...], name: str) -> Any:
    """Return the entries' results as one array with the batches' axes in front."""
    shapes = {np.shape(part) for part in parts}
    if len(shapes) > 1:
        few = ", ".join(map(str, sorted(shapes)[:3]))
        raise BatchError(
            f"vmap: {name} gives results of different shapes for the entries of a batch ({few}): they cannot stand in one array; "
            "np.where(condition, x, 0) keeps the shape"
        )
    if isinstance(like, str) or not parts:
        like = np.asarray(like)
        if like.dtype.kind not in "biufc":
            raise BatchError(f"vmap: {name} returned {like.dtype} for each entry of a batch, and only numbers can be batched")
        return np.zeros((*sizes, *like.shape), like.dtype)
    stacked = np.stack(parts)
    return stacked if len(sizes) == 1 else np.reshape(stacked, (*sizes, *np.shape(like)))


def written(out: Any, found: Any, name: str) -> Any:
    """Write a result where ``out=`` asks for it."""
    if not isinstance(out, Batched):
        raise BatchError(f"vmap: {name}(..., out=a) would write a batched result into an array that is not; {WRITE}")
    out[...] = found
    return out


# Axes that meet in broadcasting
def common_levels(batches: Iterable[Batched]) -> Levels:
    """Return the levels of all of them together: those of the innermost."""
    longest: Levels = ()
    for x in batches:
        levels = x._levels
        if levels is longest:
            continue
        short, long = (levels, longest) if len(levels) < len(longest) else (longest, levels)
        if any(a is not b for a, b in zip(short, long)):
            raise BatchError(OUTSIDE)
        longest = long
    return longest


OUTSIDE = "vmap: a batched value was used outside of the vmap that it belongs to; return it from the function instead"


def lined_up(args: tuple[Any, ...]) -> tuple[Levels, list[Any]]:
    """Return the levels, and the arrays of all arguments so that the batches' axes, and those of the entries, meet in broadcasting."""
    levels = common_levels(x for x in args if isinstance(x, Batched))
    ndim = max([x.ndim if hasattr(x, "ndim") else np.ndim(x) for x in args])
    return levels, [with_axes(x, levels, ndim) if isinstance(x, Batched) else x for x in args]


def with_axes(x: Batched, levels: Levels, ndim: int) -> Any:
    """Return a batch's array with an axis for each level, and entries of so many axes at least, by new axes of size 1."""
    k, raw = len(x._levels), x._raw
    deeper, more = len(levels) - k, ndim - (raw.ndim - k)
    if deeper <= 0 and more <= 0:
        return raw
    return np.reshape(raw, (*raw.shape[:k], *(1,) * (max(deeper, 0) + max(more, 0)), *raw.shape[k:]))


def at_levels(x: Any, levels: Levels) -> Batched:
    """Return something as a batch at these levels, its axes of size 1 where it is not batched."""
    if isinstance(x, Batched):
        return Batched(with_axes(x, levels, 0), levels)
    return Batched((x if hasattr(x, "ndim") else np.asarray(x))[(None,) * len(levels)], levels)


def expanded(x: Any, levels: Levels) -> Any:
    """Return an array with all entries of a batch written out; of what is not batched, the same for each."""
    if isinstance(x, Batched):
        if len(common_levels([x, Batched(None, levels)])) > len(levels):
            raise BatchError(OUTSIDE)
        raw = with_axes(x, levels, 0)
        shape_of_entry = raw.shape[len(levels) :]
    else:
        raw = x if hasattr(x, "ndim") else np.asarray(x)
        if raw.dtype.kind not in "biufc":
            raise BatchError(f"vmap: only arrays of numbers can be batched, not {type(x).__name__}")
        shape_of_entry = raw.shape
    shape = tuple(level.size for level in levels) + shape_of_entry
    return raw if raw.shape == shape else reductions.repeated(raw, shape)


def wrapped(found: Any, levels: Levels) -> Any:
    """Return a result on whole batches, or several in a tuple or list, as the batch that it is."""
    if isinstance(found, (tuple, list)):
        parts = [wrapped(part, levels) for part in found]
        return type(found)(*parts) if hasattr(found, "_fields") else type(found)(parts)
    return Batched(found, levels)
