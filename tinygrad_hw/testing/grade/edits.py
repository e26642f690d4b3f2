"""The small edits of a program that are tried: what somebody may have written wrongly, put right.

``Edits(...)`` yields them for the expressions and statements that ran. Every edit has a kind, from which the mistake gets its name, and a
cost: 1 for another name, operator, axis, sign, transpose or place; 2 for what is put in or moved; 3 for what is less likely; 4 for a value
of the engine's that nothing in the program gives. What cannot fit by its shape is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import combinations
from typing import Any

import numpy as np

from .program import Change, Program, Unit, is_read
from .quantities import match_of, ratio_of
from .watch import Call

__all__ = ["ADDED", "DERIVATIVE", "KNOWN", "SCALED", "Edit", "Edits", "axis_of", "factors_of", "is_name", "path_to", "product_of"]

DERIVATIVE = "__grade_derivative_{}__"
KNOWN = "__grade_known__"
SCALED, ADDED = "__grade_scaled__", "__grade_added__"  # every array in a container
Alternative = tuple[str, int, str]  # of an expression: the kind of the edit, its cost, and the other text

OTHER_PRODUCTS = (("order", 1, "{1} @ {0}"), ("order", 2, "{1}.T @ {0}"), ("order", 2, "{1} @ {0}.T"), ("transpose", 2, "{0}.T @ {1}.T"))
ONE_OPERAND = (("surplus", 1, "{0}"), ("surplus", 1, "{1}"))
ALTERNATIVES: dict[type, tuple[Alternative, ...]] = {
    ast.Mult: (
        ("entry by entry", 1, "{0} @ {1}"), ("factor", 1, "{0} / {1}"),
        ("entry by entry", 2, "{0}.T @ {1}"), ("entry by entry", 2, "{0} @ {1}.T"),
    ),
    ast.MatMult: (("entry by entry", 1, "{0} * {1}"), *ONE_OPERAND, *OTHER_PRODUCTS),
    ast.Div: (("factor", 1, "{0} * {1}"), ("surplus", 1, "{0}")),
    ast.Pow: (("surplus", 1, "{0}"),),
    ast.Add: (("term sign", 1, "{0} - {1}"), ("surplus term", 1, "{0}"), ("surplus term", 1, "{1}")),
    ast.Sub: (("term sign", 1, "{0} + {1}"), ("sign", 1, "{1} - {0}"), ("surplus term", 1, "{0}"), ("surplus term", 1, "-{1}")),
}  # fmt: skip
OPPOSITE = {ast.Gt: "<=", ast.GtE: "<", ast.Lt: ">=", ast.LtE: ">", ast.Eq: "!=", ast.NotEq: "=="}
INVERSE = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
SLOPES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("({0} * (1 - {0}))", lambda x: x * (1 - x)), ("(1 - {0} ** 2)", lambda x: 1 - x**2), ("({0} > 0)", lambda x: x > 0),
)  # fmt: skip
SAMPLES = (-1.7, -0.6, 0.4, 1.3)  # numbers at which functions are compared
KEPT = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Lambda, ast.ListComp, ast.DictComp,
    ast.Tuple, ast.List, ast.Dict, ast.keyword,
)  # fmt: skip

written = cache(ast.unparse)  # of nodes that stay as they are while edits are yielded


@dataclass(frozen=True)
class Edit:
    kind: str  # what it mends
    cost: int  # how unlikely it is
    line: int
    unit: Unit
    changes: tuple[Change, ...]
    old: Any = None  # what stood there
    new: Any = None
    statement: ast.stmt | None = None
    factor: float | None = None  # by what the line was wrong, where that is known


@dataclass(frozen=True)
class Site:
    """An expression that was computed, and where it stands."""

    unit: Unit
    parent: ast.AST
    field: str
    place: int | None
    node: ast.expr
    statement: ast.stmt | None
    function: tuple[str, int]

    @property
    def is_kept(self) -> bool:
        """Whether the value is kept: given a name, returned, put into a list."""
        return isinstance(self.parent, KEPT) or (isinstance(self.parent, ast.Call) and written(self.parent.func).endswith(".append"))

    def edit(self, kind: str, cost: int, text: str, factor: float | None = None) -> Edit:
        """Return the edit that puts another expression here."""
        new = ast.parse("\n" * (self.node.lineno - 1) + f"({text})", mode="eval").body
        change = Change(self.parent, self.field, self.place, new)
        return Edit(kind, cost, self.node.lineno, self.unit, (change,), self.node, new, self.statement, factor)


@dataclass
class Edits:
    """Yields edits."""

    program: Program
    values: dict[ast.AST, list[Any]]  # what each expression was, in the order of time
    calls: list[Call]  # of the program's functions, with the arrays that had names in them
    slopes: list[tuple[Callable[[Any], Any], np.ndarray, str]]  # the derivatives of the activations: functions, values, texts
    known: list[np.ndarray]  # values of the engine
    ratios: list[float]  # by what gradients are wrong
    differences: list[np.ndarray]
    crashed: int = 0  # the line that raised, if one did: there names of any shape are tried
    rtol: float = 1e-7
    is_later: bool = False  # whether the first step is right: then what has the same value in it is tried too
    found_slopes: dict[Any, list[str]] = field(default_factory=dict)

    @cached_property
    def alternatives(self) -> list[tuple[Site, Any]]:
        """Every site with what may stand there."""
        written.cache_clear()
        return [(site, other) for site in self.sites for other in self.of_site(site)]

    @cached_property
    def of_statements(self) -> list[Edit]:
        """Every edit of a statement."""
        nodes = [(u, node) for u in self.program.units for node in ast.walk(u.tree) if not isinstance(node, (ast.Module, ast.ClassDef))]
        blocks = [(unit, node, name, getattr(node, name, None)) for unit, node in nodes for name in ("body", "orelse")]
        return [edit for unit, node, name, body in blocks if isinstance(body, list) for edit in self.of_block(unit, node, name, body)]

    def of_cost(self, cost: int) -> list[Edit]:
        of_expressions = [site.edit(*other) for site, other in self.alternatives if other[1] == cost]
        return [edit for edit in self.of_statements if edit.cost == cost] + of_expressions

    @cached_property
    def sites(self) -> list[Site]:
        """The expressions that were computed."""

        def walk(unit: Unit, node: ast.AST, statement: ast.stmt | None, function: tuple[str, int]) -> Iterator[Site]:
            if isinstance(node, ast.stmt):
                statement = node
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
                function = (getattr(node, "name", "<lambda>"), first)
            for name, child in ast.iter_fields(node):
                if name in ("decorator_list", "returns", "annotation", "args") and not isinstance(node, ast.Call):
                    continue
                for place, part in enumerate(child if isinstance(child, list) else [child]):
                    ran = part in self.values or (is_number(part) and self.ran(statement))
                    if isinstance(part, ast.expr) and name != "func" and is_read(part) and ran:
                        yield Site(unit, node, name, place if isinstance(child, list) else None, part, statement, function)
                    if isinstance(part, ast.AST) and not isinstance(part, ast.JoinedStr):
                        yield from walk(unit, part, statement, function)

        return [site for unit in self.program.units for site in walk(unit, unit.tree, None, ("", 0))]

    def ran(self, statement: ast.AST | None) -> bool:
        return statement is not None and any(node in self.values for node in ast.walk(statement))

    def value(self, node: ast.AST) -> Any:
        """Return the first value of an expression."""
        return next(iter(self.values.get(node, [])), None)

    @cached_property
    def scopes(self) -> dict[tuple[str, int], dict[str, list[Any]]]:
        """By function what its arrays and numbers are called, each with the values that it had, none where that is not known."""
        found: dict[tuple[str, int], dict[str, list[Any]]] = {}
        for call in self.calls:
            scope = found.setdefault((call.code.co_name, call.code.co_firstlineno), {})
            for name, (_, value) in call.bindings.items():
                if value.dtype.kind in "fb" and value.ndim:
                    scope.setdefault(name, []).append(value)
        for site in self.sites:
            scope, value = found.setdefault(site.function, {}), self.value(site.node)
            if value is not None and is_name(site.node) and (value.ndim or isinstance(site.node, ast.Name)):
                scope[written(site.node)] = self.values[site.node]
        for function, scope in found.items():
            scope |= {text: [] for text in self.neighbours(function) if text not in scope}
        return found

    def neighbours(self, function: tuple[str, int]) -> Iterator[str]:
        """Yield what may stand beside ``zs[l]`` in a loop: ``zs[l - 1]``, ``zs[l + 1]``, and the same places of other lists."""
        places = [site.node for site in self.sites if site.function == function and isinstance(site.node, ast.Subscript)]
        index = lambda node: None if isinstance(node, ast.Constant) else self.value(node)
        lists = [
            p for p in places if self.value(p.value) is None and (i := index(p.slice)) is not None and i.dtype.kind == "i" and not i.ndim
        ]
        for base in dict.fromkeys(written(node.value) for node in lists):
            for place in dict.fromkeys(written(node.slice) for node in lists):
                yield from (f"{base}[{place}]", f"{base}[{place} - 1]", f"{base}[{place} + 1]")

    @cached_property
    def helpers(self) -> list[str]:
        """What functions are called that are applied entry by entry, and what they would be called in the layers beside."""
        calls = [
            site.node for site in self.sites if isinstance(site.node, ast.Call) and len(site.node.args) == 1 and not site.node.keywords
        ]
        alike = [call for call in calls if np.shape(self.value(call)) == np.shape(self.value(call.args[0])) != ()]
        texts = [written(call.func) for call in alike if not isinstance(call.func, ast.Call)]
        return list(dict.fromkeys([*texts, *(other for text in texts if "." in text for other in other_layers(text))]))

    def of_site(self, site: Site) -> Iterator[Any]:
        """Yield kind, cost and text of what may stand in the place of an expression."""
        node, value = site.node, self.value(site.node)
        if isinstance(node, ast.Constant):
            yield from other_numbers(site, node.value)
            return
        yield from self.other_names(site, value)
        yield from self.other_operations(site, node)
        if value is not None and value.dtype.kind in "fb":
            yield from self.with_slope(site, value)
            if value.ndim:
                yield from self.with_more(site, value)
        elif value is None and site.is_kept and isinstance(node, ast.Name):
            yield from (("ratio", 2, f"{SCALED}({node.id}, {1 / ratio!r})", ratio) for ratio in self.ratios)
            if isinstance(site.parent, ast.Assign) and isinstance(site.parent.targets[0], ast.Name):
                yield "added", 2, f"{ADDED}({site.parent.targets[0].id}, {node.id})"

    def other_operations(self, site: Site, node: ast.expr) -> Iterator[Alternative]:
        """Yield what may stand in the place of an operation, a comparison, a call or a slice."""
        if isinstance(node, ast.BinOp):
            yield from filled(ALTERNATIVES.get(type(node.op), ()), node.left, node.right)
            yield from (("surplus", 1, product_of(rest)) for rest in all_but_one_or_two(factors_in(site)))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            yield "sign", 1, written(node.operand)
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in OPPOSITE:
            yield "wrong derivative", 1, f"{written(node.left)} {OPPOSITE[type(node.ops[0])]} {written(node.comparators[0])}"
        elif isinstance(node, ast.Call):
            yield from self.other_calls(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            sums = [f".sum(axis={axis}, keepdims={kept})" for axis in (0, 1) for kept in (False, True)]
            yield from (("not summed", 2, f"({written(node.value)}){text}") for text in sums)
            yield from (("slice", 1, f"({written(node.value)})[{other}]") for other in ("1:", ":-1", ":"))

    def other_names(self, site: Site, value: Any) -> Iterator[Alternative]:
        """Yield other arrays of the same shape in the place of one, and other numbers for a number."""
        node, statement = site.node, site.statement
        if value is None or (not is_name(node) and (site.is_kept or not value.ndim)):
            return
        anything = statement is not None and statement.lineno <= self.crashed <= (statement.end_lineno or 0)
        for text, others in self.scopes.get(site.function, {}).items():
            alike = [other for other in others if other.ndim == value.ndim]  # (what is too small may have been broadcast)
            fits = any(anything or all(n in (1, m) for n, m in zip(value.shape, other.shape)) for other in alike)
            is_other = self.is_later or not all(map(np.array_equal, others, self.values[node]))
            if text != written(node) and ((fits and is_other) if others else value.ndim):
                yield "name", 1 if value.ndim and is_name(node) else 2, text

    def other_names_throughout(self, node: ast.expr, scope: dict[str, list[Any]]) -> Iterator[Alternative]:
        """Yield an expression with one name for another that stands in it several times."""
        inner = [(written(part), self.value(part)) for part in ast.walk(node) if is_name(part) and np.ndim(self.value(part))]
        texts = [text for text, _ in inner]
        for own, value in {text: value for text, value in inner if texts.count(text) > 1}.items():
            fitting = [other for other, xs in scope.items() if other != own and (not xs or xs[0].shape == value.shape)]
            yield from (("name", 1, renamed(written(node), own, other)) for other in fitting)

    def other_calls(self, node: ast.Call) -> Iterator[Alternative]:
        """Yield another function, other axes, the arguments in another order."""
        called, args, keywords = written(node.func), list(map(written, node.args)), list(map(written, node.keywords))
        name = called.split(".")[-1]
        is_method = isinstance(node.func, ast.Attribute) and self.value(node.func.value) is not None
        operands = [*([node.func.value] if is_method else []), *node.args]  # type: ignore[attr-defined]
        if called in self.helpers and len(args) == 1:
            kinds = dict.fromkeys(self.helpers, "wrong derivative") | dict.fromkeys(other_layers(called), "layer")
            yield from [("surplus", 1, args[0]), *((kind, 1, f"{other}({args[0]})") for other, kind in kinds.items() if other != called)]
        swapped = ([args[{i: j, j: i}.get(k, k)] for k in range(len(args))] for i, j in combinations(range(len(args)), 2))
        yield from (("order", 1, f"{called}({', '.join([*other, *keywords])})") for other in swapped)
        if name in ("dot", "matmul", "multiply") and len(operands) == 2:
            yield from filled(ONE_OPERAND if name == "multiply" else (*ONE_OPERAND, *OTHER_PRODUCTS), *operands)
            yield from filled((("entry by entry", 1, "{0} @ {1}" if name == "multiply" else "{0} * {1}"),), *operands)
        elif name in ("sum", "mean") and self.value(operands[0]) is not None:
            yield from other_sums(node, name, written(operands[0]), np.ndim(self.value(operands[0])))
        elif name == "einsum" and isinstance(node.args[0], ast.Constant):
            yield from ((kind, 1, f"{called}({', '.join([repr(text), *args[1:]])})") for kind, text in other_subscripts(node.args[0].value))

    def with_slope(self, site: Site, value: np.ndarray) -> Iterator[Alternative]:
        """Yield an expression times a derivative that may be missing, and that derivative in its place."""
        shapes = [shape for _, x, _ in self.slopes for shape in ((), x.shape, x.shape[::-1], x.shape[1:], x.shape[:1], (*x.shape[-1:], 1))]
        if value.shape not in shapes:
            return
        own = written(site.node)
        for text in self.slopes_in(site.function, value.shape):
            yield "wrong derivative", 2, text
            if not is_name(site.node) or site.is_kept:
                yield "factor missing", 2, f"({own}) * {text}"
            yield from (("wrong derivative", 2, f"{product_of(rest)} * {text}") for rest in all_but_one_or_two(factors_in(site)))

    def slopes_in(self, function: tuple[str, int], shape: tuple[int, ...]) -> list[str]:
        """Return how the derivatives of the activations may be written in a function: by the values, if these are known."""
        if (function, shape) not in self.found_slopes:
            spellings = [*SLOPES, *((DERIVATIVE.format(k) + "({0})", f) for k, f in self.derivatives.items())]
            fits = lambda values: not values or (any(x.shape == shape for x in values) and values[0].dtype.kind != "i")
            names = [(text, values) for text, values in self.scopes.get(function, {}).items() if fits(values)]
            found = [
                spelling.format(text) for text, values in names for spelling, f in spellings if all(self.is_slope(f(x)) for x in values)
            ]
            self.found_slopes[function, shape] = found
        return self.found_slopes[function, shape]

    @cached_property
    def derivatives(self) -> dict[int, Callable[[Any], Any]]:
        """The derivatives of the activations by their numbers: each function once, although it may be that of several layers."""
        found: dict[int, tuple[Callable[[Any], Any], list[Any]]] = {}
        for k, (f, _, _) in enumerate(self.slopes):
            values = [np.ravel(f(x))[0] for x in SAMPLES]
            if not any(np.allclose(values, others, 1e-6, equal_nan=True) for _, others in found.values()):
                found[k] = f, values
        return {k: f for k, (f, _) in found.items()}

    def is_slope(self, value: Any) -> bool:
        """Return whether a value is that of a derivative, or a row of it."""
        value = np.asarray(value, float)
        if not value.ndim:
            return any(np.isclose(slope, value, self.rtol, 0).any() for _, slope, _ in self.slopes)
        found = [match_of(value, slope, (), (), self.rtol) for _, slope, _ in self.slopes]
        return any(match is not None and match[0] == 1 for match in found)

    def with_more(self, site: Site, value: np.ndarray) -> Iterator[Any]:
        """Yield an array with a transpose, a factor, a sum, a term or a function more; and the engine's values in its place."""
        text, scope = written(site.node), self.scopes.get(site.function, {})
        own = text if is_name(site.node) else f"({text})"
        if value.ndim == 2:
            yield "transpose", 1, re.sub(r"(\.T|\.transpose\(\))$", "", text) if text.endswith((".T", ".transpose()")) else f"{own}.T"
        for name, values in scope.items():
            shape = values[0].shape if values and values[0].dtype.kind == "f" else ()
            if shape and shape in (value.shape, value.shape[1:] if site.is_kept else ()):
                yield from (("term missing", 3, f"{own} {sign} {name}") for sign in "+-")
        yield from (("value", 4, f"{KNOWN}({k})") for k, known in enumerate(self.known) if known.shape == value.shape)
        if isinstance(site.parent, ast.BinOp) and isinstance(site.parent.op, (ast.Add, ast.Sub)):
            yield from (("number", 2, f"{n} * {own}") for n in (2, 0.5))
        if site.is_kept or isinstance(site.parent, ast.Call):
            yield from (("function missing", 3, f"{helper}({text})") for helper in self.helpers)
        if site.is_kept:
            yield from self.kept_with_more(site, own, value, scope)

    def kept_with_more(self, site: Site, own: str, value: np.ndarray, scope: dict[str, list[Any]]) -> Iterator[Any]:
        """Yield what a statement keeps with a factor, a share of an array or a sum more, or with another name throughout."""
        yield from self.other_names_throughout(site.node, scope)
        yield from (("ratio", 2, f"{own} / {ratio!r}", ratio) for ratio in self.ratios)
        same_shape = [(name, values[0]) for name, values in scope.items() if values and values[0].shape == value.shape]
        for name, other in same_shape:
            shares = [ratio_of(difference, other, 1e-6) for difference in self.differences if difference.shape == value.shape]
            yield from (("term missing", 3, f"{own} + {share!r} * {name}") for share in shares if share is not None)
        for axis in range(value.ndim if value.ndim > 1 else 0):
            yield from (("not summed", 3, f"{own}.sum(axis={axis}, keepdims={kept})") for kept in (False, True))

    def of_block(self, unit: Unit, parent: ast.AST, name: str, body: list[ast.stmt]) -> Iterator[Edit]:
        """Yield the edits of statements one after the other: another order, one left out, one that adds in place of setting."""

        def block(kind: str, cost: int, k: int, new: list[ast.stmt], line: int = 0, factor: float | None = None) -> Edit:
            change = Change(parent, name, None, [*body[:k], *new, *body[k + len(new) if kind == "moved" else k + 1 :]])
            return Edit(kind, cost, line or body[k].lineno, unit, (change,), body[k], None, body[k], factor)

        for k, statement in enumerate(body):
            if not self.ran(statement):
                continue
            if isinstance(statement, ast.If) and not statement.orelse:
                yield block("stale", 2, k, statement.body, statement.body[0].lineno)
            if isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr)):
                yield block("surplus statement", 2, k, [ast.copy_location(ast.Pass(), statement)])
                end = len(body) - isinstance(body[-1], ast.Return)
                reader = next((other.lineno for other in body[k + 1 : end] if reads(other, statement)), 0)
                for other in range(k + 1, end):
                    yield block("moved", 2 if other in (k + 1, end - 1) else 3, k, [*body[k + 1 : other + 1], statement], reader)
            if isinstance(statement, ast.AugAssign):
                if type(statement.op) in INVERSE:
                    kind = "sign" if isinstance(statement.op, (ast.Add, ast.Sub)) else "factor"
                    change = Change(statement, "op", None, INVERSE[type(statement.op)]())
                    yield Edit(kind, 1, statement.lineno, unit, (change,), statement, statement, statement)
                yield block("set", 1, k, [ast.copy_location(ast.Assign([statement.target], statement.value), statement)])
                base = statement.target.value if isinstance(statement.target, ast.Subscript) else statement.target
                for ratio in self.ratios:
                    more = ast.parse(f"{written(base)} /= {ratio!r}").body[0]
                    yield block("ratio", 2, k, [statement, ast.increment_lineno(more, statement.lineno - 1)], 0, ratio)
            if isinstance(statement, ast.Assign) and isinstance(parent, (ast.For, ast.While)):
                target: Any = statement.targets[0]
                yield block("added", 1, k, [ast.copy_location(ast.AugAssign(target, ast.Add(), statement.value), statement)])
            if isinstance(statement, (ast.Assign, ast.Return)):
                yield from swapped_parts(unit, statement)


