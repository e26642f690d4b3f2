"""Initial values have the distributions that are promised, come from one seed, and leave no trace in a graph."""

from math import sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import Tensor, nn
from tinygrad_hw.nn import init


def weight(*shape):
    return Tensor(np.zeros(shape), requires_grad=True)


DRAWN = {  # with the mean square and the largest size of the values, of a weight of 300 inputs and 200 outputs
    "uniform_": (lambda w, rng: init.uniform_(w, -2, 2, rng), 4 / 3, 2),
    "normal_": (lambda w, rng: init.normal_(w, 0.0, 3.0, rng), 9, np.inf),
    "trunc_normal_": (lambda w, rng: init.trunc_normal_(w, rng=rng), 0.7737, 2),  # 1 - 4 φ(2) / (2 Φ(2) - 1)
    "xavier_uniform_": (lambda w, rng: init.xavier_uniform_(w, 2.0, rng), 4 * 2 / 500, 2 * sqrt(6 / 500)),
    "xavier_normal_": (lambda w, rng: init.xavier_normal_(w, rng=rng), 2 / 500, np.inf),
    "kaiming_uniform_": (lambda w, rng: init.kaiming_uniform_(w, nonlinearity="relu", rng=rng), 2 / 300, sqrt(6 / 300)),
    "kaiming_normal_": (lambda w, rng: init.kaiming_normal_(w, mode="fan_out", rng=rng), 2 / 200, np.inf),
    "kaiming_normal_ of a slope": (lambda w, rng: init.kaiming_normal_(w, a=1.0, rng=rng), 1 / 300, np.inf),
}


@pytest.mark.parametrize("name", DRAWN)
def test_values_have_their_mean_square_and_their_bounds_and_come_from_the_seed(name):
    fill, square, bound = DRAWN[name]
    w = weight(300, 200)
    assert fill(w, 0) is w
    values = w.numpy()
    assert abs(values.mean()) < 5 * sqrt(square / values.size)
    assert_allclose(np.mean(values**2), square, rtol=5 * sqrt(2 / values.size))
    assert np.abs(values).max() <= bound
    assert_array_equal(fill(weight(300, 200), np.random.default_rng(0)).numpy(), values)
    assert not np.array_equal(fill(weight(300, 200), 1).numpy(), values)
    assert w.requires_grad
    assert w._node.rule is None


def test_the_fans_of_a_convolution_count_its_window():
    w = init.kaiming_normal_(weight(50, 40, 3, 3), nonlinearity="linear", rng=0).numpy()
    assert_allclose(np.mean(w**2), 1 / 360, rtol=0.1)
    w = init.kaiming_normal_(weight(50, 40, 3, 3), mode="fan_out", nonlinearity="linear", rng=0).numpy()
    assert_allclose(np.mean(w**2), 1 / 450, rtol=0.1)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (3, 2, 2)])
def test_an_orthogonal_weight_has_orthogonal_rows_or_columns(shape):
    w = init.orthogonal_(weight(*shape), gain=2.0, rng=0).numpy().reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    assert_allclose(product, 4 * np.eye(min(w.shape)), atol=1e-13)


def test_constants_fill():
    assert_array_equal(init.constant_(weight(2), 0.5).numpy(), [0.5, 0.5])
    assert_array_equal(init.ones_(init.zeros_(weight(2))).numpy(), [1, 1])


@pytest.mark.parametrize(
    ("name", "param", "gain"), [("linear", None, 1), ("sigmoid", None, 1), ("tanh", None, 5 / 3), ("relu", None, sqrt(2)),
                                ("leaky_relu", 0.5, sqrt(1.6)), ("leaky_relu", None, sqrt(2 / 1.0001)), ("selu", None, 0.75)]
)  # fmt: skip
def test_gains_are_the_documented_ones(name, param, gain):
    assert_allclose(init.calculate_gain(name, param), gain, rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: init.xavier_normal_(weight(3)), r"a weight needs two axes or more to have a fan, and this tensor has shape \(3,\)"),
        (lambda: init.kaiming_normal_(weight(3, 3), mode="fan"), "mode must be 'fan_in', 'fan_out'; it is 'fan'"),
        (lambda: init.calculate_gain("gelu"), "nonlinearity must be 'linear', .*; it is 'gelu'"),
        (
            lambda: init.trunc_normal_(weight(3), mean=100.0),
            r"nothing that the normal distribution of 100.0 ± 1.0 gives is in \[-2",
        ),
    ],
)
def test_a_slip_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Whole networks
class Own(nn.Module):
    def __init__(self):
        self.scale = Tensor(0.0, requires_grad=True)

    def draw_parameters(self, rng):
        self.scale.data = rng.normal()


def network(rng=None):
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.Dropout(), Own(), nn.Sequential(nn.LSTM(4, 3), nn.GRU(3, 3, dropout=0.1)),
        nn.MultiheadAttention(4, 2), nn.Embedding(5, 2, padding_idx=1), nn.RNNCell(2, 2),
    ).reset_parameters(rng)  # fmt: skip


def test_a_whole_network_is_drawn_from_one_seed():
    one, same, other = network(3).state_dict(), network(np.random.default_rng(3)).state_dict(), network(4).state_dict()
    for path, values in one.items():
        assert_array_equal(values, same[path])
        assert np.array_equal(values, other[path]) == (path == "layers.6.in_bias" or path == "layers.6.out_bias"), path
    assert_array_equal(one["layers.7.weight"][1], 0)


def test_layers_that_draw_draw_from_the_source_of_the_whole_network():
    x = np.ones((20, 4))
    outs = [network(3)[3](x) for _ in range(2)]
    assert_array_equal(outs[0], outs[1])
    net = network(3)
    assert net[3].rng is net[5][1].rng is net[6].rng


def test_an_integer_is_a_seed_for_every_layer():
    assert_array_equal(nn.Linear(3, 2, rng=5).weight.numpy(), nn.Linear(3, 2, rng=np.random.default_rng(5)).weight.numpy())
