"""Reading: the text of a right-hand side, computed with NumPy again as a reader of it would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..rules import convolution, shaping

__all__ = ["NotReadable", "Reader"]

LOW = {low: str(i) for i, low in enumerate("₀₁₂₃₄₅₆₇₈₉")}
HIGH = {high: str(i) for i, high in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
RELATIONS: dict[str, Callable[..., Any]] = {
    " > ": np.greater, " < ": np.less, " ≥ ": np.greater_equal, " ≤ ": np.less_equal, " = ": np.equal, " ≠ ": np.not_equal,
}  # fmt: skip
OPERATORS = "+−/⊙·∗⋆=><≥≤≠"
NUMBER = re.compile(r"√(?:\((\d+)π\)|(\d+)|π)|(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|∞", re.ASCII)


class NotReadable(ValueError):
    """The text says less than the expression behind it."""


class Reader:
    """Reads an expression's text and computes it.

    Parameters
    ----------
    names : what each name stands for, as it is printed.
    functions, primes : what each function's name and f′ stand for.
    kept : whether an axis that is added up or averaged over stays, with length 1.
    """

    def __init__(
        self, names: Mapping[str, Any], functions: Mapping[str, Any], primes: Mapping[str, Callable[[Any], Any]], kept: bool
    ) -> None:
        self.names, self.functions, self.primes, self.kept = names, functions, primes, kept
        self.longest = sorted(names, key=len, reverse=True)
        self.text, self.at = "", 0

    def read(self, text: str) -> Any:
        """Return the value of the whole text."""
        self.text, self.at = text, 0
        value = self.write()
        if self.at < len(text):
            raise NotReadable(text[self.at :])
        return value

    def take(self, *words: str) -> str:
        """Go past the first of these words that stands here, and return it; "" if none does."""
        word = next((word for word in words if self.text.startswith(word, self.at)), "")
        self.at += len(word)
        return word

    def expect(self, word: str) -> None:
        """Go past a word that must stand here."""
        if not self.take(word):
            raise NotReadable(f"{self.text[self.at :]!r} where {word!r} was expected")

    # From what binds least to what binds most
    def write(self) -> Any:
        """Read a sum, or an array with some entries written anew."""
        value = self.sum()
        if not self.take(" with "):
            return value
        out = view = np.array(value, float)
        while True:
            if self.take("ᵀ"):
                view = view.T
                continue
            index = self.index()
            if self.take(" = "):
                view[index] = self.sum()
                return out
            view = view[index]

    def sum(self) -> Any:
        """Read terms with their signs."""
        total = -self.term() if self.take("−") else self.term()
        while sign := self.take(" + ", " − "):
            total = total + self.term() if sign == " + " else total - self.term()
        return total

    def term(self) -> Any:
        """Read a product, and what it is divided by."""
        value = self.product()
        return value / self.postfix() if self.take(" / ") else value

    def product(self) -> Any:
        """Read a number, then what it multiplies: factors joined by · or ⊙."""
        value = self.number() if NUMBER.match(self.text, self.at) else None
        if value is not None and self.text[self.at : self.at + 1] in HIGH:
            value **= int(self.letters(HIGH))
        if value is not None and not self.operand_follows():
            return value
        self.take(" " if value is not None else "")
        found = self.convolved()
        while self.take(" · ", " ⊙ "):
            found = found * self.convolved()
        return found if value is None else value * found

    def operand_follows(self) -> bool:
        """Tell whether a space and then an operand come next."""
        rest = self.text[self.at : self.at + 2]
        return len(rest) == 2 and rest[0] == " " and rest[1] not in OPERATORS and not self.text.startswith(" with ", self.at)

    def convolved(self) -> Any:
        """Read a matrix product, or two joined by a convolution."""
        x = self.multiplied()
        sign = self.take(" ∗ᵀ ", " ∗ ", " ⋆ ")
        if not sign:
            return x
        y = self.multiplied()
        count = x.ndim - 2
        given = {"stride": (1,) * count, "padding": (0,) * count, "dilation": (1,) * count, "groups": 1}
        while option := re.compile(r", ([a-z]+)=").match(self.text, self.at):
            self.at, name = option.end(), option[1]
            value = self.argument()
            given[name] = int(value) if name == "groups" else value if isinstance(value, tuple) else (int(value),) * count
        if sign == " ∗ ":
            return convolution.convolution(x, y, *given.values())
        if set(given["stride"] + given["dilation"]) != {1}:
            raise NotReadable("a stride does not say how large the kernel or the picture is")
        sizes = list(zip(x.shape[2:], y.shape[2:], given["padding"]))
        if sign == " ⋆ ":
            return convolution.convolution_w(x, y, tuple(n - m + 1 + 2 * p for n, m, p in sizes), *given.values())
        return convolution.convolution_x(x, y, tuple(n + m - 1 - 2 * p for n, m, p in sizes), *given.values())

    def multiplied(self) -> Any:
        """Read a sum over axes, or factors of a matrix product side by side."""
        if self.take("Σ"):
            axes = tuple(map(int, self.lowered(",")))
            self.expect(" ")
            return np.sum(self.multiplied(), axes or None, keepdims=self.kept and bool(axes))
        value = self.postfix()
        while self.operand_follows():
            self.expect(" ")
            right = self.postfix()
            is_outer = np.ndim(value) == 1 and np.ndim(right) == 2 and right.shape[0] == 1 and self.text[self.at - 1] == "ᵀ"
            value = value[:, None] * right if is_outer else value @ right
        return value

    def postfix(self) -> Any:
        """Read an atom with its transposes, powers and indices."""
        value = self.atom()
        while self.at < len(self.text):
            if self.take("ᵀ"):
                value = value[None, :] if value.ndim == 1 else np.swapaxes(value, -1, -2)
            elif self.text[self.at] in HIGH:
                value = np.power(value, int(self.letters(HIGH)))
            elif self.take("^("):
                value = np.power(value, float(Fraction(self.until(")"))))
            elif self.text[self.at] == "[":
                value = shaping.getitem.on_arrays(value, self.index())  # type: ignore[attr-defined]
            else:
                break
        return value

    def atom(self) -> Any:
        """Read a name, a number, a call, or something in brackets."""
        name = next((name for name in self.longest if self.text.startswith(name, self.at) and self.ends(self.at + len(name))), None)
        if name is not None:
            self.at += len(name)
            return self.names[name]
        if array := self.take("𝟏", "𝟎"):
            shape = tuple(map(int, self.lowered("ₓ")))
            return np.ones(shape) if array == "𝟏" else np.zeros(shape)
        if self.take("("):
            value = self.write()
            self.expect(")")
            return value
        if self.take("|"):
            value = np.abs(self.write())
            self.expect("|")
            return value
        if self.take("‖"):
            value = self.write()
            self.expect("‖")
            axes = tuple(map(int, self.lowered(",")))
            return np.sqrt(np.sum(np.square(np.abs(value)), axes or None, keepdims=self.kept and bool(axes)))
        if self.take("["):
            return self.truth()
        return self.number() if NUMBER.match(self.text, self.at) else self.call()

    def ends(self, at: int) -> bool:
        """Tell whether a name may end here."""
        after = self.text[at : at + 1]
        return not after or after in HIGH or after == "ᵀ" or not (after.isalnum() or after in "_.′(")

    def truth(self) -> Any:
        """Read [a > b], or a short list of numbers."""
        left = self.sum()
        if relation := self.take(*RELATIONS):
            value = RELATIONS[relation](left, self.sum()).astype(float)
        else:
            value = [left]
            while self.take(", "):
                value.append(self.sum())
        self.expect("]")
        return np.asarray(value)

    def call(self) -> Any:
        """Read a function of arguments."""
        match = re.compile(r"(\w+)(′?)\(").match(self.text, self.at)
        if match is None or match[1] not in (self.primes if match[2] else self.functions):
            raise NotReadable(self.text[self.at :])
        self.at = match.end()
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.take(")"):
            key = re.compile(r"([a-z]\w*)=").match(self.text, self.at)
            self.at = key.end() if key else self.at
            is_index = match[1] == "scatter" and len(args) == 1
            value = self.index() if is_index else self.axes() if key and key[1] == "axis" else self.argument()
            kwargs |= {key[1]: value} if key else {}
            args += [] if key else [value]
            self.take(", ")
        if match[2]:
            return self.primes[match[1]](*args)
        function = self.functions[match[1]]
        if not isinstance(function, np.ufunc):
            args = [np.asarray(args[0]), *[int(arg) if isinstance(arg, float) and arg.is_integer() else arg for arg in args[1:]]]
        if self.kept and "axis" in kwargs and function in REDUCTIONS:
            kwargs["keepdims"] = True
        return getattr(function, "on_arrays", function)(*args, **kwargs)

    def axes(self) -> Any:
        """Read the axes of a reduction."""
        digits = re.compile(r"None|[\d,]+(?<!,)").match(self.text, self.at)
        if digits is None:
            raise NotReadable(self.text[self.at :])
        self.at = digits.end()
        axes = [int(digit) for digit in digits[0].split(",") if digit != "None"]
        return None if not axes else axes[0] if len(axes) == 1 else tuple(axes)

    def argument(self) -> Any:
        """Read an argument: an expression, a tuple of them, or a word."""
        if word := self.take("None", "True", "False"):
            return {"None": None, "True": True, "False": False}[word]
        start = self.at
        try:
            return self.write()
        except NotReadable:
            self.at = start
            self.expect("(")
            parts = []
            while not self.take(")"):
                parts.append(self.argument())
                self.take(", ", ",")
            return tuple(int(part) if isinstance(part, float) and part.is_integer() else part for part in parts)

    # Letters
    def letters(self, known: Mapping[str, str]) -> str:
        """Read letters of a kind."""
        found = ""
        while self.at < len(self.text) and self.text[self.at] in known:
            found += known[self.text[self.at]]
            self.at += 1
        return found

    def lowered(self, between: str) -> list[str]:
        """Read the numbers that are set as an index, with a sign between them: axes or a shape."""
        found = [self.letters(LOW)]
        while self.text[self.at : self.at + 1] == between and self.text[self.at + 1 : self.at + 2] in LOW:
            self.at += 1
            found.append(self.letters(LOW))
        return found if found[0] else []

    def until(self, end: str) -> str:
        """Read up to a letter, and go past it."""
        found = self.text[self.at : self.text.index(end, self.at)]
        self.at += len(found) + 1
        return found

    def number(self) -> float:
        """Read a number, or a root."""
        match = NUMBER.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        if match[0][0] == "√":
            return float(np.sqrt(int(match[2] or match[1] or 1) * (1 if match[2] else np.pi)))
        return float("inf") if match[0] == "∞" else float(match[3])

    def index(self) -> Any:
        """Read an index in brackets."""
        self.expect("[")
        parts: list[Any] = []
        while not self.take("]"):
            parts.append(self.place())
            self.take(", ")
        return parts[0] if len(parts) == 1 else tuple(parts)

    def place(self) -> Any:
        """Read one part of an index."""
        if self.take("…"):
            return Ellipsis
        if self.take("None"):
            return None
        match = re.compile(r"(−?\d+)?(:)?(−?\d+)?(?::(−?\d+))?(?=[],])").match(self.text, self.at)
        if match is None:
            array = np.asarray(self.postfix())
            return array.astype(int) if array.dtype.kind == "f" else array
        self.at = match.end()
        first, colon, *ends = (part and part.replace("−", "-") for part in match.groups())
        numbers = [None if part is None else int(part) for part in (first, *ends)]
        return slice(*numbers) if colon else numbers[0]


REDUCTIONS = {np.mean, np.max, np.min, np.prod, np.var, np.std}
