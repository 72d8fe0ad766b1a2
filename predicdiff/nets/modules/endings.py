"""What a torch module may end in, and which blobs that gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Callable

import torch
from torch import Tensor

from ..engine.geometry import Shape


@dataclass(frozen=True)
class Ending:
    """What a module returns.

    Attributes
    ----------
    own : str
        The blob that is the module's own output.
    prob : str or None
        The blob of probabilities.
    end : callable, optional
        What makes probabilities of the module's own output, where they are not the same; in float32 at least.
    by_channel : bool
        Whether it takes every channel by itself.
    scored : bool
        Whether the module's own output is a score for each class, though no probabilities are made of it.
    """

    own: str
    prob: str | None
    end: Callable[[Tensor], Tensor] | None = None
    by_channel: bool = False
    scored: bool = False

    @property
    def scores(self) -> str | None:
        """The blob of scores, of which probabilities are made where there are any."""
        return self.own if self.end is not None or self.scored else None

    def blobs(self, inner: Mapping[str, Shape], own: Shape) -> dict[str, Shape]:
        """Shapes of submodules' blobs, but for those with a name of the net's own blobs, and of these."""
        mine = {name: own for name in (self.own, self.prob) if name is not None}
        return {**{name: shape for name, shape in inner.items() if name not in mine}, **mine}

    def named(self, returned: Tensor) -> dict[str, Tensor]:
        """The net's own blobs of what the module returned."""
        values = with_classes(returned)
        return {self.own: values, **({} if self.prob is None or self.end is None else {self.prob: self.end(values)})}


def with_classes(returned: Tensor) -> Tensor:
    """One number for each input as a vector of length 1."""
    return returned[:, None] if returned.dim() == 1 else returned


def _at_least_float32(values: Tensor) -> Tensor:
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _softmax(values: Tensor) -> Tensor:
    return torch.softmax(_at_least_float32(values), 1)


def _sigmoid(values: Tensor) -> Tensor:
    return torch.sigmoid(_at_least_float32(values))


#: What a detector ends in, of which a box is explained.
BOXES = "boxes"
ENDINGS = {
    "logits": Ending("logits", "prob", _softmax),
    "sigmoid": Ending("logits", "prob", _sigmoid, by_channel=True),
    "probabilities": Ending("prob", "prob"),
    "activation": Ending("output", None),
    BOXES: Ending(BOXES, None, scored=True),
}
