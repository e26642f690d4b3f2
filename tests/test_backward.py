"""The reverse sweep: what adds up, what is kept, what stays right whatever is changed, deep or in threads."""

import contextlib
import linecache
import os
import signal
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import complex_step, gradients, leaves_of, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import GradientError, ShapeError, Tensor, no_grad
from tinygrad_hw.backward import sweep, unbroadcast
from tinygrad_hw.tensor import tensors

X = np.array([1.0, 2.0, 3.0])


# Adding up
def test_two_uses_add_up():
    (a,) = leaves_of([X])
    b = a + a
    c = b + b
    c.backward(np.ones(3))
    assert_array_equal(a.grad, [4, 4, 4])


def test_uses_at_different_depths_add_up():
    (x,) = leaves_of([X])
    y = x * x
    z = y * x + y + x
    z.backward(np.array([1.0, 10.0, 100.0]))
    assert_array_equal(x.grad, (3 * X**2 + 2 * X + 1) * [1, 10, 100])


@pytest.mark.parametrize("join", [lambda y, z: y * z, lambda y, z: z * y], ids=["the older first", "the younger first"])
def test_a_node_is_swept_once_after_all_its_uses(join):
    swept = []

    @tg.primitive(lambda g, out, x: swept.append(len(x)) or g)
    def same(x):
        return x.copy()

    (x,) = leaves_of([X])
    y = same(x)
    for _ in range(4):
        y = same(join(y, np.tanh(y)))
    y.backward(np.ones(3))
    assert len(swept) == 5


def test_a_cotangent_that_is_added_into_belongs_to_nobody_else():
    x, y = leaves_of([X, X])
    s = x + y
    t = s + x
    t.backward(g := np.ones(3))
    assert_array_equal(x.grad, [2, 2, 2])
    assert_array_equal(y.grad, [1, 1, 1])
    assert_array_equal(g, [1, 1, 1])
    x.grad[...] = 7
    assert_array_equal(y.grad, [1, 1, 1])


def test_the_gradient_adds_up_over_calls_until_it_is_cleared():
    (x,) = leaves_of([X])
    y = (x * x).sum()
    y.backward()
    first = x.grad
    y.backward()
    assert_array_equal(x.grad, 4 * X)
    assert_array_equal(first, 2 * X)
    x.grad = None
    y.backward()
    assert_array_equal(x.grad, 2 * X)


def test_the_gradient_of_several_outputs_adds_up():
    (x,) = leaves_of([X])
    y = x * 2
    (y * y).sum().backward()
    np.exp(y).sum().backward()
    assert_allclose(x.grad, 8 * X + 2 * np.exp(2 * X), rtol=1e-15)


def test_a_leaf_is_its_own_gradient():
    x = Tensor(2.0, requires_grad=True)
    x.backward()
    assert x.grad == 1.0
    assert type(x.grad) is np.ndarray
    x.backward(3.0)
    assert x.grad == 4.0


def test_only_leaves_keep_a_gradient_unless_asked():
    (x,) = leaves_of([X])
    a = x * 2
    b = (a * a).retain_grad()
    c = b.sum()
    c.backward()
    for result in (a, c):
        with pytest.warns(
            UserWarning, match=r"is the result of \w+, and results keep no gradient: call retain_grad\(\).*W -= lr \* W\.grad"
        ):
            assert result.grad is None
    assert_array_equal(b.grad, [1, 1, 1])
    assert_array_equal(x.grad, 8 * X)
    c.backward()
    assert_array_equal(b.grad, [2, 2, 2])


def test_retain_grad_keeps_the_whole_cotangent_of_a_result_used_several_times():
    (x,) = leaves_of([X])
    a = (x * 2).retain_grad()
    (a * a + a).sum().backward()
    assert_array_equal(a.grad, 4 * X + 1)
    a.grad[...] = 0
    assert_array_equal(x.grad, 8 * X + 2)


def test_retain_grad_on_the_output_and_on_a_leaf():
    (x,) = leaves_of([X])
    y = (x.retain_grad() * 1).retain_grad()
    y.backward(g := np.array([1.0, 2.0, 3.0]))
    assert_array_equal(y.grad, g)
    assert_array_equal(x.grad, g)
    assert not np.shares_memory(y.grad, g)
    assert not np.shares_memory(x.grad, y.grad)


