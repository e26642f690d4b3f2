"""What to draw of a large graph: vertices are put together in groups until there are few enough.

First constants go into the operation that uses them. Then a body that repeats, such as the step of a recurrent network, is drawn once,
with the weights that all its times share beside it. Then modules become one group each, the deepest first, other leaves go into the
operations that use them, runs that repeat become one group (``matmul + tanh × 20``), and in the end only the groups nearest the output
are kept.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from .picture import shared_path
from .recorded import Path, Recorded, Vertex

__all__ = ["Group", "arranged", "common_name", "fold", "members_of", "merge_modules", "operands_of", "owners", "repeated", "repetitions"]

LONGEST_PERIOD = 64  # how many groups a body may have
LEAST_SAVED = 4  # groups that a repeated body must save
WORDS_IN_TITLE = 4
RUN = ("run",)  # the words of a run that was put into one group
MOST_USES = 6  # of a value by one body
LEAVES = ("constant", "input", "parameter")


class Group(NamedTuple):
    """Vertices that are drawn as one.

    Attributes
    ----------
    members : the vertices; the last of them gives the result.
    title : what it is called, "" for a single operation.
    path : the modules that it lies in.
    words : what it is made of, to tell whether two groups are alike.
    times : of a group in a repeated body, the vertex that gives the result in each repetition; else empty.
    run : the first vertex of the repeated body that it belongs to, or None.
    """

    members: tuple[int, ...]
    title: str = ""
    path: Path = ()
    words: tuple[str, ...] = ()
    times: tuple[int, ...] = ()
    run: int | None = None


def fold(
    recorded: Recorded, most: int, depth: int | None = None, cut: int | None = None, longest: int | None = None
) -> tuple[list[Group], int]:
    """Return at most ``most`` groups, in order, and how many vertices are in none of them.

    Modules at a ``depth`` are one group each, even where there is room. Where some groups are left out, at most ``cut`` are kept; where
    more than ``longest`` would lie one behind the other, further modules are closed and repeated bodies drawn once.
    """
    fitting: list[Group] = []
    groups: list[Group] = []
    for groups in ever_coarser(recorded, most, depth):
        if len(groups) <= most and not (fitting and any(group.words == RUN for group in groups)):
            if longest is None or longest_path(recorded.vertices, groups) <= longest:
                return groups, 0
            fitting = fitting or groups
    if fitting:
        return fitting, 0
    kept = nearest(recorded.vertices, recorded.outputs, groups, min(most, cut or most) - 1)
    return kept, len(recorded.vertices) - sum(len(group.members) for group in kept)


def owners(groups: Sequence[Group]) -> dict[int, int]:
    """Return for each vertex the position of the group that it is in."""
    return {member: i for i, group in enumerate(groups) for member in group.members}


def operands_of(vertices: Sequence[Vertex], *groups: Group) -> list[int]:
    """Return the operands of groups, one for each use."""
    return [operand for group in groups for member in group.members for operand in vertices[member].operands]


def longest_path(vertices: Sequence[Vertex], groups: Sequence[Group]) -> int:
    """Return how many groups the longest chain of operands has."""
    owner = owners(groups)
    lengths: list[int] = []
    for i, group in enumerate(groups):
        lengths.append(1 + max([lengths[owner[operand]] for operand in operands_of(vertices, group) if owner[operand] < i], default=0))
    return max(lengths, default=0)


def ever_coarser(recorded: Recorded, most: int, depth: int | None) -> Iterator[list[Group]]:
    """Yield ways to group the vertices, each coarser than the one before; all but the last only if their results fit."""
    vertices = recorded.vertices
    groups = results = [Group((i,), "", vertex.path, (vertex.operation,)) for i, vertex in enumerate(vertices) if vertex.operation]
    deepest = max([len(vertex.path) for vertex in vertices], default=0)
    levels = [*([] if depth and deepest else [0]), *range(min(depth or deepest, deepest), 0, -1)]
    if depth is None and len(results) <= most:
        yield arranged(recorded, results, ())
    for kinds in (("constant",), LEAVES):
        for level in levels:
            groups = merge_modules(results, level) if level else results
            for ways in (groups, repeated_once(vertices, groups)):
                if len(ways) <= most:
                    yield arranged(recorded, ways, kinds)
    yield arranged(recorded, merge_repeats(vertices, groups), LEAVES)


# Leaves
def arranged(recorded: Recorded, groups: Sequence[Group], merged: Sequence[str]) -> list[Group]:
    """Return groups of results with the leaves, in the order of creation.

    A leaf of the kinds to be merged goes into the first group that uses it, and so does a parameter that only a closed group uses;
    leaves of which each repetition of a body has its own are one group; any other leaf is a group of its own.
    """
    vertices = recorded.vertices
    carried: dict[int, list[int]] = {}
    repeated_leaves: dict[tuple[Any, ...], list[int]] = {}
    found: list[Group] = []
    for leaf, uses in uses_of_leaves(vertices, groups).items():
        users = sorted({i for i, _ in uses})
        closed = len(users) == 1 and bool(groups[users[0]].title) and vertices[leaf].kind != "input"
        if uses and leaf not in recorded.outputs and (vertices[leaf].kind in merged or closed):
            carried.setdefault(uses[0][0], []).append(leaf)
        elif uses and in_one_repetition(groups, uses):
            repeated_leaves.setdefault((vertices[leaf].kind, *users), []).append(leaf)
        else:
            found.append(group_of(vertices, leaf))
    for (_, user, *_), leaves in repeated_leaves.items():
        if len(leaves) >= len(groups[user].times):
            found.append(Group(tuple(leaves), "", groups[user].path, (), tuple(leaves), groups[user].run))
        else:
            found += [group_of(vertices, leaf) for leaf in leaves]
    found += [group._replace(members=(*carried.get(i, ()), *group.members)) for i, group in enumerate(groups)]
    return sorted(found, key=lambda group: group.members[-1])


def uses_of_leaves(vertices: Sequence[Vertex], groups: Sequence[Group]) -> dict[int, list[tuple[int, int]]]:
    """Return for each leaf the groups that use it, each with the repetition in which it does."""
    uses: dict[int, list[tuple[int, int]]] = {i: [] for i, vertex in enumerate(vertices) if not vertex.operation}
    for i, group in enumerate(groups):
        repetition = repetitions(group)
        for member in group.members:
            for operand in vertices[member].operands:
                if operand in uses:
                    uses[operand].append((i, repetition.get(member, 0)))
    return uses


def in_one_repetition(groups: Sequence[Group], uses: Sequence[tuple[int, int]]) -> bool:
    """Tell whether all uses are in one repetition of one body."""
    runs = {groups[i].run for i, _ in uses}
    return len(runs) == 1 and None not in runs and len({repetition for _, repetition in uses}) == 1


def members_of(groups: Iterable[Group]) -> tuple[int, ...]:
    """Return the vertices of groups, in order."""
    return tuple([member for group in groups for member in group.members])


def group_of(vertices: Sequence[Vertex], i: int) -> Group:
    return Group((i,), "", vertices[i].path)


def repetitions(group: Group) -> dict[int, int]:
    """Return for each vertex of a repeated group the repetition that it belongs to."""
    return {member: bisect_left(group.times, member) for member in group.members} if group.times else {}


# Modules
def merge_modules(results: Sequence[Group], level: int) -> list[Group]:
    """Put stretches of results of one module at this depth into one group."""
    merged: list[Group] = []
    for within, stretch in groupby(results, lambda group: group.path[:level] if len(group.path) >= level else None):
        groups = list(stretch)
        if within is None or len(groups) == 1:
            merged += groups
            continue
        *outer, path = within
        merged.append(Group(members_of(groups), path, tuple(outer), (pattern(path), *[word for group in groups for word in group.words])))
    return merged


def pattern(path: str) -> str:
    """Return a module's path with a star for each number, so that modules of one kind have the same."""
    return re.sub(r" \(\d+\)|\d+", lambda match: "" if match[0][0] == " " else "*", path)


