"""`predicdiff predict`: which classes a net sees."""

from __future__ import annotations

from typing import NamedTuple

import click
import numpy as np

from .. import targets
from ..errors import ImageError
from ..protocols import Net
from ..targets import class_blob
from .console import Failure
from .options.base import Command, option
from .options.net import NetChoice, Subject, net_options, subject

HELP = """Say which classes a net sees in images.

Without an image it takes a photograph of a cat.

\b
Examples:
  predicdiff predict
  predicdiff predict *.jpg --net googlenet --top 1
  predicdiff predict cat.jpg --net deploy.prototxt --weights my.caffemodel \\
      --mean 104,117,123
"""


class Class(NamedTuple):
    """A class and what the net gives it."""

    number: int
    label: str
    value: float


@click.command("predict", cls=Command, help=HELP, short_help="Say which classes a net sees.")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@net_options()
@option("--top", type=int, metavar="N", default=5, show_default=True, help="How many classes.")
def predict(images: tuple[str, ...], net: NetChoice, top: int) -> None:
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
        click.echo(described(model, shown))
        for line in table(model, shown.image, top):
            click.echo(line)
    if broken == 1 == len(images):
        raise click.exceptions.Exit(Failure.exit_code)
    if broken:
        raise Failure(f"{broken} of {len(images)} images could not be read.")


def described(net: Net, shown: Subject) -> str:
    """The image and the net, in a line."""
    name = shown.file or f"{shown.name}, a cat that scikit-image brings"
    (height, width), (channels, rows, columns) = shown.image.shape[:2], net.input_shape
    colours = "" if channels == 3 else f" x {channels}"
    return f"{name} ({height} x {width}), which {net.name} sees as {rows} x {columns}{colours}:"


def table(net: Net, image: np.ndarray, count: int) -> list[str]:
    """The top classes as lines: index, label, probability."""
    classes = top_classes(net, image, count)
    number = max((len(str(found.number)) for found in classes), default=1)
    label = min(40, max((len(found.label) for found in classes), default=1))
    return [f"  {found.number:>{number}}  {found.label:<{label}}  {_value(net, found.value)}" for found in classes]


def top_classes(net: Net, image: np.ndarray, count: int) -> list[Class]:
    """The classes with the highest probabilities, or scores where the net has none; empty if it has no classes."""
    blob = class_blob(net)
    if blob is None:
        return []
    values = net.forward(net.encode(net.view(image))[None], [blob])[blob][0]
    labels = net.labels if net.labels is not None and len(net.labels) == len(values) else None
    best = targets.top_classes(values, min(count, len(values)))
    return [Class(i, labels[i] if labels else f"class {i}", value) for i, value in best]


def _value(net: Net, value: float) -> str:
    return f"{value:.3f}" if net.output is not None else f"{value:.4g}"
