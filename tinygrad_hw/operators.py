"""Python's operators, and the functions of one tensor: ``record``, written out for speed.

``a + b``, ``np.add(a, b)``, ``array + b``; ``t.exp()``, ``np.exp(t)``; ``t.sum()``, ``np.sum(t)``; ``tg.sigmoid(t)``: each gives what
``record`` of the function's row would give, with less call overhead. ``FAST_UNARY`` and ``FAST_BINARY``
say which of these to call for a function, so that a call by NumPy's two protocols is as fast as a method.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import operands_do_not_fit, refuse_dim
from .rules import RULES, neural, reductions
from .rules.elementwise import DOUBLE, conj
from .tensor import (
    FAST_BINARY,
    FAST_REDUCTIONS,
    FAST_UNARY,
    Tensor,
    array_to_keep,
    is_recording,
    names_of,
    operand,
    plain_leaf,
    record,
    result,
)

ndarray = np.ndarray

# Python's operators do what these ufuncs do, with less call overhead on NumPy's scalars.
PYTHONS: dict[Any, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.power: operator.pow,
}


def binary(function: np.ufunc, call: Any = None) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator and its reflection: ``record`` for two operands."""
    rule = RULES[function]
    call = call or rule.call

    def direct(self: Tensor, other: Any) -> Any:
        node, node_y = self._node, None
        x = node.value
        if isinstance(other, Tensor):
            node_y = other._node
            y = node_y.value
        elif type(other) is float or type(other) is int:
            y = other
        else:
            y = operand(other)
            if y is NotImplemented or isinstance(y, Tensor):
                return y if y is NotImplemented else direct(self, y)
        try:
            value = call(x, y)
        except (ValueError, AttributeError) as reason:
            raise operands_do_not_fit(function, call, (x, y), names_of((self, other)), reason) from None
        if not (is_recording() and (node.requires_grad or (node_y is not None and node_y.requires_grad))):
            return plain_leaf(value)
        if node.mutable:
            x = array_to_keep(node)
        if node_y is None:
            return result(value, rule, (x, y.copy() if isinstance(y, ndarray) else y), (node, None), rule.single_vjps)
        if node_y.mutable:
            y = array_to_keep(node_y)
        if node.requires_grad and node_y.requires_grad:
            return result(value, rule, (x, y), (node, node_y), rule.vjps)
        out = result(value, rule, (x, y), (node, None) if node.requires_grad else (None, node_y), rule.single_vjps)
        out._node.inputs = {0: node, 1: node_y}
        return out

    def reflected(self: Tensor, other: Any) -> Any:
        x, calls = other, call
        if type(other) is not ndarray or (other.dtype is not DOUBLE and other.dtype.kind not in "biufc"):
            x = operand(other)
            if x is NotImplemented or isinstance(x, Tensor):
                return x if x is NotImplemented else direct(x, self)
            if type(x) is complex:  # (with Python's operator, a Python complex and a NumPy scalar would give a Python complex)
                calls = rule.call
        node = self._node
        y = node.value
        try:
            value = calls(x, y)
        except (ValueError, AttributeError) as reason:
            raise operands_do_not_fit(function, call, (x, y), names_of((other, self)), reason) from None
        if not node.requires_grad or not is_recording():
            return plain_leaf(value)
        y = array_to_keep(node) if node.mutable else y
        return result(value, rule, (x.copy() if isinstance(x, ndarray) else x, y), (None, node), rule.single_vjps)

    FAST_BINARY[function] = direct, reflected
    return direct, reflected


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of no arguments: ``record`` for one operand."""
    rule = RULES[function]
    call = rule.call

    def method(self: Tensor) -> Tensor:
        node = self._node
        x = node.value
        if node.requires_grad and is_recording():
            if node.mutable:
                x = array_to_keep(node)
            return result(call(x), rule, (x,), (node,), rule.vjps)
        return plain_leaf(call(x))

    FAST_UNARY[function] = method
    getattr(function, "quick_of", {})[Tensor] = method
    return method


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method of a reduction: ``record``, with an axis or without one."""
    rule, fold_all = RULES[function], unary(function)

    def fold(self: Tensor, axis: reductions.Axis = None, *args: Any, keepdims: Any = False, **more: Any) -> Tensor:
        if args or more:
            refuse_dim(rule.name, more)
            return getattr(np, rule.name)(self, axis, *args, **({"keepdims": keepdims} if keepdims else {}), **more)
        if axis is None and not keepdims:
            return fold_all(self)
        return record(rule, (self,), {"axis": axis, "keepdims": keepdims})

    FAST_REDUCTIONS[function] = fold
    return fold


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            refuse_dim(function.__name__, kwargs)
        return function(self, *args, **kwargs)

    return call


