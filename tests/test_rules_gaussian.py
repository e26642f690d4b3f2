"""The Gaussian integral: the laws for every row, and its digits against mpmath."""

import warnings

import mpmath
import numpy as np
import pytest
from laws import Case, every_case_obeys, every_row_has_a_case, gradient_at, gradients, second_at, spread
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.rules import gaussian

SIGNED = np.array([-2.4, -0.8, -0.35, 0.45, 0.9, 1.6])
M = spread(2, 3, low=-2, high=2)


@pytest.fixture(autouse=True)
def sixty_digits():
    with mpmath.workdps(60):
        yield


def entry_by_entry(f):
    return lambda x: np.vectorize(lambda v: float(f(float(v))), otypes=[x.dtype])(x)


ORACLES = {
    tg.erf: mpmath.erf,
    tg.erfc: mpmath.erfc,
    gaussian.normal_cdf: mpmath.ncdf,
    gaussian.normal_density: mpmath.npdf,
}
CASES = [
    *(Case(f, x, oracle=entry_by_entry(exact)) for f, exact in ORACLES.items() for x in (SIGNED, M, np.asarray(0.3), np.zeros((0, 2)))),
    Case(
        gaussian.gelu_slope,
        SIGNED,
        call=lambda x: gaussian.gelu_slope(tg.gelu(x).detach() if isinstance(x, Tensor) else tg.gelu(x), x),
        oracle=entry_by_entry(lambda v: mpmath.ncdf(v) + v * mpmath.npdf(v)),
    ),
]


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("gaussian", CASES)


def test_the_polynomials_are_those_that_interpolate_at_chebyshev_nodes():
    def scaled(k):
        return lambda t: (lambda z: (k + z) * mpmath.exp(z * z) * mpmath.erfc(z))(k * (1 + t) / (1 - t))

    def near(s):
        return mpmath.erf(mpmath.sqrt(s)) / mpmath.sqrt(s) - 1

    for series in (gaussian.DOUBLES, gaussian.SINGLES):
        k, end = mpmath.mpf(series.k), mpmath.mpf(series.farthest)
        for f, a, b, kept in ((scaled(k), -1, (end - k) / (end + k), series.scaled), (near, 0, 1, series.near)):
            n, a, b = len(kept), mpmath.mpf(a), mpmath.mpf(b)
            nodes = [(a + b) / 2 + (b - a) / 2 * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
            found = mpmath.lu_solve(mpmath.matrix([[t**j for j in range(n)] for t in nodes]), mpmath.matrix([f(t) for t in nodes]))
            assert_allclose([float(c) for c in found], kept, rtol=1e-14)


POINTS = np.concatenate([
    np.random.default_rng(0).normal(size=300) * 2, np.linspace(-38, 38, 301), np.linspace(-2, 2, 201), 10.0 ** -np.arange(0, 30), [0.0],
])  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("f, exact, ulps", [(tg.erf, mpmath.erf, 2), (tg.erfc, mpmath.erfc, 8)], ids=["erf", "erfc"])
def test_erf_and_erfc_are_right_to_the_last_digits_wherever_they_are_normal_numbers(f, exact, ulps, dtype):
    x = POINTS.astype(dtype)
    found = f(x)
    assert found.dtype == dtype
    for v, y in zip(x, found):
        right = exact(mpmath.mpf(float(v)))
        if abs(right) >= np.finfo(dtype).tiny:
            assert abs(mpmath.mpf(float(y)) - right) <= ulps * mpmath.mpf(float(np.spacing(dtype(abs(right))))), v


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("f, exact", [(gaussian.normal_cdf, mpmath.ncdf), (tg.gelu, lambda v: v * mpmath.ncdf(v))], ids=["cdf", "gelu"])
def test_the_normal_distribution_and_gelu_are_right_within_4_plus_x_squared_epsilons(f, exact, dtype):
    x = POINTS.astype(dtype)
    for v, y in zip(x, f(x)):
        right = exact(mpmath.mpf(float(v)))
        if abs(right) >= np.finfo(dtype).tiny:
            assert abs(mpmath.mpf(float(y)) - right) <= (4 + float(v) ** 2) * float(np.finfo(dtype).eps) * abs(right), v


def test_the_slope_of_gelu_keeps_its_digits_in_the_tail():
    x = np.array([-37.0, -20.0, -8.0, -1.0, -1e-3, 1e-18, 0.0, 1e-3, 1.0, 8.0, 37.0, 100.0])
    exact = [float(mpmath.ncdf(float(v)) + float(v) * mpmath.npdf(float(v))) for v in x]
    assert_allclose(gradient_at(tg.gelu, x), exact, rtol=3e-13)
    exact = [float((2 - mpmath.mpf(float(v)) ** 2) * mpmath.npdf(float(v))) for v in x]
    assert_allclose(second_at(lambda t: np.sum(tg.gelu(t)), x, np.ones_like(x)), exact, rtol=3e-13, atol=np.finfo(float).tiny)


@pytest.mark.parametrize("f, values, slopes", [
    (tg.erf, [-1, 1], [0, 0]),
    (tg.erfc, [2, 0], [0, 0]),
    (gaussian.normal_cdf, [0, 1], [0, 0]),
    (gaussian.normal_density, [0, 0], [0, 0]),
    (tg.gelu, [0, np.inf], [0, 1]),
    (lambda x: tg.gelu(x, approximate="tanh"), [0, np.inf], [0, 1]),
], ids=["erf", "erfc", "cdf", "density", "gelu", "tanh gelu"])  # fmt: skip
def test_at_the_infinities_values_and_both_derivatives_are_the_limits_and_nothing_warns(f, values, slopes):
    x = [-np.inf, np.inf]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(f(np.array(x)), values)
        assert_array_equal(f(np.array([-1e300, 1e300]))[:1], values[:1])
    assert_array_equal(gradient_at(f, x), slopes)
    assert_array_equal(second_at(lambda t: np.sum(f(t)), x, [1.0, 1.0]), [0, 0])


def test_gelu_of_more_entries_than_a_block_is_that_of_each():
    x = np.linspace(-3, 3, gaussian.BLOCK // 4 + 5).reshape(-1, 1)[::-1]
    assert_array_equal(tg.gelu(x)[::997], tg.gelu(x[::997].copy()))


def test_the_tanh_form_of_gelu_is_the_published_formula_and_keeps_its_digits_in_the_tail():
    def published(v):
        v = mpmath.mpf(v)
        return v / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (v + mpmath.mpf("0.044715") * v**3)))

    x = np.array([-20.0, -9.0, -3.0, -1.0, -0.1, 0.0, 0.1, 1.0, 3.0, 9.0])
    with mpmath.workdps(400):
        assert_allclose(tg.gelu(x, approximate="tanh"), [float(published(v)) for v in x], rtol=2e-13)
        slopes = [float(mpmath.diff(published, mpmath.mpf(float(v)))) for v in x]
    g = np.linspace(0.5, 1.5, len(x))
    (found,) = gradients(lambda t: tg.gelu(t, approximate="tanh"), [x], g)
    assert_allclose(found, slopes * g, rtol=2e-13)
    assert tg.gelu(x.astype(np.float32), approximate="tanh").dtype == np.float32


def test_another_form_of_gelu_is_refused_by_name():
    with pytest.raises(ValueError, match='gelu: approximate must be "none" or "tanh", not \'exact\''):
        tg.gelu(np.ones(3), approximate="exact")
