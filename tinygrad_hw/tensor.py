"""Tensor: an array that remembers how it was made.

Every operator, every ``np.`` function with a rule and every method below runs NumPy on the arrays and, where an
argument requires a gradient, records a node. ``backward`` then sweeps over what was recorded.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])

Nobody else can change the values in a graph: what goes in is copied; what comes out is a copy or read-only, or (a leaf's
``.data``) the graph copies it each time that it is used. So no later write can make a gradient wrong.
"""

from __future__ import annotations

import inspect
import math
import operator
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from copy import deepcopy
from functools import cache
from importlib import import_module
from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.exceptions import AxisError
from numpy.linalg import LinAlgError

from .backward import Operands, sweep
from .errors import (
    OF_TENSORS,
    BatchError,
    DetachError,
    DTypeError,
    GradientError,
    NoRuleError,
    ShapeError,
    TinygradError,
    no_attribute,
    operands_do_not_fit,
)  # fmt: skip
from .graph import NOTHING, Node, leaf, next_number
from .rules import AS_WRITTEN, CHECKED, COMPOSITIONS, LISTS, NO_DERIVATIVE, RULES, SPELLINGS, Rule, reductions, shaping
from .rules.table import stands_in
from .scopes import Scope, held_during_fork
from .trees import leaves, mapped

__all__ = ["Tensor", "no_grad"]

ndarray, new = np.ndarray, object.__new__
MaskedArray = np.ma.MaskedArray  # (looked up once: ``np.ma`` takes the lock of imports, which a forked process may find locked)
recording: ContextVar[bool] = ContextVar("recording", default=True)
is_recording = recording.get
grad_lock = held_during_fork(threading.Lock())


class no_grad(Scope):
    """Record nothing inside: a context manager and a decorator, for this thread and task only.

    Parameters
    ----------
    function : callable, optional
        What to decorate with ``@no_grad`` without parentheses; generator and asynchronous functions, too.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, no_grad
    >>> with no_grad():
    ...     y = Tensor(1.0, requires_grad=True) * 2
    >>> y.requires_grad
    False
    """

    setting, value = recording, False


class always_recording:
    """Record inside a ``with``, even inside ``no_grad``."""

    def __enter__(self) -> None:
        self.token = recording.set(True)

    def __exit__(self, *error: object) -> None:
        recording.reset(self.token)


def handle(node: Node) -> Tensor:
    tensor = new(Tensor)
    tensor._node = node
    return tensor


def result(value: Any, rule: Rule, args: tuple[Any, ...], parents: tuple[Any, ...], vjps: Any) -> Tensor:
    """Return a tensor whose node records how its value was computed (without calls inside, since every operation runs this)."""
    node = new(Node)
    node.value = value
    node.rule = rule
    node.args = args
    node.parents = parents
    node.vjps = vjps
    node.kwargs = NOTHING
    node.number = next_number()
    node.requires_grad = True
    node.keeps_grad = node.mutable = False
    tensor = new(Tensor)
    tensor._node = node
    return tensor


def plain_leaf(value: Any) -> Tensor:
    node = new(Node)
    node.value = value
    node.rule = None
    node.args = node.parents = node.vjps = ()
    node.kwargs = NOTHING
    node.number = next_number()
    node.requires_grad = node.keeps_grad = node.mutable = False
    tensor = new(Tensor)
    tensor._node = node
    return tensor


def tensors(node: Node, g: Any) -> Operands:
    """Return a node's result and arguments as tensors, and its rules, for ``sweep``: then what the rules compute is recorded, too."""
    args = list(node.args)
    for parent, _, i in node.edges:
        unchanged = parent.value is args[i] or is_placeholder(args[i])
        args[i] = handle(parent) if unchanged else result(args[i], POSITIVE, (args[i],), (parent,), POSITIVE.vjps)
    return handle(node), tuple(args), node.vjps


