"""Does a test suite notice a wrong derivative? Plant one mistake at a time, and count.

    python -m tinygrad_hw.testing.mutants test_student.py
    python -m tinygrad_hw.testing.mutants tests/ --only "elementwise: exp:" --jobs 2

A *mutant* is the package with one mistake in it: the sign of a rule, a forgotten factor, an ignored cotangent, a value assigned where it
should be added. ``mutants()`` is the catalogue: one mutant for each argument of each rule of the table, made systematically, and the
mistakes that people make, written out. The command runs a pytest suite against every one (Linux, macOS: each in a fork of
the process, which has collected the tests once), up to the first test that fails, and prints the share that it catches.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np

from .. import backward
from ..rules import RULES, Each, Rule, gaussian, neural, reductions, shaping
from ..tensor import Tensor

__all__ = ["Mutant", "applied", "mutants"]

Vjp = Callable[..., Any]
Patch = tuple[Any, str, Any]


@dataclass(frozen=True)
class Mutant:
    """One mistake: where it sits (topic, function), what it is, and the attributes to set for it.

    Examples
    --------
    >>> from tinygrad_hw.testing.mutants import mutants
    >>> sorted({mutant.topic for mutant in mutants()})[:2]
    ['convolution', 'elementwise']
    """

    topic: str
    function: str
    mistake: str
    patches: Callable[[], list[Patch]]

    def __str__(self) -> str:
        return f"{self.topic}: {self.function}: {self.mistake}"


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Plant a mutant's mistake, for all threads, and take it out again.

    Parameters
    ----------
    mutant : Mutant
        One of ``mutants()``.

    Yields
    ------
    None

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> from tinygrad_hw.testing.mutants import applied, mutants
    >>> with applied(next(mutant for mutant in mutants() if "sin" in mutant.function)):
    ...     wrong = tg.grad(np.sin)(0.0)
    >>> bool(wrong == tg.grad(np.sin)(0.0))
    False
    """
    patches = mutant.patches()
    before = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in patches]
    try:
        for owner, attribute, wrong in patches:
            setattr(owner, attribute, wrong)
        yield
    finally:
        for owner, attribute, right in before:
            setattr(owner, attribute, right)


def mutants() -> list[Mutant]:
    """Return the catalogue: a mutant for each argument of each rule, then the mistakes that people make.

    Returns
    -------
    list of Mutant

    Examples
    --------
    >>> from tinygrad_hw.testing.mutants import mutants
    >>> len(mutants()) > 300
    True
    """
    return [*_systematic(), *_in_rules(), *_in_broadcasting()]


# Mistakes that fit any rule
MISTAKES: dict[str, Callable[[Vjp], Vjp]] = {
    "a wrong sign": lambda vjp: lambda *args, **kwargs: -vjp(*args, **kwargs),
    "a factor of 2": lambda vjp: lambda *args, **kwargs: 2 * vjp(*args, **kwargs),
    "an ignored cotangent": lambda vjp: lambda g, *args, **kwargs: vjp(0 * g + 1, *args, **kwargs),
}
STEPS = {np.floor, np.ceil, np.trunc, np.rint, np.sign, np.floor_divide}
FLAT = {(np.copysign, 1), (np.heaviside, 0)}


def _systematic() -> Iterator[Mutant]:
    """Yield for each argument of each rule the next of the general mistakes; for a step, whose rule is 0, the identity."""
    mistakes = cycle(MISTAKES.items())
    for function, row in RULES.items():
        for i, vjp in enumerate(row.vjps if not isinstance(row.vjps, Each) else [row.vjps.vjp]):
            if vjp is None or not str(vjp.__module__).startswith("tinygrad_hw.rules"):
                continue
            is_flat = function in STEPS or (function, i) in FLAT
            mistake, change = ("the slope of the identity", lambda vjp: lambda g, *args, **kwargs: g) if is_flat else next(mistakes)
            yield _of_rule(function, i, f"{mistake} in the rule of argument {i}", change)


