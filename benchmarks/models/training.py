"""What the programs have in common: a loss, an optimiser and data become a step, in each engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import nn
from tinygrad_hw.errors import CompileError

Step = Callable[[], Any]
YARDSTICK = "PyTorch, eager"


class Training(NamedTuple):
    """What a step needs: a loss of the data, what updates the parameters, and the data."""

    loss: Callable[..., Any]
    optimizer: Any
    data: Sequence[Any]


class Program(NamedTuple):
    """The makers of a program in each engine. Each call makes it anew, from the same weights, so that no contestant trains another's."""

    ours: Callable[[], Training]
    torchs: Callable[[], Training]
    jaxs: Callable[[], Step] | None = None
    tolerance: float = 1e-8
    peers: tuple[tuple[str, Callable[[], Training]], ...] = ()

    def contestants(self) -> tuple[dict[str, Step], dict[str, str]]:
        """Return the steps that there are, PyTorch's first, and why the others are absent."""
        steps = {YARDSTICK: eager(self.torchs()), "tinygrad_hw, eager": eager(self.ours())}
        absent = {}
        for label, backend in (("tg.compile, NumPy", "numpy"), ("tg.compile, Numba", "numba")):
            if find_spec(backend):
                try:
                    steps[label] = compiled(self.ours, backend)
                except CompileError as refusal:
                    absent[label] = str(refusal).splitlines()[0]
        steps |= {label: eager(make()) for label, make in self.peers}
        if self.jaxs and find_spec("jax"):
            steps["JAX, jit"] = self.jaxs()
        return steps, absent


def eager(training: Training) -> Step:
    """Return a step as everyone writes it; PyTorch's looks the same."""
    loss_of, optimizer, data = training

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(*data)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def compiled(make: Callable[[], Training], backend: str) -> Step:
    """Return a compiled step; where it cannot be compiled, say so now (a step of another copy is made)."""
    trial, (loss, optimizer, data) = make(), make()
    tg.compile(trial.loss, trial.optimizer, backend=backend)(*trial.data)
    step = tg.compile(loss, optimizer, backend=backend)
    return lambda: float(step(*data))


def jitted(loss: Callable[..., Any], parameters: Any, data: Sequence[Any], lr: float) -> Step:
    """Return JAX's step with Adam, which JAX leaves to its users."""
    import jax

    jax.config.update("jax_enable_x64", True)
    each = jax.tree.map

    @jax.jit
    def update(parameters: Any, m: Any, v: Any, t: Any, *data: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(parameters, *data)
        m = each(lambda m, g: 0.9 * m + 0.1 * g, m, grads)
        v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, grads)
        adapted = lambda p, m, v: p - lr * (m / (1 - 0.9**t)) / (jax.numpy.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return value, each(adapted, parameters, m, v), m, v

    zeros = each(np.zeros_like, parameters)
    state, t = (parameters, zeros, zeros), 0

    def step() -> float:
        nonlocal state, t
        t += 1
        value, *state = update(*state, float(t), *data)
        return float(value)

    return step


def random(seed: int, dtype: Any, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return arrays of normal numbers."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def as_torch(*arrays: Any) -> list[Any]:
    """Return arrays as PyTorch's tensors."""
    import torch

    torch.set_num_threads(1)
    return [torch.tensor(array) for array in arrays]


def with_weights(theirs: Any, ours: nn.Module) -> Any:
    """Return PyTorch's network with the weights of ours, which lists them in the same order: matrices are transposed there, tables not."""
    import torch

    torch.set_num_threads(1)
    tables = {id(module.weight) for module in theirs.modules() if isinstance(module, torch.nn.Embedding)}
    for parameter, own in zip(theirs.parameters(), ours.parameters(), strict=True):
        values = own.numpy()
        parameter.data = torch.tensor(values.T if values.ndim == 2 and id(parameter) not in tables else values)
    return theirs
