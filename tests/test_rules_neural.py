"""What NumPy lacks: the laws for every row, and stability far out."""

import warnings
from math import erf

import mpmath
import numpy as np
import pytest
from hypothesis import given
from laws import (
    Case,
    arrays,
    every_case_obeys,
    every_row_has_a_case,
    gradient_at,
    gradients,
    numbers,
    random_like,
    second_at,
    second_gradients,
    spread,
)
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.rules import neural

SIGNED = np.array([-1.4, -0.8, -0.35, 0.45, 0.9, 1.6])
M = spread(2, 3, low=-2, high=2)


def softmax(x, axis=-1):
    return np.exp(x) / np.sum(np.exp(x), axis=axis, keepdims=True)


def entropy_of_weights(x, target):
    return -np.sum(target * np.log(softmax(x)), -1)


def entropy_of_classes(x, target):
    return entropy_of_weights(x, np.eye(x.shape[-1], dtype=x.dtype)[target])


def binary_entropy(x, target):
    return target * np.log(1 + np.exp(-x)) + (1 - target) * np.log(1 + np.exp(x))


def cdf(x):
    return np.vectorize(lambda v: (1 + erf(v / 2**0.5)) / 2, otypes=[x.dtype])(x)


ORACLES = {
    tg.sigmoid: lambda x: 1 / (1 + np.exp(-x)),
    tg.log_sigmoid: lambda x: -np.log(1 + np.exp(-x)),
    tg.relu: lambda x: np.where(x > 0, x, 0),
    tg.leaky_relu: lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    tg.softplus: lambda x: np.log(1 + np.exp(x)),
    tg.gelu: lambda x: x * cdf(x),
    tg.softmax: softmax,
    tg.log_softmax: lambda x, axis=-1: np.log(softmax(x, axis)),
}
ANALYTIC = {tg.sigmoid, tg.log_sigmoid, tg.softplus, tg.softmax, tg.log_softmax}
CASES = [
    *(Case(f, SIGNED, oracle=oracle, analytic=f in ANALYTIC) for f, oracle in ORACLES.items()),
    *(Case(f, M, oracle=oracle, analytic=f in ANALYTIC) for f, oracle in ORACLES.items()),
    *(Case(f, np.asarray(0.3), oracle=ORACLES[f], analytic=f in ANALYTIC) for f in ORACLES if f not in (tg.softmax, tg.log_softmax)),
    *(Case(f, np.zeros((0, 2)), oracle=oracle, analytic=f in ANALYTIC) for f, oracle in ORACLES.items()),
    *(Case(f, M, axis=axis, oracle=ORACLES[f], analytic=True) for f in (tg.softmax, tg.log_softmax) for axis in (0, 1, -2)),
    *(Case(f, spread(3, 1), oracle=ORACLES[f], analytic=True) for f in (tg.softmax, tg.log_softmax)),
    Case(tg.leaky_relu, SIGNED, slope=0.2, oracle=ORACLES[tg.leaky_relu]),
    Case(
        tg.gelu,
        SIGNED,
        approximate="tanh",
        oracle=lambda x, approximate: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
        analytic=True,
    ),
    Case(
        neural.logistic_slope,
        SIGNED,
        call=lambda x: neural.logistic_slope(tg.sigmoid(x), x),
        oracle=lambda x: 1 / (2 + np.exp(x) + np.exp(-x)),
        analytic=True,
    ),
    *(
        Case(neural.softmax_cross_entropy, x, target=np.array(classes), oracle=entropy_of_classes, analytic=True)
        for x, classes in ((M, [2, 0]), (M, [1, 1]), (M[0], 2), (np.stack([M, -M]), [[0, 1], [2, 2]]), (np.zeros((0, 2)), np.zeros(0, int)))
    ),
    Case(neural.softmax_cross_entropy, M, spread(2, 3), oracle=entropy_of_weights, analytic=True),
    Case(neural.softmax_cross_entropy, M, target=np.array([[0, 0, 1.0], [0.5, 0.5, 0]]), oracle=entropy_of_weights, analytic=True),
    Case(
        neural.softmax_error,
        M,
        target=np.array([2, 0]),
        oracle=lambda x, target: softmax(x) - np.eye(3, dtype=x.dtype)[target],
        analytic=True,
    ),
    Case(neural.softmax_error, M, spread(2, 3), oracle=lambda x, t: softmax(x) * np.sum(t, -1, keepdims=True) - t, analytic=True),
    Case(neural.sigmoid_cross_entropy, SIGNED, spread(6, low=0, high=1), oracle=binary_entropy, analytic=True),
    Case(neural.sigmoid_cross_entropy, SIGNED, target=np.array([0, 1, 1, 1, 0, 0]), oracle=binary_entropy, analytic=True),
    Case(neural.sigmoid_error, SIGNED, spread(6, low=0, high=1), oracle=lambda x, target: ORACLES[tg.sigmoid](x) - target, analytic=True),
]


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("neural", CASES)


