"""Optimisers: what to do with the gradients once ``backward`` has computed them.

    >>> import numpy as np
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor(np.ones(2), requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum()
    ...     loss.backward()
    ...     optimizer.step()
    >>> loss.item() < 1e-12
    True

An optimiser of one's own is a subclass of ``Optimizer`` with one method, ``update``.
The symbols in the formulas: θ a parameter, g its gradient, γ the learning rate, λ the weight decay, t the number of the step.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .errors import DTypeError, GradientError, ShapeError
from .tensor import Tensor

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]


class Optimizer:
    """The base of the optimisers: it holds the parameters, and what is remembered of each from step to step.

    Parameters
    ----------
    parameters : iterable of Tensor
        Leaves that require a gradient, of real dtypes; each of them once.
    lr : float
        The learning rate, not negative. It may be assigned to at any time: ``optimizer.lr = 0.01``.

    Raises
    ------
    GradientError
        If a parameter requires no gradient, or is the result of an operation.
    DTypeError
        If a parameter is complex.
    TypeError, ValueError
        If there are no parameters, one is given twice or is no Tensor; if a number is out of its range.

    Notes
    -----
    A subclass defines ``update(value, grad, state)``, which returns the new value of one parameter and keeps what it
    needs for the next step in the dict ``state``. It writes into none of the arrays. The names of its settings
    stand in the class attribute ``settings``.
    """

    settings: tuple[str, ...] = ("lr",)

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        self.parameters = _checked(parameters)
        self.state: list[dict[str, Any]] = [{} for _ in self.parameters]
        self.lr = lr

    @property
    def lr(self) -> float:
        """The learning rate."""
        return self._lr

    @lr.setter
    def lr(self, lr: float) -> None:
        self._lr = _not_negative("lr", lr)
        self._rates = [np.array(self._lr, parameter.dtype) for parameter in self.parameters]

    def zero_grad(self) -> None:
        """Clear the gradients of all parameters: ``.grad`` becomes None."""
        for parameter in self.parameters:
            parameter._node.grad = None

    def step(self) -> None:
        """Update each parameter by its ``.grad``, which stays as it is; a parameter whose ``.grad`` is None is left alone."""
        for parameter, state in zip(self.parameters, self.state):
            node = parameter._node
            if node.grad is not None:
                parameter._replace(self.update(node.value, node.grad, state))

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Return the new value of a parameter."""
        raise NotImplementedError(f"{type(self).__name__} must define update(value, grad, state)")

    def state_dict(self) -> dict[str, Any]:
        """Return a copy of the settings and of what is remembered of each parameter, in the order of ``parameters``."""
        return {
            "settings": {name: getattr(self, name) for name in self.settings},
            "state": [{key: np.copy(kept) for key, kept in state.items()} for state in self.state],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict`` gave, so that training goes on as if it had not been interrupted.

        Raises
        ------
        ValueError
            If it comes from an optimiser with other settings or with another number of parameters.
        ShapeError
            If it remembers arrays of other shapes than the parameters'. After an error nothing has changed.
        """
        settings, states = state_dict["settings"], state_dict["state"]
        if set(settings) != set(self.settings):
            raise ValueError(f"the state has the settings {sorted(settings)}, and {type(self).__name__} has {sorted(self.settings)}")
        if len(states) != len(self.parameters):
            raise ValueError(f"the state is of {len(states)} parameters, and this {type(self).__name__} has {len(self.parameters)}")
        for i, (parameter, state) in enumerate(zip(self.parameters, states)):
            for key, kept in state.items():
                if np.ndim(kept) and np.shape(kept) != parameter.shape:
                    raise ShapeError(f"{_label(i, parameter)} has shape {parameter.shape}, its {key!r} in the state has {np.shape(kept)}")
        for name in self.settings:  # lr, which alone may be refused, comes first
            setattr(self, name, settings[name])
        self.state = [{key: int(kept) if key == "step" else np.copy(kept) for key, kept in state.items()} for state in states]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.settings)
        return f"{type(self).__name__}({len(self.parameters)} parameters, {settings})"


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.

    Parameters
    ----------
    parameters, lr : see ``Optimizer``.
    momentum : float
        μ, how much of the last step's direction b is kept.
    dampening : float
        τ, how much of the gradient is left out of the direction.
    nesterov : bool
        Whether to step along the direction as it will be after the step; needs momentum, and no dampening.
    weight_decay : float
        λ.

    Notes
    -----
    ::

        g ← g + λ θ
        b ← g at the first step, then μ b + (1 - τ) g
        d = g without momentum, g + μ b with Nesterov's, else b
        θ ← θ - γ d

    The formulas are PyTorch's (``torch.optim.SGD``); the momentum is Polyak's (1964), Nesterov's in the form of
    Sutskever, Martens, Dahl & Hinton (2013), "On the importance of initialization and momentum in deep learning".
    """

    settings = ("lr", "momentum", "dampening", "nesterov", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum = _not_negative("momentum", momentum)
        self.dampening = float(dampening)
        self.nesterov = bool(nesterov)
        self.weight_decay = _not_negative("weight_decay", weight_decay)
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError(f"nesterov=True needs momentum > 0 and dampening = 0, not momentum={momentum} and dampening={dampening}")

    def step(self) -> None:
        """Update each parameter by its ``.grad``, which stays as it is; a parameter whose ``.grad`` is None is left alone."""
        if self.momentum or self.weight_decay:
            return super().step()
        for parameter, rate in zip(self.parameters, self._rates):  # (an array multiplies sooner than a Python float)
            node = parameter._node
            grad = node.grad
            if grad is not None:
                if node.lent:
                    node.value[...] -= grad * rate
                else:
                    change = grad * rate
                    node.value = np.subtract(node.value, change, change) if type(change) is np.ndarray else node.value - change
        return None

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Return θ - γ d."""
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        if self.momentum:
            first = "direction" not in state
            state["direction"] = np.copy(grad) if first else self.momentum * state["direction"] + (1 - self.dampening) * grad
            grad = grad + self.momentum * state["direction"] if self.nesterov else state["direction"]
        return value - self.lr * grad


class Adam(Optimizer):
    """Adam: steps along the mean of the gradients, each entry measured by its own root mean square.

    Parameters
    ----------
    parameters, lr : see ``Optimizer``.
    betas : (float, float)
        β₁ and β₂, how much of the means of g and of g² is kept, both in [0, 1).
    eps : float
        ε, added to the denominator.
    weight_decay : float
        λ.

    Notes
    -----
    With m and v 0 at first::

        g ← g + λ θ
        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        θ ← θ - γ m̂ / (√v̂ + ε),    m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    The formulas are PyTorch's (``torch.optim.Adam``), after Kingma & Ba (2015), "Adam: a method for stochastic optimization".
    """

    settings = ("lr", "betas", "eps", "weight_decay")

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr)
        beta1, beta2 = map(float, betas)
        if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
            raise ValueError(f"betas must be two numbers from 0 up to, not including, 1, not {betas}")
        self.betas = beta1, beta2
        self.eps = _not_negative("eps", eps)
        self.weight_decay = _not_negative("weight_decay", weight_decay)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Return θ - γ m̂ / (√v̂ + ε)."""
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        return value - self.lr * self.adapted(grad, state)

    def adapted(self, grad: Any, state: dict[str, Any]) -> Any:
        """Return m̂ / (√v̂ + ε), and remember m, v and t."""
        beta1, beta2 = self.betas
        t = state["step"] = state.get("step", 0) + 1
        m = state["mean"] = beta1 * state.get("mean", 0.0) + (1 - beta1) * grad
        v = state["square"] = beta2 * state.get("square", 0.0) + (1 - beta2) * np.square(grad)
        return m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + self.eps)


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient, so that it is not measured by the gradients' size.

    Parameters
    ----------
    parameters, lr, betas, eps : see ``Adam``.
    weight_decay : float
        λ.

    Notes
    -----
    As ``Adam`` with λ = 0, but for θ ← θ - γ λ θ before each step. The formulas are PyTorch's (``torch.optim.AdamW``),
    after Loshchilov & Hutter (2019), "Decoupled weight decay regularization".
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        """Return (1 - γ λ) θ - γ m̂ / (√v̂ + ε)."""
        return value * (1 - self.lr * self.weight_decay) - self.lr * self.adapted(grad, state)


def _checked(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Return the parameters as a list, or say which cannot be optimised."""
    if isinstance(parameters, Tensor):
        raise TypeError("parameters must be several tensors: put a single one in a list, [w]")
    if not isinstance(parameters, Iterable):
        hint = ": give its .parameters()" if hasattr(parameters, "parameters") else ""
        raise TypeError(f"parameters must be an iterable of tensors, not {type(parameters).__name__}{hint}")
    checked = list(parameters)
    if not checked:
        raise ValueError("there are no parameters to optimise: the list is empty (an iterator that was used up before?)")
    places: dict[Any, int] = {}
    for i, parameter in enumerate(checked):
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
    return checked


def _label(i: int, parameter: Tensor) -> str:
    """Return what to call a parameter in an error."""
    return f"parameter {i} ({parameter.name!r})" if parameter.name else f"parameter {i}"


def _not_negative(name: str, value: float) -> float:
    """Return the value as a Python float, which widens no dtype, or say that it must not be negative."""
    number = float(value)
    if not number >= 0:
        raise ValueError(f"{name} must be a number >= 0, not {value!r}")
    return number
