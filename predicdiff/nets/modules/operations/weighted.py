"""Operations with weights: convolutions, linear layers, and norms whose moments are kept."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any, Sequence, Tuple, cast

from torch import Tensor, nn
from torch.nn import functional

from ...engine.convolution import convolutions, spreads
from ...engine.geometry import reaches
from ...engine.graph import Functions, Kernel, Local, Pointwise
from ..axes import common
from ..calls import Call, ModuleNode
from .placewise import Placewise, _last

_BATCH_NORM = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")

#: Weights, and a bias or None.
Weights = Tuple[Tensor, Any]


def convolution(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A convolution with zeros around the map, of weights that do not depend on the input."""
    if not call.of_maps or not call.of_one or None in call.beside:
        return None
    settings = call.settings("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    if settings.get("padding_mode", "zeros") != "zeros":
        return None
    stride, dilation = _pair(settings.get("stride", 1)), _pair(settings.get("dilation", 1))
    pad, group = settings.get("padding", 0), settings.get("groups", 1)
    pad = pad if isinstance(pad, str) else _pair(pad)
    kernel = tuple(_weights(call, settings)[0].shape[2:])
    before: Sequence[int] = (0, 0) if isinstance(pad, str) else pad
    if pad == "same":
        before = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))

    def make(weight: Tensor, bias: Tensor | None) -> Functions:
        return convolutions(weight, bias, stride=stride, pad=pad, dilation=dilation, group=group)

    reach = reaches(kernel, stride, before, call.inputs[0][1:], call.output[1:], dilation)
    weights = functools.partial(_weights, call, settings)
    functions = Functions.late(lambda: make(*weights()))
    local = Local(reach, functions.cut, spread=functions.spread if spreads(kernel, stride) else None)
    return replace(node, kind=local, fresh=True, kernel=Kernel(weights, make))


def linear(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A linear layer of a vector, or of what stands at each place, of weights that do not depend on the input."""
    if not call.of_one or None in call.beside:
        return None
    axes = common(call.axes)
    weights = functools.partial(_weights, call, call.settings("input", "weight", "bias"))
    if axes is not None and _last(call, axes, 1):
        return replace(call.placed(node, axes, Pointwise(), fresh=True), work=weights()[0].numel())
    if [len(shape) for shape in (*call.inputs, call.output)] != [1, 1]:
        return None

    def make(weight: Tensor, bias: Tensor | None) -> Functions:
        return Functions(*(lambda values: functional.linear(values[0], weight, bias),) * 2)

    return replace(node, kernel=Kernel(weights, make, lambda: _state(weights()[0])))


def batch_norm(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A batch norm with moments of its own, not the batch's."""
    if not call.of_one or None in call.beside:
        return None
    settings = call.settings(*_BATCH_NORM)
    if call.module is None:
        known = not settings.get("training") and settings["running_mean"] is not None
    else:
        known = cast(nn.BatchNorm2d, call.module).running_mean is not None
    if not known:
        return None
    beside = replace(call, beside=())  # each channel's numbers are the same everywhere
    scaled = Placewise(across=True, second=True)(node, beside)
    if scaled is None or not call.of_maps:
        return scaled
    return replace(scaled, affine=functools.partial(_norm, call, settings))


def _norm(call: Call, settings: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies each channel with, and what it adds."""
    if call.module is not None:
        module = cast(nn.BatchNorm2d, call.module)
        mean, variance, weight, bias = module.running_mean, module.running_var, module.weight, module.bias
    else:
        mean, variance, weight, bias = (call.fetch(settings.get(name)) for name in _BATCH_NORM[1:5])
    gain = 1 / (variance.double() + settings.get("eps", 1e-5)).sqrt()  # type: ignore[union-attr]
    gain = gain if weight is None else gain * weight
    shift = -mean * gain  # type: ignore[operator]
    return gain, shift if bias is None else shift + bias


def _weights(call: Call, settings: dict[str, Any]) -> Weights:
    """Weights and bias of a convolution or linear layer, as they are now."""
    if call.module is not None:
        module = cast(nn.Conv2d, call.module)
        return module.weight, module.bias
    return call.fetch(settings["weight"]), call.fetch(settings.get("bias"))


def _state(weight: Tensor) -> object:
    """What is equal as long as a weight is; of a weight whose changes torch does not count it never is."""
    return object() if weight.is_inference() else (weight.data_ptr(), weight._version)


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else (tuple(value) * 2)[:2]
    return int(first), int(second)
