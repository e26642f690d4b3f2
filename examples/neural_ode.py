"""A network learns a law of motion from a path: ``python -m examples.neural_ode`` trains it, and draws to ``out/neural_ode.svg``.

The path is a spiral, seen at some times and with noise. The network gives the velocity at every place, an ODE solver makes a path of it,
and the gradient flows back through the solver's steps (Chen et al. 2018, "Neural ordinary differential equations"). ``--gradient`` chooses
how: a sweep over all steps, one recorded step done again and again (``tg.scan``), parts of them (``tg.checkpoint``), or the adjoint ODE.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import nn, optim

from .common import options, save
from .ode import WAYS

TRUE = np.array([[-0.1, 2.0], [-2.0, -0.1]])
SPAN, STEPS = 0.5, 9  # the time between what is seen and what is foretold from it; the solver's steps in it


def spiral(count: int = 300, noise: float = 0.02, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times (count,), and places (count, 2) of a path with z' = (z³) A, seen with noise."""
    times, path = np.linspace(0, 20, count), [np.array([2.0, 0.0])]
    for start, end in pairwise(times):
        path.append(WAYS["sweep"](lambda t, z, p: z**3 @ TRUE, path[-1], None, start, end, 10))
    return times, np.array(path) + np.random.default_rng(seed).normal(0, noise, (count, 2))


def network() -> nn.Sequential:
    """Return a network from places (N, 2) to velocities (N, 2)."""
    return nn.Sequential(lambda z: z**3, nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))


def train(net: nn.Sequential, steps: int, way: str, seed: int = 0) -> tuple[list[float], int]:
    """Train to foretell each place from one that lies ``SPAN`` earlier; return the losses, and the bytes that a step works in."""
    times, path = spiral()
    ahead = int(np.searchsorted(times, SPAN))
    optimizer = optim.Adam(net.parameters(), lr=1e-2)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps))

    def loss_of(now: Any, later: Any) -> Any:
        found = WAYS[way](lambda t, z, p: nn.functional_call(net, p, z), now, dict(net.named_parameters()), 0.0, times[ahead], STEPS)
        return nn.l1_loss(found, later)

    step = tg.compile(loss_of, optimizer)
    rng, losses = np.random.default_rng(seed), []
    for _ in (bar := tqdm(range(steps), unit=" steps", disable=None)):
        i = rng.integers(0, len(times) - ahead, 32)
        losses.append(float(step(path[i], path[i + ahead])))
        schedule.step()
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
    tracemalloc.start()
    step(path[:32], path[ahead : ahead + 32])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return losses, step.nbytes + peak


def draw(net: nn.Sequential, losses: Sequence[float]) -> Any:
    """Return a figure of the losses, and of the path that the network foretells from the start alone, over its velocities."""
    (_, path), times = spiral(), np.linspace(0, 20, 1000)
    foretold = [np.array([2.0, 0.0])]
    with tg.no_grad():
        for start, end in pairwise(times):
            foretold.append(WAYS["sweep"](lambda t, z, p: net(z[None])[0].numpy(), foretold[-1], None, start, end, 2))
        across = np.linspace(-2.3, 2.3, 24)
        x, y = np.meshgrid(across, across)
        u, v = net(np.stack([x.ravel(), y.ravel()], axis=1)).numpy().T.reshape(2, 24, 24)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.3), layout="constrained")
    left.semilogy(losses, linewidth=0.7)
    left.set(xlabel="step", title="Mean error of a place")
    right.streamplot(x, y, u, v, density=0.8, color="lightgrey", linewidth=0.7)
    right.plot(*path.T, ".", markersize=4, label="seen")
    right.plot(*np.array(foretold).T, label="foretold from the start")
    right.set(aspect="equal", title="Velocities and path")
    right.legend(loc="upper right")
    return figure


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train, tell how well, and draw; return the losses."""
    given = options(__doc__, arguments, steps=2000, gradient=tuple(WAYS), out=Path("out/neural_ode.svg"))
    net, begun = network().reset_parameters(0), time.perf_counter()
    losses, nbytes = train(net, given.steps, given.gradient)
    print(f"{given.gradient}: {time.perf_counter() - begun:.1f} s, in {nbytes / 1e6:.2f} MB")
    save(draw(net, losses), given.out)
    print(f"mean error {losses[0]:.3f} at first, {np.mean(losses[-20:]):.3f} at last; {given.out}")
    return losses


if __name__ == "__main__":
    main()
