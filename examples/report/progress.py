"""Progress bars for work that goes on in other processes: they count in shared memory, and this one shows it."""

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
    """Show a bar for each entry of ``totals``, as far as the array that this gives says; workers write to the array."""
    with tempfile.TemporaryDirectory() as folder:
        counts = np.memmap(Path(folder) / "counts", np.int64, "w+", shape=(len(totals),))
        width = max(map(len, totals))
        bars = [
            tqdm(total=total, desc=f"{name:<{width}}", position=i, unit=" epochs", mininterval=REFRESH)
            for i, (name, total) in enumerate(totals.items())
        ]
        ended = threading.Event()
        watcher = threading.Thread(target=lambda: watch(bars, counts, ended), daemon=True)
        watcher.start()
        try:
            yield counts
        finally:
            ended.set()
            watcher.join()
            for bar in bars:
                bar.close()


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
