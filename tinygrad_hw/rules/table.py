"""How a row of the table is written, and how a function of our own is made to speak NumPy's protocol.

In a rule, ``g`` is the incoming cotangent, ``out`` the result, then come the function's own
arguments under NumPy's names; the rule returns that argument's cotangent. One rule for each
argument, in order; None where there is nothing to differentiate. The sweep undoes broadcasting, and
repeats what was summed: a rule may return any shape that broadcasts with its argument's. A rule is plain NumPy: read on arrays it is the
gradient, read on Tensors it is the gradient as a graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

import numpy as np

__all__ = [
    "AS_WRITTEN", "CHECKED", "COMPOSITIONS", "FORMULAS", "LISTS", "NO_DERIVATIVE", "RULES", "SPELLINGS",
    "Each", "Rule", "composition", "dispatched", "formula", "like_first", "no_derivative", "own_code", "rule",
]  # fmt: skip

ndarray = np.ndarray
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


class Rule:
    """A row: the function as users know it, the VJP of each argument, and the call that computes it on arrays.

    ``single_vjps`` holds the VJPs for when one argument is differentiated and the others are constants.
    ``kind`` says how "no gradient" travels through it (see ``backward.py``) and how its equation reads: "elementwise" functions work
    entry by entry, a "choice" takes some entries and leaves others, a "movement" only moves, repeats or adds up entries; else "dense".
    ``view`` says that the result may share its memory with the first argument, as NumPy's views do.
    ``joint_vjp``, where there is one, gives the cotangents of all arguments in one call (see ``entries.py``).
    ``further`` is the function for calls with arguments that ``call`` does not take, such as ``where=``: a composition.
    """

    __slots__ = ("call", "function", "further", "joint_vjp", "kind", "name", "single_vjps", "special", "view", "vjps")
    call: Callable[..., Any]
    further: Callable[..., Any] | None

    def __init__(
        self, function: Callable[..., Any], vjps: Sequence[Any], call: Callable[..., Any] | None = None, kind: str = "",
        single_vjps: Sequence[Any] = (), further: Callable[..., Any] | None = None, view: bool = False,
        joint_vjp: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        elementwise = isinstance(function, np.ufunc) and function.signature is None
        self.function = function
        self.name: str = function.__name__
        self.vjps = vjps
        self.single_vjps = single_vjps or vjps
        self.call = call if call is not None else getattr(function, "on_arrays", function)
        self.kind = kind or ("elementwise" if elementwise else "dense")
        self.further = further
        self.view = view
        self.joint_vjp = joint_vjp
        self.special = kind == "choice" or joint_vjp is not None or view  # (the sweep does not simply call its VJPs)

    def needs_further(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Tell whether a call of a reduction has more arguments than the array, the axis, and those that its row takes by name."""
        return self.further is not None and (len(args) > 2 or not FOLDING.issuperset(kwargs))

    def __repr__(self) -> str:
        return f"Rule({self.name})"


class Each(Sequence[Any]):
    """The VJPs of a function of any number of arguments: ``vjp(i, g, out, *args)`` for the i-th."""

    def __init__(self, vjp: Callable[..., Any]) -> None:
        self.vjp = vjp

    def __getitem__(self, i: Any) -> Any:
        return partial(self.vjp, i)

    def __len__(self) -> int:
        return 1


RULES: dict[Any, Rule] = {}
SPELLINGS: dict[Any, Callable[..., Any]] = {}  # (other names of functions that have a row)
COMPOSITIONS: dict[Any, Callable[..., Any]] = {}
FORMULAS: dict[Any, Callable[..., Any]] = {}  # (how equations read a function whose own code computes the same with more care)
AS_WRITTEN: set[Any] = set()  # (compositions that are called whether or not a gradient is needed)
LISTS: set[Any] = set()  # (functions that take arrays in a list: there nested lists are several arrays, elsewhere one)
CHECKED: set[Any] = set()  # (compositions before which NumPy's own function is called, to refuse what it refuses)
NO_DERIVATIVE: set[Any] = set()
FOLDING = frozenset(("axis", "keepdims", "ddof"))


