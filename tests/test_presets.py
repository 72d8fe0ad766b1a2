"""Settings side by side: the authors' own run step by step, and each setting where it takes effect."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from helpers.engines import tiny_net
from helpers.oracle_nets import LinearNet, MapNet, NormalSampler, photo
from helpers.places import DATA
from hypothesis import given, settings
from hypothesis import strategies as st

from predicdiff import windows
from predicdiff.algorithm import explain
from predicdiff.errors import SettingsError
from predicdiff.explanation import Explanation, Target
from predicdiff.images import View
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.nets.preprocessing import Preprocessing
from predicdiff.presets import LIKES, OURS, QUALITIES, Like, counted_twice, differences, rounded, window_value
from predicdiff.samplers import GaussianSampler, MarginalSampler, gaussian

AUTHORS = LIKES["authors"]


def recorded(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / name) as file:
        return {name: file[name] for name in file.files}


def their_numbers() -> Any:
    """The normal numbers of the authors' run: NumPy's legacy stream from seed 0, window by window and colour by colour.

    A colour's are 16 values by 6 samples, of which the values run slowest.
    """
    stream = np.random.RandomState(0)
    numbers = stream.normal(size=(21, 21, 3, 16, 6)).transpose(0, 1, 4, 2, 3)
    return lambda seed, origins, shape, **_: numbers[tuple(origins.T)].reshape(len(origins), *shape)


def authors_sampler(kind: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    if kind == "marginal":
        return MarginalSampler(recorded("tiny_caffe.npz")["images"][1:], choice="first")
    run = recorded("authors_conditional.npz")
    monkeypatch.setattr(gaussian, "normals", their_numbers())
    covariance = np.repeat(run["cov"][:1], 3, axis=0)
    return GaussianSampler(run["mean"].reshape(3, 8, 8), covariance, clip=tuple(run["minmax"]))


@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_the_authors_draws(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(f"authors_{kind}.npz")
    origins = windows.grid((24, 24), window=4)
    drawn = authors_sampler(kind, monkeypatch).draw(run["image"], origins, window=4, samples=6, seed=0)
    np.testing.assert_allclose(drawn.reshape(run["samples"].shape), run["samples"], rtol=0, atol=1e-3)
    if kind == "conditional":  # the bounds are those of the corpus, and the test would see it if they were not applied
        low, high = recorded("tiny_caffe.npz")["images"][1:].min(axis=0), run["minmax"][1]
        np.testing.assert_array_equal(low, run["minmax"][0])
        assert (drawn[0, :, 0, 0, 0] == high[0, 0, 0]).sum() == 4


@pytest.mark.parametrize("blob", ["fc", "prob"])
@pytest.mark.parametrize("kind", ["marginal", "conditional"])
def test_the_authors_own_run_with_all_its_ways(kind: str, blob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their maps from their corpus, Gaussian and normal numbers; float16 and the window counted twice included."""
    net = tiny_net()
    run = recorded(f"authors_{kind}.npz")
    asked = {**AUTHORS.explaining, "window": 4, "samples": 6}
    sampler = authors_sampler(kind, monkeypatch)
    plain = explain(net, run["image"], sampler, blob=blob, units=range(5), **asked)
    finished = AUTHORS.finish(plain)
    wanted = run[f"rel:{blob}"].astype(np.float64).transpose(2, 0, 1)
    np.testing.assert_allclose(finished.relevance, wanted, rtol=0, atol=1e-3)
    assert (finished.relevance == wanted).mean() > 0.9, "all but those that float32 leaves at the edge of a rounding"
    assert np.abs(plain.relevance - wanted).max() > 1e-2
    assert "row 20, column 0 was counted twice" in finished.notes[-2]
    assert "float16" in finished.notes[-1]


def some(height: int, width: int, window: int, stride: int, seed: int = 0) -> tuple[Explanation, np.ndarray]:
    """An explanation of random values, and the values (n, 2)."""
    origins = windows.grid((height, width), window=window, stride=stride)
    rng = np.random.default_rng(seed)
    values, variances = rng.normal(size=(len(origins), 2)), rng.uniform(size=(len(origins), 2))
    where: dict[str, Any] = {"window": window, "shape": (height, width)}
    return Explanation(
        windows.spread(values, origins, **where), windows.spread_error(variances, origins, **where),
        [Target("fc", [0], "a"), Target("fc", [1], "b")], np.zeros(2), np.zeros((3, height, width), np.float32),
        "activation", {"window": window, "stride": stride, "samples": 4},
    ), np.stack([values, variances])  # fmt: skip


