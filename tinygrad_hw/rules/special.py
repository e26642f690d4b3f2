"""The calculus of SciPy's special functions; loaded when the first of them meets a tensor, for SciPy is optional.

Names and arguments are SciPy's. The derivatives are those of DLMF (NIST, "Digital Library of Mathematical Functions", https://dlmf.nist.gov),
whose equation numbers are given. Where a derivative with respect to an order or a shape is not known in terms of such functions, the row
has ``UNKNOWN``: an error in the sweep, never a zero.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt
from typing import Any

import numpy as np
from scipy.special import _ufuncs as sp  # (the ufuncs themselves, which scipy.special wraps if SCIPY_ARRAY_API is set)

from ..errors import NoRuleError
from . import table
from .table import composition, dispatched

ROOT_PI, ROOT_2PI, DEGREE = sqrt(pi), sqrt(2 * pi), pi / 180
zeta = sp._zeta


UNKNOWN = "unknown"


def rule(function: Any, *vjps: Any, **options: Any) -> None:
    """Add a row; of an argument with respect to which no derivative is known, one that says so in the sweep."""
    names = next(vjp for vjp in vjps if callable(vjp)).__code__.co_varnames[2:] if any(map(callable, vjps)) else ("x",)
    table.rule(function, *(unknown(function.__name__, names[i]) if vjp is UNKNOWN else vjp for i, vjp in enumerate(vjps)), **options)


def unknown(function: str, argument: str) -> Callable[..., Any]:
    """Return the rule of an argument with respect to which no derivative is known."""

    def refuse(g: Any, out: Any, *args: Any) -> Any:
        raise NoRuleError(
            f"{function.lstrip('_')}: no formula is known for its derivative with respect to {argument}; give it as a constant (an array, "
            "or t.detach())"
        )

    return refuse


def real_only(function: str, z: Any) -> Any:
    """Return z, if it is real; a complex one has no derivative there, or none that is known."""
    return unknown(function, "a complex argument")(None, None) if z.dtype.kind == "c" else z


def _one_minus(factor: float, x: Any, out: Any, far: Any, sign: int) -> Any:
    """Return 1 - c x f(x), which cancels where x is far from 0: there by its series -Σ (2k + 1)!! uᵏ⁺¹, u = ±1 / (2x²) (7.12.1).

    Nine terms give it to rounding where |x| is at least 20.
    """
    if x.dtype.kind == "c":
        return 1 - factor * x * out
    series: Any = 1.0
    outside = np.where(far, x, 20)
    u = sign * 0.5 / outside / outside
    for k in range(7, -1, -1):
        series = 1 + (2 * k + 3) * u * series
    return np.where(far, -u * series, 1 - factor * np.where(far, 0, x) * out)


# Error functions (7.2, 7.18)
rule(sp.erf,     lambda g, out, x: g * (2 / ROOT_PI) * np.exp(-x * x))
rule(sp.erfc,    lambda g, out, x: g * (-2 / ROOT_PI) * np.exp(-x * x))
rule(sp.erfcx,   lambda g, out, x: g * (-2 / ROOT_PI) * _one_minus(ROOT_PI, x, out, np.real(x) > 20, -1))
rule(sp.erfi,    lambda g, out, x: g * (2 / ROOT_PI) * np.exp(x * x))
rule(sp.dawsn,   lambda g, out, x: g * _one_minus(2, x, out, np.absolute(x) > 20, 1))
rule(sp.wofz,    lambda g, out, z: g * (-2 * z * out + 2j / ROOT_PI))
rule(sp.erfinv,  lambda g, out, x: g * (ROOT_PI / 2) * np.exp(out * out))
rule(sp.erfcinv, lambda g, out, x: g * (-ROOT_PI / 2) * np.exp(out * out))
rule(sp.ndtr,    lambda g, out, x: g * np.exp(x * x * -0.5) / ROOT_2PI)
rule(sp.log_ndtr,  lambda g, out, x: g * sqrt(2 / pi) / sp.erfcx(x / -sqrt(2)))
rule(sp.ndtri,     lambda g, out, y: g * ROOT_2PI * np.exp(out * out * 0.5))
rule(sp.ndtri_exp, lambda g, out, y: g * sqrt(pi / 2) * sp.erfcx(out / -sqrt(2)))
rule(sp.owens_t,   lambda g, out, h, a: g * np.exp(h * h * -0.5) * sp.erf(a * h / sqrt(2)) / (-2 * ROOT_2PI),
                   lambda g, out, h, a: g * np.exp(h * h * (1 + a * a) * -0.5) / (2 * pi * (1 + a * a)))


composition(sp.voigt_profile)(lambda x, sigma, gamma: np.real(sp.wofz((x + 1j * gamma) / (sigma * sqrt(2)))) / (sigma * ROOT_2PI))

# Logistic functions, logarithms and powers
rule(sp.expit,     lambda g, out, x: g * (out * sp.expit(-x)))
rule(sp.log_expit, lambda g, out, x: g * sp.expit(-x))
rule(sp.logit,     lambda g, out, x: g / (x * (1 - x)))
rule(sp.log1p,     lambda g, out, x: g / (1 + x))
rule(sp.expm1,     lambda g, out, x: g * (out + 1))
rule(sp.exp2,      lambda g, out, x: g * out * log(2))
rule(sp.exp10,     lambda g, out, x: g * out * log(10))
rule(sp.cosm1,     lambda g, out, x: -g * np.sin(x))
rule(sp.cbrt,      lambda g, out, x: g / (3 * out * out))
rule(sp.powm1,     lambda g, out, x, y: g * y * x ** (y - 1),
                   lambda g, out, x, y: g * (out + 1) * np.log(x))
rule(sp.xlogy,     lambda g, out, x, y: g * np.log(y),
                   lambda g, out, x, y: g * x / (y + np.logical_and(x == 0, y == 0)))
rule(sp.xlog1py,   lambda g, out, x, y: g * np.log1p(y),
                   lambda g, out, x, y: g * x / (1 + y))
# ((eˣ - 1)/x = ₁F₁(1; 2; x), whose derivative is defined at 0 too)
rule(sp.exprel,    lambda g, out, x: g * 0.5 * sp.hyp1f1(2.0, 3.0, x))
rule(sp.boxcox,    lambda g, out, x, lmbda: g * x ** (lmbda - 1),
                   lambda g, out, x, lmbda: g * _boxcox_lmbda(np.log(x), lmbda))
rule(sp.boxcox1p,  lambda g, out, x, lmbda: g * (1 + x) ** (lmbda - 1),
                   lambda g, out, x, lmbda: g * _boxcox_lmbda(np.log1p(x), lmbda))
rule(sp.inv_boxcox,   lambda g, out, y, lmbda: g * out ** (1 - lmbda),
                      lambda g, out, y, lmbda: -g * out ** (1 - lmbda) * _boxcox_lmbda(np.log(out), lmbda))
rule(sp.inv_boxcox1p, lambda g, out, y, lmbda: g * (1 + out) ** (1 - lmbda),
                      lambda g, out, y, lmbda: -g * (1 + out) ** (1 - lmbda) * _boxcox_lmbda(np.log1p(out), lmbda))
rule(sp.wrightomega,  lambda g, out, z: g * out / (1 + out))
rule(sp._lambertw, lambda g, out, z, k, tol: g / (z + np.exp(out)), None, None)
rule(sp.sindg,     lambda g, out, x: g * DEGREE * sp.cosdg(x))
rule(sp.cosdg,     lambda g, out, x: g * -DEGREE * sp.sindg(x))
rule(sp.tandg,     lambda g, out, x: g * DEGREE * (1 + out * out))
rule(sp.cotdg,     lambda g, out, x: g * -DEGREE * (1 + out * out))
rule(sp.radian,    lambda g, out, d, m, s: g * DEGREE,
                   lambda g, out, d, m, s: g * (DEGREE / 60),
                   lambda g, out, d, m, s: g * (DEGREE / 3600))
rule(sp.round,     lambda g, out, x: 0 * g)


def _boxcox_lmbda(log_x: Any, lmbda: Any) -> Any:
    """Return the derivative of (x^λ - 1)/λ by λ; it is (log x)² ₁F₁(2; 3; λ log x)/2, which is defined at λ = 0 too."""
    return log_x * log_x * 0.5 * sp.hyp1f1(2.0, 3.0, lmbda * log_x)


# Information theory
rule(sp.entr,         lambda g, out, x: g * (-np.log(x) - 1))
rule(sp.rel_entr,     lambda g, out, x, y: g * (np.log(x / y) + 1),
                      lambda g, out, x, y: -g * x / y)
rule(sp.kl_div,       lambda g, out, x, y: g * np.log(x / y),
                      lambda g, out, x, y: g * (1 - x / y))
rule(sp.huber,        lambda g, out, delta, r: g * np.maximum(np.abs(r) - delta, 0),
                      lambda g, out, delta, r: g * np.clip(r, -delta, delta))
rule(sp.pseudo_huber, lambda g, out, delta, r: g * (2 * out / delta - r * r / delta / np.hypot(1, r / delta)),
                      lambda g, out, delta, r: g * r / np.hypot(1, r / delta))

# Gamma functions (5.2, 5.9, 5.12, 8.8, 8.17)
rule(sp.gamma,    lambda g, out, x: g * out * sp.psi(x))
rule(sp.gammaln,  lambda g, out, x: g * sp.psi(x))
rule(sp.loggamma, lambda g, out, z: g * sp.psi(z))
rule(sp.psi,      lambda g, out, z: g * zeta(2.0, real_only("psi", z)))
rule(zeta,        UNKNOWN,
                  lambda g, out, x, q: -g * x * zeta(x + 1, q))
rule(sp._riemann_zeta, UNKNOWN)
rule(sp.zetac,    UNKNOWN)
rule(sp.gammasgn, lambda g, out, x: 0 * g)
rule(sp.poch,     lambda g, out, z, m: g * out * (sp.psi(z + m) - sp.psi(z)),
                  lambda g, out, z, m: g * out * sp.psi(z + m))
rule(sp.beta,     lambda g, out, a, b: g * out * (sp.psi(a) - sp.psi(a + b)),
                  lambda g, out, a, b: g * out * (sp.psi(b) - sp.psi(a + b)))
rule(sp.betaln,   lambda g, out, a, b: g * (sp.psi(a) - sp.psi(a + b)),
                  lambda g, out, a, b: g * (sp.psi(b) - sp.psi(a + b)))
rule(sp.binom,    lambda g, out, n, k: g * out * (sp.psi(n + 1) - sp.psi(n - k + 1)),
                  lambda g, out, n, k: g * out * (sp.psi(n - k + 1) - sp.psi(k + 1)))


def _rgamma(g: Any, out: Any, x: Any) -> Any:
    """Return the derivative of 1/Γ(x): -ψ(x)/Γ(x), and on the left that of sin(πx) Γ(1-x)/π, where ψ has no poles (5.5.3)."""
    left = x < 0.5
    y, z = np.where(left, x, 0), np.where(left, 1, x)
    reflected = sp.gamma(1 - y) * (np.cos(pi * y) - np.sin(pi * y) * sp.psi(1 - y) / pi)
    return g * np.where(left, reflected, -sp.rgamma(z) * sp.psi(z))


rule(sp.rgamma, _rgamma)


def _gamma_density(a: Any, x: Any) -> Any:
    """Return x^(a-1) e^(-x) / Γ(a)."""
    return np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """Return x^(a-1) (1-x)^(b-1) / B(a, b)."""
    return np.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))


rule(sp.gammainc,     UNKNOWN, lambda g, out, a, x: g * _gamma_density(a, x))
rule(sp.gammaincc,    UNKNOWN, lambda g, out, a, x: -g * _gamma_density(a, x))
rule(sp.gammaincinv,  UNKNOWN, lambda g, out, a, y: g / _gamma_density(a, out))
rule(sp.gammainccinv, UNKNOWN, lambda g, out, a, y: -g / _gamma_density(a, out))
rule(sp.betainc,      UNKNOWN, UNKNOWN, lambda g, out, a, b, x: g * _beta_density(a, b, x))
rule(sp.betaincc,     UNKNOWN, UNKNOWN, lambda g, out, a, b, x: -g * _beta_density(a, b, x))
rule(sp.betaincinv,   UNKNOWN, UNKNOWN, lambda g, out, a, b, y: g / _beta_density(a, b, out))
rule(sp.betainccinv,  UNKNOWN, UNKNOWN, lambda g, out, a, b, y: -g / _beta_density(a, b, out))

# Distributions: a cdf's derivative is its density, a quantile's 1 over it


def _chi2(v: Any, x: Any) -> Any:
    """Return the density of χ² with v degrees of freedom."""
    return 0.5 * _gamma_density(0.5 * v, 0.5 * x)


def _f(n: Any, d: Any, x: Any) -> Any:
    """Return the density of F with n and d degrees of freedom."""
    return _beta_density(0.5 * n, 0.5 * d, n * x / (n * x + d)) * n * d / (n * x + d) ** 2


def _t(df: Any, t: Any) -> Any:
    """Return the density of Student's t."""
    return np.exp(-sp.betaln(0.5 * df, 0.5) - 0.5 * np.log(df) - 0.5 * (df + 1) * np.log1p(t * t / df))


