"""Loops of equal steps: ``scan`` carries something on from step to step, and stacks what each step gives.

    >>> import numpy as np
    >>> scan(lambda total, x: (total + x, total), 0.0, np.array([1.0, 2.0, 3.0]))
    (np.float64(6.0), array([0., 1., 3.]))

Called outside of ``compile``, it runs the loop and records every step. While ``compile`` records a program, one step is recorded, and
the loop is one node of the graph: its VJP is such a loop, too, in the reverse order, over what was carried into each step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from operator import index
from typing import Any

import numpy as np

from .backward import arrays, sweep, values
from .batching import Batched, activated, active_levels
from .errors import CompileError, ShapeError
from .graph import Node, by_number, leaf, next_number
from .rules import Each, Rule
from .rules.table import stands_in
from .tensor import Tensor, always_recording, array_to_keep, as_numbers, handle, is_recording, no_grad, plain_leaf, result, tensors
from .transforms import JointVJPs, cotangents_of, earlier_nodes, isolated, name_of, seeds_of, zeros_like
from .trees import leaves, mapped, paths, rebuilt, skeleton

__all__ = ["Step", "loop_recorder", "scan"]

Step = Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]]  # the carry, and a row of each x -> the new carry, and ys
loop_recorder: ContextVar[Any] = ContextVar("loop_recorder", default=None)  # what records a loop as one call, while a program is recorded


def scan(f: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any = None, length: int | None = None) -> tuple[Any, Any]:
    """Do equal steps one after the other, each with what the one before carries on and with its own part of xs.

    Parameters
    ----------
    f : callable
        The step: ``f(carry, x)`` returns a pair, the new carry and what to stack. The new carry has the structure, shapes and dtypes
        of the old one.
    carry : array, scalar, or nested tuple, list or dict of them
        What the first step gets.
    xs : array, or nested tuple, list or dict of them, optional
        Of one length along the first axis: step i gets the i-th row of each. None: every step gets None.
    length : int, optional
        The number of steps; needed if there are no xs.

    Returns
    -------
    carry : what the last step carried on
    ys : what the steps gave, stacked along a new first axis, in the structure in which they gave it

    Raises
    ------
    ShapeError
        If xs have different lengths, or none and no length is given; if a step's carry or its y differs in structure, shape or dtype.

    Notes
    -----
    ``for i in range(n): carry, y[i] = f(carry, xs[i])``, as JAX's ``lax.scan``; it is differentiated as this loop is, to any order.

    Inside ``compile`` one step is recorded, and the plan runs it n times: the program stays as short as the step. Kept for the sweep
    is what was carried into each step, n times the carry, and nothing else: the sweep computes each step again, from the last to
    the first. So f must do the same at each step: what it draws, counts or collects elsewhere is refused.

    Examples
    --------
    Euler's method for dz/dt = -z, ten steps of 0.1:

    >>> import numpy as np
    >>> from tinygrad_hw import scan
    >>> z, path = scan(lambda z, _: (z - 0.1 * z, z), np.array([1.0]), length=10)
    >>> path.shape, z.round(6)
    ((10, 1), array([0.348678]))
    """
    count = length_of(xs, length)
    carry, xs = mapped(isolated, mapped(as_array, (carry, xs)))
    shape: list[Any] = []  # the structure of what a step gives, once one has been done

    def step(cs: list[Any], rows: list[Any]) -> tuple[list[Any], list[Any]]:
        before = rebuilt(carry, cs)
        out = f(before, rebuilt(xs, rows))
        if not isinstance(out, tuple) or len(out) != 2:
            raise ShapeError(f"scan: {name_of(f)} must return a pair, the new carry and what to stack (None for nothing)")
        require_alike(f"the carry of {name_of(f)}", before, out[0], "went in", "came out")
        ys = mapped(as_array, out[1])
        if not shape:
            shape.append(ys)
        require_alike(f"what {name_of(f)} gives to stack", shape[0], ys, "at first was", "later is")
        return leaves(mapped(as_array, out[0])), leaves(ys)

    if not count:
        return carry, empty_stacks(step, leaves(carry), leaves(xs), shape)
    last, stacks = loop(step, leaves(carry), leaves(xs), count, False)
    return rebuilt(carry, last), rebuilt(shape[0], stacks)


def length_of(xs: Any, length: int | None) -> int:
    if length is not None and (isinstance(length, bool) or not hasattr(length, "__index__") or index(length) < 0):
        raise ShapeError(f"scan: length is the number of steps, not {length!r}")
    counts: dict[str, int] = {}
    for path, x in zip(paths(xs), leaves(xs)):
        if not np.shape(x):
            raise ShapeError(f"scan: xs{path} is one number, and has no rows to take one step after the other")
        counts[f"xs{path} has"] = np.shape(x)[0]
    if length is not None:
        counts["length is"] = index(length)
    if not counts:
        raise ShapeError("scan: without xs the number of steps is not known: give length")
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{what} {n}" for what, n in counts.items())
        raise ShapeError(f"scan: all xs must have as many rows as there are steps: {found}")
    return int(next(iter(counts.values())))


def as_array(x: Any) -> Any:
    return x if stands_in(x) or isinstance(x, (np.ndarray, np.generic)) else as_numbers(x)


def require_alike(what: str, before: Any, after: Any, then: str, now: str) -> None:
    if skeleton(before) != skeleton(after):
        raise ShapeError(f"scan: {what} must keep its structure: it {then} as {skeleton(before)} and {now} as {skeleton(after)}")
    for path, x, y in zip(paths(before), leaves(before), leaves(mapped(as_array, after))):
        if (x.shape, x.dtype) != (y.shape, y.dtype):
            raise ShapeError(
                f"scan: {what} must keep its shape and dtype: {path or 'it'} {then} {x.dtype} of shape {x.shape}, and {now} {y.dtype} of "
                f"shape {y.shape}"
            )


def empty_stacks(step: Step, carry: list[Any], xs: list[Any], shape: list[Any]) -> Any:
    """Return the ys of no steps; a step on zeros gives their shapes."""
    with no_grad(), np.errstate(all="ignore"):
        step(carry, [np.zeros(x.shape[1:], x.dtype) for x in xs])
    return mapped(lambda y: np.zeros((0, *y.shape), y.dtype), shape[0])


def loop(step: Step, carry: list[Any], xs: list[Any], count: int, backwards: bool) -> tuple[list[Any], list[Any]]:
    """Return the last carry, and the ys of all steps stacked: recorded as one node if possible, else step by step."""
    tape = loop_recorder.get()
    if tape is not None and count > 1 and not active_levels.get():
        whole = recorded_as_one_node(tape, step, carry, xs, count, backwards)
        if whole is not None:
            return whole
    rows = []
    for i in reversed(range(count)) if backwards else range(count):
        carry, ys = step(carry, [x[i] for x in xs])
        rows.append([snapshot(y) for y in ys])
    return carry, [np.stack(column) for column in zip(*(reversed(rows) if backwards else rows))]


def snapshot(y: Any) -> Any:
    """Return y so that later writes to it do not change what is returned."""
    if isinstance(y, Tensor) and y.requires_grad:
        array_to_keep(y._node)
    return isolated(y)


# A loop as one node
def recorded_as_one_node(tape: Any, step: Step, carry: list[Any], xs: list[Any], count: int, backwards: bool) -> Any:
    """Return the same as ``loop``, with one step recorded and the loop as one node; None if the steps cannot be shown to be equal."""
    records = bool(is_recording())
    given = [x if isinstance(x, Tensor) else plain_leaf(x) for x in (*carry, *xs)]

    def body(stand_ins: list[Any]) -> tuple[list[Any], Any]:
        inputs = [differentiable_input(x)._node if records else leaf(x) for x in stand_ins]
        nodes, since = step_on_nodes(step, inputs, len(carry))
        nodes += inputs[: len(carry)]
        return [node.value for node in nodes], sorted(earlier_nodes(nodes, since) - {*inputs}, key=by_number)

    recorded = tape.loop(body, [x._node.value for x in given], len(carry), count, backwards)
    if recorded is None:
        return None
    outs, used = recorded
    parents = [x._node if x.requires_grad else None for x in given] + used
    if not records or not any(parents):
        results = [plain_leaf(y) for y in outs]
    else:
        vjps = Each(LoopVJPs(step, outs, (len(carry), len(xs)), used, count, backwards))
        row, operands = Rule(scan, vjps, scan, "dense"), tuple(map(array_to_keep, [*(x._node for x in given), *used]))
        whole = result(np.empty(0), row, operands, tuple(parents), [vjps[i] if p is not None else None for i, p in enumerate(parents)])
        results = [result_of_loop(whole._node, i, y) for i, y in enumerate(outs)]
    return results[: len(carry)], results[len(carry) : len(outs) - len(carry)]


def step_on_nodes(step: Step, inputs: list[Node], carried: int) -> tuple[list[Node], int]:
    """Do a step on nodes, the first of which are the carry; return the nodes of its results, and the number of the first new node."""
    since = next_number()
    carry, ys = step([*map(handle, inputs[:carried])], [*map(handle, inputs[carried:])])
    return [y._node if isinstance(y, Tensor) else leaf(y) for y in (*carry, *ys)], since


def result_of_loop(whole: Node, i: int, value: Any) -> Tensor:
    if value.dtype.kind not in "fc":
        return plain_leaf(value)
    return result(value, PART, (whole.value,), (whole,), (partial(bundled, i),))


def bundled(i: int, g: Any, *_: Any) -> Bundle:
    """Return the cotangent of a loop from that of its i-th result."""
    return Bundle({i: g})


PART = Rule(bundled, (), lambda whole: whole, "dense")


class Bundle:
    """The cotangents of a loop's results, by number: the sweep adds them up as the one cotangent of the loop."""

    shape, dtype = (0,), np.dtype(float)

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: Bundle) -> Bundle:
        both = self.parts.keys() & other.parts.keys()
        return Bundle({**self.parts, **other.parts, **{i: self.parts[i] + other.parts[i] for i in both}})

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise CompileError(
            "a derivative inside scan is not finite, and np.where leaves out some of scan's results: a compiled loop cannot tell what of "
            "them is used; choose inside the step, or before the loop"
        )


