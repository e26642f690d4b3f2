"""Modules find, name, save and load what they hold; layers and losses are their definitions; slips are named."""

import copy
import pickle
import signal
import sys
import tracemalloc
import zipfile
from dataclasses import dataclass
from math import erf, log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from laws import arrays, gradients, numeric_gradients
from numpy.testing import assert_allclose, assert_array_equal
from training import train

from tinygrad_hw import DTypeError, GradientError, ShapeError, Tensor, nn, no_grad, optim

seeds = st.integers(0, 2**16)
sizes = st.integers(1, 4)
CLOSE = {"rtol": 1e-8, "atol": 1e-9}
GENERATORS = [np.random.default_rng, np.random.RandomState]


def rng_of(seed=0):
    return np.random.default_rng(seed)


def names(module):
    return [name for name, _ in module.named_parameters()]


class Network(nn.Module):
    def __init__(self, inner, seed=0):
        self.fc1 = nn.Linear(2, 3, rng=rng_of(seed))
        self.inner = inner
        self.scale = Tensor(2.0, requires_grad=True)
        self.offset = Tensor([1.0, 2.0, 3.0])
        self.note = "not a parameter"

    def forward(self, x):
        return self.inner(self.fc1(x)) * self.scale + self.offset


# What a module holds
def test_parameters_are_found_in_attributes_modules_lists_tuples_and_dicts_and_named_by_their_path():
    layer = nn.Linear(1, 1, bias=False)
    net = Network([nn.Sigmoid(), {"a": (nn.Linear(1, 2),), "b": Tensor(1.0, requires_grad=True)}])
    net.late = layer
    assert names(net) == [
        "fc1.weight", "fc1.bias", "inner.1.a.0.weight", "inner.1.a.0.bias", "inner.1.b", "scale", "late.weight",
    ]  # fmt: skip
    assert [p.shape for p in net.parameters()] == [(2, 3), (3,), (1, 2), (2,), (), (), (1, 1)]
    assert [(name, type(m).__name__) for name, m in net.named_modules()] == [
        ("", "Network"), ("fc1", "Linear"), ("inner.0", "Sigmoid"), ("inner.1.a.0", "Linear"), ("late", "Linear"),
    ]  # fmt: skip


def test_what_is_held_twice_counts_once_and_a_circle_ends():
    net = Network(nn.Linear(3, 3, rng=rng_of()))
    net.tied = net.inner.weight
    net.again = net.inner
    net.holder = nn.Module()
    net.holder.net = net
    assert names(net) == ["fc1.weight", "fc1.bias", "inner.weight", "inner.bias", "scale"]
    assert names(net.holder) == [f"net.{name}" for name in names(net)]
    assert "  holder: Module(\n    net: ...\n  )" in repr(net)


def test_neither_results_nor_frozen_tensors_are_parameters():
    net = Network(nn.Tanh())
    net.last = net(np.ones((1, 2)))
    net.fc1.bias.requires_grad = False
    assert names(net) == ["fc1.weight", "scale"]
    assert list(net.state_dict()) == ["fc1.weight", "fc1.bias", "scale", "offset"]


def test_tensors_without_a_name_are_given_their_path_and_others_keep_theirs():
    net = Network([])
    net.inner.append(nn.Linear(3, 1))
    net.fc1.mine = Tensor(1.0, requires_grad=True, name="mine, all mine")
    outer = nn.Sequential(nn.Tanh(), net)
    outer.parameters()
    assert [p.name for p in outer.parameters()] == [
        "layers.1.fc1.weight", "layers.1.fc1.bias", "mine, all mine", "layers.1.inner.0.weight", "layers.1.inner.0.bias", "layers.1.scale",
    ]  # fmt: skip
    net.parameters()
    assert net.scale.name == "layers.1.scale"


def test_an_error_of_shapes_names_the_parameter_by_its_path():
    with pytest.raises(ShapeError, match=r"layers\.0\.weight\s+\(2, 3\)"):
        nn.Sequential(nn.Linear(2, 3))(np.ones((5, 4)))


def test_two_tensors_with_one_path_are_refused():
    net = nn.Module()
    net.parts = {"a.b": Tensor(1.0, requires_grad=True), "a": {"b": Tensor(2.0, requires_grad=True)}}
    with pytest.raises(ValueError, match=r"two tensors have the path 'parts\.a\.b': rename an attribute or a key"):
        net.parameters()


def test_a_dataclass_can_be_a_module():
    @dataclass
    class Pair(nn.Module):
        first: nn.Module
        second: nn.Module

        def forward(self, x):
            return self.second(self.first(x))

    net = Pair(nn.Linear(2, 3, rng=rng_of()), nn.Linear(3, 1, rng=rng_of()))
    assert names(net) == ["first.weight", "first.bias", "second.weight", "second.bias"]
    assert net(np.ones((4, 2))).shape == (4, 1)


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Module must define forward\(self, ...\)"):
        nn.Module()(1)


def test_train_and_eval_reach_every_module():
    net = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    assert net.training
    assert net.eval() is net
    assert not any(m.training for _, m in net.named_modules())
    assert net.train() is net
    assert all(m.training for _, m in net.named_modules())


def test_repr_shows_the_tree():
    net = Network(nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), np.tanh, nn.Dropout(0.1), nn.LayerNorm(3)))
    net.table = [nn.Embedding(5, 2)]
    assert repr(net).splitlines() == [
        "Network(",
        "  fc1: Linear(2, 3)",
        "  inner: Sequential(",
        "    0: Linear(3, 3, bias=False)",
        "    1: ReLU()",
        "    2: tanh",
        "    3: Dropout(0.1)",
        "    4: LayerNorm((3,), eps=1e-05)",
        "  )",
        "  scale: ()",
        "  offset: (3,)",
        "  table.0: Embedding(5, 2)",
        ")",
    ]
    assert repr(nn.Sequential()) == "Sequential()"


def test_a_copied_or_pickled_module_computes_the_same_and_is_separate():
    net = nn.Sequential(nn.Linear(2, 3, rng=rng_of()), nn.Tanh())
    x = np.ones((1, 2))
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert names(other) == names(net)
        assert_array_equal(other(x).numpy(), net(x).numpy())
        before = net(x).numpy()
        other.layers[0].weight.data[...] = 7
        assert_array_equal(net(x).numpy(), before)


