"""Where nets come from: a name of the manifest, a Caffe user's files, or any torch module."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence, cast

from ..errors import DependencyError, SettingsError
from ..extras import absent, unfit
from ..files import as_path
from ..protocols import ENGINES, HasPrecision, Net
from .caffe.door import DOOR as PROTOTXT
from .caffe.door import facts_of
from .caffe.transformer import caffe_preprocessing
from .doors import Altered, Door, NetSettings
from .facts import NetFacts
from .fetching.door import DOOR as NAME
from .fetching.door import known_preprocessing
from .fetching.manifest import Entry, entry, manifest, models_dir, names
from .fetching.weights import Fetched, Status, cache_dir, fetch_net, mean_path, status, weights_path
from .labels import Labels, load_labels, read_labels
from .modules.door import DOOR as MODULE
from .modules.sources.exported import DOOR as EXPORTED
from .modules.sources.functions import DOOR as FUNCTION
from .modules.sources.hugging_face import DOOR as HUGGING_FACE
from .modules.sources.timm_nets import DOOR as TIMM
from .modules.sources.torchvision_nets import DOOR as TORCHVISION
from .onnx.door import DOOR as ONNX
from .preprocessing import Preprocessing
from .recipes import Recipe, remember

__all__ = [
    "Entry", "Fetched", "Status", "cache_dir", "caffe_preprocessing", "entry", "fetch_net", "known_preprocessing",
    "load_labels", "load_net", "manifest", "mean_path", "models_dir", "names", "status", "weights_path",
]  # fmt: skip

#: Kinds of sources: the first that takes a source loads it. A name of the manifest may look like a path.
DOORS: tuple[Door, ...] = (
    MODULE, NAME, TIMM, TORCHVISION, HUGGING_FACE, FUNCTION, ONNX, EXPORTED, PROTOTXT,
)  # fmt: skip

#: Those whose nets other processes make again, by the name or of the files, see `recipes`.
AGAIN = (NAME, ONNX, PROTOTXT)


def load_net(
    source: Any,
    *,
    weights: str | Path | None = None,
    preprocessing: Preprocessing | Altered | None = None,
    engine: str = "torch",
    input_shape: Sequence[int] | None = None,
    output: str | None = None,
    output_is: str | None = None,
    labels: str | Path | Labels | Sequence[Path] | None = None,
    training_instances: int | None = None,
    device: str | None = None,
    precision: str = "float32",
    pick: Any = None,
    also: Any = (),
    box: Sequence[float] | None = None,
) -> Net:
    """A classifier, ready to be explained.

    Parameters
    ----------
    source : str, path or torch.nn.Module
        A name of the manifest (`predicdiff.nets.zoo.names` lists them), the path of a Caffe prototxt, or a module. Of a
        net in training the deploy net is taken, and an `InputWarning` says what was done. Or "net.py:make", a file,
        whose code is run, and a function in it that makes a module; the path of an ONNX file; or that of a .pt2 of
        `torch.export`, which may run code too. Or "timm:NAME", "torchvision:NAME", "torchvision:NAME@WEIGHTS" or
        "hf:NAME", by which a library gives a net, with its weights, preprocessing and labels; or a folder that
        `save_pretrained` wrote, none of whose code is run.
    weights : path, optional
        A caffemodel for a prototxt; for a net of the manifest, a file to take in place of the one that was fetched. For
        a module of a file, or in place of a library's own, a .safetensors or .pth, of which tensors alone are read.
    preprocessing : Preprocessing, or function, optional
        From images to inputs. Without one a net takes its own, where its source says one; for others pixels are inputs.
        A function is given the net's own, or None, and returns what takes its place.
        `predicdiff.nets.zoo.caffe_preprocessing` makes one from Caffe's words.
    engine : {"torch", "caffe"}
        What computes a Caffe net: torch, by far the faster, or Caffe itself through pycaffe.
    input_shape : (C, H, W)
        Of a module's input, or where a prototxt does not say it itself, as that of a net in training may not, or an
        ONNX file.
    output : str, optional
        The blob of a prototxt that is its output: probabilities, or the scores before a softmax or sigmoid. By default
        what the last Softmax makes with no layer behind it that has learnt anything, else a Sigmoid at the end, else
        the last blob of an InnerProduct or a Convolution that nothing reads. Of a module, the same as ``output_is``.
    output_is : {"logits", "sigmoid", "probabilities", "activation"}, optional
        What a module returns, or a prototxt's output holds where no Softmax or Sigmoid says so: scores whose softmax,
        or each one's sigmoid, is the probability, which gives the net a blob "prob"; probabilities; or something else.
        By default logits. With "activation" the net has no probabilities.
    labels : path or sequence of str, optional
        One for each class; a path is read by `predicdiff.nets.zoo.load_labels`. For a net of several outputs a list of
        such lists or paths, which go to the outputs of as many classes, or a dict by the outputs' blobs.
    training_instances : int, optional
        N of Laplace's correction; otherwise the manifest's, or 1,281,167.
    device : str, optional
        As torch names it: cpu, cuda or cuda:1; by default a GPU if there is one, but for a module where it lies.
    precision : {"float32", "tf32", "bfloat16"}
        In what products are computed; the others are for speed on a GPU. `predicdiff.effort.precision_gap` says what
        they change.
    pick : str, int or callable, optional
        Of a module that returns a dict, a tuple or the like: the key or the index of the output to explain, or a
        function from what it returns to a tensor. By default the only output that fits, or the one called "logits". Of
        an ONNX file the output's name or index.
    also : tuple or dict
        What a module takes besides images, the same in every call: by place or by name. See `ModuleNet`.
    box : (row, column, height, width), optional
        Of a detector, in the pixels that the net sees: its best score times overlap with this box is explained, for
        each class. ``net.for_box`` gives the net for another box. See `ModuleNet`.

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

    Examples
    --------
    >>> import torch
    >>> import predicdiff as pd
    >>> module = torch.nn.Sequential(torch.nn.AvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(12, 2))
    >>> net = pd.load_net(module, input_shape=(3, 8, 8), preprocessing=pd.Preprocessing(raw_scale=1.0))
    >>> net.blobs["prob"], net.input_shape
    ((2,), (3, 8, 8))
    >>> pd.load_net("nonesuch")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    predicdiff.errors.SettingsError: ...
    """
    if not (preprocessing is None or isinstance(preprocessing, Preprocessing) or callable(preprocessing)):
        raise SettingsError(
            f"preprocessing is a {type(preprocessing).__name__}: want a Preprocessing, or None where pixels are inputs."
        )
    door = _door(source)
    _check_engine(engine, precision, door)
    settings = NetSettings(
        weights=None if weights is None else as_path(weights, "weights"),
        preprocessing=preprocessing if isinstance(preprocessing, Preprocessing) else None,
        altered=None if isinstance(preprocessing, Preprocessing) else preprocessing,
        engine=engine,
        input_shape=input_shape,
        output=output,
        output_is=output_is,
        labels=read_labels(labels),
        training_instances=training_instances,
        device=device,
        pick=pick,
        also=also,
        box=box,
    )
    net = door.load(source, settings)
    if precision != "float32":
        cast(HasPrecision, net).precision = precision
    if door in AGAIN and pick is None and not also and box is None:
        names = ("engine", "input_shape", "output", "output_is", "labels", "training_instances", "device")
        told = {name: getattr(settings, name) for name in names}
        remember(net, source if door is NAME else os.path.abspath(source), {
            **told, "weights": None if weights is None else os.path.abspath(weights), "precision": precision,
        })  # fmt: skip
    return net


def made_again(recipe: Recipe) -> Net | None:
    """The net of a recipe, in a process where its files may lie; None where they don't, or others do."""
    return recipe.made(load_net)


