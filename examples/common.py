"""What examples do alike: read the command line, save a picture, find workers."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def whole(text: str) -> int:
    """Read a whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def options(about: str | None, arguments: Sequence[str] | None, **defaults: Any) -> argparse.Namespace:
    """Read the command line: an option for each default, of its type; of a tuple, one of its words, the first if none is given."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    for name, default in defaults.items():
        words = default if isinstance(default, tuple) else None
        first = default if words is None else words[0]
        kind = whole if isinstance(first, int) and first > 0 else type(first)
        parser.add_argument(f"--{name}", type=kind, default=first, choices=words, help="default: %(default)s")
    return parser.parse_args(arguments)


def save(figure: Any, path: Path) -> None:
    """Save a figure of matplotlib, in a folder that is made if need be, and forget it."""
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def dask_client(scheduler: str, workers: int) -> Any:
    """Return a client of the Dask cluster that has this address, or, of "", of one that starts here, of so many processes."""
    from dask.distributed import Client

    if scheduler:
        return Client(scheduler)
    return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL)
