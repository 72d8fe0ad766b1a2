"""`predicdiff blobs`: what `--blob` and `--start` may name."""

from __future__ import annotations

import warnings

import click

from ..classes import heads_of
from ..errors import InputWarning
from ..nets.facts import NetFacts
from ..nets.zoo import caffe_facts
from ..protocols import Net
from .options.base import Command, options_of
from .options.net import NetChoice
from .options.shared import memory_option

HELP = """List a net's blobs in the order in which they are computed: what --blob and --start may name.

Of maps the shape is channels, rows, columns. Of Caffe's nets no weights need be there.

\b
Examples:
  predicdiff blobs
  predicdiff blobs --net googlenet
  predicdiff blobs --net deploy.prototxt
"""


@click.command("blobs", cls=Command, help=HELP, short_help="List the layers that can be explained.")
@options_of(NetChoice, "net")
@memory_option()
def command(net: NetChoice) -> None:
    """Print a table."""
    known: Net | NetFacts | None = caffe_facts(net.net, net.input_shape, net.output_blob, net.output_is)
    if known is None or net.weights is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)  # of a mean, which says nothing here
            known = net.load()
    click.echo("\n".join(lines(known)))


def lines(net: Net | NetFacts) -> list[str]:
    """The net's input, then a line for each blob: its name, its shape, and whether it holds classes."""
    width = max(len(name) for name in net.blobs)
    heads = net.heads if isinstance(net, NetFacts) else heads_of(net)
    notes = {head.scores: "  the scores" for head in heads}
    notes.update({head.output: "  the probabilities" for head in heads})
    return [
        f"{net.name}, whose input is {_sides(net.input_shape)}:",
        *(f"  {name:<{width}}  {_sides(shape)}{notes.get(name, '')}" for name, shape in net.blobs.items()),
    ]


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "1"
