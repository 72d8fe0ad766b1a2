"""A torch module as a graph: `tracing` says what it calls, `operations` which places of a map each call joins.

What is not known there is taken to join everything, and so is computed as a whole; a module that cannot be traced has
no graph at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, cast

import torch
from torch import Tensor, fx, nn

from ..engine.geometry import Shape
from ..engine.graph import Function, Graph, Node
from .asking import PLAIN, Ask
from .axes import USUAL, Axes
from .calls import SPLITS, Call, ModuleNode, called
from .endings import Ending
from .operations import known
from .recording import UntraceableError
from .tracing import Trace, of_batch, traced


@dataclass(frozen=True)
class ModuleGraph:
    """A module's graph, and what is taken of what it returns.

    Attributes
    ----------
    graph : Graph
        ``values`` are the submodules' outputs, by name.
    output : int
        The value that is taken.
    """

    graph: Graph
    output: int

    def run(self, inputs: Tensor) -> Tensor:
        """What is taken of what the module returns for a batch of inputs."""
        return self.graph.run(inputs, [self.output])[self.output]

    def named(self, shape: Shape, ending: Ending) -> Graph:
        """The graph with the net's own blobs too: what the module returns, as ``shape``, and probabilities."""
        same, own, prob = self.graph.shapes[self.output] == shape, ending.own, ending.prob
        first = len(self.graph.shapes)
        as_shaped = _of_one((lambda values: values) if same else (lambda values: values.reshape(-1, *shape)))
        nodes = [Node(own, own, (self.output,), first, as_shaped, fresh=False, by_channel=same)]
        values = {**self.graph.values, own: first}
        if prob is not None and ending.end is not None:
            nodes.append(Node(prob, prob, (first,), first + 1, _of_one(ending.end), by_channel=ending.by_channel))
            values[prob] = first + 1
        shapes = {**self.graph.shapes, **{node.writes: shape for node in nodes}}
        return Graph((*self.graph.nodes, *nodes), shapes, self.graph.input, values)


def module_graph(module: nn.Module, zeros: Tensor, ask: Ask = PLAIN, each: int = 0) -> ModuleGraph:
    """Trace a module in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
    zeros : (2, C, H, W) tensor
        What it is run on.
    ask : Ask
    each : int
        Bytes that a pass takes for each image.

    Raises
    ------
    UntraceableError
    """
    return _Builder(module, traced(module, zeros, ask, each), zeros.device).build()


