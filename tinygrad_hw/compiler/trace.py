"""Recording: run ordinary code on stand-ins for arrays, and keep every NumPy call that it makes.

A ``Traced`` holds the array that eager code would hold, computes with it, and writes down each call as an ``Op``.
Put inside tensors, it makes the engine write down its own work: forward, the reverse sweep and the optimiser's update
become one straight list of NumPy calls. What cannot be written down (a decision on a value, a conversion to a Python number)
raises, with the line of the user's code.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np

from ..batching import Batched
from ..errors import CompileError
from ..operators import ARITHMETIC, BITWISE, COMPARISONS
from ..rules import RULES, shaping
from ..rules.functions import ABOUT_SHAPES, SHAPED_BY_VALUES
from ..tensor import Tensor
from ..trees import leaves, mapped

__all__ = ["Op", "Recording", "Traced", "elementwise", "operands", "replaced", "substitution"]

PACKAGE, NUMPY = str(Path(__file__).parents[1]), str(Path(np.__file__).parent)
COMPILER = str(Path(__file__).parent)
WEAK = object()
CONTAINERS = (tuple, list, dict)
NUMBERS = (bool, int, float, complex)
VALUES = (np.ndarray, np.generic, *NUMBERS)

NOT_RECORDED = {*ABOUT_SHAPES, shaping.axes_by_stride, shaping.contiguous, shaping.equal_arrays}

Place = tuple[str, int]


class Op:
    """One value of a program: an input (``function`` is None, ``role`` says which), or a call and its arguments.

    Attributes
    ----------
    function, args, kwargs : the call; other ops, constants, and tuples, lists and dicts of both.
    value : what it gave when it was recorded: its shape and dtype hold for every run.
    role : of an input, what it is: ("input", 0), ("parameter", 3), ("lr",) and so on.
    place : file and line of the user's code that it comes from.
    stage : "forward", "backward" or "update".
    name : what the user calls it, or a name made up from its part in the whole.
    hint : what to call it where it has no such name and needs one.
    errstate : how NumPy was told to treat floating errors there, where that differs from outside.
    """

    __slots__ = ("args", "errstate", "function", "hint", "kwargs", "name", "place", "role", "stage", "value")

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any, role: tuple[Any, ...] = ()) -> None:
        self.function, self.args, self.kwargs, self.value, self.role = function, args, kwargs, value, role
        self.place: Place | None = None
        self.stage = "forward"
        self.name: str | None = None
        self.hint: str | None = None
        self.errstate: dict[str, Any] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return getattr(self.value, "shape", ())

    @property
    def dtype(self) -> Any:
        """The value's dtype, or WEAK for a Python number, which takes on that of what it meets."""
        return getattr(self.value, "dtype", WEAK)

    @property
    def uses(self) -> list[Op]:
        uses: list[Op] = []
        for x in (*self.args, *self.kwargs.values()) if self.kwargs else self.args:
            if type(x) is Op:
                uses.append(x)
            elif isinstance(x, CONTAINERS):
                uses += operands(x)
        return uses

    def again(self, renew: Callable[[Any], Any]) -> Op:
        """Return another op for the same call, whose arguments are what ``renew`` makes of these."""
        op = Op(self.function, renew(self.args), renew(self.kwargs), self.value)
        op.place, op.name, op.hint, op.errstate, op.stage = self.place, self.name, self.hint, self.errstate, self.stage
        return op


def operands(tree: Any) -> list[Op]:
    """Return the ops in an op's arguments."""
    if type(tree) is Op:
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else ()
    return [x for part in parts for x in ((part,) if type(part) is Op else operands(part) if isinstance(part, CONTAINERS) else ())]


def elementwise(op: Any) -> bool:
    """Tell whether an op is a ufunc's call that gives one result."""
    return isinstance(op, Op) and isinstance(op.function, np.ufunc) and op.function.signature is None and op.function.nout == 1


