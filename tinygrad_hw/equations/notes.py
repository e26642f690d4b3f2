"""What stands below equations: what δ, σ′, N and Y are, and what the signs mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..naming import Label
from ..rules import neural
from .derivation import Derivation
from .expressions import Call, Constant, Expression, Prime, parts_of
from .simplify import FOLDS, express, without_ones
from .writers import Gradient, Side, Space, is_along_channels

__all__ = ["notes", "sentences"]

SENTENCES = {
    "⊙": "⊙ multiplies entry by entry",
    "𝟏": "𝟏 is an array of ones",
    "∗ ": "x ∗ W slides the kernels W over x",
    "⋆": "x ⋆ δ adds up, for each place in a kernel, what lies under it in x times δ",
    "∗ᵀ": "δ ∗ᵀ W carries each δ back to what lay under the kernel",
    "‖": "‖x‖ is the root of the sum of squares; an index says over which axes",
    " with [": "y with [i] = v is y, but at the index i, where it is v",
    "heads(": "heads(x, h) cuts each row of x into h heads, and joined puts the heads side by side again",
    "scatter(": "scatter(a, [i], shape) is 0 but at the index i, where it is a",
}


def sentences(printed: list[str], derivation: Derivation) -> list[str]:
    """Return a sentence for each sign in the lines that a reader may not know."""
    text = "\n".join(printed)
    found = [f"Σ{low} adds up over {axes_in_words(low)}" for low in sorted(set(re.findall("Σ([₀-₉,]+)", text)))]
    calls = [part for part in printed_parts(derivation) if isinstance(part, Call)]
    if any(part.kwargs.get("keepdims") for part in calls if part.function in FOLDS):
        found.append("an axis that was added up or averaged over stays, with length 1, where it stands beside what still has it")
    if any(is_along_channels(part) for part in calls):
        found.append("a vector with an entry for each channel is added to every place of the channel")
    found += [sentence for sign, sentence in SENTENCES.items() if sign in text]
    found += ["[a > b] is 1 where that holds, else 0"] if re.search(r"\[[^]\n]+ [=≠<>≥≤] ", text) else []
    found += ["I is the identity matrix"] if Label("I") in derivation.labels.values() else []
    found += [
        f"{label} is an array of shape {atom.shape} that the program brought along"
        for atom, label in derivation.labels.items()
        if label.base == "c" and not label.written and derivation.is_constant(atom) and re.search(rf"(?<!\w){label}(?!\w)", text)
    ]
    return found


def axes_in_words(low: str) -> str:
    """Return ``axes 0 and 2`` for ₀,₂."""
    *digits, last = low.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")).split(",")
    return f"axes {', '.join(digits)} and {last}" if digits else f"axis {last}"


def notes(derivation: Derivation, labels: Mapping[Expression, Label], shapes: bool) -> Iterable[tuple[Side, ...]]:
    """Return what stands on the sides of each line of explanation."""
    yield from deltas(derivation, labels)
    used = {part.function for part in printed_parts(derivation) if isinstance(part, Prime)}
    yield from [definition for function, definition in derivation.definitions.items() if function in used]
    if derivation.batch is not None:
        yield derivation.batch, express(int(derivation.numbers[derivation.batch]))
    for variable, classes in derivation.classes.items():
        yield variable, Call(neural.one_hot, (classes,), {}, variable.shape)
    yield from [(left, without_ones(right)) for left, right in derivation.assumed.items()]
    atoms = dict.fromkeys(atom for node in derivation.order for atom in derivation.operands[node] if atom is not None)
    leaves = [atom for atom in atoms if isinstance(atom, Constant) or not derivation.things[atom].edges]
    yield from [(labels[atom], Space(atom.shape)) for atom in leaves if shapes]


def deltas(derivation: Derivation, labels: Mapping[Expression, Label]) -> list[tuple[Side, ...]]:
    """Return what each δ is; those of layers, and those with the name of a value, in one line each."""
    names = derivation.names.labels
    found = [(labels[line.variable], names[line.node]) for line in derivation.backward if line.kind == "delta"]
    patterns = [(Label("δ", "k"), Label("z", "k")), (Label("δ", "v"), Label("v"))]
    rows = {patterns[0] if label == Label("z", name.sub) else patterns[1] if label == name.sub else (name, label) for name, label in found}
    return [(name, Gradient(names[derivation.root], label)) for name, label in sorted(rows, key=[*patterns, *found].index)]


def printed_parts(derivation: Derivation) -> list[Expression]:
    """Return all that the right-hand sides are built from."""
    return [part for line in (*derivation.written, *derivation.backward) for part in parts_of(line.right)]
