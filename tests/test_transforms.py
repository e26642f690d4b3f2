"""Transforms: every derivative agrees with a formula, with numbers, and with itself taken another way."""

import math
import threading
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import transforms
from tinygrad_hw.errors import DetachError, DTypeError, GradientError, ShapeError
from tinygrad_hw.rules import RULES
from tinygrad_hw.tensor import Tensor, no_grad
from tinygrad_hw.transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, primitive, ravel, value_and_grad, vjp

rng = np.random.default_rng(7)
numbers = st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0]), st.floats(-3, 3))
Pair = namedtuple("Pair", "first second")


def network(parameters, X):
    """Return the outputs of a small network with tanh."""
    for W, b in parameters:
        X = np.tanh(X @ W + b)
    return X


def parameters(*sizes):
    return [(rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in pairwise(sizes)]


def complex_step(f, x):
    """Return the gradient of a function of one array by the complex step: exact to the last digits."""
    out = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        z = x.astype(complex)
        z[place] += 1e-30j
        out[place] = f(z).imag / 1e-30
    return out


# grad and value_and_grad
def test_grad_is_the_formulas_gradient():
    x = rng.normal(size=(2, 3))
    assert_allclose(grad(lambda x: np.sum(np.sin(x) * x))(x), np.cos(x) * x + np.sin(x), rtol=1e-14)


def test_grad_agrees_with_the_complex_step_on_a_network():
    X, (W, b) = rng.normal(size=(5, 3)), parameters(3, 4)[0]
    loss = lambda W: np.sum(network([(W, b)], X) ** 2)
    assert_allclose(grad(loss)(W), complex_step(loss, W), rtol=1e-12, atol=1e-14)


@given(numbers)
def test_derivatives_nest_to_any_order(x):
    derivative = f = lambda x: x**5
    for _ in range(4):
        derivative = grad(derivative)
    assert derivative(x) == pytest.approx(120 * x, rel=1e-13, abs=1e-13)
    assert f(x) == x**5


@given(numbers)
def test_a_gradient_inside_a_differentiated_function_keeps_what_it_captured(x):
    """d/dx (x · d/dy(x y)) = d/dx x² = 2x: the inner gradient is a function of the outer x."""
    assert grad(lambda x: x * grad(lambda y: x * y)(2.0))(x) == 2 * x


@given(numbers, numbers)
def test_perturbations_are_not_confused(x, y):
    """The inner gradient is with respect to the inner input alone, though both are the same expression."""
    assert grad(lambda x: grad(lambda y: x * y)(y) * x)(x) == 2 * x
    assert grad(lambda x: x * grad(lambda x: x * x)(x))(x) == 4 * x


def test_a_captured_tensor_that_requires_a_gradient_keeps_the_result_in_its_graph():
    x = Tensor(3.0, requires_grad=True)
    (x * grad(lambda y: x * y)(2.0)).backward()
    assert x.grad == 6.0


def test_a_captured_tensor_that_requires_no_gradient_leaves_arrays_arrays():
    c = Tensor([1.0, 2.0])
    assert type(grad(lambda y: np.sum(c * y))(np.ones(2))) is np.ndarray


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    f = lambda x: np.sum(x**3)
    assert type(grad(f)(np.ones(2))) is np.ndarray
    assert type(grad(f)(1.0)) is np.float64
    plain = grad(f)(Tensor([1.0, 2.0]))
    assert type(plain) is Tensor and not plain.requires_grad
    x = Tensor([1.0, 2.0], requires_grad=True)
    grad(f)(x).sum().backward()
    assert_array_equal(x.grad, [6.0, 12.0])


def test_a_transform_leaves_the_gradients_of_its_inputs_alone():
    x = Tensor([1.0, 2.0], requires_grad=True)
    grad(lambda x: np.sum(x * x))(x)
    hessian(lambda x: np.sum(x * x))(x)
    assert x.grad is None


def test_the_history_of_a_tensor_is_not_swept():
    """A gradient with respect to a result stops at the result: what made it is not even read."""
    seen = []

    @primitive(lambda g, out, x: seen.append(1) or g)
    def watched(x):
        return x.copy()

    x = watched(Tensor([1.0], requires_grad=True))
    assert_array_equal(grad(lambda y: np.sum(y * x))(np.ones(1)).data, [1.0])
    assert_array_equal(grad(lambda y: np.sum(y * y))(x).data, [2.0])
    assert not seen


def test_inside_no_grad_gradients_of_arrays_and_tensors_are_computed_and_not_recorded():
    x = Tensor(3.0, requires_grad=True)
    with no_grad():
        assert grad(lambda y: x * y * y)(2.0) == 12.0
        assert grad(grad(lambda y: y**3))(2.0) == 12.0
        assert not grad(lambda x: x * x)(x).requires_grad


def test_no_grad_inside_the_function_is_obeyed():
    def f(x):
        with no_grad():
            y = x * x
        return x * y

    assert grad(f)(3.0) == 9.0


def test_nested_tuples_lists_and_dicts_keep_their_structure():
    tree = {"w": (np.ones(2), [np.full((2, 1), 2.0)]), "p": Pair(3.0, None)}
    got = grad(lambda t: np.sum(t["w"][0] ** 2) + np.sum(t["w"][1][0] ** 3) + t["p"].first)(tree)
    assert_array_equal(got["w"][0], [2.0, 2.0])
    assert_array_equal(got["w"][1][0], [[12.0], [12.0]])
    assert got["p"] == Pair(1.0, None)
    assert type(got["p"]) is Pair


def test_argnums_picks_arguments_from_both_ends():
    f = lambda x, y, z: x * y**2 * z**3
    assert grad(f, 1)(2.0, 3.0, 1.0) == 12.0
    assert grad(f, -1)(2.0, 3.0, 1.0) == 54.0
    assert grad(f, (2, 0))(2.0, 3.0, 1.0) == (54.0, 9.0)
    with pytest.raises(GradientError, match="called with 1 positional arguments, there is no argument 1"):
        grad(lambda x: x, 1)(1.0)


def product(x, y):
    return x * y * y


@pytest.mark.parametrize("argnums", [(0, 1), [0, 1], range(2), (0, -1), [np.int64(0), 1], np.arange(2)])
def test_argnums_is_any_sequence_of_numbers_from_either_end(argnums):
    assert grad(product, argnums)(2.0, 3.0) == (9.0, 12.0)
    assert_array_equal(np.array(jacobian(product, argnums)(2.0, 3.0)), [9.0, 12.0])
    assert_array_equal(np.array(hessian(product, argnums)(2.0, 3.0)), [[0.0, 6.0], [6.0, 4.0]])


def test_an_argument_asked_for_twice_has_its_gradient_in_both_places():
    assert grad(product, (0, 1, 0, -2))(2.0, 3.0) == (9.0, 12.0, 9.0, 9.0)


@pytest.mark.parametrize("argnums", [True, (0, False), "x", 1.0, None, ("x",)])
def test_argnums_that_are_no_numbers_of_arguments_are_refused(argnums):
    with pytest.raises(GradientError, match="argnums: give the number of an argument, or several in a tuple, not "):
        grad(product, argnums)(2.0, 3.0)


def test_an_aux_is_handed_on_beside_the_value_or_the_gradient():
    f = lambda x: (np.sum(x**2), {"double": 2 * x, "note": "kept", "count": 3})
    (value, aux), gradient = value_and_grad(f, has_aux=True)(np.array([1.0, 2.0]))
    assert value == 5
    assert_array_equal(gradient, [2.0, 4.0])
    assert type(aux["double"]) is np.ndarray and aux["double"].tolist() == [2.0, 4.0]
    assert (aux["note"], aux["count"]) == ("kept", 3)
    assert grad(f, has_aux=True)(np.array([1.0]))[1]["double"] == 2
    with pytest.raises(GradientError, match="with has_aux it must return a pair"):
        grad(lambda x: x, has_aux=True)(1.0)


def test_an_aux_can_be_differentiated_by_an_outer_gradient():
    """g(x) = 2x + x², by the inner gradient and what it hands on: g′(x) = 2 + 2x."""

    def g(x):
        slope, square = grad(lambda y: (y * y, y * y), has_aux=True)(x)
        return slope + square

    assert grad(g)(3.0) == 8.0


# Dicts, modules, one vector
FIRST, SECOND = {"W": np.array([1.0, 2.0]), "b": 3.0}, {"b": 5.0, "W": np.array([10.0, 20.0])}


def by_key(d):
    return np.sum(d["W"] ** 2) * d["b"]


def test_cotangents_tangents_and_directions_are_matched_by_key():
    """For f = Σ W² b: ∇f = (2 W b, Σ W²) and H v = (2 b v_W + 2 W v_b, 2 W·v_W)."""
    W, b, v_W, v_b = *FIRST.values(), SECOND["W"], SECOND["b"]
    assert jvp(by_key, (FIRST,), (SECOND,))[1] == 2 * b * W @ v_W + W @ W * v_b
    product = hvp(by_key, FIRST, SECOND)
    assert_array_equal(product["W"], 2 * b * v_W + 2 * W * v_b)
    assert product["b"] == 2 * W @ v_W
    pulled = vjp(lambda x: {"W": x * W, "b": 7 * x}, 2.0)[1](SECOND)
    assert pulled == W @ v_W + 7 * v_b


def test_a_compiled_function_matches_its_inputs_by_key():
    step = tg.compile(lambda d: d["W"] * 2 + d["b"])
    assert_array_equal(step(FIRST), [5.0, 7.0])
    assert_array_equal(step(SECOND), [25.0, 45.0])
    assert_array_equal(step(FIRST), [5.0, 7.0])


@pytest.mark.parametrize("make", [dict, OrderedDict, lambda d: defaultdict(float, d)])
def test_the_gradient_of_a_mapping_is_of_its_class(make):
    gradient = grad(by_key)(make(FIRST))
    assert type(gradient) is type(make({}))
    assert_array_equal(gradient["W"], [6.0, 12.0])


@pytest.mark.parametrize("thing", ["text", object(), {1.0, 2.0}, [None, "text"]])
def test_what_holds_no_numbers_is_refused_and_named(thing):
    with pytest.raises(DTypeError, match=r"a tensor holds numbers, not .*\(got (str|object|set)\)"):
        grad(lambda x: 1.0)(thing)


def small_net():
    return tg.nn.Sequential(
        tg.nn.Linear(3, 4, rng=np.random.default_rng(0)), tg.nn.Tanh(), tg.nn.Linear(4, 1, rng=np.random.default_rng(1))
    )


def test_the_gradient_of_a_module_is_a_dict_by_the_paths_of_its_parameters():
    net, X = small_net(), rng.normal(size=(5, 3))
    loss = lambda net: np.mean(net(X) ** 2)
    loss(net).backward()
    expected = {path: parameter.grad.copy() for path, parameter in net.named_parameters()}
    gradient = grad(loss)(net)
    assert list(gradient) == list(expected)
    for path in expected:
        assert_allclose(gradient[path].data, expected[path], rtol=1e-14)
        assert_array_equal(dict(net.named_parameters())[path].grad, expected[path])


def test_second_derivatives_of_a_module_are_those_of_its_parameters_as_a_dict():
    net, X = small_net(), rng.normal(size=(5, 3))
    loss = lambda net: np.mean(net(X) ** 2)
    as_dict = lambda p: np.mean((np.tanh(X @ p["layers.0.weight"] + p["layers.0.bias"]) @ p["layers.2.weight"] + p["layers.2.bias"]) ** 2)
    values = {path: parameter.numpy() for path, parameter in net.named_parameters()}
    v = {path: rng.normal(size=value.shape) for path, value in reversed(values.items())}
    with no_grad():
        product = hvp(loss, net, v)
    expected = hvp(as_dict, values, v)
    for path in expected:
        assert_allclose(product[path].data, expected[path], rtol=1e-12, atol=1e-14)
    assert_allclose(jvp(loss, (net,), (v,))[1].data, jvp(as_dict, (values,), (v,))[1], rtol=1e-12)


def test_two_inputs_with_one_parameter_are_refused():
    net = small_net()
    with pytest.raises(GradientError, match="two of the inputs hold the same parameter"):
        grad(lambda a, b: np.sum(a(np.ones((1, 3))) * b(np.ones((1, 3)))), (0, 1))(net, net)


def test_ravel_and_unravel_are_inverse_and_keep_shapes_and_dtypes():
    tree = {"W": np.arange(6.0).reshape(2, 3), "h": np.float32([7, 8]), "z": [np.array([1j]), 2.5], "none": None, "empty": np.zeros((0, 2))}
    vector, unravel = ravel(tree)
    assert vector.shape == (10,) and vector.dtype == complex
    again = unravel(vector.real)
    assert (again["W"].dtype, again["h"].dtype, again["z"][0].dtype) == (float, np.float32, complex)
    assert_array_equal(again["W"], tree["W"])
    assert again["z"][1] == 2.5 and again["none"] is None and again["empty"].shape == (0, 2)
    with pytest.raises(ShapeError, match=r"unravel takes a vector of shape \(10,\), not \(9,\)"):
        unravel(vector[1:])
    with pytest.raises(DTypeError, match="a leaf of int64 cannot be part of a vector"):
        ravel({"n": 3})
    assert ravel({})[0].shape == (0,)


def test_a_function_of_a_tree_is_minimized_as_one_of_a_vector():
    optimize = pytest.importorskip("scipy.optimize")
    start = {"a": np.zeros(2), "b": 4.0}
    vector, unravel = ravel(start)
    f = lambda p: np.sum((p["a"] - np.array([1.0, -2.0])) ** 2) + (p["b"] - 3.0) ** 2
    found = unravel(optimize.minimize(value_and_grad(lambda v: f(unravel(v))), vector, jac=True).x)
    assert_allclose(found["a"], [1.0, -2.0], atol=1e-6)
    assert_allclose(found["b"], 3.0, atol=1e-6)


def test_unravel_does_not_drop_an_imaginary_part():
    vector, unravel = ravel((1.0, np.ones(2)))
    assert unravel(vector + 1j)[1].tolist() == [1 + 1j, 1 + 1j]


def test_keywords_and_integer_arguments_pass_through():
    assert grad(lambda x, n, *, scale: scale * x**n)(2.0, 3, scale=10.0) == 120.0


def test_an_input_without_influence_has_the_gradient_zero():
    x, y = np.ones((2, 3), np.float32), 1.0
    gx, gy = grad(lambda x, y: y * y, (0, 1))(x, y)
    assert_array_equal(gx, np.zeros((2, 3)))
    assert gx.dtype == np.float32 and gy == 2.0
    assert_array_equal(grad(lambda x: 3.0)(x), np.zeros((2, 3)))
    assert grad(lambda x: x)(2.0) == 1.0


def test_value_and_grad_gives_both_and_they_share_no_memory():
    x = np.array([2.0])
    value, gradient = value_and_grad(lambda x: x)(x)
    value[0] = gradient[0] = 7.0
    assert_array_equal(x, [2.0])
    assert_array_equal(grad(lambda x, y: np.sum(x + y), (0, 1))(x, x)[0], [1.0])


@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (1, 1)])
def test_gradients_of_small_and_empty_arrays_have_their_shape(shape):
    x = np.full(shape, 2.0)
    assert np.shape(grad(lambda x: np.sum(x * x))(x)) == shape
    assert jacobian(lambda x: x * x)(x).shape == shape + shape
    assert hessian(lambda x: np.sum(x * x))(x).shape == shape + shape
    assert_array_equal(hvp(lambda x: np.sum(x**3), x, np.ones(shape)), 12 * np.ones(shape))


