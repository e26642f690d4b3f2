"""Differences, integrals, interpolation, convolution, grids and spaced numbers, by the laws, then knots and ends."""

import numpy as np
import pytest
from laws import Case, every_case_obeys, every_row_has_a_case, gradient_at, second_at, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import Tensor
from tinygrad_hw.rules import sequences

M, V, W, S, T = spread(2, 3), spread(5), spread(3, seed=2), np.asarray(0.7), spread(2, 2, 3)
LINE = np.sort(spread(5, seed=4))

CASES = [
    *(Case(np.diff, M, analytic=True, **kwargs)
      for kwargs in ({}, {"axis": 0}, {"n": 2}, {"n": 0}, {"n": 5}, {"prepend": 0.5}, {"append": M, "axis": 0})),
    Case(np.diff, M, W, call=lambda a, b: np.diff(a, axis=0, prepend=b[None], append=0)),
    *(Case(np.trapezoid, M, analytic=True, **kwargs) for kwargs in ({}, {"dx": 0.5}, {"axis": 0}, {"x": np.array([0.1, 0.5, 2.0])})),
    Case(np.trapezoid, M, W, analytic=True),
    Case(np.trapezoid, M, M + 1, call=lambda y, x: np.trapezoid(y, x, axis=0), analytic=True),
    *(Case(np.gradient, x, edge_order=order, analytic=True) for x in (V, spread(3, 4)) for order in (1, 2)),
    *(Case(np.gradient, V, LINE, edge_order=order) for order in (1, 2)),
    Case(np.gradient, spread(3, 4), S, axis=(1, 0)),
    Case(np.gradient, spread(3, 4), W, np.asarray(0.5), call=lambda f, x, dx: np.gradient(f, np.cumsum(x), dx)),
    *(Case(np.unwrap, np.array([0.1, 3.0, -2.3, 3.1, 9.6, -9.1]), **kwargs) for kwargs in ({}, {"period": 4.0}, {"discont": 5.0})),
    Case(np.unwrap, np.array([[0.1, 3.0], [4.0, -4.0], [9.5, 0.3]]), axis=0),
    *(Case(np.interp, np.array([0.1, 0.45, 1.6, 2.0]), LINE, V, **kwargs) for kwargs in ({}, {"left": 0.3, "right": 0.2}, {"period": 2.5})),
    Case(np.interp, np.array([[0.5, 1.0]]), call=lambda x: np.interp(x, [0.2, 0.7, 1.3], [3, 1, 2])),
    *(Case(f, a, v, call=lambda a, v, f=f, mode=mode: f(a, v, mode), analytic=f is np.convolve)
      for f in (np.convolve, np.correlate) for mode in ("full", "same", "valid")
      for a, v in [(V, W), (W, V), (V, W[:2]), (W[:2], V), (V, V[::-1]), (spread(4), W[:2]), (W[:2], spread(4)), (V, W[:1])]),
    Case(sequences.convolve, V, W, oracle=np.convolve, analytic=True),
    *(Case(np.linspace, a, b, num=n, **kwargs) for a, b in [(S, S + 1), (W, S), (W, M)] for n in (0, 1, 2, 5)
      for kwargs in ({}, {"endpoint": False, "axis": -1})),
    Case(np.linspace, S, call=lambda a: np.linspace(a, 2, 4, retstep=True)[1]),
    Case(np.linspace, S, call=lambda a: np.linspace(0, a, 4)),
    Case(np.logspace, S, W, num=3),
    Case(np.logspace, S, S + 1, S + 2, call=lambda a, b, base: np.logspace(a, b, 4, base=base)),
    *(Case(np.geomspace, *xs, num=4) for xs in [(S, S + 1), (-W, -S), (W, M)]),
    *(Case(np.meshgrid, W, V, call=lambda x, y, k=k: [np.ravel(a) for a in np.meshgrid(x, y, **k)])
      for k in ({}, {"indexing": "ij"}, {"sparse": True})),
    Case(np.meshgrid, W, S, W, call=lambda *xs: np.meshgrid(*xs)),
    Case(np.apply_along_axis, T, call=lambda a: np.apply_along_axis(lambda v: v * v[0], 1, a)),
    Case(np.apply_along_axis, T, call=lambda a: np.apply_along_axis(np.prod, 0, a)),
    Case(np.apply_along_axis, T, call=lambda a: np.apply_along_axis(lambda v: v[:, None] * v, 1, a)),
    Case(np.apply_over_axes, T, call=lambda a: np.apply_over_axes(np.prod, a, [0, -1])),
    Case(np.piecewise, M, call=lambda x: np.piecewise(x, [x > 1, x < 0.5], [np.sqrt, lambda y, k=2: y**k, 3.0])),
    Case(np.piecewise, V, call=lambda x: np.piecewise(x, x > 1.1, [lambda y, k: y**k, lambda y, k: -y], 3)),
    Case(np.sort_complex, V, call=lambda x: np.real(np.sort_complex(x))),
    *(Case(np.kron, a, b, analytic=True) for a, b in [(M, W), (W, M), (M, T), (S, M)]),
    Case(np.i0, spread(2, 3, low=-9, high=12)),
    Case(np.i0, S),
]  # fmt: skip

