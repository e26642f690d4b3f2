"""Compiled functions and steps do what the code does, to the last bit but for the order of some sums, and say so where they cannot."""

import re
import subprocess
import sys
import threading
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_checker import check_plan

import tinygrad_hw as tg
from tinygrad_hw import CompileError, Tensor, compile, nn, optim
from tinygrad_hw.compiler.passes import PASSES
from tinygrad_hw.compiler.step import PLANNING

OPTIMIZERS = {
    "sgd": lambda ps: optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9),
    "nesterov": lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda ps: optim.Adam(ps, lr=0.01),
    "adamw": lambda ps: optim.AdamW(ps, lr=0.01, weight_decay=0.1),
}
EXACT = ("bias_in_product",)  # without this pass, whose sums add in another order, not a bit changes


class Net:
    """The report's network. (Of the slope of sigmoid, eager code takes the formula that rounds best for the values that it meets.)"""

    def __init__(self, sizes=(2, 10, 10, 1), dtype=float, activation=np.tanh, seed=0):
        rng = np.random.default_rng(seed)
        self.layers = [
            (
                Tensor(rng.normal(size=(n, m)), requires_grad=True, name=f"W{i}", dtype=dtype),
                Tensor(rng.normal(size=m), requires_grad=True, name=f"b{i}", dtype=dtype),
            )
            for i, (n, m) in enumerate(pairwise(sizes), 1)
        ]
        self.activation = activation

    @property
    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer]

    def __call__(self, x):
        for W, b in self.layers:
            x = self.activation(x @ W + b)
        return x


def loss_of(net):
    def loss_fn(X, y):
        return ((y - net(X)) ** 2).mean() / 2

    return loss_fn


def data(n=21, inputs=2, dtype=float, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, inputs)).astype(dtype)
    return X, (X[:, :1] > X[:, 1:2]).astype(dtype)


def eager_step(loss_fn, optimizer, *args):
    loss = loss_fn(*(Tensor(x) for x in args))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def values(parameters):
    return [parameter.numpy() for parameter in parameters]


def assert_same(xs, ys, **within):
    for x, y in zip(xs, ys, strict=True):
        np.testing.assert_allclose(x, y, **within) if within else np.testing.assert_array_equal(x, y)


def trained(make_net, optimizer, steps, args, without=(), backend="numpy"):
    """Train one network eagerly and its twin compiled; return the losses and the parameters of both."""
    eager, compiled = make_net(), make_net()
    o, c = OPTIMIZERS[optimizer](eager.parameters), OPTIMIZERS[optimizer](compiled.parameters)
    step = compile(loss_of(compiled), c, without=without, backend=backend)
    losses = [(eager_step(loss_of(eager), o, *args), step(*args)) for _ in range(steps)]
    return list(zip(*losses)), values(eager.parameters), values(compiled.parameters), step


# The same results
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_compiled_step_leaves_the_parameters_that_the_eager_one_leaves_bit_for_bit(optimizer):
    (eager, compiled), theirs, ours, _ = trained(Net, optimizer, 30, data(), EXACT)
    assert_same(theirs, ours)
    np.testing.assert_allclose(compiled, eager, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "activation",
    [tg.sigmoid, np.tanh, tg.relu, tg.gelu, tg.softplus, lambda z: z],
    ids=["sigmoid", "tanh", "relu", "gelu", "softplus", "linear"],
)
def test_every_activation_and_dtype_trains_as_it_does_eagerly(activation, dtype):
    with np.errstate(all="ignore"):  # (the linear network grows without bound)
        (eager, compiled), theirs, ours, _ = trained(lambda: Net(dtype=dtype, activation=activation), "sgd", 5, data(dtype=dtype), EXACT)
    assert_same(theirs, ours)
    assert type(compiled[-1]) is dtype
    np.testing.assert_allclose(compiled, eager, rtol=4 * np.finfo(dtype).eps)


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.integers(1, 9),
    st.sampled_from([tg.sigmoid, np.tanh, tg.relu]),
    st.sampled_from(sorted(OPTIMIZERS)),
    st.integers(0, 2**16),
)
def test_networks_of_any_size_train_as_they_do_eagerly(hidden, n, activation, optimizer, seed):
    make = lambda: Net((2, *hidden, 1), activation=activation, seed=seed)
    (eager, compiled), theirs, ours, _ = trained(make, optimizer, 4, data(n, seed=seed), EXACT)
    within = {"rtol": 1e-12, "atol": 1e-14} if activation is tg.sigmoid else {}
    np.testing.assert_allclose(compiled, eager, rtol=max(1e-15, within.get("rtol", 0)), atol=1e-300)
    assert_same(theirs, ours, **within)


@pytest.mark.parametrize("without", [*(name for name in PASSES if name not in EXACT), *PLANNING])
@pytest.mark.parametrize("activation", [tg.sigmoid, tg.relu])
def test_each_pass_leaves_the_results_as_they_are(without, activation):
    """All of these keep every bit but one: a sum written as a product adds in another order, and may round otherwise."""
    make = lambda: Net(activation=activation)
    (_, compiled), _, full, _ = trained(make, "adam", 5, data(), EXACT)
    (_, fewer), _, left_out, _ = trained(make, "adam", 5, data(), (*EXACT, without))
    if without == "sum_by_product":
        np.testing.assert_allclose(compiled, fewer, rtol=1e-14)
    else:
        assert compiled == fewer
        assert_same(full, left_out)


def test_biases_inside_products_leave_two_calls_a_layer_out_and_round_as_sums_in_another_order():
    (_, inside), _, ours, step = trained(lambda: Net(activation=tg.sigmoid), "sgd", 5, data())
    (_, beside), _, theirs, other = trained(lambda: Net(activation=tg.sigmoid), "sgd", 5, data(), EXACT)
    np.testing.assert_allclose(inside, beside, rtol=1e-14)
    assert_same(ours, theirs, rtol=1e-13, atol=1e-15)
    assert [one.program_text.count("np_add(") for one in (step, other)] == [3, 6]  # what is left is 1 + e^-z
    assert [len(re.findall(r"dot(_\d)?\(", one.program_text)) for one in (step, other)] == [9, 12]


