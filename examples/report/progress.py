"""Progress of work that goes on in other processes: they count in shared memory, and this one shows it.

A terminal shows bars; anything else, such as a log file, gets a line for each tenth.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tqdm import tqdm

__all__ = ["progress_bars"]

REFRESH = 0.2  # seconds


@contextmanager
def progress_bars(totals: dict[str, int]) -> Iterator[np.ndarray]:
    """Show how far each entry of ``totals`` is, by the array that this gives; workers write to the array."""
    with tempfile.TemporaryDirectory() as folder:
        counts = np.memmap(Path(folder) / "counts", np.int64, "w+", shape=(len(totals),))
        width = max(map(len, totals))
        on_terminal = sys.stderr.isatty()
        bars = [
            tqdm(total=total, desc=f"{name:<{width}}", position=i, unit=" epochs", mininterval=REFRESH, disable=not on_terminal)
            for i, (name, total) in enumerate(totals.items())
        ]
        ended = threading.Event()
        how = (lambda: watch(bars, counts, ended)) if on_terminal else (lambda: tell(totals, counts, ended))
        watcher = threading.Thread(target=how, daemon=True)
        watcher.start()
        try:
            yield counts
        finally:
            ended.set()
            watcher.join()
            for bar in bars:
                bar.close()


def tell(totals: dict[str, int], counts: np.ndarray, ended: threading.Event) -> None:
    """Print a line for each tenth of each count: what a log file can hold."""
    told = dict.fromkeys(totals, 0)
    running = True
    while running:
        running = not ended.wait(REFRESH)
        for (name, total), count in zip(totals.items(), counts.tolist()):
            tenths = 10 * count // total
            if tenths > told[name]:
                told[name] = tenths
                print(f"{name}: {10 * tenths}%, {count:,} of {total:,} epochs", file=sys.stderr, flush=True)


def watch(bars: list[tqdm], counts: np.ndarray, ended: threading.Event) -> None:
    """Bring the bars up to the counts, again and again until the end."""
    running = True
    while running:
        running = not ended.wait(REFRESH)
        for bar, count in zip(bars, counts.tolist()):
            if count and not bar.n:
                bar.reset()  # the clock starts when the work does
            bar.update(count - bar.n)
            if count == bar.total and not bar.disable:
                bar.leave = False
                bar.close()
                tqdm.write(f"\r{bar}", file=sys.stderr)
