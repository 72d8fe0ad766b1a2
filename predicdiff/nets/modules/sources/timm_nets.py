"""The door for nets of timm by their names: ``timm:resnet50.a1_in1k``."""

from __future__ import annotations

import math
from difflib import get_close_matches
from typing import Any, Mapping

from ....errors import SettingsError, WeightsError
from ....extras import imported
from ....images import View
from ....protocols import Net
from ...doors import Door, NetSettings
from ...preprocessing import Preprocessing
from ..door import refuse_caffe
from .brought import Brought
from .libraries import TOLD, called, meant

PREFIX = "timm:"
#: The first version that has all that is asked of it here.
LEAST = "1.0"
#: What timm itself takes from elsewhere, by names that are not its own.
ELSEWHERE = ("hf-hub:", "hf_hub:", "local-dir:")


def takes(source: Any) -> bool:
    """Whether it is ``timm:`` and a name."""
    return isinstance(source, str) and source.startswith(PREFIX)


def load(source: str, settings: NetSettings) -> Net:
    """The net of a name, with timm's weights, or those of a file."""
    refuse_caffe(settings.engine, source)
    timm = imported("timm", "timm", LEAST)
    name = source[len(PREFIX) :]
    if not name.startswith(ELSEWHERE):
        _check_name(timm, name, with_weights=settings.weights is None)
    module = _module(timm, name, settings)
    with called(source, downloads=False):
        config = timm.data.resolve_model_data_config(module)
    shape = tuple(settings.input_shape or config["input_size"])
    brought = Brought(
        module,
        name=source,
        input_shape=shape,
        preprocessing=_preprocessing(source, config, shape),
        labels=_labels(timm, module),
        output_is="logits" if module.num_classes else "activation",
        library="timm",
    )
    return brought.net(settings)


def _module(timm: Any, name: str, settings: NetSettings) -> Any:
    """timm's module, of the size that was asked for, with its weights or those of the file."""
    how: dict[str, Any] = {}
    if settings.input_shape is not None:
        config = timm.get_pretrained_cfg(name.partition(":")[2] or name)
        channels, *size = settings.input_shape
        how = {"in_chans": channels}
        if config is not None and config.fixed_input_size:
            how["img_size"] = tuple(size)
    if settings.weights is None:
        with called(PREFIX + name):
            return timm.create_model(name, pretrained=True, **how)
    from ..weight_files import load_state, read_state

    tensors = read_state(settings.weights)
    with called(PREFIX + name, downloads=False):
        module = timm.create_model(name, pretrained=False, **how)
        head = tensors.get(f"{module.pretrained_cfg.get('classifier')}.weight")
        if head is not None and len(head) != module.num_classes:  # trained anew for other classes
            module = timm.create_model(name, pretrained=False, num_classes=len(head), **how)
    load_state(module, settings.weights, tensors)
    return module


def _check_name(timm: Any, name: str, *, with_weights: bool) -> None:
    """Refuse a name that timm does not have, or has no weights for, with those that are like it."""
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models(), n=TOLD, cutoff=0.5)
        told = meant(near, PREFIX) or " `import timm; timm.list_models()` lists all."
        raise SettingsError(f"timm {timm.__version__} has no net {architecture!r}.{told}")
    known = timm.list_pretrained(architecture)
    if tag and name not in known:
        near = get_close_matches(name, known, n=TOLD, cutoff=0) or known[:TOLD]
        raise SettingsError(f"timm {timm.__version__} has no {tag!r} of {architecture!r}.{meant(near, PREFIX)}")
    if with_weights and not known:
        raise WeightsError(
            f"timm {timm.__version__} has no weights for {name!r}: give a file of them (weights=..., --weights FILE)."
        )


def _preprocessing(source: str, config: Mapping[str, Any], shape: tuple[int, ...]) -> Preprocessing:
    """What timm's own transform for evaluation does, by the configuration of the data that the net was trained on."""
    mode, resampling = config["crop_mode"], config["interpolation"]
    if mode not in ("center", "squash") or config["crop_pct"] > 1:
        raise SettingsError(
            f"{source} wants images with a border, which is not known here: want a net that sees the centre of an "
            "image, or all of it, or give the module itself and its preprocessing (load_net)."
        )
    size = (math.floor(shape[1] / config["crop_pct"]), math.floor(shape[2] / config["crop_pct"]))
    kept = "short" if size[0] == size[1] else "cover"  # timm rounds these differently
    view = View("warp" if mode == "squash" else kept, size, resampling=resampling, centre="even")
    return Preprocessing(view, mean=config["mean"], raw_scale=1.0, scale=[1 / deviation for deviation in config["std"]])


def _labels(timm: Any, module: Any) -> list[str] | None:
    """The names of the classes that the weights say, or ImageNet's where the net has so many classes as one of them."""
    config = module.pretrained_cfg
    if config.get("num_classes") != module.num_classes:
        return None
    names, described = config.get("label_names"), config.get("label_descriptions") or {}
    if isinstance(names, Mapping):
        names = [names[index] for index in sorted(names, key=int)]
    if names:
        return [str(described.get(name, name)) for name in names]
    subset = timm.data.infer_imagenet_subset(module)
    return None if subset is None else list(timm.data.ImageNetInfo(subset).label_descriptions())


DOOR = Door(takes, load)
