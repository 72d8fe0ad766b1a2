"""What torch's modules and functions do to a map: which places of the input each place of the output sees.

`OPERATIONS` has one entry for each; a further operation that incremental evaluation is to know is one entry more.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from ..calls import Call, ModuleNode
from ..hooks import altered
from .moving import joined, moved
from .placewise import Placewise, Rule, layer_norm, over_channels
from .weighted import batch_norm, convolution, linear
from .windows import (
    adaptive_max_pool,
    adaptive_mean_pool,
    constant_pad,
    enlarged,
    max_pool,
    mean_pool,
    pad,
)

__all__ = ["OPERATIONS", "Placewise", "Rule", "known"]


def known(node: ModuleNode, call: Call) -> ModuleNode:
    """A node with what is known of the call that it makes."""
    rule = OPERATIONS.get(call.key)
    if rule is not None and (call.module is None or not altered(call.module)):
        found = rule(node, call)
        if found is not None:
            node = found
    return node if node.axes is not None else call.of_whole(node)


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
    **dict.fromkeys((nn.LocalResponseNorm, nn.PReLU), Placewise(across=True, second=True)),
    nn.ReLU: Placewise(over=lambda values: torch.relu_(values[0])),
    nn.ReLU6: Placewise(over=lambda values: functional.hardtanh_(values[0], 0.0, 6.0)),
    nn.BatchNorm2d: batch_norm,
    nn.LayerNorm: layer_norm,
    nn.Conv2d: convolution,
    nn.Linear: linear,
    nn.MaxPool2d: max_pool,
    nn.AvgPool2d: mean_pool,
    nn.AdaptiveMaxPool2d: adaptive_max_pool,
    nn.AdaptiveAvgPool2d: adaptive_mean_pool,
    nn.Upsample: enlarged,
    **dict.fromkeys((nn.ZeroPad2d, nn.ConstantPad2d), constant_pad),
    **dict.fromkeys((nn.ChannelShuffle, nn.Flatten), moved),
    # functions
    **dict.fromkeys(
        (
            functional.celu, functional.elu, functional.gelu, functional.hardsigmoid, functional.hardswish,
            functional.hardtanh, functional.leaky_relu, functional.mish, functional.relu, functional.relu6,
            functional.selu, functional.sigmoid, functional.silu, functional.softplus, functional.softsign,
            functional.tanh, torch.abs, torch.add, torch.clamp, torch.div, torch.erf, torch.exp, torch.log,
            torch.maximum, torch.minimum, torch.mul, torch.neg, torch.pow, torch.relu, torch.relu_, torch.rsqrt,
            torch.sigmoid, torch.sigmoid_, torch.sqrt, torch.square, torch.sub, torch.tanh, torch.tanh_,
        ),
        Placewise(),
    ),
    functional.local_response_norm: Placewise(across=True, second=True),
    functional.batch_norm: batch_norm,
    functional.layer_norm: layer_norm,
    **dict.fromkeys((functional.conv2d, torch.conv2d), convolution),
    functional.linear: linear,
    functional.max_pool2d: max_pool,
    functional.avg_pool2d: mean_pool,
    functional.adaptive_max_pool2d: adaptive_max_pool,
    functional.adaptive_avg_pool2d: adaptive_mean_pool,
    functional.interpolate: enlarged,
    functional.pad: pad,
    **dict.fromkeys((torch.cat, torch.concat), joined),
    **dict.fromkeys((functional.softmax, torch.softmax, torch.mean, torch.sum, torch.amax), over_channels),
    **dict.fromkeys(
        (
            torch.channel_shuffle, torch.flatten, torch.movedim, torch.permute, torch.reshape, torch.squeeze,
            torch.transpose, torch.unsqueeze,
        ),
        moved,
    ),
    operator.getitem: moved,  # takes a part out of what `chunk` and `split` give
    # methods
    **dict.fromkeys(
        (
            "abs", "add", "clamp", "clone", "div", "erf", "exp", "log", "mul", "neg", "pow", "rdiv", "relu", "rsqrt",
            "rsub", "sigmoid", "sqrt", "square", "sub", "tanh",
        ),
        Placewise(),
    ),
    "detach": Placewise(sharing=True, flat=True),
    **dict.fromkeys(("bfloat16", "double", "float", "half", "to", "type_as"), Placewise(sharing=True)),
    **dict.fromkeys(("mean", "sum", "amax", "softmax"), over_channels),
    **dict.fromkeys(
        (
            "flatten", "getitem", "mT", "movedim", "permute", "reshape", "squeeze", "swapaxes", "transpose",
            "unflatten", "unsqueeze",
        ),
        moved,
    ),
}  # fmt: skip
