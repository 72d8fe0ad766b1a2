from __future__ import annotations

import json

import numpy as np
import pytest

from predicdiff.errors import SamplerError, SettingsError, WindowError
from predicdiff.samplers import MarginalSampler
from predicdiff.samplers.streams import generator

COUNT, SHAPE = 9, (3, 7, 11)


def corpus(count=COUNT, shape=SHAPE):
    """Every value of every image is unique, and tells image, channel, row and column."""
    return np.arange(count * np.prod(shape), dtype=np.float32).reshape(count, *shape)


def stranger(shape=SHAPE):
    return -np.ones(shape, np.float32)


def everywhere(window, shape=SHAPE):
    rows, columns = (window, window) if isinstance(window, int) else window
    return np.array([(r, c) for r in range(shape[1] - rows + 1) for c in range(shape[2] - columns + 1)])


@pytest.mark.parametrize(("samples", "window"), [(4, (3, 3)), (COUNT, (2, 5)), (20, (3, 1))])
def test_a_draw_is_one_images_whole_window_at_the_same_place(samples, window):
    images, origins = corpus(), everywhere(window)
    patches = MarginalSampler(images).draw(stranger(), origins, window=window, samples=samples, seed=1)
    for (row, column), drawn in zip(origins, patches):
        for patch in drawn:
            image = images[int(patch[0, 0, 0]) // np.prod(SHAPE)]
            np.testing.assert_array_equal(patch, image[:, row : row + window[0], column : column + window[1]])


def drawn_images(sampler, pixels, *, samples, seed=0, window=2):
    """Which images (n, S) the patches came from."""
    patches = sampler.draw(pixels, everywhere(window), window=window, samples=samples, seed=seed)
    return patches[:, :, 0, 0, 0].astype(int) // np.prod(SHAPE)


def test_no_image_is_drawn_twice_in_a_window():
    chosen = drawn_images(MarginalSampler(corpus()), stranger(), samples=6)
    assert all(len(set(row)) == 6 for row in chosen.tolist())


def test_images_are_chosen_by_the_order_of_the_windows_numbers():
    patches = MarginalSampler(corpus()).draw(stranger(), [(4, 1)], window=2, samples=4, seed=11)
    numbers = generator(11, 4, 1).random(COUNT)
    wanted = sorted(range(COUNT), key=numbers.__getitem__)[:4]
    assert (patches[0, :, 0, 0, 0] // np.prod(SHAPE)).tolist() == wanted


def test_every_image_is_as_likely():
    sampler, draws = MarginalSampler(corpus()), 100
    chosen = np.concatenate([drawn_images(sampler, stranger(), samples=3, seed=seed) for seed in range(draws)])
    windows = len(chosen)
    for place in chosen.T:
        counts = np.bincount(place, minlength=COUNT)
        deviation = (counts - windows / COUNT) / np.sqrt(windows / COUNT * (1 - 1 / COUNT))
        assert np.abs(deviation).max() < 4.5


@pytest.mark.parametrize("samples", [2, COUNT - 2])
@pytest.mark.parametrize("explained", [0, 4, COUNT - 1])
def test_the_explained_image_is_never_drawn(explained, samples):
    sampler = MarginalSampler(corpus())
    chosen = drawn_images(sampler, corpus()[explained], samples=samples, seed=5)
    assert sampler.population(corpus()[explained]) == COUNT - 1
    assert set(chosen.ravel().tolist()) == set(range(COUNT)) - {explained}


def test_the_explained_image_is_known_although_rounded_otherwise():
    images = np.random.default_rng(0).uniform(0, 255, (4, *SHAPE))
    sampler = MarginalSampler(images)
    assert sampler.population((images[2] * (1 + 3e-7)).astype(np.float32)) == 3
    assert sampler.population(images[2].astype(np.float32) + 1) == 4


def test_one_row_in_common_does_not_make_images_the_same():
    images = corpus()
    images[:, :, 0] = 7.0
    sampler = MarginalSampler(images)
    assert sampler.population(images[3]) == COUNT - 1


def test_exclusion_follows_the_pixels_of_each_call():
    sampler, pixels = MarginalSampler(corpus()), corpus()[1].copy()
    assert sampler.population(pixels) == COUNT - 1
    pixels += 1.0
    assert sampler.population(pixels) == COUNT
    pixels[:] = corpus()[2]
    assert set(drawn_images(sampler, pixels, samples=20).ravel().tolist()) == set(range(COUNT)) - {2}


@pytest.mark.parametrize("samples", [COUNT - 1, 100])
def test_few_others_are_each_used_once_in_order(samples):
    chosen = drawn_images(MarginalSampler(corpus()), corpus()[3], samples=samples)
    assert (chosen == [0, 1, 2, 4, 5, 6, 7, 8]).all()


def test_input_is_kept_apart():
    images = corpus()
    sampler = MarginalSampler(images)
    images[:] = 0
    patches = sampler.draw(stranger(), [(0, 0)], window=2, samples=20, seed=0)
    np.testing.assert_array_equal(patches[0], corpus()[:, :, :2, :2])
    patches[:] = -5
    np.testing.assert_array_equal(sampler.images, corpus())
    assert patches.dtype == np.float32


def test_provenance():
    names = [f"image {i}" for i in range(COUNT)]
    record = json.loads(json.dumps(MarginalSampler(corpus(), names=names).provenance))
    assert (record["kind"], record["count"], record["names"]) == ("marginal", COUNT, names)
    assert record["fingerprint"] == MarginalSampler(corpus()).provenance["fingerprint"]
    assert record["fingerprint"] != MarginalSampler(corpus() + 1).provenance["fingerprint"]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (corpus()[:1], "has 1 image"),
        (corpus()[:0], "has 0 image"),
        (corpus()[0], r"shape \(3, 7, 11\): want \(images, channels"),
        (corpus() * np.nan, "not finite"),
        ([corpus()[0], corpus()[0, :, 1:]], "no array of numbers"),
    ],
)
def test_a_bad_corpus_is_refused(images, message):
    with pytest.raises(SamplerError, match=message):
        MarginalSampler(images)


