"""The networks of ``examples.digits`` and ``examples.gpt``, written in PyTorch: what is spelt otherwise there, side by side."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def torch_cnn() -> Any:
    """Return ``digits.cnn`` in PyTorch."""
    first, second = (nn.Conv2d(*channels, 3, padding=1) for channels in ((1, 16), (16, 32)))
    rest = (nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 10))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), *rest)


class TorchBlock(nn.Module):
    """``gpt.Block`` in PyTorch."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.queries_keys_values, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        wide = (nn.Linear(size, 4 * size), nn.GELU(approximate="tanh"), nn.Linear(4 * size, size))
        self.mlp = nn.Sequential(*wide)

    def forward(self, x: Any) -> Any:
        """Return x of shape (N, T, size) with the block's share added."""
        N, T, size = x.shape
        parts = self.queries_keys_values(self.norm_1(x)).split(size, dim=2)
        q, k, v = (part.reshape(N, T, self.heads, -1).transpose(1, 2) for part in parts)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(N, T, size))
        return x + self.mlp(self.norm_2(x))


class TorchGPT(nn.Module):
    """``gpt.GPT`` in PyTorch."""

    def __init__(self, letters: int, length: int, size: int = 48, heads: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.letters, self.places = nn.Embedding(letters, size), nn.Embedding(length, size)
        self.blocks = nn.ModuleList(TorchBlock(size, heads) for _ in range(blocks))
        self.norm, self.head = nn.LayerNorm(size), nn.Linear(size, letters, bias=False)

    def forward(self, codes: Any) -> Any:
        """Return logits of shape (N, T, letters) for codes of shape (N, T)."""
        x = self.letters(codes) + self.places(torch.arange(codes.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
