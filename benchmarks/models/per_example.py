"""The gradients of each of 64 examples, of a network 64-32-32-10: ``batches`` has the program."""

from __future__ import annotations

from .. import batches
from .training import YARDSTICK, Step

LABELS = {
    "torch.func": YARDSTICK,
    "tinygrad_hw, vmap": "tinygrad_hw, eager",
    "tinygrad_hw, vmap compiled": "tg.compile, NumPy",
    "JAX, jit": "JAX, jit",
}


class PerExample:
    """What a Program is, of functions that train nothing."""

    tolerance = 1e-8

    def contestants(self) -> tuple[dict[str, Step], dict[str, str]]:
        """Return the calls, under the labels that the other programs have."""
        calls, _ = batches.contestants()
        return {label: lambda call=calls[name]: batches.flat(call()) for name, label in LABELS.items() if name in calls}, {}


PROGRAMS = {"per-example gradients": PerExample()}
