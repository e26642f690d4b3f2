"""What is recorded: a node for each value, numbered in the order of creation, and the walk back over them.

A node knows how its value was made (``rule``, ``args``, ``kwargs``) and where a gradient flows to: for each
argument its node in ``parents``, or None where no gradient flows, and its rule in ``vjps``.
It holds arrays, never tensors, so a graph has no reference cycles and is freed with its last name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from operator import attrgetter
from typing import Any

__all__ = ["Edge", "Node", "history", "leaf", "reachable_results"]

Edge = tuple["Node", Callable[..., Any], int]

next_number: Callable[[], int] = count().__next__
by_number = attrgetter("number")

NOTHING: dict[Any, Any] = {}


class Node:
    """One value and how it was made.

    Attributes
    ----------
    value : the array (or NumPy scalar) itself.
    rule : the row of the table that made it, or None for a leaf.
    args, kwargs : what the row's function was called with; ``rule.call(*args, **kwargs)`` gives ``value`` again.
    parents : for each argument its node, or None where no gradient flows, up to the last that has one; empty for a leaf.
    vjps : for each argument the rule by which a gradient flows to its node.
    number : the number of creation; parents have smaller ones, so numbers are a topological order.
    requires_grad : whether a gradient flows to it.
    keeps_grad : whether the sweep reports its cotangent.
    """

    # What backward needs
    value: Any
    rule: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parents: tuple[Node | None, ...]
    vjps: Sequence[Any]
    number: int
    requires_grad: bool
    keeps_grad: bool

    # What else a node has
    mutable: Any  # true if the array may still be written to, so that a graph may have to copy it (``tensor.array_to_keep``)

    # Rare attributes. These are the defaults; setting one creates the instance's __dict__.
    inputs: dict[int, Node] = NOTHING  # the node of each Tensor argument by its number; empty if all of them require a gradient
    name: str | None = None
    grad: Any = None
    calls: tuple[tuple[int, str], ...] = ()  # the module calls that gave this, inner first: the number before each, its path
    line: str | None = None  # the line of the user's code that made it, inside ``detect_anomaly``

    __slots__ = (
        "__dict__", "__weakref__", "args", "keeps_grad", "kwargs", "mutable", "number", "parents", "requires_grad", "rule", "value",
        "vjps",
    )  # fmt: skip

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Return ``(parent, vjp, i)`` for each argument that a gradient flows to."""
        return tuple((p, v, i) for i, (p, v) in enumerate(zip(self.parents, self.vjps)) if p is not None)


def leaf(value: Any, requires_grad: bool = False, name: str | None = None) -> Node:
    """Return a node whose value was not computed from others."""
    node = Node()
    node.value = value
    node.rule = None
    node.args = node.parents = node.vjps = ()
    node.kwargs = NOTHING
    node.number = next_number()
    node.requires_grad = node.keeps_grad = requires_grad
    node.mutable = False
    if name is not None:
        node.name = name
    return node


def reachable_results(roots: Iterable[Node], since: int = 0) -> list[Node]:
    """Return all results that a gradient from the roots can reach, the newest first, without those older than ``since``."""
    found = [node for node in roots if node.parents and node.number >= since]
    seen = set(found)
    for node in found:  # (which grows during the loop)
        for parent in node.parents:
            if parent is not None and parent.parents and parent.number >= since and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=by_number, reverse=True)
    return found


def history(roots: Iterable[Node]) -> list[Node]:
    """Return all nodes that the roots were computed from, with leaves and the roots themselves, the oldest first; no recursion."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        node = stack.pop()
        for parent in node.inputs.values() or node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=by_number)
