"""The usual optimisers, each by the formula with which it updates one parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .optimizer import Optimizer, Setting, below_one, flag, not_negative, number

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "RMSprop"]


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
    weight_decay : float, λ

    Notes
    -----
    ::

        g ← g + λ θ
        b ← g at the first step, then μ b + (1 - τ) g
        d = g without momentum, g + μ b with Nesterov's, else b
        θ ← θ - γ d

    The formulas are PyTorch's (``torch.optim.SGD``); the momentum is Polyak's (1964), Nesterov's in the form of
    Sutskever, Martens, Dahl & Hinton (2013), "On the importance of initialization and momentum in deep learning".

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.8, -1.6], requires_grad=True)
    """

    momentum = Setting(not_negative)
    dampening = Setting(number)
    nesterov = Setting(flag)
    weight_decay = Setting(not_negative)

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay)

    def check_together(self) -> None:
        """Raise if Nesterov's step is wanted without momentum, or with dampening."""
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError(
                f"nesterov=True needs momentum > 0 and dampening = 0, not momentum={self.momentum} and dampening={self.dampening}"
            )

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        if self.momentum:
            first = "direction" not in state
            state["direction"] = np.copy(grad) if first else self.momentum * state["direction"] + (1 - self.dampening) * grad
            grad = grad + self.momentum * state["direction"] if self.nesterov else state["direction"]
        step = self.lr * grad
        if step.size > 10_000 and type(step) is np.ndarray:
            return np.subtract(value, step, step)  # (a second large array costs more than the subtraction)
        return value - step


def two_betas(name: str, pair: Any) -> tuple[float, float]:
    """Return β₁ and β₂ as floats; raise unless they are two numbers in [0, 1)."""
    try:
        beta1, beta2 = pair
        return below_one("β₁", beta1), below_one("β₂", beta2)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be two numbers from 0 up to, not including, 1, not {pair!r}") from error


class Adam(Optimizer):
    """Adam: steps along the mean of the gradients, each entry measured by its own root mean square.

    Parameters
    ----------
    parameters, lr : see ``Optimizer``.
    betas : (float, float)
        β₁ and β₂, how much of the means of g and of g² is kept, both in [0, 1).
    eps : float
        ε, added to the denominator.
    weight_decay : float, λ

    Notes
    -----
    With m and v 0 at first::

        g ← g + λ θ
        m ← β₁ m + (1 - β₁) g
        v ← β₂ v + (1 - β₂) g²
        θ ← θ - γ m̂ / (√v̂ + ε),    m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    The formulas are PyTorch's (``torch.optim.Adam``), after Kingma & Ba (2015), "Adam: a method for stochastic optimization".

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.9, -1.9], requires_grad=True)
    """

    betas = Setting(two_betas)
    eps = Setting(not_negative)
    weight_decay = Setting(not_negative)

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        return value - self.lr * self.adapted(grad, state)

    def adapted(self, grad: Any, state: dict[str, Any]) -> Any:
        """Return m̂ / (√v̂ + ε), and remember m, v and t.

        The roots of 1 - β₂ and of 1 - β₂ᵗ are taken by themselves: a gradient of 1e20 then overflows nowhere in float32.
        """
        beta1, beta2 = self.betas
        t = state["step"] = state.get("step", 0) + 1
        m = state["mean"] = beta1 * state.get("mean", 0.0) + (1 - beta1) * grad
        v = state["square"] = beta2 * state.get("square", 0.0) + np.square((1 - beta2) ** 0.5 * grad)
        return m / (1 - beta1**t) / (np.sqrt(v) / (1 - beta2**t) ** 0.5 + self.eps)


class AdamW(Adam):
    """Adam with the weight decay apart from the gradient, so that it is not measured by the gradients' size.

    Parameters
    ----------
    parameters, lr, betas, eps : see ``Adam``.
    weight_decay : float, λ

    Notes
    -----
    As ``Adam`` with λ = 0, but for θ ← θ - γ λ θ before each step. The formulas are PyTorch's (``torch.optim.AdamW``),
    after Loshchilov & Hutter (2019), "Decoupled weight decay regularization".

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.AdamW([w], lr=0.1, weight_decay=0.0)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.9, -1.9], requires_grad=True)
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr, betas, eps, weight_decay)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        return value * (1 - self.lr * self.weight_decay) - self.lr * self.adapted(grad, state)


class RMSprop(Optimizer):
    """RMSprop: each entry of the gradient divided by its own root mean square.

    Parameters
    ----------
    parameters, lr : see ``Optimizer``.
    alpha : float in [0, 1)
        α, how much of the mean of g² is kept.
    eps, weight_decay : see ``Adam``.
    momentum : see ``SGD``.
    centered : bool
        Whether to take the mean of g away, so that v is an estimate of the variance.

    Notes
    -----
    With v, m and b 0 at first::

        g ← g + λ θ
        v ← α v + (1 - α) g²
        m ← α m + (1 - α) g                     if centered
        d = g / (√v + ε), or g / (√(v - m²) + ε) if centered
        b ← μ b + d,  θ ← θ - γ b

    The formulas are PyTorch's (``torch.optim.RMSprop``), after Tieleman & Hinton (2012) and, for the centred form, Graves (2013).

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.RMSprop([w], lr=0.01)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.9, -1.9], requires_grad=True)
    """

    alpha = Setting(below_one)
    eps = Setting(not_negative)
    weight_decay = Setting(not_negative)
    momentum = Setting(not_negative)
    centered = Setting(flag)

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.01,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(parameters, lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum, centered=centered)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        v = state["square"] = self.alpha * state.get("square", 0.0) + np.square((1 - self.alpha) ** 0.5 * grad)
        if self.centered:
            m = state["mean"] = self.alpha * state.get("mean", 0.0) + (1 - self.alpha) * grad
            v = v - np.square(m)
        direction = grad / (np.sqrt(v) + self.eps)
        if self.momentum:
            direction = state["direction"] = self.momentum * state.get("direction", 0.0) + direction
        return value - self.lr * direction


class Adagrad(Optimizer):
    """Adagrad: each entry of the gradient divided by the root of the sum of its squares so far.

    Parameters
    ----------
    parameters, lr : see ``Optimizer``.
    lr_decay : float
        η, by which the rate falls with the steps.
    initial_accumulator_value : float
        s at first.
    weight_decay, eps : see ``Adam``.

    Notes
    -----
    ::

        g ← g + λ θ
        s ← s + g²
        θ ← θ - γ / (1 + (t - 1) η) g / (√s + ε)

    The formulas are PyTorch's (``torch.optim.Adagrad``), after Duchi, Hazan & Singer (2011).

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> w = Tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = optim.Adagrad([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Tensor([ 0.9, -1.9], requires_grad=True)
    """

    lr_decay = Setting(not_negative)
    weight_decay = Setting(not_negative)
    initial_accumulator_value = Setting(not_negative)
    eps = Setting(not_negative)

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.01,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        settings = {"weight_decay": weight_decay, "initial_accumulator_value": initial_accumulator_value, "eps": eps}
        super().__init__(parameters, lr, lr_decay=lr_decay, **settings)

    def update(self, value: Any, grad: Any, state: dict[str, Any]) -> Any:
        if self.weight_decay:
            grad = grad + self.weight_decay * value
        t = state["step"] = state.get("step", 0) + 1
        s = state["square"] = state.get("square", self.initial_accumulator_value) + np.square(grad)
        return value - self.lr / (1 + (t - 1) * self.lr_decay) * grad / (np.sqrt(s) + self.eps)
