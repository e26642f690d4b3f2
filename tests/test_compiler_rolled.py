"""A plain ``for`` of many equal steps: it becomes one loop, and gives what it gives eagerly."""

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw.compiler import rolled
from tinygrad_hw.compiler.loop import Loop, NativeLoop
from tinygrad_hw.testing import assert_compiled_is_eager

RNG = np.random.default_rng(7)


@pytest.fixture
def few(monkeypatch):
    """Make loops of few steps, too."""
    monkeypatch.setattr(rolled, "LONG", {"numpy": 6, "numba": 6})
    monkeypatch.setattr(rolled, "STEPS", 3)
    monkeypatch.setattr(rolled, "CONTEXT", 3)


def loops_of(compiled):
    return [op.function for op in compiled._entry().readable.ops if isinstance(op.function, Loop)]


def forwards(X, W, h):
    for t in range(12):
        h = np.tanh(X[t] @ W + h)
    return np.sum(h**2)


def all_states(X, W, h):
    states = []
    for t in range(12):
        h = np.tanh(X[t] @ W + h)
        states.append(h)
    return np.sum(np.stack(states) ** 2) + np.sum(states[3] * states[5])


def two_ways(X, W, h):
    states = []
    for _ in range(12):
        h = np.tanh(h @ W)
        states.append(h)
    back = h
    for t in reversed(range(12)):
        back = np.tanh(back @ W + states[t] * X[11 - t])
    return np.sum(back**2)


def two_steps_back(X, W, h):
    before = h
    for t in range(10):
        h, before = np.tanh(h @ W + 0.3 * before + X[t + 1] * X[t]), h
    return np.sum(h**2 + before)


def loop_in_a_loop(X, W, h):
    for _ in range(4):
        for _ in range(6):
            h = h + 0.1 * np.sin(h @ W)
        h = h * 0.99
    return np.sum(h**2)


def numbers_of_the_step(X, W, h):
    for i in range(12):
        h = h * (0.0 if i % 2 else -0.0) + 0.9 * h + 0.1 * np.sin(h + i * 0.1) * 2 ** (-i)
    return np.sum(h)


def scalars(X, W, h):
    a, b = h[0], h[1]
    for t in range(9):
        a, b = 0.3 * a * b + X[t, 1], 0.5 * a - 0.2 * b
    return a * b


def every_other_row(X, W, h):
    for t in range(0, 12, 2):
        h = h * 0.5 + np.tanh(X[t]) * X[-t, 2]
    return np.sum(h**2)


def written_in_place(X, W, h):
    x = h * 1
    for _ in range(12):
        x[...] = np.sin(x) + 0.1 * h
    return np.sum(x)


def turned_views(X, W, h):
    Y = X[:3, :3]
    for _ in range(8):
        Y = np.sin(Y.T[::-1] @ W) + Y[:, :1]
    return np.sum(Y)


def singles(X, W, h):
    total = np.zeros(3, np.float32)
    for t in range(12):
        total = total + X[t].astype(np.float32) * np.float32(0.5)
    return np.sum(total) * np.sum(h)


LOOPS = [
    forwards, all_states, two_ways, two_steps_back, loop_in_a_loop, numbers_of_the_step, scalars, every_other_row, written_in_place,
    turned_views, singles,
]  # fmt: skip


def second(f):
    """Return the product of the Hessian by h with h."""
    return lambda X, W, h: tg.grad(lambda h: np.sum(tg.grad(f, 2)(X, W, h) * h))(h)


@pytest.mark.parametrize("f", LOOPS)
def test_a_loop_is_the_steps_one_by_one_in_every_derivative(f, few):
    X, W, h = RNG.normal(size=(12, 3)), RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3)
    with np.errstate(all="ignore"):
        for derived in (f, tg.value_and_grad(f, (0, 1, 2)), second(f)):
            assert_compiled_is_eager(derived, X, W, h, rtol=1e-10)
    compiled = tg.compile(f)
    compiled(X, W, h)
    assert loops_of(compiled)


