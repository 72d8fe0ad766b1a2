"""Tables of a study: lines on a terminal, or Markdown."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ...ours import PAGE, hashed
from ...texts import one_line

#: Letters of a cell on a terminal: of a longer one, such as a path, the middle is left out.
MOST_OF_CELL = 48


class Table(NamedTuple):
    """Rows of text under heads; the first ``words`` columns hold words, the others numbers.

    ``note`` is what a reader should know, in a sentence below.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1
    note: str = ""


def aligned(table: Table) -> list[str]:
    """Lines for a terminal, words to the left and numbers to the right of their columns."""
    rows = [[one_line(cell, MOST_OF_CELL) for cell in row] for row in (table.heads, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if place < table.words else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    ]
    note = [f"({table.note})"] if table.note else []
    return ["", table.title, *(f"  {line}".rstrip() for line in lines), *note]


def page(title: str, facts: Sequence[tuple[str, str]], tables: Sequence[Table]) -> bytes:
    """A page of Markdown, with the hash by which it is known."""
    parts = [PAGE, f"# {_cell(title)}\n", "\n".join(f"- {name}: {_cell(words)}" for name, words in facts), ""]
    for table in tables:
        marks = ["---" if place < table.words else "---:" for place in range(len(table.heads))]
        lines = [f"| {' | '.join(map(_cell, row))} |" for row in (table.heads, marks, *table.rows)]
        parts += [f"## {table.title}\n", *lines, "", *([f"{table.note}\n"] if table.note else [])]
    return hashed("\n".join(parts).encode("utf-8", "backslashreplace"), "md")


def facts_lines(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Names and what there is to say of each, one a line."""
    width = max(len(name) for name, _ in facts)
    return [f"{name:<{width}}  {words}" for name, words in facts]


def _cell(text: str) -> str:
    """Text that ends neither a cell nor a line, and is no HTML."""
    return one_line(text).replace("|", "\\|").replace("<", "&lt;")
