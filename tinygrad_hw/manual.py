"""The docstrings of a Tensor's methods and operators, and of the functions of ``array_api``: each made of one line of a table.

>>> from tinygrad_hw import Tensor
>>> print(Tensor.exp.__doc__)  # doctest: +ELLIPSIS
exp()
<BLANKLINE>
Return eˣ, entry by entry.
...
"""

from __future__ import annotations

import re
from inspect import cleandoc
from operator import attrgetter
from typing import Any

from . import array_api, operators, views  # noqa: F401 (they complete the class Tensor)
from .tensor import Tensor

PARAMETERS = {
    "a": "array_like or Tensor", "api_version": "str, optional", "approximate": '"none" or "tanh"',
    "arrays_and_dtypes": "array_like, Tensor or dtype", "axes": "int, or tuple of int",
    "axis": "int, tuple of int or None\n    The axes to fold, or to work along; None for all entries.", "axis1": "int", "axis2": "int",
    "b": "array_like or Tensor", "casting": "str, see ``numpy.can_cast``", "choices": "sequence of array_like or Tensor",
    "condition": "(n,) array_like of bool", "copy": "bool", "d": "number\n    The distance of the samples, or the dimensions.",
    "ddof": "int\n    What is taken off the number of entries to divide by.", "decimals": "int", "descending": "bool", "device": '"cpu"',
    "dtype": "dtype, optional\n    Of the result.", "endpoint": "bool\n    Whether ``stop`` is the last number.", "fill_value": "number",
    "from_": "dtype, array or Tensor", "index": "int, slice, None, Ellipsis, array of int or bool, or a tuple of these",
    "indices": "array_like of int", "initial": "number, optional\n    What to begin with.", "k": "int\n    The diagonal with the ones.",
    "keepdims": "bool\n    Keep folded axes with size 1.", "kind": "str, optional\n    See ``numpy.sort``.", "kth": "int",
    "max": "array_like or Tensor, optional", "min": "array_like or Tensor, optional",
    "mode": '"raise", "wrap" or "clip"\n    What to do with an index that is out of range.', "n": "int", "n_cols": "int, optional",
    "n_rows": "int", "num": "int", "obj": "array_like or Tensor", "offset": "int\n    Of the diagonal.",
    "order": '"C", "F", "A" or "K"\n    Of the entries in memory.', "other": "array_like or Tensor", "place": "int, optional",
    "q": "array_like or Tensor, optional", "repeats": "int or array_like of int", "shape": "int, or tuple of int",
    "side": '"left" or "right"', "slope": "float", "sorter": "(n,) array_like of int, optional", "stable": "bool, optional",
    "start": "number", "step": "number", "stop": "number", "stream": "None", "subok": "bool\n    Without effect.", "to": "dtype",
    "type": "dtype, array or Tensor", "v": "array_like or Tensor", "value": "number, array_like or Tensor",
    "values": "array_like or Tensor", "where": "array_like of bool, optional\n    Which entries to take.", "x": "Tensor",
    "x1": "Tensor, or number", "x2": "Tensor, or number",
}  # fmt: skip
RAISES = {
    "operands": "ShapeError\n    If the shapes cannot be broadcast against each other.",
    "matrices": "ShapeError\n    If the last axis of the first and the last but one of the second differ.",
    "axis": "numpy.exceptions.AxisError\n    If there is no such axis.",
    "leaf": "GradientError\n    If this is a leaf that requires a gradient, outside of ``no_grad``.",
    "graph": "GradientError\n    If no gradient flows to this tensor.",
    "no axes": "TypeError\n    If this tensor has no axes.",
    "version": "ValueError\n    If there is no such version.",
    "dtype": "DTypeError\n    If the dtype is another one.",
    "casting": "TypeError\n    If the casting rule forbids it.",
    "detach": "DetachError\n    If this tensor requires a gradient: use ``.item()`` to leave the graph on purpose.",
}
SAME, FOLDED, BOOLS = "Tensor of this tensor's shape", "Tensor, without the folded axes", "Tensor of bool, of the broadcast shape"

