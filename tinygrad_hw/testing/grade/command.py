"""The command: one or several files, each in a process of its own that is ended when its time is over."""

from __future__ import annotations

import argparse
import inspect
import io
import multiprocessing
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .assess import assess
from .report import Grade, Sheet, class_page
from .subject import BACKWARD, WHOLE
from .watch import Crash, Watcher
from .words import LANGUAGES, WORDS

__all__ = ["main"]

DESCRIPTION = """
Grade backpropagation that was written by hand in NumPy: say of each line what it is, or what is wrong with it, with the right equation.
A file holds a function that returns gradients (named gradients, backward, backprop ...), or a class with weights in self and methods
forward and backward, or train.
"""
EPILOG = """
A teacher's file defines loss, a function of Tensors with the arguments of the students' function, or of (object, X, y); and example, a
tuple of arguments, or a function that returns one. Without it the file's own forward pass is taken, and X and y are drawn at random.
Exit status: 0 if every gradient of every file is right, 1 if one is wrong, 2 if a file could not be graded.
"""
START_UP = 30.0  # seconds for a process to start, and to compare
POINTS = 21


def main(argv: list[str] | None = None) -> int:
    """Grade files from the command line; 0 if all is right, 1 if something is wrong, 2 if a file could not be graded."""
    parser = argparse.ArgumentParser(prog="python -m tinygrad_hw.testing.grade", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("files", nargs="+", type=Path, metavar="homework.py", help="what to grade")
    parser.add_argument("--teacher", type=Path, metavar="FILE", help="a file with loss and example")
    parser.add_argument("--name", default="", help="which function or class of the files to grade, where that cannot be guessed")
    parser.add_argument("--language", default="en", choices=LANGUAGES, help="of the report (en)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page: marks for each equation, and every report")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long a file may run (10)")
    options = parser.parse_args(argv)
    for file in [*options.files, *([options.teacher] if options.teacher else [])]:
        if not file.is_file():
            parser.error(f"there is no file {str(file)!r}")
    sheets = []
    for file in options.files:
        sheet = in_own_process(file, options)
        sheets.append(sheet)
        print(f"{sheet.text}\n" if file is not options.files[-1] else sheet.text, flush=True)
    if options.html is not None:
        try:
            options.html.write_text(class_page(sheets, options.language), encoding="utf-8")
        except OSError as error:
            parser.error(f"cannot write {str(options.html)!r}: {error.strerror}")
    return 2 if any(not sheet.is_graded for sheet in sheets) else int(any(not sheet.is_right for sheet in sheets))


def in_own_process(file: Path, options: argparse.Namespace) -> Sheet:
    """Grade a file in a process of its own, so that however it ends, this one goes on."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, str(file), options), daemon=True)
    process.start()
    sender.close()
    try:
        if receiver.poll(2 * options.seconds + START_UP):
            result = receiver.recv()
            return result if isinstance(result, Sheet) else Sheet.ungraded(file.name, str(result), options.language)
        return Sheet.ungraded(file.name, WORDS[options.language]["too long"].format(options.seconds), options.language)
    except EOFError:
        return Sheet.ungraded(file.name, WORDS[options.language]["ended"], options.language)
    finally:
        process.kill()
        process.join()


def work(sender: Any, file: str, options: argparse.Namespace) -> None:
    """Grade a file and send what was found; a sentence where it could not be graded. What it prints is lost, and it has no keyboard."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    with open(os.devnull, "w") as nowhere:
        for number in (1, 2):
            os.dup2(nowhere.fileno(), number)
    sys.stdin = io.StringIO()
    try:
        sender.send(graded(Path(file), options))
    except Exception as error:  # whatever the file made happen is its result
        sender.send(f"{type(error).__name__}: {error}")


def graded(file: Path, options: argparse.Namespace) -> Sheet:
    """Grade a file in this process."""
    np.random.seed(0)
    teacher = {} if options.teacher is None else loaded(options.teacher, options.seconds)[0]
    space, crash = loaded(file, options.seconds)
    thing = chosen(space, options.name)
    if thing is None:
        nothing = WORDS[options.language]["nothing"].format(", ".join((*BACKWARD, *WHOLE)))
        return Sheet.ungraded(file.name, crash.traceback or str(crash.error) if crash is not None else nothing, options.language)
    loss, example = teacher.get("loss", None), teacher.get("example", space.get("example"))
    example = example() if callable(example) else example
    if example is None and not inspect.isclass(thing):
        return Sheet.ungraded(file.name, WORDS[options.language]["no example"], options.language)
    found = assess(thing, loss, tuple(example) if example is not None else drawn(), options.seconds)
    found.name = file.name
    return Grade(found, options.language).sheet()


def loaded(file: Path, seconds: float) -> tuple[dict[str, Any], Crash | None]:
    """Run a file as a module; return what it defines, and what ended it. Code that trains when it is imported is stopped after a while."""
    path = str(file.resolve())
    sys.path.insert(0, str(file.resolve().parent))
    module = types.ModuleType(file.stem)
    module.__file__ = path
    sys.modules.setdefault(file.stem, module)
    space = vars(module)
    watcher = Watcher({path}, seconds)
    watcher.run(lambda: exec(compile(file.read_text(encoding="utf-8"), path, "exec"), space))
    return space, watcher.crash


def chosen(space: dict[str, Any], name: str) -> Any:
    """Return what to grade in a module: what has the name, else a function or a class that looks like backpropagation."""
    if name:
        if name not in space:
            raise NameError(f"the file defines no {name!r}")
        return space[name]
    own: Callable[[Any], bool] = lambda thing: getattr(thing, "__module__", None) == space["__name__"]
    functions = [space[name] for name in BACKWARD if inspect.isfunction(space.get(name)) and own(space[name])]
    classes = [thing for thing in space.values() if inspect.isclass(thing) and own(thing)]
    return next(iter([*(c for c in classes if any(hasattr(c, m) for m in (*BACKWARD, *WHOLE))), *functions]), None)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Return points of the plane and labels."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(POINTS, 2)), (rng.random((POINTS, 1)) < 0.5).astype(float)
