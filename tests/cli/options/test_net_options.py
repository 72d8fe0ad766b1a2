"""Nets and images from their options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.engines import ENGINES, needed
from helpers.tiny_zoo import MEAN, WEIGHTS, TinyZoo

from predicdiff.cli.options.net import NetChoice, named_image
from predicdiff.errors import FormatError, InputWarning, SettingsError, WeightsError
from predicdiff.samplers.corpus import bundled

pytestmark = needed


def choice(net, **options):
    return NetChoice(net=net, engine=ENGINES[0], **options)


@pytest.fixture
def tiny(data: Path):
    """The tiny net as a Caffe user gives it."""

    def load(**options):
        usual = {"weights": data / "tiny_v1.caffemodel", "mean": "104,117,123", "image_size": 24}
        return choice(str(data / "tiny_v1.prototxt"), **{**usual, **options}).load()

    return load


@pytest.fixture
def fetched(zoo: TinyZoo) -> None:
    """A net known by name whose files are there."""
    zoo.place("tiny.caffemodel", WEIGHTS)
    zoo.place("tiny_mean.binaryproto", MEAN)


def test_a_prototxt_gets_caffes_preprocessing(tiny, photographs):
    image = photographs[0]
    expected = image.transpose(2, 0, 1)[::-1] - np.array([104, 117, 123], np.float32)[:, None, None]
    np.testing.assert_allclose(tiny().preprocess(image), expected, atol=1e-4)


def test_a_net_of_another_size_than_imagenets_sees_the_whole_image_by_default(tiny, photographs):
    net = tiny(image_size=None)
    np.testing.assert_array_equal(net.view(photographs[0]), photographs[0].transpose(2, 0, 1))
    assert net.provenance["preprocessing"]["view"] == {"mode": "warp", "size": None, "antialias": False}


def test_each_option_is_used(tiny, data, photographs):
    image = photographs[0]
    inputs = tiny(channels="rgb", raw_scale=1.0, mean="0.1,0.2,0.3", input_scale=2.0).preprocess(image)
    expected = (image.transpose(2, 0, 1) / 255.0 - np.array([0.1, 0.2, 0.3])[:, None, None]) * 2.0
    np.testing.assert_allclose(inputs, expected, atol=1e-5)
    large = np.kron(image, np.ones((2, 3, 1), np.uint8))
    cropped = tiny(view="crop").view(large)
    np.testing.assert_array_equal(cropped, large[12:36, 24:48].transpose(2, 0, 1))
    assert tiny(image_size=(24, 48)).view(large).shape == (3, 24, 24)
    with_image = tiny(mean=str(data / "tiny_mean.binaryproto"))
    assert np.ptp(with_image.encode(np.zeros((3, 24, 24)))[0]) > 0


def test_a_net_in_training_says_what_is_done_to_images_where_no_option_does(data, tmp_path, photographs):
    layers = (data / "tiny_v1.prototxt").read_text().partition("force_backward: true")[2]
    path = tmp_path / "train_val.prototxt"
    reader = 'layers { name: "data" type: DATA top: "data" top: "label" transform_param { crop_size: 24 scale: 0.5 '
    softmax = '{ name: "prob" type: SOFTMAX bottom: "fc" top: "prob" }'
    assert softmax in layers
    loss = '{ name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "label" }'
    path.write_text(reader + "mean_value: 117 } }" + layers.replace(softmax, loss))
    image = photographs[0]
    for options, mean, told in (({}, 117, "117, 117, 117"), ({"mean": "0"}, 0, "0, 0, 0")):
        with pytest.warns(InputWarning) as warned:
            net = choice(str(path), weights=data / "tiny_v1.caffemodel", **options).load()
        (warning,) = warned
        assert str(warning.message) == (
            f"{path}: its deploy net is made of it: data (Data) becomes an input of 3 x 24 x 24; SoftmaxWithLoss "
            f"becomes Softmax 'prob'; images less the mean {told}, times 0.5."
        )
        wanted = (image.transpose(2, 0, 1)[::-1].astype(np.float32) - mean) * 0.5
        np.testing.assert_allclose(net.preprocess(image), wanted, atol=1e-4)


def test_labels_come_from_a_file(tiny, tmp_path):
    labels = tmp_path / "words.txt"
    labels.write_text("cat\ndog\ncow\nhen\npig\n")
    assert tiny(labels=(labels,)).labels == ["cat", "dog", "cow", "hen", "pig"]
    labels.write_text("cat\ndog\n")
    with pytest.raises(SettingsError, match="5 classes, but 2 labels"):
        tiny(labels=(labels,))


def test_a_net_without_a_mean_is_warned_of(tiny):
    with pytest.warns(InputWarning, match="no mean was given"):
        tiny(mean=None)


@pytest.mark.usefixtures("fetched")
def test_a_known_net_keeps_its_own_preprocessing(photographs):
    image = photographs[0]
    own = choice("tiny").load()
    assert own.preprocessing.channels == "bgr"
    assert np.shape(own.preprocessing.mean) == (3, 24, 24)
    cropped = choice("tiny", view="crop").load().preprocessing
    assert (cropped.view.mode, cropped.view.size) == ("crop", 24)
    np.testing.assert_array_equal(cropped.mean, own.preprocessing.mean)
    changed = choice("tiny", mean="0.1,0.2,0.3", channels="rgb", raw_scale=1.0, input_scale=0.5, image_size=32).load()
    inputs = changed.preprocess(image)
    plain = changed.view(image) / 255.0
    np.testing.assert_allclose(inputs, (plain - np.array([0.1, 0.2, 0.3])[:, None, None]) * 0.5, atol=1e-5)
    assert changed.preprocessing.view.size == 32


def test_a_mean_that_is_given_takes_the_place_of_a_mean_image_that_is_not_there(zoo: TinyZoo, data: Path, photographs):
    image = photographs[0]
    net = choice("tiny", weights=data / "tiny_v1.caffemodel", mean="1,2,3").load()
    expected = image.transpose(2, 0, 1)[::-1] - np.array([1, 2, 3], np.float32)[:, None, None]
    np.testing.assert_array_equal(net.preprocess(image), expected)
    assert net.labels == ["cat", "dog", "cow", "hen", "pig"]
    with pytest.raises(WeightsError, match=r"tiny_mean.* is not there"):
        choice("tiny", weights=data / "tiny_v1.caffemodel").load()


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
    shown = named_image(None)
    assert (shown.name, shown.file) == ("chelsea", None)
    np.testing.assert_array_equal(shown.image, bundled()["chelsea"])


def test_an_image_file(picture, photographs):
    shown = named_image(picture)
    assert (shown.name, shown.file) == ("small", Path(picture))
    np.testing.assert_array_equal(shown.image, photographs[0])
