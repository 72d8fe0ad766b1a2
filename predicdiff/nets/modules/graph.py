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
from .calls import traced_call
from .endings import Ending
from .operations import OPERATIONS, known


@dataclass(frozen=True)
class ModuleGraph:
    """A module's graph, and what it returns.

    Attributes
    ----------
    graph : Graph
        ``values`` are the submodules' outputs, by name.
    output : int
        The value that the module returns.
    """

    graph: Graph
    output: int

    def run(self, inputs: Tensor) -> Tensor:
        """What the module returns for a batch of inputs."""
        return self.graph.run(inputs, [self.output])[self.output]

    def named(self, shape: Shape, ending: Ending) -> Graph:
        """The graph with the net's own blobs too: what the module returns, as ``shape``, and probabilities."""
        same, own, prob = self.graph.shapes[self.output] == shape, ending.own, ending.prob
        first = len(self.graph.shapes)
        as_shaped = _of_one((lambda values: values) if same else (lambda values: values.reshape(-1, *shape)))
        nodes = [Node(own, own, (self.output,), first, as_shaped, fresh=False, by_channel=same)]
        values = {**self.graph.values, own: first}
        if prob is not None and ending.end is not None:
            by_channel = ending.end is torch.sigmoid
            nodes.append(Node(prob, prob, (first,), first + 1, _of_one(ending.end), by_channel=by_channel))
            values[prob] = first + 1
        shapes = {**self.graph.shapes, **{node.writes: shape for node in nodes}}
        return Graph((*self.graph.nodes, *nodes), shapes, self.graph.input, values)


class UntraceableError(Exception):
    """Why a module has no graph."""


class _Tracer(fx.Tracer):
    """Notes what each submodule returns, its last call counting."""

    def __init__(self) -> None:
        super().__init__()
        self.returned: dict[str, fx.Node] = {}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Torch's own modules, and those that the table of operations knows, are single calls."""
        return type(m) in OPERATIONS or bool(super().is_leaf_module(m, module_qualified_name))

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        result = super().call_module(m, forward, args, kwargs)
        if isinstance(result, fx.Proxy):
            self.returned[self.path_of_module(m)] = result.node
        return result


class _Shapes(fx.Interpreter):
    """Runs a traced module and keeps the shapes of what its nodes give.

    Attributes
    ----------
    shapes : {node: shape without the batch axis, or None}
        None where it is no batch of floats.
    tensors : {node: shape}
        Of tensors of any kind.
    """

    def __init__(self, module: nn.Module, graph: fx.Graph) -> None:
        super().__init__(module, garbage_collect_values=True, graph=graph)
        self.shapes: dict[fx.Node, Shape | None] = {}
        self.tensors: dict[fx.Node, Shape] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        batched = isinstance(result, Tensor) and result.is_floating_point() and result.dim() > 0 and len(result) == 2
        self.shapes[n] = tuple(result.shape[1:]) if batched else None
        if isinstance(result, Tensor):
            self.tensors[n] = tuple(result.shape)
        return result


def module_graph(module: nn.Module, zeros: Tensor) -> ModuleGraph:
    """Trace a module in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
    zeros : (2, C, H, W) tensor
        What it is run on, for the shapes.

    Raises
    ------
    UntraceableError
    """
    tracer = _Tracer()
    try:
        graph = tracer.trace(module)
        shapes = _Shapes(module, graph)
        shapes.run(zeros.clone())
    except Exception as error:  # whatever a stranger's module does when it is handed proxies
        raise UntraceableError(f"torch.fx cannot trace it ({type(error).__name__})") from error
    return _Builder(module, graph, shapes, zeros.device).build(tracer.returned)


class _Builder:
    """Numbers the values of a traced graph, and makes a node of each call that gives one."""

    def __init__(self, module: nn.Module, graph: fx.Graph, run: _Shapes, device: torch.device) -> None:
        self.device = device
        self.module, self.graph, self.shapes, self.tensors = module, graph, run.shapes, run.tensors
        self.numbers: dict[fx.Node, int] = {}  # what a node gave
        self.now: dict[fx.Node, int] = {}  # what it is after later calls in place
        self.sizes: dict[int, Shape] = {}
        self.nodes: list[Node] = []

    def build(self, returned: Mapping[str, fx.Node]) -> ModuleGraph:
        output = None
        for node in self.graph.nodes:
            if node.op == "placeholder":
                self._input(node)
            elif node.op == "output":
                output = node.args[0]
            elif node.op != "get_attr" and self.shapes[node] is not None and self._reads(node):
                self._add(node)
        if not isinstance(output, fx.Node) or output not in self.numbers:
            raise UntraceableError("what it returns does not come from its input alone")
        values = {name: self.numbers[node] for name, node in returned.items() if node in self.numbers}
        return ModuleGraph(Graph(tuple(self.nodes), self.sizes, 0, values), self.now[output])

    def _input(self, node: fx.Node) -> None:
        if self.numbers:
            if not node.args:
                raise UntraceableError("it takes several inputs")
            return
        self._number(node)

    def _number(self, node: fx.Node) -> int:
        number = len(self.sizes)
        self.numbers[node] = self.now[node] = number
        self.sizes[number] = self.shapes[node] or ()
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
        inputs, output = [self.shapes[other] or () for other in reads], self.shapes[node] or ()
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
        interpreter = _Caller(self.module, graph=self.graph)
        return lambda values: interpreter.call(node, dict(zip(reads, values)))


def _of_one(function: Callable[[Tensor], Tensor]) -> Function:
    return lambda values: function(values[0])


def _on_copy(function: Function) -> Function:
    """A function that works in place, on a copy of its first argument."""
    return lambda values: function([values[0].clone(), *values[1:]])


class _Caller(fx.Interpreter):
    """Makes single calls of a traced graph."""

    def call(self, node: fx.Node, values: dict[fx.Node, Tensor]) -> Any:
        """What ``node`` gives where other nodes have these values, without a change to them."""
        env: dict[fx.Node, Any] = dict(values)

        def find(other: fx.Node) -> Any:
            if other not in env:
                env[other] = self.call(other, values)
            return env[other]

        if node.op == "placeholder":  # a further input, with a value of its own
            return node.args[0]
        args = fx.node.map_arg(node.args, find)
        kwargs = fx.node.map_arg(node.kwargs, find)
        calls = {"get_attr": self.get_attr, "call_function": self.call_function, "call_method": self.call_method}
        return calls.get(node.op, self.call_module)(node.target, args, kwargs)