rule(sp.chdtr,   UNKNOWN, lambda g, out, v, x: g * _chi2(v, x))
rule(sp.chdtrc,  UNKNOWN, lambda g, out, v, x: -g * _chi2(v, x))
rule(sp.chdtri,  UNKNOWN, lambda g, out, v, p: -g / _chi2(v, out))
rule(sp.chndtr,  lambda g, out, x, df, nc: g * 0.5 * (sp.chndtr(x, df - 2, nc) - out), UNKNOWN,
                 lambda g, out, x, df, nc: g * 0.5 * (sp.chndtr(x, df + 2, nc) - out))
rule(sp.fdtr,    UNKNOWN, UNKNOWN, lambda g, out, dfn, dfd, x: g * _f(dfn, dfd, x))
rule(sp.fdtrc,   UNKNOWN, UNKNOWN, lambda g, out, dfn, dfd, x: -g * _f(dfn, dfd, x))
rule(sp.fdtri,   UNKNOWN, UNKNOWN, lambda g, out, dfn, dfd, p: g / _f(dfn, dfd, out))
rule(sp.stdtr,   UNKNOWN, lambda g, out, df, t: g * _t(df, t))
rule(sp.stdtrit, UNKNOWN, lambda g, out, df, p: g / _t(df, out))
rule(sp.gdtr,    lambda g, out, a, b, x: g * x * _gamma_density(b, a * x), UNKNOWN,
                 lambda g, out, a, b, x: g * a * _gamma_density(b, a * x))
