"""The usual layers: linear maps, tables of vectors, activations, dropout and changes of shape."""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..rules import neural
from ..tensor import Tensor
from . import functional
from .checks import Random, as_input, generator, indices_below, one_of, probability, require_positive
from .module import FunctionModule, Module

__all__ = [
    "ELU", "GELU", "Dropout", "Embedding", "Flatten", "Identity", "LeakyReLU", "Linear", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax",
    "Softplus", "Tanh",
]  # fmt: skip


def draw_uniform(rng: Any, bound: float, *tensors: Tensor | None) -> None:
    """Draw the values of tensors, one after the other, from the uniform distribution on [-bound, bound)."""
    for tensor in tensors:
        if tensor is not None:
            tensor.data = rng.uniform(-bound, bound, tensor.shape)


class Linear(Module):
    """y = x W + b, for x of shape (..., in_features).

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last axis of x and of y.
    bias : bool
    rng : Generator, RandomState or int, optional
    dtype : dtype of the parameters

    Attributes
    ----------
    weight : (in_features, out_features) Tensor
    bias : (out_features,) Tensor, or None

    Notes
    -----
    Both are drawn, weight first, from the uniform distribution on ±1/√in_features, as PyTorch's ``Linear`` does.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> layer = nn.Linear(3, 2, rng=0)
    >>> layer([[1.0, 2.0, 3.0]]).shape, [parameter.shape for parameter in layer.parameters()]
    ((1, 2), [(3, 2), (2,)])
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, rng: Random = None, dtype: Any = float) -> None:
        require_positive("Linear", in_features, out_features)
        self.weight = Tensor(np.zeros((in_features, out_features)), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(out_features), requires_grad=True, dtype=dtype) if bias else None
        self.draw_parameters(generator(rng))

    def draw_parameters(self, rng: Any) -> None:
        """Draw the weight, then the bias."""
        draw_uniform(rng, 1 / sqrt(self.weight.shape[0]), self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        x = as_input(self, x, self.weight)
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias

    def __repr__(self) -> str:
        return f"Linear({', '.join(map(str, self.weight.shape))}{', bias=False' if self.bias is None else ''})"


# Activations
class Sigmoid(FunctionModule):
    function = staticmethod(neural.sigmoid)


class Tanh(Module):
    """tanh(x), entry by entry.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.Tanh()([-1000.0, 0.0, 1000.0])
    array([-1.,  0.,  1.])
    """

    def forward(self, x: Any) -> Tensor:
        return np.tanh(x)


class ReLU(FunctionModule):
    function = staticmethod(neural.relu)


class LeakyReLU(Module):
    """x where x > 0, else the slope times x, entry by entry.

    Parameters
    ----------
    negative_slope : float

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.LeakyReLU(0.1)([-1.0, 0.0, 2.0])
    array([-0.1,  0. ,  2. ])
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = float(negative_slope)

    def forward(self, x: Any) -> Tensor:
        return neural.leaky_relu(x, self.negative_slope)

    def __repr__(self) -> str:
        return f"LeakyReLU({self.negative_slope})"


class ELU(Module):
    """x where x > 0, else α (eˣ - 1), entry by entry.

    Parameters
    ----------
    alpha : float

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.ELU()([-1000.0, 0.0, 2.0])
    array([-1.,  0.,  2.])
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = float(alpha)

    def forward(self, x: Any) -> Tensor:
        return functional.elu(x, self.alpha)

    def __repr__(self) -> str:
        return f"ELU({self.alpha})"


class GELU(Module):
    """x Φ(x), entry by entry, Φ the normal distribution function.

    Parameters
    ----------
    approximate : "none" or "tanh", see ``functional.gelu``

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.GELU()([-1.0, 0.0, 1.0])
    array([-0.15865525,  0.        ,  0.84134475])
    """

    def __init__(self, approximate: str = "none") -> None:
        one_of("GELU: approximate", approximate, ("none", "tanh"))
        self.approximate = approximate

    def forward(self, x: Any) -> Tensor:
        return functional.gelu(x, self.approximate)

    def __repr__(self) -> str:
        return "GELU()" if self.approximate == "none" else f"GELU({self.approximate!r})"


class SiLU(FunctionModule):
    function = staticmethod(functional.silu)


class Softplus(FunctionModule):
    function = staticmethod(neural.softplus)


class Softmax(Module):
    """eˣ divided by its sum over the axis ``dim``.

    Parameters
    ----------
    dim : int

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.Softmax()([[0.0, 0.0], [0.0, 1000.0]])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = int(dim)

    def forward(self, x: Any) -> Tensor:
        return neural.softmax(x, self.dim)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(dim={self.dim})"


