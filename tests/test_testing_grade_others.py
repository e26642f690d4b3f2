"""Homework of other people is graded as the report's is: other names, losses, activations, layers, dtypes and conventions."""

import numpy as np
import pytest
from other_homeworks import OTHER_PLANTED, OTHERS, other_homework

from tinygrad_hw import GradientError
from tinygrad_hw.testing import grade

SETTINGS = [{}, {"n": 1}, {"n": 2, "seed": 3}, {"n": 30, "seed": 5}, {"one_class": True, "n": 8, "seed": 2}]


def graded(way, source, own=False, **settings):
    code, loss, example = other_homework(way, source, **settings)
    return grade(code, None if own else loss, *example)


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
