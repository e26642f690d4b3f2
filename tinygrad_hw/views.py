"""Views and writes: tensors that share entries with another, and what NumPy writes in place.

    >>> t = Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> row = t[1]
    >>> row += 10
    >>> t
    Tensor([[ 1.,  2.],
            [13., 14.]])

A write gives the *root* (the tensor that owns the entries) a new value: data are changed in place; for what belongs to a graph a new
result is recorded, ``setitem``. A ``View`` holds its parent and a step (a row's function with its arguments), and is recomputed when
it is used after its root has changed. So a write does nothing to the views of its root, and tensors without views cost nothing more.

The results of many writes into one array share its memory (``WriteResult``): it is copied only where a graph still needs an older value.
"""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .errors import BatchError, DetachError, DTypeError, GradientError, operands_do_not_fit
from .graph import NOTHING, Node, leaf, next_number
from .operators import ARITHMETIC, BITWISE
from .rules import COMPOSITIONS, NO_DERIVATIVE, RULES, Rule, shaping
from .rules.elementwise import of_parts
from .rules.shaping import BASIC, apply_views
from .rules.table import is_scalar, stands_in
from .scopes import held_during_fork
from .tensor import (
    REPLACEMENTS,
    UNTIL_KEPT,
    Tensor,
    always_recording,
    array_to_keep,
    by_position,
    is_recording,
    label,
    names_of,
    needs_gradient,
    new,
    operand,
    placeholder,
    plain,
    plain_leaf,
    private_copy,
    record,
    refuse_masks,
    require_differentiable,
    result,
    stacked,
    takes_precedence,
    wrapped,
)  # fmt: skip
from .trees import leaves, mapped

ndarray = np.ndarray
GETITEM, SETITEM = RULES[shaping.getitem], RULES[shaping.setitem]
TRANSPOSE, RESHAPE = RULES[np.transpose], RULES[np.reshape]
write_lock = held_during_fork(threading.RLock())

# How a view is made of its parent, ``function(parent, *args, **kwargs)``: the function, args and kwargs
Step = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


# Making views
class View(Tensor):
    """A tensor that shares its entries with another one, as NumPy's views do."""

    __slots__ = ("_cached_node", "_cached_root_array", "_cached_root_node", "_in_no_grad", "_parent", "_root", "_step")
    _root: Tensor  # the tensor that owns the entries
    _parent: Tensor  # what this is a view of: the root, or a view of it
    _step: Step | None  # how it is made of its parent; None once it has become a leaf itself
    _cached_node: Node  # the node when the view was last computed,
    _cached_root_node: Node  # the root's node then,
    _cached_root_array: Any  # and the array of that node
    _in_no_grad: bool  # whether it was made inside ``no_grad``

    @property
    def _node(self) -> Node:  # type: ignore[override]
        root = self._root._node
        if root is self._cached_root_node and root.value is self._cached_root_array:
            return self._cached_node
        return recomputed(self)

    @Tensor.requires_grad.setter  # type: ignore[attr-defined]
    def requires_grad(self, requires_grad: bool) -> None:
        if requires_grad and not self._root.requires_grad:
            require_differentiable(self.dtype)
            self._root = self._parent = Tensor(self, requires_grad=True, name=self.name)  # (from now on it is a leaf)
            self._step = None
        elif requires_grad != self._node.requires_grad:
            raise GradientError(f"{label(self)} is a view of a tensor that requires a gradient: detach() it, or tell its base")

    @property
    def data(self) -> ndarray:
        """The values. A view of data may be written to; what belongs to a graph is read-only."""
        return Tensor.data.fget(self) if self._node.parents else apply_views(self._root.data, steps_to(self))  # type: ignore

    @data.setter
    def data(self, data: Any) -> None:
        if self._node.parents or self._step is None:
            Tensor.data.fset(self, data)  # type: ignore[attr-defined]
        else:
            apply_views(self._root.data, steps_to(self))[...] = data

    def __reduce__(self) -> Any:
        root = self._root
        if root._node.requires_grad and not root._node.parents and self._step is not None:
            return made_again, (root, steps_to(self))
        return Tensor.__reduce__(self)


