"""The calculus of reductions: the laws for every row, every axis and shape, then zeros, ties and nan one by one."""

import warnings
from itertools import combinations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import (
    Case,
    arrays,
    every_case_obeys,
    every_row_has_a_case,
    gradient_at,
    gradients,
    joined,
    leaves_of,
    numbers,
    random_like,
    second_at,
    second_gradients,
    shapes,
    spread,
)
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.rules import reductions

M, V, S = spread(2, 3), spread(4), np.asarray(0.7)
T = spread(2, 1, 3)
HOLES = np.array([[0.4, np.nan, 1.2], [np.nan, 0.9, 0.6]])
FOLDED = [{}, {"axis": 0}, {"axis": -1, "keepdims": True}, {"axis": (0, 1)}, {"axis": ()}]
RUNNING = [getattr(np, name) for name in ("cumulative_sum", "cumulative_prod") if hasattr(np, name)]  # NumPy 2.1
SMOOTH = {np.sum, np.prod, np.mean, np.cumsum, np.cumprod, *RUNNING}


def lse(x, axis=None, keepdims=False):
    return np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))


def softmax(x, axis):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


SOFTMAX = {tg.softmax: softmax, tg.log_softmax: lambda x, axis: np.log(softmax(x, axis))}
REDUCTIONS = [np.sum, np.prod, np.max, np.min, np.mean, np.var, np.std, np.ptp]
NAN_FORMS = [np.nansum, np.nanprod, np.nanmean, np.nanvar, np.nanstd, np.nanmax, np.nanmin]
OWN = {np.sum: np.sum, np.mean: np.mean, np.max: np.max, np.min: np.min, np.prod: np.prod,
       np.var: np.var, np.std: np.std, reductions.logsumexp: lse}  # fmt: skip
