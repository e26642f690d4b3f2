"""Backward again, one operation at a time, keeping what the sweep adds up and lets go.

It is ``backward.sweep`` itself that runs, with a trail: each contribution to an operand's cotangent is kept, with the sum that it was
added to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backward import Step, sweep
from ..graph import Node

__all__ = ["Contribution", "Turn", "replay"]


@dataclass(frozen=True)
class Contribution:
    """What one use of an operand adds to its cotangent: ``total`` is the sum so far, ``added`` this use's part."""

    operand: Node
    place: int
    vjp: Any
    added: Any
    total: Any
    first: bool


@dataclass(frozen=True)
class Turn:
    """One operation of the sweep: the cotangent that arrives at its result, and what goes on to its operands."""

    node: Node
    incoming: Any
    contributions: tuple[Contribution, ...]


def replay(seeds: Mapping[Node, Any]) -> tuple[list[Turn], dict[Node, Any]]:
    """Return the sweep's turns in order, and the complete cotangent of every node that it reached."""
    trail: list[Step] = []
    with np.errstate(all="ignore"):
        cotangents = sweep(dict(seeds), trail=trail)
    return [turn(step) for step in trail], {step.node: step.g for step in trail} | cotangents


def turn(step: Step) -> Turn:
    """Return a step of the sweep with what it handed on to each operand."""
    contributions = [
        Contribution(parent, place, vjp, added, total, added is total)
        for (parent, vjp, place), (added, total) in zip(step.node.edges, step.added)
    ]
    return Turn(step.node, step.g, tuple(contributions))
