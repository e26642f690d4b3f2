"""The standard's extension for Fourier transforms: NumPy's functions, which take Tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.fft import fft, fftn, fftshift, hfft, ifft, ifftn, ifftshift, ihfft, irfft, irfftn, rfft, rfftn

from .standard import asarray, on_cpu

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip


def fftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of ``fft``."""
    on_cpu(device)
    return asarray(np.fft.fftfreq(n, d).astype(dtype or float))


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Any:
    """Return the frequencies of ``rfft``."""
    on_cpu(device)
    return asarray(np.fft.rfftfreq(n, d).astype(dtype or float))
