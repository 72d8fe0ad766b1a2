"""`predicdiff nets` and `predicdiff fetch`: which nets there are, and their weights."""

from __future__ import annotations

from typing import Any

import click
from tqdm import tqdm

from ..errors import DownloadError, WeightsError
from ..nets.fetching.manifest import entry
from ..nets.fetching.weights import Status, cache_dir, fetch_net, status
from .console import Failure, bar
from .options.base import Command, quiet_option

FETCH_HELP = """Download the weights of nets, and their mean images; what an interrupted call left is gone on with.

Files are kept in the folder that PREDICDIFF_CACHE names, otherwise in the user's cache folder, and get their names
only when their hashes are right.

\b
Examples:
  predicdiff fetch googlenet
  predicdiff fetch alexnet googlenet vgg16
"""
NETS_HELP = """List the nets known by name, and whether their weights are there."""


@click.command("nets", cls=Command, help=NETS_HELP, short_help="List the nets known by name.")
def nets() -> None:
    """Print a table."""
    found = status()
    width = max(len(net.name) for net in found)
    for net in found:
        click.echo(f"{net.name:<{width}}  {_size(net):>8}  {_state(net)}")
        click.echo(f"{'':<{width}}  {net.title}; {net.licence}")
    click.echo(f"Weights are kept in {cache_dir()}.")


@click.command("fetch", cls=Command, help=FETCH_HELP, short_help="Download the weights of nets.")
@click.argument("names", nargs=-1, required=True, metavar="NET...")
@quiet_option()
def fetch(names: tuple[str, ...], quiet: bool) -> None:
    """Fetch each net; go on after one that cannot be had."""
    for name in names:
        entry(name)
    away: dict[str, str] = {}
    failed = []
    for name in names:
        bars = Bars(quiet)
        try:
            files = fetch_net(name, progress=bars, unreachable=away)
        except (DownloadError, WeightsError) as error:
            bars.close()
            failed.append(name)
            click.echo(f"Error: {error}", err=True)
            continue
        bars.close()
        for file in files:
            if not quiet:
                click.echo(f"{name}: {file.path} {'was there' if file.was_there else 'fetched'}")
    if failed:
        raise click.exceptions.Exit(Failure.exit_code)


def fetch_missing(name: str, engine: str) -> None:
    """Download what a net of the manifest lacks, if the engine can run it; other nets have their files named."""
    lacking = any(net.name == name and net.missing for net in status())
    if lacking and (engine == "torch" or entry(name).prototxt is not None):
        bars = Bars(quiet=False)
        try:
            fetch_net(name, progress=bars)
        finally:
            bars.close()


class Bars:
    """A progress bar for each file that comes."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.file: str | None = None
        self.bar: tqdm[Any] | None = None

    def __call__(self, file: str, received: int, total: int | None) -> None:
        """Show how much of ``file`` is there; the first call for it begins a new bar."""
        if file != self.file or self.bar is None:
            self.close()
            self.file = file
            self.bar = bar(total, quiet=self.quiet, initial=received, unit="B", scale=True)
            self.bar.set_description(file)
        self.bar.total = total
        self.bar.update(received - self.bar.n)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None


def _size(net: Status) -> str:
    if net.size is None:
        return "?"
    return f"{'' if net.exact else '~'}{net.size / 1e6:.0f} MB"


def _state(net: Status) -> str:
    if not net.missing:
        return f"ready: {net.path}"
    return f"missing {', '.join(net.missing)}: {net.command}"
