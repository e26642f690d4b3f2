"""What PyTorch computes for the layers, losses, optimisers and schedules of this package, and the same by this package.

``python tests/torch_twins.py``, run where PyTorch is installed, writes PyTorch's values and gradients to ``golden/torch.npz`` (made with
PyTorch 2.13.0 on float64, one thread). ``test_nn_torch.py`` compares with that file, and with PyTorch itself where it is installed.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORED = Path(__file__).parent / "golden" / "torch.npz"
STEPS = 30


class Twin(NamedTuple):
    """Inputs, and two functions of them: ours takes (tg, **tensors), theirs (torch, **tensors)."""

    inputs: dict[str, np.ndarray]
    ours: Callable[..., Any]
    theirs: Callable[..., Any]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random numbers."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


X, IMAGES, SIGNALS = normal(4, 6), normal(2, 4, 6, 6), normal(2, 3, 7)
CLASSES, HOLES = np.array([2, 0, 1, 2]), np.array([2, -100, 1, 0])
PLACES = np.array([[0, 2, 1], [1, 1, 0]])
SHARES = np.abs(normal(4, 3, seed=5)) / np.abs(normal(4, 3, seed=5)).sum(1, keepdims=True)
WEIGHTS = np.array([0.5, 2.0, 1.5])
SCORES, CUBE = normal(4, 3, seed=1), normal(2, 3, 3, seed=2)
SEQUENCE, SMALL = normal(5, 2, 3), normal(5, 2, 4)
TWINS: dict[str, Twin] = {}


def add(name: str, ours: Callable[..., Any], theirs: Callable[..., Any], **inputs: np.ndarray) -> None:
    """Add a twin."""
    TWINS[name] = Twin(inputs, ours, theirs)


# Activations
for _name, _ours, _theirs in [
    ("relu", lambda tg, x: tg.nn.ReLU()(x), lambda torch, x: torch.nn.ReLU()(x)),
    ("sigmoid", lambda tg, x: tg.nn.Sigmoid()(x), lambda torch, x: torch.nn.Sigmoid()(x)),
    ("tanh", lambda tg, x: tg.nn.Tanh()(x), lambda torch, x: torch.nn.Tanh()(x)),
    ("log_sigmoid", lambda tg, x: tg.nn.functional.log_sigmoid(x), lambda torch, x: torch.nn.functional.logsigmoid(x)),
    ("flatten", lambda tg, x: tg.nn.Flatten(0)(tg.nn.Identity()(x)), lambda torch, x: torch.nn.Flatten(0)(x)),
    ("silu", lambda tg, x: tg.nn.SiLU()(x), lambda torch, x: torch.nn.SiLU()(x)),
    ("elu", lambda tg, x: tg.nn.ELU(1.5)(x), lambda torch, x: torch.nn.ELU(1.5)(x)),
    ("gelu", lambda tg, x: tg.nn.GELU()(x), lambda torch, x: torch.nn.GELU()(x)),
    ("gelu_tanh", lambda tg, x: tg.nn.GELU("tanh")(x), lambda torch, x: torch.nn.GELU(approximate="tanh")(x)),
    ("leaky_relu", lambda tg, x: tg.nn.LeakyReLU(0.2)(x), lambda torch, x: torch.nn.LeakyReLU(0.2)(x)),
    ("softplus", lambda tg, x: tg.nn.Softplus()(x), lambda torch, x: torch.nn.Softplus()(x)),
    ("softmax", lambda tg, x: tg.nn.Softmax(dim=1)(x), lambda torch, x: torch.nn.Softmax(dim=1)(x)),
    ("log_softmax", lambda tg, x: tg.nn.LogSoftmax(dim=0)(x), lambda torch, x: torch.nn.LogSoftmax(dim=0)(x)),
]:
    add(_name, _ours, _theirs, x=2 * X)

# Losses
for _reduction in ("mean", "sum", "none"):
    for _name, _kwargs in [("mse_loss", {}), ("l1_loss", {}), ("huber_loss", {"delta": 0.7}), ("smooth_l1_loss", {"beta": 0.7})]:
        add(
            f"{_name} {_reduction}",
            lambda tg, x, t, f=_name, r=_reduction, k=_kwargs: getattr(tg.nn, f)(x, t, reduction=r, **k),
            lambda torch, x, t, f=_name, r=_reduction, k=_kwargs: getattr(torch.nn.functional, f)(x, t, reduction=r, **k),
            x=X,
            t=normal(4, 6, seed=3),
        )
    for _name, _low in [("binary_cross_entropy", True), ("binary_cross_entropy_with_logits", False)]:
        add(
            f"{_name} {_reduction}",
            lambda tg, x, t, f=_name, r=_reduction: getattr(tg.nn, f)(x, t, reduction=r),
            lambda torch, x, t, f=_name, r=_reduction: getattr(torch.nn.functional, f)(x, t, reduction=r),
            x=1 / (1 + np.exp(-X)) if _low else 3 * X,
            t=1 / (1 + np.exp(-normal(4, 6, seed=3))),
        )
    for _label, _scores, _target in [
        ("classes", SCORES, CLASSES), ("holes", SCORES, HOLES), ("shares", SCORES, SHARES), ("one", SCORES[0], np.array(1)),
        ("places", CUBE, PLACES), ("places with holes", CUBE, np.where(PLACES == 1, -100, PLACES)),
    ]:  # fmt: skip
        for _kwargs in ({}, {"weight": WEIGHTS}, {"label_smoothing": 0.3}, {"weight": WEIGHTS, "label_smoothing": 0.3}):
            add(
                f"cross_entropy {_label} {'+'.join(_kwargs)} {_reduction}",
                lambda tg, x, t=_target, r=_reduction, k=_kwargs: tg.nn.cross_entropy(x, t, reduction=r, **k),
                lambda torch, x, t=_target, r=_reduction, k=_kwargs: torch.nn.functional.cross_entropy(
                    x, torch.tensor(t), reduction=r, **{n: torch.tensor(v) if n == "weight" else v for n, v in k.items()}
                ),
                x=_scores,
            )
            if _label != "shares" and "label_smoothing" not in _kwargs:
                add(
                    f"nll_loss {_label} {'+'.join(_kwargs)} {_reduction}",
                    lambda tg, x, t=_target, r=_reduction, k=_kwargs: tg.nn.nll_loss(x, t, reduction=r, **k),
                    lambda torch, x, t=_target, r=_reduction, k=_kwargs: torch.nn.functional.nll_loss(
                        x, torch.tensor(t), reduction=r, **{n: torch.tensor(v) for n, v in k.items()}
                    ),
                    x=_scores,
                )


# Layers, called with parameters that are inputs
def layer(
    name: str, ours: Callable[[Any], Any], theirs: Callable[[Any], Any], x: Any, parameters: dict[str, Any], call: Any = None
) -> None:
    """Add a layer: our parameter's name -> (PyTorch's name, shape); matrices are PyTorch's transposed, but those of convolutions."""
    inputs = {"x": x, **{key: normal(*shape, seed=zlib.crc32(key.encode()) % 1000) for key, (_, shape) in parameters.items()}}
    call = call or (lambda module, x: module(x))

    def run_ours(tg: Any, x: Any, **values: Any) -> Any:
        module = ours(tg)
        names = dict(module.named_parameters())
        given = {key.replace("__", "."): value for key, value in values.items()}
        assert set(names) == set(given), (sorted(names), sorted(given))
        return call(_Bound(lambda *args, **kwargs: tg.nn.functional_call(module, given, *args, **kwargs)), x)

    def run_theirs(torch: Any, x: Any, **values: Any) -> Any:
        module = theirs(torch).double()
        given = {parameters[key][0]: value.T if value.ndim == 2 and "embed" not in name else value for key, value in values.items()}
        return call(_Bound(lambda *args, **kwargs: torch.func.functional_call(module, given, args, kwargs)), x)

    add(name, run_ours, run_theirs, **inputs)


