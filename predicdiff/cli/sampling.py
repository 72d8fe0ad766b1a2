"""`predicdiff fit` and `predicdiff samples`: make a sampler, and see what it puts into a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import click
import numpy as np

from ..errors import SettingsError
from ..images import View
from ..overlays import picture
from ..presets import first_colour
from ..samplers import GaussianSampler
from ..samplers.corpus import default_corpus, read_folder
from ..samplers.fitting import CHANNELS
from .options.base import Command, image_argument, option
from .options.net import NetChoice, net_options, subject
from .options.sampler import SamplerChoice, channel_order, sampler_options
from .options.values import FIGURE, FOLDER, PLACE, RESULT
from .outputs import check_outputs, default_output

FIT_HELP = """Fit a Gaussian to patches of images, for conditional sampling.

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
SAMPLES_HELP = """Draw a picture of what a sampler puts into a window.

\b
Examples:
  predicdiff samples --at 60,100
  predicdiff samples cat.jpg --at 60,100 -k 20 --sampler marginal -o m.png
  predicdiff samples cat.jpg --at 60,100 --sampler sampler.h5 -S 14
"""
#: Draws beside each other, and how many times a pixel is enlarged.
ACROSS, ZOOM = 5, 8
#: Draws that a picture has room for.
MOST = 500
MARK = (255, 220, 0)


@click.command("fit", cls=Command, help=FIT_HELP, short_help="Fit a Gaussian to images, for conditional sampling.")
@click.argument("folder", type=FOLDER, required=False, metavar="[DIR]")
@option("-o", "--output", type=RESULT, required=True, help="The sampler.")
@option("-l", "--context", type=int, default=14, show_default=True, help="Side of the patches, in pixels.")
@option("--patches", type=int, default=25_000, show_default=True, help="How many, from random places.")
@option(
    "--channels-mode",
    type=click.Choice(CHANNELS),
    default=CHANNELS[0],
    show_default=True,
    help="One Gaussian over all colours, as in the paper, or one for each.",
)
@option("--seed", type=int, default=0, show_default=True, help="Of the patches' places.")
@net_options(default=None)
def fit(
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


@click.command("samples", cls=Command, help=SAMPLES_HELP, short_help="Draw what a sampler puts into a window.")
@image_argument()
@option("--at", type=PLACE, required=True, help="The window's top-left pixel, in what the net sees.")
@option("-k", "--window", type=int, default=10, show_default=True, help="Side of the window, in pixels.")
@option("-l", "--context", type=int, help="Side of its context, for conditional sampling.  [default: k + 4]")
@option("-S", "--samples", type=int, default=9, show_default=True, help="How many draws.")
@option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@option("-o", "--output", type=FIGURE, help="The picture.  [default: out/IMAGE_NET_samples.png]")
@sampler_options()
@net_options()
def samples(
    image: str | None,
    net: NetChoice,
    sampler: SamplerChoice,
    at: tuple[int, int],
    window: int,
    context: int | None,
    samples: int,
    seed: int,
    output: Path | None,
) -> None:
    """Draw from a sampler and show it."""
    from ..plotting import save_figure

    if samples > MOST:
        raise SettingsError(f"samples S = {samples} make too large a picture: want at most {MOST}.")
    shown = subject(image)
    model = net.load()
    output = output or default_output(shown.name, model.name, "samples", suffix=".png")
    check_outputs([output], [shown.file, sampler.sampler, *net.files])
    pixels = model.view(shown.image)
    made = sampler.make(model, shown.image, window=window, context=context, seed=seed)
    patches = made.draw(pixels, np.array([at]), window=window, samples=samples, seed=seed)[0]
    place = f"the {window} x {window} window at row {at[0]}, column {at[1]}"
    caption = f"{shown.name}, {place}: {len(patches)} draws, {sampler.name} sampling."
    save_figure(_drawn(pixels, at, patches, caption), output)
    click.echo(f"{caption}\nWrote {output}.")


def _drawn(pixels: np.ndarray, at: tuple[int, int], patches: np.ndarray, caption: str) -> Any:
    """The whole view with its window, and beside it the window's surroundings as they are and with each draw."""
    from ..plotting import Block, grid_figure

    part = _around(pixels.shape[1:], at, patches.shape[-1])
    whole = _framed(picture(pixels), at, patches.shape[-1], zoom=2)
    row, column = at[0] - part[0].start, at[1] - part[1].start
    size = patches.shape[-1]
    panels, notes = [_framed(picture(pixels)[part], (row, column), size, ZOOM)], ["as it is"]
    for number, patch in enumerate(patches, 1):
        filled = pixels.copy()
        filled[:, at[0] : at[0] + size, at[1] : at[1] + size] = patch
        panels.append(_framed(picture(filled)[part], (row, column), size, ZOOM))
        notes.append(f"draw {number}")
    across = min(ACROSS, len(panels))
    empty = -len(panels) % across
    rows = _rows([*panels, *[None] * empty], across)
    block = Block(whole, [""] * across, rows, _rows([*notes, *[""] * empty], across))
    return grid_figure([block], [""] * len(rows), caption=caption, legend=False)


def _rows(items: list[Any], across: int) -> list[list[Any]]:
    return [items[start : start + across] for start in range(0, len(items), across)]


def _around(shape: tuple[int, ...], at: tuple[int, int], window: int) -> tuple[slice, slice]:
    """The window with as much again on each side, as far as the image goes."""
    sides = [min(size, 3 * window) for size in shape]
    starts = [min(max(0, place - window), size - side) for place, size, side in zip(at, shape, sides)]
    rows, columns = (slice(start, start + side) for start, side in zip(starts, sides))
    return rows, columns


def _framed(colours: np.ndarray, at: tuple[int, int], window: int, zoom: int) -> np.ndarray:
    """Colours enlarged, with a line around a window; none of the window's own pixels is painted over."""
    large = np.pad(colours.repeat(zoom, axis=0).repeat(zoom, axis=1), ((1, 1), (1, 1), (0, 0)), mode="edge")
    (top, left), side = (zoom * at[0], zoom * at[1]), zoom * window + 1
    large[[top, top + side], left : left + side + 1] = MARK
    large[top : top + side + 1, [left, left + side]] = MARK
    return large
