"""The comparison with a paper's panels as a table with sentences, and as a page of pictures."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

import numpy as np

from predicdiff.images import load_image
from predicdiff.overlays import heat, picture
from predicdiff.plotting import Block

from .jobs import Held
from .nulls import Shown

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
    "95 of 100 random": ("nulls", "random_weights_95"),
}
WORDS = """\
Each panel is turned back into relevance by its colours, with the help of the picture that it was drawn over, and held
against our map of the same picture; where a panel's colours show nothing above half of the largest value, our map is
cut off there too. The panel is taken as the whole map and shifted by at most 2 % of its side. Every other map in the
table is cut off and laid under the panel in the same way; luminance, edges and other nets' panels are not cut off.

- *Way*: in the paper's, draws are not clipped. In the authors', draws are made as in their later code: each colour by
  itself with the first one's covariance, clipped to the corpus' range; marginal draws are the first images of the
  corpus, the explained one among them; N = 100,000. The rounding through float16 and the window that their code counts
  twice are left out.
- *Pearson*, *Spearman*: correlations over pixels. *Signs*: the part of the pixels that have the same sign.
- *Ceiling*: how far our own program agrees with itself. It is the mean correlation of two maps of one photograph, of
  which one went through the panel's size, colours and JPEG, and the other was made of the photograph shrunk to that
  size, with other draws. Photographs differ, so a panel may agree by more.
- *Rank*: the place of the right unit's map among those of all units of its blob. Where a net is sure of its class, what
  speaks for that class speaks against all others, so that the maps of the others are much like its negative: among
  classes a first or last rank then tells little more than the sign of the correlation.
- *Other pictures*: the mean correlation of the panel with maps of the same unit for the other panels' pictures.
- *Other nets' panels*: the mean correlation with the paper's own panels of the same picture for other nets.
- *Without luminance, edges*: the correlation of our map and the panel that is left when luminance and edges of the
  picture are taken away from both.
- *Luminance*, *edges*, *sensitivity*, *occlusion*, *random weights*: the correlation of the panel with these of the
  picture: a sensitivity map averaged over windows, grey occlusion, and our map by the net with all its weights
  shuffled. *95 of 100 random*: what 95 in a hundred other units of that net do not exceed.
"""
SEVERAL = """\
## Panels of several pictures

The mean correlation of panels with our maps of the right pictures, that with our maps of the others, the part of all
permutations of the pictures whose mean is at least as large, and the rank of the right unit among all when each unit is
judged by its mean over the pictures. Where each picture's panel shows another unit, a panel is held against the maps of
its own unit.
"""
CEILING = """\
## The ceiling

Means over {count} photographs; *lowest* and *highest* are of single ones. *Read back*: a panel against the very map
that it was drawn from. *Small input*: the map of the shrunk photograph against that of the whole one, without a panel
between them. *Other draws*: two maps of the whole photograph that differ in their draws alone.
"""
#: A rank is high in this part of all units.
HIGH = 0.05
#: Whose a way is.
OWNERS = {"paper": "the paper's", "authors": "the authors'"}
ROWS = ("the panel", "the panel, read back", "ours, the paper's way", "ours, the authors' way")


def report(record: dict[str, Any]) -> str:
    """The record of `python -m reproduce.panels` in Markdown."""
    made = record["made"]
    parts = [
        "# A paper's panels against our maps of the same pictures",
        f"Stride {made['stride']}, S = {made['samples']}, seed {made['seed']}; random weights and the ceiling at "
        f"stride {made['null_stride']}. Drawn from {made['corpus']}.",
        *_summary(record["panels"]),
        WORDS.strip(),
        _table(["panel", "way", *COLUMNS], (_row(panel) for panel in record["panels"])),
        *_groups(record["groups"]),
        *_ceiling(record["ceiling"]),
        *_not_run(record["not_run"]),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(panels: Sequence[dict[str, Any]]) -> list[str]:
    """A paragraph for each blob and way."""
    told = []
    for blob, way in dict.fromkeys((panel["blob"], panel["way"]) for panel in panels):
        mine = [panel for panel in panels if (panel["blob"], panel["way"]) == (blob, way)]
        high = sum(panel["units"]["rank"] <= HIGH * panel["units"]["of"] for panel in mine)
        means = {name: _mean(_number(panel, place) for panel in mine) for name, place in COLUMNS.items()}
        told.append(
            f"Over {len(mine)} panels of {blob}, draws made in {OWNERS[way]} way, the mean correlation of panel and "
            f"map is {means['Pearson']}, and {means['without luminance, edges']} without luminance and edges; the mean "
            f"ceiling is {means['ceiling']}. The right unit's map is among the highest {HIGH:.0%} of its blob for "
            f"{high} of {len(mine)} panels. For comparison: other pictures {means['other pictures']}, sensitivity "
            f"{means['sensitivity']}, occlusion {means['occlusion']}, random weights {means['random weights']}."
        )
    return told


def _number(panel: dict[str, Any], place: Sequence[str]) -> float | None:
    """One number of a panel's record; of several the mean."""
    value: Any = panel
    for key in place:
        value = value[key]
    if isinstance(value, dict):
        known = [one for one in value.values() if one is not None]
        return float(np.mean(known)) if known else None
    return None if value is None else float(value)


def _row(panel: dict[str, Any]) -> list[str]:
    return [panel["panel"], panel["way"], *(_cell(name, panel, place) for name, place in COLUMNS.items())]


def _cell(name: str, panel: dict[str, Any], place: Sequence[str]) -> str:
    if name == "rank":
        return f"{panel['units']['rank']} of {panel['units']['of']}"
    value = _number(panel, place)
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
    return [SEVERAL.strip(), _table(heads, rows)]


def _ceiling(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Means over photographs, a row for each net, blob, k, sampler and size of panels."""
    if not rows:
        return []
    kinds: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        kinds.setdefault((row["net"], row["blob"], row["k"], row["sampler"], row["side"]), []).append(row)
    names = ("spearman", "sign_agreement", "read_back", "input_alone", "other_draws")
    told = CEILING.strip().format(count=len({row["photograph"] for row in rows}))
    heads = ["net", "blob", "k", "sampler", "pixels", "Pearson", "lowest", "highest", "Spearman", "signs", "read back",
             "small input", "other draws"]  # fmt: skip
    lines = []
    for kind, alike in kinds.items():
        values = [row["pearson"] for row in alike if row["pearson"] is not None]
        ends = [f"{end(values):.2f}" if values else "-" for end in (np.mean, np.min, np.max)]
        lines.append([*map(str, kind), *ends, *(_mean(row[name] for row in alike) for name in names)])
    return [told, _table(heads, lines)]


def _not_run(panels: Sequence[dict[str, str]]) -> list[str]:
    if not panels:
        return []
    by_reason: dict[str, list[str]] = {}
    for panel in panels:
        by_reason.setdefault(f"{panel['net']}: {panel['why']}", []).append(panel["panel"])
    lines = [f"- {reason} Its panels: {', '.join(names)}." for reason, names in by_reason.items()]
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
