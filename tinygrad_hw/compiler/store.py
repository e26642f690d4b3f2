"""Where an optimiser's parameters and memory lie, so that a program can update them all in one go.

The parameters of a dtype lie end to end in one array, and each tensor's value is a part of it; so does each kind of
memory. They stay what they were to everybody else: readable, assignable, changed in place.
"""

from __future__ import annotations

import sys
import threading
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ..graph import Node
from ..scopes import reset_after_fork
from ..views import UNSHARED_COUNT
from .plan import array_in

__all__ = ["Store", "store_of"]

stores: WeakKeyDictionary[Any, Store] = WeakKeyDictionary()


def store_of(optimizer: Any) -> Store:
    """Return the optimiser's store, the same for all that is compiled with it."""
    return stores.get(optimizer) or stores.setdefault(optimizer, Store(optimizer))


class Store:
    """The arrays of an optimiser.

    Attributes
    ----------
    whole : dict
        For ("parameter", dtype) and ("memory", dtype, key) the array of all.
    parameters : list of (Node, ndarray)
        Each parameter's node with its part.
    mirrored : list of (ndarray, ndarray)
        The arrays that somebody else holds, which therefore stay where they are, with their parts: copied before and after each run.
    memory, others : the arrays that are remembered: those like their parameter by key and parameter, and those of another shape.
    lock : held while a step runs.
    """

    def __init__(self, optimizer: Any) -> None:
        self.nodes = [parameter._node for parameter in optimizer.parameters]
        self.lock = reset_after_fork(threading.RLock())
        self.mirrored: list[tuple[Node, np.ndarray]] = []
        self.make_arrays()

    def make_arrays(self) -> None:
        """Make the arrays for parameters of the shapes that they have now."""
        self.whole: dict[tuple[Any, ...], np.ndarray] = {}
        self.parameters = list(zip(self.nodes, self.parts("parameter")))
        self.memory: dict[str, list[np.ndarray]] = {}
        self.others: dict[tuple[int, str], np.ndarray] = {}

    def parts(self, *role: Any) -> list[np.ndarray]:
        """Return for each parameter an array of its shape and dtype, end to end with the others."""
        parts: dict[Node, np.ndarray] = {}
        for dtype in {node.value.dtype for node in self.nodes}:
            nodes = [node for node in self.nodes if node.value.dtype == dtype]
            ends = np.cumsum([0, *(node.value.size for node in nodes)])
            whole_role = (role[0], dtype, *role[1:])
            whole = self.whole[whole_role] = np.zeros(ends[-1], dtype)
            parts |= {node: array_in(whole.view(np.uint8), int(start) * dtype.itemsize, node.value) for node, start in zip(nodes, ends)}
        return [parts[node] for node in self.nodes]

    def adopt(self, states: list[dict[str, Any]]) -> None:
        """Move the parameters and the memory here, from wherever they lie now."""
        self.mirrored = []
        if any(node.value.shape != part.shape for node, part in self.parameters):  # (a lazy layer was called since)
            self.make_arrays()
        for node, part in self.parameters:
            if node.value is part:
                continue
            if node.mutable and sys.getrefcount(node.value) > UNSHARED_COUNT:
                self.mirrored.append((node, part))
                continue
            part[...] = node.value
            node.value, node.mutable = part, True
        for i, state in enumerate(states):
            for key, value in state.items():
                like = self.nodes[i].value
                if isinstance(value, (np.ndarray, np.generic)) and (value.shape, value.dtype) == (like.shape, like.dtype):
                    if key not in self.memory:
                        self.memory[key] = self.parts("memory", key)
                    self.others.pop((i, key), None)
                    part = self.memory[key][i]
                    if value is not part:
                        part[...] = value
                        state[key] = part
                elif isinstance(value, np.ndarray) and value is not self.others.get((i, key)):
                    state[key] = self.others[i, key] = np.array(value)

    def array_of(self, role: tuple[Any, ...]) -> np.ndarray:
        """Return the array of an input of a program, by its role."""
        kind, i, *key = role
        if kind == "flat":
            return self.whole[role[1:]]
        if kind == "parameter":
            return self.parameters[i][1]
        other = self.others.get((i, key[0]))
        return self.memory[key[0]][i] if other is None else other

    def holds(self, i: int, key: str, value: Any) -> bool:
        """Tell whether something that the optimiser remembers is in this memory."""
        return value is self.others.get((i, key), self) or (key in self.memory and value is self.memory[key][i])

    def fetch(self) -> None:
        """Copy into this memory what is elsewhere, before a run."""
        for node, part in self.mirrored:
            part[...] = node.value

    def give_back(self) -> None:
        """Copy back what is elsewhere, after a run."""
        for node, part in self.mirrored:
            node.value[...] = part
