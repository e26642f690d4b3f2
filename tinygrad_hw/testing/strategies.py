"""What to try a gradient on: hypothesis strategies that draw the special cases first. (Needs hypothesis.)

    @given(strategies.broadcastable(2))
    def test_product(xs):
        check_gradients(np.multiply, *xs)

Numbers start with 0, ±1 and ties, shapes with 0-d, empty and size 1. ``networks`` draws whole networks with data and loss,
``expressions`` compositions, ``programs`` statements with views and writes; all shrink to the smallest that still fails, and their ``repr``
is what to paste into a bug report.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ..rules import neural
from .programs import Program, Writer, templates

__all__ = ["Expression", "Network", "arrays", "broadcastable", "expressions", "indices", "networks", "numbers", "programs", "shapes"]

Shape = tuple[int, ...]
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5)
INFINITE = (np.inf, -np.inf, np.nan)


def numbers(low: float = -3.0, high: float = 3.0, infinite: bool = False) -> st.SearchStrategy[float]:
    """Draw a number: special ones first, then floats rounded so that ties are common.

    Parameters
    ----------
    low : float
        The smallest to draw.
    high : float
        The largest to draw.
    infinite : bool
        Whether ±inf and nan are drawn too.

    Returns
    -------
    strategy of float

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> find(strategies.numbers(low=0.25, high=0.75), lambda x: True)
    0.5
    """
    special = [x for x in SPECIAL if low <= x <= high] + (list(INFINITE) if infinite else [])
    digits = 2 if not 0 < high - low < 1 else 2 - math.floor(math.log10(high - low))  # (of a narrow interval finer ones)
    floats = st.floats(low, high).map(lambda x: min(max(round(x, digits), low), high))
    return st.sampled_from(special) | floats if special else floats


def shapes(max_dims: int = 3, max_side: int = 3) -> st.SearchStrategy[Shape]:
    """Draw a shape: 0-d, size 1 and empty ones first.

    Parameters
    ----------
    max_dims, max_side : int
        The most axes, and the longest.

    Returns
    -------
    strategy of tuple of int

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> find(strategies.shapes(), lambda shape: 0 in shape)
    (0,)
    """
    special: list[Shape] = [(), (1,), (0,), (1, 1), (0, 2), (2, 0)]
    usual = hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side)
    return st.sampled_from([s for s in special if len(s) <= max_dims and max((0, *s)) <= max_side]) | usual


def arrays(
    shape: Shape | st.SearchStrategy[Shape] | None = None, elements: st.SearchStrategy[float] | None = None, dtype: Any = np.float64
) -> st.SearchStrategy[np.ndarray]:
    """Draw an array of a shape, or of any; of these numbers, or of any.

    Parameters
    ----------
    shape : tuple of int, or strategy of such
        By default any of ``shapes()``.
    elements : strategy of float
        By default ``numbers()``. Complex numbers take two each, unsigned ones their absolute values.
    dtype : dtype
        What NumPy takes for one, as ``float``, ``np.float32`` or ``"float32"``.

    Returns
    -------
    strategy of ndarray

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> find(strategies.arrays((2,)), lambda x: x.sum() > 0.0).shape
    (2,)
    """
    dtype, drawn = np.dtype(dtype), numbers() if elements is None else elements
    number: Any = {"c": lambda x, y: dtype.type(complex(x, y)), "i": int, "u": lambda x: abs(int(x)), "b": bool}.get(dtype.kind, dtype.type)
    drawn = st.builds(number, drawn, drawn) if dtype.kind == "c" else drawn.map(number)
    return hnp.arrays(dtype, shapes() if shape is None else shape, elements=drawn)


@st.composite
def broadcastable(draw: Any, n: int = 2, max_dims: int = 3, elements: st.SearchStrategy[float] | None = None) -> tuple[np.ndarray, ...]:
    """Draw n arrays whose shapes broadcast with each other.

    Parameters
    ----------
    n : int
    max_dims : int
        The most axes.
    elements : strategy of float, optional
        By default ``numbers()``.

    Returns
    -------
    strategy of tuple of ndarray

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> len(find(strategies.broadcastable(2), lambda xs: True))
    2
    """
    drawn = draw(hnp.mutually_broadcastable_shapes(num_shapes=n, min_dims=0, max_dims=max_dims, min_side=0, max_side=3))
    return tuple(draw(arrays(shape, elements)) for shape in drawn.input_shapes)


def indices(shape: Shape) -> st.SearchStrategy[Any]:
    """Draw what an array of this shape can be indexed with: slices, integers, newaxis, masks, integer arrays with repeats.

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    strategy of what indexes such an array

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> import numpy as np
    >>> np.ones(3)[find(strategies.indices((3,)), lambda index: isinstance(index, slice))].ndim
    1
    """
    ways: list[st.SearchStrategy[Any]] = [hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True), hnp.arrays(bool, shape)]
    if shape and all(shape):
        one = hnp.arrays(int, hnp.array_shapes(max_dims=2, max_side=3), elements=st.integers(-shape[0], shape[0] - 1))
        ways += [one, hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))]
    return st.one_of(ways)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "none": lambda x: x, "sigmoid": neural.sigmoid, "tanh": np.tanh, "softplus": neural.softplus, "relu": neural.relu,
}  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A fully connected network with its data; call it with parameters for its loss, ½ Σ (ŷ - y)² / N.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing.strategies import Network
    >>> network = Network([{"W": np.ones((1, 1)), "b": np.zeros(1)}], np.array([[3.0]]), np.array([[1.0]]), "none")
    >>> network(network.parameters), network.outputs(network.parameters)[-1]
    (np.float64(2.0), array([[3.]]))
    """

    parameters: list[dict[str, np.ndarray]]
    X: np.ndarray
    y: np.ndarray
    activation: str

    def outputs(self, parameters: Any) -> list[Any]:
        """Return what each layer gives, the data first: aₗ = h(aₗ₋₁ Wₗ + bₗ), the last without h.

        Parameters
        ----------
        parameters : list of dict
            The weight W and the bias b of each layer.

        Returns
        -------
        list of ndarray or Tensor
        """
        given = [self.X]
        for k, layer in enumerate(parameters, 1):
            z = given[-1] @ layer["W"] + layer["b"]
            given.append(z if k == len(parameters) else ACTIVATIONS[self.activation](z))
        return given

    def __call__(self, parameters: Any) -> Any:
        return np.sum((self.outputs(parameters)[-1] - self.y) ** 2) / (2 * len(self.X))


