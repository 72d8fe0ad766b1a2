from __future__ import annotations

import numpy as np
import pytest

from predicdiff.errors import SamplerError, SettingsError, WindowError
from predicdiff.samplers import fitting
from predicdiff.samplers.fitting import as_pixels, estimate


def whole_images(count=7, side=4, channels=3):
    """Images as large as the context: each can be cut in one place only, so that the patches are known."""
    return np.random.default_rng(0).integers(0, 2041, (count, channels, side, side)) / 8


def fit(images, context=4, **settings):
    return estimate(images, context, **{"patches": 70, "seed": 0, "channels": "joint", **settings})


@pytest.mark.parametrize("patches", [70, 73, 2500])
def test_mean_and_covariance_are_numpys(patches):
    images = whole_images()
    fitted = fit(images, patches=patches)
    times = [patches // 7 + (i < patches % 7) for i in range(7)]
    values = np.repeat(images.reshape(7, -1), times, axis=0)
    np.testing.assert_allclose(fitted.mean.ravel(), values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.covariance[0], np.cov(values.T), rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(fitted.covariance, fitted.covariance.transpose(0, 2, 1))
    assert (fitted.low, fitted.high) == (images.min(), images.max())


def test_independent_channels_have_a_covariance_each():
    images = whole_images()
    joint, apart = fit(images), fit(images, channels="independent")
    np.testing.assert_array_equal(apart.mean, joint.mean)
    assert apart.covariance.shape == (3, 16, 16)
    for channel in range(3):
        own = slice(16 * channel, 16 * channel + 16)
        np.testing.assert_allclose(apart.covariance[channel], joint.covariance[0][own, own], rtol=1e-9, atol=1e-9)


def test_blocks_of_patches_do_not_matter(monkeypatch):
    images = np.random.default_rng(1).uniform(0, 255, (3, 2, 9, 12))
    whole = fit(images, patches=500)
    monkeypatch.setattr(fitting, "BLOCK", 7)
    pieces = fit(images, patches=500)
    np.testing.assert_array_equal(pieces.mean, whole.mean)
    np.testing.assert_array_equal(pieces.covariance, whole.covariance)


@pytest.mark.parametrize("channels", ["joint", "independent"])
def test_sums_are_exact_so_that_their_order_does_not_matter(channels):
    images = np.random.default_rng(1).uniform(0, 255, (7, 3, 4, 4))
    forward, backward = fit(images, patches=2100, channels=channels), fit(images[::-1], patches=2100, channels=channels)
    np.testing.assert_array_equal(forward.mean, backward.mean)
    np.testing.assert_array_equal(forward.covariance, backward.covariance)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e6])
