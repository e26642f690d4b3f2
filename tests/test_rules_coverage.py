"""Every public function of NumPy has one place in the table, and is what its place says."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_hw
from tinygrad_hw import DetachError, Tensor, tensor
from tinygrad_hw.rules import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS, coverage
from tinygrad_hw.rules.table import composition
from tinygrad_hw.trees import leaves

ALL = [(title, name, function) for title, module in coverage.MODULES.items() for name, function in coverage.functions(module)]


@pytest.mark.parametrize("title", coverage.MODULES)
def test_every_public_function_has_a_place(title):
    missing = [name for name, where in coverage.places()[title].items() if where is None]
    assert missing == [], f"{title} has functions that the table does not place: give each a rule, a composition or no_derivative"


def test_no_function_has_two_places():
    listed = coverage.CONVERSIONS | coverage.TAKES_NO_ARRAY | coverage.CALLS_OTHERS | coverage.NOT_YET.keys()
    for _, name, function in ALL:
        tables = [function in RULES, function in SPELLINGS, function in COMPOSITIONS, function in NO_DERIVATIVE, name in listed]
        assert sum(tables) == 1, name
    assert not coverage.CONVERSIONS & coverage.TAKES_NO_ARRAY


def test_a_function_that_numpy_gains_is_noticed(monkeypatch):
    monkeypatch.setattr(np, "brand_new", lambda x: x, raising=False)
    assert coverage.places()["numpy"]["brand_new"] is None


def test_nothing_waits_without_a_reason():
    assert all(reason for reason in coverage.NOT_YET.values())


def test_what_is_said_to_take_no_array_does_not_dispatch_on_one():
    for _, name, function in ALL:
        if name in coverage.TAKES_NO_ARRAY | coverage.CONVERSIONS:
            assert not hasattr(function, "_implementation") or name == "fftfreq", name


@pytest.mark.parametrize("name", ["array", "asarray", "asanyarray", "ascontiguousarray", "asfortranarray", "asarray_chkfinite", "require"])
def test_a_conversion_refuses_a_tensor_that_requires_a_gradient(name):
    with pytest.raises(DetachError, match="requires a gradient"):
        getattr(np, name)(Tensor([1.0], requires_grad=True))
    assert type(getattr(np, name)(Tensor([1.0]))) is np.ndarray


QUERIES = sorted({f for f in NO_DERIVATIVE if f in {g for _, _, g in ALL}}, key=lambda f: f.__name__)
TWO = (np.array([[2.0, 1.0], [1.0, 3.0]]),)
INTS, SORTED = (np.array([4, 6]), np.array([2, 3])), (np.array([1.0, 2, 3]), np.array([1.0, 2.5]))
ARGUMENTS = {
    **dict.fromkeys(coverage.words("gcd lcm bitwise_and bitwise_or bitwise_xor left_shift right_shift"), INTS),
    **dict.fromkeys(coverage.words("invert bitwise_count"), INTS[:1]),
    **dict.fromkeys(coverage.words("packbits unpackbits"), (np.array([1, 0], np.uint8),)),
    **dict.fromkeys(coverage.words("tril_indices_from triu_indices_from diag_indices_from matrix_rank argwhere"), TWO),
    **dict.fromkeys(coverage.words("searchsorted digitize isin in1d intersect1d setdiff1d setxor1d union1d"), SORTED),
    **dict.fromkeys(coverage.words("shares_memory may_share_memory"), SORTED),
    "argpartition": (np.array([3.0, 1, 2]), 1),
    "unravel_index": (np.array([1, 3]), (2, 2)),
    "ravel_multi_index": ((np.array([0, 1]), np.array([1, 1])), (2, 2)),
    "lexsort": ((np.array([2.0, 1]),),),
    "einsum_path": ("ij,jk->ik", *TWO * 2),
    "min_scalar_type": (np.float64(1),),
    "ix_": INTS,
}  # fmt: skip
ELSEWHERE = coverage.words(
    "busday_count busday_offset is_busday datetime_as_string isnat save savetxt savez savez_compressed empty_like can_cast"
)
if np.__version__.startswith("2.0."):  # (deprecated there, and without a signature there)
    ELSEWHERE |= {"in1d", "result_type"}


@pytest.mark.parametrize("function", [f for f in QUERIES if f.__name__ not in ELSEWHERE], ids=lambda f: f.__name__)
def test_a_function_without_a_derivative_gives_tensors_of_what_it_gives_arrays(function):
    given = ARGUMENTS.get(function.__name__)
    if given is None:
        given = (np.array([2.0, 1.0]),) * (function.nin if isinstance(function, np.ufunc) else min(2, needed(function)))
    as_tensors = [Tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in given]
    if function.__name__ in ("lexsort", "ravel_multi_index"):
        as_tensors[0] = tuple(map(Tensor, given[0]))
    found, expected = function(*as_tensors), function(*given)
    if isinstance(expected, str):
        assert isinstance(found, str)
    else:
        as_arrays = tensor.plain(found)
        assert repr(as_arrays) == repr(expected)
        assert all(isinstance(x, Tensor) == isinstance(y, (np.ndarray, np.generic)) for x, y in zip(leaves(found), leaves(expected)))


def needed(function):
    """Return how many arguments a function must be given."""
    parameters = inspect.signature(function).parameters.values()
    return sum(p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) or 1


def test_saving_a_tensor_writes_its_values(tmp_path):
    np.save(tmp_path / "t.npy", Tensor([1.0, 2.0], requires_grad=True))
    assert np.load(tmp_path / "t.npy").tolist() == [1, 2]


def test_the_command_prints_each_place_with_its_total():
    printed = subprocess.run([sys.executable, "-m", "tinygrad_hw.rules"], capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    text = printed.stdout
    assert f"NumPy {np.__version__}" in text
    found = [its_place for module in coverage.places().values() for its_place in module.values()]
    for where in coverage.PLACES:
        count = found.count(where)
        assert f"  {count:4}  {where}" in text
    assert "svd" in text.split("numpy.linalg")[1]


def test_a_composition_of_a_function_that_numpy_lacks_is_left_out():
    before = dict(COMPOSITIONS)
    composition("no_such_function")(lambda x: x)
    assert before == COMPOSITIONS


def test_every_rule_is_called_by_a_name():
    assert all(row.name for row in RULES.values())
    assert tinygrad_hw.rules.coverage is coverage
