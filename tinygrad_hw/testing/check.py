"""Prove a gradient: against numeric derivatives, or against one written by hand.

    >>> import numpy as np
    >>> print(check_gradients(lambda x: np.sum(np.sin(x) * x), np.array([0.0, 1.0])))
    right: 2 entries, reverse and forward, to order 2

``check_gradients`` differentiates a function of yours in both modes and compares with what its values say; ``assert_same_gradients``
compares a gradient that you derived with the engine's. A failure names the entry, both values, and the likeliest cause.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property, wraps
from typing import Any

import numpy as np

from ..errors import DetachError, GradientError, TinygradError
from ..tensor import Tensor, as_numbers, no_grad
from ..transforms import checked_leaves, grad, jvp, name_of, vjp
from ..trees import is_module, leaves, mapped, opened, paths, rebuilt
from .numeric import Slope, complex_step, one_sided_slopes

__all__ = ["Verdict", "WrongGradientError", "assert_same_gradients", "check_gradients"]

Arrays = list[np.ndarray]
MOST_ENTRIES = 100  # of one input; of a larger one a random sample is checked, and a random direction
LEAST_PRECISION = 1e-3  # what is known less well than this, relative to its size, proves nothing
TINY = 1e-14  # smaller slopes, in units of the cotangent, are rounding of what is of order 1 inside the function
CLOSE = 2.0 ** -np.array([18.0, 22, 26, 12, 30, 36, 42, 8])  # how close to look for a kink: first as far as most functions need
NEARBY = 24  # points around a kink at which slopes are taken


class Verdict:
    """What a check found: ``.verdict`` is one of ``right``, ``kink``, ``ill-conditioned``, ``wrong``; ``str`` is the whole report.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import testing
    >>> testing.check_gradients(np.sin, np.array([0.0, 1.0]))
    <Verdict right: 2 entries, reverse and forward, to order 2>
    """

    def __init__(self, verdict: str, report: str) -> None:
        self.verdict, self.report = verdict, report

    def __str__(self) -> str:
        return f"{self.verdict}: {self.report}"

    def __repr__(self) -> str:
        return f"<Verdict {self}>"


class WrongGradientError(TinygradError, AssertionError):
    """A gradient is wrong; ``.verdict`` holds what was found.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> square = tg.primitive(lambda g, out, x: g * x)(lambda x: x * x)  # (the factor 2 is missing)
    >>> tg.testing.check_gradients(square, np.array([1.0, 3.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.testing.check.WrongGradientError: wrong: ...
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def check_gradients(f: Callable[..., Any], *inputs: Any, order: int = 2, seed: int = 0) -> Verdict:
    """Check every derivative of f at these inputs, in reverse and in forward mode, against its values.

    Parameters
    ----------
    f : callable
        A function of Tensors, modules, and nested tuples, lists and dicts of them.
    *inputs : array, scalar, module, or nested tuple, list or dict of them
        Where to check; floating or complex. float32 is checked in float64; integers are handed on as they are.
    order : int
        Up to which order: at 2 the gradient itself is differentiated, and checked the same way. At 1 a rule of the user's may be one
        that takes arrays alone.
    seed : int
        Of the random cotangents and directions.

    Returns
    -------
    Verdict
        ``right``; ``kink`` where the derivatives from the two sides differ and the gradient lies between them, ends included;
        ``ill-conditioned`` where no numeric derivative is sharp enough to tell, or roundings of the inputs change it.

    Raises
    ------
    WrongGradientError
        An AssertionError, where a gradient is wrong: with the first entry at fault, its analytic and its numeric value, and the
        likeliest cause if one fits.
    GradientError
        Where there is nothing to check: f returns no floating numbers, or is given none; where f gives another value when it
        is called again.

    Notes
    -----
    The function is contracted with a random cotangent, so that no entry cancels another. Each entry is compared with the complex step
    Im f(x + ih) / h (Squire & Trapp 1998) where f continues to complex numbers, else with Richardson's extrapolation of
    one-sided and central differences (Ridders 1982). So are the direction of ones, which shows how ties are shared, and a random one.
    At a kink each entry of the result counts for itself, and the slopes at points around it are taken in: a mean of those is accepted
    (Clarke 1983, "Optimization and Nonsmooth Analysis"). Forward mode must give ⟨g, J u⟩ = ⟨Jᵀ g, u⟩.
    Of an input with more than 100 entries a random sample of 100 is checked.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import testing
    >>> testing.check_gradients(np.matmul, np.ones((2, 3)), np.ones((3, 1))).verdict
    'right'
    >>> testing.check_gradients(np.abs, np.array([0.0])).verdict
    'kink'
    """
    if order < 1:
        raise ValueError(f"check_gradients: order is 1, 2, ..., not {order}")
    everything = [_wide(x) for x in leaves(opened(inputs))]
    floating = [k for k, x in enumerate(everything) if x.dtype.kind in "fc"]
    if not floating:
        raise GradientError(f"{name_of(f)} was given no floating numbers to differentiate with respect to: there is nothing to check")
    xs, rng = [everything[k] for k in floating], np.random.default_rng(seed)

    def flat(*xs: Any) -> tuple[Any, ...]:
        given = dict(zip(floating, xs))
        with _filled(inputs, [given.get(k, x) for k, x in enumerate(everything)]) as filled:
            return _floating(f, f(*filled))

    flat.__name__ = name_of(f)
    where, verdict = [_places(inputs)[k] for k in floating], Verdict("right", "")
    for n in range(1, order + 1):
        check = _Check(flat, xs, where, f"{name_of(f)}, order {n}" if n > 1 else name_of(f), rng)
        check.needs_forward = order > 1
        with np.errstate(all="ignore"):
            verdict = check.verdict()
        if verdict.verdict == "wrong":
            raise WrongGradientError(verdict)
        if verdict.verdict != "right":
            return verdict
        flat = check.gradient
    modes = "reverse and forward" if check.has_forward else "reverse alone, since a rule takes no Tensors"
    return Verdict("right", f"{sum(x.size for x in xs)} entries, {modes}, to order {order}")


@contextmanager
def _filled(inputs: tuple[Any, ...], xs: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Yield the inputs with other leaves; of a module the parameters hold them for the while."""
    waiting, held = iter(xs), []

    def put(x: Any) -> Any:
        if not is_module(x):
            return next(waiting)
        for parameter in leaves(opened(x)):
            held.append((parameter, parameter._node))
            y = next(waiting)
            parameter._node = (y if isinstance(y, Tensor) else Tensor(y))._node
        return x

    try:
        yield mapped(put, inputs)
    finally:
        for parameter, node in reversed(held):
            parameter._node = node


def _floating(f: Callable[..., Any], out: Any) -> tuple[Any, ...]:
    """Return the floating numbers of a result; raise if there are none."""
    found = tuple(y for y in leaves(out) if np.asarray(y.data if isinstance(y, Tensor) else y).dtype.kind in "fc")
    if not found:
        what = f"an array of {out.dtype}" if isinstance(out, (Tensor, np.ndarray, np.generic)) else f"a {type(out).__name__}"
        raise GradientError(
            f"{name_of(f)} returned {what} without floating numbers: there is no gradient to check (is a `return` missing?)"
        )
    return found


class _Check:
    """One order of one check: f, contracted with a random cotangent, at its inputs."""

    def __init__(self, f: Callable[..., Any], xs: Arrays, where: list[str], called: str, rng: np.random.Generator) -> None:
        self.f, self.xs, self.where, self.called, self.rng = f, xs, where, called, rng
        self.out = self.values(xs)
        if not all(np.array_equal(y, again, equal_nan=True) for y, again in zip(self.out, self.values(xs))):
            raise GradientError(f"{called} gave another value when it was called again: give it its random numbers as an argument")
        self.g = [self.random(y) for y in self.out]
        self.is_complex = any(a.dtype.kind == "c" for a in (*xs, *self.out))
        self.needs_forward = self.has_forward = True
        self.kinks: dict[tuple[int, tuple[int, ...]], float] = {}  # the entries at kinks, with what their slope gains to the right

    def random(self, like: np.ndarray) -> np.ndarray:
        """Return random numbers of an array's shape, complex if it is."""
        drawn = self.rng.normal(size=like.shape)
        return drawn + 1j * self.rng.normal(size=like.shape) if like.dtype.kind == "c" else drawn

    def values(self, xs: Arrays) -> Arrays:
        """Return f's results as arrays."""
        with no_grad(), np.errstate(all="ignore"):
            return [np.asarray(y.data if isinstance(y, Tensor) else y) for y in self.f(*map(Tensor, xs))]

    def gradient(self, *xs: Any) -> tuple[Any, ...]:
        """Return Jᵀ g at inputs: a function that can be checked in its turn."""
        found = vjp(self.f, *xs)[1](tuple(self.g))
        return found if len(xs) > 1 else (found,)

    def line(self, direction: Arrays, g: Arrays | None = None, at: Arrays | None = None) -> Callable[[complex], Any]:
        """Return t ↦ the terms of ⟨g, f(x + t u)⟩, one for each entry of the results."""
        g, at = self.g if g is None else g, self.xs if at is None else at

        def terms(t: complex) -> Any:
            moved = self.values([x + t * u if t else x for x, u in zip(at, direction)])
            return np.concatenate([np.zeros(0), *(np.ravel(a * y) for a, y in zip(g, moved))])

        return terms

    def unit(self, i: int, place: tuple[int, ...], length: complex = 1.0) -> Arrays:
        """Return the direction of one entry of one input."""
        direction = [np.zeros(x.shape, x.dtype) for x in self.xs]
        direction[i][place] = length
        return direction

    def verdict(self) -> Verdict:
        """Compare every entry, two directions, and forward mode."""
        self.analytic = [np.asarray(a) for a in self.gradient(*self.xs)]
        if not all(np.isfinite(y).all() for y in self.out):
            return Verdict("ill-conditioned", f"{self.called} is not finite here")
        self.unit_slope = float(sum(np.sum(np.abs(a)) for a in self.g))
        self.eps = max((float(np.finfo(y.dtype).eps) for y in self.out), default=0.0)
        self.steepest = max([self.unit_slope, *(float(np.max(np.abs(a[np.isfinite(a)]), initial=0)) for a in self.analytic)])
        found: dict[str, str] = {}
        for i in range(len(self.xs)):
            if verdict := self.of_input(i, found):
                return verdict
        if verdict := self.along_directions(found):
            return verdict
        if "right" not in found and "tiny" in found:
            return Verdict("ill-conditioned", f"{self.called}: {found['tiny']}, too small to be values from rounding")
        worst = next((verdict for verdict in ("ill-conditioned", "kink") if verdict in found), "right")
        return Verdict(worst, f"{self.called}: {found[worst]}" if worst in found else self.called)

    def of_input(self, i: int, found: dict[str, str]) -> Verdict | None:
        """Compare the entries of one input; return what is wrong, and note the first of each other verdict."""
        x, wrong = self.xs[i], []
        for place in self.places(x):
            parts = ((1.0, self.analytic[i][place].real), (1j, -self.analytic[i][place].imag))
            for length, a in parts if x.dtype.kind == "c" else parts[:1]:
                verdict, values, gain = self.judged(float(a), self.unit(i, place, length))
                found.setdefault(verdict, f"{f'entry {place} of ' if place else ''}{self.where[i]}: {values}")
                if verdict == "wrong":
                    wrong.append(place)
                if gain:
                    self.kinks[i, place] = gain
        if not wrong:
            return None
        count = f"{len(set(wrong))} of {x.size} entries of shape {x.shape} differ"
        cause = likeliest_cause(self, i, wrong)
        lines = [f"the gradient of {self.called}", found["wrong"], count, *([f"likeliest cause: {cause}"] if cause else [])]
        return Verdict("wrong", "\n  ".join(lines))

    def along_directions(self, found: dict[str, str]) -> Verdict | None:
        """Compare along the direction of ones and a random one, in both modes; return what is wrong, and note the other verdicts."""
        sampled = any(x.size > MOST_ENTRIES for x in self.xs)
        for what, direction in (("ones", [np.ones_like(x) for x in self.xs]), ("random numbers", [self.random(x) for x in self.xs])):
            terms = [np.real(a * u) for a, u in zip(self.analytic, direction)]
            along, size = (float(sum(np.sum(t) for t in each)) for each in (terms, map(np.abs, terms)))
            verdict, values = "", ""
            if self.kinks or sampled:  # (else the entries' slopes say it)
                verdict, values, _ = self.judged(along, direction, size)
            forward = self.forward(direction) if verdict != "wrong" and np.isfinite(along) else None
            if forward is not None and self.disagree(along, forward, size, direction):
                verdict, values = "wrong", f"reverse mode {along:.10g}, forward mode {forward:.10g}"
            if verdict == "wrong":
                return Verdict("wrong", f"the gradient of {self.called}\n  along {what}: {values}")
            if verdict in ("right", "kink"):
                found.setdefault(verdict, f"along {what}: {values}")
        return None

    def disagree(self, along: float, forward: float, size: float, direction: Arrays) -> bool:
        """Return whether the two modes differ by more than rounding."""
        off = abs(forward - along)
        return off > 1e-7 * max(size, abs(forward)) + TINY * self.unit_slope and off > 16 * self.moves(direction)

    def moves(self, direction: Arrays) -> float:
        """Return how far the gradient along a direction moves when the inputs move by a few roundings."""
        return float(_spread([sum(np.real(np.sum(a * u)) for a, u in zip(gradient, direction)) for gradient in self.gradients_around]))

    @cached_property
    def gradients_around(self) -> list[tuple[Any, ...]]:
        """The gradient at the inputs, and where they are moved by a few roundings: no formula can be more exact than these differ."""
        with np.errstate(all="ignore"):
            return [self.gradient(*_rounded(self.xs, seed)) for seed in range(4)]

    def places(self, x: np.ndarray) -> list[tuple[int, ...]]:
        """Return the entries to check: all, or a random sample of a large input."""
        every = list(np.ndindex(x.shape))
        return every if x.size <= MOST_ENTRIES else [every[k] for k in sorted(self.rng.choice(x.size, MOST_ENTRIES, replace=False))]

    def forward(self, direction: Arrays) -> float | None:
        """Return ⟨g, J u⟩ by forward mode; None where it is not finite, or a rule that is differentiated once takes no Tensors."""
        try:
            _, tangents = jvp(self.f, tuple(self.xs), tuple(direction))
        except DetachError:
            if self.needs_forward:
                raise
            self.has_forward = False
            return None
        forward = float(sum(np.real(np.sum(a * t)) for a, t in zip(self.g, tangents)))
        return forward if np.isfinite(forward) else None

    def judged(self, analytic: float, direction: Arrays, size: float = 0.0) -> tuple[str, str, float]:
        """Compare a slope with the numeric one, say which numeric one that was, and what it gains from the left to the right.

        ``size`` is that of the terms of which the analytic slope is the sum.
        """
        exact, hidden = self.exact(direction)
        if exact is not None:
            verdict, values = self.compared(analytic, exact, direction, size, 1e-9)
            if not hidden or verdict in ("right", "kink"):
                return verdict, f"{values} (complex step)", 0.0
        return self.judged_by_differences(analytic, direction, size)

    def judged_by_differences(self, analytic: float, direction: Arrays, size: float) -> tuple[str, str, float]:
        """Do as ``judged``, by Richardson's extrapolation; closer by, where it seems wrong or a kink: a pole may be near."""
        slope, length = self.richardson(direction, 1.0), self.length(direction)
        nearer = (2.0**-12, length)
        if slope.is_kink:
            slope = next((closer for closer in (self.richardson(direction, near) for near in nearer) if not closer.is_kink), slope)
        verdict, values = self.compared(analytic, slope, direction, size, 1e-6)
        if verdict == "wrong":
            closer = [self.compared(analytic, self.richardson(direction, near), direction, size, 1e-6) for near in nearer]
            confirmed = closer[1][0] == "wrong" and not 2.0**-8 < length < 2.0**8  # (from another distance altogether)
            doubts = ("right", "kink") if confirmed else ("right", "kink", "ill-conditioned")
            verdict, values = next((found for doubt in doubts for found in closer if found[0] == doubt), (verdict, values))
        return verdict, f"{values} (Richardson)", float(np.sum(slope.high - slope.low)) if slope.is_kink else 0.0

    def compared(self, analytic: float, slope: Slope, direction: Arrays, size: float, rtol: float) -> tuple[str, str]:
        """Compare an analytic slope with the numeric ones."""
        if slope.is_kink or self.kinks:
            slope = self.widened(slope, direction)
        low, high = float(np.sum(slope.low)), float(np.sum(slope.high))
        values = f"analytic {analytic:.10g}, numeric {f'between {low:.10g} and {high:.10g}' if low != high else f'{low:.10g}'}"
        if low == high == analytic:
            return "right", values
        if np.isnan([low, high]).any() or np.isinf([low, high]).all():
            return "ill-conditioned", values
        sizes = np.max(np.abs(np.nan_to_num([slope.low, slope.high], posinf=0, neginf=0)), 0)
        scale = max(float(np.sum(sizes)), size, abs(analytic) if np.isfinite(analytic) else 0.0)
        margin, error = rtol * scale, float(np.sum(slope.error))
        outside = lambda margin: not low - margin <= analytic <= high + margin
        if outside(margin + error) and np.isfinite(analytic):
            error += self.sensitivity(direction)
            margin += min(16 * self.moves(direction), LEAST_PRECISION * scale)
        negligible = max(abs(analytic), abs(low), abs(high)) <= 10 * error <= 1e-5 * self.steepest
        if error > LEAST_PRECISION * max(scale, high - low) and not negligible:
            return "ill-conditioned", values
        if not outside(margin + error):
            return ("kink" if low != high else "right"), values
        return ("tiny" if not outside(TINY * self.unit_slope) else "wrong"), values

    def richardson(self, direction: Arrays, near: float) -> Slope:
        return one_sided_slopes(self.line(direction), self.eps, near, lambda h: self.off(direction, h))

    def off(self, direction: Arrays, h: float) -> float:
        """Return how far the points x + h u, as they can be written, are from where they should be, relative to h; infinite if too far."""
        pairs = [(x, u) for x, u in zip(self.xs, direction) if np.any(u)]
        far = max((float(np.max(np.abs((x + h * u) - x - h * u)) / np.max(np.abs(u))) for x, u in pairs), default=0.0) / h
        return far if far < 1e-2 else np.inf

    def length(self, direction: Arrays) -> float:
        """Return how far it is along a direction to where an entry would be 0: small entries want small steps, large ones large."""
        found = [np.abs(x[(u != 0) & (x != 0)] / u[(u != 0) & (x != 0)]) for x, u in zip(self.xs, direction)]
        return float(min([np.min(lengths) for lengths in found if lengths.size], default=1.0))

    def exact(self, direction: Arrays) -> tuple[Slope | None, bool]:
        """Return the slopes by the complex step, where f continues to complex numbers and the differences on both sides agree.

        The second result says whether rounding hides the differences, so that nothing speaks for it nor against it.
        """
        if self.is_complex:
            return None, False
        line = self.line(direction)
        try:
            exact = complex_step(line)
        except Exception:  # whatever a function that is not made for complex numbers raises
            return None, False
        if not np.isfinite(exact).all():
            return None, False
        middle, steepness = line(0.0), float(np.sum(np.abs(exact)))
        scale = max(steepness, 1e-3 * self.unit_slope)
        moves = (exact != 0) | (line(CLOSE[-1]) != middle)  # (rounding may hide how an entry moves, but not from this far)
        if not moves.any():  # (the function is constant, or is no analytic one and rounding hides how it moves)
            return Slope(exact, exact, np.zeros(1)), True

        def gap(h: float) -> tuple[float, float]:
            """Return how far the differences on either side are from the complex step beyond rounding, and the rounding."""
            sides = np.array([(line(h) - middle) / h, (middle - line(-h)) / h])
            rounding = np.where(moves, 8 * self.eps * np.abs(middle) / h, 0) + self.off(direction, h) * (np.abs(exact) + 1e-300)
            far = np.sum(np.maximum(np.abs(sides - exact) - rounding, 0), 1)
            return float(np.max(far)), float(np.sum(rounding))

        gaps, errors, length = [], [], self.length(direction)
        for h in (*CLOSE, *(length * CLOSE if not 2.0**-8 < length < 2.0**8 else ())):
            far, rounding = gap(h)
            if far <= 1e-4 * steepness and rounding <= 1e-2 * steepness:
                return Slope(exact, exact, np.zeros(1)), False
            gaps.append(far if rounding < 1e-2 * scale else np.inf)
            errors.append(far + rounding)
        relevant = errors if steepness else errors[:: len(CLOSE)]  # (closer by, a rounding inside of the function looks like a slope of 0)
        if min(relevant) <= 1e-4 * scale or (len(gaps) > 2 and gaps[2] <= gaps[1] / 2 <= gaps[0] / 4 < np.inf):
            return Slope(exact, exact, np.array([2 * min(errors)])), False
        return (None, False) if np.isfinite(gaps).any() else (Slope(exact, exact, np.zeros(1)), True)

    def sensitivity(self, direction: Arrays) -> float:
        """Return how far slopes move when the inputs move by a few roundings: what no derivative in floating numbers can tell."""
        slopes = []
        for seed in range(4):
            line = self.line(direction, at=_rounded(self.xs, seed))
            try:
                slopes.append(np.nan if self.is_complex else float(np.sum(complex_step(line))))
            except Exception:
                slopes.append(np.nan)
            if np.isnan(slopes[-1]):
                h = 2.0**-18
                slopes[-1] = float(np.real(np.sum(line(h) - line(-h)) / (2 * h)))
        moved = float(_spread(slopes))
        return 4 * moved if np.isfinite(moved) else np.inf

    def widened(self, slope: Slope, direction: Arrays) -> Slope:
        """Return a slope with those at points nearby taken in: at a kink, a gradient is a mean of the gradients around it (Clarke 1983)."""
        slopes = [self.slope_nearby(direction, at) for at in self.points_nearby(direction)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # (NumPy's, of a place where no point nearby has a slope)
            low, high = np.nanmin([slope.low, *slopes], 0), np.nanmax([slope.high, *slopes], 0)
        error = np.where(np.isfinite(slope.error), slope.error, 0) + 1e-6 * np.maximum(np.abs(low), np.abs(high))
        return Slope(low, high, np.where(np.isfinite(error), error, 0))

    def points_nearby(self, direction: Arrays) -> Iterator[Arrays]:
        """Yield points nearby: some at random, and the two on those sides of the kinks where the slope is least and largest."""
        near = 2.0**-12
        around = lambda: [np.asarray(x + near * self.rng.uniform(-1, 1, x.shape)) for x in self.xs]
        yield from (around() for _ in range(NEARBY))
        for sign in (-1, 1):
            moved = around()
            for (i, place), gain in self.kinks.items():
                side = sign * np.sign(gain) * (np.sign(np.real(direction[i][place])) or 1)
                moved[i][place] = self.xs[i][place] + side * near * self.rng.uniform(0.5, 1)
            yield moved

    def slope_nearby(self, direction: Arrays, at: Arrays) -> Any:
        """Return the slopes at a point nearby, by central differences so small that no kink lies between."""
        h, line = 2.0**-24, self.line(direction, at=at)
        return np.real(line(h) - line(-h)) / (2 * h)

    def numeric(self, i: int, g: Arrays) -> np.ndarray:
        """Return the gradient with respect to one input for another cotangent: by central differences, to compare causes."""
        found, h = np.zeros(self.xs[i].shape), 2.0**-16
        for place in np.ndindex(found.shape):
            line = self.line(self.unit(i, place), g)
            found[place] = np.real(np.sum(line(h) - line(-h))) / (2 * h)
        return found


def likeliest_cause(check: _Check, i: int, wrong: Sequence[tuple[int, ...]]) -> str:
    """Return what most likely makes these entries of the gradient of an input wrong; empty where nothing known fits."""
    analytic, g = check.analytic[i], check.g
    if check.xs[i].size > 10 * MOST_ENTRIES or analytic.dtype.kind == "c" or not np.isfinite(analytic).all():
        return ""
    if not analytic.any():
        return "no gradient arrives: the input is cut off, or its rule is missing"
    numeric = check.numeric(i, g)
    largest = np.max(np.abs(numeric), initial=0)
    fits = lambda other: other.shape == analytic.shape and np.allclose(analytic, other, 1e-4, 1e-5 * largest + 1e-300)
    if fits(numeric):
        return rounding(*(np.array([x[place] for place in wrong]) for x in (analytic, numeric)))
    return next(_causes(check, i, numeric, fits), "")


def _causes(check: _Check, i: int, numeric: np.ndarray, fits: Callable[[np.ndarray], bool]) -> Iterator[str]:
    """Yield causes that explain the gradient of an input, the likeliest first."""
    analytic, g = check.analytic[i], check.g
    if any(np.any(a != 1) for a in g) and _ignores_the_cotangent(check, i, fits):
        yield "an ignored cotangent: the rule does not use g"
    if fits(numeric.T):
        yield "a transpose: the gradient of the transposed entries"
    for axis, first_only, mean in _missing_sums(check, i):
        if fits(first_only):
            yield f"a missing sum over a broadcast axis: only a part of axis {axis} of the result is counted"
        if fits(mean):
            yield f"a missing sum over a broadcast axis: the mean over axis {axis} of the result is taken"
    for j, other in enumerate(check.xs):
        if j != i and other.shape == analytic.shape and analytic.size > 1 and fits(check.numeric(j, g)):
            yield f"swapped arguments: this is the gradient of {check.where[j]}"
    ratio = _ratio(analytic, numeric)
    if ratio is not None and fits(ratio * numeric):
        yield "a sign: analytic = -numeric" if np.isclose(ratio, -1, 1e-4) else f"a factor: analytic = {ratio:.6g} · numeric"


def _ignores_the_cotangent(check: _Check, i: int, fits: Callable[[np.ndarray], bool]) -> bool:
    """Return whether the gradient is the same for twice the cotangent, or that for a cotangent of ones."""
    twice = vjp(check.f, *check.xs)[1](tuple(2 * a for a in check.g))
    return fits(np.asarray(twice if len(check.xs) == 1 else twice[i])) or fits(check.numeric(i, [np.ones_like(a) for a in check.g]))


def rounding(x: np.ndarray, y: np.ndarray) -> str:
    """Return to how many digits two arrays agree, if they differ by rounding: every entry by little; else an empty text."""
    off, largest = np.abs(x - y), np.max(np.abs(y), initial=0)
    most = np.max(off, initial=0)
    if not 0 < most < 1e-4 * largest or np.any((off > 1e-2 * np.abs(y)) & (off > 1e-9 * largest)):
        return ""
    return f"none but rounding: right to {int(-np.log10(most / largest))} digits (float32?)"


def _ratio(analytic: np.ndarray, numeric: np.ndarray) -> float | None:
    """Return the factor between two arrays at the largest entry; of a single entry only a simple factor counts."""
    place = np.unravel_index(np.argmax(np.abs(numeric)), numeric.shape)
    ratio = float(analytic[place] / numeric[place]) if numeric[place] else np.inf
    known = np.isfinite(ratio) and (analytic.size > 1 or np.isclose(ratio, float(Fraction(ratio).limit_denominator(8)), 1e-4))
    return ratio if known else None


def _missing_sums(check: _Check, i: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield for each axis of the results, and for its first and last index: the axis, that part of the gradient, and the mean."""
    for k, g in enumerate(check.g):
        for axis in range(g.ndim):
            n = g.shape[axis]
            if n < 2 or (check.xs[i].ndim == g.ndim and check.xs[i].shape[axis] == n):
                continue
            for index in (0, n - 1):
                masked = np.zeros_like(g)
                place = (slice(None),) * axis + (index,)
                masked[place] = g[place]
                yield axis, check.numeric(i, [masked if j == k else a for j, a in enumerate(check.g)]), check.numeric(i, check.g) / n


def assert_same_gradients(f: Callable[..., Any], manual: Any, *inputs: Any, rtol: float = 1e-9) -> None:
    """Assert that gradients derived by hand are the engine's.

    Parameters
    ----------
    f : callable
        A function of the inputs whose result is one real number: a loss.
    manual : callable or gradients
        Your gradients, or the function that computes them from the inputs: for one input its gradient, for several a tuple,
        in the structure of the inputs.
    *inputs : array, scalar, module, or nested tuple, list or dict of them
        What to differentiate with respect to. Gradients of a module are a dict by the paths of its parameters.
    rtol : float
        How far an entry may be off, relative to itself; what rounding of the inputs and of the array's largest entry explains is
        not counted.

    Raises
    ------
    WrongGradientError
        An AssertionError that names the first entry that differs, both values, and the likeliest cause.
    ShapeError
        If your gradients have another structure or shape than the inputs.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import assert_same_gradients
    >>> X, y, W = np.ones((3, 2)), np.zeros((3, 1)), np.full((2, 1), 0.5)
    >>> assert_same_gradients(lambda W: np.sum((X @ W - y) ** 2) / 2, lambda W: X.T @ (X @ W - y), W)
    """
    given = opened(inputs)
    wide = rebuilt(given, map(_wide, leaves(given)))

    def flat(*xs: Any) -> tuple[Any]:
        with _filled(inputs, xs) as filled:
            return (f(*filled),)

    flat.__name__ = name_of(f)
    loss = wraps(flat)(lambda *xs: flat(*leaves(xs))[0])
    engine = grad(loss, range(len(wide)))(*wide)
    by_hand = manual(*(x if is_module(x) else mapped(np.copy, w) for x, w in zip(inputs, wide))) if callable(manual) else manual
    by_hand = list(checked_leaves(wide, (by_hand,) if len(inputs) == 1 else by_hand, "the gradient by hand"))
    for i, (where, ours, theirs) in enumerate(zip(_places(inputs), map(np.asarray, leaves(engine)), map(np.asarray, by_hand))):
        differ = _different(ours, theirs, rtol)
        if differ.any():
            check = _Check(flat, leaves(wide), _places(inputs), name_of(f), np.random.default_rng(0))
            check.g, check.analytic = [np.ones_like(y) for y in check.out], [theirs] * len(check.xs)
            differ = _different(ours, theirs, rtol, 16 * np.nan_to_num(_spread([found[i] for found in check.gradients_around]), posinf=0))
        if differ.any():
            places = [tuple(map(int, place)) for place in np.argwhere(differ)]
            place, cause = places[0], rounding(theirs[differ], ours[differ]) or likeliest_cause(check, i, places)
            lines = [
                f"the gradient by hand of {name_of(f)}",
                f"entry {place} of {where}: by hand {theirs[place]:.10g}, engine {ours[place]:.10g}",
                f"{np.count_nonzero(differ)} of {ours.size} entries of shape {ours.shape} differ",
                *([f"likeliest cause: {cause}"] if cause else []),
            ]
            raise WrongGradientError(Verdict("wrong", "\n  ".join(lines)))


def _different(x: np.ndarray, y: np.ndarray, rtol: float, noise: Any = 0.0) -> np.ndarray:
    """Return which entries differ by more than rounding; equal infinities do not, nor do two nan."""
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(x[np.isfinite(x)]), initial=0)
        near = np.abs(x - y) <= rtol * np.maximum(np.abs(x), np.abs(y)) + 64 * np.finfo(float).eps * largest + noise
    return ~((near & np.isfinite(y)) | (x == y) | (np.isnan(x) & np.isnan(y)))


def _spread(values: Sequence[Any]) -> Any:
    """Return how far values are from the first of them, at most."""
    with np.errstate(all="ignore"):
        return np.max(np.abs(np.subtract(values[1:], values[0])), 0)


def _rounded(xs: Arrays, seed: int) -> Arrays:
    """Return arrays, moved by a few roundings; for seed 0 as they are."""
    rng = np.random.default_rng(seed)
    return [x * (1 + (4 * np.finfo(float).eps * rng.uniform(-1, 1, x.shape) if seed else 0)) for x in xs]


def _wide(x: Any) -> np.ndarray:
    """Return an input as an array of float64 or complex128."""
    array = as_numbers(x)
    return array.astype({"f": np.float64, "c": np.complex128}[array.dtype.kind]) if array.dtype.kind in "fc" else array


def _places(inputs: tuple[Any, ...]) -> list[str]:
    """Return what to call each leaf of the inputs: input 0, input 0['W'][1], ..."""
    return [f"input {i}{path}" for i, x in enumerate(opened(inputs)) for path in paths(x)]
