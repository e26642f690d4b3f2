"""Names: what the values of a graph are called, the same in every process.

In this order: the tensor's own ``name``, the user's variables (``names=locals()``), the role in a network
(x, W₁, b₁, z₁, a₁, ŷ, y, L), the operation with a number (``matmul_3``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..graph import Node
from ..rules import reductions
from ..tensor import Tensor
from ..trees import leaves
from .expressions import Constant

__all__ = ["GREEK", "Label", "Names", "label_of"]

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eps": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω",
}  # fmt: skip
HATS = {"yhat": "ŷ", "y_hat": "ŷ", "y_pred": "ŷ"}


@dataclass(frozen=True)
class Label:
    """A name: a base, and a subscript that may be a label itself."""

    base: str
    sub: str | Label = ""


def label_of(text: str) -> Label:
    """Read a name as base and subscript: ``W1`` and ``W_1`` as W₁, ``gamma`` as γ, ``y_pred`` as ŷ."""
    if text in HATS:
        return Label(HATS[text])
    match = re.fullmatch(r"([^\W\d_][\w.]*?)_?(\d+)", text, re.ASCII) or re.fullmatch(r"([A-Za-z])_(\w+)", text)
    base, sub = match.groups() if match else (text, "")
    return Label(HATS.get(base, GREEK.get(base, base)), sub)


Thing = Node | Constant


class Names:
    """The labels of a graph's values, given out one by one; no two are alike."""

    def __init__(self, root: Node, order: list[Node], operands: dict[Node, list[Thing | None]], given: Mapping[str, Any] | None) -> None:
        self.order, self.operands = order, operands
        self.labels: dict[Thing, Label] = {}
        self.used: set[Label] = set()
        self.uses: dict[Thing, list[Node]] = {}
        for node in order:
            for thing in operands[node]:
                if thing is not None:
                    self.uses.setdefault(thing, []).append(node)
        self.things = list(dict.fromkeys(thing for node in order for thing in (*operands[node], node) if thing is not None))
        self.counts: dict[str, int] = {}
        self.y: Thing | None = None
        self.own_names()
        self.given_names(given or {})
        self.by_user = set(self.labels)
        self.roles(root)

    def give(self, thing: Thing, label: Label) -> None:
        """Name a thing that has no name yet."""
        if thing not in self.labels:
            self.labels[thing] = self.free(label)

    def free(self, label: Label) -> Label:
        """Take a label, with a number if it is taken."""
        unique, k = label, 1
        while unique in self.used:
            k += 1
            unique = Label(label.base, f"{label.sub}_{k}" if isinstance(label.sub, str) and label.sub else str(k))
        self.used.add(unique)
        return unique

    def own_names(self) -> None:
        for thing in self.things:
            if isinstance(thing, Node) and thing.name:
                self.give(thing, label_of(thing.name))

    def given_names(self, given: Mapping[str, Any]) -> None:
        """Give the names of the user's variables: of tensors by identity, of arrays (which the graph copied) by value."""
        things = {*self.things, *self.indices()} if given else set()
        for name, value in given.items():
            if name.startswith("_") or name in ("In", "Out"):
                continue
            if isinstance(value, Tensor) and value._node in things:
                self.give(value._node, label_of(name))
            elif isinstance(value, np.ndarray) and value.ndim and Constant(value) in things:
                self.give(Constant(value), label_of(name))

    def indices(self) -> list[Constant]:
        """Return the arrays that stand inside arguments: indices."""
        found: list[Constant] = []
        for node in self.order:
            for arg, thing in zip(node.args, self.operands[node]):
                if thing is None:
                    found += [Constant(v) for v in leaves(arg) if isinstance(v, np.ndarray) and v.ndim]
        return found

    def roles(self, root: Node) -> None:
        """Give what plays a part in a network its textbook name."""
        affine = self.affine()
        self.layers = {z: str(k) for k, z in enumerate(affine, 1)}
        activations = self.activations(affine)
        self.target(affine, activations)
        self.give(root, Label("L") if root.edges else Label("x"))
        inputs: list[Thing] = []
        products_of_all = [node for products in affine.values() for node in products]
        multiplied = {x for x, weight in map(self.factors, products_of_all) if is_parameter(weight)}
        for z, products in affine.items():
            k = self.layers[z]
            self.give(z, Label("z", k))
            if z in activations:
                self.give(activations[z], Label("a", k))
            for x, weight in map(self.factors, products):
                once = is_parameter(weight) and len(self.uses[weight]) == 1
                if once or (is_parameter(weight) and np.ndim(weight.value) > 1 and weight not in multiplied):
                    base = "W" if np.ndim(weight.value) > 1 else "w"
                    self.give(weight, Label(base, k) if once else self.shared(weight))
                if x is not None and is_leaf(x):
                    if not requires_grad(x) and not all(map(is_leaf, self.beside(weight))):
                        self.give(x, Label("h", "0"))
                    inputs.append(x)
            for bias in self.biases(z, products):
                self.give(bias, Label("b", k if len(self.uses[bias]) == 1 else ""))
        self.number_leaves("x", inputs)
        self.number_leaves("x", [leaf for leaf in self.things if is_leaf(leaf) and requires_grad(leaf)])
        self.number_leaves("c", [leaf for leaf in self.things if is_leaf(leaf)])

    def number_leaves(self, base: str, leaves: list[Thing]) -> None:
        """Name leaves alike, with numbers if there are several."""
        leaves = [leaf for leaf in dict.fromkeys(leaves) if leaf not in self.labels]
        for leaf in leaves:
            self.give(leaf, Label(base) if len(leaves) == 1 else self.numbered(base))

    def factors(self, product: Node) -> tuple[Any, Any]:
        """Return what a matrix product is of: something, and a parameter if one is there; a vector before a matrix."""
        x, y = map(self.untransposed, self.operands[product][:2])
        swapped = is_parameter(x) and (not is_parameter(y) or np.ndim(x.value) > np.ndim(y.value))
        return (y, x) if swapped else (x, y)

    def shared(self, weight: Thing) -> Label:
        """Return the name of a weight of several layers: W, and where there are several such, Wₓ for inputs and Wₕ for states."""
        weights = {self.factors(node)[1] for node in self.order if node.rule.function is np.matmul}
        if len([w for w in weights if is_parameter(w) and len(self.uses[w]) > 1]) == 1:
            return Label("W")
        return Label("W", "x" if all(map(is_leaf, self.beside(weight))) else "h")

    def beside(self, weight: Any) -> list[Any]:
        """Return what a weight is multiplied with."""
        if not is_parameter(weight):
            return []
        products = [node for node in self.uses[weight] if node.rule.function is np.matmul]
        return [self.factors(node)[0] for node in products]

    def numbered(self, base: str) -> Label:
        """Return the base with the next number that is free."""
        label = Label(base)
        while label.sub == "" or label in self.used:
            self.counts[base] = self.counts.get(base, 0) + 1
            label = Label(base, str(self.counts[base]))
        return label

    def untransposed(self, thing: Any) -> Any:
        """Return what was transposed, or the thing itself."""
        while isinstance(thing, Node) and thing.edges and thing.rule.function in (np.transpose, np.swapaxes):
            thing = self.operands[thing][0]
        return thing

    def affine(self) -> dict[Node, list[Node]]:
        """Return the sums that end in a matrix product, each with its products, in order of creation."""
        found: dict[Node, list[Node]] = {}
        for node in self.order:
            if node.rule.function is np.matmul:
                top = node
                while len(self.uses.get(top, ())) == 1 and self.uses[top][0].rule.function is np.add:
                    top = self.uses[top][0]
                found.setdefault(top, []).append(node)
        return dict(sorted(found.items(), key=lambda item: item[0].number))

    def activations(self, affine: dict[Node, list[Node]]) -> dict[Node, Node]:
        """Return what each sum passes through: a function of it alone, of its shape, that is not arithmetic."""
        found: dict[Node, Node] = {}
        for z in affine:
            for node in self.uses.get(z, ()):
                alone = [thing for thing in self.operands[node] if thing is not None] == [z]
                function = node.rule.function
                if alone and np.shape(node.value) == np.shape(z.value) and function not in PLAIN and node.rule.kind != "movement":
                    found.setdefault(z, node)
        return found

    def target(self, affine: dict[Node, list[Node]], activations: dict[Node, Node]) -> None:
        """Name what the loss compares: y, brought along, and ŷ, computed."""
        networks = {*affine, *activations.values()}
        for node in reversed(self.order):
            things = self.operands[node]
            if len(things) != 2 or node.rule.function not in (np.subtract, np.multiply) or not networks:
                continue
            for y, other in (things, things[::-1]):
                if y is None or not is_leaf(y) or requires_grad(y) or not np.shape(y.value) or not isinstance(other, Node):
                    continue
                through = other.rule.function if other.edges else None
                guess = self.operands[other][0] if through in (np.log, reductions.log_softmax) else other
                if guess not in networks or (node.rule.function is np.multiply and guess is other is not next(reversed(affine))):
                    continue
                self.give(y, Label("y"))
                self.y = y
                if through is np.log or node.rule.function is np.subtract:
                    self.give(guess, Label("ŷ"))
                return

    def biases(self, z: Node, products: list[Node]) -> list[Thing]:
        """Return the leaves that the sums between a product and z add."""
        found: list[Thing] = []
        for product in products:
            node = product
            while node is not z:
                node = self.uses[node][0]
                found += [t for t in self.operands[node] if t is not None and is_leaf(t) and requires_grad(t) and np.ndim(t.value) <= 1]
        return list(dict.fromkeys(found))

    def operation(self, node: Node) -> None:
        """Name a value by its operation: ``matmul_3``."""
        if node not in self.labels:
            self.give(node, self.numbered(node.rule.name))


PLAIN = {
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.square, np.reciprocal, np.copy,
    reductions.log_softmax,
}  # fmt: skip


def is_leaf(thing: Thing) -> bool:
    return isinstance(thing, Constant) or not thing.edges


def is_parameter(thing: Any) -> bool:
    return thing is not None and is_leaf(thing) and requires_grad(thing)


def requires_grad(thing: Thing) -> bool:
    return isinstance(thing, Node) and thing.requires_grad
