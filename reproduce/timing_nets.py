"""The nets that are timed, each also as anyone would write it in torch: one plain function after the other, NCHW."""

from __future__ import annotations

import copy
import importlib
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from predicdiff.errors import DependencyError, SettingsError
from predicdiff.images import View
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.resolved import ResolvedNet, resolve
from predicdiff.nets.caffe.torch_net import CaffeTorchNet
from predicdiff.nets.fetching.manifest import entry, models_dir
from predicdiff.nets.fetching.weights import status
from predicdiff.nets.modules.net import ModuleNet
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.nets.zoo import load_net

#: Nets whose architecture is timed though the manifest does not have them.
UNLISTED = {"squeezenet": "squeezenet.prototxt"}
#: Nets of torchvision, timed on request where it is installed, with their inputs' sides: others report times of them.
TORCHVISION = {"resnet18": 224, "inception_v3": 299}
#: From images to inputs where weights are seeded: Caffe's usual way.
USUAL = Preprocessing(view=View(mode="warp", size=256), channels="bgr", mean=np.array([104.0, 117.0, 123.0]))
#: How much smaller weights are that read pixels, so that activations stay near 1.
PIXELS = 60.0

#: A blob's values (b, ...) from a batch (b, C, H, W) of encoded inputs.
Forward = Callable[[Tensor, str], Tensor]


@dataclass(frozen=True)
class Timed:
    """A net, where its weights come from ("own" or "seeded"), and its prototxt if it is Caffe's."""

    name: str
    net: Any
    weights: str
    prototxt: Path | None


def load(name: str, *, seed: int, device: str | None) -> Timed:
    """A net of the manifest, of `UNLISTED` or `TORCHVISION`; where a net has no weights of its own, seeded ones.

    Speed does not depend on what the weights are.

    Raises
    ------
    SettingsError
        If no net has this name, or the device cannot be used.
    WeightsError
        If the weights of a net that is not Caffe's are missing, or any are damaged.
    """
    prototxt = definition(name)
    if name in TORCHVISION:
        return Timed(name, _of_torchvision(name, seed, device), "seeded", None)
    there = name not in UNLISTED and not next(net for net in status() if net.name == name).missing
    if there or prototxt is None:
        return Timed(name, load_net(name, device=device), "own", prototxt)
    spec = read_prototxt(prototxt)
    net = CaffeTorchNet(
        spec,
        seeded(resolve(spec), seed),
        name=name,
        preprocessing=USUAL,
        device=device,
        source="the seeded ones",
    )
    return Timed(name, net, "seeded", prototxt)


def definition(name: str) -> Path | None:
    """A net's prototxt; None of a torch module.

    Raises
    ------
    SettingsError
        If no net has this name.
    DependencyError
        If it is torchvision's, which is not installed.
    """
    if name in TORCHVISION:
        _torchvision(name)
        return None
    file = UNLISTED[name] if name in UNLISTED else entry(name).prototxt
    return None if file is None else models_dir() / file


def seeded(net: ResolvedNet, seed: int) -> dict[str, list[np.ndarray]]:
    """Normal numbers: weights scaled as He et al. do, biases with a standard deviation of 0.01."""
    first = net.values[net.inputs[0]]
    weights = {}
    for step in net.steps:
        generator = np.random.default_rng([seed, zlib.crc32(step.layer.name.encode())])
        blobs = [generator.standard_normal(shape, dtype=np.float32) for shape in step.shapes.weights]
        for blob in blobs:
            smaller = PIXELS if first in step.reads else 1.0
            blob *= np.sqrt(2 / blob[0].size) / smaller if blob.ndim > 1 else 0.01
        weights[step.layer.name] = blobs
    return weights


