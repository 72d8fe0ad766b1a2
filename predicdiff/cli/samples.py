"""`predicdiff samples`: see what a sampler puts into a window."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..errors import SettingsError
from ..overlays import picture
from .options.base import Command, Options, image_argument, option, option_field, options_of
from .options.net import NetChoice, subject
from .options.sampler import SamplerChoice
from .options.values import FIGURE, PLACE
from .outputs import check_outputs, default_output

HELP = """Draw a picture of what a sampler puts into a window.

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


@dataclass(frozen=True)
class Draws(Options):
    """The options that say what is drawn, and where."""

    at: tuple[int, int] = option_field(
        "--at", type=PLACE, required=True, help="The window's top-left pixel, in what the net sees."
    )
    window: int = option_field("-k", "--window", type=int, default=10, help="Side of the window, in pixels.")
    context: int | None = option_field(
        "-l", "--context", type=int, help="Side of its context, for conditional sampling.  [default: k + 4]"
    )
    samples: int = option_field("-S", "--samples", type=int, default=9, help="How many draws.")
    seed: int = option_field("--seed", type=int, default=0, help="Of the draws.")


@click.command("samples", cls=Command, help=HELP, short_help="Draw what a sampler puts into a window.")
@image_argument()
@options_of(Draws, "draws")
@option("-o", "--output", type=FIGURE, help="The picture.  [default: out/IMAGE_NET_samples.png]")
@options_of(SamplerChoice, "sampler")
@options_of(NetChoice, "net")
def command(image: str | None, net: NetChoice, sampler: SamplerChoice, draws: Draws, output: Path | None) -> None:
    """Draw from a sampler and show it."""
    from ..plotting import save_figure

    if draws.samples > MOST:
        raise SettingsError(f"samples S = {draws.samples} make too large a picture: want at most {MOST}.")
    shown = subject(image)
    model = net.load()
    output = output or default_output(shown.name, model.name, "samples", suffix=".png")
    check_outputs([output], [shown.file, sampler.sampler, *net.files])
    pixels, at, window, seed = model.view(shown.image), draws.at, draws.window, draws.seed
    drawing = sampler.make(model, shown.image, window=window, context=draws.context, seed=seed)
    patches = drawing.draw(pixels, np.array([at]), window=window, samples=draws.samples, seed=seed)[0]
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
