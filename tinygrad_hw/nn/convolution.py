"""Convolution and pooling as layers."""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..tensor import Tensor
from . import functional
from .checks import Random, as_input, generator, require_positive
from .layers import draw_uniform
from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "Conv1d", "Conv2d", "MaxPool1d", "MaxPool2d"]

Sizes: TypeAlias = "int | tuple[int, ...]"  # one for all axes of space, or one for each


def _sizes(layer: str, value: Sizes, axes: int) -> tuple[int, ...]:
    """Return one size for each axis of space."""
    sizes = value if isinstance(value, tuple) else (value,) * axes
    require_positive(layer, *sizes)
    if len(sizes) != axes:
        raise ValueError(f"{layer}: kernel_size must be one number, or {axes}, not {value!r}")
    return sizes


class _Conv(Module):
    axes: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        bias: bool = True,
        rng: Random = None,
        dtype: Any = float,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> None:
        name = type(self).__name__
        require_positive(name, in_channels, out_channels, groups)
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} and {out_channels} channels cannot be divided into {groups} groups")
        self.settings: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        shape = (out_channels, in_channels // groups, *_sizes(name, kernel_size, self.axes))
        self.weight = Tensor(np.zeros(shape), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(out_channels), requires_grad=True, dtype=dtype) if bias else None
        self.draw_parameters(generator(rng))

    def draw_parameters(self, rng: Any) -> None:
        """Draw the weight, then the bias."""
        draw_uniform(rng, 1 / sqrt(prod(self.weight.shape[1:])), self.weight, self.bias)

    def forward(self, x: Any) -> Tensor:
        """Return the convolution of x, of shape (N, in_channels, *space)."""
        return self.function(as_input(self, x, self.weight), self.weight, self.bias, **self.settings)

    def __repr__(self) -> str:
        out, inputs, *size = self.weight.shape
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True}
        settings = {**self.settings, "bias": self.bias is not None}
        rest = "".join(f", {name}={value}" for name, value in settings.items() if value != usual[name])
        return f"{type(self).__name__}({inputs * self.settings['groups']}, {out}, kernel_size={tuple(size)}{rest})"


class Conv1d(_Conv):
    """The cross-correlation of signals with kernels; see ``Conv2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, bias, rng, dtype, dilation, groups : see ``Conv2d``.

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, k) Tensor
    bias : (out_channels,) Tensor, or None

    Raises
    ------
    ValueError
        As ``Conv2d``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.Conv1d(3, 8, kernel_size=5)(np.ones((2, 3, 20))).shape
    (2, 8, 16)
    """

    axes, function = 1, staticmethod(functional.conv1d)


class Conv2d(_Conv):
    """The cross-correlation of images with kernels, which networks call convolution.

    Parameters
    ----------
    in_channels, out_channels : int
        The channels of x, and how many kernels there are.
    kernel_size : int or (int, int)
    stride, padding : int or (int, int)
        Steps between windows; zeros put around each image.
    bias, rng, dtype : see ``Linear``.
    dilation : int or (int, int)
        The distance of neighbours in a window.
    groups : int
        The channels are divided into so many groups, each with kernels of its own.

    Attributes
    ----------
    weight : (out_channels, in_channels / groups, h, w) Tensor
    bias : (out_channels,) Tensor, or None

    Raises
    ------
    ValueError
        If a size is not positive, or groups do not divide the channels; if the channels of x are others, or no window fits.

    Notes
    -----
    The formula is that of ``functional.conv2d``. Both parameters are drawn, weight first, from the uniform distribution on ±1/√f,
    f = in_channels / groups · h · w, as PyTorch's ``Conv2d`` does.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.Conv2d(3, 8, kernel_size=3, padding=1)(np.ones((5, 3, 16, 16))).shape
    (5, 8, 16, 16)
    """

    axes, function = 2, staticmethod(functional.conv2d)


class _Pool(Module):
    axes: ClassVar[int]
    function: ClassVar[Callable[..., Any]]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        self.kernel_size, self.stride, self.padding = _sizes(type(self).__name__, kernel_size, self.axes), stride, padding

    def forward(self, x: Any) -> Tensor:
        """Return the largest entries of the windows of x, of shape (N, C, *space), or their means."""
        return self.function(x, self.kernel_size, self.stride, self.padding)

    def __repr__(self) -> str:
        size = self.kernel_size[0] if len(set(self.kernel_size)) == 1 else self.kernel_size
        rest = "" if self.stride is None and not self.padding else f", stride={self.stride}, padding={self.padding}"
        return f"{type(self).__name__}({size}{rest})"


class MaxPool1d(_Pool):
    """The largest entry of each window of signals; see ``MaxPool2d``.

    Parameters
    ----------
    kernel_size, stride, padding : see ``MaxPool2d``.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.MaxPool1d(2)(Tensor([[[1.0, 5.0, 2.0, 3.0]]]))
    Tensor([[[5., 3.]]])
    """

    axes, function = 1, staticmethod(functional.max_pool)


class MaxPool2d(_Pool):
    """The largest entry of each window of images; entries that tie share its gradient equally.

    Parameters
    ----------
    kernel_size : int or (int, int)
    stride : int or (int, int), optional
        Steps between windows; the size if not given.
    padding : int or (int, int)
        How far windows may reach out of x; there is nothing there to be the largest.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.MaxPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """

    axes, function = 2, staticmethod(functional.max_pool)


class AvgPool1d(_Pool):
    """The mean of each window of signals; see ``AvgPool2d``.

    Parameters
    ----------
    kernel_size, stride, padding : see ``MaxPool2d``.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> nn.AvgPool1d(2)(Tensor([[[1.0, 5.0, 2.0, 3.0]]]))
    Tensor([[[3. , 2.5]]])
    """

    axes, function = 1, staticmethod(functional.avg_pool)


class AvgPool2d(_Pool):
    """The mean of each window of images; the zeros of the padding count.

    Parameters
    ----------
    kernel_size, stride, padding : see ``MaxPool2d``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.AvgPool2d(2)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """

    axes, function = 2, staticmethod(functional.avg_pool)


class AdaptiveAvgPool2d(Module):
    """The means of windows that divide an image evenly; the mean of the whole for ``output_size`` 1.

    Parameters
    ----------
    output_size : int or (int, int)

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.AdaptiveAvgPool2d(1)(np.arange(16.0).reshape(1, 1, 4, 4))
    array([[[[7.5]]]])
    """

    def __init__(self, output_size: Sizes) -> None:
        self.output_size = _sizes("AdaptiveAvgPool2d", output_size, 2)

    def forward(self, x: Any) -> Tensor:
        """Return the means of x, of shape (N, C, H, W)."""
        return functional.adaptive_avg_pool2d(x, self.output_size)

    def __repr__(self) -> str:
        return f"AdaptiveAvgPool2d({self.output_size})"
