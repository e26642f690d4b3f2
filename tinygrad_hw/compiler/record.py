"""The recording of a function, and of a training step: forward, the reverse sweep, and the optimiser's update, in one program."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import backward
from ..backward import Step, arrays
from ..errors import GradientError
from ..graph import Node
from ..tensor import Tensor, cotangent, handle, leaf, recording, why_no_gradient
from ..trees import leaves, rebuilt
from .captured import Watch
from .names import name_all, name_locals
from .program import Program
from .trace import Recording, Traced

__all__ = ["STATIC", "Recorded", "record"]

STATIC = (bool, int, str, bytes)


@dataclass
class Recorded:
    """A program with what this run of the code came to.

    Attributes
    ----------
    out : what the function returned.
    gradients : of the parameters, by number.
    settled : whether the update left the optimiser's memory in the form in which it found it.
    """

    program: Program
    out: Any
    gradients: dict[int, Any]
    settled: bool


def record(function: Callable[..., Any], args: tuple[Any, ...], watch: Watch, optimizer: Any = None, named: bool = True) -> Recorded:
    """Run a function on stand-ins for its arguments and for the tensors that it captured, and return what it did, with names if wanted."""
    tape = Recording()
    parameters = [p._node for p in optimizer.parameters] if optimizer else []
    paths = dict(watch.tensors)
    roles = {node: ("parameter", i, paths.get(node, f"p{i + 1}")) for i, node in enumerate(parameters)}
    roles |= {node: ("tensor", i, path) for i, (node, path) in enumerate(watch.tensors) if node not in roles}
    before = [(node, node.value, node.grad, node.lent) for node in roles]
    kept = (optimizer.state, [group.lr for group in optimizer.param_groups]) if optimizer else None
    inputs: list[Traced] = []

    def given(value: Any, *role: Any, name: str | None = None) -> Traced:
        inputs.append(tape.input(value, *role, name=name))
        return inputs[-1]

    token = recording.set(True)
    try:
        args = stand_ins(given, function, args)
        for node, (role, i, path) in roles.items():
            name = node.name or (path if node in paths and path.isidentifier() else None)
            node.value, node.lent, node.grad = given(np.asarray(node.value), role, i, name=name), False, None
            node.value._op.hint = path
        own = {node: node.value for node in roles}
        out = function(*args)
        if named:
            name_locals(tape.frames)
        if optimizer is None:
            program = Program([x._op for x in inputs], tape.ops, [op_of(y) for y in leaves(out)], checks=tape.checks)
            if named:
                name_all(program, own, {}, out)
            return Recorded(program, out, {}, True)
        cotangents, gradients = swept(tape, out, parameters)
        states = stand_in_memory(given, optimizer)
        for i, node in enumerate(parameters):
            node.grad = gradients.get(i)
        tape.stage = "update"
        code = type(optimizer).update.__code__
        tape.place = (code.co_filename, code.co_firstlineno)
        optimizer.step()
        updates = [(own[node]._op, op_of(node.value)) for node in parameters if node.value is not own[node]]
        settled = all(state.keys() == old.keys() for state, old in zip(optimizer.state, states))
        for state, old in zip(optimizer.state, states):
            updates += [(old[key]._op, op_of(state[key])) for key in old if isinstance(old[key], Traced) and state[key] is not old[key]]
        updates = list(dict(updates).items())
        program = Program([x._op for x in inputs], tape.ops, [op_of(out)], updates, tape.checks)
        program.gradients = {own[parameters[i]]._op: g._op for i, g in gradients.items()}
        if named:
            name_all(program, own, cotangents, out)
        return Recorded(program, program.results[0].value, {i: g._op.value for i, g in gradients.items()}, settled)
    finally:
        recording.reset(token)
        for node, value, grad, lent in before:
            node.value, node.grad, node.lent = value, grad, lent
        if kept is not None:
            optimizer.state = kept[0]
            for group, lr in zip(optimizer.param_groups, kept[1]):
                group.lr = lr


def op_of(y: Any) -> Any:
    """Return a value as an op, or as the constant that it is."""
    y = y._node.value if isinstance(y, Tensor) else y
    return y._op if isinstance(y, Traced) else y


def stand_ins(given: Callable[..., Traced], function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments with a stand-in for each array, tensor and floating number in them."""
    names = [name for name, arg in zip(argument_names(function, args), args) for name in leaf_names(name, arg)]

    def stand_in(i: int, x: Any) -> Any:
        if type(x) in STATIC:
            return x
        if type(x) in (float, complex):
            return given(x, "input", i, name=names[i])
        return handle(leaf(given(np.array(x._node.value if isinstance(x, Tensor) else x), "input", i, name=names[i])))

    return rebuilt(args, [stand_in(i, x) for i, x in enumerate(leaves(args))])


