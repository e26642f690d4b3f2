"""The calculus: every derivative that the package knows, one row per function, by topic.

Read ``elementwise`` first: it is the table at its plainest. ``table`` says how a row is written.
"""

from . import (
    convolution,
    elementwise,
    fft,
    gaussian,
    linalg,
    methods,
    neural,
    polynomials,
    products,
    reductions,
    sequences,
    shaping,
    statistics,
    writing,
)
from .table import AS_WRITTEN, CHECKED, COMPOSITIONS, FORMULAS, LISTS, NO_DERIVATIVE, RULES, SPELLINGS, Each, Rule, dispatched, rule

__all__ = [
    "AS_WRITTEN", "CHECKED", "COMPOSITIONS", "FORMULAS", "LISTS", "NO_DERIVATIVE", "RULES", "SPELLINGS", "Each", "Rule", "convolution",
    "dispatched", "elementwise", "fft", "gaussian", "linalg", "methods", "neural", "polynomials", "products", "reductions", "rule",
    "sequences", "shaping", "statistics", "writing",
]
