"""A program whose functions can be given other code for a while: how an edit of somebody's file is tried without running the file again."""

from __future__ import annotations

import ast
import contextlib
import copy
import gc
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from .watch import Source

__all__ = ["Change", "Program", "Unit", "coded"]

MOST_VALUES = 12  # of one expression that are kept
PROBE = "__grade_probe__"


@dataclass(frozen=True)
class Change:
    """What a field of a node becomes, or one place of a field that is a list."""

    parent: ast.AST
    field: str
    place: int | None
    new: Any

    def swapped(self) -> Change:
        """Make the change; return the one that takes it back."""
        old = getattr(self.parent, self.field)
        if self.place is None:
            setattr(self.parent, self.field, self.new)
            return Change(self.parent, self.field, None, old)
        before, old[self.place] = old[self.place], self.new
        return Change(self.parent, self.field, self.place, before)


class Unit:
    """A module of one statement at the top of a file or of a class, and the functions made from it."""

    def __init__(self, tree: ast.Module, file: str) -> None:
        self.tree, self.file = tree, file
        self.functions: dict[tuple[str, int, int], list[FunctionType]] = {}  # by the name, the line and the number of their code

    def codes(self) -> dict[tuple[str, int, int], CodeType]:
        """Compile the statement; return the code of each function in it."""
        counts: Counter[tuple[str, int]] = Counter()
        found = {}
        for code in codes_in(compile(self.tree, self.file, "exec", dont_inherit=True)):
            place = (code.co_name, code.co_firstlineno)
            found[place[0], place[1], counts[place]] = code
            counts[place] += 1
        return found


class Program:
    """The functions of some files, as they live in this process, and the units of the files that they were made from."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        living: dict[Any, list[FunctionType]] = {}
        for thing in gc.get_objects():
            if type(thing) is FunctionType and thing.__code__.co_filename in sources:
                living.setdefault(likeness(thing.__code__), []).append(thing)
        self.units: list[Unit] = []
        for file, source in sources.items():
            for tree in pieces(source.tree):
                unit = Unit(tree, file)
                with contextlib.suppress(SyntaxError, ValueError):
                    unit.functions = {key: living[likeness(code)] for key, code in unit.codes().items() if likeness(code) in living}
                if unit.functions:
                    self.units.append(unit)
        self.first = [(f, f.__code__) for unit in self.units for functions in unit.functions.values() for f in functions]

    @contextlib.contextmanager
    def edited(self, unit: Unit, changes: tuple[Change, ...]) -> Iterator[bool]:
        """Let the functions of a unit have changed code; tell whether it could be compiled."""
        back = [change.swapped() for change in changes]
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: [change.swapped() for change in reversed(back)])
            try:
                codes = unit.codes()
                stack.enter_context(coded([(f, codes[key]) for key, functions in unit.functions.items() for f in functions]))
                done = True
            except Exception:  # what cannot be compiled, or has other free names, is no program
                done = False
            yield done

    @contextlib.contextmanager
    def knowing(self, names: Mapping[str, Any]) -> Iterator[None]:
        """Let the functions find other names in their module."""
        spaces = {id(function.__globals__): function.__globals__ for function, _ in self.first}
        for space in spaces.values():
            space.update(names)
        try:
            yield
        finally:
            for space in spaces.values():
                for name in names:
                    space.pop(name, None)

    @contextlib.contextmanager
    def probed(self) -> Iterator[dict[ast.AST, list[Any]]]:
        """Let every expression note its values, by its node."""
        found: dict[ast.AST, list[Any]] = {}
        nodes: list[ast.AST] = []

        def probe(number: int, value: Any) -> Any:
            values = found.setdefault(nodes[number], [])
            if len(values) < MOST_VALUES and isinstance(value, (np.ndarray, np.generic, int, float)):
                values.append(np.array(value))
            return value

        with contextlib.ExitStack() as stack:
            for unit in self.units:
                twin = copy.deepcopy(unit.tree)
                for node, other in zip(ast.walk(unit.tree), ast.walk(twin)):
                    if isinstance(node, ast.expr):
                        other.number = len(nodes)  # type: ignore[attr-defined]
                        nodes.append(node)
                probing = ast.fix_missing_locations(Probing().visit(twin))
                stack.enter_context(self.edited(unit, (Change(unit.tree, "body", None, probing.body),)))
            stack.enter_context(self.knowing({PROBE: probe}))
            yield found


class Probing(ast.NodeTransformer):
    """Puts a call of the probe around every expression that is read."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, (ast.JoinedStr, ast.arguments, ast.Slice)) or (isinstance(node, ast.expr) and not is_read(node)):
            return super().generic_visit(node) if not isinstance(node, (ast.JoinedStr, ast.arguments)) else node
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            if isinstance(node.func, ast.Attribute):
                node.func.value = self.visit(node.func.value)
            node.args = [self.visit(part) for part in node.args]
            node.keywords = [self.visit(part) for part in node.keywords]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            node.body = [self.visit(part) for part in node.body]
        else:
            super().generic_visit(node)
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.BinOp, ast.UnaryOp, ast.Call, ast.Compare)) and is_read(node):
            call = ast.Call(ast.Name(PROBE, ast.Load()), [ast.Constant(getattr(node, "number", 0)), node], [])
            return ast.copy_location(call, node)
        return node


@contextlib.contextmanager
def coded(codes: list[tuple[FunctionType, CodeType]]) -> Iterator[None]:
    """Let functions have other code."""
    before = [(function, function.__code__) for function, _ in codes]
    try:
        for function, code in codes:
            function.__code__ = code
        yield
    finally:
        for function, code in before:
            function.__code__ = code


def is_read(node: ast.AST) -> bool:
    """Return whether an expression is read, not written to."""
    return isinstance(getattr(node, "ctx", ast.Load()), ast.Load)


def pieces(tree: ast.AST, classes: tuple[ast.ClassDef, ...] = ()) -> Iterator[ast.Module]:
    """Yield the statements of a module and of its classes, each in a module of its own."""
    for statement in getattr(tree, "body", []):
        if isinstance(statement, ast.ClassDef):
            yield from pieces(statement, (*classes, statement))
            continue
        inner: ast.stmt = statement
        for owner in reversed(classes):
            shell = ast.ClassDef(owner.name, [], [], [inner], [])
            inner = ast.copy_location(shell, owner)
            if hasattr(owner, "type_params"):
                inner.type_params = []  # type: ignore[attr-defined]
        yield ast.Module([inner], [])


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of the functions in some code, those in them too."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes_in(constant)


def likeness(code: CodeType) -> tuple[Any, ...]:
    """Return what is alike in two compilations of one function."""
    constants = tuple(repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType))
    return code.co_filename, code.co_name, code.co_firstlineno, code.co_names, code.co_varnames, constants