def view_of(x: Tensor, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Call a row's function that may give a view, and return the view, or the copy that NumPy made; nobody else can change ``args``."""
    node = x._node
    array = node.value
    if kwargs and kwargs.get("order") == "A":  # (later the step may be applied to an array in another order)
        kwargs = kwargs | {"order": "F" if np.isfortran(array) else "C"}
    records = is_recording()
    out = apply_step(node, rule, args, kwargs, records)
    value = out._node.value
    if getattr(value, "base", None) is not array and not shares(value, array):
        return out
    if node.mutable:
        out._node.mutable = True
    if "copy" in kwargs:  # (of an array in another order, such as a cotangent, the step may be a copy)
        kwargs = {key: value for key, value in kwargs.items() if key != "copy"}
    view = new(View)
    view._parent = x
    view._root = root = x._root if type(x) is View else x
    view._step = rule.function, args, kwargs
    view._cached_node = out._node
    view._cached_root_node = root_node = root._node
    view._cached_root_array = root_node.value
    view._in_no_grad = not records
    return view


def apply_step(node: Node, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], records: Any) -> Tensor:
    """Call a row's function on a node's array and return the tensor of the result, recorded if it needs a gradient."""
    array = node.value
    value = rule.call(array, *args, **kwargs) if kwargs else rule.call(array, *args)
    if not (node.requires_grad and records):
        return plain_leaf(value)
    out = result(value, rule, (placeholder(array) if node.mutable else array, *args), (node,), rule.vjps)
    if kwargs:
        out._node.kwargs = kwargs
    if type(node) is not Node and shares(value, array):
        view: Any = out._node
        view.__class__, view.origin = ViewOfWrite, getattr(node, "origin", node)
    return out


def shares(value: Any, array: Any) -> bool:
    """Tell whether a value is a view of an array, or the array itself."""
    if isinstance(value, ndarray):
        base = value.base
        if base is not None and not isinstance(base, ndarray):  # (``as_strided`` gives an intermediate object)
            base = getattr(base, "base", None)
        return value is array or (base is not None and (base is array or base is array.base))
    return hasattr(value, "is_view_of") and value.is_view_of(array)


def recomputed(view: View) -> Node:
    """Return the node of a view whose root has changed since it was computed; the views between them are recomputed, too."""
    stale: list[View] = []
    tensor: Tensor = view
    while isinstance(tensor, View) and not is_current(tensor):
        stale.append(tensor)
        tensor = tensor._parent
    for each in reversed(stale):
        node = root = each._root._node
        if each._step is not None:
            parent = each._parent._cached_node if isinstance(each._parent, View) else each._parent._node
            function, args, kwargs = each._step
            node = apply_step(parent, RULES[function], args, kwargs, not each._in_no_grad)._node
            node.mutable = bool(parent.mutable) and shares(node.value, parent.value)
            before = each._cached_node
            if before.keeps_grad:
                node.keeps_grad, node.grad = True, before.grad
            if before.name is not None:
                node.name = before.name
        each._cached_node, each._cached_root_node, each._cached_root_array = node, root, root.value
    return view._cached_node


def is_current(view: View) -> bool:
    root = view._root._node
    return root is view._cached_root_node and root.value is view._cached_root_array


def root_of(tensor: Tensor) -> Tensor:
    return tensor._root if isinstance(tensor, View) else tensor


def steps_to(tensor: Tensor) -> tuple[Step, ...]:
    """Return the steps from a tensor's root to it; none unless it is a view."""
    steps: list[Step] = []
    while isinstance(tensor, View):
        if tensor._step is not None:
            steps.append(tensor._step)
        tensor = tensor._parent
    return tuple(reversed(steps))


def made_again(root: Tensor, steps: tuple[Step, ...]) -> Tensor:
    """Return the view at the end of the steps (a name that pickles hold)."""
    for function, args, kwargs in steps:
        root = view_of(root, RULES[function], args, kwargs)
    return root


