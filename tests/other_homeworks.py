"""Homework of other people, all right, in ways that have nothing to do with the report's, and mistakes to plant in it by hand.

Softmax and binary cross entropy, leaky ReLU and softplus, four layers, columns, float32, updates in place, biases as a row of ones, labels
as integers, gradients under names of their own.
"""

from __future__ import annotations

import numpy as np
from homeworks import Planted, arrays, module

import tinygrad_hw as tg

CLASSES = """
import numpy as np

def affine_relu(inp, w, b):
    out = inp.dot(w) + b
    return np.maximum(0, out), out

def loss_and_grads(params, data, labels):
    n = data.shape[0]
    hidden, pre = affine_relu(data, params["w_in"], params["b_in"])
    scores = hidden.dot(params["w_out"]) + params["b_out"]
    shifted = scores - scores.max(axis=1, keepdims=True)
    e = np.exp(shifted)
    probs = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(n), labels]).mean()

    dscores = probs.copy()
    dscores[np.arange(n), labels] -= 1
    dscores /= n
    dhidden = dscores.dot(params["w_out"].T)
    dpre = dhidden * (pre > 0)
    grads = {}
    grads["w_out"] = hidden.T.dot(dscores)
    grads["b_out"] = dscores.sum(axis=0)
    grads["w_in"] = data.T.dot(dpre)
    grads["b_in"] = dpre.sum(axis=0)
    return loss, grads
"""

BINARY = """
import numpy as np

def forward_pass(W1, b1, W2, b2, A0):
    Z1 = np.matmul(W1, A0) + b1
    A1 = np.tanh(Z1)
    Z2 = np.matmul(W2, A1) + b2
    A2 = 1.0 / (1.0 + np.exp(-Z2))
    return Z1, A1, Z2, A2

def backward_pass(W1, b1, W2, b2, A0, Y):
    m = Y.shape[1]
    Z1, A1, Z2, A2 = forward_pass(W1, b1, W2, b2, A0)
    cost = -(Y * np.log(A2) + (1 - Y) * np.log(1 - A2)).sum() / m
    dZ2 = A2 - Y
    dW2 = (1 / m) * np.matmul(dZ2, A1.T)
    db2 = (1 / m) * np.sum(dZ2, axis=1, keepdims=True)
    dA1 = np.matmul(W2.T, dZ2)
    dZ1 = dA1 * (1 - np.power(A1, 2))
    dW1 = (1 / m) * np.matmul(dZ1, A0.T)
    db1 = (1 / m) * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2
"""

DEEP = """
import numpy as np

SLOPE = 0.1

class Perceptron:
    def __init__(self, widths):
        rng = np.random.RandomState(4)
        self.kernels = [rng.randn(i, o).astype("float32") for i, o in zip(widths[:-1], widths[1:])]
        self.offsets = [rng.randn(o).astype("float32") for o in widths[1:]]

    def forward(self, x):
        self.seen = [x]
        self.raw = []
        for level, (k, c) in enumerate(zip(self.kernels, self.offsets)):
            u = self.seen[-1] @ k
            u += c
            self.raw.append(u)
            last = level == len(self.kernels) - 1
            self.seen.append(u if last else np.where(u > 0, u, SLOPE * u))
        return self.seen[-1]

    def backward(self, target, rate):
        flow = self.seen[-1] - target
        flow = flow / target.size
        for level in range(len(self.kernels) - 1, -1, -1):
            if level < len(self.kernels) - 1:
                flow = flow * np.where(self.raw[level] > 0, np.float32(1), np.float32(SLOPE))
            change = self.seen[level].T @ flow
            shift = flow.sum(0)
            flow = flow @ self.kernels[level].T
            self.kernels[level] -= rate * change
            self.offsets[level] -= rate * shift
"""

