"""A Gaussian process tells what it does not know: ``python -m examples.gaussian_process`` draws to ``out/gaussian_process.svg``.

Points are seen with noise. The process takes two values as the more alike the nearer they lie; how near is near, how large values are and
how large the noise, it learns itself: SciPy's L-BFGS raises the probability of what was seen (Rasmussen & Williams 2006, "Gaussian
processes for machine learning", algorithm 2.1), with the gradient from here. ``tg.ravel`` makes of the parameters the vector that SciPy
wants.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import OptimizeResult, minimize
from tqdm import tqdm

import tinygrad_hw as tg

from .common import options, save

Parameters = dict[str, Any]  # the logarithms of "length", "size" and "noise"
START: Parameters = {"length": -1.0, "size": 0.0, "noise": -1.0}


def points(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return places (count,), with a gap between them, and values that are seen there with noise."""
    rng = np.random.default_rng(seed)
    x = np.sort(np.where(rng.random(count) < 0.6, rng.uniform(0, 4, count), rng.uniform(6.5, 9, count)))
    return x, np.sin(2 * x) + 0.3 * x + rng.normal(0, 0.2, count)


def kernel(a: Any, b: Any, p: Parameters) -> Any:
    """Return the covariances (N, M) of values at places a (N,) and b (M,)."""
    return np.exp(2 * p["size"] - (a[:, None] - b) ** 2 / (2 * np.exp(2 * p["length"])))


def root(x: Any, p: Parameters) -> Any:
    """Return the lower triangular L with L Lᵀ the covariance of what is seen at places x (N,)."""
    return np.linalg.cholesky(kernel(x, x, p) + np.exp(2 * p["noise"]) * np.eye(len(x)))


def surprise(p: Parameters, x: Any, y: Any) -> Any:
    """Return -log p(y): (|L⁻¹ y|² + log |L Lᵀ| + N log 2π) / 2."""
    L = root(x, p)
    return (np.linalg.solve(L, y) ** 2).sum() / 2 + np.log(np.diagonal(L)).sum() + len(x) / 2 * np.log(2 * np.pi)


def fit(x: np.ndarray, y: np.ndarray, steps: int) -> tuple[Parameters, OptimizeResult]:
    """Return the parameters that make what was seen least surprising, and what SciPy tells of the search."""
    start, unravel = tg.ravel(START)
    value_and_grad = tg.compile(tg.value_and_grad(lambda vector: surprise(unravel(vector), x, y)))
    with tqdm(total=steps, unit=" steps", disable=None) as bar:
        found = minimize(value_and_grad, start, jac=True, method="L-BFGS-B", options={"maxiter": steps}, callback=lambda _: bar.update())
    return unravel(found.x), found


def foretell(p: Parameters, x: np.ndarray, y: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the deviation of the values at new places, (M,) each."""
    L = root(x, p)
    across = np.linalg.solve(L, kernel(x, new, p))
    return across.T @ np.linalg.solve(L, y), np.sqrt(np.exp(2 * p["size"]) - (across**2).sum(0))


def main(arguments: Sequence[str] | None = None) -> OptimizeResult:
    """Fit, foretell, and draw; return what SciPy tells of the search."""
    given = options(__doc__, arguments, points=60, steps=100, out=Path("out/gaussian_process.svg"))
    x, y = points(given.points)
    p, found = fit(x, y, given.steps)
    new = np.linspace(-1, 10, 400)
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.8), sharey=True, layout="constrained")
    for axes, parameters, title in zip(panels, (START, p), ("Before", "Fitted")):
        mean, deviation = foretell(parameters, x, y, new)
        axes.fill_between(new, mean - 2 * deviation, mean + 2 * deviation, alpha=0.25, label="two deviations")
        axes.plot(new, mean, label="mean")
        axes.plot(x, y, "k.", markersize=4, label="seen")
        axes.set(xlabel="x", title=f"{title}: -log p(y) = {surprise(parameters, x, y):.1f}")
    panels[0].legend(loc="upper left")
    save(figure, given.out)
    fitted = ", ".join(f"{name} {np.exp(value):.2f}" for name, value in p.items())
    print(f"{fitted}; -log p(y) {surprise(START, x, y):.2f} -> {found.fun:.2f} in {found.nit} steps; {given.out}")
    return found


if __name__ == "__main__":
    main()