def test_a_leaf_that_requires_no_gradient_gets_none():
    x, c = Tensor(X, requires_grad=True), Tensor(X)
    (x * c).sum().backward()
    assert c.grad is None


def test_a_leaf_that_is_not_reached_keeps_none():
    x, y = leaves_of([X, X])
    (x * 1).sum().backward()
    assert y.grad is None


def test_detach_stops_the_gradient():
    (x,) = leaves_of([X])
    y = x * x
    (y.detach() * x).sum().backward()
    assert_array_equal(x.grad, X * X)
    assert not y.detach().requires_grad


# The cotangent
def test_a_cotangent_may_be_a_list_a_number_or_a_tensor():
    for g in ([1.0, 2.0, 3.0], np.array([1, 2, 3]), Tensor([1.0, 2.0, 3.0])):
        (x,) = leaves_of([X])
        (x * 2).backward(g)
        assert_array_equal(x.grad, [2, 4, 6])
        assert x.grad.dtype == np.float64


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_of_any_shape_needs_no_cotangent(shape):
    (x,) = leaves_of([np.full(shape, 3.0)])
    (x * x).backward()
    assert_array_equal(x.grad, np.full(shape, 6.0))


def test_several_numbers_need_a_cotangent():
    y = Tensor(np.ones((2, 3)), requires_grad=True, name="scores") * 1
    y.name = "scores"
    with pytest.raises(
        GradientError,
        match=r"backward from tensor 'scores' of shape \(2, 3\) needs a cotangent.*t\.sum\(\)\.backward\(\).*t\.backward\(g\)",
    ):
        y.backward()


def test_an_empty_output_needs_a_cotangent_too():
    with pytest.raises(GradientError, match="needs a cotangent"):
        (Tensor(np.ones(0), requires_grad=True) * 1).backward()


@pytest.mark.parametrize("g", [np.ones(2), np.ones((3, 1)), 1.0, np.ones((1, 3))])
def test_a_cotangent_of_the_wrong_shape_is_refused_and_changes_nothing(g):
    (x,) = leaves_of([X])
    y = (x * 2).retain_grad()
    with pytest.raises(
        ShapeError,
        match=rf"the cotangent has shape \({', ?'.join(map(str, np.shape(g)))},?\), and this tensor has shape \(3,\): they must be equal",
    ):
        y.backward(g)
    assert x.grad is None
    assert y.grad is None


def test_a_tensor_that_requires_no_gradient_says_why():
    for y in (Tensor(1.0), Tensor(1.0, requires_grad=True).detach() * 2):
        for call in (y.backward, y.retain_grad):
            with pytest.raises(GradientError, match=r"does not require a gradient.*requires_grad=True.*no_grad.*detach"):
                call()


def test_an_error_in_the_middle_of_a_sweep_leaves_every_gradient_as_it_was():
    x, y = leaves_of([np.array([1.0, 0.0]), np.ones(2)])
    out = (np.sqrt(x) + y).sum()
    y.grad = np.array([5.0, 5.0])
    with np.errstate(all="raise"), pytest.raises(FloatingPointError):
        out.backward()
    assert x.grad is None
    assert_array_equal(y.grad, [5, 5])
    with np.errstate(divide="ignore"):
        out.backward()
    assert_array_equal(x.grad, [0.5, np.inf])
    assert_array_equal(y.grad, [6, 6])


def test_a_sweep_of_several_seeds_adds_them_up_and_changes_none_of_them():
    (x,) = leaves_of([X])
    a, b = x * 2, x * x
    seeds = {a._node: np.ones(3), b._node: np.ones(3)}
    assert_array_equal(sweep(seeds)[x._node], 2 + 2 * X)
    assert set(seeds) == {a._node, b._node}
    c = a * b
    assert_array_equal(sweep({c._node: np.ones(3), a._node: np.ones(3)})[x._node], 6 * X**2 + 2)


# Changed values
def squares(x):
    return (x * x).sum()


CHANGES = {
    "data, written in place": lambda x: x.data.__setitem__(0, 100.0),
    "data, multiplied in place": lambda x: np.multiply(x.data, 100, out=x.data),
    "data, rebound": lambda x: setattr(x, "data", np.full(3, 100.0)),
    "data, augmented": lambda x: setattr(x, "data", x.data - 1),
    "an entry, inside no_grad": lambda x: no_grad()(lambda: x.__setitem__(0, 100.0))(),
}


