"""SciPy's special functions, as the namespace offers them: the ufuncs, which take Tensors."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    from scipy.special import _ufuncs  # (the ufuncs themselves: those of scipy.special may ask this namespace for them)

    if name.startswith("_") or not hasattr(_ufuncs, name):
        raise AttributeError(f"scipy.special has no ufunc {name!r}")
    return getattr(_ufuncs, name)
