"""What a compiled function uses from outside may change: it is seen, or refused with its line. Compiled is eager."""

import argparse
import array
import builtins
import collections
import configparser
import contextvars
import copy
import ctypes
import dataclasses
import functools
import gc
import inspect
import os
import pickle
import random
import sys
import textwrap
import threading
import time
import types
import weakref

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import CompileError, Tensor, compile, nn, optim
from tinygrad_hw.compiler.guards import Watch
from tinygrad_hw.compiler.trace import Recording
from tinygrad_hw.trees import leaves

X = np.array([1.0, 2.0])


def leaf(value, name=None):
    return Tensor(np.array(value, float), requires_grad=True, name=name)


# Ways to hold something that changes: each returns the function, and what changes it
def class_attribute():
    class Settings:
        scale = 1.0

    return lambda x: x * Settings.scale, lambda: setattr(Settings, "scale", 2.0)


def inherited_attribute():
    class Base:
        scale = 1.0

    class Settings(Base):
        pass

    return lambda x: x * Settings().scale, lambda: setattr(Base, "scale", 2.0)


def shadowed_in_a_subclass():
    class Base:
        scale = 1.0

    class Settings(Base):
        pass

    return lambda x: x * Settings.scale, lambda: setattr(Settings, "scale", 2.0)


def shadowed_in_an_instance():
    class Settings:
        scale = 1.0

    settings = Settings()
    return lambda x: x * settings.scale, lambda: setattr(settings, "scale", 2.0)


def attribute_set_later():
    class Settings:
        pass

    settings = Settings()
    return lambda x: x * getattr(settings, "scale", 1.0), lambda: setattr(settings, "scale", 2.0)


def read_in_a_property():
    class Settings:
        factor = 1.0

        @property
        def scale(self):
            return 2 * self.factor

    settings = Settings()
    return lambda x: x * settings.scale, lambda: setattr(Settings, "factor", 3.0)


def read_in_an_operator():
    class Settings:
        factor = 1.0

        def __mul__(self, x):
            return x * self.factor

    settings = Settings()
    return lambda x: settings * x, lambda: setattr(settings, "factor", 3.0)


def a_replaced_method():
    class Settings:
        def scaled(self, x):
            return x * 2.0

    settings = Settings()
    return lambda x: settings.scaled(x), lambda: setattr(Settings, "scaled", lambda self, x: x * 3.0)


def a_static_method():
    class Settings:
        @staticmethod
        def scaled(x):
            return x * 2.0

    return lambda x: Settings.scaled(x), lambda: setattr(Settings, "scaled", staticmethod(lambda x: x * 3.0))


def simple_namespace():
    settings = types.SimpleNamespace(scale=1.0)
    return lambda x: x * settings.scale, lambda: setattr(settings, "scale", 2.0)


def argparse_namespace():
    settings = argparse.Namespace(scale=1.0)
    return lambda x: x * vars(settings)["scale"], lambda: setattr(settings, "scale", 2.0)


def slots():
    @dataclasses.dataclass(slots=True)
    class Settings:
        scale: float = 1.0

    settings = Settings()
    return lambda x: x * settings.scale, lambda: setattr(settings, "scale", 2.0)


def named_tuple_in_a_list():
    point = collections.namedtuple("point", "scale")
    points = [point(1.0)]
    return lambda x: x * points[0].scale, lambda: points.__setitem__(0, point(2.0))


def in_a_set():
    scales = {1.0}
    return lambda x: x * max(scales), lambda: scales.add(2.0)


def another_in_a_set_of_the_same_size():
    scales = {1.0}
    return lambda x: x * max(scales), lambda: (scales.clear(), scales.add(2.0))


def in_a_deque():
    scales = collections.deque([1.0], maxlen=1)
    return lambda x: x * scales[0], lambda: scales.append(2.0)


def in_a_large_list():
    scales = [float(i) for i in range(1000)]
    return lambda x: x * scales[500], lambda: scales.__setitem__(500, 2.0)


def in_a_large_dict():
    scales = {i: float(i) for i in range(1000)}
    return lambda x: x * scales[500], lambda: scales.__setitem__(500, 2.0)


def another_key():
    scales = {"a": 2.0}
    return lambda x: x * sum(scales.values()), lambda: (scales.clear(), scales.__setitem__("b", 3.0))


def the_order_of_a_dict():
    scales = {"a": 2.0, "b": 3.0}
    return lambda x: x * next(iter(scales.values())), lambda: scales.__setitem__("a", scales.pop("a"))


def default_dict():
    scales = collections.defaultdict(float, a=1.0)
    return lambda x: x * scales["a"], lambda: scales.__setitem__("a", 2.0)


def chained_maps():
    inner = {"scale": 1.0}
    scales = collections.ChainMap({}, inner)
    return lambda x: x * scales["scale"], lambda: inner.__setitem__("scale", 2.0)


def mapping_proxy():
    inner = {"scale": 1.0}
    scales = types.MappingProxyType(inner)
    return lambda x: x * scales["scale"], lambda: inner.__setitem__("scale", 2.0)


def context_variable():
    scale = contextvars.ContextVar("scale", default=1.0)
    return lambda x: x * scale.get(), lambda: scale.set(2.0)


def partial_of_a_list():
    scales = [1.0]
    return functools.partial(lambda s, x: x * s[0], scales), lambda: scales.__setitem__(0, 2.0)


def defaults():
    def f(x, scale=1.0):
        return x * scale

    return f, lambda: setattr(f, "__defaults__", (2.0,))


