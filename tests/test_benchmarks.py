"""The benchmarks fit exponents, refuse to compare unequal work, and lose no results."""

import json

import numpy as np
import pytest

from benchmarks import storage
from benchmarks.curves import Axis, Curve, exponent, measured, without_folders
from benchmarks.figures import spread
from benchmarks.measure import Timing, difference
from benchmarks.models import PROGRAMS, chosen
from benchmarks.models.training import Program, eager


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_of_a_power_is_that_power(power):
    sizes = [10, 100, 200, 500, 1000]
    assert exponent(sizes, [1e-6 * size**power for size in sizes]) == pytest.approx(power, abs=1e-12)


def test_the_exponent_is_that_of_the_last_decade():
    assert exponent([1, 10, 100, 1000], [1.0, 1.0, 1.0, 100.0]) == pytest.approx(2)


def test_one_size_has_no_exponent():
    assert exponent([10], [1.0]) is None


def test_a_curve_ends_where_a_contestant_fails_or_disagrees():
    def fails(size):
        if size > 1:
            raise RecursionError("in /some/folder/file.py: too deep")
        return lambda: 1.0

    contestants = [("right", lambda size: lambda: 1.0, "numpy"), ("wrong", lambda size: lambda: 1.0 + 0.1 * (size > 1), "numpy")]
    contestants += [("fails", fails, "numpy"), ("absent", fails, "not_installed")]
    outcome = measured(Axis("sizes", "nothing", (1, 2), contestants, 1e-9), 1)
    curves = outcome["contestants"]
    assert [curves[label]["sizes"] for label in ("right", "wrong", "fails")] == [[1, 2], [1], [1]]
    assert curves["right"]["stopped"] is None
    assert curves["wrong"]["stopped"] == "differs from the yardstick at 2 by 1e-01"
    assert curves["fails"]["stopped"] == "fails at 2: RecursionError: in file.py: too deep"
    assert outcome["not installed"] == ["absent"]


@pytest.mark.parametrize(
    ("seconds", "starts", "reason"),
    [
        ([0.1, 6.0], [1.0, 1.0], "a run took 6 s at 30, more than 5 s"),
        ([0.1, 0.2], [4.0, 12.0], "starting took 12 s at 30, more than 10 s, and grows with the size"),
        ([0.1, 0.2], [11.0, 12.0], None),
    ],
)
def test_a_curve_ends_after_a_size_that_takes_long(seconds, starts, reason):
    curve = Curve("slow", lambda size: lambda: 1.0)
    for size, time, start in zip((10, 30), seconds, starts):
        curve.add(size, Timing(1.0, time, 3))
        curve.starts.append(start)
    assert (curve.start(100) is None) == (reason is not None)
    assert curve.stopped == reason


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_agrees_with_nothing(value):
    assert difference(value, 1.0) == np.inf


def test_messages_keep_files_and_lose_folders():
    assert without_folders("/a/b/c.py, line 3: 1 / 2\nmore") == "c.py, line 3: 1 / 2"


def test_saving_a_part_leaves_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "FOLDER", tmp_path / "results")
    storage.save("one", {"ratios": [1.0, 1 / 3], "stopped": None})
    storage.save("two", {"seconds": 2e-6})
    assert storage.load("one")["results"] == {"ratios": [1.0, 0.3333], "stopped": None}
    assert storage.load("two")["results"] == {"seconds": 2e-6}
    assert set(storage.load("one")["machine"]) >= {"processor", "python", "numpy", "date", "command"}


def test_lists_of_numbers_stand_on_one_line():
    content = {"a": [1, 2.5, None], "b": {"c": []}}
    text = storage.as_json(content)
    assert "[1, 2.5, null]" in text
    assert json.loads(text) == content


def test_labels_keep_their_distance_and_stay_inside():
    placed = spread([0.1, 0.9, 0.95, 0.95, 1.0], 0.1)
    assert placed == pytest.approx([0.1, 0.7, 0.8, 0.9, 1.0])


@pytest.mark.parametrize("name", [name for name, program in PROGRAMS.items() if isinstance(program, Program)])
def test_each_program_learns(name):
    step = eager(PROGRAMS[name].ours())
    losses = [step() for _ in range(4)]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]


def test_programs_are_chosen_by_how_their_names_begin():
    assert list(chosen(["GPT"])) == ["GPT, float32", "GPT, float64"]
    assert chosen(None) == PROGRAMS