def _of_rule(function: Any, i: int, mistake: str, change: Callable[[Vjp], Vjp]) -> Mutant:
    """Return the mutant that changes the rule of one argument of a function."""
    row = RULES[function]
    body = row.vjps.vjp if isinstance(row.vjps, Each) else row.vjps[i]
    return Mutant(body.__module__.rsplit(".", 1)[1], row.name, mistake, lambda: _rule_patches(row, i, change))


def _rule_patches(row: Rule, i: int, change: Callable[[Vjp], Vjp]) -> list[Patch]:
    """Return what to set: the row's VJPs, and no call that gives all cotangents at once beside them."""
    if isinstance(row.vjps, Each):
        vjp = row.vjps.vjp
        each = Each(lambda k, *args, **kwargs: change(lambda *a, **kw: vjp(k, *a, **kw))(*args, **kwargs))
        return [(row, "vjps", each), (row, "single_vjps", each), (row, "joint_vjp", None)]
    patches: list[Patch] = [(row, "joint_vjp", None)]
    for attribute in ("vjps", "single_vjps"):
        vjps = getattr(row, attribute)
        patches.append((row, attribute, tuple(change(vjp) if k == i else vjp for k, vjp in enumerate(vjps))))
    return patches


# The mistakes that people make, in rules
def _replaced(function: Any, i: int, mistake: str, wrong: Vjp) -> Mutant:
    return _of_rule(function, i, mistake, lambda right: wrong)


