"""Backpropagation by hand is graded line by line: what is right is called right, and a mistake is found where it is, by its name."""

import subprocess
import sys
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest
from homeworks import ACTIVATIONS, PLANTED, WAYS, Planted, graded_homework, homework, module

import tinygrad_hw as tg
from tinygrad_hw.testing import grade
from tinygrad_hw.testing.grade import Grade, class_page
from tinygrad_hw.testing.grade.command import main

SETTINGS = [
    {"n": 1},
    {"labels": 1, "n": 8, "hidden": 3},
    {"activation": "tanh", "n": 5, "hidden": 4, "seed": 3},
    {"activation": "relu", "n": 13, "hidden": 7, "seed": 5},
]


graded = partial(graded_homework, homework)


# What is right
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("way", WAYS)
def test_a_correct_way_of_writing_it_has_no_mistake(way, settings):
    found = graded(way, WAYS[way], **settings)
    assert found.right and not found.mistakes, str(found)
    assert (found.points, found.total) == (9, 9)


@pytest.mark.parametrize("way", WAYS)
def test_the_codes_own_forward_pass_can_stand_for_the_teachers(way):
    assert graded(way, WAYS[way], own=True).right


@pytest.mark.parametrize("way", WAYS)
def test_each_delta_and_each_gradient_is_recognised_on_a_line(way):
    lines = {line.quantity for line in graded(way, WAYS[way]).found.lines}
    w, b = ("w", "c") if way == "in place" else ("W", "b")
    assert {"δ₁", "δ₂", "δ₃", *(f"∂L/∂{name}{k}" for name in (w, b) for k in "₁₂₃")} <= lines


def test_per_sample_loops_are_right_too():
    source = """
import numpy as np

def gradients(W, b, X, y):
    dW, db = np.zeros_like(W), np.zeros_like(b)
    for x, t in zip(X, y):
        a = np.tanh(x @ W + b)
        d = (a - t) * (1 - a ** 2)
        dW += np.outer(x, d)
        db += d
    return dW / len(X), db / len(X)
"""
    rng = np.random.default_rng(1)
    loss = lambda W, b, X, y: np.sum((np.tanh(X @ W + b) - y) ** 2) / (2 * len(X))
    example = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    assert grade(module(source)["gradients"], loss, *example).right


# Mistakes
SOME = [*PLANTED[:3], *PLANTED[3::4]]  # (all of them take a minute; each kind and each way is there)


@pytest.fixture(scope="module")
def found():
    return [graded(mistake.way, mistake.source()) for mistake in SOME]


def test_every_planted_mistake_is_noticed(found):
    assert not any(result.right for result in found)


def test_the_first_wrong_line_is_named_for_nine_of_ten_planted_mistakes(found):
    right = [result.mistakes[0].line == mistake.number() for result, mistake in zip(found, SOME)]
    assert sum(right) >= 0.9 * len(SOME)


def test_the_mistake_is_called_by_its_name_for_three_of_four_planted_mistakes(found):
    right = [result.mistakes[0].mistake.kind in mistake.kinds for result, mistake in zip(found, SOME)]
    assert sum(right) >= 0.75 * len(SOME)


def test_the_right_equation_stands_beside_the_mistake(found):
    said = str(found[1])
    assert "Line 19: the derivative is taken at a₂ and not at z₂" in said
    assert "δ₂ = (δ₃ W₃ᵀ) ⊙ σ′(z₂)" in said


def test_what_follows_from_a_mistake_is_judged_on_its_own(found):
    verdicts = {mark.text.split(" = ")[0]: mark.verdict for mark in found[0].found.marks}
    assert verdicts["δ₂"] == "wrong"
    assert verdicts["∂L/∂W₁"] == verdicts["δ₁"] == "follows"
    assert verdicts["∂L/∂W₃"] == "right"
    assert found[0].points == 8


def test_two_mistakes_are_both_found():
    source = Planted("rows", "* derivative_sigmoid(z2)", "* derivative_sigmoid(a2)", ()).source()
    source = source.replace("np.dot(X.T, delta1) / N", "np.dot(X.T, delta1)")
    found = graded("rows", source)
    assert [mistake.mistake.kind for mistake in found.mistakes] == ["argument of the derivative", "1/N missing"]


