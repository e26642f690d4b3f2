"""Every public name says what it takes, returns and raises, and shows an example that is true."""

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
import types
from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw.compiler import CompiledFunction, CompiledStep
from tinygrad_hw.drawing import Drawing
from tinygrad_hw.equations import Equations
from tinygrad_hw.testing import mutants, strategies

ROOMS = [
    f"tinygrad_hw{room}"
    for room in ("", ".nn", ".nn.functional", ".nn.init", ".nn.utils", ".optim", ".optim.lr_scheduler", ".data", ".testing",
                 ".testing.laws", ".testing.strategies", ".testing.mutants")
]  # fmt: skip
RESULTS = [CompiledFunction, CompiledStep, Drawing, Equations]  # classes that public functions return
MADE_FOR_USERS = {*RESULTS, tg.testing.Grade, tg.testing.Verdict, mutants.Mutant, strategies.Network, strategies.Expression}
BEHIND = {  # methods that only other methods, and subclasses, call
    "Optimizer.check_together", "Adam.adapted", "Grade.word", "Grade.sentence", "Grade.where", "Grade.what", "Grade.factor",
    "Tensor._replace", "Tensor._scalar",
}  # fmt: skip
PROTOCOLS = {  # what Python, NumPy and editors call: no user does
    "__array__", "__array_function__", "__array_ufunc__", "__copy__", "__deepcopy__", "__dir__", "__dlpack__", "__dlpack_device__",
    "__getattr__", "__init__", "__reduce__", "__repr__", "__setattr__", "__hash__", "__module__", "__annotations__", "__doc__",
    "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__slots__", "__weakref__", "__dict__", "__format__", "__array_priority__", "__firstlineno__",
    "__static_attributes__",
}  # fmt: skip
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tg.__path__, "tinygrad_hw.")
    if not module.name.endswith(("__main__", ".exponential"))  # (needs Numba)
)


def of_rooms():
    """Yield the path and the value of every public name; classes and functions that have two names once."""
    seen = set()
    own: list = []
    for space in (tg.array_api, tg.array_api.fft, tg.array_api.special):
        names = getattr(space, "__all__", [name for name in vars(space) if not name.startswith("_")])
        functions = [(name, getattr(space, name)) for name in names]
        numpys = {id(function) for module in (np, np.fft) for function in vars(module).values()}
        own += [(f"{space.__name__}.{name}", function) for name, function in functions if callable(function) and id(function) not in numpys]
    for room in map(importlib.import_module, ROOMS):
        own += [(f"{room.__name__}.{name}", getattr(room, name)) for name in room.__all__]
    for path, value in [*own, *((f"{kind.__module__}.{kind.__name__}", kind) for kind in RESULTS)]:
        if not isinstance(value, (types.ModuleType, dict, list, tuple)) and id(value) not in seen:
            seen.add(id(value))
            yield path, value


def members(kind):
    """Yield the names and values of what a class itself defines for users: methods, properties, and a tensor's operators."""
    for name, value in vars(kind).items():
        documented_above = any(name in vars(base) and inspect.getdoc(vars(base)[name]) for base in kind.__mro__[1:-1])
        hidden = f"{kind.__name__}.{name}" in BEHIND or (name in PROTOCOLS if kind is tg.Tensor else name.startswith("_"))
        is_method = (callable(value) and not isinstance(value, type)) or isinstance(value, (property, staticmethod, classmethod))
        if is_method and not hidden and name != "_node" and not documented_above:
            yield name, value


PUBLIC = dict(of_rooms())
MEMBERS = {f"{path}.{name}": (kind, value) for path, kind in PUBLIC.items() if isinstance(kind, type) for name, value in members(kind)}


def sections(value):
    """Return the text of a docstring's sections by their titles; what comes before is the section ""."""
    doc = inspect.cleandoc(value.__doc__ or "")
    parts = re.split(r"^(\w[\w ]*)\n-{3,}\n", doc, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2]))}


def parameters(value):
    """Return the names of what a function, or a class's constructor, takes; a generated docstring says it in its first line."""
    first = re.match(r"\w+\((.*)\)\n", inspect.cleandoc(value.__doc__ or ""))
    if first:
        return [part.split("=")[0].strip(" *") for part in re.split(r",(?![^(]*\))", first[1]) if part.strip() not in ("", "*", "/")]
    function = getattr(value, "fget", value)
    try:
        names = inspect.signature(function).parameters
    except ValueError:
        return []
    return [name for name in names if name not in ("self", "cls")]


def takes_any_name(value):
    """Tell whether a function, or a class's constructor, has a parameter like **settings, in whose place others may be told."""
    try:
        return any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return False


def documented(text):
    """Return the names that a section on parameters lists."""
    heads = [line.split(" : ")[0] for line in text.splitlines() if line and not line.startswith(" ")]
    return [name.strip(" *") for head in heads for name in head.split(",")]


