"""The passes in their order: ``apply`` takes a program through all of them, and each leaves one that does the same with less work."""

from __future__ import annotations

from collections.abc import Callable

from . import bias, layout, simplify
from .program import Program

__all__ = ["PASSES", "apply"]

ORDER: tuple[Callable[[Program], Program], ...] = (
    simplify.drop_copies, simplify.fold_constants, simplify.fold_signs, simplify.drop_dead, simplify.turn_differences, simplify.merge_equal,
    layout.update_together, layout.check_together,
    simplify.sum_by_product, simplify.cast_first, simplify.prefer_dot, bias.bias_in_product,
)  # fmt: skip
PASSES = {function.__name__: function for function in ORDER}


def apply(program: Program, without: tuple[str, ...] = ()) -> Program:
    """Return the program after all passes but those named."""
    program = program.copied()
    for name, function in PASSES.items():
        if name not in without:
            program = function(program)
    return program
