"""What NumPy's documentation says of views, writes and outputs holds for tensors: each statement is quoted, and its lines run on both.

A row is a statement, where ``x`` starts, and lines of NumPy. The lines run on an array, and then on a tensor without a gradient, on a
leaf within ``no_grad``, and on a result that has a gradient. Every name that the lines bind, and ``x``, must end with the same value, shape
and dtype; what NumPy refuses must be refused with the same kind of error. Since the lines write to ``x`` and to what may share entries with
it, equal ends mean equal sharing. The gradient, against a random cotangent, is that of Richardson's differences of the array's run.
"""

import zlib

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import Tensor

STATEMENTS = []
COMPLEX = np.array([[1 + 2j, 3 - 1j], [0.5j, -2 + 1j]])


def numbers(shape):
    """Return the numbers 1, 2, 3 ... of a shape, shuffled and moved a little: no ties, no zeros."""
    rng = np.random.default_rng(0)
    size = int(np.prod(shape))
    return np.array((rng.permutation(size) + 1 + rng.uniform(0, 0.3, size)).reshape(shape) / 4)


def says(statement, lines, start=(3, 4), raises=None):
    """Add a row to the table: the lines run on ``x``, an array or one of ``numbers`` of a shape."""
    STATEMENTS.append(pytest.param(lines, start, raises, id=f"{statement} [{lines}]"))


def rows_of(text):
    """Return the pieces of a text that bars divide."""
    return [piece.strip() for piece in text.split("|")]


def views(statement, *makers, start=(3, 4), shared=True):
    """Add a row for each maker of a view (or of a copy): it is used, its base is written to, it is used again and written to."""
    for make in makers:
        claim = f"assert np.shares_memory(x, v) is {shared}"
        says(statement, f"v = {make}; {claim}; old = v * v; x *= x + 1; new = v * 3; v += 2; v[...] = v * v; end = x * 2", start)


def read_only(statement, *makers, start=(3, 4)):
    """Add two rows for each maker of a view that is not to be written to: it sees its base, and refuses."""
    for make in makers:
        says(statement, f"v = {make}; assert np.shares_memory(x, v); old = v * v; x *= x + 1; new = v * 3", start)
        says(statement, f"v = {make}; v[...] = 1", start, ValueError)
        says(statement, f"v = {make}; v += 1", start, ValueError)


# A row is one statement, and its lines
# fmt: off
# Copies and views
views("a copy can be forced by using ndarray.copy; changes made to the copy do not reflect on the original",
      "x.copy()", "np.copy(x)", shared=False)
says("the view of a scalar is a scalar", "v = x[0].view(); v += 1; y = x * v", 3)
views("a view can be forced through the ndarray.view method", "x.view()", "x.view(float)", "x[1:].view()")
says("the base attribute of a view returns the original array while it returns None for a copy",
     "v = x[1:3].T; assert v.base is x and v[0].base is x; c = x[[2, 1]]; assert c.base is None and x.copy().base is None is x.base")
views("basic indexing always creates views",
      "x[1:3]", "x[1]", "x[...]", "x[:, 2]", "x[::-1, ::2]", "x[None]", "x[..., 1:, None]", "x[1, ...]", "x[1, 2, ...]")
views("an integer returns the same values as i:i+1 except that the dimensionality is reduced by 1", "x[-1]", "x[-1:]", "x[:, -2]", "x[0:1]")
views("x[ind1, ..., ind2, :] acts like x[ind1][..., ind2, :]", "x[1:, ..., ::2, :]", "x[1:][..., ::2, :]", start=(3, 4, 2))
views("a slicing tuple can always be constructed as obj and used in the x[obj] notation", "x[(slice(1, 10, 5), slice(None, None, -1))]")
views("advanced indexing always creates copies",
      "x[[1, 2]]", "x[x > 1]", "x[np.array([2, 0]), 1:]", "x[[0, 1], [1, 2]]", "x[np.ix_([0, 2], [1, 3])]", shared=False)
views("a single advanced index can replace a slice; however, it is a copy",
      "x[1:2, [1, 2]]", "x[:, [True, False, True, False]]", shared=False)
views("x[(1, 2, 3),] is fundamentally different than x[(1, 2, 3)]", "x[(1, 2),]", shared=False)
views("x[()] returns a view (if x is not zero-dimensional); x[...] always returns a view", "x[()]", "x[...]")
views("x[...] always returns a view", "x[...]", start=())
says("x[()] returns a scalar if x is zero-dimensional", "s = x[()] * 1; x += 1; y = s * 2", ())
says("indexing with N integers returns an array scalar", "s = x[1, 2]; y = s * s; x[1, 2] = 9; z = s + 1; assert z != 10")
says("y = x[1:3] gets changed when x is changed because it is a view", "y = x[1:3]; x[1:3] = [10, 11]; assert (y == [10, 11]).all()", 10)
says("assigning new values to x[[1, 2]] will not affect y = x[[1, 2]] at all",
     "y = x[[1, 2]]; x[[1, 2]] = [[10, 11, 12], [13, 14, 15]]", (3, 3))
says("y = x.reshape(3, 3) is a view, z = y[[2, 1]] a copy", "y = x.reshape(3, 3); z = y[[2, 1]]; x[:] = x * x; w = y[1:] * z", 9)
views("reshape creates a view where possible",
      "x.reshape(2, 6)", "np.reshape(x, (-1, 2))", "x.reshape(-1)", "x.T.reshape(12, order='F')", "x[:, :2].reshape(3, 2, 1)",
      "x.reshape(2, 6, copy=False)")
views("where the array becomes non-contiguous reshaping requires a copy",
      "x.T.reshape(-1)", "x[:, 1:].reshape(9)", "x.reshape(-1, order='F')", "x.reshape(2, 6, copy=True)", shared=False)
