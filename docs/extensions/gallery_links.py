"""Links to the gallery's scripts lead to the pages made of them; in the repository they lead to the scripts."""

from __future__ import annotations

import re

from sphinx.application import Sphinx

SCRIPT = re.compile(r"\]\(gallery/(\w+)\.py\)")


def to_pages(app: Sphinx, docname: str, source: list[str]) -> None:
    """Called with each text before it is parsed."""
    source[0] = SCRIPT.sub(r"](generated/gallery/\1.rst)", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("source-read", to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
