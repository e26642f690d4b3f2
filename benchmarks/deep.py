"""A chain of a million nodes: what a node costs to record, to sweep over and to free."""

from __future__ import annotations

from time import perf_counter

from tinygrad_hw import Tensor

NODES = 10**6


def chain(nodes: int = NODES) -> dict[str, float]:
    """Return the seconds for recording, sweeping and freeing x + 1 + 1 + ...; the gradient is checked."""
    x = Tensor(1.0, requires_grad=True)
    start = perf_counter()
    y = x
    for _ in range(nodes):
        y = y + 1.0
    recorded = perf_counter()
    y.backward()
    swept = perf_counter()
    assert (float(x.grad), y.item()) == (1.0, 1.0 + nodes)
    before = perf_counter()
    del y
    return {"forward": recorded - start, "sweep": swept - recorded, "freeing": perf_counter() - before}
