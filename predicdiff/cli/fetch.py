"""`predicdiff fetch`: the weights of nets known by name."""

from __future__ import annotations

import click

from ..errors import DownloadError, WeightsError
from ..nets.fetching.manifest import entry
from ..nets.fetching.weights import fetch_net
from .console import Failure, FileBars, say, say_error
from .options.base import Command, Speech, options_of

HELP = """Download the weights of nets, and their mean images; what an interrupted call left is gone on with.

Files are kept in the folder that PREDICDIFF_CACHE names, otherwise in the user's cache folder, and get their names
only when their hashes are right. Where no host has the whole file, GoogLeNet's and SqueezeNet's weights come in parts,
over several connections, and are put together into one file.

\b
Examples:
  predicdiff fetch googlenet
  predicdiff fetch squeezenet1.1
  predicdiff fetch alexnet googlenet vgg16
"""


@click.command("fetch", cls=Command, help=HELP, short_help="Download the weights of nets.")
@click.argument("names", nargs=-1, required=True, metavar="NET...")
@options_of(Speech, "speech")
def command(names: tuple[str, ...], speech: Speech) -> None:
    """Fetch each net; go on after one that cannot be had."""
    for name in names:
        entry(name)
    away: dict[str, str] = {}
    failed = []
    for name in names:
        bars = FileBars(speech.quiet)
        try:
            files = fetch_net(name, progress=bars, unreachable=away)
        except (DownloadError, WeightsError) as error:
            bars.close()
            failed.append(name)
            say_error(error)
            continue
        bars.close()
        for file in files:
            if not speech.quiet:
                say(f"{name}: {file.path} {'was there' if file.was_there else 'fetched'}")
    if failed:
        raise click.exceptions.Exit(Failure.exit_code)
