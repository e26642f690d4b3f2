"""What every derivative must obey, as properties to call in a test.

    @given(strategies.arrays())
    def test_my_function_obeys_the_laws(x):
        obeys_all(my_function, x)

Each law takes a function of Tensors and its inputs (arrays of one dtype, floating), and raises an AssertionError where it is
broken. Cotangents and directions are random, never ones, from a generator with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from ..tensor import Tensor
from ..transforms import jvp, vjp
from ..trees import leaves, rebuilt
from .check import check_gradients

__all__ = [
    "LAWS",
    "agrees_with_numeric_derivatives",
    "forward_and_reverse_are_adjoint",
    "gradient_has_its_inputs_shape_and_dtype",
    "gradient_shares_no_memory",
    "inputs_are_not_changed",
    "obeys_all",
    "pullback_is_linear",
    "repeats_exactly",
    "value_is_that_of_arrays",
]

Function = Callable[..., Any]


def _random(tree: Any, seed: int) -> Any:
    """Return random numbers in the structure, shapes and dtypes of a tree of arrays."""
    rng = np.random.default_rng(seed)
    return rebuilt(tree, [rng.normal(size=np.shape(x)).astype(np.asarray(x).dtype) for x in leaves(tree)])


def _pulled(f: Function, inputs: tuple[Any, ...], cotangent: Any) -> list[Any]:
    """Return Jᵀ g for each leaf of the inputs."""
    return leaves(vjp(f, *inputs)[1](cotangent))


def _close(x: Any, y: Any) -> None:
    """Assert that two arrays are equal up to rounding in their dtype."""
    x, y = np.asarray(x), np.asarray(y)
    eps = np.finfo(x.dtype).eps
    assert_allclose(x, y, rtol=1e5 * eps, atol=1e4 * eps * np.max(np.abs(y), initial=1))


def agrees_with_numeric_derivatives(f: Function, *inputs: Any) -> None:
    """The derivatives of order one and two are those that the values show, kinks included."""
    check_gradients(f, *inputs)


def value_is_that_of_arrays(f: Function, *inputs: Any) -> None:
    """On Tensors the function has the value that it has on arrays, recorded or not."""
    expected = leaves(f(*inputs))
    for requires_grad in (True, False):
        given = rebuilt(inputs, [Tensor(x, requires_grad=requires_grad) for x in leaves(inputs)])
        for found, value in zip(leaves(f(*given)), expected, strict=True):
            assert_array_equal(found.data if isinstance(found, Tensor) else found, value)


def pullback_is_linear(f: Function, *inputs: Any) -> None:
    """Jᵀ (2.5 g - 1.5 h) = 2.5 Jᵀ g - 1.5 Jᵀ h."""
    out, _ = vjp(f, *inputs)
    g, h = _random(out, 1), _random(out, 2)
    combined = rebuilt(out, [2.5 * a - 1.5 * b for a, b in zip(leaves(g), leaves(h))])
    for found, of_g, of_h in zip(*(_pulled(f, inputs, cotangent) for cotangent in (combined, g, h))):
        _close(found, 2.5 * of_g - 1.5 * of_h)


def forward_and_reverse_are_adjoint(f: Function, *inputs: Any) -> None:
    """⟨g, J u⟩ = ⟨Jᵀ g, u⟩."""
    directions = _random(inputs, 3)
    out, tangent = jvp(f, inputs, directions)
    g = _random(out, 4)
    left = sum((np.sum(a * b) for a, b in zip(leaves(g), leaves(tangent))), np.float64(0))
    right = sum((np.sum(a * b) for a, b in zip(_pulled(f, inputs, g), leaves(directions))), np.float64(0))
    _close(left, right)


def gradient_has_its_inputs_shape_and_dtype(f: Function, *inputs: Any) -> None:
    """The gradient of each input has the input's shape and dtype, in float32 as in float64."""
    for dtype in (np.float32, np.float64):
        given = rebuilt(inputs, [np.asarray(x, dtype) for x in leaves(inputs)])
        for found, x in zip(_pulled(f, given, _random(vjp(f, *given)[0], 5)), leaves(given)):
            assert (np.shape(found), found.dtype) == (x.shape, x.dtype)


def gradient_shares_no_memory(f: Function, *inputs: Any) -> None:
    """After ``backward`` the gradients share memory with nothing: not each other, not the inputs, not the cotangent."""
    given = [Tensor(x, requires_grad=True) for x in leaves(inputs)]
    for y in leaves(f(*rebuilt(inputs, given))):
        if isinstance(y, Tensor) and y.requires_grad:
            g = np.asarray(_random(y.data, 6))
            y.backward(g)
            grads = [x.grad for x in given if x.grad is not None]
            held = [*(np.asarray(x) for x in leaves(inputs)), *(x.data for x in given), g, y.data]
            for i, a in enumerate(grads):
                assert not any(np.shares_memory(a, other) for other in (*held, *grads[:i])), "a gradient shares its memory"


def inputs_are_not_changed(f: Function, *inputs: Any) -> None:
    """Neither the inputs nor the cotangent are written to."""
    before = [np.array(x) for x in leaves(inputs)]
    out, pullback = vjp(f, *inputs)
    g = _random(out, 7)
    again = [np.array(a) for a in leaves(g)]
    pullback(g)
    for x, was in zip((*leaves(inputs), *leaves(g)), (*before, *again)):
        assert_array_equal(x, was)


def repeats_exactly(f: Function, *inputs: Any) -> None:
    """The same pullback gives the same bits when it is called again."""
    out, pullback = vjp(f, *inputs)
    g = _random(out, 8)
    for first, second in zip(leaves(pullback(g)), leaves(pullback(g))):
        assert_array_equal(first, second)


LAWS: tuple[Callable[..., None], ...] = (
    value_is_that_of_arrays,
    agrees_with_numeric_derivatives,
    pullback_is_linear,
    forward_and_reverse_are_adjoint,
    gradient_has_its_inputs_shape_and_dtype,
    gradient_shares_no_memory,
    inputs_are_not_changed,
    repeats_exactly,
)

for law in LAWS:
    law.__doc__ = f"""{law.__doc__}

    Parameters
    ----------
    f : callable
        A function of Tensors, and of nested tuples, lists and dicts of them.
    *inputs : array, scalar, or nested tuple, list or dict of them
        Floating.

    Raises
    ------
    AssertionError
        If that is not so.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import laws
    >>> laws.{law.__name__}(np.multiply, np.array([0.5, 2.0]), np.array([3.0, -1.0]))
    """


def obeys_all(f: Function, *inputs: Any) -> None:
    """Assert every law of ``LAWS`` for a function at its inputs.

    Parameters
    ----------
    f : callable
        A function of Tensors, and of nested tuples, lists and dicts of them.
    *inputs : array, scalar, or nested tuple, list or dict of them
        Floating.

    Raises
    ------
    AssertionError
        If a law is broken; its name is in the traceback.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import laws
    >>> laws.obeys_all(np.sin, np.array([0.5, 2.0]))
    """
    for law in LAWS:
        law(f, *inputs)
