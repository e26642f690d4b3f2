"""The program as NumPy source to read: the user's names, and beside each part the line of the user's code it comes from.

What is used once and has no name is written where it is used, so the text reads as if it had been written by hand. It runs by itself:
a function of all inputs that returns the results and the new values.
"""

from __future__ import annotations

import linecache
import operator
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from ..rules.functions import SIGNS
from .calls import REDUCED_BY, REDUCTIONS, container
from .loop import Loop
from .names import name_apart
from .passes import PASSES, apply
from .program import Program
from .trace import NUMBERS, Op, astype, operands

__all__ = ["READABLE", "source_of"]

READABLE = {"drop_copies", "fold_constants", "fold_signs", "turn_differences", "merge_equal", "drop_dead"}  # the passes for a text to read

LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "@": 2, "//": 2, "%": 2, "**": 4}  # how tightly signs bind; comparisons 0
UNARY, ATOM = 3, 9
UNARY_SPELLINGS = {  # how it is written, how tightly its argument has to bind, and how tightly it binds itself
    np.negative: ("-{}", UNARY, UNARY), np.reciprocal: ("1 / {}", UNARY, 2), np.square: ("{} ** 2", ATOM, 4),
    np.transpose: ("{}.T", ATOM, ATOM),
}  # fmt: skip
STAGES = {"forward": "forward", "backward": "backward: the cotangent of each result, the last one's first", "update": "update"}
LONGEST = 100  # characters of an expression: what is longer is split


def source_of(program: Program, name: str, doc: str) -> str:
    """Return the source text of a program as a function of this name."""
    writer = Writer(program)
    text = writer.text(name, doc)
    return "\n".join(["import numpy as np", *sorted(writer.imports), "", "", text])


