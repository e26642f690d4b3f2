"""Modules: parts of a network, which hold parameters and other modules in their attributes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from reprlib import recursive_repr
from typing import Any, TypeVar

import numpy as np

from ..graph import next_number
from ..tensor import Tensor

__all__ = ["Module"]

Self = TypeVar("Self", bound="Module")


class Module:
    """A part of a network: it holds parameters and other modules in its attributes, and ``forward`` computes with them.

    A parameter is any attribute that is a leaf Tensor with ``requires_grad=True``; no declaration, no ``super().__init__()``.
    (The result of an operation is no leaf: write ``Tensor(0.1 * values, requires_grad=True)``, not ``0.1 * Tensor(...)``.)
    Modules and tensors in lists, tuples and dicts are found as well. Each is called by its path, as ``fc1.weight`` or
    ``layers.0.bias``; what is reached by two paths counts once, under the first. A tensor without a name is given its path.

    Attributes
    ----------
    training : bool
        Whether layers such as ``Dropout`` behave as in training; set by ``train()`` and ``eval()``.
    """

    training = True
    _path = ""  # what the outermost module that holds this one calls it

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``forward(*args, **kwargs)``."""
        before = next_number()
        output = self.forward(*args, **kwargs)
        for _, tensor in _walk(output, "", set()):
            if isinstance(tensor, Tensor) and tensor._node.rule is not None and tensor._node.number > before:
                tensor._node.calls += ((before, self._path or type(self).__name__),)
        return output

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for path, found in _walk(value, name, set()):
            _give_path(found, path)

    # What it holds
    def named_modules(self) -> list[tuple[str, Module]]:
        """Return this module, under the path "", and every module within it, each with its path."""
        return [(path, found) for path, found in _walk(self, "", set()) if isinstance(found, Module)]

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Return every parameter with its path."""
        return [(path, tensor) for path, tensor in self._leaves().items() if tensor.requires_grad]

    def parameters(self) -> list[Tensor]:
        """Return every parameter."""
        return [tensor for _, tensor in self.named_parameters()]

    def _leaves(self) -> dict[str, Tensor]:
        """Return every leaf tensor by its path: the parameters, and those that need no gradient."""
        leaves: dict[str, Tensor] = {}
        for path, found in _walk(self, "", set()):
            _give_path(found, path)
            if isinstance(found, Tensor) and found._node.rule is None:
                if path in leaves:
                    raise ValueError(f"two tensors have the path {path!r}: rename an attribute or a key")
                leaves[path] = found
        return leaves

    # Training or not
    def train(self: Self, mode: bool = True) -> Self:
        """Put this module and every one within it in training mode (or out of it); return this module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Take this module and every one within it out of training mode; return this module."""
        return self.train(False)

    # Saving
    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of the values of every leaf tensor by its path: the parameters, and those that need no gradient."""
        return {path: tensor.numpy() for path, tensor in self._leaves().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Set every leaf tensor to its values in a state_dict.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            An entry for each path that ``state_dict()`` has, of its shape, and of a dtype that its dtype can hold.

        Raises
        ------
        ValueError
            If entries are missing, unexpected, or have another shape or kind of numbers; it names them all,
            and nothing has changed.
        """
        own = self._leaves()
        arrays = {path: np.asarray(state_dict[path]) for path in own if path in state_dict}
        problems = {
            "missing": [f"{path} {own[path].shape}" for path in own if path not in arrays],
            "unexpected": [f"{path} {np.shape(state_dict[path])}" for path in state_dict if path not in own],
            "misshapen": [f"{path} {a.shape}, not {own[path].shape}" for path, a in arrays.items() if a.shape != own[path].shape],
            "of another kind": [
                f"{path} {a.dtype}, not {own[path].dtype}"
                for path, a in arrays.items()
                if not np.can_cast(a.dtype, own[path].dtype, "same_kind")
            ],
        }
        if any(problems.values()):
            lines = [f"  {what}: {'; '.join(entries)}" for what, entries in problems.items() if entries]
            raise ValueError("\n".join([f"the state does not fit {type(self).__name__}, which is as it was", *lines]))
        for path, array in arrays.items():
            own[path].data = array

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``state_dict()`` to a file of NumPy's .npz format, under exactly this name."""
        import zipfile  # (slow to import, and seldom needed)

        state = self.state_dict()
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in state.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set every leaf tensor to its values in a file that ``save`` wrote; errors as in ``load_state_dict``."""
        import zipfile

        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError(f"{os.fspath(path)!r} is no .npz file")
            file.seek(0)
            with np.load(file) as archive:
                self.load_state_dict(archive)

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{path}: {found.shape if isinstance(found, Tensor) else found!r}" for path, found in _held(vars(self), "")]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)" if lines else f"{type(self).__name__}()"


def _held(value: Any, path: str) -> Iterator[tuple[str, Tensor | Module]]:
    """Yield with its path each tensor and module that a value is, or holds in lists, tuples and dicts."""
    if isinstance(value, (Tensor, Module)):
        yield path, value
    elif isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held(part, f"{path}.{key}" if path else str(key))


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor | Module]]:
    """Yield with its path each tensor and module that a value is or holds, those in modules too, each once."""
    for at, found in _held(value, path):
        key = id(found._node if isinstance(found, Tensor) else found)
        if key not in seen:
            seen.add(key)
            yield at, found
            if isinstance(found, Module):
                yield from _walk(vars(found), at, seen)


def _give_path(found: Tensor | Module, path: str) -> None:
    """Call what has no name, or is known by the end of its path, by its whole path."""
    if isinstance(found, Module):
        if not found._path or path.endswith(f".{found._path}"):
            vars(found)["_path"] = path
    elif found._node.rule is None and (not found.name or path.endswith(f".{found.name}")):
        found.name = path
