"""What a module calls, recorded on a copy for two, three and more images: nothing of it stays on the module.

The copy shares the module's tensors. What is traced is bound to the module's own parts by their names, so that weights
that change afterwards count. Numbers that differ between the passes are written down as multiples of the number of
images, where all passes bear that out; whatever else differs cannot be traced. The passes see other values too, so
that what hangs on these is likely to differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from ... import budget
from ..engine.geometry import Shape
from .asking import Ask
from .calls import SPLITS
from .hooks import altered, copied, global_hooks, hooked
from .recording import Elsewhere, Part, Recorder, Ref, Step, UntraceableError, tensors

#: Numbers in the images of the last recording, at most where there are more than nine images.
PIXELS = 17 * 3 * 224 * 224
#: And how many it has at least: more than the two recordings before it.
LEAST = 4


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
        Submodules with hooks or a ``forward`` of their own, which are called as they are.
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


def traced(module: nn.Module, zeros: Tensor, ask: Ask, each: int = 0) -> Trace:
    """Trace a module in evaluation mode, asked for zeros (2, C, H, W); an UntraceableError says why it can't be.

    ``each`` is how many bytes a pass takes for each image.
    """
    if hooked(module):
        raise UntraceableError("hooks listen to the whole module")
    if global_hooks():
        raise UntraceableError("hooks listen to all modules")
    opaque = next((part for part in module.modules() if isinstance(part, Opaque)), None)
    if opaque is not None:
        raise UntraceableError(opaque.because)
    images = (2, 3, many(zeros.shape[1:], each))
    try:
        with torch.inference_mode(False), torch.no_grad():  # where torch counts how often a tensor is written on
            passes = [_recorded(module, _inputs(zeros, count), ask) for count in images]
    except UntraceableError:
        raise
    except Exception as error:  # whatever a stranger's module does
        raise UntraceableError(f"it cannot be traced ({type(error).__name__})") from error
    names = {name for name, child in module.named_modules(remove_duplicate=False) if altered(child)}
    return _Merger(module, images).merged(passes, frozenset(names))


def many(shape: Sequence[int], each: int = 0) -> int:
    """How many images the last recording has: more of small ones, since that costs a pass of so many.

    Fewer where memory has no room for them at ``each`` bytes an image.
    """
    usual = max(9, min(65, PIXELS // math.prod(shape)))
    fitting = usual if usual * each <= budget.room() else int(budget.room() // each)
    if fitting < LEAST:
        raise UntraceableError(f"its trace takes a pass of {LEAST} images, for which memory has no room (--memory)")
    return fitting


def _inputs(zeros: Tensor, images: int) -> Tensor:
    """So many inputs to record: zeros for two, noise for more."""
    if images == len(zeros):
        return zeros.clone()
    numbers = np.random.default_rng(images).normal(0, images, (images, *zeros.shape[1:]))
    return torch.from_numpy(numbers.astype(np.float32)).to(zeros)


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
    """Makes one graph of what was recorded for several numbers of images: two, three and more."""

    def __init__(self, module: nn.Module, images: Sequence[int]) -> None:
        self.module, self.images = module, images
        self.following: list[bool] = []  # whether the first axis of what a step gives follows the batch
        self.graph = fx.Graph()
        self.nodes: list[fx.Node] = []
        self.constants: dict[str, Tensor] = {}
        self.parts: dict[str, fx.Node] = {}
        self.shapes: dict[fx.Node, Shape] = {}
        self.tensors: dict[fx.Node, Shape] = {}

    def merged(self, recorded: list[tuple[Recorder, Ref]], altered_parts: frozenset[str]) -> Trace:
        """The trace of several recordings."""
        two, output = recorded[0]
        for other, again in recorded[1:]:
            if (len(two.steps), output, two.returned) != (len(other.steps), again, other.returned):
                raise _other_calls()
        for steps in zip(*(recorder.steps for recorder, _ in recorded)):
            self._add(steps)
        returned = {name: self.nodes[ref.index] for name, ref in two.returned.items()}
        return Trace(
            self.graph, self.nodes[output.index], returned, self.constants, altered_parts, self.shapes, self.tensors
        )

    def _add(self, steps: Sequence[Step]) -> None:
        step = steps[0]
        if any(other.target != step.target or other.floats != step.floats for other in steps):
            raise _other_calls()
        self._check_parts(step)
        args, kwargs = self._value([each.args for each in steps]), self._value([each.kwargs for each in steps])
        if step.target == "":
            node = self.graph.placeholder("input")
        elif isinstance(step.target, str):
            node = self.graph.call_module(step.target, args, kwargs)
        else:
            node = self.graph.call_function(step.target, args, kwargs)
        self.nodes.append(node)
        self.following.append(self._follows([each.shape for each in steps]))
        if step.shape is not None:
            self.tensors[node] = step.shape
            batched = all(each.shape == (images, *step.shape[1:]) for each, images in zip(steps, self.images))
            if batched and step.floats:
                self.shapes[node] = step.shape[1:]

    def _follows(self, shapes: Sequence[Shape | None]) -> bool:
        """Whether the first axis of what a step gives follows the batch; no axis may do so but by multiples."""
        if None in shapes:
            return False
        if len({len(shape or ()) for shape in shapes}) > 1:
            raise _other_calls()
        multiples = [self._multiple(sizes) for sizes in zip(*(shape or () for shape in shapes))]
        return bool(multiples) and multiples[0][0] != 0

    def _multiple(self, numbers: Sequence[int]) -> tuple[int, int]:
        """By how much a number grows with each image, and what it would be for none."""
        each = numbers[1] - numbers[0]
        more = numbers[0] - 2 * each
        if any(of_batch(images, each, more) != number for images, number in zip(self.images, numbers)):
            raise _other_calls()
        return each, more

    def _check_parts(self, step: Step) -> None:
        """Refuse parts of a batch that are cut by numbers: they may hold all of the images here, and few of others."""
        if not callable(step.target) or not step.args or not isinstance(step.args[0], Ref):
            return
        if not self.following[step.args[0].index]:
            return
        name = step.target.__name__.replace("unsafe_", "")
        if name in SPLITS - {"unbind"}:
            dim = step.kwargs.get("dim", step.args[2] if len(step.args) > 2 else 0)
            cut = dim in (0, -len(self.tensors[self.nodes[step.args[0].index]]))
        elif name in ("__getitem__", "getitem"):
            index = step.args[1]
            first = index[0] if isinstance(index, tuple) and index else index
            length = self.tensors[self.nodes[step.args[0].index]][0]
            cut = isinstance(first, slice) and isinstance(first.stop, int) and first.stop > length
        else:
            return
        if cut:
            raise _other_calls()

    def _value(self, values: Sequence[Any]) -> Any:
        """What all passes were given, as the graph has it."""
        one = values[0]
        if any(type(other) is not type(one) for other in values):
            raise _other_calls()
        if isinstance(one, (tuple, list)) and len({len(each) for each in values}) == 1:
            made = [self._value(each) for each in zip(*values)]
            return made if isinstance(one, list) else tuple(made)
        if isinstance(one, dict) and all(list(each) == list(one) for each in values):
            return {key: self._value([each[key] for each in values]) for key in one}
        if isinstance(one, slice):
            return slice(*self._value([(each.start, each.stop, each.step) for each in values]))
        if isinstance(one, Elsewhere):
            return self._constant([each.tensor for each in values])
        if type(one) is int and any(each != one for each in values):
            return self.graph.call_function(of_batch, (0, *self._multiple(values)))
        if any(each != one for each in values):
            raise _other_calls()
        if isinstance(one, Part):
            return self._part(one.name)
        return self.nodes[one.index] if isinstance(one, Ref) else one

    def _constant(self, tensors: Sequence[Tensor]) -> fx.Node:
        """A tensor that all passes found at the same place."""
        tensor = tensors[0]
        if any(other is not tensor for other in tensors):
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
