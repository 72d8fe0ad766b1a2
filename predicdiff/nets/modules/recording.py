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
from typing import Any, Callable, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .asking import Ask
from .calls import works_in_place
from .hooks import altered
from .operations import OPERATIONS
from .told import is_about, shaping


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


#: Functions that may give the very tensor that they are given.
SAME = frozenset(
    {
        "contiguous", "to", "float", "double", "half", "bfloat16", "type", "type_as", "cpu", "cuda", "dropout",
        "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout", "__pos__",
        "positive", "resolve_conj", "resolve_neg", "conj", "real", "requires_grad_",
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


@dataclass
class _Known:
    """A tensor that a step gave.

    Attributes
    ----------
    tensor : weakref
    ref : Ref
    version : int
        How often it was written on by then.
    memory : int
        Where it lies.
    stale : bool
        Whether another tensor was written on that lies there too.
    """

    tensor: weakref.ref[Tensor]
    ref: Ref
    version: int
    memory: int
    stale: bool = False


def _version(tensor: Tensor) -> int:
    """How often a tensor's memory was written on; of one that cannot be written on here, always the same."""
    with torch._C.DisableTorchFunction():
        return 0 if tensor.is_inference() else tensor._version


def _memory(tensor: Tensor) -> int:
    """Where a tensor's memory begins; 0 of one that has none."""
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage().data_ptr()


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
        own = [*module.named_parameters(), *module.named_buffers()]
        self._names = {id(part): name for name, part in reversed(own)}
        self._versions = [(part, _version(part)) for _, part in own]
        self._own = {_memory(part) for _, part in own} - {0}  # and of what is found elsewhere
        self._whole = {name for name, buffer in module.named_buffers() if not buffer.is_floating_point()}
        self._known: dict[int, _Known] = {}
        self._fixed: set[int] = set()  # steps that depend on neither the input nor the module's weights
        self._within = 0  # calls of torch's own modules, inside of which nothing is recorded
        self._entered: dict[str, list[int]] = {}  # how many steps there were when a submodule was called
        self._refusal: UntraceableError | None = None
        self._thread = threading.get_ident()
        self._one = torch.ones(1, 1, device=device, dtype=torch.float32)
        self._state = self._settings()
        for name, child in twin.named_modules():
            if child is not twin:
                self._listen(name, child)

    def record(self, inputs: Tensor, ask: Ask) -> Ref:
        """What is taken of what the module returns for a batch of inputs, as a reference to a step."""
        self._add(Step("", (), {}), inputs)
        with self:
            result = ask(self._twin, inputs)
        if self._refusal is not None:  # which the module may have caught
            raise self._refusal
        if any(_version(part) != version for part, version in self._versions):
            raise self._refused("it writes on a tensor of its own")
        found = self._found(result) if isinstance(result, Tensor) else None
        if found is None:
            raise self._refused("what it returns does not come from its input alone")
        return found

    def _refused(self, why: str) -> UntraceableError:
        self._refusal = self._refusal or UntraceableError(why)
        return self._refusal

    def _listen(self, name: str, child: nn.Module) -> None:
        """Make a submodule of the copy a single call, if it is to be one, and hear what it returns."""
        own = type(child).__module__.startswith(("torch.nn", "torch.ao.nn")) and not isinstance(child, nn.Sequential)
        known = own or type(child) in OPERATIONS
        if known or altered(child):
            child._forward_pre_hooks.clear()
            child._forward_hooks.clear()
            child.forward = lambda *args, **kwargs: self._of_module(name, args, kwargs)

        def enter(_: object, __: object) -> None:
            self._entered.setdefault(name, []).append(len(self.steps))

        def hear(_: object, __: object, output: object) -> Tensor | None:
            before = self._entered[name].pop()
            found = self._found(output) if isinstance(output, Tensor) else None
            self.returned.pop(name, None)
            if found is None:
                return None
            # What is returned as it came is a step nevertheless: where other values take its place, those who read
            # what came keep it.
            given = cast(Tensor, output).detach() if found.index < before else None
            self.returned[name] = found if given is None else cast(Ref, self._found(given))
            return given

        child.register_forward_pre_hook(enter)
        child.register_forward_hook(hear)

    def _of_module(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a submodule of the module itself, hooks and all, as one step."""
        before = self._referring((args, kwargs))
        given = [(tensor, _version(tensor)) for tensor in tensors([args, kwargs])]
        self._within += 1
        try:
            self._check_settings()
            result = self._module.get_submodule(name)(*args, **kwargs)
            for tensor, version in given:
                if _version(tensor) != version:
                    self._wrote(tensor)
                elif tensor is result:  # a step all the same, which others do not read that read the argument
                    result = tensor.detach()
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
        self._check_settings()
        if is_about(func):
            result = func(*args, **kwargs)
            if not _holds_any(result):
                return result
        before = self._referring((args, kwargs))
        self._check_call(func, args, kwargs, before)
        result = func(*args, **kwargs)
        in_place = works_in_place(func.__name__, kwargs)
        if in_place:
            for tensor in tensors(args[:1]):
                self._wrote(tensor)
        elif args and (result is args[0] or func is Tensor.contiguous):
            if func.__name__ not in SAME:
                raise self._refused(f"it writes on tensors in a way that is not seen ({func.__name__})")
            self._is_still(args[0], result)
            return result
        if func is Tensor.__setitem__:
            func, result = set_item_, args[0]
        if func is Tensor.view and not isinstance(args[1], torch.dtype):
            func = Tensor.reshape  # whatever order a piece of a map lies in
        if not _holds_any(result):
            if not self._is_fixed(before):
                raise self._refused(f"it reads values on the way ({func.__name__})")
            return result
        self._add(Step(func, *before), result)
        return result

    def _check_call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: Any) -> None:
        """Refuse a call whose result goes elsewhere, or takes its shape of values."""
        if kwargs.get("out") is not None:
            raise self._refused(f"it writes on tensors of other calls ({func.__name__} with out=)")
        if works_in_place(func.__name__, kwargs) and isinstance(before[0][0], (Part, Elsewhere)):
            raise self._refused("it writes on a tensor of its own")
        if not self._is_fixed(self._referring(shaping(func, args, kwargs))):
            raise self._refused(f"it makes shapes of values ({func.__name__})")

    def _wrote(self, written: Tensor) -> None:
        """Note that other tensors in the same memory no longer are what their steps gave."""
        memory = _memory(written)
        if memory in self._own:
            raise self._refused("it writes on a tensor of its own")
        for known in self._known.values():
            if memory and known.memory == memory and known.tensor() is not None:
                known.stale = True

    def _add(self, step: Step, result: Any) -> None:
        """Note a step, and further ones that take tensors out of what it gave."""
        ref = Ref(len(self.steps))
        if self._is_fixed((step.args, step.kwargs)) and callable(step.target):
            self._fixed.add(ref.index)
        if isinstance(result, Tensor):
            self.steps.append(
                Step(step.target, step.args, step.kwargs, tuple(result.shape), result.is_floating_point())
            )
            self._note(result, ref)
            return
        self.steps.append(step)
        pairs = result.items() if isinstance(result, Mapping) else enumerate(result)
        for key, value in pairs:
            if _holds_any(value):
                self._add(Step(operator.getitem, (ref, key), {}), value)

    def _note(self, tensor: Tensor, ref: Ref) -> None:
        self._known[id(tensor)] = _Known(weakref.ref(tensor), ref, _version(tensor), _memory(tensor))

    def _is_still(self, tensor: Any, other: Any) -> None:
        """Note that a tensor holds what another one does, so that no step is needed."""
        found = self._found(tensor) if isinstance(tensor, Tensor) else None
        if found is not None:
            self._note(other, found)

    def _found(self, tensor: Tensor) -> Ref | None:
        known = self._known.get(id(tensor))
        if known is None or known.tensor() is not tensor:
            return None
        if known.stale or known.version != _version(tensor):
            raise self._refused("it writes on memory that several tensors share, or in a way that is not seen")
        return known.ref

    def _referring(self, value: Any) -> Any:
        """Arguments with references in place of tensors."""
        if isinstance(value, Tensor):
            found = self._found(value)
            if found is not None:
                return found
            if id(value) in self._names:
                return Part(self._names[id(value)])
            self._own |= {_memory(value)} - {0}
            return Elsewhere(value)
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

    def _check_settings(self) -> None:
        """Refuse a change of what torch makes of numbers, which a step does not note."""
        if torch.is_inference_mode_enabled():
            raise self._refused("it sets torch.inference_mode by itself")
        product, default = self._settings()
        if product != self._state[0]:
            raise self._refused("it sets torch.autocast by itself")
        if default != self._state[1]:
            raise self._refused("it sets torch's default numbers by itself")

    def _settings(self) -> tuple[torch.dtype, torch.dtype]:
        """In what products are computed at this place, and what numbers are made by default."""
        return (self._one @ self._one).dtype, torch.get_default_dtype()
