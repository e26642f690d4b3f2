"""The report as one page: ``page(outcomes, figures)`` gives HTML that needs no other file and no network."""

from __future__ import annotations

import html
import inspect
import math
import textwrap
from base64 import b64encode
from collections.abc import Callable, Sequence

import numpy as np

import tinygrad_hw as tg

from . import manual, network
from .experiments import PRINTED, RUNS, TOLERANCE, Outcome, best_linear, first_loss

__all__ = ["page"]

Outcomes = dict[str, Outcome]
Figures = dict[str, dict[str, bytes]]

STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff; --faint: #d9d9d9; --soft: #f4f5f6; --accent: #0b5fa5; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --faint: #3d4148; --soft: #1f2227; --accent: #7cc0ff; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
body { max-width: 58rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; }
h1 { margin-top: 0; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; height: auto; }
figure.graph img { width: auto; max-width: 100%; }
figcaption, caption { font-size: .9rem; text-align: left; padding: .4rem 0; }
pre { background: var(--soft); border: 1px solid var(--faint); border-radius: 4px; padding: .8rem; }
pre { overflow-x: auto; font-size: .85rem; line-height: 1.4; }
iframe { width: 100%; height: 46rem; border: 1px solid var(--faint); border-radius: 4px; }
a { color: var(--accent); }
.tables { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.table { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { text-align: right; padding: .15rem .7rem; border-bottom: 1px solid var(--faint); white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { padding-left: 0; }
.name th:first-child, .name td:first-child { text-align: left; }
.measured { border-left: 4px solid var(--accent); padding: .2rem 1rem; background: var(--soft); }
"""


def page(outcomes: Outcomes, figures: Figures, graph: bytes | None = None, playground: str | None = None) -> str:
    """Return the page.

    Parameters
    ----------
    outcomes : dict of str to Outcome
        The runs that are finished, by their id. A section tells what there is to tell of them.
    figures : dict of str to dict
        ``{figure: {"light": SVG, "dark": SVG}}``.
    graph : bytes, optional
        The computation graph of one training step, as SVG.
    playground : str, optional
        The name of a file beside the page in which the network trains: it is shown at the end.
    """
    sections = [introduction(outcomes), setups(graph), results(outcomes, figures), discussion(outcomes, figures), training(playground)]
    body = "\n".join([line for section in sections for line in section])
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'" + ("; frame-src 'self'" if playground else "")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Backpropagation: the homework report, reproduced</title>
<style>{STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def introduction(outcomes: Outcomes) -> list[str]:
    """Say what this is, and how well it agrees."""
    return [
        "<h1>Backpropagation: the homework report, reproduced</h1>",
        "<h2>1. Introduction</h2>",
        "<p>The report trains a network of two hidden layers on points of the plane, in plain NumPy, with the backpropagation written out "
        "by hand. Here the same network is an ordinary tensor expression and <code>loss.backward()</code> finds the gradients. "
        "Both start from the same random numbers, so the losses can be compared digit by digit.</p>",
        "<p>There are two data sets. <b>data_100</b> has 100 random points of the unit square, labelled by the side of the diagonal they "
        "lie on. <b>data_X</b> has 21 points on both diagonals: no straight line tells its labels apart.</p>",
        summary_table(outcomes),
        *(f"<p>Not finished, so not shown: {', '.join(missing)}.</p>" for missing in [[i for i in RUNS if i not in outcomes]] if missing),
    ]


def setups(graph: bytes | None) -> list[str]:
    """Show the network, its loss, and both ways to its gradients."""
    deltas = (manual.__doc__ or "").split("\n\n")[1]
    caption = "What one training step records. The file graph.html beside this page steps through it, forward and backward."
    drawn = (
        [f'<figure class="graph"><img alt="{caption}" src="{data_uri(graph)}"><figcaption>{caption}</figcaption></figure>'] if graph else []
    )
    return [
        "<h2>2. Experiment setups</h2>",
        "<h3>A. Sigmoid function</h3>",
        "<p>σ(x) = 1 / (1 + e<sup>−x</sup>), with the derivative σ′ = σ (1 − σ).</p>",
        "<h3>B. Neural network</h3>",
        "<p>Two inputs, two hidden layers of 10 units unless said otherwise, one output; a sigmoid after each linear layer. "
        "The loss is half the mean squared error. Training is full-batch gradient descent.</p>",
        code(inspect.getsource(network.Network.__call__)),
        code(inspect.getsource(network.loss)),
        "<h3>C. Backpropagation</h3>",
        "<p>The report derives the delta of each layer by hand and computes each gradient from it:</p>",
        code(deltas),
        "<p>These are the equations that the recorded graph of one training step implies, derived by reading the engine's rules "
        "on symbols; every line was computed again with NumPy and agrees with the gradients:</p>",
        code(derived()),
        "<p>Here the step is the forward pass, <code>backward()</code> and the update. The report's equations check it. "
        "Compiled, it is recorded once and then runs without recording.</p>",
        code(inspect.getsource(network.step)),
        code(inspect.getsource(network.compiled)),
        *drawn,
    ]


def derived() -> str:
    """Return the delta equations that the graph implies, checked."""
    equations = tg.explain(first_loss(RUNS["data_X"]))
    equations.check()
    return str(equations)


def results(outcomes: Outcomes, figures: Figures) -> list[str]:
    """Show both data sets, the accuracies and the learning curves."""
    both = [outcomes[run_id] for run_id in ("data_100", "data_X") if run_id in outcomes]
    words = " ".join(f"{outcome.run.id}: {outcome.accuracy} points right after {outcome.epochs:,} epochs." for outcome in both)
    return [
        "<h2>3. Results</h2>",
        "<h3>A. Ground truth and prediction</h3>",
        *figure(figures, "data_100", "data_100. The background shows the label that the trained network gives to every point."),
        *figure(figures, "data_X", "data_X, in the same way."),
        "<h3>B. Accuracy</h3>",
        *(measured(words) if both else []),
        "<h3>C. Learning curves</h3>",
        *figure(figures, "learning_curves", "The losses of both data sets. Each ring is a loss that the report printed."),
        *loss_tables(outcomes, "data_100", "data_X"),
    ]


def discussion(outcomes: Outcomes, figures: Figures) -> list[str]:
    """Compare learning rates, hidden sizes and activations, each with its conclusion."""
    return [
        "<h2>4. Discussion</h2>",
        "<p>All of these train on data_X.</p>",
        "<h3>A. Different learning rates</h3>",
        *told(outcomes, ("data_X", "data_X_lr_0.01"), about_learning_rates),
        *figure(figures, "learning_rates", "Learning rates 0.1 and 0.01: losses, and predictions at the end."),
        *loss_tables(outcomes, "data_X_lr_0.01"),
        "<h3>B. Different numbers of hidden units</h3>",
        *told(outcomes, ("data_X_lr_0.01", "data_X_hidden_100"), about_hidden_sizes),
        *figure(figures, "hidden_sizes", "10 and 100 hidden units at the learning rate 0.01: losses, and predictions at the end."),
        *loss_tables(outcomes, "data_X_hidden_100"),
        "<h3>C. Without activation functions</h3>",
        *told(outcomes, ("data_X_no_activation",), about_no_activation),
        *figure(figures, "no_activation", "Left: the first losses. Right: what the best linear function predicts."),
        *loss_tables(outcomes, "data_X_no_activation"),
    ]


def training(playground: str | None) -> list[str]:
    """Show the page in which the network trains."""
    if playground is None:
        return []
    return [
        "<h2>5. Watch it train</h2>",
        "<p>The same network trains here, in this page, by the JavaScript that the engine writes of its compiled step: data, layers, "
        f'activation and learning rate can be chosen. (<a href="{playground}">In a window of its own</a>)</p>',
        f'<iframe src="{playground}" title="The network trains" loading="lazy"></iframe>',
    ]


def about_learning_rates(fast: Outcome, slow: Outcome) -> str:
    """Measure how many epochs a small learning rate costs."""
    reached = np.flatnonzero(fast.losses <= slow.losses[-1])
    words = (
        f"After {slow.epochs:,} epochs the loss is {fast.losses[-1]:.3g} with the learning rate {fast.run.lr:g} "
        f"({fast.accuracy} points right) and {slow.losses[-1]:.3g} with {slow.run.lr:g} ({slow.accuracy} points right). "
    )
    if reached.size:
        epochs = int(reached[0]) + 1
        words += (
            f"The larger rate came as far as that after {epochs:,} epochs: a rate {fast.run.lr / slow.run.lr:.0f} times smaller "
            f"needs {slow.epochs / epochs:.1f} times the epochs. "
        )
    return words + "A rate that is too large may not converge at all: section C shows how that looks."


def about_hidden_sizes(small: Outcome, large: Outcome) -> str:
    """Measure what more hidden units bring, and what they cost."""
    growth = large.seconds_per_epoch / small.seconds_per_epoch
    few, many = (h * h + 5 * h + 1 for h in (small.run.hidden_dim, large.run.hidden_dim))
    return (
        f"{large.run.hidden_dim} hidden units instead of {small.run.hidden_dim} bring the loss after {large.epochs:,} epochs from "
        f"{small.losses[-1]:.3g} to {large.losses[-1]:.3g}, and the accuracy from {small.accuracy} to {large.accuracy}. "
        f"The price is time: an epoch takes {large.seconds_per_epoch * 1e6:.0f} µs instead of {small.seconds_per_epoch * 1e6:.0f} µs, "
        f"{growth:.1f} times as long, with {many / few:.0f} times the parameters ({many:,} instead of {few:,})."
    )


def about_no_activation(outcome: Outcome) -> str:
    """Measure where the loss overflows, and what a linear function could do at best."""
    y_pred, _ = best_linear(outcome.X, outcome.y)
    right = int(((y_pred > 0.5) == outcome.y).sum())
    overflow = outcome.overflow or f"in {outcome.epochs:,} epochs the loss does not become nan"
    return (
        f"With the learning rate {outcome.run.lr:g} {overflow}. Even the best weights would not help: without activations the network "
        f"is a linear function of its inputs, and the best of those by least squares has {right} of {outcome.y.size} points right."
    )


def told(outcomes: Outcomes, needed: tuple[str, ...], tell: Callable[..., str]) -> list[str]:
    """Return a conclusion if the runs that it needs are there."""
    return measured(tell(*(outcomes[i] for i in needed))) if all(i in outcomes for i in needed) else []


def measured(words: str) -> list[str]:
    """Return a conclusion that was measured here."""
    return [f'<p class="measured">{html.escape(words)}</p>']


def figure(figures: Figures, name: str, caption: str) -> list[str]:
    """Return a figure for light and for dark paper, if it was drawn."""
    if name not in figures:
        return []
    light, dark = (data_uri(figures[name][theme]) for theme in ("light", "dark"))
    words = html.escape(caption)
    return [
        f'<figure><picture><source media="(prefers-color-scheme: dark)" srcset="{dark}"><img alt="{words}" src="{light}"></picture>',
        f"<figcaption>{words}</figcaption></figure>",
    ]


def data_uri(svg: bytes) -> str:
    """Return an SVG picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def code(source: str) -> str:
    """Return source text, at the left margin."""
    return f"<pre>{html.escape(textwrap.dedent(source).strip())}</pre>"


def table(caption: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]], kind: str = "") -> str:
    """Return a table."""

    def row(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    lines = "\n".join(row("td", cells) for cells in rows)
    return (
        f'<div class="table"><table class="{kind}"><caption>{html.escape(caption)}</caption>'
        f"<thead>{row('th', head)}</thead>\n<tbody>\n{lines}\n</tbody></table></div>"
    )


def in_words(difference: float | None) -> str:
    """Return a relative difference in two digits."""
    return "–" if difference is None else f"{difference:.1e}" if difference else "0"


def summary_table(outcomes: Outcomes) -> str:
    """Return the table of all runs."""
    rows = [
        (
            run_id,
            f"{outcome.run.lr:g}",
            str(outcome.run.hidden_dim),
            outcome.run.activation or "none",
            f"{outcome.epochs:,}",
            outcome.accuracy or "all nan",
            in_words(outcome.worst_difference),
            f"{outcome.timing.rest:.1f}",
        )
        for run_id, outcome in outcomes.items()
    ]
    head = ("run", "learning rate", "hidden units", "activation", "epochs", "accuracy", "worst difference", "seconds")
    caption = f"The runs. Worst difference: relative, from the losses that the report printed; up to {TOLERANCE:g} counts as agreement."
    return table(caption, head, rows, kind="name")


def loss_tables(outcomes: Outcomes, *run_ids: str) -> list[str]:
    """Return for each run that is there the table of its losses beside the printed ones."""
    tables = []
    for outcome in (outcomes[run_id] for run_id in run_ids if run_id in outcomes):
        printed, differences = PRINTED[outcome.run.id].losses, outcome.differences
        rows = [
            (
                f"{epoch:,}",
                repr(loss),
                repr(printed[epoch]) if epoch in printed else "–",
                "both nan" if math.isnan(loss) and epoch in printed else in_words(differences.get(epoch)),
            )
            for epoch, loss in outcome.printed_epochs.items()
        ]
        tables.append(table(f"{outcome.run.id}: losses", ("epoch", "computed here", "printed in the report", "relative difference"), rows))
    return ['<div class="tables">', *tables, "</div>"] if tables else []
