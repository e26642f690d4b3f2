"""The calculus of numpy.fft: the laws for every transform, length, axis and normalisation, real and complex."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import Case, every_case_obeys, every_row_has_a_case, gradients, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import Tensor

F = np.fft
V, M, T = spread(5), spread(2, 4), spread(2, 2, 3)
OPTIONS = [{}, {"n": 3}, {"n": 8, "axis": 0}, {"norm": "ortho"}, {"norm": "forward"}]
MANY = [{}, {"s": (3, 2), "axes": (1, 0)}, {"s": (1, 5), "axes": (0, 1), "norm": "ortho"}, {"norm": "forward", "axes": (0, 1)}]


def parts(out):
    """Return a complex result as real numbers."""
    return np.concatenate([np.ravel(np.real(out)), np.ravel(np.imag(out))]) if out.dtype.kind == "c" else out


def case(function, *xs, **kwargs):
    """Return the case of a transform of x, or of x + iy."""
    return Case(function, *xs, call=lambda x, *y: parts(function(x + 1j * y[0] if y else x, **kwargs)))


CASES = [
    *(case(f, V, **k) for f in (F.fft, F.ifft, F.rfft, F.irfft, F.hfft, F.ihfft) for k in OPTIONS),
    *(case(f, V[:4], V[1:], **k) for f in (F.fft, F.ifft, F.irfft, F.hfft) for k in OPTIONS),
    *(case(f, M, axis=0) for f in (F.fft, F.rfft, F.irfft)),
    *(case(f, M, **k) for f in (F.fft2, F.ifft2, F.rfft2, F.irfft2, F.fftn, F.ifftn, F.rfftn, F.irfftn) for k in MANY),
    *(case(f, M, M[::-1], **MANY[1]) for f in (F.fft2, F.ifftn, F.irfft2, F.irfftn)),
    *(case(f, T) for f in (F.fftn, F.ifftn, F.rfftn, F.irfftn)),
    case(F.fftn, T, s=(2, -1), axes=(0, 2)),
    *(case(f, M, axes=axes) for f in (F.fftshift, F.ifftshift) for axes in (None, 1, (0, -1))),
    case(F.fftshift, V),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("fft", CASES)


@given(st.integers(1, 6), st.integers(1, 8), st.sampled_from([None, "backward", "ortho", "forward"]), st.integers(0, 99))
def test_the_inverse_of_the_transform_is_the_identity_and_so_is_its_gradient(size, n, norm, seed):
    x, g = np.random.default_rng(seed).normal(size=(2, size + n))
    for there, back in ((F.fft, F.ifft), (F.rfft, lambda y, norm: F.irfft(y, size + n, norm=norm))):
        found = gradients(lambda t, there=there, back=back: np.real(back(there(t, norm=norm), norm=norm)), [x], g)[0]
        assert_allclose(found, g, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_imaginary_part_of_a_frequency_without_a_mirror_image_has_no_effect(n):
    z = Tensor(np.full(n // 2 + 1, 1 + 1j), requires_grad=True)
    np.sum(F.irfft(z, n) * np.arange(1.0, n + 1)).backward()
    alone = [0, n // 2] if n % 2 == 0 else [0]
    assert_array_equal(z.grad[alone].imag, 0)


def test_complex64_and_float32_stay_in_single_precision():
    x = Tensor(V.astype(np.float32), requires_grad=True)
    spectrum = F.fft(x)
    assert spectrum.dtype == np.complex64
    np.sum(np.abs(spectrum)).backward()
    assert x.grad.dtype == np.float32


def test_wrong_sizes_and_norms_raise_as_numpy_does():
    with pytest.raises(ValueError, match="Shape and axes have different lengths"):
        F.fftn(Tensor(M), s=(2,), axes=(0, 1))
    with pytest.raises(ValueError, match="Invalid norm value"):
        F.fft(Tensor(V), norm="wrong")
