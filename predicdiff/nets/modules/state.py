"""How a torch module is: its mode, where it lies and what weights it has."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ..engine.device import Device, choose_device


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """A module in evaluation mode; afterwards each submodule is in the mode it was in."""
    training = [child for child in module.modules() if child.training]
    try:
        for child in training:
            child.training = False
        yield
    finally:
        for child in training:
            child.training = True


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


def placed(module: nn.Module, device: Device) -> nn.Module:
    """The module itself if it is where it should be, else a copy there."""
    here = device_of(module)
    if here is None or (device is None and here.type == "cuda"):
        return module
    wanted = choose_device(device)
    same = here.type == wanted.type and wanted.index in (None, here.index)
    return module if same else copy.deepcopy(module).to(wanted)
