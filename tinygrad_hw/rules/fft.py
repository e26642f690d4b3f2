"""The calculus of Fourier transforms: four linear maps; all others of ``numpy.fft`` are made of them.

The matrix of a transform is symmetric, so its rule is the transform itself, between lengths cropped or padded with zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .shaping import scatter
from .table import composition, rule

FLIPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def resized(x: Any, n: int, axis: int) -> Any:
    """Return x with n entries along the axis: cropped, or followed by zeros."""
    axis = axis % x.ndim
    kept = (slice(None),) * axis + (slice(min(n, x.shape[axis])),)
    return x[kept] if n <= x.shape[axis] else scatter(x, kept, (*x.shape[:axis], n, *x.shape[axis + 1 :]))


def _rfft(g: Any, out: Any, a: Any, n: int | None = None, axis: int = -1, norm: Any = None, _: None = None) -> Any:
    """Return the real part of g's transform, g standing for the frequencies from 0 up."""
    n = a.shape[axis] if n is None else n
    return resized(np.real(np.fft.fft(resized(g, n, axis), n, axis, norm)), a.shape[axis], axis)


def _irfft(g: Any, out: Any, a: Any, n: int | None = None, axis: int = -1, norm: Any = None, _: None = None) -> Any:
    """Return the conjugate of g's transform; a frequency that has a mirror image counts twice."""
    n = out.shape[axis]
    weights = np.full(n // 2 + 1, 2.0, g.dtype)
    weights[0] = weights[n // 2 if n % 2 == 0 else 0] = 1
    weights = weights.reshape(-1, *(1,) * (g.ndim - 1 - axis % g.ndim))
    return resized(weights * np.conjugate(np.fft.rfft(g, n, axis, FLIPPED[norm])), a.shape[axis], axis)


rule(np.fft.fft,   lambda g, out, a, n=None, axis=-1, norm=None, _=None: resized(np.fft.fft(g, None, axis, norm), a.shape[axis], axis))
rule(np.fft.ifft,  lambda g, out, a, n=None, axis=-1, norm=None, _=None: resized(np.fft.ifft(g, None, axis, norm), a.shape[axis], axis))
rule(np.fft.rfft,  _rfft)
rule(np.fft.irfft, _irfft)

composition(np.fft.hfft)(lambda a, n=None, axis=-1, norm=None, out=None: np.fft.irfft(np.conjugate(a), n, axis, FLIPPED[norm]))
composition(np.fft.ihfft)(lambda a, n=None, axis=-1, norm=None, out=None: np.conjugate(np.fft.rfft(a, n, axis, FLIPPED[norm])))


def _each_axis(transform: Any, first: Any = None, last: Any = None) -> Any:
    """Return the transform over several axes in NumPy's order; ``first`` or ``last`` transforms the last axis instead."""

    def call(a: Any, s: Any = None, axes: Any = None, norm: Any = None, out: None = None) -> Any:
        axes = range(-a.ndim if s is None else -len(s), 0) if axes is None else axes
        sizes = [None] * len(axes) if s is None else [None if n == -1 else n for n in s]
        if len(sizes) != len(axes):
            raise ValueError("Shape and axes have different lengths.")
        pairs = list(zip(sizes, axes))
        if first or last:
            *pairs, (size, axis) = pairs
        a = first(a, size, axis, norm) if first else a
        for n, i in pairs if last else reversed(pairs):
            a = transform(a, n, i, norm)
        return last(a, size, axis, norm) if last else a

    return call


for plain, flat, call in (
    (np.fft.fftn, np.fft.fft2, _each_axis(np.fft.fft)),
    (np.fft.ifftn, np.fft.ifft2, _each_axis(np.fft.ifft)),
    (np.fft.rfftn, np.fft.rfft2, _each_axis(np.fft.fft, first=np.fft.rfft)),
    (np.fft.irfftn, np.fft.irfft2, _each_axis(np.fft.ifft, last=np.fft.irfft)),
):
    composition(plain)(call)
    composition(flat)(lambda a, s=None, axes=(-2, -1), norm=None, out=None, call=call: call(a, s, axes, norm))


def _shifted(x: Any, axes: Any, sign: int) -> Any:
    """Return x with the zero frequency rolled to the middle (1) or back (-1)."""
    axes = tuple(range(x.ndim)) if axes is None else (axes,) if isinstance(axes, int) else tuple(axes)
    return np.roll(x, [sign * (x.shape[axis] // 2) for axis in axes], axes)


composition(np.fft.fftshift)(lambda x, axes=None: _shifted(x, axes, 1))
composition(np.fft.ifftshift)(lambda x, axes=None: _shifted(x, axes, -1))