rule(sp.gdtrc,   lambda g, out, a, b, x: -g * x * _gamma_density(b, a * x), UNKNOWN,
                 lambda g, out, a, b, x: -g * a * _gamma_density(b, a * x))
rule(sp.gdtrix,  lambda g, out, a, b, p: -g * out / a, UNKNOWN, lambda g, out, a, b, p: g / (a * _gamma_density(b, a * out)))
# (the counts are whole numbers: SciPy rounds k down)
rule(sp.pdtr,    UNKNOWN, lambda g, out, k, m: -g * _gamma_density(np.floor(k) + 1, m))
rule(sp.pdtrc,   UNKNOWN, lambda g, out, k, m: g * _gamma_density(np.floor(k) + 1, m))
rule(sp.pdtri,   UNKNOWN, lambda g, out, k, y: -g / _gamma_density(np.floor(k) + 1, out))
rule(sp.bdtr,    UNKNOWN, UNKNOWN, lambda g, out, k, n, p: -g * _beta_density(np.floor(k) + 1, n - np.floor(k), p))
rule(sp.bdtrc,   UNKNOWN, UNKNOWN, lambda g, out, k, n, p: g * _beta_density(np.floor(k) + 1, n - np.floor(k), p))
rule(sp.bdtri,   UNKNOWN, UNKNOWN, lambda g, out, k, n, y: -g / _beta_density(np.floor(k) + 1, n - np.floor(k), out))
rule(sp.nbdtr,   UNKNOWN, UNKNOWN, lambda g, out, k, n, p: g * _beta_density(n, np.floor(k) + 1, p))
rule(sp.nbdtrc,  UNKNOWN, UNKNOWN, lambda g, out, k, n, p: -g * _beta_density(n, np.floor(k) + 1, p))
rule(sp.nbdtri,  UNKNOWN, UNKNOWN, lambda g, out, k, n, y: g / _beta_density(n, np.floor(k) + 1, out))
rule(sp.tklmbda, lambda g, out, x, lmbda: g / (out ** (lmbda - 1) + (1 - out) ** (lmbda - 1)), UNKNOWN)

