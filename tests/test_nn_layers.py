"""Layers for images, sequences and attention beyond PyTorch's values: dtypes, statistics, states, compiled, and slips."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from training import train

from tinygrad_hw import CompileError, DTypeError, ShapeError, Tensor, compile, nn, optim

RNG = np.random.default_rng(0)
X, IMAGES, SEQUENCE = RNG.normal(size=(4, 6)), RNG.normal(size=(3, 2, 5, 6)), RNG.normal(size=(4, 2, 6))
LAYERS = {  # how to make a layer of a dtype, and what to call it with
    "Linear": (lambda **k: nn.Linear(6, 3, **k), X),
    "Embedding": (lambda **k: nn.Embedding(6, 3, padding_idx=0, **k), np.array([0, 5, 5])),
    "Conv1d": (lambda **k: nn.Conv1d(2, 3, 2, **k), RNG.normal(size=(3, 2, 5))),
    "Conv2d": (lambda **k: nn.Conv2d(2, 3, 2, padding=1, **k), IMAGES),
    "BatchNorm1d": (lambda dtype: nn.BatchNorm1d(6, dtype=dtype), X),
    "BatchNorm2d": (lambda dtype: nn.BatchNorm2d(2, dtype=dtype), IMAGES),
    "LayerNorm": (lambda dtype: nn.LayerNorm(6, dtype=dtype), X),
    "RMSNorm": (lambda dtype: nn.RMSNorm(6, dtype=dtype), X),
    "RNN": (lambda **k: nn.RNN(6, 3, **k), SEQUENCE),
    "LSTM": (lambda **k: nn.LSTM(6, 3, num_layers=2, dropout=0.3, **k), SEQUENCE),
    "GRU": (lambda **k: nn.GRU(6, 3, batch_first=True, **k), SEQUENCE),
    "RNNCell": (lambda **k: nn.RNNCell(6, 3, nonlinearity="relu", **k), X),
    "LSTMCell": (lambda **k: nn.LSTMCell(6, 3, **k), X),
    "GRUCell": (lambda **k: nn.GRUCell(6, 3, bias=False, **k), X),
    "MultiheadAttention": (lambda **k: _SelfAttention(6, 2, dropout=0.2, **k), SEQUENCE),
    "activations": (lambda dtype: nn.Sequential(nn.SiLU(), nn.ELU(), nn.GELU("tanh"), nn.LeakyReLU(), nn.Softplus(), nn.Softmax(0)), X),
    "pools": (lambda dtype: nn.Sequential(nn.MaxPool2d(2, 1, 1), nn.AvgPool2d((1, 2)), nn.Flatten(2), nn.Dropout(0.2)), IMAGES),
}


class _SelfAttention(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x, is_causal=True)


def results(out):
    """Return the tensors of a result."""
    return [part for parts in out for part in results(parts)] if isinstance(out, tuple) else [out]


def values_of(x):
    return x.numpy() if isinstance(x, Tensor) else x


def given_dtype(x, dtype):
    return x if x.dtype.kind == "i" else x.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_keeps_its_dtype_forward_and_backward(name, dtype):
    make, x = LAYERS[name]
    layer, leaf = make(dtype=dtype), Tensor(given_dtype(x, dtype), requires_grad=x.dtype.kind == "f")
    outs = results(layer(leaf))
    assert {out.dtype for out in outs} == {np.dtype(dtype)}
    sum(out.sum() for out in outs).backward()
    for tensor in [*layer.parameters(), *([leaf] if leaf.requires_grad else [])]:
        assert tensor.grad.dtype == tensor.dtype == dtype
        assert tensor.grad.shape == tensor.shape


WEIGHED = [name for name in LAYERS if name not in ("Embedding", "activations", "pools")]


@pytest.mark.parametrize("name", WEIGHED)
def test_what_would_widen_a_layers_dtype_is_refused_with_both_ways_out(name):
    make, x = LAYERS[name]
    layer = make(dtype=np.float32)
    with pytest.raises(DTypeError, match=r"has parameters of float32, and x is float64, which .*x.astype\(np.float32\), or .*np.float64\)"):
        layer(x)
    assert results(layer.eval()(x.astype(np.float16)))[0].dtype == np.float32


@pytest.mark.parametrize("name", [name for name in WEIGHED if name not in ("MultiheadAttention",)])
def test_integers_and_lists_are_taken_in_a_layers_dtype(name):
    make, x = LAYERS[name]
    layer, whole = make(dtype=np.float32).eval(), np.round(4 * x)
    expected = results(layer(whole.astype(np.float32)))
    for numbers in (whole.astype(int), whole.tolist(), whole.astype(int).tolist()):
        for ours, theirs in zip(results(layer(numbers)), expected):
            assert ours.dtype == np.float32
            assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "pools"])
def test_a_layer_takes_arrays_as_it_takes_tensors(name):
    make, x = LAYERS[name]
    layer = make(dtype=float).reset_parameters(0).eval()
    for ours, theirs in zip(results(layer(x)), results(layer(Tensor(x))), strict=True):
        assert_array_equal(values_of(ours), values_of(theirs))


@pytest.mark.parametrize("name", [name for name in LAYERS if name not in ("activations", "pools")])
def test_a_compiled_step_of_a_layer_in_training_is_the_eager_one(name):
    make, x = LAYERS[name]

    def trained(compiled):
        layer = make(dtype=float).reset_parameters(0)
        optimizer = optim.SGD(layer.parameters(), lr=0.05)
        train(lambda x: sum((out * out).mean() for out in results(layer(x))), optimizer, [(x,)] * 3, compiled)
        return layer.state_dict()

    for path, values in trained(False).items():
        assert_allclose(trained(True)[path], values, rtol=1e-10, atol=1e-13)


def test_a_convolution_says_what_is_not_usual_of_it():
    assert repr(nn.Conv2d(4, 2, 3)) == "Conv2d(4, 2, kernel_size=(3, 3))"
    layer = nn.Conv1d(4, 2, 3, stride=2, bias=False, groups=2)
    assert repr(layer) == "Conv1d(4, 2, kernel_size=(3,), stride=2, groups=2, bias=False)"
    assert layer.weight.shape == (2, 2, 3)


# Batch normalisation
@given(st.integers(2, 6), st.integers(1, 3), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 99))
def test_running_statistics_are_their_formulas(samples, features, momentum, seed):
    batches = np.random.default_rng(seed).normal(2, 3, (3, samples, features))
    layer = nn.BatchNorm1d(features, momentum=momentum)
    mean, var = np.zeros(features), np.ones(features)
    for x in batches:
        layer(Tensor(x, requires_grad=True)).sum().backward()
        mean = (1 - momentum) * mean + momentum * x.mean(0)
        var = (1 - momentum) * var + momentum * x.var(0, ddof=1)
    assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12, atol=1e-14)
    assert_allclose(layer.running_var.numpy(), var, rtol=1e-12)
    before = layer.state_dict()
    out = layer.eval()(batches[0])
    assert_allclose(out.numpy(), (batches[0] - mean) / np.sqrt(var + layer.eps), rtol=1e-12, atol=1e-12)
    for path, values in before.items():
        assert_array_equal(layer.state_dict()[path], values)


def test_running_statistics_are_buffers_and_belong_to_no_graph():
    layer = nn.BatchNorm2d(2)
    layer(Tensor(IMAGES, requires_grad=True)).sum().backward()
    assert [path for path, _ in layer.named_buffers()] == ["running_mean", "running_var"]
    assert [path for path, _ in layer.named_parameters()] == ["weight", "bias"]
    assert not layer.running_mean.requires_grad
    assert layer.running_mean._node.rule is None
    assert list(layer.state_dict()) == ["weight", "bias", "running_mean", "running_var"]


def test_without_running_statistics_every_batch_is_normalised_by_its_own():
    layer = nn.BatchNorm1d(6, affine=False, track_running_stats=False).eval()
    assert layer.state_dict() == {}
    assert_allclose(layer(X).mean(0), 0, atol=1e-14)


# Half precision
@pytest.mark.parametrize(
    "norm",
    [lambda x: nn.functional.layer_norm(x), lambda x: nn.functional.batch_norm(x.T[:, :]).T, lambda x: nn.LayerNorm(3, dtype=x.dtype)(x)],
)
def test_half_precision_is_normalised_without_overflow(norm):
    x = np.array([[300.0, -300.0, 100.0], [6e4, -6e4, 0.0]], np.float16)
    exact = nn.functional.layer_norm(x.astype(float), eps=0.0)
    found = norm(x)
    assert found.dtype == np.float16
    assert_allclose(values_of(found).astype(float), exact, rtol=2e-3)


def test_a_constant_in_half_precision_is_normalised_to_0_whatever_epsilon():
    for norm in (nn.functional.layer_norm, nn.functional.rms_norm):
        assert_array_equal(norm(np.zeros(4, np.float16), eps=1e-12), np.zeros(4, np.float16))


# Recurrent
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_layer_over_time_is_its_cell_step_by_step(kind):
    net = getattr(nn, kind)(6, 3, rng=0)
    states, last = net(SEQUENCE)
    state = None
    for t, x in enumerate(SEQUENCE):
        state = net.cells[0](x, state)
        assert_allclose((state[0] if kind == "LSTM" else state).numpy(), states[t].numpy(), rtol=1e-13)
    for ours, theirs in zip(results(last), results(state)):
        assert_allclose(ours[0].numpy(), theirs.numpy(), rtol=1e-13)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_going_on_from_the_last_states_is_going_on(kind):
    net = getattr(nn, kind)(6, 3, num_layers=2, rng=0)
    whole, end = net(SEQUENCE)
    first, state = net(SEQUENCE[:3])
    rest, last = net(SEQUENCE[3:], state)
    assert_allclose(np.concatenate([first.numpy(), rest.numpy()]), whole.numpy(), rtol=1e-12)
    for ours, theirs in zip(results(last), results(end)):
        assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-12)


def test_entries_between_layers_are_dropped_in_training_alone():
    net = nn.LSTM(6, 3, num_layers=2, dropout=0.5, rng=0)
    assert not np.array_equal(net(SEQUENCE)[0].numpy(), net(SEQUENCE)[0].numpy())
    net.eval()
    assert_array_equal(net(SEQUENCE)[0].numpy(), net(SEQUENCE)[0].numpy())


# Attention
def test_a_causal_query_sees_nothing_that_comes_later():
    net = nn.MultiheadAttention(6, 3, batch_first=True, rng=0)
    x = Tensor(SEQUENCE, requires_grad=True)
    out, weights = net(x, x, x, is_causal=True)
    assert_array_equal(np.triu(weights.numpy()[0], 1), 0)
    assert_allclose(weights.numpy().sum(-1), 1, rtol=1e-14)
    out[:, 0].sum().backward()
    assert np.any(x.grad[:, 0])
    assert not np.any(x.grad[:, 1:])


def test_a_mask_of_bools_says_what_may_be_seen_in_the_function_and_what_may_not_in_the_layer():
    q = RNG.normal(size=(2, 4, 6))
    allowed = np.tri(4, dtype=bool)
    causal = nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    assert_allclose(nn.functional.scaled_dot_product_attention(q, q, q, attn_mask=allowed), causal, rtol=1e-14)
    net = nn.MultiheadAttention(6, 2, batch_first=True, rng=0)
    assert_allclose(net(q, q, q, attn_mask=~allowed)[0].numpy(), net(q, q, q, is_causal=True)[0].numpy(), rtol=1e-13)
    for mask in (np.zeros((4, 4)), np.zeros((4, 4), bool)):
        assert_allclose(net(q, q, q, attn_mask=np.broadcast_to(mask, (4, 4, 4)))[0].numpy(), net(q, q, q)[0].numpy(), rtol=1e-13)


def test_weights_are_given_only_where_they_are_needed():
    x = SEQUENCE
    assert nn.MultiheadAttention(6, 2)(x, x, x, need_weights=False)[1] is None


# Dropout and embedding
def test_a_dropped_infinity_is_0():
    out = nn.Dropout(0.5, rng=0)(np.full(20, -np.inf))
    assert set(out) == {0.0, -np.inf}
    assert nn.functional.dropout(X, 0.5, training=False) is X


def test_a_padding_index_is_0_at_first_and_gets_no_gradient():
    layer = nn.Embedding(4, 3, rng=0, padding_idx=-1)
    out = layer([[0, 3], [3, 0]])
    assert_array_equal(out.numpy()[[0, 1], [1, 0]], 0)
    out.sum().backward()
    assert_array_equal(layer.weight.grad[:, 0], [2, 0, 0, 0])


def test_one_hot_has_a_row_for_each_class():
    assert_array_equal(nn.functional.one_hot(np.array([[1], [0]]), 3), [[[0, 1, 0]], [[1, 0, 0]]])
    assert nn.functional.one_hot([], 3).shape == (0, 3)
    with pytest.raises(IndexError, match="one_hot: classes must be from 0 to 1, and there is 2"):
        nn.functional.one_hot([2], 2)


# Slips
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 0, 3), ValueError, "Conv2d: sizes must be positive integers, not 3, 0"),
        (lambda: nn.Conv2d(3, 4, (3, 3, 3)), ValueError, r"Conv2d: kernel_size must be one number, or 2, not \(3, 3, 3\)"),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "Conv2d: 3 and 4 channels cannot be divided into 2 groups"),
        (lambda: nn.MaxPool2d(0), ValueError, "MaxPool2d: sizes must be positive integers, not 0, 0"),
        (lambda: nn.Conv2d(2, 4, 3)(np.ones((1, 3, 5, 5))), ValueError, r"x has 3 channels \(its axis 1\), the kernels take 2"),
        (lambda: nn.Conv2d(2, 4, 3)(np.ones((3, 5, 5))), ValueError, r"conv2d: x and weight need 4 axes"),
        (lambda: nn.BatchNorm2d(2)(np.ones((3, 2))), ShapeError, r"BatchNorm2d\(2.*needs x of 4 axes with 2 channels.*shape \(3, 2\)"),
        (lambda: nn.BatchNorm1d(2)(np.ones((3, 4))), ShapeError, r"needs x of 2 or 3 axes with 2 channels \(its axis 1\)"),
        (
            lambda: nn.BatchNorm1d(2)(np.ones((1, 2))),
            ShapeError,
            r"in training needs more than one entry a channel.*net.eval\(\) ends",
        ),
        (lambda: nn.Flatten(2)(np.ones((3, 2))), ShapeError, r"Flatten\(2, -1\) needs these axes, and x has shape \(3, 2\)"),
        (lambda: nn.LSTM(3, 4)(np.ones((2, 3))), ShapeError, r"LSTM\(3, 4\) needs x of shape \(T, N, 3\), and x has shape \(2, 3\)"),
        (lambda: nn.GRU(3, 4, batch_first=True)(np.ones((2, 2, 4))), ShapeError, r"needs x of shape \(N, T, 3\), and x has shape"),
        (lambda: nn.RNN(3, 4)(np.ones((5, 2, 3)), np.ones((2, 4))), ShapeError, r"needs first states of shape \(1, 2, 4\), not \(2, 4\)"),
        (lambda: nn.GRU(3, 4, bidirectional=True)(np.ones((5, 2, 3)), np.ones((1, 2, 4))), ShapeError, r"states of shape \(2, 2, 4\), not"),
        (lambda: nn.RNN(3, 4, nonlinearity="sin"), ValueError, "RNNCell: nonlinearity must be 'tanh', 'relu'; it is 'sin'"),
        (lambda: nn.LSTMCell(3, 4)(np.ones((2, 2))), ShapeError, r"LSTMCell\(3, 4\) needs x of shape \(..., 3\), and x has shape \(2, 2\)"),
        (lambda: nn.MultiheadAttention(6, 4), ValueError, "embed_dim must be a multiple of num_heads, and 6 is none of 4"),
        (lambda: nn.MultiheadAttention(6, 3)(X, X, X), ShapeError, r"the query must have shape \(L, N, 6\), and has \(4, 6\)"),
        (lambda: nn.functional.scaled_dot_product_attention(X, X[:, :3], X), ShapeError, r"queries \(..., L, d\) and keys \(..., S, d\)"),
        (lambda: nn.functional.scaled_dot_product_attention(X, X, X, np.eye(4), is_causal=True), ValueError, "is_causal is a mask itself"),
        (lambda: nn.Embedding(3, 2, padding_idx=3), IndexError, "Embedding: padding_idx must be from -3 to 2, not 3"),
        (lambda: nn.GELU("sigmoid"), ValueError, "GELU: approximate must be 'none', 'tanh'; it is 'sigmoid'"),
    ],
)
def test_a_slip_with_a_layer_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# Layers whose sizes are those of the first x
def lazy():
    return nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))


def test_lazy_layers_become_the_layers_that_they_stand_for():
    net, plain = lazy(), nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    assert repr(net[4]) == "LazyLinear(...)"
    x = RNG.normal(size=(6, 3, 4, 4))
    optimizer = optim.Adam(net.parameters(), 0.01)  # (before the sizes are known)
    net(x)
    assert [type(layer) for layer in net] == [type(layer) for layer in plain]
    assert repr(net) == repr(plain)
    assert {path: a.shape for path, a in net.state_dict().items()} == {path: a.shape for path, a in plain.state_dict().items()}
    plain.load_state_dict(net.state_dict())
    assert_allclose(net(x).numpy(), plain(x).numpy(), rtol=1e-12)
    before = [p.numpy() for p in net.parameters()]
    nn.cross_entropy(net(x), RNG.integers(0, 5, 6)).backward()
    optimizer.step()
    assert all((p.numpy() != old).any() for p, old in zip(net.parameters(), before) if p.grad.any())


def test_lazy_layers_draw_from_the_models_seed_and_keep_its_dtype():
    x = RNG.normal(size=(2, 3, 4, 4)).astype(np.float32)
    first, second = (lazy().reset_parameters(0).astype(np.float32) for _ in range(2))
    np.testing.assert_array_equal(first(x).numpy(), second(x).numpy())
    assert {p.dtype for p in first.parameters()} == {np.dtype(np.float32)}


def test_a_lazy_layer_must_be_called_before_it_is_compiled():
    net = nn.LazyLinear(3)
    step = compile(lambda x: net(x).sum(), optim.SGD(net.parameters(), 0.1))
    with pytest.raises(CompileError, match="LazyLinear takes its size from the first x: call the network once before it is compiled"):
        step(np.ones((2, 4)))
    expected = net(np.ones((2, 4))).sum().item()
    assert step(np.ones((2, 4))) == pytest.approx(expected, rel=1e-13)


def test_a_lazy_layer_says_what_it_takes_its_size_from():
    with pytest.raises(ShapeError, match=r"LazyConv2d takes its size from axis 1 of the first x, and that has shape \(3,\)"):
        nn.LazyConv2d(4, 3)(np.ones(3))


def test_a_dict_of_modules_names_its_parts():
    parts = nn.ModuleDict({"embed": nn.Embedding(5, 3), "head": nn.Linear(3, 5)})
    assert parts["head"] is parts.head
    assert (list(parts), len(parts), "head" in parts) == (["embed", "head"], 2, True)
    assert parts.values() == [parts.embed, parts.head]
    with pytest.raises(TypeError, match="ModuleDict: 'b' must be a Module, not int"):
        nn.ModuleDict({"b": 1})
