"""Settings side by side: the paper's, those of its authors' later public code, and ours; and how to apply them.

A `Like` says what a net, a sampler and `explain` are to be given, and what becomes of the result:

>>> like = LIKES["authors"]
>>> like.explaining["samples"], like.explaining["training_instances"], like.half
(10, 100000, True)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Callable, Iterator, Sequence

import numpy as np

from . import windows
from .errors import SettingsError
from .explanation import Explanation
from .nets.preprocessing import Preprocessing
from .protocols import Sampler
from .samplers.registry import Recipe, find
from .scratch import blocks, stacked


@dataclass(frozen=True)
class Quality:
    """A preset: how densely windows lie and how many samples each takes."""

    stride: int
    samples: int


#: What `--quality` names. "paper" is the paper's own setting; docs/precision.md says what the others are worth.
QUALITIES = {"preview": Quality(4, 2), "standard": Quality(2, 2), "paper": Quality(1, 20)}


def first_colour(colours: int, order: str) -> int:
    """Which channel of RGB pixels comes first in the input of a net with this channel order."""
    return colours - 1 if order == "bgr" else 0


@dataclass(frozen=True)
class Like:
    """All that tells one program of this method from another, with ours for defaults.

    Attributes
    ----------
    name : str
    window : int or (rows, columns)
        k.
    margin, samples, stride : int
        l - k, S and the step between windows.
    between : str
        What is done between windows that lie apart, see `explain`.
    training_instances : int or None
        N of Laplace's correction; None is the net's own.
    view : str or None
        Mode of `View`; None is the net's own.
    mean_place : str
        Which part of a mean image is taken, see `Preprocessing`.
    channels : str
        Of the Gaussian, see `GaussianSampler.fit`, as are ``clip`` and ``patches``.
    choice : str
        Of marginal sampling's images, see `MarginalSampler`.
    with_explained : bool
        Whether the explained image belongs to the corpus.
    start_from : str
        What the sensitivity map's backward pass starts from, see `sensitivity`.
    half : bool
        Whether relevance is rounded through float16.
    batch : int or None
        Of the authors' code, in which the window ``batch // samples`` before the end is counted twice.
    """

    name: str
    window: windows.SidesLike = 10
    margin: int = windows.MARGIN
    samples: int = QUALITIES["paper"].samples
    stride: int = QUALITIES["paper"].stride
    between: str = "none"
    training_instances: int | None = None
    view: str | None = None
    mean_place: str = "centre"
    channels: str = "joint"
    clip: tuple[float, float] | str | None = (0.0, 255.0)
    patches: int = 25_000
    choice: str = "random"
    with_explained: bool = False
    start_from: str = "one"
    half: bool = False
    batch: int | None = None

    @property
    def explaining(self) -> dict[str, Any]:
        """Keywords for `explain`."""
        names = ("window", "samples", "stride", "between", "training_instances")
        return {name: getattr(self, name) for name in names}

    @property
    def sensing(self) -> dict[str, Any]:
        """Keywords for `sensitivity`."""
        return {"start_from": self.start_from}

    def preprocessing(self, known: Preprocessing | None) -> Preprocessing | None:
        """A net's preprocessing with this view and this part of its mean image; None stays: pixels are inputs."""
        if known is None:
            return None
        view = known.view if self.view is None else replace(known.view, mode=self.view, size=None)
        return replace(known, view=view, mean_place=self.mean_place)

    def sampler(
        self,
        kind: str,
        images: np.ndarray,
        pixels: np.ndarray | None = None,
        *,
        context: windows.SidesLike | None = None,
        order: str = "rgb",
        names: Sequence[str] | None = None,
        seed: int = 0,
    ) -> Sampler:
        """The sampler made of a corpus.

        Parameters
        ----------
        kind : str
            A name of the registry: "conditional", "marginal" or "grey".
        images : (m, C, H, W) array
            Pixels as the net sees them.
        pixels : (C, H, W) array, optional
            The explained image, which is put into the corpus, first, or taken out, as `with_explained` says. Of a
            sampler for many images there is none.
        context : int or (rows, columns), optional
            l; by default that of `window`.
        order : {"rgb", "bgr"}
            The net's channel order: the authors' first colour is the first of the net's input.

        Raises
        ------
        SettingsError
            If the kind is unknown, or there is no explained image and it belongs to the corpus.
        """
        make, images = find(kind).make, np.asarray(images)
        colours = images.shape[1] if pixels is None else len(pixels)
        if find(kind).takes_corpus:
            images, names = self.corpus(images, pixels, names)
        recipe = Recipe(
            windows.grown(self.window, self.margin) if context is None else context,
            patches=self.patches, channels=self.channels,
            first=first_colour(colours, order), clip=self.clip, choice=self.choice, seed=seed, names=names,
        )  # fmt: skip
        return make(images, recipe)

    def corpus(
        self, images: np.ndarray, pixels: np.ndarray | None, names: Sequence[str] | None = None
    ) -> tuple[np.ndarray, list[str] | None]:
        """Images and names with the explained one first, or without it; see `sampler`.

        The array itself where nothing is to be put in or taken out.
        """
        images = np.asarray(images)
        self.check_explained(pixels)
        if pixels is None:
            return images, None if names is None else list(names)
        kept = [i for i, same in enumerate(_equal(images, pixels)) if not same]
        others, told = (images[i] for i in kept), None if names is None else [names[i] for i in kept]
        if self.with_explained:
            images = stacked(chain([pixels], others), "the corpus' images", np.result_type(images, pixels))
            return images, None if told is None else ["the explained image", *told]
        if 0 < len(kept) < len(images):
            return stacked(others, "the corpus' images", images.dtype), told
        return images[: len(kept)], told

    def check_explained(self, pixels: np.ndarray | None) -> None:
        """Refuse to make a sampler for many images, where there is no explained one to put into the corpus."""
        if pixels is None and self.with_explained:
            raise SettingsError(
                f"--like {self.name} puts the explained image into the corpus, so it takes one image alone: give one, "
                "or leave it out."
            )

    def finish(self, explanation: Explanation) -> Explanation:
        """The result as this program would have handed it out, with a note of what was done to it."""
        notes = []
        index = self._twice(explanation)
        if index is not None:
            explanation, (row, column) = counted_twice(explanation, index)
            notes.append(f"The window at row {row}, column {column} was counted twice, as in the authors' later code.")
        if self.half:
            explanation = rounded(explanation)
            notes.append("Relevance was rounded through float16, as in the authors' later code.")
        settings = {**explanation.settings, "like": self.name}
        return replace(explanation, settings=settings, notes=[*explanation.notes, *notes])

    def _twice(self, explanation: Explanation) -> int | None:
        """Theirs reads one slot too many of its last, unfilled batch: there stands a window of the batch before."""
        if self.batch is None:
            return None
        at_once, count = self.batch // int(explanation.settings["samples"]), len(_origins(explanation))
        return count - at_once if 1 <= at_once <= count else None


