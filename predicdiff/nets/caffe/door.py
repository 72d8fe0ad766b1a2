"""The door for a Caffe user's own files: a prototxt and its caffemodel."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from ...errors import InputWarning, WeightsError, warn
from ...protocols import Net
from ...windows import by
from ..arrays import checked_shape
from ..doors import Door, NetSettings
from ..facts import NetFacts
from .caffemodel import read_caffemodel
from .colours import input_shape_for
from .foreign import planned
from .heads import Ends, find_ends, finished
from .prototxt import Prototxt, named, read_file
from .resolved import resolve


def takes(source: Any) -> bool:
    """Whether a path is meant, rather than a name: by its looks, so that a mistyped one is called a missing file."""
    if not isinstance(source, str):
        return isinstance(source, os.PathLike)
    path = Path(source)
    return bool(path.suffix) or len(path.parts) > 1 or path.is_file()


def load(source: str | Path, settings: NetSettings) -> Net:
    """The net of a prototxt and the weights in ``settings``."""
    settings.refuse_asking(source)
    path = Path(source)
    if settings.weights is None:
        plan(path, settings)  # if it is none, that is the thing to say
        raise WeightsError(f"{path} holds the layers but no weights: give the caffemodel too (weights=..., --weights).")
    return caffe_net(path, settings.weights, settings)


def caffe_net(prototxt: Path, weights: Path, settings: NetSettings) -> Net:
    """The net of both files, run by the engine in ``settings``."""
    file, ends, facts = plan(prototxt, settings)
    arrays = read_caffemodel(weights)
    with named(prototxt):
        input_shape = input_shape_for(file, arrays, settings.input_shape, weights.name)
    if input_shape is not settings.input_shape:
        settings = replace(settings, input_shape=input_shape)
        file, ends, facts = plan(prototxt, settings)
    _tell(prototxt, file, f"; {_images(facts)}")
    about = dict(settings.of_any_net, source=weights.name, ends=ends)
    with named(prototxt):
        if settings.engine == "caffe":
            from .pycaffe import CaffeNet

            about.update(input_shape=settings.input_shape, output=settings.output)
            net: Any = CaffeNet(prototxt, arrays, **about)
        else:
            from .torch_net import CaffeTorchNet

            net = CaffeTorchNet(file.spec, arrays, **about)
    for note in ends.notes:
        warn(f"{prototxt}: {note}", InputWarning)
    if settings.preprocessing is not None:
        settings.preprocessing.check_mean_image(net.input_shape)
    return cast(Net, net)


def facts_of(prototxt: Path, settings: NetSettings) -> NetFacts:
    """What is known of the net of a prototxt without its weights."""
    file, _, facts = plan(prototxt, settings)
    _tell(prototxt, file)
    return facts


def _tell(prototxt: Path, file: Prototxt, more: str = "") -> None:
    if file.done:
        warn(f"{prototxt}: its deploy net is made of it: {file.done}{more}.", InputWarning)


def plan(prototxt: Path, settings: NetSettings) -> tuple[Prototxt, Ends, NetFacts]:
    """The file as it was read, what its net ends in, and what is known of it without weights; errors name the file."""
    shape = None if settings.input_shape is None else checked_shape(settings.input_shape)
    if settings.engine == "caffe":
        for_caffe = planned(prototxt, shape, output=settings.output)
        file, net = for_caffe.file, for_caffe.resolved
    else:
        file = read_file(prototxt, shape, output=settings.output)
        with named(prototxt):
            net = resolve(file.spec)
    with named(prototxt):
        ends = find_ends(net, settings.output, settings.output_is, file.holds)
        _, facts = finished(net, ends, name=settings.name, preprocessing=settings.preprocessing)
    return file, ends, facts


def _images(facts: NetFacts) -> str:
    """What is done to images, for the note on a net in training."""
    if facts.preprocessing is None:
        return "pixels are its inputs"
    preprocessing = facts.preprocessing.settled(facts.input_shape)
    mean, scale = preprocessing.mean, preprocessing.scale
    less = "without a mean taken away"
    if mean is not None:
        shape = np.shape(mean)
        values = f"image of {by(shape[1:])}" if len(shape) > 1 else ", ".join(f"{value:g}" for value in mean)
        less = f"less the mean {values}"
    return f"images {less}" + ("" if np.all(np.asarray(scale) == 1) else f", times {scale}")


DOOR = Door(takes, load)
