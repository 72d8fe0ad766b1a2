"""The options of `predicdiff explain` that are its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...plan import QUALITIES
from ...presets import LIKES, Like
from ...protocols import UnitLike
from ...windows import SidesLike, sides
from ..outputs import default_output
from .base import Decorator, gather, option
from .values import FIGURE, MEMORY, RESULT, UNIT, WINDOW

METHODS = ("difference", "occlusion")
TARGETS, WINDOWS, EFFORT, OUTPUT = "What is explained", "Windows and samples", "Effort", "Output"


@dataclass(frozen=True)
class Targets:
    """The options that say what is explained."""

    blob: str | None
    unit: tuple[UnitLike, ...]
    map: tuple[int, ...]
    top: int | None
    against: int | None
    measure: str | None
    start: str | None
    channels_apart: bool
    method: str

    @property
    def places(self) -> list[str]:
        """What tells results of other blobs apart, for file names."""
        return ([f"from-{self.start}"] if self.start else []) + ([self.blob] if self.blob else [])

    @property
    def occludes(self) -> bool:
        """Whether a grey patch takes the place of draws."""
        return self.method == METHODS[1]

    def settings(self) -> dict[str, Any]:
        """In `explain`'s words."""
        return {
            "blob": self.blob,
            "units": list(self.unit) or None,
            "channels": list(self.map) or None,
            "top": self.top,
            "against": self.against,
            "start": self.start,
            "channels_apart": self.channels_apart,
            "measure": (self.measure or "activation") if self.occludes else self.measure,
            **({"samples": 1} if self.occludes else {}),
        }


@dataclass(frozen=True)
class Sampling:
    """The options that say where windows lie and how often each is drawn."""

    window: SidesLike
    context: int | None
    samples: int | None
    stride: int | None
    quality: str
    like: str | None
    seed: int
    training_instances: int | None

    @property
    def presets(self) -> bool:
        """Whether a quality alone says where windows lie and how often each is drawn."""
        return self.like is None and self.stride is None and self.samples is None

    @property
    def model(self) -> Like | None:
        """Whose settings are to be taken, those that were given put in their place."""
        if self.like is None:
            return None
        like = LIKES[self.like]
        settings = {"samples": self.samples, "stride": self.stride, "training_instances": self.training_instances}
        given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        return replace(like, window=self.window, **given)

    def settings(self) -> dict[str, Any]:
        """In `explain`'s words, the preset filled in; its stride never exceeds the window."""
        if self.model is not None:
            return {**self.model.explaining, "seed": self.seed}
        preset = QUALITIES[self.quality]
        return {
            "window": self.window,
            "samples": preset.samples if self.samples is None else self.samples,
            "stride": max(1, min(preset.stride, *sides(self.window))) if self.stride is None else self.stride,
            "seed": self.seed,
            "training_instances": self.training_instances,
        }


@dataclass(frozen=True)
class Output:
    """The options that say where results go."""

    output: Path | None
    figure: Path | None
    on_image: bool
    sure: bool
    restart: bool

    def result(self, *names: str) -> Path:
        """The .h5 file."""
        return self.output or default_output(*names, suffix=".h5")

    def files(self, result: Path) -> tuple[Path, Path, Path]:
        """The .h5 file, the picture, and the finished tiles of a run."""
        return result, self.figure or result.with_suffix(".png"), result.with_name(result.name + ".tiles")


def explain_options() -> Decorator:
    """All but the net's and the sampler's."""
    targets = gather(
        "targets",
        Targets,
        option(
            "--blob",
            group=TARGETS,
            help="Where the units lie, by a name of `predicdiff blobs`.  [default: the probabilities]",
        ),
        option(
            "--unit",
            type=UNIT,
            multiple=True,
            group=TARGETS,
            help="A class such as 281, or CHANNEL,ROW,COLUMN; may be repeated.  [default: the predicted class]",
        ),
        option(
            "--map",
            type=int,
            multiple=True,
            group=TARGETS,
            help="A channel, explained by its mean; may be repeated.",
        ),
        option("--top", type=int, metavar="N", group=TARGETS, help="The N classes with the highest scores."),
        option("--against", type=int, metavar="CLASS", group=TARGETS, help="A class to hold each unit against."),
        option(
            "--measure",
            type=click.Choice(["evidence", "activation"]),
            group=TARGETS,
            help="Fall of the log-odds in bits, or of the value itself.  [default: evidence for probabilities]",
        ),
        option(
            "--start",
            metavar="BLOB",
            group=TARGETS,
            help="A hidden blob that windows are taken away from, instead of the image.",
        ),
        option(
            "--channels-apart",
            is_flag=True,
            group=TARGETS,
            help="Take each channel of a window away alone: a map for each; with -k 1 each unit.",
        ),
        option(
            "--method",
            type=click.Choice(METHODS),
            default=METHODS[0],
            show_default=True,
            group=TARGETS,
            help="Draw what could have stood in a window, or cover it with grey (Zeiler and Fergus, 2014).",
        ),
    )
    sampling = gather(
        "sampling",
        Sampling,
        option(
            "-k",
            "--window",
            type=WINDOW,
            default=10,
            show_default=True,
            group=WINDOWS,
            help="Side of a window, in pixels, or HEIGHTxWIDTH.",
        ),
        option(
            "-l",
            "--context",
            type=int,
            group=WINDOWS,
            help="Side of its context, for conditional sampling.  [default: k + 4]",
        ),
        option("-S", "--samples", type=int, group=WINDOWS, help="Draws for each window.  [default: the quality's]"),
        option("--stride", type=int, group=WINDOWS, help="Step between windows, at most k.  [default: the quality's]"),
        option(
            "--quality",
            type=click.Choice(list(QUALITIES)),
            default="preview",
            show_default=True,
            group=WINDOWS,
            help=f"{_presets()}.",
        ),
        option(
            "--like",
            type=click.Choice(list(LIKES)),
            group=WINDOWS,
            help="All settings as in the paper, or as in its authors' later code; --quality says nothing then.",
        ),
        option("--seed", type=int, default=0, show_default=True, group=WINDOWS, help="Of all that is drawn."),
        option(
            "--training-instances",
            type=int,
            metavar="N",
            group=WINDOWS,
            help="N of Laplace's correction.  [default: the net's, or 1281167]",
        ),
    )
    output = gather(
        "out",
        Output,
        option(
            "-o",
            "--output",
            type=RESULT,
            group=OUTPUT,
            help="The result.  [default: out/IMAGE_NET_SAMPLER.h5, with a number if taken]",
        ),
        option("--figure", type=FIGURE, group=OUTPUT, help="The picture of it.  [default: beside the result, as PNG]"),
        option(
            "--on-image",
            is_flag=True,
            group=OUTPUT,
            help="Draw on the whole image, not on what the net sees of it.",
        ),
        option("--sure", is_flag=True, group=OUTPUT, help="Leave clear what lies within two standard errors of zero."),
        option(
            "--restart", is_flag=True, group=OUTPUT, help="Compute anew what is finished already, or was interrupted."
        ),
    )
    memory = option(
        "--memory", type=MEMORY, default="4GB", show_default=True, group=EFFORT, help="What the run may take."
    )
    batch = option(
        "--batch-size", type=int, metavar="N", group=EFFORT, help="Inputs at once.  [default: as many as fit]"
    )

    def decorate(command: Any) -> Any:
        for add in (output, batch, memory, sampling, targets):
            command = add(command)
        return command

    return decorate


def _presets() -> str:
    return "; ".join(f"{name}: stride {preset.stride}, S = {preset.samples}" for name, preset in QUALITIES.items())
