"""Compiling: record a function or a training step once, plan it, and run the plan instead of the code.

    step = tg.compile(loss_fn, optimizer)
    for _ in range(1000):
        loss = step(X, y)           # forward, backward and update
    losses = step.repeat(1000, X, y)

The plan is a straight list of NumPy calls on memory that was laid out beforehand; ``step.source`` prints it.

``trace`` records, ``program`` is what was recorded, ``passes`` (from ``simplify``, ``layout`` and ``bias``) make it smaller, ``plan`` finds
each result its memory and runs it.
"""

from .step import CompiledFunction, CompiledStep, compile

__all__ = ["CompiledFunction", "CompiledStep", "compile"]
