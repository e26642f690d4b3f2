"""The calculus of numpy.linalg: the laws for every row, real, complex and in stacks; then degenerate matrices, norms at 0, and messages."""

import numpy as np
import pytest
from laws import Case, every_case_obeys, every_row_has_a_case, gradient_at, gradients, second_at
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import Tensor
from tinygrad_hw.rules import linalg

RNG = np.random.default_rng(5)
A = np.diag([1.0, -2.3, 3.9]) + 0.3 * RNG.normal(size=(3, 3))
STACK = np.array([[1.0, 0], [0, -2.2]]) + 0.3 * RNG.normal(size=(2, 2, 2))
TALL, WIDE = np.eye(4, 2) * [1.4, 2.5] + 0.3 * RNG.normal(size=(4, 2)), np.eye(2, 4) + 0.4 * RNG.normal(size=(2, 4))
V = RNG.normal(size=4)
S = A @ A.T + np.eye(3)
J = 0.3 * RNG.normal(size=(3, 3))  # an imaginary part
LA = np.linalg


def parts(out):
    """Return every number of a result, or of several, as real numbers in one vector; a rank is left out."""
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    flat = [np.ravel(part) for part in out if np.result_type(part).kind not in "iu"]
    return np.concatenate([p for part in flat for p in ((np.real(part), np.imag(part)) if part.dtype.kind == "c" else (part,))])


def of_complex(function, *pairs, call=None, **kwargs):
    """Return the case of a function at complex arguments, given as real and imaginary parts."""
    given = call or (lambda *xs: function(*xs, **kwargs))
    join = lambda *xs: parts(given(*(a + 1j * b for a, b in zip(xs[::2], xs[1::2]))))
    return Case(function, *(x for pair in pairs for x in pair), call=join)


def vectors_and_values(function):
    """Return what does not depend on the arbitrary phase of the vectors: values and weighted projectors."""

    def call(a):
        w, v = function(a)
        weights = np.arange(1.0, a.shape[-1] + 1)
        back = np.conjugate(v).mT if function is LA.eigh else LA.inv(v)
        return w, (v * weights) @ back

    return call


def singular(full):
    """Return what does not depend on the arbitrary phase of the singular vectors."""

    def call(a):
        u, s, vh = LA.svd(a, full_matrices=full)
        k = s.shape[-1]
        weights = np.arange(1.0, k + 1)
        left, right = np.arange(u.shape[-1]) >= k, np.arange(vh.shape[-2]) >= k
        return (s, (u[..., :k] * weights) @ vh[..., :k, :], (u * left) @ np.conjugate(u).mT, (np.conjugate(vh).mT * right) @ vh)

    return call


