"""Single calls of a traced module: of a module, a function or a method."""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ..engine.geometry import Shape

#: Python's operators on the left side's memory.
IN_PLACE = frozenset({operator.iadd, operator.imul, operator.isub, operator.itruediv})


@dataclass(frozen=True)
class Call:
    """One call of a traced module.

    Attributes
    ----------
    name : str
        For reports.
    key : type, callable or str
        What is called, as `OPERATIONS` has it: a module's class, a function, or a method's name, without what says that
        it works in place.
    module : torch.nn.Module or None
        The module, if it is one.
    args, kwargs
        As traced.
    inputs, output : shapes without the batch axis
        Of the tensors that the call depends on, and of what it gives.
    beside : sequence of shapes
        Of constant tensors among its arguments; None of anything else there.
    in_place : bool
        Whether it works on its first input's memory.
    device : torch.device
    """

    name: str
    key: Any
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: Sequence[Shape]
    output: Shape
    beside: Sequence[Shape | None]
    in_place: bool
    device: torch.device

    @property
    def of_maps(self) -> bool:
        """Whether what it gives is a map, and all that it depends on are maps too."""
        return len(self.output) == 3 and all(len(shape) == 3 for shape in self.inputs)

    @property
    def alone(self) -> bool:
        """Whether it depends on one tensor and no other, and gives one of the same shape."""
        return len(self.inputs) == 1 and self.inputs[0] == self.output and not self.beside

    @property
    def work(self) -> int:
        """Multiply-adds: of a convolution for each place, of any other module for all of its output."""
        if isinstance(self.module, nn.Linear):
            return self.module.weight.numel() * math.prod(self.output[:-1])
        return self.module.weight.numel() if isinstance(self.module, nn.Conv2d) else 0

    def settings(self, *names: str) -> dict[str, Any]:
        """A module's attributes, or a function's arguments by these names."""
        return dict(vars(self.module)) if self.module is not None else {**dict(zip(names, self.args)), **self.kwargs}


def traced_call(
    node: fx.Node,
    root: nn.Module,
    inputs: Sequence[Shape],
    output: Shape,
    beside: Sequence[Shape | None],
    device: torch.device,
) -> Call:
    """What a node of a trace of the module ``root`` calls; the rest is as in `Call`."""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        kind, in_place = type(module), bool(vars(module).get("inplace", False))
        return Call(kind.__name__, kind, module, node.args, node.kwargs, inputs, output, beside, in_place, device)
    name = node.target.__name__ if inspect.isroutine(node.target) else str(node.target)
    key = name.rstrip("_") if isinstance(node.target, str) else node.target
    return Call(name, key, None, node.args, node.kwargs, inputs, output, beside, _in_place(node, name), device)


def _in_place(node: fx.Node, name: str) -> bool:
    """Whether the call of a function or method works on its first argument's memory."""
    if node.op == "call_method":
        return name.endswith("_")
    return node.target in IN_PLACE or bool(node.kwargs.get("inplace")) or (name.endswith("_") and name[:1] != "_")