@given(st.tuples(st.integers(1, 5), st.integers(1, 5)), st.data())
@settings(max_examples=50)
def test_a_window_counted_twice_by_loops(window: tuple[int, int], data: st.DataObject) -> None:
    height, width = (data.draw(st.integers(side, side + 8)) for side in window)
    stride = data.draw(st.integers(1, min(window)))
    explanation, (values, variances) = some(height, width, window, stride)
    origins = windows.grid((height, width), window=window, stride=stride)
    index = data.draw(st.integers(0, len(origins) - 1))
    before = explanation.relevance.copy()
    twice, origin = counted_twice(explanation, index)
    assert origin == tuple(origins[index])
    for row, column in np.ndindex(height, width):
        over = [i for i, (r, c) in enumerate(origins) if r <= row < r + window[0] and c <= column < c + window[1]]
        times = [1 + (i == index) for i in over]
        mean = sum(n * values[i] for n, i in zip(times, over)) / sum(times)
        error = np.sqrt(sum(n**2 * variances[i] for n, i in zip(times, over))) / sum(times)
        np.testing.assert_allclose(twice.relevance[:, row, column], mean, rtol=0, atol=1e-9)
        np.testing.assert_allclose(twice.stderr[:, row, column], error, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(explanation.relevance, before)


def test_a_windows_value_is_read_off_the_sums() -> None:
    _explanation, (values, _) = some(9, 13, 3, 2)
    origins = windows.grid((9, 13), window=3, stride=2)
    sums = windows.cover(values, origins, window=3, shape=(9, 13))
    read_off = [window_value(sums, (int(row), int(column)), (3, 3)) for row, column in origins]
    np.testing.assert_allclose(read_off, values, atol=1e-12)


def test_which_window_is_counted_twice() -> None:
    """As a program with one slot too many would take it: windows in batches, the last batch one slot too long."""
    explanation, _ = some(9, 13, 3, 1)
    origins = windows.grid((9, 13), window=3)
    for at_once in (1, 7, 8, 11, 76, 77):
        slots, filled = np.zeros(at_once, int), 0
        for index in range(len(origins)):
            slots[filled] = index
            filled = (filled + 1) % at_once
        finished = Like("a", batch=4 * at_once + 3).finish(explanation)
        wanted = counted_twice(explanation, int(slots[filled]))[0]
        np.testing.assert_array_equal(finished.relevance, wanted.relevance)
    for batch in (3, 4 * 78):  # no sample or no window fills a batch: theirs then has none that stands there
        np.testing.assert_array_equal(Like("a", batch=batch).finish(explanation).relevance, explanation.relevance)


def test_rounding_through_float16() -> None:
    explanation, _ = some(6, 6, 3, 1)
    values = np.full(explanation.relevance.shape, 1.0)
    values[0, 0, 0], values[0, 0, 1], values[0, 0, 2] = 1 + 2**-12, 1 + 2**-10, np.nan
    relevance = rounded(replace(explanation, relevance=values)).relevance
    assert relevance.dtype == np.float64
    np.testing.assert_array_equal(relevance[0, 0, :4], [1, 1 + 2**-10, np.nan, 1])


def test_the_papers_results_and_ours_are_left_as_they_are() -> None:
    explanation, _ = some(6, 6, 3, 1)
    for like in (LIKES["paper"], OURS):
        finished = like.finish(explanation)
        np.testing.assert_array_equal(finished.relevance, explanation.relevance)
        assert (finished.notes, finished.settings["like"]) == ([], like.name)


def test_ours_are_the_defaults_of_the_library() -> None:
    net, image = MapNet((3, 20, 20)), photo((3, 20, 20))
    result = explain(net, image, NormalSampler(), **OURS.explaining)
    wanted = explain(net, image, NormalSampler())
    assert result.settings == wanted.settings
    images = np.stack([photo((3, 20, 20), seed) for seed in range(3)])
    sampler = replace(OURS, patches=100).sampler("conditional", images, image)
    assert isinstance(sampler, GaussianSampler)
    assert sampler.provenance == GaussianSampler.fit(images[1:], 14, patches=100).provenance
    assert OURS.sensing == {"start_from": "one"}
    assert (OURS.samples, OURS.stride) == (QUALITIES["paper"].samples, QUALITIES["paper"].stride)


def test_the_papers_settings() -> None:
    like = LIKES["paper"]
    assert like.explaining == {
        "window": 10, "samples": 20, "stride": 1, "training_instances": None, "between": "none",
    }  # fmt: skip
    assert (like.window + like.margin, like.clip, like.channels, like.patches) == (14, None, "joint", 25_000)


def test_the_authors_preprocessing() -> None:
    """A centre crop of the image as it is, less the bottom right of the mean image."""
    mean = np.random.default_rng(0).uniform(90, 130, (3, 16, 17))
    known = Preprocessing(View("warp", 16), "bgr", mean)
    preprocessing = AUTHORS.preprocessing(known)
    assert preprocessing is not None
    image = np.random.default_rng(1).integers(0, 256, (20, 31, 3)).astype(np.uint8)
    pixels = preprocessing.pixels(image, (3, 10, 14))
    np.testing.assert_array_equal(pixels, image[5:15, 8:22].transpose(2, 0, 1))
    wanted = pixels[::-1] - mean[:, 6:16, 3:17].astype(np.float32)
    np.testing.assert_array_equal(preprocessing.encode(pixels, (3, 10, 14)), wanted)
    as_known = LIKES["paper"].preprocessing(known)
    assert as_known is not None
    assert as_known.provenance == known.provenance
    assert AUTHORS.preprocessing(None) is None


def test_the_authors_gaussian_takes_the_first_colour_of_the_nets_input() -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (6, 3, 12, 12)) * np.array([1.0, 0.5, 0.25])[:, None, None]
    like = replace(AUTHORS, patches=300, window=2, margin=2)
    kept = np.concatenate([images[3:4], images[:3], images[4:]])
    apart = GaussianSampler.fit(kept, 4, patches=300, channels="independent", clip=None)
    for order, first in (("rgb", 0), ("bgr", 2)):
        sampler = like.sampler("conditional", images, images[3], order=order)
        assert isinstance(sampler, GaussianSampler)
        np.testing.assert_array_equal(sampler.mean, apart.mean)
        np.testing.assert_array_equal(sampler.covariance, [apart.covariance[first]] * 3)
        bounds = np.stack([images.min(axis=0), images.max(axis=0)]).astype(np.float32)
        np.testing.assert_array_equal(np.stack(list(sampler.clip or ())), bounds)
        assert (sampler.provenance["channels"], sampler.provenance["first"]) == ("authors", first)


