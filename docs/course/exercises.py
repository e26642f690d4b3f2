"""What tells an answer of the course right or wrong: one function for each exercise.

    exercises.chain_rule(slope)

prints "Right" with what the answer shows, or raises a Mistake that says what to look at. An answer in which a ``...`` still waits to
be replaced is not checked yet.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
import tracemalloc
from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import tinygrad_hw as tg
from tinygrad_hw import Tensor
from tinygrad_hw.nn.functional import conv2d, scaled_dot_product_attention
from tinygrad_hw.testing.mutants import applied, mutants

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # (the lessons also use the folder examples, which stands beside the package)

language = "en"  # or "zh-TW", in which the exercises of lesson 3 can be read too
WORDS = {
    "en": {
        "nothing": "Nothing to check yet: write your answer in place of the `...`,\nand run this cell again.",
        "right": "Right. {0}",
        "not yet": "Not yet: {0}",
        "stops": "your code stops: {0}: {1}",
        "none": "\n(Something is None there: is a `return` missing, or a .grad asked for before backward has filled it?)",
        "shape": "d{0} has the shape {1}, but {0} has {2}: a gradient has the shape of its array",
        "numbers": "d{0} has the right shape but wrong numbers: {1} for {2}",
        "layer": "Three lines, for all layers of all networks.",
        "points": "{0} of {1} equations are right.",
    },
    "zh-TW": {
        "nothing": "還沒有可以檢查的答案：把 `...` 換成你的答案，再執行這一格。",
        "right": "正確。{0}",
        "not yet": "還不對：{0}",
        "stops": "你的程式停在這裡：{0}：{1}",
        "none": "\n（有個值是 None：是不是漏了 return，或是還沒呼叫 backward 就用了 .grad？）",
        "shape": "d{0} 的形狀是 {1}，但 {0} 的形狀是 {2}：梯度的形狀就是被微分的那個陣列的形狀",
        "numbers": "d{0} 的形狀正確，數值不對：{1}，應該是 {2}",
        "layer": "三行程式，適用於所有網路的每一層。",
        "points": "{1} 個式子中有 {0} 個正確。",
    },
}


def word(key: str, *pieces: Any) -> str:
    """Return a word in the chosen language."""
    return WORDS[language][key].format(*pieces)


class Mistake(AssertionError):
    """An answer is not right yet; Jupyter shows the words alone."""

    def _render_traceback_(self) -> list[str]:
        return [word("not yet", self)]


class Page:
    """A drawing as the page that steps through it, shown by Jupyter inside a cell."""

    def __init__(self, drawing: Any, height: int = 780) -> None:
        self.drawing, self.height = drawing, height

    def _repr_html_(self) -> str:
        style = f"width: 100%; height: {self.height}px; border: 1px solid #8884; border-radius: 4px"
        return f'<iframe srcdoc="{escape(self.drawing.html())}" style="{style}" title="the graph, step by step"></iframe>'


def exercise(check: Callable[..., str]) -> Callable[..., None]:
    """Make a function that checks an answer, and returns what to say of a right one, an exercise."""

    @wraps(check)
    def checked(*answers: Any) -> None:
        if any(is_unwritten(answer) for answer in answers):
            print(word("nothing"))
            return
        try:
            print(textwrap.fill(word("right", check(*answers)), 78))
        except Mistake:
            raise
        except Exception as error:
            words = str(error) if isinstance(error, AssertionError) else word("stops", type(error).__name__, error)
            words += word("none") if "NoneType" in words else ""
            raise Mistake(words) from error

    return checked


def is_unwritten(answer: Any) -> bool:
    """Tell whether an answer has a ``...`` that stands for something still to be written (in an index it is NumPy's)."""
    if answer is ...:
        return True
    for part in vars(answer).values() if isinstance(answer, type) else [answer]:
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(part)))
        except (TypeError, OSError, SyntaxError):
            continue
        indices = [index for inner in ast.walk(tree) if isinstance(inner, ast.Subscript) for index in ast.walk(inner.slice)]
        dots = [inner for inner in ast.walk(tree) if isinstance(inner, ast.Constant) and inner.value is ...]
        if any(inner not in indices for inner in dots):
            return True
    return False


