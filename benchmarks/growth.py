"""Growth: how the cost grows with graph nodes, layer width, parameters, and for gradients and Hessian-vector products with dimensions."""

from __future__ import annotations

from typing import Any

from . import nodes, parameters, rosenbrock, sizes
from .curves import measured, rows, show

AXES = {
    "nodes": nodes.AXIS,
    "width": sizes.growing_width(),
    "parameters": parameters.AXIS,
    "gradient": rosenbrock.GRADIENT,
    "hvp": rosenbrock.PRODUCT,
}


def growth(rounds: int) -> dict[str, Any]:
    """The growth of cost with graph nodes, layer width, parameters, and of gradients and Hessian-vector products with dimensions."""
    outcomes: dict[str, Any] = {}
    for name, axis in AXES.items():
        outcomes[name] = measured(axis, rounds)
        show(axis.name, outcomes[name])
        if name == "nodes":
            outcomes["stages"] = stages()
    outcomes["in_gradients"] = in_gradients(outcomes["hvp"], outcomes["gradient"])
    return outcomes


def stages() -> dict[str, Any]:
    """Return and print the share of recording, sweeping and freeing in the eager run of each size."""
    times = [nodes.stages(size) for size in nodes.SIZES]
    shares = {stage: [time[stage] / sum(time.values()) for time in times] for stage in times[0]}
    rows("share, tinygrad_hw, eager", list(nodes.SIZES), {stage: [f"{share:.2f}" for share in row] for stage, row in shares.items()})
    return {"sizes": list(nodes.SIZES), "seconds": {stage: [time[stage] for time in times] for stage in times[0]}, "shares": shares}


def in_gradients(products: dict[str, Any], gradients: dict[str, Any]) -> dict[str, list[float]]:
    """Return and print what a Hessian-vector product costs each contestant in units of its own gradient."""
    units = {
        label: [product / gradient for product, gradient in zip(curve["seconds"], gradients["contestants"][label]["seconds"])]
        for label, curve in products["contestants"].items()
        if curve["sizes"]
    }
    rows("in gradients", list(rosenbrock.SIZES), {label: [f"{unit:.2f}" for unit in row] for label, row in units.items()})
    return units
