"""Which of SciPy's functions can be differentiated with Tensors, through the Array API namespace: a survey.

Run with ``python -m benchmarks.survey_scipy``. Each call is made on an array and on a Tensor that requires a gradient; the gradient is
compared with central differences of the call on arrays. ``right`` is right in value and gradient; ``refused`` said so (a DetachError names
a way out); ``silent`` gave a number without a gradient; ``wrong`` another value or gradient; ``failed`` raised something else, or gave nan.
"""

from __future__ import annotations

import os

os.environ["SCIPY_ARRAY_API"] = "1"

import collections
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_hw import DetachError, NoRuleError, Tensor, array_api

X = np.linspace(0.3, 1.4, 8) ** 2
M = np.array([[2.0, 0.3, 0.1], [0.2, 1.5, 0.4], [0.1, 0.3, 1.2]])
OUTCOMES = ("right", "refused", "silent", "failed", "wrong")
Call = Callable[[Any], Any]


def special_calls() -> dict[str, Call]:
    """Return calls of scipy.special."""
    from scipy import special as sp

    of_one = (
        "erf erfc erfcx erfi dawsn ndtr log_ndtr expit log_expit expm1 log1p exp2 exp10 cosm1 exprel cbrt "
        "i0 i0e i1 i1e j0 j1 k0 k0e k1 k1e y0 y1 gammaln gamma digamma psi rgamma "
        "loggamma exp1 expi spence entr ellipk ellipe sinc softplus zetac kolmogorov ber bei ker kei"
    )
    calls: dict[str, Call] = {name: getattr(sp, name) for name in of_one.split()}
    calls["ellipk"], calls["ellipe"] = (lambda x: sp.ellipk(x / 3)), (lambda x: sp.ellipe(x / 3))
    calls |= {
        "logit": lambda x: sp.logit(x / 3),
        "ndtri": lambda x: sp.ndtri(x / 3),
        "erfinv": lambda x: sp.erfinv(x / 3),
        "xlogy": lambda x: sp.xlogy(x, x),
        "xlog1py": lambda x: sp.xlog1py(x, x),
        "rel_entr": lambda x: sp.rel_entr(x, x[::-1]),
        "kl_div": lambda x: sp.kl_div(x, x[::-1]),
        "beta": lambda x: sp.beta(x, x[::-1]),
        "betaln": lambda x: sp.betaln(x, x[::-1]),
        "binom": lambda x: sp.binom(x + 2, x),
        "poch": lambda x: sp.poch(x, x[::-1]),
        "huber": lambda x: sp.huber(0.7, x),
        "pseudo_huber": lambda x: sp.pseudo_huber(0.7, x),
        "gammainc": lambda x: sp.gammainc(2.0, x),
        "gammaincc": lambda x: sp.gammaincc(2.0, x),
        "gammaincinv": lambda x: sp.gammaincinv(2.0, x / 3),
        "betainc": lambda x: sp.betainc(2.0, 1.5, x / 3),
        "chdtr": lambda x: sp.chdtr(3.0, x),
        "chdtrc": lambda x: sp.chdtrc(3.0, x),
        "stdtr": lambda x: sp.stdtr(4.0, x),
        "stdtrit": lambda x: sp.stdtrit(4.0, x / 3),
        "fdtr": lambda x: sp.fdtr(3.0, 5.0, x),
        "fdtrc": lambda x: sp.fdtrc(3.0, 5.0, x),
        "jv": lambda x: sp.jv(1.5, x),
        "kv": lambda x: sp.kv(1.5, x),
        "iv": lambda x: sp.iv(1.5, x),
        "yv": lambda x: sp.yv(1.5, x),
        "ive": lambda x: sp.ive(1.5, x),
        "hyp1f1": lambda x: sp.hyp1f1(1.5, 2.5, x),
        "hyp2f1": lambda x: sp.hyp2f1(1.5, 0.5, 2.5, x / 3),
        "zeta": lambda x: sp.zeta(2.5, x),
        "polygamma": lambda x: sp.polygamma(1, x),
        "multigammaln": lambda x: sp.multigammaln(x + 2, 2),
        "logsumexp": sp.logsumexp,
        "softmax": lambda x: sp.softmax(x) ** 2,
        "log_softmax": lambda x: sp.log_softmax(x) ** 2,
        "eval_legendre": lambda x: sp.eval_legendre(3, x),
        "eval_hermite": lambda x: sp.eval_hermite(3, x),
        "eval_jacobi": lambda x: sp.eval_jacobi(3, 0.5, 1.5, x),
        "boxcox": lambda x: sp.boxcox(x, 0.5),
        "owens_t": lambda x: sp.owens_t(x, 0.5),
        "lambertw": lambda x: np.real(sp.lambertw(x)),
        "gammainc of a": lambda x: sp.gammainc(x, 1.5),
        "jv of v": lambda x: sp.jv(x, 1.5),
        "spherical_jn": lambda x: sp.spherical_jn(1, x),
        "wofz": lambda x: np.real(sp.wofz(x)),
        "diric": lambda x: sp.diric(x, 5),
    }
    return calls


