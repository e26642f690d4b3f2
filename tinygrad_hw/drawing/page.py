"""One self-contained page: the picture, and a stepper through forward and backward.

Style and script are in the page and named by their digests in its Content-Security-Policy; nothing else may run, and nothing is
fetched. What the user named goes into the page as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from typing import Any

from ..naming import clean
from .dot import arrow_legend, dot, in_words
from .layout import LayoutError, render
from .picture import KINDS, Picture
from .recorded import Recorded
from .steps import Line, Step, Swept, details, steps
from .svg import polished
from .text import text

__all__ = ["page"]

MARKS = {
    "input": '<ellipse cx="16" cy="8" rx="14" ry="6"/>',
    "parameter": '<polygon stroke-width="3" points="3,2 29,2 29,14 3,14"/>',
    "constant": '<polygon points="3,2 24,2 29,6 29,14 3,14"/>',
    "result": '<path d="M7,2H25A4,4 0 0 1 29,6V10A4,4 0 0 1 25,14H7A4,4 0 0 1 3,10V6A4,4 0 0 1 7,2Z"/>',
    "output": '<polygon points="4,4 28,4 28,12 4,12"/><polygon fill="none" points="1,1 31,1 31,15 1,15"/>',
    "loss": '<polygon points="4,4 28,4 28,12 4,12"/><polygon fill="none" points="1,1 31,1 31,15 1,15"/>',
    "folded": '<polygon points="3,5 6,2 29,2 29,11 26,14 3,14"/>',
    "omitted": '<polygon stroke-dasharray="3" points="3,2 29,2 29,14 3,14"/>',
}
SHELL = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header><h1>Computation graph</h1><p>{caption}</p></header>
{controls}
<main>
<div id="picture" tabindex="0" role="region" aria-label="Picture of the graph">{picture}</div>
<div id="side">
{notice}{step}
<section aria-live="polite" aria-labelledby="box-title"><h2 id="box-title">Choose a box</h2><dl id="box-lines"></dl></section>
<section aria-labelledby="legend-title"><h2 id="legend-title">Legend</h2><ul class="legend">{legend}</ul></section>
<noscript><section><h2>All of it as text</h2><p>Stepping needs JavaScript.</p><pre>{text}</pre></section></noscript>
</div>
</main>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""
CONTROLS = """<nav aria-label="Steps">
<button id="first" type="button" aria-label="First step">|◀</button>
<button id="back" type="button" aria-label="One step back">◀</button>
<button id="next" type="button" aria-label="One step on">▶</button>
<button id="last" type="button" aria-label="Last step">▶|</button>
<input id="slider" type="range" min="0" max="{last}" value="0" step="1" aria-label="Step">
<output id="count" for="slider"></output>
</nav>"""
STEP = """<section id="step" aria-live="polite" aria-labelledby="title"><h2 id="title"></h2><dl id="lines"></dl></section>
<p class="keys"><kbd>←</kbd> <kbd>→</kbd> one step · <kbd>Home</kbd> <kbd>End</kbd> · <kbd>f</kbd> forward · <kbd>b</kbd> backward ·
<kbd>Tab</kbd> or a click chooses a box</p>"""


def page(recorded: Recorded, picture: Picture, replayed: Callable[[], tuple[list[Swept], dict[Any, Any]] | None]) -> str:
    """Return the page of a picture; where it is too large to step through, or there is no layout engine, it says so."""
    picture = replace(picture, legend=False, theme="light")
    whole = all(box.count == 1 for box in picture.boxes)
    swept = replayed() if whole else None
    trail, gradients = swept or ([], {})
    all_steps = steps(recorded, picture, trail) if whole else []
    notices = [*why_no_steps(picture, whole), *why_no_backward(picture, whole, swept is not None)]
    drawn, reason = drawn_picture(picture)
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return SHELL.format(
        policy=escape(policy(style, script)),
        title=escape(clean(picture.caption)),
        style=style,
        caption=escape(clean(picture.caption)),
        controls=CONTROLS.format(last=len(all_steps) - 1) if len(all_steps) > 1 else "",
        picture=drawn,
        notice="".join(f'<section class="note"><p>{escape(clean(notice))}</p></section>' for notice in [*reason, *notices]),
        step=STEP if len(all_steps) > 1 else "",
        legend="".join(legend_rows(picture, len(all_steps) > 1)),
        text=escape(text(picture, 100, colour=False, ascii_only=False)),
        data=as_json(data(recorded, picture, all_steps, gradients)),
        script=script,
    )


def why_no_steps(picture: Picture, whole: bool) -> list[str]:
    """Say why a graph cannot be stepped through."""
    if whole:
        return [] if any(box.operation for box in picture.boxes) else ["There is nothing to step through: no operation was recorded."]
    return [
        f"This graph is too large to step through: {picture.total} vertices are more than the {len(picture.boxes)} boxes drawn. "
        "Draw a part of it (an earlier tensor), or raise max_nodes=."
    ]


def why_no_backward(picture: Picture, whole: bool, swept: bool) -> list[str]:
    """Say why there is no backward to step through."""
    if not whole or swept or not any(box.operation for box in picture.boxes):
        return []
    return ["Only forward is shown: backward starts from one number that requires a gradient, or from a cotangent (draw(t, grad=g))."]


def drawn_picture(picture: Picture) -> tuple[str, list[str]]:
    """Return the picture as SVG to put into the page, or as text with the reason."""
    source = str(dot(replace(picture, caption="")).source)
    try:
        svg = polished(render(source, "svg"), picture, source, prefix="")
    except LayoutError as error:
        return f"<pre>{escape(text(picture, 100, colour=False, ascii_only=False))}</pre>", [str(error)]
    svg = svg.replace('role="img"', 'role="group"', 1)
    return re.sub(r'<g id="n(\d+)" ', lambda match: focusable(match, picture), svg), []


def focusable(match: re.Match[str], picture: Picture) -> str:
    """Return the beginning of a box's element, with what the keyboard and a screen reader need."""
    return f'{match[0]}tabindex="0" role="button" aria-label="{escape(clean(in_words(picture.boxes[int(match[1])])))}" '


