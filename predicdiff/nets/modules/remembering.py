"""Whether a module remembers what it was asked: weights made or changed by its first images, averages, caches."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ... import consistency
from ...errors import InputWarning, SettingsError, warn
from ..engine.device import exactly
from .asking import Ask
from .hooks import copied
from .state import evaluating

ITS_ANSWERS = "Its answers may depend on what it was asked before, black and made-up images among it"


class Watch:
    """What a module was before it was first run, to be held against what it is afterwards.

    Parameters
    ----------
    module : torch.nn.Module
    name : str

    Raises
    ------
    SettingsError
        If its weights are yet to be made.
    """

    def __init__(self, module: nn.Module, name: str) -> None:
        self._module, self._name = module, name
        lazy = [name for name, weight in [*module.named_parameters(), *module.named_buffers()] if is_lazy(weight)]
        if lazy:
            raise SettingsError(
                f"{name} has weights that are made when it is first run, such as {lazy[0]!r}: run it on an input, and "
                "load what it has learnt, before it is explained."
            )
        self._weights = _weights(module)
        try:  # with the same weights, but averages and caches of its own
            self._fresh = copied(module, {id(weight): weight for weight in module.parameters()})
        except Exception:  # whatever a stranger's module holds
            self._fresh = module

    def look(self, inputs: np.ndarray, device: torch.device, ask: Ask) -> bool:
        """Whether running it has changed its weights, or what it answers for ``inputs`` (b, C, H, W); warns of that."""
        changed = sorted(name for name, mark in _weights(self._module).items() if self._weights.get(name) != mark)
        if changed:
            warn(f"Running {self._name} changes its weights ({changed[0]}). {ITS_ANSWERS}.", InputWarning)
            return True
        try:
            with evaluating(self._module):  # parts of which the copy may call
                first, now = (_answer(module, inputs, device, ask) for module in (self._fresh, self._module))
        except Exception:  # whatever a stranger's module has against being copied
            return False
        gap = np.abs(np.nan_to_num(now) - np.nan_to_num(first)).max()
        remembers = bool(gap > consistency.AGAIN * np.abs(np.nan_to_num(first)).max())
        if remembers:
            warn(f"{self._name} answers otherwise once it has been run (by {gap:.2g}). {ITS_ANSWERS}.", InputWarning)
        return remembers


def _answer(module: nn.Module, inputs: np.ndarray, device: torch.device, ask: Ask) -> np.ndarray:
    with evaluating(module), exactly(), torch.inference_mode():
        return np.asarray(ask(module, torch.tensor(inputs, device=device)).double().cpu().numpy())


def _weights(module: nn.Module) -> dict[str, tuple[int, str]]:
    """Which tensor each weight is, and what it adds up to."""
    with torch.no_grad():
        return {name: (id(weight), _total(weight)) for name, weight in module.named_parameters()}


def _total(weight: nn.Parameter) -> str:
    real = torch.view_as_real(weight) if weight.is_complex() else weight
    return str(float(real.sum(dtype=torch.float64)))  # of which one NaN is like another
