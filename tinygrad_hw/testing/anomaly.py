"""Find where the first nan or infinity comes from.

    with tg.detect_anomaly():
        loss = model(x)
        loss.backward()

raises at the operation, forward or backward, whose result is the first that is not finite, with its operands and the line
of your code that made it. Outside of ``with`` nothing is watched and nothing is paid: the functions that record and
that sweep are exchanged for watching ones only while some thread is inside.
"""

from __future__ import annotations

import linecache
import os
import sys
import threading
from contextvars import ContextVar
from typing import Any

import numpy as np

from .. import backward, operators, tensor, views
from ..backward import Step, values
from ..errors import TinygradError
from ..graph import Node
from ..live import Live
from ..scopes import Scope, detecting_anomalies, held_during_fork

__all__ = ["AnomalyError", "detect_anomaly"]

errors_before: ContextVar[Any] = ContextVar("errors_before", default=None)  # NumPy's settings, from before the outermost scope
changing = held_during_fork(threading.Lock())
inside = 0
PLACES = ((tensor, "result"), (operators, "result"), (views, "result"), (backward, "flow"))
original = {(module, name): getattr(module, name) for module, name in PLACES}
NOT_THE_USERS = tuple(os.path.dirname(str(module.__file__)) + os.sep for module in (tensor, np))


class AnomalyError(TinygradError, FloatingPointError):
    """A value or a cotangent that is not finite came up under ``detect_anomaly``.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> with tg.detect_anomaly():  # doctest: +ELLIPSIS
    ...     np.log(tg.Tensor([1.0, 0.0], requires_grad=True))
    Traceback (most recent call last):
    tinygrad_hw.testing.anomaly.AnomalyError: log gave -inf at (1,), in ...
    """


class detect_anomaly(Scope):
    """Raise at the first value that is not finite, forward or backward: a context manager and a decorator, for this thread and task alone.

    The error names the operation, its operands with their shapes, the entries at fault, and the line of code that made it. NumPy's
    own warnings about such values are silent inside.

    Parameters
    ----------
    function : callable, optional
        What to decorate, where it stands as ``@detect_anomaly`` without parentheses.

    Raises
    ------
    AnomalyError
        Inside, where a recorded operation gives nan or ±inf, or the sweep a cotangent that is nan or ±inf. An entry that a choice
        leaves unused (``np.where(x > 0, np.sqrt(x), 0)`` at 0) has no cotangent, and does not count.

    Notes
    -----
    Forward, what is recorded is watched: what depends on a tensor that requires a gradient.

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with detect_anomaly():  # doctest: +SKIP
    ...     np.log(x).sum().backward()
    AnomalyError: log gave -inf at (1,), in ...
    """

    setting, value = detecting_anomalies, True

    def __enter__(self) -> detect_anomaly:
        if not detecting_anomalies.get():
            errors_before.set(np.geterr())
            np.seterr(all="ignore")
        _exchange(+1)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        _exchange(-1)
        before = errors_before.get()
        if before is not None and not detecting_anomalies.get():
            np.seterr(**before)
            errors_before.set(None)


def _exchange(step: int) -> None:
    """Count the threads inside, and put the watching functions in place while there are some."""
    global inside
    with changing:
        inside += step
        for (module, name), function in original.items():
            setattr(module, name, watchers[name] if inside else function)


def _watched_result(value: Any, rule: Any, args: tuple[Any, ...], parents: tuple[Any, ...], *rest: Any) -> Any:
    """Record a result as ``tensor.result`` does, remember the line of the user's code, and raise unless the value is finite."""
    out = original[tensor, "result"](value, rule, args, parents, *rest)
    if detecting_anomalies.get():
        node = out._node
        node.line = _users_line()
        if not _finite(value):
            raise AnomalyError("\n".join([f"{rule.name} gave {_entries(value)}, in {node.line}", *_operands(node, _first(value))]))
    return out


