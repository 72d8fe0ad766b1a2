"""Which settings of conditional sampling bring our maps of probabilities nearer to a paper's panels, and which don't.

DIR is a folder as `python -m reproduce.panels` takes. Every setting is the paper's but for what its name says, and all
that were tried are listed. The one that agrees best with a panel is judged on the others; on its own panel it is held
against maps of the other classes that were given the same choice. Writes OUT/panel_settings.json and .md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Sequence

import click
import numpy as np
from PIL import Image

from predicdiff.abilities import net_abilities
from predicdiff.cli.options.base import option_field
from predicdiff.cli.options.sampler import channel_order
from predicdiff.cli.options.shared import samples_field, stride_field
from predicdiff.cli.options.values import FOLDER
from predicdiff.cli.outputs import name_of
from predicdiff.errors import SettingsError
from predicdiff.files import written_whole
from predicdiff.images import load_image
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.presets import LIKES, Like
from predicdiff.protocols import Json, Sampler
from predicdiff.samplers.corpus import default_corpus, read_folder
from predicdiff.samplers.gaussian import GaussianSampler
from predicdiff.targets import predicted
from predicdiff.windows import Sides, SidesLike

from . import common
from .panel_folder import Panel, enlarged, read_panels
from .panel_maps import UnitMaps, UnitsJob, units_job
from .panel_nulls import Shown, rank

PAPER, AUTHORS = LIKES["paper"], LIKES["authors"]
#: How the corpus's photographs are brought to the net's size: as the net's images are, cut out of their middle, or as
#: the net's, then made as small as the panel's input and enlarged like it.
VIEWS = ("net", "crop", "small")


@dataclass(frozen=True)
class Variant:
    """One setting: what differs from the paper's.

    Attributes
    ----------
    noise : float
        What the draws' deviations from their mean are multiplied with.
    centred : bool
        Whether the window lies in the middle of its context, or in the context's top left corner.
    """

    name: str
    like: Like = PAPER
    view: str = "net"
    noise: float = 1.0
    centred: bool = True


VARIANTS = (
    Variant("as in the paper"),
    Variant("clipped to 0..255", replace(PAPER, clip=(0.0, 255.0))),
    Variant("clipped to the corpus's range", replace(PAPER, clip="corpus")),
    Variant("each colour by itself", replace(PAPER, channels="independent")),
    Variant("the first colour's covariance for all", replace(PAPER, channels="authors")),
    Variant("l = 12", replace(PAPER, margin=2)),
    Variant("l = 18", replace(PAPER, margin=8)),
    Variant("window in its context's corner", centred=False),
    Variant("corpus not resized", view="crop"),
    Variant("corpus as small as the input", view="small"),
    Variant("draws' deviations halved", noise=0.5),
    Variant("the draws' mean alone", noise=0.0),
    Variant("as the authors", AUTHORS, view="crop"),
    Variant("as the authors, corpus resized", AUTHORS),
    Variant("as the authors, corpus as small as the input", AUTHORS, view="small"),
)


class Cornered(GaussianSampler):
    """A sampler whose windows lie in the top left corner of their contexts, as far as the border allows."""

    def _corners(self, pixels: np.ndarray, origins: np.ndarray, window: Sides) -> np.ndarray:
        return np.minimum(origins, np.array(pixels.shape[1:]) - self.mean.shape[1:])

    @property
    def provenance(self) -> Json:
        """With the contexts' place."""
        return {**super().provenance, "place": "corner"}


class Narrowed:
    """A Gaussian sampler's draws with deviations from their mean that are ``factor`` times as large."""

    def __init__(self, base: GaussianSampler, factor: float) -> None:
        self.base, self.factor, self.context = base, factor, base.context

    @property
    def provenance(self) -> Json:
        """The sampler's, and the factor."""
        return {**self.base.provenance, "deviations": self.factor}

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """As `GaussianSampler.draw`."""
        draws = self.base.draw(pixels, origins, window=window, samples=samples, seed=seed)
        means = [self.base.moments(pixels, (int(row), int(column)), window=window)[0] for row, column in origins]
        middle = np.array(means, np.float32)[:, None]
        return np.asarray(middle + self.factor * (draws - middle), np.float32)


