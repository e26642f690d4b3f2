"""Layers that take the size of their input from the first x, as PyTorch's of the same names do."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..backward import values
from ..errors import CompileError, ShapeError
from ..rules.table import stands_in
from ..tensor import Tensor
from .checks import Random, generator
from .convolution import Conv2d
from .layers import Linear
from .module import Module
from .norms import BatchNorm1d, BatchNorm2d

__all__ = ["LazyBatchNorm1d", "LazyBatchNorm2d", "LazyConv2d", "LazyLinear"]


class _Lazy(Module):
    """What such layers have in common: until the first call the size is 1, then the object becomes a layer of the class ``made``.

    Its tensors stay the same objects, with other values, so that an optimiser may already hold them.
    """

    made: ClassVar[type[Module]]  # the layer that this one becomes
    axis: ClassVar[int]  # of x: where the size is found

    def __init__(self, *args: Any, rng: Random = None, **settings: Any) -> None:
        self.given, self.rng = (args, settings), generator(rng)
        self._take_size(1)

    def _take_size(self, size: int) -> None:
        """Become the layer with inputs of this size."""
        args, settings = self.given
        draws = {} if issubclass(self.made, (BatchNorm1d, BatchNorm2d)) else {"rng": self.rng}
        for name, value in vars(self.made(size, *args, **settings, **draws)).items():  # type: ignore[call-arg]
            own = vars(self).get(name)
            if isinstance(own, Tensor) and isinstance(value, Tensor):
                own._node.value, own._node.mutable = value.numpy().astype(own.dtype), False
            elif name != "_path":
                setattr(self, name, value)

    def draw_parameters(self, rng: Any) -> None:
        """Draw from this generator now, and again at the first call."""
        self.rng = rng
        super().draw_parameters(rng)

    def forward(self, x: Any) -> Tensor:
        """Become the layer, and return its result."""
        if stands_in(values(x)):
            raise CompileError(f"{type(self).__name__} takes its size from the first x: call the network once before it is compiled")
        shape = np.shape(x)
        if len(shape) <= self.axis or not shape:
            raise ShapeError(f"{type(self).__name__} takes its size from axis {self.axis} of the first x, and that has shape {shape}")
        self._take_size(shape[self.axis])
        del self.given, self.rng
        self.__class__ = self.made  # type: ignore[assignment]
        return self.forward(x)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class LazyLinear(_Lazy, Linear):
    """A ``Linear`` whose in_features are those of the first x.

    Parameters
    ----------
    *args, rng, **settings : see ``Linear``; all but in_features.

    Notes
    -----
    From then on it is a ``Linear``. An optimiser may be made before; what is assigned to the weight before is lost.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> layer = nn.LazyLinear(2, rng=0)
    >>> layer([[1.0, 2.0, 3.0]]).shape, layer
    ((1, 2), Linear(3, 2))
    """

    made, axis = Linear, -1


class LazyConv2d(_Lazy, Conv2d):
    """A ``Conv2d`` whose in_channels are those of the first x.

    Parameters
    ----------
    *args, rng, **settings : see ``Conv2d``; all but in_channels.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.LazyConv2d(4, kernel_size=3)(np.ones((2, 3, 6, 6))).shape
    (2, 4, 4, 4)
    """

    made, axis = Conv2d, 1


class LazyBatchNorm1d(_Lazy, BatchNorm1d):
    """A ``BatchNorm1d`` whose num_features are those of the first x.

    Parameters
    ----------
    *args, rng, **settings : see ``BatchNorm1d``; all but num_features.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.LazyBatchNorm1d()([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """

    made, axis = BatchNorm1d, 1


class LazyBatchNorm2d(_Lazy, BatchNorm2d):
    """A ``BatchNorm2d`` whose num_features are those of the first x.

    Parameters
    ----------
    *args, rng, **settings : see ``BatchNorm1d``; all but num_features.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> nn.LazyBatchNorm2d()(np.ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    made, axis = BatchNorm2d, 1