def getitem(self: Tensor, index: Any) -> Tensor:
    """Return self[index]: a view where NumPy gives one, else a copy."""
    if type(index) in BASIC or (type(index) is tuple and BASIC.issuperset(map(type, index))):
        return view_of(self, GETITEM, (index,), NOTHING)
    index = plain(index)
    if any(map(stands_in, leaves(index))):
        return MaskedSelection(self, index) if is_unknown_mask(index, self) else record(GETITEM, (self, index), {})
    return view_of(self, GETITEM, (private_copy(index),), NOTHING)


def is_unknown_mask(index: Any, tensor: Tensor) -> bool:
    """Tell whether an index is a mask over the first axes whose entries are known only when the compiled program runs."""
    return not getattr(index, "is_known", True) and index.dtype == bool and index.shape == tensor.shape[: index.ndim] != ()


class MaskedSelection(Tensor):
    """``t[mask]``, the mask and so the shape known only when the compiled program runs: for ``t[mask] += v`` and nothing else."""

    def __init__(self, tensor: Tensor, mask: Any) -> None:
        self._tensor, self._mask, self._changed = tensor, mask, tensor

    @property
    def _node(self) -> Node:  # type: ignore[override]
        return record(GETITEM, (self._tensor, self._mask), {})._node  # (raises: this shape depends on values)

    def changed(self, method: Callable[..., Any], other: Any) -> Any:
        """Do to all entries, if possible, what is to be done to these."""
        if isinstance(other, MaskedSelection) and other._mask is self._mask and other._tensor.shape == self._tensor.shape:
            other = other._changed
        elif np.ndim(other) > self._tensor.ndim - self._mask.ndim:
            other = operand(self)  # (which raises)
        with np.errstate(all="ignore"):  # (what is computed at the other places is not used)
            self._changed = method(self._changed.copy(), other)
        return self

    def put_back(self) -> None:
        mask = np.reshape(self._mask, (*self._mask.shape, *[1] * (self._tensor.ndim - self._mask.ndim)))
        np.copyto(self._tensor, self._changed, where=mask)  # type: ignore[arg-type]


def reshape(self: Tensor, *shape: Any, **options: Any) -> Tensor:
    """Return the entries in another shape, given as one tuple or as several integers; ``order`` and ``copy`` are NumPy's."""
    wanted = shape[0] if len(shape) == 1 else shape
    if not options and (type(wanted) is int or (type(wanted) is tuple and {int}.issuperset(map(type, wanted)))):
        return view_of(self, RESHAPE, (wanted,), NOTHING)
    return np.reshape(self, wanted, **options)  # type: ignore[return-value]


# Writing
class Memory(NamedTuple):
    """The array that the results of several writes share, and for each write after the first where it was and what it overwrote."""

    array: ndarray
    log: list[tuple[tuple[Step, ...], Any, Any]]


class WriteResult(Node):
    """The result of a write. Its value lies in memory that later writes may change: then it is restored from the log when it is used."""

    __slots__ = ("memory", "version")
    memory: Memory
    version: int  # the length of the log after this write

    @property
    def value(self) -> Any:
        memory = self.memory
        if self.version == len(memory.log):
            return memory.array
        array = memory.array.copy(order="K")
        for steps, index, old in reversed(memory.log[self.version :]):
            apply_views(array, steps)[index] = old
        return array


class ViewOfWrite(Node):
    """A view of the result of a write: recomputed when it is used, if later writes have changed the memory."""

    __slots__ = ()
    origin: WriteResult  # the result of the write (the parents lead to it as well, in many steps perhaps)

    @property
    def value(self) -> Any:
        if self.origin.version == len(self.origin.memory.log):
            return stored_value(self)
        node: Any = self
        steps: list[Node] = []
        while node is not self.origin:
            steps.append(node)
            node = node.parents[0]
        array = node.value
        for step in reversed(steps):
            array = step.rule.call(array, *step.args[1:], **step.kwargs)
        return array


stored_value: Callable[[Node], Any] = Node.value.__get__  # (what the slot holds)
UNSHARED_COUNT = (lambda node: sys.getrefcount(node.value))(leaf(np.empty(0)))  # the references to an array that only its node holds


