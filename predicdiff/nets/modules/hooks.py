"""What a torch module computes on its way, taken by forward hooks."""

from __future__ import annotations

import copy
import functools
import math
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isroutine
from typing import Any, Callable, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module
from torch.utils.hooks import RemovableHandle

from ..engine.device import is_full
from .asking import PLAIN, Ask
from .unprinted import Unprinted, unprinted

#: Held while hooks come and go, and while modules are copied, whose hooks are copied with them.
_lock = threading.RLock()


class Listener:
    """A forward hook that hears the passes of the thread that made it; those of others are none of its business.

    Parameters
    ----------
    hear : callable
        From what the submodule returned to what takes its place, or None.
    """

    def __init__(self, hear: Callable[[Any], Tensor | None]) -> None:
        self._hear, self._thread = hear, threading.get_ident()

    def __call__(self, module: nn.Module, inputs: object, output: Any) -> Tensor | None:
        """As torch calls a hook."""
        return self._hear(output) if threading.get_ident() == self._thread else None

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy of the module that is listened to is not."""
        return Listener, (_deaf,)


def _deaf(output: object) -> None:
    """Hears nothing."""


Self = TypeVar("Self", bound="Listeners")


class Listeners:
    """The hooks of a pass on some submodules, taken off afterwards."""

    def __init__(self, module: nn.Module, hear: Mapping[str, Callable[[Any], Tensor | None]]) -> None:
        self._module, self._hear = module, hear
        self._handles: list[RemovableHandle] = []

    def __enter__(self: Self) -> Self:
        children = dict(self._module.named_modules())
        with _lock:
            try:
                for name, hear in self._hear.items():
                    self._handles.append(children[name].register_forward_hook(Listener(hear)))
            except Exception:  # TorchScript takes none
                self.__exit__()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        with _lock:
            for handle in self._handles:
                handle.remove()
        self._hear = {}  # often methods of this object, which would keep itself and what it holds alive


def hooked(module: nn.Module) -> bool:
    """Whether hooks that are not ours listen to a module's calls, or change what goes in or comes out."""
    return bool(hooks_of(module))


def altered(module: nn.Module) -> bool:
    """Whether a module does something else than its class says, by hooks or by a ``forward`` of its own."""
    return hooked(module) or "forward" in vars(module)


def hook_names(module: nn.Module) -> list[str]:
    """Where in a module there are hooks that are not ours, and what they are called."""
    found = [(name, hook) for name, child in module.named_modules() for hook in hooks_of(child)]
    return [f"{name}: {(hook if isroutine(hook) else type(hook)).__qualname__}" for name, hook in found]


def hooks_of(module: nn.Module) -> list[Any]:
    """Hooks of a module's calls that are not ours."""
    both = (*module._forward_pre_hooks.values(), *module._forward_hooks.values())
    return [hook for hook in both if not isinstance(hook, Listener)]


def global_hooks() -> bool:
    """Whether hooks listen to the calls of all modules."""
    return bool(torch_module._global_forward_hooks or torch_module._global_forward_pre_hooks)


