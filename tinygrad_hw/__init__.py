"""tinygrad_hw: small, exact, readable automatic differentiation on plain NumPy."""

from .errors import DetachError, DTypeError, GradientError, NoRuleError, ShapeError, TinygradError
from .rules.neural import gelu, leaky_relu, log_sigmoid, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from .tensor import Tensor, no_grad

__version__ = "0.1.0"
