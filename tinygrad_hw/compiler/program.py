"""A recorded computation as data: what goes in, the calls in order, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import CompileError
from ..trees import content
from .trace import Op, replaced, substitution

__all__ = ["Program", "compare", "error_of"]


@dataclass
class Program:
    """Calls in an order in which each comes after what it uses.

    Attributes
    ----------
    inputs : the ops that nothing computes.
    ops : the calls.
    results : what the function returned, an op or a constant each.
    updates : for an input that changes from run to run (a parameter, the optimiser's memory), its new value.
    checks : the engine's own decisions by a value, with the outcome for which the program holds.
    gradients : of a parameter's op, the op or constant that is its gradient.
    """

    inputs: list[Op]
    ops: list[Op]
    results: list[Any]
    updates: list[tuple[Op, Any]] = field(default_factory=list)
    checks: list[tuple[Any, bool]] = field(default_factory=list)
    gradients: dict[Op, Any] = field(default_factory=dict)

    def wanted(self) -> list[Any]:
        """Return what must be there at the end."""
        return [*self.results, *(new for _, new in self.updates), *(op for op, _ in self.checks)]

    def users(self) -> dict[Op, list[Op]]:
        """Return for each op the ops that take it."""
        users: dict[Op, list[Op]] = {op: [] for op in (*self.inputs, *self.ops)}
        for op in self.ops:
            for x in op.uses:
                users[x].append(op)
        return users

    def copied(self) -> Program:
        """Return the same program made of other ops."""
        twins: dict[Op, Any] = {op: op for op in self.inputs}

        def twin(tree: Any) -> Any:
            return replaced(tree, Op, twins.__getitem__)

        for op in self.ops:
            twins[op] = op.again(twin)
        return self.made_of([twins[op] for op in self.ops], twin)

    def rewritten(self, rule: Callable[[Op], Any]) -> Program:
        """Return the program with each call replaced by what the rule makes of it: itself, another op, several, or a constant.

        The rule sees a call whose arguments are already replaced, and may change it. If the rule returns a list,
        later ops use the last one in place of the call.
        """
        replacements: dict[Op, Any] = {}
        ops: list[Op] = []
        written: set[Op] = set(self.inputs)
        renew = substitution(replacements)
        for op in self.ops:
            if any(x in replacements for x in op.uses):
                op.args, op.kwargs = renew((op.args, op.kwargs))
            made = rule(op)
            if made is op:
                written.add(op)
                ops.append(op)
                continue
            for part in made if isinstance(made, list) else [made]:
                if isinstance(part, Op) and part not in written:
                    written.add(part)
                    part.place, part.errstate, part.stage = part.place or op.place, part.errstate or op.errstate, op.stage
                    ops.append(part)
            result = made[-1] if isinstance(made, list) else made
            if result is not op:
                replacements[op] = result
                if isinstance(result, Op) and result.function is not None:
                    result.name, result.hint = result.name or op.name, result.hint or op.hint
        return self.made_of(ops, renew)

    def made_of(self, ops: list[Op], renew: Callable[[Any], Any]) -> Program:
        """Return a program of other calls; ``renew`` replaces an op, or those in a list."""
        return replace(
            self,
            ops=ops,
            results=renew(self.results),
            updates=[(old, renew(new)) for old, new in self.updates],
            checks=[(renew(op), outcome) for op, outcome in self.checks],
            gradients={p: renew(g) for p, g in self.gradients.items()},
        )


DIFFERS = (
    "recorded a second time with the same arguments, the code did something else here. Random numbers, counters and the like "
    "would be frozen as they were: make them outside, and give them as arguments"
)


def compare(first: Program, second: Program) -> None:
    """Raise if two recordings of one function with the same arguments differ."""
    twin: dict[Op, Op] = dict(zip(first.inputs, second.inputs))
    for a, b in zip(first.ops, second.ops):
        if a.function != b.function or not alike(a.args, b.args, twin) or not alike(a.kwargs, b.kwargs, twin):
            raise error_of(a, DIFFERS)
        twin[a] = b
    if len(first.ops) != len(second.ops):
        raise error_of(max(first.ops, second.ops, key=len)[-1], DIFFERS)
    if not alike(first.results, second.results, twin) or not alike(first.updates, second.updates, twin):
        raise CompileError("the function returned something else when it was recorded a second time with the same arguments")


def same(x: Any, y: Any) -> bool:
    return x is y or content(x) == content(y)


def alike(x: Any, y: Any, twin: dict[Op, Op], same: Callable[[Any, Any], bool] = same) -> bool:
    """Tell whether two trees of arguments are the same, where each op has its twin; ``same`` compares two constants."""
    if type(x) is Op:
        return twin.get(x, x) is y
    if type(x) is not type(y):
        return False
    if isinstance(x, (tuple, list)):
        return len(x) == len(y) and all(alike(a, b, twin, same) for a, b in zip(x, y))
    if isinstance(x, dict):
        return [*x] == [*y] and all(alike(x[key], y[key], twin, same) for key in x)
    if isinstance(x, slice):
        return alike((x.start, x.stop, x.step), (y.start, y.stop, y.step), twin, same)
    return same(x, y)


def error_of(op: Op, why: str) -> CompileError:
    """Return the error for a call, with the line that it stands on."""
    return CompileError(f"{op.place[0]}, line {op.place[1]}: {why}" if op.place else why)