# Bessel functions (10.6, 10.29, 10.51, 10.61, 11.4)
rule(sp.j0,  lambda g, out, x: -g * sp.j1(x))
rule(sp.j1,  lambda g, out, x: g * 0.5 * (sp.j0(x) - sp.jv(2.0, x)))
rule(sp.y0,  lambda g, out, x: -g * sp.y1(x))
rule(sp.y1,  lambda g, out, x: g * 0.5 * (sp.y0(x) - sp.yv(2.0, x)))
rule(sp.i0,  lambda g, out, x: g * sp.i1(x))
rule(sp.i1,  lambda g, out, x: g * 0.5 * (sp.i0(x) + sp.iv(2.0, x)))
rule(sp.i0e, lambda g, out, x: g * (sp.i1e(x) - np.sign(x) * out))
rule(sp.i1e, lambda g, out, x: g * (0.5 * (sp.i0e(x) + sp.ive(2.0, x)) - np.sign(x) * out))
rule(sp.k0,  lambda g, out, x: -g * sp.k1(x))
rule(sp.k1,  lambda g, out, x: g * -0.5 * (sp.k0(x) + sp.kv(2.0, x)))
rule(sp.k0e, lambda g, out, x: g * (out - sp.k1e(x)))
rule(sp.k1e, lambda g, out, x: g * (out - 0.5 * (sp.k0e(x) + sp.kve(2.0, x))))
rule(sp.jv,  UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.jv(v - 1, z) - sp.jv(v + 1, z)))
rule(sp.yv,  UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.yv(v - 1, z) - sp.yv(v + 1, z)))
rule(sp.yn,  None,  lambda g, out, n, x: g * 0.5 * (sp.yv(n - 1.0, x) - sp.yv(n + 1.0, x)))
rule(sp.iv,  UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.iv(v - 1, z) + sp.iv(v + 1, z)))
rule(sp.kv,  UNKNOWN, lambda g, out, v, z: g * -0.5 * (sp.kv(v - 1, z) + sp.kv(v + 1, z)))
rule(sp.kn,  None,  lambda g, out, n, x: g * -0.5 * (sp.kv(n - 1.0, x) + sp.kv(n + 1.0, x)))
rule(sp.ive, UNKNOWN, lambda g, out, v, z: g * (0.5 * (sp.ive(v - 1, z) + sp.ive(v + 1, z)) - np.sign(real_only("ive", z)) * out))
rule(sp.kve, UNKNOWN, lambda g, out, v, z: g * (out - 0.5 * (sp.kve(v - 1, z) + sp.kve(v + 1, z))))
rule(sp.jve, UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.jve(v - 1, real_only("jve", z)) - sp.jve(v + 1, z)))
rule(sp.yve, UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.yve(v - 1, real_only("yve", z)) - sp.yve(v + 1, z)))
rule(sp.hankel1,  UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.hankel1(v - 1, z) - sp.hankel1(v + 1, z)))
rule(sp.hankel2,  UNKNOWN, lambda g, out, v, z: g * 0.5 * (sp.hankel2(v - 1, z) - sp.hankel2(v + 1, z)))
rule(sp.hankel1e, UNKNOWN, lambda g, out, v, z: g * (0.5 * (sp.hankel1e(v - 1, z) - sp.hankel1e(v + 1, z)) - 1j * out))
rule(sp.hankel2e, UNKNOWN, lambda g, out, v, z: g * (0.5 * (sp.hankel2e(v - 1, z) - sp.hankel2e(v + 1, z)) + 1j * out))
rule(sp.struve,    UNKNOWN, lambda g, out, v, x: g * (sp.struve(v - 1, x) - v * out / x))
rule(sp.modstruve, UNKNOWN, lambda g, out, v, x: g * (sp.modstruve(v - 1, x) - v * out / x))
rule(sp.itstruve0,    lambda g, out, x: g * sp.struve(0.0, x))
rule(sp.itmodstruve0, lambda g, out, x: g * sp.modstruve(0.0, x))
rule(sp._spherical_jn, None, lambda g, out, n, z: g * sp._spherical_jn_d(n, z))
rule(sp._spherical_yn, None, lambda g, out, n, z: g * sp._spherical_yn_d(n, z))
rule(sp._spherical_in, None, lambda g, out, n, z: g * sp._spherical_in_d(n, z))
rule(sp._spherical_kn, None, lambda g, out, n, z: g * sp._spherical_kn_d(n, z))
rule(sp._spherical_jn_d, None, lambda g, out, n, z: g * (-2 * out / z - (1 - n * (n + 1) / (z * z)) * sp._spherical_jn(n, z)))
rule(sp._spherical_yn_d, None, lambda g, out, n, z: g * (-2 * out / z - (1 - n * (n + 1) / (z * z)) * sp._spherical_yn(n, z)))
rule(sp._spherical_in_d, None, lambda g, out, n, z: g * (-2 * out / z + (1 + n * (n + 1) / (z * z)) * sp._spherical_in(n, z)))
rule(sp._spherical_kn_d, None, lambda g, out, n, z: g * (-2 * out / z + (1 + n * (n + 1) / (z * z)) * sp._spherical_kn(n, z)))
rule(sp.ber,  lambda g, out, x: g * sp.berp(x))
rule(sp.bei,  lambda g, out, x: g * sp.beip(x))
rule(sp.ker,  lambda g, out, x: g * sp.kerp(x))
rule(sp.kei,  lambda g, out, x: g * sp.keip(x))
rule(sp.berp, lambda g, out, x: g * (-sp.bei(x) - out / x))
rule(sp.beip, lambda g, out, x: g * (sp.ber(x) - out / x))
rule(sp.kerp, lambda g, out, x: g * (-sp.kei(x) - out / x))
rule(sp.keip, lambda g, out, x: g * (sp.ker(x) - out / x))
rule(sp.wright_bessel, UNKNOWN, UNKNOWN, lambda g, out, a, b, x: g * sp.wright_bessel(a, b + a, x))
if hasattr(sp, "log_wright_bessel"):  # (since SciPy 1.14)
    rule(sp.log_wright_bessel, UNKNOWN, UNKNOWN, lambda g, out, a, b, x: g * np.exp(sp.log_wright_bessel(a, b + a, x) - out))