# For what is returned and which error is raised, the methods: signature, summary (None: the method's own docstring), derivative, an
# example, and what it prints
METHODS: dict[tuple[str, str], list[tuple[str, str | None, str, str, str]]] = {
    (SAME, ""): [
        ("exp()", "eˣ, entry by entry", "dy/dx = y", "Tensor([0.0, 1.0]).exp()", "Tensor([1.        , 2.71828183])"),
        ("log()", "the natural logarithm, entry by entry", "dy/dx = 1 / x", "Tensor([1.0, 2.0]).log()", "Tensor([0.        , 0.69314718])"),
        ("sqrt()", "the square root, entry by entry", "dy/dx = 1 / (2 y)", "Tensor([4.0, 9.0]).sqrt()", "Tensor([2., 3.])"),
        ("square()", "x², entry by entry", "dy/dx = 2 x", "Tensor([2.0, -3.0]).square()", "Tensor([4., 9.])"),
        ("sin()", "sin x, entry by entry", "dy/dx = cos x", "Tensor([0.0, 1.0]).sin()", "Tensor([0.        , 0.84147098])"),
        ("cos()", "cos x, entry by entry", "dy/dx = -sin x", "Tensor([0.0, 1.0]).cos()", "Tensor([1.        , 0.54030231])"),
        ("tanh()", "tanh x, entry by entry", "dy/dx = 1 - y²", "Tensor([0.0, 1.0]).tanh()", "Tensor([0.        , 0.76159416])"),
        ("sigmoid()", "1 / (1 + e⁻ˣ), entry by entry; see ``sigmoid``",
         "dy/dx = y (1 - y)", "Tensor([0.0, 1000.0]).sigmoid()", "Tensor([0.5, 1. ])"),
        ("relu()", "max(x, 0), entry by entry", "dy/dx = 1 where x > 0, else 0", "Tensor([-1.0, 2.0]).relu()", "Tensor([0., 2.])"),
        ("softplus()", "log(1 + eˣ), entry by entry",
         "dy/dx = σ(x)", "Tensor([0.0, 1000.0]).softplus()", "Tensor([6.93147181e-01, 1.00000000e+03])"),
        ("log_sigmoid()", "log σ(x), entry by entry", "dy/dx = σ(-x)", "Tensor([0.0]).log_sigmoid()", "Tensor([-0.69314718])"),
        ("gelu(approximate='none')", "x Φ(x), entry by entry; see ``gelu``",
         "dy/dx = Φ(x) + x φ(x)", "Tensor([0.0, 1.0]).gelu()", "Tensor([0.        , 0.84134475])"),
        ("leaky_relu(slope=0.01)", "x where x > 0, else slope · x",
         "dy/dx = 1 where x > 0, else the slope", "Tensor([-1.0, 2.0]).leaky_relu()", "Tensor([-0.01,  2.  ])"),
        ("abs()", "|x|, entry by entry", "dy/dx = sign x, and 0 at 0", "Tensor([-1.0, 2.0]).abs()", "Tensor([1., 2.])"),
        ("conj()", "the complex conjugate, entry by entry", "", "Tensor([1.0 + 2j]).conj()", "Tensor([1.-2.j], dtype=complex128)"),
        ("conjugate()", "the complex conjugate, entry by entry",
         "", "Tensor([1.0 + 2j]).conjugate()", "Tensor([1.-2.j], dtype=complex128)"),
        ("round(decimals=0)", "the nearest number of so many decimals", "dy/dx = 0", "Tensor([1.2, 3.7]).round()", "Tensor([1., 4.])"),
        ("softmax(axis=-1)", "eˣ / Σ eˣ over the axis; see ``softmax``",
         "the gradient is s ⊙ (g - Σ g ⊙ s)", "Tensor([0.0, 0.0]).softmax()", "Tensor([0.5, 0.5])"),
        ("log_softmax(axis=-1)", "x - log Σ eˣ over the axis",
         "the gradient is g - s Σ g, with s the softmax", "Tensor([0.0, 1000.0]).log_softmax()", "Tensor([-1000.,     0.])"),
        ("clip(min=None, max=None)", None,
         "the gradient is g inside of the interval, 0 outside of it and at its ends", "Tensor([1.0, 5.0]).clip(0, 4)", "Tensor([1., 4.])"),
        ("copy(order='C')", None, "", "Tensor([1.0, 2.0]).copy()", "Tensor([1., 2.])"),
        ("to_device(device, /, *, stream=None)", None, "", "Tensor([1.0]).to_device('cpu')", "Tensor([1.])"),
        ("__neg__()", "-x, entry by entry", "dy/dx = -1", "-Tensor([1.0, 2.0])", "Tensor([-1., -2.])"),
        ("__pos__()", "x", "dy/dx = 1", "+Tensor([1.0, 2.0])", "Tensor([1., 2.])"),
        ("__abs__()", "|x|, entry by entry", "dy/dx = sign x, and 0 at 0", "abs(Tensor([-1.0, 2.0]))", "Tensor([1., 2.])"),
        ("__invert__()", "the inverted bits, entry by entry",
         "", "~Tensor([True, False])", "Tensor([False,  True], dtype=bool)"),
        ("__round__(decimals=0)", "the nearest number of so many decimals", "dy/dx = 0", "round(Tensor([1.2, 3.7]))", "Tensor([1., 4.])"),
    ],
    (FOLDED, "axis"): [
        ("sum(axis=None, dtype=None, *, keepdims=False, initial=0, where=True)", "the sum over the axis",
         "∂y/∂xᵢ = 1", "Tensor([1.0, 2.0]).sum()", "Tensor(3.)"),
        ("mean(axis=None, dtype=None, *, keepdims=False, where=True)", "the mean over the axis",
         "∂y/∂xᵢ = 1 / n", "Tensor([1.0, 2.0]).mean()", "Tensor(1.5)"),
        ("prod(axis=None, dtype=None, *, keepdims=False, initial=1, where=True)", "the product over the axis",
         "∂y/∂xᵢ = Πⱼ xⱼ, j ≠ i", "Tensor([2.0, 3.0]).prod()", "Tensor(6.)"),
        ("max(axis=None, *, keepdims=False, initial=None, where=True)", "the largest entry over the axis",
         "the entries that are largest share the gradient", "Tensor([[1.0, 2.0], [4.0, 3.0]]).max(axis=1)", "Tensor([2., 4.])"),
        ("min(axis=None, *, keepdims=False, initial=None, where=True)", "the smallest entry over the axis",
         "the entries that are smallest share the gradient", "Tensor([[1.0, 2.0], [4.0, 3.0]]).min(axis=1)", "Tensor([1., 3.])"),
        ("logsumexp(axis=None, *, keepdims=False)", "log Σ eˣ over the axis, without overflow; see ``logsumexp``",
         "the gradient is the softmax", "Tensor([0.0, 1000.0]).logsumexp()", "Tensor(1000.)"),
        ("var(axis=None, dtype=None, *, ddof=0, keepdims=False, where=True)", "the variance over the axis",
         "∂y/∂xᵢ = 2 (xᵢ - mean) / (n - ddof)", "Tensor([1.0, 3.0]).var()", "Tensor(1.)"),
        ("std(axis=None, dtype=None, *, ddof=0, keepdims=False, where=True)", "the standard deviation over the axis",
         "∂y/∂xᵢ = (xᵢ - mean) / ((n - ddof) y), and 0 where y is 0", "Tensor([1.0, 3.0]).std()", "Tensor(1.)"),
        ("ptp(axis=None, *, keepdims=False)", "the largest entry less the smallest, over the axis",
         "", "Tensor([1.0, 4.0]).ptp()", "Tensor(3.)"),
        ("argmax(axis=None, *, keepdims=False)", "the place of the largest entry", "", "Tensor([1.0, 4.0]).argmax()", "Tensor(1)"),
        ("argmin(axis=None, *, keepdims=False)", "the place of the smallest entry", "", "Tensor([1.0, 4.0]).argmin()", "Tensor(0)"),
        ("all(axis=None, *, keepdims=False, where=True)", "whether all entries are true",
         "", "Tensor([1.0, 0.0]).all()", "Tensor(False, dtype=bool)"),
        ("any(axis=None, *, keepdims=False, where=True)", "whether an entry is true",
         "", "Tensor([1.0, 0.0]).any()", "Tensor(True, dtype=bool)"),
    ],
    ("Tensor", "axis"): [
        ("cumsum(axis=None, dtype=None)", "the sums of the entries up to each",
         "∂yᵢ/∂xⱼ = 1 for j ≤ i", "Tensor([1.0, 2.0]).cumsum()", "Tensor([1., 3.])"),
        ("cumprod(axis=None, dtype=None)", "the products of the entries up to each",
         "", "Tensor([2.0, 3.0]).cumprod()", "Tensor([2., 6.])"),
        ("argsort(axis=-1, kind=None, *, stable=None)", "the places of the entries in order",
         "", "Tensor([3.0, 1.0]).argsort()", "Tensor([1, 0])"),
        ("squeeze(axis=None)", "the entries without the axes of size 1: a view", "", "Tensor([[1.0, 2.0]]).squeeze()", "Tensor([1., 2.])"),
        ("swapaxes(axis1, axis2)", "two axes exchanged: a view",
         "", "Tensor([[1.0, 2.0]]).swapaxes(0, 1)", "Tensor([[1.],\n        [2.]])"),
        ("repeat(repeats, axis=None)", "each entry several times", "", "Tensor([1.0, 2.0]).repeat(2)", "Tensor([1., 1., 2., 2.])"),
        ("take(indices, axis=None, *, mode='raise')", "the entries, or the slices, at indices",
         "", "Tensor([1.0, 2.0]).take([1, 1])", "Tensor([2., 2.])"),
        ("diagonal(offset=0, axis1=0, axis2=1)", "the diagonal of two axes: a view",
         "", "Tensor([[1.0, 2.0], [3.0, 4.0]]).diagonal()", "Tensor([1., 4.])"),
        ("trace(offset=0, axis1=0, axis2=1, dtype=None)", "the sum of the diagonal",
         "", "Tensor([[1.0, 2.0], [3.0, 4.0]]).trace()", "Tensor(5.)"),
        ("compress(condition, axis=None)", None, "", "Tensor([1.0, 2.0]).compress([False, True])", "Tensor([2.])"),
        ("transpose(*axes)", None, "", "Tensor([[1.0, 2.0]]).transpose()", "Tensor([[1.],\n        [2.]])"),
    ],
    ("Tensor", ""): [
        ("reshape(*shape, order='C', copy=None)", None, "", "Tensor([1.0, 2.0]).reshape(2, 1)", "Tensor([[1.],\n        [2.]])"),
        ("ravel(order='C')", "the entries as a vector: a view, where that is possible",
         "", "Tensor([[1.0, 2.0]]).ravel()", "Tensor([1., 2.])"),
        ("flatten(order='C')", None, "", "Tensor([[1.0, 2.0]]).flatten()", "Tensor([1., 2.])"),
        ("searchsorted(v, side='left', sorter=None)", "where values would go into these, which are in order",
         "", "Tensor([1.0, 3.0]).searchsorted(2.0)", "Tensor(1)"),
        ("choose(choices, *, mode='raise')", "for each entry, the number of a choice, the entry of that choice at the same place",
         "", "Tensor([0, 1]).choose([[1.0, 2.0], [3.0, 4.0]])", "Tensor([1., 4.])"),
        ("dot(b)", "the product of matrices, or of vectors",
         "the gradients are g bᵀ and aᵀ g", "Tensor([1.0, 2.0]).dot([3.0, 4.0])", "Tensor(11.)"),
        ("detach()", None, "", "Tensor([1.0, 2.0]).detach()", "Tensor([1., 2.])"),
        ("__getitem__(index)", None,
         "the gradient is put back into the place that it was taken from", "Tensor([1.0, 2.0])[1]", "Tensor(2.)"),
    ],
    ("None", "leaf"): [
        ("sort(axis=-1, kind=None, *, stable=None)", None, "", "t = Tensor([2.0, 1.0]); t.sort(); t", "Tensor([1., 2.])"),
        ("partition(kth, axis=-1, kind='introselect')", None,
         "", "t = Tensor([3.0, 1.0, 2.0]); t.partition(0); t[0]", "Tensor(1.)"),
        ("fill(value)", None, "", "t = Tensor([2.0, 1.0]); t.fill(3); t", "Tensor([3., 3.])"),
        ("put(indices, values, mode='raise')", None, "", "t = Tensor([2.0, 1.0]); t.put([0], 5); t", "Tensor([5., 1.])"),
        ("__setitem__(index, value)", None, "", "t = Tensor([1.0, 2.0]); t[0] = 5; t", "Tensor([5., 2.])"),
    ],
    ("ndarray", ""): [("numpy()", None, "", "Tensor([1.0, 2.0]).numpy()", "array([1., 2.])")],
    ("Tensor of this tensor's shape", "casting"): [
        ("astype(dtype, order='K', casting='unsafe', subok=True, copy=True)", None, "", "Tensor([1.0, 2.5]).astype(int)", "Tensor([1, 2])"),
    ],
    ("Tensor of this tensor's shape", "dtype"): [("view(dtype=None)", None, "", "Tensor([1.0, 2.5]).view()", "Tensor([1. , 2.5])")],
    ("Tensor", "graph"): [("retain_grad()", None,
         "", "(Tensor([1.0], requires_grad=True) * 2).retain_grad()", "Tensor([2.], from multiply)"),
    ],
    ("tuple of Tensor", ""): [
        ("nonzero()", "the places of the entries that are not 0, for each axis", "", "Tensor([0.0, 5.0]).nonzero()", "(Tensor([1]),)"),
        ("__divmod__(other)", "the quotient rounded down, and the rest", "", "divmod(Tensor([7.0]), 2)", "(Tensor([3.]), Tensor([1.]))"),
    ],
    ("float, int, complex or bool", ""): [
        ("item(*place)", None, "", "Tensor([[1.0]]).item()", "1.0"),
        ("__bool__()", "whether the only entry is not 0: what ``if`` asks", "", "bool(Tensor([2.0]))", "True"),
        ("__contains__(value)", "whether an entry is equal to the value", "", "2.0 in Tensor([1.0, 2.0])", "True"),
    ],
    ("float, int or complex", "detach"): [
        ("__float__()", "the only entry", "", "float(Tensor(2.0))", "2.0"),
        ("__int__()", "the only entry, without what comes after the point", "", "int(Tensor(2.5))", "2"),
        ("__complex__()", "the only entry", "", "complex(Tensor(2.0))", "(2+0j)"),
        ("__index__()", "the only entry, an integer, as an index", "", "'abc'[Tensor(1)]", "'b'"),
    ],
    ("int", "no axes"): [("__len__()", "the length of the first axis", "", "len(Tensor([1.0, 2.0]))", "2")],
    ("list", ""): [("tolist()", None, "", "Tensor([[1.0, 2.0]]).tolist()", "[[1.0, 2.0]]")],
    ("iterator of Tensor", ""): [
        ("__iter__()", "the entries along the first axis", "", "list(Tensor([1.0, 2.0]))", "[Tensor(1.), Tensor(2.)]"),
    ],
    ("module", "version"): [
        ("__array_namespace__(*, api_version=None)", None, "", "Tensor([1.0]).__array_namespace__().__name__", "'tinygrad_hw.array_api'"),
    ],
}  # fmt: skip

