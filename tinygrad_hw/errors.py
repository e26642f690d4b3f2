"""The exceptions, and how they word themselves: what was being done, with what, and what would work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "BatchError",
    "CompileError",
    "DTypeError",
    "DetachError",
    "GradientError",
    "NoRuleError",
    "ShapeError",
    "TinygradError",
]


class TinygradError(Exception):
    """The base of every error that this package raises on purpose."""


class ShapeError(TinygradError, ValueError):
    """Operands, a cotangent or a target do not have shapes that fit."""


class DTypeError(TinygradError, TypeError):
    """A dtype that cannot take part: a gradient of integers, ragged or object data."""


class GradientError(TinygradError, RuntimeError):
    """A gradient was asked for where there is none, or in a way that is not defined."""


class DetachError(TinygradError, TypeError):
    """A conversion would have dropped a tensor out of its graph without a word."""


class CompileError(TinygradError, RuntimeError):
    """Code that cannot be compiled: it decides by a value, draws random numbers, or has a side effect."""


class NoRuleError(TinygradError, TypeError):
    """A NumPy function was called on a tensor, and the table has no rule for it."""


class BatchError(TinygradError, TypeError):
    """Code that ``vmap`` runs for a whole batch would have treated its entries as one."""


def operands_do_not_fit(
    function: Callable[..., Any], call: Callable[..., Any], operands: Sequence[Any], names: Sequence[str | None], reason: Exception
) -> ShapeError:
    """Word a failed call: every operand with its name and shape, the axis at fault, and a change that was tried and works."""
    label = getattr(function, "__name__", str(function))
    arrays = [(i, np.asarray(o)) for i, o in enumerate(operands) if isinstance(o, (np.ndarray, np.generic, int, float))]
    called = {i: names[i] or f"operand {i}" for i, _ in arrays}
    width = max((len(called[i]) for i, _ in arrays), default=0)
    lines = [f"{label}: the operands do not fit"]
    lines += [f"  {called[i]:<{width}}  {array.shape}" for i, array in arrays]
    if len(arrays) == len(operands) == 2:
        (i, x), (j, y) = arrays
        lines += [f"  {fault}" for fault in _axis_at_fault(label, isinstance(function, np.ufunc), called[i], x.shape, called[j], y.shape)]
        lines += [f"  {fix}" for fix in _fix_that_works(call, called[i], x, called[j], y)]
    if len(lines) == 1 + len(arrays):
        lines.append(f"  NumPy says: {reason}")
    return ShapeError("\n".join(lines))


def _axis_at_fault(label: str, elementwise: bool, name_x: str, x: tuple[int, ...], name_y: str, y: tuple[int, ...]) -> list[str]:
    """Return the sentence that blames an axis, for the functions whose law of shapes is known."""
    if label in ("matmul", "dot", "vecdot"):
        if not x or not y:
            return [f"{name_x if not x else name_y} is a scalar: use * for a product with a scalar"]
        axis = 0 if len(y) == 1 else len(y) - 2
        if x[-1] != y[axis]:
            return [f"axis {len(x) - 1} of {name_x} has {x[-1]}, axis {axis} of {name_y} has {y[axis]}: they must be equal"]
    elif not elementwise:
        return []
    for back in range(1, min(len(x), len(y)) + 1):
        if x[-back] != y[-back] and 1 not in (x[-back], y[-back]):
            return [
                f"axis {len(x) - back} of {name_x} has {x[-back]}, axis {len(y) - back} of {name_y} has {y[-back]}: "
                "they must be equal, or one of them 1"
            ]
    return []


def _fix_that_works(call: Callable[..., Any], name_x: str, x: np.ndarray, name_y: str, y: np.ndarray) -> list[str]:
    """Try the usual slips on empty stand-ins and return the first that works as a sentence."""
    stand_in_x, stand_in_y = (np.broadcast_to(np.zeros((), a.dtype), a.shape) for a in (x, y))
    for text, change in CHANGES.items():
        for name, change_x, change_y in ((name_y, _unchanged, change), (name_x, change, _unchanged)):
            try:
                shape = call(change_x(stand_in_x), change_y(stand_in_y)).shape
            except (ValueError, IndexError):
                continue
            named = f"({name})" if name.startswith("operand") else name
            return [f"{named}{text} would fit: the result has shape {shape}"]
    return []


def _unchanged(array: np.ndarray) -> np.ndarray:
    """Return the array."""
    return array


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    ".T": lambda a: a.T,
    "[:, None]": lambda a: a[:, None],
    "[None, :]": lambda a: a[None, :],
}
