"""tinygrad_hw: small, exact, readable automatic differentiation on plain NumPy.

Build        ``Tensor`` records what NumPy computes; ``backward`` differentiates it. ``nn`` and ``optim`` for networks.
Transform    ``grad value_and_grad vjp jvp jacobian hessian hvp checkpoint``, to any order; ``primitive`` for rules of your own.

Read on: ``rules.elementwise`` (the calculus, a line a rule), ``graph``, ``backward``, ``tensor``.
"""

from . import nn, optim
from .errors import DetachError, DTypeError, GradientError, NoRuleError, ShapeError, TinygradError
from .rules.neural import gelu, leaky_relu, log_sigmoid, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .tensor import Tensor, no_grad
from .transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, primitive, value_and_grad, vjp

__version__ = "0.1.0"

__all__ = [
    "DTypeError",
    "DetachError",
    "GradientError",
    "NoRuleError",
    "ShapeError",
    "Tensor",
    "TinygradError",
    "checkpoint",
    "gelu",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "relu",
    "sigmoid",
    "softmax",
    "softplus",
    "value_and_grad",
    "vjp",
]
