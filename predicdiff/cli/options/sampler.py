"""What stands in the place of a window: a sampler, from its options."""

from __future__ import annotations

import math
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator

import numpy as np

from ...abilities import NetAbilities, sampler_abilities
from ...errors import InputWarning, SamplerError, SettingsError, warn
from ...image_files import Intensity
from ...nets.preprocessing import ORDERS
from ...presets import OURS, Like
from ...protocols import Net, Sampler
from ...samplers import registry
from ...samplers.corpus import default_corpus, read_folder
from ...samplers.hidden import hidden_sampler
from ...samplers.registry import Recipe
from ...units import as_map, lookup
from ...windows import SidesLike, WindowLike, contexts, spanned, told, usual_context
from .base import Options, option_field
from .values import FOLDER, SAMPLER

#: Values of a Gaussian above which fitting it is slow; a context of 14 x 14 in three colours has 588.
LARGE = 6000
KINDS = "; ".join(f"{name}: {registry.find(name).meaning}" for name in registry.names())
SMALLER = "a smaller window or context (-k, -l), or --sampler marginal."


@dataclass(frozen=True)
class SamplerChoice(Options):
    """The options that say what else could have stood in a window."""

    heading = "What else could stand in a window"

    sampler: str = option_field(
        "--sampler",
        type=SAMPLER,
        default=registry.names()[0],
        help=f"{KINDS}; or a saved sampler.",
    )
    corpus: Path | None = option_field(
        "--corpus",
        type=FOLDER,
        help="Images to draw from or to fit on.  [default: scikit-image's photographs, several crops of each]",
    )

    @property
    def name(self) -> str:
        """For file names."""
        return Path(self.sampler).stem if self.is_file else self.sampler

    @property
    def is_file(self) -> bool:
        """Whether a fitted sampler is to be loaded."""
        return self.sampler not in registry.names()

    def make(
        self,
        net: Net,
        abilities: NetAbilities,
        image: np.ndarray | None,
        *,
        window: SidesLike,
        context: WindowLike | None,
        seed: int,
        start: str | None = None,
        like: Like | None = None,
        intensity: Intensity = None,
    ) -> Sampler:
        """The sampler: loaded, or made of the corpus without the explained image, or for many images of all of it.

        The ``context`` is by default k + 4, or all of a side that is shorter.
        With a ``start`` it draws that blob's activations; with a ``like`` it is made as there. ``intensity`` says what
        is black and white in the corpus' files.
        """
        ground = net.input_shape if start is None else as_map(lookup(net.blobs, start))
        around = None if context is None else spanned(context, ground[1:], what="context l")
        if self.is_file:
            return self._load(ground, window, around)
        kind = registry.find(self.sampler)
        if self.corpus is not None and not kind.takes_corpus:
            raise SettingsError(f"--corpus {self.corpus} with the sampler {kind.name}, which takes none: leave it out.")
        if around is not None and not kind.takes_context:
            raise SettingsError(
                f"--context {told(around)} is the conditional sampler's: leave it out with {kind.name}."
            )
        if kind.takes_context:
            around = usual_context(window, ground[1:]) if around is None else around
            _check_context(ground, window, around)
            _check_size(ground[0] * math.prod(around), around)
        like = like or OURS
        if kind.takes_corpus:
            like.check_explained(image)
        images, names = self._images(net, image, seed, intensity)
        pixels = None if image is None else net.view(image)
        with _fitting(around):
            if start is None:
                return like.sampler(
                    kind.name, images, pixels,
                    context=around, order=channel_order(abilities), names=names, seed=seed,
                )  # fmt: skip
            images, names = like.corpus(images, pixels, names)
            return hidden_sampler(net, images, start, kind, Recipe(around, seed=seed, names=names))

    def check_samples(self, sampler: Sampler, samples: int | None) -> None:
        """Refuse a number of draws, where one was given, of a sampler that draws nothing."""
        if samples is not None and sampler_abilities(sampler).most_draws == 1:
            raise SettingsError(f"--sampler {self.sampler} draws nothing: leave out -S.")

    def check_idle(self, context: WindowLike | None, samples: int | None) -> None:
        """Refuse what says how draws are made where none are."""
        options = {"--sampler": self.sampler != registry.names()[0], "--corpus": self.corpus, "-l": context}
        idle = [name for name, value in {**options, "-S": samples}.items() if value]
        if idle:
            raise SettingsError(f"--method occlusion draws nothing: leave out {' and '.join(idle)}.")

    def _load(self, ground: tuple[int, int, int], window: SidesLike, context: SidesLike | None) -> Sampler:
        if self.corpus is not None:
            raise SettingsError(
                f"--corpus {self.corpus} with the sampler {self.sampler}, which is fitted: leave one out."
            )
        sampler = registry.load_sampler(self.sampler)
        fitted_with = "no context" if sampler.context is None else told(sampler.context)
        if context is not None and told(context) != fitted_with:
            raise SettingsError(
                f"--context {told(context)}, but {self.sampler} was fitted with {fitted_with}: leave --context out."
            )
        if sampler.context is not None:
            _check_context(ground, window, sampler.context)
        return sampler

    def _images(self, net: Net, image: np.ndarray | None, seed: int, intensity: Intensity) -> tuple[np.ndarray, Any]:
        if not registry.find(self.sampler).takes_corpus:
            return np.empty((0, *net.input_shape), np.float32), None
        if self.corpus is None:
            return default_corpus(net.input_shape, exclude=image, seed=seed)
        images, names, _ = read_folder(self.corpus, net.view, intensity=intensity)
        return images, names


def channel_order(abilities: NetAbilities) -> str:
    """The order of the colours in a net's input; that of pixels where it has no preprocessing."""
    preprocessing = abilities.preprocessing
    return ORDERS[0] if preprocessing is None else str(preprocessing.channels)


def _check_context(ground: tuple[int, int, int], window: SidesLike, context: SidesLike) -> None:
    contexts(np.zeros((1, 2), int), ground[1:], window=window, context=context)


@contextmanager
def _fitting(context: SidesLike | None) -> Iterator[None]:
    """Say what is too large where a Gaussian does not fit into memory."""
    try:
        yield
    except MemoryError as error:
        if context is None:
            raise
        raise SamplerError(
            f"memory ran out while a Gaussian with context l = {told(context)} was fitted: take {SMALLER}"
        ) from error


def _check_size(values: int, context: SidesLike) -> None:
    """Fitting takes the cube of the number of values in time, and about four matrices of them in memory."""
    needed, there = 32 * values**2, _physical_memory()
    takes = f"context l = {told(context)} makes a Gaussian of {values} values, which takes about {needed / 1e9:.1f} GB"
    if there is not None and needed > there:
        raise SamplerError(f"{takes}, and this machine has {there / 1e9:.1f} GB: want {SMALLER}")
    if values > LARGE:
        warn(
            f"{takes} and minutes or more to fit. A smaller window (-k, -l) does not, nor does --sampler marginal.",
            InputWarning,
        )


def _physical_memory() -> int | None:
    """Bytes; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