class Normed(nn.Module):
    def __init__(self):
        self.fc = nn.Linear(2, 3, rng=0)
        self.register_buffer("mean", [1.0, 2.0])

    def forward(self, x):
        return self.fc(x - self.mean)


def test_a_buffer_is_saved_with_the_parameters_and_not_trained():
    net = Normed()
    assert names(net) == ["fc.weight", "fc.bias"]
    assert [path for path, _ in net.named_buffers()] == ["mean"]
    assert_array_equal(net.buffers()[0].numpy(), [1, 2])
    assert list(net.state_dict()) == ["fc.weight", "fc.bias", "mean"]


def test_zero_grad_clears_the_gradients_of_all_parameters():
    net = Normed()
    net(np.ones((1, 2))).sum().backward()
    net.zero_grad()
    assert [p.grad for p in net.parameters()] == [None, None]


def test_modules_and_children_are_all_and_those_held_directly():
    net = nn.Sequential(nn.Sequential(nn.Tanh()), nn.ReLU())
    assert [type(m).__name__ for m in net.modules()] == ["Sequential", "Sequential", "Tanh", "ReLU"]
    assert net.children() == [net[0], net[1]]


def test_apply_calls_a_function_on_every_module_inner_ones_first():
    seen = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Tanh()))
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Tanh", "Sequential", "Linear", "Sequential"]


def test_a_frozen_module_gets_no_gradients_until_it_is_thawed():
    net = Normed()
    assert net.fc.requires_grad_(False) is net.fc
    assert net.parameters() == []
    net.fc.requires_grad_()
    assert names(net) == ["fc.weight", "fc.bias"]
    assert not net.mean.requires_grad


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_astype_turns_parameters_and_buffers_and_leaves_recorded_graphs_alone(dtype):
    net = Normed()
    net.count = Tensor(np.array([3]))
    loss = net(np.ones((1, 2))).sum()
    before = net.fc.weight.numpy()
    assert net.astype(dtype) is net
    assert {t.dtype for t in (*net.parameters(), net.mean)} == {np.dtype(dtype)}
    assert net.count.dtype == int
    assert [p.name for p in net.parameters()] == ["fc.weight", "fc.bias"]
    assert_array_equal(net.fc.weight.numpy(), before.astype(dtype))
    assert net(np.ones((1, 2), dtype)).dtype == dtype
    loss.backward()
    assert net.fc.weight.grad is None
    with pytest.raises(DTypeError, match="Normed: parameters can be of a floating dtype, not int64"):
        net.astype(int)


def test_what_only_looks_like_a_parameter_is_refused():
    class Scaled(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(2, 2)
            self.W = 0.1 * Tensor(np.ones((2, 2)), requires_grad=True)

    for use in (Scaled().parameters, nn.Sequential(Scaled()).named_parameters):
        with pytest.raises(GradientError, match=r"W looks like a parameter, but is the result of multiply, so that it would not be"):
            use()


def test_a_parameter_is_updated_in_place_inside_no_grad_and_not_replaced_by_what_would_not_be_trained():
    net = nn.Linear(2, 1, rng=0)
    with no_grad():
        with pytest.raises(GradientError, match=r"Linear\.weight is a parameter.*in place \(net\.weight -= step, net\.weight\[\.\.\.\]"):
            net.weight = net.weight * 0.9
        net.weight *= 0.5
        net.bias = Tensor(np.ones(1), requires_grad=True)
        net.scale = net.weight * 2
    net.bias = Tensor(np.zeros(1))
    assert [path for path, _ in net.named_parameters()] == ["weight"]


def test_an_activation_that_is_kept_or_a_weight_computed_from_parameters_is_no_slip():
    net = Network(nn.Linear(3, 3, rng=0))
    net.double = net.inner.weight * 2
    net.last = net(np.ones((1, 2)))
    assert names(net) == ["fc1.weight", "fc1.bias", "inner.weight", "inner.bias", "scale"]


# Lists and chains
def test_a_list_of_modules_is_indexed_counted_and_walked_and_names_its_parameters_by_place():
    net = nn.Module()
    net.blocks = nn.ModuleList([nn.Linear(1, 2), nn.Linear(2, 3)])
    net.blocks.append(nn.Linear(3, 4))
    assert names(net)[::2] == ["blocks.0.weight", "blocks.1.weight", "blocks.2.weight"]
    assert (len(net.blocks), net.blocks[-1].weight.shape, [b.weight.shape for b in net.blocks[1:]]) == (3, (3, 4), [(2, 3), (3, 4)])
    assert [b.weight.shape[0] for b in net.blocks] == [1, 2, 3]
    with pytest.raises(TypeError, match="ModuleList holds modules, not function"):
        net.blocks.append(lambda x: x)


def test_a_sequential_is_indexed_counted_walked_and_grown():
    net = nn.Sequential(nn.Linear(2, 3), np.tanh)
    assert net.append(nn.Linear(3, 1)) is net
    assert (len(net), net[1], [type(layer).__name__ for layer in net][-1]) == (3, np.tanh, "Linear")
    x = np.ones((4, 2))
    assert_array_equal(net[:2](x).numpy(), np.tanh(net[0](x)).numpy())
    assert names(net) == ["layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"]
    with pytest.raises(TypeError, match="layer 0 of Sequential must be a module or a function, not int"):
        net.append(3)


# Other values
def test_functional_call_uses_the_values_that_are_given_and_leaves_the_module_alone():
    layer, x = nn.Linear(2, 1, rng=0), np.array([[1.0, 2.0]])
    before = layer.state_dict()
    w = Tensor([[3.0], [4.0]], requires_grad=True)
    out = nn.functional_call(layer, {"weight": w}, x)
    out.sum().backward()
    assert_allclose(out.item(), 11 + before["bias"][0])
    assert_array_equal(w.grad, [[1], [2]])
    assert layer.weight.grad is None
    assert_same_state(layer.state_dict(), before)
    with pytest.raises(ZeroDivisionError):
        nn.functional_call(nn.Sequential(layer, lambda x: 1 / 0), {"layers.0.weight": w}, x)
    assert_same_state(layer.state_dict(), before)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"wieght": [[1.0], [1.0]]}, "'wieght' of Linear is not there; there are weight, bias"),
        ({"weight": [1.0]}, r"'weight' of Linear has shape \(2, 1\), not \(1,\)"),
    ],
)
def test_values_for_functional_call_that_do_not_fit_are_named(values, message):
    with pytest.raises(ValueError, match=message):
        nn.functional_call(nn.Linear(2, 1), values, np.ones((1, 2)))