def test_the_missing_factor_is_called_n():
    found = graded("rows", Planted("rows", "np.dot(a1.T, delta2) / N", "np.dot(a1.T, delta2)", ()).source(), n=13)
    assert "missing 1/N (N = 13)" in str(found)


def test_1_over_n_that_stands_nowhere_is_one_mistake():
    found = graded("columns", Planted("columns", "dout = (out - t) / m", "dout = out - t", ()).source())
    assert len(found.mistakes) == 1
    assert found.mistakes[0].mistake.kind == "1/N missing"


def test_a_gradient_that_is_never_used_is_said_to_be_missing():
    line = "self.b1 -= lr * (np.sum(hidden_layer1_delta, axis=0) / N)"
    code, loss, example = homework("report", Planted("report", line, "pass", ()).source())
    found = grade(code, loss, *example, seconds=2)  # (nothing mends it: all edits are tried, or half of the time is over)
    assert [mistake.mistake.kind for mistake in found.mistakes] == ["missing"]
    assert "∂L/∂b₁" in str(found)


def test_a_wrong_forward_line_is_found_by_the_teachers_loss():
    found = graded("rows", Planted("rows", 'np.dot(a1, p["W2"]) + p["b2"]', 'np.dot(a1, p["W2"])', ()).source())
    assert found.mistakes[0].line == 13
    assert found.mistakes[0].mistake.kind == "term missing"


# Data that hide mistakes
def test_on_one_row_a_missing_1_over_n_is_found_on_other_data():
    source = WAYS["rows"].replace("N = X.shape[0]", "N = 1")
    found = graded("rows", source, n=1)
    assert not found.right
    assert "On a batch of one row" in str(found) and "other data" in str(found)


def test_with_a_symmetric_weight_a_missing_transpose_is_found_on_other_data():
    code, loss, (p, X, y) = homework("rows", Planted("rows", 'p["W2"].T', 'p["W2"]', ()).source())
    found = grade(code, loss, {**p, "W2": p["W2"] + p["W2"].T}, X, y)
    assert found.mistakes[0].mistake.kind == "transpose"
    assert "W₂ is symmetric" in str(found)


def test_with_weights_of_zero_a_wrong_layer_is_found_on_other_data():
    code, loss, (p, X, y) = homework("rows", Planted("rows", "* derivative_sigmoid(z1)", "* derivative_sigmoid(z2)", ()).source())
    found = grade(code, loss, {name: 0 * x for name, x in p.items()}, X, y)
    assert found.mistakes[0].line == 20


def test_with_labels_that_are_all_zero_a_wrong_sign_is_found_on_other_data():
    found = graded("in place", Planted("in place", "e3 = y - p", "e3 = p - y", ()).source(), labels=0)
    assert found.mistakes[0].line == 35 and found.mistakes[0].mistake.kind == "sign"
    assert "Some of the data are zero" in str(found)


def test_on_two_rows_a_factor_of_two_is_not_taken_for_n():
    source = Planted("layers", "delta = activations[-1] - y", "delta = 2 * (activations[-1] - y)", ()).source()
    assert graded("layers", source, n=2).mistakes[0].mistake.kind == "scale"


def test_a_method_that_does_one_step_is_called_twice_so_that_stale_weights_are_seen():
    wrong = "self.__dict__.setdefault('old', self.w3.copy()).T"
    found = graded("in place", Planted("in place", "self.w3.T", wrong, ()).source())
    assert found.mistakes[0].mistake.kind == "stale" and found.mistakes[0].line == 37
    assert "seen in step 2" in str(found)


def test_mistakes_are_found_by_the_codes_own_forward_pass_too():
    found = [graded(m.way, m.source(), own=True, activation="tanh", seed=4, n=9, hidden=6) for m in PLANTED[::10]]
    assert [result.mistakes[0].line for result in found] == [mistake.number() for mistake in PLANTED[::10]]


# Code that does not behave
def test_an_exception_is_reported_with_the_codes_own_traceback():
    found = graded("rows", Planted("rows", "np.dot(a2.T, delta3)", "np.dot(a2, delta3)", ()).source())
    assert found.mistakes[0].mistake.kind == "transpose"
    assert "in gradients" in str(found) and "tinygrad_hw" not in found.found.crash.traceback


