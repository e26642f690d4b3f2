"""The Numba backend computes what the NumPy plan computes, and says clearly what it cannot do."""

import builtins
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_checker import check_plan
from test_compiler import OPTIMIZERS, Net, assert_same, data, loss_of, trained, values

import tinygrad_hw as tg
from tinygrad_hw import Tensor, compile, nn, optim
from tinygrad_hw.compiler.kernels import Kernel


def test_without_numba_there_is_one_clear_error(monkeypatch):
    real = builtins.__import__

    def without_numba(name, *args, **kwargs):
        if name == "numba":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_numba)
    with pytest.raises(ImportError, match=r"backend='numba' needs Numba, which is not installed: pip install numba \(backend='numpy'"):
        compile(lambda x: x, backend="numba")


numba = pytest.importorskip("numba")


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_it_trains_as_the_eager_network_does(optimizer):
    (eager, compiled), theirs, ours, step = trained(Net, optimizer, 6, data(), backend="numba")
    np.testing.assert_allclose(compiled, eager, rtol=1e-13)
    assert_same(ours, theirs, rtol=1e-11)
    assert step.recordings <= 2


@pytest.mark.parametrize("activation, dtype", [(np.tanh, np.float64), (tg.relu, np.float32)], ids=["tanh", "relu"])
def test_other_activations_and_dtypes_train_as_well(activation, dtype):
    make = lambda: Net(dtype=dtype, activation=activation)
    (eager, compiled), _, ours, _ = trained(make, "sgd", 4, data(dtype=dtype), backend="numba")
    np.testing.assert_allclose(compiled, eager, rtol=100 * np.finfo(dtype).eps)
    assert ours[0].dtype == dtype


def test_repeat_does_the_same_steps_with_the_loop_inside(optimizer="adam"):
    net, twin, (X, y) = Net(), Net(), data()
    o, t = OPTIMIZERS[optimizer](net.parameters), OPTIMIZERS[optimizer](twin.parameters)
    step, single = compile(loss_of(net), o, backend="numba"), compile(loss_of(twin), t, backend="numba")
    np.testing.assert_array_equal(step.repeat(9, X, y), [single(X, y) for _ in range(9)])
    assert_same(values(net.parameters), values(twin.parameters))
    assert [state.get("step") for state in o.state] == [state.get("step") for state in t.state]
    o.lr = t.lr = 0.003
    np.testing.assert_array_equal(step.repeat(3, X, y), [single(X, y) for _ in range(3)])


def test_parameters_that_somebody_holds_are_updated_where_they_are():
    net, (X, y) = Net(), data()
    held = net.layers[0][0].data
    step = compile(loss_of(net), optim.SGD(net.parameters, lr=0.1), backend="numba")
    step.repeat(5, X, y)
    np.testing.assert_array_equal(held, net.layers[0][0].numpy())


def several(x):
    """Return products, reductions, choices, slices, a gradient, and the argument itself."""
    product = (np.exp(x) @ x.T, x @ x[0], x[0] @ x)
    reduced = (x.sum(axis=0), x.max(axis=1), x.mean(), np.sum(x, keepdims=True))
    return *product, *reduced, np.where(x > 1, x, -x), x[1:, ::2] * 2 + x[0, 0], tg.grad(lambda x: np.sum(np.sin(x) * x))(x), x


def test_pure_functions_give_what_numpy_gives():
    x = np.random.default_rng(0).uniform(0.5, 2, (4, 4))
    for ours, theirs in zip(compile(several, backend="numba")(x), several(Tensor(x)), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-14)


def test_what_it_has_no_code_for_runs_in_numpy_and_is_told_once():
    f = compile(lambda x: np.linalg.inv(np.sin(x) + np.exp(x) * 2 - 1).sum() + np.cumsum(x)[-1], backend="numba")
    with pytest.warns(UserWarning, match="NumPy runs what Numba has no code for, between its kernels: (inv, cumsum|cumsum, inv)"):
        f(np.eye(2))
    np.testing.assert_allclose(f(np.eye(2) * 2), f.function(np.eye(2) * 2), rtol=1e-14)
    f(np.eye(3))


