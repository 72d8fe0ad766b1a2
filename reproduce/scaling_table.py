"""The tables of `make scaling`, from its record."""

from __future__ import annotations

from statistics import median
from typing import Any, Iterable, Sequence

from predicdiff.budget import size
from predicdiff.cli.console import short_duration

from .scaling_turns import COUNTS, HERE, WORKERS, way

WORKS = {"image": "an image, tile by tile", "study": "a study, image by image"}


def report(record: dict[str, Any]) -> str:
    """All tables, as Markdown."""
    parts = [_turns(record), _small(record["small"])]
    parts += [_costs(name, record["nets"][name]) for name in record["nets"]]
    parts += [_studies(record["studies"], name) for name in record["nets"]]
    return "\n\n".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _turns(record: dict[str, Any]) -> str:
    turns, rows = record["turns"], []
    for work, title in WORKS.items():
        for kind in (WORKERS, HERE):
            one, two = (median(turns[work][way(kind, count)]) for count in COUNTS)
            found = record["efficiency"][work][kind]
            part = record["simulated_part"][work]
            told = ", ".join(f"{part[way(kind, count)]:.2f}" for count in COUNTS) if kind == WORKERS else ""
            spread = f"{found['median']:.2f} ({found['min']:.2f} to {found['max']:.2f})"
            rows.append([title, kind, f"{one:.1f} s", f"{two:.1f} s", spread, told])
    starts = [f"{turns['start'][way(WORKERS, count)]:.1f} s for {count}" for count in COUNTS]
    title = f"**{turns['net']}**: {turns['tiles']} tiles, {turns['images']} images; start {', '.join(starts)}"
    head = ("work", "by", "one", "two", "efficiency of two", "simulated / measured")
    return f"{title}\n\n{table(head, rows)}"


def _small(rows: Sequence[dict[str, Any]]) -> str:
    head = ("small images", "an image", "of the processor", "memory at most")
    return table(
        head,
        [
            [
                f"{row['images']:,}",
                f"{1000 * row['seconds']:.0f} ms",
                f"{1000 * row['processor_seconds']:.0f} ms",
                "unknown" if row["memory"] is None else size(row["memory"]),
            ]
            for row in rows
        ],
    )


def _costs(name: str, qualities: dict[str, Any]) -> str:
    pieces = {
        "tiles of an image": lambda one: f"{one['tiles']:,} of {one['tile_evaluations']} evaluations",
        "a tile, by a worker": lambda one: f"{median(one['tile_seconds']):.2f} s",
        "planning": lambda one: _ms(one["plan"]),
        "putting a map together": lambda one: _ms(one["assemble"]),
        "drawing": lambda one: _ms(one["draw"]),
        "reading the file": lambda one: _ms(one["read"]),
        "writing result, picture and row": lambda one: _ms(one["write"]),
        "keeping a tile": lambda one: _ms(one["keep_tile"]),
        "a tile's message, here": lambda one: _ms(one["message"]["tile"]),
        "an image's message, here": lambda one: _ms(one["message"]["image"]),
        "net and sampler, once a worker": lambda one: size(one["bytes"]["net"]),
        "an image's part, once a worker": lambda one: size(one["bytes"]["luggage"]),
        "a tile there and back": lambda one: _both(one, "tile"),
        "an image there and back": lambda one: _both(one, "image"),
    }
    rows = [[piece, *(tells(one) for one in qualities.values())] for piece, tells in pieces.items()]
    return table((name, *qualities), rows)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2g} ms" if seconds < 0.1 else f"{1000 * seconds:.0f} ms"


def _both(one: dict[str, Any], what: str) -> str:
    return f"{size(one['bytes']['out'][what])}, {size(one['bytes']['back'][what])}"


def _studies(rows: Sequence[dict[str, Any]], net: str) -> str:
    head = ("quality", "road", "network", "workers", "100,000 images", "images an hour", "workers are busy",
            "the limit", "a task", "90 % from", "two images at once")  # fmt: skip
    lines = []
    for row in rows:
        if row["net"] != net:
            continue
        least = row["smallest_task"]
        lines.append(
            [
                row["quality"],
                row["road"],
                f"{row['network'] / 1e9:.0f} Gbit/s",
                f"{row['workers']:,}",
                short_duration(row["seconds"]),
                f"{3600 * row['rate']:,.0f}",
                f"{row['efficiency']:.1%}",
                row["limit"],
                f"{row['task']:.1f} s",
                "never" if least is None else f"{least:.2g} s",
                f"{row['two_at_once']:.1%}" if "two_at_once" in row else "",
            ]
        )
    return f"**{net}**\n\n{table(head, lines)}"