# Exponential and other integrals (6.2, 8.19, 25.12)
rule(sp.exp1,   lambda g, out, z: -g * np.exp(-z) / z)
rule(sp.expi,   lambda g, out, x: g * np.exp(x) / x)
rule(sp.expn,   None, lambda g, out, n, x: np.where(n == 0, -g * out * (1 + 1 / x), -g * sp.expn(np.maximum(n - 1, 0), x)))
rule(sp.spence, lambda g, out, z: -g * sp.hyp2f1(1.0, 1.0, 2.0, 1 - z))
rule(sp.ellipk,   lambda g, out, m: g * (pi / 8) * sp.hyp2f1(1.5, 1.5, 2.0, m))
rule(sp.ellipe,   lambda g, out, m: g * (-pi / 8) * sp.hyp2f1(0.5, 1.5, 2.0, m))
rule(sp.ellipkm1, lambda g, out, p: g * (-pi / 8) * sp.hyp2f1(1.5, 1.5, 2.0, 1 - p))
rule(sp.ellipkinc, lambda g, out, phi, m: g / np.sqrt(1 - m * np.sin(phi) ** 2), UNKNOWN)
rule(sp.ellipeinc, lambda g, out, phi, m: g * np.sqrt(1 - m * np.sin(phi) ** 2), UNKNOWN)

