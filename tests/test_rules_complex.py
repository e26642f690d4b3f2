"""Complex numbers in the convention of JAX and HIPS autograd: a cotangent g of z stands for dL = Re(g dz).

Every row that takes complex numbers obeys the laws as a function of real and imaginary parts, which no convention can hide.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import LAWS, Case, every_case_obeys, float32_stays_float32, gradients, numpys_ufuncs, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import GradientError, Tensor
from tinygrad_hw.rules import RULES, reductions, shaping

R, J = spread(2, 3), spread(2, 3, low=-0.9, high=0.8, seed=3)
Z = R + 1j * J
W = Z[::-1] * (0.5 - 1j)
MASK = np.array([[True, False, True], [True, True, False]])


def parts(out):
    """Return a result, or several, as one vector of real numbers."""
    flat = [np.ravel(part) for part in (out if isinstance(out, (tuple, list)) else [out])]
    return np.concatenate([p for part in flat for p in ((np.real(part), np.imag(part)) if part.dtype.kind == "c" else (part,))])


def case(function, n=1, call=None, real=(), **kwargs):
    """Return the case of a function of n complex arguments, those named in ``real`` being real."""
    given = call or (lambda *zs: function(*zs, **kwargs))
    inputs = [x for i in range(n) for x in (np.real((Z, W)[i]), np.imag((Z, W)[i]))]

    def of_parts(*xs):
        zs = [a if i in real else a + 1j * b for i, (a, b) in enumerate(zip(xs[::2], xs[1::2]))]
        return parts(given(*zs))

    return Case(function, *inputs, call=of_parts)


UNARY = [
    np.negative, np.positive, np.reciprocal, np.square, np.sqrt, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p,
    np.sin, np.cos, np.tan, np.arcsin, np.arccos, np.arctan, np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh,
    np.absolute, np.sign, np.conjugate, np.real, np.imag, np.angle, np.sinc, np.rint, np.round, np.nan_to_num, np.real_if_close,
]  # fmt: skip
BINARY = [np.add, np.subtract, np.multiply, np.divide, np.power, np.float_power]
FOLDS = [np.sum, np.mean, np.prod, np.var, np.std, np.cumsum, np.cumprod, np.max, np.min, np.nansum, np.nanmean, np.nanvar, np.nanprod]
MOVES = {
    np.sort: {}, np.transpose: {}, np.ravel: {}, np.roll: {"shift": 1}, np.flip: {}, np.take: {"indices": 4}, np.repeat: {"repeats": 2},
    np.tile: {"reps": 2}, np.diff: {}, np.trapezoid: {}, np.gradient: {}, np.diagonal: {}, np.triu: {}, np.pad: {"pad_width": 1},
    np.cov: {}, np.corrcoef: {}, np.ptp: {}, np.average: {}, np.sort_complex: {}, np.poly: {"call": lambda z: np.poly(z[0])},
}  # fmt: skip
CASES = [
    *(case(f) for f in UNARY),
    case(np.angle, deg=True),
    *(case(f, 2, real=real) for f in BINARY for real in ((), (0,), (1,))),
    *(case(f) for f in FOLDS),
    *(case(f, axis=0) for f in FOLDS),
    *(case(f, axis=1, where=MASK) for f in (np.sum, np.mean, np.var, np.std)),
    *(case(f, **kwargs) for f, kwargs in MOVES.items()),
    *(case(f, 2) for f in (np.maximum, np.minimum, np.fmax, np.fmin, np.vdot, np.inner, np.kron, np.vecdot)),
    *(case(f, 2, call=lambda a, v, f=f: f(a[0], v[1], "full")) for f in (np.correlate, np.convolve)),
    *(case(np.matmul, 2, call=lambda a, b: a @ b.T, real=real) for real in ((), (0,), (1,))),
    case(np.dot, 2, call=lambda a, b: np.dot(a, b[0])),
    case(np.tensordot, 2),
    case(np.einsum, 2, call=lambda a, b: np.einsum("ij,kj->ik", a, b)),
    case(np.where, 2, call=lambda a, b: np.where(MASK, a, b), real=(1,)),
    case(np.clip, call=lambda z: np.clip(z, 0.5, 1.5)),
    case(np.concatenate, 2, call=lambda a, b: np.concatenate([a, b]), real=(0,)),
    case(shaping.setitem, 2, call=lambda a, b: shaping.setitem(a, b[0, 0], (0, 1))),
    case(shaping.astype, call=lambda z: z.astype(np.complex128)),
    case(reductions.logsumexp, call=lambda z: tg.logsumexp(z, axis=1)),
    case(reductions.softmax, call=lambda z: tg.softmax(z)),
    case(np.polyval, 2, call=lambda p, x: np.polyval(p[0], x)),
    case(np.interp, call=lambda z: np.interp([0.1, 0.7, 2.5], [0.0, 1.0, 3.0], z[0])),
    case(np.linspace, 2, call=lambda a, b: np.linspace(a, b, 3)),
    case(np.geomspace, 2, call=lambda a, b: np.geomspace(a, b, 3)),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES, [law for law in LAWS if law is not float32_stays_float32])


# The convention itself
HOLOMORPHIC = [
    (np.exp, np.exp), (np.sin, np.cos), (np.square, lambda z: 2 * z), (np.log, lambda z: 1 / z), (np.sqrt, lambda z: 0.5 / np.sqrt(z)),
    (np.arccosh, lambda z: 1 / (np.sqrt(z - 1) * np.sqrt(z + 1))), (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    (lambda z: z**3, lambda z: 3 * z**2),
]  # fmt: skip


@pytest.mark.parametrize("f, derivative", HOLOMORPHIC)
def test_the_rule_of_a_holomorphic_function_is_g_times_its_derivative_without_a_conjugate(f, derivative):
    z = np.array([0.4 + 0.3j, -1.2 + 0.5j, 2 - 1j])
    g = random_like(z) * (1 - 2j)
    assert_allclose(gradients(f, [z], g)[0], g * derivative(z), rtol=1e-13)


def test_the_gradient_of_a_real_result_is_the_derivative_by_the_real_part_minus_i_times_that_by_the_imaginary():
    z = np.array([3 + 4j, -1j])
    assert_allclose(gradients(lambda z: np.sum(np.abs(z) ** 2), [z])[0], 2 * np.conj(z))
    assert_allclose(gradients(lambda z: np.sum(np.real(z)), [z])[0], [1, 1])
    assert_allclose(gradients(lambda z: np.sum(np.imag(z)), [z])[0], [-1j, -1j])
    assert_allclose(gradients(lambda z: np.sum(np.abs(z)), [z])[0], np.conj(z) / np.abs(z))
    assert_allclose(gradients(lambda z: np.sum(np.angle(z)), [z])[0], -1j * np.conj(z) / np.abs(z) ** 2)


def test_a_step_against_the_conjugate_gradient_goes_down():
    z = Tensor([1 + 2j, 3 - 1j], requires_grad=True)
    loss = np.sum(np.abs(z - 1) ** 2)
    loss.backward()
    assert np.sum(np.abs(z.data - 0.1 * np.conj(z.grad) - 1) ** 2) < loss.item()


def test_a_complex_scalar_starts_from_a_cotangent_that_is_given():
    z = Tensor(1 + 2j, requires_grad=True)
    with pytest.raises(GradientError, match=r"a complex number, needs a real one: take np\.real, np\.imag or np\.abs"):
        (z * z).backward()
    (z * z).backward(1j)
    assert z.grad == 1j * (2 + 4j)


def test_conj_of_a_cotangent_is_conjugated():
    assert_allclose(gradients(np.conj, [Z], W)[0], np.conj(W))


@given(st.sampled_from([np.multiply, np.add, np.divide, np.power, np.subtract]), st.booleans())
def test_a_real_argument_beside_a_complex_one_gets_a_real_gradient(f, swapped):
    pair = [Z, R] if swapped else [R, Z]
    found = gradients(f, pair, W)
    assert [g.dtype for g in found] == [x.dtype for x in pair]


def test_real_and_complex_single_precision_stay_single():
    x = Tensor(R.astype(np.float32), requires_grad=True)
    z = x * np.complex64(1 + 2j)
    assert z.dtype == np.complex64
    np.sum(np.abs(z)).backward()
    assert x.grad.dtype == np.float32


@pytest.mark.parametrize("f", [np.absolute, np.sign, lambda z: np.real(z * np.conj(z)), np.linalg.norm, np.std, np.angle])
def test_at_0_the_gradient_is_0(f):
    assert_array_equal(gradients(f, [np.zeros(2, complex)], np.ones(np.shape(f(np.zeros(2, complex)))))[0], [0, 0])


def test_parts_of_real_numbers_are_themselves_and_0():
    assert_array_equal(gradients(np.real, [R], J)[0], J)
    assert_array_equal(gradients(np.imag, [R], J)[0], np.zeros_like(R))
    assert_array_equal(gradients(np.angle, [R], J)[0], np.zeros_like(R))
    assert_array_equal(gradients(np.conj, [R], J)[0], J)


def test_real_if_close_drops_an_imaginary_part_of_rounding_and_keeps_a_larger_one():
    z = Tensor(np.array([1 + 1e-15j, 2]), requires_grad=True)
    out = np.real_if_close(z)
    assert out.dtype == float
    out.sum().backward()
    assert_array_equal(z.grad, [1, 1])
    assert np.real_if_close(Tensor([1 + 1e-3j])).dtype == complex
    assert np.real_if_close(Tensor(R), tol=3).dtype == float


def test_nan_to_num_mends_each_part_alone():
    z = np.array([complex(np.nan, 1), complex(2, np.inf)])
    assert_array_equal(np.nan_to_num(Tensor(z), posinf=7.0).data, [1j, 2 + 7j])
    assert_array_equal(gradients(lambda z: np.nan_to_num(z, posinf=7.0), [z], np.array([3 + 5j, 3 + 5j]))[0], [5j, 3])


def test_gradients_through_complex_numbers_are_those_of_the_same_formula_in_real_ones():
    x, y = R, J
    in_complex = gradients(lambda x, y: np.abs((x + 1j * y) * np.exp(1j * x)), [x, y], W.real)
    in_real = gradients(lambda x, y: np.sqrt(x * x + y * y), [x, y], W.real)
    for found, expected in zip(in_complex, in_real):
        assert_allclose(found, expected, rtol=1e-12)


def test_every_ufunc_with_a_rule_that_numpy_computes_for_complex_numbers_has_a_case():
    complex_too = {f for f in numpys_ufuncs(RULES) if any("D" in kind.split("->")[0] for kind in f.types)}
    assert complex_too - {case.function for case in CASES} == set()
