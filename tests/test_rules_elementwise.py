"""The calculus, entry by entry: the laws for every row, then every kink and special value by itself."""

import warnings
from itertools import product
from math import factorial

import mpmath
import numpy as np
import pytest
from hypothesis import given
from laws import (
    Case,
    arrays,
    complex_step,
    every_case_obeys,
    every_row_has_a_case,
    gradient_at,
    gradients,
    leaves_of,
    name_of,
    numbers,
    random_like,
    second_at,
    spread,
)
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.rules import COMPOSITIONS, NO_DERIVATIVE, RULES, elementwise

X, Y = spread(2, 3), spread(2, 3, low=0.41, high=1.81, seed=5)
COLUMN, ROW = spread(3, 1), spread(4, low=1.8, high=3.0)
SIGNED = np.array([-1.4, -0.8, -0.35, 0.45, 0.9, 1.6])
INSIDE, BEYOND = SIGNED / 2, spread(5, low=1.2, high=3.0)

ANALYTIC = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal, np.square, np.sqrt, np.exp, np.exp2,
    np.expm1, np.log, np.log2, np.log10, np.log1p, np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.sinh, np.cosh,
    np.tanh, np.arcsinh, np.arctanh,
}  # fmt: skip
POINTS = {np.arcsin: INSIDE, np.arccos: INSIDE, np.arctanh: INSIDE, np.arccosh: BEYOND} | dict.fromkeys(
    (np.log, np.log2, np.log10, np.log1p, np.sqrt), X
)
UNARY = [
    np.negative, np.positive, np.reciprocal, np.square, np.sqrt, np.cbrt, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10,
    np.log1p, np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh,
    np.arctanh, np.degrees, np.rad2deg, np.radians, np.deg2rad, np.absolute, np.fabs, np.floor, np.ceil, np.trunc, np.rint,
    np.sign, np.conjugate, np.sinc, np.modf, np.fix, np.nan_to_num, np.round, np.around,
]  # fmt: skip
BINARY = [
    np.add, np.subtract, np.multiply, np.divide, np.remainder, np.fmod, np.power, np.float_power, np.logaddexp, np.logaddexp2,
    np.arctan2, np.hypot, np.copysign, np.maximum, np.minimum, np.fmax, np.fmin, np.floor_divide, np.heaviside, np.divmod,
]  # fmt: skip
NUMPY = tuple(map(int, np.__version__.split(".")[:2]))
HALVES = np.array([0.5, -1.5, 2.5])
CASES = [
    *(Case(f, POINTS.get(f, SIGNED), analytic=f in ANALYTIC) for f in UNARY),
    *(Case(f, np.asarray(0.7 if f is not np.arccosh else 1.7), analytic=f in ANALYTIC) for f in UNARY),
    *(Case(f, X, Y, analytic=f in ANALYTIC) for f in BINARY),
    *(Case(f, COLUMN, ROW, analytic=f in ANALYTIC) for f in BINARY),
    *(Case(f, ROW, np.asarray(0.6), analytic=f in ANALYTIC) for f in BINARY),
    *(Case(f, X, call=lambda x, f=f: f(x, 1.0)) for f in BINARY),
    *(Case(f, X, call=lambda y, f=f: f(1.0, y)) for f in BINARY),
    Case(np.remainder, SIGNED * 2, np.array([0.65, -0.73])[:, None]),
    Case(np.fmod, SIGNED * 2, np.array([0.65, -0.73])[:, None]),
    Case(np.copysign, SIGNED, -SIGNED[::-1] + 0.1),
    Case(np.power, SIGNED, call=lambda x: np.power(x, 3), analytic=True),
    Case(np.power, SIGNED, call=lambda x: np.power(x, 2.0), analytic=True),
    Case(np.power, SIGNED, call=lambda x: np.power(x, -2), analytic=True),
    Case(np.power, SIGNED, call=lambda x: np.power(x, np.array([0, 1, 2, 3, 4, 5]))),
    Case(np.power, SIGNED, call=lambda x: x**2, analytic=True),
    Case(np.where, SIGNED, 2 * SIGNED, call=lambda x, y: np.where(SIGNED > 0, x, y), analytic=True),
    Case(np.where, COLUMN, ROW, call=lambda x, y: np.where(np.arange(8).reshape(2, 1, 4) % 3 == 0, x, y), analytic=True),
    Case(np.where, SIGNED, call=lambda x: np.where(x > 0, x, 0.0)),
    Case(np.ldexp, SIGNED, call=lambda x: np.ldexp(x, np.array([0, 1, -2, 3, 4, 5]))),
    Case(np.nextafter, SIGNED, call=lambda x: np.nextafter(x, 9)),
    Case(np.frexp, SIGNED, call=lambda x: np.frexp(x)[0]),
    *(Case(elementwise.power_of_log, X, Y, n=n, oracle=lambda x, y, n: x**y * np.log(x) ** n, analytic=True) for n in (0, 1, 2)),
    Case(elementwise.cosine, X, -Y, call=lambda x, y: elementwise.cosine(x, y, np.hypot(x, y)), oracle=lambda x, y: x / np.hypot(x, y)),
    Case(elementwise.one_minus_square, SIGNED, oracle=lambda x: 1 - x * x, analytic=True),
    Case(elementwise.sech_squared, SIGNED, call=lambda x: elementwise.sech_squared(np.tanh(x), x), oracle=lambda x: 1 / np.cosh(x) ** 2),
    Case(elementwise.sinc, SIGNED, oracle=np.sinc),
    Case(elementwise.sinc, np.array([0.0, 1e-9, -0.03, 0.0499, 0.0501, -0.07, 1.0, 7.3]), oracle=np.sinc),
    Case(elementwise.clip, SIGNED, call=lambda x: elementwise.clip(x, -0.5, 1.0), oracle=lambda x: np.clip(x, -0.5, 1.0)),
    Case(np.clip, SIGNED, call=lambda x: np.clip(x, -0.5, 1.0)),
    Case(np.clip, SIGNED, a_min=None, a_max=1.0),
    Case(np.clip, SIGNED, a_min=0.1, a_max=None),
    Case(np.clip, SIGNED, np.array(-0.5), np.array([1.0, 0.8, 1.1, 2.0, 0.2, 0.7])),
    *([Case(np.clip, SIGNED, min=-0.5, max=1.0)] if NUMPY >= (2, 1) else []),
    Case(np.nan_to_num, np.array([1.5, np.nan, np.inf, -np.inf])),
    *(Case(f, SIGNED) for f in (np.real, np.imag, np.angle, np.real_if_close)),
    Case(elementwise.of_parts, SIGNED, SIGNED[::-1], call=lambda x, y: np.exp(elementwise.of_parts(x, y)).imag),
    Case(np.round, np.array([-4.21, -2.4, -1.08, 1.3, 2.79]), decimals=1),
    Case(np.exp, np.zeros((0, 3)), analytic=True),
    Case(np.multiply, np.zeros((0, 3)), np.ones((1, 3)), analytic=True),
    Case(np.multiply, np.ones((2, 1)), np.ones((1, 1)), analytic=True),
    Case(np.maximum, np.zeros((0,)), np.asarray(1.0)),
    Case(np.add, X, call=lambda x: np.add.outer(x, x), analytic=True),
    Case(np.multiply, X, Y, call=lambda x, y: np.multiply.outer(x, y), analytic=True),
]


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("elementwise", CASES)


