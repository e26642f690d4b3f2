"""Make the picture, output, equations and speed table of both READMEs: ``python -m examples.readme`` (the picture needs Chromium).

The output and the equations come from running the code that README shows, the table from benchmarks/results/report.json.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tinygrad_hw as tg

ROOT = Path(__file__).parent.parent
CONTESTANTS = {  # README's word for each contestant of the report's loop
    "NumPy, the loop as printed": "NumPy, the loop as printed",
    "tinygrad_hw, eager": "**tinygrad_hw, eager**",
    "tg.compile, NumPy": "**`tg.compile`, NumPy alone** (the loop tuned by hand with `out=`: {tuned})",
    "tg.compile, Numba, step.repeat": '**`tg.compile(backend="numba")`, `step.repeat`**',
    "JAX, the loop inside jit": "JAX {jax}, the whole loop inside `jit` (a step: {step})",
    "PyTorch, eager": "PyTorch {torch}, eager (MyGrad {mygrad}, HIPS autograd {hips})",
}

IN_CHINESE = {  # what stands in the table of README.zh-TW.md instead
    "ratio": "比值",
    "NumPy, the loop as printed": "NumPy，照報告所印的迴圈",
    "tinygrad_hw, eager": "tinygrad_hw，立即執行 (eager)",
    "`tg.compile`, NumPy alone** (the loop tuned by hand with `out=`: ": "`tg.compile`，只用 NumPy** (用 `out=` 親手調校的迴圈：",
    '`tg.compile(backend="numba")`, `step.repeat`': '`tg.compile(backend="numba")`，`step.repeat`',
    ", the whole loop inside `jit` (a step: ": "，整個迴圈放進 `jit` (每次一步：",
    "Measured on": "測量於",
    " cores": " 核心",
}


def main() -> None:
    """Run README's first block; write what it prints and implies between the markers of README, in both languages."""
    output, loss = run_first_block((ROOT / "README.md").read_text(encoding="utf-8"))
    tg.draw(loss, legend=False).save(ROOT / "docs" / "graph.svg")
    photograph(loss, ROOT / "docs" / "stepping.png")
    for name, table in (("README.md", speed_table()), ("README.zh-TW.md", in_chinese(speed_table()))):
        readme = (ROOT / name).read_text(encoding="utf-8")
        readme = between(readme, "output", f"```text\n{output}```")
        readme = between(readme, "equations", f"```text\n{tg.explain(loss)}\n```")
        readme = between(readme, "source", f"```text\n{source_beside(readme)}```")
        readme = between(readme, "speed", table)
        (ROOT / name).write_text(readme, encoding="utf-8")


def source_beside(readme: str) -> str:
    """Return the compiled step of README's second block, each line with the equation of what it computes."""
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL)[:2]:
            exec(compile(block, "README.md", "exec"), scope)
    return str(tg.explain(scope["loss"]).beside(scope["step"].source))


def run_first_block(readme: str) -> tuple[str, tg.Tensor]:
    """Return what README's first block of Python prints, and its loss."""
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    scope: dict[str, tg.Tensor] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(block[1], scope)
    return printed.getvalue(), scope["loss"]


def photograph(loss: tg.Tensor, path: Path, step: int = 17) -> None:
    """Save a picture of the page that steps through backward, at one step."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print(f"No chromium on PATH: {path.name} stays as it is.")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "graph.html"
        tg.draw(loss).save(page)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1400,860"]
        command = [chromium, *flags, f"--user-data-dir={folder}/profile", f"--screenshot={path}", f"{page.as_uri()}#step={step}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def speed_table() -> str:
    """Return README's table of speed, from the latest measurements."""
    measured = json.loads((ROOT / "benchmarks" / "results" / "report.json").read_text(encoding="utf-8"))
    machine = measured["machine"]
    ratios = {label: f"{timing['ratio']:.2f}" for label, timing in measured["results"]["contestants"].items()}
    words = {
        "tuned": ratios["NumPy, tuned by hand with out="],
        "step": ratios["JAX, jit per step"],
        "mygrad": ratios["MyGrad"],
        "hips": ratios["HIPS autograd"],
        **{name: version(machine[name]) for name in ("jax", "torch")},
    }
    rows = [f"| {text.format(**words)} | {ratios[label]} |" for label, text in CONTESTANTS.items()]
    conditions = (
        f"Measured on {machine['date']}: {machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        f"NumPy {machine['numpy']}, Numba {machine['numba']}."
    )
    return "\n".join(["| | ratio |", "|---|---|", *rows, "", conditions])


def in_chinese(table: str) -> str:
    """Return the table of speed in Traditional Chinese."""
    for english, chinese in IN_CHINESE.items():
        table = table.replace(english, chinese)
    return table


def version(text: str) -> str:
    """Return the major and minor number of a version."""
    return ".".join(text.split(".")[:2])


def between(text: str, part: str, content: str) -> str:
    """Put the content between README's markers of a part."""
    start = f"<!-- made by python -m examples.readme: {part} -->"
    before, _, rest = text.partition(start)
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{start}\n{content}\n{end}{after}"


if __name__ == "__main__":
    main()
