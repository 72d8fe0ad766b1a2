"""`predicdiff randomisation`: do maps change when the net's weights do?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from ..judging.randomisation import randomisation
from ..methods.registry import DIFFERENCE
from ..methods.registry import names as method_names
from .console import bar, follow, say_text
from .options.base import Command, Options, Speech, option_field, options_of
from .options.maps import Maps, folder_argument, folder_images
from .options.net import NetChoice, Reading

HELP = """Randomise a net's weights from the last layer down, and see whether its maps change.

A map that stays when the weights are gone does not show what the net has learnt (Adebayo et al., 2018): its correlation
with the original must fall below that of two seeds of the same net.

\b
Examples:
  predicdiff randomisation PHOTOS
  predicdiff randomisation PHOTOS --method sensitivity
"""


@dataclass(frozen=True)
class MethodChoice(Options):
    """The options that say whose maps are looked at."""

    method: str = option_field("--method", type=click.Choice(method_names()), default=DIFFERENCE, help="Which map.")


@click.command("randomisation", cls=Command, help=HELP, short_help="See whether maps change with the weights.")
@folder_argument()
@options_of(Maps, "maps")
@options_of(MethodChoice, "choice")
@options_of(Reading, "reading")
@options_of(NetChoice, "net")
@options_of(Speech, "speech")
def command(folder: Path, net: NetChoice, reading: Reading, maps: Maps, choice: MethodChoice, speech: Speech) -> None:
    """Print the table and the verdict."""
    model = net.load()
    images = folder_images(model, folder, reading.intensity)
    with bar(None, quiet=speech.quiet, unit=" maps") as shown:
        how = maps.settings(model, reading.intensity)
        result = randomisation(model, images, method=choice.method, **how, progress=follow(shown))
    say_text(result.table())
