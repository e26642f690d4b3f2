"""Equations: what is printed is the calculus that backward computes, in textbook form, and says so when it is not sure."""

import io
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from laws import numpys_ufuncs

import tinygrad_hw as tg
from tinygrad_hw import GradientError, Tensor
from tinygrad_hw.equations import explain, formula
from tinygrad_hw.equations.expressions import Variable, evaluate
from tinygrad_hw.equations.simplify import product
from tinygrad_hw.equations.symbols import Symbol, Unreadable
from tinygrad_hw.equations.writers import Text
from tinygrad_hw.graph import reachable_results
from tinygrad_hw.rules import RULES
from tinygrad_hw.rules.shaping import getitem, scatter


def parameters(rng, *shapes):
    return [Tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]


def report_loss(activation=tg.sigmoid, n=21, h=4):
    """Return the loss of the report's network, 2-h-h-1, with nothing named."""
    rng = np.random.default_rng(2023)
    x, y = rng.uniform(size=(n, 2)), (rng.uniform(size=(n, 1)) > 0.5).astype(float)
    W1, b1, W2, b2, W3, b3 = parameters(rng, (2, h), h, (h, h), h, (h, 1), 1)
    a1 = activation(x @ W1 + b1)
    a2 = activation(a1 @ W2 + b2)
    prediction = activation(a2 @ W3 + b3)
    return ((y - prediction) ** 2).mean() / 2


def lines(equations):
    return [str(equation) for equation in (*equations.forward, *equations.backward)]


def notes(equations):
    return [str(note) for note in equations.notes]


# The report's network
def test_the_reports_network_prints_its_delta_equations_in_textbook_form():
    assert str(explain(report_loss())) == "\n".join([
        "Forward",
        "   (1)  z₁ = x W₁ + b₁",
        "   (2)  a₁ = σ(z₁)",
        "   (3)  z₂ = a₁ W₂ + b₂",
        "   (4)  a₂ = σ(z₂)",
        "   (5)  z₃ = a₂ W₃ + b₃",
        "   (6)  ŷ = σ(z₃)",
        "   (7)  L = mean((y − ŷ)²) / 2",
        "",
        "Backward",
        "   (8)  δ₃ = (ŷ − y) ⊙ σ′(z₃) / N",
        "   (9)  ∂L/∂W₃ = a₂ᵀ δ₃",
        "  (10)  ∂L/∂b₃ = Σ₀ δ₃",
        "  (11)  δ₂ = (δ₃ W₃ᵀ) ⊙ σ′(z₂)",
        "  (12)  ∂L/∂W₂ = a₁ᵀ δ₂",
        "  (13)  ∂L/∂b₂ = Σ₀ δ₂",
        "  (14)  δ₁ = (δ₂ W₂ᵀ) ⊙ σ′(z₁)",
        "  (15)  ∂L/∂W₁ = xᵀ δ₁",
        "  (16)  ∂L/∂b₁ = Σ₀ δ₁",
        "",
        "where",
        "  δₖ = ∂L/∂zₖ",
        "  σ′(z) = σ(z) ⊙ (1 − σ(z))",
        "  N = 21",
        "  Σ₀ adds up over axis 0",
        "  ⊙ multiplies entry by entry",
    ])  # fmt: skip


def test_written_out_the_derivative_of_sigmoid_is_a_times_1_minus_a():
    equations = explain(report_loss(), derivative="expanded")
    assert "δ₃ = (ŷ − y) ⊙ ŷ ⊙ (1 − ŷ) / N" in lines(equations)
    assert "δ₁ = (δ₂ W₂ᵀ) ⊙ a₁ ⊙ (1 − a₁)" in lines(equations)
    assert not any("′" in text for text in lines(equations) + notes(equations))


def test_shapes_are_told_on_request():
    equations = explain(report_loss(), shapes=True)
    assert any(re.fullmatch(r"δ₃ = .* ∈ ℝ\^\(21×1\)", text) for text in lines(equations))
    assert any(re.fullmatch(r"L = .* ∈ ℝ", text) for text in lines(equations))
    assert any(re.fullmatch(r"x +∈ ℝ\^\(21×2\)", text) for text in notes(equations))


@pytest.mark.parametrize("activation, expected", [
    (np.tanh, "tanh′(z) = 1 − tanh(z)²"),
    (tg.relu, "relu′(z) = [z > 0]"),
    (tg.gelu, "gelu′(z) = Φ(z) + z ⊙ exp(−z² / 2) / √(2π)"),
])  # fmt: skip
def test_what_f_prime_is_comes_from_the_functions_own_rule(activation, expected):
    assert expected in notes(explain(report_loss(activation)))


def test_a_derivative_that_is_no_longer_than_its_name_is_written_out():
    x = Tensor([0.5, 2.0], requires_grad=True)
    assert str(explain(np.sin(x).sum()).backward[0]) == "∂L/∂x = cos(x)"
    assert str(explain(tg.softplus(x).sum()).backward[0]) == "∂L/∂x = σ(x)"


