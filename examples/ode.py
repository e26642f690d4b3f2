"""An ODE solver with its adjoint in twenty lines, and what that saves: ``python -m examples.ode`` draws to ``out/ode.svg``.

The gradient of a solution can be had by a sweep over all steps of the solver, which keeps them all; with ``tg.checkpoint`` or, compiled,
``tg.scan``, which keep little and do steps again; or by another ODE, the adjoint one, solved backwards in time, which keeps nothing (Chen
et al. 2018, "Neural ordinary differential equations"). It differs from the others as the solver's own error does, by h⁴.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg

from .common import options, save

Field = Callable[[Any, Any, Any], Any]  # f(t, z, p) is dz/dt; p: any tree of parameters


def step(f: Field, t: Any, z: Any, p: Any, h: float) -> Any:
    """Return z after a step of length h, by Runge and Kutta's method of fourth order."""
    k1 = f(t, z, p)
    k2 = f(t + h / 2, z + h / 2 * k1, p)
    k3 = f(t + h / 2, z + h / 2 * k2, p)
    k4 = f(t + h, z + h * k3, p)
    return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


def solve(f: Field, z: Any, p: Any, start: float, end: float, steps: int) -> Any:
    """Return z at the end."""
    h = (end - start) / steps
    for i in range(steps):
        z = step(f, start + i * h, z, p, h)
    return z


def solve_by_scan(f: Field, z: Any, p: Any, start: float, end: float, steps: int) -> Any:
    """Do as ``solve``; compiled, one step is recorded instead of all, and each is done again when a gradient needs it."""
    h = (end - start) / steps
    return tg.scan(lambda z, t: (step(f, t, z, p, h), None), z, start + h * np.arange(steps))[0]


def solve_in_parts(f: Field, z: Any, p: Any, start: float, end: float, steps: int) -> Any:
    """Do as ``solve``, in √steps parts: z is kept at their ends alone, and the steps between are done again when a gradient needs them."""
    parts = round(steps**0.5)
    part = tg.checkpoint(lambda z, p, start, end: solve(f, z, p, start, end, steps // parts))
    for before, after in pairwise(np.linspace(start, end, parts + 1)):
        z = part(z, p, before, after)
    return z


def solve_with_adjoint(f: Field, z: Any, p: Any, start: float, end: float, steps: int) -> Any:
    """Do as ``solve``; the gradient is the adjoint ODE's solution: a' = -aᵀ ∂f/∂z, b' = -aᵀ ∂f/∂p, from the end back to the start."""
    given, unravel = tg.ravel((z, p))

    def backwards(g: Any, out: Any, vector: Any) -> Any:
        state, parts_of = tg.ravel((out, g, np.zeros(vector.size - out.size)))

        def adjoint(t: Any, state: Any, vector: Any) -> Any:
            z, a, _ = parts_of(state)
            change, pullback = tg.vjp(lambda z, p: f(t, z, p), z, unravel(vector)[1])
            to_z, to_p = pullback(a)
            return tg.ravel((change, -to_z, -tg.ravel(to_p)[0]))[0]

        _, a, b = parts_of(solve(adjoint, state, vector, end, start, steps))
        return np.concatenate([np.ravel(a), b])

    return tg.primitive(backwards)(lambda vector: solve(f, *unravel(vector), start, end, steps))(given)


def hares_and_lynxes(t: Any, z: Any, p: Any) -> Any:
    """Return the growth of prey and hunters (Lotka 1925, Volterra 1926)."""
    x, y = z
    return np.stack([p["born"] * x - p["eaten"] * x * y, p["fed"] * x * y - p["starved"] * y])


WAYS = {"sweep": solve, "scan": solve_by_scan, "checkpoint": solve_in_parts, "adjoint": solve_with_adjoint}


def gradient(way: str, steps: int) -> tuple[np.ndarray, float]:
    """Return the gradient of the hares at time 10 with respect to the start and the parameters, and the peak of memory in KiB."""
    p = {"born": 1.1, "eaten": 0.4, "fed": 0.1, "starved": 0.4}
    tracemalloc.start()
    found = tg.grad(lambda z, p: WAYS[way](hares_and_lynxes, z, p, 0.0, 10.0, steps)[0], argnums=(0, 1))(np.array([10.0, 5.0]), p)
    peak = tracemalloc.get_traced_memory()[1] / 1024
    tracemalloc.stop()
    return tg.ravel(found)[0], peak


def main(arguments: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """Compare the three ways, and draw; return the gradients of each by the numbers of steps."""
    given = options(__doc__, arguments, most=256, out=Path("out/ode.svg"))
    counts = [n * n for n in (6, 8, 12, 16, 24, 32, 48, 64) if n * n <= given.most] or [36]
    results = {way: [gradient(way, steps) for steps in counts] for way in tqdm(("sweep", "checkpoint", "adjoint"), disable=None)}
    gradients = {way: np.array([found for found, _ in result]) for way, result in results.items()}
    apart = abs(gradients["adjoint"] - gradients["sweep"]).max(axis=1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for way, result in results.items():
        left.loglog(counts, [peak for _, peak in result], "o-", label=way)
    left.set(xlabel="steps", title="KiB at the peak")
    right.loglog(counts, apart, "o-", label="adjoint against sweep")
    right.loglog(counts, apart[0] * (np.array(counts) / counts[0]) ** -4.0, ":", color="grey", label="steps⁻⁴")
    right.set(xlabel="steps", title="Largest difference of the gradients")
    for axes in (left, right):
        axes.legend()
    save(figure, given.out)
    print(f"{counts[-1]} steps: " + ", ".join(f"{way} {result[-1][1]:,.0f} KiB" for way, result in results.items()))
    print(f"adjoint and sweep differ by {apart[-1]:.0e}; {given.out}")
    return gradients


if __name__ == "__main__":
    main()
