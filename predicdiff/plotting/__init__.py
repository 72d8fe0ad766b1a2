"""Pictures of explanations: maps as colours, figures of them, files. The only room that imports matplotlib."""

from __future__ import annotations

from ..overlays import greyed, heat, overlay, picture, saliency, symmetric_scale, tint
from .comparison import comparison_figure
from .grid import Block, grid_figure
from .maps import beside, figure, png
from .sheet import save_figure

__all__ = [
    "Block",
    "beside",
    "comparison_figure",
    "figure",
    "greyed",
    "grid_figure",
    "heat",
    "overlay",
    "picture",
    "png",
    "saliency",
    "save_figure",
    "symmetric_scale",
    "tint",
]
