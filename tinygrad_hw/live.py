"""Which entries are live behind a choice.

"Zero gradient" and "no gradient" differ: ``np.where(x > 0, np.log(x), 0)`` does not use log at 0, so the entry has *no* gradient
there, whatever 1/0 may be. ``Live`` rides along with a second sweep and says of each cotangent which of its entries some gradient
reaches; the others are set to an exact 0. The rules themselves tell which, read on marks instead of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Node

__all__ = ["Live"]


class Live:
    """The mask of live entries of each node's cotangent; None means that all are."""

    def __init__(self, fit: Callable[[Any, Any], Any]) -> None:
        self.masks: dict[Node, Any] = {}
        self.fit = fit  # (how the sweep undoes broadcasting)

    def only(self, c: Any, node: Node, vjp: Callable[..., Any], parent: Node, x: Any) -> Any:
        """Return the cotangent c that a node's rule gave for its argument x, with 0 where no gradient flows."""
        alive = live_entries(node, vjp, self.masks.get(node))
        if alive is not None:
            c, alive = np.where(alive, c, 0), self.fit(alive.astype(float), np.empty(x.shape)) != 0
        before = self.masks.get(parent, False)
        self.masks[parent] = alive if before is False else None if alive is None or before is None else alive | before
        return c


def live_entries(node: Node, vjp: Callable[..., Any], live: Any) -> Any:
    """Return which entries of an argument's cotangent are live, None for all: the rule itself says so, read on marks.

    A choice is read on ones: what it was not taken from gets an exact 0. Everything else is read on nan for live and 0 for
    dead, since nan survives sums and products, and 0 times a finite number stays 0.
    """
    if node.rule.kind == "choice":
        mask = np.ones(node.value.shape) if live is None else live.astype(float)
        return vjp(mask, node.value, *node.args, **node.kwargs) != 0
    if live is None or node.rule.kind == "elementwise":
        return live
    marks = np.where(live, np.nan, 0.0)
    return np.isnan(vjp(marks, *map(finite, (node.value, *node.args)), **node.kwargs))


def finite(x: Any) -> Any:
    """Return an array with 1 in place of what is not finite."""
    return np.where(np.isfinite(x), x, 1) if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" else x