def residual(W, b):
    return lambda x, σ: x + σ(x @ W + b)


def gated(W, b):
    return lambda x, σ: σ(x @ W + b) * (x @ W).sum(axis=1, keepdims=True)


def normalized(W, b):
    return lambda x, σ: tg.softmax(x @ W + b, axis=1) - σ(x)


def twice(W, b):
    return lambda x, σ: σ(σ(x @ W + b) @ W + b)


def transposed(W, b):
    return lambda x, σ: (W @ σ(x @ W + b).T).T


LAYERS = [lambda W, b: lambda x, σ: σ(x @ W + b), residual, gated, normalized, twice, transposed]


@given(
    st.lists(st.sampled_from(LAYERS), min_size=1, max_size=4),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([tg.sigmoid, np.tanh, tg.relu, lambda z: z]),
    st.sampled_from([np.float64, np.float32]),
    st.integers(0, 2**16),
)
def test_biases_inside_products_fit_layers_of_any_form(layers, width, n, σ, dtype, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, width)).astype(dtype), rng.normal(size=(n, 1)).astype(dtype)
    starts = [rng.normal(size=shape).astype(dtype) / 2 for _ in layers for shape in ((width, width), (width,))]
    starts += [rng.normal(size=(width, 1)).astype(dtype), np.ones(1, dtype)]

    def network():
        parameters = [Tensor(start, requires_grad=True) for start in starts]
        made = [layer(W, b) for layer, W, b in zip(layers, parameters[::2], parameters[1::2])]

        def loss_fn(X, y):
            for layer in made:
                X = layer(X, σ)
            return ((X @ parameters[-2] + parameters[-1] - y) ** 2).mean()

        return parameters, loss_fn, optim.SGD(parameters, lr=0.01)

    (ours, f, o), (theirs, g, p) = network(), network()
    step = compile(f, o)
    with np.errstate(all="ignore"):
        for _ in range(3):
            np.testing.assert_allclose(step(X, y), eager_step(g, p, X, y), rtol=1e4 * np.finfo(dtype).eps, atol=1e3 * np.finfo(dtype).eps)
    scale = max(1, *(np.abs(kept).max() for kept in values(theirs)))
    assert_same(values(ours), values(theirs), rtol=1e4 * np.finfo(dtype).eps, atol=1e3 * np.finfo(dtype).eps * scale)


ONE = [
    np.exp, np.tanh, tg.sigmoid, np.transpose, np.square, lambda a: 1 - a, lambda a: np.maximum(a, 0), lambda a: a[::-1],
    lambda a: a[0] + a, lambda a: np.where(a > 0, a, -a), lambda a: a - a.mean(axis=0), lambda a: a.reshape(-1)[:9].reshape(3, 3),
    lambda a: a / (1 + (a * a).sum(axis=1, keepdims=True)), lambda a: np.concatenate([a[1:], a[:-1] * a[1:]])[:3],
]  # fmt: skip
TWO = [
    np.add, np.multiply, np.subtract, np.matmul, lambda a, b: a @ b.T, lambda a, b: a.T @ b, lambda a, b: a + b.sum(axis=0),
    lambda a, b: np.concatenate([a, b])[1:4],
]  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(ONE + TWO), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12), st.integers(0, 2**16)
)
def test_whatever_uses_what_later_on_no_memory_is_written_to_too_soon(calls, seed):
    rng = np.random.default_rng(seed)
    start, X = [rng.normal(size=shape) / 2 for shape in ((3, 3), (3,))], rng.normal(size=(3, 3))

    def loss_fn(W, b, X):
        made = [X, W, X @ W + b]
        for function, i, j in calls:
            made.append(np.tanh(function(*(made[-1 - k % len(made)] for k in ((i, j) if function in TWO else (i,))))))
        return sum((y * y).mean() for y in made[-3:]) + (W * W).mean() + (b * b).mean()

    ours, theirs = ([Tensor(value, requires_grad=True) for value in start] for _ in range(2))
    optimizer = optim.SGD(theirs, lr=0.01)
    step = compile(lambda X: loss_fn(*ours, X), optim.SGD(ours, lr=0.01))
    for _ in range(3):
        np.testing.assert_allclose(step(X), eager_step(lambda X: loss_fn(*theirs, X), optimizer, X), rtol=1e-12)
    assert_same(values(ours), values(theirs), rtol=1e-11, atol=1e-13)
    check_plan(step._entry().plan, rng)
    gradient = tg.grad(loss_fn, argnums=(0, 1, 2))
    compiled, exact = compile(gradient), gradient(*start, X)
    for _ in range(2):
        assert_same(compiled(*start, X), exact, rtol=1e-11, atol=1e-13)
    check_plan(compiled._entry().plan, rng)


def test_a_view_of_one_half_of_a_joint_buffer_is_read_after_the_other_half_has_been_written_to():
    def loss_fn(p, q):
        p, q = p * p, q * q
        u, v = 1 - p, 1 - q
        return u.sum() + (v * v).sum() + (v[1:] * q[1:]).sum()

    gradient, x, y = tg.value_and_grad(loss_fn, (0, 1)), np.ones(3), np.arange(5.0)
    compiled = compile(gradient)
    assert_same(compiled(x, y)[1], gradient(x, y)[1], rtol=1e-14)
    check_plan(compiled._entry().plan, np.random.default_rng(0))


