"""Images as RGB arrays, the part of an image that a net sees, and the way back to the original's pixels."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Sequence

import numpy as np

from . import budget
from .errors import ImageError, InputWarning, SettingsError, warn
from .image_files import Source, called, check_intensity, is_pil, read_picture

MODES = ("warp", "short", "crop", "cover")
#: Pillow's filters, for `View.resampling`, by the numbers that it gives them.
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}
CENTRES = ("floor", "even")
#: `View.size` of Caffe's nets: inputs of 224 to 227 pixels are the middle of images of 256, others the whole image.
CAFFES = "caffe"
CAFFE_INPUTS, CAFFE_SIZE = (224, 227), 256
#: How much of each colour there is in a grey (ITU-R 601).
LUMA = np.array([0.299, 0.587, 0.114])
#: What is said of an image that an intensity was given for, although it needs none.
EIGHT_BITS = (
    "intensity (--white, --intensity) was not applied. It is for greys of 16 or 32 bits, signed ones and floats; this "
    "image itself says which values are black and white."
)
#: An enlarged image has at most so many pixels; only one that is a hair's breadth thin needs more.
MOST_PIXELS = 2**26
#: No side is as long.
LONGEST = 2**31


def load_image(path: Source, *, intensity: tuple[float, float] | None = None, page: int | None = None) -> np.ndarray:
    """Read any image that Pillow reads, and DICOM and HEIC where pydicom and pillow-heif are installed.

    Turned as its EXIF tag says; grey, palette and CMYK become RGB, what is transparent becomes white. A format is known
    by the file's content. Greys of more than 8 bits, signed ones and floats do not say which values are black and
    white. Where ``intensity`` does not say so either, black is 0, and white is 1 (of floats alone), 255 or 65535, the
    first of these that no value exceeds, or else the largest value. In a TIFF that says so, the two change places.
    Greys of DICOM are rescaled as the file says (to Hounsfield units, say); its window says what is black and white,
    or, where it has none, the least and the largest value.

    Parameters
    ----------
    path : path, binary file, PIL image or array
        A file that was opened already, or a BytesIO, is read from its beginning; it stays open, at its position. Arrays
        are RGB (H, W, 3) of uint8, or greys (H, W), of uint8 or of a range like files'.
    intensity : (low, high), optional
        Which values are black and white, such as (0, 4095) for 12 bits; what lies outside is cut off. It counts for
        greys of 16 or 32 bits, signed ones and floats, and for all greys of DICOM. Of others 0 is black and 255 white
        whatever it says.
    page : int, optional
        Which picture of a file that holds several (TIFF, GIF, an animation, frames of DICOM), counted from 1; by
        default the first, or the one that a HEIC file says is.

    Returns
    -------
    (H, W, 3) uint8 array

    Raises
    ------
    ImageError
        If the file is missing, broken or no image, or has no such page.
    DependencyError
        If what reads its format is not installed.
    SettingsError
        If ``intensity`` is no two numbers, the first below the second, or ``page`` no whole number.

    Warns
    -----
    InputWarning
        If there is no ``intensity``, and values lie below zero, far below white, or are floats above 1; if there is
        one that leaves few levels, or one for a picture of 8 bits; if values are NaN or infinite; or if a file holds
        several pictures, and no page was asked for.

    Examples
    --------
    >>> import predicdiff as pd
    >>> pd.load_image(np.array([[0, 2048, 4095]], np.uint16), intensity=(0, 4095))[..., 0].tolist()
    [[0, 128, 255]]
    """
    intensity, page = check_intensity(intensity), _check_page(page)
    picture = read_picture(path, intensity, page)
    if picture.doubt is None and intensity is not None and not picture.ranged:
        picture = picture._replace(doubt=EIGHT_BITS)
    for remark in picture.remarks:
        warn(f"{called(path)}: {remark}", InputWarning)
    return picture.pixels


def _check_page(page: Any) -> int | None:
    if page is None:
        return None
    if isinstance(page, bool) or not isinstance(page, (int, np.integer)) or page < 1:
        raise SettingsError(f"page = {page!r}: want a whole number, 1 for the first picture of a file.")
    return int(page)


def as_array(image: Any) -> np.ndarray:
    """A PIL image as `load_image` reads it, anything else as numpy makes an array of it; masked pixels are refused."""
    if np.ma.is_masked(image):
        raise ImageError("the image has masked pixels, of which numpy would take what lies under the mask: fill them.")
    return load_image(image) if is_pil(image) else np.asarray(image)


def enlarge(values: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Maps (..., h, w) at another size (H, W), each pixel taking the value of the unit whose share of it is there."""
    if values.shape[-2:] == tuple(size):
        return values
    rows, columns = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(size, values.shape[-2:]))
    return values[..., rows[:, None], columns]


