"""One law over the whole table: on tensors a function gives NumPy's value, dtype, shape and refusals, and the gradient that numbers give.

The functions come from the coverage table, and their arguments from the names of their parameters: arrays of every numeric dtype and of
ranks 0 to 4, every axis, and NumPy's options. What NumPy refuses must be refused, what it takes must be taken.
"""

import inspect
import zlib

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import DetachError, DTypeError, Tensor, TinygradError
from tinygrad_hw.rules import coverage

DTYPES = [np.dtype(kind) for kind in "?bhilBHILefdFD"]
FLOATS = [np.dtype(kind) for kind in "fdFDe"]
LAST = np.dtype(float)


class Draw:
    """Arguments drawn at random for one call: the array has a dtype and a rank, everything else is drawn to go with it, or nearly so."""

    def __init__(self, rng, dtype, rank):
        self.rng, self.dtype, self.rank = rng, dtype, rank
        self.shape = tuple(int(n) for n in rng.choice([1, 2, 3, 0], rank, p=[0.15, 0.4, 0.4, 0.05]))

    def one_of(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def numbers(self, shape, dtype=None):
        """Return an array of numbers that are small, different and nowhere near a kink."""
        dtype = np.dtype(self.dtype if dtype is None else dtype)
        if dtype.kind == "b":
            return np.asarray(self.rng.random(shape) < 0.5)
        if dtype.kind in "iu":
            return np.asarray(self.rng.integers(0 if dtype.kind == "u" else -3, 5, shape), dtype)
        x = self.rng.uniform(0.3, 1.7, shape) * self.rng.choice([-1, 1, 1], shape)
        return np.asarray(x + 1j * self.rng.uniform(0.3, 1.7, shape) if dtype.kind == "c" else x, dtype)

    def main(self):
        return self.numbers(self.shape)

    def near(self):
        """Return an array that goes with the main one: of its shape, of one that broadcasts, or (seldom) of one that does not."""
        shape = self.one_of(self.shape, self.shape, self.shape[1:], tuple(self.one_of(n, 1) for n in self.shape), (2,), ())
        return self.numbers(shape, self.one_of(self.dtype, self.dtype, LAST, self.one_of(*DTYPES)))

    def square(self):
        """Return a stack of square matrices of different, simple eigenvalues."""
        n = self.one_of(1, 2, 3)
        x = self.numbers((*self.shape[: max(self.rank - 2, 0)], n, n))
        return x if self.dtype.kind in "biu" or self.one_of(True, False) else (x + 3 * np.diag(np.arange(1, n + 1))).astype(self.dtype)

    def not_empty(self):
        return self.numbers(tuple(max(n, 1) for n in self.shape))

    def positive(self):
        x = self.square()
        return ((x @ np.conjugate(np.swapaxes(x, -1, -2))) + np.eye(x.shape[-1])).astype(x.dtype)

    def integers(self, low, high, shape=()):
        return self.rng.integers(low, max(high, low + 1), shape)

    def an_axis(self):
        return int(self.integers(-self.rank, self.rank)) if self.rank and self.rng.random() < 0.9 else int(self.integers(-5, 5))

    def axis(self):
        some = tuple(int(i) for i in self.rng.permutation(self.rank)[: self.one_of(1, 2)])
        return self.one_of(None, self.an_axis(), self.an_axis(), self.an_axis(), some)

    def mask(self):
        return self.rng.random(self.one_of(self.shape, self.shape, self.shape[1:], ())) < 0.6

    def row(self, dtype=None):
        return self.numbers(int(self.integers(1, 5)), dtype)

    def several(self):
        return [self.one_of(self.main, self.main, self.main, self.near)() for _ in range(self.one_of(1, 2, 3))]

    def growing(self):
        return np.cumsum(self.rng.uniform(0.3, 1.7, self.one_of(3, 4)))


def words(text, make):
    return dict.fromkeys(text.split(), make)


BOOLS = words(
    "keepdims include_initial returned sparse bias rowvar deg increasing full_matrices compute_uv hermitian density equal_nan retstep "
    "endpoint assume_unique invert stable copy",
    lambda d: d.one_of(True, False),
)
PARAMETERS = BOOLS | {
    **words("a x m arr array ar ary v p z f filt A prototype val y seq_of_zeros x1 dst xp begindates p u X", Draw.main),
    **words("b x2 B values fill_value prepend append to_end to_begin src vals val element", Draw.near),
    **words("arrays tup arys args", Draw.several),
    **words("axis", Draw.axis),
    **words("axis1 axis2 axisa axisb axisc source destination start", Draw.an_axis),
    **words("dtype", lambda d: d.one_of(*DTYPES)),
    **words("where mask condition", Draw.mask),
    **words("initial", lambda d: d.one_of(1, 2, 0.5)),
    **words("ddof correction", lambda d: d.one_of(0, 1, 2)),
    **words("k offset shift", lambda d: int(d.integers(-2, 3))),
    **words("decimals", lambda d: d.one_of(-1, 0, 1, 2)),
    **words("n", lambda d: int(d.integers(0, 4))),
    **words("num N", lambda d: int(d.integers(0, 5))),
    **words("q", lambda d: d.one_of(0.3, 0.5, 1, [0.2, 0.9], [[0.25, 0.5]])),
    **words("method", lambda d: d.one_of("linear", "lower", "higher", "nearest", "midpoint", "hazen", "inverted_cdf")),
    **words("weights", lambda d: np.abs(d.numbers(d.one_of(d.shape, d.shape[-1:]), float))),
    **words("norm", lambda d: d.one_of(None, "backward", "ortho", "forward")),
    **words("edge_order", lambda d: d.one_of(1, 2)),
    **words("indices_or_sections", lambda d: d.one_of(1, 2, 3, [1], [1, 2], np.array([0, 2]))),
    **words("indices ind obj", lambda d: d.one_of(0, -1, 1, np.array([0, 1, 0]), [1, 0], np.array([[0, -1]]), np.array([0], np.uint8))),
    **words("mode", lambda d: d.one_of("raise", "wrap", "clip")),
    **words("order", lambda d: d.one_of("C", "F", "A", "K")),
    **words("axes", lambda d: d.one_of(None, tuple(int(i) for i in d.rng.permutation(d.rank)), (0, 1), (-1, 0), d.an_axis())),
    **words("shape new_shape", lambda d: d.one_of(-1, (-1,), d.shape, (1, *d.shape), d.shape[::-1], (2, *d.shape), int(np.prod(d.shape)))),
    **words("repeats", lambda d: d.one_of(0, 2, np.array(2), [1, 2])),
    **words("reps", lambda d: d.one_of(2, (2, 1), (0,), (2, 1, 2))),
    **words("kth", lambda d: d.one_of(0, 1, -1, [0, 1])),
    **words("deg", lambda d: d.one_of(0, 1)),
    **words("discont", lambda d: d.one_of(None, 4.0)),
    **words("trim", lambda d: d.one_of("f", "b", "fb")),
    **words("UPLO", lambda d: d.one_of("L", "U")),
    **words("ord", lambda d: d.one_of(None, 1, 2, np.inf, -np.inf, "fro", "nuc", -1, 3)),
    **words("dx", lambda d: d.one_of(0.5, 2)),
    **words("base", lambda d: d.one_of(2.0, 10)),
    **words("nan posinf neginf left right_of", lambda d: 0.5),
    **words("s", lambda d: d.one_of(None, (2, 3), (3,))),
    **words("indexing", lambda d: d.one_of("xy", "ij")),
    **words("wrap", lambda d: d.one_of(True, False)),
    **words("minlength", lambda d: d.one_of(0, 6)),
    **words("fweights", lambda d: np.array([1, 2, 3][: d.shape[-1] if d.rank else 1])),
    **words("aweights w", lambda d: np.array([0.5, 2, 1][: d.shape[-1] if d.rank else 1])),
    **words("rcond rtol tol", lambda d: 1e-10),
    **words("bins", lambda d: d.one_of(3, np.array([0.0, 1, 2.5]))),
    **words("right left", lambda d: d.one_of(0.5, 2)),
    **words("period", lambda d: d.one_of(2.5, 4)),
    **words("reps", lambda d: d.one_of(2, (2, 1), (1, 2, 1))),
    **words("test_elements", Draw.near),
    **words("side", lambda d: d.one_of("left", "right")),
}  # fmt: skip
# Where the name alone does not say what is wanted
ONE_ROW = dict.fromkeys(["a", "v", "u", "p", "a1", "a2"], Draw.row)
VECTORS = dict.fromkeys(["a", "x1"], lambda d: d.numbers((*d.shape, 3))) | dict.fromkeys(
    ["b", "x2"], lambda d: d.numbers(d.one_of((*d.shape, 3), (3,)))
)
OWN = {
    "apply_along_axis": {"func1d": lambda d: d.one_of(np.sum, np.sort, lambda v: v * v[:1]), "axis": Draw.an_axis, "args": lambda d: []},
    "apply_over_axes": {"func": lambda d: d.one_of(np.sum, np.max), "axes": lambda d: d.one_of(0, [0], [0, -1])},
    "astype": {"copy": None, "device": None},
    "bincount": {"x": lambda d: d.integers(0, 4, d.one_of(3, 4)), "weights": lambda d: d.numbers(d.one_of(3, 4), d.one_of(float, d.dtype))},
    "block": {"arrays": lambda d: d.one_of([d.main(), d.main()], [[d.main(), d.main()], [d.main(), d.main()]], d.main())},
    "broadcast_arrays": {"args": lambda d: [d.main(), d.near()]},
    "cholesky": {"a": Draw.positive},
    "choose": {"a": lambda d: d.integers(0, 2, d.shape), "choices": lambda d: [d.main(), d.near()]},
    "clip": {"a_min": None, "a_max": None, "min": lambda d: d.one_of(0, 0.5), "max": lambda d: d.one_of(1, 1.25), "kwargs": None},
    "compress": {"condition": lambda d: d.one_of([True, False], [True], np.array([False, True, True]))},
    "convolve": ONE_ROW | {"mode": lambda d: d.one_of("full", "same", "valid")},
    "copyto": {"src": Draw.near},
    "correlate": ONE_ROW | {"mode": lambda d: d.one_of("full", "same", "valid")},
    "cross": VECTORS | {"axis": Draw.an_axis},
    "delete": {"obj": lambda d: d.one_of(0, -1, [0], np.array([0, 1]), slice(0, 2), [True, False])},
    "diag": {"v": lambda d: d.one_of(d.main(), d.row())},
    **{name: {"a": Draw.square, "x": Draw.square} for name in ("det", "inv", "slogdet", "eig", "eigvals", "cond")},
    **{name: {"a": Draw.positive} for name in ("eigh", "eigvalsh")},
    "einsum": {"operands": lambda d: d.one_of(["...i,...i", d.main(), d.near()], ["i...->...i", d.main()], ["...->...", d.main()])},
    "extract": {"condition": lambda d: d.rng.random(d.shape) < 0.6},
    "fft2": {"axes": lambda d: d.one_of((-2, -1), (0, 1))},
    "fill_diagonal": {"val": Draw.near},
    "geomspace": {"start": Draw.main, "stop": Draw.near},
    "gradient": {"varargs": lambda d: d.one_of([], [0.5], [d.growing()])},
    "histogram": {"a": lambda d: d.integers(-3, 4, d.shape) * 1.0},
    "histogram2d": {"x": lambda d: d.numbers(4, float), "y": lambda d: d.numbers(4, float), "weights": lambda d: d.numbers(4)},
    "histogramdd": {"sample": lambda d: d.numbers((4, 2), float), "weights": lambda d: d.numbers(4)},
    "insert": {"obj": lambda d: d.one_of(0, 1, -1, [0, 1], np.array([0]), slice(0, 2))},
    "interp": {"x": lambda d: d.numbers(d.shape), "xp": Draw.growing, "fp": lambda d: d.numbers(d.one_of(3, 4))},
    **{f"{name}{n}": {"a": Draw.not_empty} for name in ("hfft", "irfft") for n in ("", "2", "n")},
    "linspace": {"start": Draw.main, "stop": Draw.near},
    "logspace": {"start": Draw.main, "stop": Draw.near},
    "lstsq": {"a": lambda d: d.numbers((4, 2)), "b": lambda d: d.numbers(d.one_of(4, (4, 3), 3)), "rcond": lambda d: None},
    "matrix_power": {"a": Draw.square, "n": lambda d: int(d.integers(-2, 4))},
    "meshgrid": {"xi": lambda d: [d.row(), d.row()]},
    "multi_dot": {"arrays": lambda d: [d.numbers((2, 3)), d.numbers((3, 2)), d.numbers(d.one_of((2, 2), (2,)))]},
    "nan_to_num": {"copy": None},
    "pad": {
        "pad_width": lambda d: d.one_of(1, (0, 2), [(1, 0)] * max(d.rank, 1)),
        "mode": lambda d: d.one_of("constant", "edge", "reflect", "symmetric", "wrap"),
        "kwargs": None,
    },
    **{name: {"q": lambda d: d.one_of(30, 50.0, [20, 90])} for name in ("percentile", "nanpercentile")},
    "nanquantile": {"q": lambda d: d.one_of(0.3, 1, [0.2, 0.9])},
    "piecewise": {
        "condlist": lambda d: [d.rng.random(d.shape) < 0.5],
        "funclist": lambda d: d.one_of([np.square], [np.square, 0], [2, np.cos]),
        "args": lambda d: [],
        "kw": None,
    },
    "place": {"mask": lambda d: d.rng.random(d.shape) < 0.6},
    "poly": {"seq_of_zeros": lambda d: d.one_of(d.row(), d.square())},
    **dict.fromkeys(("polyadd", "polysub", "polymul"), ONE_ROW),
    "polyder": {"p": Draw.row, "m": lambda d: d.one_of(0, 1, 2)},
    "polydiv": dict.fromkeys(["u", "v"], lambda d: d.row(np.result_type(d.dtype, float))),
    "polyfit": {"x": lambda d: np.arange(4.0), "y": lambda d: d.numbers(d.one_of(4, (4, 2), 3)), "w": lambda d: np.array([1.0, 2, 1, 2])},
    "polyint": {"p": Draw.row, "m": lambda d: d.one_of(0, 1, 2), "k": lambda d: d.one_of(None, 2)},
    "polyval": {"p": Draw.row, "x": Draw.main},
    "put": {"v": Draw.near},
    "put_along_axis": {"indices": lambda d: np.zeros((1,) * d.rank, int), "values": Draw.near},
    "putmask": {"mask": lambda d: d.rng.random(d.shape) < 0.6, "values": Draw.near},
    "qr": {"mode": lambda d: d.one_of("reduced", "r", "complete")},
    "repeat": {"axis": lambda d: d.one_of(None, d.an_axis())},
    "resize": {"new_shape": lambda d: d.one_of(5, (2, 2))},
    "roll": {"shift": lambda d: d.one_of(1, -2, (1, 2), np.array(1))},
    "rot90": {"k": lambda d: int(d.integers(-1, 5)), "axes": lambda d: d.one_of((0, 1), (1, 0), (-1, 0))},
    "select": {"condlist": lambda d: [d.mask(), d.mask()], "choicelist": lambda d: [d.main(), d.near()], "default": lambda d: 0.5},
    "solve": {"a": Draw.square, "b": lambda d: d.numbers(d.one_of((2, 1), (3,), (3, 2)))},
    **{
        name: {"dtype": lambda d: np.result_type(d.dtype, float), "m": Draw.main, "y": Draw.near}
        for name in ("std", "var", "nanstd", "nanvar", "cov", "corrcoef")
    },
    "svd": {"full_matrices": lambda d: False},
    "take_along_axis": {"indices": lambda d: np.zeros(d.one_of(d.shape, (1,) * d.rank, (2,) * d.rank), int)},
    "tensordot": {"axes": lambda d: d.one_of(0, 1, 2, ([0], [0]), (0, 0), ((-1, 0), (-1, 0)))},
    "tensorinv": {"a": lambda d: d.numbers((4, 2, 2)), "ind": lambda d: 1},
    "tensorsolve": {"a": lambda d: d.numbers((2, 2, 4)), "b": lambda d: d.numbers((2, 2)), "axes": None},
    "trapezoid": {"y": Draw.main, "x": lambda d: d.one_of(d.growing(), None)},
    "unique": {"axis": lambda d: d.one_of(None, d.an_axis())},
    "unwrap": {"p": lambda d: d.numbers(d.shape) * 4},
    "vander": {"x": Draw.row},
    "matvec": {"x1": Draw.main, "x2": lambda d: d.numbers(d.shape[-1:])},
    "vecdot": {"x1": Draw.main, "x2": Draw.near},
    "vecmat": {"x1": lambda d: d.numbers(d.shape[-2:-1]), "x2": Draw.main},
    "where": {"x": Draw.main, "y": Draw.near},
}
NEVER = {
    "out",
    "subok",
    "like",
    "device",
    "kind",
    "casting",
    "optimize",
    "overwrite_input",
    "max_work",
    "full",
    "cov",
    "order",
    "sorted",
    "range",
}
ORDERED = {"reshape", "ravel", "copy"}


def arguments(name, function, draw):
    """Return the arguments and keywords of one call, drawn by the names of the function's parameters."""
    own = OWN.get(name, {})
    if isinstance(function, np.ufunc):
        makers = own.values() or (Draw.main, *(Draw.near,) * (function.nin - 1))
        return [make(draw) for make in makers], {}
    args, kwargs = [], {}
    for parameter in inspect.signature(function).parameters.values():
        key, kind = parameter.name, parameter.kind
        never = key in NEVER and not (key == "order" and name in ORDERED)
        make = own[key] if key in own else None if never else PARAMETERS.get(key)
        if kind is kind.VAR_POSITIONAL:
            args += make(draw) if make else []
        elif parameter.default is parameter.empty and kind is not kind.VAR_KEYWORD:
            args.append(make(draw))
        elif make and kind is not kind.VAR_KEYWORD and draw.rng.random() < (0.6 if key == "axis" else 0.3):
            kwargs[key] = make(draw)
    return args, kwargs


def replaced(tree, change):
    """Return arguments with each array changed, in lists and tuples too; index lists and slices stay."""
    if isinstance(tree, np.ndarray):
        return change(tree)
    if isinstance(tree, (list, tuple)):
        parts = [replaced(part, change) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return tree


def outcome(function, args, kwargs, writes):
    """Return what a call gives, the first argument for one that writes into it; or what it raises."""
    with np.errstate(all="ignore"):
        try:
            found = function(*args, **kwargs)
        except Exception as error:
            return error
    return args[0] if writes else found


def leaves(found):
    """Return what a call gave as a flat list of arrays."""
    if isinstance(found, (list, tuple)):
        return [leaf for part in found for leaf in leaves(part)]
    return [found._node.value if isinstance(found, Tensor) else found]


# Of these an older NumPy takes other arguments, or does otherwise; of some functions in C it does not tell the parameters
SINCE = {"around": "2.1.0", "clip": "2.1.0", "corrcoef": "2.4.0", "reshape": "2.1.0", "round": "2.1.0", "trim_zeros": "2.2.0"}
NUMPY = np.lib.NumpyVersion(np.__version__)


def is_told(name, function):
    """Tell whether this NumPy tells the parameters of a function, and does with them what the newest does."""
    try:
        inspect.signature(function)
    except ValueError:
        return isinstance(function, np.ufunc) or NUMPY >= "2.4.0"
    return SINCE.get(name, "2.0.0") <= NUMPY


TABLE = {
    f"{title.removeprefix('numpy').lstrip('.')} {name}".strip(): function
    for title, module in coverage.MODULES.items()
    for name, function in coverage.functions(module)
    if coverage.place(name, function) in ("rule", "composition") and is_told(name, function)
}  # fmt: skip
METHODS = {
    f"{f.__name__}.{method}": getattr(f, method)
    for f in TABLE.values() if isinstance(f, np.ufunc) and f.nin == 2 and f.nout == 1 and f.signature is None and f is not np.ldexp
    for method in ("reduce", "accumulate", "outer")
}  # fmt: skip
WRITES = {np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal}
# Of these the vectors are free by a factor, or the order is free, or rounding decides
# (NumPy 2.4's own arctan2.reduce and power.reduce of a line leave out entries)
VECTORS_OR_ORDER = {"linalg eig", "linalg eigh", "linalg svd", "linalg qr", "partition", "unique_values"}
NO_NUMBERS = VECTORS_OR_ORDER | {"real_if_close", "arctan2.reduce", "power.reduce"}
REFUSALS = ("has no rule", "no derivative", "there is no rule", "complete", "where=", "is not differentiable")


def method_arguments(method, draw):
    """Return the arguments of a ufunc's method."""
    if method == "outer":
        return [draw.main(), draw.near()], {}
    kwargs = {key: PARAMETERS[key](draw) for key in ("axis", "keepdims", "initial") if draw.rng.random() < 0.4}
    if method == "accumulate":
        kwargs = {"axis": draw.an_axis()} if "axis" in kwargs else {}
    return [draw.main()], kwargs


def trial(name, function, draw, requires_grad):
    """Compare one call on tensors with the same call on arrays; return the arguments if NumPy took them."""
    bare = name.split()[-1]
    args, kwargs = method_arguments(bare.split(".")[1], draw) if name in METHODS else arguments(bare, function, draw)
    writes = function in WRITES
    copied = replaced(args, np.array)
    expected = outcome(function, copied, kwargs, writes)
    given, first = [], []

    def as_tensor(x):
        if first and draw.rng.random() < 0.4:
            return x.copy()
        first.append(x)
        given.append(Tensor(x, requires_grad=requires_grad and x.dtype.kind in "fc"))
        return np.copy(given[-1]) if writes and requires_grad and len(first) == 1 and x.dtype.kind in "fc" else given[-1]

    tensors = replaced(args, as_tensor)
    if not given:
        return None
    found = outcome(function, tensors, kwargs, writes)
    said = f"{name} on {args} {kwargs}: expected {expected!r}, found {found!r}"
    if isinstance(expected, Exception):
        assert isinstance(found, Exception) and not isinstance(found, (DetachError, RecursionError)), said
        return None
    if isinstance(found, Exception):
        assert isinstance(found, (TinygradError, NotImplementedError, TypeError)) and any(part in str(found) for part in REFUSALS), said
        return None
    ours, theirs = leaves(found), leaves(expected)
    assert len(ours) == len(theirs) and isinstance(found, (list, tuple)) == isinstance(expected, (list, tuple)), said
    numbers = [x for x in (*leaves(args), *theirs) if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" and x.size]
    largest = max([np.abs(np.where(np.isfinite(x), x, 0)).max() for x in numbers], default=0)
    rounding = 300 * max([np.finfo(x.dtype).eps for x in numbers], default=0)
    for x, y in zip(ours, theirs):
        assert np.shape(x) == np.shape(y) and (type(x) is int or np.asarray(x).dtype == np.asarray(y).dtype), said
        y = np.asarray(y)
        if y.size and y.dtype.kind in "fc" and name not in NO_NUMBERS:
            np.testing.assert_allclose(x, y, rtol=rounding, atol=rounding * largest, err_msg=said)
        elif name not in NO_NUMBERS:
            np.testing.assert_array_equal(x, y, err_msg=said)
    if requires_grad and name not in NO_NUMBERS:
        gradients_are_those_of_numbers(function, args, kwargs, writes, draw.rng, found, given, first, said)
    return args


def direction(x, rng):
    """Return in which direction an argument is moved; integers are not."""
    if x.dtype.kind not in "fc":
        return None
    return rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "c" else 0)


def gradients_are_those_of_numbers(function, args, kwargs, writes, rng, found, given, first, said):
    """Compare ⟨gradient, u⟩ with the change of ⟨g, f⟩ along u, for random u and g; skipped where float64 is not at hand."""
    outs = [t for t in (found if isinstance(found, (list, tuple)) else [found]) if isinstance(t, Tensor) and t.requires_grad]
    if not outs:
        return
    cotangents = [np.asarray(rng.uniform(-1, 1, t.shape) + (1j * rng.uniform(-1, 1, t.shape) if t.dtype.kind == "c" else 0)) for t in outs]
    total = sum(np.sum(np.real(t * g.astype(t.dtype))) for t, g in zip(outs, cotangents))
    with np.errstate(all="ignore"):
        total.backward()
    grads = [t.grad for t in given]
    for t in given:
        assert t.grad is None or (t.grad.shape, t.grad.dtype) == (t.shape, t.dtype), said
    if any(t.dtype not in (np.float64, np.complex128) for t in given if t.requires_grad) or not all(t.dtype.char in "dD" for t in outs):
        return
    places = [i for i, t in enumerate(found if isinstance(found, (list, tuple)) else [found]) if isinstance(t, Tensor) and t.requires_grad]
    moves = [direction(x, rng) for x in first]

    def at(h):
        def moved(x):
            same = [i for i, y in enumerate(first) if y is x]
            return np.asarray(x + h * moves[same[0]]) if same and moves[same[0]] is not None else x.copy()

        value = outcome(function, replaced(args, moved), kwargs, writes)
        if isinstance(value, Exception):
            return np.nan
        parts = list(value) if isinstance(value, (list, tuple)) else [value]
        return sum(np.sum(np.real(np.asarray(parts[i]) * g)) for i, g in zip(places, cotangents))

    with np.errstate(all="ignore"):
        h = 2.0**-13
        numeric = (8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h)
        coarse = (at(h) - at(-h)) / (2 * h)
    exact = sum(np.sum(np.real(g * u)) for g, u in zip(grads, moves) if g is not None)
    if np.isfinite(numeric) and abs(numeric - coarse) < 1e-3 * (1 + abs(numeric)):
        floats = [x for x in leaves(args) if isinstance(x, np.ndarray) and x.dtype.kind in "fc"]
        lowest = max(np.finfo(x.dtype).eps for x in floats)
        assert abs(exact - numeric) <= max(1e-6, 10 * lowest) * (1 + abs(numeric)), (
            f"{said}\ngradient along u {exact}, by numbers {numeric}"
        )


def draws(name, n):
    """Return n draws for a function, always the same: dtypes and ranks in turn."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    for i in range(n):
        yield Draw(rng, DTYPES[int(rng.integers(len(DTYPES)))], int(rng.integers(0, 5)) if i else 2)


@pytest.mark.parametrize("name", TABLE | METHODS)
@pytest.mark.filterwarnings("ignore")
def test_a_function_of_the_table_is_on_tensors_what_it_is_on_arrays(name):
    function = (TABLE | METHODS)[name]
    taken = [trial(name, function, draw, False) for draw in draws(f"{name}, no gradient", 8)]
    for draw in draws(f"{name}, with one", 8):
        draw.dtype = draw.one_of(*FLOATS)
        taken.append(trial(name, function, draw, True))
    assert any(args is not None for args in taken), "NumPy refused all that was drawn: say in OWN what the function takes"


BESIDE_A_LIST = {
    "append": lambda v, xs: np.append(xs, v),
    "average": lambda v, xs: np.average(v, weights=xs),
    "block": lambda v, xs: np.block([xs, v]),
    "broadcast_arrays": lambda v, xs: np.stack(np.broadcast_arrays(v, xs)),
    "choose": lambda v, xs: np.choose([0, 1, 0], [xs, v]),
    "clip": lambda v, xs: np.clip(v, xs, 5.0),
    "concatenate": lambda v, xs: np.concatenate([xs, v]),
    "convolve": lambda v, xs: np.convolve(v, xs),
    "cross": lambda v, xs: np.cross(xs, v),
    "diff": lambda v, xs: np.diff(v, prepend=xs),
    "dot": lambda v, xs: np.dot(v, xs),
    "einsum": lambda v, xs: np.einsum("i,j", v, xs),
    "insert": lambda v, xs: np.insert(v, 1, xs),
    "interp": lambda v, xs: np.interp(v, [0, 2, 5.0], xs),
    "kron": lambda v, xs: np.kron(xs, v),
    "linspace": lambda v, xs: np.linspace(xs, v, 4),
    "logaddexp": lambda v, xs: np.logaddexp(v, xs),
    "operator": lambda v, xs: v * xs,
    "outer": lambda v, xs: np.outer(xs, v),
    "polyval": lambda v, xs: np.polyval(xs, v),
    "solve": lambda v, xs: np.linalg.solve(np.diag(v), xs),
    "trapezoid": lambda v, xs: np.trapezoid(v, xs),
    "vstack": lambda v, xs: np.vstack([xs, v]),
    "where": lambda v, xs: np.where([True, False, True], xs, v),
}


@pytest.mark.parametrize("name", BESIDE_A_LIST)
def test_a_list_of_tensors_beside_a_tensor_is_one_array(name):
    def gradients(as_list):
        s, t, v = (Tensor(x, requires_grad=True) for x in (1.2, 2.5, [0.7, 1.6, 3.1]))
        out = BESIDE_A_LIST[name](v, [s, t, s] if as_list else np.stack([s, t, s]))
        np.sum(out * np.cos(np.arange(out.size)).reshape(out.shape)).backward()
        return [x.grad for x in (s, t, v)]

    for found, expected in zip(gradients(True), gradients(False)):
        np.testing.assert_allclose(found, expected, rtol=1e-14)


STRANGERS = {
    "masked": np.ma.masked_array([1.0, 2, 3], mask=[0, 1, 0]),
    "object": np.array([1, 2, 3], object),
    "timedelta": np.array([1, 2, 3], "m8[s]"),
    "str": np.array(["a", "b", "c"]),
}


@pytest.mark.parametrize("kind", STRANGERS)
@pytest.mark.parametrize("name", BESIDE_A_LIST)
def test_what_holds_no_plain_numbers_is_refused_beside_a_tensor(name, kind):
    with pytest.raises(DTypeError, match="filled" if kind == "masked" else "stand beside a Tensor"):
        BESIDE_A_LIST[name](Tensor([0.7, 1.6, 3.1], requires_grad=True), STRANGERS[kind])


MASKED = np.ma.masked_array([1.0, 2, 3], mask=[0, 1, 0])
WAYS_IN = {
    "Tensor": Tensor,
    "a list": lambda m: Tensor([m, m]),
    "grad": lambda m: tg.grad(np.sum)(m),
    "a cotangent": lambda m: tg.vjp(np.sin, np.ones(3))[1](m),
    "a tangent": lambda m: tg.jvp(np.sin, (np.ones(3),), (m,)),
    "backward": lambda m: np.sin(Tensor(np.ones(3), requires_grad=True)).backward(m),
    ".grad": lambda m: setattr(Tensor(np.ones(3), requires_grad=True), "grad", m),
    ".data": lambda m: setattr(Tensor(np.ones(3)), "data", m),
    ".flat": lambda m: setattr(Tensor(np.ones(3)), "flat", m),
    "an assignment": lambda m: Tensor(np.ones(3)).__setitem__(slice(None), m),
    "put": lambda m: Tensor(np.ones(3)).put([0, 1, 2], m),
    "copyto": lambda m: np.copyto(np.sin(Tensor(np.ones(3), requires_grad=True)), m),
    "vmap": lambda m: tg.vmap(np.sin)(m),
    "compile": lambda m: tg.compile(np.sin)(m),
}


@pytest.mark.parametrize("way", WAYS_IN)
def test_a_masked_array_is_unmasked_by_no_way_in(way):
    with pytest.raises(DTypeError, match=r"which has no mask: use m\.filled"):
        WAYS_IN[way](MASKED)


def test_what_is_no_number_makes_no_tensor():
    t = Tensor([1.0, 2.0], requires_grad=True)
    for call in (lambda: np.where([True, False], t, None), lambda: np.where([True, False], t.detach(), "a"), lambda: t * np.timedelta64(1)):
        with pytest.raises(DTypeError, match="holds numbers"):
            call()


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_whose_asterisk_means_another_product_is_refused():
    with pytest.raises(DTypeError, match=r"np\.asarray\(m\), and @ for products"):
        Tensor(np.ones((2, 2))) * np.asmatrix(np.ones((2, 2)))


def test_a_stranger_is_not_in_a_tensor():
    t = Tensor([1.0, 2.0])
    assert None not in t and "a" not in t and 2.0 in t


def test_arguments_may_be_given_by_name_and_integer_tensors_as_axes_and_counts():
    x, two = Tensor(np.arange(12.0).reshape(3, 4), requires_grad=True), Tensor(2)
    for found, expected in (
        (np.repeat(a=x, repeats=two, axis=Tensor(1)), x.data.repeat(2, 1)),
        (np.delete(arr=x, obj=two, axis=1), np.delete(x.data, 2, 1)),
        (np.hsplit(ary=x, indices_or_sections=two)[1], x.data[:, 2:]),
        (np.vsplit(ary=x, indices_or_sections=[1])[1], x.data[1:]),
        (np.cumsum(x, axis=Tensor(0)), x.data.cumsum(0)),
        (np.sum(a=x, axis=Tensor(1)), x.data.sum(1)),
    ):
        np.testing.assert_array_equal(found.data, expected)
        assert found.requires_grad
