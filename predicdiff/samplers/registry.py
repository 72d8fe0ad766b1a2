"""The kinds of samplers, by name: a file and a line for each; and whatever sampler a file holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Sequence

import numpy as np

from ..errors import SamplerError, SettingsError
from ..files import Kind, as_path, read_any
from ..noise import Limits
from ..windows import SidesLike
from .gaussian import GaussianSampler
from .grey import GreyPatch
from .marginal import MarginalSampler
from .saved import SavedSampler

ANY = Kind("sampler", 1, GaussianSampler.file.command, SamplerError)


@dataclass(frozen=True)
class Recipe:
    """How a sampler is made of a corpus; a kind takes what concerns it.

    Attributes
    ----------
    context, patches, channels, first, clip
        As for `GaussianSampler.fit`.
    choice : str
        As for `MarginalSampler`.
    seed : int
    names : sequence of str, optional
        Where the corpus' images come from.
    """

    context: SidesLike | None = None
    patches: int = 25_000
    channels: str = "joint"
    first: int = 0
    clip: Limits | str = (0.0, 255.0)
    choice: str = "random"
    seed: int = 0
    names: Sequence[str] | None = None


@dataclass(frozen=True)
class SamplerKind:
    """What is to be known of a kind of sampler.

    Attributes
    ----------
    name : str
        What ``--sampler`` calls it, and names of files.
    caption : str
        What figures call it.
    meaning : str
        What it puts into a window, for help texts.
    sampler : type
        Its class; ``file.noun`` must be "<kind> sampler", <kind> as its provenance says.
    make : callable
        (images (m, C, H, W), Recipe) -> sampler.
    takes_corpus, takes_context : bool
        Whether it is made of images, and whether it looks at a window's surroundings.
    """

    name: str
    caption: str
    meaning: str
    sampler: type[SavedSampler]
    make: Callable[[np.ndarray, Recipe], SavedSampler]
    takes_corpus: bool = True
    takes_context: bool = False


def _conditional(images: np.ndarray, recipe: Recipe) -> GaussianSampler:
    if recipe.context is None:
        raise SettingsError("the conditional sampler looks at a window's surroundings: want a context l >= k.")
    return GaussianSampler.fit(
        images, recipe.context, patches=recipe.patches, seed=recipe.seed, channels=recipe.channels,
        first=recipe.first, clip=recipe.clip, names=recipe.names,
    )  # fmt: skip


def _marginal(images: np.ndarray, recipe: Recipe) -> MarginalSampler:
    return MarginalSampler(images, names=recipe.names, choice=recipe.choice)


def _grey(images: np.ndarray, recipe: Recipe) -> GreyPatch:
    return GreyPatch()


#: The first is the default.
SAMPLERS: dict[str, SamplerKind] = {
    kind.name: kind
    for kind in (
        SamplerKind(
            "conditional",
            "conditional sampling",
            "a Gaussian given the surroundings",
            GaussianSampler,
            _conditional,
            takes_context=True,
        ),
        SamplerKind("marginal", "marginal sampling", "what other images have there", MarginalSampler, _marginal),
        SamplerKind(
            "grey", "a grey patch", "a patch of 127.5, in a hidden blob of 0", GreyPatch, _grey, takes_corpus=False
        ),
    )
}


def names() -> tuple[str, ...]:
    """Names of all kinds, the default first."""
    return tuple(SAMPLERS)


def find(name: str) -> SamplerKind:
    """The kind of this name; a SettingsError that lists all if there is none."""
    if name not in SAMPLERS:
        *others, last = SAMPLERS
        raise SettingsError(f"sampler {name!r} is unknown: want {', '.join(others)} or {last}.")
    return SAMPLERS[name]


def caption(word: str) -> str:
    """What figures call a sampler whose record says that it is of this kind; of a stranger's the word itself."""
    captions = {kind.sampler.file.noun: kind.caption for kind in SAMPLERS.values()}
    return captions.get(f"{word} sampler", word)


def load_sampler(path: str | Path) -> SavedSampler:
    """Read a sampler of whatever kind, as its file says.

    Raises
    ------
    SamplerError
        If the file is missing, damaged or not a sampler.
    """
    makers = {kind.sampler.file: kind.sampler.from_parts for kind in SAMPLERS.values()}
    return read_any(as_path(path, "the sampler's file"), ANY, makers)
