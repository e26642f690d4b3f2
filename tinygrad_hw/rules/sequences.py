"""The calculus of sequences: differences, integrals, interpolation, convolution, ranges, and functions applied lane by lane."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from .reductions import folded_axes, values_of
from .shaping import array, floats, getitem, setitem
from .table import composition, dispatched, no_derivative, rule


# Differences and integrals
@composition(np.diff)
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    a = array(a)
    if n == 0:
        return a
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, a.ndim)
    face = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    parts = [part for part in (prepend, a, append) if part is not None]
    parts = [part if part is a or np.ndim(part) else np.broadcast_to(part, face) for part in parts]
    a = np.concatenate(parts, axis) if len(parts) > 1 else a
    later, earlier = ((*(slice(None),) * axis, part) for part in (slice(1, None), slice(None, -1)))
    for _ in range(n):
        a = a[later] - a[earlier]
    return a


@composition(np.trapezoid, "trapz", checked=True)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = np.moveaxis(floats(y), axis, -1)
    steps = dx if x is None else np.diff(x) if np.ndim(x) == 1 else np.moveaxis(np.diff(x, axis=axis), axis, -1)
    return np.sum(steps * (y[..., 1:] + y[..., :-1]) / 2.0, -1)


@composition(np.gradient, checked=True)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = floats(f)
    axes, spacings = folded_axes(f, axis), varargs or (1.0,)
    spacings = spacings * len(axes) if len(spacings) == 1 and np.ndim(spacings[0]) == 0 else spacings
    if len(spacings) != len(axes):
        raise TypeError("invalid number of arguments")
    found = [_slopes(f, spacing, i, edge_order) for spacing, i in zip(spacings, axes)]
    return found[0] if len(found) == 1 else tuple(found)


def _slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Return the slope of the parabola through each entry and its neighbours; at the ends of the line or the parabola there."""
    f = np.moveaxis(f, axis, 0)
    if len(f) < edge_order + 1:
        raise ValueError("Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required.")
    steps = np.diff(floats(spacing)) if np.ndim(spacing) else spacing * np.ones(len(f) - 1, np.finfo(f.dtype).dtype)
    if steps.shape != (len(f) - 1,):
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    steps = np.reshape(steps, (-1, *(1,) * (f.ndim - 1)))
    slopes = np.diff(f, axis=0) / steps
    left, right, h, k = slopes[:-1], slopes[1:], steps[:-1], steps[1:]
    inner = (k * left + h * right) / (h + k) if np.ndim(spacing) else (f[2:] - f[:-2]) / (2 * spacing)
    first, last = slopes[:1], slopes[-1:]
    if edge_order == 2:
        first = first - h[:1] * (right[:1] - left[:1]) / (h[:1] + k[:1])
        last = last + k[-1:] * (right[-1:] - left[-1:]) / (h[-1:] + k[-1:])
    return np.moveaxis(np.concatenate([first, inner, last]).astype(f.dtype), 0, axis)


@composition(np.unwrap, checked=True)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    p = floats(p)
    p, half = np.moveaxis(p, axis, -1), period / 2
    jumps = np.diff(p)
    (jump, half_of) = values_of(jumps, half)
    turns = np.floor((jump + half_of) / (2 * half_of))
    turns = np.where(((jump + half_of) % (2 * half_of) == 0) & (jump > 0), turns - 1, turns)
    turns = np.where(np.absolute(jump) < (half_of if discont is None else discont), 0, turns)
    turned = np.concatenate([np.zeros((*turns.shape[:-1], 1)), -np.cumsum(turns, -1)], -1).astype(p.dtype)
    return np.moveaxis(p + turned * period, -1, axis)