# Shapes of networks
def test_a_tied_weight_sums_over_its_uses_in_a_recurrence():
    rng = np.random.default_rng(0)
    Wx, Wh, b, V = parameters(rng, (3, 4), (4, 4), 4, (4, 1))
    h = Tensor(rng.normal(size=(5, 4)))
    for _ in range(3):
        h = np.tanh(rng.normal(size=(5, 3)) @ Wx + h @ Wh + b)
    printed = lines(explain(((h @ V - rng.normal(size=(5, 1))) ** 2).mean()))
    assert "z₂ = x₂ Wₓ + a₁ Wₕ + b" in printed
    assert "δ₂ = (δ₃ Wₕᵀ) ⊙ tanh′(z₂)" in printed
    assert "∂L/∂Wₓ = x₃ᵀ δ₃ + x₂ᵀ δ₂ + x₁ᵀ δ₁" in printed
    assert "∂L/∂Wₕ = a₂ᵀ δ₃ + a₁ᵀ δ₂ + h₀ᵀ δ₁" in printed
    assert "∂L/∂b = Σ₀ δ₃ + Σ₀ δ₂ + Σ₀ δ₁" in printed


def test_a_residual_connection_adds_the_gradient_that_goes_past_it():
    rng = np.random.default_rng(0)
    W1, W2, W3 = parameters(rng, (4, 4), (4, 4), (4, 1))
    a = np.tanh(rng.normal(size=(6, 4)) @ W1)
    printed = lines(explain((((a + a @ W2) @ W3 - rng.normal(size=(6, 1))) ** 2).mean() / 2))
    assert "z₂ = a₁ + a₁ W₂" in printed
    assert "δ₃ = (ŷ − y) / N" in printed
    assert "∂L/∂W₁ = xᵀ ((δ₂ + δ₂ W₂ᵀ) ⊙ tanh′(z₁))" in printed


def test_sums_that_are_whole_but_differ_are_not_taken_for_one_number():
    z = Tensor(np.arange(9.0).reshape(3, 3), requires_grad=True)
    equations = explain(-(np.tri(3) * tg.log_softmax(z)).sum())
    assert not any(text.startswith("Σ₁") and "=" in text for text in notes(equations))
    assert not equations.check().unverified


@pytest.mark.parametrize("way", ["log_softmax", "logsumexp"])
def test_softmax_with_cross_entropy_has_the_gradient_p_minus_y(way):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 4)), np.eye(3)[rng.integers(0, 3, 6)]
    W, b = parameters(rng, (4, 3), 3)
    z = x @ W + b
    loss = -(y * tg.log_softmax(z)).sum(-1).mean() if way == "log_softmax" else (tg.logsumexp(z, axis=-1) - (z * y).sum(-1)).mean()
    equations = explain(loss)
    assert "δ₁ = (softmax(z₁) − y) / N" in lines(equations)
    assert ("Σ₁ y = 1" in notes(equations)) == (way == "log_softmax")


def test_what_was_assumed_of_the_labels_is_not_assumed_of_labels_that_do_not_sum_to_1():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 4)), rng.uniform(size=(6, 3))
    (W,) = parameters(rng, (4, 3))
    equations = explain(-(y * tg.log_softmax(x @ W)).sum(-1).mean())
    assert "δ₁ = (softmax(z₁) ⊙ (Σ₁ y) − y) / N" in lines(equations) or "∂L/∂W = xᵀ (softmax(z₁) ⊙ (Σ₁ y) − y) / N" in lines(equations)
    assert not any(text.startswith("Σ₁") and "=" in text for text in notes(equations))


def test_labels_as_indices_read_as_cross_entropy_too():
    rng = np.random.default_rng(0)
    rows, labels = np.arange(6), rng.integers(0, 3, 6)
    W, b = parameters(rng, (4, 3), 3)
    loss = -tg.log_softmax(rng.normal(size=(6, 4)) @ W + b)[rows, labels].mean()
    equations = explain(loss, names={"rows": rows, "labels": labels})
    assert "L = −mean(Σ₁ (Y ⊙ log_softmax(z₁)))" in lines(equations)
    assert "δ₁ = (softmax(z₁) − Y) / N" in lines(equations)
    assert "Y = one_hot(labels)" in notes(equations)
    assert len(equations.check().verified) == len(lines(equations))


def test_binary_cross_entropy_finds_the_prediction_and_both_kinds_of_label():
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=(6, 1)) > 0.5).astype(float)
    W, b = parameters(rng, (4, 1), 1)
    p = tg.sigmoid(rng.normal(size=(6, 4)) @ W + b)
    printed = lines(explain(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()))
    assert "∂L/∂b = Σ₀ δ₁" in printed
    assert "L = −mean(y ⊙ log(ŷ) + (1 − y) ⊙ log(1 − ŷ))" in printed
    assert "δ₁ = (ŷ − y) / N" in printed


def test_layer_norm_names_what_its_gradient_uses_twice():
    rng = np.random.default_rng(0)
    W, gamma, beta = parameters(rng, (4, 5), 5, 5)
    h = rng.normal(size=(6, 4)) @ W
    mu = h.mean(-1, keepdims=True)
    d = h - mu
    s = np.sqrt((d * d).mean(-1, keepdims=True) + 1e-5)
    n = d / s
    loss = ((n * gamma + beta) ** 2).mean()
    equations = explain(loss, names=locals())
    assert [text for text in lines(equations) if text[:2] in ("μ ", "d ", "σ²", "s ", "n ")] == [
        "μ = mean(h, axis=1)",
        "d = h − μ",
        "σ² = mean(d², axis=1)",
        "s = sqrt(σ² + 1e-05)",
        "n = d / s",
    ]
    assert not equations.check().unverified


