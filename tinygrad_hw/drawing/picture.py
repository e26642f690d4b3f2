"""A drawing as plain frozen data: boxes, arrows, and what is not drawn. Every writer reads this and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Arrow", "Box", "Picture", "shared_path"]

KINDS = {
    "input": "input: needs no gradient",
    "parameter": "parameter: its gradient is wanted",
    "constant": "constant",
    "result": "result of an operation",
    "output": "output",
    "loss": "loss: backward starts here",
    "outside": "computed outside of this module",
    "folded": "several operations drawn as one",
    "omitted": "operations that are not drawn",
}


@dataclass(frozen=True)
class Box:
    """One vertex, or several that are drawn as one.

    Attributes
    ----------
    kind : one of ``KINDS``.
    name, operation, shape, dtype : what it is called, the function that made it ("" if nothing did), what it holds.
    formula : the operation with the names of its operands, ``x @ W₁``.
    value, gradient : a few figures of its entries, "" where they were not asked for or there are none.
    path : the modules that it lies in, from the outside in.
    count : how many vertices of the recorded graph it stands for.
    about : of several operations drawn as one, how many they are, their parameters and their memory.
    faded : whether something else is highlighted.
    """

    kind: str
    name: str
    operation: str = ""
    formula: str = ""
    shape: tuple[int, ...] | None = None
    dtype: str = ""
    value: str = ""
    gradient: str = ""
    path: tuple[str, ...] = ()
    count: int = 1
    about: str = ""
    faded: bool = False


@dataclass(frozen=True)
class Arrow:
    """One use of a box by another.

    Attributes
    ----------
    tail, head : the positions of the boxes, from the operand to the result.
    note : what happens on the way: ``(4,) → (5, 4)`` where broadcasting repeats it, ``×3`` for several uses drawn as one.
    broadcast : whether broadcasting repeats it.
    gradient : whether a gradient flows back along it.
    to_next : whether it leads to the next of the times that a body is repeated.
    highlighted : whether it lies on a path that is to be seen.
    """

    tail: int
    head: int
    note: str = ""
    broadcast: bool = False
    gradient: bool = True
    to_next: bool = False
    highlighted: bool = False


@dataclass(frozen=True)
class Picture:
    """Boxes in the order of creation, the arrows between them, and how much is drawn.

    Attributes
    ----------
    boxes, arrows : what is drawn.
    caption : what the drawing is of, and what it leaves out.
    total : how many vertices were recorded.
    omitted : how many of them are not drawn.
    legend : whether the kinds are explained beside the drawing.
    direction, theme : how it is laid out, and its colours; see ``draw``.
    """

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    caption: str
    total: int
    omitted: int
    legend: bool
    direction: str = "TB"
    theme: str = "light"


def shared_path(paths: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the modules that all of some paths lie in."""
    paths = list(paths)
    first, last = min(paths), max(paths)
    return first[: next((i for i, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))]