OURS = Like("ours", between="linear")
#: What `--like` names.
LIKES = {
    "paper": Like("paper", clip=None),
    "authors": Like(
        "authors", samples=10, training_instances=100_000, view="crop", mean_place="end", channels="authors",
        clip="corpus", patches=20_000, choice="first", with_explained=True, start_from="activation", half=True,
        batch=128,
    ),
}  # fmt: skip


def _equal(images: np.ndarray, pixels: np.ndarray) -> Iterator[bool]:
    """Of each image of a corpus, whether it is this one: a row tells nearly all apart."""
    for block in blocks(images):
        for image in block:
            yield np.array_equal(image[:, :1], pixels[:, :1]) and np.array_equal(image, pixels)


def rounded(explanation: Explanation) -> Explanation:
    """Relevance rounded through float16: to 11 bits, a part in 2048."""
    with np.errstate(over="ignore"):
        return replace(explanation, relevance=explanation.relevance.astype(np.float16).astype(np.float64))


def counted_twice(explanation: Explanation, index: int) -> tuple[Explanation, tuple[int, int]]:
    """Let one window enter the means of its pixels, and their errors, twice.

    Parameters
    ----------
    index : int
        Of the window, in the grid's order.

    Returns
    -------
    Explanation
    (row, column)
        The window's origin.
    """
    origins, window = _origins(explanation), windows.sides(explanation.settings["window"])
    shape = explanation.relevance.shape[-2:]
    count = windows.cover(np.ones(len(origins)), origins, window=window, shape=shape)
    row, column = (int(place) for place in origins[index])
    part = (slice(None), slice(row, row + window[0]), slice(column, column + window[1]))
    times = count[part[1:]]
    relevance, stderr = explanation.relevance.copy(), explanation.stderr.copy()
    value = window_value(relevance * count, (row, column), window)[:, None, None]
    variance = window_value((stderr * count) ** 2, (row, column), window)[:, None, None]
    relevance[part] = (relevance[part] * times + value) / (times + 1)
    # twice the same value: four times its variance in the sum, not once
    stderr[part] = np.sqrt(np.maximum((stderr[part] * times) ** 2 + 3 * variance, 0)) / (times + 1)
    return replace(explanation, relevance=relevance, stderr=stderr), (row, column)


