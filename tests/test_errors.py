"""Warnings point at the line of the caller's that they are about, however deep inside they arise."""

from __future__ import annotations

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from helpers.oracle_nets import LinearNet, NormalSampler, photo

import predicdiff as pd
from predicdiff.errors import ConfidenceWarning, InputWarning, warn, without

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


def test_what_is_left_out_in_one_thread_is_heard_in_others() -> None:
    """The filters of `warnings` are those of the whole process: two threads put them back in the wrong order."""
    inside, heard = threading.Event(), threading.Event()

    def quiet() -> None:
        with without(InputWarning):
            warn("left out", InputWarning)  # an error in tests, were it heard
            inside.set()
            assert heard.wait(60)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(quiet)
        assert inside.wait(60)
        with pytest.warns(InputWarning, match="heard"), without(ConfidenceWarning):
            warn("heard", InputWarning)
        heard.set()
        other.result()
