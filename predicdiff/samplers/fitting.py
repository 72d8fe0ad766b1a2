"""Mean and covariance of patches cut from images at random places."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Iterator, Sequence, Union

import numpy as np

from ..errors import SamplerError, SettingsError, WindowError
from ..images import as_array
from ..scratch import extent, let_go
from ..units import whole_number
from ..windows import Sides, SidesLike, by, cut, sides, tiles, told
from .common import check_finite
from .streams import FIT, generator

#: "joint": one Gaussian over all colours; "independent": one for each colour; "authors": one for each, with the
#: covariance of one colour for all, as in the authors' later code.
CHANNELS = ("joint", "independent", "authors")
#: Patches that are in memory at the same time.
BLOCK = 1000
#: Patches that are cut: where each lies is known before the first is.
MOST_PATCHES = 10**7

Images = Union[np.ndarray, Sequence[Any]]


@dataclass(frozen=True)
class Estimate:
    """What was found in the patches.

    Attributes
    ----------
    mean : (C, l, l) float64 array
    covariance : (B, D, D) float64 array
        One block (B = 1, D = C l l) for joint channels, one a colour (B = C, D = l l) for independent ones; equal ones
        for the authors'.
    low, high : float
        Smallest and largest value of those images.
    images, skipped : int
        How many images patches came from, and how many were smaller than the context.
    """

    mean: np.ndarray
    covariance: np.ndarray
    low: float
    high: float
    images: int
    skipped: int


def estimate(images: Images, context: SidesLike, *, patches: int, seed: int, channels: str, first: int = 0) -> Estimate:
    """Mean and covariance of ``patches`` patches as large as ``context``, as many from each image, at random places.

    Parameters
    ----------
    images : (m, C, H, W) array, or list of (H, W, 3) RGB images or (C, H, W) arrays
        See `as_pixels`.
    first : int
        The colour whose covariance "authors" takes for all.

    Raises
    ------
    SamplerError
        If no image is as large as the context, or they differ in their channels or hold NaN.
    SettingsError, WindowError
        If a setting is out of its range.
    """
    lengths = _check_settings(context, patches, channels)
    every = [as_pixels(image) for image in images]
    large = [image for image in every if all(size >= length for size, length in zip(image.shape[1:], lengths))]
    _check_images(every, large, lengths)
    places = _places([image.shape[1:] for image in large], lengths, patches, seed)
    low, high = _range(large)
    colours = len(large[0])
    if not 0 <= whole_number("first", first) < colours:
        raise SettingsError(f"first = {first!r} is out of range: want a colour, 0 to {colours - 1}.")
    moments = _Moments(low, high, patches, blocks=1 if channels == "joint" else colours)
    for block in _blocks(large, places, lengths):
        moments.add(block)
    covariance = moments.covariance
    return Estimate(
        moments.mean.reshape(colours, *lengths),
        np.repeat(covariance[first : first + 1], colours, axis=0) if channels == "authors" else covariance,
        low,
        high,
        len(large),
        len(every) - len(large),
    )


def as_list(images: Any) -> Images:
    """Images that can be gone through more than once; a SamplerError if they are none."""
    if not np.iterable(images):
        raise SamplerError(f"the images are a {type(images).__name__}: want an array of them, or a list.")
    return images if isinstance(images, np.ndarray) else list(images)


def as_pixels(image: Any) -> np.ndarray:
    """A view (C, H, W) of pixels (C, H, W) or of an RGB image (H, W, 3), which may be a PIL image.

    An array whose last axis is 3 long is an RGB image, unless its first one is too and its type is not uint8.
    """
    image = as_array(image)
    if image.ndim != 3 or 0 in image.shape or image.dtype.kind not in "uif":
        raise SamplerError(
            f"an image has the shape {image.shape} and type {image.dtype}: want (height, width, 3) or "
            "(channels, height, width), in numbers."
        )
    rgb = image.shape[2] == 3 and (image.shape[0] != 3 or image.dtype == np.uint8)
    return np.moveaxis(image, 2, 0) if rgb else image


class _Moments:
    """Sums of values and of their products, exact whatever the order, the blocks, the threads and the machine.

    Values are counted in steps, a power of two and a small part of ``low..high``, so that all sums are whole numbers
    below 2**53, which float64 holds exactly. So a sampler fitted again, or elsewhere, is the same to the last bit, and
    a run begun with the one goes on with the other.
    """

    def __init__(self, low: float, high: float, patches: int, blocks: int) -> None:
        bits = (51 - int(patches).bit_length()) // 2
        self.blocks = blocks
        self.shift = (low + high) / 2
        self.step = 2.0 ** (math.frexp(high - self.shift)[1] - bits)
        self.count = 0
        self.total: np.ndarray = np.zeros(1)
        self.products: np.ndarray = np.zeros(1)

    def add(self, patches: np.ndarray) -> None:
        """Take in patches (n, C, l, l) float64."""
        values = np.rint((patches - self.shift) / self.step).reshape(len(patches), self.blocks, -1)
        self.count += len(values)
        self.total = self.total + values.sum(axis=0)
        self.products = self.products + np.matmul(values.transpose(1, 2, 0), values.transpose(1, 0, 2))

    @property
    def mean(self) -> np.ndarray:
        """(B, D)."""
        mean: np.ndarray = self.shift + self.step * (self.total / self.count)
        return mean

    @property
    def covariance(self) -> np.ndarray:
        """(B, D, D), exactly symmetric."""
        centre = np.rint(self.total / self.count)
        rest = self.total - self.count * centre
        scatter = self.products - (_outer(centre, self.total) + _outer(self.total, centre))
        scatter += self.count * _outer(centre, centre)
        scatter -= _outer(rest, rest) / self.count
        covariance: np.ndarray = scatter / (self.count - 1) * self.step**2
        return covariance


def _outer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return left[:, :, None] * right[:, None, :]


def _range(images: Sequence[np.ndarray]) -> tuple[float, float]:
    """Smallest and largest value of all images."""
    ends = np.array([extent(image) for image in images])
    check_finite(ends, "the images")
    return float(ends[:, 0].min()), float(ends[:, 1].max())


def _places(shapes: Sequence[tuple[int, ...]], context: Sides, patches: int, seed: int) -> np.ndarray:
    """Where patches are cut: (patches, 3) of image, row, column, in the images' order."""
    places = []
    for index, shape in enumerate(shapes):
        count = patches // len(shapes) + (index < patches % len(shapes))
        uniform = generator(seed, index, 0, purpose=FIT).random((count, 2))
        corners = (uniform * (np.array(shape) - np.array(context) + 1)).astype(np.int64)
        places.append(np.column_stack([np.full(count, index), corners]))
    return np.concatenate(places)


