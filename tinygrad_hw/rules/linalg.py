"""The calculus of ``numpy.linalg``: inverses, determinants, decompositions and norms, in stacks as NumPy has them.

A function of several results (eigh, svd, ...) is one row whose result holds them all along its last axis (``packed``); what users
get are views of it, in NumPy's own named tuple. In formulas ᴴ is the conjugate transpose.

Eigenvectors and singular vectors are arbitrary where values are equal, and in their phase where they are complex. Functions of the
values alone have their exact gradient. Where a cotangent shows that it depends on that choice, or may depend on it, a
RuntimeWarning says so; only V f(w) V⁻¹ with an explicit inverse, at equal values, lacks f′ between their vectors without a warning.

Formulas: Giles 2008, "An extended collection of matrix derivative results for forward and reverse mode algorithmic
differentiation"; Golub & Pereyra 1973 for the pseudo-inverse; Townsend 2016 for the SVD; Murray 2016 for Cholesky;
Walter & Lehmann 2010 for QR.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .elementwise import _nonzero, conj, squared
from .reductions import Axis, count, products_of_others, restored
from .shaping import array, floats
from .table import composition, dispatched, formula, no_derivative, own_code, rule

Shape = tuple[int, ...]


def adjoint(x: Any) -> Any:
    """Return xᴴ."""
    return conj(x).mT


def diagonal_matrix(x: Any) -> Any:
    return x[..., None, :] * np.eye(x.shape[-1], dtype=x.dtype)


def packed(parts: Any, a: Any) -> Any:
    """Return the results of a decomposition of the matrices a, flattened and joined along one last axis."""
    return np.concatenate([np.reshape(part, (*a.shape[:-2], prod(part.shape[a.ndim - 2 :]))) for part in parts], -1)


def unpacked(whole: Any, *shapes: Shape) -> list[Any]:
    """Return the results again, of the given shapes."""
    ends = list(accumulate(map(prod, shapes), initial=0))
    return [np.reshape(whole[..., i:j], (*whole.shape[:-1], *shape)) for (i, j), shape in zip(pairwise(ends), shapes)]


@lru_cache
def _named_tuple(function: Any) -> Any:
    """Return the type of what NumPy's function gives."""
    return type(function(np.eye(1)))


def _real(x: Any) -> Any:
    """Return the real part of complex numbers, and real numbers as they are."""
    return np.real(x) if x.dtype.kind == "c" else x


def _hermitian(a: Any, lower: bool) -> Any:
    """Return the Hermitian matrix of which NumPy reads only the lower or upper triangle."""
    triangle = np.tril(a, -1) if lower else np.triu(a, 1)
    return triangle + adjoint(triangle) + np.where(np.eye(a.shape[-1], dtype=bool), _real(a), 0)


# Inverses and equations
@dispatched
def solve(a: Any, b: Any) -> Any:
    """Return a⁻¹ b for matrices b."""
    return np.linalg.solve(a, b)


BLOCK = 48  # rows: what is solved or inverted in one piece


@dispatched
def solved(a: Any, b: Any) -> Any:
    """Return a⁻¹ b, by substitution where all of the matrices are triangular."""
    if a.shape[-1] > BLOCK and not np.triu(a, 1).any():
        return _substituted(a, b)
    if a.shape[-1] > BLOCK and not np.tril(a, -1).any():
        return _substituted(a[..., ::-1, ::-1], b[..., ::-1, :])[..., ::-1, :]
    return np.linalg.solve(a, b)


def _substituted(a: Any, b: Any) -> Any:
    """Return a⁻¹ b for lower triangles, a block of rows after the other."""
    n = a.shape[-1]
    out = np.empty(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], np.result_type(a, b))
    for i in range(0, n, BLOCK):
        j = min(i + BLOCK, n)
        out[..., i:j, :] = np.linalg.solve(a[..., i:j, i:j], b[..., i:j, :] - a[..., i:j, :i] @ out[..., :i, :])
    return out


