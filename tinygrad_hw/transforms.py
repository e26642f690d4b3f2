"""Transforms: functions in, their derivatives out.

    >>> import numpy as np
    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])

``grad value_and_grad vjp jvp jacobian hessian hvp`` differentiate functions of arrays, scalars, and nested tuples,
lists and dicts of them, to any order: ``grad(grad(f))``, or a gradient inside a function that is itself differentiated.
``checkpoint`` trades memory for time; ``primitive`` gives a function of your own its own rule.

All of them record one call of the function and sweep back over it. Each input gets a node of its own for the call, and the sweep stops
at nodes that are older than the call. Results are Tensors if the inputs were, else arrays; but if a result depends on a Tensor that
the function uses from outside and that requires a gradient, it is a Tensor too, so that nothing leaves its graph silently.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial, wraps
from itertools import chain
from typing import Any, Literal, Protocol, TypeVar, overload
from weakref import finalize

import numpy as np

from .backward import arrays, sweep, values
from .batching import Batched, activated, active_levels, entry_by_entry, linearized_for_all, name_of, on_whole_arrays, rows_at_once
from .errors import BatchError, DTypeError, GradientError, ShapeError
from .graph import Node, by_number, leaf, next_number, reachable_results
from .rules import RULES, Each, Rule, dispatched, rule
from .rules.shaping import barrier, equal_arrays
from .rules.table import stands_in
from .tensor import Tensor, always_recording, array_to_keep, as_numbers, by_position, handle, is_recording, private_copy, result, tensors
from .trees import fitted, is_module, leaves, mapped, opened, rebuilt

__all__ = ["checkpoint", "grad", "hessian", "hvp", "jacobian", "jvp", "primitive", "ravel", "value_and_grad", "vjp"]

F = TypeVar("F", bound=Callable[..., Any])
ROW_BYTES = 1 << 24  # one sweep carries as many rows of a Jacobian as keep the largest array below this size

Argnums = int | Sequence[int]
X = TypeVar("X")


# The types of the functions that transforms return, for type checkers, where the first argument is differentiated
class HasParameters(Protocol):
    """A module."""

    def named_parameters(self) -> list[tuple[str, Tensor]]: ...


class Gradient(Protocol):
    """A function whose result is of the structure of its first argument; for a module, a dict of its parameters."""

    @overload
    def __call__(self, x: HasParameters, /, *args: Any, **kwargs: Any) -> dict[str, Tensor]: ...
    @overload
    def __call__(self, x: X, /, *args: Any, **kwargs: Any) -> X: ...


class ValueAndGradient(Protocol):
    """A function that returns a number as well."""

    @overload
    def __call__(self, x: Tensor, /, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]: ...
    @overload
    def __call__(self, x: HasParameters, /, *args: Any, **kwargs: Any) -> tuple[Tensor, dict[str, Tensor]]: ...
    @overload
    def __call__(self, x: X, /, *args: Any, **kwargs: Any) -> tuple[np.floating, X]: ...


class Jacobian(Protocol):
    """A function whose result is an array for an array, a Tensor for a Tensor."""

    @overload
    def __call__(self, x: Tensor, /, *args: Any, **kwargs: Any) -> Tensor: ...
    @overload
    def __call__(self, x: np.ndarray, /, *args: Any, **kwargs: Any) -> np.ndarray: ...
    @overload
    def __call__(self, x: Any, /, *args: Any, **kwargs: Any) -> Any: ...


@overload
def grad(f: Callable[..., Any], argnums: Literal[0] = 0, has_aux: Literal[False] = False) -> Gradient: ...
@overload
def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]: ...
def grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes the gradient of f.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars, modules, and nested tuples, lists and dicts of them, whose result is one real number.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; negative ones count from the end.
    has_aux : bool
        Whether f returns a pair: the number to differentiate, and anything else, which is returned as it is.

    Returns
    -------
    callable
        Takes f's arguments; returns ∇f, of the structure, shapes and dtypes of the argument; for several argnums, a tuple; for a
        module, a dict of the gradients of its parameters by their paths. An entry that f does not depend on has the gradient 0.
        With ``has_aux`` it returns the pair of the gradient and what else f returned.

    Raises
    ------
    GradientError
        If the result is not one number, or is complex, integer or bool; if there is no such argument.
    DTypeError
        If an argument to differentiate with respect to is not floating or complex.

    Notes
    -----
    (∇f)ᵢ = ∂f/∂xᵢ, by one forward call and one reverse sweep (Griewank & Walther 2008, "Evaluating Derivatives", chapter 3).
    For complex x = a + bi it is ∂f/∂a - i ∂f/∂b, the convention of JAX and HIPS autograd.

    Examples
    --------
    >>> from tinygrad_hw import grad
    >>> grad(grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    >>> grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 3.0})
    {'a': np.float64(3.0), 'b': np.float64(2.0)}
    """

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, gradient = value_and_grad(f, argnums, has_aux)(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return gradient


@overload
def value_and_grad(f: Callable[..., Any], argnums: Literal[0] = 0, has_aux: Literal[False] = False) -> ValueAndGradient: ...
@overload
def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]: ...
def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return the function that computes f and its gradient, in one forward call and one sweep.

    Parameters
    ----------
    f : callable
        As for ``grad``.
    argnums : int or sequence of int
        As for ``grad``.
    has_aux : bool
        As for ``grad``.

    Returns
    -------
    callable
        Takes f's arguments; returns ``(f(x), ∇f(x))``; with ``has_aux`` f(x) is the pair that f returned.

    Raises
    ------
    GradientError, DTypeError
        As ``grad``.

    Examples
    --------
    >>> from tinygrad_hw import value_and_grad
    >>> value_and_grad(lambda x: x**2)(3.0)
    (np.float64(9.0), np.float64(6.0))
    """

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        out, pullback, aux = linearized(f, args, kwargs, argnums, has_aux)
        value = as_array(out)
        if value.dtype.kind not in "biufc" or value.size != 1:
            what = f"an array of shape {value.shape}" if value.dtype.kind in "biufc" else f"a {type(out).__name__}"
            raise GradientError(f"{name_of(f)} returned {what}: grad needs one number; reduce it (np.sum), or use jacobian or vjp")
        if value.dtype.kind == "c":
            raise GradientError(f"{name_of(f)} returned a complex number: grad needs a real one; take np.real or np.abs of it, or use vjp")
        require_floating(f, value)
        return (out, aux) if has_aux else out, pullback(np.ones(value.shape, value.dtype))

    return value_and_gradient


def require_floating(f: Callable[..., Any], value: Any) -> None:
    if value.dtype.kind not in "fc":
        raise GradientError(f"{name_of(f)} returned {value.dtype}, which has no derivative: return a floating number")


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return f's result and its pullback: the function that carries a cotangent of the result back to the inputs.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars, modules, and nested tuples, lists and dicts of them.
    *xs : array, scalar, module, or nested tuple, list or dict of them
        Where to differentiate; floating or complex.

    Returns
    -------
    out : what f returned
    pullback : callable
        Takes a cotangent of out's structure and shapes (dicts are matched by key); returns those of the inputs: one, or a tuple
        for several inputs. It may be called often, with Tensors too.

    Raises
    ------
    DTypeError
        If an input is not floating or complex; from the pullback, if the cotangent of a real result is complex.
    ShapeError
        From the pullback, if the cotangent has another structure or shape than the result.

    Notes
    -----
    pullback(g) = Jᵀ g, J the Jacobian of f at xs (Griewank & Walther 2008, chapter 3).

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import vjp
    >>> out, pullback = vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> out, pullback(np.array([1.0, 10.0]))
    (array([1., 4.]), array([ 2., 40.]))
    """
    out, pullback, _ = linearized(f, xs, {}, 0 if len(xs) == 1 else range(len(xs)))
    return out, pullback


