"""A picture for terminals: a table with a row for each vertex, and a tree from the output down.

Rows are as wide as the terminal; colour and characters beyond ASCII only where the terminal has them.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections import defaultdict
from collections.abc import Sequence

from ..naming import clean
from .formulas import shape_text
from .picture import Box, Picture

__all__ = ["text"]

COLOURS = {"parameter": "34;1", "input": "32", "constant": "2", "output": "33;1", "loss": "33;1", "folded": "36", "omitted": "2"}
ASCII = str.maketrans(
    {**dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789")), "ŷ": "y_hat", "×": "x", "→": "->", "·": "-", "…": "...", "±": "+-",
     "│": "|", "├": "|", "└": "`", "─": "-",
     "↩": "see ", "↓": "below:", "²": "^2", "ᵀ": ".T", "∂": "d", "σ": "sigma", "\N{NO-BREAK SPACE}": " "}
)  # fmt: skip
DEEPEST_INDENT = 12


def text(picture: Picture, width: int, colour: bool, ascii_only: bool) -> str:
    """Return the table, the tree and the caption, no line longer than ``width``."""
    caption = textwrap.wrap(clean(picture.caption), width)
    rows = [("#", "name", "operation", "shape", "dtype", "value", "gradient"), *(row(i, box) for i, box in enumerate(picture.boxes))]
    kinds = ["", *(box.kind for box in picture.boxes)]
    body = [*zip(kinds, table(rows, width)), ("", ""), *tree(picture), ("", "")]
    out = []
    for kind, line in [*body, *(("", line) for line in caption)]:
        line = line.translate(ASCII).encode("ascii", "backslashreplace").decode() if ascii_only else line
        line = clipped(line, width, "..." if ascii_only else "…")
        out.append(f"\x1b[{COLOURS[kind]}m{line}\x1b[0m" if colour and kind in COLOURS else line)
    return "\n".join(line.rstrip() for line in out) + "\n"


def row(i: int, box: Box) -> tuple[str, ...]:
    """Return what the table says of a box."""
    shape = "" if box.shape is None else shape_text(box.shape)
    does = box.formula or (box.about if box.operation or box.kind == "folded" else f"{box.kind} {box.about}".rstrip())
    does = f"{does} ({box.kind})" if box.kind in ("loss", "output") else does
    return tuple(map(clean, (str(i), box.name, does, shape, box.dtype, box.value, box.gradient)))


def table(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return rows in columns; empty columns are left out, and the widest ones shrink until the rows fit."""
    columns = [column for column in zip(*rows) if any(column[1:])]
    widths = [max(map(cells, column)) for column in columns]
    while sum(widths) + 2 * (len(widths) - 1) > width and max(widths) > 8:
        widths[widths.index(max(widths))] -= 1
    fitting = [[clipped(cell, w) for cell, w in zip(line, widths)] for line in zip(*columns)]
    return ["  ".join(cell + " " * (w - cells(cell)) for cell, w in zip(line, widths)) for line in fitting]


def tree(picture: Picture) -> list[tuple[str, str]]:
    """Return the outputs with what they were made from indented below; a vertex is spread out once, then pointed at.

    What is too deep to be indented follows further down, at the left margin.
    """
    operands: dict[int, list[int]] = defaultdict(list)
    used = {arrow.tail for arrow in picture.arrows}
    for arrow in picture.arrows:
        operands[arrow.head].append(arrow.tail)
    lines: list[tuple[str, str]] = []
    spread: set[int] = set()
    stack = [(i, "", "", 0) for i in reversed(range(len(picture.boxes))) if i not in used]
    later: list[int] = []
    while stack or later:
        i, lead, branch, depth = stack.pop() if stack else (later.pop(0), "", "", 0)
        below = operands[i]
        mark = "" if not below else "↩ " if i in spread else "↓ " if depth >= DEEPEST_INDENT else ""
        box = picture.boxes[i]
        words = box.name if mark or not box.formula else f"{box.name} = {box.formula}"
        lines.append((box.kind, f"{lead}{branch}{mark}{clean(words)}"))
        if mark:
            later += [i] if mark == "↓ " and i not in later else []
            continue
        spread.add(i)
        inner = lead if not branch else lead + ("│  " if branch[0] == "├" else "   ")
        branches = ["└─ ", *["├─ "] * (len(below) - 1)]
        stack += [(operand, inner, branch, depth + 1) for operand, branch in zip(reversed(below), branches)]
    return lines


def cells(line: str) -> int:
    """Return how many cells of a terminal a line takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def clipped(line: str, width: int, end: str = "…") -> str:
    """Return a line cut to ``width`` cells."""
    if cells(line) <= width:
        return line
    kept, room = "", width - len(end)
    for c in line:
        if cells(kept + c) > room:
            break
        kept += c
    return kept + end
