"""Log densities, a line each, and what they are good for: ``python -m examples.densities`` draws to ``out/densities.svg``.

SciPy's special functions take Tensors, so a log density is its formula. Its gradient fits the distribution to numbers (SciPy's L-BFGS, with
``tg.ravel``), and its Hessian at the best parameters tells how sure these are (Fisher 1925: the standard errors are the roots of the
diagonal of the inverse).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, xlog1py, xlogy
from tqdm import tqdm

import tinygrad_hw as tg

from .common import options, save

LOG_DENSITIES: dict[str, Callable[..., Any]] = {
    "normal": lambda x, mean, scale: -(((x - mean) / scale) ** 2) / 2 - np.log(scale) - np.log(2 * np.pi) / 2,
    "logistic": lambda x, mean, scale: -(x - mean) / scale - 2 * tg.softplus(-(x - mean) / scale) - np.log(scale),
    "student": lambda x, mean, scale, ν: (
        gammaln((ν + 1) / 2)
        - gammaln(ν / 2)
        - np.log(np.pi * ν) / 2
        - np.log(scale)
        - (ν + 1) / 2 * np.log1p(((x - mean) / scale) ** 2 / ν)
    ),
    "gamma": lambda x, shape, rate: xlogy(shape, rate) - gammaln(shape) + xlogy(shape - 1, x) - rate * x,
    "beta": lambda x, a, b: xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b),
    "poisson": lambda k, rate: xlogy(k, rate) - gammaln(k + 1) - rate,
}


def fit(name: str, x: np.ndarray, steps: int, **start: float) -> tuple[dict[str, float], dict[str, float]]:
    """Return the parameters under which the numbers x are most probable, and their standard errors."""
    first, unravel = tg.ravel(start)

    def surprise(vector: Any) -> Any:
        return -LOG_DENSITIES[name](x, **unravel(vector)).sum()

    bounds = [(None, None) if parameter == "mean" else (1e-6, None) for parameter in start]
    found = minimize(tg.value_and_grad(surprise), first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps})
    errors = np.sqrt(np.diagonal(np.linalg.inv(tg.hessian(surprise)(found.x))))
    return unravel(found.x), unravel(errors)


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, float]]:
    """Fit three distributions to numbers drawn from another, and draw; return their parameters."""
    given = options(__doc__, arguments, count=500, steps=200, out=Path("out/densities.svg"))
    x = np.random.default_rng(0).standard_t(3, given.count) * 0.7 + 1
    starts = {
        "normal": {"mean": 0.0, "scale": 1.0},
        "logistic": {"mean": 0.0, "scale": 1.0},
        "student": {"mean": 0.0, "scale": 1.0, "ν": 5.0},
    }
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.hist(x, bins=np.linspace(-4, 6, 61), density=True, color="lightgrey", label="numbers drawn: mean = 1, scale = 0.7, ν = 3")
    across, fitted = np.linspace(-4, 6, 500), {}
    for name, start in tqdm(starts.items(), disable=None):
        fitted[name], errors = fit(name, x, given.steps, **start)
        values = ", ".join(f"{key} = {value:.2f} ± {errors[key]:.2f}" for key, value in fitted[name].items())
        surprise = -LOG_DENSITIES[name](x, **fitted[name]).mean()
        axes.plot(across, np.exp(LOG_DENSITIES[name](across, **fitted[name])), label=f"{name}: {values}")
        print(f"{name:8} -log p {surprise:.3f}  {values}")
    axes.set(xlabel="x", title="Three distributions fitted to the same numbers", ylim=(0, 0.85))
    axes.legend(fontsize=8)
    save(figure, given.out)
    print(given.out)
    return fitted


if __name__ == "__main__":
    main()
