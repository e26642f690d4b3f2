"""Training as users write it, step by step or compiled, for tests that compare the two."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import tinygrad_hw as tg


def train(loss_of: Callable[..., Any], optimizer: Any, batches: Iterable[tuple[Any, ...]], compiled: bool) -> list[float]:
    """Make a step for each batch of arguments; return the losses."""
    step, losses = tg.compile(loss_of, optimizer) if compiled else None, []
    for batch in batches:
        if step is not None:
            losses.append(float(step(*batch)))
        else:
            optimizer.zero_grad()
            loss = loss_of(*batch)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses
