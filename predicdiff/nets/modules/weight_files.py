"""Weights of modules from files: safetensors, and torch's own, of which tensors alone are read."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ... import budget
from ...errors import InputWarning, WeightsError, first_line, warn
from ...extras import imported
from ...files import open_regular

#: Under which names training scripts keep weights beside other things: the first that holds any is taken, running
#: averages of weights before these themselves, since they are what is meant to be used.
WRAPPINGS = (
    "state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "network", "weights", "params",
)  # fmt: skip

#: How torch says of what class a pickle holds something, which it does not make.
FORBIDDEN = re.compile(r"GLOBAL (\S+)|Unsupported class (\S+)")

#: Bytes in which safetensors names its tensors, about a hundred for each; they take a third of a second for 1 MB.
MOST_HEADER = 10**7

#: How many names a message tells.
TOLD = 3


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by their names.

    Parameters
    ----------
    path : path
        Of safetensors; or what ``torch.save`` made of a state dict, or of a dict that holds one, as training scripts
        write. No code in it is run.

    Raises
    ------
    WeightsError
        If it is missing, damaged, or holds something else than tensors.
    DependencyError
        If it is of safetensors, which is not installed.
    """
    held = _read_safetensors(path) if _is_safetensors(path) else _read_pickle(path)
    if _is_state(held):
        return dict(held)
    inner = {name: part for name, part in held.items() if _is_state(part)} if isinstance(held, Mapping) else {}
    known = [name for name in WRAPPINGS if name in inner] or list(inner)
    if not known or (len(known) > 1 and known[0] not in WRAPPINGS):
        raise WeightsError(
            f"{path}: holds {_what(held)}, want a state dict: tensors by their names, or a dict that has them under "
            "'state_dict'."
        )
    others = [str(name) for name in held if name != known[0]]
    beside = f", not {_listed(others)}" if others else ""
    warn(f"{path}: of what it holds the weights under {known[0]!r} are taken{beside}.", InputWarning)
    return dict(inner[known[0]])


def load_state(module: nn.Module, path: Path, tensors: dict[str, Tensor] | None = None) -> None:
    """Put a file's tensors, which may have been read already, into a module, all of them and into all of it.

    What all names begin with and the module's do not, such as the "module." of DataParallel, is taken off.

    Raises
    ------
    WeightsError, DependencyError
        As for `read_state`; a WeightsError too if the names or shapes are another module's.
    """
    own = module.state_dict()
    state, prefix = _without_prefix(read_state(path) if tensors is None else tensors, own)
    try:
        came = module.load_state_dict(state, strict=False)
    except RuntimeError as error:
        wrong = [name for name in own if name in state and own[name].shape != state[name].shape]
        raise WeightsError(f"{path}: {_unlike(wrong, state, own) or first_line(error)}{_wanted(module)}") from error
    missing, unexpected = _missing(came.missing_keys, state, own), list(came.unexpected_keys)
    if missing or unexpected:
        lacking = f"has no {_listed(missing)}" if missing else ""
        more = f"holds {_listed(unexpected)}, which the module does not have" if unexpected else ""
        raise WeightsError(f"{path}: {' and '.join(filter(None, (lacking, more)))}{_wanted(module)}")
    if prefix:
        warn(f"{path}: the names of its weights are taken without {prefix!r} in front.", InputWarning)


def _is_safetensors(path: Path) -> bool:
    """Whether it is to be read as such: by its name, or by the brace that stands behind the length of its header."""
    try:
        with open_regular(path, WeightsError, "Give that of the module's weights (.safetensors, .pth).") as file:
            return path.suffix == ".safetensors" or file.read(9)[8:] == b"{"
    except OSError as error:
        what = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise WeightsError(f"{path}: {what}. Give the path of the module's weights (.safetensors, .pth).") from None


def _read_safetensors(path: Path) -> Any:
    safetensors = imported("safetensors.torch", "safetensors")
    with open_regular(path, WeightsError) as file:
        header = int.from_bytes(file.read(8), "little")
    if MOST_HEADER < header <= path.stat().st_size:  # of another length it is damaged, which safetensors says
        raise WeightsError(
            f"{path}: its header has {header:,} bytes, want {MOST_HEADER:,} at most: no module has as many tensors."
        )
    try:
        return safetensors.load_file(path)
    except Exception as error:  # of a type that is safetensors' own
        raise WeightsError(
            f"{path}: is damaged, or no file of safetensors ({first_line(error)}). Fetch it again, or give another."
        ) from error


def _read_pickle(path: Path) -> Any:
    try:
        if zipfile.is_zipfile(path):  # whose parts may be packed, though torch packs none
            with zipfile.ZipFile(path) as parts:
                held = sum(part.file_size for part in parts.infolist())
            budget.ask(held, f"{path}: what it holds", WeightsError)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of how a class that a damaged file names is written
            return torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except Exception as error:  # whatever a damaged file makes the unpickler do: a dozen types, none documented
        raise WeightsError(f"{path}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """What is wrong with a file of torch's, but for torch's advice to read files that may run code."""
    said = str(error)
    if "TorchScript" in said:
        return (
            "is TorchScript, which holds code besides its weights: want these alone, as "
            "torch.save(torch.jit.load(...).state_dict(), ...) writes them."
        )
    forbidden = FORBIDDEN.search(said)
    if forbidden is not None:
        return (
            f"holds more than tensors ({forbidden[1] or forbidden[2]}), and to read that may run any code, so it is "
            "not read. If you trust it, save its tensors alone: torch.load(..., weights_only=False), then torch.save "
            "of the state dict."
        )
    reason = "no file of tensors" if "weights_only" in said else first_line(error)
    return f"cannot be read as torch weights ({reason}): the file is damaged or of another kind."


def _is_state(held: Any) -> bool:
    """Whether it is tensors by their names."""
    return (
        isinstance(held, Mapping)
        and bool(held)
        and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in held.items())
    )


def _what(held: Any) -> str:
    if isinstance(held, Mapping):
        return f"a dict with {_listed(list(map(str, held)))}" if held else "an empty dict"
    return f"a {type(held).__name__}"


def _without_prefix(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """The tensors by names without what stands in front of them all, where the module has no such names; and that."""
    short, prefix = state, ""
    while not own.keys() & short.keys():
        first = {name.partition(".")[0] for name in short}
        if len(first) > 1 or not all("." in name for name in short):
            return state, ""
        prefix += f"{first.pop()}."
        short = {name[len(prefix) :]: value for name, value in state.items()}
    return short, prefix


def _missing(names: Sequence[str], state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Those that lack, less such as lie where others do, which safetensors leaves out."""
    given = {own[name].data_ptr() for name in own if name in state and own[name].numel()}
    return [name for name in names if own[name].data_ptr() not in given]


def _unlike(names: Sequence[str], state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    told = (f"{name} of shape {tuple(state[name].shape)}, not {tuple(own[name].shape)}" for name in names[:TOLD])
    return ("has " + "; ".join(told) + _more(names)) if names else ""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:TOLD]) + _more(names)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - TOLD} more" if len(names) > TOLD else ""


def _wanted(module: nn.Module) -> str:
    return f". Want the weights of this {type(module).__name__}."
