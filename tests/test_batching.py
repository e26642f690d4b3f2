"""vmap is a loop: values, shapes and gradients are those of the function called for each entry, one after the other."""

import random
import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import random_program

import tinygrad_hw as tg
from tinygrad_hw import BatchError, Tensor, checkpoint, grad, hessian, hvp, jacobian, jvp, primitive, value_and_grad, vjp, vmap
from tinygrad_hw.nn import functional
from tinygrad_hw.rules import COMPOSITIONS, NO_DERIVATIVE, RULES, SPELLINGS
from tinygrad_hw.testing.programs import attempt
from tinygrad_hw.trees import leaves, mapped, rebuilt

RNG = np.random.default_rng(0)
W, V, SQUARE = RNG.normal(size=(3, 4)), RNG.normal(size=4), RNG.normal(size=(3, 3))


def array(x):
    """Return a Tensor's values, or an array as it is."""
    return x.numpy() if isinstance(x, Tensor) else np.asarray(x)


def looped(f, *batches):
    """Return what a loop over the entries gives, stacked."""
    results = [f(*entries) for entries in zip(*batches)]
    return rebuilt(results[0], [np.stack([array(y) for y in column]) for column in zip(*map(leaves, results))])


def assert_equal(found, wanted, rtol=1e-11):
    found, wanted = mapped(array, found), mapped(array, wanted)
    assert len(leaves(found)) == len(leaves(wanted))
    for x, y in zip(leaves(found), leaves(wanted)):
        assert x.shape == y.shape
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-12)


def positive_definite(x):
    return x @ np.swapaxes(x, -1, -2) + 3 * np.eye(3)


def written(x):
    y = 0 * x
    y[1:] = x[:-1] * 2
    y[0] += 3
    return y


