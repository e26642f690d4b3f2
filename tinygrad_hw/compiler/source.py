"""The program as NumPy source to read: the user's names, and beside each part the line of the user's code it comes from.

What is used once and has no name is written where it is used, so the text reads as if it had been written by hand. It runs by itself:
a function of all inputs that returns the results and the new values.
"""

from __future__ import annotations

import linecache
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..rules.functions import SIGNS
from .program import Program
from .trace import NUMBERS, Op, astype, operands

__all__ = ["source_of"]

LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2, "//": 2, "%": 2, "**": 4}  # how tightly signs bind; comparisons 0
UNARY, ATOM = 3, 9
REDUCTIONS: dict[tuple[np.ufunc, str], str] = {
    (np.add, "reduce"): "np.sum", (np.multiply, "reduce"): "np.prod", (np.maximum, "reduce"): "np.max", (np.minimum, "reduce"): "np.min",
    (np.logical_and, "reduce"): "np.all", (np.logical_or, "reduce"): "np.any",
}  # fmt: skip
STAGES = {"forward": "forward", "backward": "backward: the cotangent of each result, the last one's first", "update": "update"}
LONGEST = 100  # characters of an expression: what is longer is split


def source_of(program: Program, name: str, doc: str) -> str:
    """Return the source text of a program as a function of this name."""
    return Writer(program).text(name, doc)


