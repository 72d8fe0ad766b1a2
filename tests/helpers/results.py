"""Results to make pages of, without a net."""

from __future__ import annotations

from typing import Any

import numpy as np

from predicdiff.explanation import Explanation, Target


def made(**changes: Any) -> Explanation:
    """Two maps of 12 x 18 pixels with a mark each off the middle, errors, and a hole."""
    draw = np.random.default_rng(7)
    relevance = draw.normal(0, 0.3, (2, 12, 18))
    relevance[0, 2, 13], relevance[1, 9, 4] = 2.5, -4.25
    stderr = draw.uniform(0.05, 0.4, (2, 12, 18))
    relevance[0, 0, 0] = stderr[0, 0, 0] = np.nan
    parts: dict[str, Any] = {
        "relevance": relevance,
        "stderr": stderr,
        "targets": [Target("prob", [3], "tabby"), Target("prob", [5], "dog", "cat")],
        "base": np.array([0.75, 0.125]),
        "pixels": draw.uniform(0, 255, (3, 12, 18)).astype(np.float32),
        "unit": "bits",
        "settings": {"window": [3, 4], "stride": 1, "samples": 5, "seed": 9},
        "provenance": {"net": {"name": "tiny", "preprocessing": {"mean": [1, 2, 3]}}, "versions": {"numpy": "1.2.3"}},
        "notes": ["Mind the gap."],
    }
    return Explanation(**{**parts, **changes})
