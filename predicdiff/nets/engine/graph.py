"""A net as a list of functions on numbered values, each with what is known of which places of a map it joins.

Both Caffe's layer records and torch modules are turned into one. `Graph.run` runs all of it, `incremental` the parts
that a change reaches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Callable, Hashable, NamedTuple, Sequence, Union, cast

import torch
from torch import Tensor

from .geometry import Reach, Shape
from .order import Move, downstream, freed, needed

Function = Callable[[Sequence[Tensor]], Tensor]


class Functions(NamedTuple):
    """What a convolution or a linear layer computes.

    Attributes
    ----------
    run : callable
        Of all of its input.
    cut : callable
        Of a piece of a map that has what lies around it, so without padding.
    spread : callable, optional
        From the change (b, C, h, w) of a piece of the input to the change of all outputs that see any of it, those
        beyond the border included; without bias.
    """

    run: Function
    cut: Function
    spread: Function | None = None

    @classmethod
    def late(cls, made: Callable[[], Functions]) -> Functions:
        """Functions that are made when one of them is called."""
        one = [lambda values, i=i: cast(Function, made()[i])(values) for i in range(3)]
        return cls(*one)


@dataclass(frozen=True)
class Whole:
    """A place of the output may depend on anything of the inputs."""


@dataclass(frozen=True)
class Pointwise:
    """A place of the output depends on the same place of each input, in any channel."""


@dataclass(frozen=True)
class Concat:
    """A place of the output depends on that place of one input, whose channels follow those of the input before."""


@dataclass(frozen=True, eq=False)
class Local:
    """A place of the output depends on what lies around it in the only input.

    Attributes
    ----------
    reach : (rows, columns)
    cut : callable
        As the node's ``run``, of a piece of a map that has what lies around it, so without padding.
    spread : callable, optional
        As `Functions` has it.
    fill : float
        What lies beyond the map's border.
    scale : Tensor (1, 1, H, W), optional
        What each place is divided by after ``cut``; means over windows that the border clips.
    """

    reach: tuple[Reach, Reach]
    cut: Function
    fill: float = 0.0
    scale: Tensor | None = None
    spread: Function | None = None


#: What of its inputs a place of a node's output depends on.
Dependence = Union[Whole, Pointwise, Concat, Local]


@dataclass(frozen=True)
class Kernel:
    """What the node of a convolution or linear layer is made of, so that it can be made with other weights.

    Attributes
    ----------
    weights : callable
        Gives the weights (out, ...) and the bias (out,) or None, as they are now.
    make : callable
        From such weights to what the node computes.
    state : callable
        Gives what is equal as long as the weights are the same.
    arranged : dict
        Weights in another order, by their state and what else that order depends on.
    """

    weights: Callable[[], tuple[Tensor, Tensor | None]]
    make: Callable[[Tensor, Tensor | None], Functions]
    state: Callable[[], Hashable] = lambda: None
    arranged: dict[Hashable, Tensor] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Node:
    """One function of a net.

    Attributes
    ----------
    name, operation : str
        For reports: which layer it is and what it does.
    reads, writes : numbers of values
    run : callable
        From batches (b, ...) of its inputs to its output (b, ...).
    kind : Whole, Pointwise, Concat or Local
    fresh : bool
        Whether the result shares no memory with an input.
    over : callable, optional
        As ``run``, but may write into its first input.
    kernel : Kernel, optional
        Of a convolution or a linear layer.
    affine : callable, optional
        Of a node that scales and shifts each channel: gives both, (C,) each, as they are now.
    work : int
        Multiply-adds for each place of the output; for all of it in a node of the kind Whole.
    spared : int
        How many more these would be for all channels, where only some were asked for.
    by_channel : bool
        Whether each channel of the output is the same function of that channel of the one input.
    flat : bool
        Whether the output is the one input's values in their order.
    """

    name: str
    operation: str
    reads: tuple[int, ...]
    writes: int
    run: Function
    kind: Dependence = Whole()
    fresh: bool = True
    over: Function | None = None
    kernel: Kernel | None = None
    affine: Callable[[], tuple[Tensor, Tensor]] | None = None
    work: int = 0
    spared: int = 0
    by_channel: bool = False
    flat: bool = False

    @property
    def move(self) -> Move:
        """What it reads and writes."""
        return self.reads, (self.writes,)

    def computing(self, functions: Functions) -> Node:
        """The node with other functions."""
        kind = self.kind
        if isinstance(kind, Local):
            kind = replace(kind, cut=functions.cut, spread=kind.spread and functions.spread)
        return replace(self, run=functions.run, kind=kind)


@dataclass(frozen=True)
class Graph:
    """Functions in an order in which they can be run.

    Attributes
    ----------
    nodes : tuple of Node
    shapes : {value: shape without the batch axis}
    input : int
        The value that the net's input is.
    values : {blob: value}
    """

    nodes: tuple[Node, ...]
    shapes: Mapping[int, Shape]
    input: int
    values: Mapping[str, int]

    def path(self, source: int, target: int) -> list[Node]:
        """The nodes that ``target`` needs and that see ``source``, in order."""
        seen = self._downstream(source) - {source}
        nodes = [node for node in self.nodes if node.writes in seen]
        return [nodes[i] for i in needed([node.move for node in nodes], [target])]

    def sees(self, source: int, target: int) -> bool:
        """Whether ``target`` depends on ``source``, or is it."""
        return target in self._downstream(source)

    def run(self, inputs: Tensor, wanted: Sequence[int]) -> dict[int, Tensor]:
        """Values of a batch of inputs, each left as it was computed.

        What they do not need is not run, and no value is kept for longer than it is needed. A node may write over its
        first input where that is memory of its own, which nobody else reads and nobody asked for; but not where a
        gradient may be asked for, which needs the values on the way.
        """
        nodes = [self.nodes[i] for i in needed([node.move for node in self.nodes], wanted)]
        free = set() if torch.is_grad_enabled() else _read_once(nodes).difference(wanted)
        values = {self.input: inputs}
        del inputs  # so that it too can be freed
        for node, gone in zip(nodes, freed([node.move for node in nodes], wanted)):
            function = node.over if node.over is not None and node.reads[0] in free else node.run
            values[node.writes] = function([values[number] for number in node.reads])
            for number in gone:
                del values[number]
        return {number: values[number] for number in wanted}

    def _downstream(self, source: int) -> set[int]:
        return downstream([node.move for node in self.nodes], source)


def _read_once(nodes: Sequence[Node]) -> set[int]:
    """Values that are memory of their own and read by one node alone, once."""
    readers = Counter(number for node in nodes for number in node.reads)
    return {node.writes for node in nodes if node.fresh and readers[node.writes] == 1}