@dataclass(frozen=True)
class Request(common.Basis):
    """How the maps are made."""

    corpus: Path | None = option_field(
        "--corpus", type=FOLDER, help="Photographs that Gaussians are fitted to.  [default: the bundled ones]"
    )
    stride: int = stride_field(default=6)
    samples: int = samples_field(default=2)

    def net(self) -> Any:
        """The one net of the panels: GoogLeNet, unless another is named."""
        if len(self.names) > 1:
            raise SettingsError(f"{len(self.names)} nets were named: want one --net at most.")
        return self.load(self.names[0] if self.names else "googlenet")


@dataclass
class Trial:
    """A panel's net and input, and what every setting makes of them."""

    request: Request
    net: Any
    panel: Panel
    photographs: Callable[[str, int], tuple[np.ndarray, Sequence[str]]]
    pixels: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.pixels = enlarged(load_image(self.panel.input), self.net.input_shape[1:])

    def sampler(self, variant: Variant) -> Sampler:
        """The setting's sampler."""
        images, names = self.photographs(variant.view, min(load_image(self.panel.input).shape[:2]))
        context = self.panel.k + variant.like.margin
        order = channel_order(net_abilities(self.net))
        made: Any = variant.like.sampler(
            "conditional", images, self.pixels, context=context, order=order, names=names, seed=self.request.seed
        )
        if not variant.centred:
            made = Cornered(made.mean, made.covariance, clip=made.clip, jitter=made.jitter, fitted_on=made.fitted_on)
        return made if variant.noise == 1.0 else Narrowed(made, variant.noise)

    def job(self, variant: Variant) -> UnitsJob:
        """Maps of all classes."""
        request, panel = self.request, self.panel
        path = request.out / "panel_settings" / f"{name_of(panel.name, variant.name)}.h5"
        return units_job(
            path, self.net, self.pixels, self.sampler(variant), blob=panel.blob,
            instances=variant.like.training_instances, window=panel.k, stride=request.stride,
            samples=request.samples, seed=request.seed,
        )  # fmt: skip


def photographs(net: Any, corpus: Path | None, seed: int) -> Callable[[str, int], tuple[np.ndarray, Sequence[str]]]:
    """A function from a view (of `VIEWS`) and the panel's input's size to the corpus (m, C, H, W) and its names."""

    @lru_cache(maxsize=2 * len(VIEWS))
    def seen(view: str, size: int) -> tuple[np.ndarray, Sequence[str]]:
        like = AUTHORS if view == "crop" else PAPER
        if corpus is None:
            images, names = default_corpus(net.input_shape, seed=seed)
        else:
            preprocessing = like.preprocessing(net.preprocessing) or Preprocessing()
            images, names, _ = read_folder(corpus, lambda image: preprocessing.pixels(image, net.input_shape))
        return (np.stack([shrunk(image, size) for image in images]) if view == "small" else images), names

    return lambda view, size: seen(view, size if view == "small" else 0)


