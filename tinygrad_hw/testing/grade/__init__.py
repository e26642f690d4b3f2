"""Grade backpropagation that was written by hand, line by line.

``grade`` runs two steps of the code and compares the gradients with the engine's. If they differ, it tries some hundreds of small edits of
the code's own expressions and statements, and runs it again after each: the edit that makes every gradient right gives the line and the
name of the mistake, however the code is written. Several mistakes are found one after the other. If no edit helps, the first line is
reported that makes nothing the engine knows. The arrays that lines make are compared with the engine's values, so that the report says of
each line that it is δ₂, or a₁ᵀ δ₂ ... From a shell: ``python -m tinygrad_hw.testing.grade homework.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .assess import assess
from .report import Grade, class_page

__all__ = ["Grade", "class_page", "grade"]


def grade(gradients: Any, loss: Callable[..., Any] | None, *example: Any, language: str = "en", seconds: float = 10.0) -> Grade:
    """Grade backpropagation by hand in plain NumPy, line by line.

    Parameters
    ----------
    gradients : function, class or object
        A function of ``example`` that returns the gradients of its weights: in the structure of the first argument if that is a dict,
        list or tuple of weights, else as a tuple, in the order of the arguments; the loss may stand beside them. Or an object (or its
        class) with the weights in its attributes and methods ``forward`` and ``backward``, or ``fit`` that trains in a loop of its own;
        what their arguments are is recognised by their names.
    loss : function or None
        The loss as an expression of Tensors: of ``example``, or of ``(object, X, y)``, where the weights in the object are Tensors.
        With None the code's own forward pass is taken, run on Tensors.
    *example : arrays, or dicts, lists and tuples of them
        What ``gradients`` is called with; for an object X and y.
    language : {"en", "zh-TW"}
        Of the report.
    seconds : float
        When to stop code that does not end.

    Returns
    -------
    Grade
        ``.right``, ``.mistakes``, ``.points`` of ``.total``; ``str()``, ``.html()``; shown by Jupyter as it is.

    Raises
    ------
    GradientError
        If ``loss`` is None and the code computes no loss.
    TypeError
        If the code needs an argument that nothing is known of.

    Notes
    -----
    Two steps are run, the second with other weights, so that values kept from the first are seen. Lines on the way may be transposed, N
    times the engine's, or of the other sign: only the gradients have to be exact. On data that hide a mistake (one row, zeros, symmetric
    or equal weights) the code is run on others too, and the report says so.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_hw.testing import grade
    >>> def gradient(W, X, y):
    ...     delta = X @ W - y
    ...     return X.T @ delta
    >>> loss = lambda W, X, y: np.sum((X @ W - y) ** 2) / 2
    >>> grade(gradient, loss, np.array([[1.0], [2.0]]), np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([[1.0], [2.0]])).right
    True
    """
    return Grade(assess(gradients, loss, example, seconds), language)
