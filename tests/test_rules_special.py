"""The calculus of SciPy's special functions: the laws to order 2, values that are SciPy's, and what is not known."""

import subprocess
import sys

import mpmath as mp
import numpy as np
import pytest
from laws import Case, every_case_obeys, rows
from numpy.testing import assert_allclose

import tinygrad_hw as tg
from tinygrad_hw import NoRuleError, Tensor, grad
from tinygrad_hw.testing import check_gradients

sp = pytest.importorskip("scipy.special")
ufuncs = sys.modules["scipy.special._ufuncs"]
sp.expit(Tensor(0.0, requires_grad=True))  # (which loads the rows)

REAL = np.array([-1.7, -0.6, 0.4, 1.3])
POSITIVE = np.array([0.3, 0.9, 1.6, 3.2])
UNIT = np.array([0.12, 0.45, 0.7, 0.93])
OF_ONE = [
    Case(getattr(sp, name), domain)
    for domain, names in (
        (REAL, "erf erfc erfcx erfi dawsn ndtr log_ndtr expit log_expit expm1 exp2 exp10 cosm1 exprel cbrt wrightomega sindg cosdg tandg"),
        (REAL, "i0 i1 i0e i1e j0 j1 ber bei berp beip itstruve0 itmodstruve0"),
        (POSITIVE, "k0 k1 k0e k1e y0 y1 ker kei kerp keip gamma gammaln loggamma psi rgamma exp1 expi spence entr log1p cotdg"),
        (UNIT, "logit ndtri ellipk ellipe ellipkm1"),
        (2 * UNIT - 1.02, "erfinv"),
        (2 * UNIT - 0.1, "erfcinv"),
        (-POSITIVE, "ndtri_exp"),
    )
    for name in names.split()
]
AT_EDGES = [
    Case(sp.exprel, np.array([0.0, 1e-9, -1e-5, 30.0])),
    Case(sp.i1, np.zeros(2)),
    Case(sp.j1, np.zeros(2)),
    Case(sp.cosm1, np.zeros(1)),
    Case(sp.spence, np.array([1.0, 1.0 + 1e-9])),
    Case(sp.ellipk, np.array([0.0, -3.0])),
    Case(sp.ellipe, np.array([0.0, -3.0])),
    Case(sp.psi, np.array([-0.4, -2.3])),
    Case(sp.gamma, np.array([-0.4, -2.3])),
    Case(sp.gammaln, np.array([-0.4, -2.3])),
    Case(sp.rgamma, np.array([-0.4, -3.0, -2.0, 0.0, 0.5])),
    Case(sp.log_ndtr, np.array([-30.0, -8.0, 9.0])),
    Case(sp.expit, np.array([-40.0, 40.0])),
    Case(sp.log_expit, np.array([-40.0, 40.0])),
    Case(sp.dawsn, np.array([0.0, 15.0])),
    Case(sp.erfcx, np.array([0.0, 20.0])),
    Case(sp.erf, np.zeros((2, 0))),
    Case(sp.erf, np.array(0.3)),
]


def of(function, *args):
    """Return a case of what stands in lists among the arguments; the others are constants."""
    constants = ", ".join("." if isinstance(arg, list) else str(arg) for arg in args)
    inputs = [np.array(arg, float) for arg in args if isinstance(arg, list)]

    def call(*xs):
        given = iter(xs)
        return function(*(next(given) if isinstance(arg, list) else arg for arg in args))

    case = Case(function, *inputs, call=call)
    case.label += f"({constants})"
    return case