# Clipping
def with_gradients(*grads):
    tensors = [Tensor(np.zeros_like(grad), requires_grad=True) for grad in grads]
    for tensor, grad in zip(tensors, grads):
        tensor.grad = grad
    return tensors


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, np.inf])
@pytest.mark.parametrize("max_norm", [0.5, 1e3])
def test_clipped_gradients_have_at_most_the_norm_and_their_direction(norm_type, max_norm):
    grads = [rng_of(1).normal(size=(2, 3)), rng_of(2).normal(size=4)]
    tensors = with_gradients(*grads)
    before = np.linalg.norm(np.concatenate([g.ravel() for g in grads]), norm_type)
    assert_allclose(nn.utils.clip_grad_norm_([*tensors, Tensor(1.0, requires_grad=True)], max_norm, norm_type), before, rtol=1e-14)
    for tensor, grad in zip(tensors, grads):
        assert_allclose(tensor.grad, grad * min(1.0, max_norm / (before + 1e-6)), rtol=1e-14)


@pytest.mark.parametrize("dtype, size", [(np.float16, 6e4), (np.float32, 1e30)])
def test_the_norm_does_not_overflow_in_low_precision(dtype, size):
    (tensor,) = with_gradients(np.array([size, -size], dtype))
    assert_allclose(nn.utils.clip_grad_norm_(tensor, 1.0), np.sqrt(2) * size, rtol=1e-3)
    assert tensor.grad.dtype == dtype
    assert_allclose(tensor.grad, [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-3)


def test_values_are_cut_off_and_what_has_no_gradient_is_left_out():
    tensors = [*with_gradients(np.array([3.0, -0.5, -4.0])), Tensor(1.0, requires_grad=True)]
    nn.utils.clip_grad_value_(tensors, 1.0)
    assert_array_equal(tensors[0].grad, [1, -0.5, -1])
    assert nn.utils.clip_grad_norm_([], 1.0) == nn.utils.clip_grad_norm_(tensors[1:], 1.0, np.inf) == 0


def test_a_norm_that_is_not_finite_can_be_an_error_and_nonsense_is_one():
    (tensor,) = with_gradients(np.array([np.inf, 1.0]))
    with pytest.raises(GradientError, match="clip_grad_norm_: the gradients' norm is inf, and error_if_nonfinite was asked for"):
        nn.utils.clip_grad_norm_(tensor, 1.0, error_if_nonfinite=True)
    assert tensor.grad[1] == 1
    with pytest.raises(ValueError, match="norm_type must be above 0, not 0"):
        nn.utils.clip_grad_norm_(tensor, 1.0, 0)
    with pytest.raises(ValueError, match="clip_value must be >= 0, not -1"):
        nn.utils.clip_grad_value_(tensor, -1)


def test_clipping_inside_an_optimisers_step_is_compiled_with_it():
    class Clipped(optim.AdamW):
        def step(self):
            nn.utils.clip_grad_norm_(self.parameters, 0.1)
            super().step()

    x = rng_of().normal(size=(5, 2))

    def trained(compiled):
        net = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))
        optimizer = Clipped(net.parameters(), lr=0.1)
        train(lambda x: nn.mse_loss(net(x), x[:, :1]), optimizer, [(x,)] * 4, compiled)
        return net.state_dict()

    for path, values in trained(False).items():
        assert_allclose(trained(True)[path], values, rtol=1e-10)


# Summary
def test_a_summary_tells_each_layers_result_and_counts_and_changes_nothing():
    net = nn.Sequential(
        nn.Linear(2, 3, dtype=np.float32), nn.Sequential(nn.BatchNorm1d(3, dtype=np.float32), nn.Dropout()), nn.RNNCell(3, 2)
    )
    net[1][1].eval()
    before = net.state_dict()
    told = nn.summary(net, (4, 2))
    assert [(row.path, row.shape, row.parameters) for row in told.rows] == [
        ("layers.0", "(4, 3)", 9), ("layers.1.layers.0", "(4, 3)", 6), ("layers.1.layers.1", "(4, 3)", 0), ("layers.2", "(4, 2)", 14),
    ]  # fmt: skip
    assert told.parameters == 29
    assert told.bytes == 4 * 21 + 8 * 14
    assert str(told).splitlines()[-1] == "29 parameters; 196 bytes with buffers"
    assert "<td>Dropout(0.5)</td>" in told._repr_html_()
    assert_same_state(net.state_dict(), before)
    assert [part.training for part in net.modules()] == [True, True, True, True, False, True]
    assert all("forward" not in vars(part) for part in net.modules())


def test_a_summary_takes_arrays_and_several_results():
    told = nn.summary(nn.Sequential(nn.Embedding(5, 3), nn.LSTM(3, 2)), np.zeros((4, 1), int))
    assert [row.shape for row in told.rows] == ["(4, 1, 3)", "((4, 1, 2), ((1, 1, 2), (1, 1, 2)))"]
    assert told.rows[1].parameters == 3 * 8 + 2 * 8 + 16
    assert nn.summary(nn.LSTMCell(3, 2), (4, 3)).rows[0].shape == "((4, 2), (4, 2))"
    assert nn.summary(nn.MultiheadAttention(4, 2), *[(3, 1, 4)] * 3).rows[0].shape == "((3, 1, 4), (1, 3, 3))"


# Module calls
def calls(tensor, before):
    """Return the paths of the module calls that gave a tensor, inner first."""
    assert all(number >= before for number, _ in tensor._node.calls)
    return [path for _, path in tensor._node.calls]


