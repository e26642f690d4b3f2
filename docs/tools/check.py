"""Look at the built pages: ``python docs/tools/check.py out/docs``, which ``make docs`` does at its end.

Every link within them must lead somewhere, and nothing may come from the network. Where there is a Chromium, the pages are opened
in it too, wide and light, narrow and dark: none may ask for an address, write an error to the console, or be cut off at the right.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

TESTS = Path(__file__).resolve().parents[2] / "tests"
NETWORK = re.compile(r"(?:https?:)?//")
LOADED = {("script", "src"), ("img", "src"), ("iframe", "src"), ("link", "href"), ("source", "src"), ("video", "src"), ("object", "data")}
MOST_OF_REFERENCE = 12  # pages of the reference to open in the browser: they are made alike
CUT_OFF = """
    const width = document.documentElement.clientWidth, found = [];
    const scrolls = e => e && e !== document.body && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    for (const e of document.querySelectorAll('.bd-article *'))
        if (e.getBoundingClientRect().width && e.getBoundingClientRect().right > width + 1 && !scrolls(e)) found.push(e.tagName);
    return found.slice(0, 3);
"""


class Page(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.places: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            elif (tag, name) in LOADED:
                self.loads.append(value)
            elif tag == "a" and name == "href":
                self.links.append(value)


read = cache(Page)


def pages_in(root: Path) -> list[Path]:
    """Return the built pages, without the theme's own templates."""
    return [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]


def faults(root: Path) -> Iterator[str]:
    """Yield what is wrong in the files."""
    for path in pages_in(root):
        page = read(path)
        for address in page.loads:
            if NETWORK.match(address):
                yield f"{path.relative_to(root)} loads {address}"
        for address in [*page.links, *page.loads]:
            target, place = urldefrag(address)
            if NETWORK.match(address) or re.match(r"[a-z]+:", address):
                continue
            file = path if not target else (path.parent / unquote(target.split("?")[0])).resolve()
            if not file.exists():
                yield f"{path.relative_to(root)} links to {address}, which does not exist"
            elif place and file.suffix == ".html" and unquote(place) not in read(file).places:
                yield f"{path.relative_to(root)} links to {address}, and there is no such place in that page"
    for path in sorted(root.rglob("*.css")):
        for address in re.findall(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(root)} loads {address}"


def seen(root: Path) -> Iterator[str]:
    """Yield what is wrong in a browser."""
    sys.path.insert(0, str(TESTS))
    from browser import Browser

    pages = [path for path in pages_in(root) if path.relative_to(root).parts[0] != "sources"]
    of_reference = [path for path in pages if path.relative_to(root).parts[0] == "reference"]
    with Browser() as browser:
        for width, scheme in ((1400, "light"), (390, "dark")):
            browser.emulate(scheme, width=width)
            for path in pages:
                if path not in of_reference[MOST_OF_REFERENCE:]:
                    yield from (f"{path.relative_to(root)}, {width} px, {scheme}: {what}" for what in opened(browser, path))


def opened(browser: Any, path: Path) -> Iterator[str]:
    """Yield what is wrong with a page that is opened."""
    browser.open(path.as_uri())
    for cut in browser.run(CUT_OFF):
        yield f"a {cut} is cut off at the right"
    for address in browser.requests():
        if not address.startswith(("file:", "data:", "about:")):
            yield f"asks for {address}"
    for entry in browser.call("POST", "/se/log", {"type": "browser"}):
        if entry["level"] == "SEVERE":
            yield str(entry["message"])


def main(root: Path) -> int:
    """Check the pages in a folder; return 1 if something is wrong."""
    found = list(faults(root))
    if shutil.which("chromium") and shutil.which("chromedriver"):
        found += seen(root)
    else:
        print("there is no Chromium here: the pages were not opened")
    print(*found, f"{len(pages_in(root))} pages, {len(found)} faults", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