class LoopVJPs(JointVJPs):
    """The VJPs of a loop: a loop over the same steps in the reverse order, which computes each step again and sweeps it.

    What it carries is the cotangent of the carry, and the sum of those of the older tensors that the step uses.
    """

    def __init__(self, step: Step, outs: list[Any], counts: tuple[int, int], used: list[Node], count: int, backwards: bool) -> None:
        super().__init__(sum(counts) + len(used))
        self.step, self.outs, self.used, self.length, self.backwards = step, outs, used, count, backwards
        self.carried, self.rows = counts
        self.stacked = len(outs) - 2 * self.carried
        self.floating = [i for i in range(self.carried) if outs[i].dtype.kind in "fc"]

    def cotangents(self, g: Any, out: Any, operands: tuple[Any, ...]) -> list[Any]:
        """Return the cotangents of the first carry, of xs, and of the tensors used from outside.

        The loop back carries the cotangents of the carry's floating parts, and the sums for the tensors used. Its rows are what was
        carried into each step, the rows of xs, and the cotangents of ys.
        """
        as_tensors, carried, rows, floating = isinstance(out, Tensor), self.carried, self.rows, self.floating
        recorded = as_tensors or any(isinstance(c, (Tensor, Batched)) for c in g.parts.values())
        plain = lambda parts: list(parts if recorded else map(values, parts))
        carried_in = self.outs[carried + self.stacked :]
        if as_tensors:
            carried_in = [result_of_loop(out._node, carried + self.stacked + i, x) for i, x in enumerate(carried_in)]
        ys = sorted(i for i in g.parts if i >= carried)
        xs = operands[carried : carried + rows]

        def step_back(cs: list[Any], parts: list[Any]) -> tuple[list[Any], list[Any]]:
            cs, parts = plain(cs), plain(parts)
            inputs = [differentiable_input(x)._node for x in parts[: carried + rows]]
            swept = self.swept(inputs, dict(zip([*ys, *floating], [*parts[carried + rows :], *cs])), as_tensors)
            of_inputs = cotangents_of(inputs, swept)
            sums = [a + swept[node] if node in swept else a for a, node in zip(cs[len(floating) :], self.used)]
            return [of_inputs[i] for i in floating] + sums, of_inputs[carried:]

        first = [g.parts[i] if i in g.parts else zeros_like(self.outs[i]) for i in floating] + [zeros_like(x.value) for x in self.used]
        last, of_xs = loop(step_back, first, [*carried_in, *xs, *(g.parts[i] for i in ys)], self.length, not self.backwards)
        last, of_xs = plain(last), plain(of_xs)
        of_carry = dict(zip(floating, last))
        return [of_carry.get(i, 0.0) for i in range(carried)] + of_xs + last[len(floating) :]

    def swept(self, inputs: list[Node], arrived: dict[int, Any], as_tensors: bool) -> dict[Node, Any]:
        """Do a step, and sweep back from its results; return the cotangents."""
        with always_recording(), activated(()):  # (a sweep may carry a batch of cotangents: the step is done without it, as at first)
            results, since = step_on_nodes(self.step, inputs, self.carried)
        results += inputs
        return sweep(seeds_of([results[i] for i in arrived], arrived.values()), tensors if as_tensors else arrays, since)


def differentiable_input(x: Any) -> Tensor:
    """Return a tensor that can be written to, and through which a gradient flows if its dtype has one."""
    if isinstance(x, Tensor) and x.requires_grad:
        return x
    value = values(x)
    return +handle(leaf(value, True)) if value.dtype.kind in "fc" else handle(leaf(value))
