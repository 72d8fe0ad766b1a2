"""`predicdiff predict`: which classes a net sees."""

from __future__ import annotations

import click

from ..errors import ImageError
from .console import Failure
from .options.base import Command, option, options_of
from .options.net import NetChoice, subject
from .summaries import seen_lines

HELP = """Say which classes a net sees in images.

Without an image it takes a photograph of a cat.

\b
Examples:
  predicdiff predict
  predicdiff predict *.jpg --net googlenet --top 1
  predicdiff predict cat.jpg --net deploy.prototxt --weights my.caffemodel \\
      --mean 104,117,123
"""


@click.command("predict", cls=Command, help=HELP, short_help="Say which classes a net sees.")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@options_of(NetChoice, "net")
@option("--top", type=int, metavar="N", default=5, help="How many classes.")
def command(images: tuple[str, ...], net: NetChoice, top: int) -> None:
    """Print the top classes of each image; go on after one that cannot be read."""
    model = net.load()
    broken = 0
    for path in images or (None,):
        try:
            shown = subject(path)
        except ImageError as error:
            click.echo(f"Error: {error}", err=True)
            broken += 1
            continue
        click.echo("\n".join(seen_lines(model, shown, top)))
    if broken == 1 == len(images):
        raise click.exceptions.Exit(Failure.exit_code)
    if broken:
        raise Failure(f"{broken} of {len(images)} images could not be read.")