says("copy=False: raises a ValueError if a copy cannot be avoided", "y = x.T.reshape(-1, copy=False)", raises=ValueError)
says("copy=False: a view, whatever the order of the cotangent's memory is",
     "y = x.copy('F'); v = np.reshape(y, -1, order='F', copy=False); v[:3] = v[:3] * v[3:6]; z = y * y")
says("assigning a shape that needs a copy raises an error", "z = x.T[...]; z.shape = 12", raises=AttributeError)
views("ravel returns a contiguous flattened view wherever possible",
      "x.ravel()", "np.ravel(x)", "x.T.ravel(order='F')", "x.T.ravel('K')", "x[1:].ravel()", "np.ravel(x.T, 'A')")
views("ravel: a copy is made only if needed", "x.T.ravel()", "x.ravel('F')", "np.ravel(x[:, ::2])", shared=False)
views("flatten always returns a flattened copy", "x.flatten()", "x.flatten('F')", "x[0].flatten()", shared=False)
# The docstrings of the functions that share
views("transpose: a view is returned whenever possible",
      "x.T", "x.transpose()", "np.transpose(x, (1, 0))", "np.permute_dims(x, (1, 0))", "x.transpose(1, 0)")
views("for a 1-D array, this returns an unchanged view of the original array", "x.T", "np.transpose(x)", "x.transpose()", start=4)
views("matrix_transpose and mT give a view of the transposed stack",
      "x.mT", "np.matrix_transpose(x)", "np.linalg.matrix_transpose(x)", start=(2, 3, 4))
views("squeeze: this is always a itself or a view into a", "np.squeeze(x)", "x.squeeze(0)", "x.squeeze((0, 2))", start=(1, 3, 1))
views("squeeze: this is always a itself or a view into a", "np.squeeze(x)", "x.squeeze()")
says("squeeze: ValueError if an axis being squeezed is not of length 1", "y = np.squeeze(x, 1)", raises=ValueError)
views("swapaxes: a view of a is returned", "np.swapaxes(x, 0, 1)", "x.swapaxes(0, -1)", "np.swapaxes(x, 1, 1)")
read_only("diagonal: returns a read-only view; attempting to write will produce an error",
          "np.diagonal(x)", "x.diagonal(1)", "np.linalg.diagonal(x)")
says("if v is a 2-D array, np.diag extracts its diagonal", "v = np.diag(x, 1); old = v * v; x *= 3; new = v * 2")
views("if v is a 1-D array, diag returns a new 2-D array", "np.diag(x)", start=3, shared=False)
views("ndarray.conj of real numbers is the array itself", "x.conj()", "x.conjugate()")
views("ndarray.conj of complex numbers is a copy", "x.conj()", start=COMPLEX, shared=False)
views("x.real and x.imag write through", "x.real", "x.imag", "np.real(x)", "np.imag(x)", start=COMPLEX)
views("if x is real, x.real is x itself", "x.real", "np.real(x)")
read_only("the imaginary part of a real array is read-only zeros", start=(2,))
says("x.real = val; x.imag = val", "x.real = 7; y = x * x; x.imag = x.real * 2; z = x * 1", COMPLEX)
views("split: as views into ary",
      "np.split(x, 2, 1)[1]", "np.split(x, [1])[0]", "np.array_split(x, 3, 1)[0]", "np.hsplit(x, 2)[0]", "np.vsplit(x, 3)[2]",
      "np.unstack(x)[1]")
views("dsplit: as views into ary", "np.dsplit(x, [1])[1]", "np.unstack(x, axis=2)[0]", start=(2, 3, 4))
says("split: ValueError if the split does not result in equal division", "y = np.split(x, 3, 1)", raises=ValueError)
read_only("broadcast_to: a readonly view on the original array", "np.broadcast_to(x, (2, 3, 4))")
read_only("broadcast_to: a readonly view on the original array", "np.broadcast_to(x, (3, 2))", start=(3, 1))
says("broadcast_to: ValueError if the array is not compatible", "y = np.broadcast_to(x, (3, 5))", raises=ValueError)
says("broadcast_arrays: these arrays are views on the original arrays",
     "v, w = np.broadcast_arrays(x, np.ones((2, 1))); old = v * v; x *= 3; new = v * w", 4)
says("broadcast_arrays: if you need to write to the arrays, make copies first",
     "v = np.broadcast_arrays(x, np.ones((2, 1)))[0].copy(); v[0] = 7; y = x * v", 4)
views("expand_dims: view of a with the number of dimensions increased", "np.expand_dims(x, 1)", "np.expand_dims(x, (0, -1))")
views("moveaxis: this array is a view of the input array",
      "np.moveaxis(x, 0, -1)", "np.moveaxis(x, [0, 1], [-1, 0])", "np.moveaxis(x, 0, 0)", start=(2, 3, 2))
views("rollaxis: a view of a is always returned", "np.rollaxis(x, 1)", "np.rollaxis(x, 0, 3)", "np.rollaxis(x, 0)", start=(2, 3, 2))
views("flip: a view of m with the entries of axis reversed",
      "np.flip(x)", "np.flip(x, 1)", "np.flip(x, (0, 1))", "np.fliplr(x)", "np.flipud(x)")
views("rot90: a rotated view of m", *(f"np.rot90(x, {k})" for k in (0, 1, 2, 3, -1, 4)))
views("roll returns a new array",
      "np.roll(x, 1)", "np.repeat(x, 2, 0)", "np.tile(x, 2)", "np.take(x, [0, 1], 1)", "np.concatenate([x, x])", "np.stack([x])",
      shared=False)
views("atleast_1d: copies are made only if necessary", "np.atleast_1d(x)", "np.atleast_2d(x)", "np.atleast_3d(x)", start=())
views("atleast_3d: copies are avoided where possible, and views with three or more dimensions are returned",
      "np.atleast_1d(x)", "np.atleast_2d(x)", "np.atleast_3d(x)", start=4)
