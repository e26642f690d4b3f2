"""A variational autoencoder of images of 8×8, 64-32-8-32-64, batches of 64; its noise is drawn inside the loss."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, with_weights

LR, SIZE, HIDDEN, CODE = 1e-3, 64, 32, 8


def images() -> np.ndarray:
    """Return brightnesses from 0 to 1."""
    return np.random.default_rng(0).random((64, SIZE))


class VAE(nn.Module):
    """The encoder gives the mean and the logarithm of the variance of a code, the decoder logits of the pixels."""

    def __init__(self) -> None:
        self.encoder, self.mean, self.log_var = nn.Linear(SIZE, HIDDEN), nn.Linear(HIDDEN, CODE), nn.Linear(HIDDEN, CODE)
        self.decoder, self.pixels = nn.Linear(CODE, HIDDEN), nn.Linear(HIDDEN, SIZE)
        self.noise = np.random.default_rng(1)

    def forward(self, X: Any) -> Any:
        """Return the loss of images."""
        hidden = np.tanh(self.encoder(X))
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        code = mean + np.exp(log_var / 2) * self.noise.normal(size=mean.shape)
        logits = self.pixels(np.tanh(self.decoder(code)))
        missed = nn.binary_cross_entropy_with_logits(logits, X, reduction="sum")
        return (missed - 0.5 * (1 + log_var - mean**2 - np.exp(log_var)).sum()) / len(X)


def ours() -> Training:
    """Return this package's."""
    net = VAE().reset_parameters(0)
    return Training(net, optim.Adam(net.parameters(), LR), (images(),))


def torchs() -> Training:
    """Return PyTorch's; its noise comes from NumPy, too, so that the losses can be compared."""
    import torch
    from torch.nn import Linear

    class Theirs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.mean, self.log_var = Linear(SIZE, HIDDEN), Linear(HIDDEN, CODE), Linear(HIDDEN, CODE)
            self.decoder, self.pixels = Linear(CODE, HIDDEN), Linear(HIDDEN, SIZE)
            self.noise = np.random.default_rng(1)

        def forward(self, X: Any) -> Any:
            hidden = torch.tanh(self.encoder(X))
            mean, log_var = self.mean(hidden), self.log_var(hidden)
            code = mean + torch.exp(log_var / 2) * torch.from_numpy(self.noise.normal(size=mean.shape))
            logits = self.pixels(torch.tanh(self.decoder(code)))
            missed = torch.nn.functional.binary_cross_entropy_with_logits(logits, X, reduction="sum")
            return (missed - 0.5 * (1 + log_var - mean**2 - torch.exp(log_var)).sum()) / len(X)

    net = with_weights(Theirs(), VAE().reset_parameters(0))
    return Training(net, torch.optim.Adam(net.parameters(), LR), as_torch(images()))


PROGRAMS = {"VAE": Program(ours, torchs)}
