"""A convolutional network, 3-32-64-64 kernels of 3×3: images of 3×32×32, batches of 32, momentum; in single and in double precision."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, random, with_weights

LR, MOMENTUM = 0.01, 0.9


def batch(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return images and their classes."""
    return random(0, dtype, (32, 3, 32, 32))[0], np.random.default_rng(1).integers(0, 10, 32)


def network(nn: Any) -> Any:
    """Return the network of layers of a package: both have the same names."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(1024, 10)),
    )


def own(dtype: Any) -> nn.Module:
    """Return this package's network."""
    return network(nn).reset_parameters(0).astype(dtype)


def ours(dtype: Any) -> Training:
    """Return this package's."""
    net = own(dtype)
    return Training(lambda X, y: nn.cross_entropy(net(X), y), optim.SGD(net.parameters(), LR, MOMENTUM), batch(dtype))


def torchs(dtype: Any) -> Training:
    """Return PyTorch's."""
    import torch

    net = with_weights(network(torch.nn), own(dtype))
    loss = torch.nn.functional.cross_entropy
    return Training(lambda X, y: loss(net(X), y), torch.optim.SGD(net.parameters(), LR, MOMENTUM), as_torch(*batch(dtype)))


PROGRAMS = {
    f"CNN, {name}": Program(partial(ours, dtype), partial(torchs, dtype), tolerance=tolerance)
    for name, dtype, tolerance in (("float32", np.float32, 1e-3), ("float64", np.float64, 1e-8))
}