def keyword_defaults():
    def f(x, *, scale=1.0):
        return x * scale

    return f, lambda: f.__kwdefaults__.__setitem__("scale", 2.0)


def attribute_of_a_function():
    def scaled(x):
        return x * scaled.scale

    scaled.scale = 1.0
    return lambda x: scaled(x), lambda: setattr(scaled, "scale", 2.0)


def bound_method():
    settings = types.SimpleNamespace(scale=1.0)

    class Model:
        def __init__(self):
            self.settings = settings

        def forward(self, x):
            return x * self.settings.scale

    return Model().forward, lambda: setattr(settings, "scale", 2.0)


def a_module_made_by_hand():
    module = types.ModuleType("made_by_hand")
    exec("def scaled(x):\n    return x * 2.0\n", module.__dict__)
    return lambda x: module.scaled(x), lambda: setattr(module, "scaled", lambda x: x * 3.0)


def a_global_of_a_method():
    scope = {"nn": nn, "SCALE": 2.0}
    exec("class Net(nn.Module):\n    def forward(self, x):\n        return x * SCALE\n", scope)
    net = scope["Net"]()
    return lambda x: net(x), lambda: scope.__setitem__("SCALE", 3.0)


def evaluation_mode():
    class Net(nn.Module):
        def forward(self, x):
            return x * (2.0 if self.training else 1.0)

    net = nn.Sequential(Net())
    return net, net.eval


def an_integer_for_a_float():
    box = [2.0]
    return lambda x: x * (1 if isinstance(box[0], float) else 5), lambda: box.__setitem__(0, 2)


def a_negative_zero():
    box = [0.0]
    return lambda x: x * np.copysign(1.0, box[0]), lambda: box.__setitem__(0, -0.0)


def an_array_in_a_class():
    class Settings:
        scale = np.array([1.0, 2.0])

    return lambda x: x * Settings.scale, lambda: Settings.scale.__setitem__(0, 5.0)


def an_array_in_a_tuple():
    data = (np.array([1.0, 2.0]), 3)
    return lambda x: x * data[0], lambda: data[0].__setitem__(0, 5.0)


def an_array_in_a_frozen_set_of_tuples():
    array = np.array([1.0, 2.0])
    data = frozenset({types.MappingProxyType}) and [frozenset(), (array,)]
    return lambda x: x * data[1][0], lambda: array.__setitem__(0, 5.0)


def an_array_in_a_tuple_in_a_tuple():
    data = ((np.array([1.0, 2.0]), 3),)
    return lambda x: x * data[0][0], lambda: data[0][0].__setitem__(0, 5.0)


def two_names_of_one_tuple():
    a = b = (np.array([1.0, 2.0]),)
    return lambda x: x * np.sin(a[0]) + np.sin(b[0]), lambda: a[0].__setitem__(0, 5.0)


def an_attribute_of_a_class_in_a_module_without_a_file():
    module = sys.modules["without_a_file"] = types.ModuleType("without_a_file")
    exec("class Settings:\n    scale = 1.0\n", vars(module))
    return lambda x: x * module.Settings.scale, lambda: setattr(module.Settings, "scale", 2.0)


def an_array_that_is_decided_by():
    flags = np.array([True, False])
    return lambda x: x * 2 if flags[0] else x * 3, lambda: flags.__setitem__(0, False)


def an_array_of_sizes():
    sizes = np.array([1, 2])
    return lambda x: x[: int(sizes[0])].sum() * x, lambda: sizes.__setitem__(0, 2)


def a_mask():
    mask = np.array([True, False])
    return lambda x: x[mask].sum() * x, lambda: mask.__setitem__(1, True)


def two_names_of_one_array():
    holder = types.SimpleNamespace()
    holder.a = holder.b = np.array([1.0, 2.0])
    return lambda x: x * holder.a + holder.b, lambda: setattr(holder, "b", np.array([5.0, 6.0]))


def a_view_of_a_tensor():
    W = Tensor([[1.0, 2.0], [3.0, 4.0]])
    T = W.T
    return lambda x: T @ x, lambda: W.__setitem__((0, 1), 9.0)


def a_tensor_in_a_class():
    class Settings:
        scale = Tensor([1.0, 2.0])

    return lambda x: x * Settings.scale, lambda: setattr(Settings, "scale", Tensor([5.0, 6.0]))


def the_environment():
    os.environ["SCALE_OF_A_TEST"] = "1.0"
    return lambda x: x * float(os.environ["SCALE_OF_A_TEST"]), lambda: os.environ.__setitem__("SCALE_OF_A_TEST", "2.0")


def the_environment_by_a_function():
    os.environ["SCALE_OF_A_TEST"] = "1.0"
    return lambda x: x * float(os.getenv("SCALE_OF_A_TEST")), lambda: os.environ.__setitem__("SCALE_OF_A_TEST", "2.0")


def a_weak_reference():
    class Settings:
        scale = 1.0

    settings = Settings()
    reference = weakref.ref(settings)
    return lambda x: x * reference().scale, lambda kept=settings: setattr(settings, "scale", 2.0)


def thread_local():
    local = threading.local()
    local.scale = 1.0
    return lambda x: x * local.scale, lambda: setattr(local, "scale", 2.0)


def attribute_of_a_metaclass():
    class Meta(type):
        scale = 1.0

    class Settings(metaclass=Meta):
        pass

    return lambda x: x * Settings.scale, lambda: setattr(Meta, "scale", 2.0)


