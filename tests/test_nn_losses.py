"""Losses beyond PyTorch's values: extremes, integers, what is left out, and slips that are named."""

import warnings

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import tinygrad_hw as tg
from tinygrad_hw import DTypeError, ShapeError, Tensor, nn

ELEMENTWISE = [nn.mse_loss, nn.half_mse_loss, nn.l1_loss, nn.huber_loss, nn.smooth_l1_loss]
SCORES = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("loss", [*ELEMENTWISE, nn.binary_cross_entropy_with_logits])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, bool])
def test_integers_are_taken_as_the_numbers_that_they_are(loss, dtype):
    y, t = np.array([0, 1, 1, 0], dtype), np.array([1, 1, 0, 0], dtype)
    if dtype is not bool and loss in ELEMENTWISE:
        y, t = np.array([0, 100, 3], dtype), np.array([16, 1, 90], dtype)
    assert_allclose(loss(y, t), loss(y.astype(float), t.astype(float)), rtol=1e-15)
    assert loss(Tensor(y.astype(np.float32)), t).dtype == np.float32


@pytest.mark.parametrize("loss", [*ELEMENTWISE, nn.binary_cross_entropy_with_logits, nn.binary_cross_entropy])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_loss_keeps_its_dtype(loss, dtype):
    y = Tensor(np.array([0.5, 0.25], dtype), requires_grad=True)
    out = loss(y, np.array([1, 0]))
    out.backward()
    assert out.dtype == y.grad.dtype == dtype


@pytest.mark.parametrize("delta", [0.5, 1.0, 2.0])
def test_huber_has_the_slope_0_at_its_target_and_delta_from_delta_on(delta):
    y = Tensor([-3.0, -delta, 0.0, delta / 2, delta, 3.0], requires_grad=True)
    nn.huber_loss(y, np.zeros(6), "sum", delta).backward()
    assert_allclose(y.grad, [-delta, -delta, 0, delta / 2, delta, delta], rtol=1e-15)


def test_absolute_errors_of_0_have_the_slope_0():
    y = Tensor([1.0, 2.0], requires_grad=True)
    nn.l1_loss(y, [1.0, 0.0], "sum").backward()
    assert_array_equal(y.grad, [0, 1])


# Probabilities
def test_impossible_events_that_happen_cost_100_and_have_a_gradient():
    p = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    costs = nn.binary_cross_entropy(p, [1.0, 0.0, 0.0, 1.0], "none")
    assert_allclose(costs.numpy(), [100, 100, 0, 0], atol=1e-13)
    costs.sum().backward()
    assert p.grad[0] < -1e40
    assert p.grad[1] > 1e40


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="the predictions must be probabilities, from 0 to 1; of logits, take binary_cross"):
        nn.binary_cross_entropy([p], [1.0])


@pytest.mark.parametrize("z", [[20.0, -20.0], [-30.0, 5.0], [1000.0, 0.0]])
def test_cross_entropy_of_a_confident_sample_keeps_its_digits(z):
    with mpmath.workdps(600):
        exact = float(mpmath.log(1 + mpmath.exp(mpmath.mpf(z[1 - int(np.argmax(z))]) - max(z))))
    assert_allclose(nn.cross_entropy([z], [int(np.argmax(z))]), exact, rtol=1e-14)


@pytest.mark.parametrize("compiled", [False, True])
def test_infinite_logits_are_certainties(compiled):
    z = np.array([[np.inf, 0.0], [0.0, -np.inf], [1.0, 1.0]])
    of = lambda f: tg.compile(f) if compiled else f
    assert_allclose(of(lambda z: nn.cross_entropy(z, np.array([0, 0, 0]), reduction="none"))(z), [0, 0, np.log(2)], rtol=1e-15)
    assert float(of(lambda z: nn.cross_entropy(z, np.array([[1.0, 0], [1, 0], [1, 0]]), reduction="sum"))(z)) == np.log(2)
    assert_array_equal(of(lambda z: nn.binary_cross_entropy_with_logits(z, np.array([1.0, 0.0]), "none"))(z[:2].ravel()[[0, 3]]), [0, 0])
    assert nn.cross_entropy([[np.inf, 0.0]], [1]) == np.inf


@pytest.mark.parametrize("kwargs", [{}, {"weight": [1.0, 2.0, 3.0]}, {"label_smoothing": 0.2}])
def test_an_ignored_sample_counts_for_nothing_whatever_its_logits(kwargs):
    z = np.vstack([SCORES, [np.inf, -np.inf, 0.0] if not kwargs else [1e300, 0.0, -1e300]])
    x = Tensor(z, requires_grad=True)
    loss = nn.cross_entropy(x, [0, 1, 2, 1, 7], ignore_index=7, **kwargs)
    loss.backward()
    assert_allclose(loss.item(), nn.cross_entropy(SCORES, [0, 1, 2, 1], **kwargs), rtol=1e-14)
    assert_array_equal(x.grad[-1], 0)