PART = np.array([[True, False, True], [True, True, False]])
SIX = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]])
CASES = [
    *(
        Case(f, M, analytic=f in SMOOTH, **kwargs)
        for f in REDUCTIONS
        for kwargs in FOLDED
        if (f, kwargs) not in ((np.var, {"axis": ()}), (np.std, {"axis": ()}))
    ),
    *(Case(f, T, analytic=f in SMOOTH, axis=(-1, 0), keepdims=True) for f in REDUCTIONS),
    *(Case(f, V, analytic=f in SMOOTH) for f in REDUCTIONS),
    *(Case(f, M, axis=1) for f in (np.amax, np.amin)),
    *(Case(f, S, analytic=f in SMOOTH) for f in REDUCTIONS if f is not np.std),
    *(
        Case(f, M, oracle=oracle, analytic=oracle in SMOOTH or oracle is lse, **kwargs)
        for f, oracle in OWN.items()
        for kwargs in FOLDED[:4]
    ),
    *(Case(f, HOLES, **kwargs) for f in NAN_FORMS for kwargs in FOLDED[:4]),
    *(Case(f, HOLES, call=lambda a, f=f: f(a, axis=0)) for f in (np.nancumsum, np.nancumprod)),
    *(Case(f, HOLES) for f in (np.nancumsum, np.nancumprod)),
    *(Case(f, M, where=PART) for f in (np.sum, np.prod, np.mean, np.var)),
    *(Case(f, M, where=PART, axis=1, keepdims=True) for f in (np.sum, np.prod, np.mean, np.var, np.std)),
    *(Case(f, M, where=PART, axis=0, initial=0.6) for f in (np.sum, np.prod, np.max, np.min)),
    *(Case(f, M, initial=1.0) for f in (np.sum, np.prod, np.max, np.min)),
    Case(np.amax, M, axis=1),
    Case(np.amin, M, axis=0),
    Case(np.var, M, ddof=1, axis=1),
    Case(np.std, M, ddof=1, axis=1),
    Case(np.var, M, correction=1, axis=1),
    Case(np.nanvar, HOLES, ddof=0.5, axis=1),
    Case(np.nanstd, HOLES, ddof=0.5, axis=1),
    Case(np.std, spread(3, 2), axis=0),
    *(Case(f, M, analytic=True, **kwargs) for f in (np.cumsum, np.cumprod) for kwargs in ({}, {"axis": 0}, {"axis": -1})),
    *(Case(f, x, analytic=True) for f in (np.cumsum, np.cumprod) for x in (V, S, np.zeros(0), np.ones(1))),
    Case(np.cumsum, M, axis=1, oracle=np.cumsum, analytic=True),
    Case(np.cumprod, M, axis=0, oracle=np.cumprod, analytic=True),
    Case(np.cumprod, spread(7), axis=-1, oracle=np.cumprod, analytic=True),
    *(Case(f, M, axis=axis, include_initial=initial, analytic=True) for f in RUNNING for axis in (0, -1) for initial in (False, True)),
    *(Case(f, V, analytic=True) for f in RUNNING),
    *(
        Case(f.reduce, M, analytic=f in (np.add, np.multiply), **kwargs)
        for f in (np.add, np.multiply, np.maximum, np.minimum, np.logaddexp, np.fmax, np.fmin)
        for kwargs in ({}, {"axis": 1}, {"axis": -1, "keepdims": True})
    ),
    *(Case(f.reduce, M, axis=None) for f in (np.add, np.multiply, np.maximum, np.minimum)),
    *(Case(f.accumulate, M, analytic=True, **kwargs) for f in (np.add, np.multiply) for kwargs in ({}, {"axis": 1})),
    *(
        Case(
            repeat,
            spread(3, 1),
            call=lambda x, repeat=repeat: repeat(x, (2, 3, 4)),
            oracle=lambda x: np.broadcast_to(x, (2, 3, 4)),
            analytic=True,
        )
        for repeat in (reductions.broadcast_to, reductions.repeated)
    ),
    *(Case(f, M, axis=axis, oracle=oracle, analytic=True) for f, oracle in SOFTMAX.items() for axis in (0, -1)),
    *(
        Case(
            f,
            spread(2, 3, seed=31),
            2 * M,
            call=lambda y, x, f=f, axis=axis: f(y, tg.softmax(x, axis), axis),
            oracle=oracle(axis),
            analytic=True,
        )
        for f, oracle in (
            (reductions.centred, lambda axis: lambda y, x: y - np.sum(y * softmax(x, axis), axis, keepdims=True)),
            (reductions.excess, lambda axis: lambda y, x: y - softmax(x, axis) * np.sum(y, axis, keepdims=True)),
        )
        for axis in (0, -1, (0, 1))
    ),
    Case(np.sum, np.zeros((0, 2)), axis=0, analytic=True),
    Case(np.sum, np.zeros((2, 0)), analytic=True),
    Case(np.prod, np.zeros((2, 0)), axis=1, analytic=True),
    Case(np.max, np.zeros((2, 0)), axis=0),
]


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("reductions", CASES)


SHAPES = [(), (0,), (1,), (3,), (0, 2), (2, 0), (1, 3), (2, 3), (2, 1, 3), (2, 0, 2), (3, 2, 2)]


def axes_of(ndim):
    """Return None, each axis from either end, and every set of axes, as tuples."""
    several = [tuple(a - ndim if a % 2 else a for a in axes) for n in range(ndim + 1) for axes in combinations(range(ndim), n)]
    return [None, *range(-ndim, ndim), *several]


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.max, np.min, np.var, np.std, np.ptp, tg.logsumexp], ids=lambda f: f.__name__)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_every_axis_of_every_shape_gives_numpys_value_and_a_gradient_of_the_tensors_shape(f, keepdims):
    oracle = lse if f is tg.logsumexp else f
    rng = np.random.default_rng(0)
    for shape in SHAPES:
        x = rng.choice([0.0, 1.0, -1.0, 0.5, 2.25, -2.5], shape)
        for axis in axes_of(x.ndim):
            (t,) = leaves_of([x])
            try:
                expected = oracle(x, axis=axis, keepdims=keepdims)
            except ValueError:
                with pytest.raises(ValueError):
                    f(t, axis=axis, keepdims=keepdims)
                continue
            out = f(t, axis=axis, keepdims=keepdims)
            assert_allclose(out.data, expected, rtol=1e-13, atol=1e-13, err_msg=f"{shape} {axis}")
            assert (out.shape, out.dtype) == (np.shape(expected), np.asarray(expected).dtype)
            out.backward(random_like(out.data))
            assert (t.grad.shape, t.grad.dtype) == (x.shape, x.dtype)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "var", "std", "cumsum", "cumprod", "ptp", "logsumexp"])
