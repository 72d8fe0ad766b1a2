"""Options that several commands have among their own, each declared here once; what differs between them is given."""

from __future__ import annotations

from typing import Any

import click

from ...overlays import OWN
from ...palettes import COLOUR_MAPS, DEFAULT
from ...protocols import ENGINES
from .base import ALLOWED, Decorator, Grouped, option_field
from .values import MEMORY, SCALE, STEP, WINDOW

#: k where none is given, that of most of the paper's figures.
SIDE = 10


def window_field() -> Any:
    """-k, one number where windows are square."""
    return option_field(
        "-k",
        "--window",
        type=WINDOW,
        default=SIDE,
        help="Side of a window, in pixels, or HEIGHTxWIDTH; 8xall are whole rows, 8 at a time, allx8 whole columns.",
    )


def context_field(
    text: str = "Side of its context, for conditional sampling, or HEIGHTxWIDTH.  [default: k + 4, as far as there is "
    "room]",
) -> Any:
    """-l; None where it is left out."""
    return option_field("-l", "--context", type=WINDOW, help=text)


def samples_field(text: str = "Draws for each window.", default: int | None = None) -> Any:
    """-S; without a default None where it is left out, and ``text`` says what is taken."""
    return option_field("-S", "--samples", type=int, help=text, **_default(default))


def stride_field(text: str = "Step between windows, at most k.", default: int | None = None) -> Any:
    """--stride; without a default None where it is left out, and ``text`` says what is taken."""
    return option_field("--stride", type=STEP, help=text, **_default(default))


def seed_field(text: str = "Of all that is drawn.") -> Any:
    """--seed."""
    return option_field("--seed", type=int, default=0, help=text)


def memory_field() -> Any:
    """--memory, which bounds from the first what the command makes."""
    return option_field("--memory", **_MEMORY)


def memory_option() -> Decorator:
    """--memory, for a command that has no more to do with it than to keep to it."""
    return click.option(
        "--memory", cls=Grouped, metavar=MEMORY.metavar, show_default=True, expose_value=False, **_MEMORY
    )


def _allow(ctx: click.Context, param: click.Parameter, memory: int) -> int:
    """Hand on what bounds the command, see `Command.invoke`."""
    ctx.meta[ALLOWED] = memory
    return memory


_MEMORY: dict[str, Any] = {
    "type": MEMORY, "default": "4GB", "callback": _allow,
    "help": "What the command may take; what would take more ends in an error.",
}  # fmt: skip


def cmap_field() -> Any:
    """--cmap."""
    kinds = [f"{name}, {one.positive} for and {one.negative} against: {one.about}" for name, one in COLOUR_MAPS.items()]
    return option_field(
        "--cmap", type=click.Choice(list(COLOUR_MAPS)), default=DEFAULT, help=f"The map's colours. {'; '.join(kinds)}."
    )


def scale_field(maps: str) -> Any:
    """--scale, which ``maps`` can share."""
    return option_field(
        "--scale",
        type=SCALE,
        default=OWN,
        help=f"What gets the full colour: the largest value of each map, of {maps}, or a number in the maps' unit, by "
        "which pictures can be held against each other.",
    )


def engine_field(text: str) -> Any:
    """--engine, or the environment's."""
    return option_field(
        "--engine", type=click.Choice(ENGINES), default=ENGINES[0], envvar="PREDICDIFF_ENGINE", help=text
    )


def _default(value: int | None) -> dict[str, int]:
    return {} if value is None else {"default": value}