def legend_rows(picture: Picture, stepping: bool) -> list[str]:
    """Return the kinds that occur, each with its shape, then what steps do to them."""
    rows = [(kind, kind, KINDS[kind]) for kind in KINDS if any(box.kind == kind for box in picture.boxes)]
    if stepping:
        rows += [("result", "active", "what this step is about"), ("result", "touched", "what this step adds a contribution to")]
    marks = [
        f'<li><svg width="32" height="16" aria-hidden="true"><g class="node {look}">{MARKS[kind]}</g></svg>{escape(words)}</li>'
        for kind, look, words in rows
    ]
    return marks + [f"<li>{escape(line)}</li>" for line in arrow_legend(picture)]


def data(recorded: Recorded, picture: Picture, all_steps: Sequence[Step], gradients: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what the script needs."""
    boxes = enumerate(picture.boxes)
    lines = [details(recorded, recorded.vertices[i], gradients) if all_steps else [Line(clean(in_words(box)), "", "")] for i, box in boxes]
    return {
        "boxes": [{"name": clean(box.name), "lines": [row(line) for line in about]} for box, about in zip(picture.boxes, lines)],
        "arrows": len(picture.arrows),
        "heads": [arrow.head for arrow in picture.arrows],
        "steps": [{**vars(step), "lines": [row(line) for line in step.lines]} for step in all_steps],
    }


def row(line: Line) -> list[str]:
    """Return a line as the script takes it."""
    return [line.what, line.formula, line.value, line.mathml]


def as_json(value: Any) -> str:
    """Return JSON that no HTML parser can mistake for markup."""
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def policy(style: str, script: str) -> str:
    """Return a Content-Security-Policy that allows this style and this script, and nothing else."""
    digests = [base64.b64encode(hashlib.sha256(content.encode()).digest()).decode() for content in (style, script)]
    return f"default-src 'none'; style-src 'sha256-{digests[0]}'; script-src 'sha256-{digests[1]}'; base-uri 'none'; form-action 'none'"