@st.composite
def networks(
    draw: Any, max_layers: int = 3, max_size: int = 4, activations: tuple[str, ...] = ("none", "sigmoid", "tanh", "softplus")
) -> Network:
    """Draw a network: sizes, weights, data, activation.

    Parameters
    ----------
    max_layers : int
        The most layers.
    max_size : int
        The most units of a layer, and rows of data.
    activations : tuple of str
        Out of none, sigmoid, tanh, softplus and relu (which has kinks).

    Returns
    -------
    strategy of Network

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> len(find(strategies.networks(), lambda network: len(network.parameters) == 2).parameters)
    2
    """
    sizes = draw(st.lists(st.integers(1, max_size), min_size=2, max_size=max_layers + 1))
    rows = draw(st.integers(1, max_size))
    matrix = lambda *shape: draw(arrays(shape, numbers(-2, 2)))
    layers = [{"W": matrix(n, m), "b": matrix(m)} for n, m in pairwise(sizes)]
    return Network(layers, matrix(rows, sizes[0]), matrix(rows, sizes[-1]), draw(st.sampled_from(activations)))


def operations(table: str) -> dict[str, Callable[..., Any]]:
    """Return the functions of x and y of a table, by the text of each."""
    names = {"np": np, "sigmoid": neural.sigmoid, "softmax": neural.softmax, "relu": neural.relu}
    return {text: eval(f"lambda x, y: {text}", names) for text in templates(table)}