views("atleast_3d: copies are avoided where possible", "np.atleast_1d(x)", "np.atleast_2d(x)", "np.atleast_3d(x)")
views("einsum('ii->i', a) will return a writeable view of the diagonal",
      "np.einsum('ii->i', x)", "np.einsum('ij->ji', x)", "np.einsum(x, [0, 0], [0])", start=(3, 3))
views("einsum: when there is only one operand, no axes are summed, a view is returned",
      "np.einsum('i', x)", "np.einsum('i->i', x)", "np.einsum('...', x)", start=3)
views("einsum('ijk...->kji...', a) has the same effect as swapaxes(a, 0, 2)", "np.einsum('ijk...->kji...', x)", start=(2, 3, 2))
read_only("sliding_window_view: the view is read-only unless writeable=True", "sliding_window_view(x, 2)", start=5)
read_only("sliding_window_view: the view is read-only unless writeable=True",
          "sliding_window_view(x, (2, 2))", "sliding_window_view(x, 3, axis=1)")
says("writing to the view will modify the original array and may affect multiple view positions",
     "v = sliding_window_view(x, 3, writeable=True); v[0] = [10, 20, 30]; y = v * 1; v[2, 0] = 5", 5)
views("astype: copy=False returns the input; by default astype always returns a newly allocated array",
      "x.astype(float, copy=False)", "np.astype(x, float, copy=False)")
views("by default astype always returns a newly allocated array", "x.astype(float)", "np.astype(x, float)", shared=False)
views("astype: the input is returned if the order is satisfied, too",
      "x.astype(float, order='C', copy=False)", "x.T.astype(float, 'F', copy=False).T")
views("astype: else a copy", "x.astype(float, order='F', copy=False)", "x[:, ::2].astype(float, 'A', copy=False)", shared=False)
says("transpose: axes that do not match the array raise", "y = x.transpose(0)", raises=ValueError)
views("nan_to_num(copy=False) may be x itself", "np.nan_to_num(x, copy=False)")
views("nan_to_num makes a copy",
      "np.nan_to_num(x)", "np.clip(x, 0, 9)", "np.conjugate(x)", "np.positive(x)", "np.sort(x)", "np.cumsum(x, 0)", shared=False)
MAKERS = """
np.tile(x, 1) | np.tile(x, (1, 1)) | np.resize(x, (3, 4)) | np.pad(x, 0) | np.roll(x, 0) | np.repeat(x, 1) | np.trim_zeros(x) |
np.delete(x, [], 0) | np.insert(x, [], 0) | np.append(x, []) | np.block([x]) | np.block(x) | np.vstack([x]) | np.hstack([x]) |
np.dstack([x]) | np.column_stack([x]) | np.concatenate([x]) | np.concatenate([x], axis=None) | np.sum(x, axis=()) |
np.max(x, axis=()) | np.mean(x, axis=()) | np.clip(x, None, None) | np.round(x) | np.compress([True] * 3, x, 0) |
np.extract(x > 0, x) | np.einsum('ij->ij', x, optimize=True) | np.einsum('ij,->ij', x, 1.0) | np.diff(x, 0) | np.tril(x, 9) |
np.triu(x, -9) | np.diagflat(x) | np.select([x > 0], [x]) | np.choose(0, [x]) | np.where(True, x, 0) | np.where(x > 0, x, x) |
np.piecewise(x, [x > 0], [lambda v: v]) | np.apply_along_axis(lambda v: v, 0, x) | np.real_if_close(x) | np.take(x, [0, 1, 2], 0) |
np.array_split(x, 1)[0] | np.split(x, [])[0] | np.atleast_2d(x, x)[1] | np.meshgrid(x[0], x[1])[1] |
np.meshgrid(x[0], x[1], sparse=True)[0] | np.meshgrid(x[0], x[1], copy=False, sparse=True)[1] | np.meshgrid(x[0])[0] |
np.nan_to_num(x, nan=3) | np.unwrap(x / 9) | np.partition(x, 1) | np.apply_over_axes(np.sum, x, []) | np.full_like(x, x) |
np.squeeze(x[None], 0) | np.reshape(x, x.shape) | np.ravel(x[0]) | np.copy(x, order='K') | x.repeat(1, 0) | x.take([0], 0) |
x.round() | x.clip(0) | x.compress([1, 1, 1], 0) | np.linalg.matrix_power(x[:, :3], 1) | np.rollaxis(x, 1, 1) |
np.moveaxis(x, [], []) | np.expand_dims(x, ()) | np.flip(x, ()) | np.cumsum(x) | np.fft.fftshift(x) | np.nansum(x, axis=()) |
np.vander(x[0], 1) | np.kron(1, x) | np.tensordot(x, 1.0, 0) | np.convolve(x[0], [1.0]) | np.polyval([1, 0], x) |
np.polyadd(x[0], 0) | np.interp(x, [0, 9], [0, 9])
"""  # functions at the edge of doing nothing, where one may forget to copy
for make in rows_of(MAKERS):
    says("what shares entries with x, and what may be written to, is as in NumPy",
         f"v = {make}; old = v * v; x *= x + 1; new = v * 3; v += 2; v[...] = v * v; end = x * 2")
# x.flat
says("flat: assignments broadcast", "x.flat = 3; y = x * x", (2, 3))
says("x.flat[[1, 4]] = 1", "x.flat[[1, 4]] = 1; y = x * x; x.flat[2] = y[0, 0]; x.flat[::2] = [7, 8, 9]", (2, 3))
says("flat can be indexed using basic slicing or advanced indexing",
     "y = x.flat[3]; z = x.T.flat[3]; w = x.flat[[1, 4]]; v = x.flat[1:3]; x *= 2; u = v * w", (2, 3))