def need(condition: Any, words: str) -> None:
    """Raise a Mistake with these words unless the condition holds."""
    if not condition:
        raise Mistake(words)


def close(x: Any, y: Any) -> bool:
    """Tell whether two arrays have one shape and, up to rounding, the same numbers."""
    x, y = np.asarray(getattr(x, "data", x), float), np.asarray(getattr(y, "data", y), float)
    return x.shape == y.shape and np.allclose(x, y, rtol=1e-7, atol=1e-9)


def graded(gradients: Any, loss: Callable[..., Any], *example: Any) -> str:
    """Grade gradients by hand line by line; the report says what is wrong."""
    report = tg.testing.grade(gradients, loss, *example, language=language)
    need(report.right, str(report))
    return word("points", report.points, report.total)


# Lesson 1
@exercise
def chain_rule(slope: Callable[[float], float]) -> str:
    """Check the derivative of sin(x²)."""
    for x in (0.7, 1.3, 2.0):
        found, right = slope(x), 2 * x * np.cos(x**2)
        need(found is not None, "the function returns nothing: is a `return` missing?")
        need(not close(found, np.cos(x**2)), "this is the slope of the outer function alone: the slope of the inner one, x², is missing")
        need(not close(found, 2 * x * np.cos(x)), "the slope of the outer function is taken at x; take it at the inner value x²")
        need(not close(found, -right), "the sign is wrong: the derivative of the sine is the cosine, without a minus")
        need(close(found, right), f"at x = {x} your slope is {found:.6g}; from the values of sin(x²) nearby it is {right:.6g}")
    return "The slope of the outer function, taken at the inner value, times the slope of the inner one."


@exercise
def engine(Value: Any) -> str:
    """Check an engine of scalars."""

    def slopes(f: Callable[..., Any], *numbers: float) -> tuple[list[float], list[float]]:
        values, tensors = [Value(x) for x in numbers], [Tensor(x, requires_grad=True) for x in numbers]
        for inputs in (values, tensors):
            f(*inputs).backward()
        return [v.grad for v in values], [float(t.grad) for t in tensors]

    found, right = slopes(lambda a, b: a * b, 2.0, 5.0)
    need(found != [2.0, 5.0], "the slopes of a · b are exchanged: a small change of a changes the product b times as much")
    need(close(found, right), f"of a · b at a = 2, b = 5 the slopes are {found}; they should be {right}: b for a, and a for b")
    found, right = slopes(lambda a: a + a, 3.0)
    need(close(found, right), f"a + a uses a twice: its slope is 2, not {found[0]:g}; add each contribution to .grad, do not assign it")
    found, right = slopes(lambda a, b: (a + b) * (a + b) * b, 2.0, 3.0)
    need(close(found, right), f"of (a + b)² b at 2, 3 the slopes are {found}, and should be {right}: multiply each slope by what arrives")
    return "These lines differentiate whatever is made of + and ·."


@exercise
def with_tensors(slope_of: Callable[..., float]) -> str:
    """Check a function that returns f′(x) by means of a Tensor."""
    for f, x in ((lambda x: x * x * x, 2.0), (lambda x: np.exp(-x) * x, 0.3)):
        found, right = slope_of(f, x), float(tg.grad(f)(x))
        need(found is not None, "what came back is None: .grad is filled by .backward(), and the function must return it")
        value = float(np.asarray(f(x)))
        need(not close(found, value), "this is the value f(x), not the slope: the slope is in .grad of the input")
        need(close(found, right), f"at x = {x} this gives {found}, and the slope is {right:.6g}")
    return "f was only called: no formula of its derivative was written anywhere."


# Lesson 2
DIAMOND = {"x": [("u", 2.0), ("v", 6.0)], "u": [("y", 9.0)], "v": [("y", 6.0)], "y": []}
NET = {"a": [("c", 2.0), ("d", -1.0)], "b": [("d", 3.0)], "c": [("e", 5.0), ("f", 0.5)], "d": [("e", 4.0)], "e": [("f", -2.0)], "f": []}


