"""A GPU that is not there: tensors that say they lie on one, compute on the CPU and obey a GPU's rules.

Who mixes them with the CPU's, makes numpy's arrays of them, or copies to them from memory that may be gone by then,
gets an error; what has to wait for a GPU is counted. How it rounds, how fast it is, what it holds: that is not shown.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
#: What gives Python something that depends on values: it has to wait for them.
READING = frozenset({"__bool__", "__float__", "__index__", "__int__", "allclose", "equal", "item", "nonzero", "tolist"})
#: What torch says of a GPU, where there is one.
ANSWERS = {
    "get_device_name": "logical", "is_available": True, "is_bf16_supported": True, "max_memory_allocated": 1,
    "reset_peak_memory_stats": None, "synchronize": None, "get_rng_state": torch.get_rng_state(), "set_rng_state": None,
}  # fmt: skip

#: For a fixture: the logical GPU, and a real one where there is one.
KINDS = ["logical", pytest.param("real", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))]

#: How often somebody read from the GPU, waited for a copy to it, or sent one and went on.
TRAFFIC: Counter[str] = Counter()


class OnGpu(Tensor):
    """A tensor on the logical GPU."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _obey(func, args, kwargs or {})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        parameter = isinstance(self, nn.Parameter)
        with torch._C.DisableTorchFunctionSubclass():
            copy = self.detach().clone().as_subclass(OnGpu)
        memo[id(self)] = nn.Parameter(copy, self.requires_grad) if parameter else copy
        return memo[id(self)]


class _Rules(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _obey(func, args, kwargs or {})


@contextlib.contextmanager
def gpu() -> Iterator[Counter[str]]:
    """While it lasts, torch has one GPU; what is copied to and from it is counted anew."""
    autocast, overwrite = torch.autocast, torch.__future__.set_overwrite_module_params_on_conversion
    TRAFFIC.clear()
    if isinstance(torch.cuda.is_available, mock.NonCallableMock):  # there already
        yield TRAFFIC
        return
    with contextlib.ExitStack() as stack:
        for name, answer in ANSWERS.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, return_value=answer))
        stack.enter_context(mock.patch.object(torch, "autocast", lambda _, kind: autocast("cpu", kind)))
        stack.callback(overwrite, torch.__future__.get_overwrite_module_params_on_conversion())
        overwrite(True)  # so that a module's weights become tensors of another class
        stack.enter_context(_Rules())
        yield TRAFFIC


def _obey(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = getattr(func, "__name__", "")
    values = tree_flatten((args, kwargs))[0]
    if any(hasattr(value, "__torch_function__") and not isinstance(value, Tensor) for value in values):
        return func(*args, **kwargs)  # a trace's proxies
    tensors = [value for value in values if isinstance(value, Tensor)]
    there = any(isinstance(tensor, OnGpu) for tensor in tensors)
    if there and func == Tensor.device.__get__:  # type: ignore[attr-defined]
        return GPU
    if name == "pin_memory":
        pinned = _run(torch.clone, args, {}, False)
        pinned.pinned = True
        return pinned
    if name in ("cpu", "cuda", "to"):
        return _moved(name, func, args, kwargs)
    if there and name in ("__array__", "data_ptr", "numpy"):
        raise TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() first.")
    TRAFFIC["read"] += there and name in READING
    if there and name != "__get__" and not name.startswith("_has_"):
        _check(name, tensors, args)
    if _names_gpu(kwargs.get("device")):
        TRAFFIC["waited"] += name in ("as_tensor", "tensor")
        there, kwargs = True, {**kwargs, "device": CPU}
    return _run(func, args, kwargs, there)


def _check(name: str, tensors: list[Tensor], args: Any) -> None:
    """Numbers alone may come from the CPU; an index of a list is copied, and one of truths looked through."""
    index = name in ("__getitem__", "__setitem__")
    if name == "copy_":
        TRAFFIC["waited"] += not isinstance(args[1], OnGpu)
        TRAFFIC["read"] += not isinstance(args[0], OnGpu)
    elif any(not isinstance(tensor, OnGpu) and (tensor.dim() or index) for tensor in tensors):
        raise RuntimeError(f"Expected all tensors to be on the same device, but found two, in {name}")
    if index:
        parts = args[1] if isinstance(args[1], tuple) else (args[1],)
        TRAFFIC["waited"] += sum(isinstance(part, list) for part in parts)
        TRAFFIC["read"] += sum(isinstance(part, OnGpu) and part.dtype == torch.bool for part in parts)


def _moved(name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The copy of a tensor on another device, if one was named, by itself or by a tensor there."""
    source = isinstance(args[0], OnGpu)
    named = [value for value in (*args[1:], *kwargs.values()) if isinstance(value, (str, torch.device, Tensor))]
    there = name == "cuda" or any(isinstance(value, OnGpu) or _names_gpu(value) for value in named)
    there = there if named or name != "to" else source
    later = bool(kwargs.get("non_blocking"))
    if later and source != there and not getattr(args[0], "pinned", False):
        raise RuntimeError("a copy that nobody waits for, from or to memory that is not pinned")
    TRAFFIC["read"] += source and not there
    TRAFFIC["sent" if later else "waited"] += there and not source
    args, kwargs = tree_map(lambda value: CPU if _names_gpu(value) else value, (tuple(args), kwargs))
    result = _run(Tensor.cpu if name == "cuda" else func, args, kwargs, False)
    if source != there:
        result = _run(torch.clone, (result,), {}, False)
    with torch._C.DisableTorchFunctionSubclass():
        return result.as_subclass(OnGpu if there else Tensor)


def _run(func: Any, args: Any, kwargs: dict[str, Any], there: bool) -> Any:
    with torch._C.DisableTorchFunctionSubclass():
        result = func(*args, **kwargs)
        return tree_map(_put, result) if there else result


def _put(value: Any) -> Any:
    return value.as_subclass(OnGpu) if type(value) in (Tensor, nn.Parameter) else value


def _names_gpu(value: Any) -> bool:
    return isinstance(value, (str, torch.device)) and str(value).startswith("cuda")
