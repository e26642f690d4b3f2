"""What ``compile`` returns: a function that records at its first call, and runs plans from then on."""

from __future__ import annotations

import copy
import inspect
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from threading import get_ident
from typing import Any, Generic, TypeVar, overload

import numpy as np

from ..backward import sweep
from ..batching import Batched
from ..errors import CompileError, GradientError
from ..rules.shaping import layout
from ..scopes import detecting_anomalies, held_during_fork, reset_after_fork
from ..tensor import Tensor, always_recording, cotangent, handle, leaf
from ..trees import content, is_module, leaves, rebuilt, skeleton
from .entry import CHANGED, Entry, contiguous, value_of
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
from .sizes import resized, sizes_of
from .source import READABLE
from .store import Store, store_of
from .trace import Op, Traced, frame_outside

__all__ = ["CompiledFunction", "CompiledStep", "compile"]

Result = TypeVar("Result")
BACKENDS = ("numpy", "numba")
PLANNING = ("reuse_buffers", "work_in_place")
MANY = 8  # recordings after which to warn that it keeps happening
KEPT = 8  # plans that are kept: of what was called last
AS_GIVEN = (*STATIC, float, complex)  # the arguments that are not arrays
recorder = held_during_fork(threading.RLock())  # one thread records at a time, since it puts stand-ins where others look
recording_threads: set[int] = set()


@overload
def compile(
    function: Callable[..., Any], optimizer: None = None, backend: str = "numpy", without: tuple[str, ...] = ()
) -> CompiledFunction[Any]: ...
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


