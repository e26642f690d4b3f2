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

SciPy's optimisers, such as L-BFGS, take one vector; ``tg.ravel`` makes it of a network's parameters, and the way back:

    start, unravel = tg.ravel(net)
    loss = tg.value_and_grad(lambda vector: nn.mse_loss(nn.functional_call(net, unravel(vector), X), y))
    found = scipy.optimize.minimize(loss, start.numpy(), jac=True, method="L-BFGS-B")
    net.load_state_dict(unravel(found.x))

An optimiser of one's own is a subclass of ``Optimizer`` with one method, ``update``.
The symbols in the formulas: θ a parameter, g its gradient, γ the learning rate, λ the weight decay, t the number of the step.
"""

from typing import TYPE_CHECKING, Any

from ..errors import no_attribute
from . import lr_scheduler
from .algorithms import SGD, Adagrad, Adam, AdamW, RMSprop
from .optimizer import Optimizer

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

LBFGS = "scipy.optimize.minimize(f, start, jac=True, method='L-BFGS-B'), with tg.ravel between it and the parameters"


if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

    def __getattr__(name: str) -> Any:
        raise no_attribute(f"module {__name__!r}", name, {"LBFGS": LBFGS})
