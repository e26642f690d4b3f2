"""Strategies draw the special cases, and what they draw is what they promise."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from tinygrad_hw.testing import assert_same_gradients, check_gradients, strategies
from tinygrad_hw.transforms import grad, primitive


def found(strategy, condition):
    """Return an example that meets a condition; fails if there is none within reach."""
    return find(strategy, condition, settings=settings(max_examples=400, database=None, derandomize=True, phases=[Phase.generate]))


@pytest.mark.parametrize("shape", [(), (1,), (0,), (1, 1), (0, 2), (2, 0)])
def test_small_and_empty_shapes_are_drawn(shape):
    assert found(strategies.shapes(), lambda s: s == shape) == shape


@pytest.mark.parametrize("x", [0.0, 1.0, -1.0])
def test_special_numbers_are_drawn_and_ties_are_common(x):
    assert found(strategies.numbers(), lambda y: y == x) == x
    found(strategies.arrays((3,)), lambda a: a[0] == a[1] == a[2] == x)


@given(strategies.numbers(0.005, 0.995))
def test_numbers_stay_in_their_interval(x):
    assert 0.005 <= x <= 0.995


@pytest.mark.parametrize(("low", "high"), [(0.001, 0.004), (-1e-3, 1e-3), (1e-12, 9e-12), (5.0, 5.0 + 1e-9), (-1e300, 1e300), (2.0, 2.0)])
def test_numbers_of_a_narrow_interval_differ(low, high):
    seen = set()

    @settings(max_examples=100)
    @given(strategies.numbers(low, high))
    def draw(x):
        assert low <= x <= high
        seen.add(x)

    draw()
    assert len(seen) > 5 or low == high


@pytest.mark.parametrize("dtype", ["float32", "f2", ">f8", float, np.complex64, "complex128", "int8", "uint16", bool, np.dtype("i4")])
def test_arrays_have_the_dtype_that_is_asked_for_however_it_is_called(dtype):
    assert found(strategies.arrays((2,), dtype=dtype), lambda x: x.any()).dtype == np.dtype(dtype)


def test_complex_numbers_have_imaginary_parts():
    found(strategies.arrays((2,), dtype=complex), lambda x: x.imag.any() and x.real.any())


def test_infinite_numbers_are_drawn_on_request_only():
    assert np.isnan(found(strategies.numbers(infinite=True), np.isnan))
    assert found(strategies.numbers(infinite=True), lambda x: x == -np.inf)


@given(strategies.broadcastable(3))
def test_broadcastable_arrays_broadcast(xs):
    assert len(xs) == 3
    np.broadcast_shapes(*(x.shape for x in xs))


def test_broadcastable_arrays_differ_in_shape_and_in_number_of_axes():
    found(strategies.broadcastable(max_dims=2), lambda xs: xs[0].ndim < xs[1].ndim)
    found(strategies.broadcastable(max_dims=2), lambda xs: 1 in xs[0].shape and xs[1].size > 1)


@given(st.data())
def test_indices_index(data):
    x = data.draw(strategies.arrays())
    x[data.draw(strategies.indices(x.shape))]


def test_indices_of_every_kind_are_drawn():
    of = strategies.indices((3, 2))
    found(of, lambda i: isinstance(i, np.ndarray) and i.dtype == bool and i.any())
    found(of, lambda i: isinstance(i, np.ndarray) and i.dtype == int and i.size > 1 and len(set(i.ravel() % 3)) < i.size)
    found(of, lambda i: any(isinstance(p, slice) and (p.step or 1) < 0 for p in (i if isinstance(i, tuple) else (i,))))
    found(of, lambda i: isinstance(i, tuple) and any(p is None for p in i))


@settings(max_examples=12)
@given(strategies.networks(max_layers=2, max_size=3))
def test_gradients_of_networks_are_right_and_those_of_the_delta_equations(network):
    """The oracle is backpropagation as textbooks write it, in plain NumPy."""
    slope = {
        "none": lambda z: np.ones_like(z),
        "tanh": lambda z: 1 - np.tanh(z) ** 2,
        "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
        "softplus": lambda z: 1 / (1 + np.exp(-z)),
    }[network.activation]

    def by_hand(layers):
        a = network.outputs(layers)
        delta, gradients = (a[-1] - network.y) / len(network.X), []
        for k in reversed(range(len(layers))):
            gradients.insert(0, {"W": a[k].T @ delta, "b": delta.sum(0)})
            if k:
                z = a[k - 1] @ layers[k - 1]["W"] + layers[k - 1]["b"]
                delta = (delta @ layers[k]["W"].T) * slope(z)
        return gradients

    assert_same_gradients(network, by_hand, network.parameters)
    assert check_gradients(network, network.parameters, order=1).verdict == "right"


@settings(max_examples=25)
@given(strategies.expressions(max_steps=6))
def test_gradients_of_smooth_programs_are_right(program):
    assert check_gradients(program, *program.inputs).verdict in ("right", "ill-conditioned")


@settings(max_examples=25)
@given(strategies.expressions(max_steps=6, smooth=False))
def test_gradients_of_programs_with_kinks_lie_in_the_one_sided_intervals(program):
    check_gradients(program, *program.inputs, order=1)


def test_a_failing_program_shrinks_to_the_operation_at_fault(monkeypatch):
    """With a wrong rule for sin, the smallest program that fails is one sin of one number."""
    wrong_sin = primitive(lambda g, out, x: -g * np.cos(x))(lambda x: np.sin(x))

    def gradient(program, sin):
        monkeypatch.setitem(strategies.SMOOTH, "np.sin(x)", lambda x, y: sin(x))
        return grad(lambda x: np.sum(program(x)))(*program.inputs)

    def fails(program):
        return not np.allclose(gradient(program, wrong_sin), gradient(program, np.sin))

    fast = settings(max_examples=200, database=None, derandomize=True)
    program = find(strategies.expressions(max_steps=4, max_inputs=1), fails, settings=fast)
    assert [step[0] for step in program.steps] == ["np.sin(x)"]
    assert [x.size for x in program.inputs] == [1]


def test_a_program_reads_as_what_it_computes():
    program = strategies.Expression((np.array([1.0, 2.0]),), (("-x", 0, 0), ("x * y", 1, 0)))
    assert repr(program) == "v0 = [1.0, 2.0]\nv1 = -x  # x = v0, y = v0\nv2 = x * y  # x = v1, y = v0"
    assert_array_equal(program(*program.inputs), [-1.0, -4.0])


def test_the_testing_tools_do_not_need_hypothesis():
    code = "import sys; sys.modules['hypothesis'] = None; import tinygrad_hw.testing; import tinygrad_hw.testing.mutants"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