def swapped_parts(unit: Unit, statement: ast.stmt) -> Iterator[Edit]:
    """Yield two entries of a tuple, a list or a dict, or two names of ``a, b = ...``, in each other's place."""
    for node in ast.walk(statement):
        name = {ast.Tuple: "elts", ast.List: "elts", ast.Dict: "values"}.get(type(node), "")
        parts = getattr(node, name, [])
        for i, j in combinations(range(len(parts)), 2):
            changes = Change(node, name, i, parts[j]), Change(node, name, j, parts[i])
            yield Edit("places", 1, parts[i].lineno, unit, changes, parts[i], parts[j], statement)


def other_numbers(site: Site, value: Any) -> Iterator[Alternative]:
    """Yield other numbers in the place of one."""
    called = getattr(site.parent, "func", None)
    if getattr(site.parent, "arg", "") in ("axis", "keepdims") or (called is not None and written(called).endswith(("sum", "mean"))):
        return
    others = [value + 1, value - 1, -value, 2 * value, value / 2]
    others = others[:3] if isinstance(site.parent, (ast.Subscript, ast.Call, ast.keyword)) or value == 0 else others
    yield from (("number", 1, repr(other)) for other in dict.fromkeys(others) if other != value)


def other_sums(node: ast.Call, method: str, summed: str, ndim: int) -> Iterator[Alternative]:
    """Yield sums over other axes, means for sums, and what is summed."""
    own, kept = axis_of(node), any(keyword.arg == "keepdims" for keyword in node.keywords)
    for axis in ("", *map(str, range(ndim))):
        for keep in (kept, not kept):
            text = ", ".join([*([f"axis={axis}"] if axis else []), *(["keepdims=True"] if keep else [])])
            if axis != own or keep != kept:
                yield "axis", 1 if keep == kept else 2, f"({summed}).{method}({text})"
            else:
                yield {"sum": "mean", "mean": "sum"}[method], 1, f"({summed}).{ {'sum': 'mean', 'mean': 'sum'}[method] }({text})"
    yield "surplus sum", 1, summed


