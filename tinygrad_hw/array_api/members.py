"""What the standard asks of a Tensor besides operators: its namespace, its device, and the exchange of memory with other libraries."""

from __future__ import annotations

import sys
from typing import Any

from ..errors import DetachError
from ..tensor import Tensor
from .standard import DEVICE, on_cpu

VERSIONS = ("2021.12", "2022.12", "2023.12", "2024.12")


def array_namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """Return the Array API namespace of tensors."""
    if api_version not in (None, *VERSIONS):
        raise ValueError(f"there is no version {api_version!r} of the Array API here: there are {', '.join(VERSIONS)}")
    return sys.modules[__package__]


def to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """Return the tensor: it is on the only device."""
    on_cpu(device)
    return self


def dlpack(self: Tensor, /, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: bool | None = None) -> Any:
    """Return the values as DLPack hands them on, copied unless copy is False; one that requires a gradient would leave its graph."""
    if self.requires_grad:
        raise DetachError("from_dlpack of a tensor that requires a gradient would leave its graph: use t.detach() to leave it on purpose")
    options = {"stream": stream, "max_version": max_version, "dl_device": dl_device}  # (NumPy 2.0 knows the first one only)
    given = {name: option for name, option in options.items() if option is not None}
    return (self.data if copy is False else self.numpy()).__dlpack__(**given)


def dlpack_device(self: Tensor, /) -> tuple[int, int]:
    """Return DLPack's number of the CPU."""
    return 1, 0


for name, member in {
    "__array_namespace__": array_namespace, "to_device": to_device, "__dlpack__": dlpack, "__dlpack_device__": dlpack_device,
    "device": property(lambda self: DEVICE, doc="Where the values are: 'cpu', always."),
}.items():  # fmt: skip
    setattr(Tensor, name, member)