# For each operator: its sign, the gradients, and what ``t op 2`` and ``2 op t`` print for t = [6, 4]
OPERATORS = {
    "add": ("+", "g and g", "Tensor([8., 6.])", "Tensor([8., 6.])"),
    "sub": ("-", "g and -g", "Tensor([4., 2.])", "Tensor([-4., -2.])"),
    "mul": ("*", "g y and g x", "Tensor([12.,  8.])", "Tensor([12.,  8.])"),
    "truediv": ("/", "g / y and -g x / y²", "Tensor([3., 2.])", "Tensor([0.33333333, 0.5       ])"),
    "floordiv": ("//", "0 and 0", "Tensor([3., 2.])", "Tensor([0., 0.])"),
    "mod": ("%", "g and -g ⌊x / y⌋", "Tensor([0., 0.])", "Tensor([2., 2.])"),
    "pow": ("**", "g y xʸ⁻¹ and g xʸ log x", "Tensor([36., 16.])", "Tensor([64., 16.])"),
    "matmul": ("@", "g yᵀ and xᵀ g", "Tensor([[4., 6.],\n        [0., 2.]])", "Tensor([[2., 0.],\n        [6., 4.]])"),
    "and": ("&", "", "Tensor([2, 0])", "Tensor([2, 0])"),
    "or": ("|", "", "Tensor([6, 6])", "Tensor([6, 6])"),
    "xor": ("^", "", "Tensor([4, 6])", "Tensor([4, 6])"),
    "lshift": ("<<", "", "Tensor([24, 16])", "Tensor([128,  32])"),
    "rshift": (">>", "", "Tensor([1, 1])", "Tensor([0, 0])"),
    "eq": ("==", "", "Tensor([False, False], dtype=bool)", ""), "ne": ("!=", "", "Tensor([ True,  True], dtype=bool)", ""),
    "lt": ("<", "", "Tensor([False, False], dtype=bool)", ""), "le": ("<=", "", "Tensor([False, False], dtype=bool)", ""),
    "gt": (">", "", "Tensor([ True,  True], dtype=bool)", ""), "ge": (">=", "", "Tensor([ True,  True], dtype=bool)", ""),
}  # fmt: skip
PROPERTIES = {
    "data": ("Tensor([1.0, 2.0]).data", "array([1., 2.])"),
    "grad": ("Tensor(1.0, requires_grad=True).grad is None", "True"),
    "name": ("Tensor(1.0, name='t').name", "'t'"),
    "requires_grad": ("Tensor([1.0, 2.0]).requires_grad", "False"),
    "shape": ("Tensor([[1.0, 2.0]]).shape", "(1, 2)"),
    "ndim": ("Tensor([[1.0, 2.0]]).ndim", "2"),
    "size": ("Tensor([[1.0, 2.0]]).size", "2"),
    "dtype": ("Tensor([1.0, 2.0]).dtype", "dtype('float64')"),
    "device": ("Tensor(1.0).device", "'cpu'"),
    "base": ("t = Tensor([1.0, 2.0]); t[1:].base is t, t.base is None", "(True, True)"),
    "T": ("Tensor([[1.0, 2.0]]).T", "Tensor([[1.],\n        [2.]])"),
    "mT": ("Tensor([[1.0, 2.0]]).mT", "Tensor([[1.],\n        [2.]])"),
    "real": ("Tensor([1.0 + 2j]).real", "Tensor([1.])"),
    "imag": ("Tensor([1.0 + 2j]).imag", "Tensor([2.])"),
    "flat": ("Tensor([[1.0, 2.0]]).flat[1]", "Tensor(2.)"),
}  # fmt: skip
# For each function of the Array API that is not NumPy's: its signature, what it returns, an example, and what it prints
STANDARD = [
    ("asarray(obj, /, *, dtype=None, device=None, copy=None)", "Tensor", "xp.asarray([1.0, 2.0])", "Tensor([1., 2.])"),
    ("arange(start, /, stop=None, step=1, *, dtype=None, device=None)", "(n,) Tensor", "xp.arange(3)", "Tensor([0, 1, 2])"),
    ("linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)", "(num,) Tensor", "xp.linspace(0, 1, 3)",
     "Tensor([0. , 0.5, 1. ])"),
    ("eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)", "(n_rows, n_cols) Tensor", "xp.eye(2)",
     "Tensor([[1., 0.],\n        [0., 1.]])"),
    ("zeros(shape, *, dtype=None, device=None)", "Tensor of this shape", "xp.zeros(2)", "Tensor([0., 0.])"),
    ("ones(shape, *, dtype=None, device=None)", "Tensor of this shape", "xp.ones(2)", "Tensor([1., 1.])"),
    ("empty(shape, *, dtype=None, device=None)", "Tensor of this shape", "xp.empty(2).shape", "(2,)"),
    ("full(shape, fill_value, *, dtype=None, device=None)", "Tensor of this shape", "xp.full(2, 3.0)", "Tensor([3., 3.])"),
    ("fft.fftfreq(n, /, *, d=1.0, dtype=None, device=None)", "(n,) Tensor", "xp.fft.fftfreq(4)", "Tensor([ 0.  ,  0.25, -0.5 , -0.25])"),
    ("fft.rfftfreq(n, /, *, d=1.0, dtype=None, device=None)", "(n // 2 + 1,) Tensor", "xp.fft.rfftfreq(4)", "Tensor([0.  , 0.25, 0.5 ])"),
    ("special.zeta(x, q=None)", "Tensor, or ndarray", "round(float(xp.special.zeta(2.0)), 6)", "1.644934"),
    ("special.polygamma(n, x)", "Tensor, or ndarray", "round(float(xp.special.polygamma(1, 1.0)), 6)", "1.644934"),
    ("special.multigammaln(a, d)", "Tensor, or ndarray", "round(float(xp.special.multigammaln(1.0, 1)), 6)", "0.0"),
    ("from_dlpack(x, /, *, device=None, copy=None)", "Tensor", "xp.from_dlpack(xp.asarray([1.0]))", "Tensor([1.])"),
    ("full_like(x, /, fill_value, *, dtype=None, device=None)", "Tensor of x's shape", "xp.full_like(xp.zeros(2), 3)", "Tensor([3., 3.])"),
    ("empty_like(x, /, *, dtype=None, device=None)", "Tensor of x's shape", "xp.empty_like(xp.zeros(2)).shape", "(2,)"),
    ("ones_like(x, /, *, dtype=None, device=None)", "Tensor of x's shape", "xp.ones_like(xp.zeros(2))", "Tensor([1., 1.])"),
    ("zeros_like(x, /, *, dtype=None, device=None)", "Tensor of x's shape", "xp.zeros_like(xp.ones(2))", "Tensor([0., 0.])"),
    ("astype(x, dtype, /, *, copy=True, device=None)", "Tensor of x's shape", "xp.astype(xp.asarray([1.5]), xp.int64)", "Tensor([1])"),
    ("finfo(type, /)", "tuple of bits, eps, max, min, smallest_normal, dtype", "xp.finfo(xp.float32).bits", "32"),
    ("iinfo(type, /)", "numpy.iinfo", "xp.iinfo(xp.int8).max", "127"),
    ("can_cast(from_, to, /)", "bool", "xp.can_cast(xp.float64, xp.float32)", "False"),
    ("result_type(*arrays_and_dtypes)", "dtype", "xp.result_type(xp.float32, xp.float64)", "dtype('float64')"),
    ("reshape(x, /, shape, *, copy=None)", "Tensor", "xp.reshape(xp.asarray([1.0, 2.0]), (2, 1)).shape", "(2, 1)"),
    ("expand_dims(x, /, axis=0)", "Tensor", "xp.expand_dims(xp.asarray([1.0, 2.0])).shape", "(1, 2)"),
    ("unstack(x, /, *, axis=0)", "tuple of Tensor", "xp.unstack(xp.asarray([1.0, 2.0]))", "(Tensor(1.), Tensor(2.))"),
    ("clip(x, /, min=None, max=None)", "Tensor of x's shape", "xp.clip(xp.asarray([1.0, 5.0]), 0, 4)", "Tensor([1., 4.])"),
    ("count_nonzero(x, /, *, axis=None, keepdims=False)", "Tensor", "xp.count_nonzero(xp.asarray([0.0, 5.0]))", "Tensor(1)"),
    ("floor_divide(x1, x2, /)", "Tensor", "xp.floor_divide(xp.asarray([7.0, xp.inf]), 2)", "Tensor([ 3., inf])"),
    ("expm1(x, /)", "Tensor of x's shape", "xp.expm1(xp.asarray([0.0]))", "Tensor([0.])"),
    ("repeat(x, repeats, /, *, axis=None)", "Tensor", "xp.repeat(xp.asarray([1.0, 2.0]), 2)", "Tensor([1., 1., 2., 2.])"),
    ("take(x, indices, /, *, axis=None)", "Tensor", "xp.take(xp.asarray([1.0, 2.0]), xp.asarray([1]))", "Tensor([2.])"),
    ("take_along_axis(x, indices, /, *, axis=-1)", "Tensor", "xp.take_along_axis(xp.asarray([1.0, 2.0]), xp.asarray([1]))", "Tensor([2.])"),
    ("sort(x, /, *, axis=-1, descending=False, stable=True)", "Tensor of x's shape", "xp.sort(xp.asarray([3.0, 1.0]))", "Tensor([1., 3.])"),
    ("argsort(x, /, *, axis=-1, descending=False, stable=True)", "Tensor of x's shape, of integers", "xp.argsort(xp.asarray([3.0, 1.0]))",
     "Tensor([1, 0])"),
]  # fmt: skip
REFUSES = {
    "asarray": "ValueError\n    If a copy is needed and ``copy`` is False.",
    "reshape": "ValueError\n    If a copy is needed and ``copy`` is False.",
    "from_dlpack": "ValueError\n    If ``copy`` is False.", "astype": "TypeError\n    If complex numbers are to become real ones.",
}  # fmt: skip