OF_SEVERAL = [
    of(sp.xlogy, [0.5, 2.0], [0.7, 1.5]),
    of(sp.xlogy, 0.0, [0.5, 2.0]),
    of(sp.xlog1py, [0.5, 2.0], [-0.3, 1.5]),
    of(sp.powm1, [0.5, 2.0], [0.7, -1.5]),
    of(sp.boxcox, [0.5, 2.0], [0.7, 0.0]),
    of(sp.boxcox1p, [0.5, 2.0], [0.7, 0.0]),
    of(sp.inv_boxcox, [0.5, 0.2], [0.7, 0.4]),
    of(sp.inv_boxcox1p, [0.5, 0.2], [0.7, 0.4]),
    of(sp.radian, [1.0], [2.0], [3.0]),
    of(sp.rel_entr, [0.5, 2.0], [0.7, 1.5]),
    of(sp.kl_div, [0.5, 2.0], [0.7, 1.5]),
    of(sp.owens_t, [0.5, -2.0], [0.7, 1.5]),
    of(sp.huber, [0.6, 1.5, 1.0], [0.7, -0.5, -3.0]),
    of(sp.pseudo_huber, [0.6, 1.5], [0.7, -0.5]),
    of(sp.voigt_profile, [0.6, -1.5], [0.7, 0.5], [0.3, 0.8]),
    of(sp.poch, [0.5, 2.0], [0.7, 1.5]),
    of(sp.beta, [0.5, 2.0], [0.7, 1.5]),
    of(sp.betaln, [0.5, 2.0], [0.7, 1.5]),
    of(sp.binom, [4.5, 3.0], [1.7, 1.5]),
    of(ufuncs._zeta, 2.5, [0.7, 1.5]),
    of(ufuncs._zeta, 3.0, [-0.7, 1.5]),
    of(sp.gammainc, 1.3, [0.5, 2.0]),
    of(sp.gammaincc, 1.3, [0.5, 2.0]),
    of(sp.gammaincinv, 1.3, [0.3, 0.8]),
    of(sp.gammainccinv, 1.3, [0.3, 0.8]),
    of(sp.betainc, 1.3, 2.1, [0.3, 0.8]),
    of(sp.betaincc, 1.3, 2.1, [0.3, 0.8]),
    of(sp.betaincinv, 1.3, 2.1, [0.3, 0.8]),
    of(sp.betainccinv, 1.3, 2.1, [0.3, 0.8]),
    of(sp.chdtr, 3.0, [0.5, 2.0]),
    of(sp.chdtrc, 3.0, [0.5, 2.0]),
    of(sp.chdtri, 3.0, [0.3, 0.8]),
    of(sp.chndtr, [1.5, 2.0], 5.0, [0.7, 1.2]),
    of(sp.fdtr, 3.0, 5.0, [0.5, 2.0]),
    of(sp.fdtrc, 3.0, 5.0, [0.5, 2.0]),
    of(sp.fdtri, 3.0, 5.0, [0.3, 0.8]),
    of(sp.stdtr, 4.0, [0.5, -2.0]),
    of(sp.stdtrit, 4.0, [0.3, 0.8]),
    of(sp.gdtr, [0.7, 1.5], 2.2, [0.5, 2.0]),
    of(sp.gdtrc, [0.7, 1.5], 2.2, [0.5, 2.0]),
    of(sp.gdtrix, [0.7, 1.5], 2.2, [0.3, 0.8]),
    of(sp.pdtr, 2.0, [0.5, 2.0]),
    of(sp.pdtrc, 2.0, [0.5, 2.0]),
    of(sp.pdtri, 2.0, [0.3, 0.8]),
    of(sp.bdtr, 2.0, 5, [0.3, 0.8]),
    of(sp.bdtrc, 2.0, 5, [0.3, 0.8]),
    of(sp.bdtri, 2.0, 5, [0.3, 0.8]),
    of(sp.nbdtr, 2, 5, [0.3, 0.8]),
    of(sp.nbdtrc, 2, 5, [0.3, 0.8]),
    of(sp.nbdtri, 2, 5, [0.3, 0.8]),
    of(sp.tklmbda, [0.3, -0.6], 0.4),
    *(
        of(f, v, [0.6, 2.3])
        for f in (sp.jv, sp.yv, sp.iv, sp.kv, sp.ive, sp.kve, sp.jve, sp.yve, sp.struve, sp.modstruve)
        for v in (0.0, 1.3)
    ),
    *(of(f, n, [0.6, 2.3]) for f in (sp.yn, sp.kn, sp.expn) for n in (0, 1, 3)),
    *(of(getattr(ufuncs, f"_spherical_{k}n"), n, [0.6, 2.3]) for k in "jyik" for n in (0, 2)),
    of(sp.wright_bessel, 0.5, 1.2, [0.6, 2.3]),
    of(sp.ellipkinc, [0.6, 1.3], 0.4),
    of(sp.ellipeinc, [0.6, 1.3], 0.4),
    of(sp.hyp0f1, 1.3, [0.6, -2.3]),
    of(sp.hyp1f1, 1.3, 0.7, [0.6, -2.3]),
    of(sp.hyp2f1, 1.3, 0.7, 2.2, [0.6, -2.3]),
    of(sp.hyperu, 1.3, 0.7, [0.6, 2.3]),
    *(
        of(f, n, [0.3, -0.8])
        for f in (
            sp.eval_legendre,
            sp.eval_chebyt,
            sp.eval_chebyu,
            sp.eval_chebyc,
            sp.eval_chebys,
            sp.eval_sh_legendre,
            sp.eval_sh_chebyt,
            sp.eval_sh_chebyu,
            sp.eval_hermite,
            sp.eval_hermitenorm,
            sp.eval_laguerre,
        )
        for n in (0, 1, 5)
    ),
    *(of(sp.eval_genlaguerre, n, 0.7, [0.3, -0.8]) for n in (0, 1, 5)),
    *(of(sp.eval_gegenbauer, n, 0.7, [0.3, -0.8]) for n in (0, 1, 5)),
    *(of(sp.eval_jacobi, n, 0.7, 1.2, [0.3, -0.8]) for n in (0, 1, 5)),
    *(of(sp.eval_sh_jacobi, n, 2.7, 1.2, [0.3, 0.8]) for n in (0, 1, 4)),
    of(sp.eval_legendre, 3, [1.0, -1.0]),
    of(sp.eval_legendre, 2.5, [0.3, 0.8]),
    of(sp.lpmv, 1, 3.0, [0.3, -0.8]),
    of(lambda x: sp.airy(x)[0] + sp.airy(x)[3], [0.3, -2.8]),
    of(lambda x: sp.airy(x)[1] * sp.airy(x)[2], [0.3, -2.8]),
    of(lambda x: sp.fresnel(x)[0] * sp.fresnel(x)[1], [0.3, -1.8]),
    of(lambda x: sp.sici(x)[0] * sp.sici(x)[1], [0.3, 1.8]),
    of(lambda x: sp.sici(x)[0] + sp.shichi(x)[0], [0.0]),
    of(lambda x: sp.shichi(x)[0] * sp.shichi(x)[1], [0.3, 1.8]),
    of(lambda x: sp.itj0y0(x)[0] * sp.itj0y0(x)[1], [0.3, 1.8]),
    of(lambda x: sp.iti0k0(x)[0] * sp.iti0k0(x)[1], [0.3, 1.8]),
    of(lambda u: sp.ellipj(u, 0.4)[0] * sp.ellipj(u, 0.4)[1] + sp.ellipj(u, 0.4)[2] * sp.ellipj(u, 0.4)[3], [0.3, 1.8]),
]


