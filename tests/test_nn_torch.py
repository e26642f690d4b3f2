"""Layers, losses, optimisers and schedules give what PyTorch gives: its stored values everywhere, its own where it is installed."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch_twins import OPTIMISERS, SCHEDULES, STORED, TWINS, by_torch, normal, parts, rates, trained

import tinygrad_hw as tg
from tinygrad_hw import Tensor, optim

CLOSE = {"rtol": 1e-10, "atol": 1e-12}


@pytest.fixture(scope="module")
def stored():
    with np.load(STORED) as archive:
        return dict(archive)


@pytest.mark.parametrize("name", TWINS)
def test_values_and_gradients_are_pytorchs(name, stored):
    twin = TWINS[name]
    tensors = {key: Tensor(value, requires_grad=True) for key, value in twin.inputs.items()}
    outs = parts(twin.ours(tg, **tensors))
    for i, out in enumerate(outs):
        assert_allclose(np.asarray(out.data), stored[f"{name}/out{i}"], **CLOSE)
    sum((out * normal(*out.shape, seed=9 + i)).sum() for i, out in enumerate(outs)).backward()
    for key, tensor in tensors.items():
        found = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        assert_allclose(found, stored[f"{name}/grad_{key}"], **CLOSE, err_msg=key)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_parameters_and_memory_after_30_steps_are_pytorchs(name, stored):
    kind, settings = OPTIMISERS[name]
    leaves = [Tensor(normal(3, 2), requires_grad=True), Tensor(normal(2), requires_grad=True)]
    optimizer = trained(lambda groups: getattr(optim, kind)(groups, **{"lr": 0.01, **settings}), leaves, np.sin)
    for i, leaf in enumerate(leaves):
        assert_allclose(leaf.numpy(), stored[f"{name}/value{i}"], **CLOSE)
        for key, kept in optimizer.state[i].items():
            if key != "step":
                assert_allclose(kept, stored[f"{name}/{key}{i}"], **CLOSE)


@pytest.mark.parametrize("name", SCHEDULES)
def test_learning_rates_are_pytorchs(name, stored):
    leaves = [Tensor(np.zeros(1), requires_grad=True) for _ in range(2)]
    for leaf in leaves:
        leaf.grad = np.zeros(1)
    optimizer = optim.SGD([{"params": leaves[:1]}, {"params": leaves[1:], "lr": 0.2}], lr=1.0)
    assert_allclose(rates(optimizer, SCHEDULES[name](optim.lr_scheduler, optimizer)), stored[f"{name}/rates"], **CLOSE)


def test_the_stored_values_are_those_of_the_pytorch_that_is_installed(stored):
    torch = pytest.importorskip("torch")
    fresh = by_torch(torch)
    assert set(fresh) == set(stored)
    for key, values in fresh.items():
        assert_allclose(values, stored[key], **CLOSE, err_msg=key)
