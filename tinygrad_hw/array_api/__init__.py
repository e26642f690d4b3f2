"""The Array API standard (2024.12) for Tensors: ``tg.array_api``, which is also what ``Tensor.__array_namespace__()`` returns.

    >>> from tinygrad_hw import array_api as xp
    >>> x = xp.asarray([1.0, 4.0])
    >>> xp.sqrt(x)
    Tensor([1., 2.])

SciPy (with ``SCIPY_ARRAY_API=1``), scikit-learn (with ``array_api_dispatch=True``) and einops compute with Tensors through it, and
gradients flow. Where NumPy does what the standard says, a function is NumPy's own, which takes Tensors; ``standard.py`` has what NumPy does
otherwise. ``linalg`` and ``fft`` are the standard's extensions, ``special`` holds SciPy's special functions. (NumPy 2.0 has only a part of
the standard; 2.1 and later have all of it.)
"""

# ruff: noqa: F401, F403 (the names of the namespace)

from __future__ import annotations

import numpy as np
from numpy import e, inf, nan, newaxis, pi

from . import fft, linalg, members, special
from .info import Info
from .standard import *

__array_api_version__ = "2024.12"
__array_namespace_info__ = Info

AS_IN_NUMPY = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
    ceil conj copysign cos cosh divide equal exp floor greater greater_equal hypot imag isfinite isinf isnan less
    less_equal log log10 log1p log2 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply negative nextafter
    not_equal positive pow real reciprocal remainder round sign signbit sin sinh sqrt square subtract tan tanh trunc
    all any argmax argmin cumulative_prod cumulative_sum diff max mean min nonzero prod searchsorted std sum var where
    broadcast_arrays broadcast_to concat flip matmul matrix_transpose meshgrid moveaxis permute_dims roll squeeze stack
    tensordot tile tril triu unique_all unique_counts unique_inverse unique_values vecdot
    bool complex64 complex128 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64
"""
globals().update({name: getattr(np, name) for name in AS_IN_NUMPY.split() if hasattr(np, name)})  # (cumulative_sum is of NumPy 2.1)
