"""What torch's modules and functions do to a map: which places of the input each place of the output sees."""

from __future__ import annotations

import functools
import math
import operator
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence, Tuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ..caffe.torch_layers import sound
from ..engine.geometry import Reach, reaches
from ..engine.graph import CONCAT, LOCAL, POINTWISE, WHOLE, Function, Shape
from ..engine.pooling import divisors

#: Modules that do at a place what depends on that place alone; in evaluation mode.
POINTWISE_MODULES = (
    nn.BatchNorm2d, nn.CELU, nn.Dropout, nn.Dropout2d, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish,
    nn.Hardtanh, nn.Identity, nn.LeakyReLU, nn.LocalResponseNorm, nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6,
    nn.SELU, nn.Sigmoid, nn.SiLU, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold,
)  # fmt: skip
#: Functions of the same kind: of one tensor, or of several of one size, and numbers.
POINTWISE_FUNCTIONS = frozenset(
    {
        functional.celu, functional.dropout, functional.elu, functional.gelu, functional.hardsigmoid,
        functional.hardswish, functional.hardtanh, functional.leaky_relu, functional.local_response_norm,
        functional.mish, functional.relu, functional.relu6, functional.selu, functional.silu, functional.softplus,
        functional.softsign, operator.add, operator.mul, operator.neg, operator.pow, operator.sub, operator.truediv,
        torch.abs, torch.add, torch.clamp, torch.div, torch.exp, torch.log, torch.maximum, torch.minimum, torch.mul,
        torch.neg, torch.pow, torch.relu, torch.rsqrt, torch.sigmoid, torch.sqrt, torch.square, torch.sub, torch.tanh,
    }
)  # fmt: skip
#: Not `contiguous`: who calls it wants all of the map in that order.
POINTWISE_METHODS = frozenset(
    {
        "abs", "add", "clamp", "clone", "detach", "div", "exp", "float", "log", "mul", "neg", "pow",
        "relu", "rsqrt", "sigmoid", "sqrt", "square", "sub", "tanh",
    }
)  # fmt: skip
#: Of these the result may be the input itself.
SHARING = (nn.Dropout, nn.Dropout2d, nn.Identity, functional.dropout, "detach", "float")
#: Of those above, the ones that do not take every channel by itself, and all alike.
ACROSS = frozenset({nn.BatchNorm2d, nn.LocalResponseNorm, nn.PReLU, functional.local_response_norm})
#: Python's operators on the left side's memory.
IN_PLACE = frozenset({operator.iadd, operator.imul, operator.isub, operator.itruediv})

Pair = Tuple[int, int]


@dataclass(frozen=True)
class Operation:
    """What is known of a call, which itself is made as it stands: fields as of `graph.Node`."""

    name: str
    kind: str = WHOLE
    over: Function | None = None
    fresh: bool = False
    reach: tuple[Reach, Reach] | None = None
    cut: Function | None = None
    fill: float = 0.0
    scale: Tensor | None = None
    work: int = 0
    in_place: bool = False
    #: Of a convolution or linear layer: its weights as they are now, and from others to ``run`` and ``cut``.
    weights: Callable[[], tuple[Tensor, Tensor | None]] | None = None
    with_weights: Callable[[Tensor, Tensor | None], tuple[Function, Function | None]] | None = None
    affine: Callable[[], tuple[Tensor, Tensor]] | None = None
    by_channel: bool = False


def describe(
    node: fx.Node, root: nn.Module, inputs: Sequence[Shape], output: Shape, beside: Sequence[Shape | None]
) -> Operation:
    """What a traced call does.

    Parameters
    ----------
    node : torch.fx.Node
    root : torch.nn.Module
        The module that was traced.
    inputs, output : shapes without the batch axis
        Of the tensors that the call depends on, and of what it gives.
    beside : sequence of shapes
        Of constant tensors among its arguments; None of anything else there.
    """
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        name = type(module).__name__
        operation = _of_module(module, inputs, output) or _of_vectors(module, inputs, output)
        return operation or Operation(
            name, in_place=bool(getattr(module, "inplace", False)), work=_work(module, output)
        )
    name = str(getattr(node.target, "__name__", node.target))
    operation = _of_function(node, name, inputs, output) if all(map(_same_everywhere, beside)) else None
    operation = operation or Operation(name, in_place=_in_place(node))
    alone = len(inputs) == 1 and inputs[0] == output and not beside
    return replace(operation, by_channel=True) if alone and _by_channel(node, name) else operation


