"""The table of rules as a page: each function, its rule as written, its kinks and its equations, read off the package itself.

The directive ``rules-table`` writes the rows of a topic, ``compositions-table`` the functions that are written in others, and
``source`` pages hold the files, so that each row leads to its line.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from docutils import nodes
from docutils.parsers.rst import Directive
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.application import Sphinx

import tinygrad_hw as tg
from tinygrad_hw import equations
from tinygrad_hw.rules import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS, Each, Rule, coverage

ROOT = Path(tg.__file__).parent.parent
LONG = 6  # lines of code: of longer rules and compositions the table tells the length alone
LONGEST = 120  # characters of an equation

V, W = np.array([0.3, 0.6]), np.array([0.5, 0.8])
A, B = np.array([[2.0, 0.3], [0.4, 1.5]]), np.array([[1.0, 0.2], [0.7, 3.0]])
ARGUMENTS: list[tuple[Any, ...]] = [
    (V,), (V, W), (A,), (A, B), (V, 2), ([V, W],), (A, 0, 1), (V, [[0, 1]]), (V > 0, V, W), (V, 0.0, 1.0), (V, W, V), (V, W, V, W),
]  # fmt: skip
OWN_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "transpose": (A, (1, 0)),
    "expand_dims": (V, 0),
    "broadcast_to": (V, (2, 2)),
    "reshape": (A, (4,)),
    "where": (V > 0.4, V, W),
    "clip": (V, 0.4, 1.0),
    "take_along_axis": (V, np.array([1, 0]), 0),
}

NAMED = {"where", "clip"}  # functions whose other arguments formulas should name, too

# Where to look for kinks: ties and zeros, of one array and of two
NUMBERS, PAIRS = (np.array(0.0), np.array(1.0)), (np.array([0.0, 0.0]), np.array([1.0, 1.0]))
OWN_KINKS: dict[str, Callable[..., Any]] = {"clip": lambda x: np.clip(x, 0, 1)}


@cache
def tree(file: str) -> tuple[str, ast.Module]:
    """Return a file's text and its syntax tree."""
    text = Path(file).read_text(encoding="utf-8")
    return text, ast.parse(text)


def written(function: Callable[..., Any]) -> tuple[str, Path, int]:
    """Return a function's code as its file has it, the file and the line."""
    code = inspect.unwrap(function).__code__
    text, module = tree(code.co_filename)
    found: list[Any] = [
        node
        for node in ast.walk(module)
        if isinstance(node, (ast.Lambda, ast.FunctionDef)) and code.co_firstlineno in (node.lineno, first_line(node))
    ]
    names = code.co_varnames[: code.co_argcount]
    node = next(node for node in found if tuple(arg.arg for arg in (*node.args.posonlyargs, *node.args.args)) == names)
    source = ast.get_source_segment(text, node) or ""
    source = re.sub(r"\n\s*", "\n    ", source) if isinstance(node, ast.Lambda) else textwrap.dedent(" " * node.col_offset + source)
    return source, Path(code.co_filename).relative_to(ROOT), node.lineno


def first_line(node: Any) -> int:
    """Return the line on which a function begins, its decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])


def body(source: str) -> str:
    """Return a function's code without its first line and its docstring; of a lambda all of it."""
    if source.startswith("lambda"):
        return source
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    statements = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    lines = source.splitlines()[statements[0].lineno - 1 :]
    return textwrap.dedent("\n".join(lines))


def vjps_of(row: Rule) -> list[Any]:
    """Return the rules of a row's arguments; of a row for any number of arguments its one."""
    return [row.vjps.vjp] if isinstance(row.vjps, Each) else list(row.vjps)


def of_topic(topic: str) -> list[Rule]:
    """Return the rows whose rules stand in a file, in its order; the same row under two names once."""
    rows = {row.name: row for row in RULES.values()}
    mine = [row for row in rows.values() if any(vjp and vjp.__module__ == f"tinygrad_hw.rules.{topic}" for vjp in vjps_of(row))]
    return sorted(mine, key=lambda row: next(vjp.__code__.co_firstlineno for vjp in vjps_of(row) if vjp is not None))


