"""The pages of ``docs/``: each has its place, none needs the network, and what they name is there. (``make docs`` runs their cells.)"""

import ast
import fnmatch
import re
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
OTHERS = {"tools", "_templates", "generated"}  # (Sphinx makes the last one)
PAGES = sorted(path for path in DOCS.rglob("*") if path.suffix in (".md", ".rst") and not OTHERS.intersection(path.parts))
COMPARISONS = sorted((DOCS / "guides").glob("from-*.md"))
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))


def text_of(page):
    return page.read_text(encoding="utf-8")


def cells(page):
    """Return the code of a page's cells."""
    return re.findall(r"^```\{code-cell\}[^\n]*\n(?:---\n.*?---\n|(?::[^\n]*\n)*)(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)


def directives(page, name):
    """Return the argument, the options and the content of each directive of a name."""
    found = []
    for argument, body in re.findall(rf"^(?:```|:::)\{{{name}\}}[ ]*([^\n]*)\n(.*?)^(?:```|:::)", text_of(page), re.DOTALL | re.MULTILINE):
        options = dict(re.findall(r"^:([\w-]+):[ ]*['\"]?(.*?)['\"]?$", body, re.MULTILINE))
        found.append((argument.strip(), options, re.sub(r"^:.*\n", "", body, flags=re.MULTILINE).split("\n")))
    return found


def name_of(page):
    """Return what a table of contents calls a page."""
    return page.relative_to(DOCS).with_suffix("").as_posix()


def listed_in(page):
    """Return the pages that a page's tables of contents name, and those that stand in none on purpose and that it links to."""
    listed = set()
    for _, _, lines in directives(page, "toctree"):
        for entry in filter(None, (re.sub(r".*<(.*)>$", r"\1", line.strip()) for line in lines)):
            wanted = str((page.parent / entry).relative_to(DOCS))
            listed |= {
                other for other in PAGES if fnmatch.fnmatch(str(other.relative_to(DOCS).with_suffix("")), wanted.removesuffix(".md"))
            }
    linked = {(page.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+\.md)", text_of(page))}
    return (listed | {other for other in PAGES if other in linked and text_of(other).startswith("---\norphan: true")}) - {page}


def test_every_page_can_be_reached_from_the_first():
    reached, todo = set(), [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        todo += listed_in(page) - reached
    assert set(PAGES) == reached


@by_name
def test_no_page_loads_anything_from_the_network(page):
    text = text_of(page)
    loaded = re.findall(r"!\[[^\]]*\]\((?:https?:)?//[^)]*\)|<(?:img|script|link|iframe|source)[^>]*(?:https?:)?//[^>]*>", text)
    loaded += re.findall(r"\{(?:image|figure)\} *(?:https?:)?//.*", text)
    assert not loaded


def test_the_build_asks_for_no_address():
    for file in (DOCS / "conf.py", *DOCS.glob("_static/*")):
        assert "://" not in text_of(file), file


def named_in(page):
    """Return the names of the package that a page's code uses, as ``testing.grade``."""
    code = "\n".join([*cells(page), *re.findall(r"`([^`\n]+)`", text_of(page))])
    names = re.findall(r"(?<![\w.])(?:tg|tinygrad_hw)\.([A-Za-z_][\w.]*\w)", code)
    return {name for name in names if not name.endswith((".py", ".js", ".md"))}


@by_name
def test_every_public_name_that_a_page_uses_exists(page):
    for name in named_in(page):
        resolve_name(f"tinygrad_hw.{name}")


@by_name
def test_every_block_of_python_is_a_cell_that_the_build_runs(page):
    assert not re.findall(r"^```(?:python|py|ipython3?)\b", text_of(page), re.MULTILINE)
    if cells(page):
        assert re.search("file_format: mystnb|format_name: myst", text_of(page).split("---")[1])


@by_name
def test_the_code_that_a_page_shows_is_still_in_its_file(page):
    for path, options, _ in directives(page, "literalinclude"):
        text = text_of((page.parent / path).resolve())
        for edge in ("start-at", "end-before", "start-after", "end-at"):
            assert options.get(edge, "") in text
        if "pyobject" in options:
            scope = ast.parse(text).body
            for part in options["pyobject"].split("."):
                found = [node for node in scope if getattr(node, "name", None) == part]
                assert found, options["pyobject"]
                scope = getattr(found[0], "body", [])


def ours(page):
    """Return the code in the column of a page's tables that is headed by this package's name."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text_of(page), re.MULTILINE):
        rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()]
        if "tinygrad_hw" in (head := [cell.strip() for cell in rows[0]]):
            found += [code for row in rows[2:] for code in re.findall(r"`([^`]+)`", row[head.index("tinygrad_hw")])]
    return found


@pytest.mark.parametrize("page", COMPARISONS, ids=lambda page: page.stem)
def test_every_line_of_ours_in_a_table_of_translations_runs(page):
    scope: dict = {}
    exec(cells(page)[0], scope)
    assert len(ours(page)) >= 10
    with np.errstate(all="ignore"):
        for code in ours(page):
            exec(code, scope)
