"""Convolutions that take in the batch norm, or any scaling of channels, behind them."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Set
from dataclasses import replace

import torch
from torch import Tensor

from .graph import Functions, Graph, Kernel, Node


def folded(graph: Graph, keep: Set[int]) -> Graph:
    """The graph with fewer nodes: channels are scaled in the weights, not in the maps.

    Values in ``keep`` stay what they are; the others may go. What weights are is asked when a convolution first runs:
    a graph of which only the structure is wanted costs nothing, and a module may be changed between two calls.
    """
    readers = Counter(number for node in graph.nodes for number in node.reads)
    nodes: dict[int, Node] = {}  # by the value they write, in order
    for node in graph.nodes:
        before = nodes.get(node.reads[0]) if len(node.reads) == 1 else None
        alone = readers[node.reads[0]] == 1 and node.reads[0] not in keep
        if node.affine is not None and before is not None and before.kernel is not None and alone:
            del nodes[before.writes]
            node = _scaled(before, before.kernel, node)
        nodes[node.writes] = node
    return replace(graph, nodes=tuple(nodes.values()))


def _scaled(convolution: Node, kernel: Kernel, norm: Node) -> Node:
    """A convolution and what scales its channels, as one."""

    def weights() -> tuple[Tensor, Tensor]:
        return _scaled_weights(kernel, norm)

    @functools.lru_cache(maxsize=None)  # the functions alone: weights on the way to them are not kept
    def scaled() -> Functions:
        return kernel.make(*weights())

    return replace(
        convolution.computing(Functions.late(scaled)),
        operation=f"{convolution.operation}+{norm.operation}",
        writes=norm.writes,
        kernel=Kernel(weights, kernel.make),
    )


def _scaled_weights(kernel: Kernel, norm: Node) -> tuple[Tensor, Tensor]:
    """Weights and bias of a convolution with scaled channels; reckoned in float64."""
    weight, bias = kernel.weights()
    gain, shift = (values.double() for values in norm.affine())  # type: ignore[misc]
    offset = shift if bias is None else bias.double() * gain + shift
    scaled = (weight.double() * gain.reshape(-1, *(1,) * (weight.dim() - 1))).to(weight.dtype)
    layout = torch.channels_last if weight.is_contiguous(memory_format=torch.channels_last) else torch.contiguous_format
    return scaled.contiguous(memory_format=layout), offset.to(weight.dtype)
