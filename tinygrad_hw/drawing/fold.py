"""What to draw of a large graph: vertices are put together in groups until there are few enough.

First constants and leaves go into the operation that uses them, then modules become one group each, the deepest first, and runs
that repeat become one group (``Linear + relu ×2000``), and at last only the groups nearest the output are kept. A
group of results is always a stretch of the order of creation, so groups never form a circle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .picture import shared_path
from .recorded import Recorded, Vertex

__all__ = ["Group", "fold"]

LONGEST_PERIOD = 64  # how many groups a repeated run may have
WORDS_IN_TITLE = 4


class Group(NamedTuple):
    """Vertices that are drawn as one: the last of them gives the result; ``title`` is "" for a single operation."""

    members: tuple[int, ...]
    title: str = ""
    path: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # what it is made of, to tell whether two groups are alike


def fold(recorded: Recorded, most: int, depth: int | None = None, cut: int | None = None) -> tuple[list[Group], int]:
    """Return at most ``most`` groups, in order, and how many vertices are in none of them.

    Parameters
    ----------
    recorded : the graph.
    most : how many groups there may be.
    depth : draw modules at this depth as one group each, even where there is room.
    cut : how many groups there may be where some are left out; by default as many.
    """
    vertices, outputs = recorded.vertices, recorded.outputs
    results = sum(bool(vertex.operation) for vertex in vertices)
    for groups in ever_coarser(recorded, depth, details=results <= most):
        if len(groups) <= most:
            return groups, 0
    kept = nearest(vertices, outputs, groups, min(most, cut or most) - 1)
    return kept, len(vertices) - sum(len(group.members) for group in kept)


def ever_coarser(recorded: Recorded, depth: int | None, details: bool) -> Iterator[list[Group]]:
    """Yield ways to group the vertices, each with fewer groups than the one before; those that show leaves only with details."""
    vertices = recorded.vertices
    if depth is None and details:
        yield merge_leaves(recorded, ())
        yield merge_leaves(recorded, ("constant",))
    groups = merge_leaves(recorded, ("constant", "input", "parameter"))
    deepest = max([len(vertex.path) for vertex in vertices], default=0)
    if depth is None:
        yield groups
    else:
        deepest = min(depth, deepest)
    for level in range(deepest, 0, -1):
        collapsed = merge_modules(vertices, groups, level)
        yield collapsed
        yield merge_repeats(vertices, collapsed)
    if deepest == 0:
        yield merge_repeats(vertices, groups)


def merge_leaves(recorded: Recorded, kinds: Sequence[str]) -> list[Group]:
    """Return a group for each vertex, with each leaf of these kinds in the group of the first result that uses it; an output stays."""
    carried: dict[int, list[int]] = {}
    merged: set[int] = set()
    if kinds:
        for i, vertex in enumerate(recorded.vertices):
            for operand in vertex.operands:
                if recorded.vertices[operand].kind in kinds and operand not in merged and operand not in recorded.outputs:
                    merged.add(operand)
                    carried.setdefault(i, []).append(operand)
    return [
        Group((*carried[i], i) if i in carried else (i,), "", vertex.path, (vertex.operation or vertex.kind,))
        for i, vertex in enumerate(recorded.vertices)
        if i not in merged
    ]


def merge_modules(vertices: Sequence[Vertex], groups: Sequence[Group], level: int) -> list[Group]:
    """Put stretches of results of one module at this depth into one group."""
    merged: list[Group] = []
    stretch: list[Group] = []

    def close() -> None:
        if len(stretch) > 1:
            *outer, path = stretch[0].path[:level]
            words = (
                re.sub(r" \(\d+\)|\d+", lambda match: "" if match[0][0] == " " else "*", path),
                *[word for group in stretch for word in group.words],
            )
            merged.append(Group(joined(stretch), path, tuple(outer), words))
        else:
            merged.extend(stretch)
        stretch.clear()

    for group in groups:
        inside = len(group.path) >= level and bool(vertices[group.members[-1]].operation)
        if stretch and not (inside and group.path[:level] == stretch[0].path[:level]):
            close()
        if inside:
            stretch.append(group)
        else:
            merged.append(group)
    close()
    return merged


def joined(groups: Sequence[Group]) -> tuple[int, ...]:
    """Return the members of several groups, the last result last."""
    return tuple([member for group in groups for member in group.members])


def merge_repeats(vertices: Sequence[Vertex], groups: Sequence[Group]) -> list[Group]:
    """Put runs in which the same stretch of groups repeats into one group each, those that save most first."""
    likeness = alike(vertices, groups)
    candidates: list[tuple[int, int, int, int]] = []
    for period in range(1, min(LONGEST_PERIOD, len(groups) // 2) + 1):
        same = np.concatenate(([False], likeness[period:] == likeness[:-period], [False]))
        starts, ends = np.flatnonzero(same[1:] & ~same[:-1]), np.flatnonzero(same[:-1] & ~same[1:])
        times = (ends - starts) // period + 1
        often = times > 1
        candidates += [(-period * (n - 1), period, start, n) for start, n in zip(starts[often].tolist(), times[often].tolist())]
    taken = np.zeros(len(groups), bool)
    runs = {}
    for _, period, start, times_over in sorted(candidates):
        if not taken[start : start + period * times_over].any():
            taken[start : start + period * times_over] = True
            runs[start] = period, times_over
    merged, i = [], 0
    while i < len(groups):
        if i in runs:
            period, times_over = runs[i]
            run = groups[i : i + period * times_over]
            merged.append(Group(joined(run), f"{summary(run[:period])} ×{times_over}", shared_path(group.path for group in run), ("run",)))
            i += period * times_over
        else:
            merged.append(groups[i])
            i += 1
    return merged


def alike(vertices: Sequence[Vertex], groups: Sequence[Group]) -> np.ndarray:
    """Return a number for each group; equal ones do the same with operands that lie equally far back, the one before not counted."""
    owner = {group.members[-1]: i for i, group in enumerate(groups)}
    numbers: dict[tuple[object, ...], int] = {}
    likeness = np.empty(len(groups), int)
    for i, group in enumerate(groups):
        far = []
        for member in group.members:
            for operand in vertices[member].operands:
                back = i - owner.get(operand, i)
                if back > 1 and vertices[operand].operation:
                    far.append(min(back, LONGEST_PERIOD + 1))
        likeness[i] = numbers.setdefault((group.words, tuple(far)), len(numbers))
    return likeness


def summary(groups: Sequence[Group]) -> str:
    """Return what one turn of a repeated run does."""
    words = [group.words[0] for group in groups]
    more = [f"… {len(words) - WORDS_IN_TITLE} more"] if len(words) > WORDS_IN_TITLE else []
    return " + ".join(words[:WORDS_IN_TITLE] + more)


def nearest(vertices: Sequence[Vertex], outputs: Sequence[int], groups: Sequence[Group], most: int) -> list[Group]:
    """Return the groups that are the fewest steps away from an output."""
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    found = dict.fromkeys(owner[output] for output in outputs)
    ring = list(found)
    while ring and len(found) < most:
        ahead = dict.fromkeys(
            owner[operand]
            for i in ring
            for member in groups[i].members
            for operand in vertices[member].operands
            if owner[operand] not in found
        )
        ring = sorted(ahead, reverse=True)
        found.update(ahead)
    return [groups[i] for i in sorted(list(found)[:most])]
