"""Prove a gradient: against numeric derivatives, or against one written by hand.

    >>> import numpy as np
    >>> print(check_gradients(lambda x: np.sum(np.sin(x) * x), np.array([0.0, 1.0])))
    right: 2 entries, reverse and forward, to order 2

``check_gradients`` differentiates a function of yours in both modes and compares with what its values say; ``assert_same_gradients``
compares a gradient that you derived with the engine's. A failure names the entry, both values, and the likeliest cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..errors import TinygradError
from ..tensor import Tensor, as_numbers, no_grad
from ..transforms import fitting, grad, jvp, name, vjp
from ..trees import leaves, paths, rebuilt
from .numeric import Slope, complex_step, one_sided_slopes

__all__ = ["Verdict", "WrongGradientError", "assert_same_gradients", "check_gradients"]

Arrays = list[np.ndarray]
MOST_ENTRIES = 100  # of one input; of a larger one a random sample is checked, and a random direction


class Verdict:
    """What a check found: ``.verdict`` is one of ``right``, ``kink``, ``ill-conditioned``, ``wrong``; ``str`` tells the whole."""

    def __init__(self, verdict: str, report: str) -> None:
        self.verdict, self.report = verdict, report

    def __str__(self) -> str:
        return f"{self.verdict}: {self.report}"

    def __repr__(self) -> str:
        return f"<Verdict {self}>"


class WrongGradientError(TinygradError, AssertionError):
    """A gradient is wrong; ``.verdict`` holds what was found."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


def check_gradients(f: Callable[..., Any], *inputs: Any, order: int = 2, seed: int = 0) -> Verdict:
    """Check every derivative of f at these inputs, in reverse and in forward mode, against its values.

    Parameters
    ----------
    f : callable
        A function of Tensors, and of nested tuples, lists and dicts of them.
    *inputs : array, scalar, or nested tuple, list or dict of them
        Where to check; floating or complex. float32 is checked in float64.
    order : int
        Up to which order: at 2 the gradient itself is differentiated, and checked the same way.
    seed : int
        Of the random cotangents and directions.

    Returns
    -------
    Verdict
        ``right``; ``kink`` where the derivatives from the two sides differ and the gradient lies between them, ends included;
        ``ill-conditioned`` where no numeric derivative is sharp enough to tell.

    Raises
    ------
    WrongGradientError
        An AssertionError, where a gradient is wrong: with the first entry at fault, its analytic and its numeric value, and the
        likeliest cause if one fits.

    Notes
    -----
    The function is contracted with a random cotangent, so that no entry cancels another. Each entry is compared with the complex step
    Im f(x + ih) / h (Squire & Trapp 1998) where f continues to complex numbers, else with Richardson's extrapolation of
    one-sided and central differences (Ridders 1982). So are the direction of ones, which tells ties apart, and a random one.
    Forward mode must give ⟨g, J u⟩ = ⟨Jᵀ g, u⟩. Of an input with more than 100 entries a random sample of 100 is checked.
    """
    xs = [_wide(x) for x in leaves(inputs)]
    rng = np.random.default_rng(seed)

    def flat(*xs: Any) -> tuple[Any, ...]:
        out = leaves(f(*rebuilt(inputs, xs)))
        return tuple(y for y in out if np.asarray(y.data if isinstance(y, Tensor) else y).dtype.kind in "fc")

    where, verdict = _places(inputs), Verdict("right", "")
    for now in range(1, order + 1):
        check = _Check(flat, xs, where, f"{name(f)}, order {now}" if now > 1 else name(f), rng)
        verdict = check.verdict()
        if verdict.verdict == "wrong":
            raise WrongGradientError(verdict)
        if verdict.verdict != "right":
            return verdict
        flat = check.gradient
    return Verdict("right", f"{sum(x.size for x in xs)} entries, reverse and forward, to order {order}")


