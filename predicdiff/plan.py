"""What an analysis is before it runs: settings, windows cut into tiles, targets, the image as it is."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Callable, Sequence, Union

import numpy as np

from . import budget, evidence, windows
from ._version import __version__
from .abilities import NetAbilities, SamplerAbilities, net_abilities, sampler_abilities, settled
from .checks import check_drawn
from .errors import ExplanationError, SamplerError, SettingsError
from .examination import Examined, Trial, check_some, examine, up_to_date
from .explanation import Explanation, Target
from .images import Frame
from .masks import places_of, recorded
from .noise import Draws, Noise
from .protocols import Json, Net, Sampler, Unit
from .readout import Readout, make_readout
from .samplers.hidden import activations_of
from .settings import Settings
from .shapes.labels import find_labels
from .shapes.lattice import Lattice
from .shapes.region import find_region, told
from .shapes.segments import Segments
from .targets import default_blob, see
from .tones import Tones, activation_tones
from .units import lookup

#: Evaluations in a tile, at least; a tile is what a kill can lose.
TILE_EVALUATIONS = 320
#: Batches in a tile of a net that says how long it likes them.
TILE_BATCHES = 32
#: Of the memory that a run may take, what draws get: those of one tile are made while another's are evaluated.
DRAWS_SHARE = 0.1

#: Settings that say what is made of tiles' values.
AFTERWARDS = ("between", "until", "budget")

#: Where windows lie, and of what shape they are.
Shapes = Union[Lattice, Segments]


@dataclass(frozen=True, eq=False)
class Seen:
    """The explained image.

    Attributes
    ----------
    pixels : (C, H, W) float32 array
        What the net sees of it.
    ground : (C, H, W) float array
        What windows lie on: the pixels, or the activations of a hidden blob.
    image : (H, W, 3) uint8 array or None
        The image itself, and ``frame``, where in it the pixels lie.
    """

    pixels: np.ndarray
    ground: np.ndarray
    image: np.ndarray | None
    frame: Frame | None


@dataclass(frozen=True, eq=False)
class Plan:
    """A checked analysis that only lacks a sampler: windows, tiles, targets and what the untouched image gives."""

    net: Net
    abilities: NetAbilities
    settings: Settings
    seen: Seen
    readout: Readout
    shapes: Shapes
    origins: np.ndarray
    notes: tuple[str, ...]

    @property
    def pixels(self) -> np.ndarray:
        """(C, H, W), as the net sees them."""
        return self.seen.pixels

    @property
    def ground(self) -> np.ndarray:
        """(C, H, W): what windows lie on."""
        return self.seen.ground

    @property
    def targets(self) -> list[Target]:
        """What is explained."""
        return self.readout.targets

    @property
    def blob(self) -> str:
        """The observed blob."""
        return self.readout.blob

    @property
    def units(self) -> list[Unit]:
        """The units that are read: the targets' and last the one they are held against."""
        return self.readout.units

    @property
    def record(self) -> Json:
        """JSON-able: the settings, with what the net and the image make of those that were left open."""
        asked, readout = self.settings, self.readout
        return {
            **self.shapes.record, "samples": asked.samples, "seed": asked.seed,
            "blob": readout.blob, "units": [list(target.unit) for target in readout.targets],
            "measure": readout.measure, "against": None if readout.against is None else list(readout.against),
            "training_instances": readout.instances, "classes": readout.classes,
            "start": asked.start, "channels_apart": asked.channels_apart,
            **({"region": list(asked.region)} if asked.region is not None else {}),
            **({"repeat": asked.repeat} if asked.repeat > 1 else {}),
            **({"between": "linear"} if asked.interpolates else {}),
            **({"until": asked.until} if asked.until is not None else {}),
            **({"budget": asked.budget} if asked.budget is not None else {}),
            **({"mask": recorded(asked.mask, readout.places)} if readout.places is not None else {}),
        }  # fmt: skip

    @property
    def draws(self) -> int:
        """Of each window, those that are evaluated."""
        return self.settings.samples

    def tiles(self, evaluations: int = TILE_EVALUATIONS) -> list[slice]:
        """Runs of windows, the units of work, each of about so many evaluations."""
        return self.shapes.tiles(self.origins, max(1, -(-evaluations // self.draws)))

    def batch(self, memory: int, asked: int | None = None) -> int:
        """Inputs evaluated at once: those asked for, or as many as the net likes best and fit into ``memory`` bytes.

        Raises
        ------
        SettingsError
            If the net knows that not even one does.
        """
        if asked is not None:
            return asked
        most = self.abilities.longest_batch
        if self.abilities.bytes_needed is None:
            return int(np.clip(memory // max(1, self.net.bytes_per_input(self.blob)), 1, most))
        start, window = self.settings.start, self.settings.asked_window
        once, each = self.abilities.bytes_needed(self.blob, start=start, window=window)
        once += self.image_bytes
        room = int(memory * (1 - DRAWS_SHARE)) - once
        if room < each:
            least = (once + each) / (1 - DRAWS_SHARE) / 1e9
            raise SettingsError(
                f"memory of {memory / 1e9:.3g} GB is too little for net {self.net.name!r}, whose weights and one input "
                f"take more{' beside the image' * (self.image_bytes > 10**8)}: want at least {least:.2g} GB."
            )
        return int(np.clip(room // each, 1, most))

    @property
    def image_bytes(self) -> int:
        """Bytes of the image itself, which stays for the result."""
        return 0 if self.seen.image is None else self.seen.image.nbytes

    def tile(self, memory: int) -> int:
        """Evaluations in a tile: many batches, if their draws fit into their part of ``memory`` bytes."""
        return max(TILE_EVALUATIONS, min(TILE_BATCHES * self.abilities.preferred_batch, self._room(memory)))

    def check_tile(self, evaluations: int, memory: int) -> None:
        """A SettingsError unless tiles of so many evaluations, as an earlier run has cut them, fit into ``memory``."""
        if evaluations > max(TILE_EVALUATIONS, self._room(memory)):
            least = (evaluations + 1) * self._draw_bytes / DRAWS_SHARE / 1e9
            raise SettingsError(
                f"memory of {memory / 1e9:.3g} GB is too little for the tiles that the interrupted run has cut, of "
                f"{evaluations:,} evaluations each: want at least {least:.2g} GB, or start afresh (`--restart`)."
            )

    def _room(self, memory: int) -> int:
        """Evaluations in a tile whose draws fit into their part of ``memory`` bytes."""
        return int(memory * DRAWS_SHARE / self._draw_bytes)

    @property
    def _draw_bytes(self) -> int:
        """Bytes of a draw: float32, and made ahead."""
        return 8 * len(self.ground) * math.prod(self.settings.sides)

    @property
    def tones(self) -> Tones:
        """What is black, grey and white where windows lie: the net's preprocessing says so, or else the values do."""
        if self.settings.start is not None:
            return activation_tones(self.ground)
        return self.abilities.tones(self.ground)

    def with_sampler(self, sampler: Sampler) -> Analysis:
        """The whole analysis, ready to run, with no more samples than there are.

        The net is tried out on the first draws, and computed otherwise where that is needed for it to answer alike.

        Raises
        ------
        SamplerError
            If it is no sampler, or segments are to be filled by one that draws rectangles alone.
        SettingsError
            If the net does not answer alike however it is asked, or a map is to be refined whose noise is unknown.
        """
        sampler = settled(sampler, self.tones)
        drawing = sampler_abilities(sampler)
        if not self.shapes.rectangular and drawing.fill is None:
            raise SamplerError(
                f"{drawing.name} draws rectangles, as a Gaussian of l x l does, and can't fill a segment: want a "
                "MarginalSampler or a GreyPatch."
            )
        parts = {part.name: getattr(self, part.name) for part in fields(Plan)}
        if drawing.most_draws is not None:
            parts["settings"] = replace(self.settings, samples=min(self.settings.samples, drawing.most_draws))
        analysis = Analysis(**parts, sampler=sampler, drawing=drawing)
        analysis._check_room()
        if analysis.settings.refines:
            _check_told(analysis)
        return analysis.with_net(examine(self.net, analysis.trial()))


@dataclass(frozen=True, eq=False)
class Analysis(Plan):
    """A plan with its sampler, ready to run."""

    sampler: Sampler
    drawing: SamplerAbilities
    alone: bool = False
    varies: bool = False
    skipped: int = 0

    @property
    def draws(self) -> int:
        """Of each window, those that are evaluated: the first ``skipped`` of its stream were before."""
        return self.settings.samples - self.skipped

    def _check_room(self) -> None:
        """Refuse draws of two windows, which the net is tried out on, for which memory has no room, made in float64."""
        samples = self.settings.samples
        wanted = 2.0 * 8 * samples * len(self.ground) * math.prod(self.settings.sides)
        budget.ask(wanted, f"a sample of S = {samples} draws", advice="Want fewer, or more memory (--memory)")

    def with_net(self, examined: Examined) -> Analysis:
        """The same with a net that was tried out, one image at a time if that is needed."""
        net, notes = examined.net, (*self.notes, *examined.notes)
        told: dict[str, Any] = {"alone": examined.alone, "varies": examined.varies, "notes": notes}
        return replace(self, net=net, abilities=net_abilities(net), **told)

    def trial(self) -> Trial:
        """What the net is tried out on: a draw for the first window and one for another, amid the image."""
        some = self.origins[sorted({0, len(self.origins) // 2})]
        settings, seen = self.settings, self.seen
        draws, (corners, _) = self._drawn(some)[:, 0], self.shapes.boxes(some)
        return Trial(seen.pixels, seen.ground, settings.start, self.blob, self.units, corners, draws, settings.repeat)

    def batch(self, memory: int, asked: int | None = None) -> int:
        """As `Plan.batch`; 1 of a net that is to be given one image at a time."""
        return super().batch(memory, 1 if self.alone else asked)

    @property
    def identity(self) -> Json:
        """JSON-able: all that the result depends on, but the machine and the batch size."""
        return self._identity(self.record)

    @property
    def tiles_identity(self) -> Json:
        """JSON-able: all that a tile's values depend on; what is made of them afterwards is left out."""
        settings = {name: value for name, value in self.record.items() if name not in AFTERWARDS}
        return self._identity({**settings, **({"stages": True} if self.settings.refines else {})})

    def _identity(self, settings: Json) -> Json:
        what = {
            "settings": settings,
            "net": self.net.provenance,
            "sampler": self.drawing.identity,
            "pixels": hashlib.sha1(np.ascontiguousarray(self.pixels).tobytes()).hexdigest(),
        }
        plain: Json = json.loads(json.dumps(what))  # as it comes back from a file
        return plain

    def held(self, path: Path, *, so_far: bool = False) -> Explanation | None:
        """What a file holds, if it is what this analysis makes, by the same version of this program; else None.

        With ``so_far`` it may be what a stage of it has made, before the run was interrupted.
        """
        try:
            explanation = Explanation.load(path)
        except ExplanationError:
            return None
        versions = explanation.provenance.get("versions")
        made_by = versions.get("predicdiff") if isinstance(versions, dict) else None
        same = all(explanation.provenance.get(name) == value for name, value in self.identity.items())
        labelled = self.settings.channels_apart or explanation.targets == self.targets  # labels may have changed
        whole = so_far or explanation.provenance.get("finished", True)
        return explanation if same and labelled and whole and made_by == __version__ else None

    @property
    def population(self) -> int | None:
        """Of how many patches the sampler's draws are a choice without repetition; None of infinitely many.

        0 where nothing is left to chance.
        """
        count = self.drawing.population
        return None if count is None else int(count(self.ground))

    @property
    def chosen(self) -> bool:
        """Whether nothing is left to chance though there are other draws: those of a corpus' first images."""
        return self.population == 0 and self.drawing.most_draws is None

    def draw(self, tile: slice) -> np.ndarray:
        """Patches (n, S, C, h, w) for a tile's windows."""
        return self._drawn(self.origins[tile])

    def _drawn(self, origins: np.ndarray) -> np.ndarray:
        (corners, window), masks = self.shapes.boxes(origins), self.shapes.masks(origins)
        draw: Any = self.sampler.draw if masks is None else self.drawing.fill
        keys = {} if masks is None else {"keys": origins}
        patches = np.asarray(draw(self.ground, corners, **self._request(window), **keys), np.float32)
        check_drawn(f"{self.drawing.name}.draw", patches.shape, self._wanted(origins, window), patches)
        if masks is not None:
            untouched = windows.cut(self.ground, corners, window=window)[:, None]
            patches = np.where(masks[:, None, None], patches, untouched).astype(np.float32)
        return patches[:, self.skipped :]

    def sample(self, tile: slice) -> Draws:
        """What `values` takes for a tile: `draw`'s patches, or the noise of which the net makes them itself."""
        make = self.drawing.noise
        made_there = self.abilities.takes_noise and self.shapes.rectangular and not self.settings.channels_apart
        if make is None or not made_there:
            return self.draw(tile)
        origins, window = self.shapes.boxes(self.origins[tile])
        noise = make(self.ground, origins, **self._request(window))
        check_drawn(f"{self.drawing.name}.noise", noise.shape, self._wanted(origins, window), noise.means, noise.normal)
        return noise.later(self.skipped)

    def shapes_kept(self, tile: slice) -> Sequence[tuple[int, ...]]:
        """The shapes of what `outcome` gives."""
        maps = len(self.targets) * (len(self.ground) if self.settings.channels_apart else 1)
        return 2 * [(tile.stop - tile.start, maps)]

    def outcome(self, tile: slice, draws: Draws, batch_size: int) -> tuple[np.ndarray, ...]:
        """What is kept of a tile: its windows' differences (n, T) and their variances, target by target."""
        return self.difference(self.values(tile, draws, batch_size))

    def values(self, tile: slice, draws: Draws, batch_size: int) -> np.ndarray:
        """The units' values (1, n, S, units) for a tile's draws; (C, n, S, units) with each channel taken apart."""
        (origins, window), again = self.shapes.boxes(self.origins[tile]), self._looks_again(tile)
        if not self.settings.channels_apart:
            return self._values(origins, draws, batch_size, again)[None]
        patches = draws.patches() if isinstance(draws, Noise) else draws
        untouched = windows.cut(self.ground, origins, window=window)[:, None]
        by_channel = []
        for channel in range(len(self.ground)):
            one = np.repeat(untouched, patches.shape[1], axis=1)
            one[:, :, channel] = patches[:, :, channel]
            by_channel.append(self._values(origins, one, batch_size, again))
        return np.stack(by_channel)

    def difference(self, values: np.ndarray) -> evidence.Difference:
        """Differences (n, T) from `values`; NaN where a net gives no number. Of channels apart (n, T C)."""
        values = np.where(np.isfinite(values), values, np.nan)
        population = self.population
        sampled = 0.0 if population is None else values.shape[2] / max(1, population)
        each = [self.readout.difference(channel, sampled=sampled) for channel in values]
        value, variance = (np.stack(parts, axis=2).reshape(values.shape[1], -1) for parts in zip(*each))
        return evidence.Difference(value, variance)

    def _values(self, origins: np.ndarray, draws: Draws, batch_size: int, again: bool) -> np.ndarray:
        start = self.settings.start
        hidden = {} if start is None else {"start": start}
        # a net that says so takes noise and hidden starts too, beyond `protocols.Net`
        evaluate: Callable[..., np.ndarray] = self.net.evaluate
        asked = {"blob": self.blob, "units": self.units, "batch_size": batch_size, **hidden}
        values = evaluate(self.pixels, origins, draws, **asked)
        if again:
            check_some(self.net, self.pixels, self.blob, self.units, self.readout.base, origins, draws, values)
        for _ in range(self.settings.repeat - 1):
            values = values + evaluate(self.pixels, origins, draws, **asked)
        return values / self.settings.repeat

    @property
    def steady(self) -> bool:
        """Whether the net is held to one answer each time."""
        return self.settings.repeat == 1 and not self.varies

    def _looks_again(self, tile: slice) -> bool:
        """Whether the net is asked again for some of a tile: always where that takes no time beside the tile itself.

        Of a net that computes only what changes, in tiles that lie twice as far apart each time.
        """
        number = tile.start // max(1, tile.stop - tile.start)
        often = not self.abilities.incremental or number & (number - 1) == 0
        return often and self.steady and self.settings.start is None

    def _request(self, window: windows.Sides) -> dict[str, Any]:
        return {"window": windows.as_asked(window), "samples": self.settings.samples, "seed": self.settings.seed}

    def _wanted(self, origins: np.ndarray, window: windows.Sides) -> tuple[int, ...]:
        return (len(origins), self.settings.samples, len(self.ground), *window)


def _check_told(analysis: Analysis) -> None:
    """Refuse to refine until a map is reliable whose draws do not tell how reliable it is."""
    if analysis.chosen:
        raise SettingsError(
            f"how reliable a map is can't be told from draws of {analysis.drawing.name} that are always the same ones: "
            "leave out until and budget."
        )
    if analysis.settings.samples < 2 and analysis.population != 0:
        raise SettingsError("how reliable a map is can't be told from one draw a window: want samples S of 2 or more.")


def make_plan(net: Net, image: np.ndarray, settings: Settings) -> Plan:
    """Check everything but the sampler, and evaluate the untouched image.

    Raises
    ------
    PredicdiffError
        One of its kinds, if something does not fit.
    """
    current = up_to_date(net)
    net, abilities = current.net, net_abilities(current.net)
    pixels, image_kept, frame = see(net, abilities, image)
    blob = settings.blob or default_blob(net)
    ground = pixels
    if settings.start is not None:
        if abilities.check_downstream is None:
            raise SettingsError(f"net {net.name!r} has no way in at a hidden blob: leave out start={settings.start!r}.")
        abilities.check_downstream(settings.start, blob)
        ground = activations_of(net, pixels[None], settings.start)[0]
    seen = Seen(pixels, ground, image_kept, frame)
    shapes = _shapes(seen, settings, abilities)
    settings = replace(settings, window=shapes.window, stride=shapes.steps)
    origins = shapes.origins  # what does not fit, before the net is asked
    readout = make_readout(net, abilities, pixels, blob, settings, _places(seen, net, abilities, blob, settings.mask))
    notes = (*current.notes, *_place_notes(net, settings))
    return Plan(net, abilities, settings, seen, readout, shapes, origins, notes)


def _shapes(seen: Seen, settings: Settings, abilities: NetAbilities) -> Shapes:
    """Where windows lie on what is seen, and of what shape they are."""
    shape, size, segments = seen.ground.shape[-2:], seen.pixels.shape[-2:], settings.segments
    least = settings.window if segments is None else 1
    region = find_region(settings.region, frame=seen.frame, seen=size, ground=shape, window=least)
    if segments is not None:
        tones = abilities.tones(seen.pixels)
        return Segments(find_labels(segments, pixels=seen.pixels, tones=tones, frame=seen.frame, ground=shape), region)
    window, gaps = windows.spanned(settings.window, region.size), settings.refines or settings.between == "linear"
    return Lattice(shape, region, window, settings.strides, gaps)


def _places(seen: Seen, net: Net, abilities: NetAbilities, blob: str, mask: Any) -> np.ndarray | None:
    """Where in a blob's maps a mask's places are; None without one."""
    if mask is None:
        return None
    if not abilities.takes_masks:
        raise SettingsError(f"net {net.name!r} does not average over the places of a mask: leave out mask.")
    return places_of(mask, lookup(net.blobs, blob), blob, seen.pixels.shape[1:], seen.frame)


def _place_notes(net: Net, settings: Settings) -> list[str]:
    """What a map's places are, where they are not simply the picture's."""
    notes = []
    if settings.region is not None:
        notes.append(
            f"Windows lie within the region {told(settings.region)} of the picture alone: elsewhere the map is NaN."
        )
    if settings.start is not None and len(lookup(net.blobs, settings.start)) == 2:
        notes.append(f"The map's rows are the tokens of {settings.start}, in their order, and not rows of the picture.")
    return notes
