"""The report as one page, in English and Traditional Chinese: ``page(outcomes, figures)`` gives HTML that needs no network."""

from __future__ import annotations

import hashlib
import html
import inspect
import math
import re
import textwrap
from base64 import b64encode
from collections.abc import Callable, Sequence

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw.optim import SGD

from ..languages import Both, document, element
from . import manual, network
from .experiments import PRINTED, RUNS, TOLERANCE, Outcome, best_linear, first_loss, start

__all__ = ["page"]

Outcomes = dict[str, Outcome]
Figures = dict[str, dict[str, bytes]]

TITLE = Both("Backpropagation: the homework report, reproduced", "反向傳播：重現作業報告")
STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --paper: #ffffff; --faint: #d9d9d9; --soft: #f4f5f6; --accent: #0b5fa5; --part: #ffd9b3; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #16181c; --faint: #3d4148; --soft: #1f2227; --accent: #7cc0ff; --part: #6b3d10; }
}
body { background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Noto Sans TC", "Noto Sans CJK TC", sans-serif; }
body { max-width: 58rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.2; margin-top: 2em; }
h1 { margin-top: 0; }
nav ol { list-style: none; padding-left: 0; columns: 2; }
nav ol ol { columns: auto; padding-left: 1.2rem; }
figure { margin: 1.5rem 0; }
figure img { display: block; width: 100%; height: auto; }
figure.graph img { width: auto; max-width: 100%; margin: auto; }
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
.name th:first-child, .name td:first-child, .lines td, .lines th, .losses td:nth-child(2), .losses th:nth-child(2) { text-align: left; }
.losses td:nth-child(2), .lines code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .8rem; }
.losses { min-width: 19rem; } .losses td { vertical-align: top; } .lines td { vertical-align: top; }
mark { background: var(--part); color: inherit; border-radius: 2px; }
.measured { border-left: 4px solid var(--accent); padding: .2rem 1rem; background: var(--soft); }
@media (max-width: 700px) {
  figure:not(.graph) { overflow-x: auto; } figure:not(.graph) img { width: 36rem; max-width: none; }
  th, td { padding-inline: .3rem; } nav ol { columns: 1; } iframe { height: 40rem; }
  .lines tr, .lines td { display: block; white-space: normal; border: 0; padding: 0; } .lines thead { display: none; }
  .lines tr { border-bottom: 1px solid var(--faint); padding: .4rem 0; } .lines code { overflow-wrap: anywhere; }
}
"""
SCRIPT = """
const languages = document.querySelectorAll("#languages input");
const spoken = () => {
  const chosen = document.querySelector("#languages input:checked").value;
  document.documentElement.lang = chosen;
  for (const frame of document.querySelectorAll("iframe[data-src]")) frame.src = frame.dataset.src + "#" + chosen;
};
const asked = new URLSearchParams(location.search).get("lang") || navigator.language;
if (/^zh/.test(asked)) document.getElementById("zh").checked = true;
for (const each of languages) each.addEventListener("change", spoken);
spoken();
"""


def page(
    outcomes: Outcomes, figures: Figures, graph: dict[str, bytes] | None = None, stepper: Both | None = None, playground: Both | None = None
) -> str:
    """Return the page.

    Parameters
    ----------
    outcomes : dict of str to Outcome
        The runs that are finished, by their id. A section tells what there is to tell of them.
    figures : dict of str to dict
        ``{figure: {"light": SVG, "dark": SVG, "light-zh": SVG, "dark-zh": SVG}}``.
    graph : dict of str to bytes, optional
        The computation graph of one training step, as SVG in light and dark, in English and Chinese as the figures.
    stepper, playground : Both, optional
        The names of files beside the page, in English and Chinese or one for both: one steps through that graph, in the other the
        network trains. They are linked and shown.
    """
    sections = [
        introduction(outcomes), setups(graph, stepper), results(outcomes, figures), discussion(outcomes, figures), training(playground),
    ]  # fmt: skip
    body = "\n".join([line for section in sections for line in section])
    digest = b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    policy += "; frame-src 'self' file:" if playground or stepper else ""
    return document(TITLE, policy, STYLE, f"{contents(body)}\n{body}\n<script>{SCRIPT}</script>")


def contents(body: str) -> str:
    """Return a table of contents of what has a heading."""
    chapters: list[list[str]] = []
    for level, name, words in re.findall(r'<h([23]) id="([^"]*)">(.*?)</h\1>', body):
        link = f'<a href="#{name}">{words}</a>'
        if level == "2":
            chapters.append([link])
        else:
            chapters[-1].append(f"<li>{link}</li>")
    items = "".join(f"<li>{link}<ol>{''.join(below)}</ol></li>" for link, *below in chapters)
    return f'<nav id="contents"><ol>{items}</ol></nav>'


def heading(level: int, name: str, en: str, zh: str) -> str:
    """Return a heading that the table of contents leads to."""
    return element(f"h{level}", en, zh, f' id="{name}"')


def introduction(outcomes: Outcomes) -> list[str]:
    """Say what this is, and how well it agrees."""
    missing = ", ".join(i for i in RUNS if i not in outcomes)
    worst = max([d for outcome in outcomes.values() if (d := outcome.worst_difference) is not None], default=None)
    agree = Both(
        f"The largest relative difference from a loss that the report printed is {in_words(worst)}.",
        f"與報告所印 loss 的最大相對誤差是 {in_words(worst)}。",
    )
    return [
        heading(2, "introduction", "1. Introduction", "1. 簡介"),
        element(
            "p",
            "The report builds a network with two hidden layers in plain NumPy, each layer a linear one and a sigmoid, and trains it on "
            "points of the plane with the backpropagation written out by hand. Here the same network is an ordinary tensor "
            "expression and "
            "<code>loss.backward()</code> finds the gradients. Both start from the same random numbers, so that the losses can be "
            "compared.",
            "這份報告只用 NumPy 做出有兩層 hidden layer 的 network，每一層是一個 linear 加一個 sigmoid，並用手寫的 backpropagation 訓練。"
            "這裡把同一個 network 寫成普通的 tensor 運算式，gradient 由 <code>loss.backward()</code> 求出。"
            "兩者從相同的亂數開始，所以 loss 可以逐一比較。",
        ),
        element(
            "p",
            "Every point has two features, its coordinates, and a label, 0 or 1. <b>data_100</b> has 100 random points of the "
            "unit square, "
            "labelled by the side of the diagonal they lie on. <b>data_X</b> has 21 points in the form of an X: no straight line "
            "tells its "
            "labels apart.",
            "每個點有兩個 feature（座標），以及 0 或 1 的 label。<b>data_100</b> 是單位正方形內的 100 個隨機點，label "
            "由點在對角線的哪一側決定；"
            "<b>data_X</b> 是排成 X 形的 21 個點，沒有任何直線能把兩種 label 分開。",
        ),
        element(
            "p",
            "What follows shows the code, the truth beside the prediction for both data sets, and what changes with the learning "
            "rate, the "
            "number of hidden units, and without the sigmoid.",
            "以下展示程式、兩種 data 的 ground truth 與 prediction，並討論 learning rate、hidden unit 數目，以及不用 sigmoid 時的差別。",
        ),
        *([element("p", *agree)] if worst is not None else []),
        summary_table(outcomes),
        *([element("p", f"Not finished, so not shown: {missing}.", f"尚未完成、因此沒有列出：{missing}。")] if missing else []),
    ]


def setups(graph: dict[str, bytes] | None, stepper: Both | None) -> list[str]:
    """Show the network, its loss, and both ways to its gradients."""
    caption = Both("What one training step records.", "一個訓練步驟所記錄的計算圖。")
    return [
        heading(2, "setups", "2. Experiment setups", "2. 實驗設定"),
        heading(3, "sigmoid", "A. Sigmoid function", "A. Sigmoid 函數"),
        element(
            "p",
            "σ(x) = 1 / (1 + e<sup>−x</sup>), with the derivative σ′ = σ (1 − σ).",
            "σ(x) = 1 / (1 + e<sup>−x</sup>)，導數是 σ′ = σ (1 − σ)。",
        ),
        heading(3, "network", "B. Neural network", "B. Neural network"),
        element(
            "p",
            "Two inputs, two hidden layers of 10 units unless said otherwise, one output; a sigmoid after each linear layer. The "
            "loss is half "
            "the mean squared error: the half cancels the 2 of its derivative. Training is gradient descent on all points at once.",
            "兩個輸入、兩層 hidden layer（除非另外說明，各 10 個 unit）、一個輸出；每個 linear 後面接 sigmoid。loss 是 MSE 的一半，"
            "這個一半正好消去微分後的 2。每一步都用全部的點做 gradient descent。",
        ),
        code(inspect.getsource(network.Network.__call__)),
        code(inspect.getsource(network.loss)),
        heading(3, "backpropagation", "C. Backpropagation", "C. Backpropagation"),
        element(
            "p",
            "First forward, to get the result of each layer; then backward, to get the delta of each layer; from the deltas and "
            "those results "
            "follow the gradients of all weights, which are then updated. By hand it reads so, in full:",
            "先 forward 得到各層的結果，再 backward 算出各層的 delta；由 delta 與各層結果得到每個 weight 的 gradient，最後更新。"
            "手寫的完整程式如下：",
        ),
        code("\n\n".join(inspect.getsource(f) for f in (manual.sigmoid, manual.forward, manual.half_mse, manual.gradients, manual.step))),
        element(
            "p",
            "Line by line: the code by hand, the equation that the recorded graph of one training step implies (derived by reading the "
            "engine's rules on symbols, and computed again with NumPy: every line agrees with the engine), and the line of the "
            "program that "
            "the compiler writes of the step, <code>step.source</code>.",
            "逐行對照：手寫程式、由一個訓練步驟的計算圖推導出的方程式（用符號讀取引擎的規則而得，並以 NumPy 重新計算，"
            "每一行都與引擎相符），"
            "以及編譯器為這個步驟寫出的程式 <code>step.source</code> 中的那一行。",
        ),
        line_by_line(),
        element(
            "p",
            "One δ differs by the factor N: by hand the division by N comes last, with each gradient; in the derived equations it "
            "is part of "
            "the loss's own derivative, so that δ₃ has it already. The gradients are the same.",
            "兩種 δ 相差一個因數 N：手寫時到最後求 gradient 才除以 N；推導出的方程式則在 loss 的微分就已除以 N，所以 δ₃ "
            "已經含有它。兩者的 gradient 相同。",
        ),
        element(
            "p",
            "The training step here is the forward pass, <code>backward()</code> and the update. Compiled, it is recorded once "
            "and then runs "
            "without recording:",
            "這裡的訓練步驟就是 forward、<code>backward()</code> 與更新。編譯之後只記錄一次，之後不再記錄就能執行：",
        ),
        code(inspect.getsource(network.step)),
        code(inspect.getsource(network.compiled)),
        *(picture(graph, caption, "graph") if graph else []),
        *(
            shown_page(
                stepper,
                "Step through it, forward and backward, and through its training:",
                "逐步看它的 forward 與 backward，以及訓練過程：",
            )
            if stepper
            else []
        ),
    ]


def shown_page(files: Both, en: str, zh: str) -> list[str]:
    """Link a page that lies beside this one, and show it; a file that speaks both languages is told which."""
    links = [f'{words} <a href="{file}">{file}</a>' for words, file in zip((en, zh), files)]
    frames = [f'<iframe src="{file}" title="{words[:-1]}" loading="lazy"></iframe>' for words, file in zip((en, zh), files)]
    told = frames[0].replace("<iframe", f'<iframe data-src="{files.en}"')
    return [element("p", *links), told if files.en == files.zh else Both(*frames).html()]


def line_by_line() -> str:
    """Return the table of the code by hand, the derived equations, and the compiled step."""
    equations = tg.explain(first_loss(RUNS["data_X"]))
    equations.check()
    rows = []
    by_hand, compiled = code_by_hand(), {}
    for line, equation in equations.beside(step_source()).rows:
        if equation:
            compiled[equation.number] = line.strip()
    for equation in (*equations.forward, *equations.backward):
        line = compiled[equation.number]
        name = line.split(" = ")[0]
        cells = [
            f"<code>{html.escape(by_hand[name])}</code>",
            f"({equation.number}) {equation.mathml}",
            f"<code>{html.escape(line)}</code>",
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    notes = "".join(f"<li>{Both(note.mathml, in_chinese(note.mathml)).html()}</li>" for note in equations.notes)
    head = "".join(
        f"<th>{words.html()}</th>" for words in (Both("by hand", "手寫"), Both("derived", "推導"), Both("step.source", "step.source"))
    )
    return (
        f'<div class="table"><table class="lines"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f"<p>{Both('where', '其中').html()}</p><ul>{notes}</ul>"
    )


def in_chinese(note: str) -> str:
    """Return what a sign means in Traditional Chinese; a formula as it is."""
    return note.replace("adds up over axis 0", "沿軸 0 相加").replace("multiplies entry by entry", "逐項相乘")


def code_by_hand() -> dict[str, str]:
    """Return the lines of the code by hand, by the names that the compiled step gives to what they compute."""
    source = inspect.getsource(manual.forward) + inspect.getsource(manual.gradients)
    lines = {name: f"{name} = {rest}" for name, rest in re.findall(r"^    (\w+) = (.+)$", source, re.MULTILINE)}
    lines |= {f"d{name}": f'"{name}": {rest}' for name, rest in re.findall(r'^        "(\w+)": (.+),$', source, re.MULTILINE)}
    lines |= {f"delta{k}": lines[f"δ{k}"] for k in (1, 2, 3)}
    lines["y_pred"] = re.search(r"return .*(σ\(z3\))", source)[1]  # type: ignore[index]
    lines["L"] = inspect.getsource(manual.half_mse).split("return ")[-1].strip()
    return lines


def step_source() -> str:
    """Return the NumPy program that the compiler writes of one training step."""
    run = RUNS["data_X"]
    X, y, parameters = start(run)
    net = network.Network(parameters, run.activation)
    step = network.compiled(net, SGD(net.parameters, lr=run.lr), "numpy")
    step(X, y)
    return str(step.source)


def results(outcomes: Outcomes, figures: Figures) -> list[str]:
    """Show both data sets, the accuracies and the learning curves."""
    both = [outcomes[run_id] for run_id in ("data_100", "data_X") if run_id in outcomes]
    words = Both(
        " ".join(f"{outcome.run.id}: {outcome.accuracy} points right after {outcome.epochs:,} epochs." for outcome in both),
        " ".join(f"{outcome.run.id}：{outcome.epochs:,} 個 epoch 之後，{outcome.accuracy} 個點正確。" for outcome in both),
    )
    return [
        heading(2, "results", "3. Results", "3. 測試結果"),
        heading(3, "prediction", "A. Ground truth and prediction", "A. Ground truth 與 prediction"),
        *figure(
            figures,
            "data_100",
            "data_100. The background shows the label that the trained network gives to every point.",
            "data_100。背景是訓練後的 network 給每個點的 label。",
        ),
        *figure(figures, "data_X", "data_X, in the same way.", "data_X，同樣的畫法。"),
        heading(3, "accuracy", "B. Accuracy", "B. Accuracy"),
        *(measured(words) if both else []),
        heading(3, "curves", "C. Learning curves", "C. Learning curve"),
        *figure(
            figures,
            "learning_curves",
            "The losses of both data sets. Each ring is a loss that the report printed.",
            "兩種 data 的 loss。每個圓圈是報告印出的一個 loss。",
        ),
        *loss_tables(outcomes, "data_100", "data_X"),
    ]


def discussion(outcomes: Outcomes, figures: Figures) -> list[str]:
    """Compare learning rates, hidden sizes and activations, each with its conclusion."""
    return [
        heading(2, "discussion", "4. Discussion", "4. 討論"),
        element("p", "All of these train on data_X.", "以下都用 data_X 訓練。"),
        heading(3, "rates", "A. Different learning rates", "A. 不同的 learning rate"),
        *told(outcomes, ("data_X", "data_X_lr_0.01"), about_learning_rates),
        *figure(
            figures,
            "learning_rates",
            "Learning rates 0.1 and 0.01: losses, and predictions at the end.",
            "learning rate 0.1 與 0.01：loss，以及最後的 prediction。",
        ),
        *loss_tables(outcomes, "data_X_lr_0.01"),
        heading(3, "sizes", "B. Different numbers of hidden units", "B. 不同的 hidden unit 數目"),
        *told(outcomes, ("data_X_lr_0.01", "data_X_hidden_100"), about_hidden_sizes),
        *figure(
            figures,
            "hidden_sizes",
            "10 and 100 hidden units at the learning rate 0.01: losses, and predictions at the end.",
            "learning rate 0.01 時的 10 與 100 個 hidden unit：loss，以及最後的 prediction。",
        ),
        *loss_tables(outcomes, "data_X_hidden_100"),
        heading(3, "none", "C. Without activation functions", "C. 不使用 activation function"),
        *told(outcomes, ("data_X_no_activation",), about_no_activation),
        *figure(
            figures,
            "no_activation",
            "Left: the first losses. Right: what the best linear function predicts.",
            "左：最初的 loss。右：最好的線性函數所做的 prediction。",
        ),
        *loss_tables(outcomes, "data_X_no_activation"),
    ]


def training(playground: Both | None) -> list[str]:
    """Show the page in which the network trains."""
    if playground is None:
        return []
    return [
        heading(2, "training", "5. Watch it train", "5. 看它訓練"),
        *shown_page(
            playground,
            "The same network trains here, in this page, by the JavaScript that the engine writes of its compiled step: data, layers, "
            "activation and learning rate can be chosen. In a window of its own:",
            "同一個 network 在這個頁面裡訓練，執行的是引擎由編譯後的步驟寫出的 JavaScript；data、層數、activation 與 learning "
            "rate 都可以選擇。在自己的視窗開啟：",
        ),
    ]


def about_learning_rates(fast: Outcome, slow: Outcome) -> Both:
    """Measure how many epochs a small learning rate costs."""
    reached = np.flatnonzero(fast.losses <= slow.losses[-1])
    en = (
        f"After {slow.epochs:,} epochs the loss is {fast.losses[-1]:.3g} with the learning rate {fast.run.lr:g} "
        f"({fast.accuracy} points right) and {slow.losses[-1]:.3g} with {slow.run.lr:g} ({slow.accuracy} points right). "
    )
    zh = (
        f"{slow.epochs:,} 個 epoch 之後，learning rate {fast.run.lr:g} 的 loss 是 {fast.losses[-1]:.3g}（{fast.accuracy} 個點正確），"
        f"{slow.run.lr:g} 的是 {slow.losses[-1]:.3g}（{slow.accuracy} 個點正確）。"
    )
    if reached.size:
        epochs = int(reached[0]) + 1
        times = f"{slow.epochs / epochs:.1f}"
        en += (
            f"The larger rate came as far as that after {epochs:,} epochs: a rate {fast.run.lr / slow.run.lr:.0f} times smaller "
            f"needs {times} times the epochs. "
        )
        zh += (
            f"較大的 learning rate 只要 {epochs:,} 個 epoch 就到達同樣的 loss："
            f"小 {fast.run.lr / slow.run.lr:.0f} 倍的 learning rate 需要 {times} 倍的 epoch。"
        )
    return Both(
        en + "A rate that is too large may not converge at all: section C shows how that looks.",
        zh + "太大的 learning rate 則可能完全無法收斂，C 節可以看到那種情形。",
    )


def about_hidden_sizes(small: Outcome, large: Outcome) -> Both:
    """Measure what more hidden units bring, and what they cost."""
    growth = large.seconds_per_epoch / small.seconds_per_epoch
    few, many = (h * h + 5 * h + 1 for h in (small.run.hidden_dim, large.run.hidden_dim))
    before, after = (outcome.seconds_per_epoch * 1e6 for outcome in (small, large))
    return Both(
        f"{large.run.hidden_dim} hidden units instead of {small.run.hidden_dim} bring the loss after {large.epochs:,} epochs from "
        f"{small.losses[-1]:.3g} to {large.losses[-1]:.3g}, and the accuracy from {small.accuracy} to {large.accuracy}. "
        f"The price is time: an epoch takes {after:.0f} µs instead of {before:.0f} µs, "
        f"{growth:.1f} times as long, with {many / few:.0f} times the parameters ({many:,} instead of {few:,}).",
        f"hidden unit 由 {small.run.hidden_dim} 增加到 {large.run.hidden_dim}，{large.epochs:,} 個 epoch 之後的 loss 由 "
        f"{small.losses[-1]:.3g} "
        f"變成 {large.losses[-1]:.3g}，accuracy 由 {small.accuracy} 變成 {large.accuracy}。代價是時間：一個 epoch 由 "
        f"{before:.0f} µs 變成 "
        f"{after:.0f} µs，是 {growth:.1f} 倍；參數是 {many / few:.0f} 倍（{few:,} 變成 {many:,}）。",
    )


def about_no_activation(outcome: Outcome) -> Both:
    """Measure where the loss overflows, and what a linear function could do at best."""
    y_pred, _ = best_linear(outcome.X, outcome.y)
    right = int(((y_pred > 0.5) == outcome.y).sum())
    overflow = outcome.overflow or f"in {outcome.epochs:,} epochs the loss does not become nan"
    infinite, missing = outcome.first_overflow
    before = "" if infinite is None else f"第 {infinite} 個 epoch 變成 inf，"
    overflow_zh = (
        f"{outcome.epochs:,} 個 epoch 之內 loss 沒有變成 nan"
        if missing is None
        else f"loss 會 overflow：{before}從第 {missing} 個 epoch 起是 nan，因為沒有東西限制各層的輸出"
    )
    return Both(
        f"With the learning rate {outcome.run.lr:g} {overflow}. Even the best weights would not help: without activations the network "
        f"is a linear function of its inputs, and the best of those by least squares has {right} of {outcome.y.size} points right.",
        f"learning rate 為 {outcome.run.lr:g} 時，{overflow_zh}。即使有最好的 weight 也沒有幫助：沒有 activation 的 network "
        f"只是輸入的線性函數，"
        f"而最小平方法求得的最好的線性函數只有 {right}/{outcome.y.size} 個點正確。",
    )


def told(outcomes: Outcomes, needed: tuple[str, ...], tell: Callable[..., Both]) -> list[str]:
    """Return a conclusion if the runs that it needs are there."""
    return measured(tell(*(outcomes[i] for i in needed))) if all(i in outcomes for i in needed) else []


def measured(words: Both) -> list[str]:
    """Return a conclusion that was measured here."""
    return [element("p", html.escape(words.en), html.escape(words.zh), ' class="measured"')]


def figure(figures: Figures, name: str, en: str, zh: str) -> list[str]:
    """Return a figure for light and for dark paper, if it was drawn."""
    return picture(figures[name], Both(html.escape(en), html.escape(zh)), name) if name in figures else []


def picture(themes: dict[str, bytes], caption: Both, name: str) -> list[str]:
    """Return a picture for light and for dark paper, with its caption; in both languages, if there are words in it."""
    spoken = [
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{data_uri(themes[f"dark{language}"])}">'
        f'<img alt="" aria-labelledby="of-{name}" src="{data_uri(themes[f"light{language}"])}"></picture>'
        for language in ("", "-zh")
        if f"dark{language}" in themes
    ]
    shown = Both(*spoken).html() if len(spoken) == 2 else spoken[0]
    return [f'<figure class="{name}">{shown}<figcaption id="of-{name}">{caption.html()}</figcaption></figure>']


def data_uri(svg: bytes) -> str:
    """Return an SVG picture as an address that holds it."""
    return f"data:image/svg+xml;base64,{b64encode(svg).decode()}"


def code(source: str) -> str:
    """Return source text, at the left margin."""
    return f"<pre>{html.escape(textwrap.dedent(source).strip())}</pre>"


def table(caption: Both, head: Sequence[Both], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """Return a table of cells of HTML."""
    heads = "".join(f"<th>{words.html()}</th>" for words in head)
    lines = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>" for cells in rows)
    return (
        f'<div class="table"><table class="{kind}"><caption>{caption.html()}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table></div>"
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
            outcome.run.activation or Both("none", "無").html(),
            f"{outcome.epochs:,}",
            outcome.accuracy or Both("all nan", "全是 nan").html(),
            in_words(outcome.worst_difference),
            f"{outcome.timing.rest:.1f}",
        )
        for run_id, outcome in outcomes.items()
    ]
    head = [
        Both("run", "訓練"), Both("learning rate", "learning rate"), Both("hidden units", "hidden unit"), Both("activation", "activation"),
        Both("epochs", "epoch"), Both("accuracy", "accuracy"), Both("worst difference", "最大差異"), Both("seconds", "秒"),
    ]  # fmt: skip
    caption = Both(
        f"The runs. Worst difference: relative, from the losses that the report printed; up to {TOLERANCE:g} counts as agreement.",
        f"各次訓練。最大差異：相對於報告印出的 loss；不超過 {TOLERANCE:g} 算相符。",
    )
    return table(caption, head, rows, kind="name")


def loss_tables(outcomes: Outcomes, *run_ids: str) -> list[str]:
    """Return for each run that is there the table of its losses, each above the printed one; what is nan in both is one row."""
    tables = []
    for outcome in (outcomes[run_id] for run_id in run_ids if run_id in outcomes):
        printed, rows, folded = PRINTED[outcome.run.id].losses, [], []
        for epoch, loss in outcome.printed_epochs.items():
            if math.isnan(loss) and math.isnan(printed.get(epoch, 0.0)):
                folded.append(epoch)
            else:
                rows.append((f"{epoch:,}", one_above_the_other(loss, printed.get(epoch)), in_words(outcome.differences.get(epoch))))
        if folded:
            epochs = " … ".join(f"{epoch:,}" for epoch in dict.fromkeys((folded[0], folded[-1])))
            rows.append(
                (
                    epochs,
                    Both(f"nan, as printed ({len(folded)} row{'s' * (len(folded) > 1)})", f"nan，與報告相同（{len(folded)} 列）").html(),
                    "0",
                )
            )
        caption = Both(
            f"{outcome.run.id}: losses. Above: computed here; below: printed in the report. Marked: where the digits part.",
            f"{outcome.run.id} 的 loss。上：這裡算出的；下：報告印出的。標記處是數字開始不同的地方。",
        )
        head = [Both("epoch", "epoch"), Both("loss", "loss"), Both("relative difference", "相對差異")]
        tables.append(table(caption, head, rows, kind="losses"))
    return ['<div class="tables">', *tables, "</div>"] if tables else []


def one_above_the_other(ours: float, printed: float | None) -> str:
    """Return two numbers, digit under digit, with the digits marked from the first that differs."""
    if printed is None:
        return repr(ours)
    texts = [repr(ours), repr(printed)]
    same = next((i for i, (a, b) in enumerate(zip(*texts)) if a != b), min(map(len, texts)))
    return "<br>".join(f"{text[:same]}<mark>{text[same:]}</mark>" if text[same:] else text for text in texts)
