"""Exported programs as modules that can be copied and pickled."""

from __future__ import annotations

import copy
import hashlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ....errors import FormatError, first_line
from ....extras import imported
from ....files import regular
from ..tracing import Opaque


class Exported(Opaque):
    """What a file of `torch.export.save` computes.

    Parameters
    ----------
    path : path
    device : torch.device, optional
        Where its constants are to lie.

    Raises
    ------
    FormatError
        If the file cannot be read.
    """

    because = "it is an exported program, whose operations are not told apart"

    def __init__(self, path: Path, device: torch.device | None = None) -> None:
        super().__init__()
        self.path, self.at = path.resolve(), device
        program = _read(path)
        self.example = _images(program)
        with _unsaid():
            if device is not None and device.type != "cpu":
                program = imported("torch.export.passes", "torch").move_to_device_pass(program, device)
            self.program = program.module()
        self.digest = hashlib.sha1(str(self.program.code).encode()).hexdigest()

    def forward(self, images: Tensor, *further: Any, **named: Any) -> Any:
        """What the program gives."""
        return self.program(images, *further, **named)

    def train(self, mode: bool = True) -> Exported:
        """As any module, but for the program, which is for good in the mode in which it was exported."""
        self.training = mode
        return self

    def extra_repr(self) -> str:
        """What tells it from other programs."""
        return f"sha1:{self.digest}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Exported:
        twin = Exported.__new__(Exported)
        memo[id(self)] = twin
        with _unsaid():
            vars(twin).update({name: copy.deepcopy(value, memo) for name, value in vars(self).items()})
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        """It is pickled as its file's path, and the weights that it has."""
        return _again, (self.path, self.at, self.digest, self.state_dict())


def _again(path: Path, device: torch.device | None, digest: str, state: Mapping[str, Any]) -> Exported:
    module = Exported(path, device)
    if module.digest != digest:
        raise FormatError(f"{path} has changed since the net was pickled: load the net again.")
    module.load_state_dict(state)
    return module


def _read(path: Path) -> Any:
    wanted = "Give that of a program that torch.export.save wrote."
    regular(path, FormatError, wanted)
    if not path.exists():
        raise FormatError(f"{path}: no such file. {wanted}")
    try:
        with _unsaid():
            return torch.export.load(str(path))
    except Exception as error:  # of a dozen types, none documented
        raise FormatError(
            f"{path}: cannot be read as an exported program ({type(error).__name__}: {first_line(error)}): want what "
            f"torch.export.save writes, by a torch that is no newer than this {torch.__version__}."
        ) from error


def _images(program: Any) -> tuple[int, ...]:
    """The shape of an example of the first input."""
    if program.example_inputs is not None:
        return tuple(program.example_inputs[0][0].shape)
    first = program.graph_signature.user_inputs[0]
    return tuple(int(size) for node in program.graph.nodes if node.name == first for size in node.meta["val"].shape)


@contextmanager
def _unsaid() -> Iterator[None]:
    """Leave out what torch warns its own code of, and the traceback that it prints of what it raises anyway."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logger.disabled = before
