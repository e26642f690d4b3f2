"""The calculus of products: matmul, dot, einsum and their kin, for every rank that NumPy allows."""

from __future__ import annotations

from math import prod
from string import ascii_letters
from typing import Any

import numpy as np
from numpy import ndarray

from .elementwise import conj
from .table import Each, composition, dispatched, formula, no_derivative, rule


def _as_rows(x: Any) -> Any:
    """Return the rows of a stack of matrices, one below the other."""
    return np.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


@dispatched
def rows_by_matrix(x: Any, w: Any) -> Any:
    """Return x w, for a stack x and one matrix w, as one product of all the rows."""
    return np.reshape(np.dot(_as_rows(x), w), (*x.shape[:-1], w.shape[-1]))


@dispatched
def sum_of_products(x: Any, y: Any) -> Any:
    """Return Σ xᵀ y over two stacks of one shape, as one product."""
    return np.dot(_as_rows(x).T, _as_rows(y))


def _matmul_x(g: Any, out: Any, x: Any, y: Any) -> Any:
    """Return g yᵀ; a vector is given the axis that it lacks."""
    if x.ndim == y.ndim == 2:
        return g.dot(y.T) if type(g) is ndarray is type(y) else g @ y.T
    if y.ndim == 1:
        return g[..., None] * y
    if x.ndim == 1:
        return np.dot(y, g) if y.ndim == 2 else (y @ g[..., None])[..., 0]
    if y.ndim == 2:
        return rows_by_matrix(g, y.T)
    return sum_of_products(g.mT, y.mT) if x.ndim == 2 else g @ y.mT


def _matmul_y(g: Any, out: Any, x: Any, y: Any) -> Any:
    """Return xᵀ g; a vector is given the axis that it lacks."""
    if x.ndim == y.ndim == 2:
        return x.T.dot(g) if type(g) is ndarray is type(x) else x.T @ g
    if x.ndim == 1:
        return g * x if y.ndim == 1 else x[:, None] * g[..., None, :]
    if y.ndim == 1:
        return np.dot(x.T, g) if x.ndim == 2 else sum_of_products(x, g[..., None])[:, 0]
    return sum_of_products(x, g) if y.ndim == 2 else x.mT @ g


def _multiply_matrices(x: Any, y: Any) -> Any:
    """Return x @ y: for two matrices by np.dot, which has less overhead, and a stack times one matrix as one product."""
    if x.ndim == y.ndim == 2:
        return x.dot(y) if type(y) is ndarray else np.dot(x, y)
    return rows_by_matrix(x, y) if x.ndim > 2 and y.ndim == 2 and x.shape[-1] == y.shape[0] else np.matmul(x, y)


rule(np.matmul,       _matmul_x, _matmul_y, call=_multiply_matrices)
rule(rows_by_matrix,  lambda g, out, x, w: rows_by_matrix(g, w.T),
                      lambda g, out, x, w: sum_of_products(x, g))
rule(sum_of_products, lambda g, out, x, y: rows_by_matrix(y, g.T),
                      lambda g, out, x, y: rows_by_matrix(x, g))
formula(rows_by_matrix, lambda x, w: x @ w)
formula(sum_of_products, lambda x, y: np.sum(x.mT @ y, tuple(range(x.ndim - 2))))


@composition(np.dot)
def _dot(a: Any, b: Any, out: None = None) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return a @ b if np.ndim(b) <= 2 else np.tensordot(a, b, (-1, -2))


composition(np.vdot)(lambda a, b: np.conjugate(np.ravel(a)) @ np.ravel(b))


@composition("vecdot", np.linalg.vecdot, checked=True)
def _vecdot(x1: Any, x2: Any, /, *, axis: int = -1, keepdims: bool = False) -> Any:
    if keepdims:
        return np.expand_dims(_vecdot(x1, x2, axis=axis), axis)
    x1, x2 = (x1, x2) if axis == -1 else (np.moveaxis(x, axis, -1) for x in (x1, x2))
    if x1.ndim == 1 or x2.ndim == 1:  # (no product of every two entries is kept)
        return x2 @ conj(x1) if x1.ndim == 1 else conj(x1) @ x2
    return np.sum(np.conjugate(x1) * x2, -1)


@dispatched
def vecmat(x: Any, y: Any) -> Any:
    """Return x y, each of a stack of vectors times its matrix: x of shape (..., m), y (..., m, n)."""
    if x.shape[:-1] == y.shape[:-2] and y.size and not any(y.strides[:-2]):  # (one matrix, repeated)
        return np.matmul(x, y[(0,) * (y.ndim - 2)])
    return np.matmul(x[..., None, :], y)[..., 0, :]


rule(vecmat, lambda g, out, x, y: vecmat(g, y.mT),
             lambda g, out, x, y: np.einsum("...i,...j->...ij", x, g), call=vecmat)  # fmt: skip


composition("matvec", checked=True)(lambda x1, x2, /: (x1 @ x2[..., None])[..., 0])
composition("vecmat", checked=True)(lambda x1, x2, /: (np.conjugate(x1)[..., None, :] @ x2)[..., 0, :])
composition(np.inner)(lambda a, b: a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else np.tensordot(a, b, (-1, -1)))


composition(np.outer)(lambda a, b, out=None: np.ravel(a)[:, None] * np.ravel(b)[None, :])
composition(np.linalg.outer, checked=True)(lambda x1, x2, /: np.outer(x1, x2))


