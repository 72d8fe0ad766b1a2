"""A Caffe user's settings, in the words of `caffe.Classifier` and `caffe.io.Transformer`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Sequence, Union

import numpy as np

from ...errors import FormatError, InputWarning, SettingsError, warn
from ...images import CAFFES, View
from ..preprocessing import Preprocessing
from .caffemodel import as_mean, read_mean
from .prototxt import read_training_images

Mean = Union[str, Path, Sequence[float], np.ndarray]


def caffe_preprocessing(
    *,
    mean: Mean | None = None,
    channels: str = "bgr",
    raw_scale: float = 255.0,
    scale: float | None = None,
    image_size: int | tuple[int, int] | None = None,
    view: str = "warp",
    prototxt: str | Path | None = None,
) -> Preprocessing:
    """Preprocessing as Caffe does it: resize, centre crop, channels, ``raw_scale``, less the mean, times ``scale``.

    Parameters
    ----------
    mean : path of a .binaryproto or .npy, "b,g,r" or "grey", (C,) or (C, h, w) array
        In the net's channel order, after ``raw_scale``; one number is for all channels. Without one an `InputWarning`
        is given, with "0,0,0" not.
    channels : {"bgr", "rgb"}
    raw_scale : float
        Largest value of a pixel: 255 or 1.
    scale : float
        Caffe's ``input_scale``, by default 1.
    image_size : int or (height, width), optional
        What an image is resized to before its centre is cropped. By default 256 where the net's input is 224 to 227
        pixels on each side, as ImageNet's are; otherwise the net's input, so that it sees the whole image.
    view : {"warp", "short", "crop", "cover"}
        As in `View`.
    prototxt : path, optional
        Of a net in training: the mean, scale and image size of its data layer count where none is given here. Its
        mean's file is looked for in the prototxt's folder.

    Raises
    ------
    SettingsError
        If a number is not finite, or the mean neither a file nor numbers.
    FormatError
        If the mean's file or the prototxt cannot be read.
    """
    images = None if prototxt is None else read_training_images(prototxt)
    values, file = (None, None) if mean is None else _values(mean)
    if images is not None:
        scale = images.scale if scale is None else scale
        image_size = images.size if image_size is None else image_size
        values, file = (images.mean, images.mean_file) if mean is None else (values, file)
    scale = 1.0 if scale is None else scale
    for name, value in (("raw scale", raw_scale), ("scale", scale)):
        if not math.isfinite(value) or value == 0:
            raise SettingsError(f"{name} = {value}: want a finite number other than 0.")
    if values is None and (images is None or not images.told):
        lost = "no mean was given, but nearly all of Caffe's nets were trained on images less their mean"
        if images is not None and images.missing:
            lost = f"the mean of {prototxt}, {images.missing}, is not there"
        warn(
            f"{lost}. Give the mean's file or its values (--mean FILE or --mean b,g,r); --mean 0,0,0 if there is none.",
            InputWarning,
        )
    size = CAFFES if image_size is None else image_size
    return Preprocessing(View(view, size), channels, values, raw_scale, scale, mean_file=file)


def _values(mean: Mean) -> tuple[np.ndarray, str | None]:
    """A mean, and the file that it was read from, if it was."""
    if isinstance(mean, Path) or (isinstance(mean, str) and Path(mean).is_file()):
        values = read_mean(mean)
        if not np.isfinite(values).all():
            raise FormatError(f"{mean}: holds NaN or infinity, want a mean of finite numbers.")
        return values, str(mean)
    if isinstance(mean, str):
        mean = _numbers(mean)
    try:
        values = np.array(mean, np.float32)
    except (TypeError, ValueError):
        raise SettingsError(f"mean {mean!r}: want a file, or a number for each channel.") from None
    if not np.isfinite(values).all():
        raise SettingsError("the mean holds NaN or infinity: want finite numbers, (C,) or an image (C, h, w).")
    try:
        return as_mean(values), None
    except FormatError as error:
        raise SettingsError(f"the mean's {error}") from None


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(
            f"mean {text!r}: want a file that exists (.binaryproto or .npy), or a number for each channel: 104,117,123 "
            "(or 117 for all)."
        ) from None
