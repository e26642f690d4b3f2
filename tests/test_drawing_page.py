"""The page that steps through backward: its numbers are the engine's, and it works by key, click and link, without a network."""

import base64
import html
import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw import Tensor, nn, optim
from tinygrad_hw.drawing import arrays, draw, layout
from tinygrad_hw.drawing.arrays import entries
from tinygrad_hw.drawing.formulas import shortened
from tinygrad_hw.drawing.languages import Translation
from tinygrad_hw.drawing.modules import views
from tinygrad_hw.drawing.recorded import read
from tinygrad_hw.drawing.steps import numbers, question, replay, steps
from tinygrad_hw.naming import clean

needs_layout = pytest.mark.skipif(layout.engine() is None, reason="neither dot nor pygraphviz is there to lay out pictures")


def network():
    """Return the loss of a small network in which a parameter is used twice, with its parameters."""
    rng = np.random.default_rng(3)
    w, b = (Tensor(rng.standard_normal(shape), requires_grad=True, name=name) for shape, name in (((2, 2), "W"), ((2,), "b")))
    h = np.tanh(np.tanh(rng.standard_normal((3, 2)) @ w + b) @ w)
    return np.mean(np.square(h - np.ones((3, 2)))) / 2, {"W": w, "b": b}


# The numbers
@st.composite
def graphs(draw_):
    """Draw a scalar computed from two leaves by operations with fan-out, broadcasting, choices and a branch that is not taken."""
    x = Tensor(draw_(st.lists(st.floats(-2, 2), min_size=3, max_size=3)), requires_grad=True)
    y = Tensor(draw_(st.lists(st.floats(-2, 2), min_size=2, max_size=2)), requires_grad=True)
    made = [x, np.reshape(y, (2, 1))]
    ways = [
        lambda a, b: a * b, lambda a, b: a + b, lambda a, b: a - b, lambda a, b: np.maximum(a, b), lambda a, b: np.tanh(a),
        lambda a, b: a * a, lambda a, b: np.where(a.data > 0, np.log(np.where(a.data > 0, a, 1.0)), b),
        lambda a, b: a.sum(axis=-1, keepdims=True),
    ]  # fmt: skip
    for _ in range(draw_(st.integers(1, 8))):
        a, b = draw_(st.sampled_from(made)), draw_(st.sampled_from(made))
        made.append(draw_(st.sampled_from(ways))(a, b))
    return sum(t.sum() for t in made), x, y


@given(graphs())
def test_the_replay_ends_with_the_gradients_of_backward(graph):
    output, x, y = graph
    trail, cotangents = replay({output._node: np.float64(1)})
    output.backward()
    for leaf in (x, y):
        np.testing.assert_array_equal(cotangents[leaf._node], leaf.grad)
    seen = set()
    for step in trail:
        for (parent, _, _), (added, total) in zip(step.node.edges, step.added, strict=True):
            assert np.shape(total) == np.shape(parent.value)
            if parent not in seen:
                np.testing.assert_array_equal(total, added)
            seen.add(parent)


def test_the_replay_gives_a_branch_that_is_not_taken_no_gradient():
    x = Tensor([0.0, 4.0], requires_grad=True)
    with np.errstate(all="ignore"):
        output = np.where(x.data > 0, np.sqrt(x), 0.0).sum()
    _, cotangents = replay({output._node: np.float64(1)})
    np.testing.assert_array_equal(cotangents[x._node], [0, 0.25])


def lesson(drawing):
    """Return the steps of a drawing's first picture, and the arrays that they name."""
    recorded, (trail, gradients) = drawing._recorded, replay(drawing._seeds)
    view = views(recorded, drawing._look, gradients)[0]
    known = numbers([vertex.node for vertex in recorded.vertices], [vertex.value for vertex in recorded.vertices], trail, gradients)
    return steps(recorded, view, trail), known


def test_running_sums_add_up_to_the_gradient():
    loss, parameters = network()
    all_steps, known = lesson(draw(loss))
    lines = [line for step in all_steps for line in step.lines]
    loss.backward()
    (first, second) = [line for line in lines if line.what.startswith("to W, use")]
    assert [first.what, second.what] == ["to W, use 1 of 2", "to W, use 2 of 2"]
    assert first.formula == "∂L/∂W = a₁ᵀ g" and second.formula == "∂L/∂W += xᵀ g"
    (complete,) = [line for line in lines if line.what == "sum, complete" and line.formula == "∂L/∂W"]
    np.testing.assert_array_equal(known[complete.key], parameters["W"].grad)
    np.testing.assert_allclose(known[first.key] + known[second.key], parameters["W"].grad)
    (bias,) = [line for line in lines if line.what == "to b"]
    assert bias.formula == "∂L/∂b = Σ₀ g"
    np.testing.assert_array_equal(known[bias.key], parameters["b"].grad)