def without_gradient(function: np.ufunc) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator and its reflection for a function without a derivative, whose results are bools or integers."""

    def direct(self: Tensor, other: Any) -> Any:
        y = other._node.value if isinstance(other, Tensor) else operand(other)
        return y if y is NotImplemented else plain_leaf(function(self._node.value, y))

    def reflected(self: Tensor, other: Any) -> Any:
        x = operand(other)
        return x if x is NotImplemented else plain_leaf(function(x, self._node.value))

    FAST_BINARY[function] = direct, reflected
    return direct, reflected


def with_squares(power: Callable[..., Any]) -> Callable[..., Any]:
    """Return the operator ``**`` that records ``t ** 2`` as ``np.square``."""

    def raised(self: Tensor, other: Any) -> Any:
        if type(other) is int and other == 2 and not isinstance(self._node.value, np.bool_):
            return self.square()
        return power(self, other)

    return raised


# Every ufunc of one or two arguments that has a rule for each of them
for function, rule in RULES.items():
    if isinstance(function, np.ufunc) and function.nout == 1 and None not in rule.vjps:
        if function.nin == 1:
            unary(function)
        elif function.nin == 2:
            binary(function)

ARITHMETIC: dict[str, np.ufunc] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "floordiv": np.floor_divide, "mod": np.remainder,
    "matmul": np.matmul, "pow": np.power,
}  # fmt: skip
BITWISE: dict[str, np.ufunc] = {
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}  # fmt: skip
COMPARISONS: dict[str, np.ufunc] = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
for name, function in (ARITHMETIC | BITWISE | COMPARISONS).items():
    direct, reflected = binary(function, PYTHONS.get(function)) if name in ARITHMETIC else without_gradient(function)
    setattr(Tensor, f"__{name}__", with_squares(direct) if name == "pow" else direct)
    if name not in COMPARISONS:
        setattr(Tensor, f"__r{name}__", reflected)
binary(np.power)  # (``np.power`` itself: before NumPy 2.3 it rounds differently from Python's operator)

Tensor.__invert__ = lambda self: plain_leaf(np.invert(self._node.value))

OF_ONE_TENSOR: dict[str, Callable[..., Any]] = {
    "__neg__": np.negative, "__pos__": np.positive, "__abs__": np.absolute, "abs": np.absolute, "square": np.square, "exp": np.exp,
    "log": np.log, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "tanh": np.tanh, "sigmoid": neural.sigmoid, "relu": neural.relu,
    "softplus": neural.softplus, "log_sigmoid": neural.log_sigmoid,
}  # fmt: skip
for name, of_one in OF_ONE_TENSOR.items():
    setattr(Tensor, name, unary(of_one))

for folding in (np.sum, np.mean, np.prod, np.max, np.min, reductions.logsumexp):
    setattr(Tensor, folding.__name__, reduction(folding))

METHODS: dict[str, Callable[..., Any]] = {
    "gelu": neural.gelu, "leaky_relu": neural.leaky_relu, "softmax": neural.softmax, "log_softmax": neural.log_softmax,
    "round": np.round, "var": np.var, "std": np.std, "ptp": np.ptp, "cumsum": np.cumsum, "cumprod": np.cumprod, "argmax": np.argmax,
    "argmin": np.argmin, "argsort": np.argsort, "searchsorted": np.searchsorted, "all": np.all, "any": np.any, "nonzero": np.nonzero,
    "ravel": np.ravel, "squeeze": np.squeeze, "swapaxes": np.swapaxes, "repeat": np.repeat, "take": np.take,
    "diagonal": np.diagonal, "choose": np.choose, "__divmod__": np.divmod, "__round__": np.round,
    "dot": np.dot, "trace": np.trace, "conj": conj, "conjugate": conj,
}  # fmt: skip
for name, called in METHODS.items():
    setattr(Tensor, name, method(called))
