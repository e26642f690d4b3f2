"""Six ways of writing the report's backpropagation by hand, all right, and mistakes to plant in them.

Each way is the source of a module, with what is to be graded (``gradients`` or ``MyNet``) in it. A mistake is a line of one of them,
what it is changed to, and what the mistake may be called.
"""

from __future__ import annotations

import itertools
import linecache
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import tinygrad_hw as tg

ACTIVATIONS = {
    "sigmoid": (tg.sigmoid, "1 / (1 + np.exp(-z))", "sigmoid(z) * (1 - sigmoid(z))", "a * (1 - a)"),
    "tanh": (np.tanh, "np.tanh(z)", "1 - np.tanh(z) ** 2", "1 - a * a"),
    "relu": (tg.relu, "np.maximum(z, 0)", "(z > 0).astype(z.dtype)", "np.where(a > 0, 1.0, 0.0)"),
}

ROWS = """
import numpy as np

def sigmoid(z):
    return FUNCTION

def derivative_sigmoid(z):
    return DERIVATIVE

def gradients(p, X, y):
    z1 = np.dot(X, p["W1"]) + p["b1"]
    a1 = sigmoid(z1)
    z2 = np.dot(a1, p["W2"]) + p["b2"]
    a2 = sigmoid(z2)
    z3 = np.dot(a2, p["W3"]) + p["b3"]
    y_pred = sigmoid(z3)
    loss = np.mean((y - y_pred) ** 2) / 2
    delta3 = (y_pred - y) * derivative_sigmoid(z3)
    delta2 = np.dot(delta3, p["W3"].T) * derivative_sigmoid(z2)
    delta1 = np.dot(delta2, p["W2"].T) * derivative_sigmoid(z1)
    N = X.shape[0]
    return loss, {
        "W1": np.dot(X.T, delta1) / N,
        "b1": np.sum(delta1, axis=0) / N,
        "W2": np.dot(a1.T, delta2) / N,
        "b2": np.sum(delta2, axis=0) / N,
        "W3": np.dot(a2.T, delta3) / N,
        "b3": np.sum(delta3, axis=0) / N,
    }
"""

REPORT = """
import numpy as np

class MyNet:
    def __init__(self, input_dim=2, hidden_dim=10, output_dim=1):
        self.epoch = []
        self.train_loss = []
        self.W1 = np.random.randn(input_dim, hidden_dim)
        self.b1 = np.random.randn(hidden_dim)
        self.W2 = np.random.randn(hidden_dim, hidden_dim)
        self.b2 = np.random.randn(hidden_dim)
        self.W3 = np.random.randn(hidden_dim, output_dim)
        self.b3 = np.random.randn(output_dim)

    def sigmoid(self, z):
        return FUNCTION

    def derivative_sigmoid(self, z):
        sigmoid = self.sigmoid
        return DERIVATIVE

    def loss(self, y_true, y_pred):
        loss = np.mean((y_true - y_pred)**2) / 2
        return loss

    def train(self, X, y, lr=0.1, epochs=100000):
        for epoch in range(1, epochs + 1):
            # forward
            z1 = np.dot(X, self.W1) + self.b1
            a1 = self.sigmoid(z1)
            z2 = np.dot(a1, self.W2) + self.b2
            a2 = self.sigmoid(z2)
            z3 = np.dot(a2, self.W3) + self.b3
            y_pred = self.sigmoid(z3)
            train_loss = self.loss(y, y_pred)

            # backward
            out_layer_error = y_pred - y
            out_layer_delta = out_layer_error * self.derivative_sigmoid(z3)
            hidden_layer2_error = np.dot(out_layer_delta, self.W3.T)
            hidden_layer2_delta = hidden_layer2_error * self.derivative_sigmoid(z2)
            hidden_layer1_error = np.dot(hidden_layer2_delta, self.W2.T)
            hidden_layer1_delta = hidden_layer1_error * self.derivative_sigmoid(z1)

            # update weights
            N = X.shape[0]
            self.W3 -= lr * (np.dot(a2.T, out_layer_delta) / N)
            self.b3 -= lr * (np.sum(out_layer_delta, axis=0) / N)
            self.W2 -= lr * (np.dot(a1.T, hidden_layer2_delta) / N)
            self.b2 -= lr * (np.sum(hidden_layer2_delta, axis=0) / N)
            self.W1 -= lr * (np.dot(X.T, hidden_layer1_delta) / N)
            self.b1 -= lr * (np.sum(hidden_layer1_delta, axis=0) / N)
            self.epoch.append(epoch)
            self.train_loss.append(train_loss)
            if epoch % 5000 == 0:
                print(f"epoch {epoch}, train_loss: {train_loss}")
"""