NORMS = [{}, {"ord": 1}, {"ord": 2}, {"ord": np.inf}, {"ord": -np.inf}, {"ord": 3}, {"ord": 0.5}, {"ord": -2}, {"ord": -1}, {"ord": 0}]
MATRIX_NORMS = [{"ord": o} for o in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)]
named = lambda function, **kwargs: lambda *xs: parts(function(*xs, **kwargs))
CASES = [
    *(Case(f, x) for f in (LA.inv, LA.det, LA.pinv) for x in (A, STACK, np.ones((1, 1)))),
    *(Case(LA.pinv, x) for x in (TALL, WIDE)),
    Case(LA.pinv, S, hermitian=True),
    Case(LA.slogdet, A, call=named(LA.slogdet)),
    Case(LA.slogdet, STACK, call=named(LA.slogdet)),
    *(Case(LA.solve, a, b) for a, b in [(A, A[0]), (A, J[:, :2]), (STACK, STACK[:, :, :1]), (STACK, V[:2]), (STACK[0], STACK)]),
    Case(LA.cholesky, S),
    Case(LA.cholesky, STACK @ STACK.mT + np.eye(2)),
    Case(LA.cholesky, S, upper=True),
    *(Case(LA.qr, x, call=named(LA.qr, mode=mode)) for mode in ("reduced", "complete", "r") for x in (A, WIDE)),
    Case(LA.qr, TALL, call=named(LA.qr)),
    Case(LA.qr, STACK, call=named(LA.qr)),
    Case(LA.qr, TALL, call=named(LA.qr, mode="r")),
    Case(LA.qr, TALL, call=lambda a: (lambda q, r: parts((q[:, :2], q[:, 2:] @ q[:, 2:].T, r)))(*LA.qr(a, mode="complete"))),
    *(Case(LA.svd, x, call=named(LA.svd, full_matrices=False)) for x in (A, TALL, WIDE, STACK)),
    *(Case(LA.svd, x, call=lambda a: parts(singular(True)(a))) for x in (TALL, WIDE)),
    Case(LA.svd, TALL, call=lambda a: LA.svd(a, compute_uv=False)),
    Case(LA.svd, S, call=lambda a: LA.svd(a, compute_uv=False, hermitian=True)),
    Case(LA.svdvals, STACK),
    *(Case(LA.eigh, x, call=named(LA.eigh)) for x in (A, STACK)),
    Case(LA.eigh, A, call=named(LA.eigh, UPLO="U")),
    *(Case(LA.eigvalsh, A, UPLO=uplo) for uplo in "LU"),
    Case(LA.eig, S, call=lambda a: tuple(map(np.real, LA.eig(a)))),  # (complex from NumPy 2.5 on, whatever they are)
    Case(LA.eig, STACK[:1] @ STACK[:1].mT, call=lambda a: tuple(map(np.real, LA.eig(a)))),
    Case(LA.eig, A, call=lambda a: parts(vectors_and_values(LA.eig)(a))),
    Case(LA.eigvals, A, call=named(LA.eigvals)),
    Case(LA.eigvals, np.array([[1.0, -2.0], [1.5, 0.8]]), call=named(LA.eigvals)),
    Case(LA.eig, np.array([[1.0, -2.0], [1.5, 0.8]]), call=lambda a: parts(vectors_and_values(LA.eig)(a))),
    Case(LA.eigvals, STACK, call=named(LA.eigvals)),
    *(Case(LA.norm, V, **kwargs) for kwargs in NORMS),
    *(Case(LA.norm, TALL, axis=0, keepdims=True, **kwargs) for kwargs in NORMS),
    *(Case(LA.norm, A, axis=(1, 0), **kwargs) for kwargs in MATRIX_NORMS),
    *(Case(LA.norm, STACK, axis=(0, 2), keepdims=True, **kwargs) for kwargs in MATRIX_NORMS),
    Case(LA.norm, STACK),
    Case(LA.norm, STACK, keepdims=True),
    *(Case(LA.matrix_norm, STACK, **kwargs) for kwargs in ({}, {"ord": "nuc", "keepdims": True}, {"ord": 1})),
    *(Case(LA.vector_norm, STACK, **kwargs)
      for kwargs in ({}, {"ord": 1, "axis": (0, 2)}, {"ord": 3, "keepdims": True}, {"ord": np.inf, "axis": 1})),
    *(Case(LA.cond, STACK, p=p) for p in (None, 2, -2, 1, "fro", np.inf)),
    *(Case(LA.matrix_power, x, call=lambda a, n=n: LA.matrix_power(a, n)) for x in (A, STACK) for n in (-3, -1, 0, 1, 2, 3, 5)),
    *(Case(LA.multi_dot, *xs, call=lambda *xs: LA.multi_dot(xs))
      for xs in [(TALL, WIDE), (TALL, WIDE, TALL), (V, TALL, WIDE, V), (V, TALL, WIDE), (WIDE, TALL, V[:2])]),
    Case(LA.lstsq, TALL, V, call=lambda a, b: parts(LA.lstsq(a, b)[:2]), oracle=lambda a, b: parts(LA.lstsq(a, b)[:2])),
    Case(LA.lstsq, TALL, TALL + 1, call=named(LA.lstsq), oracle=lambda a, b: parts([p for p in LA.lstsq(a, b) if np.ndim(p)])),
    Case(LA.lstsq, WIDE, V[:2], call=lambda a, b: LA.lstsq(a, b)[0]),
    Case(LA.tensorsolve, RNG.normal(size=(2, 3, 6)), RNG.normal(size=(2, 3))),
    Case(LA.tensorsolve, RNG.normal(size=(2, 6, 3)), RNG.normal(size=(2, 3)), call=lambda a, b: LA.tensorsolve(a, b, axes=(1,))),
    Case(LA.tensorinv, RNG.normal(size=(4, 2, 2)), ind=1),
    Case(LA.tensorinv, RNG.normal(size=(2, 2, 4))),
    *(Case(np.trace, STACK, **kwargs) for kwargs in ({}, {"offset": 1, "axis1": 2, "axis2": 0})),
    Case(LA.trace, STACK, offset=-1),
    Case(LA.diagonal, STACK, offset=1),
    Case(LA.matmul, STACK[0], STACK),
    Case(LA.matrix_transpose, STACK),
    Case(np.cross, A, J),
    Case(np.cross, TALL[:3].T, J, call=lambda a, b: np.cross(a[0], b, axisc=0)),
    Case(np.cross, A, RNG.normal(size=(2, 3, 3)), axisa=0, axisb=1),
    Case(LA.cross, A, J, axis=0),
    Case(linalg.solve, A, J, oracle=LA.solve),
    *(Case(linalg.solved, a, b, oracle=LA.solve) for a, b in [(A, J), (np.tril(A), J), (np.triu(A), J), (np.tril(STACK), STACK[:, :, :1])]),
    Case(linalg.triangle_inverse, A, call=lambda a: linalg.triangle_inverse(np.tril(a)), oracle=lambda a: LA.inv(np.tril(a))),
    Case(linalg.cofactors, A, oracle=lambda a: LA.det(a)[..., None, None] * LA.inv(a).mT),
    Case(linalg.euclidean, V, oracle=LA.norm),
]  # fmt: skip

