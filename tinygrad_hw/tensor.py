"""Tensor: an array that remembers how it was made.

Every operator, every ``np.`` function with a rule and every method below runs NumPy on the arrays and, where an
argument requires a gradient, records a node. ``backward`` then sweeps over what was recorded.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    array([2., 4.])

The graph's values are its own: what goes in is copied, what comes out is a copy, read-only, or (a leaf's ``.data``)
copied whenever it is used again. So no later write can turn a gradient wrong.
"""

from __future__ import annotations

import inspect
import operator
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.exceptions import AxisError
from numpy.linalg import LinAlgError

from .backward import sweep
from .errors import BatchError, DetachError, DTypeError, GradientError, NoRuleError, ShapeError, operands_do_not_fit
from .graph import NOTHING, Node, leaf, next_number
from .rules import AS_WRITTEN, CHECKED, COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS, Rule, neural, reductions, shaping
from .scopes import Scope

__all__ = ["Tensor", "no_grad"]

ndarray, new = np.ndarray, object.__new__
recording: ContextVar[bool] = ContextVar("recording", default=True)
is_recording = recording.get
adding_up = threading.Lock()


class no_grad(Scope):
    """Record nothing inside: a context manager and a decorator, for this thread and task alone.

    >>> with no_grad():
    ...     y = Tensor(1.0, requires_grad=True) * 2
    >>> y.requires_grad
    False
    """

    setting, value = recording, False


def handle(node: Node) -> Tensor:
    """Return a tensor for a node."""
    tensor = new(Tensor)
    tensor._node = node
    return tensor


def result(value: Any, rule: Rule, args: tuple[Any, ...], parents: tuple[Any, ...], vjps: Any) -> Tensor:
    """Return the tensor of a recorded result."""
    node = new(Node)
    node.value = value
    node.rule = rule
    node.args = args
    node.parents = parents
    node.vjps = vjps
    node.kwargs = node.inputs = NOTHING
    node.number = next_number()
    node.requires_grad = True
    node.keeps_grad = node.lent = False
    tensor = new(Tensor)
    tensor._node = node
    return tensor


def tensors(node: Node) -> tuple[Any, tuple[Any, ...]]:
    """Read a node as tensors, for ``sweep``: then the rules' own work is recorded, and can be differentiated again."""
    args = list(node.args)
    for parent, _, i in node.edges:
        unchanged = parent.value is args[i]
        args[i] = handle(parent) if unchanged else result(args[i], POSITIVE, (args[i],), (parent,), POSITIVE.vjps)
    return handle(node), tuple(args)


def record(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Call a row's function on arrays, and remember how, if an argument requires a gradient."""
    arrays, given = [], []
    for i, arg in enumerate(args):
        if isinstance(arg, Tensor):
            node = arg._node
            arrays.append(node.value.copy() if node.lent else node.value)
            given.append((i, node))
        else:
            arrays.append(private(arg))
    try:
        value = rule.call(*arrays, **kwargs)
    except BatchError:
        return rule.function(*args, **kwargs)
    except ValueError as reason:
        if isinstance(reason, (AxisError, LinAlgError)) or sum(isinstance(array, ndarray) for array in arrays) < 2:
            raise
        raise operands_do_not_fit(rule.function, rule.call, arrays, names_of(args), reason) from None
    if not is_recording() or value.dtype.kind not in "fc":
        return handle(leaf(value))
    sources = {i: node for i, node in given if node.requires_grad}
    rules = rule.alone if len(sources) == 1 else rule.vjps
    vjps = tuple([rules[i] if i in sources else None for i in range(len(args))])
    parents = tuple([sources[i] if vjps[i] is not None else None for i in range(len(args))])
    if not any(parent is not None for parent in parents):
        return handle(leaf(value))
    out = result(value, rule, tuple(arrays), parents, vjps)
    if kwargs:
        out._node.kwargs = kwargs
    if any(parents[i] is None for i, _ in given):
        out._node.inputs = dict(given)
    return out


def private(arg: Any) -> Any:
    """Return an argument that is no tensor so that nobody else can change it: arrays are copied, in lists and tuples too."""
    if isinstance(arg, ndarray):
        return arg.copy()
    if isinstance(arg, Tensor):
        return arg._node.value.copy() if arg._node.lent else arg._node.value
    if isinstance(arg, (tuple, list)):
        return type(arg)(map(private, arg))
    return arg


def names_of(args: tuple[Any, ...]) -> list[str | None]:
    """Return the names of the arguments, where they have one."""
    return [arg._node.name if isinstance(arg, Tensor) else None for arg in args]


def takes_over(kind: type) -> bool:
    """Tell whether values of a class compute with tensors inside of them: batches do."""
    return not issubclass(kind, (ndarray, np.generic)) and getattr(kind, "__array_priority__", 0) > Tensor.__array_priority__


def operand(other: Any) -> Any:
    """Return what stands beside an operator as something NumPy computes with, or NotImplemented: a batch takes the operation over."""
    if isinstance(other, (int, float, complex, ndarray, np.generic)):
        return other
    if isinstance(other, (list, tuple)):
        return np.asarray(other)
    return other if hasattr(other, "__array_function__") and not takes_over(type(other)) else NotImplemented


# Python's operators do what these ufuncs do, and start sooner on NumPy's scalars.
OPERATORS: dict[Any, Callable[..., Any]] = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.power: operator.pow,
}