def replaced(tree: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Return arguments with each part of a kind changed."""
    if type(tree) is tuple:
        return tuple([change(x) if type(x) is kind else replaced(x, kind, change) if isinstance(x, CONTAINERS) else x for x in tree])
    if isinstance(tree, CONTAINERS):
        return mapped(lambda x: change(x) if type(x) is kind else x, tree)
    return change(tree) if type(tree) is kind else tree


def substitution(replacements: dict[Op, Any]) -> Callable[[Any], Any]:
    """Return the function that puts their replacements into arguments, in the place of ops."""
    return lambda tree: replaced(tree, Op, lambda op: replacements.get(op, op))


class Recording:
    """The calls of one run, in order.

    Attributes
    ----------
    ops : list of Op
    checks : list of (Op, bool)
        Decisions that the engine itself took by a value, with their outcome.
    place : where the calls come from, if not from the line that is being run.
    """

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.checks: list[tuple[Op, bool]] = []
        self.place: Place | None = None
        self.stage = "forward"
        self.thread, self.over = get_ident(), False
        self.refusal: CompileError | None = None  # what the code did that cannot be recorded, even if it went on
        self.frozen: set[int] = set()  # the captured arrays, by number, that the code has decided something by
        self.frames: dict[Any, None] = {}  # of the functions that made the calls, which still hold their local variables
        self.errstate: dict[str, Any] = dict(np.geterr())
        self.context: Any = copy_context()  # (a look at it costs less than one at the errstate)
        self.latest_errstate = self.errstate
        self.depth, self.looped = 0, False  # the number of loops whose step is being recorded, and whether there has been one

    def input(self, value: Any, *role: Any, name: str | None = None) -> Traced:
        op = Op(None, (), {}, value, role)
        op.name = name
        return Traced(self, op)

    def is_over(self) -> bool:
        """Tell whether a stand-in is only the value that it holds: the recording has ended, or another thread computes with it."""
        return self.over or get_ident() != self.thread

    def is_known(self, op: Op) -> bool:
        """Tell whether an op's value may be used as it is; then the captured arrays that it depends on are watched by content."""
        if self.is_over():
            return True
        arrays: set[int] = set()
        todo, seen = [op], {op}
        while todo:
            x = todo.pop()
            if x.function is None:
                if x.role[0] != "array":
                    return False
                arrays.add(x.role[1])
            todo += {*x.uses} - seen
            seen.update(x.uses)
        self.frozen |= arrays
        return True

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function on the values, and write it down."""
        if self.is_over():
            return on_values(function, args, kwargs)
        if function in SHAPED_BY_VALUES:
            if all(self.is_known(x._op) for x in leaves((args, kwargs)) if isinstance(x, Traced)):
                return on_values(function, args, kwargs)
            raise self.refused(f"{function.__name__}: the shape of its result depends on values; np.where(condition, x, 0) keeps the shape")
        result = on_values(function, args, kwargs)
        if function in NOT_RECORDED:
            return result
        args, kwargs = replaced(args, Traced, op_of), replaced(kwargs, Traced, op_of) if kwargs else {}
        if isinstance(result, (tuple, list)):
            whole = self.add(function, args, kwargs, result)
            parts = [Traced(self, self.add(operator.getitem, (whole, i), {}, part)) for i, part in enumerate(result)]
            return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
        if not isinstance(result, VALUES):
            raise self.refused(f"{function.__name__} made a {type(result).__name__} of a value that differs from call to call")
        return Traced(self, self.add(function, args, kwargs, result))

    def refused(self, why: str) -> CompileError:
        """Return the error for what cannot be compiled, which is raised at the end if the code catches it."""
        error = error_at(frame_outside(), why)
        self.refusal = self.refusal or error
        return error

    def add(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> Op:
        op = Op(function, args, kwargs, value)
        op.stage = self.stage
        if self.place is None:
            frame = frame_outside()
            op.place = None if frame is None else (frame.f_code.co_filename, frame.f_lineno)
            while frame is not None and frame not in self.frames and not frame.f_code.co_filename.startswith(COMPILER):
                self.frames[frame] = None
                frame = frame.f_back
        else:
            op.place = self.place
        if (context := copy_context()) != self.context:
            self.context, self.latest_errstate = context, dict(np.geterr())
        if self.latest_errstate != self.errstate:
            op.errstate = self.latest_errstate
        self.ops.append(op)
        return op


def on_values(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function on the values that stand-ins hold."""
    return function(*replaced(args, Traced, value_of), **(replaced(kwargs, Traced, value_of) if kwargs else {}))


def value_of(x: Traced) -> Any:
    return x._op.value


def op_of(x: Traced) -> Op:
    return x._op


def frame_outside() -> Any:
    """Return the innermost frame outside this package and NumPy."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith((PACKAGE, NUMPY)):
        frame = frame.f_back
    return frame


def error_at(frame: Any, why: str) -> CompileError:
    """Return the error for what cannot be compiled in the line that a frame is at."""
    where = "" if frame is None else f"{frame.f_code.co_filename}, line {frame.f_lineno}: "
    return CompileError(f"{where}{why}")


def operator_of(ufunc: Callable[..., Any], plain: Callable[..., Any], swap: bool = False) -> Callable[..., Any]:
    """Return an operator: Python's on Python numbers, which stay weak, else the ufunc."""

    def binary(self: Traced, other: Any) -> Any:
        pair = (other, self) if swap else (self, other)
        if type(other) is not Traced and type(other) not in NUMBERS:
            return ufunc(*pair)
        weak = type(self._op.value) in NUMBERS and type(other._op.value if type(other) is Traced else other) in NUMBERS
        return self._recording.call(plain if weak else ufunc, pair, {})

    return binary


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def reduction(ufunc: np.ufunc) -> Callable[..., Any]:
    """Return a method that folds axes, all of them unless told otherwise."""
    return lambda self, axis=None, dtype=None, keepdims=False: ufunc.reduce(self, axis=axis, dtype=dtype, keepdims=keepdims)


def conversion(what: str, plain: Callable[..., Any], instead: str) -> Callable[..., Any]:
    """Return a method that converts a value that is the same at each call, and refuses any other."""

    def convert(self: Traced, *args: Any, **kwargs: Any) -> Any:
        if self._recording.is_known(self._op):
            return plain(self._op.value, *args, **kwargs)
        if plain is np.asarray and is_called(Tensor.backward):
            raise self._recording.refused(BACKWARD)
        raise self._recording.refused(
            f"{what} depends on a value that differs from call to call, and would be frozen as it was at the first; {instead}"
        )

    return convert


def is_called(function: Callable[..., Any]) -> bool:
    """Tell whether a function of Python is being called."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code is not function.__code__:
        frame = frame.f_back
    return frame is not None


BACKWARD = (
    "backward() inside of what is compiled would leave its gradients to the first call: return the loss, and "
    "tg.compile(loss_fn, optimizer) does backward and the update at every call; for the gradients themselves, call tg.grad or "
    "tg.value_and_grad inside"
)
OUTSIDE = "do it outside the compiled function, on what it returns"
DECISION = "np.where(condition, x, y) computes both and chooses at every call"


class Traced:
    """A stand-in for an array or a number: it computes with the value of this run and writes down each call."""

    __slots__ = ("_op", "_recording")
    __array_priority__ = 900
    __hash__ = object.__hash__

    def __init__(self, recording: Recording, op: Op) -> None:
        self._recording, self._op = recording, op

    # NumPy's two protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, (Tensor, Batched)) for x in inputs):
            return NotImplemented
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if "out" in kwargs and not self._recording.is_over():
            raise self._recording.refused(f"{ufunc.__name__}(..., out=a) writes into an array: use what {ufunc.__name__}(...) returns")
        if method == "reduce":
            kwargs = {key: value for key, value in kwargs.items() if value is not None or key == "axis"}
        return self._recording.call(function, inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if any(issubclass(kind, (Tensor, Batched)) for kind in types):
            return NotImplemented
        if function is shaping.getitem and not isinstance(args[0], Traced):  # (an array, which could not take a stand-in for an index)
            return self._recording.call(operator.getitem, args, kwargs)
        body = getattr(function, "on_arrays", None)
        if body is not None and function in RULES and RULES[function].call is body:  # (one of our own: as forward, by what it is made of)
            return body(*args, **kwargs)
        return self._recording.call(function, args, {key: value for key, value in kwargs.items() if key != "out" or value is not None})

    # What is the same at every run
    shape = property(lambda self: getattr(self._op.value, "shape", ()))
    ndim = property(lambda self: np.ndim(self._op.value))
    size = property(lambda self: np.size(self._op.value))
    dtype = property(lambda self: getattr(self._op.value, "dtype", None) or np.asarray(self._op.value).dtype)
    strides = property(lambda self: np.asarray(self._op.value).strides)
    itemsize = property(lambda self: self.dtype.itemsize)
    flags = property(lambda self: np.asarray(self._op.value).flags)
    nbytes = property(lambda self: self.dtype.itemsize * self.size)
    data = property(lambda self: self)

    def __len__(self) -> int:
        return len(self._op.value)

    stands_for_a_scalar = property(lambda self: isinstance(self._op.value, np.generic))
    is_known = property(lambda self: self._recording.is_known(self._op))

    def is_view_of(self, other: Any) -> bool:
        """Tell whether this stands for a view of what another stand-in stands for."""
        return type(other) is Traced and isinstance(self._op.value, np.ndarray) and np.may_share_memory(self._op.value, other._op.value)

    __neg__, __pos__, __abs__, __invert__ = method(np.negative), method(np.positive), method(np.absolute), method(np.invert)

    def __getitem__(self, index: Any) -> Any:
        index = tuple(map(self._as_index, index)) if isinstance(index, tuple) else self._as_index(index)
        return self._recording.call(operator.getitem, (self, index), {})

    def _as_index(self, part: Any) -> Any:
        """Return a part of an index, of True and False the values."""
        if not isinstance(part, Traced) or part.dtype != bool:
            return part
        if self._recording.is_known(part._op):
            return part._op.value
        raise self._recording.refused(
            "an index of True and False gives a shape that depends on values; np.where(condition, x, 0) keeps the shape"
        )

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._recording.is_over():
            self._op.value[index] = value
            return
        raise self._recording.refused(
            "an array that is an input, or computed from one, cannot be written to; np.where(...) makes a new one"
        )

    # Methods
    T = property(lambda self: np.transpose(self))
    mT = property(lambda self: np.swapaxes(self, -1, -2))
    real = property(lambda self: np.real(self))
    imag = property(lambda self: np.imag(self))
    sum, prod = reduction(np.add), reduction(np.multiply)
    max, min = reduction(np.maximum), reduction(np.minimum)
    all, any = reduction(np.logical_and), reduction(np.logical_or)
    dot, copy, clip, round = method(np.dot), method(np.copy), method(np.clip), method(np.round)
    squeeze, swapaxes, ravel, flatten = method(np.squeeze), method(np.swapaxes), method(np.ravel), method(np.ravel)
    repeat, take, diagonal, trace = method(np.repeat), method(np.take), method(np.diagonal), method(np.trace)
    argsort, argmax, argmin = method(np.argsort), method(np.argmax), method(np.argmin)
    cumsum, cumprod, mean, var, std = method(np.cumsum), method(np.cumprod), method(np.mean), method(np.var), method(np.std)
    conj = conjugate = method(np.conjugate)

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return self if self.dtype == dtype else self._recording.call(astype, (self, np.dtype(dtype)), {})

    # Decisions and conversions, which would make a value a constant of the program
    def __bool__(self) -> bool:
        caller: Any = sys._getframe(1)
        while caller.f_code.co_name in ("__bool__", "__contains__"):
            caller = caller.f_back
        outcome = bool(self._op.value)
        if self._recording.is_over():
            return outcome
        if caller.f_code.co_filename.startswith(PACKAGE) and not caller.f_code.co_filename.startswith(COMPILER):
            self._recording.checks.append((self._op, outcome))
            return outcome
        if self._recording.is_known(self._op):
            return outcome
        raise self._recording.refused(
            f"a decision (if, while, and, or, not, min, max) depends on a value that differs from call to call; {DECISION}"
        )

    __float__ = conversion("float()", float, OUTSIDE)
    __int__ = conversion("int()", int, OUTSIDE)
    __complex__ = conversion("complex()", complex, OUTSIDE)
    __index__ = conversion(
        "an index, a range or a size", operator.index, "give the number as an argument of the compiled function that is no array"
    )
    __repr__ = conversion("printing", repr, OUTSIDE)
    __array__ = conversion("a conversion to a plain array", np.asarray, "NumPy's functions and the operators take it as it is")
    item, tolist, tobytes = (conversion(f".{name}()", operator.methodcaller(name), OUTSIDE) for name in ("item", "tolist", "tobytes"))


for _name, _ufunc in (ARITHMETIC | BITWISE | COMPARISONS).items():
    _plain = getattr(operator, f"__{_name}__")
    setattr(Traced, f"__{_name}__", operator_of(_ufunc, _plain))
    if _name not in COMPARISONS:
        setattr(Traced, f"__r{_name}__", operator_of(_ufunc, _plain, swap=True))


def astype(x: Any, dtype: Any) -> Any:
    return x.astype(dtype) if isinstance(x, np.generic) else np.asarray(x).astype(dtype)  # (of a scalar a scalar)
