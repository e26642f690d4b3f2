"""Grade files from the command line: ``python -m tinygrad_hw.testing.grade homework.py``."""

from __future__ import annotations

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
