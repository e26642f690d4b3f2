"""What is graded: a function that returns gradients, or an object with weights that computes them or trains itself.

A ``Subject`` knows where the weights are, how to run a step under a ``Watcher``, and where each weight's gradient is found afterwards:
in what was returned, in an attribute, or in how the weight has changed.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any

import numpy as np

from ...tensor import Tensor
from .own import own_loss
from .watch import Call, Event, Watcher, reachable

__all__ = ["Found", "FunctionSubject", "ObjectSubject", "Step", "subject_of"]

RATE = 0.5  # of learning, where the code asks for one

X, Y, OUT, LR, EPOCHS, LENGTH, CACHE = "X", "y", "ŷ", "rate", "epochs", "N", "cache"
WORDS = {
    X: "x xs inputs input data features x_train train_x x_data points x_batch xb",
    Y: "y ys y_true ytrue label labels target targets y_train train_y t y_data gt ground_truth y_batch yb",
    OUT: "y_pred ypred y_hat yhat output outputs out pred preds prediction predictions a3 a_out",
    LR: "lr learning_rate eta alpha step_size rate learningrate",
    EPOCHS: "epochs epoch n_epochs num_epochs n_iter iterations iters steps num_steps n_steps max_iter n_iters",
    LENGTH: "n m batch_size n_samples num_samples",
    CACHE: "cache caches activations memory saved intermediate forward_result",
}  # fmt: skip
ROLES = {word: role for role, words in WORDS.items() for word in words.split()}
WHOLE = ("fit", "train", "train_step", "training", "step", "run")
FORWARD = ("forward", "forward_pass", "forward_propagation", "feedforward", "predict", "__call__")
BACKWARD = (
    "backward",
    "backward_pass",
    "backprop",
    "backpropagation",
    "back_propagation",
    "gradients",
    "gradient",
    "grad",
    "compute_gradients",
)
UPDATE = ("update", "update_weights", "update_parameters", "apply_gradients", "optimize", "step", "update_params")
CLASS_METHODS = {*FORWARD, *BACKWARD, *WHOLE}


@dataclass
class Found:
    """What the code says the gradient of a weight is: the number, the event that made it, and the event that put it in its place."""

    value: np.ndarray | None
    event: Event | None
    is_update: bool = False


@dataclass
class Step:
    """One step: the weights that it began with, what was made, and the gradients found."""

    weights: dict[str, np.ndarray]
    events: list[Event]
    found: dict[str, Found]
    after: dict[str, np.ndarray]
    rates: tuple[float, ...] = ()
    is_rate_known: bool = True
    end: Call | None = None  # of the function, which returned the gradients


class FunctionSubject:
    """A function of weights and data that returns the gradients, in the structure of its first argument or as a tuple.

    Attributes
    ----------
    example : the arguments.
    code : whose file is watched.
    """

    def __init__(self, function: Callable[..., Any], example: tuple[Any, ...]) -> None:
        self.function, self.example = function, example
        self.files = {inspect.unwrap(function).__code__.co_filename}
        self.name = function.__name__
        self.helpers: set[CodeType] = set()
        self.seconds = 10.0
        self.data: set[str] = set()  # what is data although no name says so

    def weights(self) -> dict[str, np.ndarray]:
        """Return the arrays that a gradient may be asked of, by what they are called: those in containers, else those that are no data."""
        every = {name: np.asarray(array) for name, array in named(self.function, self.example).items()}
        inside = {name: array for name, array in every.items() if "[" in name}
        return inside or {name: array for name, array in every.items() if ROLES.get(name.lower()) not in (X, Y) and name not in self.data}

    def tell_data(self, result: Any) -> None:
        """Take the last arguments for data if no gradient of them was returned and they are as long as the data that names tell."""
        names, weights = list(self.weights()), self.weights()
        data = [array for name, array in named(self.function, self.example).items() if name not in weights]
        for arrays in (gradients_in(result, len(names)), gradients_in(result, 0)):
            more = names[len(arrays) :]
            together = [*data, *(weights[name] for name in more)]
            fits = all(np.size(array) == weights[name].size for name, (_, array) in zip(names, arrays))
            one_length = any(len({array.shape[axis] for array in together if array.ndim}) == 1 for axis in (0, -1))
            if arrays and more and fits and one_length and not any("[" in name for name in names):
                self.data |= set(more)
                return

    def steps(self, watcher: Watcher, count: int) -> tuple[list[Step], Any]:
        """Run the function on the example, then on other weights; return the steps and what the first returned."""
        steps, returned = [], None
        weights = {name: np.array(x) for name, x in self.weights().items()}
        for k in range(count):
            example = filled(self.example, self.function, {name: np.array(x) for name, x in weights.items()})
            first = len(watcher.events)
            before = len(watcher.calls)
            result = watcher.run(self.function, *example)
            if k == 0:
                returned = result
                self.tell_data(result)
                weights = {name: weights[name] for name in self.weights()}
            events = watcher.events[first:]
            top = [call for call in watcher.calls[before:] if call.caller is None]
            found = self.found(result, events, watcher) if result is not None and top else {}
            after = dict(named(self.function, example))
            steps.append(
                Step(
                    {name: np.array(x, float) for name, x in weights.items()},
                    events,
                    found,
                    after,
                    self.rates(example),
                    end=top[0] if top else None,
                )
            )
            if watcher.crash is not None:
                break
            weights = {name: moved(x, k) for name, x in weights.items()}
        return steps, returned

    def weight_of(self, event: Event) -> str:
        """Return what the weight that an event may have changed is called."""
        return event.name

    def rates(self, example: tuple[Any, ...]) -> tuple[float, ...]:
        """Return the numbers among the arguments that are called a rate of learning."""
        arguments = self.arguments(example)
        return tuple(float(x) for name, x in arguments.items() if ROLES.get(name.lower()) == LR and np.ndim(x) == 0)

    def arguments(self, example: tuple[Any, ...]) -> dict[str, Any]:
        """Return the arguments by name."""
        return dict(zip(parameters_of(self.function, len(example)), example))

    def found(self, result: Any, events: list[Event], watcher: Watcher) -> dict[str, Found]:
        """Return the gradients that were returned, by the name of their weight."""
        arrays = gradients_in(result, len(self.weights()))
        names = list(self.weights())
        chosen = in_place(arrays, names)
        for path, array in arrays if not chosen else []:
            keys = [key for key in re.findall(r"\['([^']+)'\]", path)[::-1] for key in [weight_named(key, names)] if key]
            if keys:
                chosen.setdefault(keys[0], (path, array))
        if not chosen:
            chosen = in_order(arrays, self.weights())
        return {name: Found(np.array(array, float), maker(array, events, path)) for name, (path, array) in chosen.items()}

    def loss_of(self, loss: Callable[..., Any] | None, weights: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, dict[str, Tensor]]:
        """Return the loss as a Tensor, and the Tensors that stand for the weights."""
        tensors = {name: Tensor(np.asarray(weights[name], float), requires_grad=True, name=short(name)) for name in names}
        data = {name: Tensor(np.asarray(x, float), name=short(name)) for name, x in named(self.function, self.example).items()}
        example = filled(wide(self.example), self.function, {**data, **tensors})
        return (loss(*example) if loss is not None else self.own_loss(example)), tensors

    def own_loss(self, example: tuple[Any, ...]) -> Tensor:
        """Return the loss that the function itself computes."""
        return own_loss(self.files, self.helpers, [self.function.__globals__], lambda: self.function(*example), self.seconds)


class ObjectSubject:
    """An object with weights in its attributes, and methods that train it: ``forward`` and ``backward``, or ``fit``."""

    def __init__(self, thing: Any, example: tuple[Any, ...], name: str) -> None:
        self.thing, self.example, self.name = thing, example, name
        self.helpers: set[CodeType] = set()
        self.seconds = 10.0
        self.files = {function.__code__.co_filename for _, function in inspect.getmembers(type(thing), inspect.isfunction)}

    def is_own(self, value: Any) -> bool:
        """Tell whether attributes of a value are looked into."""
        return hasattr(value, "__dict__") and any(
            function.__code__.co_filename in self.files for _, function in inspect.getmembers(type(value), inspect.isfunction)
        )

    def weights(self, thing: Any = None) -> dict[str, np.ndarray]:
        """Return the floating arrays in the attributes."""
        found = reachable(self.thing if thing is None else thing, "", self.is_own)
        arrays = {name: array for name, array in found if isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.ndim}
        return {name: array for name, array in arrays.items() if not any(array is x or np.array_equal(array, x) for x in self.example)}

    def with_weights(self, weights: Mapping[str, Any]) -> Any:
        """Return a copy of the object with other weights."""
        thing = copy.deepcopy(self.thing)
        for name, array in weights.items():
            put(thing, name, array)
        return thing

    def method(self, *names: str) -> str | None:
        """Return the first of some methods that the object has."""
        return next((name for name in names if callable(getattr(self.thing, name, None)) and self.is_students(name)), None)

    def is_students(self, name: str) -> bool:
        code = getattr(getattr(type(self.thing), name, None), "__code__", None)
        return code is not None and code.co_filename in self.files

    def steps(self, watcher: Watcher, count: int) -> tuple[list[Step], Any]:
        """Train two steps: by its own loop, or by forward, backward and update in turn."""
        thing = copy.deepcopy(self.thing)
        whole = self.method(*WHOLE)
        if self.method(*BACKWARD) is None and whole is not None:
            return self.own_loop(watcher, thing, whole), None
        steps, names = [], list(self.weights())
        for _ in range(count):
            weights, first = {name: np.array(self.weights(thing)[name], float) for name in names}, len(watcher.events)
            result = self.one_step(watcher, thing)
            if watcher.crash is None and not changed(weights, self.weights(thing)) and (update := self.method(*UPDATE)):
                watcher.run(getattr(thing, update), **bound(getattr(thing, update), self.known()))
            steps.append(self.step(watcher.events[first:], weights, self.weights(thing), result, thing))
            if watcher.crash is not None:
                break
            if not changed(weights, self.weights(thing)):
                for name in names:
                    put(thing, name, moved(self.weights(thing)[name], 0))
        return steps, None

    def one_step(self, watcher: Watcher, thing: Any) -> Any:
        """Run forward and backward; return what backward returned."""
        known, out = self.known(), None
        forward, backward = self.method(*FORWARD), self.method(*BACKWARD)
        if forward is not None:
            out = watcher.run(getattr(thing, forward), **bound(getattr(thing, forward), known))
        if backward is None:
            raise TypeError(f"{self.name} has no method to grade: none of {', '.join(BACKWARD)}, nor of {', '.join(WHOLE)}")
        if watcher.crash is None:
            return watcher.run(getattr(thing, backward), **bound(getattr(thing, backward), known | self.after_forward(out)))
        return None

    def after_forward(self, out: Any) -> dict[str, Any]:
        """Return what forward has computed: the prediction, told by the shape of y, and what it saved."""
        arrays = [array for _, array in reachable(out, "", lambda _: False)] if not isinstance(out, Tensor) else [out]
        arrays += [part for part in out if isinstance(part, Tensor)] if isinstance(out, (tuple, list)) else []
        y = self.example[1] if len(self.example) > 1 else None
        fitting = [array for array in arrays if y is None or array.shape == np.shape(y)]
        prediction = arrays[-1] if arrays and fitting and arrays[-1] is fitting[-1] else next(iter(fitting), None)
        saved = [part for part in out if isinstance(part, (dict, list, tuple))] if isinstance(out, tuple) else []
        return {OUT: prediction, CACHE: saved[-1] if saved else out}

    def own_loop(self, watcher: Watcher, thing: Any, whole: str) -> list[Step]:
        """Let the object train itself for two epochs, or twice for one, and cut what it made into steps."""
        start = {k: np.array(x, float) for k, x in self.weights(thing).items()}
        changes: dict[str, int] = {}
        seen = 0

        def enough(watcher: Watcher) -> bool:
            nonlocal seen
            for event in watcher.events[seen:]:
                name = attribute(event.name)
                if name in start and event.before is not None:
                    changes[name] = changes.get(name, 0) + 1
            seen = len(watcher.events)
            return min(changes.values(), default=0) >= 2 and max(changes.values()) > 2

        watcher.enough = enough
        rounds: list[list[Event]] = []
        while len(rounds) < 2 and watcher.crash is None:
            first, before = len(watcher.events), len(rounds)
            watcher.run(getattr(thing, whole), **bound(getattr(thing, whole), self.known()))
            rounds += cut(watcher.events[first:], set(start))
            if len(rounds) == before:
                break
        watcher.enough = None
        steps, weights = [], start
        for events in rounds[:2] or [[]]:
            after = dict(weights)
            for event in events:
                if attribute(event.name) in start and event.before is not None:
                    after[attribute(event.name)] = np.array(event.value, float)
            steps.append(self.step(events, weights, after, None, thing))
            weights = after
        return steps

    def step(self, events: list[Event], weights: Mapping[str, Any], after: Mapping[str, Any], result: Any, thing: Any) -> Step:
        """Say where each weight's gradient is found: in its change, in what was returned, or in an attribute."""
        found: dict[str, Found] = {}
        moving = changed(weights, after)
        rates, known = self.rates(thing, events)
        returned = dict(gradients_in(result, len(weights)))
        made: dict[str, Any] = {path: array for path, array in returned.items() if np.ndim(array)}
        made |= {name: x for name, x in self.weights(thing).items() if name not in weights}
        for name in moving:
            event = next((e for e in reversed(events) if attribute(e.name) == name), None)
            found[name] = Found((np.asarray(weights[name], float) - np.asarray(after[name], float)) / rates[0], event, True)
        if not moving:
            names = list(weights)
            for path, array in made.items():
                keys = [k for part in re.findall(r"[A-Za-z_]\w*", path)[::-1] for k in [weight_named(part, names)] if k]
                if keys and np.shape(array) == np.shape(weights[keys[0]]):
                    found.setdefault(keys[0], Found(np.array(array, float), maker(array, events, path)))
            if not found:
                chosen = in_order(list(returned.items()), {k: np.asarray(x) for k, x in weights.items()})
                found = {name: Found(np.array(array, float), maker(array, events, path)) for name, (path, array) in chosen.items()}
        return Step({k: np.asarray(x, float) for k, x in weights.items()}, events, found, dict(after), rates, known)

    def weight_of(self, event: Event) -> str:
        """Return what the weight that an event may have changed is called."""
        return attribute(event.name)

    def rates(self, thing: Any, events: list[Event]) -> tuple[tuple[float, ...], bool]:
        """Return the rate of learning, and whether it is known."""
        own = [float(x) for name, x in vars(thing).items() if ROLES.get(name.lower()) == LR and isinstance(x, (int, float, np.floating))]
        asked = any(ROLES.get(p) == LR for m in (*WHOLE, *BACKWARD, *UPDATE) if self.method(m) for p in parameters_of(getattr(thing, m)))
        return (tuple(own), True) if own and not asked else ((RATE,), asked)

    def known(self) -> dict[str, Any]:
        """Return what the arguments of methods are, by their part."""
        x, y = (*self.example, None, None)[:2]
        return {X: x, Y: y, LR: RATE, EPOCHS: 2, LENGTH: len(x)}

    def loss_of(self, loss: Callable[..., Any] | None, weights: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, dict[str, Tensor]]:
        """Return the loss as a Tensor, and the Tensors that stand for the weights."""
        tensors = {name: Tensor(np.asarray(weights[name], float), requires_grad=True, name=short(name)) for name in names}
        thing = self.with_weights(tensors)
        example = [Tensor(x, name=name) for x, name in zip(wide(self.example), ("X", "y"))]
        if loss is not None:
            return loss(thing, *example), tensors
        known = {X: example[0], Y: example[1] if len(example) > 1 else None, LR: RATE, EPOCHS: 1, LENGTH: len(self.example[0])}

        def run() -> Any:
            out = None
            if self.method(*BACKWARD) is None and (whole := self.method(*WHOLE)):
                return getattr(thing, whole)(**bound(getattr(thing, whole), known))
            if forward := self.method(*FORWARD):
                out = getattr(thing, forward)(**bound(getattr(thing, forward), known))
            if measure := self.method("loss", "compute_loss", "cost", "mse", "criterion"):
                return getattr(thing, measure)(**bound(getattr(thing, measure), known | self.after_forward(out)))
            backward = getattr(thing, str(self.method(*BACKWARD)))
            return backward(**bound(backward, known | self.after_forward(out)))

        methods = inspect.getmembers(type(self.thing), inspect.isfunction)
        return own_loss(self.files, self.helpers, [type(self.thing), methods[0][1].__globals__], run, self.seconds), tensors


