"""Prove gradients: the engine's, your rules', your own by hand.

``check_gradients``        every derivative of a function against numeric ones, with a verdict and the likeliest cause.
``assert_same_gradients``  gradients that you derived against the engine's.
``grade``                  backpropagation by hand, line by line: what each line is, or what is wrong with it, with the right equation.
``assert_compiled_is_eager``  what a function does, compiled, against what it does by itself.
``detect_anomaly``         where the first nan or infinity comes from.
``laws``                   what every derivative must obey, as properties to call in a test.
``strategies``             hypothesis strategies: special values first, whole networks, whole programs (needs hypothesis).
``mutants``                wrong derivatives, to see whether a test suite notices (``python -m tinygrad_hw.testing.mutants tests/``).
"""

from . import laws
from .anomaly import AnomalyError, detect_anomaly
from .check import Verdict, WrongGradientError, assert_same_gradients, check_gradients
from .compiled import assert_compiled_is_eager
from .grade import Grade, grade

__all__ = [
    "AnomalyError",
    "Grade",
    "Verdict",
    "WrongGradientError",
    "assert_compiled_is_eager",
    "assert_same_gradients",
    "check_gradients",
    "detect_anomaly",
    "grade",
    "laws",
]
