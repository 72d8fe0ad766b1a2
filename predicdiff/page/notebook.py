"""A page inside a notebook: in a frame of its own, whose style and programs don't touch the notebook's."""

from __future__ import annotations

import html

from ..explanation import Explanation
from .maps import maps_page

#: Pixels of a frame's height, and the bytes of a page that is put into a notebook: each output is kept in its file.
HEIGHT, LARGEST = 760, 16 * 2**20
#: Targets, beyond which a notebook's file would grow without need: a map of 224 x 224 takes 0.8 MB.
MOST_TARGETS = 8


def framed(explanation: Explanation) -> str | None:
    """The page as an element for notebooks; None where it would be too large, and the picture has to do."""
    if len(explanation) > MOST_TARGETS:
        return None
    page = maps_page([("", explanation)], title="; ".join(target.title for target in explanation.targets))
    if len(page) > LARGEST:
        return None
    # on one line: what indents an output would change the programs, which run only as the page has their hashes
    source = html.escape(page.decode("utf-8")).replace("\n", "&#10;")
    return (
        f'<iframe srcdoc="{source}" sandbox="allow-scripts" title="Maps of an explanation" width="100%" '
        f'height="{HEIGHT}" style="border: 0; color-scheme: light dark"></iframe>'
    )
