"""The homework report, reproduced digit by digit: ``python -m examples.report``.

The report trains a network of two hidden layers on two data sets of points in the plane, with its backpropagation
written out by hand. Here the same network is an ordinary tensor expression (``network``), the hand-written deltas are
its oracle (``manual``), and the five runs (``experiments``) become figures (``figures``) and a page (``page``).
"""