def other_subscripts(text: Any) -> Iterator[tuple[str, str]]:
    """Yield the terms of einsum's subscripts turned, one at a time, and other letters in the result."""
    inputs, _, output = str(text).replace(" ", "").partition("->")
    terms = inputs.split(",")
    found = [f"{','.join([*terms[:k], term[::-1], *terms[k + 1 :]])}->{output}" for k, term in enumerate(terms)]
    letters = [letter for letter in dict.fromkeys(inputs.replace(",", "")) if letter not in output]
    found += [f"{inputs}->{output[:k]}{letter}{output[k + 1 :]}" for k in range(len(output)) for letter in letters]
    for other in dict.fromkeys([*found, f"{inputs}->{output[::-1]}"]):
        if other != text:
            yield "transpose" if sorted(other) == sorted(str(text)) else "axis", other


def other_layers(text: str) -> list[str]:
    """Return what the same is called in the layers before and after: ``self.s1`` and ``self.s3`` for ``self.s2``."""
    number = re.search(r"\d+", text)
    return [text.replace(number[0], str(int(number[0]) + step)) for step in (-1, 1)] if number else []


def filled(templates: tuple[Alternative, ...], *operands: ast.expr) -> Iterator[Alternative]:
    """Yield other ways of writing an operation, with its operands in them."""
    texts = [f"({written(operand)})" for operand in operands]
    yield from ((kind, cost, template.format(*texts)) for kind, cost, template in templates)


