"""A network solves a differential equation: ``python -m examples.pinn`` trains it, and draws to ``out/pinn.svg``.

Burgers' equation, u_t + u u_x = ν u_xx, makes of a sine wave a steep front at x = 0. The network u(t, x) never sees a solution: its loss
is how far it is from obeying the equation, the start and the walls (Raissi, Perdikaris & Karniadakis 2019, "Physics-informed neural
networks"). The derivatives u_t, u_x, u_xx are gradients inside the loss, which is differentiated once more to train. The exact solution
is known as a quotient of integrals (Cole 1951, Hopf 1950).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import nn, optim

from .common import options, save

VISCOSITY = 0.1 / np.pi


def exact(t: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the solution with u(0, x) = -sin πx and u(t, ±1) = 0, by Gauss and Hermite's quadrature; t > 0."""
    nodes, weights = np.polynomial.hermite.hermgauss(80)
    y = x[..., None] - np.sqrt(4 * VISCOSITY * t)[..., None] * nodes
    heights = weights * np.exp(-np.cos(np.pi * y) / (2 * np.pi * VISCOSITY))
    return -(np.sin(np.pi * y) * heights).sum(-1) / heights.sum(-1)


class Field(nn.Module):
    """The network u(t, x), for vectors t and x."""

    def __init__(self, size: int = 24) -> None:
        hidden = [layer for _ in range(2) for layer in (nn.Linear(size, size), nn.Tanh())]
        self.net = nn.Sequential(nn.Linear(2, size), nn.Tanh(), *hidden, nn.Linear(size, 1))

    def forward(self, t: Any, x: Any) -> Any:
        """Return u (N,) at times t (N,) and places x (N,)."""
        return self.net(np.stack([t, x], axis=1))[:, 0]


def loss_of(u: Field, t: Any, x: Any) -> Any:
    """Return the mean squares of what is wrong: inside with the equation, at t = 0 with the start, at x = ±1 with the walls."""

    def u_x(t: Any, x: Any) -> Any:
        return tg.grad(lambda x: u(t, x).sum())(x)

    u_t = tg.grad(lambda t: u(t, x).sum())(t)
    u_xx = tg.grad(lambda x: u_x(t, x).sum())(x)
    equation = u_t + u(t, x) * u_x(t, x) - VISCOSITY * u_xx
    start = u(0 * x, x) + np.sin(np.pi * x)
    walls = u(t, np.sign(x))
    return (equation**2).mean() + (start**2).mean() + (walls**2).mean()


def train(u: Field, steps: int, seed: int = 0) -> list[float]:
    """Train at 256 places that are drawn anew in each step; return the losses."""
    optimizer = optim.Adam(u.parameters(), lr=5e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps), eta_min=1e-5)
    step = tg.compile(lambda t, x: loss_of(u, t, x), optimizer)
    rng, losses = np.random.default_rng(seed), []
    for _ in (bar := tqdm(range(steps), unit=" steps", disable=None)):
        losses.append(float(step(rng.uniform(0, 1, 256), rng.uniform(-1, 1, 256))))
        schedule.step()
        bar.set_postfix(loss=f"{losses[-1]:.1e}")
    return losses


def main(arguments: Sequence[str] | None = None) -> float:
    """Train, compare with the exact solution, and draw; return the relative error."""
    given = options(__doc__, arguments, steps=3000, out=Path("out/pinn.svg"))
    u = Field().reset_parameters(0)
    losses = train(u, given.steps)
    t, x = np.meshgrid(np.linspace(0.01, 1, 100), np.linspace(-1, 1, 201))
    with tg.no_grad():
        found = u(t.ravel(), x.ravel()).numpy().reshape(t.shape)
    right = exact(t, x)
    error = float(np.linalg.norm(found - right) / np.linalg.norm(right))
    figure, (curve, plane, cuts) = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    curve.semilogy(losses, linewidth=0.7)
    curve.set(xlabel="step", title="Loss")
    figure.colorbar(plane.pcolormesh(t, x, found, cmap="RdBu", vmin=-1, vmax=1, rasterized=True))
    plane.set(xlabel="t", ylabel="x", title="The network's u(t, x)")
    for i, color in ((4, "C0"), (34, "C1"), (99, "C2")):
        cuts.plot(x[:, i], right[:, i], color=color, label=f"t = {t[0, i]:.2f}")
        cuts.plot(x[::8, i], found[::8, i], "o", color=color, markersize=4)
    cuts.set(xlabel="x", title=f"Exact (lines) and found; {error:.1%} apart")
    cuts.legend()
    save(figure, given.out)
    print(f"loss {losses[0]:.2f} at first, {losses[-1]:.1e} at last; {error:.2%} from the exact solution; {given.out}")
    return error


if __name__ == "__main__":
    main()
