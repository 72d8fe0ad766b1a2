"""How a module is asked: what it is given besides images, and which of what it returns is taken."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence, Union

import numpy as np
import torch
from torch import Tensor

from ...errors import SettingsError, first_line
from .marks import PLAIN as TOLD
from .marks import mark, of_tensor

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
    untold : str
        In the identity, what stands for a function that can't be told from others: nobody else has it.
    """

    pick: Pick | None = None
    further: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32
    untold: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, pick: Pick | None, also: Also) -> Ask:
        """How a caller wants it, ``also`` copied; a SettingsError if that is none of what is possible."""
        if not (pick is None or isinstance(pick, (str, int)) or callable(pick)) or isinstance(pick, bool):
            raise SettingsError(
                f"pick = {pick!r} (--pick): want a key, an index, or a function of what the module returns."
            )
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
        further = [_made(value, make) for value in self.further]
        return further, {name: _made(value, make) for name, value in self.named.items()}

    def count(self) -> int:
        """How many images to try a module with: two, or more where a further input could pass for so many."""
        tensors = _tensors([*self.further, *self.named.values()])
        return min({2, 3, 4, 5} - {len(value) for value in tensors if value.dim()}, default=2)

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
        raise SettingsError(
            f"pick = {self.pick!r} (--pick): want one of what the module returns, {_listed(held, returned)}."
        )

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
        """A text that differs between ways to ask; empty of the plain one.

        Functions and objects that can't be told from others, see `mark`, are like none but themselves: with them
        nothing is gone on with that another process has begun.
        """
        if self.pick is None and not self.further and not self.named:
            return ""
        pick = mark(self.pick, self.untold) if callable(self.pick) else self.pick
        further = [self._mark(value) for value in self.further]
        return repr((pick, further, [(name, self._mark(value)) for name, value in sorted(self.named.items())]))

    def _mark(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return of_tensor(value)
        return repr(value) if type(value) in TOLD else mark(value, self.untold)


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
    """A copy of a further input, arrays made tensors; a SettingsError if it is none."""
    if type(value) in (tuple, list):
        return type(value)(map(_taken, value))
    if type(value) is dict:
        return {key: _taken(held) for key, held in value.items()}
    if isinstance(value, np.ndarray):
        try:
            return torch.tensor(np.array(value))
        except (TypeError, ValueError) as error:
            raise SettingsError(f"also holds an array of {value.dtype}: {first_line(error)}.") from error
    if isinstance(value, Tensor) and (value.layout != torch.strided or value.is_nested or value.is_meta):
        kind = "nested" if value.is_nested else f"{value.layout} on {value.device}"
        raise SettingsError(f"also holds a tensor that is {kind}: want one that is dense and has numbers.")
    if not isinstance(value, (Tensor, np.generic, *TOLD)):
        raise SettingsError(
            f"also holds a {type(value).__name__}: want tensors, arrays, numbers, texts or None, or tuples, lists and "
            "dicts of these."
        )
    return value.detach().clone() if isinstance(value, Tensor) else value


def _made(value: Any, make: Callable[[Tensor], Any]) -> Any:
    """A further input, and of each tensor in it what ``make`` makes."""
    if type(value) in (tuple, list):
        return type(value)(_made(held, make) for held in value)
    if type(value) is dict:
        return {key: _made(held, make) for key, held in value.items()}
    return make(value) if isinstance(value, Tensor) else value


def _tensors(value: Any) -> list[Tensor]:
    """Those in a further input."""
    found: list[Tensor] = []
    _made(value, found.append)
    return found


def _batch(value: Tensor, images: Tensor) -> Tensor:
    """A further input for a batch, that no module can change: repeated for each image where its first axis is 1."""
    return alike(value, images).expand(sizes(value, len(images))).clone()


def alike(value: Tensor, images: Tensor) -> Tensor:
    """A further input where the images lie, and of floats as theirs if it is of floats."""
    return value.to(images.device, images.dtype if value.is_floating_point() else value.dtype)


def sizes(value: Tensor, count: Any) -> list[Any]:
    """The shape of a further input for ``count`` images."""
    return [count if axis == 0 and size == 1 else size for axis, size in enumerate(value.shape)]