def recorded(row: Rule) -> Any:
    """Return a node that a row made, with arguments that it takes; None if none of those tried will do."""
    own = [OWN_ARGUMENTS[row.name]] if row.name in OWN_ARGUMENTS else []
    for args in [*own, *ARGUMENTS]:
        given = [as_tensors(x) for x in args]
        try:
            out = row.function(*given)
        except Exception:  # (what a function does not take it refuses in ways of its own)
            continue
        node = getattr(out, "_node", None)
        if node is not None and node.rule is row:
            return node
    return None


def as_tensors(x: Any) -> Any:
    """Return an array of floats as a tensor, in lists too; anything else as it is."""
    if isinstance(x, list) and isinstance(x[0], np.ndarray):
        return [as_tensors(part) for part in x]
    return tg.Tensor(x, requires_grad=True) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def equation(node: Any, i: int) -> str:
    """Return a rule as MathML, or nothing if it cannot be read as a formula."""
    if node is None or all(place != i for _, _, place in node.edges):
        return ""
    edge = next(edge for edge in node.edges if edge[2] == i)
    names = dict(enumerate(equations.argument_names(edge[1], len(node.args)))) if node.rule.name in NAMED else None
    formula = equations.formula(node, i, names, adds=False)
    return "" if "vjp[" in formula.text or len(formula.text) > LONGEST else formula.mathml


def kinks(function: Callable[..., Any], arguments: int) -> list[str]:
    """Return where a function has a kink or a step, and the gradient that it gives there: at numbers, else at ties in an array."""
    for places in (NUMBERS, PAIRS):
        found = list(filter(None, [kink(function, (place,) * arguments) for place in places]))
        if found:
            return found
    return []


def kink(function: Callable[..., Any], places: tuple[np.ndarray, ...]) -> str:
    """Return the gradient that a function gives at a kink, as text; nothing if there is none, or the function takes other arguments."""
    try:
        if tg.testing.check_gradients(function, *places, order=1).verdict != "kink":
            return ""
        out, pullback = tg.vjp(function, *places)
        gradients = pullback(np.ones(np.shape(out)))
    except Exception:  # (what a function does not take it refuses in ways of its own)
        return ""
    told = ", ".join(shown(g) for g in (gradients if len(places) > 1 else (gradients,)))
    return f"at {' = '.join(('x', 'y')[: len(places)])} = {shown(places[0])}: {told}"


def shown(x: Any) -> str:
    """Return numbers as text."""
    text = np.array2string(np.asarray(x) + 0.0, precision=4, separator=", ", formatter={"float_kind": lambda x: f"{x:g}"})
    return text.replace("0.5", "½")


def cells(row: Rule) -> Iterator[str]:
    """Yield the rows of HTML of one row of the table: one for each argument that has a rule."""
    node, name = recorded(row), public_name(row)
    places = [(i, vjp) for i, vjp in enumerate(vjps_of(row)) if vjp is not None]
    bends = "<br>".join(kinks(OWN_KINKS.get(row.name, row.function), len(places)) if len(places) <= 2 else ())
    for k, (i, vjp) in enumerate(places):
        code, file, line = written(vjp)
        text = code if code.startswith("lambda") else shortened(body(code))
        text = "# no formula is known" if vjp.__name__ == "refuse" else text
        also = "".join(f'<br><small id="{other}">{other}</small>' for other in other_names(row, name))
        head = f'<th rowspan="{len(places)}" id="{name}">{html.escape(name)}{also}</th>' if k == 0 else ""
        told = f'<td class="kinks" rowspan="{len(places)}">{bends}</td>' if k == 0 else ""
        yield f"<tr>{head}<td>{link(file, line, text)}</td>{told}<td>{equation(node, i)}</td></tr>"


def shortened(code: str) -> str:
    """Return code, or how long it is."""
    lines = code.count("\n") + 1
    return code if lines <= LONG else f"# {lines} lines"