class CompiledFunction(Generic[Result]):
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
        self._watch: Any = None  # of what the function uses from outside
        self._entries: dict[Any, Entry] = {}  # by the structure, shapes and dtypes of the arguments
        self._last: Any = None  # the entry that ran last
        self._lock = reset_after_fork(threading.RLock())
        self._bound: dict[Any, CompiledFunction[Any]] = {}  # of each choice of modules among the arguments, the function of the others
        self._latest: CompiledFunction[Any] | None = None  # the one of them that the latest call ran, if it ran one
        self._warned: Counter[str] = Counter()  # the calls without code for Numba that were warned of
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

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        """Return what the function returns; of a step, which it does, as it was before."""
        if kwargs:
            args = self._positional(args, kwargs)
        if recording_threads and get_ident() in recording_threads:
            return self._inlined(args)
        if detecting_anomalies.get():
            return self._eagerly(args)
        with self._lock:
            entry = self._last
            if entry is None or entry.quick is None or len(args) != len(entry.shapes):
                return self._slowly(args)
            out = entry.quick(*args)
            if out is CHANGED:
                return self._slowly(args)
            return out if entry.one_result and out is not VIOLATED else self._finished(out, args, entry)

    def _positional(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments of a call as positional ones."""
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        if bound.kwargs:
            bound.apply_defaults()
        if bound.kwargs:
            raise TypeError(f"{self.__name__} is compiled: {next(iter(bound.kwargs))!r} must be an argument that may be given by position")
        return bound.args

    def _inlined(self, args: tuple[Any, ...]) -> Any:
        """Return what the function gives as a part of another one that is being recorded."""
        return self.function(*args)

    def _slowly(self, args: tuple[Any, ...]) -> Any:
        """Find or make the plan for the arguments, and run it."""
        parts = leaves(args)
        if self.optimizer is None and any(isinstance(value_of(x), (Batched, Traced)) for x in parts):
            return self.function(*args)
        if any(map(is_module, parts)):
            return self._with_modules(args)
        with recorder:
            entry, values = self._ready(args)
        return values if entry is None else self._finished(self._run_plan(entry, values), args, entry)

    def _run_plan(self, entry: Entry, values: list[Any]) -> Any:
        return entry.call(values)

    def _finished(self, out: Any, args: tuple[Any, ...], entry: Entry) -> Any:
        """Return a plan's results in the structure in which the function returns them; write into the arguments that it writes into."""
        if out is VIOLATED:
            return self._violated(args, entry)
        results = out if isinstance(out, list) else [out]
        if entry.written:
            count = len(entry.program.results)
            entry.write(leaves(args), results[count - len(entry.written) : count])
        if self.optimizer is None and any(isinstance(x, Tensor) for x in leaves(args)):
            results = [y if isinstance(y, STATIC) else handle(leaf(np.asarray(y))) for y in results]
        return rebuilt(entry.out, results)

    def _with_modules(self, args: tuple[Any, ...], n: int | None = None) -> Any:
        """Call, or repeat n times, the compiled function of the arguments that are not modules.

        A module cannot be an input of a plan: it is bound, and watched as one that the function uses from outside.
        """
        parts = leaves(args)
        modules = {i: x for i, x in enumerate(parts) if is_module(x)}
        others = [x for i, x in enumerate(parts) if i not in modules]
        key = (repr(skeleton(args)), *[(i, id(x)) for i, x in modules.items()])
        bound: Any = self._bound.pop(key, None)
        if bound is None:
            bound = compile(with_bound(self.function, args, modules), self.optimizer, self.backend, self.without)
        put_last(self._bound, key, bound)
        try:
            return bound(*others) if n is None else bound.repeat(n, *others)
        finally:
            self.recordings = sum([each.recordings for each in self._bound.values()])
            self._last, self._latest = None, bound

    # Finding the plan
    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the entry for the arguments and the arrays to give it, or None and the results of the code itself."""
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
            recorded = self._recorded(args)
            if not recorded.settled:  # (this step sets up what the optimiser remembers)
                return None, self._eagerly(args)
            entry = self._planned(recorded, args)
        if entry.written:
            captured = [array.place.read() for array in self._watch.arrays] + [tensor._node.value for tensor, _ in self._watch.tensors]
            entry.require_apart(parts, captured)
        self._last, self._latest = entry, None
        put_last(self._entries, key, entry)
        entry.make_quick(self._guards())
        return entry, [x for x in values if type(x) not in STATIC]

    def _guards(self) -> list[Guard] | None:
        """Return what must be as it was for a plan to hold, in the order in which it is tested; None if a plan cannot run at once."""
        return self._watch.guards

    # Recording
    def _recorded(self, args: tuple[Any, ...]) -> Recorded:
        """Record the function twice, and make sure that both times it did the same and nothing besides.

        What it sets up at its first call and then keeps, as a cache is, may be there afterwards.
        """
        self.recordings += 1
        if self.recordings == MANY:
            warn(
                f"{self.__name__} has been recorded {MANY} times: its arguments keep changing shape or dtype, or what it uses from outside "
                "keeps changing. Pad the arrays to one shape, or give what changes as an argument",
                RuntimeWarning,
            )
        before = self._watch
        try:
            first = self._run(args)
            if before.changed() is not None and not before.kept_stand_in():
                self._watch = Watch(self.function, self.optimizer)
                first = self._run(args)
            self._require_unchanged()
            if not first.settled:
                return first
            first.program = rolled(first.program, self.backend)
            second = self._run(args, named=True)
            self._require_unchanged()
            second.program = rolled(second.program, self.backend)
            compare(first.program, second.program)
        except BaseException:
            self._watch.restore()
            before.restore()
            self._watch = None
            raise
        for i in second.frozen:
            self._watch.arrays[i].freeze()
        return second

    def _run(self, args: tuple[Any, ...], named: bool = False) -> Recorded:
        recording_threads.add(get_ident())
        try:
            return record(self.function, args, self._watch, self.optimizer, named)
        finally:
            recording_threads.discard(get_ident())

    def _require_unchanged(self) -> None:
        what = self._watch.changed()
        if what is not None:
            raise CompileError(f"{self.__name__} changes {what}, which would happen at the first call only: return it, or do it outside")

    # Planning
    def _planned(self, recorded: Recorded, args: tuple[Any, ...]) -> Entry:
        """Plan what was recorded; return the plan with the way to its inputs and from its results."""
        plan = self._plan(recorded.program)
        entry = Entry(plan, recorded, args)
        wrapped = self.optimizer is None and any(isinstance(x, Tensor) for x in leaves(args))
        entry.one_result = recorded.out == 0 and not (wrapped or entry.written or entry.numbers)
        entry.mirrors = [(self._watch.tensors[op.role[1]][0]._node, x) for op, x in plan.fixed.items() if op.role[0] == "tensor"]
        entry.readings = [partial(self._reading, op, entry) for op in plan.variables if op.role[0] != "input"]
        release(recorded.program)
        return entry

    def _plan(self, recorded: Program) -> Plan:
        """Return the plan of a program: for Numba as a whole, where it has code for all of it."""
        program = self._simplified(recorded)
        if self.backend == "numba" and len(program.ops) <= MOST:
            with suppress(CompileError):
                native = NativePlan(program, self._fixed(program), self.without)
                native.compile_now()
                return native
            program = self._simplified(recorded)
        return self._numpy_plan(program)

    def _simplified(self, recorded: Program) -> Program:
        """Return a program as the passes leave it, with plans for its loops, and the arguments first among its inputs."""
        program = shortened(apply(recorded, self.without))
        loops_planned(program, self._numpy_plan, self.backend == "numba", self.without)
        program.inputs = sorted(program.inputs, key=lambda op: op.role[0] != "input")
        return program

    def _numpy_plan(self, program: Program) -> Plan:
        """Return a plan that NumPy runs, for Numba with kernels for what it has code for; warn once of what it has none for."""
        if self.backend == "numpy":
            return Plan(program, self._fixed(program), self.without)
        program, left = in_kernels(program)
        if left := +left - self._warned:
            self._warned += left
            calls = ", ".join(f"{name} ({n})" if n > 1 else name for name, n in left.most_common())
            warn(f"{self.__name__}: NumPy runs what Numba has no code for, between its kernels: {calls}", UserWarning)
        return Plan(program, self._fixed(program), tuple(set(self.without) - set(NUMPY_ONLY)))

    def _fixed(self, program: Program) -> dict[Op, np.ndarray]:
        """Return the inputs that always lie in the same arrays, with these: captured tensors that the program writes to."""
        return {op: np.array(op.value) for op, _ in program.updates if op.role[0] == "tensor"}

    def _reading(self, op: Op, entry: Entry, bound: Bound, quick: bool) -> str:
        """Return the code that reads an input that is no argument."""
        kind, i, *key = op.role
        if kind == "draw":
            return f"{bound(entry.draws[i])}()"
        if kind == "tensor":
            return f"{bound(self._watch.tensors[i][0]._node)}.value"
        if kind == "lr":
            return f"{bound(self.optimizer.param_groups[i])}.lr"
        if kind == "number":
            return f"{bound(self.optimizer)}.state[{i}][{key[0]!r}]"
        array = self._watch.arrays[i]
        if not quick:
            return f"contiguous({array.place.reading(bound)})"
        return array.variable if array.place.read().flags.forc else f"array({array.variable})"

    # Running the code itself
    def _violated(self, args: tuple[Any, ...], entry: Entry) -> Any:
        """Run the code itself where the engine decides otherwise than when it was recorded; if that goes on, record anew."""
        entry.violations += 1
        if entry.violations > 1:
            self._forget()
        return self._eagerly(args)

    def _forget(self) -> None:
        self._entries.clear()
        self._last = None

    def _eagerly(self, args: tuple[Any, ...]) -> Any:
        """Run the code itself."""
        given = leaves(args)
        parts = [x if type(x) in AS_GIVEN or is_module(x) else handle(leaf(np.array(value_of(x)))) for x in given]
        with always_recording():
            out = self._run_code(rebuilt(args, parts))
        for x, part in zip(given, parts):
            if isinstance(x, (np.ndarray, Tensor)) and isinstance(part, Tensor) and content(value_of(part)) != content(value_of(x)):
                x[...] = part.numpy()
        results = [np.array(value_of(y)) for y in leaves(out)]
        as_tensors = self.optimizer is None and any(isinstance(x, Tensor) for x in given)
        return rebuilt(out, (handle(leaf(y)) if as_tensors else y[()] for y in results))

    def _run_code(self, args: tuple[Any, ...]) -> Any:
        return self.function(*args)

    # Looking at it
    @property
    def source(self) -> str:
        """The latest plan as a NumPy program to read, which runs by itself."""
        return self._entry().source(self._identifier())

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
            name = self._identifier()
            return javascript_of(program, sizes, name, f"{name}: changes the parameters in place, and returns what the function returns")

    def _identifier(self) -> str:
        """Return the function's name, if it can be one in code."""
        return self.__name__ if self.__name__.isidentifier() else "compiled"

    def _resized(self, entry: Entry, wanted: dict[Any, dict[int, int]], named: bool = False) -> Program:
        """Record the program with other lengths of its inputs' axes."""
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


class CompiledStep(CompiledFunction[Result]):
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
        self._form: Any = None  # the shapes of what the optimiser remembers, and what of it is equal for several parameters
        self._placed: list[Guard] | None = None  # the parameters and the memory lie where the plans expect them
        self._numbers: dict[tuple[int, str], list[dict[str, Any]]] = {}  # of each number that is remembered, the dicts that hold it
        self._settings = self._guards_of_settings()

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
                entry = self._last
                if len(losses) > 1 and entry is not None and not (entry.draws or entry.written or detecting_anomalies.get()):
                    losses += self._several(n - len(losses), args, entry)
                else:
                    losses.append(first_of(self(*args)))  # (the first may have been there to set up the optimiser's memory)
            return np.array(losses)

    def _several(self, n: int, args: tuple[Any, ...], entry: Entry) -> list[Any]:
        """Do up to n steps without a look at anything outside; return their losses."""
        values = [x for x in values_of(leaves(args)) if type(x) not in STATIC]
        if not getattr(entry.plan, "looped", False):
            outs = (self._run_plan(entry, values) for _ in range(n))
            return [y if entry.one_result and y is not VIOLATED else first_of(self._finished(y, args, entry)) for y in outs]
        self._store.fetch()
        entry.before()
        losses, numbers = entry.plan.repeat(n, [*values, *entry.others()])
        entry.give_back()
        self._store.give_back()
        if len(losses):
            self._finished([losses[-1], *numbers], args, entry)
        return [*losses] if len(losses) == n else [*losses, first_of(self._violated(args, entry))]

    def _inlined(self, args: tuple[Any, ...]) -> Any:
        raise CompileError(f"{self.__name__} is a compiled step, and cannot be a part of another compiled function")

    def _run_plan(self, entry: Entry, values: list[Any]) -> Any:
        self._store.fetch()
        out = entry.call(values)
        if out is not VIOLATED:
            self._store.give_back()
        return out

    def _finished(self, out: Any, args: tuple[Any, ...], entry: Entry) -> Any:
        if entry.numbers and out is not VIOLATED:
            for number, value in zip(entry.numbers, out[len(entry.program.results) :]):
                for state in self._numbers[number]:
                    state[number[1]] = value
            if entry.out == 0 and not entry.written:
                return out[0]
        return super()._finished(out, args, entry)

    def _ready(self, args: tuple[Any, ...]) -> tuple[Any, Any]:
        if self._placed is None or not all(guard.holds() for guard in self._placed):
            self._adopt()
        if not all(guard.holds() for guard in self._settings):
            self._settings = self._guards_of_settings()
            self._forget()
        return super()._ready(args)

    def _guards(self) -> list[Guard] | None:
        return None if self._store.mirrored else [*(self._placed or ()), *self._settings, *self._watch.guards]

    def _adopt(self) -> None:
        """Take the parameters and the memory from where they lie now."""
        states = self.optimizer.state
        self._store.adopt(states)
        groups: dict[Any, tuple[int, list[dict[str, Any]]]] = {}
        for i, state in enumerate(states):
            for key, value in state.items():
                if is_number(value) and not self._store.holds(i, key, value):
                    groups.setdefault((key, type(value), value), (i, []))[1].append(state)
        self._numbers = {(i, key): dicts for (key, *_), (i, dicts) in groups.items()}
        form = (
            [node.requires_grad for node, _ in self._store.parameters],
            [[(key, type(value) if is_number(value) else np.shape(value)) for key, value in state.items()] for state in states],
            [(i, key, len(dicts)) for (i, key), dicts in self._numbers.items()],
        )
        if form != self._form:
            self._form = form
            self._forget()
        self._placed = self._guards_of_places()

    def _guards_of_places(self) -> list[Guard]:
        """Return what must hold for the plans to find the parameters and the memory."""
        guards: list[Guard] = [Place(ATTRIBUTE, self.optimizer, "state", "state")]
        mirrored = {node for node, _ in self._store.mirrored}
        for node, _ in self._store.parameters:
            guards += [] if node in mirrored else [Place(ATTRIBUTE, node, "value", "a parameter")]
            guards.append(Place(ATTRIBUTE, node, "requires_grad", "a parameter"))
        for i, state in enumerate(self.optimizer.state):
            guards += [Place(ITEM, state, key, key) for key, value in state.items() if self._store.holds(i, key, value)]
        return guards + [Alike(dicts, key) for (_, key), dicts in self._numbers.items() if len(dicts) > 1]

    def _guards_of_settings(self) -> list[Guard]:
        """Return a guard for each setting of each group of parameters."""
        varying = {"lr", "state", "parameters", "_has_warned"}
        groups = [vars(group) for group in self.optimizer.param_groups]
        return [Place(ITEM, settings, key, key) for settings in groups for key in settings if key not in varying]

    def _require_unchanged(self) -> None:
        super()._require_unchanged()
        if not all(guard.holds() for guard in self._settings):
            for guard in self._settings:
                guard.restore()
            raise CompileError(
                f"{type(self.optimizer).__name__}.update changes an attribute of the optimiser, which would happen at the first call only: "
                "remember it in the state"
            )

    def _fixed(self, program: Program) -> dict[Op, np.ndarray]:
        own = {op: self._store.array_of(op.role) for op in program.inputs if op.role[0] in ("parameter", "memory", "flat")}
        return super()._fixed(program) | own

    def _run_code(self, args: tuple[Any, ...]) -> Any:
        out = self.function(*args)
        loss = first_of(out)
        cotangents = sweep({loss._node: cotangent(loss, None)})
        before = [node.grad for node in self._store.nodes]
        try:
            for node in self._store.nodes:
                node.grad = np.asarray(cotangents[node]) if node in cotangents else None
            self.optimizer.step()
        finally:
            for node, grad in zip(self._store.nodes, before):
                node.grad = grad
            self._placed = None  # (the update may have set up new memory)
        return out


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


def warn(message: str, category: type[Warning]) -> None:
    """Warn of something in the user's line that led here."""
    frame = frame_outside()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, category, frame.f_code.co_filename, frame.f_lineno, registry=registry)


def put_last(cache: dict[Any, Any], key: Any, value: Any) -> None:
    """Put a value behind all others of a cache; the one that was used longest ago goes where there are too many."""
    cache[key] = value
    if len(cache) > KEPT:
        del cache[next(iter(cache))]


def values_of(parts: list[Any]) -> list[Any]:
    """Return what a plan takes of arguments: numbers and text as they are, anything else as arrays."""
    return [x if type(x) in AS_GIVEN else contiguous(np.asarray(value_of(x))) for x in parts]


def signature(x: Any) -> Any:
    """Return what an argument must have in common with the recorded one: of an array also the order of its axes in memory."""
    return (x.shape, x.dtype, layout(x)) if isinstance(x, np.ndarray) else type(x) if type(x) in (float, complex) else (type(x), x)
