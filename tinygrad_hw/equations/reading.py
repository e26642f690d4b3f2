"""Reading: the text of a right-hand side, computed with NumPy again as a reader of it would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from ..naming import SUBSCRIPTS, SUPERSCRIPTS
from ..rules import convolution, shaping

__all__ = ["NotReadable", "Reader"]

LOW = {low: digit for digit, low in SUBSCRIPTS.items() if digit.isdigit()}
HIGH = {high: digit for digit, high in SUPERSCRIPTS.items()}
RELATIONS: dict[str, Callable[..., Any]] = {
    " > ": np.greater, " < ": np.less, " ≥ ": np.greater_equal, " ≤ ": np.less_equal, " = ": np.equal, " ≠ ": np.not_equal,
}  # fmt: skip
OPERATORS = "+−/⊙·∗⋆=><≥≤≠"
NUMBER = re.compile(r"√(?:\((\d+)π\)|(\d+)|π)|(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|∞", re.ASCII)
WORDS = {"None": None, "True": True, "False": False}
REDUCTIONS = {np.mean, np.max, np.min, np.prod, np.var, np.std}


class NotReadable(ValueError):
    """The text says less than the expression behind it."""


class Reader:
    """Reads an expression's text and computes it.

    Parameters
    ----------
    names : what each name stands for, as it is printed.
    functions, primes : what each function's name and f′ stand for.
    keepdims : whether an axis that is added up or averaged over stays, with length 1.
    """

    def __init__(
        self, names: Mapping[str, Any], functions: Mapping[str, Any], primes: Mapping[str, Callable[[Any], Any]], keepdims: bool
    ) -> None:
        self.names, self.functions, self.primes, self.keepdims = names, functions, primes, keepdims
        self.longest = sorted(names, key=len, reverse=True)
        self.text, self.at = "", 0

    def read(self, text: str) -> Any:
        """Return the value of the whole text."""
        self.text, self.at = text, 0
        value = self.expression()
        if self.at < len(text):
            raise NotReadable(text[self.at :])
        return value

    # Each of the following reads what stands here, and goes past it.
    def take(self, *words: str) -> str:
        """Return the first of these words that stands here; "" if none does."""
        word = next((word for word in words if self.text.startswith(word, self.at)), "")
        self.at += len(word)
        return word

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise NotReadable(f"{self.text[self.at :]!r} where {word!r} was expected")

    def match(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        found = re.compile(pattern).match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found

    def digits(self, known: Mapping[str, str]) -> str:
        """Read subscripts or superscripts as digits."""
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in known:
            self.at += 1
        return "".join([known[letter] for letter in self.text[start : self.at]])

    def subscripts(self, separator: str) -> tuple[int, ...]:
        """Read the numbers of an index: axes or a shape."""
        found = [self.digits(LOW)]
        while self.text.startswith(separator, self.at) and self.text[self.at + 1 : self.at + 2] in LOW:
            self.at += 1
            found.append(self.digits(LOW))
        return tuple(map(int, found)) if found[0] else ()

    def until(self, end: str, part: Callable[[], Any]) -> list[Any]:
        """Read parts with commas between them, up to a bracket."""
        found = []
        while not self.take(end):
            found.append(part())
            self.take(", ", ",")
        return found

    def bracketed(self, end: str) -> Any:
        """Read an expression up to a bracket."""
        value = self.expression()
        self.expect(end)
        return value

    # From what holds together least to what does most
    def expression(self) -> Any:
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
        value = self.number()
        if value is not None and (power := self.digits(HIGH)):
            value **= int(power)
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
        while option := self.match(", ([a-z]+)="):
            value = self.argument()
            given[option[1]] = int(value) if option[1] == "groups" else value if isinstance(value, tuple) else (int(value),) * count
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
            axes = self.subscripts(",")
            self.expect(" ")
            return np.sum(self.multiplied(), axes or None, keepdims=self.keepdims and bool(axes))
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
            elif power := self.digits(HIGH):
                value = np.power(value, int(power))
            elif fraction := self.match(r"\^\(([^)]*)\)"):
                value = np.power(value, float(Fraction(fraction[1])))
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
            return np.full(self.subscripts("ₓ"), float(array == "𝟏"))
        if self.take("("):
            return self.bracketed(")")
        if self.take("|"):
            return np.abs(self.bracketed("|"))
        if self.take("‖"):
            squares, axes = np.square(np.abs(self.bracketed("‖"))), self.subscripts(",")
            return np.sqrt(np.sum(squares, axes or None, keepdims=self.keepdims and bool(axes)))
        if self.take("["):
            return self.truth()
        value = self.number()
        return self.call() if value is None else value

    def ends(self, at: int) -> bool:
        """Tell whether a name may end here."""
        after = self.text[at : at + 1]
        return not after or after in HIGH or after == "ᵀ" or not (after.isalnum() or after in "_.′(")

    def number(self) -> float | None:
        """Read a number, or a root; None if there is none."""
        match = self.match(NUMBER)
        if match is None:
            return None
        if match[0][0] == "√":
            return float(np.sqrt(int(match[2] or match[1] or 1) * (1 if match[2] else np.pi)))
        return float("inf") if match[0] == "∞" else float(match[3])

    def truth(self) -> Any:
        """Read [a > b], or a short list of numbers."""
        left = self.sum()
        if relation := self.take(*RELATIONS):
            value = RELATIONS[relation](left, self.sum()).astype(float)
            self.expect("]")
            return value
        self.take(", ")
        return np.asarray([left, *self.until("]", self.sum)])

    def call(self) -> Any:
        """Read a function of arguments."""
        match = self.match(r"(\w+)(′?)\(")
        if match is None or match[1] not in (self.primes if match[2] else self.functions):
            raise NotReadable(self.text[self.at :])
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        while not self.take(")"):
            if key := self.match(r"([a-z]\w*)="):
                kwargs[key[1]] = self.axes() if key[1] == "axis" else self.argument()
            else:
                args.append(self.index() if match[1] == "scatter" and len(args) == 1 else self.argument())
            self.take(", ")
        if match[2]:
            return self.primes[match[1]](*args)
        function = self.functions[match[1]]
        if not isinstance(function, np.ufunc):
            args = [np.asarray(args[0]), *map(whole, args[1:])]
        if self.keepdims and "axis" in kwargs and function in REDUCTIONS:
            kwargs["keepdims"] = True
        return getattr(function, "on_arrays", function)(*args, **kwargs)

    def axes(self) -> Any:
        """Read the axes of a reduction."""
        match = self.match(r"None|[\d,]+(?<!,)")
        if match is None:
            raise NotReadable(self.text[self.at :])
        axes = [int(digit) for digit in match[0].split(",") if digit != "None"]
        return None if not axes else axes[0] if len(axes) == 1 else tuple(axes)

    def argument(self) -> Any:
        """Read an argument: an expression, a tuple of them, or a word."""
        if word := self.take(*WORDS):
            return WORDS[word]
        start = self.at
        try:
            return self.expression()
        except NotReadable:
            self.at = start
            self.expect("(")
            return tuple(map(whole, self.until(")", self.argument)))

    def index(self) -> Any:
        """Read an index in brackets."""
        self.expect("[")
        parts = self.until("]", self.index_part)
        return parts[0] if len(parts) == 1 else tuple(parts)

    def index_part(self) -> Any:
        if self.take("…"):
            return Ellipsis
        if self.take("None"):
            return None
        match = self.match(r"(−?\d+)?(:)?(−?\d+)?(?::(−?\d+))?(?=[],])")
        if match is None:
            array = np.asarray(self.postfix())
            return array.astype(int) if array.dtype.kind == "f" else array
        first, colon, *ends = (part and part.replace("−", "-") for part in match.groups())
        numbers = [None if part is None else int(part) for part in (first, *ends)]
        return slice(*numbers) if colon else numbers[0]


def whole(value: Any) -> Any:
    """Return a float that is a whole number as an int, anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
