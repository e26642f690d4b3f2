"""What a mistake is called, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...equations import Equation
from ...equations.writers import Text

__all__ = ["Blame", "Mistake", "factor_mistake", "kind_of"]


@dataclass(frozen=True)
class Mistake:
    """What is wrong: a kind, and the pieces that its sentence is made of."""

    kind: str  # a key of ``words.MISTAKES``
    right: str = ""  # what should stand there
    wrong: str = ""  # what does


@dataclass(frozen=True)
class Blame:
    """A line at fault: what is wrong, and the equation that it should compute."""

    line: int
    text: str
    mistake: Mistake
    equation: Equation | None = None


def factor_mistake(ratio: float, counts: tuple[int, ...]) -> Mistake:
    """Name a factor."""
    for n in counts:
        if n == 2 != counts[0]:
            continue  # (the 2 of a square is forgotten more often than the number of outputs)
        if n > 1 and np.isclose(abs(ratio), n, 1e-3):
            return Mistake("1/N missing", str(n))
        if n > 1 and np.isclose(abs(ratio), 1 / n, 1e-3):
            return Mistake("1/N twice", str(n))
    return Mistake("sign") if np.isclose(ratio, -1, 1e-3) else Mistake("scale", f"{ratio:.6g}")


def kind_of(writer: Text, right: str, wrong: str) -> str:
    """Return what it is called that something stands where something else should, both written, transposed perhaps."""
    labels: dict[str, Any] = {writer.write(x): label for x, label in writer.labels.items()}
    pair: list[Any] = [labels.get(text.removesuffix("ᵀ").removeprefix("∂L/∂")) for text in (right, wrong)]
    if None in pair:
        return "other value"
    bases, subs = {label.base for label in pair}, {label.sub for label in pair}
    if bases in ({"a", "z"}, {"ŷ", "z"}) and (len(subs) == 1 or "ŷ" in bases):
        return "z for a"
    return "layers swapped" if len(bases) == 1 else "other value"
