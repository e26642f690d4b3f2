"""Whether a function has drawn random numbers, and how to undo that.

A function that vmap calls once for all entries would draw once for all. So the generators that it can reach are looked at before and
after: those in its arguments, in the variables around it, in the globals that its code names, and in what these hold.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache, partial
from os.path import dirname
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..trees import content

__all__ = ["Draws"]

OTHERS = (dirname(random.__file__), dirname(dirname(np.__file__)), dirname(dirname(__file__)), "<frozen")  # not the user's own code
LEAVES = (np.ndarray, np.generic, np.ufunc, np.dtype, Tensor, type, str, bytes, int, float, complex, type(None))
MOST = 10_000  # how many of the things that a function holds are looked at


class Draws:
    """The generators that a function can reach, with their states before it is called."""

    def __init__(self, *things: Any) -> None:
        self.states = [(generator, state_of(generator)) for generator in generators(things)]

    def happened(self) -> bool:
        """Tell whether one of the generators has drawn since."""
        return any(content(state_of(generator)) != content(state) for generator, state in self.states)

    def undo(self) -> None:
        """Put the generators back into the states in which they were."""
        for generator, state in self.states:
            if isinstance(generator, random.Random):
                generator.setstate(state)
            elif isinstance(generator, np.random.RandomState):
                generator.set_state(state)
            else:
                generator.state = state


def state_of(generator: Any) -> Any:
    """Return the state of a generator."""
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state(legacy=False) if isinstance(generator, np.random.RandomState) else generator.state


def generators(things: Any) -> list[Any]:
    """Return the generators among all that these things hold."""
    found, seen, todo = [], set(), [things]
    for thing in todo:  # (which grows as it is walked)
        if isinstance(thing, LEAVES) or id(thing) in seen or len(todo) > MOST:
            continue
        seen.add(id(thing))
        if isinstance(thing, (np.random.BitGenerator, np.random.RandomState, random.Random)):
            found.append(thing)
        else:
            todo += things_in(thing)
    return found


def things_in(thing: Any) -> Iterator[Any]:
    """Yield what one thing holds."""
    if isinstance(thing, (tuple, list, set)):
        yield from thing
    elif isinstance(thing, dict):
        yield from thing.values()
    elif isinstance(thing, FunctionType):
        yield from surroundings(thing)
    elif isinstance(thing, np.random.Generator):
        yield thing.bit_generator
    elif isinstance(thing, partial):
        yield from (thing.func, thing.args, thing.keywords)
    elif isinstance(thing, ModuleType):
        yield from (np.random.mtrand._rand,) if thing is np.random else ()
    elif hasattr(thing, "__self__"):  # a method
        yield from (thing.__self__, getattr(thing, "__func__", None))
    else:
        yield from getattr(thing, "__dict__", {}).values()
        kind: Any = type(thing)
        yield from own_methods(kind)


@lru_cache(1024)
def own_methods(kind: type) -> tuple[FunctionType, ...]:
    """Return the methods of a class that are the user's own code."""
    methods = (part for base in kind.__mro__ for part in vars(base).values() if isinstance(part, FunctionType))
    return tuple(method for method in methods if not method.__code__.co_filename.startswith(OTHERS))


def surroundings(function: FunctionType) -> Iterator[Any]:
    """Yield what a function finds around itself: variables of enclosing functions, defaults, and the globals that its code names."""
    yield from map(content_of, function.__closure__ or ())
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    if not function.__code__.co_filename.startswith(OTHERS):
        names = names_in(function.__code__)
        for thing in [function.__globals__[name] for name in names if name in function.__globals__]:
            yield thing
            if isinstance(thing, ModuleType):
                yield from (vars(thing)[name] for name in names if name in vars(thing))


def content_of(cell: CellType) -> Any:
    """Return the value of an enclosing function's variable, None if it has none yet."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


@lru_cache(1024)
def names_in(code: CodeType) -> frozenset[str]:
    """Return the names that a function's code, or code inside it, uses."""
    return frozenset(code.co_names).union(*(names_in(part) for part in code.co_consts if isinstance(part, CodeType)))