@dispatched
def triangle_inverse(a: Any) -> Any:
    """Return the inverses of lower triangles: of two halves A and D over C, these are A⁻¹ and D⁻¹ over -D⁻¹ C A⁻¹."""
    n = a.shape[-1]
    if n <= BLOCK:
        return np.linalg.inv(a)
    k, out = n // 2, np.zeros_like(a)
    out[..., :k, :k], out[..., k:, k:] = triangle_inverse(a[..., :k, :k]), triangle_inverse(a[..., k:, k:])
    out[..., k:, :k] = -(out[..., k:, k:] @ a[..., k:, :k] @ out[..., :k, :k])
    return out


def _svd_or_nan(a: Any, full_matrices: bool = True) -> Any:
    """Return np.linalg.svd(a), and nan for matrices with entries that are infinite or nan, for which LAPACK may never return."""
    bad = ~np.isfinite(a).all((-2, -1))
    if not bad.any():
        return np.linalg.svd(a, full_matrices=full_matrices)
    parts = np.linalg.svd(np.where(bad[..., None, None], 0, a), full_matrices=full_matrices)
    return [np.where(bad.reshape(bad.shape + (1,) * (part.ndim - bad.ndim)), np.nan, part) for part in parts]


@dispatched
def pinv(a: Any, rcond: Any = None) -> Any:
    """Return the pseudo-inverse; singular values up to rcond times the largest count as 0."""
    return np.linalg.pinv(a, **({} if rcond is None else {"rcond": rcond}))


def _pinv(g: Any, out: Any, a: Any, rcond: Any = None) -> Any:
    """Return the cotangent for matrices that keep their rank (Golub & Pereyra 1973)."""
    g, out_h = conj(g), adjoint(out)
    left, right = np.eye(a.shape[-2], dtype=a.dtype) - a @ out, np.eye(a.shape[-1], dtype=a.dtype) - out @ a
    return conj(left @ adjoint(g) @ out @ out_h + out_h @ out @ adjoint(g) @ right - out_h @ g @ out_h)


for inverse in (np.linalg.inv, triangle_inverse):
    rule(inverse,   lambda g, out, a: -(out.mT @ g @ out.mT), call=inverse)
for function in (solve, solved):
    rule(function,  lambda g, out, a, b: -(solved(a.mT, g) @ out.mT),
                    lambda g, out, a, b: solved(a.mT, g), call=function)
formula(solved, lambda a, b: solve(a, b))
formula(triangle_inverse, lambda a: np.linalg.inv(a))
rule(pinv,          _pinv, None)


