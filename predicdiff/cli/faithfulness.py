"""`predicdiff faithfulness`: which method's maps know best what a net looks at?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..judging.faithfulness import Faithfulness, faithfulness
from ..methods.registry import names as method_names
from ..ours import as_record
from ..written import written_whole
from .console import bar, follow, say, say_text
from .options.base import Command, Options, Speech, option_field, options_of
from .options.maps import Maps, folder_argument, folder_images
from .options.net import NetChoice, Reading
from .options.values import FIGURE
from .outputs import check_outputs, default_output

HELP = """Hold methods against each other over a folder of images: deletion and insertion curves.

Pixels are taken away, or put back, those first that a map calls most relevant; the faster the class's probability
falls, or rises, the better the map knows what the net looks at. Take dozens of images: few say little.

\b
Examples:
  predicdiff faithfulness PHOTOS
  predicdiff faithfulness PHOTOS --net googlenet --stride 5 -o out/curves.png
"""


@dataclass(frozen=True)
class Curves(Options):
    """The options that say how the picture goes, and where the curves do."""

    steps: int | None = option_field(
        "--steps", type=int, help="Steps in which the picture goes.  [default: 28, or as many as there are squares]"
    )
    block: int | None = option_field(
        "--block",
        type=int,
        help="Side of the squares that go at a time, in pixels.  [default: 8, less where they are few]",
    )
    output: Path = option_field(
        "-o",
        "--output",
        type=FIGURE,
        default=default_output("faithfulness", suffix=".png"),
        help="The curves' picture.",
    )


@click.command("faithfulness", cls=Command, help=HELP, short_help="Hold methods against each other.")
@folder_argument()
@options_of(Maps, "maps")
@options_of(Curves, "curves")
@options_of(Reading, "reading")
@options_of(NetChoice, "net")
@options_of(Speech, "speech")
def command(folder: Path, net: NetChoice, reading: Reading, maps: Maps, curves: Curves, speech: Speech) -> None:
    """Make the maps, delete and insert, print the table, draw the curves."""
    numbers = curves.output.with_suffix(".json")
    check_outputs([curves.output, numbers], net.files)
    model = net.load()
    images = folder_images(model, folder, reading.intensity)
    with bar(len(images) * len(method_names()), quiet=speech.quiet, unit=" maps") as shown:
        how = {**maps.settings(model, reading.intensity), "steps": curves.steps, "block": curves.block}
        result = faithfulness(model, images, **how, progress=follow(shown))
    _write(result, curves.output, numbers)
    say_text(result.table())
    say("", result.caption(), f"Wrote {curves.output} and {numbers}.")


def _write(result: Faithfulness, output: Path, numbers: Path) -> None:
    from ..plotting import save_figure

    save_figure(result.figure(), output)
    with written_whole(numbers) as part:
        part.write_bytes(as_record(result.as_dict()))
