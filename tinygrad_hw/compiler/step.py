"""What ``compile`` returns: a function that records at its first call, and runs plans from then on."""

from __future__ import annotations

import copy
import gc
import inspect
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from threading import get_ident
from typing import Any, Generic, TypeVar, cast, overload

import numpy as np

from ..backward import sweep
from ..batching import Batched
from ..errors import CompileError, GradientError
from ..rules.shaping import layout
from ..scopes import detecting_anomalies, held_during_fork, reset_after_fork
from ..tensor import Tensor, cotangent, handle, leaf, recording, require_numbers
from ..trees import content, is_module, leaves, rebuilt, skeleton
from .entry import CHANGED, Entry, contiguous
from .guards import ATTRIBUTE, ITEM, Alike, Bound, Guard, Place, Watch
from .javascript import expanded, javascript_of
from .kernels import MOST, in_kernels
from .loop import Loop, loops_planned, shortened
from .native import NUMPY_ONLY, NativePlan, require_numba
from .passes import PASSES, apply
from .plan import VIOLATED, Plan, release
from .program import Program, compare
from .record import STATIC, Recorded, first_of, is_number, record
from .rolled import rolled
from .sizes import Blank, resized, sizes_of
from .source import READABLE
from .store import Store, store_of
from .trace import Op, Traced

__all__ = ["CompiledFunction", "CompiledStep", "compile"]

Loss = TypeVar("Loss")
BACKENDS = ("numpy", "numba")
PLANNING = ("reuse_buffers", "work_in_place")
MANY = 8  # recordings after which to warn that it keeps happening
KEPT = 8  # plans that are kept: of what was called last
recorder = held_during_fork(threading.RLock())  # one thread records at a time, since it puts stand-ins where others look
recording_threads: set[int] = set()


