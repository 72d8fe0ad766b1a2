"""What a call has to leave as it was: its caller's arrays and module, and whatever is the whole process's."""

from __future__ import annotations

import pickle
import random
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def unchanged(*arrays: np.ndarray, module: Any = None) -> Iterator[None]:
    """Fail, with the names of what has changed, unless all is afterwards what it was before."""

    def now() -> dict[str, Any]:
        held = {
            f"array {number}": (a.shape, a.dtype, a.tobytes(), a.flags.writeable) for number, a in enumerate(arrays)
        }
        return {**held, **_of_python(), **_of_torch(), **({} if module is None else _of_module(module))}

    before = now()
    yield
    after = now()
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    assert not changed, f"what was the caller's is not what it was: {', '.join(changed)}"


def _of_python() -> dict[str, Any]:
    return {
        "numpy's random numbers": pickle.dumps(np.random.get_state()),
        "Python's random numbers": random.getstate(),
        "numpy's errors": tuple(np.geterr().items()),
        "warnings' filters": tuple(warnings.filters),
        "how warnings are shown": warnings.showwarning,
        "threads": threading.active_count(),
    }


def _of_torch() -> dict[str, Any]:
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "torch's random numbers": torch.get_rng_state().numpy().tobytes(),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": torch.is_autocast_enabled(),
        "torch's threads": torch.get_num_threads(),
        "torch's type of floats": torch.get_default_dtype(),
        "cuDNN's settings": (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark),
        "repeatable algorithms": torch.are_deterministic_algorithms_enabled(),
        "the precision of products": torch.get_float32_matmul_precision(),
    }


def _of_module(module: Any) -> dict[str, Any]:
    """Weights with their gradients, and all attributes of all submodules, hooks and modes among them."""
    held: dict[str, Any] = {}
    for name, child in module.named_modules():
        for attribute, value in vars(child).items():
            held[f"{name}.{attribute}"] = _told(value)
    for name, value in (*module.named_parameters(), *module.named_buffers()):
        grad = None if value.grad is None else _bytes(value.grad)
        held[f"the values of {name}"] = (_bytes(value), value.dtype, value.device, value.requires_grad, grad)
    return held


def _bytes(tensor: Any) -> bytes:
    return bytes(tensor.detach().cpu().contiguous().numpy().tobytes())


def _told(value: Any) -> Any:
    """What tells an attribute from others: a plain value, what a container holds, else which object it is."""
    if isinstance(value, dict):
        return tuple((key, id(one)) for key, one in value.items())
    if isinstance(value, (list, set)):
        return tuple(id(one) for one in value)
    return value if isinstance(value, (bool, int, float, str, tuple)) else id(value)