def test_float32_stays_float32():
    x = np.ones(3, np.float32)
    for result in (grad(lambda x: np.sum(x * x))(x), jacobian(np.sin)(x), hessian(lambda x: np.sum(x**3))(x), jvp(np.sin, (x,), (x,))[1]):
        assert result.dtype == np.float32


def test_at_a_kink_the_gradient_is_the_convention():
    assert grad(tg.relu)(0.0) == 0.0
    assert jvp(np.abs, (0.0,), (1.0,)) == (0.0, 0.0)
    assert grad(lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1)), 0))(0.0) == 0.0


def test_a_branch_not_taken_has_no_gradient_at_any_order():
    f = lambda x: np.where(x > 0, np.sqrt(x), 0.0)
    assert grad(f)(0.0) == 0.0
    assert grad(grad(f))(0.0) == 0.0
    assert jvp(f, (0.0,), (1.0,))[1] == 0.0


def test_complex_inputs_follow_the_convention_of_jax():
    z = 1.0 + 2.0j
    re = primitive(lambda g, out, z: g + 0j)(lambda z: z.real.copy())
    im = primitive(lambda g, out, z: -1j * g)(lambda z: z.imag.copy())
    assert grad(lambda z: re(z) ** 2 + 3 * im(z))(z) == 2.0 - 3.0j
    assert vjp(lambda z: z * z, z)[1](1.0) == 2 * z
    assert jvp(lambda z: z * z, (z,), (1j,))[1] == 2j * z
    assert jvp(np.conjugate, (z,), (1j,))[1] == -1j


