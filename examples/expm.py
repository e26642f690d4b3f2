"""The exponential of a matrix in ten lines, and what it is good for: ``python -m examples.expm`` draws to ``out/expm.svg``.

Something wanders between states, from i to j at the rate Q[i, j] (i ≠ j; the rows of Q sum to 0): the probabilities after a time t are
exp(t Q). Many wanderers are seen at the start and some time later, and the rates are found by gradient descent through the exponential.
SciPy's ``expm`` does not take Tensors, so it is written here, as sums and products, which do: their gradient comes by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import Tensor, optim

from .common import options, save


def expm(A: Any, halvings: int = 8, terms: int = 12) -> Any:
    """Return exp(A) = (exp(A / 2ᵏ))^(2ᵏ), the inner one by its Taylor series (Moler & Van Loan 2003, method 3); for |A| up to 2ᵏ."""
    small = A / 2**halvings
    term = result = np.eye(A.shape[-1])
    for n in range(1, terms + 1):
        term = term @ small / n
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result


def rates(logs: Any) -> Any:
    """Return the matrix Q with the rates e^logs outside its diagonal, and rows that sum to 0."""
    off = np.exp(logs) * (1 - np.eye(len(logs)))
    return off - np.diag(off.sum(axis=1))


def seen(Q: np.ndarray, times: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return how many of ``count`` that were in state i are in state j after each time, (times, i, j)."""
    rng = np.random.default_rng(seed)
    return np.array([[rng.multinomial(count, row / row.sum()) for row in expm(t * Q)] for t in times])


def fit(counts: np.ndarray, times: np.ndarray, steps: int) -> np.ndarray:
    """Return the rates that make what was seen most probable."""
    logs = Tensor(np.full(counts.shape[1:], -1.0), requires_grad=True)
    optimizer = optim.Adam([logs], lr=0.05)

    def surprise(counts: Any) -> Any:
        return -(counts * np.log(expm(times[:, None, None] * rates(logs)))).sum() / counts.sum()

    step = tg.compile(surprise, optimizer)
    for _ in (bar := tqdm(range(steps), unit=" steps", disable=None)):
        bar.set_postfix(surprise=f"{step(counts):.4f}")
    return rates(logs.numpy())


def main(arguments: Sequence[str] | None = None) -> float:
    """Find rates again from what was seen, and draw; return the largest error of one."""
    given = options(__doc__, arguments, steps=300, count=20_000, out=Path("out/expm.svg"))
    Q, times = rates(np.log([[1.0, 0.5, 0.1], [0.2, 1.0, 0.6], [0.3, 0.05, 1.0]])), np.array([0.5, 1.0, 2.0, 4.0])
    counts = seen(Q, times, given.count)
    found = fit(counts, times, given.steps)
    error = float(abs(found - Q).max())
    across = np.linspace(0, 6, 61)[:, None, None]
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.3), sharey=True, layout="constrained")
    for i, axes in enumerate(panels):
        axes.plot(across[:, 0, 0], expm(across * found)[:, i], label=[f"in state {j}" for j in range(3)])
        axes.set_prop_cycle(None)
        axes.plot(times, counts[:, i] / given.count, "o")
        axes.set(xlabel="time", title=f"From state {i}")
    panels[0].set(ylabel="probability; dots: share seen")
    panels[0].legend()
    save(figure, given.out)
    print(f"rates found:\n{found.round(3)}\nat most {error:.3f} from the true ones; {given.out}")
    return error


if __name__ == "__main__":
    main()
