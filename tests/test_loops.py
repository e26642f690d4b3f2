"""``scan`` is the loop that it stands for: its values, its derivatives of every order, and compiled, where one step is recorded."""

import re

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import CompileError, ShapeError, Tensor, optim

pytestmark = pytest.mark.filterwarnings("ignore:.*NumPy runs what Numba has no code for")
RNG = np.random.default_rng(7)
C, XS, W, V = RNG.normal(size=3), RNG.normal(size=(5, 3)), 0.4 * RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))
OF_C, OF_H, OF_Z = RNG.normal(size=3), RNG.normal(size=(5, 3)), RNG.normal(size=5)


def by_hand(f, carry, xs):
    """Do what ``scan`` does as a loop."""
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, ys


def cell(weights):
    def step(h, x):
        h = np.tanh(h @ weights + x)
        return h, {"h": h * h, "z": np.sum(h)}

    return step


def loss(c, xs, w):
    """Return a number that depends on the last carry and on both ys."""
    last, ys = tg.scan(cell(w), c, xs)
    return np.sum(OF_C * last) + np.sum(OF_H * ys["h"]) + np.sum(OF_Z * np.sin(ys["z"]))


def loss_by_hand(c, xs, w):
    """Return the same from a loop."""
    last, ys = by_hand(cell(w), c, xs)
    h, z = np.stack([y["h"] for y in ys]), np.stack([y["z"] for y in ys])
    return np.sum(OF_C * last) + np.sum(OF_H * h) + np.sum(OF_Z * np.sin(z))


DERIVATIVES = {
    "value": lambda f: f,
    "gradient": lambda f: tg.grad(f, (0, 1, 2)),
    "second order": lambda f: lambda c, xs, w: tg.hvp(lambda w: f(c, xs, w), w, V),
    "forward": lambda f: lambda c, xs, w: tg.jvp(lambda w: f(c, xs, w), (w,), (V,))[1],
    "Hessian": lambda f: lambda c, xs, w: tg.hessian(f)(c, xs, w),
    "third order": lambda f: lambda c, xs, w: tg.grad(lambda c: np.sum(tg.hvp(lambda w: f(c, xs, w), w, V) ** 2))(c),
}