@pytest.mark.parametrize(
    "loss", [lambda p, q: 2 * p + q * q, lambda p, q: p * 3.0 + q * q, lambda p, q: (p * p).sum() + ((q * q) ** 2).sum()]
)
def test_parameters_are_updated_together_where_the_gradient_of_one_is_a_constant(loss):
    ours, theirs = ([Tensor(value, requires_grad=True) for value in (1.0, 2.0)] for _ in range(2))
    step, optimizer = compile(lambda: loss(*ours), optim.SGD(ours, lr=0.1)), optim.SGD(theirs, lr=0.1)
    for _ in range(3):
        assert step() == eager_step(lambda: loss(*theirs), optimizer)
    assert_same(values(ours), values(theirs), rtol=1e-14)


def test_no_pass_at_all_still_computes_the_same():
    (eager, plain), theirs, ours, _ = trained(Net, "adam", 5, data(), without=(*PASSES, *PLANNING))
    np.testing.assert_allclose(plain, eager, rtol=1e-14)
    assert_same(theirs, ours, rtol=1e-12)


def test_a_network_of_modules_with_a_classification_loss_trains_as_it_does_eagerly():
    def make():
        rng = np.random.default_rng(3)
        return nn.Sequential(nn.Linear(4, 8, rng=rng), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3, rng=rng))

    X, c = np.random.default_rng(0).normal(size=(12, 4)), np.arange(12) % 3
    eager, compiled = make(), make()
    o, p = optim.Adam(eager.parameters()), optim.Adam(compiled.parameters())
    step = compile(lambda X, c: nn.cross_entropy(compiled(X), c), p)
    for k in range(5):
        classes = (c + k) % 3
        loss = nn.cross_entropy(eager(Tensor(X)), classes)
        o.zero_grad()
        loss.backward()
        o.step()
        np.testing.assert_allclose(step(X, classes), loss.item(), rtol=1e-14)
    assert_same(values(eager.parameters()), values(compiled.parameters()), rtol=1e-12)
    assert step.recordings == 2


def test_memory_that_a_view_of_any_kind_looks_at_is_not_reused():
    def loss_fn(x):
        pooled = nn.functional.max_pool(tg.relu(x * w)[None, None], 2)
        return (np.tanh(pooled) ** 2).sum() + (pooled**2).sum()

    w = Tensor(np.random.default_rng(0).normal(size=8), requires_grad=True)
    x, start = np.random.default_rng(1).normal(size=8), w.numpy()
    o = optim.SGD([w], lr=0.1)
    eager = [eager_step(loss_fn, o, x) for _ in range(4)]
    w.data = start
    step = compile(loss_fn, optim.SGD([w], lr=0.1))
    np.testing.assert_allclose([step(x) for _ in range(4)], eager, rtol=1e-14)


def test_a_result_that_a_call_made_as_a_view_is_not_overwritten():
    f = compile(lambda x: np.lib.stride_tricks.sliding_window_view(x + 1, 2))
    x = np.arange(4.0)
    first = f(x)
    kept = np.array(first)
    f(x * 7)
    np.testing.assert_array_equal(first, kept)


# Pure functions
def test_a_pure_function_gives_arrays_for_arrays_and_tensors_for_tensors():
    f = compile(lambda x, y: {"sum": np.sin(x) + y, "parts": (x[1:], 2 * y)})
    x, y = np.arange(3.0), np.ones(3)
    for _ in range(2):
        out = f(x, y)
        np.testing.assert_array_equal(out["sum"], np.sin(x) + 1)
        np.testing.assert_array_equal(out["parts"][0], [1, 2])
    assert type(out["sum"]) is np.ndarray
    assert isinstance(f(Tensor(x), y)["sum"], Tensor)


@pytest.mark.parametrize(
    "f, expected",
    [
        (lambda x: tg.grad(lambda x: np.sum(np.sin(x) * x))(x), lambda x: np.cos(x) * x + np.sin(x)),
        (lambda x: tg.hvp(lambda x: np.sum(x**3), x, x), lambda x: 6 * x * x),
        (lambda x: tg.hessian(lambda x: np.prod(x))(x), lambda x: np.prod(x) / np.outer(x, x) * (1 - np.eye(3))),
        (lambda x: tg.jvp(np.exp, (x,), (x,))[1], lambda x: x * np.exp(x)),
        (lambda x: tg.value_and_grad(lambda x: np.sum(tg.relu(x)))(x)[1], lambda x: (x > 0) * 1.0),
        (lambda x: tg.jacobian(lambda x: x * x[0])(x), lambda x: np.eye(3) * x[0] + np.outer(x, [1, 0, 0])),
        (lambda x: np.sort(x)[::-1], lambda x: np.sort(x)[::-1]),
        (lambda x: np.linalg.inv(np.outer(x, x) + np.eye(3)), lambda x: np.linalg.inv(np.outer(x, x) + np.eye(3))),
        (lambda x: np.concatenate([x, x]).reshape(2, 3).T @ np.ones(2), lambda x: 2 * x),
        (lambda x: tg.softmax(x), lambda x: np.exp(x) / np.exp(x).sum()),
    ],
    ids=["grad", "hvp", "hessian", "jvp", "relu", "jacobian", "sort", "inv", "shapes", "softmax"],
)
def test_transforms_and_functions_of_every_kind_can_be_compiled(f, expected):
    compiled = compile(f)
    for seed in range(3):
        x = np.random.default_rng(seed).uniform(0.5, 2, 3)
        np.testing.assert_allclose(compiled(x), expected(x), rtol=1e-12, atol=1e-14)
    assert compiled.recordings == 1


def test_a_choice_without_gradient_at_a_bad_value_is_as_exact_as_eagerly():
    """``where(x > 0, log x, 0)`` has the gradient 0 at x = 0, also when the plan was recorded where it did not matter."""
    f = lambda x: tg.grad(lambda x: np.sum(np.where(x > 0, np.log(x), 0)))(x)
    compiled = compile(f)
    with np.errstate(all="ignore"):
        for x in ([1.0, 2.0], [0.0, 2.0], [0.0, 4.0], [0.0, 5.0], [1.0, 8.0]):
            np.testing.assert_array_equal(compiled(np.array(x)), f(np.array(x)))