def argument_names(function: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    """Return what the function calls its positional arguments."""
    try:
        bound = inspect.signature(function).bind(*args)
    except (TypeError, ValueError):
        return [f"x{i + 1}" for i, _ in enumerate(args)]
    names: list[str] = []
    for name, value in bound.arguments.items():
        variadic = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}{i + 1}" for i, _ in enumerate(value)] if variadic else [name]
    return names


def leaf_names(name: str, arg: Any) -> list[str]:
    """Return what to call the arrays in an argument."""
    count = len(leaves(arg))
    return [name] if count == 1 else [f"{name}{i + 1}" for i in range(count)]


def swept(tape: Recording, loss: Any, parameters: list[Node]) -> tuple[dict[Node, Any], dict[int, Traced]]:
    """Sweep back from the loss; return the cotangent of each result, and each parameter's gradient by its number."""
    if not isinstance(loss, Tensor):
        raise GradientError(f"the loss must be a Tensor of one entry, not {type(loss).__name__}: return the loss itself")
    if not loss.requires_grad:
        raise GradientError(why_no_gradient(loss))
    trail: list[Step] = []

    def read(node: Node, g: Any) -> tuple[Any, tuple[Any, ...]]:
        tape.place = node.value._op.place if isinstance(node.value, Traced) else None
        return arrays(node, g)

    tape.stage = "backward"
    cotangents = backward.sweep({loss._node: cotangent(loss, None)}, read, trail=trail)
    grads = {i: cotangents[node] for i, node in enumerate(parameters) if node in cotangents}
    return {step.node: step.g for step in trail}, {i: g if isinstance(g, Traced) else constant(tape, g) for i, g in grads.items()}


def constant(tape: Recording, g: Any) -> Traced:
    """Return a gradient that depends on nothing as a value of the program."""
    return Traced(tape, tape.add(np.array, (g,), {}, g))


def stand_in_memory(given: Callable[..., Traced], optimizer: Any) -> list[dict[str, Any]]:
    """Put stand-ins in the place of the learning rates and of what the optimiser remembers; return the latter."""
    for i, group in enumerate(optimizer.param_groups):
        vars(group)["lr"] = given(group.lr, "lr", i, name="lr")
    states = optimizer.state
    shared: dict[Any, Traced] = {}

    def stand_in(i: int, key: str, kept: Any) -> Any:
        like = optimizer.parameters[i]._node.value
        if isinstance(kept, (np.ndarray, np.generic)) and kept.shape == like.shape and kept.dtype == like.dtype:
            return given(np.asarray(kept), "memory", i, key)
        if not is_number(kept):
            return kept
        if (key, kept) not in shared:
            shared[key, kept] = given(kept, "number", i, key, name=key)
        return shared[key, kept]

    optimizer.state = [{key: stand_in(i, key, kept) for key, kept in state.items()} for i, state in enumerate(states)]
    return [dict(state) for state in optimizer.state]


def is_number(kept: Any) -> bool:
    """Tell whether something remembered is a plain number, as the count of the steps is."""
    return type(kept) in (int, float) or isinstance(kept, np.number)
