"""What a data layer says of the images that a net was trained on: their size, mean and scale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import FormatError
from .caffemodel import read_mean
from .layer_types.training import PYTHON
from .phases import Typed

#: Where old files have what stands in transform_param today.
_OLD_PLACES = ("data_param", "image_data_param", "window_data_param")

#: Data layers that hand on what they read, and know nothing of images.
_NO_IMAGES = ("HDF5Data", "DummyData", PYTHON)

#: Data layers that read image files, in colour where they are not told otherwise.
_IN_COLOUR = ("ImageData", "WindowData")


@dataclass(frozen=True)
class TrainingImages:
    """What a data layer says of its images.

    Attributes
    ----------
    layer, kind : str
        The layer's name and type.
    shape : tuple of int, or None
        Of the layer's first top, without the batch axis; None where the layer does not say it.
    size : (height, width) or None
        What images are resized to before they are cropped, where that is known.
    mean : (C,) or (C, h, w) array, or None
    mean_file : str or None
        Where the mean was read from.
    missing : str or None
        The mean's file, if it is not there.
    scale : float
    told : bool
        Whether all is known of what the layer does to images.
    colours_assumed : bool
        Whether nothing says how many channels they have, so that 3 are assumed.
    """

    layer: str
    kind: str
    shape: tuple[int, ...] | None
    size: tuple[int, int] | None
    mean: np.ndarray | None
    mean_file: str | None
    missing: str | None
    scale: float
    told: bool
    colours_assumed: bool


def training_images(source: Typed, folder: Path) -> TrainingImages:
    """What a data layer says; a mean's file is looked for in ``folder``, that of the prototxt.

    Raises
    ------
    FormatError
        If the mean's file is there and cannot be read.
    """
    kind, layer = source
    places = [getattr(layer, place) for place in ("transform_param", *_OLD_PLACES) if layer.HasField(place)]

    def said(name: str) -> Any:
        return next((getattr(place, name) for place in places if name in _given(place)), None)

    path, missing = _found(said("mean_file"), folder)
    mean = np.array(said("mean_value") or (), np.float32) if path is None else read_mean(path)
    size = mean.shape[1:] if mean.ndim == 3 else None
    if said("new_height") and said("new_width"):
        size = (said("new_height"), said("new_width"))
    grey = said("force_gray") or said("is_color") is False
    channels = 1 if grey else len(mean) if mean.ndim == 3 or len(mean) > 1 else 3
    crop = said("crop_size")
    sides = (crop, crop) if crop else size
    return TrainingImages(
        layer.name,
        kind,
        shape=_own_shape(layer) or (None if sides is None else (channels, *sides)),
        size=size,
        mean=mean if mean.size else None,
        mean_file=None if path is None else str(path),
        missing=missing,
        scale=1.0 if said("scale") is None else float(np.format_float_scientific(np.float32(said("scale")))),
        told=missing is None and kind not in _NO_IMAGES,
        colours_assumed=not (grey or mean.ndim == 3 or len(mean) > 1 or _own_shape(layer) or kind in _IN_COLOUR),
    )


def _given(message: Any) -> set[str]:
    return {field.name for field, _ in message.ListFields()}


def _own_shape(layer: Any) -> tuple[int, ...] | None:
    """The shape of what a layer hands on that reads no files."""
    if layer.HasField("memory_data_param"):
        given = layer.memory_data_param
        return given.channels, given.height, given.width
    made = layer.dummy_data_param
    if made.shape:
        return tuple(made.shape[0].dim)[1:]
    return (made.channels[0], made.height[0], made.width[0]) if made.channels and made.height and made.width else None


def _found(name: str | None, folder: Path) -> tuple[Path | None, str | None]:
    """The path of a mean's file, from the folder or in it; or its name, if it is not there."""
    if not name:
        return None, None
    try:
        there = [path for path in (folder / name, folder / Path(name).name) if path.is_file()]
    except (OSError, ValueError):  # no name that any file may have
        raise FormatError(f"has mean_file {name[:80]!r}, want the path of a file.") from None
    return (there[0], None) if there else (None, name)
