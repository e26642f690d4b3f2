"""Modules: parts of a network that hold parameters and other modules in their attributes; and lists, dicts and chains of modules."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, Protocol, TypeVar

import numpy as np

from ..batching import Batched, leaves_replaced
from ..errors import DTypeError, GradientError
from ..graph import history, leaf, next_number
from ..naming import Path
from ..tensor import Tensor, is_recording
from .checks import Random, generator
from .saving import read, write

__all__ = ["Module", "ModuleDict", "ModuleList", "Parameter", "Sequential", "functional_call"]

Self = TypeVar("Self", bound="Module")
P = ParamSpec("P")
R = TypeVar("R", covariant=True)
ELSEWHERE = {
    "cpu": "module itself: there are no devices", "cuda": "module itself: there are no devices", "double": "module.astype(np.float64)",
    "float": "module.astype(np.float32)", "half": "module.astype(np.float16)",
    "named_children": "module.named_modules(), or module.children()", "register_parameter": "setattr(module, name, tensor)",
    "to": "module.astype(dtype): there are no devices",
}  # fmt: skip


class Forward(Protocol[P, R]):
    """What type checkers know of a call of a module: it takes and returns what its ``forward`` does."""

    _path: str

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def Parameter(data: Any, requires_grad: bool = True) -> Tensor:
    """Return ``Tensor(data, requires_grad=True)``, under the name that it has in PyTorch; it copies the data.

    Parameters
    ----------
    data : array_like or Tensor
    requires_grad : bool

    Returns
    -------
    Tensor

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> nn.Parameter([1.0, 2.0])
    Tensor([1., 2.], requires_grad=True)
    """
    return Tensor(data.numpy() if isinstance(data, Tensor) else data, requires_grad=requires_grad)


class Module:
    """A part of a network: it holds parameters and other modules in its attributes, and ``forward`` computes with them.

    A parameter is any attribute that is a leaf Tensor with ``requires_grad=True``; no declaration, no ``super().__init__()``.
    (The result of an operation is no leaf: write ``Tensor(0.1 * values, requires_grad=True)``, not ``0.1 * Tensor(...)``.)
    A leaf that requires no gradient is a buffer: it is saved with the parameters, and not trained. Modules and tensors in lists,
    tuples and dicts are found as well. Each is called by its path, as ``fc1.weight`` or ``layers.0.bias``; what is reached by two
    paths counts once, under the first. A tensor without a name is given its path.

    Attributes
    ----------
    training : bool
        Whether layers such as ``Dropout`` behave as in training; set by ``train()`` and ``eval()``.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import Tensor, nn
    >>> class Scaled(nn.Module):
    ...     def __init__(self, rng=None):
    ...         self.inner, self.scale = nn.Linear(2, 1, rng=rng), Tensor(1.0, requires_grad=True)
    ...         self.register_buffer("calls", [0])
    ...     def forward(self, x):
    ...         return self.scale * self.inner(x)
    >>> net = Scaled().reset_parameters(0)  # (it calls module.draw_parameters(rng) of each)
    >>> net.train().training, net.eval().training, net(np.ones((5, 2))).shape  # (the result of net.forward)
    (True, False, (5, 1))

    What it holds:

    >>> [path for path, _ in net.named_parameters()], [path for path, _ in net.named_buffers()]
    (['inner.weight', 'inner.bias', 'scale'], ['calls'])
    >>> net.add_module("more", nn.ReLU())  # (net.more = nn.ReLU() does the same)
    >>> len(net.parameters()), len(net.buffers()), len(net.modules()), net.children(), [path for path, _ in net.named_modules()]
    (3, 1, 3, [Linear(2, 1), ReLU()], ['', 'inner', 'more'])

    What is done to all of it:

    >>> net.zero_grad()
    >>> _ = net.apply(lambda module: nn.init.zeros_(module.weight) if isinstance(module, nn.Linear) else None)
    >>> net.requires_grad_(False).astype(np.float32).inner.weight
    Tensor([[0.],
            [0.]], dtype=float32, name='inner.weight')

    States and files:

    >>> net.load_state_dict({**net.state_dict(), "scale": 2.0})
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     net.save(os.path.join(folder, "net.npz"))
    ...     net.load(os.path.join(folder, "net.npz"))
    >>> net.scale.item()
    2.0
    """

    training = True
    _path = ""  # what the outermost module that holds this one calls it

    def _no_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute with what the module holds; ``module(...)`` calls it.

        Parameters
        ----------
        *args, **kwargs : what the subclass says

        Returns
        -------
        Tensor, or what the subclass says

        Raises
        ------
        NotImplementedError
            If the subclass defines none.
        """
        raise NotImplementedError(f"{type(self).__name__} must define forward(self, ...)")

    forward: Callable[..., Any] = _no_forward

    def __call__(self: Forward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return ``forward(*args, **kwargs)``."""
        before = next_number()
        output = self.forward(*args, **kwargs)
        call = before, self._path or type(self).__name__
        results: Any = output if type(output) is tuple else (output,)
        if not all(isinstance(x, Tensor) for x in results):  # (the rarer case, which takes longer)
            results = [x for _, x in _walk(output, "", set())]
        for x in results:
            if isinstance(x, Tensor) and x._node.rule is not None and x._node.number > before and call not in x._node.calls:
                x._node.calls += (call,)
        return output

    if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

        def __getattr__(self, name: str) -> Any:
            hint = f": write {ELSEWHERE[name]}" if name in ELSEWHERE else ""
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        if isinstance(old, Tensor) and isinstance(value, Tensor) and old.requires_grad > value.requires_grad and not is_recording():
            raise GradientError(
                f"{type(self).__name__}.{name} is a parameter, and what was computed inside tg.no_grad() would not be trained: write to it "
                f"in place (net.{name} -= step, net.{name}[...] = values), or give it Tensor(values, requires_grad=True)"
            )
        super().__setattr__(name, value)
        for path, found in _walk(value, name, set()):
            _give_path(found, path)

    # What it holds
    def named_modules(self) -> list[tuple[str, Module]]:
        """Return this module, under the path "", and every module within it, each with its path."""
        return [(path, found) for path, found in _walk(self, "", set()) if isinstance(found, Module)]

    def modules(self) -> list[Module]:
        """Return this module and every module within it."""
        return [module for _, module in self.named_modules()]

    def children(self) -> list[Module]:
        """Return the modules that this one holds itself, in its attributes and in lists, tuples and dicts."""
        return [found for _, found in _held(vars(self), "") if isinstance(found, Module)]

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Return every parameter with its path.

        Raises
        ------
        GradientError
            If something only looks like a parameter: the result of an operation on leaves that this module does not hold.
        """
        leaves = self._leaves()
        held = {tensor._node for tensor in leaves.values()}
        for path, found in _walk(self, "", set()):
            if isinstance(found, Tensor) and found.requires_grad and found._node.rule is not None:
                _require_trainable(f"{type(self).__name__}.{path}", found, held)
        return [(path, tensor) for path, tensor in leaves.items() if tensor.requires_grad]

    def parameters(self) -> list[Tensor]:
        """Return every parameter; errors as ``named_parameters`` has them."""
        return [tensor for _, tensor in self.named_parameters()]

    def named_buffers(self) -> list[tuple[str, Tensor]]:
        """Return every leaf tensor that needs no gradient, with its path."""
        return [(path, tensor) for path, tensor in self._leaves().items() if not tensor.requires_grad]

    def buffers(self) -> list[Tensor]:
        """Return every leaf tensor that needs no gradient."""
        return [tensor for _, tensor in self.named_buffers()]

    def register_buffer(self, name: str, values: Any) -> None:
        """Hold values under a name that are saved with the parameters but not trained: ``self.name = Tensor(values)``.

        Parameters
        ----------
        name : str
        values : array_like
        """
        setattr(self, name, Tensor(values))

    def add_module(self, name: str, module: Module) -> None:
        """Hold a module under a name, as an attribute does: ``self.name = module``.

        Parameters
        ----------
        name : str
        module : Module
        """
        setattr(self, name, module)

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

    # What is done to all of it
    def zero_grad(self) -> None:
        """Clear the gradients of all parameters: ``.grad`` becomes None."""
        for tensor in self._leaves().values():
            tensor.grad = None

    def apply(self: Self, function: Callable[[Module], Any]) -> Self:
        """Call a function on every module within this one and then on this one, as to set initial values; return this module.

        Parameters
        ----------
        function : callable
            Takes a module.

        Returns
        -------
        Module
        """
        for module in reversed(self.modules()):
            function(module)
        return self

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freeze the parameters (False), or let all floating leaves be trained (True); return this module.

        Parameters
        ----------
        requires_grad : bool

        Returns
        -------
        Module
        """
        for tensor in self._leaves().values():
            if tensor.dtype.kind in "fc":
                tensor.requires_grad = requires_grad
        return self

    def astype(self: Self, dtype: Any) -> Self:
        """Turn every floating parameter and buffer into another floating dtype, in place; return this module.

        Gradients are cleared. Make the optimiser afterwards: what it remembers keeps its dtype.

        Parameters
        ----------
        dtype : dtype

        Returns
        -------
        Module

        Raises
        ------
        DTypeError
            If the dtype is not floating.
        """
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            raise DTypeError(f"{type(self).__name__}: parameters can be of a floating dtype, not {dtype}")
        for tensor in self._leaves().values():
            if tensor.dtype.kind == "f":
                old = tensor._node
                tensor._node = leaf(old.value.astype(dtype), old.requires_grad, old.name)
        return self

    def reset_parameters(self: Self, rng: Random = None) -> Self:
        """Draw the initial values of every layer anew, all from one source, and let layers such as ``Dropout`` draw from it too.

        Parameters
        ----------
        rng : Generator, RandomState or int, optional
            Of an int, a generator with that seed is made.

        Returns
        -------
        Module
            This module: ``net = Network().reset_parameters(0)`` is the same in every run.

        Notes
        -----
        A module of one's own that draws its values does so in a method ``draw_parameters(rng)``.
        """
        source = generator(rng)
        for module in self.modules():
            module.draw_parameters(source)
        return self

    def draw_parameters(self, rng: Any) -> None:
        """Draw the initial values of what this module holds itself from a generator.

        Parameters
        ----------
        rng : Generator or RandomState
        """

    # Training or not
    def train(self: Self, mode: bool = True) -> Self:
        """Put this module and every one within it in training mode (or out of it); return this module.

        Parameters
        ----------
        mode : bool

        Returns
        -------
        Module
        """
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Return this module, taken out of training mode with every one within it."""
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
            If entries are missing, unexpected, or have another shape or kind of numbers, or are PyTorch's tensors and square matrices,
            which may have to be transposed; it names them all, and nothing has changed.
        """
        own = self._leaves()
        for path, array in self._checked_state(state_dict).items():
            own[path].data = array

    def _checked_state(self, state_dict: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return a state's arrays by their paths; raise if it does not fit."""
        own = self._leaves()
        arrays = {path: np.asarray(state_dict[path]) for path in own if path in state_dict}
        problems = _problems(own, arrays, state_dict)
        if any(problems.values()):
            lines = [f"  {what}: {'; '.join(entries)}" for what, entries in problems.items() if entries]
            if any(_is_torchs(state_dict[path]) or own[path].shape != a.shape == own[path].shape[::-1] for path, a in arrays.items()):
                lines.append(TRANSPOSED)
            raise ValueError("\n".join([f"the state does not fit {type(self).__name__}, which is as it was", *lines]))
        return arrays

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write ``state_dict()`` to a file of NumPy's .npz format, under exactly this name; if that fails, an old file is kept.

        Parameters
        ----------
        path : str or path
            ``nn.save`` writes several states, such as a model's and its optimiser's, to one file.
        """
        write(path, self.state_dict())

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set every leaf tensor to its values in a file that ``save`` wrote; errors as in ``load_state_dict``, before values are read.

        Parameters
        ----------
        path : str or path
        """
        self.load_state_dict(read(path, self._checked_state))

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{path}: {found.shape if isinstance(found, Tensor) else found!r}" for path, found in _held(vars(self), "")]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)" if lines else f"{type(self).__name__}()"


class FunctionModule(Module):
    """A function of x as a module, which is described as the function is."""

    function: ClassVar[Callable[..., Any]]
    sections = ""  # of the description: what to say besides the function's first line and its example

    def __init_subclass__(cls) -> None:
        if "function" not in vars(cls):  # (a base of several of these, or a user's subclass)
            return
        name, doc = cls.function.__name__, inspect.cleandoc(cls.function.__doc__ or "")
        summary, example = doc.partition("\n")[0].removeprefix("Return "), doc.partition("Examples\n")[2]
        example = example.replace(f"tg.{name}(", f"tg.nn.{name}(").replace(f"nn.functional.{name}(", f"nn.{name}(")
        sections = cls.sections.format(name=name)
        cls.__doc__ = f"``{name}`` as a module: {summary}\n{sections}\nExamples\n{example}".replace(f"nn.{name}(", f"nn.{cls.__name__}()(")

    def forward(self, x: Any) -> Tensor:
        return self.function(x)


class ModuleDict(Module):
    """Modules by name, each also an attribute; a plain dict in an attribute is found just as well.

    Parameters
    ----------
    modules : mapping of str to Module

    Raises
    ------
    TypeError
        If one is no module.

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> parts = nn.ModuleDict({"embed": nn.Embedding(5, 3), "head": nn.Linear(3, 5)})
    >>> parts.head is parts["head"], parts.keys(), [path for path, _ in parts.named_parameters()]
    (True, ['embed', 'head'], ['embed.weight', 'head.weight', 'head.bias'])
    >>> parts.items()[1] == ("head", parts.head), parts.values()
    (True, [Embedding(5, 3), Linear(3, 5)])
    """

    def __init__(self, modules: Mapping[str, Module]) -> None:
        for name, module in modules.items():
            if not isinstance(module, Module):
                raise TypeError(f"ModuleDict: {name!r} must be a Module, not {type(module).__name__}")
            setattr(self, name, module)

    def __getitem__(self, name: str) -> Module:
        return dict(self.items())[name]

    def __contains__(self, name: object) -> bool:
        return name in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.items())

    def items(self) -> list[tuple[str, Module]]:
        """Return each name with its module."""
        return [(name, module) for name, module in vars(self).items() if isinstance(module, Module)]

    def keys(self) -> list[str]:
        """Return the names."""
        return [name for name, _ in self.items()]

    def values(self) -> list[Module]:
        """Return the modules."""
        return [module for _, module in self.items()]


