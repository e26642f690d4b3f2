"""Make README's picture and equations from the code that README shows: ``python -m examples.readme``."""

from __future__ import annotations

import re
from pathlib import Path

import tinygrad_hw as tg

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run README's first block; write its drawing to docs/ and its equations into README."""
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", readme, re.DOTALL)
    assert block is not None
    scope: dict[str, tg.Tensor] = {}
    exec(block[1], scope)
    loss = scope["loss"]
    tg.draw(loss, legend=False).save(ROOT / "docs" / "graph.svg")
    readme = between(readme, "equations", f"```text\n{tg.explain(loss)}\n```")
    readme = between(readme, "picture", "![The computation graph of the loss](docs/graph.svg)")
    path.write_text(readme, encoding="utf-8")


def between(text: str, part: str, content: str) -> str:
    """Put the content between README's markers of a part."""
    start = f"<!-- made by python -m examples.readme: {part} -->"
    before, _, rest = text.partition(start)
    _, end, after = rest.partition("<!-- end -->")
    return f"{before}{start}\n{content}\n{end}{after}"


if __name__ == "__main__":
    main()
