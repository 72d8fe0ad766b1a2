"""`predicdiff samples`: see what a sampler puts into a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..abilities import net_abilities, settled
from ..errors import SettingsError
from ..overlays import picture
from ..tones import Tones
from ..windows import Sides, WindowLike, as_asked, by, spanned
from .options.base import Command, Options, image_argument, option_field, options_of
from .options.net import ImageReading, NetChoice, named_image
from .options.sampler import SamplerChoice
from .options.shared import context_field, memory_option, samples_field, seed_field, window_field
from .options.values import FIGURE, PLACE
from .outputs import check_outputs, default_output

HELP = """Draw a picture of what a sampler puts into a window.

\b
Examples:
  predicdiff samples --at 60,100
  predicdiff samples cat.jpg --at 60,100 -k 20 --sampler marginal -o m.png
  predicdiff samples cat.jpg --at 60,100 --sampler sampler.h5 -S 14
  predicdiff samples cat.jpg --at 60,100 -k 6x10
"""
#: Draws beside each other, and how many times a pixel is enlarged.
ACROSS, ZOOM = 5, 8
#: Draws that a picture has room for.
MOST = 500
#: Draws where no number is given.
DRAWS = 9
MARK = (255, 220, 0)


@dataclass(frozen=True)
class Trial(Options):
    """The options that say which window is filled, how often, and where the picture goes."""

    at: tuple[int, int] = option_field(
        "--at", type=PLACE, required=True, help="The window's top-left pixel, in what the net sees."
    )
    window: WindowLike = window_field()
    context: WindowLike | None = context_field()
    samples: int | None = samples_field(f"How many draws.  [default: {DRAWS}]")
    seed: int = seed_field("Of the draws.")
    output: Path | None = option_field(
        "-o", "--output", type=FIGURE, help="The picture.  [default: out/IMAGE_NET_samples.png]"
    )


@click.command("samples", cls=Command, help=HELP, short_help="Draw what a sampler puts into a window.")
@image_argument()
@options_of(Trial, "trial")
@options_of(SamplerChoice, "sampler")
@options_of(ImageReading, "reading")
@options_of(NetChoice, "net")
@memory_option()
def command(image: str | None, net: NetChoice, reading: ImageReading, sampler: SamplerChoice, trial: Trial) -> None:
    """Draw from a sampler and show it."""
    from ..plotting import save_figure

    samples = DRAWS if trial.samples is None else trial.samples
    if samples > MOST:
        raise SettingsError(f"samples S = {samples} make too large a picture: want at most {MOST}.")
    shown = named_image(image, reading.intensity, reading.page)
    model = net.load()
    output = trial.output or default_output(shown.name, model.name, "samples", suffix=".png")
    check_outputs([output], [shown.file, sampler.sampler, *net.files])
    abilities = net_abilities(model)
    pixels, at = model.view(shown.image), trial.at
    window = as_asked(spanned(trial.window, model.input_shape[1:]))
    drawing = sampler.make(
        model, abilities, shown.image, window=window, context=trial.context, seed=trial.seed,
        intensity=reading.intensity,
    )  # fmt: skip
    tones = abilities.tones(pixels)
    drawing = settled(drawing, tones)
    sampler.check_samples(drawing, trial.samples)
    asked: dict[str, Any] = {"window": window, "samples": samples, "seed": trial.seed}
    patches = drawing.draw(pixels, np.array([at]), **asked)[0]
    place = f"the {by(window)} window at row {at[0]}, column {at[1]}"
    draws = "1 draw" if len(patches) == 1 else f"{len(patches)} draws"
    caption = f"{shown.name}, {place}: {draws}, {sampler.name} sampling."
    save_figure(_drawn(pixels, tones, at, patches, caption), output)
    click.echo(f"{caption}\nWrote {output}.")


def _drawn(pixels: np.ndarray, tones: Tones, at: tuple[int, int], patches: np.ndarray, caption: str) -> Any:
    """The whole view with its window, and beside it the window's surroundings as they are and with each draw."""
    from ..plotting import Block, grid_figure

    height, width = window = patches.shape[2:]
    part = _around(pixels.shape[1:], at, window)
    whole = _framed(picture(pixels, tones=tones), at, window, zoom=2)
    place = (at[0] - part[0].start, at[1] - part[1].start)
    panels, notes = [_framed(picture(pixels, tones=tones)[part], place, window, ZOOM)], ["as it is"]
    for number, patch in enumerate(patches, 1):
        filled = pixels.copy()
        filled[:, at[0] : at[0] + height, at[1] : at[1] + width] = patch
        panels.append(_framed(picture(filled, tones=tones)[part], place, window, ZOOM))
        notes.append(f"draw {number}")
    across = min(ACROSS, len(panels))
    empty = -len(panels) % across
    rows = _rows([*panels, *[None] * empty], across)
    block = Block(whole, [""] * across, rows, _rows([*notes, *[""] * empty], across))
    return grid_figure([block], [""] * len(rows), caption=caption, legend=False)


def _rows(items: list[Any], across: int) -> list[list[Any]]:
    return [items[start : start + across] for start in range(0, len(items), across)]


def _around(shape: tuple[int, ...], at: tuple[int, int], window: Sides) -> tuple[slice, slice]:
    """The window with as much again on each side, as far as the image goes."""
    lengths = [min(size, 3 * side) for size, side in zip(shape, window)]
    starts = [min(max(0, at[axis] - window[axis]), shape[axis] - lengths[axis]) for axis in (0, 1)]
    rows, columns = (slice(start, start + length) for start, length in zip(starts, lengths))
    return rows, columns


def _framed(colours: np.ndarray, at: tuple[int, int], window: Sides, zoom: int) -> np.ndarray:
    """Colours enlarged, with a line around a window; none of the window's own pixels is painted over."""
    large = np.pad(colours.repeat(zoom, axis=0).repeat(zoom, axis=1), ((1, 1), (1, 1), (0, 0)), mode="edge")
    top, left = zoom * at[0], zoom * at[1]
    bottom, right = top + zoom * window[0] + 1, left + zoom * window[1] + 1
    large[[top, bottom], left : right + 1] = MARK
    large[top : bottom + 1, [left, right]] = MARK
    return large