@overload
def compile(
    function: Callable[..., Any], optimizer: None = None, backend: str = "numpy", without: tuple[str, ...] = ()
) -> CompiledFunction: ...
@overload
def compile(
    function: Callable[..., tuple[Any, ...]], optimizer: Any, backend: str = "numpy", without: tuple[str, ...] = ()
) -> CompiledStep[tuple[Any, ...]]: ...
@overload
def compile(
    function: Callable[..., Any], optimizer: Any, backend: str = "numpy", without: tuple[str, ...] = ()
) -> CompiledStep[np.floating]: ...
def compile(function: Callable[..., Any], optimizer: Any = None, backend: str = "numpy", without: tuple[str, ...] = ()) -> Any:
    """Return a function or a training step that records itself at the first call, and runs as a plan from then on.

    Parameters
    ----------
    function : callable
        With an optimiser, a loss function: of arrays and Tensors, to a Tensor of one entry. Without, a pure function of arrays and nested
        tuples, lists and dicts of them; it may call ``grad``, ``hvp`` and their kin. Modules may be among the arguments of either.
    optimizer : Optimizer, optional
        What updates the parameters.
    backend : {"numpy", "numba"}
        What runs the plan. Numba compiles it to machine code; what it has no code for, NumPy runs between its kernels, and a
        warning tells which calls these are.
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
        At the first call, if the code decides by a value, has a side effect, or uses what cannot be watched; it names the line.
    TypeError
        If the optimiser is none.

    Notes
    -----
    Arguments of another shape or dtype are recorded anew. Parameters, the learning rate and the optimiser's memory
    are read at every call, and captured Tensors and arrays too; what is drawn from a captured ``numpy.random.Generator`` is drawn
    anew at every call, and what is written into an argument, or into a captured Tensor inside ``no_grad``, is written at every call.
    If something else that the function uses from outside has changed, it is recorded anew.
    Arrays reach the function as Tensors. Inside ``detect_anomaly`` the function itself is run.
    A loss function may return a tuple, the loss first: the step then returns all of it, as arrays.
    Many equal steps of a plain ``for`` become one loop, as with ``tg.scan``.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> f = tg.compile(lambda x: np.sum(x**2))
    >>> f(np.array([1.0, 2.0])), f(np.array([3.0, 4.0]))
    (np.float64(5.0), np.float64(25.0))
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(map(repr, BACKENDS))}, not {backend!r}")
    if unknown := set(without) - {*PASSES, *PLANNING}:
        raise ValueError(f"there is no pass {', '.join(sorted(unknown))}: there are {', '.join([*PASSES, *PLANNING])}")
    if optimizer is not None and not hasattr(type(optimizer), "param_groups"):
        raise TypeError(
            f"optimizer must be one optimiser (groups of parameters may have settings of their own), not {type(optimizer).__name__}"
        )
    if backend == "numba":
        require_numba()
        without = (*without, *NUMPY_ONLY)
    if optimizer is None:
        return CompiledFunction(function, backend, tuple(without))
    return CompiledStep(function, optimizer, backend, tuple(without))


class CompiledFunction:
    """A function that is recorded once and run as a plan.

    Attributes
    ----------
    source : str
        The plan as a NumPy program to read, of the latest call's arguments.
    program_text : str
        The plan as it runs: every result in its place in memory.
    nbytes : int
        The memory that the latest call's plan holds, with what its loops take for the results of their steps.
    recordings : int
        How often the code has been recorded.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> f = tg.compile(lambda x: np.sin(x) ** 2)
    >>> f(np.array([0.0, 1.0]))
    array([0.        , 0.70807342])
    >>> "result = np.sin(x) ** 2" in f.source
    True
    >>> f.recordings, f.nbytes > 0, "sin" in f.program_text, "function" in f.javascript
    (1, True, True, True)
    """

    optimizer: Any = None

    def __init__(self, function: Callable[..., Any], backend: str, without: tuple[str, ...]) -> None:
        self.function, self.backend, self.without = function, backend, without
        self.recordings = 0
        self._entries: dict[Any, Entry] = {}
        self._last: Entry | None = None
        self._watch: Watch | None = None
        self._lock = reset_after_fork(threading.RLock())
        self._bound: dict[Any, CompiledFunction] = {}  # of each choice of modules among the arguments, the function of the others
        self._latest: CompiledFunction | None = None  # the one of them that the latest call ran, if it ran one
        self._told: Counter[str] = Counter()  # the calls without code for Numba that were warned of
        self._watched = function  # (what a watch of another function follows)
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.__doc__ = getattr(function, "__doc__", None)

    def __reduce__(self) -> Any:
        return compile, (self.function, self.optimizer, self.backend, self.without)

    def __deepcopy__(self, known: dict[int, Any]) -> Any:
        function, optimizer = copy.deepcopy((self.function, self.optimizer), known)
        for tensor, name in Watch(function, optimizer).tensors if optimizer is not None else ():
            if any(tensor._node is parameter._node for parameter in self.optimizer.parameters):
                raise CompileError(
                    f"a copy of {self.__name__} would not train: Python does not copy a function, so that the copy's still uses {name} of "
                    "the original, while the copy's optimizer has parameters of its own. Copy the model, and compile a loss function "
                    "and an optimizer of the copy"
                )
        return compile(function, optimizer, self.backend, self.without)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the function returns."""
        if kwargs:
            args = self._positional(args, kwargs)
        if recording_threads and get_ident() in recording_threads:
            return self.function(*args)
        if detecting_anomalies.get():
            return self._eagerly(args)
        parts = leaves(args)
        with self._lock:
            results, entry = self._quickly(args), self._last
            if results is CHANGED:
                if any(isinstance(value_of(x), (Batched, Traced)) for x in parts):
                    return self.function(*args)
                if any(map(is_module, parts)):
                    return self._with_modules(args)
                with recorder:
                    entry, values = self._ready(args)
                results = entry.call(values)
            if results is VIOLATED:
                return self._violated(args, entry)
            return self._given_back(entry, results, parts)

    def _with_modules(self, args: tuple[Any, ...], n: int | None = None) -> Any:
        """Call, or repeat, the compiled function of the arguments that are no modules.

        A module is no value that a plan could take. It is bound, and watched as one that the function uses from outside.
        """
        parts, function = leaves(args), self.function
        modules = {i: x for i, x in enumerate(parts) if is_module(x)}
        others = [x for x in parts if not is_module(x)]
        key = (repr(skeleton(args)), *[(i, id(x)) for i, x in modules.items()])
        bound: Any = self._bound.pop(key, None)
        if bound is None:
            bound = compile(with_bound(function, args, modules), self.optimizer, self.backend, self.without)
        put_last(self._bound, key, bound)
        try:
            return bound(*others) if n is None else bound.repeat(n, *others)
        finally:
            self.recordings = sum([each.recordings for each in self._bound.values()])
            self._last, self._latest = None, bound

    def _given_back(self, entry: Any, results: Any, parts: list[Any]) -> Any:
        """Return a plan's results in the structure in which the function returns them; ``parts`` are the leaves of the arguments."""
        results, as_tensors = [results] if len(entry.program.results) == 1 else results, any(isinstance(x, Tensor) for x in parts)
        if entry.written:
            entry.write(parts, results[-len(entry.written) :])
        return rebuilt(entry.out, (handle(leaf(np.asarray(y))) if as_tensors and not isinstance(y, STATIC) else y for y in results))

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments of a call as positional ones."""
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        if bound.kwargs:
            bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"{self.__name__} is compiled: {next(iter(bound.kwargs))!r} must be an argument that may be given by position")
        return bound.args

    # Finding the plan
    def _quickly(self, args: tuple[Any, ...]) -> Any:
        """Return what the latest plan gives, or CHANGED if it may not hold for these arguments."""
        entry = self._last
        if entry is None or entry.quick is None or len(args) != len(entry.shapes or ()):
            return CHANGED
        return entry.quick(*args)

    def _guards(self) -> list[Guard]:
        """Return what must be as it was for a plan to hold, in the order in which it is tested."""
        assert self._watch is not None
        return self._watch.guards

    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the plan for the arguments, and the arrays to give it."""
        if self._watch is None or self._watch.changed() is not None:
            self._entries.clear()
            self._watch = Watch(self.function, self.optimizer)
        parts = leaves(args)
        if any(isinstance(x, Tensor) and x.requires_grad for x in parts):
            raise GradientError(
                f"{self.__name__} is compiled: no gradient flows through it; put tg.grad inside what is compiled, or call "
                "the function itself"
            )
        values = values_of(parts)
        key = (repr(skeleton(args)), *map(signature, values))
        entry = self._entries.pop(key, None)
        if entry is None:
            with no_collection():
                entry = self._record(args)
            if entry is None:
                return None, ()
        if entry.written:
            assert self._watch is not None
            captured = [array.place.read() for array in self._watch.arrays] + [tensor._node.value for tensor, _ in self._watch.tensors]
            entry.require_apart(parts, captured)
        self._last, self._latest = entry, None
        put_last(self._entries, key, entry)
        self._make_quick(entry)
        return entry, [x for x in values if type(x) not in STATIC]

    def _make_quick(self, entry: Entry) -> None:
        entry.make_quick(self._guards())

    # Recording
    def _record(self, args: tuple[Any, ...]) -> Any:
        """Record the function, and plan it."""
        return self._planned(self._recorded(args), args)

    def _recorded(self, args: tuple[Any, ...]) -> Recorded:
        """Record the function twice, and make sure that both times it did the same and nothing besides.

        What it sets up at its first call and then keeps, as a cache is, may be there afterwards.
        """
        self.recordings += 1
        if self.recordings == MANY:
            warnings.warn(
                f"{self.__name__} has been recorded {MANY} times: its arguments keep changing shape or dtype, or what it uses from outside "
                "keeps changing. Pad the arrays to one shape, or give what changes as an argument",
                RuntimeWarning,
                stacklevel=5,
            )
        before = self._watch
        assert before is not None
        try:
            recorded = self._run(args)
            if before.changed() is not None and not before.kept_stand_in():
                self._watch = Watch(self.function, self.optimizer)
                recorded = self._run(args)
            self._require_unchanged()
            if not recorded.settled:
                return recorded
            program = recorded.program = rolled(recorded.program, self.backend)
            recorded = self._run(args, named=True)
            self._require_unchanged()
            recorded.program = rolled(recorded.program, self.backend)
            compare(program, recorded.program)
        except BaseException:
            for watch in (self._watch, before):
                watch.restore()  # type: ignore[union-attr]
            self._watch = None
            raise
        for i in recorded.frozen:
            self._watch.arrays[i].freeze()  # type: ignore[union-attr]
        return recorded

    def _run(self, args: tuple[Any, ...], named: bool = False) -> Recorded:
        """Record the function once."""
        recording_threads.add(get_ident())
        try:
            return record(self.function, args, self._watch, self.optimizer, named)  # type: ignore[arg-type]
        finally:
            recording_threads.discard(get_ident())

    def _require_unchanged(self) -> None:
        """Raise if the function has changed something that it uses."""
        what = self._watch.changed()  # type: ignore[union-attr]
        if what is not None:
            raise CompileError(f"{self.__name__} changes {what}, which would happen at the first call only: return it, or do it outside")

    def _planned(self, recorded: Recorded, args: tuple[Any, ...]) -> Entry:
        """Plan what was recorded, and return the plan with the way to its inputs and from its results."""
        program, mirrors, plan = self._plan_of(recorded.program)
        values = [x._node.value if isinstance(x, Tensor) else x for x in args]
        plain = all(type(x) is np.ndarray for x in values) and all(type(x) in (np.ndarray, Tensor) for x in args)
        shapes = [(type(arg), x.shape, x.dtype, x.strides, contiguous(x) is x) for arg, x in zip(args, values)] if plain else None
        entry = Entry(program, plan, shapes, recorded.out)
        entry.mirrors = [(self._watch.tensors[op.role[1]][0]._node, array) for op, array in mirrors.items()]  # type: ignore[union-attr]
        entry.draws, entry.written = recorded.draws, recorded.written
        entry.readings = [partial(self._reading, op, entry) for op in plan.variables if op.role[0] != "input"]
        entry.readable = recorded.program
        entry.blanks = (rebuilt(args, range(len(leaves(args)))), [blank_of(x) for x in leaves(args)])
        release(recorded.program)
        return entry

    def _plan_of(self, recorded: Program) -> tuple[Program, dict[Op, np.ndarray], Any]:
        """Return a program as the passes leave it, the captured tensors that it writes to with an array for each, and its plan."""

        def prepared() -> tuple[Program, dict[Op, np.ndarray]]:
            program = shortened(apply(recorded, self.without))
            loops_planned(program, self._step_of_a_loop, self.backend == "numba", self.without)
            program.inputs = sorted(program.inputs, key=lambda op: op.role[0] != "input")
            return program, {op: np.array(op.value) for op, _ in program.updates if op.role[0] == "tensor"}

        program, mirrors = prepared()
        if self.backend == "numpy":
            return program, mirrors, Plan(program, self._fixed(program) | mirrors, self.without)
        if len(program.ops) <= MOST:
            try:
                plan = NativePlan(program, self._fixed(program) | mirrors, self.without)
                plan.compile_now()
                return program, mirrors, plan
            except CompileError:
                program, mirrors = prepared()
        return (program := self._in_kernels(program)), mirrors, Plan(program, self._fixed(program) | mirrors, self._without_kernels())

    def _in_kernels(self, program: Program) -> Program:
        """Return a program with kernels for what Numba has code for, and tell once what it has none for."""
        program, left = in_kernels(program)
        if left := +left - self._told:
            self._told += left
            calls = ", ".join(f"{name} ({n})" if n > 1 else name for name, n in left.most_common())
            warnings.warn(
                f"{self.__name__}: NumPy runs what Numba has no code for, between its kernels: {calls}", UserWarning, stacklevel=8
            )
        return program

    def _without_kernels(self) -> tuple[str, ...]:
        """Return what not to do in a plan that calls kernels."""
        return tuple(set(self.without) - set(NUMPY_ONLY))

    def _step_of_a_loop(self, program: Program) -> Plan:
        """Return the plan of a step of a loop."""
        if self.backend == "numba":
            return Plan(self._in_kernels(program), {}, self._without_kernels())
        return Plan(program, {}, self.without)

    def _fixed(self, program: Program) -> dict[Op, np.ndarray]:
        """Return the inputs that always lie in the same arrays, with these."""
        return {}

    def _reading(self, op: Op, entry: Entry, bound: Bound, quick: bool) -> str:
        """Return the code that reads an input that is no argument."""
        kind, i = op.role[:2]
        if kind == "draw":
            return f"{bound(entry.draws[i])}()"
        if kind == "array":
            array = self._watch.arrays[i]  # type: ignore[union-attr]
            if not quick:
                return f"contiguous({array.place.reading(bound)})"
            now = array.place.read()
            return array.variable if contiguous(now) is now else f"array({array.variable})"
        return f"{bound(self._watch.tensors[i][0]._node)}.value"  # type: ignore[union-attr]

    # Running the code itself
    def _violated(self, args: tuple[Any, ...], entry: Any) -> Any:
        """Run the code itself where the engine decides otherwise than when it was recorded; if that goes on, record anew."""
        entry.violations += 1
        if entry.violations > 1:
            self._forget()
        return self._eagerly(args)

    def _forget(self) -> None:
        """Discard all plans."""
        self._entries.clear()
        self._last = None

    def _eagerly(self, args: tuple[Any, ...]) -> Any:
        """Run the code itself."""
        as_they_are = (*STATIC, float, complex)
        plain = leaves(args)
        parts = [x if type(x) in as_they_are or is_module(x) else handle(leaf(np.array(value_of(x)))) for x in plain]
        token = recording.set(True)
        try:
            out = self._run_code(rebuilt(args, parts), any(isinstance(x, Tensor) for x in plain))
        finally:
            recording.reset(token)
        for x, part in zip(plain, parts):
            if isinstance(x, (np.ndarray, Tensor)) and isinstance(part, Tensor) and content(value_of(part)) != content(value_of(x)):
                x[...] = part.numpy()
        return out

    def _run_code(self, given: tuple[Any, ...], as_tensors: bool) -> Any:
        return self._detached(self.function(*given), as_tensors)

    def _detached(self, out: Any, as_tensors: bool) -> Any:
        """Return what a function returned outside of any graph."""
        return rebuilt(out, (handle(leaf(np.array(value_of(y)))) if as_tensors else np.array(value_of(y))[()] for y in leaves(out)))

    # Looking at it
    @property
    def source(self) -> str:
        """The latest plan as a NumPy program to read, which runs by itself."""
        return self._entry().source(self.__name__ if self.__name__.isidentifier() else "compiled")

    @property
    def javascript(self) -> str:
        """The latest plan as a JavaScript module without dependencies; see ``compiler/javascript.py``.

        Raises
        ------
        CompileError
            If the program needs what cannot be written in JavaScript; it is named.
        """
        if self._latest is not None:
            return self._latest.javascript
        with self._lock:
            entry, left_out = self._entry(), tuple(set(PASSES) - READABLE)
            if entry.written:
                raise CompileError(f"{self.__name__} writes into its arguments, which a JavaScript module does not: copy them first")
            has_loops = any(isinstance(op.function, Loop) for op in entry.readable.ops)
            program = expanded(apply(self._resized(entry, {}, named=True) if has_loops else entry.readable, left_out))
            sizes = sizes_of(program, lambda wanted: expanded(apply(self._resized(entry, wanted), left_out)))
            name = self.__name__ if self.__name__.isidentifier() else "compiled"
            return javascript_of(program, sizes, name, f"{name}: changes the parameters in place, and returns what the function returns")

    def _resized(self, entry: Entry, wanted: dict[Any, dict[int, int]], named: bool = False) -> Program:
        """Record the program with other lengths of its inputs' axes."""
        assert self._watch is not None
        parameters = [p._node for p in self.optimizer.parameters] if self.optimizer else []
        tensors = [(("parameter", i), node) for i, node in enumerate(parameters)]
        tensors += [(("tensor", i), t._node) for i, (t, _) in enumerate(self._watch.tensors) if t._node not in parameters]
        with resized(entry.blanks, tensors, self.optimizer, wanted) as args:
            return self._run(args, named).program

    @property
    def nbytes(self) -> int:
        """The memory that the latest plan holds, in bytes, with what its loops take for the results of their steps."""
        return self._entry().plan.nbytes

    @property
    def program_text(self) -> str:
        """The latest plan as it runs."""
        return self._entry().plan.text

    def _entry(self) -> Entry:
        if self._latest is not None:
            return self._latest._entry()
        if self._last is None:
            raise CompileError(f"{self.__name__} has not been called: it is recorded at its first call")
        return self._last


