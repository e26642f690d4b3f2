"""The homework report: its facts, its delta equations as the oracle of the tensor network, and its command."""

from __future__ import annotations

import html
import inspect
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import examples.report.experiments as experiments
import tinygrad_hw as tg
from examples.languages import Both
from examples.report import manual, network
from examples.report.__main__ import main
from examples.report.data import PARAMETERS, data_X
from examples.report.experiments import PRINTED, RUNS, Outcome, Timing, as_json, difference, first_loss, start, train, train_by_hand
from examples.report.figures import FIGURES, draw_all
from examples.report.page import page
from tinygrad_hw import Tensor
from tinygrad_hw.drawing import LayoutError

SIGMOID_RUNS = [run for run in RUNS.values() if run.activation == "sigmoid"]
ROOT = Path(__file__).parent.parent


# The facts of the report


def test_random_stream_gives_the_reports_points_and_first_parameters():
    X, y, parameters = start(RUNS["data_100"])
    assert X[0] == pytest.approx([0.3219883, 0.89042245], abs=1e-8)
    assert (y[0, 0], y.sum(), y.shape) == (1, 55, (100, 1))
    assert parameters["b3"] == pytest.approx([0.10981172], abs=1e-8)


def test_parameters_are_the_same_on_both_data_sets():
    (_, _, first), (_, _, second) = start(RUNS["data_100"]), start(RUNS["data_X"])
    assert all((first[name] == second[name]).all() for name in PARAMETERS)


def test_data_X_lies_on_both_diagonals_and_has_the_centre_once():
    X, y = data_X()
    assert X.shape == (21, 2) and y.sum() == 10
    assert np.allclose(X[y[:, 0] == 0] @ [1, -1], 0) and np.allclose(X[y[:, 0] == 1].sum(axis=1), 1)
    assert X[:3].tolist() == [[0, 0], [0, 1], [0.1, 0.1]]


@pytest.mark.parametrize(("run_id", "loss"), [("data_100", 0.2395479122723064), ("data_X", 0.20579753424856398)])
def test_first_loss_is_the_reports(run_id, loss):
    assert train(RUNS[run_id], epochs=1).losses[0] == pytest.approx(loss, rel=1e-14)


def test_printed_losses_are_70_numbers_and_20_nan():
    losses = [loss for printed in PRINTED.values() for loss in printed.losses.values()]
    assert (len(losses), sum(map(math.isnan, losses))) == (90, 20)
    assert {run_id: max(printed.losses) for run_id, printed in PRINTED.items()} == {run.id: run.epochs for run in RUNS.values()}


def test_losses_after_5000_epochs_are_the_printed_ones():
    """The whole runs take minutes, and the command itself compares them; the quickest runs' first printed losses stand for them here."""
    for run_id in ("data_X", "data_X_no_activation"):
        outcome = train(RUNS[run_id], epochs=5000)
        assert list(outcome.differences) == [5000] and outcome.worst_difference <= 1e-12


# The tensor network against the delta equations


@pytest.mark.parametrize("run", SIGMOID_RUNS, ids=lambda run: run.id)
def test_first_1000_losses_are_those_of_the_delta_equations(run):
    tensors, by_hand = train(run, epochs=1000), train_by_hand(run, epochs=1000)
    assert np.abs(tensors.losses / by_hand.losses - 1).max() <= 1e-12
    assert (tensors.right == by_hand.right).all()


def test_without_activation_the_loss_is_inf_at_epoch_5_and_nan_from_epoch_6_on():
    run = RUNS["data_X_no_activation"]
    tensors, by_hand = train(run, epochs=1000), train_by_hand(run, epochs=1000)
    assert np.abs(tensors.losses[:4] / by_hand.losses[:4] - 1).max() <= 1e-12
    for outcome in (tensors, by_hand):
        assert np.isfinite(outcome.losses[:4]).all() and outcome.losses[4] == np.inf and np.isnan(outcome.losses[5:]).all()
        assert outcome.first_overflow == (5, 6) and outcome.accuracy is None and not outcome.right.any()


