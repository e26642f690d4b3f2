"""The calculus of polynomials, given as NumPy's older functions do by coefficients from the highest power down."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .reductions import values_of
from .shaping import array, floats
from .table import composition, own_code, rule


@composition(np.polyval, checked=True)
def _polyval(p: Any, x: Any) -> Any:
    p, out = array(p), np.zeros_like(array(x))
    for coefficient in p:
        out = out * x + coefficient
    return out


composition(np.polyadd, checked=True)(own_code(np.polyadd))
composition(np.polysub, checked=True)(own_code(np.polysub))


def _trimmed(p: Any) -> Any:
    """Return the coefficients from the first that is not 0 on; the last one at least."""
    p = np.atleast_1d(array(p))
    return p[min(int(np.argmax(p != 0)), p.size - 1) :] if np.any(p != 0) else p[-1:]


composition(np.polymul, checked=True)(lambda a1, a2: np.convolve(_trimmed(a1), _trimmed(a2)))


@composition(np.polydiv, checked=True)
def _polydiv(u: Any, v: Any) -> tuple[Any, Any]:
    u, v = np.atleast_1d(floats(u)), np.atleast_1d(floats(v))
    quotient = []
    for _ in range(u.size - v.size + 1):
        factor = u[0] / v[0]
        quotient.append(factor)
        u = np.concatenate([u[1 : v.size] - factor * v[1:], u[v.size :]])
    r = u if u.size else np.zeros(1, v.dtype)
    while r.size > 1 and np.allclose(r[0], 0, rtol=1e-14):
        r = r[1:]
    return np.stack(quotient) if quotient else np.zeros(1, v.dtype), r


@composition(np.polyder, checked=True)
def _polyder(p: Any, m: int = 1) -> Any:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(m):
        p = p[:-1] * np.arange(p.size - 1, 0, -1)
    return p


@composition(np.polyint, checked=True)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    if m == 0:
        return p
    p, constants = floats(p), np.zeros(m) if k is None else np.atleast_1d(array(k))
    constants = np.broadcast_to(constants, m) if constants.size == 1 else constants
    for i in range(m):
        p = np.concatenate([p / np.arange(p.size, 0, -1), constants[i : i + 1]])
    return p


@composition(np.poly, checked=True)
def _poly(seq_of_zeros: Any) -> Any:
    roots = np.linalg.eigvals(seq_of_zeros) if np.ndim(seq_of_zeros) == 2 else np.atleast_1d(seq_of_zeros)
    roots = roots.astype(np.mintypecode(roots.dtype.char))
    out = np.ones(1, roots.dtype)
    for root in roots:
        out = np.convolve(out, np.stack([np.ones((), roots.dtype), -root]))
    (values,) = values_of(roots)
    paired = roots.dtype.kind == "c" and np.array_equal(np.sort(values), np.sort(np.conjugate(values)))
    return np.real(out) if paired else out


# (a root r of p moves with the coefficients so that p(r) stays 0)
rule(np.roots, lambda g, out, p: -(g / np.polyval(np.polyder(p), out)) @ np.vander(out, p.size))


@composition(np.vander, checked=True)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    n, x = len(x) if N is None else N, x.astype(np.result_type(x.dtype, int))
    powers = np.cumprod(np.concatenate([np.ones((len(x), 1), x.dtype), x[:, None] * np.ones(max(n - 1, 0), x.dtype)], 1), 1)[:, :n]
    return powers if increasing else powers[:, ::-1]


@composition(np.polyfit, checked=True)
def _polyfit(x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False) -> Any:
    x, y, order = floats(x), floats(y), int(deg) + 1
    rcond = len(x) * np.finfo(x.dtype).eps if rcond is None else rcond
    left, right = np.vander(x, order), y
    if w is not None:
        left, right = left * floats(w)[:, None], right * (floats(w) if y.ndim == 1 else floats(w)[:, None])
    scale = np.linalg.norm(left, axis=0)
    left = left / scale
    found, residuals, rank, s = np.linalg.lstsq(left, right, rcond)
    found = (found.T / scale).T
    if rank != order and not full:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=2)
    if full:
        return found, residuals, rank, s, rcond
    if not cov:
        return found
    if cov != "unscaled" and len(x) <= order:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    base = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    factor = 1 if cov == "unscaled" else residuals / (len(x) - order)
    return found, base * factor if y.ndim == 1 else base[:, :, None] * factor
