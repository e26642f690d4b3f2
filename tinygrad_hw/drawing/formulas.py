"""Operations as short lines of text, with the names of what they are applied to, and arrays in a few figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..equations import formula
from ..naming import Label, is_formula
from ..rules.functions import SIGNS
from ..rules.shaping import getitem
from .recorded import Recorded, Vertex

__all__ = ["derivative", "expression", "number", "shape_text", "shortened", "spelt", "summary"]

LONGEST_NAME = 32
FEW = 6


def expression(recorded: Recorded, vertex: Vertex) -> str:
    """Return a result's operation with the names of its operands, "" for a leaf."""
    node = vertex.node
    if node is None or node.rule is None:
        return ""
    operands = recorded.labels_of(vertex)
    texts = [spelt(operands[i]) if i in operands else argument(arg) for i, arg in enumerate(node.args)]
    name = vertex.operation
    if node.rule.function in SIGNS and len(texts) == 2 and not node.kwargs:
        return f"{texts[0]} {SIGNS[node.rule.function]} {texts[1]}"
    if name == "negative":
        return f"-{texts[0]}"
    if name == "getitem":
        return f"{texts[0]}{brackets(node.args[1])}"
    if name == "setitem":
        return f"{texts[0]} with {written_place(*node.args[2:])} = {texts[1]}"
    options = [f"{key}={argument(value)}" for key, value in node.kwargs.items() if value is not None and value is not False]
    return f"{name}({', '.join(texts + options)})"


def brackets(index: Any) -> str:
    return f"[{', '.join(map(argument, index)) if isinstance(index, tuple) else argument(index)}]"


def written_place(index: Any, steps: Any = (), *_: Any) -> str:
    """Return where a value was written: an index, of a view of the array if there are steps that lead to one."""
    views = [
        brackets(args[0]) if function is getitem else f".{function.__name__}({', '.join(map(argument, args))})"
        for function, args, _ in steps
    ]
    return "".join(views) + ("" if views and index is Ellipsis else brackets(index))


def derivative(recorded: Recorded, vertex: Vertex, place: int) -> str:
    """Return what a result's rule makes of the cotangent g that arrives there, for the argument at a place."""
    assert vertex.node is not None
    known, key = recorded.derivatives, (vertex.node, place)
    if key not in known:
        known[key] = formula(vertex.node, place, recorded.labels_of(vertex), vertex.label, Label("g")).text.split(" += ", 1)[1]
    return known[key]


def argument(value: Any) -> str:
    """Return a few characters for an argument that is not a tensor."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array{value.shape}"
    if isinstance(value, (np.number, float, complex, np.ndarray)):
        return f"({number(value)})" if np.iscomplexobj(value) else number(value)
    if isinstance(value, slice):
        parts = (value.start, value.stop, value.step)[: 2 if value.step is None else 3]
        return ":".join("" if part is None else str(part) for part in parts)
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(argument, value))
        return f"({inner},)" if isinstance(value, tuple) and len(value) == 1 else f"({inner})" if isinstance(value, tuple) else f"[{inner}]"
    return shortened("..." if value is Ellipsis else getattr(value, "__name__", None) or str(value))


def number(value: Any) -> str:
    """Return one number with six figures."""
    return format(complex(value), ".6g") if np.iscomplexobj(value) else format(float(value) + 0.0, ".6g")  # (0 for -0)


def shortened(text: str, longest: int = LONGEST_NAME) -> str:
    """Return text with its middle left out where it is too long for a picture."""
    return text if len(text) <= longest else f"{text[: longest // 2]}…{text[-(longest // 2 - 1) :]}"


def shape_text(shape: tuple[int, ...]) -> str:
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
    if finite.size == 0:
        figures = ""
    elif finite.min() == finite.max():
        figures = f"all {number(finite.min())}"
    else:
        figures = f"{finite.mean():.4g} ± {finite.std():.4g} in [{finite.min():.4g}, {finite.max():.4g}]"
    return ", ".join(filter(None, (figures, f"{lost} of {array.size} not finite" if lost else "")))


def nested(entries: Any) -> str:
    return f"[{', '.join(map(nested, entries))}]" if isinstance(entries, list) else number(entries)


def spelt(label: Label) -> str:
    """Return a name as it stands in a picture's formulas: in brackets if it is itself a formula."""
    text = shortened(str(label))
    return f"({text})" if is_formula(label) else text
