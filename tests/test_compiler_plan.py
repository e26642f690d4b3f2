"""The checker of plans is checked: slips planted in the planner are caught by it."""

import gc
import inspect
import textwrap

import numpy as np
import pytest
from plan_checker import Overwritten, check_plan

import tinygrad_hw as tg
from tinygrad_hw import Tensor, compile, optim
from tinygrad_hw.compiler import plan as planner
from tinygrad_hw.compiler.plan import Plan
from tinygrad_hw.trees import leaves

RNG = np.random.default_rng(3)


def joint_halves(p, q):
    p, q = p * p, q * q
    u, v = 1 - p, 1 - q
    return u.sum() + (v * v).sum() + (v[1:] * q[1:]).sum()


def chain(p, q):
    a = np.tanh(p * 2 + 1)
    b = np.exp(-a) * a + np.sin(a)
    c = b.reshape(-1)[::-1] * np.cos(b).reshape(-1)
    return (c * c).sum() + (a[0] * b[-1]).sum() + np.sqrt(q * q + 1).sum()


def layers(p, q):
    a = tg.sigmoid(p @ p.T + q[:3])
    b = tg.sigmoid(a @ p + q[0])
    c = np.concatenate([a[1:], b[:2] * a[:2]])
    return ((b - a) ** 2).mean() + c.sum() + np.stack([a, b.T]).max(axis=0).sum()


def of_views(p, q):
    a = p * 3
    t = a.T
    b = np.sin(t) + a
    c = np.cos(b[1:]) * b[:-1]
    d = np.where(b > 0, t, -a)
    return (c.sum(axis=0) * d[0]).sum() + (d * b).mean() + (q[1:] - q[:-1]).sum() ** 2


PROGRAMS = [joint_halves, chain, layers, of_views]


class Sorted(optim.Optimizer):
    """Steps whose result is not computed entry by entry, so that it has to be copied to where the parameter lies."""

    def update(self, value, grad, state):
        return np.sort(value - self.lr * grad, axis=0)


def plans():
    """Yield the plans of gradients and training steps of the programs."""
    rng = np.random.default_rng(0)
    results = compile(lambda x, k: (x.T, np.sin(x).T[1:], np.cos(np.sin(x) * k) + (x * k).astype(np.float32)))
    results(rng.normal(size=(3, 3)), rng.integers(0, 9, (3, 3)))
    yield results._entry().plan
    for f in PROGRAMS:
        p, q = rng.normal(size=(3, 3)), rng.normal(size=5)
        gradient = compile(tg.value_and_grad(f, (0, 1)))
        gradient(p, q)
        yield gradient._entry().plan
        for make in (lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9), lambda ps: optim.Adam(ps, lr=0.1), lambda ps: Sorted(ps, lr=0.1)):
            ps = [Tensor(value, requires_grad=True) for value in (p, q)]
            step = compile(lambda f=f, ps=ps: f(*ps), make(ps))
            step(), step()
            yield step._entry().plan


SLIPS = [
    (Plan, "last_uses", "last[x] = max(last.get(x, -1), self.order[op])", "last.setdefault(x, self.order[op])"),
    (Plan, "allocate", "self.last[whole] = max(self.last[whole], self.last[op])", "pass"),
    (Plan, "allocate", "stretch.last = self.last[whole]", "stretch.last = self.last[op]"),
    (Plan, "allocate", "0 if whole in lasting or not reuse else self.order[op]", "self.order[op]"),
    (Plan, "parts_in_place", "parts[x] = (whole, start * whole.value.itemsize)", "parts[x] = (whole, start)"),
    (Plan, "parts_in_place", 'start += getattr(x, "value", x).size', "start += 1"),
    (Plan, "parts_in_place", "self.joined[whole].append(x)", "pass"),
    (Plan, "overwritten_by", "self.last[x] == self.order[op]", "self.last[x] <= self.order[op] + 1"),
    (Plan, "overwritten_by", "self.last[x] == self.order[op]", "True"),
    (planner, "place", "last < stretch.first or stretch.last < first", "last <= stretch.first or stretch.last <= first"),
    (planner, "place", "last < stretch.first or stretch.last < first", "last < stretch.first or first < stretch.last"),
    (planner, "place", "if low - stretch.start >= stretch.nbytes:", "if low - stretch.start >= stretch.nbytes - 64:"),
    (planner, "place", "-(-stretch.nbytes // ALIGNMENT) * ALIGNMENT", "stretch.nbytes // ALIGNMENT * ALIGNMENT"),
    (Plan, "result", "name if own else", "name if True else"),
    (Plan, "copies_to_fixed", "self.argument(new) for _, new", "self.argument(old) for old, new"),
    (Plan, "fill", "start += value.size", "start += 1"),
    (Plan, "lay_out", "stretch.start + self.parts.get(op, (op, 0))[1]", "stretch.start"),
    (Plan, "lay_out", "self.fixed[target] for op, target", "np.array(self.fixed[target]) for op, target"),
    (Plan, "computed_in_place", "[*args, self.name(op), *kwargs]", "[*args[::-1], self.name(op), *kwargs]"),
    (Plan, "argument", "return self.name(x)", "return self.name(x.uses[0] if x.uses else x)"),
]


def test_right_plans_pass():
    for made in plans():
        check_plan(made, np.random.default_rng(1))


@pytest.mark.parametrize("owner, name, right, wrong", SLIPS)
def test_a_slip_in_the_planner_is_caught(owner, name, right, wrong, monkeypatch):
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert right in source
    space = {}
    exec(f"from __future__ import annotations\n{source.replace(right, wrong)}", vars(planner), space)
    monkeypatch.setattr(owner, name, space[name])
    with pytest.raises((Overwritten, ValueError, TypeError, KeyError, IndexError, AssertionError)):  # (many a slip does not even run)
        for made in plans():
            check_plan(made, np.random.default_rng(1))


