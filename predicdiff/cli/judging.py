"""`predicdiff compare`, `faithfulness` and `randomisation`: is a map like another, and does it tell the truth?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from ..comparing.compare import compare, load
from ..errors import ImageError
from ..explanation import Explanation
from ..files import written_whole
from ..judging.faithfulness import Faithfulness, faithfulness
from ..judging.randomisation import randomisation
from ..methods.registry import DIFFERENCE
from ..methods.registry import names as method_names
from ..protocols import Net
from ..samplers.corpus import read_folder
from .console import bar
from .options.base import Callback, Command, Decorator, option, quiet_option
from .options.net import NetChoice, net_options
from .options.values import FIGURE, FOLDER
from .outputs import check_outputs

COMPARE_HELP = """Compare an explanation with another, or with a picture of one such as a panel cut from the paper.

A picture must be the map's panel alone, without axes, title or colour bar. Its red and blue are turned back into
signed relevance, and it is laid over the map where the two fit best.
Maps of other images (--null) say what the figures are worth: each is laid out in the same way.

\b
Examples:
  predicdiff compare out/cat_alexnet.h5 out/cat_googlenet.h5
  predicdiff compare out/cat.h5 panel.jpg --null out/dog.h5 \\
      --null out/cup.h5 -o compared.png
"""
FAITHFULNESS_HELP = """Hold methods against each other over a folder of images: deletion and insertion curves.

Pixels are taken away, or put back, those first that a map calls most relevant; the faster the class's probability
falls, or rises, the better the map knows what the net looks at. Take dozens of images: few say little.

\b
Examples:
  predicdiff faithfulness PHOTOS
  predicdiff faithfulness PHOTOS --net googlenet --stride 5 -o out/curves.png
"""
RANDOMISATION_HELP = """Randomise a net's weights from the last layer down, and see whether its maps change.

A map that stays when the weights are gone does not show what the net has learnt (Adebayo et al., 2018): its correlation
with the original must fall below that of two seeds of the same net.

\b
Examples:
  predicdiff randomisation PHOTOS
  predicdiff randomisation PHOTOS --method sensitivity
"""
FOLDER_ARGUMENT = click.argument("folder", type=FOLDER, metavar="DIR")


@click.command("compare", cls=Command, help=COMPARE_HELP, short_help="Compare a map with another, or a picture of one.")
@click.argument("first", metavar="A.h5")
@click.argument("second", metavar="B.h5|PICTURE")
@option("--null", "nulls", multiple=True, metavar="FILE.h5", help="An explanation of another image; may be repeated.")
@option("--target", type=int, default=0, show_default=True, help="Which of an explanation's maps.")
@option("-o", "--output", type=FIGURE, help="A picture of both side by side.")
def compare_command(first: str, second: str, nulls: tuple[str, ...], target: int, output: Path | None) -> None:
    """Print the figures; draw if asked."""
    from ..plotting import save_figure

    if output is not None:
        check_outputs([output], [first, second, *nulls])
    one = load(first)
    if not isinstance(one, Explanation):
        raise ImageError(f"{first}: a picture, but the first must be an explanation. Give the .h5 file of one.")
    found = compare(one, load(second), nulls=[Explanation.load(null) for null in nulls], target=target)
    click.echo("\n".join(found.lines()))
    if output is not None:
        named = [f"{Path(path).stem}: {title}" for path, title in zip((first, second), found.titles)]
        save_figure(replace(found, titles=(named[0], named[1])).figure(), output)
        click.echo(f"Wrote {output}.")


def map_options() -> Decorator:
    """How maps are made."""

    def decorate(command: Callback) -> Callback:
        for add in (
            option("--seed", type=int, default=0, show_default=True, help="Of all that is drawn."),
            option("--stride", type=int, default=8, show_default=True, help="Step between windows, at most k."),
            option("-S", "--samples", type=int, default=4, show_default=True, help="Draws for each window."),
            option("-k", "--window", type=int, default=10, show_default=True, help="Side of a window, in pixels."),
        ):
            command = add(command)
        return command

    return decorate


@click.command(
    "faithfulness",
    cls=Command,
    help=FAITHFULNESS_HELP,
    short_help="Hold methods against each other.",
)
@FOLDER_ARGUMENT
@map_options()
@option("--steps", type=int, default=28, show_default=True, help="Steps in which the picture goes.")
@option("--block", type=int, default=8, show_default=True, help="Side of the squares that go at a time, in pixels.")
@option(
    "-o", "--output", type=FIGURE, default=Path("out/faithfulness.png"), show_default=True, help="The curves' picture."
)
@net_options()
@quiet_option()
def faithfulness_command(
    folder: Path,
    net: NetChoice,
    window: int,
    samples: int,
    stride: int,
    steps: int,
    block: int,
    seed: int,
    output: Path,
    quiet: bool,
) -> None:
    """Make the maps, delete and insert, print the table, draw the curves."""
    numbers = output.with_suffix(".json")
    check_outputs([output, numbers], net.files)
    model = net.load()
    images = _images(model, folder)
    with bar(len(images) * len(method_names()), quiet=quiet, unit=" maps") as shown:
        found = faithfulness(
            model, images, window=window, samples=samples, stride=stride, steps=steps, block=block, seed=seed,
            progress=lambda done, _: shown.update(done - shown.n),
        )  # fmt: skip
    _write(found, output, numbers)
    click.echo(f"{found.table()}\n\n{found.caption()}\nWrote {output} and {numbers}.")


@click.command(
    "randomisation", cls=Command, help=RANDOMISATION_HELP, short_help="See whether maps change with the weights."
)
@FOLDER_ARGUMENT
@map_options()
@option("--method", type=click.Choice(method_names()), default=DIFFERENCE, show_default=True, help="Which map.")
@net_options()
@quiet_option()
def randomisation_command(
    folder: Path, net: NetChoice, window: int, samples: int, stride: int, seed: int, method: str, quiet: bool
) -> None:
    """Print the table and the verdict."""
    model = net.load()
    images = _images(model, folder)
    with bar(None, quiet=quiet, unit=" maps") as shown:

        def progress(done: int, total: int) -> None:
            shown.total = total
            shown.update(done - shown.n)

        found = randomisation(
            model, images, method=method, window=window, samples=samples, stride=stride, seed=seed, progress=progress
        )
    click.echo(found.table())


def _images(net: Net, folder: Path) -> dict[str, np.ndarray]:
    arrays, names, _ = read_folder(folder, net.view)
    return dict(zip(names, arrays))


def _write(found: Faithfulness, output: Path, numbers: Path) -> None:
    from ..plotting import save_figure

    save_figure(found.figure(), output)
    with written_whole(numbers) as part:
        part.write_text(json.dumps(found.as_dict(), indent=1))