FUNCTIONS = {  # of a (3, 4) array
    "arithmetic": lambda x: 2 * x - x**2 / 3 + 1 // (x + 5) + x % 2,
    "with a vector": lambda x: x * V + V,
    "with a column": lambda x: x - x[:, :1],
    "ranks that differ": lambda x: x[0] * x,
    "a scalar and a matrix": lambda x: x[0, 0] * x,
    "comparisons": lambda x: (x > 0) & (x < 1) | ~(x == x.max()),
    "where": lambda x: np.where(x > 0, x, -2 * x),
    "maximum": lambda x: np.maximum(x, 0.5) + np.minimum(x, x[0]),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "hypot": lambda x: np.hypot(x, 1.0),
    "divmod": lambda x: np.divmod(x, 0.3),
    "modf": np.modf,
    "sum": np.sum,
    "sum along an axis": lambda x: x.sum(axis=1),
    "sum along a negative axis": lambda x: np.sum(x, -2, keepdims=True),
    "mean of two axes": lambda x: np.mean(x, axis=(0, 1)),
    "max": lambda x: x.max(0) - x.min(),
    "var": lambda x: np.var(x, axis=0, ddof=1),
    "std": lambda x: x.std(),
    "prod": lambda x: np.prod(x, axis=-1),
    "masked mean": lambda x: np.mean(x, axis=1, where=x > -10),
    "nanmax": lambda x: np.nanmax(x, axis=0),
    "any and all": lambda x: (np.any(x > 1, axis=0), np.all(x < 3)),
    "argmax": lambda x: (x.argmax(), np.argmin(x, axis=1)),
    "count_nonzero": lambda x: np.count_nonzero(x > 0, axis=0),
    "cumsum": lambda x: (np.cumsum(x), np.cumprod(x, axis=1)),
    "median": lambda x: (np.median(x), np.median(x, axis=0)),
    "quantile": lambda x: (np.quantile(x, 0.3, axis=1), np.quantile(x, [0.2, 0.9])),
    "sort": lambda x: (np.sort(x), np.sort(x, axis=None), np.argsort(x, axis=0)),
    "partition": lambda x: np.partition(x, 1, axis=1)[:, 1],
    "diff": lambda x: (np.diff(x), np.diff(x, 2, axis=0)),
    "ptp": lambda x: np.ptp(x, axis=0),
    "logsumexp": lambda x: (tg.logsumexp(x), tg.logsumexp(x, axis=0)),
    "softmax": lambda x: (tg.softmax(x), tg.log_softmax(x, axis=0)),
    "activations": lambda x: tg.relu(x) + tg.sigmoid(x) + tg.gelu(x) + tg.softplus(x) + tg.leaky_relu(x, 0.1),
    "reshape": lambda x: (x.reshape(2, 6), np.reshape(x, -1), x.reshape(4, -1), np.reshape(x, (2, 6), order="F")),
    "ravel": lambda x: (np.ravel(x), x.flatten()),
    "transpose": lambda x: (x.T, np.transpose(x, (1, 0)), x.swapaxes(0, 1), np.moveaxis(x, 0, -1), x.mT),
    "new axes": lambda x: (x[None], np.expand_dims(x, (0, 3)), x[:, None, :, None], np.squeeze(x[None])),
    "broadcast_to": lambda x: np.broadcast_to(x[0], (2, 4)),
    "flip and roll": lambda x: (np.flip(x), np.flip(x, 1), np.roll(x, 2), np.roll(x, 1, axis=0), np.rot90(x)),
    "tile and repeat": lambda x: (np.tile(x, 2), np.repeat(x, 2, axis=1)),
    "concatenate": lambda x: (np.concatenate([x, 2 * x]), np.concatenate([x, W], axis=1), np.hstack([x, x]), np.vstack([x, V])),
    "stack": lambda x: (np.stack([x, W], axis=1), np.stack([x[0, 0], 1.0]), np.append(x, 3.0)),
    "split": lambda x: np.split(x, 2, axis=1),
    "pad": lambda x: (np.pad(x, 1), np.pad(x, ((0, 1), (2, 0)), mode="edge")),
    "triangles": lambda x: (np.tril(x), np.triu(x, 1), np.diag(x), np.trace(x), np.diagonal(x, 1)),
    "indexing": lambda x: (x[1], x[..., -1], x[::2, 1:3], x[1, 2], x[-1:]),
    "fancy indexing": lambda x: (x[[0, 2, 0]], x[:, [1, 1]], x[[0, 1], [2, 3]], x[[[0], [2]], [1, 0]], x[0, [1, 2]], x[None, [1], None]),
    "separated fancy indexing": lambda x: (x[:, None][[0, 1], :, [1, 2]], x[None][0, :, [1, 2, 0]]),
    "masks of constants": lambda x: (x[np.array([True, False, True])], x[W > 0]),
    "batched indices": lambda x: (x[x.argmax(0) % 3], x[:, x.argmax(1)], x[0, x.argmax()  % 4], W[1:][:, [0]] * x[1:, x[0].argsort()]),
    "batched separated indices": lambda x: (x[:, None][x[0, :2].argsort(), :, [1, 2]], x[None, :, x.argmax(1)]),
    "take": lambda x: (
        np.take(x, [1, 0], axis=1), np.take(x, x.argmax(1) % 3, axis=0), np.take_along_axis(x, x.argsort(1), 1), x.take([5, 2]),
    ),
    "writing": written,
    "writing where": lambda x: (lambda y: (y.__setitem__(y > 0, 7.0), y)[1])(x.copy()),
    "in place": lambda x: (lambda y: y.__iadd__(V))(x.copy()),
    "matrix products": lambda x: (x @ W.T, W.T @ x, x @ V, W[:, 0] @ x, x @ x.T, x[0] @ x[1], x[:, 0] @ x, np.dot(x, V)),
    "other products": lambda x: (np.outer(x[0], V), np.inner(x, x), np.tensordot(x, W, axes=2), np.vdot(x, W), np.kron(x[:2, :2], W)),
    "einsum": lambda x: (
        np.einsum("ij,kj->ik", x, W), np.einsum("ij,ij", x, x), np.einsum("ij->j", x), np.einsum("ij,jk,kl->il", x, W.T, W),
    ),
    "linear algebra": lambda x: (np.linalg.inv(x @ W.T), np.linalg.det(x @ x.T), np.linalg.norm(x), np.linalg.norm(x, axis=1)),
    "solve": lambda x: (
        np.linalg.solve(positive_definite(x), x), np.linalg.solve(positive_definite(x), x[:, 0]), np.linalg.solve(SQUARE, x[:, 0]),
    ),
    "decompositions": lambda x: (
        np.linalg.cholesky(positive_definite(x)), np.linalg.eigvalsh(positive_definite(x)), np.linalg.slogdet(x @ W.T),
    ),
    "svd": lambda x: (np.linalg.svd(x, compute_uv=False), np.linalg.pinv(x), np.abs(np.linalg.qr(x)[1])),
    "fft": lambda x: (np.abs(np.fft.fft(x)), np.fft.rfft(x, axis=0).imag, np.fft.ifft(x, 3).real),
    "trapezoid": lambda x: (np.trapezoid(x), np.gradient(x[0]), np.interp(x[0], [-1.0, 0.0, 2.0], [1.0, 3.0, 2.0])),
    "convolve": lambda x: (np.convolve(x[0], V), np.correlate(x[0], x[1], "same")),
    "cross": lambda x: np.cross(x[:, 0], x[:, 1]),
    "searchsorted": lambda x: (np.searchsorted([-1.0, 0.0, 1.0], x), np.digitize(x, [0.0, 1.0])),
    "polynomials": lambda x: np.polyval(x[0], x[1]),
    "histograms": lambda x: np.histogram(x, bins=3, range=(-3, 3))[0],
    "shapes of one entry": lambda x: x * (x.shape[0] + np.ndim(x) + np.size(x) + len(x) + x.ndim + x.size),
    "iteration": lambda x: sum(row * i for i, row in enumerate(x)),
    "constants": lambda x: (np.full_like(x, 2.0), np.ones_like(x), np.zeros(2), 1.5),
    "dtypes": lambda x: (x.astype(np.float32), x.round(2).astype(int), np.float32(2) * x.astype(np.float32)),
    "complex numbers": lambda x: (np.exp(1j * x), (x + 2j * x).imag, np.abs(x + 1j), np.angle(x + 1j)),
    "reductions of ufuncs": lambda x: (
        np.add.reduce(x), np.maximum.accumulate(x, axis=1), np.multiply.outer(x[0], V), np.logical_or.reduce(x > 1),
    ),
    "where twice": lambda x: np.select([x > 1, x > 0], [x, -x], 0.0),
    "unique of equal counts": lambda x: np.unique(np.round(x * 1e6)),
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_of_a_batch_is_the_function_of_each_entry(name):
    x = np.random.default_rng(1).normal(size=(5, 3, 4))
    assert_equal(vmap(FUNCTIONS[name])(x), looped(FUNCTIONS[name], x))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_vmap_in_a_vmap_is_two_loops(name):
    x = np.random.default_rng(2).normal(size=(2, 3, 3, 4))
    assert_equal(vmap(vmap(FUNCTIONS[name]))(x), looped(lambda part: looped(FUNCTIONS[name], part), x))


TABLE = sorted(
    (f for f in {*RULES, *COMPOSITIONS, *NO_DERIVATIVE, *SPELLINGS} if isinstance(f, np.ufunc) or str(f.__module__).startswith("numpy")),
    key=lambda f: f.__name__,
)
OTHERS = {
    "copyto",
    "put",
    "place",
    "putmask",
    "empty_like",
    "save",
    "savetxt",
    "savez",
    "savez_compressed",
}  # writers, files, what is not set
KINDS = {
    "float64": RNG.normal(size=(2, 3, 3)),
    "with nan": np.where(RNG.random((2, 3, 3)) > 0.7, np.nan, RNG.normal(size=(2, 3, 3))),
    "float32": RNG.normal(size=(2, 3, 3)).astype(np.float32),
    "int64": RNG.integers(-3, 4, (2, 3, 3)),
    "bool": RNG.random((2, 3, 3)) > 0.5,
    "vectors": RNG.normal(size=(2, 4)),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_every_function_of_the_table_gives_for_a_batch_what_numpy_gives_for_each_entry(kind):
    x, checked = KINDS[kind], 0
    for f in TABLE:
        if f.__name__ in OTHERS:
            continue
        try:
            results = [f(entry) for entry in x]
            wanted = [np.stack(column) for column in zip(*(map(np.asarray, leaves(result)) for result in results))]
        except Exception:  # (it takes other arguments, or gives other shapes for each entry)
            continue
        if any(w.dtype.kind not in "biufc" for w in wanted):
            continue
        found = leaves(vmap(f)(x))
        assert [(y.shape, y.dtype) for y in found] == [(w.shape, w.dtype) for w in wanted], f.__name__
        for y, w in zip(found, wanted):
            np.testing.assert_allclose(y, w, rtol=1e-5 if w.dtype.itemsize < 8 else 1e-10, atol=1e-6 if w.dtype.itemsize < 8 else 1e-12)
        checked += 1
    assert checked > 100


SMOOTH = [
    "arithmetic", "with a vector", "ranks that differ", "where", "maximum", "sum along an axis", "max", "var", "prod",
    "cumsum", "sort", "logsumexp",
    "softmax", "activations", "reshape", "transpose", "new axes", "broadcast_to", "flip and roll", "tile and repeat",
    "concatenate", "stack",
    "pad", "triangles", "indexing", "fancy indexing", "separated fancy indexing", "batched indices",
    "batched separated indices", "take", "writing",
    "matrix products", "other products", "einsum", "linear algebra", "solve", "decompositions", "fft", "convolve", "cross",
    "polynomials", "median",
]  # fmt: skip


def weighed(f):
    """Return f as a function to one number: each number of its results times a weight of its own."""

    def to_one_number(x):
        rng = np.random.default_rng(3)
        parts = [y for y in leaves(f(x)) if y.dtype.kind == "f"]
        return sum(np.sum(np.sin(y) * rng.normal(size=np.shape(y))) for y in parts)

    return to_one_number


@pytest.mark.parametrize("name", SMOOTH)
def test_the_gradient_of_each_entry_is_the_gradient_in_a_loop(name):
    x, f = np.random.default_rng(4).normal(size=(3, 3, 4)), weighed(FUNCTIONS[name])
    assert_equal(vmap(grad(f))(x), looped(grad(f), x), rtol=1e-8)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_gradient_through_a_vmap_is_the_gradient_through_a_loop(name):
    x, f = np.random.default_rng(5).normal(size=(3, 3, 4)), weighed(FUNCTIONS[name])
    assert_equal(grad(lambda x: np.sum(vmap(f)(x) ** 2))(x), grad(lambda x: sum(f(row) ** 2 for row in x))(x), rtol=1e-8)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_jacobian_swept_many_rows_at_once_is_that_of_a_row_at_a_time(name):
    x, f = np.random.default_rng(6).normal(size=(3, 4)), FUNCTIONS[name]
    f_flat = lambda x: np.concatenate([np.ravel(y) for y in leaves(f(x)) if y.dtype.kind == "f"])
    out, pullback = vjp(f_flat, x)
    assert_equal(jacobian(f_flat)(x), np.stack([pullback(row) for row in np.eye(len(out))]), rtol=1e-8)


@pytest.mark.parametrize("name", sorted(set(SMOOTH) - {"median"}))  # (whose rule decides by values)
def test_a_vmap_compiles(name):
    x, f = np.random.default_rng(7).normal(size=(3, 3, 4)), weighed(FUNCTIONS[name])
    compiled = tg.compile(vmap(f))
    for scale in (1.0, 0.9):
        assert_equal(compiled(scale * x), looped(f, scale * x), rtol=1e-8)


def network(parameters, x):
    weight, bias, last = parameters
    return np.tanh(x @ weight + bias) @ last


def loss(parameters, x, y):
    return np.sum((network(parameters, x) - y) ** 2)


def examples(n=5):
    rng = np.random.default_rng(8)
    parameters = (rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(4, 2)))
    return parameters, rng.normal(size=(n, 3)), rng.normal(size=(n, 2))


def test_per_example_gradients_are_those_of_a_loop():
    parameters, x, y = examples()
    assert_equal(vmap(grad(loss), (None, 0, 0))(parameters, x, y), looped(lambda x, y: grad(loss)(parameters, x, y), x, y))


def test_values_come_with_per_example_gradients():
    parameters, x, y = examples()
    wanted = looped(lambda x, y: value_and_grad(loss, (0, 1))(parameters, x, y), x, y)
    assert_equal(vmap(value_and_grad(loss, (0, 1)), (None, 0, 0))(parameters, x, y), wanted)


def test_per_example_gradients_compile_and_follow_new_values():
    parameters, x, y = examples()
    compiled = tg.compile(vmap(grad(loss), (None, 0, 0)))
    for moved in (parameters, mapped(np.sin, parameters), mapped(np.cos, parameters)):
        assert_equal(compiled(moved, x, y), looped(partial(grad(loss), moved), x, y))


def test_integer_labels_are_taken_for_each_example():
    x, labels, weight = RNG.normal(size=(6, 3)), np.array([0, 3, 1, 1, 2, 0]), W
    negative_log_likelihood = lambda weight, x, label: -tg.log_softmax(x @ weight)[label]
    wanted = looped(lambda x, label: grad(negative_log_likelihood)(weight, x, int(label)), x, labels)
    assert_equal(vmap(grad(negative_log_likelihood), (None, 0, 0))(weight, x, labels), wanted)
    compiled = tg.compile(vmap(grad(negative_log_likelihood), (None, 0, 0)))
    for _ in range(2):
        assert_equal(compiled(weight, x, labels), wanted)


def test_an_embedding_is_looked_up_for_each_example_whatever_holds_it():
    tokens, table = RNG.integers(0, 3, (4, 5)), W
    assert_equal(vmap(lambda table, i: table[i], (None, 0))(table, tokens), table[tokens])
    assert_equal(vmap(lambda i: Tensor(table)[i])(tokens), table[tokens])
    assert_equal(vmap(lambda table, i: np.take(table, i, axis=0), (None, 0))(table, tokens), table[tokens])
    lookup = lambda table, i: np.sum(table[i] ** 3)
    assert_equal(vmap(grad(lookup), (None, 0))(table, tokens), looped(lambda i: grad(lookup)(table, i), tokens))


def test_the_gradient_for_each_example_of_a_module():
    net = tg.nn.Sequential(tg.nn.Linear(3, 5, rng=np.random.default_rng(9)), tg.nn.Tanh(), tg.nn.Linear(5, 4, rng=np.random.default_rng(9)))
    x, labels = RNG.normal(size=(6, 3)), np.array([0, 3, 1, 1, 2, 0])
    loss = lambda net, x, label: -tg.log_softmax(net(x))[label]
    found = vmap(grad(loss), (None, 0, 0))(net, x, labels)
    assert_equal(found, looped(lambda x, label: grad(loss)(net, x, int(label)), x, labels))
    assert all(isinstance(parameter, Tensor) for parameter in net.parameters())


def test_per_example_gradients_of_a_module_compile_and_follow_its_parameters():
    net = tg.nn.Sequential(tg.nn.Linear(3, 4, rng=0), tg.nn.Tanh(), tg.nn.Linear(4, 2, rng=1))
    x, labels = RNG.normal(size=(4, 3)), np.array([0, 1, 1, 0])
    of_each = vmap(grad(lambda net, x, label: tg.nn.cross_entropy(net(x), label)), (None, 0, 0))
    compiled = tg.compile(lambda x, labels: of_each(net, x, labels))
    for scale in (1.0, 1.0, 2.0):
        net[0].weight.data = scale * net[0].weight.data
        assert_equal(compiled(x, labels), of_each(net, x, labels))


def test_an_ensemble_is_one_module_with_stacked_parameters():
    net, x = tg.nn.Linear(3, 2, rng=0), RNG.normal(size=(5, 3))
    stacked = {path: np.stack([scale * p.numpy() for scale in (1, 2, 3)]) for path, p in net.named_parameters()}
    found = vmap(lambda parameters: tg.nn.functional_call(net, parameters, x))(stacked)
    assert_equal(found, np.stack([scale * net(x).numpy() for scale in (1, 2, 3)]))


def test_aux_none_and_no_grad_pass_through():
    x = RNG.normal(size=(4, 3))
    value, gradient = vmap(value_and_grad(lambda x: (np.sum(x**2), {"double": 2 * x, "none": None, "three": 3}), has_aux=True))(x)
    assert_equal(gradient, 2 * x)
    assert_equal(value, (np.sum(x**2, axis=1), {"double": 2 * x, "none": None, "three": np.full(4, 3)}))
    with tg.no_grad():
        assert not vmap(grad(lambda x: np.sum(x**2)))(Tensor(x, requires_grad=True)).requires_grad


def test_jacobian_hessian_jvp_and_hvp_for_each_entry():
    x = RNG.normal(size=(4, 3))
    f, energy = (lambda x: np.tanh(x @ W) * V), (lambda x: np.sum(np.sin(x @ W) ** 2))
    assert_equal(vmap(jacobian(f))(x), looped(jacobian(f), x))
    assert_equal(vmap(hessian(energy))(x), looped(hessian(energy), x))
    assert_equal(vmap(lambda x: jvp(f, (x,), (2 * x,)))(x), looped(lambda x: jvp(f, (x,), (2 * x,)), x))
    assert_equal(vmap(lambda x: hvp(energy, x, x**2))(x), looped(lambda x: hvp(energy, x, x**2), x))
    assert_equal(vmap(lambda x: vjp(f, x)[1](V))(x), looped(lambda x: vjp(f, x)[1](V), x))
    assert_equal(vmap(grad(lambda x: np.sum(grad(energy)(x) ** 2)))(x), looped(grad(lambda x: np.sum(grad(energy)(x) ** 2)), x))


def test_derivatives_of_what_a_vmap_computes():
    x = RNG.normal(size=(4, 3))
    by_vmap = lambda w: vmap(lambda row: np.tanh(row @ w))(x)
    assert_equal(jacobian(by_vmap)(W), jacobian(lambda w: np.tanh(x @ w))(W))
    assert_equal(jvp(by_vmap, (W,), (W**2,)), jvp(lambda w: np.tanh(x @ w), (W,), (W**2,)))
    assert_equal(hessian(lambda w: np.sum(by_vmap(w) ** 2))(W), hessian(lambda w: np.sum(np.tanh(x @ w) ** 2))(W))


def test_a_gradient_of_gradients_for_each_entry():
    x = RNG.normal(size=(4, 3))
    slope = lambda w: lambda row: np.sum(np.tanh(row @ w))
    by_vmap = lambda w: np.sum(vmap(grad(slope(w)))(x) ** 2)
    assert_equal(grad(by_vmap)(W), grad(lambda w: sum(np.sum(grad(slope(w))(row) ** 2) for row in x))(W))


def test_backward_reaches_what_is_used_inside():
    weight, x = Tensor(W, requires_grad=True), RNG.normal(size=(4, 3))
    vmap(lambda row: np.tanh(row @ weight).sum())(x).sum().backward()
    assert_equal(weight.grad, grad(lambda w: np.sum(np.tanh(x @ w)))(W))


def test_an_inner_vmap_may_use_an_outer_one():
    x, y = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
    assert_equal(vmap(lambda a: vmap(lambda b: a @ b)(y))(x), x @ y.T)
    assert_equal(vmap(lambda a: vmap(grad(lambda b: np.sum(np.sin(a * b))))(y))(x), x[:, None] * np.cos(x[:, None] * y))
    assert_equal(vmap(vmap(lambda a, b: a @ b, (None, 0)), (0, None))(x, y), x @ y.T)


def test_axes_may_be_anywhere_and_shared_and_trees():
    x, y = RNG.normal(size=(3, 5)), RNG.normal(size=(5, 3))
    assert_equal(vmap(lambda x, y: x + y, (1, 0))(x, y), x.T + y)
    assert_equal(vmap(lambda x, y: x + y, (-1, 0), 1)(x, y), x + y.T)
    assert_equal(vmap(lambda x, y: x + y, (1, 0), -1)(x, y), x + y.T)
    assert_equal(vmap(lambda d, w: d["a"] * w - d["b"][0], ({"a": 1, "b": 0}, None))({"a": x, "b": [y]}, 2.0), 2 * x.T - y)
    assert_equal(vmap(lambda x, *, scale: scale * x)(y, scale=3.0), 3 * y)
    out = vmap(lambda x: {"same": x, "sum": x.sum()}, 0, {"same": 1, "sum": 0})(y)
    assert_equal(out, {"same": y.T, "sum": y.sum(1)})
    assert vmap(lambda x: 3.0, out_axes=None)(y) == 3.0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint16, np.float16, np.float32, np.complex64])
