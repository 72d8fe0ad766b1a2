"""What a module calls, recorded on a copy for two and for three images: nothing of it stays on the module.

The copy shares the module's tensors. What is traced is bound to the module's own parts by their names, so that weights
that change afterwards count. Numbers that differ between the two passes are written down as multiples of the number of
images; whatever else differs cannot be traced.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from torch import Tensor, fx, nn

from ..engine.geometry import Shape
from .asking import Ask
from .hooks import copied, global_hooks, hooked
from .recording import Elsewhere, Part, Recorder, Ref, Step, UntraceableError, tensors


@dataclass(frozen=True)
class Trace:
    """What a module calls.

    Attributes
    ----------
    graph : torch.fx.Graph
        Its nodes in order; functions, submodules and weights. `of_batch` stands for numbers that follow the batch.
    output : torch.fx.Node
        What is taken of what the module returns.
    returned : {submodule: node}
        What each submodule returns, its last call counting.
    constants : {name: tensor}
        What the graph takes from the module and the module does not have by a name.
    hooked : set of str
        Submodules with hooks, which are called as they are.
    shapes : {node: shape}
        Without the batch axis, of batches of floats.
    tensors : {node: shape}
        Of all tensors, as they are for two images.
    """

    graph: fx.Graph
    output: fx.Node
    returned: Mapping[str, fx.Node]
    constants: Mapping[str, Any]
    hooked: frozenset[str]
    shapes: Mapping[fx.Node, Shape]
    tensors: Mapping[fx.Node, Shape]

    def part(self, module: nn.Module, name: str) -> Tensor:
        """A weight of the module as it is now, or what the trace alone has a name for."""
        return self.constants[name] if name in self.constants else attrgetter(name)(module)


def of_batch(images: int, each: int, more: int) -> int:
    """A number that follows how many images come in a batch; who runs a trace hands that over."""
    return images * each + more


class Opaque(nn.Module):
    """A module that is not traced; ``because`` says why, behind "since"."""

    because = ""


def traced(module: nn.Module, zeros: Tensor, ask: Ask) -> Trace:
    """Trace a module in evaluation mode, asked for zeros (2, C, H, W); an UntraceableError says why it can't be."""
    if hooked(module):
        raise UntraceableError("hooks listen to the whole module")
    if global_hooks():
        raise UntraceableError("hooks listen to all modules")
    opaque = next((part for part in module.modules() if isinstance(part, Opaque)), None)
    if opaque is not None:
        raise UntraceableError(opaque.because)
    try:
        passes = [_recorded(module, zeros[:1].repeat(images, 1, 1, 1), ask) for images in (2, 3)]
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's module does
        raise UntraceableError(f"it cannot be traced ({type(error).__name__})") from error
    names = {name for name, child in module.named_modules(remove_duplicate=False) if hooked(child)}
    return _Merger(module).merged(passes, frozenset(names))


def _recorded(module: nn.Module, inputs: Tensor, ask: Ask) -> tuple[Recorder, Ref]:
    """What a copy of the module calls, and which step is what it returns."""
    try:
        twin = copied(module, {id(tensor): tensor for child in module.modules() for tensor in tensors(_parts(child))})
    except Exception as error:  # whatever a stranger's module holds
        raise UntraceableError(f"no copy can be made to trace ({type(error).__name__})") from error
    if twin is module:
        raise UntraceableError("no copy can be made to trace (it says that it is its own)")
    recorder = Recorder(module, twin, inputs.device)
    return recorder, recorder.record(inputs, ask)


def _parts(module: nn.Module) -> list[Any]:
    """All that a module has by itself."""
    return [part for name, part in vars(module).items() if name != "_modules"]


class _Merger:
    """Makes one graph of what was recorded for two and for three images."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.graph = fx.Graph()
        self.nodes: list[fx.Node] = []
        self.constants: dict[str, Tensor] = {}
        self.parts: dict[str, fx.Node] = {}
        self.shapes: dict[fx.Node, Shape] = {}
        self.tensors: dict[fx.Node, Shape] = {}

    def merged(self, recorded: list[tuple[Recorder, Ref]], hooked_parts: frozenset[str]) -> Trace:
        """The trace of two recordings."""
        (two, output), (three, again) = recorded
        if (len(two.steps), output, two.returned) != (len(three.steps), again, three.returned):
            raise _other_calls()
        for step, other in zip(two.steps, three.steps):
            self._add(step, other)
        returned = {name: self.nodes[ref.index] for name, ref in two.returned.items()}
        return Trace(
            self.graph, self.nodes[output.index], returned, self.constants, hooked_parts, self.shapes, self.tensors
        )

    def _add(self, step: Step, other: Step) -> None:
        if step.target != other.target:
            raise _other_calls()
        args, kwargs = self._value(step.args, other.args), self._value(step.kwargs, other.kwargs)
        if step.target == "":
            node = self.graph.placeholder("input")
        elif isinstance(step.target, str):
            node = self.graph.call_module(step.target, args, kwargs)
        else:
            node = self.graph.call_function(step.target, args, kwargs)
        self.nodes.append(node)
        if step.shape is not None:
            self.tensors[node] = step.shape
            batched = step.shape[:1] == (2,) and other.shape == (3, *step.shape[1:])
            if batched and step.floats:
                self.shapes[node] = step.shape[1:]

    def _value(self, one: Any, other: Any) -> Any:
        """What both passes were given, as the graph has it."""
        if type(one) is not type(other):
            raise _other_calls()
        if isinstance(one, (tuple, list)) and len(one) == len(other):
            values = [self._value(*pair) for pair in zip(one, other)]
            return values if isinstance(one, list) else tuple(values)
        if isinstance(one, dict) and list(one) == list(other):
            return {key: self._value(one[key], other[key]) for key in one}
        if isinstance(one, slice):
            ends = ((each.start, each.stop, each.step) for each in (one, other))
            return slice(*self._value(*ends))
        if isinstance(one, Elsewhere):
            return self._constant(one.tensor, other.tensor)
        if isinstance(one, int) and one != other:
            return self.graph.call_function(of_batch, (0, other - one, 3 * one - 2 * other))
        if one != other:
            raise _other_calls()
        if isinstance(one, Part):
            return self._part(one.name)
        return self.nodes[one.index] if isinstance(one, Ref) else one

    def _constant(self, tensor: Tensor, other: Tensor) -> fx.Node:
        """A tensor that both passes found at the same place."""
        if tensor is not other:
            raise UntraceableError("it makes tensors otherwise than by torch's functions")
        names = [name for name, known in self.constants.items() if known is tensor]
        name = names[0] if names else f"constant {len(self.constants)}"
        self.constants[name] = tensor
        return self._part(name)

    def _part(self, name: str) -> fx.Node:
        if name not in self.parts:
            self.parts[name] = self.graph.create_node("get_attr", name)
            tensor = self.constants[name] if name in self.constants else attrgetter(name)(self.module)
            self.tensors[self.parts[name]] = tuple(tensor.shape)
        return self.parts[name]


def _other_calls() -> UntraceableError:
    return UntraceableError("what it calls hangs on how many images come at once")