def test_the_method_is_the_function(name):
    function = getattr(np, name, None) or tg.logsumexp
    x = Tensor(M, requires_grad=True)
    for kwargs in ({}, {"axis": 1}):
        assert_array_equal(getattr(x, name)(**kwargs).data, function(Tensor(M), **kwargs).data)
    assert_array_equal(getattr(x, name)(0).data, function(Tensor(M), 0).data)


# Ties
@pytest.mark.parametrize(
    "f", [np.max, np.min, lambda x: x.max(), np.maximum.reduce, np.nanmax, np.nanmin, lambda x: np.max(x, initial=-9.0) * 1.0]
)
def test_ties_share_equally(f):
    assert_allclose(gradient_at(f, [1.0, 1.0, 1.0], cotangent=np.asarray(6.0)), [2, 2, 2], rtol=1e-15)


def test_ties_share_equally_within_each_row():
    assert_array_equal(
        gradient_at(lambda x: np.max(x, axis=1), [[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]], cotangent=np.array([4.0, 8.0])), [[0, 2, 2], [4, 4, 0]]
    )


@given(x=arrays(shape=(2, 3), elements=numbers(0.0, 1.0, np.inf, -np.inf)))
def test_the_shares_of_max_sum_to_the_cotangent(x):
    g = np.array([2.0, -3.0])
    for f in (np.max, np.min):
        (found,) = gradients(lambda t, f=f: f(t, axis=1), [x], g)
        assert_allclose(found.sum(1), g, rtol=1e-15)
        assert np.all((found != 0) == (x == f(x, axis=1, keepdims=True)))


def test_max_of_infinities_and_of_nan():
    assert_array_equal(gradient_at(np.max, [np.inf, 1.0]), [1, 0])
    assert_array_equal(gradient_at(np.min, [-np.inf, -np.inf]), [0.5, 0.5])


def test_max_against_an_initial_value_that_is_larger_has_no_gradient():
    assert_array_equal(gradient_at(lambda x: np.max(x, initial=5.0), [1.0, 2.0]), [0, 0])


def test_ptp_of_a_constant_has_gradient_0():
    assert_allclose(gradient_at(np.ptp, [2.0, 2.0]), [0, 0], atol=1e-16)


# std at a constant
@pytest.mark.parametrize("f", [np.std, lambda x: x.std(), np.nanstd, lambda x: np.std(x, axis=0), lambda x: np.std(x, ddof=1),
                               lambda x: np.std(x, where=np.array([True, True, False]))])  # fmt: skip
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0])
def test_std_of_a_constant_has_gradient_0(f, value):
    assert_array_equal(gradient_at(f, [value] * 3), [0, 0, 0])


def test_std_of_one_entry_has_gradient_0():
    assert_array_equal(gradient_at(np.std, [1.5]), [0])


def test_the_second_derivative_of_var_at_a_constant():
    assert_allclose(second_at(np.var, [2.0, 2.0], [1.0, 0.0]), [0.5, -0.5], rtol=1e-15)


# Products with zeros, at both orders
def others(x, i):
    """Return the product of all entries but those at i, by definition."""
    return np.prod([v for j, v in enumerate(x) if j not in i])


ZEROS = [
    [2.0, 3.0, 5.0],
    [0.0, 3.0, 5.0],
    [2.0, 0.0, 5.0],
    [0.0, 0.0, 5.0],
    [0.0, 3.0, 0.0],
    [0.0, 0.0, 0.0],
    [0.0],
    [-0.0, 2.0],
    [1.0, 2.0, 0.0, 4.0, 0.0],
]