class Writer:
    """Writes one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.imports: set[str] = set()
        self.constants: list[str] = []
        self.users = program.users()
        self.wanted = set(operands(program.wanted()))
        self.taken = {op.name or op.hint for op in (*program.inputs, *program.ops)}
        self.names = {op: op.name for op in program.inputs}
        self.written: dict[Op, tuple[str, int]] = {}
        self.temporary = 0

    def text(self, name: str, doc: str) -> str:
        """Return the whole text."""
        body, place, stage, state = [], None, None, None
        for op in self.program.ops:
            code, level = self.expression(op)
            if not self.kept(op, code):
                self.written[op] = (code, level)
                continue
            if op.stage != stage and (stage is not None or op.stage != "forward"):
                body += ["", f"    # {STAGES[op.stage]}"]
            if op.place != place or op.stage != stage:
                body += [f"    # {where}" for where in [place_of(op.place)] if where and op.stage != "update"]
            place, stage = op.place, op.stage
            if op.errstate != state:
                state = op.errstate
                body += [f"    with np.errstate({', '.join(f'{key}={value!r}' for key, value in state.items())}):"] if state else []
            self.names[op] = op.name or op.hint or self.invented()
            body.append(f"    {'    ' if state else ''}{self.names[op]} = {code}")
        results = [self.argument(y)[0] for y in self.program.wanted()[: len(self.program.results) + len(self.program.updates)]]
        inputs = ", ".join(str(op.name) for op in self.program.inputs)
        head = ["import numpy as np", *sorted(self.imports), "", "", f"def {name}({inputs}):"]
        return "\n".join([*head, f'    """{doc}"""', *self.constants, *body, f"    return {', '.join(results)}", ""])

    def kept(self, op: Op, code: str) -> bool:
        """Tell whether an op has a line of its own."""
        times = sum(x is op for user in set(self.users[op]) for x in user.uses)
        simple = re.fullmatch(r"[\w.]+(\.T)?", code) is not None
        return op.name is not None or op in self.wanted or (times > 1 and not simple) or len(code) > LONGEST or op.errstate is not None

    def invented(self) -> str:
        """Return a name for what has none."""
        self.temporary += 1
        name = f"t{self.temporary}"
        return self.invented() if name in self.taken else name

    def expression(self, op: Op) -> tuple[str, int]:
        """Return the code of a call and how tightly it binds."""
        function, args, kwargs = op.function, op.args, op.kwargs
        if function in SIGNS and len(args) == 2 and not kwargs:
            symbol, level = SIGNS[function], LEVELS.get(SIGNS[function], 0)
            (left, before), (right, after) = (self.argument(arg, op) for arg in args)
            left = left if before > level or (before == level and level in (1, 2)) else f"({left})"
            right = right if after > level else f"({right})"
            return f"{left} {symbol} {right}", level
        if function is np.negative and len(args) == 1:
            code, level = self.argument(args[0])
            return f"-{code}" if level >= UNARY else f"-({code})", UNARY
        if function is np.reciprocal and op.value.dtype.kind == "f" and not kwargs:
            code, level = self.argument(args[0])
            return f"1 / {code if level > 2 else f'({code})'}", 2
        if function is np.square and not kwargs:
            code, level = self.argument(args[0])
            return f"{code if level == ATOM else f'({code})'} ** 2", 4
        if function is np.transpose and len(args) == 1 and not kwargs:
            return f"{self.atom(args[0])}.T", ATOM
        if function is operator.getitem:
            return f"{self.atom(args[0])}[{self.index(args[1])}]", ATOM
        if function is astype:
            return f"{self.atom(args[0])}.astype({self.argument(args[1])[0]})", ATOM
        parts = [self.argument(arg)[0] for arg in args]
        owner = getattr(function, "__self__", None)
        if isinstance(owner, np.ufunc) and (owner, function.__name__) in REDUCTIONS:
            named = {key: value for key, value in kwargs.items() if (key, value) not in (("axis", None), ("keepdims", False))}
            named |= {} if "axis" in kwargs or len(args) > 1 else {"axis": 0}
            if isinstance(named.get("axis"), tuple) and len(named["axis"]) == 1:
                named["axis"] = named["axis"][0]
            return f"{REDUCTIONS[owner, function.__name__]}({', '.join([*parts, *self.keywords(named)])})", ATOM
        return f"{self.function(function)}({', '.join([*parts, *self.keywords(kwargs)])})", ATOM

    def keywords(self, kwargs: dict[str, Any]) -> list[str]:
        """Return keyword arguments."""
        return [f"{key}={self.argument(value)[0]}" for key, value in kwargs.items()]

    def function(self, function: Callable[..., Any]) -> str:
        """Return what a function is called, and import it if it is not NumPy's."""
        owner = getattr(function, "__self__", None)
        if isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is function:
            return f"np.{function.__name__}"
        if isinstance(owner, np.ufunc):
            return f"np.{owner.__name__}.{function.__name__}"
        name, module = function.__name__, function.__module__ or ""
        for path, space in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
            if getattr(space, name, None) is function:
                return f"{path}.{name}"
        self.imports.add(f"from {module} import {name}")
        return name

    def atom(self, x: Any) -> str:
        """Return an argument as something to put a dot or brackets behind."""
        code, level = self.argument(x)
        return code if level == ATOM else f"({code})"

    def argument(self, x: Any, op: Op | None = None) -> tuple[str, int]:
        """Return the code of an argument and how tightly it binds."""
        if isinstance(x, Op):
            return (str(self.names[x]), ATOM) if x in self.names else self.written[x]
        if isinstance(x, (tuple, list)):
            inner = ", ".join(self.argument(part)[0] for part in x)
            return (f"[{inner}]" if isinstance(x, list) else f"({inner}{',' if len(x) == 1 else ''})"), ATOM
        if isinstance(x, dict):
            return "{" + ", ".join(f"{key!r}: {self.argument(value)[0]}" for key, value in x.items()) + "}", ATOM
        if isinstance(x, slice):
            return f"slice({', '.join(self.argument(part)[0] for part in (x.start, x.stop, x.step))})", ATOM
        if isinstance(x, np.dtype):
            return f"np.dtype({x.str!r})", ATOM
        if isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0 and x.dtype.kind in "fiub":
            return self.number(x, op)
        if isinstance(x, np.ndarray):
            self.constants.append(f"    {(name := self.constant())} = np.array({listed(x)}, np.dtype({x.dtype.str!r})).reshape({x.shape})")
            return name, ATOM
        if isinstance(x, NUMBERS):
            return self.number(x, op)
        return ("..." if x is Ellipsis else self.function(x) if callable(x) else repr(x)), ATOM

    def number(self, x: Any, op: Op | None) -> tuple[str, int]:
        """Return the code of a number: without its dtype where what it meets has the same."""
        value = x.item() if isinstance(x, (np.ndarray, np.generic)) else x
        code = repr(value) if np.isfinite(value) else f"float('{value}')"
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e6 and str(value)[0] != "-" and op is not None:
            code = str(int(value))
        others = [y for y in (op.args if op else ()) if isinstance(y, Op)]
        if isinstance(x, (np.ndarray, np.generic)) and x.dtype != np.float64 and not any(y.dtype == x.dtype for y in others):
            code = f"np.{x.dtype.name}({code})"
        return code, UNARY if code[0] == "-" else ATOM

    def constant(self) -> str:
        """Return a name for a constant array."""
        name = f"c{len(self.constants) + 1}"
        return f"{name}_" if name in self.taken else name

    def index(self, index: Any) -> str:
        """Return the code of what stands in brackets."""
        if isinstance(index, tuple):
            return ", ".join(map(self.index, index)) + ("," if len(index) == 1 else "") or "()"
        if isinstance(index, slice):
            start, stop, step = ("" if part is None else self.argument(part)[0] for part in (index.start, index.stop, index.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self.argument(index)[0]


def listed(x: np.ndarray) -> str:
    """Return the entries of an array as a list that can be read back."""
    return re.sub(r"\b(nan|inf)\b", r"np.\1", repr(x.ravel().tolist()))


def place_of(place: Any) -> str:
    """Return file, line and text of a place in the user's code."""
    if not place or not place[1]:
        return ""
    return f"{Path(place[0]).name}:{place[1]}  {linecache.getline(*place).strip()}".rstrip()
