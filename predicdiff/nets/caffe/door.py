"""The door for a Caffe user's own files: a deploy prototxt and its caffemodel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from ...errors import InputWarning, SettingsError, WeightsError, warn
from ...protocols import Net
from ..doors import Door, NetSettings
from .caffemodel import read_caffemodel
from .heads import find_ends
from .prototxt import read_prototxt
from .resolved import resolve


def takes(source: Any) -> bool:
    """Whether a path is meant, rather than a name: by its looks, so that a mistyped one is called a missing file."""
    if not isinstance(source, str):
        return isinstance(source, os.PathLike)
    path = Path(source)
    return bool(path.suffix) or len(path.parts) > 1 or path.is_file()


def load(source: str | Path, settings: NetSettings) -> Net:
    """The net of a prototxt and the weights in ``settings``."""
    if settings.input_shape is not None:
        raise SettingsError(f"input_shape is said of a torch module; {source} knows its own.")
    path = Path(source)
    if settings.weights is None:
        read_prototxt(path)  # if it is none, that is the thing to say
        raise WeightsError(f"{path} holds the layers but no weights: give the caffemodel too (weights=..., --weights).")
    return caffe_net(path, settings.weights, settings)


def caffe_net(prototxt: Path, weights: Path, settings: NetSettings) -> Net:
    """The net of both files, run by the engine in ``settings``."""
    spec = read_prototxt(prototxt)  # if it is none, that is the thing to say
    ends = find_ends(resolve(spec), settings.output, settings.output_is)
    about = dict(settings.of_any_net, source=weights.name, ends=ends)
    if settings.engine == "caffe":
        from .pycaffe import CaffeNet

        net: Any = CaffeNet(prototxt, read_caffemodel(weights), **about)
    else:
        from .torch_net import CaffeTorchNet

        net = CaffeTorchNet(spec, read_caffemodel(weights), **about)
    for note in ends.notes:
        warn(f"{prototxt}: {note}", InputWarning)
    if settings.preprocessing is not None:
        settings.preprocessing.check_mean_image(net.input_shape)
    return cast(Net, net)


DOOR = Door(takes, load)
