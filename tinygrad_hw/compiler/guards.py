"""What a compiled function uses besides its arguments, and the guards that tell whether any of it has changed.

    watch = Watch(function)
    watch.changed()            # the name of something that has changed, or None

Each guard knows how to read one thing, what it must be, and what to call it in a message. ``Watch.changed`` walks the guards; the
test that runs before every call is the same guards written as code (``Guard.code``).

What a function can reach is found by following references: globals, closures, defaults, attributes, entries, classes, context
variables. Of a module or a class, which hold much that a function never looks at, only what the code names is followed.
"""

from __future__ import annotations

import builtins
import ctypes
import dis
import functools
import gc
import inspect
import operator
import os
import sys
import sysconfig
import types
import weakref
from array import array as python_array
from collections import defaultdict, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np

from ..errors import CompileError
from ..rules.shaping import layout
from ..tensor import Tensor
from ..views import View, root_of
from .trace import NUMPY, PACKAGE, Traced

__all__ = ["FOREIGN", "Place", "Watch"]

FOREIGN = (NUMPY, PACKAGE, sysconfig.get_paths()["stdlib"], sysconfig.get_paths()["purelib"], "<frozen")
MOST = 20_000  # guards: a function that reaches more than that is refused
FEW = 64  # entries: up to so many, each entry of a container has a guard of its own
OUTWARD = {"print", "input", "open", "id", "globals", "eval", "exec"}
HARMLESS = {
    "numpy", "tinygrad_hw", "builtins", "math", "cmath", "functools", "itertools", "operator", "collections", "types", "typing",
    "dataclasses", "contextlib", "copy", "enum", "abc", "argparse", "_contextvars",
}  # fmt: skip
SETTINGS = {  # NumPy's functions that tell of a setting or of a file
    inspect.unwrap(function).__code__: f"np.{function.__name__}"
    for function in (np.geterr, np.geterrcall, np.getbufsize, np.get_printoptions, np.load, np.loadtxt, np.genfromtxt, np.fromregex)
}
SETTING_NAMES = {name.removeprefix("np.") for name in SETTINGS.values()}
ABSENT = object()  # what a place holds that does not exist
UNSET = object()  # what a context variable gives that has no value
HEAP_TYPE = 1 << 9  # the flag of classes that a class statement made
FIRST_VISIT = ""  # a name that nothing has: it is new when the names of the code are looked up in something for the first time
ATTRIBUTE_LABEL = "{}.{}"
IGNORED = {"__module__", "__doc__", "__dict__", "__weakref__", "__qualname__", "__annotations__", "__slots__", "_abc_impl"}
SCALARS = (bool, int, float, complex, str, bytes, type(None), np.generic, np.dtype)
SIMPLE = (*SCALARS, types.BuiltinFunctionType, types.CodeType, np.ufunc, type(Ellipsis), range, slice)
OF_LIBRARIES = (*SIMPLE, type, types.FunctionType, types.ModuleType)  # what libraries hold and do not change
HOLDERS: tuple[Any, ...] = (
    types.MethodType, property, classmethod, staticmethod, types.MappingProxyType, functools.partial, functools.cached_property,
    type({}.keys()), type({}.values()), type({}.items()),
)  # fmt: skip
OUTSIDE_DICT = ((defaultdict, "default_factory"), (BaseException, "args"))  # attributes that are in no __dict__
BUFFERS = (bytearray, memoryview, python_array, ctypes.c_int.__mro__[-2])  # (the last is the base of all of ctypes' data)
CONTAINERS = (list, dict, set, frozenset, deque)
USERS_INSIDE = {"functools", "collections", "types", "argparse", "_thread", "threading", "weakref", "_weakrefset"}  # hold users' things
OPCODES = {
    "globals": {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"},
    "attributes": {"LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM"},
    "modules": {"IMPORT_NAME"},
}

Bound = Callable[[Any], str]  # gives a thing a name in the code and returns the name


# Guards
class Kind(NamedTuple):
    """A way to hold a value: how that is written as code, read and written."""

    code: str
    read: Callable[[Any, Any], Any]
    write: Callable[[Any, Any, Any], Any]


ITEM = Kind("{0}[{1}]", operator.getitem, operator.setitem)
ATTRIBUTE = Kind("{0}.{1}", getattr, setattr)
CELL = Kind("{0}.cell_contents", lambda cell, _: cell.cell_contents, lambda cell, _, value: setattr(cell, "cell_contents", value))
CLASS_ENTRY = Kind("{0}.__dict__[{1}]", lambda kind, name: vars(kind)[name], setattr)  # (as it stands there, no method bound)
REFERENCE = Kind("{0}()", lambda reference, _: reference(), lambda reference, _, value: None)
CONTEXT = Kind("{0}.get({1})", lambda variable, default: variable.get(default), lambda variable, _, value: variable.set(value))
LOOKUP = (AttributeError, KeyError, IndexError, ValueError, TypeError)  # what reading may raise where nothing is held any more


class Guard:
    """Something that must stay as it is."""

    name: str

    def code(self, bound: Bound) -> str:
        """Return the quick test as code."""
        raise NotImplementedError

    def holds(self) -> bool:
        """Tell whether it is as it was, up to equal numbers and strings; these are what the quick test compares with from now on."""
        raise NotImplementedError

    def read(self) -> Any:
        """Return what it guards, as it is now."""

    def restore(self) -> None:
        """Put back what was there."""


class Place(Guard):
    """A variable, an attribute or an entry, which must hold the same thing."""

    def __init__(self, kind: Kind, container: Any, key: Any, name: str) -> None:
        self.kind, self.container, self.key, self.name = kind, container, key, name
        self.value = self.read()

    def read(self) -> Any:
        try:
            return self.kind.read(self.container, self.key)
        except LOOKUP:
            return ABSENT

    def write(self, value: Any) -> None:
        self.kind.write(self.container, self.key, value)

    def reading(self, bound: Bound) -> str:
        return self.kind.code.format(bound(self.container), self.key if self.kind is ATTRIBUTE else bound(self.key))

    def code(self, bound: Bound) -> str:
        return f"{self.reading(bound)} is {bound(self.value)}"

    def holds(self) -> bool:
        value = self.read()
        if not same(value, self.value):
            return False
        self.value = value
        return True

    def restore(self) -> None:
        self.write(self.value)


class Parts(Guard):
    """A container, whose entries must be the same; where each of few entries has a guard of its own, the code compares their number."""

    def __init__(self, container: Any, name: str, ordered: bool = True) -> None:
        self.container, self.name, self.ordered = container, name, ordered
        self.keys, self.entries = keys_and_entries(container)

    def code(self, bound: Bound) -> str:
        thing = bound(self.container)
        tests = [f"len({thing}) == {len(self.entries)}"]
        if self.ordered and len(self.keys) > 1:
            tests.append(f"all(map(is_, {thing}, {bound(self.keys)}))")
        if not has_places(self.container):
            values = f"{thing}.values()" if isinstance(self.container, dict) else thing
            tests.append(f"all(map(is_, {values}, {bound(self.entries)}))")
        return " and ".join(tests)

    def holds(self) -> bool:
        keys, entries = keys_and_entries(self.container)
        if len(entries) != len(self.entries) or (self.ordered and keys != self.keys):
            return False
        if not has_places(self.container):
            if not all(map(same, entries, self.entries)):
                return False
            self.entries = entries
        return True

    def read(self) -> Any:
        return self.container

    def restore(self) -> None:
        self.container.clear()
        if isinstance(self.container, dict):
            self.container.update(zip(self.keys, self.entries))
        else:
            (self.container.update if isinstance(self.container, set) else self.container.extend)(self.entries)


class Size(Guard):
    """The number of names that a class defines, which must be equal."""

    def __init__(self, kind: type) -> None:
        self.kind, self.names, self.name = kind, set(vars(kind)), kind.__name__

    def code(self, bound: Bound) -> str:
        return f"len({bound(vars(self.kind))}) == {len(self.names)}"

    def holds(self) -> bool:
        return len(vars(self.kind)) == len(self.names)

    def read(self) -> Any:
        return [value for name, value in vars(self.kind).items() if name not in self.names]

    def restore(self) -> None:
        for name in set(vars(self.kind)) - self.names:
            delattr(self.kind, name)


class Alike(Guard):
    """Entries of several dicts, which must be one thing."""

    def __init__(self, dicts: list[dict[str, Any]], key: str) -> None:
        self.dicts, self.key, self.name = dicts, key, key

    def code(self, bound: Bound) -> str:
        return " is ".join([f"{bound(each)}[{self.key!r}]" for each in self.dicts])

    def holds(self) -> bool:
        return all(each.get(self.key, ABSENT) is self.dicts[0].get(self.key) for each in self.dicts)


class Content(Guard):
    """The bytes of an array, of NumPy's or another kind, which must be equal."""

    def __init__(self, array: Any, name: str) -> None:
        self.array, self.name = array, name
        self.content = self.read()

    def read(self) -> bytes:
        return self.array.tobytes() if hasattr(self.array, "tobytes") else bytes(self.array)

    def code(self, bound: Bound) -> str:
        return f"{bound(self.read)}() == {bound(self.content)}"

    def holds(self) -> bool:
        return self.read() == self.content

    def restore(self) -> None:
        if isinstance(self.array, np.ndarray):
            self.array[...] = np.frombuffer(self.content, self.array.dtype).reshape(self.array.shape)
        else:
            memoryview(self.array).cast("B")[:] = self.content


class Array(Guard):
    """A captured array that a program reads anew at each call: another one of its shape and dtype may take its place.

    Attributes
    ----------
    place : where it is read.
    form : its shape, dtype and order of axes.
    fixed : whether it has to stay the same array, because it is held in several places, or in a tuple.
    frozen : what it contained, if the code decided something by that.
    variable : what it is called in the quick test, and after it.
    """

    def __init__(self, array: np.ndarray, place: Place, fixed: bool, variable: str) -> None:
        self.array, self.place, self.fixed, self.variable, self.name = array, place, fixed, variable, place.name
        self.form = array.shape, array.dtype, layout(array)
        self.frozen: bytes | None = None

    def freeze(self) -> None:
        """Make its numbers a part of what must stay as it is."""
        self.frozen = self.array.tobytes()

    def code(self, bound: Bound) -> str:
        v, array = self.variable, self.place.read()
        tests = [f"type({v} := {self.place.reading(bound)}) is ndarray", f"{v}.dtype is {bound(array.dtype)}"]
        tests += [f"{v}.shape == {self.form[0]}", f"{v}.strides == {array.strides}"]
        tests += [f"{v} is {bound(array)}"] if self.fixed else []
        tests += [f"{v}.tobytes() == {bound(self.frozen)}"] if self.frozen is not None else []
        return " and ".join(tests)

    def holds(self) -> bool:
        array = self.place.read()
        alike = type(array) is np.ndarray and (array.shape, array.dtype, layout(array)) == self.form
        return alike and (array is self.array or not self.fixed) and (self.frozen is None or array.tobytes() == self.frozen)


def same(x: Any, y: Any) -> bool:
    """Tell whether two things are one, or equal numbers, strings or tuples of them: 0.0 and -0.0, 1 and 1.0 are not."""
    if x is y:
        return True
    if type(x) is not type(y):
        return False
    if isinstance(x, tuple):
        return len(x) == len(y) and all(map(same, x, y))
    return isinstance(x, SCALARS) and repr(x) == repr(y)


def keys_and_entries(container: Any) -> tuple[list[Any], list[Any]]:
    """Return the keys of a dict, which nothing else has, and the entries of a container."""
    return ([*container], [*container.values()]) if isinstance(container, dict) else ([], [*container])


def has_places(container: Any) -> bool:
    """Tell whether each entry of a container has a guard of its own."""
    return isinstance(container, (list, dict)) and len(container) <= FEW


def has_stand_in(thing: Any) -> bool:
    """Tell whether a stand-in can be reached from something."""
    todo, seen = [thing], {id(thing)}
    while todo and len(seen) < MOST:
        visited = todo.pop()
        if type(visited) is Traced:
            return True
        for part in gc.get_referents(visited):
            if id(part) not in seen and not isinstance(part, OF_LIBRARIES):
                seen.add(id(part))
                todo.append(part)
    return False


# The walk
@functools.lru_cache(1024)
def names_in(code: types.CodeType) -> dict[str, set[str]]:
    """Return the names that a function's code uses, and code inside it, by kind (see OPCODES); a string may name an attribute too."""
    instructions = [*dis.get_instructions(code)]
    names = {kind: {x.argval for x in instructions if x.opname in opcodes} for kind, opcodes in OPCODES.items()}
    for constant in code.co_consts:
        if isinstance(constant, str) and constant.isidentifier():
            names["attributes"].add(constant)
        elif isinstance(constant, types.CodeType):
            for kind, inner in names_in(constant).items():
                names[kind] |= inner
    return names


def is_foreign_module(module: types.ModuleType | None) -> bool:
    """Tell whether a module is Python's, NumPy's, an installed package's or of this package, rather than the user's."""
    if module is None:
        return False
    origin = vars(module).get("__file__") or getattr(vars(module).get("__spec__"), "origin", None) or module.__name__
    return str(origin).startswith((*FOREIGN, "built-in", "frozen", "_cython"))


def is_of_this_package(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __package__.partition(".")[0]


def is_foreign(kind: type) -> bool:
    """Tell whether a class is Python's, NumPy's or an installed package's, rather than the user's or one of this package."""
    if kind.__module__ == "builtins":
        return not kind.__flags__ & HEAP_TYPE  # (a class made by exec may say that it is of this module)
    return not is_of_this_package(kind) and is_foreign_module(sys.modules.get(kind.__module__))


def is_the_users(kind: type) -> bool:
    """Tell whether a class is neither foreign nor of this package."""
    return not is_foreign(kind) and not is_of_this_package(kind)


def may_look_outside(thing: Any) -> bool:
    """Tell whether something is foreign, and not of a module that looks at nothing but its arguments."""
    if isinstance(thing, types.FunctionType) and thing.__code__ in SETTINGS:
        return True
    if isinstance(thing, types.ModuleType):
        return is_foreign_module(thing) and thing.__name__.partition(".")[0] not in HARMLESS
    own = isinstance(thing, (type, types.FunctionType, types.BuiltinFunctionType))
    name = (getattr(thing, "__module__", None) if own else None) or type(thing).__module__
    return isinstance(name, str) and name.partition(".")[0] not in HARMLESS and is_foreign_module(sys.modules.get(name))


def can_be_input(thing: Any) -> bool:
    """Tell whether something is an array that can be an input of a program."""
    return type(thing) is np.ndarray and thing.dtype.kind in "biufc"


def can_be_swapped(thing: Any) -> bool:
    """Tell whether a stand-in can be put in the place of something: of such an array, a generator, or a tuple that holds one."""
    if type(thing) is tuple:
        return any(map(can_be_swapped, thing))
    return isinstance(thing, np.random.Generator) or can_be_input(thing)


class Watch:
    """All that a function can reach besides its arguments, with a guard for each thing that could change.

    Parameters
    ----------
    function : callable
    optimizer : Optimizer, optional
        What looks after itself and its parameters.

    Attributes
    ----------
    guards : list of Guard
    tensors : list of (Tensor, str)
        The leaf tensors, with what to call them: a program reads them anew at each call. Of a view, the tensor that it is a view of.
    views : list of Tensor
        The captured views.
    arrays : list of Array
        The captured arrays, likewise.
    looks_outside : bool
        Whether it uses anything of Python's library, or of installed packages, that is not known to be harmless.
    swapped : list of Place
        The places that hold these arrays and random generators, or tuples of them.
    """

    def __init__(self, function: Any, optimizer: Any = None) -> None:
        self.guards: list[Guard] = []
        self.tensors: list[tuple[Tensor, str]] = []
        self.views: list[Tensor] = []
        self.arrays: list[Array] = []
        self.swapped: list[Place] = []
        self.looks_outside = False
        self._array_places: dict[int, list[Place]] = {}  # by the id of the array
        self._seen = {id(optimizer): optimizer}
        self._unguarded = {id(parameter._node) for parameter in optimizer.parameters} if optimizer is not None else set()
        self._todo: deque[tuple[Any, str]] = deque()
        self._places: set[tuple[int, Any]] = set()
        self._names = {FIRST_VISIT}  # of attributes, in all code that was found
        self._by_name: list[tuple[Any, str, set[str]]] = []  # of what only what the code names is followed, with the names that are done
        self._follow(function, getattr(function, "__name__", type(function).__name__))
        self._walk()
        if "requires_grad" in self._names:
            for tensor, label in self.tensors:
                self._watch_place(ATTRIBUTE, tensor._node, "requires_grad", f"{label}.requires_grad")
        self._settle_arrays()

    def changed(self) -> str | None:
        """Return the name of something that is not as it was, or None."""
        return next((guard.name for guard in self.guards if not guard.holds()), None)

    def kept_stand_in(self) -> bool:
        """Tell whether something has changed and now holds a stand-in."""
        return any(not guard.holds() and has_stand_in(guard.read()) for guard in self.guards)

    def restore(self) -> None:
        for guard in self.guards:
            if not guard.holds():
                guard.restore()

    def _walk(self) -> None:
        """Follow references until nothing new is found."""
        while self._todo or any(self._names - done for _, _, done in self._by_name):
            while self._todo:
                self._visit(*self._todo.popleft())
                if len(self.guards) > MOST:
                    raise CompileError(
                        f"the function reaches more than {MOST} things from outside, too many to watch (the last is "
                        f"{self.guards[-1].name}): give it what it needs as arguments"
                    )
            for thing, name, done in self._by_name:
                new = self._names - done
                done |= new
                if isinstance(thing, type):
                    self._visit_class(thing, new)
                else:
                    self._visit_named(thing, name, new)

    def _watch_place(self, kind: Kind, container: Any, key: Any, name: str) -> None:
        """Guard a place, if there is one, and follow what it holds."""
        if (id(container), key) in self._places:
            return
        self._places.add((id(container), key))
        place = Place(kind, container, key, name)
        if place.value is not ABSENT:
            self.guards.append(place)
            self._follow(place.value, name, place)

    def _follow(self, thing: Any, name: str, place: Place | None = None) -> None:
        """Note that a thing was found, in a place if it has one."""
        self.looks_outside = self.looks_outside or may_look_outside(thing)
        if isinstance(thing, SIMPLE):
            return
        in_tuple = place is not None and type(place.container) is tuple
        if place is not None and not in_tuple and can_be_swapped(thing):
            self.swapped.append(place)
        if place is not None and can_be_input(thing):
            self._array_places.setdefault(id(thing), []).append(place)
        elif isinstance(thing, (np.ndarray, *BUFFERS)):
            self.guards.append(Content(thing, name))
        elif id(thing) not in self._seen and not isinstance(thing, np.random.Generator):
            self._seen[id(thing)] = thing
            if type(thing) is not tuple:
                self._todo.append((thing, name))
                return
            for i, part in enumerate(thing):
                swappable = place is not None and can_be_swapped(part)
                self._follow(part, f"{name}[{i}]", Place(ITEM, thing, i, f"{name}[{i}]") if swappable else None)

    def _settle_arrays(self) -> None:
        """Decide which arrays have to stay the same: those that are held in several places, or in a tuple."""
        for i, (place, *others) in enumerate(self._array_places.values()):
            self.arrays.append(Array(place.value, place, type(place.container) is tuple or bool(others), f"array{i}"))
        free = {id(array.place) for array in self.arrays if not array.fixed}
        self.guards = [*(guard for guard in self.guards if id(guard) not in free), *self.arrays]

    # What to follow
    def _visit(self, thing: Any, name: str) -> None:
        """Guard what a thing holds."""
        for kind, attribute in OUTSIDE_DICT:
            if isinstance(thing, kind):
                self._watch_place(ATTRIBUTE, thing, attribute, f"{name}.{attribute}")
        if isinstance(thing, Tensor):
            self._visit_tensor(thing, name)
        elif isinstance(thing, types.FunctionType):
            self._visit_function(thing)
        elif isinstance(thing, (type, types.ModuleType)):
            self._by_name.append((thing, name, set()))
        elif isinstance(thing, CONTAINERS):
            self._visit_container(thing, name, "{}[{!r}]")
        elif isinstance(thing, ContextVar):
            self._watch_place(CONTEXT, thing, UNSET, name)
        elif isinstance(thing, weakref.ref):
            self._watch_place(REFERENCE, thing, None, name)
        elif isinstance(thing, HOLDERS):
            for part in gc.get_referents(thing):
                self._follow(part, name)
        elif isinstance(thing, type(os.environ)):
            self._follow(vars(thing)["_data"], "os.environ")
        elif hasattr(type(thing), "_watched"):
            self._follow(thing._watched, name)
        else:
            self._visit_object(thing, name)

    def _visit_tensor(self, tensor: Tensor, name: str) -> None:
        """Note a tensor, or what it is a view of."""
        if isinstance(tensor, View):
            self.views.append(tensor)
            self._follow(root_of(tensor), f"the base of {name}")
            return
        if id(tensor._node) not in self._unguarded:
            self.guards.append(Place(ATTRIBUTE, tensor, "_node", name))
        if not tensor._node.parents and all(tensor._node is not other._node for other, _ in self.tensors):
            self.tensors.append((tensor, tensor.name or name))

    def _visit_function(self, function: types.FunctionType) -> None:
        """Follow a function of the user's to its variables and defaults; of another's, to what it wraps."""
        if function is os.getenv:
            self._follow(os.environ, "os.environ")
        elif function.__code__.co_filename.startswith(FOREIGN):
            if hasattr(function, "__wrapped__"):
                self._watch_place(ATTRIBUTE, function, "__wrapped__", function.__name__)
            for cell in function.__closure__ or ():
                self._watch_place(CELL, cell, None, function.__name__)
        else:
            names = names_in(function.__code__)
            self._watch_place(ATTRIBUTE, function, "__code__", f"the code of {function.__name__}")
            self._names |= names["attributes"]
            self.looks_outside = self.looks_outside or not OUTWARD.isdisjoint(names["globals"]) or bool(SETTING_NAMES & names["attributes"])
            for variable in sorted(names["globals"]):
                space = function.__globals__ if variable in function.__globals__ else vars(builtins)
                if space is function.__globals__ or not isinstance(space.get(variable), (type, types.BuiltinFunctionType)):
                    self._watch_place(ITEM, space, variable, variable)
            for module in sorted(names["modules"]):
                self._watch_place(ITEM, sys.modules, module, module)
            for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
                self._watch_place(CELL, cell, None, variable)
            if function.__defaults__:
                self._watch_place(ATTRIBUTE, function, "__defaults__", f"{function.__name__}.__defaults__")
            for part in (function.__kwdefaults__, function.__dict__):
                if part:
                    self._follow(part, function.__name__)

    def _visit_container(self, thing: Any, name: str, label: str) -> None:
        """Guard the entries of a container; those of an object's ``__dict__`` in any order."""
        if not isinstance(thing, frozenset):
            self.guards.append(Parts(thing, name, ordered=label != ATTRIBUTE_LABEL))
        if has_places(thing):
            for key in [*thing] if isinstance(thing, dict) else range(len(thing)):
                self._watch_place(ITEM, thing, key, label.format(name, key))
        else:
            for i, part in enumerate(keys_and_entries(thing)[1]):
                self._follow(part, f"{name}[{i}]")
        if not is_foreign(type(thing)):
            self._visit_object(thing, name)

    def _visit_object(self, thing: Any, name: str) -> None:
        """Guard the attributes of an object.

        Of one of a foreign class, those that the code names, and what its methods may look at: numbers, arrays, containers and
        functions, but no other objects, which would lead too far.
        """
        kind, attributes = type(thing), getattr(thing, "__dict__", None)
        if is_foreign(kind) and kind.__module__ not in USERS_INSIDE:
            if isinstance(attributes, dict):
                self._by_name.append((thing, name, set()))
                for attribute, value in attributes.items():
                    if isinstance(value, (*SCALARS, np.ndarray, *CONTAINERS, types.FunctionType)):
                        self.guards.append(Place(ITEM, attributes, attribute, f"{name}.{attribute}"))
                        self._follow(value, f"{name}.{attribute}")
            return
        if isinstance(attributes, dict):
            self._visit_container(attributes, name, ATTRIBUTE_LABEL)
        if is_the_users(kind):
            self._watch_place(ATTRIBUTE, thing, "__class__", f"{name}.__class__")
        for base in kind.__mro__:
            for slot, value in {} if is_foreign(base) else vars(base).items():
                if isinstance(value, types.MemberDescriptorType):
                    self._watch_place(ATTRIBUTE, thing, slot, f"{name}.{slot}")
        self._follow(kind, kind.__name__)

    def _visit_named(self, thing: Any, name: str, new: set[str]) -> None:
        """Guard those attributes of a module or of a foreign object that the code names."""
        foreign = isinstance(thing, types.ModuleType) and is_foreign_module(thing)
        for attribute in sorted((new if foreign else new | {"__getattr__"}) & vars(thing).keys()):
            value = vars(thing)[attribute]
            if not foreign or value is os.getenv or isinstance(value, SCALARS) or not isinstance(value, OF_LIBRARIES):
                self._watch_place(ITEM, vars(thing), attribute, f"{name}.{attribute}")

    def _visit_class(self, kind: type, new: set[str]) -> None:
        """Guard what a class itself says of the names; of special methods and what overrides something of a foreign base, in any case."""
        if not is_the_users(kind):
            return
        needed = set(new)
        if FIRST_VISIT in new:
            self.guards.append(Size(kind))
            self._watch_place(ATTRIBUTE, kind, "__mro__", kind.__name__)
            self._follow(type(kind), type(kind).__name__)
            for base in kind.__mro__[1:]:
                needed |= set() if is_the_users(base) else vars(base).keys()
                self._follow(base, base.__name__)
            needed |= {name for name, value in vars(kind).items() if isinstance(value, types.FunctionType) and name.startswith("__")}
        for attribute in sorted(needed & vars(kind).keys() - IGNORED):
            value = vars(kind)[attribute]
            plain = isinstance(value, types.FunctionType) or not hasattr(type(value), "__get__")
            self._watch_place(ATTRIBUTE if plain else CLASS_ENTRY, kind, attribute, f"{kind.__name__}.{attribute}")
