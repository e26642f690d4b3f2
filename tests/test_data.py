"""Batches give each entry once, in an order of their own; accuracy counts; what does not belong together is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from tinygrad_hw import ShapeError, Tensor, data


@given(st.integers(1, 12), st.integers(1, 5), st.booleans(), st.booleans(), st.integers(0, 99))
def test_every_entry_comes_once_in_each_pass_with_its_own_label(count, size, shuffle, drop_last, seed):
    X, y = np.arange(2.0 * count).reshape(count, 2), np.arange(count)
    loader = data.batches(X, y, size=size, shuffle=shuffle, drop_last=drop_last, rng=seed)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == (count // size if drop_last else -(-count // size))
        assert all(len(part) == size for part, _ in (batches if drop_last else batches[:-1]))
        seen = [label for _, labels in batches for label in labels]
        assert len(seen) == len(set(seen)) == (count - count % size if drop_last else count)
        for part, labels in batches:
            assert_array_equal(part, X[labels])
        if not shuffle:
            assert seen == list(range(len(seen)))


def test_the_order_is_new_in_each_pass_and_repeats_from_its_seed():
    orders = [[batch.tolist() for batch in data.batches(np.arange(50), size=7, rng=3)] for _ in range(2)]
    assert orders[0] == orders[1]
    loader = data.batches(np.arange(50), size=7, rng=3)
    assert [batch.tolist() for batch in loader] != [batch.tolist() for batch in loader]


def test_a_batch_is_a_copy_and_tensors_and_lists_will_do():
    X = np.arange(4.0)
    for batch, _ in data.batches(X, Tensor(X), size=2, shuffle=False):
        batch[...] = -1
    assert_array_equal(X, np.arange(4.0))
    assert [batch.tolist() for batch in data.batches([1, 2], size=1, shuffle=False)] == [[1], [2]]


@pytest.mark.parametrize(
    ("arrays", "size", "error", "message"),
    [
        ((), 2, ShapeError, "batches: there must be arrays with entries, not none"),
        ((np.zeros((0, 2)),), 2, ShapeError, r"there must be arrays with entries, not \(0, 2\)"),
        ((np.float64(1.0),), 2, ShapeError, r"there must be arrays with entries, not \(\)"),
        ((np.zeros((3, 2)), np.zeros(4)), 2, ShapeError, r"must have as many entries as each other, and their shapes are \(3, 2\), \(4,\)"),
        ((np.zeros(3),), 0, ValueError, "batches: sizes must be positive integers, not 0"),
    ],
)
def test_what_makes_no_batches_is_refused(arrays, size, error, message):
    with pytest.raises(error, match=message):
        data.batches(*arrays, size=size)


def test_accuracy_is_the_share_of_right_classes():
    assert data.accuracy(Tensor([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0]]), np.array([1, 1, 1])) == 2 / 3
    assert data.accuracy([1, 0, 1, 1], [1, 1, 1, 1]) == 0.75
    for scores, classes in (([[1.0, 2.0]], [0, 1]), ([[1.0]], [[0]]), (np.zeros((0, 2)), np.zeros(0, int))):
        with pytest.raises(ShapeError, match="accuracy: scores of shape"):
            data.accuracy(scores, classes)
