"""`predicdiff study`: what do the maps of many images say together, and do two studies agree?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Union

import click

from ..errors import ExplanationError
from ..ours import as_record
from ..studies.index import INDEX
from ..studies.overview.agreed import Agreement
from ..studies.overview.agreement import agreement
from ..studies.overview.findings import TOP, Summary
from ..studies.overview.results import open_study
from ..studies.overview.summary import summary
from ..written import written_whole
from .console import bar, follow, speaker
from .options.base import Command, Options, Speech, option_field, options_of
from .options.shared import cmap_field, memory_option
from .options.values import FIGURE, FOLDER, File
from .outputs import check_outputs

HELP = """Say what the maps of a study have in common, or how far two studies of the same images agree.

Of one study: mean and spread of its maps, which places and classes carry most evidence, and the images whose maps are
most unlike the others. Of two, such as those of two nets or two samplers: how alike their maps of each image are, with
maps of other images as the null.

\b
Examples:
  predicdiff study out/photos
  predicdiff study out/photos -o photos.pdf --table photos.md
  predicdiff study out/alexnet out/googlenet --table both.json
"""
TABLE = File("FILE.md|json", (".md", ".json"))
Found = Union[Summary, Agreement]


@dataclass(frozen=True)
class Telling(Options):
    """The options that say which maps count, and where what they say goes."""

    target: int = option_field(
        "--target", type=click.IntRange(0), default=0, metavar="N",
        help="Which map of each image, where it has several; of two studies, which before others of a class of both.",
    )  # fmt: skip
    top: int = option_field(
        "--top",
        type=click.IntRange(1, 10**6),
        default=TOP,
        metavar="N",
        help="Most rows of a table of classes or images.",
    )
    output: Path | None = option_field(
        "-o", "--output", type=FIGURE, help="The picture.  [default: study.png in STUDY, of two studies agreement.png]"
    )
    cmap: str = cmap_field()
    table: Path | None = option_field(
        "--table", type=TABLE, help="The tables as a page, or all numbers of each image as JSON."
    )


@click.command("study", cls=Command, help=HELP, short_help="Say what the maps of many images have in common.")
@click.argument("study", type=FOLDER, metavar="STUDY")
@click.argument("other", type=FOLDER, metavar="[OTHER]", required=False)
@options_of(Telling, "telling")
@memory_option()
@options_of(Speech, "speech")
def command(study: Path, other: Path | None, telling: Telling, speech: Speech) -> None:
    """Print the tables, draw the picture, write what else is asked for; then say whether results were left out."""
    output = telling.output or study / ("study.png" if other is None else "agreement.png")
    outputs = [output] if telling.table is None else [output, telling.table]
    _check(outputs, [study] if other is None else [study, other])
    with bar(None, quiet=speech.quiet, unit=" maps") as shown:
        found: Found
        if other is None:
            found = summary(study, target=telling.target, progress=follow(shown))
        else:
            found = agreement(study, other, target=telling.target, progress=follow(shown))
    say = speaker(speech.quiet)
    say(*found.lines(telling.top))
    _write(found, output, telling)
    say("", f"Wrote {' and '.join(map(str, outputs))}.")
    if found.lost:
        raise ExplanationError(
            f"{found.lost} of the results could not be used: they are named above, and left out of all that was said."
        )


def _check(outputs: list[Path], folders: list[Path]) -> None:
    """Refuse outputs that would take the place of a part of a study, whose files are ours too."""
    inputs = [folder / INDEX for folder in folders]
    for folder in folders:
        for image in open_study(folder).images:
            if image.path.stem in {output.stem for output in outputs}:
                inputs += [image.path, image.path.with_suffix(".png")]
    check_outputs(outputs, inputs)


def _write(found: Found, output: Path, telling: Telling) -> None:
    from ..plotting import save_figure
    from ..studies.overview.drawing import agreement_figure, summary_figure

    cmap = telling.cmap
    drawn = summary_figure(found, cmap=cmap) if isinstance(found, Summary) else agreement_figure(found, cmap=cmap)
    save_figure(drawn, output)
    if telling.table is None:
        return
    as_page = telling.table.suffix.lower() == ".md"
    with written_whole(telling.table) as part:
        part.write_bytes(found.page(telling.top) if as_page else as_record(found.as_dict()))
