"""`predicdiff fit`: make a sampler of a folder's images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import click
import numpy as np

from ..abilities import net_abilities, sampler_abilities
from ..errors import SettingsError
from ..image_files import Intensity
from ..images import View
from ..presets import first_colour
from ..samplers import registry
from ..samplers.corpus import default_corpus, read_folder
from ..samplers.fitting import CHANNELS
from ..samplers.registry import Recipe, SamplerKind
from ..windows import WindowLike, by, spanned, told, usual_context
from .options.base import Command, Options, option_field, options_of
from .options.net import NetChoice, Reading
from .options.sampler import channel_order
from .options.shared import SIDE, context_field, memory_option, seed_field
from .options.values import FOLDER, RESULT
from .outputs import check_outputs

HELP = """Make a sampler of images: by default fit a Gaussian to patches of them, for conditional sampling.

Images are taken as a net sees them, without one the middle of each whose short side is 224. A Gaussian then serves all
nets of about this size, a marginal sampler those of just this size. Without a folder it takes scikit-image's
photographs, several crops of each.

\b
Examples:
  predicdiff fit photographs/ -o sampler.h5
  predicdiff fit photographs/ -o alexnet.h5 --net alexnet
  predicdiff fit photographs/ -o small.h5 --image-size 24 --context 8
  predicdiff fit photographs/ -o others.h5 --sampler marginal --net alexnet
  predicdiff explain cat.jpg --sampler sampler.h5
"""
#: That of windows of the default size.
CONTEXT = usual_context(SIDE)


@dataclass(frozen=True)
class Fitting(Options):
    """The options that say what is made; those of patches are None where they were left out."""

    output: Path = option_field("-o", "--output", type=RESULT, required=True, help="The sampler.")
    sampler: str = option_field(
        "--sampler",
        type=click.Choice(registry.names()),
        default=registry.names()[0],
        help="What kind of sampler it is to be.",
    )
    context: WindowLike | None = context_field(
        f"Side of the patches, in pixels, or HEIGHTxWIDTH.  [default: {told(CONTEXT)}]"
    )
    patches: int | None = option_field(
        "--patches", type=int, help=f"How many, from random places.  [default: {Recipe.patches}]"
    )
    channels_mode: str | None = option_field(
        "--channels-mode",
        type=click.Choice(CHANNELS),
        help=f"One Gaussian over all colours, as in the paper, or one for each.  [default: {CHANNELS[0]}]",
    )
    seed: int = seed_field("Of the patches' places, and of crops.")

    def check(self, kind: SamplerKind, folder: Path | None, net: NetChoice) -> None:
        """Refuse what a kind of sampler makes nothing of."""
        patches = {"-l": self.context, "--patches": self.patches, "--channels-mode": self.channels_mode}
        seen = {"--net": net.net, "--image-size": net.image_size, "--view": net.view}
        corpus = {"DIR": folder, "--seed": self.seed or None, **seen}
        options = {**({} if kind.takes_context else patches), **({} if kind.takes_corpus else corpus)}
        idle = [name for name, value in options.items() if value is not None]
        if idle:
            raise SettingsError(f"--sampler {kind.name} makes nothing of {' and '.join(idle)}: leave that out.")

    def recipe(self, shape: tuple[int, ...], **of_the_corpus: Any) -> Recipe:
        """How the sampler of pixels (C, H, W) is made: what was given, and the recipe's own where nothing was."""
        context = None if self.context is None else spanned(self.context, shape[1:], what="context l")
        settings = {"context": context, "patches": self.patches, "channels": self.channels_mode}
        asked: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        return Recipe(**{"context": CONTEXT, "seed": self.seed, **asked, **of_the_corpus})


@click.command("fit", cls=Command, help=HELP, short_help="Make a sampler of images, by default fit a Gaussian.")
@click.argument("folder", type=FOLDER, required=False, metavar="[DIR]")
@options_of(Fitting, "fitting")
@options_of(Reading, "reading")
@options_of(NetChoice, "net", net=None)
@memory_option()
def command(folder: Path | None, fitting: Fitting, reading: Reading, net: NetChoice) -> None:
    """Read images, fit, save."""
    check_outputs([fitting.output], net.files)
    kind = registry.find(fitting.sampler)
    fitting.check(kind, folder, net)
    shape, view, order = _seen(net)
    images, names = np.empty((0, *shape), np.float32), None
    if kind.takes_corpus:
        images, names = _corpus(folder, shape, view, fitting.seed, reading.intensity)
    recipe = fitting.recipe(shape, first=first_colour(shape[0], order), names=names)
    sampler = kind.make(images, recipe)
    sampler.save(fitting.output)
    for note in sampler_abilities(sampler).notes:
        click.echo(f"Note: {note}")
    click.echo("\n".join([*_told(kind, recipe, len(images)), f"Wrote {fitting.output}."]))


def _corpus(
    folder: Path | None,
    shape: tuple[int, int, int],
    view: Callable[[np.ndarray], np.ndarray],
    seed: int,
    intensity: Intensity,
) -> tuple[np.ndarray, list[str]]:
    if folder is None:
        return default_corpus(shape, seed=seed)
    images, names, _ = read_folder(folder, view, intensity=intensity)
    return images, names


def _told(kind: SamplerKind, recipe: Recipe, count: int) -> list[str]:
    """What it was made of."""
    if kind.takes_context and recipe.context is not None:
        return [f"Fitted a context of {by(recipe.context)} to {recipe.patches} patches of {count} images."]
    return [f"Made a {kind.name} sampler of {count} images."] if kind.takes_corpus else []


def _seen(net: NetChoice) -> tuple[tuple[int, int, int], Callable[[np.ndarray], np.ndarray], str]:
    """What a net sees: shape, view and channel order; of none the middle of images whose short side is 224, and BGR."""
    if net.net is not None:
        model = net.load()
        return model.input_shape, model.view, channel_order(net_abilities(model))
    if net.needs_net:
        raise SettingsError(
            f"{' and '.join(net.needs_net)} without a net that it belongs to: give --net too, or leave it out."
        )
    size = 224 if net.image_size is None else net.image_size
    height, width = (size, size) if isinstance(size, int) else size
    view = View(net.view or "short", (height, width), antialias=True)
    return (3, height, width), lambda image: view.apply(image, (height, width)), "bgr"
