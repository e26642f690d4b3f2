"""``vmap``: a function of one entry, called on a whole batch at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any, TypeVar

import numpy as np

from ..errors import BatchError
from ..graph import leaf
from ..tensor import Tensor, handle, require_numbers
from ..trees import is_module, leaves, mapped, rebuilt, skeleton
from .batched import Batched, Level, Levels, active_levels, expanded, name_of, with_axes
from .draws import Draws
from .inside import activated, one_level_less

__all__ = ["vmap"]

F = TypeVar("F", bound=Callable[..., Any])


def vmap(f: F, in_axes: Any = 0, out_axes: Any = 0) -> F:
    """Return f as a function of batches: it is written for one entry, and called once for all.

    Parameters
    ----------
    f : callable
        A function of arrays, Tensors, and nested tuples, lists and dicts of them.
    in_axes : int, None, or a tuple of these, one for each positional argument
        The axis along which the entries of an argument stand; None for an argument that all entries share. For a nested argument
        also a tree of them, of its structure or of the upper part of it.
    out_axes : int, or a tree of them
        The axis along which the results stand.

    Returns
    -------
    callable
        Takes f's arguments with one axis more; returns what f does with one axis more. Keyword arguments are shared.

    Raises
    ------
    BatchError
        If there is nothing to batch, or the batches have different sizes; if f decides by a batched value (``if``,
        ``while``), converts it to a plain number or array, or writes it into an array that is not batched.

    Notes
    -----
    vmap(f)(x)ᵢ = f(xᵢ). A function of which it is not known where its axes are is called entry by entry, and so is an f that draws
    random numbers from a generator: then each entry has draws of its own, as in a loop.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import grad, vmap
    >>> vmap(np.dot)(np.ones((3, 4)), np.ones((3, 4)))
    array([4., 4., 4.])

    The gradient for each example, w the same for all:

    >>> from tinygrad_hw import grad
    >>> loss = lambda w, x, y: (x @ w - y) ** 2
    >>> vmap(grad(loss), (None, 0, 0))(np.ones(2), np.eye(2), np.zeros(2))
    array([[2., 0.],
           [0., 2.]])
    """

    @wraps(f)
    def batched(*args: Any, **kwargs: Any) -> Any:
        return for_all(f, in_axes, out_axes, args, kwargs)

    return batched  # type: ignore[return-value]


def for_all(f: Callable[..., Any], in_axes: Any, out_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call f once for all entries of a batch (outside of ``batched``, so that this can be pickled with the function in it)."""
    axes = axes_for(args, in_axes)
    outer = active_levels.get()
    level = Level(size_of(args, axes, name_of(f)))
    levels = (*outer, level)
    given = rebuilt(args, [into_batch(x, axis, outer, levels) for x, axis in zip(leaves(args), axes)])
    draws = Draws(f, (args, kwargs))
    with activated(levels):
        try:
            out = f(*given, **kwargs)
        except ValueError as error:  # (NumPy's own words for a write of what is batched into an array)
            if isinstance(error.__cause__, BatchError):
                raise error.__cause__ from None
            raise
    if draws.happened():
        draws.undo()
        out = one_by_one(f, given, kwargs, outer, level)
    as_tensors = any(isinstance(x, Tensor) for x in leaves((args, kwargs)))
    ends = axes_of_leaves(out_axes, out, "out_axes")
    shared = [x._raw for x in leaves(given) if isinstance(x, Batched)]
    results = [out_of_batch(y, axis, outer, levels, name_of(f)) for y, axis in zip(leaves(out), ends)]
    return rebuilt(out, results if outer else [as_result(y, as_tensors, shared) for y in results])


def one_by_one(f: Callable[..., Any], given: Any, kwargs: dict[str, Any], outer: Levels, level: Level) -> Any:
    """Call f for each entry, so that it draws its own random numbers for each."""
    levels = (*outer, level)
    k = len(outer)

    def entry(i: int, x: Any) -> Any:
        if not isinstance(x, Batched) or len(x._levels) <= k:
            return x
        raw = x._raw[(slice(None),) * k + (0 if x._raw.shape[k] == 1 else i,)]
        return Batched(raw, outer) if outer else raw

    results = [f(*mapped(partial(entry, i), given), **kwargs) for i in range(level.size)]
    columns = zip(*map(leaves, results))
    return rebuilt(results[0], [Batched(np.stack([expanded(y, outer) for y in column], axis=k), levels) for column in columns])


# How arguments become batches, and results come out of them
def axes_for(args: tuple[Any, ...], in_axes: Any) -> list[Any]:
    """Return the axis of each leaf of the arguments, None where it is shared."""
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if isinstance(in_axes, tuple) and len(in_axes) != len(args):
        raise BatchError(
            f"vmap: in_axes has {len(in_axes)} parts, and there are {len(args)} positional arguments: give an axis (or None) for each"
        )
    return list(axes_of_leaves(in_axes, args, "in_axes"))