# Hypergeometric functions (13.3, 15.5, 16.3)
rule(sp.hyp0f1, UNKNOWN, lambda g, out, v, z: g * sp.hyp0f1(v + 1, z) / v)
rule(sp.hyp1f1, UNKNOWN, UNKNOWN, lambda g, out, a, b, x: g * a / b * sp.hyp1f1(a + 1, b + 1, x))
rule(sp.hyp2f1, UNKNOWN, UNKNOWN, UNKNOWN, lambda g, out, a, b, c, z: g * a * b / c * sp.hyp2f1(a + 1, b + 1, c + 1, z))
rule(sp.hyperu, UNKNOWN, UNKNOWN, lambda g, out, a, b, x: -g * a * sp.hyperu(a + 1, b + 1, x))

# Orthogonal polynomials (18.9): the derivative is one of a degree less
rule(sp.eval_legendre,    UNKNOWN, lambda g, out, n, x: g * _lower(sp.eval_gegenbauer, n, 1.5, x))
rule(sp.eval_chebyt,      UNKNOWN, lambda g, out, n, x: g * n * sp.eval_chebyu(n - 1, x))
rule(sp.eval_chebyu,      UNKNOWN, lambda g, out, n, x: g * 2 * _lower(sp.eval_gegenbauer, n, 2.0, x))
rule(sp.eval_chebyc,      UNKNOWN, lambda g, out, n, x: g * n * sp.eval_chebys(n - 1, x))
rule(sp.eval_chebys,      UNKNOWN, lambda g, out, n, x: g * _lower(sp.eval_gegenbauer, n, 2.0, x / 2))
rule(sp.eval_sh_legendre, UNKNOWN, lambda g, out, n, x: g * 2 * _lower(sp.eval_gegenbauer, n, 1.5, 2 * x - 1))
rule(sp.eval_sh_chebyt,   UNKNOWN, lambda g, out, n, x: g * 2 * n * sp.eval_sh_chebyu(n - 1, x))
rule(sp.eval_sh_chebyu,   UNKNOWN, lambda g, out, n, x: g * 4 * _lower(sp.eval_gegenbauer, n, 2.0, 2 * x - 1))
rule(sp.eval_hermite,     None,      lambda g, out, n, x: g * 2 * n * sp.eval_hermite(np.maximum(n - 1, 0), x))
rule(sp.eval_hermitenorm, None,      lambda g, out, n, x: g * n * sp.eval_hermitenorm(np.maximum(n - 1, 0), x))
rule(sp.eval_laguerre,    UNKNOWN, lambda g, out, n, x: -g * _lower(sp.eval_genlaguerre, n, 1.0, x))
rule(sp.eval_genlaguerre, UNKNOWN, UNKNOWN, lambda g, out, n, alpha, x: -g * _lower(sp.eval_genlaguerre, n, alpha + 1, x))
rule(sp.eval_gegenbauer,  UNKNOWN, UNKNOWN, lambda g, out, n, alpha, x: g * 2 * alpha * _lower(sp.eval_gegenbauer, n, alpha + 1, x))
rule(sp.eval_jacobi,      UNKNOWN, UNKNOWN, UNKNOWN,
                          lambda g, out, n, a, b, x: g * 0.5 * (n + a + b + 1) * _lower(sp.eval_jacobi, n, a + 1, b + 1, x))
