"""Print which of NumPy's functions have a derivative here: ``python -m tinygrad_hw.rules``."""

from .coverage import report

print(report())
