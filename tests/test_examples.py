"""The examples run, shortened, and learn what they say; the report and the playground have files of their own."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import cloudpickle
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from dask.distributed import Client, LocalCluster
from onnxruntime import InferenceSession
from safetensors.numpy import save_file
from scipy.integrate import solve_ivp

import examples
import tinygrad_hw as tg
from examples import data_parallel, densities, expm, gaussian_process, moons, names, neural_ode, ode, pinn, sweep, vae
from examples.digits import cnn, mlp
from examples.exchange import onnx_export, safetensors_file, torch_weights
from tinygrad_hw import GradientError, nn, optim

FOLDER = Path(examples.__file__).parent
SHORT = {
    "densities": ["--count", "200"],
    "digits": ["--epochs", "10"],
    "expm": ["--steps", "150"],
    "gaussian_process": [],
    "gpt": ["--steps", "40", "--letters", "20"],
    "logistic": [],
    "moons": ["--epochs", "25"],
    "names": ["--epochs", "8", "--count", "5"],
    "neural_ode": ["--steps", "150"],
    "ode": ["--most", "64"],
    "pinn": ["--steps", "400"],
    "vae": ["--epochs", "8"],
}


@pytest.fixture
def ran(tmp_path):
    """Return the function that runs an example, shortened, sees that it draws and shows no bar, and gives its result and its words."""

    def run(name, *more):
        path = tmp_path / name / "picture.svg"
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            result = importlib.import_module(f"examples.{name}").main([*SHORT[name], *more, "--out", str(path)])
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert str(path) in out.getvalue()
        assert err.getvalue() == ""  # (the bar is for a terminal)
        return result, out.getvalue()

    return run


class Terminal(io.StringIO):
    """What ``tqdm`` takes for a terminal."""

    def isatty(self):
        return True


def test_progress_is_shown_on_a_terminal(tmp_path):
    with contextlib.redirect_stderr(Terminal()) as screen:
        moons.main(["--epochs", "2", "--out", str(tmp_path / "picture.svg")])
    assert re.search(r"2/2 .* epochs/s, loss=", screen.getvalue())


@pytest.mark.parametrize("name", SHORT)
def test_an_example_says_in_its_first_line_what_it_does_and_how_to_run_it(name, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"examples.{name}").main(["--help"])
    assert ended.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"python -m examples.{name}" in printed
    assert f"default: out/{name}.svg" in printed


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "many"])
def test_a_number_of_steps_that_cannot_be_is_refused(text, capsys):
    with pytest.raises(SystemExit) as ended:
        moons.main(["--epochs", text])
    assert ended.value.code == 2
    assert f"argument --epochs: '{text}' is not a whole number from 1 on" in capsys.readouterr().err


@pytest.mark.parametrize("path", [*FOLDER.glob("[!_]*.py"), *FOLDER.glob("exchange/[!_]*.py")], ids=lambda path: path.stem)
def test_an_example_is_short_and_listed(path):
    name, lines = ".".join(path.relative_to(FOLDER).with_suffix("").parts), path.read_text().splitlines()
    most = 140 if name == "readme" else 80 if name.startswith("exchange.") else 120  # (readme makes the READMEs, and is no example)
    assert len(lines) <= most
    assert 'if __name__ == "__main__":' not in lines or f"`{name}`" in (FOLDER / "README.md").read_text()


# What they learn
def test_two_moons_are_told_apart(ran):
    assert ran("moons")[0] > 0.93


def test_moons_are_two_half_circles():
    points, which = moons.moons(200, noise=0.0)
    for side, centre in ((0, [0.0, 0.0]), (1, [1.0, 0.5])):
        own = points[which == side] - centre
        assert abs((own**2).sum(1) - 1).max() < 1e-12
        assert (own[:, 1] >= 0).all() if side == 0 else (own[:, 1] <= 0).all()


def test_a_cnn_reads_98_percent_of_the_digits_and_an_mlp_nearly_as_many(ran):
    assert ran("digits")[0] >= 0.98
    assert ran("digits", "--model", "mlp")[0] > 0.95


def test_a_gpt_learns_letters_and_writes(ran):
    losses, printed = ran("gpt")
    assert np.mean(losses[-5:]) < 0.75 * losses[0]
    text = printed.split("62,496 parameters write:\n")[1]
    assert len(text.rstrip("\n")) >= 15


def test_names_are_invented_that_do_not_exist(ran):
    found = ran("names")[0]
    assert len(set(found)) == 5
    assert not set(found) & set(names.NAMES)


def test_the_network_of_names_sees_the_letters_before_each_one():
    before, letter = names.examples_of(["tin", "ab"])
    spelt = ["".join(names.LETTERS[code] for code in (*row, own)) for row, own in zip(before, letter)]
    assert spelt == ["....t", "...ti", "..tin", ".tin.", "....a", "...ab", "..ab."]


def test_a_variational_autoencoder_raises_its_bound(ran):
    losses = ran("vae")[0]
    assert losses[-1] < 0.85 * losses[0]


def test_the_loss_of_the_autoencoder_lies_above_the_surprise_that_it_bounds():
    """By importance sampling of p(x), for one image (Burda, Grosse & Salakhutdinov 2016)."""
    rng, net = np.random.default_rng(0), vae.VAE(16).reset_parameters(0)
    x = rng.uniform(0, 1, (1, 64)).round()
    many = np.repeat(x, 5000, axis=0)
    mean, log_variance = np.split(net.encoder(many).detach().numpy(), 2, axis=1)
    noise = rng.normal(size=(5000, 2))
    z = mean + np.exp(log_variance / 2) * noise
    log_image = -nn.binary_cross_entropy_with_logits(net.decoder(z), many, reduction="none").detach().numpy().sum(1)
    log_weight = scipy.stats.norm.logpdf(z).sum(1) - scipy.stats.norm.logpdf(z, mean, np.exp(log_variance / 2)).sum(1) + log_image
    surprise = -(tg.logsumexp(log_weight) - np.log(5000))
    bound = net(many, noise).item()
    assert bound == pytest.approx(-log_weight.mean(), abs=0.1)
    assert bound > surprise


def test_a_physics_informed_network_comes_nearer_to_burgers_solution(ran):
    assert ran("pinn")[0] < 0.4


def test_the_solution_that_the_network_is_compared_with_obeys_burgers_equation():
    t, x, h = np.full(7, 0.4), np.linspace(-0.9, 0.9, 7), 1e-4
    u = pinn.exact(t, x)
    u_t = (pinn.exact(t + h, x) - pinn.exact(t - h, x)) / (2 * h)
    u_x = (pinn.exact(t, x + h) - pinn.exact(t, x - h)) / (2 * h)
    u_xx = (pinn.exact(t, x + h) - 2 * u + pinn.exact(t, x - h)) / h**2
    np.testing.assert_allclose(u_t + u * u_x, pinn.VISCOSITY * u_xx, atol=1e-4)
    np.testing.assert_allclose(pinn.exact(np.full(7, 1e-9), x), -np.sin(np.pi * x), atol=1e-6)


def test_four_ways_to_a_solutions_gradient_agree(ran):
    gradients = ran("ode")[0]
    np.testing.assert_allclose(gradients["checkpoint"], gradients["sweep"], rtol=1e-10)
    np.testing.assert_allclose(ode.gradient("scan", 36)[0], gradients["sweep"][0], rtol=1e-10)
    apart = abs(gradients["adjoint"] - gradients["sweep"]).max(axis=1)
    assert apart[-1] < apart[0] / 9  # (36 to 64 steps: (64 / 36)⁴ = 10 times nearer)


def test_the_solvers_gradient_is_that_of_scipys_solution():
    p = {"born": 1.1, "eaten": 0.4, "fed": 0.1, "starved": 0.4}

    def hares(vector):
        *z, born, eaten, fed, starved = vector
        p = {"born": born, "eaten": eaten, "fed": fed, "starved": starved}
        return solve_ivp(ode.hares_and_lynxes, (0, 10), z, args=(p,), rtol=1e-11, atol=1e-11).y[0, -1]

    at, step = np.array([10.0, 5.0, *p.values()]), 1e-4 * np.eye(6)
    numeric = [(hares(at + h) - hares(at - h)) / 2e-4 for h in step]
    start, unravel = tg.ravel((at[:2], p))
    found = tg.grad(lambda vector: ode.solve(ode.hares_and_lynxes, *unravel(vector), 0.0, 10.0, 500)[0])(start)
    np.testing.assert_allclose(found, numeric, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("way", ode.WAYS)
def test_a_network_learns_a_law_of_motion_by_each_way(ran, way):
    losses = ran("neural_ode")[0] if way == "sweep" else neural_ode.train(neural_ode.network().reset_parameters(0), 150, way)[0]
    assert np.mean(losses[-20:]) < 0.4 * np.mean(losses[:5])


def test_a_scan_and_the_adjoint_of_a_network_take_less_memory_than_a_sweep():
    sizes = {way: neural_ode.train(neural_ode.network().reset_parameters(0), 2, way)[1] for way in ("sweep", "scan", "adjoint")}
    assert max(sizes["scan"], sizes["adjoint"]) < sizes["sweep"] / 5


def test_a_gaussian_process_is_scikit_learns(ran):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    x, y = gaussian_process.points(30)
    p = {"length": -0.5, "size": 0.3, "noise": -1.2}
    theirs = ConstantKernel(np.exp(2 * p["size"])) * RBF(np.exp(p["length"])) + WhiteKernel(np.exp(2 * p["noise"]))
    regressor = GaussianProcessRegressor(theirs, alpha=0, optimizer=None).fit(x[:, None], y)
    surprise, gradient = tg.value_and_grad(gaussian_process.surprise)(p, x, y)
    value, slopes = regressor.log_marginal_likelihood(regressor.kernel_.theta, eval_gradient=True)
    assert surprise == pytest.approx(-value, rel=1e-10)
    # (the same parameters, but for the squares of two of which theirs are the logarithms)
    assert [gradient["size"] / 2, gradient["length"], gradient["noise"] / 2] == pytest.approx(list(-slopes), rel=1e-8)
    new = np.linspace(-1, 10, 20)
    mean, deviation = gaussian_process.foretell(p, x, y, new)
    expected, spread = regressor.predict(new[:, None], return_std=True)
    np.testing.assert_allclose(mean, expected, rtol=1e-8)
    np.testing.assert_allclose(deviation**2 + np.exp(2 * p["noise"]), spread**2, rtol=1e-8)
    assert ran("gaussian_process")[0].success


def test_logistic_regression_has_scikit_learns_coefficients(ran):
    assert ran("logistic")[0] < 1e-6


@pytest.mark.parametrize(
    ("name", "parameters", "theirs", "at"),
    [
        ("normal", {"mean": 0.3, "scale": 1.7}, scipy.stats.norm(0.3, 1.7), [-2.0, 0.0, 3.0]),
        ("logistic", {"mean": 0.3, "scale": 1.7}, scipy.stats.logistic(0.3, 1.7), [-2000.0, 0.0, 3.0]),
        ("student", {"mean": 0.3, "scale": 1.7, "ν": 2.5}, scipy.stats.t(2.5, 0.3, 1.7), [-200.0, 0.0, 3.0]),
        ("gamma", {"shape": 2.5, "rate": 0.7}, scipy.stats.gamma(2.5, scale=1 / 0.7), [0.0, 0.1, 5.0]),
        ("beta", {"a": 2.5, "b": 1.0}, scipy.stats.beta(2.5, 1.0), [0.0, 0.1, 1.0]),
        ("poisson", {"rate": 3.3}, scipy.stats.poisson(3.3), [0, 1, 20]),
    ],
)
def test_a_log_density_is_scipys(name, parameters, theirs, at):
    log = theirs.logpmf if name == "poisson" else theirs.logpdf
    np.testing.assert_allclose(densities.LOG_DENSITIES[name](np.array(at), **parameters), log(at), rtol=1e-12)


def test_a_fitted_distribution_is_scipys_and_its_errors_are_the_textbooks(ran):
    x = np.random.default_rng(1).normal(2, 3, 400)
    fitted, errors = densities.fit("normal", x, 200, mean=0.0, scale=1.0)
    assert [fitted["mean"], fitted["scale"]] == pytest.approx([x.mean(), x.std()], rel=1e-5)
    assert [errors["mean"], errors["scale"]] == pytest.approx([x.std() / 20, x.std() / np.sqrt(800)], rel=1e-4)
    assert ran("densities")[0]["student"]["ν"] < 10


def test_expm_is_scipys_and_so_is_its_derivative():
    rng = np.random.default_rng(0)
    A, E = rng.normal(size=(2, 4, 4))
    value, change = tg.jvp(expm.expm, (A,), (E,))
    np.testing.assert_allclose(value, scipy.linalg.expm(A), rtol=1e-11)
    np.testing.assert_allclose(change, scipy.linalg.expm_frechet(A, E, compute_expm=False), rtol=1e-9, atol=1e-11)


def test_rates_are_found_again(ran):
    assert ran("expm")[0] < 0.05


# Networks that travel
class Everything(nn.Module):
    """A network of every kind of layer whose weights PyTorch names or turns otherwise."""

    def __init__(self, kinds, sizes=()):
        self.conv, self.norm = kinds.Conv2d(1, 2, 3), kinds.BatchNorm2d(2)
        self.rnn, self.lstm, self.gru = kinds.RNN(4, 4, 2), kinds.LSTM(4, 3), kinds.GRU(3, 4)
        self.attention, self.inner = kinds.MultiheadAttention(4, 2), kinds.Sequential(kinds.LayerNorm(4), kinds.Linear(4, 4), kinds.Tanh())
        self.table = kinds.Embedding(4, 4)

    def forward(self, x, places):
        x = self.norm(self.conv(x)).reshape(len(x), -1, 4) + self.table(places)
        for layer in (self.rnn, self.lstm, self.gru):
            x, _ = layer(x)
        return self.inner(self.attention(x, x, x)[0])


def test_weights_travel_to_pytorch_and_back():
    torch = pytest.importorskip("torch")
    body = {name: member for name, member in vars(Everything).items() if name in ("__init__", "forward")}
    Theirs = type(
        "Theirs",
        (torch.nn.Module,),
        body | {"__init__": lambda self: (torch.nn.Module.__init__(self), body["__init__"](self, torch.nn))[0]},
    )
    ours, theirs = Everything(nn).reset_parameters(0).eval(), Theirs().double().eval()
    rng = np.random.default_rng(0)
    x, places = rng.normal(size=(3, 1, 6, 6)), rng.integers(0, 4, (3, 8))

    def apart():
        return abs(ours(x, places).numpy() - theirs(torch.from_numpy(x), torch.from_numpy(places)).detach().numpy()).max()

    assert apart() > 0.01
    state = {name: torch.from_numpy(array) for name, array in torch_weights.to_torch(ours).items()}
    theirs.load_state_dict(state)
    assert apart() < 1e-12
    ours.reset_parameters(1)
    assert apart() > 0.01
    torch_weights.from_torch(ours, theirs.state_dict())
    assert apart() < 1e-12
    assert torch_weights.main() < 1e-12


@pytest.mark.parametrize("name", ["digits", "gpt"])
def test_a_network_learns_as_pytorchs_does(name):
    pytest.importorskip("torch")
    from examples import beside_torch

    result = beside_torch.trained(name, 15, np.float64)
    (ours, _), (theirs, _) = result["here"], result["PyTorch"]
    assert ours[-1] < 0.95 * ours[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_the_networks_beside_pytorchs_are_drawn(tmp_path, capsys):
    pytest.importorskip("torch")
    from examples import beside_torch

    beside_torch.main(["--digits", "3", "--gpt", "3", "--out", str(tmp_path / "picture.svg")])
    assert ElementTree.parse(tmp_path / "picture.svg").getroot().tag.endswith("svg")
    assert re.search(r"gpt    PyTorch  loss \d\.\d{3} after", capsys.readouterr().out)


def test_what_pytorch_calls_the_weights():
    net = Everything(nn)
    assert torch_weights.places(net)["inner.layers.1.weight"] == ("inner.1.weight", True)
    assert torch_weights.places(net)["table.weight"] == ("table.weight", False)
    found = {theirs for theirs, _ in torch_weights.places(net).values()}
    assert {"rnn.weight_hh_l1", "lstm.bias_ih_l0", "attention.in_proj_weight", "attention.out_proj.bias", "norm.running_var"} <= found


def test_a_state_of_another_network_is_refused_and_nothing_changes():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before, state = net.state_dict(), torch_weights.to_torch(net)
    for wrong in (state | {"0.weight": np.ones((2, 3))}, state | {"extra": np.ones(2)}, {"0.weight": np.ones((3, 2))}):
        with pytest.raises(ValueError, match="the state does not fit Sequential, which is as it was"):
            torch_weights.from_torch(net, {name: 2 * array for name, array in wrong.items()})
        assert all((net.state_dict()[path] == before[path]).all() for path in before)


def test_weights_travel_through_a_safetensors_file(tmp_path):
    one, other = Everything(nn).reset_parameters(0), Everything(nn).reset_parameters(1)
    safetensors_file.save(one, tmp_path / "net")
    safetensors_file.load(other, tmp_path / "net")
    for path, array in one.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[path], array, strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_safetensors_file_without_our_mark_is_read_as_pytorchs(tmp_path):
    one, other = (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2)).reset_parameters(seed) for seed in (0, 1))
    save_file(torch_weights.to_torch(one), tmp_path / "theirs")
    safetensors_file.load(other, tmp_path / "theirs")
    np.testing.assert_array_equal(other[0].weight.numpy(), one[0].weight.numpy())
    assert not np.allclose(one[0].weight.numpy(), one[0].weight.numpy().T)


def test_a_bad_safetensors_file_is_refused_and_nothing_changes(tmp_path):
    net, other = nn.Linear(2, 3), nn.Linear(3, 2)
    before = net.state_dict()
    safetensors_file.save(net, tmp_path / "whole")
    safetensors_file.save(other, tmp_path / "other")
    whole = (tmp_path / "whole").read_bytes()
    huge = whole.replace(b'"shape":[2,3]', b'"shape":[9,9]')
    assert huge != whole
    for name, content in {"short": whole[:-8], "long": whole + b"more", "text": b"no weights", "empty": b"", "huge": huge}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"{name}' is no whole safetensors file: "):
            safetensors_file.load(net, tmp_path / name)
    with pytest.raises(ValueError, match=r"weight \(3, 2\), not \(2, 3\)"):
        safetensors_file.load(net, tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        safetensors_file.load(net, tmp_path / "absent")
    assert all((net.state_dict()[path] == before[path]).all() for path in before)


class Plain(nn.Module):
    """A network in operators, not layers."""

    def __init__(self):
        self.W, self.b = (tg.Tensor(np.random.default_rng(0).normal(size=shape), requires_grad=True) for shape in ((6, 4), 4))

    def forward(self, x):
        z = np.maximum(x @ self.W, 0.5) + self.b / 3
        return tg.log_softmax(1 - np.exp(-z)) * 2.0


@pytest.mark.parametrize(
    "net, shape",
    [
        (mlp(), (1, 8, 8)),
        (cnn(), (1, 8, 8)),
        (
            nn.Sequential(nn.Conv2d(2, 4, (2, 3), stride=2, padding=(1, 0), dilation=2, groups=2), nn.MaxPool2d(3, 2, 1), nn.Sigmoid()),
            (2, 9, 8),
        ),
        (
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.9), nn.Linear(48, 5), nn.Softmax()),
            (1, 6, 6),
        ),
        (Plain(), (6,)),
    ],
    ids=["mlp", "cnn", "windows", "norm", "operators"],
)
def test_an_exported_network_is_computed_alike_by_onnxs_own_runtime(net, shape):
    net, rng = net.reset_parameters(0).astype(np.float32).eval(), np.random.default_rng(1)
    model = onnx_export.exported(net, np.zeros((2, *shape), np.float32)).SerializeToString()
    session = InferenceSession(model, providers=["CPUExecutionProvider"])
    for count in (1, 2, 7):
        x = rng.random((count, *shape), np.float32)
        np.testing.assert_allclose(session.run(["y"], {"x": x})[0], net(x).numpy(), rtol=1e-6, atol=1e-6)


def test_what_cannot_be_exported_is_named():
    with pytest.raises(ValueError, match=r"in training.* call net\.eval\(\)"):
        onnx_export.exported(mlp(), np.zeros((2, 1, 8, 8)))
    with pytest.raises(ValueError, match="there is no entry for gelu; there are add,"):
        onnx_export.exported(nn.Sequential(nn.Linear(2, 2), nn.GELU()).eval(), np.zeros((2, 2)))


def test_the_command_that_exports_writes_a_file(tmp_path, capsys):
    assert onnx_export.main(tmp_path / "new" / "digits.onnx") < 1e-6
    assert "12 nodes" in capsys.readouterr().out


# Several processes
@pytest.fixture(scope="module")
def cluster():
    """Return a cluster of Dask's, of two processes, which ends with the tests."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL) as cluster:
        yield cluster