def jvp(f: Callable[..., Any], xs: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Return f's result and its derivative along a direction.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars and nested tuples, lists and dicts of them.
    xs : tuple
        f's inputs; floating or complex.
    tangents : tuple
        The direction: for each input a tangent of its structure and shapes.

    Returns
    -------
    out : what f returned
    tangent : of out's structure and shapes

    Raises
    ------
    ShapeError
        If the tangents have another structure or shape than the inputs.

    Notes
    -----
    tangent = J t. The pullback g ↦ Jᵀ g is linear, and its own pullback is J: forward mode is the VJP of the VJP
    (J. Townsend 2017, "A new trick for calculating Jacobian vector products").

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import jvp
    >>> jvp(lambda x: x**2, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([1., 4.]), array([ 2., 40.]))
    """
    if not isinstance(xs, tuple) or not isinstance(tangents, tuple) or len(xs) != len(tangents):
        raise ShapeError("jvp takes two tuples of one length, the inputs and their tangents: jvp(f, (x, y), (dx, dy))")
    out, pullback = vjp(f, *xs)
    anywhere = rebuilt(out, (np.ones(np.shape(y), y.dtype if y.dtype.kind in "fc" else float) for y in map(as_array, leaves(out))))
    _, pushforward = vjp(pullback, anywhere)
    given = opened(xs)
    tangents = rebuilt(given, checked_leaves(given, tangents, f"the tangents of {name_of(f)}"))
    return out, pushforward(tangents[0] if len(xs) == 1 else tangents)


@overload
def jacobian(f: Callable[..., Any], argnums: Literal[0] = 0) -> Jacobian: ...
@overload
def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]: ...
def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of f.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars, modules, and nested tuples, lists and dicts of them.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; negative ones count from the end.

    Returns
    -------
    callable
        Takes f's arguments; returns an array of shape ``out.shape + x.shape``. Where the result is nested, the Jacobian has its
        structure, and within each part that of the argument.

    Raises
    ------
    DTypeError
        If an argument to differentiate with respect to is not floating or complex.
    GradientError
        If a result is integer or bool; if a complex result of a complex argument has no complex derivative (``np.conj``).

    Notes
    -----
    J[i, j] = ∂fᵢ/∂xⱼ, by one forward call and reverse sweeps that carry as many rows at once as 16 MiB hold. A complex entry
    f = u + vi takes two: of a real argument ∂u/∂x + i ∂v/∂x, of a complex one f′, which the two must
    agree on (the Cauchy-Riemann equations).

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import jacobian
    >>> jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @wraps(f)
    def rows(*args: Any, **kwargs: Any) -> Any:
        out, pullback, _ = linearized(f, args, kwargs, argnums)
        ys = [as_array(y) for y in leaves(out)]
        for y in ys:
            require_floating(f, y)
        return rebuilt(out, [_jacobian_of_one(f, pullback, out, list(map(zeros_like, ys)), i) for i in range(len(ys))])

    return rows


def _jacobian_of_one(f: Callable[..., Any], pullback: Callable[[Any], Any], out: Any, zeros: list[np.ndarray], i: int) -> Any:
    """Return the Jacobian of the i-th part of the result, many of its rows in one sweep."""
    shape, dtype = zeros[i].shape, zeros[i].dtype

    def swept(start: int, stop: int, seed: complex) -> Any:
        ones = np.zeros((stop - start, zeros[i].size), dtype)
        ones[range(stop - start), range(start, stop)] = seed
        return rows_at_once(lambda one: pullback(rebuilt(out, [*zeros[:i], one, *zeros[i + 1 :]])), ones.reshape(len(ones), *shape))

    def rows(start: int, stop: int) -> Any:
        rows = swept(start, stop, 1)
        if dtype.kind != "c":
            return rows
        return rebuilt(rows, [_of_complex(f, u, v) for u, v in zip(leaves(rows), leaves(swept(start, stop, 1j)))])

    step = max(1, ROW_BYTES // size_of_largest(pullback.results))  # type: ignore[attr-defined]
    parts = [rows(start, min(start + step, zeros[i].size)) for start in range(0, zeros[i].size, step)] or [swept(0, 0, 1)]
    columns = zip(*map(leaves, parts))
    return rebuilt(parts[0], [_stacked(column, shape) for column in columns])


def size_of_largest(results: list[Node]) -> int:
    """Return the size in bytes of the largest array among results and all that they depend on."""
    nodes = [*results, *(parent for node in reachable_results(results) for parent in (node, *node.parents) if parent is not None)]
    return max(1, *(node.value.size * node.value.dtype.itemsize for node in nodes))


def _of_complex(f: Callable[..., Any], of_one: Any, of_i: Any) -> Any:
    """Return the derivative of a complex result from its pullbacks of 1 and of i."""
    if of_one.dtype.kind != "c":
        return of_one - 1j * of_i
    if not np.allclose(values(of_i), 1j * values(of_one), equal_nan=True):
        raise GradientError(
            f"{name_of(f)} returned a complex number without a complex derivative: take the Jacobian of its np.real and np.imag"
        )
    return of_one


def _stacked(parts: Sequence[Any], shape: tuple[int, ...]) -> Any:
    rows = np.concatenate(parts) if len(parts) > 1 else parts[0]
    stacked = np.reshape(rows, shape + np.shape(rows)[1:])
    return stacked[()] if isinstance(stacked, np.ndarray) else stacked


@overload
def hessian(f: Callable[..., Any], argnums: Literal[0] = 0) -> Jacobian: ...
@overload
def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]: ...
def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the matrix of second derivatives of f, a function whose result is one real number.

    Parameters
    ----------
    f : callable
        As for ``grad``.
    argnums : int or sequence of int
        The positional arguments to differentiate with respect to; negative ones count from the end.

    Returns
    -------
    callable
        Takes f's arguments; returns an array of shape ``x.shape + x.shape``; for nested arguments or several, for each part
        the Jacobian of its gradient, in the structure of the arguments.

    Notes
    -----
    H[i, j] = ∂²f/∂xᵢ∂xⱼ, the Jacobian of the gradient: one sweep over the gradient's own graph for each entry of x.

    A kink that is hit exactly has the slope 0, each time that it is differentiated: at x = 0 this gives 0 for |x|², ‖x‖² and σ², although
    these are smooth. Write x², Σ xᵢ² and the variance. ``testing.check_gradients(f, x)`` finds such places.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
    array([[6., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], x: X, v: Any) -> X:
    """Return the product of the Hessian of f at x with v, without forming the Hessian.

    Parameters
    ----------
    f : callable
        A function of one argument whose result is one real number.
    x : array, scalar, or nested tuple, list or dict of them
        Where to differentiate; floating.
    v : the same
        Of x's structure and shapes; dicts are matched by key.

    Returns
    -------
    H v, of x's structure and shapes

    Notes
    -----
    H is symmetric, so H v = Hᵀ v is the pullback of the gradient (Pearlmutter 1994, "Fast exact multiplication by
    the Hessian"). It costs a small multiple of a gradient.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import hvp
    >>> hvp(lambda x: x[0] ** 2 * x[1], np.array([1.0, 3.0]), np.array([1.0, 0.0]))
    array([6., 2.])
    """
    given = opened(x)
    return vjp(grad(f), x)[1](rebuilt(given, checked_leaves(given, v, f"v of hvp of {name_of(f)}")))


def linearized(
    f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Argnums, has_aux: bool = False
) -> tuple[Any, Callable[[Any], Any], Any]:
    """Call f; return its result, its pullback to the arguments of these numbers, and its aux (None without one)."""
    several = np.iterable(argnums)
    places = [position_of(f, args, n) for n in (argnums if several else (argnums,))]  # type: ignore[union-attr]
    wanted = tuple(dict.fromkeys(places))
    if active_levels.get():
        return linearized_for_all(linearized, f, args, kwargs, places if several else places[0], has_aux)

    xs = opened(tuple(args[n] for n in wanted))
    as_tensors, outside = any(isinstance(x, Tensor) for x in leaves((xs, args, kwargs))), bool(is_recording())
    with always_recording():
        inputs = Inputs(f, outside)
        given = {n: mapped(inputs.register, args[n]) for n in wanted}
        since = next_number()
        out = f(*(given.get(n, arg) for n, arg in enumerate(args)), **kwargs)
    out, aux = value_and_aux(f, out) if has_aux else (out, None)
    results = [y._node if isinstance(y, Tensor) else leaf(as_numbers(y)) for y in leaves(out)]
    if not results:
        raise GradientError(f"{name_of(f)} returned {out!r}, which holds no numbers: is a `return` missing?")
    others = [y._node for y in leaves(aux) if isinstance(y, Tensor)]
    captured = outside and not earlier_nodes([*results, *others], since) <= inputs.fresh
    read, as_tensors = (tensors if captured else arrays), as_tensors or captured

    def pullback(cotangent: Any) -> Any:
        if not any(isinstance(g, Batched) for g in leaves(cotangent)):
            return swept(cotangent)
        try:
            return swept(cotangent)
        except BatchError:  # (a rule decides by a value)
            return entry_by_entry(swept, (cotangent,), {})

    def swept(cotangent: Any) -> Any:
        gs = checked_leaves(out, cotangent, f"the cotangent of {name_of(f)}'s result")
        if read is tensors:
            gs = (g if isinstance(g, (Tensor, Batched)) else Tensor(g) for g in gs)
        cotangents = sweep(seeds_of(results, gs), read, since)
        parts = rebuilt(xs, (to_caller(g, as_tensors, swept=True) for g in cotangents_of(inputs.nodes, cotangents)))
        return tuple(parts[wanted.index(n)] for n in places) if several else parts[0]

    def value_of(node: Node) -> Any:
        return to_caller(handle(node) if captured else node.value, as_tensors)

    pullback.results = results  # type: ignore[attr-defined]
    aux = mapped(lambda y: value_of(y._node) if isinstance(y, Tensor) else y, aux)
    return rebuilt(out, map(value_of, results)), pullback, aux


def seeds_of(nodes: Iterable[Node], gs: Iterable[Any]) -> dict[Node, Any]:
    """Return the cotangents that a sweep starts from: a node that occurs twice gets the sum."""
    seeds: dict[Node, Any] = {}
    for node, g in zip(nodes, gs):
        if node.requires_grad:
            seeds[node] = seeds[node] + g if node in seeds else g
    return seeds


def cotangents_of(nodes: Iterable[Node], cotangents: dict[Node, Any]) -> list[Any]:
    """Return what a sweep gives for each node: 0 if it has not come to it."""
    return [cotangents[node] if node in cotangents else zeros_like(node.value) for node in nodes]


def zeros_like(x: Any) -> np.ndarray:
    return np.zeros(x.shape, x.dtype)


def value_and_aux(f: Callable[..., Any], out: Any) -> tuple[Any, Any]:
    if not isinstance(out, tuple) or len(out) != 2:
        raise GradientError(f"{name_of(f)}: with has_aux it must return a pair, the number to differentiate and something else")
    return out


def position_of(f: Callable[..., Any], args: tuple[Any, ...], n: Any) -> int:
    """Return the number of an argument, counted from the front; raise if there is none."""
    if isinstance(n, (bool, str)) or not hasattr(n, "__index__"):
        raise GradientError(f"argnums: give the number of an argument, or several in a tuple, not {n!r}")
    if not -len(args) <= n < len(args):
        raise GradientError(f"argnums: {name_of(f)} was called with {len(args)} positional arguments, there is no argument {n}")
    return int(n) % len(args)


class Inputs:
    """The nodes to differentiate with respect to, in order; ``fresh`` are the new leaves among them."""

    def __init__(self, f: Callable[..., Any], outside: bool) -> None:
        self.f, self.outside = f, outside
        self.nodes: list[Node] = []
        self.fresh: set[Node] = set()

    def register(self, x: Any) -> Any:
        """Add an input's nodes, and return what the function is called with: a new tensor, or the module itself."""
        if is_module(x):
            nodes = [parameter._node for parameter in leaves(opened(x))]
            if not set(self.nodes).isdisjoint(nodes):
                raise GradientError(f"{name_of(self.f)}: two of the inputs hold the same parameter, so its gradient cannot be told apart")
            self.nodes += nodes
            return x
        node = self.node_for(x)
        self.nodes.append(node)
        return handle(node)

    def node_for(self, x: Any) -> Node:
        """Return a new node for an input: a result that its history leads to, or a fresh leaf."""
        if isinstance(x, Tensor) and x.requires_grad and self.outside:
            return (+x)._node
        value = input_copy(x)
        if value.dtype.kind not in "fc":
            raise DTypeError(
                f"{name_of(self.f)} cannot be differentiated with respect to {value.dtype}: give floating numbers (write 1.0 for 1)"
            )
        node = leaf(value, requires_grad=True)
        self.fresh.add(node)
        return node


def input_copy(x: Any) -> Any:
    """Return a copy of an input as an array; what ``np.broadcast_to`` has repeated is copied once, and repeated in the copy, too."""
    array = values(x)
    if type(array) is not np.ndarray or 0 not in array.strides or not array.size:
        return as_numbers(x)
    once = array[tuple(slice(None) if stride else slice(0, 1) for stride in array.strides)]
    return np.broadcast_to(once.copy(), array.shape)


def earlier_nodes(roots: Collection[Node], since: int) -> set[Node]:
    """Return the nodes older than ``since`` that the roots depend on and that require a gradient."""
    ends = chain(roots, *(node.parents for node in reachable_results(roots, since)))
    return {node for node in ends if node is not None and node.requires_grad and node.number < since}


def to_caller(value: Any, as_tensor: bool, swept: bool = False) -> Any:
    """Return a result as the caller gets it: a tensor, or an array that nobody else holds (a NumPy scalar for a single number)."""
    if isinstance(value, (Tensor, Batched)):
        return value
    if not (swept and type(value) is np.ndarray and value.base is None):  # (a cotangent that the sweep returns is held by nobody else)
        value = np.copy(value)
    return handle(leaf(value)) if as_tensor else value if value.ndim else value[()]


def checked_leaves(tree: Any, given: Any, what: str) -> Iterator[Any]:
    """Yield the leaves of what was given for a tree, in the tree's order and dtypes; raise if the structure or a shape differs."""
    for x, g in zip(map(as_array, leaves(tree)), fitted(tree, given, what)):
        g = g if isinstance(g, (Tensor, Batched)) else as_numbers(g)
        if g.shape != x.shape:
            raise ShapeError(f"{what} must have shape {x.shape}, not {g.shape}")
        if g.dtype.kind == "c" and x.dtype.kind != "c":
            raise DTypeError(f"{what} must be real, not {g.dtype}")
        yield g if g.dtype == x.dtype or x.dtype.kind not in "fc" else g.astype(x.dtype)


def as_array(x: Any) -> Any:
    return x if stands_in(x) else np.asarray(x)


# Memory for time
def checkpoint(f: F) -> F:
    """Return f as a function that forgets its inner results, and computes them again when a gradient needs them.

    Parameters
    ----------
    f : callable
        A function of arrays, Tensors and nested tuples, lists and dicts of them. It may use Tensors from outside
        (the parameters of a layer), but must compute the same again: no random numbers of its own.

    Returns
    -------
    callable
        Takes and returns what f does; gradients of every order are the same.

    Raises
    ------
    GradientError
        In the backward sweep, if the second forward call gives another result, or a tensor that it used has changed.

    Notes
    -----
    Memory for the inner results of one call at a time, for one more forward call (Chen et al. 2016, "Training deep nets with
    sublinear memory cost"). A compiled step merges the second call with the first, and saves nothing: there ``scan`` does.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import checkpoint, grad
    >>> grad(checkpoint(lambda x: np.sum(np.exp(np.sin(x)))))(np.zeros(2))
    array([1., 1.])
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        return run_checkpointed(f, checkpointed, args, kwargs)

    return checkpointed  # type: ignore[return-value]


def run_checkpointed(f: Callable[..., Any], checkpointed: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call f as its checkpoint does (not written inside ``checkpointed``, so that that can be pickled together with f)."""
    if not is_recording():
        return f(*args, **kwargs)
    if active_levels.get():
        return on_whole_arrays(checkpoint, f, args, kwargs)
    run = partial(recorded_run, f, mapped(isolated, (args, kwargs)))
    out, whole, used, _ = run()
    if whole is None or not used:
        return out
    vjps = Each(CheckpointVJPs(name_of(f), run, used))
    row = Rule(checkpointed, vjps, lambda *_: run()[1]._node.value, "dense", ())
    operands = tuple(map(array_to_keep, used))
    return split_results(result(whole._node.value, row, operands, tuple(used), [vjps[i] for i, _ in enumerate(used)]), out)


def isolated(x: Any) -> Any:
    """Return an argument that later writes by others do not change."""
    return handle(x._node if x.requires_grad else leaf(private_copy(x))) if isinstance(x, Tensor) else private_copy(x)


def recorded_run(f: Callable[..., Any], given: tuple[Any, Any], moment: Any = None) -> tuple[Any, Any, list[Node], int]:
    """Call f, recording; return its result, that joined to one tensor, the older nodes that it used, and the number of its first node."""
    args, kwargs = mapped(isolated, given)
    with always_recording(), activated(()):  # (a sweep may carry a batch of cotangents: f is called without the batch, as at first)
        since = next_number()
        if moment is not None:  # (the compiled program is to compute the values again, after this one)
            args, kwargs = mapped(lambda x: barrier(x, moment) if isinstance(x, Tensor) else x, (args, kwargs))
        out = f(*args, **kwargs)
        whole = join_results(out)
    used = earlier_nodes([] if whole is None else [whole._node], since)
    return out, whole, sorted(used, key=by_number), since


class JointVJPs:
    """The VJPs of a function whose arguments' cotangents are computed all together, once for each cotangent of the result."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.latest: tuple[Any, list[Any]] = (None, [])  # a cotangent, kept while the sweep asks for one argument after the other

    def __call__(self, i: int, g: Any, out: Any, *operands: Any) -> Any:
        known, cotangents = self.latest
        if known is not g:
            cotangents = self.cotangents(g, out, operands)
        self.latest = (g, cotangents) if i < self.count - 1 else (None, [])
        return cotangents[i]

    def cotangents(self, g: Any, out: Any, operands: tuple[Any, ...]) -> list[Any]:
        raise NotImplementedError


class CheckpointVJPs(JointVJPs):
    """The VJPs of a checkpoint: the function is called again and its graph swept."""

    def __init__(self, name: str, run: Callable[..., tuple[Any, Any, list[Node], int]], used: list[Node]) -> None:
        super().__init__(len(used))
        self.name, self.run, self.used = name, run, used

    def cotangents(self, g: Any, out: Any, operands: tuple[Any, ...]) -> list[Any]:
        _, whole, used, since = self.run(moment=g if stands_in(values(g)) else None)
        for node, x in zip(self.used, operands):
            if not equal_arrays(node.value, values(x)):
                raise GradientError(f"checkpoint({self.name}): {node.name or 'a tensor'} that it used has changed since the forward call")
        if used != self.used or not equal_arrays(whole._node.value, values(out)):
            raise GradientError(
                f"checkpoint({self.name}): the second forward call gave another result than the first: it must compute the same again "
                "(draw random numbers outside, and pass them in)"
            )
        return cotangents_of(used, sweep({whole._node: g}, tensors if isinstance(out, Tensor) else arrays, since))


def join_results(out: Any) -> Any:
    """Return the tensors of a result that require a gradient, joined to one; None if there are none."""
    parts = [y for y in leaves(out) if isinstance(y, Tensor) and y.requires_grad]
    return np.concatenate([np.ravel(y) for y in parts]) if len(parts) > 1 else parts[0] if parts else None


def split_results(whole: Any, out: Any) -> Any:
    """Undo ``join_results``: return the result with its tensors cut out of ``whole``."""
    ys = leaves(out)
    wanted = [isinstance(y, Tensor) and y.requires_grad for y in ys]
    if sum(wanted) == 1:
        return rebuilt(out, (whole if w else y for w, y in zip(wanted, ys)))
    ends = np.cumsum([y.size if w else 0 for w, y in zip(wanted, ys)])
    return rebuilt(out, (whole[end - y.size : end].reshape(y.shape).astype(y.dtype) if w else y for w, y, end in zip(wanted, ys, ends)))


# One vector for a tree
def ravel(tree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return all numbers of a tree as one vector, and the function that turns such a vector into a tree again.

    Parameters
    ----------
    tree : array, scalar, module, or nested tuple, list or dict of them
        Floating or complex.

    Returns
    -------
    vector : (N,) array
        The entries of all leaves, one after the other, in the widest of their dtypes; a Tensor if one of them is.
    unravel : callable
        Takes an (N,) array or Tensor, and returns it in the structure, shapes and dtypes of the tree (of a module, a dict of its
        parameters by their paths). It can be differentiated.

    Raises
    ------
    DTypeError
        If a leaf is not floating or complex.
    ShapeError
        From ``unravel``, if the vector has another shape.

    Notes
    -----
    So a function of a tree becomes one of a vector, as ``scipy.optimize.minimize`` takes it.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import grad, ravel
    >>> vector, unravel = ravel({"W": np.eye(2), "b": 3.0})
    >>> vector
    array([1., 0., 0., 1., 3.])
    >>> grad(lambda v: unravel(v)["b"] ** 2)(vector)
    array([0., 0., 0., 0., 6.])
    """
    given = opened(tree)
    parts = [x if isinstance(x, Tensor) else as_numbers(x) for x in leaves(given)]
    for x in parts:
        if x.dtype.kind not in "fc":
            raise DTypeError(f"ravel: a leaf of {x.dtype} cannot be part of a vector of floating numbers (write 1.0 for 1)")
    shapes, dtypes = [x.shape for x in parts], [x.dtype for x in parts]
    ends = np.cumsum([x.size for x in parts], dtype=int)

    def unravel(vector: Any) -> Any:
        vector = vector if isinstance(vector, Tensor) else as_numbers(vector)
        if vector.shape != (size := int(ends[-1]) if parts else 0,):
            raise ShapeError(f"unravel takes a vector of shape ({size},), not {vector.shape}")
        cut = zip(np.split(vector, ends[:-1]), shapes, dtypes)
        return rebuilt(
            given, [x.reshape(shape).astype(dtype if dtype.kind == "c" or x.dtype.kind != "c" else x.dtype)[()] for x, shape, dtype in cut]
        )

    return np.concatenate([np.ravel(x) for x in parts]) if parts else np.zeros(0), unravel


# Rules of one's own
def positional_names(f: Callable[..., Any]) -> list[str]:
    if isinstance(f, np.ufunc):  # (which has had a signature since NumPy 2.3 only)
        return [f"x{i + 1}" for i in range(f.nin)]
    return [p.name for p in inspect.signature(f).parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


def primitive(*vjps: Callable[..., Any] | None) -> Callable[[F], F]:
    """Make an array function a primitive with its own rule, as the functions of the table are.

    Parameters
    ----------
    *vjps : callable or None
        One rule for each argument, in order: ``vjp(g, out, *args)`` takes the cotangent ``g`` of the result, the
        result ``out`` and the arguments, and returns the argument's cotangent, of its shape and dtype. None where there is nothing
        to differentiate; what is left out at the end is None.

    Returns
    -------
    callable
        A decorator. The decorated function takes arrays and gives an array, takes Tensors and gives a Tensor. Where the
        rule is written in functions that have rules, it can be differentiated again.

    Raises
    ------
    GradientError
        If there are more rules than arguments, or the function returns something other than numbers; if it or a rule writes into
        an array that it was given.
    ShapeError, DTypeError
        In the sweep, if a rule returns a wrong shape or dtype.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import grad, primitive
    >>> @primitive(lambda g, out, x: g * 3 * x**2)
    ... def cube(x):
    ...     return x**3
    >>> grad(cube)(2.0)
    np.float64(12.0)
    """

    def decorate(f: F) -> F:
        names = positional_names(f)
        if len(vjps) > len(names):
            raise GradientError(
                f"primitive {name_of(f)}: it has the arguments {', '.join(names)}, and {len(vjps)} rules; give one for each"
            )

        @dispatched
        @wraps(f)
        def on_arrays(*args: Any, **kwargs: Any) -> Any:
            out = owned(called_on_read_only(f, f"primitive {name_of(f)}", args, kwargs))
            if isinstance(out, Tensor) and not out.requires_grad:  # (as a module gives for arrays)
                out = out._node.value
            if isinstance(out, Tensor) or as_array(out).dtype.kind not in "biufc":
                raise GradientError(f"primitive {name_of(f)}: it must return an array of numbers, not {type(out).__name__}")
            return out if isinstance(out, (np.ndarray, np.generic)) else as_array(out)

        checks = [vjp and checked_rule(vjp, f"primitive {name_of(f)}: the rule of {x!r}", i) for i, (vjp, x) in enumerate(zip(vjps, names))]
        row = [*checks, *[None] * (len(names) - len(vjps))]

        @wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            return called_primitive(f, on_arrays, row, args, kwargs)

        finalize(call, RULES.pop, on_arrays, None)  # (its row leaves the table with it)
        return call  # type: ignore[return-value]

    return decorate


def called_primitive(
    f: Callable[..., Any], on_arrays: Callable[..., Any], row: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a primitive; its row is added to the table at the first call, in each process."""
    if on_arrays not in RULES:
        rule(on_arrays, *row)
    if any(isinstance(arg, Tensor) for arg in kwargs.values()):
        args, kwargs = by_position(f, args, kwargs)
    return on_arrays(*args, **kwargs)


def read_only(x: Any) -> Any:
    """Return a read-only view of an array, a new tensor of the same node for a tensor; anything else as it is."""
    if isinstance(x, Tensor):
        return handle(x._node)
    if not isinstance(x, np.ndarray):
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def called_on_read_only(f: Callable[..., Any], what: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Call a function of the user's on arguments that it cannot write to, since the graph needs their values."""
    try:
        return f(*mapped(read_only, args), **mapped(read_only, kwargs))
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise GradientError(f"{what} writes into an array that it was given: compute a new one (g = 2 * g for g *= 2)") from error


UNSHARED_COUNT = (lambda x: sys.getrefcount(x))(np.empty(0))  # the references to an array that only the argument ``x`` holds


def owned(x: Any) -> Any:
    """Return an array if nobody else holds it, else a copy: whoever holds it may write to it later."""
    return x if not isinstance(x, np.ndarray) or (x.base is None and sys.getrefcount(x) <= UNSHARED_COUNT) else x.copy("K")


def checked_rule(vjp: Callable[..., Any], what: str, i: int) -> Callable[..., Any]:
    """Return a rule that raises if the cotangent that it returns has a wrong shape or dtype."""

    @wraps(vjp)
    def checked_vjp(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
        c, x = as_array(owned(called_on_read_only(vjp, what, (g, out, *args), kwargs))), args[i]
        if c.shape != x.shape:
            raise ShapeError(f"{what} returned shape {c.shape}, but a cotangent has its argument's shape {x.shape}{advice(c, x)}")
        if c.dtype not in (x.dtype, out.dtype):
            raise DTypeError(f"{what} returned {c.dtype}, but a cotangent has its argument's dtype {x.dtype}")
        return c

    return checked_vjp


def advice(c: Any, x: Any) -> str:
    """Return a suggestion of how to give a cotangent its argument's shape, "" for none."""
    if c.ndim == x.ndim >= 2 and c.shape == x.shape[::-1]:
        return ": transpose it"
    repeated = c.ndim > x.ndim or (c.ndim == x.ndim and any(n == 1 != m for n, m in zip(x.shape, c.shape)))
    return ": sum it over the axes along which the argument was repeated" if repeated else ""