# Coefficients
@pytest.mark.parametrize("f, expected", [
    (lambda x: (x * x).sum() / 2, "x"),
    (lambda x: (2 * x * 3).sum() / 6, "𝟏₃"),
    (lambda x: (x**3 / 3).sum(), "x²"),
    (lambda x: (x - 3 * x + 2 * x * x).sum(), "4 x − 2"),
    (lambda x: (x * 0.1).sum() * 10, "𝟏₃"),
    (lambda x: -(-x).sum(), "𝟏₃"),
    (lambda x: (x / 3 - x / 3).sum() + x[0], "scatter(1, [0], (3,))"),
    (lambda x: (x * x).mean(), "2 x / N"),
    (lambda x: np.sqrt((x * x).sum()), "x / L"),
    (lambda x: (1 / x).sum(), "−1 / x²"),
    (lambda x: (x * np.log(x)).sum(), "1 + log₁"),
])  # fmt: skip
def test_coefficients_are_exact_and_what_cancels_vanishes(f, expected):
    equations = explain(f(Tensor([1.0, 2.0, 4.0], requires_grad=True)))
    right = str(equations.backward[-1]).removeprefix("∂L/∂x = ")
    assert sorted(right.replace("−", "+ −").split(" + ")) == sorted(expected.replace("−", "+ −").split(" + "))
    assert not equations.check().unverified


def test_a_mean_over_rows_divides_by_n_and_over_the_other_axes_by_their_number():
    x = Tensor(np.ones((5, 3)), requires_grad=True)
    equations = explain(np.sin(x).mean())
    assert str(equations.backward[0]) == "∂L/∂x = cos(x) / (3 N)"
    assert "N = 5" in notes(equations)
    assert str(explain(np.sin(x).mean(axis=1).sum()).backward[0]) == "∂L/∂x = cos(x) / 3"


# Names
def test_a_tensors_own_name_goes_before_the_users_variable_and_that_before_the_role():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(5, 1))
    weight = Tensor(rng.normal(size=(2, 1)), requires_grad=True, name="fc1.weight")
    bias, b3 = parameters(rng, 1, 1)
    hidden = x @ weight + bias
    loss = ((np.tanh(hidden) * b3 - y) ** 2).mean()
    printed = lines(explain(loss, names={"weight": weight, "shift": bias, "hidden": hidden, "points": x, "_y": y}))
    assert printed[0] == "hidden = points fc1.weight + shift"
    assert printed[1] == "a₁ = tanh(hidden)"
    assert "y" in printed[2]


def test_arrays_are_named_by_their_values_since_the_graph_holds_copies():
    x, features = Tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
    assert str(explain((x * features).sum(), names={"features": features}).backward[0]) == "∂L/∂x = features"


@pytest.mark.parametrize("name, expected", [
    ("W1", "W₁"), ("W_1", "W₁"), ("gamma", "γ"), ("y_pred", "ŷ"), ("W_h", "Wₕ"), ("W_ih", "W_ih"), ("hidden2", "hidden₂"), ("_", "_"),
])  # fmt: skip
def test_digits_and_letters_after_a_name_are_set_as_an_index(name, expected):
    x = Tensor([1.0, 2.0], requires_grad=True, name=name)
    assert str(explain(np.sin(x).sum()).forward[0]) == f"L = Σ sin({expected})"


def test_two_values_of_one_name_are_told_apart():
    x, y = Tensor([1.0], requires_grad=True, name="x"), Tensor([2.0], requires_grad=True, name="x")
    assert [str(e) for e in explain((x * y).sum()).backward] == ["∂L/∂x = x₂", "∂L/∂x₂ = x"]


def test_names_and_order_are_the_same_in_every_process():
    code = (
        "import sys; sys.path.insert(0, 'tests'); from test_equations import report_loss; from tinygrad_hw.equations import explain;"
        "import tinygrad_hw as tg; print(explain(report_loss(tg.gelu)), explain(report_loss()).latex())"
    )
    run = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True)
        for seed in ("1", "2")
    ]
    assert run[0].stdout == run[1].stdout != ""


def test_a_constant_that_is_1_minus_a_named_one_is_written_so():
    y = np.array([1.0, 0.0])
    x = Tensor([0.3, 0.4], requires_grad=True)
    assert str(explain(((1 - y) * np.sin(x)).sum(), names={"label": y * 1}).forward[0]) == "L = Σ (c ⊙ sin(x))"
    other = np.array([3.0, 4.0])
    assert str(explain((y * np.cos(x) * other).sum(), names={"label": y}).forward[0]) == "L = Σ (label ⊙ cos(x) ⊙ c)"
    loss = (y * np.cos(x)).sum() + ((1 - y) * np.sin(x)).sum()
    assert str(explain(loss, names={"label": y}).forward[0]) == "L = Σ (label ⊙ cos(x)) + Σ ((1 − label) ⊙ sin(x))"