def test_a_product_of_vectors_keeps_its_dtype(dtype):
    x = np.array([[1, 0, 1], [1, 1, 0]]).astype(dtype)
    assert_equal(vmap(lambda x, y: x @ y)(x, x), looped(lambda x, y: x @ y, x, x))


def test_batches_of_one_and_of_none_keep_their_shapes():
    f = lambda x: (x @ W, x.sum(), np.unique(x[:1]))
    assert [part.shape for part in vmap(f)(np.ones((1, 3)))] == [(1, 4), (1,), (1, 1)]
    assert [part.shape for part in vmap(f)(np.ones((0, 3)))] == [(0, 4), (0,), (0, 1)]
    assert vmap(grad(lambda x: np.sum(x**2)))(np.ones((0, 3))).shape == (0, 3)


def test_arrays_in_arrays_out_tensors_in_tensors_out():
    assert type(vmap(np.sin)(np.ones(3))) is np.ndarray
    assert isinstance(vmap(np.sin)(Tensor(np.ones(3))), Tensor)


def test_the_result_shares_no_memory_with_what_was_given():
    x = np.ones((2, 3))
    for out in (vmap(lambda x: x)(x), vmap(lambda x: x[:2])(x), vmap(lambda x: V)(x)):
        out[...] = 7.0
    assert (x == 1).all() and (V != 7).all()


