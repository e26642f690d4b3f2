"""The catalogue is large, every mutant is really wrong and is taken out again, and the command counts what a suite catches."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from engine_mutants import catalogue

import tinygrad_hw as tg
from tinygrad_hw.rules import RULES, Each, gaussian, neural, reductions, shaping
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing import check_gradients
from tinygrad_hw.testing.mutants import Mutant, applied, likely_first, main
from tinygrad_hw.transforms import grad, jvp

x, y = np.array([[0.3, 0.8], [0.6, 0.2]]), np.array([[0.4, 0.5], [0.9, 0.1]])
n, r, s = neural, reductions, shaping
WITNESSES = {  # how to call what is not a ufunc, and inputs where each of its mutants is wrong
    "clip": (lambda x: np.clip(x, 0.3, 0.7), (np.array([0.1, 0.5, 0.9]),)),
    "where": (lambda x, y: np.where([True, False], x, y), (x, y)),
    "heaviside": (lambda x, y: (np.heaviside(x, y), np.heaviside(np.zeros(2), y)), (x, y)),
    "ldexp": (lambda x: np.ldexp(x, 3), (x,)),
    "arccosh": (np.arccosh, (x + 1.5,)),
    "floor_divide": (lambda x, y: np.floor_divide(x, y), (x + 1, y)),
    "remainder": (np.remainder, (x + 2, y + 0.03)),
    "fmod": (np.fmod, (x + 2, y + 0.03)),
    "sinc": (np.sinc, (x,)),
    "broadcast_to": (lambda x: np.broadcast_to(x, (3, 2, 2)) * 2 + reductions.broadcast_to(x, (3, 2, 2)), (x,)),
    "sum": (lambda x: np.sum(x, 0), (x,)),
    "mean": (lambda x: np.mean(x, 0), (x,)),
    "max": (lambda x: (np.max(x, 1), np.max(np.ones(3) * x[0, 0])), (x,)),
    "min": (lambda x: (np.min(x, 1), np.min(np.ones(3) * x[0, 0])), (x,)),
    "prod": (lambda x: np.prod(x, 1), (x * [[0, 1], [1, 1]],)),
    "var": (lambda x: np.var(x, 1, ddof=1), (x,)),
    "std": (lambda x: np.std(x, 1), (x,)),
    "cumsum": (lambda x: np.cumsum(x, 0), (x,)),
    "cumprod": (lambda x: np.cumprod(x, 0), (x * [[0, 1], [1, 1]],)),
    "logsumexp": (lambda x: tg.logsumexp(x, 1), (x,)),
    "softmax": (lambda x: tg.softmax(x, 0), (x,)),
    "log_softmax": (lambda x: tg.log_softmax(x, 0), (x,)),
    "leaky_relu": (lambda x: tg.leaky_relu(x, 0.2), (x - 0.5,)),
    "relu": (tg.relu, (x,)),
    "sigmoid": (tg.sigmoid, (x,)),
    "log_sigmoid": (tg.log_sigmoid, (x,)),
    "softplus": (tg.softplus, (x,)),
    "gelu": (tg.gelu, (x,)),
    "normal_cdf": (gaussian.normal_cdf, (x,)),
    "normal_density": (gaussian.normal_density, (x,)),
    "erf": (tg.erf, (x,)),
    "erfc": (tg.erfc, (x,)),
    "matmul": (np.matmul, (x, y)),
    "einsum": (lambda x, y: np.einsum("ij,jk->ik", x, y), (x, y)),
    "getitem": (lambda x: x[np.array([0, 1, 0])], (x,)),
    "transpose": (lambda x: np.transpose(x.reshape(1, 2, 2), (1, 2, 0)), (x,)),
    "reshape": (lambda x: np.reshape(x, (4,), order="F"), (x,)),
    "squeeze": (lambda x: np.squeeze(x[None]), (x,)),
    "expand_dims": (lambda x: np.expand_dims(x, 0), (x,)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 1), (x,)),
    "moveaxis": (lambda x: np.moveaxis(x.reshape(1, 2, 2), 0, 2), (x,)),
    "flip": (lambda x: np.flip(x, 0), (x,)),
    "roll": (lambda x: np.roll(x.reshape(4), 1), (x,)),
    "copy": (np.copy, (x,)),
    "concatenate": (lambda x, y: np.concatenate([x, y]), (x, y)),
}


def written(x, y):
    """Return x with y written into a row, twice."""
    out = x * 1.0
    out[np.array([0, 0])] = y
    return out


WITNESSES["setitem"] = (written, (x, y))
# What is wrong only where check_gradients, at a kink or beside a limit, accepts more than the convention; or is no rule.
AT_ONE_POINT = {
    "nan at 0": (grad(lambda x: x**2.5), 0.0, 0.0),
    "infinite at 0": (grad(lambda p: np.power(0.0, p)), 2.0, 0.0),
    "the slope 1 at 0": (grad(lambda x: np.abs(x) + tg.relu(x)), 0.0, 0.0),
    "nan at the origin": (grad(lambda x: np.hypot(x, 0.0 * x)), 0.0, 0.0),
    "argument 0 gets all at a tie": (grad(lambda x: np.maximum(x, Tensor(1.0, requires_grad=True))), 1.0, 0.5),
    "argument 1 gets all at a tie": (grad(lambda x: np.maximum(Tensor(1.0, requires_grad=True), x)), 1.0, 0.5),
    "the first tie gets all": (grad(lambda x: np.max(x)), np.ones(2), np.full(2, 0.5)),
    "nan where all are equal": (grad(lambda x: np.std(x)), np.ones(2), np.zeros(2)),
    "nan where all is -inf": (grad(lambda x: tg.logsumexp(x)), np.full(2, -np.inf), np.full(2, 0.5)),
}
CATALOGUE = catalogue()
ENGINE = ("engine", "views", "operators")
IN_RULES = [mutant for mutant in CATALOGUE if mutant.topic not in (*ENGINE, "special")]  # (SciPy's rows are there once they are loaded)
UFUNCS = {function.__name__: function for function in RULES if isinstance(function, np.ufunc) and function in vars(np).values()}


def is_wrong(mutant):
    """Tell whether the witness of a mutant's function shows that it is wrong."""
    for words, (f, at, expected) in AT_ONE_POINT.items():
        if words in mutant.mistake:
            with np.errstate(all="ignore"):
                got = np.asarray(f(at).data if isinstance(f(at), Tensor) else f(at))
            return not np.allclose(got, expected, equal_nan=False)
    if mutant.function in WITNESSES:
        f, inputs = WITNESSES[mutant.function]
    else:
        f = UFUNCS[mutant.function]
        inputs = (x, y)[: f.nin]
    try:
        check_gradients(f, *inputs, order=2 if "once" in mutant.mistake else 1)
    except (AssertionError, tg.TinygradError, ValueError, AttributeError):
        return True
    return False