def test_changing_a_tensor_after_the_forward_pass_does_not_change_its_equations():
    W = Tensor([1.0, 2.0], requires_grad=True)
    equations = explain(np.sin(W * W).sum())
    W.data[...] = 5.0
    assert not equations.check().unverified
    loss = np.sin(W * W).sum()
    W.data = np.array([0.0, 1.0])
    assert not explain(loss).check().unverified


def test_the_graph_of_a_gradient_has_equations_too():
    x = Tensor([1.0, 2.0], requires_grad=True)
    slope = tg.grad(lambda x: (np.sin(x) * x).sum())(x)
    assert not explain((slope * slope).sum()).check().unverified


def test_a_name_with_a_power_in_it_is_bracketed_where_it_gets_another():
    x = Tensor([1.0, 2.0], requires_grad=True, name=r"\sigma^2")
    assert lines(explain((x**2 + x).sum()))[0] == "L = Σ ((σ²)² + σ²)"


# Writes
def test_writes_read_as_they_were_written_and_each_value_of_the_array_has_a_name():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True, name="x")
    y = x * 2
    y[1] = x[0] * 3
    y += x
    view = y[:2]
    view *= 4
    equations = explain((y**2).sum(), names={"y": y})
    assert lines(equations)[:5] == [
        "y₀ = 2 x", "y₁ = y₀ with [1] = 3 x[0]", "y₂ = y₁ + x", "y = y₂ with [:2] = 4 y₂[:2]", "L = Σ y²",
    ]  # fmt: skip
    assert "y with [i] = v is y, but at the index i, where it is v" in notes(equations)
    assert equations.check().unverified == {}


@pytest.mark.parametrize("view, place", [
    (lambda y: y.T, "ᵀ[0]"), (lambda y: y[1], "[1][0]"), (lambda y: y.reshape(-1), ".reshape(−1)[0]"),
    (lambda y: y[:, None], "[:, None][0]"),
])  # fmt: skip
def test_a_write_to_a_view_says_which_view(view, place):
    x = Tensor(np.arange(4.0).reshape(2, 2), requires_grad=True, name="x")
    y = x * 2
    view(y)[0] = 5.0
    equations = explain(y.sum(), names={"y": y})
    assert lines(equations)[:2] == ["y₀ = 2 x", f"y = y₀ with {place} = 5"]
    assert equations.check().unverified == {}


# Honesty
def test_a_rule_that_looks_at_values_is_printed_as_vjp_and_reported_as_not_verified():
    @tg.primitive(lambda g, out, x: g * 2 if float(x[0]) > 0 else g * 3)
    def odd(x):
        return x * (2 if x[0] > 0 else 3)

    x = Tensor([1.0, 2.0], requires_grad=True)
    equations = explain((odd(x) ** 2).sum())
    assert str(equations.backward[-1]).startswith("∂L/∂x = vjp[odd](")
    checked = equations.check()
    assert list(checked.unverified) == [equations.backward[-1].number]
    assert "vjp[odd] is the engine's own" in str(checked)


def test_a_rule_whose_formula_would_fill_a_page_is_printed_as_vjp():
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    assert str(explain(np.cumprod(x).sum()).backward[0]) == "∂L/∂x = vjp[cumprod](𝟏₃, …)"


@pytest.mark.parametrize("written, misprint", [(" − ", " + "), ("ᵀ", ""), (" / N", ""), ("Σ₀", "Σ₁"), ("δ₃", "δ₂")])
def test_check_reads_the_text_again_and_finds_a_misprint_that_the_tree_does_not_have(written, misprint, monkeypatch):
    equations = explain(report_loss())
    assert equations.check().as_printed == tuple(range(1, 17))
    changed = {e.number for e in (*equations.forward, *equations.backward) if written in e.text.partition(" = ")[2]}
    write = Text.write
    monkeypatch.setattr(Text, "write", lambda self, x: write(self, x).replace(written, misprint))
    checked = equations.check()
    assert set(checked.as_printed) == set(range(1, 17)) - changed
    assert checked.unverified.keys() | set(checked.verified) - set(checked.as_printed) == changed


def test_check_says_which_line_is_wrong():
    equations = explain(report_loss())
    line = equations.backward[1].line
    object.__setattr__(line, "right", product([(line.right, 1)], 2))
    with pytest.raises(GradientError, match=r"equations that the engine contradicts:\n.*15 lines agree.*\n.*\(9\) wrong: ∂L/∂W₃ = a₂ᵀ δ₃"):
        equations.check()


def test_check_says_where_plain_numpy_has_no_number():
    x = Tensor([0.0, 1.0], requires_grad=True)
    with np.errstate(divide="ignore"):
        equations = explain(np.where(x.data > 0, np.log(x), 0).sum())
    assert "1 of 2 entries are not finite" in str(equations.check())


def test_check_of_the_reports_network_verifies_every_line():
    checked = explain(report_loss()).check()
    assert checked.verified == tuple(range(1, 17))
    assert checked.unverified == checked.wrong == {}
    assert str(checked).startswith("16 lines agree with the engine")