def another_class():
    class Old:
        scale = 1.0

    class New:
        scale = 2.0

    settings = Old()
    return lambda x: x * settings.scale, lambda: setattr(settings, "__class__", New)


def another_base():
    class Old:
        scale = 1.0

    class New:
        scale = 2.0

    class Settings(Old):
        pass

    return lambda x: x * Settings.scale, lambda: setattr(Settings, "__bases__", (New,))


def other_code():
    def f(x):
        return x * 1.0

    return lambda x: f(x), lambda: setattr(f, "__code__", (lambda x: x * 2.0).__code__)


def an_array_of_python():
    numbers = array.array("d", [1.0])
    return lambda x: x * numbers[0], lambda: numbers.__setitem__(0, 2.0)


def bytes_in_a_view():
    data = bytearray([1])
    view = memoryview(data)
    return lambda x: x * data[0] * view[0], lambda: data.__setitem__(0, 2)


def weak_values():
    class Settings:
        scale = 1.0

    settings = Settings()
    held = weakref.WeakValueDictionary(a=settings)
    return lambda x: x * held["a"].scale, lambda: setattr(settings, "scale", 2.0)


def the_factory_of_a_dict():
    held = collections.defaultdict(lambda: 1.0)
    return lambda x: x * held.default_factory(), lambda: setattr(held, "default_factory", lambda: 2.0)


def a_view_of_a_dict():
    held = {"a": 1.0}
    values, items = held.values(), held.items()
    return lambda x: x * sum(values) * len(items), lambda: held.update(b=2.0)


def whether_a_tensor_requires_a_gradient():
    w = Tensor(X)
    return lambda x: x * (2.0 if w.requires_grad else 1.0), lambda: setattr(w, "requires_grad", True)


def data_of_ctypes():
    number, numbers = ctypes.c_double(1.0), (ctypes.c_double * 2)(1.0, 2.0)
    return lambda x: x * number.value * numbers[0], lambda: (setattr(number, "value", 2.0), numbers.__setitem__(0, 3.0))


def an_array_in_an_object_of_numpy():
    line = np.polynomial.Polynomial([1.0, 2.0])
    return lambda x: x * line(2.0), lambda: line.coef.__setitem__(0, 3.0)


def a_function_in_an_object_of_numpy():
    held = {"scale": 1.0}
    scaled = np.vectorize(lambda k: k * held["scale"])
    return lambda x: x * scaled(np.array(2.0)), lambda: held.update(scale=3.0)


def a_container_in_an_object_of_a_library():
    settings = configparser.ConfigParser()
    settings["a"] = {"scale": "1.0"}
    return lambda x: x * settings.getfloat("a", "scale"), lambda: settings.set("a", "scale", "2.0")


def a_module_imported_inside():
    module = sys.modules["held_elsewhere"] = types.ModuleType("held_elsewhere")
    module.scale = 1.0

    def f(x):
        import held_elsewhere
        from held_elsewhere import scale

        return x * held_elsewhere.scale * scale

    return f, lambda: setattr(module, "scale", 2.0)


def a_module_that_makes_its_attributes():
    module = types.ModuleType("made")
    module.held = {"scale": 1.0}
    exec("def __getattr__(name): return held[name]", vars(module))
    return lambda x: x * module.scale, lambda: module.held.update(scale=2.0)


def a_name_put_into_builtins():
    builtins.put_there_by_a_test = 1.0
    return lambda x: x * put_there_by_a_test, lambda: setattr(builtins, "put_there_by_a_test", 2.0)  # noqa: F821


def a_constant_of_a_library():
    np.put_there_by_a_test = 1.0
    return lambda x: x * np.put_there_by_a_test, lambda: setattr(np, "put_there_by_a_test", 2.0)


def a_function_of_several_types():
    @functools.singledispatch
    def scale(x):
        return 1.0

    return lambda x: x * scale(3), lambda: scale.register(int, lambda x: 2.0)


def what_an_exception_says():
    error = ValueError(1.0)
    return lambda x: x * error.args[0], lambda: setattr(error, "args", (2.0,))


def the_shape_of_an_array():
    numbers = np.ones((2, 3))
    return lambda x: x * numbers.shape[0], lambda: setattr(numbers, "shape", (3, 2))


def attributes_that_a_descriptor_or_a_method_finds():
    found = {}

    class Found:
        def __get__(self, holder, kind):
            return found[type(holder).__name__]

    class Settings:
        scale = Found()

        def __getattr__(self, name):
            return found[name]

    settings = Settings()
    found |= {"Settings": 1.0, "other": 1.0}
    return lambda x: x * settings.scale * settings.other, lambda: found.update(Settings=2.0, other=3.0)