def test_a_result_tells_which_module_calls_gave_it():
    net = Network(nn.Sequential(nn.Dropout(0.0), nn.Tanh()))
    x = Tensor(np.ones((1, 2)), requires_grad=True)
    out = net(x)
    ((begin, _),) = out._node.calls
    assert calls(out, x._node.number) == ["Network"]
    (product,) = (p for p in out._node.parents if p is not None)
    inner = product.parents[0]
    assert [path for _, path in inner.calls] == ["inner.layers.1", "inner"]
    assert begin < min(number for number, _ in inner.calls) < inner.number < out._node.number
    assert nn.Dropout(0.0)(x * 2)._node.calls == x._node.calls == ()
    with no_grad():
        assert net(x)._node.calls == ()


# Saving and loading
@st.composite
def networks(draw):
    """Draw a module that holds tensors of any shape and dtype, and a second one of the same form with other values."""
    paths = draw(st.lists(st.sampled_from(["a", "b", "file", "c/d", "_", "é", "0", "x y"]), min_size=0, max_size=5, unique=True))
    module, twin = nn.Module(), nn.Module()
    module.held, twin.held = {}, {}
    for path in paths:
        dtype = draw(st.sampled_from([np.float64, np.float32, np.int64, np.complex128]))
        values = draw(hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3)))
        trained = dtype is not np.int64 and draw(st.booleans())
        module.held[path] = Tensor(values, requires_grad=trained)
        twin.held[path] = Tensor(np.ones_like(values), requires_grad=trained)
    return module, twin


def assert_same_state(a, b):
    assert list(a) == list(b)
    for path in a:
        assert a[path].dtype == b[path].dtype
        assert_array_equal(a[path], b[path], strict=True)


@given(networks(), st.booleans())
def test_state_dict_loads_into_a_twin_and_shares_no_memory(pair, lent):
    module, twin = pair
    held = {path: tensor.data for path, tensor in twin.held.items()} if lent else {}
    state = module.state_dict()
    twin.load_state_dict(state)
    assert_same_state(twin.state_dict(), state)
    for path, array in held.items():
        assert twin.held[path].data is array
    for array in state.values():
        array[...] = 5
    for path, tensor in twin.held.items():
        assert not np.shares_memory(tensor.data, state[f"held.{path}"])
        assert_array_equal(tensor.numpy(), module.held[path].numpy())


@settings(max_examples=30)
@given(networks())
def test_a_file_gives_back_what_was_saved_and_numpy_can_read_it(tmp_path_factory, pair):
    module, twin = pair
    path = tmp_path_factory.mktemp("saved") / "net"
    module.save(path)
    twin.load(path)
    assert_same_state(twin.state_dict(), module.state_dict())
    with np.load(path) as archive:
        assert_same_state(dict(archive), module.state_dict())


def test_loading_leaves_recorded_graphs_their_values():
    net = nn.Linear(1, 1, rng=rng_of())
    net.weight.data, net.bias.data = [[3.0]], [0.0]
    loss = (net(np.ones((1, 1))) ** 2).sum()
    net.load_state_dict({"weight": [[100.0]], "bias": [100.0]})
    loss.backward()
    assert loss.item() == 9.0
    assert_array_equal(net.weight.grad, [[6.0]])


def test_a_state_that_does_not_fit_is_told_in_full_and_nothing_changes(tmp_path):
    net = Network(nn.Linear(3, 3, rng=rng_of(1)))
    before = net.state_dict()
    wrong = {path: array + 1 for path, array in before.items()}
    del wrong["fc1.bias"], wrong["scale"]
    wrong |= {"fc2.weight": np.ones(3), "typo": np.ones(()), "inner.weight": np.ones((3, 4)), "offset": np.ones(3, complex)}
    np.savez(tmp_path / "wrong.npz", **wrong)
    for load in (lambda: net.load_state_dict(wrong), lambda: net.load(tmp_path / "wrong.npz")):
        with pytest.raises(ValueError) as error:
            load()
        assert str(error.value).splitlines() == [
            "the state does not fit Network, which is as it was",
            "  missing: fc1.bias (3,); scale ()",
            "  unexpected: fc2.weight (3,); typo ()",
            "  misshapen: inner.weight (3, 4), not (3, 3)",
            "  of another kind: offset complex128, not float64",
        ]
        assert_same_state(net.state_dict(), before)


def npz(path, compress, **arrays):
    """Write a .npz file with NumPy."""
    (np.savez_compressed if compress else np.savez)(path, **arrays)
    return path


def peak_of(call):
    """Return the most memory that a call that must raise took, and its message."""
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, str(error.value)


def test_a_file_of_large_arrays_is_refused_before_they_are_read(tmp_path):
    net = nn.Linear(2, 3, rng=0)
    before = net.state_dict()
    path = npz(tmp_path / "large.npz", True, weight=np.zeros((4000, 1000)), bias=np.zeros(3))
    peak, message = peak_of(lambda: net.load(path))
    assert "weight (4000, 1000), not (2, 3)" in message
    assert peak < 1e6
    path = npz(tmp_path / "deep.npz", True, net=np.zeros((4000, 1000)), **{"structure.json": np.array('{"net": {"array": "net"}}')})
    peak, message = peak_of(lambda: nn.load(path, net=net))
    assert "is compressed" in message
    assert peak < 1e6
    assert_same_state(net.state_dict(), before)


def test_a_compressed_state_of_the_right_shapes_is_read(tmp_path):
    one, other = nn.Linear(2, 3, rng=0), nn.Linear(2, 3, rng=1)
    other.load(npz(tmp_path / "small.npz", True, **one.state_dict()))
    assert_same_state(other.state_dict(), one.state_dict())


FILES = [(nn.Module.save, nn.Module.load), (lambda net, path: nn.save(path, net=net), lambda net, path: nn.load(path, net=net))]