def record(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Call a row's function on arrays; if an argument requires a gradient, record the call as a node."""
    nodes = {i: arg._node for i, arg in enumerate(args) if isinstance(arg, Tensor)}
    records = is_recording() and any(node.requires_grad for node in nodes.values())
    arrays = tuple([argument_to_keep(arg) if records else checked_argument(arg) for arg in args])
    try:
        value = call_on_arrays(rule, args, arrays, kwargs)
    except BatchError:
        return rule.function(*args, **kwargs)
    if not records or value.dtype.kind not in "fc":
        return wrapped(value)
    parents, vjps = flow_back(rule, len(args), {i: node for i, node in nodes.items() if node.requires_grad})
    if not any(parents):
        return plain_leaf(value)
    out = result(value, rule, arrays, parents, vjps)
    if kwargs:
        out._node.kwargs = kwargs
    if any(parents[i] is None for i in nodes):
        out._node.inputs = nodes
    return out


def flow_back(rule: Rule, count: int, sources: dict[int, Node]) -> tuple[tuple[Node | None, ...], Any]:
    """Return the parents and the rules of a node with this many arguments: for each the node that a gradient flows to, or None."""
    rules = rule.single_vjps if len(sources) == 1 else rule.vjps
    return tuple([sources[i] if i in sources and rules[i] is not None else None for i in range(count)]), rules


def argument_to_keep(arg: Any) -> Any:
    return array_to_keep(arg._node) if isinstance(arg, Tensor) else private_copy(checked_argument(arg))


def array_to_keep(node: Node) -> Any:
    """Return a node's array for a graph to keep, which must not change any more.

    What is mutable only until a graph keeps it is not mutable from now on: the next write makes a copy. Of what something else may write
    to (a user who holds ``.data``) the graph gets a copy.
    """
    if node.mutable is UNTIL_KEPT:
        node.mutable = False
        return node.value
    return node.value.copy("K") if node.mutable else node.value


def placeholder(array: Any) -> Any:
    """Return an array of the same shape and dtype without memory of its own, for rules that need no more (``getitem`` and ``setitem``)."""
    return ndarray(array.shape, array.dtype, PLACEHOLDER_MEMORY, 0, (0,) * array.ndim) if isinstance(array, ndarray) else array


def arguments(node: Node) -> tuple[Any, ...]:
    """Return what a node's function was called with: its arguments, with the parent's value for a placeholder."""
    args = list(node.args)
    for parent, _, i in node.edges:
        args[i] = parent.value if is_placeholder(args[i]) else args[i]
    return tuple(args)


def is_placeholder(x: Any) -> bool:
    return getattr(x, "base", None) is PLACEHOLDER_MEMORY


PLACEHOLDER_MEMORY = np.full(4, np.nan).tobytes()  # (as long as the largest number; nan, so that a use of it would show)


def checked_argument(arg: Any) -> Any:
    """Return an argument with arrays for tensors, in lists and tuples too; raise if an array holds no numbers."""
    if isinstance(arg, (tuple, list)):
        return mapped(checked_argument, arg)
    return arg._node.value if isinstance(arg, Tensor) else require_numbers(arg) if isinstance(arg, ndarray) else arg


def private_copy(arg: Any) -> Any:
    """Return an argument that nobody else can change: arrays are copied, in lists and tuples too."""
    if isinstance(arg, ndarray):
        return arg.copy("K")
    if isinstance(arg, Tensor):
        return array_to_keep(arg._node)
    if isinstance(arg, (tuple, list)):
        return mapped(private_copy, arg)
    return arg


def names_of(args: tuple[Any, ...]) -> list[str | None]:
    return [arg._node.name if isinstance(arg, Tensor) else None for arg in args]


def takes_precedence(kind: type) -> bool:
    """Tell whether the operators of a class come before a Tensor's, as those of the batches of ``vmap`` do."""
    return not issubclass(kind, (ndarray, np.generic)) and getattr(kind, "__array_priority__", 0) > Tensor.__array_priority__


def operand(other: Any) -> Any:
    """Return the other operand of an operator as NumPy can compute with it; NotImplemented for a batch, whose operators come first."""
    if type(other) is ndarray or isinstance(other, (ndarray, np.generic)):  # (the first test is for speed)
        return require_numbers(other)
    if isinstance(other, (float, int, complex)):
        return other
    if isinstance(other, (list, tuple)):
        return stacked(other)
    return other if hasattr(other, "__array_function__") and not takes_precedence(type(other)) else NotImplemented


def as_argument(arg: Any) -> Any:
    """Return an argument of a function that takes arrays: one tensor for nested lists with tensors that require a gradient."""
    if isinstance(arg, ndarray):
        return require_numbers(arg)
    return stacked(arg) if isinstance(arg, (list, tuple)) and needs_gradient(arg) else arg


def stacked(parts: Any) -> Any:
    """Return nested lists and tuples of numbers as an array, and as a tensor where a tensor is among them."""
    if not any(isinstance(part, Tensor) for part in leaves(parts)):
        return require_numbers(np.asanyarray(parts))
    return np.stack([stacked(part) if isinstance(part, (list, tuple)) else part for part in parts])


def require_numbers(array: Any) -> Any:
    """Return an array; raise if it is masked, holds no numbers, or is a matrix, whose ``*`` is the matrix product."""
    if array.dtype.kind not in "biufc":
        raise DTypeError(f"an operand of {array.dtype} cannot stand beside a Tensor, which holds numbers: convert it with .astype(float)")
    if type(array) is not ndarray and isinstance(array, (np.matrix, MaskedArray)):
        refuse_masks(array)
        raise DTypeError("a np.matrix cannot stand beside a Tensor: use np.asarray(m), and @ for products of matrices")
    return array


def refuse_masks(*arrays: Any) -> None:
    for array in arrays:
        if isinstance(array, MaskedArray):
            raise DTypeError(
                "a masked array cannot be a Tensor or stand beside one, which has no mask: "
                "use m.filled(value), or np.where(m.mask, 0, m.data)"
            )


UNTIL_KEPT = "until kept"  # ``Node.mutable`` of an array that a write may change in place, until a graph keeps it

# Functions that do what ``record`` does with less overhead, by NumPy's function; filled by ``operators.py``
FAST_UNARY: dict[Any, Callable[..., Any]] = {}
FAST_BINARY: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {}  # (where a Tensor is the first operand, where only the second)
FAST_REDUCTIONS: dict[Any, Callable[..., Any]] = {}  # called with a tensor and an axis
# What to call for the functions that give views, those that write, and any function with ``out=``; filled by ``views.py``
REPLACEMENTS: dict[Any, Callable[..., Any]] = {}


Axis = int | tuple[int, ...] | None
Order = Literal["C", "F", "A", "K"]
Mode = Literal["raise", "wrap", "clip"]


class Tensor:
    """An array that remembers how it was made.

    Parameters
    ----------
    data : array_like
        Numbers of one shape; copied.
    requires_grad : bool
        Whether ``backward`` computes the gradient with respect to this tensor. Floating or complex dtypes only.
    name : str, optional
        What errors, drawings and equations call it.
    dtype : dtype, optional
        Python floats become float64, Python integers int64, arrays keep theirs.

    Raises
    ------
    DTypeError
        If the data are objects, or integers that should require a gradient.
    ShapeError
        If the data are ragged.

    Notes
    -----
    Operators, ``np.`` functions and methods give tensors; comparisons and index searches give plain arrays. NumPy's rules of
    broadcasting and of dtypes hold; a Python scalar never widens (float32 stays float32).

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import Tensor
    >>> t = Tensor([1.0, 2.0], requires_grad=True, name="t")
    >>> t
    Tensor([1., 2.], requires_grad=True, name='t')
    >>> np.sum(t * t).backward()
    >>> t.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_node")
    __hash__ = object.__hash__
    __array_priority__ = 1000
    _node: Node

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None) -> None:
        if isinstance(data, Tensor) and data.requires_grad:
            raise DetachError("Tensor(t) would leave the graph of t: use t itself, or t.detach() to leave it on purpose")
        array = as_numbers(data, dtype)
        if requires_grad:
            require_differentiable(array.dtype)
        self._node = leaf(array, bool(requires_grad), name)

    # What it holds
    @property
    def data(self) -> np.ndarray:
        """The values. A leaf's may be written to; a result's are read-only, since its graph needs them."""
        node = self._node
        if node.parents:
            view = np.asarray(node.value).view()
            view.flags.writeable = False
            return view
        if not node.mutable:
            node.value, node.mutable = np.array(node.value), True
        return node.value

    @data.setter
    def data(self, data: Any) -> None:
        node = self._node
        if node.parents:
            raise GradientError(
                f"{label(self)} is the result of {node.rule.name}: its value follows from its arguments. "
                "Assign to entries (t[...] = v, which is differentiable) or make a new Tensor"
            )
        array = as_numbers(data)
        if array.shape != node.value.shape:
            raise ShapeError(f"{label(self)} has shape {node.value.shape}: its data cannot become an array of shape {array.shape}")
        self._replace(array.astype(node.value.dtype))

    def _replace(self, array: np.ndarray) -> None:
        """Put a new array of the same shape in a leaf's place, its axes in the same order; graphs that used the old one keep it."""
        node = self._node
        if node.mutable:
            node.value[...] = array
        else:
            node.value = shaping.with_layout_of(node.value, array)

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that ``backward`` has added up, or None: an ndarray of this tensor's shape and dtype, its own.

        Of a complex tensor a + bi it is ∂L/∂a - i ∂L/∂b (as in JAX and HIPS autograd); L falls fastest along minus its conjugate.
        A result keeps none unless ``retain_grad`` was called: reading it gives a warning.
        """
        node = self._node
        if node.grad is None and node.parents and not node.keeps_grad:
            warnings.warn(
                f"{label(self)} is the result of {node.rule.name}, and results keep no gradient: call retain_grad() on it before backward, "
                "or ask the leaf (a parameter stays a leaf if it is updated in place inside tg.no_grad(): W -= lr * W.grad)",
                stacklevel=2,
            )
        return node.grad

    @grad.setter
    def grad(self, grad: Any) -> None:
        if grad is not None:
            grad = as_numbers(grad).astype(self.dtype)
            if grad.shape != self.shape:
                raise ShapeError(f"{label(self)} has shape {self.shape}: its gradient cannot have shape {grad.shape}")
        self._node.grad = grad

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient flows to this tensor."""
        return self._node.requires_grad

    @requires_grad.setter
    def requires_grad(self, requires_grad: bool) -> None:
        node = self._node
        if node.parents:
            raise GradientError(f"{label(self)} is the result of {node.rule.name}: only a leaf can be told whether it requires a gradient")
        if requires_grad:
            require_differentiable(node.value.dtype)
        node.requires_grad = node.keeps_grad = bool(requires_grad)

    @property
    def name(self) -> str | None:
        """What errors, drawings and equations call it."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self._node.name = name

    # Gradients
    def backward(self, grad: Any = None) -> None:
        """Add to the ``.grad`` of every leaf the gradient of this tensor with respect to it.

        Parameters
        ----------
        grad : array_like, optional
            The cotangent, of this tensor's shape; needed where the tensor is not a single number.

        Raises
        ------
        GradientError
            If the tensor requires no gradient, or has several entries and no cotangent was given.
        ShapeError
            If the cotangent has another shape.

        Notes
        -----
        For each leaf x it adds Jᵀ g, J the Jacobian ∂self/∂x and g the cotangent, by one sweep over the recorded
        graph in the reverse order of creation (Griewank & Walther 2008, "Evaluating Derivatives", chapter 3).
        After an error every ``.grad`` is as it was.
        """
        node = self._node
        if not node.requires_grad:
            raise GradientError(why_no_gradient(self))
        cotangents = sweep({node: cotangent(self, grad)})
        with grad_lock:
            grads = [accumulated(node, g) for node, g in cotangents.items()]
            deque(map(setattr, cotangents, repeat("grad"), grads), maxlen=0)  # (one call: an interrupt comes before it, or after)

    def retain_grad(self) -> Tensor:
        """Let ``backward`` keep this result's gradient in ``.grad`` too; return the tensor."""
        if not self._node.requires_grad:
            raise GradientError(why_no_gradient(self))
        self._node.keeps_grad = True
        return self

    def detach(self) -> Tensor:
        """Return a tensor of the same values outside the graph: no gradient flows through it."""
        return handle(leaf(array_to_keep(self._node)))

    # Ways out of the graph
    def numpy(self) -> np.ndarray:
        """Return a copy of the values."""
        return np.copy(self._node.value)

    def item(self, *place: Any) -> Any:
        """Return the value of a tensor of one entry, or the entry at a place, as a Python number."""
        return self._node.value.item(*place)

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers."""
        return self._node.value.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._node.requires_grad:
            raise DetachError(
                f"{label(self)} requires a gradient, and a plain array would leave its graph: use t.detach() or t.numpy() "
                "to leave it on purpose, np.stack([...]) to join tensors, or a Tensor instead of an array to write into"
            )
        value = self._node.value
        return np.array(value if copy or not isinstance(value, ndarray) else self.data, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        return operator.index(self._node.value)

    def _scalar(self, kind: str) -> Any:
        """Return the value for a conversion to a Python number, which must not leave the graph unasked."""
        if self._node.requires_grad:
            raise DetachError(
                f"{kind}({label(self)}) would leave the graph: use t.item() to leave it on purpose, "
                "np.sin(t) and its kin instead of math.sin(t), or a Tensor instead of an array to write into"
            )
        return self._node.value

    def __bool__(self) -> bool:
        return bool(self._node.value)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a tensor of no axes has no len()")
        return int(self.shape[0])

    def __contains__(self, value: Any) -> bool:
        return bool(np.any(self == value))

    if not TYPE_CHECKING:  # (so that a name which is not there is an error of types as well)

        def __getattr__(self, name: str) -> Any:
            raise no_attribute("Tensor", name, OF_TENSORS)

    def __repr__(self) -> str:
        node = self._node
        body = np.array2string(np.asarray(node.value), separator=", ", prefix="Tensor(")
        dtype = "" if self.dtype in (np.dtype(float), np.dtype(int)) else f", dtype={self.dtype}"
        origin = f", from {node.rule.name}" if node.parents else ", requires_grad=True" if node.requires_grad else ""
        name = f", name={node.name!r}" if node.name else ""
        return f"Tensor({body}{dtype}{origin}{name})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else format(str(self), spec)

    def __copy__(self) -> Tensor:
        return deepcopy(self)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._node.parents:
            made_by = self._node.rule.name
            raise GradientError(
                f"{label(self)} is the result of {made_by}: only leaves can be copied or pickled (as plotting does); give t.detach()"
            )
        return Tensor, (self.numpy(), self.requires_grad, self.name)

    if TYPE_CHECKING:  # what operators.py, views.py and array_api/members.py add to the class

        def __add__(self, other: Any) -> Tensor: ...

        __radd__ = __iadd__ = __sub__ = __rsub__ = __isub__ = __mul__ = __rmul__ = __imul__ = __truediv__ = __rtruediv__ = __add__
        __itruediv__ = __floordiv__ = __rfloordiv__ = __ifloordiv__ = __mod__ = __rmod__ = __imod__ = __matmul__ = __rmatmul__ = __add__
        __imatmul__ = __pow__ = __rpow__ = __ipow__ = __and__ = __rand__ = __iand__ = __or__ = __ror__ = __ior__ = __xor__ = __add__
        __rxor__ = __ixor__ = __lshift__ = __rlshift__ = __ilshift__ = __rshift__ = __rrshift__ = __irshift__ = __lt__ = __le__ = __add__
        __gt__ = __ge__ = __add__

        def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __neg__(self) -> Tensor: ...

        __pos__ = __abs__ = __invert__ = square = exp = log = sqrt = sin = cos = tanh = sigmoid = relu = softplus = log_sigmoid = __neg__
        abs = conj = conjugate = __neg__

        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __iter__(self) -> Iterator[Tensor]: ...
        def sum(self, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = ..., where: Any = ...) -> Tensor: ...
        def mean(self, axis: Axis = None, dtype: Any = None, *, keepdims: bool = False, where: Any = ...) -> Tensor: ...
        def max(self, axis: Axis = None, *, keepdims: bool = False, initial: Any = ..., where: Any = ...) -> Tensor: ...
        def logsumexp(self, axis: Axis = None, *, keepdims: bool = False) -> Tensor: ...
        def gelu(self, approximate: Literal["none", "tanh"] = "none") -> Tensor: ...
        def leaky_relu(self, slope: float = 0.01) -> Tensor: ...
        def softmax(self, axis: Axis = -1) -> Tensor: ...
        def round(self, decimals: int = 0) -> Tensor: ...
        def var(self, axis: Axis = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, **options: Any) -> Tensor: ...
        def cumsum(self, axis: int | None = None, dtype: Any = None) -> Tensor: ...
        def argmax(self, axis: int | None = None, *, keepdims: bool = False) -> Tensor: ...
        def argsort(self, axis: int | None = -1, kind: Any = None, *, stable: bool | None = None) -> Tensor: ...
        def searchsorted(self, v: Any, side: Literal["left", "right"] = "left", sorter: Any = None) -> Tensor: ...
        def all(self, axis: Axis = None, *, keepdims: bool = False, where: Any = ...) -> Tensor: ...
        def nonzero(self) -> tuple[Tensor, ...]: ...
        def ravel(self, order: Order = "C") -> Tensor: ...
        def squeeze(self, axis: Axis = None) -> Tensor: ...
        def swapaxes(self, axis1: int, axis2: int) -> Tensor: ...
        def repeat(self, repeats: Any, axis: int | None = None) -> Tensor: ...
        def take(self, indices: Any, axis: int | None = None, *, mode: Mode = "raise") -> Tensor: ...
        def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
        def choose(self, choices: Any, *, mode: Mode = "raise") -> Tensor: ...
        def dot(self, b: Any) -> Tensor: ...
        def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor: ...
        def reshape(self, *shape: Any, **options: Any) -> Tensor: ...
        def astype(self, dtype: Any, order: Order = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True) -> Tensor: ...
        def sort(self, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> None: ...
        def partition(self, kth: Any, axis: int = -1, kind: Literal["introselect"] = "introselect") -> None: ...
        def fill(self, value: Any) -> None: ...
        def put(self, indices: Any, values: Any, mode: Mode = "raise") -> None: ...
        def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor: ...
        def __array_namespace__(self, *, api_version: str | None = None) -> Any: ...
        def __dlpack__(self, **options: Any) -> Any: ...
        def __dlpack_device__(self) -> tuple[int, int]: ...

        prod, min, ptp, log_softmax, std, cumprod, argmin, any = sum, max, logsumexp, softmax, var, cumsum, argmax, all
        copy, flatten, __round__ = ravel, ravel, round
        shape: tuple[int, ...]
        ndim: int
        size: int
        dtype: np.dtype[Any]
        device: str
        T: Tensor
        mT: Tensor
        real: Tensor
        imag: Tensor
        flat: Any

    # Shapes
    def clip(self, min: Any = None, max: Any = None, out: Any = None, **kwargs: Any) -> Tensor:
        """Return the entries, those outside of the interval moved to its ends."""
        return np.clip(self, min, max, out=out, **kwargs)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Tensor:
        """Return the slices along the axis for which the condition is true."""
        return np.compress(condition, self, axis, out=out)

    def transpose(self, *axes: Any) -> Tensor:
        """Return the axes in another order, given as one tuple or as several integers; reversed if none is given."""
        if len(axes) == 2 and self.ndim > 2:
            raise ValueError(f"transpose: all {self.ndim} axes must be given, not two; t.swapaxes{axes} swaps two")
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)  # type: ignore[return-value]

    # NumPy's two protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__":
            if not kwargs and ufunc in FAST_BINARY:
                x, y = inputs
                direct, reflected = FAST_BINARY[ufunc]
                return direct(x, y) if isinstance(x, Tensor) else reflected(y, x)
            if not kwargs and ufunc in FAST_UNARY:
                return FAST_UNARY[ufunc](*inputs)
            inputs = tuple([x if isinstance(x, Tensor) else operand(x) for x in inputs])
            if any(x is NotImplemented for x in inputs):
                return NotImplemented
        return apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(types) > 1 and any(map(takes_precedence, types)):
            return NotImplemented
        if len(args) == 1 and function in FAST_UNARY and isinstance(args[0], Tensor):
            if not kwargs:
                return FAST_UNARY[function](args[0])
            if function in FAST_REDUCTIONS and len(kwargs) == 1 and "axis" in kwargs:
                return FAST_REDUCTIONS[function](args[0], kwargs["axis"])
        if len(args) > position_of_out(function):
            args, kwargs = by_name(function, args, kwargs, position_of_out(function))
        if kwargs.get("out") is not None:
            return REPLACEMENTS["out="](function, args, kwargs)
        kwargs.pop("out", None)
        return apply(function, args, kwargs)


def apply_ufunc(ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a ufunc, or a method of one (``reduce``, ``outer``, ...), with the keywords that all ufuncs take."""
    function: Any = ufunc if method == "__call__" else getattr(ufunc, method)
    if kwargs.get("out") is not None:
        return REPLACEMENTS["out="](function, inputs, kwargs)
    if method in ("reduce", "accumulate"):
        kwargs.setdefault("axis", 0)
    if not needs_gradient((inputs, kwargs)) and function not in REPLACEMENTS:
        return wrapped(function(*plain(inputs), **plain(kwargs)))
    if not CHECKED_BY_NUMPY.isdisjoint(kwargs) and not any(map(stands_in, leaves(plain((inputs, kwargs))))):
        function(*plain(inputs), **plain(kwargs))  # (raises what NumPy raises)
    if "signature" in kwargs:
        kwargs["dtype"] = kwargs.pop("signature")[-1]
    if "axes" in kwargs:
        return along_axes(function, inputs, kwargs.pop("axes"), kwargs)
    for option in ("casting", "order", "subok"):
        kwargs.pop(option, None)
    if method == "outer":
        x, y = inputs
        return ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **kwargs)
    if method == "__call__" and "where" in kwargs:
        raise NoRuleError(
            f"{ufunc.__name__}: where= leaves entries undefined; use np.where(condition, {ufunc.__name__}(...), ...), or out="
        )
    if method == "__call__" and kwargs.get("dtype") is not None:
        dtype = kwargs.pop("dtype")
        inputs = tuple(shaping.astype(x, dtype) if isinstance(x, Tensor) else np.asarray(x, dtype) for x in inputs)
    return apply(function, inputs, kwargs)