def shrunk(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pixels (3, H, W) made as small as ``size`` and enlarged again, as a panel's input is."""
    image = np.rint(pixels.clip(0.0, 255.0)).astype(np.uint8).transpose(1, 2, 0)
    small = np.asarray(Image.fromarray(image).resize((size, size), Image.BICUBIC))
    return enlarged(small, (pixels.shape[1], pixels.shape[2]))


def panels_of(net: Any, folder: Path) -> list[Panel]:
    """A folder's conditional panels of a net's probabilities whose class it predicts for their small inputs, too."""
    panels = [
        panel for panel in read_panels(folder)
        if (panel.net, panel.blob, panel.sampler) == (net.name, net.output, "conditional")
        and predicted(net, enlarged(load_image(panel.input), net.input_shape[1:]), panel.blob) == (panel.index,)
    ]  # fmt: skip
    if not panels:
        raise SettingsError(
            f"{folder} has no conditional panel of {net.name}'s {net.output} whose class the net predicts at that size."
        )
    return panels


def judged(panels: Sequence[str], indices: Sequence[int], tables: np.ndarray) -> list[dict[str, Any]]:
    """JSON-able: for each panel the setting that agrees best with it, judged on the other panels.

    Parameters
    ----------
    tables : (panels, settings, T) array
        Correlations of each panel with the maps of all T classes in each setting.
    """
    found = []
    for number, (name, index) in enumerate(zip(panels, indices)):
        known = np.nan_to_num(tables[number], nan=-1.0)
        best = int(known[:, index].argmax())
        others = {
            panels[other]: {"pearson": float(tables[other, best, indices[other]]),
                            **rank(tables[other, best], indices[other])}
            for other in range(len(panels)) if other != number
        }  # fmt: skip
        found.append({"panel": name, "setting": VARIANTS[best].name, "pearson": float(known[best, index]),
                      "with_the_choice": rank(known.max(axis=0), index), "on_others": others})  # fmt: skip
    return found


def report(record: dict[str, Any]) -> str:
    """The table in Markdown, and what was chosen on each panel."""
    panels = record["panels"]
    made = record["made"]
    lines = [
        f"Pearson's correlation of each panel with our map, and the rank of the right class's map among all "
        f"{record['classes']}; stride {made['stride']}, S = {made['samples']}.",
        "",
        "| setting | " + " | ".join(panels) + " |",
        "|---|" + "---|" * len(panels),
    ]
    for row in record["settings"]:
        cells = [f"{row[name]['pearson']:.2f} ({row[name]['rank']})" for name in panels]
        lines.append(f"| {row['setting']} | " + " | ".join(cells) + " |")
    for choice in record["choices"]:
        own = choice["with_the_choice"]
        others = ", ".join(
            f"{name} {one['pearson']:.2f} (rank {one['rank']} of {one['of']})"
            for name, one in choice["on_others"].items()
        )
        lines += [
            "",
            f"Chosen on {choice['panel']}: {choice['setting']}, {choice['pearson']:.2f}, which is rank "
            f"{own['rank']} of {own['of']} where every class is given its best setting. "
            f"On the others: {others or 'there are none'}.",
        ]
    return "\n".join(lines) + "\n"


@click.argument("folder", metavar="DIR", type=FOLDER)
@common.figure(Request)
def main(request: Request, folder: Path) -> None:
    """Make the maps that are not there yet, then the record and the table."""
    net = request.net()
    panels = panels_of(net, folder)
    source = photographs(net, request.corpus, request.seed)
    trials = [Trial(request, net, panel, source) for panel in panels]
    jobs = [trial.job(variant) for variant in VARIANTS for trial in trials]
    maps: list[UnitMaps] = common.work("Settings of panels", jobs)
    shown = [Shown.read(panel) for panel in panels]
    tables = np.array(
        [[one.agreements(maps[row * len(panels) + column]) for row in range(len(VARIANTS))]
         for column, one in enumerate(shown)]
    )  # fmt: skip
    names, indices = [panel.name for panel in panels], [int(panel.index or 0) for panel in panels]
    settings = [
        {"setting": variant.name,
         **{name: {"pearson": float(tables[column, row, index]), **rank(tables[column, row], index)}
            for column, (name, index) in enumerate(zip(names, indices))}}
        for row, variant in enumerate(VARIANTS)
    ]  # fmt: skip
    record = {"made": {"stride": request.stride, "samples": request.samples, "seed": request.seed},
              "panels": names, "classes": tables.shape[2], "settings": settings,
              "choices": judged(names, indices, tables)}  # fmt: skip
    with written_whole(request.out / "panel_settings.json") as part:
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with written_whole(request.out / "panel_settings.md") as part:
        part.write_text(report(record), encoding="utf-8")
    common.say(f"Settings: {request.out / 'panel_settings.json'} and .md")


if __name__ == "__main__":
    main()
