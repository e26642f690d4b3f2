"""Biases inside products: x W + b is [x 1] [W; b], and the gradient of both is [x 1]ᵀ δ.

W and b lie end to end among an optimiser's parameters, so they are one matrix already. For x and the ones to be one as well, a row
of ones has to follow x in memory: what is computed from such products is therefore computed transposed, a column for each sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .layout import SMALL, end_to_end, part, starts_of
from .program import Program
from .simplify import drop_dead
from .trace import Op, astype, elementwise, operands, replaced

__all__ = ["bias_in_product"]

LARGE = 20_000  # weights in a layer: above, the transposed product of few samples takes longer than the sums that it saves


def bias_in_product(program: Program) -> Program:
    """Add a layer's bias inside its product, and sum the bias's gradient inside the product that gives that of the weights.

    A product's sums may round otherwise than a product and an addition, or than ``np.add.reduce``.
    """
    columns = Columns(program)
    return columns.rewritten() if columns.layers else program


class Columns:
    """A program, and the same with a column for each sample where the first one has a row.

    Attributes
    ----------
    layers : for each z = x W + b whose W and b lie end to end: x, and where W lies (the whole and the start).
    turned : the ops that are computed transposed.
    pairs : for xᵀ δ, and for the sum of the rows of δ whose place is behind it, all three: x and both ops.
    twins : of an op, the one that computes its transpose instead.
    instead : maps an op to the op that now gives its untransposed value.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.users = program, program.users()
        layers = self.layers_with_bias()
        self.turned = self.to_turn(layers)
        self.layers = {z: layer for z, layer in layers.items() if layer[0] in self.turned or layer[0].value.size <= SMALL}
        self.pairs = self.gradient_pairs()
        self.ops: list[Op] = []
        self.twins: dict[Op, Op] = {}
        self.instead: dict[Op, Op] = {}
        self.joint: dict[Op, Op] = {}  # of the first of a pair, the op that gives both
        self.known: dict[Any, Op] = {}

    # What to do
    def layers_with_bias(self) -> dict[Op, tuple[Op, Op, int]]:
        """Return the layers, however large their x may be; none if weights are many."""
        starts = starts_of(self.program)
        layers: dict[Op, tuple[Op, Op, int]] = {}
        for z in self.program.ops:
            product: Any = z.args[0] if z.function is np.add and not z.kwargs else None
            if is_product(product) and self.users[product] == [z]:
                (x, W), b = product.args, z.args[1]
                if W in starts and x.dtype == z.dtype and starts.get(b) == (starts[W][0], starts[W][1] + W.value.size):
                    layers[z] = (x, *starts[W])
        weights = [x.value.shape[1] * z.value.shape[1] for z, (x, *_) in layers.items()]
        return layers if max(weights, default=0) <= LARGE else {}

    def to_turn(self, layers: dict[Op, Any]) -> set[Op]:
        """Return the layers, what is computed from them entry by entry, and the products that nothing else needs."""
        turned = set(layers)
        for op in self.program.ops:
            if entrywise(op) and any(isinstance(x, Op) and x in turned and x.shape == op.shape for x in op.args):
                turned.add(op)
        for op in reversed(self.program.ops):
            if is_product(op) and self.users[op] and all(user in turned for user in self.users[op]):
                turned.add(op)
        return turned

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
        """Return the program anew."""
        for op in self.program.ops:
            self.write(op)
        return drop_dead(self.program.made_of(self.ops, self.upright))

    def write(self, op: Op) -> None:
        """Write an op anew."""
        if op in self.layers:
            x, whole, start = self.layers[op]
            weights = self.call(part, whole, start, (x.shape[1] + 1, op.shape[1]))
            self.turn(op, np.dot, self.call(np.transpose, weights), self.with_ones(x))
        elif op in self.turned:
            self.turn(op, op.function, *map(self.across, op.args[::-1] if op.function is np.dot else op.args))
        elif op in self.pairs:
            if op not in self.instead:
                self.write_pair(*self.pairs[op])
        elif op.function is np.reshape and op.args[1:] == (-1,) and op.args[0] in self.twins and self.only_summed(op):
            self.instead[op] = self.add(op, np.reshape, self.twins[op.args[0]], -1)
        else:
            if op.function is end_to_end:
                op.args = tuple(x for x in map(self.paired, op.args) if x is not None)
            op.args, op.kwargs = self.upright((op.args, op.kwargs))
            self.ops.append(op)

    def paired(self, x: Any) -> Any:
        """Return an argument; in place of the first of a pair the product that gives both, and None in place of the second."""
        return self.joint.get(x) if isinstance(x, Op) and x in self.pairs else x

    def turn(self, op: Op, function: Any, *args: Any) -> None:
        """Write an op transposed."""
        twin = self.twins[op] = Op(function, args, {}, np.ascontiguousarray(op.value.T))
        self.add_like(op, twin)

    def write_pair(self, x: Op, product: Op, total: Op) -> None:
        """Write a pair as one product, of which both are parts."""
        joint = self.joint[product] = self.add(product, np.dot, self.with_ones(x), self.upright(product.args[1]))
        flat = self.call(np.reshape, joint, -1)
        self.instead[product] = self.call(part, flat, 0, product.shape)
        self.instead[total] = self.call(part, flat, product.value.size, total.shape)
        for op in (product, total):
            self.instead[op].name = op.name

    def with_ones(self, x: Op) -> Op:
        """Return xᵀ with a row of ones behind it."""
        n, k = x.shape
        flat = self.call(end_to_end, self.across(x), np.ones(n, x.dtype), key=("ones", x))
        return self.call(np.reshape, flat, (k + 1, n))

    def across(self, x: Any) -> Any:
        """Return the transpose of an argument; of a vector along the rows a column."""
        if isinstance(x, np.ndarray) and x.ndim:
            return x.T if x.ndim == 2 else x[:, None]
        if not isinstance(x, Op) or x.shape == ():
            return x
        if x in self.twins:
            return self.twins[x]
        if (original := transposed_of(x)) is not None:
            return self.upright(original)
        return self.call(np.transpose, self.upright(x)) if len(x.shape) == 2 else self.call(np.reshape, self.upright(x), (-1, 1))

    def upright(self, tree: Any) -> Any:
        """Return arguments with every op as it was."""
        return replaced(tree, Op, lambda op: self.instead.get(op) or (self.call(np.transpose, self.twins[op]) if op in self.twins else op))

    def call(self, function: Any, *args: Any, key: Any = None) -> Op:
        """Return a call, written at its first use."""
        key = key or (function, *args)
        if key not in self.known:
            self.known[key] = self.add(None, function, *args)
        return self.known[key]

    def add(self, like: Op | None, function: Any, *args: Any) -> Op:
        """Write a call, in the place of another one or as a view."""
        op = Op(function, args, {}, function(*(getattr(x, "value", x) for x in args)))
        return self.add_like(like, op)

    def add_like(self, like: Op | None, op: Op) -> Op:
        """Write an op down, with what is known of the one whose place it takes."""
        if like is not None:
            op.place, op.errstate, op.stage, op.name = like.place, like.errstate, like.stage, like.name
        self.ops.append(op)
        return op

    def only_summed(self, flat: Op) -> bool:
        """Tell whether the order of the entries matters to nothing but the rounding of a sum."""
        return flat not in operands(self.program.wanted()) and all(
            user.function is np.dot and all(x is flat or is_ones(x) for x in user.args) for user in self.users[flat]
        )


def is_product(op: Any) -> bool:
    """Tell whether an op is a product of two matrices."""
    return isinstance(op, Op) and op.function is np.dot and all(isinstance(x, Op) and len(x.shape) == 2 for x in op.args)


def is_column_sum(op: Any) -> bool:
    """Tell whether an op is a product of ones and a matrix: the sums of its columns."""
    return isinstance(op, Op) and op.function is np.dot and is_ones(op.args[0]) and len(op.args[1].shape) == 2


def is_ones(x: Any) -> bool:
    """Tell whether an argument is a constant vector of ones."""
    return isinstance(x, np.ndarray) and x.ndim == 1 and bool((x == 1).all())


def entrywise(op: Op) -> bool:
    """Tell whether an op computes each entry of a matrix from those at the same place."""
    return len(op.shape) == 2 and not op.kwargs and (elementwise(op) or op.function in (np.where, astype))


def transposed_of(op: Any) -> Op | None:
    """Return the matrix that an op is the transpose of, if it is one."""
    plain = isinstance(op, Op) and op.function is np.transpose and len(op.args) == 1 and not op.kwargs and len(op.shape) == 2
    return op.args[0] if plain else None
