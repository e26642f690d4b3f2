"""Recurrent layers: a cell does one step in time, a layer all of them, several layers deep.

All gates of a cell come from one product: the weights of a cell are (input_size, k · hidden_size) and (hidden_size, k · hidden_size),
k the number of gates.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from ..errors import ShapeError
from ..rules import neural
from ..tensor import Tensor
from . import functional
from .checks import Random, as_input, generator, one_of, probability, require_positive
from .layers import draw_uniform
from .module import Module, ModuleList

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]

State = TypeVar("State")


class _Cell(Module, Generic[State]):
    gates: ClassVar[int]
    keeps_bias: ClassVar[bool] = False  # whether bias_hh is added to the state's product alone
    weight_ih: Any
    weight_hh: Any
    bias_ih: Any
    bias_hh: Any

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, rng: Random = None, dtype: Any = float) -> None:
        require_positive(type(self).__name__, input_size, hidden_size)
        self.hidden, wide = hidden_size, self.gates * hidden_size
        sizes = [(input_size, wide), (hidden_size, wide), (wide,), (wide,)]
        tensors = [Tensor(np.zeros(size), requires_grad=True, dtype=dtype) for size in (sizes if bias else sizes[:2])]
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = tensors if bias else (*tensors, None, None)
        self.draw_parameters(generator(rng))

    def draw_parameters(self, rng: Any) -> None:
        """Draw the weights, then the biases, from the uniform distribution on ±1/√hidden_size."""
        draw_uniform(rng, 1 / sqrt(self.hidden), self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def first_state(self, x: Any) -> Any:
        """Return the state before the first step, for x of shape (..., N, input_size)."""
        return np.zeros((*x.shape[-2:-1], self.hidden), self.weight_hh.dtype)

    def forward(self, x: Any, state: Any = None) -> State:
        """Return the state after a step with x of shape (N, input_size), or (input_size,)."""
        if np.shape(x)[-1:] != self.weight_ih.shape[:1]:
            raise ShapeError(f"{self!r} needs x of shape (..., {self.weight_ih.shape[0]}), and x has shape {np.shape(x)}")
        x = as_input(self, x, self.weight_ih)
        return self.step(self.input_part(x), self.first_state(x) if state is None else state)

    def input_part(self, x: Any) -> Any:
        """Return what x adds to the gates, with the biases that can be added at once."""
        bias = self.bias_ih if self.bias_ih is None or self.keeps_bias else self.bias_ih + self.bias_hh
        return functional.linear(x, self.weight_ih, bias)

    def gate(self, gates: Any, k: int, count: int = 1) -> Any:
        """Return the k-th gate, or several from it on."""
        return gates[..., k * self.hidden : (k + count) * self.hidden]

    def step(self, from_x: Any, state: Any) -> Any:
        """Return the state after a step, from what x adds to the gates and the state before."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight_ih.shape[0]}, {self.hidden})"


class RNNCell(_Cell[Tensor]):
    """A step of a recurrent network: h' = tanh(x W + b + h U + c).

    Parameters
    ----------
    input_size, hidden_size : int
        The sizes of x and of the state h.
    bias : bool
    nonlinearity : "tanh" or "relu"
    rng, dtype : see ``Linear``.

    Attributes
    ----------
    weight_ih : (input_size, hidden_size) Tensor, W
    weight_hh : (hidden_size, hidden_size) Tensor, U
    bias_ih, bias_hh : (hidden_size,) Tensor, b and c, or None

    Notes
    -----
    Called with x of shape (N, input_size) and h of shape (N, hidden_size), 0 if not given; returns h'. Parameters are drawn from the
    uniform distribution on ±1/√hidden_size. As PyTorch's cells, whose weights are the transposes of these.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.RNNCell(3, 4)([[1.0, 2.0, 3.0]]).shape
    (1, 4)
    """

    gates = 1

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", rng: Random = None, dtype: Any = float
    ) -> None:
        one_of("RNNCell: nonlinearity", nonlinearity, ("tanh", "relu"))
        self.nonlinearity = nonlinearity
        super().__init__(input_size, hidden_size, bias, rng, dtype)

    def step(self, from_x: Any, state: Any) -> Any:
        total = from_x + state @ self.weight_hh
        return np.tanh(total) if self.nonlinearity == "tanh" else neural.relu(total)