WAYS = [
    class_attribute, inherited_attribute, shadowed_in_a_subclass, shadowed_in_an_instance, attribute_set_later, read_in_a_property,
    read_in_an_operator, a_replaced_method, a_static_method, simple_namespace, argparse_namespace, slots, named_tuple_in_a_list, in_a_set,
    another_in_a_set_of_the_same_size, in_a_deque, in_a_large_list, in_a_large_dict, another_key, the_order_of_a_dict, default_dict,
    chained_maps, mapping_proxy, context_variable, partial_of_a_list, defaults, keyword_defaults, attribute_of_a_function, bound_method,
    a_module_made_by_hand, a_global_of_a_method, evaluation_mode, an_integer_for_a_float, a_negative_zero, an_array_in_a_class,
    an_array_in_a_tuple, an_array_in_a_tuple_in_a_tuple, two_names_of_one_tuple, an_attribute_of_a_class_in_a_module_without_a_file,
    an_array_in_a_frozen_set_of_tuples, an_array_that_is_decided_by, an_array_of_sizes, a_mask, two_names_of_one_array,
    a_view_of_a_tensor, a_tensor_in_a_class, the_environment, the_environment_by_a_function, a_weak_reference, thread_local,
    attribute_of_a_metaclass, another_class, another_base, other_code, an_array_of_python, bytes_in_a_view, weak_values,
    the_factory_of_a_dict, a_view_of_a_dict, whether_a_tensor_requires_a_gradient, data_of_ctypes, an_array_in_an_object_of_numpy,
    a_function_in_an_object_of_numpy, a_container_in_an_object_of_a_library, a_module_imported_inside, a_module_that_makes_its_attributes,
    a_name_put_into_builtins, a_constant_of_a_library, a_function_of_several_types, what_an_exception_says, the_shape_of_an_array,
    attributes_that_a_descriptor_or_a_method_finds,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_changes_outside_is_seen_however_it_is_held(way):
    f, change = way()
    compiled = compile(f)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(X), np.asarray(f(X)))
    before = np.asarray(f(X))
    change()
    assert not np.array_equal(before, np.asarray(f(X)), equal_nan=True)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(X), np.asarray(f(X)))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_captured_array_is_an_input(backend):
    pytest.importorskip(backend)
    holder, listed = types.SimpleNamespace(A=np.eye(2)), [np.ones(2)]
    f = lambda x: holder.A @ x + listed[0]
    compiled = compile(f, backend=backend)
    for _ in range(4):
        np.testing.assert_allclose(compiled(X), f(X), rtol=1e-15)
        holder.A = holder.A * 2
        listed[0][1] += 1
    assert compiled.recordings == 1
    holder.A = np.ones((2, 2), np.float32)
    np.testing.assert_allclose(compiled(X), f(X), rtol=1e-15)
    assert compiled.recordings == 2


def test_an_array_whose_numbers_decide_something_is_an_input_that_is_watched_by_content():
    steps = np.array([2])
    f = lambda x: functools.reduce(lambda y, _: y * steps, range(int(steps[0])), x)
    compiled = compile(f)
    for n in (2, 3, 3):
        steps[0] = n
        np.testing.assert_array_equal(compiled(X), f(X))
    assert compiled.recordings == 2


def test_a_captured_array_that_decides_nothing_is_not_compared():
    data = np.ones(1_000_000)
    compiled = compile(lambda i: data[:3] * i)
    compiled(np.ones(3))
    assert compiled._watch.arrays[0].frozen is None


# What it may not use
def the_clock(x):
    return x * time.time()  # here


def a_print(x):
    print("here")  # here
    return x


def pythons_random_numbers(x):
    return x * random.random()  # here


def pythons_random_numbers_through_its_library(x):
    return x * random.gauss(0, 1)  # here


def a_file(x):
    with open(__file__) as file:  # here
        return x * len(file.read())


def a_file_through_numpy(x):
    return x * len(np.genfromtxt(__file__, str, delimiter=chr(0)))  # here


def code_as_text(x):
    return x * eval("len(X)")  # here


def the_operating_system(x):
    return x * os.getpid()  # here


def the_identity_of_something(x):
    return x * (id(x) % 7)  # here


def the_names_of_a_module(x):
    return x * len(globals())  # here


@pytest.mark.parametrize(
    "f",
    [
        the_clock,
        a_print,
        pythons_random_numbers,
        pythons_random_numbers_through_its_library,
        a_file,
        a_file_through_numpy,
        code_as_text,
        the_operating_system,
        the_identity_of_something,
        the_names_of_a_module,
    ],
    ids=lambda f: f.__name__,
)
def test_what_cannot_be_watched_is_refused_with_its_line(f):
    lines, first = inspect.getsourcelines(f)
    line = first + next(i for i, text in enumerate(lines) if "# here" in text)
    with pytest.raises(CompileError, match=rf"line {line}: .* cannot be watched"):
        compile(f)(X)


def test_what_a_callback_of_the_garbage_collector_does_is_not_blamed_on_the_code():
    def f(x):
        return sum([y * 2 for y in x]).sum() * len(textwrap.dedent("a"))

    clock, thresholds = lambda phase, info: time.perf_counter(), gc.get_threshold()
    gc.callbacks.append(clock)
    gc.set_threshold(1)
    try:
        assert compile(f)(X) == np.sum(2 * X)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(clock)


def test_an_error_that_the_code_swallows_is_raised_all_the_same():
    def f(x):
        try:
            return x * float(x.sum())
        except RuntimeError:
            return x

    with pytest.raises(CompileError, match=r"float\(\) depends on a value"):
        compile(f)(X)


# What it changes
def test_a_counter_is_refused_and_left_as_it_was():
    class Counter:
        n = 0

    counter = types.SimpleNamespace(n=0)

    def on_a_class(x):
        Counter.n += 1
        return x

    def on_an_object(x):
        counter.n += 1
        return x

    with pytest.raises(CompileError, match="changes numbers"):
        numbers = [1.0, 2.0]
        compile(lambda x: x * numbers.pop())(X)
    assert numbers == [1.0, 2.0]
    for f, name, holder in ((on_a_class, "Counter.n", Counter), (on_an_object, "counter.n", counter)):
        with pytest.raises(CompileError, match=f"changes {name}"):
            compile(f)(X)
        assert holder.n == 0


