"""LeNet with batch normalisation, float32: images of 28×28, batches of 32, Adam."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, random, with_weights

LR = 1e-3


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return images and their classes."""
    return random(0, np.float32, (32, 1, 28, 28))[0], np.random.default_rng(1).integers(0, 10, 32)


def network(nn: Any) -> Any:
    """Return the network of layers of a package: both have the same names."""
    return nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)),
    )


def own() -> nn.Module:
    """Return this package's network."""
    return network(nn).reset_parameters(0).astype(np.float32)


def ours() -> Training:
    """Return this package's."""
    net = own()
    return Training(lambda X, y: nn.cross_entropy(net(X), y), optim.Adam(net.parameters(), LR), batch())


def torchs() -> Training:
    """Return PyTorch's."""
    import torch

    net = with_weights(network(torch.nn), own())
    loss = torch.nn.functional.cross_entropy
    return Training(lambda X, y: loss(net(X), y), torch.optim.Adam(net.parameters(), LR), as_torch(*batch()))


PROGRAMS = {"LeNet": Program(ours, torchs, tolerance=1e-3)}