@pytest.mark.parametrize("shift", [0.0, 10.0, -1e3])
def test_any_range_of_values_is_counted_finely(scale, shift):
    images = (np.random.default_rng(1).uniform(-1, 1, (40, 1, 4, 4)) + shift) * scale
    fitted, values = fit(images, patches=25_000), np.repeat(images.reshape(40, -1), 625, axis=0)
    np.testing.assert_allclose(fitted.mean.ravel(), values.mean(axis=0), rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(fitted.covariance[0], np.cov(values.T), rtol=0, atol=1e-5 * scale**2)


def test_constant_images_have_no_variance():
    images = np.repeat([[0.1], [255.0], [7.0]], 64, axis=1).reshape(1, 3, 8, 8)
    fitted = fit(images, patches=2500)
    np.testing.assert_allclose(fitted.mean[:, 0, 0], [0.1, 255, 7], atol=1e-3)
    np.testing.assert_array_equal(fitted.covariance, 0.0)
    np.testing.assert_array_equal(fit(images[:, :1]).mean, 0.1)


def test_patches_come_from_everywhere_in_an_image():
    height, width, context = 6, 9, 4
    rows, columns = np.mgrid[:height, :width]
    fitted = fit(np.stack([rows, columns]).astype(float)[None], context, patches=20_000)
    top, left = fitted.mean[:, 0, 0]
    last = np.array([height - context, width - context])
    error = np.sqrt(((last + 1) ** 2 - 1) / 12 / 20_000)
    assert np.abs(([top, left] - last / 2) / error).max() < 4
    np.testing.assert_allclose(fitted.mean[0], top + np.mgrid[:context, :context][0])
    np.testing.assert_allclose(fitted.mean[1], left + np.mgrid[:context, :context][1])
    assert (fitted.low, fitted.high) == (0, width - 1)
    np.testing.assert_allclose(
        [fitted.covariance[0][0, 0], fitted.covariance[0][16, 16]], ((last + 1) ** 2 - 1) / 12, rtol=0.05
    )


def test_images_have_equal_shares_whatever_their_size():
    images = [np.zeros((1, 5, 5)), np.full((1, 40, 90), 100.0)]
    np.testing.assert_allclose(fit(images, patches=1000).mean, 50.0)


def test_seeds_and_repetition():
    images = np.random.default_rng(1).uniform(0, 255, (3, 2, 9, 12))
    np.testing.assert_array_equal(fit(images, seed=4).covariance, fit(images, seed=4).covariance)
    assert (fit(images, seed=5).covariance != fit(images, seed=4).covariance).any()


def test_rgb_images_and_pixels_come_to_the_same():
    images = np.random.default_rng(0).integers(0, 256, (3, 9, 12, 3)).astype(np.uint8)
    rgb, pixels = fit(list(images)), fit(images.transpose(0, 3, 1, 2).astype(np.float32))
    np.testing.assert_array_equal(rgb.mean, pixels.mean)
    np.testing.assert_array_equal(rgb.covariance, pixels.covariance)


@pytest.mark.parametrize(
    ("shape", "kind", "channels"),
    [
        ((8, 9, 3), np.uint8, 3),
        ((8, 9, 3), np.float32, 3),
        ((3, 8, 9), np.uint8, 3),
        ((1, 8, 9), np.float32, 1),
        ((3, 9, 3), np.uint8, 3),
        ((3, 9, 3), np.float32, 3),
        ((4, 8, 9), np.float64, 4),
    ],
)
def test_what_is_an_rgb_image(shape, kind, channels):
    assert as_pixels(np.zeros(shape, kind)).shape[0] == channels


def test_three_by_n_by_three():
    image = np.arange(27).reshape(3, 3, 3)
    assert as_pixels(image.astype(np.uint8))[1, 0, 0] == image[0, 0, 1]
    assert as_pixels(image.astype(np.float32))[1, 0, 0] == image[1, 0, 0]


def test_small_images_are_left_out_and_counted():
    images = [np.zeros((1, 3, 30)), np.full((1, 5, 5), 9.0), np.zeros((1, 30, 3))]
    fitted = fit(images)
    assert (fitted.images, fitted.skipped) == (1, 2)
    np.testing.assert_array_equal(fitted.mean, np.full((1, 4, 4), 9.0))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "no images"),
        (
            [np.zeros((1, 3, 30)), np.zeros((1, 2, 2))],
            "none of the 2 images is as large as the context, 4 x 4.* 3 x 30",
        ),
        ([np.zeros((1, 8, 8)), np.zeros((3, 8, 8))], "1 and 3 channels"),
        ([np.zeros((8, 8))], r"shape \(8, 8\)"),
        ([np.zeros((8, 8, 3), bool)], "type bool"),
        ([np.full((1, 8, 8), np.nan)], "not finite"),
        ([np.zeros((1, 8, 8)), np.full((1, 8, 8), np.inf)], "not finite"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(SamplerError, match=message):
        fit(images)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"patches": 1}, SettingsError, "patches = 1"),
        ({"context": 0}, WindowError, "context l = 0"),
        ({"context": 2.5}, WindowError, "whole number"),
        ({"channels": "grey"}, SettingsError, "channels 'grey' is unknown: want one of joint, independent"),
        ({"seed": -1}, SettingsError, "seed -1"),
    ],
)
def test_bad_settings(change, kind, message):
    with pytest.raises(kind, match=message):
        fit(whole_images(), **change)
