"""What to call the values of a program: the user's names, and where there are none, names that tell the part played.

z₁ = x W + b, a₁ = σ(z₁), and δ₁ for the cotangent of z₁ (written ``delta1``); ``dW1`` for the gradient of W1.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any

from ..graph import Node, made
from ..tensor import Tensor
from .captured import FOREIGN
from .program import Program
from .trace import Op, Traced

__all__ = ["name_all", "name_locals"]

LINEAR = {"matmul", "einsum"}
ACTIVATIONS = {"sigmoid", "tanh", "relu", "leaky_relu", "gelu", "softplus", "softmax", "log_softmax", "log_sigmoid"}


def name_locals(frames: Iterable[Any]) -> None:
    """Give values the names of the local variables that the user's functions held when they returned."""
    for frame in frames:
        if not frame.f_code.co_filename.startswith(FOREIGN):
            for name, value in frame.f_locals.items():
                op = op_of(value)
                if op is not None and op.name is None:
                    op.name = name


def op_of(value: Any) -> Op | None:
    """Return the op of a stand-in, or of a tensor that holds one."""
    value = value._node.value if isinstance(value, Tensor) else value
    return value._op if isinstance(value, Traced) else None


def name_all(program: Program, cotangents: dict[Node, Any], out: Any) -> None:
    """Give every value that a reader should see a name, each name once."""
    layers = 0
    delta: dict[Op, str] = {}
    for node in reversed(made([out._node]) if isinstance(out, Tensor) else []):
        op = op_of(node.value)
        if op is None or op.function is None:
            continue
        kinds = [parent.rule.name if parent is not None and parent.rule else "" for parent in node.parents]
        if node.name:
            op.name = node.name
        if node.rule.name in LINEAR or (node.rule.name == "add" and LINEAR & set(kinds)):
            layers += node.rule.name in LINEAR
            op.name = op.name or (f"z{layers}" if node.rule.name == "add" or not biased(program, op) else None)
            delta[op] = f"delta{layers}"
        elif node.rule.name in ACTIVATIONS:
            op.name = op.name or f"a{layers}"
    if isinstance(out, Tensor) and op_of(out) is not None:
        op_of(out).name = op_of(out).name or "loss" if cotangents else "result"  # type: ignore[union-attr]
    for node, g in cotangents.items():
        op, d = op_of(node.value), op_of(g)
        if op is not None and d is not None and op in delta and op.name:
            d.name = d.name or delta[op]
    for parameter, g in program.gradients.items():
        if g.function is not None:
            g.name = g.name or f"d{parameter.name}"
    for old, new in program.updates:
        if isinstance(new, Op) and new.function is not None:
            new.name = new.name or f"new_{old.name}"
    taken: set[str] = set()
    users = program.users()
    for op in (*program.inputs, *program.ops):
        if op.name is not None and (users[op] or op.role[:1] != ("lr",)):
            op.name = unique(op.name, taken)


def biased(program: Program, op: Op) -> bool:
    """Tell whether a product is followed by an addition at once."""
    users = program.users()[op]
    return bool(users) and getattr(users[0].function, "__name__", "") == "add"


def unique(name: str, taken: set[str]) -> str:
    """Return the name as an identifier that nothing else has."""
    name = re.sub(r"\W+", "_", name).strip("_") or "x"
    name = f"_{name}" if name[0].isdigit() or keyword.iskeyword(name) or name in ("np", "out") else name
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate)
    return candidate
