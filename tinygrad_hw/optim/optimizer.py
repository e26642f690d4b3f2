"""The base of the optimisers: parameters in groups, their settings, and what is remembered of each parameter."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from ..errors import DTypeError, GradientError, ShapeError
from ..rules.elementwise import HALF, SINGLE
from ..rules.shaping import with_layout_of
from ..tensor import Tensor
from ..transforms import called_on_read_only, owned

T = TypeVar("T")


def number(name: str, value: Any, least: float = -math.inf, wanted: str = "a number") -> float:
    """Return the value as a Python float, which widens no dtype; raise unless it is finite and at least ``least``."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not (math.isfinite(found) and found >= least):
        raise ValueError(f"{name} must be {wanted}, not {value!r}")
    return found


def not_negative(name: str, value: Any) -> float:
    """Return the value as a Python float; raise unless it is a number >= 0."""
    return number(name, value, 0.0, "a number >= 0")


def below_one(name: str, value: Any) -> float:
    """Return the value as a Python float; raise unless it is in [0, 1)."""
    found = not_negative(name, value)
    if found >= 1:
        raise ValueError(f"{name} must be a number from 0 up to, not including, 1, not {value!r}")
    return found


def flag(name: str, value: Any) -> bool:
    """Return the value as a bool; raise unless it is True or False."""
    if value not in (True, False):
        raise ValueError(f"{name} must be True or False, not {value!r}")
    return bool(value)


class Setting(Generic[T]):
    """A setting of an optimiser, and what checks a value of it: ``momentum = Setting(not_negative)`` in the class.

    An optimiser keeps its value as an attribute. One with several groups keeps none, and then this says what the groups share.
    """

    def __init__(self, check: Callable[[str, Any], T], name: str = "") -> None:
        self.check, self.name = check, name

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, optimizer: Any, owner: type) -> T:
        if optimizer is None:
            return self  # type: ignore[return-value]
        values = [getattr(group, self.name) for group in optimizer._groups]
        if not values:
            raise AttributeError(f"{owner.__name__} has no attribute {self.name!r}")
        if any(value != values[0] for value in values):
            raise AttributeError(f"the groups of this {owner.__name__} differ in {self.name}: ask optimizer.param_groups[i].{self.name}")
        return values[0]


