"""Tensor: what it holds, how it speaks NumPy, and that nothing leaves the graph unnoticed."""

import copy
import math
import operator
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import arrays, gradients, leaves_of, name_of, random_like, spread
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import DetachError, DTypeError, GradientError, NoRuleError, ShapeError, Tensor, no_grad
from tinygrad_hw.rules import COMPOSITIONS, NO_DERIVATIVE, RULES

X = np.array([1.0, 2.0, 3.0])
M = spread(2, 3)


# What it holds
@pytest.mark.parametrize(
    "data, dtype",
    [
        (1.0, np.float64),
        ([1, 2], np.int64),
        ([1.0, 2], np.float64),
        (np.ones(2, np.float32), np.float32),
        (np.float16(1), np.float16),
        (True, bool),
        (((1.0, 2.0), (3.0, 4.0)), np.float64),
        (np.zeros((0, 3)), np.float64),
        (range(3), np.int64),
        (1j, np.complex128),
    ],
)
def test_a_tensor_holds_a_copy_of_numbers_in_numpys_dtype(data, dtype):
    t = Tensor(data)
    expected = np.asarray(data)
    assert_array_equal(t.data, expected)
    assert (t.shape, t.ndim, t.size, t.dtype) == (expected.shape, expected.ndim, expected.size, np.dtype(dtype))
    assert type(t.data) is np.ndarray
    assert not np.shares_memory(t.data, expected)
    assert (t.requires_grad, t.name, t.grad) == (False, None, None)


def test_dtype_may_be_given():
    t = Tensor([1, 2], requires_grad=True, name="w", dtype=np.float32)
    assert (t.dtype, t.name, t.requires_grad) == (np.float32, "w", True)
    assert Tensor([1, 2], dtype=float).dtype == np.float64


def test_a_tensor_of_tensors_that_require_no_gradient_is_a_copy():
    t = Tensor(X)
    u = Tensor(t)
    u.data[0] = 9
    assert_array_equal(t.data, X)


def test_item_numpy_and_tolist_leave_the_graph_on_purpose():
    t = Tensor([[2.5]], requires_grad=True)
    assert t.item() == 2.5
    assert type(t.item()) is float
    assert t.tolist() == [[2.5]]
    assert type(t.numpy()) is np.ndarray
    t.numpy()[...] = 9
    (t * 1).numpy()[...] = 9
    assert t.item() == 2.5
    with pytest.raises(ValueError):
        Tensor(X).item()


@given(x=arrays())
def test_axes_and_sizes_are_those_of_numpy(x):
    t = Tensor(x)
    assert_array_equal(t.T.data, x.T)
    assert (t.shape, t.ndim, t.size) == (x.shape, x.ndim, x.size)
    if x.ndim:
        assert len(t) == len(x)
        assert [row.shape for row in t] == [row.shape for row in x]
    else:
        for call in (len, iter):
            with pytest.raises(TypeError):
                list(call(t)) if call is iter else call(t)


def test_repr_says_values_dtype_origin_and_name():
    t = Tensor(np.array([1.0, 2.0], np.float32), requires_grad=True, name="w")
    assert repr(t) == "Tensor([1., 2.], dtype=float32, requires_grad=True, name='w')"
    assert repr(np.exp(Tensor(0.0, requires_grad=True))) == "Tensor(1., from exp)"
    assert repr(Tensor([1, 2])) == "Tensor([1, 2])"


def test_format_takes_a_numbers_format():
    assert f"{Tensor(1.23456, requires_grad=True) * 1:.2f}" == "1.23"
    assert f"{Tensor(1.5)}" == "Tensor(1.5)"


def test_a_tensor_can_be_told_apart_and_be_a_key():
    a, b = Tensor(X), Tensor(X)
    assert {a: 1, b: 2}[a] == 1


def test_truth_is_that_of_its_one_number():
    assert Tensor(1.0, requires_grad=True)
    assert not Tensor([0.0])
    with pytest.raises(ValueError, match="ambiguous"):
        bool(Tensor(X))


def test_membership():
    assert 2.0 in Tensor(X)
    assert 5.0 not in Tensor(X)


