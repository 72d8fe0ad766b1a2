"""`predicdiff report`: a study as a page with a table of its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..budget import size
from ..page.study import save_report
from .console import bar, follow, speaker
from .options.base import Command, Options, Speech, option_field, options_of
from .options.shared import cmap_field, memory_option
from .options.values import FOLDER, PAGE
from .outputs import check_outputs, default_output

HELP = """Make a page of a study: a table of its images that sorts and filters, with a small picture of each map.

The page is one file of HTML for any browser. Of more than 200 maps the small pictures lie beside it, in a folder of its
name and _files; the larger ones are those in the study's folder.

\b
Examples:
  predicdiff report study/ -o study.html
  predicdiff report study/ -o study.html --pages
"""


@dataclass(frozen=True)
class Page(Options):
    """The options that say what is written."""

    output: Path | None = option_field(
        "-o", "--output", type=PAGE, help="The page's file.  [default: out/ and the study's name]"
    )
    pages: bool = option_field(
        "--pages",
        is_flag=True,
        help="Write a page of each image too, beside it, on which maps are read pixel by pixel.",
    )
    cmap: str = cmap_field()


@click.command("report", cls=Command, help=HELP, short_help="Make a page of a study.")
@click.argument("study", type=FOLDER, metavar="STUDY")
@options_of(Page, "page")
@memory_option()
@options_of(Speech, "speech")
def command(study: Path, page: Page, speech: Speech) -> None:
    """Write the page."""
    output = page.output or default_output(study.resolve().name, suffix=".html")
    check_outputs([output], [])
    with bar(None, quiet=speech.quiet, unit=" maps") as shown:
        written = save_report(study, output, pages=page.pages, cmap=page.cmap, progress=follow(shown))
    beside = f", and {written.beside} files into {output.with_name(output.stem + '_files')}" if written.beside else ""
    speaker(speech.quiet)(f"Wrote {output} ({size(written.size)}){beside}.")