ONES = """
import numpy as np

def with_ones(A):
    return np.hstack([A, np.ones((len(A), 1))])

def gradient(V, U, inputs, answers):
    # the last row of V and of U is the bias
    I = with_ones(inputs)
    net = I @ V
    act = np.log1p(np.exp(net))
    H = with_ones(act)
    guess = H @ U
    err = guess - answers
    cost = (err ** 2).sum(axis=1).mean()
    d_guess = 2 * err / len(inputs)
    d_U = H.T @ d_guess
    d_act = d_guess @ U[:-1].T
    d_net = d_act / (1 + np.exp(-net))
    d_V = I.T @ d_net
    return d_V, d_U
"""

SHARED = """
import numpy as np

class Regressor:
    def __init__(self, d=3, k=5):
        g = np.random.default_rng(8)
        self.theta = {"A": g.normal(size=(d, k)), "B": g.normal(size=(k, k)), "C": g.normal(size=(k, 2)), "r": g.normal(size=k)}

    def train_step(self, x, y, lr=0.05):
        t = self.theta
        h0 = np.tanh(x @ t["A"] + t["r"])
        h1 = np.tanh(h0 @ t["B"]) + h0
        p = h1 @ t["C"]
        diff = p - y
        loss = 0.5 * np.mean(np.sum(diff * diff, axis=1))
        gp = diff / x.shape[0]
        gC = h1.T @ gp
        gh1 = gp @ t["C"].T
        gs = gh1 * (1 - (h1 - h0) ** 2)
        gB = h0.T @ gs
        gh0 = gs @ t["B"].T + gh1
        gz0 = gh0 * (1 - h0 ** 2)
        gA = x.T @ gz0
        gr = gz0.sum(axis=0)
        t["A"] -= lr * gA
        t["B"] -= lr * gB
        t["C"] -= lr * gC
        t["r"] -= lr * gr
        return loss
"""

LOGITS = """
import numpy as np

def backprop(weights, biases, samples, onehot):
    count = float(samples.shape[0])
    u1 = np.einsum("nd,dh->nh", samples, weights[0]) + biases[0]
    v1 = 1 / (1 + np.exp(-u1))
    u2 = np.einsum("nh,hk->nk", v1, weights[1]) + biases[1]
    v2 = u2 * (u2 > 0)
    u3 = np.einsum("nk,kc->nc", v2, weights[2]) + biases[2]
    top = np.exp(u3 - u3.max(1, keepdims=True))
    q = top / top.sum(1, keepdims=True)
    E = -np.sum(onehot * np.log(q)) / count
    r3 = (q - onehot) / count
    r2 = np.einsum("nc,kc->nk", r3, weights[2])
    r2[u2 <= 0] = 0
    r1 = np.einsum("nk,hk->nh", r2, weights[1])
    r1 *= v1 * (1 - v1)
    gw = [np.einsum("nd,nh->dh", samples, r1), np.einsum("nh,nk->hk", v1, r2), np.einsum("nk,nc->kc", v2, r3)]
    gb = [r1.sum(0), r2.sum(0), r3.sum(0)]
    return gw, gb
"""

METHODS = """
import numpy as np

class Net:
    def __init__(self):
        r = np.random.default_rng(3)
        self.Win = r.normal(size=(4, 6)) * 0.5
        self.bin = r.normal(size=(1, 6)) * 0.1
        self.Wmid = r.normal(size=(6, 5)) * 0.5
        self.bmid = r.normal(size=(1, 5)) * 0.1
        self.Wout = r.normal(size=(5, 3)) * 0.5
        self.bout = r.normal(size=(1, 3)) * 0.1

    def softmax(self, s):
        e = np.exp(s - np.max(s, axis=1, keepdims=True))
        return e / np.sum(e, axis=1, keepdims=True)

    def forward(self, X):
        self.X = X
        self.pre1 = X @ self.Win + self.bin
        self.out1 = np.tanh(self.pre1)
        self.pre2 = self.out1 @ self.Wmid + self.bmid
        self.out2 = np.maximum(0, self.pre2)
        self.scores = self.out2 @ self.Wout + self.bout
        self.probs = self.softmax(self.scores)
        return self.probs

    def loss(self, X, y):
        P = self.forward(X)
        return -np.mean(np.sum(y * np.log(P), axis=1))

    def backward(self, y):
        m = y.shape[0]
        dscores = (self.probs - y) / m
        dWout = self.out2.T @ dscores
        dbout = np.sum(dscores, axis=0, keepdims=True)
        dout2 = dscores @ self.Wout.T
        dpre2 = dout2 * (self.pre2 > 0)
        dWmid = self.out1.T @ dpre2
        dbmid = np.sum(dpre2, axis=0, keepdims=True)
        dout1 = dpre2 @ self.Wmid.T
        dpre1 = dout1 * (1 - self.out1 ** 2)
        dWin = self.X.T @ dpre1
        dbin = np.sum(dpre1, axis=0, keepdims=True)
        return {"Win": dWin, "bin": dbin, "Wmid": dWmid, "bmid": dbmid, "Wout": dWout, "bout": dbout}
"""