def subject_of(gradients: Any, example: tuple[Any, ...]) -> FunctionSubject | ObjectSubject:
    """Return what is to be graded, for a function, a class or an object."""
    if inspect.isclass(gradients):
        return ObjectSubject(made(gradients, example), example, gradients.__name__)
    if inspect.isfunction(gradients):
        return FunctionSubject(gradients, example)
    if callable(gradients) and not hasattr(type(gradients), "__dict__"):
        raise TypeError(f"grade takes a Python function, a class or an object, not {gradients!r}")
    return ObjectSubject(gradients, example, type(gradients).__name__)


def made(cls: type, example: tuple[Any, ...]) -> Any:
    """Return an object of a class, its sizes taken from the example."""
    sizes = {
        "input": example[0].shape[-1],
        "output": example[1].shape[-1] if len(example) > 1 and np.ndim(example[1]) > 1 else 1,
        "hidden": 10,
    }
    given: dict[str, Any] = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        word = next((word for word in sizes if name.lower().startswith((word, f"n_{word}", f"num_{word}", word[:2]))), None)
        if parameter.default is parameter.empty and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            if word is None and ROLES.get(name.lower()) != LR:
                raise TypeError(f"{cls.__name__} needs {name!r} to be made: give grade an object of it instead of the class")
            given[name] = RATE if word is None else sizes[word]
    return cls(**given)


