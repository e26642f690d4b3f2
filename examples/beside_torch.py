"""The CNN of ``digits`` and the network of ``gpt`` beside PyTorch's: ``python -m examples.beside_torch`` draws ``out/beside_torch.svg``.

The same networks, written once more in PyTorch, start from the same weights and see the same batches; they train by the same rule. So the
losses are the same but for rounding, which training makes larger, and what differs is the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import nn, optim

from .common import options, save
from .digits import cnn, digits
from .exchange.torch_twins import TorchGPT, torch_cnn
from .exchange.torch_weights import to_torch
from .gpt import CODES, GPT, LETTERS


def our_step(net: nn.Module, lr: float) -> Callable[..., Any]:
    """Return a compiled step that trains by AdamW, of inputs and of classes, one or several for each input."""

    def loss_of(x: Any, y: Any) -> Any:
        logits = net(x)
        return nn.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))

    return tg.compile(loss_of, optim.AdamW(net.parameters(), lr=lr))


def their_step(net: Any, lr: float) -> Callable[..., Any]:
    """Return PyTorch's step that does the same."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=lr)

    def step(x: np.ndarray, y: np.ndarray) -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(torch.from_numpy(x)).flatten(0, -2), torch.from_numpy(y).flatten())
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def trained(name: str, steps: int, dtype: Any = np.float32) -> dict[str, tuple[list[float], float]]:
    """Train both networks, a step of one after a step of the other; return the losses and the seconds of each."""
    rng = np.random.default_rng(0)
    if name == "digits":
        (X, y, _, _), ours, theirs, lr = digits(), cnn(), torch_cnn(), 2e-3
        X = X.astype(dtype)
        places = rng.integers(0, len(X), (steps, 32))
        batches = ((X[i], y[i]) for i in places)
    else:
        ours, theirs, lr = GPT(len(LETTERS), 32), TorchGPT(len(LETTERS), 32), 3e-3
        starts = rng.integers(0, len(CODES) - 32, (steps, 16, 1)) + np.arange(32)
        batches = ((CODES[i], CODES[i + 1]) for i in starts)
    ours.reset_parameters(0).astype(dtype)
    theirs.load_state_dict({path: torch.from_numpy(array) for path, array in to_torch(ours).items()}, assign=True)
    walks = {"here": our_step(ours, lr), "PyTorch": their_step(theirs, lr)}
    losses: dict[str, list[float]] = {who: [] for who in walks}
    seconds = dict.fromkeys(walks, 0.0)
    for batch in tqdm(batches, total=steps, desc=name, unit=" steps", disable=None):
        for who, step in walks.items():
            begun = time.perf_counter()
            losses[who].append(float(step(*batch)))
            seconds[who] += time.perf_counter() - begun
    return {who: (losses[who], seconds[who]) for who in walks}


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, tuple[list[float], float]]]:
    """Train all four, tell, and draw; return the losses and seconds of each."""
    given = options(__doc__, arguments, digits=800, gpt=600, threads=1, out=Path("out/beside_torch.svg"))
    torch.set_num_threads(given.threads)
    results = {name: trained(name, getattr(given, name)) for name in ("digits", "gpt")}
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axes, (name, result) in zip(panels, results.items()):
        for (who, (losses, seconds)), style in zip(result.items(), ("-", ":")):
            smooth = np.convolve(losses, np.ones(20) / 20, "valid") if len(losses) > 40 else losses
            axes.plot(smooth, style, label=f"{who}: loss {smooth[-1]:.3f} after {seconds:.1f} s")
            print(f"{name:6} {who:8} loss {smooth[-1]:.3f} after {seconds:.1f} s")
        axes.set(xlabel="step", ylabel="loss, mean of 20 steps", yscale="log", title=name)
        axes.legend()
    save(figure, given.out)
    print(given.out)
    return results


if __name__ == "__main__":
    main()
