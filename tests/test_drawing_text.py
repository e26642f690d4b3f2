"""Text: the table and the tree, Mermaid, and that no string of the user's can break out of any format."""

import io
import re
import subprocess
import sys
import unicodedata
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.drawing import draw, layout
from tinygrad_hw.drawing.formulas import LONGEST_NAME, shortened, summary
from tinygrad_hw.naming import clean

STRANGE = [
    r"\N", r"\G", 'a"b', "<lambda> <map>", "<b>bold</b>", "a:b", "ends in \\", "&amp;", "&#60;", "a & b", "nul\0",
    "esc\x1b[31m", "del\x7f\x85", "\ufffe",
    "lone \ud800", "</script><script>alert(1)</script>", "-->", "]]>", "מימין לשמאל", "\u202eright to left", "two\nlines",
    "tab\t", "`code`", "end", "#35;",
    "%%{init}%%", "😀", "e\u0301", "{x}", "'", "$&", "\u2028", "  ", "n0",
]  # fmt: skip


def named(name):
    """Return a loss in whose graph a parameter, a result and a variable have this name."""
    x = Tensor([1.0, 2.0], requires_grad=True, name=name)
    h = np.exp(x)
    return (h * x).sum(), {name: h}


names = st.text(min_size=1, max_size=12) | st.sampled_from(STRANGE)


# The text drawing
def loss():
    x, w = np.ones((3, 2)), Tensor([[1.0], [2.0]], requires_grad=True, name="W")
    return np.mean(np.square(tg.sigmoid(x @ w) - np.zeros((3, 1))))


def test_the_table_and_the_tree_of_a_small_network():
    assert (
        draw(loss()).text(width=60, color=False, ascii_only=False)
        == """\
#  name       operation             shape
0  W          parameter             (2, 1)
1  x          input                 (3, 2)
2  z₁         x @ W                 (3, 1)
3  ŷ          sigmoid(z₁)           (3, 1)
4  y          input                 (3, 1)
5  subtract₁  ŷ - y                 (3, 1)
6  square₁    square(subtract₁)     (3, 1)
7  L          mean(square₁) (loss)  scalar

L = mean(square₁)
└─ square₁ = square(subtract₁)
   └─ subtract₁ = ŷ - y
      ├─ ŷ = sigmoid(z₁)
      │  └─ z₁ = x @ W
      │     ├─ x
      │     └─ W
      └─ y

5 operations on 3 leaves
"""
    )


@pytest.mark.parametrize("width", [20, 40, 60, 100])
def test_no_line_is_wider_than_asked(width):
    for line in draw(loss(), show=("shape", "value", "dtype")).text(width, False, False).splitlines():
        assert len(line) <= width


def test_wide_characters_take_two_cells():
    x = Tensor([1.0], requires_grad=True, name="重量重量")
    lines = draw(np.exp(x)).text(60, False, False).splitlines()
    cells = [sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line.split("(1,)")[0]) for line in lines[1:3]]
    assert cells[0] == cells[1]


def test_a_vertex_is_spread_out_once_and_then_pointed_at():
    h = np.exp(Tensor([1.0], requires_grad=True, name="x"))
    tree = draw(h * h + h).text(80, False, False).split("\n\n")[1]
    assert tree.count("exp(x)") == 1 and tree.count("↩ exp₁") == 2


