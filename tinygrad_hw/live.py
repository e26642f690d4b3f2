"""Which entries are live behind a choice: which entries of a cotangent some gradient reaches.

"Zero gradient" and "no gradient" differ: ``np.where(x > 0, np.log(x), 0)`` does not use log at 0, so the entry has *no* gradient
there, whatever 1/0 may be. A second sweep carries a ``Live`` with it and sets the entries that are not live to an exact 0. The rules
themselves find them, called on marks instead of numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Any

import numpy as np

from .graph import Node

__all__ = ["Live"]


class Live:
    """A ``read`` of the sweep whose rules set to 0 what is not live. It keeps a mask for each node's cotangent, None where all is live."""

    def __init__(self, read: Callable[[Node, Any], Any], fit: Callable[[Any, Any], Any]) -> None:
        self.read = read
        self.fit = fit  # (how the sweep undoes broadcasting)
        self.masks: dict[Node, Any] = {}

    def __call__(self, node: Node, g: Any) -> Any:
        out, args, vjps = self.read(node, g)
        return out, args, [partial(self.masked, *edge) for edge in zip(repeat(node), vjps, node.parents, args)]

    def masked(self, node: Node, vjp: Callable[..., Any], parent: Any, x: Any, *operands: Any, **kwargs: Any) -> Any:
        """Return the cotangent that a node's rule gives for its argument x, with 0 where no gradient flows."""
        c, live = vjp(*operands, **kwargs), live_entries(node, vjp, self.masks.get(node))
        if live is not None:
            c, live = np.where(live, c, 0), self.fit(live.astype(float), np.empty(x.shape)) != 0
        before = self.masks.get(parent, False)
        self.masks[parent] = live if before is False else None if live is None or before is None else live | before
        return c


def live_entries(node: Node, vjp: Callable[..., Any], live: Any) -> Any:
    """Return which entries of an argument's cotangent are live, None for all: the result of the rule, called on marks.

    The rule of a choice is called on ones: an entry that the choice did not take gets an exact 0. Any other is called on nan for live
    and 0 for dead, since nan survives sums and products, and 0 times a finite number is 0.
    """
    if node.rule.kind == "choice":
        mask = np.ones(node.value.shape) if live is None else live.astype(float)
        return vjp(mask, node.value, *node.args, **node.kwargs) != 0
    if live is None or node.rule.kind == "elementwise":
        return live
    marks = np.where(live, np.nan, 0.0)
    return np.isnan(vjp(marks, *map(finite, (node.value, *node.args)), **node.kwargs))


def finite(x: Any) -> Any:
    """Return an array with 1 for each entry that is not finite."""
    return np.where(np.isfinite(x), x, 1) if isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc" else x