def test_what_is_not_known_is_called_entry_by_entry():
    @primitive(lambda g, out, x: g * 3 * x**2)
    def cube(x):
        assert type(x) is np.ndarray and x.shape == (3,)
        return x**3

    x = RNG.normal(size=(4, 3))
    assert_equal(vmap(cube)(x), x**3)
    assert_equal(vmap(grad(lambda x: np.sum(cube(x))))(x), 3 * x**2)
    assert_equal(grad(lambda x: np.sum(vmap(cube)(x)))(x), 3 * x**2)


def test_a_checkpoint_and_a_compiled_function_inside():
    x, f = RNG.normal(size=(4, 3)), lambda x: np.sum(np.sin(x) ** 2)
    assert_equal(vmap(grad(lambda x: checkpoint(f)(2 * x)))(x), looped(grad(lambda x: f(2 * x)), x))
    compiled = tg.compile(f)
    assert_equal(vmap(compiled)(x), looped(f, x))


def test_convolution_and_pooling_for_each_entry():
    x, kernels = RNG.normal(size=(2, 3, 4, 6, 6)), RNG.normal(size=(2, 4, 2, 3, 3))
    f = lambda x, kernels: functional.max_pool(functional.conv2d(x, kernels, padding=1, groups=2), 2)
    assert_equal(vmap(f, (0, None))(x, kernels[0]), looped(lambda x: f(x, kernels[0]), x))
    assert_equal(vmap(f, (None, 0))(x[0], kernels), looped(lambda kernels: f(x[0], kernels), kernels))
    assert_equal(vmap(f)(x, kernels), looped(f, x, kernels))
    assert_equal(vmap(lambda kernels: vmap(lambda x: f(x, kernels))(x))(kernels), looped(lambda k: looped(lambda x: f(x, k), x), kernels))
    slope = grad(lambda kernels, x: np.sum(f(x, kernels) ** 2 + functional.avg_pool(x, 2)))
    assert_equal(vmap(slope, (None, 0))(kernels[0], x), looped(lambda x: slope(kernels[0], x), x))
    assert_equal(vmap(grad(lambda x, k: np.sum(f(x, k) ** 2)))(x, kernels), looped(grad(lambda x, k: np.sum(f(x, k) ** 2)), x, kernels))
    out, pullback = vjp(lambda k: f(x[0, :1, :, :4, :4], k), kernels[0])
    units = np.eye(out.size).reshape(-1, *out.shape)
    assert_equal(
        jacobian(lambda k: f(x[0, :1, :, :4, :4], k))(kernels[0]), np.stack([pullback(u) for u in units]).reshape(*out.shape, 4, 2, 3, 3)
    )


