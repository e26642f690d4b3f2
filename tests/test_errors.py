"""Every error says what was being done, with what, and what would work; and nothing is lost by it."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import shapes
from numpy.testing import assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import DetachError, DTypeError, GradientError, NoRuleError, ShapeError, Tensor
from tinygrad_hw.errors import TinygradError


def message_of(call, error):
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    "error, python",
    [(ShapeError, ValueError), (DTypeError, TypeError), (GradientError, RuntimeError), (DetachError, TypeError), (NoRuleError, TypeError)],
)
def test_every_error_is_a_tinygrad_error_and_the_one_that_python_would_raise(error, python):
    assert issubclass(error, TinygradError)
    assert issubclass(error, python)


# Operands that do not fit
def test_a_wrong_product_names_operands_shapes_the_axis_and_a_fix():
    x, w = Tensor(np.ones((21, 2)), name="x"), Tensor(np.ones((10, 2)), requires_grad=True, name="W1")
    assert message_of(lambda: x @ w, ShapeError) == (
        "matmul: the operands do not fit\n"
        "  x   (21, 2)\n"
        "  W1  (10, 2)\n"
        "  axis 1 of x has 2, axis 0 of W1 has 10: they must be equal\n"
        "  W1.T would fit: the result has shape (21, 10)"
    )


def test_a_wrong_sum_names_operands_shapes_and_the_axis():
    x, y = Tensor(np.ones((4, 3)), name="x"), Tensor(np.ones((4, 2)), name="y")
    assert message_of(lambda: x + y, ShapeError) == (
        "add: the operands do not fit\n  x  (4, 3)\n  y  (4, 2)\n"
        "  axis 1 of x has 3, axis 1 of y has 2: they must be equal, or one of them 1"
    )


def test_a_fix_is_named_where_one_works():
    x, y = Tensor(np.ones((4, 3)), name="x"), Tensor(np.ones(4), name="y")
    (fix,) = re.findall(r"\n  (\S+) would fit: the result has shape", message_of(lambda: x * y, ShapeError))
    assert fix in ("x.T", "y[:, None]")


def test_operands_without_a_name_are_counted():
    message = message_of(lambda: Tensor(np.ones((2, 3))) @ np.ones((2, 3)), ShapeError)
    assert "operand 0  (2, 3)" in message
    assert "operand 1  (2, 3)" in message


def test_a_matrix_times_a_scalar_names_the_operator_for_it():
    assert "is a scalar: use * for a product with a scalar" in message_of(lambda: Tensor(np.ones((2, 3)), name="x") @ 2.0, ShapeError)
    assert "is a scalar" in message_of(lambda: 2.0 @ Tensor(np.ones((2, 3)), name="x"), ShapeError)
    assert "b is a scalar" in message_of(lambda: Tensor(np.ones((2, 3))) @ Tensor(2.0, name="b"), ShapeError)


FUNCTIONS = {"add": np.add, "multiply": np.multiply, "matmul": np.matmul, "power": np.power, "maximum": np.maximum, "hypot": np.hypot}


@given(name=st.sampled_from(sorted(FUNCTIONS)), x=shapes(), y=shapes(), dtype=st.sampled_from([np.float64, np.float32]))
def test_a_fix_that_is_named_works_and_an_axis_that_is_blamed_is_at_fault(name, x, y, dtype):
    a, b = Tensor(np.ones(x, dtype), name="a", requires_grad=True), Tensor(np.ones(y, dtype), name="b")
    function = FUNCTIONS[name]
    try:
        expected = function(np.ones(x, dtype), np.ones(y, dtype))
    except ValueError:
        expected = None
    if expected is not None:
        assert function(a, b).shape == expected.shape
        return
    message = message_of(lambda: function(a, b), ShapeError)
    assert message.startswith(f"{name}: the operands do not fit\n  a  {x}\n  b  {y}")
    for fix, shape in re.findall(r"^  (\S+) would fit: the result has shape (.*)$", message, re.MULTILINE):
        fitted = function(*(eval(fix, {"a": a, "b": b}) if fix.startswith(t.name) else t for t in (a, b)))
        assert str(fitted.shape) == shape
    for i, m, j, n in re.findall(r"axis (\d+) of a has (\d+), axis (\d+) of b has (\d+): they must be equal", message):
        assert (x[int(i)], y[int(j)]) == (int(m), int(n))
        assert m != n


def test_the_same_words_for_the_function_the_operator_and_a_plain_tensor():
    x, y = np.ones((4, 3)), np.ones((4, 2))
    words = {
        message_of(call, ShapeError)
        for call in (
            lambda: Tensor(x, requires_grad=True) + y,
            lambda: np.add(Tensor(x), y),
            lambda: x + Tensor(y, requires_grad=True),
            lambda: np.add(x, Tensor(y)),
        )
    }
    assert len(words) == 1


def test_three_operands_that_do_not_fit_are_all_named():
    message = message_of(lambda: np.where(np.ones(4) > 0, Tensor(np.ones((2, 3)), name="x"), 0.0), ShapeError)
    assert "where: the operands do not fit" in message
    assert "x          (2, 3)" in message
    assert "operand 0  (4,)" in message


def test_einsum_that_does_not_fit_names_its_operands():
    x, y = Tensor(np.ones((2, 3)), name="x"), Tensor(np.ones((2, 2)), name="y")
    message = message_of(lambda: np.einsum("ij,jk->ik", x, y), ShapeError)
    assert "x  (2, 3)" in message
    assert "y  (2, 2)" in message


def test_arrays_that_cannot_be_joined_are_named_and_no_false_law_is_told():
    x = Tensor(np.ones((2, 3)), requires_grad=True, name="x")
    message = message_of(lambda: np.concatenate([x, np.ones((2, 2))]), ShapeError)
    assert "x          (2, 3)" in message
    assert "operand 1  (2, 2)" in message
    assert "or one of them 1" not in message


def test_a_value_that_does_not_fit_its_place_is_named():
    t = Tensor(np.ones((4, 3)), name="t")
    message = message_of(lambda: t.__setitem__(slice(0, 2), np.ones(5)), ShapeError)
    assert "(4, 3)" in message
    assert "(5,)" in message


def test_numpys_own_error_is_not_a_cause_that_hides_the_message():
    with pytest.raises(ShapeError) as caught:
        Tensor(np.ones(2)) + np.ones(3)
    assert caught.value.__suppress_context__


# The other errors of the list
def test_backward_from_several_numbers():
    y = Tensor(np.ones(3), requires_grad=True) * 2
    assert message_of(y.backward, GradientError) == (
        "backward from this tensor of shape (3,) needs a cotangent: reduce it to one number first "
        "(t.sum().backward()), or give one of its shape (t.backward(g))"
    )


def test_a_cotangent_of_the_wrong_shape():
    y = Tensor(np.ones(3), requires_grad=True) * 2
    assert (
        message_of(lambda: y.backward(np.ones(2)), ShapeError)
        == "the cotangent has shape (2,), and this tensor has shape (3,): they must be equal"
    )


@pytest.mark.parametrize("data", [[1, 2], np.array([1, 2], np.int32), True, np.uint8(1)])
def test_a_gradient_asked_of_an_integer_tensor(data):
    message = message_of(lambda: Tensor(data, requires_grad=True), DTypeError)
    assert (
        message
        == f"a tensor of {np.asarray(data).dtype} cannot require a gradient: use floating numbers (write 1.0 for 1, or give dtype=float)"
    )
    assert Tensor(data, requires_grad=True, dtype=float).requires_grad


def test_a_tensor_that_does_not_require_a_gradient():
    assert message_of(Tensor(1.0, name="loss").backward, GradientError) == (
        "tensor 'loss' does not require a gradient: none of what it was computed from was made with requires_grad=True, "
        "or it was computed inside tg.no_grad(), or after detach()"
    )


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda t: np.emath.sqrt(t), "sqrt"),
        (lambda t: np.emath.power(t, 2), "power"),
        (lambda t: np.frompyfunc(abs, 1, 1)(t), "abs (vectorized)"),
        (lambda t: np.frompyfunc(max, 2, 1).reduce(t), "max (vectorized).reduce"),
    ],
)
def test_a_function_with_no_rule_names_itself_and_the_ways_out(call, name):
    t = Tensor(np.ones((2, 2)), requires_grad=True)
    message = message_of(lambda: call(t), NoRuleError)
    assert message.startswith(f"{name}: there is no rule for this NumPy function")
    assert "t.detach().numpy()" in message


def test_a_function_with_no_rule_names_its_neighbours():
    t = Tensor(np.ones((2, 2)), requires_grad=True)
    assert "near it there are sqrt" in message_of(lambda: np.emath.sqrt(t), NoRuleError)


def test_a_value_that_backward_needs_cannot_be_written():
    y = Tensor(np.ones(3), requires_grad=True, name="x") * 2
    y.name = "y"
    assert message_of(lambda: setattr(y, "data", np.ones(3)), GradientError).startswith(
        "tensor 'y' is the result of multiply: its value follows from its arguments"
    )
    with pytest.raises(ValueError, match="read-only"):
        y.data[0] = 5


@pytest.mark.parametrize(
    "data, lengths", [([[1.0], [1.0, 2.0]], "[1, 2]"), ([[1.0, 2.0], [3.0], []], "[0, 1, 2]"), ([[1.0, 2.0], 3.0], "[2]")]
)
def test_ragged_data(data, lengths):
    assert message_of(lambda: Tensor(data), ShapeError) == f"ragged data: its rows have different lengths {lengths}; pad them to one length"


@pytest.mark.parametrize(
    "data, dtype",
    [
        (None, "object"),
        ("a", "<U1"),
        ({"a": 1}, "object"),
        ([object()], "object"),
        (b"a", "|S1"),
        (np.datetime64("2020-01-01"), "datetime64[D]"),
    ],
)
def test_data_that_are_no_numbers(data, dtype):
    message = message_of(lambda: Tensor(data), DTypeError)
    assert message == f"a tensor holds numbers, not {dtype}: give numbers of one dtype (got {type(data).__name__})"


def test_a_cotangent_that_is_no_number():
    y = Tensor(1.0, requires_grad=True) * 2
    with pytest.raises(DTypeError, match="a tensor holds numbers, not <U1"):
        y.backward("a")


def test_a_complex_cotangent_of_a_real_result_is_refused():
    y = Tensor(1.0, requires_grad=True) * 2
    with pytest.raises(DTypeError):
        y.backward(1j)


# Nothing is lost
FAILING = {
    "fit": lambda x, y: x + np.ones(7),
    "matmul": lambda x, y: x @ np.ones(7),
    "cotangent": lambda x, y: y.backward(np.ones(9)),
    "no cotangent": lambda x, y: y.backward(),
    "index": lambda x, y: y[9],
    "write": lambda x, y: y.__setitem__(9, 1.0),
    "write leaf": lambda x, y: x.__setitem__(0, 1.0),
    "write misfit": lambda x, y: y.__setitem__(slice(0, 2), np.ones(3)),
    "data": lambda x, y: setattr(x, "data", np.ones(9)),
    "grad": lambda x, y: setattr(x, "grad", np.ones(9)),
    "no rule": lambda x, y: np.packbits(x),
    "float": lambda x, y: float(x[0]),
    "out": lambda x, y: np.exp(x, out=x),
    "axis": lambda x, y: x.sum(axis=3),
    "reshape": lambda x, y: x.reshape(7),
    "pickle": lambda x, y: y.__reduce__(),
    "requires": lambda x, y: setattr(y, "requires_grad", False),
    "where": lambda x, y: np.exp(x, where=True),
    "axis of softmax": lambda x, y: tg.softmax(x, axis=4),
    "object": lambda x, y: setattr(x, "data", [None, None, None]),
    "strings": lambda x, y: setattr(x, "grad", ["a", "b", "c"]),
    "int": lambda x, y: setattr(y, "data", [1, 2, 3]),
}


@pytest.mark.parametrize("name", FAILING)
def test_after_an_error_the_tensors_and_their_gradients_are_as_before(name):
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
    y = x * x
    y.backward(np.ones(3))
    node = y._node
    with pytest.raises((TinygradError, IndexError, ValueError, TypeError)):
        FAILING[name](x, y)
    assert y._node is node
    assert_array_equal(x.data, [1, 2, 3])
    assert_array_equal(y.data, [1, 4, 9])
    assert_array_equal(x.grad, [2, 4, 6])
    assert (x.requires_grad, x.name, y.requires_grad) == (True, "x", True)
    y.backward(np.ones(3))
    assert_array_equal(x.grad, [4, 8, 12])
    assert (x * 2).requires_grad


# Names that PyTorch has
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("permute", r"write t\.transpose\(axes\)"),
        ("unsqueeze", r"write np\.expand_dims\(t, axis\), or t\[:, None\]"),
        ("to", r"write t\.astype\(dtype\): there are no devices"),
        ("pow", r"write t \*\* x"),
        ("log1p", r"NumPy's functions take tensors, write np\.log1p\(t\)"),
        ("nbytes", r"an array has it, write t\.data\.nbytes"),
    ],
)
def test_a_method_that_pytorch_has_is_answered_by_what_does_the_same(name, hint):
    with pytest.raises(AttributeError, match=f"^Tensor has no attribute '{name}': {hint}$"):
        getattr(Tensor([1.0]), name)


def test_pytorchs_view_is_answered_by_reshape_and_a_view_as_another_dtype_by_astype():
    t = Tensor([1.0, 2.0])
    for shape in ((2, 1), ((2, 1),), (-1,)):
        with pytest.raises(TypeError, match=r"another shape write t\.reshape\(shape\)"):
            t.view(*shape)
    with pytest.raises(DTypeError, match=r"float64 read as int64 has no derivative: write t\.astype\(dtype\)"):
        t.view("i8")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tanh", r"NumPy's functions take tensors, write np\.tanh\(t\)"),
        ("zeros", r"write Tensor\(np\.zeros\(\.\.\.\)\)"),
        ("cat", r"write np\.concatenate\(tensors\)"),
        ("manual_seed", "write rng=0 where numbers are drawn"),
    ],
)
def test_a_function_that_pytorch_has_is_answered_by_what_does_the_same(name, hint):
    with pytest.raises(AttributeError, match=f"^module 'tinygrad_hw' has no attribute '{name}': {hint}"):
        getattr(tg, name)


@pytest.mark.parametrize("owner", [tg, Tensor([1.0])])
@pytest.mark.parametrize("name", ["nonsense", "_private", "ndarray"])
def test_a_name_that_nobody_has_is_answered_plainly(owner, name):
    assert not hasattr(owner, name)
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'$"):
        getattr(owner, name)