def test_grad_can_be_set_to_an_array_of_the_shape_and_is_copied():
    t = Tensor(X, requires_grad=True)
    g = np.ones(3, np.float32)
    t.grad = g
    g[:] = 5
    assert_array_equal(t.grad, [1, 1, 1])
    assert t.grad.dtype == np.float64
    with pytest.raises(ShapeError, match=r"this tensor has shape \(3,\): its gradient cannot have shape \(2,\)"):
        t.grad = np.ones(2)
    assert_array_equal(t.grad, [1, 1, 1])
    t.grad = None
    assert t.grad is None


def test_data_can_be_rebound_to_the_same_shape_only():
    t = Tensor(X.astype(np.float32), name="w")
    t.data = [4, 5, 6]
    assert_array_equal(t.data, [4, 5, 6])
    assert t.dtype == np.float32
    with pytest.raises(ShapeError, match=r"tensor 'w' has shape \(3,\): its data cannot become an array of shape \(2,\)"):
        t.data = np.ones(2)
    assert_array_equal(t.data, [4, 5, 6])
    source = np.ones(3, np.float32)
    t.data = source
    source[:] = 9
    assert_array_equal(t.data, [1, 1, 1])


def test_a_leaf_can_be_told_to_require_a_gradient_and_a_result_cannot():
    t = Tensor(X)
    t.requires_grad = True
    y = t * 2
    y.sum().backward()
    assert_array_equal(t.grad, [2, 2, 2])
    with pytest.raises(GradientError, match="result of multiply: only a leaf"):
        y.requires_grad = False
    t.requires_grad = False
    assert not (t * 2).requires_grad


def test_a_name_can_be_given_later():
    t = Tensor(X)
    t.name = "x"
    assert t.name == "x"
    assert "name='x'" in repr(t)


@pytest.mark.parametrize("remade", [lambda t: pickle.loads(pickle.dumps(t)), copy.copy, copy.deepcopy, lambda t: copy.deepcopy([t, t])[1]])
@pytest.mark.parametrize("data", [X, np.float32(2), np.zeros((0, 2)), np.array([1, 2])])
def test_a_leaf_can_be_pickled_and_copied(remade, data):
    t = Tensor(data, requires_grad=np.asarray(data).dtype.kind == "f", name="w")
    u = remade(t)
    assert_array_equal(u.data, t.data)
    assert (u.dtype, u.name, u.requires_grad) == (t.dtype, t.name, t.requires_grad)
    assert u is not t
    assert not np.shares_memory(u.data, t.data)


def test_a_deepcopy_keeps_that_two_names_are_one_tensor():
    t = Tensor(X)
    a, b = copy.deepcopy([t, t])
    assert a is b


