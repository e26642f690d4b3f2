"""Weights in a safetensors file: ``python -m examples.exchange.safetensors_file`` writes one, and reads it again.

The format holds arrays by name, after a header of sizes that is checked before anything is read; there is no code in it to run. What this
writes says so in the file. A file that does not is taken as PyTorch's, with its names, and its matrices transposed (see
``torch_weights``): from the arrays alone it could not be told.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from tinygrad_hw import nn

from .torch_weights import from_torch

OURS = {"layout": "tinygrad_hw"}


def save(net: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write the network's state to a file; if that fails, an old file is kept."""
    beside = f"{os.fspath(path)}.{os.getpid()}.part"
    try:
        save_file(net.state_dict(), beside, metadata=OURS)
        os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)


def load(net: nn.Module, path: str | os.PathLike[str]) -> None:
    """Set the network to the state in a file, this program's or PyTorch's.

    Raises
    ------
    ValueError
        If it is no whole safetensors file, or its names or shapes are others; the network is as it was.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            state, layout = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118 (it is no dict)
    except SafetensorError as error:
        raise ValueError(f"{os.fspath(path)!r} is no whole safetensors file: {error}") from error
    if layout == OURS:
        net.load_state_dict(state)
    else:
        from_torch(net, state)


def main() -> None:
    """Write a network, read it into another, and compare."""
    one, other = (nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1)).reset_parameters(seed) for seed in (0, 1))
    x = np.random.default_rng(0).normal(size=(5, 3))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.safetensors"
        save(one, path)
        print(f"before: {abs(one(x) - other(x)).max().item():.3f} apart")
        load(other, path)
        print(f"after:  {abs(one(x) - other(x)).max().item():.3f} apart; {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
