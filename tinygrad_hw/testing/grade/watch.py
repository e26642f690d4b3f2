"""Run somebody's code and note every array that its lines make.

``Watcher(files).run(f, ...)`` calls f under ``sys.settrace``. After each line of those files it compares the arrays that can be reached
from the frame (local names, entries of lists and dicts, attributes of objects) with those before; what is new or changed is an ``Event``:
where it was made, what it was called, its value, and the events whose arrays the line read.
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

__all__ = ["Call", "Crash", "Event", "Stopped", "Watcher", "quietly", "reachable", "time_limit"]

DEEPEST = 3  # how many containers or objects an array may lie in
GRACE = 0.2  # seconds that the tracer has to stop code itself, which it does at the end of a line
LARGEST = 10**6  # entries of an array that is looked at
SIMPLE = (ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.JoinedStr, ast.FormattedValue, ast.operator, ast.unaryop, ast.Load)


class Stopped(BaseException):
    """The code has been watched for long enough; no ``except Exception`` of the code holds it up."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let what is printed, and warnings, go nowhere."""
    sink = io.StringIO()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def time_limit(seconds: float, note: Callable[[FrameType | None], None] = lambda frame: None) -> Iterator[None]:
    """Raise ``Stopped`` in the code inside after so many seconds: in loops of one line too, which no tracer sees."""
    thread, lock = threading.get_ident(), threading.Lock()
    is_over = False

    def stop() -> None:
        with lock:
            if not is_over:
                note(sys._current_frames().get(thread))
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Stopped))

    timer = threading.Timer(max(seconds, 0.0) + GRACE, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            is_over = True
        timer.cancel()


@dataclass
class Event:
    """An array that a line made.

    Attributes
    ----------
    number : counted from 0, in the order of time.
    line, text : where, and the source of that line.
    name : what the array is called there, ``delta2`` or ``self.W3`` or ``grads['W3']``; empty for what is returned without a name.
    value, before : a copy of it; a copy of what had the name before, if anything.
    array : the array itself.
    reads : the numbers of the events whose arrays the line read, and of the events inside the functions that it called.
    call : the call of a function that the line belongs to.
    helpers : the calls, from this line, of functions that work entry by entry.
    """

    number: int
    line: int
    text: str
    name: str
    value: np.ndarray
    before: np.ndarray | None
    array: Any
    reads: tuple[int, ...]
    call: Call
    helpers: tuple[Call, ...] = ()


@dataclass(frozen=True)
class Element:
    """What makes one array in a statement: on which line it stands, and the events that it reads."""

    line: int
    reads: tuple[int, ...]


@dataclass
class Call:
    """A call of a function of the code."""

    function: str
    code: CodeType
    caller: Call | None
    arguments: list[np.ndarray]
    line: int = 0
    returned: Any = None
    bindings: dict[str, tuple[Any, np.ndarray]] = field(default_factory=dict)
    elements: dict[str, Element] = field(default_factory=dict)  # what the line makes, by name; under "" the whole line
    inner: list[int] = field(default_factory=list)
    helpers: list[Call] = field(default_factory=list)
    text: str = ""

    @property
    def is_helper(self) -> bool:
        """Whether the call takes one array and returns one of its shape, as a function applied entry by entry does."""
        if self.caller is None or len(self.arguments) != 1 or isinstance(self.returned, (tuple, list, dict)):
            return False
        return is_number(self.returned) and np.shape(self.returned) == self.arguments[0].shape


@dataclass
class Crash:
    """An exception that ended the code: at which line, with what, and the arrays that the line read."""

    line: int
    text: str
    error: BaseException
    traceback: str
    operands: list[tuple[str, np.ndarray]]
    reads: tuple[int, ...]
    timed_out: bool = False


class Watcher:
    """Watches the functions of some files.

    Attributes
    ----------
    events : what was made, in the order of time.
    calls : the calls of the files' functions.
    crash : what ended the code before its end, or None.
    """

    def __init__(self, files: set[str], seconds: float = 10.0, enough: Callable[[Watcher], bool] | None = None) -> None:
        self.files, self.enough = files, enough
        self.deadline = time.monotonic() + seconds
        self.seconds = seconds
        self.sources = {file: Source(file) for file in files}
        self.events: list[Event] = []
        self.calls: list[Call] = []
        self.crash: Crash | None = None
        self.returned: set[CodeType] = set()  # the functions that have returned something
        self.frames: dict[FrameType, Call] = {}
        self.known: dict[int, tuple[Any, bytes, int | None]] = {}  # id → the array, its content, the event that made it

    def run(self, f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call f and return its result; None where it ended early. What the code prints is thrown away."""
        before = sys.gettrace()
        try:
            with quietly(), time_limit(self.deadline - time.monotonic(), self.note_time_out):
                sys.settrace(self.on_call)
                return f(*args, **kwargs)
        except Stopped:
            return None
        except (Exception, SystemExit) as error:
            sys.settrace(before)
            self.crash = self.crash or self.crashed(error)
            return None
        finally:
            sys.settrace(before)

    # What Python calls while the code runs
    def on_call(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Begin to watch a function, if it is one of the files'."""
        if frame.f_code.co_filename not in self.files:
            return None
        above = self.watched_above(frame)
        caller = self.frames[above] if above is not None else None
        if above is not None and caller is not None:
            self.note(above, caller)  # what the line has made so far
        call = Call(frame.f_code.co_name, frame.f_code, caller, [np.array(x) for x in frame.f_locals.values() if is_number(x)])
        self.calls.append(call)
        self.frames[frame] = call
        for name, array in self.arrays(frame):
            call.bindings[name] = (array, np.array(array))
            self.known.setdefault(id(array), (array, content(array), None))
        return self.on_line

    def on_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        """Note what the line before made, and what the line to come reads."""
        call = self.frames[frame]
        if event in ("line", "return"):
            self.note(frame, call)
        if event == "line":
            self.check_time(frame)
            call.line, call.inner, call.helpers = frame.f_lineno, [], []
            call.elements = self.elements(frame)
            if self.enough is not None and self.enough(self):
                raise Stopped
        elif event == "return":
            self.note_returned(frame, call, arg)
            del self.frames[frame]
        return self.on_line

    def watched_above(self, frame: FrameType) -> FrameType | None:
        """Return the frame of the files that a frame was called from, through frames of other files."""
        above = frame.f_back
        while above is not None and above not in self.frames:
            above = above.f_back
        return above

    def check_time(self, frame: FrameType) -> None:
        """Stop the code when its time is over."""
        if time.monotonic() > self.deadline:
            self.note_time_out(frame)
            raise Stopped

    def note_time_out(self, frame: FrameType | None) -> None:
        """Note the line of the files at which the time was over."""
        while frame is not None and frame.f_code.co_filename not in self.files:
            frame = frame.f_back
        error = TimeoutError(f"not finished after {self.seconds:g} seconds")
        line = frame.f_lineno if frame is not None else 0
        text = self.sources[frame.f_code.co_filename].text(line) if frame is not None else ""
        self.crash = Crash(line, text, error, "", [], (), timed_out=True)

    # Events
    def note(self, frame: FrameType, call: Call) -> None:
        """Note every array that is new or changed since the last line."""
        if not call.line:
            return
        for name, array in self.arrays(frame):
            was = call.bindings.get(name)
            bound = was is None or was[0] is not array
            known = self.known.get(id(array))
            now = content(array)
            if known is None or known[1] != now:
                self.add(frame, call, name, array, was[1] if was else None, ())
            elif bound and known[2] is not None and (known[2] in call.inner or self.is_assigned(frame, call, name)):
                self.add(frame, call, name, array, was[1] if was else None, (known[2],))
            if bound or (known is not None and known[1] != now):
                call.bindings[name] = (array, np.array(array))

    def is_assigned(self, frame: FrameType, call: Call, name: str) -> bool:
        """Tell whether the line of a call only gives an array another name."""
        statement = self.sources[frame.f_code.co_filename].statement(call.line)
        return isinstance(statement, ast.Assign) and name in [spelled(target, frame) for target in statement.targets]

    def add(self, frame: FrameType, call: Call, name: str, array: Any, before: Any, reads: tuple[int, ...]) -> None:
        """Add an event for an array under a name."""
        element = call.elements.get(name, call.elements[""])
        inner = [k for k in call.inner if self.events[k].name == "" or not self.events[k].call.is_helper]
        line, read, text = element.line, element.reads, self.sources[frame.f_code.co_filename].text(element.line)
        earlier = self.known.get(id(array))
        again = (earlier[2],) if earlier and earlier[2] is not None and not reads and before is not None else ()
        is_alone = bool(reads) and not self.events[reads[0]].call.is_helper  # (another name for an array was made from that alone)
        found = reads if is_alone else tuple(dict.fromkeys((*reads, *read, *inner, *again)))
        event = Event(len(self.events), line, text, name, np.array(array), before, array, found, call, tuple(call.helpers))
        self.events.append(event)
        self.known[id(array)] = (array, content(array), event.number)
        if call.caller is not None:
            call.caller.inner.append(event.number)

    def note_returned(self, frame: FrameType, call: Call, value: Any) -> None:
        """Note arrays that a function returns without having given them a name."""
        call.returned = value
        self.returned |= {frame.f_code} if value is not None else set()
        call.elements = self.elements(frame)
        call.text = self.sources[frame.f_code.co_filename].text(call.line)
        if call.caller is not None and call.is_helper:
            call.caller.helpers.append(call)
        for name, array in reachable(value, "", self.is_users):
            if id(array) not in self.known or self.known[id(array)][1] != content(array):
                self.add(frame, call, name, array, None, ())
            number = self.known[id(array)][2]
            if number is not None and call.caller is not None:
                call.caller.inner.append(number)

    def arrays(self, frame: FrameType) -> Iterator[tuple[str, Any]]:
        """Yield the arrays that can be reached from a frame, with what they are called."""
        for name, value in list(frame.f_locals.items()):
            yield from reachable(value, name, self.is_users)

    def is_users(self, value: Any) -> bool:
        """Tell whether an object is one of a class of the files."""
        code = getattr(getattr(type(value), "__init__", None), "__code__", None)
        return code is not None and code.co_filename in self.files

    # What a line reads
    def elements(self, frame: FrameType) -> dict[str, Element]:
        """Return what the line to come makes: under "" all of it, and by name where it makes several arrays."""
        statement = self.sources[frame.f_code.co_filename].statement(frame.f_lineno)
        if statement is None:
            return {"": Element(frame.f_lineno, ())}
        found = {name: Element(node.lineno, self.read_by(node, frame)) for name, node in parts_made(statement, frame) if name}
        reads = tuple(dict.fromkeys(k for node in headers(statement) for k in self.read_by(node, frame)))
        return {**found, "": Element(statement.lineno, reads)}

    def read_by(self, node: ast.AST, frame: FrameType) -> tuple[int, ...]:
        """Return the numbers of the events whose arrays an expression reads."""
        found = [self.known[id(array)][2] for _, array in self.operands(node, frame) if id(array) in self.known]
        return tuple(dict.fromkeys(k for k in found if k is not None))

    def operands(self, node: ast.AST, frame: FrameType) -> Iterator[tuple[str, Any]]:
        """Yield the arrays that an expression names, with their source."""
        if isinstance(node, (ast.Lambda, ast.FunctionDef, ast.ClassDef)):
            return
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            done, value = resolved(node, frame)
            if done:
                yield from ((ast.unparse(node) + name, array) for name, array in reachable(value, "", lambda _: False))
                return
        for child in ast.iter_child_nodes(node):
            yield from self.operands(child, frame)

    def crashed(self, error: BaseException) -> Crash:
        """Describe what ended the code: where in the files, and the traceback through them alone."""
        steps = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename in self.files]
        own = [(frame, line) for frame, line in steps if frame in self.frames] or steps
        while len(own) > 1 and own[-1][0].f_code in self.returned:
            own.pop()  # a function that has worked before was given something wrong
        told = "".join(
            traceback.format_list([summary for summary in traceback.extract_tb(error.__traceback__) if summary.filename in self.files])
        )
        told = f"Traceback (most recent call last):\n{told}" + "".join(traceback.format_exception_only(type(error), error))
        if isinstance(error, SyntaxError) or not own:
            return Crash(error.lineno or 0 if isinstance(error, SyntaxError) else 0, "", error, told, [], ())
        frame, line = own[-1]
        source = self.sources[frame.f_code.co_filename]
        statement = source.statement(line)
        nodes = headers(statement) if statement is not None else []
        operands = [(name, np.array(array)) for node in nodes for name, array in self.operands(node, frame)]
        reads = tuple(k for node in nodes for k in self.read_by(node, frame))
        first = statement.lineno if statement is not None else line
        return Crash(first, source.text(first), error, told, operands, reads)


class Source:
    """The statements of a file, by line."""

    def __init__(self, file: str) -> None:
        self.lines = linecache.getlines(file)
        self.statements: dict[int, ast.stmt] = {}
        with contextlib.suppress(SyntaxError):
            for node in ast.walk(ast.parse("".join(self.lines))):
                if isinstance(node, ast.stmt) and not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                    first = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
                    end = first[0].lineno - 1 if first else node.end_lineno or node.lineno
                    for line in range(node.lineno, max(end, node.lineno) + 1):
                        self.statements[line] = node

    def statement(self, line: int) -> ast.stmt | None:
        """Return the statement that a line belongs to."""
        return self.statements.get(line)

    def text(self, line: int) -> str:
        """Return a line, without what indents it."""
        return self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""


def parts_made(statement: ast.stmt, frame: FrameType) -> list[tuple[str, ast.expr]]:
    """Return the parts of a statement that make one array each, by its name: of ``return {...}``, ``a, b = ..., ...`` and such."""
    if isinstance(statement, ast.Return) and statement.value is not None:
        return list(displayed(statement.value, ""))
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
            return [(spelled(t, frame), value) for t, value in zip(target.elts, statement.value.elts)]
        return list(displayed(statement.value, spelled(target, frame)))
    return []


def spelled(target: ast.expr, frame: FrameType) -> str:
    """Return what a target is called: ``grads[2]`` for ``grads[l]`` where l is 2."""
    if isinstance(target, ast.Subscript):
        done, index = evaluated(target.slice, frame)
        return f"{spelled(target.value, frame)}[{index!r}]" if done else ast.unparse(target)
    if isinstance(target, ast.Attribute):
        return f"{spelled(target.value, frame)}.{target.attr}"
    return ast.unparse(target)


def evaluated(index: ast.expr, frame: FrameType) -> tuple[bool, Any]:
    """Return whether an index is made of names, numbers and text alone, and its value."""
    if not all(isinstance(part, SIMPLE) for part in ast.walk(index)):
        return False, None
    try:
        return True, eval(compile(ast.Expression(index), "<index>", "eval"), frame.f_globals, dict(frame.f_locals))
    except Exception:  # an index that does not fit: the line itself will say so
        return False, None


def displayed(node: ast.expr, name: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield the elements of tuples, lists, dicts and calls of ``dict``, written out, with what each is called."""
    if isinstance(node, (ast.Tuple, ast.List)):
        for k, part in enumerate(node.elts):
            yield from displayed(part, f"{name}[{k}]")
    elif isinstance(node, ast.Dict):
        for key, part in zip(node.keys, node.values):
            if isinstance(key, ast.Constant):
                yield from displayed(part, f"{name}[{key.value!r}]")
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        for keyword in node.keywords:
            yield from displayed(keyword.value, f"{name}[{keyword.arg!r}]")
    elif name:
        yield name, node


def headers(statement: ast.stmt) -> list[ast.AST]:
    """Return the expressions that a statement reads itself: of a loop what it runs over, of a branch its condition."""
    return [child for child in ast.iter_child_nodes(statement) if not isinstance(child, (ast.stmt, ast.excepthandler))]


def resolved(node: ast.AST, frame: FrameType) -> tuple[bool, Any]:
    """Return whether a chain of names, attributes and subscripts leads to an array (or to a container of such), and to which."""
    if isinstance(node, ast.Name):
        value = frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    elif isinstance(node, ast.Attribute):
        done, value = resolved(node.value, frame)
        if done and is_number(value):
            return True, value
        value = vars(value).get(node.attr) if hasattr(value, "__dict__") else None
    elif isinstance(node, ast.Subscript):
        done, value = resolved(node.value, frame)
        if done and is_number(value):
            return True, value
        known, index = evaluated(node.slice, frame)
        if not isinstance(value, (dict, list, tuple)) or not known:
            return False, None
        try:
            value = value[index]
        except (LookupError, TypeError):
            return False, None
    else:
        return False, None
    return is_number(value) or isinstance(value, (dict, list, tuple)), value


def reachable(value: Any, name: str, opened: Callable[[Any], bool], depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
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
    """Tell whether a value is an array, or one of NumPy's numbers, that is looked at."""
    return isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub" and value.size <= LARGEST


def content(array: Any) -> bytes:
    """Return what tells the content of an array from another's."""
    return bytes(str((array.shape, array.dtype)), "ascii") + array.tobytes()
