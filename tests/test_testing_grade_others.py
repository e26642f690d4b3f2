"""Homework of other people is graded as the report's is: other names, losses, activations, layers, dtypes and conventions."""

from functools import partial

import numpy as np
import pytest
from homeworks import graded_homework, module
from other_homeworks import OTHER_PLANTED, OTHERS, other_homework

from tinygrad_hw import GradientError
from tinygrad_hw.testing import grade

SETTINGS = [{}, {"n": 1}, {"n": 2, "seed": 3}, {"n": 13, "seed": 5}, {"one_class": True, "n": 8, "seed": 2}]


graded = partial(graded_homework, other_homework)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("way", OTHERS)
def test_a_correct_program_has_no_mistake(way, settings):
    found = graded(way, OTHERS[way], **settings)
    assert found.right and not found.mistakes, str(found)


WITHOUT_LOSS = ("deep", "logreg", "loop", "ng", "modules")


@pytest.mark.parametrize("way", [way for way in OTHERS if way not in WITHOUT_LOSS])
def test_the_programs_own_forward_pass_can_stand_for_the_teachers(way):
    assert graded(way, OTHERS[way], own=True).right


def test_a_program_that_computes_no_loss_needs_the_teachers():
    with pytest.raises(GradientError, match="no loss is computed from the weights"):
        graded("deep", OTHERS["deep"], own=True)


SOME = OTHER_PLANTED[::7]  # (all of them take a minute)


@pytest.fixture(scope="module")
def found():
    return [graded(mistake.way, mistake.source()) for mistake in SOME]


def test_every_planted_mistake_is_noticed(found):
    assert not any(result.right for result in found)


def test_the_first_wrong_line_is_named_for_nine_of_ten_planted_mistakes(found):
    right = [result.mistakes[0].line == mistake.number() for result, mistake in zip(found, SOME)]
    assert np.mean(right) >= 0.9


def test_the_mistake_is_called_by_its_name_for_three_of_four_planted_mistakes(found):
    right = [result.mistakes[0].mistake.kind in mistake.kinds for result, mistake in zip(found, SOME)]
    assert np.mean(right) >= 0.75


TWO_LAYERS = """
import numpy as np

def gradients(W1, b1, W2, b2, X, y):
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    out = a1 @ W2 + b2
    d2 = 2 * (out - y) / len(X)
    d1 = (d2 @ W2.T) * (1 - a1**2)
    return X.T @ d1, d1.sum(0), a1.T @ d2, d2.sum(0)
"""


@pytest.mark.parametrize("right, wrong, line, kind", [
    ("a1.T @ d2", "z1.T @ d2", 10, "z for a"), (" * (1 - a1**2)", "", 9, "factor missing"), (" / len(X)", "", 8, "1/N missing"),
    ("", "", 0, ""),
])  # fmt: skip
def test_a_teachers_loss_may_run_its_network_twice(right, wrong, line, kind):
    def network(W1, b1, W2, b2, X):
        return np.tanh(X @ W1 + b1) @ W2 + b2

    def loss(*args):
        *given, y = args
        return np.sum((network(*given) - y) * (network(*given) - y)) / len(y)

    rng = np.random.default_rng(4)
    example = [rng.normal(size=shape) for shape in ((3, 4), 4, (4, 1), 1, (7, 3), (7, 1))]
    found = grade(module(TWO_LAYERS.replace(right, wrong) if right else TWO_LAYERS)["gradients"], loss, *example)
    assert [(mistake.line, mistake.mistake.kind) for mistake in found.mistakes[:1]] == ([(line, kind)] if line else [])


# Ways of writing that are drawn: names, products, derivatives, where 1/N stands, what is returned
MISTAKES = [  # of a drawn program: the line by its mark, what is changed, and to what
    ("d1", "SLOPE", "1"), ("d1", "{W2}.T", "{W2}.T * 2"), ("gW2", "{h}", "{z}"), ("gb1", "axis=0", "axis=1"), ("gb2", "sum", "mean"),
    ("d2", "{p} - {t}", "{t} - {p}"), ("gW1", "{d1}", "({d1} + {h})"), ("d1", "{d2}", "{p}"), ("prime", "1 -", "1 +"),
]  # fmt: skip


def drawn_program(seed, planted=None):
    """Return a program of two layers, its line with a mistake, and the number of that line."""
    rng = np.random.default_rng(seed)
    pick = lambda *ways: ways[rng.integers(len(ways))]
    style = pick("Z1 H OUT D2 D1", "pre hidden guess delta_out delta_hidden", "u v q e f", "s1 o1 o2 err2 err1").split()
    names = dict(zip(("z", "h", "p", "d2", "d1"), style), W2=pick("V", "W2", "B"), t=pick("y", "target"))
    product = pick("np.dot({}, {})", "({} @ {})", "np.matmul({}, {})")
    slope = pick("prime({h})", "{h} * (1 - {h})", "(1 - {h}) * {h}")
    early, late = pick((" / len(X)", ""), ("", " / len(X)"))
    lines = {
        "prime": "def prime(a): return a * (1 - a)",
        "def": "def gradients(A, b, {W2}, c, X, {t}):",
        "z": "    {z} = " + product.format("X", "A") + " + b",
        "h": "    {h} = 1 / (1 + np.exp(-{z}))",
        "p": "    {p} = " + product.format("{h}", "{W2}") + " + c",
        "d2": "    {d2} = ({p} - {t})" + early,
        "d1": "    {d1} = " + product.format("{d2}", "{W2}.T") + " * SLOPE",
        "gW2": "    gW2 = " + product.format("{h}.T", "{d2}") + late,
        "gb2": "    gb2 = np.sum({d2}, axis=0)" + late,
        "gW1": "    gW1 = " + product.format("X.T", "{d1}") + late,
        "gb1": "    gb1 = {d1}.sum(axis=0)" + late,
        "return": pick("    return gW1, gb1, gW2, gb2", "    return [gW1, gb1, gW2, gb2]"),
    }
    if planted is not None:
        mark, right, wrong = planted
        assert right in lines[mark]
        lines[mark] = lines[mark].replace(right, wrong)
        slope = "prime({h})" if mark == "prime" else slope
    source = "import numpy as np\n" + "\n".join(lines.values()).replace("SLOPE", slope).format(**names)
    return source, 2 + list(lines).index(planted[0]) if planted is not None else 0


def graded_program(source, seed):
    loss = lambda A, b, V, c, X, t: np.mean((1 / (1 + np.exp(-(X @ A + b))) @ V + c - t) ** 2) / 2
    rng = np.random.default_rng(seed)
    return grade(module(source)["gradients"], loss, *(rng.normal(size=shape) for shape in ((3, 5), 5, (5, 1), 1, (5, 3), (5, 1))))


@pytest.mark.parametrize("seed", range(12))
def test_a_drawn_program_without_a_mistake_is_right(seed):
    assert graded_program(drawn_program(seed)[0], seed).right


@pytest.mark.parametrize("seed, planted", list(enumerate(MISTAKES)))
def test_in_a_drawn_program_the_line_of_the_mistake_is_found(seed, planted):
    source, line = drawn_program(seed, planted)
    found = graded_program(source, seed)
    assert found.mistakes[0].line == line, f"{source}\n{found}"
