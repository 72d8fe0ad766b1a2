"""A Caffe net as a graph: what each layer does, and which places of its bottom it joins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ..engine.graph import Graph, Kernel, Node, Pointwise
from .resolved import ResolvedNet, Step
from .torch_layers import LAYERS, Tensors


def caffe_graph(net: ResolvedNet, weights: Mapping[str, Tensors], device: torch.device) -> Graph:
    """The graph of a checked net with its weights (tensors on ``device``)."""
    nodes = [
        _node(step, top, weights.get(step.layer.name, ()), device)
        for step in net.steps
        for top in range(len(step.writes))
    ]
    # value 0 is the input as it was given; its name may stand for what a layer in place made of it
    return Graph(tuple(nodes), dict(enumerate(net.sizes)), 0, dict(net.values))


def _node(step: Step, top: int, weights: Tensors, device: torch.device) -> Node:
    """The node that computes one of a layer's tops."""
    layer, settings = LAYERS[step.layer.type], step.shapes.settings
    arguments = layer.arguments(step.shapes, top)
    run, over, filters = layer.run, layer.over, layer.filters
    node = Node(
        name=step.layer.name,
        operation=step.layer.type,
        reads=step.inputs,
        writes=step.writes[top],
        run=lambda bottoms: run(bottoms, weights, **arguments),
        over=None if over is None else lambda bottoms: over(bottoms, weights, **arguments),
        kind=layer.kind(step, weights, device),
        fresh=not step.type.shares,
        work=layer.work(step, weights),
        by_channel=layer.by_channel,
        flat=layer.flat,
    )
    if layer.affine is not None and isinstance(node.kind, Pointwise) and len(step.reads) == 1:
        gain, shift = (values.expand(step.bottoms[0][0]) for values in layer.affine(weights, **settings))
        node = replace(node, affine=lambda: (gain, shift))
    if filters is not None and filters.of_channels(**settings):
        own, functions = filters.own, filters.functions
        kernel = Kernel(lambda: own(weights, **settings), lambda weight, bias: functions(weight, bias, **settings))
        node = replace(node, kernel=kernel)
    return node