SMOOTH = operations("""
x + y | x * y | x - y | -x | np.sin(x) | np.tanh(x) | sigmoid(x) | np.exp(-x * x) | x / (1 + y * y) | np.sqrt(1 + x * x) | np.sum(x)
np.mean(np.atleast_1d(x), -1, keepdims=True) | np.cumsum(np.broadcast_to(x, (2, 2)), axis=0) | np.transpose(x) | np.atleast_1d(x)[::-1]
np.atleast_1d(x)[[0, -1, 0, 0]][:2] | np.broadcast_to(x, (2, 2)) @ np.broadcast_to(y, (2, 2)) | softmax(np.atleast_1d(x))
np.logaddexp(x, y)
""")
KINKED = operations("""
np.abs(x) | np.maximum(x, y) | relu(x) | np.where(np.greater(x, y), x, y * y) | np.max(x) | np.sort(np.atleast_1d(x))
""")


@dataclass(frozen=True)
class Expression:
    """A program: each step applies an operation to two earlier values; the result is the last. Call it with inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing.strategies import Expression
    >>> Expression((np.array(2.0), np.array(3.0)), (("x * y", 0, 1),))(2.0, 3.0)
    6.0
    """

    inputs: tuple[np.ndarray, ...]
    steps: tuple[tuple[str, int, int], ...]

    def __call__(self, *inputs: Any) -> Any:
        values = list(inputs)
        for operation, i, j in self.steps:
            values.append((SMOOTH | KINKED)[operation](values[i % len(values)], values[j % len(values)]))
        return values[-1]

    def __repr__(self) -> str:
        n = len(self.inputs)
        lines = [f"v{k} = {x.tolist()}" for k, x in enumerate(self.inputs)]
        lines += [f"v{n + k} = {op}  # x = v{i % (n + k)}, y = v{j % (n + k)}" for k, (op, i, j) in enumerate(self.steps)]
        return "\n".join(lines)


def expressions(max_steps: int = 8, max_inputs: int = 3, smooth: bool = True) -> st.SearchStrategy[Expression]:
    """Draw a program over arrays that broadcast with (2, 2): values used often, seldom or never, in any order.

    Parameters
    ----------
    max_steps : int
        The most operations.
    max_inputs : int
        The most inputs.
    smooth : bool
        Whether every operation has all derivatives everywhere; else kinks are drawn too.

    Returns
    -------
    strategy of Expression

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> len(find(strategies.expressions(max_steps=1, max_inputs=1), lambda program: program.steps).steps)
    1
    """
    sides: list[Shape] = [(), (1,), (2,), (1, 2), (2, 1), (2, 2)]
    one = st.sampled_from(sides).flatmap(lambda shape: arrays(shape, numbers(-2, 2)))
    place = st.integers(0, max_inputs + max_steps - 1)
    step = st.tuples(st.sampled_from([*SMOOTH] if smooth else [*SMOOTH, *KINKED]), place, place)
    return st.builds(Expression, st.lists(one, min_size=1, max_size=max_inputs).map(tuple), st.lists(step, max_size=max_steps).map(tuple))


@st.composite
def programs(draw: Any, max_statements: int = 8, smooth: bool = False) -> Program:
    """Draw a NumPy program with views and writes, to be run on arrays and on what should work as they do.

    Parameters
    ----------
    max_statements : int
        The most statements, but for one or two writes at the end.
    smooth : bool
        Whether all variables are floating and every statement has all derivatives, so that the gradient can be compared too.

    Returns
    -------
    strategy of Program

    Examples
    --------
    >>> from hypothesis import find
    >>> from tinygrad_hw.testing import strategies
    >>> program = find(strategies.programs(max_statements=1), lambda program: True)
    >>> type(program).__name__
    'Program'
    """
    choose = lambda options: draw(st.sampled_from(options))
    return Writer(choose, smooth).program(draw(st.integers(1, max_statements)))