@pytest.mark.parametrize(
    "make",
    [np.random.default_rng, np.random.RandomState, lambda seed: tg.nn.Dropout(0.5, rng=np.random.default_rng(seed))],
    ids=["Generator", "RandomState", "Dropout"],
)
def test_random_numbers_are_drawn_for_each_entry_as_in_a_loop(make):
    x = np.ones((4, 3))

    def noisy(source):
        return (lambda x: source(x)) if isinstance(source, tg.nn.Module) else (lambda x: x + source.normal(size=3))

    found, wanted = vmap(noisy(make(5)))(x), looped(noisy(make(5)), x)
    assert_equal(found, wanted)
    assert not (array(found)[0] == array(found)[1]).all()


GLOBAL = np.random.default_rng(7)


class Noisy:
    """A callable whose method draws from a global generator."""

    def __call__(self, x):
        return self.moved(x)

    def moved(self, x):
        return x + GLOBAL.normal(size=3)


@pytest.mark.parametrize(
    "f, seeded",
    [
        (Noisy(), lambda: GLOBAL.bit_generator.__setattr__("state", np.random.default_rng(3).bit_generator.state)),
        (partial(lambda scale, x: x + scale * random.random(), 2.0), lambda: random.seed(3)),
        (lambda x: x + np.mean([random.gauss(0, 1) for _ in range(2)]), lambda: random.seed(3)),
    ],
    ids=["a method", "partial", "random"],
)
def test_generators_are_found_wherever_a_function_can_reach_them(f, seeded):
    seeded()
    found = vmap(f)(np.ones((4, 3)))
    seeded()
    assert_equal(found, looped(f, np.ones((4, 3))))