class _Check:
    """One order of one check: f, contracted with a random cotangent, at its inputs."""

    def __init__(self, f: Callable[..., Any], xs: Arrays, where: list[str], called: str, rng: np.random.Generator) -> None:
        self.f, self.xs, self.where, self.called, self.rng = f, xs, where, called, rng
        self.out = self.values(xs)
        self.g = [self.random(y) for y in self.out]

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

    def line(self, direction: Arrays, g: Arrays | None = None) -> Callable[[complex], complex]:
        """Return t ↦ ⟨g, f(x + t u)⟩."""
        g = self.g if g is None else g
        moved = lambda t: self.values([x + t * u for x, u in zip(self.xs, direction)])
        return lambda t: sum((np.sum(a * y) for a, y in zip(g, moved(t))), np.float64(0))

    def unit(self, i: int, place: tuple[int, ...], one: complex = 1.0) -> Arrays:
        """Return the direction of one entry of one input."""
        direction = [np.zeros(x.shape, x.dtype) for x in self.xs]
        direction[i][place] = one
        return direction

    def verdict(self) -> Verdict:
        """Compare every entry, two directions, and forward mode."""
        with np.errstate(all="ignore"):
            self.analytic = [np.asarray(a) for a in self.gradient(*self.xs)]
        self.size = float(sum(np.sum(np.abs(a * y)) for a, y in zip(self.g, self.out)))
        if not np.isfinite(self.size):
            return Verdict("ill-conditioned", f"{self.called} is not finite here")
        sizes = [self.size, sum(np.sum(np.abs(a * y)) for a, y in zip(self.g, self.values([x + self.random(x) / 8 for x in self.xs])))]
        sizes += [np.max(np.abs(a[np.isfinite(a)]), initial=0) for a in self.analytic]
        self.floor = 1e-3 * max(float(size) for size in sizes if np.isfinite(size))
        found: dict[str, list[str]] = {}
        for i, x in enumerate(self.xs):
            wrong = []
            for place in self.places(x):
                for one, a in ((1.0, self.analytic[i][place].real), (1j, -self.analytic[i][place].imag))[: 1 + (x.dtype.kind == "c")]:
                    verdict, told = self.judged(float(a), self.unit(i, place, one))
                    entry = f"entry {place} of {self.where[i]}" if place else self.where[i]
                    found.setdefault(verdict, []).append(f"{entry}: {told}")
                    wrong += [place] if verdict == "wrong" else []
            if wrong:
                count = f"{len(set(wrong))} of {x.size} entries of shape {x.shape} differ"
                cause = likeliest_cause(self, i)
                lines = [f"the gradient of {self.called}", found["wrong"][0], count, *([f"likeliest cause: {cause}"] if cause else [])]
                return Verdict("wrong", "\n  ".join(lines))
        for what, direction in (("ones", [np.ones_like(x) for x in self.xs]), ("random numbers", [self.random(x) for x in self.xs])):
            along = float(sum(np.real(np.sum(a * u)) for a, u in zip(self.analytic, direction)))
            verdict, told = self.judged(along, direction)
            forward = self.forward(direction) if verdict in ("right", "kink") else None
            if forward is not None and not np.isclose(forward, along, 1e-7, self.floor * 1e-6):
                verdict, told = "wrong", f"reverse mode {along:.10g}, forward mode {forward:.10g}"
            found.setdefault(verdict, []).append(f"along {what}: {told}")
            if verdict == "wrong":
                return Verdict("wrong", f"the gradient of {self.called}\n  {found['wrong'][0]}")
        worst = next((verdict for verdict in ("ill-conditioned", "kink") if verdict in found), "right")
        return Verdict(worst, f"{self.called}: {found[worst][0]}" if found else self.called)

    def places(self, x: np.ndarray) -> list[tuple[int, ...]]:
        """Return the entries to check: all, or a random sample of a large input."""
        every = list(np.ndindex(x.shape))
        return every if x.size <= MOST_ENTRIES else [every[k] for k in sorted(self.rng.choice(x.size, MOST_ENTRIES, replace=False))]

    def forward(self, direction: Arrays) -> float | None:
        """Return ⟨g, J u⟩ by forward mode; None where it is not finite."""
        with np.errstate(all="ignore"):
            _, tangents = jvp(self.f, tuple(self.xs), tuple(direction))
        forward = float(sum(np.real(np.sum(a * t)) for a, t in zip(self.g, tangents)))
        return forward if np.isfinite(forward) else None

    def judged(self, analytic: float, direction: Arrays) -> tuple[str, str]:
        """Compare a slope with the numeric one, and say which numeric one that was."""
        exact = self.exact(direction)
        slope = Slope(exact, exact, 0.0) if exact is not None else one_sided_slopes(self.line(direction), self.floor * 1e3)
        kind, rtol = ("Richardson", 1e-6) if exact is None else ("complex step", 1e-9)
        numeric = f"between {slope.low:.10g} and {slope.high:.10g}" if slope.is_kink else f"{slope.low:.10g}"
        told = f"analytic {analytic:.10g}, numeric {numeric} ({kind})"
        scale = max([self.floor, *(abs(a) for a in (analytic, slope.low, slope.high) if np.isfinite(a))])
        if np.isinf(slope.low) and slope.low == slope.high:
            return ("right" if analytic == slope.low else "ill-conditioned"), told
        if slope.error > 1e-3 * scale:
            return "ill-conditioned", told
        margin = rtol * scale + slope.error
        if not slope.low - margin <= analytic <= slope.high + margin:
            return "wrong", told
        return ("kink" if slope.is_kink else "right"), told

    def exact(self, direction: Arrays) -> float | None:
        """Return the slope by the complex step, where f continues to complex numbers and the differences on both sides agree."""
        if any(a.dtype.kind == "c" for a in (*self.xs, *self.out)):
            return None
        line = self.line(direction)
        try:
            exact = complex_step(line)
        except Exception:  # whatever a function that is not made for complex numbers raises
            return None
        middle, scale = line(0.0), max(abs(exact), self.floor)

        def slope_and_gap(h: float) -> tuple[Any, Any]:
            after, before = line(h), line(-h)
            return (after - before) / (2 * h), abs(after - 2 * middle + before) / h

        (_, gap), (slope, smaller_gap) = slope_and_gap(2.0**-18), slope_and_gap(2.0**-22)
        smooth = smaller_gap <= max(1e-4 * scale, gap / 2)
        return exact if smooth and abs(slope - exact) <= 1e-4 * scale + 1e-8 * self.size else None

    def numeric(self, i: int, g: Arrays) -> np.ndarray:
        """Return the gradient with respect to one input for another cotangent: by central differences, to tell causes apart."""
        found, h = np.zeros(self.xs[i].shape), 2.0**-16
        for place in np.ndindex(found.shape):
            line = self.line(self.unit(i, place), g)
            found[place] = np.real(line(h) - line(-h)) / (2 * h)
        return found