def test_the_catalogue_has_more_than_sixty_mutants_over_every_topic_and_no_two_the_same():
    assert len(CATALOGUE) > 60
    assert len(set(map(str, CATALOGUE))) == len(CATALOGUE)
    assert {"elementwise", "reductions", "shaping", "products", "neural", "engine"} <= {mutant.topic for mutant in CATALOGUE}


def test_every_argument_that_has_a_rule_has_a_mutant():
    for row in RULES.values():
        bodies = [row.vjps.vjp] if isinstance(row.vjps, Each) else row.vjps
        modules = {body.__module__ for body in bodies if body is not None} - {"tinygrad_hw.rules.special"}  # (loaded when first used)
        if any(module.startswith("tinygrad_hw.rules") for module in modules):
            of_row = [mutant for mutant in CATALOGUE if mutant.function == row.name and "in the rule of argument" in mutant.mistake]
            assert len(of_row) >= sum(body is not None for body in bodies)


@pytest.mark.parametrize("mutant", [m for m in IN_RULES if m.function in WITNESSES or m.function in UFUNCS], ids=str)
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_a_mutant_is_told_from_the_original(mutant):
    with applied(mutant):
        assert is_wrong(mutant)
    assert not is_wrong(mutant)


@pytest.mark.parametrize("mutant", [m for m in CATALOGUE if m.topic in ENGINE], ids=str)
def test_a_mutant_of_the_engine_can_be_planted_and_taken_out_again(mutant):
    patches = mutant.patches()
    right = [getattr(owner, attribute) for owner, attribute, _ in patches]
    with applied(mutant):
        assert not any(getattr(owner, attribute) is was for (owner, attribute, _), was in zip(patches, right))
    assert all(getattr(owner, attribute) is was for (owner, attribute, _), was in zip(patches, right))
    assert patches


def test_operators_methods_and_functions_all_see_a_mutant():
    (mutant,) = [m for m in CATALOGUE if m.function == "multiply" and "rule of argument 0" in m.mistake]
    with applied(mutant):
        for f in (lambda x: x * 3.0, lambda x: np.multiply(x, 3.0)):
            assert grad(f)(2.0) != 3.0
    assert grad(lambda x: x * 3.0)(2.0) == 3.0


def test_who_imported_a_function_by_name_sees_its_mutant_too():
    (mutant,) = [m for m in CATALOGUE if m.function == "jvp"]
    A = np.array([[0.0, 1.0], [0.0, 0.0]])
    with applied(mutant):
        assert jvp(lambda x: A @ x, (np.ones(2),), (np.array([1.0, 2.0]),))[1].tolist() == [0.0, 1.0]
    assert jvp(lambda x: A @ x, (np.ones(2),), (np.array([1.0, 2.0]),))[1].tolist() == [2.0, 0.0]


