"""A Caffe user's settings: the mean in all its forms, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predicdiff.errors import FormatError, InputWarning, SettingsError
from predicdiff.images import View
from predicdiff.nets.caffe.transformer import caffe_preprocessing


def mean_file(folder: Path, values: Any) -> Path:
    path = folder / "mean.npy"
    np.save(path, values)
    return path


@pytest.mark.parametrize("form", ["text", "array", "list", "a batch of one", "file", "file by name"])
def test_the_mean_in_all_its_forms(tmp_path: Path, form: str) -> None:
    path = mean_file(tmp_path, np.array([104.0, 117.0, 123.0]))
    forms = {
        **{"text": "104, 117,123", "array": np.array([104, 117, 123]), "list": [104.0, 117.0, 123.0]},
        "a batch of one": np.reshape([104.0, 117.0, 123.0], (1, 3, 1, 1)),
    }
    mean: Any = forms.get(form, path if form == "file" else str(path))
    preprocessing = caffe_preprocessing(mean=mean)
    np.testing.assert_array_equal(preprocessing.mean, [104, 117, 123])
    assert (preprocessing.channels, preprocessing.raw_scale, preprocessing.scale, preprocessing.view) == (
        "bgr",
        255.0,
        1.0,
        View("warp", "caffe"),
    )


def test_the_input_is_what_caffe_would_make_of_it() -> None:
    """By hand: BGR, 0..1, less the mean, times the scale."""
    preprocessing = caffe_preprocessing(mean="0.5,0.25,0.125", raw_scale=1.0, scale=2.0, image_size=4)
    pixels = np.zeros((3, 4, 4), np.float32)
    pixels[0] = 255.0
    inputs = preprocessing.encode(pixels, (3, 4, 4))
    np.testing.assert_allclose(inputs[:, 0, 0], [-1.0, -0.5, 1.75])


def test_a_mean_image_stays_in_its_place(tmp_path: Path) -> None:
    image = np.arange(3 * 6 * 6, dtype=np.float32).reshape(3, 6, 6)
    preprocessing = caffe_preprocessing(mean=mean_file(tmp_path, image), channels="rgb", image_size=6)
    np.testing.assert_array_equal(preprocessing.encode(np.zeros((3, 4, 4)), (3, 4, 4)), -image[:, 1:5, 1:5])


def test_the_callers_mean_is_not_kept() -> None:
    mean = np.array([1.0, 2.0, 3.0], np.float32)
    preprocessing = caffe_preprocessing(mean=mean)
    mean[:] = 0
    np.testing.assert_array_equal(preprocessing.mean, [1, 2, 3])


def test_no_mean_is_warned_of() -> None:
    with pytest.warns(InputWarning, match="no mean was given"):
        preprocessing = caffe_preprocessing()
    assert preprocessing.mean is None
    np.testing.assert_array_equal(caffe_preprocessing(mean="0,0,0").mean, [0, 0, 0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mean": "mean.binaryproto"}, "mean 'mean.binaryproto': want a file that exists"),
        ({"mean": "104,117,"}, "or a number for each channel"),
        ({"mean": "104,nan,123"}, "want finite numbers"),
        ({"mean": np.zeros((4, 4))}, r"the mean's shape \(4, 4\), want a mean image"),
        (
            {"mean": np.zeros((10, 12, 3))},
            r"the mean's shape \(10, 12, 3\) looks like \(H, W, C\).*transpose\(2, 0, 1\)",
        ),
        ({"mean": [[1.0], [1.0, 2.0]]}, "want a file, or a number for each channel"),
        ({"mean": object()}, "want a file, or a number for each channel"),
        ({"mean": "0", "raw_scale": 0.0}, "raw scale = 0.0: want a finite number other than 0"),
        ({"mean": "0", "scale": float("nan")}, "scale = nan: want a finite number other than 0"),
    ],
)
def test_what_is_no_setting(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        caffe_preprocessing(**settings)


def test_a_broken_mean_file(tmp_path: Path) -> None:
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(b"\x08")
    with pytest.raises(FormatError, match=r"mean.binaryproto"):
        caffe_preprocessing(mean=path)
    with pytest.raises(FormatError, match="no such file"):
        caffe_preprocessing(mean=tmp_path / "absent.npy")


def test_a_file_of_numbers_that_are_not_finite(tmp_path: Path) -> None:
    np.save(tmp_path / "mean.npy", np.array([104.0, np.nan, 123.0], np.float32))
    with pytest.raises(FormatError, match=r"mean\.npy: holds NaN or infinity"):
        caffe_preprocessing(mean=tmp_path / "mean.npy")
