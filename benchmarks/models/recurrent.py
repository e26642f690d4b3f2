"""Sequences of 40 steps are classified by an RNN, an LSTM, a GRU: cells in a loop; beside PyTorch's loop its layers, a call each."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, random, with_weights

LR, TIMES, BATCH, INPUTS, HIDDEN, CLASSES = 1e-3, 40, 32, 16, 32, 10


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return sequences, time first, and their classes."""
    return random(0, float, (TIMES, BATCH, INPUTS))[0], np.random.default_rng(1).integers(0, CLASSES, BATCH)


class Classifier(nn.Module):
    """A cell over time, then logits of its last state."""

    def __init__(self, kind: str) -> None:
        self.cell, self.head = getattr(nn, f"{kind}Cell")(INPUTS, HIDDEN), nn.Linear(HIDDEN, CLASSES)

    def forward(self, X: Any, y: Any) -> Any:
        """Return the loss of sequences."""
        state = None
        for x in X:
            state = self.cell(x, state)
        return nn.cross_entropy(self.head(state[0] if isinstance(state, tuple) else state), y)


def ours(kind: str) -> Training:
    """Return this package's."""
    net = Classifier(kind).reset_parameters(0)
    return Training(net, optim.Adam(net.parameters(), LR), batch())


def torchs(kind: str, suffix: str = "Cell") -> Training:
    """Return PyTorch's loop over cells, or its layer."""
    import torch

    class Theirs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = getattr(torch.nn, kind + suffix)(INPUTS, HIDDEN), torch.nn.Linear(HIDDEN, CLASSES)

        def forward(self, X: Any, y: Any) -> Any:
            if suffix == "Cell":
                state = None
                for x in X:
                    state = self.cell(x, state)
                last = state[0] if isinstance(state, tuple) else state
            else:
                last = self.cell(X)[0][-1]
            return torch.nn.functional.cross_entropy(self.head(last), y)

    net = with_weights(Theirs(), Classifier(kind).reset_parameters(0))
    return Training(net, torch.optim.Adam(net.parameters(), LR), as_torch(*batch()))


PROGRAMS = {
    kind: Program(partial(ours, kind), partial(torchs, kind), peers=((f"PyTorch, nn.{kind}", partial(torchs, kind, "")),))
    for kind in ("RNN", "LSTM", "GRU")
}