def stats_calls() -> dict[str, Call]:
    """Return calls of scipy.stats."""
    from scipy import stats

    y = np.cos(np.arange(8.0)) + 2
    like = lambda x: array_api.asarray(y) if isinstance(x, Tensor) else y
    one = (
        "gmean hmean skew kurtosis variation sem zscore gzscore differential_entropy moment circmean circvar circstd gstd iqr "
        "tmean tvar tstd tsem tmin tmax trim_mean mode entropy pmean median_abs_deviation kstat "
        "kstatvar normaltest skewtest kurtosistest jarque_bera shapiro boxcox_llf yeojohnson_llf boxcox yeojohnson rankdata describe"
    )
    calls: dict[str, Call] = {name: getattr(stats, name) for name in one.split() if hasattr(stats, name)}
    calls |= {
        "moment": lambda x: stats.moment(x, 3),
        "gstd": lambda x: stats.gstd(x + 1),
        "pmean": lambda x: stats.pmean(x, 3),
        "kstat": lambda x: stats.kstat(x, 2),
        "kstatvar": lambda x: stats.kstatvar(x, 2),
        "boxcox_llf": lambda x: stats.boxcox_llf(0.5, x),
        "yeojohnson_llf": lambda x: stats.yeojohnson_llf(0.5, x),
        "boxcox": lambda x: stats.boxcox(x, 0.5),
        "yeojohnson": lambda x: stats.yeojohnson(x, 0.5),
        "trim_mean": lambda x: stats.trim_mean(x, 0.2),
        "describe": lambda x: stats.describe(x).variance,
        "mode": lambda x: stats.mode(x).mode,
        "skewtest": lambda x: stats.skewtest(x).statistic,
        "kurtosistest": lambda x: stats.kurtosistest(x).statistic,
        "normaltest": lambda x: stats.normaltest(x).statistic,
        "normaltest p": lambda x: stats.normaltest(x).pvalue,
        "jarque_bera": lambda x: stats.jarque_bera(x).statistic,
        "jarque_bera p": lambda x: stats.jarque_bera(x).pvalue,
        "shapiro": lambda x: stats.shapiro(x).statistic,
        "ttest_1samp": lambda x: stats.ttest_1samp(x, 0.5).statistic,
        "ttest_1samp p": lambda x: stats.ttest_1samp(x, 0.5).pvalue,
        "ttest_ind": lambda x: stats.ttest_ind(x, like(x)).statistic,
        "ttest_ind p": lambda x: stats.ttest_ind(x, like(x)).pvalue,
        "ttest_rel": lambda x: stats.ttest_rel(x, like(x)).statistic,
        "ttest_ind_from_stats": lambda x: stats.ttest_ind_from_stats(x, 1.0, 5, 0.5, 1.0, 6).statistic,
        "pearsonr": lambda x: stats.pearsonr(x, like(x)).statistic,
        "pearsonr p": lambda x: stats.pearsonr(x, like(x)).pvalue,
        "spearmanr": lambda x: stats.spearmanr(x, like(x)).statistic,
        "linregress": lambda x: stats.linregress(like(x), x).slope,
        "f_oneway": lambda x: stats.f_oneway(x, like(x)).statistic,
        "bartlett": lambda x: stats.bartlett(x, like(x)).statistic,
        "levene": lambda x: stats.levene(x, like(x)).statistic,
        "fligner": lambda x: stats.fligner(x, like(x)).statistic,
        "kruskal": lambda x: stats.kruskal(x, like(x)).statistic,
        "mannwhitneyu": lambda x: stats.mannwhitneyu(x, like(x)).statistic,
        "alexandergovern": lambda x: stats.alexandergovern(x, like(x)).statistic,
        "chisquare": lambda x: stats.chisquare(x).statistic,
        "chisquare p": lambda x: stats.chisquare(x).pvalue,
        "power_divergence": lambda x: stats.power_divergence(x, lambda_=0.5).statistic,
        "combine_pvalues": lambda x: stats.combine_pvalues(x / 3).statistic,
        "entropy of two": lambda x: stats.entropy(x, like(x)),
        "wasserstein": lambda x: stats.wasserstein_distance(x, like(x)),
        "energy_distance": lambda x: stats.energy_distance(x, like(x)),
        "quantile": lambda x: stats.quantile(x, 0.3),
        "lmoment": lambda x: stats.lmoment(x, 2),
        "expectile": lambda x: stats.expectile(x, 0.4),
        "siegelslopes": lambda x: stats.siegelslopes(x**1.3).slope,  # (slopes of x itself tie)
        "theilslopes": lambda x: stats.theilslopes(x**1.3).slope,
        "zmap": lambda x: stats.zmap(x, x),
        "norm.pdf": stats.norm.pdf,
        "norm.logpdf": stats.norm.logpdf,
        "norm.cdf": stats.norm.cdf,
        "norm.ppf": lambda x: stats.norm.ppf(x / 3),
        "gamma.logpdf": lambda x: stats.gamma.logpdf(x, 2.0),
        "beta.cdf": lambda x: stats.beta.cdf(x / 3, 2.0, 3.0),
        "t.logpdf": lambda x: stats.t.logpdf(x, 4.0),
        "multivariate_normal": lambda x: stats.multivariate_normal.logpdf(x, np.zeros(8)),
        "gaussian_kde": lambda x: stats.gaussian_kde(x)(0.5),
        "sigmaclip": lambda x: stats.sigmaclip(x).clipped,
        "obrientransform": lambda x: stats.obrientransform(x),
        "binned_statistic": lambda x: stats.binned_statistic(x, x).statistic,
        "xp_mean": lambda x: stats.tmean(x, (0.0, 3.0)),
        "chatterjeexi": lambda x: stats.chatterjeexi(x, like(x)).statistic,
    }
    return calls


