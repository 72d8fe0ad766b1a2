"""The last layers for the channels that are asked for, and for no others: less to compute, the same values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Dict, Optional, Tuple

import torch
from torch import Tensor

from ...units import channels as channels_of
from .graph import Concat, Graph, Kernel, Node
from .order import needed

#: Nodes by the value they write, with the number of channels that they give.
Cuts = Optional[Dict[int, Tuple[Node, int]]]


def only(graph: Graph, source: int, target: int, channels: Sequence[int]) -> Graph:
    """The graph with a ``target`` that holds some of its channels alone, or the same graph where that cannot be had.

    From the target back, through functions that take every channel by itself and through concatenations, it goes to
    convolutions and linear layers, whose weights are cut. All ways have to end so, behind the source.

    Parameters
    ----------
    graph : Graph
    source, target : int
        Values; the second depends on the first.
    channels : sequence of int
        Ascending.
    """
    cuts = _Cutter(graph, source, target).cuts(target, channels)
    if not cuts:
        return graph
    nodes = tuple(cuts[node.writes][0] if node.writes in cuts else node for node in graph.nodes)
    shapes = {value: (count, *graph.shapes[value][1:]) for value, (_, count) in cuts.items()}
    less = replace(graph, nodes=nodes, shapes={**graph.shapes, **shapes})
    return less if less.sees(source, target) else graph  # the source may lie on a branch that is not asked for


class _Cutter:
    """Goes back from a target to the layers that can be cut."""

    def __init__(self, graph: Graph, source: int, target: int) -> None:
        self.source, self.shapes = source, graph.shapes
        self.nodes = {node.writes: node for node in graph.nodes}
        self.readers: Counter[int] = Counter()
        for i in needed([node.move for node in graph.nodes], [target]):
            self.readers.update(graph.nodes[i].reads)

    def cuts(self, value: int, channels: Sequence[int]) -> Cuts:
        """The nodes that take the place of others, so that ``value`` has these channels alone.

        None if a way back from it does not end in weights that can be cut.
        """
        if len(channels) == channels_of(self.shapes[value]):
            return {}
        node = self.nodes.get(value)
        if node is None or value == self.source or self.readers[value] > 1:
            return None
        if node.by_channel:
            before = self.cuts(node.reads[0], channels)
            return None if before is None else {**before, value: (node, len(channels))}
        if isinstance(node.kind, Concat):
            return self._of_concat(node, channels)
        if node.kernel is not None:
            return self._of_weights(node, node.kernel, channels)
        return None

    def _of_concat(self, node: Node, channels: Sequence[int]) -> Cuts:
        """Inputs that hold none of the channels are left out."""
        cut: dict[int, tuple[Node, int]] = {}
        reads, first = [], 0
        for number in node.reads:
            last = first + self.shapes[number][0]
            inside = [channel - first for channel in channels if first <= channel < last]
            before = self.cuts(number, inside) if inside else {}
            if before is None:
                return None
            cut.update(before)
            reads += [number] if inside else []
            first = last
        fewer = replace(node, reads=tuple(reads), run=lambda values: torch.cat(list(values), 1))
        return {**cut, node.writes: (fewer, len(channels))}

    def _of_weights(self, node: Node, kernel: Kernel, channels: Sequence[int]) -> Cuts:
        weight, bias = kernel.weights()
        if weight.dim() > 2 and weight.shape[1] != self.shapes[node.reads[0]][0]:
            return None  # in groups, each of which sees other inputs
        rows = _rows(weight, channels)
        work = node.work * len(rows) // len(weight)
        fewer = node.computing(kernel.make(rows, None if bias is None else bias[list(channels)]))
        cut = replace(fewer, work=work, spared=node.work - work, kernel=None)
        return {node.writes: (cut, len(channels))}


def _rows(weight: Tensor, channels: Sequence[int]) -> Tensor:
    """Some of a layer's weights, in the order in memory that they had."""
    last = weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return weight[list(channels)].contiguous(memory_format=layout)
