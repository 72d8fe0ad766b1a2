"""The page of one or several results: maps over pictures, to look at pixel by pixel."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Sequence

import numpy as np

from .. import budget
from ..errors import SettingsError
from ..explanation import Explanation, told_value
from ..files import PathLike, as_path
from ..overlays import MOST_DRAWN, OWN, Scale, picture, scales_of
from ..palettes import DEFAULT, find_colour_map
from ..precision import UNKNOWN, told_reliability
from ..texts import one_line
from ..written import written_whole
from .document import colours, document, numbers, picture_uri
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
        Hide what lies within two standard errors of zero, the interpolation's included.
    scale : {"own", "shared"} or float
        What gets the full colour: the largest value of each map, of all maps, or this number.
    cmap : str
        A name of `palettes.COLOUR_MAPS`.
    """

    sure: bool = False
    scale: Scale = OWN
    cmap: str = DEFAULT


def maps_page(
    results: Iterable[tuple[str, Explanation]],
    *,
    targets: Sequence[int] | None = None,
    title: str = "",
    look: Look | None = None,
) -> bytes:
    """A page of results side by side.

    Parameters
    ----------
    results : iterable of (name, Explanation)
    targets : sequence of int, optional
        Which of each result's targets, from 0; by default all. Of more than `overlays.MOST_DRAWN` the first are shown.
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
        If there is no result, a target is out of range, the colour map or the scale is none, or the page would take
        more memory than is allowed.
    """
    named, look = list(results), look or Look()
    if not named:
        raise SettingsError("no result to show: want at least one.")
    find_colour_map(look.cmap)
    scales_of([], look.scale)
    shown = [list(range(len(one)) if targets is None else targets) for _, one in named]
    pixels = sum(3 * len(some) * one.relevance[0].size + one.pixels[0].size for some, (_, one) in zip(shown, named))
    budget.ask(
        MADE * pixels, f"a page of {len(named)} result(s)", SettingsError, "Show fewer targets, or allow more memory"
    )
    parts = [_result(one_line(name, MOST), one, some) for some, (name, one) in zip(shown, named)]
    data = {"look": look._asdict(), **colours(), "results": parts}
    return document("maps", one_line(title or ", ".join(name for name, _ in named), MOST), data)


def save_page(results: Iterable[tuple[str, Explanation]], path: PathLike, **how: Any) -> int:
    """Write what `maps_page` makes, with ``how`` as there, whole or not at all; gives its size in bytes.

    Raises
    ------
    SettingsError
        As of `maps_page`.
    ExplanationError
        If the file cannot be written, or what stands there is not ours.
    """
    content = maps_page(results, **how)
    with written_whole(as_path(path, "the page's file")) as part:
        part.write_bytes(content)
    return len(content)


def _result(name: str, explanation: Explanation, targets: list[int]) -> dict[str, Any]:
    notes = list(explanation.notes)
    if len(targets) > MOST_DRAWN:
        notes.append(f"Of {len(targets)} maps the first {MOST_DRAWN} are shown.")
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
        "maps": [_map(explanation, number, evidence) for number in targets[:MOST_DRAWN]],
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
