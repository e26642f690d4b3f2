"""Batches: functions of one entry, called once for a whole batch.

``vmap`` gives a function ``Batched`` values in the place of arrays (``batched.py``), which compute with whole batches by what is
known of each function's axes (``axes.py``). It knows no calculus: gradients are taken of, or inside of, what it computes.
"""

from . import axes
from .batched import Batched, active, entry_by_entry
from .inside import at, lent, linearized_for_all, on_whole_arrays, rows_at_once
from .vmap import vmap

__all__ = ["Batched", "active", "at", "axes", "entry_by_entry", "lent", "linearized_for_all", "on_whole_arrays", "rows_at_once", "vmap"]
