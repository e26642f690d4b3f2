"""Trees: nested tuples, lists and dicts, whose leaves are anything else; a module counts as a dict of its parameters.

    >>> tree = {"W": 1.0, "b": [2.0, None]}
    >>> leaves(tree)
    [1.0, 2.0]
    >>> mapped(lambda x: 10 * x, tree)
    {'W': 10.0, 'b': [20.0, None]}

None is a tree without leaves. Named tuples and subclasses of dict keep their type. Two dicts are matched by key, whatever the order in
which their keys were inserted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .errors import ShapeError

__all__ = ["content", "fitted", "is_module", "leaves", "mapped", "opened", "paths", "rebuilt", "skeleton"]


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of a tree, in order."""
    if tree is None:
        return []
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [x for part in tree for x in leaves(part)] if isinstance(tree, (tuple, list)) else [tree]


def mapped(change: Callable[[Any], Any], tree: Any) -> Any:
    """Return a tree of the same structure with ``change(leaf)`` for each leaf."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        parts = {key: mapped(change, part) for key, part in tree.items()}
        if type(tree) is dict:
            return parts
        out = copy.copy(tree)  # (an OrderedDict, a defaultdict with its factory)
        out.update(parts)
        return out
    if isinstance(tree, (tuple, list)):
        inner = [mapped(change, part) for part in tree]
        return type(tree)(*inner) if hasattr(tree, "_fields") else inner if type(tree) is list else type(tree)(inner)
    return change(tree)


def rebuilt(tree: Any, parts: Iterable[Any]) -> Any:
    """Return a tree of the same structure with these leaves, in order."""
    parts = iter(parts)
    return mapped(lambda _: next(parts), tree)


def is_module(x: Any) -> bool:
    """Tell whether a leaf is a module: its class has ``named_parameters``."""
    return hasattr(type(x), "named_parameters")


def opened(tree: Any) -> Any:
    """Return a tree in which each module is a dict of its parameters by their paths."""
    return mapped(lambda x: dict(x.named_parameters()) if is_module(x) else x, tree)


def skeleton(tree: Any) -> Any:
    """Return the structure of a tree in plain tuples, lists and dicts, with a star for each leaf."""
    if isinstance(tree, dict):
        return {key: skeleton(part) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [skeleton(part) for part in tree]
        return parts if isinstance(tree, list) else tuple(parts)
    return None if tree is None else "*"


def fitted(tree: Any, given: Any, what: str) -> list[Any]:
    """Return the leaves of what was given for a tree, in the tree's order; dicts are matched by key.

    Parameters
    ----------
    tree : tree
        What it is given for.
    given : tree
        Of the tree's structure.
    what : str
        What to call it in the error.

    Raises
    ------
    ShapeError
        If the structures differ.
    """
    if skeleton(tree) != skeleton(given):
        raise ShapeError(f"{what} must have the structure {skeleton(tree)}, not {skeleton(given)}")
    return _in_order_of(tree, given)


def _in_order_of(tree: Any, given: Any) -> list[Any]:
    """Return the leaves of what was given in the order of the tree, which has the same structure."""
    if not isinstance(tree, (dict, tuple, list)):
        return [] if tree is None else [given]
    pairs = ((part, given[key]) for key, part in tree.items()) if isinstance(tree, dict) else zip(tree, given)
    return [x for part, other in pairs for x in _in_order_of(part, other)]


def paths(tree: Any, path: str = "") -> list[str]:
    """Return the path of each leaf: ``['W']``, ``['b'][1]``."""
    if not isinstance(tree, (dict, tuple, list)):
        return [] if tree is None else [path]
    parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [inner for key, part in parts for inner in paths(part, f"{path}[{key!r}]")]


def content(tree: Any) -> Any:
    """Return a hashable key that two trees share if they have equal leaves; 1, 1.0 and True are different, as are 0.0 and -0.0."""
    if type(tree).__eq__ is object.__eq__:
        return tree
    if isinstance(tree, (tuple, list)):
        return (type(tree), *map(content, tree))
    if isinstance(tree, np.ndarray):
        return tree.shape, tree.dtype.str, tree.tobytes()
    if isinstance(tree, dict):
        return tuple((key, content(part)) for key, part in tree.items())
    if isinstance(tree, slice):
        return (slice, content(tree.start), content(tree.stop), content(tree.step))
    if isinstance(tree, (bool, int, float, complex, np.generic)):
        return (type(tree), repr(tree))
    try:
        hash(tree)
    except TypeError:
        return id(tree)
    return tree
