"""The pictures of a page: the whole graph and, where modules are closed in it, what is inside each.

A picture that can be stepped through draws each result as a box of its own, or a whole module; a module has a picture in which it is
open, with what it takes from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..graph import Node
from .build import Look, picture_of
from .fold import Group, arranged, members_of, merge_modules, operands_of, owners, repeated
from .picture import Picture, shared_path
from .recorded import Recorded, Vertex

__all__ = ["View", "views"]

STEPPED = 120  # boxes that a page can step through
COMFORTABLE = 60  # boxes that fit a screen
MOST_VIEWS = 48


@dataclass(frozen=True)
class View:
    """A picture to step through.

    Attributes
    ----------
    title : what is open in it.
    parent : the position of the picture in which it is closed, None for the first.
    picture : the picture.
    owner : for each vertex of the graph that it shows, its box.
    members : the vertices that belong to it; others only come from outside.
    opens : for each box the position of the picture that opens it, None for what cannot be opened.
    """

    title: str
    parent: int | None
    picture: Picture
    owner: dict[int, int]
    members: frozenset[int]
    opens: list[int | None]


def views(recorded: Recorded, look: Look, gradients: Mapping[Node, Any]) -> list[View]:
    """Return the pictures of a graph, the whole first; none if it is too large even with its modules closed."""
    results = [i for i, vertex in enumerate(recorded.vertices) if vertex.operation]
    found: list[View] = []
    waiting: list[tuple[str, int | None, int, Sequence[int], int]] = [("the whole graph", None, 0, results, 0)]
    for title, parent, box, members, level in waiting:  # (which grows)
        here = len(found)
        fitting = with_modules_closed(recorded, look, members, level) if here < MOST_VIEWS else None
        if fitting is None:
            continue
        groups, inside = fitting
        picture = picture_of(recorded, groups, look, gradients, inside)
        found.append(View(title, parent, picture, owners(groups), frozenset(inside), [None] * len(groups)))
        if parent is not None:
            found[parent].opens[box] = here
        for i, group in enumerate(groups):
            if group.title:
                below = [member for member in group.members if recorded.vertices[member].operation]
                waiting.append((group.title, here, i, below, len(group.path) + 1))
    return found


def with_modules_closed(recorded: Recorded, look: Look, members: Sequence[int], level: int) -> tuple[list[Group], set[int]] | None:
    """Return the results in groups with as few modules closed as lets them fit, and what belongs to them; None if nothing does."""
    single = [Group((i,), "", recorded.vertices[i].path, (recorded.vertices[i].operation,)) for i in members]
    deepest = max([len(group.path) for group in single], default=0)
    levels = range(deepest, level, -1) if level or look.depth is None else [look.depth]
    ways = [single] * (level > 0 or look.depth is None) + [merge_modules(single, depth) for depth in levels]
    ways.append(by_repetition(recorded.vertices, single))
    ready = [with_operands(recorded, way, whole=level == 0) for way in ways]
    for most in (look.max_nodes,) if look.max_nodes else (COMFORTABLE, STEPPED):
        for groups, inside in ready:
            if len(groups) <= most:
                return groups, inside
    return None


def by_repetition(vertices: Sequence[Vertex], groups: Sequence[Group]) -> list[Group]:
    """Return the groups with each repetition of a body as one: the steps of a recurrent network."""
    found: list[Group] = []
    for bodies in repeated(vertices, groups, 1):
        for k, body in enumerate(bodies, 1):
            members = members_of(body)
            title = f"{vertices[members[-1]].name}: repetition {k} of {len(bodies)}" if len(body) > 1 else ""
            found.append(Group(members, title, shared_path(group.path for group in body), ()))
    return found


def with_operands(recorded: Recorded, groups: Sequence[Group], whole: bool) -> tuple[list[Group], set[int]]:
    """Return the groups with what they are computed from, and the vertices that belong to them; of a part no leaf that others use."""
    results = set(members_of(groups))
    used = results.union(operands_of(recorded.vertices, *groups))
    found = [group for group in arranged(recorded, groups, ()) if whole or not used.isdisjoint(group.members)]
    outside = sorted(i for i in used - results if recorded.vertices[i].operation)
    return sorted([*found, *[Group((i,)) for i in outside]], key=lambda group: group.members[-1]), set(members_of(found))