if hasattr(np, "unstack"):
    CASES.append(Case(np.unstack, T, call=lambda x: np.concatenate([a * i for i, a in enumerate(np.unstack(x, axis=1))])))


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("sequences", CASES, without={getattr(np, "trapz", None)} - {None})


def test_at_a_knot_interp_has_the_slope_nearest_to_zero_of_the_two_beside_it():
    xp, fp = [0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 3.0, 2.0]
    assert_array_equal(gradient_at(lambda x: np.interp(x, xp, fp), [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0]), [0, 1, 1, 2, 0, 0, 0])


def test_interp_outside_the_knots_and_at_infinity_is_flat_and_nan_stays_nan():
    x = np.array([-np.inf, -1.0, np.inf, np.nan])
    out = np.interp(Tensor(x), [0.0, 1.0], [2.0, 5.0])
    assert_array_equal(out.data, [2, 2, 5, np.nan])
    assert_array_equal(gradient_at(lambda x: np.interp(x, [0.0, 1.0], [2.0, 5.0]), x[:3]), [0, 0, 0])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolution_with_nothing_is_refused_as_numpy_does(mode):
    with pytest.raises(ValueError, match="cannot be empty"):
        np.convolve(Tensor([1.0]), np.zeros(0), mode)


def test_gradient_says_when_the_spacing_does_not_fit():
    with pytest.raises(ValueError, match="distances must match"):
        np.gradient(Tensor(V), [1.0, 2.0])
    with pytest.raises(ValueError, match="too small"):
        np.gradient(Tensor([1.0]))
    with pytest.raises(TypeError, match="invalid number of arguments"):
        np.gradient(Tensor(M), 1.0, 2.0, 3.0)


def test_geomspace_through_zero_is_refused():
    with pytest.raises(ValueError, match="cannot include zero"):
        np.geomspace(Tensor(0.0), 1.0)


def test_i0_has_the_derivative_i1_at_zero_and_far_out():
    assert_array_equal(gradient_at(np.i0, 0.0), 0)
    assert_allclose(second_at(np.i0, 0.0, 1.0), 0.5, rtol=1e-14)
    assert_allclose(gradient_at(np.i0, [1.0, -1.0]), [0.565159103992485, -0.565159103992485], rtol=1e-14)
    assert_allclose(gradient_at(np.i0, 300.0), np.i0(300.0) * (1 - 1 / 600 - 1 / 720000), rtol=1e-8)


# Lists
SQUARE = [[2.0, 0.5, 0.1], [0.3, 1.5, 0.2], [0.1, 0.4, 1.1]]
PAIRS = [
    np.convolve, np.correlate, np.kron, np.polyadd, np.polysub, np.polymul, np.polyval, np.outer, np.inner, np.dot, np.vdot, np.cov,
    np.corrcoef, np.linspace, np.logspace, np.geomspace, np.cross, np.trapezoid, np.append, np.hypot,
]  # fmt: skip
WITH_MATRIX = [
    np.linalg.solve, np.linalg.lstsq, np.linalg.tensorsolve, lambda a, b: np.linalg.multi_dot([a, b]), lambda a, b: np.average(a, 1, b),
    lambda a, b: np.interp(a, SQUARE[0][::-1], b), lambda a, b: np.gradient(a, b, axis=0),
    lambda a, b: np.diff(a, 1, 0, np.reshape(b, (1, 3))),
]  # fmt: skip


@pytest.mark.parametrize("f, x", [*((f, SQUARE[0]) for f in PAIRS), *((f, SQUARE) for f in WITH_MATRIX)])
def test_a_list_beside_a_tensor_counts_as_an_array(f, x):
    y = [1.0, 2.0, 4.0]
    expected = f(np.array(x), np.array(y))
    first = lambda out: out[0] if isinstance(out, (tuple, list)) else out
    for pair in ((Tensor(x, requires_grad=True), y), (x, Tensor(y, requires_grad=True))):
        out = first(f(*pair))
        assert_allclose(out.data, first(expected), rtol=1e-12)
        np.sum(out).backward()


def test_an_even_gradient_skips_the_entry_itself():
    x = np.array([1.0, np.inf, 4.0, 2.0, np.nan, 7.0])
    found = np.gradient(Tensor(x, requires_grad=True), 0.5)
    assert_array_equal(found.data, np.gradient(x, 0.5))


def test_interp_refuses_knots_and_values_that_do_not_pair():
    with pytest.raises(ValueError, match="not of the same length"):
        np.interp(0.5, Tensor(np.arange(3.0), requires_grad=True), np.ones(2))