def kill_a_worker(cluster, when):
    """Kill one of the cluster's processes as soon as something is so; return the thread that waits for it."""

    def kill():
        while not when():
            time.sleep(0.005)
        os.kill(next(filter(None, (worker.pid for worker in cluster.workers.values()))), signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def test_a_sweep_on_dask_loses_nothing_where_a_worker_is_killed_and_goes_on_where_it_was_stopped(cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sweep, "GRID", {"lr": (0.1, 0.3), "hidden": (2, 5), "activation": ("sigmoid", "tanh")})
    file = tmp_path / "new" / "sweep.jsonl"
    thread = kill_a_worker(cluster, lambda: file.exists() and file.read_text().count("\n") >= 2)
    command = ["--seeds", "3", "--epochs", "3000", "--out", str(tmp_path / "new" / "sweep.svg")]
    results = sweep.main([*command, "--backend", "dask", "--scheduler", cluster.scheduler_address])
    thread.join()
    every = sweep.settings(3, 3000)
    assert "24 of 24 trainings done" in capsys.readouterr().out
    assert [sum(setting.items() <= result.items() for result in results) for setting in every] == [1] * 24
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-2]) + lines[-2][:30])
    assert sorted(map(str, sweep.main([*command, "--backend", "sequential"]))) == sorted(map(str, results))
    assert "2 of 24 trainings done" in capsys.readouterr().out
    assert sorted(file.read_text().splitlines()) == sorted(line.rstrip("\n") for line in lines)