REGULARISED = """
import numpy as np

def sig(t):
    return 1.0 / (1.0 + np.exp(-t))

def train_gradient(theta, bias, features, outcome):
    rows = features.shape[0]
    linear = features.dot(theta) + bias
    chance = sig(linear)
    log_loss = -(outcome * np.log(chance) + (1 - outcome) * np.log(1 - chance)).mean()
    residual = chance - outcome
    g_theta = features.T.dot(residual) / rows + 0.1 * theta
    g_bias = residual.mean()
    return log_loss, (g_theta, np.array([g_bias]))
"""

SAMPLES = """
import numpy as np

def step_gradients(M1, v1, M2, v2, xs, ts):
    G1, g1, G2, g2 = np.zeros_like(M1), np.zeros_like(v1), np.zeros_like(M2), np.zeros_like(v2)
    total = 0.0
    for x, t in zip(xs, ts):
        s = M1 @ x + v1
        h = 1 / (1 + np.exp(-s))
        o = M2 @ h + v2
        e = o - t
        total += 0.5 * e @ e
        G2 += np.outer(e, h)
        g2 += e
        q = M2.T @ e
        w = q * h * (1 - h)
        G1 += np.outer(w, x)
        g1 += w
    k = len(xs)
    return G1 / k, g1 / k, G2 / k, g2 / k
"""

TIED = """
import numpy as np

def squash(t):
    return 1 / (1 + np.exp(-t))

def autoencoder_gradients(W, b, c, images):
    count = images.shape[0]
    code = squash(images @ W + b)
    recon = squash(code @ W.T + c)
    loss = ((recon - images) ** 2).sum() / count
    d_recon = 2 * (recon - images) / count
    d_out = d_recon * recon * (1 - recon)
    d_c = d_out.sum(axis=0)
    d_code = d_out @ W
    d_in = d_code * code * (1 - code)
    d_b = d_in.sum(axis=0)
    d_W = images.T @ d_in + d_out.T @ code
    return d_W, d_b, d_c
"""

CACHES = """
import numpy as np

def linear_forward(A, W, b):
    return W.dot(A) + b, (A, W, b)

def relu_backward(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ

def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db

def model_gradients(parameters, X, Y):
    Z1, cache1 = linear_forward(X, parameters["W1"], parameters["b1"])
    A1 = np.maximum(0, Z1)
    Z2, cache2 = linear_forward(A1, parameters["W2"], parameters["b2"])
    A2 = np.maximum(0, Z2)
    Z3, cache3 = linear_forward(A2, parameters["W3"], parameters["b3"])
    A3 = 1 / (1 + np.exp(-Z3))
    grads = {}
    dZ3 = A3 - Y
    dA2, grads["dW3"], grads["db3"] = linear_backward(dZ3, cache3)
    dZ2 = relu_backward(dA2, Z2)
    dA1, grads["dW2"], grads["db2"] = linear_backward(dZ2, cache2)
    dZ1 = relu_backward(dA1, Z1)
    dA0, grads["dW1"], grads["db1"] = linear_backward(dZ1, cache1)
    return grads
"""