@pytest.mark.parametrize("save, load", FILES, ids=["of one", "of several"])
def test_a_damaged_file_is_refused_by_name(tmp_path, save, load):
    net = nn.Linear(2, 3, rng=0)
    before = net.state_dict()
    damaged = {"shape.npz": (b"(2, 3), }", b"(9, 9), }"), "magic.npz": (b"\x93NUMPY", b"\x93MUMPY"), "header.npz": (b"'descr'", b"'descx'")}
    for name, (there, instead) in damaged.items():
        path = tmp_path / name
        save(net, path)
        content = path.read_bytes()
        assert there in content
        path.write_bytes(content.replace(there, instead))
        with pytest.raises(ValueError, match=f"{name}' is no whole .npz file: "):
            load(net, path)
    with zipfile.ZipFile(tmp_path / "letters.npz", "w") as archive:
        archive.writestr("letter.txt", "Dear reader")
    with pytest.raises(ValueError, match=r"letters.npz' is no whole .npz file: "):
        load(net, tmp_path / "letters.npz")
    assert_same_state(net.state_dict(), before)


def test_what_is_pickled_in_a_file_is_not_run(tmp_path):
    path = npz(tmp_path / "code.npz", False, weight=np.array([print, print], object), bias=np.zeros(3))
    with pytest.raises(ValueError, match="misshapen: weight"):
        nn.Linear(2, 3).load(path)
    with pytest.raises(ValueError):
        nn.load(path, net=nn.Linear(2, 3))


class OfTorch:
    """What NumPy and ``type`` see of a tensor of PyTorch's."""

    __module__ = "torch"

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values

    @property
    def shape(self):
        return self.values.shape


def test_pytorchs_square_matrices_are_refused_since_they_may_have_to_be_transposed():
    net = nn.Sequential(nn.Linear(3, 3, rng=0), nn.Linear(3, 2, rng=0))
    before = net.state_dict()
    theirs = {path: OfTorch(array.T) for path, array in before.items()}
    with pytest.raises(ValueError) as error:
        net.load_state_dict(theirs)
    _, misshapen, square, way = str(error.value).splitlines()
    assert misshapen == "  misshapen: layers.1.weight (2, 3), not (3, 2)"
    assert square == "  PyTorch's and square: layers.0.weight (3, 3)"
    assert "(outputs, inputs), the transposes of these" in way and "weight.numpy().T" in way
    assert_same_state(net.state_dict(), before)
    net.load_state_dict({path: tensor if tensor.values.ndim == 1 else tensor.values.T for path, tensor in theirs.items()})
    assert_same_state(net.state_dict(), before)


def test_a_transposed_matrix_in_an_array_is_refused_with_the_way_to_load_pytorchs():
    with pytest.raises(ValueError, match=r"weight \(2, 3\), not \(3, 2\)\n.*weight\.numpy\(\)\.T"):
        nn.Linear(3, 2).load_state_dict({"weight": np.ones((2, 3)), "bias": np.ones(2)})


def test_a_file_that_is_no_npz_is_named(tmp_path):
    net = nn.Linear(1, 1)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ValueError, match=r"text' is no \.npz file"):
        net.load(tmp_path / "text")
    with pytest.raises(FileNotFoundError, match="absent"):
        net.load(tmp_path / "absent")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on the size of a file")
def test_a_save_that_fails_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    """The disk is full: the system's limit on a file's size stands for it."""
    import resource

    net, path = nn.Linear(300, 300, rng=0), tmp_path / "net.npz"
    net.save(path)
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        for write in (lambda: net.save(path), lambda: nn.save(path, net=net)):
            with pytest.raises(OSError):
                write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(tmp_path):
    (tmp_path / "plain").write_text("")
    net, path = nn.Linear(1, 1), tmp_path / "net.npz"
    net.save(path)
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    path.chmod(0o600)
    net.save(path)
    assert path.stat().st_mode & 0o777 == 0o600


def training(dtype=float):
    net = nn.Sequential(nn.Linear(2, 3, rng=0, dtype=dtype), nn.BatchNorm1d(3, dtype=dtype), nn.Tanh(), nn.Linear(3, 1, rng=1, dtype=dtype))
    groups = [{"params": net[0].parameters(), "weight_decay": 0.1}, {"params": [*net[1].parameters(), *net[3].parameters()]}]
    optimizer = optim.AdamW(groups, lr=0.1)
    return net, optimizer, optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)


def epochs(net, optimizer, scheduler, count):
    x = rng_of().normal(size=(5, 2)).astype(net[0].weight.dtype)
    for _ in range(count):
        optimizer.zero_grad()
        nn.mse_loss(net(x), x[:, :1]).backward()
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_whole_training_goes_on_from_one_file_as_if_uninterrupted(tmp_path, dtype):
    net, optimizer, scheduler = training(dtype)
    epochs(net, optimizer, scheduler, 3)
    nn.save(tmp_path / "all.npz", net=net, optimizer=optimizer, scheduler=scheduler)
    other = training(dtype)
    nn.load(tmp_path / "all.npz", net=other[0], optimizer=other[1], scheduler=other[2])
    epochs(net, optimizer, scheduler, 3)
    epochs(*other, 3)
    assert_same_state(other[0].state_dict(), net.state_dict())
    assert other[1].param_groups[0].lr == optimizer.param_groups[0].lr


def test_after_a_load_that_fails_everything_is_as_it_was(tmp_path):
    net, optimizer, scheduler = training()
    epochs(net, optimizer, scheduler, 2)
    nn.save(tmp_path / "all.npz", net=net, optimizer=optimizer)
    other, sgd, _ = training()[0], optim.SGD(net.parameters(), lr=0.5), None
    before = other.state_dict()
    with pytest.raises(ValueError, match="the state is of 2 groups, and this SGD has 1"):
        nn.load(tmp_path / "all.npz", net=other, optimizer=sgd)
    assert_same_state(other.state_dict(), before)
    assert sgd.lr == 0.5


def test_a_file_of_other_names_or_of_one_module_is_told(tmp_path):
    net = nn.Linear(1, 1)
    nn.save(tmp_path / "two.npz", net=net, twin=net)
    with pytest.raises(ValueError, match=r"two.npz' holds net, twin, and what is to be loaded is net$"):
        nn.load(tmp_path / "two.npz", net=net)
    net.save(tmp_path / "one.npz")
    with pytest.raises(ValueError, match=r"one.npz' holds no states of several objects: Module.load reads what Module.save wrote"):
        nn.load(tmp_path / "one.npz", net=net)