class _Builder:
    """Numbers the values of a traced graph, and makes a node of each call that gives one."""

    def __init__(self, module: nn.Module, trace: Trace, device: torch.device) -> None:
        self.module, self.trace, self.device = module, trace, device
        self.caller = _Caller(module, trace)
        self.numbers: dict[fx.Node, int] = {}
        self.axes: dict[fx.Node, Axes | None] = {}
        self.sizes: dict[int, Shape] = {}
        self.nodes: list[Node] = []

    def build(self) -> ModuleGraph:
        output, asked = self.trace.output, {self.trace.output, *self.trace.returned.values()}
        for node in self.trace.graph.nodes:
            if node.op == "placeholder":
                self._number(node, USUAL)
            elif node in self.trace.shapes and (node.users or node in asked) and self._reads(node):
                self._add(node)
        if output not in self.numbers:
            raise UntraceableError("what it returns does not come from its input alone")
        if not self._is_as_it_is(output):
            self._turn(output)
        named = {name: node for name, node in self.trace.returned.items() if node in self.numbers}
        values = {name: self.numbers[node] for name, node in named.items() if self._is_as_it_is(node)}
        return ModuleGraph(Graph(tuple(self.nodes), self.sizes, 0, values), self.numbers[output])

    def _number(self, node: fx.Node, axes: Axes | None) -> int:
        """A number for what a node gives, and the shape that the engine sees in that."""
        number, shape = len(self.sizes), self.trace.shapes[node]
        self.numbers[node] = number
        self.axes[node] = axes or (USUAL if len(shape) == 3 else None)
        self.sizes[number] = shape if axes is None else axes.map_shape(shape)
        return number

    def _is_as_it_is(self, node: fx.Node) -> bool:
        """Whether the engine sees in a value what the module computed."""
        return self.sizes[self.numbers[node]] == self.trace.shapes[node] and self.axes[node] in (None, USUAL)

    def _turn(self, node: fx.Node) -> None:
        """Number a value anew, as the module computed it."""
        axes, shape, number = self.axes[node], self.trace.shapes[node], self.numbers[node]
        turn = _of_one(lambda values: cast(Axes, axes).from_map(values, shape))
        self.nodes.append(Node(node.name, "turn", (number,), self._number(node, None), turn, fresh=False))

    def _reads(self, node: fx.Node) -> list[fx.Node]:
        """Nodes with values that a call needs, its own arguments and those of what lies between; each once."""
        reads: list[fx.Node] = []
        for other in node.all_input_nodes:
            reads += [other] if other in self.numbers else self._reads(other)
        return list(dict.fromkeys(reads))

    def _add(self, node: fx.Node) -> None:
        reads = self._reads(node)
        call = self._call(node, reads)
        if call.in_place and reads[:1] != list(node.args[:1]):
            raise UntraceableError(f"{call.name} works in place on what is no single tensor")
        unknown = ModuleNode(
            name=node.target if isinstance(node.target, str) else node.name,
            operation=call.name,
            reads=tuple(self.numbers[other] for other in reads),
            writes=len(self.sizes),
            run=_on_copy(call.run) if call.in_place else call.run,
            fresh=call.in_place,
            over=call.run if call.in_place else None,
            work=call.work,
        )
        found = known(unknown, call)
        self.nodes.append(found)
        self._number(node, found.axes)

    def _call(self, node: fx.Node, reads: Sequence[fx.Node]) -> Call:
        """The call that a node makes, of the values it reads; what lies between is computed on the way."""
        name, key, module, in_place = called(node, self.module)
        source, split = self._source(node)
        passed = [other for other in node.all_input_nodes if other not in self.numbers and other is not split]
        others = [other for other in passed if other.target is not of_batch]
        return Call(
            name, key, module, node.args, node.kwargs, [self.trace.shapes[other] for other in reads],
            self.trace.shapes[node], [self.axes[other] for other in reads], [self._constant(other) for other in others],
            in_place, self.device, lambda values: self.caller.call(node, dict(zip(reads, values))),
            [source] == reads[:1], self.caller.fetch,
        )  # fmt: skip

    @staticmethod
    def _source(node: fx.Node) -> tuple[Any, fx.Node | None]:
        """The first argument of a call; of a part of what was split, what was split, and the call that did."""
        first = node.args[0] if node.args else None
        if isinstance(first, fx.Node) and callable(first.target) and first.target.__name__ in SPLITS:
            return first.args[0], first
        return first, None

    def _constant(self, node: fx.Node) -> Shape | None:
        """Shape of a tensor that does not depend on the input; None of anything else."""
        return None if self._reads(node) else self.trace.tensors.get(node)


def _of_one(function: Callable[[Tensor], Tensor]) -> Function:
    return lambda values: function(values[0])


def _on_copy(function: Function) -> Function:
    """A function that works in place, on a copy of its first argument."""
    return lambda values: function([values[0].clone(), *values[1:]])


class _Caller:
    """Makes single calls of a trace, bound to the module as it is now."""

    def __init__(self, module: nn.Module, trace: Trace) -> None:
        self.module, self.trace = module, trace

    def call(self, node: fx.Node, values: dict[fx.Node, Tensor]) -> Any:
        """What ``node`` gives where other nodes have these values, without a change to them."""
        images = next((len(value) for value in values.values()), 0)
        return self._call(node, dict(values), images)

    def fetch(self, argument: Any) -> Any:
        """What an argument is now that does not depend on the input."""
        return self.call(argument, {}) if isinstance(argument, fx.Node) else argument

    def _call(self, node: fx.Node, env: dict[fx.Node, Any], images: int, *, between: bool = False) -> Any:
        def find(other: fx.Node) -> Any:
            if other not in env:
                env[other] = self._call(other, env, images, between=True)
            return env[other]

        if node.op == "get_attr":
            return self.trace.part(self.module, str(node.target))
        args, kwargs = fx.node.map_arg(node.args, find), fx.node.map_arg(node.kwargs, find)
        if node.target is of_batch:
            return of_batch(images, *args[1:])
        if between and args and called(node, self.module)[3]:  # others may read what it writes on
            args = (_copy(args[0]), *args[1:])
        if not isinstance(node.target, str):
            return node.target(*args, **kwargs)
        if node.target in self.trace.hooked:  # it may hold what it is given, and write on that
            args, kwargs = fx.node.map_aggregate((args, kwargs), _copy)
        return self.module.get_submodule(node.target)(*args, **kwargs)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
