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
import inspect
import os
import re
import signal
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle
from types import FunctionType
from typing import Any

import numpy as np

from .. import backward, entries, live, operators, tensor, transforms, trees, views
from ..rules import RULES, Each, Rule, gaussian, neural, reductions, shaping
from ..scopes import Scope
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
    return [*_systematic(), *_in_rules(), *_in_the_engine(), *_of_views_and_writes(), *_in_fast_paths()]


# Mistakes that fit any rule
def _negated(vjp: Vjp) -> Vjp:
    return lambda g, out, *args, **kwargs: -vjp(g, out, *args, **kwargs)


def _doubled(vjp: Vjp) -> Vjp:
    return lambda g, out, *args, **kwargs: 2 * vjp(g, out, *args, **kwargs)


def _without_cotangent(vjp: Vjp) -> Vjp:
    return lambda g, out, *args, **kwargs: vjp(0 * g + 1, out, *args, **kwargs)


def _once_only(vjp: Vjp) -> Vjp:
    plain = lambda a: a.detach() if isinstance(a, Tensor) else a
    return lambda g, out, *args, **kwargs: vjp(g, plain(out), *map(plain, args), **kwargs)


def _transposed(vjp: Vjp) -> Vjp:
    return lambda g, out, *args, **kwargs: np.swapaxes(vjp(g, out, *args, **kwargs), -1, -2)


def _as_identity(vjp: Vjp) -> Vjp:
    return lambda g, out, *args, **kwargs: g


MISTAKES = {"a wrong sign": _negated, "a factor of 2": _doubled, "an ignored cotangent": _without_cotangent}
STEPS = {np.floor, np.ceil, np.trunc, np.rint, np.sign, np.floor_divide}
FLAT = {(np.copysign, 1), (np.heaviside, 0)}


def _systematic() -> Iterator[Mutant]:
    """Yield for each argument of each rule the next of the general mistakes; for a step, whose rule is 0, the identity."""
    mistakes = cycle(MISTAKES.items())
    for function, row in RULES.items():
        for i, vjp in enumerate(row.vjps if not isinstance(row.vjps, Each) else [row.vjps.vjp]):
            if vjp is None or not str(vjp.__module__).startswith("tinygrad_hw.rules"):
                continue
            mistake, change = ("the slope of the identity", _as_identity) if function in STEPS or (function, i) in FLAT else next(mistakes)
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
        return [(row, "vjps", each), (row, "alone", each), (row, "at_once", None)]
    patches: list[Patch] = [(row, "at_once", None)]
    for attribute in ("vjps", "alone"):
        vjps = getattr(row, attribute)
        patches.append((row, attribute, tuple(change(vjp) if k == i else vjp for k, vjp in enumerate(vjps))))
    return patches


# The mistakes that people make, in rules
def _replaced(function: Any, i: int, mistake: str, wrong: Vjp) -> Mutant:
    """Return the mutant with another rule."""
    return _of_rule(function, i, mistake, lambda right: wrong)


def _swapped(function: Any, i: int) -> Mutant:
    """Return the mutant that gives one argument the other's rule."""
    other = RULES[function].vjps[1 - i]
    return _replaced(function, i, f"the rule of argument {1 - i} for argument {i}", other)


def _spread(g: Any, axis: Any, keepdims: bool) -> Any:
    """Return the cotangent of a reduction, its folded axes put back."""
    return g if keepdims or axis is None else np.expand_dims(g, axis)


