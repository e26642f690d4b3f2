"""What else is known of NumPy's functions, for what reads recorded calls: drawings, equations, the compiler."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

__all__ = ["ABOUT_SHAPES", "COMPARISONS", "SHAPED_BY_VALUES", "SIGNS"]

# Python's signs for functions of two arguments
SIGNS: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.divide: "/", np.matmul: "@", np.dot: "@", np.power: "**", np.floor_divide: "//",
    np.remainder: "%", np.greater: ">", np.less: "<", np.greater_equal: ">=", np.less_equal: "<=", np.equal: "==", np.not_equal: "!=",
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/", operator.pow: "**", operator.floordiv: "//",
    operator.mod: "%",
}  # fmt: skip
COMPARISONS = {np.greater, np.less, np.greater_equal, np.less_equal, np.equal, np.not_equal}

# Their results depend on shapes and dtypes alone.
ABOUT_SHAPES = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.min_scalar_type, np.iscomplexobj, np.isrealobj,
    np.zeros_like, np.ones_like, np.empty_like, np.broadcast_shapes, np.tril_indices_from, np.triu_indices_from, np.diag_indices_from,
    np.iterable, np.isscalar,
}  # fmt: skip

# The shapes of their results depend on values.
SHAPED_BY_VALUES = {
    np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values,
    np.compress, np.extract, np.trim_zeros, np.bincount, np.histogram,
}  # fmt: skip
