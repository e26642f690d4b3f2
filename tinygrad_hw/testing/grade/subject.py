"""What is graded: a function that returns gradients, or an object with weights that computes them or trains itself.

A ``Subject`` knows where the weights are, how to run a step under a ``Watcher``, and where each weight's gradient is found afterwards:
in what was returned, in an attribute, or in how the weight has changed.
"""

from __future__ import annotations

import copy
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...graph import history
from ...tensor import Tensor
from ...trees import leaves, mapped, paths, rebuilt
from .own import own_loss
from .watch import Event, Runner, Watcher, reachable

__all__ = ["CodeGradient", "FunctionSubject", "ObjectSubject", "Step", "Subject", "subject_of"]

RATE = 0.5  # of learning, where the code asks for one
X, Y, OUT, LR, EPOCHS, LENGTH, CACHE, GRADIENTS = "X", "y", "ŷ", "rate", "epochs", "N", "cache", "gradients"
WORDS = {
    X: "x xs inputs input data features x_train train_x x_data points x_batch xb",
    Y: "y ys y_true ytrue label labels target targets y_train train_y t y_data gt ground_truth y_batch yb",
    OUT: "y_pred ypred y_hat yhat output outputs out pred preds prediction predictions a3 a_out",
    LR: "lr learning_rate eta alpha step_size rate learningrate",
    EPOCHS: "epochs epoch n_epochs num_epochs n_iter iterations iters steps num_steps n_steps max_iter n_iters",
    LENGTH: "n m batch_size n_samples num_samples",
    GRADIENTS: "grads gradients gradient grad dparams d_params",
    CACHE: "cache caches activations memory saved intermediate forward_result",
}  # fmt: skip
ROLES = {word: role for role, words in WORDS.items() for word in words.split()}
WHOLE = (
    "fit", "train", "train_step", "training", "step", "run", "learn", "train_on_batch", "train_batch", "train_epoch", "train_one_epoch",
    "sgd", "gradient_descent", "optimize", "update",
)  # fmt: skip
FORWARD = ("forward", "forward_pass", "forward_propagation", "feedforward", "predict", "__call__")
BACKWARD = (
    "backward", "backward_pass", "backprop", "backpropagation", "back_propagation", "gradients", "gradient", "grad", "compute_gradients",
    "backpropagate", "backward_propagation", "compute_grads", "compute_gradient", "get_gradients", "calculate_gradients", "grads", "bp",
)  # fmt: skip
LOSS = ("loss", "compute_loss", "cost", "mse", "criterion")
UPDATE = ("update", "update_weights", "update_parameters", "apply_gradients", "optimize", "step", "update_params", "apply")


@dataclass
class CodeGradient:
    """What the code says the gradient of a weight is, and whether the weight's change says so."""

    value: np.ndarray | None
    is_update: bool = False
    size: float = 0.0  # of the weight, for a change of size 1


@dataclass
class Step:
    """One step: the weights that it began with, what was made, the gradients found, the weights after it and the arrays beside them."""

    weights: dict[str, np.ndarray]
    events: list[Event]
    gradients: dict[str, CodeGradient]
    after: dict[str, np.ndarray]
    rates: tuple[float, ...] = ()
    is_rate_known: bool = True


class Exactness:
    """How exact gradients can be, and how long the code may run."""

    is_single = False  # whether the code computes in single precision
    seconds = 10.0

    def rtol(self, gradient: CodeGradient | None) -> float:
        """Return by how much a gradient may differ, more so where it is the difference of two near numbers."""
        rtol, eps = (2e-4, 1e-7) if self.is_single else (1e-7, 1e-15)
        return max(rtol, 4 * eps * gradient.size) if gradient is not None else rtol


