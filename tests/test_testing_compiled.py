"""``assert_compiled_is_eager`` passes where both do the same, and says what differs where they do not."""

import warnings

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import CompileError, Tensor, nn, optim
from tinygrad_hw.testing import assert_compiled_is_eager, compiled


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_functions_steps_random_numbers_and_running_statistics_are_compared(backend):
    pytest.importorskip(backend)
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(3, 2, rng=rng), nn.BatchNorm1d(2), nn.Dropout(0.5, rng=rng))
    x = rng.normal(size=(6, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert_compiled_is_eager(lambda x: {"y": np.sin(x) * rng.normal(size=3)}, x, backend=backend)
        assert_compiled_is_eager(
            lambda x: (net(x) ** 2).mean(), x, optimizer=optim.SGD(net.parameters(), lr=0.1, momentum=0.9), backend=backend, calls=4
        )
        assert_compiled_is_eager(tg.value_and_grad(lambda x: (x * x).sum()), x, backend=backend)


def test_what_the_eager_calls_leave_is_left():
    w, rng = Tensor([1.0], requires_grad=True, name="w"), np.random.default_rng(0)
    assert_compiled_is_eager(lambda: (w * 2.0).sum() * rng.random(), optimizer=optim.SGD([w], lr=0.5), calls=2)
    twin = np.random.default_rng(0)
    np.testing.assert_allclose(w.numpy(), [1 - twin.random() - twin.random()])
    assert rng.random() == twin.random()


@pytest.mark.parametrize("wrong, message", [(lambda x: x * 2.001, "call 1 of 3: the result differs"), (lambda x: x[:1], "has shape")])
def test_a_difference_is_named(wrong, message, monkeypatch):
    right = lambda x: x * 2.0
    compile_ = compiled.compile_

    def compile_wrongly(f, optimizer, backend):
        made = compile_(wrong, optimizer, backend)
        monkeypatch.setattr(type(made), "_run_code", lambda self, args: right(*args))
        return made

    monkeypatch.setattr(compiled, "compile_", compile_wrongly)
    with pytest.raises(AssertionError, match=message):
        assert_compiled_is_eager(right, np.ones(3))


def test_what_cannot_be_compiled_says_so():
    with pytest.raises(CompileError, match="a decision"):
        assert_compiled_is_eager(lambda x: x if x.sum() > 0 else -x, np.ones(3))