class Optimizer:
    """The base of the optimisers: it holds the parameters, and what is remembered of each from step to step.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        Leaves that require a gradient, of real dtypes; each of them once. Or groups of them, as dicts: ``"params"`` is the
        group's tensors, and any other entry a setting that the group has instead of the optimiser's.
    lr : float
        The learning rate, not negative.
    **settings
        A subclass's other settings.

    Attributes
    ----------
    parameters : list of Tensor
    state : list of dict
        What is remembered of each parameter.
    param_groups : list
        The groups; a single one is the optimiser itself. A group's settings are its attributes, or its items:
        ``optimizer.param_groups[0].lr`` and ``optimizer.param_groups[0]["lr"]`` are one. A setting that is assigned to the
        optimiser, as in ``optimizer.lr = 0.01``, is assigned to every group. It may be done at any time.

    Raises
    ------
    GradientError
        If a parameter requires no gradient, or is the result of an operation.
    DTypeError
        If a parameter is complex.
    TypeError, ValueError
        If there are no parameters, one is given twice or is no Tensor; if a setting is unknown or out of its range.

    Notes
    -----
    A subclass defines ``update(value, grad, state)``, which returns the new value of one parameter and keeps what it
    needs for the next step in the dict ``state``. It writes into none of the arrays. Parameters of float16 are updated
    in float32, since their squares would overflow, and rounded. The class attribute ``settings`` says what may be set,
    and how it is checked.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import Tensor, optim
    >>> class SignDescent(optim.Optimizer):
    ...     def update(self, value, grad, state):
    ...         return value - self.lr * np.sign(grad)
    >>> w, b = Tensor([1.0, 2.0], requires_grad=True), Tensor(3.0, requires_grad=True)
    >>> optimizer = SignDescent([{"params": [w]}, {"params": [b], "lr": 1.0}], lr=0.5)
    >>> (w.sum() - b).backward()
    >>> optimizer.step()
    >>> w.numpy(), b.item()
    (array([0.5, 1.5]), 4.0)
    >>> optimizer.zero_grad()
    >>> state = optimizer.state_dict()
    >>> optimizer.load_state_dict(state)
    >>> [group.lr for group in optimizer.param_groups]
    [0.5, 1.0]
    """

    settings: ClassVar[Mapping[str, Callable[[str, Any], Any]]] = {"lr": not_negative}
    lr = Setting(not_negative)
    _keeps_form = False  # whether ``update`` is this package's, which keeps shape and dtype
    _groups: tuple[Any, ...] = ()  # copies of the optimiser, each with parameters and settings of its own, if there are several

    def __init_subclass__(cls) -> None:
        cls._keeps_form = str(cls.update.__module__).startswith(__package__)
        cls.settings = {**cls.settings, **{name: own.check for name, own in vars(cls).items() if isinstance(own, Setting)}}
        for name, check in cls.settings.items():
            if not hasattr(cls, name):
                setattr(cls, name, Setting(check, name))

    def __init__(self, parameters: Iterable[Any], lr: float, **settings: Any) -> None:
        shares = _groups_in(parameters)
        self.parameters = _checked([parameter for tensors, _ in shares for parameter in tensors])
        for name, value in {"lr": lr, **settings}.items():
            setattr(self, name, value)
        if len(shares) > 1:
            self._groups = tuple(self._set_up_group(copy(self), i, tensors, own) for i, (tensors, own) in enumerate(shares))
            for name in self.settings:
                del vars(self)[name]
        else:
            self._set_up_group(self, 0, *shares[0])
        for group in self.param_groups:
            group.check_together()
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]
        self._has_warned = False  # whether parameters without a gradient were warned of

    def _set_up_group(self, group: Any, i: int, tensors: list[Tensor], own: Mapping[str, Any]) -> Any:
        """Give a group its parameters, and settings of its own."""
        group.parameters = tensors
        for name, value in own.items():
            if name not in self.settings:
                raise ValueError(f"parameter group {i} has the setting {name!r}, and {type(self).__name__} has {', '.join(self.settings)}")
            setattr(group, name, value)
        return group

    def check_together(self) -> None:
        """Raise if settings contradict each other."""

    @property
    def param_groups(self) -> list[Any]:
        """The groups of parameters, or the optimiser itself."""
        return list(self._groups) or [self]

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.settings:
            value = self.settings[name](name, value)
            for group in self._groups:
                setattr(group, name, value)
        if name not in self.settings or not self._groups:
            super().__setattr__(name, value)

    def __getitem__(self, name: str) -> Any:
        return self.parameters if name == "params" else getattr(self, self._known_setting(name))

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self, self._known_setting(name), value)

    def _known_setting(self, name: str) -> str:
        if name not in self.settings:
            raise KeyError(f"{type(self).__name__} has no setting {name!r}; it has {', '.join(self.settings)}")
        return name

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters: ``.grad`` becomes None, or 0 where it is not.

        Parameters
        ----------
        set_to_none : bool
        """
        for parameter in self.parameters:
            node = parameter._node
            node.grad = None if set_to_none or node.grad is None else np.zeros_like(node.grad)

    def step(self) -> None:
        """Update each parameter by its ``.grad``, which stays as it is.

        A parameter whose ``.grad`` is None is left alone, with a warning the first time, unless it has been frozen
        by ``requires_grad = False``.

        Raises
        ------
        GradientError
            If no parameter has a gradient.
            If ``update`` writes into an array that it was given.
        ShapeError
            If ``update`` returns another shape than the parameter's.
        """
        states = iter(self.state)
        missing: list[Tensor] = []
        for group in self._groups or (self,):
            update = group.update if self._keeps_form else group._user_update
            for parameter, state in zip(group.parameters, states):
                node = parameter._node
                grad, value = node.grad, node.value
                if grad is None:
                    missing.append(parameter)
                    continue
                half = value.dtype is HALF
                new = update(value.astype(SINGLE), grad.astype(SINGLE), state) if half else update(value, grad, state)
                if (half or not self._keeps_form) and (new.dtype is not value.dtype or new.shape != value.shape):
                    new = self._fitted(parameter, new)
                if node.mutable:
                    value[...] = new
                elif type(new) is np.ndarray:
                    node.value = new if new.strides == value.strides else with_layout_of(value, new)
                else:
                    node.value = np.array(new) if isinstance(new, np.generic) else new
        if missing:
            self._warn_of_missing(missing)

    def _user_update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Call a user's ``update`` so that it can write neither into its arguments nor, later, into its result."""
        update = lambda value, grad: self.update(value, grad, state)
        return owned(called_on_read_only(update, f"{type(self).__name__}.update", (value, grad), {}))

    def _fitted(self, parameter: Tensor, new: Any) -> Any:
        """Return a new value in the parameter's dtype; raise if its shape is not the parameter's."""
        if new.shape != parameter.shape:
            label = _label(self.parameters.index(parameter), parameter)
            raise ShapeError(f"{type(self).__name__}.update gave shape {new.shape} for {label}, which has {parameter.shape}")
        return new.astype(parameter.dtype)

    def _warn_of_missing(self, missing: list[Tensor]) -> None:
        """Warn once of parameters that have no gradient; raise if none has one."""
        if len(missing) == len(self.parameters):
            raise GradientError("no parameter has a gradient: call loss.backward() before step()")
        missing = [parameter for parameter in missing if parameter.requires_grad]
        if missing and not self._has_warned:
            self._has_warned = True
            labels = [_label(i, p) for i, p in enumerate(self.parameters) if any(p is other for other in missing)]
            warnings.warn(
                f"{', '.join(labels)} got no gradient, and so no step: the loss does not use what the optimiser holds (was it replaced in "
                "its module since?). Set requires_grad = False for what is to stay as it is. This is said once",
                stacklevel=3,
            )

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Return the new value of a parameter.

        Parameters
        ----------
        value, grad : ndarray of the parameter's shape
            Not to be written into.
        state : dict
            What is remembered of the parameter, empty at first.

        Returns
        -------
        ndarray of the parameter's shape

        Raises
        ------
        NotImplementedError
            If the subclass defines none.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update(value, grad, state)")

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the settings of each group, and of what is remembered of each parameter, in the order of ``parameters``."""
        return {
            "settings": [{name: getattr(group, name) for name in self.settings} for group in self.param_groups],
            "state": [{key: copy(kept) for key, kept in state.items()} for state in self.state],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned, so that training goes on as if it had not been interrupted.

        Parameters
        ----------
        state_dict : dict
            What ``state_dict()`` returned.

        Raises
        ------
        ValueError
            If it comes from an optimiser with other settings, or with another number of parameters or groups; if a
            setting is out of its range.
        ShapeError
            If it remembers arrays of other shapes than the parameters'. After an error nothing has changed.
        """
        settings, states = state_dict["settings"], state_dict["state"]
        for what, given, own in (("groups", settings, self.param_groups), ("parameters", states, self.parameters)):
            if len(given) != len(own):
                raise ValueError(f"the state is of {len(given)} {what}, and this {type(self).__name__} has {len(own)}")
        trial = copy(self)
        vars(trial)["_groups"] = tuple(copy(group) for group in self._groups)
        for group, values in zip(trial.param_groups, settings):
            if set(values) != set(self.settings):
                raise ValueError(f"the state has the settings {sorted(values)}, and {type(self).__name__} has {sorted(self.settings)}")
            for name, value in values.items():
                setattr(group, name, value)
            group.check_together()
        trial.state = [
            {key: self._loaded(i, parameter, key, value) for key, value in state.items()}
            for i, (parameter, state) in enumerate(zip(self.parameters, states))
        ]
        vars(self).update(vars(trial))

    def _loaded(self, i: int, parameter: Tensor, key: str, kept: Any) -> Any:
        """Return a copy of an array or number of a loaded state; raise if it does not fit the parameter."""
        array = np.array(kept)
        what = f"what the state remembers of {_label(i, parameter)} as {key!r}"
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{what} must be numbers, not {kept!r}")
        if array.ndim and array.shape != parameter.shape:
            raise ShapeError(f"{_label(i, parameter)} has shape {parameter.shape}, its {key!r} in the state has {array.shape}")
        if key == "step":
            if array.ndim or array < 0 or array % 1:
                raise ValueError(f"{what} must be a whole number >= 0, not {kept!r}")
            return int(array)
        return kept if type(kept) in (bool, int, float) else array

    def __repr__(self) -> str:
        groups = [", ".join(f"{name}={getattr(group, name)!r}" for name in self.settings) for group in self.param_groups]
        count = f"{len(self.parameters)} parameters"
        if len(groups) == 1:
            return f"{type(self).__name__}({count}, {groups[0]})"
        lines = [f"  {len(group.parameters)}: {text}" for group, text in zip(self.param_groups, groups)]
        return "\n".join([f"{type(self).__name__}({count} in {len(groups)} groups", *lines, ")"])