@st.composite
def networks(draw):
    """Draw sizes, parameters, points, labels and an activation; entries are 0 first, then simple, then any."""
    d, h, k, m, n = (draw(st.integers(1, 5), label=what) for what in ("inputs", "hidden 1", "hidden 2", "outputs", "points"))
    entries = st.one_of(st.just(0.0), st.sampled_from([1.0, -1.0, 0.5]), st.floats(-3, 3, allow_subnormal=False))

    def array(*shape):
        return np.array(draw(st.lists(entries, min_size=math.prod(shape), max_size=math.prod(shape)))).reshape(shape)

    shapes = ((d, h), (h,), (h, k), (k,), (k, m), (m,))
    parameters = {name: array(*shape) for name, shape in zip(PARAMETERS, shapes)}
    return parameters, array(n, d), array(n, m), draw(st.sampled_from(["sigmoid", "tanh", None]))


def complex_step(parameters, X, y, activation, name, index):
    """Return ∂L/∂x as Im L(x + iε) / ε, exact to the last digits since nothing is subtracted."""
    shifted = {key: value.astype(complex) for key, value in parameters.items()}
    shifted[name][index] += 1e-100j
    return manual.loss(shifted, X, y, activation).imag / 1e-100


@given(networks())
@settings(max_examples=60, deadline=None)
def test_gradients_of_tensors_delta_equations_and_complex_step_agree(drawn):
    parameters, X, y, activation = drawn
    net = network.Network(parameters, activation)
    loss = network.loss(Tensor(y), net(Tensor(X)))
    loss.backward()
    value, expected = manual.gradients(parameters, X, y, activation)
    assert loss.item() == pytest.approx(value, rel=1e-13, abs=1e-300)
    for tensor, (name, gradient) in zip(net.parameters, expected.items()):
        scale = 1e-12 * max(1, *(np.abs(g).max() for g in expected.values()))
        assert tensor.name == name and tensor.grad.shape == gradient.shape
        assert np.abs(tensor.grad - gradient).max() <= scale
        exact = [complex_step(parameters, X, y, activation, name, index) for index in np.ndindex(gradient.shape)]
        assert np.abs(gradient.ravel() - exact).max() <= scale
        assert np.abs(tensor.grad.ravel() - exact).max() <= scale


def test_prediction_does_not_depend_on_the_other_points():
    X, _, parameters = start(RUNS["data_X"])
    net = network.Network(parameters)
    assert net(Tensor(X[:1])).numpy() == pytest.approx(net(Tensor(X)).numpy()[:1], rel=1e-15)


# What an outcome says of itself


def outcome_of(run_id, losses, right=21):
    """Return an outcome with these losses and the first ``right`` points right."""
    run = RUNS[run_id]
    X, y, _ = start(run)
    y_pred = np.where(np.arange(len(y)) < right, y[:, 0], 1 - y[:, 0])[:, None]
    return Outcome(run, np.asarray(losses, float), Timing(0.1, 1.0, 0.001), X, y, y_pred, np.zeros((221, 221)))


def exactly_as_printed(run_id):
    losses = np.full(RUNS[run_id].epochs, 0.1)
    for epoch, loss in PRINTED[run_id].losses.items():
        losses[epoch - 1] = loss
    return losses


@pytest.mark.parametrize(("ours", "printed", "expected"), [(math.nan, math.nan, 0), (math.nan, 1, math.inf), (1, math.nan, math.inf)])
def test_nan_equals_nan_alone(ours, printed, expected):
    assert difference(ours, printed) == expected


def test_an_outcome_agrees_up_to_1e_12_and_no_further():
    losses = exactly_as_printed("data_X")
    assert outcome_of("data_X", losses).agrees
    losses[4999] *= 1 + 5e-13
    assert outcome_of("data_X", losses).agrees
    losses[4999] *= 1 + 5e-12
    assert not outcome_of("data_X", losses).agrees
    losses[4999] = math.nan
    assert not outcome_of("data_X", losses).agrees


