"""Biases inside products: x W + b is [x 1] [W; b], and the gradient of both is [x 1]ᵀ δ.

W and b lie end to end among an optimiser's parameters, so they are one matrix already. For x and the ones to be one as well, a row
of ones has to follow x in memory: what is computed from such products is therefore computed transposed, a column for each sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..trees import content
from .layout import computed, end_to_end, like, part
from .program import Program
from .simplify import drop_dead
from .trace import Op, astype, elementwise, operands, replaced

__all__ = ["bias_in_product"]

SMALL = 4096  # entries: a larger x is not copied to get its ones
LARGE = 20_000  # weights in a layer: above, the transposed product of few samples takes longer than the sums that it saves


def bias_in_product(program: Program) -> Program:
    """Add a layer's bias inside its product, and sum the bias's gradient inside the product that gives that of the weights.

    A product's sums may round otherwise than a product and an addition, or than ``np.add.reduce``.
    """
    transposition = Transposition(program)
    return transposition.rewritten() if transposition.layers else program


class Transposition:
    """A program, and the same with a column for each sample where the first one has a row.

    Attributes
    ----------
    layers : for each z = x W + b whose W and b lie end to end: x, and where W lies (the whole and the start).
    transposed : the ops that are computed transposed.
    pairs : for xᵀ δ, and for the sum of the rows of δ whose place is behind it, all three: x and both ops.
    ops : the calls of the new program.
    transposes : of an op, the one that computes its transpose instead.
    instead : of an op, the one that now gives its value as it was.
    combined : of the first of a pair, the op that gives both.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.users = program, program.users()
        layers = self.layers_with_bias()
        self.transposed = self.to_transpose(layers)
        self.layers = {z: layer for z, layer in layers.items() if layer[0] in self.transposed or layer[0].value.size <= SMALL}
        self.pairs = self.gradient_pairs()
        self.ops: list[Op] = []
        self.transposes: dict[Op, Op] = {}
        self.instead: dict[Op, Op] = {}
        self.combined: dict[Op, Op] = {}
        self.known: dict[Any, Op] = {}

    # What to do
    def layers_with_bias(self) -> dict[Op, tuple[Op, Op, int]]:
        """Return the layers, however large their x may be; none if weights are many."""
        starts = starts_of_parameters(self.program)
        layers: dict[Op, tuple[Op, Op, int]] = {}
        for z in self.program.ops:
            product: Any = z.args[0] if z.function is np.add and not z.kwargs else None
            if is_product(product) and self.users[product] == [z]:
                (x, W), b = product.args, z.args[1]
                if W in starts and x.dtype == z.dtype and starts.get(b) == (starts[W][0], starts[W][1] + W.value.size):
                    layers[z] = (x, *starts[W])
        weights = [x.value.shape[1] * z.value.shape[1] for z, (x, *_) in layers.items()]
        return layers if max(weights, default=0) <= LARGE else {}

    def to_transpose(self, layers: dict[Op, Any]) -> set[Op]:
        """Return the layers, what is computed from them entry by entry, and the products that nothing else needs."""
        found = set(layers)
        for op in self.program.ops:
            if is_entrywise(op) and any(isinstance(x, Op) and x in found and x.shape == op.shape for x in op.args):
                found.add(op)
        for op in reversed(self.program.ops):
            if is_product(op) and self.users[op] and found.issuperset(self.users[op]):
                found.add(op)
        return found

    def gradient_pairs(self) -> dict[Op, tuple[Op, Op, Op]]:
        """Return the products and sums that one product can give."""
        inputs = {x for x, _, _ in self.layers.values()}
        pairs: dict[Op, tuple[Op, Op, Op]] = {}
        for whole in self.program.ops:
            for product, total in zip(whole.args, whole.args[1:]) if whole.function is end_to_end else ():
                x = transposed_of(product.args[0]) if is_product(product) else None
                if x is not None and x in inputs and is_column_sum(total) and total.args[1] is product.args[1]:
                    pairs[product] = pairs[total] = (x, product, total)
        return pairs

    # Doing it
    def rewritten(self) -> Program:
        """Return the new program."""
        for op in self.program.ops:
            self.write(op)
        return drop_dead(self.program.made_of(self.ops, self.as_before))

    def write(self, op: Op) -> None:
        """Write an op in its new form."""
        if op in self.layers:
            x, whole, start = self.layers[op]
            weights = self.call(part, whole, start, (x.shape[1] + 1, op.shape[1]))
            self.write_transposed(op, np.dot, self.call(np.transpose, weights), self.with_ones(x))
        elif op in self.transposed:
            self.write_transposed(op, op.function, *map(self.transpose, op.args[::-1] if op.function is np.dot else op.args))
        elif op in self.pairs:
            if op not in self.instead:
                self.write_pair(*self.pairs[op])
        elif op.function is np.reshape and op.args[1:] == (-1,) and op.args[0] in self.transposes and self.is_only_summed(op):
            self.instead[op] = self.add(computed(np.reshape, self.transposes[op.args[0]], -1), op)
        else:
            if op.function is end_to_end:
                op.args = tuple(x for x in map(self.pair_or_itself, op.args) if x is not None)
            op.args, op.kwargs = self.as_before((op.args, op.kwargs))
            self.ops.append(op)

    def pair_or_itself(self, x: Any) -> Any:
        """Return an argument; in place of the first of a pair the product that gives both, and None in place of the second."""
        return self.combined.get(x) if isinstance(x, Op) and x in self.pairs else x

    def write_transposed(self, op: Op, function: Any, *args: Any) -> None:
        """Write an op that gives the transpose of another."""
        self.transposes[op] = self.add(Op(function, args, {}, np.ascontiguousarray(op.value.T)), op)

    def write_pair(self, x: Op, product: Op, total: Op) -> None:
        """Write a pair as one product, of which both are parts."""
        both = self.combined[product] = self.add(computed(np.dot, self.with_ones(x), self.as_before(product.args[1])), product)
        flat = self.call(np.reshape, both, -1)
        self.instead[product] = self.call(part, flat, 0, product.shape)
        self.instead[total] = self.call(part, flat, product.value.size, total.shape)
        for op in (product, total):
            self.instead[op].name = op.name

    def with_ones(self, x: Op) -> Op:
        """Return xᵀ with a row of ones behind it."""
        n, k = x.shape
        return self.call(np.reshape, self.call(end_to_end, self.transpose(x), np.ones(n, x.dtype)), (k + 1, n))

    def transpose(self, x: Any) -> Any:
        """Return the transpose of an argument; of a vector along the rows a column."""
        if isinstance(x, np.ndarray) and x.ndim:
            return x.T if x.ndim == 2 else x[:, None]
        if not isinstance(x, Op) or x.shape == ():
            return x
        if x in self.transposes:
            return self.transposes[x]
        if (original := transposed_of(x)) is not None:
            return self.as_before(original)
        return self.call(np.transpose, self.as_before(x)) if len(x.shape) == 2 else self.call(np.reshape, self.as_before(x), (-1, 1))

    def as_before(self, tree: Any) -> Any:
        """Return arguments with ops that have the values that theirs had in the old program."""

        def found(op: Op) -> Op:
            return self.instead.get(op) or (self.call(np.transpose, self.transposes[op]) if op in self.transposes else op)

        return replaced(tree, Op, found)

    def call(self, function: Any, *args: Any) -> Op:
        """Return a call, written at its first use."""
        key = content((function, *args))
        if key not in self.known:
            self.known[key] = self.add(computed(function, *args))
        return self.known[key]

    def add(self, op: Op, old: Op | None = None) -> Op:
        """Write an op down, with what is known of the one whose place it takes, if there is one."""
        if old is not None:
            like(old, op).name = old.name
        self.ops.append(op)
        return op

    def is_only_summed(self, flat: Op) -> bool:
        """Tell whether the order of the entries matters to nothing but the rounding of a sum."""
        return flat not in operands(self.program.wanted()) and all(
            user.function is np.dot and all(x is flat or is_ones(x) for x in user.args) for user in self.users[flat]
        )


