"""Editors and type checkers see the types of what users write: ``typed_user.py`` says which, and which lines are mistakes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_hw

USER = Path(__file__).parent / "typed_user.py"
LINES = dict(enumerate(USER.read_text(encoding="utf-8").splitlines(), 1))
TYPES = {number: line.partition("  # is ")[2] for number, line in LINES.items() if line.startswith("reveal_type")}
MISTAKES = [number for number, line in LINES.items() if line.endswith("  # an error")]
ROOT = Path(tinygrad_hw.__file__).parent.parent


def mypys_words(folder):
    """Return what mypy reveals by line, and the lines of its errors."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(folder), str(USER)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT).stdout
    told = re.findall(r"^.*typed_user\.py:(\d+): (\w+): (.*)", out, re.MULTILINE)
    assert "Found" in out, out
    revealed = {int(line): words for line, kind, words in told if kind == "note" and "Revealed" in words}
    return revealed, [(int(line), words) for line, kind, words in told if kind == "error"]


def pyrights_words(folder):
    """Return what pyright reveals by line, and the lines of its errors."""
    (folder / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT)]}))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(USER)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=folder).stdout)["generalDiagnostics"]
    words = [(entry["range"]["start"]["line"] + 1, entry["severity"], entry["message"]) for entry in told]
    return {line: text for line, kind, text in words if kind == "information"}, [
        (line, text) for line, kind, text in words if kind == "error"
    ]


def short(words):
    """Return a type without the modules of its names."""
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", re.search(r'is "(.*)"', words)[1])


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_type_checker_knows_what_the_package_returns_and_reports_the_mistakes_alone(checker, pytestconfig, tmp_path):
    pytest.importorskip(checker)
    if checker == "pyright" and not shutil.which("node"):
        pytest.skip("pyright runs in node")
    folder = pytestconfig.cache.mkdir(checker) if hasattr(pytestconfig, "cache") else tmp_path
    revealed, errors = (mypys_words if checker == "mypy" else pyrights_words)(folder)
    assert {line: short(words) for line, words in revealed.items()} == TYPES
    assert sorted({line for line, _ in errors}) == MISTAKES, errors


def test_the_package_says_that_it_is_typed():
    assert Path(tinygrad_hw.__file__).with_name("py.typed").exists()
