"""Symbols: objects that speak NumPy's two protocols and carry an expression instead of numbers.

A rule is plain NumPy, so it can be called on Symbols; what it returns then says its formula. The shape and the dtype
of a result are found by running the NumPy call itself on stand-ins: arrays of one number, repeated by strides of zero.
Where a rule asks for what a Symbol does not have, a value, it raises ``Unreadable``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ..rules import COMPOSITIONS, FORMULAS, RULES, SPELLINGS, shaping
from ..rules.functions import ABOUT_SHAPES, SHAPED_BY_VALUES
from ..trees import mapped
from .expressions import Constant, Expression, Ones, joint
from .simplify import call, express, times

__all__ = ["Symbol", "Unreadable"]

INDEXING = {shaping.getitem, shaping.scatter, shaping.setitem}
ALWAYS = {np.isnan: False, np.isinf: False, np.isposinf: False, np.isneginf: False, np.isfinite: True}


class Unreadable(TypeError):
    """A rule asked a Symbol for its value."""


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of which only the expression, the shape and the dtype are known; a constant's value is known too."""

    __slots__ = ("dtype", "expression", "shape")
    __array_priority__ = 0.0

    def __init__(self, expression: Expression, dtype: Any) -> None:
        self.expression, self.shape, self.dtype = expression, expression.shape, np.dtype(dtype)

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))
    real = property(lambda self: np.real(self))
    imag = property(lambda self: np.imag(self))

    def astype(self, dtype: Any, **kwargs: Any) -> Symbol:
        """Return the same expression: only a truth value becomes something else by being a number."""
        return apply(shaping.astype, (self, dtype), {})

    def reshape(self, *shape: Any) -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def __getattr__(self, name: str) -> Any:
        """Return the method of an array: the NumPy function of its name."""
        function = getattr(np, name, None)
        if name.startswith("_") or not callable(function):
            raise AttributeError(name)
        return partial(function, self)

    def __getitem__(self, index: Any) -> Any:
        return apply(shaping.getitem, (self, index), {})

    def __len__(self) -> int:
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if isinstance(self.expression, Constant):
            return np.array(self.expression.value, dtype=dtype)
        self.no_value()

    def no_value(self, *_: Any) -> NoReturn:
        raise Unreadable("a symbol has no value")

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __setitem__ = no_value
    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "at" or kwargs.get("out") is not None or "where" in kwargs:
            raise Unreadable(f"{ufunc.__name__}: a symbol cannot be written into")
        if method == "__call__":
            return apply(ufunc, inputs, kwargs)
        if method in ("reduce", "accumulate"):
            kwargs.setdefault("axis", 0)
        return apply(getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return apply(function, args, kwargs)


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the Symbol of a NumPy function of Symbols."""
    function = SPELLINGS.get(function, function)
    if function in ABOUT_SHAPES or function is np.full_like:
        return function(*mapped(stand_in, args), **mapped(stand_in, kwargs))
    if function in ALWAYS:
        return np.bool_(ALWAYS[function])
    if function in (np.equal, np.not_equal) and any(map(is_infinite, args)):
        return np.bool_(function is np.not_equal)
    if function is shaping.astype and args[0].dtype.kind in "iufc" and np.dtype(args[1]).kind in "fc":
        return Symbol(args[0].expression, args[1])
    if function in (np.real, np.conjugate) and args[0].dtype.kind != "c":
        return args[0]
    if function in FORMULAS:
        return FORMULAS[function](*args)
    if function in COMPOSITIONS:
        return COMPOSITIONS[function](*args, **kwargs)
    if function in RULES and RULES[function].needs_further(args, kwargs):
        return RULES[function].further(*args, **kwargs)  # type: ignore[misc]
    if function in SHAPED_BY_VALUES or (function in INDEXING and any(map(is_mask, args[1:]))):
        raise Unreadable(f"{function.__name__}: the shape of its result depends on values")
    shape, dtype = kind_of(function, args, kwargs)
    expression = call(function, mapped(operand, args), mapped(operand, kwargs), shape)
    if expression.shape != shape:
        expression = times(expression, Ones(shape))
    return Symbol(expression, dtype)


def is_infinite(value: Any) -> bool:
    return isinstance(value, (float, np.floating)) and bool(np.isinf(value))


def is_mask(value: Any) -> bool:
    """Tell whether an index holds truth values that are not known."""
    parts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(part, Symbol) and part.dtype.kind == "b" and not isinstance(part.expression, Constant) for part in parts)


def operand(value: Any) -> Any:
    """Return a Symbol as its expression, an array as a constant, anything else as it is."""
    if isinstance(value, Symbol):
        return value.expression
    return express(value) if isinstance(value, np.ndarray) and value.dtype.kind in "fcb" else value


def kind_of(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
    """Return the shape and the dtype of a call's result."""
    with np.errstate(all="ignore"):
        if isinstance(function, np.ufunc) and function.signature is None and not kwargs and function.nout == 1:
            scalars = [np.ones((), arg.dtype) if isinstance(arg, (Symbol, np.ndarray)) else arg for arg in args]
            return joint([getattr(arg, "shape", ()) for arg in args]), function(*scalars).dtype
        if function is np.matmul and all(arg.ndim >= 2 for arg in args):
            (*x, rows, _), (*y, _, columns) = (arg.shape for arg in args)
            return (*np.broadcast_shapes(tuple(x), tuple(y)), rows, columns), np.result_type(*[arg.dtype for arg in args])
        run = getattr(function, "on_arrays", function)
        try:
            result = run(*mapped(stand_in, args), **mapped(stand_in, kwargs))
        except np.linalg.LinAlgError:
            result = run(*mapped(identity, args), **mapped(identity, kwargs))
    if not isinstance(result, (np.ndarray, np.generic)):
        raise Unreadable(f"{function.__name__} does not return an array")
    return result.shape, result.dtype


def stand_in(value: Any) -> Any:
    """Return an array of a Symbol's shape and dtype: ones, or index 0; a constant is its own."""
    if not isinstance(value, Symbol):
        return value
    if isinstance(value.expression, Constant):
        return value.expression.value
    return np.broadcast_to(np.array(value.dtype.kind in "fc", value.dtype), value.shape)


def identity(value: Any) -> Any:
    """Return identity matrices of a Symbol's shape, for what takes no singular one."""
    if isinstance(value, Symbol) and value.ndim >= 2:
        return np.broadcast_to(np.eye(*value.shape[-2:], dtype=value.dtype), value.shape)
    return stand_in(value)
