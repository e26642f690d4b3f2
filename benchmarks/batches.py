"""Gradients of each example, and the Jacobian at many inputs: vmap, compiled and not, beside a loop, torch.func and JAX."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np

import tinygrad_hw as tg

INPUTS, HIDDEN, CLASSES, EXAMPLES = 64, 32, 10, 64

Calls = dict[str, Callable[[], Any]]


def example() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the parameters of a network with two hidden layers, inputs, and labels."""
    rng = np.random.default_rng(0)
    sizes = (INPUTS, HIDDEN, HIDDEN, CLASSES)
    parameters = [part for m, n in pairwise(sizes) for part in (rng.normal(size=(m, n)) / np.sqrt(m), np.zeros(n))]
    return parameters, rng.normal(size=(EXAMPLES, INPUTS)), rng.integers(0, CLASSES, EXAMPLES)


def network(tanh: Callable[[Any], Any], parameters: Any, x: Any) -> Any:
    """Return the logits of one example."""
    weight_1, bias_1, weight_2, bias_2, weight_3, bias_3 = parameters
    return tanh(tanh(x @ weight_1 + bias_1) @ weight_2 + bias_2) @ weight_3 + bias_3


def ours() -> tuple[Calls, Calls]:
    """Return this package's contestants: for the gradients of each example, and for the Jacobian at each input."""
    parameters, x, labels = example()

    def loss(parameters: Any, x: Any, label: Any) -> Any:
        return -tg.log_softmax(network(np.tanh, parameters, x))[label]

    def outputs(x: Any) -> Any:
        return network(np.tanh, parameters, x)

    of_each = tg.vmap(tg.grad(loss), (None, 0, 0))
    at_each = tg.vmap(tg.jacobian(outputs))
    compiled, compiled_jacobian = tg.compile(of_each), tg.compile(at_each)

    def loop() -> Any:
        found = [tg.grad(loss)(parameters, row, label) for row, label in zip(x, labels)]
        return [np.stack(column) for column in zip(*found)]

    gradients = {
        "tinygrad_hw, vmap": lambda: of_each(parameters, x, labels),
        "tinygrad_hw, vmap compiled": lambda: compiled(parameters, x, labels),
        "tinygrad_hw, a loop": loop,
    }
    return gradients, {
        "tinygrad_hw, vmap": lambda: at_each(x),
        "tinygrad_hw, vmap compiled": lambda: compiled_jacobian(x),
        "tinygrad_hw, a loop": lambda: np.stack([tg.jacobian(outputs)(row) for row in x]),
    }


def torchs() -> tuple[Calls, Calls]:
    """Return PyTorch's contestants."""
    import torch
    from torch.func import grad, jacrev, vmap

    torch.set_num_threads(1)
    arrays, x, labels = example()
    parameters, inputs, targets = [torch.tensor(p) for p in arrays], torch.tensor(x), torch.tensor(labels)

    def loss(parameters: Any, x: Any, label: Any) -> Any:
        return torch.nn.functional.cross_entropy(network(torch.tanh, parameters, x)[None], label[None])

    of_each, at_each = vmap(grad(loss), (None, 0, 0)), vmap(jacrev(lambda x: network(torch.tanh, parameters, x)))
    return {"torch.func": lambda: of_each(parameters, inputs, targets)}, {"torch.func": lambda: at_each(inputs)}


def jaxs() -> tuple[Calls, Calls]:
    """Return JAX's contestants."""
    import jax

    jax.config.update("jax_enable_x64", True)
    parameters, x, labels = example()

    def loss(parameters: Any, x: Any, label: Any) -> Any:
        return -jax.nn.log_softmax(network(jax.numpy.tanh, parameters, x))[label]

    of_each = jax.jit(jax.vmap(jax.grad(loss), (None, 0, 0)))
    at_each = jax.jit(jax.vmap(jax.jacrev(lambda x: network(jax.numpy.tanh, parameters, x))))
    wait = jax.block_until_ready
    return {"JAX, jit": lambda: wait(of_each(parameters, x, labels))}, {"JAX, jit": lambda: wait(at_each(x))}


def contestants() -> tuple[Calls, Calls]:
    """Return all that are installed, PyTorch first if it is."""
    makers = {"torch": torchs, "tinygrad_hw": ours, "jax": jaxs}
    made = [make() for module, make in makers.items() if find_spec(module)]
    gradients, jacobians = ({name: call for part in parts for name, call in part.items()} for parts in zip(*made))
    return gradients, jacobians


def flat(out: Any) -> np.ndarray:
    """Return a result as one vector, to compare."""
    parts = out if isinstance(out, (list, tuple)) else [out]
    return np.concatenate([np.ravel(np.asarray(part)) for part in parts])
