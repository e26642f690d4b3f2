"""NumPy's functions that write into an array, by the laws, then what may not be written into."""

import numpy as np
import pytest
from laws import Case, every_case_obeys, every_row_has_a_case, spread
from numpy.testing import assert_array_equal

from tinygrad_hw import DetachError, Tensor

M, W, S = spread(2, 3), spread(3, seed=2), np.asarray(0.7)
HALF = np.array([[True, False, True], [False, True, False]])


def writing(function, *args, **kwargs):
    """Return a function that writes a value into a copy of x and returns the copy; the value stands where args have None."""

    def call(x, value):
        x = np.positive(x)
        function(x, *(value if a is None else a for a in args), **kwargs)
        return x

    return call


CASES = [
    Case(np.copyto, M, W, call=writing(np.copyto, None)),
    Case(np.copyto, M, W, call=writing(np.copyto, None, where=HALF)),
    Case(np.put, M, W, call=writing(np.put, [4, 0, -1], None)),
    Case(np.put, M, W[:2], call=writing(np.put, [[4, 9], [0, -20]], None, mode="clip")),
    Case(np.place, M, W[:2], call=writing(np.place, HALF, None)),
    Case(np.putmask, M, W[:2], call=writing(np.putmask, HALF, None)),
    Case(np.put_along_axis, M, W[:2], call=lambda x, v: writing(np.put_along_axis, np.array([[2], [0]]), None, 1)(x, v[:, None])),
    *(Case(np.fill_diagonal, x, W, call=writing(np.fill_diagonal, None)) for x in (spread(3, 3), spread(3, 5), spread(3, 3, 3))),
    Case(np.fill_diagonal, spread(7, 2), S, call=writing(np.fill_diagonal, None, wrap=True)),
    Case(np.full_like, W, call=lambda v: np.full_like(Tensor(M), v)),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("writing", CASES)


def test_writing_a_tensor_into_a_plain_array_raises_and_names_the_ways_out():
    t, plain = Tensor([1.0, 2.0], requires_grad=True), np.zeros(2)
    for write in (lambda: np.copyto(plain, t), lambda: np.put(plain, [0, 1], t), lambda: np.putmask(plain, [True, True], t)):
        with pytest.raises(DetachError, match="a Tensor instead of an array to write into"):
            write()
    assert_array_equal(plain, 0)


def test_writing_into_a_leaf_that_requires_a_gradient_is_refused_as_assignment_is():
    with pytest.raises(Exception, match="write to a copy"):
        np.fill_diagonal(Tensor(np.eye(2), requires_grad=True), 3.0)
