"""Nets, images and samplers from their options."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engines import ENGINES, needed
from tiny_zoo import MEAN, WEIGHTS, TinyZoo

from predicdiff.cli import choices
from predicdiff.cli.choices import NetChoice, SamplerChoice, subject
from predicdiff.errors import FormatError, InputWarning, SamplerError, SettingsError, WeightsError, WindowError
from predicdiff.samplers import GaussianSampler, MarginalSampler
from predicdiff.samplers.corpus import bundled

pytestmark = needed


def choice(net, **given):
    names = ("weights", "mean", "channels", "raw_scale", "input_scale", "image_size", "view", "labels", "device")
    return NetChoice(net=net, engine=ENGINES[0], **{name: given.get(name) for name in names})


@pytest.fixture
def tiny(data: Path):
    """The tiny net as a Caffe user gives it."""

    def load(**given):
        given = {"weights": data / "tiny_v1.caffemodel", "mean": "104,117,123", "image_size": 24, **given}
        return choice(str(data / "tiny_v1.prototxt"), **given).load()

    return load


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyZoo]:
    with TinyZoo(tmp_path, monkeypatch) as tiny:
        tiny.place("tiny.caffemodel", WEIGHTS)
        tiny.place("tiny_mean.binaryproto", MEAN)
        yield tiny


def test_a_prototxt_gets_caffes_preprocessing(tiny, photographs):
    image = photographs[0]
    expected = image.transpose(2, 0, 1)[::-1] - np.array([104, 117, 123], np.float32)[:, None, None]
    np.testing.assert_allclose(tiny().preprocess(image), expected, atol=1e-4)


def test_each_option_is_used(tiny, data, photographs):
    image = photographs[0]
    found = tiny(channels="rgb", raw_scale=1.0, mean="0.1,0.2,0.3", input_scale=2.0).preprocess(image)
    expected = (image.transpose(2, 0, 1) / 255.0 - np.array([0.1, 0.2, 0.3])[:, None, None]) * 2.0
    np.testing.assert_allclose(found, expected, atol=1e-5)
    large = np.kron(image, np.ones((2, 3, 1), np.uint8))
    cropped = tiny(view="crop").view(large)
    np.testing.assert_array_equal(cropped, large[12:36, 24:48].transpose(2, 0, 1))
    assert tiny(image_size=(24, 48)).view(large).shape == (3, 24, 24)
    with_image = tiny(mean=str(data / "tiny_mean.binaryproto"))
    assert np.ptp(with_image.encode(np.zeros((3, 24, 24)))[0]) > 0


def test_labels_come_from_a_file(tiny, tmp_path):
    labels = tmp_path / "words.txt"
    labels.write_text("cat\ndog\ncow\nhen\npig\n")
    assert tiny(labels=labels).labels == ["cat", "dog", "cow", "hen", "pig"]
    labels.write_text("cat\ndog\n")
    with pytest.raises(SettingsError, match="5 classes, but 2 labels"):
        tiny(labels=labels)


def test_a_net_without_a_mean_is_warned_of(tiny):
    with pytest.warns(InputWarning, match="no mean was given"):
        tiny(mean=None)


def test_a_known_net_keeps_its_own_preprocessing(zoo, photographs):
    image = photographs[0]
    own = choice("tiny").load()
    assert own.preprocessing.channels == "bgr"
    assert np.shape(own.preprocessing.mean) == (3, 24, 24)
    cropped = choice("tiny", view="crop").load().preprocessing
    assert (cropped.view.mode, cropped.view.size) == ("crop", 24)
    np.testing.assert_array_equal(cropped.mean, own.preprocessing.mean)
    changed = choice("tiny", mean="1,2,3", channels="rgb", raw_scale=1.0, input_scale=0.5, image_size=32).load()
    found = changed.preprocess(image)
    plain = changed.view(image) / 255.0
    np.testing.assert_allclose(found, (plain - np.array([1, 2, 3])[:, None, None]) * 0.5, atol=1e-5)
    assert changed.preprocessing.view.size == 32


def test_an_unknown_net_and_missing_files_are_named(tiny, tmp_path):
    with pytest.raises(SettingsError, match=r"no net is called 'googelnet'. Do you mean 'googlenet'"):
        choice("googelnet").load()
    with pytest.raises(FormatError, match=r"nowhere.prototxt"):
        choice("nowhere.prototxt", weights=tmp_path, mean="0").load()
    with pytest.raises(WeightsError, match=r"give the caffemodel too"):
        tiny(weights=None)
    with pytest.raises(SettingsError, match=r"mean 'mean.npy': want a file that exists"):
        tiny(mean="mean.npy")


def test_without_an_image_it_is_the_cat():
    shown = subject(None)
    assert (shown.name, shown.file) == ("chelsea", None)
    np.testing.assert_array_equal(shown.image, bundled()["chelsea"])


def test_an_image_file(picture, photographs):
    shown = subject(picture)
    assert (shown.name, shown.file) == ("small", Path(picture))
    np.testing.assert_array_equal(shown.image, photographs[0])


def make(name, net, image, corpus=None, *, window=4, context=None, seed=0):
    return SamplerChoice(str(name), corpus).make(net, image, window=window, context=context, seed=seed)


def test_a_marginal_sampler_of_a_folder(tiny, folder, photographs):
    sampler = make("marginal", tiny(), photographs[0], folder)
    assert isinstance(sampler, MarginalSampler)
    assert sampler.names == [f"{number:02}.png" for number in range(11)]
    np.testing.assert_array_equal(sampler.images[3], photographs[4].transpose(2, 0, 1))


def test_a_gaussian_of_a_folder_without_the_explained_image(tiny, folder, photographs):
    net = tiny()
    sampler = make("conditional", net, photographs[4], folder, seed=5)
    others = [image for i, image in enumerate(photographs[1:]) if i != 3]
    expected = GaussianSampler.fit(others, 8, seed=5)
    assert isinstance(sampler, GaussianSampler)
    assert sampler.context == 8
    np.testing.assert_array_equal(sampler.covariance, expected.covariance)
    assert sampler.fitted_on["names"] == [f"{number:02}.png" for number in range(11) if number != 3]


def test_the_bundled_cat_is_not_drawn_from_when_it_is_explained(tiny, photographs):
    net = tiny()
    names = make("marginal", net, bundled()["chelsea"]).names
    assert not any("chelsea" in name for name in names)
    assert any("chelsea" in name for name in make("marginal", net, photographs[0]).names)


def test_a_context_must_hold_the_window_and_fit_the_image(tiny, photographs):
    net, image = tiny(), photographs[0]
    with pytest.raises(WindowError, match="context l = 3 is smaller than window k = 4"):
        make("conditional", net, image, context=3)
    with pytest.raises(WindowError, match="context l = 25 does not fit: want l <= 24"):
        make("conditional", net, image, context=25)
    assert make("conditional", net, image, window=6).context == 10


def test_a_large_context_is_warned_of(tiny, photographs, monkeypatch):
    monkeypatch.setattr(choices, "LARGE", 26)
    with pytest.warns(InputWarning, match=r"context l = 3 makes a Gaussian of 27 values, which takes about 0.0 GB"):
        make("conditional", tiny(), photographs[0], window=1, context=3)


def test_a_fitted_sampler_from_its_file(tiny, folder, photographs, tmp_path):
    net, image, path = tiny(), photographs[0], tmp_path / "fitted.h5"
    GaussianSampler.fit(list(photographs[1:]), 6).save(path)
    assert SamplerChoice(str(path), None).name == "fitted"
    assert make(path, net, image).context == make(path, net, image, context=6).context == 6
    with pytest.raises(SettingsError, match=r"--context 8, but .*fitted.h5 was fitted with 6"):
        make(path, net, image, context=8)
    with pytest.raises(WindowError, match="context l = 6 is smaller than window k = 7"):
        make(path, net, image, window=7)
    with pytest.raises(SettingsError, match="which is fitted: leave one out"):
        make(path, net, image, folder)
    with pytest.raises(SamplerError, match=r"none.h5: no such file. Make one with `predicdiff fit"):
        make("none.h5", net, image)
