"""Fits and draws have the same bits with any number of BLAS threads, and however many windows are asked for at once."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.places import ROOT

from predicdiff.samplers import GaussianSampler, gaussian

#: So large that the libraries do share their work out: products of 300 x 192 and factors of 192 and 300.
PROGRAM = """
import hashlib
import numpy as np
from predicdiff.samplers import GaussianSampler

rng = np.random.default_rng(0)
images = np.cumsum(rng.normal(size=(4, 3, 60, 60)), axis=-1).round(2)
origins = np.array([(row, column) for row in range(0, 50, 10) for column in range(0, 50, 10)])
for context, channels, patches in ((14, "joint", 200), (8, "joint", 1000), (14, "authors", 1000)):
    sampler = GaussianSampler.fit(images, context, patches=patches, channels=channels, clip=None)
    draws = sampler.draw(images[0], origins, window=context - 4, samples=20, seed=1)
    print(sampler.provenance["fingerprint"], sampler.jitter, hashlib.sha1(draws.tobytes()).hexdigest())
matrix = rng.normal(size=(700, 700))
print("products", hashlib.sha1(np.linalg.inv(matrix).tobytes()).hexdigest())
"""


def told(threads: int) -> list[str]:
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads)), "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return ran.stdout.splitlines()


def test_fits_jitters_and_draws_are_the_same_to_the_bit_for_any_number_of_threads() -> None:
    one, two, four = (told(threads) for threads in (1, 2, 4))
    if one[-1] == two[-1] == four[-1]:
        pytest.skip("this library of matrices gives the same for any number of threads")
    assert len(one) == 4
    assert one[:-1] == two[:-1] == four[:-1]


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_a_windows_draws_are_the_same_to_the_bit_whatever_is_asked_for_beside_them(
    channels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = np.cumsum(np.random.default_rng(0).normal(size=(4, 3, 40, 40)), axis=-1)
    sampler = GaussianSampler.fit(images, 8, patches=1000, channels=channels, clip=None)
    origins = np.array([(row, column) for row in range(0, 36, 2) for column in range(0, 36, 3)])
    whole = sampler.draw(images[0], origins, window=4, samples=20, seed=1)
    for number in (0, 57, 58, 100):
        alone = sampler.draw(images[0], origins[number : number + 1], window=4, samples=1, seed=1)
        np.testing.assert_array_equal(alone[0, 0], whole[number, 0])
    monkeypatch.setattr(gaussian, "CHUNK", 3000)
    np.testing.assert_array_equal(sampler.draw(images[0], origins[::-1], window=4, samples=20, seed=1), whole[::-1])
