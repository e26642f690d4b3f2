"""What a vertex is called: the user's own names first, then its role in a network, then its operation and a count.

``name=`` comes before the path of a parameter, that before the path of a module, that before the names of the user's
variables. What is left is called by its role (z₁ = x @ W₁ + b₁, a₁ = σ(z₁), ŷ, y, L), and what has none ``matmul_3``.
Nothing depends on where an object lies in memory: one program gives one set of names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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


def name_vertices(
    recorded: Recorded,
    paths: Sequence[tuple[str, ...]],
    parameters: Mapping[Any, str],
    variables: Mapping[Any, str],
) -> list[str]:
    """Return a name for each vertex; no two are equal."""
    names = given(recorded, paths, parameters, variables)
    for vertex, role in roles(recorded).items():
        names[vertex] = names[vertex] or role
    return distinct([name or call for name, call in zip(names, counted(recorded))])


def given(
    recorded: Recorded,
    paths: Sequence[tuple[str, ...]],
    parameters: Mapping[Any, str],
    variables: Mapping[Any, str],
) -> list[str]:
    """Return the names that come from the user, "" where there is none."""
    last = last_of_modules(recorded, paths)
    return [
        known if node is None else node.name or parameters.get(node) or last.get(vertex) or variables.get(node) or ""
        for vertex, (node, known) in enumerate(zip(recorded.nodes, recorded.known))
    ]


def last_of_modules(recorded: Recorded, paths: Sequence[tuple[str, ...]]) -> dict[int, str]:
    """Return the result with which each module ended, and the module's path."""
    last = {path: vertex for vertex, path in enumerate(paths) if path and recorded.operations[vertex]}
    return {vertex: ".".join(path) for path, vertex in last.items()}


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
            weights, biases = [], [u for u in used if kinds[u] == "parameter"]
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


def paths_of(recorded: Recorded, parameters: Mapping[Any, str]) -> list[tuple[str, ...]]:
    """Return the path of the module that each vertex belongs to, told from the paths of the parameters.

    A parameter belongs to its module. A result that uses parameters belongs to what their modules share; any other lies in
    what the modules before it share with the modules after it.
    """
    count = len(recorded.nodes)
    own: list[tuple[str, ...] | None] = [None] * count
    for vertex, node in enumerate(recorded.nodes):
        if node in parameters:
            own[vertex] = tuple(parameters[node].split(".")[:-1])
    if not any(path is not None for path in own):
        return [()] * count
    leaf_paths = own.copy()
    before: list[tuple[str, ...] | None] = [None] * count
    for vertex, operands in enumerate(recorded.operands):
        if operands:
            own[vertex] = shared(leaf_paths[u] for u in operands)
            before[vertex] = own[vertex] if own[vertex] is not None else shared(before[u] for u in operands)
    after: list[tuple[str, ...] | None] = [None] * count
    for output in recorded.outputs:
        after[output] = ()
    for vertex in range(count - 1, -1, -1):
        ahead = own[vertex] if own[vertex] is not None else after[vertex]
        for u in recorded.operands[vertex]:
            after[u] = shared((after[u], ahead))
    between = [() if path is None else shared((path, after[v] or ())) for v, path in enumerate(before)]
    return [path or beside or () for path, beside in zip(own, between)]


def shared(paths: Any) -> tuple[str, ...] | None:
    """Return the longest beginning that the paths have in common, those that are None left out; None if none is left."""
    common: tuple[str, ...] | None = None
    for path in paths:
        if path is None:
            continue
        if common is None:
            common = path
        else:
            n = next((i for i, (a, b) in enumerate(zip(common, path)) if a != b), min(len(common), len(path)))
            common = common[:n]
    return common