# Layers
@given(sizes, sizes, st.sampled_from([(), (0,), (1,), (3,), (2, 3)]), st.booleans(), seeds)
def test_linear_is_x_w_plus_b_and_so_are_its_gradients(inputs, outputs, batch, bias, seed):
    rng = rng_of(seed)
    layer, x = nn.Linear(inputs, outputs, bias=bias, rng=rng), Tensor(rng.normal(size=(*batch, inputs)), requires_grad=True)
    g = rng.normal(size=(*batch, outputs))
    out = layer(x)
    out.backward(g)
    weight = layer.weight.numpy()
    assert_allclose(out.numpy(), np.tensordot(x.numpy(), weight, 1) + (layer.bias.numpy() if bias else 0), **CLOSE)
    flat_x, flat_g = x.numpy().reshape(-1, inputs), g.reshape(-1, outputs)
    assert_allclose(layer.weight.grad, sum((np.outer(a, b) for a, b in zip(flat_x, flat_g, strict=True)), np.zeros_like(weight)), **CLOSE)
    assert_allclose(x.grad, np.tensordot(g, weight.T, 1), **CLOSE)
    assert len(layer.parameters()) == 1 + bias
    if bias:
        assert_allclose(layer.bias.grad, flat_g.sum(0), **CLOSE)


@pytest.mark.parametrize("generator", GENERATORS)
def test_the_same_generator_gives_the_same_parameters(generator):
    for make in (lambda rng: nn.Linear(3, 4, rng=rng), lambda rng: nn.Embedding(3, 4, rng=rng)):
        one, two = make(generator(7)), make(generator(7))
        assert_same_state(one.state_dict(), two.state_dict())
        assert not np.array_equal(make(generator(8)).weight.numpy(), one.weight.numpy())
        assert not np.array_equal(make(None).weight.numpy(), make(None).weight.numpy())


@pytest.mark.parametrize("generator", GENERATORS)
def test_linear_starts_uniform_between_plus_and_minus_one_over_root_inputs(generator):
    layer, bound = nn.Linear(25, 400, rng=generator(1)), 1 / 5
    for values in (layer.weight.numpy(), layer.bias.numpy()):
        assert np.abs(values).max() <= bound
        deciles = np.histogram(values, 10, (-bound, bound))[0] / values.size
        assert np.abs(deciles - 0.1).max() < 5 * sqrt(0.09 / values.size)


def test_embedding_starts_standard_normal():
    values = nn.Embedding(100, 100, rng=rng_of(1)).weight.numpy()
    for threshold in (-1.5, -0.5, 0.0, 1.0):
        expected = (1 + erf(threshold / sqrt(2))) / 2
        assert abs((values < threshold).mean() - expected) < 5 * sqrt(expected * (1 - expected) / values.size)


def test_layers_of_float32_compute_in_float32():
    rng = rng_of()
    net = nn.Sequential(nn.Embedding(4, 3, rng, np.float32), nn.Linear(3, 2, rng=rng, dtype=np.float32), nn.LayerNorm(2, dtype=np.float32),
                        nn.Dropout(0.3, rng), nn.GELU(), nn.Tanh(), nn.ReLU(), nn.Sigmoid())  # fmt: skip
    out = net(np.array([0, 3, 1, 1]))
    loss = nn.mse_loss(out, np.zeros((4, 2), np.float32))
    loss.backward()
    assert out.dtype == loss.dtype == np.float32
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(np.float32)}


def test_sequential_applies_its_layers_in_order():
    net = nn.Sequential(nn.Linear(2, 3, rng=rng_of()), np.exp, nn.ReLU(), lambda x: x - 1)
    x = np.array([[1.0, 2.0]])
    assert_allclose(net(x).numpy(), np.exp(x @ net.layers[0].weight.numpy() + net.layers[0].bias.numpy()) - 1, **CLOSE)
    assert nn.Sequential()(x) is x


POINTS = np.array([-1000.0, -2.0, -0.5, 0.0, 0.5, 2.0, 1000.0])


