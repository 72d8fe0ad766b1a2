"""Whether numbers that a net gives are what they are said to be."""

from __future__ import annotations

import numpy as np

from ..errors import InputWarning, SettingsError, warn


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
    if low >= 0 and np.allclose(values.sum(axis=1), 1, rtol=0, atol=2e-5):
        warn(
            f"{name} returns numbers that add up to 1, as if a softmax had been applied already: "
            'if so, want output_is="probabilities".',
            InputWarning,
        )
