"""What torch's modules and functions do to a map: which places of the input each place of the output sees.

`OPERATIONS` has one entry for each; a further operation that incremental evaluation is to know is one entry more.
"""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Optional, Sequence, cast

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ..engine.convolution import convolutions, spreads
from ..engine.geometry import Pair, Reach, Shape, reaches
from ..engine.graph import Concat, Function, Functions, Kernel, Local, Node, Pointwise
from ..engine.pooling import divisors, maxima, means
from .calls import IN_PLACE, Call
from .hooks import hooked

#: From a node that joins everything, and the call that it makes, to the node with what is known of the call; None if
#: that is nothing.
Rule = Callable[[Node, Call], Optional[Node]]


def known(node: Node, call: Call) -> Node:
    """A node with what is known of the call that it makes."""
    rule = OPERATIONS.get(call.key)
    if rule is None or (call.module is not None and hooked(call.module)):
        return node
    if not all(map(_same_everywhere, call.beside)):
        return node
    return rule(node, call) or node


@dataclass(frozen=True)
class Placewise:
    """The rule for calls whose result at a place depends on that place alone, of one tensor or several, and on numbers.

    Attributes
    ----------
    across : bool
        Whether it does not take every channel by itself, and all alike.
    sharing : bool
        Whether the result may be the input itself.
    flat : bool
        Whether the result is always the input.
    over : callable, optional
        The same on its first input's memory.
    """

    across: bool = False
    sharing: bool = False
    flat: bool = False
    over: Function | None = None

    def __call__(self, node: Node, call: Call) -> Node:
        """As `Rule` has it."""
        by_channel = call.alone and not self.across
        node = replace(node, by_channel=by_channel, over=self.over or node.over, flat=self.flat and call.alone)
        if not call.of_maps or any(shape[1:] != call.output[1:] for shape in call.inputs):
            return node
        return replace(node, kind=Pointwise(), fresh=node.fresh or not self.sharing)


def _of_one_map(rule: Callable[[Node, Call], Node | None]) -> Rule:
    """A rule for calls with one map, which says nothing of others."""
    return lambda node, call: rule(node, call) if call.of_maps and len(call.inputs) == 1 else None


@_of_one_map
def _convolution(node: Node, call: Call) -> Node | None:
    module = cast(nn.Conv2d, call.module)
    if module.padding_mode != "zeros":
        return None
    kernel, stride, dilation, pad = module.kernel_size, module.stride, module.dilation, module.padding
    before: Sequence[int] = (0, 0) if isinstance(pad, str) else pad
    if pad == "same":
        before = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))

    def make(weight: Tensor, bias: Tensor | None) -> Functions:
        return convolutions(weight, bias, stride=stride, pad=pad, dilation=dilation, group=module.groups)

    reach = reaches(kernel, stride, before, call.inputs[0][1:], call.output[1:], dilation)
    functions = Functions.late(lambda: make(module.weight, module.bias))
    local = Local(reach, functions.cut, spread=functions.spread if spreads(kernel, stride) else None)
    return replace(node, kind=local, fresh=True, kernel=Kernel(lambda: (module.weight, module.bias), make))


def _linear(node: Node, call: Call) -> Node | None:
    """A linear layer is known where it takes a vector and gives one."""
    module = cast(nn.Linear, call.module)
    if [len(shape) for shape in (*call.inputs, call.output)] != [1, 1]:
        return None

    def make(weight: Tensor, bias: Tensor | None) -> Functions:
        return Functions(*(lambda values: functional.linear(values[0], weight, bias),) * 2)

    kernel = Kernel(lambda: (module.weight, module.bias), make, lambda: _state(module.weight))
    return replace(node, kernel=kernel)


def _state(weight: Tensor) -> object:
    """What is equal as long as a weight is; of a weight whose changes torch does not count it never is."""
    return object() if weight.is_inference() else (weight.data_ptr(), weight._version)


def _flatten(node: Node, call: Call) -> Node | None:
    """A map as a vector; the batch stays what it is."""
    alone = len(call.inputs) == 1 and not call.beside
    return replace(node, flat=True) if alone and call.output == (math.prod(call.inputs[0]),) else None


def _batch_norm(node: Node, call: Call) -> Node | None:
    module = cast(nn.BatchNorm2d, call.module)
    if module.running_mean is None:  # it takes the batch's own moments
        return None
    return replace(Placewise(across=True)(node, call), affine=functools.partial(_norm, module))


