"""Views share their entries, writes are seen by all that share them, and gradients follow the values."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
from laws import leaves_of, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import GradientError, ShapeError, Tensor, no_grad
from tinygrad_hw.views import View, WriteResult

M = spread(2, 3)
VIEWS = {
    "t[1]": lambda t: t[1],
    "t[:, 1:]": lambda t: t[:, 1:],
    "t[..., None]": lambda t: t[..., None],
    "t[::-1]": lambda t: t[::-1],
    "a row of a loop": lambda t: list(t)[1],
    "reshape": lambda t: t.reshape(3, 2),
    "reshape of one length": lambda t: np.reshape(t, -1),
    "ravel": lambda t: t.ravel(),
    "T": lambda t: t.T,
    "mT": lambda t: t.mT,
    "transpose": lambda t: np.transpose(t, (1, 0)),
    "swapaxes": lambda t: t.swapaxes(0, 1),
    "moveaxis": lambda t: np.moveaxis(t, 0, -1),
    "rollaxis": lambda t: np.rollaxis(t, 1),
    "matrix_transpose": lambda t: np.linalg.matrix_transpose(t),
    "squeeze": lambda t: np.squeeze(t[None], 0),
    "expand_dims": lambda t: np.expand_dims(t, (0, 2)),
    "atleast_3d": lambda t: np.atleast_3d(t),
    "flip": lambda t: np.flip(t, 1),
    "fliplr": lambda t: np.fliplr(t),
    "rot90": lambda t: np.rot90(t),
    "split": lambda t: np.split(t, [1], axis=1)[1],
    "hsplit": lambda t: np.hsplit(t, [2])[0],
    "vsplit": lambda t: np.vsplit(t, 2)[1],
    "einsum that turns": lambda t: np.einsum("ij->ji", t),
    "einsum of a diagonal": lambda t: np.einsum("ii->i", t[:, :2]),
    "real": lambda t: t.real,
    "a view of a view of a view": lambda t: t.T[1:].reshape(2, 2, 1)[:, 0],
}  # fmt: skip
COPIES = {
    "t[[0, 1]]": lambda t: t[[0, 1]],
    "t[t > 0]": lambda t: t[t > 0],
    "flatten": lambda t: t.flatten(),
    "copy": lambda t: t.copy(),
    "np.copy": np.copy,
    "+t": lambda t: +t,
    "ravel of what does not lie in order": lambda t: t.T.ravel(),
    "reshape of what does not lie in order": lambda t: t.T.reshape(-1),
    "take": lambda t: t.take([0, 1]),
    "sort": np.sort,
    "astype": lambda t: t.astype(float),
    "flat": lambda t: t.flat[:],
}  # fmt: skip
READ_ONLY = {"broadcast_to": lambda t: np.broadcast_to(t, (2, 2, 3)), "diagonal": lambda t: np.diagonal(t), "diag": lambda t: np.diag(t)}


def both():
    """Return an array, a Tensor of it, and a result of a leaf with its values."""
    (leaf,) = leaves_of([M])
    return M.copy(), Tensor(M), leaf * 1


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_write_to_a_view_is_seen_by_its_base_and_the_other_way_round(view):
    array, *tensors = both()
    a = view(array)
    for t in tensors:
        v = view(t)
        assert_array_equal(v.data, view(M))
        v[...] = 7.0
        assert_array_equal(v.data, np.full(a.shape, 7.0))
        t *= 2.0
        assert_array_equal(v.data, np.full(a.shape, 14.0))
    a[...] = 7.0
    array *= 2.0
    for t in tensors:
        assert_array_equal(t.data, array)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_shares_nothing(copied):
    array, *tensors = both()
    expected = copied(array)
    for t in tensors:
        c = copied(t)
        t[...] = 7.0
        assert_array_equal(c.data, expected)
        c[...] = 8.0
        assert_array_equal(t.data, np.full(M.shape, 7.0))


@pytest.mark.parametrize(
    "write",
    [
        lambda v: np.negative.at(v, np.s_[...]),
        lambda v: np.add.at(v, np.s_[...], 1.0),
        lambda v: np.put(v, [], []),
        lambda v: np.copyto(v, 1.0),
        lambda v: setattr(v, "flat", 1.0),
    ],
    ids=["negative.at", "add.at", "put", "copyto", "flat"],
)
def test_writing_no_entries_of_what_is_read_only_is_refused_as_well(write):
    for x in (np.zeros((0, 2)), Tensor(np.zeros((0, 2))), Tensor(np.zeros((0, 2)), requires_grad=True) * 1.0):
        with pytest.raises(ValueError, match="read-only"):
            write(np.diagonal(x))


@pytest.mark.parametrize("view", READ_ONLY.values(), ids=READ_ONLY)
def test_what_numpy_has_read_only_is_read_only_and_follows_its_base(view):
    for t in both()[1:]:
        v = view(t)
        with pytest.raises(ValueError, match="read-only"):
            v[...] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            v += 1.0
        t[...] = 7.0
        assert_array_equal(v.data, view(np.full(M.shape, 7.0)))


def test_an_entry_of_a_vector_is_a_copy_as_numpys_scalars_are():
    for t in (Tensor(M[0]), leaves_of([M[0]])[0] * 1):
        entry = t[1]
        t[1] = 9.0
        assert entry.item() == M[0, 1]
        entry += 1.0
        assert t[1].item() == 9.0
        with pytest.raises(TypeError, match=r"a single number, as NumPy's scalars are"):
            entry[...] = 1.0


@pytest.mark.parametrize("way", [lambda f: f, tg.compile, lambda f: lambda x: tg.vmap(f)(x[None])[0]], ids=["eager", "compiled", "batched"])
def test_an_in_place_operator_gives_a_scalar_a_new_value_and_its_other_names_the_old_one(way):
    def f(x):
        total = x.sum()
        kept = total
        total += 1.0
        entry = x[0]
        entry *= 10.0
        return total * kept + entry * x[0]

    x = np.array([1.0, 2.0])
    assert_allclose(way(f)(x), 4 * 3 + 10)
    assert_allclose(way(tg.grad(f))(x), [7 + 20, 7])


def test_a_reshape_that_copies_in_fortran_order_copies():
    array = np.asfortranarray(spread(2, 3))
    for order, shares in (("C", False), ("F", True)):
        a, t = np.copy(array, order="K"), Tensor(array)
        a.reshape(-1, order=order)[0] = 9.0
        t.reshape(-1, order=order)[0] = 9.0
        assert (a[0, 0] == 9.0) == shares
        assert_array_equal(t.data, a)


# Gradients
def test_the_gradient_of_a_view_is_that_of_the_values_it_shows():
    (x,) = leaves_of([np.array([1.0, 2.0])])
    y = x * 1
    v = y[1:]
    y[1] = 5 * x[0]
    (v * 3).sum().backward()
    assert_array_equal(x.grad, [15, 0])


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_value_written_through_a_view_gets_the_cotangent_of_its_place(view):
    x, value = leaves_of([M, random_like(view(M))])
    y = x * 1
    view(y)[...] = value * 2
    g = random_like(M)
    y.backward(g)
    assert_allclose(value.grad, 2 * view(g))
    left = g.copy()
    view(left)[...] = 0
    assert_allclose(x.grad, left)


def test_writing_is_differentiable_to_any_order():
    def f(x):
        y = np.zeros_like(x)
        y[:2] = x[:2] ** 3
        y[1:][0] *= x[2]
        y += y[::-1] * x[0]
        return np.sum(y * y)

    x = spread(3)
    analytic = tg.hessian(f)(x)
    step = 1e-5
    columns = [(tg.grad(f)(x + step * e) - tg.grad(f)(x - step * e)) / (2 * step) for e in np.eye(3)]
    assert_allclose(analytic, np.array(columns), rtol=1e-6, atol=1e-6)
    assert_allclose(analytic, analytic.T, rtol=1e-12)


def test_a_graph_that_was_recorded_before_a_write_keeps_the_old_value():
    (x,) = leaves_of([M])
    y = x * 1
    old = (y * y).sum()
    y[0] = 0.0
    new = (y * y).sum()
    old.backward()
    assert_allclose(x.grad, 2 * M)
    x.grad = None
    new.backward()
    assert_allclose(x.grad, 2 * np.array([[0.0], [1.0]]) * M)


def test_overlapping_writes_are_done_as_if_the_source_were_copied():
    for t in (Tensor(np.arange(6.0)), leaves_of([np.arange(6.0)])[0] * 1):
        a = np.arange(6.0)
        t[1:] += t[:-1]
        a[1:] += a[:-1].copy()
        t[:3] = t[3:][::-1]
        a[:3] = a[3:][::-1].copy()
        assert_array_equal(t.data, a)


# Writes by operators, functions and methods
IN_PLACE = {
    "+=": lambda t: t.__iadd__(2),
    "-= a row": lambda t: t.__isub__(t[0] * 1),
    "*=": lambda t: t.__imul__(1.5),
    "/=": lambda t: t.__itruediv__(3.0),
    "//=": lambda t: t.__ifloordiv__(0.25),
    "%=": lambda t: t.__imod__(0.4),
    "**=": lambda t: t.__ipow__(2),
    "@=": lambda t: t.__imatmul__(spread(3, 3)),
}  # fmt: skip
WRITERS = {
    "copyto": lambda t: np.copyto(t, 5.0, where=M > 1),
    "put": lambda t: np.put(t, [0, 4], [5.0, 6.0]),
    "t.put": lambda t: t.put([1, 1], [5.0, 6.0]),
    "putmask": lambda t: np.putmask(t, M > 1, [5.0, 6.0]),
    "place": lambda t: np.place(t, M > 1, [5.0, 6.0]),
    "fill_diagonal": lambda t: np.fill_diagonal(t, 5.0),
    "put_along_axis": lambda t: np.put_along_axis(t, np.array([[1], [2]]), 5.0, 1),
    "add.at": lambda t: np.add.at(t, ([0, 0, 1], [1, 1, 2]), 5.0),
    "multiply.at": lambda t: np.multiply.at(t, ([0, 0], [1, 1]), 5.0),
    "out=": lambda t: np.add(t, 1.0, out=t),
    "out= and where=": lambda t: np.sqrt(np.abs(M), out=t, where=M > 1),
    "a reduction's out=": lambda t: np.sum(M, axis=0, out=t[1]),
    "fill": lambda t: t.fill(5.0),
    "sort": lambda t: t.sort(axis=0),
    "partition": lambda t: t.partition(1, axis=1),
    "flat": lambda t: t.flat.__setitem__(slice(1, 4), [5.0, 6.0]),
    "real": lambda t: setattr(t, "real", 5.0),
    "t[mask] = v": lambda t: t.__setitem__(M > 1, 5.0),
    "t[[1, 0], [1, 1]] = v": lambda t: t.__setitem__(([1, 0], [1, 1]), [5.0, 6.0]),
    "t[0] = list": lambda t: t.__setitem__(0, [5.0, 6.0, 7.0]),
}  # fmt: skip


@pytest.mark.parametrize("write", [*IN_PLACE.values(), *WRITERS.values()], ids=[*IN_PLACE, *WRITERS])
def test_what_numpy_writes_in_place_a_tensor_does(write):
    array, *tensors = both()
    write(array)
    for t in tensors:
        same, v = t, t[:, 1:]
        write(t)
        assert_allclose(same.data, array, rtol=1e-15)
        assert_allclose(v.data, array[:, 1:], rtol=1e-15)
    leaf = leaves_of([M])[0]
    with pytest.raises(GradientError, match=r"is a leaf that requires a gradient.*y = x\.copy\(\).*tg\.no_grad\(\)"):
        write(leaf)
    assert_array_equal(leaf.data, M)
    with no_grad():
        write(leaf)
    assert_allclose(leaf.data, array, rtol=1e-15)
    assert leaf.requires_grad and not leaf._node.parents


@pytest.mark.parametrize("bits", ["and", "or", "xor", "lshift", "rshift"])
def test_the_bits_of_integers_are_written_in_place(bits):
    a, t = np.array([1, 2, 3]), Tensor([1, 2, 3])
    same = t
    getattr(t, f"__i{bits}__")(2)
    getattr(a, f"__i{bits}__")(2)
    assert_array_equal(same, a)


def test_an_in_place_operator_keeps_shape_and_dtype_or_raises_and_changes_nothing():
    for t, other, error in (
        (Tensor([1, 2, 3]), 0.5, TypeError),
        (Tensor(M[0]), np.ones((2, 3)), ValueError),
        (leaves_of([M[0]])[0] * 1, np.ones((2, 3)), ValueError),
        (Tensor(M[0], requires_grad=True) * 1, 1j, TypeError),
    ):
        before = t.data.copy()
        with pytest.raises(error):
            t += other
        assert_array_equal(t.data, before)
    t = Tensor(np.ones(3, np.float32))
    t += np.ones(3)
    assert t.dtype == np.float32


def test_a_value_that_does_not_fit_names_both_shapes_and_changes_nothing():
    for t in (Tensor(M, name="scores"), leaves_of([M])[0] * 1):
        with pytest.raises(ShapeError, match=r"(?s)\(2, 3\).*\(5,\)"):
            t[0] = np.ones(5)
        assert_array_equal(t.data, M)


# Leaves
def test_the_loop_that_everyone_writes_first_trains():
    w, b = leaves_of([np.zeros(2), np.array(0.0)])
    inputs = np.random.default_rng(0).normal(size=(50, 2))
    targets = inputs @ np.array([2.0, -3.4]) + 4.2
    names = w.name, b.name
    for _ in range(200):
        ((inputs @ w + b - targets) ** 2).mean().backward()
        with no_grad():
            for p in [w, b]:
                p -= 0.1 * p.grad
                p.grad = None
    assert_allclose(w.data, [2.0, -3.4], rtol=1e-6)
    assert_allclose(b.data, 4.2, rtol=1e-6)
    assert (w.name, b.name) == names and w.requires_grad


def test_a_parameter_of_one_number_stays_one_that_can_be_written_to():
    (b,) = leaves_of([np.array(1.0)])
    optimizer = tg.optim.SGD([b], lr=0.25)
    (b * b).backward()
    optimizer.step()
    with no_grad():
        for p in [b]:
            p -= 0.25
    assert b.item() == 0.25 and b.requires_grad


def test_a_leaf_that_was_written_to_keeps_its_graphs_its_name_and_its_gradient():
    w = Tensor(M, requires_grad=True, name="W")
    loss = (w * w).sum()
    w.grad = np.ones(M.shape)
    with no_grad():
        w[0] = 0.0
    loss.backward()
    assert_allclose(w.grad, 1 + 2 * M)
    assert w.name == "W" and not w._node.parents


def test_a_write_through_a_view_of_a_leaf_is_refused_and_names_both():
    w = Tensor(M, requires_grad=True, name="W")
    with pytest.raises(GradientError, match=r"this tensor is a view of tensor 'W', which is a leaf that requires a gradient"):
        w.T[0] += 1.0
    with no_grad():
        w.T[0] += 1.0
    assert_allclose(w.data[:, 0], M[:, 0] + 1)


def test_who_holds_the_data_of_a_leaf_sees_what_is_written_and_writes_what_is_seen():
    (w,) = leaves_of([M])
    d, v = w.data, w[1]
    with no_grad():
        w[1, 0] = 7.0
    assert d[1, 0] == 7.0 and v[0].item() == 7.0
    d[1, 1] = 8.0
    assert v[1].item() == 8.0
    y = (w * w).sum()
    d[...] = 0.0
    y.backward()
    assert w.grad[1, 0] == 14.0 and w.grad[1, 1] == 16.0


def test_the_memory_of_a_compiled_step_is_written_in_place_and_read_by_the_next_step():
    (w,) = leaves_of([np.array([1.0, 2.0])])
    v, step = w[1:], tg.compile(lambda x: ((w - x) ** 2).sum(), tg.optim.SGD([w], lr=0.25))
    step(np.zeros(2))
    assert_allclose(w.data, [0.5, 1.0])
    with no_grad():
        w += 1.0
        v *= 2.0
    step(np.zeros(2))
    assert_allclose(w.data, [0.75, 2.0])
    assert_allclose(v.data, [2.0])


def test_a_view_follows_an_optimiser_and_a_new_array():
    (w,) = leaves_of([M])
    v, optimizer = w.T, tg.optim.SGD([w], lr=1.0)
    w.grad = np.ones(M.shape)
    optimizer.step()
    assert_allclose(v.data, M.T - 1)
    w.data = np.zeros(M.shape)
    assert_array_equal(v.data, np.zeros((3, 2)))
    (v * v).sum().backward()
    assert_array_equal(w.grad, np.ones(M.shape))


def test_a_write_to_a_result_inside_no_grad_keeps_its_graph_and_the_gradient_follows_the_values():
    (x,) = leaves_of([np.array([1.0, 2.0, 3.0])])
    y = x * 2
    with no_grad():
        y[0] = 9.0
        y[1:] *= 3.0
    y.sum().backward()
    assert_array_equal(x.grad, [0, 6, 6])


def test_a_part_that_was_written_to_in_place_may_be_put_back_by_another_slice():
    (x,) = leaves_of([np.array([1.0, 2.0, 3.0])])
    y, start = x * 2, 1
    with no_grad():
        part = y[slice(start, None)]
        part *= 3.0
        y[slice(start, None)] = part  # (what Python 3.12 makes of ``y[start:] *= 3.0``)
    y.sum().backward()
    assert_array_equal(x.grad, [2, 6, 6])


def test_retain_grad_and_the_name_survive_a_write():
    (x,) = leaves_of([np.array([1.0, 2.0])])
    y = (x * 1).retain_grad()
    y.name = "y"
    y[0] = 5.0
    y += 1.0
    assert y.name == "y"
    (y * 2).sum().backward()
    assert_array_equal(y.grad, [2, 2])


def test_integers_take_whole_numbers_and_plain_data_stay_plain():
    t = Tensor([1, 2, 3])
    (x,) = leaves_of([np.array(2.7)])
    t[0] = x
    assert_array_equal(t, [2, 2, 3])
    assert not t.requires_grad
    with no_grad():
        d = Tensor(M)
        d[0] = leaves_of([M])[0][1]
    assert not d.requires_grad


# Complex parts
def test_the_parts_of_a_complex_result_are_written_one_by_one():
    z0 = spread(2) + 1j * spread(2, seed=1)
    z, v = leaves_of([z0, spread(2, seed=2)])
    w = z * 1
    w.imag *= 2.0
    w.real[0] = v[1] * 3
    expected = z0.real + 2j * z0.imag
    expected[0] = v.data[1] * 3 + 1j * expected[0].imag
    assert_allclose(w.data, expected)
    g = random_like(z0)
    np.sum(np.real(w * g)).backward()
    assert_allclose(z.grad, [2 * np.imag(g[0]) * 1j, np.real(g[1]) + 2 * np.imag(g[1]) * 1j])
    assert_allclose(v.grad, [0, 3 * np.real(g[0])])


# Memory, threads, copies
def test_a_view_of_twenty_thousand_views_is_worked_out_and_freed():
    t = v = leaves_of([np.arange(3.0)])[0] * 1
    for _ in range(20_000):
        v = v[:]
    t[0] = 9.0
    assert v[0].item() == 9.0
    ref = weakref.ref(v)
    del v
    assert ref() is None


def test_views_and_writes_make_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        (x,) = leaves_of([M])
        y = x * 1
        v = y.T[1:]
        y[0] = x[1] * 2
        v *= 2.0
        refs = [weakref.ref(each) for each in (y, v, y._node, v._node)]
        del y, v
        assert [ref() for ref in refs] == [None] * 4
    finally:
        gc.enable()


def test_writes_of_one_array_share_its_memory_and_older_results_can_still_be_told():
    (x,) = leaves_of([np.zeros(4)])
    y, older = x * 1, []
    for i in range(4):
        y[i] = i + 1.0
        older.append(y._node)
    assert all(type(node) is WriteResult and node.memory is older[0].memory for node in older)
    assert_array_equal([node.value for node in older], np.tri(4) * np.arange(1.0, 5))


def test_disjoint_writes_in_threads_lose_nothing():
    t = Tensor(np.zeros((4, 1)))
    rows = list(t)

    def add(row):
        for _ in range(500):
            row += 1.0

    threads = [threading.Thread(target=add, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_array_equal(t, np.full((4, 1), 500.0))


def test_a_view_of_data_is_copied_and_pickled_as_an_array_is():
    t = Tensor(M)
    for c in (copy.copy(t[1]), copy.deepcopy(t[1]), pickle.loads(pickle.dumps(t[1]))):
        c[...] = 0.0
        assert not isinstance(c, View)
        assert_array_equal(t.data, M)


class Tied(tg.nn.Module):
    def __init__(self):
        self.W = Tensor(M, requires_grad=True)
        self.WT = self.W.T

    def forward(self, x):
        return (x @ self.W) @ self.WT


def test_a_view_of_a_weight_is_copied_with_its_weight():
    net = Tied()
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        with no_grad():
            other.W += 1.0
        assert_allclose(other.WT.data, M.T + 1)
        assert_allclose(net.WT.data, M.T)
    assert len(net.parameters()) == 1


def test_a_view_of_data_that_is_told_to_require_a_gradient_is_a_leaf_of_its_own():
    t = Tensor(np.arange(6.0))
    w = t.reshape(2, 3)
    w.requires_grad = True
    (w * w).sum().backward()
    assert_array_equal(w.grad, 2 * np.arange(6.0).reshape(2, 3))
    t[0] = 100.0
    assert w.data[0, 0] == 0.0
    with pytest.raises(GradientError, match="is a leaf that requires a gradient"):
        w[0] = 1.0


def test_the_result_that_a_user_holds_is_never_changed_by_a_rule():
    (x,) = leaves_of([M])
    y = x * 1
    y[0] = 0.0
    g = random_like(M)
    kept = g.copy()
    y.backward(g)
    assert_array_equal(g, kept)
    y = (x * 1).retain_grad()
    z = y.copy().retain_grad()
    z[0] = 1.0
    z.backward(g)
    assert_array_equal(z.grad, g)
