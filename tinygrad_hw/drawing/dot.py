"""A picture in the DOT language, made with the graphviz package; kinds differ by shape, border and word, not by colour alone."""

from __future__ import annotations

import textwrap
from itertools import pairwise
from typing import Any

import graphviz

from ..naming import clean
from .formulas import shape_text, shortened
from .picture import KINDS, Box, Picture

__all__ = ["dot", "in_words", "lines"]

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
STYLES: dict[str, dict[str, str]] = {
    "input": {"shape": "ellipse", "fillcolor": "#e3f4ee", "color": "#00795a"},
    "parameter": {"shape": "box", "penwidth": "2.8", "fillcolor": "#e4f0fa", "color": "#0072b2"},
    "constant": {"shape": "note", "fillcolor": "#f4f4f4", "color": "#666666"},
    "result": {"shape": "box", "style": "rounded,filled", "fillcolor": "#ffffff", "color": "#444444"},
    "output": {"shape": "box", "peripheries": "2", "fillcolor": "#fdeee3", "color": "#b34a00"},
    "loss": {"shape": "box", "peripheries": "2", "fillcolor": "#fdeee3", "color": "#b34a00"},
    "folded": {"shape": "box3d", "fillcolor": "#f7f3e0", "color": "#7a6a00"},
    "omitted": {"shape": "box", "style": "dashed,filled", "fillcolor": "#ffffff", "color": "#666666"},
}
WEIGHTS = {"input": "1", "parameter": "1", "constant": "1", "omitted": "0"}  # how straight an arrow should be
LONGEST_LINE, LONGEST_TITLE = 46, 70
WIDEST_CAPTION = 70


def dot(picture: Picture) -> graphviz.Digraph:
    """Return the picture as a ``graphviz.Digraph``; its ``source`` is the DOT text."""
    graph = graphviz.Digraph(
        graph_attr={
            "rankdir": "TB", "bgcolor": "white", "fontname": FONT, "fontsize": "12", "nodesep": "0.3", "ranksep": "0.4",
            "labelloc": "b", "label": quoted(textwrap.wrap(clean(picture.caption), WIDEST_CAPTION)),
        },
        node_attr={"fontname": FONT, "fontsize": "12", "style": "filled", "margin": "0.16,0.07"},
        edge_attr={"fontname": FONT, "fontsize": "10", "color": "#444444", "arrowsize": "0.8"},
    )  # fmt: skip
    if picture.legend:
        legend(graph, picture)
    frames = Frames(graph)
    for i, box in enumerate(picture.boxes):
        frames.inside(box.path).node(f"n{i}", **box_attributes(i, box))
    frames.close()
    for i, arrow in enumerate(picture.arrows):
        note = f"  {arrow.note}" if arrow.note else ""
        word = "broadcast" if arrow.broadcast else "gradient" if arrow.gradient else "data"
        look = {} if arrow.gradient else {"color": "#8a8a8a", "fontcolor": "#555555"}
        style = "dashed" if arrow.broadcast else "solid" if arrow.gradient else "dotted"
        weight = WEIGHTS.get(picture.boxes[arrow.tail].kind, "4")
        attributes = {"label": quoted([note]), "id": f"e{i}", "class": word, "style": style, "weight": weight, **look}
        graph.edge(f"n{arrow.tail}", f"n{arrow.head}", **attributes)
    return graph


class Frames:
    """Nested frames, one for each module; what is put inside a path opens those that it lies in."""

    def __init__(self, graph: graphviz.Digraph) -> None:
        self.graph = graph
        self.open: dict[tuple[str, ...], graphviz.Digraph] = {(): graph}

    def inside(self, path: tuple[str, ...]) -> graphviz.Digraph:
        """Return the frame of a path."""
        for n in range(1, len(path) + 1):
            if path[:n] not in self.open:
                number = len(self.open)
                frame = graphviz.Digraph(f"cluster_{number}")
                title = path[n - 1]
                frame.attr(
                    label=quoted([title]), id=f"m{number}", style="dashed,rounded", color="#777777", labeljust="l", labelloc="t",
                    **{"class": "module"},
                )  # fmt: skip
                self.open[path[:n]] = frame
        return self.open[path]

    def close(self) -> None:
        """Put each frame into the one around it, the innermost first."""
        for path in sorted(self.open, key=len, reverse=True):
            if path:
                self.open[path[:-1]].subgraph(self.open[path])