# Errors
def test_errors_name_the_function_and_what_would_work():
    def squares(x):
        return x * x

    with pytest.raises(GradientError, match=r"squares returned an array of shape \(3,\): grad needs one number; reduce it \(np.sum\)"):
        grad(squares)(np.ones(3))
    with pytest.raises(GradientError, match=r"squares returned a complex number: grad needs a real one; take np.real"):
        grad(squares)(1j)
    with pytest.raises(DTypeError, match=r"squares cannot be differentiated with respect to int64: give floating numbers \(write 1\.0"):
        grad(squares)(3)
    with pytest.raises(DTypeError, match="respect to bool"):
        jacobian(squares)(np.ones(2, bool))
    for steps in (lambda x: x > 1, lambda x: np.argmax(np.stack([x, x])), lambda x: 3, lambda x: np.floor(x).astype(int)):
        with pytest.raises(GradientError, match=r"returned (bool|int64), which has no derivative: return a floating number"):
            grad(steps)(2.0)
    with pytest.raises(GradientError, match="returned int64, which has no derivative"):
        jacobian(lambda x: np.argsort(x))(np.ones(3))
    with pytest.raises(DTypeError, match="the cotangent of squares's result must be real, not complex128"):
        vjp(squares, 1.0)[1](1j)
    for transform in (grad, jacobian, hessian, lambda f: lambda x: vjp(f, x)):
        with pytest.raises(GradientError, match="returned None, which holds no numbers: is a `return` missing"):
            transform(lambda x: None)(1.0)
    with pytest.raises(DTypeError, match=r"holds numbers, not <U2: .*\(got str\)"):
        grad(lambda x: "no")(1.0)
    with pytest.raises(ShapeError, match=r"the cotangent of squares's result must have shape \(3,\), not \(2,\)"):
        vjp(squares, np.ones(3))[1](np.ones(2))
    with pytest.raises(ShapeError, match=r"must have the structure \*, not \('\*', '\*'\)"):
        vjp(squares, np.ones(3))[1]((np.ones(3), np.ones(3)))
    with pytest.raises(ShapeError, match=r"the tangents of squares must have shape \(3,\), not \(\)"):
        jvp(squares, (np.ones(3),), (1.0,))
    with pytest.raises(ShapeError, match="two tuples of one length"):
        jvp(squares, np.ones(3), np.ones(3))


