"""The course's lessons run from top to bottom, and each exercise tells the right answer, and typical wrong ones by a helpful word."""

import inspect
import linecache
import re
import sys
from itertools import count
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

COURSE = Path(__file__).parent.parent / "docs" / "course"
LESSONS = sorted(COURSE.glob("0?-*.md"))
CELL = re.compile(r"^```\{code-cell\}\n(?::[^\n]*\n)*\n?(.*?)^```$", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(r"^# one answer\n.*^exercises\.(\w+)\(", re.MULTILINE | re.DOTALL)
numbers = count()

# Of each exercise, typical wrong answers: what is written instead of a part of the right one, and a word of what is said.
WRONG = {
    "chain_rule": [
        ("np.cos(x**2) * 2 * x", "np.cos(x**2)", "inner"),
        ("np.cos(x**2) * 2 * x", "np.cos(x) * 2 * x", "inner value"),
        ("np.cos(x**2) * 2 * x", "-np.cos(x**2) * 2 * x", "sign"),
    ],
    "engine": [
        ("(self, b), (other, a)", "(self, a), (other, b)", "exchanged"),
        ("parent.grad +=", "parent.grad =", "do not assign"),
        ("value.grad * local", "local", "what arrives"),
    ],
    "with_tensors": [
        ("return t.grad", "return f(t).item()", "value f(x)"),
        ("f(t).backward()", "f(t)", "backward"),
        ("return t.grad", "", "return"),
    ],
    "paths": [
        ("return 1.0", "return 0.0", "by itself is 1"),
        ("slope * sum", "slope + sum", "multiply"),
        ("total += slope", "total = slope", "add up"),
        ("return total", "pass", "is a `return` missing"),
    ],
    "one_sweep": [
        ("reversed(order[:-1])", "order[:-1]", "from its end"),
        ("reversed(order[:-1])", "reversed(order)", "begin before it"),
        ("derivative[here] += slope", "derivative[here] = slope", "must all count"),
        ("slope * derivative[after]", "slope * sum_over_paths(edges, after, end)", "each arrow may be used once"),
    ],
    "forward_gradient": [
        ("(direction,)", "(np.ones(len(x)),)", "one at a time"),
        ("slopes.append(slope)", "slopes.append(value)", "value of f"),
        ("return np.array(slopes)", "return slopes[0]", "one sweep for each entry"),
    ],
    "layer": [
        ("delta @ W.T", "delta @ W", "matmul"),
        ("X.T @ delta", "delta.T @ X", "shape of its array"),
        ("delta.sum(axis=0)", "delta.sum()", "shape of its array"),
    ],
    "delta_equations": [
        ("sigmoid_prime(z2)", "sigmoid_prime(a2)", "taken at a₂ and not at z₂"),
        ("delta2 @ W2.T", "delta2 @ W2", "transpose"),
        ("(y_pred - y) / N", "(y_pred - y)", "missing 1/N"),
    ],
    "cross_entropy": [
        ("(y_pred - y) / N", "(y_pred - y) / N * y_pred * (1 - y_pred)", "δ₂ = (ŷ − y) / N"),
        ("(y_pred - y) / N", "(y - y_pred) / N", "wrong sign"),
        ("(y_pred - y) / N", "y_pred - y", "missing 1/N"),
    ],
    "training_loop": [
        ("w.grad = None", "pass", "adds up"),
        ("w -= lr", "w += lr", "uphill"),
        ("with tg.no_grad():", "if True:", "no_grad"),
    ],
    "largest_rate": [
        ("2 / ", "1 / ", "the limit is larger"),
        ("[-1]", "[0]", "the steepest direction decides"),
        ("[-1]", "", "one rate for all directions"),
    ],
    "one_layer": [
        ("W1 @ W2 @ W3", "W3.T @ W2.T @ W1.T", "in which order"),
        ("(b1 @ W2 + b2) @ W3 + b3", "b3", "through the later matrices"),
        ("(b1 @ W2 + b2) @ W3", "b1 @ W2 + b2 @ W3", "broadcast"),
    ],
    "rule_of_swish": [
        ("g * (", "(", "ignored cotangent"),
        ("+ out * (1 - tg.sigmoid(x))", "+ x * (1 - tg.sigmoid(x))", "differ"),
        ("g * (", "-g * (", "a sign"),
    ],
    "breaks_the_product": [
        ("[0.0, 2.0, 3.0]", "[1.0, 2.0, 3.0]", "never divide by"),
        ("[0.0, 2.0, 3.0]", "[-1.0, -1.0]", "never divide by"),
        ("[0.0, 2.0, 3.0]", "[]", "at least one entry"),
    ],
    "kills_all": [
        ("wide, narrow)", "wide, wide)", "unbroadcast"),
        ("rng.normal(size=4))", "rng.normal(size=4), order=1)", "not differentiable again"),
        ("check_gradients(np.multiply, wide, narrow)", "pass", "multiply"),
    ],
    "softmax_layer": [
        ("(p - Y) / len(X)", "p - Y", "missing 1/N"),
        ("(p - Y)", "(Y - p)", "wrong sign"),
        ("(p - Y)", "(p - Y) * p * (1 - p)", "softmax(z₁) − Y"),
    ],
    "convolution": [
        ("* kernel)", "* kernel[::-1, ::-1])", "turned around"),
        ("image.shape[0] - h + 1", "image.shape[0] - h", "places"),
        ("np.sum(image[r : r + h, c : c + w] * kernel)", "image[r, c] * kernel[0, 0]", "all pixels of a window"),
    ],
    "gradient_of_kernel": [
        ("convolve(image, g)", "convolve(image, kernel)", "shape of the kernel"),
        ("convolve(image, g)", "convolve(image, 0 * g + 1)", "g is missing"),
        ("convolve(image, g)", "convolve(image, g[::-1, ::-1])", "g[r, c] * image[r, c]"),
    ],
    "newton": [
        ("x - np.linalg", "x + np.linalg", "wrong direction"),
        ("tg.hessian(f)(x), ", "np.eye(2), ", "the Hessian is missing"),
        ("return x - np.linalg.solve(tg.hessian(f)(x), tg.grad(f)(x))", "return x - tg.hessian(f)(x) @ tg.grad(f)(x)", "H d = -g"),
    ],
    "hessian_vector": [
        ("return tg.grad(", "return tg.hessian(f)(x) @ v; tg.grad(", "without tg.hessian"),
        (" * v", "", "v is missing"),
        ("return tg.grad(lambda x: np.sum(gradient(x) * v))(x)", "return gradient(x) * v", "once more"),
    ],
    "swing": [
        ("derivative(derivative(u))", "derivative(u)", "u''"),
        ("+ u(t)", "- u(t)", "the sign"),
        (" + u(t)", "", "is it u''"),
    ],
    "compilable": [
        (
            "return np.where(np.abs(x) <= 1, x**2 / 2, np.abs(x) - 0.5)",
            "return x**2 / 2 if np.abs(x) <= 1 else np.abs(x) - 0.5",
            "np.where",
        ),
        ("np.abs(x) <= 1", "x <= 1", "straight part"),
        ("x**2 / 2", "x**2", "parabola"),
    ],
    "without_new_memory": [
        ("np.subtract(W, g, out=W)", "W = W - g", "as it was"),
        ("np.multiply(g, lr, out=g)", "g = lr * g", "a new array"),
        ("np.subtract", "np.add", "uphill"),
    ],
    "frequency": [
        ("np.log(p)", "np.log2(p)", "bits"),
        ("p * np.log(p)", "np.log(p)", "as often as it occurs"),
        ("-np.sum(", "np.sum(", "sign"),
    ],
    "causal_attention": [
        ("scores, -np.inf)", "scores, scores)", "look ahead"),
        (" / np.sqrt(d)", "", "root of d"),
        ("axis=1", "axis=0", "add up to 1"),
    ],
    "dependence": [
        ("axis=(1, 3)", "axis=(1, 2)", "which axes"),
        ("np.abs(J)", "J", "cancel"),
        ("axis=(1, 3)) > 0", "axis=(1, 3)).T > 0", "exchanged"),
    ],
}

ALSO_RIGHT = {
    "chain_rule": ("np.cos(x**2) * 2 * x", "(x + x) * np.sin(x * x + np.pi / 2)"),
    "one_sweep": ("reversed(order[:-1])", "order[-2::-1]"),
    "delta_equations": ("sigmoid_prime(z2)", "a2 * (1 - a2)"),
    "cross_entropy": ("(y_pred - y) / N", "(-y / y_pred + (1 - y) / (1 - y_pred)) / N * y_pred * (1 - y_pred)"),
    "training_loop": ("w -= lr * w.grad", "w[...] = w - lr * w.grad"),
    "hessian_vector": ("np.sum(gradient(x) * v)", "gradient(x) @ v"),
    "compilable": ("x**2 / 2", "np.abs(x) * np.abs(x) / 2"),
    "without_new_memory": ("np.multiply(g, lr, out=g)", "g *= lr"),
    "frequency": ("np.bincount(codes)", "np.unique(codes, return_counts=True)[1]"),
}

# What a lesson's sentences say of what its cells have computed.
CLAIMS = {
    "01-a-scalar": ["len(inspect.getsource(Value.backward).splitlines()) < 10", "abs(w - 3) < 0.03"],
    "02-graphs": ["sum(map(len, ladder(50).values())) == 200", "forward > 20 * backward"],
    "04-training": [
        "curves[0.01][0][-1] > curves[0.1][0][-1] > 10 * curves[1][0][-1] > 100 * curves[10][0][-1]",
        "max(curves[100][0][-1000:]) > 0.2",
        "[curves[lr][1] for lr in (1, 10)] == [21, 21]",
        "0.1 > 10 * largest_rate(A)",
        "(round(losses[-1], 4), right) == (0.1247, 11)",
    ],
    "05-break-it": ["not tried[-1].all()", "len(survivors(weak_test)) == 4"],
    "06-digits": [
        "sum(p.size for p in conv.parameters()) < sum(p.size for p in hidden.parameters())",
        "data.accuracy(conv(images[unseen, None]), labels[unseen]) > data.accuracy(hidden(flat[unseen]), labels[unseen])",
        "1 <= len(wrong) <= 8",
    ],
    "07-derivatives-of-derivatives": ["round(curvature) == 1002", "losses[-1] < losses[0] / 1000", "rosenbrock(x) > 1e-5"],
    "08-the-program": ["np.allclose(printed, compiled, rtol=1e-14) and np.allclose(compiled, eager, rtol=1e-14)"],
    "09-a-small-gpt": ["abs(losses[0] - np.log(45)) < 0.5", "losses[50] < loss_by_frequency(gpt.CODES)", "losses[-1] < 1.7"],
}

IN_CHINESE = {
    "matmul": "你的程式停在這裡",
    "shape of its array": "梯度的形狀",
    "taken at a₂ and not at z₂": "代入了 a₂，應該代入 z₂",
    "transpose": "轉置",
    "missing 1/N": "少除以 N",
    "δ₂ = (ŷ − y) / N": "正確的式子：δ₂ = (ŷ − y) / N",
    "wrong sign": "正負號",
}


@pytest.fixture
def in_the_course(monkeypatch):
    monkeypatch.chdir(COURSE)
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: plt.close("all"))
    monkeypatch.delitem(sys.modules, "exercises", raising=False)
    monkeypatch.setattr(sys, "path", [str(COURSE), *sys.path])


