"""The comparison with a paper's panels as a table with sentences, and as a page of pictures."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np

from predicdiff.images import load_image
from predicdiff.overlays import heat, picture
from predicdiff.plotting import Block

from .panel_jobs import Held
from .panel_nulls import Shown

#: Columns of the table: what stands above, and where the number lies in a panel's record.
COLUMNS = {
    "Pearson": ("pearson",),
    "Spearman": ("spearman",),
    "signs": ("sign_agreement",),
    "ceiling": ("ceiling",),
    "rank": ("units", "rank"),
    "other pictures": ("other_pictures",),
    "other nets' panels": ("other_panels",),
    "without luminance, edges": ("partial_pearson",),
    "luminance": ("nulls", "luminance"),
    "edges": ("nulls", "edges"),
    "sensitivity": ("nulls", "sensitivity_over_windows"),
    "occlusion": ("nulls", "occlusion"),
    "random weights": ("nulls", "random_weights"),
}
WORDS = """\
Each panel is turned back into relevance by its colours, with the help of the picture that it was drawn over, and held
against our map of the same picture; where a panel's colours show nothing above half of the largest value, our map is
cut off there too. *Pearson*, *Spearman*: correlations over pixels;
*signs*: the part of pixels with the same sign. A panel shows the whole map and is shifted by 2 % of its side at most;
whatever else is laid under it may be shifted as far. *Ceiling*: what our own maps of photographs keep of each other
when one goes through the panel's size, colours and JPEG, and the other is made of the photograph shrunk to the panel's
size. *Rank*: the place of the right unit's map among those of all units of its blob. The columns behind it say how
well something else agrees with the panel: maps of the same unit for *other pictures* (their mean), *other nets' panels*
of the same picture (their mean), the picture's *luminance* and *edges*, the *sensitivity* map averaged over windows,
grey *occlusion*, and our method on the net with *random weights*, all of them shuffled. *Without luminance, edges*: the
correlation of ours and the panel that is left when both are taken away from both.
"""
ROWS = ("the panel", "the panel, read back", "ours, the paper's way", "ours, the authors' way")


def report(record: dict[str, Any]) -> str:
    """The record of `python -m reproduce.panels` in Markdown."""
    made = record["made"]
    parts = [
        "# A paper's panels against our maps of the same pictures",
        f"Stride {made['stride']}, S = {made['samples']}, seed {made['seed']}; random weights and the ceiling at "
        f"stride {made['null_stride']}. Drawn from {made['corpus']}.",
        WORDS.strip(),
        _table(["panel", "way", *COLUMNS], (_row(panel) for panel in record["panels"])),
        *_groups(record["groups"]),
        *_ceiling(record["ceiling"]),
        *_not_run(record["not_run"]),
    ]
    return "\n\n".join(parts) + "\n"


def _row(panel: dict[str, Any]) -> list[str]:
    return [panel["panel"], panel["way"], *(_cell(name, panel, place) for name, place in COLUMNS.items())]


def _cell(name: str, panel: dict[str, Any], place: Sequence[str]) -> str:
    value: Any = panel
    for key in place:
        value = value[key]
    if name == "rank":
        return f"{value} of {panel['units']['of']}"
    if isinstance(value, dict):
        known = [one for one in value.values() if one is not None]
        value = float(np.mean(known)) if known else None
    return "-" if value is None else f"{value:.2f}"


def _groups(groups: Sequence[dict[str, Any]]) -> list[str]:
    """Units of which there are panels of several pictures."""
    if not groups:
        return []
    heads = ["blob", "unit", "way", "pictures", "right pictures", "others", "p", "rank"]
    rows = (
        [group["blob"], str(group["index"]), group["way"], str(len(group["pictures"])), f"{group['matched']:.2f}",
         f"{group['others']:.2f}", f"{group['p']:.3g}",
         f"{group['units']['rank']} of {group['units']['of']}" if group["units"] else "-"]
        for group in groups
    )  # fmt: skip
    told = (
        "## The same unit over several pictures\n\nThe mean correlation of panels with our maps of the right pictures, "
        "that with our maps of the others, the part of all permutations of the pictures whose mean is at least as "
        "large, and the rank of the right unit among all when each unit is judged by its mean over the pictures."
    )
    return [told, _table(heads, rows)]


def _ceiling(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Means over photographs for each kind of panel."""
    if not rows:
        return []
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault((row["blob"], row["sampler"], row["side"]), []).append(row)
    names = ("pearson", "spearman", "sign_agreement", "read_back", "input_alone")
    told = (
        f"## The ceiling\n\nMeans over {len({row['photograph'] for row in rows})} photographs. *Read back*: a panel "
        "against the very map that it was drawn from. *Small input*: the map of the shrunk photograph against that of "
        "the whole one, without a panel between them."
    )
    heads = ["blob", "sampler", "pixels", "Pearson", "Spearman", "signs", "read back", "small input"]
    return [told, _table(heads, ([*map(str, kind), *(_mean(row[name] for row in alike) for name in names)]
                                 for kind, alike in kinds.items()))]  # fmt: skip


def _not_run(panels: Sequence[dict[str, str]]) -> list[str]:
    if not panels:
        return []
    by_reason: dict[str, list[str]] = {}
    for panel in panels:
        by_reason.setdefault(f"{panel['net']}: {panel['why']}", []).append(panel["panel"])
    lines = [f"- {reason} {', '.join(names)}." for reason, names in by_reason.items()]
    return ["## Not run", "\n".join(lines)]


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{np.mean(known):.2f}" if known else "-"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def blocks(held: Sequence[Held], shown: dict[str, Shown], numbers: Sequence[dict[str, Any]]) -> list[Block]:
    """A block for each picture, a column for each of its panels."""
    by_picture: dict[str, dict[str, list[tuple[Held, dict[str, Any]]]]] = {}
    for one, figures in zip(held, numbers):
        by_picture.setdefault(one.panel.input.stem, {}).setdefault(one.panel.name, []).append((one, figures))
    return [_block(name, list(columns.values()), shown) for name, columns in by_picture.items()]


def _block(name: str, columns: Sequence[Sequence[tuple[Held, dict[str, Any]]]], shown: dict[str, Shown]) -> Block:
    heads, panels, notes = [], [], []
    for pairs in columns:
        panel = pairs[0][0].panel
        heads.append(f"{panel.blob} {pairs[0][0].index}, {panel.sampler}")
        reading = shown[panel.name].reading
        ours = [reading.limited(one.maps.map(one.index)) for one, _ in pairs]
        read_back = heat(reading.relevance)
        maps = [heat(one) for one in ours]
        panels.append([load_image(panel.picture), read_back, *maps])
        notes.append(["", "", *(_note(figures) for _, figures in pairs)])
    first = columns[0][0][0]
    rows, texts = ([list(row) for row in zip(*table)] for table in (panels, notes))
    return Block(picture(first.maps.pixels), heads, rows, texts, title=name.replace("_", " "))


def _note(figures: dict[str, Any]) -> str:
    pearson = "undefined" if figures["pearson"] is None else f"{figures['pearson']:.2f}"
    return f"Pearson {pearson}\nrank {figures['units']['rank']} of {figures['units']['of']}"