def likeliest_cause(check: _Check, i: int) -> str:
    """Return what most likely makes the gradient of an input wrong; empty where nothing known fits."""
    analytic, g = check.analytic[i], check.g
    if check.xs[i].size > 10 * MOST_ENTRIES or analytic.dtype.kind == "c" or not np.isfinite(analytic).all():
        return ""
    numeric = check.numeric(i, g)
    largest = np.max(np.abs(numeric), initial=0)
    fits = lambda other: other.shape == analytic.shape and np.allclose(analytic, other, 1e-4, 1e-5 * largest + 1e-300)
    if not analytic.any():
        return "no gradient arrives: the input is cut off, or its rule is missing"
    twice = vjp(check.f, *check.xs)[1](tuple(2 * a for a in g))
    if fits(np.asarray(twice if len(check.xs) == 1 else twice[i])) or fits(check.numeric(i, [np.ones_like(a) for a in g])):
        return "an ignored cotangent: the rule does not use g"
    ratio = _ratio(analytic, numeric)
    if analytic.size > 1 and fits(numeric.T):
        return "a transpose: the gradient of the transposed entries"
    for axis, first_only, mean in _missing_sums(check, i):
        if fits(first_only):
            return f"a missing sum over a broadcast axis: only a part of axis {axis} of the result is counted"
        if fits(mean):
            return f"a missing sum over a broadcast axis: the mean over axis {axis} of the result is taken"
    for j, other in enumerate(check.xs):
        if j != i and other.shape == analytic.shape and analytic.size > 1 and fits(check.numeric(j, g)):
            return f"swapped arguments: this is the gradient of {check.where[j]}"
    if ratio is not None and fits(ratio * numeric):
        return "a sign: analytic = -numeric" if np.isclose(ratio, -1, 1e-4) else f"a factor: analytic = {ratio:.6g} · numeric"
    return ""


