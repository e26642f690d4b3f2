"""What is done to the gradients of a model before an optimiser's step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..errors import GradientError
from ..tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _with_gradients(parameters: Any) -> list[Tensor]:
    """Return those of the parameters that have a gradient."""
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    return [parameter for parameter in parameters if parameter._node.grad is not None]


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Any:
    """Scale the gradients so that all of them together, as one vector, have at most this norm.

    Parameters
    ----------
    parameters : iterable of Tensor, or Tensor
        Those without a gradient are left out.
    max_norm : float
    norm_type : float
        The p of the norm (Σ |g|ᵖ)^(1/p); ``inf`` for the largest |g|.
    error_if_nonfinite : bool
        Whether a norm that is inf or nan is an error.

    Returns
    -------
    float
        The norm before.

    Raises
    ------
    GradientError
        If the norm is not finite, and that is to be an error.

    Notes
    -----
    g ← g min(1, max_norm / (norm + 10⁻⁶)), as PyTorch does (Pascanu, Mikolov & Bengio 2013).

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> w.grad = [3.0, 4.0]
    >>> float(nn.utils.clip_grad_norm_([w], 1.0)), w.grad.round(3)
    (5.0, array([0.6, 0.8]))
    """
    found = _with_gradients(parameters)
    if not norm_type > 0:
        raise ValueError(f"clip_grad_norm_: norm_type must be above 0, not {norm_type!r}")
    sizes = [np.abs(parameter._node.grad.astype(float)) for parameter in found]
    if norm_type == np.inf:
        norm: Any = max((size.max(initial=0) for size in sizes), default=0.0)
    else:
        norm = sum((size**norm_type).sum() for size in sizes) ** (1 / norm_type)
    if error_if_nonfinite and not np.isfinite(norm):
        raise GradientError(f"clip_grad_norm_: the gradients' norm is {norm}, and error_if_nonfinite was asked for")
    factor = np.minimum(1.0, max_norm / (norm + 1e-6))
    for parameter in found:
        grad = parameter._node.grad
        parameter._node.grad = (grad * factor).astype(grad.dtype)
    return norm


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Cut each entry of the gradients off at ±clip_value.

    Parameters
    ----------
    parameters : see ``clip_grad_norm_``.
    clip_value : float

    Raises
    ------
    ValueError
        If clip_value is negative.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, nn
    >>> w = Tensor([3.0, 4.0], requires_grad=True)
    >>> w.grad = [-3.0, 0.5]
    >>> nn.utils.clip_grad_value_([w], 1.0)
    >>> w.grad
    array([-1. ,  0.5])
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: clip_value must be >= 0, not {clip_value!r}")
    for parameter in _with_gradients(parameters):
        parameter._node.grad = np.clip(parameter._node.grad, -clip_value, clip_value)