def _of_module(module: nn.Module, inputs: Sequence[Shape], output: Shape) -> Operation | None:
    name, kind = type(module).__name__, type(module)
    if len(inputs) != 1 or len(inputs[0]) != 3 or len(output) != 3 or _hooked(module):
        return None
    if isinstance(module, nn.Conv2d) and kind is nn.Conv2d:
        return _convolution(module, inputs[0], output)
    if kind in (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d):
        return _pooling(name, vars(module), inputs[0], output)
    if kind in (nn.ZeroPad2d, nn.ConstantPad2d):
        return _padding(name, module.padding, float(module.value), inputs[0], output)  # type: ignore[arg-type]
    by_batch = kind is nn.BatchNorm2d and module.running_mean is None
    if kind in POINTWISE_MODULES and not by_batch and inputs[0] == output:
        in_place = bool(getattr(module, "inplace", False))
        affine = functools.partial(_norm, module) if isinstance(module, nn.BatchNorm2d) else None
        return Operation(
            name, POINTWISE, over=_over(module), fresh=kind not in SHARING, in_place=in_place, affine=affine,
            by_channel=kind not in ACROSS,
        )  # fmt: skip
    return None


def _of_vectors(module: nn.Module, inputs: Sequence[Shape], output: Shape) -> Operation | None:
    """What linear layers and functions of single numbers do to a vector; to anything else it is not known."""
    name, kind = type(module).__name__, type(module)
    if len(inputs) != 1 or len(inputs[0]) != 1 or len(output) != 1 or _hooked(module):
        return None
    if isinstance(module, nn.Linear) and kind is nn.Linear:
        return Operation(
            name,
            work=_work(module, output),
            weights=lambda: (module.weight, module.bias),
            with_weights=lambda weight, bias: (lambda values: functional.linear(values[0], weight, bias), None),
        )
    if kind in POINTWISE_MODULES and kind not in ACROSS:
        return Operation(name, in_place=bool(getattr(module, "inplace", False)), by_channel=True)
    return None


def _of_function(node: fx.Node, name: str, inputs: Sequence[Shape], output: Shape) -> Operation | None:
    target: Any = node.target
    if len(output) != 3 or any(len(shape) != 3 for shape in inputs):
        return None
    if target in (torch.cat, torch.concat) and _along_channels(node):
        return Operation("cat", CONCAT, fresh=True)
    known = POINTWISE_METHODS if node.op == "call_method" else POINTWISE_FUNCTIONS | IN_PLACE
    if _plain(name, target) in known and all(shape[1:] == output[1:] for shape in inputs):
        return Operation(name, POINTWISE, fresh=_plain(name, target) not in SHARING, in_place=_in_place(node))
    if len(inputs) != 1 or node.op != "call_function":
        return None
    if target in POOLS:
        return _pooling(*POOLS[target](node), inputs[0], output)
    if target is functional.pad:
        settings = _bound(node, "input", "pad", "mode", "value")
        if settings.get("mode", "constant") == "constant":
            return _padding(name, settings["pad"], float(settings.get("value") or 0), inputs[0], output)
    return None


def _convolution(module: nn.Conv2d, given: Shape, output: Shape) -> Operation | None:
    if module.padding_mode != "zeros":
        return None
    kernel, stride, dilation = module.kernel_size, module.stride, module.dilation
    before: Sequence[int]
    if module.padding == "same":
        before = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation))
    else:
        before = (0, 0) if isinstance(module.padding, str) else module.padding
    return Operation(
        type(module).__name__,
        LOCAL,
        fresh=True,
        reach=reaches(kernel, stride, before, given[1:], output[1:], dilation),
        cut=lambda pieces: _convolved(module, module.weight, module.bias)[1](pieces),
        work=_work(module, output),
        weights=lambda: (module.weight, module.bias),
        with_weights=lambda weight, bias: _convolved(module, weight, bias),
    )


def _convolved(module: nn.Conv2d, weight: Tensor, bias: Tensor | None) -> tuple[Function, Function]:
    """A convolution with other weights: of a map, and of a piece that has what lies around it."""
    stride, dilation, groups = module.stride, module.dilation, module.groups
    return (
        lambda values: functional.conv2d(sound(values[0]), weight, bias, stride, module.padding, dilation, groups),
        lambda pieces: functional.conv2d(pieces[0], weight, bias, stride, 0, dilation, groups),
    )


def _by_channel(node: fx.Node, name: str) -> bool:
    """Whether a call with one tensor, of one shape with what it gives, takes every number by itself."""
    known = POINTWISE_METHODS if node.op == "call_method" else POINTWISE_FUNCTIONS | IN_PLACE
    what = _plain(name, node.target)
    return what in known and what not in ACROSS