test_every_row_obeys = pytest.mark.filterwarnings("ignore:non-integer arg n")(  # (SciPy's, of bdtr in float32)
    every_case_obeys([*OF_ONE, *AT_EDGES, *OF_SEVERAL])
)


def test_every_row_has_a_case():
    of_several = {sp.airy, sp.fresnel, sp.sici, sp.shichi, sp.itj0y0, sp.iti0k0, sp.ellipj}
    others = {sp.wofz, sp.round, sp.gammasgn, sp.hankel1, sp.hankel2, sp.hankel1e, sp.hankel2e, sp.zetac}
    others |= {getattr(ufuncs, f"_spherical_{k}n_d") for k in "jyik"}  # (which the second order of the others checks)
    others |= {ufuncs._lambertw, ufuncs._riemann_zeta, getattr(sp, "log_wright_bessel", None)}
    mine = {f for f in rows("special") if isinstance(f, np.ufunc)}
    assert len(mine) >= 60
    assert mine - of_several - others - {case.function for case in (*OF_ONE, *AT_EDGES, *OF_SEVERAL)} == set()


@pytest.mark.parametrize("f", [sp.wofz, lambda z: sp.hankel1(0.5, z), lambda z: sp.hankel2(0.5, z), lambda z: sp.hankel1e(0.5, z),
                               lambda z: sp.hankel2e(0.5, z), sp.lambertw, sp.loggamma, sp.erf, lambda z: sp.jv(0.5, z)])  # fmt: skip
