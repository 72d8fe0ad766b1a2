"""The page of one or several results: maps over pictures, to look at pixel by pixel."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

import numpy as np

from .. import budget
from ..errors import SettingsError
from ..explanation import Explanation, told_value
from ..files import PathLike, as_path
from ..overlays import DEFAULT, MOST_DRAWN, find_colour_map, picture
from ..precision import UNKNOWN, told_reliability
from ..texts import one_line
from ..written import written_whole
from .document import document, numbers, picture_uri
from .facts import tables_of
from .recovered import Evidence, evidence_of, window_of

#: Letters of a name, a title or a note.
MOST = 1000
#: Bytes that are made for each number of a map: float64, float32, base64, the text and the bytes of the page.
MADE = 60


class Look(NamedTuple):
    """How a page shows maps at first; whoever reads it may change all of it.

    Attributes
    ----------
    sure : bool
        Hide what lies within two standard errors of zero.
    shared : bool
        One scale for all maps instead of one each.
    palette : str
        A name of `overlays.COLOUR_MAPS`.
    """

    sure: bool = False
    shared: bool = False
    palette: str = DEFAULT


def maps_page(results: Iterable[tuple[str, Explanation]], *, title: str = "", look: Look | None = None) -> bytes:
    """A page of results side by side.

    Parameters
    ----------
    results : iterable of (name, Explanation)
        Of more than `overlays.MOST_DRAWN` targets of a result the first are shown.
    title : str
        By default the names.
    look : Look, optional

    Returns
    -------
    bytes
        A file of HTML, whole in itself.

    Raises
    ------
    SettingsError
        If there is no result, the palette is unknown, or the page would take more memory than is allowed.
    """
    named, look = list(results), look or Look()
    if not named:
        raise SettingsError("no result to show: want at least one.")
    find_colour_map(look.palette)
    wanted = MADE * sum(3 * one.relevance[:MOST_DRAWN].size + one.pixels[0].size for _, one in named)
    budget.ask(wanted, f"a page of {len(named)} result(s)", SettingsError, "Show fewer targets, or allow more memory")
    data = {"look": look._asdict(), "results": [_result(one_line(name, MOST), one) for name, one in named]}
    return document("maps", one_line(title or ", ".join(name for name, _ in named), MOST), data)


def save_page(
    results: Iterable[tuple[str, Explanation]], path: PathLike, *, title: str = "", look: Look | None = None
) -> int:
    """Write what `maps_page` makes, whole or not at all; gives its size in bytes.

    Raises
    ------
    SettingsError
        As of `maps_page`.
    ExplanationError
        If the file cannot be written, or what stands there is not ours.
    """
    content = maps_page(results, title=title, look=look)
    with written_whole(as_path(path, "the page's file")) as part:
        part.write_bytes(content)
    return len(content)


def _result(name: str, explanation: Explanation) -> dict[str, Any]:
    notes = list(explanation.notes)
    if len(explanation) > MOST_DRAWN:
        notes.append(f"The first {MOST_DRAWN} of {len(explanation)} maps are shown: pick others with --target.")
    window, evidence = window_of(explanation), evidence_of(explanation)
    return {
        "name": name,
        "picture": picture_uri(picture(explanation.pixels, tones=explanation.tones)),
        "height": explanation.pixels.shape[1],
        "width": explanation.pixels.shape[2],
        "rows": explanation.relevance.shape[1],
        "columns": explanation.relevance.shape[2],
        "unit": "bits" if explanation.unit == "bits" else "activation",
        "window": window and list(window),
        "segments": None if explanation.segments is None else numbers(explanation.segments, "<i4"),
        "maps": [_map(explanation, number, evidence) for number in range(min(len(explanation), MOST_DRAWN))],
        "notes": [one_line(note, MOST) for note in notes],
        "facts": [table._asdict() for table in tables_of(explanation.settings, explanation.provenance)],
    }


def _map(explanation: Explanation, number: int, evidence: Evidence | None) -> dict[str, Any]:
    """One target: its map, errors and windows' evidence as base64 of float32, and what is said of it."""
    one = explanation.pick(number)
    target, lost, reliability = one.targets[0], one.interpolation_error, told_reliability(one.reliability)
    return {
        "title": one_line(target.title, MOST),
        "place": one_line(f"{target.blob}{target.unit or ''}", MOST),
        "value": one_line(told_value(one), MOST),
        "relevance": numbers(one.relevance[0]),
        "stderr": None if np.isnan(one.stderr).all() else numbers(one.stderr[0]),
        "lost": None if lost is None or np.isnan(lost).all() else numbers(lost[0]),
        "reliability": None if reliability == UNKNOWN else reliability,
        "evidence": evidence and {
            "values": numbers(evidence.values[number]),
            "rows": evidence.rows.tolist(),
            "columns": evidence.columns.tolist(),
        },
    }  # fmt: skip
