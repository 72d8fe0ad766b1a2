"""Single calls of a traced module: of a module, a function or a method."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from ..engine.geometry import Shape
from ..engine.graph import Dependence, Function, Node
from .axes import USUAL, Axes

#: Python's operators on the left side's memory, as a tensor has them besides its methods that end in "_".
IN_PLACE = frozenset(
    {
        "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__idiv__", "__ifloordiv__", "__imod__",
        "__ipow__", "__iand__", "__ior__", "__ixor__", "__ilshift__", "__irshift__",
    }
)  # fmt: skip
#: Functions that give parts of a tensor, which are taken one by one.
SPLITS = frozenset({"chunk", "split", "split_with_sizes", "tensor_split", "unbind"})
#: Convolutions and linear layers, whose weights are their second argument.
WEIGHTED = (functional.conv2d, torch.conv2d, functional.linear)


@dataclass(frozen=True)
class ModuleNode(Node):
    """A node of a module's graph.

    Attributes
    ----------
    axes : Axes, optional
        Where in the tensor rows and columns lie, where it is a map to the engine.
    """

    axes: Axes | None = None


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
    axes : sequence of Axes, or None for each that has no rows and columns
        Of the inputs.
    beside : sequence of shapes
        Of constant tensors among its arguments; None of anything else there.
    in_place : bool
        Whether it works on its first input's memory.
    device : torch.device
    run : callable
        The call, of batches of its inputs.
    first : bool
        Whether the first of these is its first argument.
    fetch : callable
        From an argument to what it is now, if it does not depend on the input.
    """

    name: str
    key: Any
    module: nn.Module | None
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: Sequence[Shape]
    output: Shape
    axes: Sequence[Axes | None]
    beside: Sequence[Shape | None]
    in_place: bool
    device: torch.device
    run: Function
    first: bool
    fetch: Callable[[Any], Any]

    @property
    def of_maps(self) -> bool:
        """Whether what it gives is a map (C, H, W), and all that it depends on are maps too."""
        return len(self.output) == 3 and all(
            len(shape) == 3 and axes == USUAL for shape, axes in zip(self.inputs, self.axes)
        )

    @property
    def of_one(self) -> bool:
        """Whether it depends on one tensor alone, which is its first argument."""
        return len(self.inputs) == 1 and self.first

    @property
    def alone(self) -> bool:
        """Whether it depends on one tensor and no other, and gives one of the same shape."""
        return len(self.inputs) == 1 and self.inputs[0] == self.output and not self.beside

    @property
    def work(self) -> int:
        """Multiply-adds: of a convolution for each place, of any other call for all of its output."""
        if isinstance(self.module, (nn.Linear, nn.Conv2d)):
            weights = self.module.weight.numel()
        elif self.key in WEIGHTED and self.of_one and None not in self.beside:
            weights = math.prod(self.fetch(self.settings("input", "weight")["weight"]).shape)
        else:
            return 0
        linear = self.key is functional.linear or isinstance(self.module, nn.Linear)
        return weights * math.prod(self.output[:-1]) if linear else weights

    def settings(self, *names: str) -> dict[str, Any]:
        """A module's attributes, or a function's arguments by these names."""
        return dict(vars(self.module)) if self.module is not None else {**dict(zip(names, self.args)), **self.kwargs}

    def placed(self, node: ModuleNode, axes: Axes, kind: Dependence, *, fresh: bool) -> ModuleNode:
        """The node of a call whose result has these axes, as a function of maps."""
        node = replace(node, kind=kind, fresh=fresh, axes=axes)
        if axes == USUAL and len(self.output) == 3 and self._usual:
            return node
        return replace(node, run=self.of_map(node.run, axes), over=node.over and self.of_map(node.over, axes))

    def of_whole(self, node: ModuleNode) -> ModuleNode:
        """The node of a call that joins everything, as a function of maps."""
        return node if self._usual else replace(node, run=self.of_map(node.run, None), over=None)

    @property
    def _usual(self) -> bool:
        """Whether the engine sees in the inputs what the module computed."""
        return all(axes is None or (axes, len(shape)) == (USUAL, 3) for axes, shape in zip(self.axes, self.inputs))

    def of_map(self, function: Function, axes: Axes | None) -> Function:
        """A function of tensors, as one of the maps that the engine sees in them."""
        pairs = list(zip(self.axes, self.inputs))

        def turned(values: Sequence[Tensor]) -> Tensor:
            given = [of.from_map(value, shape) if of else value for value, (of, shape) in zip(values, pairs)]
            result = function(given)
            return axes.to_map(result) if axes else result

        return turned


def called(node: fx.Node, root: nn.Module) -> tuple[str, Any, nn.Module | None, bool]:
    """The name, key and module of what a node of a trace of ``root`` calls, and whether it works in place."""
    if isinstance(node.target, str):
        module = root.get_submodule(node.target)
        return type(module).__name__, type(module), module, bool(vars(module).get("inplace", False))
    name, in_place = node.target.__name__, works_in_place(node.target.__name__, node.kwargs)
    method = method_name(node.target)
    if method is None:
        return name, node.target, None, in_place
    return method.strip("_"), method.strip("_"), None, in_place


def method_name(function: Any) -> str | None:
    """Name of one of a tensor's methods, or of what reads a property of it; None of another function."""
    if function.__name__ == "__get__":
        read: Any = function.__self__
        named: Any = read.fget if isinstance(read, property) else read
        return str(named.__name__)
    if not inspect.isroutine(function):
        return None
    owner, _, name = function.__qualname__.rpartition(".")
    return name if owner in ("Tensor", "TensorBase") else None


def works_in_place(name: str, kwargs: Mapping[str, Any]) -> bool:
    """Whether a function of this name, called so, works on its first argument's memory."""
    if name[:1] == "_":
        return name in IN_PLACE
    return bool(kwargs.get("inplace")) or (name.endswith("_") and name != "requires_grad_")
