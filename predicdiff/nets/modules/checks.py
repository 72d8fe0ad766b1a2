"""A stranger's torch module at the door: whether it takes what it is to take, and returns what it is said to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ...errors import InputWarning, SettingsError, first_line, warn
from ..engine.device import exactly, is_full, memory_errors
from ..scores import check_scores
from .asking import WANTED, Ask, fits
from .endings import with_classes
from .hooks import DryRun, dry_run
from .state import evaluating, kinds
from .unprinted import Unprinted, unprinted


class Tried(NamedTuple):
    """What a run of black images shows, the shape of what is taken of what the module returns, and how it is asked."""

    seen: DryRun
    own: tuple[int, ...]
    ask: Ask


def tried(
    module: nn.Module, name: str, shape: tuple[int, int, int], device: torch.device, output: str, ask: Ask
) -> tuple[Tried, bool]:
    """What a run of two black images shows, and whether the module takes but one image.

    Where a further input could pass for two images, it is a run of more. A module that does not take several at once,
    or does not answer for each, is tried with one.
    """
    _check_mode(module, name)
    zeros = torch.zeros(ask.count(), *shape, dtype=torch.float32, device=device)
    with evaluating(module), memory_errors(), exactly(), torch.inference_mode():
        try:
            found, alone = _tried(module, name, zeros, output, ask), False
        except SettingsError as error:
            try:
                found, alone = _tried(module, name, zeros[:1], output, ask), True
            except SettingsError:
                raise error from error.__cause__
            said = str(error).rstrip(".")
            warn(f"{said}. It takes one, so each image is computed alone, which is slow.", InputWarning)
        if device.type == "cpu" and _runs_channels_last(module, zeros[:1] if alone else zeros, found.ask):
            found.seen.layout = torch.channels_last
    return found, alone


def _tried(module: nn.Module, name: str, zeros: Tensor, output: str, ask: Ask) -> Tried:
    """What a run of black images shows, given in the first type of the module's numbers that it takes."""
    first, *others = kinds(module)
    try:
        return _answers(module, name, zeros, output, replace(ask, dtype=first))
    except SettingsError as error:
        for kind in others:
            with suppress(SettingsError):
                return _answers(module, name, zeros, output, replace(ask, dtype=kind))
        raise error from error.__cause__


def _check_mode(module: nn.Module, name: str) -> None:
    """Warn of a module in train mode that does more than torch's own do when it is put into evaluation mode."""
    for child in module.modules():
        kind = type(child)
        if child.training and kind.train is not nn.Module.train and kind.__module__.partition(".")[0] != "torch":
            warn(
                f"{name} is in train mode, and {kind.__name__} has a train() of its own, which is not called here: "
                "call eval() on the module before it is loaded.",
                InputWarning,
            )
            return


def _answers(module: nn.Module, name: str, zeros: Tensor, output: str, ask: Ask) -> Tried:
    """What a run of black images shows; a SettingsError if the answer is none."""
    try:
        seen, returned = dry_run(module, zeros.clone(), ask.whole)
    except Exception as error:  # whatever a stranger's module raises
        if is_full(error):
            raise
        raise SettingsError(
            f"{name} does not take {len(zeros)} inputs of shape {tuple(zeros.shape[1:])} at once: "
            f"{first_line(error)}{_hint(module, error)}"
        ) from error
    ask = ask.settled(returned, len(zeros), name)
    picked = _picked(ask, returned, name)
    own = _checked_output(picked, len(zeros), name, output)
    seen.kinds.update((ask.dtype, picked.dtype))
    return Tried(seen, own, ask)


def _picked(ask: Ask, returned: Any, name: str) -> Any:
    try:
        return ask.picked(returned)
    except SettingsError:
        raise
    except Exception as error:  # whatever a stranger's function raises
        raise SettingsError(
            f"pick fails on the {type(returned).__name__} that {name} returns ({first_line(error)}): want a function "
            f"from that to {WANTED}."
        ) from error


def _hint(module: nn.Module, error: Exception) -> str:
    """What mends a module that cannot run as it is, where that is known."""
    if isinstance(module, torch.jit.ScriptModule):
        return ". It is TorchScript: want the module that it was made from."
    if isinstance(error, TypeError) and "missing" in str(error):
        return ". What it takes besides images is given by also=, a tuple or a dict."
    return ""


def _runs_channels_last(module: nn.Module, zeros: Tensor, ask: Ask) -> bool:
    """Whether channels last, faster for convolutions on the CPU, gives the same; a module that calls `view` fails."""
    if not any(isinstance(child, nn.Conv2d) for child in module.modules()):
        return False
    ramp = torch.linspace(-1, 1, zeros.numel(), dtype=torch.float32).view_as(zeros)
    try:
        with unprinted(module):
            usual = ask(module, ramp.clone())
            return _alike(usual, ask(module, ramp.contiguous(memory_format=torch.channels_last)))
    except (Exception, Unprinted):  # whatever a stranger's module raises
        return False


def _alike(a: Tensor, b: Tensor) -> bool:
    """Whether two outputs are the same, rounding apart, NaN and infinities included."""
    largest, rounding = float(a.nan_to_num(0.0, 0.0, 0.0).abs().max()), 8 * torch.finfo(a.dtype).eps
    return torch.allclose(a, b, rtol=max(1e-3, rounding), atol=max(1e-4, rounding) * largest, equal_nan=True)


def _checked_output(returned: Any, count: int, name: str, output: str) -> tuple[int, ...]:
    """Shape of the module's output without the batch axis, if it can be what ``output`` says."""
    if not isinstance(returned, Tensor):
        raise SettingsError(f"pick (--pick) takes a {type(returned).__name__} of what {name} returns: want {WANTED}.")
    if not fits(returned, count):
        raise SettingsError(
            f"{name} returns a tensor {tuple(returned.shape)} of {returned.dtype} for {count} inputs: want {WANTED}."
        )
    returned = with_classes(returned)
    check_scores(returned.float().cpu().numpy(), output, name)
    return tuple(returned.shape[1:])
