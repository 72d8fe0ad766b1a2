"""Numbers of a study, in words and for JSON."""

from __future__ import annotations

import numpy as np

from ...protocols import Json


def number(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return float(value) if np.isfinite(value) else None


def counted(count: int, noun: str) -> str:
    """Such as "1 map" or "60 maps"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(values: np.ndarray) -> list[list[float | None]]:
    """A table of numbers for JSON."""
    return [[number(value) for value in row] for row in values]


def percent(share: float) -> str:
    """A part of a whole in words."""
    return f"{100.0 * share:.1f} %" if np.isfinite(share) else "-"


def median(values: np.ndarray) -> float | None:
    """That of the finite values, where there are any."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else None


def extreme(values: np.ndarray, *, lowest: bool = False) -> Json | None:
    """The highest or lowest value of a map (H, W), and its pixel; None where nothing is known."""
    if not np.isfinite(values).any():
        return None
    at = (np.nanargmin if lowest else np.nanargmax)(values)
    row, column = np.unravel_index(at, values.shape)
    return {"value": float(values[row, column]), "row": int(row), "column": int(column)}


def place(found: Json | None) -> str:
    """What `extreme` found, in words."""
    return "unknown" if found is None else f"{found['value']:.3g} at row {found['row']}, column {found['column']}"