# Nothing of the caller's is overwritten
def test_what_was_returned_is_never_overwritten():
    f = compile(lambda x: (x, x.T, x + 1, (x + 1)[0], 2.0 * x))
    first = f(np.eye(2))
    kept = [np.array(y) for y in first]
    f(np.full((2, 2), 7.0))
    assert_same(first, kept)


def test_what_was_passed_in_is_neither_written_to_nor_returned():
    x = np.ones((2, 2))
    x.flags.writeable = False
    out = compile(lambda x: x)(x)
    assert not np.shares_memory(out, x)


def test_an_input_may_be_a_view_of_what_is_not_contiguous():
    f = compile(lambda x: x @ x.T)
    big = np.arange(24.0).reshape(4, 6)
    for x in (big[:, ::2], big[:, :3], np.asfortranarray(big[:, :3])):
        np.testing.assert_array_equal(f(x), x @ x.T)


# Parameters, optimiser
def step_and_twin(optimizer="sgd"):
    net, twin = Net(), Net()
    o, t = OPTIMIZERS[optimizer](net.parameters), OPTIMIZERS[optimizer](twin.parameters)
    step, X, y = compile(loss_of(net), o, without=EXACT), *data()
    return net, o, lambda: step(X, y), twin, t, lambda: eager_step(loss_of(twin), t, X, y)


def assert_in_step(net, step, twin, eager):
    for _ in range(2):
        np.testing.assert_allclose(step(), eager(), rtol=1e-15)
    assert_same(values(net.parameters), values(twin.parameters))


