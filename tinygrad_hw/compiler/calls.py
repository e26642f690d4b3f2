"""How to read recorded calls, for all that print programs: which make views, which reduce, what axes and indices mean."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..rules.functions import SIGNS
from .layout import part
from .trace import Op

TRANSPOSES = {np.transpose, np.swapaxes, np.moveaxis, np.rollaxis, np.matrix_transpose}
VIEWS = TRANSPOSES | {
    np.expand_dims, np.squeeze, np.reshape, np.broadcast_to, operator.getitem, np.flip, np.diagonal, np.real, np.imag, np.ravel, part,
}  # fmt: skip
SYMBOLS = {
    function: SIGNS[function]
    for function in (np.add, np.subtract, np.multiply, np.divide, operator.add, operator.sub, operator.mul, operator.truediv, operator.pow,
                     operator.floordiv, operator.mod)
}  # fmt: skip
REDUCTIONS: dict[np.ufunc, Any] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min, np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
REDUCED_BY: dict[Any, np.ufunc] = {spelling: ufunc for ufunc, named in REDUCTIONS.items() for spelling in (ufunc.reduce, named)}


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of an argument: of what an op gave when it was recorded, or of a constant."""
    return np.shape(getattr(x, "value", x))


def container(tree: Any, code: Callable[[Any], str]) -> str:
    """Return the code of a tuple, a list or a dict, whose parts ``code`` writes."""
    if isinstance(tree, dict):
        return "{" + ", ".join(f"{key!r}: {code(value)}" for key, value in tree.items()) + "}"
    inner = ", ".join(map(code, tree))
    return f"[{inner}]" if isinstance(tree, list) else f"({inner}{',' if len(tree) == 1 else ''})"


def axes_of(axis: Any, ndim: int) -> set[int]:
    """Return the axes that an ``axis`` argument names, all for None; a number has none."""
    return set(range(ndim) if axis is None else normalize_axis_tuple(axis, ndim) if ndim else ())


def axis_of(op: Op, default: Any = None) -> Any:
    """Return the ``axis`` argument of a call, the second one where it is not given by name."""
    return op.args[1] if len(op.args) > 1 else op.kwargs.get("axis", default)


def folded_axes(op: Op) -> set[int]:
    """Return the axes over which a reduction goes."""
    return axes_of(axis_of(op, 0 if getattr(op.function, "__name__", "") == "reduce" else None), len(op.args[0].shape))


def order_of_axes(op: Op) -> list[int]:
    """Return for each axis of a transpose which axis of its argument that is."""
    numbered = np.broadcast_to(0, range(1, len(op.args[0].shape) + 1))
    return [n - 1 for n in op.function(numbered, *op.args[1:], **op.kwargs).shape]


def full_index(index: Any, ndim: int) -> list[Any]:
    """Return an index with a part for each axis, its ... written out."""
    parts = list(index if isinstance(index, tuple) else (index,))
    whole = [slice(None)] * (ndim - sum(part is not None and part is not Ellipsis for part in parts))
    place = next((k for k, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:place], *whole, *parts[place + 1 :]]
