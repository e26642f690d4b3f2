"""The report's figures, drawn from the outcomes of its runs, as SVG whose letters are text: for light and for dark paper, in
English and in Traditional Chinese. The browser chooses the font.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .experiments import GRID, PRINTED, Outcome, best_linear

__all__ = ["FIGURES", "draw_all"]

Outcomes = dict[str, Outcome]
Draw = Callable[[Outcomes], Figure]

PAPER, INK, FAINT = "#ffffff", "#1c1c1c", "#d9d9d9"
COLORS = ("#0b5fa5", "#b34700")  # of label 0 and label 1, which differ by their markers too, and of two curves
REGIONS = ("#d3e5f5", "#fbe0cc")  # where label 0 and label 1 are predicted

# What becomes of each colour on dark paper.
DARK = {
    PAPER: "#16181c",
    INK: "#e6e6e6",
    FAINT: "#3d4148",
    COLORS[0]: "#7cc0ff",
    COLORS[1]: "#ffb070",
    REGIONS[0]: "#1d3a56",
    REGIONS[1]: "#54341c",
}

# What becomes of the words in Traditional Chinese; the field's own terms stay.
CHINESE = {
    "first coordinate": "第一座標",
    "second coordinate": "第二座標",
    "computed here": "這裡算出的",
    "printed in the report": "報告印出的",
    "The first losses": "最初的 loss",
    "no activation": "無 activation",
    "Best linear function": "最好的線性函數",
    r"(\d+) hidden units": r"\1 個 hidden unit",
    r": (\S+) right": r"：\1 正確",
    "wrong": "錯誤",
}

SETTINGS: dict[Any, Any] = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), PAPER),
    **dict.fromkeys(("legend.edgecolor", "grid.color"), FAINT),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.titlesize": 11,
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
}


def draw_points(ax: Axes, outcome: Outcome, title: str, regions: np.ndarray | None = None) -> None:
    """Draw the labelled points; with the decision regions behind them and a ring around each wrong one, if regions are given."""
    X, y = outcome.X, outcome.y[:, 0]
    if regions is not None:
        ax.contourf(GRID, GRID, regions, levels=[-1e9, 0.5, 1e9], colors=REGIONS)
    for label, (marker, size) in enumerate((("o", 30), ("^", 42))):
        chosen, color = X[y == label], COLORS[label]
        ax.scatter(chosen[:, 0], chosen[:, 1], s=size, marker=marker, color=color, edgecolor=PAPER, label=f"label {label}")
    ax.set(title=title, xlim=GRID[[0, -1]], ylim=GRID[[0, -1]], aspect="equal", xlabel="first coordinate", ylabel="second coordinate")


def ring(ax: Axes, X: np.ndarray, right: np.ndarray) -> None:
    """Draw a ring around each point that is predicted wrong."""
    if not right.all():
        ax.scatter(X[~right, 0], X[~right, 1], s=130, facecolor="none", edgecolor=INK, linewidth=1.3, label="wrong")


def legend_below(fig: Figure, ax: Axes) -> None:
    """Put the legend of one panel under the whole figure."""
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)


def draw_prediction(ax: Axes, outcome: Outcome, title: str) -> None:
    """Draw the points over the regions that the trained network predicts."""
    draw_points(ax, outcome, f"{title}: {outcome.accuracy} right", outcome.regions)
    ring(ax, outcome.X, outcome.right)


def draw_curve(ax: Axes, outcome: Outcome, color: str, label: str, style: str = "-") -> None:
    """Draw a learning curve, and a ring at each loss that the report printed."""
    epochs = np.unique(np.linspace(1, outcome.epochs, 1500).astype(int))
    ax.plot(epochs, outcome.losses[epochs - 1], style, color=color, linewidth=1.6, label=label)
    printed = {epoch: loss for epoch, loss in PRINTED[outcome.run.id].losses.items() if epoch <= outcome.epochs}
    ax.plot(list(printed), list(printed.values()), "o", color=color, markersize=5, markerfacecolor="none", label="printed in the report")


def finish_curves(ax: Axes, title: str) -> None:
    """Name the axes of learning curves, and let the losses fill decades."""
    ax.set(title=title, xlabel="epoch", ylabel="loss", yscale="log")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.grid(True)
    ax.legend()


def truth_and_prediction(run_id: str) -> Draw:
    """Return what draws a data set beside what the network makes of it."""

    def draw(outcomes: Outcomes) -> Figure:
        fig = Figure((8, 4.5), layout="constrained")
        truth, prediction = fig.subplots(1, 2)
        draw_points(truth, outcomes[run_id], "Ground truth")
        draw_prediction(prediction, outcomes[run_id], "Prediction")
        legend_below(fig, prediction)
        return fig

    return draw


def learning_curves(outcomes: Outcomes) -> Figure:
    """Draw the learning curves of both data sets."""
    fig = Figure((9, 3.8), layout="constrained")
    for ax, run_id in zip(fig.subplots(1, 2), ("data_100", "data_X")):
        draw_curve(ax, outcomes[run_id], COLORS[0], "computed here")
        finish_curves(ax, f"{run_id}, learning rate {outcomes[run_id].run.lr:g}")
    return fig


def compared(first: str, second: str, setting: Callable[[Outcome], str]) -> Draw:
    """Return what draws two runs that differ in one setting: their learning curves and their predictions."""

    def draw(outcomes: Outcomes) -> Figure:
        fig = Figure((9, 7.6), layout="constrained")
        axes = fig.subplot_mosaic("cc;ab", height_ratios=(0.85, 1))
        for panel, run_id, color, style in zip("ab", (first, second), COLORS, ("-", "--")):
            outcome = outcomes[run_id]
            draw_curve(axes["c"], outcome, color, setting(outcome), style)
            draw_prediction(axes[panel], outcome, setting(outcome))
        finish_curves(axes["c"], "")
        axes["c"].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, frameon=False)
        legend_below(fig, axes["a"] if outcomes[second].right.all() else axes["b"])
        return fig

    return draw


def no_activation(outcomes: Outcomes) -> Figure:
    """Draw the first losses without and with activations, and the best that any linear function can do."""
    without, within = outcomes["data_X_no_activation"], outcomes["data_X"]
    fig = Figure((9, 4.4), layout="constrained")
    losses, linear = fig.subplots(1, 2)
    shown = min(8, without.epochs, within.epochs)
    for outcome, color, style, label in zip((within, without), COLORS, ("o-", "^--"), ("sigmoid", "no activation")):
        finite = np.isfinite(outcome.losses[:shown])
        losses.plot(np.flatnonzero(finite) + 1, outcome.losses[:shown][finite], style, color=color, label=label)
    for epoch, word, shift in zip(without.first_overflow, ("inf", "nan"), (0.95, 0.8)):
        if epoch is not None:
            losses.axvline(epoch, color=COLORS[1], linewidth=1, linestyle=":")
            losses.text(epoch + 0.1, shift, word, transform=losses.get_xaxis_transform(), color=COLORS[1], va="top")
    finish_curves(losses, "The first losses")
    losses.legend(loc="center right")
    y_pred, regions = best_linear(without.X, without.y)
    right = ((y_pred > 0.5) == without.y)[:, 0]
    draw_points(linear, without, f"Best linear function: {right.sum()}/{right.size} right", regions)
    ring(linear, without.X, right)
    legend_below(fig, linear)
    return fig


# Each figure with the runs that it needs.
FIGURES: dict[str, tuple[tuple[str, ...], Draw]] = {
    "data_100": (("data_100",), truth_and_prediction("data_100")),
    "data_X": (("data_X",), truth_and_prediction("data_X")),
    "learning_curves": (("data_100", "data_X"), learning_curves),
    "learning_rates": (
        ("data_X", "data_X_lr_0.01"),
        compared("data_X", "data_X_lr_0.01", lambda outcome: f"learning rate {outcome.run.lr:g}"),
    ),
    "hidden_sizes": (
        ("data_X_lr_0.01", "data_X_hidden_100"),
        compared("data_X_lr_0.01", "data_X_hidden_100", lambda outcome: f"{outcome.run.hidden_dim} hidden units"),
    ),
    "no_activation": (("data_X", "data_X_no_activation"), no_activation),
}


def draw_all(outcomes: Outcomes) -> dict[str, dict[str, bytes]]:
    """Return ``{figure: {"light": SVG, "dark": SVG, "light-zh": SVG, "dark-zh": SVG}}`` of every figure whose runs are there."""
    drawn = {}
    for name, (needed, draw) in FIGURES.items():
        if all(run_id in outcomes for run_id in needed):
            light = as_svg(draw, outcomes)
            themes = {"light": light, "dark": recolored(light, DARK)}
            themes |= {f"{theme}-zh": in_chinese(svg) for theme, svg in themes.items()}
            drawn[name] = {theme: svg.encode() for theme, svg in themes.items()}
    return drawn


def as_svg(draw: Draw, outcomes: Outcomes) -> str:
    """Draw a figure; the same outcomes give the same text."""
    file = io.StringIO()
    with matplotlib.rc_context(SETTINGS):
        draw(outcomes).savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


def recolored(svg: str, colors: dict[str, str]) -> str:
    """Return a drawing in other colours."""
    return re.sub("#[0-9a-f]{6}", lambda color: colors.get(color[0], color[0]), svg)


def in_chinese(svg: str) -> str:
    """Return a drawing with its words in Traditional Chinese."""

    def said(match: re.Match[str]) -> str:
        text = match[0]
        for english, chinese in CHINESE.items():
            text = re.sub(english, chinese, text)
        return text

    return re.sub("(?<=>)[^<>]+(?=</text>)", said, svg)