@pytest.mark.parametrize("remade", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_result_cannot_be_pickled_or_copied_and_says_what_can(remade):
    with pytest.raises(GradientError, match=r"result of multiply: only leaves can be copied or pickled .*; give t.detach\(\)"):
        remade(Tensor(X, requires_grad=True) * 2)


# Operators and the two protocols
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
COMPARISONS = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
OTHERS = [
    2,
    2.5,
    np.float32(1.5),
    np.float64(1.5),
    np.array(2.5),
    np.array([2.0, 3.0, 4.0]),
    [2.0, 3.0, 4.0],
    np.array([[2.0], [3.0]]),
    True,
    np.int64(2),
]


@pytest.mark.parametrize("op", OPERATORS, ids=name_of)
@pytest.mark.parametrize("other", OTHERS, ids=lambda o: f"{type(o).__name__}{np.shape(o)}")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_an_operator_takes_numbers_arrays_and_lists_on_either_side(op, other, dtype):
    x = X.astype(dtype)
    plain = np.asarray(other) if isinstance(other, list) else other
    for out, expected in (
        (op(Tensor(x, requires_grad=True), other), op(x, plain)),
        (op(other, Tensor(x, requires_grad=True)), op(plain, x)),
        (op(Tensor(x), other), op(x, plain)),
    ):
        assert isinstance(out, Tensor)
        assert_allclose(out.data, expected, rtol=1e-6 if dtype is np.float32 else 1e-15)
        assert out.dtype == expected.dtype


@pytest.mark.parametrize("op", COMPARISONS, ids=name_of)
def test_a_comparison_gives_a_tensor_of_truth_values(op):
    t = Tensor(X, requires_grad=True)
    for out in (op(t, 2.0), op(t, Tensor([2.0, 2.0, 2.0])), op(t, np.full(3, 2.0))):
        assert isinstance(out, Tensor) and out.dtype == bool and not out.requires_grad
        assert_array_equal(out, op(X, 2.0))
    assert_array_equal(op(np.full(3, 2.0), t), op(2.0, X))
    assert_array_equal(op(2.0, t), op(2.0, X))


def test_unary_operators_and_builtins():
    t = Tensor([-1.25, 2.5], requires_grad=True)
    for out, expected in (
        (-t, [1.25, -2.5]),
        (+t, [-1.25, 2.5]),
        (abs(t), [1.25, 2.5]),
        (round(t), [-1, 2]),
        (round(t, 1), [-1.2, 2.5]),
        (sum([t, t]), [-2.5, 5]),
        (divmod(t, 2)[1], [0.75, 0.5]),
        (pow(t, 2), [1.5625, 6.25]),
        (max(t[0], t[1]), 2.5),
    ):
        assert isinstance(out, Tensor)
        assert out.requires_grad
        assert_array_equal(out.data, expected)


def test_an_operand_that_is_no_number_is_pythons_type_error():
    t = Tensor(X, requires_grad=True)
    for other in (None, "a", {}, object()):
        for op in OPERATORS:
            if op is not operator.mod or not isinstance(other, str):
                with pytest.raises(TypeError):
                    op(t, other)
                with pytest.raises(TypeError):
                    op(other, t)


def test_another_type_may_take_over():
    class Other:
        __array_ufunc__ = None

        def __radd__(self, left):
            return "mine"

    assert Tensor(X) + Other() == "mine"


def test_an_arrays_augmented_assignment_with_a_tensor_is_refused():
    a = X.copy()
    for op in (operator.iadd, operator.imul, operator.isub):
        with pytest.raises(
            DetachError, match=r"\(\.\.\., out=a\): writing a tensor's result into an array would leave the graph; give the result a name"
        ):
            op(a, Tensor(X, requires_grad=True))
    assert_array_equal(a, X)


METHODS = {
    "sum": (0,),
    "mean": (-1,),
    "prod": (),
    "max": (1,),
    "min": (),
    "var": (0,),
    "std": (0,),
    "cumsum": (1,),
    "cumprod": (0,),
    "ptp": (0,),
    "ravel": (),
    "flatten": (),
    "squeeze": (),
    "swapaxes": (0, 1),
    "copy": (),
    "repeat": (2, 1),
    "take": ([0, 1], 1),
    "diagonal": (),
    "astype": (np.float64,),
    "clip": (0.5, 1.0),
    "round": (1,),
    "reshape": (3, 2),
    "transpose": (1, 0),
    "conj": (),
    "argmax": (0,),
    "argmin": (),
    "argsort": (1,),
    "all": (),
    "any": (0,),
    "nonzero": (),
    "dot": (np.ones((3, 2)),),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_ndarray_is_a_method_of_tensor(name):
    args = METHODS[name]
    expected = np.ptp(M, *args) if name == "ptp" else getattr(M, name)(*args)
    out = getattr(Tensor(M, requires_grad=True), name)(*args)
    for part, wanted in zip(out, expected, strict=True) if name == "nonzero" else [(out, expected)]:
        assert isinstance(part, Tensor)
        assert_allclose(part.data, wanted, rtol=1e-15)


@pytest.mark.parametrize("name", ["exp", "log", "sqrt", "tanh", "sin", "cos", "abs", "square"])
def test_functions_of_each_entry_are_methods(name):
    t = Tensor(M, requires_grad=True)
    assert_array_equal(getattr(t, name)().data, getattr(np, name)(M))


def test_every_ndarray_method_with_a_derivative_is_there():
    wanted = {
        "sum",
        "mean",
        "prod",
        "max",
        "min",
        "var",
        "std",
        "cumsum",
        "cumprod",
        "ravel",
        "flatten",
        "squeeze",
        "swapaxes",
        "copy",
        "repeat",
        "take",
        "sort",
        "diagonal",
        "astype",
        "clip",
        "round",
        "reshape",
        "transpose",
        "dot",
        "compress",
        "partition",
        "choose",
        "trace",
        "T",
        "mT",
        "real",
        "imag",
        "conj",
        "conjugate",
    }
    assert wanted - set(dir(Tensor)) == set()


def test_numpy_functions_take_tensors_among_keywords():
    t = Tensor(M, requires_grad=True)
    for out, expected in (
        (np.sum(a=t, axis=0), M.sum(0)),
        (np.clip(t, a_min=t * 0 + 0.5, a_max=1.0), M.clip(0.5, 1)),
        (np.concatenate([t, t], axis=1), np.concatenate([M, M], 1)),
        (np.transpose(a=t), M.T),
        (np.ravel(a=t), M.ravel()),
        (np.expand_dims(a=t, axis=0), M[None]),
        (np.tensordot(a=t, b=t, axes=2), np.tensordot(M, M)),
        (np.roll(a=t, shift=1), np.roll(M, 1)),
        (np.flip(m=t), np.flip(M)),
        (np.squeeze(a=t), M),
        (np.std(a=t), M.std()),
        (np.stack(arrays=[t, t]), np.stack([M, M])),
    ):
        assert isinstance(out, Tensor)
        assert out.requires_grad
        assert_allclose(out.data, expected, rtol=1e-14)


@pytest.mark.parametrize("constant", [X, Tensor(X), [1.0, 2.0, 3.0]], ids=["an array", "a tensor", "a list"])
def test_where_all_other_arguments_are_constants_a_function_has_the_rule_of_one_argument(constant):
    x, y = leaves_of([X, X])
    np.maximum(x, constant).backward(np.ones(3))
    assert_array_equal(x.grad, [0, 0, 0])
    x.grad = None
    np.maximum(x, y).backward(np.ones(3))
    assert_array_equal([x.grad, y.grad], np.full((2, 3), 0.5))


def test_a_tensor_in_a_list_beside_arrays_is_seen():
    t = Tensor(X, requires_grad=True)
    for f in (np.stack, np.concatenate, np.vstack, np.hstack, np.column_stack, np.dstack, np.block):
        assert f([np.zeros(3), t]).requires_grad


def test_ufunc_outer_and_reduce_and_accumulate():
    t = Tensor(X, requires_grad=True)
    assert_array_equal(np.multiply.outer(t, X).data, np.multiply.outer(X, X))
    assert_array_equal(np.add.reduce(t).data, 6)
    assert_array_equal(np.add.reduce(Tensor(M)).data, np.add.reduce(M))
    assert_array_equal(np.multiply.accumulate(t).data, [1, 2, 6])


def test_an_array_priority_makes_ndarray_operators_defer():
    t = Tensor(M, requires_grad=True)
    for out in (np.ones((4, 2)) @ t, np.ones(3) * t, np.float64(2.0) * t, np.ones(3) - t, np.ones((2, 1)) / t):
        assert isinstance(out, Tensor)


@pytest.mark.parametrize(
    "f",
    sorted(
        NO_DERIVATIVE
        & {
            np.argmax,
            np.argmin,
            np.argsort,
            np.all,
            np.any,
            np.count_nonzero,
            np.flatnonzero,
            np.shape,
            np.ndim,
            np.size,
            np.isnan,
            np.sign,
            np.isfinite,
            np.zeros_like,
            np.ones_like,
            np.unique,
            np.argwhere,
            np.iscomplexobj,
            np.logical_not,
            np.signbit,
        },
        key=name_of,
    ),
    ids=name_of,
)
def test_a_function_with_no_derivative_gives_what_it_gives_for_arrays(f):
    out, expected = f(Tensor(M, requires_grad=True)), f(M)
    if isinstance(expected, (np.ndarray, np.generic)):
        assert isinstance(out, Tensor) and out.dtype == expected.dtype and not out.requires_grad
    else:
        assert type(out) is type(expected)
    assert_array_equal(out, expected)


def test_what_numpy_answers_with_a_python_value_stays_one():
    a, b = Tensor(X, requires_grad=True), Tensor(X)
    assert np.allclose(a, b) is True
    assert np.array_equal(a, X) is True
    assert np.shape(a) == (3,) and np.iscomplexobj(a) is False
    assert np.searchsorted(a, Tensor(2.5)) == 2


def test_no_function_is_placed_twice():
    both = set(RULES) & set(COMPOSITIONS)  # (a function of our own may also say how a formula reads it)
    assert all(function.__module__.startswith("tinygrad_hw.rules") for function in both)
    assert not (set(RULES) | set(COMPOSITIONS)) & NO_DERIVATIVE


# Nothing detaches silently
def fill(shape, t):
    a = np.zeros(shape)
    a[0] = t
    return a


SILENT = {
    "float(t)": float,
    "int(t)": int,
    "complex(t)": complex,
    "math.sin(t)": math.sin,
    "math.floor(t)": math.floor,
    "np.float64(t)": np.float64,
    "np.array(t)": np.array,
    "np.array([t])": lambda t: np.array([t]),
    "np.array([t, 1])": lambda t: np.array([t, 1.0]),
    "np.asarray(t)": np.asarray,
    "array[0] = t": lambda t: fill(3, t),
    "matrix[0] = t": lambda t: fill((3, 2), t),
    "array.fill(t)": lambda t: np.zeros(2).fill(t),
    "np.array([t], dtype=object)": lambda t: np.array([t], dtype=object),
    "np.full(3, t)": lambda t: np.full(3, t),
    "Tensor(t)": Tensor,
    "Tensor([t, t])": lambda t: Tensor([t, t]),
    "out=": lambda t: np.add(t, 1, out=np.zeros(())),
    "sum(out=)": lambda t: np.sum(t, out=np.zeros(())),
    "np.array(t, float)": lambda t: np.array(t, dtype=float),
    "np.ascontiguousarray": np.ascontiguousarray,
    "np.array([[t]])": lambda t: np.array([[t]]),
    "random": lambda t: np.random.default_rng(0).normal(t),
}


@pytest.mark.parametrize("name", SILENT)
@pytest.mark.parametrize("made", [lambda t: t, lambda t: t * 1, lambda t: np.sum(t.reshape(1))])
def test_nothing_leaves_the_graph_unnoticed(name, made):
    t = made(Tensor(1.0, requires_grad=True))
    with pytest.raises((DetachError, ValueError, TypeError)) as caught:
        SILENT[name](t)
    (error,) = [e for e in (caught.value, caught.value.__cause__) if isinstance(e, DetachError)]
    assert any(way in str(error) for way in ("t.item()", "t.detach()", "np.stack", "give the result a name"))


@pytest.mark.parametrize("name", [name for name in SILENT if name not in ("out=", "sum(out=)")])
def test_a_tensor_that_requires_no_gradient_may_leave(name):
    SILENT[name](Tensor(1.0))


def test_the_error_of_a_conversion_names_the_tensor_and_the_way_out():
    with pytest.raises(DetachError, match=r"float\(tensor 'w'\) would leave the graph: use t\.item\(\).*np\.sin\(t\)"):
        math.sin(Tensor(1.0, requires_grad=True, name="w"))
    with pytest.raises(ValueError, match="setting an array element") as refused:  # (NumPy's own error)
        np.zeros(2)[0] = Tensor(1.0, requires_grad=True)
    assert "a Tensor instead of an array to write into" in str(refused.value.__cause__)
    with pytest.raises(DetachError, match=r"tensor 'w' requires a gradient.*t\.detach\(\).*np\.stack"):
        np.array([Tensor(X, requires_grad=True, name="w")])
    with pytest.raises(DetachError, match=r"Tensor\(t\) would leave the graph of t.*t\.detach\(\)"):
        Tensor(Tensor(X, requires_grad=True))


def test_an_integer_tensor_is_an_index_and_a_float_is_not():
    assert [1, 2, 3][Tensor(1)] == 2
    assert list(range(Tensor(2))) == [0, 1]
    for t in (Tensor(1.0), Tensor([1.0, 1.0]).sum(), Tensor([1, 2])):
        with pytest.raises(TypeError):
            operator.index(t)


def test_inside_no_grad_a_leaf_still_does_not_leave_unnoticed_but_its_results_may():
    t = Tensor(2.0, requires_grad=True)
    with no_grad():
        assert float(t * 2) == 4.0


def test_out_none_is_no_out():
    t = Tensor(X, requires_grad=True)
    assert_array_equal(np.sum(t, out=None).data, 6)
    assert_array_equal(np.exp(t, out=None).data, np.exp(X))
    assert_array_equal(np.add(t, 1, out=(None,)).data, X + 1)


def test_where_of_a_ufunc_is_refused_with_the_way_out():
    with pytest.raises(NoRuleError, match=r"log: where= leaves entries undefined; use np\.where\(condition, log\(\.\.\.\), \.\.\.\)"):
        np.log(Tensor(X, requires_grad=True), where=X > 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: np.bincount(np.array([0, 1, 1]), weights=t),
        lambda t: np.full_like(t, t[0]),
        lambda t: np.full_like(np.zeros(3), t[0]),
        lambda t: np.histogram(np.array([0.0, 1.0, 1.0]), weights=t)[0],
    ],
)
def test_a_function_without_derivative_does_not_swallow_values_that_have_one(call):
    t = Tensor(X, requires_grad=True)
    try:
        out = call(t)
    except (DetachError, NoRuleError):
        return
    assert isinstance(out, Tensor)
    assert out.requires_grad


def test_a_reduction_as_a_method_takes_numpys_further_arguments():
    t, part = Tensor(M, requires_grad=True), M > 0.8
    assert_allclose(t.sum(where=part).data, M.sum(where=part), rtol=1e-15)
    assert_allclose(t.mean(axis=1, where=part).data, M.mean(axis=1, where=part), rtol=1e-15)
    assert t.sum(dtype=np.float32).dtype == np.float32
    assert t.max(initial=9.0).data == 9
    assert t.astype(np.float32, copy=False).dtype == np.float32


# Integers
def test_integers_mix_with_floats_and_get_no_gradient():
    n, x = Tensor([1, 2, 3]), Tensor(X, requires_grad=True)
    (n * x).sum().backward()
    assert_array_equal(x.grad, [1, 2, 3])
    assert n.grad is None
    assert (n * 2).dtype == np.int64
    assert np.exp(n).dtype == np.float64


@pytest.mark.parametrize(
    "f", [lambda t: t.astype(int), lambda t: t.astype(bool), lambda t: np.floor(t).astype(np.int32), lambda t: t.astype("u1")]
)
def test_a_result_of_integers_requires_no_gradient(f):
    assert not f(Tensor(X, requires_grad=True)).requires_grad


# Views of memory
@given(data=st.data())
def test_no_gradient_shares_memory_with_any_other_array_of_an_identity_chain(data):
    x = Tensor(data.draw(arrays(shape=(2, 2))), requires_grad=True)
    keep = [
        +x,
        x + 0.0,
        x.reshape(4).reshape(2, 2),
        x.T.T,
        x[:],
        x[::-1][::-1],
        np.copy(x),
        np.squeeze(x),
        x.astype(float),
        np.broadcast_to(x, (2, 2)),
    ]
    y = data.draw(st.sampled_from(keep))
    g = random_like(y.data)
    y.retain_grad().backward(g)
    assert_array_equal(x.grad, g)
    for other in (g, x.data, y.data, *([y.grad] if y is not x else [])):
        assert not np.shares_memory(x.grad, other)
    x.grad[...] = 0
    assert_array_equal(y.grad, g)


def test_gradients_of_a_sum_do_not_alias_one_another():
    x, y = leaves_of([X, X])
    (x + y).backward(np.ones(3))
    x.grad[0] = 50
    assert_array_equal(y.grad, [1, 1, 1])


def test_a_gradient_can_be_written_to_even_if_it_was_broadcast():
    x = Tensor(M, requires_grad=True)
    x.sum().backward()
    x.grad *= 2
    assert_array_equal(x.grad, np.full((2, 3), 2.0))


def test_a_gradient_keeps_its_shape_for_any_memory_order():
    for a in (np.asfortranarray(M), M[:, ::-1], M.T, np.broadcast_to(X, (2, 3))):
        (g,) = gradients(lambda t: t * t, [a], np.ones(a.shape))
        assert_allclose(g, 2 * a, rtol=1e-15)


# The functions of the package on arrays and tensors
@pytest.mark.parametrize(
    "f", [tg.sigmoid, tg.relu, tg.softmax, tg.log_softmax, tg.logsumexp, tg.softplus, tg.gelu, tg.leaky_relu, tg.log_sigmoid], ids=name_of
)
def test_on_arrays_they_return_arrays_and_on_tensors_tensors(f):
    assert isinstance(f(X), (np.ndarray, np.float64))
    assert f(Tensor(X, requires_grad=True)).requires_grad
    assert not f(Tensor(X)).requires_grad
    assert f(x=Tensor(X, requires_grad=True)).requires_grad


def test_complex_numbers_are_numbers():
    assert Tensor(1j).dtype == np.complex128


def test_a_requirement_of_integers_is_refused_when_set_later():
    t = Tensor([1, 2])
    with pytest.raises(DTypeError, match="int64 cannot require a gradient"):
        t.requires_grad = True
    assert t.requires_grad is False
