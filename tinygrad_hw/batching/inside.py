"""Transforms inside a vmap, and a vmap inside of transforms: how gradients and batches meet.

Inside a vmap the derivative of a function is taken of the function on whole arrays, each entry of the batch with an input of its own
(if need be a copy). No entry's result depends on another's input, so one sweep gives the derivatives of all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..trees import is_module, leaves, mapped, opened, rebuilt
from .batched import Batched, Level, Levels, active_levels, at_levels, expanded, name_of, with_axes

__all__ = ["activated", "linearized_for_all", "on_whole_arrays", "rows_at_once"]


@contextmanager
def activated(levels: Levels) -> Iterator[None]:
    """Let these vmaps be the ones in progress."""
    token = active_levels.set(levels)
    try:
        yield
    finally:
        active_levels.reset(token)


def on_whole_arrays(transform: Callable[..., Any], f: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Return ``transform(f)(*args, **kwargs)``, where the transform sees the batches among the arguments as whole arrays."""
    levels, given = active_levels.get(), (args, kwargs)
    batches = [x for x in leaves(given) if isinstance(x, Batched)]

    def whole(*raws: Any) -> Any:
        entries = iter(raws)
        args, kwargs = mapped(lambda x: Batched(next(entries), levels) if isinstance(x, Batched) else x, given)
        with activated(levels):
            return mapped(lambda y: expanded(y, levels), f(*args, **kwargs))

    with activated(()):
        out = transform(whole)(*(expanded(x, levels) for x in batches))
    return mapped(lambda y: Batched(y, levels), out)


def linearized_for_all(linearized: Callable[..., Any], f: Callable[..., Any], args: Any, kwargs: Any, places: Any, has_aux: bool) -> Any:
    """Return what ``linearized`` does: the result, the pullback, and an aux, each of whole batches.

    ``places`` are the numbers of the arguments to differentiate with respect to, or is one number.
    """
    levels, several = active_levels.get(), not isinstance(places, int)
    wanted = list(dict.fromkeys(places if several else [places]))
    xs = [mapped(lambda x: expanded(x, levels), opened(args[n])) for n in wanted]

    def whole(*raws: Any) -> Any:
        batches = [mapped(lambda raw: Batched(raw, levels), part) for part in raws]
        with activated(levels), leaves_replaced({n: args[n] for n in wanted}, dict(zip(wanted, batches))) as given:
            out = f(*(given.get(n, arg) for n, arg in enumerate(args)), **kwargs)
            return mapped(lambda y: expanded(y, levels), out)

    whole.__name__ = name_of(f)
    with activated(()):
        numbers = [wanted.index(n) for n in places] if several else 0
        out, pullback, aux = linearized(whole, tuple(xs), {}, numbers, has_aux)

    def pullback_for_all(cotangent: Any) -> Any:
        deeper = active_levels.get()[len(levels) :]
        with activated(deeper):
            return mapped(lambda x: from_entry(x, levels, deeper), pullback(mapped(lambda g: as_entry(g, levels, deeper), cotangent)))

    pullback_for_all.results = pullback.results  # type: ignore[attr-defined]
    out, aux = (mapped(lambda y: Batched(y, levels), part) for part in (out, aux))
    return out, pullback_for_all, aux


def as_entry(x: Any, levels: Levels, deeper: Levels) -> Any:
    """Return a batch as the whole array of its outer levels, which is an entry for the deeper ones."""
    if not isinstance(x, Batched) or len(x._levels) <= len(levels):
        return expanded(x, levels)
    k, n = len(levels), len(levels) + len(deeper)
    raw = with_axes(x, (*levels, *deeper), 0)
    raw = np.broadcast_to(raw, (*(level.size for level in levels), *raw.shape[k:]))
    return Batched(np.moveaxis(raw, range(k), range(n - k, n)), deeper)


def from_entry(x: Any, levels: Levels, deeper: Levels) -> Batched:
    """Undo ``as_entry``."""
    if not isinstance(x, Batched):
        return Batched(x, levels)
    k, n = len(levels), len(levels) + len(deeper)
    return Batched(np.moveaxis(x._raw, range(n - k, n), range(k)), (*levels, *deeper))


@contextmanager
def leaves_replaced(tree: Any, part: Any) -> Iterator[Any]:
    """Give a tree other leaves, for a while: a module stays the same object, with other parameters.

    ``part`` has the tree's structure, with a dict of parameters by their paths in the place of each module.
    """
    undo: list[tuple[dict[str, Any], str, Any]] = []

    def replaced(tree: Any, part: Any) -> Any:
        if is_module(tree):
            new = {id(parameter): part[path] for path, parameter in tree.named_parameters() if path in part}
            for attributes in [vars(module) for _, module in tree.named_modules()]:
                for name, value in list(attributes.items()):
                    if any(id(x) in new for x in leaves(value)):
                        undo.append((attributes, name, value))
                        attributes[name] = mapped(lambda x: new.get(id(x), x), value)
            return tree
        if isinstance(tree, dict):
            return rebuilt(tree, leaves([replaced(x, part[key]) for key, x in tree.items()]))
        if isinstance(tree, (tuple, list)):
            return rebuilt(tree, leaves([replaced(x, y) for x, y in zip(tree, part)]))
        return part

    try:
        yield replaced(tree, part)
    finally:
        for attributes, name, value in reversed(undo):
            attributes[name] = value


def rows_at_once(f: Callable[..., Any], tree: Any) -> Any:
    """Return f of each row of a tree of arrays, with the results as rows again: ``vmap(f)(tree)`` for an f that draws nothing."""
    outer = active_levels.get()
    k, levels = len(outer), (*outer, Level(len(leaves(tree)[0])))
    with activated(levels):
        out = f(mapped(lambda x: Batched(x[(None,) * k] if k else x, levels), tree))
    return mapped(lambda y: one_level_less(y, levels), out)


def one_level_less(y: Any, levels: Levels) -> Any:
    """Return a value with the entries of the innermost vmap written out, as the first axis of what it is for the others."""
    k, raw = len(levels) - 1, at_levels(y, levels)._raw
    shape = (*raw.shape[:k], levels[-1].size, *raw.shape[k + 1 :])
    raw = raw if raw.shape == shape else np.broadcast_to(raw, shape)
    return Batched(raw, levels[:-1]) if k else raw