@pytest.mark.parametrize("held_before", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_parameters_stay_assignable_and_writable_from_outside(optimizer, held_before):
    net, _, step, twin, _, eager = step_and_twin(optimizer)
    held = net.layers[0][0].data if held_before else None
    assert_in_step(net, step, twin, eager)
    net.layers[0][0].data = twin.layers[0][0].data = np.full((2, 10), 0.5)
    assert_in_step(net, step, twin, eager)
    for both in (net, twin):
        both.layers[1][1].data[2:] = -1
    assert_in_step(net, step, twin, eager)
    if held_before:
        np.testing.assert_array_equal(held, net.layers[0][0].numpy())
        held[...] = 0.25
        twin.layers[0][0].data[...] = 0.25
        assert_in_step(net, step, twin, eager)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_learning_rate_the_settings_and_the_memory_may_be_changed_between_steps(optimizer):
    net, o, step, twin, t, eager = step_and_twin(optimizer)
    assert_in_step(net, step, twin, eager)
    saved = o.state_dict(), [p.numpy() for p in net.parameters]
    o.lr = t.lr = 0.03
    assert_in_step(net, step, twin, eager)
    o.weight_decay = t.weight_decay = 0.1
    assert_in_step(net, step, twin, eager)
    for optimizer_, parameters in ((o, net.parameters), (t, twin.parameters)):
        optimizer_.load_state_dict(saved[0])
        for parameter, value in zip(parameters, saved[1]):
            parameter.data = value
    assert_in_step(net, step, twin, eager)
    ours, theirs = ([kept for state in optimizer_.state_dict()["state"] for kept in state.values()] for optimizer_ in (o, t))
    assert_same(ours, theirs)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_eager_steps_between_compiled_ones_go_on_from_where_those_are(optimizer):
    net, o, step, twin, _, eager = step_and_twin(optimizer)
    assert_in_step(net, step, twin, eager)
    X, y = data()
    eager_step(loss_of(net), o, X, y)
    eager()
    assert_in_step(net, step, twin, eager)


def test_a_graph_recorded_before_a_step_keeps_its_values():
    net, _, step, *_ = step_and_twin()
    step()
    W = net.layers[0][0]
    loss = (W * W).sum()
    before = W.numpy()
    step()
    loss.backward()
    np.testing.assert_array_equal(W.grad, 2 * before)


def test_gradients_are_left_alone():
    net, _, step, *_ = step_and_twin()
    net.layers[0][0].grad = np.ones((2, 10))
    step()
    step()
    np.testing.assert_array_equal(net.layers[0][0].grad, 1)
    assert net.layers[0][1].grad is None


def test_gradient_clipping_in_the_optimisers_step_is_recorded_with_it():
    class Clipped(optim.SGD):
        def step(self):
            norm = np.sqrt(sum((p.grad * p.grad).sum() for p in self.parameters))
            for p in self.parameters:
                p.grad = p.grad * np.minimum(1.0, 0.01 / norm)
            super().step()

    net, twin, (X, y) = Net(), Net(), data()
    step, t = compile(loss_of(net), Clipped(net.parameters, lr=1.0)), Clipped(twin.parameters, lr=1.0)
    for _ in range(5):
        np.testing.assert_allclose(step(X, y), eager_step(loss_of(twin), t, X, y), rtol=1e-14)
    assert_same(values(net.parameters), values(twin.parameters), rtol=1e-13, atol=1e-16)


def test_a_parameter_that_the_loss_does_not_use_or_that_is_frozen_stays_as_it_is():
    net, extra = Net(), Tensor(np.ones(3), requires_grad=True)
    step = compile(loss_of(net), optim.SGD([*net.parameters, extra], lr=0.1))
    X, y = data()
    with pytest.warns(UserWarning, match="parameter 6 got no gradient"):
        step(X, y)
    np.testing.assert_array_equal(extra.numpy(), 1)
    W, b = net.layers[0]
    W.requires_grad = False
    before = W.numpy(), b.numpy()
    step(X, y)
    np.testing.assert_array_equal(W.numpy(), before[0])
    assert not np.array_equal(b.numpy(), before[1])


def test_repeat_gives_the_losses_of_as_many_steps():
    net, _, _, _, _, eager = step_and_twin("adam")
    X, y = data()
    repeated = compile(loss_of(net), optim.Adam(net.parameters, lr=0.01), without=EXACT)
    losses = repeated.repeat(7, X, y)
    np.testing.assert_allclose(losses, [eager() for _ in range(7)], rtol=1e-15)
    assert losses.shape == (7,)
    assert repeated.repeat(0, X, y).shape == (0,)


def test_a_constant_matrix_may_stand_on_either_side():
    A, x = np.random.default_rng(0).normal(size=(2, 3, 3))
    for f in (lambda x: A @ x, lambda x: x @ A, lambda x: A.dot(A) @ x @ A):
        np.testing.assert_array_equal(compile(f)(x), f(x))
        of_sum = tg.grad(lambda x, f=f: np.sum(A * f(x)))
        np.testing.assert_array_equal(compile(of_sum)(x), of_sum(x))


# Other shapes, other dtypes, what is captured
def test_other_shapes_and_dtypes_are_recorded_once_each():
    net = Net()
    step = compile(loss_of(net), optim.SGD(net.parameters, lr=0.1))
    for n in (21, 5, 21, 5):
        step(*data(n))
    assert step.recordings == 2
    X, y = data()
    step(X, y.astype(int))
    assert step.recordings == 3


def test_it_warns_when_it_is_recorded_again_and_again():
    f = compile(lambda x: x + 1)
    with pytest.warns(RuntimeWarning, match=r"has been recorded 8 times: its arguments keep changing shape or dtype"):
        for n in range(1, 10):
            f(np.ones(n))


def test_captured_tensors_arrays_and_numbers_are_read_as_they_are_now():
    tensor, array, box = Tensor([1.0, 2.0]), np.array([1.0, 2.0]), {"scale": 2.0}
    f = compile(lambda x: x * tensor + array * box["scale"])
    g = lambda x: x * tensor.numpy() + array * box["scale"]
    x = np.array([3.0, 4.0])
    np.testing.assert_array_equal(f(x), g(x))
    tensor.data = [5.0, 6.0]
    np.testing.assert_array_equal(f(x), g(x))
    tensor.data[0] = 9.0
    np.testing.assert_array_equal(f(x), g(x))
    array[1] = -1.0
    np.testing.assert_array_equal(f(x), g(x))
    box["scale"] = 3.0
    np.testing.assert_array_equal(f(x), g(x))


def test_numbers_among_the_arguments_floating_ones_vary_and_others_are_recorded():
    f = compile(lambda x, scale, flag: x * scale if flag else x)
    x = np.ones(2, np.float32)
    for scale in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(f(x, scale, True), x * scale)
        assert f(x, scale, True).dtype == np.float32
    assert f.recordings == 1
    np.testing.assert_array_equal(f(x, 3.0, False), x)
    assert f.recordings == 2


# What cannot be compiled
def line_of(text):
    with open(__file__, encoding="utf-8") as file:
        return next(i for i, line in enumerate(file, 1) if text in line)


def decides(x):
    if x.sum() > 1:  # decision
        return x
    return -x


def converts(x):
    return x * float(np.sum(x))  # conversion


def draws(x):
    return x + np.random.default_rng().normal(size=2)  # randomness


def masks(x):
    return x[x > 0].sum()  # mask


def prints(x):
    print(x)  # printing
    return x


def items(x):
    return x * x.sum().item()  # item


@pytest.mark.parametrize(
    "f, mark, message",
    [
        (decides, "# decision", r"a decision .* depends on a value .* np\.where"),
        (converts, "# conversion", r"float\(\) depends on a value"),
        (draws, "# randomness", r"recorded a second time with the same arguments, the code did something else here\. Random numbers"),
        (masks, "# mask", r"an index of True and False gives a shape that depends on values; np\.where"),
        (prints, "# printing", r"a conversion to a plain array depends on a value|printing depends on a value"),
        (items, "# item", r"\.item\(\) depends on a value"),
    ],
)
def test_what_would_be_frozen_raises_at_the_first_call_with_its_line(f, mark, message):
    with pytest.raises(CompileError, match=message) as error:
        compile(f)(np.array([1.0, 2.0]))
    assert f"line {line_of(mark)}:" in str(error.value)


def test_a_side_effect_raises_at_the_first_call():
    seen, count = [], {"calls": 0}

    def appends(x):
        seen.append(1)
        return x * 2

    def counts(x):
        count["calls"] += 1
        return x * 2

    for f in (appends, counts):
        with pytest.raises(CompileError, match="would happen at the first call only: return it, or do it outside"):
            compile(f)(np.ones(2))


def test_writing_into_an_array_from_outside_raises():
    buffer = np.zeros(2)

    def writes(x):
        buffer[...] = x
        return x

    with pytest.raises(CompileError, match="an array that is an input, or computed from one, cannot be written to"):
        compile(writes)(np.ones(2))


def test_an_error_while_recording_leaves_parameters_and_optimiser_as_they_were():
    net = Net()
    optimizer = optim.Adam(net.parameters, lr=0.01)
    before = values(net.parameters)

    def bad(X, y):
        loss = loss_of(net)(X, y)
        return loss if loss > 0 else -loss

    with pytest.raises(CompileError):
        compile(bad, optimizer)(*data())
    assert_same(values(net.parameters), before)
    assert optimizer.state == [{}] * 6
    assert eager_step(loss_of(net), optimizer, *data()) > 0


def test_a_loss_that_is_none_is_refused():
    net = Net()
    with pytest.raises(tg.GradientError, match="needs a cotangent: reduce it to one number first"):
        compile(lambda X: net(X), optim.SGD(net.parameters, lr=0.1))(data()[0])
    with pytest.raises(tg.GradientError, match="does not require a gradient"):
        compile(lambda X: X.sum(), optim.SGD(net.parameters, lr=0.1))(data()[0])
    with pytest.raises(tg.GradientError, match="the loss must be a Tensor of one entry, not NoneType"):
        compile(lambda X: None, optim.SGD(net.parameters, lr=0.1))(data()[0])


def test_no_gradient_flows_through_a_compiled_function():
    with pytest.raises(tg.GradientError, match=r"<lambda> is compiled: no gradient flows through it; put tg\.grad inside"):
        compile(lambda x: x * 2)(Tensor(1.0, requires_grad=True))


def test_unknown_backends_and_passes_are_refused():
    with pytest.raises(ValueError, match="backend must be one of 'numpy', 'numba', not 'cuda'"):
        compile(abs, backend="cuda")
    with pytest.raises(ValueError, match="there is no pass nothing: there are drop_copies"):
        compile(abs, without=("nothing",))


def test_a_compiled_function_inside_another_is_recorded_with_it():
    inner = compile(lambda x: x * 2)
    outer = compile(lambda x: inner(x) + 1)
    np.testing.assert_array_equal(outer(np.ones(2)), [3, 3])


def test_the_floating_error_state_of_the_code_holds_in_the_plan():
    f = compile(lambda x: tg.logsumexp(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            assert f(np.full(3, -np.inf)) == -np.inf


def test_threads_may_share_a_compiled_function():
    f = compile(lambda x: (x @ x + x) @ x)
    xs = [np.full((8, 8), float(i)) for i in range(8)]
    out = {}

    def work(i):
        for _ in range(50):
            out[i] = f(xs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(out[i], (xs[i] @ xs[i] + xs[i]) @ xs[i]) for i in range(8))


# The memory
def test_a_compiled_step_needs_no_more_memory_than_the_loop_tuned_by_hand_and_a_fifth():
    """By hand: five buffers (21, 10), three (21, 1), a row, the labels, and two of all parameters."""
    net = Net()
    step = compile(loss_of(net), optim.SGD(net.parameters, lr=0.1))
    step(*data())
    parameters = 151
    assert step.nbytes + 8 * parameters <= 1.2 * 8 * (5 * 210 + 3 * 21 + 2 * 21 + 2 * parameters)


# The source
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_source_runs_by_itself_and_gives_the_same(optimizer):
    net, (X, y) = Net(), data()
    o = OPTIMIZERS[optimizer](net.parameters)
    step = compile(loss_of(net), o)
    step(X, y)
    step(X, y)
    before = values(net.parameters)
    space = {}
    exec(step.source, space)
    names = space["loss_fn"].__code__.co_varnames[: space["loss_fn"].__code__.co_argcount]
    given = dict(zip(["W1", "b1", "W2", "b2", "W3", "b3"], before)) | {"X": X, "y": y, "lr": o.lr, "step": o.state[0].get("step")}
    given |= {f"{key}_{p.name}": np.array(kept) for p, state in zip(net.parameters, o.state) for key, kept in state.items()}
    out = space["loss_fn"](*(given[name] for name in names))
    loss = step(X, y)
    np.testing.assert_allclose(out[0], loss, rtol=1e-15)
    assert_same(out[1:7], values(net.parameters), rtol=1e-14)


def test_the_source_of_the_reports_network_shows_its_delta_equations():
    net = Net(activation=tg.sigmoid)
    step = compile(loss_of(net), optim.SGD(net.parameters, lr=0.1))
    step(*data())
    for line in (
        "def loss_fn(X, y, W1, b1, W2, b2, W3, b3, lr):",
        # (1 - a is 1 / t with t = 1 + eᶻ, which does not cancel)
        "delta2 = delta3 @ W3.T * (a2 * (1 / t4))",
        "delta1 = delta2 @ W2.T * (a1 * (1 / t2))",
        "dW3 = a2.T @ delta3",
        "db2 = np.sum(delta2, axis=0)",
        "dW1 = X.T @ delta1",
        "new_W1 = W1 - lr * dW1",
        "# test_compiler.py:",
        "x = self.activation(x @ W + b)",
    ):
        assert line in step.source, step.source


def test_the_source_holds_what_was_computed_of_constants_alone():
    f = compile(lambda x: x * np.linalg.inv(np.array([[2.0, 1.0], [0.0, 4.0]])) + tg.grad(lambda y: np.sum(y * 3.0))(x))
    x = np.ones((2, 2))
    space = {}
    expected = f(x)
    exec(f.source.replace("<lambda>", "f"), space)
    np.testing.assert_array_equal(space["compiled"](x), expected)


def test_tensors_may_be_passed_in_and_read_as_they_are_at_each_call():
    net, twin, (X, y) = Net(), Net(), data()
    step, other = (compile(loss_of(n), optim.SGD(n.parameters, lr=0.1)) for n in (net, twin))
    points, labels = Tensor(X), Tensor(y)
    for _ in range(3):
        assert step(points, labels) == other(X, y)
    points.data = X[::-1]
    assert step(points, labels) == other(np.array(X[::-1]), y)
    assert step.recordings == 1


def test_before_the_first_call_there_is_no_source():
    with pytest.raises(CompileError, match="has not been called: it is recorded at its first call"):
        compile(lambda x: x).source  # noqa: B018


def test_tg_compile_can_be_called_whatever_was_imported_first():
    line = "import tinygrad_hw.compiler, tinygrad_hw as tg; print(float(tg.compile(lambda x: x * 2)(3.0)))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("6.0\n", "")


def test_calls_are_not_done_together_where_one_of_their_arguments_lies_with_more_than_the_others():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
    p = [Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((3, 4), (4,), (4, 1), (1,))]
    loss = lambda x, y: ((tg.sigmoid(tg.sigmoid(x @ p[0] + p[1]) @ p[2] + p[3]) - y) ** 2).mean()
    expected = loss(x, y).item()
    assert np.isclose(compile(loss, optim.SGD(p, lr=0.1))(x, y), expected, rtol=1e-14)


def test_modules_may_be_among_the_arguments_and_are_read_as_they_are_at_each_call():
    nets = [nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).reset_parameters(seed) for seed in (0, 1)]
    X, y = data()
    loss = lambda net, X, y: nn.mse_loss(net(X), y)
    gradients = compile(tg.value_and_grad(loss))
    for net in (*nets, nets[0]):
        value, found = gradients(net, X, y)
        expected, grads = tg.value_and_grad(loss)(net, X, y)
        np.testing.assert_allclose(value, expected.data, rtol=1e-14)
        for path, g in grads.items():
            np.testing.assert_allclose(found[path], g.data, rtol=1e-12, atol=1e-15)
    assert gradients.recordings == 2
    with tg.no_grad():
        nets[0].layers[0].weight *= 2
    np.testing.assert_allclose(gradients(nets[0], X, y)[0], loss(nets[0], X, y).data, rtol=1e-14)
    assert gradients.recordings == 2


def test_modules_may_stand_in_containers_and_by_name():
    nets = {name: nn.Linear(2, 1).reset_parameters(seed) for seed, name in enumerate("ab")}
    X, _ = data()
    both = compile(lambda nets, X: nets["a"](X) * nets["b"](X))
    np.testing.assert_allclose(both(nets, X=X), (nets["a"](X) * nets["b"](X)).data, rtol=1e-14)


@pytest.mark.parametrize(
    "factor, said", [(2 / 21, "(2 / 21)"), (-5 / 7, "(-5 / 7)"), (1 / 21, "(1 / 21)"), (0.1, "0.1"), (2**-0.5, repr(2**-0.5))]
)
def test_a_source_shows_a_ratio_of_small_whole_numbers_as_one(factor, said):
    f = compile(lambda x: np.sin(x) * factor)
    f(np.ones(3))
    assert said in f.source


def test_a_call_with_a_module_and_one_without_run_and_show_each_its_own_plan():
    net, (X, _) = nn.Linear(2, 1).reset_parameters(0), data()
    f = compile(lambda a, x=None: 2 * a if x is None else a(x))
    for _ in range(2):
        np.testing.assert_allclose(f(net, X), net(X).data, rtol=1e-14)
        assert "X" not in f.source and "x @ W" in f.source
        with_net = f.javascript
        np.testing.assert_array_equal(f(X), 2 * X)
        assert "2 * a" in f.source
        assert f.javascript != with_net


def test_a_step_of_a_module_that_is_an_argument_trains_it_and_reads_as_if_it_were_not():
    net, twin = (nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).reset_parameters(0) for _ in range(2))
    X, y = data()
    loss = lambda net, X, y: nn.mse_loss(net(X), y)
    step, optimizer = compile(loss, optim.SGD(net.parameters(), lr=0.1)), optim.SGD(twin.parameters(), lr=0.1)
    losses = [step(net, X, y), *step.repeat(3, net, X, y)]
    for found in losses:
        optimizer.zero_grad()
        expected = loss(twin, X, y)
        expected.backward()
        optimizer.step()
        np.testing.assert_allclose(found, expected.data, rtol=1e-12)
    assert "z1 = X @ W1 + b1" in step.source


def test_backward_inside_of_what_is_compiled_is_refused_with_the_way_to_train():
    net = nn.Linear(2, 1).reset_parameters(0)
    optimizer = optim.SGD(net.parameters(), lr=0.1)

    def step(X):
        optimizer.zero_grad()
        loss = np.mean(net(X) ** 2)
        loss.backward()
        optimizer.step()
        return loss

    for compiled in (compile(step), compile(step, optimizer)):
        with pytest.raises(CompileError, match=r"line \d+: backward\(\) inside of what is compiled .* return the loss"):
            compiled(np.ones((3, 2)))
    assert type(net.weight.data) is np.ndarray
    assert net.weight.grad is None


def written_through_a_reshape(x):
    y = x * 1
    y.reshape(-1)[::2] += 1.0  # (of an array whose axes lie in another order a reshape is a copy)
    return y


def test_the_order_of_axes_in_memory_decides_what_is_a_view_of_arguments_captured_things_and_parameters():
    rng = np.random.default_rng(3)
    C = rng.normal(size=(2, 3))
    F = np.asfortranarray(C)
    compiled = tg.compile(written_through_a_reshape)
    for x in (C, F, C, F[:, ::2], C[::-1]):
        np.testing.assert_array_equal(compiled(x), written_through_a_reshape(np.copy(x, order="K")))
    box = {"array": C.copy()}
    captured = tg.compile(lambda: written_through_a_reshape(Tensor(box["array"])))
    for box["array"] in (C, F):
        np.testing.assert_array_equal(captured(), written_through_a_reshape(box["array"]))
    for make in (lambda ps: optim.SGD(ps, lr=0.1), lambda ps: optim.Adam(ps, lr=0.1)):
        ours, theirs = ([Tensor(F, requires_grad=True), Tensor(C[0], requires_grad=True)] for _ in range(2))
        weights = rng.normal(size=(2, 3))

        def loss(ps, weights=weights):
            return np.sum(written_through_a_reshape(ps[0]) ** 2 * weights * ps[1])

        step, optimizer = tg.compile(lambda ps=ours, loss=loss: loss(ps), make(ours)), make(theirs)
        for _ in range(4):
            step()
            optimizer.zero_grad()
            loss(theirs).backward()
            optimizer.step()
        for p, q in zip(ours, theirs):
            np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-12)