def test_the_explained_image_in_the_authors_corpus_and_not_in_the_papers() -> None:
    images = np.stack([photo((3, 5, 6), seed) for seed in range(4)])
    names = ["a", "b", "c", "d"]
    for pixels in (images[2], photo((3, 5, 6), 9)):
        others = [image for image in images if not np.array_equal(image, pixels)]
        theirs, told = AUTHORS.corpus(images, pixels, names)
        np.testing.assert_array_equal(theirs, [pixels, *others])
        assert told is not None
        assert told[0] == "the explained image"
        assert len(told) == len(theirs)
        ours, told = LIKES["paper"].corpus(images, pixels, names)
        np.testing.assert_array_equal(ours, others)
        assert told == [name for name, image in zip(names, images) if not np.array_equal(image, pixels)]
    sampler = AUTHORS.sampler("marginal", images, images[2])
    drawn = sampler.draw(images[2], np.array([(1, 3)]), window=2, samples=2, seed=0)
    np.testing.assert_array_equal(drawn[0], [images[2, :, 1:3, 3:5], images[0, :, 1:3, 3:5]])
    with pytest.raises(SettingsError, match="sampler 'both' is unknown: want conditional, marginal or grey"):
        AUTHORS.sampler("both", images, images[2])


def test_always_the_first_images_leave_nothing_to_chance() -> None:
    """The same for every seed: a standard error of 0, and a note that says what it does not cover."""
    images = np.stack([photo((2, 6, 7), seed) for seed in range(5)])
    net = LinearNet(np.random.default_rng(0).normal(size=(2, 2, 6, 7)))
    sampler = MarginalSampler(images, choice="first")
    results = [
        explain(net, images[1], sampler, window=3, samples=3, blob="scores", units=[0], seed=seed) for seed in (0, 1)
    ]
    np.testing.assert_array_equal(results[0].relevance, results[1].relevance)
    assert not results[0].stderr.any()
    assert len(results[0].notes) == 1
    assert "first images of the corpus" in results[0].notes[0]


def test_the_authors_sensitivity_map_is_the_gradient_times_the_activation() -> None:
    net = tiny_net()
    run = recorded("tiny_caffe.npz")
    for image, gradient, activations in zip(run["images"], run["grad_fc2"], run["blob:fc"]):
        relevance = sensitivity(net, image, blob="fc", unit=2, **AUTHORS.sensing)
        wanted = np.abs(gradient * activations[2]).max(axis=0)
        np.testing.assert_allclose(relevance, wanted, atol=1e-5 * wanted.max())


def test_the_table_has_a_row_for_every_setting_and_tells_them_apart() -> None:
    lines = differences().splitlines()
    assert lines[0] == "| | paper | authors' later code | ours |"
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert all(len(row) == 4 and all(row) for row in rows)
    # the name has none, k and l share one
    assert len(rows) == len(fields(Like)) - 2
    told = {row[0]: row[1:] for row in rows}
    assert told["N of Laplace's correction"][1] == "100,000"
    assert told["samples S"] == ["20", "10", " / ".join(str(q.samples) for q in QUALITIES.values()) + " (by quality)"]
    same = {name for name, (_, theirs, _) in told.items() if theirs == told[name][0]}
    assert same == {"window k, context l", "stride", "between windows that lie apart"}


def test_presets_end_with_the_papers_setting() -> None:
    assert (QUALITIES["paper"].stride, QUALITIES["paper"].samples) == (1, 20)
    work = [preset.samples / preset.stride**2 for preset in QUALITIES.values()]
    assert work == sorted(work)
