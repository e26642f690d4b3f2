"""A small GPT learns "The Zen of Python" letter by letter, and writes on: ``python -m examples.gpt``; its loss is in ``out/gpt.svg``.

The network is that of GPT-2 (Radford et al. 2019), two blocks deep: attention to what came before, then two layers with a GELU between
them, each beside a shortcut. It trains as a compiled step, with weight decay for matrices alone and a rate that warms up and falls again.
"""

from __future__ import annotations

import codecs
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import tinygrad_hw as tg
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F

from .common import options, save

with contextlib.redirect_stdout(io.StringIO()):
    import this

TEXT = codecs.decode(this.s, "rot13")
LETTERS = sorted(set(TEXT))
CODES = np.array([LETTERS.index(letter) for letter in TEXT])


class Block(nn.Module):
    """Attention, then a network for each place; both beside a shortcut."""

    def __init__(self, size: int, heads: int) -> None:
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.queries_keys_values, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(approximate="tanh"), nn.Linear(4 * size, size))

    def attention(self, x: Any) -> Any:
        """Return what each place takes from those before it; x of shape (N, T, size)."""
        N, T, size = x.shape
        parts = np.split(self.queries_keys_values(x), 3, axis=2)
        q, k, v = (part.reshape(N, T, self.heads, -1).transpose(0, 2, 1, 3) for part in parts)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(seen.transpose(0, 2, 1, 3).reshape(N, T, size))

    def forward(self, x: Any) -> Any:
        """Return x of shape (N, T, size) with the block's share added."""
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    """Logits of the next letter at each place."""

    def __init__(self, letters: int, length: int, size: int = 48, heads: int = 4, blocks: int = 2) -> None:
        self.length = length
        self.letters, self.places = nn.Embedding(letters, size), nn.Embedding(length, size)
        self.blocks = nn.ModuleList(Block(size, heads) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, letters, bias=False)

    def forward(self, codes: Any) -> Any:
        """Return logits of shape (N, T, letters) for codes of shape (N, T)."""
        x = self.letters(codes) + self.places(np.arange(codes.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def train(steps: int, seed: int = 0, length: int = 32, batch: int = 16) -> tuple[GPT, list[float]]:
    """Return a trained network and the loss of each step."""
    net = GPT(len(LETTERS), length).reset_parameters(seed).astype(np.float32)
    matrices, vectors = ([p for p in net.parameters() if (p.ndim > 1) == wide] for wide in (True, False))
    optimizer = optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=5e-3)
    warm_up = optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=20)
    decay = optim.lr_scheduler.CosineAnnealingLR(optimizer, max(1, steps - 20), eta_min=1e-4)
    schedule = optim.lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[20])
    step = tg.compile(lambda codes, following: nn.cross_entropy(net(codes).reshape(-1, len(LETTERS)), following.reshape(-1)), optimizer)
    rng, losses = np.random.default_rng(seed), []
    for _ in (bar := tqdm(range(steps), unit=" steps", disable=None)):
        places = rng.integers(0, len(CODES) - length, batch)[:, None] + np.arange(length)
        losses.append(float(step(CODES[places], CODES[places + 1])))
        schedule.step()
        bar.set_postfix(loss=f"{losses[-1]:.3f}")
    return net, losses


def written(net: GPT, count: int, seed: int = 0) -> str:
    """Return text that the network writes, each letter drawn by its probability."""
    rng, codes = np.random.default_rng(seed), CODES[:1]
    for _ in range(count):
        logits = net(codes[None, -net.length :])[0, -1].detach().numpy().astype(float)
        codes = np.append(codes, rng.choice(len(LETTERS), p=tg.softmax(2 * logits)))
    return "".join(LETTERS[code] for code in codes)


def draw(losses: Sequence[float]) -> Any:
    """Return a figure of the losses."""
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(losses, linewidth=0.8)
    axes.set(xlabel="step", ylabel="cross entropy of a letter", ylim=(0, None), title=f"Loss; guessing has {np.log(len(LETTERS)):.2f}")
    return figure


def main(arguments: Sequence[str] | None = None) -> list[float]:
    """Train, draw, and print what the network writes; return the losses."""
    given = options(__doc__, arguments, steps=600, letters=300, out=Path("out/gpt.svg"))
    net, losses = train(given.steps)
    save(draw(losses), given.out)
    print(f"loss {losses[-1]:.2f}; {given.out}\n{sum(p.size for p in net.parameters()):,} parameters write:")
    print(written(net, given.letters))
    return losses


if __name__ == "__main__":
    main()
