"""What is to be explained: the image as the net sees it; units, channels, classes resolved to indices into one blob."""

from __future__ import annotations

import os
from typing import Any, Sequence

import numpy as np

from .abilities import NetAbilities
from .classes import class_labels, find_unit, head_with, heads_of
from .errors import ImageError, SettingsError
from .explanation import Target
from .images import Frame, as_array
from .protocols import Net, Unit, UnitLike
from .settings import Settings
from .tones import check_pixels
from .units import channels, check_unit, lookup

#: What to do of a net whose classes are not known.
SAY = "load the net with what its output holds (--output-is, output_is=)"


def see(net: Net, abilities: NetAbilities, image: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, Frame | None]:
    """Pixels as the net sees them, and for an image the image itself and where in it they lie."""
    preprocessing = abilities.preprocessing
    image = numbers_of(image)
    wanted = tuple(net.input_shape)
    if preprocessing is not None:
        check_pixels(image)
    given, image = image.shape, _with_channel(image, wanted, viewed=preprocessing is not None)
    if image.shape == wanted:
        return np.array(image, np.float32), None, None
    if image.ndim == 3 and image.shape[2] in (3, wanted[0]) and preprocessing is not None:
        frame = preprocessing.view.frame(image.shape[:2], wanted[1:])
        return net.view(image), _kept(image), frame
    other = (
        "; a net that was loaded with preprocessing= takes images of any size"
        if preprocessing is None
        else ", or an RGB image (height, width, 3)"
    )
    raise ImageError(f"the image has the shape {given}: want pixels {wanted} as net.view gives them{other}.")


def _with_channel(image: np.ndarray, wanted: tuple[int, ...], *, viewed: bool) -> np.ndarray:
    """A grey image (H, W) with a channel, for a net of one: the last if it is to be ``viewed``, else the first."""
    if wanted[0] != 1 or image.shape == wanted:
        return image
    if image.ndim == 2:
        image = image[..., None]
    return image if viewed or image.ndim != 3 or image.shape[2] != 1 else image.transpose(2, 0, 1)


def _kept(image: np.ndarray) -> np.ndarray | None:
    """An image (H, W, 3) of uint8 to draw the map on, which a grey one makes too; None of other numbers or channels."""
    if image.dtype != np.uint8 or image.shape[2] not in (1, 3):
        return None
    return np.repeat(image, 3 // image.shape[2], axis=2)


def numbers_of(image: Any) -> np.ndarray:
    """What somebody hands over as an image, as an array of finite numbers; an ImageError if none is made of it."""
    if isinstance(image, (str, bytes, os.PathLike)):
        raise ImageError(f"the image is {image!r}: want an array. `load_image` reads a file.")
    try:
        array = as_array(image)
    except ImageError:
        raise
    except Exception as error:  # whatever a stranger's array raises, such as a tensor with a gradient
        raise ImageError(f"the image is a {type(image).__name__}, and no array is made of it ({error}).") from error
    if array.ndim == 0:
        raise ImageError(
            f"the image is a {type(image).__name__}: want an array of numbers or a PIL image. `load_image` reads files."
        )
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not np.isfinite(array).all()):
        raise ImageError("the image holds NaN, infinity or what is no number: want finite numbers.")
    if array.size == 0:
        raise ImageError(f"the image has the shape {array.shape}, and no pixels.")
    return array


