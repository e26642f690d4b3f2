"""Give the edits that mended a program the names of mistakes: by what the expressions were before and after, as the engine calls it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from ...equations import Equation
from .edits import Edit, axis_of, factors_of, is_name, path_to, product_of
from .lines import Matched
from .mistakes import Blame, Mistake, factor_mistake, kind_of
from .quantities import Engine, match_of, matches_of, ratio_of
from .repair import Mended
from .watch import Source
from .words import MISTAKES

__all__ = ["blame_of"]

SCALING = ("factor", "surplus", "number", "ratio", "sign", "sum", "mean", "name", "value", "term sign", "moved")
IN_A_DERIVATIVE = ("surplus", "number", "factor", "term sign", "value")  # where these are, the derivative is wrong
unparse = ast.unparse


class Naming:
    """Names one edit.

    Attributes
    ----------
    path : the expressions of the statement in which the edit is, from the outermost one to the place of the edit.
    outer : the outermost of them that has a value.
    """

    def __init__(self, mended: Mended, engine: Engine) -> None:
        self.mended, self.edit, self.engine = mended, mended.edit, engine
        self.path = list(path_to(self.edit))
        self.outer = next((node for node in self.path if self.after(node)), None)

    def mistake(self) -> Mistake:
        kind, old, new = self.edit.kind, self.edit.old, self.edit.new
        ratio = self.edit.factor or self.ratio()
        if kind in SCALING and ratio is not None:
            return factor_mistake(ratio, self.engine.counts)
        if kind in IN_A_DERIVATIVE and self.is_derivative():
            around = (self.symbol(first(self.after(node))) for node in self.path)
            return Mistake("wrong derivative", next((text for text in around if "′" in text), unparse(self.path[0])))
        if kind in CALLED:
            return CALLED[kind](self, old, new)
        special = getattr(self, f"of_{kind.replace(' ', '_')}", None)
        if special is not None:
            return special(old, new)
        return Mistake(kind if kind in MISTAKES["en"] else "other value", self.right(new), self.wrong(old))

    def before(self, node: Any) -> list[Any]:
        return self.mended.before.get(node, [])

    def after(self, node: Any) -> list[Any]:
        return self.mended.after.get(node, [])

    def pairs(self, node: Any) -> list[tuple[Any, Any]]:
        """Return the values of an expression before and after, where they differ."""
        before = self.before(self.edit.old if node is self.edit.new else node)
        return [(x, y) for x, y in zip(before, self.after(node)) if not np.array_equal(x, y)]

    def ratio(self) -> float | None:
        """Return by what factor the whole line was wrong, if it was by a factor."""
        if isinstance(self.edit.old, ast.AugAssign):
            is_part = isinstance(self.edit.old.target, ast.Subscript) and isinstance(self.edit.old.target.slice, ast.Tuple)
            return -1.0 if self.edit.kind == "sign" and not is_part else None
        return next((ratio_of(x, y, 1e-6) for x, y in self.pairs(self.outer) if np.size(x) == np.size(y) and np.any(y)), None)

    def is_derivative(self) -> bool:
        """Return whether the edit is in what computes a derivative."""
        found = [value for node in self.path for value in self.after(node)[:1]]
        matches = [match_of(value, slope, (), (), exactness(value)) for value in found for _, slope, _ in self.engine.slopes]
        return any(match is not None and match[0] == 1 for match in matches)

    def symbol(self, value: Any) -> str:
        """Return how an array is written that the engine knows; empty for any other value."""
        if value is None or not np.ndim(value) or np.asarray(value).dtype.kind not in "fiub":
            return ""
        match = first(matches_of(np.asarray(value, float), self.engine.quantities, self.engine.counts, (), exactness(value)))
        return "" if match is None else match.quantity.text + ("ᵀ" if match.form == "transposed" else "")

    def written(self, value: Any, node: Any) -> str:
        """Return what the engine calls a value; the code's own text where that is nothing known."""
        if symbol := self.symbol(value):
            return symbol
        is_in = lambda slope: np.shape(value) == () and np.isclose(slope, value or np.nan, 1e-7, 0).any()
        shown = unparse(node) if isinstance(node, ast.AST) else ""
        return next((text for _, slope, text in self.engine.slopes if is_in(slope)), "" if "__grade" in shown else shown)

    def right(self, node: Any) -> str:
        """Return an expression as it should be."""
        return self.written(first(self.after(node)), node)

    def wrong(self, node: Any) -> str:
        """Return an expression as it was."""
        return self.written(first(self.before(node)), node)

    def of_name(self, old: Any, new: Any) -> Mistake:
        if self.before(old) and not self.pairs(new):  # it differs in a later step alone
            return Mistake("stale", self.right(new))
        names = [{unparse(x): x for x in ast.walk(node) if is_name(x)} for node in (old, new)]
        swapped = [[x for text, x in these.items() if text not in those] for these, those in (names, names[::-1])]
        if not is_name(new) and all(swapped):  # one name for another throughout
            right, wrong = self.right(swapped[1][0]), self.wrong(swapped[0][0])
        else:
            before, after = next(iter(self.pairs(new)), (None, None))
            right, wrong = self.written(after, new), self.written(before, old)
        kind = "argument of the derivative" if self.is_derivative() else kind_of(self.engine.writer, right, wrong)
        return Mistake(kind, right, wrong)

    def of_places(self, old: Any, new: Any) -> Mistake:
        right, wrong = self.right(new), self.wrong(old)
        return Mistake(kind_of(self.engine.writer, right, wrong), right, wrong)

    def of_value(self, old: Any, new: Any) -> Mistake:
        before, after = next(iter(self.pairs(new)), (np.nan, np.nan))
        term = self.symbol(np.asarray(after) - before) if np.shape(before) == np.shape(after) != () else ""
        return Mistake("term missing", term) if term else self.of_name(old, new) if self.symbol(before) else Mistake("unknown")

    def of_wrong_derivative(self, old: Any, new: Any) -> Mistake:
        is_product = isinstance(new, ast.BinOp) and not self.symbol(first(self.after(new)))
        return Mistake("wrong derivative", self.right(new.right if is_product else new))

    def of_surplus(self, old: Any, new: Any) -> Mistake:
        kept = [unparse(part) for part in factors_of(new)]
        parts = old.args if isinstance(old, ast.Call) and len(old.args) > 1 else factors_of(old)
        dropped = [part for part in parts if unparse(part) not in kept]
        return Mistake("twice", self.wrong(dropped[0]) if len(dropped) == 1 else product_of(dropped))

    def of_number(self, old: Any, new: Any) -> Mistake:
        for node in self.path[::-1]:
            ratio = next((ratio_of(x, y, 1e-6) for x, y in self.pairs(node) if np.size(x) == np.size(y) > 1), None)
            if ratio is not None:
                sign = Mistake("sign of a term", self.right(self.outer), self.right(node))
                return sign if ratio < 0 else Mistake("scale", f"{ratio:.6g}")
        return Mistake("other value", unparse(new), unparse(old))

    def of_sign(self, old: Any, new: Any) -> Mistake:
        if isinstance(old, ast.AugAssign):
            return Mistake("sign of a term", unparse(old.target), self.right(old.value))
        return Mistake("sign of a term", self.right(self.outer), self.right(new))

    def of_axis(self, old: Any, new: Any) -> Mistake:
        right, wrong = axis_of(new), axis_of(old)
        if "einsum" in unparse(new):
            return Mistake("not summed", self.right(new))
        return Mistake("axis", right, wrong) if right != wrong else Mistake("other value", unparse(new), unparse(old))

    def of_function_missing(self, old: Any, new: Any) -> Mistake:
        for before, after in self.pairs(new)[:1]:
            for _, slope, text in self.engine.slopes:
                if np.shape(before) == np.shape(after) == slope.shape and np.allclose(before * slope, after, 1e-6):
                    return Mistake("factor missing", text)
        return Mistake("function missing", unparse(new.func))


