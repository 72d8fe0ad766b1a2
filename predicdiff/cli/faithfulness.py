"""`predicdiff faithfulness`: which method's maps know best what a net looks at?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ..files import written_whole
from ..judging.faithfulness import Faithfulness, faithfulness
from ..methods.registry import names as method_names
from .console import bar, follow
from .options.base import Command, option, options_of, quiet_option
from .options.maps import Maps, folder_argument, folder_images
from .options.net import NetChoice
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


@click.command(
    "faithfulness",
    cls=Command,
    help=HELP,
    short_help="Hold methods against each other.",
)
@folder_argument()
@options_of(Maps, "maps")
@option("--steps", type=int, default=28, help="Steps in which the picture goes.")
@option("--block", type=int, default=8, help="Side of the squares that go at a time, in pixels.")
@option(
    "-o",
    "--output",
    type=FIGURE,
    default=default_output("faithfulness", suffix=".png"),
    help="The curves' picture.",
)
@options_of(NetChoice, "net")
@quiet_option()
def command(folder: Path, net: NetChoice, maps: Maps, steps: int, block: int, output: Path, quiet: bool) -> None:
    """Make the maps, delete and insert, print the table, draw the curves."""
    numbers = output.with_suffix(".json")
    check_outputs([output, numbers], net.files)
    model = net.load()
    images = folder_images(model, folder)
    with bar(len(images) * len(method_names()), quiet=quiet, unit=" maps") as shown:
        result = faithfulness(model, images, **asdict(maps), steps=steps, block=block, progress=follow(shown))
    _write(result, output, numbers)
    click.echo(f"{result.table()}\n\n{result.caption()}\nWrote {output} and {numbers}.")


def _write(result: Faithfulness, output: Path, numbers: Path) -> None:
    from ..plotting import save_figure

    save_figure(result.figure(), output)
    with written_whole(numbers) as part:
        part.write_text(json.dumps(result.as_dict(), indent=1))
