"""The exceptions, and the text of their messages: what was done, with which operands, and what would work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = [
    "BatchError", "CompileError", "DTypeError", "DetachError", "GradientError", "NoRuleError", "ShapeError", "TinygradError",
]  # fmt: skip


class TinygradError(Exception):
    """The base of every error that this package raises on purpose.

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> issubclass(tg.ShapeError, tg.TinygradError) and issubclass(tg.ShapeError, ValueError)
    True
    """


class ShapeError(TinygradError, ValueError):
    """Operands, a cotangent or a target do not have shapes that fit.

    Examples
    --------
    >>> from tinygrad_hw import Tensor
    >>> Tensor([1.0, 2.0]) + Tensor([1.0, 2.0, 3.0])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.ShapeError: add: the operands do not fit...
    """


class DTypeError(TinygradError, TypeError):
    """A dtype that cannot take part: a gradient of integers, ragged or object data.

    Examples
    --------
    >>> from tinygrad_hw import Tensor
    >>> Tensor([1, 2], requires_grad=True)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.DTypeError: a tensor of int64 cannot require a gradient: use floating numbers...
    """


class GradientError(TinygradError, RuntimeError):
    """A gradient was asked for where there is none, or in a way that is not defined.

    Examples
    --------
    >>> from tinygrad_hw import Tensor
    >>> Tensor([1.0, 2.0]).sum().backward()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.GradientError: this tensor does not require a gradient...
    """


class DetachError(TinygradError, TypeError):
    """A conversion would have dropped a tensor out of its graph without a word.

    Examples
    --------
    >>> from tinygrad_hw import Tensor
    >>> float(Tensor(1.0, requires_grad=True))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.DetachError: float(this tensor) would leave the graph: use t.item()...
    """


class CompileError(TinygradError, RuntimeError):
    """Code that cannot be compiled: it decides by a value, draws random numbers, or has a side effect.

    Examples
    --------
    >>> import tinygrad_hw as tg
    >>> tg.compile(lambda x: x * 2 if x > 0 else x)(1.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.CompileError: ...
    """


class NoRuleError(TinygradError, TypeError):
    """A NumPy function was called on a tensor, and the table has no rule for it.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw import Tensor
    >>> np.frompyfunc(abs, 1, 1)(Tensor([1.5], requires_grad=True))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.NoRuleError: abs (vectorized): there is no rule for this NumPy function...
    """


class BatchError(TinygradError, TypeError):
    """Code that ``vmap`` runs for a whole batch would have treated its entries as one.

    Examples
    --------
    >>> import numpy as np, tinygrad_hw as tg
    >>> tg.vmap(lambda x: x if x > 0 else -x)(np.ones(3))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tinygrad_hw.errors.BatchError: ...
    """


def operands_do_not_fit(
    function: Callable[..., Any], call: Callable[..., Any], operands: Sequence[Any], names: Sequence[str | None], reason: Exception
) -> ShapeError:
    """Return the error of a failed call: each operand's name and shape, the axis at fault, and a change that would make it work."""
    label = getattr(function, "__name__", str(function))
    arrays = [(i, np.asarray(o)) for i, o in enumerate(operands) if isinstance(o, (np.ndarray, np.generic, int, float))]
    called = {i: names[i] or f"operand {i}" for i, _ in arrays}
    width = max((len(called[i]) for i, _ in arrays), default=0)
    lines = [f"{label}: the operands do not fit"]
    lines += [f"  {called[i]:<{width}}  {array.shape}" for i, array in arrays]
    if len(arrays) == len(operands) == 2:
        (i, x), (j, y) = arrays
        lines += [f"  {fault}" for fault in _axis_at_fault(label, isinstance(function, np.ufunc), called[i], x.shape, called[j], y.shape)]
        lines += [f"  {fix}" for fix in _fix_that_works(call, called[i], x, called[j], y)]
    if len(lines) == 1 + len(arrays):
        lines.append(f"  NumPy says: {reason}")
    return ShapeError("\n".join(lines))


def _axis_at_fault(label: str, elementwise: bool, name_x: str, x: tuple[int, ...], name_y: str, y: tuple[int, ...]) -> list[str]:
    """Return a sentence about the axis at fault, for ufuncs and products of matrices; else nothing."""
    if label in ("matmul", "dot", "vecdot"):
        if not x or not y:
            return [f"{name_x if not x else name_y} is a scalar: use * for a product with a scalar"]
        axis = 0 if len(y) == 1 else len(y) - 2
        if x[-1] != y[axis]:
            return [f"axis {len(x) - 1} of {name_x} has {x[-1]}, axis {axis} of {name_y} has {y[axis]}: they must be equal"]
    elif not elementwise:
        return []
    for back in range(1, min(len(x), len(y)) + 1):
        if x[-back] != y[-back] and 1 not in (x[-back], y[-back]):
            return [
                f"axis {len(x) - back} of {name_x} has {x[-back]}, axis {len(y) - back} of {name_y} has {y[-back]}: "
                "they must be equal, or one of them 1"
            ]
    return []


def _fix_that_works(call: Callable[..., Any], name_x: str, x: np.ndarray, name_y: str, y: np.ndarray) -> list[str]:
    """Return a sentence about the first change of one operand that makes the call work, tried on zeros."""
    for text, change in CHANGES.items():
        for i, name in ((1, name_y), (0, name_x)):
            operands = [np.broadcast_to(np.zeros((), a.dtype), a.shape) for a in (x, y)]
            try:
                operands[i] = change(operands[i])
                shape = call(*operands).shape
            except (ValueError, IndexError):
                continue
            named = f"({name})" if name.startswith("operand") else name
            return [f"{named}{text} would fit: the result has shape {shape}"]
    return []


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    ".T": lambda a: a.T,
    "[:, None]": lambda a: a[:, None],
    "[None, :]": lambda a: a[None, :],
}