def common_name(names: Sequence[str]) -> str:
    """Return names that differ in numbers as one, with a star for each number that differs; the first where they differ otherwise."""
    pieces = [re.split(r"(\d+)", name) for name in names]
    if len({len(parts) for parts in pieces}) > 1:
        return names[0]
    return "".join([parts[0] if len(set(parts)) == 1 else "*" for parts in zip(*pieces)])


# Repetition
def repeated(vertices: Sequence[Vertex], groups: Sequence[Group], least: int) -> Iterator[list[Sequence[Group]]]:
    """Yield the groups in order, as repetitions of a body if that saves at least so many groups; one alone is repeated once."""
    runs, i = runs_of(vertices, groups, least), 0
    while i < len(groups):
        period, times = runs.get(i, (1, 1))
        yield [groups[i + k * period : i + (k + 1) * period] for k in range(times)]
        i += period * times


def repeated_once(vertices: Sequence[Vertex], results: Sequence[Group]) -> list[Group]:
    """Draw a repeated body once: each of its groups stands for all repetitions."""
    found: list[Group] = []
    for bodies in repeated(vertices, results, LEAST_SAVED):
        times = len(bodies)
        if times == 1:
            found += bodies[0]
            continue
        first, last = (vertices[bodies[j][-1].members[-1]].name for j in (0, -1))
        for same in zip(*bodies):
            path = stacked_path([group.path for group in same], f"{first} … {last} × {times}", times)
            title = f"{common_name([group.title for group in same])} × {times}" if same[0].title else ""
            ends = tuple([group.members[-1] for group in same])
            found.append(Group(members_of(same), title, path, same[0].words, ends, bodies[0][0].members[-1]))
    return found