@pytest.mark.parametrize("change", list(CHANGES.values()), ids=list(CHANGES))
@pytest.mark.parametrize("held_by_user", [False, True])
@pytest.mark.parametrize(
    "f",
    [
        squares,
        lambda x: np.sum(np.square(x)),
        lambda x: x @ x,
        lambda x: (x.reshape(1, 3) * x[:]).sum(),
        lambda x: np.einsum("i,i->", x, x),
        lambda x: np.sum(x**2),
        lambda x: (x.reshape(3, 1).T @ x.reshape(3, 1)).sum(),
        lambda x: np.sum(x.ravel() * x.T),
    ],
)
def test_a_leaf_changed_between_forward_and_backward_has_the_gradient_of_the_values_used(f, change, held_by_user):
    (x,) = leaves_of([X])
    if held_by_user:
        x.data[1] = 2.0
    y = f(x)
    change(x)
    y.backward()
    assert_allclose(x.grad, 2 * X, rtol=1e-15)
    changed = x.data.copy()
    assert not np.array_equal(changed, X)
    x.grad = None
    f(x).backward()
    assert_allclose(x.grad, 2 * changed, rtol=1e-15)


def test_data_that_was_lent_before_is_the_leafs_own_in_every_later_forward():
    (x,) = leaves_of([X])
    d = x.data
    for k in (2.0, 3.0):
        d[...] = k
        y = squares(x)
        assert y.item() == 3 * k * k
        d[...] = -1
        x.grad = None
        y.backward()
        assert_array_equal(x.grad, np.full(3, 2 * k))
    assert x.data is d


def test_an_input_array_changed_after_the_tensor_was_made_changes_nothing():
    a = X.copy()
    x = Tensor(a, requires_grad=True)
    y = squares(x)
    a[:] = 100
    y.backward()
    assert_array_equal(x.data, X)
    assert_array_equal(x.grad, 2 * X)