@pytest.mark.parametrize("x", ZEROS)
@pytest.mark.parametrize(
    "f", [np.prod, lambda x: np.cumprod(x)[-1], np.nanprod, np.multiply.reduce, lambda x: np.prod(x.reshape(1, -1), axis=(0, 1))]
)
def test_a_product_is_exact_at_zeros_at_both_orders(f, x):
    n = range(len(x))
    assert_array_equal(gradient_at(f, x), [others(x, (i,)) for i in n])
    for j in n:
        assert_array_equal(second_at(f, x, np.eye(len(x))[j]), [0 if i == j else others(x, (i, j)) for i in n])


@pytest.mark.parametrize("x", ZEROS)
def test_cumprod_is_exact_at_zeros_at_both_orders(x):
    x, n = np.array(x), len(x)
    g, u = random_like(x), random_like(x, 2)
    jacobian = np.array([[others(x[: k + 1], (i,)) if i <= k else 0 for i in range(n)] for k in range(n)])
    second = np.array(
        [sum(g[k] * u[j] * others(x[: k + 1], (i, j)) for k in range(n) for j in range(n) if j != i and max(i, j) <= k) for i in range(n)]
    )
    assert_allclose(gradient_at(np.cumprod, x, cotangent=g), g @ jacobian, rtol=1e-13, atol=1e-14)
    first, (found, in_g) = second_gradients(np.cumprod, [x], g, [u])
    assert_allclose(first[0], g @ jacobian, rtol=1e-13, atol=1e-14)
    assert_allclose(found, second, rtol=1e-12, atol=1e-13)
    assert_allclose(in_g, jacobian @ u, rtol=1e-13, atol=1e-14)


def test_a_product_of_large_and_small_numbers_does_not_overflow_in_the_gradient():
    assert_array_equal(gradient_at(np.prod, [1e-300, 0.0, 1e300]), [0, 1, 0])


# logsumexp
@pytest.mark.parametrize("x, expected", [([-np.inf, 0.0], [0, 1]), ([-np.inf, -np.inf], [0.5, 0.5]), ([1000.0, 1000.0], [0.5, 0.5]),
                                         ([-1000.0, -1000.0], [0.5, 0.5]), ([1000.0, -1000.0], [1, 0]), ([np.inf, 0.0], [1, 0]),
                                         ([1e16, 1e16], [0.5, 0.5]), ([-1e300, -1e300], [0.5, 0.5]), ([3.0], [1])])  # fmt: skip
@pytest.mark.parametrize("f", [tg.logsumexp, lambda x: np.logaddexp.reduce(x), lambda x: tg.logsumexp(x, axis=0)])
def test_the_gradient_of_logsumexp_at_special_values(f, x, expected):
    assert_allclose(gradient_at(f, x), expected, rtol=1e-14)


def test_logsumexp_of_nothing_is_minus_infinity():
    assert tg.logsumexp(Tensor(np.zeros(0))).data == -np.inf
    assert_array_equal(tg.logsumexp(np.zeros((2, 0)), axis=1), [-np.inf, -np.inf])


def test_logsumexp_takes_plain_arrays_and_gives_plain_arrays():
    assert isinstance(tg.logsumexp(np.ones((2, 2)), axis=0), np.ndarray)
    assert_allclose(tg.logsumexp(np.array([1000.0, 1000.0])), 1000 + np.log(2), rtol=1e-15)


# nan- forms
def test_an_entry_that_is_nan_gets_no_gradient():
    x = [1.0, np.nan, 3.0]
    assert_array_equal(gradient_at(np.nansum, x), [1, 0, 1])
    assert_array_equal(gradient_at(np.nanprod, x), [3, 0, 1])
    assert_array_equal(gradient_at(np.nanmean, x), [0.5, 0, 0.5])
    assert_array_equal(gradient_at(np.nanvar, x), [-1, 0, 1])
    assert_array_equal(gradient_at(np.nanstd, x), [-0.5, 0, 0.5])
    assert_array_equal(gradient_at(np.nanmax, x), [0, 0, 1])
    assert_array_equal(gradient_at(np.nanmin, x), [1, 0, 0])