def legend(graph: graphviz.Digraph, picture: Picture) -> None:
    """Explain the kinds that occur, in a frame of its own."""
    kinds = [kind for kind in KINDS if any(box.kind == kind for box in picture.boxes)]
    with graph.subgraph(name="cluster_legend") as frame:
        frame.attr(label="legend", labelloc="t", style="solid", color="#bbbbbb", fontsize="10", id="legend", **{"class": "legend"})
        for kind in kinds:
            look = {**STYLES[kind], "class": f"legend {kind}", "fontsize": "10", "margin": "0.08,0.04", "height": "0.1"}
            frame.node(f"legend_{kind}", label=quoted([KINDS[kind]]), id=f"legend_{kind}", **look)
        rows = [f"legend_{kind}" for kind in kinds]
        arrows = arrow_legend(picture)
        if arrows:
            frame.node("legend_arrows", label=quoted(arrows, left=True), id="legend_arrows", shape="plaintext", style="", fontsize="10")
            rows.append("legend_arrows")
        for above, below in pairwise(rows):
            frame.edge(above, below, style="invis")


def arrow_legend(picture: Picture) -> list[str]:
    """Return a line for each kind of arrow that occurs."""
    plain = any(arrow.gradient and not arrow.broadcast for arrow in picture.arrows)
    repeated = any(arrow.broadcast for arrow in picture.arrows)
    data = any(not arrow.gradient for arrow in picture.arrows)
    return [
        *(["solid arrow: a gradient flows back along it"] if plain else []),
        *(["dashed arrow: broadcasting repeats the operand"] if repeated else []),
        *(["grey arrow: no gradient flows back along it"] if data else []),
    ]


def box_attributes(i: int, box: Box) -> dict[str, Any]:
    """Return the attributes of a box."""
    return {"label": quoted(lines(box)), "id": f"n{i}", "class": box.kind, **STYLES[box.kind]}


def lines(box: Box) -> list[str]:
    """Return what is written in a box, line by line."""
    name, shape = shortened(box.name), "" if box.shape is None else shape_text(box.shape)
    word = {"result": box.operation, "folded": "", "omitted": ""}.get(
        box.kind, box.kind if not box.operation else f"{box.kind}, {box.operation}"
    )
    if box.kind in ("folded", "omitted"):
        name = shortened(box.name, LONGEST_TITLE)
    head = [f"{name} = {box.formula}"] if box.formula else [name]
    if len(head[0]) > LONGEST_LINE:
        head = [name, shortened(f"= {box.formula}", LONGEST_LINE)] if box.formula else [name]
    if box.kind == "folded":
        word = f"{box.count:,} vertices".replace(",", "\N{NO-BREAK SPACE}")
    second = " · ".join(filter(None, (word, shape, box.dtype)))
    rest = [f"value {box.value}" if box.value else "", f"gradient {box.gradient}" if box.gradient else ""]
    return [line for line in (*head, second, *rest) if line]


def in_words(box: Box) -> str:
    """Return a box as one line, for tooltips and screen readers."""
    first = f"{box.name} = {box.formula}" if box.formula else box.name
    shape = "" if box.shape is None else f"shape {shape_text(box.shape)}"
    return ", ".join(
        filter(
            None, (first, box.kind, shape, f"value {box.value}" if box.value else "", f"gradient {box.gradient}" if box.gradient else "")
        )
    )


def quoted(texts: list[str], left: bool = False) -> str:
    """Return lines of arbitrary text as one string of the DOT language that draws exactly them."""
    end = r"\l" if left else r"\n"
    escaped = [str(graphviz.escape(clean(text).replace("&", "&amp;"))) for text in texts]
    return graphviz.nohtml(end.join(escaped) + (end if left else ""))