def signal_calls() -> dict[str, Call]:
    """Return calls of scipy.signal."""
    from scipy import signal

    return {
        "convolve": lambda x: signal.convolve(x, x[:3]),
        "fftconvolve": lambda x: signal.fftconvolve(x, x[:3]),
        "oaconvolve": lambda x: signal.oaconvolve(x, x[:3]),
        "correlate": lambda x: signal.correlate(x, x[:3]),
        "hilbert": lambda x: abs(signal.hilbert(x)),
        "detrend": lambda x: signal.detrend(x) ** 2,
        "detrend const": lambda x: signal.detrend(x, type="constant") ** 2,
        "resample": lambda x: signal.resample(x, 6),
        "resample_poly": lambda x: signal.resample_poly(x, 2, 3),
        "lfilter": lambda x: signal.lfilter([1.0, 0.5], [1.0, 0.2], x),
        "filtfilt": lambda x: signal.filtfilt([1.0, 0.5], [1.0, 0.2], x, padlen=3),
        "sosfilt": lambda x: signal.sosfilt(signal.butter(2, 0.3, output="sos"), x),
        "freqz": lambda x: abs(signal.freqz(x, 1.0, 5)[1]),
        "savgol": lambda x: signal.savgol_filter(x, 5, 2),
        "medfilt": lambda x: signal.medfilt(x, 3),
        "wiener": lambda x: signal.wiener(x, 3),
        "periodogram": lambda x: signal.periodogram(x)[1],
        "welch": lambda x: signal.welch(x, nperseg=4)[1],
        "csd": lambda x: abs(signal.csd(x, x, nperseg=4)[1]),
        "coherence": lambda x: signal.coherence(x, x[::-1], nperseg=4)[1],
        "stft": lambda x: abs(signal.stft(x, nperseg=4)[2]),
        "envelope": lambda x: signal.envelope(x),
        "decimate": lambda x: signal.decimate(x, 2, ftype="fir"),
        "deconvolve": lambda x: signal.deconvolve(x, x[:2])[0],
        "zpk2tf": lambda x: np.real(signal.zpk2tf(x[:2], x[2:4], 1.0)[0]),
        "tf2zpk": lambda x: signal.tf2zpk(x[:2], x[2:4])[2],
        "bilinear": lambda x: signal.bilinear(x[:2], x[2:4])[0],
        "gausspulse": lambda x: signal.gausspulse(x),
        "chirp": lambda x: signal.chirp(x, 0.1, 1.0, 0.5),
        "sawtooth": lambda x: signal.sawtooth(x),
        "sweep_poly": lambda x: signal.sweep_poly(x, np.poly1d([0.1, 0.2])),
        "unit_impulse": lambda x: signal.unit_impulse(8) * x,
        "lombscargle": lambda x: signal.lombscargle(np.arange(8.0), x, np.array([0.5, 1.0])),
        "convolve2d": lambda x: signal.convolve2d(x[:4].reshape(2, 2), x[4:].reshape(2, 2)),
        "minimum_phase": lambda x: signal.minimum_phase(x[:5], "hilbert"),
        "upfirdn": lambda x: signal.upfirdn([1.0, 0.5], x, 2),
    }