def _spread(g: Any, axis: Any, keepdims: bool) -> Any:
    """Return the cotangent of a reduction, its folded axes put back."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def _in_rules() -> Iterator[Mutant]:
    """Yield mistakes that are known to be made, topic by topic."""
    r, s, n = reductions, shaping, neural
    plain = lambda a: a.detach() if isinstance(a, Tensor) else a
    differentiable_once = lambda vjp: lambda g, *args, **kwargs: vjp(g, *map(plain, args), **kwargs)
    transposed = lambda vjp: lambda *args, **kwargs: np.swapaxes(vjp(*args, **kwargs), -1, -2)

    swapped: list[Any] = [np.subtract, np.divide, np.arctan2, np.matmul, np.hypot, np.maximum]
    for function, i in [*((function, 0) for function in swapped), (np.power, 1)]:
        yield _replaced(function, i, f"the rule of argument {1 - i} for argument {i}", RULES[function].vjps[1 - i])
    several: list[Any] = [np.exp, np.tanh, np.multiply, np.sin, np.log, np.matmul, np.sqrt, n.sigmoid, r.logsumexp, np.prod, r.softmax]
    yield from (_of_rule(function, 0, "right once, but not differentiable again", differentiable_once) for function in several)
    yield from (_of_rule(np.matmul, i, f"a transposed cotangent of argument {i}", transposed) for i in (0, 1))

    yield _replaced(np.power, 0, "x^y for x^(y-1)", lambda g, out, x, y: g * y * out)
    yield _replaced(np.power, 0, "y out / x, nan at 0", lambda g, out, x, y: g * y * out / x)
    yield _replaced(np.power, 1, "log x, infinite at 0", lambda g, out, x, y: g * out * np.log(x))
    yield _replaced(np.tanh, 0, "1 - out for 1 - out²", lambda g, out, x: g * (1 - out))
    yield _replaced(np.sqrt, 0, "a missing ½", lambda g, out, x: g / out)
    yield _replaced(np.absolute, 0, "the slope 1 at 0", lambda g, out, x: g * np.where(x >= 0, 1, -1))
    yield _replaced(np.arcsin, 0, "a missing root", lambda g, out, x: g / ((1 - x) * (1 + x)))
    yield _replaced(np.hypot, 0, "nan at the origin", lambda g, out, x, y: g * x / out)
    yield _replaced(np.log1p, 0, "the derivative of log", lambda g, out, x: g / x)
    yield _replaced(np.where, 1, "the condition ignored", lambda g, out, condition, x, y: g)
    for i, choice in ((0, np.greater_equal), (1, np.less_equal)):
        yield _replaced(np.maximum, i, f"argument {i} gets all at a tie", lambda g, out, x, y, choice=choice: g * choice(x, y))

    yield _replaced(n.relu, 0, "the slope 1 at 0", lambda g, out, x: g * (x >= 0))
    yield _replaced(n.sigmoid, 0, "1 - x for 1 - out", lambda g, out, x: g * out * (1 - x))
    yield _replaced(n.sigmoid, 0, "out (1 - out) + 10⁻⁶", lambda g, out, x: g * (out * (1 - out) + 1e-6))
    yield _replaced(n.gelu, 0, "the slope of its second factor forgotten", lambda g, out, x, **kwargs: g * gaussian.normal_cdf(x))
    yield _replaced(n.softplus, 0, "σ(-x) for σ(x)", lambda g, out, x: g * n.sigmoid(-x))
    yield _replaced(n.leaky_relu, 0, "the slope ignored", lambda g, out, x, slope=0.01: np.where(x > 0, g, 0.01 * g))
    yield _replaced(r.softmax, 0, "the diagonal of the Jacobian alone", lambda g, out, x, axis=-1: g * out * (1 - out))
    yield _replaced(r.log_softmax, 0, "the sum forgotten", lambda g, out, x, axis=-1: g * (1 - np.exp(out)))
    yield _replaced(r.softmax, 0, "always the last axis", lambda g, out, x, axis=-1: out * (g - np.sum(g * out, -1, keepdims=True)))

    every = lambda g, out, x, axis=None, keepdims=False: _spread(g, axis, keepdims) * (x == _spread(out, axis, keepdims))
    yield _replaced(np.max, 0, "every tie gets all", every)
    yield _replaced(np.min, 0, "every tie gets all", every)
    yield _replaced(np.max, 0, "the first tie gets all", _first_tie)
    yield _replaced(np.prod, 0, "g out / x, nan at zeros", lambda g, out, x, axis=None, keepdims=False: (
        _spread(g * out, axis, keepdims) / x))  # fmt: skip
    yield _replaced(np.cumprod, 0, "g out / x, nan at zeros", lambda g, out, x, axis: (
        np.flip(np.cumsum(np.flip(g * out, axis), axis), axis) / x))  # fmt: skip
    yield _replaced(np.cumsum, 0, "summed forward", lambda g, out, x, axis: np.cumsum(g, axis))
    yield _replaced(np.mean, 0, "not divided by n", lambda g, out, x, axis=None, keepdims=False: _spread(g, axis, keepdims))
    yield _replaced(np.var, 0, "the mean not subtracted", lambda g, out, x, axis=None, ddof=0, keepdims=False: (
        2 * _spread(g, axis, keepdims) * x / (r.count(x, axis) - ddof)))  # fmt: skip
    yield _of_rule(np.var, 0, "ddof ignored", lambda vjp: lambda g, out, x, axis=None, ddof=0, keepdims=False: (
        vjp(g, out, x, axis, 0, keepdims)))  # fmt: skip
    yield _replaced(np.std, 0, "nan where all are equal", lambda g, out, x, axis=None, ddof=0, keepdims=False: (
        _spread(g / out, axis, keepdims) * (x - np.mean(x, axis, keepdims=True)) / (r.count(x, axis) - ddof)))  # fmt: skip
    yield _replaced(r.logsumexp, 0, "exp(x - out), nan where all is -inf", lambda g, out, x, axis=None, keepdims=False: (
        _spread(g, axis, keepdims) * np.exp(x - _spread(out, axis, keepdims))))  # fmt: skip

    yield _replaced(s.getitem, 0, "assigned where an index repeats, for added", lambda g, out, x, index: s.setitem(0 * x, g, index))
    yield _replaced(s.setitem, 0, "the overwritten entries keep their cotangent", lambda g, out, x, value, *place: g)
    yield _replaced(s.setitem, 1, "an overwritten value keeps its cotangent", lambda g, out, x, value, index, *place: g[index])
    yield _replaced(np.transpose, 0, "the same axes again, for the inverse", lambda g, out, x, axes=None: np.transpose(g, axes))
    yield _replaced(np.moveaxis, 0, "moved the same way again", lambda g, out, x, source, destination: np.moveaxis(g, source, destination))
    yield _replaced(np.roll, 0, "rolled the same way again", lambda g, out, x, shift, axis=None: np.roll(g, shift, axis))
    yield _replaced(np.flip, 0, "all axes flipped", lambda g, out, x, axis=None: np.flip(g))
    yield _replaced(np.reshape, 0, "always in C order", lambda g, out, x, *args, **kwargs: np.reshape(g, x.shape))


def _first_tie(g: Any, out: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Give the whole cotangent to the first of the largest entries."""
    best = np.asarray(backward.values(x) == _spread(backward.values(out), axis, keepdims))
    first = best & (np.cumsum(best, axis if isinstance(axis, int) else None).reshape(best.shape) == 1)
    return _spread(g, axis, keepdims) * first


