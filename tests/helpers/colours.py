"""A colour map that is none of the package's."""

from __future__ import annotations

from predicdiff.palettes import ColourMap

#: Green against, yellow for, grey between them.
DUSK = ColourMap("dusk", (-1.0, 0.0, 1.0), ((0.0, 1.0, 0.0), (0.4, 0.4, 0.4), (1.0, 1.0, 0.0)), "yellow", "green")
