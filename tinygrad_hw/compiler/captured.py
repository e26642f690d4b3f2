"""What a function uses besides its arguments: globals, closures, attributes, and what is in them.

``captured(f)`` finds it once; ``Watch`` then tells, at the cost of a few identity tests, whether any of it has changed since.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ..graph import Node
from ..tensor import Tensor
from .trace import NUMPY, PACKAGE

__all__ = ["Watch", "captured"]

FOREIGN = (NUMPY, PACKAGE, sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], "<frozen")
MOST = 20_000  # of so many things a function is not made: what lies beyond is not looked at

Cell = tuple[Callable[[], Any], str]  # how to read a place, and what to call it


def captured(function: Any, leave_out: tuple[Any, ...] = ()) -> list[tuple[Callable[..., Any], Any, Any, str]]:
    """Return ``(read, container, key, name)`` of every place that the function can reach, other than its arguments."""
    places: list[tuple[Callable[..., Any], Any, Any, str]] = []
    seen = {id(thing) for thing in leave_out}
    todo: list[tuple[Any, str]] = [(function, "")]
    while todo and len(places) < MOST:
        thing, name = todo.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        for read, container, key, label in held(thing, name):
            places.append((read, container, key, label))
            try:
                todo.append((read(container, key), label))
            except (KeyError, ValueError, AttributeError, IndexError):
                continue
    return places


def item(container: Any, key: Any) -> Any:
    """Read an entry."""
    return container[key]


def cell(container: Any, key: Any) -> Any:
    """Read a variable of an enclosing function."""
    return container.cell_contents


def held(thing: Any, name: str) -> Iterator[tuple[Callable[..., Any], Any, Any, str]]:
    """Yield the places that one thing holds."""
    if isinstance(thing, MethodType):
        yield getattr, thing, "__func__", name
        yield getattr, thing, "__self__", name
    elif isinstance(thing, FunctionType):
        if not thing.__code__.co_filename.startswith(FOREIGN):
            for variable, box in zip(thing.__code__.co_freevars, thing.__closure__ or ()):
                yield cell, box, None, variable
            for variable in used_names(thing.__code__):
                if variable in thing.__globals__:
                    found = thing.__globals__[variable]
                    yield item, thing.__globals__, variable, variable
                    if isinstance(found, ModuleType) and not str(getattr(found, "__file__", None) or "<frozen").startswith(FOREIGN):
                        for attribute in used_names(thing.__code__) & vars(found).keys():
                            yield item, vars(found), attribute, f"{variable}.{attribute}"
            for i, _ in enumerate(thing.__defaults__ or ()):
                yield item, thing.__defaults__, i, f"{thing.__name__}'s default {i}"
            for key in thing.__kwdefaults__ or ():
                yield item, thing.__kwdefaults__, key, key
        elif hasattr(thing, "__wrapped__"):
            yield getattr, thing, "__wrapped__", name
            for box in thing.__closure__ or ():
                yield cell, box, None, name
    elif isinstance(thing, (list, tuple)):
        for i in range(len(thing)):
            yield item, thing, i, f"{name}[{i}]"
    elif isinstance(thing, dict):
        for key in thing:
            yield item, thing, key, f"{name}[{key!r}]"
    elif hasattr(thing, "__dict__") and not isinstance(thing, (type, ModuleType, np.ndarray, Tensor)) and own(type(thing)):
        for key in vars(thing):
            yield item, vars(thing), key, f"{name}.{key}"


def own(kind: type) -> bool:
    """Tell whether a class is the user's, or a module or an optimiser of this package."""
    if kind.__module__.startswith(__package__.partition(".")[0]) or kind.__module__ == "functools":
        return True
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return kind.__module__ != "builtins" and not str(file or "").startswith(FOREIGN)


def used_names(code: CodeType) -> set[str]:
    """Return the global and attribute names that a function's code, or code inside it, uses."""
    return set(code.co_names).union(*(used_names(part) for part in code.co_consts if isinstance(part, CodeType)))


class Watch:
    """Tells whether what a function captured is as it was.

    Attributes
    ----------
    tensors : list of (Node, str)
        The leaf tensors, with what to call them: a program reads them anew at each run.
    """

    def __init__(self, function: Any, leave_out: tuple[Any, ...] = ()) -> None:
        self.places = []
        self.tensors: list[tuple[Node, str]] = []
        self.sizes: list[tuple[Any, int]] = []
        nodes, sized = set(), set()
        for read, container, key, name in captured(function, leave_out):
            value = read(container, key)
            if not isinstance(container, MethodType):
                self.places.append((read, container, key, name, value))
            if isinstance(value, (list, dict)) and id(value) not in sized:
                sized.add(id(value))
                self.sizes.append((value, len(value)))
            if isinstance(value, Tensor) and not value._node.parents and value._node not in nodes:
                nodes.add(value._node)
                self.tensors.append((value._node, value.name or name))
        self.arrays = [(value, value.tobytes()) for *_, value in self.places if isinstance(value, np.ndarray)]

    def changed(self) -> str | None:
        """Return the name of something that has changed, or None."""
        for read, container, key, name, value in self.places:
            now = container[key] if read is item else read(container, key)
            if now is not value and (type(now) is not type(value) or not isinstance(now, (int, float, str)) or now != value):
                return name
        for thing, size in self.sizes:
            if len(thing) != size:
                return "a captured container"
        for array, content in self.arrays:
            if array.tobytes() != content:
                return "a captured array"
        return None