def setitem(self: Tensor, index: Any, value: Any) -> None:
    """Write a value at an index, as NumPy does: every tensor that shares the entries changes."""
    if type(value) is MaskedSelection and value._tensor is self and value._mask is plain(index):
        value.put_back()
        return
    step = value._step if type(value) is View and value._parent is self else None
    if step is not None and step[0] is shaping.getitem and same_index(step[1][0], index):
        return  # (the second half of ``t[index] += v``, whose first half has written already)
    write(self, plain(index), value)


def same_index(x: Any, y: Any) -> bool:
    """Tell whether two indices are one object, or slices of the same objects, as ``t[i:j] += v`` makes two from Python 3.12 on."""
    return x is y or (type(x) is type(y) is slice and x.start is y.start and x.stop is y.stop and x.step is y.step)


def write(target: Tensor, index: Any, value: Any) -> None:
    if isinstance(value, (list, tuple)):
        value = stacked(value)
    refuse_masks(value)
    with write_lock:
        root = root_of(target)
        require_writable(target, root)
        source = value._node if isinstance(value, Tensor) else None
        wanted = source is not None and source.requires_grad and is_recording() and root.dtype.kind in "fc"
        parts = (root._node.value, plain(value), *leaves(index))
        if any(map(stands_in, parts)):
            if any(takes_precedence(type(part)) for part in parts[1:]) and not takes_precedence(type(parts[0])):
                raise BatchError(
                    f"vmap: a write of what is batched into {label(target)}, which is not, would treat the entries of a batch as one; "
                    "make the tensor to write into from a batched one (np.zeros_like(x)), or join results with np.stack"
                )
            layout = shaping.layout(parts[0]) if hasattr(parts[0], "flags") else None
            rebind(root, record(SETITEM, (root, value if wanted else plain(value), index, steps_to(target), layout), {})._node)
        elif not (root._node.parents or wanted):
            with shape_error_explained(target, value, index):
                array_to_write(target)[index] = plain(value)
        elif root.dtype.kind == "c" and any(function in (np.real, np.imag) for function, _, _ in steps_to(target)):
            write_part(target, index, value)
        else:
            with shape_error_explained(target, value, index):
                node = recorded_write(root._node, steps_to(target), private_copy(index), value, source if wanted else None)
            rebind(root, node)


def rebind(target: Tensor, node: Node) -> None:
    """Give a tensor another node; its name, and whether its gradient is kept, stay the same."""
    old = target._node
    node.keeps_grad = node.requires_grad and old.keeps_grad and bool(old.parents)
    if old.name is not None:
        node.name = old.name
    target._node = node


@contextmanager
def shape_error_explained(target: Tensor, value: Any, index: Any) -> Iterator[None]:
    """Explain NumPy's error where a value does not fit the entries that it is written to."""
    try:
        yield
    except ValueError as reason:
        if not target._node.value.flags.writeable:
            raise
        operands = (target._node.value, plain(value), index)
        raise operands_do_not_fit(shaping.setitem, shaping.setitem, operands, names_of((target, value, index)), reason) from None


def require_writable(target: Tensor, root: Tensor) -> None:
    """Raise for a write to a NumPy scalar, or outside of ``no_grad`` to a leaf that requires a gradient."""
    node = root._node
    if is_scalar(target._node.value):
        raise TypeError(f"{label(target)} is a single number, as NumPy's scalars are, and cannot be written to: give the result a new name")
    if node.requires_grad and not node.parents and is_recording():
        what = label(target) if target is root else f"{label(target)} is a view of {label(root)}, which"
        raise GradientError(
            f"{what} is a leaf that requires a gradient, and would be one no more: write to a copy (y = x.copy(); y[...] = v), "
            "or inside tg.no_grad() to change its value"
        )


def array_to_write(target: Tensor) -> Any:
    """Return the array of a tensor of no graph, for writing; if others may hold it (a graph, a view), the root gets a copy first."""
    node = root_of(target)._node
    if not node.mutable and node.value.flags.writeable and (sys.getrefcount(node.value) > UNSHARED_COUNT or node.value.base is not None):
        node.value, node.mutable = node.value.copy(order="K"), UNTIL_KEPT
    return apply_views(node.value, steps_to(target))