def test_numpys_global_generator_is_drawn_from_for_each_entry():
    np.random.seed(3)
    found = vmap(lambda x: x + np.random.normal(size=3))(np.ones((4, 3)))
    np.random.seed(3)
    assert_equal(found, looped(lambda x: x + np.random.normal(size=3), np.ones((4, 3))))


REFUSED = {
    "a branch": (lambda x: x if x.sum() > 0 else -x, "np.where"),
    "while": (lambda x: [None for _ in iter(lambda: x.sum() > 0, False)], "np.where"),
    "max of Python": (lambda x: max(x[0], x[1]), "np.where"),
    "float": (lambda x: float(x[0]), "float()"),
    "item": (lambda x: x[0].item(), ".item()"),
    "a plain array": (lambda x: np.asarray(x), "np.stack"),
    "a list of numbers": (lambda x: np.array([x[0], 1.0]), "np.stack"),
    "a write to what is shared": (lambda x: np.zeros(3).__setitem__(0, x[0]), "np.zeros_like"),
    "a write to a shared tensor": (lambda x: Tensor(np.zeros(3)).__setitem__(0, x[0]), "np.zeros_like"),
    "out=": (lambda x: np.add(x, 1, out=np.zeros(3)), "np.zeros_like"),
    "an index into a list": (lambda x: [1, 2, 3][x.argmax()], "tg.Tensor(array)[index]"),
    "a mask": (lambda x: x[x > 0], "np.where"),
    "results of different shapes": (lambda x: np.nonzero(x > 0), "different shapes"),
    "a conversion": (lambda x: Tensor(x), "leave out the conversion"),
    "backward": (lambda x: x.sum().backward(), "tg.vmap(tg.grad(f))"),
    "text": (lambda x: "text", "numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_treat_all_entries_as_one_is_an_error_that_names_the_way(name):
    f, way = REFUSED[name]
    with pytest.raises(BatchError) as error:
        vmap(f)(np.array([[1.0, -2.0, 3.0], [1.0, 2.0, 3.0]]))
    assert way in str(error.value)


def test_batches_that_do_not_fit_are_named():
    for call, words in (
        (lambda: vmap(np.add)(np.ones(3), np.ones(4)), ("argument 0 has 3", "argument 1 has 4")),
        (lambda: vmap(np.add, None)(np.ones(3), 1.0), ("no argument is batched",)),
        (lambda: vmap(np.add)(np.ones(3), 1.0), ("argument 1 has shape ()", "None")),
        (lambda: vmap(np.add, (0,))(np.ones(3), 1.0), ("in_axes has 1 parts", "2 positional")),
        (lambda: vmap(np.sin, 0, 3)(np.ones(3)), ("no place 3",)),
        (lambda: vmap(np.sin, 0, None)(np.ones(3)), ("out_axes", "give an axis")),
        (lambda: vmap(np.sin, "0")(np.ones(3)), ("in_axes '0'",)),
        (lambda: vmap(lambda net, x: net(x))(tg.nn.Linear(3, 2), np.ones((2, 3))), ("argument 0 is a module", "functional_call")),
    ):
        with pytest.raises(BatchError) as error:
            call()
        assert all(word in str(error.value) for word in words), str(error.value)


def test_an_error_of_one_entry_is_worded_for_one_entry():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        vmap(lambda x: x + np.ones(4))(np.ones((5, 3)))
    with pytest.raises(np.linalg.LinAlgError):
        vmap(np.linalg.inv)(np.ones((3, 3)))
    with pytest.raises(np.exceptions.AxisError, match="dimension 1"):
        vmap(lambda x: x.sum(axis=1))(np.ones((5, 3)))


def test_a_batched_value_that_got_out_is_refused_elsewhere():
    kept = []
    vmap(lambda x: kept.append(x))(np.ones((2, 3)))
    with pytest.raises(BatchError, match="outside of the vmap"):
        vmap(lambda x: x + kept[0])(np.ones((2, 3)))


@pytest.mark.parametrize("kind", [np.array, lambda x: Tensor(x, requires_grad=True)])
def test_a_write_to_a_view_that_is_stacked_in_a_copy_is_refused(kind):
    def trimmed(x):
        x = np.copy(x)
        np.trim_zeros(x)[...] = 5
        return x

    with pytest.raises(ValueError, match="read-only"):
        tg.vmap(trimmed)(kind([[0.0, 1, 0], [0, 2, 0]]))


def test_a_write_into_an_argument_is_seen_as_in_a_loop():
    x, y = np.zeros((2, 3)), np.zeros((2, 3))
    double = lambda row: row.__setitem__(0, row[1] + 1)
    vmap(double)(x)
    for row in y:
        double(row)
    assert_equal(x, y)


def test_the_rows_of_a_jacobian_come_in_chunks_of_bounded_memory(monkeypatch):
    monkeypatch.setattr("tinygrad_hw.transforms.ROW_BYTES", 100)
    x = RNG.normal(size=(3, 4))
    assert_equal(jacobian(lambda x: np.sin(x) @ W.T)(x), jacobian(lambda x: np.einsum("ij,kj->ik", np.sin(x), W))(x))


def test_the_memory_of_a_jacobian_is_bounded():
    """500 rows of a value of 312 KiB would take 152 MiB at once."""
    places = np.arange(40_000) % 10
    f = lambda x: np.sin(x[places] * np.arange(40_000)).reshape(500, 80).sum(axis=1)
    tracemalloc.start()
    found = jacobian(f)(np.ones(10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.shape == (500, 10)
    assert peak < 100 * 2**20


shapes = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), shape=shapes, size=st.integers(1, 3))
def test_any_chain_of_functions_on_any_shape_is_a_loop(data, shape, size):
    x = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(size, *shape))
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    steps = {
        "sin": np.sin,
        "plus its first": lambda x: x + x[:1],
        "sum": lambda x: x.sum(axis=axis, keepdims=True),
        "minus mean": lambda x: x - x.mean(),
        "flip": lambda x: np.flip(x, axis),
        "cumsum": lambda x: np.cumsum(x, axis),
        "softmax": lambda x: tg.softmax(x, axis),
        "sort": lambda x: np.sort(x, axis),
        "swap": lambda x: np.swapaxes(np.swapaxes(x, 0, -1), 0, -1),
        "row of all": lambda x: np.reshape(np.ravel(x), x.shape),
        "take": lambda x: np.take(x, [0, 0], axis=axis),
        "own index": lambda x: np.take_along_axis(x, np.argsort(x, axis), axis),
        "double": lambda x: np.concatenate([x, 2 * x], axis),
    }
    chain = data.draw(st.lists(st.sampled_from(sorted(steps)), min_size=1, max_size=4))

    def f(x):
        for step in chain:
            x = steps[step](x)
        return x

    assert_equal(vmap(f)(x), looped(f, x))
    slope = grad(lambda x: np.sum(f(x) ** 2))
    assert_equal(vmap(slope)(x), looped(slope, x), rtol=1e-8)
    place = data.draw(st.integers(-x.ndim, x.ndim - 1))
    assert_equal(vmap(f, place)(np.moveaxis(x, 0, place)), looped(f, x))


def losses(x, labels):
    nn, rng = tg.nn, np.random.default_rng
    net = tg.nn.Linear(5, 3, rng=np.random.default_rng(1))
    return {
        "cross_entropy": tg.nn.cross_entropy(net(x), labels),
        "mse": tg.nn.mse_loss(net(x), x[:, :3]),
        "logits": tg.nn.binary_cross_entropy_with_logits(x, x > 0),
        "embedding": tg.nn.Embedding(3, 4, rng=np.random.default_rng(2))(labels),
        "norm": tg.nn.LayerNorm(5)(x),
        "ignored": nn.cross_entropy(net(x), labels, ignore_index=1, label_smoothing=0.1),
        "each": nn.cross_entropy(net(x), labels, weight=[1.0, 2.0, 0.5], reduction="none"),
        "padded": nn.Embedding(3, 4, padding_idx=0, rng=rng(2))(labels),
        "attention": nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True),
        "recurrent": nn.GRU(5, 4, batch_first=True, rng=rng(3))(x[None])[0],
        "one_hot": nn.functional.one_hot(labels, 3),
        "borrowed": nn.functional_call(net, {"weight": x[:5, :3]}, x),
    }


