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
    "GREEK", "SUBSCRIPTS", "SUPERSCRIPTS", "Fingerprint", "Label", "Names", "Path", "Thing", "clean", "fingerprint", "is_formula",
    "is_place", "label_of", "subscripted",
]  # fmt: skip

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "eps": "ε", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
HATS = {"yhat": "ŷ", "y_pred": "ŷ", "y_hat": "ŷ"}
MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303"}
SUPERSCRIPTS = dict(zip("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
LETTERS = {letter: name for table in (GREEK, HATS, SUPERSCRIPTS) for name, letter in table.items()}
LETTERS |= {mark: f"_{name}" for name, mark in MARKS.items()}
SUBSCRIPTS = dict(zip("0123456789×aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₓₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"))
LETTER_OF = {low: letter for letter, low in SUBSCRIPTS.items()}
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
        return self.written if self.written.isidentifier() else self.plain


def label_of(text: str) -> Label:
    """Read a name as base and subscript: ``W1``, ``W_1`` and ``W₁`` as W₁, ``gamma`` as γ, ``y_pred`` as ŷ, LaTeX as it is set."""
    if (latex := label_of_latex(text)) is not None:
        return latex
    ending = f"[{''.join(LETTER_OF)}]+$"
    plain = re.sub(ending, lambda low: "_" + "".join(map(LETTER_OF.__getitem__, low[0])), normalize("NFC", clean(text)))
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
    raised = "".join([SUPERSCRIPTS[digit] for digit in power or later or ""])
    return Label(base + raised, (sub or "").strip("{}"), text)


def subscripted(base: str, index: str) -> str:
    """Return a base with an index below it, as plain text: x₁, xᵢ, W_out."""
    low = "".join([SUBSCRIPTS.get(letter, letter) for letter in index])
    is_short = sum(letter.isalpha() for letter in index) < 2 and all(letter in LETTER_OF or letter == "," for letter in low)
    return base + low if is_short else f"{base}_{index}"


def is_formula(label: Label) -> bool:
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
    """Stands for an array that is not a tensor; equal if and only if shape, dtype and entries are."""

    shape: tuple[int, ...]
    dtype: str
    digest: bytes


Thing = Node | Fingerprint


def fingerprint(array: np.ndarray) -> Fingerprint:
    return Fingerprint(*content(array))


def shape_of(thing: Thing) -> tuple[int, ...]:
    return thing.shape if isinstance(thing, Fingerprint) else thing.value.shape


def function_of(thing: Any) -> Any:
    """Return the function that computed a value; None for a leaf."""
    return thing.rule.function if isinstance(thing, Node) and thing.rule else None


def is_leaf(thing: Any) -> bool:
    return isinstance(thing, Thing) and function_of(thing) is None


def is_parameter(thing: Any) -> bool:
    return isinstance(thing, Node) and thing.rule is None and thing.requires_grad


def is_data(thing: Any) -> bool:
    """Tell whether something is a leaf that requires no gradient."""
    return is_leaf(thing) and not is_parameter(thing)


def exchanged_axes(thing: Any) -> set[int] | None:
    """Return the axes that a transposition moves; None for any other value."""
    if function_of(thing) not in (np.transpose, np.swapaxes):
        return None
    ndim, args = thing.value.ndim, thing.args[1:]
    if function_of(thing) is np.swapaxes:
        return {axis % ndim for axis in args}
    order = (args[0] if args else None) or range(ndim)[::-1]
    return {i for i, axis in enumerate(order) if ndim == 1 or axis % ndim != i}


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
    by_user, descriptive : those that the user named; those whose label says more than the operation.
    layers : of each z = x W + b, its number.
    target : what a loss compares with, y, or None.
    normalised : of each layer's z, γ ⊙ x̂ + β if a norm follows.
    inside_softmax : what a softmax that the program computes by hand is computed from.
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
        self.name_by_user(given or {})
        self.by_user = set(self.labels)
        self.target: Thing | None = None
        self.normalised: dict[Node, Node] = {}
        self.inside_softmax: set[Any] = set()
        self.name_roles(roots)
        for node in self.nodes:
            if node.calls and node.rule and (path := module_of(node)):
                self.assign(node, label_of(path))
        for node in reversed(self.nodes):
            if node in self.labels and function_of(node) is setitem:
                self.name_versions(node)
        self.descriptive = set(self.labels)
        for node in self.nodes:
            if node.rule and node not in self.labels:
                self.assign(node, self.numbered(node.rule.name))

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

    # Labels
    def assign(self, thing: Thing, label: Label) -> None:
        """Label a value that has no label yet."""
        if thing not in self.labels:
            self.labels[thing] = self.reserve(label)

    def reserve(self, label: Label) -> Label:
        """Return a label that nothing else gets, with a number appended if it could be mistaken for one that is taken."""
        unique, k = label, 1
        while unique.plain in self.taken:
            k += 1
            sub = f"{label.sub}_{k}" if label.sub else str(k)
            unique = replace(label, sub=sub, written=f"{label.written}_{k}" if label.written else "")
        self.taken.add(unique.plain)
        return unique

    def numbered(self, base: str) -> Label:
        """Return the base with the next number that is not taken."""
        while True:
            self.counts[base] += 1
            label = Label(base, str(self.counts[base]))
            if label.plain not in self.taken:
                return label

    def name_alike(self, base: str, things: Iterable[Thing]) -> None:
        """Give values the same base, with numbers if there are several."""
        unnamed = [thing for thing in dict.fromkeys(things) if thing not in self.labels]
        for thing in unnamed:
            self.assign(thing, Label(base) if len(unnamed) == 1 and base not in self.taken else self.numbered(base))

    def name_by_user(self, given: Mapping[str, Any]) -> None:
        """Give tensors their own names, then the names of variables; tensors are found by identity, arrays by their entries."""
        for node in self.nodes:
            if node.name and not is_place(node.name):
                self.assign(node, label_of(node.name))
        indices = [part for node in self.nodes for part in leaves(node.args) if isinstance(part, np.ndarray)] if given else []
        known = {*self.operands, *self.arrays, *map(fingerprint, indices)}
        for name, value in given.items():
            thing = fingerprint(value) if isinstance(value, np.ndarray) and value.ndim else getattr(value, "_node", value)
            if name.startswith("_") or name in ("In", "Out") or not isinstance(thing, Thing) or thing not in known:
                continue
            self.assign(thing, label_of(name))
            if isinstance(thing, Fingerprint):
                self.arrays[thing] = value

    def name_versions(self, written: Node) -> None:
        """Name the values that an array had before it was written to: y₀, y₁, and y after the last write."""
        label, earlier, base = self.labels[written], [], self.operands[written][0]
        while isinstance(base, Node) and base.rule and base not in self.labels:
            is_write = base.rule.function in (setitem, astype)  # (astype: what y += x computed, as y's dtype)
            value = self.operands[base][0] if base.rule.function is astype else base
            if not isinstance(value, Node) or not value.rule or value in self.labels:
                break
            earlier.append(value)
            base = self.operands[value][0] if is_write else None
        for k, node in enumerate(reversed(earlier)):
            self.assign(node, Label(label.base, f"{label.sub}_{k}" if label.sub else str(k)))

    # Roles
    def name_roles(self, roots: Sequence[Node]) -> None:
        """Give textbook names to the values that play a known part in a network."""
        layers = self.affine()
        self.layers = {z: str(k) for k, z in enumerate(layers, 1)}
        activations = {z: a for z in layers if (a := self.activation(z)) is not None}
        if len(roots) == 1 and np.prod(shape_of(roots[0]), dtype=int) == 1 and roots[0].rule:
            self.name_target(layers, activations)
            self.assign(roots[0], Label("L"))
        self.name_blocks()
        inputs: list[Thing] = []
        for z, products in layers.items():
            k, normalised = self.layers[z], self.normalised.get(z, z)
            self.assign(z, Label("z", k))
            if normalised is not z and PLACE.fullmatch(f"{module_of(normalised)}.weight".lstrip(".")):
                self.assign(normalised, Label("z\u0303", k))
            if (a := activations.get(z) or self.activation(normalised)) is not None:
                self.assign(a, Label("a", k))
            inputs += self.name_parameters(z, products)
        self.name_leaves([*inputs, *filter(is_leaf, roots)])

    def name_leaves(self, inputs: Iterable[Thing]) -> None:
        """Name the inputs x, then all other parameters and arrays that have no name yet."""
        leaves = [node for node in self.nodes if is_leaf(node)]
        for node in leaves:
            if node.name:
                self.assign(node, label_of(node.name))
        self.name_alike("x", inputs)
        self.name_alike("x", filter(is_parameter, leaves))
        for thing, array in self.arrays.items():
            if array.ndim == 2 and np.array_equal(array, np.eye(len(array))):
                self.assign(thing, Label("I"))
        constants = {thing: array.size > 0 and bool((array == array.flat[0]).all()) for thing, array in self.arrays.items()}
        self.name_alike("c", [*leaves, *sorted(constants, key=constants.__getitem__)])  # (an array of one number is written as that)

    def affine(self) -> dict[Node, list[Node]]:
        """Return the sums that end in a product with a parameter, each with its products, in the order of creation."""
        found: dict[Node, list[Node]] = {}
        for node in self.nodes:
            if function_of(node) in PRODUCTS and is_parameter(self.factors(node)[1]):
                top = node
                while len(self.users.get(top, ())) == 1 and function_of(self.users[top][0]) is np.add:
                    top = self.users[top][0]
                found.setdefault(top, []).append(node)
        return dict(sorted(found.items(), key=lambda item: item[0].number))

    def factors(self, product: Node) -> tuple[Any, Any]:
        """Return the two factors of a product: the parameter last if there is one, a vector before a matrix."""
        things: list[Any] = [self.untransposed(thing) for thing in self.operands[product] if thing is not None]
        x, *_, y = things if len(things) > 1 else (*things, None, None)  # (einsum may have one operand)
        swapped = is_parameter(x) and (not is_parameter(y) or len(shape_of(x)) > len(shape_of(y)))
        return (y, x) if swapped else (x, y)

    def multiplied_with(self, weight: Any) -> list[Any]:
        """Return the other factor of each product that a weight is in."""
        forms = [weight, *[user for user in self.users.get(weight, ()) if exchanged_axes(user) is not None]]
        return [self.factors(node)[0] for form in forms for node in self.users.get(form, ()) if function_of(node) in PRODUCTS]

    def name_parameters(self, z: Node, products: list[Node]) -> list[Thing]:
        """Name the weights and biases of a sum of products, and the state that it starts from; return its inputs.

        Where there is one layer, they have no number: W, b.
        """
        inputs: list[Thing] = []
        k = self.labels[z].base if self.labels[z].base in ("Q", "K", "V") else self.layers[z] if len(self.layers) > 1 else ""
        for j, (x, weight) in enumerate(map(self.factors, products), 1):
            self.name_weight(weight, k or (str(j) if len(products) > 1 else ""))
            if is_leaf(x) and len(products) > 1 and not is_parameter(x) and not all(map(is_leaf, self.multiplied_with(weight))):
                self.assign(x, Label("h", "0"))
            elif is_leaf(x):
                inputs.append(x)
        for bias in self.biases(z, products):
            self.assign(bias, Label("b", k if len(self.users[bias]) == 1 else ""))
        return inputs

    def name_weight(self, weight: Any, k: str) -> None:
        """Name a weight: W of its layer; of several layers W, or Wₓ for inputs and Wₕ for states; of a vector w."""
        if not is_parameter(weight):
            return
        factors, base = self.multiplied_with(weight), "W" if len(shape_of(weight)) > 1 else "w"
        if len(factors) == 1:
            self.assign(weight, Label(base, k))
        elif base == "W":
            reused = [w for w in self.nodes if is_parameter(w) and len(self.multiplied_with(w)) > 1]
            self.assign(weight, Label("W", "" if len(reused) == 1 else "x" if all(map(is_leaf, factors)) else "h"))

    def biases(self, z: Node, products: list[Node]) -> list[Thing]:
        """Return the parameters, with at most one axis longer than 1, that are added between a product and z."""
        found: list[Any] = []
        for node in products:
            while node is not z:
                node = self.users[node][0]
                added = [self.unexpanded(thing) for thing in self.operands[node]]
                found += [thing for thing in added if is_parameter(thing) and sum(n > 1 for n in shape_of(thing)) <= 1]
        return list(dict.fromkeys(found))

    def activation(self, z: Node) -> Node | None:
        """Return the activation of a sum: an elementwise function of it alone, arithmetic aside; or a softmax."""
        if (by_hand := self.softmax(z)) is not None:
            return by_hand
        for node in self.sole_users(z):
            of_entries = node.rule.kind in ("elementwise", "choice") and node.rule.function not in (*ARITHMETIC, getitem)
            if shape_of(node) == shape_of(z) and (of_entries or node.rule.name == "softmax"):
                return node
        return self.logistic(z)

    def sole_users(self, thing: Any) -> list[Node]:
        """Return the nodes that take a value, once, and nothing else."""
        return [user for user in self.users.get(thing, ()) if [other for other in self.operands[user] if other is not None] == [thing]]

    def softmax(self, z: Node) -> Node | None:
        """Return exp(z) / Σ exp(z) where a program computes it by hand, with z or z − max(z), or None."""
        largest = {user: self.unexpanded(self.operands_if(user, np.subtract)[1]) for user in self.users.get(z, ())}
        shifted = {user: m for user, m in largest.items() if self.operand_if(m, np.max) is z}
        for e in [user for node in (z, *shifted) for user in self.users.get(node, ()) if function_of(user) is np.exp]:
            for node in self.users.get(e, ()):
                top, total = self.operands_if(node, np.divide)
                if top is e and self.operand_if(self.unexpanded(total), np.sum) is e:
                    self.inside_softmax |= {e, total, self.unexpanded(total), *shifted, *shifted.values()}
                    return node
        return None

    def logistic(self, z: Node) -> Node | None:
        """Return 1 / (1 + exp(−z)) where a program computes it by hand, or None."""
        node: Node | None = z
        for function in (np.negative, np.exp, np.add, np.divide):
            node = next((user for user in self.sole_users(node) if user.rule.function is function), None)
        return node

    def name_target(self, layers: dict[Node, Any], activations: Mapping[Node, Node]) -> None:
        """Name the target y and the prediction ŷ that the loss compares."""
        networks = {*layers, *activations.values()}
        for node in reversed(self.nodes):
            things: list[Any] = self.operands[node]
            if function_of(node) in LOSSES and is_data(things[1]):
                self.name_compared(things[1], things[0])
                return
            if not networks or len(things) != 2 or function_of(node) not in (np.subtract, np.multiply):
                continue
            for y, other in (things, things[::-1]):
                prediction, through_log = self.prediction(other)
                is_difference = function_of(node) is np.subtract or through_log
                is_comparison = is_difference or prediction is not other or prediction is next(reversed(layers))
                if is_data(y) and shape_of(y) and prediction in networks and is_comparison:
                    self.name_compared(y, prediction, hat=is_difference)
                    return

    def name_compared(self, y: Any, prediction: Any, hat: bool = False) -> None:
        """Name a target and the prediction that a loss compares it with: y and ŷ, or x and x̂ where the input is the target."""
        self.target, letter = y, "x" if any(user.rule.function in PRODUCTS for user in self.users[y]) else "y"
        self.assign(y, Label(letter))
        if hat:
            self.assign(prediction, Label(normalize("NFC", f"{letter}\u0302")))

    def prediction(self, thing: Any) -> tuple[Any, bool]:
        """Return the prediction that is compared with a target, without its logarithm, and whether np.log was taken of it."""
        if function_of(thing) not in (np.log, reductions.log_softmax):
            return thing, False
        inside: Any = self.operands[thing][0]
        added = self.operands_if(inside, np.add)
        guarded = next(filter(None, added), inside) if None in added else inside  # (ŷ of log(ŷ + ε), where ε is a number)
        return guarded, function_of(thing) is np.log

    # Norms, attention and recurrent cells
    def name_blocks(self) -> None:
        """Name the parts of norms, of attention and of LSTM and GRU cells."""
        norms = {node: x for node in self.nodes if (x := self.normalised_by(node)) is not None}
        for k, (node, x) in enumerate(norms.items(), 1):
            self.normalised[x] = self.name_norm(node, str(k) if len(norms) > 1 else "")
        for node in self.nodes:
            if function_of(node) is neural.softmax:
                self.name_attention(node)
        cells = [cell for node in self.nodes if (cell := self.lstm_cell(node) or self.gru_cell(node))]
        for k, cell in enumerate(cells, 1):
            for letter, thing in cell.items():
                self.assign(thing, Label(letter, str(k) if len(cells) > 1 else ""))

    def normalised_by(self, node: Node) -> Any:
        """Return x if a quotient is its normalisation (x − μ) / √(σ² + ε), else None."""
        top, bottom = self.operands_if(node, np.divide)
        x, mean = self.operands_if(top, np.subtract)
        has_spread = self.operand_if(bottom, np.sqrt) is not None
        return x if has_spread and self.operand_if(self.unexpanded(mean), np.mean) is x else None

    def name_norm(self, node: Node, k: str) -> Node:
        """Name the parts of a normalisation x̂ = d / s, with d = x − μ and s = √(σ² + ε), and return γ ⊙ x̂ + β."""
        top, bottom = self.operands[node]
        inside = self.operand_if(bottom, np.sqrt)
        variance = self.unexpanded(next((thing for thing in self.operands_if(inside, np.add) if isinstance(thing, Node)), inside))
        self.assign(self.unexpanded(self.operands_if(top, np.subtract)[1]), Label("μ", k))
        self.assign(top, Label("d", k))  # type: ignore[arg-type]
        if function_of(variance) in (np.mean, np.var):
            self.assign(variance, Label("σ²", k))
        self.assign(bottom, Label("s", k))  # type: ignore[arg-type]
        self.assign(node, Label("x\u0302", k))
        out = node
        for letter, function in (("γ", np.multiply), ("β", np.add)):
            user = next((user for user in self.users.get(out, ()) if self.operands_if(user, function)[0] is not None), None)
            vectors = [self.unexpanded(thing) for thing in self.operands[user] if thing is not out] if user else []
            if user is not None and vectors and is_parameter(vectors[0]):
                self.assign(vectors[0], Label(letter, k))
                out = user
        return out

    def name_attention(self, softmax: Node) -> None:
        """If a softmax is that of attention, name the parts: A = softmax(S / √d), with S = Q Kᵀ, and A V."""
        scores: Any = self.operands[softmax][0]
        while function_of(scores) in (np.divide, np.multiply, np.add, np.where):
            scores = next((thing for thing in self.operands[scores] if function_of(thing)), None)
        query, key = self.operands_if(scores, np.matmul)
        while function_of(query) in (np.divide, np.multiply):  # (Q / √d)
            query = next((thing for thing in self.operands[query] if isinstance(thing, Node) and shape_of(thing)), None)
        is_layer = is_parameter(self.untransposed(key)) and not is_parameter(query)
        if query is None or self.untransposed(key) is key or is_layer:
            return
        for letter, thing in (("S", scores), ("Q", query), ("K", self.untransposed(key)), ("A", softmax)):
            self.assign(thing, Label(letter))
        for user in self.users.get(softmax, ()):
            weights, value = self.operands_if(user, np.matmul)
            if weights is softmax and isinstance(value, Node):
                self.assign(value, Label("V"))

    def lstm_cell(self, h: Node) -> dict[str, Node]:
        """If h is the output of an LSTM cell, return its parts by letter: h = o ⊙ tanh(c), c = f ⊙ c + i ⊙ g; gates are slices of one z."""
        for o, c in [(o, c) for o, t in self.in_both_orders(h, np.multiply) if (c := self.operand_if(t, np.tanh)) is not None]:
            z = self.sliced(o, neural.sigmoid)
            products = [pair for term in (c, *self.operands_if(c, np.add)) for pair in self.in_both_orders(term, np.multiply)]
            sigmoids = [gate for gate, _ in products if z is not None and self.sliced(gate, neural.sigmoid) is z]
            i, g = next(((i, g) for i, g in products if i in sigmoids and self.sliced(g, np.tanh) is z), (None, None))
            if i is not None:
                forget = zip("f", [gate for gate in sigmoids if gate is not i])
                return {"i": i, **dict(forget), "o": o, "g": g, "c": c, "h": h}
        return {}

    def gru_cell(self, h: Node) -> dict[str, Node]:
        """If h is the output of a GRU cell, return its parts by letter: h = n + u ⊙ (h₀ − n), where r opens a part of n = tanh(…)."""
        for n, step in self.in_both_orders(h, np.add):
            gated = self.in_both_orders(step, np.multiply)
            u = next((u for u, d in gated if self.sliced(u, neural.sigmoid) and self.operands_if(d, np.subtract)[1] is n), None)
            terms = self.operands_if(self.operand_if(n, np.tanh), np.add)
            gates = [gate for term in terms for gate, _ in self.in_both_orders(term, np.multiply)]
            r = next((gate for gate in gates if u and self.sliced(gate, neural.sigmoid) is self.sliced(u, neural.sigmoid)), None)
            if r is not None:
                return {"r": r, "u": u, "n": n, "h": h}
        return {}

    def sliced(self, gate: Any, function: Any) -> Any:
        """Return the array of which a gate takes a slice, before the function or after it, or None."""
        before, after = self.operand_if(gate, function), self.operand_if(gate, getitem)
        return self.operand_if(before, getitem) or self.operand_if(after, function)

    # Patterns
    def operand_if(self, thing: Any, function: Any) -> Any:
        """Return the first operand if this is a call of the function, else None."""
        return self.operands_if(thing, function)[0]

    def operands_if(self, thing: Any, function: Any) -> list[Any]:
        """Return the operands if this is a call of the function, else None for each of two."""
        return self.operands[thing] if function_of(thing) is function else [None, None]

    def in_both_orders(self, thing: Any, function: Any) -> list[tuple[Any, Any]]:
        """Return the two operands of a call of the function in both orders; nothing if it is another call."""
        x, y = self.operands_if(thing, function)
        return [(x, y), (y, x)] if isinstance(x, Node) or isinstance(y, Node) else []

    def unexpanded(self, thing: Any) -> Any:
        """Return the value before axes of length 1 were inserted."""
        while function_of(thing) in (np.expand_dims, np.reshape):
            thing = self.operands[thing][0]
        return thing

    def untransposed(self, thing: Any) -> Any:
        """Return the value before it was transposed."""
        while (axes := exchanged_axes(thing)) is not None and axes == {*range(thing.value.ndim)[-2:]}:
            thing = self.operands[thing][0]
        return thing

    # Gradients
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
    """Return the path of the outermost module whose result a node is, "" if that is a class (capitalised) or only a number."""
    return next((path for _, path in reversed(node.calls) if not path[:1].isupper() and not path.replace(".", "").isdigit()), "")
