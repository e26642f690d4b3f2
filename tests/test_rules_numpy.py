"""The rest of NumPy: statistics, sequences, polynomials and writing in place, by the laws, then ties, knots and ends one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import LAWS, Case, gradient_at, numbers, rows, second_at, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import DetachError, Tensor
from tinygrad_hw.rules import sequences, statistics

M, V, W, S = spread(2, 3), spread(5), spread(3, seed=2), np.asarray(0.7)
T = spread(2, 2, 3)
HOLES = np.array([[0.4, np.nan, 1.2, 0.8], [np.nan, 0.9, 0.6, np.nan]])
LINE = np.sort(spread(5, seed=4))
METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear",
           "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"]  # fmt: skip
HALF = np.array([[True, False, True], [False, True, False]])
FOLDED = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}]


def writing(function, *args, **kwargs):
    """Return a function that writes a value into a copy of x and returns the copy; the value stands where args have None."""

    def call(x, value):
        x = np.positive(x)
        function(x, *(value if a is None else a for a in args), **kwargs)
        return x

    return call


STATISTICS = [
    *(Case(f, M, **kwargs) for f in (np.median, np.nanmedian) for kwargs in FOLDED),
    *(Case(np.nanmedian, HOLES, **kwargs) for kwargs in FOLDED),
    *(Case(np.quantile, V, q=0.3, method=method) for method in METHODS),
    *(Case(f, M, q=q, **kwargs)
      for f, q in [(np.quantile, [0.2, 0.5]), (np.percentile, [[20.0, 90.0]]), (np.percentile, 100)] for kwargs in FOLDED[1:]),
    *(Case(f, HOLES, q=q, axis=1) for f, q in [(np.nanquantile, [0.2, 0.5]), (np.nanpercentile, 70)]),
    Case(np.quantile, M, q=0.4, axis=1, weights=np.array([0.2, 0.5, 0.9]), method="inverted_cdf"),
    Case(np.quantile, V, q=[0.1, 0.9], weights=np.arange(5.0), method="inverted_cdf"),
    Case(statistics.ordered, M, call=lambda x: statistics.ordered(x, np.ones((2, 1), int)), oracle=lambda x: np.sort(x, -1)[:, 1:2]),
    *(Case(np.average, M, **kwargs) for kwargs in FOLDED),
    *(Case(np.average, M, M + 1, call=lambda a, w, k=k: np.average(a, weights=w, **k)) for k in FOLDED),
    Case(np.average, M, W, call=lambda a, w: np.average(a, axis=1, weights=w)),
    Case(np.average, T, M, call=lambda a, w: np.average(a, axis=(2, 0), weights=w.T)),
    Case(np.average, M, W, call=lambda a, w: np.average(a, 1, w, returned=True)),
    Case(np.average, M, call=lambda a: np.average(a, 1, returned=True)),
    *(Case(np.cov, M, **kwargs) for kwargs in ({}, {"rowvar": False}, {"bias": True}, {"ddof": 0}, {"fweights": np.array([1, 2, 3])})),
    Case(np.cov, V),
    Case(np.cov, M, M[::-1] + W, call=lambda m, y: np.cov(m, y)),
    Case(np.cov, M, W, call=lambda m, w: np.cov(m, aweights=w)),
    Case(np.cov, M, W, call=lambda m, w: np.cov(m, aweights=w, fweights=np.array([2, 1, 2]), ddof=0)),
    Case(np.corrcoef, T[:, 0]),
    Case(np.corrcoef, V, W[[0, 2, 1, 0, 1]]),
    Case(np.bincount, V, call=lambda w: np.bincount(np.array([0, 2, 2, 1, 0]), w, minlength=4)),
    Case(np.histogram, V, call=lambda w: np.histogram(np.arange(5.0), 3, weights=w)[0]),
    Case(np.histogram, V, call=lambda w: np.histogram(np.arange(5.0), [0, 1, 2.5, 4], weights=w, density=True)[0]),
]  # fmt: skip

SEQUENCES = [
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
    SEQUENCES.append(Case(np.unstack, T, call=lambda x: np.concatenate([a * i for i, a in enumerate(np.unstack(x, axis=1))])))

P, Q = spread(4), spread(3, seed=9)
POLYNOMIALS = [
    *(Case(np.polyval, P, x, analytic=True) for x in (M, S)),
    Case(np.polyval, M[0], call=lambda x: np.polyval([2, 0, 1], x)),
    *(Case(f, P, Q, analytic=True) for f in (np.polyadd, np.polysub)),
    *(Case(f, Q, P, analytic=True) for f in (np.polyadd, np.polysub)),
    Case(np.polymul, P, Q),
    Case(np.polymul, P, call=lambda p: np.polymul([0, 0, 1, 2], p)),
    *(Case(np.polydiv, a, b, call=lambda u, v: np.polydiv(u, v)) for a, b in [(P, Q), (Q, P), (P, Q[:1])]),
    *(Case(np.polyder, P, m=m, analytic=True) for m in (0, 1, 2, 4)),
    *(Case(np.polyint, P, m=2, k=k, analytic=True) for k in (None, 0.5, [0.5, 0.2])),
    *(Case(np.poly, x) for x in (P, M[:, :2] + M[:, :2].T + np.diag([1, 5]))),
    Case(np.roots, np.array([1.0, -7.1, 14.2, -8])),
    Case(np.roots, np.array([1.0, -3.2, 2.0]), call=lambda p: np.roots(np.concatenate([[0.0], p, [0.0]]))),
    *(Case(np.vander, V, **kwargs) for kwargs in ({}, {"N": 3, "increasing": True}, {"N": 0}, {"N": 1})),
    *(Case(np.polyfit, LINE, V, deg=deg) for deg in (0, 1, 2)),
    Case(np.polyfit, LINE, spread(5, 2), deg=1),
    Case(np.polyfit, LINE, V, spread(5, seed=7), call=lambda x, y, w: np.polyfit(x, y, 2, w=w)),
    *(Case(np.polyfit, LINE, V, call=lambda x, y, cov=cov: [np.ravel(a) for a in np.polyfit(x, y, 1, cov=cov)])
      for cov in (True, "unscaled")),
]  # fmt: skip

WRITING = [
    Case(np.copyto, M, W, call=writing(np.copyto, None)),
    Case(np.copyto, M, W, call=writing(np.copyto, None, where=HALF)),
    Case(np.put, M, W, call=writing(np.put, [4, 0, -1], None)),
    Case(np.put, M, W[:2], call=writing(np.put, [[4, 9], [0, -20]], None, mode="clip")),
    Case(np.place, M, W[:2], call=writing(np.place, HALF, None)),
    Case(np.putmask, M, W[:2], call=writing(np.putmask, HALF, None)),
    Case(np.put_along_axis, M, W[:2], call=lambda x, v: writing(np.put_along_axis, np.array([[2], [0]]), None, 1)(x, v[:, None])),
    *(Case(np.fill_diagonal, x, W, call=writing(np.fill_diagonal, None)) for x in (spread(3, 3), spread(3, 5), spread(3, 3, 3))),
    Case(np.fill_diagonal, spread(7, 2), S, call=writing(np.fill_diagonal, None, wrap=True)),
    Case(np.full_like, W, call=lambda v: np.full_like(Tensor(M), v)),
]  # fmt: skip


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", [*STATISTICS, *SEQUENCES, *POLYNOMIALS, *WRITING], ids=str)
def test_every_row_obeys(case, law):
    law(case)


@pytest.mark.parametrize("topic", ["statistics", "sequences", "polynomials", "writing"])
def test_every_row_has_a_case(topic):
    seen = {case.function for case in (*STATISTICS, *SEQUENCES, *POLYNOMIALS, *WRITING)}
    older = {getattr(np, "trapz", None)}  # until NumPy 2.3, by its new name since 2.0
    assert rows(topic) - seen - older == {f for f in (np.histogram2d, np.histogramdd) if topic == "statistics"}


# Ties, ends and empty places
@pytest.mark.parametrize("f", [np.median, lambda x: np.quantile(x, 0.5), lambda x: np.percentile(x, 50), np.nanmedian])
def test_the_median_is_shared_equally_by_the_entries_that_tie(f):
    assert_array_equal(gradient_at(f, [1.0, 2.0, 2.0]), [0, 0.5, 0.5])
    assert_array_equal(gradient_at(f, [1.0, 2.0, 2.0, 7.0]), [0, 0.5, 0.5, 0])
    assert_array_equal(gradient_at(f, [5.0, 5.0]), [0.5, 0.5])
    assert_array_equal(gradient_at(f, 3.0), 1)


def test_a_quantile_of_infinite_entries_is_that_entry_and_has_a_gradient():
    assert_array_equal(np.quantile(Tensor([1.0, 2.0, np.inf], requires_grad=True), 0.5).data, 2.0)
    assert_array_equal(gradient_at(lambda x: np.quantile(x, 0.5), [1.0, 2.0, np.inf]), [0, 1, 0])
    assert_array_equal(gradient_at(lambda x: np.median(x), [-np.inf, 2.0, np.inf]), [0, 1, 0])


def test_nan_goes_through_quantile_and_is_left_out_by_nanquantile():
    t = Tensor([1.0, np.nan, 3.0])
    assert np.isnan(np.median(t).data)
    assert np.nanmedian(t).data == 2
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        assert np.isnan(np.nanmedian(Tensor([np.nan, np.nan])).data)


def test_a_quantile_whose_share_is_a_tensor_with_a_gradient_is_refused():
    with pytest.raises(DetachError, match="requires a gradient"):
        np.quantile(Tensor([1.0, 2.0]), Tensor(0.3, requires_grad=True))


@given(st.lists(numbers(), min_size=1, max_size=6), st.sampled_from([0.0, 1.0, 0.5, 0.25, 0.9]), st.sampled_from(METHODS))
def test_quantiles_of_any_entries_are_numpys_and_their_gradients_add_up_to_1(entries, q, method):
    x = Tensor(entries, requires_grad=True)
    out = np.quantile(x, q, method=method)
    assert_allclose(out.data, np.quantile(np.array(entries), q, method=method), rtol=1e-14, atol=1e-14)
    out.backward()
    assert_allclose(np.sum(x.grad), 1, rtol=1e-12)
    assert (x.grad >= 0).all()


def test_average_with_weights_that_add_up_to_zero_raises():
    with pytest.raises(ZeroDivisionError, match="Weights sum to zero"):
        np.average(Tensor([1.0, 2.0]), weights=[1, -1])
    with pytest.raises(TypeError, match="Axis must be specified"):
        np.average(Tensor(M), weights=[1, 1, 2])


def test_counts_have_no_derivative_and_are_plain_arrays():
    t = Tensor([0.1, 0.6, 0.7], requires_grad=True)
    assert_array_equal(np.histogram(t, 2)[0], [1, 2])
    assert_array_equal(np.bincount(Tensor(np.array([1, 1, 2]))), [0, 2, 1])
    assert_array_equal(np.histogram2d(t, t, 2)[0], [[1, 0], [0, 2]])
    assert_array_equal(np.histogramdd(t[:, None], 2)[0], [1, 2])
    with pytest.raises(DetachError, match="requires a gradient"):
        np.histogram2d(t, t, 2, weights=t)


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


def test_a_zero_root_moves_with_the_last_coefficient():
    p = Tensor([1.0, -3.0, 0.0], requires_grad=True)
    np.roots(p)[-1].backward()
    assert_allclose(p.grad, [0, 0, 1 / 3], atol=1e-15)


def test_writing_a_tensor_into_a_plain_array_raises_and_names_the_ways_out():
    t, plain = Tensor([1.0, 2.0], requires_grad=True), np.zeros(2)
    for write in (lambda: np.copyto(plain, t), lambda: np.put(plain, [0, 1], t), lambda: np.putmask(plain, [True, True], t)):
        with pytest.raises(DetachError, match="a Tensor instead of an array to write into"):
            write()
    assert_array_equal(plain, 0)


def test_writing_into_a_leaf_that_requires_a_gradient_is_refused_as_assignment_is():
    with pytest.raises(Exception, match="assign to a copy"):
        np.fill_diagonal(Tensor(np.eye(2), requires_grad=True), 3.0)


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