def test_shares_of_one_class_each_are_that_class():
    for kwargs in ({}, {"label_smoothing": 0.3}):
        shares = np.eye(3)[[0, 2, 1, 1]]
        assert_allclose(nn.cross_entropy(SCORES, shares, **kwargs), nn.cross_entropy(SCORES, [0, 2, 1, 1], **kwargs), rtol=1e-14)


def test_the_loss_is_compiled_with_classes_that_differ_from_call_to_call():
    w = Tensor(SCORES.T.copy(), requires_grad=True)
    step = tg.compile(lambda x, t: nn.cross_entropy(x @ w, t), tg.optim.SGD([w], lr=0.0))
    for classes in ([0, 1, 2, 3], [3, 3, 0, 1], [1, 0, 0, 0]):
        x, t = SCORES, np.array(classes)
        assert_allclose(step(x, t), nn.cross_entropy(x @ w.numpy(), t), rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "function", "name"), [(nn.cross_entropy, tg.softmax, "softmax"), (nn.binary_cross_entropy_with_logits, tg.sigmoid, "sigmoid")]
)
def test_a_loss_of_logits_after_the_function_that_it_applies_itself_is_warned_of(loss, function, name):
    x = Tensor(SCORES, requires_grad=True)
    target = [0, 1, 2, 1] if loss is nn.cross_entropy else np.zeros((4, 3))
    with pytest.warns(UserWarning, match=f"takes logits, and applies {name} itself: its argument is the result of {name}. Leave that out"):
        loss(function(x), target)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss(x * 2, target)


# Modules
@pytest.mark.parametrize(
    ("module", "function"),
    [
        (nn.MSELoss, nn.mse_loss), (nn.L1Loss, nn.l1_loss), (nn.HuberLoss, nn.huber_loss), (nn.SmoothL1Loss, nn.smooth_l1_loss),
        (nn.BCELoss, nn.binary_cross_entropy), (nn.BCEWithLogitsLoss, nn.binary_cross_entropy_with_logits),
    ],
)  # fmt: skip
def test_a_loss_as_a_module_is_its_function_with_settings(module, function):
    y, t = np.array([0.2, 0.9]), np.array([0.0, 1.0])
    assert module()(y, t) == function(y, t)
    assert_array_equal(module(reduction="none")(y, t), function(y, t, reduction="none"))
    assert repr(module(reduction="sum")) == f"{module.__name__}(reduction='sum')"


def test_losses_of_classes_are_modules_too():
    assert nn.CrossEntropyLoss(label_smoothing=0.1)(SCORES, [0, 1, 2, 0]) == nn.cross_entropy(SCORES, [0, 1, 2, 0], label_smoothing=0.1)
    logs = tg.log_softmax(SCORES)
    assert nn.NLLLoss(weight=[1.0, 2, 3])(logs, [0, 1, 2, 0]) == nn.nll_loss(logs, [0, 1, 2, 0], [1.0, 2, 3])
    with pytest.raises(TypeError, match="CrossEntropyLoss has no setting 'smoothing'; it has weight, ignore_index, label_"):
        nn.CrossEntropyLoss(smoothing=0.1)


# Slips
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.mse_loss([1.0], [1.0], "avg"), ValueError, "mse_loss: reduction must be 'mean', 'sum', 'none'; it is 'avg'"),
        (lambda: nn.huber_loss([1.0], [1.0], delta=0), ValueError, "huber_loss: delta must be above 0, not 0"),
        (lambda: nn.cross_entropy(SCORES, [0, 1, 2, 0], weight=[1.0]), ShapeError, r"there are 3 classes, and weight has shape \(1,\)"),
        (lambda: nn.cross_entropy(SCORES, [0, 1, 2, 0], label_smoothing=2), ValueError, "label_smoothing must be from 0 to 1, not 2"),
        (
            lambda: nn.cross_entropy(np.float64(1), 0),
            ShapeError,
            r"logits need an axis of classes: shape \(C,\), \(N, C\) or",
        ),
        (
            lambda: nn.cross_entropy(np.zeros((2, 5, 3)), np.zeros((2, 5), int)),
            ShapeError,
            r"if the last axis is that of the classes, logits.reshape\(-1, 3\) and target.reshape\(-1\) would fit",
        ),
        (lambda: nn.nll_loss(SCORES, np.zeros(4)), DTypeError, r"nll_loss: classes must be integers, not float64"),
        (lambda: nn.nll_loss(SCORES, [0, 1, 2, 3]), IndexError, "nll_loss: classes must be from 0 to 2, and there is 3"),
    ],
)
def test_a_slip_with_a_loss_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
