"""Programs of usual courses, as a learner writes them from memory: they run, learn, and compiled they do the same."""

import numpy as np
import pytest
from training import train

import tinygrad_hw as tg
from tinygrad_hw import Tensor, data, nn, optim
from tinygrad_hw.nn import functional as F


def test_linear_regression_finds_the_line():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X @ [2, -3.4] + 4.2 + 0.01 * rng.normal(size=300)
    net = nn.Sequential(nn.Linear(2, 1))
    nn.init.normal_(net[0].weight, 0, 0.01, rng=0)
    loss, trainer = nn.MSELoss(), optim.SGD(net.parameters(), lr=0.03)
    for epoch in range(8):
        for X_batch, y_batch in data.batches(X, y[:, None], size=10, rng=epoch):
            trainer.zero_grad()
            loss(net(X_batch), y_batch).backward()
            trainer.step()
    assert loss(net(X), y[:, None]).item() < 2e-4
    assert abs(net[0].bias.item() - 4.2) < 0.01


def images():
    """Return small images and which of four corners of each is bright."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 4, 96)
    pictures = rng.normal(size=(96, 1, 8, 8)).astype(np.float32)
    for picture, corner in zip(pictures[:, 0], corners):
        picture[4 * (corner // 2) :, 4 * (corner % 2) :][:4, :4] += 3
    return pictures, corners


class Residual(nn.Module):
    def __init__(self, inputs, outputs, strides=1):
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, stride=strides)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.conv3 = nn.Conv2d(inputs, outputs, 1, stride=strides) if strides > 1 else None
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)

    def forward(self, X):
        Y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(X)))))
        Y += X if self.conv3 is None else self.conv3(X)
        return F.relu(Y)


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1), nn.Flatten(), nn.Linear(64, 16), nn.Tanh(),
        nn.Linear(16, 4),
    )  # fmt: skip


def resnet():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), Residual(4, 4), Residual(4, 8, strides=2), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip


@pytest.mark.parametrize("make", [lenet, resnet])
def test_a_network_for_images_learns_in_single_precision_and_compiled_as_well(make):
    X, y = images()

    def trained(compiled):
        net = make().reset_parameters(0).astype(np.float32)
        optimizer = optim.Adam(net.parameters(), lr=0.02)
        batches = [batch for epoch in range(6) for batch in data.batches(X, y, size=32, rng=epoch)]
        train(lambda X, y: nn.cross_entropy(net(X), y, label_smoothing=0.01), optimizer, batches, compiled)
        net.eval()
        with tg.no_grad():
            return net(X).numpy()

    eager = trained(False)
    assert eager.dtype == np.float32
    assert data.accuracy(eager, y) > 0.95
    np.testing.assert_allclose(trained(True), eager, rtol=1e-2, atol=1e-2)


def test_a_character_model_with_batch_normalisation_by_hand_learns():
    g = np.random.default_rng(2147483647)
    V, E, H, B = 7, 4, 30, 2
    C, W1, W2 = (
        Tensor(g.normal(size=(V, E))),
        Tensor(g.normal(size=(E * B, H)) * (5 / 3) / (E * B) ** 0.5),
        Tensor(g.normal(size=(H, V)) * 0.01),
    )
    gain, bias, b2 = Tensor(np.ones((1, H))), Tensor(np.zeros((1, H))), Tensor(np.zeros(V))
    parameters = [C, W1, W2, b2, gain, bias]
    for p in parameters:
        p.requires_grad = True
    X = g.integers(0, V, (400, B))
    Y = X.sum(1) % V
    for _ in range(400):
        places = g.integers(0, len(X), 64)
        hidden = C[X[places]].reshape(64, -1) @ W1
        hidden = gain * (hidden - hidden.mean(0, keepdims=True)) / hidden.std(0, keepdims=True) + bias
        loss = F.cross_entropy(np.tanh(hidden) @ W2 + b2, Y[places])
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data += -0.3 * p.grad
    assert loss.item() < 0.3


class Block(nn.Module):
    def __init__(self, size, heads):
        self.ln_1, self.ln_2, self.heads = nn.LayerNorm(size), nn.LayerNorm(size), heads
        self.c_attn, self.c_proj = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.mlp = nn.Sequential(nn.Linear(size, 4 * size), nn.GELU(approximate="tanh"), nn.Linear(4 * size, size), nn.Dropout(0.05))

    def attn(self, x):
        B, T, C = x.shape
        q, k, v = (a.reshape(B, T, self.heads, -1).transpose(0, 2, 1, 3) for a in np.split(self.c_attn(x), 3, axis=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(0, 2, 1, 3).reshape(B, T, C))

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary, length, size, heads, layers):
        self.wte, self.wpe = nn.Embedding(vocabulary, size), nn.Embedding(length, size)
        self.h = nn.ModuleList([Block(size, heads) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(size)

    def forward(self, idx, targets=None):
        x = self.wte(idx) + self.wpe(np.arange(idx.shape[1]))
        for block in self.h:
            x = block(x)
        logits = self.ln_f(x) @ self.wte.weight.T  # (the weights are tied)
        if targets is None:
            return logits, None
        return logits, F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def trained_gpt(compiled):
    text = "hello world, hello graph. " * 8
    letters = sorted(set(text))
    codes = np.array([letters.index(c) for c in text])
    gpt = GPT(len(letters), 12, 16, 2, 2).reset_parameters(0)
    gpt.apply(lambda m: nn.init.normal_(m.weight, std=0.1, rng=1) if isinstance(m, (nn.Linear, nn.Embedding)) else None)
    matrices, vectors = ([p for p in gpt.parameters() if (p.ndim >= 2) == wide] for wide in (True, False))
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = optim.AdamW(groups, lr=0.02, betas=(0.9, 0.95))
    s = optim.lr_scheduler
    scheduler = s.SequentialLR(optimizer, [s.LinearLR(optimizer, 0.1, total_iters=3), s.CosineAnnealingLR(optimizer, 40)], [3])
    rng = np.random.default_rng(5)

    def batches():
        for _ in range(20):
            starts = rng.integers(0, len(codes) - 13, 8)
            yield tuple(np.stack([codes[i + shift : i + shift + 12] for i in starts]) for shift in (0, 1))
            scheduler.step()

    losses = train(lambda x, y: gpt(x, y)[1], optimizer, batches(), compiled)
    gpt.eval()
    idx = np.zeros((1, 1), int)
    for _ in range(5):
        with tg.no_grad():
            logits, _ = gpt(idx[:, -12:])
        p = tg.softmax(logits[0, -1]).numpy()
        idx = np.append(idx, [[rng.choice(len(letters), p=p / p.sum())]], 1)
    return losses, idx


def test_a_small_gpt_learns_generates_and_does_the_same_compiled():
    losses, written = trained_gpt(compiled=False)
    assert losses[-1] < 0.75 * losses[0]
    again, same = trained_gpt(compiled=True)
    np.testing.assert_allclose(again, losses, rtol=1e-8)
    np.testing.assert_array_equal(same, written)


def test_a_recurrent_language_model_learns():
    codes = np.array([0, 1, 2, 3, 2, 1] * 6)

    class Model(nn.Module):
        def __init__(self):
            self.rnn, self.out = nn.GRU(4, 16), nn.Linear(16, 4)

        def forward(self, idx, state=None):
            states, state = self.rnn(F.one_hot(idx.T, 4).astype(float), state)
            return self.out(states), state

    net = Model().reset_parameters(0)
    optimizer = optim.RMSprop(net.parameters(), lr=0.01)
    x, y = (np.stack([codes[i + shift : i + shift + 8] for i in range(8)]) for shift in (0, 1))
    for _ in range(40):
        logits, _ = net(x)
        loss = F.cross_entropy(logits.reshape(-1, 4), y.T.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    assert loss.item() < 0.5


def test_a_weight_that_is_replaced_after_the_optimiser_was_made_is_told():
    net = nn.Sequential(nn.Linear(2, 3, rng=0), nn.Linear(3, 1, rng=0))
    optimizer = optim.SGD(net.parameters(), lr=0.1)
    net[0].weight = Tensor(np.ones((2, 3)), requires_grad=True)
    net(np.ones((1, 2))).sum().backward()
    with pytest.warns(UserWarning, match=r"parameter 0 \('layers.0.weight'\) got no gradient.*was it replaced in its module since\?"):
        optimizer.step()


class CausalSelfAttention(nn.Module):
    def __init__(self, size, heads, length):
        super().__init__()
        self.c_attn, self.c_proj, self.n_head = nn.Linear(size, 3 * size), nn.Linear(size, size), heads
        self.register_buffer("bias", np.tril(np.ones((1, 1, length, length))))

    def forward(self, x):
        B, T, C = x.shape
        q, k, v = (part.reshape(B, T, self.n_head, -1).swapaxes(1, 2) for part in np.split(self.c_attn(x), 3, axis=2))
        scores = q @ k.swapaxes(-2, -1) / np.sqrt(k.shape[-1])
        weights = F.softmax(np.where(self.bias[:, :, :T, :T] == 0, float("-inf"), scores), dim=-1)
        return self.c_proj((weights @ v).swapaxes(1, 2).reshape(B, T, C))


class LectureGPT(nn.Module):
    def __init__(self, letters=11, length=8, size=16):
        super().__init__()
        parts = {"wte": nn.Embedding(letters, size), "wpe": nn.Embedding(length, size), "ln": nn.LayerNorm(size)}
        self.transformer = nn.ModuleDict(
            parts | {"attn": CausalSelfAttention(size, 2, length), "ln_f": nn.LayerNorm(normalized_shape=size)}
        )
        self.lm_head = nn.Linear(in_features=size, out_features=letters, bias=False)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=0.02, rng=0)

    def forward(self, codes, targets):
        x = self.transformer.wte(codes) + self.transformer.wpe(np.arange(codes.shape[1]))
        x = x + self.transformer.attn(self.transformer.ln(x))
        logits = self.lm_head(self.transformer.ln_f(x))
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))


def test_a_gpt_with_the_names_of_the_lecture_learns_to_count():
    net, rng, text = LectureGPT(), np.random.default_rng(0), np.arange(200) % 11
    named = net.named_parameters()
    groups = [{"params": [p for _, p in named if (p.ndim >= 2) == wide], "weight_decay": 0.1 * wide} for wide in (True, False)]
    optimizer = optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    for _ in range(60):
        starts = rng.integers(0, 180, 8)[:, None] + np.arange(8)
        optimizer.zero_grad(set_to_none=True)
        loss = net(text[starts], text[starts + 1])
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = 2e-2
        optimizer.step()
    assert loss.item() < 0.1
    assert "transformer.attn.c_attn.weight" in dict(named)


def test_a_convolutional_network_learns_its_sizes_and_draws_its_weights_as_the_book_says():
    net = nn.Sequential(
        *(nn.LazyConv2d(6, kernel_size=3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.AvgPool2d(kernel_size=2, stride=2)),
        *(nn.Flatten(), nn.LazyLinear(16), nn.Sigmoid(), nn.LazyLinear(4)),
    )
    X, y = images()
    trainer = optim.SGD(net.parameters(), lr=0.5)
    net(X[:2])
    net.apply(lambda layer: nn.init.xavier_uniform_(layer.weight, rng=0) if type(layer) in (nn.Linear, nn.Conv2d) else None)
    for epoch in range(6):
        for X_batch, y_batch in data.batches(X, y, size=32, rng=epoch):
            trainer.zero_grad()
            nn.CrossEntropyLoss()(net(X_batch), y_batch).backward()
            trainer.step()
    assert data.accuracy(net.eval()(X), y) > 0.9
