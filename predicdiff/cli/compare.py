"""`predicdiff compare`: is a map like another, or like a picture of one?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import click

from ..comparing.colours import READ
from ..comparing.compare import compare, load
from ..errors import ImageError, SettingsError
from ..explanation import Explanation
from ..palettes import DEFAULT, find_colour_map
from .console import say
from .options.base import Command, Options, option_field, options_of
from .options.net import Reading
from .options.shared import cmap_field, memory_option
from .options.values import FIGURE
from .outputs import check_outputs

_READ = find_colour_map(READ)
HELP = f"""Compare an explanation with another, or with a picture of one such as a panel cut from the paper.

A picture must be the map's panel alone, without axes, title or colour bar. Its {_READ.positive} and
{_READ.negative} are turned back into signed relevance, and it is laid over the map where the two fit best; one that
shows the whole map needs no search (--whole). Where an overlay shows no values above half of the largest, the map is
limited likewise. Maps of other images (--null) say what the figures are worth: each is laid out in the same way.

\b
Examples:
  predicdiff compare out/cat_alexnet.h5 out/cat_googlenet.h5
  predicdiff compare out/cat.h5 panel.jpg --null out/dog.h5 \\
      --null out/cup.h5 -o compared.png
"""


@dataclass(frozen=True)
class Comparing(Options):
    """The options that say which maps are held against each other, and where the picture goes."""

    nulls: tuple[str, ...] = option_field(
        "--null", multiple=True, metavar="FILE.h5", help="An explanation of another image; may be repeated."
    )
    target: int = option_field("--target", type=click.IntRange(0), default=0, help="Which of an explanation's maps.")
    whole: bool = option_field(
        "--whole", is_flag=True, help="The picture shows all of the map: it is shifted by at most 2 %."
    )
    output: Path | None = option_field("-o", "--output", type=FIGURE, help="A picture of both side by side.")
    cmap: str = cmap_field()


@click.command("compare", cls=Command, help=HELP, short_help="Compare a map with another, or a picture of one.")
@click.argument("first", metavar="A.h5")
@click.argument("second", metavar="B.h5|PICTURE")
@options_of(Comparing, "asked")
@options_of(Reading, "reading")
@memory_option()
def command(first: str, second: str, asked: Comparing, reading: Reading) -> None:
    """Print the figures; draw if asked."""
    from ..plotting import comparison_figure, save_figure

    if asked.output is None and asked.cmap != DEFAULT:
        raise SettingsError("say which file to draw into with -o FILE.png.")
    if asked.output is not None:
        check_outputs([asked.output], [first, second, *asked.nulls])
    one = load(first)
    if not isinstance(one, Explanation):
        raise ImageError(f"{first}: a picture, but the first must be an explanation. Give the .h5 file of one.")
    nulls = [Explanation.load(null) for null in asked.nulls]
    comparison = compare(
        one, load(second, intensity=reading.intensity), nulls=nulls, target=asked.target, whole=asked.whole
    )
    say(*comparison.lines())
    if asked.output is not None:
        named = [f"{Path(path).stem}: {title}" for path, title in zip((first, second), comparison.titles)]
        titled = replace(comparison, titles=(named[0], named[1]))
        save_figure(comparison_figure(titled, cmap=asked.cmap), asked.output)
        say(f"Wrote {asked.output}.")
