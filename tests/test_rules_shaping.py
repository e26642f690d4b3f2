"""The calculus of shape: the laws for every row, and hypothesis draws the indices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from laws import (
    Case,
    every_case_obeys,
    every_row_has_a_case,
    gradient_at,
    gradients,
    joined,
    leaves_of,
    numeric_gradients,
    random_like,
    second_gradients,
    spread,
)
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import GradientError, Tensor
from tinygrad_hw.rules import RULES, shaping

M, N, V, T = spread(2, 3), spread(2, 3, seed=4, low=-1), spread(4), spread(2, 3, 2)
S = np.asarray(0.7)
REPEATED = np.array([0, 2, 0, 3])


def written(x, value, index):
    out = np.array(x)
    out[index] = value
    return out


def scattered(g, index, shape):
    out = np.zeros(shape, g.dtype)
    np.add.at(out, index, g)
    return out


INDICES = [
    0,
    -1,
    slice(None, None, -1),
    (slice(None), 1),
    (Ellipsis, 0),
    None,
    (0, None, slice(1, None)),
    np.array([1, 0, 1]),
    [0, 1, 1],
    (np.array([0, 1, 0]), np.array([2, 2, 2])),
    np.array([[True, False, True], [False, True, False]]),
    (np.array([True, False]), 1),
    (slice(None), np.array([True, False, True])),
    (np.array([[0], [1]]), np.array([2, 0])),
    (),
    Ellipsis,
    (0, 1),
    slice(0, 0),
    np.array([], int),
    (slice(None, None, -1), [0, 0]),
    (np.int64(1), slice(2, None, -2)),
    (1, [0, 2, 0]),
    ([0, 1], None, slice(None)),
    True,
    False,
]
BLOCK = spread(2, 2, seed=2)
CASES = [
    *(Case(shaping.getitem, M, call=lambda x, i=i: x[i], analytic=True) for i in INDICES),
    *(
        Case(
            shaping.setitem,
            M,
            random_like(M[i]),
            call=lambda x, v, i=i: shaping.setitem(x, v, i),
            oracle=lambda x, v, i=i: shaping_written(x, v, i),
        )
        for i in INDICES
        if not (isinstance(i, (list, tuple, np.ndarray)) and "0, 0" in repr(i))
    ),
    *(
        Case(
            shaping.scatter, random_like(V[i]), call=lambda g, i=i: shaping.scatter(g, i, (4,)), oracle=lambda g, i=i: scattered(g, i, (4,))
        )
        for i in (1, slice(None, None, 2), REPEATED, V > 0.8)
    ),
    Case(np.reshape, M, call=lambda x: np.reshape(x, (3, -1)), analytic=True),
    Case(np.reshape, M, call=lambda x: np.reshape(x, 6, order="F"), analytic=True),
    Case(np.reshape, M, call=lambda x: np.reshape(x, (3, 2), "F"), analytic=True),
    Case(np.reshape, S, call=lambda x: np.reshape(x, (1, 1)), analytic=True),
    Case(np.reshape, M, call=lambda x: x.reshape(3, 2), analytic=True),
    Case(np.reshape, M, call=lambda x: x.reshape(-1), analytic=True),
    *(Case(np.ravel, x, order=order, analytic=True) for x in (M, T, S) for order in ("C", "F", "A", "K")),
    Case(np.ravel, M, call=lambda x: np.ravel(x.T, "F"), analytic=True),
    Case(np.ravel, T, call=lambda x: np.ravel(np.transpose(x, (2, 0, 1)), "K"), analytic=True),
    Case(np.ravel, T, call=lambda x: np.ravel(np.transpose(x, (2, 0, 1)), "A"), analytic=True),
    Case(np.squeeze, spread(1, 3, 1), analytic=True),
    Case(np.squeeze, spread(1, 3, 1), axis=-1, analytic=True),
    *(Case(np.expand_dims, M, axis=axis, analytic=True) for axis in (0, -1, (0, 2), (-1, 1))),
    *(Case(np.transpose, T, axes=axes, analytic=True) for axes in (None, (1, 2, 0), (-1, 0, 1), (2, 1, 0))),
    Case(np.transpose, T, call=lambda x: x.transpose(1, 2, 0), analytic=True),
    Case(np.transpose, T, call=lambda x: x.T, analytic=True),
    Case(np.swapaxes, T, call=lambda x: np.swapaxes(x, 0, -1), analytic=True),
    Case(np.swapaxes, T, call=lambda x: x.mT, analytic=True),
    Case(np.moveaxis, T, call=lambda x: np.moveaxis(x, 0, -1), analytic=True),
    Case(np.moveaxis, T, call=lambda x: np.moveaxis(x, (0, 1), (-1, 0)), analytic=True),
    Case(np.rollaxis, T, axis=2, analytic=True),
    Case(np.rollaxis, T, axis=0, start=3, analytic=True),
    *(Case(np.flip, T, axis=axis, analytic=True) for axis in (None, 0, (0, -1))),
    Case(np.flip, T, analytic=True),
    Case(np.fliplr, M, analytic=True),
    Case(np.flipud, M, analytic=True),
    *(
        Case(np.roll, M, shift=shift, axis=axis, analytic=True)
        for shift, axis in ((1, None), (-2, 1), ((1, 2), (0, 1)), ((1, 1), 1), (3, (0, 1)), (0, 0))
    ),
    Case(np.rot90, M, analytic=True),
    Case(np.rot90, T, k=3, axes=(1, 2), analytic=True),
    Case(np.copy, M, analytic=True),
    Case(np.copy, M, call=lambda x: x.copy(), analytic=True),
    Case(np.matrix_transpose, T, analytic=True),
    Case(shaping.astype, M, call=lambda x: x.astype(np.float64)),
    Case(shaping.barrier, M, call=lambda x: shaping.barrier(x, 0.0), oracle=lambda x: x),
    *([Case(np.astype, M, call=lambda x: np.astype(x, np.float64))] if hasattr(np, "astype") else []),
    Case(np.concatenate, M, N, call=lambda x, y: np.concatenate([x, y]), analytic=True),
    Case(np.concatenate, M, N, call=lambda x, y: np.concatenate((x, 2 * y, x), axis=-1), analytic=True),
    Case(np.concatenate, M, N, call=lambda x, y: np.concatenate([x, y], axis=None), analytic=True),
    Case(np.concatenate, M, call=lambda x: np.concatenate([np.ones((1, 3)), x, np.zeros((0, 3))]), analytic=True),
    Case(np.concatenate, T, call=lambda x: np.concatenate(x), analytic=True),
    *(
        Case(
            sliding_window_view,
            x,
            call=lambda x, size=size, axis=axis: sliding_window_view(x, size, axis),
            analytic=True,
            oracle=lambda x, size=size, axis=axis: np.array(sliding_window_view(x, size, axis)),
        )
        for x, size, axis in [(V, 3, None), (T, (1, 2, 2), None), (M, 2, 1), (T, (2, 2), (1, -1)), (V, (2, 2), (0, 0)), (M, (), ())]
    ),
    Case(
        shaping.overlaid,
        T,
        call=lambda g: shaping.overlaid(g, (2, 4), 1),
        analytic=True,
        oracle=lambda g: sum(np.pad(g[..., k], [(0, 0), (k, 1 - k)]) for k in range(2)),
    ),
    Case(shaping.concatenate, M, N, axis=1, oracle=lambda *xs, axis: np.concatenate(xs, axis), analytic=True),
    Case(shaping.stack, M, N, axis=-1, oracle=lambda *xs, axis: np.stack(xs, axis), analytic=True),
    *(Case(np.stack, M, N, call=lambda x, y, axis=axis: np.stack([x, y], axis=axis), analytic=True) for axis in (0, 1, -1)),
    Case(np.stack, S, S, call=lambda x, y: np.stack([x, y, 2.0]), analytic=True),
    *(
        Case(f, x, y, call=lambda x, y, f=f: f((x, y)), analytic=True)
        for f in (np.vstack, np.hstack, np.dstack, np.column_stack)
        for x, y in ((M, N), (V, V + 1))
    ),
    *(Case(f, S, S, call=lambda x, y, f=f: f((x, y)), analytic=True) for f in (np.vstack, np.hstack, np.dstack)),
    Case(np.append, M, N, analytic=True),
    Case(np.append, M, N, axis=0, analytic=True),
    Case(np.append, V, call=lambda x: np.append(x, 1.0), analytic=True),
    Case(np.block, BLOCK, M, call=lambda x, y: np.block([[x, y], [np.ones((1, 5))]]), analytic=True),
    Case(np.block, V, S, call=lambda x, y: np.block([x, y]), analytic=True),
    Case(np.block, V, call=lambda x: np.block(x), analytic=True),
    *(Case(f, x, analytic=True) for f in (np.atleast_1d, np.atleast_2d, np.atleast_3d) for x in (S, V, M, T)),
    Case(np.atleast_2d, S, V, analytic=True),
    *(Case(f, V, call=lambda x, f=f, s=s: f(2 * x, s), analytic=True) for f in (np.split, np.array_split) for s in (2, [1, 3], [0, 2, 9])),
    Case(np.array_split, V, call=lambda x: np.array_split(x, 3), analytic=True),
    Case(np.split, M, call=lambda x: np.split(x, 3, axis=-1)[1], analytic=True),
    Case(np.hsplit, M, call=lambda x: np.hsplit(x, 3), analytic=True),
    Case(np.hsplit, V, call=lambda x: np.hsplit(x, 2), analytic=True),
    Case(np.vsplit, M, call=lambda x: np.vsplit(x, 2), analytic=True),
    Case(np.dsplit, T, call=lambda x: np.dsplit(x, 2), analytic=True),
    Case(np.array_split, V, call=lambda x: np.array_split(x, [3, 1]), analytic=True),
    Case(np.array_split, V, call=lambda x: np.array_split(x, [-1]), analytic=True),
    Case(np.broadcast_arrays, spread(3, 1), V, analytic=True),
    *(
        Case(np.broadcast_to, x, shape=shape, analytic=True)
        for x, shape in ((V, (2, 4)), (S, (2,)), (spread(3, 1), (2, 3, 2)), (V, (0, 4)), (spread(1), 3))
    ),
    *(Case(np.tile, M, reps=reps, analytic=True) for reps in (2, (2, 1), (2, 1, 2), 0)),
    *(Case(np.repeat, M, repeats=repeats, axis=axis, analytic=True) for repeats, axis in ((2, None), (2, 0), ([1, 0, 2], 1))),
    *(Case(np.delete, M, obj=obj, axis=axis, analytic=True) for obj, axis in ((0, None), (1, 1), ([0, 2], -1), (slice(None, None, 2), 1))),
    Case(np.resize, M, new_shape=(2, 5), analytic=True),
    Case(np.resize, M, new_shape=4, analytic=True),
    Case(np.diagonal, M, analytic=True),
    Case(np.diagonal, T, offset=1, axis1=0, axis2=1, analytic=True),
    Case(np.compress, V, call=lambda x: np.compress([True, False, True], x), analytic=True),
    Case(np.compress, M, call=lambda x: np.compress([True, False, True], x, axis=1), analytic=True),
    *(
        Case(np.take, M, indices=i, axis=axis, analytic=True)
        for i, axis in (([0, 5, 0], None), ([[1, 0], [1, 1]], 0), (1, -1), (np.array(2), 1), ([-1, -1], 1))
    ),
    Case(np.take, V, indices=[5, -6], mode="wrap", analytic=True),
    Case(np.take, V, indices=[5, -6], mode="clip", analytic=True),
    Case(np.take_along_axis, M, call=lambda x: np.take_along_axis(x, np.array([[0, 0], [2, 1]]), 1), analytic=True),
    Case(np.take_along_axis, M, call=lambda x: np.take_along_axis(x, np.array([[0, 1, 0]]), axis=0), analytic=True),
    Case(np.take_along_axis, M, call=lambda x: np.take_along_axis(x, np.array([5, 0, 0]), None), analytic=True),
    *(Case(np.sort, M, axis=axis) for axis in (-1, 0, None)),
    Case(np.sort, V),
    Case(np.sort, np.zeros((0,))),
    *(Case(np.partition, M, kth=1, axis=axis) for axis in (-1, 0, None)),
    Case(np.partition, V, kth=(0, 2)),
    Case(np.extract, M, call=lambda x: np.extract(M > 0.8, x), analytic=True),
    Case(np.select, M, N, call=lambda x, y: np.select([M > 1.2, M > 0.6], [x, 2 * y], 0.5), analytic=True),
    Case(np.select, M, N, call=lambda x, y: np.select([M > 1.2, M > 0.6], [x, y], default=x * y), analytic=True),
    Case(np.choose, V, V + 1, call=lambda x, y: np.choose(np.array([0, 1, 1, 0]), [x, y]), analytic=True),
    Case(np.choose, V, S, call=lambda x, y: np.choose(np.array([[0], [3]]), [x, y], mode="clip"), analytic=True),
    *(Case(np.pad, M, pad_width=width, analytic=True) for width in (1, ((0, 2), (1, 0)), (1, 2))),
    Case(np.pad, M, pad_width=1, constant_values=2.5, analytic=True),
    *(Case(np.pad, M, pad_width=((1, 1), (2, 3)), mode=mode, analytic=True) for mode in ("edge", "reflect", "symmetric", "wrap")),
    Case(np.pad, np.zeros((0, 2)), pad_width=1, analytic=True),
    *(Case(f, x, k=k, analytic=True) for f in (np.triu, np.tril) for x, k in ((M, 0), (M, 1), (T, -1), (spread(3, 3), 0))),
    Case(np.triu, spread(3), analytic=True),
    Case(np.tril, spread(3), analytic=True),
    *(Case(np.diag, x, k=k, analytic=True) for x in (V, spread(3, 4)) for k in (0, 1, -2)),
    Case(np.diagflat, M, analytic=True),
    Case(np.diagflat, V, k=-1, analytic=True),
    Case(np.insert, V, call=lambda x: np.insert(x, 1, 5.0), analytic=True),
    Case(np.insert, V, spread(2), call=lambda x, v: np.insert(x, [1, 1], v)),
    Case(np.insert, V, spread(2), call=lambda x, v: np.insert(x, [3, 0], v)),
    Case(np.insert, M, spread(2), call=lambda x, v: np.insert(x, 1, v, axis=1)),
    Case(np.insert, M, spread(2, 2), call=lambda x, v: np.insert(x, [0, 2], v, axis=1)),
    Case(np.insert, M, spread(2, 2), call=lambda x, v: np.insert(x, [2, 0], v, axis=1)),
    Case(np.ediff1d, V, analytic=True),
    Case(np.ediff1d, M, to_begin=0.5, to_end=[1.0, 2.0], analytic=True),
]


def shaping_written(x, value, index):
    return written(x, value, index).astype(np.result_type(x, value))


UNIQUE = (np.unique, np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values)  # (whose shapes depend on values)


@pytest.mark.parametrize("function", UNIQUE)
def test_each_of_the_different_entries_is_taken_from_its_first_place(function):
    x = Tensor([3.0, 1.0, 3.0, 2.0, 1.0], requires_grad=True)
    found = function(x)
    (np.ravel(found[0] if isinstance(found, tuple) else found) ** 2).sum().backward()
    assert_array_equal(x.grad, [6, 2, 0, 4, 0])


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("shaping", CASES, without=[np.trim_zeros, np.ix_, *UNIQUE])


@pytest.mark.parametrize("join", [shaping.concatenate, shaping.stack], ids=lambda join: join.__name__)
def test_one_call_gives_the_cotangents_of_all_that_were_joined(join, monkeypatch):
    row, calls = RULES[join], []
    right = row.joint_vjp
    monkeypatch.setattr(row, "joint_vjp", lambda *given, **kwargs: calls.append(1) or right(*given, **kwargs))
    xs = leaves_of([spread(2, 3, seed=k) for k in range(50)])
    out = join(*xs, axis=1)
    g = random_like(out.data)
    out.backward(g)
    assert len(calls) == 1
    for k, x in enumerate(xs):
        assert_array_equal(x.grad, g[:, k] if join is shaping.stack else g[:, 3 * k : 3 * k + 3])


@pytest.mark.parametrize("trim, part", [("fb", slice(2, 5)), ("f", slice(2, 6)), ("b", slice(0, 5))])
def test_trim_zeros_has_a_length_that_depends_on_the_zeros_and_moves_the_rest(trim, part):
    x = np.array([0.0, 0.0, 1.5, 0.0, 2.5, 0.0])
    out = np.trim_zeros(Tensor(x), trim)
    assert_array_equal(out.data, x[part])
    g = random_like(out.data)
    assert_array_equal(gradients(lambda x: np.trim_zeros(x, trim), [x], g)[0], written(np.zeros(6), g, part))
    assert np.trim_zeros(Tensor(np.zeros(3)), trim).shape == (0,)


# Indexing, as hypothesis draws it
@st.composite
def indexed(draw):
    """Draw an array and an index that fits it: basic, integer arrays with repeats, masks, and mixtures."""
    shape = draw(st.sampled_from([(), (1,), (0,), (3,)]) | hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
    x = spread(*shape)
    basic = hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True)
    mask = hnp.arrays(bool, shape)
    kinds = [basic, mask]
    if shape and all(shape):
        whole = hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))
        integers = lambda n: hnp.arrays(np.intp, st.sampled_from([(3,), (2, 3), (1,), ()]), elements=st.integers(-n, n - 1))
        part = lambda n: st.sampled_from([slice(None), slice(None, None, -1), slice(1, None), 0, -1]) | integers(n) | hnp.arrays(bool, (n,))
        mixed = st.tuples(*map(part, shape))
        kinds += [
            whole,
            mixed,
            mixed.map(lambda parts: parts[: len(parts) // 2]),
            mixed.map(lambda parts: (None, *parts)),
            integers(shape[0]).map(lambda a: a.tolist()),
        ]
    index = draw(st.one_of(*kinds))
    try:
        x[index]
    except IndexError:
        index = ()
    return x, index


@settings(max_examples=150)
@given(indexed())
def test_any_index_gives_numpys_entries_and_adds_the_cotangent_up_at_them(drawn):
    x, index = drawn
    (t,) = leaves_of([x])
    out = t[index]
    expected = x[index]
    assert_array_equal(out.data, expected)
    assert out.shape == np.shape(expected)
    g = random_like(expected)
    out.backward(g)
    assert_allclose(t.grad, scattered(g, index, x.shape), rtol=1e-14, atol=1e-15)
    u, w = random_like(x, 3), random_like(expected, 4)
    first, (in_x, in_g) = second_gradients(lambda t: t[index] * t[index], [x], w, [u])
    assert_allclose(first[0], scattered(2 * w * expected, index, x.shape), rtol=1e-13, atol=1e-14)
    assert_allclose(in_x, scattered(2 * w * u[index], index, x.shape), rtol=1e-13, atol=1e-14)
    assert_allclose(in_g, 2 * expected * u[index], rtol=1e-13, atol=1e-14)


@settings(max_examples=150)
@given(drawn=indexed(), data=st.data())
def test_writing_at_any_index_is_numpys_and_each_surviving_entry_gets_its_cotangent(drawn, data):
    x, index = drawn
    shape = np.shape(x[index])
    shape = data.draw(st.sampled_from([shape, (), tuple(1 if data.draw(st.booleans()) else n for n in shape), shape[1:]]))
    value = spread(*shape, low=5, high=9)
    before, v = leaves_of([x, value])
    t = before.copy()
    expected = written(x, value, index)
    t[index] = v
    assert_array_equal(t.data, expected)
    g, u = random_like(x), random_like(value, 2)
    t.backward(g)
    hit = written(np.zeros(x.shape, bool), True, index)
    assert_array_equal(before.grad, np.where(hit, 0, g))
    # writing is linear in the value: ⟨g, written(0, u)⟩ = ⟨v.grad, u⟩
    assert v.grad.shape == value.shape
    assert_allclose(np.sum(v.grad * u), np.sum(g * written(np.zeros(x.shape), u, index)), rtol=1e-12, atol=1e-12)


def test_an_index_that_is_changed_later_or_is_a_tensor_is_the_one_that_was_used():
    (t,) = leaves_of([V])
    index = np.array([0, 1])
    out = t[index]
    index[:] = 3
    out.backward(np.ones(2))
    assert_array_equal(t.grad, [1, 1, 0, 0])
    (t,) = leaves_of([V])
    t[Tensor(np.array([1, 1]))].backward(np.ones(2))
    assert_array_equal(t.grad, [0, 2, 0, 0])
    (t,) = leaves_of([V])
    t[t > 0.8].sum().backward()
    assert_array_equal(t.grad, V > 0.8)
    (t,) = leaves_of([M])
    t[Tensor(np.array([1, 1])), [Tensor(0), Tensor(2)]].backward(np.ones(2))
    assert_array_equal(t.grad, [[0, 0, 0], [1, 0, 1]])


@pytest.mark.parametrize("index", [4, -5, (0, 0), [0, 7], np.array([True, False]), "a", 1.5])
def test_an_index_that_does_not_fit_is_an_index_error_as_in_numpy_and_changes_nothing(index):
    t = Tensor(V, requires_grad=True) * 1.0
    node = t._node
    with pytest.raises(IndexError):
        t[index]
    with pytest.raises(IndexError):
        t[index] = 1.0
    assert t._node is node


def test_a_value_that_does_not_fit_is_a_value_error_and_changes_nothing():
    t = Tensor(V, requires_grad=True) * 1.0
    with pytest.raises(ValueError):
        t[:2] = np.ones(3)
    with pytest.raises(ValueError):
        t[:2] = Tensor(np.ones(3), requires_grad=True)
    assert_array_equal(t.data, V)


def test_writing_into_a_result_keeps_what_was_computed_from_it_before():
    (x,) = leaves_of([V])
    t = x * 2.0
    early = t * t
    t[0] = 0.0
    late = t * 3.0
    (early.sum() + late.sum()).backward()
    assert_allclose(x.grad, 8 * V + [0, 6, 6, 6], rtol=1e-14)


def test_writing_into_a_plain_tensor_brings_it_into_the_graph_of_the_value():
    (v,) = leaves_of([np.asarray(3.0)])
    t = Tensor(np.zeros(3))
    t[1] = v * v
    assert t.requires_grad
    t.sum().backward()
    assert v.grad == 6


def test_writing_a_number_into_a_plain_tensor_changes_its_data():
    t = Tensor(np.zeros(3))
    t[1] = 2.0
    assert_array_equal(t.data, [0, 2, 0])
    assert not t.requires_grad


def test_writing_into_a_leaf_that_requires_a_gradient_is_refused_with_the_way_out():
    t = Tensor(V, requires_grad=True, name="w")
    with pytest.raises(GradientError, match=r"tensor 'w' is a leaf that requires a gradient.*y = x\.copy\(\).*no_grad"):
        t[0] = 1.0
    assert_array_equal(t.data, V)


def test_augmented_assignment_to_a_part_is_differentiable():
    (x,) = leaves_of([V])
    t = x * 1.0
    t[1:3] *= 2.0
    t[0] += x[3]
    t.sum().backward()
    assert_array_equal(x.grad, [1, 2, 2, 2])


def test_float32_stays_float32_when_a_float64_is_written():
    t = Tensor(np.zeros(2, np.float32), requires_grad=True) * np.float32(1)
    v = Tensor(np.ones(1), requires_grad=True)
    t[:1] = v
    t.backward(np.ones(2, np.float32))
    assert (t.dtype, v.grad.dtype) == (np.float32, np.float64)


# Ties and order
def test_sort_with_ties_and_nan_moves_each_cotangent_to_one_entry():
    g = np.array([1.0, 2.0, 4.0])
    assert_array_equal(np.sort(gradient_at(np.sort, [1.0, 1.0, 0.0], cotangent=g)), [1, 2, 4])
    assert_array_equal(gradient_at(np.sort, [np.nan, 1.0, 0.0], cotangent=g), [4, 2, 1])


def test_sort_gives_the_cotangent_to_where_the_entries_came_from():
    assert_array_equal(gradient_at(np.sort, [3.0, 1.0, 2.0], cotangent=np.array([10.0, 20.0, 30.0])), [30, 10, 20])
    (t,) = leaves_of([np.array([3.0, 1.0, 2.0])])
    y = t * 1
    assert y.sort() is None
    y.backward(np.array([10.0, 20.0, 30.0]))
    assert_array_equal(t.grad, [30, 10, 20])


def test_astype_gives_the_gradient_back_in_the_tensors_own_dtype():
    (x,) = leaves_of([V])
    y = x.astype(np.float32)
    assert y.dtype == np.float32
    y.backward(np.ones(4))
    assert x.grad.dtype == np.float64
    assert (np.astype(x, np.float32) if hasattr(np, "astype") else y).dtype == np.float32


def test_astype_to_integers_leaves_the_graph_or_gives_no_gradient_but_never_a_wrong_one():
    (x,) = leaves_of([V])
    assert not x.astype(int).requires_grad


def test_iterating_and_unpacking_stay_in_the_graph():
    (x,) = leaves_of([M])
    a, b = x
    (a * b).sum().backward()
    assert_array_equal(x.grad, M[::-1])


def test_joining_tensors_with_numbers_and_arrays_keeps_the_gradient():
    (x,) = leaves_of([V])
    assert_array_equal(
        gradients(lambda x: joined([np.stack([x[0], 1.0]), np.hstack([x, np.ones(2)])]), [V], np.arange(8.0))[0], [2, 3, 4, 5]
    )
    np.stack([x[0], x[1] * 2, 3.0]).sum().backward()
    assert_array_equal(x.grad, [1, 2, 0, 0])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.reshape(x, (5, 5)),
        lambda x: x.reshape(4, 2),
        lambda x: np.broadcast_to(x, (3, 3)),
        lambda x: np.concatenate([x, np.ones((2, 2))]),
        lambda x: np.stack([x, np.ones(3)]),
        lambda x: np.split(x, 3),
        lambda x: np.squeeze(x, 0),
        lambda x: np.transpose(x, (0, 1)),
        lambda x: np.moveaxis(x, 0, 5),
        lambda x: np.pad(x, -1),
        lambda x: np.roll(x, 1, 3),
    ],
)
def test_a_shape_that_does_not_fit_is_a_value_error_as_in_numpy(call):
    with pytest.raises(ValueError):
        call(Tensor(V, requires_grad=True))


def test_an_entry_written_from_the_same_tensor_adds_up():
    (x,) = leaves_of([V])
    t = x * 1.0
    t[0] = t[1] * t[2]
    t[1:] = t[:-1] * 2.0
    t.sum().backward()
    assert_allclose(x.grad, [0, 3 * V[2] + 2, 3 * V[1] + 2, 0], rtol=1e-14)


def test_a_mask_written_with_zeros_stops_the_gradient_there():
    (x,) = leaves_of([V])
    t = np.log(x)
    t[t < 0] = 0.0
    t.sum().backward()
    assert_allclose(x.grad, np.where(V > 1, 1 / V, 0), rtol=1e-14)


def test_what_was_overwritten_may_be_infinite():
    assert_array_equal(gradient_at(overwritten, [0.0, 4.0]), [0, 0.25])


def overwritten(x):
    t = np.sqrt(x)
    t[0] = 0.0
    return t


def test_windows_see_what_is_written_to_their_base_and_cannot_be_written_to():
    x = Tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    y = x * 1
    windows = sliding_window_view(y, 2)
    y[1] = 5 * x[0]
    assert_array_equal(windows.data, [[1, 5], [5, 3], [3, 4]])
    g = np.array([[0.3, -1.2], [0.7, 2.1], [-0.4, 1.5]])
    np.sum(windows * g).backward()
    assert_allclose(x.grad, [0.3 + 5 * (-1.2 + 0.7), 0, 2.1 - 0.4, 1.5])
    with pytest.raises(ValueError, match="read-only"):
        windows[0, 0] = 1.0


@pytest.mark.parametrize(
    "f",
    [
        lambda x, i: np.take(x, i, axis=1),
        lambda x, i: np.take(x, i, mode="wrap"),
        lambda x, i: np.take_along_axis(x, i[:2, None], 1),
        lambda x, i: np.choose(i, [x[0], x[1], x[0] * x[1]]),
        lambda x, i: np.delete(x, i[:1], axis=1),
        lambda x, i: np.insert(x, i[:1], x[:1], axis=0),
        lambda x, i: x[1, i],
    ],
    ids=["take", "take(wrap)", "take_along_axis", "choose", "delete", "insert", "getitem"],
)
def test_an_index_may_be_a_tensor_and_an_argument_of_a_compiled_function(f):
    both = tg.value_and_grad(lambda x, i: np.sum(np.sin(f(x, i))))
    compiled = tg.compile(both)
    for i in (np.array([1, 0, 2]), np.array([0, 2, 1])):
        expected = numeric_gradients(lambda x, i=i: np.sum(np.sin(f(x, i))), [M], 1.0)[0]
        for value, gradient in (both(M, i), both(M, Tensor(i)), compiled(M, i)):
            assert_allclose(value, np.sum(np.sin(f(M, i))), rtol=1e-14)
            assert_allclose(gradient, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("axes", [0, -1])
def test_a_vector_is_transposed_by_an_integer(axes):
    g = np.array([3.0, 4.0])
    assert_array_equal(gradients(lambda x: np.transpose(x, axes), [V[:2]], g)[0], g)


def test_an_assigned_value_may_have_more_axes_of_size_one_in_front():
    y, v = Tensor(V) * 1, Tensor([[[7.0]]], requires_grad=True)
    y[1:3] = v
    y.backward(np.array([0.3, -1.2, 0.7, 2.1]))
    assert_allclose(v.grad, [[[-1.2 + 0.7]]])


def test_ix_gives_views_of_vectors_and_the_places_of_masks():
    t = np.copy(Tensor([1.0, 2.0, 3.0], requires_grad=True))
    column, row = np.ix_(t, Tensor([True, False, True]))
    assert column.shape == (3, 1)
    assert_array_equal(row.data, [[0, 2]])
    column[...] *= 2
    assert_array_equal(t.data, [2, 4, 6])
