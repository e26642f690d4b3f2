"""Run somebody's code and note every array that its lines make.

``Watcher(files).run(f, ...)`` calls f under ``sys.settrace``: whatever array can be reached from a frame of those files (names, lists,
dicts, attributes) and is new or changed after a line is an ``Event``. A ``Runner`` runs code as it is, or watches a few arrays.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import io
import linecache
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...trees import content

__all__ = ["Call", "Crash", "Event", "Guard", "Runner", "Source", "Stopped", "Watcher", "quietly", "reachable"]

DEEPEST = 3  # how many containers or objects an array may lie in
POLL = 0.05  # seconds between two looks at the clock
GRACE = 0.2  # seconds that the tracer has to stop code itself, which it does at the end of a line
LARGEST = 10**6  # entries of an array that is looked at


class Stopped(BaseException):
    """The code has been watched for long enough; no ``except Exception`` of the code holds it up."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let what is printed, and warnings, go nowhere."""
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Guard:
    """A thread that raises ``Stopped`` in this one when its time is over: in loops of one line too, which no tracer sees."""

    def __init__(self) -> None:
        self.thread, self.lock = threading.get_ident(), threading.Lock()
        self.until, self.is_over = float("inf"), threading.Event()
        self.note: Callable[[FrameType | None], None] = lambda frame: None

    def __enter__(self) -> Guard:
        threading.Thread(target=self.watch_clock, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.is_over.set()

    def watch_clock(self) -> None:
        """Look at the clock until the code is done."""
        while not self.is_over.wait(POLL):
            with self.lock:
                if time.monotonic() > self.until:
                    self.until = float("inf")
                    self.note(sys._current_frames().get(self.thread))
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread), ctypes.py_object(Stopped))

    @contextlib.contextmanager
    def limit(self, seconds: float, note: Callable[[FrameType | None], None] = lambda frame: None) -> Iterator[None]:
        """Stop the code inside after so many seconds."""
        with self.lock:
            self.note, self.until = note, time.monotonic() + max(seconds, 0.0) + GRACE
        try:
            yield
        finally:
            with self.lock:
                self.until = float("inf")


@dataclass
class Event:
    """An array that a line made."""

    number: int  # counted from 0, in the order of time
    line: int
    text: str  # the source of the line
    name: str  # ``delta2`` or ``self.W3`` or ``grads['W3']``; empty for what is returned without a name
    value: np.ndarray  # a copy
    before: np.ndarray | None  # a copy of what had the name before, if anything
    call: Any  # of the function that the line belongs to


@dataclass
class Call:
    """A call of a function of the code; ``bindings`` are the arrays that it can reach by their names, and copies of them."""

    function: str
    code: CodeType
    caller: Call | None
    arguments: list[np.ndarray]
    line: int = 0
    returned: Any = None
    bindings: dict[str, tuple[Any, np.ndarray]] = field(default_factory=dict)

    @property
    def is_helper(self) -> bool:
        """Whether the call takes one array and returns one of its shape, as a function applied entry by entry does."""
        if self.caller is None or len(self.arguments) != 1 or isinstance(self.returned, (tuple, list, dict)):
            return False
        return is_number(self.returned) and np.shape(self.returned) == self.arguments[0].shape


@dataclass
class Crash:
    """An exception that ended the code: at which line, with what."""

    line: int
    text: str
    error: BaseException
    traceback: str
    timed_out: bool = False


