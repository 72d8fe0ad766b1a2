"""Pixels to inputs: colours, mean at its place, scale."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predicdiff.errors import ImageError, InputWarning, SettingsError
from predicdiff.images import View
from predicdiff.nets.preprocessing import Preprocessing

SHAPE = (3, 10, 14)


def pixels_of(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 255, size=shape).astype(np.float32)


def mean_image(height: int, width: int, channels: int = 3, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(1).uniform(90, 130, size=(channels, height, width)).astype(dtype)


def by_loops(pixels: np.ndarray, order: list, raw: float, mean: Any, scale: Any, shape: tuple = SHAPE) -> np.ndarray:
    """The formula, a number at a time, in double precision."""
    out = np.empty(pixels.shape)
    for c, r, q in np.ndindex(*pixels.shape):
        value = float(pixels[order[c], r, q]) * raw / 255
        if mean is not None and np.ndim(mean) == 1:
            value -= float(mean[c])
        elif mean is not None:
            down, right = (mean.shape[1] - shape[1]) // 2, (mean.shape[2] - shape[2]) // 2
            value -= float(mean[c, r + down, q + right])
        out[c, r, q] = value * (scale[c] if np.ndim(scale) else scale)
    return out


# the formula


def test_by_default_pixels_are_inputs() -> None:
    pixels = pixels_of(*SHAPE)
    inputs = Preprocessing().encode(pixels, SHAPE)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, pixels)


def test_bgr_turns_the_colours_round() -> None:
    red = np.zeros(SHAPE, np.float32)
    red[0] = 255
    inputs = Preprocessing(channels="bgr").encode(red, SHAPE)
    assert inputs[2].min() == inputs[2].max() == 255
    assert not inputs[:2].any()
    np.testing.assert_array_equal(Preprocessing(channels="rgb").encode(red, SHAPE), red)


def test_the_mean_is_in_the_nets_order() -> None:
    """Caffe's own: blue, green, red means of ILSVRC from a picture that is red, green, blue."""
    pixels = np.stack([np.full((4, 5), value, np.float32) for value in (200, 100, 50)])
    inputs = Preprocessing(channels="bgr", mean=(104, 117, 123)).encode(pixels, (3, 4, 5))
    np.testing.assert_array_equal(inputs[:, 2, 3], [50 - 104, 100 - 117, 200 - 123])


CASES = [
    {"channels": "bgr", "mean": (103.939, 116.779, 123.68)},
    {"channels": "rgb", "mean": [127.0, 127.0, 127.0], "scale": 1 / 128},
    {"channels": "rgb", "raw_scale": 1.0, "mean": np.array([0.485, 0.456, 0.406]), "scale": (4.367, 4.464, 4.444)},
    {"channels": "bgr", "raw_scale": 1.0},
    {"channels": "bgr", "raw_scale": 100.0, "scale": np.array([1.0, 2.0, 4.0])},
    {"channels": "bgr", "mean": mean_image(10, 14)},
    {"channels": "bgr", "mean": mean_image(16, 16, dtype=np.float64), "scale": 0.017},
    {"channels": "rgb", "mean": mean_image(13, 17)},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case))
def test_the_formula_a_number_at_a_time(case: dict) -> None:
    pixels = pixels_of(*SHAPE)
    order = [2, 1, 0] if case["channels"] == "bgr" else [0, 1, 2]
    wanted = by_loops(pixels, order, case.get("raw_scale", 255), case.get("mean"), case.get("scale", 1.0))
    np.testing.assert_allclose(Preprocessing(**case).encode(pixels, SHAPE), wanted, rtol=1e-5, atol=2e-5)


def test_the_mean_image_is_cropped_at_its_centre_as_the_image_is() -> None:
    """A picture of the mean's own size, seen through the net's view, is nothing but the mean: zero everywhere."""
    mean = mean_image(16, 19)
    preprocessing = Preprocessing(View("warp", (16, 19)), "bgr", mean)
    image = mean[::-1].transpose(1, 2, 0)
    seen = preprocessing.pixels(image, SHAPE)
    np.testing.assert_allclose(preprocessing.encode(seen, SHAPE), np.zeros(SHAPE), atol=1e-5)


def test_on_request_the_mean_images_bottom_right_corner_is_taken() -> None:
    """The authors' later code: [29:256] of AlexNet's mean image, whatever part of the image is seen."""
    mean, pixels = mean_image(256, 256), pixels_of(3, 227, 227)
    preprocessing = Preprocessing(mean=mean, mean_place="end")
    wanted = pixels - mean[:, 29:256, 29:256]
    np.testing.assert_array_equal(preprocessing.encode(pixels, (3, 227, 227)), wanted)
    patch = preprocessing.encode(pixels[:, 3:9, 220:], (3, 227, 227), origin=(3, 220))
    np.testing.assert_array_equal(patch, wanted[:, 3:9, 220:])