says("flat is an iterator, with copy and base, and compares entry by entry",
     "i = x.flat; a = next(i); b = [v * a for v in i]; c = x.flat.copy(); c[0] = 7; m = x.flat > 1; n = x.flat == x.ravel(); del i", 6)
says("flat iterates in C-contiguous style", "y = [v * 1 for v in x.T.flat][1]", (2, 3))
# Indexing and assignment
says("slicing: v = x[0]; x[0] = x[1]; x[1] = v writes to what v sees",
     "v = x[0]; x[0] = x[1]; x[1] = v; y = v * v; x[1], x[2] = x[2], x[1]")
says("the rows of an array are views, its numbers are scalars", "for row in x: row *= row[0] + 1")
says("the rows of an array are views, its numbers are scalars", "for s in x[0]: s += 1")
says("x[1, 2] is a scalar: += makes a new one", "s = x[1, 2]; s += 1; y = s * x")
says("advanced indexing on the left: x[[0, 1]] = x[[1, 0]] swaps", "x[[0, 1]] = x[[1, 0]]; y = x * x; x[:, [0, -1]] = x[:, [-1, 0]] * 2")
says("x[obj] += value on views of views",
     "x.T[1:][0] += x[:, 0]; x[::2].T[::-1, 1] *= 2; y = x * x; x.ravel()[::5] = 1; x.reshape(-1)[1:3] = x[1, :2]")
says("x.real and x.imag can be indexed and written to",
     "x.real[0] += 2; x.imag[:, 1] = x.real[:, 0]; x.real[np.array([[True, False], [False, True]])] *= 3; x.T.imag[0] = 4", COMPLEX)
says("x[0, 2] == x[0][2]", "a = x[0, 2] * 1; b = x[0][2] * 1; assert a == b")
says("the value must be shape consistent: a constant to a slice", "x[2:7] = 1", 10)
says("the value must be shape consistent: an array of the right size", "x[2:7] = np.arange(5); y = x * x", 10)
says("one can never grow the array", "x[2:7] = np.arange(6)", 10, ValueError)
says("the value is broadcastable to the shape the index produces", "x[:, 1:3] = x[:, :1]; x[[0, 2]] = x[1]; x[...] = x[:1] * x")
says("a leading dimension of 1 of the value is dropped", "x[1] = x[2:3]; y = x * x")
says("assigning floats to ints may result in changes", "x[1] = 1.9; x[2:4] = [2.5, -2.5]; x[[5, 6]] = 3.7; y = x * 1", np.arange(10))
says("assigning complex to floats raises", "x[1] = 1.2j", 10, TypeError)
says("assignments are always made to the original data", "x[[0, 2]] = 7; x[x > 6] *= 2; x[np.ix_([0], [1, 2])] += x[1, 1]")
says("x[np.array([1, 1, 3, 1])] += 1 will only be incremented by 1",
     "x[np.array([1, 1, 3, 1])] += 1; assert (x == [0, 11, 20, 31, 40]).all()", np.arange(0, 50, 10))
says("x[np.array([1, 1, 3, 1])] += 1 will only be incremented by 1", "x[np.array([1, 1, 3, 1])] += x[[0, 0, 4, 2]]; y = x * x", 5)
says("the last value remains for repeated indices", "x[[0, 0, 2]] = x[[1, 3, 4]] * 2; y = x * x", 5)
says("x[x < 0] += 20", "x -= 1; x[x < 0] += 20; y = x * x")
says("x[~np.isnan(x)]", "y = x[~np.isnan(x)]; y *= 2", np.array([[1.0, 2.0], [np.nan, 3.0]]))
says("x[b] is equivalent to x[b.nonzero()], row-major", "b = np.asarray(x > 1); y = x[b]; z = x[b.nonzero()]; assert (y == z).all()")
says("an index error is raised if the shape of a Boolean array does not match", "y = x[np.ones(4, bool)]", raises=IndexError)
says("an index error is raised if the shape of a Boolean array does not match", "x[np.ones((3, 5), bool)] = 0", raises=IndexError)
says("index values that are out of bounds raise an IndexError", "y = x[np.array([3, 4])]", raises=IndexError)
says("index values that are out of bounds raise an IndexError", "x[3] = 0", raises=IndexError)
says("index values that are out of bounds raise an IndexError", "x[[0, 3]] += 1", raises=IndexError)
says("IndexError: shape mismatch", "y = x[[0, 1, 2], [0, 1]]", raises=IndexError)
says("there may only be a single ellipsis present", "y = x[..., ...]", raises=IndexError)
says("advanced indices separated by a slice come first",
     "y = x[:, [0, 1], :, [1, 0]] * 1; z = x[:, [0, 1], [1, 0]] * 1; x[:, [0, 1], :, [1, 0]] = 5", (2, 2, 3, 2))
says("result = x[..., ind, :] produces the same as x.take(ind, axis=-2)",
     "y = x[..., [[0, 1], [1, 1]], :]; z = x.take([[0, 1], [1, 1]], axis=-2); assert (y == z).all()", (2, 2, 3))
says("x[:, np.newaxis] + x[np.newaxis, :]", "y = x[:, np.newaxis] * x[np.newaxis, :]", 5)
# In-place operators and overlapping memory
for op in ("+", "-", "*", "/", "**", "//", "%"):
    says(f"x {op}= y is computed in place: the shape and dtype stay", f"v = x[1:]; w = x; x {op}= 2; assert w is x; y = v * 3")
    says(f"x {op}= y casts the result to fit back into x", f"x {op}= np.float64(2); assert x.dtype == 'f4'", numbers((2, 3)).astype("f"))
    says(f"operations with overlap are as if a temporary copy was made (x[1:] {op}= x[:-1])", f"x[1:] {op}= x[:-1]; y = x * x", 5)