def test_every_operation_has_a_step_forward_and_one_backward():
    drawing = draw(network()[0])
    phases = Counter(step.phase for step in lesson(drawing)[0])
    operations = sum(bool(box.operation) for box in drawing.picture.boxes)
    assert phases == {"start": 1, "forward": operations, "backward": operations}


def test_each_step_is_one_sentence_about_its_operation():
    sentences = {step.title: step.sentence for step in lesson(draw(network()[0]))[0]}
    assert sentences["Forward 1 of 9: matmul"] == "matmul₁ = x @ W is computed, of shape (3, 2)."
    arrives = "what arrives × the local derivative. What comes along several paths adds up."
    assert sentences["Backward 6 of 9: matmul"] == f"Of z₂ = a₁ @ W, each of a₁ and W gets {arrives}"


def test_a_gradient_is_complete_when_its_last_use_has_given_its_share():
    drawing = draw(network()[0])
    all_steps, _ = lesson(drawing)
    w = [box.name for box in drawing.picture.boxes].index("W")
    given = [step for step in all_steps if step.phase == "backward" and w in step.touched]
    assert [w in step.complete for step in given] == [False, True]
    backward = [step for step in all_steps if step.phase == "backward"]
    flowing = {i for i, vertex in enumerate(drawing._recorded.vertices) if vertex.node is not None and vertex.node.requires_grad}
    assert {i for step in backward for i in step.complete} == flowing


def test_costs_are_counted_as_the_page_says():
    x, w = np.ones((5, 3)), Tensor(np.ones((3, 4)), requires_grad=True, name="w")
    all_steps, _ = lesson(draw(np.sum(np.tanh(x @ w) ** 2)))
    cost = {step.title.split(": ")[0]: step.work for step in all_steps}
    assert [cost[f"Forward {k} of 4"] for k in (1, 2, 3, 4)] == [2 * 5 * 3 * 4, 20, 20, 20]
    assert [cost[f"Backward {k} of 4"] for k in (1, 2, 3, 4)] == [20, 20, 20, 2 * 5 * 3 * 4]


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3), (40, 1), (1, 50)])
def test_a_heat_map_has_zero_in_the_middle_and_the_largest_entry_at_an_end(shape):
    array = np.random.default_rng(0).standard_normal(shape)
    array.flat[0], array.flat[-1] = 5.0, np.nan
    figures, _, words, (rows, columns, coded) = arrays.array_data(array)
    levels = list(base64.b64decode(coded))
    assert len(levels) == rows * columns and (rows <= 24 and columns <= 24) and bool(figures) == (array.size <= 12)
    assert levels[0] == 254 and levels[-1] == 255 and f"shape {shape}" in words and "to 5, 1 not finite" in words
    assert list(base64.b64decode(arrays.array_data(np.array([0.0, -2.0]))[3][2])) == [127, 0]


# Modules
class Cell(nn.Module):
    def __init__(self):
        self.hidden, self.state = nn.Linear(3, 4, rng=0), nn.Linear(4, 4, rng=1)

    def forward(self, x, h):
        return np.tanh(self.hidden(x) + self.state(h))


def recurrent(times):
    """Return the loss of a recurrent network, with its cell."""
    cell, rng = Cell(), np.random.default_rng(5)
    h = np.zeros((2, 4))
    for _ in range(times):
        h = cell(rng.standard_normal((2, 3)), h)
    return np.mean(h**2), cell


def test_a_graph_that_is_too_large_is_stepped_through_module_by_module():
    loss, cell = recurrent(20)
    drawing = draw(loss)
    recorded, (trail, gradients) = drawing._recorded, replay(drawing._seeds)
    found = views(recorded, drawing._look, gradients)
    titles = [view.title for view in found]
    assert titles[:2] == ["the whole graph", "Cell"] and titles[20] == "Cell (20)"
    assert {view.parent for view in found[1:]} == {0}
    made = [i for i, vertex in enumerate(recorded.vertices) if vertex.operation]
    inside = Counter(i for view in found[1:] for i in view.members if i in made)
    assert set(inside.values()) == {1}
    known = numbers([vertex.node for vertex in recorded.vertices], [vertex.value for vertex in recorded.vertices], trail, gradients)
    loss.backward()
    for view in (found[0], found[1]):
        (complete,) = [line for step in steps(recorded, view, trail) for line in step.lines
                       if line.what == "sum, complete" and line.formula == "∂L/∂state.weight"]  # fmt: skip
        np.testing.assert_array_equal(known[complete.key], cell.state.weight.grad)


