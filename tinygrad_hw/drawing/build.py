"""From outputs to a picture: read the graph, name its vertices, fold what is too much, fill the boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..graph import Node
from .fold import Group, common_name, fold, operands_of, owners, repetitions
from .formulas import derivative, expression, summary
from .picture import Arrow, Box, Picture
from .recorded import Recorded, Vertex

__all__ = ["Look", "build", "picture_of"]

ROOM, NEAREST = 60, 40
IN_A_ROW = {"TB": 16, "BT": 16, "LR": 10, "RL": 10}  # boxes in a chain that fit a screen, or two
MOST_NAMES = 3  # on an arrow


@dataclass(frozen=True)
class Look:
    """What a drawing shows and how; see ``draw`` for each."""

    show: Collection[str] = ("shape",)
    depth: int | None = None
    max_nodes: int | None = None
    title: str | None = None
    legend: bool = True
    direction: str = "TB"
    theme: str = "light"
    edges: str = "plain"
    highlight: frozenset[int] = frozenset()


def build(recorded: Recorded, look: Look, gradients: Mapping[Node, Any]) -> Picture:
    """Return the picture of a graph with at most ``max_nodes`` boxes; by default ``ROOM``, or ``NEAREST`` where it must be cut."""
    longest = IN_A_ROW[look.direction] if look.max_nodes is None and look.depth is None else None
    groups, omitted = fold(recorded, look.max_nodes or ROOM, look.depth, look.max_nodes or NEAREST, longest)
    return picture_of(recorded, groups, look, gradients, owners(groups), omitted)


def picture_of(
    recorded: Recorded, groups: Sequence[Group], look: Look, gradients: Mapping[Node, Any], inside: Collection[int], omitted: int = 0
) -> Picture:
    """Return the picture of groups, some of which are values from outside; ``omitted`` vertices are in none."""
    reached, total = downstream(recorded, look.highlight), len(recorded.vertices)
    boxes = [box_of(recorded, group, look, gradients, reached) for group in groups]
    outside = {i for i, group in enumerate(groups) if group.members[-1] not in inside}
    boxes = [replace(box, kind="outside", formula="", operation="") if i in outside else box for i, box in enumerate(boxes)]
    arrows = [arrow for arrow in arrows_between(recorded, groups, look, reached) if arrow.head not in outside]
    if omitted:
        boxes.insert(0, Box("omitted", f"… {spaced(omitted)} of {spaced(total)} vertices are not drawn", count=omitted))
        beyond = arrows_from_beyond(recorded, groups)
        arrows = beyond + [replace(arrow, tail=arrow.tail + 1, head=arrow.head + 1) for arrow in arrows]
    words = caption(recorded, boxes, omitted, look.title)
    return Picture(tuple(boxes), tuple(arrows), words, total, omitted, look.legend, look.direction, look.theme)


def downstream(recorded: Recorded, chosen: frozenset[int]) -> set[int]:
    """Return the vertices that lie on a path from the chosen ones to an output."""
    reached = set(chosen)
    for i, vertex in enumerate(recorded.vertices) if chosen else ():
        if not reached.isdisjoint(vertex.operands):
            reached.add(i)
    return reached


def spaced(count: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def caption(recorded: Recorded, boxes: Sequence[Box], omitted: int, title: str | None) -> str:
    """Return what the drawing is of, and what it leaves out."""
    total = len(recorded.vertices)
    results = sum(bool(vertex.operation) for vertex in recorded.vertices)
    parts, leaves = [title] if title else [], total - results
    if results or not title:
        parts.append(f"{spaced(results)} operation{'s' * (results != 1)} on {spaced(leaves)} lea{'f' if leaves == 1 else 'ves'}")
    folded = sum(box.count for box in boxes if box.kind != "omitted" and box.count > 1)
    if folded or omitted:
        shown = sum(box.kind != "omitted" for box in boxes)
        parts.append(f"{spaced(total - omitted)} of {spaced(total)} vertices in {shown} box{'es' * (shown != 1)}")
    if omitted:
        parts.append(f"{spaced(omitted)} not drawn: raise max_nodes= or draw an earlier tensor")
    return " · ".join(parts)


def box_of(recorded: Recorded, group: Group, look: Look, gradients: Mapping[Node, Any], reached: set[int]) -> Box:
    vertex = recorded.vertices[group.members[-1]]
    value, several = vertex.value, bool(group.title or group.times)
    gradient = gradients.get(vertex.node) if vertex.node is not None else None
    return Box(
        kind="folded" if group.title else vertex.kind,
        name=group.title or name_of(recorded, group),
        operation="" if group.title else vertex.operation,
        formula="" if several else expression(recorded, vertex),
        shape=np.shape(value) if "shape" in look.show else None,
        dtype=str(value.dtype) if "dtype" in look.show else "",
        value=summary(value) if "value" in look.show and not several else "",
        gradient=summary(gradient) if "gradient" in look.show and gradient is not None and not several else "",
        path=group.path,
        count=len(group.members),
        about=contents(recorded, group) if group.title else f"{vertex.operation} × {len(group.times)}".strip() if group.times else "",
        faded=bool(reached) and reached.isdisjoint(group.members),
    )


def name_of(recorded: Recorded, group: Group) -> str:
    """Return the name of a group without a title: that of its vertex, or of the first and the last of several."""
    times = group.times or group.members[-1:]
    first, last = (recorded.vertices[times[j]].name for j in (0, -1))
    if "." in first:
        return common_name([recorded.vertices[i].name for i in times])
    return first if first == last else f"{first} … {last}"


def contents(recorded: Recorded, group: Group) -> str:
    """Return how many operations a closed group holds, how many parameters, and the memory of its results."""
    vertices = [recorded.vertices[i] for i in group.members]
    results = [vertex for vertex in vertices if vertex.operation]
    parameters = sum(np.size(vertex.value) for vertex in vertices if vertex.kind == "parameter")
    counts = [f"{spaced(len(results))} operation{'s' * (len(results) != 1)}"]
    counts += [f"{spaced(parameters)} parameter{'s' * (parameters != 1)}"] if parameters else []
    return " · ".join([*counts, size(sum(vertex.value.nbytes for vertex in results))])


def size(count: int) -> str:
    """Return a number of bytes in the unit in which it reads best."""
    power = min((len(str(count)) - 1) // 3, 4)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def arrows_between(recorded: Recorded, groups: Sequence[Group], look: Look, reached: set[int]) -> list[Arrow]:
    """Return an arrow for each use; uses between groups that hold more than one vertex are one arrow that says how many."""
    owner = owners(groups)
    repetition = {vertex: k for group in groups for vertex, k in repetitions(group).items()}
    arrows: list[Arrow] = []
    several: dict[tuple[int, int, str], list[int]] = {}  # the operands of each use
    flowing: set[tuple[int, int, str]] = set()
    for head, group in enumerate(groups):
        for member in group.members:
            vertex = recorded.vertices[member]
            for i, operand in zip(vertex.places, vertex.operands):
                tail = owner.get(operand, head)
                if not recorded.vertices[operand].operation and recorded.vertices[groups[tail].members[-1]].operation:
                    continue  # (a leaf that is drawn with an operation that uses it)
                if is_several(group) or is_several(groups[tail]):
                    use = tail, head, kind_of_use(groups[tail], group, repetition.get(operand), repetition.get(member))
                    several.setdefault(use, []).append(operand)
                    flowing |= {use} if flows(vertex, i) else set()
                elif tail != head:
                    arrow = arrow_of(recorded, vertex, i, operand, tail, head, look)
                    arrows.append(replace(arrow, highlighted=operand in reached and member in reached))
    for (tail, head, kind), operands in several.items():
        if tail != head or kind == "next":
            highlighted = not any(reached.isdisjoint(groups[end].members) for end in (tail, head))
            arrow = Arrow(tail, head, gradient=(tail, head, kind) in flowing, highlighted=highlighted)
            carried = carried_names(recorded, groups[tail], operands)
            arrows += arrows_of_several(arrow, kind, len(operands), len(groups[head].times), carried)
    return arrows


def is_several(group: Group) -> bool:
    """Tell whether a group stands for several vertices, not counting the leaves that were merged into it."""
    return bool(group.title or group.times)


def carried_names(recorded: Recorded, tail: Group, operands: Sequence[int]) -> str:
    """Return what an arrow out of a closed group carries by name, "" for too many; how often, where more than once."""
    if not tail.title or tail.times:
        return ""  # (what else there is has its name in its box)
    uses = Counter(recorded.vertices[operand].name for operand in operands)
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in uses.items()) if len(uses) <= MOST_NAMES else ""


def arrows_of_several(arrow: Arrow, kind: str, uses: int, times: int, carried: str) -> list[Arrow]:
    """Return the arrows between two groups, one of which stands for several vertices."""
    if kind == "same":
        return [arrow] * max(1, uses // times)
    return [replace(arrow, note=kind or carried or (f"×{uses}" if uses > 1 else ""), to_next=kind == "next")]


def flows(vertex: Vertex, place: int) -> bool:
    """Tell whether a gradient flows from a result to the argument at a place."""
    return vertex.node is not None and any(place == i for _, _, i in vertex.node.edges)


def kind_of_use(tail: Group, head: Group, before: int | None, after: int | None) -> str:
    """Return whether a use in a repeated body stays in one repetition ("same") or reaches the next ("next"), "" for any other."""
    if tail.run is None or tail.run != head.run:
        return ""
    return "same" if before == after else "next"


def arrow_of(recorded: Recorded, vertex: Vertex, i: int, operand: int, tail: int, head: int, look: Look) -> Arrow:
    before, after = np.shape(recorded.vertices[operand].value), np.shape(vertex.value)
    node = vertex.node
    repeated = node is not None and node.rule.kind in ("elementwise", "choice") and is_repeated(before, after)
    note, flowing = f"{before} → {after}" if repeated else "", flows(vertex, i)
    if look.edges == "derivative":
        note = derivative(recorded, vertex, i) if flowing else ""
    return Arrow(tail, head, note, repeated, flowing)


def is_repeated(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Tell whether broadcasting repeats an array of one shape to fill another."""
    return before != after and len(before) <= len(after) and all(n in (1, m) for n, m in zip(before[::-1], after[::-1]))


def arrows_from_beyond(recorded: Recorded, groups: Sequence[Group]) -> list[Arrow]:
    """Return an arrow from the box of what is not drawn to each group that uses some of it."""
    drawn = owners(groups)
    return [Arrow(0, head + 1) for head, group in enumerate(groups) if not drawn.keys() >= {*operands_of(recorded.vertices, group)}]
