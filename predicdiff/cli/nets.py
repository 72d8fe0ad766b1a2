"""`predicdiff nets`: which nets are known by name."""

from __future__ import annotations

import click

from ..nets.fetching.weights import Status, cache_dir, status
from .console import say
from .options.base import Command

HELP = """List the nets known by name, and whether their weights are there."""

OTHERS = (
    "Besides, --net takes timm:NAME, torchvision:NAME, hf:NAME and folders of save_pretrained, each with weights and",
    "preprocessing of its own, and your own files: a prototxt, file.py:function, .onnx and .pt2 (docs/nets.md).",
)


@click.command("nets", cls=Command, help=HELP, short_help="List the nets known by name.")
def command() -> None:
    """Print a table."""
    known = status()
    width = max(len(net.name) for net in known)
    for net in known:
        say(f"{net.name:<{width}}  {_size(net):>8}  {_state(net)}", f"{'':<{width}}  {net.title}; {net.licence}")
    say(*OTHERS, f"Weights are kept in {cache_dir()}.")


def _size(net: Status) -> str:
    if net.size is None:
        return "?"
    return f"{'' if net.exact else '~'}{net.size / 1e6:.0f} MB"


def _state(net: Status) -> str:
    if not net.missing:
        return f"ready: {net.path}"
    return f"missing {', '.join(net.missing)}: {net.command}"
