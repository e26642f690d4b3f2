"""Networks: modules that hold parameters, the usual layers, and losses.

    >>> import numpy as np
    >>> from tinygrad_hw import nn, optim
    >>> rng = np.random.default_rng(0)
    >>> net = nn.Sequential(nn.Linear(2, 8, rng=rng), nn.Tanh(), nn.Linear(8, 1, rng=rng))
    >>> optimizer = optim.Adam(net.parameters(), lr=0.05)
    >>> x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     loss = nn.mse_loss(net(x), y)
    ...     loss.backward()
    ...     optimizer.step()
    >>> np.round(net(x).numpy()).ravel() + 0.0
    array([0., 1., 1., 0.])

A module of one's own is a class with a ``forward``; what it holds in its attributes is found:

    >>> class Residual(nn.Module):
    ...     def __init__(self, size, rng=None):
    ...         self.inner = nn.Linear(size, size, rng=rng)
    ...     def forward(self, x):
    ...         return x + np.tanh(self.inner(x))
    >>> [name for name, _ in Residual(3).named_parameters()]
    ['inner.weight', 'inner.bias']

Wherever numbers are drawn, ``rng`` takes a ``numpy.random.Generator`` or a legacy ``numpy.random.RandomState``, so that
a run can be repeated; without it they differ from run to run.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from math import sqrt
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .errors import DTypeError, ShapeError
from .graph import next_number
from .rules import neural
from .tensor import Tensor

__all__ = [
    "GELU",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "half_mse_loss",
    "mse_loss",
]

Self = TypeVar("Self", bound="Module")
if TYPE_CHECKING:  # (numpy.random is slow to import, and only needed where numbers are drawn)
    Random = np.random.Generator | np.random.RandomState | None


class Module:
    """A part of a network: it holds parameters and other modules in its attributes, and ``forward`` computes with them.

    A parameter is any attribute that is a leaf Tensor with ``requires_grad=True``; no declaration, no ``super().__init__()``.
    (The result of an operation is no leaf: write ``Tensor(0.1 * values, requires_grad=True)``, not ``0.1 * Tensor(...)``.)
    Modules and tensors in lists, tuples and dicts are found as well. Each is called by its path, as ``fc1.weight`` or
    ``layers.0.bias``; what is reached by two paths counts once, under the first. A tensor without a name is given its path.

    Attributes
    ----------
    training : bool
        Whether layers such as ``Dropout`` behave as in training; set by ``train()`` and ``eval()``.
    """

    training = True
    _path = ""  # what the outermost module that holds this one calls it

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    forward: Callable[..., Any] = _no_forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``forward(*args, **kwargs)``."""
        before = next_number()
        output = self.forward(*args, **kwargs)
        for _, tensor in _walk(output, "", set()):
            if isinstance(tensor, Tensor) and tensor._node.rule is not None and tensor._node.number > before:
                tensor._node.calls += ((before, self._path or type(self).__name__),)
        return output

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        for path, found in _walk(value, name, set()):
            _give_path(found, path)

    # What it holds
    def named_modules(self) -> list[tuple[str, Module]]:
        """Return this module, under the path "", and every module within it, each with its path."""
        return [(path, found) for path, found in _walk(self, "", set()) if isinstance(found, Module)]

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Return every parameter with its path."""
        return [(path, tensor) for path, tensor in self._leaves().items() if tensor.requires_grad]

    def parameters(self) -> list[Tensor]:
        """Return every parameter."""
        return [tensor for _, tensor in self.named_parameters()]

    def _leaves(self) -> dict[str, Tensor]:
        """Return every leaf tensor by its path: the parameters, and those that need no gradient."""
        leaves: dict[str, Tensor] = {}
        for path, found in _walk(self, "", set()):
            _give_path(found, path)
            if isinstance(found, Tensor) and found._node.rule is None:
                if path in leaves:
                    raise ValueError(f"two tensors have the path {path!r}: rename an attribute or a key")
                leaves[path] = found
        return leaves

    # Training or not
    def train(self: Self, mode: bool = True) -> Self:
        """Put this module and every one within it in training mode (or out of it); return this module."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Take this module and every one within it out of training mode; return this module."""
        return self.train(False)

    # Saving
    def state_dict(self) -> dict[str, np.ndarray]:
        """Return a copy of the values of every leaf tensor by its path: the parameters, and those that need no gradient."""
        return {path: tensor.numpy() for path, tensor in self._leaves().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Set every leaf tensor to its values in a state_dict.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            An entry for each path that ``state_dict()`` has, of its shape, and of a dtype that its dtype can hold.

        Raises
        ------
        ValueError
            If entries are missing, unexpected, or have another shape or kind of numbers; it names them all,
            and nothing has changed.
        """
        own = self._leaves()
        arrays = {path: np.asarray(state_dict[path]) for path in own if path in state_dict}
        problems = {
            "missing": [f"{path} {own[path].shape}" for path in own if path not in arrays],
            "unexpected": [f"{path} {np.shape(state_dict[path])}" for path in state_dict if path not in own],
            "misshapen": [f"{path} {a.shape}, not {own[path].shape}" for path, a in arrays.items() if a.shape != own[path].shape],
            "of another kind": [
                f"{path} {a.dtype}, not {own[path].dtype}"
                for path, a in arrays.items()
                if not np.can_cast(a.dtype, own[path].dtype, "same_kind")
            ],
        }
        if any(problems.values()):
            lines = [f"  {what}: {'; '.join(entries)}" for what, entries in problems.items() if entries]
            raise ValueError("\n".join([f"the state does not fit {type(self).__name__}, which is as it was", *lines]))
        for path, array in arrays.items():
            own[path].data = array

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``state_dict()`` to a file of NumPy's .npz format, under exactly this name."""
        import zipfile  # (slow to import, and seldom needed)

        state = self.state_dict()
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in state.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set every leaf tensor to its values in a file that ``save`` wrote; errors as in ``load_state_dict``."""
        import zipfile

        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError(f"{os.fspath(path)!r} is no .npz file")
            file.seek(0)
            with np.load(file) as archive:
                self.load_state_dict(archive)

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{path}: {found.shape if isinstance(found, Tensor) else found!r}" for path, found in _held(vars(self), "")]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)" if lines else f"{type(self).__name__}()"


def _held(value: Any, path: str) -> Iterator[tuple[str, Tensor | Module]]:
    """Yield with its path each tensor and module that a value is, or holds in lists, tuples and dicts."""
    if isinstance(value, (Tensor, Module)):
        yield path, value
    elif isinstance(value, (dict, list, tuple)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _held(part, f"{path}.{key}" if path else str(key))


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Tensor | Module]]:
    """Yield with its path each tensor and module that a value is or holds, those in modules too, each once."""
    for at, found in _held(value, path):
        key = id(found._node if isinstance(found, Tensor) else found)
        if key not in seen:
            seen.add(key)
            yield at, found
            if isinstance(found, Module):
                yield from _walk(vars(found), at, seen)


def _give_path(found: Tensor | Module, path: str) -> None:
    """Call what has no name, or is known by the end of its path, by its whole path."""
    if isinstance(found, Module):
        if not found._path or path.endswith(f".{found._path}"):
            vars(found)["_path"] = path
    elif found._node.rule is None and (not found.name or path.endswith(f".{found.name}")):
        found.name = path


class Linear(Module):
    """y = x W + b, for x of shape (..., inputs).

    Parameters
    ----------
    inputs, outputs : int
        The sizes of the last axis of x and of y.
    bias : bool
        Whether there is a b.
    rng : Generator or RandomState, optional
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight : (inputs, outputs) Tensor
    bias : (outputs,) Tensor, or None

    Notes
    -----
    Both are drawn, weight first, from the uniform distribution on ±1/√inputs, as PyTorch's ``Linear`` does
    (LeCun, Bottou, Orr & Müller 1998, "Efficient BackProp": a variance in proportion to 1/inputs keeps the sums' size).
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = True, rng: Random = None, dtype: Any = float) -> None:
        _positive("Linear", inputs, outputs)
        draw, bound = _generator(rng).uniform, 1 / sqrt(inputs)
        self.weight = Tensor(draw(-bound, bound, (inputs, outputs)), requires_grad=True, dtype=dtype)
        self.bias = Tensor(draw(-bound, bound, outputs), requires_grad=True, dtype=dtype) if bias else None

    def forward(self, x: Any) -> Any:
        """Return x W + b."""
        return x @ self.weight if self.bias is None else x @ self.weight + self.bias

    def __repr__(self) -> str:
        return f"Linear({', '.join(map(str, self.weight.shape))}{', bias=False' if self.bias is None else ''})"


class Sequential(Module):
    """Modules, or functions of one tensor, each applied to the result of the one before.

    Parameters
    ----------
    *layers : Module or callable

    Attributes
    ----------
    layers : list
        The same; parameters are called ``layers.0.weight`` and so on.
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(f"layer {i} of Sequential must be a module or a function, not {type(layer).__name__}")
            if isinstance(layer, type):
                raise TypeError(f"layer {i} of Sequential is the class {layer.__name__}: make one of it, {layer.__name__}(...)")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Return the last layer's result."""
        for layer in self.layers:
            x = layer(x)
        return x

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{i}: {layer!r}" if isinstance(layer, Module) else f"{i}: {_name(layer)}" for i, layer in enumerate(self.layers)]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"Sequential(\n  {body}\n)" if lines else "Sequential()"


class Sigmoid(Module):
    """σ(x) = 1 / (1 + e⁻ˣ), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return σ(x)."""
        return neural.sigmoid(x)


class Tanh(Module):
    """tanh(x), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return tanh(x)."""
        return np.tanh(x)


class ReLU(Module):
    """max(x, 0), entry by entry."""

    def forward(self, x: Any) -> Any:
        """Return max(x, 0)."""
        return neural.relu(x)


class GELU(Module):
    """x Φ(x), entry by entry, Φ the normal distribution function (the exact form)."""

    def forward(self, x: Any) -> Any:
        """Return x Φ(x)."""
        return neural.gelu(x)


class Dropout(Module):
    """In training, 0 in place of each entry with probability p, and the others divided by 1 - p; else the identity.

    Parameters
    ----------
    p : float
        The probability, in [0, 1).
    rng : Generator or RandomState, optional

    Notes
    -----
    The expectation of the result is x (Srivastava et al. 2014, "Dropout", scaled in training as in PyTorch's ``Dropout``).
    """

    def __init__(self, p: float = 0.5, rng: Random = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p must be at least 0 and less than 1, not {p}")
        self.p = float(p)
        self.rng = _generator(rng)

    def forward(self, x: Any) -> Any:
        """Return x, with entries dropped if training."""
        if not self.training or not self.p:
            return x
        kept = self.rng.uniform(size=np.shape(x)) >= self.p
        return x * kept / (1 - self.p)

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


class LayerNorm(Module):
    """Each sample with its mean taken away and divided by its standard deviation; then scaled and shifted.

    Parameters
    ----------
    shape : int or tuple of int
        The last axes of x, over which mean and variance are taken.
    eps : float
        ε, added to the variance.
    dtype : dtype
        Of the parameters.

    Attributes
    ----------
    weight, bias : Tensor of the shape; 1 and 0 at first

    Raises
    ------
    ShapeError
        If the last axes of x are others.

    Notes
    -----
    (x - mean x) / √(var x + ε) ⊙ weight + bias, the variance with divisor n
    (Ba, Kiros & Hinton 2016, "Layer normalization"; as in PyTorch's ``LayerNorm``).
    """

    def __init__(self, shape: int | tuple[int, ...], eps: float = 1e-5, dtype: Any = float) -> None:
        shape = shape if isinstance(shape, tuple) else (shape,)
        _positive("LayerNorm", *shape)
        self.eps = float(eps)
        self.weight = Tensor(np.ones(shape), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(shape), requires_grad=True, dtype=dtype)

    def forward(self, x: Any) -> Any:
        """Return the normalised samples, of x's shape."""
        shape, axes = self.weight.shape, tuple(range(-self.weight.ndim, 0))
        if np.shape(x)[-len(shape) :] != shape:
            raise ShapeError(f"LayerNorm: the last axes of x must be {shape}, and x has shape {np.shape(x)}")
        centred = x - np.mean(x, axis=axes, keepdims=True)
        variance = np.mean(centred * centred, axis=axes, keepdims=True)
        return centred / np.sqrt(variance + self.eps) * self.weight + self.bias

    def __repr__(self) -> str:
        return f"LayerNorm({self.weight.shape}, eps={self.eps})"


class Embedding(Module):
    """A table of vectors, looked up by integers: for indices of shape (...), a result of shape (..., size).

    Parameters
    ----------
    count : int
        The number of vectors.
    size : int
        The length of each.
    rng : Generator or RandomState, optional
    dtype : dtype
        Of the table.

    Attributes
    ----------
    weight : (count, size) Tensor

    Raises
    ------
    DTypeError
        If the indices are no integers.
    IndexError
        If an index is negative or not less than count.

    Notes
    -----
    The entries are drawn from the standard normal distribution, as PyTorch's ``Embedding`` does. Where an index
    repeats, the gradients of its vector add up.
    """

    def __init__(self, count: int, size: int, rng: Random = None, dtype: Any = float) -> None:
        _positive("Embedding", count, size)
        self.weight = Tensor(_generator(rng).normal(size=(count, size)), requires_grad=True, dtype=dtype)

    def forward(self, indices: Any) -> Tensor:
        """Return the vectors of the indices."""
        return self.weight[_places("Embedding", "indices", indices, self.weight.shape[0])]

    def __repr__(self) -> str:
        return f"Embedding({', '.join(map(str, self.weight.shape))})"


# Losses
def mse_loss(prediction: Any, target: Any) -> Any:
    """Return the mean squared error, mean((y - t)²).

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.
    """
    prediction, target = _same_shape("mse_loss", prediction, target)
    return ((prediction - target) ** 2).mean()


def half_mse_loss(prediction: Any, target: Any) -> Any:
    """Return half the mean squared error, mean((y - t)²) / 2, whose derivative is (y - t) / n.

    Parameters
    ----------
    prediction, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.
    """
    prediction, target = _same_shape("half_mse_loss", prediction, target)
    return ((prediction - target) ** 2).mean() / 2


def binary_cross_entropy_with_logits(logits: Any, target: Any) -> Any:
    """Return the mean of -t log σ(z) - (1 - t) log σ(-z), with z the logits and t the target, between 0 and 1.

    Parameters
    ----------
    logits, target : Tensor or array_like, of one shape

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if neither is a Tensor

    Raises
    ------
    ShapeError
        If the shapes differ: they are not broadcast.

    Notes
    -----
    Computed as t softplus(-z) + (1 - t) softplus(z), which neither overflows nor cancels. Its derivative is
    (σ(z) - t) / n.
    """
    z, t = _same_shape("binary_cross_entropy_with_logits", logits, target)
    return (t * neural.softplus(-z) + (1 - t) * neural.softplus(z)).mean()


def cross_entropy(logits: Any, target: Any) -> Any:
    """Return the mean of -log softmax(z)[c] over the samples, with z a sample's logits and c its class.

    Parameters
    ----------
    logits : (N, C) Tensor or array_like
    target : (N,) array_like of integers
        Each sample's class, from 0 to C - 1.

    Returns
    -------
    Tensor of shape (), or a NumPy scalar if the logits are no Tensor

    Raises
    ------
    ShapeError
        If the shapes are others.
    DTypeError
        If the classes are no integers.
    IndexError
        If a class is negative or not less than C.

    Notes
    -----
    Its derivative is (softmax(z) - onehot(c)) / N.
    """
    logits = logits if isinstance(logits, Tensor) else np.asarray(logits)
    shape, classes = logits.shape, np.shape(target)
    if len(shape) != 2 or classes != shape[:1]:
        fix = ""
        if len(shape) == 2 and classes == (shape[0], 1):
            fix = "; target[:, 0] would fit"
        elif len(shape) == 2 and classes == shape:
            fix = "; if it is one-hot, target.argmax(axis=1) would fit"
        raise ShapeError(f"cross_entropy: logits of shape (N, C) need a target of shape (N,), and they have {shape} and {classes}{fix}")
    places = _places("cross_entropy", "classes", target, shape[1])
    return -neural.log_softmax(logits)[np.arange(shape[0]), places].mean()


def _same_shape(loss: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Return both as tensors or arrays, or say that their shapes differ."""
    y, t = (value if isinstance(value, Tensor) else np.asarray(value) for value in (prediction, target))
    if y.shape == t.shape:
        return y, t
    fix = ""
    if [n for n in y.shape if n != 1] == [n for n in t.shape if n != 1]:
        fix = f" target.reshape({y.shape}) would fit."
    elif y.shape == t.shape[::-1]:
        fix = " target.T would fit."
    raise ShapeError(
        f"{loss}: the prediction has shape {y.shape} and the target {t.shape}: they must be equal, since broadcasting "
        f"would compare entries that do not belong together.{fix}"
    )


def _places(function: str, what: str, indices: Any, count: int) -> np.ndarray:
    """Return indices as an array, or say that they are no integers from 0 to count - 1."""
    places = indices._node.value if isinstance(indices, Tensor) else np.asarray(indices)
    if places.dtype.kind not in "iu":
        raise DTypeError(f"{function}: {what} must be integers, not {places.dtype}; convert them with .astype(int)")
    if places.size and not 0 <= places.min() <= places.max() < count:
        wrong = places.min() if places.min() < 0 else places.max()
        raise IndexError(f"{function}: {what} must be from 0 to {count - 1}, and there is {wrong}")
    return places


def _positive(layer: str, *sizes: int) -> None:
    """Raise unless the sizes of a layer are positive integers."""
    if not sizes or not all(isinstance(n, (int, np.integer)) and n > 0 for n in sizes):
        raise ValueError(f"{layer}: sizes must be positive integers, not {', '.join(map(repr, sizes)) or 'none'}")


def _generator(rng: Random) -> Any:
    """Return what draws random numbers, or say what it may be."""
    if rng is None:
        return np.random.default_rng()
    if not isinstance(rng, (np.random.Generator, np.random.RandomState)):
        raise TypeError(
            f"rng must be a numpy.random.Generator or RandomState, not {type(rng).__name__}: numpy.random.default_rng(seed) makes one"
        )
    return rng


def _name(layer: Any) -> str:
    """Return what to call a function."""
    return getattr(layer, "__name__", repr(layer))


def __getattr__(name: str) -> Any:
    if name == "functional":  # (which imports this module: the losses, as functions)
        return import_module(".functional", __package__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
