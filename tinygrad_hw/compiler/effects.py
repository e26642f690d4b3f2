"""What a recorded function does that cannot be watched or repeated: it prints, reads the clock, a file or the environment's randomness.

Such calls end in C, where Python's profiler sees them.
"""

from __future__ import annotations

import datetime
import gc
import io
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

from .guards import FOREIGN, SETTINGS
from .trace import NUMPY, PACKAGE, Recording, error_at

__all__ = ["watching_calls"]

FUNCTIONS = {print: "print", input: "input", open: "open"}
DIRECTLY = {
    id: "id", globals: "globals", eval: "eval", exec: "exec", np.fromfile: "np.fromfile",
    sys.getrecursionlimit: "sys.getrecursionlimit", sys.getrefcount: "sys.getrefcount",
}  # fmt: skip
MODULES = {"time": "the clock", "posix": "the operating system", "nt": "the operating system", "_socket": "the network", "_io": "a file"}
OBJECTS: dict[type, str] = {io.IOBase: "a file", random.Random: "random", socket.socket: "the network"}
NOT_THE_CODES = ("warnings.py", "linecache.py", "<frozen importlib", "threading.py", "contextlib.py")  # work of Python itself


@contextmanager
def watching_calls(tape: Recording) -> Iterator[None]:
    """Note inside, as the recording's refusal, the first call of the user's code that cannot be watched or repeated.

    No garbage is collected inside: finalisers and others' ``gc.callbacks`` would run as if the user's code called them.
    """
    if sys.getprofile() is not None:  # (somebody else profiles)
        yield
        return

    def profile(frame: FrameType, event: str, function: Any) -> None:
        what = unwatchable(function, line_of_the_user(frame) is frame) if event == "c_call" else None
        if event == "call" and frame.f_code in SETTINGS and line_of_the_user(frame.f_back) is frame.f_back:
            what, frame = SETTINGS[frame.f_code], frame.f_back  # type: ignore[assignment]
        if what and tape.refusal is None and (line := line_of_the_user(frame)) is not None:
            tape.refusal = error_at(line, f"{what} is used, which cannot be watched: it would be as at the first call for ever; {INSTEAD}")

    collecting = gc.isenabled()
    gc.disable()
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)
        if collecting:
            gc.enable()


INSTEAD = "do it outside the compiled function, and give what it needs as an argument"


def unwatchable(function: Any, directly: bool) -> str | None:
    """Return what to call a function of C whose result or effect lies outside the program, or None.

    What tells of the interpreter is one only where the user's code calls it directly.
    """
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, type(sys)):
        name = MODULES.get(getattr(function, "__module__", None) or "")
        known = (DIRECTLY.get(function) if directly else None) or FUNCTIONS.get(function)
        return known or (f"{name} ({function.__name__})" if name else None)
    if owner is datetime.datetime or owner is datetime.date:
        return f"the clock ({function.__name__})" if function.__name__ in ("now", "today", "utcnow") else None
    return next((what for kind, what in OBJECTS.items() if isinstance(owner, kind)), None)


def line_of_the_user(frame: FrameType | None) -> FrameType | None:
    """Return the user's frame that made a call, through functions of Python's library or not; None if this package made it."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith((PACKAGE, NUMPY)) or file.endswith(NOT_THE_CODES) or file.startswith(NOT_THE_CODES):
            return None
        if not file.startswith(FOREIGN):
            return frame
        frame = frame.f_back
    return None