def test_training_on_workers_gives_the_parameters_of_one_process_though_a_worker_is_killed(cluster):
    steps = []
    with Client(cluster) as client:
        alone, losses = data_parallel.train(None, 4)
        submit = client.submit
        client.submit = lambda *args, **settings: (steps.append(1), submit(*args, **settings))[1]
        thread = kill_a_worker(cluster, lambda: len(steps) > 10)
        together, others = data_parallel.train(client, 4, parts=2)
        thread.join()
    assert len(losses) == len(others) == 24
    np.testing.assert_allclose(others, losses, rtol=1e-12)
    for one, other in zip(alone.parameters(), together.parameters()):
        np.testing.assert_allclose(other.numpy(), one.numpy(), rtol=0, atol=1e-12)


def loss_of(net, x, y):
    return nn.mse_loss(net(x), y)


def test_what_goes_to_a_worker_pickles_and_goes_on_as_it_was():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Tanh(), nn.Linear(3, 1)).reset_parameters(0)
    optimizer = optim.Adam(net.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.StepLR(optimizer, 2)
    step = tg.compile(partial(loss_of, net), optimizer)
    x, y = np.random.default_rng(0).normal(size=(2, 6, 2)), np.ones((2, 6, 1))
    for i in range(3):
        step(x[i % 2], y[i % 2])
        schedule.step()
    for dumps in (pickle.dumps, cloudpickle.dumps):
        copied_net, _, copied_schedule, copied_step = pickle.loads(dumps((net, optimizer, schedule, step)))
        state, memory = net.state_dict(), optimizer.state_dict()
        losses = [(float(step(x[i % 2], y[i % 2])), schedule.step())[0] for i in range(3)]
        assert [(float(copied_step(x[i % 2], y[i % 2])), copied_schedule.step())[0] for i in range(3)] == losses
        for path, array in net.state_dict().items():
            np.testing.assert_array_equal(copied_net.state_dict()[path], array)
            assert not np.array_equal(array, state[path])
        net.load_state_dict(state)
        optimizer.load_state_dict(memory)


def cube():
    """Return a primitive, made anew."""
    return tg.primitive(lambda g, out, x: g * 3 * x**2)(lambda x: x**3)


def test_transformed_functions_go_to_a_worker():
    """Checked in a fresh process, which has met none of them."""
    first, second, third, x = cube(), cube(), cube(), np.array([1.0, 2.0, 4.0])
    functions = [
        tg.grad(lambda x: np.sum(x**3)),
        tg.value_and_grad(lambda x: np.sum(x**3)),
        tg.jacobian(lambda x: x**3),
        tg.hessian(lambda x: np.sum(x**3)),
        tg.vmap(lambda x: x**3),
        tg.checkpoint(lambda x: x**3),
        tg.grad(lambda x: np.sum(tg.checkpoint(lambda x: x**3)(x))),
        tg.no_grad()(lambda x: x**3),
        tg.grad(lambda x: np.sum(first(x))),
        tg.hessian(lambda x: np.sum(second(x))),
        tg.compile(tg.grad(lambda x: np.sum(tg.vmap(third)(x)))),
        lambda x: tg.scan(lambda c, x: (c * x, c), 1.0, x),
    ]
    code = (
        "import pickle, sys; functions, x = pickle.load(sys.stdin.buffer); sys.stdout.buffer.write(pickle.dumps([f(x) for f in functions]))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=cloudpickle.dumps((functions, x)), capture_output=True, check=True)
    for function, found in zip(functions, pickle.loads(done.stdout)):
        np.testing.assert_array_equal(tg.ravel(found)[0], tg.ravel(function(x))[0])


def test_a_leaf_pickles_with_its_name_and_a_result_does_not():
    leaf = tg.Tensor([1.0, 2.0], requires_grad=True, name="w")
    copied = pickle.loads(pickle.dumps(leaf))
    assert (copied.name, copied.requires_grad, copied.numpy().tolist()) == ("w", True, [1.0, 2.0])
    with pytest.raises(GradientError, match="only leaves can be copied or pickled"):
        pickle.dumps(2 * leaf)