def recorded_write(node: Node, steps: tuple[Step, ...], index: Any, value: Any, source: Node | None) -> WriteResult:
    """Write into an array that belongs to a graph, in place if no graph holds it, else into a copy; return the new node."""
    array = node.value
    layout = shaping.layout(array)
    if not apply_views(array, steps).flags.writeable:
        raise ValueError("assignment destination is read-only")
    entries = private_copy(plain(value)) if source is None else array_to_keep(source)
    if node.mutable is UNTIL_KEPT and isinstance(node, WriteResult):
        memory, before = node.memory, placeholder(array)
        place = apply_views(memory.array, steps)
        old = np.array(place[index])
        place[index] = entries
        memory.log.append((steps, index, old))
    else:
        memory, before = Memory(array.copy(order="K"), []), array_to_keep(node)
        apply_views(memory.array, steps)[index] = entries
    out = new(WriteResult)
    out.memory, out.version = memory, len(memory.log)
    out.rule, out.args, out.kwargs = SETITEM, (before, entries, index, steps, layout), NOTHING
    out.parents, out.vjps = (node if node.requires_grad else None, source), SETITEM.vjps
    out.number = next_number()
    out.requires_grad, out.keeps_grad, out.mutable = True, False, UNTIL_KEPT
    return out


def write_part(target: Tensor, index: Any, value: Any) -> None:
    """Write into the real or imaginary part of a tensor of a graph: the part is changed, then both make a new complex value."""
    changed = target.copy()
    write(changed, index, value)
    part: Any = target
    while part._step[0] not in (np.real, np.imag):
        above = part._parent.copy()
        write(made_again(above, (part._step,)), ..., changed)
        part, changed = part._parent, above
    whole = part._parent
    write(whole, ..., of_parts(changed, np.imag(whole)) if part._step[0] is np.real else of_parts(np.real(whole), changed))


# In place
def in_place_operator(name: str, function: np.ufunc) -> Callable[..., Any]:
    """Return an in-place operator: NumPy's own for data; for what belongs to a graph, the operator and a write of its result."""
    operator = getattr(Tensor, f"__{name}__")

    def method(self: Tensor, other: Any) -> Any:
        if type(self) is MaskedSelection:
            return self.changed(method, other)
        value = self._node.value
        if is_scalar(value):
            return operator(self, other)  # (a scalar cannot change in place: the variable gets the new tensor)
        if name == "matmul" and np.ndim(other) == 1:
            raise ValueError("@= needs two axes on the right at least")
        with write_lock:
            if not writes_to_a_graph(self, other):
                array = array_to_write(self)
                function(array, plain(operand(other)), out=array)
                return self
            other = other if needs_gradient(other) else plain(other)
            with always_recording():
                value = operator(as_recorded(self), other)
                return value if value is NotImplemented else assign_result(self, without_ones(value, self, function), function.__name__)

    return method


def writes_to_a_graph(target: Tensor, *values: Any) -> bool:
    """Tell whether a write must be recorded; raise for a leaf that may not be written to."""
    root = root_of(target)
    require_writable(target, root)
    parts = leaves(plain(values))
    refuse_masks(*parts)
    return (
        bool(root._node.parents) or (needs_gradient(values) and root.dtype.kind in "fc") or any(map(stands_in, (root._node.value, *parts)))
    )


def as_recorded(target: Tensor) -> Tensor:
    """Return a tensor; a view that was made inside ``no_grad``, made again so that a gradient flows through it."""
    return made_again(target._root, steps_to(target)) if isinstance(target, View) and target._in_no_grad else target