def test_the_nan_forms_of_nothing_but_nan_have_gradient_0():
    for f in (np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nancumsum, np.nancumprod):
        assert_array_equal(joined(gradient_at(f, [np.nan, np.nan])), [0, 0])


def test_an_honest_nan_goes_through_the_plain_forms():
    with np.errstate(invalid="ignore"):
        assert np.isnan(Tensor([1.0, np.nan]).sum().data)
        assert np.isnan(np.max(Tensor([1.0, np.nan])).data)


def test_empty_reductions():
    assert gradient_at(np.sum, np.zeros(0)).shape == (0,)
    assert gradient_at(np.prod, np.zeros((0, 2))).shape == (0, 2)
    with pytest.raises(ValueError):
        np.max(Tensor(np.zeros(0)))


@given(shape=shapes(), dtype=st.sampled_from([np.float32, np.float64]))
def test_the_mean_of_any_shape_keeps_its_dtype(shape, dtype):
    t = Tensor(np.ones(shape, dtype), requires_grad=True)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        out = np.mean(t)
        assert out.dtype == dtype
        out.backward()
    assert t.grad.dtype == dtype
    assert_allclose(t.grad, np.full(shape, 1 / max(t.size, 1), dtype))


def test_integers_are_summed_averaged_and_multiplied_as_numpy_does():
    t = Tensor(np.array([1, 2, 4], np.int32))
    for f in (np.sum, np.mean, np.prod, np.max, np.var, np.std, np.cumsum, np.cumprod, np.nansum):
        out, expected = f(t), f(t.data)
        assert_array_equal(out.data, expected)
        assert out.dtype == expected.dtype


def test_a_mean_of_bool_or_of_half_precision_is_as_numpys():
    for x in (np.array([True, False, True]), np.array([60000, 60000], np.float16)):
        out, expected = np.mean(Tensor(x)), np.mean(x)
        assert out.dtype == expected.dtype
        assert_array_equal(out.data, expected)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.max, np.min, np.std, np.var, np.cumsum, tg.logsumexp, tg.softmax])
def test_an_axis_that_is_not_there_is_numpys_error_with_the_axis_in_it(f):
    with pytest.raises(np.exceptions.AxisError, match="axis 2 is out of bounds for array of dimension 2"):
        f(Tensor(M, requires_grad=True), axis=2)


# Saturated tails, where a share is 1 but for rounding
EXACT = {np.float64: 1e-14, np.float32: 1e-5, np.float16: 4e-3}


@pytest.fixture
def four_hundred_digits():
    with mpmath.workdps(400):
        yield


@pytest.mark.usefixtures("four_hundred_digits")
@pytest.mark.parametrize("axis", [-1, 0, (0, 1)])
@pytest.mark.parametrize("dtype", EXACT)
@pytest.mark.parametrize("lead", [7.0, 30.0, 300.0])
def test_the_gradients_of_a_softmax_that_is_sure_keep_their_digits(lead, dtype, axis):
    lead = {np.float16: min(lead, 7.0), np.float32: min(lead, 30.0)}.get(dtype, lead)
    x = np.array([[lead, 0.5, 0.0]], dtype) if axis != 0 else np.array([[lead], [0.5], [0.0]], dtype)
    g = np.array([1.0, 0.25, -0.5], dtype).reshape(x.shape)
    e = [mpmath.exp(float(v)) for v in x.ravel()]
    s = [v / sum(e) for v in e]
    weights = [mpmath.mpf(float(v)) for v in g.ravel()]
    mean = sum(v * p for v, p in zip(weights, s))
    (found,) = gradients(lambda x: tg.softmax(x, axis), [x], g)
    assert_allclose(found.ravel(), [float(p * (v - mean)) for p, v in zip(s, weights)], rtol=EXACT[dtype])
    first = np.array([1, 0, 0], dtype).reshape(x.shape)
    (found,) = gradients(lambda x: tg.log_softmax(x, axis), [x], first)
    assert_allclose(found.ravel(), [float(s[1] + s[2]), float(-s[1]), float(-s[2])], rtol=EXACT[dtype])