def test_what_is_set_up_at_the_first_call_is_kept():
    class Scaled(nn.Module):
        table = None

        @functools.cached_property
        def factor(self):
            return 3.0

        def forward(self, x):
            if self.table is None:
                self.table = {"scale": 2.0}
            return x * self.table["scale"] * self.factor

    model = Scaled()
    compiled = compile(model)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(X), 6 * X)
    model.table["scale"] = 4.0
    np.testing.assert_array_equal(compiled(X), 12 * X)


@pytest.mark.parametrize("keep", ["attribute", "list", "dict", "set of objects", "global"])
def test_no_stand_in_stays_in_an_object_of_the_users(keep):
    scope = {"kept": None}
    log, table, objects = [], {}, set()

    class Net(nn.Module):
        def forward(self, x):
            y = x * 2.0
            if keep == "attribute":
                self.last = y
            elif keep == "list":
                log.append(y)
            elif keep == "dict":
                table["last"] = y
            elif keep == "set of objects":
                objects.add(y)
            else:
                scope["kept"] = y
            return y.sum()

    net = Net()
    with pytest.raises(CompileError, match="changes "):
        compile(net)(X)
    assert (log, table, objects, scope["kept"], hasattr(net, "last")) == ([], {}, set(), None, False)


def test_while_one_thread_records_others_see_values():
    net, started, done, seen = nn.Linear(2, 2, rng=np.random.default_rng(0)), threading.Event(), threading.Event(), []
    right = net(X).numpy()
    weights = [np.ones(2)]

    def f(x):
        started.set()
        assert done.wait(30)
        return net(x) * weights[0]

    def other():
        started.wait(30)
        seen.append(net(X).numpy())
        seen.append(weights[0] * 3 + np.sin(weights[0]))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    compile(f)(X)
    thread.join()
    assert [type(value) for value in seen] == [np.ndarray, np.ndarray]
    np.testing.assert_array_equal(seen[0], right)
    np.testing.assert_array_equal(seen[1], 3 + np.sin(np.ones(2)))


@pytest.mark.parametrize("write, backend", [("data", "numpy"), ("setitem", "numpy"), ("-=", "numpy"), ("out=", "numpy"), ("data", "numba")])
def test_what_is_written_into_a_captured_tensor_is_written_at_every_call(write, backend):
    pytest.importorskip(backend)
    rng = np.random.default_rng(0)
    batches = [rng.normal(size=(5, 3)) + 3 for _ in range(4)]

    def run(compiled):
        w, mean = leaf(np.ones(3)), Tensor(np.zeros(3))

        def loss(x):
            m = x.sum(axis=0) / 5
            with tg.no_grad():
                if write == "data":
                    mean.data = 0.9 * mean.numpy() + 0.1 * m
                elif write == "setitem":
                    mean[...] = 0.9 * mean + 0.1 * m
                elif write == "-=":
                    running = mean
                    running -= 0.1 * (mean - m)
                else:
                    np.add(0.9 * mean, 0.1 * m, out=mean)
            return (((x - m) * w) ** 2).sum()

        optimizer = optim.SGD([w], lr=0.01)
        step = compile(loss, optimizer, backend=backend)
        losses = []
        for x in batches:
            if compiled:
                losses.append(float(step(x)))
            else:
                optimizer.zero_grad()
                out = loss(Tensor(x))
                out.backward()
                optimizer.step()
                losses.append(out.item())
        return [*losses, *w.numpy(), *mean.numpy()]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


def test_a_write_that_would_lengthen_the_graph_at_each_call_is_refused():
    w, total = leaf([1.0, 2.0]), Tensor([0.0, 0.0])

    def loss(x):
        total[...] = total + w * x
        return (total * total).sum()

    with pytest.raises(CompileError, match="would make its graph longer at each call"):
        compile(loss, optim.SGD([w], lr=0.1))(X)
    np.testing.assert_array_equal(total.numpy(), [0.0, 0.0])
    assert not total.requires_grad


# Random numbers
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_random_numbers_are_drawn_anew_in_the_order_of_eager(backend):
    pytest.importorskip(backend)

    def run(compiled):
        rng, w = np.random.default_rng(3), leaf(np.ones(4))

        def loss(x):
            noise = rng.normal(size=4) * rng.random()
            kept = rng.random(4) < 0.7
            return ((w * x * np.where(kept, 1 / 0.7, 0.0) + noise) ** 2).sum()

        optimizer = optim.SGD([w], lr=0.01)
        step, losses = compile(loss, optimizer, backend=backend), []
        if compiled:
            losses = [float(step(np.arange(4.0))) for _ in range(3)] + [float(loss) for loss in step.repeat(3, np.arange(4.0))]
        else:
            for _ in range(6):
                optimizer.zero_grad()
                out = loss(Tensor(np.arange(4.0)))
                out.backward()
                optimizer.step()
                losses.append(out.item())
        return [*losses, *w.numpy(), rng.random()]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng: rng.permutation(4), lambda rng: rng.permuted(np.arange(4)), lambda rng: rng.choice(9, 4, replace=False),
        lambda rng: rng.multivariate_normal(np.zeros(4), np.eye(4)), lambda rng: rng.dirichlet(np.ones(4)), lambda rng: rng.poisson(3.0, 4),
    ],
)  # fmt: skip
def test_methods_of_a_generator_that_call_each_other_are_drawn_as_one(draw):
    ours, theirs = np.random.default_rng(1), np.random.default_rng(1)
    compiled = compile(lambda x: x * draw(ours))
    for _ in range(3):
        np.testing.assert_array_equal(compiled(np.arange(4.0)), np.arange(4.0) * draw(theirs))
    assert ours.random() == theirs.random()