class LogSoftmax(Softmax):
    """The logarithm of the softmax over the axis ``dim``.

    Parameters
    ----------
    dim : int

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.LogSoftmax()([0.0, 1000.0])
    array([-1000.,     0.])
    """

    def forward(self, x: Any) -> Tensor:
        return neural.log_softmax(x, self.dim)


# Shapes
class Identity(Module):
    """x itself.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.Identity()(3.0)
    3.0
    """

    def forward(self, x: Any) -> Tensor:
        return x


class Flatten(Module):
    """The axes from ``start_dim`` to ``end_dim`` as one axis: if not given, all but the first, that of the samples.

    Parameters
    ----------
    start_dim, end_dim : int

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.Flatten()(np.ones((5, 3, 2, 2))).shape
    (5, 12)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = int(start_dim), int(end_dim)

    def forward(self, x: Any) -> Tensor:
        shape = np.shape(x)
        try:
            start, end = (range(len(shape))[axis] for axis in (self.start_dim, self.end_dim))
        except IndexError:
            raise ShapeError(f"{self!r} needs these axes, and x has shape {shape}") from None
        return np.reshape(x, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))  # type: ignore[return-value]

    def __repr__(self) -> str:
        return f"Flatten({self.start_dim}, {self.end_dim})"


class Dropout(Module):
    """In training, 0 in place of each entry with probability p, and the others divided by 1 - p; else the identity.

    Parameters
    ----------
    p : float in [0, 1)
    rng : Generator, RandomState or int, optional

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> layer = nn.Dropout(0.5, rng=0)
    >>> layer([1.0, 1.0]), layer.eval()([1.0, 1.0])
    (array([2., 0.]), [1.0, 1.0])
    """

    def __init__(self, p: float = 0.5, rng: Random = None) -> None:
        self.p = probability("Dropout", p)
        self.rng = generator(rng)

    def draw_parameters(self, rng: Any) -> None:
        """Draw from this generator from now on."""
        self.rng = rng

    def forward(self, x: Any) -> Tensor:
        return functional.dropout(x, self.p, self.training, self.rng)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class Embedding(Module):
    """A table of vectors, looked up by integers: for indices of shape (...), a result of shape (..., embedding_dim).

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        The number of vectors, and the length of each.
    rng, dtype : see ``Linear``.
    padding_idx : int, optional
        The index of a vector that is 0 at first and gets no gradient.

    Attributes
    ----------
    weight : (num_embeddings, embedding_dim) Tensor

    Raises
    ------
    DTypeError, IndexError
        If the indices are no integers, or not from 0 to num_embeddings - 1.

    Notes
    -----
    The entries are drawn from the standard normal distribution, as PyTorch's ``Embedding`` does. Where an index
    repeats, the gradients of its vector add up.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.Embedding(10, 4)([[1, 2, 3], [4, 5, 1]]).shape
    (2, 3, 4)
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, rng: Random = None, dtype: Any = float, padding_idx: int | None = None
    ) -> None:
        require_positive("Embedding", num_embeddings, embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise IndexError(f"Embedding: padding_idx must be from {-num_embeddings} to {num_embeddings - 1}, not {padding_idx}")
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight = Tensor(np.zeros((num_embeddings, embedding_dim)), requires_grad=True, dtype=dtype)
        self.draw_parameters(generator(rng))

    def draw_parameters(self, rng: Any) -> None:
        """Draw the table."""
        values = rng.normal(size=self.weight.shape)
        if self.padding_idx is not None:
            values[self.padding_idx] = 0
        self.weight.data = values

    def forward(self, indices: Any) -> Tensor:
        places = indices_below("Embedding", "indices", indices, self.weight.shape[0])
        return functional.embedding(places, self.weight, self.padding_idx)

    def __repr__(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"Embedding({', '.join(map(str, self.weight.shape))}{padding})"
