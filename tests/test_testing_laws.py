"""Each law holds for what is right, and is broken by the mistake that it is there for."""

import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_hw as tg
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing import laws, strategies
from tinygrad_hw.transforms import primitive

x, y = np.array([[0.3, -1.2], [0.7, 2.0]]), np.array([1.5, -0.4])


@pytest.mark.parametrize("law", laws.LAWS)
@pytest.mark.parametrize("f", [np.multiply, np.matmul, lambda x, y: (np.tanh(x), {"s": np.sum(x * y)}), lambda x, y: tg.softmax(x) + y])
def test_what_is_right_obeys_every_law(f, law):
    law(f, x, y)


@settings(max_examples=15)
@given(strategies.arrays())
def test_the_laws_hold_on_every_shape_the_empty_ones_too(x):
    laws.obeys_all(lambda x: np.cos(x) * x, x)


given_away = []


def changing(g, out, x):
    """Return another gradient at every call."""
    given_away.append(1)
    return g * len(given_away)


@pytest.mark.parametrize(
    ("law", "rule"),
    [
        (laws.agrees_with_numeric_derivatives, lambda g, out, x: 2 * g),
        (laws.pullback_is_linear, lambda g, out, x: g * g),
        (laws.forward_and_reverse_are_adjoint, lambda g, out, x: g if isinstance(g, Tensor) else 2 * g),
        (laws.gradient_has_its_inputs_shape_and_dtype, lambda g, out, x: g * np.float64(1) + np.zeros(x.shape)),
        (laws.repeats_exactly, changing),
    ],
)
def test_a_law_is_broken_by_the_mistake_it_is_there_for(law, rule):
    same = primitive(rule)(lambda x: x * 1.0)
    law(np.positive, x)
    with pytest.raises((AssertionError, TypeError)):
        law(same, x)


def test_another_value_on_tensors_than_on_arrays_is_caught():
    with pytest.raises(AssertionError):
        laws.value_is_that_of_arrays(lambda x: x * 2 if isinstance(x, Tensor) else x, x)


def test_a_function_that_writes_to_its_inputs_is_caught():
    given = x.copy()

    def careless(t):
        given[...] = 0
        return t * 1.0

    with pytest.raises(AssertionError):
        laws.inputs_are_not_changed(careless, given)


def test_a_gradient_that_shares_memory_is_caught(monkeypatch):
    def shared(self, g=None):
        self._node.parents[0].grad = np.asarray(g)

    monkeypatch.setattr(Tensor, "backward", shared)
    with pytest.raises(AssertionError, match="shares its memory"):
        laws.gradient_shares_no_memory(lambda x: x * 1.0, x)