SQUARE, HIGH, BROAD = (STACK[0], STACK[1]), (TALL[:3], WIDE.T[:3]), (WIDE[:, :3], TALL.T[:, :3])
COMPLEX = [
    *(of_complex(f, SQUARE) for f in (LA.inv, LA.det, LA.slogdet, LA.eigvals, LA.svdvals, LA.cond, LA.pinv, LA.norm, np.trace)),
    of_complex(LA.det, (A, J)),
    of_complex(LA.pinv, HIGH),
    of_complex(LA.solve, SQUARE, SQUARE[::-1]),
    of_complex(LA.cholesky, (A, J), call=lambda a: LA.cholesky(a @ np.conjugate(a).mT + np.eye(3))),
    of_complex(LA.cholesky, (S, J)),
    of_complex(LA.cholesky, (S, J), upper=True),
    *(of_complex(LA.qr, pair) for pair in [SQUARE, HIGH, BROAD]),
    of_complex(LA.eigh, (A, J), call=vectors_and_values(LA.eigh)),
    of_complex(LA.eigvalsh, SQUARE, UPLO="U"),
    of_complex(LA.eig, (A, J), call=vectors_and_values(LA.eig)),
    *(of_complex(LA.svd, pair, call=singular(False)) for pair in [SQUARE, HIGH, BROAD]),
    *(of_complex(LA.svd, pair, call=singular(True)) for pair in [HIGH, BROAD]),
    *(of_complex(LA.norm, SQUARE, **kwargs) for kwargs in MATRIX_NORMS),
    *(of_complex(LA.norm, (V, V[::-1] * 2), **kwargs) for kwargs in NORMS),
    of_complex(LA.lstsq, HIGH, (V[:3], V[1:])),
    of_complex(LA.matrix_power, SQUARE, n=-2),
    of_complex(np.cross, (A[:2], J[:2]), (J[1:], A[1:])),
]  # fmt: skip


test_every_row_obeys = every_case_obeys([*CASES, *COMPLEX])
INNER = [linalg.pinv, linalg.slogdet, linalg.eigh, linalg.eig, linalg.svd, linalg.cholesky, linalg.qr]  # which NumPy's own are made of
test_every_row_has_a_case = every_row_has_a_case("linalg", [*CASES, *COMPLEX], without=INNER)


# What NumPy gives back
@pytest.mark.parametrize("f", [LA.slogdet, LA.qr, LA.svd, LA.eigh, LA.eig])
def test_a_decomposition_gives_numpys_named_tuple_of_tensors(f):
    found, expected = f(Tensor(S, requires_grad=True)), f(S)
    assert type(found) is type(expected)
    for a, b in zip(found, expected):
        assert isinstance(a, Tensor)
        assert a.dtype == b.dtype
        assert_array_equal(a.data, b)


@pytest.mark.parametrize("f", [LA.inv, LA.det, LA.pinv, LA.svdvals, LA.eigvalsh, LA.cholesky, LA.matrix_norm])
def test_a_stack_of_no_matrices_has_an_empty_gradient(f):
    x = Tensor(np.zeros((0, 2, 2)), requires_grad=True)
    f(x).sum().backward()
    assert x.grad.shape == (0, 2, 2)


def test_the_determinant_of_no_rows_is_1_and_its_gradient_empty():
    assert gradient_at(LA.det, np.zeros((0, 0))).shape == (0, 0)


def test_a_rank_is_a_plain_number():
    assert LA.matrix_rank(Tensor(np.ones((2, 2)), requires_grad=True)) == 1