def copied(module: nn.Module, shared: dict[int, Any] | None = None) -> nn.Module:
    """A deep copy; what is ``shared``, by its identity, is the same in both."""
    with _lock:
        return copy.deepcopy(module, shared)


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
    kinds : set of torch.dtype
        Types of numbers among its outputs, those on the way included.
    """

    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    elements: int = 0
    layout: torch.memory_format = torch.contiguous_format
    kinds: set[torch.dtype] = field(default_factory=set)

    @property
    def bytes(self) -> int:
        """What the elements take, in the widest of its numbers, float32's at least."""
        return self.elements * self.size

    @property
    def size(self) -> int:
        """Bytes of the widest of its numbers, float32's at least."""
        return max(torch.finfo(kind).bits // 8 for kind in {torch.float32, *self.kinds})

    @property
    def rounding(self) -> float:
        """By how much the least exact of these is rounded, as a part of its value."""
        return max(torch.finfo(kind).eps for kind in {torch.float64, *self.kinds}) / 2


def dry_run(module: nn.Module, inputs: Tensor, ask: Ask = PLAIN) -> tuple[DryRun, object]:
    """Run a module and note what its submodules return; then with one input more, to tell the batch from other axes.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : (b, C, H, W) tensor
    ask : Ask

    Returns
    -------
    DryRun, and what was taken of what the module returned
    """
    more = torch.cat([inputs, inputs[:1]])
    seen = DryRun(elements=math.prod(inputs.shape[1:]))
    live: dict[int, int] = {}

    def hear(name: str, child: nn.Module, output: Any) -> None:
        seen.calls[name] = seen.calls.get(name, 0) + 1
        seen.shapes.pop(name, None)
        if not _is_blob(output, len(inputs)):
            return
        seen.shapes[name] = tuple(output.shape[1:])
        seen.kinds.add(output.dtype)
        size = math.prod(output.shape[1:])
        live[id(output)] = size
        weakref.finalize(output, live.pop, id(output), None)
        now = 2 * math.prod(inputs.shape[1:]) + sum(live.values()) + _workspace(child, size)
        seen.elements = max(seen.elements, now)

    children = {name: child for name, child in module.named_modules() if child is not module}
    with Listeners(module, {name: functools.partial(hear, name, child) for name, child in children.items()}):
        returned = ask(module, inputs)
    seen.shapes = _with_batch(module, seen.shapes, more, ask)
    return seen, returned


def _with_batch(
    module: nn.Module, shapes: dict[str, tuple[int, ...]], inputs: Tensor, ask: Ask
) -> dict[str, tuple[int, ...]]:
    """Those of the shapes of submodules' outputs that these inputs confirm, all if the module does not take them."""
    found: dict[str, tuple[int, ...]] = {}

    def hear(name: str, output: Any) -> None:
        found[name] = tuple(output.shape) if isinstance(output, Tensor) else ()

    count = len(inputs)
    try:
        with unprinted(module), Listeners(module, {name: functools.partial(hear, name) for name in shapes}):
            ask(module, inputs)
    except (Exception, Unprinted) as error:  # whatever a stranger's module raises
        if is_full(error):
            raise
        return shapes
    return {name: shape for name, shape in shapes.items() if found.get(name) == (count, *shape)}


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


class Recorder(Listeners):
    """Keeps copies of what some submodules return while a module runs.

    Parameters
    ----------
    module : torch.nn.Module
    calls : {submodule: number of calls}
        The submodules to listen to.
    stop : bool
        Leave the module once each of them was called that often.
    ask : Ask
    """

    def __init__(self, module: nn.Module, calls: Mapping[str, int], *, stop: bool, ask: Ask = PLAIN) -> None:
        self.values: dict[str, Tensor] = {}
        self._left = dict(calls)
        self._stop, self._ask = stop, ask
        super().__init__(module, {name: functools.partial(self._keep, name) for name in calls})

    def run(self, inputs: Tensor) -> Tensor | None:
        """What is taken of what the module returns, or None if it was left early."""
        try:
            result: Tensor = self._ask(self._module, inputs)
        except _Enough:
            return None
        return result

    def _keep(self, name: str, output: object) -> None:
        self._left[name] -= 1
        if isinstance(output, Tensor):
            self.values[name] = output.clone()  # before a module in place changes it
        if self._stop and all(left <= 0 for left in self._left.values()):
            raise _Enough


class Replacer(Listeners):
    """Puts other values in the place of what some submodules return while a module runs.

    Parameters
    ----------
    module : torch.nn.Module
    values : {submodule: (number of calls, value)}
        The last of that many calls gets a copy of the value.
    """

    def __init__(self, module: nn.Module, values: Mapping[str, tuple[int, Tensor]]) -> None:
        self._values = values
        self._left = {name: calls for name, (calls, _) in values.items()}
        super().__init__(module, {name: functools.partial(self._replace, name) for name in values})

    @property
    def missed(self) -> list[str]:
        """Submodules that were called less often or more often than that."""
        return [name for name, left in self._left.items() if left]

    def _replace(self, name: str, output: object) -> Tensor | None:
        self._left[name] -= 1
        return self._values[name][1].clone() if self._left[name] == 0 else None
