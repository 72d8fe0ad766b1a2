"""Which maps the comparison with a paper's panels takes, and the files that keep them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from predicdiff.errors import SettingsError
from predicdiff.images import load_image
from predicdiff.judging.random_weights import randomised, weighted_layers
from predicdiff.presets import LIKES
from predicdiff.protocols import Sampler
from predicdiff.samplers.grey import GreyPatch
from predicdiff.targets import predicted
from predicdiff.texts import name_of
from predicdiff.units import lookup

from .folder import Panel, enlarged
from .maps import WAYS, Samplers, UnitMaps, UnitsJob, units_job
from .request import Request


@dataclass
class Orders:
    """Maps to make, each once, by the file that keeps it: panels that differ in the unit alone share them."""

    request: Request
    nets: dict[str, Any]
    samplers: dict[str, Samplers]
    jobs: dict[Path, UnitsJob] = field(default_factory=dict)
    random_nets: dict[str, Any] = field(default_factory=dict)

    def own(self, panel: Panel, way: str) -> Path:
        """Our maps of a panel's picture in a way."""
        path = self._path(panel.input.stem, panel, f"l{panel.l}", panel.sampler, way)
        if path not in self.jobs:
            net, pixels = self.nets[panel.net], self.seen(panel)
            sampler = self.samplers[panel.net].get(way, panel.sampler, panel.l, pixels)
            self.add(path, net, panel, pixels, sampler, instances=LIKES[way].training_instances)
        return path

    def covered(self, panel: Panel) -> Path:
        """Grey occlusion of a panel's picture."""
        path = self._path(panel.input.stem, panel, "occlusion")
        if path not in self.jobs:
            self.add(path, self.nets[panel.net], panel, self.seen(panel), GreyPatch(), samples=1)
        return path

    def random(self, panel: Panel) -> Path:
        """A panel's picture in the paper's way, by the net with all its weights shuffled."""
        path = self._path(panel.input.stem, panel, f"l{panel.l}", panel.sampler, "random")
        if path not in self.jobs:
            net, pixels = self.nets[panel.net], self.seen(panel)
            if panel.net not in self.random_nets:
                shuffled = randomised(net, layers=len(weighted_layers(net)), seed=self.request.seed)
                self.random_nets[panel.net] = shuffled
            sampler = self.samplers[panel.net].get(WAYS[0], panel.sampler, panel.l, pixels)
            self.add(path, self.random_nets[panel.net], panel, pixels, sampler, stride=self.request.null_stride)
        return path

    def photograph(
        self, name: str, panel: Panel, pixels: np.ndarray, original: np.ndarray, size: str, seed: int
    ) -> Path:
        """A photograph's maps in the paper's way; the ``original`` is left out where it is one of the corpus."""
        path = self._path(name, panel, f"l{panel.l}", panel.sampler, size)
        if path not in self.jobs:
            sampler = self.samplers[panel.net].get(WAYS[0], panel.sampler, panel.l, original)
            how = {"stride": self.request.null_stride, "seed": seed}
            self.add(path, self.nets[panel.net], panel, pixels, sampler, **how)
        return path

    def add(self, path: Path, net: Any, panel: Panel, pixels: np.ndarray, sampler: Sampler, **how: Any) -> None:
        """Order maps of all units of the panel's blob, at the request's settings unless ``how`` has others."""
        request = self.request
        usual = {"samples": request.samples, "stride": request.stride, "seed": request.seed}
        self.jobs[path] = units_job(path, net, pixels, sampler, blob=panel.blob, **{**usual, "window": panel.k, **how})

    def seen(self, panel: Panel) -> np.ndarray:
        """What the net sees of a panel's picture: all of it, enlarged."""
        return enlarged(load_image(panel.input), self.nets[panel.net].input_shape[1:])

    def _path(self, picture: str, panel: Panel, *words: str) -> Path:
        return self.request.out / "panels" / f"{name_of(picture, panel.net, panel.blob, f'k{panel.k}', *words)}.h5"


@dataclass(frozen=True, eq=False)
class Held:
    """A panel and our map of the same picture, made in one way.

    Attributes
    ----------
    index : int
        The unit or channel that the panel shows; where the panel's list leaves it open, the net's first class.
    maps, occlusion, random : UnitMaps
        Ours; those by grey occlusion; those by a net with random weights.
    """

    panel: Panel
    way: str
    index: int
    path: Path
    maps: UnitMaps
    occlusion: UnitMaps
    random: UnitMaps

    @property
    def group(self) -> tuple[str, ...]:
        """What panels have in common that show the same unit of other pictures, made in the same way."""
        return (*self.kind, str(self.index))

    @property
    def kind(self) -> tuple[str, ...]:
        """The same for whichever unit."""
        panel = self.panel
        return (panel.net, panel.blob, str(panel.k), str(panel.l), panel.sampler, self.way)


def order_panels(orders: Orders, panels: Sequence[Panel]) -> None:
    """Order all maps of the panels of nets that are there, and refuse what a blob has not; the panels' own first."""
    there = [panel for panel in panels if panel.net in orders.nets]
    for panel in there:
        check_index(panel, orders.nets[panel.net])
    for panel in there:
        for way in WAYS:
            orders.own(panel, way)
    for panel in there:
        orders.covered(panel)
        orders.random(panel)


def held_panels(orders: Orders, panels: Sequence[Panel], maps: dict[Path, UnitMaps]) -> list[Held]:
    """Each panel of a net that is there with our maps, in each way."""
    pairs = []
    for panel in panels:
        for way in WAYS if panel.net in orders.nets else ():
            path = orders.own(panel, way)
            own, occlusion, random = (maps[one] for one in (path, orders.covered(panel), orders.random(panel)))
            index = panel.index
            if index is None:
                (index,) = predicted(orders.nets[panel.net], own.pixels, panel.blob)
            pairs.append(Held(panel, way, index, path, own, occlusion, random))
    return pairs


def check_index(panel: Panel, net: Any) -> None:
    """Refuse a panel of a unit that the net's blob has not, or of a map that is not named."""
    count, *sides = lookup(net.blobs, panel.blob)
    if panel.index is None and sides:
        raise SettingsError(
            f"the entry of {panel.picture} names no map of blob {panel.blob!r}, which has {count}: "
            'want one in its "map". Only of a vector is the highest taken.'
        )
    if panel.index is not None and not 0 <= panel.index < count:
        raise SettingsError(
            f"{panel.picture} shows channel {panel.index} of blob {panel.blob!r}, which has {count}: "
            f"want 0 to {count - 1}."
        )