# layers with the names of PyTorch, one sample after the other in float32, gradients added up in a list
MODULES = """
import numpy as np

def linear(input, weight, bias):
    return weight @ input + bias

def sigmoid(t):
    return 1 / (1 + np.exp(-t))

class Net:
    def __init__(self, fc1_weight, fc1_bias, fc2_weight, fc2_bias):
        self.fc1_weight = fc1_weight
        self.fc1_bias = fc1_bias
        self.fc2_weight = fc2_weight
        self.fc2_bias = fc2_bias

    def forward(self, sample):
        self.sample = sample
        self.pre1 = linear(sample, self.fc1_weight, self.fc1_bias)
        self.act1 = sigmoid(self.pre1)
        self.output = linear(self.act1, self.fc2_weight, self.fc2_bias)
        return self.output

    def backward(self, grad_output):
        grad_fc2_weight = np.outer(grad_output, self.act1)
        grad_fc2_bias = grad_output
        grad_act1 = self.fc2_weight.T @ grad_output
        grad_pre1 = grad_act1 * self.act1 * (1 - self.act1)
        grad_fc1_weight = np.outer(grad_pre1, self.sample)
        grad_fc1_bias = grad_pre1
        return grad_fc1_weight, grad_fc1_bias, grad_fc2_weight, grad_fc2_bias

def gradients(fc1_weight, fc1_bias, fc2_weight, fc2_bias, dataset, targets):
    model = Net(fc1_weight, fc1_bias, fc2_weight, fc2_bias)
    grads = [np.zeros_like(p) for p in (fc1_weight, fc1_bias, fc2_weight, fc2_bias)]
    batch_size = np.float32(len(dataset))
    for sample, target in zip(dataset, targets):
        output = model.forward(sample)
        grad_output = 2 * (output - target) / batch_size
        for total, grad in zip(grads, model.backward(grad_output)):
            total += grad
    return tuple(grads)
"""

OTHERS = {
    "classes": CLASSES,
    "binary": BINARY,
    "deep": DEEP,
    "ones": ONES,
    "shared": SHARED,
    "logits": LOGITS,
    "class": METHODS,
    "logreg": REGULARISED,
    "loop": SAMPLES,
    "tied": TIED,
    "ng": CACHES,
    "modules": MODULES,
}


def leaky(x):
    return np.where(x > 0, x, 0.1 * x)


def of_kernels(net, x):
    for k, (kernel, offset) in enumerate(zip(net.kernels, net.offsets)):
        x = x @ kernel + offset
        x = x if k == len(net.kernels) - 1 else leaky(x)
    return x


def of_logits(w, b, x, t):
    v = tg.relu(tg.sigmoid(x @ w[0] + b[0]) @ w[1] + b[1])
    return -np.sum(t * tg.log_softmax(v @ w[2] + b[2], axis=1)) / len(t)


