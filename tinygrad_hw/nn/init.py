"""Initial values for parameters, written into them: ``nn.init.kaiming_normal_(layer.weight, rng=0)``.

Each function takes the Tensor, its own numbers and ``rng`` (a Generator, a RandomState or a seed), and returns the Tensor. What is written
is not recorded. The fan in and the fan out of a weight are its numbers of inputs and outputs: for a ``Linear``, whose weight has the
shape (inputs, outputs), just these; for a convolution, whose weight has the shape (O, C, *size), C · size and O · size.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from ..tensor import Tensor
from .checks import Random, generator, one_of

__all__ = [
    "calculate_gain", "constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_", "trunc_normal_", "uniform_",
    "xavier_normal_", "xavier_uniform_", "zeros_",
]  # fmt: skip


def _filled(tensor: Tensor, values: Any) -> Tensor:
    """Write values into a tensor; return it."""
    tensor.data = np.broadcast_to(values, tensor.shape)
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, rng: Random = None) -> Tensor:
    """Fill a tensor from the uniform distribution on [a, b).

    Parameters
    ----------
    tensor : Tensor
    a, b : float
    rng : Generator, RandomState or int, optional

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.uniform_(Tensor([0.0, 0.0]), 1, 3, rng=0)
    Tensor([2.27392337, 1.53957343])
    """
    return _filled(tensor, generator(rng).uniform(a, b, tensor.shape))


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, rng: Random = None) -> Tensor:
    """Fill a tensor from the normal distribution with this mean and standard deviation.

    Parameters
    ----------
    mean, std : float
    tensor, rng : see ``uniform_``.

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.normal_(Tensor([0.0, 0.0]), std=0.1, rng=0)
    Tensor([ 0.01257302, -0.01321049])
    """
    return _filled(tensor, generator(rng).normal(mean, std, tensor.shape))


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, rng: Random = None) -> Tensor:
    """Fill a tensor from the normal distribution, drawn again where it is not in [a, b].

    Parameters
    ----------
    mean, std, a, b : float
    tensor, rng : see ``uniform_``.

    Returns
    -------
    The same Tensor.

    Raises
    ------
    ValueError
        If next to nothing of the distribution is in [a, b].

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.trunc_normal_(Tensor([0.0, 0.0, 0.0]), a=-0.2, b=0.2, rng=0)
    Tensor([ 0.12573022, -0.13210486,  0.10490012])
    """
    draw = generator(rng)
    values = draw.normal(mean, std, tensor.shape)
    if not a <= mean + 8 * std or not b >= mean - 8 * std or a >= b:
        raise ValueError(f"trunc_normal_: nothing that the normal distribution of {mean} ± {std} gives is in [{a}, {b}]")
    while (outside := (values < a) | (values > b)).any():
        values[outside] = draw.normal(mean, std, int(outside.sum()))
    return _filled(tensor, values)


def constant_(tensor: Tensor, value: float) -> Tensor:
    """Fill a tensor with a number.

    Parameters
    ----------
    tensor : Tensor
    value : float

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.constant_(Tensor([0.0, 0.0]), 0.1)
    Tensor([0.1, 0.1])
    """
    return _filled(tensor, value)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 0.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.zeros_(Tensor([1.0, 2.0]))
    Tensor([0., 0.])
    """
    return _filled(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill a tensor with 1.

    Parameters
    ----------
    tensor : Tensor

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.ones_(Tensor([0.0, 0.0]))
    Tensor([1., 1.])
    """
    return _filled(tensor, 1.0)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, rng: Random = None) -> Tensor:
    """Fill a weight from the uniform distribution on ±gain √(6 / (fan in + fan out)) (Glorot & Bengio 2010).

    Parameters
    ----------
    tensor : Tensor of two axes or more
    gain : float
        See ``calculate_gain``.
    rng : Generator, RandomState or int, optional

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.xavier_uniform_(Tensor([[0.0, 0.0, 0.0]]), rng=0)
    Tensor([[ 0.33548625, -0.56390508, -1.12438064]])
    """
    bound = gain * sqrt(6 / sum(_fans(tensor)))
    return uniform_(tensor, -bound, bound, rng)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, rng: Random = None) -> Tensor:
    """Fill a weight from the normal distribution of deviation gain √(2 / (fan in + fan out)) (Glorot & Bengio 2010).

    Parameters
    ----------
    tensor, gain, rng : see ``xavier_uniform_``.

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.xavier_normal_(Tensor([[0.0, 0.0, 0.0]]), rng=0)
    Tensor([[ 0.08890469, -0.09341224,  0.4528472 ]])
    """
    return normal_(tensor, 0.0, gain * sqrt(2 / sum(_fans(tensor))), rng)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Random = None) -> Tensor:
    """Fill a weight from the uniform distribution on ±gain √(3 / fan) (He, Zhang, Ren & Sun 2015).

    Parameters
    ----------
    a : float
        The slope of the leaky ReLU that follows.
    mode : "fan_in" or "fan_out"
        Whether the size is kept forward or backward.
    nonlinearity : str
        What follows; see ``calculate_gain``.
    tensor, rng : see ``xavier_uniform_``.

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.kaiming_uniform_(Tensor([[0.0, 0.0, 0.0]]), nonlinearity="relu", rng=0)
    Tensor([[ 0.6709725 , -1.12781017, -2.24876129]])
    """
    bound = calculate_gain(nonlinearity, a) * sqrt(3 / _fan(tensor, mode))
    return uniform_(tensor, -bound, bound, rng)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", rng: Random = None) -> Tensor:
    """Fill a weight from the normal distribution of deviation gain / √fan (He, Zhang, Ren & Sun 2015).

    Parameters
    ----------
    tensor : Tensor of two axes or more
    a, mode, nonlinearity, rng : see ``kaiming_uniform_``.

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.init.kaiming_normal_(Tensor([[0.0, 0.0, 0.0]]), nonlinearity="relu", rng=0)
    Tensor([[ 0.17780938, -0.18682449,  0.9056944 ]])
    """
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / sqrt(_fan(tensor, mode)), rng)


def orthogonal_(tensor: Tensor, gain: float = 1.0, rng: Random = None) -> Tensor:
    """Fill a tensor so that its rows, flattened, are orthogonal, or its columns if these are fewer (Saxe, McClelland & Ganguli 2014).

    Parameters
    ----------
    gain : float
        The length of each.
    tensor, rng : see ``xavier_uniform_``.

    Returns
    -------
    The same Tensor.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> w = nn.init.orthogonal_(Tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), rng=0)
    >>> abs((w @ w.T).data.round(12))
    array([[1., 0.],
           [0., 1.]])
    """
    _fans(tensor)
    rows, columns = tensor.shape[0], prod(tensor.shape[1:])
    q, r = np.linalg.qr(generator(rng).normal(size=(max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # (which makes every orthogonal matrix as likely as any other)
    return _filled(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that makes up for a nonlinearity, with PyTorch's values: 1 for linear and sigmoid, 5/3 for tanh, √2 for ReLU, ...

    Parameters
    ----------
    nonlinearity : "linear", "conv1d", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu" or "selu"
    param : float, optional
        The slope of leaky_relu, 0.01 if not given.

    Returns
    -------
    float

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.init.calculate_gain("relu")
    1.4142135623730951
    """
    slope = 0.01 if param is None else param
    gains = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2), "selu": 3 / 4}
    gains["leaky_relu"] = sqrt(2 / (1 + slope**2))
    one_of("nonlinearity", nonlinearity, gains)
    return gains[nonlinearity]


def _fans(tensor: Tensor) -> tuple[int, int]:
    """Return the fan in and the fan out of a weight."""
    if tensor.ndim < 2:
        raise ValueError(f"a weight needs two axes or more to have a fan, and this tensor has shape {tensor.shape}")
    if tensor.ndim == 2:
        return tensor.shape[0], tensor.shape[1]
    return prod(tensor.shape[1:]), tensor.shape[0] * prod(tensor.shape[2:])


def _fan(tensor: Tensor, mode: str) -> int:
    """Return the fan that a mode names."""
    one_of("mode", mode, ("fan_in", "fan_out"))
    return _fans(tensor)[mode == "fan_out"]