def raises(value):
    """Tell whether a function, or a class's constructor, raises in its own body."""
    function = inspect.unwrap(value.__init__ if isinstance(value, type) else getattr(value, "__func__", value))
    if getattr(function, "__module__", "").startswith("numpy"):
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (TypeError, OSError, SyntaxError):
        return False
    body = getattr(tree.body[0], "body", [])
    own = [node for statement in body for node in without_inner_functions(statement)]
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in own)


def without_inner_functions(node):
    """Yield a node and what stands in it, but for the functions that it defines."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ClassDef)):
        for child in ast.iter_child_nodes(node):
            yield from without_inner_functions(child)


def lacks(value, owner=None, name=""):
    """Return what a docstring lacks; the members of a class may be shown in the examples of the class."""
    found = sections(value)
    if not found[""].strip():
        return ["a docstring"]
    missing = []
    plain = isinstance(value, property) or (isinstance(value, type) and issubclass(value, Exception))
    if not plain and value not in MADE_FOR_USERS:
        listed, taken = documented(found.get("Parameters", "")), parameters(value)
        loose = takes_any_name(value)
        missing += [f"the parameter {name}" for name in taken if name not in listed and not (loose and name == taken[-1])]
        missing += [f"a parameter in place of {name}" for name in listed if name not in taken and not loose]
    if not isinstance(value, (type, property)) and not {"Returns", "Yields"} & set(found):
        returns = getattr(inspect.unwrap(value), "__annotations__", {}).get("return", "")
        says_so = owner is not None and not parameters(value) and found[""].startswith("Return")
        missing += [] if returns in (None, "None") or says_so else ["what it returns"]
    if not plain and value not in MADE_FOR_USERS and raises(value) and "Raises" not in found:
        missing.append("what it raises")
    shown = sections(owner).get("Examples", "") if owner else ""
    if ">>> " not in value.__doc__ and not re.search(rf"(\.|def ){name}\b", shown):
        missing.append("an example")
    return missing


def test_a_public_name_says_what_it_takes_returns_and_raises_and_shows_an_example():
    assert {path: missing for path, value in PUBLIC.items() if (missing := lacks(value))} == {}


def test_a_method_says_what_it_takes_returns_and_raises_and_is_shown_in_an_example():
    found = {path: lacks(value, owner, path.rpartition(".")[2]) for path, (owner, value) in MEMBERS.items()}
    assert {path: missing for path, missing in found.items() if missing} == {}


def examples():
    """Yield the name, the text, and the scope of each docstring with examples: those of public names need no other scope than their own."""
    seen = set()
    for path, value in [*PUBLIC.items(), *((path, value) for path, (_, value) in MEMBERS.items())]:
        if ">>> " in (value.__doc__ or "") and value.__doc__ not in seen:
            seen.add(value.__doc__)
            yield path, value.__doc__, {"__name__": "__main__"}
    for name in MODULES:
        for found in doctest.DocTestFinder().find(importlib.import_module(name), name):
            if ">>> " in found.docstring and found.docstring not in seen:
                yield found.name, found.docstring, found.globs


EXAMPLES = {name: (text, scope) for name, text, scope in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_it_stands_and_prints_what_it_says(name):
    text, scope = EXAMPLES[name]
    runner, told = doctest.DocTestRunner(verbose=False), []
    runner.run(doctest.DocTestParser().get_doctest(inspect.cleandoc(text), scope, name, None, 0), out=told.append)
    assert not told, "".join(told)


def test_a_name_without_parameters_or_an_example_is_found():
    def nothing_said(x, *more, way=None):
        """Return x."""
        raise ValueError

    def enough(x):
        """Return x.

        Parameters
        ----------
        x : float

        Returns
        -------
        float

        Examples
        --------
        >>> 1
        1
        """

    expected = ["the parameter x", "the parameter more", "the parameter way", "what it returns", "what it raises", "an example"]
    assert lacks(nothing_said) == expected
    assert lacks(enough) == []


def test_without_docstrings_the_package_works_as_well():
    code = (
        "import tinygrad_hw as tg; tg.nn, tg.optim, tg.testing; assert tg.Tensor.exp.__doc__ is None; print(tg.nn.MSELoss()([2.0], [0.0]))"
    )
    assert subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True).stdout == "4.0\n"


def test_the_reference_has_a_page_for_every_public_name_and_every_method_of_tensor():
    pages = (Path(tg.__file__).parent.parent / "docs" / "reference").glob("*.md")
    listed = set()
    for page in pages:
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            module = line.split(":: ")[1] if line.startswith(".. currentmodule") else module
            listed.add(f"{module}.{line.strip()}")
    named = {id(attrgetter(name.partition(".")[2])(tg)) for name in listed if exists(name)}
    assert [path for path, value in PUBLIC.items() if id(value) not in named] == []
    assert [path for path, (owner, _) in MEMBERS.items() if owner is tg.Tensor and path not in listed] == []


def exists(name):
    """Tell whether a line of a page of the reference is a name of the package."""
    try:
        attrgetter(name.partition(".")[2])(tg)
    except (AttributeError, ValueError):
        return False
    return name.startswith("tinygrad_hw.")
