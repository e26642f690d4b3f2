"""Graphviz's SVG for use in pages: unique ids, names of boxes for screen readers, no prolog."""

from __future__ import annotations

import hashlib
from xml.etree import ElementTree

from ..naming import clean
from .dot import DARK, LIGHT, in_words
from .picture import Picture

__all__ = ["polished"]

SVG = "http://www.w3.org/2000/svg"
LINK = "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", SVG)
ElementTree.register_namespace("xlink", LINK)


def polished(svg: bytes, picture: Picture, dot: str, prefix: str | None = None) -> str:
    """Return the SVG with a title and a description, the name of each box for screen readers, and a prefix before every id.

    The prefix, by default a digest of the DOT text, keeps two drawings in one page apart.
    """
    prefix = f"g{hashlib.sha256(dot.encode()).hexdigest()[:8]}_" if prefix is None else prefix
    root = ElementTree.fromstring(svg)
    words = {f"n{i}": in_words(box) for i, box in enumerate(picture.boxes)}
    words |= {f"e{i}": f"{picture.boxes[arrow.tail].name} → {picture.boxes[arrow.head].name}" for i, arrow in enumerate(picture.arrows)}
    for element in root.iter(f"{{{SVG}}}g"):
        title, name = element.find(f"{{{SVG}}}title"), element.get("id", "")
        if title is not None:
            if name in words:
                title.text = clean(words[name])
            else:
                element.remove(title)
        element.set("id", prefix + name)
    title, description = ElementTree.Element(f"{{{SVG}}}title"), ElementTree.Element(f"{{{SVG}}}desc")
    title.text, description.text = "Computation graph", clean(picture.caption)
    title.set("id", f"{prefix}drawing")
    root.insert(0, title)
    root.insert(1, description)
    if picture.theme == "auto":
        root.insert(2, dark_style(f"{prefix}svg"))
        root.set("id", f"{prefix}svg")
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}drawing")
    return ElementTree.tostring(root, encoding="unicode")


def dark_style(name: str) -> ElementTree.Element:
    """Return CSS with the dark theme's colours, for where the page is dark; later rules override earlier ones."""
    shapes = ":is(polygon, path, ellipse, polyline)"
    rules = {".graph > polygon": f"fill: {DARK.back}", "text": f"fill: {DARK.fore}", f".cluster {shapes}": f"stroke: {DARK.frame}"}
    rules[f".cluster {shapes}:not([fill='none'])"] = f"fill: {DARK.back}"
    for kind, (inside, border) in DARK.kinds.items():
        light_inside, light_border = LIGHT.kinds[kind]
        rules[f".node.{kind} {shapes}"] = f"stroke: {border}"
        rules[f".node.{kind} {shapes}:not([fill='none'])"] = f"fill: {inside}"
        rules[f".legend [fill='{light_inside}']"] = f"fill: {inside}"
        rules[f".legend [stroke='{light_border}']"] = f"stroke: {border}"
    for which, colour in (("edge", DARK.arrow), ("edge.data", DARK.soft), ("edge.highlighted", DARK.highlight)):
        rules[f".{which} {shapes}"] = f"stroke: {colour}"
        rules[f".{which} polygon"] = f"fill: {colour}"
    rules[f".node.faded {shapes}:not([fill='none'])"] = f"fill: {DARK.back}; stroke: {DARK.soft}"
    rules[".node.faded text"] = f"fill: {DARK.soft}"
    element = ElementTree.Element(f"{{{SVG}}}style")
    lines = "".join(f"#{name} {selector} {{ {rule} }}\n" for selector, rule in rules.items())
    element.text = f"@media (prefers-color-scheme: dark) {{\n{lines}}}"
    return element
