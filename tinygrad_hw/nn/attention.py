"""Attention with several heads."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..rules.shaping import array
from ..tensor import Tensor
from . import functional
from .checks import Random, as_input, generator, probability, require_positive
from .layers import draw_uniform
from .module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several heads side by side: each looks at the sequence with projections of its own.

    Parameters
    ----------
    embed_dim, num_heads : int
        E, the size of an entry of a sequence, is a multiple of the number of heads.
    dropout : float
        The probability of dropping, in training, a weight.
    bias : bool
    batch_first : bool
        Whether sequences are of shape (N, L, E) rather than (L, N, E).
    rng, dtype : see ``Linear``.

    Attributes
    ----------
    in_weight : (E, 3 E) Tensor, the projections to queries, keys and values side by side
    in_bias : (3 E,) Tensor, or None; 0 at first
    out_weight : (E, E) Tensor
    out_bias : (E,) Tensor, or None; 0 at first

    Raises
    ------
    ShapeError
        If a sequence has another shape.

    Notes
    -----
    Called as PyTorch's ``MultiheadAttention``: ``attention(query, key, value, key_padding_mask, need_weights, attn_mask, is_causal)``;
    returns the output and the weights, their mean over the heads, of shape (N, L, S), or None unless they are needed. **In both masks
    True means: not to be seen**, which is PyTorch's convention for this layer; floats are added to the scores. Vaswani et al. (2017),
    "Attention is all you need". PyTorch's weights are the transposes of these.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> x = np.ones((2, 5, 8))
    >>> out, _ = nn.MultiheadAttention(8, num_heads=2, batch_first=True)(x, x, x, is_causal=True, need_weights=False)
    >>> out.shape
    (2, 5, 8)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        batch_first: bool = False,
        rng: Random = None,
        dtype: Any = float,
    ) -> None:
        require_positive("MultiheadAttention", embed_dim, num_heads)
        if embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: embed_dim must be a multiple of num_heads, and {embed_dim} is none of {num_heads}")
        self.num_heads, self.dropout, self.batch_first = num_heads, probability("MultiheadAttention", dropout), bool(batch_first)
        self.in_weight = Tensor(np.zeros((embed_dim, 3 * embed_dim)), requires_grad=True, dtype=dtype)
        self.in_bias = Tensor(np.zeros(3 * embed_dim), requires_grad=True, dtype=dtype) if bias else None
        self.out_weight = Tensor(np.zeros((embed_dim, embed_dim)), requires_grad=True, dtype=dtype)
        self.out_bias = Tensor(np.zeros(embed_dim), requires_grad=True, dtype=dtype) if bias else None
        self.draw_parameters(generator(rng))

    def draw_parameters(self, rng: Any) -> None:
        """Draw the weights, that of the input from Xavier's distribution; what is dropped is drawn from this generator, too."""
        self.rng = rng
        size = self.out_weight.shape[0]
        draw_uniform(rng, sqrt(6 / (4 * size)), self.in_weight)
        draw_uniform(rng, 1 / sqrt(size), self.out_weight)

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the output, of the query's shape, and the weights or None."""
        size = self.out_weight.shape[0]
        for what, x in (("query", query), ("key", key), ("value", value)):
            if np.ndim(x) != 3 or np.shape(x)[-1] != size:
                axes = "(N, L, " if self.batch_first else "(L, N, "
                raise ShapeError(f"{self!r}: the {what} must have shape {axes}{size}), and has {np.shape(x)}")
            as_input(self, x, self.in_weight)
        q, k, v = (self._heads(x) for x in self._projected(query, key, value))
        mask = _additive_mask(attn_mask, is_causal, q.shape[-2], k.shape[-2], q.dtype)
        if mask is not None and mask.ndim == 3:  # (one for each sample and head)
            mask = mask.reshape(-1, self.num_heads, *mask.shape[1:])
        if key_padding_mask is not None:
            padding = _additive_mask(key_padding_mask, False, 0, 0, q.dtype)[:, None, None, :]
            mask = padding if mask is None else mask + padding
        weights = functional.attention_weights(q, k, mask)
        out = functional.dropout(weights, self.dropout, self.training, self.rng) @ v
        joined = np.swapaxes(out, 1, 2).reshape(out.shape[0], out.shape[2], size)
        result = functional.linear(joined, self.out_weight, self.out_bias)
        result = result if self.batch_first else np.swapaxes(result, 0, 1)
        return result, (np.mean(weights, axis=1) if need_weights else None)

    def _projected(self, query: Any, key: Any, value: Any) -> list[Any]:
        """Return queries, keys and values: by one product if they come from one sequence."""
        if query is key and key is value:
            return np.split(functional.linear(query, self.in_weight, self.in_bias), 3, axis=-1)
        weights = np.split(self.in_weight, 3, axis=-1)
        biases = [None] * 3 if self.in_bias is None else np.split(self.in_bias, 3)
        return [functional.linear(x, weight, bias) for x, weight, bias in zip((query, key, value), weights, biases)]

    def _heads(self, x: Any) -> Any:
        """Return a sequence as (N, heads, L, E / heads)."""
        x = x if self.batch_first else np.swapaxes(x, 0, 1)
        return np.swapaxes(x.reshape(*x.shape[:2], self.num_heads, -1), 1, 2)

    def __repr__(self) -> str:
        return f"MultiheadAttention({self.out_weight.shape[0]}, num_heads={self.num_heads})"


def _additive_mask(mask: Any, is_causal: bool, queries: int, keys: int, dtype: Any) -> Any:
    """Return a mask as what is added to the scores, -inf where a key is not to be seen."""
    if mask is None and not is_causal:
        return None
    mask = ~np.tri(queries, keys, dtype=bool) if mask is None else array(mask)
    return np.where(mask, -np.inf, 0).astype(dtype) if mask.dtype.kind == "b" else mask.astype(dtype)
