"""The functional forms: normalisation against its definition, by the laws, and what the module offers."""

import numpy as np
import pytest
from laws import Case, every_case_obeys, gradient_at, spread
from numpy.testing import assert_allclose

from tinygrad_hw import Tensor, nn
from tinygrad_hw.errors import ShapeError
from tinygrad_hw.nn import functional
from tinygrad_hw.nn.functional import batch_norm, layer_norm, linear

X, IMAGES = spread(4, 3), spread(3, 2, 2, 2)
W, B = spread(3, seed=3), spread(3, seed=4)
CASES = [
    Case(layer_norm, X),
    Case(layer_norm, X, W, B, call=lambda x, w, b: layer_norm(x, 3, w, b)),
    Case(layer_norm, IMAGES, call=lambda x: layer_norm(x, normalized_shape=x.shape[-2:], eps=0.1)),
    Case(batch_norm, X, W, B, call=lambda x, w, b: batch_norm(x, weight=w, bias=b)),
    Case(batch_norm, IMAGES, W[:2], B[:2], call=lambda x, w, b: batch_norm(x, weight=w, bias=b)),
    Case(batch_norm, IMAGES, W[:2], B[:2] + 1, call=lambda x, m, v: batch_norm(x, m, v)),
    Case(linear, X, spread(3, 2), B[:2]),
]


test_every_function_obeys = every_case_obeys(CASES)


def test_layer_norm_is_the_layer_of_that_name():
    layer = nn.LayerNorm(3)
    assert_allclose(layer_norm(X, 3, layer.weight, layer.bias).data, layer(X).data, rtol=1e-13)


def test_batch_norm_gives_each_channel_the_mean_0_and_the_variance_1():
    out = batch_norm(IMAGES, eps=0)
    assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-14)
    assert_allclose(out.var((0, 2, 3)), 1, rtol=1e-13)


def test_batch_norm_with_statistics_given_uses_them():
    assert_allclose(batch_norm(X, running_mean=W, running_var=B, eps=0.5), (X - W) / np.sqrt(B + 0.5), rtol=1e-14)
    with pytest.raises(ValueError, match="give both running_mean and running_var, or neither"):
        batch_norm(X, running_mean=W)


@pytest.mark.parametrize("norm", [layer_norm, batch_norm])
def test_a_constant_is_divided_by_the_root_of_eps_alone(norm):
    centred = X - X.mean(1 if norm is layer_norm else 0, keepdims=True)
    assert_allclose(gradient_at(lambda x: norm(x) * X, np.full((4, 3), 2.0)), centred / np.sqrt(1e-5), rtol=1e-9)


def test_the_module_names_what_it_offers():
    assert all(callable(getattr(functional, name)) for name in functional.__all__)
    assert isinstance(functional.conv2d(Tensor(IMAGES), np.ones((1, 2, 1, 1))), Tensor)


def test_normalisation_takes_pytorchs_shape_and_says_where_it_is_another():
    np.testing.assert_array_equal(layer_norm(X, (3,)), layer_norm(X))
    with pytest.raises(ShapeError, match=r"layer_norm: the last axes of x must be \(4,\), and x has shape \(4, 3\)"):
        layer_norm(X, 4)
    with pytest.raises(ShapeError, match=r"rms_norm: the last axes of x must be \(2, 3\), and x has shape"):
        nn.functional.rms_norm(X, (2, 3))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_the_axis_of_a_softmax_may_be_called_dim(name):
    function = getattr(nn.functional, name)
    np.testing.assert_array_equal(function(X, dim=0), function(X, 0))
