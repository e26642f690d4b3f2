"""Operations and their rules as short lines of text, with the names of what they are applied to."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

import numpy as np

from ..graph import Node
from .picture import clean

__all__ = ["expression", "formula", "number", "shape_text", "shortened", "summary"]

INFIX = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**", "floor_divide": "//", "remainder": "%"}
LONGEST_NAME = 32
FEW = 6


def expression(node: Node, operands: Mapping[int, str]) -> str:
    """Return a result's operation with the names of its operands, which are given for their places among the arguments."""
    texts = [operands[i] if i in operands else argument(arg) for i, arg in enumerate(node.args)]
    name = node.rule.name
    if name in INFIX and len(texts) == 2 and not node.kwargs:
        return f"{texts[0]} {INFIX[name]} {texts[1]}"
    if name == "negative":
        return f"-{texts[0]}"
    if name == "getitem":
        return f"{texts[0]}[{texts[1].strip('()')}]"
    options = [f"{key}={argument(value)}" for key, value in node.kwargs.items() if value is not None and value is not False]
    return f"{name}({', '.join(texts + options)})"


def argument(value: Any) -> str:
    """Return an argument that is no tensor as a few characters."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array{value.shape}"
    if isinstance(value, (np.number, float, complex, np.ndarray)):
        return number(value)
    if isinstance(value, slice):
        return ":".join("" if part is None else str(part) for part in (value.start, value.stop, value.step)[: 2 if value.step is None else 3])
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(argument, value))
        return f"({inner},)" if isinstance(value, tuple) and len(value) == 1 else f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return shortened("..." if value is Ellipsis else getattr(value, "__name__", None) or str(value))


def number(value: Any) -> str:
    """Return one number with six figures."""
    return format(complex(value), ".6g") if np.iscomplexobj(value) else format(float(value), ".6g")


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Return text with its middle left out where it is too long for a picture."""
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-(longest // 2 - 1) :]}"


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape in words."""
    return str(shape) if shape else "scalar"


def summary(value: Any) -> str:
    """Return all of a few entries, else their mean, spread and range; entries that are not finite are counted."""
    array = np.asarray(value)
    if array.size == 0:
        return "empty"
    if array.ndim == 0:
        return number(array[()])
    if array.size <= FEW:
        return nested(array.tolist())
    if array.dtype.kind == "c":
        return f"{array.size} complex numbers"
    finite = array[np.isfinite(array)]
    lost = array.size - finite.size
    figures = f"{finite.mean():.4g} ± {finite.std():.4g} in [{finite.min():.4g}, {finite.max():.4g}]" if finite.size else ""
    return ", ".join(filter(None, (figures, f"{lost} of {array.size} not finite" if lost else "")))


def nested(entries: Any) -> str:
    """Return nested lists of numbers."""
    return f"[{', '.join(map(nested, entries))}]" if isinstance(entries, list) else number(entries)


def formula(node: Node, i: int, vjp: Callable[..., Any], names: Mapping[str, str]) -> str:
    """Return the rule of an argument as text: the line of the table itself, with names for ``g``, ``out`` and the arguments.

    Parameters
    ----------
    node : the result.
    i : the place of the argument.
    vjp : its rule.
    names : "g" and "out", and the place of each argument ("0", "1", ...), with what to write for them.
    """
    text, arguments = source(vjp.func if isinstance(vjp, partial) else vjp)
    if not text:
        return f"vjp[{node.rule.name}, {i}]({names['g']})"
    meaning = {"g": names["g"], "out": names["out"], **{a: names[str(k)] for k, a in enumerate(arguments) if str(k) in names}}
    whole = rf"(?<![\w.])({'|'.join(map(re.escape, meaning))})(?![A-Za-z0-9_(=])"
    return re.sub(whole, lambda match: meaning[match[1]], text)


@cache
def source(vjp: Callable[..., Any]) -> tuple[str, Sequence[str]]:
    """Return what a rule computes, and what it calls its arguments: a lambda's body, or a function's own summary."""
    try:
        arguments = list(inspect.signature(vjp).parameters)[2:]
        if vjp.__name__ != "<lambda>":
            said = re.match(r"Return (.+?)(, | where |;|\.$)", (inspect.getdoc(vjp) or "") + "\n")
            return (said[1] if said else ""), arguments
        lines, _ = inspect.findsource(vjp)
    except (OSError, TypeError, ValueError):
        return "", []
    here = vjp.__code__.co_firstlineno
    found = [x for x in ast.walk(parsed("".join(lines))) if isinstance(x, ast.Lambda) and x.lineno == here]
    bodies = {ast.unparse(x.body) for x in found if [a.arg for a in x.args.args][2:] == arguments[: len(x.args.args) - 2]}
    return (bodies.pop() if len(bodies) == 1 else ""), arguments


@cache
def parsed(text: str) -> ast.AST:
    """Return the syntax tree of a file."""
    return ast.parse(text)


def label(text: str) -> str:
    """Return a name as pictures show it."""
    return shortened(clean(text))
