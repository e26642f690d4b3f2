"""The page that steps through backward: its numbers are the engine's, and it works by key, click and link, without a network."""

import json
import re
import time
from collections import Counter

import numpy as np
import pytest
from browser import Browser, require_browser
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_hw import Tensor
from tinygrad_hw.drawing import draw, layout
from tinygrad_hw.drawing.formulas import shortened
from tinygrad_hw.drawing.steps import entries, replay, steps
from tinygrad_hw.naming import clean


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


def test_running_sums_add_up_to_the_gradient():
    loss, parameters = network()
    drawing = draw(loss)
    lines = [line for step in steps(drawing._recorded, drawing.picture, drawing._replayed()[0]) for line in step.lines]
    loss.backward()
    (first, second) = [line for line in lines if line.what.startswith("to W, use")]
    assert [first.what, second.what] == ["to W, use 1 of 2", "to W, use 2 of 2"]
    assert first.formula == "∂L/∂W = a₁ᵀ g" and second.formula == "∂L/∂W += xᵀ g"
    (complete,) = [line for line in lines if line.what == "sum, complete" and line.formula == "∂L/∂W"]
    assert complete.value == entries(parameters["W"].grad)
    (bias,) = [line for line in lines if line.what == "to b"]
    assert (bias.formula, bias.value) == ("∂L/∂b = Σ₀ g", entries(parameters["b"].grad))


def test_every_operation_has_a_step_forward_and_one_backward():
    loss, _ = network()
    drawing = draw(loss)
    phases = Counter(step.phase for step in steps(drawing._recorded, drawing.picture, drawing._replayed()[0]))
    operations = sum(bool(box.operation) for box in drawing.picture.boxes)
    assert phases == {"start": 1, "forward": operations, "backward": operations}


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
    assert data_of(draw(loss, max_nodes=6).html())["steps"] == []
    x = Tensor([1.0, 2.0], requires_grad=True)
    page = draw(x * x).html()
    assert "Only forward is shown" in page
    assert {step["phase"] for step in data_of(page)["steps"]} == {"start", "forward"}
    assert "backward" in {step["phase"] for step in data_of(draw(x * x, grad=[1.0, 1.0]).html())["steps"]}
    assert "nothing to step through" in draw(x).html()


# In a browser
@pytest.fixture(scope="module")
def browser():
    require_browser()
    if layout.engine() is None:
        pytest.skip("neither dot nor pygraphviz is there to lay out the picture in the page")
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    loss, _ = network()
    path = draw(loss).save(tmp_path_factory.mktemp("page") / "graph.html")
    return path.as_uri(), data_of(path.read_text(encoding="utf-8"))


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
        for what, formula, value, mathml in step["lines"]:
            expected += [what, *([re.sub("<[^>]*>", "", mathml)] if mathml else [formula] if formula else []), *([value] if value else [])]
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
    said = browser.text("#box-lines")
    loss, parameters = network()
    loss.backward()
    for number in re.findall(r"-?\d+\.\d+", entries(parameters["W"].data) + entries(parameters["W"].grad)):
        assert number in said
    assert browser.text("#box-title") == "W"
    other = len(data["boxes"]) - 1
    browser.run(f"document.getElementById('n{other}').focus()")
    assert browser.text("#box-title") == "L"
    assert browser.run("return document.activeElement.getAttribute('aria-label')").startswith("L = mean₁ / 2, loss")


def test_tab_reaches_every_box(browser, graph):
    url, data = graph
    browser.open(url)
    reached = set()
    for _ in range(len(data["boxes"]) + 8):
        browser.press("Tab")
        reached.add(browser.run("return document.activeElement.id"))
    assert {f"n{i}" for i in range(len(data["boxes"]))} | {"next", "last", "slider"} <= reached


def eventually(holds):
    """Tell whether something holds within five seconds: a page answers a key when it comes to it."""
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_steps_are_spoken(browser, graph):
    url, _ = graph
    browser.open(url)
    browser.press("ArrowRight")
    assert browser.run("return document.getElementById('step').getAttribute('aria-live')") == "polite"
    spoken = "return document.getElementById('slider').getAttribute('aria-valuetext')"
    assert eventually(lambda: "Forward 1 of" in browser.run(spoken)), browser.run(spoken)
    unnamed = (
        "return [...document.querySelectorAll('button, input, [tabindex]')].filter((e) => !e.getAttribute('aria-label')).map((e) => e.id)"
    )
    assert browser.run(unnamed) == []


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
    try:
        browser.open(url)
        for key in ("ArrowRight", "b", "End"):
            browser.press(key)
            browser.run("document.getAnimations().forEach((animation) => animation.finish())")
            background, contrast = browser.run(LUMINANCE)
            assert (background > 0.5) == (scheme == "light")
            assert contrast >= 4.5
    finally:
        browser.emulate("light")


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
    browser.emulate("light", scripts=False)
    try:
        browser.open(url)
    finally:
        browser.emulate("light")
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
    said = browser.run("return document.getElementById('lines').textContent")
    assert all(shortened(clean(name)) in said for name in names)
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
