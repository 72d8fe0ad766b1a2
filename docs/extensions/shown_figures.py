"""The gallery's pictures: each figure to which a part of a script gives a name, as `predicdiff.plotting` saves it."""

from __future__ import annotations

import os
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

from predicdiff.plotting import save_figure


class ShownFigures:
    """A scraper of sphinx-gallery's, which remembers what it has shown."""

    def __init__(self) -> None:
        self.shown: set[int] = set()
        self.script = ""

    def __repr__(self) -> str:
        """The same in each build, or all pages would be made anew."""
        return "ShownFigures()"

    def __call__(self, block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
        """Save the figures that are new since the block before; the text that shows them."""
        if block_vars["src_file"] != self.script:
            self.script, self.shown = block_vars["src_file"], set()
        paths = []
        for value in list(block_vars["example_globals"].values()):
            if isinstance(value, Figure) and id(value) not in self.shown:
                self.shown.add(id(value))
                path = next(block_vars["image_path_iterator"])
                save_figure(value, path, dpi=110)
                paths.append(path)
        return figure_rst([os.fspath(path) for path in paths], gallery_conf["src_dir"])