class LSTMCell(_Cell[tuple[Tensor, Tensor]]):
    """A step of a long short-term memory, whose state is a pair (h, c).

    Parameters
    ----------
    input_size, hidden_size, bias, rng, dtype : see ``RNNCell``.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : W, U, b and d, as in ``RNNCell``, with the parts for i, f, g, o side by side

    Notes
    -----
    ::

        [i, f, g, o] = x W + b + h U + d
        c' = σ(f) c + σ(i) tanh(g)
        h' = σ(o) tanh(c')

    Called as ``RNNCell``, with (h, c) for h. Hochreiter & Schmidhuber (1997), "Long short-term memory", with the forget gate of Gers,
    Schmidhuber & Cummins (2000).

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> h, c = nn.LSTMCell(3, 4)([[1.0, 2.0, 3.0]])
    >>> h.shape, c.shape
    ((1, 4), (1, 4))
    """

    gates = 4

    def first_state(self, x: Any) -> Any:
        return super().first_state(x), super().first_state(x)

    def step(self, from_x: Any, state: Any) -> Any:
        h, c = state
        gates = from_x + h @ self.weight_hh
        sigmoids = neural.sigmoid(gates)  # (of all gates at once, which is faster)
        i, f, o = (self.gate(sigmoids, k) for k in (0, 1, 3))
        c = f * c + i * np.tanh(self.gate(gates, 2))
        return o * np.tanh(c), c


class GRUCell(_Cell[Tensor]):
    """A step of a gated recurrent unit.

    Parameters
    ----------
    input_size, hidden_size, bias, rng, dtype : see ``RNNCell``.

    Attributes
    ----------
    weight_ih, weight_hh, bias_ih, bias_hh : W, U, b and d, as in ``RNNCell``, with the parts for r, z, n side by side

    Notes
    -----
    ::

        [r, z, n] = x W + b,   [s, y, m] = h U + d
        ñ = tanh(n + σ(r + s) m)
        h' = ñ + σ(z + y) (h - ñ)

    Called as ``RNNCell``. Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder".

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.GRUCell(3, 4)([[1.0, 2.0, 3.0]]).shape
    (1, 4)
    """

    gates, keeps_bias = 3, True

    def step(self, from_x: Any, state: Any) -> Any:
        from_h = functional.linear(state, self.weight_hh, self.bias_hh)
        sigmoids = neural.sigmoid(self.gate(from_x, 0, 2) + self.gate(from_h, 0, 2))
        new = np.tanh(self.gate(from_x, 2) + self.gate(sigmoids, 0) * self.gate(from_h, 2))
        return new + self.gate(sigmoids, 1) * (state - new)


class _Recurrent(Module, Generic[State]):
    """What layers over time have in common."""

    cell: ClassVar[type[_Cell[Any]]]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        rng: Random = None,
        dtype: Any = float,
        **settings: Any,
    ) -> None:
        name = type(self).__name__
        require_positive(name, input_size, hidden_size, num_layers)
        self.batch_first, self.dropout, self.rng = bool(batch_first), probability(name, dropout), generator(rng)
        self.directions = 2 if bidirectional else 1
        sizes = [input_size] + [self.directions * hidden_size] * (num_layers - 1)
        each = [size for size in sizes for _ in range(self.directions)]
        self.cells = ModuleList(self.cell(size, hidden_size, bias, rng=self.rng, dtype=dtype, **settings) for size in each)

    def draw_parameters(self, rng: Any) -> None:
        """Draw from this generator from now on."""
        self.rng = rng

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, State]:
        """Return the states over time, and the last states of all layers."""
        cells: list[Any] = list(self.cells)
        first = cells[0]
        if np.ndim(x) != 3 or np.shape(x)[-1] != first.weight_ih.shape[0]:
            axes = "(N, T, " if self.batch_first else "(T, N, "
            raise ShapeError(f"{self!r} needs x of shape {axes}{first.weight_ih.shape[0]}), and x has shape {np.shape(x)}")
        x = as_input(self, x, first.weight_ih)
        sequence = np.swapaxes(x, 0, 1) if self.batch_first else x
        last = []
        for i in range(0, len(cells), self.directions):
            sequence = functional.dropout(sequence, self.dropout, self.training and i > 0, self.rng)
            outputs = []
            for k in range(i, i + self.directions):
                start = cells[k].first_state(sequence) if state is None else self._first_state_of(state, k, sequence.shape[1])
                states, end = _run_over_time(cells[k], sequence, start, backwards=k > i)
                outputs.append(states)
                last.append(end)
            sequence = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=-1)
        ends: Any = tuple(map(np.stack, zip(*last))) if isinstance(last[0], tuple) else np.stack(last)
        return (np.swapaxes(sequence, 0, 1) if self.batch_first else sequence), ends

    def _first_state_of(self, state: Any, i: int, samples: int) -> Any:
        """Return a cell's part of the first states."""
        shape = (len(self.cells), samples, self.cells[0].hidden)
        parts = state if isinstance(state, tuple) else (state,)
        if any(np.shape(part) != shape for part in parts):
            raise ShapeError(f"{self!r} needs first states of shape {shape}, not {', '.join(str(np.shape(part)) for part in parts)}")
        return tuple(part[i] for part in state) if isinstance(state, tuple) else state[i]

    def __repr__(self) -> str:
        inputs, layers = self.cells[0].weight_ih.shape[0], len(self.cells) // self.directions
        more = f"{f', num_layers={layers}' if layers > 1 else ''}{', bidirectional=True' if self.directions == 2 else ''}"
        return f"{type(self).__name__}({inputs}, {self.cells[0].hidden}{more})"


