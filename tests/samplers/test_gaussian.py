from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.rounding import float32_atol

from predicdiff.errors import InputWarning, SamplerError, SettingsError, WindowError
from predicdiff.samplers import GaussianSampler
from predicdiff.samplers.streams import generator


def pair(sides):
    return (sides, sides) if isinstance(sides, int) else sides


def random_sampler(channels=2, context=5, *, blocks=1, seed=0, clip=None):
    """A Gaussian without any symmetry between rows, columns and channels."""
    rng = np.random.default_rng(seed)
    rows, columns = pair(context)
    size = channels * rows * columns // blocks
    root = rng.normal(size=(blocks, size, 2 * size))
    mean = rng.normal(size=(channels, rows, columns))
    return GaussianSampler(mean, root @ root.transpose(0, 2, 1) / size, clip=clip)


def random_pixels(channels=2, height=7, width=10, seed=1):
    return np.random.default_rng(seed).normal(size=(channels, height, width)).astype(np.float32)


def everywhere(window, height=7, width=10):
    rows, columns = pair(window)
    return np.array([(r, c) for r in range(height - rows + 1) for c in range(width - columns + 1)])


def formula(sampler, pixels, origin, window):
    """Conditional mean and covariance by the precision matrix, each value placed by explicit loops."""
    channels, height, width = pixels.shape
    (rows, columns), (high, wide) = sampler.mean.shape[1:], pair(window)
    top = min(max(origin[0] - (rows - high) // 2, 0), height - rows)
    left = min(max(origin[1] - (columns - wide) // 2, 0), width - columns)
    inside, outside, away = [], [], []
    for channel in range(channels):
        for row in range(rows):
            for column in range(columns):
                index = (channel * rows + row) * columns + column
                at = (top + row - origin[0], left + column - origin[1])
                if 0 <= at[0] < high and 0 <= at[1] < wide:
                    inside.append(index)
                else:
                    outside.append(index)
                    away.append(float(pixels[channel, top + row, left + column]) - sampler.mean[channel, row, column])
    whole = np.zeros((channels * rows * columns,) * 2)
    for block, values in enumerate(sampler.covariance):
        own = slice(block * len(values), (block + 1) * len(values))
        whole[own, own] = values
    precision = np.linalg.inv(whole)
    covariance = np.linalg.inv(precision[np.ix_(inside, inside)])
    mean = sampler.mean.ravel()[inside] - covariance @ precision[np.ix_(inside, outside)] @ np.array(away)
    return mean.reshape(channels, high, wide), covariance


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize(
    ("window", "context"), [(3, 5), (2, 5), (1, 4), (4, 5), (3, 3), (1, 1), ((2, 4), 5), ((3, 1), (4, 6)), (2, (2, 5))]
)
def test_moments_equal_the_formula_at_every_place(window, context, blocks):
    sampler, pixels = random_sampler(context=context, blocks=blocks), random_pixels()
    for origin in everywhere(window):
        mean, covariance = sampler.moments(pixels, origin, window=window)
        wanted_mean, wanted_covariance = formula(sampler, pixels, origin, window)
        np.testing.assert_allclose(mean, wanted_mean, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(covariance, wanted_covariance, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("blocks", "window"), [(1, 3), (2, 3), (1, (2, 4))])
def test_moments_of_the_draws_equal_the_formula(blocks, window):
    sampler, pixels, samples = random_sampler(blocks=blocks), random_pixels(), 20_000
    origins = np.array([(0, 0), (2, 3), (4, 6), (0, 5), (3, 0)])
    patches = sampler.draw(pixels, origins, window=window, samples=samples, seed=3)
    assert patches.shape == (len(origins), samples, 2, *pair(window))
    for origin, drawn in zip(origins, patches.reshape(len(origins), samples, -1)):
        mean, covariance = formula(sampler, pixels, origin, window)
        spread = np.sqrt(np.diag(covariance))
        assert np.abs((drawn.mean(axis=0) - mean.ravel()) / spread).max() < 4.5 / np.sqrt(samples)
        error = np.cov(drawn.T) - covariance
        assert np.abs(error / np.outer(spread, spread)).max() < 7 / np.sqrt(samples)


def test_a_window_of_equal_sides_is_drawn_as_a_square_to_the_bit():
    images, origins = np.random.default_rng(0).uniform(0, 255, (4, 2, 9, 12)), everywhere(3, 9, 12)
    square, sides = (GaussianSampler.fit(images, context, patches=900) for context in (5, (5, 5)))
    assert square.provenance == sides.provenance
    how = {"samples": 2, "seed": 1}
    drawn = [one.draw(images[0], origins, window=k, **how) for one, k in ((square, 3), (sides, (3, 3)))]
    np.testing.assert_array_equal(*drawn)


def test_a_context_that_is_no_square_is_fitted_bounded_and_saved(tmp_path):
    images, origins = np.random.default_rng(0).uniform(0, 255, (4, 2, 9, 12)), everywhere((2, 5), 9, 12)
    sampler = GaussianSampler.fit(images, (4, 7), patches=900, clip="corpus")
    assert (sampler.context, sampler.provenance["context"]) == ((4, 7), [4, 7])
    ramp = np.add.outer(10.0 * np.arange(9), np.arange(12))[None, None]  # rises by 10 a row, and by 1 a column
    mean = GaussianSampler.fit(ramp, (4, 7), patches=50).mean[0]
    np.testing.assert_allclose(mean - mean[0, 0], ramp[0, 0, :4, :7], atol=1e-3)
    sampler.save(tmp_path / "s.h5")
    loaded = GaussianSampler.load(tmp_path / "s.h5")
    assert loaded.provenance == sampler.provenance
    how = {"window": (2, 5), "samples": 3, "seed": 0}
    drawn = loaded.draw(images[0], origins, **how)
    for patches, (row, column) in zip(drawn, origins):
        here = images[:, :, row : row + 2, column : column + 5].astype(np.float32)
        assert (patches >= here.min(axis=0)).all()
        assert (patches <= here.max(axis=0)).all()
    np.testing.assert_allclose(drawn, sampler.noise(images[0], origins, **how).patches(), rtol=1e-4, atol=1e-2)
    with pytest.raises(SamplerError, match="none of the 4 images is as large as the context, 10 x 7"):
        GaussianSampler.fit(images, (10, 7))


def test_windows_are_drawn_independently_of_each_other():
    sampler, pixels = random_sampler(), random_pixels()
    patches = sampler.draw(pixels, everywhere(2), window=2, samples=4000, seed=0)
    values = patches[:, :, 1, 0, 1]
    correlation = np.corrcoef(values) - np.eye(len(values))
    assert np.abs(correlation).max() < 5 / np.sqrt(4000)


@pytest.mark.parametrize("clip", [None, (-1.0, 0.5)])
@pytest.mark.parametrize("blocks", [1, 2])
def test_noise_gives_the_same_patches_to_the_rounding_of_its_numbers(blocks, clip):
    # bounds as arrays, so that pixels may lie outside of them
    bounds = None if clip is None else tuple(np.full((2, 7, 10), bound) for bound in clip)
    sampler, pixels, origins = random_sampler(blocks=blocks, clip=bounds), random_pixels(), everywhere(3)
    request = {"window": 3, "samples": 4, "seed": 9}
    noise, wanted = sampler.noise(pixels, origins, **request), sampler.draw(pixels, origins, **request)
    assert noise.normal.dtype == np.float32
    assert (noise.shape, len(noise.factors)) == (wanted.shape, 9)
    patches = noise.patches()
    np.testing.assert_allclose(patches, wanted, rtol=0, atol=float32_atol(wanted, 18))  # a row of the factor
    if clip is not None:
        assert (patches.min(), patches.max()) == clip
    assert sampler.noise(pixels, [], **request).patches().shape == (0, 4, 2, 3, 3)
    with pytest.raises(SettingsError, match="samples S = 0"):
        sampler.noise(pixels, origins, window=3, samples=0, seed=0)


def test_draws_of_a_standard_gaussian_are_the_numbers_of_the_windows_stream():
    sampler = GaussianSampler(np.zeros((2, 3, 3)), np.eye(18), clip=None)
    patches = sampler.draw(random_pixels(), [(4, 1), (2, 6)], window=2, samples=5, seed=11)
    for patch, (row, column) in zip(patches, [(4, 1), (2, 6)]):
        numbers = generator(11, row, column).standard_normal((5, 2, 2, 2))
        np.testing.assert_allclose(patch, numbers, rtol=1e-6)


def test_draws_depend_on_each_value_around_the_window_and_on_nothing_further_away():
    sampler, pixels = random_sampler(channels=1, context=5), random_pixels(1, 9, 12)
    window, origin, top, left = 2, (3, 6), 2, 5  # (5 - 2) is odd: the odd pixel lies below and to the right
    request = {"origins": [origin], "window": window, "samples": 1, "seed": 0}
    before = sampler.draw(pixels, **request)
    for row in range(9):
        for column in range(12):
            changed = pixels.copy()
            changed[0, row, column] += 50.0
            within = top <= row < top + 5 and left <= column < left + 5
            own = origin[0] <= row < origin[0] + 2 and origin[1] <= column < origin[1] + 2
            assert (sampler.draw(changed, **request) != before).any() == (within and not own)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize(("window", "context"), [(4, 8), (3, 6), (4, 5)])
def test_coloured_stripes_are_continued_exactly_at_every_place(window, context, across):
    def striped(count, height, width, rng):
        colours = rng.uniform(0, 255, (count, 3, height if across else width))
        return np.repeat(colours[..., None], width, 3) if across else np.repeat(colours[..., None, :], height, 2)

    rng = np.random.default_rng(0)
    sampler = GaussianSampler.fit(striped(40, 14, 17, rng), context, patches=3000)
    image = striped(1, 11, 15, rng)[0].astype(np.float32)
    for row, column in everywhere(window, 11, 15):
        hidden = image.copy()
        hidden[:, row : row + window, column : column + window] = 0.0
        drawn = sampler.draw(hidden, [(row, column)], window=window, samples=3, seed=0)[0]
        wanted = image[:, row : row + window, column : column + window]
        np.testing.assert_allclose(drawn, np.broadcast_to(wanted, drawn.shape), atol=0.1)


def test_a_red_corpus_gives_red_patches():
    red = np.zeros((4, 12, 12, 3), np.uint8)
    red[..., 0] = 255
    for channels in ("joint", "independent"):
        sampler = GaussianSampler.fit(list(red), 6, patches=500, channels=channels)
        drawn = sampler.draw(red[0].transpose(2, 0, 1), [(0, 0), (4, 4)], window=4, samples=5, seed=0)
        np.testing.assert_allclose(drawn[:, :, 0], 255.0, atol=1e-3)
        np.testing.assert_allclose(drawn[:, :, 1:], 0.0, atol=1e-3)


def test_joint_colours_go_together_and_independent_ones_do_not():
    noise = np.random.default_rng(0).uniform(50, 200, (5, 1, 40, 40))
    grey = np.repeat(noise, 3, axis=1)
    correlations = {}
    for channels in ("joint", "independent"):
        sampler = GaussianSampler.fit(grey, 4, patches=4000, channels=channels)
        assert sampler.channels == channels
        drawn = sampler.draw(grey[0], [(10, 10)], window=3, samples=2000, seed=0)[0]
        correlations[channels] = np.corrcoef(drawn[:, 0, 1, 1], drawn[:, 2, 1, 1])[0, 1]
    assert correlations["joint"] > 0.999
    assert abs(correlations["independent"]) < 0.1


def test_the_authors_own_draws_have_these_moments(data):
    """Their run: the first colour's covariance for all colours, each with its own mean, cut off at what was seen."""
    with np.load(data / "authors_conditional.npz") as file:
        run = {name: file[name] for name in ("image", "samples", "mean", "cov", "minmax")}
    window, origins = 4, everywhere(4, 24, 24)
    theirs = run["samples"].reshape(len(origins), -1, 3, window, window)
    sampler = GaussianSampler(run["mean"].reshape(3, 8, 8), np.repeat(run["cov"][:1], 3, axis=0), clip=None)
    low, high = (
        np.stack([bound[:, r : r + window, c : c + window] for r, c in origins])[:, None] for bound in run["minmax"]
    )
    ours = np.clip(sampler.draw(run["image"], origins, window=window, samples=200, seed=0), low, high)
    mean, variance = ours.mean(axis=1, keepdims=True), ours.var(axis=1, keepdims=True)
    inner = ((origins >= 2) & (origins <= 18)).all(axis=1)
    for region in (inner, ~inner):
        error = (theirs - mean)[region]
        assert abs(error.mean()) < 0.05 * np.sqrt(variance[region].mean())
        assert (error**2).mean() == pytest.approx(variance[region].mean(), rel=0.05)


def test_draws_are_clipped_on_request_only():
    rng = np.random.default_rng(0)
    images = rng.choice([10.0, 245.0], (3, 3, 20, 20))
    free, cut = (GaussianSampler.fit(images, 5, patches=2000, clip=clip) for clip in (None, (0, 255)))
    request = {"origins": [(4, 4), (0, 9)], "window": 3, "samples": 40, "seed": 0}
    unbound = free.draw(images[0], **request)
    assert unbound.min() < 0
    assert unbound.max() > 255
    np.testing.assert_array_equal(cut.draw(images[0], **request), np.clip(unbound, 0, 255))


def test_draws_are_clipped_to_what_the_corpus_holds_at_each_pixel():
    images = np.random.default_rng(0).uniform(0, 255, (4, 2, 9, 12)).astype(np.float32)
    free, cut = (GaussianSampler.fit(images, 5, patches=2000, clip=clip) for clip in (None, "corpus"))
    request = {"origins": everywhere(3, 9, 12), "window": 3, "samples": 6, "seed": 0}
    unbound, draws = free.draw(images[0], **request), cut.draw(images[0], **request)
    assert (draws != unbound).any()
    for number, (row, column) in enumerate(request["origins"]):
        for channel, down, right in np.ndindex(2, 3, 3):
            seen = images[:, channel, row + down, column + right]
            wanted = [min(max(value, seen.min()), seen.max()) for value in unbound[number, :, channel, down, right]]
            np.testing.assert_array_equal(draws[number, :, channel, down, right], wanted)


def test_bounds_of_each_pixel_are_no_range_that_pixels_must_keep():
    images = np.random.default_rng(0).uniform(100, 120, (4, 3, 9, 9))
    sampler = GaussianSampler.fit(images, 4, patches=400, clip="corpus")
    drawn = sampler.draw(np.full((3, 9, 9), 250.0), [(0, 0)], window=2, samples=2, seed=0)
    assert 100 <= drawn.min() <= drawn.max() <= 120
    with pytest.raises(SamplerError, match=r"shape \(3, 9, 8\), the sampler's bounds \(3, 9, 9\)"):
        sampler.draw(images[0, :, :, :8], [(0, 0)], window=2, samples=2, seed=0)


def test_bounds_of_each_pixel_are_kept_apart_and_recorded():
    images = [np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8) for seed in range(3)]
    sampler = GaussianSampler.fit(images, 4, patches=400, clip="corpus")
    np.testing.assert_array_equal(sampler.clip[1], np.max(images, axis=0).transpose(2, 0, 1))
    assert sampler.provenance["clip"].startswith("per pixel, sha1:")
    assert "per pixel" in repr(sampler)
    low, high = np.zeros((1, 4, 4), np.float32), np.ones((1, 4, 4), np.float32)
    other = GaussianSampler(np.zeros((1, 2, 2)), np.eye(4), clip=(low, high))
    high[:] = -1
    assert other.clip[1].min() == 1
    assert other.provenance["clip"] != sampler.provenance["clip"]


@pytest.mark.parametrize(
    ("clip", "kind", "message"),
    [
        ("pixels", SettingsError, "clip = 'pixels': want two numbers or arrays, or None; a fit takes 'corpus'"),
        (
            (np.zeros((1, 4, 4)), np.ones((1, 4, 5))),
            SamplerError,
            r"and \(1, 4, 5\): want \(1, height",
        ),
        ((np.zeros((2, 4, 4)), np.ones((2, 4, 4))), SamplerError, r"want \(1, height, width\) for both"),
        ((np.zeros((1, 4, 4)), 255.0), SamplerError, r"shapes \(1, 4, 4\) and \(\)"),
        ((np.zeros((1, 4, 4)), np.full((1, 4, 4), np.nan)), SamplerError, "not finite"),
        ((np.ones((1, 4, 4)), np.zeros((1, 4, 4))), SettingsError, "its lower bound lies above the upper one"),
    ],
)
def test_bad_bounds(clip, kind, message):
    with pytest.raises(kind, match=message):
        GaussianSampler(np.zeros((1, 2, 2)), np.eye(4), clip=clip)


def test_a_corpus_of_many_sizes_has_no_range_at_each_pixel():
    with pytest.raises(SamplerError, match=r"clip='corpus' was asked of \(1, 8, 9\) and \(1, 9, 9\)"):
        GaussianSampler.fit([np.ones((1, 9, 9)), np.ones((1, 8, 9))], 4, patches=10, clip="corpus")


def test_one_colours_covariance_for_all_each_around_its_own_mean():
    images = np.random.default_rng(0).uniform(0, 255, (4, 3, 12, 12)) * np.array([1.0, 0.5, 0.25])[:, None, None]
    apart = GaussianSampler.fit(images, 3, patches=500, channels="independent")
    for first in range(3):
        sampler = GaussianSampler.fit(images, 3, patches=500, channels="authors", first=first)
        np.testing.assert_array_equal(sampler.mean, apart.mean)
        np.testing.assert_array_equal(sampler.covariance, [apart.covariance[first]] * 3)
        assert sampler.channels == sampler.provenance["channels"] == "authors"
        assert sampler.provenance["first"] == first
    for first, message in (
        (3, "is out of range: want a colour, 0 to 2"),
        (-1, "is out of range"),
        (0.5, "want a whole"),
    ):
        with pytest.raises(SettingsError, match=f"first = {first}.*{message}"):
            GaussianSampler.fit(images, 3, patches=500, channels="authors", first=first)


def test_full_rank_is_not_touched():
    sampler = GaussianSampler.fit(np.random.default_rng(0).uniform(0, 255, (5, 1, 30, 30)), 4, patches=2000)
    assert (sampler.jitter, sampler.notes) == (0.0, [])


def test_jitter_is_reported():
    images = np.random.default_rng(0).uniform(0, 255, (5, 1, 30, 30))
    sampler = GaussianSampler.fit(images, 8, patches=20)
    assert 0 < sampler.jitter < 1e-6
    assert sampler.provenance["jitter"] == sampler.jitter
    assert "not of full rank" in sampler.notes[0]
    assert f"{sampler.jitter:.2g}" in sampler.notes[0]
    assert "jitter=" in repr(sampler)
    drawn = sampler.draw(images[0], everywhere(4, 30, 30)[::50], window=4, samples=3, seed=0)
    assert np.isfinite(drawn).all()


def test_a_jitter_of_ones_own_is_used():
    mean, covariance = np.zeros((1, 2, 2)), np.zeros((4, 4))
    sampler = GaussianSampler(mean, covariance, clip=None, jitter=4.0)
    np.testing.assert_allclose(sampler.moments(np.zeros((1, 2, 2)), (0, 0), window=1)[1], [[4.0]])


def test_skipped_images_are_reported():
    sampler = GaussianSampler.fit([np.full((1, 3, 3), 90), np.full((1, 9, 9), 90)], 4, patches=10)
    assert any("1 image(s) smaller than the sampler's context, 4" in note for note in sampler.notes)
    assert (sampler.provenance["images"], sampler.provenance["skipped"]) == (1, 1)


def test_provenance():
    images = np.random.default_rng(0).uniform(0, 255, (2, 3, 10, 10))
    sampler = GaussianSampler.fit(images, 4, patches=300, seed=7, names=["a", "b"], clip=None)
    record = json.loads(json.dumps(sampler.provenance))
    assert record.pop("fingerprint") == GaussianSampler.fit(images, 4, patches=300, seed=7).provenance["fingerprint"]
    assert record == {
        "kind": "gaussian", "context": 4, "channels": "joint", "clip": None, "jitter": 0.0, "images": 2, "skipped": 0,
        "names": ["a", "b"], "patches": 300, "seed": 7,
    }  # fmt: skip
    other = GaussianSampler.fit(images, 4, patches=300, seed=8)
    assert other.provenance["fingerprint"] != sampler.provenance["fingerprint"]


def test_input_is_kept_apart():
    mean, covariance, pixels = np.zeros((1, 2, 2)), np.eye(4), np.ones((1, 4, 4), np.float32)
    sampler = GaussianSampler(mean, covariance, clip=None)
    before = sampler.draw(pixels, [(0, 0)], window=1, samples=2, seed=0)
    mean += 1
    covariance *= 9
    np.testing.assert_array_equal(sampler.draw(pixels, [(0, 0)], window=1, samples=2, seed=0), before)
    assert (pixels == 1).all()
    assert (before.dtype, before.shape) == (np.float32, (1, 2, 1, 1, 1))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"window": 6}, WindowError, "context l = 5 is smaller than window k = 6"),
        ({"window": 8}, WindowError, "8 x 8 window at row 0, column 0 reaches over the border"),
        ({"pixels": random_pixels(2, 4, 10)}, WindowError, "context l = 5 does not fit: want l <= 4"),
        ({"pixels": random_pixels(3)}, SamplerError, r"\(3, 7, 10\), the sampler was fitted on 2 channels"),
        ({"samples": 0}, SettingsError, "S = 0"),
    ],
)
def test_bad_requests(change, kind, message):
    request = {"pixels": random_pixels(), "origins": [(0, 0)], "window": 3, "samples": 2, "seed": 0, **change}
    with pytest.raises(kind, match=message):
        random_sampler().draw(request.pop("pixels"), request.pop("origins"), **request)


