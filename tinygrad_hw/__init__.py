"""tinygrad_hw: small, exact, readable automatic differentiation on plain NumPy.

Build        ``Tensor`` records what NumPy computes; ``backward`` differentiates it. ``nn`` and ``optim`` for networks.
Transform    ``grad value_and_grad vjp jvp jacobian hessian hvp checkpoint``, to any order; ``primitive`` for rules of your own.
See          ``draw`` the recorded graph, ``explain`` it as equations.
Prove        ``testing``: gradient checks, hypothesis strategies, mutated rules; ``detect_anomaly`` for the first nan.

Read on: ``rules.elementwise`` (the calculus, a line a rule), ``graph``, ``backward``, ``tensor``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import nn, optim
from .errors import DetachError, DTypeError, GradientError, NoRuleError, ShapeError, TinygradError
from .rules.neural import gelu, leaky_relu, log_sigmoid, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .tensor import Tensor, no_grad
from .transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, primitive, value_and_grad, vjp

if TYPE_CHECKING:
    from . import testing
    from .drawing import draw
    from .equations import explain
    from .testing import detect_anomaly

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
    "detect_anomaly",
    "draw",
    "explain",
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
    "testing",
    "value_and_grad",
    "vjp",
]

# What is imported only when it is used.
LATER = {"draw": "drawing", "explain": "equations", "detect_anomaly": "testing"}


def __getattr__(name: str) -> Any:
    if name == "testing":
        return import_module(".testing", __name__)
    if name in LATER:
        return getattr(import_module(f".{LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
