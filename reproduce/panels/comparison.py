"""A paper's own panels, cut out and as small as they are, against our maps of the same pictures.

DIR holds the pictures and panels.json, a list with an object for each panel: "picture" (its file) and "input" (that of
what the net saw), "figure" (its number in the paper), "k", "l", "sampler", "net", "blob", and "map" (a channel) or
"unit" (of a vector; without it the net's first class).

The inputs of nets whose weights are there are enlarged to the net's size and explained with the panel's k, l and
sampler, in the paper's way (draws are not clipped) and in that of its authors' later code. Maps of all units of the
panel's blob are made at once, so that it can be told where the right one stands among them. Beside its agreement stand
those of maps that have little to do with the panel, and the most that can be hoped for. Panels of other nets are listed
as not run. Writes OUT/panels.json, panels.md and panels.png.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Sequence

import click
import numpy as np
from tqdm import tqdm

from predicdiff.assembly import versions
from predicdiff.cli.options.values import FOLDER
from predicdiff.plotting import grid_figure, save_figure

from .. import common
from .ceiling import ceiling_numbers, ceiling_of, order_ceiling
from .folder import read_panels
from .jobs import Held, Orders, held_panels, order_panels
from .maps import Samplers
from .nulls import (
    Shown,
    among_units,
    group_numbers,
    other_panels,
    other_pictures,
    own_numbers,
    permuted,
    rank,
    without_map,
)
from .request import Request, nets_of
from .table import ROWS, blocks, report

CAPTION = (
    "Panels of a paper and our maps of the same pictures, which are cut off where a panel's colours show nothing above "
    "half of the largest value. Each map has a scale of its own."
)


def facts(one: Held) -> dict[str, Any]:
    """JSON-able: what a panel shows, and how our map was made."""
    panel, identity = one.panel, one.maps.identity
    settings = {name: value for name, value in identity["settings"].items() if name != "units"}
    drawn_by = {name: value for name, value in identity["sampler"].items() if name != "names"}
    return {
        "panel": panel.name, "input": panel.input.name, "figure": panel.figure, "net": panel.net, "blob": panel.blob,
        "index": one.index, "sampler": panel.sampler, "way": one.way, "k": panel.k, "l": panel.l,
        "value": float(one.maps.base[one.index]), "maps": f"panels/{one.path.name}",
        "settings": settings, "drawn_by": drawn_by, "pixels_sha1": identity["pixels"],
    }  # fmt: skip


def numbers_of(
    held: Sequence[Held], shown: dict[str, Shown], nets: dict[str, Any], ceiling: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
    """JSON-able: all that is found for each panel and way; and the correlations (T,) of all units' maps."""
    numbers, units = [], []
    for one in tqdm(held, unit="panel", desc="maps of all units"):
        mine = shown[one.panel.name]
        place, values = among_units(mine, one)
        numbers.append(
            {
                **facts(one),
                **own_numbers(mine, one.maps.map(one.index), one.maps.pixels),
                "units": place,
                "other_pictures": other_pictures(mine, one, held),
                "other_panels": other_panels(mine, list(shown.values())),
                "nulls": without_map(mine, one, nets[one.panel.net]),
                "ceiling": ceiling_of(one.panel, ceiling),
            }
        )
        units.append(values)
    return numbers, units


def groups_of(held: Sequence[Held], shown: dict[str, Shown], units: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """JSON-able: what panels of one unit over several pictures say, all units of a blob, and panels each of its own."""
    found, tables = [], {}
    for members in gathered(held, lambda one: one.group):
        group = [held[number] for number in members]
        numbers, table = group_numbers([shown[one.panel.name] for one in group], group)
        means = np.mean([np.nan_to_num(units[number]) for number in members], axis=0)
        found.append({**numbers, "units": rank(means, group[0].index)})
        pictures = tuple(numbers["pictures"])
        tables.setdefault((group[0].kind, pictures), (numbers, []))[1].append(table)
    for (_kind, pictures), (numbers, alike) in tables.items():
        if len(alike) > 1:
            together = {**numbers, "index": "together", **permuted(np.stack(alike)), "units": None}
            found.append({**together, "pictures": list(pictures)})
    for members in gathered(held, lambda one: one.kind):
        group = [held[number] for number in members]
        if len({one.index for one in group}) == len({one.panel.input for one in group}) == len(group):
            found.append({**group_numbers([shown[one.panel.name] for one in group], group)[0], "units": None})
    return found


def gathered(held: Sequence[Held], key: Callable[[Held], tuple[str, ...]]) -> list[list[int]]:
    """Numbers of the panels that have a key in common, where those are three at least."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, one in enumerate(held):
        groups.setdefault(key(one), []).append(number)
    return [members for members in groups.values() if len(members) > 2]


@click.argument("folder", metavar="DIR", type=FOLDER)
@common.figure(Request, "panels.json", "panels.md", "panels.png")
def main(request: Request, folder: Path) -> None:
    """Make the maps that are not there yet, then the record, the table and the page."""
    panels = read_panels(folder)
    shown = {panel.name: Shown.read(panel) for panel in panels}
    nets, away = nets_of(request, panels)
    samplers = {name: Samplers.of(net, request.corpus, request.seed) for name, net in nets.items()}
    orders = Orders(request, nets, samplers)
    order_panels(orders, panels)
    cases = order_ceiling(orders, panels)
    maps = dict(zip(orders.jobs, common.work("Panels", list(orders.jobs.values()))))
    ceiling = [row for case in cases for row in ceiling_numbers(case, maps)]
    held = held_panels(orders, panels, maps)
    numbers, units = numbers_of(held, shown, nets, ceiling)
    record = {
        "made": {
            "stride": request.stride, "samples": request.samples, "null_stride": request.null_stride,
            "seed": request.seed,
            "corpus": "; ".join(f"{one.count} photographs for {name}" for name, one in samplers.items()),
        },
        "panels": numbers,
        "groups": groups_of(held, shown, units),
        "ceiling": ceiling,
        "not_run": [
            {"panel": panel.name, "net": panel.net, "why": away[panel.net]} for panel in panels if panel.net in away
        ],
        "nets": {name: net.provenance for name, net in nets.items()},
        "versions": versions(),
    }  # fmt: skip
    write(request.out, common.plain(record), held, shown)


def write(out: Path, record: dict[str, Any], held: Sequence[Held], shown: dict[str, Shown]) -> None:
    """The record, the table and the page, each whole or not at all."""
    common.write_json(out / "panels.json", record)
    common.write_markdown(out / "panels.md", report(record))
    page = grid_figure(blocks(held, shown, record["panels"]), ROWS, caption=CAPTION, across=2)
    save_figure(page, out / "panels.png")
    common.say(f"Panels: {out / 'panels.json'}, panels.md and panels.png")
