"""A plan with all that it takes to run it: where its inputs come from, and what becomes of its results."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..errors import CompileError
from ..graph import Node
from ..tensor import Tensor, handle, require_numbers
from ..trees import leaves, rebuilt
from .guards import LOOKUP, Bound, Guard
from .loop import shortened
from .passes import PASSES, apply
from .plan import VIOLATED
from .record import Recorded
from .sizes import Blank
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
    plan, program : what runs, and the program that it was made from.
    readable : the program as it was recorded.
    shapes : for each argument its type, shape, dtype, strides and whether its entries lie together, if all are arrays or tensors.
    blanks : the arguments, with the shape and dtype of each array in its place.
    out : the structure of the results.
    draws : the random numbers that are drawn before each run.
    written : the arguments, by number, that the program writes into; their new values follow what the function returns.
    numbers : of the numbers that the optimiser remembers, whose new values follow the results, the number of a parameter and the key.
    one_result : whether a call returns what the plan returns, as it is.
    readings : the other variables of the plan, in order.
    mirrors : captured tensors that the program writes to, each with the array in which the plan does so.
    quick : the test of all that the plan relies on, which then runs it; None if that is not possible.
    violations : how often the engine decided otherwise than when the program was recorded.
    """

    def __init__(self, plan: Any, recorded: Recorded, args: tuple[Any, ...]) -> None:
        self.plan, self.program, self.readable = plan, plan.program, recorded.program
        self.run = plan.run
        arrays = [value_of(x) for x in args]
        plain = all(type(x) is np.ndarray for x in arrays) and all(type(x) in (np.ndarray, Tensor) for x in args)
        forms = [(type(arg), x.shape, x.dtype, x.strides, x.flags.forc) for arg, x in zip(args, arrays)] if plain else None
        self.shapes: Any = forms
        self.blanks = rebuilt(args, map(blank_of, leaves(args)))
        self.out, self.draws, self.written = recorded.out, recorded.draws, recorded.written
        self.numbers: list[tuple[int, str]] = [op.role[1:] for op, _ in self.program.updates if op.role[0] == "number"]
        self.one_result = False
        self.readings: list[Reading] = []
        self.mirrors: list[tuple[Node, np.ndarray]] = []
        self.quick: Callable[..., Any] | None = None
        self.violations = 0
        self._states: list[tuple[np.random.Generator, Any]] = []
        self._read: Callable[[], list[Any]] | None = None

    def source(self, name: str) -> str:
        results = ["the result" if len(self.program.results) - len(self.written) == 1 else "the results"]
        results += ["the new values"] if self.program.updates or self.written else []
        program = shortened(apply(self.readable, tuple(set(PASSES) - READABLE)))
        return source_of(program, name, f"Return {' and '.join(results)}.")

    # Running
    def call(self, values: list[Any]) -> Any:
        """Run the plan on the values of the arguments."""
        self.before()
        return self.after(self.run(*values, *self.others()))

    def others(self) -> list[Any]:
        """Return the current values of the plan's variables that are not arguments."""
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

    def make_quick(self, guards: Iterable[Guard] | None) -> None:
        """Write the tests of all that the plan relies on as one function, which then runs it; without guards it cannot be used."""
        self.quick = None
        if self.shapes is None or self.written or guards is None:
            return
        space = Space(
            ndarray=np.ndarray, Tensor=Tensor, array=np.array, is_=operator.is_, run=self.run, CHANGED=CHANGED, LOOKUP=LOOKUP,
            before=self.before, after=self.after,
        )  # fmt: skip
        tests, given = [], []
        for i, (kind, shape, dtype, strides, together) in enumerate(self.shapes):
            v = f"x{i}"
            if kind is Tensor:
                v = f"v{i}"
                tests += [f"type(x{i}) is Tensor", f"not x{i}._node.requires_grad", f"type({v} := x{i}._node.value) is ndarray"]
            else:
                tests.append(f"type({v}) is ndarray")
            tests += [f"{v}.shape == {shape}", f"{v}.dtype is {space.bound(dtype)}", f"{v}.strides == {strides}"]
            given.append(v if together else f"array({v})")
        tests += [guard.code(space.bound) for guard in guards]
        given += [reading(space.bound, True) for reading in self.readings]
        run = f"run({', '.join(given)})"
        lines = [f"def quick({', '.join(f'x{i}' for i, _ in enumerate(self.shapes))}):", "    try:"]
        lines += [f"        if not ({' and '.join(tests) or 'True'}): return CHANGED", "    except LOOKUP:", "        return CHANGED"]
        lines += ["    before()", f"    return after({run})"] if self.mirrors or self.draws else [f"    return {run}"]
        self.quick = space.made("\n".join(lines), "quick")


def value_of(x: Any) -> Any:
    """Return what a tensor holds, and anything else as it is."""
    return x._node.value if isinstance(x, Tensor) else require_numbers(x) if isinstance(x, np.ma.MaskedArray) else x


def blank_of(x: Any) -> Any:
    """Return the shape and dtype of an argument; what is not an array as it is."""
    x = value_of(x)
    return Blank(x.shape, x.dtype) if isinstance(x, np.ndarray) else x


def contiguous(x: np.ndarray) -> np.ndarray:
    """Return the array, or a copy where its entries do not lie together, as a Tensor's do."""
    return x if x.flags.forc else np.array(x)
