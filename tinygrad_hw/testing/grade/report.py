"""What was found, as text, for Jupyter, and as a page for a class; in English and in Traditional Chinese."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any
from unicodedata import east_asian_width

from .assess import Assessment, Line
from .mistakes import Blame
from .words import LANGUAGES, MISTAKES, NOTES, WORDS

__all__ = ["Grade", "class_page"]

SIGNS = {"right": "✓", "wrong": "✗", "follows": "~", "missing": "–", "unknown": " "}
TAGS = {"en": "en", "zh-TW": "zh-Hant-TW"}

STYLE = """
.grade { color-scheme: light dark; --ink: #1c1c1c; --paper: #fff; --faint: #d9d9d9; --soft: #f4f5f6; }
.grade { --right: #17703a; --wrong: #b3261e; --after: #7a5900; }
@media (prefers-color-scheme: dark) {
  .grade { --ink: #e6e6e6; --paper: #16181c; --faint: #3d4148; --soft: #1f2227; }
  .grade { --right: #7ed29c; --wrong: #ff9c93; --after: #e5c36b; }
}
.grade { background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
.grade a { color: inherit; }
.grade .scroll { overflow-x: auto; max-width: 100%; }
.grade table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0 1rem; }
.grade th, .grade td { text-align: left; vertical-align: top; padding: .2rem .7rem .2rem 0; border-bottom: 1px solid var(--faint); }
.grade th, .grade td { color: var(--ink); background: none; }
.grade code, .grade pre { font: .85rem/1.4 ui-monospace, monospace; white-space: pre-wrap; color: var(--ink); background: none; }
.grade .mistake { border-left: 4px solid var(--wrong); padding: .2rem 1rem; margin: .7rem 0; background: var(--soft); overflow-x: auto; }
.grade .right { color: var(--right); } .grade .wrong, .grade .missing { color: var(--wrong); } .grade .follows { color: var(--after); }
"""


@dataclass(frozen=True)
class Sheet:
    """A report in words, that can be sent from one process to another."""

    name: str
    text: str
    section: str  # the report as an element of HTML
    points: int
    total: int
    marks: tuple[tuple[str, str], ...]  # of each equation its left side and its verdict
    first: str  # the first mistake
    is_right: bool
    is_graded: bool = True

    @classmethod
    def ungraded(cls, name: str, why: str, language: str) -> Sheet:
        """Return the sheet of what could not be graded."""
        text = f"{name}: {WORDS[language]['ungraded']}: {why}"
        section = f"<div class='grade'><pre class='wrong'>{escape(text)}</pre></div>"
        return cls(name, text, section, 0, 0, (), why.splitlines()[-1], False, False)


class Grade:
    """What ``grade`` found; ``str`` gives the report, Jupyter shows it.

    Attributes
    ----------
    right : whether every gradient is right, in both steps.
    mistakes : the mistakes in order, each with ``line``, ``text``, ``mistake`` and ``equation``.
    points, total : how many equations of the backward pass are right, and how many there are.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import grade
    >>> def gradient(W, X, y):
    ...     delta = y - X @ W
    ...     return X.T @ delta
    >>> loss = lambda W, X, y: np.sum((X @ W - y) ** 2) / 2
    >>> found = grade(gradient, loss, np.array([[1.0], [2.0]]), np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0], [2.0]]))
    >>> found.right, found.mistakes[0].line, len(found.notes()), found.sheet().points
    (False, 2, 2, 0)
    >>> "<html" in found.html(), "<html" in found.section()
    (True, False)
    """

    def __init__(self, found: Assessment, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"language={language!r}: give one of {', '.join(map(repr, LANGUAGES))}")
        self.found, self.language = found, language
        self.name = found.name
        self.mistakes: tuple[Blame, ...] = tuple(found.blames)
        self.right = not found.blames and found.crash is None
        self.points = sum(mark.verdict in ("right", "follows") for mark in found.marks)
        self.total = len(found.marks)

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return f"<Grade of {self.name}: {self.points} of {self.total}>"

    # Words
    def word(self, key: str, *pieces: Any) -> str:
        return WORDS[self.language][key].format(*pieces)

    def sentence(self, blame: Blame) -> str:
        """Say what a mistake is."""
        mistake = blame.mistake
        right, wrong = mistake.right, mistake.wrong
        if mistake.kind == "axis":
            right, wrong = (self.word("axis", axis) if axis else self.word("all") for axis in (right, wrong))
        return MISTAKES[self.language][mistake.kind].format(right=right, wrong=wrong)

    def where(self, blame: Blame) -> str:
        """Say where a mistake is and what it is."""
        what = self.sentence(blame)
        text = self.word("wrong", blame.line, what) if blame.line else self.word("nowhere", what)
        return f"{text} {self.word('step', self.found.step)}" if self.found.step > 1 else text

    def what(self, line: Line) -> str:
        """Say what a line makes."""
        if line.verdict == "wrong":
            return self.word("wrong here")
        if not line.quantity:
            return ""
        text = self.word("is", line.quantity) if line.factor == 1 else self.word("times", self.factor(line.factor), line.quantity)
        text = f"{text}, {self.word(line.form)}" if line.form else text
        return f"{text} ({self.word('follows')})" if line.verdict == "follows" else text

    def factor(self, factor: float) -> str:
        """Write a factor: N where it is the length of the batch."""
        sign = "−" if factor < 0 else ""
        for n in self.found.counts[:1]:
            for size, text in ((n, "N"), (1 / n, "1/N"), (2 * n, "2 N"), (2 / n, "2/N"), (n / 2, "N/2")):
                if abs(abs(factor) / size - 1) < 1e-6:
                    return sign + text
        return f"{sign}{abs(factor):.6g}"

    def notes(self) -> list[str]:
        """Return what the data hide, in words."""
        return [NOTES[self.language][kind].format(*pieces) for kind, *pieces in self.found.notes]

    def sheet(self) -> Sheet:
        """Return what the page of a class shows of this grade: the text, the points, the marks and the first mistake."""
        marks = tuple((mark.text.split(" = ")[0], mark.verdict) for mark in self.found.marks)
        first = self.where(self.mistakes[0]) if self.mistakes else ""
        return Sheet(self.name, str(self), self.section(), self.points, self.total, marks, first, self.right)

    # Text
    def __str__(self) -> str:
        out = [f"{self.name}: {self.word('points', self.points, self.total)}", *self.notes()]
        if self.right:
            out.append(self.word("right"))
        for blame in self.mistakes:
            out += [self.where(blame), *([f"    {blame.text}"] if blame.text else [])]
            out += [f"    {self.word('equation', blame.equation.text)}"] if blame.equation is not None else []
        if self.found.lines:
            width = min(max(wide(line.text) for line in self.found.lines), 72)
            out += ["", self.word("lines")]
            for line in self.found.lines:
                out.append(f"  {SIGNS[line.verdict]} {line.number:>4}  {padded(line.text, width)}  {self.what(line)}".rstrip())
        out += ["", self.word("marks")]
        out += [f"  {SIGNS[mark.verdict]}  {mark.text}   {verdict_word(mark.verdict, self.language)}" for mark in self.found.marks]
        if self.found.crash is not None and self.found.crash.traceback:
            out += ["", self.word("traceback"), self.found.crash.traceback.rstrip()]
        return "\n".join(out)

    # HTML
    def _repr_html_(self) -> str:
        return f"<style>{STYLE}</style>{self.section()}"

    def html(self) -> str:
        """Return a page about this code alone."""
        return page(self.name, self.language, self.section())

    def section(self) -> str:
        """Return the report as an element of HTML."""
        out = [f"<p><b>{escape(self.name)}</b>: {self.word('points', self.points, self.total)}</p>"]
        out += [f"<p>{escape(note)}</p>" for note in self.notes()]
        out += [f"<p class='right'>{self.word('right')}</p>"] if self.right else []
        for blame in self.mistakes:
            equation = f"<div>{escape(self.word('equation', ''))}{blame.equation.mathml}</div>" if blame.equation is not None else ""
            code = f"<pre>{escape(blame.text)}</pre>" if blame.text else ""
            out.append(f"<div class='mistake'><b class='wrong'>{escape(self.where(blame))}</b>{code}{equation}</div>")
        if self.found.lines:
            heads = "".join(f"<th scope='col'>{self.word(key)}</th>" for key in ("line", "code", "what"))
            rows = "".join(
                f"<tr><td>{line.number}</td><td><code>{escape(line.text)}</code></td>"
                f"<td class='{line.verdict}'>{SIGNS[line.verdict]} {escape(self.what(line))}</td></tr>"
                for line in self.found.lines
            )
            out.append(f"<h3>{self.word('lines')}</h3><div class='scroll'><table><tr>{heads}</tr>{rows}</table></div>")
        marks = "".join(
            f"<tr><td>{mark.equation.mathml}</td><td class='{mark.verdict}'>{SIGNS[mark.verdict]} "
            f"{verdict_word(mark.verdict, self.language)}</td></tr>"
            for mark in self.found.marks
        )
        out.append(f"<h3>{self.word('marks')}</h3><div class='scroll'><table>{marks}</table></div>")
        if self.found.crash is not None and self.found.crash.traceback:
            out.append(f"<h3>{self.word('traceback')}</h3><pre>{escape(self.found.crash.traceback)}</pre>")
        return f"<div class='grade' lang='{TAGS[self.language]}'>{''.join(out)}</div>"


def class_page(grades: Iterable[Grade | Sheet], language: str = "en") -> str:
    """Return the page of a class: a table of marks for each equation, and everybody's report below it.

    Parameters
    ----------
    grades : iterable of Grade
        In the order of the table.
    language : {"en", "zh-TW"}
        Of the page's own words.

    Returns
    -------
    str
        HTML that needs no other file.
    """
    sheets = [grade.sheet() if isinstance(grade, Grade) else grade for grade in grades]
    words = WORDS[language]
    equations = [text for text, _ in max((sheet.marks for sheet in sheets), key=len, default=())]
    heads = "".join(f"<th scope='col'>{escape(text)}</th>" for text in (words["name"], words["sum"], *equations, words["first"]))
    rows = []
    for k, sheet in enumerate(sheets):
        aligned = len(sheet.marks) == len(equations)  # (weights may have other names)
        marks = dict(zip(equations, (verdict for _, verdict in sheet.marks))) if aligned else dict(sheet.marks)
        verdicts = [marks.get(text, "missing") for text in equations]
        cells = "".join(f"<td class='{verdict}' title='{verdict_word(verdict, language)}'>{SIGNS[verdict]}</td>" for verdict in verdicts)
        name = f"<th scope='row'><a href='#g{k}'>{escape(sheet.name)}</a></th>"
        rows.append(f"<tr>{name}<td>{sheet.points}/{sheet.total}</td>{cells}<td>{escape(sheet.first or words['none'])}</td></tr>")
    table = f"<div class='scroll'><table><tr>{heads}</tr>{''.join(rows)}</table></div>"
    sections = "".join(f"<section id='g{k}'><h2>{escape(sheet.name)}</h2>{sheet.section}</section>" for k, sheet in enumerate(sheets))
    return page(words["class"], language, f"<h1>{words['class']}</h1>{table}{sections}")


def verdict_word(verdict: str, language: str) -> str:
    return WORDS[language][f"verdict {verdict}"]


def page(title: str, language: str, body: str) -> str:
    """Return a page that needs no other file."""
    return f"""<!DOCTYPE html>
<html lang="{TAGS[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}
body {{ margin: 0; }}
main {{ max-width: 64rem; margin: 0 auto; padding: 1rem; }}
</style>
</head>
<body class="grade">
<main>
{body}
</main>
</body>
</html>
"""


def wide(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def padded(text: str, width: int) -> str:
    """Return a text, cut or filled up to a width."""
    text = text if wide(text) <= width else text[: width - 1] + "…"
    return text + " " * (width - wide(text))
