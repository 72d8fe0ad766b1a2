"""Equations as MathML, which browsers draw by themselves: Sphinx's own way would fetch a program from a server."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

MATHML = "http://www.w3.org/1998/Math/MathML"
#: How far what has a subscript reaches below the line, at least: Chromium sets subscripts as low as that where the
#: machine has no font for mathematics that would say how low.
DEPTH = "0.2em"


def mathml(text: str, display: str) -> str:
    """LaTeX as MathML, "inline" or as a "block"."""
    root = ElementTree.fromstring(convert(text, display=display))
    tags = (f"{{{MATHML}}}msub", f"{{{MATHML}}}msubsup")
    for subscript in [one for one in root.iter() if one.tag in tags]:
        base = subscript[0]
        subscript.remove(base)
        padded = ElementTree.Element(f"{{{MATHML}}}mpadded", {"depth": DEPTH})
        padded.append(base)
        subscript.insert(0, padded)
    ElementTree.register_namespace("", MATHML)
    return ElementTree.tostring(root, encoding="unicode")


def visit_inline(self: Any, node: nodes.math) -> None:
    """Within a line."""
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """On lines of its own."""
    self.body.append(f'<div class="math-block">{mathml(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