@dataclass(frozen=True)
class Frame:
    """Where the part that the net sees lies in the original image.

    Attributes
    ----------
    original : (height, width) of the image as loaded
    resized : (height, width) it was resized to
    corner : (row, column) of the crop's top-left pixel in the resized image
    size : (height, width) of the crop
    """

    original: tuple[int, int]
    resized: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]

    def back(self, values: np.ndarray) -> np.ndarray:
        """Bring maps from what the net saw back to the original image's pixels, bilinearly.

        Parameters
        ----------
        values : (..., height, width) float array, shaped like the crop

        Returns
        -------
        (..., H, W) float64 array shaped like the original image; NaN where the net did not look.
        """
        if values.shape[-2:] != self.size:
            raise ImageError(
                f"the map is {values.shape[-2:]}, the view it should come from {self.size} (height, width)."
            )
        values = np.asarray(values, np.float64)
        for axis in (0, 1):
            values = self._interpolate(values, axis)
        return values

    def nearest(self, values: np.ndarray) -> np.ndarray:
        """What of an array (H, W), shaped like the original image, the net sees: the nearest pixel of each."""
        axes = zip(self.original, self.resized, self.corner, self.size)
        rows, columns = (((np.arange(n) + at + 0.5) * all_ / new).astype(int) for all_, new, at, n in axes)
        return values[rows[:, None], columns]

    def seen(self, axis: int, place: float) -> float:
        """Where a place along an axis of the original image lies in the pixels that the net sees."""
        return place * self.resized[axis] / self.original[axis] - self.corner[axis]

    def seen_box(self, box: Sequence[float]) -> tuple[float, ...]:
        """A box (row, column, height, width) of the original image in the pixels that the net sees."""
        starts = [self.seen(axis, box[axis]) for axis in (0, 1)]
        ends = [self.seen(axis, box[axis] + box[axis + 2]) for axis in (0, 1)]
        return (*starts, *(end - start for start, end in zip(starts, ends)))

    def _interpolate(self, values: np.ndarray, axis: int) -> np.ndarray:
        step = self.resized[axis] / self.original[axis]
        at = (np.arange(self.original[axis]) + 0.5) * step - 0.5 - self.corner[axis]
        last = self.size[axis] - 1
        low = np.clip(np.floor(at), 0, max(last - 1, 0)).astype(int)
        part = np.clip(at - low, 0.0, 1.0)
        lines = np.moveaxis(values, axis - 2, -1)
        # where the weight is zero the neighbour must not count: it may be NaN
        upper = np.where(part > 0, lines[..., np.minimum(low + 1, last)], 0.0)
        lower = np.where(part < 1, lines[..., low], 0.0)
        mixed = lower * (1 - part) + upper * part
        mixed[..., (at < -0.5) | (at > last + 0.5)] = np.nan
        return np.moveaxis(mixed, -1, axis - 2)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Frame:
        """Undo `as_dict`."""
        return cls(**{name: _pair(pair) for name, pair in fields.items()})


