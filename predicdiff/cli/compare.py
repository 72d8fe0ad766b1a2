"""`predicdiff compare`: is a map like another, or like a picture of one?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ..comparing.compare import compare, load
from ..errors import ImageError
from ..explanation import Explanation
from .options.base import Command, option
from .options.values import FIGURE
from .outputs import check_outputs

HELP = """Compare an explanation with another, or with a picture of one such as a panel cut from the paper.

A picture must be the map's panel alone, without axes, title or colour bar. Its red and blue are turned back into
signed relevance, and it is laid over the map where the two fit best.
Maps of other images (--null) say what the figures are worth: each is laid out in the same way.

\b
Examples:
  predicdiff compare out/cat_alexnet.h5 out/cat_googlenet.h5
  predicdiff compare out/cat.h5 panel.jpg --null out/dog.h5 \\
      --null out/cup.h5 -o compared.png
"""


@click.command("compare", cls=Command, help=HELP, short_help="Compare a map with another, or a picture of one.")
@click.argument("first", metavar="A.h5")
@click.argument("second", metavar="B.h5|PICTURE")
@option("--null", "nulls", multiple=True, metavar="FILE.h5", help="An explanation of another image; may be repeated.")
@option("--target", type=int, default=0, help="Which of an explanation's maps.")
@option("-o", "--output", type=FIGURE, help="A picture of both side by side.")
def command(first: str, second: str, nulls: tuple[str, ...], target: int, output: Path | None) -> None:
    """Print the figures; draw if asked."""
    from ..plotting import comparison_figure, save_figure

    if output is not None:
        check_outputs([output], [first, second, *nulls])
    one = load(first)
    if not isinstance(one, Explanation):
        raise ImageError(f"{first}: a picture, but the first must be an explanation. Give the .h5 file of one.")
    comparison = compare(one, load(second), nulls=[Explanation.load(null) for null in nulls], target=target)
    click.echo("\n".join(comparison.lines()))
    if output is not None:
        named = [f"{Path(path).stem}: {title}" for path, title in zip((first, second), comparison.titles)]
        save_figure(comparison_figure(replace(comparison, titles=(named[0], named[1]))), output)
        click.echo(f"Wrote {output}.")
