"""What every rule must obey, and the means to tell: numeric derivatives, the laws, strategies with special values first.

A ``Case`` is a function of the table with inputs at which it has a derivative. ``LAWS`` are what each case must pass. A file that
tests a topic of the table lists its cases, and has two tests made of them:

    test_every_row_obeys = every_case_obeys(CASES)
    test_every_row_has_a_case = every_row_has_a_case("products", CASES)

Some of the laws are also in ``tinygrad_hw.testing.laws``, for users' functions. They are written again here, on ``backward`` and
numeric derivatives of their own: what proves the rules must not rest on the transforms and checks that rest on the rules.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import CompileError, Tensor
from tinygrad_hw.backward import sweep
from tinygrad_hw.rules import COMPOSITIONS, RULES
from tinygrad_hw.rules.table import Each
from tinygrad_hw.tensor import arguments, tensors

Arrays = Sequence[np.ndarray]


def spread(*shape: int, low: float = 0.3, high: float = 1.7, seed: int = 0) -> np.ndarray:
    """Return an array of distinct numbers in shuffled order, apart from each other and from the ends."""
    n = int(np.prod(shape))
    places = low + (high - low) * (np.arange(n) + 0.5) / max(n, 1)
    return np.random.default_rng(seed + n).permutation(places).reshape(shape)


def random_like(array: Any, seed: int = 1) -> np.ndarray:
    """Return a random cotangent of an array's shape and dtype."""
    return np.asarray(np.random.default_rng(seed).normal(size=np.shape(array))).astype(np.asarray(array).dtype)


def joined(out: Any) -> Any:
    """Return several results as one vector, one result as it is."""
    return np.concatenate([np.ravel(part) for part in out]) if isinstance(out, (tuple, list)) else out


class Case:
    """A function of the table, the inputs to differentiate it at, how to call it, and what its value should be.

    Parameters
    ----------
    function : the key of the row.
    inputs : the arguments that are differentiated.
    call : called with the inputs in place of ``function(*inputs, **kwargs)``.
    oracle : what gives the value and the numeric derivative, if not the same call on arrays.
    analytic : whether the oracle continues to complex numbers, so that the complex step applies.

    """

    def __init__(
        self,
        function: Any,
        *inputs: Any,
        call: Callable[..., Any] | None = None,
        oracle: Callable[..., Any] | None = None,
        analytic: bool = False,
        **kwargs: Any,
    ) -> None:
        self.function, self.inputs, self.analytic = function, [np.asarray(x) for x in inputs], analytic
        self.options = frozenset(kwargs)
        given = call or function
        self.call = lambda *xs: joined(given(*xs, **kwargs))
        self.oracle = self.call if oracle is None else lambda *xs: joined(oracle(*xs, **kwargs))
        self.label = f"{name_of(function)}{[x.shape for x in self.inputs]}{kwargs or ''}"

    def __str__(self) -> str:
        return self.label


def name_of(function: Any) -> str:
    """Return what to call a key of the table."""
    owner = getattr(function, "__self__", None)
    return f"{owner.__name__}.{function.__name__}" if isinstance(owner, np.ufunc) else function.__name__


def numpys_ufuncs(functions: Iterable[Any]) -> list[np.ufunc]:
    """Return NumPy's own ufuncs among functions: SciPy's join the table once it is imported."""
    return [f for f in functions if isinstance(f, np.ufunc) and getattr(np, f.__name__, None) is f]


def rows(topic: str) -> set[Any]:
    """Return the keys of every rule and composition of a topic."""
    bodies: dict[Any, Any] = {f: row.vjps.vjp if isinstance(row.vjps, Each) else next(v for v in row.vjps if v) for f, row in RULES.items()}
    return {f for f, body in (bodies | COMPOSITIONS).items() if body.__module__ == f"tinygrad_hw.rules.{topic}"}


# The engine's derivatives
def leaves_of(inputs: Iterable[Any]) -> list[Tensor]:
    """Return a leaf for each array."""
    return [Tensor(x, requires_grad=True) for x in inputs]


def gradients(call: Callable[..., Any], inputs: Arrays, cotangent: Any = None) -> list[np.ndarray]:
    """Return what ``backward`` gives to each input; zeros where it gives nothing."""
    leaves = leaves_of(inputs)
    out = call(*leaves)
    if out.requires_grad:
        out.backward(cotangent)
    return [np.zeros_like(x) if leaf.grad is None else leaf.grad for x, leaf in zip(inputs, leaves)]


