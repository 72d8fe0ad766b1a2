"""Fits and draws have the same bits with any number of BLAS threads, and however many windows are asked for at once."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.places import ROOT

from predicdiff.samplers import GaussianSampler, gaussian

#: So large that the libraries do share their work out: products of 300 x 192 and factors of 192 and 300. The first fit
#: is of too few patches for full rank, the last of a corpus without any variance.
PROGRAM = """
import hashlib
import numpy as np
from predicdiff.samplers import GaussianSampler

rng = np.random.default_rng(0)
images = np.cumsum(rng.normal(size=(4, 3, 60, 60)), axis=-1).round(2)
origins = np.array([(row, column) for row in range(0, 50, 10) for column in range(0, 50, 10)])
same = np.full((2, 3, 60, 60), 127.0)
for corpus, context, channels, patches, clip in (
    (images, 14, "joint", 200, None),
    (images, 8, "joint", 1000, None),
    (images, 14, "authors", 1000, "corpus"),
    (same, 8, "joint", 100, (0, 255)),
):
    sampler = GaussianSampler.fit(corpus, context, patches=patches, channels=channels, clip=clip)
    draws = sampler.draw(corpus[0], origins, window=context - 4, samples=20, seed=1)
    print(sampler.provenance["fingerprint"], sampler.jitter, hashlib.sha1(draws.tobytes()).hexdigest())
matrix = rng.normal(size=(700, 700))
print("products", hashlib.sha1(np.linalg.inv(matrix).tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def told() -> list[list[str]]:
    """What the program says with one, two and four threads."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    said = []
    for threads in "124":
        environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONPATH": str(ROOT)}
        ran = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        said.append(ran.stdout.splitlines())
    return said


def test_fits_jitters_and_draws_are_the_same_to_the_bit_for_any_number_of_threads(told: list[list[str]]) -> None:
    one, two, four = (lines[:-1] for lines in told)
    assert len(one) == 4
    assert one == two == four


def test_products_of_matrices_are_not_so_that_the_test_above_can_fail(told: list[list[str]]) -> None:
    products = {lines[-1] for lines in told}
    if len(products) == 1:
        pytest.skip("this library of matrices gives the same for any number of threads")


def test_patches_of_noise_with_the_same_means_are_the_same_to_the_bit_alone_and_among_others() -> None:
    images = np.cumsum(np.random.default_rng(0).normal(size=(4, 3, 40, 40)), axis=-1)
    sampler = GaussianSampler.fit(images, 8, patches=1000, clip="corpus")
    origins = np.array([(row, column) for row in range(0, 36, 2) for column in range(0, 36, 3)])
    noise = sampler.noise(images[0], origins, window=4, samples=20, seed=1)
    whole = noise.patches()
    for number in (0, 57, 58, 100):
        np.testing.assert_array_equal(noise.of_window(number), whole[number])


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