def first(values: Iterable[Any]) -> Any:
    return next(iter(values), None)


def target_of(statement: Any) -> str:
    """Return what a statement assigns to; the statement if that is nothing."""
    return unparse(getattr(statement, "target", None) or getattr(statement, "targets", [statement])[0])


def exactness(value: Any) -> float:
    """Return how exact a value can be."""
    return 2e-4 if np.asarray(value).dtype == np.float32 else 1e-7


def blame_of(mended: Mended, engine: Engine, repaired: Matched, sources: Mapping[str, Source]) -> Blame:
    """Return the mistake of an edit, with its line and the equation that it should compute."""
    edit = mended.edit
    naming = Naming(mended, engine)
    made = first(naming.after(naming.outer))
    return Blame(edit.line, sources[edit.unit.file].text(edit.line), naming.mistake(), equation_of(edit, made, repaired))


def equation_of(edit: Edit, made: Any, repaired: Matched) -> Equation | None:
    """Return the equation that a mended line computes, or helps to compute: of the first line from there on that is one."""
    events = sorted((e for e in repaired.step.events if e.line == edit.line), key=lambda e: not np.array_equal(e.value, made))
    own = [event.number for event in events]
    below = [n for n in repaired.matches if own and n >= min(own)]
    found = {n: repaired.matches[n].quantity for n in [*own, *below] if n in repaired.matches and repaired.matches[n].quantity.equation}
    exact = [q for n, q in found.items() if q.whole and n in own]
    later = [q for q in found.values() if q.whole and q.kind in ("delta", "gradient")]
    return next((quantity.equation for quantity in [*exact, *later]), None)


# What the mistake is called that an edit mends, for a naming and what stood there before and after
CALLED: dict[str, Callable[[Any, Any, Any], Mistake]] = {
    "layer": lambda n, old, new: Mistake("layers swapped", unparse(new.func), unparse(old.func)),
    "factor missing": lambda n, old, new: Mistake("factor missing", n.right(new.right)),
    "term sign": lambda n, old, new: Mistake("sign of a term", n.right(new), n.right(new.right)),
    "term missing": lambda n, old, new: Mistake("term missing", n.right(new.right)),
    "moved": lambda n, old, new: Mistake("update first", target_of(old), target_of(old)),
    "added": lambda n, old, new: Mistake("not summed", target_of(n.edit.statement)),
    "set": lambda n, old, new: Mistake("not reset", target_of(old)),
    "surplus statement": lambda n, old, new: Mistake("surplus line", target_of(old)),
    "stale": lambda n, old, new: Mistake("stale", target_of(old.body[0])),
    "surplus term": lambda n, old, new: Mistake("surplus term", "", n.wrong(old.right if unparse(old.left) == unparse(new) else old.left)),
}
