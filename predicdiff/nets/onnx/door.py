"""The door for ONNX files."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from ...errors import DependencyError, InputWarning, SettingsError, warn
from ...protocols import Net
from ..doors import Door, NetSettings
from ..modules.sources.brought import Brought
from .conversion import UnconvertedError, converted
from .metadata import labels_of, preprocessing_of, properties
from .model_file import read_model
from .net import OnnxNet
from .plain import IMAGES, plain
from .runtime import is_there
from .sizes import check_room


def takes(source: Any) -> bool:
    """Whether it is the path of an ONNX file, by its suffix."""
    return isinstance(source, (str, os.PathLike)) and Path(source).suffix.lower() == ".onnx"


def load(source: str | Path, settings: NetSettings) -> Net:
    """The net of an ONNX file: of a module of torch where onnx2torch can make it one, else run by onnxruntime."""
    path = Path(source)
    _refuse(path, settings)
    model = read_model(path)
    form = plain(model, settings, str(path))
    check_room(form.model, IMAGES, form.shape, path.stem, kept=False)
    about = properties(model)
    settings = replace(
        settings.with_own(preprocessing_of(about, str(path))),
        name=path.stem,
        labels=labels_of(about, form.classes) if settings.labels is None else settings.labels,
        output=None,
        output_is=form.kind,
        input_shape=form.shape,
        pick=None,
    )
    try:
        return Brought(converted(form, path.stem), path.stem, form.shape).net(settings)
    except UnconvertedError as error:
        why = str(error)
    if not is_there():
        raise DependencyError(
            f'{path}: {why}, and onnxruntime is not installed: pip install "predicdiff[onnx]", which needs no torch.'
        )
    net = OnnxNet(
        form.model.SerializeToString(), own=form.own, kind=form.kind, input_shape=form.shape, why=why,
        **settings.of_any_net,
    )  # fmt: skip
    warn(f"{path}: is run by onnxruntime, and wholly for each window, since {why}.", InputWarning)
    if settings.preprocessing is not None:
        settings.preprocessing.check_mean_image(net.input_shape)
    return cast(Net, net)


def _refuse(path: Path, settings: NetSettings) -> None:
    """Refuse what an ONNX file says itself, or can't be done with one."""
    if settings.engine != "torch":
        raise SettingsError(f"{path} is an ONNX file, which {settings.engine} can't run: leave the engine out.")
    if settings.weights is not None:
        raise SettingsError(f"{path} holds its weights itself: leave weights (--weights) out.")
    if settings.also not in ((), {}) or settings.box is not None:
        raise SettingsError(f"{path}: also and box (--box) are for modules, not for what an ONNX file takes and gives.")


DOOR = Door(takes, load, needs_torch=False)
