"""From DOT to SVG, PNG and PDF: the ``dot`` program, else the Graphviz in pygraphviz's wheel, always in another process.

A process of its own costs a tenth of a second, and nothing that the library does to a strange label can end the user's.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

from ..errors import TinygradError

__all__ = ["LayoutError", "engine", "render", "render_svgs"]

TIMEOUT = 60
WORKER = """
import sys, pygraphviz
for text in sys.stdin.buffer.read().decode().split("\\0"):
    sys.stdout.buffer.write(pygraphviz.AGraph(string=text).draw(format=sys.argv[1][2:], prog="dot"))
"""
REMEDIES = (
    "no layout engine for pictures was found: install Graphviz so that `dot` is on PATH (apt install graphviz, brew install graphviz), "
    "or `pip install pygraphviz`, whose wheel carries it. Drawing.text() and .mermaid() work without"
)


class LayoutError(TinygradError, RuntimeError):
    """A drawing could not be laid out: no engine, no end, or an engine's own error."""


def engine() -> tuple[str, list[str]] | None:
    """Return the layout engine that there is, as its name and the command that starts it; None if there is none."""
    program = shutil.which("dot")
    if program:
        return f"dot ({program})", [program]
    if find_spec("pygraphviz"):
        return "pygraphviz", [sys.executable, "-c", WORKER]
    return None


def render(dot: str, form: str) -> bytes:
    """Return the drawing of DOT text in a format that Graphviz knows, such as svg, png or pdf; LayoutError says what went wrong."""
    found = engine()
    if found is None:
        raise LayoutError(REMEDIES)
    name, command = found
    dot = dot if name == "pygraphviz" else dot.replace("\0", "\n")
    try:
        done = subprocess.run([*command, f"-T{form}"], input=dot.encode(), capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise LayoutError(
            f"{name} did not end within {TIMEOUT} s: draw fewer boxes (max_nodes=...) or collapse modules (depth=1)"
        ) from None
    complaint = done.stderr.decode(errors="replace").strip()
    if done.returncode or not done.stdout:
        raise LayoutError(f"{name} could not draw this as {form} (exit status {done.returncode}): {complaint[-500:] or 'no reason given'}")
    if "too large" in complaint:
        raise LayoutError(
            "the picture is too large for a bitmap: use .svg() or .pdf(), or draw fewer boxes (max_nodes=...). "
            f"{name} says: {complaint[-200:]}"
        )
    return done.stdout


def render_svgs(dots: Sequence[str]) -> list[bytes]:
    """Return the drawings of several DOT texts as SVG, by one process; raises as ``render`` does."""
    end = b"</svg>\n"
    return [svg + end for svg in render("\0".join(dots), "svg").split(end)[:-1]]
