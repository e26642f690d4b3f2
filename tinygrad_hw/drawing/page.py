"""One self-contained page: the pictures, and a lesson that steps through forward and backward.

Style and script are in the page and named by their digests in its Content-Security-Policy; nothing else may run, and nothing is
fetched. What the user named goes into the page as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.resources import files
from typing import Any

from ..naming import clean
from .again import Program
from .arrays import array_data
from .dot import arrow_legend, dot, in_words
from .languages import LANGUAGES, Translation
from .layout import LayoutError, render_svgs
from .modules import View
from .picture import KINDS, Box, Picture
from .recorded import Recorded
from .steps import Key, Line, Question, Step, Swept, details, steps
from .svg import polished
from .text import text

__all__ = ["Lesson", "page"]

WORDS = {  # explained where they occur
    "⊙": "multiplied entry by entry",
    "Σ": "the sum over the axes in its index; what broadcasting repeats on the way forward is summed on the way back",
    "ᵀ": "transposed: rows become columns",
    "𝟏": "an array of ones",
    "scatter(": "scatter(g, [place], shape): zeros of that shape, with g in that place",
}
COTANGENT = "the derivative of the result by a value, in the value's own shape; where it arrives at an operation it is called g"
COSTS = "2·m·k·n for a product of (m, k) by (k, n), for any other operation one for each entry of its largest array, and one for each sum"


@dataclass(frozen=True)
class Lesson:
    """What a page shows.

    Attributes
    ----------
    recorded : the graph.
    picture : what is drawn where it cannot be stepped through.
    views : the pictures to step through, the whole graph first; empty if it is too large.
    trail : the sweep's steps, or None if there is nothing to start backward from.
    known : the arrays of the graph.
    program : what computes it again, if it can be.
    history : of other times of a training, the number of the epoch and the arrays of its graph; the last is the graph's own.
    """

    recorded: Recorded
    picture: Picture
    views: Sequence[View]
    trail: Sequence[Swept] | None
    known: Mapping[Key, Any]
    program: Program | None = None
    history: Sequence[tuple[int, Mapping[Key, Any]]] = ()


def page(lesson: Lesson, language: str) -> str:
    """Return the page in a language; where the graph is too large to step through, or there is no layout engine, it says so."""
    translate = Translation(language)
    piece = dict(re.findall(r"<!-- (\w+) -->\n(.*?)\n(?=<!-- |$)", read("page.html"), re.DOTALL))  # what a page is put together from
    pictures = [replace(picture, legend=False, theme="light") for picture in [view.picture for view in lesson.views] or [lesson.picture]]
    all_steps = [steps(lesson.recorded, view, lesson.trail or ()) for view in lesson.views]
    stepping = any(len(each) > 1 for each in all_steps)
    drawn, reasons = drawn_pictures(pictures)
    notices = [*reasons, *why_not_all(lesson)]
    style, script = map(read, ("page.css", "page.js"))
    program = f"const program = {as_expression(lesson.program.source) if lesson.program else 'null'}"
    caption = escape(translate(clean(pictures[0].caption)))
    return translate.markup(piece["shell"]).format(
        lang=LANGUAGES[language],
        policy=escape(policy(style, program, script)),
        title=caption,
        style=style,
        caption=caption,
        controls=translate.markup(piece["controls"]) if stepping else "",
        rise=piece["rise"],
        pictures="".join(f'<div class="view" id="v{k}"{" hidden" * (k > 0)}>{translate.markup(svg)}</div>' for k, svg in enumerate(drawn)),
        values=translate.markup(piece["values"]) if lesson.program else "",
        history=translate.markup(piece["history"]).format(last=len(lesson.history) - 1) if lesson.history else "",
        notice="".join(f'<section class="note"><p>{escape(translate(clean(notice)))}</p></section>' for notice in notices),
        step=translate.markup(piece["step"]) if stepping else "",
        legend=translate.markup("".join(legend_rows(pictures, stepping, piece))),
        words=translate.markup(glossary(all_steps)) if stepping else "",
        text=escape(text(pictures[0], 100, colour=False, ascii_only=False)),
        data=as_json({**translated(translate, data(lesson, pictures, all_steps)), "words": translate.table}),
        program=program,
        script=script,
    )


def read(name: str) -> str:
    """Return the text of a file in this folder."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def as_expression(module: str) -> str:
    """Return a JavaScript module's ``make`` as an expression."""
    return f"(() => {{\n{re.sub('^export ', '', module, flags=re.MULTILINE)}return make;\n}})()".replace("</", "<\\/")