def rule(function: Callable[..., Any], *vjps: Any, **options: Any) -> Rule:
    """Add a row: ``rule(np.exp, lambda g, out, x: g * out)``; the options are those of ``Rule``."""
    each = vjps[0] if len(vjps) == 1 and isinstance(vjps[0], Each) else vjps
    RULES[function] = Rule(function, each, **options)
    return RULES[function]


def composition(*functions: Callable[..., Any] | str, as_written: bool = False, checked: bool = False) -> Callable[[F], F]:
    """Register the decorated function, which is written in others of NumPy's, as what these functions of NumPy's do on tensors.

    A function that the oldest supported NumPy lacks is given by its name. Where no gradient is needed, NumPy's own function is called,
    except for those that are ``as_written``: they write into an argument, call a function of the user's, or can be compiled only so.
    Where a gradient is needed, NumPy's own is called first for those that are ``checked``, so that what it refuses is refused.
    """

    def register(body: F) -> F:
        named = [getattr(np, function, None) if isinstance(function, str) else function for function in functions]
        known = [function for function in named if function is not None]
        COMPOSITIONS.update(dict.fromkeys(known, body))
        AS_WRITTEN.update(known if as_written else ())
        CHECKED.update(known if checked else ())
        return body

    return register


def own_code(function: Any) -> Callable[..., Any]:
    """Return NumPy's own code of a function, for those that it writes in other functions, which take tensors."""
    return lambda *args, **kwargs: function._implementation(*args, **kwargs)


def formula(function: Callable[..., Any], meaning: Callable[..., Any]) -> None:
    """Say what a function of our own means in equations: ``formula(sech_squared, lambda t, x: 1 - t * t)``."""
    FORMULAS[function] = meaning


def no_derivative(*functions: Callable[..., Any]) -> None:
    """Register functions that take tensors and give plain arrays: their results have no derivative."""
    NO_DERIVATIVE.update(functions)


def stands_in(x: Any) -> bool:
    """Tell whether something only stands for an array: a tensor, a batch, or what a program is recorded with."""
    return hasattr(x, "__array_function__") and not isinstance(x, ndarray)


def is_scalar(value: Any) -> bool:
    """Tell whether a value is one of NumPy's scalars, or stands for one: it is no array, and cannot be written to."""
    return isinstance(value, np.generic) or getattr(value, "stands_for_a_scalar", False)


def dispatched(function: F) -> F:
    """Make an array function of our own speak ``__array_function__``, as NumPy's do: on tensors it is recorded.

    ``quick_of`` holds for a class what a call with a single argument of that class runs, without looking further.
    """
    quick_of: dict[type, Callable[..., Any]] = {ndarray: function}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:  # (the usual calls, with as little overhead as can be)
            arg = args[0]
            quick = quick_of.get(type(arg))
            if quick is not None:
                return quick(arg)
            asked = getattr(arg, "__array_function__", None)
            if asked is not None and not isinstance(arg, ndarray):
                return asked(call, (type(arg),), args, kwargs)
        elif not kwargs:
            for arg in args:
                if type(arg) is not ndarray and (type(arg) is tuple or hasattr(arg, "__array_function__")):
                    break
            else:
                return function(*args)
        first = None
        for arg in (*args, *kwargs.values()) if kwargs else args:
            for part in arg if type(arg) is tuple else (arg,):  # (a tuple is an index)
                if stands_in(part) and (first is None or part.__array_priority__ > first.__array_priority__):
                    first = part
        return function(*args, **kwargs) if first is None else first.__array_function__(call, (type(first),), args, kwargs)

    call.on_arrays, call.quick_of = function, quick_of  # type: ignore[attr-defined]
    return call  # type: ignore[return-value]


# For type checkers
class HasDtype(Protocol):
    """An array, a NumPy scalar or a Tensor."""

    @property
    def dtype(self) -> Any: ...


A = TypeVar("A", bound=HasDtype)


class LikeFirst(Protocol[P]):
    """A function whose result is of the kind of its first argument."""

    __name__: str

    @overload
    def __call__(self, x: A, /, *args: P.args, **kwargs: P.kwargs) -> A: ...
    @overload
    def __call__(self, x: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any: ...


def like_first(function: Callable[Concatenate[Any, P], Any]) -> LikeFirst[P]:
    """Tell type checkers that a function gives a Tensor for a Tensor, an array for an array; it is returned as it is."""
    return cast("LikeFirst[P]", function)
