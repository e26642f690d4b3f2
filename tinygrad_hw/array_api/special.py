"""SciPy's special functions, as the namespace offers them: SciPy's ufuncs, which take Tensors, and a few that SciPy has no ufunc for."""

from __future__ import annotations

from math import factorial, log, pi
from typing import Any

import numpy as np

from ..rules.neural import log_softmax, logsumexp, softmax

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "sinc", "softmax", "zeta"]

sinc = np.sinc


def ufunc(name: str) -> Any:
    """Return one of SciPy's ufuncs itself: the function of scipy.special may ask this namespace for it."""
    from scipy.special import _ufuncs

    return getattr(_ufuncs, name)


def __getattr__(name: str) -> Any:
    if name.startswith("_") or not isinstance(found := ufunc(name), np.ufunc):
        raise AttributeError(f"scipy.special has no ufunc {name!r}")
    return found


def zeta(x: Any, q: Any = None) -> Any:
    """Return Hurwitz's zeta function Σ 1 / (k + q)ˣ, or Riemann's, where q is 1."""
    return ufunc("_riemann_zeta")(x) if q is None else ufunc("_zeta")(x, q)


def polygamma(n: int, x: Any) -> Any:
    """Return the n-th derivative of the digamma function, (-1)ⁿ⁺¹ n! ζ(n + 1, x)."""
    return ufunc("psi")(x) if n == 0 else (-1) ** (n + 1) * factorial(n) * zeta(n + 1.0, x)


def multigammaln(a: Any, d: int) -> Any:
    """Return the logarithm of the multivariate gamma function, d (d - 1) / 4 log π + Σ log Γ(a - j / 2)."""
    return d * (d - 1) / 4 * log(pi) + sum(ufunc("gammaln")(a - j / 2) for j in range(d))
