"""What ``compile`` returns: a function that records at its first call, and runs plans from then on."""

from __future__ import annotations

import gc
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..backward import sweep
from ..batching import Batched
from ..errors import CompileError, GradientError
from ..tensor import Tensor, cotangent, handle, leaf, recording
from ..trees import content, leaves, rebuilt, skeleton
from .captured import Watch, cell, item
from .native import NUMPY_ONLY, NativePlan, require_numba
from .passes import PASSES, apply
from .plan import VIOLATED, Plan, release
from .program import Program
from .record import STATIC, Recorded, is_number, record
from .source import source_of
from .store import Store, store_of
from .trace import Op, Traced, replaced

__all__ = ["CompiledFunction", "CompiledStep", "compile"]

CHANGED = object()
BACKENDS = ("numpy", "numba")
READABLE = {"drop_copies", "fold_constants", "fold_signs", "turn_differences", "merge_equal", "drop_dead"}
PLANNING = ("reuse_buffers", "work_in_place")
MANY = 8  # recordings after which to say that it keeps happening


def compile(function: Callable[..., Any], optimizer: Any = None, backend: str = "numpy", without: tuple[str, ...] = ()) -> Any:
    """Return a function or a training step that records itself at the first call, and runs as a plan from then on.

    Parameters
    ----------
    function : callable
        With an optimiser, a loss function: of arrays and Tensors, to a Tensor of one entry. Without, a pure function of arrays and nested
        tuples, lists and dicts of them; it may call ``grad``, ``hvp`` and their kin.
    optimizer : Optimizer, optional
        What updates the parameters.
    backend : {"numpy", "numba"}
        What runs the plan. Numba compiles it to machine code.
    without : tuple of str
        Passes to leave out, to see what they do: see ``compiler/passes.py``; "reuse_buffers" and "work_in_place".

    Returns
    -------
    CompiledStep or CompiledFunction

    Raises
    ------
    ValueError
        If there is no such backend or pass.
    ImportError
        If the backend is not installed.
    CompileError
        At the first call, if the code decides by a value, draws random numbers or has a side effect; it names the line.

    Notes
    -----
    Arguments of another shape or dtype are recorded anew. Parameters, the learning rate and the optimiser's memory
    are read at every call, and captured Tensors too; if something else that the function uses from outside has changed, it is
    recorded anew.
    Arrays reach the function as Tensors.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKENDS))}, not {backend!r}")
    if unknown := set(without) - {*PASSES, *PLANNING}:
        raise ValueError(f"there is no pass {', '.join(sorted(unknown))}: there are {', '.join([*PASSES, *PLANNING])}")
    if backend == "numba":
        require_numba()
        without = (*without, *NUMPY_ONLY)
    if optimizer is None:
        return CompiledFunction(function, backend, tuple(without))
    return CompiledStep(function, optimizer, backend, tuple(without))


class Entry:
    """A plan with what its arguments must look like."""

    def __init__(self, program: Program, plan: Any, shapes: list[Any] | None, extras: list[Callable[[], Any]], out: Any) -> None:
        self.program, self.plan, self.shapes, self.extras, self.out = program, plan, shapes, extras, out
        self.run = plan.run
        self.fast: Callable[..., Any] | None = None  # runs the plan if nothing but values has changed, else returns CHANGED
        self.violations = 0
        self.readable = program
        self.text: str | None = None
        self.numbers: list[tuple[list[dict[str, Any]], str]] = []  # where the results after the first belong

    def source(self, name: str) -> str:
        """Return the program as source text."""
        if self.text is None:
            results = ["the result" if len(self.program.results) == 1 else "the results"]
            results += ["the new values"] if self.program.updates else []
            self.text = source_of(apply(self.readable, tuple(set(PASSES) - READABLE)), name, f"Return {' and '.join(results)}.")
        return self.text


class CompiledFunction:
    """A function that is recorded once and run as a plan.

    Attributes
    ----------
    source : str
        The plan as a NumPy program to read, of the latest call's arguments.
    program_text : str
        The plan as it runs: every result in its place in memory.
    nbytes : int
        The memory that the latest call's plan holds.
    recordings : int
        How often the code has been recorded.
    """

    optimizer: Any = None

    def __init__(self, function: Callable[..., Any], backend: str, without: tuple[str, ...]) -> None:
        self.function, self.backend, self.without = function, backend, without
        self.recordings = 0
        self._entries: dict[Any, Entry] = {}
        self._last: Entry | None = None
        self._watch: Watch | None = None
        self._lock = threading.RLock()
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = getattr(function, "__doc__", None)

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns."""
        with self._lock:
            results = self._fast(args)
            entry: Any = self._last
            if results is CHANGED:
                if any(isinstance(value_of(x), (Traced, Batched)) for x in leaves(args)):
                    return self.function(*args)
                entry, values = self._ready(args)
                results = entry.run(*values, *[extra() for extra in entry.extras])
            if results is VIOLATED:
                return self._violated(args, entry)
            results = [results] if len(entry.program.results) == 1 else results
            as_tensors = any(isinstance(x, Tensor) for x in leaves(args))
            return rebuilt(entry.out, (handle(leaf(np.asarray(y))) if as_tensors and not isinstance(y, STATIC) else y for y in results))

    # Finding the plan
    def _fast(self, args: tuple[Any, ...]) -> Any:
        """Return what the latest plan gives, or CHANGED if it may not hold for these arguments."""
        entry = self._last
        if entry is None or entry.fast is None or len(args) != len(entry.shapes or ()):
            return CHANGED
        return entry.fast(*args)

    def _make_fast(self, entry: Entry) -> None:
        """Write the tests of all that the plan relies on as one function, which then runs it."""
        if entry.shapes is None:
            return
        space: dict[str, Any] = {"ndarray": np.ndarray, "Tensor": Tensor, "array": np.array, "run": entry.run, "CHANGED": CHANGED}
        given, tests = [], []

        def bound(thing: Any) -> str:
            name = f"k{len(space)}"
            space[name] = thing
            return name

        for i, (kind, shape, dtype, strides, contiguous) in enumerate(entry.shapes):
            v = f"x{i}"
            if kind is Tensor:
                v = f"v{i}"
                tests += [f"type(x{i}) is Tensor", f"not x{i}._node.requires_grad", f"type({v} := x{i}._node.value) is ndarray"]
            else:
                tests.append(f"type({v}) is ndarray")
            tests += [f"{v}.shape == {shape}", f"{v}.dtype is {bound(dtype)}", f"{v}.strides == {strides}"]
            given.append(v if contiguous else f"array({v})")
        tests += [f"{what} is {bound(value)}" for what, value in self._relied_on(bound)]
        tests += [f"len({bound(thing)}) == {size}" for thing, size in self._watch.sizes]  # type: ignore[union-attr]
        tests += [f"{bound(array)}.tobytes() == {bound(content)}" for array, content in self._watch.arrays]  # type: ignore[union-attr]
        given += [self._read(op, bound) for op in entry.plan.variables if op.role[0] != "input"]
        names = ", ".join(f"x{i}" for i, _ in enumerate(entry.shapes))
        body = f"return run({', '.join(given)}) if {' and '.join(tests)} else CHANGED"
        text = f"def make({', '.join(space)}):\n    def fast({names}):\n        {body}\n    return fast"
        made: dict[str, Any] = {}
        exec(text, {}, made)
        entry.fast = made["make"](*space.values())

    def _relied_on(self, bound: Callable[[Any], str]) -> list[tuple[str, Any]]:
        """Return as code the places whose contents the plan relies on, with the contents."""
        watched = self._watch.places  # type: ignore[union-attr]

        def text(read: Any, container: Any, key: Any) -> str:
            if read is item:
                return f"{bound(container)}[{bound(key)}]"
            return f"{bound(container)}.{'cell_contents' if read is cell else key}"

        return [(text(read, container, key), value) for read, container, key, _, value in watched]

    def _read(self, op: Op, bound: Callable[[Any], str]) -> str:
        """Return as code what reads an input that is no argument."""
        return f"{bound(self._watch.tensors[op.role[1]][0])}.value"  # type: ignore[union-attr]

    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the plan for the arguments, and the arrays to give it."""
        if self._watch is None or self._watch.changed():
            self._entries.clear()
            self._watch = Watch(self.function, self._left_out())
        parts = leaves(args)
        if any(isinstance(x, Tensor) and x.requires_grad for x in parts):
            raise GradientError(
                f"{self.__name__} is compiled: no gradient flows through it; put tg.grad inside what is compiled, or call "
                "the function itself"
            )
        values = [x if type(x) in (*STATIC, float, complex) else contiguous(np.asarray(value_of(x))) for x in parts]
        key = (repr(skeleton(args)), *map(signature, values))
        if key not in self._entries:
            with no_collection():
                made = self._record(args)
            if made is None:
                return None, ()
            self._entries[key] = made
        entry = self._last = self._entries[key]
        self._make_fast(entry)
        return entry, self._values(args)

    def _values(self, args: tuple[Any, ...]) -> list[Any]:
        """Return what a plan takes of the arguments."""
        parts = [x for x in leaves(args) if type(x) not in STATIC]
        return [x if type(x) in (float, complex) else contiguous(np.asarray(value_of(x))) for x in parts]

    def _record(self, args: tuple[Any, ...]) -> Any:
        """Record the function, and plan it."""
        recorded = self._recorded(args)
        program = apply(recorded.program, self.without)
        entry = self._planned(program, args, {}, recorded.out)
        entry.readable = recorded.program
        release(recorded.program)
        return entry

    def _recorded(self, args: tuple[Any, ...]) -> Recorded:
        """Record the function twice, and make sure that both times it did the same and nothing besides."""
        self.recordings += 1
        if self.recordings == MANY:
            warnings.warn(
                f"{self.__name__} has been recorded {MANY} times: its arguments keep changing shape or dtype, or what it uses from outside "
                "keeps changing. Pad the arrays to one shape, or give what changes as an argument",
                RuntimeWarning,
                stacklevel=5,
            )
        assert self._watch is not None
        recorded = record(self.function, args, self._watch, self.optimizer)
        if what := self._watch.changed():
            raise CompileError(f"{self.__name__} changes {what}, which would happen at the first call only: return it, or do it outside")
        again = record(self.function, args, self._watch, self.optimizer, named=False)
        compare(recorded.program, again.program)
        return recorded

    def _planned(self, program: Program, args: tuple[Any, ...], fixed: dict[Op, np.ndarray], out: Any) -> Entry:
        """Plan a program, and return it with the way to its inputs."""
        ordered = sorted(program.inputs, key=lambda op: op.role[0] != "input")
        program.inputs = ordered
        plan = (NativePlan if self.backend == "numba" else Plan)(program, fixed, self.without)
        values = [x._node.value if type(x) is Tensor else x for x in args]
        plain = all(type(x) is np.ndarray for x in values)
        shapes = [(type(arg), x.shape, x.dtype, x.strides, contiguous(x) is x) for arg, x in zip(args, values)] if plain else None
        space: dict[str, Any] = {}

        def bound(thing: Any) -> str:
            name = f"k{len(space)}"
            space[name] = thing
            return name

        extras = [eval(f"lambda: {self._read(op, bound)}", space) for op in plan.variables if op.role[0] != "input"]
        return Entry(program, plan, shapes, extras, rebuilt(out, range(len(leaves(out)))))

    def _left_out(self) -> tuple[Any, ...]:
        """Return what the watch need not look at."""
        return ()

    def _violated(self, args: tuple[Any, ...], entry: Entry) -> Any:
        """Run the code itself where the engine decides otherwise than when it was recorded; if that goes on, record anew."""
        entry.violations += 1
        if entry.violations > 1:
            self._entries.clear()
            self._last = None
        return self._eagerly(args)

    def _eagerly(self, args: tuple[Any, ...]) -> Any:
        """Run the code itself."""
        given = rebuilt(args, (x if type(x) in (*STATIC, float, complex) else handle(leaf(np.array(value_of(x)))) for x in leaves(args)))
        token = recording.set(True)
        try:
            return self._run_code(given, any(isinstance(x, Tensor) for x in leaves(args)))
        finally:
            recording.reset(token)

    def _run_code(self, given: tuple[Any, ...], as_tensors: bool) -> Any:
        out = self.function(*given)
        return rebuilt(out, (handle(leaf(np.array(value_of(y)))) if as_tensors else np.array(value_of(y))[()] for y in leaves(out)))

    # Looking at it
    @property
    def source(self) -> str:
        """The latest plan as a NumPy program to read, which runs by itself."""
        return self._entry().source(self.__name__ if self.__name__.isidentifier() else "compiled")

    @property
    def nbytes(self) -> int:
        """The memory that the latest plan holds, in bytes."""
        return self._entry().plan.nbytes

    @property
    def program_text(self) -> str:
        """The latest plan as it runs."""
        return self._entry().plan.text

    def _entry(self) -> Entry:
        if self._last is None:
            raise CompileError(f"{self.__name__} has not been called: it is recorded at its first call")
        return self._last


class CompiledStep(CompiledFunction):
    """A training step that is recorded once and run as a plan: forward, backward and update.

    The parameters stay visible and assignable between calls. Their ``.grad`` is left alone.
    """

    def __init__(self, function: Callable[..., Any], optimizer: Any, backend: str, without: tuple[str, ...]) -> None:
        super().__init__(function, backend, without)
        self.optimizer = optimizer
        self._store: Store = store_of(optimizer)
        self._states: Any = None
        self._form: Any = None
        self._memory: list[tuple[dict[str, Any], str, Any]] = []
        self._numbers: dict[tuple[int, str], list[dict[str, Any]]] = {}
        self._settings = self._settings_now()
        self._first_loss: Any = None

    def __call__(self, *args: Any) -> Any:
        """Do one step; return the loss before it."""
        with self._lock:
            entry: Any = self._last
            out = entry.fast(*args) if entry is not None and entry.fast is not None and len(args) == len(entry.shapes) else CHANGED
            if out is CHANGED:
                entry, values = self._ready(args)
                return self._first_loss if entry is None else self._step(args, entry, values)
            return out if out is not VIOLATED and not entry.numbers else self._finished(out, args, entry)

    def repeat(self, n: int, *args: Any) -> np.ndarray:
        """Do n steps; return their losses, (n,)."""
        with self._lock:
            losses = [self(*args) for _ in range(min(n, 1))]
            if n > 1:
                losses += [self(*args)]  # (the first may have been there to set up the optimiser's memory)
            while len(losses) < n:
                losses += [self(*args)] if self._last is None else self._several(n - len(losses), args, self._last, self._values(args))
            return np.array(losses)

    def _several(self, n: int, args: tuple[Any, ...], entry: Entry, values: Any) -> list[Any]:
        """Do up to n steps; return their losses."""
        if self.backend == "numpy":
            return [self._step(args, entry, values) for _ in range(n)]
        self._store.fetch()
        losses, numbers = entry.plan.repeat(n, [*values, *[extra() for extra in entry.extras]])
        self._store.give_back()
        if len(losses):
            self._finished([losses[-1], *numbers] if entry.numbers else losses[-1], args, entry)
        return [*losses] if len(losses) == n else [*losses, self._violated(args, entry)]

    def _step(self, args: tuple[Any, ...], entry: Entry, values: Any) -> Any:
        """Run the plan once."""
        store = self._store
        if store.mirrored:
            store.fetch()
        out = entry.run(*values, *[extra() for extra in entry.extras])
        if store.mirrored and out is not VIOLATED:
            store.give_back()
        return self._finished(out, args, entry)

    def _finished(self, out: Any, args: tuple[Any, ...], entry: Entry) -> Any:
        """Put the new numbers where they belong, and return the loss."""
        if out is VIOLATED:
            return self._violated(args, entry)
        if entry.numbers:
            for (states, key), value in zip(entry.numbers, out[1:]):
                for state in states:
                    state[key] = value
            return out[0]
        return out

    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        if self._moved():
            self._adopt()
        for settings, key, value in self._settings:
            if settings[key] is not value and settings[key] != value:
                self._settings = self._settings_now()
                self._forget()
                break
        return super()._ready(args)

    def _moved(self) -> bool:
        """Tell whether a parameter or what is remembered lies elsewhere than the plan expects it."""
        if self.optimizer.state is not self._states:
            return True
        for node, part in self._store.parameters:
            if node.value is not part or not node.requires_grad:
                return True
        for state, key, kept in self._memory:
            if state.get(key) is not kept:
                return True
        for (_, key), states in self._numbers.items():
            first = states[0].get(key)
            for state in states:
                if state.get(key) is not first:
                    return True
        return False

    def _adopt(self) -> None:
        """Take the parameters and the memory from where they lie now."""
        states = self._states = self.optimizer.state
        self._store.adopt(states)
        parts = self._store.memory
        entries = [(i, state, key, kept) for i, state in enumerate(states) for key, kept in state.items()]
        self._memory = [(state, key, kept) for i, state, key, kept in entries if key in parts and kept is parts[key][i]]
        groups: dict[Any, tuple[int, list[dict[str, Any]]]] = {}
        for i, state in enumerate(states):
            for key, kept in state.items():
                if is_number(kept):
                    groups.setdefault((key, kept), (i, []))[1].append(state)
        self._numbers = {(i, key): dicts for (key, _), (i, dicts) in groups.items()}
        form = (
            [node.requires_grad for node, _ in self._store.parameters],
            [[(key, is_number(kept) or np.shape(kept)) for key, kept in state.items()] for state in states],
            [(i, key, len(dicts)) for (i, key), dicts in self._numbers.items()],
        )
        if form != self._form:
            self._form = form
            self._forget()
        for entry in self._entries.values():
            self._number_cells(entry)

    def _forget(self) -> None:
        """Let all plans go."""
        self._entries.clear()
        self._last = None

    def _record(self, args: tuple[Any, ...]) -> Any:
        recorded = self._recorded(args)
        if not recorded.settled:
            self._first_loss, self._states = self._eagerly(args), None  # which sets up the optimiser's memory
            return None
        program = apply(recorded.program, self.without)
        store = self._store
        fixed: dict[Op, np.ndarray] = {}
        for op in program.inputs:
            if op.role[0] == "parameter":
                fixed[op] = store.parameters[op.role[1]][1]
            elif op.role[0] == "memory":
                fixed[op] = store.memory[op.role[2]][op.role[1]]
            elif op.role[0] == "flat":
                fixed[op] = store.whole[op.role[1:]]
        entry = self._planned(program, args, fixed, recorded.out)
        self._number_cells(entry)
        entry.readable = recorded.program
        release(recorded.program)
        return entry

    def _number_cells(self, entry: Entry) -> None:
        """Note where the new values of the numbers that the optimiser remembers go."""
        entry.numbers = [(self._numbers[op.role[1], op.role[2]], op.role[2]) for op, _ in entry.program.updates if op.role[0] == "number"]

    def _read(self, op: Op, bound: Callable[[Any], str]) -> str:
        if op.role[0] == "lr":
            return f"{bound(self.optimizer.param_groups[op.role[1]])}.lr"
        if op.role[0] == "number":
            return f"{bound(self.optimizer)}.state[{op.role[1]}][{op.role[2]!r}]"
        return super()._read(op, bound)

    def _relied_on(self, bound: Callable[[Any], str]) -> list[tuple[str, Any]]:
        tests = [(f"{bound(self.optimizer)}.state", self._states)]
        for node, part in self._store.parameters:
            label = bound(node)
            tests += [(f"{label}.value", part), (f"{label}.requires_grad", True)]
        tests += [(f"{bound(state)}.get({key!r})", kept) for state, key, kept in self._memory]
        tests += [(f"{bound(settings)}[{key!r}]", value) for settings, key, value in self._settings]
        return tests + super()._relied_on(bound)

    def _make_fast(self, entry: Entry) -> None:
        entry.fast = None
        alike = all(state.get(key) is states[0].get(key) for (_, key), states in self._numbers.items() for state in states)
        if not self._store.mirrored and alike:
            super()._make_fast(entry)

    def _update_eagerly(self, gradients: dict[int, Any]) -> None:
        """Let the optimiser do a step of its own with these gradients."""
        nodes = [node for node, _ in self._store.parameters]
        before = [node.grad for node in nodes]
        try:
            for i, node in enumerate(nodes):
                node.grad = np.asarray(gradients[i]) if i in gradients else None
            self.optimizer.step()
        finally:
            for node, grad in zip(nodes, before):
                node.grad = grad

    def _run_code(self, given: tuple[Any, ...], as_tensors: bool) -> Any:
        loss = self.function(*given)
        cotangents = sweep({loss._node: cotangent(loss, None)})
        self._update_eagerly({i: cotangents[node] for i, (node, _) in enumerate(self._store.parameters) if node in cotangents})
        return loss.numpy()[()]

    def _left_out(self) -> tuple[Any, ...]:
        return (self.optimizer,)

    def _settings_now(self) -> list[tuple[dict[str, Any], str, Any]]:
        """Return each setting of each group of parameters, as the dict that holds it, its name and its value."""
        varying = {"lr", "state", "parameters", "_said"}
        groups = [vars(group) for group in self.optimizer.param_groups]
        return [(settings, key, value) for settings in groups for key, value in settings.items() if key not in varying]


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from searching for cycles inside: much is made here and little of it is let go, and it would take a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def value_of(x: Any) -> Any:
    """Return what a tensor holds, and anything else as it is."""
    return x._node.value if isinstance(x, Tensor) else x


def contiguous(x: np.ndarray) -> np.ndarray:
    """Return the array, or a copy where its entries do not lie together, as a Tensor's do."""
    return x if x.flags.forc else np.array(x)


