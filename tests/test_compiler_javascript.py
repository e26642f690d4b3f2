"""The JavaScript of a compiled function gives what NumPy gives, at the lengths of the recording and others; the rest is refused by name."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import tinygrad_hw as tg
from examples.report import data, network
from examples.report.experiments import PRINTED
from tinygrad_hw import Tensor

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node runs the modules")

RUN = """
import {createInterface} from "readline";
const kinds = {f8: Float64Array, f4: Float32Array, i8: Int32Array, b1: Uint8Array};
const plain = x => x instanceof Array ? x.map(plain) : ArrayBuffer.isView(x) ? Array.from(x) : Number(x);
for await (const line of createInterface({input: process.stdin})) {
  const {module, sizes, inputs, times} = JSON.parse(line);
  const {make} = await import("data:text/javascript," + encodeURIComponent(module));
  const given = inputs.map(x => typeof x === "number" ? x : kinds[x.kind].from(x.entries));
  const run = make(sizes);
  let out;
  for (let k = 0; k < times; k++) out = run(...given);
  console.log(JSON.stringify({out: plain(out), given: given.map(plain), names: Object.keys(run.memory)},
    (key, x) => typeof x === "number" && !Number.isFinite(x) ? String(x) : x));
}
"""


@pytest.fixture(scope="module")
def node():
    """Give a function that runs a module on arrays and numbers, and returns what it gave, and the inputs afterwards; in one process."""
    command = ["node", "--input-type=module", "--eval", RUN]

    def run(module, inputs, sizes=None, times=1):
        written = [x if isinstance(x, (int, float)) else {"kind": x.dtype.str[1:], "entries": x.ravel().tolist()} for x in inputs]
        process.stdin.write(json.dumps({"module": module, "sizes": sizes or {}, "inputs": written, "times": times}) + "\n")
        process.stdin.flush()
        said = process.stdout.readline()
        assert said, module
        return json.loads(said)

    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield run


def same(found, expected, rtol=1e-12):
    expected = np.asarray(expected, float)
    scale = np.abs(expected[np.isfinite(expected)]).max(initial=1e-300)
    np.testing.assert_allclose(np.reshape(np.array(found, float), expected.shape), expected, rtol=rtol, atol=rtol * scale)


def report(hidden=10):
    random = np.random.RandomState(2023)
    data.data_100(random)
    net = network.Network(data.initial_parameters(random, hidden))
    return net, network.compiled(net, tg.optim.SGD(net.parameters, lr=0.1), "numpy")


# The report's step
def test_5000_epochs_of_the_report_end_at_the_printed_loss(node):
    net, step = report()
    start = [p.numpy().copy() for p in net.parameters]
    X, y = data.data_X()
    step(X, y)
    found = node(step.javascript, [X, y, *start, 0.1], times=5000)
    assert abs(found["out"] - PRINTED["data_X"].losses[5000]) < 1e-9


def test_the_step_holds_at_other_lengths_of_the_batch_and_of_the_layers(node):
    _, step = report()
    X, y = data.data_X()
    step(X, y)
    module = step.javascript
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 2)), rng.normal(size=(8, 1))
    start = {name: rng.normal(size=shape) for name, shape in zip(data.PARAMETERS, [(2, 5), 5, (5, 7), 7, (7, 1), 1])}
    other = network.Network({name: x.copy() for name, x in start.items()})
    optimizer = tg.optim.SGD(other.parameters, lr=0.25)
    expected = [network.step(other, Tensor(X), Tensor(y), optimizer) for _ in range(3)][-1]
    found = node(module, [X, y, *start.values(), 0.25], {"N": 8, "n0": 2, "n1": 5, "n2": 7}, times=3)
    same(found["out"], expected)
    for entries, parameter in zip(found["given"][2:8], other.parameters):
        same(entries, parameter.numpy())


def test_the_source_reads_as_the_numpy_source_does():
    _, step = report()
    step(*data.data_X())
    module = step.javascript
    for line in step.source.splitlines():
        if " = " in line and not line.strip().startswith("#"):
            assert f"// {line.strip()}" in module
    assert "make({N = 21, n0 = 2, n1 = 10, n2 = 10} = {})" in module
    assert "1 / N" in module and "0.0476" not in "".join(line for line in module.splitlines() if "//" not in line)


def test_what_has_a_name_can_be_looked_at(node):
    net, step = report()
    X, y = data.data_X()
    step(X, y)
    found = node(step.javascript, [X, y, *[p.numpy() for p in net.parameters], 0.1])
    assert {"z1", "a1", "y_pred", "delta2", "dW3"} <= set(found["names"])


def test_recording_at_other_lengths_leaves_everything_as_it_was():
    net, step = report()
    X, y = data.data_X()
    step(X, y)
    before = [p.numpy().copy() for p in net.parameters]
    recordings = step.recordings
    assert step.javascript == step.javascript
    assert all(np.array_equal(p.numpy(), x) for p, x in zip(net.parameters, before))
    _, twin = report()
    twin(X, y)
    assert step(X, y) == twin(X, y) and step.recordings == recordings


OPTIMIZERS = {
    "momentum": lambda p: tg.optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: tg.optim.Adam(p, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimisers_memory_is_given_and_changed_in_place(node, name):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(6, 3)), rng.normal(size=6)
    w = Tensor(rng.normal(size=3), requires_grad=True, name="w")
    optimizer = OPTIMIZERS[name]([w])
    step = tg.compile(lambda X, y: np.mean(np.tanh(X @ w - y) ** 2), optimizer)
    step(X, y)
    step(X, y)
    module = step.javascript
    order = re.search(r"  function \w+\((.*)\) \{", module)[1].split(", ")
    state = optimizer.state[0]
    numbers = {key: value for key, value in state.items() if not isinstance(value, np.ndarray)}
    given = {"X": X, "y": y, "w": w.numpy().copy(), "lr": optimizer.param_groups[0].lr, **numbers}
    given |= {f"{key}_w": value.copy() for key, value in state.items() if isinstance(value, np.ndarray)}
    expected = step(X, y)
    found = node(module, [given[key] for key in order])
    same(np.ravel(found["out"])[0], expected)
    same(found["given"][order.index("w")], w.numpy())


def test_a_parameter_that_is_read_again_after_its_update_keeps_its_old_value_so_long(node):
    rng = np.random.default_rng(1)
    W = Tensor(rng.normal(size=(3, 3)), requires_grad=True, name="W")
    step = tg.compile(lambda x: np.sum((W @ W.T + W) * x), tg.optim.SGD([W], lr=0.1))
    x = rng.normal(size=(3, 3))
    step(x)
    start = W.numpy().copy()
    expected = step(x)
    found = node(step.javascript, [x, start, 0.1])
    same(found["out"], expected)
    same(found["given"][1], W.numpy())


# Functions
X = np.random.default_rng(0).normal(size=(4, 3))
Z = np.random.default_rng(1).normal(size=(3, 5))
V = np.random.default_rng(2).normal(size=3)
T = np.random.default_rng(3).normal(size=(2, 4, 3))
FUNCTIONS = {
    "arithmetic": (lambda x, v: (x + v) * 2 - x / (1 + v**2), X, V),
    "elementary": (lambda x: np.exp(x) + np.log1p(x**2) + np.sin(x) * np.tanh(x) - np.abs(x) + np.sqrt(1 + x * x), X),
    "sigmoid and softplus": (lambda x: tg.sigmoid(x) + tg.softplus(x), X),
    "relu": (lambda x: tg.relu(x) - 1, X),
    "comparisons": (lambda x, v: np.where(x > v, x, -v) + np.maximum(x, 0.5) - np.minimum(v, x), X, V),
    "clip": (lambda x: np.clip(x, -0.5, 0.5), X),
    "constants": (lambda x: x * np.array([1.0, -2.0, 3.0]) + np.float64(0.5), X),
    "matrix product": (lambda x, z: np.tanh(x @ z), X, Z),
    "matrix and vector": (lambda x, v: x @ v, X, V),
    "vector and matrix": (lambda v, z: v @ z, V, Z),
    "two vectors": (lambda v: v @ v, V),
    "a stack of matrices": (lambda t, z: t @ z, T, Z),
    "a stack and a vector": (lambda t, v, w: (t @ v, w @ t), T, V, np.random.default_rng(9).normal(size=4)),
    "shapes of shapes": (lambda t: np.reshape(np.reshape(t, (2, -1)) * 2, (-1, 2)).reshape(-1)[3:] + 1, T),
    "slices beyond the ends": (lambda x: x.sum(axis=0, keepdims=True)[-2:, 1:] + x[-9:, -1:] + x[:9][:, :1], X),
    "a product of an expression": (lambda x, z: np.exp(x) @ (z - 1), X, Z),
    "sum": (lambda x: (x**2).sum() + x.sum(axis=0).max(), X),
    "sum over an axis": (lambda x: x.sum(axis=1, keepdims=True) * x, X),
    "mean and variance": (lambda x: (x - x.mean(axis=0)) / np.sqrt(((x - x.mean(axis=0)) ** 2).mean(axis=0) + 1e-5), X),
    "maximum, minimum, product": (lambda x: (x.max(axis=1), x.min(axis=0), np.prod(x, axis=1)), X),
    "softmax": (lambda x: tg.softmax(x, axis=1), X),
    "log softmax": (lambda x: tg.log_softmax(x, axis=1), X),
    "transposes": (lambda x, t: (x.T * 2, np.swapaxes(t, 0, 2) + 1, np.transpose(t, (2, 0, 1)) - 1), X, T),
    "new shapes": (lambda x, t: (x.reshape(2, 6) + 1, t.reshape(8, 3) * 2, np.ravel(x) - 1, x[:, None, :] * x[None, :, :]), X, T),
    "broadcast": (lambda v: np.broadcast_to(v, (4, 3)) * 2, V),
    "slices": (lambda x: x[1:3] + x[::2] - x[-1], X),
    "reversed and columns": (lambda x: x[::-1, 1:] * x[:, :2], X),
    "gather": (lambda x: x[np.array([2, 0, 2])] * 2, X),
    "variance and deviation": (lambda x: (np.var(x, axis=0, ddof=1), np.std(x, axis=1, keepdims=True), np.var(x)), X),
    "sums of numbers": (lambda x: x.sum().sum(axis=-1) + x, X),
    "a label each": (lambda x: x[np.arange(4), np.array([0, 2, 1, 1])], X),
    "cross entropy": (lambda x: tg.nn.functional.cross_entropy(x, np.array([0, 2, 1, 1])), X),
    "its gradient": (lambda x: tg.grad(lambda x: tg.nn.functional.cross_entropy(x, np.array([0, 2, 1, 1])))(x), X),
    "sums of sums": (lambda x, z: (x.sum(axis=0) @ z).sum() + (x @ z).sum(axis=0).max(), X, Z),
    "logits and probabilities": (lambda x: tg.nn.functional.binary_cross_entropy_with_logits(x, np.full((4, 3), 0.25)), X),
    "take": (lambda x: np.take(x, np.array([2, 0]), axis=1) * 2, X),
    "a gradient": (lambda x, z: tg.grad(lambda z: np.sum(np.tanh(x @ z) ** 2))(z), X, Z),
    "a gradient of slices": (lambda x: tg.grad(lambda x: np.sum(np.sin(x[1:]) * x[:-1]))(x), X),
    "a gradient of a gather": (lambda x: tg.grad(lambda x: np.sum(np.sin(x[np.array([1, 1, 3])])))(x), X),
    "one result of several": (lambda x, v: {"sum": x.sum(), "rows": x @ v}, X, V),
    "what passes through": (lambda x, v: (x, v * 2), X, V),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_gives_what_it_gives_in_numpy(node, name):
    function, *inputs = FUNCTIONS[name]
    compiled = tg.compile(function)
    expected = compiled(*inputs)
    found = node(compiled.javascript, inputs)["out"]
    parts = list(expected.values()) if isinstance(expected, dict) else list(expected) if isinstance(expected, tuple) else [expected]
    for got, part in zip(found if len(parts) > 1 else [found], parts):
        same(got, part)


@pytest.mark.parametrize("name", ["arithmetic", "matrix product", "mean and variance", "variance and deviation", "softmax", "a gradient"])
def test_a_function_holds_at_other_lengths(node, name):
    function, *inputs = FUNCTIONS[name]
    compiled = tg.compile(function)
    compiled(*inputs)
    module = compiled.javascript
    rng = np.random.default_rng(5)
    assert "N = 4" in module
    longer = [rng.normal(size=(9, *inputs[0].shape[1:])), *inputs[1:]]
    expected = tg.compile(function)(*longer)
    found = node(module, longer, {"N": 9})["out"]
    for got, part in zip(found, expected) if isinstance(expected, tuple) else [(found, expected)]:
        same(got, part)


def test_a_length_that_the_code_needs_stays_a_number():
    compiled = tg.compile(lambda x: x.reshape(2, 6) * 2)
    compiled(X)
    assert "make({} = {})" in compiled.javascript


def test_a_length_of_which_only_every_second_entry_is_taken_stays_a_number_and_the_others_do_not():
    compiled = tg.compile(lambda x: x[:, ::2] * 2)
    compiled(X)
    assert "make({N = 4} = {})" in compiled.javascript


def test_float32_stays_float32(node):
    compiled = tg.compile(lambda x: np.tanh(x) * 2)
    x = X.astype(np.float32)
    expected = compiled(x)
    assert "Float32Array" in compiled.javascript
    same(node(compiled.javascript, [x])["out"], expected, 1e-6)


def test_nan_and_infinity_are_those_of_numpy(node):
    compiled = tg.compile(lambda x: (np.maximum(x, 0.0), np.exp(x), x * np.inf))
    x = np.array([np.inf, -np.inf, 1.0])
    expected = compiled(x)
    found = node(compiled.javascript.replace("x[", "special(x)[").replace("export", SPECIAL + "export"), [np.zeros(3)])["out"]
    for got, part in zip(found, expected):
        np.testing.assert_array_equal(np.array([float(g) for g in got]), part)


SPECIAL = "const special = (x) => [Infinity, -Infinity, 1];\n"


@pytest.mark.parametrize(
    "function, x, name",
    [
        (lambda x: np.sort(x, axis=0), X, "sort"),
        (lambda x: np.linalg.inv(x[:3]), X, "inv"),
        (lambda x: np.cumsum(x, axis=0), X, "cumsum"),
        (lambda x: np.sin(x), X.astype(complex), "complex128"),
        (lambda x: np.fft.fft(x), X, "fft"),
    ],
    ids=["sort", "inv", "cumsum", "complex", "fft"],
)
def test_what_cannot_be_written_is_refused_by_name(function, x, name):
    compiled = tg.compile(function)
    compiled(x)
    with pytest.raises(tg.CompileError, match=name):
        _ = compiled.javascript


def test_before_the_first_call_there_is_no_program():
    with pytest.raises(tg.CompileError, match="has not been called"):
        _ = tg.compile(lambda x: x).javascript