@given(st.sampled_from(CASES), st.data())
def test_a_patch_is_encoded_as_where_it_stands(case: dict, data: st.DataObject) -> None:
    preprocessing = Preprocessing(**case)
    whole = pixels_of(*SHAPE)
    height, width = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 14))
    row, column = data.draw(st.integers(0, 10 - height)), data.draw(st.integers(0, 14 - width))
    here = (slice(None), slice(row, row + height), slice(column, column + width))
    inputs = preprocessing.encode(whole[here], SHAPE, origin=(row, column))
    np.testing.assert_array_equal(inputs, preprocessing.encode(whole, SHAPE)[here])


@given(st.sampled_from([{}, *CASES, {"mean": mean_image(16, 20), "mean_place": "end"}]), st.data())
def test_patches_are_encoded_each_where_it_will_stand(case: dict, data: st.DataObject) -> None:
    preprocessing = Preprocessing(**case)
    count, samples = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 3))
    height, width = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 14))
    origins = np.array(
        [[data.draw(st.integers(0, 10 - height)), data.draw(st.integers(0, 14 - width))] for _ in range(count)], int
    )
    patches = pixels_of(count, samples, 3, height, width)
    before = patches.copy()
    inputs = preprocessing.encode_patches(patches, origins.reshape(-1, 2), SHAPE)
    assert (inputs.shape, inputs.dtype) == (patches.shape, np.float32)
    for of_window, draws, origin in zip(inputs, patches, origins):
        for one, patch in zip(of_window, draws):
            np.testing.assert_array_equal(one, preprocessing.encode(patch, SHAPE, origin=tuple(origin)))
    np.testing.assert_array_equal(patches, before)


@pytest.mark.parametrize("leading", [(2,), (4, 5), (0,)])
def test_stacks_are_encoded_each_by_itself(leading: tuple) -> None:
    preprocessing = Preprocessing(**CASES[6])  # type: ignore[arg-type]
    stack = pixels_of(*leading, 3, 4, 4)
    inputs = preprocessing.encode(stack, SHAPE, origin=(3, 7))
    assert inputs.shape == stack.shape
    for index in np.ndindex(*leading):
        np.testing.assert_array_equal(inputs[index], preprocessing.encode(stack[index], SHAPE, origin=(3, 7)))


@pytest.mark.parametrize("case", [{}, *CASES], ids=lambda case: "-".join(case))
def test_what_is_given_stays_and_the_result_is_nobody_elses(case: dict) -> None:
    pixels = pixels_of(*SHAPE)
    before = pixels.copy()
    inputs = Preprocessing(**case).encode(pixels, SHAPE)
    assert inputs.flags["C_CONTIGUOUS"]
    inputs[...] = 0
    np.testing.assert_array_equal(pixels, before)


def test_whole_numbers_are_encoded_too() -> None:
    pixels = pixels_of(*SHAPE).astype(np.uint8)
    inputs = Preprocessing(mean=(10, 20, 30)).encode(pixels, SHAPE)
    np.testing.assert_array_equal(inputs[1], pixels[1].astype(np.float32) - 20)


# one channel, n channels


def test_a_net_of_one_channel_sees_the_luma() -> None:
    image = pixels_of(8, 9, 3).astype(np.uint8)
    pixels = Preprocessing(View("crop")).pixels(image, (1, 8, 9))
    wanted = [[0.299 * r + 0.587 * g + 0.114 * b for r, g, b in row] for row in image.astype(float)]
    assert pixels.shape == (1, 8, 9)
    np.testing.assert_allclose(pixels[0], wanted, rtol=1e-6)


def test_one_channel_in_one_channel_out() -> None:
    image = pixels_of(8, 9, 1)
    preprocessing = Preprocessing(View("crop"), "bgr", [33.0], scale=[2.0])
    pixels = preprocessing.pixels(image, (1, 8, 9))
    np.testing.assert_array_equal(pixels, image.transpose(2, 0, 1))
    np.testing.assert_allclose(preprocessing.encode(pixels, (1, 8, 9)), (pixels - 33) * 2, rtol=1e-6)


def test_many_channels_keep_their_order_and_values() -> None:
    cube = np.random.default_rng(0).normal(scale=1e4, size=(8, 9, 6))
    preprocessing = Preprocessing(View("crop"), mean=np.arange(6.0))
    pixels = preprocessing.pixels(cube, (6, 8, 9))
    np.testing.assert_allclose(pixels, cube.transpose(2, 0, 1), rtol=1e-6)
    wanted = cube.transpose(2, 0, 1) - np.arange(6.0)[:, None, None]
    np.testing.assert_allclose(preprocessing.encode(pixels, (6, 8, 9)), wanted, rtol=1e-6, atol=1e-3)


def test_pixels_are_rgb_whatever_the_nets_order() -> None:
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 0] = 255
    for channels in ("rgb", "bgr"):
        seen = Preprocessing(View("warp", 16), channels).pixels(image, SHAPE)
        assert seen.shape == SHAPE
        np.testing.assert_allclose(seen[0], 255, rtol=1e-6)
        assert not seen[1:].any()