def test_only_the_triangle_that_numpy_reads_has_a_gradient():
    upper = np.triu(np.ones((3, 3)), 1)
    for f in (LA.eigvalsh, LA.cholesky):
        assert_array_equal(gradient_at(f, S) * upper, 0)
    assert_array_equal(gradient_at(lambda a: LA.eigvalsh(a, "U"), S) * upper.T, 0)


def test_the_eigenvectors_of_the_upper_triangle_are_numpys():
    for part, expected in zip(LA.eigh(Tensor(A), "U"), LA.eigh(A, "U")):
        assert_array_equal(part.data, expected)


# Singular and degenerate matrices
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_gradient_of_det_at_a_singular_matrix_is_its_cofactors(n):
    a = np.outer(np.arange(1.0, n + 1), np.ones(n)) + (np.diag(np.arange(n) - 1.0) if n > 2 else 0)
    a[0] = a[-1] * 2 if n > 1 else 0
    minors = [[LA.det(np.delete(np.delete(a, i, 0), j, 1)) * (-1) ** (i + j) for j in range(n)] for i in range(n)]
    assert_allclose(gradient_at(LA.det, a), minors, atol=1e-13)


def test_second_derivatives_of_det_are_exact_at_the_zero_matrix():
    direction = np.array([[1.0, 2.0], [3.0, 5.0]])
    assert_allclose(second_at(LA.det, np.zeros((2, 2)), direction), [[5, -3], [-2, 1]], atol=1e-14)


@pytest.mark.parametrize("f", [LA.inv, LA.slogdet, lambda a: LA.solve(a, np.ones(2))])
def test_a_singular_matrix_raises_numpys_error_and_never_gives_a_wrong_gradient(f):
    t = Tensor(np.ones((2, 2)), requires_grad=True)
    with pytest.raises(LA.LinAlgError, match="Singular matrix"):
        out = f(t)
        out[1].backward()


@pytest.mark.parametrize("spectral", [lambda w: np.sum(w), lambda w: np.sum(w**3), lambda w: np.prod(w), lambda w: np.sum(np.exp(w))])
def test_functions_of_equal_eigenvalues_have_their_exact_gradient(spectral):
    w = np.array([2.0, 2.0, 2.0, 5.0])
    q = LA.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    a = (q * w) @ q.T
    expected = (q * gradient_at(spectral, w)) @ q.T
    both_triangles = np.tril(expected) + np.tril(expected, -1)
    assert_allclose(gradient_at(lambda a: spectral(LA.eigvalsh(a)), a), both_triangles, rtol=1e-9, atol=1e-11)
    assert_allclose(gradient_at(lambda a: spectral(LA.svdvals(a)), a), expected, rtol=1e-9, atol=1e-11)


def test_the_projector_on_equal_eigenvalues_has_its_exact_gradient():
    m = np.random.default_rng(2).normal(size=(3, 3))
    m = m + m.T
    projector = lambda a: (lambda v: np.sum(m * (v[:, :2] @ v[:, :2].T)))(LA.eigh(a)[1])
    a = np.diag([1.0, 1.0, 4.0])
    expected = np.zeros((3, 3))
    expected[2, :2] = 2 * m[2, :2] / (1 - 4)
    with pytest.warns(RuntimeWarning, match="the gradient is right if the result depends only on the space"):
        assert_allclose(gradients(projector, [a])[0], expected, atol=1e-13)


def test_the_polar_factor_of_equal_singular_values_has_its_exact_gradient():
    m = np.array([[0.3, 1.2], [-0.7, 0.4]])
    polar = lambda a: (lambda u, s, vh: np.sum(m * (u @ vh)))(*LA.svd(a))
    with pytest.warns(RuntimeWarning, match="the gradient is right if"):
        assert_allclose(gradients(polar, [2 * np.eye(2)])[0], (m - m.T) / 4, atol=1e-14)


@pytest.mark.parametrize("f, a", [(LA.eigh, np.eye(3)), (LA.svd, np.eye(3)), (LA.svd, np.zeros((3, 2))), (LA.eig, np.eye(3))])
def test_a_gradient_that_depends_on_the_choice_of_vectors_warns_and_is_finite(f, a):
    x = Tensor(a, requires_grad=True)
    vectors = f(x)[1 if f is not LA.svd else 0]
    with pytest.warns(RuntimeWarning, match="the gradient depends on the choice of the vectors where values are equal"):
        vectors.backward(np.arange(vectors.size).reshape(vectors.shape) + 1.0)
    assert np.isfinite(x.grad).all()


