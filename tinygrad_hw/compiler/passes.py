"""The passes in their order: ``apply`` takes a program through all of them, and each leaves one that does the same with less work."""

from __future__ import annotations

from collections.abc import Callable

from .bias import bias_in_product
from .layout import check_together, update_together
from .program import Program
from .simplify import (
    cast_first,
    drop_copies,
    drop_dead,
    fold_constants,
    fold_signs,
    merge_equal,
    prefer_dot,
    sum_by_product,
    turn_differences,
)

__all__ = ["PASSES", "apply"]

Pass = Callable[[Program], Program]
ORDER: tuple[Pass, ...] = (
    drop_copies, fold_constants, fold_signs, drop_dead, turn_differences, merge_equal, update_together, check_together,
    sum_by_product, cast_first, prefer_dot, bias_in_product,
)  # fmt: skip
PASSES: dict[str, Pass] = {function.__name__: function for function in ORDER}


def apply(program: Program, without: tuple[str, ...] = ()) -> Program:
    """Return the program after all passes but those named."""
    program = program.copied()
    for name, function in PASSES.items():
        if name not in without:
            program = function(program)
    return program