# Parameters
def _groups_in(parameters: Iterable[Any]) -> list[tuple[list[Tensor], dict[str, Any]]]:
    """Return the groups of parameters, each with its own settings; a single one, without, if there are none."""
    if isinstance(parameters, Tensor):
        raise TypeError("parameters must be several tensors: put a single one in a list, [w]")
    if not isinstance(parameters, Iterable):
        hint = ": give its .parameters()" if hasattr(parameters, "parameters") else ""
        raise TypeError(f"parameters must be an iterable of tensors, not {type(parameters).__name__}{hint}")
    given = list(parameters)
    if not any(isinstance(part, dict) for part in given):
        return [(given, {})]
    shares = []
    for i, part in enumerate(given):
        if not isinstance(part, dict) or "params" not in part:
            raise TypeError(f'parameter group {i} must be a dict with "params", its tensors, not {type(part).__name__}')
        [(tensors, _)] = _groups_in(part["params"])
        shares.append((tensors, {name: value for name, value in part.items() if name != "params"}))
    return shares


def _checked(parameters: list[Any]) -> list[Tensor]:
    """Return the parameters; raise if one cannot be optimised."""
    if not parameters:
        raise ValueError("there are no parameters to optimise: the list is empty (an iterator that was used up before?)")
    places: dict[Any, int] = {}
    for i, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameter {i} must be a Tensor, not {type(parameter).__name__}")
        if parameter._node.rule is not None:
            raise GradientError(
                f"{_label(i, parameter)} is the result of {parameter._node.rule.name}: only a leaf can be optimised. "
                "Make it with Tensor(values, requires_grad=True)"
            )
        if not parameter.requires_grad:
            raise GradientError(f"{_label(i, parameter)} does not require a gradient: make it with requires_grad=True, or leave it out")
        if parameter.dtype.kind == "c":
            raise DTypeError(
                f"{_label(i, parameter)} is complex ({parameter.dtype}): optimise its real and its imaginary part as two parameters"
            )
        if parameter._node in places:
            raise ValueError(f"{_label(i, parameter)} is the same tensor as parameter {places[parameter._node]}: give each parameter once")
        places[parameter._node] = i
    return parameters


def _label(i: int, parameter: Tensor) -> str:
    """Return what to call a parameter in an error."""
    return f"parameter {i} ({parameter.name!r})" if parameter.name else f"parameter {i}"
