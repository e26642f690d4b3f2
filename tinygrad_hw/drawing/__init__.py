"""Drawings of computation graphs: pictures, text for terminals, Mermaid, and a page that steps through backward.

``recorded`` reads the graph as a plain sequence, ``fold`` makes large graphs small, ``build`` fills
the boxes of a ``picture``; then there is one writer each: ``dot`` (with ``layout`` and ``svg``), ``text``, ``mermaid``
and ``page`` (with ``modules``, ``steps``, ``arrays`` and ``again``).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import graphviz
import numpy as np

from ..errors import GradientError
from ..graph import Node
from ..naming import label_of
from ..tensor import Tensor, cotangent, why_no_gradient
from .again import computed_again
from .build import Look, build
from .dot import dot
from .languages import Translation
from .layout import LayoutError, render
from .mermaid import mermaid
from .modules import views
from .page import Lesson, page
from .picture import Arrow, Box, Picture
from .recorded import Recorded, read
from .steps import Key, Swept, numbers, replay
from .svg import polished
from .text import text

__all__ = ["Arrow", "Box", "Drawing", "LayoutError", "Picture", "draw"]

SHOWN = ("shape", "dtype", "value", "gradient")
CHOICES = {"direction": ("TB", "BT", "LR", "RL"), "theme": ("light", "dark", "auto"), "edges": ("plain", "derivative")}


class Drawing:
    """A drawing of a computation graph, made by ``draw``.

    Attributes
    ----------
    picture : the drawing as plain frozen data: boxes, arrows, caption.
    digraph : ``graphviz.Digraph``.
    dot : str, the drawing in the DOT language; the same program gives the same text in every process.
    omitted : int, how many vertices of the recorded graph are not drawn.

    Examples
    --------
    >>> from tinygrad_hw import Tensor, draw
    >>> x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> drawing = draw((x * x).sum())
    >>> print(drawing.text(80, color=False, ascii_only=True))  # doctest: +NORMALIZE_WHITESPACE
    #  name       operation              shape
    0  x          parameter              (2,)
    1  multiply1  x * x                  (2,)
    2  L          sum(multiply1) (loss)  scalar
    <BLANKLINE>
    L = sum(multiply1)
    `- multiply1 = x * x
       |- x
       `- x
    <BLANKLINE>
    2 operations on 1 leaf
    >>> drawing.omitted, drawing.dot.startswith("digraph"), drawing.mermaid().startswith("flowchart"), "<html" in drawing.html()
    (0, True, True, True)

    With a layout engine, Graphviz or the extra ``draw``, there are ``drawing.svg()``, ``drawing.png()``, ``drawing.pdf()`` too:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     drawing.save(folder + "/graph.dot").name
    'graph.dot'
    """

    def __init__(self, recorded: Recorded, look: Look, seeds: Mapping[Node, Any] | None, gradients: Mapping[Node, Any]) -> None:
        self.picture = build(recorded, look, gradients)
        self._recorded, self._look = recorded, look
        self._seeds, self._gradients = seeds, gradients

    def __repr__(self) -> str:
        return f"Drawing({self.picture.caption})"

    def __str__(self) -> str:
        return self.text()

    @property
    def omitted(self) -> int:
        """How many vertices of the recorded graph are not drawn."""
        return self.picture.omitted

    @cached_property
    def digraph(self) -> graphviz.Digraph:
        """The drawing as an object of the graphviz package."""
        return dot(self.picture)

    @property
    def dot(self) -> str:
        """The drawing in the DOT language."""
        return str(self.digraph.source)

    def svg(self, language: str = "en") -> str:
        """Return the drawing as SVG, fit to stand alone or inside a page.

        Parameters
        ----------
        language : {"en", "zh-TW"}
            Of the words in boxes and legend: English or Traditional Chinese.

        Returns
        -------
        str

        Raises
        ------
        LayoutError
            If there is no layout engine.
        """
        return Translation(language).markup(polished(render(self.dot, "svg"), self.picture, self.dot))

    def png(self, dpi: int = 144) -> bytes:
        """Return the drawing as PNG.

        Parameters
        ----------
        dpi : int

        Returns
        -------
        bytes

        Raises
        ------
        LayoutError
            If there is no layout engine, or the drawing is too large for a bitmap.
        """
        return render(self.dot.replace("{", f"{{\n\tdpi={int(dpi)}", 1), "png")

    def pdf(self) -> bytes:
        """Return the drawing as PDF.

        Raises
        ------
        LayoutError
            If there is no layout engine.
        """
        return render(self.dot, "pdf")

    def text(self, width: int | None = None, color: bool | None = None, ascii_only: bool | None = None) -> str:
        """Return the drawing for a terminal: a table of what was computed, and a tree from the output down.

        Parameters
        ----------
        width : cells in a line; by default as wide as the terminal.
        color : by default only in a terminal, and not where the variable NO_COLOR is set.
        ascii_only : by default only where the output's encoding has no Greek letters.

        Returns
        -------
        str
        """
        if color is None:
            color = not os.environ.get("NO_COLOR") and bool(getattr(sys.stdout, "isatty", bool)())
        if ascii_only is None:
            ascii_only = not has_greek(getattr(sys.stdout, "encoding", None) or "ascii")
        return text(self.picture, width or shutil.get_terminal_size((100, 24)).columns, color, ascii_only)

    def mermaid(self) -> str:
        """Return the drawing as a Mermaid flowchart, for README files."""
        return mermaid(self.picture)

    def html(self, history: Sequence[Tensor] | Mapping[int, Tensor] | None = None, language: str = "en") -> str:
        """Return one self-contained page that steps through the computation, forward and backward.

        It needs no network. A graph that is too large for one picture has a picture for each module, which opens at a click; a graph of
        single numbers is computed again when one of them is changed in the page.

        Parameters
        ----------
        history : sequence of Tensor, or mapping of int to Tensor, optional
            The same loss at some times of its training, by its number of epochs: the page has a strip that shows the values and the
            gradients of each. Losses that were kept as they were made will do: ``kept[epoch] = loss``.
        language : {"en", "zh-TW"}
            Of the page's words: English or Traditional Chinese.

        Returns
        -------
        str

        Raises
        ------
        ValueError
            If a loss of the history was not computed as the drawn one was, or there is no such language.

        Examples
        --------
        >>> import numpy as np
        >>> from tinygrad_hw import Tensor, draw, optim
        >>> w = Tensor([1.0, 2.0], requires_grad=True, name="w")
        >>> optimizer, kept = optim.SGD([w], lr=0.1), {}
        >>> for epoch in range(3):
        ...     loss = kept[epoch] = np.sum(w**2)
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        >>> page = draw(loss).html(history=kept)
        """
        recorded, look = self._recorded, self._look
        single = all(np.ndim(vertex.value) == 0 for vertex in recorded.vertices)
        look = replace(look, edges="derivative", show=(*look.show, "value", "gradient") if single else look.show)
        trail, gradients = replay(self._seeds) if self._seeds else (None, {})
        found = views(recorded, look, gradients)
        known = arrays_of(recorded, trail, gradients) if found else {}
        program = computed_again(recorded, self._seeds, known) if single and found else None
        lesson = Lesson(recorded, self.picture, found, trail, known, program, epochs(recorded, known, history) if found else ())
        return page(lesson, language)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the drawing in the format of the path's suffix.

        Parameters
        ----------
        path : str or path
            It ends in .dot .gv .svg .png .pdf .txt .mmd or .html.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the suffix is none of these.
        LayoutError
            If there is no layout engine for .svg, .png or .pdf.
        """
        path = Path(path)
        writers: dict[str, Callable[[], str | bytes]] = {
            ".dot": lambda: self.dot, ".gv": lambda: self.dot, ".svg": self.svg, ".png": self.png, ".pdf": self.pdf,
            ".txt": lambda: self.text(100, False, False), ".mmd": self.mermaid, ".html": self.html,
        }  # fmt: skip
        if path.suffix.lower() not in writers:
            raise ValueError(
                f"{path.name}: a drawing cannot be saved as {path.suffix or 'a file without a suffix'}; use one of {' '.join(writers)}"
            )
        content = writers[path.suffix.lower()]()
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return the drawing for Jupyter: the picture if it can be laid out, the text in any case."""
        try:
            bundle = {"text/plain": self.text(100, False, False)}
        except Exception as error:
            return {"text/plain": f"Drawing: {error}"}
        try:
            svg = self.svg()
            bundle.update({"image/svg+xml": svg, "text/html": f'<div style="overflow:auto">{svg}</div>'})
        except Exception as error:
            bundle["text/plain"] += f"\n{error}\n"
        return bundle


def draw(
    *outputs: Tensor,
    show: Collection[str] = ("shape",),
    names: Mapping[str, Any] | None = None,
    grad: Any = None,
    depth: int | None = None,
    max_nodes: int | None = None,
    title: str | None = None,
    legend: bool = True,
    direction: Literal["TB", "BT", "LR", "RL"] = "TB",
    theme: Literal["light", "dark", "auto"] = "light",
    highlight: Any = None,
    edges: Literal["plain", "derivative"] = "plain",
) -> Drawing:
    """Draw how the outputs were computed.

    Parameters
    ----------
    *outputs : Tensor
        One or several; what they were computed from is drawn with them, once.
    show : collection of str
        What the boxes say beside name and operation: any of "shape", "dtype", "value", "gradient". The gradient is the cotangent
        that a backward sweep from the outputs brings; no tensor's ``.grad`` is read or changed.
    names : mapping, optional
        Names for tensors and arrays: ``names=locals()``.
    grad : array_like, or a sequence of them for several outputs, optional
        The cotangents to start backward from; an output of size 1 needs none.
    depth : int, optional
        Draw each module at this depth, from 1 for the outermost, as one box. By default modules are closed only as far as
        ``max_nodes`` demands, or a picture that would be taller than some screens.
    max_nodes : int, optional
        How many boxes there may be; by default 60, or 40 where parts must be left out. Beyond it constants go into the operations
        that use them, a body that repeats is drawn once, with the weights that all its times share beside it, modules are closed,
        then other leaves go into operations too, and at last only what is nearest the output is drawn.
    title : str, optional
        The first words of the caption.
    legend : bool
        Whether the kinds of boxes and arrows are explained beside the drawing.
    direction : {"TB", "BT", "LR", "RL"}
        Where the arrows lead: from top to bottom, from left to right, or the other way.
    theme : {"light", "dark", "auto"}
        The colours; an SVG in "auto" follows the page or the system that shows it, other formats are light.
    highlight : str or Tensor, or a sequence of them, optional
        Names or tensors whose paths to the outputs are to be seen; all else fades.
    edges : {"plain", "derivative"}
        Whether arrows say what the operation's rule makes of the cotangent ``g`` that arrives at its result: ``g * b``.

    Returns
    -------
    Drawing
        It has ``.dot .svg() .png() .pdf() .text() .mermaid() .html() .save(path) .omitted``, and Jupyter shows it.

    Raises
    ------
    TypeError
        If an output is not a Tensor.
    ValueError
        If an option has no such value, ``depth`` is less than 1, ``max_nodes`` less than 2, or nothing drawn has a name to highlight.
    GradientError
        If gradients are asked for and an output that is no single number has no cotangent.

    Notes
    -----
    Modules (``tg.nn``) are drawn as nested frames around what was computed in them; a frame ``× 20`` holds what is done 20 times.

    A name is, in this order: the tensor's own, which is a parameter's path in its module; the name in ``names``; its role in a
    network (x, W₁, b₁, z₁, a₁, ŷ, y, L); the path of the module whose result it is; its operation with a number (``matmul₃``).

    Examples
    --------
    >>> from tinygrad_hw import Tensor, draw
    >>> x = Tensor([1.0, 2.0], requires_grad=True, name="x")
    >>> drawing = draw((x * x).sum(), direction="LR")
    >>> [box.formula for box in drawing.picture.boxes]
    ['', 'x * x', 'sum(multiply₁)']
    """
    show = (show,) if isinstance(show, str) else tuple(show)
    check(outputs, show, depth, max_nodes, direction=direction, theme=theme, edges=edges)
    nodes = [tensor._node for tensor in outputs]
    recorded = read(list(dict.fromkeys(nodes)), names)
    seeds = cotangents(outputs, grad, "gradient" in show)
    gradients = replay(seeds)[1] if seeds and "gradient" in show else {}
    reasons = [why_no_gradient(t) for t in outputs if not t.requires_grad]
    title = " · ".join(filter(None, (title, f"nothing was recorded: {reasons[0]}" if reasons and len(reasons) == len(outputs) else "")))
    look = Look(show, depth, max_nodes, title, legend, direction, theme, edges, highlighted(recorded, highlight))
    return Drawing(recorded, look, seeds, gradients)


def arrays_of(recorded: Recorded, trail: Sequence[Swept] | None, gradients: Mapping[Node, Any]) -> dict[Key, Any]:
    """Return the arrays of a graph, by the keys that the steps name them by."""
    return numbers([vertex.node for vertex in recorded.vertices], [vertex.value for vertex in recorded.vertices], trail or (), gradients)


def epochs(recorded: Recorded, known: Mapping[Key, Any], history: Any) -> list[tuple[int, dict[Key, Any]]]:
    """Return the numbers of epochs and the arrays of the losses of a training."""
    found = []
    pairs = history.items() if isinstance(history, Mapping) else enumerate(history or ())
    order, like = walked(recorded)
    for epoch, loss in pairs:
        if not isinstance(loss, Tensor):
            raise TypeError(f"html(history=...) takes the losses of a training as Tensors; epoch {epoch} has {type(loss).__name__}")
        other = read([loss._node])
        seeds = cotangents([loss], None, needed=False)
        trail, gradients = replay(seeds) if seeds else (None, {})
        its_order, its_like = walked(other)
        place = dict(zip(its_order, order))
        own = arrays_of(other, trail, gradients)
        own = {(key[0], place.get(key[1])) if key[0] in ("value", "gradient") else key: array for key, array in own.items()}
        if its_like != like or own.keys() != known.keys():
            raise ValueError(f"html(history=...): the loss of epoch {epoch} was not computed as the drawn one was")
        found.append((int(epoch), own))
    return found


def walked(recorded: Recorded) -> tuple[list[int], list[Any]]:
    """Return the vertices from the outputs down, operands in their order, and what each is; leaves may have been made in any order."""
    order: dict[int, int] = {}
    stack = list(recorded.outputs[::-1])
    while stack:
        i = stack.pop()
        if i not in order:
            order[i] = len(order)
            stack += recorded.vertices[i].operands[::-1]
    vertices = [recorded.vertices[i] for i in order]
    return list(order), [(v.operation, np.shape(v.value), [order[operand] for operand in v.operands]) for v in vertices]


def check(outputs: Sequence[Any], show: Collection[str], depth: Any, max_nodes: int | None, **choices: Any) -> None:
    """Raise if what was asked for cannot be drawn."""
    if not outputs:
        raise TypeError("draw() needs a Tensor: draw(loss), or draw(a, b) for several")
    for output in outputs:
        if not isinstance(output, Tensor):
            one_by_one, only_tensors = "give several outputs one by one: draw(a, b)", "only a Tensor remembers how it was computed"
            hint = one_by_one if isinstance(output, (list, tuple)) else only_tensors
            raise TypeError(f"draw() takes Tensors, not {type(output).__name__}: {hint}")
    unknown = set(show) - set(SHOWN)
    if unknown:
        raise ValueError(f"draw(show=...) takes a collection of {', '.join(map(repr, SHOWN))}, not {', '.join(map(repr, sorted(unknown)))}")
    if depth is not None and (not isinstance(depth, (int, np.integer)) or isinstance(depth, bool) or depth < 1):
        raise ValueError(f"draw(depth={depth!r}): modules are counted from 1, the outermost, so depth must be a whole number from 1 on")
    if max_nodes is not None and max_nodes < 2:
        raise ValueError(f"draw(max_nodes={max_nodes}): a drawing needs room for at least 2 boxes")
    for name, value in choices.items():
        if value not in CHOICES[name]:
            raise ValueError(f"draw({name}={value!r}): give one of {', '.join(map(repr, CHOICES[name]))}")


def highlighted(recorded: Recorded, highlight: Any) -> frozenset[int]:
    """Return the vertices whose names, or whose tensors, were given."""
    if highlight is None:
        return frozenset()
    found: set[int] = set()
    for wanted in [highlight] if isinstance(highlight, (str, Tensor)) else highlight:
        looked_for = wanted._node if isinstance(wanted, Tensor) else label_of(wanted)
        matches = [i for i, vertex in enumerate(recorded.vertices) if looked_for in (vertex.node, vertex.label)]
        if not matches:
            known = ", ".join([vertex.name for vertex in recorded.vertices if not vertex.operation][:20])
            raise ValueError(f"draw(highlight={wanted!r}): nothing in this graph has that name; its leaves are {known}")
        found.update(matches)
    return frozenset(found)


def cotangents(outputs: Sequence[Tensor], grad: Any, needed: bool) -> dict[Node, Any] | None:
    """Return the cotangents that backward starts from, or None if there are none and none are needed."""
    if not all(tensor.requires_grad for tensor in outputs):
        if needed:
            raise GradientError(why_no_gradient(next(tensor for tensor in outputs if not tensor.requires_grad)))
        return None
    if grad is None and not needed and any(tensor.size != 1 for tensor in outputs):
        return None
    given = [grad] if len(outputs) == 1 else list(grad) if grad is not None else [None] * len(outputs)
    seeds: dict[Node, Any] = {}
    for tensor, g in zip(outputs, given, strict=True):
        node, seed = tensor._node, cotangent(tensor, g)
        seeds[node] = seeds[node] + seed if node in seeds else seed
    return seeds


def has_greek(encoding: str) -> bool:
    """Tell whether an encoding has what the names of roles are written in."""
    try:
        "z₁ŷ∂└".encode(encoding)
    except (UnicodeError, LookupError):
        return False
    return True