def test_a_gradient_that_depends_on_the_phase_of_complex_vectors_warns():
    x = Tensor(S + 1j * (J - J.T), requires_grad=True)
    vectors = LA.eigh(x)[1]
    with pytest.warns(RuntimeWarning, match="a vector's phase"):
        vectors.backward(np.ones((3, 3)) * (1 + 2j))


REBUILT = [lambda a: (lambda w, v: (v * w**2) @ v.T)(*LA.eigh(a)), lambda a: (lambda u, s, vh: (u * s**2) @ vh)(*LA.svd(a))]


@pytest.mark.parametrize("rebuilt", REBUILT)
def test_a_function_of_equal_values_and_their_vectors_warns_that_a_part_may_lack(rebuilt):
    x = Tensor(np.eye(2), requires_grad=True)
    with pytest.warns(RuntimeWarning, match="a part is lacking that only different values show"):
        rebuilt(x).backward([[0.0, 1.0], [1.0, 0.0]])


# Norms at 0 and at ties
@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, 0.5, np.inf, -np.inf, 0])
def test_every_norm_of_the_zero_vector_has_the_gradient_0(order):
    assert_array_equal(gradient_at(lambda x: LA.norm(x, order), np.zeros(3)), np.zeros(3))
    assert_array_equal(gradient_at(lambda x: LA.norm(x, order, axis=0), np.array([[0.0, 1], [0, 0]]))[:, 0], [0, 0])


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, -2, np.inf])
def test_every_norm_of_the_zero_matrix_has_the_gradient_0(order):
    assert_array_equal(gradient_at(lambda x: LA.norm(x, order, axis=(0, 1)), np.zeros((2, 3))), np.zeros((2, 3)))


def test_the_second_derivative_of_the_norm_at_0_is_0():
    assert_array_equal(second_at(LA.norm, np.zeros(2), [1.0, 2.0]), [0, 0])


def test_an_entry_0_of_a_norm_has_the_gradient_0():
    for order in (None, 1, 3, 0.5, np.inf):
        assert gradient_at(lambda x, order=order: LA.norm(x, order), [0.0, 2.0])[0] == 0


def test_entries_that_tie_share_the_gradient_of_the_largest():
    assert_array_equal(gradient_at(lambda x: LA.norm(x, np.inf), [2.0, -2.0, 1.0]), [0.5, -0.5, 0])
    assert_allclose(gradient_at(lambda x: LA.norm(x, 2), 3 * np.eye(2)), np.eye(2) / 2, atol=1e-15)


def test_the_nuclear_norm_of_a_singular_matrix_has_the_smallest_subgradient():
    assert_allclose(gradient_at(lambda x: LA.norm(x, "nuc"), np.ones((2, 2))), np.ones((2, 2)) / 2, atol=1e-14)


@pytest.mark.parametrize("x", [np.float64(0.0), [], [3.0]])
def test_the_norm_of_a_0d_an_empty_and_a_single_entry(x):
    assert_array_equal(gradient_at(LA.norm, x), np.sign(x))


def test_wrong_norms_and_modes_say_what_is_wrong():
    with pytest.raises(ValueError, match="Invalid norm order 3 for matrices"):
        LA.norm(Tensor(A), 3)
    with pytest.raises(ValueError, match="Invalid norm order 'nuc' for vectors"):
        LA.norm(Tensor(V), "nuc")
    with pytest.raises(ValueError, match="Improper number of dimensions"):
        LA.norm(Tensor(np.zeros((2, 2, 2))), 1)
    with pytest.raises(ValueError, match="mode 'raw' has no derivative; reduced, complete and r have"):
        LA.qr(Tensor(A, requires_grad=True), "raw")
    with pytest.raises(ValueError, match="vectors of 3 entries are needed, not 3 and 4"):
        np.cross(Tensor(A), np.zeros(4))
    with pytest.raises(ValueError, match="Invalid ind"):
        LA.tensorinv(Tensor(A), 0)


def test_a_norm_of_integers_is_numpys():
    assert LA.norm(Tensor(np.array([3, 4]))).data == 5
    assert LA.vector_norm(Tensor(np.array([3, 4]))).data == 5


def test_multi_dot_takes_the_cheapest_order():
    long, thin = Tensor(np.ones((1, 50)), requires_grad=True), np.ones((50, 1))
    out = LA.multi_dot([thin, long, thin])
    assert out._node.args[1].shape == (1, 1)


