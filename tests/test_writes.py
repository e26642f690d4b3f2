"""What a graph holds is not changed by a write, what shares entries sees it, and names and retained gradients stay."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tinygrad_hw import views
from tinygrad_hw.errors import DetachError, GradientError
from tinygrad_hw.graph import reachable_results
from tinygrad_hw.tensor import Tensor, no_grad


@pytest.fixture
def x():
    return Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")


def slope(out, x):
    """Return the gradient of the sum of a result."""
    x.grad = None
    out.sum().backward()
    return x.grad.tolist()


# What is recorded keeps what it was recorded with
def test_a_constant_array_may_change_later_on_either_side_of_an_operator(x):
    for recorded in (lambda a: x * a, lambda a: a * x, lambda a: a - x * a, lambda a: np.multiply(a, x)):
        a = np.full(3, 2.0)
        out = recorded(a)
        expected = slope(recorded(a.copy()), x)
        a[:] = 9.0
        assert slope(out, x) == expected


def test_an_array_that_the_user_holds_may_change_later(x):
    held = x.data
    for recorded in (lambda: x * x, lambda: x.square(), lambda: 6.0 / x, lambda: x / Tensor(2.0)):
        held[:] = [1.0, 2.0, 3.0]
        expected, out = slope(recorded(), x), recorded()
        held[:] = 9.0
        assert slope(out, x) == expected


def test_a_tensor_without_a_gradient_may_be_written_to_later(x):
    t = Tensor([4.0, 5.0, 6.0])
    out, view = x * t, t[1:]
    also = x[1:] * view
    t[1] = 9.0
    view += 1
    assert slope(out, x) == [4.0, 5.0, 6.0]
    assert slope(also, x) == [0.0, 5.0, 6.0]
    assert t.tolist() == [4.0, 10.0, 7.0]


def test_an_index_may_change_later(x):
    index, shape = np.array([0, 2]), [3, 1]
    out, t = (x * 1)[index], Tensor([1.0, 2.0, 3.0])
    column = np.reshape(t, shape)
    index[:], shape[:] = 1, [1, 3]
    t[0] = 9.0
    assert slope(out, x) == [1.0, 0.0, 1.0]
    assert column.tolist() == [[9.0], [2.0], [3.0]]


def test_each_result_of_a_row_of_writes_keeps_its_own_value(x):
    y = x * 1
    y[0] = 5.0
    y[:2] = 6.0
    view = y[1:]
    view[0] = 7.0
    y[0] = 8.0
    written = [node.value.tolist() for node in reversed(reachable_results([y._node])) if node.rule.name == "setitem"]
    assert written == [[5.0, 2.0, 3.0], [6.0, 6.0, 3.0], [6.0, 7.0, 3.0], [8.0, 7.0, 3.0]]


# What shares entries
def test_a_view_of_a_view_sees_what_is_written_to_either_of_them_and_to_the_root(x):
    y = x * 1
    view = y[1:]
    last = view[1:]
    y[2] = 10 * x[0]
    assert last.tolist() == [10.0]
    view[1] = 20 * x[1]
    assert (last.tolist(), y.tolist()) == ([40.0], [1.0, 2.0, 40.0])
    last *= 2
    assert (view.tolist(), y.tolist()) == ([2.0, 80.0], [1.0, 2.0, 80.0])
    assert slope(y + last.sum(), x) == [1.0, 1 + 4 * 40.0, 0.0]


def test_rows_are_not_taken_for_what_they_were_read_from(x):
    y = np.stack([x, 2 * x])
    y[0] = y[1]
    assert y.tolist() == [[2.0, 4.0, 6.0], [2.0, 4.0, 6.0]]
    assert slope(y, x) == [4.0, 4.0, 4.0]


def test_a_turned_view_written_into_its_base_is_not_taken_for_a_row_of_it(x):
    y = np.stack([x, 2 * x, 3 * x])
    y[-1] = np.moveaxis(y, -1, 0)[0]
    assert y[2].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError):
        y[-1] = np.swapaxes(y, -1, 0)


def test_a_view_made_inside_no_grad_is_of_the_graph_outside(x):
    y = x * 1
    with no_grad():
        last = y[1:][1:]
    last *= 3
    assert slope(y, x) == [1.0, 1.0, 3.0]


def test_a_view_of_a_leaf_is_pickled_with_its_steps():
    W = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    view = pickle.loads(pickle.dumps(W.T[1:]))
    assert view.tolist() == [[1.0, 4.0], [2.0, 5.0]]


def test_the_other_part_of_a_complex_number_stays():
    w = Tensor([1 + 2j, 3 + 4j], requires_grad=True)
    z = w * 1
    z.real = 5.0
    z.imag[0] = 6.0
    assert z.tolist() == [5 + 6j, 5 + 4j]
    u = w * 1
    u.imag[1] = 7.0
    assert u.tolist() == [1 + 2j, 3 + 7j]


def test_a_reshape_of_what_lies_in_fortran_order_stays_a_view_when_its_root_is_copied():
    w = Tensor(np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)
    y = w * 1
    flat = y.T.reshape(-1)
    kept = y * 1  # (holds the value, so that the write goes to a copy)
    y[0] = 5.0
    flat[1] = 7.0
    assert y.tolist() == [[5.0, 5.0], [7.0, 4.0]]
    assert kept.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert slope(y * 3, w) == [[0.0, 0.0], [0.0, 3.0]]


def test_reading_an_entry_adds_to_no_one_elses_cotangent(x):
    other = Tensor([1.0, 1.0, 1.0], requires_grad=True)
    y, z = x * 1, other * 1
    first = y[0]
    ((y + z).sum() + 5 * first).backward()
    assert_array_equal(other.grad, [1.0, 1.0, 1.0])
    assert_array_equal(x.grad, [6.0, 1.0, 1.0])


# Names and gradients that are kept
def test_names_stay_at_a_write(x):
    y = x * 1
    view = y[1:]
    y.name, view.name = "y", "v"
    y[2] = 5.0
    assert (y.name, view.name) == ("y", "v")
    y += 1
    assert (y.name, view.name) == ("y", "v")


def test_a_gradient_that_is_kept_stays_so_at_a_write_of_a_result_and_of_a_view(x):
    y = (x * 1).retain_grad()
    view = y[1:].retain_grad()
    y[0] = 5.0
    (y * 2).sum().backward()
    (view * 3).sum().backward()
    assert_array_equal(view.grad, [3.0, 3.0])
    assert_array_equal(y.grad, [2.0, 5.0, 5.0])


def test_a_gradient_that_is_kept_is_that_of_the_value_after_the_write(x):
    y = x * 1
    y[0] = 5.0
    y.retain_grad()
    (y[0] * 2 + y[1] * 3).backward()
    assert_array_equal(y.grad, [2.0, 3.0, 0.0])
    assert_array_equal(x.grad, [0.0, 3.0, 0.0])


# What is refused
def test_a_leaf_that_requires_a_gradient_is_not_written_to_nor_through_a_view(x):
    view = x[1:]

    def assign():
        x[0] = 9.0

    def add():
        t = view
        t += 1

    for write in (assign, add, lambda: view.fill(0.0), lambda: np.copyto(view, 0.0), lambda: np.add(1.0, 1.0, out=view), view.sort):
        with pytest.raises(GradientError, match=r"a leaf that requires a gradient, .*inside tg.no_grad\(\)"):
            write()
    assert x.tolist() == [1.0, 2.0, 3.0]


def test_in_place_operators_keep_dtype_and_shape():
    y = Tensor(np.ones(2, np.float32), requires_grad=True) * 1
    y += np.ones(2)
    assert y.dtype == np.float32
    with pytest.raises(TypeError, match="cannot be written into this tensor of float32"):
        y += 1j
    with pytest.raises(ValueError, match=r"the result has shape \(2, 2\), and this tensor, where it should go, has shape \(2,\)"):
        y += np.ones((2, 2))


def test_a_result_with_a_gradient_is_not_written_into_an_array(x):
    with pytest.raises(DetachError, match="writing a tensor's result into an array would leave the graph"):
        np.add(x, 1.0, out=np.zeros(3))


def test_where_beside_out_leaves_the_other_entries_and_their_gradients(x):
    y = x * 1
    np.multiply(y, 10.0, out=y, where=np.array([True, False, True]))
    assert y.tolist() == [10.0, 2.0, 30.0]
    assert slope(y, x) == [10.0, 1.0, 10.0]


# The operators' short way
def test_inside_no_grad_no_operator_records(x):
    with no_grad():
        assert not any(y.requires_grad for y in (x * 2, 2 * x, x * x, x.exp(), np.ones(3) - x, np.exp(x), x.sum(), x[1:]))


def test_a_constant_tensor_beside_one_with_a_gradient(x):
    c = Tensor([4.0, 5.0, 6.0])
    assert slope(x * c, x) == slope(c * x, x) == [4.0, 5.0, 6.0]
    assert slope(c - x, x) == [-1.0, -1.0, -1.0]
    assert slope(6.0 / x, x) == [-6.0, -1.5, -6 / 9]
    assert (2.0 - x).tolist() == [1.0, 0.0, -1.0]


def test_comparisons_keep_their_sides_and_folds_their_axes(x):
    assert np.less(np.array([2.0, 2.0, 2.0]), x).tolist() == [False, False, True]
    assert (np.array([2, 8, 1]) >> Tensor([1, 2, 0])).tolist() == [1, 2, 1]
    assert x.sum(keepdims=True).shape == np.sum(x, keepdims=True).shape == (1,)


@pytest.mark.parametrize("part", ["real", "imag"])
def test_a_part_of_a_complex_number_may_become_infinite_and_leaves_the_other_as_it_is(part):
    z = np.copy(Tensor([1 + 2j, 3 - 1j], requires_grad=True))
    getattr(z, part)[0] = np.inf
    assert_array_equal(z.real.data, [np.inf, 3] if part == "real" else [1, 3])
    assert_array_equal(z.imag.data, [2, -1] if part == "real" else [np.inf, -1])


def test_backward_asks_no_view_of_what_was_written_later_for_its_value(monkeypatch):
    x = Tensor(np.arange(8.0), requires_grad=True)
    y = x * 1.0
    rows = y.reshape(4, 2)
    for i in range(4):
        rows[i] = rows[i] * 2
    loss = (y * y).sum()
    monkeypatch.setattr(views.ViewOfWrite, "value", property(lambda self: pytest.fail("worked out")))
    loss.backward()
    assert_array_equal(x.grad, 8 * np.arange(8.0))


@pytest.mark.parametrize(
    "write",
    [
        lambda t: np.argmax(np.ones((2, 3)), 0, out=t),
        lambda t: np.dot(np.ones((3, 2), np.float32), np.ones(2, np.float32), out=t),
        lambda t: np.take(np.arange(5), [0, 1, 2], out=t),
        lambda t: np.sum(np.ones((2, 4)), 0, out=t),
        lambda t: np.putmask(t, [True, False, True], np.array(1j)),
        lambda t: np.place(t, [True, False, True], np.array(np.longdouble(1))),
    ],
)
def test_what_numpy_refuses_to_write_is_refused_with_its_kind_of_error(write):
    with pytest.raises((TypeError, ValueError)) as numpys:
        write(np.ones(3))
    t = np.copy(Tensor(np.ones(3), requires_grad=True))
    with pytest.raises(numpys.type):
        write(t)
    assert_array_equal(t.data, np.ones(3))


def test_taking_from_nothing_gives_nothing():
    t = Tensor(np.zeros((0, 0, 2)), requires_grad=True)
    assert np.take(t, [0, -1], 1).shape == (0, 2, 2)
    with pytest.raises(IndexError):
        np.take(t, [0, -1], 0)


@pytest.mark.parametrize("function", [np.cumsum, np.cumprod])
def test_a_running_sum_does_not_go_into_a_tensor_without_axes(function):
    t = np.copy(Tensor(1.5, requires_grad=True))
    with pytest.raises(ValueError, match="shape"):
        function(t, 0, out=t)
