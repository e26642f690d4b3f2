"""The derivation: each node's rule read on Symbols, and a sweep that carries formulas instead of numbers.

A gradient gets a name, δ, where it is used more than once; everything else is written out where it is used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..backward import fit
from ..graph import Node, reachable_results
from ..naming import Names
from ..rules import neural, shaping
from ..rules.functions import COMPARISONS
from ..trees import mapped
from .expressions import Call, Constant, Expression, Ones, Opaque, Prime, Product, Sum, Variable, evaluate, is_call, occurrences, parts_of
from .simplify import call, express, factored, is_basic, one_minus, product, scalars_apart, side_by_side, simpler, substitute, sum_of, times
from .symbols import Symbol, Unreadable

__all__ = ["Derivation", "Line", "contribution", "is_array"]

LONGEST, DEEPEST, FARTHEST = 12, 9, 10  # an expression of more atoms, levels or operations gets a name
TOO_LONG = 30  # a rule with more parts is not written as a formula


@dataclass(frozen=True)
class Line:
    """An equation: the value of ``node``, or the gradient with respect to it, is ``right``."""

    node: Node
    variable: Variable
    right: Expression
    kind: str  # "forward", "delta" or "gradient"


def is_array(value: Any) -> bool:
    """Tell whether an argument is an array that formulas should name: not one number, nor one repeated."""
    return isinstance(value, np.ndarray) and value.ndim > 0 and isinstance(express(value), Constant)


def contribution(edge: tuple[Node, Any, int], g: Expression, out: Expression, args: tuple[Any, ...], node: Node) -> Expression:
    """Read one edge's rule on Symbols; where that cannot be done, return it as ``vjp[op](g)``."""
    _, vjp, i = edge
    dtype = np.asarray(node.value).dtype
    shape = np.shape(node.args[i])
    try:
        with np.errstate(all="ignore"):
            result: Any = vjp(Symbol(g, dtype), Symbol(out, dtype), *args, **node.kwargs)
            result = result if isinstance(result, Symbol) else Symbol(express(result), np.asarray(result).dtype)
            rule: Expression = fit(result, node.args[i]).expression
        if (length := len(parts_of(rule))) > TOO_LONG:
            raise Unreadable(f"its formula has {length} parts")
        return rule
    except Exception as reason:  # a rule may fail in any way when it is given no numbers
        return Opaque(node.rule.name, partial(on_arrays, node, vjp, i), g, shape, f"{type(reason).__name__}: {reason}")


def on_arrays(node: Node, vjp: Callable[..., Any], i: int, g: Any) -> Any:
    """Run a rule on the node's own arrays."""
    g = np.broadcast_to(np.asarray(g, np.asarray(node.value).dtype), np.shape(node.value))
    return fit(vjp(g, node.value, *node.args, **node.kwargs), node.args[i])


