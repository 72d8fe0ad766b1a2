"""The door for Hugging Face's image classifiers: ``hf:microsoft/resnet-50``, or a folder that save_pretrained wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ....errors import FormatError, SettingsError, WeightsError
from ....extras import imported
from ....files import regular
from ....protocols import Net
from ...doors import Door, NetSettings
from ..door import refuse_caffe
from . import timm_nets
from .brought import Brought
from .image_processors import hold, read
from .libraries import called

PREFIX = "hf:"
#: The first version that says by itself when it can't read weights without pickle's powers.
LEAST = "4.48"
#: What a net's outputs mean, by the kind of problem that its configuration names.
PROBLEMS = {"multi_label_classification": "sigmoid", "regression": "activation"}


def takes(source: Any) -> bool:
    """Whether it is ``hf:`` and a name, or a folder."""
    if isinstance(source, str) and source.startswith(PREFIX):
        return True
    return isinstance(source, (str, os.PathLike)) and Path(source).is_dir()


def load(source: str | Path, settings: NetSettings) -> Net:
    """The net of a name on the hub or in a folder, none of whose code is run, with its weights or those of a file."""
    refuse_caffe(settings.engine, str(source))
    if isinstance(source, str) and source.startswith(PREFIX):
        return _load(source, source[len(PREFIX) :], settings, on_hub=True)
    folder = Path(source)
    if "architecture" in _config(folder):  # as timm writes it
        return timm_nets.load(f"{timm_nets.PREFIX}local-dir:{folder}", settings)
    return _load(folder.resolve().name, str(folder), settings, on_hub=False)


def _load(name: str, place: str, settings: NetSettings, *, on_hub: bool) -> Net:
    transformers = imported("transformers", "hf", LEAST)
    how: dict[str, Any] = {"trust_remote_code": False}
    if on_hub and "@" in place:
        place, how["revision"] = place.split("@", 1)
    with called(name, downloads=on_hub), _without_bars(transformers):
        config = transformers.AutoConfig.from_pretrained(place, **how)
        if config.model_type == "timm_wrapper":
            return timm_nets.load(f"{timm_nets.PREFIX}{'hf-hub' if on_hub else 'local-dir'}:{place}", settings)
        module = _module(transformers, name, place, config, settings.weights, how)
        processor = None if settings.preprocessing is not None else _processor(transformers, place, how)
        own = None if processor is None else read(processor, name)
        if own is not None:
            hold(own.preprocessing, processor, own.size, name)
    if own is None and settings.preprocessing is None and settings.altered is None:
        raise SettingsError(
            f"{name} has no image processor, which says how pictures go in: give preprocessing=, or --mean, "
            "--raw-scale and --input-scale."
        )
    return Brought(
        module,
        name=name,
        input_shape=settings.input_shape
        or (config.to_dict().get("num_channels", 3), *(own.size if own else _size(config, name))),
        preprocessing=None if own is None else own.preprocessing,
        labels=_labels(config),
        output_is=PROBLEMS.get(config.problem_type or "", "logits"),
        library="transformers",
    ).net(settings)


def _module(transformers: Any, name: str, place: str, config: Any, weights: Path | None, how: dict[str, Any]) -> Any:
    """The classifier in float32, with its own weights, which must be all that it has, or those of a file."""
    automatic = transformers.AutoModelForImageClassification
    if weights is not None:
        from ..weight_files import load_state

        module = automatic.from_config(config, trust_remote_code=False).float()
        load_state(module, weights)
        return module
    module, found = automatic.from_pretrained(place, config=config, output_loading_info=True, weights_only=True, **how)
    lacking = sorted(map(str, found["missing_keys"]))
    if lacking:
        raise WeightsError(
            f"{name} has no weights for {', '.join(lacking[:3])}: it was not trained to classify images. Want one that "
            "was, or a file of its weights (weights=..., --weights FILE)."
        )
    return module.float()


def _processor(transformers: Any, place: str, how: dict[str, Any]) -> Any:
    """The image processor; None if there is none."""
    try:
        return transformers.AutoImageProcessor.from_pretrained(place, **how)
    except OSError as error:
        if "preprocessor_config.json" in str(error):
            return None
        raise


def _size(config: Any, name: str) -> tuple[int, int]:
    """Height and width that a configuration names."""
    size = config.to_dict().get("image_size")
    if size is None:
        raise SettingsError(f"{name} does not say what it takes: give input_shape=(channels, height, width).")
    return (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))


def _labels(config: Any) -> list[str] | None:
    """The names of the classes, where they are more than numbers."""
    names = [str(config.id2label[index]) for index in sorted(config.id2label)]
    return None if names == [f"LABEL_{index}" for index in range(len(names))] else names


def _config(folder: Path) -> dict[str, Any]:
    """What a folder says of its net; nothing in it may be a pipe or a device, since libraries open what they like."""
    path = folder / "config.json"
    try:
        for entry in folder.iterdir():
            if not entry.is_dir():
                regular(entry, FormatError)
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FormatError(
            f"{folder}: is a folder without config.json: want one that save_pretrained wrote, or the path of a file."
        ) from None
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({error}).") from error
    if not isinstance(config, dict):
        raise FormatError(f"{path}: holds a {type(config).__name__}, want what save_pretrained writes.")
    return config


@contextmanager
def _without_bars(transformers: Any) -> Iterator[None]:
    """Without bars for weights that are read from the disk."""
    logging = transformers.utils.logging
    before = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if before:
            logging.enable_progress_bar()


DOOR = Door(takes, load)