# The command
GOOD = """
    import numpy as np
    from tinygrad_hw import grad

    def test_exp():
        assert grad(np.exp)(1.0) == np.exp(1.0)
        assert grad(grad(np.exp))(1.0) == np.exp(1.0)
        assert grad(lambda x: 3 * np.exp(x))(0.0) == 3
"""
LAX = """
    import numpy as np
    from tinygrad_hw import grad

    def test_sign_only():
        assert grad(lambda x: 3 * np.exp(x))(1.0) > 0
"""


def graded(tmp_path, tests, *options):
    """Run the command on a file of tests."""
    return output_of(["-m", "tinygrad_hw.testing.mutants"], tmp_path, tests, *options)


def graded_against(catalogue, tmp_path, tests):
    """Run the command on a file of tests, with other mutants (an expression in its modules' names) and a time limit of two seconds."""
    program = f"""
        import sys
        sys.path.append({str(Path(__file__).parent)!r})
        import engine_mutants
        from tinygrad_hw.testing import mutants as m
        m.CPU_SECONDS = 2
        sys.exit(m.main(sys.argv[1:], eval({catalogue!r}, vars(m) | vars(engine_mutants))))
    """
    return output_of(["-c", textwrap.dedent(program)], tmp_path, tests)


def output_of(command, tmp_path, tests, *options):
    """Run a Python command on a file of tests."""
    path = tmp_path / "test_students.py"
    path.write_text(textwrap.dedent(tests))
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # (which take a second to import)
    return subprocess.run(
        [sys.executable, *command, str(path), *options], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )


def test_a_suite_that_catches_every_mutant_is_told_so(tmp_path):
    done = graded(tmp_path, GOOD, "--only", "elementwise: exp:", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "caught 2 of 2 mutants: 100%" in done.stdout
    assert "[test_students.py::test_exp]" in done.stdout
    assert "2/2 caught" in done.stdout


def test_a_lax_suite_is_told_what_it_missed(tmp_path):
    done = graded(tmp_path, LAX, "--only", "elementwise: exp:")
    assert done.returncode == 1
    assert "SURVIVED elementwise: exp: right once, but not differentiable again" in done.stdout
    assert "mutants: 100%" not in done.stdout


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        ("def test_fails():\n    assert False", "the tests fail without any mutant [test_students.py::test_fails]: make"),
        ("import nothing_of_that_name", "could not be collected"),
        ("", "could not be collected"),
    ],
)
def test_a_suite_that_fails_or_holds_no_tests_is_refused(tmp_path, tests, message):
    done = graded(tmp_path, tests, "--only", "exp:")
    assert done.returncode == 2
    assert message in done.stdout


def test_a_test_that_ends_its_process_or_computes_without_end_has_failed(tmp_path):
    tests = """
        import os
        import numpy as np
        from tinygrad_hw import grad

        def test_crash():
            if grad(np.exp)(0.0) < 0:
                os._exit(3)

        def test_endless():
            while grad(np.log)(1.0) < 0:
                pass
    """
    done = graded_against("[_of_rule(f, 0, 'negated', MISTAKES['a wrong sign']) for f in (np.exp, np.log)]", tmp_path, tests)
    assert "caught   elementwise: exp: negated  [a crash]" in done.stdout
    assert "caught   elementwise: log: negated  [the time limit]" in done.stdout


def test_a_mutant_that_cannot_be_planted_is_not_caught_but_an_error(tmp_path):
    done = graded_against("[Mutant('engine', 'sweep', 'gone', lambda: rewritten(backward, 'sweep', 'gone', ''))]", tmp_path, GOOD)
    assert done.returncode == 2
    assert "sweep: its source has no 'gone' any more: the mutant must be written anew" in done.stderr
    assert "caught" not in done.stdout


def test_examples_that_fail_are_not_stored(tmp_path):
    tests = """
        import numpy as np
        from hypothesis import given, strategies as st
        from tinygrad_hw import grad

        @given(st.floats(0, 1))
        def test_exp(x):
            assert grad(np.exp)(x) > 0
    """
    done = graded_against("[_of_rule(np.exp, 0, 'negated', MISTAKES['a wrong sign'])]", tmp_path, tests)
    assert "caught 1 of 1" in done.stdout
    assert not (tmp_path / ".hypothesis" / "examples").exists()


def test_the_likely_tests_run_first():
    names = ["shaping.py::test_maximum", "reductions.py::test_sum", "shaping.py::test_a_max", "reductions.py::test[max-1]"]
    items = [SimpleNamespace(nodeid=name) for name in names]
    ordered = likely_first(items, Mutant("reductions", "max", "a wrong sign", list))
    assert [items.index(item) for item in ordered] == [3, 2, 1, 0]


def test_the_catalogue_can_be_listed_and_nonsense_is_refused(capsys):
    assert main(["--list", "--only", "engine"]) == 0
    assert "engine: unbroadcast: " in capsys.readouterr().out
    for options, message in (
        (["tests", "--only", "no such"], "no mutant's line contains 'no such': --list prints them"),
        ([], "which tests? give files, folders or node ids"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(options)
        assert message in capsys.readouterr().err