def test_an_endless_loop_is_stopped_and_its_line_named():
    source = Planted("rows", "N = X.shape[0]", "while True: N = 1", ()).source()
    code, loss, example = homework("rows", source)
    found = grade(code, loss, *example, seconds=0.3)
    assert not found.right
    assert found.mistakes[0].line == 21 and found.mistakes[0].mistake.kind == "time"


def test_an_endless_loop_in_one_line_is_stopped_too():
    source = Planted("report", "# backward", "while True: pass", ()).source()
    code, loss, example = homework("report", source)
    for given in (loss, None):
        found = grade(code, given, *example, seconds=0.3)
        assert found.mistakes[0].mistake.kind == "time" and found.mistakes[0].text == "while True: pass"


def test_what_the_code_prints_is_not_shown(capsys):
    assert graded("rows", WAYS["rows"].replace("    N = X", "    print('noise')\n    N = X")).right
    assert capsys.readouterr().out == ""


def test_the_weights_and_the_data_given_stay_as_they_are():
    code, loss, (X, y) = homework("report", WAYS["report"])
    before = {name: x.copy() for name, x in vars(code).items() if isinstance(x, np.ndarray)}
    data = X.copy(), y.copy()
    grade(code, loss, X, y)
    assert all(np.array_equal(x, vars(code)[name]) for name, x in before.items())
    assert np.array_equal(X, data[0]) and np.array_equal(y, data[1])


def test_code_without_a_loss_needs_the_teachers():
    source = WAYS["rows"].replace("loss = np.mean((y - y_pred) ** 2) / 2", "loss = 0.0")
    with pytest.raises(tg.GradientError, match="give grade the loss as a function of Tensors"):
        graded("rows", source, own=True)


def test_an_argument_of_unknown_meaning_is_named():
    source = WAYS["cached"].replace("def backward(self, target):", "def backward(self, target, quux, corge):")
    with pytest.raises(TypeError, match="corge"):
        graded("cached", source)


def test_an_unknown_language_is_refused():
    code, loss, example = homework("rows", WAYS["rows"])
    with pytest.raises(ValueError, match="'en', 'zh-TW'"):
        grade(code, loss, *example, language="fr")


# Reports
def test_the_report_is_there_in_chinese(found):
    report = str(Grade(found[0].found, "zh-TW"))
    assert "第 19 行：少乘了 σ′(z₂)" in report
    assert "9 個式子中有 8 個正確" in report


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_every_mistake_and_every_note_has_words_in_every_language(language):
    from tinygrad_hw.testing.grade.words import MISTAKES, NOTES, WORDS

    for table in (MISTAKES, NOTES, WORDS):
        assert table[language].keys() == table["en"].keys()
        assert all(text for text in table[language].values())


def test_the_html_is_well_formed_and_needs_no_other_file(found):
    for page in (found[1].html(), class_page(found[:3])):
        assert "<script" not in page and "http-equiv" in page and "src=" not in page
        body = page[page.index("<main>") : page.index("</main>") + 7]
        assert ElementTree.fromstring(body) is not None


def test_jupyter_shows_the_report_as_html(found):
    assert "<math" in found[1]._repr_html_()


def test_the_page_of_a_class_has_a_mark_for_each_equation_and_each_student(found):
    page = class_page(found[:3])
    assert page.count("<th scope='row'>") == 3
    assert all(f"<th scope='col'>{text}</th>" in page for text in ("δ₂", "∂L/∂W₁"))


def test_in_the_page_of_a_class_other_names_of_weights_make_no_other_columns():
    page = class_page([graded("rows", WAYS["rows"]), graded("in place", WAYS["in place"])])
    table = page[: page.index("<section")]
    assert table.count("<th scope='col'>") == 3 + 9
    assert "class='missing'" not in table


# The command
@pytest.fixture
def run(capsys):
    """A function that runs the command in this process, and returns its status and what it has printed."""

    def run(*args):
        try:
            status = main([*map(str, args)])
        except SystemExit as end:
            status = end.code
        return status, "".join(capsys.readouterr())

    return run


