"""What a torch module computes on its way, taken by forward hooks."""

from __future__ import annotations

import math
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


@dataclass
class DryRun:
    """What a module showed when it was run once.

    Attributes
    ----------
    shapes : {submodule: shape without the batch axis}
        Of its last output, in the order in which they were computed.
    calls : {submodule: number of calls}
    elements : int
        Most elements alive at one time, and workspace, for one input.
    layout : torch.memory_format
        In which inputs are to be handed over.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    elements: int = 0
    layout: torch.memory_format = torch.contiguous_format


def dry_run(module: nn.Module, inputs: Tensor) -> tuple[DryRun, object]:
    """Run a module once and note what its submodules return.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : (b, C, H, W) tensor

    Returns
    -------
    DryRun, and what the module returned
    """
    seen = DryRun(elements=math.prod(inputs.shape[1:]))
    live: dict[int, int] = {}

    def hook(name: str, child: nn.Module, output: Any) -> None:
        seen.calls[name] = seen.calls.get(name, 0) + 1
        seen.shapes.pop(name, None)
        if not _is_blob(output, len(inputs)):
            return
        seen.shapes[name] = tuple(output.shape[1:])
        size = math.prod(output.shape[1:])
        live[id(output)] = size
        weakref.finalize(output, live.pop, id(output), None)
        now = 2 * math.prod(inputs.shape[1:]) + sum(live.values()) + _workspace(child, size)
        seen.elements = max(seen.elements, now)

    handles = [
        child.register_forward_hook(lambda child, _, output, name=name: hook(name, child, output))
        for name, child in module.named_modules()
        if child is not module
    ]
    try:
        return seen, module(inputs)
    finally:
        for handle in handles:
            handle.remove()


def _is_blob(output: object, batch: int) -> bool:
    return isinstance(output, Tensor) and output.is_floating_point() and output.dim() > 1 and len(output) == batch


def _workspace(module: nn.Module, size: int) -> int:
    """Elements that a submodule needs besides its output of ``size``, at most: a convolution's columns."""
    if not isinstance(module, nn.Conv2d):
        return size
    unfolded = 1 if module.kernel_size == (1, 1) else math.prod(module.kernel_size)
    return size // module.out_channels * module.in_channels * unfolded


class _Enough(BaseException):
    """Leaves a module whose remaining layers nobody asked for; not an Exception, lest the module catch it."""


class Recorder:
    """Keeps copies of what some submodules return while a module runs.

    Parameters
    ----------
    module : torch.nn.Module
    calls : {submodule: number of calls}
        The submodules to listen to.
    stop : bool
        Leave the module once each of them was called that often.
    """

    def __init__(self, module: nn.Module, calls: Mapping[str, int], *, stop: bool) -> None:
        self.values: dict[str, Tensor] = {}
        self._module = module
        self._left = dict(calls)
        self._stop = stop
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Recorder:
        children = dict(self._module.named_modules())
        for name in self._left:
            self._handles.append(
                children[name].register_forward_hook(lambda _, __, output, name=name: self._keep(name, output))
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()

    def run(self, inputs: Tensor) -> Tensor | None:
        """What the module returns, or None if it was left early."""
        try:
            result: Tensor = self._module(inputs)
        except _Enough:
            return None
        return result

    def _keep(self, name: str, output: object) -> None:
        self._left[name] -= 1
        if isinstance(output, Tensor):
            self.values[name] = output.clone()  # before a module in place changes it
        if self._stop and all(left <= 0 for left in self._left.values()):
            raise _Enough


class Replacer:
    """Puts other values in the place of what some submodules return while a module runs.

    Parameters
    ----------
    module : torch.nn.Module
    values : {submodule: (number of calls, value)}
        The last of that many calls gets a copy of the value.
    """

    def __init__(self, module: nn.Module, values: Mapping[str, tuple[int, Tensor]]) -> None:
        self._module = module
        self._values = values
        self._left = {name: calls for name, (calls, _) in values.items()}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Replacer:
        children = dict(self._module.named_modules())
        for name in self._values:
            self._handles.append(children[name].register_forward_hook(lambda *_, name=name: self._replace(name)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for handle in self._handles:
            handle.remove()

    def _replace(self, name: str) -> Tensor | None:
        self._left[name] -= 1
        return self._values[name][1].clone() if self._left[name] == 0 else None
