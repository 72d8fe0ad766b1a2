"""Warnings point at the line of the caller's that they are about, however deep inside they arise."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler, photo

import predicdiff as pd
from predicdiff.errors import ConfidenceWarning, InputWarning

SHAPE = (1, 4, 5)


class Sure(LinearNet):
    def gradient(self, inputs: np.ndarray, **_: Any) -> np.ndarray:
        return np.ones_like(inputs)


NET, UNNAMED = Sure(np.zeros((2, *SHAPE)), [0.0, 30.0]), Sure(np.zeros((2, *SHAPE)))
UNNAMED.scores = None


@pytest.mark.parametrize(
    ("call", "category"),
    [
        (lambda: pd.explain(NET, photo(SHAPE), NormalSampler(), window=2, samples=1), ConfidenceWarning),
        (lambda: pd.occlusion(NET, photo(SHAPE), window=2, measure="evidence"), ConfidenceWarning),
        (lambda: pd.sensitivity(UNNAMED, photo(SHAPE)), InputWarning),
    ],
    ids=["explain", "occlusion", "sensitivity"],
)
def test_warnings_point_at_the_line_that_called(call: Any, category: type[Warning]) -> None:
    with pytest.warns(category) as caught:
        call()
    assert {(one.filename, one.lineno) for one in caught} == {(__file__, inspect.getsourcelines(call)[1])}
