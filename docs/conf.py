"""How the site is built: `make docs`. Nothing of it is fetched, neither while it is built nor while it is read."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from shown_figures import ShownFigures

from predicdiff import __version__

project = "predicdiff"
author = "the predicdiff authors"
release = version = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "gallery_links",
]
exclude_patterns = ["_build", "gallery", "**sg_execution_times*"]
templates_path = ["templates"]
default_role = "code"  # in docstrings `x` is a name or a piece of code

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # docstrings say more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py$",
    "within_subsection_order": "FileNameSortKey",
    "image_scrapers": (ShownFigures(),),
    "capture_repr": ("_repr_html_", "__repr__"),
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "write_computation_times": False,  # its pages have programs of other hosts, and are left out above
}

html_theme = "furo"
html_title = "predicdiff"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_math_renderer = "mathml"