def test_an_outcome_agrees_only_with_the_printed_accuracy():
    assert not outcome_of("data_X", exactly_as_printed("data_X"), right=20).agrees


@pytest.fixture
def no_programs(monkeypatch):
    """Leave out the playground's programs, which take a second to make."""
    monkeypatch.setattr("examples.report.__main__.programs", dict)


@pytest.mark.usefixtures("no_programs")
def test_a_loss_that_differs_from_the_printed_one_is_exit_status_1(tmp_path, monkeypatch, capsys):
    wrong = outcome_of("data_X", exactly_as_printed("data_X") * (1 + 1e-9))
    monkeypatch.setattr("examples.report.__main__.train_all", lambda runs, epochs, jobs, trainer: iter([wrong]))
    monkeypatch.setattr("examples.report.__main__.save", lambda outcomes, folder: None)
    assert main(["--run", "data_X", "--out", str(tmp_path)]) == 1
    assert re.search(r"data_X +1\.0e-09 +21/21 .*differs from the report", capsys.readouterr().out)


def test_json_has_the_form_of_the_printed_losses():
    printed = json.loads((ROOT / "examples/report/printed_losses.json").read_text())
    outcomes = [outcome_of(run_id, exactly_as_printed(run_id), right=100) for run_id in RUNS]
    ours = json.loads(as_json(outcomes))
    assert ours.keys() == printed.keys() and ours["loss"] == printed["loss"]
    assert [run | {"accuracy": None} for run in ours["runs"]] == [run | {"accuracy": None} for run in printed["runs"]]


# Figures and page


