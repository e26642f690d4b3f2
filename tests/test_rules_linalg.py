"""The calculus of numpy.linalg: the laws for every row, real, complex and in stacks; then degenerate matrices, norms at 0, and messages."""

import numpy as np
import pytest
from laws import LAWS, Case, gradient_at, gradients, rows, second_at, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import Tensor
from tinygrad_hw.rules import linalg

RNG = np.random.default_rng(5)
A = np.diag([1.0, -2.3, 3.9]) + 0.3 * RNG.normal(size=(3, 3))
STACK = np.array([[1.0, 0], [0, -2.2]]) + 0.3 * RNG.normal(size=(2, 2, 2))
TALL, WIDE = np.eye(4, 2) * [1.4, 2.5] + 0.3 * RNG.normal(size=(4, 2)), np.eye(2, 4) + 0.4 * RNG.normal(size=(2, 4))
V = RNG.normal(size=4)
S = A @ A.T + np.eye(3)
I = 0.3 * RNG.normal(size=(3, 3))  # an imaginary part
LA = np.linalg


def parts(out):
    """Return every number of a result, or of several, as real numbers in one vector."""
    out = list(out) if isinstance(out, (tuple, list)) else [out]
    flat = [np.ravel(part) for part in out if not isinstance(part, (int, np.integer))]
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
    *(Case(LA.solve, a, b) for a, b in [(A, A[0]), (A, I[:, :2]), (STACK, STACK[:, :, :1]), (STACK, V[:2]), (STACK[0], STACK)]),
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
    Case(LA.eig, S, call=named(LA.eig)),
    Case(LA.eig, STACK[:1] @ STACK[:1].mT, call=named(LA.eig)),
    Case(LA.eig, A, call=lambda a: parts(vectors_and_values(LA.eig)(a))),
    Case(LA.eigvals, A, call=named(LA.eigvals)),
    Case(LA.eigvals, STACK, call=named(LA.eigvals)),
    *(Case(LA.norm, V, **kwargs) for kwargs in NORMS),
    *(Case(LA.norm, TALL, axis=0, keepdims=True, **kwargs) for kwargs in NORMS),
    *(Case(LA.norm, A, axis=(1, 0), **kwargs) for kwargs in MATRIX_NORMS),
    *(Case(LA.norm, STACK, axis=(0, 2), keepdims=True, **kwargs) for kwargs in MATRIX_NORMS),
    Case(LA.norm, STACK),
    Case(LA.norm, STACK, keepdims=True),
    *(Case(LA.matrix_norm, STACK, **kwargs) for kwargs in ({}, {"ord": "nuc", "keepdims": True}, {"ord": 1})),
    *(Case(LA.vector_norm, STACK, **kwargs) for kwargs in ({}, {"ord": 1, "axis": (0, 2)}, {"ord": 3, "keepdims": True}, {"ord": np.inf, "axis": 1})),
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
    Case(np.cross, A, I),
    Case(np.cross, TALL[:3].T, I, call=lambda a, b: np.cross(a[0], b, axisc=0)),
    Case(np.cross, A, RNG.normal(size=(2, 3, 3)), axisa=0, axisb=1),
    Case(LA.cross, A, I, axis=0),
    Case(linalg.solve, A, I, oracle=LA.solve),
    Case(linalg.cofactors, A, oracle=lambda a: LA.det(a)[..., None, None] * LA.inv(a).mT),
    Case(linalg.euclidean, V, oracle=LA.norm),
]  # fmt: skip

COMPLEX = [
    *(of_complex(f, (A, I)) for f in (LA.inv, LA.det, LA.slogdet, LA.eigvals, LA.svdvals, LA.cond, LA.pinv, LA.norm, np.trace)),
    of_complex(LA.pinv, (TALL, WIDE.T)),
    of_complex(LA.solve, (A, I), (I, A)),
    of_complex(LA.cholesky, (A, I), call=lambda a: LA.cholesky(a @ np.conjugate(a).mT + np.eye(3))),
    of_complex(LA.cholesky, (S, I)),
    of_complex(LA.cholesky, (S, I), upper=True),
    *(of_complex(LA.qr, pair) for pair in [(A, I), (TALL, WIDE.T), (WIDE, TALL.T)]),
    of_complex(LA.eigh, (A, I), call=vectors_and_values(LA.eigh)),
    of_complex(LA.eigvalsh, (A, I), UPLO="U"),
    of_complex(LA.eig, (A, I), call=vectors_and_values(LA.eig)),
    *(of_complex(LA.svd, pair, call=singular(False)) for pair in [(A, I), (TALL, WIDE.T), (WIDE, TALL.T)]),
    *(of_complex(LA.svd, pair, call=singular(True)) for pair in [(TALL, WIDE.T), (WIDE, TALL.T)]),
    *(of_complex(LA.norm, (A, I), **kwargs) for kwargs in MATRIX_NORMS),
    *(of_complex(LA.norm, (V, V[::-1] * 2), **kwargs) for kwargs in NORMS),
    of_complex(LA.lstsq, (TALL, WIDE.T), (V, V[::-1])),
    of_complex(LA.matrix_power, (A, I), n=-2),
    of_complex(np.cross, (A, I), (I, A)),
]  # fmt: skip


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("case", [*CASES, *COMPLEX], ids=str)
def test_every_row_obeys(case, law):
    law(case)