class Writer:
    """Writes one program."""

    def __init__(self, program: Program, as_tuple: bool = False) -> None:
        self.program, self.as_tuple = program, as_tuple
        self.imports: set[str] = set()
        self.functions: list[str] = []  # the text of those for the loops
        self.constants: list[str] = []
        self.users = program.users()
        self.wanted = set(operands(program.wanted()))
        self.taken = {op.name or op.hint for op in (*program.inputs, *program.ops)}
        self.names = {op: op.name for op in program.inputs}
        self.written: dict[Op, tuple[str, int]] = {}
        self.numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))  # of what has no name, by its first letter

    def text(self, name: str, doc: str) -> str:
        body, state = [], None
        for op, comments, code in self.statements():
            body += [f"    # {comment}" if comment else "" for comment in comments]
            if op.errstate != state:
                state = op.errstate
                body += [f"    with np.errstate({', '.join(f'{key}={value!r}' for key, value in state.items())}):"] if state else []
            body.append(f"    {'    ' if state else ''}{self.names[op]} = {code}")
        results = [self.argument(y)[0] for y in self.program.wanted()[: len(self.program.results) + len(self.program.updates)]]
        inputs = ", ".join(str(op.name) for op in self.program.inputs)
        head = [*self.functions, f"def {name}({inputs}):", f'    """{doc}"""', *self.constants]
        return "\n".join([*head, *body, f"    return {', '.join(results)}{',' if self.as_tuple else ''}", ""])

    def statements(self, is_stored: Callable[[Op], bool] = lambda op: False) -> Iterator[tuple[Op, list[str], str]]:
        """Yield each op that has a line of its own, of which ``is_stored`` may name more, with the comments above it and its code.

        The comments are the line of the user's code, and the stage, if they are others than those of the line before.
        """
        place, stage = None, None
        for op in self.program.ops:
            code, level = self.expression(op)
            if not (self.has_line(op, code) or is_stored(op)):
                self.written[op] = (code, level)
                continue
            comments = ["", STAGES[op.stage]] if op.stage != stage and (stage is not None or op.stage != "forward") else []
            if (op.place, op.stage) != (place, stage) and op.stage != "update" and place_of(op.place):
                comments.append(place_of(op.place))
            place, stage = op.place, op.stage
            self.names[op] = op.name or op.hint or self.unused("t")
            yield op, comments, code

    def has_line(self, op: Op, code: str) -> bool:
        """Tell whether an op has a line of its own."""
        times = sum(x is op for user in set(self.users[op]) for x in user.uses)
        simple = re.fullmatch(r"[\w.]+(\.T)?", code) is not None
        return op.name is not None or op in self.wanted or (times > 1 and not simple) or len(code) > LONGEST or op.errstate is not None

    def unused(self, letter: str) -> str:
        """Return a name for what has none: the letter with a number."""
        return next(name for k in self.numbers[letter] if (name := f"{letter}{k}") not in self.taken)

    def expression(self, op: Op) -> tuple[str, int]:
        """Return the code of a call and how tightly it binds."""
        if op.function in SIGNS and len(op.args) == 2 and not op.kwargs:
            return self.infix(op)
        if op.function in UNARY_SPELLINGS and len(op.args) == 1 and not op.kwargs and not is_integer_reciprocal(op):
            form, needed, level = UNARY_SPELLINGS[op.function]
            return form.format(self.bracketed(op.args[0], needed)), level
        if op.function is operator.getitem:
            return f"{self.bracketed(op.args[0], ATOM)}[{self.index(op.args[1])}]", ATOM
        if op.function is astype:
            return f"{self.bracketed(op.args[0], ATOM)}.astype({self.argument(op.args[1])[0]})", ATOM
        ufunc = REDUCED_BY.get(op.function)
        if ufunc is not None and op.function == ufunc.reduce:
            return self.call(f"np.{REDUCTIONS[ufunc].__name__}", op.args, reduction_keywords(op)), ATOM
        return self.call(self.function(op.function), op.args, op.kwargs), ATOM

    def infix(self, op: Op) -> tuple[str, int]:
        """Return the code of an operator between its operands."""
        symbol, level = SIGNS[op.function], LEVELS.get(SIGNS[op.function], 0)
        left = self.bracketed(op.args[0], level if level in (1, 2) else level + 1, op)
        return f"{left} {symbol} {self.bracketed(op.args[1], level + 1, op)}", level

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        keywords = [f"{key}={self.argument(value)[0]}" for key, value in kwargs.items()]
        return f"{function}({', '.join([*(self.argument(arg)[0] for arg in args), *keywords])})"

    def function(self, function: Callable[..., Any]) -> str:
        """Return what a function is called, and import it if it is not NumPy's."""
        owner = getattr(function, "__self__", None)
        if isinstance(function, Loop):
            return self.loop(function)
        if isinstance(owner, np.ufunc):
            return f"np.{owner.__name__}.{function.__name__}"
        name, module = function.__name__, getattr(function, "__module__", None) or module_of_ufunc(function)
        for path, space in (("np", np), ("np.linalg", np.linalg), ("np.fft", np.fft)):
            if getattr(space, name, None) is function:
                return f"{path}.{name}"
        self.imports.add(f"from {module} import {name}")
        return name

    def loop(self, loop: Loop) -> str:
        """Write a step of a loop as a function, and the loop as another; return what that is called."""
        body = apply(loop.body, tuple(set(PASSES) - READABLE))
        name_apart(body)
        number = sum(f.startswith("def scan_") for f in self.functions) + 1
        step = Writer(body, as_tuple=True)
        text = step.text(
            f"step_{number}", "Return what is carried on" + (", and what is stacked." if loop.carried < len(body.results) else ".")
        )
        self.imports |= step.imports
        names = [str(op.name) for op in body.inputs]
        carry = "".join(f"{x}, " for x in names[: loop.carried])
        rows = [f"{x}[i]" if loop.carried <= k < loop.carried + loop.rows else x for k, x in enumerate(names)]
        order = f"reversed(range({loop.count}))" if loop.backwards else f"range({loop.count})"
        lines = [
            f"def scan_{number}({', '.join(names)}):",
            f'    """Do {loop.count} steps; return what the last one carries on, and what all have given, stacked."""',
            "    rows = []",
            f"    for i in {order}:",
            f"        {carry}*row = step_{number}({', '.join(rows)})",
            "        rows.append(row)",
            f"    return [{carry}*map(np.stack, zip(*rows{'[::-1]' if loop.backwards else ''}))]",
        ]
        self.functions += [*step.functions, text, "", "\n".join(lines), "", ""]
        return f"scan_{number}"

    def bracketed(self, x: Any, needed: int, op: Op | None = None) -> str:
        """Return the code of an argument, in brackets unless it binds tightly enough."""
        code, level = self.argument(x, op)
        return code if level >= needed else f"({code})"

    def argument(self, x: Any, op: Op | None = None) -> tuple[str, int]:
        """Return the code of an argument and how tightly it binds."""
        if isinstance(x, Op):
            return (str(self.names[x]), ATOM) if x in self.names else self.written[x]
        if isinstance(x, (tuple, list, dict)):
            return container(x, lambda part: self.argument(part)[0]), ATOM
        if isinstance(x, slice):
            return f"slice({', '.join(self.argument(part)[0] for part in (x.start, x.stop, x.step))})", ATOM
        if isinstance(x, np.dtype):
            return f"np.dtype({x.str!r})", ATOM
        if isinstance(x, NUMBERS) or (isinstance(x, (np.ndarray, np.generic)) and x.ndim == 0 and x.dtype.kind in "fiub"):
            return self.number(x, op)
        if isinstance(x, np.ndarray):
            self.constants.append(f"    {(name := self.unused('c'))} = np.array({listed(x)}, np.dtype({x.dtype.str!r})).reshape({x.shape})")
            return name, ATOM
        return ("..." if x is Ellipsis else self.function(x) if callable(x) else repr(x)), ATOM

    def number(self, x: Any, op: Op | None) -> tuple[str, int]:
        """Return the code of a number: without its dtype where what it meets has the same."""
        value = x.item() if isinstance(x, (np.ndarray, np.generic)) else x
        code = repr(value) if np.isfinite(value) else f"float('{value}')"
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e6 and str(value)[0] != "-" and op is not None:
            code = str(int(value))
        elif (ratio := short_ratio(value)) is not None:
            code = f"({ratio})"
        others = [y for y in (op.args if op else ()) if isinstance(y, Op)]
        if isinstance(x, (np.ndarray, np.generic)) and x.dtype != np.float64 and not any(y.dtype == x.dtype for y in others):
            code = f"np.{x.dtype.name}({code})"
        return code, UNARY if code[0] == "-" else ATOM

    def index(self, index: Any) -> str:
        """Return the code of what stands in brackets."""
        if isinstance(index, tuple):
            return ", ".join(map(self.index, index)) + ("," if len(index) == 1 else "") or "()"
        if isinstance(index, slice):
            start, stop, step = ("" if part is None else self.argument(part)[0] for part in (index.start, index.stop, index.step))
            return f"{start}:{stop}" + (f":{step}" if step else "")
        return self.argument(index)[0]