CHECKED_BY_NUMPY = {"axes", "casting", "dtype", "signature"}


def along_axes(ufunc: np.ufunc, inputs: tuple[Any, ...], axes: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call a ufunc of vectors or matrices along other axes than the last ones."""
    *of_inputs, of_result = [(place,) if isinstance(place, int) else tuple(place) for place in [*axes, ()][: len(inputs) + 1]]
    last = lambda places: tuple(range(-len(places), 0))
    out = ufunc(*(np.moveaxis(x, places, last(places)) for x, places in zip(inputs, of_inputs)), **kwargs)
    return np.moveaxis(out, last(of_result), of_result)


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function's replacement, row or composition, or the function itself if it has no derivative; else raise."""
    function = np.nonzero if function is np.where and len(args) == 1 and not kwargs else SPELLINGS.get(function, function)
    if function in REPLACEMENTS:
        return REPLACEMENTS[function](*args, **kwargs)
    if function in LISTS:
        args = mapped(lambda x: require_numbers(x) if isinstance(x, ndarray) else x, args)
    else:
        args, kwargs = tuple(map(as_argument, args)), {key: as_argument(value) for key, value in kwargs.items()} if kwargs else kwargs
    if function in RULES:
        if RULES[function].needs_further(args, kwargs):
            return call_composition(function, RULES[function].further, args, kwargs)
        if any(isinstance(arg, Tensor) for arg in kwargs.values()):
            kwargs = {key: array_if_integers(arg) for key, arg in kwargs.items()}
            args, kwargs = (args, kwargs) if args and not needs_gradient(kwargs) else by_position(function, args, kwargs)
        return record(RULES[function], args, kwargs)
    if function in COMPOSITIONS:
        return call_composition(function, COMPOSITIONS[function], args, kwargs)
    if function in NO_DERIVATIVE:
        return wrapped(function(*plain(args), **plain(kwargs)))
    if isinstance(function, np.ufunc) and is_special_function(function):
        return apply(function, args, kwargs)
    raise no_rule(function)


def no_rule(function: Any) -> NoRuleError:
    """Return the error that a NumPy function has no rule, with the names of those that are spelt alike."""
    import difflib  # (slow to import, and seldom needed)

    owner = getattr(function, "__self__", None)
    name = f"{owner.__name__}.{function.__name__}" if isinstance(owner, np.ufunc) else function.__name__
    known_names = {getattr(f, "__name__", "") for f in (*RULES, *COMPOSITIONS)}
    near = difflib.get_close_matches(getattr(function, "__name__", ""), known_names, 3)
    hint = f"; near it there are {', '.join(near)}" if near else ""
    return NoRuleError(
        f"{name}: there is no rule for this NumPy function{hint}. Write it with functions that have one, or call it on t.detach().numpy() "
        "to leave the graph on purpose"
    )


def call_on_arrays(function: Any, given: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a NumPy function, or a row's, on the arrays of the arguments given; explain its error if two of them do not fit."""
    call = function.call if isinstance(function, Rule) else function
    try:
        return call(*args, **kwargs)
    except ValueError as reason:
        if isinstance(reason, (AxisError, LinAlgError, TinygradError)) or sum(isinstance(array, ndarray) for array in args) < 2:
            raise
        raise operands_do_not_fit(getattr(function, "function", function), call, args, names_of(given), reason) from None


def call_composition(function: Any, body: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function that is written in terms of others, ``body``.

    Where no argument requires a gradient NumPy's own function is called, so that value, dtype and errors are NumPy's. But if its result
    shares memory with an argument, it is a view, and the functions of ``body`` make views of tensors.
    """
    given = leaves((args, kwargs) if kwargs else args)
    arrays = [x._node.value if isinstance(x, Tensor) else x for x in given]
    needed = function in AS_WRITTEN or (needs_gradient(given) and gives_floats(kwargs))
    if any(map(stands_in, arrays)):
        value = None if needed else function(*plain(args), **plain(kwargs))
        return body(*args, **kwargs) if needed or shares_memory(value, arrays) else wrapped(value)
    first = 1 if function in AS_WRITTEN else 0
    bare = args[:first] + mapped(array_if_integers, args[first:]), mapped(array_if_integers, kwargs)
    if needed and function not in CHECKED:
        return wrapped(body(*bare[0], **bare[1]))
    try:
        value = function(*plain(args), **plain(kwargs))
    except (TypeError, ValueError) as refused:
        raise clearer_error(refused, function.__name__, body, *bare) from None
    if needed:
        return wrapped(body(*bare[0], **bare[1]))
    return wrapped(body(*args, **kwargs) if shares_memory(value, arrays) else value)


def shares_memory(results: Any, arrays: list[Any]) -> bool:
    """Tell whether one of a function's results may share memory with an argument."""
    share = lambda x, y: isinstance(x, ndarray) and np.may_share_memory(x, y) if isinstance(y, ndarray) else y.is_view_of(x)
    return any(share(x, y) for y in leaves(results) if isinstance(y, ndarray) or hasattr(y, "is_view_of") for x in arrays)


def clearer_error(refused: Exception, name: str, body: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Exception:
    """Return the error to raise where NumPy's function has raised one: the composition's, which names the operands, or NumPy's.

    NumPy's if the composition raises none of that type, or raises it in another function, whose operands are not the user's.
    """
    try:
        body(*args, **kwargs)
    except Exception as error:
        of_operands = not isinstance(error, ShapeError) or str(error).startswith(name)
        return error if isinstance(error, type(refused)) and of_operands else refused
    return refused


def gives_floats(kwargs: dict[str, Any]) -> bool:
    return kwargs.get("dtype") is None or np.dtype(kwargs["dtype"]).kind in "fc"


def needs_gradient(tree: Any) -> bool:
    """Tell whether a gradient may flow to one of the tensors in a tree of arguments."""
    return is_recording() and any(isinstance(x, Tensor) and x._node.requires_grad for x in leaves(tree))


def array_if_integers(x: Any) -> Any:
    """Return the array of a tensor of integers or bools, which has no gradient and may be an index, a count or a mask."""
    return x._node.value if isinstance(x, Tensor) and x.dtype.kind in "biu" else x


def is_special_function(ufunc: np.ufunc) -> bool:
    """Tell whether a ufunc is one of ``scipy.special`` with a rule; their rows are loaded once that module has been imported."""
    if "scipy.special" in sys.modules:
        import_module(".rules.special", __package__)
    return ufunc in RULES or ufunc in COMPOSITIONS


def by_position(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments in the order of the function's parameters, so that tensors among the keywords are found."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args, bound.kwargs


@cache
def position_of_out(function: Any) -> float:
    """Return the number of arguments before a function's ``out``; infinity if ``out`` cannot be given by position."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return math.inf
    positional = "out" in parameters and parameters["out"].kind is not inspect.Parameter.KEYWORD_ONLY
    return list(parameters).index("out") if positional else math.inf


def by_name(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], first: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments with those from number ``first`` on as keywords."""
    return args[:first], {**dict(zip([*inspect.signature(function).parameters][first:], args[first:])), **kwargs}


def plain(value: Any) -> Any:
    """Return arrays for tensors, in lists, tuples and dicts too."""
    return mapped(lambda x: x._node.value if isinstance(x, Tensor) else x, value)


def wrapped(value: Any) -> Any:
    """Return tensors for arrays, in lists and tuples too; anything else as it is."""
    if isinstance(value, (ndarray, np.generic)):
        if value.dtype.kind not in "biufc":
            raise DTypeError(f"a tensor holds numbers, and this gives {value.dtype}: take the operands that are none apart")
        return plain_leaf(value)
    if stands_in(value) and not isinstance(value, Tensor):
        return handle(leaf(value))
    if isinstance(value, (tuple, list)):
        parts = map(wrapped, value)
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def as_numbers(data: Any, dtype: Any = None) -> np.ndarray:
    """Return a copy of the data as an array of numbers, or say why there is none."""
    data = data._node.value if isinstance(data, Tensor) else data
    if takes_precedence(type(data)):
        raise BatchError("inside vmap a batched value is used as it is, like a tensor: leave out the conversion to one")
    if type(data) is not ndarray:
        refuse_masks(data, *(data if isinstance(data, (list, tuple)) else ()))
    try:
        array = np.copy(data) if dtype is None and hasattr(data, "dtype") else np.array(data, dtype=dtype)
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        lengths = sorted({len(row) for row in data if hasattr(row, "__len__")})
        raise ShapeError(f"ragged data: its rows have different lengths {lengths}; pad them to one length") from None
    if array.dtype.kind not in "biufc":
        raise DTypeError(f"a tensor holds numbers, not {array.dtype}: give numbers of one dtype (got {type(data).__name__})")
    return array


def require_differentiable(dtype: np.dtype) -> None:
    if dtype.kind not in "fc":
        raise DTypeError(f"a tensor of {dtype} cannot require a gradient: use floating numbers (write 1.0 for 1, or give dtype=float)")


def cotangent(tensor: Tensor, grad: Any) -> Any:
    """Return the cotangent to start from, checked."""
    value = tensor._node.value
    shape, dtype = value.shape, value.dtype
    if grad is None:
        if value.size != 1:
            raise GradientError(
                f"backward from {label(tensor)} of shape {shape} needs a cotangent: reduce it to one number first "
                "(t.sum().backward()), or give one of its shape (t.backward(g))"
            )
        if dtype.kind == "c":
            raise GradientError(
                f"backward from {label(tensor)}, a complex number, needs a real one: take np.real, np.imag or np.abs of it first, or give "
                "a cotangent g (t.backward(g)), which stands for dL = Re(g dt)"
            )
        return dtype.type(1) if not shape else np.ones(shape, dtype)
    array = as_numbers(grad)
    if array.dtype.kind == "c" and dtype.kind != "c":
        raise DTypeError(f"the cotangent is complex, and {label(tensor)} is real: give a real one")
    if array.shape != shape:
        raise ShapeError(f"the cotangent has shape {array.shape}, and {label(tensor)} has shape {shape}: they must be equal")
    return array.astype(dtype)


def accumulated(node: Node, g: Any) -> np.ndarray:
    """Return the sum of a node's gradient and its cotangent g, in an array that nothing else holds."""
    if node.grad is not None:
        return np.asarray(node.grad + g)
    return g if type(g) is ndarray and g.base is None and not node.parents else np.array(g)


def label(tensor: Tensor) -> str:
    return f"tensor {tensor.name!r}" if tensor.name else "this tensor"


def why_no_gradient(tensor: Tensor) -> str:
    return (
        f"{label(tensor)} does not require a gradient: none of what it was computed from was made with requires_grad=True, "
        "or it was computed inside tg.no_grad(), or after detach()"
    )


POSITIVE = RULES[np.positive]
REPLACEMENTS[reductions.values_of] = lambda *tensors: plain(tensors)