class ModuleList(Module):
    """Modules in a list, to be used one by one; a plain list in an attribute is found just as well.

    Parameters
    ----------
    modules : iterable of Module

    Examples
    --------
    >>> from tinygrad_hw import nn
    >>> blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> len(blocks), [name for name, _ in blocks[:2].named_parameters()]
    (3, ['0.weight', '0.bias', '1.weight', '1.bias'])
    >>> blocks.append(nn.Tanh())
    >>> blocks.extend([nn.Linear(2, 1)])
    >>> len(blocks)
    5
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)

    def append(self, module: Module) -> None:
        """Add a module at the end.

        Parameters
        ----------
        module : Module

        Raises
        ------
        TypeError
            If it is no module.
        """
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__} holds modules, not {type(module).__name__}")
        setattr(self, str(len(self)), module)

    def extend(self, modules: Iterable[Module]) -> None:
        """Add modules at the end.

        Parameters
        ----------
        modules : iterable of Module
        """
        for module in modules:
            self.append(module)

    def _all(self) -> list[Module]:
        return [module for name, module in vars(self).items() if name.isdecimal()]

    def __len__(self) -> int:
        return len(self._all())

    def __iter__(self) -> Iterator[Module]:
        return iter(self._all())

    def __getitem__(self, place: Any) -> Any:
        return ModuleList(self._all()[place]) if isinstance(place, slice) else self._all()[place]


class Sequential(Module):
    """Modules, or functions of one tensor, each applied to the result of the one before.

    Parameters
    ----------
    *layers : Module or callable

    Attributes
    ----------
    layers : list
        The same; parameters are called ``layers.0.weight`` and so on.

    Raises
    ------
    TypeError
        If a layer cannot be called, or is a class.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import nn
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> net(np.ones((5, 2))).shape, len(net), net[0]
    ((5, 1), 3, Linear(2, 3))
    >>> len(net.append(nn.Sigmoid()))
    4
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(f"layer {i} of Sequential must be a module or a function, not {type(layer).__name__}")
            if isinstance(layer, type):
                raise TypeError(f"layer {i} of Sequential is the class {layer.__name__}: make one of it, {layer.__name__}(...)")
        self.layers = list(layers)

    def forward(self, x: Any) -> Tensor:
        """Return the last layer's result."""
        for layer in self.layers:
            x = layer(x)
        return x

    def append(self, layer: Callable[[Any], Any]) -> Sequential:
        """Add a layer at the end; return this module.

        Parameters
        ----------
        layer : Module or callable

        Returns
        -------
        Sequential
        """
        self.layers = [*self.layers, *Sequential(layer).layers]
        return self

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self.layers)

    def __getitem__(self, place: Any) -> Any:
        return Sequential(*self.layers[place]) if isinstance(place, slice) else self.layers[place]

    @recursive_repr()
    def __repr__(self) -> str:
        lines = [f"{i}: {getattr(layer, '__name__', repr(layer))}" for i, layer in enumerate(self.layers)]
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"Sequential(\n  {body}\n)" if lines else "Sequential()"


