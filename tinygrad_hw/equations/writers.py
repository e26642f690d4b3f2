"""Writers: one walk over an expression, and three ways to set it: text, LaTeX, MathML.

``Text`` knows the notation (⊙, juxtaposition for matrix products, Σ over axes, brackets only where needed);
its subclasses know how a name, a power or a fraction is set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from html import escape
from math import isqrt, pi, sqrt
from typing import Any, NamedTuple
from unicodedata import normalize

import numpy as np

from ..naming import GREEK, SUBSCRIPTS, SUPERSCRIPTS, Label, clean, is_formula, subscripted
from ..rules import convolution, gaussian, linalg, neural, shaping
from ..rules.functions import COMPARISONS, SIGNS
from .expressions import Call, Constant, Expression, Number, Ones, Opaque, Prime, Product, Sum, decimal, is_call
from .simplify import FOLDS

__all__ = ["Bar", "Gradient", "Latex", "MathML", "Side", "Space", "Text", "Words", "is_along_channels"]


class Gradient(NamedTuple):
    """∂L/∂x."""

    of: Label
    by: Label


class Space(NamedTuple):
    """∈ ℝ of a shape."""

    shape: tuple[int, ...]


class Bar(NamedTuple):
    """The cotangent of x, written x̄."""

    of: Label


class Words(NamedTuple):
    """A sentence."""

    text: str


Side = Expression | Label | Gradient | Space | Bar | Words

WRITE, SUM, PRODUCT, MATMUL, POSTFIX, ATOM = range(6)  # how tightly parts hold together

RELATIONS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
GLYPHS: dict[Any, str] = {
    neural.sigmoid: "σ", gaussian.normal_cdf: "Φ", np.absolute: "abs", np.arctan2: "atan2", convolution.largest: "maxpool",
    convolution.to_largest: "unpool",
}  # fmt: skip


class Text:
    """The notation, set as plain text with Unicode's subscripts and superscripts."""

    def __init__(self, labels: Mapping[Expression, Label]) -> None:
        self.labels = labels

    # Pieces, which subclasses set in other ways
    def symbol(self, text: str) -> str:
        """Set an operator or a mark."""
        return text

    def word(self, text: str) -> str:
        """Set the name of a function or of a value."""
        return clean(text)

    def words(self, text: str) -> str:
        """Set a sentence."""
        return self.word(text)

    def number(self, text: str) -> str:
        return text

    def row(self, *pieces: str) -> str:
        return "".join(pieces)

    def listed(self, pieces: Iterable[str]) -> str:
        return self.symbol(", ").join(pieces)

    def brackets(self, inside: str, left: str = "(", right: str = ")") -> str:
        return self.row(self.symbol(left), inside, self.symbol(right))

    def above(self, base: str, exponent: str) -> str:
        if exponent in "′ᵀ":
            return base + exponent
        return base + "".join([SUPERSCRIPTS[digit] for digit in exponent]) if exponent.isdigit() else f"{base}^({exponent})"

    def below(self, base: str, index: str) -> str:
        return subscripted(base, index)

    def fraction(self, top: str, bottom: str, top_binds: bool, bottom_binds: bool) -> str:
        """Set a fraction; a side that does not bind needs brackets on one line."""
        if top.startswith("∂"):
            return f"{top}/{bottom}"
        return f"{top if top_binds else f'({top})'} / {bottom if bottom_binds else f'({bottom})'}"

    def bar(self, label: Label) -> str:
        """Set a name with a bar, which is what its cotangent is called."""
        return self.label(Label(normalize("NFC", label.base + "\u0304"), label.sub))

    def label(self, label: Label) -> str:
        base = self.word(label.base)
        if label.sub:
            set_sub = self.label if isinstance(label.sub, Label) else self.number if label.sub.isdigit() else self.word
            base = self.below(base, set_sub(label.sub))  # type: ignore[arg-type]
        return self.brackets(base) if is_formula(label) else base

    # The notation
    def write(self, x: Expression) -> str:
        """Set an expression."""
        return self.with_level(x)[0]

    def at(self, level: int, x: Expression) -> str:
        """Set an expression in brackets if it binds less than the level."""
        text, own = self.with_level(x)
        return text if own >= level else self.brackets(text)

    def with_level(self, x: Expression) -> tuple[str, int]:
        """Set an expression; return it with how tightly it holds together."""
        if x in self.labels:
            return self.label(self.labels[x]), POSTFIX if self.labels[x].base[-1:] in SUPERSCRIPTS.values() else ATOM
        if isinstance(x, Product):
            return self.product(x)
        if isinstance(x, Sum):
            return self.sum(x), SUM
        if isinstance(x, Ones):
            return self.below(self.word("𝟏"), self.extent(x.shape)), ATOM
        if isinstance(x, Constant):
            return self.literal(x.value), ATOM
        if isinstance(x, Prime):
            prime = self.above(self.function(x.function), self.symbol("′"))
            return self.row(prime, self.brackets(self.write(x.parts[0]))), ATOM
        if isinstance(x, Opaque):
            name = self.row(self.word("vjp"), self.brackets(self.word(x.name), "[", "]"))
            return self.row(name, self.brackets(self.row(self.write(x.parts[0]), self.symbol(", "), self.symbol("…")))), ATOM
        assert isinstance(x, Call), "a variable without a name"
        return self.call(x)

    def product(self, x: Product) -> tuple[str, int]:
        """Set sign, coefficient and factors, and a line with what is below it."""
        if not x.coefficient:
            return (self.below(self.word("𝟎"), self.extent(x.shape)) if x.shape else self.number("0")), ATOM
        top, bottom = coefficient(max(x.coefficient, -x.coefficient), not x.factors)
        above = [(base, exponent) for base, exponent in x.factors if exponent > 0]
        below = [(base, -exponent) for base, exponent in x.factors if exponent < 0]
        text, level = self.factors(top, above)
        if below or bottom:
            lower, lower_level = self.factors(bottom, below)
            text, level = self.fraction(text, lower, level >= PRODUCT, lower_level >= POSTFIX), PRODUCT
        signed = text if level >= PRODUCT else self.brackets(text)
        return (self.row(self.symbol("−"), signed), SUM) if x.coefficient < 0 else (text, level)

    def factors(self, number: str, factors: list[tuple[Expression, Number]]) -> tuple[str, int]:
        """Set a number, then what is a number, then arrays joined by ⊙."""
        if not factors:
            return self.number(number or "1"), ATOM
        if len(factors) == 1 and not number:
            (base, exponent), *_ = factors
            return self.power(base, exponent, SUM), self.with_level(base)[1] if exponent == 1 else POSTFIX
        arrays = [f for f in factors if f[0].shape]
        scalars = [f for f in factors if not f[0].shape]
        pieces = [self.power(base, exponent, POSTFIX) for base, exponent in scalars]
        level = POSTFIX if len(arrays) > 1 else MATMUL
        pieces += [self.symbol(" ⊙ ").join([self.power(base, exponent, level) for base, exponent in arrays])] if arrays else []
        text = self.symbol(" · ").join(pieces)
        return (self.row(self.number(number), self.symbol(" "), text) if number else text), PRODUCT

    def power(self, base: Expression, exponent: Number, level: int) -> str:
        if exponent == 1:
            return self.at(level, base)
        return self.above(self.at(ATOM, base), self.number(str(exponent)))

    def sum(self, x: Sum) -> str:
        text = ""
        for term in x.parts:
            minus = isinstance(term, Product) and term.coefficient < 0
            term = Product(-term.coefficient, term.factors) if isinstance(term, Product) and minus else term
            sign = self.symbol(" − " if minus else " + ") if text else self.symbol("−") if minus else ""
            text = self.row(text, sign, self.at(PRODUCT, term)) if text or sign else self.at(PRODUCT, term)
        return text

    def call(self, x: Call) -> tuple[str, int]:
        """Set a function of its arguments, in the notation of those that have one."""
        if x.function in COMPARISONS:
            sides, sign = [self.argument(arg) for arg in x.args], SIGNS[x.function]
            return self.brackets(self.row(sides[0], self.symbol(f" {RELATIONS.get(sign, sign)} "), sides[1]), "[", "]"), ATOM
        if x.function in FOLDS and not x.kwargs.get("ddof") and len(x.args) == 1:
            return self.fold(x)
        notation = NOTATIONS.get(x.function)
        return (notation and notation(self, x)) or self.application(x)

    def application(self, x: Call) -> tuple[str, int]:
        """Set a function's name with its arguments in brackets."""
        over_last = is_call(x, neural.softmax, neural.log_softmax) and x.args[1:] in ((), (-1,), (len(x.shape) - 1,))
        shown = x.args[:1] if over_last else x.args
        return self.applied(x.function, [*map(self.argument, shown), *self.options(x.kwargs)]), ATOM

    def applied(self, function: Any, pieces: list[str]) -> str:
        return self.row(self.function(function), self.brackets(self.listed(pieces)))

    def matmul(self, x: Call) -> tuple[str, int]:
        """Set a matrix product, x y, or the product of a column with a row, x yᵀ."""
        left, right = self.at(MATMUL, x.parts[0]), self.at(POSTFIX, x.parts[1])
        right = self.above(right, self.symbol("ᵀ")) if x.function is np.outer else right
        return self.row(left, self.symbol(" "), right), MATMUL

    def reshaped(self, x: Call) -> tuple[str, int] | None:
        """Set a reduction that only loses axes of length 1 as the reduction, and a vector with an entry a channel as the vector."""
        inside = x.parts[0]
        is_kept = is_call(inside, *FOLDS) and inside.kwargs.get("keepdims")
        return self.with_level(inside) if is_along_channels(x) or (is_kept and as_long(inside.shape) == as_long(x.shape)) else None

    def norm(self, x: Call) -> tuple[str, int]:
        """Set ‖x‖, over axes if it is not over all."""
        options = dict(zip(("axis", "keepdims"), x.args[1:])) | x.kwargs
        axis, sign = options.get("axis"), self.symbol("‖")
        text = self.row(sign, self.write(x.parts[0]), sign)
        return text if axis is None else self.below(text, self.number(axes_text(axis, len(x.parts[0].shape)))), ATOM

    def convolution(self, x: Call) -> tuple[str, int]:
        """Set a convolution: x ∗ W, with its stride and its padding if it has any."""
        *_, stride, padding, dilation, groups = x.args
        left, right = x.parts
        given = (("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1), ("groups", (groups,), 1))
        shown = {name: value[0] if len(set(value)) == 1 else value for name, value, usual in given if set(value) != {usual}}
        sign = self.symbol(f" {PRODUCT_SIGNS[x.function]} ")
        text = self.row(self.at(POSTFIX, left), sign, self.at(POSTFIX, right))
        return (self.brackets(self.listed([text, *self.options(shown)])), ATOM) if shown else (text, PRODUCT)

    def transposed(self, x: Call) -> tuple[str, int] | None:
        """Set xᵀ, if it is the last two axes that are exchanged."""
        ndim = len(x.shape)
        of_matrices = len(x.args) == 1 if x.function is np.transpose else {i % ndim for i in x.args[1:]} == {ndim - 1, ndim - 2}
        return (self.above(self.at(POSTFIX, x.parts[0]), self.symbol("ᵀ")), POSTFIX) if of_matrices else None

    def entries(self, x: Call) -> tuple[str, int]:
        """Set x[index]."""
        index = new_axes(x) if x.function is np.expand_dims else x.args[1]
        return self.row(self.at(ATOM, x.parts[0]), self.index(index)), ATOM

    def scattered(self, x: Call) -> tuple[str, int]:
        """Set scatter(values, [index], shape)."""
        values, index, shape = x.args
        return self.applied(x.function, [self.argument(values), self.index(index), self.argument(shape)]), ATOM

    def written(self, x: Call) -> tuple[str, int]:
        """Set a write: x with [index] = value."""
        array, value, index, steps, *_ = (*x.args, ())
        views = [self.view(*step) for step in steps]
        place = [] if views and index is Ellipsis else [self.index(index)]
        words = [self.symbol(" "), self.word("with"), self.symbol(" ")]
        return self.row(self.at(SUM, array), *words, *views, *place, self.symbol(" = "), self.argument(value)), WRITE

    def view(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Set one step from an array to a view of it."""
        if function is shaping.getitem:
            return self.index(args[0])
        if function is np.transpose and args in ((), (None,)):
            return self.symbol("ᵀ")
        arguments = self.listed([*map(self.argument, args), *self.options(kwargs)])
        return self.row(self.symbol("."), self.function(function), self.brackets(arguments))

    def fold(self, x: Call) -> tuple[str, int]:
        """Set a reduction: over all axes, or saying which."""
        ndim, axis = len(x.parts[0].shape), x.kwargs.get("axis")
        index = axes_text(axis, ndim) if axis is not None and np.size(axis) < ndim else ""
        if x.function is np.sum:
            sign = self.symbol("Σ")
            return self.row(self.below(sign, self.number(index)) if index else sign, self.symbol(" "), self.at(MATMUL, x.parts[0])), PRODUCT
        named = [self.symbol(", "), self.word("axis"), self.symbol("="), self.number(index)] if index else []
        return self.row(self.function(x.function), self.brackets(self.row(self.write(x.parts[0]), *named))), ATOM

    def options(self, values: Mapping[str, Any]) -> list[str]:
        """Set each argument that is given by its name."""
        return [self.row(self.word(name), self.symbol("="), self.argument(value)) for name, value in values.items()]

    def function(self, function: Callable[..., Any]) -> str:
        return self.word(GLYPHS.get(function, getattr(function, "__name__", str(function))))

    def argument(self, value: Any) -> str:
        """Set an argument of a call, whatever it is."""
        if isinstance(value, Expression):
            return self.write(value)
        if isinstance(value, (tuple, list)):
            end = self.symbol(",") if len(value) == 1 else ""
            return self.brackets(self.row(self.listed(map(self.argument, value)), end))
        if isinstance(value, np.ndarray):
            return self.literal(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self.number(f"{value:g}".replace("-", "−").replace("inf", "∞"))
        return self.word(str(value))

    def literal(self, value: np.ndarray) -> str:
        """Set an array that has no name: its entries if they are few, else its shape."""
        if Constant(value) in self.labels:
            return self.label(self.labels[Constant(value)])
        if value.ndim == 0:
            return self.argument(value.item())
        if value.ndim == 1 and value.size <= 6:
            return self.brackets(self.listed(map(self.argument, value.tolist())), "[", "]")
        return self.brackets(self.row(self.extent(value.shape), self.word(" array")), "[", "]")

    def extent(self, shape: tuple[int, ...]) -> str:
        return self.symbol("×").join([self.number(str(n)) for n in shape])

    def index(self, index: Any) -> str:
        """Set an index in NumPy's notation, in brackets."""
        return self.brackets(self.listed(map(self.index_part, index if isinstance(index, tuple) else (index,))), "[", "]")

    def index_part(self, part: Any) -> str:
        if part is Ellipsis:
            return self.symbol("…")
        if isinstance(part, slice):
            ends = [self.argument(end) if end is not None else "" for end in (part.start, part.stop)]
            step = [self.symbol(":"), self.argument(part.step)] if part.step is not None else []
            return self.row(*[piece for piece in (ends[0], self.symbol(":"), ends[1], *step) if piece])
        return self.argument(np.asarray(part) if isinstance(part, list) else part)

    # What an equation is made of
    def equation(self, *sides: Side, relation: str = "=") -> str:
        """Set sides with a relation between them; a space needs none."""
        text = self.side(sides[0])
        for side in sides[1:]:
            between = [] if isinstance(side, Space) else [self.symbol(f" {relation} ")]
            text = self.row(text, *between, self.side(side))
        return text

    def side(self, side: Side) -> str:
        if isinstance(side, Expression):
            return self.write(side)
        if isinstance(side, Gradient):
            top, bottom = (self.row(self.symbol("∂"), self.label(label)) for label in (side.of, side.by))
            return self.fraction(top, bottom, True, True)
        if isinstance(side, Space):
            return self.row(self.symbol("    ∈ "), self.above(self.word("ℝ"), self.extent(side.shape)) if side.shape else self.word("ℝ"))
        if isinstance(side, Words):
            return self.words(side.text)
        return self.bar(side.of) if isinstance(side, Bar) else self.label(side)


PRODUCT_SIGNS = {convolution.convolution: "∗", convolution.convolution_w: "⋆", convolution.convolution_x: "∗ᵀ"}
NOTATIONS: dict[Any, Callable[[Text, Call], tuple[str, int] | None]] = {
    np.matmul: Text.matmul,
    np.transpose: Text.transposed,
    np.swapaxes: Text.transposed,
    shaping.getitem: Text.entries,
    np.expand_dims: Text.entries,
    shaping.scatter: Text.scattered,
    shaping.setitem: Text.written,
    shaping.astype: lambda self, x: self.with_level(x.parts[0]),
    **dict.fromkeys(PRODUCT_SIGNS, Text.convolution),
    np.outer: Text.matmul,
    linalg.euclidean: Text.norm,
    np.reshape: Text.reshaped,
    np.absolute: lambda self, x: (self.brackets(self.argument(x.args[0]), "|", "|"), ATOM),
}


def axes_text(axis: Any, ndim: int) -> str:
    return ",".join(map(str, sorted({int(i) % ndim for i in np.atleast_1d(axis)})))


def as_long(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without the axes of length 1."""
    return tuple([n for n in shape if n != 1])


def is_along_channels(x: Call) -> bool:
    """Tell whether a reshape only stands a vector up, (C,) as (C, 1, 1), to be added to every place of its channel."""
    inside = x.parts[0]
    is_vector = not inside.parts and len(inside.shape) == 1
    return x.function is np.reshape and is_vector and len(x.shape) > 2 and as_long(x.shape) == as_long(inside.shape)


def coefficient(x: Number, is_whole: bool) -> tuple[str, str]:
    """Return how to set a positive number, a coefficient or the whole product: what stands above the line and what below, "" for 1."""
    top, bottom = x.numerator, x.denominator
    if max(top, bottom) <= 12 or (bottom == 1 and top < 10**15) or (top == 1 and bottom < 10**6 and not is_whole):
        return str(top) if top != 1 else "", str(bottom) if bottom != 1 else ""
    return as_root(float(decimal(x))) or (as_decimal(x), "")


def as_root(x: float) -> tuple[str, str] | None:
    """Return what stands above and below the line of a root, such as 1 / √3 or 1 / √(2π), if a number is one to all its digits."""
    for unit, name in ((1.0, ""), (pi, "π")):
        square = Fraction(x * x * unit).limit_denominator(1000)
        if 0 < square.numerator <= 1000 and abs(sqrt(square / unit) - x) <= 4e-16 * x and len(repr(x)) > 14:
            return root(square.numerator, ""), root(square.denominator, name)
    return None


def root(n: int, name: str) -> str:
    """Return √n, or √(n name), as text; "" for 1."""
    if name:
        return f"√({n}{name})" if n > 1 else f"√{name}"
    whole = isqrt(n)
    return f"√{n}" if whole * whole != n else str(whole) if whole > 1 else ""


def as_decimal(x: Number) -> str:
    """Return a number as the decimal that a float prints as."""
    digits = decimal(x)
    return repr(float(digits)) if -300 < digits.adjusted() < 300 else str(digits).lower()


def new_axes(x: Call) -> tuple[Any, ...]:
    """Return the index that puts in the axes that expand_dims does."""
    axis = x.args[1] if len(x.args) > 1 else x.kwargs["axis"]
    new = {int(i) % len(x.shape) for i in np.atleast_1d(axis)}
    return tuple(None if i in new else slice(None) for i in range(len(x.shape)))


LATEX = {
    "−": "-", "⊙": r"\odot", "·": r"\cdot", "′": r"\prime", "ᵀ": r"\top", "Σ": r"\sum", "∂": r"\partial ", "≥": r"\geq", "≤": r"\leq",
    "≠": r"\neq", "×": r"\times", "…": r"\ldots", "∈": r"\in", "[": "[", "]": "]", "|": "|", ", ": r",\ ", "∞": r"\infty",
    "{": r"\{", "}": r"\}", "‖": r"\|", "∗": r"\ast", "⋆": r"\star", "∗ᵀ": r"\ast^{\top}",
}  # fmt: skip
HATTED = {"ŷ": ("y", "^"), "x\u0302": ("x", "^"), "z\u0303": ("z", "~")}
WORDS = {"𝟏": r"\mathbf{1}", "σ²": r"\sigma^2", "ℝ": r"\mathbb{R}", "Φ": r"\Phi"}
WORDS |= {name: rf"\{'hat' if mark == '^' else 'tilde'}{{{base}}}" for name, (base, mark) in HATTED.items()}
WORDS |= {letter: "\\" + (name if name != "eps" else "epsilon") for name, letter in GREEK.items()}
SPECIAL = {c: "\\" + c for c in "#$%&_{}"} | {"\\": r"\backslash ", "~": r"\sim ", "^": r"\wedge ", " ": r"\ ", '"': "''"}


class Latex(Text):
    """LaTeX, for inside an equation."""

    def symbol(self, text: str) -> str:
        if text == " ":
            return r"\, "
        if text in LATEX:
            return LATEX[text]
        core = text.strip()
        before = r" \quad" if text.startswith("   ") else ""
        return f"{before} {LATEX.get(core, core)} " if core != text else core

    def word(self, text: str) -> str:
        if text in WORDS:
            return WORDS[text]
        safe = "".join(WORDS.get(c, SPECIAL.get(c, c)) for c in clean(text))
        return safe if len(text) == 1 else rf"\mathrm{{{safe}}}"

    def words(self, text: str) -> str:
        signs = {sign: LATEX[sign] + " " for sign in "⊙∗⋆Σᵀ×…≥≤≠"} | {low: f"_{{{letter}}}" for letter, low in SUBSCRIPTS.items()}
        return rf"\mathrm{{{''.join(signs.get(c) or WORDS.get(c, SPECIAL.get(c, c)) for c in text)}}}"

    def number(self, text: str) -> str:
        if text[:1] == "√":
            return rf"\sqrt{{{text[1:].strip('()').replace('π', WORDS['π'] + ' ')}}}"
        mantissa, e, exponent = text.replace("−", "-").partition("e")
        text = ("" if mantissa == "1" else rf"{mantissa} \cdot ") + f"10^{{{int(exponent)}}}" if e else text
        return text.replace("−", "-").replace("∞", r"\infty")

    def brackets(self, inside: str, left: str = "(", right: str = ")") -> str:
        return rf"\left{left}{inside}\right{right}"

    def above(self, base: str, exponent: str) -> str:
        return f"{{{base}}}^{{{exponent}}}"

    def below(self, base: str, index: str) -> str:
        return f"{base}_{{{index}}}"

    def fraction(self, top: str, bottom: str, top_binds: bool, bottom_binds: bool) -> str:
        return rf"\frac{{{top}}}{{{bottom}}}"

    def bar(self, label: Label) -> str:
        return rf"\overline{{{self.label(label)}}}"


class MathML(Text):
    """MathML Core, for a page: no script, no font, no network."""

    def symbol(self, text: str) -> str:
        core = text.strip()
        if core == "":
            return "<mspace width='0.25em'/>"
        if core == "ᵀ":
            return "<mo>⊤</mo>"
        fence = " stretchy='false'" if core in "()[]|" else ""
        before = "<mspace width='1.5em'/>" if text.startswith("   ") else ""
        return f"{before}<mo{fence}>{escape(core)}</mo>"

    def word(self, text: str) -> str:
        if text in HATTED:
            base, mark = HATTED[text]
            return f"<mover><mi>{base}</mi><mo stretchy='false'>{mark}</mo></mover>"
        return f"<mi>{escape(clean(text))}</mi>"

    def words(self, text: str) -> str:
        return f"<mtext>{escape(text)}</mtext>"

    def number(self, text: str) -> str:
        inside = escape(text.lstrip("√").strip("()") if text[:1] == "√" else text)
        return f"<msqrt><mn>{inside}</mn></msqrt>" if text[:1] == "√" else f"<mn>{inside}</mn>"

    def row(self, *pieces: str) -> str:
        return f"<mrow>{''.join(pieces)}</mrow>"

    def above(self, base: str, exponent: str) -> str:
        return f"<msup>{grouped(base)}{grouped(exponent)}</msup>"

    def below(self, base: str, index: str) -> str:
        return f"<msub>{grouped(base)}{grouped(index)}</msub>"

    def fraction(self, top: str, bottom: str, top_binds: bool, bottom_binds: bool) -> str:
        return f"<mfrac>{grouped(top)}{grouped(bottom)}</mfrac>"

    def bar(self, label: Label) -> str:
        return f"<mover>{grouped(self.label(label))}<mo>¯</mo></mover>"

    def equation(self, *sides: Side, relation: str = "=") -> str:
        strut = "<mspace height='1.3em' depth='0.9em'/>"
        inside = super().equation(*sides, relation=relation)
        return f"<math xmlns='http://www.w3.org/1998/Math/MathML' displaystyle='true'><mrow>{strut}{inside}</mrow></math>"


def grouped(pieces: str) -> str:
    """Return pieces of MathML as one element."""
    return f"<mrow>{pieces}</mrow>"
