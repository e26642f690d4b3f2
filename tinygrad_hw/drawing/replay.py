"""Backward again, one operation at a time, keeping what the sweep adds up and lets go.

The same rules are called in the same order with the same numbers as by ``backward.sweep``: each contribution to an
operand's cotangent is kept, with the sum that it was added to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backward import fit, live_entries
from ..graph import Node, made

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
    order = made(seeds)
    turns, cotangents = flow(order, seeds, masked=False)
    choice = any(node.rule.kind == "choice" for node in order)
    if choice and not all(np.isfinite(g).all() for node, g in cotangents.items() if node.rule is None or node.keeps_grad):
        turns, cotangents = flow(order, seeds, masked=True)
    return turns, cotangents


def flow(order: list[Node], seeds: Mapping[Node, Any], masked: bool) -> tuple[list[Turn], dict[Node, Any]]:
    """Sweep once; masked, entries that no gradient reaches stay at 0 whatever the rules say of them."""
    cotangents: dict[Node, Any] = dict(seeds)
    live: dict[Node, Any] = {}
    turns = []
    with np.errstate(all="ignore"):
        for node in order:
            if node not in cotangents:
                continue
            g, contributions = cotangents[node], []
            for parent, vjp, i in node.edges:
                x = node.args[i]
                c = vjp(g, node.value, *node.args, **node.kwargs)
                alive = live_entries(node, vjp, live.get(node)) if masked else None
                if alive is not None:
                    c, alive = np.where(alive, c, 0), fit(alive.astype(float), np.empty(x.shape)) != 0
                c, first = fit(c, x), parent not in cotangents
                if masked:
                    before = None if first else live.get(parent)
                    live[parent] = alive if first else None if alive is None or before is None else alive | before
                cotangents[parent] = c if first else cotangents[parent] + c
                contributions.append(Contribution(parent, i, vjp, c, cotangents[parent], first))
            turns.append(Turn(node, g, tuple(contributions)))
    return turns, cotangents
