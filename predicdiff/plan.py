"""What an analysis is before it runs: settings, windows cut into tiles, targets, the image as it is."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from dataclasses import dataclass, replace
from typing import Any, Sequence, Union

import numpy as np

from . import evidence, windows
from .errors import OutOfMemoryError, SamplerError, SettingsError
from .explanation import Target
from .images import Frame
from .noise import Noise, noise_of
from .protocols import Net, Sampler, Unit, UnitLike
from .samplers.hidden import activations_of
from .samplers.streams import check_seed
from .targets import resolve, see
from .units import check_unit, lookup, read, whole

#: Evaluations in a tile, at least, and the longest batch of a net that asks for none; a tile is what a kill can lose.
TILE_EVALUATIONS = 320
#: Batches in a tile of a net that says how long it likes them.
TILE_BATCHES = 32
#: Of the memory that a run may take, what draws get: those of one tile are made while another's are evaluated.
DRAWS_SHARE = 0.1

#: What is set in at a tile's windows: patches (n, S, C, h, w), or what a net makes them of.
Draws = Union[np.ndarray, Noise]

#: Evaluations from which a run's time is projected, or about one batch of a net that likes longer ones.
PROBE = 64

#: Bytes that a run may take by default: what the paper's machine had.
MEMORY = 4 * 10**9


@dataclass(frozen=True)
class Quality:
    """A preset: how densely windows lie and how many samples each takes."""

    stride: int
    samples: int


#: What `--quality` names. "paper" is the paper's own setting; the README says what the others are worth.
QUALITIES = {"preview": Quality(4, 2), "standard": Quality(2, 2), "paper": Quality(1, 20)}


@dataclass(frozen=True)
class Plan:
    """A checked analysis, ready to run: windows, tiles, targets and what the untouched image gives."""

    net: Net
    sampler: Sampler
    pixels: np.ndarray
    origins: np.ndarray
    targets: list[Target]
    base: np.ndarray
    measure: str
    window: windows.Sides
    samples: int
    stride: int
    seed: int
    instances: int
    classes: int
    against: Unit | None
    image: np.ndarray | None
    frame: Frame | None
    start: str | None
    ground: np.ndarray
    apart: bool

    @property
    def blob(self) -> str:
        """The observed blob."""
        return self.targets[0].blob

    @property
    def units(self) -> list[Unit]:
        """The units that are read: the targets' and last the one they are held against."""
        return [tuple(target.unit) for target in self.targets] + ([] if self.against is None else [self.against])

    def tiles(self, evaluations: int = TILE_EVALUATIONS) -> list[slice]:
        """Runs of windows, the units of work, each of about so many evaluations."""
        return windows.tiles(len(self.origins), max(1, -(-evaluations // self.samples)))

    @property
    def asked_window(self) -> Any:
        """The window as samplers and nets of others take it: one number where it is square."""
        return windows.as_asked(self.window)

    @property
    def settings(self) -> dict[str, Any]:
        """JSON-able: what was asked."""
        return {
            "window": windows.recorded(self.window), "samples": self.samples, "stride": self.stride, "seed": self.seed,
            "blob": self.blob,
            "units": [list(target.unit) for target in self.targets], "measure": self.measure,
            "against": None if self.against is None else list(self.against),
            "training_instances": self.instances, "classes": self.classes,
            "start": self.start, "channels_apart": self.apart,
        }  # fmt: skip

    @property
    def identity(self) -> dict[str, Any]:
        """JSON-able: all that the values depend on, but the machine and the batch size."""
        what = {
            "settings": self.settings,
            "net": self.net.provenance,
            "sampler": getattr(self.sampler, "provenance", type(self.sampler).__name__),
            "pixels": hashlib.sha1(np.ascontiguousarray(self.pixels).tobytes()).hexdigest(),
        }
        plain: dict[str, Any] = json.loads(json.dumps(what))  # as it comes back from a file
        return plain

    @property
    def population(self) -> int | None:
        """Of how many patches the sampler's draws are a choice without repetition; None of infinitely many.

        0 where nothing is left to chance.
        """
        count = getattr(self.sampler, "population", None)
        return None if count is None else int(count(self.ground))

    def batch(self, memory: int) -> int:
        """Inputs evaluated at once: as many as the net likes best, if they fit into ``memory`` bytes.

        Raises
        ------
        SettingsError
            If the net knows that not even one does.
        """
        most = getattr(self.net, "preferred_batch", TILE_EVALUATIONS)
        needed = getattr(self.net, "bytes_needed", None)
        if needed is None:
            return int(np.clip(memory // max(1, self.net.bytes_per_input(self.blob)), 1, most))
        fixed, each = needed(self.blob, start=self.start, window=self.asked_window)
        room = int(memory * (1 - DRAWS_SHARE)) - fixed
        if room < each:
            least = (fixed + each) / (1 - DRAWS_SHARE) / 1e9
            raise SettingsError(
                f"memory of {memory / 1e9:.3g} GB is too little for net {self.net.name!r}, whose weights and one input "
                f"take more: want at least {least:.2g} GB."
            )
        return int(np.clip(room // each, 1, most))

    def tile(self, memory: int) -> int:
        """Evaluations in a tile: many batches, if their draws fit into their part of ``memory`` bytes."""
        liked = TILE_BATCHES * getattr(self.net, "preferred_batch", 0)
        room = memory * DRAWS_SHARE / (8 * len(self.ground) * math.prod(self.window))  # float32, and made ahead
        return max(TILE_EVALUATIONS, int(min(liked, room)))

    def draw(self, tile: slice) -> np.ndarray:
        """Patches (n, S, C, h, w) for a tile's windows."""
        origins = self.origins[tile]
        draws = self.sampler.draw(self.ground, origins, window=self.asked_window, samples=self.samples, seed=self.seed)
        patches = np.asarray(draws, np.float32)
        self._check("draw", patches.shape, len(origins), patches)
        return patches

    def sample(self, tile: slice) -> Draws:
        """What `evaluate` takes for a tile: `draw`'s patches, or the noise of which the net makes them itself."""
        make = noise_of(self.sampler)
        if make is None or self.apart or not getattr(self.net, "takes_noise", False):
            return self.draw(tile)
        origins = self.origins[tile]
        noise: Noise = make(self.ground, origins, window=self.asked_window, samples=self.samples, seed=self.seed)
        self._check("noise", noise.shape, len(origins), noise.means, noise.normal)
        return noise

    def evaluate(self, tile: slice, patches: Draws, batch_size: int) -> evidence.Difference:
        """Differences (n, T) of a tile's windows for these draws; of channels apart (n, T C), target by target."""
        origins = self.origins[tile]
        if not self.apart:
            return self.difference(self._values(origins, patches, batch_size))
        patches = patches.patches() if isinstance(patches, Noise) else patches
        whole = windows.cut(self.ground, origins, window=self.window)[:, None]
        found = []
        for channel in range(len(self.ground)):
            one = np.repeat(whole, patches.shape[1], axis=1)
            one[:, :, channel] = patches[:, :, channel]
            found.append(self.difference(self._values(origins, one, batch_size)))
        value, variance = (np.stack(parts, axis=2).reshape(len(origins), -1) for parts in zip(*found))
        return evidence.Difference(value, variance)

    def _values(self, origins: np.ndarray, patches: Any, batch_size: int) -> np.ndarray:
        hidden: dict[str, Any] = {} if self.start is None else {"start": self.start}
        return self.net.evaluate(
            self.pixels, origins, patches, blob=self.blob, units=self.units, batch_size=batch_size, **hidden
        )

    def difference(self, values: np.ndarray) -> evidence.Difference:
        """Differences (n, T) from values (n, S, units)."""
        population = self.population
        sampled = 0.0 if population is None else values.shape[1] / max(1, population)
        if self.measure == "activation":
            if self.against is None:
                return evidence.activation_difference(self.base, values, sampled=sampled)
            gaps = values[..., :-1] - values[..., -1:]
            return evidence.activation_difference(self.base[:-1] - self.base[-1:], gaps, sampled=sampled)
        scale: dict[str, Any] = {"instances": self.instances, "classes": self.classes, "sampled": sampled}
        if self.against is None:
            return evidence.weight_of_evidence(self.base, values, **scale)
        base, draws = (self.base[:-1], self.base[-1:]), (values[..., :-1], values[..., -1:])
        return evidence.evidence_against(*base, *draws, **scale)

    def _check(self, method: str, shape: tuple[int, ...], count: int, *arrays: np.ndarray) -> None:
        rest, name = (len(self.ground), *self.window), type(self.sampler).__name__
        if shape[:1] + shape[2:] != (count, *rest) or not 1 <= shape[1] <= self.samples:
            raise SamplerError(
                f"{name}.{method} gave an array {shape}: want "
                f"({count}, 1 to {self.samples}, {', '.join(map(str, rest))}) for windows, samples, channels, rows, "
                "columns."
            )
        if not all(np.isfinite(array).all() for array in arrays):
            raise SamplerError(f"{name}.{method} gave NaN or infinity: want finite numbers.")


def make_plan(
    net: Net,
    image: np.ndarray,
    sampler: Sampler,
    *,
    window: windows.SidesLike,
    samples: int,
    stride: int,
    blob: str | None = None,
    units: Sequence[UnitLike] | None = None,
    channels: Sequence[int] | None = None,
    top: int | None = None,
    against: int | None = None,
    measure: str | None = None,
    seed: int = 0,
    training_instances: int | None = None,
    start: str | None = None,
    channels_apart: bool = False,
) -> Plan:
    """Check everything and evaluate the untouched image; parameters as for `explain`."""
    lengths, samples, stride = windows.sides(window), whole("samples S", samples), whole("stride", stride)
    if samples < 1:
        raise SettingsError(f"samples S = {samples}: want at least 1.")
    seed = check_seed(seed)
    pixels, original, frame = see(net, image)
    blob = blob or net.output or net.scores or list(net.blobs)[-1]
    shape = lookup(net.blobs, blob)
    measure = _measure(net, blob, measure)
    ground = _ground(net, pixels, start, blob)
    origins = windows.grid(ground.shape[-2:], window=lengths, stride=stride)
    values = net.forward(net.encode(pixels)[None], [blob])[blob]
    targets = resolve(net, values[0], blob=blob, units=units, channels=channels, top=top, against=against)
    other = None if against is None else check_unit(shape, against, blob=blob)
    asked = [tuple(target.unit) for target in targets] + ([] if other is None else [other])
    instances = whole(
        "training_instances N", net.training_instances if training_instances is None else training_instances
    )
    classes = getattr(net, "outcomes", None) or shape[0]
    if measure == "evidence":
        _check_probabilities(values[0], blob, instances, classes)
    return Plan(
        net, sampler, pixels, origins, targets, read(values, asked)[0], measure, lengths, samples, stride, seed,
        instances, classes, other, original, frame, start, ground, channels_apart,
    )  # fmt: skip


def _ground(net: Net, pixels: np.ndarray, start: str | None, blob: str) -> np.ndarray:
    """What windows lie on: the pixels, or activations (C, H, W) of a hidden blob that ``blob`` sees."""
    if start is None:
        return pixels
    check = getattr(net, "check_downstream", None)
    if check is None:
        raise SettingsError(f"net {net.name!r} has no way in at a hidden blob: leave out start={start!r}.")
    check(start, blob)
    return activations_of(net, pixels[None], start)[0]


def _measure(net: Net, blob: str, measure: str | None) -> str:
    probabilities = blob == net.output
    if measure not in (None, "evidence", "activation"):
        raise SettingsError(f"measure {measure!r} is unknown: want evidence or activation.")
    if measure == "evidence" and not probabilities:
        where = f"{net.output!r}" if net.output else "a blob of probabilities, which this net lacks"
        raise SettingsError(
            f"weight of evidence was asked of blob {blob!r}, which holds no probabilities: want {where}."
        )
    return measure or ("evidence" if probabilities else "activation")


def _check_probabilities(values: np.ndarray, blob: str, instances: int, classes: int) -> None:
    """Refuse what a net calls probabilities and is none: their log-odds would be NaN, or worse, a number."""
    corrected = evidence.laplace(values, instances=instances, classes=classes)
    if not (corrected.min() > 0 and corrected.max() < 1):
        raise SettingsError(
            f"weight of evidence was asked of blob {blob!r}, which holds values from {values.min():.4g} to "
            f"{values.max():.4g}: want probabilities. Give measure='activation', or load the net with what it ends in."
        )


def evaluate_tile(plan: Plan, tile: slice, batch: int, patches: Draws | None = None) -> tuple[evidence.Difference, int]:
    """Evaluate a tile, with half the batch each time that memory runs out; ``patches`` may have been drawn before."""
    while True:
        try:
            patches = plan.sample(tile) if patches is None else patches
            return plan.evaluate(tile, patches, batch), batch
        except (OutOfMemoryError, MemoryError):
            if batch == 1:
                raise OutOfMemoryError(
                    "memory ran out with a single image in the batch: free some, or use a smaller net."
                ) from None
            batch = max(1, batch // 2)


def precision_gap(plan: Plan, batch: int, *, count: int = 16) -> tuple[float, float]:
    """What a net's precision changes: the largest difference from float32 in windows' relevance, and the largest of it.

    Measured on ``count`` windows spread over the image, with the same draws, in batches of ``batch``.
    """
    origins = plan.origins[:: max(1, len(plan.origins) // count)][:count]
    probe, exact = replace(plan, origins=origins), copy.copy(plan.net)
    exact.precision = "float32"  # type: ignore[attr-defined]
    base = read(exact.forward(exact.encode(plan.pixels)[None], [plan.blob])[plan.blob], plan.units)[0]
    whole = slice(0, len(origins))
    patches = probe.sample(whole)
    found, batch = evaluate_tile(probe, whole, batch, patches)
    reference, _ = evaluate_tile(replace(probe, net=exact, base=base), whole, batch, patches)
    return float(np.abs(found.value - reference.value).max()), float(np.abs(reference.value).max())


def seconds_needed(plan: Plan, *, memory: int = MEMORY, batch_size: int | None = None) -> float:
    """Projected seconds of a run on this machine, from evaluating part of one tile.

    What a call takes once, such as the pass of the untouched image, is left out, as far as two sizes tell it apart.
    """
    batch = plan.batch(memory) if batch_size is None else batch_size
    liked = getattr(plan.net, "preferred_batch", 0)
    count = max(1, min(len(plan.origins), -(-2 * batch // plan.samples), max(PROBE, liked) // plan.samples + 1))
    probe = replace(plan, origins=plan.origins[:: max(1, len(plan.origins) // count)][:count])
    whole = slice(0, len(probe.origins))
    # first calls set things up: on a GPU for each size of a batch anew
    evaluate_tile(probe, whole if liked > PROBE else slice(0, 1), batch)
    each = _seconds(probe, whole, batch) / len(probe.origins)
    if len(probe.origins) > 1:
        more = len(probe.origins) * each - _seconds(probe, slice(0, 1), batch)
        each = max(more / (len(probe.origins) - 1), each / 4)  # where the clock is disturbed, nothing absurd
    return each * len(plan.origins)


def _seconds(plan: Plan, tile: slice, batch: int) -> float:
    started = time.perf_counter()
    evaluate_tile(plan, tile, batch)
    return time.perf_counter() - started
