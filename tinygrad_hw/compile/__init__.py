"""Compiling: record a function or a training step once, plan it, and run the plan instead of the code.

    step = compile(loss_fn, optimizer)
    for _ in range(1000):
        loss = step(X, y)           # forward, backward and update
    losses = step.repeat(1000, X, y)

The plan is a straight list of NumPy calls on memory that was laid out beforehand; ``step.source`` prints it.

``trace`` records, ``program`` is what was recorded, ``passes`` (from ``simplify``, ``layout`` and ``bias``) make it smaller, ``plan`` finds
each result its memory and runs it.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .step import CompiledFunction, CompiledStep, compile
from .trace import CompileError

__all__ = ["CompileError", "CompiledFunction", "CompiledStep", "compile"]


class _Compile(ModuleType):
    """The module, called as its function: importing it puts it where ``tinygrad_hw.compile`` was."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return compile(*args, **kwargs)


sys.modules[__name__].__class__ = _Compile
