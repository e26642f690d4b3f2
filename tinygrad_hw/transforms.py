"""Transforms: functions in, their derivatives out.

    >>> import numpy as np
    >>> grad(lambda x: np.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])

``grad value_and_grad vjp jvp jacobian hessian hvp`` differentiate functions of arrays, scalars, and nested tuples,
lists and dicts of them, to any order: ``grad(grad(f))``, or a gradient inside a function that is itself differentiated.
``checkpoint`` trades memory for time; ``primitive`` gives a function of your own its own rule.

All of them record one call of the function and sweep back over it. A gradient is asked for *these inputs*: each is
wrapped in a node of its own, and the sweep stops at what is older than the call. Results are arrays when arrays came
in and Tensors when Tensors did; they are Tensors too where they depend on a Tensor that the function uses from outside and
that requires a gradient, so that nothing leaves its graph silently.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from .backward import arrays, sweep, values
from .errors import DTypeError, GradientError, ShapeError
from .graph import Node, by_number, leaf, next_number
from .rules import Each, Rule, dispatched, rule
from .tensor import Tensor, as_numbers, by_position, handle, is_recording, private, record, recording, tensors
from .trees import fitted, leaves, rebuilt

__all__ = ["checkpoint", "grad", "hessian", "hvp", "jacobian", "jvp", "primitive", "value_and_grad", "vjp"]

F = TypeVar("F", bound=Callable[..., Any])
Argnums = int | tuple[int, ...]


def grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the gradient of f.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars and nested tuples, lists and dicts of them, whose result is one real number.
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        Takes f's arguments; returns ∇f, of the structure, shapes and dtypes of the argument; for a tuple of argnums, a tuple.
        An entry that f does not depend on has the gradient 0.

    Raises
    ------
    GradientError
        If the result is not one number, or is complex.
    DTypeError
        If an argument to differentiate with respect to is not floating or complex.

    Notes
    -----
    (∇f)ᵢ = ∂f/∂xᵢ, by one forward call and one reverse sweep (Griewank & Walther 2008, "Evaluating Derivatives", chapter 3).
    For complex x = a + bi it is ∂f/∂a - i ∂f/∂b, the convention of JAX and HIPS autograd.

    Examples
    --------
    >>> grad(grad(lambda x: x**3))(2.0)
    np.float64(12.0)
    """

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return value_and_grad(f, argnums)(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes f and its gradient: ``(f(x), ∇f(x))``, in one forward call and one sweep; else as ``grad``."""

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        out, pullback = linearized(f, args, kwargs, argnums)
        value = values(out) if isinstance(out, Tensor) else np.asarray(out)
        if value.dtype.kind not in "biufc" or value.size != 1:
            what = f"an array of shape {value.shape}" if value.dtype.kind in "biufc" else f"a {type(out).__name__}"
            raise GradientError(f"{name(f)} returned {what}: grad needs one number; reduce it (np.sum), or use jacobian or vjp")
        if value.dtype.kind == "c":
            raise GradientError(f"{name(f)} returned a complex number: grad needs a real one; take np.real or np.abs of it, or use vjp")
        return out, pullback(np.ones(value.shape, value.dtype))

    return value_and_gradient


def vjp(f: Callable[..., Any], *xs: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return f's result and its pullback: the function that carries a cotangent of the result back to the inputs.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars and nested tuples, lists and dicts of them.
    *xs : array, scalar, or nested tuple, list or dict of them
        Where to differentiate; floating or complex.

    Returns
    -------
    out : what f returned
    pullback : callable
        Takes a cotangent of out's structure and shapes; returns those of the inputs: one, or a tuple for several inputs.
        It may be called often, with Tensors too.

    Raises
    ------
    DTypeError
        If an input is not floating or complex.
    ShapeError
        From the pullback, if the cotangent has another structure or shape than the result.

    Notes
    -----
    pullback(g) = Jᵀ g, J the Jacobian of f at xs (Griewank & Walther 2008, chapter 3).
    """
    return linearized(f, xs, {}, 0 if len(xs) == 1 else tuple(range(len(xs))))


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
    """
    if not isinstance(xs, tuple) or not isinstance(tangents, tuple) or len(xs) != len(tangents):
        raise ShapeError("jvp takes two tuples of one length, the inputs and their tangents: jvp(f, (x, y), (dx, dy))")
    out, pullback = vjp(f, *xs)
    anywhere = rebuilt(out, (np.ones(np.shape(y), y.dtype if y.dtype.kind in "fc" else float) for y in map(numbers, leaves(out))))
    _, pushforward = vjp(pullback, anywhere)
    return out, pushforward(tangents[0] if len(xs) == 1 else tangents)


def jacobian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the Jacobian of f.

    Parameters
    ----------
    f : callable
        A function of arrays, scalars and nested tuples, lists and dicts of them.
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        Takes f's arguments; returns an array of shape ``out.shape + x.shape``. Where the result is nested, the Jacobian has its
        structure, and within each part that of the argument.

    Raises
    ------
    DTypeError
        If an argument to differentiate with respect to is not floating or complex.

    Notes
    -----
    J[i, j] = ∂fᵢ/∂xⱼ, by one forward call and one reverse sweep for each entry of the result.
    """

    @wraps(f)
    def rows(*args: Any, **kwargs: Any) -> Any:
        out, pullback = linearized(f, args, kwargs, argnums)
        ys = [numbers(y) for y in leaves(out)]
        zeros = [np.zeros(y.shape, y.dtype if y.dtype.kind in "fc" else float) for y in ys]
        return rebuilt(out, (_jacobian_of_one(pullback, out, zeros, i) for i in range(len(ys))))

    return rows


def _jacobian_of_one(pullback: Callable[[Any], Any], out: Any, zeros: list[np.ndarray], i: int) -> Any:
    """Return the Jacobian of the i-th part of the result: a sweep for each of its entries, stacked."""
    shape, swept = zeros[i].shape, []
    for place in np.ndindex(shape):
        one = zeros[i].copy()
        one[place] = 1
        swept.append(pullback(rebuilt(out, (one if k == i else zero for k, zero in enumerate(zeros)))))
    like = swept[0] if swept else pullback(rebuilt(out, zeros))
    columns = zip(*map(leaves, swept)) if swept else ([] for _ in leaves(like))
    return rebuilt(like, (_stacked(rows, shape + np.shape(x), x) for rows, x in zip(columns, leaves(like))))


def _stacked(rows: Iterable[Any], shape: tuple[int, ...], like: Any) -> Any:
    """Return the rows as one array of the shape, or zeros where there is no row."""
    rows = list(rows)
    return np.reshape(np.stack(rows), shape)[()] if rows else np.zeros(shape, like.dtype)


def hessian(f: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return the function that computes the matrix of second derivatives of f, a function whose result is one real number.

    Parameters
    ----------
    f : callable
        As for ``grad``.
    argnums : int or tuple of int
        The positional arguments to differentiate with respect to.

    Returns
    -------
    callable
        Takes f's arguments; returns an array of shape ``x.shape + x.shape``; for nested arguments or several, for each part
        the Jacobian of its gradient, in the structure of the arguments.

    Notes
    -----
    H[i, j] = ∂²f/∂xᵢ∂xⱼ, the Jacobian of the gradient: one sweep over the gradient's own graph for each entry of x.
    """
    return jacobian(grad(f, argnums), argnums)


def hvp(f: Callable[..., Any], x: Any, v: Any) -> Any:
    """Return the product of the Hessian of f at x with v, without forming the Hessian.

    Parameters
    ----------
    f : callable
        A function of one argument whose result is one real number.
    x : array, scalar, or nested tuple, list or dict of them
        Where to differentiate; floating.
    v : the same
        Of x's structure and shapes.

    Returns
    -------
    H v, of x's structure and shapes

    Notes
    -----
    H is symmetric, so H v = Hᵀ v is the pullback of the gradient (Pearlmutter 1994, "Fast exact multiplication by
    the Hessian"). It costs a small multiple of a gradient.
    """
    return vjp(grad(f), x)[1](v)


def linearized(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], argnums: Argnums) -> tuple[Any, Callable[[Any], Any]]:
    """Call f and return its result with its pullback to the arguments of these numbers: what every transform does."""
    wanted = tuple(place(f, args, n) for n in (argnums if isinstance(argnums, tuple) else (argnums,)))
    xs = tuple(args[n] for n in wanted)
    as_tensors, outside = any(isinstance(x, Tensor) for x in leaves((args, kwargs))), is_recording()
    token = recording.set(True)
    try:
        inputs = [as_input(x, f, outside) for x in leaves(xs)]
        since = next_number()
        wrapped = dict(zip(wanted, rebuilt(xs, map(handle, inputs))))
        out = f(*(wrapped.get(n, arg) for n, arg in enumerate(args)), **kwargs)
    finally:
        recording.reset(token)
    results = [y._node if isinstance(y, Tensor) else leaf(as_numbers(y)) for y in leaves(out)]
    used = older(results, since)
    fresh = {x for x in inputs if not x.parents}
    captured = outside and not used <= fresh
    read, as_tensors = (tensors if captured else arrays), as_tensors or captured

    def pullback(cotangent: Any) -> Any:
        seeds: dict[Node, Any] = {}
        for node, g in zip(results, fitting(out, cotangent, f"the cotangent of {name(f)}'s result")):
            if node.requires_grad:
                g = Tensor(g) if read is tensors and not isinstance(g, Tensor) else g
                seeds[node] = seeds[node] + g if node in seeds else g
        cotangents = sweep(seeds, read, since)
        found = (cotangents.get(x) for x in inputs)
        return of_argnums(rebuilt(xs, (given_back(np.zeros_like(x.value) if g is None else g, as_tensors) for g, x in zip(found, inputs))))

    def of_argnums(parts: tuple[Any, ...]) -> Any:
        return parts if isinstance(argnums, tuple) else parts[0]

    return rebuilt(out, (given_back(handle(node) if captured else node.value, as_tensors) for node in results)), pullback


def place(f: Callable[..., Any], args: tuple[Any, ...], n: int) -> int:
    """Return the place of an argument, counted from the front; raise if there is none."""
    if not -len(args) <= n < len(args):
        raise GradientError(f"argnums: {name(f)} was called with {len(args)} positional arguments, there is no argument {n}")
    return n % len(args)


def as_input(x: Any, f: Callable[..., Any], outside: bool) -> Node:
    """Return a node of its own for an input: one that its history stays behind, or a fresh leaf."""
    if isinstance(x, Tensor) and x.requires_grad and outside:
        return (+x)._node
    value = x.numpy() if isinstance(x, Tensor) else as_numbers(x)
    if value.dtype.kind not in "fc":
        raise DTypeError(f"{name(f)} cannot be differentiated with respect to {value.dtype}: give floating numbers (write 1.0 for 1)")
    return leaf(value, requires_grad=True)


def older(roots: Iterable[Node], since: int) -> set[Node]:
    """Return the nodes from before a number on which what was made since depends."""
    found, ends = set(), set()
    stack = [node for node in roots if node.requires_grad]
    while stack:
        node = stack.pop()
        if node.number < since:
            ends.add(node)
        elif node not in found and node.parents:
            found.add(node)
            stack.extend(parent for parent in node.parents if parent is not None)
    return ends


def given_back(value: Any, as_tensor: bool) -> Any:
    """Return a result as the caller gets it: a tensor, or an array of its own (a NumPy scalar for a single number)."""
    if isinstance(value, Tensor):
        return value
    return handle(leaf(np.copy(value))) if as_tensor else np.copy(value)[()]


def fitting(tree: Any, given: Any, what: str) -> Iterator[Any]:
    """Yield the leaves of what was given for a tree, in its order and of its dtypes; raise if the structure or a shape differs."""
    for x, g in zip(map(numbers, leaves(tree)), fitted(tree, given, what)):
        g = g if isinstance(g, Tensor) else as_numbers(g)
        if g.shape != x.shape:
            raise ShapeError(f"{what} must have shape {x.shape}, not {g.shape}")
        yield g if g.dtype == x.dtype or x.dtype.kind not in "fc" else g.astype(x.dtype)


def numbers(x: Any) -> Any:
    """Return a leaf as something with a shape and a dtype."""
    return x if isinstance(x, Tensor) else np.asarray(x)


def name(f: Callable[..., Any]) -> str:
    """Return what to call a function in an error."""
    return getattr(f, "__name__", repr(f))


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
    sublinear memory cost").
    """

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not is_recording():
            return f(*args, **kwargs)
        given = (args, kwargs)
        args, kwargs = rebuilt(given, (handle(x._node) if isinstance(x, Tensor) else private(x) for x in leaves(given)))

        def again() -> tuple[Any, Any, int, list[Node]]:
            token = recording.set(True)
            try:
                since = next_number()
                out = f(*args, **kwargs)
                whole = joined(out)
            finally:
                recording.reset(token)
            used = older([] if whole is None else [whole._node], since)
            return out, whole, since, sorted(used, key=by_number)

        out, whole, _, used = again()
        if not used:
            return out
        latest: tuple[Any, list[Any]] = (None, [])

        def vjp_of(i: int, g: Any, out: Any, *operands: Any) -> Any:
            nonlocal latest
            if latest[0] is not g:
                latest = (g, swept_again(g, out, operands))
            c = latest[1][i]
            if i == len(used) - 1:
                latest = (None, [])
            return c

        def swept_again(g: Any, out: Any, operands: tuple[Any, ...]) -> list[Any]:
            _, whole, since, used_now = again()
            for node, x in zip(used, operands):
                if not same(node.value, values(x)):
                    raise GradientError(f"checkpoint({name(f)}): {node.name or 'a tensor'} that it used has changed since the forward call")
            if used_now != used or whole is None or not same(whole._node.value, values(out)):
                raise GradientError(
                    f"checkpoint({name(f)}): the second forward call gave another result than the first: it must compute the same again "
                    "(draw random numbers outside, and pass them in)"
                )
            cotangents = sweep({whole._node: g}, tensors if isinstance(out, Tensor) else arrays, since)
            return [cotangents[node] if node in cotangents else np.zeros_like(node.value) for node in used]

        row = Rule(checkpointed, Each(vjp_of), lambda *_: whole._node.value, "dense", ())
        kept = record(row, tuple(map(handle, used)), {})
        row.call = lambda *_: again()[1]._node.value
        return parted(kept, out)

    return checkpointed  # type: ignore[return-value]


def same(x: Any, y: Any) -> bool:
    """Tell whether two arrays are equal, entry by entry, nan for nan."""
    return np.array_equal(x, y, equal_nan=True)


def joined(out: Any) -> Any:
    """Return the tensors of a result that require a gradient as one tensor; None if there is none."""
    parts = [y for y in leaves(out) if isinstance(y, Tensor) and y.requires_grad]
    return np.concatenate([np.ravel(y) for y in parts]) if len(parts) > 1 else parts[0] if parts else None


def parted(whole: Any, out: Any) -> Any:
    """Return the result again from what ``joined`` made of it."""
    ys = leaves(out)
    wanted = [isinstance(y, Tensor) and y.requires_grad for y in ys]
    if sum(wanted) == 1:
        return rebuilt(out, (whole if w else y for w, y in zip(wanted, ys)))
    ends = np.cumsum([y.size if w else 0 for w, y in zip(wanted, ys)])
    return rebuilt(out, (whole[end - y.size : end].reshape(y.shape).astype(y.dtype) if w else y for w, y, end in zip(wanted, ys, ends)))


# Rules of one's own
def positional(f: Callable[..., Any]) -> list[str]:
    """Return the names of a function's positional arguments."""
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
        If there are more rules than arguments, or the function returns something other than numbers.
    ShapeError, DTypeError
        In the sweep, if a rule returns a wrong shape or dtype.

    Examples
    --------
    >>> @primitive(lambda g, out, x: g * 3 * x**2)
    ... def cube(x):
    ...     return x**3
    >>> grad(cube)(2.0)
    np.float64(12.0)
    """

    def decorate(f: F) -> F:
        names = positional(f)
        if len(vjps) > len(names):
            raise GradientError(f"primitive {name(f)}: it has the arguments {', '.join(names)}, and {len(vjps)} rules; give one for each")

        @dispatched
        @wraps(f)
        def on_arrays(*args: Any, **kwargs: Any) -> Any:
            out = f(*args, **kwargs)
            if isinstance(out, Tensor) or np.asarray(out).dtype.kind not in "biufc":
                raise GradientError(f"primitive {name(f)}: it must return an array of numbers, not {type(out).__name__}")
            return out if isinstance(out, (np.ndarray, np.generic)) else np.asarray(out)

        checks = [vjp and checked(vjp, f"primitive {name(f)}: the rule of {x!r}", i) for i, (vjp, x) in enumerate(zip(vjps, names))]
        rule(on_arrays, *checks, *[None] * (len(names) - len(vjps)))

        @wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            if any(isinstance(arg, Tensor) for arg in kwargs.values()):
                args, kwargs = by_position(f, args, kwargs)
            return on_arrays(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def checked(vjp: Callable[..., Any], what: str, i: int) -> Callable[..., Any]:
    """Return a rule that raises where it gives a wrong shape or dtype."""

    @wraps(vjp)
    def checked_vjp(g: Any, out: Any, *args: Any, **kwargs: Any) -> Any:
        c, x = numbers(vjp(g, out, *args, **kwargs)), args[i]
        if c.shape != x.shape:
            raise ShapeError(f"{what} returned shape {c.shape}, but a cotangent has its argument's shape {x.shape}{advice(c, x)}")
        if c.dtype not in (x.dtype, out.dtype):
            raise DTypeError(f"{what} returned {c.dtype}, but a cotangent has its argument's dtype {x.dtype}")
        return c

    return checked_vjp


def advice(c: Any, x: Any) -> str:
    """Return what would give a cotangent its argument's shape, where that is known."""
    if c.ndim == x.ndim >= 2 and c.shape == x.shape[::-1]:
        return ": transpose it"
    repeated = c.ndim > x.ndim or (c.ndim == x.ndim and any(n == 1 != m for n, m in zip(x.shape, c.shape)))
    return ": sum it over the axes along which the argument was repeated" if repeated else ""