class Runner:
    """Runs functions of some files; every change of the arrays that ``watched`` yields is an event. A guard given is used for its own."""

    def __init__(self, files: set[str], seconds: float = 10.0, guard: Guard | None = None) -> None:
        self.files, self.seconds, self.guard = files, seconds, guard
        self.deadline = time.monotonic() + seconds
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.crash: Crash | None = None  # what ended the code before its end
        self.watched: Callable[[], Iterator[tuple[str, Any]]] | None = None  # yields the arrays to watch, by their names
        self.enough: Callable[[Any], bool] = lambda _: False  # when to stop
        self.content: dict[str, bytes] = {}

    def run(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call f and return its result; None where it ended early. What the code prints is thrown away."""
        tracer = sys.gettrace()
        try:
            with contextlib.ExitStack() as stack:
                guard = self.guard or stack.enter_context(quietly()) or stack.enter_context(Guard())
                stack.enter_context(guard.limit(self.deadline - time.monotonic(), self.note_time_out))
                self.begin()
                return f(*args, **kwargs)
        except Stopped:
            return None
        except (Exception, SystemExit) as error:
            sys.settrace(tracer)
            self.crash = self.crash or self.crashed(error)
            return None
        finally:
            sys.settrace(tracer)

    def begin(self) -> None:
        if self.watched is not None:
            self.content = {name: array.tobytes() for name, array in self.watched()}
            sys.settrace(lambda frame, event, arg: self.note_changes if frame.f_code.co_filename in self.files else None)

    def note_changes(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Note which of the arrays have changed."""
        assert self.watched is not None
        for name, array in self.watched():
            content = array.tobytes()
            if content != self.content[name]:
                self.content[name], value = content, np.array(array)
                self.events.append(Event(len(self.events), frame.f_lineno, "", name, value, value, None))
        if self.enough(self):
            raise Stopped
        return self.note_changes

    def note_time_out(self, frame: FrameType | None) -> None:
        """Note that the time was over."""
        self.crash = Crash(0, "", TimeoutError(f"not finished after {self.seconds:g} seconds"), "", timed_out=True)

    def crashed(self, error: BaseException) -> Crash:
        """Describe what ended the code."""
        return Crash(0, "", error, "")


class Watcher(Runner):
    """Watches every array of the functions of some files."""

    def __init__(self, files: set[str], seconds: float = 10.0) -> None:
        super().__init__(files, seconds)
        self.sources = {file: Source(file) for file in files}
        self.frames: dict[FrameType, Call] = {}
        self.known: dict[int, tuple[Any, Any, bool]] = {}  # id → the array, its content, and whether an event made it

    def begin(self) -> None:
        sys.settrace(self.on_call)

    def on_call(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Begin to watch a function, if it is one of the files'."""
        if frame.f_code.co_filename not in self.files:
            return None
        above = frame.f_back
        while above is not None and above not in self.frames:
            above = above.f_back
        caller = self.frames[above] if above is not None else None
        if above is not None and caller is not None:
            self.note(above, caller)  # what the line has made so far
        call = Call(frame.f_code.co_name, frame.f_code, caller, [np.array(x) for x in frame.f_locals.values() if is_number(x)])
        self.calls.append(call)
        self.frames[frame] = call
        for name, array in self.arrays(frame):
            call.bindings[name] = (array, np.array(array))
            self.known.setdefault(id(array), (array, content(array), False))
        return self.on_line

    def on_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Note what the line before made."""
        call = self.frames[frame]
        if event in ("line", "return"):
            self.note(frame, call)
        if event == "line":
            if time.monotonic() > self.deadline:
                self.note_time_out(frame)
                raise Stopped
            call.line = frame.f_lineno
            if self.enough(self):
                raise Stopped
        elif event == "return":
            call.returned = arg
            for name, array in reachable(arg, "", self.is_users):
                if id(array) not in self.known or self.known[id(array)][1] != content(array):
                    self.add(frame, call, name, array, None)
            del self.frames[frame]
        return self.on_line

    def note(self, frame: FrameType, call: Call) -> None:
        """Note every array that is new or changed since the last line, and every new name of one that was made before."""
        if not call.line:
            return
        for name, array in self.arrays(frame):
            was = call.bindings.get(name)
            bound = was is None or was[0] is not array
            known = self.known.get(id(array))
            if known is None or known[1] != content(array) or (bound and known[2]):
                self.add(frame, call, name, array, was[1] if was else None)
                bound = True
            if bound:
                call.bindings[name] = (array, np.array(array))

    def add(self, frame: FrameType, call: Call, name: str, array: Any, before: Any) -> None:
        text = self.sources[frame.f_code.co_filename].text(call.line)
        self.events.append(Event(len(self.events), call.line, text, name, np.array(array), before, call))
        self.known[id(array)] = (array, content(array), True)

    def note_time_out(self, frame: FrameType | None) -> None:
        """Note the line of the files at which the time was over, too."""
        while frame is not None and frame.f_code.co_filename not in self.files:
            frame = frame.f_back
        super().note_time_out(frame)
        line = frame.f_lineno if frame is not None else 0
        text = self.sources[frame.f_code.co_filename].text(line) if frame is not None else ""
        assert self.crash is not None
        self.crash.line, self.crash.text = line, text

    def crashed(self, error: BaseException) -> Crash:
        """Describe what ended the code: where in the files, and the traceback through them alone."""
        steps = [step for step in traceback.extract_tb(error.__traceback__) if step.filename in self.files]
        text = "".join(["Traceback (most recent call last):\n", *traceback.format_list(steps), *traceback.format_exception_only(error)])
        line = (error.lineno or 0) if isinstance(error, SyntaxError) else (steps[-1].lineno or 0) if steps else 0
        return Crash(line, self.sources[steps[-1].filename].text(line) if steps else "", error, text)

    def arrays(self, frame: FrameType) -> Iterator[tuple[str, Any]]:
        """Yield the arrays that can be reached from a frame, with what they are called."""
        for name, value in list(frame.f_locals.items()):
            yield from reachable(value, name, self.is_users)

    def is_users(self, value: Any) -> bool:
        """Return whether an object is one of a class of the files."""
        code = getattr(getattr(type(value), "__init__", None), "__code__", None)
        return code is not None and code.co_filename in self.files


class Source:
    """A file's text, and its tree; an empty one where it is no Python."""

    def __init__(self, file: str) -> None:
        self.lines = linecache.getlines(file)
        self.tree = ast.Module([], [])
        with contextlib.suppress(SyntaxError):
            self.tree = ast.parse("".join(self.lines))

    def text(self, line: int) -> str:
        """Return a line, without what indents it."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def reachable(value: Any, name: str, opened: Callable[[Any], bool] = lambda _: False, depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """Yield the arrays in a value: itself, the entries of lists, tuples and dicts, the attributes of objects that may be opened."""
    if is_number(value):
        yield name, value
    elif depth and isinstance(value, (list, tuple)) and len(value) <= 1000:
        for k, part in enumerate(value):
            yield from reachable(part, f"{name}[{k}]", opened, depth - 1)
    elif depth and isinstance(value, dict):
        for key, part in list(value.items()):
            yield from reachable(part, f"{name}[{key!r}]", opened, depth - 1)
    elif depth and opened(value):
        for key, part in list(vars(value).items()):
            yield from reachable(part, f"{name}.{key}", opened, depth - 1)


def is_number(value: Any) -> bool:
    """Return whether a value is an array, or one of NumPy's numbers, that is looked at."""
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub" and value.size <= LARGEST
