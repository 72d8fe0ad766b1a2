"""What a module calls in one pass: each function and each of torch's own modules, with what it was given.

The pass is a real one, of real tensors, so that whatever Python does on the way is followed: tests of shapes, loops,
dictionaries and classes of outputs. What a pass computes must not depend on the values of its input in any other way
than by torch's calls: whoever reads a value ends the recording.
"""

from __future__ import annotations

import operator
import threading
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .asking import Ask
from .calls import works_in_place
from .hooks import hooked
from .operations import OPERATIONS


class UntraceableError(Exception):
    """Why a module has no graph."""


@dataclass(frozen=True)
class Ref:
    """What an earlier step gave, by its index."""

    index: int


@dataclass(frozen=True)
class Part:
    """A weight of the module, by its name."""

    name: str


@dataclass(frozen=True, eq=False)
class Elsewhere:
    """A tensor that is neither a weight nor was computed on the way."""

    tensor: Tensor


@dataclass(frozen=True)
class Step:
    """One call.

    Attributes
    ----------
    target : str or callable
        A submodule's name, or a function; "" of the input.
    args, kwargs
        With `Ref`, `Part` and `Elsewhere` in place of tensors.
    shape : tuple of int, optional
        Of what it gives, if that is a tensor, the batch included.
    floats : bool
        Whether it gives a tensor of floats.
    """

    target: str | Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    shape: tuple[int, ...] | None = None
    floats: bool = False


#: Functions that say what a tensor is, and nothing of its values.
ABOUT = frozenset(
    {
        "__get__", "__len__", "__hash__", "__deepcopy__", "data_ptr", "dim", "element_size", "get_device", "has_names",
        "is_complex", "is_contiguous", "is_floating_point", "is_inference", "is_pinned", "is_same_size", "is_signed",
        "is_tensor", "ndimension", "nelement", "numel", "requires_grad_", "result_type", "size", "storage_offset",
        "stride", "type", "untyped_storage", "can_cast", "__dir__", "_is_view", "is_conj", "is_neg", "broadcast_shapes",
        "is_set_to", "is_shared", "sym_size", "dtype", "device",
    }
)  # fmt: skip


def set_item_(x: Tensor, index: Any, value: Any) -> Tensor:
    """What `x[index] = value` makes of a tensor."""
    x[index] = value
    return x


