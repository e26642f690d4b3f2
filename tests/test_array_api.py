"""The Array API namespace: what it gives is what array-api-strict gives, in value, shape and dtype; SciPy and einops run on it."""

import inspect
import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import DetachError, Tensor, grad
from tinygrad_hw import array_api as xp

strict = pytest.importorskip("array_api_strict")
pytestmark = pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.1.0", reason="NumPy 2.0 has only a part of the standard")

ROOT = Path(__file__).parents[1]
RNG = np.random.default_rng(0)
SAMPLES = {
    "f": [RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)).astype(np.float32), np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.5])],
    "i": [RNG.integers(-5, 6, (3, 4)), RNG.integers(0, 6, (3, 4)).astype(np.uint8), np.array(3, np.int32)],
    "c": [RNG.normal(size=(3, 4)) + 1j * RNG.normal(size=(3, 4))],
    "b": [RNG.normal(size=(3, 4)) > 0],
}
OF_ONE = {
    "fi": "ceil floor trunc round",
    "f": "signbit log1p acosh",
    "fc": "acos asin asinh atan atanh cos cosh exp expm1 log log10 log2 reciprocal sin sinh sqrt tan tanh",
    "c": "conj imag real",
    "fic": "abs negative positive square sign isfinite isinf isnan",
    "b": "logical_not",
    "ib": "bitwise_invert",
}
OF_TWO = {
    "fic": "add subtract multiply",
    "fc": "divide",
    "fi": "maximum minimum less less_equal greater greater_equal",
    "f": "atan2 copysign hypot logaddexp nextafter remainder",
    "ficb": "equal not_equal",
    "b": "logical_and logical_or logical_xor",
    "ib": "bitwise_and bitwise_or bitwise_xor",
}
FOLDS = {
    "fi": "max min argmax argmin",
    "fic": "sum prod cumulative_sum diff",
    "f": "mean std var",
    "fib": "all any count_nonzero nonzero",
}
X, Y, V = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=4)
COUNTS, MASK = RNG.integers(0, 3, (3, 4)), RNG.normal(size=(3, 4)) > 0
S = X @ X.T + 3 * np.eye(3)
CALLS = {
    "arange": lambda xp: [xp.arange(5), xp.arange(1, 6, 2), xp.arange(0.0, 1.0, 0.25), xp.arange(3, dtype=xp.float32)],
    "constants": lambda xp: [
        xp.zeros(3),
        xp.ones((2, 3)),
        xp.full((2,), 7),
        xp.full(2, 1.5, dtype=xp.float32),
        xp.eye(3),
        xp.eye(2, 3, k=1),
    ],
    "linspace": lambda xp: [xp.linspace(0, 1, 5), xp.linspace(0, 1, 4, endpoint=False, dtype=xp.float32)],
    "like": lambda xp, x: [xp.zeros_like(x), xp.ones_like(x, dtype=xp.int32), xp.full_like(x, 2), xp.zeros_like(xp.empty_like(x))],
    "asarray": lambda xp, x: [
        xp.asarray(x),
        xp.asarray([[1, 2], [3, 4]]),
        xp.asarray(1.5),
        xp.asarray([True]),
        xp.asarray(x, dtype=xp.float32),
    ],
    "meshgrid": lambda xp, v: list(xp.meshgrid(v, v[:2], indexing="ij")),
    "triangles": lambda xp, x: [xp.tril(x), xp.triu(x, k=1)],
    "astype": lambda xp, x: [xp.astype(x, xp.int64), xp.astype(x, xp.float32), xp.astype(x > 0, xp.float64), xp.astype(x, xp.bool)],
    "broadcasting": lambda xp, x, v: [*xp.broadcast_arrays(x, v), xp.broadcast_to(v, (2, 4))],
    "concat": lambda xp, x, y: [xp.concat([x, y]), xp.concat((x, y), axis=1), xp.concat([x, y], axis=None), xp.stack([x, y], axis=-1)],
    "expand_dims": lambda xp, x: [xp.expand_dims(x, axis=0), xp.expand_dims(x, axis=-1), xp.squeeze(x[None, ...], axis=0)],
    "flip": lambda xp, x: [xp.flip(x), xp.flip(x, axis=0), xp.roll(x, 2), xp.roll(x, (1, 2), axis=(0, 1))],
    "axes": lambda xp, x: [xp.moveaxis(x, 0, 1), xp.permute_dims(x, (1, 0)), xp.matrix_transpose(x), x.T, x.mT],
    "repeat": lambda xp, x: [xp.repeat(x, 2), xp.repeat(x, 2, axis=1), xp.tile(x, (2, 1))],
    "reshape": lambda xp, x: [xp.reshape(x, (4, 3)), xp.reshape(x, (-1,)), xp.reshape(x, (2, 6), copy=True)],
    "unstack": lambda xp, x: [*xp.unstack(x), *xp.unstack(x, axis=1)],
    "clip": lambda xp, x, i: [xp.clip(x, -0.5, 0.5), xp.clip(x, min=0.0), xp.clip(i, max=1), xp.clip(x)],
    "where": lambda xp, x, y, b: [xp.where(b, x, y), xp.where(b, x, 0.0)],
    "take": lambda xp, x, v: [
        xp.take(x, xp.asarray([2, 0]), axis=0),
        xp.take(v, xp.asarray([1, 1])),
        xp.take_along_axis(x, xp.argsort(x), axis=-1),
    ],
    "searchsorted": lambda xp, v: [xp.searchsorted(xp.sort(v), v), xp.searchsorted(xp.sort(v), v, side="right")],
    "sort": lambda xp, x, i: [
        xp.sort(x),
        xp.sort(x, axis=0, descending=True),
        xp.argsort(x),
        xp.argsort(i, descending=True),
        xp.sort(i, stable=True),
    ],
    "unique": lambda xp, i: [xp.unique_values(i), *xp.unique_counts(i), *xp.unique_inverse(i), *xp.unique_all(i)],
    "products": lambda xp, x, y, v: [xp.matmul(x, y.T), x @ v, xp.tensordot(x, y, axes=2), xp.vecdot(x, y), xp.vecdot(x, y, axis=-2)],
    "sums": lambda xp, x, i: [
        xp.sum(x, axis=(0, 1)),
        xp.sum(x, dtype=xp.float32),
        xp.prod(i, axis=1, keepdims=True),
        xp.cumulative_prod(x, axis=1),
    ],
    "cumulative": lambda xp, x: [xp.cumulative_sum(x, axis=1, include_initial=True)],
    "spread": lambda xp, x: [xp.std(x, correction=1), xp.var(x, axis=0, correction=1.0), xp.mean(x, axis=1, keepdims=True)],
    "powers": lambda xp, x: [xp.pow(xp.abs(x), 1.5), xp.pow(x, 2), 2.0**x, xp.remainder(x, 0.7), xp.floor_divide(x, 0.7)],
    "shifts": lambda xp, i: [xp.bitwise_left_shift(i, 2), xp.bitwise_right_shift(i, 1), i << 1, i >> 1, ~i, i & 1, i | 4, i ^ 1, 1 << i],
    "operators": lambda xp, x, y: [x + y, 1 - x, x / 2, x // 0.5, x % 0.5, -x, +x, abs(x), x < y, x >= 0, x == y, x != y],
    "indexing": lambda xp, x, b: [x[0, ...], x[1:, ::2], x[..., -1], x[None, ...], x[b], x[xp.asarray([0, 2]), xp.asarray([1, 1])]],
    "in place": lambda xp, x: [in_place(xp.asarray(x, copy=True))],
    "cholesky": lambda xp, s: [
        xp.linalg.cholesky(s),
        xp.linalg.cholesky(s, upper=True),
        xp.linalg.det(s),
        xp.linalg.inv(s),
        xp.linalg.trace(s),
    ],
    "eigh": lambda xp, s: [xp.linalg.eigvalsh(s), xp.linalg.eigh(s).eigenvalues, xp.linalg.svdvals(s), *xp.linalg.slogdet(s)],
    "solve": lambda xp, s, x: [xp.linalg.solve(s, x), xp.linalg.pinv(x), xp.linalg.matrix_rank(x), xp.linalg.matrix_power(s, 3)],
    "norms": lambda xp, x: [
        xp.linalg.vector_norm(x),
        xp.linalg.vector_norm(x, axis=1, ord=1),
        xp.linalg.matrix_norm(x),
        xp.linalg.matrix_norm(x, ord=2),
    ],
    "qr": lambda xp, s: [
        xp.linalg.qr(s).Q @ xp.linalg.qr(s).R,
        xp.linalg.svd(s).S,
        xp.linalg.diagonal(s),
        xp.linalg.outer(s[0, :], s[1, :]),
    ],
    "cross": lambda xp, s: [xp.linalg.cross(s, s[::-1, :]), xp.linalg.vecdot(s, s), xp.linalg.matmul(s, s), xp.linalg.tensordot(s, s)],
    "fft": lambda xp, x: [
        xp.fft.fft(xp.astype(x, xp.complex128)),
        xp.fft.rfft(x),
        xp.fft.irfft(xp.fft.rfft(x)),
        xp.fft.fftfreq(5),
        xp.fft.rfftfreq(5),
    ],
    "fftn": lambda xp, x: [
        xp.fft.rfftn(x),
        xp.fft.fftshift(x),
        xp.fft.ifftshift(x),
        xp.fft.ifftn(xp.fft.fftn(xp.astype(x, xp.complex128))),
    ],
}
INPUTS = {"x": X, "y": Y, "v": V, "i": COUNTS, "b": MASK, "s": S}


def in_place(x):
    x += 1
    x[0, :] = 5
    x[1, 1:] *= 2
    return x


def values(out):
    """Return the arrays of a result."""
    return [y.numpy() if isinstance(y, Tensor) else np.asarray(y) for y in (out if isinstance(out, (list, tuple)) else [out])]


def assert_agree(call, *arrays):
    with np.errstate(all="ignore"):
        wanted = values(call(strict, *map(strict.asarray, arrays)))
        results = [call(xp, *(Tensor(x, requires_grad=r and x.dtype.kind in "fc") for x in arrays)) for r in (False, True)]
    for result in results:
        assert all(isinstance(y, Tensor) for y in (result if isinstance(result, (list, tuple)) else [result]))
        found = values(result)
        assert [(y.shape, y.dtype) for y in found] == [(y.shape, y.dtype) for y in wanted]
        for y, w in zip(found, wanted):
            assert_allclose(y, w, rtol=1e-6 if y.dtype.itemsize < 8 else 1e-12, atol=1e-300 if y.dtype.kind != "f" else 1e-14)


@pytest.mark.parametrize("name, kinds", [(name, kinds) for kinds, names in OF_ONE.items() for name in names.split()])
def test_a_function_of_one_array_is_the_standards(name, kinds):
    for kind in kinds:
        for x in SAMPLES[kind]:
            assert_agree(lambda xp, x: getattr(xp, name)(x), x)


@pytest.mark.parametrize("name, kinds", [(name, kinds) for kinds, names in OF_TWO.items() for name in names.split()])
def test_a_function_of_two_arrays_is_the_standards(name, kinds):
    for kind in kinds:
        for x in SAMPLES[kind]:
            assert_agree(lambda xp, x, y: getattr(xp, name)(x, y), x, x[::-1] if x.ndim else x)
            if kind in "fi":
                assert_agree(lambda xp, x: getattr(xp, name)(x, 2), x)


@pytest.mark.parametrize("name, kinds", [(name, kinds) for kinds, names in FOLDS.items() for name in names.split()])
def test_a_function_along_an_axis_is_the_standards(name, kinds):
    for x in (SAMPLES[kind][0] for kind in kinds):
        options = [{}] if name in ("nonzero", "diff") else [{"axis": 0}, {"axis": -1}] + [{}] * (name != "cumulative_sum")
        for given in options:
            assert_agree(lambda xp, x, given=given: getattr(xp, name)(x, **given), x)


@pytest.mark.parametrize("name", CALLS)
def test_what_numpy_does_otherwise_too_is_the_standards(name):
    call = CALLS[name]
    assert_agree(call, *(INPUTS[key] for key in call.__code__.co_varnames[1 : call.__code__.co_argcount]))


EDGES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 0.5, -2.5, np.pi, 1e300, 5e-324])