@composition(np.linalg.solve)
def _solve(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    return solve(a, b[:, None])[..., 0] if b.ndim == 1 else solve(a, b)


@composition(np.linalg.pinv, checked=True)
def _np_pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return pinv(_hermitian(a, True) if hermitian and a.size else a, rcond if rtol is None else rtol)


@composition(np.linalg.tensorinv)
def _tensorinv(a: Any, ind: int = 2) -> Any:
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    return np.reshape(np.linalg.inv(np.reshape(a, (prod(a.shape[:ind]), -1))), a.shape[ind:] + a.shape[:ind])


@composition(np.linalg.tensorsolve)
def _tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    a = array(a) if axes is None else np.transpose(a, [i for i in range(np.ndim(a)) if i not in axes] + list(axes))
    shape = a.shape[np.ndim(b) :]
    return np.reshape(np.linalg.solve(np.reshape(a, (-1, prod(shape))), np.ravel(b)), shape)


@composition(np.linalg.lstsq, checked=True)
def _lstsq(a: Any, b: Any, rcond: float | None = None) -> tuple[Any, Any, int, Any]:
    a, b = array(a), array(b)
    m, n = a.shape
    cut = np.finfo(np.result_type(a.dtype, np.float16)).eps * max(m, n) if rcond is None else rcond
    x, s = pinv(a, cut) @ b, np.linalg.svdvals(a)
    rank = int(np.sum(s > cut * s[:1]))
    residuals = np.sum(squared(b - a @ x), 0, keepdims=np.ndim(b) == 1) if rank == n < m else np.zeros(0, s.dtype)
    return x, residuals, rank, s


@composition(np.linalg.matrix_power)
def _matrix_power(a: Any, n: int) -> Any:
    if n <= 0:
        return np.linalg.inv(a) @ _matrix_power(np.linalg.inv(a), -n - 1) if n else a * 0 + np.eye(a.shape[-1], dtype=a.dtype)
    if n == 1:
        return a
    half = _matrix_power(a, n // 2)
    return half @ half @ a if n % 2 else half @ half


@composition(np.linalg.multi_dot)
def _multi_dot(arrays: Any, *, out: None = None) -> Any:
    arrays = [array(a) for a in arrays]
    sizes = [*(a.shape[0] if a.ndim == 2 else 1 for a in arrays), arrays[-1].shape[1] if arrays[-1].ndim == 2 else 1]
    if arrays[-1].ndim == 1:
        sizes[-2] = arrays[-1].shape[0]

    @lru_cache
    def cheapest(i: int, j: int) -> tuple[int, int]:
        """Return the cost of the product of the arrays from i up to j, and where to split it."""
        costs = [(cheapest(i, k)[0] + cheapest(k, j)[0] + sizes[i] * sizes[k] * sizes[j], k) for k in range(i + 1, j)]
        return min(costs, default=(0, i))

    def product(i: int, j: int) -> Any:
        k = cheapest(i, j)[1]
        return arrays[i] if j == i + 1 else product(i, k) @ product(k, j)

    return product(0, len(arrays))


# Determinants
def _products_without_two(s: Any) -> Any:
    """Return Π of all s but s_i and s_j, for each i and j, and 0 where they are one."""
    one = np.eye(s.shape[-1], dtype=bool)
    return np.where(one, 0, np.prod(np.where(one[:, None] | one[None], 1, s[..., None, None, :]), -1))


def _turned(u: Any, middle: Any, vh: Any) -> Any:
    """Return det(u vh) ū M v̄ᴴ, with M in the middle."""
    return (np.linalg.det(u) * np.linalg.det(vh))[..., None, None] * (conj(u) @ middle @ conj(vh))


@dispatched
def cofactors(a: Any) -> Any:
    """Return the derivative of det a, which is det(a) a⁻ᵀ and exists for singular matrices too."""
    u, s, vh = _svd_or_nan(a)
    return _turned(u, diagonal_matrix(products_of_others(s)), vh)


def _cofactors(g: Any, out: Any, a: Any) -> Any:
    """Return the second derivative of det a along g, in the singular vectors' frame."""
    u, s, vh = _svd_or_nan(a) if type(a) is np.ndarray else np.linalg.svd(a)
    pairs, framed = _products_without_two(s), adjoint(u) @ g @ adjoint(vh)
    middle = diagonal_matrix((pairs @ np.diagonal(framed, 0, -2, -1)[..., None])[..., 0]) - pairs * framed.mT
    return _turned(u, middle, vh)


@dispatched
def slogdet(a: Any) -> Any:
    """Return the sign of det a, then log |det a|, along a last axis."""
    return np.stack(np.linalg.slogdet(a), -1)


def _slogdet(g: Any, out: Any, a: Any) -> Any:
    """Return a⁻ᵀ times the cotangent of the logarithm, whose imaginary part is the angle of the sign of a complex determinant."""
    factor = np.real(g[..., 1]) + np.imag(g[..., 0] * out[..., 0]) * 1j if a.dtype.kind == "c" else g[..., 1]
    return factor[..., None, None] * np.linalg.inv(a).mT


rule(np.linalg.det, lambda g, out, a: g[..., None, None] * cofactors(a))
rule(cofactors,     _cofactors)
rule(slogdet,       _slogdet)


@composition(np.linalg.slogdet)
def _np_slogdet(a: Any) -> Any:
    found = slogdet(a)
    return _named_tuple(np.linalg.slogdet)(found[..., 0], _real(found[..., 1]))


# Decompositions
def _inverse_where(apart: Any, x: Any) -> Any:
    """Return 1/x where apart, else 0."""
    return np.where(apart, 1 / np.where(apart, x, 1), 0)


def _nearly_zero(x: Any, values: Any) -> Any:
    """Tell where x is 0 but for the rounding of values."""
    n = values.shape[-1]
    scale = np.max(np.absolute(values), -1, initial=0)
    return np.absolute(x) <= 8 * n * np.finfo(values.dtype).eps * np.expand_dims(scale, tuple(range(scale.ndim, x.ndim)))


def _warn_if_arbitrary(name: str, turning: Any, mixing: Any, arbitrary: Any, eps: float) -> None:
    """Warn where a cotangent depends on arbitrary vectors, or where equal values may hide a part of the gradient."""
    noise = 1e3 * eps * (np.max(np.absolute(mixing), initial=0) + np.max(np.absolute(turning), initial=0))
    if np.any(arbitrary & (np.absolute(turning) > noise)):
        warnings.warn(
            f"{name}: the gradient depends on the choice of the vectors where values are equal (or on a vector's phase), which is "
            "arbitrary: that part of it is left out. Use what does not depend on it, such as the values or a projector V Vᴴ",
            RuntimeWarning,
            stacklevel=2,
        )
    elif np.any(arbitrary & ~np.eye(arbitrary.shape[-1], dtype=bool) & (np.absolute(mixing) > noise)):
        warnings.warn(
            f"{name}: values are equal, and their vectors are used: the gradient is right if the result depends only on the space "
            "that these vectors span; if it mixes them with their values, a part is lacking that only different values show",
            RuntimeWarning,
            stacklevel=2,
        )


@dispatched
def eigh(a: Any, uplo: Any = "L") -> Any:
    """Return the eigenvalues of Hermitian matrices, then their eigenvectors."""
    return packed(np.linalg.eigh(a, uplo), a)


def _eigen_parts(whole: Any, n: int) -> list[Any]:
    return unpacked(whole, (n,), (n, n))


def _eigh(g: Any, out: Any, a: Any, uplo: Any = "L") -> Any:
    """Return v̄ (diag gw + F ⊙ vᵀgv) vᵀ, F = 1 / (w_j - w_i), and 0 where they are equal."""
    n = a.shape[-1]
    (gw, gv), (w, v) = _eigen_parts(g, n), _eigen_parts(out, n)
    w, gw = np.real(w), np.real(gw)
    gaps = w[..., None, :] - w[..., :, None]
    close, mixed = _nearly_zero(gaps, w), v.mT @ gv
    _warn_if_arbitrary("eigh", mixed - adjoint(mixed), mixed + adjoint(mixed), close, np.finfo(w.dtype).eps)
    return conj(v) @ (diagonal_matrix(gw) + _inverse_where(~close, gaps) * mixed) @ v.mT


@dispatched
def eig(a: Any) -> Any:
    """Return the eigenvalues of matrices, then their eigenvectors."""
    return packed(np.linalg.eig(a), a)


def _eig(g: Any, out: Any, a: Any) -> Any:
    """Return v⁻ᵀ (diag gw + F ⊙ (vᵀgv - the part along v)) vᵀ: eigenvectors keep the length 1."""
    n = a.shape[-1]
    (gw, gv), (w, v) = _eigen_parts(g, n), _eigen_parts(out, n)
    gaps = w[..., None, :] - w[..., :, None]
    close = _nearly_zero(np.absolute(gaps), np.absolute(w))
    mixed = v.mT @ gv
    turning = mixed - v.mT @ conj(v) * np.real(np.diagonal(mixed, 0, -2, -1))[..., None, :]
    _warn_if_arbitrary("eig", turning, turning, close, np.finfo(w.dtype).eps)
    return solve(v.mT, (diagonal_matrix(gw) + _inverse_where(~close, gaps) * turning) @ v.mT)


def _svd_parts(whole: Any, m: int, n: int, full: bool) -> list[Any]:
    """Return u, s and vᴴ."""
    k = min(m, n)
    return unpacked(whole, (m, m if full else k), (k,), (n if full else k, n))


@dispatched
def svd(a: Any, full_matrices: bool = True) -> Any:
    """Return the left singular vectors, the singular values, then the right singular vectors as rows."""
    return packed(_svd_or_nan(a, full_matrices) if np.isinf(a).any() else np.linalg.svd(a, full_matrices=full_matrices), a)


def _completed(g: Any, u: Any, k: int) -> Any:
    """Return the cotangent of the first k columns of a unitary matrix, the others being what is orthogonal to them."""
    return g[..., :k] - u[..., k:] @ (adjoint(g[..., k:]) @ u[..., :k]) if u.shape[-1] > k else g


def _svd(g: Any, out: Any, a: Any, full_matrices: bool = True) -> Any:
    """Return u (diag gs + P / (s_j - s_i) + Q / (s_j + s_i)) vᴴ, and what leads out of the span of u and v."""
    m, n = a.shape[-2:]
    k = min(m, n)
    (gu, gs, gvh), (u, s, vh) = _svd_parts(conj(g), m, n, full_matrices), _svd_parts(out, m, n, full_matrices)
    s, gs = np.real(s), np.real(gs)
    gu, gv = _completed(gu, u, k), _completed(adjoint(gvh), adjoint(vh), k)
    u, vh = u[..., :k], vh[..., :k, :]
    in_u, in_v = adjoint(u) @ gu, vh @ gv
    together, against = in_u + in_v, in_u - in_v
    gaps, sums = s[..., None, :] - s[..., :, None], s[..., None, :] + s[..., :, None]
    close, void, zero = _nearly_zero(gaps, s), _nearly_zero(sums, s), _nearly_zero(s, s)
    turning, opposed = together - adjoint(together), against - adjoint(against)
    outside_u, outside_v = gu - u @ in_u, gv - adjoint(vh) @ in_v
    leaving = np.absolute(turning) + void * np.absolute(opposed)
    if m != n:
        leaving = leaving + (zero * (np.sum(np.absolute(outside_u), -2) + np.sum(np.absolute(outside_v), -2)))[..., None, :]
    _warn_if_arbitrary("svd", leaving, together + adjoint(together), close, np.finfo(s.dtype).eps)
    inner = diagonal_matrix(gs) + (_inverse_where(~close, gaps) * turning + _inverse_where(~void, sums) * opposed) * 0.5
    by_s = _inverse_where(~zero, s)
    whole = u @ inner @ vh
    whole = whole + (outside_u * by_s[..., None, :]) @ vh if m > k else whole
    whole = whole + (u * by_s[..., None, :]) @ adjoint(outside_v) if n > k else whole
    return conj(whole)


rule(eigh, _eigh, None)
rule(eig,  _eig)
rule(svd,  _svd, None)


@composition(np.linalg.eigh)
def _np_eigh(a: Any, UPLO: Any = "L") -> Any:
    w, v = _eigen_parts(eigh(_hermitian(a, UPLO.upper() == "L"), UPLO), a.shape[-1])
    return _named_tuple(np.linalg.eigh)(_real(w), v)


composition(np.linalg.eig)(lambda a: _named_tuple(np.linalg.eig)(*_eigen_parts(eig(a), a.shape[-1])))
composition(np.linalg.eigvalsh)(lambda a, UPLO="L": np.linalg.eigh(a, UPLO)[0])
composition(np.linalg.eigvals)(lambda a: np.linalg.eig(a)[0])


@composition(np.linalg.svd)
def _np_svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    m, n = a.shape[-2:]
    if hermitian and m != n:
        raise np.linalg.LinAlgError(f"a hermitian matrix is square, not of shape {a.shape}")
    a = _hermitian(a, True) if hermitian else a
    full_matrices = full_matrices and compute_uv
    u, s, vh = _svd_parts(svd(a, full_matrices), m, n, full_matrices)
    return _named_tuple(np.linalg.svd)(u, _real(s), vh) if compute_uv else _real(s)


@dispatched
def cholesky(a: Any) -> Any:
    """Return the lower triangle L of a = L Lᴴ."""
    return np.linalg.cholesky(a)


@lru_cache(16)
def _lower_half(n: int, dtype: np.dtype) -> Any:
    """Return 1 below the diagonal, ½ on it and 0 above."""
    half = np.tri(n, dtype=dtype) - np.eye(n, dtype=dtype) / 2
    half.flags.writeable = False
    return half


def _cholesky(g: Any, out: Any, a: Any) -> Any:
    """Return Φ(S + Sᴴ) of S = L⁻ᴴ Φ(Lᴴ g) L⁻¹, Φ being the lower half: only the lower triangle of a is read (Murray 2016)."""
    half, inverse = _lower_half(a.shape[-1], a.dtype), triangle_inverse(conj(out))
    whole = adjoint(inverse) @ (half * (out.mT @ g)) @ inverse
    return half * (whole + adjoint(whole))


rule(cholesky, _cholesky)

composition(np.linalg.cholesky)(lambda a, /, *, upper=False: adjoint(cholesky(adjoint(a))) if upper else cholesky(a))


@dispatched
def qr(a: Any, mode: str = "reduced") -> Any:
    """Return q, then r, of a = q r, for matrices with no more columns than rows."""
    return packed(np.linalg.qr(a, mode), a)


def _qr_parts(whole: Any, m: int, n: int, mode: str) -> list[Any]:
    rank = m if mode == "complete" else n
    return unpacked(whole, (m, rank), (rank, n))


def _qr(g: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    """Return (gq + q M) r⁻ᴴ, M the Hermitian matrix with the lower triangle of r grᴴ - gqᴴ q (Walter & Lehmann 2010)."""
    m, n = a.shape[-2:]
    (gq, gr), (q, r) = _qr_parts(conj(g), m, n, mode), _qr_parts(out, m, n, mode)
    gq, q, gr, r = _completed(gq, q, n), q[..., :n], gr[..., :n, :], r[..., :n, :]
    middle = _hermitian(r @ adjoint(gr) - adjoint(gq) @ q, True)
    return conj(adjoint(solve(r, adjoint(gq + q @ middle))))


rule(qr, _qr, None)


@composition(np.linalg.qr)
def _np_qr(a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode {mode!r} has no derivative; reduced, complete and r have")
    m, n = a.shape[-2:]
    k = min(m, n)
    kept = "reduced" if mode == "r" else mode
    q, r = _qr_parts(qr(a[..., :k], kept), m, k, kept)
    r = np.concatenate([r, adjoint(q) @ a[..., k:]], -1) if n > k else r
    return r if mode == "r" else _named_tuple(np.linalg.qr)(q, r)


# Norms
@dispatched
def euclidean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return √Σ|x|² over the axis; its derivative at 0 is 0."""
    return np.sqrt(np.add.reduce(squared(x), axis=axis, keepdims=keepdims))


rule(euclidean, lambda g, out, x, axis=None, keepdims=False:
     restored(np.where(out == 0, 0, g / _nonzero(out)), x, axis, keepdims) * conj(x))


def _largest(x: Any, axis: Axis, keepdims: bool = False) -> Any:
    """Return the largest of what is not negative over the axis; of nothing it is 0."""
    return (np.max if count(x, axis) else np.sum)(x, axis, keepdims=keepdims)


def _vector_norm(x: Any, order: Any, axis: Axis, keepdims: bool) -> Any:
    """Return the norm of the entries over the axis as of one vector."""
    if order is None or order == 2:
        return euclidean(x, axis=axis, keepdims=keepdims)
    size = np.absolute(x)
    if order in (np.inf, -np.inf):
        return (_largest if order > 0 else np.min)(size, axis, keepdims=keepdims)
    if order in (0, 1):
        return np.sum(size if order else np.sign(size), axis, keepdims=keepdims)
    power = lambda x, exponent: np.where(x == 0, 0 if order > 0 else np.inf, np.where(x == 0, 1, x) ** exponent)
    return power(np.sum(power(size, order), axis, keepdims=keepdims), 1 / order)


def _singular_values(x: Any) -> Any:
    """Return the singular values; those that are 0 but for rounding are constants, for they are at a kink."""
    s = np.linalg.svdvals(x)
    return np.where(_nearly_zero(s, s), 0, s)


def _matrix_norm(x: Any, order: Any) -> Any:
    """Return the norm of the matrices in the last two axes."""
    if order in (None, "fro", "f"):
        return euclidean(x, axis=(-2, -1))
    if order == "nuc":
        return np.sum(_singular_values(x), -1)
    if order not in (1, -1, 2, -2, np.inf, -np.inf):
        raise ValueError(f"Invalid norm order {order!r} for matrices.")
    lengths = _singular_values(x) if abs(order) == 2 else np.sum(np.absolute(x), -2 if abs(order) == 1 else -1)
    return (_largest if order > 0 else np.min)(lengths, -1)


@composition(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    x = floats(x)
    if axis is None and ord is None:
        return euclidean(x, axis=None, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else (axis,) if np.ndim(axis) == 0 else tuple(axis)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"Invalid norm order {ord!r} for vectors")
        return _vector_norm(x, ord, normalize_axis_index(axes[0], x.ndim), keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    out = _matrix_norm(np.moveaxis(x, axes, (-2, -1)), ord)
    return np.expand_dims(out, axes) if keepdims else out


composition(np.linalg.matrix_norm)(lambda x, /, *, keepdims=False, ord="fro": np.linalg.norm(x, ord, (-2, -1), keepdims))


composition(np.linalg.vector_norm, checked=True)(
    lambda x, /, *, axis=None, keepdims=False, ord=2: _vector_norm(floats(x), ord, axis, keepdims)
)


@composition(np.linalg.cond)
def _cond(x: Any, p: Any = None) -> Any:
    if p in (None, 2, -2):
        s = np.linalg.svdvals(x)
        ratio = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        return np.where(np.isnan(ratio) & ~np.any(np.isnan(x), (-2, -1)), np.inf, ratio)
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


# Others
composition(np.trace)(lambda a, offset=0, axis1=0, axis2=1, dtype=None, out=None: np.sum(np.diagonal(a, offset, axis1, axis2), -1, dtype))
for short in (np.linalg.trace, np.linalg.diagonal, np.linalg.matmul, np.linalg.matrix_transpose, np.linalg.svdvals):
    composition(short)(own_code(short))


@composition(np.cross, checked=True)
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    if a.shape[-1] == b.shape[-1] == 2:
        return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    a, b = (np.concatenate([x, np.zeros_like(x[..., :1])], -1) if x.shape[-1] == 2 else x for x in (a, b))
    if (a.shape[-1], b.shape[-1]) != (3, 3):
        raise ValueError(f"cross: vectors of 3 entries are needed, not {a.shape[-1]} and {b.shape[-1]} (or both of 2)")
    after, before = [1, 2, 0], [2, 0, 1]
    return np.moveaxis(a[..., after] * b[..., before] - a[..., before] * b[..., after], -1, axisc)


composition(np.linalg.cross, checked=True)(lambda x1, x2, /, *, axis=-1: np.cross(x1, x2, axis=axis))

no_derivative(np.linalg.matrix_rank)
