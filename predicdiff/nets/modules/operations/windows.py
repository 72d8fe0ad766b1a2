"""Operations whose places see a window of the input: pooling, borders and enlargement."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping, Sequence

import torch
from torch import Tensor

from ...engine.geometry import Pair, Reach, reaches
from ...engine.graph import Local
from ...engine.pooling import divisors, maxima, means
from ..calls import Call, ModuleNode
from .placewise import of_one_map


@of_one_map
def max_pool(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Maxima of windows."""
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    settings = call.settings(*names)
    return None if settings.get("return_indices") else _maxima(node, call, settings)


@of_one_map
def mean_pool(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Means of windows."""
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return _means(node, call, call.settings(*names))


@of_one_map
def adaptive_max_pool(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Maxima of windows of one size."""
    settings = _even_windows(call)
    if settings is None or call.settings("input", "output_size", "return_indices").get("return_indices"):
        return None
    return _maxima(node, call, settings)


@of_one_map
def adaptive_mean_pool(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Means of windows of one size."""
    settings = _even_windows(call)
    return None if settings is None else _means(node, call, settings)


def _even_windows(call: Call) -> dict[str, Any] | None:
    """Settings of the ordinary pooling that does the same as an adaptive one; None where its windows differ in size."""
    sizes = list(zip(call.inputs[0][1:], call.output[1:]))
    if any(length % size for length, size in sizes):
        return None
    return {"kernel_size": tuple(length // size for length, size in sizes)}


def _maxima(node: ModuleNode, call: Call, settings: Mapping[str, Any]) -> ModuleNode:
    kernel, stride, dilation, reach = _pooled(call, settings)
    return replace(node, kind=maxima(reach, kernel, stride, dilation), fresh=True, by_channel=True)


def _means(node: ModuleNode, call: Call, settings: Mapping[str, Any]) -> ModuleNode:
    kernel, stride, _, reach = _pooled(call, settings)
    scale = _divisors(settings, reach).to(call.device)
    return replace(node, kind=means(reach, kernel, stride, scale), fresh=True, by_channel=True)


def _pooled(call: Call, settings: Mapping[str, Any]) -> tuple[Pair, Pair, Pair, tuple[Reach, Reach]]:
    """Kernel, stride and dilation of a pooling, and how its outputs see its inputs."""
    kernel = _pair(settings["kernel_size"])
    stride = _pair(settings.get("stride") or kernel)
    pad, dilation = _pair(settings.get("padding", 0)), _pair(settings.get("dilation", 1))
    return kernel, stride, dilation, reaches(kernel, stride, pad, call.inputs[0][1:], call.output[1:], dilation)


def _divisors(settings: Mapping[str, Any], reach: tuple[Reach, Reach]) -> Tensor:
    """What each sum is divided by (1, 1, H, W)."""
    override = settings.get("divisor_override")
    if override:
        return torch.full((1, 1, reach[0].size, reach[1].size), float(override))
    return divisors(reach, padded=settings.get("count_include_pad", True))


@of_one_map
def constant_pad(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A border of one value, as a module."""
    settings = call.settings()
    return _padded(node, call, settings["padding"], float(settings["value"]))


@of_one_map
def pad(node: ModuleNode, call: Call) -> ModuleNode | None:
    """A border of one value, as a function."""
    settings = call.settings("input", "pad", "mode", "value")
    if settings.get("mode", "constant") != "constant":
        return None
    return _padded(node, call, settings["pad"], float(settings.get("value") or 0))


def _padded(node: ModuleNode, call: Call, pad: Any, value: float) -> ModuleNode | None:
    around = [int(side) for side in ((pad,) * 4 if isinstance(pad, int) else pad)]
    around += [0] * (4 - len(around))
    if min(around) < 0 or len(around) > 4:
        return None
    reach = reaches((1, 1), (1, 1), (around[2], around[0]), call.inputs[0][1:], call.output[1:])
    local = Local(reach, lambda pieces: pieces[0].clone(), fill=value)
    return replace(node, kind=local, fresh=True, by_channel=True)


@of_one_map
def enlarged(node: ModuleNode, call: Call) -> ModuleNode | None:
    """Each place so many times along rows and along columns; a whole number of times, and nothing between places."""
    settings = call.settings("input", "size", "scale_factor", "mode")
    (rows, columns), (height, width) = call.inputs[0][1:], call.output[1:]
    if settings.get("mode", "nearest") != "nearest" or height % rows or width % columns:
        return None
    times = height // rows, width // columns
    before = times[0] - 1, times[1] - 1  # a window of so many places sees one input
    reach = reaches(times, (1, 1), before, call.inputs[0][1:], call.output[1:], up=times)

    def cut(pieces: Sequence[Tensor]) -> Tensor:
        repeated = pieces[0].repeat_interleave(times[0], 2).repeat_interleave(times[1], 3)
        return repeated[:, :, before[0] :, before[1] :]

    return replace(node, kind=Local(reach, cut), fresh=True, by_channel=True)


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    first, second = value if len(value) == 2 else (value[0], value[0])
    return int(first), int(second)
