"""What the namespace can do, as the standard asks for it: ``xp.__array_namespace_info__()``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .standard import DEVICE, on_cpu

KINDS = {
    "bool": ["bool"],
    "signed integer": ["int8", "int16", "int32", "int64"],
    "unsigned integer": ["uint8", "uint16", "uint32", "uint64"],
    "real floating": ["float32", "float64"],
    "complex floating": ["complex64", "complex128"],
}
KINDS["integral"] = KINDS["signed integer"] + KINDS["unsigned integer"]
KINDS["numeric"] = KINDS["integral"] + KINDS["real floating"] + KINDS["complex floating"]


class Info:
    """What the namespace can do.

    Examples
    --------
    >>> from tinygrad_hw import array_api as xp
    >>> info = xp.__array_namespace_info__()
    >>> info.capabilities()["boolean indexing"], info.default_device(), info.devices(), info.default_dtypes()["indexing"]
    (True, 'cpu', ['cpu'], dtype('int64'))
    >>> info.dtypes(kind="complex floating")
    {'complex64': dtype('complex64'), 'complex128': dtype('complex128')}
    """

    def capabilities(self) -> dict[str, Any]:
        """Return which optional parts of the standard are there."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return the device of new tensors."""
        return DEVICE

    def devices(self) -> list[str]:
        """Return the devices that there are."""
        return [DEVICE]

    def default_dtypes(self, *, device: Any = None) -> dict[str, Any]:
        """Return the dtypes of new tensors.

        Parameters
        ----------
        device : "cpu", optional

        Returns
        -------
        dict of dtype by kind
        """
        on_cpu(device)
        return {
            "real floating": np.dtype(np.float64), "complex floating": np.dtype(np.complex128),
            "integral": np.dtype(np.int64), "indexing": np.dtype(np.int64),
        }  # fmt: skip

    def dtypes(self, *, device: Any = None, kind: Any = None) -> dict[str, Any]:
        """Return the dtypes, of a kind or of several (a tuple), by their names.

        Parameters
        ----------
        device : "cpu", optional
        kind : str, or tuple of str, optional

        Returns
        -------
        dict of dtype by name

        Raises
        ------
        ValueError
            If there is no such kind.
        """
        on_cpu(device)
        kinds = ("bool", "numeric") if kind is None else kind if isinstance(kind, tuple) else (kind,)
        if unknown := [k for k in kinds if k not in KINDS]:
            raise ValueError(f"there is no kind of dtypes {unknown[0]!r}: there are {', '.join(KINDS)}")
        return {name: np.dtype(name) for k in kinds for name in KINDS[k]}
