"""Prove that a compiled function is the eager one.

    assert_compiled_is_eager(loss_fn, X, y, optimizer=optimizer)

runs both from the same start and compares what they return and what they leave behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler import compile as compile_
from ..compiler.guards import Watch
from ..tensor import Tensor
from ..trees import content, leaves, paths

__all__ = ["assert_compiled_is_eager"]


def assert_compiled_is_eager(
    f: Callable[..., Any], *args: Any, optimizer: Any = None, backend: str = "numpy", calls: int = 3, rtol: float | None = None
) -> None:
    """Raise unless the compiled function does what the function does, in each of several calls.

    Parameters
    ----------
    f : callable
        A function of arrays, or a loss function if there is an optimiser.
    *args : array, Tensor, number, or nested tuple, list or dict of them
        Its arguments; the same at each call.
    optimizer : Optimizer, optional
        Then training steps are compared, with the parameters and the optimiser's memory that they leave.
    backend : {"numpy", "numba"}
    calls : int
        How many calls to compare.
    rtol : float, optional
        How far results may differ, relative to the largest entry: by default 1e5 units in the last place of the result's dtype,
        since sums may be taken in another order.

    Raises
    ------
    AssertionError
        If a result differs, or arguments, captured tensors, parameters, random generators or the optimiser's memory do afterwards.
        The message names what differs, and at which call.
    CompileError
        If f cannot be compiled.

    Notes
    -----
    Arguments that f writes into are put back before each call. Captured tensors and random generators, the parameters and the
    optimiser's memory are put back between the two runs, and left as the eager calls leave them. A parameter whose gradient is 0 but
    for rounding, as that of a bias in front of a batch norm, moves at random under optimisers that divide by the gradient's size: eager
    and compiled steps then differ.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import assert_compiled_is_eager
    >>> rng = np.random.default_rng(0)
    >>> assert_compiled_is_eager(lambda x: x * rng.normal(size=3), np.ones(3))
    """
    outside, arguments = Outside(f, optimizer), [x for x in leaves(args) if isinstance(x, (np.ndarray, Tensor))]
    compiled = compile_(f, optimizer, backend)
    start, given = outside.state(), states(arguments)

    def called(run: Callable[..., Any]) -> Any:
        put_back(arguments, given)
        out = run(*args)
        return out, outside.state() | {f"argument {i}": x for i, x in enumerate(states(arguments), 1)}

    ours = [called(compiled) for _ in range(calls)]
    outside.set(start)
    for number, (found, left) in enumerate(ours, 1):
        expected, state = called(lambda *args: compiled._eagerly(args))
        where = f"call {number} of {calls}"
        _compare(f"{where}: the result", found, expected, rtol)
        for name, value in state.items():
            _compare(f"{where}: afterwards {name}", left[name], value, rtol)


class Outside:
    """What a function uses from outside and may change: tensors, generators, and an optimiser's memory."""

    def __init__(self, f: Callable[..., Any], optimizer: Any) -> None:
        watch = Watch(f, optimizer)
        self.tensors = {name: tensor for tensor, name in watch.tensors}
        held = [(place.name, thing) for place in watch.swapped for thing in leaves(place.read())]
        self.generators = {name: thing for name, thing in held if isinstance(thing, np.random.Generator)}
        self.optimizer = optimizer
        for i, parameter in enumerate(optimizer.parameters if optimizer is not None else ()):
            self.tensors.setdefault(parameter.name or f"parameter {i}", parameter)

    def state(self) -> dict[str, Any]:
        """Return a copy of all of it."""
        state: dict[str, Any] = {name: tensor.numpy().copy() for name, tensor in self.tensors.items()}
        state |= {name: generator.bit_generator.state for name, generator in self.generators.items()}
        if self.optimizer is not None:
            state["the optimiser's memory"] = self.optimizer.state_dict()
        return state

    def set(self, state: dict[str, Any]) -> None:
        """Put it back as it was."""
        for name, tensor in self.tensors.items():
            tensor.data = state[name]
        for name, generator in self.generators.items():
            generator.bit_generator.state = state[name]
        if self.optimizer is not None:
            self.optimizer.load_state_dict(state["the optimiser's memory"])


def states(arguments: list[Any]) -> list[np.ndarray]:
    """Return a copy of the entries of arrays and Tensors."""
    return [np.array(x.numpy() if isinstance(x, Tensor) else x) for x in arguments]


def put_back(arguments: list[Any], before: list[np.ndarray]) -> None:
    """Write the entries of before into arrays and Tensors that have other ones now."""
    for x, current, earlier in zip(arguments, states(arguments), before):
        if content(current) != content(earlier):
            x[...] = earlier


def _compare(what: str, found: Any, expected: Any, rtol: float | None) -> None:
    """Raise unless two trees have equal leaves, up to rounding."""
    xs, ys = leaves(found), leaves(expected)
    if len(xs) != len(ys):
        raise AssertionError(f"{what} has {len(xs)} parts compiled, and {len(ys)} eagerly")
    floating = [y for y in map(np.asarray, (y.numpy() if isinstance(y, Tensor) else y for y in ys)) if y.dtype.kind in "fc"]
    largest = max((np.abs(y[np.isfinite(y)]).max(initial=0.0) for y in floating), default=0.0)
    for path, x, y in zip(paths(expected), xs, ys):
        if isinstance(y, (str, int)):
            if x != y:
                raise AssertionError(f"{what}{path} is {x!r} compiled, and {y!r} eagerly")
            continue
        x, y = (np.asarray(value.numpy() if isinstance(value, Tensor) else value) for value in (x, y))
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            raise AssertionError(f"{what}{path} has shape {x.shape} and dtype {x.dtype} compiled, and {y.shape} and {y.dtype} eagerly")
        close = 1e5 * np.finfo(y.dtype).eps if rtol is None and y.dtype.kind in "fc" else rtol or 0.0
        if not np.allclose(x, y, rtol=close, atol=close * largest, equal_nan=True):
            raise AssertionError(f"{what}{path} differs: compiled\n{x}\neagerly\n{y}")