def test_after_an_error_in_the_function_recording_is_as_before():
    def fails(x):
        raise ZeroDivisionError

    with no_grad():
        with pytest.raises(ZeroDivisionError):
            grad(fails)(1.0)
        assert not (Tensor(1.0, requires_grad=True) * 2).requires_grad


# vjp, jvp
shapes = st.sampled_from([(1,), (3,), (2, 2)])


@given(shapes, st.integers(0, 2**20))
def test_forward_and_reverse_are_adjoint(shape, seed):
    """⟨v, J u⟩ = ⟨Jᵀ v, u⟩ for nested results and several inputs."""
    rng = np.random.default_rng(seed)
    x, y, u, w = (rng.normal(size=shape) for _ in range(4))
    f = lambda x, y: {"a": np.sin(x) * y, "b": (np.sum(x * x), y[..., ::-1] / (1 + x * x))}
    out, tangent = jvp(f, (x, y), (u, w))
    v = transforms.rebuilt(out, [rng.normal(size=np.shape(part)) for part in transforms.leaves(out)])
    gx, gy = vjp(f, x, y)[1](v)
    left = sum(np.sum(a * b) for a, b in zip(transforms.leaves(v), transforms.leaves(tangent)))
    assert left == pytest.approx(np.sum(gx * u) + np.sum(gy * w), rel=1e-11, abs=1e-11)


