"""What a torch module may end in, and which blobs that gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import torch
from torch import Tensor


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
        What makes probabilities of the module's own output, where they are not the same.
    """

    own: str
    prob: str | None
    end: Callable[[Tensor], Tensor] | None = None

    def named(self, returned: Tensor) -> dict[str, Tensor]:
        """The net's own blobs of what the module returned."""
        values = with_classes(returned)
        return {self.own: values, **({} if self.prob is None or self.end is None else {self.prob: self.end(values)})}


def with_classes(returned: Tensor) -> Tensor:
    """One number for each input as a vector of length 1."""
    return returned[:, None] if returned.dim() == 1 else returned


ENDINGS = {
    "logits": Ending("logits", "prob", lambda values: torch.softmax(values, 1)),
    "sigmoid": Ending("logits", "prob", torch.sigmoid),
    "probabilities": Ending("prob", "prob"),
    "activation": Ending("output", None),
}
