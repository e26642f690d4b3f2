"""A small GPT: 2 layers, 4 heads, width 64, 65 letters, batches of 16 texts of 32; AdamW; in single and in double precision."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from tinygrad_hw import nn, optim

from .training import Program, Training, as_torch, with_weights

LR, LETTERS, LENGTH, WIDTH, HEADS, LAYERS, BATCH = 1e-3, 65, 32, 64, 4, 2, 16


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Return texts, and the letters that follow."""
    codes = np.random.default_rng(0).integers(0, LETTERS, (BATCH, LENGTH + 1))
    return codes[:, :-1], codes[:, 1:]


class Block(nn.Module):
    """Attention to what came before, then a network for each place, beside shortcuts."""

    def __init__(self) -> None:
        self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def attention(self, x: Any) -> Any:
        """Return what each place takes from those before."""
        N, T, C = x.shape
        q, k, v = (part.reshape(N, T, HEADS, C // HEADS).swapaxes(1, 2) for part in np.split(self.qkv(x), 3, axis=2))
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.swapaxes(1, 2).reshape(N, T, C))

    def forward(self, x: Any) -> Any:
        """Return x with the block's share."""
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class GPT(nn.Module):
    """Logits of the next letter at each place."""

    def __init__(self) -> None:
        self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS, bias=False)

    def forward(self, codes: Any, following: Any) -> Any:
        """Return the loss of texts."""
        x = self.letters(codes) + self.places(np.arange(codes.shape[1]))
        for block in self.blocks:
            x = block(x)
        return nn.cross_entropy(self.head(self.norm(x)).reshape(-1, LETTERS), following.reshape(-1))


def ours(dtype: Any) -> Training:
    """Return this package's."""
    net = GPT().reset_parameters(0).astype(dtype)
    return Training(net, optim.AdamW(net.parameters(), LR), batch())


def torchs(dtype: Any) -> Training:
    """Return PyTorch's."""
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, scaled_dot_product_attention

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def attention(self, x: Any) -> Any:
            N, T, C = x.shape
            q, k, v = (part.reshape(N, T, HEADS, C // HEADS).transpose(1, 2) for part in self.qkv(x).split(C, 2))
            y = scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.out(y.transpose(1, 2).reshape(N, T, C))

        def forward(self, x: Any) -> Any:
            x = x + self.attention(self.norm_1(x))
            return x + self.mlp(self.norm_2(x))

    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.letters, self.places = nn.Embedding(LETTERS, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
            self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LETTERS, bias=False)

        def forward(self, codes: Any, following: Any) -> Any:
            x = self.letters(codes) + self.places(torch.arange(codes.shape[1]))
            for block in self.blocks:
                x = block(x)
            return cross_entropy(self.head(self.norm(x)).reshape(-1, LETTERS), following.reshape(-1))

    net = with_weights(Theirs(), GPT().reset_parameters(0).astype(dtype))
    return Training(net, torch.optim.AdamW(net.parameters(), LR), as_torch(*batch()))


PROGRAMS = {
    f"GPT, {name}": Program(partial(ours, dtype), partial(torchs, dtype), tolerance=tolerance)
    for name, dtype, tolerance in (("float32", np.float32, 1e-3), ("float64", np.float64, 1e-8))
}
