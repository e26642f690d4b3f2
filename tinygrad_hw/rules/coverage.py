"""Which public functions of numpy, numpy.linalg and numpy.fft have a derivative here, and by what.

``places()`` gives every function its place, ``report()`` prints them with totals (``python -m tinygrad_hw.rules``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import fill
from typing import Any

import numpy as np

from .table import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS

__all__ = ["functions", "place", "places", "report"]

MODULES = {"numpy": np, "numpy.linalg": np.linalg, "numpy.fft": np.fft}

PLACES = {
    "rule": "a row of the table: its derivative, written in NumPy",
    "composition": "written in functions that have rules",
    "no derivative": "takes tensors and gives plain arrays: comparisons, searches, counts, queries, files",
    "conversion": "makes a plain array, and refuses a tensor that requires a gradient rather than drop its graph",
    "takes no array": "makes arrays from numbers or files, or is about dtypes, printing and settings",
    "not yet": "has a derivative, and no rule here",
}


def words(text: str) -> set[str]:
    return set(text.split())


CONVERSIONS = words(
    "array asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray asmatrix bmat from_dlpack fromiter require"
)

TAKES_NO_ARRAY = words(
    """
    arange bartlett base_repr binary_repr blackman broadcast_shapes datetime_data diag_indices empty eye fftfreq
    format_float_positional format_float_scientific frombuffer fromfile fromfunction frompyfunc fromregex fromstring full
    genfromtxt get_include get_printoptions getbufsize geterr geterrcall hamming hanning identity indices info isdtype isfortran
    issubdtype kaiser load loadtxt mask_indices mintypecode nested_iters ones printoptions promote_types rfftfreq
    set_printoptions setbufsize seterr seterrcall show_config show_runtime test tri tril_indices triu_indices typename zeros
    """
)

CALLS_OTHERS = {"row_stack"}  # NumPy's own code only calls a function that has a place

NOT_YET: dict[str, str] = {}  # name: why, in one line


def functions(module: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the names and functions that a module makes public, classes left out."""
    for name in sorted(dir(module)):
        function = getattr(module, name)
        if not name.startswith("_") and callable(function) and not isinstance(function, type):
            yield name, function


def place(name: str, function: Callable[..., Any]) -> str | None:
    """Return which of ``PLACES`` a function has, or None if nobody gave it one."""
    if function in RULES or function in SPELLINGS:
        return "rule"
    if function in COMPOSITIONS or name in CALLS_OTHERS:
        return "composition"
    if function in NO_DERIVATIVE:
        return "no derivative"
    listed = {"conversion": CONVERSIONS, "takes no array": TAKES_NO_ARRAY, "not yet": NOT_YET}
    return next((where for where, names in listed.items() if name in names), None)


def places() -> dict[str, dict[str, str | None]]:
    """Return for each module the place of each of its functions."""
    return {title: {name: place(name, function) for name, function in functions(module)} for title, module in MODULES.items()}


def report() -> str:
    """Return the coverage as text: each module's functions by place, then the totals."""
    lines, totals = [f"NumPy {np.__version__}"], dict.fromkeys(PLACES, 0)
    for title, found in places().items():
        lines.append(f"\n{title}")
        for where in PLACES:
            names = [name for name, its_place in found.items() if its_place == where]
            totals[where] += len(names)
            if names:
                lines.append(fill(f"{where} ({len(names)}): {' '.join(names)}", 120, initial_indent="  ", subsequent_indent="      "))
    lines.append("\ntotal")
    lines += [f"  {totals[where]:4}  {where:14}  {meaning}" for where, meaning in PLACES.items()]
    return "\n".join([*lines, *(f"        {name}: {why}" for name, why in NOT_YET.items())])