class _Bound:
    """A module with its parameters given."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.call = call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.call(*args, **kwargs)


def same(name: str, *shape: int) -> dict[str, Any]:
    return {name: (name, shape)}


layer("linear", lambda tg: tg.nn.Linear(6, 3), lambda torch: torch.nn.Linear(6, 3), X, same("weight", 6, 3) | same("bias", 3))
for _kwargs in ({}, {"stride": 2, "padding": 1}, {"stride": (1, 2), "padding": (2, 0), "bias": False}):
    layer(
        f"conv2d {_kwargs}",
        lambda tg, k=_kwargs: tg.nn.Conv2d(4, 3, (3, 2), **k),
        lambda torch, k=_kwargs: torch.nn.Conv2d(4, 3, (3, 2), **k),
        IMAGES,
        same("weight", 3, 4, 3, 2) | (same("bias", 3) if _kwargs.get("bias", True) else {}),
    )
for _kwargs in ({"dilation": 2, "padding": (2, 0)}, {"groups": 2, "stride": 2}, {"groups": 4, "dilation": (1, 2)}):
    layer(
        f"conv2d {_kwargs}",
        lambda tg, k=_kwargs: tg.nn.Conv2d(4, 4, (3, 2), **k),
        lambda torch, k=_kwargs: torch.nn.Conv2d(4, 4, (3, 2), **k),
        IMAGES,
        same("weight", 4, 4 // _kwargs.get("groups", 1), 3, 2) | same("bias", 4),
    )
layer(
    "conv1d", lambda tg: tg.nn.Conv1d(3, 2, 3, stride=2, padding=1), lambda torch: torch.nn.Conv1d(3, 2, 3, stride=2, padding=1), SIGNALS,
    same("weight", 2, 3, 3) | same("bias", 2),
)  # fmt: skip
for _kind in ("MaxPool2d", "AvgPool2d", "MaxPool1d", "AvgPool1d"):
    for _kwargs in ({}, {"stride": 1, "padding": 1}):
        layer(
            f"{_kind} {_kwargs}",
            lambda tg, f=_kind, k=_kwargs: getattr(tg.nn, f)(2, **k),
            lambda torch, f=_kind, k=_kwargs: getattr(torch.nn, f)(2, **k),
            IMAGES if _kind.endswith("2d") else SIGNALS,
            {},
        )
for _size in (1, (4, 5), (7, 2)):
    add(
        f"adaptive_avg_pool2d {_size}",
        lambda tg, x, s=_size: tg.nn.AdaptiveAvgPool2d(s)(x),
        lambda torch, x, s=_size: torch.nn.AdaptiveAvgPool2d(s)(x),
        x=IMAGES,
    )
layer("layer_norm", lambda tg: tg.nn.LayerNorm(6), lambda torch: torch.nn.LayerNorm(6), X, same("weight", 6) | same("bias", 6))
add(
    "layer_norm of two axes",
    lambda tg, x, w, b: tg.nn.functional.layer_norm(x, (3, 7), w, b, eps=0.1),
    lambda torch, x, w, b: torch.nn.functional.layer_norm(x, (3, 7), w, b, eps=0.1),
    x=SIGNALS, w=normal(3, 7, seed=4), b=normal(3, 7, seed=5),
)  # fmt: skip
for _name in ("layer_norm", "rms_norm"):
    add(
        f"functional {_name}",
        lambda tg, x, w, f=_name: getattr(tg.nn.functional, f)(x, (6,), w),
        lambda torch, x, w, f=_name: getattr(torch.nn.functional, f)(x, (6,), w),
        x=X,
        w=normal(6, seed=4),
    )
for _training in (True, False):
    add(
        f"functional batch_norm training={_training}",
        lambda tg, x, m, v, w, b, t=_training: tg.nn.functional.batch_norm(
            x, *((None, None) if t else (m.numpy(), v.numpy() ** 2)), w, b, eps=1e-3
        ),
        lambda torch, x, m, v, w, b, t=_training: torch.nn.functional.batch_norm(
            x, *((None, None) if t else (m.detach(), (v * v).detach())), w, b, training=t, eps=1e-3
        ) + 0 * (m.sum() + v.sum()),
        x=IMAGES, m=normal(4, seed=1), v=normal(4, seed=2), w=normal(4, seed=3), b=normal(4, seed=4),
    )  # fmt: skip
layer("rms_norm", lambda tg: tg.nn.RMSNorm(6), lambda torch: torch.nn.RMSNorm(6), X, same("weight", 6))
for _kind, _x in (("BatchNorm1d", SIGNALS), ("BatchNorm2d", IMAGES)):

    def _twice(module: Any, x: Any) -> Any:
        return module(x) + module(x * 2)

    layer(
        _kind,
        lambda tg, f=_kind, x=_x: getattr(tg.nn, f)(x.shape[1]),
        lambda torch, f=_kind, x=_x: getattr(torch.nn, f)(x.shape[1]),
        _x,
        same("weight", _x.shape[1]) | same("bias", _x.shape[1]),
        _twice,
    )
layer(
    "embedding",
    lambda tg: tg.nn.Embedding(5, 3, padding_idx=1),
    lambda torch: torch.nn.Embedding(5, 3, padding_idx=1),
    np.zeros(1),
    same("weight", 5, 3),
    lambda module, x: module(np.array([[0, 1], [1, 4]]) if not hasattr(x, "detach_") else x.new_tensor([[0, 1], [1, 4]]).long()),
)


def recurrent(name: str, gates: int, layers: int, **kwargs: Any) -> None:
    """Add a recurrent layer."""
    parameters = {}
    ways = ("", "_reverse")[: 2 if kwargs.get("bidirectional") else 1]
    for i, (layer_, way) in enumerate((layer_, way) for layer_ in range(layers) for way in ways):
        for part, shape in [("weight_ih", (4 * len(ways) if layer_ else 3, 4 * gates)), ("weight_hh", (4, 4 * gates)),
                            ("bias_ih", (4 * gates,)), ("bias_hh", (4 * gates,))]:  # fmt: skip
            parameters[f"cells__{i}__{part}"] = (f"{part}_l{layer_}{way}", shape)

    def both(module: Any, x: Any) -> Any:
        states, last = module(x)
        return (states, *last) if isinstance(last, tuple) else (states, last)

    layer(
        f"{name} {layers} {kwargs}",
        lambda tg: getattr(tg.nn, name)(3, 4, num_layers=layers, **kwargs),
        lambda torch: getattr(torch.nn, name)(3, 4, num_layers=layers, **kwargs),
        SEQUENCE,
        parameters,
        both,
    )


for _layers, _kwargs in ((1, {}), (2, {"batch_first": True}), (2, {"bidirectional": True})):
    recurrent("RNN", 1, _layers, **_kwargs)
    recurrent("LSTM", 4, _layers, **_kwargs)
    recurrent("GRU", 3, _layers, **_kwargs)
recurrent("RNN", 1, 1, nonlinearity="relu")

for _kind, _gates in (("RNNCell", 1), ("LSTMCell", 4), ("GRUCell", 3)):
    layer(
        _kind,
        lambda tg, f=_kind: getattr(tg.nn, f)(3, 4),
        lambda torch, f=_kind: getattr(torch.nn, f)(3, 4),
        normal(5, 3),
        {name: (name, shape) for name, shape in [
            ("weight_ih", (3, 4 * _gates)), ("weight_hh", (4, 4 * _gates)), ("bias_ih", (4 * _gates,)), ("bias_hh", (4 * _gates,)),
        ]},
        lambda module, x: module(x * 2, module(x)),
    )  # fmt: skip

ATTENTION = {"in_weight": ("in_proj_weight", (4, 12)), "in_bias": ("in_proj_bias", (12,)), "out_weight": ("out_proj.weight", (4, 4)),
             "out_bias": ("out_proj.bias", (4,))}  # fmt: skip
UNSEEN = np.triu(np.ones((5, 5), bool), 2)
for _label, _call in {
    "self": lambda module, x: module(x, x, x),
    "other": lambda module, x: module(x[:2], x[1:], x[1:] * 2),
    "masked": lambda module, x: module(x, x, x, attn_mask=_like(x, UNSEEN)),
    "added": lambda module, x: module(x, x, x, attn_mask=_like(x, normal(5, 5, seed=8))),
    "padded": lambda module, x: module(x, x, x, key_padding_mask=_like(x, np.array([[False] * 4 + [True], [False] * 3 + [True] * 2]))),
}.items():
    layer(
        f"attention {_label}",
        lambda tg: tg.nn.MultiheadAttention(4, 2),
        lambda torch: torch.nn.MultiheadAttention(4, 2),
        SMALL,
        ATTENTION,
        _call,
    )


def _like(x: Any, mask: np.ndarray) -> Any:
    """Return a mask as x's library has it."""
    return sys.modules["torch"].tensor(mask) if hasattr(x, "detach_") else mask