class Derivation:
    """The equations of a graph, forward and backward, in the order in which they can be computed."""

    def __init__(self, root: Node, names: Mapping[str, Any] | None, primes: bool) -> None:
        self.root, self.primes = root, primes
        self.order = reachable_results([root])[::-1]
        self.values: dict[Node, Variable] = {}
        self.things: dict[Variable, Node] = {}
        self.numbers: dict[Expression, Any] = {}
        self.variable(root)
        self.names = Names([root], names)
        self.operands = {node: [self.operand(node, i) for i in range(len(node.args))] for node in self.order}
        self.labels = {x: label for thing, label in self.names.labels.items() if (x := self.atom(thing)) is not None}
        self.batch: Variable | None = None
        self.definitions: dict[Any, tuple[Expression, Expression]] = {}
        self.gradient = {node: Variable(np.shape(node.value)) for node in (*self.order, *self.leaves())}
        self.one_hot: dict[Expression, Expression] = {}
        self.classes: dict[Variable, Expression] = {}
        read = {node: self.read_call(node) for node in self.order}
        self.inside_loss = self.names.inside_softmax | {node for node, call in read.items() if classes_of(call) is not None}
        self.calls = {node: self.with_one_hot(call) for node, call in read.items()}
        self.readings = {node: self.read_rules(node) for node in reversed(self.order)}
        self.reused = self.find_reused()
        self.complements = self.find_complements()
        self.kept = {node for node in self.order if node in self.names.descriptive}
        while missing := self.write():
            self.kept |= missing

    # What takes part
    def operand(self, node: Node, i: int) -> Variable | Constant | None:
        """Return what stands at a place among the arguments: a node's value, a constant array, or None for anything else."""
        source, arg = self.names.operands[node][i], node.args[i]
        if isinstance(source, Node):
            is_number = self.names.labels[source].base == "c" and source not in self.names.by_user and not is_array(arg)
            return self.variable(source, arg) if source.edges or source.requires_grad or not is_number else None
        is_index = i > 1 if node.rule.name == "setitem" else i > 0 and node.rule.kind == "movement"
        return Constant(arg) if is_array(arg) and not is_index else None

    def variable(self, node: Node, value: Any = None) -> Variable:
        """Return the variable that stands for a node's value."""
        if node not in self.values:
            self.values[node] = variable = Variable(np.shape(node.value))
            self.things[variable] = node
            if not node.edges:
                self.numbers[variable] = node.value if value is None else value
        return self.values[node]

    def leaves(self) -> list[Node]:
        """Return the leaves that a gradient flows to, the oldest first."""
        found = {parent for node in self.order for parent, _, _ in node.edges if not parent.edges}
        return sorted(found or ({self.root} - set(self.order)), key=lambda node: node.number)

    def arguments(self, node: Node) -> tuple[Any, ...]:
        """Return a node's arguments as Symbols; numbers and everything else that is not an array as they are."""
        args: list[Any] = []
        for arg, atom in zip(node.args, self.operands[node]):
            if atom is None:
                args.append(arg.item() if isinstance(arg, np.ndarray) and arg.ndim == 0 else arg)
            else:
                args.append(Symbol(atom, np.asarray(arg).dtype))
        return tuple(args)

    # Reading
    def read_rules(self, node: Node) -> dict[Node, Expression]:
        """Return what a node's rules say of the cotangent of each parent."""
        g, out, args = self.gradient[node], self.variable(node), self.arguments(node)
        found: dict[Node, list[Expression]] = defaultdict(list)
        for edge in node.edges:
            expression = contribution(edge, g, out, args, node)
            expression = self.with_batch(node, absorbed(expression, out, self.calls[node]))
            if self.primes and len(args) == 1 and isinstance(args[0], Symbol) and not node.kwargs:
                expression = self.as_prime(node, expression, g, args[0].expression)
            found[edge[0]].append(expression)
        return {parent: sum_of(expressions) for parent, expressions in found.items()}

    def as_prime(self, node: Node, x: Expression, g: Expression, argument: Expression) -> Expression:
        """Write g ⊙ f′(x) for what a rule says of an entry-by-entry function, unless f′ is no longer than its name."""
        if not isinstance(x, Product) or (g, 1) not in x.factors or np.shape(node.value) != argument.shape:
            return x
        factor, function = product([f for f in x.factors if f[0] != g], x.coefficient), node.rule.function
        if g in occurrences(factor) or not is_involved(factor) or node.rule.kind not in ("elementwise", "choice"):
            return x
        if function not in self.definitions:
            z = Variable(argument.shape)
            general = substitute(factor, {argument: z, self.values[node]: Call(function, (z,), {}, x.shape)})
            self.definitions[function] = Prime(function, z, general), general
        return times(g, Prime(function, argument, factor))

    def with_batch(self, node: Node, x: Expression) -> Expression:
        """Write the number of rows that a mean divides by as N."""
        rows, folded = np.shape(node.args[0])[:1], node.kwargs.get("axis") if node.kwargs else None
        over_rows = rows and rows[0] > 1 and node.rule.kind == "movement" and (folded is None or 0 in np.atleast_1d(folded))
        if not over_rows or not isinstance(x, Product) or x.coefficient == 0 or x.coefficient.denominator % rows[0]:
            return x
        if self.batch is None:
            self.batch = Variable(())
            self.numbers[self.batch] = float(rows[0])
        if self.numbers[self.batch] != rows[0]:
            return x
        return product([*x.factors, (self.batch, -1)], x.coefficient * rows[0])

    def with_one_hot(self, x: Expression) -> Expression:
        """Return x with a variable, Y, for the rows with 1 in the place of each class and else 0.

        What is taken from the place of the class in each row of p is Σ₁ (Y ⊙ p), and what is scattered there from v is Y ⊙ v.
        """
        for part in parts_of(x):
            classes = classes_of(part)
            if not isinstance(part, Call) or classes is None or part in self.one_hot:
                continue
            value, shape = part.args[0], part.args[0].shape if is_call(part, shaping.getitem) else part.shape
            rows = next((rows for rows, known in self.classes.items() if known == classes and rows.shape == shape), Variable(shape))
            if rows not in self.classes:
                self.numbers[rows] = np.eye(shape[-1])[evaluate(classes, self.numbers)]
                self.classes[rows] = classes
            self.one_hot[part] = rows
            if is_call(part, shaping.getitem):
                self.one_hot[part] = call(np.sum, (times(rows, value),), {"axis": 1}, shape[:1])
            elif is_call(part, shaping.scatter):
                self.one_hot[part] = times(rows, call(np.expand_dims, (value, 1), {}, (shape[0], 1)))
        return substitute(x, self.one_hot) if self.one_hot else x

    def read_call(self, node: Node) -> Expression:
        """Read the forward call itself on Symbols."""
        args, shape = self.arguments(node), np.shape(node.value)
        try:
            result = node.rule.function(*args, **node.kwargs)
            if isinstance(result, Symbol) and result.shape == shape:
                return result.expression
        except Exception:  # as for a rule
            pass
        plain = mapped(lambda arg: arg.expression if isinstance(arg, Symbol) else arg, args)
        return Call(node.rule.function, plain, node.kwargs, shape)

    # Writing
    def write(self) -> set[Node]:
        """Write all lines; return the nodes whose gradient needs a name but has none."""
        self.written = self.write_forward()
        self.assumed: dict[Expression, Expression] = {}
        return self.write_backward()

    def atom(self, thing: Any) -> Expression | None:
        """Return the expression that stands for something that has a name; None if it is in no equation."""
        return Constant(self.names.arrays[thing]) if thing in self.names.arrays else self.values.get(thing)

    def find_complements(self) -> dict[Expression, Expression]:
        """Return what to write for constants that the program made as 1 − y, for a y that has a name."""
        named = [x for x in map(self.atom, (*self.names.by_user, self.names.target)) if x is not None and self.is_constant(x)]
        found: dict[Expression, Expression] = {}
        for c in [atom for atom, label in self.labels.items() if label.base == "c" and self.is_constant(atom) and atom not in named]:
            value = evaluate(c, self.numbers)
            y = next((y for y in named if np.array_equal(value, 1 - np.asarray(evaluate(y, self.numbers)))), None)
            if y is not None:
                found[c] = one_minus(y)
        return found

    def find_reused(self) -> set[Node]:
        """Return the nodes whose value is used twice, or needed by a rule."""
        needed: dict[Expression, int] = {}
        for readings in self.readings.values():
            for expression in readings.values():
                occurrences(expression, needed)
        return {node for node in self.order if self.values[node] in needed or len(self.names.users.get(node, ())) > 1}

    def write_forward(self) -> list[Line]:
        """Return the forward equations; what is not shown is written out where it is used."""
        lines, self.shown = [], self.kept.copy()
        self.inline: dict[Expression, Expression] = dict(self.complements)
        self.computed: dict[Expression, Expression] = {}  # what a line has computed → its name
        self.shares: dict[Expression, tuple[int, np.ndarray]] = {}
        merged: dict[Node, int] = {}
        for node in self.order:
            right = substitute(self.calls[node], self.inline)
            written_out = [self.things[atom] for atom in self.operands[node] if isinstance(atom, Variable)]
            merged[node] = 1 + sum([merged.get(operand, 0) for operand in written_out if operand not in self.shown])
            if node not in self.inside_loss and (is_long(right, merged[node]) or (node in self.reused and not is_light(right))):
                self.shown.add(node)
            if node in self.shown:
                lines.append(Line(node, self.values[node], factored(right), "forward"))
                if isinstance(right, Call):
                    self.computed |= computed_by(right, self.values[node])
                if is_call(right, neural.softmax) and right.shape:
                    self.shares |= dict.fromkeys((right, self.values[node]), shares(right))
            else:
                self.inline[self.values[node]] = right
        return lines

    def write_backward(self) -> set[Node]:
        """Sweep over the graph with formulas; return the nodes whose gradient needs a name but has none."""
        lines: list[Line] = []
        missing: set[Node] = set()
        merged: dict[Node, int] = {}
        waiting: dict[Node, list[Expression]] = defaultdict(list, {self.root: [times(Ones(np.shape(self.root.value)))]})
        last_uses = {parent: node for node in reversed(self.order) for parent, _, _ in node.edges if not parent.edges}
        finished: dict[Node, list[Node]] = defaultdict(list)  # the leaves whose last use a node is
        for leaf, node in last_uses.items():
            finished[node].append(leaf)
        pending: list[Node] = []
        for node in reversed(self.order):
            g = self.gradient[node]
            total = side_by_side(sum_of(waiting.pop(node)))
            readings = self.readings[node]
            uses = sum(occurrences(expression).get(g, 0) for expression in readings.values())
            operations = merged.pop(node, 0) + 1
            is_softmax = node.rule.name == "log_softmax" or any(parent in self.names.inside_softmax for parent in readings)
            is_short = is_atomic(total) or (is_softmax and total.size <= 4) or self.is_shorter_inline(node, total)
            if (uses > 1 and not is_short) or is_long(total, operations):
                operations = 0
                lines += self.leaf_lines(pending, waiting)
                lines.append(Line(node, g, factored(total), "delta"))
                total = g
                if node not in self.shown:
                    missing.add(node)
            for parent, contributed in self.contributions(node, total).items():
                merged[parent] = max(merged.get(parent, 0), operations)
                waiting[parent].append(contributed)
            pending += finished[node]
        self.backward = lines + self.leaf_lines(pending or ([self.root] if not self.order else []), waiting)
        return missing

    def contributions(self, node: Node, total: Expression) -> dict[Node, Expression]:
        """Return what a node passes on to each parent, written out and simplified, where its own gradient is ``total``."""
        atoms: list[Any] = [self.values[node], *self.operands[node]]
        written_out = {atom: self.inline[atom] for atom in atoms if atom in self.inline} | {self.gradient[node]: total}
        found = {parent: self.with_one_hot(substitute(x, written_out)) for parent, x in self.readings[node].items()}
        return {parent: self.with_known_sums(self.by_name(simpler(self.with_known_sums(self.by_name(x))))) for parent, x in found.items()}

    def by_name(self, x: Expression) -> Expression:
        """Return x with the names of what the forward lines have computed."""
        known = {part: self.computed[part] for part in parts_of(x) if part in self.computed}
        return substitute(x, known) if known else x

    def is_shorter_inline(self, node: Node, total: Expression) -> bool:
        """Tell whether writing a node's gradient out makes what it passes on no longer than the gradient itself."""
        return sum(x.size for x in self.contributions(node, total).values()) <= total.size

    def leaf_lines(self, pending: list[Node], waiting: dict[Node, list[Expression]]) -> list[Line]:
        """Return the gradients of the leaves whose last use has been swept; none is pending then."""
        leaves = sorted(pending, key=lambda node: node.number)
        pending.clear()
        return [Line(leaf, self.gradient[leaf], factored(sum_of(waiting.pop(leaf))), "gradient") for leaf in leaves]

    def with_known_sums(self, x: Expression) -> Expression:
        """Write a sum over constants and softmaxes that is one whole number everywhere as that number, and remember it."""
        numbers: dict[Expression, Expression] = {part: n for part in parts_of(x) if (n := self.whole_number(part)) is not None}
        self.assumed |= numbers
        products = [part for part in parts_of(x) if isinstance(part, Product)] if self.classes else []
        numbers |= {part: rows for part in products if (rows := self.one_hot_quotient(part)) is not None}
        return substitute(x, numbers) if numbers else x

    def one_hot_quotient(self, x: Product) -> Expression | None:
        """Write Y ⊙ p / Σ₁ (Y ⊙ p) as Y; None for any other product."""
        for total, exponent in x.factors:
            both = total.parts[0] if exponent == -1 and is_call(total, np.sum) else None
            rows = next((rows for rows in self.classes if isinstance(both, Product) and (rows, 1) in both.factors), None)
            if rows is not None and isinstance(both, Product) and set(both.factors) < set(x.factors) and len(total.shape) == 2:
                rest = [factor for factor in x.factors if factor[0] != total and factor not in both.factors]
                return product([(rows, 1), *rest], x.coefficient)
        return None

    def whole_number(self, x: Expression) -> Expression | None:
        """Return the whole number that every entry of a sum is, or None; shares of a softmax add up to 1, whatever they are."""
        if not is_call(x, np.sum):
            return None
        bare = [scalars_apart(term) for term in (x.parts[0].parts if isinstance(x.parts[0], Sum) else x.parts)]
        rests = [rest for _, rest in bare]
        found = {rest: self.shares[rest][1] for rest in rests if rest in self.shares and x.kwargs["axis"] == (self.shares[rest][0],)}
        others = [*[number for number, _ in bare], *[rest for rest in rests if rest not in found]]
        if not all(self.is_constant(atom) for other in others for atom in occurrences(other)):
            return None
        value = np.asarray(evaluate(x, {**self.numbers, **found}))
        if value.size and value.dtype.kind in "biuf" and (value == value.flat[0]).all() and float(value.flat[0]).is_integer():
            return product([(Ones(x.shape), 1)], int(value.flat[0]))
        return None

    def is_constant(self, atom: Expression) -> bool:
        """Tell whether an atom has a value that no gradient flows to."""
        node = self.things.get(atom) if isinstance(atom, Variable) else None
        known = not isinstance(atom, Variable) or atom in self.classes or atom is self.batch
        return known or (node is not None and not node.edges and not node.requires_grad)


