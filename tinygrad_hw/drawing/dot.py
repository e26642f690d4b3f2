"""A picture in the DOT language, made with the graphviz package; kinds differ by shape, border and word, not by colour alone."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import graphviz

from ..naming import clean
from .formulas import shape_text, shortened
from .picture import KINDS, Arrow, Box, Picture

__all__ = ["DARK", "LIGHT", "Palette", "arrow_legend", "dot", "in_words", "lines"]

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
SHAPES: dict[str, dict[str, str]] = {
    "input": {"shape": "ellipse"}, "parameter": {"shape": "box", "penwidth": "2.8"}, "constant": {"shape": "note"},
    "result": {"shape": "box", "style": "rounded,filled"}, "output": {"shape": "box", "peripheries": "2"},
    "loss": {"shape": "box", "peripheries": "2"}, "folded": {"shape": "box3d"}, "omitted": {"shape": "box", "style": "dashed,filled"},
    "outside": {"shape": "ellipse", "style": "dashed,filled"},
}  # fmt: skip
WEIGHTS = {"input": "1", "parameter": "1", "constant": "1", "outside": "1", "omitted": "0"}  # how straight an arrow should be
LONGEST_LINE, NARROW_LINE, LONGEST_TITLE = 46, 12, 70
WIDEST_CAPTION = 70
ARROWS: dict[str, Callable[[Arrow], bool]] = {
    "solid arrow: a gradient flows back along it": lambda arrow: arrow.gradient and not arrow.broadcast,
    "dashed arrow: broadcasting repeats the operand": lambda arrow: arrow.broadcast,
    "grey arrow: no gradient flows back along it": lambda arrow: not arrow.gradient,
    "thick arrow, next: to the next repetition": lambda arrow: arrow.to_next,
}


@dataclass(frozen=True)
class Palette:
    """The colours of a theme: of the background, of letters, arrows, frames and what is highlighted; of each kind, inside and border."""

    back: str
    fore: str
    arrow: str
    soft: str
    frame: str
    highlight: str
    kinds: dict[str, tuple[str, str]]


LIGHT = Palette("#ffffff", "#1c1c1c", "#444444", "#707070", "#777777", "#d55e00", {
    "input": ("#e3f4ee", "#00795a"), "parameter": ("#e4f0fa", "#0072b2"), "constant": ("#f4f4f4", "#666666"),
    "result": ("#ffffff", "#444444"), "output": ("#fdeee3", "#b34a00"), "loss": ("#fdeee3", "#b34a00"),
    "folded": ("#f7f3e0", "#7a6a00"), "omitted": ("#ffffff", "#666666"),
    "outside": ("#ffffff", "#666666"),
})  # fmt: skip
DARK = Palette("#15181d", "#ececec", "#b9bec5", "#9aa0a8", "#8a9099", "#ffa657", {
    "input": ("#12382d", "#4fcfa6"), "parameter": ("#14304a", "#6cb8f5"), "constant": ("#33383f", "#b9bec5"),
    "result": ("#232931", "#b9bec5"), "output": ("#4a2a12", "#ff9d57"), "loss": ("#4a2a12", "#ff9d57"),
    "folded": ("#3a3415", "#d8c256"), "omitted": ("#15181d", "#9aa0a8"),
    "outside": ("#15181d", "#9aa0a8"),
})  # fmt: skip


def dot(picture: Picture) -> graphviz.Digraph:
    """Return the picture as a ``graphviz.Digraph``; its ``source`` is the DOT text."""
    palette, sideways = DARK if picture.theme == "dark" else LIGHT, picture.direction in ("LR", "RL")
    graph = graphviz.Digraph(
        graph_attr={
            "rankdir": picture.direction, "bgcolor": palette.back, "fontname": FONT, "fontsize": "12", "fontcolor": palette.fore,
            "nodesep": "0.3", "ranksep": "0.2" if sideways else "0.4", "labelloc": "b",
            "label": quoted(textwrap.wrap(clean(picture.caption), WIDEST_CAPTION)),
        },
        node_attr={"fontname": FONT, "fontsize": "12", "fontcolor": palette.fore, "style": "filled", "margin": "0.16,0.07"},
        edge_attr={"fontname": FONT, "fontsize": "10", "fontcolor": palette.fore, "color": palette.arrow, "arrowsize": "0.8"},
    )  # fmt: skip
    if picture.legend:
        graph.node("legend", legend(picture, palette), id="legend", shape="plaintext", style="", **{"class": "legend"})
    frames: dict[tuple[str, ...], graphviz.Digraph] = {(): graph}
    for i, box in enumerate(picture.boxes):
        for n, title in enumerate(box.path, 1):
            if box.path[:n] not in frames:
                frames[box.path[:n]] = frame_of(title, len(frames), palette)
        frames[box.path].node(f"n{i}", **box_attributes(i, box, palette, NARROW_LINE if sideways else LONGEST_LINE))
    for path in sorted(filter(None, frames), key=len, reverse=True):  # (each into the one around it, the innermost first)
        frames[path[:-1]].subgraph(frames[path])
    for i, arrow in enumerate(picture.arrows):
        graph.edge(f"n{arrow.tail}", f"n{arrow.head}", **arrow_attributes(i, arrow, picture, palette))
    return graph


def arrow_attributes(i: int, arrow: Arrow, picture: Picture, palette: Palette) -> dict[str, str]:
    look = {} if arrow.gradient else {"color": palette.soft, "fontcolor": palette.soft}
    if arrow.highlighted:
        look = {"color": palette.highlight, "penwidth": "2.4"}
    if arrow.to_next:
        look |= {"constraint": "false", "style": "bold"}
    return {
        "label": quoted([f"  {arrow.note}" if arrow.note else ""]),
        "id": f"e{i}",
        "class": ("broadcast" if arrow.broadcast else "gradient" if arrow.gradient else "data") + " highlighted" * arrow.highlighted,
        "style": "dashed" if arrow.broadcast else "solid" if arrow.gradient else "dotted",
        "weight": WEIGHTS.get(picture.boxes[arrow.tail].kind, "4"),
        **look,
    }


def frame_of(title: str, number: int, palette: Palette) -> graphviz.Digraph:
    """Return an empty frame, which stands for a module."""
    frame = graphviz.Digraph(f"cluster_{number}")
    look = {"style": "dashed,rounded", "color": palette.frame, "labeljust": "l", "labelloc": "t", "class": "module"}
    frame.attr(label=quoted([title]), id=f"m{number}", **look)
    return frame


def legend(picture: Picture, palette: Palette) -> str:
    """Return a small table that explains the kinds that occur, and the arrows."""
    rows = []
    for kind in [kind for kind in KINDS if any(box.kind == kind for box in picture.boxes)]:
        inside, border = palette.kinds[kind]
        style = ' STYLE="ROUNDED"' if kind in ("input", "result") else ""
        sample = (
            f'<TABLE BORDER="{3 if kind == "parameter" else 1}" CELLBORDER="0" CELLPADDING="1" COLOR="{border}" BGCOLOR="{inside}"{style}>'
        )
        sample += '<TR><TD WIDTH="16" HEIGHT="6"></TD></TR></TABLE>'
        rows.append(f'<TR><TD>{sample}</TD><TD ALIGN="LEFT">{KINDS[kind]}</TD></TR>')
    rows += [f'<TR><TD COLSPAN="2" ALIGN="LEFT">{line}</TD></TR>' for line in arrow_legend(picture)]
    return f'<<FONT POINT-SIZE="9"><TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="1">{"".join(rows)}</TABLE></FONT>>'


def arrow_legend(picture: Picture) -> list[str]:
    """Return a line for each kind of arrow that occurs."""
    return [line for line, holds in ARROWS.items() if any(map(holds, picture.arrows))]


def box_attributes(i: int, box: Box, palette: Palette, longest: int) -> dict[str, Any]:
    inside, border = palette.kinds[box.kind]
    faded = {"fontcolor": palette.soft, "color": palette.soft, "fillcolor": palette.back} if box.faded else {}
    return {
        "label": quoted(lines(box, longest)),
        "id": f"n{i}",
        "class": f"{box.kind} faded" if box.faded else box.kind,
        **SHAPES[box.kind],
        "fillcolor": inside,
        "color": border,
        **faded,
    }


def lines(box: Box, longest: int = LONGEST_LINE) -> list[str]:
    """Return what is written in a box, line by line; a name and a formula that are longer together stand below each other."""
    name, shape = shortened(box.name), "" if box.shape is None else shape_text(box.shape)
    if box.kind in ("folded", "omitted"):
        name = shortened(box.name, LONGEST_TITLE)
    head = [f"{name} = {box.formula}"] if box.formula else [name]
    if len(head[0]) > longest:
        head = [name, shortened(f"= {box.formula}", LONGEST_LINE)] if box.formula else [name]
    word = "" if box.kind in ("result", "folded", "omitted") else box.kind
    second = list(filter(None, (word, box.about, shape, box.dtype)))
    if longest == LONGEST_LINE or len(" · ".join(second)) <= longest:
        second = [" · ".join(second)]
    rest = [f"value {box.value}" if box.value else "", f"gradient {box.gradient}" if box.gradient else ""]
    return [line for line in (*head, *second, *rest) if line]


def in_words(box: Box) -> str:
    """Return a box as one line, for tooltips and screen readers."""
    first = f"{box.name} = {box.formula}" if box.formula else box.name
    shape = "" if box.shape is None else f"shape {shape_text(box.shape)}"
    figures = [f"{what} {text}" for what, text in (("value", box.value), ("gradient", box.gradient)) if text]
    return ", ".join(filter(None, (first, box.kind, box.about, shape, *figures)))


def quoted(texts: list[str]) -> str:
    """Return lines of arbitrary text as one string of the DOT language that draws exactly them."""
    return graphviz.nohtml(r"\n".join([str(graphviz.escape(clean(text).replace("&", "&amp;"))) for text in texts]))