for _kwargs in ({}, {"is_causal": True}, {"scale": 0.3}):
    add(
        f"scaled_dot_product_attention {_kwargs}",
        lambda tg, q, k, v, o=_kwargs: tg.nn.functional.scaled_dot_product_attention(q, k, v, **o),
        lambda torch, q, k, v, o=_kwargs: torch.nn.functional.scaled_dot_product_attention(q, k, v, **o),
        q=normal(2, 3, 4, 5),
        k=normal(2, 3, 6, 5),
        v=normal(2, 3, 6, 2),
    )
add(
    "clip_grad_norm_",
    lambda tg, x: _clipped(tg.nn.utils.clip_grad_norm_, tg.Tensor(x.numpy(), requires_grad=True)) * (x * 0 + 1),
    lambda torch, x: _clipped(torch.nn.utils.clip_grad_norm_, x.detach().clone().requires_grad_()) * (x * 0 + 1),
    x=X,
)
add(
    "clip_grad_value_",
    lambda tg, x: _clipped(tg.nn.utils.clip_grad_value_, tg.Tensor(x.numpy(), requires_grad=True)) * (x * 0 + 1),
    lambda torch, x: _clipped(torch.nn.utils.clip_grad_value_, x.detach().clone().requires_grad_()) * (x * 0 + 1),
    x=X,
)


