"""``python -m tinygrad_hw.drawing``: which layout engine and fonts pictures will be made with."""

from __future__ import annotations

import sys

from .layout import REMEDIES, LayoutError, engine, has_fonts


def main() -> int:
    """Print what was found, and return 1 if pictures cannot be drawn or would be drawn without letters."""
    found = engine()
    if found is None:
        print(f"layout engine: none\n{REMEDIES}")
        return 1
    print(f"layout engine: {found[0]}")
    try:
        letters = has_fonts()
    except LayoutError as error:
        print(f"it does not work: {error}")
        return 1
    print(
        "fonts: found"
        if letters
        else "fonts: none, so letters in PNG and PDF are empty boxes: install some (apt install fonts-dejavu-core)"
    )
    return 0 if letters else 1


if __name__ == "__main__":
    sys.exit(main())