def test_explaining_leaves_the_tensors_as_they_were():
    x = Tensor([1.0, 2.0], requires_grad=True)
    kept = (x * x).retain_grad()
    loss = np.sin(kept).sum()
    explain(loss).check()
    assert x.grad is None
    assert kept.grad is None
    loss.backward()
    assert np.allclose(kept.grad, np.cos(kept.data))
    assert loss._node.grad is None


def test_checking_does_not_make_later_sweeps_keep_the_gradients_that_it_compared():
    loss = report_loss()
    equations = explain(loss)
    equations.check()
    loss.backward()
    inner = [equation.line.node for equation in equations.backward if equation.line.kind == "delta"]
    assert len(inner) == 3
    assert all(node.grad is None for node in inner)


# The laws
UNARY = [
    np.sin, np.tanh, tg.sigmoid, np.exp, np.square, np.negative, tg.softplus, tg.gelu, lambda x: x / 3, lambda x: 1 - x, lambda x: x**3,
]  # fmt: skip
KINKED = [tg.relu, np.abs, np.max, lambda x: np.clip(x, -1, 1), lambda x: np.maximum(x, 0.0), lambda x: np.sort(x, axis=None), np.std]
SHAPED = [
    lambda x: x.T, lambda x: x.reshape(-1), lambda x: x[..., ::-1], lambda x: x[:1], lambda x: x[None], np.sum, np.mean, np.var,
    lambda x: x.mean(axis=0), lambda x: x.sum(axis=-1, keepdims=True), lambda x: tg.softmax(x), lambda x: tg.logsumexp(x, axis=-1),
    lambda x: np.cumsum(x), lambda x: np.tile(x, 2), lambda x: np.roll(x, 1),
]  # fmt: skip
BINARY = [
    np.add, np.subtract, np.multiply, np.matmul, lambda x, y: np.hypot(x, 1 + y * y), lambda x, y: x / (1.5 + y * y),
    lambda x, y: np.concatenate([x.ravel(), y.ravel()]),
]  # fmt: skip
SHAPES = [(), (3,), (2, 3), (3, 3), (1, 3), (3, 1), (2, 1, 3)]


def run(program, leaves):
    """Return the loss of a random program: at each step a function of values made before, left out where shapes do not fit."""
    values = list(leaves)
    for function, *places in program:
        try:
            made = function(*[values[place % len(values)] for place in places])
        except (ValueError, IndexError):
            continue
        if made.size <= 60 and np.all(np.abs(getattr(made, "data", made)) < 1e3):
            values.append(made)
    return np.sum(np.square(values[-1])) / 2 + np.mean(values[-1])


def programs(functions):
    places = st.integers(0, 6)
    one = st.tuples(st.sampled_from(functions), places)
    two = st.tuples(st.sampled_from(BINARY), places, places)
    return st.lists(one | two, min_size=1, max_size=7)


