"""What an ONNX model may end in, and which blobs that gives: the same as of a module, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np


@dataclass(frozen=True)
class Ending:
    """What comes out of a model.

    Attributes
    ----------
    own : str
        The blob that comes out.
    prob : str or None
        The blob of probabilities.
    end : callable, optional
        What makes probabilities (b, classes, ...) of what comes out, where they are not the same.
    """

    own: str
    prob: str | None
    end: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def scores(self) -> str | None:
        """The blob of which probabilities are made."""
        return None if self.end is None else self.own

    @property
    def blobs(self) -> tuple[str, ...]:
        """The net's own blobs, in their order."""
        return tuple(dict.fromkeys(blob for blob in (self.own, self.prob) if blob is not None))

    def of(self, blob: str, value: np.ndarray) -> np.ndarray:
        """A blob of the value that it is, or is made of."""
        return self.end(value) if self.end is not None and blob == self.prob else value


def _softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _sigmoid(values: np.ndarray) -> np.ndarray:
    power = np.exp(-np.abs(values))
    return np.where(values < 0, power, np.ones_like(power)) / (1 + power)


ENDINGS = {
    "logits": Ending("logits", "prob", _softmax),
    "sigmoid": Ending("logits", "prob", _sigmoid),
    "probabilities": Ending("prob", "prob"),
    "activation": Ending("output", None),
}
