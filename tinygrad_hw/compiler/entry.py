"""A plan with all that it takes to run it: where its inputs come from, and what becomes of its results."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import CompileError
from ..graph import Node
from ..tensor import Tensor, handle
from .draws import Draw
from .guards import LOOKUP, Bound, Guard
from .loop import shortened
from .passes import PASSES, apply
from .plan import VIOLATED
from .program import Program
from .source import READABLE, source_of

__all__ = ["CHANGED", "Entry", "Space"]

# Returns the code that reads a variable, given what binds things to names, and whether the quick test comes before it.
Reading = Callable[[Bound, bool], str]
CHANGED = object()  # what a quick call returns if something else than values may have changed


class Space(dict[str, Any]):
    """The things that generated code uses, by name."""

    def bound(self, thing: Any) -> str:
        """Return a name for a thing, under which the code finds it."""
        name = f"k{len(self)}"
        self[name] = thing
        return name

    def made(self, text: str, name: str) -> Any:
        """Return what a definition in the code defines."""
        found: dict[str, Any] = {}
        body = "\n".join(f"    {line}" for line in text.splitlines())
        exec(f"def make({', '.join(self)}):\n{body}\n    return {name}", {}, found)
        return found["make"](*self.values())


class Entry:
    """A plan, what its arguments must look like, and what it reads and writes besides them.

    Attributes
    ----------
    program, plan : what runs.
    shapes : for each argument its type, shape, dtype and strides, if all are arrays or tensors.
    out : the structure of the results.
    readings : the other variables of the plan, in order.
    mirrors : captured tensors that the program writes to, each with the array in which the plan does so.
    draws : the random numbers that are drawn before each run.
    numbers : the numbers that the optimiser remembers, which follow the results: the dicts that hold each, and its key.
    written : the arguments, by number, that the program writes into; their new values follow what the function returns.
    violations : how often the engine decided otherwise than when the program was recorded.
    blanks : the structure of the arguments, and the shape and dtype of each array in them.
    """

    def __init__(self, program: Program, plan: Any, shapes: list[Any] | None, out: Any) -> None:
        self.program, self.plan, self.shapes, self.out = program, plan, shapes, out
        self.run = plan.run
        self.readings: list[Reading] = []
        self.mirrors: list[tuple[Node, np.ndarray]] = []
        self.draws: list[Draw] = []
        self.numbers: list[tuple[list[dict[str, Any]], str]] = []
        self.written: list[int] = []
        self.quick: Callable[..., Any] | None = None
        self.violations = 0
        self.one_result = False  # whether a training step gives its loss and nothing else
        self.readable = program
        self.text: str | None = None
        self.blanks: tuple[Any, list[Any]] = (None, [])
        self._states: list[tuple[np.random.Generator, Any]] = []
        self._read: Callable[[], list[Any]] | None = None

    def source(self, name: str) -> str:
        """Return the program as source text."""
        if self.text is None:
            results = ["the result" if len(self.program.results) - len(self.written) == 1 else "the results"]
            results += ["the new values"] if self.program.updates or self.written else []
            program = shortened(apply(self.readable, tuple(set(PASSES) - READABLE)))
            self.text = source_of(program, name, f"Return {' and '.join(results)}.")
        return self.text

    # Running
    def call(self, values: list[Any]) -> Any:
        """Run the plan on the arguments' values."""
        self.before()
        return self.after(self.run(*values, *self.others()))

    def others(self) -> list[Any]:
        """Return the plan's variables that are no arguments, as they are now."""
        if self._read is None:
            space = Space(contiguous=contiguous)
            self._read = space.made(f"read = lambda: [{', '.join(reading(space.bound, False) for reading in self.readings)}]", "read")
        return self._read()

    def before(self) -> None:
        """Fetch what the program writes to, and remember where the generators are if the run may have to be undone."""
        for node, array in self.mirrors:
            array[...] = node.value
        if self.program.checks:
            self._states = [(draw.generator, draw.generator.bit_generator.state) for draw in self.draws]

    def after(self, out: Any) -> Any:
        """Put new values where they belong, or undo what was drawn."""
        if out is VIOLATED:
            for generator, state in self._states:
                generator.bit_generator.state = state
        else:
            self.give_back()
        return out

    def give_back(self) -> None:
        """Put the new values of captured tensors where they belong."""
        for node, array in self.mirrors:
            handle(node)._replace(array.copy())

    def write(self, parts: list[Any], values: list[Any]) -> None:
        """Put the new values of arguments that the program writes into where the caller sees them; ``parts`` are the arguments' leaves."""
        for i, value in zip(self.written, values):
            if isinstance(parts[i], (np.ndarray, Tensor)):  # (a number has only become the name of another one)
                parts[i][...] = value

    def require_apart(self, parts: list[Any], captured: Iterable[Any]) -> None:
        """Raise if an argument that the program writes into shares its memory with another, or with what is used from outside."""
        arrays = [x._node.value if isinstance(x, Tensor) else x for x in parts]
        for i in self.written:
            others = [*arrays[:i], *arrays[i + 1 :], *captured]
            if any(isinstance(x, np.ndarray) and np.may_share_memory(arrays[i], x) for x in others):
                raise CompileError(
                    "the function writes into an argument that shares its memory with another one, or with an array that it uses from "
                    "outside: give it a copy"
                )

    def make_quick(self, guards: Iterable[Guard]) -> None:
        """Write the tests of all that the plan relies on as one function, which then runs it."""
        if self.shapes is None or self.written:
            return
        space = Space(
            ndarray=np.ndarray, Tensor=Tensor, array=np.array, is_=operator.is_, run=self.run, CHANGED=CHANGED, LOOKUP=LOOKUP,
            before=self.before, after=self.after,
        )  # fmt: skip
        tests, given = [], []
        for i, (kind, shape, dtype, strides, as_it_is) in enumerate(self.shapes):
            v = f"x{i}"
            if kind is Tensor:
                v = f"v{i}"
                tests += [f"type(x{i}) is Tensor", f"not x{i}._node.requires_grad", f"type({v} := x{i}._node.value) is ndarray"]
            else:
                tests.append(f"type({v}) is ndarray")
            tests += [f"{v}.shape == {shape}", f"{v}.dtype is {space.bound(dtype)}", f"{v}.strides == {strides}"]
            given.append(v if as_it_is else f"array({v})")
        tests += [guard.code(space.bound) for guard in guards]
        given += [reading(space.bound, True) for reading in self.readings]
        run = f"run({', '.join(given)})"
        lines = [f"def quick({', '.join(f'x{i}' for i, _ in enumerate(self.shapes))}):", "    try:"]
        lines += [f"        if not ({' and '.join(tests) or 'True'}): return CHANGED", "    except LOOKUP:", "        return CHANGED"]
        lines += ["    before()", f"    return after({run})"] if self.mirrors or self.draws else [f"    return {run}"]
        self.quick = space.made("\n".join(lines), "quick")


def contiguous(x: np.ndarray) -> np.ndarray:
    """Return the array, or a copy where its entries do not lie together, as a Tensor's do."""
    return x if x.flags.forc else np.array(x)
