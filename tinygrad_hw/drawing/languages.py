"""The words of the stepping page in another language: a table says what each English sentence is called there.

In a sentence of the table ``{}`` stands for anything, which is kept as it is, ``{#}`` for a number, and ``{*}`` for words that are
looked up themselves.
"""

from __future__ import annotations

import json
import re
from html import escape, unescape
from importlib.resources import files

__all__ = ["LANGUAGES", "Translation"]

LANGUAGES = {"en": "en", "zh-TW": "zh-Hant-TW"}
FRAGMENT = re.compile(r'(?<=>)[^<>]+(?=<)|(?<=aria-label=")[^"]+(?=")')


class Translation:
    """The words of a language for English sentences.

    Attributes
    ----------
    table : English to the language; empty for English itself.
    """

    def __init__(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError(f"html(language={language!r}): give one of {', '.join(map(repr, LANGUAGES))}")
        own = "{}" if language == "en" else files(__package__).joinpath(f"page.{language}.json").read_text(encoding="utf-8")
        self.table: dict[str, str] = json.loads(own)
        self.patterns = [(re.compile(pattern(english)), english, other) for english, other in self.table.items() if "{" in english]

    def __call__(self, text: str) -> str:
        """Return a text in the language; what the table does not have stays as it is."""
        if text in self.table or not self.table:
            return self.table.get(text, text)
        for known, english, other in self.patterns:
            if match := known.fullmatch(text):
                kinds = re.findall(r"\{[*#]?\}", english)
                return other.format(*[self(piece) if kind == "{*}" else piece for kind, piece in zip(kinds, match.groups())])
        return " · ".join(map(self, text.split(" · "))) if " · " in text else text

    def markup(self, html: str) -> str:
        """Return HTML with its texts and the labels of its elements in the language."""
        return FRAGMENT.sub(self.fragment, html) if self.table else html

    def fragment(self, match: re.Match[str]) -> str:
        """Return a text of HTML in the language, with the space around it."""
        text = match[0].strip()
        translated = self(unescape(text))
        return match[0] if translated == unescape(text) else match[0].replace(text, escape(translated, quote=False))


def pattern(english: str) -> str:
    """Return a sentence as a regular expression that has a group for each of its gaps."""
    gaps = {"{}": "((?:(?! · ).)+)", "{#}": r"(\d+)", "{*}": "(.+)"}  # (dots divide a line into parts)
    return "".join([gaps.get(piece) or re.escape(piece) for piece in re.split(r"(\{[*#]?\})", english)])
