"""The door for names of the manifest, and the preprocessing of the nets that have them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...images import View
from ...protocols import Net
from ..caffe.caffemodel import read_mean
from ..caffe.door import caffe_net
from ..doors import Door, NetSettings
from ..labels import load_labels
from ..modules.door import ARCHITECTURES, refuse_caffe
from ..modules.door import load as load_module
from ..preprocessing import Preprocessing
from .manifest import Entry, entry, models_dir, names
from .weights import mean_path, weights_path


def takes(source: Any) -> bool:
    """Whether it is a name of the manifest."""
    return isinstance(source, str) and source in names()


def load(name: str, settings: NetSettings) -> Net:
    """A net of the manifest; what the settings leave out the manifest says."""
    settings.refuse_shape(name)
    net = entry(name)
    if net.prototxt is None:
        refuse_caffe(settings.engine, net.name)
    weights = settings.weights or weights_path(net.name)
    settings = _completed(settings, net)
    if net.prototxt is not None:
        return caffe_net(models_dir() / net.prototxt, weights, settings)
    module = ARCHITECTURES[net.module or ""](weights, settings.device)
    return load_module(module, replace(settings, weights=None, input_shape=net.input_shape))


def known_preprocessing(net: Entry, *, own_mean: bool = True) -> Preprocessing:
    """Preprocessing of a net of the manifest; reads its mean image, and raises as `mean_path` does.

    Without its ``own_mean``, which another is to take the place of, no mean image need be there.
    """
    fields: dict[str, Any] = dict(net.preprocessing)
    view = View(**fields.pop("view"))
    path = mean_path(net.name) if own_mean else None
    if path is not None:
        fields["mean"] = read_mean(path)
    return Preprocessing(view=view, **fields)


def _completed(settings: NetSettings, net: Entry) -> NetSettings:
    instances = settings.training_instances
    return replace(
        settings if settings.preprocessing is not None else settings.with_own(known_preprocessing(net)),
        name=net.name,
        labels=load_labels(models_dir() / net.labels) if settings.labels is None else settings.labels,
        training_instances=net.training_instances if instances is None else instances,
    )


DOOR = Door(takes, load)