def find_targets(
    net: Net, base: np.ndarray, blob: str, settings: Settings, places: np.ndarray | None = None
) -> tuple[list[Target], Unit | None]:
    """Targets that a caller asked for, by default the predicted class, and the unit that they are held against.

    Parameters
    ----------
    base : array
        ``blob`` of the untouched image, without the batch axis.
    places : (P,) int array, optional
        Those of a map that each target is averaged over.
    """
    shape = lookup(net.blobs, blob)
    units: Sequence[UnitLike]
    if settings.channels is not None:
        if len(shape) < 2:
            raise SettingsError(f"blob {blob!r} is a vector {shape} without channels: give units instead.")
        units = [check_unit(shape[:1], channel, blob=blob) for channel in settings.channels]
    elif settings.units is not None:
        units = settings.units
    else:
        seen = base if places is None else base.reshape(len(base), -1)[:, places]
        units = _best(net, seen, blob, 1 if settings.top is None else settings.top)
    indices = [find_unit(net, blob, unit) for unit in units]
    other = None if settings.against is None else find_unit(net, blob, settings.against)
    if other in indices:
        raise SettingsError(f"class {settings.against} was to be held against itself: give another unit or class.")
    title = None if other is None else name(net, blob, other)
    where = "" if places is None else " in the mask"
    return [Target(blob, list(index), name(net, blob, index) + where, title) for index in indices], other


def highest(values: np.ndarray, count: int) -> list[tuple[int, float]]:
    """The classes with the highest of ``values`` (C, ...), what is beside the classes averaged: index and value."""
    per_class = values.reshape(channels(values.shape), -1).mean(axis=1)
    if not 1 <= count <= len(per_class):
        raise SettingsError(f"top = {count} is out of range: want 1 to {len(per_class)} classes.")
    return [(int(i), float(per_class[i])) for i in np.argsort(-per_class, kind="stable")[:count]]


def _best(net: Net, base: np.ndarray, blob: str, count: int) -> list[int]:
    if head_with(net, blob) is None and channels(base.shape) > 1:
        unsaid = "" if class_blob(net) is not None else f", or {SAY}"
        raise SettingsError(
            f"blob {blob!r} holds no classes: say which units or channels of it to explain (--unit){unsaid}."
        )
    return [number for number, _ in highest(base, count)]


def class_blob(net: Net) -> str | None:
    """The blob of classes that is looked at by default: the probabilities, else the scores; None without either."""
    return heads_of(net)[0].blob


def default_blob(net: Net) -> str:
    """`class_blob`, or the net's last blob where it has no classes."""
    return class_blob(net) or list(net.blobs)[-1]


def score_blob(net: Net) -> str | None:
    """The blob of classes that gradients are taken of by default: the scores, else the probabilities; None without."""
    return net.scores or net.output or None


def observed(net: Net, blob: str | None = None) -> str:
    """A blob of classes, by default `class_blob`; a SettingsError if it is none, or the net names none."""
    if blob is not None:
        lookup(net.blobs, blob)
        if head_with(net, blob) is None:
            known = [name for head in heads_of(net) for name in (head.scores, head.output) if name is not None]
            raise SettingsError(
                f"blob {blob!r} holds no classes: {'want ' + ' or '.join(map(repr, known)) if known else SAY}."
            )
        return blob
    blob = class_blob(net)
    if blob is None:
        raise SettingsError(f"net {net.name!r} names neither probabilities nor scores: {SAY}.")
    return blob


def outcomes(net: Net, abilities: NetAbilities, blob: str) -> int:
    """K of Laplace's correction for probabilities ``blob``."""
    head = head_with(net, blob)
    own = head.outcomes if head is not None and blob == head.output else None
    return own or abilities.outcomes or channels(net.blobs[blob])


def predicted(net: Net, pixels: np.ndarray, blob: str) -> Unit:
    """The unit of ``blob`` that is highest for the untouched picture, as `explain` takes it."""
    lookup(net.blobs, blob)
    values = net.forward(net.encode(pixels)[None], [blob])[blob][0]
    return tuple(_best(net, values, blob, 1))


def name(net: Net, blob: str, unit: Unit) -> str:
    """A class's label, or ``blob[index]``."""
    labels = class_labels(net, blob)
    if labels is not None:
        return str(labels[unit[0] if unit else 0])
    return f"{blob}[{', '.join(map(str, unit or [0]))}]"
