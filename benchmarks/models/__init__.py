"""Twelve programs as a user writes them, a file each: a step of each, beside the same step in PyTorch, and in JAX where that is short."""

from __future__ import annotations

from typing import Any

from . import cnn, digits, gaussian_process, gpt, lenet, moons, ode, per_example, pinn, recurrent, vae
from .training import Program

PROGRAMS: dict[str, Program] = {
    **moons.PROGRAMS,
    **digits.PROGRAMS,
    **vae.PROGRAMS,
    **recurrent.PROGRAMS,
    **lenet.PROGRAMS,
    **cnn.PROGRAMS,
    **gpt.PROGRAMS,
    **pinn.PROGRAMS,
    **ode.PROGRAMS,
    **gaussian_process.PROGRAMS,
    **per_example.PROGRAMS,
}


def chosen(names: list[str] | None) -> dict[str, Any]:
    """Return the programs whose names begin with one of these, all if none is given."""
    return {name: program for name, program in PROGRAMS.items() if not names or name.startswith(tuple(names))}