def test_what_is_compiled_is_kept_for_other_processes(tmp_path, monkeypatch):
    code = (
        "import numpy as np\nfrom tinygrad_hw import compile\nf = compile(lambda x: x * 2 + 1, backend='numba')\nf(np.ones(3))\n"
        "stats = f._last.plan.kernel.stats\nprint(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hits = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert hits == [["0", "1"], ["1", "0"]]


# e^x, tanh x, cosh x, log x and log(1 + x)
@pytest.fixture(scope="module", params=[np.exp, np.tanh, np.cosh, np.log, np.log1p], ids=["exp", "tanh", "cosh", "log", "log1p"])
def function(request):
    return request.param, compile(lambda x: request.param(x), backend="numba")


SPECIAL = [
    0.0, -0.0, 1.0, 0.625, -0.6249, 0.5 * np.log(2), 1e-160, 5e-324, 18.7, 20.0, 709.78, 709.79, 710.47, 710.48, 1e300, np.inf, -708.4,
    -740.0, -745.1, -746.0, -1e300, -np.inf, np.nan, -1.0, np.nextafter(-1.0, 0), 1e-310, 2.0**53, np.sqrt(0.5), np.sqrt(2), 1.7e308,
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats(-750, 712), st.floats(-1, 1), st.floats()), min_size=16, max_size=16))
def test_its_exponential_functions_are_right_to_two_units_in_the_last_place(function, xs):
    exactly, compiled = function
    with np.errstate(all="ignore"):
        exact = exactly(np.array(xs, np.longdouble))
        right = exact.astype(float)
        got = compiled(np.array(xs))
    finite = np.isfinite(right)
    np.testing.assert_array_equal(got[~finite], right[~finite])
    np.testing.assert_array_equal(np.signbit(got[finite]), np.signbit(right[finite]))
    assert (np.abs(got[finite] - exact[finite]) <= 2 * np.spacing(np.abs(right[finite]))).all()


def test_its_exponential_of_single_precision_is_that_of_double_precision_rounded():
    x = np.linspace(-90, 80, 4001, dtype=np.float32)
    with np.errstate(under="ignore"):
        rounded = np.exp(x.astype(float)).astype(np.float32)
    np.testing.assert_allclose(compile(lambda x: np.exp(x), backend="numba")(x), rounded, rtol=2**-23, atol=2**-149)


@pytest.mark.parametrize("view", [lambda s: s + s.T, lambda s: s + np.swapaxes(s, 0, 1), lambda s: s * s.T[:1], lambda s: s - s[::-1]])
def test_a_view_is_read_when_all_of_what_it_shows_has_been_computed(view):
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_allclose(compile(lambda x: view(np.sin(x)), backend="numba")(x), view(np.sin(x)), rtol=1e-15)


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: np.sin(x)[:, ::2] @ w,
        lambda x, w: np.cos(np.sin(x)[5:35, :20] @ w).sum(),
        lambda x, w: (np.sin(x)[::2, :30].T @ np.cos(w)).sum(axis=0) + np.sin(x)[3, -1],
    ],
)
def test_large_products_of_parts_of_arrays_are_those_of_numpy(f):
    x, w = (np.random.default_rng(0).normal(size=size) for size in ((40, 40), (20, 30)))
    np.testing.assert_allclose(compile(f, backend="numba")(x, w), f(x, w), rtol=1e-12)