@exercise
def paths(sum_over_paths: Callable[..., float]) -> str:
    """Check the sum over paths of the product of slopes."""
    need(sum_over_paths(DIAMOND, "y", "y") == 1, "the derivative of a value by itself is 1, not " + repr(sum_over_paths(DIAMOND, "y", "y")))
    found = sum_over_paths(DIAMOND, "x", "y")
    need(found != 18 * 36, "the paths were multiplied with each other: multiply along a path, add over the paths")
    need(found not in (18, 36), f"{found:g} is what one path brings; there are two, and they add up")
    need(found not in (2 + 9 + 6 + 6, 2 + 9 + 6 + 6 + 2), "the slopes along a path were added; multiply them, and add the paths")
    need(found == 54, f"in the example the derivative of y by x is 18 + 36 = 54, not {found}")
    need(sum_over_paths(NET, "b", "c") == 0, "where no path leads, the derivative is 0")
    found = sum_over_paths(NET, "a", "f")
    need(found == -11, f"on another graph the derivative is -11, not {found}")
    return "Multiply along a path, add over the paths."


class Slope(float):
    """A number that counts how often it is multiplied."""

    times = 0

    def __mul__(self, other: Any) -> Any:
        Slope.times += 1
        need(Slope.times < 1000, "each arrow may be used once, but you follow each path: use the derivatives that you have already")
        return Slope(float(self) * float(other))

    __rmul__ = __mul__


@exercise
def one_sweep(sweep: Callable[..., dict[str, float]]) -> str:
    """Check a single sweep from the end, which uses each arrow once."""
    for edges, order in ((DIAMOND, "xuvy"), (NET, "abcdef")):
        right = {"x": 54, "u": 9, "v": 6, "y": 1} if edges is DIAMOND else {"a": -11, "b": -24, "c": -9.5, "d": -8, "e": -2, "f": 1}
        try:
            found = sweep(edges, list(order), order[-1])
        except KeyError as error:
            raise Mistake(f"the derivative by {error} was needed before it was known: walk through `order` from its end") from error
        need(found.get(order[-1]) == 1, f"the derivative of {order[-1]} by itself is 1, and became {found.get(order[-1])}: begin before it")
        for name, value in right.items():
            need(name in found, f"there is no derivative by {name!r} in what you return")
            need(
                found[name] == value,
                f"the derivative of {order[-1]} by {name} is {value:g}, not {found[name]:g}: {edges[name]} must all count",
            )
    Slope.times, steps = 0, 30
    edges = {f"x{k}": [(f"u{k}", Slope(1.0)), (f"v{k}", Slope(2.0))] for k in range(steps)} | {f"x{steps}": []}
    edges |= {f"{side}{k}": [(f"x{k + 1}", Slope(1.0))] for k in range(steps) for side in "uv"}
    order = [f"{side}{k}" for k in range(steps) for side in "xuv"] + [f"x{steps}"]
    found = sweep(edges, order, f"x{steps}")
    need(float(found["x0"]) == 3.0**steps, f"with {steps} diamonds in a row the derivative is 3^{steps}, not {float(found['x0']):g}")
    return f"{4 * steps} arrows, {2**steps} paths, and {Slope.times} multiplications."


@exercise
def forward_gradient(gradient_by_forward: Callable[..., Any]) -> str:
    """Check a gradient that is put together from directional derivatives."""

    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * np.array([1.0, -2.0, 0.5, 3.0]))

    x = np.array([0.1, 0.7, -0.4, 1.3])
    found, right = gradient_by_forward(f, x), tg.grad(f)(x)
    need(not isinstance(found, tuple), "tg.jvp returns two things, the value and the slope: take the second")
    need(np.shape(found) == x.shape, f"a gradient has the shape of x, {x.shape}; this has {np.shape(found)}: one sweep for each entry of x")
    need(not close(found, np.full(4, np.sum(right))), "the direction of ones moves all entries together: move one at a time")
    need(not close(found, np.full(4, f(x))), "this is the value of f; the slope is the second of the two things that tg.jvp returns")
    need(close(found, right), f"this gives {found}, and backwards one gets {right}")
    return "One forward sweep for each entry."