def arrays(entries):
    return st.sampled_from(SHAPES).flatmap(
        lambda shape: st.lists(entries, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(lambda xs: np.reshape(xs, shape))
    )


SPECIAL = st.sampled_from([0.0, 1.0, -1.0]) | st.floats(-2, 2).map(lambda x: round(x, 3))


@settings(max_examples=100)
@given(programs(UNARY + KINKED + SHAPED), st.lists(arrays(SPECIAL), min_size=1, max_size=3), st.sampled_from(["prime", "expanded"]))
def test_every_equation_of_a_random_graph_is_what_the_engine_computes(program, leaves, derivative):
    with np.errstate(all="ignore"):
        loss = run(program, [Tensor(leaf, requires_grad=True) for leaf in leaves])
        equations = explain(loss, derivative=derivative)
        checked = equations.check()
        edges = [(node, i) for node in reachable_results([loss._node]) for _, _, i in node.edges]
        assert all("̄" in unicodedata.normalize("NFD", formula(node, i).text) for node, i in edges)
    assert not checked.wrong
    assert len(checked.verified) + len(checked.unverified) == len(lines(equations))


def agrees_with_finite_differences(f, leaves, seed=0):
    """Tell whether each gradient that is printed for f is the slope of f along a random direction."""
    tensors = [Tensor(leaf, requires_grad=True) for leaf in leaves]
    equations = explain(f(tensors))
    equations.check()
    printed = {e.line.node: values for e, values in equations.computed() if e.line.kind == "gradient"}
    rng = np.random.default_rng(seed)
    for i, tensor in enumerate(tensors):
        direction = rng.normal(size=np.shape(leaves[i]))
        slope = 0.0
        for factor, h in ((4 / 3, 1e-4), (-1 / 3, 2e-4)):
            ahead, behind = ([leaf + sign * h * direction if j == i else leaf for j, leaf in enumerate(leaves)] for sign in (1, -1))
            slope += factor * (f(ahead) - f(behind)) / (2 * h)
        value = np.sum(printed.get(tensor._node, np.zeros(())) * direction)
        if abs(value - slope) > 1e-6 * max(1, abs(slope), abs(f(leaves))):
            return False
    return True


@settings(max_examples=60)
@given(programs(UNARY + SHAPED), st.lists(arrays(SPECIAL), min_size=1, max_size=3), st.integers(0, 100))
def test_every_printed_gradient_of_a_smooth_random_graph_is_its_slope(program, leaves, seed):
    assert agrees_with_finite_differences(lambda values: run(program, values), leaves, seed)


@pytest.mark.parametrize("function", [np.tanh, np.sin, tg.sigmoid])
def test_finite_differences_catch_a_rule_of_the_wrong_sign_which_check_cannot(function, monkeypatch):
    leaves = [np.array([0.3, -0.7])]

    def f(values):
        return np.sum(np.square(np.multiply(function(values[0]), 1.5)))

    assert agrees_with_finite_differences(f, leaves)
    (vjp,) = RULES[function].vjps
    for vjps in ("vjps", "single_vjps"):
        monkeypatch.setattr(RULES[function], vjps, (lambda *args: -vjp(*args),))
    assert not explain(f([Tensor(leaves[0], requires_grad=True)])).check().wrong
    assert not agrees_with_finite_differences(f, leaves)


FORMS = [
    lambda x, y, t: (x @ y).T, lambda x, y, t: 2 * (x.T @ (3 * y)).T, lambda x, y, t: t.T.T, lambda x, y, t: t.mT.mT,
    lambda x, y, t: np.swapaxes(np.swapaxes(t, 0, 1), -1, -2), lambda x, y, t: np.swapaxes(np.swapaxes(t, 0, 1), 1, 0),
    lambda x, y, t: np.transpose(t, (1, 2, 0)), lambda x, y, t: np.transpose(np.transpose(t, (1, 2, 0)), (1, 2, 0)),
    lambda x, y, t: np.transpose(t, (0, 1, 2)), lambda x, y, t: t.T, lambda x, y, t: t[..., None, :].mT,
    lambda x, y, t: np.sum(x / x * 2, axis=0), lambda x, y, t: np.mean(t - t + 3, axis=(0, 2)), lambda x, y, t: np.sum(x - x),
    lambda x, y, t: np.sum(t, axis=(0, 2), keepdims=True), lambda x, y, t: np.sum(x[:, :1], axis=1, keepdims=True),
    lambda x, y, t: getitem(scatter(x[0], np.array([0, 0, 1]), (3,)), np.array([0, 0, 1])),
    lambda x, y, t: getitem(scatter(x[0], slice(1, 4), (5,)), slice(1, 4)), lambda x, y, t: getitem(scatter(x[0], slice(1, 4), (5,)), 1),
    lambda x, y, t: np.where(x > 0, y, 0), lambda x, y, t: np.where(x > 0, 0, y), lambda x, y, t: np.where(x > 0, x * y, x * 2),
    lambda x, y, t: np.where(x > 0, x, x), lambda x, y, t: np.where(x == np.inf, y, x), lambda x, y, t: np.where(x != np.inf, x, y),
    lambda x, y, t: np.where(np.isnan(x) | np.isinf(x), y, x), lambda x, y, t: (x > 0) & (y > 0), lambda x, y, t: (x > 0) | (y > 0),
    lambda x, y, t: np.exp(tg.log_softmax(x)), lambda x, y, t: np.exp(tg.softmax(x)), lambda x, y, t: np.log(np.exp(x)),
    lambda x, y, t: -(x - y), lambda x, y, t: x / 2 - y / 2, lambda x, y, t: -x - y, lambda x, y, t: (x - y) - (x + y),
    lambda x, y, t: 0 * x,
    lambda x, y, t: x**3 * x**-2, lambda x, y, t: x**0 + y, lambda x, y, t: np.abs(x) ** 0.5, lambda x, y, t: (2 * x * y) ** -2 / y,
    lambda x, y, t: x + 1 - x, lambda x, y, t: np.reshape(6 * t, (4, 6)), lambda x, y, t: np.reshape(t, (4, 6), order="F"),
    lambda x, y, t: t.sum(axis=0).max(axis=-1), lambda x, y, t: np.var(t, axis=1, ddof=1), lambda x, y, t: x * 1e-200 * 1e-200,
    lambda x, y, t: np.concatenate([x, 2 * y], axis=1)[:, 1:4], lambda x, y, t: (x > 0).astype(float) + (y > 0).astype(float),
]  # fmt: skip


@pytest.mark.parametrize("f", FORMS, ids=[str(i) for i in range(len(FORMS))])
def test_numpy_on_symbols_says_what_numpy_on_arrays_computes(f):
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) for shape in ((3, 3), (3, 3), (2, 3, 4))]
    variables = [Variable(array.shape) for array in arrays]
    result = f(*[Symbol(variable, float) for variable in variables])
    computed, expected = evaluate(result.expression, dict(zip(variables, arrays, strict=True))), f(*arrays)
    assert result.shape == result.expression.shape == np.shape(expected)
    assert result.dtype == expected.dtype
    np.testing.assert_allclose(np.broadcast_to(computed, result.shape), expected, rtol=1e-13, atol=1e-15)


def test_a_symbol_has_no_value():
    x = Symbol(Variable((3,)), float)
    for ask in (bool, int, float, np.asarray, lambda x: x.__setitem__(0, 1.0), lambda x: np.add.at(x, 0, 1.0), lambda x: np.unique(x)):
        with pytest.raises(Unreadable):
            ask(x)


