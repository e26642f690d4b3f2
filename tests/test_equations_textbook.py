"""Models as a textbook has them: the form was written down first, from the literature, and explain must print it."""

from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest

import tinygrad_hw as tg
from tinygrad_hw import Tensor, nn
from tinygrad_hw.equations import explain

rng = np.random.default_rng(11)
X, T = rng.normal(size=(6, 4)), rng.normal(size=(6, 1))
POSITIVE = (rng.uniform(size=(6, 1)) > 0.5).astype(float)
CLASSES = np.array([0, 1, 2, 0, 1, 2])
ROWS = np.eye(3)[CLASSES]
IMAGES = rng.normal(size=(2, 3, 6, 6))
K = np.cov(rng.normal(size=(4, 12))) + np.eye(4)


def P(*shape, name=None):
    return Tensor(rng.normal(size=shape), requires_grad=True, name=name)


def logistic(p):
    return -(POSITIVE * np.log(p) + (1 - POSITIVE) * np.log(1 - p)).mean()


def residual():
    W, V = P(4, 4), P(4, 1)
    return ((((X + np.tanh(X @ W)) @ V - T) ** 2).mean() / 2,)


def tied():
    W_x, W_h, v = P(4, 3, name="W_x"), P(3, 3, name="W_h"), P(3, 1)
    a = rng.normal(size=(6, 3))
    for x in (X, X[::-1].copy()):
        a = np.tanh(x @ W_x + a @ W_h)
    return (((a @ v - T) ** 2).mean() / 2,)


def lstm():
    W, U, b, h, c = P(4, 8), P(2, 8), P(8), rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    z = X @ W + h @ U + b
    i, f, o, g = tg.sigmoid(z[:, :2]), tg.sigmoid(z[:, 2:4]), tg.sigmoid(z[:, 4:6]), np.tanh(z[:, 6:])
    c_1 = f * c + i * g
    h_1 = o * np.tanh(c_1)
    return (h_1**2).sum() / 2, locals()


def gru():
    W_z, U_z, W_r, U_r, W_n, U_n = P(4, 2), P(2, 2), P(4, 2), P(2, 2), P(4, 2), P(2, 2)
    h = rng.normal(size=(6, 2))
    z, r = tg.sigmoid(X @ W_z + h @ U_z), tg.sigmoid(X @ W_r + h @ U_r)
    n = np.tanh(X @ W_n + (r * h) @ U_n)
    h_1 = (1 - z) * n + z * h
    return (h_1**2).sum() / 2, locals()


def layer_norm():
    W, gamma, beta = P(4, 5), P(5), P(5)
    z = X @ W
    d = z - z.mean(-1, keepdims=True)
    return (((d / np.sqrt((d**2).mean(-1, keepdims=True) + 1e-5) * gamma + beta) ** 2).sum() / 2, {"gamma": gamma, "beta": beta})


def batch_norm():
    W, gamma, beta = P(4, 5), P(5), P(5)
    z = X @ W
    d = z - z.mean(0)
    return (((d / np.sqrt((d**2).mean(0) + 1e-5) * gamma + beta) ** 2).sum() / 2, {"gamma": gamma, "beta": beta})


def attention():
    W_Q, W_K, W_V = P(4, 3), P(4, 3), P(4, 2)
    out = tg.softmax((X @ W_Q) @ (X @ W_K).T / np.sqrt(3)) @ (X @ W_V)
    return (out**2).sum() / 2, {"out": out}


def convolutions():
    W, V = P(2, 3, 3, 3), P(1, 2, 3, 3)
    return ((nn.functional.conv2d(tg.relu(nn.functional.conv2d(IMAGES, W)), V) ** 2).sum() / 2,)


def convolutional_layers():
    net = nn.Sequential(nn.Conv2d(3, 2, 3, rng=0), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3, rng=1))
    return (nn.cross_entropy(net(IMAGES), CLASSES[:2]),)


def divergence():
    mu, logvar = P(6, 2), P(6, 2)
    return -(1 + logvar - mu**2 - np.exp(logvar)).sum() / 2, locals()


def normal_likelihood():
    mu, s = P(6, 1), Tensor(np.exp(T), requires_grad=True)
    return (np.log(s) + (T - mu) ** 2 / (2 * s**2)).sum(), {"mu": mu, "sigma": s, "y": T}


def poisson():
    z = X @ P(4, 1)
    return ((np.exp(z) - T * z).mean(),)


