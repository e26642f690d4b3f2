"""The usual layers: modules that hold their parameters."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from reprlib import recursive_repr
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..rules import neural
from ..tensor import Tensor
from .checks import Random, generator, places_below, require_positive
from .module import Module

__all__ = ["GELU", "Dropout", "Embedding", "LayerNorm", "Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]


class Linear(Module):
    """y = x W + b, for x of shape (..., inputs).

    Parameters
    ----------
    inputs, outputs : int
        The sizes of the last axis of x and of y.
    bias : bool
        Whether there is a b.
    rng : Generator or RandomState, optional
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight : (inputs, outputs) Tensor
    bias : (outputs,) Tensor, or None

    Notes
    -----
    Both are drawn, weight first, from the uniform distribution on ±1/√inputs, as PyTorch's ``Linear`` does
    (LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp": a variance in proportion to 1/inputs keeps the sums' size).
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True, rng: Random = None, dtype: Any = float) -> None:
        require_positive("Linear", inputs, outputs)
        draw, bound = generator(rng).uniform, 1 / sqrt(inputs)
        self.weight = Tensor(draw(-bound, bound, (inputs, outputs)), requires_grad=True, dtype=dtype)
        self.bias = Tensor(draw(-bound, bound, outputs), requires_grad=True, dtype=dtype) if bias else None

    def forward(self, x: Any) -> Any:
        """Return x W + b."""
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias

    def __repr__(self) -> str:
        return f"Linear({', '.join(map(str, self.weight.shape))}{', bias=False' if self.bias is None else ''})"


class Sequential(Module):
    """Modules, or functions of one tensor, each applied to the result of the one before.

    Parameters
    ----------
    *layers : Module or callable

    Attributes
    ----------
    layers : list
        The same; parameters are called ``layers.0.weight`` and so on.
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(f"layer {i} of Sequential must be a module or a function, not {type(layer).__name__}")
            if isinstance(layer, type):
                raise TypeError(f"layer {i} of Sequential is the class {layer.__name__}: make one of it, {layer.__name__}(...)")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Return the last layer's result."""
        for layer in self.layers:
            x = layer(x)
        return x

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{i}: {layer!r}" if isinstance(layer, Module) else f"{i}: {_name(layer)}" for i, layer in enumerate(self.layers)]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"Sequential(\n  {body}\n)" if lines else "Sequential()"


class Sigmoid(Module):
    """σ(x) = 1 / (1 + e⁻ˣ), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return σ(x)."""
        return neural.sigmoid(x)


class Tanh(Module):
    """tanh(x), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return tanh(x)."""
        return np.tanh(x)


class ReLU(Module):
    """max(x, 0), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return neural.relu(x)


class GELU(Module):
    """x Φ(x), entry by entry, Φ the normal distribution function (the exact form)."""

    def forward(self, x: Any) -> Any:
        """Return x Φ(x)."""
        return neural.gelu(x)


class Dropout(Module):
    """In training, 0 in place of each entry with probability p, and the others divided by 1 - p; else the identity.

    Parameters
    ----------
    p : float
        The probability, in [0, 1).
    rng : Generator or RandomState, optional

    Notes
    -----
    The expectation of the result is x (Srivastava et al. 2014, "Dropout", scaled in training as in PyTorch's ``Dropout``).
    """

    def __init__(self, p: float = 0.5, rng: Random = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must be at least 0 and less than 1, not {p}")
        self.p = float(p)
        self.rng = generator(rng)

    def forward(self, x: Any) -> Any:
        """Return x, with entries dropped if training."""
        if not self.training or not self.p:
            return x
        kept = self.rng.uniform(size=np.shape(x)) >= self.p
        return x * kept / (1 - self.p)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class LayerNorm(Module):
    """Each sample with its mean taken away and divided by its standard deviation; then scaled and shifted.

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of x, over which mean and variance are taken.
    eps : float
        ε, added to the variance.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight, bias : Tensor of the shape; 1 and 0 at first

    Raises
    ------
    ShapeError
        If the last axes of x are others.

    Notes
    -----
    (x - mean x) / √(var x + ε) ⊙ weight + bias, the variance with divisor n
    (Ba, Kiros & Hinton 2016, "Layer normalization"; as in PyTorch's ``LayerNorm``).
    """

    def __init__(self, shape: int | tuple[int, ...], eps: float = 1e-5, dtype: Any = float) -> None:
        shape = shape if isinstance(shape, tuple) else (shape,)
        require_positive("LayerNorm", *shape)
        self.eps = float(eps)
        self.weight = Tensor(np.ones(shape), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(shape), requires_grad=True, dtype=dtype)

    def forward(self, x: Any) -> Any:
        """Return the normalised samples, of x's shape."""
        shape, axes = self.weight.shape, tuple(range(-self.weight.ndim, 0))
        if np.shape(x)[-len(shape) :] != shape:
            raise ShapeError(f"LayerNorm: the last axes of x must be {shape}, and x has shape {np.shape(x)}")
        centred = x - np.mean(x, axis=axes, keepdims=True)
        variance = np.mean(centred * centred, axis=axes, keepdims=True)
        return centred / np.sqrt(variance + self.eps) * self.weight + self.bias

    def __repr__(self) -> str:
        return f"LayerNorm({self.weight.shape}, eps={self.eps})"


class Embedding(Module):
    """A table of vectors, looked up by integers: for indices of shape (...), a result of shape (..., size).

    Parameters
    ----------
    count : int
        The number of vectors.
    size : int
        The length of each.
    rng : Generator or RandomState, optional
    dtype : dtype
        Of the table.

    Attributes
    ----------
    weight : (count, size) Tensor

    Raises
    ------
    DTypeError
        If the indices are no integers.
    IndexError
        If an index is negative or not less than count.

    Notes
    -----
    The entries are drawn from the standard normal distribution, as PyTorch's ``Embedding`` does. Where an index
    repeats, the gradients of its vector add up.
    """

    def __init__(self, count: int, size: int, rng: Random = None, dtype: Any = float) -> None:
        require_positive("Embedding", count, size)
        self.weight = Tensor(generator(rng).normal(size=(count, size)), requires_grad=True, dtype=dtype)

    def forward(self, indices: Any) -> Tensor:
        """Return the vectors of the indices."""
        return self.weight[places_below("Embedding", "indices", indices, self.weight.shape[0])]

    def __repr__(self) -> str:
        return f"Embedding({', '.join(map(str, self.weight.shape))})"


def _name(layer: Any) -> str:
    """Return what to call a function."""
    return getattr(layer, "__name__", repr(layer))