def test_slopes_of_leaky_relu_are_not_mixed_up():
    x = Tensor([0.5, -2.0], requires_grad=True)
    equations = explain((tg.leaky_relu(x, slope=0.2) + tg.leaky_relu(x)).sum())
    assert not equations.check().unverified
    assert "leaky_relu′(z) = where([z > 0], 1, 0.01)" in notes(equations)
    assert "0.2" in str(equations.backward[0]) or "1 / 5" in str(equations.backward[0])


UFUNCS = [f for f in numpys_ufuncs(RULES) if f.signature is None and f.nin <= 2 and f not in (np.ldexp, np.arccosh)]


@pytest.mark.parametrize("function", [*UFUNCS, np.arccosh], ids=lambda f: f.__name__)
def test_the_rule_of_every_ufunc_can_be_read_as_a_formula(function):
    shift = 1.5 if function is np.arccosh else 0.0
    arguments = [Tensor(np.array([0.3, 0.45, 0.8]) + shift + i / 7, requires_grad=True) for i in range(function.nin)]
    equations = explain((function(*arguments) * np.array([0.5, -1.5, 2.5])).sum(), derivative="expanded")
    assert not equations.check().unverified
    assert not any("vjp[" in text for text in lines(equations))


# Setting
def graphs():
    """Return equations that use every notation."""
    rng = np.random.default_rng(0)
    x, w = parameters(rng, (2, 3), 3)
    cube = np.cumprod(x, axis=0).sum() + (np.abs(x) ** w).mean() + np.max(x) + x[0, ::-1].sum() + (x[None] - 1e-7).std() + 1e30 * x.sum()
    return [
        *[explain(report_loss(), derivative=derivative, shapes=True) for derivative in ("prime", "expanded")],
        explain(report_loss(tg.gelu)),
        explain(cube),
        explain(-(np.eye(3) * tg.log_softmax(x.T @ x))[np.arange(3), [0, 2, 1]].mean()),
        explain(np.einsum("ij,kj->", x, x) + w @ x.T @ x @ w),
        explain(np.where(x.data > 0, x, np.exp(x)).sum()),
    ]


HOSTILE = [
    "a_b^c",
    r"$\theta_{ij}^2$",
    r"\hat x",
    "x{",
    "}",
    "\\frac",
    "$",
    "%",
    "<b>",
    "amp;",
    "</math>",
    "\x00",
    "\ud800",
    "a b",
    "‮rtl",
    "#1",
    "~",
    "'",
    '"',
]


def test_every_line_of_latex_can_be_set():
    from matplotlib.mathtext import MathTextParser

    parser = MathTextParser("agg")
    for latex in {e.latex for equations in graphs() for e in (*equations.forward, *equations.backward, *equations.notes)}:
        parser.parse(f"${latex}$")


def test_latex_is_one_environment_whose_braces_brackets_and_numbers_balance():
    for equations in graphs():
        latex = equations.latex()
        assert latex.startswith("\\begin{align*}\n")
        assert latex.endswith("\n\\end{align*}")
        bare = re.sub(r"\\[{}]", "", latex)
        assert bare.count("{") == bare.count("}")
        assert latex.count("\\left") == latex.count("\\right")
        assert [int(k) for k in re.findall(r"\\tag\{(\d+)\}", latex)] == list(range(1, len(lines(equations)) + 1))


def test_the_delta_of_the_report_in_latex():
    equations = explain(report_loss())
    assert equations.backward[0].latex == (r"\delta_{3} = \frac{\left(\hat{y} - y\right) \odot {\sigma}^{\prime}\left(z_{3}\right)}{N}")
    assert equations.backward[1].latex == r"\frac{\partial L}{\partial W_{3}} = {a_{2}}^{\top}\, \delta_{3}"


def test_mathml_is_well_formed_and_says_the_same_as_the_text():
    for equations in graphs():
        root = ET.fromstring(equations.mathml())
        formulas = root.findall(".//{http://www.w3.org/1998/Math/MathML}math")
        assert len(formulas) == len(lines(equations)) + len(notes(equations))
    root = ET.fromstring(explain(report_loss()).backward[2].mathml)
    assert "".join(root.itertext()) == "∂L∂b3=Σ0δ3"


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_can_break_out_of_its_place(name):
    from matplotlib.mathtext import MathTextParser

    x = Tensor([1.0, 2.0], requires_grad=True, name=name)
    equations = explain(np.exp(x).sum())
    ET.fromstring(equations.mathml())
    MathTextParser("agg").parse(f"${equations.backward[0].latex}$")
    io.StringIO().write(str(equations).encode("utf-8").decode())
    assert "\n" not in equations.backward[0].text


def test_jupyter_shows_text_latex_and_mathml():
    equations = explain(report_loss())
    shown = equations._repr_mimebundle_()
    assert shown == {"text/plain": str(equations), "text/latex": equations.latex(), "text/html": equations.mathml()}
    assert equations._repr_latex_() == equations.latex()
    assert repr(equations) == "<Equations: 7 forward, 9 backward>"


def test_an_ampersand_in_a_name_is_escaped_in_latex_and_mathml():
    equation = explain(np.exp(Tensor([1.0], requires_grad=True, name="a&b;")).sum()).backward[0]
    assert r"\partial \left(\mathrm{a\&b;}\right)" in equation.latex
    assert "".join(ET.fromstring(equation.mathml).itertext()).startswith("∂L∂(a&b;)=")


