"""Random numbers: a stand-in for a generator, whose draws are inputs of the program, drawn anew at each call.

While a function is recorded, a copy of the user's generator draws in its place, so that the generator itself is left where it is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partialmethod
from typing import Any, NamedTuple

import numpy as np

from ..tensor import Tensor
from ..trees import leaves
from .trace import Recording, Traced

__all__ = ["Draw", "Generator"]

IN_PLACE = {"shuffle", "spawn"}


class Draw(NamedTuple):
    """A call of a generator."""

    generator: np.random.Generator
    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self) -> Any:
        return getattr(self.generator, self.method)(*self.args, **self.kwargs)


class Generator(np.random.Generator):
    """The stand-in for a generator of the user's."""

    def __init__(self, generator: np.random.Generator, tape: Recording, drawn: Callable[[Draw, Any], Traced]) -> None:
        super().__init__(copy.deepcopy(generator.bit_generator))
        self._plain = np.random.Generator(self.bit_generator)  # (whose methods may call each other)
        self._user, self._tape, self._drawn = generator, tape, drawn

    def _draw(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Draw from the copy, and note the draw; for another thread, draw from the user's generator."""
        if self._tape.is_over():
            return getattr(self._user, method)(*args, **kwargs)
        if method in IN_PLACE or kwargs.get("out") is not None:
            raise self._tape.refused(
                f"{method} of a random generator changes something in place: draw random numbers, and compute with them"
            )
        if any(isinstance(x, (Traced, Tensor)) for x in leaves((args, kwargs))):
            raise self._tape.refused(
                f"{method} of a random generator depends on a value that differs from call to call: draw standard random numbers, and "
                "compute with them (mean + deviation * rng.standard_normal(shape))"
            )
        value = getattr(self._plain, method)(*args, **kwargs)
        return self._drawn(Draw(self._user, method, args, kwargs), value)


for _name in dir(np.random.Generator):
    if not _name.startswith("_") and callable(getattr(np.random.Generator, _name)):
        setattr(Generator, _name, partialmethod(Generator._draw, _name))
