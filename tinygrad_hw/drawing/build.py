"""From outputs to a picture: read the graph, name its vertices, fold what is too much, fill the boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .fold import Group, fold
from .formulas import expression, summary
from .picture import Arrow, Box, Picture
from .recorded import Recorded

__all__ = ["build"]

ROOM, NEAREST = 120, 40


def build(
    recorded: Recorded,
    show: Collection[str],
    gradients: Mapping[Node, Any],
    depth: int | None,
    max_nodes: int | None,
    title: str | None,
    legend: bool,
) -> Picture:
    """Return the picture of a graph with at most ``max_nodes`` boxes; by default ``ROOM``, or ``NEAREST`` where it must be cut."""
    groups, omitted = fold(recorded, max_nodes or ROOM, depth, max_nodes or NEAREST)
    total = len(recorded.vertices)
    boxes = [box_of(recorded, group, show, gradients) for group in groups]
    arrows = arrows_between(recorded, groups)
    if omitted:
        boxes.insert(0, Box("omitted", f"… {grouped(omitted)} of {grouped(total)} vertices are not drawn", count=omitted))
        beyond = arrows_from_beyond(recorded, groups)
        arrows = beyond + [Arrow(a.tail + 1, a.head + 1, a.note, a.broadcast, a.gradient) for a in arrows]
    return Picture(tuple(boxes), tuple(arrows), caption(recorded, boxes, omitted, title), total, omitted, legend)


def grouped(count: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def caption(recorded: Recorded, boxes: Sequence[Box], omitted: int, title: str | None) -> str:
    """Return what the drawing is of, and what it leaves out."""
    total = len(recorded.vertices)
    results = sum(bool(vertex.operation) for vertex in recorded.vertices)
    leaves = total - results
    parts = [title] if title else []
    if results or not title:
        parts.append(f"{grouped(results)} operation{'s' * (results != 1)} on {grouped(leaves)} lea{'f' if leaves == 1 else 'ves'}")
    folded = sum(box.count for box in boxes if box.kind != "omitted" and box.count > 1)
    if folded or omitted:
        shown = sum(box.kind != "omitted" for box in boxes)
        parts.append(f"{grouped(total - omitted)} of {grouped(total)} vertices in {shown} box{'es' * (shown != 1)}")
    if omitted:
        parts.append(f"{grouped(omitted)} not drawn: raise max_nodes= or draw an earlier tensor")
    return " · ".join(parts)


def box_of(recorded: Recorded, group: Group, show: Collection[str], gradients: Mapping[Node, Any]) -> Box:
    """Return the box of a group."""
    vertex = recorded.vertices[group.members[-1]]
    value = vertex.value
    gradient = gradients.get(vertex.node) if vertex.node is not None else None
    return Box(
        kind="folded" if group.title else vertex.kind,
        name=group.title or vertex.name,
        operation="" if group.title else vertex.operation,
        formula="" if group.title else expression(recorded, vertex),
        shape=np.shape(value) if "shape" in show else None,
        dtype=str(value.dtype) if "dtype" in show else "",
        value=summary(value) if "value" in show else "",
        gradient=summary(gradient) if "gradient" in show and gradient is not None else "",
        path=group.path,
        count=len(group.members),
    )


def arrows_between(recorded: Recorded, groups: Sequence[Group]) -> list[Arrow]:
    """Return an arrow for each use; several uses between groups that hold more than one vertex are one arrow."""
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    single = [len(group.members) == 1 for group in groups]
    arrows: list[Arrow] = []
    folded: Counter[tuple[int, int]] = Counter()
    for head, group in enumerate(groups):
        for member in group.members:
            vertex = recorded.vertices[member]
            node = vertex.node
            for i, operand in zip(vertex.places, vertex.operands):
                tail = owner.get(operand, head)
                if tail == head or (not recorded.vertices[operand].operation and not single[tail]):
                    continue
                if group.title or groups[tail].title:
                    folded[tail, head] += 1
                else:
                    before, after = np.shape(recorded.vertices[operand].value), np.shape(vertex.value)
                    repeated = node is not None and node.rule.kind in ("elementwise", "choice") and is_repeated(before, after)
                    flowing = node is not None and node.parents[i] is not None
                    arrows.append(Arrow(tail, head, f"{before} → {after}" if repeated else "", repeated, flowing))
    arrows += [Arrow(tail, head, f"×{uses}" if uses > 1 else "") for (tail, head), uses in folded.items()]
    return arrows


def is_repeated(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Tell whether broadcasting repeats an array of one shape to fill another."""
    return before != after and len(before) <= len(after) and all(n in (1, m) for n, m in zip(before[::-1], after[::-1]))


def arrows_from_beyond(recorded: Recorded, groups: Sequence[Group]) -> list[Arrow]:
    """Return an arrow from the box of what is not drawn to each group that uses some of it."""
    drawn = {member for group in groups for member in group.members}
    return [
        Arrow(0, head + 1)
        for head, group in enumerate(groups)
        if any(operand not in drawn for member in group.members for operand in recorded.vertices[member].operands)
    ]