def binary(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return an operator and its reflection. This is ``record`` for two operands, written out for speed."""
    rule = RULES[function]
    call, vjps, alone = OPERATORS.get(function, rule.call), rule.vjps, rule.alone

    def direct(self: Tensor, other: Any) -> Any:
        node, node_y = self._node, None
        x = node.value.copy() if node.lent else node.value
        if isinstance(other, Tensor):
            node_y = other._node
            y = node_y.value.copy() if node_y.lent else node_y.value
        elif type(other) is float or type(other) is int:
            y = other
        else:
            y = operand(other)
            if y is NotImplemented:
                return y
            if isinstance(y, ndarray):
                y = y.copy()
        try:
            value = call(x, y)
        except (ValueError, AttributeError) as reason:
            raise operands_do_not_fit(function, call, (x, y), names_of((self, other)), reason) from None
        if node_y is not None and node_y.requires_grad:
            if is_recording():
                if node.requires_grad:
                    return result(value, rule, (x, y), (node, node_y), vjps)
                out = result(value, rule, (x, y), (None, node_y), alone)
                out._node.inputs = {0: node, 1: node_y}
                return out
        elif node.requires_grad and is_recording():
            out = result(value, rule, (x, y), (node, None), alone)
            if node_y is not None:
                out._node.inputs = {0: node, 1: node_y}
            return out
        return handle(leaf(value))

    def reflected(self: Tensor, other: Any) -> Any:
        node, x = self._node, operand(other)
        if x is NotImplemented:
            return x
        if isinstance(x, ndarray):
            x = x.copy()
        y = node.value.copy() if node.lent else node.value
        try:
            value = call(x, y)
        except (ValueError, AttributeError) as reason:
            raise operands_do_not_fit(function, call, (x, y), names_of((other, self)), reason) from None
        if node.requires_grad and is_recording():
            return result(value, rule, (x, y), (None, node), alone)
        return handle(leaf(value))

    return direct, reflected


def unary(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method of no arguments. This is ``record`` for one operand, written out for speed."""
    rule = RULES[function]
    call, vjps = rule.call, rule.vjps

    def method(self: Tensor) -> Tensor:
        node = self._node
        x = node.value.copy() if node.lent else node.value
        value = call(x)
        if node.requires_grad and is_recording():
            return result(value, rule, (x,), (node,), vjps)
        return handle(leaf(value))

    method.__doc__ = f"Return {rule.name}(self), entry by entry."
    return method


def method(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that calls a NumPy function, or one of our own, on the tensor."""

    def call(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    call.__doc__ = f"Return {function.__module__}.{function.__name__}(self, ...)."
    return call


def reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that folds axes."""
    rule, fold_all = RULES[function], unary(function)

    def fold(self: Tensor, axis: reductions.Axis = None, keepdims: bool = False, **more: Any) -> Tensor:
        if more:
            return getattr(np, rule.name)(self, axis=axis, keepdims=keepdims, **more)
        if axis is None and not keepdims:
            return fold_all(self)
        return record(rule, (self,), {"axis": axis, "keepdims": keepdims})

    fold.__doc__ = f"Return {rule.name}(self) over an axis, several (a tuple) or all (None); further arguments as NumPy's."
    return fold


def comparison(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a comparison: of the values, as a plain array of bool."""

    def compare(self: Tensor, other: Any) -> Any:
        return function(self._node.value, other._node.value if isinstance(other, Tensor) else other)

    return compare


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
            differentiable(array.dtype)
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
        if not node.lent:
            node.value, node.lent = np.array(node.value), True
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
        """Put a new array of the same shape in a leaf's place; graphs that used the old one keep it."""
        node = self._node
        if node.lent:
            node.value[...] = array
        else:
            node.value = array

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that ``backward`` has added up, or None: an ndarray of this tensor's shape and dtype, its own.

        Of a complex tensor a + bi it is ∂L/∂a - i ∂L/∂b (as in JAX and HIPS autograd); L falls fastest along minus its conjugate.
        """
        return self._node.grad

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
            differentiable(node.value.dtype)
        node.requires_grad = node.keeps_grad = bool(requires_grad)

    @property
    def name(self) -> str | None:
        """What errors, drawings and equations call it."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self._node.name = name

    shape = property(lambda self: self._node.value.shape, doc="The length of each axis.")
    ndim = property(lambda self: self._node.value.ndim, doc="The number of axes.")
    size = property(lambda self: self._node.value.size, doc="The number of entries.")
    dtype = property(lambda self: self._node.value.dtype, doc="The type of the entries.")
    T = property(lambda self: np.transpose(self), doc="The axes in reverse order.")
    mT = property(lambda self: np.swapaxes(self, -1, -2), doc="The last two axes exchanged.")
    real = property(lambda self: np.real(self), doc="The real part.")
    imag = property(lambda self: np.imag(self), doc="The imaginary part.")

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
        with adding_up:
            for kept, g in cotangents.items():
                kept.grad = owned(kept, g) if kept.grad is None else np.asarray(kept.grad + g)

    def retain_grad(self) -> Tensor:
        """Let ``backward`` keep this result's gradient in ``.grad`` too; return the tensor."""
        if not self._node.requires_grad:
            raise GradientError(why_no_gradient(self))
        self._node.keeps_grad = True
        return self

    def detach(self) -> Tensor:
        """Return a tensor of the same values outside the graph: no gradient flows through it."""
        return handle(leaf(self._node.value.copy() if self._node.lent else self._node.value))

    # Ways out of the graph
    def numpy(self) -> np.ndarray:
        """Return a copy of the values."""
        return np.copy(self._node.value)

    def item(self) -> Any:
        """Return the value of a tensor of one entry as a Python number."""
        return self._node.value.item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers."""
        return self._node.value.tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._node.requires_grad:
            raise DetachError(
                f"{label(self)} requires a gradient, and a plain array would leave its graph: use t.detach() or t.numpy() "
                "to leave it on purpose, np.stack([...]) to join tensors, or a Tensor instead of an array to write into"
            )
        return np.array(self._node.value, dtype=dtype)

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
                "or np.sin(t) and its kin instead of math.sin(t)"
            )
        return self._node.value

    def __bool__(self) -> bool:
        return bool(self._node.value)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("a tensor of no axes has no len()")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

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
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return memo.setdefault(id(self), Tensor(*self.__reduce__()[1]))

    def __reduce__(self) -> tuple[Any, ...]:
        if self._node.parents:
            made_by = self._node.rule.name
            raise GradientError(f"{label(self)} is the result of {made_by}: only leaves can be copied or pickled; detach() it first")
        return Tensor, (self.numpy(), self.requires_grad, self.name)

    # Operators
    __add__, __radd__ = binary(np.add)
    __sub__, __rsub__ = binary(np.subtract)
    __mul__, __rmul__ = binary(np.multiply)
    __truediv__, __rtruediv__ = binary(np.divide)
    __floordiv__, __rfloordiv__ = binary(np.floor_divide)
    __mod__, __rmod__ = binary(np.remainder)
    __matmul__, __rmatmul__ = binary(np.matmul)
    _power, __rpow__ = binary(np.power)
    __neg__ = unary(np.negative)
    __pos__ = unary(np.positive)
    __abs__ = unary(np.absolute)
    __eq__ = comparison(np.equal)
    __ne__ = comparison(np.not_equal)
    __lt__ = comparison(np.less)
    __le__ = comparison(np.less_equal)
    __gt__ = comparison(np.greater)
    __ge__ = comparison(np.greater_equal)

    def __pow__(self, exponent: Any) -> Any:
        return self.square() if type(exponent) is int and exponent == 2 else self._power(exponent)

    def __divmod__(self, other: Any) -> Any:
        return np.divmod(self, other)

    def __round__(self, decimals: int = 0) -> Any:
        return np.round(self, decimals)

    def __getitem__(self, index: Any) -> Tensor:
        return record(GETITEM, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        node = self._node
        if not node.parents and node.requires_grad and is_recording():
            raise GradientError(
                f"{label(self)} is a leaf that requires a gradient, and would be one no more: assign to a copy (y = x.copy(); "
                "y[...] = v), or inside tg.no_grad() to change its value"
            )
        value = value if isinstance(value, Tensor) else np.asarray(value)
        changed = record(SETITEM, (self, value, index), {})
        if node.parents or changed.requires_grad:
            self._node = changed._node
            self._node.name = node.name
        else:
            self._replace(changed._node.value)

    # Functions of each entry
    square, exp, log, sqrt = unary(np.square), unary(np.exp), unary(np.log), unary(np.sqrt)
    sin, cos, tanh, abs, conj = unary(np.sin), unary(np.cos), unary(np.tanh), unary(np.absolute), unary(np.conjugate)
    sigmoid, relu, softplus = unary(neural.sigmoid), unary(neural.relu), unary(neural.softplus)
    gelu, log_sigmoid = unary(neural.gelu), unary(neural.log_sigmoid)
    leaky_relu, softmax, log_softmax = method(neural.leaky_relu), method(neural.softmax), method(neural.log_softmax)
    round, conjugate = method(np.round), conj

    # Reductions
    sum, mean, prod = reduction(np.sum), reduction(np.mean), reduction(np.prod)
    max, min, logsumexp = reduction(np.max), reduction(np.min), reduction(reductions.logsumexp)
    var, std, ptp, cumsum, cumprod = method(np.var), method(np.std), method(np.ptp), method(np.cumsum), method(np.cumprod)
    argmax, argmin, argsort, searchsorted = method(np.argmax), method(np.argmin), method(np.argsort), method(np.searchsorted)
    all, any, nonzero = method(np.all), method(np.any), method(np.nonzero)

    # Shapes and products
    ravel, squeeze, swapaxes, copy = method(np.ravel), method(np.squeeze), method(np.swapaxes), method(np.copy)
    repeat, take, sort, diagonal = method(np.repeat), method(np.take), method(np.sort), method(np.diagonal)
    partition, choose = method(np.partition), method(np.choose)
    flatten, astype, dot, trace = method(np.ravel), method(shaping.astype), method(np.dot), method(np.trace)

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        """Return the entries in another shape, given as one tuple or as several integers."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)

    def clip(self, min: Any = None, max: Any = None) -> Any:
        """Return the entries, those outside of the interval moved to its ends."""
        return np.clip(self, min, max)

    def compress(self, condition: Any, axis: int | None = None) -> Any:
        """Return the slices along the axis for which the condition is true."""
        return np.compress(condition, self, axis)

    def transpose(self, *axes: Any) -> Any:
        """Return the axes in another order, given as one tuple or as several integers; reversed if none is given."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    # NumPy's two protocols
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__":
            inputs = tuple([x if isinstance(x, (Tensor, ndarray)) else operand(x) for x in inputs])
            if any(x is NotImplemented for x in inputs):
                return NotImplemented
            if not kwargs and ufunc in RULES:
                return record(RULES[ufunc], inputs, kwargs)
        refuse_out(ufunc.__name__, kwargs)
        function: Any = ufunc if method == "__call__" else getattr(ufunc, method)
        for option in ("casting", "order", "subok"):
            kwargs.pop(option, None)
        if method in ("reduce", "accumulate"):
            kwargs.setdefault("axis", 0)
        elif method == "outer":
            x, y = inputs
            return ufunc(np.reshape(x, np.shape(x) + (1,) * np.ndim(y)), y, **kwargs)
        elif "where" in kwargs:
            raise NoRuleError(f"{ufunc.__name__}: where= leaves entries undefined; use np.where(condition, {ufunc.__name__}(...), ...)")
        elif kwargs.get("dtype") is not None:
            dtype = kwargs.pop("dtype")
            inputs = tuple(shaping.astype(x, dtype) if isinstance(x, Tensor) else np.asarray(x, dtype) for x in inputs)
        return apply(function, inputs, kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(types) > 1 and any(map(takes_over, types)):
            return NotImplemented
        refuse_out(function.__name__, kwargs)
        return apply(function, args, kwargs)


def apply(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Find a function's row, its composition, or that it has no derivative; else say that it has no rule."""
    function = np.nonzero if function is np.where and len(args) == 1 and not kwargs else SPELLINGS.get(function, function)
    if function in RULES:
        if RULES[function].needs_further(args, kwargs):
            return composed(function, RULES[function].further, args, kwargs)
        if any(isinstance(arg, Tensor) for arg in kwargs.values()):
            args, kwargs = by_position(function, args, kwargs)
        return record(RULES[function], args, kwargs)
    if function in COMPOSITIONS:
        return composed(function, COMPOSITIONS[function], args, kwargs)
    if function in NO_DERIVATIVE:
        return function(*map(plain, args), **{key: plain(value) for key, value in kwargs.items()})
    import difflib  # (slow to import, and seldom needed)

    owner = getattr(function, "__self__", None)
    name = f"{owner.__name__}.{function.__name__}" if isinstance(owner, np.ufunc) else function.__name__
    known = {getattr(f, "__name__", "") for f in (*RULES, *COMPOSITIONS)}
    near = difflib.get_close_matches(getattr(function, "__name__", ""), known, 3)
    hint = f"; near it there are {', '.join(near)}" if near else ""
    raise NoRuleError(
        f"{name}: there is no rule for this NumPy function{hint}. Write it with functions that have one, or call it on t.detach().numpy() "
        "to leave the graph on purpose"
    )


def composed(function: Any, body: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function that is written in others.

    Where no argument requires a gradient NumPy's own is called, so that value, dtype and errors are NumPy's; not where its result
    shares memory with an argument, which the functions that it is written in know how to tell.
    """
    given = list(tensors_in((args, kwargs)))
    if function in AS_WRITTEN:
        return as_tensors(body(*args[:1], *without_integers(args[1:]), **kwargs))
    if not all(isinstance(tensor._node.value, (ndarray, np.generic)) for tensor in given):
        return body(*args, **kwargs)
    needed = is_recording() and any(tensor._node.requires_grad for tensor in given) and gives_floats(kwargs)
    if needed and function not in CHECKED:
        return as_tensors(body(*without_integers(args), **without_integers(kwargs)))
    try:
        value = function(*plain(args), **plain(kwargs))
    except (TypeError, ValueError) as refused:
        try:
            body(*without_integers(args), **without_integers(kwargs))
        except type(refused):  # (with the names of the operands, where the body knows them)
            raise
        except Exception:
            pass
        raise refused from None
    shared = any(np.may_share_memory(part, tensor._node.value) for part in arrays_in(value) for tensor in given)
    return as_tensors(body(*without_integers(args), **without_integers(kwargs)) if needed or shared else value)


def gives_floats(kwargs: dict[str, Any]) -> bool:
    """Tell whether a result can have a gradient, going by the dtype that is asked for."""
    return kwargs.get("dtype") is None or np.dtype(kwargs["dtype"]).kind in "fc"


def tensors_in(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, in tuples, lists and dicts too."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list, dict)):
        for part in tree.values() if isinstance(tree, dict) else tree:
            yield from tensors_in(part)


def arrays_in(value: Any) -> Iterator[np.ndarray]:
    """Yield the arrays of what a function returned."""
    if isinstance(value, ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from arrays_in(part)


def as_tensors(value: Any) -> Any:
    """Return what a function gave with its arrays as tensors."""
    if isinstance(value, (ndarray, np.generic)):
        return handle(leaf(value))
    if isinstance(value, (tuple, list)):
        parts = map(as_tensors, value)
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def without_integers(tree: Any) -> Any:
    """Return arguments with plain arrays for the tensors of integers and truth values: indices, counts, masks."""
    if isinstance(tree, Tensor):
        return tree if tree.dtype.kind in "fc" else tree._node.value
    if isinstance(tree, (tuple, list)):
        parts = map(without_integers, tree)
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    return {key: without_integers(part) for key, part in tree.items()} if isinstance(tree, dict) else tree


def by_position(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments in the function's own order, so that tensors among the keywords are seen."""
    bound = inspect.signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.args, bound.kwargs


def plain(value: Any) -> Any:
    """Return the arrays of tensors, in lists, tuples and dicts too."""
    if isinstance(value, Tensor):
        return value._node.value
    if isinstance(value, (tuple, list)):
        return type(value)(map(plain, value))
    return {key: plain(v) for key, v in value.items()} if isinstance(value, dict) else value


def refuse_out(name: str, kwargs: dict[str, Any]) -> None:
    """Raise if a result should be written into an existing array, which would leave the graph."""
    out = kwargs.pop("out", None)
    targets = out if isinstance(out, tuple) else (out,)
    if any(target is not None for target in targets):
        raise DetachError(
            f"{name}(..., out=a): writing a tensor's result into an array would leave the graph; give the result a name (a = {name}(...))"
        )


def as_numbers(data: Any, dtype: Any = None) -> np.ndarray:
    """Return a copy of the data as an array of numbers, or say why there is none."""
    data = data._node.value if isinstance(data, Tensor) else data
    if takes_over(type(data)):
        raise BatchError("inside vmap a batched value is used as it is, like a tensor: leave out the conversion to one")
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


def differentiable(dtype: np.dtype) -> None:
    """Raise unless numbers of the dtype can have a gradient."""
    if dtype.kind not in "fc":
        raise DTypeError(f"a tensor of {dtype} cannot require a gradient: use floating numbers (write 1.0 for 1, or give dtype=float)")


def cotangent(tensor: Tensor, grad: Any) -> Any:
    """Return the cotangent to start from, checked."""
    shape, dtype = tensor.shape, tensor.dtype
    if grad is None:
        if tensor.size != 1:
            raise GradientError(
                f"backward from {label(tensor)} of shape {shape} needs a cotangent: reduce it to one number first "
                "(t.sum().backward()), or give one of its shape (t.backward(g))"
            )
        return dtype.type(1) if not shape else np.ones(shape, dtype)
    array = as_numbers(grad)
    if array.dtype.kind == "c" and dtype.kind != "c":
        raise DTypeError(f"the cotangent is complex, and {label(tensor)} is real: give a real one")
    if array.shape != shape:
        raise ShapeError(f"the cotangent has shape {array.shape}, and {label(tensor)} has shape {shape}: they must be equal")
    return array.astype(dtype)


def owned(node: Node, g: Any) -> np.ndarray:
    """Return a node's cotangent as an array of its own: the sweep shares none with a leaf, but for views."""
    return g if not node.parents and type(g) is ndarray and g.base is None else np.array(g)


def label(tensor: Tensor) -> str:
    """Return what to call a tensor in an error."""
    return f"tensor {tensor.name!r}" if tensor.name else "this tensor"


def why_no_gradient(tensor: Tensor) -> str:
    """Say why no gradient can be asked of a tensor."""
    return (
        f"{label(tensor)} does not require a gradient: none of what it was computed from was made with requires_grad=True, "
        "or it was computed inside tg.no_grad(), or after detach()"
    )


POSITIVE = RULES[np.positive]
GETITEM, SETITEM = RULES[shaping.getitem], RULES[shaping.setitem]
