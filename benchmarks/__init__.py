"""Benchmarks: `python -m benchmarks` measures this package against hand-written NumPy and the peers that are installed."""