def _ratio(analytic: np.ndarray, numeric: np.ndarray) -> float | None:
    """Return the factor between two arrays at the largest entry."""
    place = np.unravel_index(np.argmax(np.abs(numeric)), numeric.shape)
    return float(analytic[place] / numeric[place]) if numeric[place] else None


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
    *inputs : array, scalar, or nested tuple, list or dict of them
        What to differentiate with respect to.
    rtol : float
        How far an entry may be off, relative to the largest of its array.

    Raises
    ------
    WrongGradientError
        An AssertionError that names the first entry that differs, both values, and the likeliest cause.
    ShapeError
        If your gradients have another structure or shape than the inputs.

    Examples
    --------
    >>> X, y, W = np.ones((3, 2)), np.zeros((3, 1)), np.full((2, 1), 0.5)
    >>> assert_same_gradients(lambda W: np.sum((X @ W - y) ** 2) / 2, lambda W: X.T @ (X @ W - y), W)
    """
    wide = rebuilt(inputs, map(_wide, leaves(inputs)))
    engine = grad(f, tuple(range(len(inputs))))(*wide)
    by_hand = manual(*wide) if callable(manual) else manual
    by_hand = list(fitting(wide, (by_hand,) if len(inputs) == 1 else by_hand, "the gradient by hand"))
    for i, (where, ours, theirs) in enumerate(zip(_places(inputs), leaves(engine), map(np.asarray, by_hand))):
        ours = np.asarray(ours)
        differ = np.argwhere(~(np.abs(ours - theirs) <= rtol * np.max(np.abs(ours), initial=0)))
        if len(differ):
            place = tuple(map(int, differ[0]))
            check = _ByHand(f, wide, i, theirs)
            cause = likeliest_cause(check, i)
            lines = [
                f"the gradient by hand of {name(f)}",
                f"entry {place} of {where}: by hand {theirs[place]:.10g}, engine {ours[place]:.10g}",
                f"{len(differ)} of {ours.size} entries of shape {ours.shape} differ",
                *([f"likeliest cause: {cause}"] if cause else []),
            ]
            raise WrongGradientError(Verdict("wrong", "\n  ".join(lines)))


class _ByHand(_Check):
    """A gradient by hand in the place of the analytic one."""

    def __init__(self, f: Callable[..., Any], inputs: tuple[Any, ...], i: int, theirs: np.ndarray) -> None:
        xs = [np.asarray(x) for x in leaves(inputs)]
        flat = lambda *parts: (f(*rebuilt(inputs, parts)),)
        super().__init__(flat, xs, _places(inputs), name(f), np.random.default_rng(0))
        self.g, self.analytic = [np.ones_like(y) for y in self.out], [theirs] * len(xs)


def _wide(x: Any) -> np.ndarray:
    """Return an input as an array of float64 or complex128."""
    array = as_numbers(x)
    return array.astype({"f": np.float64, "c": np.complex128}[array.dtype.kind]) if array.dtype.kind in "fc" else array


def _places(inputs: tuple[Any, ...]) -> list[str]:
    """Return what to call each leaf of the inputs: input 0, input 0['W'][1], ..."""
    return [f"input {i}{path}" for i, x in enumerate(inputs) for path in paths(x)]