# Interpolation
@composition(np.interp, checked=True)
def _interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    x, xp, fp = (array(a) for a in (x, xp, fp))
    x, xp, fp = x.astype(float), xp.astype(float), fp.astype(complex if fp.dtype.kind == "c" else float)
    if period is not None:
        x, xp, left, right = x % period, xp % period, None, None
        order = np.argsort(xp)
        xp, fp = xp[order], fp[order]
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    knots, points = values_of(xp, x)
    flat = np.zeros(1, fp.dtype)
    slopes = np.concatenate([flat, np.diff(fp) / np.diff(xp), flat])
    above, below = np.searchsorted(knots, points, "right"), np.searchsorted(knots, points, "left")
    knot = np.clip(above - 1, 0, len(knots) - 1)
    slope = _flatter(getitem(slopes, above), getitem(slopes, below))
    out = getitem(fp, knot) + slope * (np.clip(x, xp[0], xp[-1]) - getitem(xp, knot))
    out = out if left is None else np.where(points < knots[0], left, out)
    return out if right is None else np.where(points > knots[-1], right, out)


def _flatter(right: Any, left: Any) -> Any:
    """Return the slope nearest to 0 between those on both sides of a knot."""
    facing = np.real(right * np.conjugate(left)) <= 0 if right.dtype.kind == "c" else right * left <= 0
    return np.where(facing & (right != left), 0, np.where(np.absolute(left) < np.absolute(right), left, right))


# Convolution
@dispatched
def convolve(a: Any, v: Any) -> Any:
    """Return Σₖ a_k v_{n-k} for each n at which a and v overlap."""
    return np.convolve(a, v)


def _convolve_a(g: Any, out: Any, a: Any, v: Any) -> Any:
    """Return g convolved with v backwards, where both overlap fully."""
    return convolve(g, v[::-1])[v.size - 1 : v.size - 1 + a.size]


rule(convolve, _convolve_a, lambda g, out, a, v: _convolve_a(g, out, v, a))


@composition(np.convolve)
def _np_convolve(a: Any, v: Any, mode: Any = "full") -> Any:
    a, v = np.atleast_1d(array(a)), np.atleast_1d(array(v))
    longer, shorter = max(a.size, v.size), min(a.size, v.size)
    if not shorter:
        raise ValueError(f"{'a' if a.size == 0 else 'v'} cannot be empty")
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode must be full, same or valid, not {mode!r}")
    start = {"full": 0, "same": (shorter - 1) // 2, "valid": shorter - 1}[mode]
    size = {"full": longer + shorter - 1, "same": longer, "valid": longer - shorter + 1}[mode]
    return convolve(a, v)[start : start + size]


@composition(np.correlate, checked=True)
def _correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    a, v = np.atleast_1d(array(a)), np.atleast_1d(array(v))
    if v.size > a.size:
        return np.conjugate(np.correlate(v, a, mode)[::-1])
    return np.convolve(a, np.conjugate(v[::-1]), mode)


# Ranges
def _in_one_dtype(start: Any, stop: Any, other: Any) -> tuple[Any, Any]:
    """Return the ends of a range as arrays of the dtype that both have with another; Python numbers widen none."""
    ends = [x if isinstance(x, (int, float, complex)) else array(x) for x in (start, stop)]
    kind = np.result_type(*(getattr(x, "dtype", x) for x in ends), other)
    return array(ends[0]).astype(kind), array(ends[1]).astype(kind)


@composition(np.linspace, checked=True)
def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0,
              *, device: Any = None) -> Any:  # fmt: skip
    start, stop = _in_one_dtype(start, stop, float(num))
    kind = start.dtype
    parts = num - 1 if endpoint else num
    shape = np.broadcast_shapes(start.shape, stop.shape)
    share = np.reshape((np.arange(num) / max(parts, 1)).astype(np.finfo(kind).dtype), (-1, *(1,) * len(shape)))
    out = np.moveaxis(start * (1 - share) + stop * share, 0, axis)
    out = out if dtype is None else out.astype(dtype)
    return (out, (stop - start) / parts if parts > 0 else np.nan) if retstep else out


@composition(np.logspace, checked=True)
def _logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Any:
    exponents = np.linspace(start, stop, num, endpoint, axis=axis) if hasattr(start, "ndim") or hasattr(stop, "ndim") else (
        np.linspace(np.full(np.shape(base), start), np.full(np.shape(base), stop), num, endpoint, axis=axis)
    )
    out = (base if np.ndim(base) == 0 else np.expand_dims(base, axis)) ** exponents
    return out if dtype is None else out.astype(dtype)