def bound(method: Callable[..., Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a method, told by their names; X and y go to what has no known name, in this order."""
    found: dict[str, Any] = {}
    missing = []
    for name, parameter in inspect.signature(method).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        role = ROLES.get(name.lower(), "")
        if role in known and known[role] is not None and (parameter.default is parameter.empty or role in (LR, EPOCHS, X, Y)):
            found[name] = known[role]
        elif parameter.default is parameter.empty:
            missing.append(name)
    rest = [known[role] for role in (X, Y) if known.get(role) is not None and not any(known[role] is value for value in found.values())]
    if len(missing) > len(rest):
        raise TypeError(
            f"{method.__qualname__} needs {missing[len(rest)]!r}, which is none of the names known here: {', '.join(sorted(ROLES))}"
        )
    return found | dict(zip(missing, rest))


def parameters_of(function: Callable[..., Any], count: int | None = None) -> list[str]:
    """Return the names of a function's parameters."""
    names = [name for name, p in inspect.signature(function).parameters.items() if p.kind is not p.VAR_KEYWORD]
    return names + [f"x{k}" for k in range(len(names), count)] if count is not None else names


def named(function: Callable[..., Any], example: tuple[Any, ...]) -> dict[str, Any]:
    """Return the floating arrays of arguments by what they are called: W1, or p['W1']."""
    found: dict[str, Any] = {}
    for name, value in zip(parameters_of(function, len(example)), example):
        found |= {path: array for path, array in reachable(value, name, lambda _: False) if is_floating(array)}
    return found


def filled(example: tuple[Any, ...], function: Callable[..., Any], arrays: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arguments with other arrays in the place of those with a name."""
    return tuple(replaced(value, name, arrays) for name, value in zip(parameters_of(function, len(example)), example))


def replaced(value: Any, name: str, arrays: Mapping[str, Any]) -> Any:
    if name in arrays:
        return arrays[name]
    if isinstance(value, dict):
        return {key: replaced(part, f"{name}[{key!r}]", arrays) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)([replaced(part, f"{name}[{k}]", arrays) for k, part in enumerate(value)])
    return np.array(value) if isinstance(value, np.ndarray) else value


def put(thing: Any, path: str, array: Any) -> None:
    """Put an array where a path leads: ``.W1``, ``.layers[0].W``, ``.p['W1']``."""
    *way, end = re.findall(r"\.\w+|\[[^\]]+\]", path)
    for step in way:
        thing = getattr(thing, step[1:]) if step[0] == "." else thing[key_of(step)]
    if end[0] == ".":
        setattr(thing, end[1:], array)
    else:
        thing[key_of(end)] = array


def key_of(step: str) -> Any:
    inside = step[1:-1]
    return int(inside) if inside.lstrip("-").isdigit() else inside.strip("'\"")


def attribute(name: str) -> str:
    """Return the path of an array from the object on: ``.W3`` of ``self.W3``."""
    return re.sub(r"^[^.\[]+", "", name)


def short(name: str) -> str | None:
    """Return a name for equations: W1 of ``self.p['W1']`` and of ``W[0]``; None for a place in a list of lists, which says nothing."""
    words = re.findall(r"\w+", name)
    if not words[-1].isdigit():
        return words[-1]
    return f"{words[-2]}{int(words[-1]) + 1}" if len(words) > 1 and len(words[-2]) == 1 and not words[-2].isdigit() else None


def weight_named(word: str, names: list[str]) -> str | None:
    """Return the weight that a name such as dW1, grad_W1 or W1 speaks of."""
    bare = re.sub(r"^(d|g|grad|delta|nabla|gradient)_?(?=[A-Za-z])|_?(grad|gradient)$", "", word)
    return next((name for candidate in (word, bare) for name in names if short(name) == candidate), None)


def is_floating(value: Any) -> bool:
    """Tell whether a value is an array of floating numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def gradients_in(result: Any, count: int) -> list[tuple[str, Any]]:
    """Return so many arrays of what was returned: without the loss, that may stand beside the gradients."""
    found = list(reachable(result, "", lambda _: False))
    if isinstance(result, (tuple, list)) and len(found) > count:
        found = [(path, array) for path, array in found if np.ndim(array) or path.count("[") > 1]
    return found


def in_place(arrays: list[tuple[str, Any]], names: list[str]) -> dict[str, tuple[str, Any]]:
    """Match returned gradients to the weights by their place in nested lists, tuples and dicts, if these are built alike."""
    places = {re.sub(r"^\w+", "", name): name for name in names}
    found = {}
    for path, array in arrays:
        place = next((place for place in places if place and path.endswith(place)), None)
        if place is None or places[place] in found:
            return {}
        found[places[place]] = (path, array)
    return found


def in_order(arrays: list[tuple[str, Any]], weights: Mapping[str, np.ndarray]) -> dict[str, tuple[str, Any]]:
    """Match returned gradients to the weights: in the order of both, or in the opposite one, whichever fits the shapes."""
    names = list(weights)
    fitting = lambda order: sum(np.size(array) == weights[name].size for name, (_, array) in zip(order, arrays))
    order = max((names, names[: len(arrays)][::-1]), key=fitting)
    return dict(zip(order, arrays))


def maker(array: Any, events: list[Event], path: str) -> Event | None:
    """Return the last event that made an array."""
    own = [event for event in events if event.array is array and np.array_equal(event.value, array)]
    if own:
        return own[-1]
    equal = [event for event in events if event.value.shape == np.shape(array) and np.array_equal(event.value, array)]
    return equal[-1] if equal else None


def cut(events: list[Event], weights: set[str]) -> list[list[Event]]:
    """Cut what a loop of training made into steps: a step ends with the last weight that changes before the round begins anew."""
    changes = [attribute(event.name) if event.before is not None and attribute(event.name) in weights else "" for event in events]
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
    if isinstance(tree, (tuple, list)):
        return type(tree)([wide(part) for part in tree])
    if isinstance(tree, dict):
        return {key: wide(part) for key, part in tree.items()}
    return np.asarray(tree, float) if isinstance(tree, np.ndarray) and tree.dtype.kind == "f" else tree