def complexes(real, imag):
    """Return complex numbers of the parts as they are (real + 1j * imag makes nan of infinity)."""
    made = np.empty(np.broadcast_shapes(np.shape(real), np.shape(imag)), complex)
    made.real, made.imag = real, imag
    return made


def assert_identical(x, y):
    """Compare also the signs of zeros, but not those of nan."""
    assert (x.shape, x.dtype) == (y.shape, y.dtype)
    for part, wanted in ((x.real, y.real), (x.imag, y.imag)):
        assert_array_equal(part, wanted)
        if part.dtype.kind == "f":
            assert_array_equal(np.signbit(part)[part == part], np.signbit(wanted)[part == part])


@pytest.mark.parametrize("name, kinds", [(n, kinds) for rows in (OF_ONE, OF_TWO) for kinds, names in rows.items() for n in names.split()])
def test_at_zeros_infinities_and_nan_a_function_is_numpys_to_the_sign_of_zero(name, kinds):
    pairs = {"f": np.meshgrid(EDGES, EDGES), "c": [complexes(*np.meshgrid(EDGES, EDGES)), complexes(*np.meshgrid(EDGES[::-1], EDGES))]}
    given = 2 if any(name in names.split() for names in OF_TWO.values()) else 1
    for kind in set(kinds) & {"f", "c"} if name != "expm1" else "f":
        for dtype in ("f4", "f8") if kind == "f" else ("c8", "c16"):
            with np.errstate(all="ignore"):
                arrays = [x.astype(dtype) for x in pairs[kind][:given]]
                for requires_grad in (False, True):
                    found = getattr(xp, name)(*(Tensor(x, requires_grad=requires_grad) for x in arrays))
                    assert_identical(found.detach().numpy(), getattr(np, name)(*arrays))