@cache
def public_names() -> dict[Any, str]:
    """Return what users write for each function of NumPy, and for each of our own that is public."""
    ours = {getattr(tg, name): f"tg.{name}" for name in tg.__all__ if inspect.isfunction(getattr(tg, name))}
    by_own_name = {function: name for name, function in named().items() if name.split(".")[-1] == getattr(function, "__name__", "")}
    return {function: name for name, function in named().items()} | by_own_name | ours


def other_names(row: Rule, name: str) -> list[str]:
    """Return by what other names NumPy has a row's function."""
    return [other for other, function in named().items() if SPELLINGS.get(function, function) is row.function and other != name]


def public_name(row: Rule) -> str:
    """Return what users write for a row's function; of a helper that only rules use, its name."""
    if vjps_of(row) and any(vjp and vjp.__module__.endswith(".special") for vjp in vjps_of(row)) and isinstance(row.function, np.ufunc):
        return f"scipy.special.{row.name.lstrip('_')}"
    return public_names().get(row.function, row.name)


def link(file: Path, line: int, text: str) -> str:
    """Return code as a link to its line."""
    page = f"sources/{file.with_suffix('').as_posix()}.html#line-{line}"
    return f'<a href="{page}"><pre>{html.escape(text)}</pre></a>'


def table(head: str, rows: Iterator[str]) -> list[nodes.Node]:
    """Return a table of HTML."""
    columns = "".join(f"<th>{word}</th>" for word in head.split(", "))
    text = f'<div class="rules"><table class="table"><thead><tr>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    return [nodes.raw("", text, format="html")]


class RulesTable(Directive):
    """``rules-table:: elementwise``: the rows of a file."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        import_module(f"tinygrad_hw.rules.{self.arguments[0]}")  # (SciPy's are loaded when they are first needed)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            rows = [line for row in of_topic(self.arguments[0]) for line in cells(row)]
        return table("function, rule, at kinks and steps, equation", iter(rows))


@cache
def named() -> dict[str, Any]:
    """Return NumPy's public functions by the names that users write."""
    return {
        f"{title.replace('numpy', 'np')}.{name}": function
        for title, module in coverage.MODULES.items()
        for name, function in coverage.functions(module)
    }


class CompositionsTable(Directive):
    """``compositions-table::``: NumPy's functions that are written in others."""

    def run(self) -> list[nodes.Node]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return table("function, written as, at kinks and steps", iter(list(compositions())))


def compositions() -> Iterator[str]:
    """Yield a row of HTML for each of NumPy's functions that is written in others."""
    for name, function in named().items():
        if function in COMPOSITIONS and function not in RULES:
            code, file, line = written(COMPOSITIONS[function])
            bends = "<br>".join(kinks(function, 1) or kinks(function, 2))
            yield f'<tr><th id="{name}">{name}</th><td>{link(file, line, shortened(body(code)))}</td><td class="kinks">{bends}</td></tr>'


class WithoutDerivative(Directive):
    """``without-derivative::``: NumPy's functions whose results have no derivative."""

    def run(self) -> list[nodes.Node]:
        names = [name for name, function in named().items() if function in NO_DERIVATIVE]
        paragraph = nodes.paragraph()
        for name in names:
            paragraph += [nodes.literal(text=name), nodes.Text(" ")]
        return [paragraph]


def sources(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for each file of rules, with a place to link to on each line."""
    for file in sorted((ROOT / "tinygrad_hw" / "rules").glob("*.py")):
        name = file.relative_to(ROOT)
        code = highlight(file.read_text(encoding="utf-8"), PythonLexer(), HtmlFormatter(lineanchors="line", linenos="inline"))
        page = f"sources/{name.with_suffix('').as_posix()}"
        yield page, {"title": str(name), "body": f"<h1>{name}</h1>{code}"}, "page.html"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the pages of sources."""
    app.add_directive("rules-table", RulesTable)
    app.add_directive("compositions-table", CompositionsTable)
    app.add_directive("without-derivative", WithoutDerivative)
    app.connect("html-collect-pages", sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