def test_dropout_and_a_choice_of_the_engine_draw_once_a_step():
    def run(compiled):
        rng = np.random.default_rng(0)
        net = nn.Sequential(nn.Linear(3, 8, rng=rng), nn.ReLU(), nn.Dropout(0.5, rng=rng), nn.Linear(8, 1, rng=rng))
        optimizer = optim.Adam(net.parameters(), lr=0.01)
        step, x, losses = compile(lambda x: (net(x) ** 2).mean(), optimizer), np.ones((5, 3)), []
        for _ in range(5):
            if compiled:
                losses.append(float(step(x)))
            else:
                optimizer.zero_grad()
                loss = (net(Tensor(x)) ** 2).mean()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return [*losses, rng.random()]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-10)


def test_a_draw_that_depends_on_a_value_is_refused_with_what_to_write():
    rng = np.random.default_rng(0)
    with pytest.raises(CompileError, match=r"mean \+ deviation \* rng.standard_normal"):
        compile(lambda x: rng.normal(x.sum(), 1.0, size=2) * x)(X)


# Optimisers
@pytest.mark.parametrize("form", ["row", "number", "matrix"])
def test_what_an_optimiser_remembers_may_have_any_form(form):
    class Own(optim.Optimizer):
        def update(self, value, grad, state):
            if form == "row":
                state["n"] = 0.9 * state.get("n", np.zeros(1)) + 0.1 * np.reshape(np.sum(grad * grad), (1,))
            elif form == "number":
                state["n"] = 0.9 * state.get("n", 0.0) + 0.1
            else:
                state["n"] = 0.9 * state.get("n", np.zeros((2, 2))) + np.outer(grad, grad)
                return value - self.lr * (state["n"] @ grad)
            return value - self.lr * grad / (np.sqrt(state["n"]) + 1e-8)

    def run(compiled):
        w, v = leaf([1.0, 2.0]), leaf([3.0, 4.0])
        optimizer = Own([w, v], lr=0.01)
        loss = lambda x: ((w - x) ** 2).sum() + (v * w).sum()
        step = compile(loss, optimizer)
        for _ in range(6):
            if compiled:
                step(X)
            else:
                optimizer.zero_grad()
                loss(X).backward()
                optimizer.step()
        return [*w.numpy(), *v.numpy(), *np.ravel(optimizer.state[1]["n"])]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


def test_an_optimiser_that_remembers_what_a_plan_cannot_keep_is_refused():
    class Own(optim.Optimizer):
        def update(self, value, grad, state):
            state["odd"] = not state.get("odd", False)
            return value - self.lr * grad * (2.0 if state["odd"] else 1.0)

    w = leaf([1.0, 2.0])
    step = compile(lambda x: ((w - x) ** 2).sum(), Own([w], lr=0.1))
    with pytest.raises(CompileError, match="changes what it remembers as 'odd', a bool"):
        step(X), step(X)


def test_the_memory_of_one_parameter_may_be_set_between_calls():
    def run(compiled):
        w, v = leaf([1.0, 2.0]), leaf([3.0])
        optimizer = optim.Adam([w, v], lr=0.1)
        loss = lambda x: ((w - x) ** 2).sum() * v.sum()
        step = compile(loss, optimizer)
        for i in range(6):
            if i == 4:
                optimizer.state[1]["step"] = 1
            if compiled:
                step(X)
            else:
                optimizer.zero_grad()
                loss(X).backward()
                optimizer.step()
        return [*w.numpy(), *v.numpy(), optimizer.state[0]["step"], optimizer.state[1]["step"]]

    np.testing.assert_allclose(run(True), run(False), rtol=1e-12)


