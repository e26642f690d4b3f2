"""A user's program, for type checkers: they report the lines that are marked, and know the type of everything else that is told."""

# ruff: noqa: F821 (reveal_type is known to type checkers alone)

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor, nn, optim

rng = np.random.default_rng(0)
x = Tensor(rng.random((21, 2)), name="x")
y = rng.random((21, 1))
W = Tensor(np.ones((2, 1)), requires_grad=True)
a = x @ W

# Operators, views and methods
reveal_type(a + 1)  # is Tensor
reveal_type(2 * a)  # is Tensor
reveal_type(a * y)  # is Tensor
reveal_type(-(a**2))  # is Tensor
reveal_type(a > 0)  # is Tensor
reveal_type(a == a)  # is Tensor
reveal_type(divmod(a, 2))  # is tuple[Tensor, Tensor]
reveal_type(a[0])  # is Tensor
reveal_type(a.T)  # is Tensor
reveal_type([row.sum() for row in a])  # is list[Tensor]
reveal_type(a.mean(axis=0, keepdims=True))  # is Tensor
reveal_type(a.reshape(-1))  # is Tensor
reveal_type(a.exp())  # is Tensor
reveal_type(a.astype(np.float32))  # is Tensor
reveal_type(a.sort())  # is None
reveal_type(a.nonzero())  # is tuple[Tensor, ...]
reveal_type(a.shape)  # is tuple[int, ...]
reveal_type(a.device)  # is str
reveal_type(float(a[0, 0]))  # is float
reveal_type(W.grad)  # is ndarray[tuple[Any, ...], dtype[Any]] | None

# Functions: a Tensor for a Tensor, an array for an array
reveal_type(tg.sigmoid(a))  # is Tensor
reveal_type(tg.softmax(a, axis=0))  # is Tensor
reveal_type(tg.relu(y))  # is ndarray[tuple[Any, ...], dtype[float64]]
reveal_type(nn.functional.silu(a))  # is Tensor
np.sum(np.exp(a)), np.maximum(a, 0), np.where(a > 0, a, 0), np.stack([a, a]), np.linalg.norm(a), np.dot(a, W.T)

# Networks, training and what is seen of them
net = nn.Sequential(nn.Linear(2, 3, rng=rng), nn.Tanh(), nn.Linear(3, 1))
reveal_type(net(x))  # is Tensor
reveal_type(nn.Conv2d(1, 2, 3)(y))  # is Tensor
reveal_type(nn.GRU(2, 3)(y))  # is tuple[Tensor, Tensor]
reveal_type(nn.LSTM(2, 3)(y))  # is tuple[Tensor, tuple[Tensor, Tensor]]
loss = nn.mse_loss(net(x), y)
reveal_type(loss)  # is Tensor
reveal_type(nn.CrossEntropyLoss()(net(x), y))  # is Tensor
loss.backward()
optimizer = optim.Adam(net.parameters(), lr=0.1)
optimizer.step()
step = tg.compile(lambda x, y: nn.mse_loss(net(x), y), optimizer)
reveal_type(step(y, y))  # is floating[Any]
reveal_type(step.repeat(3, y, y))  # is ndarray[tuple[Any, ...], dtype[Any]]
reveal_type(tg.draw(loss))  # is Drawing
reveal_type(tg.explain(loss))  # is Equations


class Pair(nn.Module):
    def forward(self, x: Tensor, scale: float = 1.0) -> tuple[Tensor, int]:
        return x * scale, 1


reveal_type(Pair()(x, scale=2.0))  # is tuple[Tensor, int]

# Transforms
reveal_type(tg.grad(lambda v: np.sum(v**2))(W))  # is Tensor
reveal_type(tg.grad(lambda v: np.sum(v**2))(y))  # is ndarray[tuple[Any, ...], dtype[float64]]
reveal_type(tg.grad(lambda v: v["a"] ** 2)({"a": 1.0}))  # is dict[str, float]
reveal_type(tg.grad(lambda net: nn.mse_loss(net(x), y))(net))  # is dict[str, Tensor]
reveal_type(tg.value_and_grad(lambda v: np.sum(v**2))(W))  # is tuple[Tensor, Tensor]
reveal_type(tg.jacobian(lambda v: v**2)(W))  # is Tensor
reveal_type(tg.hvp(lambda v: np.sum(v**2), W, W))  # is Tensor
reveal_type(tg.checkpoint(Pair().forward)(x))  # is tuple[Tensor, int]
reveal_type(tg.vmap(Pair().forward)(x))  # is tuple[Tensor, int]

# Mistakes
a.summ()  # an error
a.sum(axes=0)  # an error
Tensor([1.0], require_grad=True)  # an error
optim.Adam(net.parameters(), learning_rate=0.1)  # an error
Pair()(x, scales=2.0)  # an error
a.shape.sum()  # an error
nn.mse_loss(net(x), y, reductions="sum")  # an error
tg.sigmod(a)  # an error
