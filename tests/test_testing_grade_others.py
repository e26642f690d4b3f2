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


@pytest.fixture(scope="module")
def found():
    return [graded(mistake.way, mistake.source()) for mistake in OTHER_PLANTED]


def test_every_planted_mistake_is_noticed(found):
    assert not any(result.right for result in found)


def test_the_first_wrong_line_is_named_for_nine_of_ten_planted_mistakes(found):
    right = [result.mistakes[0].line == mistake.number() for result, mistake in zip(found, OTHER_PLANTED)]
    assert np.mean(right) >= 0.9


def test_the_mistake_is_called_by_its_name_for_three_of_four_planted_mistakes(found):
    right = [result.mistakes[0].mistake.kind in mistake.kinds for result, mistake in zip(found, OTHER_PLANTED)]
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