def _clipped(clip: Any, w: Any) -> Any:
    (w * w).sum().backward()
    clip([w], 1.5)
    return w.grad


# Optimisers and schedules: what is left after some steps
OPTIMISERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.1}),
    "SGD nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "Adam": ("Adam", {"lr": 0.1, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "AdamW": ("AdamW", {"lr": 0.1}),
    "AdamW settings": ("AdamW", {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}),
    "Adagrad": ("Adagrad", {"lr": 0.1, "lr_decay": 0.05, "weight_decay": 0.1, "initial_accumulator_value": 0.2}),
    "RMSprop": ("RMSprop", {"weight_decay": 0.1}),
    "RMSprop momentum": ("RMSprop", {"lr": 0.05, "momentum": 0.5, "alpha": 0.9}),
    "RMSprop centered": ("RMSprop", {"lr": 0.05, "centered": True, "eps": 1e-4}),
}
MEMORY = {
    "momentum_buffer": "direction",
    "exp_avg": "mean",
    "exp_avg_sq": "square",
    "square_avg": "square",
    "sum": "square",
    "grad_avg": "mean",
}
SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "StepLR": lambda s, o: s.StepLR(o, 7, 0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 3, 20], 0.5),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, 0.8, 12),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 20, 0.01),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda t: 1 / (1 + t)),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 25)], [5]),
}