def is_chinese(lesson):
    return lesson.name.endswith(".zh-TW.md")


def run(source, namespace):
    """Run a cell, so that its functions' source can be read as in Jupyter."""
    file = f"<cell {next(numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    exec(compile(source, file, "exec"), namespace)


@pytest.mark.usefixtures("in_the_course")
@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_and_its_exercises_tell_right_answers_from_wrong_ones(lesson, capsys):
    namespace, in_chinese = {"__name__": "lesson"}, is_chinese(lesson)
    for source in CELL.findall(lesson.read_text(encoding="utf-8")):
        capsys.readouterr()
        answered = ANSWER.search(source)
        for old, new, word in WRONG[answered[1]] if answered else ():
            assert source.count(old) == 1, f"{answered[1]}: {old!r} stands there {source.count(old)} times"
            with pytest.raises(namespace["exercises"].Mistake, match=re.escape(IN_CHINESE[word] if in_chinese else word)):
                run(source.replace(old, new), dict(namespace))
        if answered and answered[1] in ALSO_RIGHT:
            run(source.replace(*ALSO_RIGHT[answered[1]]), dict(namespace))
        run(source, namespace)
        said = capsys.readouterr().out
        assert not answered or ("正確。" if in_chinese else "Right.") in said
        assert "# your turn" not in source or ("還沒有" if in_chinese else "Nothing to check yet") in said
    for claim in CLAIMS.get(lesson.stem, ()):
        assert eval(claim, {**namespace, "inspect": inspect}), claim