UFUNCS = {f for f in vars(np).values() if isinstance(f, np.ufunc)}


def test_every_ufunc_of_numpy_is_placed_once():
    assert [f for f in UFUNCS if (f in RULES) + (f in COMPOSITIONS) + (f in NO_DERIVATIVE) != 1] == []


@pytest.mark.parametrize("ufunc", sorted(UFUNCS & NO_DERIVATIVE, key=lambda f: f.__name__), ids=lambda f: f.__name__)
def test_a_ufunc_with_no_derivative_gives_a_tensor_without_a_gradient(ufunc):
    integers = not any(t.startswith("d") for t in ufunc.types)
    x = Tensor(np.array([1, 2, 3]) if integers else np.array([1.0, 2.0, 3.0]))
    if ufunc is np.isnat:
        with pytest.raises(TypeError):
            ufunc(x)
        return
    given = (x,) * ufunc.nin
    out = ufunc(*given)
    for part, expected in zip(*((o if isinstance(o, tuple) else (o,)) for o in (out, ufunc(*(t.data for t in given))))):
        assert isinstance(part, Tensor) and part.dtype == expected.dtype and not part.requires_grad
        assert_array_equal(part, expected)


# Broadcasting, by all shapes of a list that fit together, with 0-d, size 1 and empty ones
SHAPES = [(), (0,), (1,), (3,), (1, 3), (2, 1), (2, 3), (0, 3), (2, 0), (1, 1, 1), (2, 1, 3), (2, 2, 1), (2, 2, 3)]


def fit_together(*shapes):
    """Tell whether shapes broadcast."""
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    "f", [np.add, np.multiply, np.divide, np.maximum, np.logaddexp, np.hypot, np.power, np.where, elementwise.clip], ids=name_of
)
def test_a_gradient_has_its_operands_shape_and_sums_over_what_was_repeated(f):
    several = product(SHAPES, repeat=2) if isinstance(f, np.ufunc) else product(SHAPES[1::2], SHAPES[::3], SHAPES[::2])
    for shapes in several:
        if fit_together(*shapes):
            inputs = [spread(*shape, seed=7 * i, low=0.4 + i / 10) for i, shape in enumerate(shapes)]
            if f is np.where:
                condition, *inputs = inputs
                call = lambda x, y, condition=condition: np.where(condition > 1, x, y)
            else:
                call = f
            out = np.asarray(call(*inputs))
            g = random_like(out)
            whole = gradients(call, [np.array(np.broadcast_to(x, out.shape)) for x in inputs], g)
            for x, found, full in zip(inputs, gradients(call, inputs, g), whole):
                lead = out.ndim - x.ndim
                axes = (*range(lead), *(i + lead for i, size in enumerate(x.shape) if size == 1))
                assert found.shape == x.shape, shapes
                expected = full.sum(axes, keepdims=True).reshape(x.shape) if axes else full
                assert_allclose(found, expected, rtol=1e-12, atol=1e-12, err_msg=str(shapes))