def hinge():
    return (np.maximum(0, 1 - (2 * POSITIVE - 1) * (X @ P(4, 1))).mean(), {"t": 2 * POSITIVE - 1})


def columns_of_classes():
    W, b = P(3, 4), P(3, 1)
    e = np.exp(W @ X.T + b)
    return (-(ROWS.T * np.log(e / e.sum(0, keepdims=True))).sum(0).mean(),)


def stable_softmax():
    z = X @ P(4, 3) + P(3)
    e = np.exp(z - z.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return -np.log(p[np.arange(6), CLASSES]).mean(), {"p": p}


def policy_gradient():
    return (-(tg.log_softmax(X @ P(4, 3))[np.arange(6), CLASSES] * T[:, 0]).mean(), {"R": T[:, 0]})


def variational_autoencoder():
    h = np.tanh(X @ P(4, 3))
    mu, lv, e = h @ P(3, 2), h @ P(3, 2), rng.normal(size=(6, 2))
    z = mu + np.exp(lv / 2) * e
    return ((z @ P(2, 4) - X) ** 2).sum() / 2 - (1 + lv - mu**2 - np.exp(lv)).sum() / 2, {"mu": mu, "lv": lv, "e": e, "z": z}


def gru_of_layers():
    out, _ = nn.GRU(4, 2, rng=0)(rng.normal(size=(2, 3, 4)), rng.normal(size=(1, 3, 2)))
    return ((out**2).sum() / 2,)


def lstm_of_layers():
    state = tuple(rng.normal(size=(1, 3, 2)) for _ in "hc")
    out, _ = nn.LSTM(4, 2, rng=0)(rng.normal(size=(1, 3, 4)), state)
    return ((out**2).sum() / 2,)


def attention_of_layers():
    x = Tensor(rng.normal(size=(2, 3, 4)))
    return ((nn.MultiheadAttention(4, 2, batch_first=True, rng=0)(x, x, x)[0] ** 2).sum() / 2,)


def causal_attention_by_hand():
    W, V, x = P(4, 12, name="W_qkv"), P(4, 4, name="W_O"), rng.normal(size=(2, 3, 4))
    q, k, v = [part.reshape(2, 3, 2, 2).transpose(0, 2, 1, 3) for part in np.split(x @ W, 3, axis=-1)]
    A = tg.softmax(np.where(np.tri(3) > 0, q @ k.transpose(0, 1, 3, 2) / np.sqrt(2), -np.inf))
    return ((((A @ v).transpose(0, 2, 1, 3).reshape(2, 3, 4) @ V) ** 2).sum() / 2,)


def skip_connection():
    x = IMAGES[:1, :1]
    down, up = nn.Conv2d(1, 2, 3, padding=1, rng=0), nn.Conv2d(3, 1, 3, padding=1, rng=1)
    return (((up(np.concatenate([x, tg.relu(down(x))], axis=1)) - x) ** 2).sum() / 2,)


def siamese():
    W = P(4, 3)
    d = np.tanh(X @ W) - np.tanh(X[::-1].copy() @ W)
    return ((d**2).sum() / 2, {"d": d})


def gaussian_process():
    ell, s = (Tensor(v, requires_grad=True, name=n) for v, n in ((0.7, "ℓ"), (0.3, "s")))
    D = ((X[:, None] - X[None]) ** 2).sum(-1)
    K_y = np.exp(D / (-2 * ell**2)) + s**2 * np.eye(6)
    return np.linalg.slogdet(K_y)[1] / 2, {"D": D, "K": K_y}


def gradient_penalty():
    W = P(3, 3, name="W")
    g = tg.grad(lambda x: np.sum(np.sin(W @ x) ** 2))(P(3, name="x"))
    return ((g**2).sum(),)


def two_logs():
    a, b = P(3, name="a"), P(3, name="b")
    return (-tg.log_softmax(a)[0] - tg.log_softmax(b)[1],)


def weights_by_rows():
    W, b, V, c = P(3, 4), P(3), P(1, 3), P(1)
    return (((np.tanh(X @ W.T + b) @ V.T + c - T) ** 2).mean() / 2,)


def network():
    W1, b1, W2, b2 = P(4, 3), P(3), P(3, 1), P(1)
    return (((np.tanh(X @ W1 + b1) @ W2 + b2 - T) ** 2).mean() / 2,)


def columns():
    W1, b1, W2, b2 = P(3, 4), P(3, 1), P(2, 3), P(2, 1)
    return (((W2 @ np.tanh(W1 @ X.T + b1) + b2 - X.T[:2]) ** 2).sum() / 2,)


MODELS = {
    "linear regression": (lambda: (((X @ P(4, 1) - T) ** 2).mean() / 2,), ["ŷ = x W", "∂L/∂W = xᵀ (ŷ − y) / N"]),
    "least squares": (lambda: (((X @ P(4, name="θ") - T[:, 0]) ** 2).sum() / 2,), ["ŷ = x θ", "∂L/∂θ = xᵀ (ŷ − y)"]),
    "ridge regression": (
        lambda: (lambda W: (((X @ W - T) ** 2).sum() / 2 + 0.05 * (W**2).sum(),))(P(4, 1)),
        ["L = Σ (ŷ − y)² / 2 + Σ W² / 20", "∂L/∂W = W / 10 + xᵀ (ŷ − y)"],
    ),
    "logistic regression": (lambda: (logistic(tg.sigmoid(X @ P(4, 1))),), ["ŷ = σ(z₁)", "∂L/∂W = xᵀ (ŷ − y) / N"]),
    "logistic regression from logits": (
        lambda: (nn.binary_cross_entropy_with_logits(X @ P(4, 1), POSITIVE),),
        ["L = −mean(y ⊙ log(σ(z₁)) + (1 − y) ⊙ log(1 − σ(z₁)))", "∂L/∂W = xᵀ (σ(z₁) − y) / N"],
    ),
    "logistic regression by hand": (
        lambda: (logistic(1 / (1 + np.exp(-(X @ P(4, 1) + P(1))))),),
        ["ŷ = σ(z₁)", "δ₁ = (ŷ − y) / N", "∂L/∂W = xᵀ δ₁", "∂L/∂b = Σ₀ δ₁"],
    ),
    "logistic regression of layers": (
        lambda: (nn.binary_cross_entropy(nn.Sequential(nn.Linear(4, 1, rng=0), nn.Sigmoid())(X), POSITIVE),),
        ["ŷ = σ(z₁)", "L = −mean(y ⊙ log(ŷ) + (1 − y) ⊙ log(1 − ŷ))", "δ₁ = (ŷ − y) / N", "∂L/∂W = xᵀ δ₁"],
    ),
    "batch norm of layers": (
        lambda: (nn.mse_loss(nn.Sequential(nn.Linear(4, 3, rng=0), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 1, rng=1))(X), T),),
        ["x̂ = d / s", "z̃₁ = x̂ ⊙ γ + β", "a₁ = tanh(z̃₁)", "δ₂ = 2 (ŷ − y) / N", "δ_z̃₁ = (δ₂ W₂ᵀ) ⊙ tanh′(z̃₁)", "∂L/∂γ = Σ₀ (δ_z̃₁ ⊙ x̂)",
         "∂L/∂β = Σ₀ δ_z̃₁", "∂L/∂W₁ = xᵀ δ₁"],
    ),
    "convolution of layers": (
        convolutional_layers,
        ["z₁ = x ∗ W₁ + b₁", "a₁ = relu(z₁)", "δ₂ = (softmax(z₂) − Y) / N", "∂L/∂W₁ = x ⋆ δ₁", "∂L/∂b₁ = Σ₀,₂,₃ δ₁"],
    ),
    "attention of parameters": (
        lambda: (nn.functional.scaled_dot_product_attention(P(4, 3), P(4, 3), P(4, 3)).sum(),),
        ["S = Q Kᵀ / √3", "A = softmax(S)", "δ_S = A ⊙ (δ_A − Σ₁ (δ_A ⊙ A))", "∂L/∂Q = δ_S K / √3", "∂L/∂K = δ_Sᵀ Q / √3"],
    ),
    "softmax regression": (
        lambda: (nn.cross_entropy(X @ P(4, 3) + P(3), CLASSES),),
        ["L = −mean(Σ₁ (Y ⊙ log_softmax(z₁)))", "δ₁ = (softmax(z₁) − Y) / N", "∂L/∂W = xᵀ δ₁", "∂L/∂b = Σ₀ δ₁"],
    ),
    "softmax regression from probabilities": (
        lambda: (-(ROWS * np.log(tg.softmax(X @ P(4, 3)))).sum(-1).mean(),),
        ["ŷ = softmax(z₁)", "∂L/∂W = xᵀ (ŷ − y) / N"],
    ),
    "softmax regression by indices": (
        lambda: (-tg.log_softmax(X @ P(4, 3))[np.arange(6), CLASSES].mean(),),
        ["∂L/∂W = xᵀ (softmax(z₁) − Y) / N"],
    ),
    "Poisson regression": (poisson, ["L = mean(a₁ − y ⊙ z₁)", "∂L/∂W = xᵀ (a₁ − y) / N"]),
    "support vector machine": (hinge, ["∂L/∂W = −xᵀ ([1 − t ⊙ z₁ > 0] ⊙ t) / N"]),
    "network": (
        network,
        ["δ₂ = (ŷ − y) / N", "∂L/∂W₂ = a₁ᵀ δ₂", "∂L/∂b₂ = Σ₀ δ₂", "δ₁ = (δ₂ W₂ᵀ) ⊙ tanh′(z₁)", "∂L/∂W₁ = xᵀ δ₁", "∂L/∂b₁ = Σ₀ δ₁"],
    ),
    "network in columns": (
        columns,
        ["z₁ = W₁ x + b₁", "δ₂ = ŷ − y", "∂L/∂W₂ = δ₂ a₁ᵀ", "∂L/∂b₂ = Σ₁ δ₂", "δ₁ = (W₂ᵀ δ₂) ⊙ tanh′(z₁)", "∂L/∂W₁ = δ₁ xᵀ",
         "∂L/∂b₁ = Σ₁ δ₁"],
    ),
    "residual network": (residual, ["∂L/∂W₂ = (x + a₁)ᵀ δ₂", "∂L/∂W₁ = xᵀ ((δ₂ W₂ᵀ) ⊙ tanh′(z₁))"]),
    "recurrent network": (
        tied,
        ["δ₁ = (δ₂ Wₕᵀ) ⊙ tanh′(z₁)", "∂L/∂Wₓ = x₂ᵀ δ₂ + x₁ᵀ δ₁", "∂L/∂Wₕ = a₁ᵀ δ₂ + h₀ᵀ δ₁"],
    ),
    "LSTM": (
        lstm,
        ["i = σ(z[:, :2])", "g = tanh(z[:, 6:])", "c₁ = f ⊙ c + i ⊙ g", "h₁ = o ⊙ tanh(c₁)", "δ_c₁ = h₁ ⊙ o ⊙ tanh′(c₁)", "∂L/∂U = hᵀ δ_z"],
    ),
    "GRU": (gru, ["h₁ = (1 − z) ⊙ n + z ⊙ h", "n = tanh(z₃)", "∂L/∂Uₙ = (r ⊙ h)ᵀ δ₃", "∂L/∂U_z = hᵀ δ₁"]),
    "layer norm": (
        layer_norm,
        ["μ = mean(z₁, axis=1)", "d = z₁ − μ", "x̂ = d / s", "s = sqrt(σ² + 1e-05)", "z̃₁ = x̂ ⊙ γ + β", "∂L/∂β = Σ₀ z̃₁"],
    ),
    "batch norm": (batch_norm, ["μ = mean(z₁, axis=0)", "σ² = mean(d², axis=0)", "x̂ = d / s", "∂L/∂γ = Σ₀ (z̃₁ ⊙ x̂)"]),
    "attention": (
        attention,
        ["S = Q Kᵀ", "A = softmax(S / √3)", "out = A V", "δ_A = out Vᵀ", "δ_S = A ⊙ (δ_A − Σ₁ (δ_A ⊙ A)) / √3", "∂L/∂W_Q = xᵀ (δ_S K)",
         "∂L/∂W_K = xᵀ (δ_Sᵀ Q)", "∂L/∂W_V = xᵀ (Aᵀ out)"],
    ),
    "convolutions": (
        convolutions, ["z₁ = x ∗ W₁", "a₁ = relu(z₁)", "z₂ = a₁ ∗ W₂", "∂L/∂W₂ = a₁ ⋆ z₂", "∂L/∂W₁ = x ⋆ ((z₂ ∗ᵀ W₂) ⊙ relu′(z₁))"],
    ),
    "Kullback-Leibler divergence": (
        divergence, ["L = −Σ (1 + logvar − μ² − exp(logvar)) / 2", "∂L/∂μ = μ", "∂L/∂logvar = (exp(logvar) − 1) / 2"],
    ),
    "normal likelihood": (normal_likelihood, ["∂L/∂μ = (μ − y) / σ²"]),
    "inverse": (
        lambda: (lambda b: ((np.linalg.inv(P(4, 4, name="A")) @ b).sum(), {"b": b}))(rng.normal(size=(4, 1))),
        ["inv₁ = inv(A)", "∂L/∂A = −inv₁ᵀ (𝟏₄ₓ₁ bᵀ) inv₁ᵀ"],
    ),
    "log determinant": (lambda: (np.linalg.slogdet(Tensor(K, requires_grad=True, name="K"))[1],), ["∂L/∂K = inv(K)ᵀ"]),
    "bilinear form": (
        lambda: (lambda u, v: (u @ P(4, 3, name="W") @ v, {"u": u, "v": v}))(rng.normal(size=4), rng.normal(size=3)),
        ["∂L/∂W = u vᵀ"],
    ),
    "norm": (lambda: (np.linalg.norm(P(4, name="x")),), ["L = ‖x‖", "∂L/∂x = x / L"]),
    "cosine similarity": (
        lambda: (lambda x, y: ((x @ y) / (np.linalg.norm(x) * np.linalg.norm(y)), {"y": y}))(P(4, name="x"), rng.normal(size=4)), [],
    ),
    "rows of length 1": (
        lambda: (lambda A: (((A / np.linalg.norm(A, axis=1, keepdims=True)) ** 3).sum(), {}))(P(3, 4, name="A")),
        ["euclidean₁ = ‖A‖₁", "∂L/∂A = 3 (divide₁² / euclidean₁ − (Σ₁ divide₁³) ⊙ A / euclidean₁²)"],
    ),
    "softmax by hand, in columns": (
        columns_of_classes, ["ŷ = softmax(z₁, axis=0)", "δ₁ = (ŷ − y) / N", "∂L/∂W = δ₁ xᵀ", "∂L/∂b = Σ₁ δ₁"],
    ),
    "softmax by hand, without overflow": (stable_softmax, ["p = softmax(z₁)", "L = −mean(log(Σ₁ (Y ⊙ p)))", "δ₁ = (p − Y) / N"]),
    "policy gradient": (policy_gradient, ["∂L/∂W = xᵀ ((softmax(z₁) − Y) ⊙ R[:, None]) / N"]),
    "network of weights by rows": (
        weights_by_rows, ["z₁ = x W₁ᵀ + b₁", "ŷ = a₁ W₂ᵀ + b₂", "∂L/∂W₂ = δ₂ᵀ a₁", "δ₁ = (δ₂ W₂) ⊙ tanh′(z₁)", "∂L/∂W₁ = δ₁ᵀ x"],
    ),
    "principal components": (
        lambda: (lambda W: (((X - X @ W @ W.T) ** 2).sum() / 2,))(P(4, 2)),
        ["z₁ = x W", "x̂ = z₁ Wᵀ", "L = Σ (x − x̂)² / 2", "δ₂ = x̂ − x", "∂L/∂W = δ₂ᵀ z₁ + xᵀ (δ₂ W)"],
    ),
    "variational autoencoder": (
        variational_autoencoder, ["z = μ + exp(lv / 2) ⊙ e", "δ₄ = x̂ − x", "δ_z = δ₄ W₄ᵀ", "∂L/∂W₄ = zᵀ δ₄", "δ_μ = μ + δ_z"],
    ),
    "LSTM of layers": (
        lstm_of_layers,
        ["i = a₂[:, :2]", "g = tanh(z₂[:, 4:6])", "c = f ⊙ c₁ + i ⊙ g", "h = o ⊙ tanh(c)", "δ_c = δₕ ⊙ o ⊙ tanh′(c)",
         "δ₂ = concatenate(δ_c ⊙ g ⊙ σ′(z₂[:, :2]), δ_c ⊙ c₁ ⊙ σ′(z₂[:, 2:4]), δ_c ⊙ i ⊙ tanh′(z₂[:, 4:6]), "
         "δₕ ⊙ tanh(c) ⊙ σ′(z₂[:, 6:]), axis=1)"],
    ),
    "GRU of layers": (
        gru_of_layers, ["h₂ = n₂ + u₂ ⊙ subtract₂", "δₕ₁ = stack₁[0] + δ_subtract₂ + δ₃ cells.0.weight_hhᵀ"],
    ),
    "attention by heads": (
        attention_of_layers,
        ["Q = heads(z₁[…, :4], 2)", "K = heads(z₁[…, 4:8], 2)", "V = heads(z₁[…, 8:], 2)", "S = Q Kᵀ / √2", "A = softmax(S)",
         "δ_S = A ⊙ (δ_A − Σ₃ (δ_A ⊙ A))", "δ₁ = concatenate(joined(δ_S K) / √2, joined(δ_Sᵀ Q) / √2, joined(Aᵀ δ_matmul₂), axis=2)"],
    ),
    "causal attention by hand": (causal_attention_by_hand, ["K = heads(z₁[…, 4:8], 2)", "S = Q Kᵀ", "A = softmax(where(c, S / √2, −∞))"]),
    "skip connection": (
        skip_connection,
        ["z₁ = (x ∗ W₁, padding=1) + b₁", "x̂ = (concatenate₁ ∗ W₂, padding=1) + b₂", "δ₂ = x̂ − x", "∂L/∂b₂ = Σ δ₂",
         "δ₁ = (δ₂ ∗ᵀ W₂, padding=1)[:, 1:] ⊙ relu′(z₁)", "∂L/∂W₁ = (x ⋆ δ₁, padding=1)"],
    ),
    "two branches that share a weight": (siamese, ["∂L/∂W = x₁ᵀ (d ⊙ tanh′(z₁)) − x₂ᵀ (d ⊙ tanh′(z₂))"]),
    "Gaussian process": (gaussian_process, ["K = exp(−D / (2 ℓ²)) + s² · I", "δ_K = inv(K)ᵀ / 2", "∂L/∂s = 2 (Σ (δ_K ⊙ I)) · s"]),
    "gradient of a gradient": (
        gradient_penalty, ["δ₁ = 2 (cos₁² − a₁²) ⊙ δ_multiply₂", "∂L/∂x = Wᵀ δ₁", "∂L/∂W = 2 multiply₂ z₂ᵀ + δ₁ xᵀ"],
    ),
    "two negative terms": (
        two_logs, ["L = −(log_softmax(a)[0] + log_softmax(b)[1])", "∂L/∂a = softmax(a) − scatter(1, [0], (3,))"],
    ),
    "gelu": (lambda: (((tg.gelu(X @ P(4, 3)) @ P(3, 1) - T) ** 2).mean() / 2,), ["∂L/∂W₁ = xᵀ ((δ₂ W₂ᵀ) ⊙ gelu′(z₁))"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_explain_prints_the_form_of_the_textbook_and_it_agrees_with_the_engine(name):
    model, expected = MODELS[name]
    loss, *names = model()
    equations = explain(loss, names=names[0] if names else None)
    printed = [equation.text for equation in (*equations.forward, *equations.backward)]
    assert [line for line in expected if line not in printed] == [], "\n".join(printed)
    checked = equations.check()
    assert checked.unverified == {}
    assert checked.as_printed == checked.verified == tuple(range(1, len(printed) + 1))


@cache
def set_by_matplotlib(latex):
    """Set a formula, once where several models have it."""
    from matplotlib.mathtext import MathTextParser

    return MathTextParser("path").parse(f"${latex}$")


@pytest.mark.parametrize("name", MODELS)
def test_every_line_of_a_model_can_be_set_as_latex_and_as_mathml(name):
    loss, *names = MODELS[name][0]()
    equations = explain(loss, names=names[0] if names else None)
    ElementTree.fromstring(equations.mathml())
    for formula in (*equations.forward, *equations.backward, *equations.notes):
        assert set_by_matplotlib(formula.latex)


def test_the_hats_of_a_norm_are_set_as_accents():
    equations = explain(layer_norm()[0])
    assert r"\tilde{z}_{1} &= \hat{x} \odot" in equations.latex()
    assert "<mover><mi>z</mi><mo stretchy='false'>~</mo></mover>" in equations.mathml()


def test_the_parts_of_a_norm_stand_beside_the_lines_that_compute_them():
    net = nn.Sequential(nn.Linear(4, 3, rng=0), nn.BatchNorm1d(3), nn.Linear(3, 1, rng=1))
    step = tg.compile(lambda X, y: nn.mse_loss(net(X), y), tg.optim.SGD(net.parameters(), lr=0.1))
    step(X, T)
    beside = {
        line.split(" = ")[0].strip(): equation and equation.text
        for line, equation in explain(nn.mse_loss(net(X), T)).beside(step.source).rows
    }
    assert [beside[name] for name in ("sigma2", "x_hat", "z_tilde1")] == ["σ² = mean(d², axis=0)", "x̂ = d / s", "z̃₁ = x̂ ⊙ γ + β"]
    assert beside["dgamma"] == "∂L/∂γ = Σ₀ (δ_z̃₁ ⊙ x̂)"
