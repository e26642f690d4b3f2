"""The sweep's step for functions that read or write entries, without a whole array of zeros for each entry.

So reading or writing n entries one by one takes time that is linear in n, also backward.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import Any

import numpy as np

from .graph import Node
from .rules.shaping import Entries
from .rules.table import stands_in

__all__ = ["pass_on_entries"]

Fit = Callable[[Any, Any], Any]


def pass_on_entries(
    node: Node, g: Any, cotangents: dict[Node, Any], owned: set[Node] | None, fit: Fit, waiting: list[tuple[int, Node]], since: int
) -> bool:
    """Pass on the cotangent of a node that read or wrote entries; return whether that was possible.

    ``owned`` are the nodes whose cotangent only the sweep holds, so that it may be changed in place; None if each rule must be called.
    """
    if owned is None or node.rule.joint_vjp is None or any(map(stands_in, (g, *node.args))):
        return False
    may_overwrite = node in owned and not node.keeps_grad
    for parent, c, x in zip(node.parents, node.rule.joint_vjp(g, may_overwrite, *node.args, **node.kwargs), node.args):
        if parent is None:
            continue
        total: Any = cotangents.get(parent)
        if total is None and parent.parents and parent.number >= since:
            heappush(waiting, (-parent.number, parent))
        if isinstance(c, Entries):
            if parent not in owned or not isinstance(total, np.ndarray):
                total = np.zeros(x.shape, x.dtype) if total is None else np.array(total)
            c.add_to(total)
            cotangents[parent] = total
        else:
            cotangents[parent] = fit(c, x) if total is None else total + fit(c, x)
        owned.add(parent)
    return True