COLUMNS = """
import numpy as np

f = lambda z: FUNCTION
sigmoid = f
df = lambda z: DERIVATIVE

def gradients(W1, b1, W2, b2, W3, b3, x, t):
    # a sample is a column
    m = x.shape[1]
    s1 = W1 @ x + b1
    h1 = f(s1)
    s2 = W2 @ h1 + b2
    h2 = f(s2)
    s3 = W3 @ h2 + b3
    out = f(s3)
    J = ((out - t) ** 2).sum() / (2 * m)
    dout = (out - t) / m
    ds3 = dout * df(s3)
    dW3 = ds3 @ h2.T
    db3 = ds3.sum(axis=1, keepdims=True)
    dh2 = W3.T @ ds3
    ds2 = dh2 * df(s2)
    dW2 = ds2 @ h1.T
    db2 = ds2.sum(axis=1, keepdims=True)
    dh1 = W2.T @ ds2
    ds1 = dh1 * df(s1)
    dW1 = ds1 @ x.T
    db1 = ds1.sum(axis=1, keepdims=True)
    return dW1, db1, dW2, db2, dW3, db3
"""

CACHED = """
import numpy as np

def act(z):
    return FUNCTION

sigmoid = act

def act_prime(a):
    return OF_RESULT

class MyNet:
    def __init__(self, sizes=(2, 10, 10, 1)):
        self.params = {}
        for k, (m, n) in enumerate(zip(sizes, sizes[1:]), 1):
            self.params[f"W{k}"] = np.random.randn(m, n)
            self.params[f"b{k}"] = np.zeros((1, n)) + 0.1

    def forward(self, inputs):
        p = self.params
        self.a0 = inputs
        self.a1 = act(self.a0 @ p["W1"] + p["b1"])
        self.a2 = act(self.a1 @ p["W2"] + p["b2"])
        self.a3 = act(self.a2 @ p["W3"] + p["b3"])
        return self.a3

    def loss(self, output, target):
        return 0.5 * np.mean(np.square(output - target))

    def backward(self, target):
        p, g = self.params, {}
        n = len(target)
        error = (self.a3 - target) / n
        d3 = error * act_prime(self.a3)
        g["W3"] = self.a2.T @ d3
        g["b3"] = d3.sum(0, keepdims=True)
        d2 = (d3 @ p["W3"].T) * act_prime(self.a2)
        g["W2"] = self.a1.T @ d2
        g["b2"] = d2.sum(0, keepdims=True)
        d1 = (d2 @ p["W2"].T) * act_prime(self.a1)
        g["W1"] = self.a0.T @ d1
        g["b1"] = d1.sum(0, keepdims=True)
        self.grads = g

    def update(self, learning_rate):
        for name in self.params:
            self.params[name] = self.params[name] - learning_rate * self.grads[name]
"""

LAYERS = """
import numpy as np

def sigmoid(z):
    return FUNCTION

def sigmoid_prime(z):
    return DERIVATIVE

def gradients(weights, X, y):
    zs, activations = [], [X]
    for W, b in weights:
        z = activations[-1] @ W + b
        zs.append(z)
        activations.append(sigmoid(z))
    loss = np.mean((activations[-1] - y) ** 2) / 2
    grads = [None] * len(weights)
    delta = activations[-1] - y
    delta = delta * sigmoid_prime(zs[-1])
    for l in reversed(range(len(weights))):
        grad_W = activations[l].T @ delta
        grad_b = delta.sum(axis=0)
        grads[l] = (grad_W / len(X), grad_b / len(X))
        if l > 0:
            delta = delta @ weights[l][0].T
            delta = delta * sigmoid_prime(zs[l - 1])
    return loss, grads
"""

