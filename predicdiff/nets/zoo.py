"""Where nets come from: a name of the manifest, a Caffe user's files, or any torch module."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Callable, Sequence, Union, cast

import numpy as np

from ..errors import DependencyError, SettingsError, WeightsError
from ..images import View
from ..protocols import ENGINES, Net
from .caffe.caffemodel import read_caffemodel, read_mean
from .caffe.prototxt import read_prototxt
from .caffe.transformer import caffe_preprocessing
from .fetching.manifest import Entry, entry, manifest, models_dir, names
from .fetching.weights import Fetched, Status, cache_dir, fetch_net, mean_path, status, weights_path
from .labels import load_labels
from .preprocessing import Preprocessing

__all__ = [
    "Entry",
    "Fetched",
    "Status",
    "cache_dir",
    "caffe_preprocessing",
    "entry",
    "fetch_net",
    "known_preprocessing",
    "load_labels",
    "load_net",
    "manifest",
    "mean_path",
    "models_dir",
    "names",
    "status",
    "weights_path",
]

PathLike = Union[str, Path]


def load_net(
    source: Any,
    *,
    weights: PathLike | None = None,
    preprocessing: Preprocessing | None = None,
    engine: str = "torch",
    input_shape: Sequence[int] | None = None,
    output: str = "logits",
    labels: PathLike | Sequence[str] | None = None,
    training_instances: int | None = None,
    device: str | None = None,
    precision: str = "float32",
) -> Net:
    """A classifier, ready to be explained.

    Parameters
    ----------
    source : str, path or torch.nn.Module
        A name of the manifest (`names`), the path of a Caffe deploy prototxt, or a module.
    weights : path, optional
        A caffemodel for a prototxt; for a net of the manifest, a file to take in place of the one that was fetched.
    preprocessing : Preprocessing, optional
        From images to inputs. Without one a net of the manifest takes its own; for others pixels are inputs. See
        `caffe_preprocessing` for Caffe's words.
    engine : {"torch", "caffe"}
        What computes a Caffe net: torch, by far the faster, or Caffe itself through pycaffe.
    input_shape : (C, H, W)
        Of a module's input; a prototxt says so itself.
    output : {"logits", "sigmoid", "probabilities"}
        What a module ends in.
    labels : path or sequence of str, optional
        One for each class; a path is read by `load_labels`.
    training_instances : int, optional
        N of Laplace's correction; otherwise the manifest's, or 1,281,167.
    device : str, optional
        As torch names it: cpu, cuda or cuda:1; by default a GPU if there is one.
    precision : {"float32", "tf32", "bfloat16"}
        In what products are computed; the others are for speed on a GPU. `effort.precision_gap` says what they change.

    Raises
    ------
    SettingsError
        If no net has this name, or a setting does not go with the kind of source.
    WeightsError
        If weights are missing, changed or another net's.
    FormatError
        If a file cannot be read.
    DependencyError
        If the engine is not installed.
    """
    _check_engine(engine, precision)
    if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
        raise SettingsError(
            f"preprocessing is a {type(preprocessing).__name__}: want a Preprocessing, or None where pixels are inputs."
        )
    common = {
        "labels": load_labels(labels) if isinstance(labels, (str, os.PathLike)) else labels,
        "training_instances": training_instances,
        "device": device,
    }
    net: Net = _load(source, engine, weights, preprocessing, input_shape, output, common)
    if precision != "float32":
        net.precision = precision  # type: ignore[attr-defined]
    return net


def _load(
    source: Any,
    engine: str,
    weights: PathLike | None,
    preprocessing: Preprocessing | None,
    input_shape: Sequence[int] | None,
    output: str,
    common: dict[str, Any],
) -> Any:
    if _is_module(source):
        _check_torch(engine, type(source).__name__)
        return _from_module(source, weights, preprocessing, input_shape, output, common)
    if not isinstance(source, (str, os.PathLike)):
        raise SettingsError(
            f"a net is a name, the path of a prototxt or a torch.nn.Module, not a {type(source).__name__}."
        )
    if input_shape is not None or output != "logits":
        raise SettingsError(f"input_shape and output are said of a torch module; {source} knows its own.")
    if _is_path(source):
        return _from_prototxt(Path(source), engine, weights, preprocessing, common)
    return _from_manifest(entry(str(source)), engine, weights, preprocessing, common)


def known_preprocessing(net: Entry) -> Preprocessing:
    """Preprocessing of a net of the manifest; reads its mean image, and raises as `mean_path` does."""
    fields: dict[str, Any] = dict(net.preprocessing)
    view = View(**fields.pop("view"))
    path = mean_path(net.name)
    if path is not None:
        fields["mean"] = read_mean(path)
    return Preprocessing(view=view, **fields)


def _from_manifest(
    net: Entry, engine: str, weights: PathLike | None, preprocessing: Preprocessing | None, common: dict[str, Any]
) -> Net:
    if net.prototxt is None:
        _check_torch(engine, net.name)
    path = weights_path(net.name) if weights is None else Path(weights)
    preprocessing = preprocessing or known_preprocessing(net)
    if common["labels"] is None:
        common = dict(common, labels=load_labels(models_dir() / net.labels))
    if common["training_instances"] is None:
        common = dict(common, training_instances=net.training_instances)
    if net.prototxt is not None:
        return _caffe_net(models_dir() / net.prototxt, engine, path, preprocessing, dict(common, name=net.name))
    module = MODULES[net.module or ""](path)
    return _from_module(module, None, preprocessing, net.input_shape, "logits", dict(common, name=net.name))


def _from_prototxt(
    path: Path, engine: str, weights: PathLike | None, preprocessing: Preprocessing | None, common: dict[str, Any]
) -> Net:
    if weights is None:
        read_prototxt(path)  # if it is none, that is the thing to say
        raise WeightsError(f"{path} holds the layers but no weights: give the caffemodel too (weights=..., --weights).")
    return _caffe_net(path, engine, Path(weights), preprocessing, common)


def _caffe_net(
    path: Path, engine: str, weights: Path, preprocessing: Preprocessing | None, common: dict[str, Any]
) -> Net:
    about = dict(common, preprocessing=preprocessing, source=weights.name)
    if engine == "caffe":
        from .caffe.pycaffe import CaffeNet

        read_prototxt(path)  # if it is none, that is the thing to say
        net: Any = CaffeNet(path, read_caffemodel(weights), **about)
    else:
        from .caffe.torch_net import CaffeTorchNet

        net = CaffeTorchNet(read_prototxt(path), read_caffemodel(weights), **about)
    _check_mean_image(preprocessing, net.input_shape)
    return cast(Net, net)


def _from_module(
    module: Any,
    weights: PathLike | None,
    preprocessing: Preprocessing | None,
    input_shape: Any,
    output: str,
    common: dict[str, Any],
) -> Net:
    from .modules.net import ModuleNet

    if weights is not None:
        raise SettingsError("a module brings its weights along: load them into it, and leave `weights` out.")
    if input_shape is None:
        raise SettingsError("a module does not say what it takes: give input_shape=(channels, height, width).")
    net = ModuleNet(module, input_shape=input_shape, output=output, preprocessing=preprocessing, **common)
    _check_mean_image(preprocessing, net.input_shape)
    return net


def _check_mean_image(preprocessing: Preprocessing | None, input_shape: tuple[int, ...]) -> None:
    """Refuse a mean image that belongs to images of another size."""
    if preprocessing is None or preprocessing.mean is None or preprocessing.view.mode != "warp":
        return
    crop, shape, size = tuple(input_shape[1:]), np.shape(preprocessing.mean)[1:], preprocessing.view.size
    resized = crop if size is None else (size, size) if isinstance(size, int) else tuple(size)
    if shape not in ((), resized, crop):
        raise SettingsError(
            f"the mean image is {shape[0]} x {shape[1]}, but images are resized to {resized[0]} x {resized[1]} and "
            f"cropped to {crop[0]} x {crop[1]}: want a mean image of one of these sizes, or another --image-size."
        )


def _check_engine(engine: str, precision: str) -> None:
    """Refuse an engine that is unknown or not installed, before anything is read or fetched."""
    if engine == "caffe":
        if precision != "float32":
            raise SettingsError(f"precision {precision} is torch's: with the engine caffe want float32.")
        from .caffe.process import import_caffe

        import_caffe()
        return
    if engine != "torch":
        raise SettingsError(f"engine {engine!r} is unknown: want one of {', '.join(ENGINES)}.")
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            f'torch is not installed ({error}): pip install "predicdiff[torch]", or where there is pycaffe take the '
            "engine caffe (--engine caffe)."
        ) from error


def _check_torch(engine: str, name: str) -> None:
    if engine != "torch":
        raise SettingsError(
            f"{name} is a torch module, which Caffe can't run: want the engine torch, or a Caffe net (--net googlenet)."
        )


def _is_module(source: Any) -> bool:
    torch = sys.modules.get("torch")  # who has a module has imported torch
    return torch is not None and isinstance(source, torch.nn.Module)


def _is_path(source: str | os.PathLike[str]) -> bool:
    """Whether a path is meant, rather than a name: by its looks, so that a mistyped one is called a missing file."""
    path = Path(source)
    named = isinstance(source, str) and source in manifest()
    return not named and (not isinstance(source, str) or bool(path.suffix) or len(path.parts) > 1 or path.is_file())


def _efficientnet_lite0(path: Path) -> Any:
    from .modules import efficientnet_lite

    return efficientnet_lite.load(path)


#: Architectures that the manifest names, each a function from the weights' path to a module.
MODULES: dict[str, Callable[[Path], Any]] = {"efficientnet_lite0": _efficientnet_lite0}
