"""A Caffe user's settings, in the words of `caffe.Classifier` and `caffe.io.Transformer`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Sequence, Union

import numpy as np

from ...errors import FormatError, InputWarning, SettingsError, warn
from ...images import CAFFES, View
from ..preprocessing import Preprocessing
from .caffemodel import read_mean

Mean = Union[str, Path, Sequence[float], np.ndarray]


def caffe_preprocessing(
    *,
    mean: Mean | None = None,
    channels: str = "bgr",
    raw_scale: float = 255.0,
    scale: float = 1.0,
    image_size: int | tuple[int, int] | None = None,
    view: str = "warp",
) -> Preprocessing:
    """Preprocessing as Caffe does it: resize, centre crop, channels, ``raw_scale``, less the mean, times ``scale``.

    Parameters
    ----------
    mean : path of a .binaryproto or .npy, "b,g,r", (C,) or (C, h, w) array
        In the net's channel order, after ``raw_scale``. Without one an `InputWarning` is given, with "0,0,0" not.
    channels : {"bgr", "rgb"}
    raw_scale : float
        Largest value of a pixel: 255 or 1.
    scale : float
        Caffe's ``input_scale``.
    image_size : int or (height, width), optional
        What an image is resized to before its centre is cropped. By default 256 where the net's input is 224 to 227
        pixels on each side, as ImageNet's are; otherwise the net's input, so that it sees the whole image.
    view : {"warp", "short", "crop"}
        As in `View`.

    Raises
    ------
    SettingsError
        If a number is not finite, or the mean neither a file nor numbers.
    FormatError
        If the mean's file cannot be read.
    """
    for name, value in (("raw scale", raw_scale), ("scale", scale)):
        if not math.isfinite(value) or value == 0:
            raise SettingsError(f"{name} = {value}: want a finite number other than 0.")
    if mean is None:
        warn(
            "no mean was given, but nearly all of Caffe's nets were trained on images less their mean. Give the mean's "
            "file or its values (--mean FILE or --mean b,g,r); --mean 0,0,0 if there is none.",
            InputWarning,
        )
    values = None if mean is None else _values(mean)
    return Preprocessing(View(view, CAFFES if image_size is None else image_size), channels, values, raw_scale, scale)


def _values(mean: Mean) -> np.ndarray:
    if isinstance(mean, Path) or (isinstance(mean, str) and Path(mean).is_file()):
        values = read_mean(mean)
        if not np.isfinite(values).all():
            raise FormatError(f"{mean}: holds NaN or infinity, want a mean of finite numbers.")
        return values
    if isinstance(mean, str):
        mean = _numbers(mean)
    try:
        values = np.array(mean, np.float32)
    except (TypeError, ValueError):
        raise SettingsError(f"mean {mean!r}: want a file, or a number for each channel.") from None
    if values.ndim not in (1, 3) or values.size == 0 or not np.isfinite(values).all():
        raise SettingsError(f"the mean has the shape {values.shape}: want finite numbers, (C,) or an image (C, h, w).")
    return values


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(
            f"mean {text!r}: want a file that exists (.binaryproto or .npy), or a number for each channel: 104,117,123."
        ) from None
