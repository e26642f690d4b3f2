"""Quantiles, averages, covariances and weighted counts, by the laws, then ties, infinities and weights that add up to zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import Case, every_case_obeys, every_row_has_a_case, gradient_at, numbers, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import DetachError, Tensor
from tinygrad_hw.rules import statistics

M, V, W, T = spread(2, 3), spread(5), spread(3, seed=2), spread(2, 2, 3)
HOLES = np.array([[0.4, np.nan, 1.2, 0.8], [np.nan, 0.9, 0.6, np.nan]])
METHODS = ["inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull", "linear",
           "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest"]  # fmt: skip
FOLDED = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}]

CASES = [
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
    Case(np.histogram2d, V, call=lambda w: np.histogram2d(np.arange(5.0), np.arange(5.0) ** 2, (3, 2), weights=w)[0]),
    Case(np.histogramdd, V, call=lambda w: np.histogramdd((np.arange(5.0), np.arange(5.0) ** 2), [2, 3], weights=w, density=True)[0]),
    Case(np.histogram, V, call=lambda w: np.histogram(np.arange(5.0), [0, 1, 2.5, 4], weights=w, density=True)[0]),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("statistics", CASES)


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


def test_the_median_of_infinities_is_their_mean():
    pairs = np.array([[-np.inf, 1.0], [1.0, np.inf], [-np.inf, -np.inf], [-np.inf, np.inf]])
    with np.errstate(invalid="ignore"):  # (NumPy warns of the last as well)
        found = np.median(Tensor(pairs, requires_grad=True), axis=1)
    assert_array_equal(found.data, [-np.inf, np.inf, -np.inf, np.nan])


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


def test_counts_have_no_derivative():
    t = Tensor([0.1, 0.6, 0.7], requires_grad=True)
    for counts, expected in (
        (np.histogram(t, 2)[0], [1, 2]),
        (np.bincount(Tensor(np.array([1, 1, 2]))), [0, 2, 1]),
        (np.histogram2d(t, t, 2)[0], [[1, 0], [0, 2]]),
        (np.histogramdd(t[:, None], 2)[0], [1, 2]),
    ):
        assert not counts.requires_grad
        assert_array_equal(counts.data, expected)
