"""A Caffe net's plan as a graph: what each layer does, and which places of its bottom it joins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from ..engine.convolution import convolutions
from ..engine.geometry import reaches
from ..engine.graph import Concat, Function, Graph, Kernel, Kind, Local, Node, Pointwise, Whole
from ..engine.pooling import divisors, maxima, means
from .resolved import Plan, Step
from .torch_layers import AFFINE, FUNCTIONS, relu

#: Types that do at a place what depends on that place alone.
PLACEWISE = frozenset(
    {"BatchNorm", "Bias", "Dropout", "ELU", "Eltwise", "LRN", "PReLU", "Power", "ReLU", "Scale", "Sigmoid", "TanH"}
)
#: Types that take every channel by itself, and all alike.
BY_CHANNEL = frozenset({"Dropout", "ELU", "Pooling", "Power", "ReLU", "Sigmoid", "Split", "TanH"})
#: Types whose tops share their bottom's memory.
SHARING = frozenset({"Dropout", "Flatten", "Reshape", "Split"})


def caffe_graph(plan: Plan, weights: Mapping[str, Sequence[Tensor]], device: torch.device) -> Graph:
    """The graph of a checked net with its weights (tensors on ``device``)."""
    nodes = [node for step in plan.steps for node in _nodes(step, weights.get(step.layer.name, ()), device)]
    # value 0 is the input as it was given; its name may stand for what a layer in place made of it
    return Graph(tuple(nodes), dict(enumerate(plan.sizes)), 0, dict(plan.values))


def _nodes(step: Step, weights: Sequence[Tensor], device: torch.device) -> list[Node]:
    layer = step.layer
    node = Node(
        name=layer.name,
        operation=layer.type,
        reads=step.reads,
        writes=step.writes[0],
        run=_function(step, weights),
        kind=_kind(step, weights),
        fresh=layer.type not in SHARING,
        by_channel=layer.type in BY_CHANNEL,
    )
    if layer.type == "ReLU":
        node = replace(node, over=lambda bottoms: relu(bottoms, weights, overwrite=True, **step.shapes.settings))
    if isinstance(node.kind, Pointwise) and layer.type in AFFINE:
        gain, shift = (
            values.expand(step.bottoms[0][0]) for values in AFFINE[layer.type](weights, step.shapes.settings)
        )
        node = replace(node, affine=lambda: (gain, shift))
    if layer.type == "Convolution":
        node = _convolution(node, step, weights)
    if layer.type == "Pooling":
        node = _pooling(node, step, device)
    if layer.type == "InnerProduct":
        node = _linear(node, step, weights)
    return [replace(node, writes=number) for number in step.writes]


def _function(step: Step, weights: Sequence[Tensor]) -> Function:
    """What a layer does to its bottoms; each top of a Split is its bottom."""
    if step.layer.type == "Split":
        return lambda bottoms: bottoms[0]
    if step.layer.type in ("Flatten", "Reshape"):
        return lambda bottoms: bottoms[0].reshape(len(bottoms[0]), *step.shapes.tops[0])
    return lambda bottoms: FUNCTIONS[step.layer.type](bottoms, weights, **step.shapes.settings)


def _kind(step: Step, weights: Sequence[Tensor]) -> Kind:
    settings = step.shapes.settings
    by_channel = settings.get("axis", 0) == 0 and all(array.dim() <= 1 for array in weights)
    if len(step.shapes.tops[0]) != 3:
        return Whole()
    if step.layer.type == "Concat":
        return Concat() if settings["axis"] == 0 else Whole()
    if step.layer.type == "Split":
        return Pointwise()
    return Pointwise() if step.layer.type in PLACEWISE and by_channel else Whole()


def _convolution(node: Node, step: Step, weights: Sequence[Tensor]) -> Node:
    settings = dict(step.shapes.settings)
    reach = reaches(
        weights[0].shape[2:], settings["stride"], settings["pad"], step.bottoms[0][1:], step.shapes.tops[0][1:],
        settings["dilation"],
    )  # fmt: skip

    def make(weight: Tensor, bias: Tensor | None) -> tuple[Function, Function]:
        return convolutions(weight, bias, **settings)

    own = weights[0], weights[1] if len(weights) > 1 else None
    run, cut = make(*own)
    return replace(node, run=run, kind=Local(reach, cut), work=weights[0].numel(), kernel=Kernel(lambda: own, make))


def _linear(node: Node, step: Step, weights: Sequence[Tensor]) -> Node:
    node = replace(node, work=math.prod(step.shapes.weights[0]))
    if step.shapes.settings["axis"] != 0:  # one output for each of several rows
        return node

    def own() -> tuple[Tensor, Tensor | None]:
        weight = weights[0].to_dense() if weights[0].is_mkldnn else weights[0]
        turned = weight.t() if step.shapes.settings["transpose"] else weight
        return turned, weights[1] if len(weights) > 1 else None

    def make(weight: Tensor, bias: Tensor | None) -> tuple[Function, Function]:
        return (lambda bottoms: functional.linear(bottoms[0].flatten(1), weight, bias),) * 2

    return replace(node, kernel=Kernel(own, make))


def _pooling(node: Node, step: Step, device: torch.device) -> Node:
    method, kernel, stride, pad = (step.shapes.settings[name] for name in ("method", "kernel", "stride", "pad"))
    reach = reaches(kernel, stride, pad, step.bottoms[0][1:], step.shapes.tops[0][1:])
    if method == "MAX":
        return replace(node, kind=maxima(reach, kernel, stride))
    return replace(node, kind=means(reach, kernel, stride, divisors(reach).to(device)))
