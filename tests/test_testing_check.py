"""The tester is tested: right rules pass, wrong ones are caught with the right cause, kinks are called kinks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_hw as tg
from tinygrad_hw.errors import GradientError, ShapeError
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.check import WrongGradientError, assert_same_gradients, check_gradients
from tinygrad_hw.testing.numeric import Slope, complex_step, one_sided_slopes
from tinygrad_hw.transforms import grad, primitive

rng = np.random.default_rng(11)
x33, y33, x3, y3 = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)), rng.normal(size=3), rng.normal(size=3)


def wrong(f, *inputs, **options):
    """Return what is said about a wrong gradient."""
    with pytest.raises(WrongGradientError) as caught:
        check_gradients(f, *inputs, **options)
    assert isinstance(caught.value, AssertionError)
    assert caught.value.verdict.verdict == "wrong"
    return str(caught.value)


def wild(x):
    """Return x sin(1/x), which has no derivative at 0, on either side."""
    return np.where(x == 0, 0 * x, x * np.sin(1 / np.where(x == 0, 1, x)))


def square(*rule):
    return primitive(*rule)(lambda x: x * x)


# Numeric derivatives
def test_the_complex_step_is_exact():
    assert complex_step(lambda t: np.exp(1 + t)) == pytest.approx(np.e, rel=1e-15)


@pytest.mark.parametrize(
    ("line", "low", "high"),
    [
        (np.sin, 1.0, 1.0),
        (lambda t: (1 + t) ** 7, 7.0, 7.0),
        (np.abs, -1.0, 1.0),
        (lambda t: np.maximum(t, 3 * t), 1.0, 3.0),
        (np.floor, 0.0, np.inf),
        (np.sqrt, np.inf, np.inf),
        (np.cbrt, np.inf, np.inf),
        (lambda t: 0 * t, 0.0, 0.0),
    ],
)
def test_one_sided_slopes_are_the_two_derivatives(line, low, high):
    with np.errstate(invalid="ignore"):
        slope = one_sided_slopes(line)
    assert (slope.low, slope.high) == pytest.approx((low, high), rel=1e-9, abs=1e-9)
    assert slope.is_kink == (low != high)


def test_a_line_without_a_derivative_has_an_infinite_error():
    assert one_sided_slopes(lambda t: np.nan).error == np.inf
    assert not Slope(1.0, 1.0, 0.0).is_kink


# Right
@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (np.sin, (x33,)),
        (tg.sigmoid, (x3,)),
        (np.multiply, (x33, x3)),
        (np.matmul, (x33, x3)),
        (lambda d: (d["a"] @ d["b"][0], d["b"][1] * 2), ({"a": x33, "b": [y33, 1.5]},)),
        (lambda x: x.reshape(9).cumsum(), (x33,)),
        (lambda x: (np.sum(x), np.argmax(x)), (x3,)),
        (lambda z: z * z * np.conj(z), (np.array([1 + 2j, 0.3]),)),
        (lambda x: x, (np.zeros((0, 2)),)),
        (np.sqrt, (np.array([4.0, 1e-3]),)),
    ],
)
def test_right_gradients_pass_to_order_two(f, inputs):
    assert str(check_gradients(f, *inputs)).startswith("right: ")


def test_float32_inputs_are_checked_in_float64():
    seen = set()

    def f(x):
        seen.add(x.dtype)
        return x * x

    assert check_gradients(f, np.array([1.0, 2.0], np.float32)).verdict == "right"
    assert np.dtype(np.float32) not in seen


@settings(max_examples=20)
@given(st.integers(0, 2**20))
def test_a_small_network_is_right_at_every_seed(seed):
    rng = np.random.default_rng(seed)
    X, W = rng.normal(size=(2, 2)), rng.normal(size=(2, 2))
    assert check_gradients(lambda W: np.sum(tg.softplus(X @ np.tanh(W))), W, seed=seed).verdict == "right"


def test_a_large_input_is_sampled_and_still_checked_along_directions():
    x = rng.normal(size=400)
    assert check_gradients(np.tanh, x, order=1).verdict == "right"
    assert "the gradient of" in wrong(square(lambda g, out, x: np.where(np.arange(400) == 399, 3, 2) * g * x), x, order=1, seed=4)


def hilbert(n):
    return 1.0 / (np.arange(n)[:, None] + np.arange(n) + 1)


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (np.sin, (np.array([1e8, 1e12]),)),
        (lambda x: np.sum(np.cos(x) * x), (np.array([1e8, 1.0]),)),
        (np.multiply, (np.array([1.0]), np.array([1e12]))),
        (np.matmul, (np.array([[1.0, 1e8]]), np.array([1e8, 1.0]))),
        (np.square, (np.array([1e6, 0.2]),)),
        (np.var, (1e8 + x3,)),
        (np.abs, (np.array([1e8, -1e4]),)),
        (np.log, (np.array([1e-8, 1e8]),)),
        (np.divide, (np.array([1e-10, 1e6]), np.array([1e3, 1e-6]))),
        (lambda x: 1e12 + np.sin(x), (x3,)),
        (lambda x: 1e-20 * x, (x3,)),
        (lambda z: np.sum(tg.softmax(z) * 0), (x3,)),
        (np.linalg.inv, (hilbert(6),)),
        (lambda A: np.linalg.solve(A, np.ones(len(A))), (hilbert(5),)),
        (lambda x, places: x[places] * places, (x3, np.array([0, 1, 1]))),
    ],
)
def test_right_gradients_of_every_scale_pass(f, inputs):
    assert check_gradients(f, *inputs, order=1).verdict == "right"


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (lambda z: tg.nn.cross_entropy(z, np.array([0, 1])), (np.array([[40.0, 0.0], [0.0, 40.0]]),)),
        (lambda z: tg.nn.binary_cross_entropy_with_logits(z, np.array([1.0, 0.0])), (np.array([20.0, -20.0]),)),
        (np.linalg.inv, (hilbert(12),)),
        (lambda A: np.linalg.slogdet(A)[1], (hilbert(8),)),
        (np.tanh, (np.array([40.0]),)),
        (np.linalg.norm, (np.array([1e10, 1.0]),)),
        (np.std, (np.array([1e15, 2.0]),)),
    ],
)
def test_what_numbers_cannot_tell_is_not_called_wrong(f, inputs):
    assert check_gradients(f, *inputs, order=1).verdict in ("right", "ill-conditioned")


@pytest.mark.parametrize(
    ("f", "inputs", "entry"),
    [
        (
            primitive(lambda g, o, x, y: g * y, lambda g, o, x, y: g * x * 1.5)(lambda x, y: x * y),
            (np.ones(1), np.full(1, 1e12)),
            "(0,) of input 1",
        ),
        (square(lambda g, out, x: g * np.where(x > 1, 2 * x, 0 * x)), (np.array([1e6, 0.2]),), "(1,) of input 0"),
        (lambda x: square(lambda g, out, x: 3 * g * x)(x) * 1e-8, (x3,), "(0,) of input 0"),
    ],
)
def test_a_wrong_entry_beside_much_larger_ones_is_caught_and_not_called_rounding(f, inputs, entry):
    message = wrong(f, *inputs)
    assert f"entry {entry}" in message
    assert "rounding" not in message


@pytest.mark.parametrize(
    ("f", "what"),
    [
        (lambda x: None, "a NoneType"),
        (lambda x: np.argsort(x), "an array of int64"),
        (lambda x: x > 0, "an array of bool"),
        (lambda x: "text", "a str"),
        (lambda x: [], "a list"),
        (lambda x: {"count": 3, "name": "x"}, "a dict"),
    ],
)
def test_a_function_without_floating_results_is_not_called_right(f, what):
    with pytest.raises(GradientError, match=rf"returned {what} without floating numbers: there is no gradient to check"):
        check_gradients(f, x3)


def test_a_check_of_nothing_is_refused():
    with pytest.raises(GradientError, match=r"was given no floating numbers to differentiate with respect to"):
        check_gradients(lambda n: n * 1.0, np.arange(3))
    with pytest.raises(GradientError, match="was given no floating numbers"):
        check_gradients(lambda: 1.0)
    with pytest.raises(ValueError, match=r"order is 1, 2, \.\.\., not 0"):
        check_gradients(np.sin, x3, order=0)
    noise = np.random.default_rng(0)
    with pytest.raises(GradientError, match="gave another value when it was called again: give it its random numbers as an argument"):
        check_gradients(lambda x: x * noise.normal(), x3)


def test_a_rule_that_writes_into_the_cotangent_is_found():
    def careless(g, out, x):
        g *= 2 * x
        return g

    with pytest.raises(GradientError, match="the rule of 'x' writes into an array that it was given"):
        check_gradients(square(careless), x3)


# Kinks
@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (np.abs, (0.0,)),
        (tg.relu, (np.array([0.0, 1.0]),)),
        (np.maximum, (np.ones(2), np.ones(2))),
        (np.minimum, (1.0, 1.0)),
        (np.max, (np.ones(3),)),
        (np.std, (np.ones(3),)),
        (np.floor, (2.0,)),
        (lambda x: np.clip(x, 0, 1), (np.array([0.0, 1.0]),)),
        (lambda x: np.sort(x), (np.array([1.0, 1.0]),)),
    ],
)
def test_at_a_kink_the_conventions_are_inside_the_one_sided_interval(f, inputs):
    verdict = check_gradients(f, *inputs)
    assert verdict.verdict == "kink"
    assert "numeric between" in str(verdict)


@pytest.mark.parametrize("slope", [-1.0, -0.5, 0.0, 1.0])
def test_at_a_kink_each_value_of_the_interval_is_accepted(slope):
    assert check_gradients(primitive(lambda g, out, x: g * slope)(np.abs), 0.0).verdict == "kink"


@pytest.mark.parametrize("slope", [-1.001, 1.001, 2.0, np.nan])
def test_at_a_kink_a_value_outside_the_interval_is_wrong(slope):
    assert "numeric between" in wrong(primitive(lambda g, out, x: g * slope)(np.abs), 0.0)


@pytest.mark.parametrize(
    ("kinked", "smooth"),
    [
        (lambda x: np.sum(np.abs(x) ** 2), lambda x: np.sum(x**2)),
        (lambda x: np.sum(np.abs(x) * np.abs(x)), lambda x: np.sum(x * x)),
        (lambda x: np.linalg.norm(x) ** 2, lambda x: np.sum(x**2)),
        (lambda x: np.std(x) ** 2, np.var),
    ],
)
def test_a_smooth_function_written_with_a_kink_is_told_from_one_written_without_at_the_second_order(kinked, smooth):
    check_gradients(kinked, np.zeros(2), order=1)
    assert check_gradients(smooth, np.zeros(2)).verdict == "right"
    assert "order 2" in wrong(kinked, np.zeros(2))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x: np.clip(x, 0, 1), [0.0, 1.0, 0.5]),
        (lambda x: np.sum(np.clip(x, 0, 1)), [0.0, 1.0, 0.5]),
        (lambda x: (np.abs(x), -2 * np.abs(x)), [0.0, 1.0, 0.0]),
        (lambda x: 3 * np.abs(x) - np.abs(x) ** 3, [0.0, 1.0]),
        (lambda x: (np.max(x), np.min(x)), [1.0, 1.0, 1.0]),
        (np.sort, [1.0, 1.0, 1.0, 2.0]),
        (np.sort, [1.0] * 5),
        (np.median, [1.0, 1.0, 1.0, 2.0]),
        (tg.relu, [0.0] * 12),
        (np.round, [0.5, 1.2]),
    ],
)
def test_kinks_of_either_curvature_and_several_at_once_are_kinks(f, x, seed):
    assert check_gradients(f, np.array(x), order=1, seed=seed).verdict == "kink"


def test_ties_that_all_get_the_whole_cotangent_are_wrong_though_each_lies_in_its_interval():
    every = primitive(lambda g, out, x: g * (x == out))(lambda x: np.max(x))
    assert "along ones" in wrong(every, np.ones(3))
    first = primitive(lambda g, out, x: g * (np.arange(3) == np.argmax(x)))(lambda x: np.max(x))
    assert check_gradients(first, np.ones(3)).verdict == "kink"


# Ill-conditioned
@pytest.mark.parametrize(("f", "x"), [(np.log, 0.0), (np.sqrt, 0.0), (wild, 0.0)])
def test_where_no_derivative_can_be_told_the_verdict_is_ill_conditioned(f, x):
    assert check_gradients(f, x).verdict == "ill-conditioned"


def test_a_slope_that_rounding_hides_from_all_but_one_side_is_ill_conditioned():
    inverse_of_what_is_nearly_singular = lambda A: np.linalg.solve(A, np.ones(7))
    hilbert = 1 / (np.arange(7)[:, None] + np.arange(7) + 1)
    assert check_gradients(inverse_of_what_is_nearly_singular, hilbert).verdict == "ill-conditioned"


@pytest.mark.parametrize("x", [[1e10, 1.0], [1e10, 1.0, 1e-5], [3e9, -4e9]])
def test_the_norm_of_large_numbers_is_not_wrong_and_twice_its_gradient_is(x):
    assert check_gradients(np.linalg.norm, np.array(x)).verdict != "wrong"
    wrong(primitive(lambda g, out, x: 2 * g * x / out)(np.linalg.norm), np.array(x))


def test_a_cast_to_float32_inside_does_not_hide_the_slope():
    assert check_gradients(lambda x: 2.0 * x.astype(np.float32).astype(float), np.array([1.0, 3.0]), order=1).verdict == "right"


# Wrong, and why
@pytest.mark.parametrize(
    ("f", "inputs", "cause"),
    [
        (square(lambda g, out, x: -2 * g * x), (x33,), "a sign: analytic = -numeric"),
        (square(lambda g, out, x: g * x), (x33,), "a factor: analytic = 0.5 · numeric"),
        (square(lambda g, out, x: 2 * x), (x33,), "an ignored cotangent"),
        (square(lambda g, out, x: 0 * g), (x33,), "no gradient arrives"),
        (lambda x: Tensor(x.data) * 2 + 0 * x, (x33,), "no gradient arrives"),
        (square(lambda g, out, x: (2 * g * x).T), (x33,), "a transpose"),
        (
            primitive(lambda g, out, x, y: g[0] * y)(lambda x, y: np.ones((4, 1)) * x * y),
            (x3, y3),
            "a missing sum over a broadcast axis: only a part of axis 0",
        ),
        (
            primitive(lambda g, out, x, y: np.mean(g, 0) * y)(lambda x, y: np.ones((4, 1)) * x * y),
            (x3, y3),
            "a missing sum over a broadcast axis: the mean over axis 0",
        ),
        (
            primitive(lambda g, out, x, y: g * 2 * x * x, lambda g, out, x, y: g * 2 * x * y)(lambda x, y: x * x * y),
            (x3, y3),
            "swapped arguments: this is the gradient of input 1",
        ),
        (square(lambda g, out, x: 2 * g * x + 1), (x33,), None),
        (square(lambda g, out, z: 2 * g * np.conjugate(z)), (x3 + 1j * y3,), None),
    ],
)
def test_a_wrong_rule_is_caught_with_its_likeliest_cause(f, inputs, cause):
    if cause and cause.startswith("swapped"):
        f = primitive(lambda g, out, x, y: g * x * x, lambda g, out, x, y: g * x * x)(lambda x, y: x * x * y)
    message = wrong(f, *inputs)
    assert (f"likeliest cause: {cause}" in message) if cause else ("likeliest cause" not in message)


def test_the_message_shows_the_first_failing_entry_with_both_values():
    f = primitive(lambda g, out, x: g * np.where(np.arange(3) == 1, 5.0, 1.0))(lambda x: 1.0 * x)
    lines = wrong(lambda p: f(p["W"]), {"W": x3}).splitlines()
    assert lines[1].startswith("  entry (1,) of input 0['W']: analytic ")
    assert "(complex step)" in lines[1]
    assert lines[2] == "  1 of 3 entries of shape (3,) differ"
    analytic, numeric = (float(part.split()[1]) for part in lines[1].split(": ", 1)[1].replace(" (complex step)", "").split(", "))
    assert analytic == pytest.approx(5 * numeric, rel=1e-9)


def test_a_rule_that_is_right_on_arrays_and_wrong_on_tensors_is_caught_at_order_two():
    once = square(lambda g, out, x: g * 2 * (x.detach() if isinstance(x, Tensor) else x))
    assert check_gradients(once, x3, order=1).verdict == "right"
    assert "order 2" in wrong(once, x3)


def test_a_rule_that_is_not_linear_in_the_cotangent_is_caught():
    assert "wrong" in wrong(square(lambda g, out, x: g * g * 2 * x), x3)


def test_a_random_cotangent_catches_what_ones_hide():
    assert "transpose" in wrong(primitive(lambda g, out, x: g.T.copy())(lambda x: 1.0 * x), x33)


# By hand
X, y, tree = rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}


def loss(p):
    return np.sum((X @ p["W"] + p["b"] - y) ** 2) / 2


def by_hand(p):
    delta = X @ p["W"] + p["b"] - y
    return {"W": X.T @ delta, "b": delta.sum(0)}


def test_gradients_by_hand_that_are_right_pass():
    assert_same_gradients(loss, by_hand, tree)
    assert_same_gradients(loss, by_hand(tree), tree)
    assert_same_gradients(lambda x, y: np.sum(x * y), lambda x, y: (y, x), x3, y3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: {"W": -g["W"], "b": g["b"]}, r"entry \(0, 0\) of input 0\['W'\]: by hand (.|\n)*a sign"),
        (lambda g: {"W": g["W"], "b": g["b"] / 5}, r"entry \(0,\) of input 0\['b'\]: (.|\n)*a factor: analytic = 0.2"),
        (lambda g: {"W": g["W"] * [[1], [1], [2]], "b": g["b"]}, r"entry \(2, 0\) of input 0\['W'\](.|\n)*2 of 6 entries of shape"),
    ],
)
def test_gradients_by_hand_that_are_wrong_are_shown_with_their_cause(change, message):
    with pytest.raises(AssertionError, match=message):
        assert_same_gradients(loss, lambda p: change(by_hand(p)), tree)


@pytest.mark.parametrize("digits", [6, 7, 9])
def test_a_small_difference_is_called_rounding(digits):
    with pytest.raises(WrongGradientError, match=rf"likeliest cause: none but rounding: right to {digits} digits \(float32\?\)"):
        assert_same_gradients(lambda x: np.sum(x**2), lambda x: 2 * x * (1 + 2 * 10.0 ** -(digits + 1)), x3, rtol=1e-12)


def test_gradients_by_hand_in_float32_are_called_rounding_and_never_another_cause():
    x = np.linspace(0.1, 1, 5)
    by_hand = (np.cos(x) * x + np.sin(x)).astype(np.float32).astype(float)
    with pytest.raises(WrongGradientError, match=r"cause: none but rounding: right to [78] digits \(float32\?\)"):
        assert_same_gradients(lambda x: np.sum(np.sin(x) * x), by_hand, x)
    assert_same_gradients(lambda x: np.sum(np.sin(x) * x), by_hand, x, rtol=1e-6)
    float32 = primitive(lambda g, out, x: (g * 2 * x).astype(np.float32).astype(float))(lambda x: x * x)
    assert "none but rounding: right to 7 digits" in wrong(float32, np.array([0.1, 0.3]), order=1)


def test_a_wrong_entry_that_is_small_beside_others_is_not_called_rounding():
    with pytest.raises(WrongGradientError, match=r"entry \(1,\)(.|\n)*1 of 2 entries of shape \(2,\) differ$"):
        assert_same_gradients(lambda x: np.sum(x**2), lambda x: 2 * x * np.array([1.0, 1.5]), np.array([1e6, 1e-3]))
    rule = primitive(lambda g, out, x: g * np.array([2e-10, 1e10]))(lambda x: x * np.array([1e-10, 1e10]))
    assert "rounding" not in wrong(rule, np.ones(2))


def test_any_number_is_a_multiple_of_another_so_a_single_entry_has_only_simple_factors():
    sine = primitive(lambda g, out, x: g * np.sin(x))(np.sin)
    assert "factor" not in wrong(sine, 1e8)
    assert "a factor: analytic = 1.5" in wrong(square(lambda g, out, x: 3 * g * x), 2.0)


def test_gradients_by_hand_that_are_computed_in_place_leave_the_inputs_alone():
    with pytest.raises(WrongGradientError, match=r"by hand 3, engine 2(.|\n)*a factor: analytic = 1.5"):
        assert_same_gradients(lambda x: np.sum(x**2), lambda x: x.__imul__(3), np.array([1.0, 2.0]))


def test_gradients_by_hand_with_a_factor_are_told_so():
    with pytest.raises(WrongGradientError, match="likeliest cause: a factor: analytic = 2 · numeric"):
        assert_same_gradients(lambda x: np.sum(x**3), lambda x: 6 * x**2, x3)


def test_equal_infinities_are_the_same_gradient():
    with np.errstate(divide="ignore"):
        assert_same_gradients(lambda x: np.sum(np.sqrt(x)), np.array([0.25, np.inf]), np.array([4.0, 0.0]))
        with pytest.raises(WrongGradientError, match=r"entry \(1,\) of input 0: by hand -inf, engine inf"):
            assert_same_gradients(lambda x: np.sum(np.sqrt(x)), np.array([0.25, -np.inf]), np.array([4.0, 0.0]))


def test_a_wrong_entry_by_hand_beside_a_much_larger_one_is_caught():
    f = lambda x: 1e12 * x[0] + x[1] ** 2
    assert_same_gradients(f, np.array([1e12, 2.0]), np.array([1.0, 1.0]))
    with pytest.raises(WrongGradientError, match=r"entry \(1,\) of input 0: by hand 2\.5, engine 2\n"):
        assert_same_gradients(f, np.array([1e12, 2.5]), np.array([1.0, 1.0]))


def test_gradients_by_hand_that_are_right_but_for_cancellation_pass():
    """At the minimum of a least squares problem all that is left of the gradient is rounding, in another order by hand."""
    A, w = rng.normal(size=(50, 4)), rng.normal(size=4)
    b = A @ w
    assert_same_gradients(lambda w: np.sum((A @ w - b) ** 2) / 2, lambda w: (A.T @ A) @ w - A.T @ b, w)
    assert_same_gradients(lambda x: np.var(x), lambda x: 2 * (x - np.mean(x)) / 3, 1e6 + x3)


def test_gradients_by_hand_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"the gradient by hand must have shape \(3, 2\), not \(2, 3\)"):
        assert_same_gradients(loss, lambda p: {"W": by_hand(p)["W"].T, "b": by_hand(p)["b"]}, tree)
    with pytest.raises(ShapeError, match="must have the structure"):
        assert_same_gradients(loss, lambda p: by_hand(p)["W"], tree)


def test_gradients_that_are_themselves_checked_leave_grad_usable():
    assert grad(lambda x: np.sum(x * x))(x3) == pytest.approx(2 * x3)


# Modules
def small_net():
    return tg.nn.Sequential(
        tg.nn.Linear(3, 2, rng=np.random.default_rng(0)), tg.nn.Tanh(), tg.nn.Linear(2, 1, rng=np.random.default_rng(1))
    )


def test_the_gradients_of_a_module_are_checked_and_it_is_as_it_was():
    net, data = small_net(), rng.normal(size=(4, 3))
    before, leaves = net.state_dict(), [p._node for p in net.parameters()]
    assert check_gradients(lambda net, x: np.mean(net(x) ** 2), net, data).verdict == "right"
    wrong_layer = square(lambda g, out, x: 3 * g * x)
    message = wrong(lambda net: np.sum(wrong_layer(net(data))), net, order=1)
    assert "of input 0['layers.0.weight']" in message
    assert [p._node for p in net.parameters()] == leaves
    for path, value in net.state_dict().items():
        assert np.array_equal(value, before[path])


def test_gradients_by_hand_of_a_module_are_a_dict_by_paths_in_any_order():
    net, data = small_net(), rng.normal(size=(4, 3))

    def by_hand(net):
        (W1, b1), (W2, b2) = ((layer.weight.numpy(), layer.bias.numpy()) for layer in net.layers[::2])
        hidden = np.tanh(data @ W1 + b1)
        delta = 2 * (hidden @ W2 + b2) / len(data)
        before = (delta @ W2.T) * (1 - hidden**2)
        return {
            "layers.2.bias": delta.sum(0),
            "layers.2.weight": hidden.T @ delta,
            "layers.0.weight": data.T @ before,
            "layers.0.bias": before.sum(0),
        }

    loss = lambda net: np.mean(net(data) ** 2)
    assert_same_gradients(loss, by_hand, net)
    with pytest.raises(WrongGradientError, match=r"of input 0\['layers.2.bias'\]: by hand (.|\n)*a factor: analytic = 2"):
        assert_same_gradients(loss, lambda net: by_hand(net) | {"layers.2.bias": 2 * by_hand(net)["layers.2.bias"]}, net)


def test_errors_name_the_function_that_was_given():
    def squares(x):
        return x * x

    with pytest.raises(GradientError, match="squares returned an array of shape"):
        assert_same_gradients(squares, lambda x: 2 * x, x3)


def test_a_rule_that_takes_arrays_alone_is_checked_to_order_1_in_reverse_mode():
    f = tg.primitive(lambda g, out, x: np.asarray(g) * np.cos(np.asarray(x)))(lambda x: np.sin(np.asarray(x)))
    assert "reverse alone" in str(check_gradients(f, np.array([0.3, 1.0]), order=1))
    with pytest.raises(tg.DetachError):
        check_gradients(f, np.array([0.3, 1.0]))
    wrong = tg.primitive(lambda g, out, x: np.asarray(g) * np.sin(np.asarray(x)))(lambda x: np.sin(np.asarray(x)))
    with pytest.raises(WrongGradientError):
        check_gradients(wrong, np.array([0.3, 1.0]), order=1)
