"""Naming: what the values of a graph are called, once, for drawings, equations and sources alike.

A value's name is, in this order: the tensor's own (``name=``, or a parameter's path in its module, unless that is only its
place in a Sequential, or "weight" or "bias"); the user's variable (``names=locals()``); its role in a network (x, W₁, b₁,
z₁ = x W₁ + b₁, a₁ = σ(z₁), ŷ, y, L); the path of the module whose result it is; its operation with a number (matmul₃). Nothing
depends on where an object lies in memory, so one program always gives the same names.

A name is a ``Label``, a base with a subscript. Drawings and equations spell it W₁, LaTeX W_{1}, sources W1.

    >>> str(label_of("W1")), str(label_of("gamma_2")), label_of("gamma_2").identifier
    ('W₁', 'γ₂', 'gamma_2')
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple
from unicodedata import category, normalize

import numpy as np

from .graph import Node, history
from .rules import neural, reductions
from .rules.convolution import convolution
from .rules.products import einsum
from .rules.shaping import astype, getitem, setitem
from .trees import content, leaves

__all__ = [
    "GREEK", "LOW", "Fingerprint", "Label", "Names", "Path", "Thing", "bracketed", "clean", "fingerprint", "is_place", "label_of",
    "subscripted",
]  # fmt: skip

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
HATS = {"yhat": "ŷ", "y_pred": "ŷ", "y_hat": "ŷ"}
LETTERS = {letter: name for table in (GREEK, HATS) for name, letter in table.items()} | {
    "\u0302": "_hat",
    "\u0304": "_bar",
    "\u0303": "_tilde",
}
HIGHER = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
LETTERS |= {high: digit for digit, high in HIGHER.items()}
LOW = dict(zip("0123456789×aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₓₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"))
HIGH = {low: letter for letter, low in LOW.items()}
MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
CONTROLS = {code: 0x2400 + code for code in range(32)} | {0x7F: 0x2421}
PLACE = re.compile(r"layers\.\d+\.\w+|weight|bias")
UNSAFE = re.compile(
    "[\x80-\x9f\ud800-\udfff\ufdd0-\ufdef\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
    + "".join([chr(plane + 0xFFFE) + chr(plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)])
    + "]"
)


# One name
@dataclass(frozen=True)
class Label:
    """A name: a base, and a subscript that may be a label itself.

    Attributes
    ----------
    base, sub : str, and str or Label
    written : what the user typed, if it is the user's; two labels that differ in this alone are equal.
    """

    base: str
    sub: str | Label = ""
    written: str = field(default="", compare=False)

    def __str__(self) -> str:
        return subscripted(self.base, str(self.sub)) if self.sub else self.base

    @cached_property
    def plain(self) -> str:
        """The name in letters, digits and underscores; labels that could be mistaken for each other have the same."""
        base = "".join([LETTERS.get(letter, letter) for letter in self.base])
        sub = self.sub.plain if isinstance(self.sub, Label) else self.sub
        text = f"{base}{'' if sub[:1].isdigit() and base[-1:].isalpha() else '_'}{sub}" if sub else base
        return re.sub(r"\W+", "_", text).strip("_") or text

    @property
    def identifier(self) -> str:
        """The name as Python code has it."""
        return self.written if self.written.isidentifier() else self.plain


def label_of(text: str) -> Label:
    """Read a name as base and subscript: ``W1``, ``W_1`` and ``W₁`` as W₁, ``gamma`` as γ, ``y_pred`` as ŷ, LaTeX as it is set."""
    if (latex := label_of_latex(text)) is not None:
        return latex
    plain = re.sub(f"[{''.join(HIGH)}]+$", lambda low: "_" + "".join(map(HIGH.__getitem__, low[0])), normalize("NFC", clean(text)))
    match = re.fullmatch(r"([^\W\d_](?:[\w.]*[^\W\d_])?)_?([0-9]+)", plain) or re.fullmatch(r"([^\W\d_]|[a-z]{2,7})_(\w+)", plain)
    base, sub = match.groups() if match and plain not in HATS else (plain, "")
    if len(base) > 1 and not sub.isdigit() and base not in GREEK:
        base, sub = plain, ""
    return Label(HATS.get(base, GREEK.get(base, base)), sub, text)


def label_of_latex(text: str) -> Label | None:
    r"""Read ``$\theta_{ij}^2$`` as θ² with the index ij; None for what is not LaTeX, or more than one letter with its marks."""
    if not set(text) & set("$\\{"):
        return None
    inner = re.sub(r"\\(?:math\w*|boldsymbol|text)\{(\w+)\}", r"\1", clean(text).strip("$ "))
    inner = re.sub(r"\\(hat|bar|tilde) ?\{?(\w)\}?", lambda mark: normalize("NFC", mark[2] + MARKS[mark[1]]), inner)
    inner = re.sub(r"\\([a-z]+) ?", lambda word: GREEK.get(word[1], word[0]), inner)
    match = re.fullmatch(r"(\w[\u0300-\u036f]?|\w+)(?:\^\{?(\d+)\}?)?(?:_(\w|\{\w+\}))?(?:\^\{?(\d+)\}?)?", inner)
    if match is None:
        return None
    base, power, sub, later = match.groups()
    raised = "".join([HIGHER[digit] for digit in power or later or ""])
    return Label(base + raised, (sub or "").strip("{}"), text)


def subscripted(base: str, index: str) -> str:
    """Return a base with an index below it, as plain text: x₁, xᵢ, W_out."""
    low = "".join([LOW.get(letter, letter) for letter in index])
    is_short = sum(letter.isalpha() for letter in index) < 2 and all(letter in HIGH or letter == "," for letter in low)
    return base + low if is_short else f"{base}_{index}"


def bracketed(label: Label) -> bool:
    """Tell whether a name is a formula, such as ``a + b``, which needs brackets inside another one."""
    return any(letter in "+-*/\\^<>=|&%@~,;" or letter.isspace() or category(letter) == "Sm" for letter in label.base)


def clean(text: Any) -> str:
    """Return text that every format can hold and that cannot rearrange its surroundings.

    Control characters become their pictures (U+2400 and on); lone surrogates, non-characters and marks that change the
    direction of what follows become U+FFFD.
    """
    return UNSAFE.sub("\ufffd", str(text).translate(CONTROLS))


# What is named
class Fingerprint(NamedTuple):
    """Stands for an array that is not a tensor; copies of one array have equal fingerprints."""

    shape: tuple[int, ...]
    dtype: str
    digest: bytes


Thing = Node | Fingerprint


def fingerprint(array: np.ndarray) -> Fingerprint:
    """Return the fingerprint of an array: equal if and only if shape, dtype and entries are."""
    return Fingerprint(*content(array))


def shape_of(thing: Thing) -> tuple[int, ...]:
    return thing.shape if isinstance(thing, Fingerprint) else thing.value.shape


def is_leaf(thing: Any) -> bool:
    return isinstance(thing, Fingerprint) or (isinstance(thing, Node) and thing.rule is None)


def is_parameter(thing: Any) -> bool:
    return isinstance(thing, Node) and thing.rule is None and thing.requires_grad


def is_data(thing: Any) -> bool:
    """Tell whether something is data: a leaf that requires no gradient."""
    return is_leaf(thing) and not is_parameter(thing)


def exchanged_axes(node: Node) -> set[int] | None:
    """Return the axes that a transposition moves; None for any other call."""
    if node.rule.function not in (np.transpose, np.swapaxes):
        return None
    ndim, args = node.value.ndim, node.args[1:]
    order = (args[0] if args else None) or range(ndim)[::-1] if node.rule.function is np.transpose else None
    return {i % ndim for i in args} if order is None else {i for i, axis in enumerate(order) if ndim == 1 or axis % ndim != i}


class Path(str):
    """A name that a module gave a tensor: the way from the module to it."""

    __slots__ = ()


def is_place(name: str) -> bool:
    """Tell whether a name is only the place of a parameter in a plain Sequential or in one layer: its role says more."""
    return isinstance(name, Path) and PLACE.fullmatch(name) is not None


class Names:
    """The labels of all values that some results were computed from; no two could be mistaken for each other.

    Attributes
    ----------
    nodes : list of Node, in the order of creation.
    operands : of each node, what stands at each place among its arguments: a node, an array's fingerprint, or None.
    users : of each node and each array, the nodes that take it, one for each use.
    labels : of each node and each array, its label.
    by_user, telling : those that the user named; those whose label says more than the operation.
    layers : of each z = x W + b, its number.
    target : what a loss compares with, y, or None.
    """

    def __init__(self, roots: Sequence[Node], given: Mapping[str, Any] | None = None) -> None:
        self.nodes = history(roots)
        self.arrays: dict[Fingerprint, np.ndarray] = {}
        self.operands = {node: self.operands_of(node) for node in self.nodes}
        self.users: dict[Thing, list[Node]] = {}
        for node in self.nodes:
            for thing in self.operands[node]:
                if thing is not None:
                    self.users.setdefault(thing, []).append(node)
        self.labels: dict[Thing, Label] = {}
        self.taken: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.give_the_users(given or {})
        self.by_user = set(self.labels)
        self.layers: dict[Node, str] = {}
        self.target: Thing | None = None
        self.give_roles(roots)
        for node in self.nodes:
            if node.calls and node.rule and (path := module_of(node)):
                self.give(node, label_of(path))
        for node in reversed(self.nodes):
            if node in self.labels and node.rule and node.rule.function is setitem:
                self.give_versions(node)
        self.telling = set(self.labels)
        for node in self.nodes:
            if node.rule and node not in self.labels:
                self.give(node, self.next_of(node.rule.name))

    def give_versions(self, written: Node) -> None:
        """Name the values that an array had before it was written to: y₀, y₁, and y after the last write."""
        label, earlier, base = self.labels[written], [], self.operands[written][0]
        while isinstance(base, Node) and base.rule and base not in self.labels:
            in_place = base.rule.function in (setitem, astype)  # (astype: what y += x computed, as y's dtype)
            value = self.operands[base][0] if base.rule.function is astype else base
            if not isinstance(value, Node) or not value.rule or value in self.labels:
                break
            earlier.append(value)
            base = self.operands[value][0] if in_place else None
        for k, node in enumerate(reversed(earlier)):
            self.give(node, Label(label.base, f"{label.sub}_{k}" if label.sub else str(k)))

    def operands_of(self, node: Node) -> list[Thing | None]:
        """Return what stands at each place among a node's arguments."""
        sources: dict[int, Any] = node.inputs or dict(enumerate(node.parents))
        found: list[Thing | None] = []
        for i, arg in enumerate(node.args):
            if sources.get(i) is None and isinstance(arg, np.ndarray) and arg.ndim:
                found.append(fingerprint(arg))
                self.arrays.setdefault(found[-1], arg)  # type: ignore[arg-type]
            else:
                found.append(sources.get(i))
        return found

    # Giving
    def give(self, thing: Thing, label: Label) -> None:
        """Label a value that has no label yet."""
        if thing not in self.labels:
            self.labels[thing] = self.free(label)

    def free(self, label: Label) -> Label:
        """Reserve a label, with a number appended if it could be mistaken for one that is taken."""
        unique, k = label, 1
        while unique.plain in self.taken:
            k += 1
            sub = f"{label.sub}_{k}" if label.sub else str(k)
            unique = replace(label, sub=sub, written=f"{label.written}_{k}" if label.written else "")
        self.taken.add(unique.plain)
        return unique

    def next_of(self, base: str) -> Label:
        """Return the base with the next number that is free."""
        while True:
            self.counts[base] += 1
            label = Label(base, str(self.counts[base]))
            if label.plain not in self.taken:
                return label

    def give_leaves(self, base: str, leaves: Iterable[Thing]) -> None:
        """Name leaves alike, with numbers if there are several."""
        unnamed = [leaf for leaf in dict.fromkeys(leaves) if leaf not in self.labels]
        for leaf in unnamed:
            self.give(leaf, Label(base) if len(unnamed) == 1 and base not in self.taken else self.next_of(base))

    def give_the_users(self, given: Mapping[str, Any]) -> None:
        """Give tensors their own names, then the names of variables; tensors are found by identity, arrays by their entries."""
        for node in self.nodes:
            if node.name and not is_place(node.name):
                self.give(node, label_of(node.name))
        indices = [part for node in self.nodes for part in leaves(node.args) if isinstance(part, np.ndarray)] if given else []
        known = {*self.operands, *self.arrays, *map(fingerprint, indices)}
        for name, value in given.items():
            thing = fingerprint(value) if isinstance(value, np.ndarray) and value.ndim else getattr(value, "_node", value)
            if name.startswith("_") or name in ("In", "Out") or not isinstance(thing, Thing) or thing not in known:
                continue
            self.give(thing, label_of(name))
            if isinstance(thing, Fingerprint):
                self.arrays[thing] = value

    # Roles
    def give_roles(self, roots: Sequence[Node]) -> None:
        """Give textbook names to the values that play a known part in a network."""
        layers = self.affine()
        self.scaled: dict[Node, Node] = {}
        self.between: set[Any] = set()
        self.layers = {z: str(k) for k, z in enumerate(layers, 1)}
        activations = {z: a for z in layers if (a := self.activation(z)) is not None}
        if len(roots) == 1 and np.prod(shape_of(roots[0]), dtype=int) == 1 and roots[0].rule:
            self.give_target(layers, activations)
            self.give(roots[0], Label("L"))
        self.give_parts()
        inputs: list[Thing] = []
        for z, products in layers.items():
            self.give(z, Label("z", self.layers[z]))
            scaled = self.scaled.get(z, z)
            if scaled is not z and not self.has_a_path(scaled):
                self.give(scaled, Label("z\u0303", self.layers[z]))
            if (a := activations.get(z) or self.activation(scaled)) is not None:
                self.give(a, Label("a", self.layers[z]))
            inputs += self.give_operands(z, products)
        leaves = [node for node in self.nodes if is_leaf(node)]
        for node in leaves:
            if node.name:
                self.give(node, label_of(node.name))
        self.give_leaves("x", [*inputs, *filter(is_leaf, roots)])
        self.give_leaves("x", filter(is_parameter, leaves))
        for thing in [thing for thing, array in self.arrays.items() if array.ndim == 2 and np.array_equal(array, np.eye(len(array)))]:
            self.give(thing, Label("I"))
        self.give_leaves("c", [*leaves, *[a for a in self.arrays if not self.is_plain(a)], *self.arrays])

    def has_a_path(self, node: Node) -> bool:
        """Tell whether the path of the module whose result a node is says more than a place in a Sequential."""
        path = module_of(node)
        return bool(path) and not PLACE.fullmatch(f"{path}.weight")

    def give_operands(self, z: Node, products: list[Node]) -> list[Thing]:
        """Name the weights and biases of a sum of products, and the state that it starts from; return its inputs.

        Where there is one layer, they have no number: W, b.
        """
        inputs: list[Thing] = []
        k = self.labels[z].base if self.labels[z].base in ("Q", "K", "V") else self.layers[z] if len(self.layers) > 1 else ""
        for j, (x, weight) in enumerate(map(self.factors, products), 1):
            self.give_weight(weight, k or (str(j) if len(products) > 1 else ""))
            if is_leaf(x) and len(products) > 1 and not is_parameter(x) and not all(map(is_leaf, self.beside(weight))):
                self.give(x, Label("h", "0"))
            elif is_leaf(x):
                inputs.append(x)
        for bias in self.biases(z, products):
            self.give(bias, Label("b", k if len(self.users[bias]) == 1 else ""))
        return inputs

    def give_parts(self) -> None:
        """Name the parts of norms, of attention and of LSTM and GRU cells."""
        norms = [node for node in self.nodes if self.normalised(node) is not None]
        for k, node in enumerate(norms, 1):
            self.give_normalised(node, str(k) if len(norms) > 1 else "")
        for node in self.nodes:
            if node.rule and node.rule.function is neural.softmax:
                self.give_attention(node)
        cells = [cell for node in self.nodes if (cell := self.cell(node) or self.gated(node))]
        for k, cell in enumerate(cells, 1):
            for letter, thing in cell.items():
                self.give(thing, Label(letter, str(k) if len(cells) > 1 else ""))

    def normalised(self, node: Node) -> Any:
        """Return x if a quotient is its normalisation (x − μ) / √(σ² + ε), else None."""
        top, bottom = self.operands_if(node, np.divide)
        x, mean = self.operands_if(top, np.subtract)
        (inside,) = self.operands_if(bottom, np.sqrt, 1)
        is_norm = x is not None and inside is not None and self.operands_if(self.unexpanded(mean), np.mean, 1)[0] is x
        return x if is_norm else None

    def give_normalised(self, node: Node, k: str) -> None:
        """Name the parts of a normalisation x̂ = d / s, with d = x − μ and s = √(σ² + ε), and of γ ⊙ x̂ + β."""
        top, bottom = self.operands[node]
        (inside,) = self.operands_if(bottom, np.sqrt, 1)
        variance = next((thing for thing in self.operands_if(inside, np.add) if isinstance(thing, Node)), inside)
        variance = self.unexpanded(variance)
        self.give(self.unexpanded(self.operands_if(top, np.subtract)[1]), Label("μ", k))
        self.give(top, Label("d", k))  # type: ignore[arg-type]
        if variance.rule and variance.rule.function in (np.mean, np.var):
            self.give(variance, Label("σ²", k))
        self.give(bottom, Label("s", k))  # type: ignore[arg-type]
        self.give(node, Label("x\u0302", k))
        out = node
        for letter, function in (("γ", np.multiply), ("β", np.add)):
            user = next((user for user in self.users.get(out, ()) if self.operands_if(user, function)[0] is not None), None)
            vectors = [self.unexpanded(thing) for thing in self.operands[user] if thing is not out] if user else []
            if user is not None and vectors and is_parameter(vectors[0]):
                self.give(vectors[0], Label(letter, k))
                out = user
        self.scaled[self.normalised(node)] = out

    def give_attention(self, softmax: Node) -> None:
        """If a softmax is that of attention, name the parts: A = softmax(S / √d), with S = Q Kᵀ, and A V."""
        scores: Any = self.operands[softmax][0]
        while isinstance(scores, Node) and scores.rule and scores.rule.function in (np.divide, np.multiply, np.add, np.where):
            scores = next((thing for thing in self.operands[scores] if isinstance(thing, Node) and thing.rule), None)
        query, key = self.operands_if(scores, np.matmul)
        while isinstance(query, Node) and query.rule and query.rule.function in (np.divide, np.multiply):  # (Q / √d)
            query = next((thing for thing in self.operands[query] if isinstance(thing, Node) and shape_of(thing)), None)
        is_layer = is_parameter(self.untransposed(key)) and not is_parameter(query)
        if query is None or self.untransposed(key) is key or is_layer:
            return
        self.give(scores, Label("S"))
        self.give(query, Label("Q"))
        self.give(self.untransposed(key), Label("K"))
        self.give(softmax, Label("A"))
        for user in self.users.get(softmax, ()):
            weights, value = self.operands_if(user, np.matmul)
            if weights is softmax and isinstance(value, Node):
                self.give(value, Label("V"))

    def cell(self, h: Node) -> dict[str, Node]:
        """If h is the output of an LSTM cell, return its parts by letter: h = o ⊙ tanh(c), c = f ⊙ c + i ⊙ g; gates are slices of one z."""
        ways = [(o, c) for o, t in self.both_ways(h, np.multiply) if (c := self.operands_if(t, np.tanh, 1)[0]) is not None]
        for o, c in ways:
            z = self.sliced(o, neural.sigmoid)
            terms = [c, *self.operands_if(c, np.add)]
            inner = next(((i, g) for term in terms for i, g in self.both_ways(term, np.multiply) if self.is_gated(z, i, g)), None)
            if z is not None and inner is not None:
                kept = [f for term in terms for f, _ in self.both_ways(term, np.multiply) if self.sliced(f, neural.sigmoid) is z]
                forget = [f for f in kept if f is not inner[0]]
                return {"i": inner[0], **({"f": forget[0]} if forget else {}), "o": o, "g": inner[1], "c": c, "h": h}
        return {}

    def gated(self, h: Node) -> dict[str, Node]:
        """If h is the output of a GRU cell, return its parts by letter: h = n + u ⊙ (h₀ − n), where r opens a part of n = tanh(…)."""
        for n, step in self.both_ways(h, np.add):
            (inside,), ways = self.operands_if(n, np.tanh, 1), self.both_ways(step, np.multiply)
            u = next((u for u, d in ways if self.sliced(u, neural.sigmoid) and self.operands_if(d, np.subtract)[1] is n), None)
            opened = [gate for term in self.operands_if(inside, np.add) for gate, _ in self.both_ways(term, np.multiply)]
            r = next((gate for gate in opened if u and self.sliced(gate, neural.sigmoid) is self.sliced(u, neural.sigmoid)), None)
            if r is not None:
                return {"r": r, "u": u, "n": n, "h": h}
        return {}

    def both_ways(self, thing: Any, function: Any) -> list[tuple[Any, Any]]:
        """Return the two operands of a call of the function in both orders; nothing if it is another call."""
        x, y = self.operands_if(thing, function)
        return [(x, y), (y, x)] if isinstance(x, Node) or isinstance(y, Node) else []

    def sliced(self, gate: Any, function: Any) -> Any:
        """Return the array of which a gate takes a slice, before the function or after it, or None."""
        before, after = self.operands_if(gate, function, 1)[0], self.operands_if(gate, getitem, 1)[0]
        return self.operands_if(before, getitem, 1)[0] or self.operands_if(after, function, 1)[0]

    def is_gated(self, z: Any, i: Any, g: Any) -> bool:
        """Tell whether i is the input gate and g the candidate that are computed from z."""
        return z is not None and self.sliced(i, neural.sigmoid) is z is self.sliced(g, np.tanh)

    def operands_if(self, thing: Any, function: Any, count: int = 2) -> list[Any]:
        """Return the first operands if this is a call of the function, else None for each."""
        called = isinstance(thing, Node) and thing.rule and thing.rule.function is function
        return self.operands[thing][:count] if called else [None] * count

    def unexpanded(self, thing: Any) -> Any:
        """Return the value before axes of length 1 were inserted."""
        while isinstance(thing, Node) and thing.rule and thing.rule.function in (np.expand_dims, np.reshape):
            thing = self.operands[thing][0]
        return thing

    def affine(self) -> dict[Node, list[Node]]:
        """Return the sums that end in a product with a parameter, each with its products, in the order of creation."""
        found: dict[Node, list[Node]] = {}
        for node in self.nodes:
            if node.rule and node.rule.function in PRODUCTS and is_parameter(self.factors(node)[1]):
                top = node
                while len(self.users.get(top, ())) == 1 and self.users[top][0].rule.function is np.add:
                    top = self.users[top][0]
                found.setdefault(top, []).append(node)
        return dict(sorted(found.items(), key=lambda item: item[0].number))

    def factors(self, product: Node) -> tuple[Any, Any]:
        """Return the two factors of a product: the parameter last if there is one, a vector before a matrix."""
        things: list[Any] = [self.untransposed(thing) for thing in self.operands[product] if thing is not None]
        x, *_, y = things if len(things) > 1 else (*things, None, None)  # (einsum may have one operand)
        swapped = is_parameter(x) and (not is_parameter(y) or len(shape_of(x)) > len(shape_of(y)))
        return (y, x) if swapped else (x, y)

    def untransposed(self, thing: Thing) -> Thing:
        """Return the value before it was transposed."""
        while isinstance(thing, Node) and thing.rule and exchanged_axes(thing) == {*range(thing.value.ndim)[-2:]}:
            thing = self.operands[thing][0]  # type: ignore[assignment]
        return thing

    def beside(self, weight: Any) -> list[Any]:
        """Return the other factor of each product that a weight is in."""
        forms = [weight, *[user for user in self.users.get(weight, ()) if exchanged_axes(user) is not None]]
        products = [node for form in forms for node in self.users.get(form, ()) if node.rule.function in PRODUCTS]
        return [self.factors(node)[0] for node in products]

    def activation(self, z: Node) -> Node | None:
        """Return the activation of a sum: an elementwise function of it alone, arithmetic aside; or a softmax."""
        if (by_hand := self.softmax(z)) is not None:
            return by_hand
        for node in self.users.get(z, ()):
            alone = [thing for thing in self.operands[node] if thing is not None] == [z]
            of_entries = node.rule.kind in ("elementwise", "choice") and node.rule.function not in (*ARITHMETIC, getitem)
            if alone and shape_of(node) == shape_of(z) and (of_entries or node.rule.name == "softmax"):
                return node
        return self.logistic(z)

    def softmax(self, z: Node) -> Node | None:
        """Return exp(z) / Σ exp(z) where a program computes it by hand, with z or z − max(z), or None."""
        shifted = [
            d for d in self.users.get(z, ()) if self.operands_if(self.unexpanded(self.operands_if(d, np.subtract)[1]), np.max, 1)[0] is z
        ]
        for e in [user for start in (z, *shifted) for user in self.users[start] if user.rule.function is np.exp] if z in self.users else ():
            for node in self.users.get(e, ()):
                top, total = self.operands_if(node, np.divide)
                if top is e and self.operands_if(self.unexpanded(total), np.sum, 1)[0] is e:
                    self.between |= {e, total, self.unexpanded(total), *shifted, *[self.unexpanded(self.operands[d][1]) for d in shifted]}
                    return node
        return None

    def logistic(self, z: Node) -> Node | None:
        """Return 1 / (1 + exp(−z)) where a program computes it by hand, or None."""
        node = z
        for function in (np.negative, np.exp, np.add, np.divide):
            alone = [user for user in self.users.get(node, ()) if [thing for thing in self.operands[user] if thing is not None] == [node]]
            found = next((user for user in alone if user.rule.function is function), None)
            if found is None:
                return None
            node = found
        return node

    def give_weight(self, weight: Any, k: str) -> None:
        """Name a weight: W of its layer; of several layers W, or Wₓ for inputs and Wₕ for states; of a vector w."""
        if not is_parameter(weight):
            return
        base = "W" if len(shape_of(weight)) > 1 else "w"
        if len(self.beside(weight)) == 1:
            self.give(weight, Label(base, k))
        elif base == "W":
            often = {w for w in self.nodes if is_parameter(w) and len(self.beside(w)) > 1}
            self.give(weight, Label("W", "" if len(often) == 1 else "x" if all(map(is_leaf, self.beside(weight))) else "h"))

    def biases(self, z: Node, products: list[Node]) -> list[Thing]:
        """Return the parameters, with at most one axis longer than 1, that are added between a product and z."""
        found: list[Any] = []
        for product in products:
            node = product
            while node is not z:
                node = self.users[node][0]
                added: list[Any] = self.operands[node]
                vectors = [
                    thing for thing in map(self.unexpanded, added) if is_parameter(thing) and sum(n > 1 for n in shape_of(thing)) <= 1
                ]
                found += vectors
        return list(dict.fromkeys(found))

    def give_target(self, layers: dict[Node, Any], activations: Mapping[Node, Node]) -> None:
        """Name the target y and the prediction ŷ that the loss compares."""
        networks = {*layers, *activations.values()}
        for node in reversed(self.nodes):
            things: list[Any] = self.operands[node]
            if node.rule and node.rule.function in LOSSES and is_data(things[1]):
                self.give_compared(things[1], things[0])
                return
            if not networks or len(things) != 2 or node.rule.function not in (np.subtract, np.multiply):
                continue
            for y, other in (things, things[::-1]):
                guess, through_log = self.guess(other)
                whole = node.rule.function is np.subtract or through_log or guess is not other or guess is next(reversed(layers))
                if is_data(y) and shape_of(y) and guess in networks and whole:
                    self.give_compared(y, guess, hat=through_log or node.rule.function is np.subtract)
                    return

    def give_compared(self, y: Any, guess: Any, hat: bool = False) -> None:
        """Name a target and the prediction that a loss compares it with: y and ŷ, or x and x̂ where the input is the target."""
        self.target, letter = y, "x" if any(user.rule.function in PRODUCTS for user in self.users[y]) else "y"
        self.give(y, Label(letter))
        if hat:
            self.give(guess, Label(normalize("NFC", f"{letter}\u0302")))

    def guess(self, thing: Any) -> tuple[Any, bool]:
        """Return the prediction that is compared with a target, without its logarithm, and whether np.log was taken of it."""
        if not isinstance(thing, Node) or not thing.rule or thing.rule.function not in (np.log, reductions.log_softmax):
            return thing, False
        inside: Any = self.operands[thing][0]
        added = self.operands_if(inside, np.add)
        guarded = next(filter(None, added), inside) if None in added else inside  # (log(ŷ + ε): a number is no thing)
        return guarded, thing.rule.function is np.log

    def is_plain(self, thing: Fingerprint) -> bool:
        """Tell whether all entries of an array are the same number; equations write that number."""
        array = self.arrays[thing]
        return bool(array.size and (array == array.flat[0]).all())

    def cotangent(self, node: Node) -> Label:
        """Return the name of the gradient with respect to a node: δₖ for a layer's z, else δ with the node's name as index."""
        label = self.labels[node]
        if label.base == "z" and label.sub:
            return Label("δ", label.sub)
        of_layer = node in self.layers and node not in self.by_user and label.base in ("z", "ŷ", "x\u0302", "L")
        return Label("δ", self.layers[node] if of_layer else label)


LOSSES = {neural.softmax_cross_entropy, neural.sigmoid_cross_entropy}
PRODUCTS = {np.matmul, einsum, convolution}
ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.square, np.reciprocal, np.copy}


def module_of(node: Node) -> str:
    """Return the path of the outermost module whose result a node is, "" where it is a class (capitalised) or a mere number."""
    return next((path for _, path in reversed(node.calls) if not path[:1].isupper() and not path.replace(".", "").isdigit()), "")