def with_ones(x):
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def other_homework(way, source, *, n=11, seed=0, one_class=False):
    """Return what ``grade`` takes: the code, the teacher's loss, and an example."""
    rng, space = np.random.default_rng(seed), module(source)
    labels = np.full(n, 1) if one_class else rng.integers(0, 3, n)
    if way == "classes":
        p = dict(zip(("w_in", "b_in", "w_out", "b_out"), arrays(rng, [(4, 6), 6, (6, 3), 3])))
        scores = lambda p, x: tg.relu(x @ p["w_in"] + p["b_in"]) @ p["w_out"] + p["b_out"]
        return space["loss_and_grads"], lambda p, x, t: tg.nn.cross_entropy(scores(p, x), t), (p, rng.normal(size=(n, 4)), labels)
    if way == "binary":
        W = arrays(rng, [(5, 2), (5, 1), (1, 5), (1, 1)])

        def loss(W1, b1, W2, b2, A, Y):
            out = tg.sigmoid(W2 @ np.tanh(W1 @ A + b1) + b2)
            return -np.mean(Y * np.log(out) + (1 - Y) * np.log(1 - out))

        return space["backward_pass"], loss, (*W, rng.normal(size=(2, n)), (labels > 0).astype(float)[None])
    if way == "deep":
        loss = lambda net, x, y: np.mean((of_kernels(net, x) - y) ** 2) / 2
        x, y = (a.astype("float32") for a in arrays(rng, [(n, 3), (n, 2)]))
        return space["Perceptron"]([3, 6, 5, 4, 2]), loss, (x, y)
    if way == "ones":
        softplus = lambda x: np.log1p(np.exp(x))
        loss = lambda V, U, x, t: np.mean(np.sum((with_ones(softplus(with_ones(x) @ V)) @ U - t) ** 2, axis=1))
        return space["gradient"], loss, tuple(arrays(rng, [(4, 5), (6, 2), (n, 3), (n, 2)]))
    if way == "shared":

        def loss(net, x, y):
            h0 = np.tanh(x @ net.theta["A"] + net.theta["r"])
            return np.mean(np.sum(((np.tanh(h0 @ net.theta["B"]) + h0) @ net.theta["C"] - y) ** 2, axis=1)) / 2

        return space["Regressor"](), loss, tuple(arrays(rng, [(n, 3), (n, 2)]))
    if way == "tied":
        loss = lambda W, b, c, x: np.sum((tg.sigmoid(tg.sigmoid(x @ W + b) @ W.T + c) - x) ** 2) / len(x)
        return space["autoencoder_gradients"], loss, (*arrays(rng, [(6, 4), 4, 6]), rng.random((n, 6)))
    if way == "ng":
        p = dict(zip(("W1", "b1", "W2", "b2", "W3", "b3"), arrays(rng, [(5, 3), (5, 1), (4, 5), (4, 1), (1, 4), (1, 1)])))
        hidden = lambda p, X: tg.relu(p["W2"] @ tg.relu(p["W1"] @ X + p["b1"]) + p["b2"])
        loss = lambda p, X, Y: tg.nn.binary_cross_entropy_with_logits(p["W3"] @ hidden(p, X) + p["b3"], Y)
        return space["model_gradients"], loss, (p, rng.normal(size=(3, n)), (labels > 0).astype(float)[None])
    if way == "modules":

        def loss(fc1_weight, fc1_bias, fc2_weight, fc2_bias, dataset, targets):
            output = tg.sigmoid(dataset @ fc1_weight.T + fc1_bias) @ fc2_weight.T + fc2_bias
            return np.mean(np.sum((output - targets) ** 2, axis=1))

        shapes = [(4, 3), 4, (2, 4), 2, (n, 3), (n, 2)]
        return space["gradients"], loss, tuple(array.astype("float32") for array in arrays(rng, shapes))
    if way == "class":

        def loss(net, x, t):
            hidden = tg.relu(np.tanh(x @ net.Win + net.bin) @ net.Wmid + net.bmid)
            return tg.nn.cross_entropy(hidden @ net.Wout + net.bout, t)

        return space["Net"](), loss, (rng.normal(size=(n, 4)), np.eye(3)[labels])
    if way == "logreg":
        loss = lambda w, b, x, t: tg.nn.binary_cross_entropy_with_logits(x @ w + b, t) + 0.05 * np.sum(w**2)
        return space["train_gradient"], loss, (*arrays(rng, [(3, 1), 1, (n, 3)]), (labels > 0).astype(float)[:, None])
    if way == "loop":
        loss = lambda M, v, P, u, x, t: np.sum((tg.sigmoid(x @ M.T + v) @ P.T + u - t) ** 2) / (2 * len(x))
        return space["step_gradients"], loss, tuple(arrays(rng, [(5, 3), 5, (2, 5), 2, (n, 3), (n, 2)]))
    w, b = arrays(rng, [(4, 6), (6, 5), (5, 3)]), arrays(rng, [6, 5, 3])
    return space["backprop"], of_logits, (w, b, rng.normal(size=(n, 4)), np.eye(3)[labels])


class Other(Planted):
    """A mistake in one of these programs."""

    ways = OTHERS

    def number(self):
        """Return the number of the line; a line that was left out is missed after the one before."""
        return super().number() - (self.wrong == "pass")


