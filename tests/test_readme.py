"""What README and the docstrings show runs, and says what is true."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import tinygrad_hw

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(tinygrad_hw.__path__, "tinygrad_hw.")
    if not module.name.endswith(("__main__", ".exponential"))  # (needs Numba)
)


def test_readmes_code_blocks_run_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    assert BLOCKS
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), scope)


def test_readmes_equations_are_those_that_its_first_block_prints(capsys):
    exec(compile(BLOCKS[0], "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    shown = re.search(r"examples\.readme: equations -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1].strip() == printed


def test_readme_links_to_files_that_exist():
    links = re.findall(r"\]\(([^)#\s]+)\)", README)
    local = [link for link in links if not link.startswith("http")]
    assert local
    for link in local:
        assert (Path(__file__).parent.parent / link).exists(), link


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_docstring_is_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