def test_colour_is_for_terminals_and_no_color_turns_it_off(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    drawing = draw(loss())
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" not in drawing.text(width=80)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert "\x1b[" in drawing.text(width=80)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in drawing.text(width=80)
    assert "\x1b[" in drawing.text(width=80, color=True)


def test_where_the_output_has_no_greek_letters_text_is_ascii():
    code = "import numpy as np, tinygrad_hw as tg; x = tg.Tensor([[1.0]], requires_grad=True); print(tg.draw((np.tanh(x @ x)).sum()))"
    for encoding, letters in (("ascii", "z1"), ("utf-8", "z₁")):
        output = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONIOENCODING": encoding, "PATH": ""}, capture_output=True, check=True
        ).stdout
        assert letters in output.decode(encoding)


@given(names)
def test_ascii_text_is_ascii_whatever_the_names(name):
    output, variables = named(name)
    assert draw(output, names=variables).text(80, False, True).isascii()


# What stands for an array
@pytest.mark.parametrize(
    "value, words",
    [
        (np.float64(0.5), "0.5"),
        (np.array([1.0, -2.5]), "[1, -2.5]"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (np.array([True, False]), "[1, 0]"),
        (np.zeros((0, 3)), "empty"),
        (np.full(10, 3.0), "all 3"),
        (np.arange(10.0), "4.5 ± 2.872 in [0, 9]"),
        (np.array([np.nan, np.inf, *range(8)]), "3.5 ± 2.291 in [0, 7], 2 of 10 not finite"),
        (np.full(9, np.nan), "9 of 9 not finite"),
        (np.array([1 + 2j]), "[1+2j]"),
    ],
)
def test_the_summary_of_an_array(value, words):
    assert summary(value) == words


# Strange names
@given(st.text())
def test_a_clean_string_is_well_formed_in_every_format(text):
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    cleaned.encode()
    ElementTree.fromstring("<a>" + cleaned.replace("&", "&amp;").replace("<", "&lt;") + "</a>")
    assert not any(unicodedata.category(c) in ("Cc", "Cs") or c in "\u202e\u2066\u200f" for c in cleaned)
    assert clean(cleaned) == cleaned


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_ordinary_text_stays_as_it_is(text):
    assert clean(text) == text


@given(names)
def test_mermaid_labels_cannot_end_their_quotes(name):
    output, variables = named(name)
    lines = draw(output, names=variables).mermaid().splitlines()
    assert lines[0] == "flowchart TB"
    for line in lines[1:]:
        assert re.fullmatch(
            r'    (n\d+\S{1,2}"[^"<>`\[\]{}|&;\\]*(?:(?:<br>|#\d+;)[^"<>`\[\]{}|&;\\]*)*"\S{1,2}|n\d+ -\.?->?(\|".*"\|)? n\d+|class.*)',
            line,
        ), line


def test_mermaid_frames_modules():
    net = tg.nn.Sequential(tg.nn.Linear(2, 2, rng=np.random.default_rng(0)), tg.nn.Tanh())
    lines = draw(net(np.ones((1, 2))).sum()).mermaid().splitlines()
    assert lines.count("    end") == 1 and lines.count("        end") == 2
    assert '    subgraph m1["Sequential"]' in lines


class Collector(HTMLParser):
    """Collects the tags of a page, and what stands in its scripts."""

    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, tuple(sorted(name for name, _ in attributes))))


def tags_of(page):
    collector = Collector()
    collector.feed(page)
    return sorted(collector.tags)


def test_strange_names_add_no_tag_and_no_attribute_to_the_page(monkeypatch):
    monkeypatch.setattr(layout, "engine", lambda: None)
    output, variables = named("plain")
    expected = tags_of(draw(output, names=variables, title="plain").html())
    for name in STRANGE:
        output, variables = named(name)
        page = draw(output, names=variables, title=name).html()
        page.encode()
        assert tags_of(page) == expected, name
        assert "alert(1)</script>" not in page


@pytest.mark.skipif(layout.engine() is None, reason="neither dot nor pygraphviz is there to lay out pictures")
@settings(max_examples=6)
@given(st.lists(names, min_size=30, max_size=40))
@example(STRANGE)
def test_svg_says_exactly_the_names_that_were_given(given_names):
    """All names go through one layout process, so that a crash there fails this test and not the interpreter."""
    leaves = [Tensor([1.0], requires_grad=True, name=name) for name in given_names]
    drawing = draw(*leaves, title=given_names[0], legend=False)
    root = ElementTree.fromstring(drawing.svg())
    texts = {
        g.get("id").split("_")[1]: g.find("{http://www.w3.org/2000/svg}text").text
        for g in root.iter("{http://www.w3.org/2000/svg}g")
        if g.get("class") == "node parameter"
    }
    assert len(texts) == len(given_names)
    for i, box in enumerate(drawing.picture.boxes):
        assert texts[f"n{i}"].replace("\xa0", " ").strip() == shortened(box.name).replace("\xa0", " ").strip()


def test_a_write_reads_as_it_was_written():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
    y = x * 2
    y[1:] = 0.0
    y[0] = x[2]
    formulas = {box.name: box.formula for box in draw(y.sum(), names={"y": y}).picture.boxes}
    assert formulas["y₁"] == "y₀ with [1:] = 0" and formulas["y"] == "y₁ with [0] = getitem₁"


@given(st.text(min_size=LONGEST_NAME))
def test_long_names_are_shortened(name):
    assert len(shortened(name)) <= LONGEST_NAME


def test_an_index_of_arrays_keeps_its_brackets():
    x = Tensor(np.ones((2, 2)), requires_grad=True, name="x")
    assert "x[array(2,), array(2,)]" in draw(x[np.array([0, 1]), np.array([1, 0])].sum()).text()
    assert "x[0, :]" in draw(x[0, :].sum()).text()