# The mistakes that people make, in an engine
def _in_broadcasting() -> Iterator[Mutant]:
    """Yield two ways to undo broadcasting that give the right shape, but not the sum."""
    for mistake, wrong in (("the first entry", _first_entry), ("the mean", _mean)):
        patch: Patch = (backward.unbroadcast, "__code__", wrong.__code__)
        yield Mutant("engine", "unbroadcast", f"{mistake}, for the sum over a broadcast axis", partial(list, [patch]))


def _first_entry(g: Any, shape: tuple[int, ...]) -> Any:
    """Take one entry along the axes where broadcasting repeated."""
    g = g[(0,) * max(len(g.shape) - len(shape), 0)]
    return g[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)] if len(g.shape) == len(shape) else g


def _mean(g: Any, shape: tuple[int, ...]) -> Any:
    """Take the mean along the axes where broadcasting repeated."""
    g = np.mean(g, tuple(range(len(g.shape) - len(shape))))
    return np.mean(g, tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True) if len(g.shape) == len(shape) else g


# The command
CPU_SECONDS = 60


class Grader:
    """A pytest plugin that runs the collected tests once as they are, then for each mutant in a fork."""

    def __init__(self, catalogue: list[Mutant], jobs: int, say: Callable[[str], Any]) -> None:
        self.catalogue, self.jobs, self.say = catalogue, jobs, say
        self.status = 2

    def pytest_collection(self) -> None:
        """Let hypothesis neither shrink nor store the examples that fail: that one fails is all that is asked."""
        try:
            from hypothesis import Phase, settings
        except ImportError:
            return
        settings.register_profile("mutants", settings(), phases=[Phase.explicit, Phase.generate], database=None)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: Any) -> bool:
        """Take the place of pytest's own loop over the tests."""
        session.config.pluginmanager.unregister(name="terminalreporter")
        if session.testsfailed or not session.items:
            self.say("the tests could not be collected: make `python -m pytest` pass first")
            return True
        gc.freeze()  # (a collection in a fork would copy all that was imported)
        self.say(f"tests: {len(session.items)}, first without any mutant")
        shares = ((Mutant("", "", "", list), session.items[k :: self.jobs]) for k in range(self.jobs))
        failing = [test for _, test in self.run_all(session, shares) if test]
        if failing:
            self.say(f"the tests fail without any mutant [{failing[0]}]: make `python -m pytest` pass first, in any order of the tests")
            return True
        self.grade(session)
        return True

    def grade(self, session: Any) -> None:
        """Run the tests against the catalogue, and say what they catch of each mutant, of each topic and of all."""
        caught: Counter[str] = Counter()
        total, of_topic = len(self.catalogue), Counter(mutant.topic for mutant in self.catalogue)
        work = ((mutant, likely_first(session.items, mutant)) for mutant in self.catalogue)
        for done, (mutant, test) in enumerate(self.run_all(session, work), 1):
            caught[mutant.topic] += bool(test)
            self.say(f"{done:3}/{total} " + (f"caught   {mutant}  [{test}]" if test else f"SURVIVED {mutant}"))
        for topic in of_topic:
            self.say(f"{topic:<12} {caught[topic]} of {of_topic[topic]} caught")
        self.say(f"caught {caught.total()} of {total} mutants: {100 * caught.total() // total}%")
        self.status = int(caught.total() < total)

    def run_all(self, session: Any, work: Iterable[tuple[Mutant, list[Any]]]) -> Iterator[tuple[Mutant, str]]:
        """Run tests against mutants, some at a time; yield each mutant with the test that caught it, empty if none did."""
        running: dict[int, tuple[Mutant, int]] = {}
        for mutant, tests in work:
            if len(running) == self.jobs:
                yield ended(running)
            process, pipe = start(session, mutant, tests)
            running[process] = mutant, pipe
        while running:
            yield ended(running)