def test_jvp_is_the_directional_derivative():
    x, t = rng.normal(size=4), rng.normal(size=4)
    f = lambda x: np.exp(x) * np.cumsum(x)
    out, tangent = jvp(f, (x,), (t,))
    assert_array_equal(out, f(x))
    assert_allclose(tangent, f(x + 1e-30j * t).imag / 1e-30, rtol=1e-13)


def test_jvp_can_be_differentiated_in_either_mode():
    f = lambda x: x**4
    assert grad(lambda x: jvp(f, (x,), (1.0,))[1])(2.0) == 48.0
    assert jvp(lambda x: jvp(f, (x,), (1.0,))[1], (2.0,), (1.0,))[1] == 48.0
    assert jvp(grad(f), (2.0,), (1.0,)) == (32.0, 48.0)
    assert grad(lambda t: jvp(f, (2.0,), (t,))[1])(1.0) == 32.0


def test_a_tangent_of_an_integer_result_is_zero():
    assert jvp(lambda x: (x * x, np.argmax(x)), (np.ones(2),), (np.ones(2),))[1][1] == 0.0


def test_a_pullback_can_be_called_again_and_adds_up_repeated_results():
    out, pullback = vjp(lambda x: (x, x, x * x), 3.0)
    assert out == (3.0, 3.0, 9.0)
    assert pullback((1.0, 10.0, 0.0)) == 11.0
    assert pullback((0.0, 0.0, 1.0)) == 6.0


# jacobian, hessian, hvp
def test_jacobian_has_the_shape_of_the_result_and_of_the_argument():
    x = rng.normal(size=3)
    J = jacobian(lambda x: np.outer(x, x))(x)
    expected = np.einsum("ik,j->ijk", np.eye(3), x) + np.einsum("jk,i->ijk", np.eye(3), x)
    assert_allclose(J, expected, rtol=1e-14)


def test_the_jacobian_and_the_hessian_of_a_number_are_numbers():
    assert [type(found) for found in (jacobian(np.sin)(1.0), hessian(np.sin)(1.0))] == [np.float64, np.float64]


def test_jacobian_of_nested_results_and_arguments_is_nested():
    J = jacobian(lambda t: {"s": t[0] * t[1], "d": np.sum(t[0]) - t[1]})((np.ones(2), 3.0))
    assert_array_equal(J["s"][0], 3 * np.eye(2))
    assert_array_equal(J["s"][1], [1.0, 1.0])
    assert_array_equal(J["d"][0], [1.0, 1.0])
    assert J["d"][1] == -1.0


def test_jacobian_makes_one_forward_call_and_one_sweep_for_many_rows():
    calls = {"forward": 0, "backward": 0}

    def count(g, out, x):
        calls["backward"] += 1
        return g

    @primitive(count)
    def counted(x):
        calls["forward"] += 1
        return x.copy()

    jacobian(counted)(np.ones(5))
    assert calls == {"forward": 1, "backward": 1}


def test_the_jacobian_of_a_complex_result_is_complex():
    """The DFT is linear: its Jacobian is its matrix; e^{ix} has the derivative i e^{ix}."""
    matrix, x = np.fft.fft(np.eye(3)), rng.normal(size=3)
    assert_allclose(jacobian(np.fft.fft)(x), matrix, atol=1e-14)
    assert_allclose(jacobian(np.fft.fft)(x + 1j), matrix, atol=1e-14)
    assert_allclose(jacobian(lambda x: np.exp(1j * x))(x), np.diag(1j * np.exp(1j * x)), rtol=1e-14)
    assert_allclose(jacobian(lambda z: z**3)(1 + 2j), 3 * (1 + 2j) ** 2)
    nested = jacobian(lambda d: {"z": d["x"] * 1j, "y": d["x"] ** 2})({"x": 3.0})
    assert nested == {"z": {"x": 1j}, "y": {"x": 6.0}}
    assert jacobian(np.fft.fft)(np.zeros((0, 3))).shape == (0, 3, 0, 3)


