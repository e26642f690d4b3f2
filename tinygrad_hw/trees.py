"""Trees: nested tuples, lists and dicts, with anything else as their leaves; and modules, as dicts of their parameters.

    >>> tree = {"W": 1.0, "b": [2.0, None]}
    >>> leaves(tree)
    [1.0, 2.0]
    >>> mapped(lambda x: 10 * x, tree)
    {'W': 10.0, 'b': [20.0, None]}

None holds nothing. Named tuples and subclasses of dict keep their type. Dicts that belong together are matched by key: the order
in which their keys were inserted says nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
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
    """Return a tree of the same structure, each leaf changed."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        parts = {key: mapped(change, part) for key, part in tree.items()}
        return parts if type(tree) is dict else _as_dict_of(tree, parts)
    if isinstance(tree, (tuple, list)):
        inner = [mapped(change, part) for part in tree]
        return type(tree)(*inner) if hasattr(tree, "_fields") else inner if type(tree) is list else type(tree)(inner)
    return change(tree)


def _as_dict_of(like: dict[Any, Any], parts: dict[Any, Any]) -> Any:
    """Return the parts as a dict of the same class: an OrderedDict, a defaultdict with its factory."""
    changed = copy.copy(like)
    changed.update(parts)
    return changed


def rebuilt(tree: Any, parts: Iterable[Any]) -> Any:
    """Return a tree of the same structure with other leaves, given in order."""
    parts = iter(parts)
    return mapped(lambda _: next(parts), tree)


def is_module(x: Any) -> bool:
    """Tell whether a leaf is a module: an object that names its parameters."""
    return hasattr(type(x), "named_parameters")


def opened(tree: Any) -> Any:
    """Return a tree with a dict of its parameters by their paths in the place of each module."""
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
    return list(_in_order_of(tree, given))


def _in_order_of(tree: Any, given: Any) -> Iterator[Any]:
    """Yield the leaves of a tree in the order in which another one of its structure has them."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _in_order_of(part, given[key])
    elif isinstance(tree, (tuple, list)):
        for part, other in zip(tree, given):
            yield from _in_order_of(part, other)
    elif tree is not None:
        yield given


def paths(tree: Any, path: str = "") -> Iterator[str]:
    """Yield how each leaf is reached: ``['W']``, ``['b'][1]``."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from paths(part, f"{path}[{key!r}]")
    elif isinstance(tree, (tuple, list)):
        for k, part in enumerate(tree):
            yield from paths(part, f"{path}[{k}]")
    elif tree is not None:
        yield path


def content(tree: Any) -> Any:
    """Return something hashable that equal values have in common, and no others: 1, 1.0, True and -0.0 are told apart from each other."""
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