def test_the_gradient_of_a_norm_of_a_complex_vector_is_its_conjugate_over_the_norm():
    z = np.array([3 + 4j, 0])
    assert_allclose(gradients(LA.norm, [z])[0], np.conj(z) / 5)


@pytest.mark.parametrize("shape", [(), (2,), (1, 3)])
@pytest.mark.parametrize("turned", [False, True], ids=["lower", "upper"])
def test_large_triangles_are_solved_by_substitution_and_inverted_by_halves(turned, shape):
    n = 2 * linalg.BLOCK + 7
    a = np.tril(RNG.normal(size=(*shape, n, n)) / n) + 2 * np.eye(n)
    b = RNG.normal(size=(n, 3))
    assert_allclose(linalg.triangle_inverse(a) @ a, np.broadcast_to(np.eye(n), a.shape), atol=1e-14)
    a = a.mT if turned else a
    assert_allclose(linalg.solved(a, b), LA.solve(a, b), rtol=1e-11, atol=1e-13)
    g, u = RNG.normal(size=(*shape, n, 3)), RNG.normal(size=a.shape)
    in_a, in_b = gradients(LA.solve, [a, np.broadcast_to(b, g.shape)], g)
    back = LA.solve(a.mT, g)
    assert_allclose(in_b, back, rtol=1e-11, atol=1e-13)
    assert_allclose(np.sum(in_a * u), -np.sum(back * (u @ LA.solve(a, b))), rtol=1e-9)


def test_the_gradient_of_a_large_cholesky_factor_is_right():
    n = 2 * linalg.BLOCK + 5
    root = RNG.normal(size=(n, n)) / n**0.5
    a, g, u = root @ root.T + np.eye(n), RNG.normal(size=(n, n)), RNG.normal(size=(n, n))
    (found,) = gradients(LA.cholesky, [a], g)
    assert_array_equal(np.triu(found, 1), 0)  # only the lower triangle is read
    factor, u = LA.cholesky(a), u + u.T
    framed = LA.solve(factor, LA.solve(factor, u).T)
    assert_allclose(np.sum(found * np.tril(u)), np.sum(g * (factor @ (np.tril(framed) - np.diag(np.diag(framed)) / 2))), rtol=1e-10)


# Infinite entries, with which LAPACK's singular value decomposition does not always end
INFINITE = np.eye(3)
INFINITE[0, 1] = INFINITE[2, 0] = np.inf


# (NumPy's own pinv and lstsq do not end)
@pytest.mark.parametrize("f", [LA.det, LA.svdvals, lambda a: LA.svd(a)[0], lambda a: LA.norm(a, 2), lambda a: LA.norm(a, "nuc"), LA.cond,
                               LA.slogdet, LA.inv, lambda a: LA.norm(a), lambda a: LA.norm(a, np.inf)])  # fmt: skip
@pytest.mark.parametrize("bad", [INFINITE, np.where(np.isinf(INFINITE), np.nan, INFINITE)], ids=["inf", "nan"])
def test_infinite_matrices_end_in_values_and_gradients_that_are_no_numbers_or_an_error(f, bad):
    x = Tensor(np.stack([bad, np.eye(3)]) if f in (LA.det, LA.svdvals) else bad, requires_grad=True)
    with np.errstate(all="ignore"):
        try:
            out = f(x)
            out = out[1] if isinstance(out, tuple) else out
            out.sum().backward()
        except LA.LinAlgError:
            return
    first = x.grad[0] if x.ndim == 3 else x.grad
    assert not np.isfinite(first).all() or not np.isfinite(out.data).all()
    if x.ndim == 3:
        assert np.isfinite(x.grad[1]).all()


@pytest.mark.parametrize("norm", [LA.cond, lambda a: LA.norm(a, 2), lambda a: LA.norm(a, "nuc"), LA.svdvals])
def test_of_an_infinite_matrix_norms_and_condition_are_numpys_or_nan_where_numpy_raises(norm):
    with np.errstate(all="ignore"):
        try:
            expected = norm(INFINITE)
        except LA.LinAlgError:  # (from NumPy 2.5 on)
            expected = np.nan
        assert_array_equal(norm(Tensor(INFINITE, requires_grad=True)).data, expected)


@pytest.mark.parametrize("order, norm", [(-1, np.inf), (1, 0.0), (2, 0.0), (np.inf, 0.0), (0, 0.0)])
def test_the_norm_of_nothing(order, norm):
    x = Tensor(np.zeros((2, 0)), requires_grad=True)
    assert_array_equal(LA.norm(x, order, axis=1).data, [norm, norm])
