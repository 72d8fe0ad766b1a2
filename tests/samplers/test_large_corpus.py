"""Corpora that lie in a file: samplers that are the same to the bit, in memory that does not grow with them."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from helpers import small_net
from helpers.engines import needed
from helpers.peak import peak
from PIL import Image

from predicdiff import scratch
from predicdiff.presets import LIKES, OURS
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import read_folder
from predicdiff.samplers.hidden import activations_of, hidden_marginal
from predicdiff.tones import PIXELS

COUNT, SHAPE = 12, (3, 20, 24)
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, *SHAPE)).astype(np.float32)
STRANGER = np.random.default_rng(1).uniform(0, 255, SHAPE).astype(np.float32)
ORIGINS = np.array([(row, column) for row in range(0, 16, 3) for column in range(0, 20, 3)])
DRAWN = {"window": 4, "samples": 5, "seed": 3}


@pytest.fixture
def filed(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The images in a file, where all larger than two of them lie, and are looked at two at a time."""
    monkeypatch.setattr(scratch, "HELD", 2 * IMAGES[0].nbytes)
    monkeypatch.setattr(scratch, "BLOCK", 2 * IMAGES[0].nbytes)
    stack = scratch.stacked(IMAGES, "images")
    assert scratch.in_file(stack)
    return stack


def test_a_folder_gives_the_same_array_in_a_file(filed: np.ndarray, tmp_path: Path) -> None:
    for number, image in enumerate(IMAGES):
        Image.fromarray(image.transpose(1, 2, 0).astype(np.uint8)).save(tmp_path / f"{number:02}.png")
    images, names, _ = read_folder(tmp_path, lambda image: image.transpose(2, 0, 1))
    assert (scratch.in_file(images), images.dtype, len(names)) == (True, np.float32, COUNT)
    np.testing.assert_array_equal(images, IMAGES)


@pytest.mark.parametrize("choice", ["random", "first"])
@pytest.mark.parametrize("samples", [5, COUNT + 1])
def test_a_marginal_sampler_of_a_file_draws_the_same_and_copies_nothing(
    filed: np.ndarray, choice: str, samples: int
) -> None:
    sampler, wanted = (MarginalSampler(images, choice=choice) for images in (filed, IMAGES))
    assert np.shares_memory(sampler.images, filed)
    assert sampler.provenance == wanted.provenance
    for pixels in (STRANGER, IMAGES[4], filed[4]):
        drawn, known = (one.draw(pixels, ORIGINS, window=(4, 3), samples=samples, seed=1) for one in (sampler, wanted))
        np.testing.assert_array_equal(drawn, known)
    assert sampler.among(PIXELS) is sampler


def test_threads_that_draw_from_a_file_draw_the_same(filed: np.ndarray) -> None:
    """Each lets the file go while the others read it."""
    sampler = MarginalSampler(filed)
    wanted = MarginalSampler(IMAGES).draw(STRANGER, ORIGINS, **DRAWN)
    with ThreadPoolExecutor(4) as pool:
        for drawn in pool.map(lambda _: sampler.draw(STRANGER, ORIGINS, **DRAWN), range(40)):
            np.testing.assert_array_equal(drawn, wanted)


def test_a_marginal_sampler_from_a_file_or_a_pickle_has_its_images_out_of_memory(
    filed: np.ndarray, tmp_path: Path
) -> None:
    sampler, path = MarginalSampler(IMAGES, names=map(str, range(COUNT))), tmp_path / "sampler.h5"
    sampler.save(path)
    for again in (MarginalSampler.load(path), pickle.loads(pickle.dumps(sampler))):
        assert scratch.in_file(again.images)
        assert again.provenance == sampler.provenance
        np.testing.assert_array_equal(again.draw(STRANGER, ORIGINS, **DRAWN), sampler.draw(STRANGER, ORIGINS, **DRAWN))


@pytest.mark.parametrize("clip", [(0, 255), None, "corpus"])
def test_a_gaussian_fitted_to_a_file_is_the_same(filed: np.ndarray, clip: str | tuple[float, float] | None) -> None:
    fitted, wanted = (GaussianSampler.fit(images, 5, patches=700, clip=clip) for images in (filed, IMAGES))
    assert fitted.provenance == wanted.provenance
    np.testing.assert_array_equal(fitted.covariance, wanted.covariance)


@needed
def test_hidden_activations_of_a_file_lie_in_one_too(filed: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    net = small_net.make(SHAPE)
    images = scratch.stacked(IMAGES / 255, "images")
    sampler, wanted = (
        hidden_marginal(net, images, "conv"),
        np.concatenate([net.forward(image[None], ["conv"])["conv"] for image in IMAGES / np.float32(255)]),
    )
    assert isinstance(sampler, MarginalSampler)
    assert scratch.in_file(sampler.images)
    np.testing.assert_allclose(sampler.images, wanted, rtol=1e-5, atol=1e-6)
    monkeypatch.undo()
    again = activations_of(net, IMAGES / np.float32(255), "conv")
    assert not scratch.in_file(again)
    np.testing.assert_array_equal(again, sampler.images)


@pytest.mark.parametrize("name", ["authors", "paper"])
@pytest.mark.parametrize("explained", [None, 0, 7])
def test_the_explained_image_is_put_into_and_taken_out_of_a_file(
    filed: np.ndarray, name: str, explained: int | None
) -> None:
    pixels = STRANGER if explained is None else IMAGES[explained].copy()
    names = [str(number) for number in range(COUNT)]
    images, told = LIKES[name].corpus(filed, pixels, names)
    wanted = [image for number, image in enumerate(IMAGES) if number != explained]
    np.testing.assert_array_equal(images, [pixels, *wanted] if name == "authors" else wanted)
    assert scratch.in_file(images)
    assert told is not None
    assert len(told) == len(images)


def test_a_corpus_of_which_nothing_is_taken_is_not_copied(filed: np.ndarray) -> None:
    for images in (filed, IMAGES):
        assert np.shares_memory(OURS.corpus(images, STRANGER)[0], images)
        assert np.shares_memory(OURS.corpus(images, None)[0], images)
    alone, told = OURS.corpus(np.stack([STRANGER]), STRANGER, ["a"])
    assert (alone.shape, told) == ((0, *SHAPE), [])


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_memory_does_not_grow_with_the_corpus(tmp_path: Path, kind: str) -> None:
    """Of 300 photographs, 181 MB as the net sees them, no more is held than of a third as many, and some slack."""
    colours = np.random.default_rng(0).integers(0, 256, (300, 7, 7, 3)).astype(np.uint8)
    for number, colour in enumerate(colours):
        Image.fromarray(colour).resize((224, 224)).save(tmp_path / f"{number:03}.jpg")
    imports = (
        "import numpy as np\nfrom predicdiff.presets import OURS\nimport PIL.JpegImagePlugin, scipy.linalg\n"
        "from predicdiff.samplers.corpus import read_folder\n"
        "def work(folder, kind):\n"
        "    images, names, _ = read_folder(folder, lambda image: image.transpose(2, 0, 1))\n"
        "    sampler = OURS.sampler(kind, images, images[0] / 2, context=8, names=names)\n"
        "    origins = np.stack(np.mgrid[:216:8, :216:8], axis=-1).reshape(-1, 2)\n"
        "    sampler.draw(images[0], origins, window=6, samples=20, seed=0)"
    )
    taken, said = peak(imports, "work(*sys.argv[1:])", tmp_path, kind)
    assert said == ""
    assert taken < 160e6