def window_value(sums: np.ndarray, origin: tuple[int, int], window: windows.Sides) -> np.ndarray:
    """The value of one window, from the sums (T, H, W) over all windows that contain each pixel.

    The sums rise by a window's value at its top-left corner and fall again a side further on: their mixed difference
    is the value of the window there, less those of the windows one side to the left and one above, plus that of the one
    off in both. Summed over all places a multiple of the sides to the left and above, only the window itself is left.

    Returns
    -------
    (T,) array
    """
    height, width = window
    padded = np.pad(sums, ((0, 0), (1, 0), (1, 0)))
    differences = np.diff(np.diff(padded, axis=1), axis=2)
    total: np.ndarray = differences[:, origin[0] :: -height, origin[1] :: -width].sum(axis=(1, 2))
    return total


def _origins(explanation: Explanation) -> np.ndarray:
    height, width = explanation.relevance.shape[-2:]
    settings = explanation.settings
    return windows.grid((height, width), window=settings["window"], stride=settings["stride"])


def _by_quality(name: str) -> Callable[[Like], str]:
    """Ours are also a matter of ``--quality``, which comes from the quickest to the paper's."""
    presets = " / ".join(str(getattr(quality, name)) for quality in QUALITIES.values())
    return lambda like: f"{presets} (by quality)" if like is OURS else str(getattr(like, name))


def _choice(words: dict[Any, str], name: str) -> Callable[[Like], str]:
    return lambda like: words[getattr(like, name)]


#: A row of the table each: its name, and what to say of a program.
ROWS: tuple[tuple[str, Callable[[Like], str]], ...] = (
    (
        "window k, context l",
        lambda like: f"{windows.told(like.window)}, {windows.told(windows.grown(like.window, like.margin))}",
    ),
    ("samples S", _by_quality("samples")),
    ("stride", _by_quality("stride")),
    ("between windows that lie apart", _choice({"none": "nothing", "linear": "linear"}, "between")),
    (
        "N of Laplace's correction",
        lambda like: f"{like.training_instances:,}" if like.training_instances else "the net's (ILSVRC: 1,281,167)",
    ),
    ("image", _choice({None: "the net's (Caffe's: resized, centre crop)", "crop": "centre crop, not resized"}, "view")),
    ("AlexNet's mean image", _choice({"centre": "cropped as the image", "end": "bottom right corner"}, "mean_place")),
    (
        "Gaussian over colours",
        _choice({"joint": "joint", "authors": "independent, the first colour's covariance for all"}, "channels"),
    ),
    ("patches it is fitted to", lambda like: f"{like.patches:,}"),
    (
        "conditional draws",
        _choice(
            {None: "not clipped", "corpus": "clipped to each pixel's range in the corpus", (0.0, 255.0): "in 0..255"},
            "clip",
        ),
    ),
    ("marginal draws", _choice({"random": "other images at random", "first": "always the first S images"}, "choice")),
    ("explained image in the corpus", _choice({False: "no", True: "yes"}, "with_explained")),
    ("sensitivity map starts from", _choice({"one": "1", "activation": "the unit's activation"}, "start_from")),
    ("results", _choice({False: "double precision", True: "rounded through float16"}, "half")),
    (
        "windows counted twice",
        lambda like: "none" if like.batch is None else f"one, {like.batch} / S before the end",
    ),
)


def differences() -> str:
    """The settings of all three as a Markdown table."""
    programs = (LIKES["paper"], LIKES["authors"], OURS)
    lines = ["| | paper | authors' later code | ours |", "|---|---|---|---|"]
    lines += [f"| {name} | {' | '.join(tell(like) for like in programs)} |" for name, tell in ROWS]
    return "\n".join(lines)