def _in_rules() -> Iterator[Mutant]:
    """Yield known slips of the pen and of the mind, topic by topic."""
    r, s, n = reductions, shaping, neural
    swapped: list[Any] = [np.subtract, np.divide, np.power, np.arctan2, np.matmul, np.hypot, np.maximum]
    yield from (_swapped(function, int(function is np.power)) for function in swapped)
    once: list[Any] = [np.exp, np.tanh, np.multiply, np.sin, np.log, np.matmul, np.sqrt, n.sigmoid, r.logsumexp, np.prod, r.softmax]
    yield from (_of_rule(function, 0, "right once, but not differentiable again", _once_only) for function in once)
    yield from (_of_rule(np.matmul, i, f"a transposed cotangent of argument {i}", _transposed) for i in (0, 1))

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
def _in_the_engine() -> Iterator[Mutant]:
    """Yield slips in what carries the rules: broadcasting, adding up, order, branches, dtypes, memory, recording."""
    first = lambda: [(backward.unbroadcast, "__code__", _first_entry.__code__)]
    yield _engine("unbroadcast", "the first entry, for the sum over a broadcast axis", first)
    for owner, function, mistake, right, wrong in (
        (backward, "unbroadcast", "the mean, for the sum over a broadcast axis", "np.add.reduce", "np.mean"),
        (backward, "flow", "assigned, for added, where a tensor is used twice", "cotangents[parent] + c", "c"),
        (reductions, "divided", "half precision counts in half precision", "wide = widened(g)", "wide = g"),
        (reductions, "folded_axes", "a scalar has an axis", " if x.ndim else ()", ""),
        (
            shaping,
            "_segments",
            "the parts of a join in reverse",
            "accumulate(x.shape[axis] for x in arrays[:-1])",
            "accumulate(x.shape[axis] for x in arrays[:0:-1])",
        ),
        (tensor, "beside", "tensors in a list are constants", "stacked(arg) if", "arg if"),
        (tensor, "composed", "integers that need no gradient are computed as floats", "needed = function", "needed = True or function"),
        (backward, "flow", "the cotangent given is shared with the gradient", "c.copy() if c is g else c", "c"),
        (backward, "flow", "retained gradients forgotten", "cotangents[node] if node.keeps_grad else ", ""),
        (backward, "fit", "a gradient of another dtype than its tensor's", ".astype(x.dtype)", ""),
        (backward, "sweep", "a branch not taken spoils the gradient", "if not all_finite(found.values()):", "if False:"),
        (live, "live_entries", "every entry of a choice is live", 'if node.rule.kind == "choice":', "if False:"),
        (backward, "flow", "the oldest node first", "(-", "("),
        (tensor, "taken", "later writes to an array change the graph", 'node.value.copy("K") if node.lent else node.value', "node.value"),
        (tensor, "flow_back", "the rules for two arguments where one is a constant", "rule.alone if len(sources) == 1 else", ""),
        (tensor, "private", "constants are not copied", 'return arg.copy("K")', "return arg"),
        (tensor, "tensors", "the gradient's own graph is cut off", "return handle(node), tuple(args)", "return node.value, node.args"),
        (tensor, "added_up", "gradients are replaced, for added up", "np.asarray(node.grad + g)", "np.asarray(g)"),
        (Tensor, "detach", "a detached tensor stays in the graph", "return handle(", "return self; handle("),
        (Scope, "__enter__", "no_grad records", "Block(self.value,", "Block(not self.value,"),
        (Scope, "__exit__", "no_grad never ends", "block.ended = True", "block.ended = False"),
        (Scope, "__exit__", "the first of two no_grad to end ends both", "innermost(self.setting.get()))", "block.outer)"),
        (transforms, "linearized", "captured tensors are cut off", "captured = outside and", "captured = False and"),
        (transforms, "linearized", "the last of several arguments counts for all", "parts[wanted.index(n)]", "parts[-1]"),
        (transforms, "_of_complex", "the imaginary part of a Jacobian is lost", "of_one - 1j * of_i", "of_one"),
        (trees, "fitted", "dicts are matched by order", "list(_in_order_of(tree, given))", "leaves(given)"),
        (transforms, "linearized", "a result that is returned twice counts once", "seeds[node] + g if node in seeds else g", "g"),
        (transforms, "jvp", "Jᵀ t, for J t", "_, pushforward = vjp(pullback, anywhere)", "pushforward = pullback"),
        (transforms, "hvp", "the gradient, for the Hessian's product", "return vjp(grad(f), x)[1](", "return (lambda v: grad(f)(x))("),
        (
            transforms.SweptAgain,
            "cotangents",
            "checkpoint trusts the second forward call",
            "used != self.used or not equal_now(whole._node.value, values(out))",
            "False",
        ),
    ):
        yield _engine(function, mistake, partial(_rewritten, owner, function, right, wrong))