def documented(signature: str, summary: str, returns: str, raises: str = "", notes: str = "", example: str = "") -> str:
    """Return a docstring in numpydoc's form; ``PARAMETERS`` describes each parameter of the signature."""
    names = re.findall(r"(\w+)(?:=[^,]+)?(?:, |$)", signature.partition("(")[2][:-1])
    sections = {
        "Parameters": "\n".join(f"{'*' * (f'*{name}' in signature)}{name} : {PARAMETERS[name]}" for name in names),
        "Returns": returns,
        "Raises": raises,
        "Notes": notes and f"{notes[0].upper() if notes.startswith('the') else notes[0]}{notes[1:]}.",
        "Examples": example,
    }
    parts = [f"{title}\n{'-' * len(title)}\n{text}" for title, text in sections.items() if text]
    return "\n\n".join([signature, summary, *parts]) + "\n"


def lines(code: str, printed: str) -> str:
    return f">>> from tinygrad_hw import Tensor\n>>> {code}\n{printed}"


def of_operator(name: str) -> dict[str, str]:
    """Return the docstrings of an operator, its reflection, and its in-place form."""
    sign, gradients, direct, reflected = OPERATORS[name]
    compares = not reflected
    returns, raises = BOOLS if compares else "Tensor", RAISES["matrices" if name == "matmul" else "operands"]
    number = "[[0.0, 1.0], [1.0, 0.0]]" if name == "matmul" else "2"
    tensor = "Tensor([[6.0, 4.0], [2.0, 0.0]])" if name == "matmul" else "Tensor([6.0, 4.0])" if gradients or compares else "Tensor([6, 4])"
    notes = f"the gradients of x {sign} y are {gradients}, summed over the axes that were broadcast" if gradients else ""
    say = lambda code, summary, example, printed: documented(code, f"Return {summary}.", returns, raises, notes, lines(example, printed))
    docs = {f"__{name}__": say(f"__{name}__(other)", f"self {sign} other", f"{tensor} {sign} {number}", direct)}
    if not compares:
        docs[f"__r{name}__"] = say(f"__r{name}__(other)", f"other {sign} self", f"{number} {sign} {tensor}", reflected)
        example = f"t = {tensor}; t {sign}= {number}; t"
        docs[f"__i{name}__"] = say(f"__i{name}__(other)", f"this tensor, self {sign} other written into it", example, direct)
    return docs