def start(session: Any, mutant: Mutant, tests: list[Any]) -> tuple[int, int]:
    """Start a process that runs tests against a mutant up to the first that fails; its name comes through the pipe."""
    reader, writer = os.pipe()
    with applied(mutant):  # (before the fork: a mutant that cannot be planted is an error here, and not a failure there)
        process = os.fork()
        if not process:
            try:
                os.write(writer, first_failure(session, tests).encode())
                os._exit(0)
            finally:
                os._exit(1)
    os.close(writer)
    return process, reader


def first_failure(session: Any, tests: list[Any]) -> str:
    """Run tests and return the name of the first that fails; empty if none does."""
    for item, following in zip(tests, [*tests[1:], None]):
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return str(item.nodeid)
    return ""


def likely_first(items: list[Any], mutant: Mutant) -> list[Any]:
    """Sort tests: first those whose id has the function as a word, then those with the topic, then the others as they come."""
    words = [re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])") for word in (mutant.function, mutant.topic)]
    return sorted(items, key=lambda item: [not word.search(item.nodeid) for word in words])


def ended(running: dict[int, tuple[Mutant, int]]) -> tuple[Mutant, str]:
    """Wait until one of the processes ends, take it out, and return its mutant with what caught it."""
    process, status = os.wait()
    while process not in running:
        process, status = os.wait()
    mutant, pipe = running.pop(process)
    with os.fdopen(pipe) as reader:
        if os.waitstatus_to_exitcode(status) == -signal.SIGPROF:
            return mutant, "the time limit"
        return mutant, "a crash" if status else reader.read()


DESCRIPTION = """
Grade tests of derivatives: run them against tinygrad_hw with one mistake in it (a mutant), for each mistake of a catalogue. A mutant is
caught if a test fails. The tests must pass without any mutant.
"""
EPILOG = f"""
Other options, after the tests, are handed to pytest. A test that computes for more than {CPU_SECONDS} seconds counts as failed.
Exit status: 0 if every mutant was caught, 1 if one survived, 2 if the tests could not be run or do not pass.
"""


def main(argv: list[str] | None = None, catalogue: Sequence[Mutant] = ()) -> int:
    """Grade a test suite from the command line, by ``mutants()`` or others; 0 if it caught all, 1 if not, 2 if it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_hw.testing.mutants", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("tests", nargs="*", help="what to give to pytest: files, folders, node ids")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the mutants whose line in --list contains TEXT")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many to run at a time (1)")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    options, for_pytest = parser.parse_known_args(argv)
    catalogue = [mutant for mutant in catalogue or mutants() if options.only in str(mutant)]
    if not catalogue:
        parser.error(f"no mutant's line contains {options.only!r}: --list prints them")
    if options.list:
        print(*catalogue, f"{len(catalogue)} mutants", sep="\n")
        return 0
    if not options.tests:
        parser.error("which tests? give files, folders or node ids")
    if not hasattr(os, "fork"):
        parser.error("this needs os.fork, which this system does not have")
    import pytest

    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as out:
        grader = Grader(catalogue, max(options.jobs, 1), lambda line: print(line, file=out, flush=True))
        pytest.main([*options.tests, *for_pytest, "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"], plugins=[grader])
    return grader.status


if __name__ == "__main__":
    sys.exit(main())