def test_every_public_function_has_a_case():
    assert {getattr(tg, name) for name in neural.__all__} - {case.function for case in CASES} == {tg.logsumexp, tg.erf, tg.erfc}


FAR = np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0])


@pytest.mark.parametrize("f, expected, slope", [
    (tg.sigmoid, [0, np.exp(-40), 0.5, 1, 1], [0, np.exp(-40), 0.25, np.exp(-40), 0]),
    (tg.log_sigmoid, [-1000, -40, -np.log(2), -np.exp(-40), 0], [1, 1, 0.5, np.exp(-40), 0]),
    (tg.softplus, [0, np.exp(-40), np.log(2), 40, 1000], [0, np.exp(-40), 0.5, 1, 1]),
    (tg.relu, [0, 0, 0, 40, 1000], [0, 0, 0, 1, 1]),
    (tg.leaky_relu, [-10, -0.4, 0, 40, 1000], [0.01, 0.01, 0.01, 1, 1]),
    (tg.gelu, [0, 0, 0, 40, 1000], [0, 0, 0.5, 1, 1]),
])  # fmt: skip
def test_far_out_the_values_and_gradients_are_exact_and_nothing_warns(f, expected, slope):
    atol = 1e-300 if f in (tg.sigmoid, tg.softplus, tg.log_sigmoid) else 1e-200
    assert_allclose(f(Tensor(FAR)).data, expected, rtol=1e-14, atol=atol)
    rtol = 1e-14 if f is not tg.sigmoid else 1e-2
    assert_allclose(gradient_at(f, FAR)[:3], slope[:3], rtol=1e-14, atol=1e-200)
    assert_allclose(gradient_at(f, FAR)[4], slope[4], rtol=rtol, atol=1e-200)
    assert_allclose(gradient_at(f, FAR)[3], slope[3], rtol=1e-14, atol=1e-16)


@pytest.mark.parametrize("f", [tg.sigmoid, tg.log_sigmoid, tg.softplus, tg.relu, tg.gelu, tg.leaky_relu])
def test_at_the_infinities_and_for_float32_nothing_warns(f):
    assert not np.isnan(gradient_at(lambda x: f(x)[1:], [0.0, np.inf]))[0]
    narrow = Tensor(FAR.astype(np.float32), requires_grad=True)
    out = f(narrow)
    out.backward(np.ones(5))
    assert out.dtype == narrow.grad.dtype == np.float32
    assert np.isfinite(narrow.grad).all()


@pytest.mark.parametrize("x, expected", [([1000.0, -1000.0], [1, 0]), ([1000.0, 1000.0], [0.5, 0.5]), ([-1000.0, -1000.0], [0.5, 0.5]),
                                         ([-np.inf, 0.0], [0, 1]), ([1e16, 1e16], [0.5, 0.5]), ([-1e300, 0.0], [0, 1])])  # fmt: skip
def test_softmax_far_out(x, expected):
    assert_allclose(tg.softmax(Tensor(x)).data, expected, rtol=1e-14)
    with np.errstate(divide="ignore"):
        logs = np.log(expected)
    found = tg.log_softmax(Tensor(x)).data
    assert_allclose(found[np.isfinite(logs)], logs[np.isfinite(logs)], rtol=1e-14, atol=1e-300)
    s = np.array(expected)
    assert_allclose(gradient_at(tg.softmax, x, cotangent=np.array([1.0, 3.0])), s * (np.array([1.0, 3.0]) - s @ [1.0, 3.0]), rtol=1e-14)
    assert_allclose(gradient_at(tg.log_softmax, x, cotangent=np.array([1.0, 3.0])), np.array([1.0, 3.0]) - 4 * s, rtol=1e-14)


