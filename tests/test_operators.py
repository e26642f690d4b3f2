"""Every spelling of one call records the same node: operators, reflections, ``np.`` functions, methods and functions of our own."""

import operator
import re

import numpy as np
import pytest
from laws import leaves_of, random_like, spread
from numpy.testing import assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import DetachError, DTypeError, Tensor
from tinygrad_hw.operators import PYTHONS
from tinygrad_hw.rules import RULES
from tinygrad_hw.tensor import FAST_BINARY, FAST_UNARY, record

X, Y = spread(2, 3), spread(2, 3, seed=1)
BINARY = [f for f in FAST_BINARY if f in RULES and f.signature is None]
UNARY = [f for f in FAST_UNARY if f in RULES]
WAYS = [(True, True), (True, False), (False, True)]


def described(out):
    """Return what a result's node says, but for its number."""
    node = out._node
    return node.rule, [parent is not None for parent in node.parents], node.kwargs, sorted(node.inputs)


@pytest.mark.parametrize("tensors", WAYS, ids=["both tensors", "an array on the right", "an array on the left"])
@pytest.mark.parametrize("function", BINARY, ids=lambda f: f.__name__)
def test_a_function_of_two_records_what_record_does(function, tensors):
    y = np.array([[1, 2, 3]] * 2) if function is np.ldexp else Y
    x, y = (leaf if wanted else a for leaf, a, wanted in zip(leaves_of([X, Y]), (X, y), tensors))
    out, expected = function(x, y), record(RULES[function], (x, y), {})
    assert_array_equal(out.data, expected.data)
    assert described(out) == described(expected)
    g = random_like(X)
    gradients = []
    for each in (out, expected):
        for leaf in (x, y):
            if isinstance(leaf, Tensor):
                leaf.grad = None
        each.backward(g)
        gradients.append([leaf.grad for leaf in (x, y) if isinstance(leaf, Tensor)])
    assert_array_equal(gradients[0], gradients[1])


@pytest.mark.parametrize("function", UNARY, ids=lambda f: f.__name__)
def test_a_function_of_one_records_what_record_does(function):
    x = Tensor(1 + np.abs(X) if function is np.arccosh else np.tanh(X), requires_grad=True)
    out, expected = function(x), record(RULES[function], (x,), {})
    assert_array_equal(out.data, expected.data)
    assert described(out) == described(expected)


@pytest.mark.parametrize("function, call", PYTHONS.items(), ids=lambda f: f.__name__)
def test_an_operator_and_its_reflection_are_the_function(function, call):
    (x,) = leaves_of([X])
    for other in (Y, 2.0, 3, np.float64(1.5), Tensor(Y), Tensor(Y, requires_grad=True), [[1.0, 2.0, 3.0]]):
        as_array = other.data if isinstance(other, Tensor) else np.asarray(other)
        assert_array_equal(call(x, other).data, function(X, as_array))
        assert_array_equal(call(other, x).data, function(as_array, X))


@pytest.mark.parametrize("call", [operator.add, operator.sub, operator.mul, operator.truediv], ids=lambda f: f.__name__)
def test_a_python_complex_beside_a_numpy_scalar_gives_an_array_type(call):
    (x,) = leaves_of([spread(3)])
    for out in (call(1j, x.sum()), call(x.sum(), 1j), call(1j, x[0])):
        assert out.dtype == complex and out.shape == ()
    assert call(2j, x.sum()).item() == call(2j, x.data.sum())


def test_a_square_is_recorded_as_one_and_other_powers_as_powers():
    (x,) = leaves_of([X])
    assert (x**2)._node.rule is RULES[np.square]
    assert (x**3)._node.rule is (x**2.0)._node.rule is RULES[np.power]


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "max", "min", "logsumexp"])
def test_a_reduction_is_one_call_in_every_spelling(name):
    (x,) = leaves_of([X])
    function = tg.logsumexp if name == "logsumexp" else getattr(np, name)
    for kwargs in ({}, {"axis": 0}, {"axis": (0, 1)}, {"axis": -1, "keepdims": True}):
        one, other = getattr(x, name)(**kwargs), function(x, **kwargs)
        assert_array_equal(one.data, other.data)
        assert one._node.rule is other._node.rule
        assert len([p for p in one._node.parents if p is x._node]) == 1