@composition(np.geomspace, checked=True)
def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = _in_one_dtype(start, stop, np.result_type(float if dtype is None else dtype, float))
    sign = np.sign(start)
    inner = np.exp(np.linspace(np.log(start / sign), np.log(stop / sign), num, endpoint)) * sign
    place = np.reshape(np.arange(num), (-1, *(1,) * (inner.ndim - 1)))
    out = np.where(place == 0, start, np.where(place == (num - 1 if endpoint else num), stop, inner))
    return np.moveaxis(out if dtype is None else out.astype(dtype), 0, axis)


@composition(np.meshgrid, checked=True)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    n = len(xi)
    places = [1, 0, *range(2, n)][:n] if indexing == "xy" and n > 1 else list(range(n))
    open_grid = [np.reshape(x, [-1 if axis == place else 1 for axis in range(n)]) for x, place in zip(xi, places)]
    grids = open_grid if sparse else np.broadcast_arrays(*open_grid)
    return tuple(np.copy(grid) if copy else grid for grid in grids)


# Functions applied lane by lane, and piece by piece
@composition(np.apply_along_axis, as_written=True)
def _apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    axis = normalize_axis_index(axis, arr.ndim)
    lanes = np.moveaxis(arr, axis, -1)
    shape = lanes.shape[:-1]
    found = [func1d(lanes[i], *args, **kwargs) for i in np.ndindex(shape)]
    out = np.reshape(np.stack(found), (*shape, *np.shape(found[0])))
    return np.moveaxis(out, list(range(axis, len(shape))), list(range(axis - len(shape), 0)))


@composition(np.apply_over_axes, as_written=True)
def _apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    for axis in map(int, np.atleast_1d(axes)):
        out = func(a, axis % a.ndim if a.ndim else axis)
        a = out if np.ndim(out) == a.ndim else np.expand_dims(out, axis % a.ndim)
    return a


@composition(np.piecewise, as_written=True)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    several = np.ndim(x) == 0 or (isinstance(condlist, (list, tuple)) and np.ndim(condlist[0]))
    conditions = [array(c).astype(bool) for c in (condlist if several else [condlist])]
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(funclist) != len(conditions):
        raise ValueError(f"with {len(conditions)} condition(s), either {len(conditions)} or {len(conditions) + 1} functions are expected")
    out: Any = np.zeros(np.shape(x), x.dtype)
    for condition, function in zip(conditions, funclist):
        if condition.any():
            out = setitem(out, function(x[condition], *args, **kw) if callable(function) else function, condition)
    return out


composition(np.sort_complex, checked=True)(
    lambda a: np.sort(a.astype(a.dtype if a.dtype.kind == "c" else np.result_type(a.dtype, complex)))
)
composition("unstack", checked=True)(lambda x, /, *, axis=0: tuple(np.moveaxis(x, axis, 0)))


@composition(np.kron, checked=True)
def _kron(a: Any, b: Any) -> Any:
    a, b = array(a), array(b)
    n = max(a.ndim, b.ndim)
    shape_a, shape_b = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    pairs = np.reshape(a, [k for m in shape_a for k in (m, 1)]) * np.reshape(b, [k for m in shape_b for k in (1, m)])
    return np.reshape(pairs, [m * k for m, k in zip(shape_a, shape_b)])


# The modified Bessel function I₀(x) is the mean of cosh(x cos θ), so its derivatives are means of the same kind
COSINES = np.cos((np.arange(64) + 0.5) * np.pi / 128)

rule(np.i0, lambda g, out, x: g * np.mean(COSINES * np.sinh(x[..., None] * COSINES), -1), kind="elementwise")

no_derivative(
    np.intersect1d, np.setdiff1d, np.setxor1d, np.union1d, np.packbits, np.unpackbits, np.busday_count, np.busday_offset,
    np.is_busday, np.datetime_as_string, np.save, np.savetxt, np.savez, np.savez_compressed, getattr(np, "in1d", np.isin),
)  # fmt: skip
