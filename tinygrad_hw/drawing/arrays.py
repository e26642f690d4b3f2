"""Arrays as a page shows them: few entries as figures, more as a small heat map with shape and range."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..naming import clean
from .formulas import number, shape_text, summary

__all__ = ["array_data", "entries"]

FIGURES, FEW, WIDTH = 6, 12, 56
ROWS, COLUMNS = 24, 24  # of the largest heat map
MIDDLE, NO_NUMBER = 127, 255


def array_data(value: Any) -> list[Any]:
    """Return an array as the page takes it: its entries if they are few, a few words, and a heat map as rows, columns and levels."""
    array = np.asarray(value)
    return [entries(array) if array.size <= FEW else "", summary(array), words(array), heat(array)]


def words(array: np.ndarray) -> str:
    """Return shape and range in words."""
    finite = array[np.isfinite(array)] if array.dtype.kind in "fiub" else np.empty(0)
    figures = f", from {number(finite.min())} to {number(finite.max())}" if finite.size else ""
    lost = f", {array.size - finite.size} not finite" if array.dtype.kind == "f" and finite.size < array.size else ""
    rows, columns = table_shape(array)
    part = ", some rows and columns of it" if rows > ROWS or columns > COLUMNS else ""
    as_row = ", the column laid flat" if array.ndim > 1 and columns > 1 == array.shape[-1] else ""
    return f"shape {shape_text(array.shape)}{figures}{lost}{part}{as_row}"


def heat(array: np.ndarray) -> list[Any] | None:
    """Return rows, columns and a level from 0 to 254 for each entry, 127 for zero, 255 for what is not finite."""
    if array.ndim == 0 or array.size < 2 or array.dtype.kind not in "fiub":
        return None
    rows, columns = table_shape(array)
    table = array.reshape(rows, columns).astype(float)[np.ix_(evenly_spaced(rows, ROWS), evenly_spaced(columns, COLUMNS))]
    finite = np.isfinite(table)
    largest = np.abs(table[finite]).max(initial=0) or 1.0
    levels = np.full(table.shape, NO_NUMBER, np.uint8)
    levels[finite] = np.rint(MIDDLE * (table[finite] / largest)) + MIDDLE
    return [*table.shape, base64.b64encode(levels.tobytes()).decode()]


def table_shape(array: np.ndarray) -> tuple[int, int]:
    """Return the shape of an array as rows: its last axis runs along them; a column is shown as one row."""
    columns = int(array.shape[-1]) if array.ndim else 1
    columns = array.size if columns == 1 else columns
    return (array.size // columns if columns else 0), columns


def evenly_spaced(count: int, most: int) -> np.ndarray:
    """Return at most ``most`` of the first ``count`` places."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def entries(value: Any) -> str:
    """Return the entries of an array, the middle left out where there are many."""
    limits: Any = {"threshold": FEW, "edgeitems": 2, "max_line_width": WIDTH}
    text = np.array2string(np.asarray(value), precision=FIGURES, separator=", ", floatmode="maxprec", **limits)
    return "\n".join(map(clean, text.split("\n")))
