"""Logistic regression, beside scikit-learn's: ``python -m examples.logistic`` fits both, and draws to ``out/logistic.svg``.

Thirty measures of cells (scikit-learn's breast cancer data) foretell whether a tumour is harmless. The loss is written as in a textbook,
its gradient comes from here, and SciPy's L-BFGS does the rest; the coefficients are scikit-learn's.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import nn

from .common import options, save

Parameters = dict[str, Any]


def loss_of(p: Parameters, X: Any, y: Any, C: float) -> Any:
    """Return |w|² / 2 + C Σ cross entropy: what scikit-learn minimises; X (N, D), y (N,)."""
    logits = X @ p["w"] + p["b"]
    return (p["w"] ** 2).sum() / 2 + C * nn.binary_cross_entropy_with_logits(logits, y, reduction="sum")


def fit(X: np.ndarray, y: np.ndarray, C: float) -> tuple[Parameters, list[float]]:
    """Return the parameters of least loss, and the loss after each step."""
    start, unravel = tg.ravel({"w": np.zeros(X.shape[1]), "b": 0.0})
    value_and_grad = tg.compile(tg.value_and_grad(lambda vector: loss_of(unravel(vector), X, y, C)))
    losses: list[float] = []
    with tqdm(unit=" steps", disable=None) as bar:

        def tell(intermediate_result: Any) -> None:
            losses.append(float(intermediate_result.fun))
            bar.update()

        found = minimize(
            value_and_grad, start, jac=True, method="L-BFGS-B", callback=tell, options={"gtol": 1e-9, "ftol": 0, "maxiter": 1000}
        )
    return unravel(found.x), losses


def main(arguments: Sequence[str] | None = None) -> float:
    """Fit both, compare, and draw; return the largest difference of two coefficients."""
    given = options(__doc__, arguments, C=1.0, out=Path("out/logistic.svg"))
    found = load_breast_cancer()
    X, y = (found.data - found.data.mean(0)) / found.data.std(0), found.target.astype(float)
    begun = time.perf_counter()
    p, losses = fit(X, y, given.C)
    ours = time.perf_counter() - begun
    theirs = LogisticRegression(C=given.C, solver="newton-cholesky", tol=1e-10).fit(X, y)
    seconds = time.perf_counter() - begun - ours
    difference = float(max(abs(p["w"] - theirs.coef_[0]).max(), abs(p["b"] - theirs.intercept_[0])))

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 5.2), width_ratios=(1, 1.3), layout="constrained")
    left.semilogy(np.array(losses) - min(losses) + 1e-12)
    left.set(xlabel="step of L-BFGS", title="Loss above the least")
    order = np.argsort(p["w"])
    right.barh(range(len(order)), p["w"][order], color="lightsteelblue", label="here")
    right.plot(theirs.coef_[0][order], range(len(order)), "k.", label="scikit-learn")
    right.set_yticks(range(len(order)), found.feature_names[order], fontsize=7)
    right.set(title=f"Coefficients, at most {difference:.0e} apart", ylim=(-1, len(order)))
    right.legend()
    save(figure, given.out)
    share = np.mean((X @ p["w"] + p["b"] > 0) == y)
    print(f"{share:.1%} told right in {ours:.2f} s, by scikit-learn in {seconds:.2f} s; coefficients {difference:.0e} apart; {given.out}")
    return difference


if __name__ == "__main__":
    main()