def test_a_nets_input_is_not_taken_for_pixels():
    images = np.random.default_rng(0).uniform(0, 255, (2, 3, 10, 10))
    with pytest.raises(SamplerError, match=r"the images' values go from -1.*clip=None"):
        GaussianSampler.fit(images - 120, 4, patches=100)
    with pytest.raises(SamplerError, match=r"the images' values go from -1\.9987 to 2\.2479, .*clip=None"):
        GaussianSampler.fit(images / 60 - 2, 4, patches=100)  # inside of 0..255 but for its own range
    with pytest.warns(InputWarning, match=r"the images' values go from .* to 1, but draws are clipped to 0\.\.255"):
        GaussianSampler.fit(images / images.max(), 4, patches=100)
    sampler = GaussianSampler.fit(images, 4, patches=100)
    with pytest.raises(SamplerError, match=r"the pixels' values go from .* clipped to 0\.\.255"):
        sampler.draw(images[0] - 120, [(0, 0)], window=2, samples=2, seed=0)


@pytest.mark.parametrize(
    ("mean", "covariance", "change", "kind", "message"),
    [
        (
            np.zeros((1, 2, 3)),
            np.eye(5),
            {},
            SamplerError,
            r"mean has the shape \(1, 2, 3\), the covariance \(1, 5, 5\)",
        ),
        (np.zeros((3, 2, 2)), np.eye(4), {}, SamplerError, "want .C, l, l. with"),
        (
            np.zeros((1, 2, 2)),
            np.eye(4) * np.nan,
            {},
            SamplerError,
            "covariance's values hold values that are not finite",
        ),
        (np.zeros((1, 2, 2)), np.arange(16.0).reshape(4, 4), {}, SamplerError, "not symmetric"),
        (np.zeros((1, 2, 2)), -np.eye(4), {}, SamplerError, "eigenvalue -1"),
        (np.zeros((1, 2, 2)), np.eye(4), {"clip": (255, 0)}, SettingsError, "want low < high"),
        (np.zeros((1, 2, 2)), np.eye(4), {"clip": 255}, SettingsError, "want two numbers"),
        (np.zeros((1, 2, 2)), np.eye(4), {"jitter": -1.0}, SettingsError, "jitter = -1"),
    ],
)
def test_bad_gaussians(mean, covariance, change, kind, message):
    with pytest.raises(kind, match=message):
        GaussianSampler(mean, covariance, **change)