# Lesson 3
def random(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return random arrays of these shapes, the same each time."""
    rng = np.random.default_rng(5)
    return [rng.normal(size=shape) for shape in shapes]


@exercise
def layer(layer_gradients: Callable[..., Any]) -> str:
    """Check the gradients of Z = X W + b."""
    X, W, b, delta = random((5, 3), (3, 2), (2,), (5, 2))
    _, pullback = tg.vjp(lambda X, W, b: X @ W + b, X, W, b)
    for name, array, found, right in zip(("X", "W", "b"), (X, W, b), layer_gradients(X, W, b, delta), pullback(delta)):
        shape = np.shape(found)
        need(shape == array.shape, word("shape", name, shape, array.shape))
        need(close(found, right), word("numbers", name, found.ravel()[:3], right.ravel()[:3]))
    return word("layer")


def network(W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, y: Any) -> Any:
    """Return the loss of the network with two hidden layers."""
    a2 = tg.sigmoid(tg.sigmoid(X @ W1 + b1) @ W2 + b2)
    return np.mean((tg.sigmoid(a2 @ W3 + b3) - y) ** 2) / 2


@exercise
def delta_equations(gradients: Callable[..., Any]) -> str:
    """Grade backpropagation through two hidden layers."""
    y = np.array([[1.0], [0.0], [0.0], [1.0], [1.0], [0.0], [1.0]])
    return graded(gradients, network, *random((2, 4), (4,), (4, 4), (4,), (4, 1), (1,), (7, 2)), y)


@exercise
def cross_entropy(gradients: Callable[..., Any]) -> str:
    """Grade backpropagation of the cross entropy."""

    def loss(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, y: Any) -> Any:
        y_pred = tg.sigmoid(tg.sigmoid(X @ W1 + b1) @ W2 + b2)
        return -np.mean(y * np.log(y_pred) + (1 - y) * np.log(1 - y_pred))

    y = np.array([[1.0], [0.0], [0.0], [1.0], [1.0], [0.0], [1.0]])
    return graded(gradients, loss, *random((2, 4), (4,), (4, 1), (1,), (7, 2)), y)


# Lesson 4
@exercise
def training_loop(train: Callable[..., Any]) -> str:
    """Check a loop of gradient descent on ½ (3 w² + v²)."""
    w, v = Tensor([1.0], requires_grad=True), Tensor([2.0], requires_grad=True)
    try:
        losses = train(lambda weights: np.sum(3 * weights[0] ** 2 + weights[1] ** 2) / 2, [w, v], 0.1, 4)
    except tg.GradientError as error:
        raise Mistake(f"a weight may be changed only inside `with tg.no_grad():` ({error})") from error
    need(losses is not None and len(losses) == 4, "return a list with one loss for each step")
    need(all(isinstance(loss, float) for loss in losses), "keep numbers, loss.item(): a Tensor would keep its whole graph alive")
    right = [(3 * 0.7 ** (2 * k) + 4 * 0.9 ** (2 * k)) / 2 for k in range(5)]
    need(not close(losses, right[1:]), "these are the losses after the steps: note each loss before its step")
    need(not close(losses, [right[0]] * 4), "the loss stays as it is: the weights do not move")
    need(close(losses[0], right[0]), f"the first loss is {right[0]}, before any step, and not {losses[0]}")
    need(losses[1] < losses[0], "the loss grows: you walk uphill; subtract the gradient")
    need(close(losses[1], right[1]), f"after one step the loss is {right[1]:.6g}, not {losses[1]:.6g}: is the learning rate a factor?")
    need(close(losses, right[:4]), "the first step is right, later ones are too long: .grad adds up, so clear it before each backward")
    return "Loss, clear, backward, step."


@exercise
def largest_rate(rate_of: Callable[[np.ndarray], float]) -> str:
    """Check the largest rate at which gradient descent on ½ wᵀ A w does not grow."""

    def shrinks(lr: float) -> bool:
        w = np.ones(3)
        for _ in range(400):
            w = np.clip(w - lr * A @ w, -1e9, 1e9)
        return bool(np.linalg.norm(w) < 1)

    A = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 0.5]])
    rate = rate_of(A)
    need(np.ndim(rate) == 0, f"one rate for all directions, not {np.shape(rate)} of them")
    need(
        shrinks(0.98 * rate),
        f"descent with a rate of 0.98 times yours, {0.98 * rate:.4g}, still flies away: the steepest direction decides",
    )
    need(not shrinks(1.02 * rate), f"descent with a rate a little above yours, {1.02 * rate:.4g}, still arrives: the limit is larger")
    return f"Here it is {rate:.4f}: a little below it descent arrives, a little above it flies away."


@exercise
def one_layer(collapsed: Callable[..., Any]) -> str:
    """Check the single layer that three layers without activation are."""
    W1, b1, W2, b2, W3, b3, X = random((2, 5), (5,), (5, 4), (4,), (4, 3), (3,), (6, 2))
    W, b = collapsed(W1, b1, W2, b2, W3, b3)
    need(np.shape(W) == (2, 3), f"W maps 2 numbers to 3, so its shape is (2, 3), not {np.shape(W)}: in which order are the layers applied?")
    need(close(W, W1 @ W2 @ W3), "W is not the product of the three matrices, in the order in which they are applied")
    need(np.shape(b) == (3,), f"b has one entry for each output, (3,), not {np.shape(b)}")
    need(close(X @ W + b, ((X @ W1 + b1) @ W2 + b2) @ W3 + b3), "b is not right: the earlier biases go through the later matrices")
    return "Three layers, one matrix."


# Lesson 5
@exercise
def rule_of_swish(swish: Callable[..., Any]) -> str:
    """Check a primitive's rule."""
    return f"check_gradients says: {tg.testing.check_gradients(swish, np.array([-2.0, -0.3, 0.6, 1.9]))}."


@exercise
def breaks_the_product(vector: Any) -> str:
    """Check that the rule g out / x of a product fails at a vector."""
    x = np.asarray(vector, float)
    need(x.ndim == 1 and x.size, f"give a vector with at least one entry, not an array of shape {x.shape}")
    with np.errstate(all="ignore"):
        found, right = np.prod(x) / x, tg.grad(np.prod)(x)
    need(not close(found, right), f"at {x} the rule is right: {found}. What must one never divide by?")
    return f"The rule gives {found}, and the gradient is {right}."


@exercise
def kills_all(test: Callable[[], Any]) -> str:
    """Check that a test passes, and fails for each mutant of three functions."""
    try:
        test()
    except Exception as error:
        raise Mistake(f"your test fails without any mistake planted: {error}") from error
    chosen = [mutant for mutant in mutants() if mutant.function in ("tanh", "multiply", "unbroadcast")]
    for mutant in chosen:
        with applied(mutant):
            try:
                test()
            except Exception:
                continue
        raise Mistake(f"this one survives: {mutant}")
    return f"All {len(chosen)} mutants are found."


# Lesson 6
@exercise
def softmax_layer(gradients: Callable[..., Any]) -> str:
    """Grade the gradients of a layer with softmax and cross entropy."""

    def loss(W: Any, b: Any, X: Any, Y: Any) -> Any:
        return -np.mean(np.sum(Y * tg.log_softmax(X @ W + b), axis=1))

    return graded(gradients, loss, *random((4, 3), (3,), (7, 4)), np.eye(3)[[0, 1, 2, 0, 1, 1, 2]])


def convolved(image: Any, kernel: Any) -> Any:
    """Return the convolution of one image with one kernel."""
    return conv2d(image[None, None], kernel[None, None])[0, 0]


@exercise
def convolution(convolve: Callable[..., Any]) -> str:
    """Check a convolution."""
    image, kernel = random((5, 7), (2, 3))
    found, right = np.asarray(convolve(image, kernel)), convolved(image, kernel)
    need(found.shape == right.shape, f"a 2 × 3 window fits into 5 × 7 pixels at {right.shape} places, not {found.shape}")
    need(not close(found, convolved(image, kernel[::-1, ::-1])), "the kernel is turned around: take image[r + i, c + j] * kernel[i, j]")
    need(
        close(found, right),
        f"the first number is {found[0, 0]:.4f}, and should be {right[0, 0]:.4f}: multiply all pixels of a window, and add up",
    )
    return "The same six weights at every place."


@exercise
def gradient_of_kernel(kernel_gradient: Callable[..., Any]) -> str:
    """Check the gradient of a convolution's kernel."""
    image, kernel, g = random((5, 7), (2, 3), (4, 5))
    found, right = np.asarray(kernel_gradient(image, kernel, g)), tg.vjp(lambda k: convolved(image, k), kernel)[1](g)
    need(found.shape == kernel.shape, f"a gradient has the shape of the kernel, {kernel.shape}, not {found.shape}")
    need(not close(found, convolved(image, np.ones_like(g))), "g is missing: multiply with what arrives at each place")
    need(close(found, right), f"the first number is {found[0, 0]:.4f}, and should be {right[0, 0]:.4f}: the sum of g[r, c] * image[r, c]")
    return "It is a convolution of the image with g."


# Lesson 7
@exercise
def newton(newton_step: Callable[..., Any]) -> str:
    """Check a step of Newton's method."""

    def bowl(x: Any) -> Any:
        return x[0] ** 2 + x[0] * x[1] + 2 * x[1] ** 2 - 3 * x[0]

    x = np.array([2.0, -1.0])
    found, right = newton_step(bowl, x), np.array([12.0, -3.0]) / 7
    need(np.shape(found) == x.shape, f"return the new point, of shape {x.shape}, not {np.shape(found)}")
    need(not close(found, right - x), "this is the step; the new point is the old one plus the step")
    need(not close(found, 2 * x - right), "a step in the wrong direction: the step solves H d = -g, with a minus")
    need(not close(found, x - tg.grad(bowl)(x)), "this is gradient descent: the Hessian is missing")
    need(
        close(found, right),
        f"the lowest point of this bowl is {right}, one step away; you arrive at {found}. Does your step solve H d = -g?",
    )
    return "From anywhere in a bowl one step leads to its lowest point."


@exercise
def hessian_vector(hessian_times: Callable[..., Any]) -> str:
    """Check the product of the Hessian with a vector, made without the Hessian."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise Mistake("without tg.hessian, tg.jacobian and tg.hvp: differentiate the product of the gradient with v instead")

    def f(x: Any) -> Any:
        return np.sum(np.sin(x) * x[::-1] ** 2)

    x, v = random((5,), (5,))
    right = tg.hvp(f, x, v)
    with patch.multiple(tg, hessian=refuse, jacobian=refuse, hvp=refuse):
        found = hessian_times(f, x, v)
    need(np.shape(found) == x.shape, f"H v has the shape of x, {x.shape}, not {np.shape(found)}: differentiate the number g · v")
    need(not close(found, tg.hvp(f, x, np.ones(5))), "v is missing: this is H times a vector of ones")
    need(not close(found, tg.grad(f)(x) * v), "this is the gradient times v; it must be differentiated once more")
    need(close(found, right), f"this gives {found[:2]}..., and H v is {right[:2]}...")
    return "Two sweeps, and no matrix."


@exercise
def swing(residual: Callable[..., Any]) -> str:
    """Check the residual of u'' + u = 0."""
    t = np.linspace(0.1, 2, 5)
    for u, name, right in ((np.sin, "sin t", 0 * t), (lambda t: t**3, "t³", 6 * t + t**3), (np.exp, "exp t", 2 * np.exp(t))):
        found = residual(u)(t)
        need(np.shape(found) == t.shape, f"for {name} the residual has the shape {np.shape(found)}: one number for each time")
        need(not close(found, right - 2 * u(t)), f"for {name} this is u'' - u: look at the sign")
        need(close(found, right), f"for {name} at t = {t[0]} the residual is {right[0]:.4f}, not {found[0]:.4f}: is it u'' and not u'?")
    return "It is 0 for the sine, as it should be."


# Lesson 8
@exercise
def compilable(huber: Callable[..., Any]) -> str:
    """Check Huber's loss, plain and compiled."""
    points = [np.array([-2.5, -0.4, 0.0, 0.9, 3.0]), np.array([0.3, -0.2, 0.1, 2.0, -0.7]), np.array([5.0, -4.0, 1.5, -9.0, 2.0])]
    compiled = tg.compile(huber)
    for x in points:
        right = [z * z / 2 if abs(z) <= 1 else abs(z) - 0.5 for z in x]
        try:
            found = compiled(x)
        except (ValueError, tg.CompileError) as error:
            raise Mistake(
                f"an `if` decides once, and each entry of x needs its own choice: np.where(condition, ..., ...) ({error})"
            ) from error
        need(np.shape(found) == x.shape, f"one number for each entry of x, not an array of shape {np.shape(found)}")
        k = int(np.argmax(np.abs(found - right)))
        need(
            close(found, right),
            f"h({x[k]}) is {right[k]:g}, not {found[k]:g}: look at the {'parabola' if abs(x[k]) <= 1 else 'straight part'}",
        )
    return f"Compiled it is the same, and check_gradients says: {tg.testing.check_gradients(huber, points[1], order=1)}."


@exercise
def without_new_memory(update: Callable[..., Any]) -> str:
    """Check an update in place, and what memory it takes."""
    W, g = np.ones(100_000), np.full(100_000, 2.0)
    tracemalloc.start()
    update(W, g, 0.25)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    need(not close(W, np.ones(100_000)), "W is as it was: `W = ...` makes a new array and calls that W; write into the old one")
    need(not close(W, np.full(100_000, 1.5)), "W went uphill: subtract")
    need(close(W, np.full(100_000, 0.5)), f"1 - 0.25 · 2 is 0.5, and W holds {W[0]:g}")
    need(most < W.nbytes / 2, f"{most:,} bytes were needed on the way, a new array: write lr · g into g, with out=g")
    return f"{W.nbytes:,} bytes changed, {most:,} needed on the way."


# Lesson 9
@exercise
def frequency(loss_by_frequency: Callable[..., float]) -> str:
    """Check the entropy of the letters of a text."""
    found = loss_by_frequency(np.array([0, 0, 1, 3]))
    right = 1.5 * np.log(2)  # a half, a quarter, a quarter
    need(found is not None and np.ndim(found) == 0, f"the loss is one number, the mean over the text, and not {found}")
    need(np.isfinite(found), "0 · log 0 is nan: leave out letters that do not occur")
    need(not close(found, -right), "the sign: minus the logarithm, which is a positive number")
    need(not close(found, 1.5), "this is in bits, with the logarithm to the base 2; ours is the natural one")
    need(not close(found, 5 * np.log(2)), "each letter counts as often as it occurs: multiply by p")
    need(close(found, right), f"for a text of the letters 0, 0, 1, 3 the loss is {right:.4f}, not {found:.4f}")
    return "It is called the entropy of the letters."


@exercise
def causal_attention(attention: Callable[..., Any]) -> str:
    """Check attention to what came before."""
    q, k, v = random((4, 3), (4, 3), (4, 2))
    found, right = np.asarray(attention(q, k, v)), scaled_dot_product_attention(q, k, v, is_causal=True)
    need(found.shape == right.shape, f"each place gets a mean of the values, {right.shape}, not {found.shape}")
    need(np.isfinite(found).all(), "some weights are nan: does each place see at least itself?")
    need(not close(found, scaled_dot_product_attention(q, k, v)), "the places look ahead: the weights with s > t must be 0")
    need(
        not close(found, scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0)), "the products are not divided by the root of d"
    )
    need(close(found[0], v[0]), "the first place sees itself alone, so it gets its own value: do the weights of each row add up to 1?")
    need(close(found, right), f"the second place should get {right[1]}, and gets {found[1]}")
    return "Each place a mean of what it has seen."


@exercise
def dependence(sees: Callable[..., Any]) -> str:
    """Check a table of which place depends on which."""

    def back(x: Any) -> Any:
        return np.cumsum(x, axis=0) @ np.array([[1.0, -1.0], [1.0, -1.0]])

    def two_back(x: Any) -> Any:
        return np.concatenate([x[:2], x[:-2] ** 2])

    x = random((4, 2))[0]
    for f, right in ((back, np.tril(np.ones((4, 4)))), (two_back, np.eye(4, k=-2) + np.diag([1, 1, 0, 0]))):
        found = np.asarray(sees(f, x))
        need(found.shape == (4, 4), f"a row and a column for each place, (4, 4), not {found.shape}: over which axes do you add up?")
        need(not close(found, right.T), "rows and columns are exchanged: the output's place is the row")
        need(
            close(found, right),
            f"the table should be\n{right.astype(int)}\nand is\n{found.astype(int)}\n(derivatives of both signs may cancel)",
        )
    return "A derivative that is not zero shows what depends on what."