MASK, PLACES, C = np.array([True, False, True]), np.array([0, 2, 2]), np.array([4.0, 5.0, 6.0])
CONSTANTS = [
    (lambda x, c: x * c, C),
    (lambda x, c: c * x, C),
    (lambda x, c: np.multiply(x, c), C),
    (lambda x, c: np.multiply(c, x), C),
    (lambda x, c: x @ c, C),
    (lambda x, c: c @ x, C),
    (lambda x, c: x / c, C),
    (lambda x, c: c**x, C),
    (lambda x, c: np.where(c, x, 0.0), MASK),
    (lambda x, c: np.where(MASK, x, c) * x, C),
    (lambda x, c: x[c], MASK),
    (lambda x, c: x[c], PLACES),
    (lambda x, c: x[c, None], PLACES),
    (lambda x, c: x[(c,)], PLACES),
    (lambda x, c: np.sum(x, where=c), MASK),
    (lambda x, c: np.clip(x, c - 3.5, c), C),
    (lambda x, c: np.take(x, c), PLACES),
    (lambda x, c: np.repeat(x, c), PLACES),
    (lambda x, c: np.einsum("i,i->", x, c), C),
    (lambda x, c: np.concatenate([x, c]) ** 2, C),
    (lambda x, c: np.maximum(x, c - 3.5), C),
    (lambda x, c: np.tensordot(x, c, 1), C),
    (lambda x, c: np.hypot(x, c), C),
    (lambda x, c: np.mean(x, where=c), MASK),
    (lambda x, c: np.select([c], [x * x], 1.0), MASK),
    (lambda x, c: np.compress(c, x * x), MASK),
    (lambda x, c: np.delete(x, c), PLACES),
    (lambda x, c: np.choose(c // 2, [x, x * x]), PLACES),
    (lambda x, c: np.linalg.outer(x, c), C),
]


@pytest.mark.parametrize("f, constant", CONSTANTS)
def test_a_constant_array_changed_between_forward_and_backward_changes_nothing(f, constant):
    found = []
    for spoil in (False, True):
        c = constant.copy()
        (x,) = leaves_of([X])
        y = f(x, c)
        if spoil:
            c[...] = ~c if c.dtype == bool else 1
        y.backward(random_like(y.data))
        found.append(x.grad)
    assert_array_equal(found[1], found[0])


def test_an_index_list_changed_later_changes_nothing():
    (x,) = leaves_of([X])
    places = [0, 0]
    y = x[places]
    places[:] = [1, 2]
    y.backward(np.ones(2))
    assert_array_equal(x.grad, [2, 0, 0])


def test_the_data_of_a_result_are_read_only_and_cannot_be_rebound():
    (x,) = leaves_of([X])
    for y in (x * 2, np.sum(x), x.reshape(3, 1), x[0]):
        with pytest.raises(ValueError, match="read-only"):
            y.data[...] = 1
        with pytest.raises(GradientError, match=r"result of \w+: its value follows from its arguments.*t\[\.\.\.\] = v"):
            y.data = np.zeros(y.shape)


def test_a_copy_or_a_detached_tensor_can_be_written_to_without_harm():
    (x,) = leaves_of([X])
    y = x * 1.0
    z = (y * y).sum()
    y.numpy()[...] = 100
    d = y.detach()
    d.data[...] = 100
    e = y.detach()
    e[0] = 100.0
    z.backward()
    assert_array_equal(x.grad, 2 * X)
    f = x.detach()
    f.data[...] = -1
    assert_array_equal(x.data, X)


def test_a_detached_leaf_does_not_see_later_writes_to_the_leaf_nor_the_other_way_round():
    (x,) = leaves_of([X])
    x.data[0] = 1.0
    d = x.detach()
    x.data[0] = 50
    assert_array_equal(d.data, X)
    d.data[1] = 60
    assert_array_equal(x.data, [50, 2, 3])


def test_a_plain_tensor_constant_written_later_changes_nothing():
    (x,) = leaves_of([X])
    c = Tensor(C)
    y = (x * c).sum() + np.dot(x, c)
    c.data[...] = 0
    c[1] = 9.0
    y.backward()
    assert_array_equal(x.grad, 2 * C)


def test_an_optimisation_step_on_data_in_place_trains():
    (w,) = leaves_of([np.array([5.0])])
    for _ in range(50):
        w.grad = None
        ((w - 1.0) * (w - 1.0)).sum().backward()
        w.data -= 0.2 * w.grad
    assert_allclose(w.data, [1.0], rtol=1e-9)


def test_augmented_assignment_of_a_leaf_is_refused_and_of_a_result_is_in_place():
    (x,) = leaves_of([X])
    y = x
    with pytest.raises(GradientError, match="is a leaf that requires a gradient"):
        y += 1.0
    y = z = x.copy()
    y += 1.0
    y *= 2.0
    assert z is y
    assert_array_equal(x.data, X)
    z.sum().backward()
    assert_array_equal(x.grad, [2, 2, 2])


# The sweep read on tensors
def test_reading_on_tensors_gives_the_second_and_third_derivative():
    x = Tensor(2.0, requires_grad=True)
    y, derivative = x**5, []
    for _ in range(3):
        (y,) = [g for node, g in sweep({y._node: Tensor(1.0)}, tensors).items() if node is x._node]
        derivative.append(float(y.data))
    assert derivative == [80, 160, 240]


def test_the_hessian_is_symmetric():
    a = spread(3, 3)

    def f(x):
        return np.sum(np.tanh(np.einsum("ij,j->i", a, x)) * np.exp(x)) + np.prod(x)

    (x,) = leaves_of([X / 2])
    first = sweep({f(x)._node: Tensor(1.0)}, tensors)[x._node]
    rows = np.array([sweep({first[i]._node: np.float64(1)})[x._node] for i in range(3)])
    assert_allclose(rows, rows.T, rtol=1e-12)
    expected = [complex_step(lambda z: gradient_of(a, z), X / 2, u) for u in np.eye(3)]
    assert_allclose(rows, expected, rtol=1e-12)


def gradient_of(a, x):
    """Return the gradient of Σ tanh(a x) ⊙ eˣ + Π x, by hand."""
    t = np.tanh(a @ x)
    return a.T @ ((1 - t * t) * np.exp(x)) + t * np.exp(x) + np.prod(x) / x


def test_a_recorded_gradient_can_be_part_of_a_loss():
    (x,) = leaves_of([X])
    g = sweep({(x * x * x).sum()._node: Tensor(1.0)}, tensors)[x._node]
    np.sum(g * g).backward()
    assert_allclose(x.grad, 36 * X**3, rtol=1e-14)


# Depth
def test_a_chain_of_a_hundred_thousand_nodes_is_differentiated_twice_without_recursion():
    n, c = 100_000, 1.00001
    x = Tensor(1.0, requires_grad=True)
    t = x
    for _ in range(n):
        t = t * c
    y = t * t
    y.backward()
    assert_allclose(x.grad, 2 * c ** (2 * n), rtol=1e-9)
    first = sweep({y._node: Tensor(1.0)}, tensors)[x._node]
    assert_allclose(first.data, x.grad, rtol=1e-12)
    second = sweep({first._node: np.float64(1)})[x._node]
    assert_allclose(second, 2 * c ** (2 * n), rtol=1e-9)
    del t, y, first


# Threads
def in_threads(work, n=8):
    failures = []

    def run(i):
        try:
            work(i)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def test_eight_threads_may_add_to_the_gradients_of_shared_leaves():
    w, b = leaves_of([np.ones(5), np.zeros(())])

    def work(i):
        for k in range(100):
            (w * float(i + k) + b).sum().backward()

    in_threads(work)
    assert_array_equal(w.grad, np.full(5, sum(i + k for i in range(8) for k in range(100))))
    assert b.grad == 8 * 100 * 5


def test_eight_threads_may_sweep_one_graph():
    (x,) = leaves_of([X])
    y = np.sum(np.where(x > 1, np.log(x), x) * x)
    y.backward()
    expected = 8 * 50 * x.grad
    x.grad = None
    in_threads(lambda i: [y.backward() for _ in range(50)])
    assert_allclose(x.grad, expected, rtol=1e-12)


def test_no_grad_holds_for_its_own_thread_alone():
    (x,) = leaves_of([X])
    inside, outside = threading.Event(), threading.Event()
    found = {}

    def work(i):
        if i == 0:
            with no_grad():
                inside.set()
                outside.wait(5)
                found["inside"] = (x * 2).requires_grad
            found["after"] = (x * 2).requires_grad
        else:
            inside.wait(5)
            found["other"] = (x * 2).requires_grad
            outside.set()

    in_threads(work, 2)
    assert found == {"inside": False, "other": True, "after": True}


# Random graphs
UNARY = [
    np.sin,
    np.tanh,
    np.exp,
    np.negative,
    lambda x: x * 0.5,
    lambda x: x**2,
    lambda x: np.sum(x) * 0.1,
    lambda x: x[..., ::-1],
    lambda x: np.cumsum(x, axis=0) * 0.3,
    lambda x: x.reshape(-1)[:1],
    lambda x: x.T,
    lambda x: x / (2 + np.sin(x)),
    lambda x: np.concatenate([np.ravel(x), np.ravel(x)])[:2],
]
BINARY = [
    np.add,
    np.subtract,
    np.multiply,
    lambda x, y: x * np.cos(y),
    lambda x, y: np.where(np.arange(2) > 0, x, y) if np.size(x) < 3 > np.size(y) else x + y,
]


@settings(max_examples=120)
@given(
    steps=st.lists(st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=10)
)
def test_any_graph_of_expressions_has_the_gradient_of_the_complex_step(steps):
    def f(x, y):
        values = [x, y]
        for op, i, j in steps:
            a, b = values[i % len(values)], values[j % len(values)]
            try:
                values.append(UNARY[op](a) if op < len(UNARY) else BINARY[op - len(UNARY)](a, b))
            except ValueError:
                values.append(a + 1.0)
        return sum(np.sum(v) for v in values)

    x, y = spread(2, low=-0.6, high=0.5), spread(3, 1, low=-0.4, high=0.7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = f(x, y)
        if not abs(value) < 1e6:
            return
        found = gradients(f, [x, y])
        for i, a in enumerate((x, y)):
            expected = np.array(
                [complex_step(lambda z, i=i: f(z, y) if i == 0 else f(x, z), a, u.reshape(a.shape)) for u in np.eye(a.size)]
            ).reshape(a.shape)
            assert_allclose(found[i], expected, rtol=1e-10, atol=1e-10 * (1 + abs(value)))


@given(shape=st.sampled_from([(), (1,), (3,), (1, 3), (2, 1), (2, 3), (0,), (1, 1, 1)]), lead=st.sampled_from([(), (2,), (4, 2), (0,)]))
def test_unbroadcast_is_the_adjoint_of_broadcasting(shape, lead):
    x = random_like(np.zeros(shape))
    wide = np.broadcast_shapes(shape, (*lead, *(3 if n == 1 else n for n in shape)))
    g = random_like(np.zeros(wide), 2)
    back = unbroadcast(g, shape)
    assert np.shape(back) == shape
    assert_allclose(np.sum(back * x), np.sum(g * np.broadcast_to(x, wide)), rtol=1e-12, atol=1e-13)


# no_grad
def test_no_grad_is_a_context_manager_and_a_decorator_that_may_nest_and_fail():
    (x,) = leaves_of([X])
    with no_grad():
        with no_grad():
            assert not (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad
    with pytest.raises(ZeroDivisionError), no_grad():
        raise ZeroDivisionError
    assert (x * 2).requires_grad

    @no_grad()
    def f(k):
        """Double."""
        return x * 2 if k == 0 else f(k - 1)

    assert not f(3).requires_grad
    assert f.__doc__ == "Double."
    assert (x * 2).requires_grad


def test_one_no_grad_object_may_be_entered_twice():
    (x,) = leaves_of([X])
    quiet = no_grad()
    with quiet, quiet:
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad


def test_backward_may_be_called_inside_no_grad():
    (x,) = leaves_of([X])
    y = squares(x)
    with tg.no_grad():
        y.backward()
    assert_array_equal(x.grad, 2 * X)


# Interrupts
class Interrupt:
    """Raises KeyboardInterrupt at one line of the package, as Ctrl-C may; counts the lines else.

    Not at a ``with``: between its two halves and its block Python looks at no signals.
    """

    def __init__(self, at):
        self.at, self.seen = at, 0

    def __call__(self, frame, event, argument):
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        if event == "line" and not linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip().startswith("with "):
            self.seen += 1
            if self.seen == self.at:
                raise KeyboardInterrupt
        return self

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self)
        return self

    def __exit__(self, *error):
        sys.settrace(self.before)


PACKAGE = os.path.dirname(tg.__file__) + os.sep


def test_an_interrupt_at_any_line_of_backward_leaves_all_gradients_or_none():
    """Whatever has been swept: either every leaf has its gradient added, or every .grad is as it was; and the next backward is right."""
    x, y, z = (Tensor(np.array([1.0, -2.0, 3.0]) * k, requires_grad=True) for k in (1, 2, 3))
    kept = (np.where(x > 0, x * y, z) * z[1]).retain_grad()
    loss = (kept + np.exp(-(x**2)) @ y).sum()
    loss.backward()
    grads = [t.grad.copy() for t in (x, y, z, kept)]

    def begin():
        for t in (x, y, z, kept):
            t.grad = None
        x.grad = np.ones(3)

    def added():
        return [t.grad is not None and np.array_equal(t.grad, g + (1 if t is x else 0)) for t, g in zip((x, y, z, kept), grads)]

    begin()
    settings_before = np.geterr()
    with Interrupt(-1) as counted:
        loss.backward()
    assert all(added()) and counted.seen > 200
    for at in range(1, counted.seen + 1):
        begin()
        with contextlib.suppress(KeyboardInterrupt), Interrupt(at):
            loss.backward()
        done = added()
        assert all(done) or (np.array_equal(x.grad, np.ones(3)) and all(t.grad is None for t in (y, z, kept)))
        assert np.geterr() == settings_before
    begin()
    loss.backward()
    assert all(added())


def test_ctrl_c_while_a_rule_computes_leaves_every_gradient_as_it_was():
    def interrupting(g, out, x):
        signal.raise_signal(signal.SIGINT)
        return g

    x, y = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0, 4.0], requires_grad=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            (tg.primitive(interrupting)(lambda x: x * 1.0)(x) * y).sum().backward()
    finally:
        signal.signal(signal.SIGINT, before)
    assert x.grad is None and y.grad is None
    (x * y).sum().backward()
    assert x.grad.tolist() == [3.0, 4.0]
