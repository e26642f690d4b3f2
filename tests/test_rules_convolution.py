"""Convolution and pooling: their definitions entry by entry, the laws, ties, empty batches, and messages."""

import itertools
import tracemalloc

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


def by_definition(x, w, stride, padding, dilation=None, groups=1):
    """Return the convolution as the sum in its definition says."""
    d = w.ndim - 2
    dilation = dilation or (1,) * d
    x = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)])
    counts = [(n - a * (k - 1) - 1) // s + 1 for n, k, s, a in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    out = np.zeros((len(x), len(w), *counts), np.result_type(x, w))
    channels, kernels = x.shape[1] // groups, len(w) // groups
    for place in itertools.product(*map(range, counts)):
        along = [slice(i * s, i * s + a * (k - 1) + 1, a) for i, s, k, a in zip(place, stride, w.shape[2:], dilation)]
        for group in range(groups):
            window = x[(slice(None), slice(group * channels, (group + 1) * channels), *along)]
            own = slice(group * kernels, (group + 1) * kernels)
            out[(slice(None), own, *place)] = np.tensordot(window, w[own], (range(1, d + 2), range(1, d + 2)))
    return out


ONCE = (1, 1), (0, 0), (1, 1), 1
POOLS = ((2, 2), (2, 2), (0, 0)), ((2, 2), (1, 1), (0, 0)), ((3, 2), (1, 2), (1, 0))
CASES = [
    *(Case(c.convolution, X1, W1, call=lambda x, w, s=s, p=p: conv1d(x, w, stride=s, padding=p),
           oracle=lambda x, w, s=s, p=p: by_definition(x, w, (s,), (p,)), analytic=True) for s in (1, 2) for p in (0, 2)),
    *(Case(c.convolution, X2, W2, call=lambda x, w, s=s, p=p: conv2d(x, w, stride=s, padding=p),
           oracle=lambda x, w, s=s, p=p: by_definition(x, w, s, p), analytic=True)
      for s, p in [((1, 1), (0, 0)), ((2, 1), (1, 2)), ((3, 2), (0, 1))]),
    Case(c.convolution, spread(2, 4, 7, 6), spread(6, 2, 2, 3), analytic=True,
         call=lambda x, w: conv2d(x, w, stride=(2, 1), padding=1, dilation=(3, 2), groups=2),
         oracle=lambda x, w: by_definition(x, w, (2, 1), (1, 1), (3, 2), 2)),
    Case(c.convolution, X2, W2, B, call=lambda x, w, b: conv2d(x, w, b)),
    Case(c.convolution_x, G2, W2, call=lambda g, w: c.convolution_x(g, w, (4, 3), *ONCE), analytic=True),
    Case(c.convolution_x, spread(2, 2, 3, 1), spread(2, 3, 2, 3), call=lambda g, w: c.convolution_x(g, w, (4, 3), *ONCE), analytic=True),
    Case(c.convolution_w, X2, G2, call=lambda x, g: c.convolution_w(x, g, (2, 3), *ONCE), analytic=True),
    Case(c.largest, X2, call=lambda x: max_pool(x, 2)),
    Case(c.largest, X2, call=lambda x: max_pool(x, (3, 2), 1, 1)),
    Case(c.largest, X1, call=lambda x: max_pool(x, 2, 3)),
    *(Case(c.to_largest, spread(*c.largest(X2, *how).shape), call=lambda g, how=how: c.to_largest(g, X2, c.largest(X2, *how), *how),
           analytic=True) for how in POOLS),
    *(Case(c.of_largest, spread(*X2.shape, seed=3), call=lambda h, how=how: c.of_largest(h, X2, c.largest(X2, *how), *how),
           analytic=True) for how in POOLS),
    Case(c.window_sum, X1, call=lambda x: avg_pool(x, 2), analytic=True),
    Case(c.window_sum, X2, call=lambda x: avg_pool(x, 3, (2, 1), 1), analytic=True),
    *(Case(c.spread_over_windows, spread(*c.largest(X2, *how).shape), analytic=True,
           call=lambda g, how=how: c.spread_over_windows(g, X2.shape[2:], *how)) for how in POOLS),
]  # fmt: skip


test_every_row_obeys = every_case_obeys(CASES)
test_every_row_has_a_case = every_row_has_a_case("convolution", CASES)


sizes = st.integers(1, 3)


@settings(max_examples=60)
@given(sizes, sizes, sizes, sizes, st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.integers(0, 2),
       st.integers(0, 2), st.data())  # fmt: skip
def test_values_and_gradients_of_any_shape_are_those_of_the_definition(n, groups, channels, kernels, size, stride, dilation, p, q, data):
    space = tuple(data.draw(st.integers(max(a * (k - 1) + 1 - 2 * r, 1), 8)) for k, a, r in zip(size, dilation, (p, q)))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x, w = rng.normal(size=(n, groups * channels, *space)), rng.normal(size=(groups * kernels, channels, *size))
    defined = lambda x, w: by_definition(x, w, stride, (p, q), dilation, groups)
    convolved = lambda x, w: conv2d(x, w, stride=stride, padding=(p, q), dilation=dilation, groups=groups)
    expected = defined(x, w)
    assert_allclose(convolved(x, w), expected, atol=1e-12)
    g, u, v = rng.normal(size=expected.shape), rng.normal(size=x.shape), rng.normal(size=w.shape)
    in_x, in_w = gradients(convolved, [x, w], g)
    assert_allclose(np.sum(in_x * u), np.sum(g * defined(u, w)), atol=1e-10)
    assert_allclose(np.sum(in_w * v), np.sum(g * defined(x, v)), atol=1e-10)


@settings(max_examples=60)
@given(sizes, sizes, st.tuples(sizes, sizes), st.tuples(sizes, sizes), st.integers(0, 2), st.data())
def test_pools_of_any_shape_are_those_of_the_definition(n, channels, size, stride, p, data):
    space = tuple(data.draw(st.integers(max(k - 2 * p, 1), 6)) for k in size)
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-2, 3, (n, channels, *space)).astype(float)
    whole = lambda value: np.pad(x, [(0, 0), (0, 0), (p, p), (p, p)], constant_values=value)
    windows = lambda value: np.lib.stride_tricks.sliding_window_view(whole(value), size, (2, 3))[:, :, :: stride[0], :: stride[1]]
    largest = windows(-np.inf).max((-2, -1))
    assert_array_equal(max_pool(x, size, stride, p), largest)
    assert_allclose(avg_pool(x, size, stride, p), windows(0).mean((-2, -1)), atol=1e-14)
    g = np.random.default_rng(1).normal(size=largest.shape)
    shares = np.zeros((n, channels, space[0] + 2 * p, space[1] + 2 * p))
    for place in np.ndindex(g.shape):
        corner = (*place[:2], *(slice(i * s, i * s + k) for i, s, k in zip(place[2:], stride, size)))
        best = whole(-np.inf)[corner] == largest[place]
        shares[corner] += g[place] * best / best.sum() if np.isfinite(largest[place]) else 0
    assert_allclose(
        gradients(lambda x: max_pool(x, size, stride, p), [x], g)[0], shares[:, :, p : p + space[0], p : p + space[1]], atol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, bool])
