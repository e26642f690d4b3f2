"""The standard's extension for linear algebra: NumPy's functions, which take Tensors."""

import numpy as np
from numpy import matmul, matrix_transpose, tensordot, vecdot  # noqa: F401 (of the namespace)

AS_IN_NUMPY = """
    cholesky cross det diagonal eigh eigvalsh inv matrix_norm matrix_power matrix_rank outer pinv qr slogdet solve svd svdvals trace
    vector_norm
"""
globals().update({name: getattr(np.linalg, name) for name in AS_IN_NUMPY.split()})
