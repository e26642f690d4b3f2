"""The methods of NumPy's ufuncs: reduce, accumulate, reduceat, outer and at, by the laws and by NumPy's own values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import Case, every_case_obeys, gradient_at, leaves_of, numpys_ufuncs, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import DetachError, Tensor
from tinygrad_hw.rules import COMPOSITIONS, RULES, SPELLINGS

M, T = spread(3, 4), spread(2, 3, 2)
FOLDS = [np.subtract, np.divide, np.power, np.hypot, np.logaddexp2, np.arctan2, np.fmax, np.copysign, np.floor_divide, np.heaviside]


def adding_at(ufunc, index):
    """Return a function that adds b to a copy of a at the index."""

    def call(a, b):
        a = np.positive(a)
        ufunc.at(a, index, b)
        return a

    return call


CASES = [
    Case(np.hypot.reduce, M, axis=1, where=M > 1),
    Case(np.hypot.reduce, T, axis=(0, 2), where=T[0] > 1, keepdims=True),
    Case(np.subtract.reduce, M, axis=0, initial=2.0, where=M > 1),
    *(Case(f.reduce, M) for f in FOLDS),
    *(Case(f.reduce, T, axis=1, keepdims=True) for f in FOLDS[:4]),
    *(Case(np.hypot.reduce, T, axis=axis) for axis in (None, (0, 2))),
    Case(np.hypot.reduce, M, initial=0.5),
    Case(np.subtract.reduce, M, dtype=float),
    *(Case(f.accumulate, M, axis=1) for f in FOLDS[:6]),
    *(Case(f.accumulate, M) for f in (np.maximum, np.minimum, np.fmin)),
    *(Case(f.reduceat, M, call=lambda a, f=f: f.reduceat(a, [0, 2, 1, 3], axis=1)) for f in (np.add, np.multiply, np.maximum, np.subtract)),
    Case(np.add.reduceat, M, call=lambda a: np.add.reduceat(a, [0, 2])),
    Case(np.multiply.outer, M, T, call=np.multiply.outer),
    Case(np.hypot.outer, spread(2), T, call=np.hypot.outer),
    Case(np.add.at, M, spread(2, 4), call=adding_at(np.add, [1, 1])),
    Case(np.subtract.at, M, spread(3), call=adding_at(np.subtract, ([0, 0, 2], [1, 1, 3]))),
    Case(np.add.at, M, spread(1), call=adding_at(np.add, np.array([True, False, True]))),
]  # fmt: skip


test_every_method_obeys = every_case_obeys(CASES)


@pytest.mark.parametrize("method", ["reduce", "accumulate", "reduceat"])
def test_every_binary_ufunc_with_a_rule_has_the_method(method):
    for function in numpys_ufuncs(RULES):
        if function.signature is None and function.nin == 2 and function is not np.ldexp:
            assert getattr(function, method) in COMPOSITIONS | SPELLINGS


@given(st.lists(st.sampled_from([0.0, 1.0, -1.0, 2.0]), min_size=1, max_size=6))
def test_running_extremes_share_ties_as_their_steps_do_and_add_up(entries):
    x = Tensor(entries, requires_grad=True)
    out = np.maximum.accumulate(x)
    assert_array_equal(out.data, np.maximum.accumulate(np.array(entries)))
    out.sum().backward()
    assert_allclose(x.grad.sum(), len(entries))


@pytest.mark.parametrize("requires_grad", [True, False])
def test_folding_nothing_gives_the_identity_or_raises_as_numpy_does(requires_grad):
    nothing = Tensor(np.zeros((0, 2)), requires_grad=requires_grad)
    assert_array_equal(np.hypot.reduce(nothing).data, [0, 0])
    with pytest.raises(ValueError, match="zero-size array to reduction operation subtract which has no identity"):
        np.subtract.reduce(nothing)
    assert np.subtract.accumulate(nothing).shape == (0, 2)


def test_a_single_entry_folds_to_itself():
    assert_array_equal(gradient_at(np.hypot.reduce, [3.0]), [1])


def test_a_method_of_a_comparison_gives_a_plain_array():
    assert np.logical_and.reduce(Tensor([1.0, 0.0], requires_grad=True)) == False  # noqa: E712
    assert_array_equal(np.logical_or.accumulate(Tensor([0.0, 2.0])), [False, True])


@pytest.mark.parametrize("ufunc, args", [(np.multiply, (3.0,)), (np.negative, ()), (np.maximum, (2.0,)), (np.subtract, (0.5,))])
def test_at_does_the_operation_as_often_as_a_place_is_named(ufunc, args):
    x, places = spread(4), [2, 0, 2, 2]
    expected = x.copy()
    ufunc.at(expected, places, *args)
    (leaf,) = leaves_of([x])
    t = leaf * 1
    ufunc.at(t, places, *args)
    assert_array_equal(t.data, expected)
    t.backward(g := random_like(x))
    slopes = {np.multiply: 3.0, np.negative: -1.0, np.subtract: 1.0}.get(ufunc)
    times = np.array([1, 0, 3, 0])
    assert_allclose(leaf.grad, g * (np.where(times, x > 2, 1) if slopes is None else slopes**times))


def test_adding_a_tensor_into_a_plain_array_raises():
    with pytest.raises(DetachError, match="a Tensor instead of an array to write into"):
        np.add.at(np.zeros(2), [0], Tensor([1.0], requires_grad=True))