@dataclass(frozen=True)
class View:
    """How an image becomes the part that a net sees: resized by ``mode``, then its centre cut out.

    Attributes
    ----------
    mode : {"warp", "short", "crop", "cover"}
        "warp": to ``size`` whatever the proportions, as Caffe's own classification does. "short": the short side to
        ``size``. "crop": not resized, as in the authors' later code. "cover": as small as it may be to cover ``size``,
        proportions kept.
    size : int, (height, width), "caffe" or None
        What to resize to; None is the net's input. Of two numbers, "short" takes the smaller. "caffe" is 256 where
        the net's input is 224 to 227 pixels on each side, otherwise the net's input.
    antialias : bool
        Smooth before shrinking. Caffe did not, in 2016, nor were its training images smoothed.
    resampling : {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"}, optional
        Pillow's filter to resize with, which smooths by itself, and gives whole numbers for images of 8 bits; the long
        side is rounded down. By default linear between the four pixels around, as Caffe's own Python does it.
    centre : {"floor", "even"}
        Where the centre begins if the pixels beside it are odd in number: rounded down, or to an even number as
        torchvision does it.

    An image smaller than the net's input is enlarged until it covers it, whatever the mode.

    Examples
    --------
    >>> import predicdiff as pd
    >>> image = np.zeros((300, 400, 3), np.uint8)
    >>> pd.View("short", 256, antialias=True).apply(image, (224, 224)).shape
    (3, 224, 224)
    >>> pd.View("short", 256).frame((300, 400), (224, 224)).resized
    (256, 341)
    """

    mode: str = "warp"
    size: int | tuple[int, int] | str | None = None
    antialias: bool = False
    resampling: str | None = None
    centre: str = "floor"

    def settled(self, crop: tuple[int, ...]) -> View:
        """This view with a number for the size "caffe", as it is for a net's input ``crop`` (height, width)."""
        if not (isinstance(self.size, str) and self.size == CAFFES):
            return self
        low, high = CAFFE_INPUTS
        return replace(self, size=CAFFE_SIZE if all(low <= side <= high for side in crop) else None)

    def frame(self, original: tuple[int, int], crop: tuple[int, int]) -> Frame:
        """Geometry of the view of an ``original`` (height, width) for a net's input ``crop`` (height, width)."""
        if self.mode not in MODES:
            raise SettingsError(f"view {self.mode!r} is unknown: want one of {', '.join(MODES)}.")
        if self.resampling not in (None, *FILTERS):
            raise SettingsError(f"resampling {self.resampling!r} is unknown: want {', '.join(FILTERS)} or None.")
        if self.centre not in CENTRES:
            raise SettingsError(f"centre {self.centre!r} is unknown: want one of {', '.join(CENTRES)}.")
        original, crop = _pair(original), _pair(crop)
        resized = self._resized(original, crop)
        rows, columns = (whole - part for whole, part in zip(resized, crop))
        # Python's round takes halves to even numbers, and so does torchvision with it
        corner = (rows // 2, columns // 2) if self.centre == "floor" else (round(rows / 2), round(columns / 2))
        return Frame(original, resized, corner, crop)

    def _resized(self, original: tuple[int, int], crop: tuple[int, int]) -> tuple[int, int]:
        size = self.settled(crop)._size(crop)
        if self.mode == "warp":
            if size[0] < crop[0] or size[1] < crop[1]:
                raise SettingsError(
                    f"image size {size} is smaller than the net's input {crop}: want at least as large."
                )
            return size
        least = max(crop[0] / original[0], crop[1] / original[1])
        asked = 1.0 if self.mode == "crop" else min(size) / min(original)
        if self.mode == "cover":
            asked = max(size[0] / original[0], size[1] / original[1])
        factor = max(asked, least)
        if factor == 1.0:
            return original
        if self.mode == "cover" and asked >= least:
            part = min(original[0] / size[0], original[1] / size[1])
            height, width = (round(old / part) for old in original)  # as timm rounds
        elif self.resampling is not None and asked >= least:
            # multiplied first, as others do it who resize by Pillow: a factor of floats may lose the last pixel
            height, width = (int(min(size) * old / min(original)) for old in original)
        else:
            height, width = (max(round(old * factor), new) for old, new in zip(original, crop))
        if factor > 1.0 and height * width > MOST_PIXELS:
            raise ImageError(
                f"an image of {original[0]} x {original[1]} pixels (height, width) is too thin: to cover the net's "
                f"input it would grow to {height} x {width}. Cut it, or use view 'warp'."
            )
        return (height, width)

    def _size(self, crop: tuple[int, int]) -> tuple[int, int]:
        if self.size is None:
            return crop
        size = np.ravel(self.size).tolist()
        if len(size) not in (1, 2) or not all(isinstance(side, int) and 0 < side < LONGEST for side in size):
            raise SettingsError(
                f"image size {self.size!r}: want a whole number of pixels, or (height, width), below 2**31."
            )
        return (size[0], size[-1])

    def apply(self, image: np.ndarray, crop: tuple[int, int]) -> np.ndarray:
        """The part that the net sees.

        Parameters
        ----------
        image : (H, W, C) array, RGB 0..255 for photographs, or a PIL image
        crop : (height, width) of the net's input

        Returns
        -------
        (C, height, width) float32 array in the image's own values
        """
        image = as_array(image)
        if image.ndim != 3 or 0 in image.shape:
            raise ImageError(f"an image has the shape (height, width, colours), this one {image.shape}.")
        frame = self.frame(image.shape[:2], crop)
        (top, left), (height, width) = frame.corner, frame.size
        resized = self._resize(image, frame.resized)[top : top + height, left : left + width]
        return np.array(resized.transpose(2, 0, 1), np.float32, order="C")

    def _resize(self, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        if image.shape[:2] == size:
            return image
        budget.ask(
            8 * math.prod(size) * image.shape[2], f"an image resized to {size[1]} x {size[0]} pixels", ImageError
        )
        if self.resampling is not None:
            return _resize_by_pillow(image, size, self.resampling)
        return _resize_linearly(image, size, smooth=self.antialias)


def _pair(values: Sequence[int]) -> tuple[int, int]:
    return (int(values[0]), int(values[1]))


def _resize_linearly(image: np.ndarray, size: tuple[int, int], *, smooth: bool) -> np.ndarray:
    """An image (H, W, C) as scikit-image's `resize` of order 1 gives it, to the bit; no copy of it in float64 is made.

    As caffe.io.resize_image; Caffe's mode, "constant", differs where images are enlarged alone: it darkens their
    outermost pixels. SciPy reckons in float64 whatever it is given, channel by channel.
    """
    from scipy import ndimage

    factors = np.divide(image.shape[:2], size)
    widths = np.maximum(0, (factors - 1) / 2)
    budget.ask(8.0 * image[..., 0].size * smooth, f"an image of {image.shape[1]} x {image.shape[0]} pixels", ImageError)
    resized = np.empty((*size, image.shape[2]))
    for channel in range(image.shape[2]):
        values = image[..., channel]
        values = values if values.dtype == np.uint8 else values.astype(np.float64)
        if smooth and (factors > 1).any():
            values = ndimage.gaussian_filter(values, widths, output=np.float64, mode="nearest")
        ndimage.zoom(values, 1 / factors, resized[..., channel], order=1, mode="nearest", grid_mode=True)
    return np.clip(resized, image.min(), image.max(), out=resized)


def _resize_by_pillow(image: np.ndarray, size: tuple[int, int], resampling: str) -> np.ndarray:
    """An image (H, W, C): RGB of 8 bits as a whole, to 8 bits; other values channel by channel, in float32."""
    from PIL import Image

    order, across = FILTERS[resampling], size[::-1]
    if image.dtype == np.uint8 and image.shape[2] == 3:
        return np.asarray(Image.fromarray(image).resize(across, order))
    channels = (Image.fromarray(np.asarray(channel, np.float32)) for channel in np.moveaxis(image, -1, 0))
    return np.stack([np.asarray(channel.resize(across, order)) for channel in channels], -1)