says("x @= y is computed in place", "w = x; v = x[1:]; x @= x / 8; assert w is x; y = v * 2", (3, 3))
says("x @= y: the shape of x stays", "x @= np.ones((4, 3))", raises=ValueError)
says("x @= y: axes of 1 in front of the result are dropped, others refused", "v = x[0]; v @= x[None] + 1; x @= x[None]; y = x * v", (3, 3))
says("x @= y: axes of 1 in front of the result are dropped, others refused", "x @= np.ones((2, 3, 3))", (3, 3), ValueError)
says("matmul and its kin fill an out that has more axes", "o = np.stack([x, x]); np.matmul(x, x, out=o); y = o * x", (3, 3))
says("matmul and its kin fill an out that lacks axes of 1 in front", "o = x * 1; np.matmul(x[None], x, out=o); y = o * x", (3, 3))
for op in ("&=", "|=", "^=", "<<=", ">>="):
    says(f"x {op} y is computed in place", f"v = x[1:]; x {op} 3; y = v + 0", np.arange(6))
says("casting is same_kind: floats do not fit into ints", "x += 1.5", np.arange(4), TypeError)
says("casting is same_kind: the true quotient of ints does not fit into ints", "x /= 2", np.arange(4), TypeError)
says("casting is same_kind: complex numbers do not fit into floats", "x += 3j", raises=TypeError)
says("a non-broadcastable output operand does not grow", "x += np.ones((2, 3, 4))", raises=ValueError)
says("a non-broadcastable output operand does not grow", "x *= np.ones((3, 4))", (3, 1), ValueError)
says("operations with overlap: x += x.T", "x += x.T; y = x * x; x[...] = x[::-1]; x[:, 1:] = x[:, :-1]", (3, 3))
says("operations with overlap: np.add(x[:-1], x[1:], out=x[1:])",
     "np.add(x[:-1], x[1:], out=x[1:]); np.multiply(x[::-1], x, out=x); y = x * x", 5)
says("x[...] = value writes all of x", "v = x[1]; x[...] = x * x; y = v * 2; x[...] = 4")
says("x[:] = value keeps the dtype of x", "x[:] = np.arange(3) + 0.1; assert x.dtype == 'f4'", np.ones(3, "f"))
says("ufunc.at: unbuffered in place operation: elements indexed more than once accumulate", "r = np.add.at(x, [0, 1, 2, 2], 1)", 4)
says("ufunc.at: results are accumulated for elements that are indexed more than once",
     "np.multiply.at(x, [0, 0, 3], x[1:4] * 1); y = x * x", 4)
says("ufunc.at: indices can be a tuple of slices, integers and arrays",
     "np.add.at(x, (slice(None), [0, 0, 2]), x[:, 1:]); np.subtract.at(x, ([0, 0], [1, 1]), 3); y = x * x")
says("ufunc.at: operand must be broadcastable over first operand after indexing", "np.add.at(x, [0, 1], [1, 2, 3])", raises=ValueError)
says("ufunc.at: an index out of bounds", "np.add.at(x, [0, 7], 1)", raises=IndexError)
says("ufunc.at on a view writes to its base", "np.add.at(x[1], [0, 0], 1); np.multiply.at(x.T, [0, 0], 2); y = x * x")
says("ufunc.at: functions without a derivative, too", "np.greater.at(x, [0, 0, 1], 1); np.isfinite.at(x, [2]); y = x * x", 4)
says("np.negative.at(a, [0, 1])", "r = np.negative.at(x, [0, 1]); y = x * x", 4)
# out= and where=
says("out: a location into which the result is stored; a reference to it is returned",
     "v = x[1:]; r = np.exp(x, out=x); assert r is x; y = v * 2")
says("out can be given by position", "r = np.multiply(x, x, x); assert r is x")
says("out can be a 1-element tuple", "r = np.sqrt(x, out=(x,)); assert r is x")
says("out can be a tuple of two", "q = x * 0; m = x * 0; r = np.modf(x, out=(q, m)); assert r[0] is q and r[1] is m")
says("out can be a tuple with None", "q = x * 0; r = np.divmod(x, 0.3, out=(q, None)); assert r[0] is q; a, b = r; del r")
says("out can be a tuple of an array and x", "q = np.zeros((3, 4)); r = np.modf(np.full((3, 4), 1.25), out=(q, x)); y = x * x")
says("where beside two outputs", "q = x * 2; m = x[:1] * x; np.divmod(x, 0.3, out=(q, m), where=x > 1); y = q * m")
says("out must have a shape that the inputs broadcast to", "o = x[0] * 0; np.add(x, 1, out=o)", raises=ValueError)
says("out may be of a larger shape that the inputs broadcast to", "np.multiply(x[0] * 1, 2, out=x); y = x * x")
says("einsum and clip fill an out of a larger shape, too",
     "np.einsum('...->...', x[:1] * 2, out=x); y = x * x; np.clip(x[0] * 1, 1, 3, x[:2])")
says("dot: out must have the exact kind that would be returned: C-contiguous", "np.dot(x, x, out=x.copy().T)", (3, 3), ValueError)
says("the output will be cast if necessary", "o = x[0].astype('f'); r = np.multiply(x[0], x[1], out=o); assert r.dtype == 'f4'; del r, o")
says("casting='same_kind': a result that cannot be cast raises a TypeError",
     "o = (x * 0).astype(int); np.add(x, 1, out=o)", raises=TypeError)
says("casting='unsafe' casts all the same", "np.multiply(x, 1.5, out=x, casting='unsafe')", np.arange(4))
says("where: elsewhere, the out array will retain its original value", "o = x * 10; np.exp(x, out=o, where=x > 1); y = o * o")
says("where is broadcast over the input", "np.multiply(x, x, out=x, where=[True, False, True, False]); y = x * 2")
says("where: log where x > 1", "v = x[0]; np.log(x, out=x, where=x > 1); y = v * x")
says("out of a view writes into the base", "np.sin(x[0], out=x[1]); y = x * x; np.add(x[:, 0], x[:, 1], out=x[:, 3])")
says("reduce: out is a location into which the result is stored",
     "o = x[0] * 0; r = np.add.reduce(x, out=o); assert r is o; np.sum(x, axis=1, out=x[:, 0])")