def signature(x: Any) -> Any:
    """Return what an argument must have in common with the recorded one."""
    return (x.shape, x.dtype) if isinstance(x, np.ndarray) else type(x) if type(x) in (float, complex) else (type(x), x)


def compare(first: Program, second: Program) -> None:
    """Raise if two recordings of one function with the same arguments differ."""
    twin: dict[Op, Op] = dict(zip(first.inputs, second.inputs))
    for a, b in zip(first.ops, second.ops):
        args = replaced((a.args, a.kwargs), Op, lambda op: twin.get(op, op))
        if a.function != b.function or content(args) != content((b.args, b.kwargs)):
            raise differs(a)
        twin[a] = b
    if len(first.ops) != len(second.ops):
        raise differs(max(first.ops, second.ops, key=len)[-1])
    for a, b in zip(first.results, second.results):
        if not (twin.get(a) is b if isinstance(a, Op) else content(a) == content(b)):
            raise CompileError("the function returned something else when it was recorded a second time with the same arguments")


def differs(op: Op) -> CompileError:
    """Return the error for a call that was another when the function was recorded a second time."""
    where = f"{op.place[0]}, line {op.place[1]}: " if op.place else ""
    return CompileError(
        f"{where}recorded a second time with the same arguments, the code did something else here. Random numbers, counters and the like "
        "would be frozen as they were: make them outside, and give them as arguments"
    )