@pytest.mark.parametrize(
    ("layer", "values", "slopes"),
    [
        (nn.Sigmoid(), lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / (2 + 2 * np.cosh(x))),
        (nn.Tanh(), np.tanh, lambda x: np.cosh(np.clip(x, -300, 300)) ** -2),
        (nn.ReLU(), lambda x: np.where(x > 0, x, 0), lambda x: np.where(x > 0, 1, 0)),
        (
            nn.GELU(),
            lambda x: x * (1 + np.vectorize(erf)(x / sqrt(2))) / 2,
            lambda x: (1 + np.vectorize(erf)(x / sqrt(2))) / 2 + x * np.exp(-x * x / 2) / sqrt(2 * np.pi),
        ),
    ],
)
def test_activations_are_their_formulas_on_tensors_and_arrays(layer, values, slopes):
    x = Tensor(POINTS, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    safe = np.clip(POINTS, -500, 500)
    finite = np.abs(POINTS) < 500
    assert_allclose(out.numpy()[finite], values(safe)[finite], **CLOSE)
    assert_allclose(x.grad, slopes(safe), **CLOSE)
    assert type(layer(POINTS)) is np.ndarray
    assert_array_equal(layer(POINTS), out.numpy())


# Dropout
@given(arrays(), st.sampled_from([0.0, 0.1, 0.5, 0.9]), seeds)
def test_dropout_keeps_entries_scaled_or_drops_them_and_its_gradient_does_the_same(values, p, seed):
    x = Tensor(values, requires_grad=True)
    out = nn.Dropout(p, rng_of(seed))(x)
    factors = nn.Dropout(p, rng_of(seed))(Tensor(np.ones_like(values))).numpy()
    assert np.all((factors == 0) | np.isclose(factors, 1 / (1 - p), rtol=1e-15))
    assert_allclose(out.numpy(), values * factors, rtol=1e-15)
    g = rng_of(seed + 1).normal(size=values.shape)
    out.backward(g)
    assert_allclose(x.grad, g * factors, rtol=1e-15)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_drops_each_entry_with_probability_p_and_repeats_from_its_generator(generator, p):
    x = np.ones((100, 100))
    one, two = nn.Dropout(p, generator(3)), nn.Dropout(p, generator(3))
    first, second = one(x), one(x)
    assert abs((first == 0).mean() - p) < 5 * sqrt(p * (1 - p) / x.size)
    assert abs(first.mean() - 1) < 5 * sqrt(p / (1 - p) / x.size)
    assert not np.array_equal(first, second)
    assert_array_equal(two(x), first)
    assert_array_equal(two(x), second)


def test_dropout_out_of_training_is_the_identity_and_draws_nothing():
    layer, x = nn.Dropout(0.5, rng_of(3)), Tensor(np.ones(20))
    assert layer.eval()(x) is x
    assert_array_equal(layer.train()(x).numpy(), nn.Dropout(0.5, rng_of(3))(x).numpy())


# LayerNorm
NORMED = st.sampled_from([((2,), (2,)), ((3, 4), (4,)), ((2, 3, 4), (3, 4)), ((5,), (5,)), ((0, 3), (3,))])


@given(NORMED, seeds, st.sampled_from([1e-3, 1.0, 1e3]))
def test_layer_norm_gives_each_sample_mean_0_and_variance_1(form, seed, size):
    shape, last = form
    layer = nn.LayerNorm(last if len(last) > 1 else last[0], eps=0.0)
    out = layer(5 + size * rng_of(seed).normal(size=shape)).numpy().reshape(-1, int(np.prod(last)))
    assert_allclose(out.mean(-1), 0, atol=1e-7)
    assert_allclose(out.var(-1), 1, rtol=1e-7)


@given(NORMED, seeds)
def test_layer_norm_is_its_formula_and_so_are_its_gradients(form, seed):
    shape, last = form
    rng, axes = rng_of(seed), tuple(range(-len(last), 0))
    layer = nn.LayerNorm(last, eps=0.1)

    def formula(x, weight, bias):
        mean = np.mean(x, axes, keepdims=True)
        return (x - mean) / np.sqrt(np.mean((x - mean) ** 2, axes, keepdims=True) + 0.1) * weight + bias

    def network(x, weight, bias):
        layer.weight, layer.bias = weight, bias
        return layer(x)

    inputs = [rng.normal(size=shape), rng.normal(size=last), rng.normal(size=last)]
    g = rng.normal(size=shape)
    assert_allclose(network(*map(Tensor, inputs)).numpy(), formula(*inputs), **CLOSE)
    for found, expected in zip(gradients(network, inputs, g), numeric_gradients(formula, inputs, g, analytic=True), strict=True):
        assert_allclose(found, expected, **CLOSE)


def test_layer_norm_of_equal_entries_is_its_bias_with_a_finite_gradient():
    x = Tensor(np.full((2, 3), 4.0), requires_grad=True)
    layer = nn.LayerNorm(3)
    layer.bias.data = [1.0, 2.0, 3.0]
    out = layer(x)
    out.backward(rng_of().normal(size=(2, 3)))
    assert_array_equal(out.numpy(), [[1.0, 2.0, 3.0]] * 2)
    assert np.isfinite(x.grad).all()


# Embedding
@given(sizes, sizes, st.sampled_from([(), (0,), (5,), (2, 3)]), seeds)
def test_embedding_looks_up_rows_and_adds_up_the_gradients_of_repeated_ones(count, size, shape, seed):
    rng = rng_of(seed)
    layer, indices = nn.Embedding(count, size, rng), rng.integers(0, count, shape)
    g = rng.normal(size=(*shape, size))
    out = layer(indices)
    out.backward(g)
    expected = np.zeros((count, size))
    for place in np.ndindex(shape):
        assert_array_equal(out.numpy()[place], layer.weight.numpy()[indices[place]])
        expected[indices[place]] += g[place]
    assert_allclose(layer.weight.grad, expected, **CLOSE)
    assert_array_equal(layer(Tensor(indices)).numpy(), out.numpy())


# Losses
PAIRS = st.sampled_from([(), (1,), (3,), (2, 3), (4, 1)])


@given(PAIRS, seeds, st.booleans())
def test_squared_losses_are_their_formulas_and_so_are_their_gradients(shape, seed, as_tensor):
    rng = rng_of(seed)
    y, t = Tensor(rng.normal(size=shape), requires_grad=True), rng.normal(size=shape)
    errors = [(float(y.numpy()[i]) - float(t[i])) ** 2 for i in np.ndindex(shape)]
    for loss, factor in ((nn.mse_loss, 1.0), (nn.half_mse_loss, 0.5)):
        y.grad = None
        value = loss(y, Tensor(t) if as_tensor else t)
        value.backward()
        assert value.shape == ()
        assert_allclose(value.item(), factor * sum(errors) / len(errors), **CLOSE)
        assert_allclose(y.grad, factor * 2 * (y.numpy() - t) / len(errors), **CLOSE)
        assert_allclose(loss(y.numpy(), t), value.item(), rtol=1e-15)
        assert_allclose(loss(y.tolist(), t.tolist()), value.item(), rtol=1e-15)


@given(hnp.arrays(float, PAIRS, elements=st.floats(-20, 20)), seeds)
def test_binary_cross_entropy_is_its_definition_and_so_is_its_gradient(z, seed):
    t = rng_of(seed).choice([0.0, 1.0, 0.3], z.shape)
    logits = Tensor(z, requires_grad=True)
    loss = nn.binary_cross_entropy_with_logits(logits, t)
    loss.backward()
    p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    assert_allclose(loss.item(), -np.sum(t * np.log(p) + (1 - t) * np.log(q)) / z.size, rtol=1e-9, atol=1e-15)
    assert_allclose(logits.grad, ((1 - t) * p - t * q) / z.size, rtol=1e-12)


@pytest.mark.parametrize(
    ("z", "t", "value", "slope"),
    [
        (1000.0, 1.0, 0.0, 0.0),
        (1000.0, 0.0, 1000.0, 1.0),
        (-1000.0, 0.0, 0.0, 0.0),
        (-1000.0, 1.0, 1000.0, -1.0),
        (0.0, 0.5, log(2), 0.0),
        (40.0, 1.0, np.exp(-40), -np.exp(-40)),
        (-40.0, 0.0, np.exp(-40), np.exp(-40)),
    ],
)
def test_binary_cross_entropy_is_exact_far_out(z, t, value, slope):
    """Where e^-1000 underflows, the smallest normal number is as good as 0."""
    logits = Tensor([z], requires_grad=True)
    loss = nn.binary_cross_entropy_with_logits(logits, [t])
    loss.backward()
    assert_allclose(loss.item(), value, rtol=1e-15, atol=1e-307)
    assert_allclose(logits.grad, [slope], rtol=1e-15, atol=1e-307)


@given(st.integers(1, 4), st.integers(1, 4), st.sampled_from([0.1, 1.0, 10.0]), seeds)
def test_cross_entropy_is_minus_log_softmax_of_the_class_and_so_is_its_gradient(samples, count, size, seed):
    rng = rng_of(seed)
    z, c = size * rng.normal(size=(samples, count)), rng.integers(0, count, samples)
    logits = Tensor(z, requires_grad=True)
    loss = nn.cross_entropy(logits, c)
    loss.backward()
    softmax = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    assert_allclose(loss.item(), -sum(log(softmax[i, c[i]]) for i in range(samples)) / samples, rtol=1e-9, atol=1e-12)
    assert_allclose(logits.grad, (softmax - np.eye(count)[c]) / samples, **CLOSE)
    assert_allclose(nn.cross_entropy(z, Tensor(c)), loss.item(), rtol=1e-15)


def test_cross_entropy_is_exact_far_out():
    logits = Tensor([[1000.0, -1000.0], [1000.0, -1000.0], [1000.0, 1000.0]], requires_grad=True)
    loss = nn.cross_entropy(logits, [0, 1, 1])
    loss.backward()
    assert_allclose(loss.item(), (0 + 2000 + log(2)) / 3, rtol=1e-15)
    assert_allclose(logits.grad, np.array([[0, 0], [1, -1], [0.5, -0.5]]) / 3, rtol=1e-15)


# Errors
BELONG = r"they must be equal, since broadcasting would compare entries that do not belong together\."


@pytest.mark.parametrize("loss", [nn.mse_loss, nn.half_mse_loss, nn.binary_cross_entropy_with_logits])
@pytest.mark.parametrize(
    ("prediction", "target", "fix"),
    [
        ((4, 1), (4,), r" target\.reshape\(\(4, 1\)\) would fit\.$"),
        ((4,), (4, 1), r" target\.reshape\(\(4,\)\) would fit\.$"),
        ((1, 3), (3, 1), r" target\.reshape\(\(1, 3\)\) would fit\.$"),
        ((2, 3), (3, 2), r" target\.T would fit\.$"),
        ((4, 1), (), "$"),
        ((2, 3), (3,), "$"),
        ((2,), (3,), "$"),
    ],
)
def test_a_loss_of_unequal_shapes_is_refused_with_both_and_the_fix(loss, prediction, target, fix):
    shapes = rf"the prediction has shape {prediction} and the target {target}: ".replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(ShapeError, match=f"^{loss.__name__}: {shapes}{BELONG}{fix}"):
        loss(Tensor(np.ones(prediction), requires_grad=True), np.ones(target))


@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        ((3, 2), np.zeros((3, 1), int), ShapeError, r"they have \(3, 2\) and \(3, 1\); target\[:, 0\] would fit$"),
        ((3, 2), np.zeros((3, 2), int), ShapeError, r"\(3, 2\) and \(3, 2\); if it is one-hot, target\.argmax\(axis=1\) would fit, or"),
        ((3, 2), [0, 1], ShapeError, r"logits of shape \(N, C\) need a target of shape \(N,\), and they have \(3, 2\) and \(2,\)$"),
        ((3,), [0, 1, 0], ShapeError, r"they have \(3,\) and \(3,\)"),
        ((3, 2), [0.0, 1.0, 0.0], DTypeError, r"cross_entropy: classes must be integers, not float64; convert them with \.astype\(int\)"),
        ((3, 2), [0, 2, 1], IndexError, "cross_entropy: classes must be from 0 to 1, and there is 2"),
        ((3, 2), [0, -1, 1], IndexError, "cross_entropy: classes must be from 0 to 1, and there is -1"),
    ],
)
def test_what_cross_entropy_cannot_use_is_named(logits, target, error, message):
    with pytest.raises(error, match=message):
        nn.cross_entropy(Tensor(np.zeros(logits)), target)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(0, 3), ValueError, "Linear: sizes must be positive integers, not 0, 3"),
        (lambda: nn.Linear(2, 3.0), ValueError, "Linear: sizes must be positive integers, not 2, 3.0"),
        (lambda: nn.Embedding(2, -1), ValueError, "Embedding: sizes must be positive integers, not 2, -1"),
        (lambda: nn.LayerNorm(()), ValueError, "LayerNorm: sizes must be positive integers, not none"),
        (lambda: nn.Linear(1, 1, rng=0.5), TypeError, "rng must be a numpy.random.Generator or RandomState, or an integer seed, not float"),
        (lambda: nn.Dropout(rng=True), TypeError, r"an integer seed, not bool: numpy.random.default_rng\(seed\) makes one"),
        (lambda: nn.Dropout(1.0), ValueError, r"Dropout: p must be at least 0 and less than 1, not 1\.0"),
        (lambda: nn.Dropout(-0.1), ValueError, r"Dropout: p must be at least 0 and less than 1, not -0\.1"),
        (lambda: nn.LayerNorm(3)(np.ones((2, 1))), ShapeError, r"layer_norm: the last axes of x must be \(3,\), and x has shape \(2, 1\)"),
        (lambda: nn.Embedding(3, 2)([0, 3]), IndexError, "Embedding: indices must be from 0 to 2, and there is 3"),
        (lambda: nn.Embedding(3, 2)([-1]), IndexError, "Embedding: indices must be from 0 to 2, and there is -1"),
        (lambda: nn.Embedding(3, 2)([0.5]), DTypeError, "Embedding: indices must be integers, not float64"),
        (lambda: nn.Embedding(3, 2)([True]), DTypeError, "Embedding: indices must be integers, not bool"),
        (lambda: nn.Sequential(nn.ReLU(), 3), TypeError, "layer 1 of Sequential must be a module or a function, not int"),
        (lambda: nn.Sequential(nn.ReLU), TypeError, r"layer 0 of Sequential is the class ReLU: make one of it, ReLU\(...\)"),
    ],
)
def test_a_slip_with_a_layer_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