def of_tensor() -> dict[str, str]:
    """Return the docstring of every method, operator and property in the tables."""
    docs = {}
    for (returns, raises), rows in METHODS.items():
        for signature, summary, notes, code, printed in rows:
            name = signature.partition("(")[0]
            says = vars(Tensor)[name].__doc__ if summary is None else f"Return {summary}."
            docs[name] = documented(signature, says, returns, RAISES.get(raises, ""), notes, lines(code, printed))
    for name in OPERATORS:
        docs.update(of_operator(name))
    for name, (code, printed) in PROPERTIES.items():
        docs[name] = f"{cleandoc(vars(Tensor)[name].__doc__)}\n\nExamples\n--------\n{lines(code, printed)}\n"
    return docs


def of_standard() -> dict[Any, str]:
    """Return the docstrings of the functions of the Array API that are not NumPy's own."""
    docs = {}
    for signature, returns, code, printed in STANDARD:
        path, _, arguments = signature.partition("(")
        function = attrgetter(path)(array_api)
        paragraphs = cleandoc(function.__doc__).partition("\n\nParameters")[0].split("\n\n")
        if hasattr(function, "__wrapped__"):  # (a function of NumPy's in its docstring)
            paragraphs = [paragraph for paragraph in paragraphs if paragraph.startswith("Return")][:1]
        example = f">>> from tinygrad_hw import array_api as xp\n>>> {code}\n{printed}"
        name = function.__name__
        docs[function] = documented(f"{name}({arguments}", "\n\n".join(paragraphs), returns, REFUSES.get(name, ""), "", example)
    return docs


if Tensor.__doc__:  # (``python -OO`` leaves docstrings out)
    for name, doc in of_tensor().items():
        member: Any = vars(Tensor)[name]
        member.__doc__ = doc
        if not isinstance(member, property):
            member.__name__, member.__qualname__ = name, f"Tensor.{name}"
    for function, doc in of_standard().items():
        function.__doc__ = doc
