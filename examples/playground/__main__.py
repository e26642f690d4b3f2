"""Write the page: ``python -m examples.playground [--out FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .page import page
from .programs import programs

PRINTED = Path(__file__).parent.parent / "report" / "printed_losses.json"


def printed() -> dict[str, dict[int, float]]:
    """Return the losses that the report printed, by run and epoch."""
    runs = json.loads(PRINTED.read_text(encoding="utf-8"))["runs"]
    return {run["id"]: {int(epoch): loss for epoch, loss in run["train_loss"].items() if loss is not None} for run in runs}


def main(argv: list[str] | None = None) -> int:
    """Write the page; 0 if that could be done, 2 if not."""
    parser = argparse.ArgumentParser(prog="python -m examples.playground", description="Write a page in which the network trains live.")
    parser.add_argument("--out", type=Path, default=Path("out/playground.html"), metavar="FILE", help="where to (default: %(default)s)")
    options = parser.parse_args(argv)
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(page(programs(), printed()), encoding="utf-8")
    except OSError as error:
        parser.error(f"cannot write {str(options.out)!r}: {error.strerror}")
    print(options.out.resolve().as_uri())
    return 0


if __name__ == "__main__":
    sys.exit(main())