def test_ufunc_at_cuts_off_what_an_integer_cannot_hold_compiled_too():
    def f(x):
        y = x * 1
        np.subtract.at(y, [0, 0], 0.25)
        return y

    np.testing.assert_array_equal(tg.compile(f)(np.array([3, 0])), f(np.array([3, 0])))


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize(
    "write",
    [
        lambda v, w: np.sin(v[::2], out=v), lambda v, w: np.add(v[:1], v[0], out=v), lambda v, w: np.concatenate([w[:1], w[1:]], out=v),
        lambda v, w: np.copyto(v, w.T.copy().T), lambda v, w: np.clip(w.T.copy().T, 0, 1, out=v),
    ],
)  # fmt: skip
def test_what_is_written_over_keeps_the_order_of_its_axes_so_that_its_reshapes_are_the_views_that_they_are_eagerly(write, order):
    def f(x, w):
        v = x * 1
        write(v, w)
        for flat, value in ((np.ravel(v), 8.0), (v.T.ravel(), 7.0)):
            flat[1] = value
        return np.sum(v * np.arange(6.0).reshape(2, 3))

    rng = np.random.default_rng(5)
    x, w = np.array(rng.normal(size=(2, 3)), order=order), rng.normal(size=(2, 3))
    value, gradients = tg.compile(tg.value_and_grad(f, (0, 1)))(x, w)
    expected, slopes = tg.value_and_grad(f, (0, 1))(x, w)
    assert value == pytest.approx(f(np.copy(x, order="K"), w), rel=1e-12) == pytest.approx(expected, rel=1e-12)
    for found, slope in zip(gradients, slopes):
        np.testing.assert_allclose(found, slope, rtol=1e-12, atol=1e-15)


