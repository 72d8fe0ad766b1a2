"""How a module is asked: what it is given besides images, and which of what it returns is taken."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from ...errors import SettingsError

#: A key or an index of what a module returns, or a function from that to a tensor.
Pick = Union[str, int, Callable[[Any], Any]]
#: Further inputs behind the images: by their places, or by their names.
Also = Union[Sequence[Any], Mapping[str, Any]]

#: Which of several outputs are taken by themselves, by their names: Hugging Face's, and that of torchvision's nets that
#: tell places apart.
NAMES = ("logits", "out")
#: What a tensor that a module returns must be to be explained.
WANTED = "a tensor of floats with the batch first"


@dataclass(frozen=True, eq=False)
class Ask:
    """How a module is called.

    Attributes
    ----------
    pick : str, int or callable, optional
        Which of what it returns is taken: by its key or its index, or what a function makes of it all.
    further : tuple
        Given behind the images.
    named : {str: value}
        Given by name.
    dtype : torch.dtype
        What images of float32 are brought to; a copy of a module in float64 takes those of float64 as they are.
    """

    pick: Pick | None = None
    further: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32

    @classmethod
    def of(cls, pick: Pick | None, also: Also) -> Ask:
        """How a caller wants it, ``also`` copied; a SettingsError if that is none of what is possible."""
        if not (pick is None or isinstance(pick, (str, int)) or callable(pick)) or isinstance(pick, bool):
            raise SettingsError(f"pick = {pick!r}: want a key, an index, or a function of what the module returns.")
        if isinstance(also, Mapping):
            return cls(pick, (), {str(name): _taken(value) for name, value in also.items()})
        if isinstance(also, (str, Tensor, np.ndarray)) or not isinstance(also, Sequence):
            raise SettingsError(
                f"also is a {type(also).__name__}: want a tuple of the inputs behind the image, or a dict of inputs by "
                "name."
            )
        return cls(pick, tuple(map(_taken, also)), {})

    @property
    def also(self) -> Also:
        """The further inputs, as `of` takes them."""
        return dict(self.named) or self.further

    def __call__(self, module: Callable[..., Any], images: Tensor) -> Any:
        """What is picked of what a module gives for a batch of images."""
        images = self.cast(images)
        further, named = self.mapped(lambda value: _batch(value, images))
        return self.picked(module(images, *further, **named))

    def cast(self, images: Tensor) -> Tensor:
        """Images in the module's own numbers."""
        return images.to(self.dtype) if images.dtype == torch.float32 else images

    def mapped(self, make: Callable[[Tensor], Any]) -> tuple[list[Any], dict[str, Any]]:
        """The further inputs by place and by name, of the tensors among them what ``make`` makes."""

        def made(value: Any) -> Any:
            return make(value) if isinstance(value, Tensor) else value

        return [made(value) for value in self.further], {name: made(value) for name, value in self.named.items()}

    def picked(self, returned: Any) -> Any:
        """What is taken of what a module returned; a SettingsError if there is no such thing in it."""
        if self.pick is None:
            return returned
        if callable(self.pick):
            return self.pick(returned)
        held = parts(returned)
        if self.pick in held:
            return held[self.pick]
        if isinstance(self.pick, int) and -len(held) <= self.pick < len(held):
            return list(held.values())[self.pick]
        raise SettingsError(f"pick = {self.pick!r}: want one of what the module returns, {_listed(held, returned)}.")

    @property
    def whole(self) -> Ask:
        """The same, without a choice among what is returned."""
        return replace(self, pick=None)

    def settled(self, returned: Any, count: int, name: str) -> Ask:
        """The same with a pick, where ``returned`` for ``count`` images is no tensor and only one of it fits.

        Raises
        ------
        SettingsError
            If none fits, or several do.
        """
        if self.pick is not None or isinstance(returned, Tensor):
            return self
        held = parts(returned)
        fitting = [key for key, value in held.items() if fits(value, count)]
        told = [key for key in NAMES if key in fitting]
        if not fitting:
            raise SettingsError(
                f"{name} returns a {type(returned).__name__} ({_listed(held, returned)}), in which nothing fits: want "
                f"{WANTED}. Give a function that makes it of that (pick=)."
            )
        if len(fitting) > 1 and not told:
            several = _listed({key: held[key] for key in fitting}, returned)
            raise SettingsError(
                f"{name} returns several outputs for {count} images, {several}: say which to explain (pick=, --pick)."
            )
        return replace(self, pick=(told or fitting)[0])

    @property
    def identity(self) -> str:
        """A text that differs between ways to ask; empty of the plain one."""
        if self.pick is None and not self.further and not self.named:
            return ""
        pick = self.pick if not callable(self.pick) else _code(self.pick)
        further = [_mark(value) for value in self.further]
        return repr((pick, further, [(name, _mark(value)) for name, value in sorted(self.named.items())]))