def trained(make: Callable[[list[Any]], Any], parameters: list[Any], sin: Callable[[Any], Any]) -> Any:
    """Step along made-up gradients; return the optimiser."""
    optimizer = make([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.02}])
    for i in range(STEPS):
        for parameter in parameters:
            parameter.grad = sin(parameter.detach() * 3 + i) + 0.1
        optimizer.step()
    return optimizer


def rates(optimizer: Any, scheduler: Any) -> np.ndarray:
    """Return the learning rates of both groups over the steps."""
    found = []
    for _ in range(STEPS):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return np.array(found)


def parts(out: Any) -> list[Any]:
    """Return the results as a list."""
    return list(out) if isinstance(out, (tuple, list)) else [out]


def by_torch(torch: Any) -> dict[str, np.ndarray]:
    """Return all of PyTorch's values and gradients."""
    found: dict[str, Any] = {}
    for name, twin in TWINS.items():
        tensors = {key: torch.tensor(value, requires_grad=True) for key, value in twin.inputs.items()}
        outs = parts(twin.theirs(torch, **tensors))
        for i, out in enumerate(outs):
            found[f"{name}/out{i}"] = out.detach().numpy()
        total = sum((out * torch.tensor(normal(*out.shape, seed=9 + i))).sum() for i, out in enumerate(outs))
        total.backward()
        for key, tensor in tensors.items():
            found[f"{name}/grad_{key}"] = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad.numpy()
    for name, (kind, settings) in OPTIMISERS.items():
        leaves = [torch.tensor(normal(3, 2), requires_grad=True), torch.tensor(normal(2), requires_grad=True)]
        optimizer = trained(lambda groups, kind=kind, settings=settings: getattr(torch.optim, kind)(groups, **settings), leaves, torch.sin)
        for i, leaf in enumerate(leaves):
            found[f"{name}/value{i}"] = leaf.detach().numpy()
            for key, kept in optimizer.state[leaf].items():
                if key in MEMORY and kept is not None:
                    found[f"{name}/{MEMORY[key]}{i}"] = kept.numpy()
    for name, make in SCHEDULES.items():
        leaves = [torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)]
        for leaf in leaves:
            leaf.grad = torch.zeros(1)
        optimizer = torch.optim.SGD([{"params": leaves[:1]}, {"params": leaves[1:], "lr": 0.2}], lr=1.0)
        found[f"{name}/rates"] = rates(optimizer, make(torch.optim.lr_scheduler, optimizer))
    return found


if __name__ == "__main__":
    import torch as _torch

    np.savez_compressed(STORED, **by_torch(_torch))
    print(f"{STORED}: {STORED.stat().st_size} bytes, {len(TWINS)} twins, PyTorch {_torch.__version__}")
