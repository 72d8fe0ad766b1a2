from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import SettingsError
from predicdiff.samplers.streams import CROP, DRAW, FIT, generator, generators, normals, threads_beside

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


ORIGINS = np.array([[3, 5], [0, 0], [3, 6], [10**6, 2], [3, 5]])


def test_one_object_set_anew_gives_each_windows_stream():
    """Whatever was drawn before, half of a word or of four words included."""
    for (row, column), stream in zip(ORIGINS, generators(7, ORIGINS)):
        own = generator(7, row, column)
        np.testing.assert_array_equal(stream.standard_normal(13), own.standard_normal(13))
        np.testing.assert_array_equal(stream.random(3), own.random(3))
        np.testing.assert_array_equal(stream.random(1, np.float32), own.random(1, np.float32))


@pytest.mark.parametrize("threads", [1, 2, 4, 9])
def test_normal_numbers_of_windows_whatever_the_threads(threads):
    numbers = normals(11, ORIGINS, (3, 2), dtype=np.float64, threads=threads)
    wanted = [generator(11, row, column).standard_normal((3, 2)) for row, column in ORIGINS]
    np.testing.assert_array_equal(numbers, wanted)
    rounded = normals(11, ORIGINS, (3, 2), threads=threads)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded, numbers.astype(np.float32))


def test_no_windows_have_no_numbers():
    assert normals(0, np.empty((0, 2), int), (3, 2), threads=4).shape == (0, 3, 2)


def test_an_error_in_a_thread_comes_out():
    with pytest.raises(SettingsError, match="seed -1 is out of range"):
        normals(-1, ORIGINS, (3, 2), threads=2)


def test_some_thread_draws_beside_a_gpu():
    assert threads_beside() >= 1


@pytest.mark.parametrize("seed", [-1, WORD, np.int64(-5)])
def test_seed_out_of_range(seed):
    with pytest.raises(SettingsError, match=r"seed -?\d+ is out of range"):
        generator(seed, 0, 0)


@pytest.mark.parametrize("seed", [0.5, "1", None])
def test_seed_no_whole_number(seed):
    with pytest.raises(SettingsError, match="no whole number"):
        generator(seed, 0, 0)