#: A module that is given images alone and returns one tensor.
PLAIN = Ask()


def parts(returned: Any) -> dict[Any, Any]:
    """What a module returned, by its keys, its fields' names or its indices; empty where it has none."""
    if isinstance(returned, Mapping):
        return dict(returned)
    if dataclasses.is_dataclass(returned) and not isinstance(returned, type):
        return {each.name: getattr(returned, each.name) for each in dataclasses.fields(returned)}
    if isinstance(returned, tuple) and any("_asdict" in vars(kind) for kind in type(returned).__mro__):
        return dict(returned._asdict())  # type: ignore[attr-defined]
    return dict(enumerate(returned)) if isinstance(returned, (tuple, list)) else {}


def fits(value: Any, count: int) -> bool:
    """Whether a value is a tensor of floats with the batch of so many first."""
    return isinstance(value, Tensor) and value.is_floating_point() and value.dim() >= 1 and len(value) == count


def _listed(held: Mapping[Any, Any], returned: Any) -> str:
    said = [f"{key!r} {tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__}"
            for key, value in held.items()]  # fmt: skip
    return ", ".join(said) or f"which is a {type(returned).__name__}"


def _taken(value: Any) -> Any:
    """A copy of a tensor, also of an array; anything else as it is."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    return value.detach().clone() if isinstance(value, Tensor) else value


def _batch(value: Tensor, images: Tensor) -> Tensor:
    """A further input for a batch, that no module can change: repeated for each image where its first axis is 1."""
    return alike(value, images).expand(sizes(value, len(images))).clone()


def alike(value: Tensor, images: Tensor) -> Tensor:
    """A further input where the images lie, and of floats as theirs if it is of floats."""
    return value.to(images.device, images.dtype if value.is_floating_point() else value.dtype)


def sizes(value: Tensor, count: Any) -> list[Any]:
    """The shape of a further input for ``count`` images."""
    return [count if axis == 0 and size == 1 else size for axis, size in enumerate(value.shape)]


def _mark(value: Any) -> str:
    """What tells a further input from others."""
    if not isinstance(value, Tensor):
        return repr(value)
    raw = value.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{value.dtype} {tuple(value.shape)} {hashlib.sha1(raw.tobytes()).hexdigest()}"


def _code(function: Callable[..., Any]) -> str:
    """What tells a function from others: its name, what it does, and what it holds; an object by what it says it is."""
    if isinstance(function, functools.partial):
        return repr((_code(function.func), function.args, function.keywords))
    if not inspect.isfunction(function):
        told = repr(function)
        return told if " at 0x" not in told else f"{type(function).__qualname__} {vars(function)!r}"
    code = function.__code__
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    constants = [value for value in code.co_consts if not inspect.iscode(value)]
    does = (code.co_code, code.co_names, constants, function.__defaults__, held)
    return f"{function.__module__}.{function.__qualname__} {hashlib.sha1(repr(does).encode()).hexdigest()}"