def _watched_flow(
    cotangents: dict[Node, Any], waiting: Any, read: Any, since: int, trail: Any, owned: Any, pause: bool = False
) -> bool:  # fmt: skip
    """Carry cotangents as ``backward.flow`` does, and raise if what it gives is not finite and no choice excuses it."""
    carry, seeds, masks = original[backward, "flow"], dict(cotangents), isinstance(read, Live)
    paused = bool(carry(cotangents, waiting, read, since, trail, owned, pause))
    if detecting_anomalies.get() and (masks or (pause and not paused)) and not _all_finite(cotangents):
        steps: list[Step] = []
        plain = {node: values(g) for node, g in seeds.items()}
        again = backward.with_trail(backward.arrays, steps)
        carry(dict(plain), backward.initial_heap(plain, since), Live(again, backward.fit) if masks else again, since, steps, None)
        raise AnomalyError(_blame(plain, steps))
    return paused


def _blame(seeds: dict[Node, Any], steps: list[Step]) -> str:
    """Find the first step of the sweep that gave what is not finite, and word what it did."""
    if not _all_finite(seeds):
        return f"backward was given a cotangent with {_entries(next(g for g in seeds.values() if not _finite(g)))}"
    node, g, (parent, _, i), total = next(
        (node, g, edge, total) for node, g, added in steps for edge, (_, total) in zip(node.edges, added) if not _finite(total)
    )
    place = _first(total)
    line = node.line or "code that ran outside of detect_anomaly"
    what = f"backward of {node.rule.name}: the cotangent of {_called(parent, i)} has {_entries(total)}, in {line}"
    return "\n".join([what, *_operands(node, place), f"  incoming cotangent {np.shape(g)}: {_at(g, place)}"])


def _operands(node: Node, place: tuple[int, ...]) -> list[str]:
    """Return a line for each operand: its name, its shape, and its entries at fault."""
    nodes = {i: parent for parent, _, i in node.edges} | node.inputs
    arrays = [(i, x) for i, x in enumerate(node.args) if isinstance(x, (np.ndarray, np.generic))]
    return [f"  {_called(nodes.get(i), i)} {x.shape}: {_at(x, place)}" for i, x in arrays]


def _called(node: Node | None, i: int) -> str:
    """Return what to call an operand."""
    return node.name if node is not None and node.name else f"operand {i}"


def _at(x: Any, place: tuple[int, ...]) -> str:
    """Return the entry of an operand that met the place, where that is known, or the range of its entries."""
    if not _finite(x):
        return f"not finite already, {_entries(x)}"
    if np.ndim(x) == len(place) and all(i < n for i, n in zip(place, np.shape(x))):
        return f"{x[place]} there" if place else f"{x}"
    return f"{np.min(x)} ... {np.max(x)}" if np.size(x) else "empty"


def _entries(x: Any) -> str:
    """Return the entries that are not finite: the first three, and how many there are."""
    places = [tuple(map(int, place)) for place in np.argwhere(~np.isfinite(x))]
    if np.ndim(x) == 0:
        return str(x)
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(f"{x[place]} at {place}" for place in places[:3]) + more


def _first(x: Any) -> tuple[int, ...]:
    """Return the place of the first entry that is not finite."""
    return tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0]) if np.ndim(x) and not _finite(x) else ()


def _finite(x: Any) -> bool:
    return bool(np.isfinite(values(x)).all())


def _all_finite(cotangents: dict[Node, Any]) -> bool:
    return all(map(_finite, cotangents.values()))


def _users_line() -> str:
    """Return the innermost line of the stack that is neither this package's nor NumPy's: file, number and text."""
    frame: Any = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename.startswith(NOT_THE_USERS):
        frame = frame.f_back
    file, line = frame.f_code.co_filename, frame.f_lineno
    return f"{file}:{line}: {linecache.getline(file, line).strip()}"


watchers = {"result": _watched_result, "flow": _watched_flow}