says("reduce: out must have the expected shape", "o = x[0] * 0; np.sum(x, axis=1, out=o)", raises=ValueError)
says("reduce: where selects elements to include in the reduction", "y = np.sum(x, axis=0, where=x > 1); z = np.mean(x, where=x > 0.5)")
says("cumsum: a reference to out is returned", "r = np.cumsum(x, axis=1, out=x); assert r is x; np.cumprod(x, axis=0, out=x)")
says("clip: it may be the input array for in-place clipping", "r = np.clip(x, 0.6, 2.1, out=x); assert r is x; y = x * x")
says("methods take out as the functions do", "o = x[0] * 0; x.sum(0, out=o); x.mean(0, out=x[1]); x.clip(0.3, 2.5, out=x)")
says("matmul and dot take out", "o = x * 0; np.matmul(x, x, out=o); x.dot(o, out=x); y = x + o", (3, 3))
says("dot: out must have the exact kind that would be returned", "o = x.astype('f'); np.dot(x, x, out=o)", (3, 3), (TypeError, ValueError))
says("einsum: casting='safe' unless told otherwise", "o = x[0].astype('f'); np.einsum('ij->j', x, out=o)", raises=TypeError)
says("einsum: casting='same_kind'", "o = x[0].astype('f'); np.einsum('ij->j', x, out=o, casting='same_kind'); del o")
says("concatenate and stack take out",
     "o = np.concatenate([x, x]) * 0; np.concatenate([x, x * x], out=o); np.stack([x[0] * x[1]], out=x[1:2])")
says("take and compress take out", "np.take(x, [2, 0], axis=0, out=x[:2], mode='clip'); y = x * x")
CALLS = """
np.mean({}, axis=1 | np.prod({}, axis=1 | np.max({}, axis=1 | np.min({}, axis=1 | np.std({}, axis=1 | np.var({}, axis=1 |
np.median({}, axis=1 | np.nansum({}, axis=1 | np.nanmean({}, axis=1 | np.quantile({}, 0.4, axis=1 | np.ptp({}, axis=1 |
np.trace({}.reshape(2, 2, 3) | np.einsum('ij->i', {} | np.einsum('ij,j->i', {}, x[1] | np.dot({}, x[1] |
np.add.reduceat({}[:, 0], [0, 2, 1] | np.multiply.accumulate({}[:, 1] | np.cumsum({}[:, 2] | np.compress([1, 0, 1, 1], {}[1] |
np.choose([0, 1, 0], [{}[:, 0], x[:, 1]] | np.cumulative_sum({}[:, 1] | np.nanprod({}, 1 | np.logaddexp({}[:, 0], 1 |
np.matmul({}, x[0] | np.matvec({}, x[0] | np.vecdot({}, x[0] | np.nanmax({}, 1 | np.nanstd({}, 1 | np.percentile({}, 30, 1
"""
for call in rows_of(CALLS):
    says("out: if provided, the result will be inserted into this array, and a reference to it is returned",
         f"o = x[:, 0] * 0; r = {call.format('x')}, out=o); assert r is o; y = r * x[:, 1]")
UFUNCS = {f.__name__: f for name in sorted(np.__all__) if isinstance(f := getattr(np, name), np.ufunc) and f.signature is None}
for ufunc in UFUNCS.values():
    real = "d" in "".join(ufunc.types)
    call = f"np.{ufunc.__name__}(x{', 3' * (ufunc.nin > 1 and not real)}{', 0.7' * (ufunc.nin > 1 and real)}"
    call = "np.ldexp(x, 2" if ufunc is np.ldexp else call
    made = f"o = np.zeros_like({call})); e = o" if ufunc.nout == 1 else f"o, e = [np.zeros_like(v) for v in {call})]"
    given = "o" if ufunc.nout == 1 else "(o, e)"
    start = numbers(6) / 2 + (ufunc is np.arccosh) if real else np.arange(6)
    if ufunc is not np.isnat:
        says("out: a location into which the result is stored. where: elsewhere, the out array will retain its original value",
             f"{made}; r = {call}, out={given}, where=x < 0.5); s = {call}, out={given}); y = o * 2.0", start)
for calls in (  # a call for each function whose ``out`` can be given by position, up to the arguments before it
    "clip(x, 0.6, 2.1 | max(x, 0 | min(x, 1 | var(x, 0, None | std(x, 0, None | sum(x, 0, None | prod(x, 1, None | mean(x, 0, None",
    "nansum(x, 0, None | nanprod(x, 0, None | nanmean(x, 0, None | nanvar(x, 0, None | nanstd(x, 0, None | nanmax(x, 0 | nanmin(x, 0",
    "median(x, 0 | nanmedian(x, 0 | percentile(x, 30, 0 | quantile(x, 0.3, 1 | nanpercentile(x, 30, 0 | nanquantile(x, 0.3, 0",
    "argmin(x, 0 | argmax(x, 0 | nanargmin(x, 0 | nanargmax(x, 0 | isneginf(x | isposinf(x | fix(x | all(x > 1, 0 | any(x > 1, 0",
    "trace(x, 0, 0, 1, None | outer(x[0], x[1] | round(x, 0 | cumsum(x, 1, None | cumprod(x, 1, None | nancumsum(x, 0, None | ptp(x, 0",
    "concatenate([x, x], 0 | stack([x, x], 1 | choose([0, 1, 2, 0], x | compress([1, 0, 1], x, 0 | dot(x, x[0] | take(x, [0, 2], 0",
    "fft.fft(x, None, 0, None | fft.ifft(x, None, 0, None | fft.rfft(x, None, 1, None | fft.irfft(x, 4, 1, None | nancumprod(x, 0, None",
    "fft.fft2(x, None, (0, 1), None | fft.fftn(x, None, None, None | fft.rfftn(x, None, None, None | fft.irfftn(x, None, None, None",
):
    says("out can be given by position, in every function that has it",
         "; ".join(f"o = np.zeros_like(np.{call})); r = np.{call}, o); assert r is o; y{k} = o" for k, call in enumerate(rows_of(calls))))
