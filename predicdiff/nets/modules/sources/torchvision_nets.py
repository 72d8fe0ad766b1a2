"""The door for torchvision's nets by name: ``torchvision:resnet50``, or ``torchvision:resnet50@IMAGENET1K_V1``."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import Any

from ....errors import SettingsError
from ....extras import imported
from ....images import View
from ....protocols import Net
from ...doors import Door, NetSettings
from ...preprocessing import Preprocessing
from ..door import refuse_caffe
from .brought import Brought
from .libraries import TOLD, called, meant

PREFIX = "torchvision:"
#: The first version that finds nets and weights by their names.
LEAST = "0.14"


def takes(source: Any) -> bool:
    """Whether it is ``torchvision:`` and a name."""
    return isinstance(source, str) and source.startswith(PREFIX)


def load(source: str, settings: NetSettings) -> Net:
    """The net of a name, with the weights of a name, its best ones by default, or those of a file."""
    refuse_caffe(settings.engine, source)
    models = imported("torchvision.models", "torchvision", LEAST)
    name, _, called_weights = source[len(PREFIX) :].partition("@")
    weights = _weights(models, name, called_weights)
    preprocessing, size = _read(weights, source)
    module = _module(models, name, weights, source, settings)
    labels = list(weights.meta.get("categories", ()))
    return Brought(
        module,
        name=source,
        input_shape=settings.input_shape or (3, *size),
        preprocessing=preprocessing,
        labels=labels if len(labels) == len(_head(module)[1].weight) else None,
        library="torchvision",
    ).net(settings)


def _weights(models: Any, name: str, called_weights: str) -> Any:
    """torchvision's entry for the weights of a net; errors name those that there are."""
    if name not in models.list_models():
        near = get_close_matches(name, models.list_models(), n=TOLD, cutoff=0.5)
        raise SettingsError(f"torchvision has no net {name!r}.{meant(near, PREFIX)}")
    known = models.get_model_weights(name)
    if called_weights and called_weights not in known.__members__:
        told = ", ".join(entry.name for entry in known)
        raise SettingsError(f"torchvision's {name!r} has no weights {called_weights!r}: want one of {told}.")
    return known[called_weights] if called_weights else known.DEFAULT


def _module(models: Any, name: str, weights: Any, source: str, settings: NetSettings) -> Any:
    """torchvision's module with the weights of its own, or those of a file, which may be for other classes."""
    if settings.weights is None:
        with called(source):
            return models.get_model(name, weights=weights, progress=sys.stderr.isatty())
    from ..weight_files import load_state, read_state

    tensors = read_state(settings.weights)
    with called(source, downloads=False):
        # "_backbone" where a net has one, whose weights would be downloaded too
        how = {} if type(weights).__module__.split(".")[2] != "segmentation" else {"weights_backbone": None}
        module = models.get_model(name, weights=None, **how)
        path, head = _head(module)
        came = tensors.get(f"{path}.weight")
        if came is not None and len(came) != len(head.weight):  # trained anew for other classes
            module = models.get_model(name, weights=None, num_classes=len(came), **how)
    load_state(module, settings.weights, tensors)
    return module


def _head(module: Any) -> tuple[str, Any]:
    """The layer that a net ends in, and its name: the last that has learnt of values at a place."""
    from torch import nn

    return [(path, part) for path, part in module.named_modules() if isinstance(part, (nn.Linear, nn.Conv2d))][-1]


def _read(weights: Any, source: str) -> tuple[Preprocessing, tuple[int, int]]:
    """What the transforms that go with weights do, and the height and width of what comes out."""
    presets = imported("torchvision.transforms._presets", "torchvision", LEAST)
    transforms = weights.transforms()
    if isinstance(transforms, presets.ImageClassification):
        side = transforms.crop_size[0]
    elif isinstance(transforms, presets.SemanticSegmentation):
        side = transforms.resize_size[0]  # it takes images of any size: the middle of one is seen
    else:
        raise SettingsError(
            f"{source} neither classifies images nor their places ({type(transforms).__name__}): give the module "
            "itself to load_net, and say which of its outputs is explained (pick=)."
        )
    view = View("short", transforms.resize_size[0], resampling=transforms.interpolation.value, centre="even")
    scale = [1 / deviation for deviation in transforms.std]
    return Preprocessing(view, mean=transforms.mean, raw_scale=1.0, scale=scale), (side, side)


DOOR = Door(takes, load)
