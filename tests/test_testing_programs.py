"""Random programs: what they say, that the runner finds what differs, and that the engine differs in nothing."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from programs import CHECKS, differences, main, on_arrays, random_program, smaller

from tinygrad_hw.rules import RULES, shaping
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing import strategies
from tinygrad_hw.testing.programs import Program

GOOD = Program((np.array([1.0, -2.0, 0.5]),), ("v0[0] = 2.0", "v1 = v0 * v0", "v2 = v1.sum()", "v0[7] = 1.0", "v3 = v1 + np.ones(2)"))


def test_a_program_that_is_alike_has_no_differences_by_any_check():
    assert differences(GOOD, tuple(CHECKS)) == []


def test_another_value_shape_dtype_or_error_is_found(monkeypatch):
    for name, wrong, said in (
        ("__setitem__", lambda self, index, value: [0, 1, 2][index] and None, "v0: [1.0, -2.0, 0.5], not [2.0, -2.0, 0.5]"),
        ("sum", lambda self: Tensor(np.sum(self.data).reshape(1)), "v2: float64 of shape (1,), not float64 of shape ()"),
        ("__mul__", lambda self, other: Tensor((self.data**2).astype(np.float32)), "v1: float32 of shape (3,), not float64 of shape (3,)"),
        ("__add__", lambda self, other: self, "statement 4, v3 = v1 + np.ones(2): no error; on arrays ValueError"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Tensor, name, wrong)
            assert any(said in line for line in differences(GOOD, ("data",)))


def test_a_wrong_gradient_is_found(monkeypatch):
    row = RULES[shaping.setitem]
    monkeypatch.setattr(row, "vjps", (lambda g, out, x, value, index, *place: g, *row.vjps[1:]))
    monkeypatch.setattr(row, "joint_vjp", None)
    monkeypatch.setattr(row, "single_vjps", row.vjps)
    assert "gradient: the slope is " in differences(GOOD, ("gradient",))[0]


def test_a_program_that_differs_is_made_smaller(monkeypatch):
    monkeypatch.setattr(Tensor, "sum", lambda self: self)
    assert smaller(GOOD, ("data",)).statements == ("v1 = v0 * v0", "v2 = v1.sum()")


def test_a_program_reads_as_a_script_that_runs_it():
    program = Program((np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), np.array([True])), ("v2 = v0[0]", "v2 += 1"))
    space = {"np": np}
    exec(repr(program), space)
    assert space["v0"].flags.f_contiguous and not space["v0"].flags.c_contiguous
    assert space["v0"].tolist() == [[2.0, 3.0], [3.0, 4.0]]


def test_the_same_seed_gives_the_same_program():
    assert repr(random_program(5)) == repr(random_program(5)) != repr(random_program(6))


def test_programs_say_much_and_most_of_their_statements_run():
    programs = [random_program(seed) for seed in range(300)]
    texts = [statement for program in programs for statement in program.statements]
    for part in (
        ".T",
        "reshape",
        "np.split(",
        "+=",
        "@=",
        "<<=",
        "out=",
        "where=",
        "np.copyto",
        "put_along_axis",
        ".at(",
        ".sort(",
        "for row in",
    ):
        assert any(part in text for text in texts), part
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        errors = [error for program in programs for error in on_arrays(program, lambda x: x)[1]]
    assert 0.05 * len(errors) < sum(error is not None for error in errors) < 0.4 * len(errors)


@settings(max_examples=30)
@given(strategies.programs(smooth=True))
def test_smooth_programs_are_of_floating_numbers_and_differentiable(program):
    variables = {f"v{k}": np.copy(x) for k, x in enumerate(program.inputs)}
    with np.errstate(all="ignore"):
        program.run(variables)
    assert all(x.dtype.kind == "f" for x in program.inputs)
    assert not any(isinstance(x, np.ndarray) and x.dtype.kind == "c" for x in variables.values())


def test_the_command_counts_and_shows_what_differs(capsys, monkeypatch):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "how many programs" in capsys.readouterr().out
    assert main(["3"]) == 0
    assert capsys.readouterr().out == "3 of 3 alike\n"
    monkeypatch.setattr(Tensor, "__neg__", lambda self: self)
    assert main(["60", "--show", "1"]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("seed ") and " = -v" in shown and shown.endswith("of 60 alike\n")


# The engine
def alike(program, checks):
    found = differences(program, checks)
    assert not found, f"{program!r}\n# {found[0]}"


@settings(max_examples=100)
@given(strategies.programs())
def test_on_tensors_programs_differ_in_nothing(program):
    alike(program, ("data", "recorded", "no_grad"))


@settings(max_examples=100)
@given(strategies.programs(smooth=True))
def test_gradients_of_programs_are_those_of_the_complex_step(program):
    alike(program, ("recorded", "gradient"))


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_random_programs_differ_in_nothing(first):
    """Long ones, in which much happens before what was written is read."""
    for seed in range(first, first + 50):
        smooth = seed % 2 == 0
        alike(random_program(seed, 12, smooth), ("data", "recorded", "no_grad", *(("gradient",) if smooth else ())))