def written(folder, name, source):
    file = folder / name
    _, function, derivative, of_result = ACTIVATIONS["sigmoid"]
    file.write_text(source.replace("FUNCTION", function).replace("DERIVATIVE", derivative).replace("OF_RESULT", of_result))
    return file


def test_the_command_grades_files_and_writes_the_page_of_the_class(run, tmp_path):
    right = written(tmp_path, "right.py", WAYS["report"] + "\nprint('training')\n")
    wrong = written(tmp_path, "wrong.py", PLANTED[13].source())
    status, printed = run(right, wrong, "--html", tmp_path / "class.html")
    assert status == 1, printed
    assert "right.py: 9 of 9" in printed and "Line 42: wrong transpose" in printed
    assert "training" not in printed
    assert "wrong.py" in (tmp_path / "class.html").read_text()


def test_the_command_survives_files_that_do_not_behave(tmp_path):
    files = [
        written(tmp_path, "leaves.py", "import os\nos._exit(3)\n"),
        written(tmp_path, "syntax.py", "def f(:\n"),
        written(tmp_path, "empty.py", "x = 1\n"),
        written(tmp_path, "loops.py", WAYS["report"] + "\nwhile True:\n    pass\n"),
    ]
    command = [sys.executable, "-m", "tinygrad_hw.testing.grade", *files, "--seconds", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    for said in ("leaves.py: not graded", "SyntaxError", "empty.py: not graded", "loops.py: 9 of 9"):
        assert said in result.stdout


def test_the_command_takes_the_loss_and_the_example_from_a_teachers_file(run, tmp_path):
    teacher = tmp_path / "teacher.py"
    teacher.write_text(
        "import numpy as np\nrng = np.random.default_rng(0)\n"
        "example = rng.normal(size=(2, 1)), rng.normal(size=(5, 2)), rng.normal(size=(5, 1))\n"
        "def loss(W, X, y):\n    return np.mean((X @ W - y) ** 2)\n"
    )
    student = tmp_path / "student.py"
    student.write_text("def gradients(W, X, y):\n    return 2 * X.T @ (X @ W - y)\n")
    status, printed = run(student, "--teacher", teacher)
    assert status == 1 and "missing 1/N (N = 5)" in printed, printed


def test_the_command_says_what_is_wrong_with_its_arguments(run, tmp_path):
    assert run("--help")[0] == 0
    status, printed = run(tmp_path / "nothing.py")
    assert status == 2 and "there is no file" in printed


class BySample:
    """Runs its own forward pass on each sample, and adds up in arrays that it begins with as zeros."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.W, self.b = [rng.normal(size=(3, 2)), rng.normal(size=(1, 3))], [np.zeros(3), np.zeros(1)]
        self.gW, self.gb = [np.zeros((3, 2)), np.zeros((1, 3))], [np.zeros(3), np.zeros(1)]

    def forward(self, x):
        self.a = [x]
        for w, b in zip(self.W, self.b):
            self.a.append(1 / (1 + np.exp(-(w.dot(self.a[-1]) + b))))
        return self.a[-1]

    def backward(self, X, y):
        self.gW, self.gb = [np.zeros_like(w) for w in self.W], [np.zeros_like(b) for b in self.b]
        for x, target in zip(X, y):
            out = self.forward(x)
            delta = (out - target) * out * (1 - out) / len(X)
            for k in (1, 0):
                self.gW[k] += np.outer(delta, self.a[k])
                self.gb[k] += delta
                delta = self.W[k].T.dot(delta) * self.a[k] * (1 - self.a[k])


def loss_by_sample(net, X, y):
    a = X
    for w, b in zip(net.W, net.b):
        a = tg.sigmoid(a @ w.T + b)
    return np.mean((a - y) ** 2) / 2


@pytest.mark.parametrize("y", [np.array([[0.3], [0.9], [0.1], [0.6]]), np.array([[0.0], [0.0], [0.0], [0.0]]), np.zeros((1, 1))], ids=len)
def test_what_an_object_begins_with_as_zeros_is_no_weight_and_what_equals_the_data_by_chance_is_one(y):
    X = np.random.default_rng(1).normal(size=(len(y), 2))
    found = grade(BySample(), loss_by_sample, X, y)
    assert found.right and "rate of learning" not in str(found), str(found)
