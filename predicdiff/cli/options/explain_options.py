"""The options of `predicdiff explain` that are its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from ...between import BETWEEN
from ...errors import SettingsError
from ...masks import load_mask
from ...methods.occlusion import METHOD as OCCLUSION
from ...overlays import Scale
from ...presets import LIKES, QUALITIES, Like
from ...protocols import UnitLike
from ...shapes.labels import SLIC, read_segments
from ...windows import SidesLike, WindowLike, shortest
from ...workers.clients import check_address
from ...written import target_of
from ..outputs import TILES, default_output
from .base import Options, option_field
from .shared import (
    SIDE,
    cmap_field,
    context_field,
    memory_field,
    samples_field,
    scale_field,
    seed_field,
    stride_field,
    window_field,
)  # fmt: skip
from .values import (
    CLASS,
    DURATION,
    FIGURE,
    FILE,
    REGION,
    RESULT_OR_FOLDER,
    RESULTS,
    TEXT,
    UNIT,
    WORKERS,
    File,
)  # fmt: skip

#: Of the registry's methods the two whose maps are explanations, with a standard error, a blob and targets of one's
#: choice; the others are functions of a class alone. The first is called by a word without a space.
METHODS = ("difference", OCCLUSION.name)
#: The quality where none is given, and where the grid is refined until it is good enough.
DEFAULT, FINEST = "preview", "paper"
PRESETS = "; ".join(f"{name}: stride {preset.stride}, S = {preset.samples}" for name, preset in QUALITIES.items())


@dataclass(frozen=True)
class Images(Options):
    """The options that say which images, beside the argument."""

    heading = "Several images"

    list: Path | None = option_field(
        "--list",
        type=FILE,
        help="A text with the path of an image, a folder or a pattern in each line; - is standard input.",
    )


@dataclass(frozen=True)
class Targets(Options):
    """The options that say what is explained."""

    heading = "What is explained"

    blob: str | None = option_field(
        "--blob",
        type=TEXT,
        help="Where the units lie, by a name of `predicdiff blobs`.  [default: the probabilities]",
    )
    unit: tuple[UnitLike, ...] = option_field(
        "--unit",
        type=UNIT,
        multiple=True,
        help="A class such as 281 or tabby, or CHANNEL,ROW,COLUMN; may be repeated.  [default: the predicted class]",
    )
    map: tuple[int, ...] = option_field(
        "--map", type=int, multiple=True, help="A channel, explained by its mean; may be repeated."
    )
    mask: Path | None = option_field(
        "--mask",
        type=FILE,
        help="Where in a map of classes, of a net for segmentation: a black and white picture as large as the image, "
        "what the net sees, or the map. Each class is explained by its mean over what is white.",
    )
    top: int | None = option_field("--top", type=int, metavar="N", help="The N classes with the highest scores.")
    against: UnitLike | None = option_field("--against", type=CLASS, help="A class to hold each unit against.")
    measure: str | None = option_field(
        "--measure",
        type=click.Choice(["evidence", "activation"]),
        help="Fall of the log-odds in bits, or of the value itself.  [default: evidence for probabilities]",
    )
    start: str | None = option_field(
        "--start",
        type=TEXT,
        metavar="BLOB",
        help="A hidden blob that windows are taken away from, instead of the image.",
    )
    channels_apart: bool = option_field(
        "--channels-apart",
        is_flag=True,
        help="Take each channel of a window away alone: a map for each; with -k 1 each unit.",
    )
    method: str = option_field(
        "--method",
        type=click.Choice(METHODS),
        default=METHODS[0],
        help="Draw what could have stood in a window, or cover it with grey (Zeiler and Fergus, 2014): 127.5, in a "
        "hidden blob 0. --sampler grey covers it too, but gives the relevance of probabilities in bits, occlusion as a "
        "plain difference.",
    )

    @property
    def places(self) -> list[str]:
        """What tells results of other blobs apart, for file names."""
        told = {"from": self.start, "in": self.mask and self.mask.stem}
        return [f"{word}-{name}" for word, name in told.items() if name] + ([self.blob] if self.blob else [])

    @property
    def occludes(self) -> bool:
        """Whether a grey patch takes the place of draws."""
        return self.method == OCCLUSION.name

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
            "measure": self.measure,
            "mask": None if self.mask is None else load_mask(self.mask),
        }


@dataclass(frozen=True)
class Sampling(Options):
    """The options that say where windows lie and how often each is drawn."""

    heading = "Windows and samples"

    window: WindowLike = window_field()
    context: WindowLike | None = context_field()
    samples: int | None = samples_field("Draws for each window.  [default: the quality's]")
    stride: SidesLike | None = stride_field(
        "Step between windows, at most k unless --between linear, --until or --budget is given.  "
        "[default: the quality's]"
    )
    quality: str | None = option_field(
        "--quality",
        type=click.Choice(list(QUALITIES)),
        help=f"{PRESETS}.  [default: {DEFAULT}; with --until or --budget {FINEST}]",
    )
    until: float | None = option_field(
        "--until",
        type=float,
        metavar="R",
        help="Refine the grid in stages until the maps' estimated correlation with the true ones is R, such as 0.99, "
        "or the quality is reached. Result and picture are renewed after each stage.",
    )
    budget: float | None = option_field(
        "--budget", type=DURATION, help="The same for so long, such as 60s or 5min; what comes first ends it."
    )
    like: str | None = option_field(
        "--like",
        type=click.Choice(list(LIKES)),
        help="All settings as in the paper, or as in its authors' later code; --quality says nothing then.",
    )
    between: str | None = option_field(
        "--between",
        type=click.Choice(BETWEEN),
        help="At a stride above 1: interpolate the windows' evidence to all places between them, or nothing.  "
        "[default: linear; with --like or --method occlusion none]",
    )
    region: tuple[int, ...] | None = option_field(
        "--region",
        type=REGION,
        help="Keep windows to this part of the picture, in its own pixels: first the top-left corner, then the size.",
    )
    segments: Path | None = option_field(
        "--segments",
        type=File("FILE|slic|slic:N"),
        help="Take segments away instead of windows, one by one: what has one colour or grey in a picture of the "
        "image's size, or one number in a .npy file; or about 100, or N, that scikit-image's SLIC makes. Wants "
        "--sampler marginal or --method occlusion.",
    )
    seed: int = seed_field()
    repeat: int = option_field(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help="Passes that each value is averaged over, of a net that draws by itself (dropout that is left on).",
    )
    training_instances: int | None = option_field(
        "--training-instances",
        type=int,
        metavar="N",
        help="N of Laplace's correction.  [default: the net's, or 1281167]",
    )

    @property
    def refines(self) -> bool:
        """Whether the grid is refined in stages."""
        return self.until is not None or self.budget is not None

    @property
    def preset(self) -> str:
        """The quality's name."""
        return self.quality or (FINEST if self.refines else DEFAULT)

    @property
    def presets(self) -> bool:
        """Whether a quality alone says where windows lie and how often each is drawn."""
        return self.like is None and self.stride is None and self.samples is None and not self.refines

    def places(self) -> dict[str, Any]:
        """Where windows lie, and segments in the place of windows, in `explain`'s words."""
        segments: Any = self.segments
        if segments is None:
            return {"region": self.region}
        options = {"-k": self.window != SIDE, "-l": self.context, "--stride": self.stride, "--between": self.between}
        idle = [name for name, given in options.items() if given]
        if idle:
            raise SettingsError(f"--segments takes the place of windows: leave out {' and '.join(idle)}.")
        is_slic = str(segments).partition(":")[0] == SLIC
        segments = str(segments) if is_slic else read_segments(segments)
        return {"region": self.region, "segments": segments, "stride": 1}

    @property
    def model(self) -> Like | None:
        """Whose settings are to be taken, those that were given put in their place."""
        if self.like is None:
            return None
        like = LIKES[self.like]
        settings = {"samples": self.samples, "stride": self.stride, "training_instances": self.training_instances}
        changes: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
        return replace(like, **{"window": self.window, **changes})

    def settings(self) -> dict[str, Any]:
        """In `explain`'s words, the preset filled in; its stride never exceeds the window."""
        if self.model is not None:
            if self.refines:
                raise SettingsError("--like repeats another program's settings: leave out --until and --budget.")
            between = {} if self.between is None else {"between": self.between}
            if self.model.batch is not None and (self.region or self.segments):
                given = "--region" if self.region else "--segments"
                raise SettingsError(f"--like authors counts a window twice, which {given} has no place for.")
            if self.model.batch is not None and self.between == "linear":
                raise SettingsError("--like authors counts a window twice, which --between linear has no place for.")
            asked = {"seed": self.seed, "repeat": self.repeat, **self.places()}
            return {**self.model.explaining, **asked, **between}
        preset = QUALITIES[self.preset]
        return {
            "window": self.window,
            "samples": preset.samples if self.samples is None else self.samples,
            "stride": max(1, min(preset.stride, shortest(self.window))) if self.stride is None else self.stride,
            "seed": self.seed,
            "repeat": self.repeat,
            "between": self.between,
            "until": self.until,
            "budget": self.budget,
            **self.places(),
            "training_instances": self.training_instances,
        }