def caffe_facts(
    source: Any, input_shape: Sequence[int] | None = None, output: str | None = None, output_is: str | None = None
) -> NetFacts | None:
    """What is known of a Caffe net without its weights; None for nets of other kinds.

    Parameters
    ----------
    source : str or path
        A name of the manifest, or the path of a prototxt.
    input_shape, output, output_is
        As for `load_net`.

    Raises
    ------
    BlobError, SettingsError, FormatError
        As for `load_net`.
    """
    settings = NetSettings(input_shape=input_shape, output=output, output_is=output_is)
    if NAME.takes(source):
        known = entry(source)
        settings.refuse_shape(source)
        of_list = known.prototxt and facts_of(models_dir() / known.prototxt, replace(settings, name=known.name))
        return of_list or None
    return facts_of(Path(source), settings) if is_prototxt(source) else None


def is_prototxt(source: Any) -> bool:
    """Whether a source is the path of a Caffe prototxt, which is what stands behind the last door."""
    return _first_door(source) is PROTOTXT


def _first_door(source: Any) -> Door | None:
    return next((door for door in DOORS if door.takes(source)), None)


def _door(source: Any) -> Door:
    door = _first_door(source)
    if door is not None:
        return door
    if isinstance(source, str):
        entry(source)  # raises: no net has this name
    raise SettingsError(f"a net is a name, the path of a prototxt or a torch.nn.Module, not a {type(source).__name__}.")


def _check_engine(engine: str, precision: str, door: Door) -> None:
    """Refuse an engine that is unknown or not installed, before anything is read or fetched."""
    if engine == "caffe":
        if precision != "float32":
            raise SettingsError(f"precision {precision} is torch's: with the engine caffe want float32.")
        from .caffe.process import import_caffe

        import_caffe()
        return
    if engine != "torch":
        raise SettingsError(f"engine {engine!r} is unknown: want one of {', '.join(ENGINES)}.")
    if not door.needs_torch:
        return
    try:
        import torch  # noqa: F401
    except (ImportError, OSError, MemoryError) as error:
        if not absent("torch"):
            raise DependencyError(
                f"{unfit('torch', error)}: it is damaged, or wants more memory than a limit, such as that of ulimit, "
                "leaves. Raise the limit, or install torch anew."
            ) from error
        raise DependencyError(
            f'torch is not installed ({error}): pip install "predicdiff[torch]", or where there is pycaffe take the '
            "engine caffe (--engine caffe)."
        ) from error