IN_PLACE = """
import numpy as np

class MyNet:
    def __init__(self, hidden_dim=10, lr=0.1):
        self.lr = lr
        rng = np.random.default_rng(0)
        self.w1 = rng.standard_normal((2, hidden_dim)).astype(np.float32)
        self.c1 = np.zeros(hidden_dim, np.float32) + 0.3
        self.w2 = rng.standard_normal((hidden_dim, hidden_dim)).astype(np.float32)
        self.c2 = np.zeros(hidden_dim, np.float32) - 0.2
        self.w3 = rng.standard_normal((hidden_dim, 1)).astype(np.float32)
        self.c3 = np.zeros(1, np.float32) + 0.1

    @staticmethod
    def sigmoid(z):
        return FUNCTION

    @staticmethod
    def prime(z):
        sigmoid = MyNet.sigmoid
        return DERIVATIVE

    def step(self, X, y):
        z1 = X @ self.w1
        z1 += self.c1
        a1 = self.sigmoid(z1)
        z2 = a1 @ self.w2
        z2 += self.c2
        a2 = self.sigmoid(z2)
        z3 = a2 @ self.w3
        z3 += self.c3
        p = self.sigmoid(z3)
        loss = 0.5 * ((y - p) ** 2).mean()
        e3 = y - p
        e3 *= self.prime(z3)
        e2 = np.matmul(e3, self.w3.T)
        e2 *= self.prime(z2)
        e1 = np.matmul(e2, self.w2.T)
        e1 *= self.prime(z1)
        e1 /= y.size
        e2 /= y.size
        e3 /= y.size
        self.w1 += self.lr * np.einsum("ni,nj->ij", X, e1)
        self.c1 += self.lr * np.einsum("nj->j", e1)
        self.w2 += self.lr * np.einsum("ni,nj->ij", a1, e2)
        self.c2 += self.lr * np.einsum("nj->j", e2)
        self.w3 += self.lr * np.einsum("ni,nj->ij", a2, e3)
        self.c3 += self.lr * np.einsum("nj->j", e3)
        return loss
"""

WAYS = {"rows": ROWS, "report": REPORT, "columns": COLUMNS, "cached": CACHED, "layers": LAYERS, "in place": IN_PLACE}
count = itertools.count()


def module(source, activation="sigmoid"):
    """Return the namespace of a module of this source, whose lines the tracer can see."""
    _, function, derivative, of_result = ACTIVATIONS[activation]
    source = source.replace("FUNCTION", function).replace("DERIVATIVE", derivative).replace("OF_RESULT", of_result)
    file = f"<homework {next(count)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace = {"__name__": "homework"}
    exec(compile(source, file, "exec"), namespace)
    return namespace


def network(f, weights, X, columns=False):
    """Return the prediction of a network: a layer for each pair of weights."""
    for W, b in weights:
        X = f(W @ X + b) if columns else f(X @ W + b)
    return X


