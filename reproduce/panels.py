"""A paper's own panels, cut out and as small as they are, against our maps of the same pictures.

DIR holds panels.json, which lists them. For each panel of a net whose weights are there: the picture that the net saw,
enlarged to its input, explained with the panel's k, l and sampler, in the paper's way (draws are not clipped) and in
that of its authors' later code. Maps of all units of the panel's blob are made at once, so that it can be told where
the right one stands among them. Panels of other nets are listed as not run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import click

from predicdiff.algorithm import versions
from predicdiff.cli.options.base import option_field
from predicdiff.cli.options.shared import samples_field, stride_field
from predicdiff.cli.options.values import FOLDER
from predicdiff.cli.outputs import name_of
from predicdiff.errors import DownloadError, SettingsError, WeightsError
from predicdiff.files import written_whole
from predicdiff.images import load_image
from predicdiff.nets.fetching.weights import fetch_net, status
from predicdiff.nets.zoo import load_net
from predicdiff.presets import LIKES
from predicdiff.targets import predicted
from predicdiff.units import lookup

from . import common
from .panel_folder import Panel, enlarged, read_panels
from .panel_maps import WAYS, Samplers, UnitMaps, UnitsJob, units_job


@dataclass(frozen=True)
class Request(common.Basis):
    """How the maps are made."""

    corpus: Path | None = option_field(
        "--corpus", type=FOLDER, help="Photographs to draw from or to fit on.  [default: the bundled ones]"
    )
    stride: int = stride_field(default=2)
    samples: int = samples_field(default=4)

    def load(self, name: str) -> Any:
        """A net of the manifest keeps its preprocessing and labels, whichever file its weights come from."""
        return load_net(name, engine=self.engine, weights=self.weights)


@dataclass(frozen=True)
class Held:
    """A panel and our map of the same picture, made in one way.

    Attributes
    ----------
    index : int
        The unit or channel that the panel shows; where the panel's list leaves it open, the net's first class.
    """

    panel: Panel
    way: str
    index: int
    maps: UnitMaps
    path: Path


def nets_of(request: Request, panels: Sequence[Panel]) -> tuple[dict[str, Any], dict[str, str]]:
    """Nets by name, and why the panels' others are not there.

    Named nets must be there. Otherwise those of the panels whose weights are there or can be fetched.
    """
    nets: dict[str, Any] = {name: request.load(name) for name in request.names}
    away: dict[str, str] = {}
    unreachable: dict[str, str] = {}
    lacking = {net.name: net.command for net in status() if net.missing}
    for name in dict.fromkeys(panel.net for panel in panels if panel.net not in nets):
        if request.names:
            hint = f"its weights are not there: `{lacking[name]}` brings them" if name in lacking else "not asked for"
            away[name] = f"{hint}."
            continue
        try:
            fetch_net(name, unreachable=unreachable)
            nets[name] = request.load(name)
        except (DownloadError, WeightsError) as error:
            away[name] = str(error).splitlines()[0]
    if not any(panel.net in nets for panel in panels):
        raise SettingsError(
            f"no panel's net is there: the panels are of {', '.join(dict.fromkeys(panel.net for panel in panels))}. "
            "Get one with `predicdiff fetch`, or give its weights: --net googlenet --weights its.caffemodel."
        )
    return nets, away


def check_index(panel: Panel, net: Any) -> None:
    """Refuse a panel of a unit that the net's blob has not."""
    count = lookup(net.blobs, panel.blob)[0]
    if panel.index is not None and not 0 <= panel.index < count:
        raise SettingsError(
            f"{panel.picture} shows channel {panel.index} of blob {panel.blob!r}, which has {count}: "
            f"want 0 to {count - 1}."
        )


def map_path(out: Path, panel: Panel, way: str) -> Path:
    """Where maps are kept; panels that differ in the unit alone share them."""
    words = (panel.input.stem, panel.net, panel.blob, f"k{panel.k}", f"l{panel.l}", panel.sampler, way)
    return out / "panels" / f"{name_of(*words)}.h5"


def jobs_of(
    request: Request, panels: Sequence[Panel], nets: dict[str, Any], samplers: dict[str, Samplers]
) -> dict[Path, UnitsJob]:
    """What is to be made for the panels of nets that are there, by its file."""
    jobs: dict[Path, UnitsJob] = {}
    for panel in panels:
        if panel.net not in nets:
            continue
        net = nets[panel.net]
        check_index(panel, net)
        for way in WAYS:
            path = map_path(request.out, panel, way)
            if path not in jobs:
                pixels = enlarged(load_image(panel.input), net.input_shape[1:])
                sampler = samplers[panel.net].get(way, panel.sampler, panel.l, pixels)
                jobs[path] = units_job(
                    path, net, pixels, sampler, blob=panel.blob, instances=LIKES[way].training_instances,
                    window=panel.k, samples=request.samples, stride=request.stride, seed=request.seed,
                )  # fmt: skip
    return jobs


def held(request: Request, panels: Sequence[Panel], nets: dict[str, Any], maps: dict[Path, UnitMaps]) -> list[Held]:
    """Each panel of a net that is there, with our maps in each way."""
    pairs = []
    for panel in panels:
        for way in WAYS if panel.net in nets else ():
            path = map_path(request.out, panel, way)
            index = panel.index
            if index is None:
                (index,) = predicted(nets[panel.net], maps[path].pixels, panel.blob)
            pairs.append(Held(panel, way, index, maps[path], path))
    return pairs


def facts(one: Held) -> dict[str, Any]:
    """JSON-able: what a panel shows, and how our map was made."""
    panel, identity = one.panel, one.maps.identity
    settings = {name: value for name, value in identity["settings"].items() if name != "units"}
    return {
        "panel": panel.name, "input": panel.input.name, "figure": panel.figure, "net": panel.net, "blob": panel.blob,
        "index": one.index, "sampler": panel.sampler, "way": one.way, "k": panel.k, "l": panel.l,
        "value": float(one.maps.base[one.index]), "maps": f"panels/{one.path.name}",
        "settings": settings, "drawn_by": identity["sampler"], "pixels_sha1": identity["pixels"],
    }  # fmt: skip


@click.argument("folder", metavar="DIR", type=FOLDER)
@common.figure(Request)
def main(request: Request, folder: Path) -> None:
    """Make the maps that are not there yet, then the record."""
    panels = read_panels(folder)
    nets, away = nets_of(request, panels)
    samplers = {name: Samplers.of(net, request.corpus, request.seed) for name, net in nets.items()}
    jobs = jobs_of(request, panels, nets, samplers)
    maps = dict(zip(jobs, common.work("Panels", list(jobs.values()))))
    record = {
        "panels": [facts(one) for one in held(request, panels, nets, maps)],
        "not_run": [{"panel": panel.name, "why": away[panel.net]} for panel in panels if panel.net not in nets],
        "nets": {name: net.provenance for name, net in nets.items()},
        "versions": versions(),
    }
    with written_whole(request.out / "panels.json") as part:
        part.write_text(json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    common.say(f"Panels: {request.out / 'panels.json'}")


if __name__ == "__main__":
    main()