def seeded_module(module: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The module itself with normal numbers for weights, scaled as in `seeded`; the first layer reads pixels."""
    generator = torch.Generator().manual_seed(seed)
    smaller = PIXELS
    for child in module.modules():
        if isinstance(child, (torch.nn.Conv2d, torch.nn.Linear)):
            weight = torch.randn(child.weight.shape, generator=generator)
            child.weight.data = weight * (2 / weight[0].numel()) ** 0.5 / smaller
            smaller = 1.0
    return module.eval()


def _of_torchvision(name: str, seed: int, device: str | None) -> ModuleNet:
    side = TORCHVISION[name]
    options = {"init_weights": False} if name == "inception_v3" else {}
    module = seeded_module(getattr(_torchvision(name), name)(weights=None, **options), seed)
    preprocessing = replace(USUAL, view=View(mode="warp"))
    return ModuleNet(module, input_shape=(3, side, side), preprocessing=preprocessing, name=name, device=device)


def _torchvision(name: str) -> Any:
    try:
        return importlib.import_module("torchvision.models")
    except ImportError:
        raise DependencyError(f"{name} is torchvision's, which is not installed: pip install torchvision.") from None


def plain(timed: Timed) -> Forward:
    """The net in plain torch: of a Caffe net its layers one by one, of a module the module itself, NCHW."""
    net = timed.net
    if timed.prototxt is not None:
        return PlainNet(resolve(read_prototxt(timed.prototxt)), net.weights, net.device)
    module = copy.deepcopy(net.module).to(memory_format=torch.contiguous_format)
    return lambda inputs, blob: module(inputs) if blob == net.scores else functional.softmax(module(inputs), 1)


class PlainNet:
    """A Caffe net's layers on torch, each by the function of torch that one would look up for it.

    Parameters
    ----------
    net : ResolvedNet
    weights : {layer: arrays}
    device : torch.device

    Raises
    ------
    SettingsError
        If a layer's type is none of `LAYERS`.
    """

    def __init__(self, net: ResolvedNet, weights: Mapping[str, Sequence[np.ndarray]], device: torch.device) -> None:
        unknown = [step.layer for step in net.steps if step.layer.type not in LAYERS]
        if unknown:
            raise SettingsError(
                f"layer {unknown[0].name!r} ({unknown[0].type}) has no plain counterpart here: "
                f"want a net of {', '.join(sorted(LAYERS))}."
            )
        self.net = net
        self.weights = {
            layer: [torch.tensor(array, dtype=torch.float32, device=device) for array in arrays]
            for layer, arrays in weights.items()
        }

    def __call__(self, inputs: Tensor, blob: str) -> Tensor:
        """Values (b, ...) of a blob."""
        values = {self.net.values[self.net.inputs[0]]: inputs}
        for step, gone in self.net.steps_to(blob):
            bottoms = [values[number] for number in step.reads]
            weights = self.weights.get(step.layer.name, ())
            values[step.writes[0]] = LAYERS[step.layer.type](bottoms, weights, **step.shapes.settings)
            for number in gone:
                del values[number]
        return values[self.net.values[blob]]


def _convolution(x: Sequence[Tensor], weights: Sequence[Tensor], **settings: Any) -> Tensor:
    stride, pad, dilation, group = (settings[name] for name in ("stride", "pad", "dilation", "group"))
    bias = weights[1] if len(weights) > 1 else None
    return functional.conv2d(x[0], weights[0], bias, stride, pad, dilation, group)


def _linear(x: Sequence[Tensor], weights: Sequence[Tensor], *, axis: int, transpose: bool) -> Tensor:
    weight, *bias = weights
    return functional.linear(x[0].flatten(axis + 1), weight.t() if transpose else weight, *bias)


def _pooling(x: Sequence[Tensor], weights: Sequence[Tensor], *, method: str, **settings: Any) -> Tensor:
    pool = functional.max_pool2d if method == "MAX" else functional.avg_pool2d
    result: Tensor = pool(x[0], settings["kernel"], settings["stride"], settings["pad"], ceil_mode=True)
    return result


LAYERS: dict[str, Callable[..., Tensor]] = {
    "Concat": lambda x, weights, *, axis: torch.cat(x, axis + 1),
    "Convolution": _convolution,
    "Dropout": lambda x, weights: x[0],
    "InnerProduct": _linear,
    "LRN": lambda x, weights, **settings: functional.local_response_norm(x[0], **settings),
    "Pooling": _pooling,
    "ReLU": lambda x, weights, *, negative_slope: (
        functional.leaky_relu(x[0], negative_slope) if negative_slope else functional.relu(x[0])
    ),
    "Softmax": lambda x, weights, *, axis: functional.softmax(x[0], axis + 1),
}
