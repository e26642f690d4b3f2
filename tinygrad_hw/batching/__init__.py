"""Batches: functions of one entry, called once for a whole batch.

``vmap`` gives a function ``Batched`` values in the place of arrays (``batched.py``), which compute with whole batches by what is
known of each function's axes (``axes.py``). It knows no calculus: gradients are taken of, or inside of, what it computes.
"""

from . import axes
from .batched import Batched, active_levels, entry_by_entry, name_of
from .inside import activated, leaves_replaced, linearized_for_all, on_whole_arrays, rows_at_once
from .vmap import vmap

__all__ = [
    "Batched", "activated", "active_levels", "axes", "entry_by_entry", "leaves_replaced", "linearized_for_all", "name_of",
    "on_whole_arrays", "rows_at_once", "vmap",
]  # fmt: skip
