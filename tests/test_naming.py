"""Naming: one value has one name, the user's if there is one, in drawings, equations and sources."""

import ast
import copy
import inspect

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_hw as tg
from tinygrad_hw import Tensor, nn
from tinygrad_hw.drawing import draw
from tinygrad_hw.equations import explain
from tinygrad_hw.naming import Names, clean, is_formula, label_of

rng = np.random.default_rng(7)
X, Y = rng.normal(size=(6, 3)), rng.normal(size=(6, 1))
IMAGES, CLASSES = rng.normal(size=(2, 1, 6, 6)), rng.integers(0, 3, 2)


def parameters(*shapes):
    return [Tensor(rng.normal(size=shape) / 3, requires_grad=True) for shape in shapes]


def labels(output, **names):
    """Return the names of everything that an output was computed from, as text."""
    return [str(label) for label in Names([output._node], names).labels.values()]


# One name
@pytest.mark.parametrize("text, label, identifier", [
    ("W1", "W₁", "W1"), ("W_1", "W₁", "W_1"), ("W₁", "W₁", "W1"), ("x_i", "xᵢ", "x_i"), ("gamma_2", "γ₂", "gamma_2"),
    ("δ₁", "δ₁", "delta1"),
    ("y_pred", "ŷ", "y_pred"), ("W_ih", "W_ih", "W_ih"), ("fc1.weight", "fc1.weight", "fc1_weight"), ("layers.0", "layers.0", "layers_0"),
    ("x_test_2", "x_test₂", "x_test_2"),
    (r"$\theta_{ij}^2$", "θ²_ij", "theta2_ij"), (r"\hat{y}", "ŷ", "y_hat"), (r"\mathbf{W}_1", "W₁", "W1"),
    (r"\frac{a}{b}", r"\frac{a}{b}", "frac_a_b"), ("$", "$", "$"), ("_", "_", "_"), ("a\nb", "a␊b", "a_b"),
])  # fmt: skip
def test_a_name_is_spelt_with_an_index_in_pictures_and_as_it_was_typed_in_code(text, label, identifier):
    assert str(label_of(text)) == label
    assert label_of(text).identifier == identifier


@given(st.text(max_size=8), st.text(max_size=8))
def test_labels_that_are_spelt_alike_count_as_taken(one, other):
    if str(label_of(one)) == str(label_of(other)):
        assert label_of(one).plain == label_of(other).plain


@pytest.mark.parametrize(
    "name, formula", [("a + b", True), ("-x", True), ("−x", True), ("a b", True), ("W1", False), ("fc1.weight", False), ("权重", False)]
)
def test_a_name_that_would_read_as_a_formula_is_known_as_one(name, formula):
    assert is_formula(label_of(name)) == formula


@given(st.text())
def test_cleaned_text_can_be_written_to_a_file_and_holds_no_control_character(text):
    cleaned = clean(text)
    assert cleaned.encode().decode() == cleaned
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in cleaned)
    assert clean(cleaned) == cleaned


# Whose name it is
def test_the_users_name_goes_before_the_role_and_the_tensors_own_before_the_variables():
    W, b = parameters((3, 1), 1)
    bias = Tensor([0.5], requires_grad=True, name="offset")
    assert {"weights", "offset", "z₁", "x"} <= set(labels(X @ W + bias, weights=W, other=bias))
    assert {"W", "b", "z₁", "x"} <= set(labels(X @ W + b))


@pytest.mark.parametrize(
    "one, other", [("x_1", "x₁"), ("x1", "x₁"), ("x_i", "xᵢ"), ("delta_1", "δ₁"), ("a\nb", "a\tb"), ("w", "w"), ("a b", "a_b")]
)
def test_the_later_of_two_names_that_would_be_spelt_alike_gets_a_mark(one, other):
    first, second = (Tensor([1.0], requires_grad=True, name=name) for name in (one, other))
    found = Names([(first * second)._node]).labels
    assert str(found[first._node]) == str(label_of(one))
    assert found[second._node].plain != found[first._node].plain
    assert str(found[second._node]) != str(found[first._node])


def test_a_result_that_is_returned_keeps_the_name_that_the_user_gave_it():
    def double(x):
        doubled = x * 2
        return doubled

    compiled = tg.compile(double)
    compiled(np.ones(3))
    assert "doubled = x * 2" in compiled.source


@pytest.mark.parametrize("shape", [(4,), (1, 4), ()])
def test_a_bias_is_b_whatever_its_shape_is(shape):
    W, b = parameters((3, 4), shape)
    assert "b" in labels(np.tanh(X @ W + b))


def test_in_the_column_convention_a_bias_is_b_too():
    W, b = parameters((4, 3), (4, 1))
    assert {"W", "b", "x", "z₁"} <= set(labels(W @ X.T + b))


