"""The Numba backend computes what the NumPy plan computes, and says clearly what it cannot do."""

import builtins
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_compiler import OPTIMIZERS, Net, assert_same, data, loss_of, trained, values

import tinygrad_hw as tg
from tinygrad_hw import CompileError, Tensor, compile, optim


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


def test_what_it_has_no_code_for_raises_with_the_line():
    with pytest.raises(CompileError, match=r"line \d+: backend='numba' has no code for inv; backend='numpy' runs it"):
        compile(lambda x: np.linalg.inv(x), backend="numba")(np.eye(2))


def test_what_is_compiled_is_kept_for_other_processes(tmp_path, monkeypatch):
    code = (
        "import numpy as np\nfrom tinygrad_hw import compile\nf = compile(lambda x: x * 2 + 1, backend='numba')\nf(np.ones(3))\n"
        "stats = f._last.plan.kernel.stats\nprint(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))"
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hits = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert hits == [["0", "1"], ["1", "0"]]


# e^x and tanh x
@pytest.fixture(scope="module", params=[np.exp, np.tanh], ids=["exp", "tanh"])
def function(request):
    return request.param, compile(lambda x: request.param(x), backend="numba")


SPECIAL = [
    0.0, -0.0, 1.0, 0.625, -0.6249, 0.5 * np.log(2), 1e-160, 5e-324, 18.7, 20.0, 709.78, 709.79, 1e300, np.inf, -708.4, -740.0,
    -745.1, -746.0, -1e300, -np.inf, np.nan,
]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(SPECIAL), st.floats(-750, 712), st.floats(-1, 1)), min_size=16, max_size=16))
def test_its_exponential_functions_are_right_to_two_units_in_the_last_place(function, xs):
    exactly, compiled = function
    with np.errstate(over="ignore", under="ignore"):
        exact = exactly(np.array(xs, np.longdouble))
        right = exact.astype(float)
    got = compiled(np.array(xs))
    finite = np.isfinite(right)
    np.testing.assert_array_equal(got[~finite], right[~finite])
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


def test_a_gradient_reads_a_view_when_all_of_what_it_shows_has_been_computed():
    x, gradient = np.array([[1.0, 2.0], [3.0, 4.0]]), tg.grad(lambda x: (np.sin(x) * np.cos(x).T).sum())
    np.testing.assert_allclose(compile(gradient, backend="numba")(x), gradient(x), rtol=1e-14)