def test_layers_and_losses_work_for_each_entry():
    x, labels = RNG.normal(size=(4, 6, 5)), RNG.integers(0, 3, (4, 6))
    assert_equal(vmap(losses)(x, labels), looped(losses, x, labels))
    slope = grad(lambda x, labels: tg.nn.cross_entropy(x, labels))
    assert_equal(vmap(slope)(x, labels % 5), looped(slope, x, labels % 5))
    with pytest.raises(IndexError, match="there is 3"):
        vmap(lambda x, labels: tg.nn.cross_entropy(x, labels))(x[:, :, :3], labels + 1)


@pytest.mark.parametrize(
    "part",
    [
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=1, writeable=True),
        lambda x: np.lib.stride_tricks.sliding_window_view(x, (2, 3), writeable=True)[1],
        lambda x: np.einsum("ij->ji", x),
        lambda x: np.einsum("ji", x),
        lambda x: np.einsum("i...", x),
        lambda x: np.einsum(x[:, :3], [0, 0], [0]),
        lambda x: x.reshape(2, 6, copy=True),
        lambda x: x.reshape(2, 6, copy=False),
        lambda x: x.T.ravel("K"),
        lambda x: x.T.ravel("A"),
    ],
)
def test_what_shares_entries_within_an_entry_of_a_batch_is_what_numpy_says(part):
    def f(x):
        x = x * 1
        y = part(x)
        old = y * y
        x *= x + 1
        new = y * 3
        y[0] = 2
        return old, new, x * 1

    slope = grad(lambda x: sum(np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape)) for y in f(x)))
    x = RNG.normal(size=(2, 3, 4))
    assert_equal(vmap(f)(x), looped(f, x))
    assert_equal(vmap(slope)(x), looped(slope, x))


