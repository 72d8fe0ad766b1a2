"""`predicdiff fit`: make a sampler of a folder's images."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import click
import numpy as np

from ..errors import SettingsError
from ..images import View
from ..presets import first_colour
from ..samplers import GaussianSampler
from ..samplers.corpus import default_corpus, read_folder
from ..samplers.fitting import CHANNELS
from .options.base import Command, option, options_of
from .options.net import NetChoice
from .options.sampler import channel_order
from .options.values import FOLDER, RESULT
from .outputs import check_outputs

HELP = """Fit a Gaussian to patches of images, for conditional sampling.

Patches are cut from images as a net sees them, without one from the middle of images whose short side is 224. The
sampler then serves all nets of about this size. Without a folder it takes scikit-image's photographs, several crops of
each.

\b
Examples:
  predicdiff fit photographs/ -o sampler.h5
  predicdiff fit photographs/ -o alexnet.h5 --net alexnet
  predicdiff fit photographs/ -o small.h5 --image-size 24 --context 8
  predicdiff explain cat.jpg --sampler sampler.h5
"""


@click.command("fit", cls=Command, help=HELP, short_help="Fit a Gaussian to images, for conditional sampling.")
@click.argument("folder", type=FOLDER, required=False, metavar="[DIR]")
@option("-o", "--output", type=RESULT, required=True, help="The sampler.")
@option("-l", "--context", type=int, default=14, help="Side of the patches, in pixels.")
@option("--patches", type=int, default=25_000, help="How many, from random places.")
@option(
    "--channels-mode",
    type=click.Choice(CHANNELS),
    default=CHANNELS[0],
    help="One Gaussian over all colours, as in the paper, or one for each.",
)
@option("--seed", type=int, default=0, help="Of the patches' places.")
@options_of(NetChoice, "net", net=None)
def command(
    folder: Path | None, output: Path, context: int, patches: int, channels_mode: str, seed: int, net: NetChoice
) -> None:
    """Read images, fit, save."""
    check_outputs([output], net.files)
    shape, view, order = _seen(net)
    if folder is None:
        images, names = default_corpus(shape, seed=seed)
    else:
        images, names, _ = read_folder(folder, view)
    sampler = GaussianSampler.fit(
        images, context, patches=patches, seed=seed, channels=channels_mode, names=names,
        first=first_colour(shape[0], order),
    )  # fmt: skip
    sampler.save(output)
    for note in sampler.notes:
        click.echo(f"Note: {note}")
    click.echo(f"Fitted a context of {context} x {context} to {patches} patches of {len(images)} images.")
    click.echo(f"Wrote {output}.")


def _seen(net: NetChoice) -> tuple[tuple[int, int, int], Callable[[np.ndarray], np.ndarray], str]:
    """What a net sees: shape, view and channel order; of none the middle of images whose short side is 224, and BGR."""
    if net.net is not None:
        model = net.load()
        return model.input_shape, model.view, channel_order(model)
    if net.needs_net:
        raise SettingsError(
            f"{' and '.join(net.needs_net)} without a net that it belongs to: give --net too, or leave it out."
        )
    size = 224 if net.image_size is None else net.image_size
    height, width = (size, size) if isinstance(size, int) else size
    view = View(net.view or "short", (height, width), antialias=True)
    return (3, height, width), lambda image: view.apply(image, (height, width)), "bgr"