def assign_result(target: Tensor, value: Any, name: str, casting: Any = "same_kind") -> Tensor:
    """Write a result into a tensor of the same shape, whose dtype must allow it; return the tensor."""
    value = value if isinstance(value, Tensor) else Tensor(value)
    if value.shape != target.shape:
        raise ValueError(f"{name}: the result has shape {value.shape}, and {label(target)}, where it should go, has shape {target.shape}")
    if not np.can_cast(value.dtype, target.dtype, casting):
        raise TypeError(
            f"{name}: a result of {value.dtype} cannot be written into {label(target)} of {target.dtype} (casting rule {casting!r}): "
            "make a new tensor (t = t + v), or convert the operand"
        )
    node, old = value.astype(target.dtype)._node, target._node
    if isinstance(old.value, ndarray) and not old.value.flags.writeable:
        raise ValueError("output array is read-only")
    same_layout = not hasattr(node.value, "flags") or (
        type(node.value) is type(old.value) and node.value.flags.forc and shaping.layout(node.value) == shaping.layout(old.value)
    )
    if isinstance(target, View) or not node.requires_grad or not same_layout or node is old:
        write(target, ..., value)
    else:
        rebind(target, node)
    return target


def into_out(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do ``function(..., out=t)``: write the result into a tensor, or into an array where no gradient is lost by it."""
    kwargs = dict(kwargs)
    out = kwargs.pop("out")
    targets = out if isinstance(out, tuple) else (out,)
    tensors = [target for target in targets if isinstance(target, Tensor)]
    name = getattr(function, "__name__", str(function))
    lost = any(not isinstance(target, Tensor) and target is not None for target in targets) and function not in NO_DERIVATIVE
    if lost and needs_gradient((args, kwargs)):
        raise DetachError(
            f"{name}(..., out=a): writing a tensor's result into an array would leave the graph; give the result a name (a = {name}(...)), "
            "or let out be a Tensor"
        )
    with write_lock:
        recorded = [writes_to_a_graph(target, args, kwargs) for target in tensors]  # (a list: each must be checked)
        if not any(recorded):
            places = [array_to_write(t) if isinstance(t, Tensor) else t for t in targets]
            made = function(*plain(args), out=tuple(places) if isinstance(out, tuple) else places[0], **plain(kwargs))
            return wrap_results(targets, made, lambda target, value: target)
        raise_what_numpy_raises(function, args, kwargs, out)
        kwargs.pop("casting", None)
        kept = kwargs.pop("where", True) if isinstance(function, np.ufunc) or function is np.clip else True
        with always_recording():
            return wrap_results(targets, function(*args, **kwargs), lambda target, value: store_result(target, value, function, kept))


def wrap_results(targets: tuple[Any, ...], made: Any, put: Callable[[Any, Any], Any]) -> Any:
    """Return the results of a function: ``put(target, value)`` for each that goes into a target, the others as tensors."""
    several = len(targets) > 1
    results = tuple(
        [wrapped(value) if t is None else put(t, value) for t, value in zip(targets, made if several else (made,), strict=True)]
    )
    return results if several else results[0]


def raise_what_numpy_raises(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
    """Call a function on arrays, with copies for ``out``: NumPy raises if the result does not fit there."""
    args, kwargs, out = plain((args, kwargs, out))
    if function in (np.cumsum, np.cumprod) and 0 in map(np.ndim, leaves(out)):
        return  # (NumPy 2 itself crashes there)
    if function is np.dot and all(map(np.ndim, args)) and not all(x.flags.c_contiguous for x in leaves(out) if isinstance(x, ndarray)):
        raise ValueError("dot: out must lie in memory as the result does, in C order; np.matmul takes any")
    if not any(map(stands_in, leaves((args, kwargs, out)))):
        with np.errstate(all="ignore"):
            function(*args, out=mapped(lambda x: np.copy(x, "K") if isinstance(x, ndarray) else x, out), **kwargs)


def store_result(target: Any, value: Any, function: Callable[..., Any], kept: Any) -> Any:
    """Write a function's result into what was given as ``out``, where ``kept`` is true; return that."""
    if not isinstance(target, Tensor):
        np.copyto(target, plain(value), casting="unsafe", where=plain(kept))
        return target
    if isinstance(function, np.ufunc) or function in (np.clip, np.dot, np.einsum, np.round, np.around):  # (which fill an out)
        value = np.broadcast_to(without_ones(value, target, function), target.shape)
    name = getattr(function, "__name__", str(function))
    return assign_result(target, value if kept is True else np.where(kept, value, as_recorded(target)), name, "unsafe")


def without_ones(value: Any, target: Tensor, function: Any) -> Any:
    """Return a result without the leading axes of 1 that the target lacks: NumPy drops them for ``matmul`` and others with a signature."""
    shape = np.shape(value)[max(np.ndim(value) - target.ndim, 0) :]
    drops = getattr(function, "signature", None) and np.shape(value) == (1,) * (np.ndim(value) - len(shape)) + shape
    return np.reshape(value, shape) if drops else value


def writing_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what to call for a NumPy function that writes into its first argument: itself for data, else its composition."""
    composition = COMPOSITIONS[function]

    def call(*args: Any, **kwargs: Any) -> None:
        args, kwargs = (args, kwargs) if args else by_position(function, args, kwargs)
        target, values = args[0], (args[1:], kwargs)
        if not isinstance(target, Tensor):
            if needs_gradient(values):
                raise DetachError(
                    f"{function.__name__}: writing a tensor into an array would leave its graph: use t.detach() or t.numpy() to leave it "
                    "on purpose, or a Tensor instead of an array to write into"
                )
            function(target, *plain(args[1:]), **plain(kwargs))
            return
        if isinstance(target._node.value, ndarray) and not target._node.value.flags.writeable:  # (of no entries, too)
            raise ValueError("assignment destination is read-only")
        with write_lock:
            if writes_to_a_graph(target, values):
                composition(*args, **kwargs)
            else:
                function(array_to_write(target), *plain(args[1:]), **plain(kwargs))

    return call


# Methods
def reordering_method(name: str) -> Callable[..., Any]:
    """Return a method that puts the entries of a tensor in another order, in place."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> None:
        with write_lock:
            if writes_to_a_graph(self):
                write(self, ..., getattr(np, name)(as_recorded(self), *args, **kwargs))
            else:
                getattr(array_to_write(self), name)(*args, **kwargs)

    method.__doc__ = f"Do as np.{name}, in place: return None."
    return method


def fill(self: Tensor, value: Any) -> None:
    """Write one number into every entry."""
    write(self, ..., value)


def put(self: Tensor, indices: Any, values: Any, mode: Any = "raise") -> None:
    """Write values into the entries at flat indices, as np.put does."""
    np.put(self, indices, values, mode)  # type: ignore[arg-type]


def copy(self: Tensor, order: Any = "C") -> Tensor:
    """Return a tensor of the same entries in memory of its own."""
    out: Any = np.copy(self, order)
    if is_scalar(self._node.value):
        out._node.value = out._node.value[()]  # (a copy of a NumPy scalar is a scalar)
    return out


def flatten(self: Tensor, order: Any = "C") -> Tensor:
    """Return a copy of the entries as a vector."""
    return copy(np.ravel(self, order))  # type: ignore[arg-type]


def astype(self: Tensor, dtype: Any, order: Any = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True) -> Tensor:
    """Return the entries in another dtype: a copy, unless ``copy=False`` and they have it already."""
    if not np.can_cast(self.dtype, dtype, casting):
        raise TypeError(f"Cannot cast {label(self)} from {self.dtype!r} to {np.dtype(dtype)!r} according to the rule {casting!r}")
    if not copy and np.dtype(dtype) == self.dtype and shaping.has_order(self._node.value, order):
        return self
    out = shaping.astype(self, dtype)
    return out if order == "K" else np.copy(out, order)  # type: ignore[return-value]


def view(self: Tensor, dtype: Any = None, *shape: Any) -> Tensor:
    """Return a view of all entries."""
    if shape or isinstance(dtype, (int, tuple)):
        raise TypeError("view: NumPy's view takes a dtype; for another shape write t.reshape(shape), which is a view where it can be one")
    if dtype is not None and np.dtype(dtype) != self.dtype:
        raise DTypeError(f"view: {self.dtype} read as {np.dtype(dtype)} has no derivative: write t.astype(dtype) to convert the entries")
    return copy(self) if is_scalar(self._node.value) else self[...]


class Flat:
    """The entries of a tensor in row-major order, to be read, written and iterated over as those of a vector."""

    def __init__(self, tensor: Tensor) -> None:
        self.base = tensor
        self.index = 0

    def _places(self, index: Any) -> Any:
        return np.arange(self.base.size)[plain(index)]

    def _place(self, index: int) -> tuple[int, ...]:
        return tuple(map(int, np.unravel_index(range(self.base.size)[index], self.base.shape)))

    def __getitem__(self, index: Any) -> Tensor:
        if type(index) is int:
            return self.base[self._place(index)].copy()
        return np.ravel(self.base)[self._places(index)].copy()

    def __setitem__(self, index: Any, value: Any) -> None:
        if type(index) is int and np.ndim(value) == 0:
            self.base[self._place(index)] = value
        else:
            self.base.put(self._places(index), value)

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Iterator[Tensor]:
        return self

    def __next__(self) -> Tensor:
        if self.index == len(self):
            raise StopIteration
        self.index += 1
        return self[self.index - 1]

    def copy(self) -> Tensor:
        """Return a copy of the entries as a vector."""
        return self.base.flatten()


def complex_part(function: Callable[..., Any], doc: str) -> property:
    """Return the property for the real or imaginary part of a tensor."""

    def assign(self: Tensor, value: Any) -> None:
        if isinstance(value, View) and value._parent is self and value._step is not None and value._step[0] is function:
            return  # (the second half of ``t.real += v``)
        if self.dtype.kind != "c" and function is np.imag:
            raise TypeError(f"{label(self)} is real, and has no imaginary part to set")
        write(function(self), ..., value)

    return property(lambda self: function(self), assign, doc=doc)


def view_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what to call for a function that may give a view of its first argument."""
    rule = RULES[function]

    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = (args, kwargs) if args else by_position(function, args, kwargs)
        if not isinstance(args[0], Tensor):
            return wrapped(function(*plain(args), **plain(kwargs)))
        return view_of(args[0], rule, private_copy(plain(args[1:])), plain(kwargs) if kwargs else NOTHING)

    return call


for function, rule in RULES.items():
    if rule.view:
        REPLACEMENTS[function] = view_function(function)
for function in (np.copyto, np.put, np.place, np.putmask, np.put_along_axis, np.fill_diagonal):
    REPLACEMENTS[function] = writing_function(function)
for function in (*RULES, *NO_DERIVATIVE):
    if isinstance(function, np.ufunc) and function.at in COMPOSITIONS:
        REPLACEMENTS[function.at] = writing_function(function.at)
REPLACEMENTS["out="] = into_out

for name, function in (ARITHMETIC | BITWISE).items():
    setattr(Tensor, f"__i{name}__", in_place_operator(name, function))

for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
    setattr(Flat, f"__{compare.__name__}__", lambda self, other, compare=compare: compare(np.ravel(self.base), other))

for name, member in {
    "__getitem__": getitem, "__setitem__": setitem, "reshape": reshape, "fill": fill, "put": put,
    "__iter__": lambda self: (self[i] for i in range(len(self))),
    "copy": copy, "flatten": flatten, "astype": astype, "view": view,
    "sort": reordering_method("sort"), "partition": reordering_method("partition"),
    "shape": property(lambda self: self._node.value.shape, doc="The length of each axis."),
    "ndim": property(lambda self: self._node.value.ndim, doc="The number of axes."),
    "size": property(lambda self: self._node.value.size, doc="The number of entries."),
    "dtype": property(lambda self: self._node.value.dtype, doc="The type of the entries."),
    "base": property(lambda self: self._root if isinstance(self, View) else None, doc="The tensor that owns a view's entries."),
    "T": property(lambda self: view_of(self, TRANSPOSE, (), NOTHING), doc="The axes in reverse order."),
    "mT": property(lambda self: np.swapaxes(self, -1, -2), doc="The last two axes exchanged."),
    "real": complex_part(np.real, "The real part."), "imag": complex_part(np.imag, "The imaginary part."),
    "flat": property(Flat, lambda self, value: self.put(range(self.size), value), doc="The entries as of a vector."),
}.items():  # fmt: skip
    setattr(Tensor, name, member)