def other_calls() -> dict[str, Call]:
    """Return calls of the other subpackages."""
    import scipy.differentiate
    from scipy import cluster, constants, fft, integrate, interpolate, linalg, ndimage, optimize, spatial
    from scipy.optimize import elementwise
    from scipy.spatial.transform import Rotation

    matrix = lambda x: array_api.asarray(M) * x[0] if isinstance(x, Tensor) else M * x[0]
    grid = lambda x: x.reshape(2, 4)
    t = np.arange(8.0)
    transforms = (fft.fft, fft.ifft, fft.rfft, fft.irfft, fft.hfft, fft.ihfft, fft.dct, fft.idct, fft.dst, fft.idst)
    calls: dict[str, Call] = {f"fft.{f.__name__}": lambda x, f=f: abs(f(x)) for f in transforms}
    calls |= {
        "fft.fft2": lambda x: abs(fft.fft2(grid(x))),
        "fft.rfftn": lambda x: abs(fft.rfftn(grid(x))),
        "fft.irfft2": lambda x: fft.irfft2(grid(x)),
        "fft.fftshift": lambda x: fft.fftshift(x) * x,
        "fft.dctn": lambda x: fft.dctn(grid(x)),
        "fft.fht": lambda x: fft.fht(x, 0.1, 0.5),
        "integrate.trapezoid": integrate.trapezoid,
        "integrate.cumulative_trapezoid": integrate.cumulative_trapezoid,
        "integrate.simpson": integrate.simpson,
        "integrate.cumulative_simpson": lambda x: integrate.cumulative_simpson(x, dx=1.0),
        "integrate.romb": lambda x: integrate.romb(x[:5]),
        "integrate.fixed_quad": lambda x: integrate.fixed_quad(lambda s: s**2, 0.0, x[0])[0],
        "integrate.quad": lambda x: integrate.quad(lambda s: s**2 * x[0], 0, 1)[0],
        "integrate.quad_vec": lambda x: integrate.quad_vec(lambda s: s * x, 0.0, 1.0)[0],
        "integrate.tanhsinh": lambda x: integrate.tanhsinh(lambda s, a: a * s**2, 0 * x, x, args=(x,)).integral,
        "integrate.nsum": lambda x: integrate.nsum(lambda k, a: 1 / (k + a) ** 3, 1 + 0 * x, 50 + 0 * x, args=(x,)).sum,
        "integrate.solve_ivp": lambda x: integrate.solve_ivp(lambda s, y: -y, (0, 1), x).y[:, -1],
        "optimize.elementwise.find_root": lambda x: elementwise.find_root(lambda s, a: s**3 - a, (0 * x, 3 + 0 * x), args=(x,)).x,
        "optimize.elementwise.find_minimum": lambda x: (
            elementwise.find_minimum(lambda s, a: (s - a) ** 2 + s**4, (-3 + 0 * x, 0 * x, 3 + 0 * x), args=(x,)).x
        ),
        "optimize.rosen": optimize.rosen,
        "optimize.rosen_der": optimize.rosen_der,
        "optimize.brentq": lambda x: optimize.brentq(lambda s: s**3 - x[1], 0, 3),
        "optimize.newton": lambda x: optimize.newton(lambda s: s**3 - x, 1 + 0 * x),
        "optimize.minimize": lambda x: optimize.minimize(lambda s: ((s - x) ** 2).sum(), X).x,
        "differentiate.derivative": lambda x: scipy.differentiate.derivative(lambda s: s**3, x).df,
        "differentiate.jacobian": lambda x: scipy.differentiate.jacobian(lambda s: s**2, x).df,
        "linalg.inv": lambda x: linalg.inv(matrix(x)),
        "linalg.det": lambda x: linalg.det(matrix(x)),
        "linalg.solve": lambda x: linalg.solve(matrix(x), x[:3]),
        "linalg.norm": lambda x: linalg.norm(x),
        "linalg.expm": lambda x: linalg.expm(matrix(x)),
        "linalg.cholesky": lambda x: linalg.cholesky(matrix(x) + matrix(x).T),
        "linalg.eigvalsh": lambda x: linalg.eigvalsh(matrix(x) + matrix(x).T),
        "linalg.svdvals": lambda x: linalg.svdvals(matrix(x)),
        "linalg.pinv": lambda x: linalg.pinv(matrix(x)),
        "linalg.lu": lambda x: linalg.lu(matrix(x))[2],
        "linalg.qr": lambda x: abs(linalg.qr(matrix(x))[1]),
        "linalg.logm": lambda x: linalg.logm(matrix(x)),
        "linalg.sqrtm": lambda x: linalg.sqrtm(matrix(x)),
        "linalg.toeplitz": lambda x: linalg.toeplitz(x),
        "linalg.block_diag": lambda x: linalg.block_diag(x),
        "linalg.hankel": lambda x: linalg.hankel(x),
        "linalg.khatri_rao": lambda x: linalg.khatri_rao(grid(x), grid(x)),
        "linalg.bandwidth": lambda x: linalg.circulant(x),
        "linalg.solve_triangular": lambda x: linalg.solve_triangular(matrix(x), x[:3]),
        "linalg.lstsq": lambda x: linalg.lstsq(matrix(x), x[:3])[0],
        "ndimage.gaussian": lambda x: ndimage.gaussian_filter(x, 1.0),
        "ndimage.convolve": lambda x: ndimage.convolve(x, np.ones(3)),
        "ndimage.zoom": lambda x: ndimage.zoom(x, 2.0),
        "ndimage.shift": lambda x: ndimage.shift(x, 0.5),
        "ndimage.median": lambda x: ndimage.median_filter(x, 3),
        "ndimage.sobel": lambda x: ndimage.sobel(x),
        "ndimage.mean": lambda x: ndimage.mean(x),
        "ndimage.map_coordinates": lambda x: ndimage.map_coordinates(x, [[0.5, 1.5]]),
        "ndimage.uniform": lambda x: ndimage.uniform_filter(x, 3),
        "interpolate.interp1d": lambda x: interpolate.interp1d(t, x)(1.5),
        "interpolate.CubicSpline": lambda x: interpolate.CubicSpline(t, x)(1.5),
        "interpolate.Pchip": lambda x: interpolate.PchipInterpolator(t, x)(1.5),
        "interpolate.Akima": lambda x: interpolate.Akima1DInterpolator(t, x)(1.5),
        "interpolate.barycentric": lambda x: interpolate.BarycentricInterpolator(t, x)(1.5),
        "interpolate.AAA": lambda x: interpolate.AAA(t, x)(1.5),
        "interpolate.make_splrep": lambda x: interpolate.make_splrep(t, x)(1.5),
        "interpolate.RBF": lambda x: interpolate.RBFInterpolator(t[:, None], x)([[1.5]]),
        "spatial.cdist": lambda x: spatial.distance.cdist(grid(x), grid(x)),
        "spatial.euclidean": lambda x: spatial.distance.euclidean(x, x[::-1]),
        "spatial.cosine": lambda x: spatial.distance.cosine(x, x[::-1]),
        "spatial.correlation": lambda x: spatial.distance.correlation(x, x[::-1]),
        "spatial.cityblock": lambda x: spatial.distance.cityblock(x, x[::-1] + 5),
        "spatial.jensenshannon": lambda x: spatial.distance.jensenshannon(x, x[::-1]),
        "spatial.minkowski": lambda x: spatial.distance.minkowski(x, x[::-1], 3),
        "spatial.braycurtis": lambda x: spatial.distance.braycurtis(x, x[::-1]),
        "spatial.Rotation.from_rotvec": lambda x: Rotation.from_rotvec(x[:3]).as_matrix(),
        "spatial.Rotation.from_quat": lambda x: Rotation.from_quat(x[:4]).as_matrix(),
        "spatial.Rotation.from_euler": lambda x: Rotation.from_euler("xyz", x[:3]).as_matrix(),
        "spatial.Rotation.apply": lambda x: Rotation.from_rotvec(x[:3]).apply(x[3:6]),
        "spatial.geometric_slerp": lambda x: spatial.geometric_slerp(
            x[:3] / (x[:3] ** 2).sum() ** 0.5, x[3:6] / (x[3:6] ** 2).sum() ** 0.5, 0.3
        ),
        "cluster.whiten": lambda x: cluster.vq.whiten(x.reshape(4, 2)),
        "cluster.vq": lambda x: cluster.vq.vq(x.reshape(4, 2), x.reshape(4, 2)[:2])[1],
        "constants.convert_temperature": lambda x: constants.convert_temperature(x, "Celsius", "Kelvin"),
        "constants.lambda2nu": constants.lambda2nu,
    }
    return calls