def test_the_jacobian_of_a_complex_function_without_a_complex_derivative_is_refused():
    with pytest.raises(GradientError, match=r"a complex number without a complex derivative: take the Jacobian of its np.real and np.imag"):
        jacobian(np.conj)(np.array([1 + 2j]))


def test_hessian_of_a_quadratic_form_is_its_matrix():
    A = rng.normal(size=(3, 3))
    assert_allclose(hessian(lambda x: x @ A @ x)(np.ones(3)), A + A.T, rtol=1e-14)


def test_hessian_of_several_arguments_has_a_block_for_each_pair():
    (xx, xy), (yx, yy) = hessian(lambda x, y: x * x * y, (0, 1))(2.0, 3.0)
    assert (xx, xy, yx, yy) == (6.0, 4.0, 4.0, 0.0)


@given(st.integers(0, 2**20))
def test_hvp_is_the_hessian_times_the_vector_on_a_network(seed):
    rng = np.random.default_rng(seed)
    X, W, V = rng.normal(size=(4, 2)), rng.normal(size=(2, 3)), rng.normal(size=(2, 3))
    loss = lambda W: np.sum(np.square(tg.sigmoid(X @ W))) / 2
    H = hessian(loss)(W)
    assert_allclose(hvp(loss, W, V), np.tensordot(H, V, 2), rtol=1e-10, atol=1e-13)
    assert_allclose(jvp(grad(loss), (W,), (V,))[1], hvp(loss, W, V), rtol=1e-10, atol=1e-13)


def test_hessian_of_a_network_agrees_with_the_complex_step_of_its_gradient():
    X, W = rng.normal(size=(4, 2)), rng.normal(size=(2, 2))
    gradient = lambda W: X.T @ (2 * np.tanh(X @ W) * (1 - np.tanh(X @ W) ** 2))
    H = hessian(lambda W: np.sum(np.tanh(X @ W) ** 2))(W)
    for place in np.ndindex(W.shape):
        step = W.astype(complex)
        step[place] += 1e-30j
        assert_allclose(H[(..., *place)], gradient(step).imag / 1e-30, rtol=1e-11, atol=1e-13)


# checkpoint
def loss_of(block, x, scale):
    """Return a number that depends on an input and on a captured tensor, through a nested result."""
    out = block(x)
    return np.sum(out["a"] ** 2) + scale * np.sum(out["b"])


@given(st.integers(0, 2**20))
def test_checkpoint_changes_no_gradient_of_any_order(seed):
    rng = np.random.default_rng(seed)
    x, c = rng.normal(size=3), Tensor(rng.normal(), requires_grad=True)
    block = lambda x: {"a": np.tanh(c * x), "b": x * np.sum(x) * c, "n": 3}
    loss, again = (lambda x, b=b: loss_of(b, x, c) for b in (block, checkpoint(block)))
    assert_allclose(grad(again)(x).data, grad(loss)(x).data, rtol=1e-13)
    assert_allclose(hessian(again)(x).data, hessian(loss)(x).data, rtol=1e-11, atol=1e-13)
    assert_allclose(jvp(again, (x,), (x,))[1].data, jvp(loss, (x,), (x,))[1].data, rtol=1e-12, atol=1e-13)
    got = []
    for f in (loss, again):
        c.grad = None
        f(Tensor(x, requires_grad=True)).backward()
        got.append(c.grad)
    assert_allclose(*got, rtol=1e-13)


def test_checkpoint_uses_at_most_half_the_memory_for_one_more_forward_call():
    forward_calls = []

    def block(x, weights):
        forward_calls.append(1)
        for W in weights:
            x = np.tanh(x @ W)
        return x

    weights = [rng.normal(size=(16, 16)) / 4 for _ in range(36)]
    X = rng.normal(size=(1000, 16))

    def peak(block):
        def loss(weights):
            x = X
            for i in range(0, 36, 6):
                x = block(x, weights[i : i + 6])
            return np.sum(x * x)

        forward_calls.clear()
        tracemalloc.start()
        result = grad(loss)(weights)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result, used, len(forward_calls)

    (plain, much, once), (again, little, twice) = peak(block), peak(checkpoint(block))
    for a, b in zip(plain, again):
        assert_allclose(a, b, rtol=1e-13)
    assert little < much / 2
    assert (once, twice) == (6, 12)


def test_checkpoint_refuses_a_function_that_computes_something_else_the_second_time():
    noise = iter(range(10))
    noisy = checkpoint(lambda x: x * next(noise))
    with pytest.raises(GradientError, match=r"the second forward call gave another result.*draw random numbers outside"):
        grad(noisy)(1.0)


