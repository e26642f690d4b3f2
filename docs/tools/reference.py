"""The pages of the reference: docstrings as reStructuredText, and pictures of what draws.

Docstrings are plain text first: |x| and (N, *space) mean what they say, and are kept from being read as markup.
"""

from __future__ import annotations

import doctest
import re
from contextlib import redirect_stdout
from functools import cache
from typing import Any

from sphinx.application import Sphinx

import tinygrad_hw as tg

PLAIN = re.compile(r"(``[^`]*``)|(\*\*|\*(?=\w)|\||(?<=\w)_(?=\W|$))")
DRAWN = ("tinygrad_hw.draw", "tinygrad_hw.drawing.Drawing")
DERIVED = ("tinygrad_hw.explain", "tinygrad_hw.equations.Equations")


def escaped(line: str) -> str:
    """Return a line of prose with the characters escaped that would be markup, but for literals."""
    return PLAIN.sub(lambda found: found[1] or "\\" + found[2].replace("**", "*\\*"), line)


def plain_text(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep what is meant as text in a docstring from being read as markup; code and formulas that stand in are left alone."""
    prose = True
    for i, line in enumerate(lines):
        if line.startswith(">>>"):
            prose = False
        elif not line.strip():
            prose = True
        if (prose and not line.startswith((" ", "..", "=", "-"))) or (re.match(r" {4}\S", line) and not in_block(lines, i)):
            lines[i] = escaped(line)


def in_block(lines: list[str], i: int) -> bool:
    """Tell whether an indented line belongs to a block of code, which two colons announce."""
    above = [line for line in lines[:i] if line and not line.startswith(" ")]
    return bool(above) and above[-1].endswith("::")


@cache
def examples_value(obj: Any) -> Any:
    """Run the examples of a docstring; return the drawing or the equations that they make."""
    scope: dict[str, Any] = {"__name__": "__main__"}
    with redirect_stdout(None):
        for example in doctest.DocTestParser().get_examples(obj.__doc__):
            exec(compile(example.source, "<example>", "exec"), scope)
    return next(value for value in scope.values() if isinstance(value, (tg.drawing.Drawing, tg.equations.Equations)))


def with_a_picture(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Show below the examples of what draws what they draw."""
    if name in (*DRAWN, *DERIVED):
        made = examples_value(obj)
        picture = made.mathml() if name in DERIVED else made.svg()[made.svg().index("<svg") :]
        lines += [
            "",
            ".. raw:: html",
            "",
            '   <div class="cell_output">',
            *(f"   {line}" for line in picture.splitlines()),
            "   </div>",
            "",
        ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the two steps: the first before numpydoc reads the docstring, the second after."""
    app.connect("autodoc-process-docstring", plain_text, priority=400)
    app.connect("autodoc-process-docstring", with_a_picture, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