# Kinks
@pytest.mark.parametrize(
    "f",
    [
        np.abs,
        np.fabs,
        tg.relu,
        lambda x: np.maximum(x, 0),
        lambda x: np.maximum(0, x),
        lambda x: np.minimum(x, 0),
        lambda x: np.maximum(x, 0.0),
        lambda x: np.maximum(x, np.zeros(1)),
        lambda x: np.maximum(x, Tensor(0.0)),
        lambda x: np.fmax(x, 0),
        lambda x: np.fmin(x, 0),
        lambda x: np.maximum(x, -x),
        lambda x: np.clip(x, 0, None),
        lambda x: np.clip(x, None, 0),
        lambda x: np.clip(x, 0, 1),
        lambda x: np.clip(x, -1, 0),
        lambda x: np.where(x > 0, x, 0),
        lambda x: np.clip(x, 0, None),
        lambda x: np.sqrt(x * x * 0 + 1) * np.abs(x),
    ],
)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_the_gradient_at_the_kink_is_0(f, zero):
    assert_array_equal(gradient_at(f, [zero]), [0.0])


RELUS = [
    tg.relu,
    lambda x: np.maximum(x, 0),
    lambda x: np.clip(x, 0, None),
    lambda x: np.where(x > 0, x, 0),
    lambda x: x.relu(),
    lambda x: x.clip(0),
]


@given(x=arrays(elements=numbers(0.0, -0.0, 1.0, np.inf, -np.inf, 5e-324)))
def test_relu_maximum_clip_and_where_are_one_function_with_one_gradient(x):
    g = random_like(x)
    expected = gradients(RELUS[0], [x], g)[0]
    assert_array_equal(expected, np.where(x > 0, g, 0))
    for f in RELUS[1:]:
        assert_array_equal(f(Tensor(x)).data, np.maximum(x, 0))
        assert_array_equal(gradients(f, [x], g)[0], expected)


@given(x=arrays(elements=numbers(0.0, -0.0, 1.0, np.inf, -np.inf)))
def test_abs_is_the_maximum_of_x_and_minus_x_with_its_gradient(x):
    g = random_like(x)
    expected = gradients(np.abs, [x], g)[0]
    assert_array_equal(expected, g * np.sign(x))
    assert_array_equal(gradients(lambda x: np.maximum(x, -x), [x], g)[0], expected)
    assert_array_equal(gradients(lambda x: np.where(x > 0, x, np.where(x < 0, -x, 0)), [x], g)[0], expected)


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_at_a_tie_with_a_constant_the_gradient_is_0_however_the_call_is_written(f):
    zeros = np.zeros(2)
    for call in (
        lambda x: f(x, 0.0), lambda x: f(0.0, x), lambda x: f(x, zeros), lambda x: f(zeros, x), lambda x: f(x, [0.0, 0.0]),
        lambda x: f(x, Tensor(zeros)), lambda x: f(x, 0.0, dtype=float), lambda x: f(0.0, x, casting="same_kind"),
    ):  # fmt: skip
        assert_array_equal(gradient_at(call, [0.0, 0.0]), 0)


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_a_tie_of_two_tensors_is_shared_equally(f):
    x, y = gradient_at(f, [1.0, 2.0, 3.0], [1.0, 3.0, 2.0], cotangent=np.array([4.0, 8.0, 16.0]))
    larger = f in (np.maximum, np.fmax)
    assert_array_equal(x, [2, 0, 16] if larger else [2, 8, 0])
    assert_array_equal(x + y, [4, 8, 16])


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
@pytest.mark.parametrize("value", [0.0, 1.0, np.inf, -np.inf])
def test_one_tensor_with_itself_gets_the_whole_gradient(f, value):
    assert_array_equal(gradient_at(lambda x: f(x, x), [value]), [1.0])


@pytest.mark.parametrize("f", [np.maximum, np.minimum, np.fmax, np.fmin])
def test_a_tie_with_a_constant_is_0_on_either_side(f):
    assert_array_equal(gradient_at(lambda x: f(x, 1.0), [1.0]), [0])
    assert_array_equal(gradient_at(lambda x: f(1.0, x), [1.0]), [0])
    assert_array_equal(gradient_at(lambda x: f(x, np.array([1.0])), [1.0]), [0])
    assert_array_equal(gradient_at(lambda x: f(np.array([1.0]), x), [1.0]), [0])


def test_fmax_and_fmin_pass_the_gradient_to_what_is_not_nan():
    for f in (np.fmax, np.fmin):
        x, y = gradient_at(f, [np.nan, 1.0], [2.0, np.nan])
        assert_array_equal(x, [0, 1])
        assert_array_equal(y, [1, 0])
        assert_array_equal(gradient_at(lambda x, f=f: f(x, np.nan), [1.0]), [1])


def test_maximum_with_nan_takes_the_nan_and_gives_the_other_nothing():
    _, y = gradient_at(np.maximum, [np.nan], [2.0])
    assert_array_equal(y, [0])


