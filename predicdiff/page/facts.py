"""What was computed and how, as tables of names and values: settings, net, sampler, versions."""

from __future__ import annotations

import json
from typing import Any, Iterator, Mapping, NamedTuple

from ..protocols import Json
from ..texts import one_line

#: Letters of a name and of a value, and the rows of a table: what files say has no end.
MOST_OF_NAME, MOST_OF_VALUE, MOST_ROWS = 100, 400, 200
#: The parts of a result's provenance that have tables of their own, and what stands in it once more.
PARTS = {"net": "Net", "sampler": "Sampler", "versions": "Versions"}
TWICE = ("settings", "kind")


class Table(NamedTuple):
    """A title, and rows of a name and a value, both text."""

    title: str
    rows: list[tuple[str, str]]


def tables_of(settings: Mapping[str, Any], provenance: Mapping[str, Any]) -> list[Table]:
    """The tables of a result or of a study, those without rows left out."""
    others = {name: value for name, value in provenance.items() if name not in (*PARTS, *TWICE)}
    named = [
        ("Settings", settings),
        *((title, provenance.get(name)) for name, title in PARTS.items()),
        ("How it was computed", others),
    ]
    tables = [Table(title, list(_rows(value))) for title, value in named]
    return [table for table in tables if table.rows]


def _rows(value: Any) -> Iterator[tuple[str, str]]:
    for number, (name, told) in enumerate(_flat(value, "")):
        if number == MOST_ROWS:
            yield "...", "more than a page has room for: the file holds it"
            return
        yield one_line(name or "is", MOST_OF_NAME), one_line(told, MOST_OF_VALUE)


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Dicts in each other as names with commas between; what was not asked for is left out."""
    if isinstance(value, dict):
        for inner, part in value.items():
            yield from _flat(part, f"{name}, {inner}" if name else str(inner))
    elif value is not None:
        yield name, _told(value)


def _told(value: Json | Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value)