def module_of_ufunc(ufunc: Any) -> str:
    """Return the module to import a ufunc from that is not NumPy's: SciPy's, which does not say."""
    found = (name for name in ("scipy.special", "scipy.special._ufuncs") if getattr(sys.modules.get(name), ufunc.__name__, None) is ufunc)
    return next(found, "")


def is_integer_reciprocal(op: Op) -> bool:
    """Tell whether an op is a reciprocal of integers, which 1 / x is not."""
    return op.function is np.reciprocal and op.dtype.kind != "f"


def reduction_keywords(op: Op) -> dict[str, Any]:
    """Return the keyword arguments that np.sum and its like need to do what a ufunc's reduce does."""
    named = {key: value for key, value in op.kwargs.items() if (key, value) not in (("axis", None), ("keepdims", False))}
    if "axis" not in op.kwargs and len(op.args) == 1:
        named["axis"] = 0
    if isinstance(named.get("axis"), tuple) and len(named["axis"]) == 1:
        named["axis"] = named["axis"][0]
    return named


def short_ratio(value: Any) -> str | None:
    """Return a number of many digits as k / n of a small k, if it is that to the last digit: 2 / 21, but not 1 / 10."""
    if not isinstance(value, float) or not 1e-9 < abs(value) < 1 or len(repr(value)) < 10:
        return None
    above, below = Fraction(value).limit_denominator(10**9).as_integer_ratio()
    return f"{above} / {below}" if abs(above) <= 12 and above / below == value else None


def listed(x: np.ndarray) -> str:
    """Return the entries of an array as a list that can be read back."""
    return re.sub(r"\b(nan|inf)\b", r"np.\1", repr(x.ravel().tolist()))


def place_of(place: Any) -> str:
    """Return file, line and text of a place in the user's code."""
    if not place or not place[1]:
        return ""
    text = f"{Path(place[0]).name}:{place[1]}  {linecache.getline(*place).strip()}".rstrip()
    return "".join(letter if letter.isprintable() else "?" for letter in text)  # (a line break would end the comment)
