"""What was measured, written down: a JSON file for each part, with the machine that it was measured on."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "results"
PEERS = ("numba", "mygrad", "autograd", "torch", "jax")


def save(part: str, results: dict[str, Any]) -> None:
    """Write a part's results; those of other parts stay as they are."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{part}.json").write_text(as_json({"machine": machine(), "results": results}), encoding="utf-8")


def load(part: str) -> dict[str, Any]:
    """Return what ``save`` wrote of a part."""
    return json.loads((FOLDER / f"{part}.json").read_text(encoding="utf-8"))


def as_json(content: dict[str, Any]) -> str:
    """Return JSON to read and to compare: numbers to four digits, a list of numbers on one line."""
    text = json.dumps(rounded(content), indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text) + "\n"


def rounded(content: Any) -> Any:
    """Return nested results with every float rounded to four digits."""
    if isinstance(content, dict):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [rounded(value) for value in content]
    return float(f"{content:.4g}") if isinstance(content, float) else content


def machine() -> dict[str, Any]:
    """Return what the numbers depend on: processor, versions, threads, day and command."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        **{peer: release(peer) for peer in PEERS},
        "blas": np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"],
        "blas_threads": 1,
        "date": date.today().isoformat(),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def processor() -> str:
    """Return the processor's model, as far as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def release(package: str) -> str | None:
    """Return a package's version, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