def arrays(rng, shapes, dtype=float):
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def homework(way, source, *, activation="sigmoid", n=21, hidden=10, seed=0, labels=None):
    """Return what ``grade`` takes: the code, the teacher's loss, and an example."""
    rng = np.random.default_rng(seed)
    f = ACTIVATIONS[activation][0]
    space = module(source, activation)
    X = rng.normal(size=(n, 2))
    y = (rng.random((n, 1)) < 0.5).astype(float) if labels is None else np.full((n, 1), float(labels))
    W = arrays(rng, [(2, hidden), (hidden, hidden), (hidden, 1)])
    b = arrays(rng, [hidden, hidden, 1])
    half = lambda out, y: np.mean((y - out) ** 2) / 2
    if way == "rows":
        p = {"W1": W[0], "b1": b[0], "W2": W[1], "b2": b[1], "W3": W[2], "b3": b[2]}
        loss = lambda p, X, y: half(network(f, [(p[f"W{k}"], p[f"b{k}"]) for k in (1, 2, 3)], X), y)
        return space["gradients"], loss, (p, X, y)
    if way == "columns":
        weights = [x for V, c in zip(W, b) for x in (V.T.copy(), c[:, None])]
        loss = lambda W1, b1, W2, b2, W3, b3, x, t: half(network(f, [(W1, b1), (W2, b2), (W3, b3)], x, columns=True), t)
        return space["gradients"], loss, (*weights, X.T.copy(), y.T.copy())
    if way == "layers":
        return space["gradients"], lambda w, X, y: half(network(f, w, X), y), (list(zip(W, b)), X, y)
    np.random.seed(seed)
    net = space["MyNet"]((2, hidden, hidden, 1)) if way == "cached" else space["MyNet"](hidden_dim=hidden)
    if way == "cached":
        loss = lambda net, X, y: half(network(f, [(net.params[f"W{k}"], net.params[f"b{k}"]) for k in (1, 2, 3)], X), y)
    elif way == "report":
        loss = lambda net, X, y: half(network(f, [(net.W1, net.b1), (net.W2, net.b2), (net.W3, net.b3)], X), y)
    else:
        loss = lambda net, X, y: half(network(f, [(net.w1, net.c1), (net.w2, net.c2), (net.w3, net.c3)], X), y)
        X, y = X.astype(np.float32), y.astype(np.float32)
    return net, loss, (X, y)


def graded_homework(homework, way, source, own=False, **settings):
    """Grade a source of a way of writing, by the teacher's loss or by its own; ``homework`` makes it with these settings."""
    code, loss, example = homework(way, source, **settings)
    return tg.testing.grade(code, None if own else loss, *example)


@dataclass(frozen=True)
class Planted:
    """A mistake in a way: the line that is changed, what to, and what the mistake may be called."""

    way: str
    line: str
    wrong: str
    kinds: tuple[str, ...]
    also: tuple[tuple[str, str], ...] = ()

    ways: ClassVar[dict[str, str]] = WAYS

    def source(self):
        source = self.ways[self.way]
        for old, new in ((self.line, self.wrong), *self.also):
            assert source.count(old) == 1, f"{old!r} stands there {source.count(old)} times"
            source = source.replace(old, new)
        return source

    def number(self):
        """Return the number of the line, counted from 1."""
        return self.ways[self.way][: self.ways[self.way].index(self.line)].count("\n") + 1