def starts_of_parameters(program: Program) -> dict[Op, tuple[Op, int]]:
    """Return for each parameter the input in which it lies end to end with others, and where it starts there."""
    starts: dict[Op, tuple[Op, int]] = {}
    for whole in program.inputs:
        if whole.role[:2] == ("flat", "parameter"):
            start = 0
            for op in program.inputs:
                if op.role[0] == "parameter" and op.dtype == whole.dtype:
                    starts[op] = (whole, start)
                    start += op.value.size
    return starts


def is_product(op: Any) -> bool:
    """Tell whether an op is a product of two matrices."""
    return isinstance(op, Op) and op.function is np.dot and all(isinstance(x, Op) and len(x.shape) == 2 for x in op.args)


def is_column_sum(op: Any) -> bool:
    """Tell whether an op is a product of ones and a matrix: the sums of its columns."""
    return isinstance(op, Op) and op.function is np.dot and is_ones(op.args[0]) and len(op.args[1].shape) == 2


def is_ones(x: Any) -> bool:
    """Tell whether an argument is a constant vector of ones."""
    return isinstance(x, np.ndarray) and x.ndim == 1 and bool((x == 1).all())


def is_entrywise(op: Op) -> bool:
    """Tell whether an op computes each entry of a matrix from those at the same place."""
    return len(op.shape) == 2 and not op.kwargs and (elementwise(op) or op.function in (np.where, astype))


def transposed_of(op: Any) -> Op | None:
    """Return the matrix that an op is the transpose of, if it is one."""
    plain = isinstance(op, Op) and op.function is np.transpose and len(op.args) == 1 and not op.kwargs and len(op.shape) == 2
    return op.args[0] if plain else None