def test_each_exercise_stands_in_a_lesson_with_a_place_for_an_answer_and_has_three_wrong_ones():
    answered = []
    for lesson in LESSONS:
        cells = CELL.findall(lesson.read_text(encoding="utf-8"))
        found = [match[1] for match in map(ANSWER.search, cells) if match]
        turns = [re.search(r"^exercises\.(\w+)\(", cell, re.MULTILINE)[1] for cell in cells if cell.startswith("# your turn")]
        assert found == turns, f"{lesson.name}: exercises and answers are not the same"
        answered += [] if is_chinese(lesson) else found
    checkers = re.findall(r"^@exercise\ndef (\w+)", (COURSE / "exercises.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert answered == checkers == list(WRONG)
    assert all(len(wrong) >= 3 for wrong in WRONG.values())


def test_a_translated_lesson_has_the_code_of_the_original():
    for lesson in filter(is_chinese, LESSONS):
        original = lesson.with_name(lesson.name.replace(".zh-TW", ""))
        here, there = (CELL.findall(path.read_text(encoding="utf-8")) for path in (lesson, original))
        without = [cell.replace('\nexercises.language = "zh-TW"\n', "").replace(', language="zh-TW"', "") for cell in here]
        assert without == there


def test_the_code_of_a_lesson_fits_its_column_and_the_gpt_has_150_lines():
    for lesson in LESSONS:
        long = [line for cell in CELL.findall(lesson.read_text(encoding="utf-8")) for line in cell.splitlines() if len(line) > 82]
        assert not long, f"{lesson.name}: {long}"
    assert len((COURSE.parent.parent / "examples" / "gpt.py").read_text(encoding="utf-8").splitlines()) <= 150