says("out by position: the arguments after it stay",
     "np.sum(x, 0, None, x[0], False); np.quantile(x, 0.2, 0, x[1], False, 'lower'); np.take(x, [0, 5], 1, x[:, :2], 'wrap')")
says("out can be given by position to methods too",
     "x.sum(0, None, x[1]); x.mean(1, None, x[:, 0]); x.max(0, x[0]); x.cumsum(1, None, x); x.clip(0.5, 2.5, x); x.take([1], 0, x[1:2])")
says("what has no derivative can be written into an array",
     "o = np.zeros(4, int); np.argmax(x, 0, out=o); m = x > 9; np.greater(x, 1, out=m)")
says("clip: where and casting are those of the ufuncs",
     "y = np.clip(x, 0.6, 1.9, dtype='f8'); np.clip(x, 0.6, 1.9, out=x, where=x > 1); x.clip(0.7, out=x, where=x < 1, casting='unsafe')")
says("axes: a list of tuples with indices of axes a generalized ufunc should operate on",
     "y = np.matmul(x, x, axes=[(0, 1), (1, 0), (0, 1)]); z = np.matmul(x, x, axes=[(1, 0), (0, 1), (1, 0)])")
says("axes: for generalized ufuncs that operate on 1-dimensional vectors, single integers are accepted",
     "y = np.vecdot(x, x * 2, axes=[0, 0, ()]); z = np.matvec(x, x[:, 0], axes=[(1, 0), 0, 0]); w = np.vecmat(z, x, axes=[0, (1, 0), 0])")
says("axis: a single axis over which a generalized ufunc should operate; keepdims leaves it with size one",
     "y = np.vecdot(x, x, axis=0); z = np.vecdot(x, x, axis=0, keepdims=True); w = np.vecdot(x, x, keepdims=True)")
says("axes: as many as there are operands", "y = np.matmul(x, x.T, axes=[(0, 1)])", raises=(ValueError, TypeError))
says("casting: 'no' means the data types should not be cast at all", "y = np.add(x, np.ones(4, 'f4'), casting='no')", raises=TypeError)
says("dtype and signature choose the loop",
     "y = np.add(x, 1, dtype=complex); z = np.add(x, x, signature='dd->d'); w = np.sin(x, sig='D->D')")
says("dtype: complex numbers are not cast to real ones", "y = np.sin(x, dtype=float)", COMPLEX, TypeError)
says("outer takes out",
     "o = x[:, :3] * 0; r = np.outer(x[0, :3], x[1, :3], out=o); assert r is o; np.multiply.outer(x[0, :3], x[2, :3], out=o); y = o * 1")
says("a sum over all takes a 0-d out", "o = np.zeros_like(x[1, 1, ...]); r = np.sum(x, out=o); assert r is o; y = o * 2")
says("out=...: an array is returned even if the result is 0-dimensional",
     "y = np.add.reduce(x[0], out=...); z = np.exp(x[0, 0], out=...); assert y.shape == ()")
says("out=None: a freshly-allocated array is returned",
     "y = np.add(x, x, out=None); z = np.sum(x, out=None); w = np.add(x, x, None); w += 1")
says("meshgrid(copy=False): a view into the original arrays are returned; copies by default",
     "a, b = np.meshgrid(x, x * 1, copy=False); c, d = np.meshgrid(x, x); x *= 3; y = a * b + c * d; c += 1; d[0] = 7", 3)
says("round takes out", "r = np.round(x, out=x); assert r is x")
# Functions that write, and return None
says("copyto: copies values from one array to another, broadcasting as necessary", "r = np.copyto(x, x[1] * 2); y = x * x")
says("copyto: where selects the elements to copy", "v = x[1]; r = np.copyto(x, x * x, where=[True, False, False, True]); y = v * v")
says("copyto: raises a TypeError if the casting rule is violated", "np.copyto(x, [1.5, 2.5])", np.arange(2), TypeError)
says("copyto: casting='unsafe'", "np.copyto(x, [1.5, 2.5], casting='unsafe')", np.arange(2))
says("copyto: memory that overlaps", "np.copyto(x[1:], x[:-1]); y = x * x")
says("put is roughly equivalent to a.flat[ind] = v", "r = np.put(x, [0, 5], [-44, -55]); y = x * x")
says("put: if v is shorter than ind it will be repeated", "np.put(x, [0, 2, 5], x[1, :2] * 1); y = x * x; x.put([1, -1], 7)")
says("put: mode='clip' and mode='wrap'", "np.put(x, 22, -5, mode='clip'); np.put(x, [13, -14], [8, 9], mode='wrap')")
says("put: nothing is written of no values", "np.put(x, 0, []); y = x * x")
says("put: mode='raise' raises an error", "np.put(x, 22, -5)", raises=IndexError)
says("place uses the first N elements of vals", "r = np.place(x, x > 1.5, [44, 55]); y = x * x")
says("place: vals smaller than N will be repeated", "v = x[0]; np.place(x, x > 1, x[2, :3] * 1); y = v * x")
says("place: if elements are to be masked, the sequence must be non-empty", "np.place(x, x > 1, [])", raises=ValueError)
says("putmask sets a.flat[n] = values[n] for each n where mask.flat[n] is True", "r = np.putmask(x, x > 1, x ** 2); y = x * 2")
says("putmask: if values is not the same size as a and mask then it will repeat", "np.putmask(x, x > 0.5, [-33, -44]); y = x * x", 5)
says("put_along_axis: r is None, and values broadcast against indices",
     "i = np.argmax(x, axis=1, keepdims=True); r = np.put_along_axis(x, i, 99, axis=1); y = x * x")