def tensors(value: Any) -> Iterator[Tensor]:
    """Tensors among plain lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tensors(each)


def _holds_any(value: Any) -> bool:
    return any(True for _ in tensors(value))


class Recorder(TorchFunctionMode):
    """Records what a copy of a module calls, in this thread alone.

    Parameters
    ----------
    module : torch.nn.Module
        The one whose weights and own modules are called.
    twin : torch.nn.Module
        A copy of it that shares its tensors, and is changed here.

    Attributes
    ----------
    steps : list of Step
        The first is the input.
    returned : {submodule: Ref}
        What each submodule returned, its last call counting.
    """

    def __init__(self, module: nn.Module, twin: nn.Module, device: torch.device) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.returned: dict[str, Ref] = {}
        self._module, self._twin = module, twin
        self._names = {id(part): name for name, part in reversed([*module.named_parameters(), *module.named_buffers()])}
        self._whole = {name for name, buffer in module.named_buffers() if not buffer.is_floating_point()}
        self._refs: dict[int, tuple[weakref.ref[Tensor], Ref]] = {}
        self._fixed: set[int] = set()  # steps that depend on neither the input nor the module's weights
        self._within = 0  # calls of torch's own modules, inside of which nothing is recorded
        self._thread = threading.get_ident()
        self._one = torch.ones(1, 1, device=device)
        self._products = self._product()
        for name, child in twin.named_modules():
            if child is not twin:
                self._listen(name, child)

    def record(self, inputs: Tensor, ask: Ask) -> Ref:
        """What is taken of what the module returns for a batch of inputs, as a reference to a step."""
        self._add(Step("", (), {}), inputs)
        with self:
            result = ask(self._twin, inputs)
        found = self._found(result) if isinstance(result, Tensor) else None
        if found is None:
            raise UntraceableError("what it returns does not come from its input alone")
        return found

    def _listen(self, name: str, child: nn.Module) -> None:
        """Make a submodule of the copy a single call, if it is to be one, and hear what it returns."""
        own = type(child).__module__.startswith(("torch.nn", "torch.ao.nn")) and not isinstance(child, nn.Sequential)
        if own or hooked(child) or type(child) in OPERATIONS:
            child._forward_pre_hooks.clear()
            child._forward_hooks.clear()
            child.forward = lambda *args, **kwargs: self._of_module(name, args, kwargs)

        def hear(_: object, __: object, output: object) -> None:
            found = self._found(output) if isinstance(output, Tensor) else None
            self.returned.pop(name, None)
            if found is not None:
                self.returned[name] = found

        child.register_forward_hook(hear)

    def _of_module(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a submodule of the module itself, hooks and all, as one step."""
        before = self._referring((args, kwargs))
        self._within += 1
        try:
            self._check_products()
            result = self._module.get_submodule(name)(*args, **kwargs)
        finally:
            self._within -= 1
        if _holds_any(result):
            self._add(Step(name, *before), result)
        return result

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """A function or method of torch's that is called, as torch hands it over."""
        kwargs = kwargs or {}
        if self._within or threading.get_ident() != self._thread:
            return func(*args, **kwargs)
        self._check_products()
        before = self._referring((args, kwargs))
        result = func(*args, **kwargs)
        in_place = works_in_place(func.__name__, kwargs)
        if not in_place and args and (result is args[0] or func is Tensor.contiguous):
            self._is_still(args[0], result)
            return result
        if func is Tensor.__setitem__:
            func, result = set_item_, args[0]
        if func is Tensor.view and not isinstance(args[1], torch.dtype):
            func = Tensor.reshape  # whatever order a piece of a map lies in
        if not _holds_any(result):
            if func.__name__ not in ABOUT and not self._is_fixed(before):
                raise UntraceableError(f"it reads values on the way ({func.__name__})")
            return result
        if in_place and isinstance(before[0][0], (Part, Elsewhere)):
            raise UntraceableError("it writes on a tensor of its own")
        self._add(Step(func, *before), result)
        return result

    def _add(self, step: Step, result: Any) -> None:
        """Note a step, and further ones that take tensors out of what it gave."""
        ref = Ref(len(self.steps))
        if self._is_fixed((step.args, step.kwargs)) and callable(step.target):
            self._fixed.add(ref.index)
        if isinstance(result, Tensor):
            self.steps.append(
                Step(step.target, step.args, step.kwargs, tuple(result.shape), result.is_floating_point())
            )
            self._refs[id(result)] = weakref.ref(result), ref
            return
        self.steps.append(step)
        pairs = result.items() if isinstance(result, Mapping) else enumerate(result)
        for key, value in pairs:
            if _holds_any(value):
                self._add(Step(operator.getitem, (ref, key), {}), value)

    def _is_still(self, tensor: Any, other: Any) -> None:
        """Note that a tensor holds what another one does, so that no step is needed."""
        found = self._found(tensor) if isinstance(tensor, Tensor) else None
        if found is not None:
            self._refs[id(other)] = weakref.ref(other), found

    def _found(self, tensor: Tensor) -> Ref | None:
        known = self._refs.get(id(tensor))
        return known[1] if known is not None and known[0]() is tensor else None

    def _referring(self, value: Any) -> Any:
        """Arguments with references in place of tensors."""
        if isinstance(value, Tensor):
            found = self._found(value)
            if found is not None:
                return found
            return Part(self._names[id(value)]) if id(value) in self._names else Elsewhere(value)
        if isinstance(value, (tuple, list)):
            return (list if isinstance(value, list) else tuple)(map(self._referring, value))
        if isinstance(value, dict):
            return {key: self._referring(each) for key, each in value.items()}
        if isinstance(value, slice):
            return slice(*map(self._referring, (value.start, value.stop, value.step)))
        return value

    def _is_fixed(self, value: Any) -> bool:
        """Whether arguments depend on neither the input nor the module's weights.

        Whole numbers that a module keeps, such as shapes, are no weights.
        """
        if isinstance(value, (tuple, list)):
            return all(map(self._is_fixed, value))
        if isinstance(value, dict):
            return self._is_fixed(list(value.values()))
        if isinstance(value, slice):
            return self._is_fixed((value.start, value.stop, value.step))
        if isinstance(value, Part):
            return value.name in self._whole
        return value.index in self._fixed if isinstance(value, Ref) else not isinstance(value, Elsewhere)

    def _check_products(self) -> None:
        """Refuse a change of precision, which a step does not note."""
        if self._product() != self._products:
            raise UntraceableError("it sets torch.autocast by itself")

    def _product(self) -> torch.dtype:
        """In what products are computed at this place."""
        return (self._one @ self._one).dtype
