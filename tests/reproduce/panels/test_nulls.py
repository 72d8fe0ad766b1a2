"""Permuted pictures and ranks, against loops and by hand."""

from __future__ import annotations

from itertools import permutations
from typing import Any, Callable

import numpy as np
import pytest


def test_permutations_are_counted_as_a_loop_counts_them(module: Callable[[str], Any]) -> None:
    nulls = module("panels.nulls")
    table = np.array([[0.5, 0.1, 0.0], [0.2, 0.3, 0.4], [0.1, 0.6, 0.2]])
    found = nulls.permuted(table[None])
    means = [np.mean([table[row, column] for row, column in enumerate(order)]) for order in permutations(range(3))]
    assert found["matched"] == pytest.approx(1 / 3)
    assert found["others"] == pytest.approx((0.1 + 0.0 + 0.2 + 0.4 + 0.1 + 0.6) / 6)
    assert found["p"] == pytest.approx(sum(mean >= 1 / 3 - 1e-9 for mean in means) / 6) == pytest.approx(2 / 6)
    # of two units that are permuted alike the means count
    assert nulls.permuted(np.stack([table, np.eye(3)]))["matched"] == pytest.approx(2 / 3)


def test_a_flat_map_ranks_last_and_an_equal_one_before(module: Callable[[str], Any]) -> None:
    rank = module("panels.nulls").rank
    values = np.array([0.2, np.nan, 0.5, 0.2])
    assert [rank(values, index)["rank"] for index in range(4)] == [3, 4, 1, 3]
    assert rank(values, 0)["best_index"] == 2
