"""What README and the docstrings show runs, and says what is true."""

import re
from pathlib import Path

import pytest

import tinygrad_hw
from examples import readme

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readmes_code_blocks_run_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scope: dict = {}
    assert BLOCKS
    for block in BLOCKS:
        exec(compile(block, "README.md", "exec"), scope)


@pytest.mark.parametrize("part", ["output", "equations"])
def test_what_readme_prints_below_its_first_block_is_what_the_block_gives(part):
    output, loss = readme.run_first_block(README)
    given = {"output": output, "equations": f"{tinygrad_hw.explain(loss)}\n"}[part]
    shown = re.search(rf"examples\.readme: {part} -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == given


def test_the_program_that_readme_shows_is_the_one_that_its_second_block_compiles():
    shown = re.search(r"examples\.readme: source -->\n```text\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    assert shown[1] == readme.source_beside(README)


def test_readmes_table_of_speed_is_made_from_the_latest_measurements():
    assert readme.speed_table() in README


def test_readmes_code_is_narrow_enough_to_be_read_without_scrolling():
    assert all(len(line) <= 100 for block in BLOCKS for line in block.splitlines())


def test_readme_links_to_files_that_exist():
    links = re.findall(r"\]\(([^)#\s]+)\)", README)
    local = [link for link in links if not link.startswith("http")]
    assert local
    for link in local:
        assert (Path(__file__).parent.parent / link).exists(), link


CHINESE = (Path(__file__).parent.parent / "README.zh-TW.md").read_text(encoding="utf-8")


def test_the_chinese_readme_has_the_code_the_figures_and_the_links_of_the_english_one():
    blocks, links = re.compile(r"^```\w+\n.*?^```$", re.MULTILINE | re.DOTALL), re.compile(r"\]\(((?!README)[^)#\s]+)\)")
    assert blocks.findall(CHINESE) == blocks.findall(README)
    assert readme.in_chinese(readme.speed_table()) in CHINESE
    assert set(links.findall(README)) <= set(links.findall(CHINESE))
    assert all((Path(__file__).parent.parent / link).exists() for link in links.findall(CHINESE))