def second_gradients(
    call: Callable[..., Any], inputs: Arrays, cotangent: Any, directions: Arrays
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the gradients by a recorded sweep, and those of their product with directions: for each input, then for the cotangent."""
    leaves, g = leaves_of(inputs), Tensor(cotangent, requires_grad=True)
    out = call(*leaves)
    first = sweep({out._node: g}, tensors) if out.requires_grad else {}
    products = [np.sum(first[leaf._node] * d) for leaf, d in zip(leaves, directions) if leaf._node in first]
    found = {}
    if products and (total := sum(products[1:], products[0])).requires_grad:
        found = sweep({total._node: np.ones((), total.dtype)[()]})
    given = [first[leaf._node].data if leaf._node in first else np.zeros_like(x) for x, leaf in zip(inputs, leaves)]
    return given, [found.get(leaf._node, np.zeros(leaf.shape)) for leaf in (*leaves, g)]


# Numeric derivatives
def complex_step(f: Callable[[np.ndarray], Any], x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return the derivative of an analytic f at x along a direction: Im f(x + ih u) / h, exact to rounding (Squire & Trapp 1998)."""
    h = 1e-100
    return np.asarray(np.imag(f(x + 1j * h * direction)) / h)


def richardson(f: Callable[[np.ndarray], Any], x: np.ndarray, direction: np.ndarray, h: float = 2.0**-8, levels: int = 4) -> np.ndarray:
    """Return the derivative of f at x along a direction: central differences, extrapolated to h = 0 (Richardson 1911)."""
    row: list[Any] = []
    for level in range(levels):
        step = h / 2**level
        new = [(np.asarray(f(x + step * direction)) - np.asarray(f(x - step * direction))) / (2 * step)]
        for k, coarser in enumerate(row):
            new.append(new[k] + (new[k] - coarser) / (4.0 ** (k + 1) - 1))
        row = new
    return np.asarray(row[-1])


def numeric_gradients(f: Callable[..., Any], inputs: Arrays, cotangent: Any, analytic: bool = False) -> list[np.ndarray]:
    """Return Jᵀ g for each input, entry by entry, from values of f alone."""
    derivative = complex_step if analytic else richardson
    found = []
    for i, x in enumerate(inputs):
        column = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            unit = np.zeros(x.shape)
            unit[place] = 1
            column[place] = np.sum(derivative(lambda y, i=i: f(*inputs[:i], y, *inputs[i + 1 :]), x, unit) * cotangent)
        found.append(column)
    return found


def along(f: Callable[..., Any], inputs: Arrays, directions: Arrays, analytic: bool = False) -> np.ndarray:
    """Return J u, from values of f alone."""
    moved = lambda t: f(*(x + t * u for x, u in zip(inputs, directions)))
    return (complex_step if analytic else richardson)(moved, np.zeros(()), np.ones(()))


# The laws
CLOSE = {"rtol": 1e-8, "atol": 1e-9}


def value_is_that_of_numpy(case: Case) -> None:
    """The value and dtype are those of the oracle on arrays, with and without recording."""
    expected = np.asarray(case.oracle(*case.inputs))
    for requires_grad in (True, False):
        out = case.call(*(Tensor(x, requires_grad=requires_grad) for x in case.inputs))
        assert isinstance(out, Tensor)
        assert (out.shape, out.dtype) == (expected.shape, expected.dtype)
        assert_allclose(out.data, expected, rtol=1e-14, atol=1e-300)


def derivative_is_the_numeric_one(case: Case) -> None:
    """Each entry of Jᵀ g is the complex step's, or Richardson's."""
    g = random_like(case.oracle(*case.inputs))
    for found, expected in zip(gradients(case.call, case.inputs, g), numeric_gradients(case.oracle, case.inputs, g, case.analytic)):
        assert_allclose(found, expected, **CLOSE)


def adjoint_identity_holds(case: Case) -> None:
    """⟨g, J u⟩ = ⟨Jᵀ g, u⟩ for random g and u."""
    g = random_like(case.oracle(*case.inputs), 2)
    directions = [random_like(x, 3 + i) for i, x in enumerate(case.inputs)]
    left = np.sum(g * along(case.oracle, case.inputs, directions, case.analytic))
    right = sum(np.sum(found * u) for found, u in zip(gradients(case.call, case.inputs, g), directions))
    assert_allclose(right, left, **CLOSE)


def gradient_is_linear_in_g(case: Case) -> None:
    """Jᵀ (a g + b h) = a Jᵀ g + b Jᵀ h."""
    out = case.oracle(*case.inputs)
    g, h = random_like(out, 4), random_like(out, 5)
    of = [gradients(case.call, case.inputs, cotangent) for cotangent in (2.5 * g - 1.5 * h, g, h)]
    for both, of_g, of_h in zip(*of):
        assert_allclose(both, 2.5 * of_g - 1.5 * of_h, rtol=1e-9, atol=1e-11)


def order_two_is_the_numeric_one(case: Case) -> None:
    """The recorded sweep gives the same gradients, and ⟨w, H u⟩, for random u and w, is the numeric derivative of those."""
    g = random_like(case.oracle(*case.inputs), 6)
    directions = [random_like(x, 7 + i) for i, x in enumerate(case.inputs)]
    first, (*second, in_g) = second_gradients(case.call, case.inputs, g, directions)
    for again, found in zip(first, gradients(case.call, case.inputs, g)):
        assert_allclose(again, found, rtol=1e-12, atol=1e-14)

    def product(*inputs: np.ndarray) -> Any:
        return sum(np.sum(found * u) for found, u in zip(gradients(case.call, inputs, g), directions))

    across = [random_like(x, 17 + i) / np.sqrt(x.size * len(case.inputs)) for i, x in enumerate(case.inputs)]
    assert_allclose(sum(np.sum(found * w) for found, w in zip(second, across)), along(product, case.inputs, across), rtol=1e-7, atol=1e-8)
    assert_allclose(in_g, along(case.oracle, case.inputs, directions, case.analytic), **CLOSE)


def float32_stays_float32(case: Case) -> None:
    """Of float32 inputs the gradients are float32; the value has NumPy's dtype and the numbers are those of float64, rounded."""
    narrow = [x.astype(np.float32) for x in case.inputs]
    expected = np.asarray(case.oracle(*narrow))
    out = case.call(*leaves_of(narrow))
    assert out.dtype == expected.dtype
    g = random_like(expected)
    for found, wide in zip(gradients(case.call, narrow, g), gradients(case.call, [x.astype(float) for x in narrow], g.astype(float))):
        assert found.dtype == np.float32
        assert_allclose(found, wide, rtol=3e-4, atol=3e-5)


def gradient_is_an_array_of_its_own(case: Case) -> None:
    """``.grad`` has its tensor's type, shape and dtype and shares memory with nothing; nothing that was given is changed."""
    given = [x.copy() for x in case.inputs]
    g = random_like(case.oracle(*case.inputs))
    g_before = g.copy()
    leaves = leaves_of(given)
    out = case.call(*leaves)
    if not out.requires_grad:
        return
    out.backward(g)
    grads = [leaf.grad for leaf in leaves if leaf.grad is not None]
    assert all(type(grad) is np.ndarray and grad.flags.writeable for grad in grads)
    assert all((leaf.grad.shape, leaf.grad.dtype) == (leaf.shape, leaf.dtype) for leaf in leaves if leaf.grad is not None)
    held = [*given, g, np.asarray(out.data), *(leaf._node.value for leaf in leaves)]
    held += [a for a in out._node.args if isinstance(a, np.ndarray)]
    for i, grad in enumerate(grads):
        assert not any(np.shares_memory(grad, other) for other in (*held, *grads[:i]))
    for x, before in zip((*given, *(leaf.data for leaf in leaves), g), (*case.inputs, *case.inputs, g_before)):
        assert_array_equal(x, before)


def a_node_repeats_its_value(case: Case) -> None:
    """``rule.call(*args, **kwargs)`` of every recorded node gives the node's value again."""
    out = case.call(*leaves_of(case.inputs))
    stack = [out._node]
    while stack:
        node = stack.pop()
        if node.edges:
            assert_array_equal(node.rule.call(*arguments(node), **node.kwargs), node.value)
            stack += [parent for parent, _, _ in node.edges]


DECIDE_BY_VALUES = {np.median, np.nanmedian, np.quantile, np.nanquantile, np.percentile, np.nanpercentile, np.piecewise, np.interp,
                    np.linalg.lstsq, np.polyfit, np.polymul}  # fmt: skip


def compiled_it_gives_the_same(case: Case) -> None:
    """Compiled, value and gradients are those of the code, at other inputs than the recorded ones too; or the error says why not."""
    tilt = random_like(case.oracle(*case.inputs), 8) / 8

    def both(*xs: Any) -> Any:
        loss = lambda *ys: np.sum(np.real(case.call(*ys) * np.conj(tilt)))
        return case.call(*xs), tg.grad(loss, argnums=tuple(range(len(xs))))(*xs)

    compiled = tg.compile(both)
    if case.function in DECIDE_BY_VALUES:
        try:
            compiled(*case.inputs)
        except CompileError as error:
            assert "depends on a value that differs from call to call" in str(error)
            return
    for inputs in (case.inputs, [x * 0.999 for x in case.inputs]):
        (value, found), (expected, exact) = compiled(*inputs), both(*inputs)
        for ours, theirs in zip((value, *found), (expected, *exact), strict=True):
            assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


LAWS = [
    value_is_that_of_numpy,
    derivative_is_the_numeric_one,
    adjoint_identity_holds,
    gradient_is_linear_in_g,
    order_two_is_the_numeric_one,
    float32_stays_float32,
    gradient_is_an_array_of_its_own,
    a_node_repeats_its_value,
]


def every_case_obeys(cases: Iterable[Case], laws: Sequence[Callable[[Case], None]] = LAWS) -> Callable[..., None]:
    """Return the test of each function: its cases obey the laws, and the first with each of its options is the same when compiled."""
    of_function: dict[str, list[Case]] = {}
    for case in cases:
        of_function.setdefault(name_of(case.function), []).append(case)
    params = [pytest.param(found, laws, id=name) for name, found in of_function.items()]
    for name, found in of_function.items():
        firsts = list({(case.function, case.options): case for case in reversed(found)}.values())
        params.append(pytest.param(firsts, [compiled_it_gives_the_same], id=f"compiled_it_gives_the_same-{name}"))

    @pytest.mark.parametrize(("cases", "laws"), params)
    def test(cases: list[Case], laws: Sequence[Callable[[Case], None]], record_property: Callable[[str, Any], None]) -> None:
        for case, law in product(cases, laws):
            try:
                law(case)
            except Exception as error:
                raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
            record_property("law", law.__name__)

    return test


def every_row_has_a_case(topic: str, cases: Iterable[Case], without: Iterable[Any] = ()) -> Callable[[], None]:
    """Return the test that each row of a topic has a case, but for those that are called by others alone."""

    def test() -> None:
        assert rows(topic) - {case.function for case in cases} == set(without)

    return test


def gradient_at(f: Callable[..., Any], *inputs: Any, cotangent: Any = None) -> Any:
    """Return the gradients of f at a special point, backward having given no warning; one alone where there is one input."""
    leaves = leaves_of(np.asarray(x, float) for x in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out = joined(f(*leaves))
    g = np.ones(out.shape) if cotangent is None else cotangent
    if out.requires_grad:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            out.backward(g)
    found = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad for leaf in leaves]
    return found[0] if len(found) == 1 else found


def second_at(f: Callable[..., Any], x: Any, direction: Any) -> np.ndarray:
    """Return the Hessian-vector product of a scalar f."""
    x = np.asarray(x, float)
    return second_gradients(f, [x], np.ones(()), [np.asarray(direction, float)])[1][0]


# Strategies: what goes wrong is drawn first
def numbers(*special: float, low: float = -3.0, high: float = 3.0) -> st.SearchStrategy[float]:
    """Draw a special value, else a float in an interval, rounded so that ties are common."""
    return st.sampled_from(special or (0.0, 1.0, -1.0)) | st.floats(low, high).map(lambda x: round(x, 2))


def shapes(max_dims: int = 3, max_side: int = 3) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw a shape: 0-d, empty and size 1 first."""
    return st.sampled_from([(), (0,), (1,), (1, 1), (0, 2), (2, 0)]) | hnp.array_shapes(
        min_dims=0, max_dims=max_dims, min_side=0, max_side=max_side
    )


def arrays(shape: Any = None, elements: st.SearchStrategy[float] | None = None) -> st.SearchStrategy[np.ndarray]:
    """Draw a float64 array."""
    return hnp.arrays(np.float64, shapes() if shape is None else shape, elements=numbers() if elements is None else elements)