MANY = 70_000  # more than half precision can count
SOME = np.resize(np.array([0.25, 0.5, 0.75, 1.5], np.float16), MANY)


@pytest.mark.parametrize(
    "f, slope",
    [
        (np.mean, lambda x: np.full(x.shape, 1 / MANY)),
        (lambda x: np.mean(x, where=np.arange(MANY) % 7 > 0), lambda x: np.where(np.arange(MANY) % 7 > 0, 1 / 60_000, 0)),
        (np.nanmean, lambda x: np.full(x.shape, 1 / MANY)),
        (np.var, lambda x: 2 * (x - x.mean()) / MANY),
        (
            lambda x: np.var(x, ddof=3, where=np.arange(MANY) > 0),
            lambda x: np.where(np.arange(MANY) > 0, 2 * (x - x[1:].mean()) / (MANY - 4), 0),
        ),
        (np.std, lambda x: (x - x.mean()) / MANY / x.std()),
        (lambda x: np.max(x - SOME), lambda x: np.full(x.shape, 1 / MANY)),
        (lambda x: np.median(x - SOME), lambda x: np.full(x.shape, 1 / MANY)),
        (lambda x: tg.logsumexp(x), lambda x: np.exp(x) / np.exp(x).sum()),
        (lambda x: tg.softmax(x)[:35_000].sum(), lambda x: tg.softmax(x) * ((np.arange(MANY) < 35_000) - tg.softmax(x)[:35_000].sum())),
        (lambda x: tg.log_softmax(x).mean(), lambda x: 1 / MANY - np.exp(x) / np.exp(x).sum()),
    ],
    ids=["mean", "mean(where)", "nanmean", "var", "var(where)", "std", "max", "median", "logsumexp", "softmax", "log_softmax"],
)
def test_half_precision_counts_beyond_its_largest_number(f, slope):
    leaf = Tensor(SOME, requires_grad=True)
    out = f(leaf)
    assert out.dtype == np.float16
    assert_allclose(out.data, f(SOME.astype(float)), rtol=2e-3)
    out.backward(np.float16(-1.75))
    assert_allclose(leaf.grad, -1.75 * slope(SOME.astype(float)), rtol=0.01, atol=2 * np.finfo(np.float16).smallest_subnormal)


def test_the_softmax_of_a_single_number_is_1_and_has_the_derivative_0():
    x = Tensor(0.7, requires_grad=True)
    assert tg.softmax(x).item() == 1
    tg.softmax(x).backward()
    assert x.grad == 0


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_gradient_of_a_softmax_does_not_depend_on_the_order_in_memory(order):
    x = np.array([[9.0, 0.0, -1.0], [0.2, 0.1, 0.3], [0.0, 20.0, 1.0], [-5.0, -6.0, 7.0]])
    g = random_like(x)
    for f in (tg.softmax, tg.log_softmax):
        (found,) = gradients(f, [np.array(x, order=order)], np.array(g, order=order))
        (turned,) = gradients(lambda y, f=f: f(y, axis=0), [x.T.copy()], g.T.copy())
        assert_allclose(found, turned.T, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("f", [np.sum, np.prod, np.max, np.min, np.cumsum, np.cumprod, np.nanmax, tg.logsumexp], ids=lambda f: f.__name__)
@pytest.mark.parametrize("axis", [0, -1])
def test_a_scalar_is_folded_over_its_axis(f, axis):
    x = Tensor(1.5, requires_grad=True)
    out = f(x, axis=axis)
    assert out.shape == np.shape(f(np.asarray(1.5), axis=axis))
    out.backward(np.full(out.shape, 0.75))
    assert x.grad == 0.75
