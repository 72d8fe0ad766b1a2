"""What an ONNX model may end in, and which blobs that gives: the same as of a module, without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

import numpy as np

from ...errors import InputWarning, SettingsError, warn


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


def check_scores(values: np.ndarray, kind: str, name: str) -> None:
    """Hold what came (b, ...) against what it is said to be: logits taken for probabilities, or the other way round."""
    low, high = float(values.min()), float(values.max())
    if kind == "probabilities" and (low < -1e-4 or high > 1 + 1e-4):
        raise SettingsError(
            f"{name} returns values from {low:.4g} to {high:.4g}, which are no probabilities: "
            'want output_is="logits", "sigmoid" or "activation".'
        )
    if kind != "logits":
        return
    if values.ndim == 1 or values.shape[1] == 1:
        raise SettingsError(f'{name} returns one logit, whose softmax is always 1: want output_is="sigmoid".')
    if low >= 0 and np.allclose(values.sum(axis=1), 1, rtol=0, atol=1e-5):
        warn(
            f"{name} returns numbers that add up to 1, as if a softmax had been applied already: "
            'if so, want output_is="probabilities".',
            InputWarning,
        )