def test_two_steps_of_one_optimiser_in_two_threads_lose_nothing():
    w = leaf([0.0])
    optimizer = optim.SGD([w], lr=1.0)
    steps = [compile(lambda: -w.sum(), optimizer), compile(lambda: -(w * 1.0).sum(), optimizer)]
    threads = [threading.Thread(target=lambda step=step: [step() for _ in range(500)]) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.numpy() == [1000.0]


# Calls
def test_arguments_by_name_and_more_than_one_result():
    w = leaf([1.0, 2.0])
    step = compile(lambda x, y: (((w * x - y) ** 2).sum(), {"prediction": w * x}), optim.SGD([w], lr=0.1))
    for _ in range(3):
        before = w.numpy()
        loss, more = step(y=X * 0, x=X)
        np.testing.assert_allclose(more["prediction"], before * X)
        assert loss == ((before * X) ** 2).sum()
    assert step.repeat(3, X, X * 0).shape == (3,)
    assert type(more["prediction"]) is np.ndarray
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        step(x=X)


def test_a_loss_function_may_return_a_tuple_of_the_loss_alone():
    w = leaf([1.0, 2.0])
    step = compile(lambda x: ((w * x).sum(),), optim.SGD([w], lr=0.5))
    assert [step(X), step(X)] == [(5.0,), (2.5,)]


def test_of_many_shapes_the_last_plans_are_kept():
    compiled = compile(lambda x: x * 2)
    with pytest.warns(RuntimeWarning, match="has been recorded 8 times") as warned:
        for n in range(1, 30):
            compiled(np.ones(n))
    assert [warning.filename for warning in warned] == [__file__]
    assert len(compiled._entries) == 8
    compiled(np.ones(29)), compiled(np.ones(25))
    assert compiled.recordings == 29


def scaled(x):
    return x * 2.0


def test_a_copy_is_recorded_anew():
    compiled = compile(scaled)
    compiled(X)
    for twin in (copy.deepcopy(compiled), copy.copy(compiled), pickle.loads(pickle.dumps(compiled))):
        np.testing.assert_array_equal(twin(X), 2 * X)
        assert twin.recordings == 1


def test_inside_detect_anomaly_the_line_is_named():
    w = leaf([1.0])
    step = compile(lambda x: np.log(w * x).sum(), optim.SGD([w], lr=0.1))
    for _ in range(2):
        with tg.detect_anomaly(), pytest.raises(tg.TinygradError, match="log gave nan"):
            step(np.array([-1.0]))
        assert w.numpy() == [1.0]
        step(np.array([1.0]))
        w.data = [1.0]


def test_a_class_of_optimisers_is_no_optimiser():
    with pytest.raises(TypeError, match="must be one optimiser"):
        compile(lambda x: x, optim.SGD)


def test_what_is_no_optimiser_is_named():
    with pytest.raises(TypeError, match=r"optimizer must be one optimiser .* not list"):
        compile(scaled, [optim.SGD([leaf([1.0])], lr=0.1)])


def test_a_compiled_step_inside_another_compiled_function_is_refused():
    w = leaf([1.0])
    step = compile(lambda x: (w * x).sum(), optim.SGD([w], lr=0.1))
    with pytest.raises(CompileError, match="is a compiled step, and cannot be a part of another"):
        compile(lambda x: step(x) * x)(X[:1])


def test_a_compiled_function_inside_another_is_a_part_of_it():
    inner = compile(lambda x: x * 2)
    outer = compile(lambda x: inner(x) + 1)
    inner(X)
    np.testing.assert_array_equal(outer(X), 2 * X + 1)


def test_more_than_can_be_watched_is_refused():
    boxes = [[float(i)] for i in range(30_000)]
    with pytest.raises(CompileError, match="reaches more than 20000 things from outside"):
        compile(lambda x: x * boxes[0][0])(X)


def test_the_walk_follows_of_a_module_what_the_code_names():
    names = [guard.name for guard in Watch(lambda x: np.sin(x) * argparse.SUPPRESS.count("=")).guards]
    assert sorted(names) == ["argparse", "argparse.SUPPRESS", "np", "the code of <lambda>"]


def test_the_name_of_a_file_cannot_become_code(tmp_path):
    space = {"np": np}
    exec(builtins.compile("f = lambda x: np.sin(x) * 2", "x\n    raise SystemExit #", "exec"), space)
    compiled = compile(space["f"])
    compiled(X)
    made = {}
    exec(compiled.source, made)
    np.testing.assert_array_equal(made["compiled"](X), compiled(X))
    assert "\n    raise" not in compiled.source


@pytest.mark.parametrize("name", ["W₁", "x²", "½", "µ", "ﬁ", "ª", "ſ", "class", "np", "x_1", "ラベル"])
def test_names_of_every_script_become_identifiers(name):
    w, other = leaf([1.0, 2.0], name=name), leaf([3.0, 4.0], name="x_1" if name == "x_1" else "x1")
    step = compile(lambda x: (w * w * x).sum() + other.sum(), optim.SGD([w, other], lr=0.1))
    step(X)
    np.testing.assert_allclose(w.numpy(), [1 - 0.2, 2 - 0.8])
    made = {}
    exec(step.source, made)


# Views and writes
def flipped(x):
    y = np.tanh(x)
    np.flipud(y)[...] = 7.0
    return y


def split(x):
    y = x * 3
    np.vsplit(y, 2)[0][...] = 1.0
    return y


def transposed(x):
    y = x + 1
    t = y.T
    y[0] = 5.0
    t += y
    return y, t


def flattened_in_the_order_of_the_columns(x):
    y = x.T.copy()
    v = y.T
    v **= 2
    w = v.reshape(-1, order="F")
    w[0] = 7.0
    return y, w


def swapped(x):
    y = x * 2
    y[0], y[-1] = y[-1], y[0]
    return y


def by_places(x):
    y = x * 1
    np.rollaxis(y, 1).flat[:2] = 3
    np.put_along_axis(np.fliplr(y), np.zeros((2, 1), int), 0.25, 1)
    return y


@pytest.mark.parametrize(
    "f", [flipped, split, transposed, flattened_in_the_order_of_the_columns, swapped, by_places], ids=lambda f: f.__name__
)
def test_what_is_written_through_a_view_is_written_when_compiled(f):
    x = np.arange(6.0).reshape(2, 3) / 4
    if f is transposed:
        x = x[:, :2]
    compiled, right = compile(f), f(x.copy())
    for _ in range(2):
        for got, expected in zip(leaves(compiled(x)), leaves(right), strict=True):
            np.testing.assert_array_equal(got, expected)


# Interrupts
@pytest.mark.parametrize("number", [1, 2, 5, 9, 14, 20, 27, 35, 44, 60, 80])
def test_an_interrupt_while_it_records_leaves_everything_as_it_was(number, monkeypatch):
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Linear(2, 3, rng=rng), nn.Dropout(0.5, rng=rng), nn.Linear(3, 1, rng=rng))
    twin = copy.deepcopy(net)
    table = np.array([1.0, 2.0])
    optimizer, other = optim.Adam(net.parameters(), lr=0.1), optim.Adam(twin.parameters(), lr=0.1)
    step = compile(lambda x: (net(x * table) ** 2).mean(), optimizer)
    calls, call = iter(range(1, 10**6)), Recording.call

    def interrupted(self, *args):
        if next(calls) == number:
            raise KeyboardInterrupt
        return call(self, *args)

    monkeypatch.setattr(Recording, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        step(X[None])
    monkeypatch.undo()
    assert type(table) is np.ndarray
    assert all(type(p._node.value) is np.ndarray for p in net.parameters())
    assert (optimizer.lr, optimizer.state) == (0.1, [{}] * 4)
    for _ in range(3):
        loss = (twin(Tensor(X[None]) * table) ** 2).mean()
        other.zero_grad()
        loss.backward()
        other.step()
        np.testing.assert_allclose(step(X[None]), loss.item(), rtol=1e-12)


@pytest.mark.parametrize("number", range(1, 12))
def test_an_interrupt_in_a_step_leaves_a_step_that_works(number):
    w, v = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    optimizer = optim.Adam([w, v], lr=0.1)
    step = compile(lambda x: ((w * x - v) ** 2).sum() + (np.sin(v) * w).sum(), optimizer)
    step(X), step(X)
    entry, lines = step._entry(), 0

    def tracer(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename.startswith("<plan"):
            if event == "line":
                lines += 1
                if lines == number:
                    raise KeyboardInterrupt
            return tracer
        return None

    sys.settrace(tracer)
    try:
        with pytest.raises(KeyboardInterrupt):
            step(X)
    finally:
        sys.settrace(None)
    twins = [leaf(p.numpy()) for p in (w, v)]
    other = optim.Adam(twins, lr=0.1)
    other.load_state_dict(optimizer.state_dict())
    loss = ((twins[0] * X - twins[1]) ** 2).sum() + (np.sin(twins[1]) * twins[0]).sum()
    loss.backward()
    other.step()
    np.testing.assert_allclose(step(X), loss.item(), rtol=1e-12)
    np.testing.assert_allclose(w.numpy(), twins[0].numpy(), rtol=1e-12)
    assert entry.plan is not None


def test_what_the_package_itself_decides_by_captured_labels_is_checked_at_each_call():
    scope = {"nn": nn, "x": np.random.default_rng(0).normal(size=(4, 3)), "y": np.array([0, 1, 2, 0])}
    scope["w"] = leaf(np.random.default_rng(1).normal(size=(3, 3)))
    exec("def loss():\n    return nn.cross_entropy(x @ w, y)\n", scope)
    step = compile(scope["loss"], optim.SGD([scope["w"]], lr=0.1))
    for labels in ([0, 1, 2, 0], [2, 2, 1, 0], [1, 1, 1, 1]):
        scope["y"] = np.array(labels)
        right = scope["loss"]().item()
        np.testing.assert_allclose(step(), right, rtol=1e-12)
    assert step.recordings == 1
    scope["y"] = np.array([0, 1, 2, 7])
    for call in (scope["loss"], step):
        with pytest.raises(IndexError, match="classes must be from 0 to 2, and there is 7"):
            call()


@pytest.mark.parametrize("read", [np.geterr, np.geterrcall, np.getbufsize, np.get_printoptions])
def test_a_setting_of_numpy_that_is_read_inside_is_refused(read):
    by_alias = read
    with pytest.raises(tg.CompileError, match=rf"np\.{read.__name__} is used, which cannot be watched"):
        compile(lambda x: x * len(repr(by_alias())))(X)


def test_a_decision_by_how_numpy_treats_errors_is_refused_and_setting_it_is_not():
    with pytest.raises(tg.CompileError, match=r"np\.geterr is used"):
        compile(lambda x: x if np.geterr()["divide"] == "ignore" else 2 * x)(X)

    def quietly(x):
        with np.errstate(divide="ignore"):
            return np.log(0 * x)

    compiled = compile(quietly)
    with np.errstate(divide="raise"):
        np.testing.assert_array_equal([compiled(np.ones(2)), compiled(np.ones(2))], -np.inf)


def test_a_deep_copy_of_a_step_trains_its_own_parameters():
    class Loss:
        def __init__(self):
            self.net = tg.nn.Linear(2, 1)

        def __call__(self, x):
            return np.mean(self.net(x) ** 2)

    loss, x = Loss(), np.random.default_rng(1).normal(size=(4, 2))
    step = compile(loss, optim.SGD(loss.net.parameters(), lr=0.1))
    twin = copy.deepcopy(step)
    losses = [step(x), step(x)]
    assert losses[0] != losses[1]
    np.testing.assert_array_equal([twin(x), twin(x)], losses)


def test_a_deep_copy_of_a_step_whose_function_would_still_use_the_original_is_refused():
    net = tg.nn.Linear(2, 1)
    step = compile(lambda x: np.mean(net(x) ** 2), optim.SGD(net.parameters(), lr=0.1))
    for copied in (copy.deepcopy, lambda step: copy.deepcopy({"step": [step]})):
        with pytest.raises(tg.CompileError, match=r"a copy of <lambda> would not train.*weight.*Copy the model"):
            copied(step)
    assert copy.copy(step)(np.ones((1, 2))).shape == ()


def test_a_loss_that_depends_on_no_parameter_of_the_optimizer_is_refused():
    w, v = leaf([1.0]), leaf([2.0])
    with pytest.raises(tg.GradientError, match="the loss depends on none of the optimizer's parameters"):
        compile(lambda x: np.sum(v * x), optim.SGD([w], lr=0.1))(np.ones(1))
