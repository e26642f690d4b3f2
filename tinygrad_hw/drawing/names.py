"""What a vertex is called: the user's own names first, then its role in a network, then its operation and a count.

A tensor's own name (``name=``, or the path that its module gave it) comes before the path of the module whose result it is,
that before the names of the user's variables. What is left is called by its role (z₁ = x @ W₁ + b₁, a₁ = σ(z₁), ŷ, y, L),
and what has none ``matmul_3``. Nothing depends on where an object lies in memory: one program gives one set of names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .picture import shared_path
from .recorded import Recorded

__all__ = ["name_vertices", "paths_of", "user_names"]

ACTIVATIONS = {"sigmoid", "tanh", "relu", "leaky_relu", "gelu", "softplus", "log_sigmoid", "softmax", "log_softmax", "sin", "exp"}
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
NOTEBOOK_NAMES = {"In", "Out"}


def user_names(names: Mapping[str, Any] | None) -> tuple[dict[Any, str], dict[str, np.ndarray]]:
    """Return the user's variables as node → name and as name → array; a tensor with several names has the first."""
    nodes: dict[Any, str] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in (names or {}).items():
        if name.startswith("_") or name in NOTEBOOK_NAMES:
            continue
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif hasattr(value, "_node"):
            nodes.setdefault(value._node, name)
    return nodes, arrays


def name_vertices(recorded: Recorded, variables: Mapping[Any, str]) -> list[str]:
    """Return a name for each vertex; no two are equal."""
    names = given(recorded, variables)
    for vertex, role in roles(recorded).items():
        names[vertex] = names[vertex] or role
    return distinct([name or call for name, call in zip(names, counted(recorded))])


def given(recorded: Recorded, variables: Mapping[Any, str]) -> list[str]:
    """Return the names that come from the user, "" where there is none."""
    return [
        known if node is None else node.name or (node.calls and module_of(node)) or variables.get(node) or ""
        for node, known in zip(recorded.nodes, recorded.known)
    ]


def module_of(node: Node) -> str:
    """Return the path of the outermost module whose result a node is; the class of a whole network, or a mere number, is no name."""
    return next((path for _, path in reversed(node.calls) if not path[:1].isupper() and not path.replace(".", "").isdigit()), "")


def counted(recorded: Recorded) -> list[str]:
    """Return ``matmul_3`` for the third matmul, ``constant_2`` for the second constant."""
    seen: Counter[str] = Counter()
    calls = []
    for kind, operation in zip(recorded.kinds, recorded.operations):
        word = operation or kind
        seen[word] += 1
        calls.append(f"{word}_{seen[word]}")
    return calls


def distinct(names: list[str]) -> list[str]:
    """Append _2, _3, … to names that have been given before."""
    taken: set[str] = set()
    repeats: Counter[str] = Counter()
    for i, name in enumerate(names):
        fresh = name
        while fresh in taken:
            repeats[name] += 1
            fresh = f"{name}_{repeats[name] + 1}"
        taken.add(fresh)
        names[i] = fresh
    return names


def roles(recorded: Recorded) -> dict[int, str]:
    """Return what each vertex is in a network: W₁, b₁, z₁, a₁, …, and x, y, ŷ, L where they can be told."""
    found = affine_roles(recorded)
    users = Counter(operand for operands in recorded.operands for operand in operands)
    for vertex, operation in enumerate(recorded.operations):
        operands = recorded.operands[vertex]
        if operation in ACTIVATIONS and found.get(operands[0], "").startswith("z"):
            found.setdefault(vertex, "a" + found[operands[0]][1:])
    if len(recorded.outputs) == 1:
        (output,) = recorded.outputs
        if recorded.operations[output] and np.size(recorded.values[output]) == 1:
            found.update(target_roles(recorded, found, users))
            found[output] = "L"
    return found


def affine_roles(recorded: Recorded) -> dict[int, str]:
    """Return the roles around each z = x @ W + b, numbered in their order; several products may add up in one z."""
    kinds, operations, operands = recorded.kinds, recorded.operations, recorded.operands
    parts: dict[int, tuple[list[int], list[int]]] = {}  # the weights and biases of a sum of products
    inputs: list[int] = []
    for vertex, operation in enumerate(operations):
        used = operands[vertex]
        if operation == "matmul" and len(used) == 2 and any(kinds[u] == "parameter" for u in used):
            weight = used[1] if kinds[used[1]] == "parameter" else used[0]
            parts[vertex] = [weight], []
            inputs += [u for u in used if kinds[u] in ("input", "constant")]
        elif operation == "add" and any(u in parts for u in used) and all(u in parts or kinds[u] == "parameter" for u in used):
            weights: list[int] = []
            biases = [u for u in used if kinds[u] == "parameter"]
            for u in set(used) & parts.keys():
                weights, biases = weights + parts[u][0], biases + parts.pop(u)[1]
            parts[vertex] = weights, biases
    found: dict[int, str] = {inputs[0]: "x"} if inputs else {}
    for k, (vertex, (weights, biases)) in enumerate(sorted(parts.items()), 1):
        number = str(k).translate(SUBSCRIPTS)
        found[vertex] = f"z{number}"
        for letter, parameters in (("W", weights), ("b", biases)):
            for parameter in parameters:
                found.setdefault(parameter, f"{letter}{number}")
    return found


def target_roles(recorded: Recorded, found: Mapping[int, str], users: Mapping[int, int]) -> dict[int, str]:
    """Return which result is compared with which data: the last z or a, used beside an array of its shape that needs no gradient."""
    last = max((vertex for vertex, role in found.items() if role[0] in "za"), default=None)
    for vertex, operands in enumerate(recorded.operands):
        if last in operands and len(operands) == 2 and recorded.operations[vertex] == "subtract":
            (other,) = set(operands) - {last} or {last}
            if recorded.kinds[other] in ("input", "constant") and np.shape(recorded.values[other]) == np.shape(recorded.values[last]):
                return {last: "ŷ", other: "y"}
    return {}


def paths_of(recorded: Recorded, kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the module calls that each vertex lies in, the outermost first.

    A result lies in the calls that were running when it was made. A parameter or a constant lies where all its users do, an input
    outside. Later calls of one module are told apart: ``cell``, ``cell (2)``.
    """
    ends = {call: node.number for node in recorded.nodes if node is not None for call in node.calls}
    waiting = sorted(ends, reverse=True)
    running: list[tuple[int, str]] = []
    times: Counter[str] = Counter()
    paths: list[tuple[str, ...]] = [()] * len(recorded.nodes)
    for vertex, node in enumerate(recorded.nodes):
        if node is None or node.rule is None:
            continue
        while waiting and waiting[-1][0] < node.number:
            before, path = waiting.pop()
            times[path] += 1
            leave(running, before)
            running.append((ends[before, path], path if times[path] == 1 else f"{path} ({times[path]})"))
        leave(running, node.number)
        paths[vertex] = tuple([path for _, path in running])
    return leaves_inside(recorded, kinds, paths) if ends else paths


def leave(running: list[tuple[int, str]], number: int) -> None:
    """Drop the calls that had ended by this number."""
    while running and running[-1][0] < number:
        running.pop()


def leaves_inside(recorded: Recorded, kinds: Sequence[str], paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Put each parameter and each constant where all its users are."""
    users: dict[int, list[int]] = {}
    for vertex, operands in enumerate(recorded.operands):
        for operand in operands:
            if kinds[operand] in ("parameter", "constant"):
                users.setdefault(operand, []).append(vertex)
    for leaf, vertices in users.items():
        paths[leaf] = shared_path(paths[vertex] for vertex in vertices)
    return paths