def test_methods_leave_arguments_out_as_an_arrays_do_and_a_mask_may_be_batched_too():
    x = RNG.normal(size=(2, 3, 4))
    for f in (lambda x: x.clip(0), lambda x: x.clip(max=0.5), lambda x: np.sum(x * x, where=x > 0.1), lambda x: np.mean(x, where=x > 0.1)):
        slope = grad(lambda x, f=f: np.sum(f(x) ** 2))
        assert_equal(vmap(f)(x), looped(f, x))
        assert_equal(vmap(slope)(x), looped(slope, x))


# Random programs with views and writes
def numbers_in(space):
    """Return the names and values of a program's variables that are arrays."""
    return {name: x for name, x in sorted(space.items()) if name != "np" and hasattr(x, "dtype") and hasattr(x, "shape")}


def run(program, arrays):
    """Run a program; return its variables, and the first error."""
    space = {"np": np, **{f"v{k}": x for k, x in enumerate(arrays)}}
    for code in program.codes:
        if error := attempt(code, space):
            return {}, error
    return numbers_in(space), None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(0, 400, 50))
def test_a_random_program_with_views_and_writes_does_to_each_entry_what_it_does_to_one(seed):
    agreed = 0
    for program in map(random_program, range(seed, seed + 50)):
        batches = [np.ascontiguousarray(np.stack([x, x[..., ::-1]])) for x in program.inputs if x.ndim]
        alone = [run(program, [batch.copy()[i] for batch in batches]) for i in range(2)]
        if len(batches) < len(program.inputs) or any(error is not None for _, error in alone):
            continue  # (single numbers, to which NumPy does not write; programs that fail)
        wanted = {name: [values.get(name) for values, _ in alone] for name in alone[0][0]}
        wanted = {name: np.stack(pair) for name, pair in wanted.items() if pair[0].shape == np.shape(pair[1]) != ()}
        for change in (np.copy, Tensor):
            failed = []

            def entry(*arrays, program=program, wanted=wanted, failed=failed):
                values, error = run(program, [x.copy() for x in arrays])
                failed.append(error)
                return {name: values[name] for name in wanted} if error is None else {}

            out = vmap(entry)(*map(change, batches))
            if failed[0] is None:
                agreed += 1
                for name, x in wanted.items():
                    np.testing.assert_allclose(array(out[name]), x, rtol=1e-6, err_msg=f"{name} of\n{program!r}")
            else:  # (a mask that takes another number of entries for each)
                assert isinstance(failed[0], (BatchError, TypeError)), f"{failed[0]!r} of\n{program!r}"
    assert agreed