def test_whether_all_gradients_are_finite_is_asked_once_and_a_choice_at_a_bad_value_is_still_eager():
    def make():
        ps = [Tensor(value, requires_grad=True) for value in (np.full((2, 3), 0.5), np.zeros(3))]

        def loss(x):
            z = x @ ps[0] + ps[1]
            return np.sum(np.where(z > 0, np.log(np.maximum(z, 0)), z**2))

        return loss, ps, optim.Adam(ps, lr=0.1)

    loss, ours, optimizer = make()
    step = tg.compile(loss, optimizer)
    eager, theirs, other = make()
    for x in (np.ones((4, 2)), np.ones((4, 2)), np.zeros((4, 2)), -np.ones((4, 2)), np.ones((4, 2))):
        other.zero_grad()
        with np.errstate(all="ignore"):
            found, expected = step(x), eager(Tensor(x))
            expected.backward()
        other.step()
        assert found == pytest.approx(expected.item(), rel=1e-12)
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-10)
    assert step.program_text.count("return VIOLATED") == 1


def test_what_is_written_into_an_argument_is_written_at_every_call_as_it_is_eagerly():
    def clipped(x, limits):
        x[x > limits[0]] = 0.0
        flat = x.reshape(-1)
        flat += 1.0
        return np.sum(x * x)

    run = tg.compile(clipped)
    for like in (np.array, lambda x: np.array(x)[:, ::-1], lambda x: Tensor(x)):
        for x in ([[1.0, 5.0], [2.0, 0.5]], [[7.0, 3.0], [-1.0, 2.5]], [[0.0, 9.0], [2.0, 4.0]]):
            ours, theirs, limits = like(x), like(x), [np.array(2.2)]
            if isinstance(theirs, Tensor):
                expected = clipped(theirs, limits)
            else:
                theirs[theirs > 2.2] = 0.0
                theirs += 1.0
                expected = np.sum(theirs * theirs)
            assert float(run(ours, limits)) == float(expected)
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    with tg.testing.detect_anomaly():
        x = np.array([[1.0, 5.0]])
        run(x, [np.array(2.2)])
    np.testing.assert_array_equal(x, [[2.0, 1.0]])
    assert "Return the result and the new values." in run.source and run.source.endswith("return result, x_2\n")
    with pytest.raises(CompileError, match="clipped writes into its arguments, which a JavaScript module does not: copy them first"):
        _ = run.javascript