# What to write for PyTorch's names; ``t`` stands for the tensor
OF_TENSORS = {
    "add": "t + x", "add_": "t += x", "bmm": "t @ x", "chunk": "np.array_split(t, n, axis)", "clamp": "t.clip(low, high)",
    "clone": "t.copy()", "contiguous": "t itself", "cpu": "t itself", "cuda": "t itself: there are no devices", "dim": "t.ndim",
    "div": "t / x", "double": "t.astype(np.float64)", "expand": "np.broadcast_to(t, shape)", "fill_": "t.fill(value)",
    "float": "t.astype(np.float32)", "gather": "np.take_along_axis(t, index, axis)", "half": "t.astype(np.float16)",
    "index_select": "np.take(t, index, axis)", "int": "t.astype(np.int32)", "long": "t.astype(int)",
    "masked_fill": "np.where(mask, value, t)", "mm": "t @ x", "mul": "t * x", "norm": "np.linalg.norm(t)", "normal_": "nn.init.normal_(t)",
    "numel": "t.size", "permute": "t.transpose(axes)", "pow": "t ** x", "requires_grad_": "t.requires_grad = True",
    "scatter": "np.put_along_axis(t, index, x, axis)", "sub": "t - x", "t": "t.T", "to": "t.astype(dtype): there are no devices",
    "type": "t.astype(dtype)", "uniform_": "nn.init.uniform_(t)", "unsqueeze": "np.expand_dims(t, axis), or t[:, None]",
    "zero_": "t[...] = 0, and for a gradient t.grad = None",
    "zero_grad": "t.grad = None, or optimizer.zero_grad()", "sub_": "t -= x", "mul_": "t *= x", "div_": "t /= x",
}  # fmt: skip
OF_MODULE = {
    "Generator": "np.random.default_rng(seed)", "bmm": "x @ y", "cat": "np.concatenate(tensors)", "cuda": "nothing: there are no devices",
    "device": "nothing: there are no devices", "float32": "np.float32", "float64": "np.float64", "from_numpy": "Tensor(array)",
    "gather": "np.take_along_axis(t, index, axis)", "inference_mode": "no_grad()", "load": "nn.load(path, net=net)",
    "manual_seed": "rng=0 where numbers are drawn, or net.reset_parameters(0)", "masked_fill": "np.where(mask, value, t)", "mm": "x @ y",
    "multinomial": "rng.choice(n, p=probabilities), rng = np.random.default_rng(0)",
    "rand": "Tensor(rng.uniform(size=shape)), rng = np.random.default_rng(0)",
    "randint": "rng.integers(low, high, shape), rng = np.random.default_rng(0)",
    "randn": "Tensor(rng.normal(size=shape)), rng = np.random.default_rng(0)", "save": "nn.save(path, net=net)",
    "set_grad_enabled": "no_grad()", "topk": "np.argsort(t)[..., -k:]", "unsqueeze": "np.expand_dims(t, axis), or t[:, None]",
    "utils": "tg.data",
}  # fmt: skip
MAKERS = {"arange", "empty", "eye", "full", "identity", "linspace", "logspace", "ones", "zeros"}


def refuse_dim(name: str, options: dict[str, Any]) -> None:
    if "dim" in options or "keepdim" in options:
        raise TypeError(f"{name}: the arguments are NumPy's: write axis for dim, and keepdims for keepdim")


def no_attribute(owner: str, name: str, spellings: dict[str, str], argument: str = "t") -> AttributeError:
    """Return the error for a name that does not exist, with what to write instead if that is known."""
    hint = ""
    if name in spellings:
        hint = f": write {spellings[name]}"
    elif name in MAKERS:
        hint = f": write Tensor(np.{name}(...))"
    elif not name.startswith("_") and callable(getattr(np, name, None)) and not isinstance(getattr(np, name), type):
        hint = f": NumPy's functions take tensors, write np.{name}({argument})"
    elif owner == "Tensor" and hasattr(np.ndarray, name) and not name.startswith("_"):
        hint = f": an array has it, write t.data.{name}"
    return AttributeError(f"{owner} has no attribute {name!r}{hint}")