def computed_by(x: Call, name: Variable) -> dict[Expression, Expression]:
    """Return what a line computes, with its name: the call on its right; of p = σ(z) also exp(−z) as (1 − p) / p."""
    if x.function is not neural.sigmoid:
        return {x: name}
    inverse = Call(np.exp, (product([(x.parts[0], 1)], -1),), {}, x.shape)
    return {x: name, inverse: product([(one_minus(name), 1), (name, -1)])}


def shares(x: Call) -> tuple[int, np.ndarray]:
    """Return the axis along which a softmax adds up to 1, and an array that does so."""
    axis = dict(zip(("axis",), x.args[1:]), **x.kwargs).get("axis", -1) % len(x.shape)
    return axis, np.indices(x.shape)[axis] == 0


def classes_of(x: Expression) -> Expression | None:
    """Return the classes, if x holds their one-hot rows, or takes from there or scatters to there."""
    classes: Any = x.args[0] if is_call(x, neural.one_hot) else None
    if is_call(x, shaping.scatter, shaping.getitem) and isinstance(x.args[0], Expression):
        shape = x.shape if x.function is shaping.scatter else x.args[0].shape
        rows, *rest = x.args[1] if isinstance(x.args[1], tuple) else (None,)
        in_order = len(shape) == 2 == 1 + len(rest) and np.array_equal(np.asarray(rows, object), np.arange(shape[0]))
        classes = rest[0] if in_order and np.ndim(rest[0]) == 1 else None
    return classes if classes is None or isinstance(classes, Expression) else Constant(np.asarray(classes))