class FunctionSubject(Exactness):
    """A function of weights and data that returns the gradients, in the structure of its first argument or as a tuple."""

    def __init__(self, function: Callable[..., Any], example: tuple[Any, ...]) -> None:
        self.function, self.example = function, example
        self.files = {inspect.unwrap(function).__code__.co_filename}
        self.name = function.__name__
        self.data: set[str] = set()  # arguments that are data although their names do not say so
        self.defaults = {name: p.default for name, p in parameters(function) if p.default is not p.empty}
        self.arrays = {name: np.asarray(array) for name, array in named(function, example).items()}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the arrays that a gradient may be asked of, by their names: those in containers, else those that are not data."""
        inside = {name: array for name, array in self.arrays.items() if "[" in name}
        is_data = lambda name: ROLES.get(name.lower()) in (X, Y) or name in self.data
        return inside or {name: array for name, array in self.arrays.items() if not is_data(name)}

    def recognise_data(self, result: Any) -> None:
        """Take the last arguments for data if no gradient of them was returned and they are as long as those that are data by name."""
        names, weights = list(self.weights()), self.weights()
        data = [array for name, array in self.arrays.items() if name not in weights]
        for arrays in (gradients_in(result, len(names)), gradients_in(result, 0)):
            more = names[len(arrays) :]
            together = [*data, *(weights[name] for name in more)]
            fits = all(np.size(array) == weights[name].size for name, (_, array) in zip(names, arrays))
            one_length = any(len({array.shape[axis] for array in together if array.ndim}) == 1 for axis in (0, -1))
            if arrays and more and fits and one_length and not any("[" in name for name in names):
                self.data |= set(more)
                return

    def steps(self, watcher: Runner, count: int) -> list[Step]:
        """Run the function on the example, then on other weights."""
        steps: list[Step] = []
        weights = self.weights()
        for k in range(count):
            weights = {name: moved(x, k - 1) if k else np.array(x) for name, x in weights.items()}
            example = filled(self.example, self.function, {name: np.array(x) for name, x in weights.items()})
            first = len(watcher.events)
            result = watcher.run(self.function, *example)
            if k == 0 and isinstance(watcher, Watcher):
                self.recognise_data(result)
                weights = {name: weights[name] for name in self.weights()}
            after = named(self.function, example)
            returned = {} if result is None else matched(gradients_in(result, len(weights)), weights)
            gradients = self.updates(returned, weights, after) or returned
            start = {name: np.array(x, float) for name, x in weights.items()}
            steps.append(Step(start, watcher.events[first:], gradients, after, self.rates(example)))
            if watcher.crash is not None:
                break
        return steps

    def updates(self, returned: dict[str, CodeGradient], weights: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, CodeGradient]:
        """Return the gradients by how the weights have changed, where the code changes them, or returns others that are near to them."""
        rates = self.rates(self.example)
        given = {name: f.value for name, f in returned.items() if f.value is not None and f.value.shape == weights[name].shape}
        size = lambda arrays: sum(float(np.abs(x).sum()) for x in arrays)
        if len(given) < len(weights):
            new = after if changed(weights, after) else {}
        else:
            new = given if size(weights[name] - x for name, x in given.items()) < size(weights.values()) / 2 else {}
        if not new or not rates:
            return {}
        return {name: CodeGradient((x - np.asarray(new[name], float)) / rates[0], True) for name, x in weights.items()}

    @staticmethod
    def weight_of(event: Event) -> str:
        """Return what the weight that an event may have changed is called."""
        return event.name

    def rates(self, example: tuple[Any, ...]) -> tuple[float, ...]:
        """Return the numbers among the arguments that are called a rate of learning."""
        arguments = self.defaults | dict(zip(argument_names(self.function, len(example)), example))
        return tuple(float(x) for name, x in arguments.items() if ROLES.get(name.lower()) == LR and np.ndim(x) == 0 and x)

    def loss_of(self, loss: Callable[..., Any] | None, weights: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, dict[str, Tensor]]:
        """Return the loss as a Tensor, and the Tensors that stand for the weights."""
        tensors = as_tensors(weights, names)
        data = {name: Tensor(np.asarray(x, float), name=short(name)) for name, x in named(self.function, self.example).items()}
        example = filled(wide(self.example), self.function, {**data, **tensors})
        return (own_loss(self.files, lambda: self.function(*example), self.seconds) if loss is None else loss(*example)), tensors


class ObjectSubject(Exactness):
    """An object with weights in its attributes, and methods that train it: ``forward`` and ``backward``, or ``fit``."""

    def __init__(self, thing: Any, example: tuple[Any, ...], name: str) -> None:
        self.thing, self.example, self.name = thing, example, name
        self.used: set[str] | None = None  # the arrays that the loss is computed from, once it is known
        self.epochs = 2  # of a loop; 1 where the weights of the object are those of the last epoch alone
        self.files = {function.__code__.co_filename for _, function in inspect.getmembers(type(thing), inspect.isfunction)}
        self.own_types: dict[type, bool] = {}
        self.forward, self.backward, self.update = self.method(*FORWARD), self.method(*BACKWARD), self.method(*UPDATE)
        self.whole = self.method(*WHOLE) or self.method_of_data()
        asking = [getattr(thing, m) for m in (*WHOLE, *BACKWARD, *UPDATE) if self.method(m)]
        self.is_asked_for_rate = any(ROLES.get(p) == LR for method in asking for p in argument_names(method))

    def is_own(self, value: Any) -> bool:
        """Return whether attributes of a value are looked into: whether a function of its class is one of the files'."""
        kind = type(value)
        if kind not in self.own_types:
            functions = (function for _, function in inspect.getmembers(kind, inspect.isfunction))
            self.own_types[kind] = hasattr(value, "__dict__") and any(f.__code__.co_filename in self.files for f in functions)
        return self.own_types[kind]

    def keep_used(self, loss: Callable[..., Any] | None) -> None:
        """Take for weights only what the loss is computed from: not the gradients and sums that an object begins with as zeros."""
        out, tensors = self.loss_of(loss, self.arrays, self.arrays)
        nodes = set(history([out._node]))
        self.used = {name for name, tensor in tensors.items() if tensor._node in nodes}

    def weights(self) -> dict[str, np.ndarray]:
        """Return the arrays in the attributes that a gradient is asked of."""
        return self.used_of(self.arrays)

    def used_of(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return those of some arrays that the loss is computed from."""
        return {name: array for name, array in arrays.items() if self.used is None or name in self.used}

    @functools.cached_property
    def arrays(self) -> dict[str, np.ndarray]:
        """The floating arrays in the attributes of the object given."""
        return self.arrays_in(self.thing)

    def arrays_in(self, thing: Any) -> dict[str, np.ndarray]:
        """Return the floating arrays in the attributes of an object, but for data that it keeps."""
        arrays = {name: array for name, array in reachable(thing, "", self.is_own) if is_floating(array) and array.ndim}
        return {name: array for name, array in arrays.items() if not any(array is x or is_copy(array, x) for x in self.example)}

    def with_weights(self, weights: Mapping[str, Any]) -> Any:
        """Return a copy of the object with other weights."""
        thing = copy.deepcopy(self.thing)
        for name, array in weights.items():
            put(thing, name, array)
        return thing

    def method(self, *names: str) -> str | None:
        """Return the first of some methods that the object has."""
        return next((name for name in names if callable(getattr(self.thing, name, None)) and self.is_students(name)), None)

    def method_of_data(self) -> str | None:
        """Return the first method that takes X and y."""
        public = [name for name in vars(type(self.thing)) if not name.startswith("_") and self.is_students(name)]
        roles = {name: [ROLES.get(p.lower()) for p in argument_names(getattr(self.thing, name))] for name in public}
        return next((name for name in public if X in roles[name] and Y in roles[name]), None)

    def is_students(self, name: str) -> bool:
        """Return whether a method is one of the files'."""
        code = getattr(getattr(type(self.thing), name, None), "__code__", None)
        return code is not None and code.co_filename in self.files

    def steps(self, watcher: Runner, count: int) -> list[Step]:
        """Train two steps: by its own loop, or by forward, backward and update in turn."""
        thing = copy.deepcopy(self.thing)
        if self.backward is None and self.whole is not None:
            return self.own_loop(watcher, thing, self.whole, count)
        steps, weights = [], self.start()
        for _ in range(count):
            first = len(watcher.events)
            result = self.one_step(watcher, thing)
            if watcher.crash is None and self.update and not changed(weights, self.used_of(self.arrays_in(thing))):
                update = getattr(thing, self.update)
                watcher.run(update, **bound(update, self.known() | {GRADIENTS: result}))
            after = self.used_of(self.arrays_in(thing))
            steps.append(self.step(watcher.events[first:], weights, after, result, thing))
            if watcher.crash is not None:
                break
            if not changed(weights, after):
                after = {name: moved(after[name], 0) for name in weights}
                for name, x in after.items():
                    put(thing, name, x)
            weights = {name: np.array(after[name], float) for name in weights}
        return steps

    def start(self) -> dict[str, np.ndarray]:
        """Return copies of the weights of the object given."""
        return {name: np.array(x, float) for name, x in self.weights().items()}

    def one_step(self, watcher: Runner, thing: Any) -> Any:
        """Run forward and backward; return what backward returned."""
        known, out = self.known(), None
        if self.backward is None:
            raise TypeError(f"{self.name} has no method to grade: none of {', '.join(BACKWARD)}, nor of {', '.join(WHOLE)}")
        if self.forward is not None and not self.calls(self.backward, self.forward):
            out = watcher.run(getattr(thing, self.forward), **bound(getattr(thing, self.forward), known))
        if watcher.crash is not None:
            return None
        return watcher.run(getattr(thing, self.backward), **bound(getattr(thing, self.backward), known | self.after_forward(out)))

    def calls(self, backward: str, forward: str) -> bool:
        """Return whether backward runs forward itself, on each sample perhaps: it names it, and takes nothing of what forward gives."""
        method = getattr(type(self.thing), backward)
        return forward in method.__code__.co_names and not {OUT, CACHE} & {ROLES.get(p.lower()) for p in argument_names(method)}

    def after_forward(self, out: Any) -> dict[str, Any]:
        """Return what forward has computed: the prediction, recognised by the shape of y, and what it saved."""
        arrays = [array for _, array in reachable(out, "")] if not isinstance(out, Tensor) else [out]
        arrays += [part for part in out if isinstance(part, Tensor)] if isinstance(out, (tuple, list)) else []
        y = self.example[1] if len(self.example) > 1 else None
        fitting = [array for array in arrays if y is None or array.shape == np.shape(y)]
        prediction = arrays[-1] if arrays and fitting and arrays[-1] is fitting[-1] else next(iter(fitting), None)
        saved = [part for part in out if isinstance(part, (dict, list, tuple))] if isinstance(out, tuple) else []
        return {OUT: prediction, CACHE: saved[-1] if saved else out}

    def own_loop(self, watcher: Runner, thing: Any, whole: str, count: int) -> list[Step]:
        """Let the object train itself for two epochs, or twice for one, and cut what it made into steps."""
        start = self.start()
        watcher.enough = changed_enough(set(start), count)
        if not isinstance(watcher, Watcher):
            places = {name: steps_of(name) for name in start}
            watcher.watched = lambda: ((name, at(thing, steps)) for name, steps in places.items())
        train = getattr(thing, whole)
        rounds: list[list[Event]] = []
        while len(rounds) < count and watcher.crash is None:
            first, before = len(watcher.events), len(rounds)
            watcher.run(train, **bound(train, self.known()))
            rounds += cut(watcher.events[first:], set(start))
            takes_epochs = EPOCHS in [ROLES.get(p) for p in argument_names(train)]
            if len(rounds) == 1 and min(count, self.epochs) > 1 and takes_epochs:
                self.epochs = 1
                watcher.events[first:] = []
                return self.own_loop(watcher, copy.deepcopy(self.thing), whole, count)
            if len(rounds) == before:
                break
        watcher.enough = lambda _: False
        steps, weights = [], start
        for events in rounds[:count] or [[]]:
            after = dict(weights)
            for event in events:
                if name := weight_changed_by(event, start):
                    after[name] = np.array(event.value, float)
            steps.append(self.step(events, weights, after, None, thing))
            weights = after
        return steps

    def step(self, events: list[Event], weights: Mapping[str, Any], after: Mapping[str, Any], result: Any, thing: Any) -> Step:
        """Find each weight's gradient: in its change, in what was returned, or in an attribute."""
        rates, known = self.rates(thing)
        arrays = self.arrays_in(thing)
        start = {name: np.asarray(x, float) for name, x in weights.items()}
        lowered = {name: x - np.asarray(after[name], float) for name, x in start.items() if np.shape(after[name]) == x.shape}
        size = lambda name: float(np.abs(start[name]).max() / max(np.abs(lowered[name]).max(), 1e-300))
        of_change = lambda name: CodeGradient(lowered[name] / rates[0], True, size(name)) if name in lowered else CodeGradient(None, True)
        gradients = {name: of_change(name) for name in changed(weights, after)}
        if not gradients:
            known, returned = True, gradients_in(result, len(weights))  # (nothing was updated: a rate plays no part)
            made = [(path, x) for path, x in [*returned, *arrays.items()] if path not in weights and np.ndim(x)]
            gradients = matched(made, start, returned)
        beside = {name: arrays[name] for name in self.arrays if name in arrays}
        return Step(start, events, gradients, beside | dict(after), rates, known)

    @staticmethod
    def weight_of(event: Event) -> str:
        """Return what the weight that an event may have changed is called."""
        return attribute(event.name)

    def rates(self, thing: Any) -> tuple[tuple[float, ...], bool]:
        """Return the rate of learning, and whether it is known."""
        own = [float(x) for name, x in vars(thing).items() if ROLES.get(name.lower()) == LR and isinstance(x, (int, float, np.floating))]
        return (tuple(own), True) if own and not self.is_asked_for_rate else ((RATE,), self.is_asked_for_rate)

    def known(self) -> dict[str, Any]:
        """Return what the arguments of methods are, by their part."""
        x, y = (*copy.deepcopy(self.example), None, None)[:2]
        return {X: x, Y: y, LR: RATE, EPOCHS: self.epochs, LENGTH: len(x)}

    def loss_of(self, loss: Callable[..., Any] | None, weights: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, dict[str, Tensor]]:
        """Return the loss as a Tensor, and the Tensors that stand for the weights."""
        tensors = as_tensors(weights, names)
        thing = self.with_weights(tensors)
        example = [Tensor(x, name=name) for x, name in zip(wide(self.example), ("X", "y"))]
        if loss is not None:
            return loss(thing, *example), tensors
        known = {X: example[0], Y: example[1] if len(example) > 1 else None, LR: RATE, EPOCHS: 1, LENGTH: len(self.example[0])}
        call = lambda name, known: getattr(thing, name)(**bound(getattr(thing, name), known))

        def run() -> Any:
            if self.backward is None and self.whole:
                return call(self.whole, known)
            out = call(self.forward, known) if self.forward else None
            return call(self.method(*LOSS) or str(self.backward), known | self.after_forward(out))

        return own_loss(self.files, run, self.seconds), tensors


Subject = FunctionSubject | ObjectSubject


def subject_of(gradients: Any, example: tuple[Any, ...]) -> Subject:
    """Return what is to be graded, for a function, a class or an object."""
    if inspect.isclass(gradients):
        return ObjectSubject(made(gradients, example), example, gradients.__name__)
    if inspect.isfunction(gradients):
        return FunctionSubject(gradients, example)
    return ObjectSubject(gradients, example, type(gradients).__name__)


def made(cls: type, example: tuple[Any, ...]) -> Any:
    """Return an object of a class, its sizes taken from the example."""
    outputs = example[1].shape[-1] if len(example) > 1 and np.ndim(example[1]) > 1 else 1
    sizes = {"input": example[0].shape[-1], "output": outputs, "hidden": 10}
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        word = next((word for word in sizes if name.lower().startswith((word, f"n_{word}", f"num_{word}", word[:2]))), None)
        if parameter.default is parameter.empty and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            if word is None and ROLES.get(name.lower()) != LR:
                raise TypeError(f"{cls.__name__} needs {name!r} to be made: give grade an object of it instead of the class")
            given[name] = RATE if word is None else sizes[word]
    return cls(**given)


def bound(method: Callable[..., Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a method, recognised by their names; X and y go to what has no known name, in this order."""
    found: dict[str, Any] = {}
    missing = []
    for name, parameter in parameters(method):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = ROLES.get(name.lower(), "")
        if role in known and known[role] is not None and (parameter.default is parameter.empty or role in (LR, EPOCHS, X, Y)):
            found[name] = known[role]
        elif parameter.default is parameter.empty:
            missing.append(name)
    rest = [known[role] for role in (X, Y) if known.get(role) is not None and not any(known[role] is value for value in found.values())]
    if len(missing) > len(rest):
        known_names = ", ".join(sorted(ROLES))
        raise TypeError(f"{method.__qualname__} needs {missing[len(rest)]!r}, which is none of the names known here: {known_names}")
    return found | dict(zip(missing, rest))


def is_copy(array: np.ndarray, x: np.ndarray) -> bool:
    """Return whether an array is a copy of data; one of equal entries, as a bias at the start, may be like them by chance."""
    return array.shape == np.shape(x) and np.array_equal(array, x) and bool(np.ptp(array) > 0)


def parameters(function: Callable[..., Any]) -> list[tuple[str, inspect.Parameter]]:
    """Return the parameters of a function; of an object's method without the object."""
    plain = getattr(function, "__func__", function)
    return own_parameters(plain)[plain is not function :]


@functools.cache
def own_parameters(function: Callable[..., Any]) -> list[tuple[str, inspect.Parameter]]:
    return list(inspect.signature(function).parameters.items())


def argument_names(function: Callable[..., Any], count: int | None = None) -> list[str]:
    """Return the names of a function's parameters."""
    names = [name for name, p in parameters(function) if p.kind is not p.VAR_KEYWORD]
    return names + [f"x{k}" for k in range(len(names), count)] if count is not None else names


def named(function: Callable[..., Any], example: tuple[Any, ...]) -> dict[str, Any]:
    """Return the floating arrays of arguments by their names: W1, or p['W1']."""
    return {name: x for name, x in zip(names_in(function, example), leaves(example)) if is_floating(x)}


def filled(example: tuple[Any, ...], function: Callable[..., Any], arrays: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return copies of the arguments, other arrays in the place of those with a name."""
    copied = lambda x: np.array(x) if isinstance(x, np.ndarray) else x
    parts = (arrays[name] if name in arrays else copied(x) for name, x in zip(names_in(function, example), leaves(example)))
    return tuple(rebuilt(example, parts))


def names_in(function: Callable[..., Any], example: tuple[Any, ...]) -> Iterator[str]:
    """Yield the name of each leaf of arguments."""
    return (path for name, value in zip(argument_names(function, len(example)), example) for path in paths(value, name))


def as_tensors(weights: Mapping[str, Any], names: Iterable[str]) -> dict[str, Tensor]:
    """Return Tensors of weights, each with a name for equations."""
    return {name: Tensor(np.asarray(weights[name], float), requires_grad=True, name=short(name)) for name in names}


def steps_of(path: str) -> list[tuple[bool, Any]]:
    """Return the steps of a path such as ``.W1``, ``.layers[0].W``, ``.p['W1']``: whether each is an attribute, and which."""
    steps = re.findall(r"\.(\w+)|\[(-?\d+)\]|\[([^\]]+)\]", path)
    return [(bool(name), name or (int(place) if place else key.strip("'\""))) for name, place, key in steps]


def at(thing: Any, steps: list[tuple[bool, Any]]) -> Any:
    """Return what is where the steps of a path lead."""
    for is_attribute, step in steps:
        thing = getattr(thing, step) if is_attribute else thing[step]
    return thing


def put(thing: Any, path: str, array: Any) -> None:
    """Put an array where a path leads."""
    *steps, (is_attribute, end) = steps_of(path)
    if is_attribute:
        setattr(at(thing, steps), end, array)
    else:
        at(thing, steps)[end] = array


@functools.cache
def attribute(name: str) -> str:
    """Return the path of an array from the object on: ``.W3`` of ``self.W3``."""
    return re.sub(r"^[^.\[]+", "", name)


@functools.cache
def short(name: str) -> str | None:
    """Return a name for equations: W1 of ``self.p['W1']`` and of ``W[0]``; None for a place in a list of lists, which says nothing."""
    words = re.findall(r"\w+", name)
    if not words[-1].isdigit():
        return words[-1]
    return f"{words[-2]}{int(words[-1]) + 1}" if len(words) > 1 and len(words[-2]) == 1 and not words[-2].isdigit() else None


@functools.cache
def bare_path(path: str) -> tuple[str, ...]:
    """Return what the paths of a weight and of its gradient have in common: ``fc1, w`` of ``.fc1.w`` and of ``.fc1.grad_w``."""
    words = [bare(word).lower() for word in re.findall(r"\w+", path)]
    return tuple(word for word in words if word not in ("grads", "gradients", "grad", "params", "parameters", "weights", "d", "g", ""))


def bare(word: str) -> str:
    """Return what a name such as dW1 or grad_W1 speaks of: W1."""
    return re.sub(r"^(gradient|grad|delta|nabla|d|g)_?(?=[A-Za-z])|_?(gradient|grad)$", "", word)


def weight_named(word: str, names: list[str]) -> str | None:
    """Return the weight that a name such as dW1, grad_W1 or W1 speaks of."""
    return next((name for candidate in (word, bare(word)) for name in names if short(name) == candidate), None)


def is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def gradients_in(result: Any, count: int) -> list[tuple[str, Any]]:
    """Return so many arrays of what was returned: without the loss, that may stand beside the gradients."""
    found = list(reachable(result, ""))
    if isinstance(result, (tuple, list)) and len(found) > count:
        found = [(path, array) for path, array in found if np.ndim(array) or path.count("[") > 1]
    return found


def matched(
    arrays: list[tuple[str, Any]], weights: Mapping[str, Any], rest: list[tuple[str, Any]] | None = None
) -> dict[str, CodeGradient]:
    """Match gradients to the weights: by paths that are built alike, by names, else the rest by their order."""
    names, chosen = list(weights), dict[str, Any]()
    for path, array in arrays:
        tails = [name for name in names if (tail := attribute(name)) and path.endswith(tail)]
        alike = tails if len(tails) == 1 else [name for name in names if bare_path(name) == bare_path(path)]
        words = re.findall(r"[A-Za-z_]\w*", path)[::-1]
        keys = alike or [key for word in words for key in [weight_named(word, names)] if key]
        if keys and (rest is None or np.shape(array) == np.shape(weights[keys[0]])):
            chosen.setdefault(keys[0], array)
    return {name: CodeGradient(np.array(x, float)) for name, x in (chosen or in_order(arrays if rest is None else rest, weights)).items()}


def in_order(arrays: list[tuple[str, Any]], weights: Mapping[str, Any]) -> dict[str, Any]:
    """Match returned gradients to the weights: in the order of both, or in the opposite one, whichever fits the shapes."""
    names = list(weights)
    fitting = lambda order: sum(np.size(array) == np.size(weights[name]) for name, (_, array) in zip(order, arrays))
    order = max((names, names[: len(arrays)][::-1]), key=fitting)
    return {name: array for name, (_, array) in zip(order, arrays)}


def changed_enough(weights: set[str], count: int) -> Callable[[Any], bool]:
    """Return a function that says when a loop of training may be stopped: each weight has changed in every step, and one once more."""
    changes: Counter[str] = Counter()
    seen = 0

    def enough(watcher: Runner) -> bool:
        nonlocal seen
        changes.update(filter(None, (weight_changed_by(event, weights) for event in watcher.events[seen:])))
        seen = len(watcher.events)
        most = max(changes.values(), default=0)
        return (len(changes) == len(weights) and min(changes.values()) >= count and most > count) or most > 4 * count

    return enough


def weight_changed_by(event: Event, weights: Collection[str]) -> str:
    """Return which of the weights an event has changed; empty if none."""
    name = attribute(event.name)
    return name if event.before is not None and name in weights else ""


def cut(events: list[Event], weights: set[str]) -> list[list[Event]]:
    """Cut what a loop of training made into steps: a step ends with the last weight that changes before the round begins anew."""
    changes = [weight_changed_by(event, weights) for event in events]
    every = set(changes) - {""}
    steps, start, end, changed = [], 0, 0, set[str]()
    for place, name in enumerate(changes):
        if name:
            if name in changed and changed == every:
                steps.append(events[start:end])
                start, changed = end, set()
            changed.add(name)
            end = place + 1
    steps += [events[start:end], events[end:]] if changed == every else [events[start:]]
    return [step for step in steps if step]


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the names of the weights that have changed."""
    return [name for name, x in before.items() if name in after and not np.array_equal(x, after[name])]


def moved(array: Any, k: int) -> np.ndarray:
    """Return other weights of the same shape and dtype, the same at each call."""
    array = np.asarray(array)
    return (array + np.random.default_rng(k + 1).normal(size=array.shape) / 4).astype(array.dtype) if array.dtype.kind == "f" else array


def wide(tree: Any) -> Any:
    """Return floating arrays in float64; integers stay what they are, for they may be places."""
    return mapped(lambda x: np.asarray(x, float) if is_floating(x) else x, tree)