def test_clip_at_a_bound_beyond_it_and_with_crossed_bounds():
    f = lambda x: np.clip(x, 0.0, 1.0)
    assert_array_equal(gradient_at(f, [-0.5, 0.0, 0.5, 1.0, 1.5]), [0, 0, 1, 0, 0])
    x, low, high = gradient_at(np.clip, [-1.0, 0.5, 2.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    assert_array_equal([x, low, high], [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    x, low, high = gradient_at(np.clip, [0.5], [2.0], [1.0])
    assert_array_equal([x, low, high], [[0], [0], [1]])


def test_clip_with_neither_bound_is_the_identity():
    assert_array_equal(gradient_at(lambda x: np.clip(x, None, None), [np.inf, 1.0, -np.inf]), [1, 1, 1])


def test_hypot_at_the_origin_has_gradient_0():
    assert_array_equal(gradient_at(np.hypot, [0.0, 3.0], [0.0, 4.0]), [[0, 0.6], [0, 0.8]])


def test_arctan2_at_the_origin_is_finite_and_exact_elsewhere():
    y, x = gradient_at(np.arctan2, [0.0, 3.0, 0.0], [0.0, 4.0, -2.0])
    assert_allclose([y, x], [[0, 4 / 25, -0.5], [0, -3 / 25, 0]], rtol=1e-15)


@pytest.mark.parametrize("y, expected", [(0, 0), (1, 1), (2, 0), (3, 0), (0.0, 0), (1.0, 1), (2.0, 0), (1.5, 0)])
@pytest.mark.parametrize(
    "way", [lambda x, y: x**y, np.power, np.float_power, lambda x, y: np.power(x, np.array([y])), lambda x, y: np.power(x, Tensor(y))]
)
def test_the_derivative_of_x_to_the_y_at_0_by_x(way, y, expected):
    assert_array_equal(gradient_at(lambda x: way(x, y), [0.0]), [expected])


def test_the_derivative_of_x_to_the_y_at_x_0_by_y_is_0():
    x, y = gradient_at(np.power, [0.0, 0.0, 0.0], [0.0, 1.0, 2.0])
    assert_array_equal(y, [0, 0, 0])
    assert_array_equal(x, [0, 1, 0])


def test_a_root_at_0_has_an_infinite_derivative():
    with np.errstate(divide="ignore"):
        t = Tensor([0.0], requires_grad=True)
        np.power(t, 0.5).backward()
        assert_array_equal(t.grad, [np.inf])


@pytest.mark.parametrize("y, expected", [(1, 1.0), (2, -4.0), (3, 12.0), (-1, -0.25), (2.0, -4.0)])
def test_a_negative_base_with_a_whole_exponent(y, expected):
    assert_allclose(gradient_at(lambda x: x**y, [-2.0]), [expected], rtol=1e-15)
    assert_allclose(gradient_at(lambda x: np.power(x, y), [-2.0]), [expected], rtol=1e-15)


@pytest.mark.parametrize("y, second", [(0, 0), (1, 0), (2, 2), (3, 0), (4, 0)])
def test_the_second_derivative_of_a_whole_power_at_0(y, second):
    assert_array_equal(second_at(lambda x: np.sum(np.power(x, y)), [0.0], [1.0]), [second])
    assert_array_equal(second_at(lambda x: np.sum(x**y), [0.0], [1.0]), [second])


def test_logaddexp_with_minus_infinity():
    x, y = gradient_at(np.logaddexp, [-np.inf, -np.inf, 1.0], [0.0, -np.inf, -np.inf])
    assert_array_equal([x, y], [[0, 0.5, 1], [1, 0.5, 0]])


@pytest.mark.parametrize("f", [np.logaddexp, np.logaddexp2])
def test_logaddexp_far_apart_neither_overflows_nor_warns(f):
    x, y = gradient_at(f, [1000.0, -1000.0, 1000.0], [-1000.0, 1000.0, 1000.0])
    assert_array_equal([x, y], [[1, 0, 0.5], [0, 1, 0.5]])


def test_sinc_at_0_and_near_it_is_accurate_at_both_orders():
    x = np.array([0.0, 1e-300, 1e-8, 1e-3, 0.049, 0.051])
    k = np.arange(1, 12)
    terms = [(-1.0) ** j * np.pi ** (2 * j) / factorial(2 * j + 1) for j in k]
    first = sum(t * 2 * j * x ** (2 * j - 1) for t, j in zip(terms, k))
    second = sum(t * 2 * j * (2 * j - 1) * x ** (2 * j - 2) for t, j in zip(terms, k))
    assert_allclose(gradient_at(np.sinc, x), first, rtol=1e-12, atol=0)
    assert_allclose([second_at(lambda x: np.sum(np.sinc(x)), [v], [1.0])[0] for v in x], second, rtol=1e-9)


def test_copysign_at_0_is_0():
    assert_array_equal(gradient_at(lambda x: np.copysign(x, 1.0), [0.0]), [0])


@pytest.mark.parametrize("f", [np.floor, np.ceil, np.trunc, np.rint, np.sign, np.round, np.fix])
def test_a_step_has_the_derivative_0_at_the_step_and_at_infinity(f):
    assert_array_equal(gradient_at(f, [0.0, 1.0, 0.5, np.inf, -np.inf]), np.zeros(5))


def test_heaviside_at_0_is_its_second_argument():
    x, y = gradient_at(np.heaviside, [0.0, 1.0, -1.0, -0.0], [0.5, 0.5, 0.5, 2.0], cotangent=np.array([3.0, 5.0, 7.0, 9.0]))
    assert_array_equal([x, y], [[0, 0, 0, 0], [3, 0, 0, 9]])


def test_remainder_by_infinity_and_at_a_multiple():
    x, y = gradient_at(np.remainder, [4.0], [2.0])
    assert_array_equal([x, y], [[1], [-2]])


def test_nan_to_num_gives_no_gradient_to_what_it_replaced():
    assert_array_equal(gradient_at(np.nan_to_num, [np.nan, 1.0, np.inf, -np.inf]), [0, 1, 0, 0])


# A branch not taken
BRANCHES = [
    (lambda x: np.where(x > 0, np.log(x), 0.0), [0.0, 2.0], [0, 0.5]),
    (lambda x: np.where(x > 0, np.sqrt(x), 0.0), [0.0, 4.0], [0, 0.25]),
    (lambda x: np.where(x == 0, 1.0, 1 / x), [0.0, 2.0], [0, -0.25]),
    (lambda x: np.where(x == 0, 1.0, np.sin(x) / x), [0.0], [0]),
    (lambda x: np.where(x < 0, x, np.sqrt(np.abs(x))), [-3.0, 4.0, 0.0], None),
    (lambda x: np.where(x > 0, np.log(x) * 3 + 1, x * 2), [-1.0, 0.0, 2.0], [2, 2, 1.5]),
    (lambda x: np.where(x > 0, np.exp(np.log(x)), 0.0), [0.0, -1.0], [0, 0]),
    (lambda x: np.where(np.isnan(x), 0.0, x * x), [np.nan, 3.0], [0, 6]),
    (lambda x: np.maximum(np.log(x), -5.0), [0.0, 1.0], [0, 1]),
    (lambda x: np.minimum(1 / x, 10.0), [0.0, 1.0], [0, -1]),
    (lambda x: tg.relu(np.log(x)), [0.0, 2.0], [0, 0.5]),
    (lambda x: np.sqrt(x)[1:], [0.0, 4.0], [0, 0.25]),
    (lambda x: np.sqrt(x)[x.data > 0], [0.0, 4.0], [0, 0.25]),
    (lambda x: np.sqrt(x)[np.array([1, 1])], [0.0, 4.0], [0, 0.5]),
    (lambda x: np.max(np.log(x)), [0.0, 2.0], [0, 0.5]),
    (lambda x: np.max(np.sqrt(x)), [0.0, 4.0], [0, 0.25]),
    (lambda x: np.min(1 / x), [0.0, 2.0], [0, -0.25]),
    (lambda x: np.sort(np.sqrt(x))[1:], [0.0, 4.0], [0, 0.25]),
    (lambda x: np.take(np.sqrt(x), [1]), [0.0, 4.0], [0, 0.25]),
    (lambda x: np.select([x > 1, x > 0], [np.log(x), np.sqrt(x)], 0.0), [0.0, 0.25, 2.0], [0, 1, 0.5]),
    (lambda x: np.sum(np.log(x), where=x.data > 0), [0.0, 2.0], [0, 0.5]),
    (lambda x: np.nansum(np.sqrt(x)), [-1.0, 4.0], [0, 0.25]),
    (lambda x: np.clip(np.log(x), -1.0, 1.0), [0.0, 1.0], [0, 1]),
    (lambda x: np.split(np.sqrt(x), 2)[1], [0.0, 4.0], [0, 0.25]),
    (lambda x: np.triu(np.sqrt(x).reshape(2, 2)), [1.0, 1.0, 0.0, 4.0], [0.5, 0.5, 0, 0.25]),
    (lambda x: np.sum(np.where(x > 0, np.log(x), 0.0) ** 2), [0.0, np.e], [0, 2 / np.e]),
    (lambda x: np.mean(np.where(x > 0, np.log(x), 0.0).reshape(2, 1) * np.ones(3)), [0.0, 2.0], [0, 0.25]),
]  # fmt: skip


@pytest.mark.parametrize("f, x, expected", BRANCHES)
def test_a_branch_not_taken_has_no_gradient(f, x, expected):
    found = gradient_at(f, x)
    if expected is None:
        assert_array_equal(found[:2], [1, 0.25])
    else:
        assert_allclose(found, expected, rtol=1e-15)


def test_a_branch_not_taken_has_no_gradient_at_order_two():
    for f, x, second in [
        (lambda x: np.sum(np.where(x > 0, np.log(x), 0.0)), [0.0, 2.0], [0, -0.25]),
        (lambda x: np.sum(np.sqrt(x)[1:]), [0.0, 4.0], [0, -1 / 32]),
        (lambda x: np.max(np.log(x)), [0.0, 2.0], [0, -0.25]),
    ]:
        with np.errstate(all="ignore"):
            assert_allclose(second_at(f, x, np.ones(2)), second, rtol=1e-14)


def test_a_value_that_is_used_elsewhere_too_keeps_its_honest_gradient():
    with np.errstate(all="ignore"):
        assert np.isnan(gradients(lambda x: np.sqrt(x) ** 2, [np.zeros(1)], np.ones(1))[0][0])
        (used,) = gradients(lambda x: np.where(x > 0, np.sqrt(x), 0.0) + np.sqrt(x), [np.array([0.0, 4.0])], np.ones(2))
    assert_array_equal(used, [np.inf, 0.5])


def test_a_mask_by_multiplication_is_not_a_choice():
    with np.errstate(all="ignore"):
        assert np.isnan(gradients(lambda x: np.log(x) * (x.data > 0), [np.zeros(1)], np.ones(1))[0][0])


# dtype
@pytest.mark.parametrize(
    "f",
    [
        lambda t: t * 2.0,
        lambda t: 2 / t,
        lambda t: t**2,
        lambda t: t**0.5,
        lambda t: 2.0**t,
        lambda t: np.maximum(t, 0.0),
        lambda t: np.where(t > 0, t, 0.0),
        lambda t: np.clip(t, 0, 1),
        lambda t: np.nan_to_num(t),
        lambda t: t - 1,
        lambda t: np.round(t, 1),
        lambda t: np.hypot(t, 1.0),
        lambda t: t % 0.3,
        lambda t: t.sum() / 3,
    ],
)
def test_a_python_scalar_never_widens(f):
    t = Tensor(np.array([0.5, 1.5], np.float32), requires_grad=True)
    out = f(t)
    out.backward(np.ones(out.shape))
    assert (out.dtype, t.grad.dtype) == (np.float32, np.float32)


def test_mixed_dtypes_give_each_its_own_gradients_dtype():
    x, y = Tensor(np.ones(2, np.float32), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_a_ufunc_s_dtype_is_respected_and_differentiated():
    (x,) = leaves_of([np.array([1.0, 2.0])])
    out = np.multiply(x, 3, dtype=np.float32)
    assert out.dtype == np.float32
    out.backward(np.ones(2))
    assert_array_equal(x.grad, [3, 3])
    assert x.grad.dtype == np.float64


# Large, small and awkward numbers
@pytest.mark.parametrize(
    "f, x, expected",
    [
        (np.arctan, [1e200, -np.inf, 1e-200], [0, 0, 1]),
        (np.arcsinh, [1e200, -1e200, np.inf], [1e-200, 1e-200, 0]),
        (np.arccosh, [1e200, np.inf], [1e-200, 0]),
        (np.hypot, [3e200, 3e-200], [0.6, 0.6]),
        (np.tanh, [1000.0, -np.inf], [0, 0]),
        (np.abs, [np.inf, -np.inf, 5e-324], [1, -1, 1]),
        (np.log, [5e-300, np.inf], [2e299, 0]),
        (np.exp, [-np.inf, -1000.0], [0, 0]),
        (np.expm1, [-np.inf, 0.0], [0, 1]),
        (np.log1p, [1e-300, np.inf], [1, 0]),
        (np.sqrt, [1e-300, np.inf], [5e149, 0]),
    ],
)
def test_the_derivative_at_large_and_small_numbers_is_exact_and_nothing_warns(f, x, expected):
    call = f if f is not np.hypot else lambda x: np.hypot(x, x.data * 4 / 3)
    assert_allclose(gradient_at(call, x), expected, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("size", [1e200, 1e-200, 1.0])
def test_arctan2_of_large_and_small_numbers(size):
    y, x = gradient_at(np.arctan2, [size], [size])
    assert_allclose([y[0], x[0]], [0.5 / size, -0.5 / size], rtol=1e-14)


@pytest.mark.parametrize("f", [np.remainder, np.fmod])
@pytest.mark.parametrize(
    "x, y, quotient", [(1.0, 0.1, 9), (0.3, 0.1, 2), (6.0, 2.0, 3), (0.0, 0.7, 0), (5.5, -2.0, None), (-5.5, 2.0, None)]
)
def test_the_derivative_of_a_remainder_by_its_divisor_is_minus_the_whole_quotient(f, x, y, quotient):
    if quotient is None:
        quotient = -3 if f is np.remainder else -2
    by_x, by_y = gradient_at(f, [x], [y])
    assert_array_equal([by_x, by_y], [[1], [-quotient]])


DOMAINS = {
    np.arcsin: (-0.9, 0.9),
    np.arccos: (-0.9, 0.9),
    np.arctanh: (-0.9, 0.9),
    np.log: (0.05, 4),
    np.log2: (0.05, 4),
    np.log10: (0.05, 4),
    np.log1p: (-0.9, 4),
    np.sqrt: (0.05, 4),
}


@pytest.mark.parametrize("f", sorted((ANALYTIC & set(UNARY)) - {np.reciprocal}, key=name_of), ids=name_of)
def test_an_analytic_function_has_the_derivative_of_the_complex_step_everywhere(f):
    low, high = DOMAINS.get(f, (-5.0, 5.0))
    special = [v for v in (0.0, 5e-324, -5e-324, 1e-8, -1e-8, 1.0, -1.0, 0.5, 3.0) if low <= v <= high]
    x = np.array([*special, *np.linspace(low, high, 1001), *spread(1001, low=low, high=high)])
    assert_allclose(gradients(f, [x], np.ones(x.shape))[0], complex_step(f, x, np.ones(x.shape)), rtol=1e-11, atol=1e-14)


def test_where_with_the_condition_alone_gives_places():
    t = Tensor([0.0, 2.0], requires_grad=True)
    assert_array_equal(np.where(t > 1)[0], [1])
    assert_array_equal(np.where(t)[0], [1])


def test_where_takes_a_tensor_as_condition():
    t, condition = Tensor([1.0, 2.0], requires_grad=True), Tensor([True, False])
    np.where(condition, t, -t).sum().backward()
    assert_array_equal(t.grad, [1, -1])
    u = Tensor([1.0, 0.0], requires_grad=True)
    np.where(u, u, 3.0).sum().backward()
    assert_array_equal(u.grad, [1, 0])


def test_modf_divmod_and_frexp_give_numpys_parts():
    x = np.array([1.5, -2.25])
    for f, args in ((np.modf, ()), (np.divmod, (0.4,))):
        for part, expected in zip(f(Tensor(x, requires_grad=True), *args), f(x, *args)):
            assert_allclose(part.data, expected, rtol=1e-15)
    assert_array_equal(np.frexp(Tensor(x))[1], np.frexp(x)[1])


LIVE = np.array([False, True])
BEHIND = {
    "softmax": lambda x: tg.softmax(x, axis=1),
    "log_softmax": lambda x: tg.log_softmax(x, axis=1),
    "logsumexp": lambda x: tg.logsumexp(x, axis=1),
    "prod": lambda x: np.prod(x, axis=1),
    "cumsum": lambda x: np.cumsum(x, axis=1),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "var": lambda x: np.var(x, axis=1),
    "std": lambda x: np.std(x, axis=1),
    "mean": lambda x: np.mean(x, axis=1),
    "max": lambda x: np.max(x, axis=1),
    "sort": lambda x: np.sort(x, axis=1),
    "matmul": lambda x: x @ np.array([[1.0, 2.0], [3.0, 5.0]]),
    "matrix times vector": lambda x: x @ np.array([1.0, 2.0]),
    "stacked matmul": lambda x: x[:, None, :] @ np.ones((2, 2)),
    "einsum": lambda x: np.einsum("ij,ij->i", x, x),
    "concatenate": lambda x: np.concatenate([x, x], axis=1),
    "stack": lambda x: np.stack([x, x * 2], axis=1),
}


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("inner, start", [(np.sqrt, 0.0), (np.log, 0.0), (lambda x: 1 / x, 0.0), (np.sqrt, -1.0)])
def test_a_row_that_is_not_taken_has_no_gradient_whatever_it_went_through(name, inner, start):
    x = np.array([[start, 1.0], [2.0, 3.0]])
    f = lambda x: BEHIND[name](inner(x))
    alone = gradient_at(f, x[1:])
    shaped = lambda out: LIVE.reshape(2, *[1] * (out.ndim - 1))
    for choose in (lambda out: out[1:], lambda out: out[LIVE], lambda out: np.where(shaped(out), out, 0.0)):
        found = gradient_at(lambda x, choose=choose: choose(f(x)), x)
        assert_array_equal(found[0], [0, 0])
        assert_allclose(found[1:], alone, rtol=1e-13, atol=1e-15)
    assert_array_equal(gradient_at(lambda x: np.where(False, np.sum(f(x)), 0.0) + np.sum(x), x), np.ones((2, 2)))


# Second derivatives at ties, zeros and infinities, wherever there is one
SIGMOID_SLOPE = [[0.25, -0.25], [-0.25, 0.25]]


@pytest.mark.parametrize("f, at, first, second", [
    (np.logaddexp, (0.6, 0.6), [0.5, 0.5], SIGMOID_SLOPE),
    (np.logaddexp, (0.0, -0.0), [0.5, 0.5], SIGMOID_SLOPE),
    (np.logaddexp, (np.inf, np.inf), [0.5, 0.5], None),
    (np.logaddexp, (-np.inf, 1.0), [0.0, 1.0], [[0, 0], [0, 0]]),
    (np.logaddexp, (700.0, 0.0), [1.0, np.exp(-700)], [[np.exp(-700), -np.exp(-700)], [-np.exp(-700), np.exp(-700)]]),
    (np.logaddexp2, (0.6, 0.6), [0.5, 0.5], np.log(2) * np.array(SIGMOID_SLOPE)),
    (np.power, (2.0, 0.0), [0.0, np.log(2)], [[0, 0.5], [0.5, np.log(2) ** 2]]),
    (np.power, (0.0, 2.0), [0.0, 0.0], [[2, 0], [0, 0]]),
    (np.power, (0.0, 3.0), [0.0, 0.0], [[0, 0], [0, 0]]),
    (np.float_power, (4.0, 0.0), [0.0, np.log(4)], [[0, 0.25], [0.25, np.log(4) ** 2]]),
    (np.hypot, (3.0, 4.0), [0.6, 0.8], np.array([[16, -12], [-12, 9]]) / 125),
    (np.hypot, (1e10, 1.0), [1.0, 1e-10], [[1e-30, -1e-20], [-1e-20, 1e-10]]),
    (np.hypot, (np.inf, 1.0), [1.0, 0.0], [[0, 0], [0, 0]]),
    (np.hypot, (1.0, -np.inf), [0.0, -1.0], [[0, 0], [0, 0]]),
    (np.arctan2, (np.inf, 1.0), [0.0, 0.0], [[0, 0], [0, 0]]),
    (np.arctan2, (1.0, 1.0), [0.5, -0.5], [[-0.5, 0], [0, 0.5]]),
])  # fmt: skip
def test_both_derivatives_at_special_points_are_those_of_calculus(f, at, first, second):
    assert_allclose(gradient_at(f, *at), first, rtol=1e-14)
    if second is not None:
        assert_allclose(tg.hessian(lambda v: f(v[0], v[1]))(np.array(at)), second, rtol=1e-13, atol=0)


def test_the_mixed_derivative_of_a_power_at_0_1_is_minus_infinity():
    with np.errstate(all="ignore"):
        mixed = tg.hessian(lambda v: v[0] ** v[1])(np.array([0.0, 1.0]))
    assert mixed[0, 1] == -np.inf
    assert np.isnan(mixed[1, 0]) or mixed[1, 0] == -np.inf


@pytest.mark.parametrize("x", [np.inf, -np.inf, 0.0, np.nan, 3.0])
@pytest.mark.parametrize("zero", [0, 0.0, np.array(0.0), np.array([0.0])], ids=str)
def test_a_power_to_the_constant_0_has_the_derivative_0_everywhere(x, zero):
    assert_array_equal(gradient_at(lambda t: np.power(t, zero), [x]), [0])
    assert_array_equal(second_at(lambda t: np.sum(np.power(t, zero)), [x], [1.0]), [0])


def test_the_first_newton_step_of_logistic_regression_is_right():
    M, y = spread(6, 3, low=-1, high=1), np.array([1, -1, 1, 1, -1, -1.0])
    assert_allclose(tg.hessian(lambda w: np.sum(np.logaddexp(0, -y * (M @ w))))(np.zeros(3)), M.T @ M / 4, rtol=1e-13)


@pytest.mark.parametrize("f, slope", [
    (lambda t: np.clip(t, t, t + 1), 1.0),
    (lambda t: np.clip(t, t - 1, t), 1.0),
    (lambda t: np.clip(t, t, t), 1.0),
    (lambda t: np.clip(2 * t, t + 0.5, 3 * t), 1.5),
    (lambda t: t.clip(t, None) if isinstance(t, Tensor) else t, 1.0),
])  # fmt: skip
def test_where_clip_is_the_identity_along_a_curve_its_derivative_is_the_curves(f, slope):
    assert float(tg.grad(f)(0.5)) == slope


@pytest.mark.parametrize("at", [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.5, 0.0, 1.0), (2.0, 3.0, 1.0), (2.0, 2.0, 1.0)])
def test_the_cotangents_of_clip_with_bounds_that_have_gradients_add_up_to_1(at):
    found = gradient_at(np.clip, *at)
    assert sum(found) == 1
    assert_array_equal(found, gradient_at(lambda x, low, high: np.minimum(np.maximum(x, low), high), *at))


# Far out, near poles and near zeros, where what is left of a difference is small
EXTREME = np.array(
    [-1e10, -700.0, -40.0, -8.0, -1.5, -0.3, -1e-3, -1e-8, 1e-8, 1e-3, 0.049, 0.051, 0.24, 0.26, 0.5, 1.5, 8.0, 40.0, 700.0, 1e10]
)
NEAR_1 = np.concatenate([1 - 10.0 ** -np.arange(1, 16, 2), -1 + 10.0 ** -np.arange(1, 16, 2), [0.5, 1e-3, 1e-8, -1e-30]])
SLOPES = {
    np.tanh: (EXTREME, lambda x: mpmath.sech(x) ** 2, lambda x: -2 * mpmath.tanh(x) * mpmath.sech(x) ** 2),
    np.expm1: (EXTREME[EXTREME < 701], mpmath.exp, mpmath.exp),
    np.log1p: (NEAR_1, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2),
    np.arctanh: (NEAR_1, lambda x: 1 / (1 - x * x), lambda x: 2 * x / (1 - x * x) ** 2),
    np.arcsin: (NEAR_1, lambda x: (1 - x * x) ** -0.5, lambda x: x * (1 - x * x) ** -1.5),
    np.arccos: (NEAR_1, lambda x: -((1 - x * x) ** -0.5), lambda x: -x * (1 - x * x) ** -1.5),
    np.arccosh: (2 - NEAR_1[:8], lambda x: (x * x - 1) ** -0.5, lambda x: -x * (x * x - 1) ** -1.5),
    np.arcsinh: (EXTREME, lambda x: (1 + x * x) ** -0.5, lambda x: -x * (1 + x * x) ** -1.5),
    np.arctan: (EXTREME, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    np.sinc: (
        np.append(EXTREME[5:-4], [1.5, 2.25, -7.75]),
        lambda x: mpmath.cos(mpmath.pi * x) / x - mpmath.sin(mpmath.pi * x) / (mpmath.pi * x * x),
        lambda x: mpmath.diff(mpmath.sincpi, x, 2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("f", SLOPES, ids=lambda f: f.__name__)
def test_both_derivatives_keep_their_digits_at_extreme_arguments(f):
    x, first, second = SLOPES[f]
    with mpmath.workprec(400):
        exact, curved = ([float(d(mpmath.mpf(float(v)))) for v in x] for d in (first, second))
    tiny = np.finfo(float).tiny
    assert_allclose(gradient_at(f, x), exact, rtol=1e-13, atol=tiny)
    assert_allclose(second_at(lambda t: np.sum(f(t)), x, np.ones_like(x)), curved, rtol=1e-13, atol=tiny)


@pytest.mark.parametrize("dtype, far", [(np.float16, 4.5), (np.float32, 40.0), (np.float64, 340.0), (np.longdouble, 5000.0)])
def test_the_derivative_of_tanh_keeps_its_digits_in_every_dtype(dtype, far):
    x = np.array([-far, far, far / 2], dtype)
    with mpmath.workprec(400):
        exact = [dtype(str(mpmath.sech(mpmath.mpf(str(v))) ** 2)) for v in x]
    assert_allclose(gradients(np.tanh, [x], np.ones_like(x))[0], np.array(exact, dtype), rtol=6 * np.finfo(dtype).eps)
    far_out = np.array([-np.inf, np.inf, -dtype(60000), dtype(60000)], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_array_equal(gradients(np.tanh, [far_out], np.ones_like(far_out))[0], [0, 0, 0, 0])