@pytest.mark.parametrize("way", [lambda f: f, tg.compile, lambda f: tg.compile(f, backend="numba")], ids=["eager", "compiled", "Numba"])
@pytest.mark.parametrize("derivative", DERIVATIVES)
def test_a_scan_is_its_loop_in_every_derivative(derivative, way):
    if way is not tg.compile and derivative != "value":
        pytest.importorskip("numba")
    found, right = (DERIVATIVES[derivative](f) for f in (loss, loss_by_hand))
    for x, y in zip(tg.trees.leaves(way(found)(C, XS, W)), tg.trees.leaves(right(C, XS, W)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def test_plain_arrays_stay_plain_and_ys_are_stacked_in_the_structure_in_which_they_come():
    (total, n), ys = tg.scan(lambda c, x: ((c[0] + x["a"], c[1] + 1), (c[0], None, {"k": c[1]})), (0.0, 0), {"a": np.arange(4.0)})
    assert (total, n) == (6.0, 4) and type(ys[0]) is np.ndarray and ys[1] is None
    assert ys[0].tolist() == [0, 0, 1, 3] and ys[2]["k"].tolist() == [0, 1, 2, 3]


def test_a_scan_without_xs_takes_its_length_and_one_of_no_steps_gives_what_it_was_given():
    assert tg.scan(lambda c, x: (2 * c, x), 1.0, length=10) == (1024.0, None)
    last, ys = tg.scan(lambda c, x: (c + x, np.outer(x, x)), np.ones(3), np.zeros((0, 3)))
    assert last.tolist() == [1, 1, 1] and ys.shape == (0, 3, 3)


def test_a_gradient_reaches_everything_that_a_step_uses():
    w, h = Tensor(W, requires_grad=True), Tensor(C, requires_grad=True)
    g = RNG.normal(size=(5, 3))
    tg.scan(cell(w), h, XS)[1]["h"].backward(g)
    found = w.grad, h.grad
    w.grad = h.grad = None
    np.stack([y["h"] for y in by_hand(cell(w), h, XS)[1]]).backward(g)
    np.testing.assert_allclose(found[0], w.grad, rtol=1e-12)
    np.testing.assert_allclose(found[1], h.grad, rtol=1e-12)


def test_a_step_that_writes_to_its_carry_changes_neither_the_caller_s_array_nor_what_was_stacked():
    def step(c, x):
        c += x
        return c, c

    for kind in (np.array, Tensor):
        start, xs = kind([1.0]), kind([[1.0], [2.0]])
        ys = tg.scan(step, start, xs)[1]
        assert np.asarray(getattr(ys, "data", ys)).tolist() == [[2.0], [4.0]] and start.tolist() == [1.0]
    assert tg.compile(lambda c, xs: tg.scan(step, c, xs)[1])(np.array([1.0]), np.array([[1.0], [2.0]])).tolist() == [[2.0], [4.0]]


@pytest.mark.parametrize(
    "step, carry, xs, message",
    [
        (lambda c, x: (c, x), 0.0, None, "scan: without xs the number of steps is not known: give length"),
        (lambda c, x: (c, x), 0.0, (np.ones(3), np.ones(4)), "as many rows as there are steps: xs[0] has 3, xs[1] has 4"),
        (lambda c, x: (c, x), 0.0, {"t": 1.0}, "scan: xs['t'] is one number, and has no rows"),
        (lambda c, x: c, np.ones(2), np.ones(3), "must return a pair, the new carry and what to stack (None for nothing)"),
        (lambda c, x: (c[:1], x), np.ones(2), np.ones(3), "it went in float64 of shape (2,), and came out float64 of shape (1,)"),
        (lambda c, x: ((c[0], c[1] + x), x), (1, 2), np.ones(3), "[1] went in int64 of shape (), and came out float64 of shape ()"),
        (lambda c, x: (c[0], x), (1.0, 2.0), np.ones(3), "must keep its structure: it went in as ('*', '*') and came out as *"),
        (lambda c, x: (c + 1, np.ones(int(c))), 1, np.ones(3), "it at first was float64 of shape (1,), and later is float64 of shape (2,)"),
    ],
)
def test_what_cannot_be_scanned_is_refused_with_what_is_wrong(step, carry, xs, message):
    with pytest.raises(ShapeError, match=re.escape(message)):
        tg.scan(step, carry, xs)


@pytest.mark.parametrize("length, message", [(2, "xs has 3, length is 2"), (-1, "not -1"), (True, "not True"), (2.0, "not 2.0")])
def test_a_length_must_be_the_number_of_rows(length, message):
    with pytest.raises(ShapeError, match=message):
        tg.scan(lambda c, x: (c, x), 0.0, np.ones(3), length)


def test_a_compiled_training_step_is_the_eager_one_and_its_program_does_not_grow_with_the_number_of_steps():
    def trained(n, compiled):
        w = Tensor(W, requires_grad=True, name="W")
        xs = np.random.default_rng(1).normal(size=(n, 3))

        def mean_square(xs):
            return np.mean(tg.scan(cell(w), np.zeros(3), xs)[1]["h"])

        optimizer = optim.Adam([w], lr=0.1)
        step = tg.compile(mean_square, optimizer) if compiled else None
        losses = []
        for _ in range(4):
            if step is None:
                optimizer.zero_grad()
                value = mean_square(xs)
                value.backward()
                optimizer.step()
            losses.append(value.item() if step is None else step(xs))
        return w.data, losses, step and step._last.program

    (eager, losses, _), (compiled, same, program) = (trained(45, way) for way in (False, True))
    np.testing.assert_allclose(same, losses, rtol=1e-12)
    np.testing.assert_allclose(compiled, eager, rtol=1e-12)
    assert len(program.ops) == len(trained(60, True)[2].ops) < 30


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_scans_may_be_nested_and_stand_inside_other_transforms(backend):
    if backend == "numba":
        pytest.importorskip("numba")

    def nested(c, w):
        def outer(c, _):
            c, ys = tg.scan(lambda c, x: (np.sin(c @ w + x), np.sum(c)), c, XS)
            return c, ys

        last, ys = tg.scan(outer, c, length=3)
        return np.sum(last * OF_C) + np.sum(ys**2)

    right = tg.grad(nested, (0, 1))(C, W)
    for x, y in zip(tg.compile(tg.grad(nested, (0, 1)), backend=backend)(C, W), right):
        np.testing.assert_allclose(x, y, rtol=1e-9)
    per_example = tg.vmap(tg.grad(lambda c: nested(c, W)))
    batch = RNG.normal(size=(4, 3))
    by_ones = np.stack([tg.grad(lambda c: nested(c, W))(c) for c in batch])
    np.testing.assert_allclose(per_example(batch), by_ones, rtol=1e-9)
    np.testing.assert_allclose(tg.compile(per_example, backend=backend)(batch), by_ones, rtol=1e-9)
    again = tg.grad(lambda c: np.sum(tg.scan(lambda c, x: (tg.checkpoint(lambda c: np.sin(c @ W + x))(c), None), c, XS)[0]))
    np.testing.assert_allclose(tg.compile(again, backend=backend)(C), again(C), rtol=1e-9)


def test_a_carry_may_be_gradient_descent_itself():
    def descent(w):
        return tg.scan(lambda w, x: (w - 0.1 * tg.grad(lambda w: np.sum((w @ x - 1) ** 4))(w), None), w, XS)[0]

    derivative = tg.jacobian(descent)
    np.testing.assert_allclose(tg.compile(derivative)(C), derivative(C), rtol=1e-9)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_carries_may_change_places_and_be_numbers_integers_and_truth_values(backend):
    if backend == "numba":
        pytest.importorskip("numba")

    def fibonacci(a, b, v):
        def step(c, x):
            (a, b, n, even, v, w) = c
            return (b, a + b, n + 1, ~even, w, v), (a, n, even, v[0])

        return tg.scan(step, (a, b, 0, True, v, v + 1), length=9)

    compiled = tg.compile(fibonacci, backend=backend)
    for args in ((1.0, 1.0, np.ones(2)), (2.0, 5.0, np.zeros(2))):
        for x, y in zip(tg.trees.leaves(compiled(*args)), tg.trees.leaves(fibonacci(*args)), strict=True):
            assert np.array_equal(x, y) and np.asarray(x).dtype == np.asarray(y).dtype


def test_decisions_of_the_engine_inside_a_step_hold_for_all_steps_or_the_steps_are_recorded_one_by_one():
    xs = np.array([4.0, 1.0, 0.0])

    def f(c):
        return tg.scan(lambda c, x: (c + np.sum(np.where(x > 0, np.sqrt(c * x), 1.0)), None), c, xs)[0]

    compiled = tg.compile(tg.grad(f))
    for c in (2.0, 3.0, 0.0):
        with np.errstate(all="ignore"):
            np.testing.assert_allclose(compiled(c), tg.grad(f)(c), rtol=1e-12)


def test_what_would_differ_from_step_to_step_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(CompileError, match="random numbers drawn in a step of tg\\.scan would be the same in all steps"):
        tg.compile(lambda c: tg.scan(lambda c, x: (c + rng.normal(), None), c, length=3)[0])(1.0)

    def counting(c):
        count = []

        def step(c, x):
            count.append(1)
            return c * len(count), None

        return tg.scan(step, c, length=3)[0]

    with pytest.raises(CompileError, match="recorded a second time"):
        tg.compile(counting)(1.0)

    def collecting(c):
        found = []

        def step(c, x):
            found.append(c * 2)
            return c * 3, None

        return tg.scan(step, c, length=3)[0] + found[-1]

    with pytest.raises(CompileError, match="a value from inside a step of tg\\.scan is used outside of it"):
        tg.compile(collecting)(1.0)


def test_the_source_of_a_compiled_scan_runs_by_itself_and_a_javascript_module_refuses_it():
    def total(c, xs, w):
        last, ys = tg.scan(cell(w), c, xs)
        return np.sum(last**3) + np.sum(ys["h"])

    compiled = tg.compile(tg.grad(total, (0, 2)))
    right = compiled(C, XS, W)
    space = {}
    exec(compiled.source, space)
    for x, y in zip(space["total"](C, XS, W), right, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12)
    assert "for i in reversed(range(5)):" in compiled.source
    with pytest.raises(CompileError, match="scan"):
        compiled.javascript  # noqa: B018


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["layers.1.weight", "a b", "lambda", "w): raise SystemExit("])
def test_a_compiled_step_may_use_a_tensor_of_any_name(backend, name):
    if backend == "numba":
        pytest.importorskip("numba")
    w = Tensor(W, requires_grad=True, name=name)
    f = tg.compile(lambda c, xs: tg.scan(cell(w), c, xs)[0], backend=backend)
    step = tg.compile(lambda c, xs: np.sum(tg.scan(cell(w), c, xs)[0]), optim.SGD([w], lr=0.0), backend)
    right = by_hand(cell(W), C, XS)[0]
    np.testing.assert_allclose(f(C, XS), right, rtol=1e-12)
    np.testing.assert_allclose(step(C, XS), np.sum(right), rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_recurrent_layer_is_trained_by_a_scan_over_time(backend):
    if backend == "numba":
        pytest.importorskip("numba")
    xs = RNG.normal(size=(6, 2, 3))

    def parts():
        cell = tg.nn.GRUCell(3, 4, rng=0)

        def loss(xs):
            def step(h, x):
                h = cell(x, h)
                return h, h

            return np.mean(tg.scan(step, np.zeros((2, 4)), xs)[1] ** 2)

        return loss, optim.Adam(cell.parameters(), lr=0.1)

    (loss, optimizer), step = parts(), tg.compile(*parts(), backend=backend)
    for _ in range(4):
        optimizer.zero_grad()
        eager = loss(xs)
        eager.backward()
        optimizer.step()
        np.testing.assert_allclose(step(xs), eager.item(), rtol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_the_memory_of_a_compiled_scan_counts_what_its_steps_give(backend):
    if backend == "numba":
        pytest.importorskip("numba")
    W = Tensor(np.eye(30), requires_grad=True)

    def needed(steps):
        def loss(h):
            return tg.scan(lambda h, _: (np.tanh(h @ W), h), h, np.zeros(steps))[1].sum()

        step = tg.compile(loss, tg.optim.SGD([W], lr=0.1), backend=backend)
        step(np.ones(30))
        return step.nbytes

    stacked = 100 * W.data[0].nbytes  # (of the results of 100 steps)
    assert 2 * stacked <= needed(200) - needed(100) <= 4 * stacked