def _run_over_time(cell: Any, sequence: Any, state: Any, backwards: bool) -> tuple[Any, Any]:
    """Return a cell's states over time, and the last one; in the order of time also where it goes backwards."""
    states = []
    order = slice(None, None, -1) if backwards else slice(None)
    for from_x in cell.input_part(sequence)[order]:
        state = cell.step(from_x, state)
        states.append(state[0] if isinstance(state, tuple) else state)
    return np.stack(states[order]), state


class RNN(_Recurrent[Tensor]):
    """A recurrent network: ``RNNCell`` over time, in one layer or several, each of which feeds the sequence of its states to the next.

    Parameters
    ----------
    input_size, hidden_size : int
        The sizes of an entry of the sequence, and of the state.
    num_layers : int
    bias : bool
    batch_first : bool
        Whether sequences are of shape (N, T, input_size) rather than (T, N, input_size).
    dropout : float
        The probability of dropping, in training, entries of the sequences between layers.
    bidirectional : bool
        Whether each layer has a second cell that goes backwards in time; the next layer takes the states of both, concatenated.
    nonlinearity : "tanh" or "relu"
        By name only; of an ``RNN`` alone.
    rng, dtype : see ``Linear``.

    Attributes
    ----------
    cells : ModuleList of each layer's cell, or its two

    Raises
    ------
    ShapeError
        If the sequence, or a first state, has another shape.

    Notes
    -----
    Called with a sequence, and the first states of all cells, 0 if not given: (cells, N, hidden_size), or a pair of these for an LSTM.
    Returns the last layer's states over time, of shape (T, N, hidden_size), 2 hidden_size in two directions, and the last states of all
    cells. x's share of all gates and of all times is one product.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> states, last = nn.RNN(3, 4, num_layers=2)(np.ones((7, 5, 3)))
    >>> states.shape, last.shape
    ((7, 5, 4), (2, 5, 4))
    """

    cell = RNNCell


class LSTM(_Recurrent[tuple[Tensor, Tensor]]):
    """A long short-term memory, ``LSTMCell`` over time; its states are pairs (h, c).

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng, dtype : see ``RNN``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> states, (h, c) = nn.LSTM(3, 4)(np.ones((7, 2, 3)))
    >>> states.shape, h.shape, c.shape
    ((7, 2, 4), (1, 2, 4), (1, 2, 4))
    """

    cell = LSTMCell


class GRU(_Recurrent[Tensor]):
    """A network of gated recurrent units, ``GRUCell`` over time.

    Parameters
    ----------
    input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, rng, dtype : see ``RNN``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> states, last = nn.GRU(3, 4)(np.ones((7, 2, 3)))
    >>> states.shape, last.shape
    ((7, 2, 4), (1, 2, 4))
    """

    cell = GRUCell
