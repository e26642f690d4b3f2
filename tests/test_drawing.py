"""Drawings: DOT text that never changes by itself, structure of SVG, names, large graphs, and what draw says of its arguments."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import Tensor, nn
from tinygrad_hw.drawing import LayoutError, draw, layout

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def parameter(*shape, name=None):
    return Tensor(np.arange(1.0, 1 + np.prod(shape, dtype=int)).reshape(shape) / 7, requires_grad=True, name=name)


def report():
    """Return the loss of a 2-10-10-1 network with sigmoids."""
    x, y = np.arange(8.0).reshape(4, 2) / 9, np.array([[0.0], [1], [1], [0]])
    sizes = [2, 10, 10, 1]
    a = x
    for k in (1, 2, 3):
        a = tg.sigmoid(a @ parameter(sizes[k - 1], sizes[k], name=f"W{k}") + parameter(sizes[k], name=f"b{k}"))
    return np.mean((y - a) ** 2) / 2


def unnamed():
    x, w = parameter(3), parameter(1, 3)
    return np.sum(np.exp(x) * w + x * x - x.max())


def shared():
    w, h = parameter(2, 2, name="W"), Tensor(np.ones((3, 2)))
    for _ in range(3):
        h = np.tanh(h @ w)
    return (h * h).sum()


def chain():
    t = Tensor(np.ones((3, 2)))
    for k in range(200):
        t = tg.sigmoid(t @ parameter(2, 2, name=f"W{k}") + parameter(2, name=f"b{k}"))
    return t.sum()


class Residual(nn.Module):
    def __init__(self):
        rng = np.random.default_rng(0)
        self.inner = nn.Sequential(nn.Linear(2, 2, rng=rng), nn.ReLU())
        self.head = nn.Linear(2, 1, rng=rng)

    def forward(self, x):
        x = x + self.inner(x)
        return self.head(x + self.inner(x))


def residual():
    return nn.mse_loss(Residual()(np.ones((3, 2))), np.zeros((3, 1)))


def single():
    return parameter(2)


def constant():
    return Tensor([1.0, 2.0])


GRAPHS = {f.__name__: f for f in (report, unnamed, shared, chain, residual, single, constant)}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_dot_text_is_the_one_kept_in_the_repository(name):
    """After a change that is meant, `UPDATE_GOLDEN=1 pytest tests/test_drawing.py` writes the files anew: read their diff."""
    source = draw(GRAPHS[name](), show=("shape", "dtype", "value") if name == "shared" else ("shape",)).dot
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / f"{name}.dot").write_text(source, encoding="utf-8", newline="\n")
    assert source == (GOLDEN / f"{name}.dot").read_text(encoding="utf-8")


def test_every_process_gives_the_same_dot_text():
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_drawing as t; [print(t.draw(f()).dot) for f in t.GRAPHS.values()]"
    texts = []
    for seed in ("0", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-c", code, str(Path(__file__).parent)]
        texts.append(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    assert texts[0] == texts[1]
    assert b"0x" not in texts[0]


needs_layout = pytest.mark.skipif(layout.engine() is None, reason="neither dot nor pygraphviz is there to lay out pictures")


def elements(svg, kind):
    return [g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if kind in g.get("class", "").split()]


def label(element):
    return "\n".join(text.text or "" for text in element.iter(f"{SVG}text"))


@needs_layout
@pytest.mark.parametrize("name", GRAPHS)
def test_svg_has_one_element_for_each_box_arrow_and_module(name):
    drawing = draw(GRAPHS[name](), legend=False)
    svg = drawing.svg()
    assert len(elements(svg, "node")) == len(drawing.picture.boxes)
    assert len(elements(svg, "edge")) == len(drawing.picture.arrows)
    paths = {box.path[:n] for box in drawing.picture.boxes for n in range(1, len(box.path) + 1)}
    assert len(elements(svg, "cluster")) == len(paths)
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"https?://[^\s\"<]+", svg)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


@needs_layout
def test_kinds_differ_by_shape_and_word_and_not_by_colour_alone():
    drawing = draw(report(), legend=False)
    shapes = {}
    for element in elements(drawing.svg(), "node"):
        kind = element.get("class").split()[-1]
        outline = [child.tag.removeprefix(SVG) for child in element if child.tag != f"{SVG}text" and child.tag != f"{SVG}title"]
        shapes.setdefault(kind, (tuple(outline), next(c.get("stroke-width") for c in element if c.get("stroke"))))
        if kind in ("input", "parameter", "loss"):
            assert kind in label(element)
    assert len(set(shapes.values())) == len(shapes) == 4


@needs_layout
def test_png_and_pdf_are_what_they_say():
    drawing = draw(shared())
    png = drawing.png()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    small, large = (int.from_bytes(drawing.png(dpi=dpi)[16:20]) for dpi in (72, 144))
    assert abs(large - 2 * small) <= 4
    assert drawing.pdf().startswith(b"%PDF")


@needs_layout
def test_two_drawings_in_one_page_share_no_id():
    first, second = (set(re.findall(r'\bid="([^"]*)"', draw(f()).svg())) for f in (report, shared))
    assert first and second and not first & second


def test_an_operand_used_twice_has_two_arrows():
    x = parameter(2, name="x")
    picture = draw(x + x).picture
    assert [(picture.boxes[a.tail].name, picture.boxes[a.head].name) for a in picture.arrows] == [("x", "add₁")] * 2


def test_broadcasting_is_said_on_the_arrow_and_reductions_are_none():
    x, b = parameter(3, 2, name="x"), parameter(2, name="b")
    picture = draw((x + b).max(axis=1, keepdims=True)).picture
    notes = {picture.boxes[a.tail].name: (a.note, a.broadcast) for a in picture.arrows}
    assert notes == {"x": ("", False), "b": ("(2,) → (3, 2)", True), "add₁": ("", False)}


def test_no_gradient_flows_along_the_arrows_of_inputs_and_constants():
    x = parameter(2, name="x")
    picture = draw(x * Tensor([1.0, 2.0], name="data") + np.array([3.0, 4.0])).picture
    flows = {picture.boxes[a.tail].kind: a.gradient for a in picture.arrows}
    assert flows == {"parameter": True, "input": False, "result": True, "constant": False}


def test_a_single_number_stands_in_the_formula():
    picture = draw(parameter(2, name="x") ** 3 / 4).picture
    assert [box.formula for box in picture.boxes] == ["", "x ** 3", "power₁ / 4"]


def test_gradients_are_those_of_backward():
    x = Tensor([0.5, -2.0], requires_grad=True, name="x")
    loss = (np.sin(x) * x).sum()
    drawing = draw(loss, show=("value", "gradient"))
    assert x.grad is None
    loss.backward()
    (box,) = [box for box in drawing.picture.boxes if box.name == "x"]
    shown = [float(part) for part in box.gradient.strip("[]").split(",")]
    np.testing.assert_allclose(shown, x.grad, rtol=1e-5)
    assert box.value == "[0.5, -2]"


def test_a_cotangent_can_be_given_where_the_output_is_no_single_number():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    picture = draw(x * x, show="gradient", grad=[1.0, 10.0]).picture
    assert picture.boxes[0].gradient == "[2, 40]"
    two = draw(x * x, x + 1, show="gradient", grad=[[1.0, 10.0], [5.0, 5.0]]).picture
    assert two.boxes[0].gradient == "[7, 45]"


def test_several_outputs_share_what_they_were_computed_from():
    x = parameter(2, name="x")
    h = np.exp(x)
    picture = draw(h * 2, h + 1).picture
    assert [(box.name, box.kind) for box in picture.boxes] == [
        ("x", "parameter"), ("exp₁", "result"), ("multiply₁", "output"), ("add₁", "output"),
    ]  # fmt: skip


def test_from_left_to_right_a_name_stands_above_its_formula_so_that_the_picture_is_narrow():
    below, beside = draw(report(), direction="TB").dot, draw(report(), direction="LR").dot
    assert "matmul₁ = x @ W₁" in below and "matmul₁\\n= x @ W₁" in beside


@needs_layout
def test_the_words_of_a_picture_are_in_the_language_that_is_asked_for():
    svg = draw(report()).svg(language="zh-TW")
    assert "參數" in svg and "parameter" not in ElementTree.fromstring(svg).itertext()
    with pytest.raises(ValueError, match="language"):
        draw(report()).svg(language="fr")


# Names
def test_names_follow_their_order():
    x, w, b = np.ones((3, 2)), parameter(2, 2), parameter(2, name="shift")
    z = x @ w + b
    a = np.tanh(z)
    loss = a.sum()
    named = [box.name for box in draw(loss, names={"weights": w, "data": x, "_hidden": z, "again": w, "Out": a}).picture.boxes]
    assert named == ["weights", "shift", "data", "matmul₁", "z₁", "a₁", "L"]


def test_modules_name_their_parameters_and_frame_what_was_computed_in_them():
    names = {box.name: box.path for box in draw(residual()).picture.boxes}
    assert names["inner.layers.0.weight"] == ("Residual",)
    assert names["ŷ"] == names["head.weight"] == ("Residual", "head")
    assert names["a₁"] == ("Residual", "inner", "inner.layers.1")
    assert names["a₂"] == ("Residual", "inner (2)", "inner.layers.1 (2)")


def test_the_result_of_a_module_that_plays_no_role_has_the_modules_path():
    class Scaled(nn.Module):
        def __init__(self):
            self.scale = nn.LayerNorm(3)

        def forward(self, x):
            return self.scale(x) * 2

    names = [box.name for box in draw(Scaled()(parameter(2, 3, name="x"))).picture.boxes]
    assert "scale" in names
    assert "scale.weight" in names


def test_equal_names_are_told_apart():
    a, b = parameter(2, name="w"), parameter(2, name="w")
    assert [box.name for box in draw(a * b).picture.boxes] == ["w", "w₂", "multiply₁"]


def test_the_roles_of_a_network():
    names = [box.name for box in draw(report()).picture.boxes]
    for role in ("x", "z₁", "a₁", "z₂", "a₂", "z₃", "ŷ", "y", "L"):
        assert names.count(role) == 1
    anonymous = np.mean(np.square(tg.sigmoid(np.ones((2, 3)) @ parameter(3, 1) + parameter(1)) - np.ones((2, 1))))
    assert {"x", "y", "W", "b", "z₁", "ŷ", "L"} <= {box.name for box in draw(anonymous).picture.boxes}


def test_sums_of_products_are_one_z():
    x, h = np.ones((2, 3)), Tensor(np.ones((2, 4)))
    step = np.tanh(x @ parameter(3, 4, name="U") + h @ parameter(4, 4, name="V") + parameter(4, name="c"))
    names = [box.name for box in draw(step.sum()).picture.boxes]
    assert "z₁" in names and "a₁" in names and "z₂" not in names


# What cannot be drawn says why
def test_a_tensor_that_recorded_nothing_says_why():
    with tg.no_grad():
        quiet = parameter(2) * 2
    for nothing in (Tensor([1.0]), quiet, (parameter(2) * 2).detach()):
        drawing = draw(nothing)
        assert "nothing was recorded: this tensor does not require a gradient" in drawing.picture.caption
        assert "no_grad" in drawing.text()
        assert len(drawing.picture.boxes) == 1


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda: draw(), TypeError, "draw\\(\\) needs a Tensor"),
        (lambda: draw(np.ones(2)), TypeError, "not ndarray: only a Tensor remembers"),
        (lambda: draw([parameter(2), parameter(2)]), TypeError, "give several outputs one by one: draw\\(a, b\\)"),
        (lambda: draw(parameter(2), show=("colour",)), ValueError, "'shape', 'dtype', 'value', 'gradient', not 'colour'"),
        (lambda: draw(parameter(2), max_nodes=1), ValueError, "at least 2 boxes"),
        (lambda: draw(parameter(2) * 2, show="gradient"), tg.GradientError, "needs a cotangent"),
        (lambda: draw(parameter(2) * 2, show="gradient", grad=[1.0]), tg.ShapeError, "they must be equal"),
        (lambda: draw(Tensor([1.0]), show="gradient"), tg.GradientError, "does not require a gradient"),
        (lambda: draw(parameter(1)).save("graph.bmp"), ValueError, "graph.bmp: a drawing cannot be saved as .bmp; use one of .dot"),
        (lambda: draw(parameter(1)).save("graph"), ValueError, "a file without a suffix"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_words(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_without_a_layout_engine_the_error_names_both_remedies_and_text_still_works(monkeypatch, tmp_path):
    monkeypatch.setattr(layout.shutil, "which", lambda name: None)
    monkeypatch.setattr(layout, "find_spec", lambda name: None)
    drawing = draw(shared())
    with pytest.raises(LayoutError, match=r"apt install graphviz.*pip install pygraphviz"):
        drawing.svg()
    assert set(drawing._repr_mimebundle_()) == {"text/plain"}
    assert "pygraphviz" in drawing._repr_mimebundle_()["text/plain"]
    assert "tanh" in drawing.text() and "flowchart" in drawing.mermaid()
    page = drawing.save(tmp_path / "graph.html").read_text(encoding="utf-8")
    assert "no layout engine" in page and "z₁ = x @ W" in page


@needs_layout
def test_an_engine_that_fails_is_quoted():
    with pytest.raises(LayoutError, match="could not draw this as nonsense"):
        layout.render("digraph {}", "nonsense")


def test_jupyter_gets_text_whatever_happens(monkeypatch):
    drawing = draw(shared())
    monkeypatch.setattr(type(drawing), "svg", lambda self: 1 / 0)
    assert "division by zero" in drawing._repr_mimebundle_()["text/plain"]
    monkeypatch.setattr(type(drawing), "text", lambda self, *args: 1 / 0)
    assert drawing._repr_mimebundle_() == {"text/plain": "Drawing: division by zero"}


@needs_layout
def test_jupyter_gets_svg_html_and_text():
    bundle = draw(shared())._repr_mimebundle_()
    assert set(bundle) == {"image/svg+xml", "text/html", "text/plain"}
    assert bundle["image/svg+xml"].startswith("<svg")


@needs_layout
def test_save_writes_the_format_of_the_suffix(tmp_path):
    starts = {
        "dot": b"digraph",
        "svg": b"<svg",
        "png": b"\x89PNG",
        "pdf": b"%PDF",
        "txt": b"#",
        "mmd": b"flowchart",
        "html": b"<!DOCTYPE html>",
    }
    drawing = draw(shared())
    for suffix, start in starts.items():
        assert drawing.save(tmp_path / f"graph.{suffix}").read_bytes().startswith(start)


# Large graphs
def test_a_body_that_repeats_is_drawn_once_with_what_each_time_has_of_its_own():
    picture = draw(chain()).picture
    names = ["x", "W₀ … W₁₉₉", "matmul₁ … matmul₂₀₀", "b₀ … b₁₉₉", "z₁ … z₂₀₀", "a₁ … a₂₀₀", "L"]
    assert [box.name for box in picture.boxes] == names
    assert {box.path for box in picture.boxes[1:6]} == {("a₁ … a₂₀₀ × 200",)}
    assert [(picture.boxes[a.tail].name, picture.boxes[a.head].name) for a in picture.arrows if a.to_next] == [(names[5], names[2])]
    assert sum(box.count for box in picture.boxes) == picture.total


def recurrent(steps):
    """Return the loss of a recurrent network whose weights are used at each step."""
    Wx, Wh, b, V = parameter(3, 2, name="Wx"), parameter(2, 2, name="Wh"), parameter(2, name="b"), parameter(2, 1, name="V")
    h = Tensor(np.zeros((4, 2)), name="h0")
    for t in range(steps):
        h = np.tanh(Tensor(np.full((4, 3), t / 9), name=f"x{t}") @ Wx + h @ Wh + b)
    return ((h @ V) ** 2).mean()


def test_the_weights_that_all_steps_share_and_the_inputs_stay_to_be_seen():
    picture = draw(recurrent(20)).picture
    boxes = {box.name: box for box in picture.boxes}
    assert {"Wx", "Wh", "b", "V", "h₀", "x₀ … x₁₉", "a₁ … a₂₀", "L"} <= boxes.keys()
    assert boxes["Wx"].path == () and boxes["x₀ … x₁₉"].path == boxes["a₁ … a₂₀"].path != ()
    notes = {picture.boxes[a.tail].name: a.note for a in picture.arrows if not a.to_next}
    assert notes["Wx"] == notes["Wh"] == notes["b"] == "×20"
    assert notes["h₀"] == ""
    flows = {picture.boxes[a.tail].name: a.gradient for a in picture.arrows}
    assert not flows["x₀ … x₁₉"] and not flows["h₀"] and flows["Wx"] and flows["a₁ … a₂₀"]


# Options
@needs_layout
def test_what_is_highlighted_and_what_fades_stay_so_in_the_dark():
    auto = draw(report(), theme="auto", highlight="W1").svg()
    assert len(elements(auto, "faded")) == 7 and len(elements(auto, "highlighted")) == 13
    rules = re.search(r"<style>(.*?)</style>", auto, re.DOTALL)[1]
    assert rules.index(".node.parameter") < rules.index(".node.faded") and ".edge.highlighted" in rules


def test_a_sequence_whose_steps_all_read_from_one_array_is_drawn_once():
    out, _ = nn.LSTM(3, 2, rng=np.random.default_rng(0))(Tensor(np.ones((12, 4, 3)), name="x"))
    picture = draw((out**2).mean()).picture
    assert {"h₁ … h₁₂", "c₁ … c₁₂", "i₁ … i₁₂", "cells.0.weight_hh", "x"} <= {box.name for box in picture.boxes}
    assert len(picture.boxes) < 30


def test_arrows_lead_where_the_direction_says():
    assert "rankdir=LR" in draw(report(), direction="LR").dot
    with pytest.raises(ValueError, match=r"direction='left'.: give one of 'TB', 'BT', 'LR', 'RL'"):
        draw(report(), direction="left")


@needs_layout
def test_a_drawing_in_auto_follows_the_page_and_one_in_dark_is_dark():
    light, dark, auto = (draw(report(), theme=theme).svg() for theme in ("light", "dark", "auto"))
    assert "#15181d" in dark and "#15181d" not in light
    assert "@media (prefers-color-scheme: dark)" in auto and "@media" not in dark + light
    name = ElementTree.fromstring(auto).get("id")
    rules = re.findall(r"^(#\S+) ", auto, re.MULTILINE)
    assert set(rules) == {f"#{name}"}


def test_a_highlighted_parameter_leads_to_the_loss_and_all_else_fades():
    picture = draw(report(), highlight="W2").picture
    names = [box.name for box in picture.boxes]
    assert {box.name for box in picture.boxes if box.faded} == {"x", "W₁", "matmul₁", "b₁", "z₁", "a₁", "b₂", "W₃", "b₃", "y"}
    lit = [(names[a.tail], names[a.head]) for a in picture.arrows if a.highlighted]
    assert lit[0] == ("W₂", "matmul₂") and lit[-1] == ("mean₁", "L")
    assert draw(report(), highlight=["W_2"]).picture == picture
    with pytest.raises(ValueError, match=r"highlight='nothing'.: nothing in this graph has that name; its leaves are W₁, x, "):
        draw(report(), highlight="nothing")


def test_arrows_can_say_what_a_rule_makes_of_the_cotangent():
    a, b = Tensor(2.0, requires_grad=True, name="a"), Tensor(3.0, requires_grad=True, name="b")
    picture = draw(a * b + np.sin(a), edges="derivative").picture
    assert [(picture.boxes[arrow.tail].name, arrow.note) for arrow in picture.arrows] == [
        ("a", "g · b"), ("b", "g · a"), ("a", "g · cos(a)"), ("multiply₁", "g"), ("sin₁", "g"),
    ]  # fmt: skip


def test_a_tree_deeper_than_its_indent_goes_on_at_the_margin():
    t = parameter(2, name="t")
    for k in range(30):
        t = np.sin(t) if k % 2 else np.tanh(t)
    lines = draw(t.sum(), max_nodes=100).text(80, color=False, ascii_only=False).split("\n\n")[1].split("\n")
    depth = {line.lstrip(" │├└─↓").split(" = ")[0]: len(line) - len(line.lstrip(" │├└─")) for line in lines if "↓" not in line}
    for line in lines:
        _, _, operand = line.lstrip(" │├└─").partition(" = ")
        inner = operand[operand.find("(") + 1 : -1]
        if "↓" not in line and inner in depth:
            below = lines[lines.index(line) + 1]
            assert inner in below and len(below) - len(below.lstrip(" │├└─")) == len(line) - len(line.lstrip(" │├└─")) + 3
    assert sum("↓" in line for line in lines) == 2 and len({line.replace("↓ ", "") for line in lines}) == len(lines)


def test_modules_close_where_there_is_no_room_or_at_the_depth_asked_for():
    net = residual()
    assert [box.name for box in draw(net, depth=1).picture.boxes] == ["x", "Residual", "y", "subtract₁", "square₁", "L"]
    opened = draw(net, depth=2).picture
    assert [box.name for box in opened.boxes] == [
        "inner.layers.0.weight", "inner.layers.0.bias", "x", "inner", "add₁", "inner (2)", "add₂", "head", "y", "subtract₁", "square₁", "L",
    ]  # fmt: skip
    assert draw(net, max_nodes=12).picture == opened
    assert draw(net, max_nodes=8).picture == draw(net, depth=1).picture


@pytest.mark.parametrize("depth", [0, -1, 1.5, True, "2"])
def test_a_depth_that_is_no_whole_number_from_1_on_is_refused(depth):
    with pytest.raises(ValueError, match=r"draw\(depth=.*modules are counted from 1, the outermost"):
        draw(residual(), depth=depth)


def test_a_closed_module_says_how_many_operations_and_parameters_it_holds_and_their_memory():
    (box,) = [box for box in draw(residual(), depth=1).picture.boxes if box.kind == "folded"]
    assert box.about == f"10 operations · {4 + 2 + 2 + 1} parameters · {8 * 3 * 2 * 8 + 2 * 3 * 1 * 8} B"


def test_what_is_not_drawn_is_counted_in_the_picture_the_caption_and_omitted():
    t, rng = parameter(2, name="t0"), np.random.default_rng(0)
    made = [t]
    for _ in range(500):
        made.append(np.tanh(made[rng.integers(len(made))] * made[-1]))
    drawing = draw(made[-1].sum(), max_nodes=30)
    boxes = drawing.picture.boxes
    assert len(boxes) <= 30
    assert boxes[-1].name == "L" and boxes[0].kind == "omitted"
    assert drawing.omitted == boxes[0].count == drawing.picture.total - sum(box.count for box in boxes[1:]) > 0
    shown = f"{drawing.omitted:,}".replace(",", "\xa0")
    assert f"{shown} not drawn: raise max_nodes=" in drawing.picture.caption and shown in boxes[0].name
    assert "too large to step through" in drawing.html()


def test_three_thousand_doublings_are_drawn_without_recursion():
    t = Tensor([0.0, 0.0], requires_grad=True)
    for _ in range(3_000):
        t = t + t
    drawing = draw(t.sum())
    assert drawing.picture.total == 3_002
    assert "add × 3000" in drawing.text()
    assert draw(t.sum(), max_nodes=50_000).text(80).count("\n") > 6_000


@pytest.mark.skipif(
    not (layout.shutil.which("dot") and layout.find_spec("pygraphviz")), reason="needs the dot program and pygraphviz, to compare them"
)
@pytest.mark.parametrize("name", GRAPHS)
def test_both_layout_engines_draw_the_same_boxes_arrows_and_words(name, monkeypatch):
    def content(svg):
        return sorted((g.get("id"), g.get("class"), label(g)) for kind in ("node", "edge", "cluster") for g in elements(svg, kind))

    drawing = draw(GRAPHS[name]())
    with_program = content(drawing.svg())
    monkeypatch.setattr(layout.shutil, "which", lambda name: None)
    assert content(drawing.svg()) == with_program


def test_a_picture_that_would_be_taller_than_screens_closes_its_modules_unless_told_how_many_boxes_there_may_be():
    class Block(nn.Module):
        def __init__(self, k):
            self.layers = nn.Sequential(*[layer for j in range(5 + k) for layer in (nn.Linear(3, 3, rng=j), nn.Tanh())])

        def forward(self, x):
            return x + self.layers(x)

    loss = np.mean(nn.Sequential(Block(0), Block(1))(np.ones((2, 3))))
    assert len(draw(loss).picture.boxes) < 20 < 40 < len(draw(loss, max_nodes=60).picture.boxes)


def test_an_arrow_out_of_a_closed_module_says_what_it_carries():
    class Cell(nn.Module):
        def forward(self, x):
            h = np.tanh(x)
            return h, np.exp(h) * 2.0

    x = Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    h, c = Cell()(x)
    picture = draw(np.sum(h * c), names={"h": h, "c": c}, depth=1).picture
    assert {arrow.note for arrow in picture.arrows if picture.boxes[arrow.tail].kind == "folded"} == {"h, c"}
