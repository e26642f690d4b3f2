"""Schedules: a learning rate for each epoch, or each step, whichever ``scheduler.step()`` is called after.

    >>> from tinygrad_hw import Tensor, optim
    >>> optimizer = optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0)
    >>> scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
    >>> rates = []
    >>> for epoch in range(5):
    ...     rates.append(round(optimizer.lr, 4))
    ...     scheduler.step()
    >>> rates
    [1.0, 1.0, 0.1, 0.1, 0.01]

Each group of parameters has its own first rate, and a schedule is a function of it and of the number t of steps. Names and meanings are
PyTorch's (``torch.optim.lr_scheduler``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from math import cos, pi
from typing import Any

from .optimizer import Optimizer, not_negative, number

__all__ = [
    "CosineAnnealingLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "SequentialLR", "StepLR",
]  # fmt: skip


class LRScheduler:
    """The base of the schedules: a subclass defines ``rate(first, t)``, the learning rate after t steps.

    Parameters
    ----------
    optimizer : Optimizer
        Its learning rates are set at once, to those for t = 0; ``first`` is a group's rate before that.

    Raises
    ------
    TypeError
        If it is no optimiser.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> class InverseRoot(optim.lr_scheduler.LRScheduler):
    ...     def rate(self, first, t):
    ...         return first / (1 + t) ** 0.5
    >>> scheduler = InverseRoot(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0))
    >>> for _ in range(3):
    ...     scheduler.step()
    >>> scheduler.get_last_lr(), scheduler.rates(0), scheduler.rate(1.0, 3)
    ([0.5], [1.0], 0.5)
    >>> scheduler.set_rates()
    >>> scheduler.load_state_dict({**scheduler.state_dict(), "last_epoch": 0})
    >>> scheduler.optimizer.lr
    1.0
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(self).__name__} needs an optimiser, not {type(optimizer).__name__}")
        self.optimizer = optimizer
        self.base_lrs: list[float] = [group.lr for group in optimizer.param_groups]
        self.last_epoch = 0
        self.set_rates()

    def rate(self, first: float, t: int) -> float:
        """Return the learning rate after t steps.

        Parameters
        ----------
        first : float
            A group's first rate.
        t : int

        Returns
        -------
        float

        Raises
        ------
        NotImplementedError
            If the subclass defines neither this nor ``rates``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define rate(first, t)")

    def set_rates(self) -> None:
        """Give each group its rate."""
        for group, rate in zip(self.optimizer.param_groups, self.rates(self.last_epoch)):
            group.lr = rate

    def rates(self, t: int) -> list[float]:
        """Return the rate of each group after t steps.

        Parameters
        ----------
        t : int

        Returns
        -------
        list of float
        """
        return [self.rate(first, t) for first in self.base_lrs]

    def step(self) -> None:
        """Go on to the next rate."""
        self.last_epoch += 1
        self.set_rates()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group as it was set last."""
        return self.rates(self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return how far the schedule is, and the first rates."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from where another schedule of this kind was; the optimiser's rates are set.

        Parameters
        ----------
        state_dict : dict
            What ``state_dict()`` returned.

        Raises
        ------
        ValueError
            If it is for another number of groups, or no state of a schedule. After an error nothing has changed.
        """
        epoch, rates = number("last_epoch", state_dict["last_epoch"]), [not_negative("base_lrs", rate) for rate in state_dict["base_lrs"]]
        if len(rates) != len(self.base_lrs) or epoch < 0 or epoch % 1:
            raise ValueError(f"this is no state for a schedule of {len(self.base_lrs)} groups: {dict(state_dict)!r}")
        self.last_epoch, self.base_lrs = int(epoch), rates
        self.set_rates()


class StepLR(LRScheduler):
    """The rate times gamma after every ``step_size`` steps.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> scheduler = optim.lr_scheduler.StepLR(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0), step_size=2)
    >>> [round(scheduler.rate(1.0, t), 4) for t in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1) -> None:
        self.step_size, self.gamma = _count("step_size", step_size), not_negative("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, first: float, t: int) -> float:
        return first * self.gamma ** (t // self.step_size)


class MultiStepLR(LRScheduler):
    """The rate times gamma at each of the milestones.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : sequence of int
        Numbers of steps.
    gamma : float

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> scheduler = optim.lr_scheduler.MultiStepLR(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0), [1, 3])
    >>> [round(scheduler.rate(1.0, t), 4) for t in range(4)]
    [1.0, 0.1, 0.1, 0.01]
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1) -> None:
        self.milestones, self.gamma = sorted(milestones), not_negative("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, first: float, t: int) -> float:
        return first * self.gamma ** bisect_right(self.milestones, t)


class ExponentialLR(LRScheduler):
    """The rate times gamma after every step.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> scheduler = optim.lr_scheduler.ExponentialLR(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0), gamma=0.5)
    >>> [round(scheduler.rate(1.0, t), 4) for t in range(3)]
    [1.0, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float) -> None:
        self.gamma = not_negative("gamma", gamma)
        super().__init__(optimizer)

    def rate(self, first: float, t: int) -> float:
        return first * self.gamma**t


class LinearLR(LRScheduler):
    """A factor that goes from one number to another in a straight line: a warm-up, if it starts small.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor, end_factor : float
        What the first rate is multiplied by at first, and from ``total_iters`` steps on.
    total_iters : int

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> scheduler = optim.lr_scheduler.LinearLR(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0), 0.5, total_iters=2)
    >>> [round(scheduler.rate(1.0, t), 4) for t in range(4)]
    [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int = 5) -> None:
        self.start_factor, self.end_factor = not_negative("start_factor", start_factor), not_negative("end_factor", end_factor)
        self.total_iters = _count("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, first: float, t: int) -> float:
        return first * (self.start_factor + (self.end_factor - self.start_factor) * min(t, self.total_iters) / self.total_iters)


class CosineAnnealingLR(LRScheduler):
    """From the first rate down to ``eta_min`` along half a cosine of ``T_max`` steps (Loshchilov & Hutter 2017, "SGDR"); then up again.

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        The number of steps.
    eta_min : float
        The last rate.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> scheduler = optim.lr_scheduler.CosineAnnealingLR(optim.SGD([Tensor(1.0, requires_grad=True)], lr=1.0), T_max=2)
    >>> [round(scheduler.rate(1.0, t), 4) for t in range(4)]
    [1.0, 0.5, 0.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0) -> None:
        self.T_max, self.eta_min = _count("T_max", T_max), not_negative("eta_min", eta_min)
        super().__init__(optimizer)

    def rate(self, first: float, t: int) -> float:
        return self.eta_min + (first - self.eta_min) * (1 + cos(pi * t / self.T_max)) / 2


class LambdaLR(LRScheduler):
    """The first rate times a function of the number of steps.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : callable, or one for each group
        Takes t; returns the factor.

    Raises
    ------
    ValueError
        If there are not as many functions as groups.

    Examples
    --------
    A warm-up of 100 steps, then the inverse root, as in "Attention is all you need":

    >>> from tinygrad_hw import Tensor, optim
    >>> optimizer = optim.Adam([Tensor(1.0, requires_grad=True)], lr=0.01)
    >>> scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda t: min((t + 1) / 100, (100 / (t + 1)) ** 0.5))
    >>> optimizer.lr
    0.0001
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]]) -> None:
        groups = len(optimizer.param_groups)
        self.lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lambdas) != groups:
            raise ValueError(f"LambdaLR: there are {groups} groups of parameters, and {len(self.lambdas)} functions")
        super().__init__(optimizer)

    def rates(self, t: int) -> list[float]:
        return [first * function(t) for first, function in zip(self.base_lrs, self.lambdas)]  # type: ignore[operator]


class SequentialLR(LRScheduler):
    """Schedules one after the other: a warm-up, then a cosine.

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : sequence of LRScheduler
        All made for this optimiser; each counts its steps from its own milestone.
    milestones : sequence of int
        The numbers of steps at which the second, the third ... begins.

    Raises
    ------
    ValueError
        If there is not one milestone between each two schedules, or they are for another optimiser.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, optim
    >>> from tinygrad_hw.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
    >>> optimizer = optim.Adam([Tensor(1.0, requires_grad=True)], lr=0.01)
    >>> warm_up, decay = LinearLR(optimizer, 0.1, total_iters=10), CosineAnnealingLR(optimizer, T_max=90)
    >>> scheduler = SequentialLR(optimizer, [warm_up, decay], milestones=[10])
    >>> round(optimizer.lr, 6)
    0.001
    """

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler], milestones: Sequence[int]) -> None:
        if len(schedulers) != len(milestones) + 1 or list(milestones) != sorted(milestones):
            raise ValueError(f"SequentialLR: {len(schedulers)} schedulers need {len(schedulers) - 1} rising milestones, not {milestones!r}")
        if any(scheduler.optimizer is not optimizer for scheduler in schedulers):
            raise ValueError("SequentialLR: every scheduler must be made for the optimiser that is given")
        self.schedulers, self.milestones = list(schedulers), list(milestones)
        first = schedulers[0].base_lrs
        for scheduler in schedulers:  # (each read the rate that the one before it had set)
            scheduler.base_lrs = first
        super().__init__(optimizer)
        self.base_lrs = first

    def rates(self, t: int) -> list[float]:
        i = bisect_right(self.milestones, t)
        return self.schedulers[i].rates(t - [0, *self.milestones][i])


def _count(name: str, value: Any) -> int:
    """Return a number of steps as an int; raise unless it is a whole number above 0."""
    if number(name, value) < 1 or value % 1:
        raise ValueError(f"{name} must be a whole number above 0, not {value!r}")
    return int(value)