def _of_views_and_writes() -> Iterator[Mutant]:
    """Yield slips in what shares entries, and in what is written to them."""
    v, s = views, shaping
    for owner, function, mistake, right, wrong in (
        (v, "shares", "a view is taken for a copy", "base is not None and (base is array or base is array.base)", "False"),
        (v, "shares", "a view of a view is taken for a copy", "(base is array or base is array.base)", "base is array"),
        (v.View, "_node", "a view does not see that its root is another result", "root is self._seen and ", ""),
        (v.View, "_node", "a view does not see that its root has another array", " and root.value is self._array", ""),
        (v, "view_of", "a view of a view takes that for its root", "x._root if isinstance(x, View) else x", "x"),
        (v, "getitem", "a view keeps the index that the user holds", "(private(index),)", "(index,)"),
        (v, "worked_out", "a view of a view is worked out before what it is a view of", "reversed(stale)", "stale"),
        (v, "worked_out", "a view that keeps its gradient forgets it at a write", "if before.keeps_grad:", "if False:"),
        (v, "worked_out", "a view loses its name at a write", "held.name = before.name", "pass"),
        (v, "steps_to", "the steps to a view in the wrong order", "tuple(reversed(steps))", "tuple(steps)"),
        (
            v,
            "setitem",
            "t[0] = t[1] is taken for the end of t[0] += v",
            " and step[0] is shaping.getitem and same_index(step[1][0], index)",
            "",
        ),
        (v, "write", "a value's gradient is cut off by a write", "source is not None and source.requires_grad", "False"),
        (v, "take_over", "a result that keeps its gradient forgets it at a write", "old.keeps_grad and bool(old.parents)", "False"),
        (v, "take_over", "a tensor loses its name at a write", "node.name = old.name", "pass"),
        (v, "refuse_what_cannot_be_written", "a leaf that requires a gradient is written to", "and is_recording():", "and False:"),
        (
            v,
            "writes_to_a_graph",
            "such a leaf is written to through a view",
            "refuse_what_cannot_be_written(target, root)",
            "refuse_what_cannot_be_written(target, target)",
        ),
        (v, "own", "a write changes what a graph holds", "sys.getrefcount(node.value) > ALONE", "False"),
        (v.Written, "value", "an older version is not put together again", "if self.version == len(memory.log):", "if True:"),
        (
            v.Written,
            "value",
            "writes are undone in the order in which they were made",
            "reversed(memory.log[self.version :])",
            "memory.log[self.version :]",
        ),
        (v, "written", "what a write found is not copied", "old = np.array(place[index])", "old = place[index]"),
        (v, "written", "a write through a view is undone at the root", "memory.log.append((steps,", "memory.log.append(((),"),
        (
            v,
            "written",
            "the gradient of what is not overwritten is cut off",
            "out.parents = (node if node.requires_grad else None,",
            "out.parents = (None,",
        ),
        (v, "written", "the same memory for a graph's value and a later write", 'Memory(array.copy(order="K"))', "Memory(array)"),
        (
            v,
            "write_part",
            "the other part of a complex number is lost",
            "of_parts(changed, np.imag(whole))",
            "of_parts(changed, 0 * np.imag(whole))",
        ),
        (v, "become", "an in-place operator lets the shape grow", "if value.shape != target.shape:", "if False:"),
        (v, "become", "an in-place operator changes the dtype", "if not np.can_cast(value.dtype, target.dtype, casting):", "if False:"),
        (v, "become", "an in-place operator on a view makes a new tensor", "isinstance(target, View) or not", "not"),
        (
            v,
            "put_into",
            "where= is forgotten beside out=",
            "value if kept is True else np.where(kept, value, as_recorded(target))",
            "value",
        ),
        (v, "into_out", "a gradient is lost in an array that is given as out=", "if flows((args, kwargs)) and", "if False and"),
        (v, "made_again", "only the first step to a view is taken", "root = view_of(", "return view_of("),
        (s, "at", "a view of a view is written to at the first step", "x = function(", "return function("),
        (s, "layout", "an array in Fortran order is copied in C order", "if x.flags.c_contiguous:", "if True:"),
        (s, "_write_at_once", "a write keeps the cotangent of what it overwrites", "at(g, steps)[index] = 0", "pass"),
        (s, "_write_at_once", "a cotangent that others hold is written to", "if not mine or", "if False or"),
        (s.Entries, "add_to", "an index that repeats counts once", "np.add.at(total, self.index, self.g)", "total[self.index] += self.g"),
        (
            entries,
            "hand_on",
            "a cotangent that others hold is added into",
            "if parent not in mine or not isinstance(total, np.ndarray):",
            "if total is None:",
        ),
        (entries, "hand_on", "a gradient that is kept is written to", "node in mine and not node.keeps_grad", "node in mine"),
    ):
        yield Mutant("views", function, mistake, partial(_rewritten, owner, function, right, wrong))


