"""States in files: nested dicts and lists of arrays and numbers, in NumPy's .npz format, whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["load", "save"]

STRUCTURE = "structure.json"  # the entry that says how the arrays of a file are nested


def save(path: str | os.PathLike[str], **parts: Any) -> None:
    """Write the states of several objects to one file; if that fails, what was there before is kept.

    Parameters
    ----------
    path : str or path
        The file's exact name. It is a .npz file: ``numpy.load`` reads it.
    **parts : objects with a ``state_dict()``
        Such as modules, optimisers and schedulers.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_hw import nn, optim
    >>> net = nn.Linear(2, 1)
    >>> optimizer = optim.Adam(net.parameters())
    >>> path = os.path.join(tempfile.mkdtemp(), "training.npz")
    >>> nn.save(path, net=net, optimizer=optimizer)
    >>> nn.load(path, net=net, optimizer=optimizer)
    """
    import json  # (slow to import, and seldom needed)

    arrays: dict[str, Any] = {}
    structure = {name: _with_names(part.state_dict(), name, arrays) for name, part in parts.items()}
    write(path, {**arrays, STRUCTURE: np.array(json.dumps(structure))})


def load(path: str | os.PathLike[str], **parts: Any) -> None:
    """Set objects to their states in a file that ``save`` wrote; after an error all are as they were.

    Parameters
    ----------
    path : str or path
    **parts : objects with ``state_dict()`` and ``load_state_dict(state)``
        All that were saved, by the same names.

    Raises
    ------
    ValueError
        If the file holds other names, or a state does not fit.

    Examples
    --------
    >>> import os, tempfile
    >>> from tinygrad_hw import nn
    >>> net = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nn.save(os.path.join(folder, "model.npz"), net=net)
    ...     nn.load(os.path.join(folder, "model.npz"), net=net)
    """
    import json  # (slow to import, and seldom needed)

    arrays = read(path)
    if STRUCTURE not in arrays:
        raise ValueError(f"{os.fspath(path)!r} holds no states of several objects: Module.load reads what Module.save wrote")
    states = {name: _with_arrays(part, arrays) for name, part in json.loads(str(arrays[STRUCTURE])).items()}
    if states.keys() != parts.keys():
        raise ValueError(f"{os.fspath(path)!r} holds {', '.join(states) or 'nothing'}, and what is to be loaded is {', '.join(parts)}")
    before = {name: part.state_dict() for name, part in parts.items()}
    try:
        for name, part in parts.items():
            part.load_state_dict(states[name])
    except BaseException:
        for name, part in parts.items():
            part.load_state_dict(before[name])
        raise


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to a file of NumPy's .npz format, under exactly this name: to a temporary one beside it, which then takes its place."""
    import shutil  # (slow to import, and seldom needed)
    import zipfile  # (slow to import, and seldom needed)

    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.{threading.get_ident()}.part"
    try:
        with open(temporary, "xb") as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def read(path: str | os.PathLike[str], check: Callable[[dict[str, np.ndarray]], Any] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a .npz file by their names.

    Before they are read, ``check`` gets arrays of their shapes and dtypes that take no memory. Without it the file must not be
    compressed, so that the arrays are no larger than it.
    """
    import zipfile  # (slow to import, and seldom needed)

    file_name = repr(os.fspath(path))
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"{file_name} is no .npz file")
        try:
            with zipfile.ZipFile(file) as archive:
                placeholders = {entry.filename.removesuffix(".npy"): _placeholder(archive, entry) for entry in archive.infolist()}
                compressed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file_name} is no whole .npz file: {error}") from error
        if check is not None:
            check(placeholders)
        elif compressed:
            raise ValueError(f"{file_name} is compressed, as nn.save writes none: {', '.join(compressed)}")
        file.seek(0)
        with np.load(file) as arrays:
            return dict(arrays)


def _placeholder(archive: Any, entry: Any) -> np.ndarray:
    """Return an array of the shape and dtype in the header of an archive's entry, which takes no memory."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0(file) if version == (1, 0) else np.lib.format.read_array_header_2_0(file)
    array = np.broadcast_to(np.zeros((), header[2]), header[0])
    if array.nbytes > entry.file_size:
        raise ValueError(f"{entry.filename} is cut off")
    return array


def _with_names(state: Any, path: str, arrays: dict[str, Any]) -> Any:
    """Collect the arrays of a nested state in ``arrays`` by their paths; return the state with these names in their places, for JSON."""
    if isinstance(state, dict):
        return {"dict": {key: _with_names(part, f"{path}/{key}", arrays) for key, part in state.items()}}
    if isinstance(state, (list, tuple)):
        return [_with_names(part, f"{path}/{i}", arrays) for i, part in enumerate(state)]
    if state is None or type(state) in (bool, int, float, str):
        return state
    while path in arrays:
        path += "_"
    arrays[path] = state
    return {"array": path}


def _with_arrays(state: Any, arrays: Mapping[str, Any]) -> Any:
    """Return a nested state with its arrays in the places of their names."""
    if isinstance(state, list):
        return [_with_arrays(part, arrays) for part in state]
    if isinstance(state, dict):
        return arrays[state["array"]] if "array" in state else {key: _with_arrays(part, arrays) for key, part in state["dict"].items()}
    return state
