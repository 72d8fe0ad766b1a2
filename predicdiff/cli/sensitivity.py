"""`predicdiff sensitivity`: the gradient's map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..abilities import net_abilities
from ..errors import SettingsError
from ..methods.sensitivity import REDUCTIONS, sensitivity, source
from ..overlays import beyond, heat, picture, saliency, symmetric_scale
from ..palettes import DEFAULT
from ..presets import LIKES
from ..protocols import UnitLike
from ..targets import name as unit_name
from .console import say
from .options.base import Command, Options, image_argument, option_field, options_of
from .options.net import ImageReading, NetChoice, named_image
from .options.shared import cmap_field, memory_option
from .options.values import FIGURE, TEXT, UNIT
from .outputs import check_outputs, default_output
from .summaries import addressed, seen_lines

HELP = """Draw a sensitivity map: how fast a class's score changes with each pixel, by one backward pass.

\b
Examples:
  predicdiff sensitivity
  predicdiff sensitivity cat.jpg --net alexnet --unit 281 -o cat.png
  predicdiff sensitivity cat.jpg --kind times_input --cmap vik
"""
CAPTIONS = {
    "max_abs": "the largest magnitude over the colours",
    "signed": "the sum over the colours",
    "times_input": "gradient times input",
}
#: The kind that has no signs.
UNSIGNED = "max_abs"
UNITS = {"signed": "gradient", "times_input": "gradient times input"}


@dataclass(frozen=True)
class Gradient(Options):
    """The options that say of what the gradient is taken, how it is brought down to a map, and where that goes."""

    blob: str | None = option_field(
        "--blob", type=TEXT, help="Where the unit lies.  [default: the scores before the softmax]"
    )
    unit: UnitLike | None = option_field(
        "--unit", type=UNIT, help="A class such as 281 or tabby, or CHANNEL,ROW,COLUMN.  [default: the predicted class]"
    )
    kind: str = option_field(
        "--kind",
        type=click.Choice(REDUCTIONS),
        default=REDUCTIONS[0],
        help="Over the colours: the largest magnitude, the sum, or the sum of gradient times input.",
    )
    like: str | None = option_field(
        "--like",
        type=click.Choice(list(LIKES)),
        help="As in the paper, or as in its authors' later code, which starts from the unit's activation.",
    )
    cmap: str = cmap_field()
    output: Path | None = option_field(
        "-o", "--output", type=FIGURE, help="The picture.  [default: out/IMAGE_NET_sensitivity.png]"
    )


@click.command("sensitivity", cls=Command, help=HELP, short_help="Draw a sensitivity map (gradient).")
@image_argument()
@options_of(Gradient, "asked")
@options_of(ImageReading, "reading")
@options_of(NetChoice, "net")
@memory_option()
def command(image: str | None, net: NetChoice, reading: ImageReading, asked: Gradient) -> None:
    """Take the gradient and draw it."""
    from ..plotting import save_figure

    if asked.kind == UNSIGNED and asked.cmap != DEFAULT:
        raise SettingsError(
            f"--kind {UNSIGNED} gives magnitudes, which are drawn from black to white: leave out --cmap, or take "
            f"--kind {' or '.join(UNITS)}."
        )
    shown = named_image(image, reading.intensity, reading.page)
    settings = LIKES[asked.like or "paper"]
    model = net.load(None if asked.like is None else settings)
    output = asked.output or default_output(shown.name, model.name, "sensitivity", suffix=".png")
    check_outputs([output], [shown.file, *net.files])
    say(*seen_lines(model, shown))
    pixels = model.view(shown.image)
    seen = picture(pixels, tones=net_abilities(model).tones(pixels))
    blob, unit = source(model, pixels, asked.blob, asked.unit)
    values = sensitivity(model, shown.image, blob=blob, unit=unit, reduce=asked.kind, **settings.sensing)
    named = addressed(unit_name(model, blob, unit), f"{blob}[{', '.join(map(str, unit or [0]))}]")
    save_figure(_drawn(seen, values, asked, named, model.name), output)
    say(f"Sensitivity of {named}, {model.name}: {CAPTIONS[asked.kind]}.", f"Wrote {output}.")


def _drawn(seen: np.ndarray, values: np.ndarray, asked: Gradient, named: str, net: str) -> Any:
    """The input and the map beside it: magnitudes from black to white, signed values in colours for and against."""
    from ..plotting import beside

    scale = symmetric_scale(values, percentile=99.5)
    caption = f"{net}, sensitivity: {CAPTIONS[asked.kind]}"
    if asked.kind == UNSIGNED:
        return beside(seen, saliency(values, scale=scale), named, caption=f"{caption}; white: {scale:.2g} and more")
    colours = heat(values, scale=scale, cmap=asked.cmap)
    return beside(
        seen, colours, named, scale=scale, unit=UNITS[asked.kind], caption=caption, cmap=asked.cmap,
        beyond=beyond(values, scale),
    )  # fmt: skip
