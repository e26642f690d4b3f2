"""tinygrad_hw: small, exact, readable automatic differentiation on plain NumPy.

Build        ``Tensor`` records what NumPy computes; ``backward`` differentiates it. ``nn`` and ``optim`` for networks.
Transform    ``grad value_and_grad vjp jvp jacobian hessian hvp vmap checkpoint scan``, to any order; ``primitive`` for rules of your own.
Compile      ``compile`` records a function or a training step once and runs the plan.
See          ``draw`` the recorded graph, ``explain`` it as equations.
Prove        ``testing``: gradient checks, hypothesis strategies, mutated rules; ``detect_anomaly`` for the first nan.

Read on: ``rules.elementwise`` (the calculus, a line a rule), ``graph``, ``backward``, ``tensor``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import array_api, manual, operators, views  # noqa: F401 (they complete the class Tensor)
from .batching import vmap
from .errors import (
    OF_MODULE,
    BatchError,
    CompileError,
    DetachError,
    DTypeError,
    GradientError,
    NoRuleError,
    ShapeError,
    TinygradError,
    no_attribute,
)
from .loops import scan
from .rules.neural import erf, erfc, gelu, leaky_relu, log_sigmoid, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .tensor import Tensor, no_grad
from .transforms import checkpoint, grad, hessian, hvp, jacobian, jvp, primitive, ravel, value_and_grad, vjp

if TYPE_CHECKING:
    from . import data, nn, optim, testing
    from .compiler import compile
    from .drawing import draw
    from .equations import explain
    from .testing import detect_anomaly

__version__ = "0.1.0"

__all__ = [
    "BatchError", "CompileError", "DTypeError", "DetachError", "GradientError", "NoRuleError", "ShapeError", "Tensor", "TinygradError",
    "array_api", "checkpoint", "compile", "data", "detect_anomaly", "draw", "erf", "erfc", "explain", "gelu", "grad", "hessian", "hvp",
    "jacobian", "jvp", "leaky_relu", "log_sigmoid", "log_softmax", "logsumexp", "nn", "no_grad", "optim", "primitive", "ravel", "relu",
    "scan", "sigmoid", "softmax", "softplus", "testing", "value_and_grad", "vjp", "vmap",
]  # fmt: skip

# What is imported only when it is first used
LATER = {
    "draw": "drawing",
    "explain": "equations",
    "detect_anomaly": "testing",
    "compile": "compiler",
    **{name: name for name in ("data", "nn", "optim", "testing")},
}


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        if name not in LATER:
            raise no_attribute(f"module {__name__!r}", name, OF_MODULE)
        module = import_module(f".{LATER[name]}", __name__)
        globals()[name] = module if LATER[name] == name else getattr(module, name)
        return globals()[name]


def __dir__() -> list[str]:
    return __all__