SUBPACKAGES = {"special": special_calls, "stats": stats_calls, "signal": signal_calls, "the others": other_calls}


def one_number(out: Any) -> Any:
    """Return a result as one number, each of its entries with a weight of its own."""
    parts = out if isinstance(out, (tuple, list)) else [out]
    total = sum(part for part in parts if type(part) in (int, float))
    for k, part in enumerate(parts):
        if hasattr(part, "dtype") and part.dtype.kind in "fc":
            weights = np.cos(np.arange(part.size, dtype=float) + k).reshape(part.shape)
            total = total + (np.real(part) * weights).sum()
    return total


def outcome(call: Call, at: np.ndarray = X) -> tuple[str, str]:
    """Return what became of a call at a place, and why."""

    def value(x: Any) -> float:
        return float(one_number(call(x)))

    try:
        units = np.eye(at.size).reshape(at.size, *at.shape)
        wanted = np.array([(value(at + 1e-6 * e) - value(at - 1e-6 * e)) / 2e-6 for e in units]).reshape(at.shape)
        expected = value(at)
    except Exception as error:
        return "skipped", f"on arrays: {type(error).__name__}: {error}"
    x = Tensor(at, requires_grad=True)
    try:
        out = one_number(call(x))
        if not isinstance(out, Tensor) or not out.requires_grad:
            return ("right", "") if np.max(np.abs(wanted)) < 1e-6 else ("silent", f"no gradient, where it is {wanted[:3]}")
        out.backward()
    except (DetachError, NoRuleError) as error:
        return "refused", str(error).partition(":")[0][:80]
    except Exception as error:
        return "failed", f"{type(error).__name__}: {str(error)[:90]}"
    found = np.zeros_like(at) if x.grad is None else x.grad
    scale = np.max(np.abs(wanted)) + 1e-9
    if np.isnan(found).any():
        return "failed", "the gradient is nan"
    if not np.isclose(out.item(), expected, rtol=1e-9, atol=1e-12):
        return "wrong", f"value {out.item()} for {expected}"
    if not np.max(np.abs(found - wanted)) <= 2e-4 * scale + 1e-7:
        return "wrong", f"gradient {found[:3]} for {wanted[:3]}"
    return "right", ""


def survey() -> dict[str, dict[str, tuple[str, str]]]:
    """Return the outcome of each call, by subpackage."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return {name: {call: outcome(f) for call, f in calls().items()} for name, calls in SUBPACKAGES.items()}


def show(found: dict[str, dict[str, tuple[str, str]]]) -> None:
    """Print a survey."""
    totals: collections.Counter[str] = collections.Counter()
    for name, outcomes in found.items():
        counts = collections.Counter(what for what, _ in outcomes.values())
        totals += counts
        print(f"{name:12}", "  ".join(f"{what} {counts[what]}" for what in (*OUTCOMES, "skipped")))
        for call, (what, why) in outcomes.items():
            if what != "right":
                print(f"    {what:8} {call:32} {why}")
    made = sum(totals[what] for what in OUTCOMES)
    print(f"{made} calls:", "  ".join(f"{what} {totals[what]} ({totals[what] / made:.0%})" for what in OUTCOMES))


if __name__ == "__main__":
    show(survey())