class CompiledStep(CompiledFunction, Generic[Loss]):
    """A training step that is recorded once and run as a plan: forward, backward and update.

    The parameters stay visible and assignable between calls. Their ``.grad`` is left alone.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_hw as tg
    >>> w = tg.Tensor(0.0, requires_grad=True)
    >>> step = tg.compile(lambda x, y: np.mean((w * x - y) ** 2), tg.optim.SGD([w], lr=0.1))
    >>> x, y = np.array([1.0, 2.0]), np.array([2.0, 4.0])
    >>> step(x, y), step.repeat(3, x, y).round(4)
    (np.float64(10.0), array([2.5   , 0.625 , 0.1562]))
    """

    def __init__(self, function: Callable[..., Any], optimizer: Any, backend: str, without: tuple[str, ...]) -> None:
        super().__init__(function, backend, without)
        self.optimizer = optimizer
        self._store: Store = store_of(optimizer)
        self._lock = self._store.lock
        self._form: Any = None
        self._placed: list[Guard] | None = None  # the parameters and the memory lie where the plans expect them
        self._numbers: dict[tuple[int, str], list[dict[str, Any]]] = {}
        self._settings = self._settings_now()
        self._first_loss: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Loss:
        """Do one step; return the loss before it, and what else the loss function returns."""
        if kwargs:
            args = self._positional(args, kwargs)
        if recording_threads and get_ident() in recording_threads:
            raise CompileError(f"{self.__name__} is a compiled step, and cannot be a part of another compiled function")
        if detecting_anomalies.get():
            return self._eagerly(args)
        with self._lock:
            out, entry = self._quickly(args), cast(Any, self._last)
            if out is CHANGED:
                if any(map(is_module, leaves(args))):
                    return self._with_modules(args)
                with recorder:
                    entry, values = self._ready(args)
                return self._first_loss if entry is None else self._step(args, entry, values)
            return out if out is not VIOLATED and entry.one_result else self._finished(out, args, entry)

    def repeat(self, n: int, *args: Any, **kwargs: Any) -> np.ndarray:
        """Do n steps on the same inputs.

        Parameters
        ----------
        n : int
        *args, **kwargs
            What the loss function takes.

        Returns
        -------
        (n,) ndarray
            The losses.
        """
        if kwargs:
            args = self._positional(args, kwargs)
        with self._lock:
            if any(map(is_module, leaves(args))):
                return self._with_modules(args, n)
            losses: list[Any] = []
            while len(losses) < n:
                if len(losses) > 1 and self._can_repeat():
                    losses += self._several(n - len(losses), args)
                else:
                    losses.append(first_of(self(*args)))  # (the first may have been there to set up the optimiser's memory)
            return np.array(losses)

    def _can_repeat(self) -> bool:
        """Tell whether the latest plan can do several steps without a look at anything outside."""
        return self._last is not None and not self._last.draws and not self._last.written and not detecting_anomalies.get()

    def _several(self, n: int, args: tuple[Any, ...]) -> list[Any]:
        """Do up to n steps; return their losses."""
        entry: Any = self._last
        values = [x for x in values_of(leaves(args)) if type(x) not in STATIC]
        if not getattr(entry.plan, "looped", False):
            return [first_of(self._step(args, entry, values)) for _ in range(n)]
        self._store.fetch()
        entry.before()
        losses, numbers = entry.plan.repeat(n, [*values, *entry.others()])
        entry.give_back()
        self._store.give_back()
        if len(losses):
            self._finished([losses[-1], *numbers] if entry.numbers else losses[-1], args, entry)
        return [*losses] if len(losses) == n else [*losses, first_of(self._violated(args, entry))]

    def _step(self, args: tuple[Any, ...], entry: Entry, values: Any) -> Any:
        """Run the plan once."""
        store = self._store
        if store.mirrored:
            store.fetch()
        out = entry.call(values)
        if store.mirrored and out is not VIOLATED:
            store.give_back()
        return self._finished(out, args, entry)

    def _finished(self, out: Any, args: tuple[Any, ...], entry: Any) -> Any:
        """Put the new numbers where they belong, and return the results."""
        if out is VIOLATED:
            return self._violated(args, entry)
        if entry.one_result:
            return out
        count = len(entry.program.results)
        if entry.written:
            entry.write(leaves(args), out[count - len(entry.written) : count])
        for (states, key), value in zip(entry.numbers, out[count:]):
            for state in states:
                state[key] = value
        return rebuilt(entry.out, out[:count])

    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        if self._placed is None or not all(guard.holds() for guard in self._placed):
            self._adopt()
        if not all(guard.holds() for guard in self._settings):
            self._settings = self._settings_now()
            self._forget()
        return super()._ready(args)

    def _guards(self) -> list[Guard]:
        return [*(self._placed or ()), *self._settings, *super()._guards()]

    def _adopt(self) -> None:
        """Take the parameters and the memory from where they lie now."""
        states = self.optimizer.state
        self._store.adopt(states)
        groups: dict[Any, tuple[int, list[dict[str, Any]]]] = {}
        for i, state in enumerate(states):
            for key, kept in state.items():
                if is_number(kept) and not self._store.holds(i, key, kept):
                    groups.setdefault((key, type(kept), kept), (i, []))[1].append(state)
        self._numbers = {(i, key): dicts for (key, *_), (i, dicts) in groups.items()}
        form = (
            [node.requires_grad for node, _ in self._store.parameters],
            [[(key, type(kept) if is_number(kept) else np.shape(kept)) for key, kept in state.items()] for state in states],
            [(i, key, len(dicts)) for (i, key), dicts in self._numbers.items()],
        )
        if form != self._form:
            self._form = form
            self._forget()
        self._placed = self._places()
        for entry in self._entries.values():
            self._number_cells(entry)

    def _places(self) -> list[Guard]:
        """Return what must hold for the plans to find the parameters and the memory."""
        guards: list[Guard] = [Place(ATTRIBUTE, self.optimizer, "state", "state")]
        mirrored = {node for node, _ in self._store.mirrored}
        for node, _ in self._store.parameters:
            guards += [] if node in mirrored else [Place(ATTRIBUTE, node, "value", "a parameter")]
            guards.append(Place(ATTRIBUTE, node, "requires_grad", "a parameter"))
        for i, state in enumerate(self.optimizer.state):
            guards += [Place(ITEM, state, key, key) for key, kept in state.items() if self._store.holds(i, key, kept)]
        return guards + [Alike(dicts, key) for (_, key), dicts in self._numbers.items() if len(dicts) > 1]

    def _record(self, args: tuple[Any, ...]) -> Any:
        recorded = self._recorded(args)
        if not all(guard.holds() for guard in self._settings):
            for guard in self._settings:
                guard.restore()
            raise CompileError(
                f"{type(self.optimizer).__name__}.update changes an attribute of the optimiser, which would happen at the first call only: "
                "remember it in the state"
            )
        if not recorded.settled:
            self._first_loss, self._placed = self._eagerly(args), None  # which sets up the optimiser's memory
            return None
        entry = self._planned(recorded, args)
        self._number_cells(entry)
        return entry

    def _fixed(self, program: Program) -> dict[Op, np.ndarray]:
        return {op: self._store.array_of(op.role) for op in program.inputs if op.role[0] in ("parameter", "memory", "flat")}

    def _number_cells(self, entry: Entry) -> None:
        """Note where the new values of the numbers that the optimiser remembers go."""
        entry.numbers = [(self._numbers[op.role[1], op.role[2]], op.role[2]) for op, _ in entry.program.updates if op.role[0] == "number"]
        entry.one_result = not entry.numbers and not entry.written and entry.out == 0

    def _reading(self, op: Op, entry: Entry, bound: Bound, quick: bool) -> str:
        if op.role[0] == "lr":
            return f"{bound(self.optimizer.param_groups[op.role[1]])}.lr"
        if op.role[0] == "number":
            return f"{bound(self.optimizer)}.state[{op.role[1]}][{op.role[2]!r}]"
        return super()._reading(op, entry, bound, quick)

    def _make_quick(self, entry: Entry) -> None:
        entry.quick = None
        if not self._store.mirrored:
            super()._make_quick(entry)

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
        out = self.function(*given)
        loss = first_of(out)
        cotangents = sweep({loss._node: cotangent(loss, None)})
        self._update_eagerly({i: cotangents[node] for i, (node, _) in enumerate(self._store.parameters) if node in cotangents})
        return self._detached(out, as_tensors=False)

    def _settings_now(self) -> list[Guard]:
        """Return a guard for each setting of each group of parameters."""
        varying = {"lr", "state", "parameters", "_said"}
        groups = [vars(group) for group in self.optimizer.param_groups]
        return [Place(ITEM, settings, key, key) for settings in groups for key in settings if key not in varying]


