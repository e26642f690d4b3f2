"""Growth in dimensions: Rosenbrock's function, its gradient, and its Hessian times a vector.

f(x) = Σᵢ 100 (xᵢ₊₁ - xᵢ²)² + (1 - xᵢ)². By hand both derivatives are written out. MyGrad has no second derivatives and does not take part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .curves import Axis

Call = Callable[[], Any]

SIZES = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


def rosenbrock(x: Any) -> Any:
    """Return Rosenbrock's function at a vector of any engine."""
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def start(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where to differentiate, and the vector."""
    random = np.random.default_rng(0)
    return random.uniform(-1, 1, size), random.normal(size=size)


def gradient_by_hand(size: int) -> Call:
    """Return the gradient in hand-written NumPy."""
    x, _ = start(size)

    def call() -> np.ndarray:
        g = np.zeros_like(x)
        residual = x[1:] - x[:-1] ** 2
        g[1:] = 200 * residual
        g[:-1] -= 400 * x[:-1] * residual + 2 * (1 - x[:-1])
        return g

    return call


def product_by_hand(size: int) -> Call:
    """Return the Hessian times the vector in hand-written NumPy."""
    x, v = start(size)

    def call() -> np.ndarray:
        product = np.zeros_like(x)
        residual, change = x[1:] - x[:-1] ** 2, v[1:] - 2 * x[:-1] * v[:-1]
        product[1:] = 200 * change
        product[:-1] += 2 * v[:-1] - 400 * (v[:-1] * residual + x[:-1] * change)
        return product

    return call


def gradient_eager(size: int) -> Call:
    """Return the gradient in this package."""
    import tinygrad_hw as tg

    gradient, (x, _) = tg.grad(rosenbrock), start(size)
    return lambda: gradient(x)


def product_eager(size: int) -> Call:
    """Return the Hessian times the vector in this package."""
    import tinygrad_hw as tg

    x, v = start(size)
    return lambda: tg.hvp(rosenbrock, x, v)


def gradient_compiled(size: int, backend: str = "numpy") -> Call:
    """Return the gradient in this package, compiled."""
    import tinygrad_hw as tg

    gradient, (x, _) = tg.compile(tg.grad(rosenbrock), backend=backend), start(size)
    return lambda: gradient(x)


def product_compiled(size: int, backend: str = "numpy") -> Call:
    """Return the Hessian times the vector in this package, compiled."""
    import tinygrad_hw as tg

    product, (x, v) = tg.compile(lambda x, v: tg.hvp(rosenbrock, x, v), backend=backend), start(size)
    return lambda: product(x, v)


def gradient_numba(size: int) -> Call:
    """Return the gradient in this package, compiled with Numba."""
    return gradient_compiled(size, "numba")


def product_numba(size: int) -> Call:
    """Return the Hessian times the vector in this package, compiled with Numba."""
    return product_compiled(size, "numba")


def gradient_hips(size: int) -> Call:
    """Return the gradient in HIPS autograd."""
    import autograd

    gradient, (x, _) = autograd.grad(_rosenbrock_hips), start(size)
    return lambda: gradient(x)


def product_hips(size: int) -> Call:
    """Return the Hessian times the vector in HIPS autograd."""
    import autograd

    product, (x, v) = autograd.hessian_vector_product(_rosenbrock_hips), start(size)
    return lambda: product(x, v)


def _rosenbrock_hips(x: Any) -> Any:
    """Return Rosenbrock's function in HIPS autograd, whose arrays have no methods."""
    import autograd.numpy as anp

    return anp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def gradient_pytorch(size: int) -> Call:
    """Return the gradient in PyTorch, eager, on one thread."""
    import torch

    torch.set_num_threads(1)
    x = torch.tensor(start(size)[0], requires_grad=True)
    return lambda: torch.autograd.grad(rosenbrock(x), x)[0].numpy()


def product_pytorch(size: int) -> Call:
    """Return the Hessian times the vector in PyTorch, eager, on one thread."""
    import torch

    torch.set_num_threads(1)
    x, v = map(torch.tensor, start(size))
    return lambda: torch.autograd.functional.vhp(rosenbrock, x, v)[1].numpy()


def gradient_jax(size: int) -> Call:
    """Return the gradient in JAX, compiled."""
    import jax

    jax.config.update("jax_enable_x64", True)
    gradient, (x, _) = jax.jit(jax.grad(rosenbrock)), map(jax.numpy.asarray, start(size))
    return lambda: np.asarray(gradient(x))


def product_jax(size: int) -> Call:
    """Return the Hessian times the vector in JAX, compiled: forward over reverse, as its manual advises."""
    import jax

    jax.config.update("jax_enable_x64", True)
    product = jax.jit(lambda x, v: jax.jvp(jax.grad(rosenbrock), (x,), (v,))[1])
    x, v = map(jax.numpy.asarray, start(size))
    return lambda: np.asarray(product(x, v))


LABELS = (
    ("NumPy, by hand", "numpy"),
    ("tinygrad_hw, eager", "tinygrad_hw"),
    ("tg.compile, NumPy", "tinygrad_hw"),
    ("tg.compile, Numba", "numba"),
    ("HIPS autograd", "autograd"),
    ("PyTorch, eager", "torch"),
    ("JAX, jit", "jax"),
)


def axis(name: str, what: str, *makes: Callable[[int], Call]) -> Axis:
    """Return the axis for one of the two derivatives."""
    return Axis(name, what, SIZES, [(label, make, module) for (label, module), make in zip(LABELS, makes)], 1e-9)


GRADIENT = axis(
    "gradient",
    "the gradient of Rosenbrock's function in so many dimensions",
    gradient_by_hand,
    gradient_eager,
    gradient_compiled,
    gradient_numba,
    gradient_hips,
    gradient_pytorch,
    gradient_jax,
)
PRODUCT = axis(
    "Hessian-vector product",
    "the Hessian of Rosenbrock's function, in so many dimensions, times a vector",
    product_by_hand,
    product_eager,
    product_compiled,
    product_numba,
    product_hips,
    product_pytorch,
    product_jax,
)