def test_numba_compiles_a_plain_loop_as_a_scan(few):
    pytest.importorskip("numba")
    X, W, h = RNG.normal(size=(12, 3)), RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3)
    derived = tg.value_and_grad(lambda W, h: two_ways(X, W, h), (0, 1))
    assert_compiled_is_eager(derived, W, h, backend="numba", rtol=1e-10)
    compiled = tg.compile(derived, backend="numba")
    compiled(W, h)
    assert sum(isinstance(op.function, NativeLoop) for op in compiled._entry().plan.program.ops) == len(loops_of(compiled)) >= 4


def of_slices(X, W, h):
    return sum(np.sum(X[t : t + 2] ** 2) for t in range(10))


def of_lists(X, W, h):
    return sum(np.sum(X[[t, t + 1]] ** 2) for t in range(10))


def of_whole_numbers(X, W, h):
    n = np.zeros(3, np.int32)
    for t in range(12):
        n = n + t
        h = h * n
    return np.sum(h)


def in_the_order_of_memory(X, W, h):
    Y = X[:3]
    for _ in range(8):
        Y = np.sin(np.ravel(Y.T, "K").reshape(3, 3) @ W)
    return np.sum(Y * h)


@pytest.mark.parametrize("f", [of_slices, of_lists, of_whole_numbers, in_the_order_of_memory])
def test_steps_that_differ_in_more_than_numbers_beside_doubles_and_indices_stay_one_by_one(f, few):
    X, W, h = RNG.normal(size=(12, 3)), RNG.normal(size=(3, 3)) / 2, RNG.normal(size=3)
    assert_compiled_is_eager(tg.value_and_grad(f, (0, 1, 2)), X, W, h)
    compiled = tg.compile(f)
    compiled(X, W, h)
    assert not loops_of(compiled)


def decay(steps):
    def loss(x):
        total = 0.0
        for _ in range(steps):
            x = x + 0.01 * np.sin(x * w[::-1]) * (x - 1)
            total = total + np.sum(x**2)
        return total / steps

    w = tg.Tensor(np.array([0.5, 1.5]), requires_grad=True)
    return loss, w


def test_the_program_of_a_long_loop_does_not_grow_with_its_steps_and_trains_as_eagerly():
    sizes, start = [], np.array([1.0, 2.0])
    for steps in (400, 500):
        loss, w = decay(steps)
        step = tg.compile(loss, tg.optim.Adam([w], lr=0.01))
        losses = [step(start) for _ in range(3)]
        sizes.append(len(step._entry().readable.ops))
        eager, v = decay(steps)
        optimizer = tg.optim.Adam([v], lr=0.01)
        for found in losses:
            optimizer.zero_grad()
            expected = eager(tg.Tensor(start))
            expected.backward()
            optimizer.step()
            assert abs(found - expected.item()) < 1e-12
        np.testing.assert_allclose(w.numpy(), v.numpy(), rtol=1e-12)
    assert sizes[0] == sizes[1] < 300


def test_the_source_of_a_rolled_loop_runs_by_itself_and_its_javascript_needs_no_loop(few):
    def f(s):
        for _ in range(8):
            s = s + 0.05 * np.sin(s * s[::-1]) * (s - 1)
        return np.sum(s**2)

    compiled, s = tg.compile(tg.value_and_grad(f)), np.array([1.0, 2.0])
    value, gradient = compiled(s)
    assert "def scan_2" in compiled.source
    space = {}
    exec(compiled.source, space)
    found, slope = space[compiled.__name__](s)
    assert abs(found - value) < 1e-12
    np.testing.assert_allclose(slope, gradient, rtol=1e-12)
    assert compiled.javascript.count("Math.sin") >= 8


def test_a_loop_that_did_something_else_the_second_time_is_refused(few):
    numbers = iter(np.linspace(0.1, 1, 100))

    class Drifting:
        def __call__(self, x):
            for _ in range(12):
                x = np.sin(x) * drawn()
            return x

    def drawn():
        return next(numbers)

    with pytest.raises(tg.errors.CompileError):
        tg.compile(Drifting())(np.ones(3))