OTHER_PLANTED = [
    # softmax cross entropy with integer labels
    Other("classes", "dscores /= n", "pass", ("1/N missing", "1/N missing everywhere")),
    Other("classes", "dpre = dhidden * (pre > 0)", "dpre = dhidden", ("factor missing",)),
    Other("classes", "dscores[np.arange(n), labels] -= 1", "pass", ("term missing",)),
    Other("classes", "dscores[np.arange(n), labels] -= 1", "dscores[np.arange(n), labels] += 1", ("sign of a term",)),
    Other("classes", 'grads["w_in"] = data.T.dot(dpre)', 'grads["w_in"] = data.T.dot(dhidden)', ("other value", "factor missing")),
    Other("classes", 'grads["w_out"] = hidden.T.dot(dscores)', 'grads["w_out"] = pre.T.dot(dscores)', ("z for a",)),
    # binary cross entropy in columns
    Other("binary", "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)", ("twice", "wrong derivative", "unknown")),
    Other("binary", "dZ2 = A2 - Y", "dZ2 = Y - A2", ("sign", "sign of a term", "sign everywhere")),
    Other("binary", "(1 - np.power(A1, 2))", "(1 - np.power(Z1, 2))", ("argument of the derivative", "z for a")),
    Other("binary", "(1 - np.power(A1, 2))", "A1 * (1 - A1)", ("wrong derivative",)),
    Other("binary", "dA1 = np.matmul(W2.T, dZ2)", "dA1 = W2.T * dZ2.sum()", ("unknown", "axis", "entry by entry", "other value")),
    Other("binary", "db1 = (1 / m) * np.sum(dZ1, axis=1, keepdims=True)", "db1 = np.sum(dZ1, axis=1, keepdims=True)", ("1/N missing",)),
    # four layers, leaky ReLU, float32, updates in place
    Other("deep", "flow = flow / target.size", "flow = flow / len(target)", ("scale", "1/N missing", "1/N missing everywhere")),
    Other("deep", "np.where(self.raw[level] > 0, np.float32(1), np.float32(SLOPE))", "(self.raw[level] > 0)", ("wrong derivative",)),
    Other(
        "deep",
        "change = self.seen[level].T @ flow",
        "change = self.raw[level - 1].T @ flow if level else self.seen[0].T @ flow",
        ("z for a",),
    ),
    Other("deep", "self.offsets[level] -= rate * shift", "self.offsets[level] += rate * shift", ("sign",)),
    Other(
        "deep",
        "self.offsets[level] -= rate * shift",
        "self.offsets[level] -= rate * shift; flow = flow @ self.kernels[level].T",
        ("update first",),
        also=(("flow = flow @ self.kernels[level].T\n            self", "pass\n            self"),),
    ),
    # the bias as a row
    Other("ones", "d_guess = 2 * err / len(inputs)", "d_guess = err / len(inputs)", ("scale",)),
    Other("ones", "d_net = d_act / (1 + np.exp(-net))", "d_net = d_act / (1 + np.exp(-act))", ("argument of the derivative", "z for a")),
    Other("ones", "d_net = d_act / (1 + np.exp(-net))", "d_net = d_act * act", ("wrong derivative",)),
    Other("ones", "d_U = H.T @ d_guess", "d_U = H.T @ err", ("scale", "other value", "1/N missing")),
    # two paths to one value
    Other("shared", 'gh0 = gs @ t["B"].T + gh1', 'gh0 = gs @ t["B"].T', ("term missing",)),
    Other("shared", 'gh0 = gs @ t["B"].T + gh1', 'gh0 = gs @ t["B"] + gh1', ("transpose",)),
    Other(
        "shared",
        "gs = gh1 * (1 - (h1 - h0) ** 2)",
        "gs = gh1 * (1 - h1 ** 2)",
        ("argument of the derivative", "wrong derivative", "other value"),
    ),
    Other("shared", "gr = gz0.sum(axis=0)", "gr = gz0.mean(axis=0)", ("1/N twice",)),
    Other("shared", "gB = h0.T @ gs", "gB = h1.T @ gs", ("other value", "layers swapped")),
    # einsum, one-hot labels
    Other("logits", "r3 = (q - onehot) / count", "r3 = q / count", ("term missing",)),
    Other("logits", "r2[u2 <= 0] = 0", "r2[u2 > 0] = 0", ("wrong derivative",)),
    Other("logits", "r1 *= v1 * (1 - v1)", "r1 *= u1 * (1 - u1)", ("argument of the derivative", "z for a")),
    Other("logits", 'np.einsum("nk,hk->nh", r2, weights[1])', 'np.einsum("nk,hk->nh", v2, weights[1])', ("other value", "unknown")),
    Other("logits", "gb = [r1.sum(0), r2.sum(0), r3.sum(0)]", "gb = [r1.sum(0), r2.sum(0), r3.sum()]", ("axis",)),
    Other("logits", "r1 *= v1 * (1 - v1)", "r1 *= v1", ("factor missing", "wrong derivative")),
    # methods, a penalty, one sample after the other
    Other("class", "dscores = (self.probs - y) / m", "dscores = self.probs - y", ("1/N missing", "1/N missing everywhere")),
    Other("class", "dscores = (self.probs - y) / m", "dscores = (y - self.probs) / m", ("sign", "sign of a term", "sign everywhere")),
    Other(
        "class",
        "dpre2 = dout2 * (self.pre2 > 0)",
        "dpre2 = dout2 * (self.pre1[:, :5] > 0)",
        ("argument of the derivative", "layers swapped", "unknown"),
    ),
    Other("class", "dpre2 = dout2 * (self.pre2 > 0)", "dpre2 = dout2 * self.out2", ("wrong derivative",)),
    Other("class", "(1 - self.out1 ** 2)", "(1 - self.pre1 ** 2)", ("argument of the derivative", "z for a")),
    Other("class", "(1 - self.out1 ** 2)", "(1 - self.out1)", ("wrong derivative",)),
    Other("class", "dWmid = self.out1.T @ dpre2", "dWmid = self.pre1.T @ dpre2", ("z for a",)),
    Other("class", "dWmid = self.out1.T @ dpre2", "dWmid = self.out1.T @ dout2", ("other value", "factor missing")),
    Other("class", "dbout = np.sum(dscores, axis=0, keepdims=True)", "dbout = np.mean(dscores, axis=0, keepdims=True)", ("1/N twice",)),
    Other("class", "dout1 = dpre2 @ self.Wmid.T", "dout1 = dout2 @ self.Wmid.T", ("other value", "factor missing")),
    Other("class", '"Win": dWin, "bin": dbin', '"Win": dWin, "bin": dpre1[:1]', ("not summed", "axis", "unknown")),
    Other(
        "logreg",
        "residual = chance - outcome",
        "residual = (chance - outcome) * chance * (1 - chance)",
        ("twice", "unknown", "wrong derivative"),
    ),
    Other("logreg", "residual = chance - outcome", "residual = outcome - chance", ("sign", "sign of a term", "sign everywhere")),
    Other("logreg", " + 0.1 * theta", " + 0.2 * theta", ("scale", "unknown", "term missing")),
    Other("logreg", " + 0.1 * theta", "", ("term missing",)),
    Other("logreg", "g_bias = residual.mean()", "g_bias = residual.sum()", ("1/N missing",)),
    Other("loop", "w = q * h * (1 - h)", "w = q * h", ("factor missing", "wrong derivative")),
    Other("loop", "w = q * h * (1 - h)", "w = q * s * (1 - s)", ("argument of the derivative", "z for a")),
    Other("loop", "G1 += np.outer(w, x)", "G1 += np.outer(q, x)", ("other value", "factor missing")),
    Other("loop", "return G1 / k, g1 / k, G2 / k, g2 / k", "return G1 / k, g1 / k, G2, g2 / k", ("1/N missing",)),
    Other("loop", "e = o - t", "e = t - o", ("sign", "sign of a term", "sign everywhere")),
    Other("loop", "q = M2.T @ e", "q = M2.T @ o", ("other value", "term missing")),
    # tied weights; helpers that hand tuples on
    Other("tied", "d_W = images.T @ d_in + d_out.T @ code", "d_W = images.T @ d_in", ("term missing",)),
    Other(
        "tied", "d_W = images.T @ d_in + d_out.T @ code", "d_W = images.T @ d_in + (code.T @ d_out).T * 2", ("scale", "unknown", "twice")
    ),
    Other("tied", "d_out = d_recon * recon * (1 - recon)", "d_out = d_recon", ("factor missing",)),
    Other("tied", "d_in = d_code * code * (1 - code)", "d_in = d_code * code * (1 + code)", ("wrong derivative",)),
    Other("tied", "d_recon = 2 * (recon - images) / count", "d_recon = (recon - images) / count", ("scale",)),
    Other(
        "tied",
        "d_recon = 2 * (recon - images) / count",
        "d_recon = 2 * (images - recon) / count",
        ("sign", "sign of a term", "sign everywhere"),
    ),
    Other("tied", "d_code = d_out @ W", "d_code = d_recon @ W", ("factor missing", "other value")),
    Other("tied", "d_b = d_in.sum(axis=0)", "d_b = d_in.mean(axis=0)", ("1/N twice",)),
    Other("ng", "dZ3 = A3 - Y", "dZ3 = (A3 - Y) * A3 * (1 - A3)", ("twice", "unknown", "wrong derivative")),
    Other("ng", "dZ[Z <= 0] = 0", "dZ[Z <= 0] = 1", ("wrong derivative", "unknown")),
    Other("ng", "dW = np.dot(dZ, A_prev.T) / m", "dW = np.dot(dZ, A_prev.T)", ("1/N missing",)),
    Other(
        "ng",
        "db = np.sum(dZ, axis=1, keepdims=True) / m",
        "db = np.sum(dZ, axis=0, keepdims=True).mean(axis=1, keepdims=True) + 0 * dZ[:, :1]",
        ("axis", "unknown"),
    ),
    Other("ng", "dZ2 = relu_backward(dA2, Z2)", "dZ2 = dA2", ("factor missing",)),
    Other(
        "ng",
        "dZ1 = relu_backward(dA1, Z1)",
        "dZ1 = relu_backward(dA1, Z1 - 0.5)",
        ("argument of the derivative", "unknown", "wrong derivative"),
    ),
    Other("ng", "dA_prev = np.dot(W.T, dZ)", "dA_prev = np.dot(W.T, dZ) / m", ("1/N twice", "scale")),
    Other(
        "ng",
        'dA0, grads["dW1"], grads["db1"] = linear_backward(dZ1, cache1)',
        'dA0, grads["dW1"], grads["db1"] = linear_backward(dA1, cache1)',
        ("factor missing", "other value"),
    ),
    Other("modules", "np.outer(grad_output, self.act1)", "np.outer(grad_output, self.pre1)", ("z for a",)),
    Other("modules", "self.act1 * (1 - self.act1)", "(1 - self.act1)", ("factor missing", "wrong derivative")),
    Other("modules", "self.act1 * (1 - self.act1)", "self.pre1 * (1 - self.pre1)", ("argument of the derivative", "wrong derivative")),
    Other("modules", "2 * (output - target) / batch_size", "2 * (target - output) / batch_size", ("sign", "sign everywhere")),
    Other("modules", "2 * (output - target) / batch_size", "2 * (output - target)", ("1/N missing", "1/N missing everywhere")),
    Other("modules", "2 * (output - target) / batch_size", "(output - target) / batch_size", ("scale",)),
    Other("modules", "grad_fc1_bias = grad_pre1", "grad_fc1_bias = grad_act1", ("factor missing", "other value", "wrong derivative")),
    Other("modules", "np.outer(grad_pre1, self.sample)", "np.outer(grad_act1, self.sample)", ("factor missing", "other value")),
    Other("modules", "            total += grad", "            total[...] = grad", ("not summed", "term missing", "missing")),
    Other(
        "modules", "grad_act1 = self.fc2_weight.T @ grad_output", "grad_act1 = self.fc2_weight.T @ self.output", ("other value", "z for a")
    ),
]
