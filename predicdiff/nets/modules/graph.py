"""A torch module as a graph: torch.fx says what it calls, `operations` which places of a map each call joins.

What is not known there is taken to join everything, and so is computed as a whole; a module that cannot be traced has
no graph at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor, fx, nn

from ..engine.geometry import Shape
from ..engine.graph import Function, Graph, Node
from .asking import PLAIN, Ask
from .calls import traced_call
from .endings import Ending
from .operations import known
from .tracing import Trace, UntraceableError, traced


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


class _Bound(fx.Interpreter):
    """A trace, bound to the module as it is now."""

    def __init__(self, module: nn.Module, trace: Trace) -> None:
        super().__init__(module, garbage_collect_values=True, graph=trace.graph)
        self.trace = trace

    def fetch_attr(self, target: str) -> Any:
        """A part of the module, or what the trace alone has."""
        constants = self.trace.constants
        return constants[target] if target in constants else super().fetch_attr(target)


class _Shapes(_Bound):
    """Runs a traced module and keeps the shapes of all tensors that its nodes give, and of those of floats."""

    def __init__(self, module: nn.Module, trace: Trace) -> None:
        super().__init__(module, trace)
        self.all: dict[fx.Node, Shape] = {}
        self.floats: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.all[n] = tuple(result.shape)
            if result.is_floating_point():
                self.floats[n] = tuple(result.shape)
        return result


def module_graph(module: nn.Module, zeros: Tensor, ask: Ask = PLAIN) -> ModuleGraph:
    """Trace a module in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
    zeros : (2, C, H, W) tensor
        What it is run on, for the shapes; then three of these, to tell the batch from axes of the same length.
    ask : Ask

    Raises
    ------
    UntraceableError
    """
    trace = traced(module, zeros, ask)
    two, three = _Shapes(module, trace), _Shapes(module, trace)
    try:
        two.run(zeros.clone())
        three.run(zeros[:1].repeat(3, 1, 1, 1))
    except Exception as error:  # whatever a stranger's module does
        raise UntraceableError(f"torch.fx cannot trace it ({type(error).__name__})") from error
    return _Builder(module, trace, _batched(two.floats, three.floats), two.all, zeros.device).build()


def _batched(two: Mapping[fx.Node, Shape], three: Mapping[fx.Node, Shape]) -> dict[fx.Node, Shape]:
    """Shapes without the batch axis of what has the batch first, from shapes for two and for three inputs."""
    return {node: shape[1:] for node, shape in two.items() if shape[:1] == (2,) and three.get(node) == (3, *shape[1:])}


class _Builder:
    """Numbers the values of a traced graph, and makes a node of each call that gives one."""

    def __init__(
        self,
        module: nn.Module,
        trace: Trace,
        shapes: Mapping[fx.Node, Shape],
        tensors: Mapping[fx.Node, Shape],
        device: torch.device,
    ) -> None:
        self.module, self.trace, self.device = module, trace, device
        self.shapes, self.tensors = shapes, tensors  # of batches of floats, without that axis, and of all tensors
        self.caller = _Caller(module, trace)
        self.numbers: dict[fx.Node, int] = {}  # what a node gave
        self.now: dict[fx.Node, int] = {}  # what it is after later calls in place
        self.sizes: dict[int, Shape] = {}
        self.nodes: list[Node] = []

    def build(self) -> ModuleGraph:
        output = None
        for node in self.trace.graph.nodes:
            if node.op == "placeholder":
                self._number(node)
            elif node.op == "output":
                output = node.args[0]
            elif node.op != "get_attr" and node in self.shapes and self._reads(node):
                self._add(node)
        if not isinstance(output, fx.Node) or output not in self.numbers:
            raise UntraceableError("what it returns does not come from its input alone")
        values = {name: self.numbers[node] for name, node in self.trace.returned.items() if node in self.numbers}
        return ModuleGraph(Graph(tuple(self.nodes), self.sizes, 0, values), self.now[output])

    def _number(self, node: fx.Node) -> int:
        number = len(self.sizes)
        self.numbers[node] = self.now[node] = number
        self.sizes[number] = self.shapes[node]
        return number

    def _reads(self, node: fx.Node) -> list[fx.Node]:
        """Nodes with values that a call needs, its own arguments and those of what lies between; each once."""
        reads: list[fx.Node] = []
        for other in node.all_input_nodes:
            reads += [other] if other in self.numbers else self._reads(other)
        return list(dict.fromkeys(reads))

    def _add(self, node: fx.Node) -> None:
        reads = self._reads(node)
        numbers = tuple(self.now[other] for other in reads)
        beside = [self._constant(other) for other in node.all_input_nodes if other not in self.numbers]
        inputs, output = [self.shapes[other] for other in reads], self.shapes[node]
        call = traced_call(node, self.module, inputs, output, beside, self.device)
        if call.in_place and reads[:1] != list(node.args[:1]):
            raise UntraceableError(f"{call.name} works in place on what is no single tensor")
        run = self._call(node, reads)
        unknown = Node(
            name=str(node.target) if node.op == "call_module" else node.name,
            operation=call.name,
            reads=numbers,
            writes=self._number(node),
            run=_on_copy(run) if call.in_place else run,
            fresh=call.in_place,
            over=run if call.in_place else None,
            work=call.work,
        )
        self.nodes.append(known(unknown, call))
        if call.in_place:
            self._moved(reads[0], unknown.writes)

    def _constant(self, node: fx.Node) -> Shape | None:
        """Shape of a tensor that does not depend on the input; None of anything else."""
        return None if self._reads(node) else self.tensors.get(node)

    def _moved(self, target: fx.Node, number: int) -> None:
        """After a call in place, whoever held the old value holds the new one."""
        old = self.now.get(target)
        for node, value in list(self.now.items()):
            if value == old:
                self.now[node] = number

    def _call(self, node: fx.Node, reads: Sequence[fx.Node]) -> Function:
        """The call as it stands, of the values it reads; what lies between is computed on the way."""
        return lambda values: self.caller.call(node, dict(zip(reads, values)))


def _of_one(function: Callable[[Tensor], Tensor]) -> Function:
    return lambda values: function(values[0])


def _on_copy(function: Function) -> Function:
    """A function that works in place, on a copy of its first argument."""
    return lambda values: function([values[0].clone(), *values[1:]])


class _Caller(_Bound):
    """Makes single calls of a traced graph."""

    def call(self, node: fx.Node, values: dict[fx.Node, Tensor]) -> Any:
        """What ``node`` gives where other nodes have these values, without a change to them."""
        env: dict[fx.Node, Any] = dict(values)

        def find(other: fx.Node) -> Any:
            if other not in env:
                env[other] = self.call(other, values)
            return env[other]

        args = fx.node.map_arg(node.args, find)
        kwargs = fx.node.map_arg(node.kwargs, find)
        calls = {"get_attr": self.get_attr, "call_function": self.call_function, "call_method": self.call_method}
        return calls.get(node.op, self.call_module)(node.target, args, kwargs)

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """What a part gives; one with hooks is called with all that it holds, and may write on what it is given."""
        if target in self.trace.hooked:
            args, kwargs = fx.node.map_aggregate((args, kwargs), _copy)
        return super().call_module(target, args, kwargs)


def _copy(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) else value
