"""`predicdiff predict`: which classes a net sees."""

from __future__ import annotations

from dataclasses import dataclass

import click

from ..errors import ExplanationError, ImageError, PredicdiffError
from .console import Failure
from .options.base import Command, Options, option_field, options_of
from .options.net import ImageReading, NetChoice, named_image
from .options.shared import memory_option
from .summaries import seen_lines

HELP = """Say which classes a net sees in images.

Without an image it takes a photograph of a cat; - is standard input.

\b
Examples:
  predicdiff predict
  predicdiff predict *.jpg --net googlenet --top 1
  predicdiff predict cat.jpg --net deploy.prototxt --weights my.caffemodel \\
      --mean 104,117,123
"""


@dataclass(frozen=True)
class Ranking(Options):
    """The options that say how much of the net's ranking of the classes is shown."""

    top: int = option_field("--top", type=int, metavar="N", default=5, help="How many classes.")


@click.command("predict", cls=Command, help=HELP, short_help="Say which classes a net sees.")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@options_of(ImageReading, "reading")
@options_of(NetChoice, "net")
@options_of(Ranking, "ranking")
@memory_option()
def command(images: tuple[str, ...], net: NetChoice, reading: ImageReading, ranking: Ranking) -> None:
    """Print the top classes of each image; go on after one that cannot be read."""
    model, intensity = net.load(), reading.intensity
    broken: list[PredicdiffError] = []
    for path in images or (None,):
        try:
            lines = seen_lines(model, named_image(path, intensity, reading.page), ranking.top)
        except (ImageError, ExplanationError) as error:
            click.echo(f"Error: {error}", err=True)
            broken.append(error)
            continue
        click.echo("\n".join(lines))
    if broken and len(images) <= 1:
        raise click.exceptions.Exit(Failure.exit_code)
    if broken:
        read = any(isinstance(error, ExplanationError) for error in broken)
        what = "gave no answer" if read else "could not be read"
        raise Failure(f"{len(broken)} of {len(images)} images {what}.")