def test_complex_functions_have_their_complex_derivative(f):
    z, h = np.array([0.7 + 0.3j, 1.2 - 0.4j]), 1e-6
    out, pullback = tg.vjp(f, z)
    assert_allclose(out, f(z), rtol=1e-14)
    assert_allclose(pullback(np.ones(2, complex)), (f(z + h) - f(z - h)) / (2 * h), rtol=1e-8)


def test_a_real_argument_of_a_complex_function_gets_a_real_gradient():
    x, h = np.array([0.7, 1.2]), 1e-6
    f = lambda x: np.sum(np.real(sp.hankel1(0.5, x) * (1 + 2j)))
    found = grad(f)(x)
    assert found.dtype == float
    assert_allclose(found, [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(2)], rtol=1e-8)
    assert_allclose(
        grad(lambda x: np.sum(np.real(sp.lambertw(x))))(x), np.exp(-sp.lambertw(x).real) / (1 + sp.lambertw(x).real), rtol=1e-12
    )


FAR = {
    "erfcx": (lambda t: mp.exp(t * t) * mp.erfc(t), [-2.0, 3.0, 15.0, 20.1, 1e3, 1e6]),
    "dawsn": (lambda t: mp.sqrt(mp.pi) / 2 * mp.exp(-t * t) * mp.erfi(t), [-25.0, -3.0, 15.0, 20.1]),
    "log_ndtr": (lambda t: mp.log(mp.ncdf(t)), [-1e4, -200.0, -30.0, 0.3, 8.0]),
}


@pytest.mark.parametrize("name", FAR)
def test_far_out_where_terms_cancel_derivatives_keep_their_digits(name):
    oracle, places = FAR[name]
    with mp.workdps(60):
        for x in places:
            slope, curvature = (float(mp.diff(oracle, mp.mpf(x), order)) for order in (1, 2))
            assert_allclose(grad(getattr(sp, name))(x), slope, rtol=1e-12)
            assert_allclose(grad(grad(getattr(sp, name)))(x), curvature, rtol=1e-9)


def test_at_infinity_and_at_the_edges_derivatives_are_their_limits():
    for f, x, slope in (
        (sp.erfcx, np.inf, 0), (sp.dawsn, np.inf, 0), (sp.log_ndtr, -np.inf, np.inf), (sp.log_ndtr, np.inf, 0), (sp.expit, np.inf, 0),
        (sp.erf, -np.inf, 0), (sp.ndtr, np.inf, 0), (lambda x: sp.gammainc(1.0, x), 0.0, 1), (lambda x: sp.gammainc(2.0, x), 0.0, 0),
        (lambda x: sp.betainc(1.0, 2.0, x), 0.0, 2), (lambda x: sp.betainc(1.0, 2.0, x), 1.0, 0), (lambda y: sp.xlogy(0.0, y), 0.0, 0),
        (lambda y: sp.rel_entr(0.0, y), 0.5, 0), (lambda y: sp.kl_div(0.0, y), 0.5, 1), (lambda t: sp.stdtr(3.0, t), np.inf, 0),
    ):  # fmt: skip
        with np.errstate(all="ignore"):
            assert_allclose(grad(f)(x), slope)