rule(sp.eval_sh_jacobi,   UNKNOWN, UNKNOWN, UNKNOWN, lambda g, out, n, p, q, x: g * n * _lower(sp.eval_sh_jacobi, n, p + 2, q + 1, x))
rule(sp.lpmv,             UNKNOWN, UNKNOWN,
                          lambda g, out, m, v, x: g * ((v - m + 1) * sp.lpmv(m, v + 1, x) - (v + 1) * x * out) / (x * x - 1))


def _lower(polynomial: Any, n: Any, *args: Any) -> Any:
    """Return the polynomial of degree n - 1, and 0 for n = 0."""
    return np.where(np.equal(n, 0), 0, polynomial(n - 1, *args))


# Functions with several results: a row for each
def _several(function: Any, *vjps: Any) -> tuple[Any, ...]:
    """Add a row for each result of a function, and say that the function is all of them together."""

    def part(i: int) -> Callable[..., Any]:
        def result(*args: Any) -> Any:
            return function(*args)[i]

        result.__name__ = f"{function.__name__}_{i}"
        return dispatched(result)

    parts = tuple(part(i) for i, _ in enumerate(vjps))
    for result, vjp in zip(parts, vjps):
        rule(result, *(vjp if isinstance(vjp, tuple) else (vjp,)), kind="elementwise")
    composition(function)(lambda *args: tuple(result(*args) for result in parts))
    return parts