def axes_of_leaves(axes: Any, tree: Any, what: str) -> Iterator[Any]:
    """Yield an axis for each leaf of a tree, from a tree of axes that goes as deep or less deep."""
    if axes is None or isinstance(axes, (int, np.integer)):
        yield from (axes for _ in leaves(tree))
    elif isinstance(axes, dict) and isinstance(tree, dict) and axes.keys() == tree.keys():
        for key, part in tree.items():
            yield from axes_of_leaves(axes[key], part, what)
    elif isinstance(axes, (tuple, list)) and isinstance(tree, (tuple, list)) and len(axes) == len(tree):
        for axis, part in zip(axes, tree):
            yield from axes_of_leaves(axis, part, what)
    else:
        raise BatchError(f"vmap: {what} {axes!r} does not go with {skeleton(tree)}: give integers or None in the same structure")


def size_of(args: tuple[Any, ...], axes: list[Any], function: str) -> int:
    """Return the number of entries; raise where there is no batch, or batches differ."""
    remaining, sizes = iter(axes), []
    for n, arg in enumerate(args):
        sizes.append({length_along(x, axis, n, function) for x, axis in zip(leaves(arg), remaining) if axis is not None})
    found = set[int]().union(*sizes)
    if not found:
        raise BatchError(f"vmap({function}): no argument is batched: give in_axes an axis for one at least")
    if len(found) > 1:
        counts = ", ".join(f"argument {n} has {' and '.join(map(str, sorted(part)))}" for n, part in enumerate(sizes) if part)
        raise BatchError(f"vmap({function}): the arguments have different numbers of entries: {counts}")
    return found.pop()


def length_along(x: Any, axis: int, n: int, function: str) -> int:
    """Return the length of an argument along the axis of its entries."""
    if is_module(x):
        raise BatchError(
            f"vmap({function}): argument {n} is a module, which has no axis of entries: give None in its place in in_axes; for a module "
            "for each entry stack their parameters, and call nn.functional_call"
        )
    shape = np.shape(x)
    if not -len(shape) <= axis < len(shape):
        raise BatchError(
            f"vmap({function}): argument {n} has shape {shape}, and no axis {axis} of entries: give None in its place in in_axes for what "
            "all entries share"
        )
    return int(shape[axis])


def into_batch(x: Any, axis: Any, outer: Levels, levels: Levels) -> Any:
    """Return a leaf of the arguments as one of its entries; a shared array too, so that batched values can index it."""
    if axis is None and not isinstance(x, np.ndarray):
        return x
    if isinstance(x, Batched):
        raw, k = with_axes(x, outer, 0), len(outer)
        return Batched(np.moveaxis(raw, k + axis % x.ndim, k), levels)
    x = require_numbers(x) if isinstance(x, np.ndarray) else x if hasattr(x, "ndim") else np.asarray(x)
    raw = x[None] if axis is None else np.moveaxis(x, axis, 0) if axis else x
    raw = raw.copy() if isinstance(raw, np.ndarray) and raw.ndim == 1 else raw  # (an entry that is a single number is no view)
    return Batched(raw[(None,) * len(outer)] if outer else raw, levels)


def out_of_batch(y: Any, axis: Any, outer: Levels, levels: Levels, function: str) -> Any:
    """Return a leaf of the result with the axis of its entries in its place."""
    if axis is None:
        if isinstance(y, Batched) and len(y._levels) > len(outer):
            raise BatchError(f"vmap({function}): out_axes has None for a result that differs from entry to entry: give an axis")
        return y
    y = y if hasattr(y, "ndim") else np.asarray(y)
    if y.dtype.kind not in "biufc":
        raise BatchError(f"vmap({function}): it returned {y.dtype}, and only arrays of numbers can be batched")
    raw = one_level_less(y, levels)
    if not -raw.ndim <= axis < raw.ndim:
        raise BatchError(f"vmap({function}): a result has shape {raw.shape[1:]}, and there is no place {axis} for the entries' axis in it")
    return np.moveaxis(raw, 0, axis) if axis else raw


def as_result(y: Any, as_tensor: bool, shared: list[Any]) -> Any:
    """Return a result as the caller gets it, its memory shared with no other: ``shared`` are the arrays that others have."""
    if isinstance(y, Tensor):
        return y if as_tensor or y.requires_grad else y.numpy()
    if type(y) is not np.ndarray or y.base is not None or any(y is x for x in shared):
        y = np.copy(y)
    shared.append(y)
    return handle(leaf(y)) if as_tensor else y