def test_steps_have_the_derivative_zero():
    for f in (sp.round, sp.gammasgn):
        assert_allclose(grad(lambda x, f=f: np.sum(f(x)))(REAL), 0)
        assert_allclose(f(Tensor(REAL, requires_grad=True)).data, f(REAL))


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda v: sp.jv(v, 1.0), "jv: no formula is known for its derivative with respect to v"),
        (lambda a: sp.gammainc(a, 1.0), "gammainc: no formula is known for its derivative with respect to a"),
        (lambda n: sp.eval_legendre(n, 0.3), "eval_legendre: no formula is known for its derivative with respect to n"),
        (lambda s: sp.zeta(s), "riemann_zeta: no formula is known for its derivative with respect to x"),
        (lambda m: sp.ellipj(0.3, m)[0], "ellipj_0: no formula is known for its derivative with respect to m"),
    ],
)
def test_a_derivative_that_is_not_known_is_an_error_that_names_the_argument_never_a_zero(call, words):
    with pytest.raises(NoRuleError, match=words):
        grad(call)(0.7)


def test_an_order_that_is_a_constant_needs_no_derivative():
    assert_allclose(grad(lambda z: sp.jv(Tensor(0.5), z))(0.7), grad(lambda z: sp.jv(0.5, z))(0.7))


def test_a_function_without_a_row_says_so():
    with pytest.raises(NoRuleError, match="mathieu_a"):
        sp.mathieu_a(1.0, Tensor(0.5, requires_grad=True))


@pytest.mark.filterwarnings("ignore")
def test_a_tensor_without_a_gradient_takes_every_ufunc():
    every = [f for f in map(sp.__dict__.get, sp.__all__) if isinstance(f, np.ufunc)]
    assert len(every) > 200
    for f in every:
        first = (
            np.array([2, 1]) if any(kinds.startswith(("p", "l")) for kinds in f.types) else np.array([2.0, 1.0])
        )  # (an order may be whole)
        args = [first] * (f.nin - 1) + [np.array([0.3, 0.6])]
        wanted, found = f(*args), f(*map(Tensor, args))
        for x, y in zip(wanted, found, strict=True) if f.nout > 1 else [(wanted, found)]:
            assert isinstance(y, Tensor), f
            np.testing.assert_array_equal(y.numpy(), x, err_msg=f.__name__)


def test_the_rows_are_loaded_when_the_first_function_is_met():
    code = (
        "import sys, tinygrad_hw as tg; assert 'scipy' not in sys.modules; import scipy.special as sp;"
        "assert 'tinygrad_hw.rules.special' not in sys.modules; print(tg.grad(sp.erf)(0.0))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.startswith("1.128379")


def test_special_functions_work_in_every_transform():
    x = REAL
    assert_allclose(tg.vmap(grad(sp.erf))(x), 2 / np.sqrt(np.pi) * np.exp(-(x**2)), rtol=1e-14)
    assert_allclose(
        tg.hessian(lambda x: np.sum(sp.expit(x)))(x), np.diag(sp.expit(x) * (1 - sp.expit(x)) * (1 - 2 * sp.expit(x))), atol=1e-15
    )
    step = tg.compile(lambda x: tg.grad(lambda x: np.sum(sp.erf(x) * sp.jv(1.0, x)))(x))
    for scale in (1.0, 0.5):
        assert_allclose(step(scale * x), grad(lambda x: np.sum(sp.erf(x) * sp.jv(1.0, x)))(scale * x), rtol=1e-12)
    assert "from scipy.special import erf" in step.source
    check_gradients(lambda x: np.sum(sp.log_ndtr(x)), x)
    assert tg.explain(np.sum(sp.erf(Tensor(x, requires_grad=True)))).check()