def test_repetitions_without_modules_are_closed_one_by_one():
    w = Tensor(0.5, requires_grad=True, name="w")
    x = w
    for _ in range(50):
        x = np.tanh(x * w + 1.0)
    drawing = draw(x)
    found = views(drawing._recorded, drawing._look, {})
    assert sum("repetition" in view.title for view in found) > 30
    assert len(found[0].picture.boxes) <= 60


# Values that are changed, and trainings
def test_a_graph_of_single_numbers_is_computed_again_by_javascript_and_no_other_is():
    a, b = (Tensor(x, requires_grad=True, name=name) for name, x in (("a", 2.0), ("b", -0.5)))
    page = draw(np.tanh(a * b) + a**2 * b).html()
    assert [name for _, name in data_of(page)["inputs"]] == ["a", "b"]
    assert "const program = null" in draw(network()[0]).html()


def training():
    """Train two weights; return the losses of three epochs with the gradients of each."""
    w = Tensor([1.0, 2.0], requires_grad=True, name="w")
    optimizer, kept, gradients = optim.SGD([w], lr=0.1), {}, []
    for epoch in range(3):
        loss = kept[epoch * 10] = np.sum(w**2)
        optimizer.zero_grad()
        loss.backward()
        gradients.append(w.grad.copy())
        optimizer.step()
    return kept, gradients


def test_the_history_of_a_training_has_the_values_and_gradients_of_each_epoch():
    kept, gradients = training()
    data = data_of(draw(kept[20]).html(history=kept))
    assert [each["epoch"] for each in data["epochs"]] == [0, 10, 20]
    (w,) = [box for box in data["views"][0]["boxes"] if box["name"] == "w"]
    (slot,) = [line[2] for line in w["lines"] if line[0] == "gradient"]
    assert [each["arrays"][slot][0] for each in data["epochs"]] == [entries(gradient) for gradient in gradients]


def test_the_leaves_of_a_history_may_have_been_made_in_any_order():
    def loss_of(x, y, first):
        leaves = {}
        for name, value in sorted((("x", x), ("y", y)), reverse=first == "y"):
            leaves[name] = Tensor([value], requires_grad=True, name=name)
        return np.sum(leaves["x"] * leaves["y"])

    data = data_of(draw(loss_of(2.0, 3.0, "x")).html(history=[loss_of(5.0, 7.0, "y")]))
    slots = {box["name"]: [line[2] for line in box["lines"]][1:] for box in data["views"][0]["boxes"]}
    shown_then = {name: [data["epochs"][0]["arrays"][slot][0] for slot in found] for name, found in slots.items()}
    assert shown_then == {"x": ["[5.]", "[7.]"], "y": ["[7.]", "[5.]"], "multiply₁": ["[35.]", "[1.]"], "L": ["35.", "1."]}


def test_a_history_of_something_else_is_refused():
    kept, _ = training()
    with pytest.raises(ValueError, match="the loss of epoch 1 was not computed as the drawn one was"):
        draw(kept[0]).html(history=[kept[0], network()[0]])
    with pytest.raises(TypeError, match="losses of a training as Tensors; epoch 0 has float64"):
        draw(kept[0]).html(history=[np.float64(1)])


# The file
def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_is_one_file_that_asks_for_nothing():
    page = draw(network()[0]).html()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"\s(src|href|style|on\w+)=", page)


def test_a_graph_that_is_too_large_and_an_output_that_is_no_number_say_so():
    loss, _ = network()
    assert "too large to step through" in draw(loss, max_nodes=6).html()
    assert data_of(draw(loss, max_nodes=6).html())["views"][0]["steps"] == []
    x = Tensor([1.0, 2.0], requires_grad=True)
    page = draw(x * x).html()
    assert "Only forward is shown" in page
    assert {step["phase"] for step in data_of(page)["views"][0]["steps"]} == {"start", "forward"}
    assert "backward" in {step["phase"] for step in data_of(draw(x * x, grad=[1.0, 1.0]).html())["views"][0]["steps"]}
    assert "nothing to step through" in draw(x).html()