def test_weights_and_biases_have_a_number_where_there_are_several_layers():
    W, b, V, c = parameters((3, 4), 4, (4, 1), 1)
    assert {"W₁", "b₁", "W₂", "b₂"} <= set(labels(np.tanh(X @ W + b) @ V + c))


def test_a_parameter_of_two_long_axes_that_is_added_to_a_product_is_no_bias():
    W, positions = parameters((3, 4), (6, 4))
    assert "b" not in labels(X @ W + positions)


def test_a_weight_that_a_penalty_uses_too_keeps_its_number():
    W, V = parameters((3, 4), (4, 1))
    assert {"W₁", "W₂"} <= set(labels(((np.tanh(X @ W) @ V) ** 2).mean() + (W**2).sum()))


def test_functions_that_are_not_taken_entry_by_entry_are_no_activations():
    (W,) = parameters((6, 6))
    assert "a₁" not in labels(np.linalg.inv(np.eye(6) @ W).sum())


def test_the_gates_of_an_lstm_cell_are_known_without_names():
    W, b = parameters((3, 8), 8)
    c, z = rng.normal(size=(6, 2)), X @ W + b
    i, f, o, g = tg.sigmoid(z[:, :2]), tg.sigmoid(z[:, 2:4]), tg.sigmoid(z[:, 4:6]), np.tanh(z[:, 6:])
    new = f * c + i * g
    h = o * np.tanh(new)
    found = Names([h._node]).labels
    assert [str(found[t._node]) for t in (i, f, o, g, new, h)] == ["i", "f", "o", "g", "c", "h"]


def test_the_steps_of_an_lstm_have_numbers():
    out, _ = nn.LSTM(3, 2, rng=np.random.default_rng(0))(rng.normal(size=(3, 4, 3)))
    assert {f"{gate}{k}" for gate in "ifogch" for k in "₂₃"} <= set(labels(out))


@pytest.mark.parametrize("h", [
    lambda z, y: tg.sigmoid(z[:, :2]) * np.tanh(z[:, 2:4]), lambda z, y: tg.sigmoid(z[:, :2]) * np.tanh(y * 2),
    lambda z, y: z[:, :2] * np.tanh(y),
])  # fmt: skip
def test_what_only_resembles_a_cell_is_none(h):
    (W,) = parameters((3, 4))
    assert not {"i", "f", "o", "g", "c"} & set(labels(h(X @ W, Tensor(Y, requires_grad=True, name="y"))))


# The same everywhere
def network(activation):
    def loss(x, y, *p):
        return ((activation(activation(x @ p[0] + p[1]) @ p[2] + p[3]) - y) ** 2).mean(), {}

    return loss, (X, Y), parameters((3, 4), 4, (4, 1), 1)


def columns():
    return (
        lambda x, y, W1, b1, W2, b2: (((W2 @ np.tanh(W1 @ x + b1) + b2 - y) ** 2).mean(), {}),
        (X.T, Y.T),
        parameters((4, 3), (4, 1), (1, 4), (1, 1)),
    )


def residual():
    return lambda x, y, W1, W2: ((((x + np.tanh(x @ W1)) @ W2 - y) ** 2).mean(), {}), (X, Y), parameters((3, 3), (3, 1))


def tied():
    def loss(x, y, W, v):
        return ((np.tanh(np.tanh(x @ W) @ W) @ v - y) ** 2).mean(), {}

    return loss, (X, Y), parameters((3, 3), (3, 1))


def lstm():
    def loss(x, y, W, U, b, v):
        h, c = np.zeros((6, 2)), np.zeros((6, 2))
        z = x @ W + h @ U + b
        i, f, o, g = tg.sigmoid(z[:, :2]), tg.sigmoid(z[:, 2:4]), tg.sigmoid(z[:, 4:6]), np.tanh(z[:, 6:])
        c = f * c + i * g
        h = o * np.tanh(c)
        return ((h @ v - y) ** 2).mean(), {"z": z, "i": i, "f": f, "o": o, "g": g, "c": c, "h": h, "x": x, "y": y}

    return loss, (X, Y), parameters((3, 8), (2, 8), 8, (2, 1))


def attention():
    def loss(x, y, W_q, W_k, W_v):
        Q, K, V = x @ W_q, x @ W_k, x @ W_v
        A = tg.softmax(Q @ K.T / np.sqrt(2))
        return ((A @ V - y) ** 2).mean(), {"Q": Q, "K": K, "V": V, "A": A, "x": x, "y": y}

    return loss, (X, Y), parameters((3, 2), (3, 2), (3, 2))