def absorbed(x: Expression, out: Expression, call: Expression) -> Expression:
    """Return x with the call that gave ``out`` in its place, if what stands around it merges with it."""
    if not isinstance(call, Call) or out not in occurrences(x):
        return x
    merged = substitute(x, {out: call})
    return x if call in parts_of(merged) else merged


def is_involved(x: Expression) -> bool:
    """Tell whether a factor is more than a power, a number, or one function of one thing."""
    if isinstance(x, Product):
        return any(map(is_involved, x.parts))
    return isinstance(x, Sum) or is_call(x, *COMPARISONS) or (isinstance(x, Call) and any(part.parts for part in x.parts))


def is_long(x: Expression, operations: int) -> bool:
    """Tell whether an expression, written out over so many operations, is too long to be read."""
    return x.size > LONGEST or x.depth > DEEPEST or (operations > FARTHEST and bool(x.parts))


def is_atomic(x: Expression) -> bool:
    """Tell whether a gradient is so short that it needs no name of its own: a number times one thing at most."""
    if not isinstance(x, Product):
        return not x.parts or (is_call(x, shaping.scatter) and x.parts[0] in (Product(1, ()), Ones(x.parts[0].shape)))
    return all(map(is_atomic, x.parts)) and sum(bool(base.shape) for base, _ in x.factors) <= 1


def is_light(x: Expression) -> bool:
    """Tell whether an expression is so short that it can be written out wherever it is needed."""
    calls = [part for part in parts_of(x) if isinstance(part, (Call, Prime))]
    return x.size <= 3 and all(is_call(part, np.transpose, np.swapaxes, np.exp, np.tanh) or is_slice(part) for part in calls)


def is_slice(x: Expression) -> bool:
    """Tell whether a call takes slices of something that has a name."""
    if not is_call(x, shaping.getitem) or not isinstance(x.parts[0], Variable):
        return False
    return is_basic(x.args[1] if isinstance(x.args[1], tuple) else (x.args[1],))
