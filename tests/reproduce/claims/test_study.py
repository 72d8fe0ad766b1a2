"""Windows that claims are measured on, of a net in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_windows_of_the_square_are_those_of_explain(study: Any) -> None:
    subject = study.subjects[0]
    found = subject.windows("marginal", 3, draws=2, side=8, blob="scores")
    assert [tuple(found.origins[i]) for i in (0, -1)] == [(4, 3), (9, 8)]
    assert found.grid.shape == (1, 6, 6)
    assert found.map.shape == (1, 8, 8)
    # a linear net's difference is its weights times what the draws, on average, are less than the image
    draws = subject.sampler("marginal", 3).draw(subject.pixels, found.origins, window=3, samples=2, seed=0)
    for (row, column), value, drawn in zip(found.origins, found.values[:, 0], draws.mean(1)):
        at = (slice(None), slice(row, row + 3), slice(column, column + 3))
        assert value == pytest.approx(np.sum(study.net.weights[1][at] * (subject.pixels[at] - drawn)), abs=1e-4)


def test_halves_have_no_draw_in_common_and_are_kept(study: Any) -> None:
    subject = study.subjects[0]
    one, other = subject.halves("marginal", 3, draws=6, side=8)  # all six images of each half
    assert abs(one.values - other.values).min() > 0
    study.net.calls.clear()
    again, _ = subject.halves("marginal", 3, draws=6, side=8)
    assert np.array_equal(again.values, one.values)
    assert len(study.net.calls) <= 4  # what tries the net out; the windows come from the file
    assert not np.array_equal(subject.windows("marginal", 3, draws=6, side=8, stream=1).values, one.values)