def test_the_floor_of_a_quotient_with_infinity_is_infinite_or_a_zero():
    table = [
        (np.inf, 2.0, np.inf), (np.inf, -2.0, -np.inf), (-np.inf, 2.0, -np.inf), (-np.inf, -2.0, np.inf),
        (3.0, -np.inf, -0.0), (-3.0, np.inf, -0.0), (3.0, np.inf, 0.0), (-3.0, -np.inf, 0.0), (np.inf, np.inf, np.nan), (-5.0, 2.0, -3.0),
    ]  # fmt: skip
    for dtype in (np.float32, np.float64):
        x, y, wanted = np.array(table, dtype).T
        t, u = Tensor(x, requires_grad=True), Tensor(y, requires_grad=True)
        with np.errstate(all="ignore"):
            found = xp.floor_divide(t, u)
            assert_identical(found.detach().numpy(), wanted)
            assert_identical(xp.floor_divide(t, 2.0).detach().numpy(), np.where(np.isinf(x), x, x // 2).astype(dtype))
            assert_identical(xp.floor_divide(-np.inf, u[:2]).detach().numpy(), np.array([-np.inf, np.inf], dtype))
            found[:-2].sum().backward()
        assert_allclose([t.grad, u.grad], 0.0)
    assert xp.floor_divide(xp.asarray([-7, 7]), 2).tolist() == [-4, 3]


def test_a_complex_exponential_less_one_is_the_standards_at_zero_and_infinity():
    table = [
        (0.0, 0.0, 0.0, 0.0), (-0.0, 0.0, 0.0, 0.0), (np.inf, 0.0, np.inf, 0.0), (-np.inf, np.inf, -1.0, 0.0),
        (np.inf, np.inf, np.inf, np.nan), (-np.inf, np.nan, -1.0, 0.0), (np.inf, np.nan, np.inf, np.nan),
        (np.nan, 0.0, np.nan, 0.0), (0.0, -0.0, 0.0, -0.0),
    ]  # fmt: skip
    a, b, real, imag = np.array(table).T
    with np.errstate(all="ignore"):
        assert_identical(xp.expm1(Tensor(complexes(a, b))).numpy(), complexes(real, imag))
    z = Tensor([1e-12 + 2e-12j, 0.5 - 1j], requires_grad=True)
    assert_allclose((y := xp.expm1(z)).detach().numpy(), np.expm1(z.detach().numpy()))
    y.real.sum().backward()
    assert_allclose(z.grad, np.exp(z.detach().numpy()))


def test_the_ends_of_an_interval_may_be_of_another_dtype():
    large = 2**63 + 1  # (float64 would round it)
    x = Tensor(np.array([large, 5], np.uint64))
    assert xp.clip(x, min=Tensor(np.array([-3, 9]))).tolist() == [large, 9]
    assert xp.clip(xp.asarray([100, 2], dtype=xp.int8), -(10**2), xp.asarray([1000, 1])).tolist() == [100, 1]
    assert xp.clip(xp.asarray([1.0, 9.0], dtype=xp.float32), max=xp.asarray([2.0, 2.0])).dtype == xp.float32


@pytest.mark.parametrize("name", ["float32", "float64", "complex64", "complex128", "int8", "int64", "uint8", "uint64"])
def test_the_limits_of_a_dtype_are_pythons_numbers(name):
    limits, kind = (xp.iinfo, int) if "int" in name else (xp.finfo, float)
    for given in (getattr(xp, name), np.dtype(name), xp.ones(2, dtype=name)):
        found = limits(given)
        assert found.dtype == np.empty(0, name).real.dtype
        assert type(found.bits) is int
        assert type(found.max) is type(found.min) is kind
    if kind is float:
        assert (type(found.eps), type(found.smallest_normal)) == (float, float)
        assert (found.eps, found.max) == (np.finfo(name).eps, np.finfo(name).max)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64"])
def test_places_and_counts_may_be_of_any_dtype_of_integers(dtype):
    places = xp.asarray([2, 0], dtype=dtype)
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert xp.take(x, places).tolist() == [3.0, 1.0]
    assert xp.repeat(x[:2], places).tolist() == [1.0, 1.0]
    assert xp.repeat(x[None, :], xp.asarray([2], dtype=dtype), axis=0).shape == (2, 3)


def test_a_list_of_large_numbers_becomes_a_tensor_without_rounding():
    numbers = [2**63 + 1, 2**62 + 1]
    assert xp.asarray(numbers, dtype=xp.uint64).tolist() == numbers


def test_every_function_takes_the_arguments_of_the_standard():
    later = {"broadcast_shapes", "isin"}  # of 2025.12
    for part in ("", "linalg", "fft"):
        ours, theirs = (getattr(xp, part), getattr(strict, part)) if part else (xp, strict)
        for name in set(theirs.__all__) - later:
            function = getattr(ours, name, None)
            if isinstance(function, np.ufunc) or not inspect.isfunction(getattr(theirs, name)) or name.startswith("__") or "strict" in name:
                continue
            wanted = inspect.signature(getattr(theirs, name)).parameters.values()
            found = inspect.signature(function).parameters
            for place, parameter in enumerate(wanted):
                if parameter.kind is parameter.KEYWORD_ONLY:
                    assert found[parameter.name].kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD), (name, parameter)
                elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                    assert list(found)[place] == parameter.name, name
                    assert found[parameter.name].kind is parameter.kind, (name, parameter)
                else:
                    assert list(found.values())[place].kind is not parameter.KEYWORD_ONLY, (name, parameter)


def test_every_name_of_the_standard_is_there():
    later = {"broadcast_shapes", "isin"}  # of 2025.12
    names = {
        name
        for name in strict.__all__
        if not name.startswith("__") and "strict" not in name and name not in ("Device", "ArrayAPIStrictFlags")
    }
    assert {name for name in names - later if not hasattr(xp, name)} == set()
    for part in ("linalg", "fft"):
        assert {name for name in getattr(strict, part).__all__ if not hasattr(getattr(xp, part), name)} == set()


def test_the_namespace_is_found_and_says_what_it_can_do():
    t = Tensor([1.0])
    assert t.__array_namespace__() is xp is t.__array_namespace__(api_version="2024.12")
    assert xp.__array_api_version__ == "2024.12"
    with pytest.raises(ValueError, match="2099"):
        t.__array_namespace__(api_version="2099.01")
    info = xp.__array_namespace_info__()
    assert (info.default_device(), info.devices()) == ("cpu", ["cpu"])
    assert info.default_dtypes()["real floating"] == np.float64
    assert list(info.dtypes(kind=("bool", "complex floating"))) == ["bool", "complex64", "complex128"]
    assert set(info.dtypes()) == {"bool", *info.dtypes(kind="numeric")}
    assert info.capabilities()["boolean indexing"] is True
    with pytest.raises(ValueError, match="no kind"):
        info.dtypes(kind="odd")


def test_there_is_one_device():
    assert Tensor(1.0).device == "cpu"
    assert (t := Tensor(1.0)).to_device("cpu") is t
    for call in (lambda: xp.zeros(2, device="gpu"), lambda: Tensor(1.0).to_device("gpu"), lambda: xp.asarray(1.0, device="gpu")):
        with pytest.raises(ValueError, match="no device 'gpu'"):
            call()


def test_memory_goes_to_other_libraries_and_comes_from_them_as_a_copy():
    t = Tensor([1.0, 2.0])
    array = np.from_dlpack(t)
    assert_allclose(array, [1.0, 2.0])
    assert t.__dlpack_device__() == (1, 0)
    x = np.array([3.0, 4.0])
    made = xp.from_dlpack(x)
    x[0] = 7
    assert isinstance(made, Tensor)
    assert_allclose(made.data, [3.0, 4.0])
    assert xp.from_dlpack(t, copy=False) is t
    assert xp.from_dlpack(t, copy=True) is not t
    for options in ({}, {"copy": True}, {"copy": False}, {"max_version": (1, 0), "dl_device": (1, 0)}):
        t.__dlpack__(**options)
    np.from_dlpack(t, copy=False)[0] = 5
    assert t.tolist() == [5.0, 2.0]
    with pytest.raises(BufferError):
        t.__dlpack__(dl_device=(2, 0))
    with pytest.raises(DetachError, match="leave its graph"):
        np.from_dlpack(Tensor([1.0], requires_grad=True))
    for call in (lambda: xp.from_dlpack(x, copy=False), lambda: xp.asarray(x, copy=False)):
        with pytest.raises(ValueError, match="copy=False"):
            call()


def test_asarray_keeps_the_graph_and_copies_on_demand():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert xp.asarray(t) is t
    assert xp.asarray(t, copy=True) is not t
    assert xp.asarray(t, dtype=xp.float32).requires_grad
    joined = xp.asarray([t[0], 3.0 * t[1]])
    joined.sum().backward()
    assert_allclose(t.grad, [1.0, 3.0])


def test_different_entries_keep_their_gradient():
    x = np.array([3.0, 1.0, 3.0, 2.0])
    assert_allclose(grad(lambda x: xp.sum(xp.unique_values(x) * xp.asarray([1.0, 10.0, 100.0])))(x), [100, 1, 0, 10])


def test_a_reshape_without_a_copy_is_refused_where_it_needs_one():
    assert xp.reshape(Tensor(X), (4, 3), copy=False).shape == (4, 3)
    assert xp.reshape(xp.zeros((2, 0)), (0,), copy=False).shape == (0,)
    with pytest.raises(TypeError, match="take xp"):
        xp.astype(Tensor([1j]), xp.float64)


def test_gradients_flow_through_the_namespace():
    assert_allclose(grad(lambda x: xp.sum(xp.sort(x, descending=True) * xp.arange(4.0)))(V), np.argsort(np.argsort(-V)))
    assert_allclose(grad(lambda x: xp.sum(xp.clip(x, -0.5, 0.5)))(V), (np.abs(V) < 0.5).astype(float))
    assert_allclose(grad(lambda x: xp.sum(xp.concat(xp.unstack(x)) ** 2))(X), 2 * X)
    assert_allclose(grad(lambda x: xp.sum(xp.special.erf(x)))(V), 2 / np.sqrt(np.pi) * np.exp(-(V**2)), rtol=1e-13)


def test_the_names_of_special_are_scipys_ufuncs_and_what_they_make():
    assert isinstance(xp.special.gammainc, np.ufunc)
    x = np.array([0.7, 2.3])
    sp = pytest.importorskip("scipy.special")
    assert_allclose(xp.special.zeta(x + 1), sp.zeta(x + 1))
    assert_allclose(xp.special.zeta(2.5, x), sp.zeta(2.5, x))
    assert_allclose(xp.special.polygamma(0, x), sp.polygamma(0, x))
    assert_allclose(xp.special.polygamma(3, x), sp.polygamma(3, x))
    assert_allclose(xp.special.multigammaln(x + 2, 3), sp.multigammaln(x + 2, 3))
    for name in ("no_such_function", "_gammainc", "__path__"):
        assert not hasattr(xp.special, name)


def test_scipy_differentiates_through_the_namespace():
    """Of the survey's calls more than half are right, none is wrong, and none drops a gradient without a word."""
    pytest.importorskip("scipy", minversion="1.17")
    code = "import json; from benchmarks.survey_scipy import survey; print(json.dumps(survey()))"
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    found = [(call, *outcome) for calls in json.loads(run.stdout).values() for call, outcome in calls.items()]
    assert [call for call in found if call[1] in ("wrong", "silent")] == []
    assert sum(what == "right" for _, what, _ in found) >= 0.55 * len(found)


def test_wrapping_costs_nothing():
    assert xp.exp is np.exp
    assert all(not isinstance(getattr(xp, name), types.FunctionType) or name in dir(np) for name in ("add", "sum", "matmul", "where"))


def test_einops_rearranges_tensors_and_their_gradients():
    einops = pytest.importorskip("einops.array_api")
    x = Tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    assert_allclose(einops.rearrange(x, "a b c -> c (a b)").detach().numpy(), x.numpy().transpose(2, 0, 1).reshape(4, 6))
    assert_allclose(einops.repeat(x, "a b c -> a b c r", r=2).detach().numpy(), np.repeat(x.numpy()[..., None], 2, -1))
    einops.reduce(x, "a b c -> a", "mean").sum().backward()
    assert_allclose(x.grad, np.full((2, 3, 4), 1 / 12))
