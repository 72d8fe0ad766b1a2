"""Which settings of conditional sampling bring our maps of probabilities nearer to a paper's panels, and which don't.

DIR is a folder as `python -m reproduce.panels` takes. Every setting is the paper's but for what its name says, and all
that were tried are listed. The one that agrees best with a panel is judged on the others; on its own panel it is held
against maps of the other classes that were given the same choice. Writes OUT/panel_settings.json and .md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Sequence

import click
import numpy as np
from PIL import Image, ImageFilter

from predicdiff.abilities import net_abilities
from predicdiff.cli.options.sampler import channel_order
from predicdiff.cli.options.shared import samples_field, stride_field
from predicdiff.cli.options.values import FOLDER
from predicdiff.errors import SettingsError
from predicdiff.images import load_image
from predicdiff.protocols import Sampler
from predicdiff.targets import predicted
from predicdiff.texts import name_of

from .. import common
from .folder import Panel, enlarged, read_panels
from .maps import Corpus, UnitMaps, UnitsJob, units_job
from .nulls import Shown, rank
from .request import MapsRequest
from .variants import AUTHORS, ENLARGEMENTS, PAPER, VARIANTS, VIEWS, Cornered, Narrowed, Variant


@dataclass(frozen=True)
class Request(MapsRequest):
    """How the maps are made: more coarsely, for they are many."""

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

    def pixels(self, variant: Variant) -> np.ndarray:
        """What the net sees, (C, H, W)."""
        height, width = self.net.input_shape[1:]
        large = Image.fromarray(load_image(self.panel.input)).resize((width, height), ENLARGEMENTS[variant.enlargement])
        if variant.enlargement == "sharpened":
            large = large.filter(ImageFilter.UnsharpMask(radius=2, percent=200, threshold=0))
        return np.asarray(large, np.float32).transpose(2, 0, 1).copy()

    def sampler(self, variant: Variant) -> Sampler:
        """The setting's sampler."""
        images, names = self.photographs(variant.view, min(load_image(self.panel.input).shape[:2]))
        made: Any = variant.like.sampler(
            "conditional", images, self.pixels(variant), context=self.window(variant) + variant.like.margin,
            order=channel_order(net_abilities(self.net)), names=names, seed=self.request.seed,
        )  # fmt: skip
        if not variant.centred:
            made = Cornered(made.mean, made.covariance, clip=made.clip, jitter=made.jitter, fitted_on=made.fitted_on)
        return made if variant.noise == 1.0 else Narrowed(made, variant.noise)

    def window(self, variant: Variant) -> int:
        """k."""
        return self.panel.k if variant.window is None else variant.window

    def job(self, variant: Variant) -> UnitsJob:
        """Maps of all classes."""
        request, panel = self.request, self.panel
        path = request.out / "panel_settings" / f"{name_of(panel.name, variant.name)}.h5"
        return units_job(
            path, self.net, self.pixels(variant), self.sampler(variant),
            blob=self.net.scores if variant.scores else panel.blob, instances=variant.like.training_instances,
            window=self.window(variant), stride=request.stride, samples=request.samples,
            seed=request.seed + variant.seed,
        )  # fmt: skip


def corpora(net: Any, corpus: Path | None, seed: int) -> Callable[[str, int], tuple[np.ndarray, Sequence[str]]]:
    """A function from a view (of `VIEWS`) and the panel's input's size to the corpus (m, C, H, W) and its names."""

    @lru_cache(maxsize=2 * len(VIEWS))
    def seen(view: str, size: int) -> tuple[np.ndarray, Sequence[str]]:
        images, names = Corpus.of(net, corpus, AUTHORS if view == "crop" else PAPER, seed)
        return (np.stack([coarse(image, size) for image in images]) if view == "small" else images), names

    return lambda view, size: seen(view, size if view == "small" else 0)


def coarse(pixels: np.ndarray, size: int) -> np.ndarray:
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
@common.figure(Request, "panel_settings.json", "panel_settings.md")
def main(request: Request, folder: Path) -> None:
    """Make the maps that are not there yet, then the record and the table."""
    net = request.net()
    panels = panels_of(net, folder)
    source = corpora(net, request.corpus, request.seed)
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
    common.write_json(request.out / "panel_settings.json", common.plain(record))
    common.write_markdown(request.out / "panel_settings.md", report(record))
    common.say(f"Settings: {request.out / 'panel_settings.json'} and .md")


if __name__ == "__main__":
    main()