PLANTED = [
    # a factor σ′ is missing, is of something else, or is computed wrongly
    Planted("rows", 'np.dot(delta3, p["W3"].T) * derivative_sigmoid(z2)', 'np.dot(delta3, p["W3"].T)', ("factor missing",)),
    Planted("rows", "derivative_sigmoid(z2)", "derivative_sigmoid(a2)", ("argument of the derivative", "z for a")),
    Planted("rows", "* derivative_sigmoid(z1)", "* derivative_sigmoid(z2)", ("argument of the derivative", "layers swapped")),
    Planted("rows", "return DERIVATIVE", "return sigmoid(z) * (1 + sigmoid(z))", ("wrong derivative",)),
    Planted("rows", "(y_pred - y) * derivative_sigmoid(z3)", "y_pred - y", ("factor missing",)),
    Planted("report", "self.derivative_sigmoid(z3)", "self.derivative_sigmoid(y_pred)", ("argument of the derivative", "z for a")),
    Planted("report", "hidden_layer1_error * self.derivative_sigmoid(z1)", "hidden_layer1_error", ("factor missing",)),
    Planted("cached", "return OF_RESULT", "return a", ("wrong derivative",)),
    Planted("cached", '(d2 @ p["W2"].T) * act_prime(self.a1)', 'd2 @ p["W2"].T', ("factor missing",)),
    Planted("in place", "e2 *= self.prime(z2)", "e2 *= self.prime(z1)", ("argument of the derivative", "layers swapped")),
    Planted("columns", "ds2 = dh2 * df(s2)", "ds2 = dh2 * df(h2)", ("argument of the derivative", "z for a")),
    Planted("layers", "sigmoid_prime(zs[l - 1])", "sigmoid_prime(activations[l])", ("argument of the derivative", "z for a")),
    # a transpose, the order of a product, a product entry by entry
    Planted("rows", 'np.dot(delta2, p["W2"].T)', 'np.dot(delta2, p["W2"])', ("transpose",)),
    Planted("report", "np.dot(hidden_layer2_delta, self.W2.T)", "np.dot(hidden_layer2_delta, self.W2)", ("transpose",)),
    Planted("columns", "dh1 = W2.T @ ds2", "dh1 = W2 @ ds2", ("transpose",)),
    Planted("columns", "dh2 = W3.T @ ds3", "dh2 = W3 @ ds3", ("transpose",)),
    Planted("cached", "self.a2.T @ d3", "self.a2 @ d3", ("transpose",)),
    Planted("in place", 'np.einsum("ni,nj->ij", a1, e2)', 'np.einsum("ni,nj->ji", a1, e2)', ("transpose",)),
    Planted("layers", "activations[l].T @ delta", "activations[l] @ delta", ("transpose",)),
    # z for a, another layer, another value
    Planted("rows", "np.dot(a1.T, delta2)", "np.dot(z1.T, delta2)", ("z for a",)),
    Planted("rows", "np.dot(a2.T, delta3)", "np.dot(a1.T, delta3)", ("layers swapped",)),
    Planted("report", "np.dot(a2.T, out_layer_delta)", "np.dot(z2.T, out_layer_delta)", ("z for a",)),
    Planted("report", "np.sum(hidden_layer2_delta, axis=0)", "np.sum(hidden_layer1_delta, axis=0)", ("layers swapped",)),
    Planted("report", "np.dot(a1.T, hidden_layer2_delta)", "np.dot(a1.T, hidden_layer2_error)", ("other value", "factor missing")),
    Planted("columns", "dW2 = ds2 @ h1.T", "dW2 = ds2 @ s1.T", ("z for a",)),
    Planted("columns", "return dW1, db1, dW2, db2, dW3, db3", "return dW1, db2, dW2, db1, dW3, db3", ("layers swapped",)),
    Planted("cached", '(d3 @ p["W3"].T)', '(d3 @ p["W2"].T)', ("layers swapped",)),
    # sums
    Planted("rows", "np.sum(delta2, axis=0)", "np.sum(delta2)", ("axis",)),
    Planted("report", "np.sum(hidden_layer1_delta, axis=0)", "np.sum(hidden_layer1_delta)", ("axis",)),
    Planted("columns", "db2 = ds2.sum(axis=1, keepdims=True)", "db2 = ds2.sum(axis=0, keepdims=True)", ("axis",)),
    Planted("layers", "delta.sum(axis=0)", "delta.sum(axis=1)", ("axis",)),
    # factors and signs
    Planted("rows", "np.dot(a1.T, delta2) / N", "np.dot(a1.T, delta2)", ("1/N missing",)),
    Planted(
        "report",
        "self.W1 -= lr * (np.dot(X.T, hidden_layer1_delta) / N)",
        "self.W1 -= lr * np.dot(X.T, hidden_layer1_delta)",
        ("1/N missing",),
    ),
    Planted("columns", "dout = (out - t) / m", "dout = out - t", ("1/N missing",)),
    Planted("cached", "self.a1.T @ d2", "self.a1.T @ d2 / n", ("1/N twice",)),
    Planted("report", "self.b3 -= lr", "self.b3 += lr", ("sign",)),
    Planted("in place", "e3 = y - p", "e3 = p - y", ("sign", "sign of a term")),
    Planted("layers", "delta = activations[-1] - y", "delta = 2 * (activations[-1] - y)", ("scale",)),
    # the order of things
    Planted(
        "report",
        "hidden_layer2_error = np.dot(out_layer_delta, self.W3.T)",
        "hidden_layer2_error = np.dot(out_layer_delta, self.W3.T)",
        ("update first",),
        also=(
            ("self.derivative_sigmoid(z3)", "self.derivative_sigmoid(z3); self.W3 -= lr * np.dot(a2.T, out_layer_delta) / len(X)"),
            ("self.W3 -= lr * (np.dot(a2.T, out_layer_delta) / N)", "pass"),
        ),
    ),
    Planted("cached", '(d3 @ p["W3"].T)', '(d3 @ self.__dict__.setdefault("old", p["W3"].copy()).T)', ("stale",)),
]
