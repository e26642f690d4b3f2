"""The calculus of products: every pair of ranks, einsum in all its forms."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import Case, every_case_obeys, every_row_has_a_case, gradients, leaves_of, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import ShapeError, Tensor
from tinygrad_hw.rules import products

RANKS = [
    ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)), ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 2)), ((2, 1, 2, 3), (3, 3, 2)), ((1, 2, 3), (2, 3, 1)), ((1, 1), (1, 1)), ((1,), (1,)),
    ((0,), (0,)), ((2, 0), (0, 3)), ((0, 2), (2, 3)), ((2, 3), (3, 0)), ((0, 2, 3), (3, 2)), ((1, 3), (3,)), ((2, 1), (1, 2)),
]  # fmt: skip
DOTS = [
    *((x, y) for x, y in RANKS if len(y) <= 2),
    ((), (2, 3)),
    ((2, 3), ()),
    ((), ()),
    ((2, 3), (2, 3, 2)),
    ((3,), (2, 3, 2)),
    ((2, 2, 3), (2, 3, 2)),
]
INNERS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((2, 3), (4, 3)),
    ((), (2,)),
    ((2, 2), ()),
    ((2, 2, 3), (2, 3)),
    ((0,), (0,)),
    ((2, 0), (3, 0)),
]
ANY = [((), ()), ((2,), (3,)), ((2, 2), (3,)), ((), (2, 1)), ((0,), (3,)), ((1, 2), (2, 1))]
TENSORDOTS = [((2, 3), (3, 2), 1), ((2, 3), (2, 3), 2), ((2, 3), (3,), 1), ((2,), (3,), 0), ((2, 3, 2), (3, 2, 2), ([1, 0], [0, 1])),
              ((2, 3, 2), (3, 2), (1, 0)), ((2, 3), (2, 3), ([-1], [-1])), ((2, 3, 2), (2, 2), ((0, -1), (0, 1))), ((2, 0), (0, 3), 1),
              ((0, 2), (2, 3), 1), ((3,), (3,), 1), ((), (2,), 0)]  # fmt: skip
SUBSCRIPTS = [
    ("ij,jk->ik", (2, 3), (3, 2)), ("ij,jk", (2, 3), (3, 2)), ("ij,kj->ik", (2, 3), (2, 3)), ("ij->ji", (2, 3)), ("ij->", (2, 3)),
    ("ij->i", (2, 3)), ("ij", (2, 3)), ("ba", (2, 3)), ("ii->", (3, 3)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("iij->j", (2, 2, 3)),
    ("iii->i", (2, 2, 2)), ("iii->", (2, 2, 2)), ("ijij->ij", (2, 2, 2, 2)), ("iijj->", (2, 2, 2, 2)), ("i,i->", (3,), (3,)),
    ("i,i->i", (3,), (3,)), ("i,j->ij", (2,), (3,)), ("i,j->ji", (2,), (3,)), ("i,j", (2,), (3,)), ("i,j->", (2,), (3,)),
    ("ij,k->j", (2, 3), (2,)), ("ijk,ij->k", (2, 3, 2), (2, 3)), ("...ij,...jk->...ik", (2, 2, 3), (2, 3, 2)),
    ("...ij,jk->...ik", (2, 2, 3), (3, 2)), ("...ij,...jk", (3, 1, 2, 2), (2, 2, 2)), ("i...->...i", (2, 3, 2)),
    ("...i,...i->...", (2, 3), (3,)), ("...,...->...", (2, 3), (3,)), ("...", (2, 3)), ("ij,jk,kl->il", (2, 2), (2, 3), (3, 2)),
    ("i,i,i->i", (3,), (3,), (3,)), ("ab,b,a->", (2, 3), (3,), (2,)), (",ij->ij", (), (2, 3)), ("->", ()), (",->", (), ()),
    ("i , i -> i", (2,), (2,)), ("ij,ij->ij", (2, 1), (2, 3)), ("ij,jk->ik", (2, 0), (0, 3)), ("Ab,bZ->AZ", (2, 2), (2, 2)),
    ("ii,i->i", (3, 3), (3,)), ("ii,jj->ij", (2, 2), (3, 3)), ("i...j,i...j->i...", (2, 2, 3), (2, 1, 3)), ("ij,i->", (2, 3), (2,)),
]  # fmt: skip


def operands(*shapes):
    return [spread(*shape, seed=3 * i, low=-1 - i / 7, high=1.5 + i / 3) for i, shape in enumerate(shapes)]


def sum_of_products(x, y):
    return np.sum(x.mT @ y, tuple(range(x.ndim - 2)))


def matrix_free(function, core):
    """Return a case for a ufunc of vectors and matrices, if this NumPy has it."""
    ufunc = getattr(np, function, None)
    return [] if ufunc is None else [Case(ufunc, *operands(*shapes)) for shapes in core]


CASES = [
    *(Case(np.matmul, *operands(*shapes), analytic=True) for shapes in RANKS),
    *(Case(np.dot, *operands(*shapes), analytic=True) for shapes in DOTS),
    *(Case(np.inner, *operands(*shapes), analytic=True) for shapes in INNERS),
    *(Case(f, *operands(*shapes), analytic=True) for shapes in ANY for f in (np.outer,)),
    *(Case(np.linalg.outer, *operands(*shapes), analytic=True) for shapes in [((2,), (3,)), ((0,), (2,))]),
    *(Case(np.vdot, *operands(*shapes)) for shapes in [((3,), (3,)), ((2, 3), (2, 3)), ((2, 3), (6,)), ((), ()), ((0,), (0,))]),
    *(Case(f, *operands(x, y), axes=axes, analytic=True) for x, y, axes in TENSORDOTS for f in (np.tensordot, np.linalg.tensordot)),
    *(Case(np.einsum, *operands(*shapes), call=lambda *xs, s=s: np.einsum(s, *xs), analytic=True) for s, *shapes in SUBSCRIPTS),
    *(Case(products.einsum_view, *operands(shape), call=lambda x, s=s: np.einsum(s, x), analytic=True)
      for s, shape in [("ij->ji", (2, 3)), ("ii->i", (3, 3)), ("iji->ji", (2, 3, 2)), ("...a->a...", (2, 1, 3))]),
    Case(np.einsum, *operands((2, 3), (3, 2)), call=lambda x, y: np.einsum(x, [0, 1], y, [1, 2], [0, 2]), analytic=True),
    Case(np.einsum, *operands((2, 3), (3, 2)), call=lambda x, y: np.einsum(x, [0, 1], y, [1, 2]), analytic=True),
    Case(np.einsum, *operands((3, 3)), call=lambda x: np.einsum(x, [0, 0]), analytic=True),
    Case(np.einsum, *operands((2, 2, 3)), call=lambda x: np.einsum(x, [..., 0], [0, ...]), analytic=True),
    Case(np.einsum, *operands((2, 3)), call=lambda x: np.einsum("ij,j->i", x, np.arange(3.0)), analytic=True),
    Case(np.einsum, *operands((2, 3)), call=lambda x: np.einsum("ij,kj->ik", x, x), analytic=True),
    Case(np.einsum, *operands((2, 3), (3, 2)), call=lambda x, y: np.einsum("ij,jk->ik", x, y, optimize=True), analytic=True),
    Case(products.einsum, *operands((2, 3), (3,)), call=lambda x, y: products.einsum("ij,j->i", x, y),
         oracle=lambda x, y: x @ y, analytic=True),
    *(
        Case(products.rows_by_matrix, *operands(shape, (3, 2)), oracle=lambda x, w: x @ w, analytic=True)
        for shape in ((4, 3), (2, 4, 3), (2, 1, 2, 3), (0, 2, 3))
    ),
    *(
        Case(products.sum_of_products, *operands((*lead, 2, 3), (*lead, 2, 4)), oracle=sum_of_products, analytic=True)
        for lead in ((), (3,), (2, 2), (0,))
    ),
    Case(np.matmul, *operands((2, 3)), call=lambda x: np.matmul(x, np.arange(6.0).reshape(3, 2)), analytic=True),
    Case(np.matmul, *operands((2, 3)), call=lambda x: np.arange(6.0).reshape(3, 2) @ x, analytic=True),
    Case(np.matmul, *operands((2, 2)), call=lambda x: x @ x @ x, analytic=True),
    Case(np.matmul, *operands((2, 3)), call=lambda x: x @ x.T, analytic=True),
    Case(np.linalg.vecdot, *operands((2, 3), (3,))),
    Case(np.linalg.vecdot, *operands((3, 2), (3, 1)), axis=0),
    *matrix_free("vecdot", [((3,), (3,)), ((2, 3), (3,)), ((2, 1, 3), (2, 3)), ((2, 0), (0,))]),
    *matrix_free("matvec", [((2, 3), (3,)), ((2, 2, 3), (3,)), ((2, 3), (4, 3))]),
    *matrix_free("vecmat", [((3,), (3, 2)), ((3,), (2, 3, 2)), ((4, 3), (3, 2))]),
    *(
        Case(products.vecmat, *operands(*shapes), oracle=lambda x, y: (x[..., None, :] @ y)[..., 0, :], analytic=True)
        for shapes in [((3,), (3, 2)), ((2, 3), (2, 3, 4)), ((2, 3), (1, 3, 4)), ((1, 3), (2, 3, 4)), ((0, 3), (0, 3, 2))]
    ),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("products", CASES)


def test_vectors_times_one_repeated_matrix_are_one_product():
    x, y, g = spread(2, 3), spread(3, 4), random_like(np.zeros((2, 4)))
    repeated = np.broadcast_to(y, (2, 3, 4))
    assert_allclose(products.vecmat(x, repeated), x @ y, rtol=1e-14)
    assert_allclose(products.vecmat(g, repeated.mT), g @ y.T, rtol=1e-14)


@given(data=st.data())
def test_matmul_of_any_stack_gives_numpys_value_and_gradients_that_sum_over_repeated_stacks(data):
    n, k, m = (data.draw(st.integers(0, 3)) for _ in range(3))
    stacks = [(), (1,), (2,), (3, 1), (1, 2), (3, 2), (0,)]
    lead_x, lead_y = data.draw(st.sampled_from(stacks)), data.draw(st.sampled_from(stacks))
    try:
        lead = np.broadcast_shapes(lead_x, lead_y)
    except ValueError:
        return
    x, y = operands((*lead_x, n, k), (*lead_y, k, m))
    g = random_like(x @ y)
    found = gradients(np.matmul, [x, y], g)
    wide_x, wide_y = np.broadcast_to(x, (*lead, n, k)), np.broadcast_to(y, (*lead, k, m))
    for part, whole, given_ in ((found[0], g @ wide_y.mT, x), (found[1], wide_x.mT @ g, y)):
        extra = whole.ndim - given_.ndim
        axes = (*range(extra), *(i + extra for i in range(given_.ndim) if given_.shape[i] == 1 and whole.shape[i + extra] != 1))
        assert part.shape == given_.shape
        assert_allclose(part, whole.sum(axes, keepdims=True).reshape(given_.shape), rtol=1e-12, atol=1e-13)


def test_the_operators_are_the_functions():
    x, y = operands((2, 3), (3, 2))
    assert_array_equal((Tensor(x) @ y).data, x @ y)
    assert_array_equal((x @ Tensor(y)).data, x @ y)
    assert_array_equal(Tensor(x).dot(Tensor(y)).data, x @ y)
    assert_array_equal(([[1.0, 2.0, 3.0]] @ Tensor(y)).data, [[1.0, 2.0, 3.0]] @ y)
    assert isinstance(x @ Tensor(y), Tensor)


@pytest.mark.parametrize("call", [
    lambda x: np.einsum("ij,jk->ik", x, np.ones((2, 2))), lambda x: np.einsum("ijk->i", x), lambda x: np.einsum("ij,jk->ik", x),
    lambda x: np.einsum("ij->k", x), lambda x: np.tensordot(x, np.ones((2, 2)), 1), lambda x: np.dot(x, np.ones((2, 2))),
    lambda x: np.inner(x, np.ones((2, 2))), lambda x: np.vdot(x, np.ones(5)), lambda x: x @ 2.0, lambda x: np.einsum("ii->i", x),
    lambda x: np.dot(x, np.ones((2, 2, 2))), lambda x: np.einsum("...->", x), lambda x: np.einsum("ij->ii", x), lambda x: np.einsum("i", x),
])  # fmt: skip
def test_operands_that_do_not_fit_are_a_value_error_as_in_numpy(call):
    with pytest.raises(ValueError):
        call(Tensor(spread(2, 3), requires_grad=True))


def test_einsum_of_mixed_dtypes_has_numpys_dtype_and_each_gradient_its_own():
    x, y = Tensor(np.ones((2, 3), np.float32), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    out = np.einsum("ij,j->i", x, y)
    assert out.dtype == np.float64
    out.backward(np.ones(2))
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_a_matrix_that_is_used_twice_gets_both_gradients():
    (x,) = leaves_of(operands((3, 3)))
    (x @ x).sum().backward()
    ones = np.ones((3, 3))
    assert_allclose(x.grad, ones @ x.data.T + x.data.T @ ones, rtol=1e-13)


def test_a_wrong_matmul_names_the_axes_at_fault():
    x, y = Tensor(np.ones((2, 3)), name="x"), Tensor(np.ones((2, 3)), name="W")
    with pytest.raises(ShapeError, match="axis 1 of x has 3, axis 0 of W has 2: they must be equal"):
        x @ y


def allocated_by(f):
    """Return the most memory that a call held at a time, in bytes."""
    f()
    tracemalloc.start()
    f()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("product", [lambda X, w: X @ w, lambda X, w: w @ X.T, np.dot, np.vecdot if hasattr(np, "vecdot") else np.dot])
def test_the_gradient_of_a_vector_beside_a_matrix_makes_no_matrix(product):
    X, w = Tensor(np.ones((400, 300))), Tensor(np.ones(300), requires_grad=True)
    assert allocated_by(lambda: product(X, w).sum().backward()) < X.data.nbytes / 4


def test_the_gradient_of_a_matrix_beside_a_stack_makes_no_stack_of_gradients():
    x, W = Tensor(np.ones((200, 2, 30))), Tensor(np.ones((30, 40)), requires_grad=True)
    assert allocated_by(lambda: (x @ W).sum().backward()) < 200 * W.data.nbytes / 4


@pytest.mark.parametrize("function", [np.vecdot, np.matvec, np.vecmat] if hasattr(np, "matvec") else [np.vecdot], ids=lambda f: f.__name__)
def test_vectors_of_other_lengths_are_not_broadcast(function):
    x, y = np.ones((2, 3)), np.ones((1, 1))
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        function(Tensor(x, requires_grad=True), Tensor(y, requires_grad=True))