says("put_along_axis with values that have a gradient", "np.put_along_axis(x, np.array([[1, 0, 2, 2]]), x[:1] * 2, axis=0); y = x * x")
says("put_along_axis: axis None treats arr as flattened", "np.put_along_axis(x, np.array([1, 7]), [5, 6], axis=None)")
says("fill_diagonal modifies the input array in-place without returning a value", "r = np.fill_diagonal(x, 5); y = x * x", (3, 3))
says("fill_diagonal: the flattened val is written along the diagonal, repeating if necessary",
     "np.fill_diagonal(x, x[0, 1:] * 1); y = x * x", (3, 3))
says("fill_diagonal: wrap for tall matrices", "np.fill_diagonal(x, 4, wrap=True); y = x * x", (5, 2))
says("fill_diagonal: the anti-diagonal can be filled by reversing the order",
     "np.fill_diagonal(np.fliplr(x), [1, 2, 3]); np.fill_diagonal(np.flipud(x), 4)", (3, 3))
says("fill_diagonal: array must be at least 2-d", "np.fill_diagonal(x, 1)", 3, ValueError)
says("ndarray.sort sorts an array in-place", "v = x[0]; r = x.sort(); y = v * [1, 2, 3, 4]; x.sort(axis=0)")
says("ndarray.sort of a view sorts those entries", "x[:, 1].sort(); x[::-1, 0].sort(); y = x * x")
for sorted_copy in ("np.sort(x.T, 0)", "np.partition(x.T, 1, axis=-1)", "np.sort(np.moveaxis(x[None], 0, -1), 1)"):
    says("sort: a copy of the same memory layout", f"y = {sorted_copy}; z = y.reshape(-1); w = y.T.reshape(-1); y *= 2; v = z * w")
says("ndarray.partition: the k-th element is where it would be in a sorted array, in place",
     "r = x.partition(3); y = x[3] * 1; z = x[:3].sum(); x.sort()", 7)
says("ndarray.fill fills the array with a scalar value", "v = x[1:]; r = x.fill(4); y = v * 2; x[1].fill(3)")
says("ndarray.fill expects a scalar value", "x.fill([1, 2])", raises=ValueError)
says("ndarray.put sets a.flat[n] = values[n]", "r = x.put([0, 5], x[1, :2] * 2); y = x * x")
says("unique takes each of the different entries from its first place",
     "y = np.unique(x); z = np.unique(x, axis=0); a, i, j, n = np.unique(np.append(x, x), True, True, True); b = np.unique_all(x).values")
says("delete, insert and append do not occur in-place",
     "a = np.append(x, 9); b = np.delete(x, 1); c = np.insert(x, 1, 5); a[0] = 1; b += 1", 5)


# fmt: on


def run(lines, x, raises=None):
    """Run lines on ``x`` and return what they bound, by name."""
    names = {"np": np, "x": x, "sliding_window_view": sliding_window_view}
    if raises is None:
        exec(lines, names)
    else:
        with pytest.raises(raises):
            exec(lines, names)
    return {name: value for name, value in names.items() if name not in ("np", "sliding_window_view", "__builtins__")}


def leaves(bound):
    """Return the arrays and tensors among what was bound, lists and tuples opened."""
    for value in bound.values():
        yield from value if isinstance(value, (list, tuple)) else [value]


def same(ours, theirs, close):
    assert ours.keys() == theirs.keys()
    for a, b in zip(leaves(ours), leaves(theirs), strict=True):
        if isinstance(b, (np.ndarray, np.generic)):
            a = a.data if isinstance(a, Tensor) else np.asarray(a)
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            assert_allclose(a, b, rtol=1e-12) if close and b.dtype == float else assert_array_equal(a, b)
        else:
            assert a is b or a == b


def dotted(bound, seed):
    """Return the real part of the sum of what was bound that is a floating array, each entry times a random number."""
    rng = np.random.default_rng(seed)
    floats = [v for v in leaves(bound) if isinstance(v, (np.ndarray, np.generic, Tensor)) and v.dtype.kind in "fc"]
    return sum(np.real(np.sum(v * rng.normal(size=v.shape))) for v in floats)


@pytest.mark.parametrize(("lines", "start", "raises"), STATEMENTS)
def test_what_numpy_says_of_arrays_holds_for_tensors(lines, start, raises):
    start = start if isinstance(start, np.ndarray) else numbers(start)
    theirs = run(lines, start.copy(), raises)
    same(run(lines, Tensor(start.copy()), raises), theirs, False)
    if start.dtype.kind not in "fc":
        return
    with tg.no_grad():
        leaf = Tensor(start.copy(), requires_grad=True)
        ours = run(lines, leaf, raises)
        same(ours, theirs, False)
        assert ours["x"] is leaf and leaf.requires_grad
    leaf = Tensor(start.copy(), requires_grad=True)
    ours = run(lines, leaf * 1 if start.ndim else leaf.copy(), raises)
    same(ours, theirs, True)
    assert_array_equal(leaf.data, start)
    if start.dtype != np.float64 or raises or np.isnan(start).any():
        return
    seed = zlib.crc32(lines.encode())
    direction = np.random.default_rng(seed + 1).normal(size=start.shape)
    ends = [[dotted(run(lines, np.asarray(start + h * direction)), seed) for h in (step, -step)] for step in (2**-9, 2**-10)]
    slope = [(above - below) / (2 * step) for (above, below), step in zip(ends, (2**-9, 2**-10), strict=True)]
    dotted(ours, seed).backward()
    assert_allclose(np.sum(leaf.grad * direction), (4 * slope[1] - slope[0]) / 3, rtol=1e-6)