# One rule
@pytest.mark.parametrize("f, i, expected", [
    (lambda x, y: x * y, 0, "x̄ += g ⊙ y"),
    (lambda x, y: x - y, 1, "ȳ += −g"),
    (lambda x, y: x / y, 1, "ȳ += −g ⊙ out / y"),
    (lambda x, y: np.tanh(x), 0, "x̄ += g ⊙ (1 − out²)"),
    (lambda x, y: tg.sigmoid(x), 0, "x̄ += g ⊙ out ⊙ (1 − out)"),
    (lambda x, y: x @ y, 0, "x̄ += g yᵀ"),
    (lambda x, y: x @ y, 1, "ȳ += xᵀ g"),
    (lambda x, y: x + y[0], 1, "ȳ += Σ₀ g"),
    (lambda x, y: x.mean(), 0, "x̄ += g · 𝟏₃ₓ₃ / 9"),
    (lambda x, y: 3 * x, 1, "ȳ += 3 g"),
    (lambda x, y: np.cumprod(x, axis=0), 0, "x̄ += vjp[cumprod](g, …)"),
])  # fmt: skip
def test_the_formula_of_an_edge_is_its_rule_in_the_words_of_the_rule(f, i, expected):
    x, y = (Tensor(np.full((3, 3), value), requires_grad=True) for value in (0.5, 0.7))
    one = formula(f(x, y)._node, i)
    assert one.text == expected
    ET.fromstring(one.mathml)
    assert one.latex.count("{") == one.latex.count("}")


# Errors, and depth
def test_what_cannot_be_explained_is_said_in_words():
    x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    with pytest.raises(GradientError, match=r"needs a cotangent: reduce it to one number first"):
        explain(x * 2)
    with pytest.raises(GradientError, match=r"does not require a gradient"):
        explain(Tensor(1.0) * 2)
    with pytest.raises(TypeError, match=r"explain takes a Tensor, not float"):
        explain(1.0)
    with pytest.raises(ValueError, match=r"derivative='prim': give 'prime' or 'expanded'"):
        explain(x.sum(), derivative="prim")


def test_a_leaf_alone_has_the_gradient_1():
    equations = explain(Tensor(2.0, requires_grad=True))
    assert lines(equations) == ["∂x/∂x = 1"]
    assert equations.check().verified == (1,)


@pytest.mark.parametrize("step", [np.sin, lambda x: x * 1.0001 + 0.5], ids=["sin", "affine"])
def test_a_chain_longer_than_the_stack_is_explained_without_recursion(step):
    y = Tensor([0.3, 0.4], requires_grad=True)
    for _ in range(sys.getrecursionlimit() + 100):
        y = step(y)
    equations = explain(y.sum())
    checked = equations.check()
    assert not checked.unverified
    assert max(map(len, lines(equations))) < 400


# Beside a program
def test_each_line_of_the_compiled_step_stands_beside_the_equation_of_what_it_computes():
    rng = np.random.default_rng(0)
    W, b = (tg.Tensor(rng.standard_normal(shape), requires_grad=True, name=name) for name, shape in (("W1", (2, 3)), ("b1", (3,))))
    X, y = rng.standard_normal((7, 2)), rng.standard_normal((7, 3))

    def loss_of(X, y):
        return ((tg.sigmoid(X @ W + b) - y) ** 2).mean() / 2

    step = tg.compile(loss_of, tg.optim.SGD([W, b], lr=0.1))
    step(X, y)
    equations = explain(loss_of(tg.Tensor(X, name="X"), tg.Tensor(y, name="y")))
    beside = equations.beside(step.source)
    found = {line.split(" = ")[0].strip(): equation.text for line, equation in beside.rows if equation}
    assert found.keys() == {"z1", "y_pred" if "y_pred" in step.source else "y_hat", "L", "delta1", "dW1", "db1"}
    assert found["dW1"] == "∂L/∂W₁ = Xᵀ δ₁" and found["z1"] == "z₁ = X W₁ + b₁"
    assert [line for line, _ in beside.rows] == step.source.rstrip("\n").split("\n")
    assert "# (" in str(beside) and "(1 / 21)" in step.source


def test_a_program_is_highlighted_and_stays_text():
    html = explain((x := tg.Tensor([1.0, 2.0], requires_grad=True, name="x")) @ x).beside('dx = 2 * x  # <b> & "more"\nreturn dx').html()
    assert '<span class="py-comment"># &lt;b&gt; &amp; &quot;more&quot;</span>' in html
    assert '<span class="py-keyword">return</span> dx' in html and "<b>" not in html and html.count("<math") == 1


# Writes
def test_a_view_in_a_graph_keeps_the_value_that_a_later_write_replaces():
    x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
    y = x * 2
    turned = np.rot90(y)
    turned += 0.25
    square = turned**2
    turned[...] = 7.0
    explain(square.sum() + y.sum()).check()


def test_a_mask_that_is_false_everywhere_is_no_zero():
    y = Tensor([1.0, 2.0], requires_grad=True) * 1
    y[np.array([False, False])] = 5.0
    explain((y * y).sum()).check()