@pytest.mark.parametrize(
    ("samples", "wanted"), [(1, [0]), (4, [0, 1, 2, 3]), (COUNT, list(range(COUNT))), (20, list(range(COUNT)))]
)
def test_on_request_always_the_first_images_the_explained_one_among_them(samples, wanted):
    sampler = MarginalSampler(corpus(), choice="first")
    for seed in (0, 1):
        chosen = drawn_images(sampler, corpus()[2], samples=samples, seed=seed)
        assert (chosen == wanted).all()
    assert sampler.population(corpus()[2]) == 0
    assert "first images of the corpus" in sampler.notes[0]
    assert "the first ones" in repr(sampler)


def test_the_choice_is_recorded_and_checked():
    first, random = (MarginalSampler(corpus(), choice=choice) for choice in ("first", "random"))
    assert (first.provenance["choice"], random.provenance["choice"]) == ("first", "random")
    assert random.notes == []
    with pytest.raises(SettingsError, match="choice 'last' is unknown: want one of random, first"):
        MarginalSampler(corpus(), choice="last")
    with pytest.raises(SamplerError, match=r"\(3, 11, 7\), the corpus' images"):
        first.draw(np.zeros((3, 11, 7)), [(0, 0)], window=2, samples=4, seed=0)
    with pytest.raises(SamplerError, match=r"\(3, 11, 7\), the corpus' images"):
        first.population(np.zeros((3, 11, 7)))


def test_names_must_be_as_many():
    with pytest.raises(SamplerError, match="2 names for 9 images"):
        MarginalSampler(corpus(), names=["a", "b"])


def test_other_shapes_are_refused():
    sampler = MarginalSampler(corpus())
    with pytest.raises(SamplerError, match=r"\(3, 11, 7\), the corpus' images \(3, 7, 11\)"):
        sampler.draw(np.zeros((3, 11, 7)), [(0, 0)], window=2, samples=4, seed=0)
    with pytest.raises(SamplerError, match=r"\(1, 7, 11\), the corpus' images"):
        sampler.population(np.zeros((1, 7, 11)))


def test_no_other_image():
    sampler = MarginalSampler(np.repeat(corpus()[:1], 3, axis=0))
    with pytest.raises(SamplerError, match="all 3 images of the corpus are the explained one"):
        sampler.draw(corpus()[0], [(0, 0)], window=2, samples=4, seed=0)


def test_bad_requests():
    sampler = MarginalSampler(corpus())
    with pytest.raises(WindowError, match="reaches over the border"):
        sampler.draw(stranger(), [(6, 0)], window=2, samples=4, seed=0)
    with pytest.raises(SettingsError, match="S = 0"):
        sampler.draw(stranger(), [(0, 0)], window=2, samples=0, seed=0)
    with pytest.raises(SettingsError, match="seed -1"):
        sampler.draw(stranger(), [(0, 0)], window=2, samples=20, seed=-1)