@pytest.mark.parametrize("update", [lambda w: 0.5 * w.T, lambda w: 0.5 * w[0], lambda w: w[::-1] + w, lambda w: w @ w.T])
def test_an_update_that_reads_the_parameter_in_another_order_than_it_writes_to_it_is_that_of_eager(update):
    class Optimizer(optim.Optimizer):
        def update(self, value, grad, state):
            return value - self.lr * (grad + update(value))

    def run(backend):
        w = Tensor(np.arange(9.0).reshape(3, 3) / 9, requires_grad=True)
        optimizer, loss = Optimizer([w], lr=0.1), lambda: np.sum(np.sin(w))
        step = backend and compile(loss, optimizer, backend=backend)
        for _ in range(3):
            if backend:
                step()
            else:
                optimizer.zero_grad()
                loss().backward()
                optimizer.step()
        return w.numpy()

    np.testing.assert_allclose(run("numba"), run(None), rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reductions_of_the_last_axes_are_those_of_numpy_with_nan_in_them_too(dtype):
    x = np.random.default_rng(0).normal(size=(3, 4, 37)).astype(dtype)
    x[0, 1, 5], x[1, 2], x[2, 3, ::2] = np.nan, -np.inf, 0
    f = lambda x: [
        *(getattr(x, name)(axis=axis) for name in ("sum", "max", "min", "prod") for axis in (2, (1, 2), None)),
        x.max(axis=2, keepdims=True) - x, x.sum(axis=(1, 2), keepdims=True) * x,
    ]  # fmt: skip
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        for ours, theirs in zip(compile(f, backend="numba")(x), f(x), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=40 * np.finfo(dtype).eps)


def test_what_backward_would_compute_again_in_silence_is_taken_from_forward():
    x = np.random.default_rng(0).normal(size=(4, 4))
    gradient = compile(tg.grad(lambda x: (tg.sigmoid(x) * np.tanh(x)).sum()))
    np.testing.assert_allclose(gradient(x), tg.grad(lambda x: (tg.sigmoid(x) * np.tanh(x)).sum())(x), rtol=1e-14)
    assert sum(op.function is np.exp for op in gradient._entry().program.ops) == 1


def test_a_gradient_reads_a_view_when_all_of_what_it_shows_has_been_computed():
    x, gradient = np.array([[1.0, 2.0], [3.0, 4.0]]), tg.grad(lambda x: (np.sin(x) * np.cos(x).T).sum())
    np.testing.assert_allclose(compile(gradient, backend="numba")(x), gradient(x), rtol=1e-14)


# Programs of which NumPy runs a part, or that are long
@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.concatenate([x[1:], x[:1] * 2, np.ones((1, 3))]) + np.sin(x[0]),
        lambda x: np.stack([x, np.cos(x)], axis=1).swapaxes(0, 2) * 2 - 1,
        lambda x: np.stack([x[0, 0] * x[1, 1], x[2, 0] + 1, x[0, 2]]) * 3 + 1,
        lambda x: x[1:, ::2] * x[0, 1] + x[..., -1:][1:],
        lambda x: np.maximum.reduce(x, axis=1, keepdims=True, initial=0.0) + x * 2 + x.mean(axis=0),
        lambda x: x - x.max(axis=0) - np.log(np.exp(x - x.max(axis=0)).sum(axis=0)),
        lambda x: np.squeeze(np.expand_dims(np.sin(x), (0, 2)), 0)[:, 0] * x,
        lambda x: (np.sin(x) @ x.T).reshape(-1)[:9].reshape(3, 3) + np.cos(x),
    ],
)
def test_parts_of_arrays_and_their_gradients_are_those_of_eager(f):
    x = np.random.default_rng(0).normal(size=(3, 3))
    gradient = tg.value_and_grad(lambda x: (np.tanh(f(x)) ** 2).sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        value, got = compile(gradient, backend="numba")(x)
    np.testing.assert_allclose(value, gradient(x)[0], rtol=1e-13)
    np.testing.assert_allclose(got, gradient(x)[1], rtol=1e-12, atol=1e-14)


def test_constants_read_at_computed_places_are_read_by_numpy():
    def f(x):
        x = x * 1
        np.place(x, x < 1.0, [1.25, 0.5])
        return np.sin(x) * x + 1 - x

    x = np.array([1.25, -0.25, 0.25])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        np.testing.assert_allclose(compile(f, backend="numba")(x), f(x), rtol=1e-13)


def test_a_long_program_is_compiled_in_pieces():
    def f(x):
        for i in range(400):  # (no three equal parts follow one another in this sequence, else they would become a loop)
            x = np.sin(x) * (1 + i / 1000) + 0.1 if i.bit_count() % 2 else np.cos(x)
        return x

    compiled = compile(f, backend="numba")
    np.testing.assert_allclose(compiled(np.ones(3)), f(np.ones(3)), rtol=1e-12)
    kernels = [op for op in compiled._entry().program.ops if op.function.__class__.__name__ == "Kernel"]
    assert len(kernels) > 2


def called(kernel, *given):
    """Return all results of a kernel, in memory of their own."""
    blocks = [np.empty_like(block) for block in kernel.blocks]
    numbers = kernel.run(*given, *blocks)
    return [*blocks, *(numbers if isinstance(numbers, list) else [numbers])]


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_what_kernels_read_and_write_in_the_memory_of_a_plan_is_right(cell, monkeypatch):
    rng = np.random.default_rng(0)
    net, head = cell(3, 4, rng=rng), nn.Linear(4, 5, rng=rng)
    X, y = rng.normal(size=(6, 2, 3)), rng.integers(0, 5, 2)

    def loss(X):
        state = None
        for x in X:
            state = net(x, state)
        return nn.cross_entropy(head(state[0] if isinstance(state, tuple) else state), y)

    step = compile(loss, optim.Adam([*net.parameters(), *head.parameters()]), backend="numba")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        step(X), step(X)
    plan = step._entry().plan
    assert any(isinstance(op.function, Kernel) for op in plan.program.ops)
    monkeypatch.setattr(Kernel, "__call__", called, raising=False)
    check_plan(plan, rng)


@pytest.mark.parametrize("dtype", [np.float16, ">f8", np.longdouble, complex])
def test_dtypes_that_numba_does_not_know_run_in_numpy(dtype):
    x = np.array([1.0, 2.0], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        np.testing.assert_array_equal(compile(lambda x: np.sin(x) * 2 + 1, backend="numba")(x), np.sin(x) * 2 + 1)


@pytest.mark.parametrize(
    "f", [lambda w: w.T * w + np.real(w), lambda w: np.where(w > 0, np.sqrt(w), 0.0), lambda w: np.clip(w * 2, 0.0, 1.0)]
)
def test_scalars_with_a_choice_or_a_transpose_are_differentiated(f):
    gradient = tg.grad(lambda w: f(w) * 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        np.testing.assert_allclose(compile(gradient, backend="numba")(np.array(1.5)), gradient(np.array(1.5)), rtol=1e-14)


def test_dropout_batch_norm_and_a_classification_loss_train_as_they_do_eagerly():
    def run(backend):
        rng = np.random.default_rng(0)
        net = nn.Sequential(nn.Linear(6, 8, rng=rng), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3, rng=rng), nn.Linear(8, 3, rng=rng))
        optimizer = optim.Adam(net.parameters(), lr=0.01)
        x, y, losses = rng.normal(size=(12, 6)), rng.integers(0, 3, 12), []
        loss = lambda x: nn.cross_entropy(net(x), y)
        step = backend and compile(loss, optimizer, backend=backend)
        for _ in range(5):
            if backend:
                losses.append(float(step(x)))
            else:
                optimizer.zero_grad()
                out = loss(Tensor(x))
                out.backward()
                optimizer.step()
                losses.append(out.item())
        return [*losses, *net[1].running_mean.numpy(), rng.random()]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ours = run("numba")
    for got in (ours, run("numpy")):
        np.testing.assert_allclose(got, run(None), rtol=1e-9, atol=1e-11)


def test_a_kept_kernel_is_checked_before_it_runs_and_mended_when_it_is_broken(tmp_path, monkeypatch):
    code = """
        import os, sys
        import numba, numpy as np
        from tinygrad_hw import compile
        for line in sys.stdin:
            if not os.fork():
                print(compile(lambda x: x * 2 + 1, backend="numba")(np.ones(3)), end="", flush=True)
                os._exit(0)
            os.wait()
            print(flush=True)
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:

        def printed_by_a_process_of_its_own():
            started.stdin.write("\n")
            started.stdin.flush()
            return started.stdout.readline()

        assert printed_by_a_process_of_its_own() == "[3. 3. 3.]\n"
        (kernel,) = (tmp_path / "tinygrad_hw").glob("kernel_*.py")
        right = kernel.read_text()
        for broken in (right.replace("* 2", "* 5") + "\nprint('run')", "", right[: len(right) // 2]):
            kernel.write_text(broken)
            assert printed_by_a_process_of_its_own() == "[3. 3. 3.]\n"
            assert kernel.read_text() == right
        for kept in (tmp_path / "tinygrad_hw" / "__pycache__").glob("*"):
            kept.write_bytes(kept.read_bytes()[:10])
        assert printed_by_a_process_of_its_own() == "[3. 3. 3.]\n"
        kernel.unlink()
        (tmp_path / "tinygrad_hw").chmod(0o777)
        assert printed_by_a_process_of_its_own() == "[3. 3. 3.]\n"
        assert not kernel.exists()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool, np.uint64])
def test_integers_wrap_around_as_numpys_do(dtype):
    x = np.array([0, 1, 1, 200 if dtype is not bool else 1]).astype(dtype)
    f = lambda x: (x + x) * x + np.where(x + x > 2, 1.5, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        np.testing.assert_array_equal(compile(f, backend="numba")(x), f(x))