def _norm(module: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a batch norm multiplies each channel with, and what it adds."""
    gain = 1 / (module.running_var.double() + module.eps).sqrt()  # type: ignore[union-attr]
    gain = gain if module.weight is None else gain * module.weight
    shift = -module.running_mean * gain  # type: ignore[operator]
    return gain, shift if module.bias is None else shift + module.bias


def _pooling(name: str, settings: Mapping[str, Any], given: Shape, output: Shape) -> Operation | None:
    if "adaptive" in name.lower():
        if any(length % size for length, size in zip(given[1:], output[1:])) or settings.get("return_indices"):
            return None
        kernel = (given[1] // output[1], given[2] // output[2])
        settings = {"kernel_size": kernel}
    kernel = _pair(settings["kernel_size"])
    stride = _pair(settings.get("stride") or kernel)
    pad, dilation = _pair(settings.get("padding", 0)), _pair(settings.get("dilation", 1))
    reach = reaches(kernel, stride, pad, given[1:], output[1:], dilation)
    if "max" in name.lower():
        if settings.get("return_indices"):
            return None
        return Operation(
            name, LOCAL, fresh=True, reach=reach, fill=-math.inf, by_channel=True,
            cut=lambda pieces: functional.max_pool2d(pieces[0], kernel, stride, 0, dilation),
        )  # fmt: skip
    return Operation(
        name, LOCAL, fresh=True, reach=reach, scale=_divisors(settings, reach), by_channel=True,
        cut=lambda pieces: functional.avg_pool2d(pieces[0], kernel, stride, divisor_override=1),
    )  # fmt: skip


def _divisors(settings: Mapping[str, Any], reach: tuple[Reach, Reach]) -> Tensor:
    """What each sum is divided by (1, 1, H, W)."""
    override = settings.get("divisor_override")
    if override:
        return torch.full((1, 1, reach[0].size, reach[1].size), float(override))
    return divisors(reach, padded=settings.get("count_include_pad", True))


def _padding(name: str, pad: Any, value: float, given: Shape, output: Shape) -> Operation | None:
    around = [int(side) for side in ((pad,) * 4 if isinstance(pad, int) else pad)]
    around += [0] * (4 - len(around))
    if min(around) < 0 or len(around) > 4:
        return None
    reach = reaches((1, 1), (1, 1), (around[2], around[0]), given[1:], output[1:])
    return Operation(
        name, LOCAL, fresh=True, reach=reach, fill=value, by_channel=True, cut=lambda pieces: pieces[0].clone()
    )


def _over(module: nn.Module) -> Function | None:
    """A rectifier on its input's memory."""
    if type(module) is nn.ReLU:
        return lambda values: torch.relu_(values[0])
    if type(module) is nn.ReLU6:
        return lambda values: functional.hardtanh_(values[0], 0.0, 6.0)
    return None


def _hooked(module: nn.Module) -> bool:
    """Whether others take part in its calls; they are to see whole maps."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _work(module: nn.Module, output: Shape) -> int:
    """Multiply-adds: of a convolution for each place, of any other module for all of its output."""
    if isinstance(module, nn.Linear):
        return module.weight.numel() * math.prod(output[:-1])
    return module.weight.numel() if isinstance(module, nn.Conv2d) else 0


def _in_place(node: fx.Node) -> bool:
    if node.op == "call_method":
        return str(node.target).endswith("_")
    name = str(getattr(node.target, "__name__", ""))
    return node.target in IN_PLACE or bool(node.kwargs.get("inplace")) or (name.endswith("_") and name[:1] != "_")


def _same_everywhere(shape: Shape | None) -> bool:
    """Whether a constant of this shape is the same at every place of the maps it is combined with."""
    return shape is not None and (math.prod(shape) == 1 or (len(shape) > 2 and shape[-2:] == (1, 1)))


def _plain(name: str, target: Any) -> Any:
    """A call's entry in the tables: a method's name, without what says that it works in place, or a function."""
    return name.rstrip("_") if isinstance(target, str) else target


def _along_channels(node: fx.Node) -> bool:
    settings = _bound(node, "tensors", "dim")
    return settings.get("dim", 0) in (1, -3) and all(isinstance(each, fx.Node) for each in settings["tensors"])


def _bound(node: fx.Node, *names: str) -> dict[str, Any]:
    """Arguments of a call by name."""
    return {**dict(zip(names, node.args)), **node.kwargs}


def _max_pool(node: fx.Node) -> tuple[str, dict[str, Any]]:
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    return "max_pool2d", _bound(node, *names)


def _avg_pool(node: fx.Node) -> tuple[str, dict[str, Any]]:
    names = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    return "avg_pool2d", _bound(node, *names)


def _adaptive(name: str) -> Callable[[fx.Node], tuple[str, dict[str, Any]]]:
    return lambda node: (name, _bound(node, "input", "output_size", "return_indices"))


def _pair(value: Any) -> Pair:
    if isinstance(value, int):
        return value, value
    first, second = value if len(value) == 2 else (value[0], value[0])
    return int(first), int(second)


POOLS: dict[Any, Callable[[fx.Node], tuple[str, dict[str, Any]]]] = {
    functional.max_pool2d: _max_pool,
    functional.avg_pool2d: _avg_pool,
    functional.adaptive_avg_pool2d: _adaptive("adaptive_avg_pool2d"),
    functional.adaptive_max_pool2d: _adaptive("adaptive_max_pool2d"),
}
