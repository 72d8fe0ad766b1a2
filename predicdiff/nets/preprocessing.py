"""From what people see (pixels: RGB, 0..255) to what a net eats (inputs: its channel order, mean and scale)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Sequence

import numpy as np

from ..errors import ImageError, InputWarning, SettingsError, warn
from ..images import LUMA, View, as_array
from ..units import real_number

ORDERS = ("rgb", "bgr")
MEAN_PLACES = ("centre", "end")


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """``inputs = (pixels in the net's channel order * raw_scale / 255 - mean at its place) * scale``.

    Attributes
    ----------
    view : View
        How an image becomes pixels.
    channels : {"rgb", "bgr"}
        The net's channel order; "bgr" turns the channels round.
    mean : None, (C,), (1,) or (C, h, w) array
        In the net's channel order, after ``raw_scale``; one number is for all channels. A mean image is as large as the
        resized image or as the net's input; its centre is taken, where the image's is, unless ``mean_place`` says
        otherwise.
    raw_scale : float
        255 where the net was trained on 0..255, 1 for 0..1.
    scale : float or (C,) array
        Applied last; 1 / standard deviation, in the net's channel order.
    mean_place : {"centre", "end"}
        Which part of a mean image larger than the input is taken: "end" is its bottom right corner, wherever the image
        was cropped, as in the authors' later code for AlexNet ([29:256] of 256).
    mean_file : str or None
        What messages call the file that the mean was read from.

    Examples
    --------
    >>> import predicdiff as pd
    >>> preprocessing = pd.Preprocessing(raw_scale=1.0, mean=[0.5], scale=2.0)
    >>> pixels = np.full((3, 4, 4), 255.0)
    >>> float(preprocessing.encode(pixels, (3, 4, 4))[0, 0, 0])
    1.0
    """

    view: View = field(default_factory=View)
    channels: str = "rgb"
    mean: Sequence[float] | np.ndarray | None = None
    raw_scale: float = 255.0
    scale: float | Sequence[float] | np.ndarray = 1.0
    mean_place: str = "centre"
    mean_file: str | None = None

    def settled(self, input_shape: tuple[int, ...]) -> Preprocessing:
        """This preprocessing with the numbers that a net's input (C, H, W) makes of what view and mean leave open."""
        view, mean = self.view.settled(input_shape[1:]), self.mean
        if mean is not None and np.shape(mean) == (1,):
            mean = np.repeat(mean, input_shape[0])
        return self if view is self.view and mean is self.mean else replace(self, view=view, mean=mean)

    def pixels(self, image: np.ndarray, input_shape: tuple[int, int, int]) -> np.ndarray:
        """An image (H, W, 3) -> pixels (C, H, W) float32; for a net of one channel its luma (ITU-R 601), or (H, W)."""
        image = as_array(image)
        if image.ndim == 2 and input_shape[0] == 1:
            image = image[..., None]
        if image.ndim == 3 and image.shape[2] == 3 and input_shape[0] == 1:
            image = (image @ LUMA)[..., None]
        if image.ndim != 3 or image.shape[2] != input_shape[0]:
            raise ImageError(
                f"the net takes {input_shape[0]} channels, the image has the shape {image.shape}: "
                f"want (height, width, {input_shape[0]})."
            )
        return self.view.apply(image, input_shape[1:])

    def encode(
        self, pixels: np.ndarray, input_shape: tuple[int, int, int], *, origin: tuple[int, int] = (0, 0)
    ) -> np.ndarray:
        """Pixels -> the net's input.

        Parameters
        ----------
        pixels : (..., C, h, w) array
            A whole view or a patch of it.
        origin : (row, column)
            Where the patch's top-left pixel stands in the view: the mean image is taken there.

        Returns
        -------
        (..., C, h, w) float32 array

        Raises
        ------
        ImageError
            If the pixels do not lie inside the net's input.
        SettingsError
            If mean, scale or channel order do not fit the net.
        """
        self.check(input_shape)
        values = np.asarray(pixels, np.float32)
        _check_inside(values.shape, input_shape, origin)
        if self.channels == "bgr":
            values = values[..., ::-1, :, :]
        if self.raw_scale != 255.0:
            values = values * np.float32(self.raw_scale / 255.0)
        mean = self._mean_at(input_shape, origin, values.shape[-2:])
        if mean is not None:
            values = values - mean
        scale = np.asarray(self.scale, np.float32)
        if scale.ndim or scale != 1:
            values = values * (scale[:, None, None] if scale.ndim else scale)
        return np.array(values, np.float32, order="C")

    def encode_patches(self, patches: np.ndarray, origins: np.ndarray, input_shape: tuple[int, int, int]) -> np.ndarray:
        """Patches (n, S, C, h, w) of pixels as parts of the net's input, each encoded where it will stand.

        ``origins`` (n, 2) are the places of their top-left pixels, inside the input.
        """
        whole = self.mean_of(input_shape)
        if whole is None or whole.shape[1:] == (1, 1):
            return self.encode(patches, input_shape)
        flat = replace(self, mean=None, scale=1.0).encode(patches, input_shape)
        rows, columns = (start[:, None] + np.arange(side) for start, side in zip(origins.T, patches.shape[-2:]))
        flat -= whole[:, rows[:, :, None], columns[:, None]].swapaxes(0, 1)[:, None]
        scale = np.asarray(self.scale, np.float32)
        encoded: np.ndarray = flat * (scale[:, None, None] if scale.ndim else scale)
        return encoded

    def mean_of(self, input_shape: tuple[int, int, int]) -> np.ndarray | None:
        """What is subtracted from a net's input (C, H, W): a mean image as large, or means (C, 1, 1)."""
        return self._mean_at(input_shape, (0, 0), input_shape[1:])

    def _mean_at(
        self, input_shape: tuple[int, int, int], origin: tuple[int, int], size: tuple[int, ...]
    ) -> np.ndarray | None:
        if self.mean is None:
            return None
        mean = np.asarray(self.mean)
        if mean.ndim == 1:
            return mean[:, None, None].astype(np.float32)
        part = 1 if self.mean_place == "end" else 2
        top = (mean.shape[1] - input_shape[1]) // part + origin[0]
        left = (mean.shape[2] - input_shape[2]) // part + origin[1]
        return mean[:, top : top + size[0], left : left + size[1]].astype(np.float32)

    def check(self, input_shape: tuple[int, int, int]) -> None:
        """Refuse a mean or scale that does not fit a net's input (C, H, W), an unknown channel order or place."""
        if self.channels not in ORDERS:
            raise SettingsError(f"channel order {self.channels!r} is unknown: want one of {', '.join(ORDERS)}.")
        if self.mean_place not in MEAN_PLACES:
            raise SettingsError(f"mean_place {self.mean_place!r} is unknown: want one of {', '.join(MEAN_PLACES)}.")
        if not isinstance(self.view, View):
            raise SettingsError(f'the view is a {type(self.view).__name__}: want a View, such as View("short", 256).')
        real_number("raw_scale", self.raw_scale)
        scale_shape = np.shape(self.scale)
        if np.asarray(self.scale).dtype.kind not in "iuf":
            raise SettingsError(f"scale = {self.scale!r}: want one number, or one for each channel.")
        if scale_shape not in ((), input_shape[:1]):
            raise SettingsError(
                f"scale has the shape {scale_shape}: want one number or one for each of {input_shape[0]} channels."
            )
        if self.mean is None:
            return
        shape = np.shape(self.mean)
        fits = shape in ((1,), input_shape[:1]) or (
            len(shape) == 3 and shape[0] == input_shape[0] and all(m >= n for m, n in zip(shape[1:], input_shape[1:]))
        )
        if not fits:
            raise SettingsError(
                f"{self._called('mean')} has the shape {shape}, the net's input {input_shape}: want "
                f"({input_shape[0]},) or a mean image with as many channels, at least as large as the input."
                + _way_out(shape, input_shape[0])
            )

    def warn_of_the_mean(self) -> None:
        """Warn of a mean that looks like one of pixels in 0..1 where they go to 255, or the other way round."""
        if self.mean is None:
            return
        low, high = float(np.min(self.mean)), float(np.max(self.mean))
        small, large = 0 <= low <= high < 1 and high > 0, low >= 0 and high > 1
        if (small and self.raw_scale > 1) or (large and self.raw_scale <= 1):
            other = 255 if large else 1
            warn(
                f"{self._called('mean')} is {low:.3g} to {high:.3g}, but pixels go to {self.raw_scale:g} where it is "
                f"taken away: want raw_scale={other} (--raw-scale {other}), or a mean of the same range.",
                InputWarning,
            )

    def _called(self, what: str) -> str:
        return f"the {what}" if self.mean_file is None else f"the {what} in {self.mean_file}"

    def check_mean_image(self, input_shape: tuple[int, ...]) -> None:
        """Refuse a mean image that belongs to images of another size than those that are resized and cropped here."""
        if self.mean is None or self.view.mode != "warp":
            return
        crop, shape = tuple(input_shape[1:]), np.shape(self.mean)[1:]
        size = self.view.settled(crop).size
        resized = crop if size is None else (size, size) if isinstance(size, int) else tuple(size)
        if shape not in ((), resized, crop):
            raise SettingsError(
                f"{self._called('mean image')} is {shape[0]} x {shape[1]}, but images are resized to {resized[0]} x "
                f"{resized[1]} and cropped to {crop[0]} x {crop[1]}: want a mean image of one of these "
                "sizes, or another --image-size."
            )

    @property
    def provenance(self) -> dict[str, Any]:
        """For JSON: the settings, a mean image by its SHA-1."""
        mean: Any = None
        if self.mean is not None:
            values = np.asarray(self.mean, np.float32)
            mean = values.tolist() if values.ndim == 1 else "sha1:" + hashlib.sha1(values.tobytes()).hexdigest()
        size = None if self.view.size is None else np.asarray(self.view.size).tolist()
        view = {"mode": self.view.mode, "size": size, "antialias": bool(self.view.antialias)}
        if self.view.resampling is not None or self.view.centre != "floor":  # which older results do not know
            view.update(resampling=self.view.resampling, centre=self.view.centre)
        scale = np.asarray(self.scale, np.float64).tolist()
        return {
            "view": view,
            "channels": self.channels,
            "mean": mean,
            "raw_scale": float(self.raw_scale),
            "scale": scale,
            "mean_place": self.mean_place,
        }


def _way_out(shape: tuple[int, ...], channels: int) -> str:
    """What to do with a mean image whose axes stand in another order, or that lies in a batch of one."""
    if len(shape) == 4 and shape[:2] == (1, channels):
        return " Take its first element, mean[0]."
    if len(shape) == 3 and shape[2] == channels:
        return " It looks like (H, W, C): transpose it with .transpose(2, 0, 1)."
    return ""


def _check_inside(shape: tuple[int, ...], input_shape: tuple[int, int, int], origin: tuple[int, int]) -> None:
    fits = len(shape) >= 3 and shape[-3] == input_shape[0]
    if not fits or any(o < 0 or o + n > m for o, n, m in zip(origin, shape[-2:], input_shape[1:])):
        raise ImageError(
            f"pixels of the shape {shape} at row {origin[0]}, column {origin[1]} are no part of the net's input "
            f"{input_shape}: want (..., {input_shape[0]}, height, width) inside it."
        )
