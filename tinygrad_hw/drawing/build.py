"""From outputs to a picture: read the graph, name its vertices, fold what is too much, fill the boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node
from .fold import Group, Outline, fold
from .formulas import expression, label, summary
from .names import name_vertices, paths_of, user_names
from .picture import Arrow, Box, Picture
from .recorded import Recorded, read

__all__ = ["Story", "build", "tell"]

ROOM, NEAREST = 120, 40


@dataclass(frozen=True)
class Story:
    """A recorded graph with names: what pictures, tables and pages are made from."""

    recorded: Recorded
    names: Sequence[str]
    paths: Sequence[tuple[str, ...]]
    kinds: Sequence[str]

    def expression(self, vertex: int) -> str:
        """Return the operation of a vertex with the names of its operands, "" for what nothing made."""
        recorded, node = self.recorded, self.recorded.nodes[vertex]
        if node is None or not recorded.operations[vertex]:
            return ""
        return expression(node, {i: label(self.names[u]) for i, u in zip(recorded.places[vertex], recorded.operands[vertex])})


def tell(outputs: Sequence[Node], names: Mapping[str, Any] | None) -> Story:
    """Read what the outputs were computed from, and name it."""
    variables, arrays = user_names(names)
    recorded = read(outputs, arrays)
    called = name_vertices(recorded, variables)
    kinds = list(recorded.kinds)
    for output in recorded.outputs:
        if recorded.operations[output]:
            kinds[output] = "loss" if len(recorded.outputs) == 1 and np.size(recorded.values[output]) == 1 else "output"
    for vertex, name in enumerate(called):
        if kinds[vertex] == "constant" and name in ("x", "y"):
            kinds[vertex] = "input"
    return Story(recorded, called, paths_of(recorded, kinds), kinds)


def build(
    story: Story,
    show: Collection[str],
    gradients: Mapping[Node, Any],
    depth: int | None,
    max_nodes: int | None,
    title: str | None,
    legend: bool,
) -> Picture:
    """Return the picture of a story with at most ``max_nodes`` boxes; by default ``ROOM``, or ``NEAREST`` where it must be cut."""
    recorded = story.recorded
    outline = Outline(story.kinds, recorded.operations, recorded.operands, story.paths, recorded.outputs)
    groups, omitted = fold(outline, max_nodes or ROOM, depth, max_nodes or NEAREST)
    total = len(recorded.nodes)
    boxes = [box_of(story, group, show, gradients) for group in groups]
    arrows = arrows_between(story, groups)
    if omitted:
        boxes.insert(0, Box("omitted", f"… {grouped(omitted)} of {grouped(total)} vertices are not drawn", count=omitted))
        beyond = arrows_from_beyond(story, groups)
        arrows = beyond + [Arrow(a.tail + 1, a.head + 1, a.note, a.broadcast, a.gradient) for a in arrows]
    return Picture(tuple(boxes), tuple(arrows), caption(story, boxes, omitted, title), total, omitted, legend)


def grouped(count: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def caption(story: Story, boxes: Sequence[Box], omitted: int, title: str | None) -> str:
    """Return what the drawing is of, and what it leaves out."""
    total = len(story.recorded.nodes)
    results = sum(map(bool, story.recorded.operations))
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


def box_of(story: Story, group: Group, show: Collection[str], gradients: Mapping[Node, Any]) -> Box:
    """Return the box of a group."""
    recorded, vertex = story.recorded, group.members[-1]
    value = recorded.values[vertex]
    node = recorded.nodes[vertex]
    gradient = gradients.get(node) if node is not None else None
    return Box(
        kind="folded" if group.title else story.kinds[vertex],
        name=group.title or story.names[vertex],
        operation="" if group.title else recorded.operations[vertex],
        formula="" if group.title else story.expression(vertex),
        shape=np.shape(value) if "shape" in show else None,
        dtype=str(value.dtype) if "dtype" in show else "",
        value=summary(value) if "value" in show else "",
        gradient=summary(gradient) if "gradient" in show and gradient is not None else "",
        path=group.path,
        count=len(group.members),
    )


def arrows_between(story: Story, groups: Sequence[Group]) -> list[Arrow]:
    """Return an arrow for each use; several uses between groups that hold more than one vertex are one arrow."""
    recorded = story.recorded
    owner = {member: i for i, group in enumerate(groups) for member in group.members}
    single = [len(group.members) == 1 for group in groups]
    arrows: list[Arrow] = []
    folded: Counter[tuple[int, int]] = Counter()
    for head, group in enumerate(groups):
        for member in group.members:
            node = recorded.nodes[member]
            for i, operand in zip(recorded.places[member], recorded.operands[member]):
                tail = owner.get(operand, head)
                if tail == head or (not recorded.operations[operand] and not single[tail]):
                    continue
                if group.title or groups[tail].title:
                    folded[tail, head] += 1
                else:
                    before, after = np.shape(recorded.values[operand]), np.shape(recorded.values[member])
                    repeated = node is not None and node.rule.kind in ("elementwise", "choice") and is_repeated(before, after)
                    flowing = node is not None and node.parents[i] is not None
                    arrows.append(Arrow(tail, head, f"{before} → {after}" if repeated else "", repeated, flowing))
    arrows += [Arrow(tail, head, f"×{uses}" if uses > 1 else "") for (tail, head), uses in folded.items()]
    return arrows


def is_repeated(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Tell whether broadcasting repeats an array of one shape to fill another."""
    return before != after and len(before) <= len(after) and all(n in (1, m) for n, m in zip(before[::-1], after[::-1]))


def arrows_from_beyond(story: Story, groups: Sequence[Group]) -> list[Arrow]:
    """Return an arrow from the box of what is not drawn to each group that uses some of it."""
    drawn = {member for group in groups for member in group.members}
    return [
        Arrow(0, head + 1)
        for head, group in enumerate(groups)
        if any(operand not in drawn for member in group.members for operand in story.recorded.operands[member])
    ]