@pytest.mark.filterwarnings("ignore:loss. NumPy runs what Numba has no code for")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_step_writes_into_its_arguments_at_each_of_its_repetitions(backend):
    pytest.importorskip(backend)
    w, x, rate = Tensor([1.0, 1.0], requires_grad=True, name="w"), np.array([1.0, -2.0]), 0.25

    def loss(x):
        x *= 0.5
        return np.sum(w * x)

    step = tg.compile(loss, tg.optim.SGD([w], lr=rate), backend=backend)
    losses = [float(step(x)), *step.repeat(3, x).tolist()]
    at, weights, expected = np.array([1.0, -2.0]), np.array([1.0, 1.0]), []
    for _ in range(4):
        at = at * 0.5
        expected.append(np.sum(weights * at))
        weights = weights - rate * at
    np.testing.assert_allclose(losses, expected, rtol=1e-14)
    np.testing.assert_allclose(w.numpy(), weights, rtol=1e-14)
    np.testing.assert_array_equal(x, at)


def test_writes_into_arguments_that_the_caller_would_not_see_are_refused():
    def add(x, y):
        x += y
        return np.sum(x)

    def new_key(d):
        d["twice"] = d["x"] * 2.0
        return np.sum(d["twice"])

    def parameter(x):
        x[0] = w[0]
        return np.sum(x)

    w, whole = Tensor([2.0], requires_grad=True), np.arange(6.0)
    run = tg.compile(add)
    run(whole[:3], whole[3:])
    np.testing.assert_array_equal(whole, [3.0, 5.0, 7.0, 3.0, 4.0, 5.0])
    for y in (whole[:3], whole[1:4], whole[2::-1]):
        with pytest.raises(CompileError, match="writes into an argument that shares its memory with another one"):
            run(whole[:3], y)
    np.testing.assert_array_equal(whole, [3.0, 5.0, 7.0, 3.0, 4.0, 5.0])
    captured = tg.compile(lambda x: add(x, whole[3:]))
    captured(np.ones(3))
    with pytest.raises(CompileError, match="or with an array that it uses from outside: give it a copy"):
        captured(whole[:3])
    with pytest.raises(CompileError, match="changes a list or a dict that it was given, which the caller would not see: return a new one"):
        tg.compile(new_key)({"x": np.ones(3)})
    with pytest.raises(CompileError, match=r"writes into its argument what depends on a parameter.*copy it first"):
        tg.compile(parameter)(np.ones(3))


def test_a_scalar_in_another_dtype_is_a_scalar_which_cannot_be_written_to_compiled_either():
    def f(x):
        count = x.any().astype(int)
        np.put(count, [0], 2)
        return count

    with pytest.raises(TypeError, match="cannot be written to"):
        tg.compile(f)(np.ones(3))
