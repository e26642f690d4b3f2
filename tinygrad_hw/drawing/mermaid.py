"""A picture as a Mermaid flowchart, which README files on GitHub and notebooks show as it stands."""

from __future__ import annotations

from ..naming import clean
from .dot import lines
from .picture import Picture

__all__ = ["mermaid"]

SHAPES = {
    "input": ("([", "])"), "parameter": ("[[", "]]"), "constant": (">", "]"), "result": ("(", ")"), "output": ("[/", "/]"),
    "loss": ("[/", "/]"), "folded": ("{{", "}}"), "omitted": ("[", "]"),
}  # fmt: skip


def mermaid(picture: Picture) -> str:
    """Return the flowchart's text; no label can end its quotes or be read as markup."""
    out = [f"flowchart {picture.direction}"]
    frames: dict[tuple[str, ...], list[str]] = {(): []}
    for i, box in enumerate(picture.boxes):
        for n in range(1, len(box.path) + 1):
            frames.setdefault(box.path[:n], [])
        opening, closing = SHAPES[box.kind]
        frames[box.path].append(f"n{i}{opening}{quoted(lines(box))}{closing}")
    out += framed((), frames, "    ")
    for arrow in picture.arrows:
        line = "-.->" if arrow.broadcast or not arrow.gradient else "-->"
        note = f"|{quoted([arrow.note])}|" if arrow.note else ""
        out.append(f"    n{arrow.tail} {line}{note} n{arrow.head}")
    looks = {"parameter": "stroke-width:3px", "loss": "stroke-width:3px,stroke-dasharray:0", "omitted": "stroke-dasharray:4"}
    for kind, look in looks.items():
        members = [f"n{i}" for i, box in enumerate(picture.boxes) if box.kind == kind]
        if members:
            out += [f"    classDef {kind} {look}", f"    class {','.join(members)} {kind}"]
    return "\n".join(out) + "\n"


def framed(path: tuple[str, ...], frames: dict[tuple[str, ...], list[str]], indent: str) -> list[str]:
    """Return what lies in a frame, with the frames in it."""
    out = [indent + line for line in frames[path]]
    for number, inner in enumerate(frames):
        if inner and inner[:-1] == path:
            out += [f"{indent}subgraph m{number}[{quoted([inner[-1]])}]", *framed(inner, frames, indent + "    "), f"{indent}end"]
    return out


def quoted(texts: list[str]) -> str:
    """Return lines of text as a quoted label, every character that Mermaid or HTML could read otherwise written as its code."""
    lines = ["".join(c if c.isalnum() or c in " .,_=()+-" or ord(c) > 127 else f"#{ord(c)};" for c in clean(text)) for text in texts]
    return f'"{"<br>".join(lines)}"'