@given(x=arrays(shape=(2, 3), elements=numbers(0.0, 1000.0, -1000.0, 1e16)))
def test_softmax_sums_to_1_and_its_gradient_to_0(x):
    assert_allclose(tg.softmax(Tensor(x)).data.sum(-1), 1, rtol=1e-14)
    (found,) = gradients(tg.softmax, [x], random_like(x))
    assert_allclose(found.sum(-1), 0, atol=1e-14)


def test_relu_at_0_has_first_and_second_derivative_0_and_leaky_relu_its_slope():
    assert_array_equal(gradient_at(tg.relu, [0.0, -0.0]), [0, 0])
    assert_array_equal(second_at(lambda x: np.sum(tg.relu(x)), [0.0], [1.0]), [0])
    assert_array_equal(gradient_at(tg.leaky_relu, [0.0]), [0.01])


@pytest.mark.parametrize("f", list(ORACLES), ids=lambda f: f.__name__)
def test_arrays_give_arrays_lists_and_scalars_work_and_integers_become_floats(f):
    assert not isinstance(f(SIGNED), Tensor)
    assert_allclose(f(SIGNED), ORACLES[f](SIGNED), rtol=1e-14)
    assert_allclose(f([0.5, 1.0]), ORACLES[f](np.array([0.5, 1.0])), rtol=1e-14)
    assert_allclose(f(Tensor(np.array([1, 2]))).data, ORACLES[f](np.array([1.0, 2.0])), rtol=1e-14)


@pytest.mark.parametrize("name", ["sigmoid", "relu", "softplus", "gelu", "log_sigmoid", "leaky_relu", "softmax", "log_softmax"])
def test_the_method_is_the_function(name):
    assert_array_equal(getattr(Tensor(M), name)().data, getattr(tg, name)(M))


def test_gelu_uses_the_exact_normal_distribution_in_the_far_tail():
    assert_allclose(tg.gelu(np.array([-10.0])), [-10 * 7.61985302416052606597e-24], rtol=1e-13)


# Saturated tails and infinite logits
TAILS = np.array([-700.0, -86.0, -40.0, -17.0, -8.5, -1.0, 0.25, 1.0, 8.5, 17.0, 40.0, 86.0, 700.0])
NORMAL = {np.float64: (700, 1e-14), np.float32: (86, 1e-5), np.float16: (9, 4e-3)}


@pytest.fixture
def eight_hundred_digits():
    with mpmath.workdps(800):
        yield


def logistic(x):
    return 1 / (1 + mpmath.exp(-mpmath.mpf(float(x))))


def slope(x):
    return logistic(x) * logistic(-x)


@pytest.mark.usefixtures("eight_hundred_digits")
@pytest.mark.parametrize("dtype", NORMAL)
@pytest.mark.parametrize("f, first, second", [
    (tg.sigmoid, slope, lambda x: slope(x) * (logistic(-x) - logistic(x))),
    (tg.softplus, logistic, slope),
    (tg.log_sigmoid, lambda x: logistic(-x), lambda x: -slope(x)),
    (lambda x: tg.softmax(np.stack([x, 0 * x]), 0)[0], slope, lambda x: slope(x) * (logistic(-x) - logistic(x))),
    (lambda x: tg.log_softmax(np.stack([x, 0 * x]), 0)[0], lambda x: logistic(-x), lambda x: -slope(x)),
    (lambda x: neural.softmax_cross_entropy(np.stack([x, 0 * x], -1), np.zeros(x.shape, int)), lambda x: -logistic(-x), slope),
    (lambda x: neural.softmax_cross_entropy(np.stack([x, 0 * x], -1), np.ones(x.shape, int)), logistic, slope),
    (lambda x: neural.sigmoid_cross_entropy(x, np.ones(x.shape, x.dtype)), lambda x: -logistic(-x), slope),
    (lambda x: neural.sigmoid_cross_entropy(x, np.zeros(x.shape, x.dtype)), logistic, slope),
], ids=["sigmoid", "softplus", "log_sigmoid", "softmax", "log_softmax", "class 0", "class 1", "true", "false"])  # fmt: skip
def test_the_derivatives_keep_their_digits_in_saturated_tails(f, first, second, dtype):
    size, rtol = NORMAL[dtype]
    x = TAILS[np.abs(TAILS) <= size].astype(dtype)
    g = np.linspace(0.5, 1.5, len(x)).astype(dtype)
    (found,) = gradients(f, [x], g)
    assert found.dtype == dtype
    assert_allclose(found, [float(first(v) * float(c)) for v, c in zip(x, g)], rtol=rtol)
    found = second_gradients(f, [x], g, [np.ones_like(x)])[1][0]
    assert_allclose(found, [float(second(v) * float(c)) for v, c in zip(x, g)], rtol=3 * rtol)