def with_bound(function: Callable[..., Any], args: tuple[Any, ...], bound: dict[int, Any]) -> Callable[..., Any]:
    """Return a function of the leaves of its arguments, of which some, at these places, are bound."""
    count = len(leaves(args))
    tree = rebuilt(args, range(count))

    @wraps(function)
    def of_the_others(*others: Any) -> Any:
        given = iter(others)
        return function(*rebuilt(tree, [bound[i] if i in bound else next(given) for i in range(count)]))

    names = list(inspect.signature(function).parameters.values())
    if count == len(args) <= len(names):  # (then they keep their names)
        of_the_others.__signature__ = inspect.Signature([name for i, name in enumerate(names) if i not in bound])  # type: ignore[attr-defined]
    return of_the_others


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


def put_last(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Put a value behind all others of a cache; the one that was used longest ago goes where there are too many."""
    cache[key] = value
    if len(cache) > KEPT:
        del cache[next(iter(cache))]


def value_of(x: Any) -> Any:
    """Return what a tensor holds, and anything else as it is."""
    return x._node.value if isinstance(x, Tensor) else require_numbers(x) if isinstance(x, np.ma.MaskedArray) else x


def values_of(parts: list[Any]) -> list[Any]:
    """Return what a plan takes of arguments: numbers and text as they are, anything else as arrays."""
    return [x if type(x) in (*STATIC, float, complex) else contiguous(np.asarray(value_of(x))) for x in parts]


def blank_of(x: Any) -> Any:
    """Return an argument's shape and dtype; what is no array as it is."""
    x = value_of(x)
    return Blank(x.shape, x.dtype) if isinstance(x, np.ndarray) else x


def signature(x: Any) -> Any:
    """Return what an argument must have in common with the recorded one: of an array also the order of its axes in memory."""
    return (x.shape, x.dtype, layout(x)) if isinstance(x, np.ndarray) else type(x) if type(x) in (float, complex) else (type(x), x)
