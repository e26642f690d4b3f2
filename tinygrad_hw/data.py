"""Data: minibatches in a new order each time, and how many predictions are right.

>>> import numpy as np
>>> from tinygrad_hw import data
>>> X, y = np.arange(10.0).reshape(5, 2), np.arange(5)
>>> [len(y_batch) for X_batch, y_batch in data.batches(X, y, size=2, rng=0)]
[2, 2, 1]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ShapeError, no_attribute
from .nn.checks import generator, require_positive
from .tensor import Tensor

if TYPE_CHECKING:
    from .nn.checks import Random

__all__ = ["accuracy", "batches"]


class batches:
    """Batches of arrays that belong together, entry by entry along their first axes; each pass over them is one epoch.

    Parameters
    ----------
    *arrays : array_like of one length
    size : int
        The entries of a batch; the last one has what is left.
    shuffle : bool
        Whether each pass takes the entries in a new random order.
    drop_last : bool
        Whether a last batch of fewer entries is left out.
    rng : Generator, RandomState or int, optional
        What the order is drawn from.

    Yields
    ------
    tuple of ndarray, or ndarray if there is one array
        Copies of the entries.

    Raises
    ------
    ShapeError
        If there are no arrays, one is empty, or their lengths differ.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import data
    >>> loader = data.batches(np.arange(4), size=3, shuffle=False)
    >>> len(loader), [batch.tolist() for batch in loader]
    (2, [[0, 1, 2], [3]])
    """

    def __init__(self, *arrays: Any, size: int, shuffle: bool = True, drop_last: bool = False, rng: Random = None) -> None:
        require_positive("batches", size)
        self.arrays = [array.numpy() if isinstance(array, Tensor) else np.asarray(array) for array in arrays]
        shapes = ", ".join(str(array.shape) for array in self.arrays)
        if not self.arrays or any(array.ndim == 0 or not len(array) for array in self.arrays):
            raise ShapeError(f"batches: there must be arrays with entries, not {shapes or 'none'}")
        if len({len(array) for array in self.arrays}) > 1:
            raise ShapeError(f"batches: the arrays must have as many entries as each other, and their shapes are {shapes}")
        self.size, self.shuffle, self.drop_last, self.rng = size, shuffle, drop_last, generator(rng)

    def __len__(self) -> int:
        whole, rest = divmod(len(self.arrays[0]), self.size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Any]:
        count = len(self.arrays[0])
        order = self.rng.permutation(count) if self.shuffle else np.arange(count)
        for i in range(len(self)):
            places = order[i * self.size : (i + 1) * self.size]
            parts = tuple(array[places] for array in self.arrays)
            yield parts if len(parts) > 1 else parts[0]


def accuracy(scores: Any, classes: Any) -> float:
    """Return the share of samples whose class has the highest score.

    Parameters
    ----------
    scores : (N, C) array_like or Tensor
        A score, a logit or a probability for each class; or (N,), the predicted classes.
    classes : (N,) array_like or Tensor of integers

    Returns
    -------
    float

    Raises
    ------
    ShapeError
        If the shapes do not fit, or there are no samples.

    Examples
    --------
    >>> from tinygrad_hw import data
    >>> data.accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    given, right = (x.numpy() if isinstance(x, Tensor) else np.asarray(x) for x in (scores, classes))
    if given.ndim not in (1, 2) or right.shape != given.shape[:1] or not right.size:
        raise ShapeError(f"accuracy: scores of shape (N, C), or classes (N,), need classes (N,); they have {given.shape} and {right.shape}")
    return float(np.mean((given.argmax(1) if given.ndim == 2 else given) == right))


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        loader = "batches(X, y, size=32, rng=0)"
        raise no_attribute(
            f"module {__name__!r}", name, {"DataLoader": loader, "TensorDataset": loader, "random_split": "rng.permutation(len(X))"}
        )