def stacked_path(paths: Sequence[Path], frame: str, times: int) -> Path:
    """Return the modules that a group lies in in all repetitions, with stars for numbers that differ, and the number of repetitions."""
    path = [common_name(levels) for levels in zip(*paths)]
    differs = next((i for i, levels in enumerate(zip(*paths)) if len(set(levels)) > 1), None)
    if differs is None:
        return (*path, frame)
    return (*path[:differs], f"{path[differs]} × {times}", *path[differs + 1 :])


def merge_repeats(vertices: Sequence[Vertex], results: Sequence[Group]) -> list[Group]:
    """Put runs in which the same body repeats into one group each."""
    merged: list[Group] = []
    for bodies in repeated(vertices, results, 1):
        run = [group for body in bodies for group in body]
        title, path = f"{title_of(bodies[0])} × {len(bodies)}", shared_path(group.path for group in run)
        merged.append(Group(members_of(run), title, path, RUN) if len(bodies) > 1 else run[0])
    return merged


def runs_of(vertices: Sequence[Vertex], groups: Sequence[Group], least: int) -> dict[int, tuple[int, int]]:
    """Return where repeated bodies begin, with their length and number of repetitions, if that saves at least so many groups."""
    owner = owners(groups)
    work, wiring = work_and_wiring(vertices, groups, owner)
    candidates: list[tuple[int, int, int, int]] = []
    for period in range(1, min(LONGEST_PERIOD, len(groups) // 2) + 1):
        same = np.concatenate(([False], wiring[period:] == wiring[:-period], [False]))
        starts, ends = np.flatnonzero(same[1:] & ~same[:-1]), np.flatnonzero(same[:-1] & ~same[1:])
        saved = period * ((ends - starts) // period)
        often = saved >= max(least, period)
        spans = np.stack([-saved, starts, ends + period], axis=1)[often].tolist()
        candidates += [(less, period, start, end) for less, start, end in spans]
    taken = np.zeros(len(groups), bool)
    runs = {}
    for _, period, start, end in sorted(candidates):
        if taken[start:end].any():
            continue
        before = start
        while before > max(0, start - period) and work[before - 1] == work[before - 1 + period] and not taken[before - 1]:
            before -= 1
        times = (end - before) // period
        start = min(range(before, end - times * period + 1), key=lambda at: preference(vertices, groups, owner, at, period))
        taken[start : start + period * times] = True
        runs[start] = period, times
    return runs


def preference(vertices: Sequence[Vertex], groups: Sequence[Group], owner: dict[int, int], start: int, period: int) -> tuple[int, int, int]:
    """Return what a start of a body is chosen by: few values passed on between repetitions, then a deep module, then an early start."""
    following = groups[start + period : start + 2 * period]
    passed_on = sum(start <= owner.get(operand, -1) < start + period for operand in set(operands_of(vertices, *following)))
    return passed_on, -len(shared_path(group.path for group in following)), start


def work_and_wiring(vertices: Sequence[Vertex], groups: Sequence[Group], owner: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return two numbers for each group: equal first ones mean the same work, equal second ones also operands equally far back.

    The group just before does not count, since the first body of a chain takes a leaf in its place. A value with many uses belongs to no
    body, so it must be the same value for each.
    """
    uses = Counter(operands_of(vertices, *groups))
    numbers: dict[Any, int] = {}
    work, wiring = np.empty(len(groups), int), np.empty(len(groups), int)
    for i, group in enumerate(groups):
        used = [operand for operand in operands_of(vertices, group) if vertices[operand].operation]
        back = {operand: min(i - owner.get(operand, i), LONGEST_PERIOD + 1) for operand in used}
        far = [-operand if uses[operand] > MOST_USES else back[operand] for operand in used if back[operand] > 1]
        done = group.words, np.shape(vertices[group.members[-1]].value)
        work[i] = numbers.setdefault(done, len(numbers))
        wiring[i] = numbers.setdefault((done, tuple(far)), len(numbers))
    return work, wiring


def title_of(groups: Sequence[Group]) -> str:
    """Return what a repeated body does."""
    words = [group.words[0] for group in groups]
    more = [f"… {len(words) - WORDS_IN_TITLE} more"] if len(words) > WORDS_IN_TITLE else []
    return " + ".join(words[:WORDS_IN_TITLE] + more)


def nearest(vertices: Sequence[Vertex], outputs: Sequence[int], groups: Sequence[Group], most: int) -> list[Group]:
    """Return the groups that are the fewest steps away from an output."""
    owner = owners(groups)
    found = dict.fromkeys(owner[output] for output in outputs)
    ring = list(found)
    while ring and len(found) < most:
        operands = operands_of(vertices, *[groups[i] for i in ring])
        ahead = dict.fromkeys(owner[operand] for operand in operands if owner[operand] not in found)
        ring = sorted(ahead, reverse=True)
        found.update(ahead)
    return [groups[i] for i in sorted(list(found)[:most])]
