"""The figures of the results, as SVG: ``python -m benchmarks.figures`` draws them again from the JSON files."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

from .storage import FOLDER, load

PAPER, INK, FAINT = "#ffffff", "#1c1c1c", "#d9d9d9"
SETTINGS: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor"), PAPER),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "font.size": 9,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "benchmarks",
}

# NumPy by hand is ink, this package blue, the peers have colours of their own: colour, line, width.
STYLES: dict[str, tuple[str, Any, float]] = {
    "NumPy, by hand": (INK, "--", 1.4),
    "NumPy, the loop as printed": (INK, "--", 1.4),
    "NumPy, tuned by hand with out=": (INK, ":", 1.4),
    "tinygrad_hw, eager": ("#0b5fa5", "-", 2.4),
    "tg.compile, NumPy": ("#2f97e0", "-", 2.0),
    "tg.compile, Numba": ("#5cbcd6", "-", 2.0),
    "MyGrad": ("#4f7d1e", "-", 1.1),
    "HIPS autograd": ("#8250a0", "-", 1.1),
    "PyTorch, eager": ("#b34700", "-", 1.1),
    "JAX, jit": ("#b8860b", "-", 1.1),
    "JAX, jit per step": ("#b8860b", "-", 1.1),
    "JAX, jit of lax.scan": ("#b8860b", "-.", 1.1),
}
SHOWN = {"nodes": "graph nodes", "width": "width of both hidden layers", "parameters": "parameters", "hvp": "dimensions"}
TITLES = {
    "nodes": "Scalar operations: a pendulum simulated, and the gradient of its mean angle",
    "width": "Layer width: an epoch of the network 2-n-n-1, 100 points",
    "parameters": "Parameters: a step of gradient descent, entry by entry",
    "hvp": "Hessian-vector product of Rosenbrock's function",
}
TIME = FuncFormatter(lambda value, _: EngFormatter("s", places=0)(value))
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")


def growth(saved: dict[str, Any]) -> Figure:
    """Draw for each axis the time, and beside it the ratio to NumPy by hand, its lines labelled with their exponents."""
    fig = Figure((10.5, 13), layout="constrained")
    for (time, ratio), (name, unit) in zip(fig.subplots(len(SHOWN), 2), SHOWN.items()):
        contestants = saved["results"][name]["contestants"]
        measured = {label: curve for label, curve in contestants.items() if curve["sizes"]}
        draw_curves(time, measured, "seconds")
        draw_curves(ratio, measured, "ratios")
        time.set(title=TITLES[name], xlabel=unit, ylabel="time")
        ratio.set(xlabel=unit, ylabel="ratio to NumPy by hand")
        time.yaxis.set_major_formatter(TIME)
        plain_ticks(ratio.yaxis)
        label_ends(ratio, measured, {label: grows(curve["exponent"]) for label, curve in measured.items()})
    name_machine(fig, saved["machine"], "$n^{1.02}$: the time grows with this power of the size, over the last tenfold of each curve")
    return fig


def sizes(saved: dict[str, Any]) -> Figure:
    """Draw the ratio to the loop as printed over the batch, a panel for each hidden size."""
    fig = Figure((10.5, 4.2), layout="constrained")
    panels = fig.subplots(1, len(saved["results"]), sharey=True)
    for ax, (hidden, outcome) in zip(panels, saved["results"].items()):
        contestants = outcome["contestants"]
        draw_curves(ax, contestants, "ratios")
        ax.set(title=f"{hidden} hidden units", xlabel="batch")
        ax.xaxis.set_major_formatter(PLAIN)
    panels[0].set_ylabel("ratio to the loop as printed")
    plain_ticks(panels[0].yaxis)
    label_ends(panels[-1], contestants, dict.fromkeys(contestants, ""))
    name_machine(fig, saved["machine"], "an epoch of the report's network, 2-n-n-1")
    return fig


def draw_curves(ax: Axes, contestants: dict[str, Any], what: str) -> None:
    """Draw a line for each contestant, with a point at each size, on logarithmic axes."""
    for label, curve in contestants.items():
        color, style, width = STYLES[label]
        ax.plot(curve["sizes"], curve[what], style, color=color, linewidth=width, marker="o", markersize=3)
    ax.set(xscale="log", yscale="log")


def plain_ticks(axis: Any) -> None:
    """Let a logarithmic axis say 0.1, 0.3, 1, 3, 10 ..."""
    axis.set_major_locator(LogLocator(subs=(1, 3), numticks=12))
    axis.set_major_formatter(PLAIN)
    axis.set_minor_formatter(NullFormatter())


def label_ends(ax: Axes, contestants: dict[str, Any], notes: dict[str, str]) -> None:
    """Write each contestant's name beside the panel, none over another, with a line to where its curve ends."""
    ends = {label: (curve["sizes"][-1], curve["ratios"][-1]) for label, curve in contestants.items()}
    heights = dict(zip(ends, to_fraction(ax, [y for _, y in ends.values()])))
    order = sorted(ends, key=heights.__getitem__)
    for label, height in zip(order, spread([heights[label] for label in order], 0.085)):
        color = STYLES[label][0]
        ax.annotate(
            f"{label}  {notes[label]}".rstrip(),
            ends[label],
            (1.07, height),
            textcoords="axes fraction",
            color=color,
            va="center",
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "relpos": (0, 0.5), "shrinkA": 1, "shrinkB": 2},
        )


def to_fraction(ax: Axes, values: list[float]) -> np.ndarray:
    """Return where values lie on the logarithmic y axis: 0 at its bottom, 1 at its top."""
    low, high = np.log(ax.get_ylim())
    return (np.log(values) - low) / (high - low)


def spread(heights: list[float], gap: float) -> list[float]:
    """Return ascending heights moved as little as need be, so that neighbours are a gap apart and the highest is at most 1."""
    placed = [*heights]
    for i in range(1, len(placed)):
        placed[i] = max(placed[i], placed[i - 1] + gap)
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], 1.0 if i == len(placed) - 1 else placed[i + 1] - gap)
    return placed


def grows(exponent: float | None) -> str:
    """Return how an exponent is written beside a line."""
    return f"$n^{{{exponent:.2f}}}$" if exponent else ""


def name_machine(fig: Figure, machine: dict[str, Any], note: str) -> None:
    """Write under the figure what it shows and where that was measured."""
    versions = f"Python {machine['python']}, NumPy {machine['numpy']}"
    where = f"{machine['processor']}, {machine['cores']} cores, one thread; {versions}; {machine['date']}"
    fig.supxlabel(f"{note}\n{where}", fontsize=8)


FIGURES = {"growth": growth, "sizes": sizes}


def draw_all() -> None:
    """Draw every figure whose part has been measured."""
    for name, draw in FIGURES.items():
        if (FOLDER / f"{name}.json").exists():
            with matplotlib.rc_context(SETTINGS):
                draw(load(name)).savefig(FOLDER / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    draw_all()
