"""Copies of a net whose upper layers have forgotten what they learnt.

References
----------
J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt, B. Kim, "Sanity checks for saliency maps", NeurIPS 2018,
arXiv:1810.03292.
"""

from __future__ import annotations

import copy
import operator
import zlib
from typing import Any, Callable, Union, cast

import numpy as np
import torch
from torch import nn

from ..caffe_format import NetSpec
from ..errors import SettingsError
from ..protocols import Net
from .module_net import ModuleNet
from .torch_net import CaffeTorchNet

Draw = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def weighted_layers(net: Net) -> list[str]:
    """Names of the layers that have learnt weights, from the input up.

    Statistics are no weights: Caffe's BatchNorm layers are not among them.

    Raises
    ------
    SettingsError
        If the net is neither a `CaffeTorchNet` nor a `ModuleNet`, or has no such layer.
    """
    if isinstance(net, CaffeTorchNet):
        steps = net._plan.steps
        names = [step.layer.name for step in steps if step.shapes.weights and step.layer.type != "BatchNorm"]
    elif isinstance(net, ModuleNet):
        names = [name for name, child in _called(net).items() if _own(child)]
    else:
        raise SettingsError(
            f"{type(net).__name__} cannot be randomised: want a net on torch (CaffeTorchNet, ModuleNet)."
        )
    if not names:
        raise SettingsError(f"net {net.name!r} has no layer with weights: there is nothing to randomise.")
    return names


def randomised(net: Net, *, layers: int, seed: int = 0, how: str = "permute") -> Net:
    """A copy of a net in which the weights of the topmost layers are random.

    A layer's new weights depend on its name and the seed alone, so that the copy with n + 1 random layers has n of them
    in common with the copy with n.

    Parameters
    ----------
    net : CaffeTorchNet or ModuleNet
        Left as it is.
    layers : int
        How many, of `weighted_layers`, from the top; 0 gives a plain copy.
    seed : int
    how : {"permute", "normal"}
        Shuffle each array of weights, or draw it from a normal distribution of its own mean and standard deviation.

    Raises
    ------
    SettingsError
        If the net is of another kind, or a setting out of its range.
    """
    names = weighted_layers(net)
    count, start = _whole("layers", layers), _whole("seed", seed)
    if not 0 <= count <= len(names):
        raise SettingsError(f"layers = {count}: want 0 to {len(names)}, the number of layers with weights.")
    if start < 0:
        raise SettingsError(f"seed {start} is out of range: want at least 0.")
    if how not in DRAWS:
        raise SettingsError(f"how = {how!r} is unknown: want {' or '.join(DRAWS)}.")
    streams = {name: np.random.default_rng([start, zlib.crc32(name.encode())]) for name in names[len(names) - count :]}
    own = cast(Union[CaffeTorchNet, ModuleNet], net)  # `weighted_layers` has refused others
    made = _caffe(own, streams, DRAWS[how]) if isinstance(own, CaffeTorchNet) else _module(own, streams, DRAWS[how])
    made.precision, made.incremental = own.precision, own.incremental
    return made


def _caffe(net: CaffeTorchNet, streams: dict[str, np.random.Generator], draw: Draw) -> CaffeTorchNet:
    weights: dict[str, list[np.ndarray]] = net.weights
    for name, stream in streams.items():
        weights[name] = [draw(blob, stream) for blob in weights[name]]
    plan = net._plan
    inputs = dict(zip(plan.inputs, plan.sizes))
    spec = NetSpec(plan.name, inputs, tuple(step.layer for step in plan.steps))
    return type(net)(spec, weights, **_common(net))


def _module(net: ModuleNet, streams: dict[str, np.random.Generator], draw: Draw) -> ModuleNet:
    module = copy.deepcopy(net.module)
    children = dict(module.named_modules())
    with torch.no_grad():
        for name, stream in streams.items():
            for weight in _own(children[name]):
                values = draw(weight.detach().cpu().numpy(), stream)
                weight.copy_(torch.from_numpy(values))
    return type(net)(module, input_shape=net.input_shape, output=net._kind, **_common(net))


def _common(net: CaffeTorchNet | ModuleNet) -> dict[str, Any]:
    """What both constructors take besides the weights."""
    return {
        "preprocessing": net.preprocessing,
        "name": net.name,
        "labels": net.labels,
        "training_instances": net.training_instances,
        "device": net.device,
    }


def _called(net: ModuleNet) -> dict[str, nn.Module]:
    """Submodules in the order in which they are first called, and last the module itself."""
    children = dict(net.module.named_modules())
    return {**{name: children[name] for name in net._trace.calls}, "": net.module}


def _own(module: nn.Module) -> list[nn.Parameter]:
    """Weights of floats that a module has by itself, not in its submodules."""
    return [weight for weight in module.parameters(recurse=False) if weight.is_floating_point() and weight.numel()]


def _permuted(values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    return stream.permutation(values.ravel()).reshape(values.shape)


def _normal(values: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    noise = stream.standard_normal(values.shape, dtype=np.float32)
    return (values.mean(dtype=np.float64) + values.std(dtype=np.float64) * noise).astype(values.dtype)


DRAWS: dict[str, Draw] = {"permute": _permuted, "normal": _normal}


def _whole(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise SettingsError(f"{name} = {value!r}: want a whole number.") from None