_airy: tuple[Any, ...] = _several(
    sp.airy,
    lambda g, out, z: g * _airy[1](z),
    lambda g, out, z: g * z * _airy[0](z),
    lambda g, out, z: g * _airy[3](z),
    lambda g, out, z: g * z * _airy[2](z),
)  # (9.2)
_several(sp.fresnel, lambda g, out, z: g * np.sin(z * z * (pi / 2)), lambda g, out, z: g * np.cos(z * z * (pi / 2)))
_several(sp.sici, lambda g, out, x: g * np.sinc(x / pi), lambda g, out, x: g * np.cos(x) / x)
_several(sp.shichi, lambda g, out, x: g * sp.hyp0f1(1.5, x * x / 4), lambda g, out, x: g * np.cosh(x) / x)
_several(sp.itj0y0, lambda g, out, x: g * sp.j0(x), lambda g, out, x: g * sp.y0(x))
_several(sp.iti0k0, lambda g, out, x: g * sp.i0(x), lambda g, out, x: g * sp.k0(x))
_jacobi: tuple[Any, ...] = _several(
    sp.ellipj,
    (lambda g, out, u, m: g * _jacobi[1](u, m) * _jacobi[2](u, m), UNKNOWN),
    (lambda g, out, u, m: -g * _jacobi[0](u, m) * _jacobi[2](u, m), UNKNOWN),
    (lambda g, out, u, m: -g * m * _jacobi[0](u, m) * _jacobi[1](u, m), UNKNOWN),
    (lambda g, out, u, m: g * _jacobi[2](u, m), UNKNOWN),
)  # (22.13)
