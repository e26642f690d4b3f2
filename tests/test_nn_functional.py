"""The functional forms: normalisation against its definition, by the laws, and what the module offers."""

import numpy as np
import pytest
from laws import Case, every_case_obeys, gradient_at, spread
from numpy.testing import assert_allclose

from tinygrad_hw import Tensor, nn
from tinygrad_hw.nn import functional
from tinygrad_hw.nn.functional import batch_norm, layer_norm, linear

X, IMAGES = spread(4, 3), spread(3, 2, 2, 2)
W, B = spread(3, seed=3), spread(3, seed=4)
CASES = [
    Case(layer_norm, X),
    Case(layer_norm, X, W, B),
    Case(layer_norm, IMAGES, call=lambda x: layer_norm(x, axis=(-2, -1), eps=0.1)),
    Case(batch_norm, X, W, B),
    Case(batch_norm, IMAGES, W[:2], B[:2]),
    Case(batch_norm, IMAGES, W[:2], B[:2] + 1, call=lambda x, m, v: batch_norm(x, mean=m, var=v)),
    Case(linear, X, spread(3, 2), B[:2]),
]


test_every_function_obeys = every_case_obeys(CASES)


def test_layer_norm_is_the_layer_of_that_name():
    layer = nn.LayerNorm(3)
    assert_allclose(layer_norm(X, layer.weight, layer.bias).data, layer(X).data, rtol=1e-13)


def test_batch_norm_gives_each_channel_the_mean_0_and_the_variance_1():
    out = batch_norm(IMAGES, eps=0)
    assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-14)
    assert_allclose(out.var((0, 2, 3)), 1, rtol=1e-13)


def test_batch_norm_with_statistics_given_uses_them():
    assert_allclose(batch_norm(X, mean=W, var=B, eps=0.5), (X - W) / np.sqrt(B + 0.5), rtol=1e-14)
    with pytest.raises(ValueError, match="give both mean and var, or neither"):
        batch_norm(X, mean=W)


@pytest.mark.parametrize("norm", [layer_norm, batch_norm])
def test_a_constant_is_divided_by_the_root_of_eps_alone(norm):
    centred = X - X.mean(1 if norm is layer_norm else 0, keepdims=True)
    assert_allclose(gradient_at(lambda x: norm(x) * X, np.full((4, 3), 2.0)), centred / np.sqrt(1e-5), rtol=1e-9)


def test_the_module_names_what_it_offers():
    assert all(callable(getattr(functional, name)) for name in functional.__all__)
    assert isinstance(functional.conv2d(Tensor(IMAGES), np.ones((1, 2, 1, 1))), Tensor)
