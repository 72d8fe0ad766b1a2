"""Marginal sampling: what stood in other images at the same place."""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ..errors import SamplerError, SettingsError
from ..files import Kind
from ..protocols import Json
from ..scratch import blocks, extent, let_go, outside
from ..tones import Tones, check_corpus
from ..validation import array
from ..windows import Sides, SidesLike, sliding, tiles
from .common import as_corpus, as_names, check_finite, check_request, fingerprint, numeric
from .saved import Parts, SavedSampler
from .streams import generators

#: Images whose values differ by less than this part of the largest are the same image: float rounding.
SAME = 1e-5
#: Windows of images that are copied at a time: each may want a few pages of a file.
AT_ONCE = 256
#: How images are chosen for a window: at random, or always those that stand first in the corpus.
CHOICES = ("random", "first")


class MarginalSampler(SavedSampler):
    """Puts into a window what another image of a corpus has there, all colours together.

    Parameters
    ----------
    images : (m, C, H, W) array, or sequence of PIL images
        Pixels as the net sees them, at least two images of the same size. A copy is kept, or the array itself
        where `read_folder` has put it into a file, which nobody can change.
    names : sequence of str, optional
        Where the images come from, for the record.
    choice : {"random", "first"}
        "first" gives every window the first S images of the corpus, the explained one too if it is among them, as the
        authors' later code does. Nothing is drawn then, whatever the seed: the Monte-Carlo standard error is 0, and
        says nothing of what other images would give, which `notes` tells the reader.

    Raises
    ------
    SamplerError
        If there are fewer than two, or values that are not finite.
    SettingsError
        If ``choice`` is unknown.

    Notes
    -----
    A file, which is compressed, or a pickle of it holds all images, 0.6 MB for each of 224 x 224, and so must memory
    while that is written or read. Of more than 64 MB those that were read lie in a temporary file again.

    Examples
    --------
    >>> corpus = np.arange(3.0).reshape(3, 1, 1, 1) * np.ones((1, 1, 4, 4))
    >>> sampler = MarginalSampler(corpus)
    >>> draws = sampler.draw(corpus[0], np.array([[1, 1]]), window=2, samples=2, seed=0)
    >>> draws.shape, sorted(draws[0, :, 0, 0, 0].tolist())
    ((1, 2, 1, 2, 2), [1.0, 2.0])
    """

    file = Kind("marginal sampler", 1, "MarginalSampler(images).save('{path}')", SamplerError)
    drawn_by_threads = True

    def __init__(self, images: np.ndarray, *, names: Sequence[str] | None = None, choice: str = "random") -> None:
        if choice not in CHOICES:
            raise SettingsError(f"choice {choice!r} is unknown: want one of {', '.join(CHOICES)}.")
        self.choice = choice
        self.images = numeric(as_corpus(images), "the corpus' images", np.float32)
        self.names = as_names(names)
        self._check()
        self.images.flags.writeable = False
        self._extent = extent(self.images)
        check_finite(np.array(self._extent), "the corpus' images")
        # tells nearly all images apart, and is looked at in no time
        self._rows = np.concatenate([block[:, :, 0].copy() for block in blocks(self.images)])
        self._fingerprint = fingerprint([self.images])

    def __setstate__(self, state: dict[str, Any]) -> None:
        # a pickle holds all images, which memory need not do for as long as the sampler is there
        self.__dict__.update(state, images=outside(state["images"], "the corpus' images"))
        self.images.flags.writeable = False

    def __repr__(self) -> str:
        how = "" if self.choice == "random" else ", the first ones"
        return f"MarginalSampler({len(self.images)} images of {self.images.shape[1:]}{how})"

    @property
    def provenance(self) -> Json:
        """JSON-able: how many images, how chosen, their names where given, and the SHA-1 of their pixels."""
        return {
            "kind": "marginal",
            "count": len(self.images),
            "choice": self.choice,
            "names": self.names,
            "fingerprint": self._fingerprint,
        }

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the draws."""
        if self.choice == "random":
            return []
        return [
            "Every window was given what the first images of the corpus have there, perhaps the explained one itself: "
            "nothing was drawn, and the standard error of 0 says nothing of other images."
        ]

    def population(self, pixels: np.ndarray) -> int:
        """How many images there are besides the explained one: of so many the draws are a choice without repetition.

        0 where always the first ones are taken: nothing is left to chance.
        """
        if self.choice == "first":
            self._check_shape(np.asarray(pixels))
            return 0
        return len(self._others(np.asarray(pixels, np.float32)))

    def draw(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int
    ) -> np.ndarray:
        """Windows of other images at the same place.

        Images are chosen at random for each window, none twice, and never the explained one, which is known by its
        pixels. Where there are no more than ``samples`` others, each is used once, in order: equation (2) of the paper.
        With ``choice="first"``: always the first S images.

        Parameters
        ----------
        pixels : (C, H, W) float array
            The explained image, of the same shape as those of the corpus.
        origins : (n, 2) int array
            Top-left ``(row, column)`` of each window.
        window : int or (rows, columns)
            k.
        samples, seed : int
            S and 0 <= seed < 2**64. The first draws do not depend on S, as long as there are more images than that.

        Returns
        -------
        (n, min(S, others), C, h, w) float32 array
            With ``choice="first"`` (n, min(S, images), C, h, w).

        Raises
        ------
        SamplerError
            If the shapes differ, or no other image is left.
        WindowError, SettingsError
            If a window reaches over the border, S < 1, or the seed is out of range.
        """
        return self.fill(pixels, origins, window=window, samples=samples, seed=seed, keys=origins)

    def fill(
        self, pixels: np.ndarray, origins: np.ndarray, *, window: SidesLike, samples: int, seed: int, keys: np.ndarray
    ) -> np.ndarray:
        """As `draw`, images being chosen by the random streams of the windows at ``keys`` (n, 2)."""
        pixels, origins, lengths = check_request(pixels, origins, window=window, samples=samples, seed=seed)
        chosen = self._chosen(pixels, np.asarray(keys, np.int64).reshape(-1, 2), samples, seed)
        drawn = np.empty((*chosen.shape, len(pixels), *lengths), np.float32)
        self._copy(chosen, origins, lengths, drawn)
        return drawn

    def among(self, tones: Tones) -> MarginalSampler:
        """Itself; refuses or warns where the corpus is of another range than the values that it is to stand among."""
        check_corpus(*self._extent, tones)
        return self

    def parts(self) -> Parts:
        """The images, their names and how they are chosen."""
        return {"images": self.images}, {"names": self.names, "choice": self.choice}

    @classmethod
    def from_parts(cls, parts: dict[str, Any]) -> MarginalSampler:
        """The sampler of what `parts` gave."""
        array(parts["images"], "images", "fiu", (-1, -1, -1, -1))
        images = outside(parts["images"], "the corpus' images")
        return cls(images, names=parts["names"], choice=parts["choice"])

    def _copy(self, chosen: np.ndarray, origins: np.ndarray, window: Sides, drawn: np.ndarray) -> None:
        """Copy what the chosen images (n, S) have in windows at ``origins`` (n, 2) into ``drawn`` (n, S, C, h, w)."""
        every, flat = sliding(self.images, window=window), drawn.reshape(-1, *drawn.shape[2:])
        numbers, places = chosen.ravel(), np.repeat(origins, chosen.shape[1], axis=0)
        for part in tiles(len(numbers), AT_ONCE):
            at: Any = (numbers[part], slice(None), *places[part].T)
            flat[part] = every[at]
            let_go(self.images)

    def _chosen(self, pixels: np.ndarray, keys: np.ndarray, samples: int, seed: int) -> np.ndarray:
        """Which images (n, S) are put into each window."""
        others = self._candidates(pixels, samples)
        chosen = np.tile(others[:samples], (len(keys), 1))
        if samples < len(others):
            for choice, stream in zip(chosen, generators(seed, keys)):
                choice[:] = others[np.argsort(stream.random(len(others)), kind="stable")[:samples]]
        return chosen

    def _candidates(self, pixels: np.ndarray, samples: int) -> np.ndarray:
        """Indices of the images that may be put into a window."""
        if self.choice == "random":
            return self._others(pixels)
        self._check_shape(pixels)
        return np.arange(min(samples, len(self.images)))

    def _others(self, pixels: np.ndarray) -> np.ndarray:
        """Indices of the images that are not the explained one."""
        self._check_shape(pixels)
        tolerance = SAME * float(np.abs(pixels).max(initial=0.0))
        same = np.abs(self._rows - pixels[:, 0]).max(axis=(1, 2)) <= tolerance
        for index in np.flatnonzero(same):
            same[index] = np.abs(self.images[index] - pixels).max() <= tolerance
            let_go(self.images)
        others = np.flatnonzero(~same)
        if len(others) == 0:
            raise SamplerError(
                f"all {len(self.images)} images of the corpus are the explained one: want at least one other."
            )
        return others

    def _check_shape(self, pixels: np.ndarray) -> None:
        if pixels.shape != self.images.shape[1:]:
            raise SamplerError(
                f"the pixels have the shape {pixels.shape}, the corpus' images {self.images.shape[1:]}: want the same. "
                "Make the corpus with the view of the net that is explained."
            )

    def _check(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or 0 in shape[1:]:
            raise SamplerError(f"the corpus has the shape {shape}: want (images, channels, height, width).")
        if len(self.images) < 2:
            raise SamplerError(f"the corpus has {len(self.images)} image(s): want at least two to draw from.")
        if self.names is not None and len(self.names) != len(self.images):
            raise SamplerError(f"{len(self.names)} names for {len(self.images)} images: want as many.")