def functional_call(module: Module, values: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
    """Call a module with other values in the place of some of its parameters and buffers.

    Parameters
    ----------
    module : Module
    values : mapping of str to array or Tensor
        By paths, as ``named_parameters`` has them; of the shapes that are there.
    *args, **kwargs
        What the module is called with.

    Returns
    -------
    What the module returns; the gradient flows to the values that are Tensors.

    Raises
    ------
    ValueError
        If a path is unknown, or a shape is another one.

    Examples
    --------
    >>> import numpy as np
    >>> import tinygrad_hw as tg
    >>> layer = tg.nn.Linear(2, 1, bias=False)
    >>> tg.grad(lambda w: tg.nn.functional_call(layer, {"weight": w}, np.array([3.0, 4.0])).sum())(np.ones((2, 1))).ravel()
    array([3., 4.])
    """
    own = module._leaves()
    given: dict[str, Any] = {path: x if isinstance(x, (Tensor, Batched)) else Tensor(x) for path, x in values.items()}
    for path, value in given.items():
        if path not in own or own[path].shape != value.shape:
            there = f"has shape {own[path].shape}, not {value.shape}" if path in own else f"is not there; there are {', '.join(own)}"
            raise ValueError(f"functional_call: {path!r} of {type(module).__name__} {there}")
    if any(isinstance(value, Batched) for value in given.values()):
        with leaves_replaced(module, given):
            return module(*args, **kwargs)
    before = {path: own[path]._node for path in given}
    try:
        for path, value in given.items():
            own[path]._node = value._node
        return module(*args, **kwargs)
    finally:
        for path, node in before.items():
            own[path]._node = node


TRANSPOSED = (
    "  PyTorch's matrices of Linear, recurrent layers and attention are (outputs, inputs), the transposes of these; those of Embedding are "
    "not. Give arrays: weight.numpy().T, or weight.numpy() where it is not to be transposed"
)


def _problems(own: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return, for each kind of problem, the entries of a state that have it; ``arrays`` are those entries that the module has too."""
    return {
        "missing": [f"{path} {own[path].shape}" for path in own if path not in arrays],
        "unexpected": [f"{path} {np.shape(state[path])}" for path in state if path not in own],
        "misshapen": [f"{path} {a.shape}, not {own[path].shape}" for path, a in arrays.items() if a.shape != own[path].shape],
        "of another kind": [
            f"{path} {a.dtype}, not {own[path].dtype}"
            for path, a in arrays.items()
            if not np.can_cast(a.dtype, own[path].dtype, "same_kind")
        ],
        "PyTorch's and square": [
            f"{path} {a.shape}" for path, a in arrays.items() if a.ndim == 2 and a.shape == a.shape[::-1] and _is_torchs(state[path])
        ],
    }


def _is_torchs(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == "torch"


def _require_trainable(label: str, found: Tensor, held: set[Any]) -> None:
    """Raise if a result was computed from leaves that require a gradient, and the module holds none of them."""
    if not any(node.requires_grad and node.rule is None and node in held for node in history([found._node])):
        raise GradientError(
            f"{label} looks like a parameter, but is the result of {found._node.rule.name}, so that it would not be trained. "
            "Compute its values first: Tensor(values, requires_grad=True)"
        )


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
    """Name a tensor or a module by its path, unless the user gave it another name than the end of that path."""
    if isinstance(found, Module):
        if not found._path or path.endswith(f".{found._path}"):
            vars(found)["_path"] = path
    elif found._node.rule is None and (not found.name or path.endswith(f".{found.name}")):
        found.name = Path(path)