def renamed(text: str, old: str, new: str) -> str:
    """Write an expression with one name for another."""
    return re.sub(rf"(?<![\w.]){re.escape(old)}(?![\w\[])", new.replace("\\", r"\\"), text)


def path_to(edit: Edit) -> Iterator[ast.expr]:
    """Yield the expressions of a statement that an edited place is in, from the outermost one."""

    def walk(node: ast.AST) -> list[ast.AST]:
        if node is edit.changes[0].parent:
            return [node]
        below = next(filter(None, map(walk, ast.iter_child_nodes(node))), [])
        return [node, *below] if below else []

    if edit.statement is not None:
        yield from (node for node in [*walk(edit.statement), edit.changes[0].new] if isinstance(node, ast.expr))


def factors_of(node: ast.AST, kinds: Any = (ast.Mult, ast.MatMult)) -> list[ast.AST]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
        return [*factors_of(node.left, kinds), *factors_of(node.right, kinds)]
    return [node]


def factors_in(site: Site) -> list[ast.AST]:
    """Return the factors of a product entry by entry, if it is not itself a factor of a longer one."""
    is_inner = isinstance(site.parent, ast.BinOp) and isinstance(site.parent.op, ast.Mult)
    return [] if is_inner else factors_of(site.node, ast.Mult)