# In Traditional Chinese
def texts_of(page):
    """Return every text that a page shows or speaks, pictures and the text without a script aside."""
    found = set()
    data = data_of(page)
    for view in data["views"]:
        found |= {view["title"], *[step[key] for step in view["steps"] for key in ("title", "sentence")]}
        found |= {question["about"] for step in view["steps"] for question in step["questions"]}
        found |= {line[0] for about in (*view["steps"], *view["boxes"]) for line in about["lines"]}
    found |= {array[2] for array in data["arrays"]}
    body = re.sub(r"<(script|style|svg|pre|kbd|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    return found | {html.unescape(text.strip()) for text in re.findall(r'>([^<>]+)<|aria-label="([^"]*)"', body) for text in text}


def lstm():
    out, _ = nn.LSTM(3, 2, rng=np.random.default_rng(0))(np.random.default_rng(1).normal(size=(12, 2, 3)))
    return np.mean(out**2)


@pytest.mark.parametrize("loss", [lambda: network()[0], lstm])
def test_a_page_in_chinese_has_no_english_left_but_names(loss):
    loss = loss()
    page = draw(loss).html(language="zh-TW")
    names = {box["name"] for view in data_of(page)["views"] for box in view["boxes"]}
    english = {text for text in texts_of(page) if re.search("[a-z]{4}", text) and not re.search("[\u4e00-\u9fff]", text)}
    assert english <= names | {"scatter"}  # (a sign of formulas)
    assert '<html lang="zh-Hant-TW">' in page
    assert Counter(map(len, data_of(page)["views"])) == Counter(map(len, data_of(draw(loss).html())["views"]))


def test_every_sentence_of_the_script_is_known_in_chinese():
    script = Path(layout.__file__).with_name("page.js").read_text(encoding="utf-8")
    words = set(re.findall(r'say\("([^"]+)"', script)) | {" right", " not that", "Play", "Play the training"}
    assert {f"{phase}: {{}} of {{}} steps, {{}} of {{}} operations on numbers" for phase in ("forward", "backward")} | words <= {
        *Translation("zh-TW").table
    }


def test_every_sentence_of_the_table_has_the_gaps_of_the_english_one():
    for english, chinese in Translation("zh-TW").table.items():
        assert len(re.findall(r"\{[*#]?\}", english)) == len(re.findall(r"\{\d*\}", chinese)), english


def test_a_language_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="'en', 'zh-TW'"):
        draw(network()[0]).html(language="fr")


def test_a_line_that_bears_a_variables_name_keeps_it_in_chinese():
    value = Tensor([1.0, 2.0], requires_grad=True, name="value")
    data = data_of(draw((value * 3).sum()).html(language="zh-TW"))
    assert "value" in {box["name"] for box in data["views"][0]["boxes"]}
    assert any("value = " not in step["sentence"] and "value 得到" in step["sentence"] for step in data["views"][0]["steps"])


@needs_layout
def test_all_pictures_of_a_page_are_laid_out_by_one_process(monkeypatch):
    run, calls = layout.subprocess.run, []
    monkeypatch.setattr(layout.subprocess, "run", lambda *args, **options: calls.append(args) or run(*args, **options))
    page = draw(lstm()).html()
    assert len(calls) == 1
    assert len(data_of(page)["views"]) == page.count('role="group" aria-labelledby') > 3


# In a browser
@pytest.fixture
def browser(browser):
    if layout.engine() is None:
        pytest.skip("neither dot nor pygraphviz is there to lay out the picture in the page")
    return browser


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    loss, _ = network()
    path = draw(loss).save(tmp_path_factory.mktemp("page") / "graph.html")
    data = data_of(path.read_text(encoding="utf-8"))
    return path.as_uri(), {**data["views"][0], "arrays": data["arrays"]}


def shown(browser):
    """Return the step that the page shows: its number, its title, and what its lines say."""
    terms = "[...document.querySelectorAll('#lines dt, #lines dd')].map((d) => d.textContent)"
    return browser.run(f"return [Number(document.getElementById('slider').value), document.getElementById('title').textContent, {terms}]")


def test_every_step_shows_the_engines_own_numbers(browser, graph):
    url, data = graph
    browser.open(url)
    for k, step in enumerate(data["steps"]):
        number, title, terms = shown(browser)
        assert (number, title) == (k, step["title"])
        expected = []
        assert browser.text("#sentence") == step["sentence"]
        for what, formula, slot, mathml, _ in step["lines"]:
            figures, _, words, heat = data["arrays"][slot]
            expected += [
                what,
                *([re.sub("<[^>]*>", "", mathml)] if mathml else [formula] if formula else []),
                *([figures] if figures else []),
            ]
            expected += ["", words] if heat else [] if figures else [words]
        assert terms == expected
        active = browser.run("return [...document.querySelectorAll('svg .node.active')].map((n) => n.id)")
        assert [name for name in active if name] == ([] if step["box"] is None else [f"n{step['box']}"])
        browser.press("ArrowRight")
    assert browser.messages() == []
    assert [address for address in browser.requests() if not address.startswith(url)] == []


def test_keys_move_and_stop_at_the_ends(browser, graph):
    url, data = graph
    last = len(data["steps"]) - 1
    first_backward = [step["phase"] for step in data["steps"]].index("backward")
    browser.open(url)
    for keys, number in (
        (["ArrowLeft"], 0), (["ArrowRight", "ArrowRight"], 2), (["ArrowLeft"], 1), (["End"], last), (["ArrowRight"], last),
        (["b"], first_backward),
        (["f"], 1), (["Home"], 0),
    ):  # fmt: skip
        browser.press(*keys)
        assert shown(browser)[0] == number, keys


def test_buttons_slider_and_links_move(browser, graph):
    url, data = graph
    last = len(data["steps"]) - 1
    browser.open(url)
    for button, number in (("last", last), ("back", last - 1), ("next", last), ("first", 0)):
        browser.click(f"#{button}")
        assert shown(browser)[0] == number
    assert browser.run("return [document.getElementById('first').disabled, document.getElementById('next').disabled]") == [True, False]
    browser.run("const s = document.getElementById('slider'); s.value = 3; s.dispatchEvent(new Event('input'))")
    assert shown(browser)[0] == 3
    assert browser.run("return location.hash") == "#step=3"
    browser.run("location.hash = '#step=5'")
    assert shown(browser)[0] == 5
    browser.open(f"{url}#step=4")
    assert shown(browser)[:2] == [4, data["steps"][4]["title"]]
    browser.open(f"{url}#step=99999")
    assert shown(browser)[0] == last
    assert browser.messages() == []


def test_a_click_or_the_focus_on_a_box_tells_its_value_gradient_and_formula(browser, graph):
    url, data = graph
    browser.open(url)
    (w,) = [i for i, box in enumerate(data["boxes"]) if box["name"] == "W"]
    browser.click(f"#n{w}")
    assert "gradient" not in browser.text("#box-lines")
    browser.press("End")
    text = browser.text("#box-lines")
    loss, parameters = network()
    loss.backward()
    for number in re.findall(r"-?\d+\.\d+", entries(parameters["W"].data) + entries(parameters["W"].grad)):
        assert number in text
    assert browser.text("#box-title") == "W"
    other = len(data["boxes"]) - 1
    browser.run(f"document.getElementById('n{other}').focus()")
    assert browser.text("#box-title") == "L"
    assert browser.run("return document.activeElement.getAttribute('aria-label')").startswith("L = mean₁ / 2, loss")


def test_tab_reaches_every_box(browser, graph):
    url, data = graph
    browser.open(url)
    reached = set()
    for _ in range(len(data["boxes"]) + 16):
        browser.press("Tab")
        reached.add(browser.run("return document.activeElement.id"))
    assert {f"n{i}" for i in range(len(data["boxes"]))} | {"next", "last", "slider"} <= reached


def eventually(holds):
    """Tell whether something holds within five seconds: a page answers a key when it comes to it."""
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_a_page_in_chinese_steps_and_costs_in_chinese(browser, tmp_path):
    path = tmp_path / "graph.html"
    path.write_text(draw(network()[0]).html(language="zh-TW"), encoding="utf-8")
    browser.open(path.as_uri())
    browser.press("ArrowRight", "End")
    last = len(data_of(path.read_text(encoding="utf-8"))["views"][0]["steps"]) - 1
    assert browser.text("#count") == f"第 {last} 步，共 {last} 步"
    assert browser.text("#costs").startswith("前向：") and "倍" in browser.text("#costs")
    browser.press("g")
    assert "看答案" in browser.text("#questions")
    assert browser.messages() == []


UNNAMED = """const named = (e) => e.getAttribute("aria-label") || (e.tagName === "BUTTON" ? e.textContent : e.labels && e.labels.length);
return [...document.querySelectorAll("button, input, canvas, [tabindex]")].filter((e) => !named(e)).map((e) => e.id)"""


def test_steps_are_spoken(browser, graph):
    url, _ = graph
    browser.open(url)
    browser.press("ArrowRight")
    assert browser.run("return document.getElementById('step').getAttribute('aria-live')") == "polite"
    spoken = "return document.getElementById('slider').getAttribute('aria-valuetext')"
    assert eventually(lambda: "Forward 1 of" in browser.run(spoken)), browser.run(spoken)
    assert browser.run(UNNAMED) == []


LUMINANCE = """
const light = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const style = (element) => getComputedStyle(element);
const ratios = [...document.querySelectorAll("svg g.node")].filter((node) => node.querySelector("text")).map((node) => {
  const shape = [...node.children].find((c) => ["polygon", "path", "ellipse"].includes(c.tagName) && style(c).fill !== "none");
  const [a, b] = [light(style(node.querySelector("text")).fill), light(style(shape).fill)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
});
return [light(style(document.body).backgroundColor), Math.min(...ratios)];
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(browser, graph, scheme):
    url, _ = graph
    browser.emulate(scheme)
    browser.open(url)
    for key in ("ArrowRight", "b", "End"):
        browser.press(key)
        browser.run("document.getAnimations().filter((a) => a instanceof CSSTransition).forEach((a) => a.finish())")
        background, contrast = browser.run(LUMINANCE)
        assert (background > 0.5) == (scheme == "light")
        assert contrast >= 4.5


def test_no_text_leaves_its_box(browser, graph):
    url, _ = graph
    browser.open(url)
    overflow = """return [...document.querySelectorAll("#picture g.node")].filter((node) => {
      const box = [...node.children].find((c) => c.tagName !== "text" && c.tagName !== "title").getBoundingClientRect();
      return [...node.querySelectorAll("text")].some((text) => {
        const inner = text.getBoundingClientRect();
        return inner.left < box.left || inner.right > box.right || inner.top < box.top || inner.bottom > box.bottom + 1;
      });
    }).map((node) => node.id)"""
    assert browser.run(overflow) == []


def test_without_scripts_the_page_has_the_picture_and_the_text(browser, graph):
    url, _ = graph
    browser.emulate(scripts=False)
    browser.open(url)
    browser.emulate()
    assert "matmul₁ = x @ W" in browser.text("noscript") and "matmul₁ = x @ W" in browser.text("#picture")


def test_what_the_user_named_stays_text(browser, tmp_path):
    names = [
        "</script><script>console.log('ran')</script>",
        "<img src=x onerror=console.log(1)>",
        "&lt;b&gt;",
        '"><b>',
        "\u202eabc",
        "a\0b\ud800",
    ]
    leaves = [Tensor([1.0], requires_grad=True, name=name) for name in names]
    loss = np.sum(np.concatenate(leaves) * np.arange(1.0, 7))
    path = draw(loss, title=names[0]).save(tmp_path / "graph.html")
    browser.open(path.as_uri())
    browser.press("End")
    text = browser.run("return document.getElementById('lines').textContent")
    assert all(shortened(clean(name)) in text for name in names)
    assert browser.run("return document.querySelectorAll('img, b').length") == 0
    browser.click("#n0")
    assert browser.text("#box-title") == names[0]
    assert browser.messages() == [] and browser.requests() == [path.as_uri()]


def test_a_page_without_steps_works(browser, tmp_path):
    for k, output in enumerate((Tensor([1.0]), Tensor([1.0, 2.0], requires_grad=True), np.exp(Tensor([1.0, 2.0], requires_grad=True)))):
        path = draw(output).save(tmp_path / f"{k}.html")
        browser.open(path.as_uri())
        browser.press("ArrowRight", "End", "b")
        browser.click("#n0")
        assert "value" in browser.text("#box-lines")
        assert browser.messages() == []
    path = draw(network()[0], max_nodes=6).save(tmp_path / "folded.html")
    browser.open(path.as_uri())
    browser.click("#n0")
    assert browser.text("#box-lines") and browser.messages() == []


# The lesson in a browser
def shown_boxes(browser, name):
    """Return the numbers of the boxes that have a class."""
    return browser.run(f"return [...document.querySelectorAll('.view:not([hidden]) .node.{name}')].map((n) => n.id).filter((id) => id)")


def test_gradients_rise_and_boxes_that_have_theirs_look_so(browser, graph):
    url, data = graph
    browser.open(url)
    assert shown_boxes(browser, "done") == []
    browser.press("b")
    step = next(step for step in data["steps"] if step["phase"] == "backward")
    assert shown_boxes(browser, "done") == [f"n{i}" for i in step["complete"]]
    rising = browser.run("return [...document.querySelectorAll('.edge.rising')].map((e) => e.id)")
    assert rising == [f"e{i}" for i in step["arrows"]]
    browser.press("End")
    with_gradient = [f"n{i}" for i, box in enumerate(data["boxes"]) if any(line[0] == "gradient" for line in box["lines"])]
    assert sorted(shown_boxes(browser, "done")) == sorted(with_gradient)
    labels = browser.run("return [...document.querySelectorAll('.edge.gradient text')].map((t) => t.textContent.trim())")
    assert {"g Wᵀ", "g", "g / 2"} <= set(labels)


def test_what_one_use_brings_is_no_sum():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    drawing = draw(np.sum(np.positive(x) * 2))
    data = json.loads(re.search('id="data">(.*?)</script>', drawing.html())[1])
    formulas = [line[1] for step in data["views"][0]["steps"] if step["phase"] == "backward" for line in step["lines"]]
    assert "∂L/∂x = g" in formulas and not any("+=" in formula for formula in formulas)


def test_numbers_in_a_sentence_are_told_from_the_names_around_them_in_chinese():
    say = Translation("zh-TW")
    assert say("Forward 30 of 52: a₃₀: repetition 30 of 50") == "前向第 30 步（共 52 步）：a₃₀：第 30 次重複，共 50 次"
    assert say("a₃: repetition 3 of 50 is run: 5 operations. Open its box to see inside.").startswith(
        "執行 a₃：第 3 次重複，共 50 次：5 個運算"
    )


@pytest.mark.parametrize("f", [np.exp, np.sign, lambda x: np.where(True, 1.0, x), lambda x: x**0, lambda x: -x, lambda x: 2 * x])
@pytest.mark.parametrize("shape", [(), (3,)], ids=str)
def test_no_answer_that_is_called_wrong_says_the_same_as_the_right_one(f, shape):
    x = Tensor(np.random.default_rng(0).uniform(1, 2, shape), requires_grad=True, name="x")
    result = f(x) + 0 * x.sum()
    recorded = read([result._node])
    vertex = next(vertex for vertex in recorded.vertices if vertex.operation)
    found = question(recorded, vertex, vertex.places[-1], recorded.vertices[vertex.operands[-1]], ("added", 0, 0))[0]
    meanings = [re.sub("[⊙·]", "*", text).replace("−0", "0").replace("−𝟎", "𝟎").replace("𝟎₃", "0") for text in (found.right, *found.wrong)]
    assert len(set(meanings)) == len(meanings) >= 3


def test_what_is_to_be_guessed_is_hidden_until_it_is_revealed(browser, graph):
    url, data = graph
    k, step = next((k, step) for k, step in enumerate(data["steps"]) if step["title"].endswith("matmul") and step["phase"] == "backward")
    browser.open(f"{url}#step={k}")
    browser.press("g")
    question = step["questions"][0]
    answers = "return [...document.querySelectorAll('#questions p:first-child button')].map((b) => b.textContent)"
    assert browser.run(answers) == question["answers"] and len(set(question["answers"])) >= 3
    assert "guess first" in browser.text("#lines") and browser.run("return document.querySelectorAll('#lines canvas').length") == 1
    label = f"return getComputedStyle(document.querySelector('#e{step['arrows'][0]} text')).visibility"
    assert eventually(lambda: browser.run(label) == "hidden")
    wrong = next(i for i in range(len(question["answers"])) if i != question["right"])
    for i, verdict in ((wrong, "not that"), (question["right"], "right")):
        browser.click(f"#questions p:first-child button:nth-of-type({i + 1})")
        assert browser.text("#questions p:first-child output") == verdict
    browser.click("#reveal")
    assert shown(browser)[2][0] and "guess first" not in browser.text("#lines") and browser.run(label) == "visible"
    browser.press("g")
    assert browser.messages() == []


def test_play_goes_on_by_itself_and_stops_when_asked(browser, graph):
    url, _ = graph
    browser.open(url)
    browser.press("p")
    assert shown(browser)[0] == 1 and eventually(lambda: shown(browser)[0] == 2)
    browser.press("p")
    assert browser.text("#play") == "Play"


def test_the_picture_grows_and_shrinks(browser, graph):
    url, _ = graph
    browser.open(url)
    width = "return document.querySelector('#v0 svg').getBoundingClientRect().width"
    first = browser.run(width)
    browser.press("+")
    larger = browser.run(width)
    browser.click("#smaller")
    assert larger > 1.2 * first and browser.run(width) == pytest.approx(first, rel=0.01)
    browser.click("#larger")
    browser.press("0")
    assert browser.run(width) == first


def test_a_value_that_is_changed_is_computed_again_as_the_engine_does(browser, tmp_path):
    def graph_of(a, b):
        a, b = Tensor(a, requires_grad=True, name="a"), Tensor(b, requires_grad=True, name="b")
        return np.tanh(a * b) + a**2 * b, a, b

    browser.open(draw(graph_of(2.0, -0.5)[0]).save(tmp_path / "scalar.html").as_uri())
    browser.press("End")
    change = "const f = document.querySelectorAll('#values input[type=number]')[arguments[0]]; f.value = arguments[1];"
    change += "f.dispatchEvent(new Event('input'))"
    browser.run(change, 0, 1.25)
    browser.run(change, 1, 0.75)
    loss, a, b = graph_of(1.25, 0.75)
    loss.backward()
    boxes = browser.run(
        "return [...document.querySelectorAll('.node')].map((n) => [...n.querySelectorAll('text')].map((t) => t.textContent))"
    )
    found = {
        texts[0].split(" =")[0]: [float(t.split()[1]) for t in texts if t.startswith(("value", "gradient"))] for texts in boxes if texts
    }
    for name, value, gradient in (("a", 1.25, a.grad), ("b", 0.75, b.grad), ("L", loss.item(), 1.0)):
        np.testing.assert_allclose(found[name], [value, gradient], rtol=1e-5)
    browser.run("const r = document.querySelector('#values input[type=range]'); r.focus()")
    before = shown(browser)[0]
    browser.press("ArrowRight")
    assert shown(browser)[0] == before and browser.run("return document.querySelector('#values input[type=number]').valueAsNumber") > 1.25
    assert browser.messages() == []


def test_a_module_opens_at_a_second_click_and_closes_with_escape(browser, tmp_path):
    path = draw(recurrent(20)[0]).save(tmp_path / "modules.html")
    browser.open(path.as_uri())
    data = data_of(path.read_text(encoding="utf-8"))
    box = next(i for i, about in enumerate(data["views"][0]["boxes"]) if about["opens"] == 1)
    for _ in range(2):
        browser.run("document.getElementById(arguments[0]).dispatchEvent(new MouseEvent('click', {bubbles: true}))", f"n{box}")
    assert browser.text("#where") == "Cell"
    browser.press("End")
    assert browser.text("#title") == data["views"][1]["steps"][-1]["title"] and "view=1" in browser.run("return location.hash")
    browser.press("Escape")
    assert browser.text("#where") == "" and shown(browser)[0] == 0
    browser.run("document.getElementById(arguments[0]).focus()", f"n{box}")
    browser.press("Enter")
    assert browser.text("#where") == "Cell" and browser.messages() == []


def test_a_training_is_played_again(browser, tmp_path):
    kept, gradients = training()
    path = tmp_path / "history.html"
    path.write_text(draw(kept[20]).html(history=kept), encoding="utf-8")
    browser.open(path.as_uri())
    browser.press("End")
    (w,) = [i for i, box in enumerate(data_of(path.read_text(encoding="utf-8"))["views"][0]["boxes"]) if box["name"] == "w"]
    browser.click(f"#n{w}")
    for k, epoch in enumerate(kept):
        browser.run("const e = document.getElementById('epochs'); e.value = arguments[0]; e.dispatchEvent(new Event('input'))", k)
        assert browser.text("#epoch").startswith(f"epoch {epoch}, loss") and entries(gradients[k]) in browser.text("#box-lines")
    browser.click("#train")
    assert browser.text("#epoch").startswith("epoch 0,") and eventually(lambda: browser.text("#epoch").startswith("epoch 20,"))
    assert browser.messages() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_the_page_is_as_wide_as_the_screen_and_a_finger_can_press_its_buttons(browser, graph, scheme):
    url, _ = graph
    browser.emulate(scheme, width=390)
    browser.open(url)
    browser.press("End")
    assert browser.run("return document.documentElement.scrollWidth") == 390
    heights = browser.run("return [...document.querySelectorAll('nav button')].map((b) => b.getBoundingClientRect().height)")
    assert min(heights) >= 44


def test_the_page_steps_inside_of_another_page(browser, tmp_path):
    page = draw(network()[0]).html()
    outside = tmp_path / "outside.html"
    outside.write_text(f'<iframe srcdoc="{html.escape(page)}" style="width: 100%; height: 800px"></iframe>', encoding="utf-8")
    browser.open(outside.as_uri())
    browser.run("document.querySelector('iframe').contentWindow.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))")
    assert browser.messages() == []


@needs_layout
def test_on_a_dark_page_nothing_of_a_drawing_that_follows_it_stays_white(browser, tmp_path):
    net = nn.Sequential(nn.Linear(3, 2, rng=0), nn.Tanh(), nn.Sequential(nn.Linear(2, 1, rng=1)))
    drawing = draw(np.sum(net(np.ones((4, 3)))), theme="auto", highlight="W1").save(tmp_path / "graph.svg")
    browser.emulate("dark")
    browser.open(drawing.as_uri())
    inside = "return [...document.querySelectorAll('polygon, path, ellipse, polyline')].map((shape) => getComputedStyle(shape).fill)"
    assert "rgb(21, 24, 29)" in browser.run(inside) and "rgb(255, 255, 255)" not in browser.run(inside)