def test_the_bits_and_comparisons_give_tensors_without_a_gradient():
    a, b = Tensor([1, 2, 3]), np.array([3, 2, 1])
    for call in (operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift):
        for out, expected in ((call(a, b), call(a.data, b)), (call(b, a), call(b, a.data)), (call(a, 1), call(a.data, 1))):
            assert isinstance(out, Tensor) and out.dtype == expected.dtype
            assert_array_equal(out, expected)
    assert_array_equal(~a, ~a.data)
    assert_array_equal(~(a > 1), [True, False, False])


def test_a_stranger_is_left_to_decide():
    class Stranger:
        __array_ufunc__ = None

        def __radd__(self, other):
            return "added"

        def __eq__(self, other):
            return "equal"

        __hash__ = None

    t = Tensor(X)
    assert t + Stranger() == "added"
    assert (t == Stranger()) == "equal"
    assert Tensor(3.0) == pytest.approx(3.0)
    assert not (t == "a")  # noqa: SIM201  (both operators are tested)
    with pytest.raises(TypeError):
        t + "a"


@pytest.mark.parametrize(
    "other", [np.array([None, 1, 2]), np.array([1, 2, 3], "m8[s]"), np.array(["a", "b", "c"])], ids=["object", "timedelta", "text"]
)
def test_operands_that_hold_no_numbers_are_refused_by_their_dtype(other):
    (x,) = leaves_of([X])
    for call in (lambda: x * other, lambda: other * x, lambda: np.add(x, other), lambda: np.hypot(other, x)):
        with pytest.raises(DTypeError, match=re.escape(f"an operand of {other.dtype} cannot stand beside a Tensor")):
            call()


def test_a_masked_array_is_never_unmasked():
    (x,) = leaves_of([X])
    masked = np.ma.masked_array(X, mask=X > 0)
    for call in (lambda: x * masked, lambda: np.add(x, masked), lambda: np.where(x > 0, x, masked)):
        with pytest.raises(DTypeError, match=r"a masked array cannot be a Tensor or stand beside one.*m\.filled\(value\)"):
            call()
    with pytest.raises(DetachError):  # (here numpy.ma decides, and asks for a plain array)
        masked - x
    assert_array_equal((masked - Tensor(X)).mask, masked.mask)


def test_a_list_that_holds_tensors_is_stacked():
    s, t, v = leaves_of([np.array(2.0), np.array(3.0), spread(3)])
    several = [s, t, s]
    for f in (lambda: v + several, lambda: several * v, lambda: np.hypot(v, [s, 1.0, t])):
        for leaf in (s, t, v):
            leaf.grad = None
        f().sum().backward()
        assert s.grad is not None and t.grad is not None and v.grad is not None


def test_a_raw_array_is_copied_where_a_graph_keeps_it():
    (x,) = leaves_of([X])
    a = Y.copy()
    outs = [x * a, a * x, np.multiply(a, x)]
    a[...] = 0
    for out in outs:
        x.grad = None
        out.backward(np.ones(X.shape))
        assert_array_equal(x.grad, Y)


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min"])
def test_a_reduction_takes_its_arguments_by_position_as_an_arrays_method_does(name):
    x = np.arange(1.0, 7.0).reshape(2, 3)
    for args in ((0,), (1, None, None, True) if name in ("sum", "prod", "mean") else (1, None, True)):
        found, expected = getattr(Tensor(x, requires_grad=True), name)(*args), getattr(x, name)(*args)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found.data, expected)


def test_an_entry_at_a_place_is_a_python_number():
    x = np.arange(6.0).reshape(2, 3)
    assert Tensor(x, requires_grad=True).item(4) == Tensor(x).item(1, 1) == Tensor(x).item((1, 1)) == 4.0