def all_but_one_or_two(factors: list[ast.AST]) -> Iterator[list[ast.AST]]:
    """Yield the factors without one of them, and without two."""
    for count in range(1, min(len(factors), 3)):
        yield from ([f for f in factors if f not in out] for out in combinations(factors, count))


def product_of(factors: list[ast.AST]) -> str:
    """Write the product of some expressions."""
    return " * ".join(written(factor) if is_name(factor) else f"({written(factor)})" for factor in factors)


def is_number(node: Any) -> bool:
    """Return whether an expression is a number, written out."""
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool)


def is_name(node: Any) -> bool:
    """Return whether an expression is a name, an attribute or an entry of something."""
    return isinstance(node, (ast.Name, ast.Subscript)) or (isinstance(node, ast.Attribute) and node.attr != "T")


def reads(later: ast.stmt, earlier: ast.stmt) -> bool:
    """Return whether a statement reads what an earlier one assigns."""
    targets = [earlier.target] if isinstance(earlier, ast.AugAssign) else getattr(earlier, "targets", [])
    names = {written(target) for target in targets}
    return any(is_name(node) and is_read(node) and written(node) in names for node in ast.walk(later))


def axis_of(node: Any) -> str:
    """Return the axis that a call of sum is over, as it is written; empty where it is over all."""
    if not isinstance(node, ast.Call):
        return ""
    named = [written(keyword.value) for keyword in node.keywords if keyword.arg == "axis"]
    is_numpys = isinstance(node.func, ast.Attribute) and written(node.func.value) in ("np", "numpy")
    return next(iter([*named, *map(written, node.args[is_numpys:])]), "")