@dataclass(frozen=True)
class Effort(Options):
    """The options that say what a run may take."""

    heading = "Effort"

    memory: int = memory_field()
    batch_size: int | None = option_field(
        "--batch-size", type=int, metavar="N", help="Inputs at once.  [default: as many as fit]"
    )
    workers: int | str | None = option_field(
        "--workers",
        type=WORKERS,
        help="So many processes of this machine, each within --memory; auto takes as many as help. Of several images "
        "each gets one after the other, of few or large ones parts.  [default: this process, by as many threads as "
        "help]",
    )
    scheduler: str | None = option_field(
        "--scheduler",
        type=TEXT,
        metavar="tcp://HOST:PORT",
        help="The workers of a Dask cluster, by the address of its scheduler.",
    )
    dry_run: bool = option_field(
        "--dry-run",
        is_flag=True,
        help="Check everything, say how many evaluations, how much memory and time it would take and where results "
        "would go, and stop; writes nothing.",
    )

    def check(self) -> None:
        """Refuse what cannot compute, before a net is loaded and a sampler made."""
        if self.scheduler is None:
            return
        if self.workers is not None:
            raise SettingsError("--workers and --scheduler both say who computes: want one of them.")
        check_address(self.scheduler)


@dataclass(frozen=True)
class Output(Options):
    """The options that say where results go."""

    heading = "Output"

    output: Path | None = option_field(
        "-o",
        "--output",
        type=RESULT_OR_FOLDER,
        help="The result, or a folder for those of several images.  [default: out/IMAGE_NET_SAMPLER.h5, with a number "
        "if taken; out/study_NET_SAMPLER]",
    )
    figure: Path | None = option_field(
        "--figure", type=FIGURE, help="The picture of it.  [default: beside the result, as PNG]"
    )
    on_image: bool = option_field(
        "--on-image", is_flag=True, help="Draw on the whole image, not on what the net sees of it."
    )
    sure: bool = option_field(
        "--sure", is_flag=True, help="Leave clear what lies within two errors of zero, interpolation's included."
    )
    cmap: str = cmap_field()
    scale: Scale = scale_field("all maps of a picture")
    restart: bool = option_field(
        "--restart", is_flag=True, help="Compute anew what is finished already, or was interrupted."
    )

    @property
    def is_folder(self) -> bool:
        """Whether a folder was named, in which results of several images lie."""
        return self.output is not None and self.output.suffix.lower() not in RESULTS

    def check_sure(self, samples: int, *, drawn: bool) -> None:
        """Refuse to leave clear what is not sure where one draw a window leaves that unknown."""
        if self.sure and samples == 1 and drawn:
            raise SettingsError(
                "--sure needs a standard error, and one draw a window has none: want --samples 2 or more."
            )

    @property
    def drawing(self) -> dict[str, Any]:
        """How the picture is drawn, in the words of `plotting.figure`."""
        return {"sure": self.sure, "on_image": self.on_image, "cmap": self.cmap, "scale": self.scale}

    def result(self, *names: str) -> Path:
        """The .h5 file."""
        return self.output or default_output(*names, suffix=".h5")

    def files(self, result: Path) -> tuple[Path, Path, Path]:
        """The .h5 file, the picture, and the finished tiles of a run."""
        target = target_of(result)  # of which there is one, however many links lead there
        return result, self.figure or result.with_suffix(".png"), target.with_name(target.name + TILES)
