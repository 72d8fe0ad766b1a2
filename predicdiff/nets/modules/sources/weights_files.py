"""Weights of modules from files: safetensors, or torch's own format without pickle's powers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ....errors import WeightsError
from ....extras import first_line, imported

#: Under which of these a training's checkpoint keeps the weights: the first that is there.
WITHIN = ("state_dict_ema", "model_ema", "state_dict", "model", "model_state_dict")
#: What wrappers put before each name: those of several GPUs, and of a compiled module.
WRAPPERS = ("module.", "_orig_mod.")


def read_weights(path: Path) -> dict[str, Any]:
    """Tensors by name of a ``.safetensors`` file, or of one that `torch.save` wrote, whether alone or in a checkpoint.

    Raises
    ------
    WeightsError
        If there is no such file, it cannot be read, or it holds anything else.
    DependencyError
        If it takes the package safetensors, which is not installed.
    """
    state = _of_safetensors(path) if path.suffix == ".safetensors" else _of_torch(path)
    for key in WITHIN:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
            break
    tensors = _tensors(state)
    if not tensors:
        raise WeightsError(
            f"{path}: holds no weights by name: want a state dict, as torch.save(module.state_dict(), path) writes it, "
            "or safetensors."
        )
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name[len(wrapper) :]: tensor for name, tensor in tensors.items()}
    return tensors


def load_weights(module: Any, path: Path, tensors: Mapping[str, Any] | None = None) -> None:
    """Give a module the weights of a file, all of them and no others; ``tensors`` where it was read already.

    Raises
    ------
    WeightsError
        As `read_weights`; also if they are another module's.
    """
    tensors = read_weights(path) if tensors is None else tensors
    own = module.state_dict()
    counters = {name for name in own if name.endswith("num_batches_tracked")}  # which old files lack
    missing = [name for name in own if name not in tensors and name not in counters]
    unknown = [name for name in tensors if name not in own and not name.endswith("num_batches_tracked")]
    shapes = [name for name in own if name in tensors and own[name].shape != tensors[name].shape]
    if missing or unknown or shapes:
        raise WeightsError(f"{path}: {_unlike(own, tensors, missing, unknown, shapes)}: the weights are another net's.")
    module.load_state_dict({name: tensors[name] for name in own if name in tensors}, strict=False)


def _unlike(
    own: Mapping[str, Any], tensors: Mapping[str, Any], missing: list[str], unknown: list[str], shapes: list[str]
) -> str:
    """How weights differ from those that a module has."""
    told = [f"{len(names)} {what}, {names[0]} the first" for names, what in (
        (missing, "of the net's are missing"), (unknown, "are not the net's"))  if names]  # fmt: skip
    if shapes:
        had, wanted = tuple(tensors[shapes[0]].shape), tuple(own[shapes[0]].shape)
        told.append(f"{shapes[0]} is {had}, and the net's is {wanted}")
    return "; ".join(told)


def _tensors(state: Any) -> dict[str, Any]:
    import torch

    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        return {}
    return {str(name): tensor for name, tensor in state.items()}


def _of_safetensors(path: Path) -> Any:
    safetensors = imported("safetensors.torch", "safetensors")
    _check_there(path)
    try:
        return safetensors.load_file(str(path))
    except Exception as error:  # of a library in Rust, with errors of its own
        raise WeightsError(
            f"{path}: cannot be read as safetensors ({first_line(error)}): the file is incomplete or of another kind."
        ) from error


def _of_torch(path: Path) -> Any:
    import torch

    _check_there(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes the unpickler do: a dozen types, none documented
        raise WeightsError(
            f"{path}: cannot be read as torch weights ({_why(error)}): want a state dict, as "
            "torch.save(module.state_dict(), path) writes it, or safetensors."
        ) from error


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file. Give the path of the net's weights (.safetensors, .pth).")


def _why(error: Exception) -> str:
    """Torch's word, but not its advice to read files that may run code."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "no file of tensors alone" if "weights_only" in str(error).splitlines()[0] else first_line(error)