@pytest.fixture(scope="module")
def short_outcomes():
    return {run_id: train(run, epochs=20) for run_id, run in RUNS.items()}


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Run the whole command once, as a user does, for as many epochs as ``short_outcomes``."""
    folder = tmp_path_factory.mktemp("report") / "new" / "folder"
    arguments = [sys.executable, "-m", "examples.report", "--epochs", "20", "--jobs", "2", "--out", str(folder)]
    return subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=120), folder


THEMES = ("light", "dark", "light-zh", "dark-zh")


@pytest.fixture(scope="module")
def figures(command):
    _, folder = command
    return {name: {theme: (folder / f"{name}-{theme}.svg").read_bytes() for theme in THEMES} for name in FIGURES}


def test_every_figure_is_an_svg_for_light_and_for_dark_paper(figures):
    for themes in figures.values():
        assert all(ElementTree.fromstring(svg).tag.endswith("svg") for svg in themes.values())
        assert b"#ffffff" in themes["light"] and b"#16181c" in themes["dark"]


def test_the_words_of_a_figure_are_text_and_in_chinese_no_english_sentence_is_left(figures):
    terms = {
        "data",
        "data_X",
        "data_100",
        "label",
        "Ground",
        "truth",
        "Prediction",
        "epoch",
        "loss",
        "learning",
        "rate",
        "hidden",
        "unit",
        "sigmoid",
        "activation",
        "inf",
        "nan",
    }
    for themes in figures.values():
        for theme in ("light", "dark"):
            english, chinese = (
                [e.text for e in ElementTree.fromstring(themes[t]).iter() if e.tag.endswith("text")] for t in (theme, f"{theme}-zh")
            )
            assert len(english) == len(chinese) and any(english)
            assert {word for text in chinese for word in re.findall("[A-Za-z_]+[0-9]*", text or "")} <= terms
        assert any(re.search("[\u4e00-\u9fff]", text or "") for text in chinese)


def test_no_colour_of_light_paper_is_left_on_dark_paper(figures):
    for themes in figures.values():
        used = [set(re.findall(rb"#[0-9a-f]{6}\b", themes[theme])) for theme in ("light", "dark")]
        assert not used[0] & used[1]


def test_the_same_outcomes_draw_the_same_bytes(short_outcomes, figures):
    assert draw_all({"data_X": short_outcomes["data_X"]}) == {"data_X": figures["data_X"]}


class Loads(HTMLParser):
    """Collect what a page would load, and see that every element is closed."""

    def __init__(self):
        super().__init__()
        self.addresses, self.tags, self.open = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "srcset", "href", "data", "action", "poster")]
        if tag not in ("meta", "img", "source", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read_page(text):
    loads = Loads()
    loads.feed(text)
    loads.close()
    return loads


def test_page_loads_nothing_from_elsewhere(short_outcomes, figures):
    text = page(short_outcomes, figures, graph={"light": b"<svg/>", "dark": b"<svg/>"})
    loads = read_page(text)
    inside = [address for address in loads.addresses if address.startswith("#")]
    assert len(loads.addresses) == 4 * len(FIGURES) + 2 + len(inside) and len(inside) == len(re.findall("<h[23] ", text))
    assert all(f'id="{address[1:]}"' in text for address in inside)
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in loads.addresses)
    assert not {"link", "iframe", "object", "base"} & set(loads.tags) and loads.tags.count("script") == 1 and not loads.open
    assert not re.search(r"https?:|url\(|@import", text.replace("http://www.w3.org/1998/Math/MathML", ""))
    assert "default-src 'none'" in text and text.count("prefers-color-scheme: dark") == 2 + 2 * len(FIGURES)


def test_page_tells_each_section_with_its_measured_conclusion(short_outcomes, figures):
    text = page(short_outcomes, figures)
    headings = re.findall('<h[23] id="[^"]*"><span lang="en">(.*?)</span><span lang="zh-Hant">(.*?)</span></h[23]>', text)
    assert [en for en, _ in headings] == [
        "1. Introduction", "2. Experiment setups", "A. Sigmoid function", "B. Neural network", "C. Backpropagation", "3. Results",
        "A. Ground truth and prediction", "B. Accuracy", "C. Learning curves", "4. Discussion", "A. Different learning rates",
        "B. Different numbers of hidden units", "C. Without activation functions",
    ]  # fmt: skip
    assert [zh for _, zh in headings][::3] == [
        "1. 簡介",
        "B. Neural network",
        "A. Ground truth 與 prediction",
        "4. 討論",
        "C. 不使用 activation function",
    ]
    assert text.count('class="measured"') == 4
    few, many = (short_outcomes[run_id].seconds_per_epoch for run_id in ("data_X_lr_0.01", "data_X_hidden_100"))
    assert f"{many / few:.1f} times as long, with 70 times the parameters (10,501 instead of 151)" in text
    assert "the loss overflows: it is inf at epoch 5 and nan from epoch 6 on" in text
    assert "has 11 of 21 points right" in text and "只有 11/21 個點正確" in text
    assert f"是 {many / few:.1f} 倍；參數是 70 倍（151 變成 10,501）" in text
    assert "第 5 個 epoch 變成 inf，從第 6 個 epoch 起是 nan" in text


def test_what_is_said_in_one_language_is_said_in_the_other(short_outcomes, figures):
    text = page(
        short_outcomes,
        figures,
        graph={"light": b"<svg/>", "dark": b"<svg/>"},
        stepper=Both("graph.html", "graph-zh.html"),
        playground=Both(*2 * ["playground.html"]),
    )
    pairs = re.findall(r'<span lang="en">(.*?)</span><span lang="zh-Hant">(.*?)</span>', text)
    assert len(pairs) == text.count('<span lang="en">') == text.count('<span lang="zh-Hant">') > 60
    for en, zh in [pair for pair in pairs if not pair[0].startswith("<picture>")]:
        numbers = [sorted(re.findall(r"\d+(?:[.,]\d+)*(?:e-\d+)?", words)) for words in (en, zh)]
        assert set(numbers[0]) - {"0", "1"} == set(numbers[1]) - {"0", "1"} or "Two " in en or "11" in en or "21" in en, (en, zh)
        assert zh == en or re.search("[\u4e00-\u9fff]", zh) or en in ("learning rate", "hidden units", "epochs", "C. Learning curves"), zh
    prose = re.sub(r"<(pre|code|math|style|script|figcaption|title|span)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert not re.search(r">[^<]*[a-z]{4} [a-z]{3,} [a-z]{3,}[^<]*<", prose), "words outside of both languages"


def test_page_puts_computed_losses_beside_printed_ones():
    losses = exactly_as_printed("data_X")
    losses[4999] *= 1 + 1e-15
    outcome, overflowing = outcome_of("data_X", losses), outcome_of("data_X_no_activation", exactly_as_printed("data_X_no_activation"))
    text = page({"data_X": outcome, "data_X_no_activation": overflowing}, {})
    beside = re.search(r"<td>5,000</td><td>([\d.]+)<mark>(\d+)</mark><br>([\d.]+)(?:<mark>(\d+)</mark>)?</td><td>(\S+)</td>", text)
    assert beside[1] == beside[3] and float(beside[1] + beside[2]) == losses[4999] and 0 < float(beside[5]) < 2e-15
    assert beside[1] + (beside[4] or "") == "0.1196865986809471"
    assert "nan, as printed (20 rows)" in text and "5,000 … 100,000" in text
    assert "Not finished, so not shown: data_100, data_X_lr_0.01, data_X_hidden_100." in text


def test_page_shows_the_delta_equations_and_the_code_that_ran(short_outcomes):
    text = page(short_outcomes, {})
    for function in (manual.forward, manual.gradients, manual.step):
        assert html.escape(inspect.getsource(function).strip()) in text
    assert "    a1 = σ(X @ self.W1 + self.b1)\n    a2 = σ(a1 @ self.W2 + self.b2)\n" in text


def test_each_derived_equation_stands_beside_the_code_by_hand_and_the_compiled_line(short_outcomes):
    text = html.unescape(page(short_outcomes, {}))
    rows = re.findall(r"<tr><td><code>(.*?)</code></td><td>\((\d+)\) (.*?)</td><td><code>(.*?)</code></td></tr>", text)
    assert [int(number) for _, number, _, _ in rows] == list(range(1, 17))
    by_number = {int(number): (by_hand, compiled) for by_hand, number, _, compiled in rows}
    assert by_number[11] == ('δ2 = np.dot(δ3, p["W3"].T) * derivative(z2)', "delta2 = delta3 @ W3.T * (a2 * (1 / t4))")
    assert by_number[8][1].startswith("delta3 = (1 / 21) * ") and by_number[9][0] == '"W3": np.dot(a2.T, δ3) / N'


def test_the_derived_delta_is_the_one_by_hand_divided_by_n_as_the_page_says():
    X, y, p = start(RUNS["data_X"])
    (_, _, z3), (*_, y_pred) = manual.forward(p, X, "sigmoid")
    by_hand = (y_pred - y) * manual.ACTIVATIONS["sigmoid"][1](z3)
    (derived,) = [value for equation, value in tg.explain(first_loss(RUNS["data_X"])).computed() if equation.text.startswith("δ₃ =")]
    np.testing.assert_allclose(derived, by_hand / len(y), rtol=1e-12)


# The command


def test_command_prints_as_the_report_did_and_a_log_gets_a_line_for_each_tenth_at_most(command):
    process, _ = command
    assert process.returncode == 0
    assert re.search(r"^epoch 20, train_loss: 0\.\d+$", process.stdout, re.M)
    assert "\nepoch 20, train_loss: nan\nthe loss overflows: it is inf at epoch 5 and nan from epoch 6 on" in process.stdout
    assert all(re.search(rf"^{re.escape(run_id)} +- +", process.stdout, re.M) for run_id in RUNS)
    assert all(f"{run_id}: 100%, 20 of 20 epochs\n" in process.stderr for run_id in RUNS)
    assert "\r" not in process.stderr and "\x1b" not in process.stderr and process.stderr.count("\n") <= 10 * len(RUNS)
    assert "Warning" not in process.stderr and "Traceback" not in process.stderr


def test_command_writes_losses_figures_and_page(command):
    _, folder = command
    files = {path.name for path in folder.iterdir()}
    assert {"losses.json", "report.html", "graph.html", "graph-zh.html", "playground.html"} | {
        f"{name}-{theme}.svg" for name in ("graph", *FIGURES) for theme in THEMES
    } <= files
    loads = read_page((folder / "report.html").read_text(encoding="utf-8"))
    outside = [address for address in loads.addresses if not address.startswith(("data:", "#"))]
    assert outside == 2 * ["graph.html", "graph-zh.html"] + 3 * ["playground.html"] and not loads.open
    assert len(json.loads(re.search('id="data">(.*?)</script>', (folder / "graph.html").read_text(encoding="utf-8"))[1])["epochs"]) == 20


def test_the_report_shows_the_delta_equations_that_the_graph_implies_beside_its_own(command):
    text = (command[1] / "report.html").read_text(encoding="utf-8")
    equations = tg.explain(first_loss(RUNS["data_X"]))
    assert all(equation.mathml in text for equation in (*equations.forward, *equations.backward))
    assert equations.backward[0].text == "δ₃ = (ŷ − y) ⊙ σ′(z₃) / N"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_in_a_browser_the_page_fits_and_one_switch_changes_its_language_and_the_playgrounds(browser, command, scheme, width):
    address = (command[1] / "report.html").as_uri()
    browser.emulate(scheme, width=width)
    browser.open(address)
    assert browser.run("return document.documentElement.scrollWidth") <= width
    background = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert "1. Introduction" in browser.text("body") and "簡介" not in browser.text("body")
    ids = [browser.run("return !document.getElementById(arguments[0])", language) for language in ("en", "zh-Hant")]
    assert all(ids)  # (the playground is told the language by its address, which would scroll the report to an element of that id)
    browser.click("#zh")
    chinese = browser.text("body")
    assert "1. 簡介" in chinese and "Introduction" not in chinese
    assert browser.run("return [document.documentElement.lang, document.querySelector('iframe[data-src]').src]") == [
        "zh-Hant", address.replace("report.html", "playground.html#zh-Hant"),
    ]  # fmt: skip
    browser.run("document.querySelectorAll('iframe').forEach((frame) => frame.scrollIntoView())")
    asked, end = set(), time.monotonic() + 5
    while not {"graph-zh.html", "playground.html"} <= asked and time.monotonic() < end:
        asked |= {url.split("#")[0].rsplit("/", 1)[1] for url in browser.requests() if not url.startswith("data:")}
    assert {"report.html", "graph-zh.html", "playground.html"} <= asked <= {"report.html", "graph.html", "graph-zh.html", "playground.html"}
    assert browser.messages() == []


@pytest.mark.usefixtures("no_programs")
def test_without_a_layout_engine_the_report_is_written_without_the_graph(tmp_path, monkeypatch, capsys):
    def missing(loss, **options):
        raise LayoutError("there is no layout engine")

    monkeypatch.setattr("examples.report.__main__.draw", missing)
    assert main(["--run", "data_X_no_activation", "--epochs", "3", "--jobs", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().err.endswith("the computation graph is not drawn: there is no layout engine\n")
    assert {path.name for path in tmp_path.iterdir()} == {"losses.json", "report.html", "playground.html"}


def test_runs_side_by_side_give_what_runs_alone_give(command, short_outcomes):
    _, folder = command
    assert (folder / "losses.json").read_text() == as_json(list(short_outcomes.values()))


@pytest.mark.usefixtures("no_programs")
def test_a_chosen_run_is_trained_once_and_alone(tmp_path, capsys):
    assert main(["--run", "data_X", "--run", "data_X", "--epochs", "10", "--jobs", "1", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("epoch 10, train_loss") == 1
    assert [run["id"] for run in json.loads((tmp_path / "losses.json").read_text())["runs"]] == ["data_X"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "data_Y"], "argument --run: there is no run 'data_Y'; the runs are data_100, data_X, data_X_lr_0.01, "),
        (["--epochs", "0"], "argument --epochs: '0' is not a whole number from 1 on"),
        (["--epochs", "-3"], "argument --epochs: '-3' is not a whole number from 1 on"),
        (["--epochs", "many"], "argument --epochs: 'many' is not a whole number from 1 on"),
        (["--epochs", "²"], "argument --epochs: '²' is not a whole number from 1 on"),
        (["--jobs", "1.5"], "argument --jobs: '1.5' is not a whole number from 1 on"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["--out", "FILE/below"], "argument --out: cannot write to the folder 'FILE/below': Not a directory"),
        (["--out", "FILE"], "argument --out: cannot write to the folder 'FILE': File exists"),
        (["--out", "/proc"], "argument --out: cannot write to the folder '/proc': "),
        (["--out", "a\0b"], "argument --out: cannot write to the folder 'a\\x00b': embedded null byte"),
    ],
)
def test_a_wrong_command_is_one_line_and_status_2_before_any_training(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("")
    monkeypatch.setattr("examples.report.__main__.train_all", lambda *args: pytest.fail("training started"))
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    out, err = capsys.readouterr()
    assert stopped.value.code == 2 and out == ""
    assert err.startswith(f"python -m examples.report: {message}") and err.count("\n") == 1


@pytest.mark.usefixtures("no_programs")
def test_ctrl_c_keeps_what_is_finished_and_says_what_is_not(tmp_path, monkeypatch, capsys):
    def interrupted(runs, epochs, jobs, trainer):
        yield train(RUNS["data_X"], epochs)
        raise KeyboardInterrupt

    monkeypatch.setattr("examples.report.__main__.train_all", interrupted)
    chosen = ["--run", "data_X", "--run", "data_100", "--run", "data_X_hidden_100"]
    assert main([*chosen, "--epochs", "10", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "interrupted; finished: data_X; not finished: data_100, data_X_hidden_100\n"
    assert [run["id"] for run in json.loads((tmp_path / "losses.json").read_text())["runs"]] == ["data_X"]
    assert "Not finished, so not shown: data_100, data_X_lr_0.01" in (tmp_path / "report.html").read_text()


def test_ctrl_c_in_the_terminal_ends_all_processes_without_a_traceback(tmp_path):
    """The signal goes to the workers as well, as a terminal sends it; the run that is finished by then is kept."""
    command = [sys.executable, "-m", "examples.report", "--jobs", "2", "--out", str(tmp_path), "--epochs", "6000"]
    process = subprocess.Popen(
        [*command, "--run", "data_X_hidden_100", "--run", "data_X_no_activation"],
        cwd=ROOT, env=os.environ | {"PYTHONUNBUFFERED": "1"}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    while "the loss overflows" not in process.stdout.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("interrupted; finished: data_X_no_activation; not finished: data_X_hidden_100\n")
    assert "Traceback" not in err
    for _ in range(50):
        if not group_is_alive(process.pid):
            break
        time.sleep(0.1)
    assert not group_is_alive(process.pid)


def group_is_alive(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_longest_run_starts_first(monkeypatch):
    began = []

    def note(run, epochs, tell):
        began.append(run.id)
        return train(run, 1)

    list(experiments.train_all(list(RUNS.values()), None, 1, note))
    assert began[0] == "data_X_hidden_100" and began[-1] == "data_100"


def test_the_losses_of_the_stepping_pages_training_are_the_printed_ones():
    kept = experiments.losses_of(RUNS["data_X"], [1, 2500, 5000])
    assert kept[5000].item() == pytest.approx(PRINTED["data_X"].losses[5000], rel=1e-12)
    assert kept[1].item() == first_loss(RUNS["data_X"]).item()


def test_a_run_is_frozen():
    with pytest.raises(AttributeError):
        RUNS["data_X"].lr = 1.0
    assert replace(RUNS["data_X"], lr=1.0).lr == 1.0