def test_a_padded_max_pool_of_integers_is_that_of_floats(dtype):
    x = (np.arange(16).reshape(1, 1, 4, 4) % 2 if dtype is bool else np.arange(16).reshape(1, 1, 4, 4)).astype(dtype)
    assert_array_equal(max_pool(x, 3, 2, 1), max_pool(x.astype(float), 3, 2, 1))
    assert_array_equal(avg_pool(x, 3, 2, 1), avg_pool(x.astype(float), 3, 2, 1))


def test_what_is_infinite_in_one_window_leaves_the_entries_that_it_was_not_taken_from_at_0():
    assert_array_equal(gradient_at(lambda x: max_pool(x, 2), [[[0.0, 3.0, 1.0, 2.0]]], cotangent=np.array([[[np.inf, 1.0]]])),
                       [[[0, np.inf, 0, 1]]])  # fmt: skip


def test_a_convolution_holds_no_more_than_the_columns_of_a_few_samples_beside_its_result():
    x, w = np.ones((64, 8, 20, 20)), np.ones((8, 8, 3, 3))
    conv2d(x, w)
    tracemalloc.start()
    out = conv2d(x, w)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < out.nbytes + 3 * max(c.COLUMN_BYTES, 8 * 9 * 18 * 18 * 8)


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
    (lambda: conv1d(Tensor(X1), W1, stride=0),
     r"conv1d: windows of \(3,\) entries in steps of \(0,\): sizes, strides and dilations start at 1"),
    (lambda: conv1d(Tensor(X1), spread(1, 2, 9), padding=1),
     r"conv1d: windows of \(9,\) entries do not fit into \(5,\) with padding \(1,\)"),
    (lambda: conv2d(Tensor(X2), W2, stride=(1, 2, 3)), "conv2d: stride must be one whole number, or one for each of the 2 axes of space"),
    (lambda: conv2d(Tensor(X2), W2, padding=-1), "conv2d: padding must be one whole number"),
    (lambda: conv2d(Tensor(X2), W2, groups=2), "conv2d: groups=2 must divide the 2 channels of x and the 3 kernels"),
    (lambda: conv2d(Tensor(X2), W2[:2], groups=2), r"conv2d: x has 2 channels \(its axis 1\), the kernels take 2 in each of 2 groups"),
    (lambda: conv2d(Tensor(X2), W2, dilation=0), r"conv2d: windows of \(2, 3\) entries, \(0, 0\) apart in steps of \(1, 1\): sizes"),
    (lambda: conv2d(Tensor(X2), W2, dilation=2), r"windows of \(2, 3\) entries that lie \(2, 2\) apart do not fit into \(4, 3\)"),
    (lambda: max_pool(Tensor(X2), 2.5), "max_pool: kernel_size must be one whole number"),
    (lambda: avg_pool(Tensor(B), 2), r"avg_pool: x needs samples, channels and space, not shape \(3,\)"),
])  # fmt: skip
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_bias_of_another_length_is_said():
    with pytest.raises(ShapeError, match="add"):
        conv2d(Tensor(X2), W2, np.zeros(2))
