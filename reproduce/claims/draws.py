"""Claim h, reported: how near the maps of a few draws come to the true one."""

from __future__ import annotations

import numpy as np

from ..against_table import reliability
from .finding import Finding
from .line import Size
from .study import Subject

#: Draws of the maps, the last as in the paper.
DRAWS = (5, 10, 20)
#: Side of windows and the step between them, by line.
WINDOWS = {"h1": (10, 1), "h2": (1, 2)}


def measure(subject: Subject, size: Size) -> dict[str, Finding]:
    """Correlations with the true map; the reference's draws are in two halves, which tell its noise."""
    findings = {}
    for line, (window, stride) in WINDOWS.items():
        how = {"side": size.side, "stride": stride}

        def drawn(draws: int, stream: int, window: int = window, how: dict[str, int] = how) -> np.ndarray:
            made = subject.windows("conditional", window, draws=draws, stream=stream, **how)
            return made.map[0] if window >= how["stride"] else made.grid[0]

        reference = [drawn(size.draws // 2, stream) for stream in (1, 2)]
        *fewer, most = (reliability(drawn(draws, 0), reference) for draws in DRAWS)
        findings[line] = Finding(most, beside={f"S = {draws}": value for draws, value in zip(DRAWS, fewer)})
    return findings