@composition(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes_a, axes_b = list(range(np.ndim(a) - axes, np.ndim(a))), list(range(axes))
    else:
        axes_a, axes_b = ([axis] if isinstance(axis, int) else list(axis) for axis in axes)
    axes_a, axes_b = [i % np.ndim(a) for i in axes_a], [i % np.ndim(b) for i in axes_b]
    free_a, free_b = ([i for i in range(np.ndim(x)) if i not in used] for x, used in ((a, axes_a), (b, axes_b)))
    shape_a, shape_b = np.shape(a), np.shape(b)
    if [shape_a[i] for i in axes_a] != [shape_b[i] for i in axes_b]:
        raise ValueError("shape-mismatch for sum")
    folded = int(np.prod([shape_a[i] for i in axes_a]))
    left = np.reshape(np.transpose(a, free_a + axes_a), (-1 if folded else int(np.prod([shape_a[i] for i in free_a])), folded))
    right = np.reshape(np.transpose(b, axes_b + free_b), (folded, -1 if folded else int(np.prod([shape_b[i] for i in free_b]))))
    return np.reshape(left @ right, [shape_a[i] for i in free_a] + [shape_b[i] for i in free_b])


# einsum: a product of operands with labelled axes, summed over the labels that the result lacks
@dispatched
def einsum(subscripts: str, *operands: Any) -> Any:
    """Return np.einsum(subscripts, *operands), the subscripts with neither dots nor blanks and with their arrow."""
    return np.einsum(subscripts, *operands, optimize=len(operands) > 2)


def _einsum_operand(i: int, g: Any, out: Any, subscripts: str, *operands: Any) -> Any:
    """Return the einsum of g with the other operands; a label that only this operand has is spread, a trace made diagonal."""
    inputs, result = subscripts.split("->")
    labels = inputs.split(",")
    own, operand = labels.pop(i - 1), operands[i - 1]
    others = [*operands[: i - 1], *operands[i:]]
    spare = iter(letter for letter in ascii_letters if letter not in subscripts)
    wanted = ""
    for axis, letter in enumerate(own):
        if letter in wanted:
            letter, twin = next(spare), letter
            labels.append(twin + letter)
            others.append(np.eye(operand.shape[axis], dtype=operand.dtype))
        elif letter not in result and not any(letter in label for label in labels):
            labels.append(letter)
            others.append(np.ones(operand.shape[axis], operand.dtype))
        wanted += letter
    return einsum(f"{','.join([result, *labels])}->{wanted}", g, *others)


rule(einsum, Each(_einsum_operand))


@dispatched
def einsum_view(x: Any, subscripts: str) -> Any:
    """Return np.einsum(subscripts, x), for subscripts that keep every label: x with its axes permuted, or a diagonal of it; a view."""
    return np.einsum(subscripts, x)


rule(einsum_view, lambda g, out, x, subscripts: _einsum_operand(1, g, out, subscripts, x), None, kind="movement", view=True)


@composition(np.einsum)
def _np_einsum(*operands: Any, out: None = None, optimize: Any = False, dtype: Any = None, **kwargs: Any) -> Any:
    subscripts, arrays = _subscripts_and_operands(operands)
    arrays = [a if hasattr(a, "ndim") else np.asarray(a) for a in arrays]
    if dtype is not None:
        arrays = [a.astype(dtype) for a in arrays]
    explicit = _explicit(subscripts, [a.ndim for a in arrays])
    labels, result = explicit.split("->")
    return einsum_view(arrays[0], explicit) if len(arrays) == 1 and set(labels) == set(result) else einsum(explicit, *arrays)


def _subscripts_and_operands(operands: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """Return einsum's two ways of calling as one: the text and the arrays."""
    if isinstance(operands[0], str):
        return operands[0], list(operands[1:])
    name = lambda labels: "".join("..." if label is Ellipsis else ascii_letters[label] for label in labels)
    text = ",".join(name(labels) for labels in operands[1::2][: len(operands) // 2])
    if len(operands) % 2:
        text += "->" + name(operands[-1])
    return text, list(operands[0 : 2 * (len(operands) // 2) : 2])


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """Write out what einsum's subscripts leave implicit: the axes under the dots, and the result."""
    text = subscripts.replace(" ", "")
    inputs, arrow, result = text.partition("->")
    labels = inputs.split(",")
    if len(labels) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(labels)} operands, {len(ndims)} were given")
    spare = [letter for letter in ascii_letters if letter not in text]
    hidden = [ndim - len(label.replace("...", "")) for label, ndim in zip(labels, ndims, strict=True)]
    dots = spare[: max((n for n, label in zip(hidden, labels, strict=True) if "..." in label), default=0)]
    labels = [label.replace("...", "".join(dots[len(dots) - n :])) for label, n in zip(labels, hidden, strict=True)]
    if arrow and dots and "..." not in result:
        raise ValueError(f"einsum: {subscripts!r} has axes under its dots, and no dots in its result")
    if not arrow:
        single = sorted(letter for letter in set(inputs) - set(".,") if inputs.count(letter) == 1)
        result = "..." * ("..." in inputs) + "".join(single)
    return ",".join(labels) + "->" + result.replace("...", "".join(dots))


no_derivative(np.einsum_path)