def _blocks(images: Sequence[np.ndarray], places: np.ndarray, context: Sides) -> Iterator[np.ndarray]:
    for part in tiles(len(places), BLOCK):
        block = places[part]
        pieces: list[np.ndarray] = []
        for index in np.unique(block[:, 0]):
            pieces.append(cut(images[index], block[block[:, 0] == index, 1:], window=context))
            let_go(images[index])
        yield np.concatenate(pieces).astype(np.float64)


def _check_settings(context: SidesLike, patches: int, channels: str) -> Sides:
    """The sides of the context."""
    lengths = sides(context, what="context l")
    if min(lengths) < 1:
        raise WindowError(f"context l = {told(lengths)}: want at least 1.")
    if whole_number("patches", patches) < 2:
        raise SettingsError(f"patches = {patches}: a covariance takes at least 2, the paper took about 25000.")
    if patches > MOST_PATCHES:
        raise SettingsError(f"patches = {patches}: want at most {MOST_PATCHES}, the paper took about 25000.")
    if channels not in CHANNELS:
        raise SettingsError(f"channels {channels!r} is unknown: want one of {', '.join(CHANNELS)}.")
    return lengths


def _check_images(every: Sequence[np.ndarray], large: Sequence[np.ndarray], context: Sides) -> None:
    if not every:
        raise SamplerError("there are no images to fit a sampler to: give at least one.")
    if not large:
        largest = max((image.shape[1:] for image in every), key=min)
        raise SamplerError(
            f"none of the {len(every)} images is as large as the context, {by(context)}; the largest is "
            f"{largest[0]} x {largest[1]}: give larger images or a smaller context."
        )
    counts = sorted({len(image) for image in large})
    if len(counts) > 1:
        raise SamplerError(f"the images have {' and '.join(map(str, counts))} channels: want the same number in all.")