def test_the_code_of_a_long_program_is_written_in_pieces_that_hand_on_numbers_and_give_up_together(monkeypatch):
    xs = RNG.normal(size=40) ** 2 + 0.1

    def long(x, c):
        number = x[0] * c
        for i in range(1, 40):
            x = np.where(x > 0, np.sqrt(x * c), x) + number
            number = number / (1 + x[i])
        return np.sum(x) * number, x[::2]

    whole = tg.compile(tg.value_and_grad(lambda x, c: long(x, c)[0], (0, 1)))
    right = whole(xs, 1.5)
    monkeypatch.setattr(planner, "PIECE", 7)
    pieces = tg.compile(tg.value_and_grad(lambda x, c: long(x, c)[0], (0, 1)))
    for x, y in zip(leaves(pieces(xs, 1.5)), leaves(right), strict=True):
        np.testing.assert_array_equal(x, y)
    assert "piece_9" in pieces.program_text
    with np.errstate(all="ignore"):
        for x, y in zip(leaves(pieces(0 * xs, 1.5)), leaves(whole(0 * xs, 1.5)), strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_recording_leaves_no_garbage_that_waits_for_a_collection():
    w = tg.Tensor(RNG.normal(size=(3, 3)), requires_grad=True)
    step = tg.compile(lambda x: np.sum(np.tanh(x @ w)[:, 0] ** 2), tg.optim.Adam([w]))
    tg.compile(lambda x: np.tanh(x))(np.ones(3))
    gc.collect()
    gc.disable()
    try:
        step(np.ones((2, 3)))
        assert gc.collect() < 30
    finally:
        gc.enable()


def test_a_view_that_einsum_makes_of_its_one_operand_is_given_back_in_memory_of_its_own():
    x = RNG.normal(size=(5, 5))
    compiled = tg.compile(lambda x: np.einsum("ii->i", x * x + 1))
    np.testing.assert_allclose(result := compiled(x), np.diagonal(x * x + 1), rtol=1e-12)
    assert not np.may_share_memory(result, compiled._last.plan.memory)


def test_writes_where_a_condition_holds_can_be_compiled_if_they_need_no_shape_that_depends_on_it():
    def f(x):
        x, y = x * 1, x * 2
        np.place(x, x > 0.1, [1.25, 0.5, 2.0])
        np.add.at(y, y < 0.1, -1.5)
        return np.sum(x * y**2)

    xs = [RNG.normal(size=(3, 4)) for _ in range(3)]
    for way in (lambda f: f, tg.grad):
        compiled = tg.compile(way(f))
        for x in xs:
            np.testing.assert_allclose(compiled(x), way(f)(x), rtol=1e-12)
        assert compiled.recordings == 1


def by_numbers(x):
    y = x * 1
    y[y > 0] *= 2
    y[x > 0] += x[0, 0]
    y[y < -1] **= 2
    return y


def by_entries_at_the_same_places(x):
    y = x * 1
    mask = y > 0
    y[mask] -= x[mask]
    y[mask] += 3
    return y


def by_rows_and_through_views(x):
    y = x * 1
    y[x[:, 0] > 0] *= x[0]
    part = y[1:].T
    part[part > 1] /= 4.0
    return y


def of_integers(x):
    y = (x * 4).astype(int)
    y[y > 0] //= 2
    y[y > 1] &= 3
    return y * x


@pytest.mark.parametrize("f", [by_numbers, by_entries_at_the_same_places, by_rows_and_through_views, of_integers])
def test_what_is_changed_in_place_where_a_condition_holds_is_compiled(f):
    x, other, weights = RNG.normal(size=(3, 5, 3))
    for derived in (f, tg.grad(lambda x: np.sum(f(x) ** 2 * weights))):
        compiled = tg.compile(derived)
        for given in (x, other):
            np.testing.assert_allclose(compiled(given), derived(np.copy(given)), rtol=1e-12)
        assert compiled.recordings == 1


def test_what_lies_where_a_condition_holds_has_a_shape_that_depends_on_values_and_is_refused():
    def summed(x):
        return np.sum(x[x > 0])

    def changed_and_summed(x):
        part = x[x > 0]
        part += 1
        return np.sum(part)

    def of_another_shape(x):
        y = x * 1
        y[y > 0] += x[x < 0]
        return y

    for f in (summed, changed_and_summed, of_another_shape):
        with pytest.raises(tg.CompileError, match="shape that depends on values"):
            tg.compile(f)(RNG.normal(size=4))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_checkpoint_is_kept_in_a_plan(backend):
    if backend == "numba":
        pytest.importorskip("numba")
    w, x = 0.3 * RNG.normal(size=(4, 4)), RNG.normal(size=(500, 4))

    def deep(block):
        def f(w):
            h = x
            for _ in range(4):
                h = block(w, h)
            return np.mean(h**2)

        return tg.compile(tg.grad(f), backend=backend)

    def block(w, h):
        for _ in range(6):
            h = np.tanh(h @ w)
        return h

    plain, kept = deep(block), deep(tg.checkpoint(block))
    np.testing.assert_allclose(kept(w), plain(w), rtol=1e-9)
    if backend == "numpy":
        assert kept.nbytes < plain.nbytes / 2


def test_a_checkpoint_that_draws_is_refused_compiled_too():
    rng = np.random.default_rng(0)
    with pytest.raises(tg.GradientError, match="the second forward call gave another result"):
        tg.compile(tg.grad(tg.checkpoint(lambda x: np.sum(x * rng.normal(size=3)))))(np.ones(3))