def _in_fast_paths() -> Iterator[Mutant]:
    """Yield slips in the operators, which are ``record`` written out."""
    for function, inner, mistake, right, wrong in (
        (
            "binary",
            "direct",
            "a constant array is not copied",
            "y.copy() if isinstance(y, ndarray) else y), (node, None)",
            "y), (node, None)",
        ),
        ("binary", "reflected", "a constant array on the left is not copied", "x.copy() if isinstance(x, ndarray) else x", "x"),
        ("binary", "direct", "records inside no_grad", "if not is_recording():", "if not is_recording() and False:"),
        ("binary", "direct", "an array that the user holds is not copied", "x = taken(node)", "pass"),
        ("binary", "direct", "the other's array is not copied", "y = taken(node_y)", "pass"),
        (
            "binary",
            "direct",
            "the gradient goes to the other operand",
            "(node, None) if node.requires_grad else (None, node_y)",
            "(None, node_y) if node.requires_grad else (node, None)",
        ),
        ("binary", "reflected", "the operands exchanged", "else call(x, y)", "else call(y, x)"),
        ("binary", "reflected", "an array that the user holds is not copied", "taken(node) if node.lent else y", "y"),
        ("unary", "method", "records inside no_grad", "node.requires_grad and is_recording()", "node.requires_grad"),
        ("unary", "method", "an array that the user holds is not copied", "x = taken(node)", "pass"),
        ("reduction", "fold", "keepdims forgotten", "if axis is None and not keepdims:", "if axis is None:"),
        ("without_gradient", "reflected", "the operands exchanged", "function(x, self._node.value)", "function(self._node.value, x)"),
    ):
        yield Mutant("operators", function, f"{inner}: {mistake}", partial(_rewritten_inside, operators, function, inner, right, wrong))


def _engine(function: str, mistake: str, patches: Callable[[], list[Patch]]) -> Mutant:
    """Return a mutant of the engine."""
    return Mutant("engine", function, mistake, patches)


def _rewritten(owner: Any, function: str, right: str, wrong: str) -> list[Patch]:
    """Return the patch that gives a function the code of its own source with a part rewritten: whoever holds it sees that."""
    original = getattr(owner, function)
    original = original.fget if isinstance(original, property) else original
    return [(original, "__code__", _changed(original, right, wrong).__code__)]


def _rewritten_inside(owner: Any, function: str, inner: str, right: str, wrong: str) -> list[Patch]:
    """Return the patches for all functions that another one has made, inside of which a part is rewritten."""
    outer = getattr(owner, function)
    right_code, wrong_code = (_inner(code, inner) for code in (outer.__code__, _changed(outer, right, wrong).__code__))
    held = (*vars(Tensor).values(), *tensor.QUICK.values(), *tensor.INSTEAD.values(), *chain(*tensor.PAIRS.values()))
    return [(x, "__code__", wrong_code) for x in _with_closures(held) if x.__code__ is right_code]


def _with_closures(functions: Iterable[Any]) -> set[FunctionType]:
    """Return functions, and those that they hold in their closures."""
    found: set[FunctionType] = set()
    waiting = [f for f in functions if isinstance(f, FunctionType)]
    while waiting:
        f = waiting.pop()
        if f not in found:
            found.add(f)
            waiting += [cell.cell_contents for cell in f.__closure__ or () if isinstance(cell.cell_contents, FunctionType)]
    return found


def _changed(original: Any, right: str, wrong: str) -> Any:
    """Return a function made of another one's source with a part rewritten."""
    source = textwrap.dedent(inspect.getsource(original))
    if right not in source:
        raise LookupError(f"{original.__name__}: its source has no {right!r} any more: the mutant must be written anew")
    made: dict[str, Any] = {}
    undecorated = source[source.index("def ") :]
    exec(compile(undecorated.replace(right, wrong), inspect.getfile(original), "exec"), original.__globals__, made)
    return made[original.__code__.co_name]


def _inner(code: Any, name: str) -> Any:
    """Return the code of a function inside of another one."""
    return next(part for part in code.co_consts if getattr(part, "co_name", "") == name)


def _first_entry(g: Any, shape: tuple[int, ...]) -> Any:
    """Take one entry along the axes where broadcasting repeated."""
    g = g[(0,) * max(len(g.shape) - len(shape), 0)]
    return g[tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)] if len(g.shape) == len(shape) else g


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


def main(argv: list[str] | None = None) -> int:
    """Grade a test suite from the command line; 0 if it caught every mutant, 1 if not, 2 if it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_hw.testing.mutants", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("tests", nargs="*", help="what to give to pytest: files, folders, node ids")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the mutants whose line in --list contains TEXT")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="how many to run at a time (1)")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    options, for_pytest = parser.parse_known_args(argv)
    catalogue = [mutant for mutant in mutants() if options.only in str(mutant)]
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
