"""How a torch module is: its mode, where it lies and what weights it has."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ..engine.device import Device, choose_device
from .hooks import copied, global_hooks, hooks_of

#: Submodules that are in use, by their identity: whoever uses one holds it, so no identity passes to another.
_in_use: dict[int, _Use] = {}
_lock = threading.Lock()


@dataclass
class _Use:
    """By how many a submodule is used at this moment, and whether it goes back into train mode afterwards."""

    users: int = 0
    training: bool = False


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode.

    Each submodule goes back into the mode it was in when the last who uses it has finished, whichever thread or net of
    which module around it that is.
    """
    children = list(module.modules())
    with _lock:
        for child in children:
            use = _in_use.setdefault(id(child), _Use())
            use.users += 1
            if child.training:
                use.training, child.training = True, False
    try:
        yield
    finally:
        with _lock:
            for child in children:
                use = _in_use[id(child)]
                use.users -= 1
                if not use.users:
                    child.training = use.training or child.training
                    del _in_use[id(child)]


@contextmanager
def same_random(device: torch.device) -> Iterator[None]:
    """Random numbers go on afterwards as if none had been drawn meanwhile: torch's, numpy's and Python's."""
    pythons, numpys = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)


def structure(module: nn.Module) -> list[Any]:
    """What of a module a trace holds to, besides numbers in it: its parts, their classes, hooks and types of weights.

    Whatever is the same object is equal in two of these.
    """
    parts: list[Any] = [global_hooks()]
    for name, child in module.named_modules():
        kinds = [(weight.dtype, weight.device) for weight in child.parameters(recurse=False)]
        parts.append((name, child, type(child), vars(child).get("forward"), hooks_of(child), kinds))
    return parts


def own_weights(module: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Weights of floats that each submodule has by itself, not in its submodules; "" is the module."""
    return {
        name: [weight for weight in child.parameters(recurse=False) if weight.is_floating_point() and weight.numel()]
        for name, child in module.named_modules()
    }


def device_of(module: nn.Module) -> torch.device | None:
    """The device of a module's first weight; None if it has no weights."""
    for tensor in [*module.parameters(), *module.buffers()]:
        return tensor.device
    return None


def kinds(module: nn.Module) -> list[torch.dtype]:
    """Types of a module's numbers, those of its weights first, in their order; float32 at the end, or alone."""
    tensors = [*module.parameters(), *module.buffers()]
    return list(dict.fromkeys([*(each.dtype for each in tensors if each.is_floating_point()), torch.float32]))


def numbers(module: nn.Module) -> list[Any]:
    """What tells whether somebody has changed a module's weights or averages since, without reading them."""
    tensors = [*module.parameters(), *module.buffers()]
    return [(id(tensor), tensor.data_ptr(), tensor._version) for tensor in tensors]


def placed(module: nn.Module, device: Device) -> nn.Module:
    """The module itself if it is where it should be, as it is where no device is named, else a copy there."""
    here = device_of(module)
    if here is None or device is None:
        return module
    wanted = choose_device(device)
    same = here.type == wanted.type and wanted.index in (None, here.index)
    return module if same else copied(module).to(wanted)