def why_not_all(lesson: Lesson) -> list[str]:
    """Say why a graph cannot be stepped through, or why not backward."""
    if not lesson.views:
        boxes = f"{lesson.picture.total} vertices are more than the {len(lesson.picture.boxes)} boxes drawn"
        return [f"This graph is too large to step through: {boxes}. Draw a part of it (an earlier tensor), or raise max_nodes=."]
    if not any(vertex.operation for vertex in lesson.recorded.vertices):
        return ["There is nothing to step through: no operation was recorded."]
    if lesson.trail is None:
        return ["Only forward is shown: backward starts from one number that requires a gradient, or from a cotangent (draw(t, grad=g))."]
    return []


def glossary(all_steps: Iterable[Sequence[Step]]) -> str:
    """Return the words and signs of the steps, each with what it means."""
    formulas = " ".join(line.formula for each in all_steps for step in each for line in step.lines)
    backward = any(step.phase == "backward" for each in all_steps for step in each)
    rows = [("cotangent, g", COTANGENT)] if backward else []
    rows += [(sign.strip("("), meaning) for sign, meaning in WORDS.items() if sign in formulas]
    rows += [("operations on numbers", COSTS)]
    lines = "".join(f"<dt>{sign}</dt><dd>{escape(meaning)}</dd>" for sign, meaning in rows)
    return f'<section aria-labelledby="words-title"><h2 id="words-title">Words and signs</h2><dl class="words">{lines}</dl></section>'


def drawn_pictures(pictures: Sequence[Picture]) -> tuple[list[str], list[str]]:
    """Return the pictures as SVG to put into the page, or as text with the reason."""
    sources = [str(dot(replace(picture, caption="")).source) for picture in pictures]
    try:
        svgs = render_svgs(sources)
    except LayoutError as error:
        return [f"<pre>{escape(text(picture, 100, colour=False, ascii_only=False))}</pre>" for picture in pictures], [str(error)]
    return [steppable(*each, k) for k, each in enumerate(zip(svgs, pictures, sources))], []


def steppable(svg: bytes, picture: Picture, source: str, k: int) -> str:
    """Return a picture of a page whose boxes can be chosen; the number of the picture is in the ids."""
    prefix = f"v{k}" if k else ""
    whole = polished(svg, picture, source, prefix=prefix).replace('role="img"', 'role="group"', 1)
    return re.sub(rf'<g id="{prefix}n(\d+)" ', lambda match: focusable(match, picture), whole)


def focusable(match: re.Match[str], picture: Picture) -> str:
    """Return the beginning of a box's element, with what the keyboard and a screen reader need."""
    words = in_words(replace(picture.boxes[int(match[1])], value="", gradient=""))
    return f'{match[0]}tabindex="0" role="button" aria-label="{escape(clean(words))}" '


def legend_rows(pictures: Sequence[Picture], stepping: bool, piece: Mapping[str, str]) -> list[str]:
    """Return the kinds that occur, each with its shape, then what steps do to them."""
    rows = [(kind, kind, KINDS[kind]) for kind in KINDS if any(box.kind == kind for picture in pictures for box in picture.boxes)]
    if stepping:
        rows += [("result", "active", "what this step is about"), ("result", "touched", "what this step adds a contribution to")]
        rows += [("result", "done", "its gradient is complete")]
    marks = [
        f'<li><svg width="32" height="16" aria-hidden="true"><g class="node {look}">{piece[kind]}</g></svg>{escape(words)}</li>'
        for kind, look, words in rows
    ]
    arrows = dict.fromkeys(line for picture in pictures for line in arrow_legend(picture))
    rising = ["an arrow's words: what becomes of the g that arrives, g × the local derivative"] if stepping else []
    return marks + [f"<li>{escape(line)}</li>" for line in (*arrows, *rising)]


