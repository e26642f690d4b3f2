"""Pages in English and Traditional Chinese: both are in the page, a switch chooses which is shown."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Both", "document", "element"]

# The switch works without scripts; a page's script tells ``document.documentElement.lang``, and asks the browser for its language.
RULES = """
:root:has(#zh:checked) body [lang="en"], :root:not(:has(#zh:checked)) body [lang="zh-Hant"] { display: none; }
#languages { border: 0; padding: 0; margin: 0 0 1rem; display: flex; gap: 1rem; justify-content: flex-end; }
"""
SWITCH = """<fieldset id="languages"><legend hidden>language 語言</legend>
<label><input type="radio" name="language" id="english" value="en" checked autocomplete="off"> <span>English</span></label>
<label><input type="radio" name="language" id="zh" value="zh-Hant" autocomplete="off"> <span>繁體中文</span></label></fieldset>"""


class Both(NamedTuple):
    """The same words in English and in Traditional Chinese."""

    en: str
    zh: str

    def html(self) -> str:
        """Return both as HTML; the page shows one of them."""
        return f'<span lang="en">{self.en}</span><span lang="zh-Hant">{self.zh}</span>'


def element(tag: str, en: str, zh: str, attributes: str = "") -> str:
    """Return an element in both languages."""
    return f"<{tag}{attributes}>{Both(en, zh).html()}</{tag}>"


def document(title: Both, policy: str, style: str, body: str) -> str:
    """Return a page that needs no network, with the switch and its title as heading."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; {policy}">
<title>{" · ".join(title)}</title>
<style>{RULES}{style}</style>
</head>
<body>
{SWITCH}
{element("h1", *title)}
{body}
</body>
</html>
"""
