"""A program beside the equations that its lines compute: ``explain(loss).beside(step.source)``."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from html import escape
from typing import Any

from ..naming import label_of

__all__ = ["Beside", "highlighted"]

PARTS = re.compile(
    r"(?P<comment>#.*)|(?P<text>\"\"\".*?\"\"\"|'[^']*')"
    r"|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*(?:[eE][-+]?\d+)?)|(?P<rest>.)"
)
STYLE = """<style>
.beside { border-collapse: collapse; } .beside td { text-align: left; vertical-align: top; padding: 0 1em 0 0; }
.beside code { white-space: pre; font-family: monospace; } .beside math { white-space: nowrap; }
.py-comment { opacity: .65; font-style: italic; } .py-keyword { font-weight: bold; }
.py-number { color: #0b6e4f; } .py-text { opacity: .8; }
@media (prefers-color-scheme: dark) { .py-number { color: #6fd3ae; } }
</style>"""


class Beside:
    """The lines of a program, each with the equation of what it computes, or None; shown by Jupyter as a table.

    Attributes
    ----------
    rows : tuple of (str, Equation or None)
    """

    def __init__(self, source: str, equations: Mapping[tuple[str, str], Any]) -> None:
        lines = source.rstrip("\n").split("\n")
        self.rows = tuple([(line, equation_of(line, equations)) for line in lines])

    def __str__(self) -> str:
        width = max(len(line) for line, equation in self.rows if equation or len(self.rows) == 1)
        lines = [f"{line:<{width}}  # ({equation.number})  {equation.text}" if equation else line for line, equation in self.rows]
        return "\n".join([*lines, ""])

    def __repr__(self) -> str:
        return f"<Beside: {len(self.rows)} lines, {sum(equation is not None for _, equation in self.rows)} with an equation>"

    def html(self) -> str:
        """Return a table of HTML: each line of the program, highlighted, and its equation."""
        rows = [(highlighted(line), *((f"({e.number})", e.mathml) if e else ("", ""))) for line, e in self.rows]
        cells = "".join(f"<tr><td><code>{line}</code></td><td>{number}</td><td>{math}</td></tr>" for line, number, math in rows)
        return f"{STYLE}<table class='beside'>{cells}</table>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/html": self.html()}


def equation_of(line: str, equations: Mapping[tuple[str, str], Any]) -> Any:
    """Return the equation of what a line of code computes, or None: of δ₂ where it sets ``delta2`` or ``δ2``, of ∂L/∂W₂ for ``dW2``."""
    target = re.match(r"\s*(\w+) = ", line)
    if target is None:
        return None
    found = equations.get(("", target[1])) or equations.get(("", label_of(target[1]).plain))
    return found or (equations.get(("d", label_of(target[1][1:]).plain)) if target[1][0] == "d" and len(target[1]) > 1 else None)


def highlighted(line: str) -> str:
    """Return a line of Python as HTML, with spans for comments, keywords, numbers and strings."""

    def part(match: re.Match[str]) -> str:
        kind, text = str(match.lastgroup), escape(match[0])
        kind = "keyword" if kind == "word" and keyword.iskeyword(match[0]) else kind
        return text if kind in ("word", "rest") else f'<span class="py-{kind}">{text}</span>'

    return PARTS.sub(part, line)