def _norm(module: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies each channel with, and what it adds."""
    gain = 1 / (module.running_var.double() + module.eps).sqrt()  # type: ignore[union-attr]
    gain = gain if module.weight is None else gain * module.weight
    shift = -module.running_mean * gain  # type: ignore[operator]
    return gain, shift if module.bias is None else shift + module.bias


@_of_one_map
def _max_pool(node: Node, call: Call) -> Node | None:
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    settings = call.settings(*names)
    return None if settings.get("return_indices") else _maxima(node, call, settings)


@_of_one_map
def _mean_pool(node: Node, call: Call) -> Node | None:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return _means(node, call, call.settings(*names))


@_of_one_map
def _adaptive_max_pool(node: Node, call: Call) -> Node | None:
    settings = _even_windows(call)
    if settings is None or call.settings("input", "output_size", "return_indices").get("return_indices"):
        return None
    return _maxima(node, call, settings)


@_of_one_map
def _adaptive_mean_pool(node: Node, call: Call) -> Node | None:
    settings = _even_windows(call)
    return None if settings is None else _means(node, call, settings)


def _even_windows(call: Call) -> dict[str, Any] | None:
    """Settings of the ordinary pooling that does the same as an adaptive one; None where its windows differ in size."""
    sizes = list(zip(call.inputs[0][1:], call.output[1:]))
    if any(length % size for length, size in sizes):
        return None
    return {"kernel_size": tuple(length // size for length, size in sizes)}


def _maxima(node: Node, call: Call, settings: Mapping[str, Any]) -> Node:
    kernel, stride, dilation, reach = _pooled(call, settings)
    return replace(node, kind=maxima(reach, kernel, stride, dilation), fresh=True, by_channel=True)


def _means(node: Node, call: Call, settings: Mapping[str, Any]) -> Node:
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


@_of_one_map
def _constant_pad(node: Node, call: Call) -> Node | None:
    settings = call.settings()
    return _padded(node, call, settings["padding"], float(settings["value"]))


@_of_one_map
def _pad(node: Node, call: Call) -> Node | None:
    settings = call.settings("input", "pad", "mode", "value")
    if settings.get("mode", "constant") != "constant":
        return None
    return _padded(node, call, settings["pad"], float(settings.get("value") or 0))


def _padded(node: Node, call: Call, pad: Any, value: float) -> Node | None:
    around = [int(side) for side in ((pad,) * 4 if isinstance(pad, int) else pad)]
    around += [0] * (4 - len(around))
    if min(around) < 0 or len(around) > 4:
        return None
    reach = reaches((1, 1), (1, 1), (around[2], around[0]), call.inputs[0][1:], call.output[1:])
    local = Local(reach, lambda pieces: pieces[0].clone(), fill=value)
    return replace(node, kind=local, fresh=True, by_channel=True)


def _concat(node: Node, call: Call) -> Node | None:
    settings = call.settings("tensors", "dim")
    if not call.of_maps or settings.get("dim", 0) not in (1, -3):
        return None
    every = all(isinstance(each, fx.Node) for each in settings["tensors"])
    return replace(node, kind=Concat(), fresh=True) if every else None


def _same_everywhere(shape: Shape | None) -> bool:
    """Whether a constant of this shape is the same at every place of the maps it is combined with."""
    return shape is not None and (math.prod(shape) == 1 or (len(shape) > 2 and shape[-2:] == (1, 1)))


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    first, second = value if len(value) == 2 else (value[0], value[0])
    return int(first), int(second)


#: What is known of a call, by the class of a module, by the function, or by the name of a tensor's method.
OPERATIONS: dict[Any, Rule] = {
    # modules, in evaluation mode
    **dict.fromkeys(
        (
            nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
            nn.LogSigmoid, nn.Mish, nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh,
            nn.Tanhshrink, nn.Threshold,
        ),
        Placewise(),
    ),
    **dict.fromkeys((nn.Dropout, nn.Dropout2d, nn.Identity), Placewise(sharing=True, flat=True)),
    **dict.fromkeys((nn.LocalResponseNorm, nn.PReLU), Placewise(across=True)),
    nn.ReLU: Placewise(over=lambda values: torch.relu_(values[0])),
    nn.ReLU6: Placewise(over=lambda values: functional.hardtanh_(values[0], 0.0, 6.0)),
    nn.BatchNorm2d: _batch_norm,
    nn.Conv2d: _convolution,
    nn.Linear: _linear,
    **dict.fromkeys((nn.Flatten, torch.flatten, "flatten", "reshape", "view"), _flatten),
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _mean_pool,
    nn.AdaptiveMaxPool2d: _adaptive_max_pool,
    nn.AdaptiveAvgPool2d: _adaptive_mean_pool,
    **dict.fromkeys((nn.ZeroPad2d, nn.ConstantPad2d), _constant_pad),
    # functions
    **dict.fromkeys(
        (
            functional.celu, functional.elu, functional.gelu, functional.hardsigmoid, functional.hardswish,
            functional.hardtanh, functional.leaky_relu, functional.mish, functional.relu, functional.relu6,
            functional.selu, functional.silu, functional.softplus, functional.softsign, operator.add, operator.mul,
            operator.neg, operator.pow, operator.sub, operator.truediv, torch.abs, torch.add, torch.clamp, torch.div,
            torch.exp, torch.log, torch.maximum, torch.minimum, torch.mul, torch.neg, torch.pow, torch.relu,
            torch.rsqrt, torch.sigmoid, torch.sqrt, torch.square, torch.sub, torch.tanh, *IN_PLACE,
        ),
        Placewise(),
    ),
    functional.dropout: Placewise(sharing=True),
    functional.local_response_norm: Placewise(across=True),
    functional.max_pool2d: _max_pool,
    functional.avg_pool2d: _mean_pool,
    functional.adaptive_max_pool2d: _adaptive_max_pool,
    functional.adaptive_avg_pool2d: _adaptive_mean_pool,
    functional.pad: _pad,
    **dict.fromkeys((torch.cat, torch.concat), _concat),
    # methods; not `contiguous`, since who calls it wants all of the map in that order
    **dict.fromkeys(
        (
            "abs", "add", "clamp", "clone", "div", "exp", "log", "mul", "neg", "pow", "relu", "rsqrt", "sigmoid",
            "sqrt", "square", "sub", "tanh",
        ),
        Placewise(),
    ),
    **dict.fromkeys(("bfloat16", "detach", "double", "float", "half", "to"), Placewise(sharing=True)),
}  # fmt: skip
