"""Which of scikit-learn's functions can be differentiated with Tensors, through the Array API namespace: a survey.

Run with ``python -m benchmarks.survey_sklearn``; what the words mean stands in ``survey_scipy``. What is learnt from data is learnt from
a Tensor without a gradient where the call is about new data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_hw import Tensor, array_api

from .survey_scipy import outcome, show

RNG = np.random.default_rng(0)
X, Y, NEW = RNG.normal(size=(12, 3)) + np.arange(3), RNG.normal(size=(5, 3)), RNG.normal(size=(4, 3)) + np.arange(3)
CLASSES, TARGET = (X[:, 0] > 0).astype(int), X @ [1.0, 2.0, -1.0] + 0.1 * RNG.normal(size=12)
Call = Callable[[Any], Any]


def like(array: np.ndarray, x: Any) -> Any:
    """Return data of the kind of x."""
    return array_api.asarray(array) if isinstance(x, Tensor) else array


def beside(f: Callable[..., Any], change: Call, other: np.ndarray) -> Call:
    """Return a function of two arguments as one of the first, which is changed."""
    return lambda x: f(change(x), like(other, x))


def after(f: Callable[..., Any], other: np.ndarray, change: Call) -> Call:
    """Return a function of two arguments as one of the second, which is changed."""
    return lambda x: f(like(other, x), change(x))


def kernel_calls() -> dict[str, tuple[Call, np.ndarray]]:
    """Return distances and kernels."""
    from sklearn.metrics import pairwise

    names = (
        "rbf_kernel linear_kernel polynomial_kernel sigmoid_kernel cosine_similarity laplacian_kernel euclidean_distances cosine_distances "
        "manhattan_distances nan_euclidean_distances"
    )
    calls = {name: beside(getattr(pairwise, name), lambda x: x, Y) for name in names.split()}
    for name in ("paired_euclidean_distances", "paired_cosine_distances", "paired_manhattan_distances"):
        calls[name] = beside(getattr(pairwise, name), lambda x: x, X[::-1].copy())
    for name in ("chi2_kernel", "additive_chi2_kernel"):
        calls[name] = beside(getattr(pairwise, name), lambda x: x**2, Y**2)
    calls["haversine_distances"] = lambda x: pairwise.haversine_distances(x[:, :2], like(Y[:, :2], x))
    calls["rbf_kernel of itself"] = pairwise.rbf_kernel
    calls["pairwise_kernels"] = lambda x: pairwise.pairwise_kernels(x, like(Y, x), metric="rbf")
    calls["pairwise_distances"] = lambda x: pairwise.pairwise_distances(x, like(Y, x))
    return {name: (call, X) for name, call in calls.items()}


def preprocessing_calls() -> dict[str, tuple[Call, np.ndarray]]:
    """Return what prepares data."""
    from sklearn import preprocessing as pp
    from sklearn.base import clone

    makers = [
        pp.StandardScaler(),
        pp.MinMaxScaler(),
        pp.MaxAbsScaler(),
        pp.Normalizer(),
        pp.Normalizer("l1"),
        pp.PolynomialFeatures(2),
        pp.Binarizer(),
        pp.QuantileTransformer(n_quantiles=5),
        pp.RobustScaler(),
        pp.PowerTransformer(),
        pp.SplineTransformer(3),
    ]
    calls: dict[str, tuple[Call, np.ndarray]] = {}
    for maker in makers:
        calls[f"{maker} fit_transform"] = (lambda x, maker=maker: clone(maker).fit_transform(x)), X
        calls[f"{maker} transform"] = (lambda x, maker=maker: clone(maker).fit(like(X, x)).transform(x)), NEW
    return calls | {"scale": (pp.scale, X), "normalize": (pp.normalize, X), "minmax_scale": (pp.minmax_scale, X)}


def model_calls() -> dict[str, tuple[Call, np.ndarray]]:
    """Return models, fitted and used."""
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis as LDA
    from sklearn.kernel_approximation import Nystroem
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, RidgeCV
    from sklearn.mixture import GaussianMixture
    from sklearn.naive_bayes import GaussianNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    known = lambda model, x, y=None: model.fit(like(X, x)) if y is None else model.fit(like(X, x), like(y, x))
    fitted: dict[str, Call] = {
        "PCA full": lambda x: abs(PCA(2, svd_solver="full").fit_transform(x)),
        "PCA covariance": lambda x: abs(PCA(2, svd_solver="covariance_eigh").fit_transform(x)),
        "Ridge": lambda x: Ridge(solver="svd").fit(x, like(TARGET, x)).coef_,
        "RidgeCV": lambda x: RidgeCV().fit(x, like(TARGET, x)).coef_,
        "LDA": lambda x: LDA().fit(x, like(CLASSES, x)).coef_,
        "GaussianNB": lambda x: GaussianNB().fit(x, like(CLASSES, x)).theta_,
    }
    used: dict[str, Call] = {
        "PCA transform": lambda x: known(PCA(2, svd_solver="full"), x).transform(x),
        "PCA transform, covariance": lambda x: known(PCA(2, svd_solver="covariance_eigh"), x).transform(x),
        "PCA score": lambda x: known(PCA(2, svd_solver="full"), x).score(x),
        "Ridge predict": lambda x: known(Ridge(solver="svd"), x, TARGET).predict(x),
        "LinearRegression predict": lambda x: known(LinearRegression(), x, TARGET).predict(x),
        "LogisticRegression predict_proba": lambda x: known(LogisticRegression(), x, CLASSES).predict_proba(x),
        "LogisticRegression decision": lambda x: known(LogisticRegression(), x, CLASSES).decision_function(x),
        "LDA predict_proba": lambda x: known(LDA(), x, CLASSES).predict_proba(x),
        "LDA transform": lambda x: known(LDA(), x, CLASSES).transform(x),
        "GaussianNB predict_proba": lambda x: known(GaussianNB(), x, CLASSES).predict_proba(x),
        "GaussianNB predict_log_proba": lambda x: known(GaussianNB(), x, CLASSES).predict_log_proba(x),
        "Nystroem": lambda x: abs(known(Nystroem(n_components=4, random_state=0), x).transform(x)),
        "GaussianMixture": lambda x: known(GaussianMixture(2, random_state=0, init_params="random"), x).score_samples(x),
        "pipeline": lambda x: known(make_pipeline(StandardScaler(), Ridge(solver="svd")), x, TARGET).predict(x),
    }
    return {name: (call, X) for name, call in fitted.items()} | {name: (call, NEW) for name, call in used.items()}


def metric_calls() -> dict[str, tuple[Call, np.ndarray]]:
    """Return metrics, which scikit-learn gives as Python numbers."""
    from sklearn import metrics

    names = (
        "mean_squared_error mean_absolute_error r2_score explained_variance_score max_error mean_squared_log_error root_mean_squared_error "
        "mean_absolute_percentage_error mean_tweedie_deviance mean_poisson_deviance mean_gamma_deviance mean_pinball_loss d2_tweedie_score "
        "median_absolute_error d2_absolute_error_score"
    )
    calls = {name: after(getattr(metrics, name), abs(TARGET) + 1, lambda x: abs(x[:, 0]) + 1) for name in names.split()}
    for name in ("log_loss", "brier_score_loss"):
        calls[name] = after(getattr(metrics, name), CLASSES, lambda x: 1 / (1 + np.exp(-x[:, 0])))
    return {name: (call, X) for name, call in calls.items()}


def survey() -> dict[str, dict[str, tuple[str, str]]]:
    """Return the outcome of each call, by kind."""
    import sklearn

    kinds = {"kernels": kernel_calls, "preparing": preprocessing_calls, "models": model_calls, "metrics": metric_calls}
    with warnings.catch_warnings(), np.errstate(all="ignore"), sklearn.config_context(array_api_dispatch=True):
        warnings.simplefilter("ignore")
        return {kind: {name: outcome(call, at) for name, (call, at) in calls().items()} for kind, calls in kinds.items()}


if __name__ == "__main__":
    show(survey())
