"""What a network is made of, layer by layer: shapes, numbers of parameters, bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..tensor import Tensor, no_grad
from .module import Module

__all__ = ["summary"]


class Row(NamedTuple):
    """One layer: its path, what it is, the shape of its result, and how many numbers of its own are trained."""

    path: str
    layer: str
    shape: str
    parameters: int


class Summary:
    """The layers of a network; ``str()`` is a table, and Jupyter shows one.

    Attributes
    ----------
    rows : list of Row
    parameters : int
        How many numbers are trained.
    bytes : int
        What parameters and buffers take in memory.
    """

    def __init__(self, rows: list[Row], module: Module) -> None:
        self.rows = rows
        self.parameters = sum(tensor.size for tensor in module.parameters())
        self.bytes = sum(tensor.size * tensor.dtype.itemsize for tensor in (*module.parameters(), *module.buffers()))

    def _cells(self) -> list[tuple[str, ...]]:
        return [("path", "layer", "result", "parameters"), *((row.path, row.layer, row.shape, f"{row.parameters:,}") for row in self.rows)]

    def __str__(self) -> str:
        cells = self._cells()
        widths = [max(map(len, column)) for column in zip(*cells)]
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths)).rstrip() for row in cells]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], self._total()])

    __repr__ = __str__

    def _total(self) -> str:
        return f"{self.parameters:,} parameters; {self.bytes:,} bytes with buffers"

    def _repr_html_(self) -> str:
        from html import escape  # (slow to import, and seldom needed)

        head, *rows = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in self._cells()]
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head.replace('td>', 'th>')}</tr></thead><tbody>{body}</tbody></table><p>{self._total()}</p>"


def summary(module: Module, *inputs: Any) -> Summary:
    """Call a network, not in training, and list what each of its layers returns.

    Parameters
    ----------
    module : Module
    *inputs : tuple of int, array or Tensor
        What to call it with: of a tuple of int, zeros of that shape and of the parameters' dtype.

    Returns
    -------
    Summary
        A row for each layer that was called and called no other.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.summary(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)), (32, 1, 8, 8))
    path      layer                             result         parameters
    ---------------------------------------------------------------------
    layers.0  Conv2d(1, 4, kernel_size=(3, 3))  (32, 4, 6, 6)  40
    layers.1  ReLU()                            (32, 4, 6, 6)  0
    layers.2  Flatten(1, -1)                    (32, 144)      0
    layers.3  Linear(144, 10)                   (32, 10)       1,450
    1,490 parameters; 11,920 bytes with buffers
    """
    dtypes = [tensor.dtype for tensor in module.parameters()] or [np.dtype(float)]
    given = [np.zeros(x, dtypes[0]) if isinstance(x, tuple) else x for x in inputs]
    rows: list[Row] = []
    with _calls_recorded(module, rows), no_grad():
        module(*given)
    return Summary(rows, module)


@contextmanager
def _calls_recorded(module: Module, rows: list[Row]) -> Iterator[None]:
    """Add a row for each call that calls no other layer; nothing is in training meanwhile."""
    modules = module.named_modules()
    training = [part.training for _, part in modules]

    def recorded(path: str, layer: Module) -> Any:
        forward = layer.forward

        def call(*args: Any, **kwargs: Any) -> Any:
            before = len(rows)
            out = forward(*args, **kwargs)
            if len(rows) == before:
                rows.append(Row(path or type(layer).__name__, repr(layer), _shapes(out), sum(p.size for p in layer.parameters())))
            return out

        return call

    try:
        for path, part in modules:
            vars(part)["training"] = False
            vars(part)["forward"] = recorded(path, part)
        yield
    finally:
        for (_, part), mode in zip(modules, training):
            vars(part).pop("forward", None)
            part.training = mode


def _shapes(out: Any) -> str:
    """Return the shapes of a result, of several in brackets."""
    if isinstance(out, (tuple, list)):
        return f"({', '.join(map(_shapes, out))})"
    return "-" if out is None else str(out.shape if isinstance(out, Tensor) else np.shape(out))