@pytest.mark.parametrize("dtype, ulps", [(np.float64, 100), (np.float32, 20)])
@pytest.mark.parametrize("saturated", [0, 1, 20, 200])
def test_the_slope_of_the_logistic_function_keeps_its_digits_however_many_entries_are_saturated(saturated, dtype, ulps):
    x = np.linspace(-6, 3.5, 200).reshape(20, 10).astype(dtype).T  # (not in the usual order of memory)
    x.T.flat[:saturated] = np.linspace(3, 60, saturated)
    (found,) = gradients(tg.sigmoid, [x], np.ones_like(x))
    assert_allclose(found, np.vectorize(lambda v: float(slope(v)))(x), rtol=ulps * np.finfo(dtype).eps)


def test_the_cross_entropy_of_a_confident_sample_keeps_its_digits():
    small = np.log1p(np.exp(-40))
    assert_allclose(neural.softmax_cross_entropy(np.array([[20.0, -20.0]]), np.array([0])), [small], rtol=1e-14)
    assert_allclose(neural.softmax_cross_entropy(np.array([[20.0, -20.0]]), np.array([[1.0, 0.0]])), [small], rtol=1e-14)
    assert_allclose(neural.sigmoid_cross_entropy(np.array([40.0, -40.0]), np.array([1.0, 0.0])), [small, small], rtol=1e-14)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("f, x", [
    (lambda x: neural.sigmoid_cross_entropy(x, np.array([1.0, 0.0])), [np.inf, -np.inf]),
    (lambda x: neural.softmax_cross_entropy(x, np.array([0, 1])), [[np.inf, 0.0], [-np.inf, 0.0]]),
    (lambda x: neural.softmax_cross_entropy(x, np.array([[1.0, 0.0], [0.0, 1.0]])), [[np.inf, 0.0], [-np.inf, 0.0]]),
], ids=["sigmoid", "classes", "weights"])  # fmt: skip
def test_at_infinite_logits_a_right_answer_has_the_loss_0_and_the_gradient_0(f, x, compiled):
    f = tg.compile(f) if compiled else f
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(f(np.array(x)), [0.0, 0.0])
    if not compiled:
        assert_array_equal(gradient_at(f, x), np.zeros_like(x))


def test_at_infinite_logits_a_wrong_answer_has_the_loss_infinity():
    assert_array_equal(neural.sigmoid_cross_entropy(np.array([-np.inf, np.inf]), np.array([1.0, 0.5])), [np.inf, np.inf])
    assert_array_equal(neural.softmax_cross_entropy(np.array([[np.inf, 0.0]]), np.array([1])), [np.inf])


def test_sigmoid_and_its_derivative_are_0_at_minus_infinity():
    assert tg.sigmoid(np.array(-np.inf)) == tg.sigmoid(np.array(-800.0)) == 0
    assert_array_equal(gradient_at(tg.sigmoid, [-np.inf, -800.0]), [0, 0])


def test_the_cross_entropy_of_half_precision_is_that_of_double_rounded():
    x = np.random.default_rng(0).normal(size=(3, 4000)).astype(np.float16)
    classes = np.array([5, 0, 3999])
    for target in (classes, np.eye(4000, dtype=np.float16)[classes]):
        found = neural.softmax_cross_entropy(x, target)
        assert found.dtype == np.float16
        assert_allclose(
            found, neural.softmax_cross_entropy(x.astype(float), target.astype(float) if target.ndim > 1 else target), rtol=1e-3
        )