def data(lesson: Lesson, pictures: Sequence[Picture], all_steps: Sequence[Sequence[Step]]) -> dict[str, Any]:
    """Return what the script needs. An array is named by its place among ``arrays``."""
    keys = list(lesson.known)
    slots = {key: slot for slot, key in enumerate(keys)}
    views = [view_data(lesson, view, slots) for view in lesson.views] or [
        picture_data(lesson.picture, [box_data(box, [only_line(box)]) for box in lesson.picture.boxes])
    ]
    for found, each in zip(views, all_steps):
        found["steps"] = [step_data(step, slots) for step in each]
    program = lesson.program
    return {
        "views": views,
        "arrays": [array_data(lesson.known[key]) for key in keys],
        "inputs": [[slots["value", i], clean(lesson.recorded.vertices[i].name)] for i in program.leaves] if program else [],
        "outputs": [slots[key] for key in program.keys] if program else [],
        "loss": slots.get(("value", lesson.recorded.outputs[0])),
        "epochs": [{"epoch": epoch, "arrays": [array_data(arrays[key]) for key in keys]} for epoch, arrays in lesson.history],
    }


def translated(translate: Translation, found: dict[str, Any]) -> dict[str, Any]:
    """Translate what the script is to show; a line that is only a name stays as it is."""
    for view in found["views"] if translate.table else ():
        view["title"] = translate(view["title"])
        names = {box["name"] for box in view["boxes"]}
        for about in (*view["boxes"], *view["steps"]):
            about["lines"] = [[what if what in names else translate(what), *rest] for what, *rest in about["lines"]]
        for step in view["steps"]:
            step |= {key: translate(step[key]) for key in ("title", "sentence")}
            step["questions"] = [{**question, "about": translate(question["about"])} for question in step["questions"]]
    for arrays in (found["arrays"], *[epoch["arrays"] for epoch in found["epochs"]]) if translate.table else ():
        for array in arrays:
            array[2] = translate(array[2])
    return found


def step_data(step: Step, slots: Mapping[Key, int]) -> dict[str, Any]:
    lines, questions = [line_data(line, slots) for line in step.lines], [question_data(question, slots) for question in step.questions]
    return {**vars(step), "lines": lines, "questions": questions}


def view_data(lesson: Lesson, view: View, slots: Mapping[Key, int]) -> dict[str, Any]:
    """Return what the script needs of a picture; its steps are put in later."""
    shows: dict[int, int] = {box: i for i, box in view.owner.items()}  # (the last of a box's vertices gives its result)
    boxes = []
    for box, about in enumerate(view.picture.boxes):
        i = shows[box]
        lines = [only_line(about)]
        if about.kind != "folded":
            lines = [line_data(line, slots) for line in details(lesson.recorded, i, lesson.known)]
        gradient = slots.get(("gradient", i)) if about.gradient else None
        boxes.append(box_data(about, lines, view.opens[box], slots["value", i] if about.value else None, gradient))
    return picture_data(view.picture, boxes) | {"title": clean(view.title), "parent": view.parent}


def picture_data(picture: Picture, boxes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"title": "", "parent": None, "boxes": boxes, "heads": [arrow.head for arrow in picture.arrows], "steps": []}


def box_data(box: Box, lines: list[Any], opens: int | None = None, value: int | None = None, gradient: int | None = None) -> dict[str, Any]:
    return {"name": clean(box.name), "lines": lines, "opens": opens, "value": value, "gradient": gradient}


def only_line(box: Box) -> list[Any]:
    """Return the one line that says what a box is."""
    return line_data(Line(clean(in_words(box)), "", None), {})


def line_data(line: Line, slots: Mapping[Key, int]) -> list[Any]:
    return [line.what, line.formula, None if line.key is None else slots[line.key], line.mathml, line.hidden]


def question_data(question: Question, slots: Mapping[Key, int]) -> dict[str, Any]:
    """Return a question as the script takes it: its answers in the order of the alphabet, and which of them is right."""
    answers = sorted((question.right, *question.wrong))
    return {"about": question.about, "answers": answers, "right": answers.index(question.right), "slot": slots[question.key]}


def as_json(value: Any) -> str:
    """Return JSON that no HTML parser can mistake for markup."""
    return re.sub("[<>&]", lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def policy(style: str, *scripts: str) -> str:
    """Return a Content-Security-Policy that allows this style and these scripts, and nothing else."""
    allowed = [f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" for content in (style, *scripts)]
    return f"default-src 'none'; style-src {allowed[0]}; script-src {' '.join(allowed[1:])}; base-uri 'none'; form-action 'none'"