def convolution():
    def loss(x, W, b, v):
        h = tg.relu(nn.functional.conv2d(x, W) + b)
        return np.sum(h.reshape(2, -1) @ v), {"h": h, "x": x}

    return loss, (IMAGES,), parameters((2, 1, 3, 3), (2, 1, 1), (32, 3))


def normed():
    def loss(x, y, W, gamma, beta, v):
        z = x @ W
        d = z - np.mean(z, axis=0)
        scaled = d / np.sqrt(np.mean(d**2, axis=0) + 1e-5) * gamma + beta
        return ((np.tanh(scaled) @ v - y) ** 2).mean(), {"z": z, "d": d, "scaled": scaled}

    return loss, (X, Y), parameters((3, 4), 4, 4, (4, 1))


def softmax_regression():
    targets = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    return lambda x, y, W, b: (-(y * tg.log_softmax(x @ W + b)).sum(-1).mean(), {}), (X, targets), parameters((3, 3), 3)


def least_squares():
    return lambda x, y, theta: (((x @ theta - y) ** 2).sum() / 2, {}), (X, Y), parameters((3, 1))


GRAPHS = {
    **{f.__name__: network(f) for f in (tg.sigmoid, np.tanh, np.arctan, np.sin, tg.relu)},
    **{f.__name__: f() for f in (columns, residual, tied, lstm, attention, convolution, normed, softmax_regression, least_squares)},
}


def test_a_parameter_of_a_plain_sequential_is_named_by_its_role_or_else_by_its_place():
    net = nn.Sequential(nn.Linear(3, 4, rng=0), nn.LayerNorm(4), nn.Sigmoid(), nn.Linear(4, 1, rng=1), nn.RMSNorm(1))
    found = labels(np.mean(np.square(net(X) - Y)))
    assert {"W₁", "b₁", "W₂", "b₂", "γ", "β", "x̂", "z̃₁", "a₁", "layers.4.weight"} <= set(found)
    assert not {"layers.0.weight", "layers.1.weight", "layers.1.bias", "layers.3.bias"} & set(found)


def test_the_parts_of_several_norms_have_the_numbers_of_the_norms():
    layers = [nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 4, rng=1), nn.LayerNorm(4), nn.Linear(4, 1, rng=2)]
    found = labels(np.mean(np.square(nn.Sequential(*layers)(X) - Y)))
    assert {"γ₁", "β₁", "μ₁", "γ₂", "β₂", "σ²₂", "z̃₁", "a₁", "z̃₂"} <= set(found)


def assigned(source):
    """Return the names that a source's function takes and assigns."""
    function = ast.parse(source).body[-1]
    targets = [node.targets[0].id for node in ast.walk(function) if isinstance(node, ast.Assign)]
    return {*[arg.arg for arg in function.args.args], *targets}


@pytest.mark.parametrize("name", GRAPHS)
def test_one_value_has_one_name_in_drawing_equations_and_source(name):
    function, inputs, leaves = GRAPHS[name]
    output, names = function(*inputs, *leaves)
    names |= {key: value for key, value in zip(inspect.signature(function).parameters, (*inputs, *leaves)) if key != "p"}
    drawn = {vertex.node: vertex.name for vertex in draw(output, names=names)._recorded.vertices}
    equations = explain(output, names=names)
    for equation in equations.forward:
        assert equation.text.split(" = ")[0] == drawn[equation.line.node]
    for equation in equations.backward:
        if equation.line.kind == "gradient":
            assert equation.text.split(" = ")[0] == f"∂L/∂{drawn[equation.line.node]}"
    known = Names([output._node], names)
    step = tg.compile(lambda *given: function(*given, *leaves)[0], tg.optim.SGD(leaves, lr=0.1))
    step(*inputs)
    written = assigned(step.source)
    seen = [known.labels[thing] for thing in known.descriptive if thing not in known.users or known.labels[thing].base in "za"]
    assert {label.identifier for label in seen} <= written
    assert {known.labels[leaf._node].identifier for leaf in leaves} <= written
    assert {known.labels[node].base for node in known.layers} <= {"z", "ŷ", "L", *names}


def test_a_name_that_the_user_gave_stays_where_the_same_one_from_a_module_gives_way_to_the_role():
    x = rng.normal(size=(3, 2))
    w, b = Tensor(rng.normal(size=(2, 2)), requires_grad=True, name="weight"), Tensor(rng.normal(size=2), requires_grad=True, name="bias")
    layer = nn.Linear(2, 2)
    assert "weight + bias" in str(explain(np.mean((x @ w + b) ** 2)))
    assert "x W + b" in str(explain(np.mean(layer(x) ** 2)))
    assert "x W + b" in str(explain(np.mean(copy.deepcopy(layer)(x) ** 2)))
