"""Weights to PyTorch and back: ``python -m examples.exchange.torch_weights`` takes a network there, trains it, and takes it home.

The numbers are the same, their names and places are not quite: PyTorch's Linear, recurrent layers and attention hold matrices that are
the transposes of those here, its Sequential has no "layers." in its names, its recurrent layers no cells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinygrad_hw import nn

TRANSPOSED = (nn.Linear, nn.RNNCell, nn.LSTMCell, nn.GRUCell, nn.MultiheadAttention)
SPELLINGS = [
    (r"(^|\.)cells\.(\d+)\.(\w+)$", r"\1\3_l\2"),  # of recurrent layers
    (r"(^|\.)in_(weight|bias)$", r"\1in_proj_\2"),  # of attention
    (r"(^|\.)out_(weight|bias)$", r"\1out_proj.\2"),
]


def places(net: nn.Module) -> dict[str, tuple[str, bool]]:
    """Return for each path of the network's state what PyTorch calls it, and whether it is the transpose there."""
    modules, found = dict(net.named_modules()), {}
    for path, array in net.state_dict().items():
        parts = path.split(".")
        holders = [modules.get(".".join(parts[:i])) for i in range(len(parts))]
        theirs = ".".join(part for part, holder in zip(parts, holders) if not (part == "layers" and isinstance(holder, nn.Sequential)))
        if isinstance(holders[-1], (*TRANSPOSED, nn.BatchNorm1d)):
            for pattern, spelling in SPELLINGS:
                theirs = re.sub(pattern, spelling, theirs)
        found[path] = (theirs, array.ndim == 2 and isinstance(holders[-1], TRANSPOSED))
    return found


def to_torch(net: nn.Module) -> dict[str, np.ndarray]:
    """Return the state by PyTorch's names, in arrays that ``torch.from_numpy`` takes."""
    state = net.state_dict()
    return {theirs: np.ascontiguousarray(state[path].T if turned else state[path]) for path, (theirs, turned) in places(net).items()}


def from_torch(net: nn.Module, state: Mapping[str, Any]) -> None:
    """Set a network to a state of PyTorch's, of tensors or arrays; errors as ``net.load_state_dict`` has them."""
    names = {theirs: (path, turned) for path, (theirs, turned) in places(net).items()}
    own = {}
    for theirs, tensor in state.items():
        if not theirs.endswith("num_batches_tracked"):  # (a count that only PyTorch's batch norm keeps)
            path, turned = names.get(theirs, (theirs, False))
            own[path] = np.asarray(tensor).T if turned else np.asarray(tensor)
    net.load_state_dict(own)


def main() -> float:
    """Take a network there and back; return the largest difference of two outputs."""
    import torch

    ours = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 144), nn.Tanh(), nn.Linear(144, 3))
    conv = (torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Flatten())
    theirs = torch.nn.Sequential(*conv, torch.nn.Linear(144, 144), torch.nn.Tanh(), torch.nn.Linear(144, 3)).double()
    x, y = torch.from_numpy(np.random.default_rng(0).normal(size=(32, 1, 8, 8))), torch.arange(32) % 3
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in to_torch(ours).items()})
    optimizer, losses = torch.optim.Adam(theirs.parameters(), lr=0.01), []
    for _ in range(10):
        optimizer.zero_grad()
        losses.append(torch.nn.functional.cross_entropy(theirs(x), y))
        losses[-1].backward()
        optimizer.step()
    from_torch(ours, theirs.state_dict())
    difference = abs(ours.eval()(x.numpy()).numpy() - theirs.eval()(x).detach().numpy()).max()
    print(f"trained there from loss {losses[0].item():.3f} to {losses[-1].item():.3f}; back here the outputs differ by {difference:.0e}")
    return float(difference)


if __name__ == "__main__":
    main()
