"""Convolution and pooling: their definitions entry by entry, the laws, ties, empty batches, and messages."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import Case, every_case_obeys, every_row_has_a_case, gradient_at, gradients, spread
from numpy.testing import assert_allclose, assert_array_equal

from tinygrad_hw import ShapeError, Tensor
from tinygrad_hw.rules import convolution as c
from tinygrad_hw.rules.convolution import avg_pool, conv1d, conv2d, max_pool

X1, W1 = spread(2, 2, 5), spread(3, 2, 3)
X2, W2, G2 = spread(2, 2, 4, 3), spread(3, 2, 2, 3), spread(2, 3, 3, 1)
B = spread(3)


def by_definition(x, w, stride, padding):
    """Return the convolution as the sum in its definition says."""
    d = w.ndim - 2
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], w.shape[2:], stride)]
    out = np.zeros((len(x), len(w), *counts), np.result_type(x, w))
    for place in itertools.product(*map(range, counts)):
        window = x[(slice(None), slice(None), *(slice(i * s, i * s + k) for i, s, k in zip(place, stride, w.shape[2:])))]
        out[(..., *place)] = np.tensordot(window, w, (range(1, d + 2), range(1, d + 2)))
    return out


CASES = [
    *(Case(c.convolution, X1, W1, call=lambda x, w, s=s, p=p: conv1d(x, w, stride=s, padding=p),
           oracle=lambda x, w, s=s, p=p: by_definition(x, w, (s,), (p,)), analytic=True) for s in (1, 2) for p in (0, 2)),
    *(Case(c.convolution, X2, W2, call=lambda x, w, s=s, p=p: conv2d(x, w, stride=s, padding=p),
           oracle=lambda x, w, s=s, p=p: by_definition(x, w, s, p), analytic=True)
      for s, p in [((1, 1), (0, 0)), ((2, 1), (1, 2)), ((3, 2), (0, 1))]),
    Case(c.convolution, X2, W2, B, call=lambda x, w, b: conv2d(x, w, b)),
    Case(c.convolution_x, G2, W2, call=lambda g, w: c.convolution_x(g, w, (4, 3), (1, 1), (0, 0)), analytic=True),
    Case(c.convolution_w, X2, G2, call=lambda x, g: c.convolution_w(x, g, (2, 3), (1, 1), (0, 0)), analytic=True),
    Case(c.windows, X2, call=lambda x: max_pool(x, 2)),
    Case(c.windows, X2, call=lambda x: max_pool(x, (3, 2), 1, 1)),
    Case(c.windows, X1, call=lambda x: avg_pool(x, 2), analytic=True),
    Case(c.windows, X2, call=lambda x: avg_pool(x, 3, (2, 1), 1), analytic=True),
    Case(c.windows, X2, call=lambda x: c.windows(x, (2, 2), (1, 1)), analytic=True),
    Case(c.overlaid, spread(2, 2, 1, 2, 3, 2), call=lambda g: c.overlaid(g, (4, 3), (1, 1)), analytic=True),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("convolution", CASES)


sizes = st.integers(1, 3)


@settings(max_examples=40)
@given(sizes, sizes, sizes, st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.integers(0, 2), st.integers(0, 2), st.data())
def test_values_and_gradients_of_any_shape_are_those_of_the_definition(n, channels, kernels, size, stride, p, q, data):
    space = tuple(data.draw(st.integers(max(k - 2 * r, 1), 6)) for k, r in zip(size, (p, q)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, w = rng.normal(size=(n, channels, *space)), rng.normal(size=(kernels, channels, *size))
    expected = by_definition(x, w, stride, (p, q))
    assert_allclose(conv2d(x, w, stride=stride, padding=(p, q)), expected, atol=1e-12)
    g, u, v = rng.normal(size=expected.shape), rng.normal(size=x.shape), rng.normal(size=w.shape)
    in_x, in_w = gradients(lambda x, w: conv2d(x, w, stride=stride, padding=(p, q)), [x, w], g)
    assert_allclose(np.sum(in_x * u), np.sum(g * by_definition(u, w, stride, (p, q))), atol=1e-10)
    assert_allclose(np.sum(in_w * v), np.sum(g * by_definition(x, v, stride, (p, q))), atol=1e-10)


def test_columns_made_a_few_samples_at_a_time_give_the_same(monkeypatch):
    whole = gradients(conv2d, [X2, W2], G2)
    monkeypatch.setattr(c, "COLUMN_BYTES", 1)
    for found, expected in zip(gradients(conv2d, [X2, W2], G2), whole):
        assert_allclose(found, expected, rtol=1e-14)


def test_entries_of_a_window_that_tie_share_its_gradient():
    assert_array_equal(gradient_at(lambda x: max_pool(x, 2), np.zeros((1, 1, 2, 2))), np.full((1, 1, 2, 2), 0.25))


def test_overlapping_windows_with_one_largest_entry_add_up():
    assert_array_equal(gradient_at(lambda x: max_pool(x, 2, 1), [[[0.0, 3.0, 1.0]]]), [[[0, 2, 0]]])


def test_the_border_of_a_max_pool_is_never_the_largest_and_that_of_an_avg_pool_counts_as_0():
    x = np.full((1, 1, 2), -4.0)
    assert_array_equal(max_pool(x, 2, 2, 1), [[[-4, -4]]])
    assert_array_equal(avg_pool(x, 2, 2, 1), [[[-2, -2]]])


def test_entries_that_no_window_sees_have_the_gradient_0_whatever_made_them():
    x = Tensor(np.array([[[1.0, 1.0, 0.0]]]), requires_grad=True)
    np.sum(max_pool(np.sqrt(x), 2)).backward()
    assert_array_equal(x.grad, [[[0.25, 0.25, 0]]])


def test_an_empty_batch_has_an_empty_result_and_gradients_of_zeros():
    in_x, in_w = gradients(conv2d, [np.zeros((0, 2, 4, 3)), W2], np.zeros((0, 3, 3, 1)))
    assert in_x.shape == (0, 2, 4, 3)
    assert_array_equal(in_w, np.zeros_like(W2))
    assert max_pool(Tensor(np.zeros((0, 1, 4))), 2).shape == (0, 1, 2)


def test_arrays_give_arrays():
    assert type(conv2d(X2, W2, B)) is type(max_pool(X2, 2)) is type(avg_pool(X2, 2)) is np.ndarray


@pytest.mark.parametrize("call, message", [
    (lambda: conv2d(Tensor(X2), W2[:, :1]), r"conv2d: x has 2 channels \(its axis 1\), the kernels take 1 \(their axis 1\)"),
    (lambda: conv2d(Tensor(X1), W2), r"conv2d: x and weight need 4 axes .* not shapes \(2, 2, 5\) and \(3, 2, 2, 3\)"),
    (lambda: conv1d(Tensor(X1), W1, stride=0), r"conv1d: windows of \(3,\) entries in steps of \(0,\): sizes and strides start at 1"),
    (lambda: conv1d(Tensor(X1), spread(1, 2, 9), padding=1),
     r"conv1d: windows of \(9,\) entries do not fit into \(5,\) with padding \(1,\)"),
    (lambda: conv2d(Tensor(X2), W2, stride=(1, 2, 3)), "conv2d: stride must be one whole number, or one for each of the 2 axes of space"),
    (lambda: conv2d(Tensor(X2), W2, padding=-1), "conv2d: padding must be one whole number"),
    (lambda: max_pool(Tensor(X2), 2.5), "max_pool: size must be one whole number"),
    (lambda: avg_pool(Tensor(B), 2), r"avg_pool: x needs samples, channels and space, not shape \(3,\)"),
])  # fmt: skip
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_bias_of_another_length_is_said():
    with pytest.raises(ShapeError, match="add"):
        conv2d(Tensor(X2), W2, np.zeros(2))
