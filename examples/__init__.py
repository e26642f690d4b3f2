"""Worked examples, which use the public names of tinygrad_hw alone; README.md beside this lists them."""