# what does not fit


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"channels": "gbr"}, "channel order 'gbr' is unknown: want one of rgb, bgr"),
        ({"mean_place": "top"}, "mean_place 'top' is unknown: want one of centre, end"),
        ({"scale": (1.0, 2.0)}, r"scale has the shape \(2,\): want one number or one for each of 3 channels"),
        ({"scale": np.ones((3, 1, 1))}, r"scale has the shape \(3, 1, 1\)"),
        ({"mean": (1.0, 2.0)}, r"the mean has the shape \(2,\), the net's input \(3, 10, 14\): want \(3,\) or a mean"),
        ({"mean": 127.0}, r"the mean has the shape \(\)"),
        ({"mean": np.zeros((10, 14))}, r"the mean has the shape \(10, 14\)"),
        ({"mean": np.zeros((1, 10, 14))}, r"the mean has the shape \(1, 10, 14\)"),
        ({"mean": np.zeros((3, 10, 13))}, r"the mean has the shape \(3, 10, 13\).*at least as large as the input"),
        ({"mean": np.zeros((3, 9, 20))}, r"the mean has the shape \(3, 9, 20\)"),
        ({"mean": np.zeros((1, *SHAPE))}, r"the mean has the shape .* Take its first element, mean\[0\]"),
        ({"mean": np.zeros((10, 14, 3))}, r"the mean has the shape .* looks like \(H, W, C\): transpose it"),
    ],
)
def test_settings_that_do_not_fit_the_net(settings_: dict, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Preprocessing(**settings_).check(SHAPE)
    with pytest.raises(SettingsError, match=message):
        Preprocessing(**settings_).encode(pixels_of(*SHAPE), SHAPE)


@pytest.mark.parametrize(
    ("shape", "origin"),
    [
        ((1, 10, 14), (0, 0)),
        ((4, 10, 14), (0, 0)),
        ((10, 14), (0, 0)),
        ((3, 11, 14), (0, 0)),
        ((3, 10, 15), (0, 0)),
        ((2, 3, 4, 4), (7, 0)),
        ((3, 4, 4), (0, 11)),
        ((3, 4, 4), (-1, 0)),
    ],
)
def test_pixels_that_are_no_part_of_the_input(shape: tuple, origin: tuple) -> None:
    message = rf"at row {origin[0]}, column {origin[1]} are no part of the net's input \(3, 10, 14\): want \(\.\.\., 3"
    for mean in (None, (1.0, 2.0, 3.0), mean_image(16, 16)):
        with pytest.raises(ImageError, match=message):
            Preprocessing(mean=mean).encode(pixels_of(*shape), SHAPE, origin=origin)


@pytest.mark.parametrize("shape", [(8, 9), (8, 9, 1), (8, 9, 4), (3, 8, 9), (1, 8, 9, 3)])
def test_images_of_other_channels_than_the_nets(shape: tuple) -> None:
    with pytest.raises(
        ImageError, match=r"the net takes 3 channels, the image has the shape \(.*want \(height, width, 3\)"
    ):
        Preprocessing().pixels(np.zeros(shape), SHAPE)


# provenance


def test_provenance_is_json_and_tells_settings_apart() -> None:
    seen = set()
    cases = [{}, *CASES, {"view": View("warp", 256)}, {"view": View("warp", (256, 300))}, {"view": View("short", 256)}]
    cases.append({"mean": mean_image(16, 16), "mean_place": "end"})
    cases.append({"mean": mean_image(16, 16)})
    for case in [*cases, {"view": View("warp", np.int64(9))}, {"raw_scale": np.float32(1)}]:  # type: ignore[arg-type]
        provenance = Preprocessing(**case).provenance  # type: ignore[arg-type]
        assert json.loads(json.dumps(provenance)) == provenance
        seen.add(json.dumps(provenance, sort_keys=True))
    assert len(seen) == len(cases) + 2


def test_provenance_names_a_mean_image_by_its_hash() -> None:
    mean = mean_image(16, 16)
    wanted = "sha1:" + hashlib.sha1(mean.astype("<f4").tobytes()).hexdigest()
    assert Preprocessing(mean=mean).provenance["mean"] == wanted
    assert Preprocessing(mean=mean.astype(np.float64)).provenance["mean"] == wanted
    assert Preprocessing(mean=(1, 2, 3)).provenance["mean"] == [1.0, 2.0, 3.0]


def test_a_mean_of_another_range_than_the_pixels_is_warned_of() -> None:
    with pytest.warns(InputWarning, match=r"the mean is 0.406 to 0.485, but pixels go to 255 .*: want raw_scale=1"):
        Preprocessing(mean=(0.485, 0.456, 0.406)).warn_of_the_mean()
    with pytest.warns(
        InputWarning, match=r"the mean is 104 to 123, but pixels go to 1 .*: want raw_scale=255"
    ) as warned:
        Preprocessing(mean=(104, 117, 123), raw_scale=1.0).warn_of_the_mean()
    assert len(warned) == 1
    for sound in ({"mean": (0.485, 0.456, 0.406), "raw_scale": 1.0}, {"mean": (0, 0, 0)}, {"mean": (104, 117, 123)}):
        Preprocessing(**sound).warn_of_the_mean()  # type: ignore[arg-type]
