from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predicdiff.errors import SettingsError
from predicdiff.samplers.streams import CROP, DRAW, FIT, generator

WORD = 2**64


def philox(counter, key):
    """Four 64-bit words of Philox4x64-10, from the definition of Salmon et al. (2011)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        product0, product1 = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (product1 // WORD) ^ c1 ^ k0, product1 % WORD, (product0 // WORD) ^ c3 ^ k1, product0 % WORD
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % WORD, (k1 + 0xBB67AE8584CAA73B) % WORD
    return [c0, c1, c2, c3]


@given(seed=st.integers(0, WORD - 1), row=st.integers(0, 10**6), column=st.integers(0, 10**6))
@settings(deadline=None)
def test_numbers_are_philox_of_seed_row_and_column(seed, row, column):
    words = philox([1, 0, row, column], [seed, DRAW]) + philox([2, 0, row, column], [seed, DRAW])
    expected = [(word >> 11) * 2.0**-53 for word in words]
    np.testing.assert_array_equal(generator(seed, row, column).random(8), expected)


def test_normal_numbers_are_those_that_numpy_1_19_gave():
    recorded = [0.7045916545940457, -0.574851206492903, -0.26612931856089267, -0.393244095368846]
    np.testing.assert_allclose(generator(7, 3, 5).standard_normal(4), recorded, rtol=1e-12)


def test_neighbours_share_no_numbers():
    keys = [(seed, row, column, purpose) for seed in (0, 1) for row in range(5) for column in range(5)
            for purpose in (DRAW, FIT, CROP)]  # fmt: skip
    numbers = [generator(seed, row, column, purpose=purpose).random(100) for seed, row, column, purpose in keys]
    assert len(np.unique(np.concatenate(numbers))) == 100 * len(keys)


def test_a_stream_counts_in_the_lower_half_only():
    stream = generator(1, 3, 5)
    stream.random(100_000)
    assert stream.bit_generator.state["state"]["counter"].tolist() == [25_000, 0, 3, 5]


@pytest.mark.parametrize("seed", [-1, WORD, np.int64(-5)])
def test_seed_out_of_range(seed):
    with pytest.raises(SettingsError, match=r"seed -?\d+ is out of range"):
        generator(seed, 0, 0)


@pytest.mark.parametrize("seed", [0.5, "1", None])
def test_seed_no_whole_number(seed):
    with pytest.raises(SettingsError, match="no whole number"):
        generator(seed, 0, 0)
