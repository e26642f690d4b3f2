"""What to call the values of a program: as drawings and equations do (see ``naming``), spelt for Python.

The user's local variables come first; the cotangent of z₁ is ``delta1``, the gradient of W₁ ``dW1``.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from ..graph import Node, history
from ..naming import Names
from ..tensor import Tensor
from ..trees import leaves
from ..views import View
from .guards import FOREIGN
from .program import Program
from .trace import Op, Traced, operands

__all__ = ["name_all", "name_apart", "name_locals"]


def name_locals(frames: Iterable[Any]) -> None:
    """Give values the names of the local variables that the user's functions held when they returned."""
    for frame in frames:
        if not frame.f_code.co_filename.startswith(FOREIGN):
            for name, value in frame.f_locals.items():
                op = op_of(value)
                if op is not None and op.name is None:
                    op.name = name


def op_of(value: Any) -> Op | None:
    """Return the op of a stand-in, or of a tensor that holds one; of a view, that of the value that it keeps."""
    value = (value._cached_node if isinstance(value, View) else value._node).value if isinstance(value, Tensor) else value
    return value._op if isinstance(value, Traced) else None


def name_all(program: Program, before: Mapping[Node, Traced], cotangents: Mapping[Node, Any], out: Any) -> None:
    """Give every value the name that drawings and equations have for it, spelt for Python, each name once.

    ``before`` holds the values of the tensors that the program may have changed since. What a reader should see has a ``name``, and a
    line of its own in the source; the rest has a ``hint``, for where it needs one.
    """
    name_as_drawn(before, cotangents, [y._node for y in leaves(out) if isinstance(y, Tensor)])
    name_by_part(program)
    taken: dict[str, int] = {}
    users = program.users()
    for op in (*program.inputs, *program.ops):
        if op.name is not None and (users[op] or op.role[:1] != ("lr",)):
            op.name = unique(op.name, taken)
    for op in program.ops:
        if op.name is None and op.hint is not None:
            op.hint = unique(op.hint, taken)


def name_as_drawn(before: Mapping[Node, Traced], cotangents: Mapping[Node, Any], roots: list[Node]) -> None:
    """Name the values of a graph, and their cotangents, as drawings and equations do."""
    ops = {node: op_of(before.get(node, node.value)) for node in history(roots)}
    names = Names(list(dict.fromkeys(roots)), {op.name: node for node, op in ops.items() if op is not None and op.name})
    for node, op in ops.items():
        if op is None or (node.rule is None and op.function is not None):  # (a value that nothing is differentiated through)
            continue
        if node in names.descriptive:
            op.name = op.name or names.labels[node].identifier
        op.hint = names.labels[node].identifier
        delta = op_of(cotangents.get(node))
        if delta is not None and node.rule is not None:
            delta.name = delta.name or (names.cotangent(node).identifier if node in names.layers else None)
            delta.hint = names.cotangent(node).identifier


def name_by_part(program: Program) -> None:
    """Name what has no name yet by the part that it plays: memory by its parameter, gradients, results and new values."""
    parameters = {op.role[1]: op for op in program.inputs if op.role[0] == "parameter"}
    for op in program.inputs:
        op.name = op.name or (f"{op.role[2]}_{parameters[op.role[1]].name}" if op.role[0] == "memory" else op.hint)
    for op in operands(program.results):
        op.hint = op.hint or "result"
    for parameter, g in program.gradients.items():
        if g.function is not None:
            g.name = g.name or f"d{parameter.name}"
    for old, new in program.updates:
        if isinstance(new, Op) and new.function is not None:
            new.name = new.name or f"new_{old.name}"


def name_apart(step: Program) -> None:
    """Give each input of a loop's step a name, and no two values the same one."""
    taken: dict[str, int] = {}
    for i, op in enumerate(step.inputs):
        op.name = unique(op.name or op.hint or f"x{i + 1}", taken)
    for op in step.ops:
        op.name = unique(op.name, taken) if op.name else None


def unique(name: str, taken: dict[str, int]) -> str:
    """Return the name as an identifier, as Python reads it, that nothing else has; ``taken`` counts the names that are taken."""
    if not (name.isascii() and name.isalnum()):
        letters = (letter if f"x{letter}".isidentifier() else "_" for letter in unicodedata.normalize("NFKC", name))
        name = re.sub("_+", "_", "".join(letters)).strip("_") or "x"
    name = f"_{name}" if not name.isidentifier() or keyword.iskeyword(name) or name in ("np", "out") else name
    candidate = name
    while candidate in taken:
        taken[name] = taken.get(name, 1) + 1
        candidate = f"{name}_{taken[name]}"
    taken[candidate] = 1
    return candidate
