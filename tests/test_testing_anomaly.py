"""The first value that is not finite is found, with its operation, its operands and its line; off, nothing is watched."""

import threading

import numpy as np
import pytest

from tinygrad_hw import backward, tensor
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.anomaly import AnomalyError, detect_anomaly
from tinygrad_hw.transforms import grad, hessian


@pytest.fixture
def x():
    return Tensor([4.0, 0.0, 1.0], requires_grad=True, name="x")


def told(work):
    """Return the error's lines."""
    with pytest.raises(AnomalyError) as caught, detect_anomaly():
        work()
    return str(caught.value).splitlines()


def test_forward_the_operation_its_operands_and_the_line_are_named(x):
    def work():
        y = x * 2
        return (np.log(y) + 1).sum()  # the line at fault

    first, operand = told(work)
    assert first.startswith("log gave -inf at (1,), in ")
    assert f"{__file__}:" in first and first.endswith("return (np.log(y) + 1).sum()  # the line at fault")
    assert operand == "  operand 0 (3,): 0.0 there"


def test_backward_the_rule_its_operand_and_the_forward_line_are_named(x):
    def work():
        y = np.sqrt(x)
        z = y * 3
        z.sum().backward()

    first, operand, cotangent = told(work)
    assert first.startswith("backward of sqrt: the cotangent of x has inf at (1,), in ")
    assert first.endswith("y = np.sqrt(x)")
    assert operand == "  x (3,): 0.0 there"
    assert cotangent == "  incoming cotangent (3,): 3.0 there"
    assert x.grad is None


def test_an_operand_that_was_not_finite_already_is_told(x):
    first, *operands = told(lambda: x + np.array([0.0, np.nan, np.inf]))
    assert first.startswith("add gave nan at (1,), inf at (2,), in ")
    assert operands == ["  x (3,): 0.0 there", "  operand 1 (3,): not finite already, nan at (1,), inf at (2,)"]


def test_many_entries_are_counted_and_an_operand_of_another_shape_shows_its_range(x):
    first, _ = told(lambda: (x * 1e300 * 1e300 + np.ones((4, 1)) * np.inf).sum())
    assert first.startswith("multiply gave inf at (0,), inf at (2,), in ")
    first, a, b = told(lambda: x * np.full((4, 1), np.inf))
    assert "nan at (0, 1), inf at (0, 2) and 9 more" in first
    assert a == "  x (3,): 0.0 ... 4.0" and "not finite already" in b


def test_an_entry_on_a_branch_not_taken_is_no_anomaly(x):
    with detect_anomaly():
        np.where(x > 0, np.sqrt(x), 0).sum().backward()
    assert np.array_equal(x.grad, [0.25, 0, 0.5])


def test_an_entry_that_a_choice_passes_on_is_found(x):
    first = told(lambda: (np.where(x > 2, np.sqrt(x), 0) * np.sqrt(x)).sum().backward())[0]
    assert first.startswith("backward of sqrt: the cotangent of x has nan at (1,)")


def test_a_cotangent_that_is_given_not_finite_is_told(x):
    assert told(lambda: (x * 2).backward([1.0, np.nan, 1.0])) == ["backward was given a cotangent with nan at (1,)"]


def test_in_a_deep_graph_the_culprit_is_found(x):
    def work():
        y = x + 1
        for _ in range(300):
            y = y * 1.0
        y = np.sqrt(y - 1)
        for _ in range(300):
            y = y * 1.0
        y.sum().backward()

    assert told(work)[0].startswith("backward of sqrt: the cotangent of operand 0 has inf at (1,)")


def test_gradients_of_functions_are_watched_to_any_order():
    f = lambda x: np.sum(x**1.5)
    assert told(lambda: hessian(f)(np.array([0.0, 1.0])))[0].startswith("backward of power: the cotangent of operand 0 has inf at (0,)")
    assert told(lambda: grad(lambda x: np.sum(np.sqrt(x)))(np.zeros(2)))[0].startswith("backward of sqrt: the cotangent of operand 0")


def test_a_graph_made_outside_is_watched_backward_and_says_that_its_line_is_unknown(x):
    y = np.sqrt(x).sum()
    assert "code that ran outside of detect_anomaly" in told(y.backward)[0]


def test_finite_work_passes_and_gives_the_same(x):
    with detect_anomaly():
        (x * x).sum().backward()
    assert np.array_equal(x.grad, [8.0, 0.0, 2.0])


def test_it_is_a_decorator_nests_and_leaves_every_function_as_it_was(x):
    before = (tensor.result, backward.flow)

    @detect_anomaly()
    def work():
        with detect_anomaly():
            pass
        return np.log(x)

    for _ in range(2):
        with pytest.raises(AnomalyError):
            work()
        assert (tensor.result, backward.flow) == before


def test_another_thread_is_not_watched(x):
    done = []
    with detect_anomaly():
        thread = threading.Thread(target=lambda: done.append(np.isinf((Tensor([1.0], requires_grad=True) * np.inf).data)))
        thread.start()
        thread.join()
    assert done == [True]
