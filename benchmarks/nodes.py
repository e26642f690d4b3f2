"""Growth in graph nodes: a driven, damped pendulum, simulated step by step, ten scalar operations a step.

The mean angle is differentiated by the initial state and by the three coefficients, which every step uses. NumPy by hand is the same
simulation followed by its reverse loop. ``JAX, jit`` unrolls the steps, as it does with any Python loop; ``lax.scan`` is the loop that JAX
has for this, and makes a graph of one step.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from .curves import Axis
from .measure import frozen

Call = Callable[[], Any]

STEP = 0.01  # of time
START = tuple(map(np.float64, (1.0, 0.0, 1.0, 0.3, 0.5)))  # angle, velocity; stiffness, damping, torque
SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def mean_angle(nodes: int, sin: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return the function that simulates so many operations and returns the mean angle."""
    steps = nodes // 10

    def simulate(angle: Any, velocity: Any, stiffness: Any, damping: Any, torque: Any) -> Any:
        total = 0.0
        for _ in range(steps):
            velocity = velocity - (stiffness * sin(angle) + damping * velocity - torque) * STEP
            angle = angle + velocity * STEP
            total = total + angle
        return total / steps

    return simulate


def by_hand(nodes: int) -> Call:
    """Return the mean angle and its gradient in hand-written NumPy."""
    steps = nodes // 10

    def call() -> np.ndarray:
        angle, velocity, stiffness, damping, torque = START
        total, states = 0.0, []
        for _ in range(steps):
            states.append((angle, velocity))
            velocity = velocity - (stiffness * np.sin(angle) + damping * velocity - torque) * STEP
            angle = angle + velocity * STEP
            total = total + angle
        d_angle = d_velocity = d_stiffness = d_damping = d_torque = 0.0
        for angle, velocity in reversed(states):
            d_angle = d_angle + 1 / steps
            d_velocity = d_velocity + d_angle * STEP
            d_force = d_velocity * -STEP
            d_stiffness = d_stiffness + d_force * np.sin(angle)
            d_damping = d_damping + d_force * velocity
            d_torque = d_torque - d_force
            d_angle = d_angle + d_force * stiffness * np.cos(angle)
            d_velocity = d_velocity + d_force * damping
        return np.array([total / steps, d_angle, d_velocity, d_stiffness, d_damping, d_torque])

    return call


def eager(nodes: int) -> Call:
    """Return the same in this package."""
    import tinygrad_hw as tg

    simulate = mean_angle(nodes, np.sin)

    def call() -> np.ndarray:
        inputs = [tg.Tensor(x, requires_grad=True) for x in START]
        loss = simulate(*inputs)
        loss.backward()
        return np.array([loss.item(), *[x.grad for x in inputs]])

    return call


def compiled(nodes: int, backend: str = "numpy") -> Call:
    """Return the same in this package, compiled."""
    import tinygrad_hw as tg

    return _of_function(tg.compile(tg.value_and_grad(mean_angle(nodes, np.sin), tuple(range(5))), backend=backend))


def compiled_numba(nodes: int) -> Call:
    """Return the same in this package, compiled with Numba."""
    return compiled(nodes, "numba")


def mygrad(nodes: int) -> Call:
    """Return the same in MyGrad."""
    import mygrad as mg

    simulate = mean_angle(nodes, mg.sin)

    def call() -> np.ndarray:
        inputs = [mg.tensor(x) for x in START]
        loss = simulate(*inputs)
        loss.backward()
        return np.array([loss.item(), *[x.grad for x in inputs]])

    return call


def hips(nodes: int) -> Call:
    """Return the same in HIPS autograd."""
    import autograd
    import autograd.numpy as anp

    return _of_function(autograd.value_and_grad(mean_angle(nodes, anp.sin), tuple(range(5))))


def pytorch(nodes: int) -> Call:
    """Return the same in PyTorch, eager."""
    import torch

    torch.set_num_threads(1)
    simulate = mean_angle(nodes, torch.sin)

    def call() -> np.ndarray:
        inputs = [torch.tensor(x, requires_grad=True) for x in START]
        loss = simulate(*inputs)
        loss.backward()
        return np.array([loss.item(), *[x.grad for x in inputs]])

    return call


def jax_unrolled(nodes: int) -> Call:
    """Return the same in JAX, ``jit`` around the Python loop."""
    import jax

    jax.config.update("jax_enable_x64", True)
    return _of_function(jax.jit(jax.value_and_grad(mean_angle(nodes, jax.numpy.sin), tuple(range(5)))))


def jax_scan(nodes: int) -> Call:
    """Return the same in JAX, ``jit`` around ``lax.scan``."""
    import jax

    jax.config.update("jax_enable_x64", True)

    def simulate(angle: Any, velocity: Any, stiffness: Any, damping: Any, torque: Any) -> Any:
        def step(state: Any, _: Any) -> Any:
            angle, velocity = state
            velocity = velocity - (stiffness * jax.numpy.sin(angle) + damping * velocity - torque) * STEP
            angle = angle + velocity * STEP
            return (angle, velocity), angle

        return jax.lax.scan(step, (angle, velocity), None, nodes // 10)[1].mean()

    return _of_function(jax.jit(jax.value_and_grad(simulate, tuple(range(5)))))


def _of_function(function: Callable[..., Any]) -> Call:
    """Return the call that gives what a function returns, value and gradients, as one array."""

    def call() -> np.ndarray:
        value, gradients = function(*START)
        return np.array([value, *gradients])

    return call


def stages(nodes: int) -> dict[str, float]:
    """Return the seconds for recording, sweeping and freeing in this package, medians of 3."""
    import tinygrad_hw as tg

    simulate, times = mean_angle(nodes, np.sin), []
    with frozen():
        for _ in range(3):
            inputs = [tg.Tensor(x, requires_grad=True) for x in START]
            start = perf_counter()
            loss = simulate(*inputs)
            recorded = perf_counter()
            loss.backward()
            swept = perf_counter()
            del loss
            times.append((recorded - start, swept - recorded, perf_counter() - swept))
    return dict(zip(("recording", "sweep", "freeing"), map(median, zip(*times))))


AXIS = Axis(
    "graph nodes",
    "a pendulum simulated with so many scalar operations, and the gradient of its mean angle",
    SIZES,
    [
        ("NumPy, by hand", by_hand, "numpy"),
        ("tinygrad_hw, eager", eager, "tinygrad_hw"),
        ("tg.compile, NumPy", compiled, "tinygrad_hw"),
        ("tg.compile, Numba", compiled_numba, "numba"),
        ("MyGrad", mygrad, "mygrad"),
        ("HIPS autograd", hips, "autograd"),
        ("PyTorch, eager", pytorch, "torch"),
        ("JAX, jit", jax_unrolled, "jax"),
        ("JAX, jit of lax.scan", jax_scan, "jax"),
    ],
    1e-9,
)
