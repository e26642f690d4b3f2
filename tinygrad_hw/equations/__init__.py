"""Equations: a recorded graph, forward and backward, as numbered equations.

``explain(loss)`` reads the package's own rules on Symbols (see ``symbols``), so what it prints is the calculus that
``backward`` computes: for a network, its delta equations. ``.check()`` computes every printed line with NumPy again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..backward import Step, sweep
from ..errors import GradientError
from ..graph import Node
from ..naming import Label, label_of
from ..tensor import Tensor, cotangent, why_no_gradient
from ..trees import leaves
from .beside import Beside
from .derivation import Derivation, Line, contribution, is_array
from .expressions import Call, Constant, Expression, Opaque, Variable, evaluate, magnitude, occurrences, parts_of
from .notes import notes, sentences
from .reading import Reader
from .symbols import Symbol
from .writers import Bar, Gradient, Latex, MathML, Side, Space, Text, Words, is_along_channels

__all__ = ["Beside", "Checked", "Equation", "Equations", "Formula", "Gradient", "Side", "explain", "formula", "replay"]


RESULT = Label("out")


class Formula:
    """A formula in text, LaTeX and MathML.

    Attributes
    ----------
    text, latex, mathml : the formula, set in each way; MathML as a ``math`` element.
    """

    def __init__(self, labels: Mapping[Expression, Label], *sides: Side, relation: str = "=") -> None:
        self._labels, self._sides, self._relation = labels, sides, relation

    text = property(lambda self: Text(self._labels).equation(*self._sides, relation=self._relation))
    latex = property(lambda self: Latex(self._labels).equation(*self._sides, relation=self._relation))
    mathml = property(lambda self: MathML(self._labels).equation(*self._sides, relation=self._relation))

    def __str__(self) -> str:
        return self.text


class Equation(Formula):
    """One numbered line.

    Attributes
    ----------
    number : counted from 1, forward first.
    line : the node it is about, the tree of its right-hand side (which ``check`` computes), and its kind: "forward", "delta"
        (a gradient with a name) or "gradient" (of a leaf).
    """

    def __init__(self, number: int, line: Line, labels: Mapping[Expression, Label], *sides: Side) -> None:
        super().__init__(labels, *sides)
        self.number, self.line = number, line


@dataclass(frozen=True)
class Checked:
    """What ``check`` found.

    Attributes
    ----------
    verified : the numbers of the lines that agree with the engine.
    unverified : number of a line → why nothing can be said of it, or of which part of it.
    wrong : number of a line → what is wrong with it.
    error : the largest difference seen, relative to the largest entry.
    as_printed : the numbers of those verified lines whose text alone, read again as a reader would, gives the same.
    """

    verified: tuple[int, ...]
    unverified: dict[int, str]
    wrong: dict[int, str]
    error: float
    as_printed: tuple[int, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.verified)} lines agree with the engine (largest relative difference {self.error:.1e})"]
        lines += [f"{len(self.as_printed)} of them were read again from their text"] if len(self.as_printed) < len(self.verified) else []
        lines += [f"  ({k}) not verified: {why}" for k, why in self.unverified.items()]
        lines += [f"  ({k}) wrong: {why}" for k, why in self.wrong.items()]
        return "\n".join(lines)


class Equations:
    """The equations of a graph; made by ``explain``, shown by Jupyter as they are.

    Attributes
    ----------
    forward, backward : the numbered lines, each an ``Equation``.
    notes : what the symbols stand for (δ, σ′, N, ...), each a ``Formula``.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, explain
    >>> x = Tensor(2.0, requires_grad=True, name="x")
    >>> equations = explain(x**2)
    >>> print(equations.backward[-1])
    ∂L/∂x = 2 x
    >>> "align*" in equations.latex(), "<math" in equations.mathml()
    (True, True)
    >>> equations.check().unverified
    {}
    >>> [float(value) for equation, value in equations.computed()]
    [4.0, 4.0]
    """

    def __init__(self, derivation: Derivation, shapes: bool) -> None:
        self._derivation = derivation
        self._labels = labels = labels_of(derivation)
        lines = enumerate([*derivation.written, *derivation.backward], 1)
        equations = [Equation(k, line, labels, *self._sides(line, shapes)) for k, line in lines]
        self.forward = tuple([e for e in equations if e.line.kind == "forward"])
        self.backward = tuple([e for e in equations if e.line.kind != "forward"])
        self.notes = tuple([Formula(labels, *sides) for sides in notes(derivation, labels, shapes)])
        printed = [e.text for e in (*equations, *self.notes)]
        self.notes += tuple([Formula(labels, Words(sentence)) for sentence in sentences(printed, derivation)])

    def _sides(self, line: Line, shapes: bool) -> tuple[Side, ...]:
        """Return what stands on the sides of a line."""
        names = self._derivation.names.labels
        left: Side = Gradient(names[self._derivation.root], names[line.node]) if line.kind == "gradient" else line.variable
        return (left, line.right, Space(line.variable.shape)) if shapes else (left, line.right)

    def __str__(self) -> str:
        width = len(str(len(self.forward) + len(self.backward)))
        out = []
        for title, equations in (("Forward", self.forward), ("Backward", self.backward)):
            out += [title, *[f"  {f'({e.number})':>{width + 2}}  {e.text}" for e in equations], ""] if equations else []
        if self.notes:
            out += ["where", *[f"  {note.text}" for note in self.notes], ""]
        return "\n".join(out[:-1])

    def __repr__(self) -> str:
        return f"<Equations: {len(self.forward)} forward, {len(self.backward)} backward>"

    def latex(self) -> str:
        """Return one ``align*`` environment, a line for each equation, tagged with its number."""
        lines = [f"{aligned(e.latex)} \\tag{{{e.number}}}" for e in (*self.forward, *self.backward)]
        lines += [aligned(note.latex) for note in self.notes]
        return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"

    def mathml(self) -> str:
        """Return a ``section`` of HTML that is well-formed XML, the equations as numbered ``math`` elements."""
        out = []
        for title, equations in (("Forward", self.forward), ("Backward", self.backward)):
            items = "".join([f"<li value='{e.number}'>{e.mathml}</li>" for e in equations])
            out.append(f"<h3>{title}</h3><ol>{items}</ol>" if equations else "")
        items = "".join([f"<li>{note.mathml}</li>" for note in self.notes])
        out.append(f"<h3>where</h3><ul>{items}</ul>" if items else "")
        return f"<section class='equations'>{''.join(out)}</section>"

    def beside(self, source: str) -> Beside:
        """Return a program of the same computation with each line beside the equation of what it computes.

        Parameters
        ----------
        source : str
            A program that names its values as ``step.source`` does: ``z1``, ``delta2``, ``dW2``.

        Returns
        -------
        Beside
            Its ``rows`` are pairs of a line and an equation, or None; ``str()`` and ``.html()`` write them, and Jupyter shows a table.

        Examples
        --------
        >>> import tinygrad_hw as tg
        >>> x = tg.Tensor([1.0, 2.0], requires_grad=True, name="x")
        >>> print(tg.explain((x * x).sum()).beside("dx = 2 * x"))
        dx = 2 * x  # (2)  ∂L/∂x = 2 x
        <BLANKLINE>
        """
        equations = {}
        for equation in (*self.forward, *self.backward):
            line, is_gradient = equation.line, equation.line.kind == "gradient"
            label = self._derivation.names.labels[line.node] if is_gradient else self._labels[line.variable]
            equations[("d" if is_gradient else "", label.plain)] = equation
        return Beside(source, equations)

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": str(self), "text/latex": self.latex(), "text/html": self.mathml()}

    def computed(self) -> list[tuple[Equation, np.ndarray]]:
        """Compute every line with NumPy from the leaves' arrays alone, each from what is printed before it.

        Returns
        -------
        list of (Equation, ndarray)
        """
        values: dict[Expression, Any] = dict(self._derivation.numbers)
        with np.errstate(all="ignore"):
            for equation in (*self.forward, *self.backward):
                line = equation.line
                values[line.variable] = np.broadcast_to(np.asarray(evaluate(line.right, values)), line.variable.shape)
        return [(equation, values[equation.line.variable]) for equation in (*self.forward, *self.backward)]

    def _read_again(self, line: Line, values: Mapping[Expression, Any], expected: np.ndarray) -> bool | None:
        """Tell whether the text of a line, read again, gives the expected value; None if it cannot be read.

        The text does not tell whether an axis that is added up stays, with length 1: either will do.
        """
        text = Text(self._labels)
        calls = [part for part in parts_of(line.right) if isinstance(part, Call)]
        names = {text.label(self._labels[atom]): evaluate(atom, values) for atom in occurrences(line.right) if atom in self._labels}
        names |= {text.write(part): evaluate(part, values) for part in calls if is_along_channels(part)}
        names |= {text.label(self._labels[index]): index.value for index in indices_in(calls) if index in self._labels}
        calls += [part for _, rule in self._derivation.definitions.values() for part in parts_of(rule) if isinstance(part, Call)]
        functions = {text.function(part.function): part.function for part in calls}
        primes = {
            text.function(f): lambda z, prime=prime, rule=rule: evaluate(rule, {prime.parts[0]: z})
            for f, (prime, rule) in self._derivation.definitions.items()
        }
        size, readable = np.asarray(magnitude(line.right, values)), False
        for kept in (True, False):
            try:
                value = np.asarray(Reader(names, functions, primes, kept).read(text.write(line.right)))
                value = value.reshape(expected.shape) if value.size == expected.size else np.broadcast_to(value, expected.shape)
            except Exception:  # whatever is left out of a text may be missed in any way
                continue
            readable = True
            if difference(value, expected, size)[0] <= tolerance(expected.dtype):
                return True
        return False if readable else None

    def check(self) -> Checked:
        """Compute every line with NumPy, from what is printed, and compare it with the engine.

        Each right-hand side is evaluated from its tree, and then read again from its text, with the leaves' arrays and the values of
        the lines before it; forward lines are compared with the recorded values, gradients with those that ``backward`` computes.

        Returns
        -------
        Checked
            Which lines agree, and which could not be verified: those that use ``vjp[op]``, the engine's own numbers, and entries
            that are not finite where plain NumPy computes them.

        Raises
        ------
        GradientError
            If a line disagrees; the message says which, and by how much.
        """
        engine = gradients(self._derivation)
        values: dict[Expression, Any] = dict(self._derivation.numbers)
        verified, as_printed, unverified, wrong, largest = [], [], {}, {}, 0.0
        with np.errstate(all="ignore"):
            for equation in (*self.forward, *self.backward):
                line = equation.line
                expected = np.asarray(line.node.value if line.kind == "forward" else engine[line.node])
                printed = np.broadcast_to(np.asarray(evaluate(line.right, values)), line.variable.shape)
                error, comparable = difference(printed, expected, np.asarray(magnitude(line.right, values)))
                opaque = [part for part in parts_of(line.right) if isinstance(part, Opaque)]
                values[line.variable] = expected
                if error > tolerance(expected.dtype):
                    wrong[equation.number] = f"{equation.text} is off by {error:.1e}, relative to the largest entry"
                elif opaque:
                    unverified[equation.number] = "; ".join(f"vjp[{part.name}] is the engine's own ({part.reason})" for part in opaque)
                elif not comparable.all():
                    unverified[equation.number] = f"{(~comparable).sum()} of {comparable.size} entries are not finite"
                elif (again := self._read_again(line, values, expected)) is False:
                    unverified[equation.number] = "its text, read again, says something else"
                else:
                    verified.append(equation.number)
                    as_printed += [equation.number] if again else []
                    largest = max(largest, error)
        checked = Checked(tuple(verified), unverified, wrong, largest, tuple(as_printed))
        if wrong:
            raise GradientError(f"equations that the engine contradicts:\n{checked}")
        return checked


def explain(
    loss: Tensor, *, names: Mapping[str, Any] | None = None, derivative: Literal["prime", "expanded"] = "prime", shapes: bool = False
) -> Equations:
    """Write the graph of a loss as equations: the forward pass, and every gradient as ``backward`` computes it.

    Parameters
    ----------
    loss : Tensor
        One number that requires a gradient.
    names : mapping, optional
        What the values are called, by tensor or array: ``names=locals()``. A tensor's own ``name`` goes first; what has
        no name gets its role's (W₁, z₁, a₁, ŷ, y, L) or its operation's.
    derivative : {"prime", "expanded"}
        Whether the derivative of an entry-by-entry function is written σ′(z), or written out, a ⊙ (1 − a).
    shapes : bool
        Whether each line says the shape of its value.

    Returns
    -------
    Equations
        ``str()``, ``.latex()``, ``.mathml()``, ``.check()``.

    Raises
    ------
    TypeError
        If the loss is not a Tensor.
    ValueError
        If ``derivative`` is neither "prime" nor "expanded".
    GradientError
        If the loss requires no gradient, or is more than one number.

    Notes
    -----
    ⊙ multiplies entry by entry, Σ₀ sums over axis 0, [a > b] is 1 where it is true and else 0 (Iverson's bracket), 𝟏 is an
    array of ones; N is the number of rows that a mean divides by. An axis that was summed or averaged over stays, with length 1,
    where the result stands beside what still has it. A rule that looks at values cannot be written as a formula and is printed as
    ``vjp[op](…)``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import Tensor, explain
    >>> rng = np.random.default_rng(0)
    >>> W, b = (Tensor(rng.normal(size=shape), requires_grad=True) for shape in ((2, 1), 1))
    >>> x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    >>> equations = explain(((x @ W + b - y) ** 2).mean() / 2)
    >>> [str(equation) for equation in equations.backward]
    ['δ₁ = (ŷ − y) / N', '∂L/∂W = xᵀ δ₁', '∂L/∂b = Σ₀ δ₁']
    >>> equations.check().unverified
    {}
    """
    if derivative not in ("prime", "expanded"):
        raise ValueError(f"derivative={derivative!r}: give 'prime' or 'expanded'")
    if not isinstance(loss, Tensor):
        raise TypeError(f"explain takes a Tensor, not {type(loss).__name__}")
    if not loss.requires_grad:
        raise GradientError(why_no_gradient(loss))
    cotangent(loss, None)
    return Equations(Derivation(loss._node, names, derivative == "prime"), shapes)


def formula(
    node: Node,
    i: int,
    names: Mapping[int, Label] | None = None,
    out: Label = RESULT,
    target: Side | None = None,
    adds: bool = True,
) -> Formula:
    """Write one rule of a node as a formula: ``x̄ += g ⊙ y``, where ``g`` is the cotangent that arrives at the node.

    Parameters
    ----------
    node : graph.Node
        A recorded result.
    i : int
        The place among ``node.args`` of an argument that a gradient flows to.
    names : mapping of int to Label, optional
        What the arguments are called, by their places; by default as the rule calls them.
    out : Label
        What the result is called.
    target : Side, optional
        What the argument's cotangent is called; by default its name with a bar.
    adds : bool
        Whether the contribution is added to others.
    """
    edge = next(edge for edge in node.edges if edge[2] == i)
    words = names or dict(enumerate(argument_names(edge[1], len(node.args))))
    g, result = Variable(np.shape(node.value)), Variable(np.shape(node.value))
    labels: dict[Expression, Label] = {g: Label("g"), result: out}
    args: list[Any] = []
    tensors = {j for _, _, j in node.edges} | set(node.inputs)
    for j, arg in enumerate(node.args):
        if j in names if names else j in tensors or (is_array(arg) and arg.dtype.kind == "f"):
            symbol = Symbol(Variable(np.shape(arg)), np.asarray(arg).dtype)
            labels[symbol.expression] = words[j]
            args.append(symbol)
        else:
            args.append(arg)
    right = contribution(edge, g, result, tuple(args), node)
    return Formula(labels, target or Bar(words[i]), right, relation="+=" if adds else "=")


def argument_names(vjp: Any, count: int) -> list[Label]:
    """Return what a rule calls the arguments of its function."""
    names: list[str] = []
    for parameter in list(inspect.signature(vjp).parameters.values())[2:]:
        several = parameter.kind is parameter.VAR_POSITIONAL
        names += [f"{parameter.name}{k}" for k in range(1, count + 1)] if several else [parameter.name]
    return [label_of(name) for name in names[:count]]


def labels_of(derivation: Derivation) -> dict[Expression, Label]:
    """Return the label of everything that has one: values, constants, gradients, N."""
    names, labels = derivation.names, dict(derivation.labels)
    for line in derivation.backward:
        if line.kind == "delta":
            labels[line.variable] = names.reserve(names.cotangent(line.node))
    labels |= {variable: names.reserve(Label("Y")) for variable in derivation.classes}
    if derivation.batch is not None:
        labels[derivation.batch] = names.reserve(Label("N"))
    return labels | {prime.parts[0]: Label("z") for prime, _ in derivation.definitions.values()}


def indices_in(calls: list[Call]) -> list[Constant]:
    """Return the arrays that calls are indexed with."""
    return [Constant(leaf) for call in calls for leaf in leaves(call.args) if isinstance(leaf, np.ndarray)]


def replay(seeds: Mapping[Node, Any]) -> tuple[list[Step], dict[Node, Any]]:
    """Sweep again; return the sweep's steps in order, and the complete cotangent of every node that it reached."""
    trail: list[Step] = []
    with np.errstate(all="ignore"):
        cotangents = sweep(dict(seeds), trail=trail)
    return trail, {step.node: step.g for step in trail} | cotangents


def gradients(derivation: Derivation) -> dict[Node, Any]:
    """Return the engine's gradient of every node that a line is about."""
    return replay({derivation.root: np.ones_like(derivation.root.value)})[1]


def difference(printed: np.ndarray, expected: np.ndarray, size: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the largest difference, relative to the size of what was added up, and which entries are finite in both."""
    comparable = np.isfinite(printed) & np.isfinite(expected)
    if not comparable.any():
        return 0.0, comparable
    sizes = np.abs(np.concatenate([np.ravel(expected), np.ravel(size)]))
    scale = float(sizes[np.isfinite(sizes)].max(initial=0))
    error = float(np.abs(printed - expected)[comparable].max())
    return (error / scale if scale else error), comparable


def tolerance(dtype: np.dtype) -> float:
    """Return how much two orders of the same arithmetic may differ."""
    return float(np.finfo(dtype).eps ** 0.6) if dtype.kind in "fc" else 1e-9


def aligned(line: str) -> str:
    """Return a line of LaTeX that lines up at its relation."""
    return line.replace(" = ", " &= ", 1)
