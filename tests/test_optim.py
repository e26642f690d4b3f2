"""Each optimiser's steps are the documented formulas'; nothing else is touched; slips are named."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from training import train

import tinygrad_hw as tg
from tinygrad_hw import DTypeError, GradientError, ShapeError, Tensor, nn, no_grad, optim

SHAPES = [(), (1,), (0,), (3,), (2, 3)]
weights = st.sampled_from([0.0, 0.01, 0.3])
seeds = st.integers(0, 2**16)


# The formulas, entry by entry in Python numbers, as PyTorch's documentation states them
def sgd(theta, gradients, lr, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    b = None
    for g in gradients:
        g = g + weight_decay * theta
        if momentum != 0:
            b = g if b is None else momentum * b + (1 - dampening) * g
            g = g + momentum * b if nesterov else b
        theta = theta - lr * g
    return theta


def adam(theta, gradients, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False):
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        if decoupled:
            theta = theta - lr * weight_decay * theta
        else:
            g = g + weight_decay * theta
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        theta = theta - lr * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)) ** 0.5 + eps)
    return theta


def rmsprop(theta, gradients, lr=0.01, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
    v = m = b = 0.0
    for g in gradients:
        g = g + weight_decay * theta
        v = alpha * v + (1 - alpha) * g**2
        m = alpha * m + (1 - alpha) * g if centered else 0.0
        b = momentum * b + g / ((v - m**2) ** 0.5 + eps)
        theta = theta - lr * b
    return theta


def adagrad(theta, gradients, lr=0.01, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10):
    s = initial_accumulator_value
    for t, g in enumerate(gradients):
        g = g + weight_decay * theta
        s = s + g**2
        theta = theta - lr / (1 + t * lr_decay) * g / (s**0.5 + eps)
    return theta


def adamw(theta, gradients, **settings):
    return adam(theta, gradients, decoupled=True, **{"weight_decay": 0.01, **settings})


def entry_by_entry(formula, start, gradients, **settings):
    """Return where a formula for single numbers takes each entry of an array."""
    end = np.empty_like(start)
    for i in np.ndindex(start.shape):
        end[i] = formula(float(start[i]), [float(g[i]) for g in gradients], **settings)
    return end


SGD_SETTINGS = st.one_of(
    st.fixed_dictionaries({"lr": st.sampled_from([0.0, 0.1, 1.5]), "weight_decay": weights}),
    st.fixed_dictionaries(
        {"lr": st.just(0.1), "momentum": st.sampled_from([0.5, 0.9]), "dampening": st.sampled_from([0.0, 0.4]), "weight_decay": weights}
    ),
    st.fixed_dictionaries({"lr": st.just(0.1), "momentum": st.just(0.9), "nesterov": st.just(True), "weight_decay": weights}),
)
ADAM_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.sampled_from([0.0, 0.01, 0.5]),
        "betas": st.sampled_from([(0.0, 0.0), (0.8, 0.95)]),
        "eps": st.sampled_from([1e-4, 0.1]),
        "weight_decay": weights,
    },
)
RMSPROP_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "lr": st.sampled_from([0.0, 0.1]),
        "alpha": st.sampled_from([0.0, 0.9]),
        "eps": st.sampled_from([1e-4, 0.1]),
        "weight_decay": weights,
        "momentum": st.sampled_from([0.5, 0.9]),
    },
) | st.just({"alpha": 0.9, "centered": True, "eps": 1e-3})
CASES = st.one_of(
    st.tuples(
        st.just(optim.Adagrad),
        st.just(adagrad),
        st.fixed_dictionaries(
            {}, optional={"lr_decay": weights, "weight_decay": weights, "initial_accumulator_value": weights, "eps": st.just(0.1)}
        ),
    ),
    st.tuples(st.just(optim.RMSprop), st.just(rmsprop), RMSPROP_SETTINGS),
    st.tuples(st.just(optim.SGD), st.just(sgd), SGD_SETTINGS),
    st.tuples(st.just(optim.Adam), st.just(adam), ADAM_SETTINGS),
    st.tuples(st.just(optim.AdamW), st.just(adamw), ADAM_SETTINGS),
)


def walk(optimizer, parameters, gradients):
    """Step once for each row of gradients; None leaves a parameter out."""
    for row in gradients:
        for parameter, grad in zip(parameters, row, strict=True):
            parameter.grad = grad
        optimizer.step()


@given(CASES, st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4), st.integers(1, 6), seeds)
def test_steps_are_the_formula_s(case, shapes, steps, seed):
    make, formula, settings = case
    rng = np.random.default_rng(seed)
    starts = [rng.normal(size=shape) for shape in shapes]
    gradients = [[rng.normal(size=shape) for shape in shapes] for _ in range(steps)]
    parameters = [Tensor(start, requires_grad=True) for start in starts]
    walk(make(parameters, **settings), parameters, gradients)
    for i, (parameter, start) in enumerate(zip(parameters, starts, strict=True)):
        expected = entry_by_entry(formula, start, [row[i] for row in gradients], **settings)
        assert_allclose(parameter.numpy(), expected, rtol=1e-12, atol=1e-14)


@given(CASES, seeds, st.lists(st.booleans(), min_size=5, max_size=5))
def test_a_step_without_a_gradient_leaves_parameter_and_memory_alone(case, seed, present):
    make, formula, settings = case
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=3), [rng.normal(size=3) if there else None for there in present]
    parameter, other = Tensor(start, requires_grad=True), Tensor(1.0, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        walk(make([parameter, other], **settings), [parameter, other], [(grad, 1.0) for grad in gradients])
    expected = entry_by_entry(formula, start, [g for g in gradients if g is not None], **settings)
    assert_allclose(parameter.numpy(), expected, rtol=1e-12, atol=1e-14)


@given(CASES, seeds, st.integers(0, 4), st.booleans())
def test_training_goes_on_from_a_state_dict_as_if_uninterrupted(case, seed, at, lent):
    make, _, settings = case
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=(2, 3)), rng.normal(size=(5, 1, 2, 3))
    whole = Tensor(start, requires_grad=True)
    walk(make([whole], **settings), [whole], gradients)
    first = Tensor(start, requires_grad=True)
    before = make([first], **settings)
    walk(before, [first], gradients[:at])
    second = Tensor(first.numpy(), requires_grad=True)
    after = make([second], **({"lr": 7.0} if make is optim.SGD else {}))
    if lent:
        second.data  # noqa: B018
    after.load_state_dict(before.state_dict())
    walk(before, [first], gradients[at:] * 2)
    walk(after, [second], gradients[at:])
    assert after.lr == before.lr
    assert_array_equal(second.numpy(), whole.numpy())


@given(CASES, seeds)
def test_float32_stays_float32(case, seed):
    make, _, settings = case
    rng = np.random.default_rng(seed)
    shapes = [(), (2, 3)]
    starts, gradients = [rng.normal(size=s) for s in shapes], [[rng.normal(size=s) for s in shapes] for _ in range(3)]
    wide, narrow = ([Tensor(a, requires_grad=True, dtype=t) for a in starts] for t in (np.float64, np.float32))
    for parameters in (wide, narrow):
        optimizer = make(parameters, **settings)
        optimizer.lr = np.float64(optimizer.lr)
        walk(optimizer, parameters, gradients)
    assert [p.dtype for p in narrow] == [np.float32] * 2
    for a, b in zip(wide, narrow, strict=True):
        assert_allclose(b.numpy(), a.numpy(), rtol=1e-4, atol=1e-4)


@given(CASES, st.booleans())
@example((optim.SGD, sgd, {}), True)
@example((optim.SGD, sgd, {}), False)
def test_a_step_changes_neither_gradients_nor_graphs_recorded_before(case, lent):
    make, _, settings = case
    w = Tensor([1.0, 2.0], requires_grad=True)
    mine = w.data if lent else None
    optimizer = make([w], **{**settings, "lr": 0.1})
    y = (w * w * w).sum()
    value = y.item()
    w.grad = [0.25, -0.5]
    grad = w.grad
    optimizer.step()
    optimizer.step()
    assert w.grad is grad
    assert_array_equal(grad, [0.25, -0.5])
    assert not np.array_equal(w.numpy(), [1.0, 2.0])
    assert y.item() == value
    optimizer.zero_grad()
    y.backward()
    assert_array_equal(w.grad, [3.0, 12.0])
    assert mine is None or (w.data is mine and np.array_equal(mine, w.numpy()))


def test_changing_a_gradient_after_a_step_does_not_change_what_is_remembered():
    w = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)
    w.grad = [1.0]
    optimizer.step()
    w.grad[:] = 100.0
    w.grad = [0.0]
    optimizer.step()
    assert_array_equal(w.numpy(), [-0.5])


def test_zero_grad_clears_every_gradient():
    parameters = [Tensor(np.ones(n), requires_grad=True) for n in range(3)]
    optimizer = optim.SGD(parameters, lr=1.0)
    for parameter in parameters:
        parameter.sum().backward()
    optimizer.zero_grad()
    assert [p.grad for p in parameters] == [None] * 3


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.5}])
def test_lr_can_be_set_between_steps(settings):
    w = Tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([w], lr=1.0, **settings)
    optimizer.lr = 0.25
    w.grad = [1.0]
    optimizer.step()
    assert optimizer.lr == 0.25
    assert_array_equal(w.numpy(), [0.75])


def test_sgd_finds_the_minimum_of_a_quadratic():
    target = np.array([[1.0, -2.0], [3.0, 0.5]])
    w = Tensor(np.zeros((2, 2)), requires_grad=True)
    for optimizer in (optim.SGD([w], lr=0.1), optim.SGD([w], lr=0.1, momentum=0.5, nesterov=True), optim.Adam([w], lr=0.1)):
        w.data = np.zeros((2, 2))
        for _ in range(600):
            optimizer.zero_grad()
            ((w - target) ** 2).sum().backward()
            optimizer.step()
        assert_allclose(w.numpy(), target, atol=1e-6)


def test_an_optimiser_of_ones_own_is_one_method():
    class SignDescent(optim.Optimizer):
        def update(self, value, grad, state):
            return value - self.lr * np.sign(grad)

    w = Tensor([1.0, 1.0, 1.0], requires_grad=True)
    optimizer = SignDescent([w], lr=0.5)
    w.grad = [3.0, -0.1, 0.0]
    optimizer.step()
    assert_array_equal(w.numpy(), [0.5, 1.5, 1.0])
    with pytest.raises(NotImplementedError, match=r"Optimizer must define update\(value, grad, state\)"):
        walk(optim.Optimizer([w], lr=0.1), [w], [[np.ones(3)]])


def test_an_update_that_overrides_a_usual_one_is_used():
    class Clipped(optim.SGD):
        def update(self, value, grad, state):
            return super().update(value, np.clip(grad, -1, 1), state)

    w = Tensor(10.0, requires_grad=True)
    optimizer = Clipped([w], lr=1.0)
    w.grad = 5.0
    optimizer.step()
    assert w.item() == 9.0


@pytest.mark.parametrize("written", ["value", "grad"])
def test_an_update_that_writes_into_what_it_was_given_is_refused(written):
    class InPlace(optim.Optimizer):
        def update(self, value, grad, state):
            given = {"value": value, "grad": grad}[written]
            given *= 2
            return given

    w = Tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    with pytest.raises(GradientError, match=r"InPlace\.update writes into an array that it was given"):
        InPlace([w], 0.1).step()
    assert_array_equal(w.data, [1.0, 2.0])


def test_an_update_may_go_on_with_the_array_that_it_gave_and_older_graphs_stay_right():
    class Lookahead(optim.Optimizer):
        def update(self, value, grad, state):
            ahead = state.setdefault("ahead", value.copy())
            ahead -= self.lr * grad
            return ahead

    w = Tensor([1.0, 2.0], requires_grad=True)
    optimizer = Lookahead([w], 0.1)
    (w * w).sum().backward()
    optimizer.step()
    before, cubes = w.numpy(), (w**3).sum()
    optimizer.step()
    optimizer.zero_grad()
    cubes.backward()
    assert_allclose(w.grad, 3 * before**2, rtol=1e-15)


def test_an_update_keeps_the_parameters_dtype_and_a_wrong_shape_is_named():
    class Wide(optim.Optimizer):
        def update(self, value, grad, state):
            return value - np.float64(self.lr) * grad

    class Column(optim.Optimizer):
        def update(self, value, grad, state):
            return (value - self.lr * grad)[:, None]

    w = Tensor([1.0, 2.0], requires_grad=True, dtype=np.float32, name="w")
    walk(Wide([w], lr=0.5), [w], [[np.ones(2)]])
    assert w.dtype == np.float32
    assert_array_equal(w.numpy(), [0.5, 1.5])
    with pytest.raises(ShapeError, match=r"Column.update gave shape \(2, 1\) for parameter 0 \('w'\), which has \(2,\)"):
        walk(Column([w], lr=0.5), [w], [[np.ones(2)]])


@pytest.mark.parametrize(("make", "formula", "settings"), [(optim.SGD, sgd, {"lr": 1e-3, "weight_decay": 1e-4}), (optim.Adam, adam, {}),
                                                           (optim.AdamW, adamw, {}), (optim.RMSprop, rmsprop, {}),
                                                           (optim.Adagrad, adagrad, {})])  # fmt: skip
@pytest.mark.parametrize("gradient", [0.0, 1e-4, -1e-4, 6e4])
def test_float16_is_the_formula_rounded(make, formula, settings, gradient):
    w = Tensor([1.0], requires_grad=True, dtype=np.float16)
    walk(make([w], **settings), [w], [[[gradient]]] * 3)
    assert w.dtype == np.float16
    assert_allclose(w.numpy(), formula(1.0, [float(np.float16(gradient))] * 3, **settings), rtol=2e-3)


@pytest.mark.parametrize(("make", "formula"), [(optim.Adam, adam), (optim.AdamW, adamw), (optim.RMSprop, rmsprop)])
@pytest.mark.parametrize("gradient", [1e20, -1e20])
def test_a_gradient_whose_square_float32_cannot_hold_is_no_trouble(make, formula, gradient):
    w = Tensor([1.0], requires_grad=True, dtype=np.float32)
    walk(make([w]), [w], [[[gradient]]] * 2)
    assert_allclose(w.numpy(), formula(1.0, [gradient] * 2), rtol=1e-6)


# Groups
def test_a_group_has_settings_of_its_own_and_the_optimisers_for_the_rest():
    a, b, c = (Tensor(1.0, requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": [a, b], "weight_decay": 0.5}, {"params": [c], "lr": 2.0}], lr=1.0, momentum=0.5)
    gradients = [[1.0, -1.0, 0.5], [2.0, 0.0, 0.25]]
    walk(optimizer, [a, b, c], gradients)
    for i, (parameter, settings) in enumerate([(a, {"weight_decay": 0.5}), (b, {"weight_decay": 0.5}), (c, {"lr": 2.0})]):
        assert_allclose(parameter.item(), sgd(1.0, [row[i] for row in gradients], **{"lr": 1.0, "momentum": 0.5, **settings}), rtol=1e-14)
    assert [group.parameters for group in optimizer.param_groups] == [[a, b], [c]]
    assert optimizer.parameters == [a, b, c]


def test_a_groups_settings_are_its_attributes_and_its_items():
    a, b = Tensor(1.0, requires_grad=True), Tensor(1.0, requires_grad=True)
    optimizer = optim.AdamW([{"params": [a], "weight_decay": 0.0}, {"params": [b]}], lr=1.0)
    first, second = optimizer.param_groups
    second["lr"] = 0.5
    assert (first.lr, second.lr, second["lr"], first["weight_decay"], second["weight_decay"]) == (1.0, 0.5, 0.5, 0.0, 0.01)
    assert second["params"] == [b]
    with pytest.raises(AttributeError, match=r"the groups of this AdamW differ in lr: ask optimizer.param_groups\[i\].lr"):
        optimizer.lr  # noqa: B018
    assert optimizer.eps == 1e-8
    optimizer.lr = 0.25
    assert first.lr == second.lr == optimizer.lr == 0.25
    with pytest.raises(KeyError, match="AdamW has no setting 'momentum'; it has lr, betas, eps, weight_decay"):
        first["momentum"] = 0.9
    with pytest.raises(KeyError, match="AdamW has no setting 'momentum'"):
        first["momentum"]
    with pytest.raises(ValueError, match="lr must be a number >= 0, not -1"):
        second["lr"] = -1
    assert optim.SGD([a], lr=0.1).param_groups[0]["lr"] == 0.1
    assert repr(optimizer).startswith("AdamW(2 parameters in 2 groups\n  1: lr=0.25, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0\n")


def test_training_with_groups_goes_on_from_a_state_dict():
    def optimizer_of(a, b):
        return optim.Adam([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)

    whole, halves = [Tensor(1.0, requires_grad=True) for _ in range(2)], [Tensor(1.0, requires_grad=True) for _ in range(2)]
    gradients = [[1.0, -1.0], [0.5, 2.0], [-1.0, 1.0]]
    walk(optimizer_of(*whole), whole, gradients)
    first = optimizer_of(*halves)
    walk(first, halves, gradients[:1])
    second = optim.Adam([{"params": halves[:1]}, {"params": halves[1:]}])
    second.load_state_dict(first.state_dict())
    walk(second, halves, gradients[1:])
    assert [p.item() for p in halves] == [p.item() for p in whole]
    with pytest.raises(ValueError, match="the state is of 2 groups, and this Adam has 1"):
        optim.Adam(halves).load_state_dict(first.state_dict())


@pytest.mark.parametrize("make", [optim.SGD, optim.AdamW, optim.RMSprop])
def test_compiled_training_with_groups_is_the_eager_one(make):
    x = np.array([[1.0, -2.0], [0.5, 1.0], [2.0, 1.5]])

    def trained(compiled):
        w, b = Tensor([1.0, 2.0], requires_grad=True, name="w"), Tensor(0.5, requires_grad=True, name="b")
        optimizer = make([{"params": [w], "weight_decay": 0.1}, {"params": [b], "lr": 0.2}], lr=0.1)

        def batches():
            for i in range(6):
                optimizer.param_groups[1].lr = 0.2 / (i + 1)
                if i == 3:
                    optimizer.param_groups[0].weight_decay = 0.5
                yield (x,)

        train(lambda x: ((x @ w + b) ** 2).mean(), optimizer, batches(), compiled)
        return [*w.numpy(), b.item()]

    assert_allclose(trained(True), trained(False), rtol=1e-12)


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([{"params": [], "lr": 1.0}], ValueError, "there are no parameters to optimise"),
        ([{"lr": 1.0}], TypeError, 'parameter group 0 must be a dict with "params", its tensors, not dict'),
        ([{"params": [Tensor(1.0, requires_grad=True)]}, Tensor(1.0)], TypeError, "parameter group 1 must be a dict"),
        ([{"params": [Tensor(1.0, requires_grad=True)], "wd": 1.0}], ValueError, "group 0 has the setting 'wd', and SGD has lr, momentum,"),
        ([{"params": [Tensor(1.0, requires_grad=True)], "nesterov": True}], ValueError, "nesterov=True needs momentum > 0"),
        ([{"params": Tensor(1.0, requires_grad=True)}], TypeError, r"put a single one in a list, \[w\]"),
    ],
)
def test_a_group_that_cannot_be_is_refused(groups, error, message):
    with pytest.raises(error, match=message):
        optim.SGD(groups, lr=0.1)


# What gets no gradient
def test_a_parameter_that_gets_no_gradient_is_named_once():
    used, unused = Tensor(1.0, requires_grad=True, name="used"), Tensor(1.0, requires_grad=True, name="unused")
    optimizer = optim.SGD([used, unused], lr=0.5)
    with pytest.warns(UserWarning, match=r"^parameter 1 \('unused'\) got no gradient, and so no step: the loss does not use what"):
        walk(optimizer, [used, unused], [[1.0, None]])
    walk(optimizer, [used, unused], [[1.0, None]])
    assert (used.item(), unused.item()) == (0.0, 1.0)


def test_a_frozen_parameter_is_left_alone_without_a_word():
    used, frozen = Tensor(1.0, requires_grad=True), Tensor(1.0, requires_grad=True)
    optimizer = optim.SGD([used, frozen], lr=0.5)
    frozen.requires_grad = False
    (used * frozen).backward()
    optimizer.step()
    assert (used.item(), frozen.item()) == (0.5, 1.0)


def test_a_step_before_backward_is_an_error():
    with pytest.raises(GradientError, match=r"^no parameter has a gradient: call loss.backward\(\) before step\(\)$"):
        optim.Adam([Tensor(1.0, requires_grad=True)]).step()


def test_an_iterator_of_parameters_will_do():
    ws = [Tensor(1.0, requires_grad=True), Tensor(2.0, requires_grad=True)]
    assert optim.Adam(iter(ws)).parameters == ws


def test_repr_tells_the_settings():
    w = Tensor(1.0, requires_grad=True)
    assert repr(optim.SGD([w], lr=0.1)) == "SGD(1 parameters, lr=0.1, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0)"
    assert repr(optim.AdamW([w])) == "AdamW(1 parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)"


# Errors
W = Tensor([1.0, 2.0], requires_grad=True, name="W")
NAMELESS = Tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "there are no parameters to optimise: the list is empty"),
        (W, TypeError, r"parameters must be several tensors: put a single one in a list, \[w\]"),
        (7, TypeError, "parameters must be an iterable of tensors, not int$"),
        ([W, np.ones(2)], TypeError, "parameter 1 must be a Tensor, not ndarray"),
        ({"W": W}, TypeError, "parameter 0 must be a Tensor, not str"),
        ([NAMELESS, W, NAMELESS], ValueError, "parameter 2 is the same tensor as parameter 0: give each parameter once"),
        ([W, W], ValueError, r"parameter 1 \('W'\) is the same tensor as parameter 0"),
        ([NAMELESS * 2], GradientError, "parameter 0 is the result of multiply: only a leaf can be optimised. Make it with"),
        ([Tensor(1.0, name="t")], GradientError, r"parameter 0 \('t'\) does not require a gradient: make it with requires_grad=True"),
        ([Tensor(1j, requires_grad=True)], DTypeError, r"parameter 0 is complex \(complex128\): optimise its real and its imaginary part"),
    ],
)
@pytest.mark.parametrize("make", [optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop])
def test_what_cannot_be_optimised_is_named(make, parameters, error, message):
    with pytest.raises(error, match=message):
        make(parameters, lr=0.1)


def test_an_object_with_parameters_is_told_to_give_them():
    class Network:
        def parameters(self):
            return [W]

    with pytest.raises(TypeError, match=r"parameters must be an iterable of tensors, not Network: give its \.parameters\(\)"):
        optim.SGD(Network(), lr=0.1)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (optim.SGD, {"lr": -0.1}, "lr must be a number >= 0, not -0.1"),
        (optim.SGD, {"lr": float("nan")}, "lr must be a number >= 0, not nan"),
        (optim.SGD, {"lr": 1, "momentum": -1}, "momentum must be a number >= 0, not -1"),
        (optim.SGD, {"lr": 1, "weight_decay": -1}, "weight_decay must be a number >= 0, not -1"),
        (optim.SGD, {"lr": 1, "nesterov": True}, "nesterov=True needs momentum > 0 and dampening = 0, not momentum=0.0 and dampening=0.0"),
        (optim.SGD, {"lr": 1, "nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov=True needs momentum > 0 and dampening = 0"),
        (optim.Adam, {"betas": (0.9, 1.0)}, r"betas must be two numbers from 0 up to, not including, 1, not \(0.9, 1.0\)"),
        (optim.Adam, {"betas": (-0.1, 0.9)}, "betas must be two numbers from 0"),
        (optim.AdamW, {"eps": -1e-8}, "eps must be a number >= 0, not -1e-08"),
        (optim.Adam, {"betas": "ab"}, "betas must be two numbers from 0 up to, not including, 1, not 'ab'"),
        (optim.Adam, {"eps": float("inf")}, "eps must be a number >= 0, not inf"),
        (optim.SGD, {"lr": "fast"}, "lr must be a number >= 0, not 'fast'"),
        (optim.SGD, {"lr": 1, "dampening": float("nan")}, "dampening must be a number, not nan"),
        (optim.SGD, {"lr": 1, "nesterov": "yes"}, "nesterov must be True or False, not 'yes'"),
        (optim.RMSprop, {"alpha": 1.0}, "alpha must be a number from 0 up to, not including, 1, not 1.0"),
        (optim.RMSprop, {"centered": 2}, "centered must be True or False, not 2"),
        (optim.AdamW, {"weight_decay": -0.1}, "weight_decay must be a number >= 0, not -0.1"),
    ],
)
def test_a_number_out_of_its_range_is_refused(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make([W], **settings)


def test_a_negative_lr_is_refused_when_assigned_and_the_old_one_stays():
    optimizer = optim.SGD([W], lr=0.5)
    with pytest.raises(ValueError, match="lr must be a number >= 0, not -1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.5


def stepped(make, shape=(2,), **settings):
    """Return an optimiser that has made a step."""
    parameter = Tensor(np.ones(shape), requires_grad=True)
    optimizer = make([parameter], **settings)
    walk(optimizer, [parameter], [[np.ones(shape)]])
    return optimizer


@pytest.mark.parametrize(
    ("state_dict", "error", "message"),
    [
        (stepped(optim.Adam).state_dict(), ValueError, r"the state has the settings \['betas', .*\], and SGD has \['dampening', .*\]"),
        (
            optim.SGD([NAMELESS, W], lr=1).state_dict(),
            ValueError,
            "the state is of 2 parameters, and this SGD has 1",
        ),
        (
            stepped(optim.SGD, (3,), lr=1, momentum=0.1).state_dict(),
            ShapeError,
            r"parameter 0 \('W'\) has shape \(2,\), its 'direction' in the state has \(3,\)",
        ),
        (
            {"settings": [{**optim.SGD([W], lr=1, momentum=0.3).state_dict()["settings"][0], "lr": -1}], "state": [{}]},
            ValueError,
            "lr must be a number >= 0, not -1",
        ),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_changes(state_dict, error, message):
    w = Tensor([1.0, 2.0], requires_grad=True, name="W")
    optimizer = optim.SGD([w], lr=0.5, momentum=0.9)
    walk(optimizer, [w], [[np.ones(2)]])
    before = optimizer.state_dict()
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(state_dict)
    after = optimizer.state_dict()
    assert after["settings"] == before["settings"]
    assert_array_equal(after["state"][0]["direction"], before["state"][0]["direction"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("betas", "ab", "betas must be two numbers"),
        ("betas", (5, 5), r"betas must be two numbers from 0 up to, not including, 1, not \(5, 5\)"),
        ("eps", float("nan"), "eps must be a number >= 0, not nan"),
        ("lr", None, "lr must be a number >= 0, not None"),
        ("step", 1.5, "what the state remembers of parameter 0 as 'step' must be a whole number >= 0, not 1.5"),
        ("step", -1, "as 'step' must be a whole number >= 0, not -1"),
        ("mean", "abc", "what the state remembers of parameter 0 as 'mean' must be numbers, not 'abc'"),
        ("square", [1j, 1j], "as 'square' must be numbers"),
    ],
)
def test_a_state_with_what_is_no_such_number_is_refused_and_nothing_changes(key, value, message):
    optimizer = stepped(optim.Adam)
    state = optimizer.state_dict()
    before = repr(optimizer.state_dict())
    holder = state["settings"][0] if key in optimizer.settings else state["state"][0]
    assert key in holder
    holder[key] = value
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert repr(optimizer.state_dict()) == before


def test_steps_work_inside_no_grad_too():
    w = Tensor([1.0], requires_grad=True)
    w.grad = [1.0]
    with no_grad():
        optim.SGD([w], lr=0.5).step()
    assert_array_equal(w.numpy(), [0.5])
    assert w.requires_grad


def test_scipys_optimisers_take_a_network_as_one_vector():
    scipy_optimize = pytest.importorskip("scipy.optimize")
    X = np.random.default_rng(0).normal(size=(50, 2))
    y = np.tanh(X[:, :1] - X[:, 1:])
    net = nn.Sequential(nn.Linear(2, 5, rng=0), nn.Tanh(), nn.Linear(5, 1, rng=1))
    start, unravel = tg.ravel(net)
    loss = tg.value_and_grad(lambda vector: nn.mse_loss(nn.functional_call(net, unravel(vector), X), y))
    found = scipy_optimize.minimize(loss, start.numpy(), jac=True, method="L-BFGS-B")
    net.load_state_dict(unravel(found.x))
    assert nn.mse_loss(net(X), y).item() == pytest.approx(found.fun, rel=1e-12)
    assert found.fun < 1e-3


# Schedules (whose rates are compared with PyTorch's in test_nn_torch.py)
def optimizer_of(*rates):
    return optim.SGD([{"params": [Tensor(1.0, requires_grad=True)], "lr": rate} for rate in rates], lr=1.0)


def test_a_schedule_of_ones_own_is_one_method():
    class Halved(optim.lr_scheduler.LRScheduler):
        def rate(self, first, t):
            return first / 2**t

    optimizer = optimizer_of(1.0, 0.5)
    scheduler = Halved(optimizer)
    scheduler.step()
    scheduler.step()
    assert scheduler.get_last_lr() == [group.lr for group in optimizer.param_groups] == [0.25, 0.125]
    with pytest.raises(NotImplementedError, match=r"LRScheduler must define rate\(first, t\)"):
        optim.lr_scheduler.LRScheduler(optimizer)


def test_a_schedule_goes_on_from_its_state():
    first, second = optimizer_of(1.0), optimizer_of(7.0)
    one, two = (optim.lr_scheduler.ExponentialLR(optimizer, 0.5) for optimizer in (first, second))
    for _ in range(3):
        one.step()
    two.load_state_dict(one.state_dict())
    two.step()
    assert second.lr == second.param_groups[0].lr == 1 / 16


def test_groups_may_have_functions_of_their_own():
    optimizer = optimizer_of(1.0, 1.0)
    scheduler = optim.lr_scheduler.LambdaLR(optimizer, [lambda t: 1 / (t + 1), lambda t: t + 1])
    scheduler.step()
    assert [group.lr for group in optimizer.param_groups] == [0.5, 2.0]


s = optim.lr_scheduler


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: s.StepLR(o, 0), ValueError, "step_size must be a whole number above 0, not 0"),
        (lambda o: s.StepLR(o, 1.5), ValueError, "step_size must be a whole number above 0, not 1.5"),
        (lambda o: s.ExponentialLR(o, -0.5), ValueError, "gamma must be a number >= 0, not -0.5"),
        (lambda o: s.StepLR(0.1, 2), TypeError, "StepLR needs an optimiser, not float"),
        (lambda o: s.LambdaLR(o, [abs, abs]), ValueError, "LambdaLR: there are 1 groups of parameters, and 2 functions"),
        (lambda o: s.SequentialLR(o, [s.StepLR(o, 1)], [3]), ValueError, r"1 schedulers need 0 rising milestones, not \[3\]"),
        (
            lambda o: s.SequentialLR(o, [s.StepLR(optimizer_of(1.0), 1)], []),
            ValueError,
            "every scheduler must be made for the optimiser that is given",
        ),
        (
            lambda o: s.StepLR(o, 1).load_state_dict({"last_epoch": 1, "base_lrs": [1.0, 2.0]}),
            ValueError,
            "this is no state for a schedule of 1 groups",
        ),
        (lambda o: s.StepLR(o, 1).load_state_dict({"last_epoch": -1, "base_lrs": [1.0]}), ValueError, "this is no state for a schedule"),
        (lambda o: s.StepLR(o, 1).load_state_dict({"last_epoch": "a", "base_lrs": [1.0]}), ValueError, "last_epoch must be a number"),
    ],
)
def test_a_slip_with_a_schedule_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make(optimizer_of(1.0))
