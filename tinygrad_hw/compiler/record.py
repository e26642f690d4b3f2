"""The recording of a function, and of a training step: forward, the reverse sweep, and the optimiser's update, in one program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import backward
from ..backward import Step, arrays
from ..errors import CompileError, GradientError
from ..graph import Node
from ..loops import loop_recorder
from ..naming import is_place
from ..tensor import Tensor, always_recording, cotangent, handle, leaf, why_no_gradient
from ..trees import leaves, rebuilt
from .draws import Draw, Generator
from .effects import watching_calls
from .guards import Watch, same
from .loop import LoopRecorder
from .names import name_all, name_locals
from .program import Program, error_of
from .trace import Recording, Traced, operands

__all__ = ["STATIC", "Recorded", "record"]

STATIC = (bool, int, str, bytes)


@dataclass
class Recorded:
    """A program with what this run of the code came to.

    Attributes
    ----------
    out : the structure of what the function returned, with the number of each part.
    settled : whether the update left the optimiser's memory in the form in which it found it.
    draws : the random numbers that it drew, in order; the input ("draw", i) is what the i-th gives.
    frozen : the captured arrays, by number, that the code decided something by.
    written : the arguments, by number, that it wrote into; their new values stand behind the results.
    """

    program: Program
    out: Any
    settled: bool = True
    draws: list[Draw] = field(default_factory=list)
    frozen: set[int] = field(default_factory=set)
    written: list[int] = field(default_factory=list)


def record(function: Callable[..., Any], args: tuple[Any, ...], watch: Watch, optimizer: Any = None, named: bool = True) -> Recorded:
    """Run a function on stand-ins for its arguments and for what it captured, and return what it did.

    Its values get names if wanted; if not, what it does that cannot be recorded is watched for.

    Raises
    ------
    CompileError
        If the code cannot be recorded, even if it has caught the error itself.
    """
    tape = Recording()
    stage = Stage(tape, watch, optimizer)
    rolls = loop_recorder.set(LoopRecorder(tape))
    try:
        with always_recording(), stage:
            args = stage.stand_ins(function, args)
            stage.arguments = leaves(args)
            stage.set()
            with watching_calls(tape) if watch.looks_outside and not named else nullcontext():
                out = function(*args)
            if [*map(id, leaves(args))] != [*map(id, stage.arguments)]:
                raise CompileError(
                    "the function changes a list or a dict that it was given, which the caller would not see: return a new one"
                )
            if named:
                name_locals(tape.frames)
            recorded = stage.recorded(out, named)
    finally:
        loop_recorder.reset(rolls)
    if tape.refusal is not None:
        raise tape.refusal
    return recorded


class Stage:
    """The stand-ins of one recording: it puts them where the function and the optimiser look, and takes them away again.

    Attributes
    ----------
    inputs : the stand-ins, in order.
    arguments : the leaves of the arguments, with stand-ins.
    own : for the node of each tensor, the stand-in for its value.
    """

    def __init__(self, tape: Recording, watch: Watch, optimizer: Any) -> None:
        self.tape, self.watch, self.optimizer = tape, watch, optimizer
        self.parameters: list[Node] = [p._node for p in optimizer.parameters] if optimizer else []
        self.inputs: list[Traced] = []
        self.arguments: list[Any] = []
        self.own: dict[Node, Traced] = {}
        self.draws: list[Draw] = []
        self.tensors: list[tuple[Tensor, Node, Any, Any, Any]] = []  # each tensor with its node, and that one's value, grad and mutable
        self.places: list[tuple[Any, Any, Any]] = []  # each place with what it held, and what was put there
        self.memory: Any = None

    def new_input(self, value: Any, *role: Any, name: str | None = None) -> Traced:
        """Return the stand-in for a new input."""
        self.inputs.append(self.tape.input(value, *role, name=name))
        return self.inputs[-1]

    def __enter__(self) -> Stage:
        return self

    def set(self) -> None:
        """Put stand-ins in the place of captured tensors, arrays and generators."""
        paths = {tensor._node: path for tensor, path in self.watch.tensors}
        given = [("parameter", i, tensor) for i, tensor in enumerate(self.optimizer.parameters if self.optimizer else ())]
        given += [("tensor", i, tensor) for i, (tensor, _) in enumerate(self.watch.tensors) if tensor._node not in self.parameters]
        for role, i, tensor in given:
            node, path = tensor._node, paths.get(tensor._node, f"p{i + 1}")
            name = path if node in paths and path.isidentifier() else None
            if node.name:
                name = None if is_place(node.name) else node.name
            self.tensors.append((tensor, node, node.value, node.grad, node.mutable))
            self.own[node] = self.new_input(np.asarray(node.value), role, i, name=name)
            self.own[node]._op.hint = path
            node.value, node.mutable, node.grad = self.own[node], False, None
        stand_ins: dict[int, Any] = {}
        for i, array in enumerate(self.watch.arrays):
            name = array.name if array.name.isidentifier() else None
            stand_ins[id(array.array)] = stand_ins[id(array.place.read())] = self.new_input(array.place.read(), "array", i, name=name)
        for place in self.watch.swapped:
            before = place.read()
            self.places.append((place, before, self.stand_in_for(before, stand_ins)))
            place.write(self.places[-1][2])

    def stand_ins(self, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
        try:
            arguments = inspect.signature(function).bind(*args).arguments
        except (TypeError, ValueError):
            arguments = {f"x{i + 1}": x for i, x in enumerate(args)}
        counts = {name: len(leaves(argument)) for name, argument in arguments.items()}
        names = [name if count == 1 else f"{name}{i + 1}" for name, count in counts.items() for i in range(count)]

        def stand_in(i: int, x: Any) -> Any:
            if type(x) in STATIC:
                return x
            if type(x) in (float, complex):
                return self.new_input(x, "input", i, name=names[i])
            return handle(leaf(self.new_input(np.array(x._node.value if isinstance(x, Tensor) else x), "input", i, name=names[i])))

        return rebuilt(args, [stand_in(i, x) for i, x in enumerate(leaves(args))])

    def stand_in_for(self, thing: Any, known: dict[int, Any]) -> Any:
        """Return the stand-in for a captured thing; a tuple is made anew."""
        if type(thing) is tuple:
            return tuple(self.stand_in_for(part, known) for part in thing)
        if isinstance(thing, np.random.Generator) and id(thing) not in known:
            known[id(thing)] = Generator(thing, self.tape, self.drawn)
        return known.get(id(thing), thing)

    def drawn(self, draw: Draw, value: Any) -> Traced:
        """Return the stand-in for random numbers."""
        if self.tape.depth:
            raise self.tape.refused(
                "random numbers drawn in a step of tg.scan would be the same in all steps: draw them all before, and give them as xs"
            )
        self.draws.append(draw)
        return self.new_input(value, "draw", len(self.draws) - 1)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.tape.over = True
        self.tape.frames.clear()  # (they hold what holds the tape, as the context does)
        self.tape.context = None
        rebound = [place.name for place, _, put in self.places if place.read() is not put]
        for place, before, _ in self.places:
            place.write(before)
        for tensor, node, value, grad, mutable in self.tensors:
            tensor._node, node.value, node.grad, node.mutable = node, value, grad, mutable
        for view in self.watch.views:
            _ = view._node  # (which works it out again, from the values)
        if self.memory is not None:
            self.optimizer.state, rates = self.memory
            for group, lr in zip(self.optimizer.param_groups, rates):
                group.lr = lr
        if rebound and error is None:
            raise CompileError(f"the function assigns to {rebound[0]}, which would happen at the first call only: return the new value")

    # What was recorded
    def recorded(self, out: Any, named: bool) -> Recorded:
        """Return what a function did that returned this; of a step, sweep back from the loss and update before."""
        updates, written = self.tensor_updates(), self.written_arguments()
        cotangents, gradients, settled = dict[Node, Any](), dict[int, Traced](), True
        if self.optimizer:
            cotangents, gradients = swept(self.tape, first_of(out), self.parameters, named)
            settled = self.update(gradients, updates)
        results = [op_or_constant(y) for y in (*leaves(out), *written.values())]
        program = Program([x._op for x in self.inputs], self.tape.ops, results, [*updates.items()], self.tape.checks)
        if self.tape.looped:
            require_all_known(program)
        program.gradients = {self.own[self.parameters[i]]._op: g._op for i, g in gradients.items()}
        if named:
            name_all(program, self.own, cotangents, out)
        return Recorded(program, rebuilt(out, range(len(leaves(out)))), settled, self.draws, self.tape.frozen, [*written])

    def update(self, gradients: dict[int, Traced], updates: dict[Any, Any]) -> bool:
        """Let the optimiser update the parameters, and note the new values; tell whether what it remembers has the form that it had."""
        if self.parameters and not gradients:
            raise GradientError(
                "the loss depends on none of the optimizer's parameters: give it those that the loss function uses (a pickled step has "
                "parameters of its own: pickle the model instead, and compile its loss function anew)"
            )
        states = self.set_memory()
        for i, node in enumerate(self.parameters):
            node.grad = gradients.get(i)
        self.tape.stage = "update"
        code = type(self.optimizer).update.__code__
        self.tape.place = (code.co_filename, code.co_firstlineno)
        self.optimizer.step()
        updates |= {self.own[node]._op: op_or_constant(node.value) for node in self.parameters if node.value is not self.own[node]}
        settled = all(state.keys() == old.keys() for state, old in zip(self.optimizer.state, states))
        for state, old in zip(self.optimizer.state, states):
            updates |= self.memory_updates(state, old) if settled else {}
        return settled

    def tensor_updates(self) -> dict[Any, Any]:
        """Return the new values of captured tensors that the function wrote to."""
        updates: dict[Any, Any] = {}
        for tensor, node, *_ in self.tensors:
            own, new = self.own[node], tensor._node
            if new.grad is not None:
                raise CompileError(
                    "the function calls backward, which would add to .grad at the first call only: give tg.compile the loss function "
                    "and an optimizer, or use tg.grad inside"
                )
            if new is node and new.value is own:
                continue
            what = f"what the function writes into {node.name or own._op.hint}"
            if node in self.parameters:
                raise CompileError(f"{what} would be lost, since the optimizer updates it: do it outside the compiled step")
            if new.requires_grad and not node.requires_grad:
                raise CompileError(f"{what} would make its graph longer at each call: write inside tg.no_grad(), or detach the value")
            if np.shape(new.value) != own.shape:
                raise CompileError(f"{what} has another shape, which cannot be repeated at each call")
            updates[own._op] = op_or_constant(new.value)
        return updates

    def written_arguments(self) -> dict[int, Any]:
        """Return the new values of the arguments that the function wrote into, by number."""
        written: dict[int, Any] = {}
        for i, x in enumerate(self.arguments):
            if isinstance(x, Tensor) and getattr(op_or_constant(x), "role", None) != ("input", i):
                if x.requires_grad:
                    raise CompileError(
                        "the function writes into its argument what depends on a parameter, which would make the argument a part of the "
                        "graph: copy it first (x = x.copy())"
                    )
                written[i] = x
        return written

    def set_memory(self) -> list[dict[str, Any]]:
        """Put stand-ins in the place of the learning rates and of what the optimiser remembers; return the latter."""
        optimizer, shared = self.optimizer, dict[Any, Traced]()
        self.memory = (optimizer.state, [group.lr for group in optimizer.param_groups])
        for i, group in enumerate(optimizer.param_groups):
            vars(group)["lr"] = self.new_input(group.lr, "lr", i, name="lr")

        def stand_in(i: int, key: str, value: Any) -> Any:
            if isinstance(value, np.ndarray) or (isinstance(value, np.generic) and not np.shape(self.parameters[i].value)):
                return self.new_input(np.asarray(value), "memory", i, key)
            if not is_number(value):
                return value
            if (key, type(value), value) not in shared:
                shared[key, type(value), value] = self.new_input(value, "number", i, key, name=key)
            return shared[key, type(value), value]

        optimizer.state = [{key: stand_in(i, key, value) for key, value in state.items()} for i, state in enumerate(optimizer.state)]
        return [dict(state) for state in optimizer.state]

    def memory_updates(self, state: dict[str, Any], old: dict[str, Any]) -> dict[Any, Any]:
        """Return the new values of what the optimiser remembers of one parameter."""
        for key, value in old.items():
            if not isinstance(value, Traced) and not same(value, state[key]):
                raise CompileError(
                    f"{type(self.optimizer).__name__}.update changes what it remembers as {key!r}, a {type(value).__name__}: a compiled "
                    "step can keep numbers and arrays"
                )
        return {
            value._op: op_or_constant(state[key]) for key, value in old.items() if isinstance(value, Traced) and state[key] is not value
        }


def require_all_known(program: Program) -> None:
    """Raise if a program uses a value that is none of its own: one of a step of a loop."""
    known = {*program.inputs, *program.ops}
    for op in program.ops:
        if any(x not in known for x in op.uses):
            raise error_of(op, "a value from inside a step of tg.scan is used outside of it: let the step return it, carried or stacked")
    if any(op not in known for op in operands(program.wanted())):
        raise CompileError("a step of tg.scan writes to something from outside of it: let it return the value, carried or stacked")


def first_of(out: Any) -> Any:
    """Return the loss among what a loss function returns: the first of several."""
    return out[0] if isinstance(out, (tuple, list)) and out else out


def op_or_constant(y: Any) -> Any:
    """Return a value as an op, or as the constant that it is."""
    y = y._node.value if isinstance(y, Tensor) else y
    return y._op if isinstance(y, Traced) else y


def swept(tape: Recording, loss: Any, parameters: list[Node], named: bool) -> tuple[dict[Node, Any], dict[int, Traced]]:
    """Sweep back from the loss; return the cotangent of each result, if they get names, and each parameter's gradient by number."""
    if not isinstance(loss, Tensor):
        raise GradientError(f"the loss must be a Tensor of one entry, not {type(loss).__name__}: return the loss itself")
    if not loss.requires_grad:
        raise GradientError(why_no_gradient(loss))
    trail: list[Step] = []

    def read(node: Node, g: Any) -> backward.Operands:
        tape.place = node.value._op.place if isinstance(node.value, Traced) else None
        return arrays(node, g)

    tape.stage = "backward"
    cotangents = backward.sweep({loss._node: cotangent(loss, None)}, read, trail=trail if named else None)
    grads = {i: cotangents[node] for i, node in enumerate(parameters) if node in cotangents}
    return {step.node: step.g for step in trail}, {
        i: g if isinstance(g, Traced) else Traced(tape, tape.add(np.array, (g,), {}, g)) for i, g in grads.items()
    }


def is_number(value: Any) -> bool:
    """Tell whether something remembered is a plain number, as the count of the steps is."""
    return type(value) in (int, float) or isinstance(value, np.number)