def test_checkpoint_refuses_a_parameter_that_changed_between_forward_and_backward():
    w, x = Tensor(2.0, requires_grad=True, name="w"), Tensor(3.0, requires_grad=True)
    out = checkpoint(lambda x: x * w)(x)
    w.data[...] = 5.0
    with pytest.raises(GradientError, match="w that it used has changed since the forward call"):
        out.backward()
    assert x.grad is None and w.grad is None


def test_checkpoint_does_not_see_later_writes_to_its_arguments():
    data, x = np.array([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    out = checkpoint(lambda x, data: np.sum(x * data))(x, data)
    data[...] = 0
    out.backward()
    assert_array_equal(x.grad, [1.0, 2.0])


def test_a_checkpointed_function_may_write_to_its_own_arrays():
    def f(x, scale):
        scale *= 2
        return np.sum(x * scale)

    scale = np.array([1.0, 2.0])
    assert_array_equal(grad(lambda x: checkpoint(f)(x, scale))(np.ones(2)), [2.0, 4.0])
    assert_array_equal(scale, [1.0, 2.0])


def test_a_write_after_a_checkpoint_changes_no_gradient():
    x, scale = Tensor(np.array([1.0, 2.0]), requires_grad=True), Tensor([3.0, 4.0])
    y = x * 2
    out = checkpoint(lambda y, scale: np.sum(y * y * scale))(y, scale)
    y[0] = 7.0
    scale[...] = 0.0
    out.backward()
    assert_array_equal(x.grad, [2 * 4 * 1.0 * 3, 2 * 4 * 2.0 * 4])


def test_two_sweeps_at_once_over_a_checkpoint_do_not_mix_their_cotangents():
    n, found = 40, [None, None]
    x, y = Tensor(np.ones(2), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    out = checkpoint(lambda: np.sum(x * y))()

    def sweeps(k):
        found[k] = {float(transforms.sweep({out._node: np.float64(k + 1)})[x._node][0]) for _ in range(n)}

    threads = [threading.Thread(target=sweeps, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{1.0}, {2.0}]


def test_checkpoint_of_plain_arrays_and_inside_no_grad_is_the_function():
    double = checkpoint(lambda x: x * 2)
    assert double(3.0) == 6.0
    with no_grad():
        assert not double(Tensor(3.0, requires_grad=True)).requires_grad


def test_checkpoint_keeps_the_dtype_of_each_result():
    both = checkpoint(lambda x, y: (x * x, y * y))
    x, y = Tensor([1.0], requires_grad=True, dtype=np.float32), Tensor([[2.0]], requires_grad=True)
    a, b = both(x, y)
    assert (a.dtype, b.dtype, a.shape, b.shape) == (np.float32, np.float64, (1,), (1, 1))
    (a.sum() + b.sum()).backward()
    assert x.grad.dtype == np.float32 and x.grad == 2.0 and y.grad == 4.0


# primitive
def test_a_primitive_uses_its_own_rule_to_any_order():
    @primitive(lambda g, out, x: g * 100 * x)
    def halved(x):
        return x / 2

    assert grad(halved)(3.0) == 300.0
    assert grad(grad(halved))(3.0) == 100.0
    assert jvp(halved, (3.0,), (1.0,)) == (1.5, 300.0)
    assert halved(3.0) == 1.5


def test_a_primitive_sees_arrays_and_takes_options_and_keywords():
    @primitive(lambda g, out, x, y, power=1: g * power * x ** (power - 1) * y, lambda g, out, x, y, power=1: g * x**power)
    def scaled(x, y, power=1):
        assert not isinstance(x, Tensor) and not isinstance(y, Tensor)
        return x**power * y

    x, y = Tensor(3.0, requires_grad=True), Tensor(2.0, requires_grad=True)
    scaled(x, y=y, power=2).backward()
    assert (x.grad, y.grad) == (12.0, 9.0)


def test_a_rule_that_leaves_the_graph_serves_the_first_order_and_says_so_at_the_second():
    @primitive(lambda g, out, x: g * math.exp(x))
    def exponential(x):
        return np.exp(x)

    assert grad(exponential)(0.0) == 1.0
    with pytest.raises(DetachError, match="would leave the graph"):
        grad(grad(exponential))(0.0)


@pytest.mark.parametrize(
    ("vjp_of_x", "error", "message"),
    [
        (lambda g, out, x: np.sum(g), ShapeError, r"primitive same: the rule of 'x' returned shape \(\), but .* shape \(2, 3\)$"),
        (lambda g, out, x: g.T, ShapeError, r"returned shape \(3, 2\), but a cotangent has its argument's shape \(2, 3\): transpose it"),
        (lambda g, out, x: g[None], ShapeError, "sum it over the axes along which the argument was repeated"),
        (lambda g, out, x: g.astype(np.float32), DTypeError, "the rule of 'x' returned float32, but .* dtype float64"),
        (lambda g, out, x: None, ShapeError, "the rule of 'x' returned shape"),
    ],
)
def test_a_rule_that_returns_a_wrong_shape_or_dtype_is_caught_by_name(vjp_of_x, error, message):
    @primitive(vjp_of_x)
    def same(x):
        return x.copy()

    x = Tensor(np.ones((2, 3)), requires_grad=True)
    with pytest.raises(error, match=message):
        same(x).sum().backward()
    assert x.grad is None


def test_a_primitive_with_too_many_rules_or_a_result_that_is_no_array_is_refused():
    with pytest.raises(GradientError, match="primitive twice: it has the arguments x, and 2 rules"):

        @primitive(None, None)
        def twice(x):
            return x

    @primitive(lambda g, out, x: g)
    def text(x):
        return "no"

    with pytest.raises(GradientError, match="primitive text: it must return an array of numbers, not str"):
        text(Tensor(1.0, requires_grad=True))


def test_a_primitive_leaves_the_table_with_its_last_name_and_graphs_keep_its_rule():
    def cubed(x):
        return primitive(lambda g, out, x: g * 3 * x**2)(lambda x: x**3)(x)

    before = len(RULES)
    x = Tensor(2.0, requires_grad=True)
    y = cubed(x)
    assert len(RULES) == before
    y.backward()
    assert x.grad == 12.0
    assert grad(grad(cubed))(2.0) == 12.0
    assert tg.compile(grad(cubed))(2.0) == tg.compile(grad(cubed), backend="numpy")(2.0) == 12.0
    assert_array_equal(tg.vmap(grad(cubed))(np.array([1.0, 2.0])), [3.0, 12.0])
    assert len(RULES) == before


def test_a_primitive_may_call_a_module_whose_parameters_it_is_given_and_not_one_that_it_holds():
    net = tg.nn.Linear(2, 1, rng=0)

    @primitive(lambda g, out, w: np.array([[3.0], [4.0]]) * g)
    def called(w):
        return tg.nn.functional_call(net, {"weight": w, "bias": np.zeros(1)}, np.array([3.0, 4.0]))

    assert_array_equal(grad(lambda w: called(w).sum())(np.ones((2, 1))), [[3.0], [4.0]])

    @primitive(lambda g, out, x: g)
    def held(x):
        return net(x)

    with pytest.raises(GradientError, match="primitive held: it must return an array of numbers, not Tensor"):
        held(Tensor(np.ones(2), requires_grad=True))


def writes_to_g(g, out, x):
    g *= 2
    return g * x


def writes_to_x(g, out, x):
    x *= 0
    return g * 2


def writes_to_out(g, out, x):
    np.multiply(out, 0, out=out)
    return g * 2


@pytest.mark.parametrize("rule", [writes_to_g, writes_to_x, writes_to_out])
def test_a_rule_that_writes_into_what_it_was_given_is_refused(rule):
    own = primitive(rule)(lambda x: 2 * x)
    with pytest.raises(
        GradientError, match="primitive <lambda>: the rule of 'x' writes into an array that it was given: compute a new one"
    ):
        grad(lambda x: np.sum((lambda u: own(u) + u)(x * 1)))(np.array([1.0, 0.2]))


def test_a_primitive_that_writes_into_its_argument_is_refused():
    @primitive(lambda g, out, x: g)
    def add_one(x):
        x += 1
        return x

    with pytest.raises(GradientError, match="primitive add_one writes into an array that it was given"):
        add_one(Tensor(np.ones(2), requires_grad=True))


def test_a_primitive_and_its_rule_may_use_an_array_of_theirs_again():
    value, slope = np.empty(2), np.empty(2)
    square = primitive(lambda g, out, x: np.multiply(g, 2 * x, out=slope))(lambda x: np.multiply(x, x, out=value))
    x, y = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    of_x, of_y = grad(lambda x, y: np.sum(square(x) * square(y)), argnums=(0, 1))(x, y)
    assert_array_equal(of_x, 2 * x * y**2)
    assert_array_equal(of_y, 2 * y * x**2)


def test_a_primitive_that_returns_its_argument_or_a_part_of_it_gives_an_array_of_its_own():
    part = primitive(lambda g, out, x: np.concatenate([g, np.zeros(1)]))(lambda x: x[:1])
    x = np.array([1.0, 2.0])
    y = part(x)
    y[0] = 9.0
    assert_array_equal(x, [1.0, 2.0])
    assert_array_equal(grad(lambda x: np.sum(part(x)))(x), [1.0, 0.0])


# As a whole
def test_threads_do_not_disturb_each_other():
    results, x = [None] * 4, np.linspace(0, 1, 50)

    def work(i):
        results[i] = [hvp(lambda x: np.sum(np.sin(x) ** 2), x, x) for _ in range(5)][-1]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        assert_allclose(result, 2 * np.cos(2 * x) * x, rtol=1e-12)


def test_a_deep_chain_needs_no_recursion():
    def deep(x):
        for _ in range(20_000):
            x = x * 1.0
        return x * x

    assert hvp(deep, 3.0, 1.0) == 2.0
