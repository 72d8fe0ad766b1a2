"""What is to be explained: the image as the net sees it; units, channels, classes resolved to indices into one blob."""

from __future__ import annotations

import os
import warnings
from typing import Any, Sequence

import numpy as np

from .errors import ImageError, InputWarning, SettingsError
from .explanation import Target
from .images import Frame
from .protocols import Net, Unit, UnitLike
from .units import check_unit, lookup, whole


def see(net: Net, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, Frame | None]:
    """Pixels as the net sees them, and for an image the image itself and where in it they lie."""
    if not hasattr(net, "input_shape"):
        raise SettingsError(f"the net is a {type(net).__name__}: want what `load_net` gives.")
    image = _finite(image)
    wanted = tuple(net.input_shape)
    _warn_if_no_pixels(net, image)
    if image.shape == wanted:
        return np.array(image, np.float32), None, None
    preprocessing = getattr(net, "preprocessing", None)
    if image.ndim == 3 and image.shape[2] in (3, wanted[0]) and preprocessing is not None:
        frame = preprocessing.view.frame(image.shape[:2], wanted[1:])
        rgb = image.copy() if image.shape[2] == 3 and image.dtype == np.uint8 else None
        return net.view(image), rgb, frame
    other = (
        "; a net that was loaded with preprocessing= takes images of any size"
        if preprocessing is None
        else ", or an RGB image (height, width, 3)"
    )
    raise ImageError(f"the image has the shape {image.shape}: want pixels {wanted} as net.view gives them{other}.")


def _finite(image: Any) -> np.ndarray:
    if isinstance(image, (str, bytes, os.PathLike)):
        raise ImageError(f"the image is {image!r}: want an array. `load_image` reads a file.")
    try:
        array = np.asarray(image)
    except Exception as error:  # whatever a stranger's array raises, such as a tensor with a gradient
        raise ImageError(f"the image is a {type(image).__name__}, and no array is made of it ({error}).") from error
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        raise ImageError("the image holds NaN, infinity or what is no number: want finite numbers.")
    if array.size == 0:
        raise ImageError(f"the image has the shape {array.shape}, and no pixels.")
    return array


def _warn_if_no_pixels(net: Net, image: np.ndarray) -> None:
    """Of a net with preprocessing pixels are 0 to 255: 0 to 1, or what is encoded already, would be encoded again."""
    if image.dtype.kind != "f" or getattr(net, "preprocessing", None) is None:
        return
    low, high = float(image.min()), float(image.max())
    if low < -1 or 0 < high <= 1:
        warnings.warn(
            f"the image's values lie between {low:.3g} and {high:.3g}, but pixels are 0 to 255: "
            "the net's preprocessing does the rest.",
            InputWarning,
            stacklevel=5,
        )


def resolve(
    net: Net,
    base: np.ndarray,
    *,
    blob: str,
    units: Sequence[UnitLike] | None,
    channels: Sequence[int] | None,
    top: int | None,
    against: int | None,
) -> list[Target]:
    """Targets that a caller asked for, by default the predicted class.

    Parameters
    ----------
    base : array
        ``blob`` of the untouched image, without the batch axis.
    units, channels, top : at most one of them
    against : int or None
        Class that the targets are held against.
    """
    shape = lookup(net.blobs, blob)
    if sum(choice is not None for choice in (units, channels, top)) > 1:
        raise SettingsError("units, channels and top were given together: want one of them.")
    for word, choice in (("units", units), ("channels", channels)):
        if choice is not None and not np.iterable(choice):
            raise SettingsError(f"{word} = {choice!r}: want a list of them, such as [{choice!r}].")
    classes = blob in (net.scores, net.output)
    if channels is not None:
        if len(shape) < 2:
            raise SettingsError(f"blob {blob!r} is a vector {shape} without channels: give units instead.")
        units = [check_unit(shape[:1], channel, blob=blob) for channel in channels]
    elif units is None:
        units = _top(base, 1 if top is None else top, blob, classes)
    if len(units) == 0:
        raise SettingsError("no unit to explain: want at least one.")
    indices = [check_unit(shape, unit, blob=blob) for unit in units]
    other = None if against is None else check_unit(shape, against, blob=blob)
    if other in indices:
        raise SettingsError(f"class {against} was to be held against itself: give another unit or another class.")
    title = None if other is None else name(net, blob, other)
    return [Target(blob, list(index), name(net, blob, index), title) for index in indices]


def _top(base: np.ndarray, count: int, blob: str, classes: bool) -> list[UnitLike]:
    if not classes:
        raise SettingsError(f"blob {blob!r} holds no classes: say which units or channels of it to explain.")
    per_class = base.reshape(len(base), -1).mean(axis=1)
    count = whole("top", count)
    if not 1 <= count <= len(per_class):
        raise SettingsError(f"top = {count} is out of range: want 1 to {len(per_class)} classes.")
    return [int(i) for i in np.argsort(-per_class, kind="stable")[:count]]


def observed(net: Net) -> str:
    """The blob that is looked at by default: the probabilities, else the scores."""
    blob = net.output or net.scores
    if not blob:
        raise SettingsError(f"net {net.name!r} names neither probabilities nor scores: say which blob to take.")
    return blob


def predicted(net: Net, pixels: np.ndarray, blob: str) -> Unit:
    """The unit of ``blob`` that is highest for the untouched picture, as `explain` takes it."""
    lookup(net.blobs, blob)
    values = net.forward(net.encode(pixels)[None], [blob])[blob][0]
    (target,) = resolve(net, values, blob=blob, units=None, channels=None, top=1, against=None)
    return tuple(target.unit)


def name(net: Net, blob: str, unit: Unit) -> str:
    """A class's label, or ``blob[index]``."""
    labels: Any = net.labels
    if labels is not None and blob in (net.scores, net.output) and len(labels) == net.blobs[blob][0]:
        return str(labels[unit[0]])
    return f"{blob}[{', '.join(map(str, unit))}]"
