"""Sensitivity maps against closed forms, finite differences and the gradient that Caffe recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.places import DATA

from predicdiff.errors import BlobError, ImageError, InputWarning, SettingsError
from predicdiff.images import View
from predicdiff.methods.sensitivity import sensitivity
from predicdiff.nets.preprocessing import Preprocessing

SHAPE = (3, 5, 7)
MEAN = (104.0, 117.0, 123.0)


class Linear:
    """Scores are weights times the input (BGR, mean removed): the gradient is the weights."""

    name = "linear"
    input_shape = SHAPE
    labels = None
    training_instances = 1000

    def __init__(self, scores: str | None = "fc", output: str | None = "prob") -> None:
        self.scores, self.output = scores, output
        self.weights = np.random.default_rng(0).normal(size=(4, *SHAPE))
        self.preprocessing = Preprocessing(View("crop"), channels="bgr", mean=MEAN)
        self.blobs = {"map": (2, 3, 3), "fc": (4,), "prob": (4,)}
        self.provenance: dict[str, Any] = {}

    def view(self, image: np.ndarray) -> np.ndarray:
        return self.preprocessing.pixels(image, SHAPE)

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        return self.preprocessing.encode(pixels, SHAPE)

    def forward(self, inputs: np.ndarray, blobs: Any) -> dict[str, np.ndarray]:
        return {blob: np.einsum("bchw,kchw->bk", inputs, self.weights) for blob in blobs}

    def gradient(self, inputs: np.ndarray, *, blob: str, unit: Any) -> np.ndarray:
        (index,) = unit
        return self.weights[index] if blob == "fc" else np.zeros(SHAPE)


PIXELS = np.random.default_rng(1).uniform(0, 255, SHAPE).astype(np.float32)
INPUTS = PIXELS[::-1] - np.array(MEAN, np.float32)[:, None, None]


def test_by_default_the_largest_absolute_value_over_the_colours() -> None:
    net = Linear()
    relevance = sensitivity(net, PIXELS, unit=2)
    wanted = [[max(abs(net.weights[2, c, row, column]) for c in range(3)) for column in range(7)] for row in range(5)]
    np.testing.assert_array_equal(relevance, wanted)
    assert relevance.dtype == np.float64


def test_on_request_the_signed_gradient_or_it_times_the_input() -> None:
    net = Linear()
    np.testing.assert_allclose(sensitivity(net, PIXELS, unit=2, reduce="signed"), net.weights[2].sum(axis=0))
    product = sensitivity(net, PIXELS, unit=2, reduce="times_input")
    np.testing.assert_allclose(product, sum(net.weights[2, c] * INPUTS[c] for c in range(3)), rtol=1e-6)
    # a linear net's score is the sum of gradient times input
    assert product.sum() == pytest.approx(np.vdot(net.weights[2], INPUTS), rel=1e-6)


def test_on_request_the_pass_starts_from_the_activation() -> None:
    net = Linear()
    activation = float(np.vdot(net.weights[2], INPUTS))
    for reduce, factor in (("max_abs", abs(activation)), ("signed", activation), ("times_input", activation)):
        relevance = sensitivity(net, PIXELS, unit=2, reduce=reduce, start_from="activation")
        np.testing.assert_allclose(relevance, factor * sensitivity(net, PIXELS, unit=2, reduce=reduce), rtol=1e-5)
    with pytest.raises(SettingsError, match="start_from = 'two' is unknown: want one of one, activation"):
        sensitivity(net, PIXELS, start_from="two")


def test_by_default_the_predicted_class() -> None:
    net = Linear()
    best = int(np.argmax(np.einsum("chw,kchw->k", INPUTS, net.weights)))
    np.testing.assert_array_equal(sensitivity(net, PIXELS), np.abs(net.weights[best]).max(axis=0))


def test_an_image_is_seen_as_the_net_sees_it() -> None:
    net = Linear()
    image = np.random.default_rng(2).integers(0, 256, (11, 13, 3)).astype(np.uint8)
    seen = image[3:8, 3:10].transpose(2, 0, 1).astype(np.float32)
    for reduce in ("max_abs", "times_input"):
        np.testing.assert_array_equal(sensitivity(net, image, reduce=reduce), sensitivity(net, seen, reduce=reduce))


def test_the_image_is_left_as_it_is() -> None:
    before = PIXELS.copy()
    sensitivity(Linear(), PIXELS, reduce="times_input")
    np.testing.assert_array_equal(PIXELS, before)


def test_a_net_without_scores_is_asked_for_its_output_with_a_warning() -> None:
    with pytest.warns(InputWarning, match="names no scores before the softmax"):
        sensitivity(Linear(scores=None, output="fc"), PIXELS)
    with pytest.raises(SettingsError, match=r"names neither scores nor probabilities: .*--blob, --unit"):
        sensitivity(Linear(scores=None, output=None), PIXELS)


def test_a_saturated_output_is_told() -> None:
    with pytest.warns(InputWarning, match="zero everywhere.* before the softmax"):
        assert not sensitivity(Linear(), PIXELS, blob="prob").any()


def test_a_net_that_draws_is_told_of() -> None:
    class Dropping(Linear):
        rng = np.random.default_rng(0)

        def forward(self, inputs: np.ndarray, blobs: Any) -> dict[str, np.ndarray]:
            return super().forward(inputs * self.rng.integers(0, 2, inputs.shape), blobs)

    with pytest.warns(InputWarning, match="'linear' answers differently each time .* the map is another each time"):
        sensitivity(Dropping(), PIXELS, unit=2)


def test_what_does_not_fit_is_refused() -> None:
    net = Linear()
    with pytest.raises(SettingsError, match="reduce = 'mean' is unknown: want one of max_abs, signed, times_input"):
        sensitivity(net, PIXELS, reduce="mean")
    with pytest.raises(BlobError, match="no blob 'fc9'"):
        sensitivity(net, PIXELS, blob="fc9")
    with pytest.raises(BlobError, match="unit 4 is out of range"):
        sensitivity(net, PIXELS, unit=4)
    with pytest.raises(SettingsError, match="'map' holds no classes"):
        sensitivity(net, PIXELS, blob="map")
    with pytest.raises(ImageError, match=r"shape \(3, 4, 4\)"):
        sensitivity(net, np.zeros((3, 4, 4)))


TANH = """
name: "tanh"
input: "data" input_dim: 1 input_dim: 3 input_dim: 5 input_dim: 7
layer { name: "hidden" type: "InnerProduct" bottom: "data" top: "hidden" inner_product_param { num_output: 6 } }
layer { name: "tanh" type: "TanH" bottom: "hidden" top: "tanh" }
layer { name: "fc" type: "InnerProduct" bottom: "tanh" top: "fc" inner_product_param { num_output: 4 } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def test_on_torch_it_is_the_closed_form_and_the_finite_difference() -> None:
    pytest.importorskip("torch")
    from predicdiff.nets.caffe.prototxt import parse_prototxt
    from predicdiff.nets.caffe.torch_net import CaffeTorchNet

    random = np.random.default_rng(3)
    first, second = (random.normal(size=shape).astype(np.float32) * 0.1 for shape in ((6, 105), (4, 6)))
    weights = {"hidden": [first, np.zeros(6, np.float32)], "fc": [second, np.zeros(4, np.float32)]}
    net = CaffeTorchNet(parse_prototxt(TANH, "tanh"), weights, device="cpu")
    inputs = random.normal(size=SHAPE).astype(np.float32)
    relevance = sensitivity(net, inputs, unit=1, reduce="signed")

    hidden = np.tanh(first.astype(np.float64) @ inputs.ravel())
    closed = ((second[1] * (1 - hidden**2)) @ first).reshape(SHAPE)
    np.testing.assert_allclose(relevance, closed.sum(axis=0), atol=1e-6)
    np.testing.assert_allclose(sensitivity(net, inputs, unit=1), np.abs(closed).max(axis=0), atol=1e-6)

    steps = np.zeros((35, *SHAPE), np.float32)
    steps[np.arange(35), :, np.arange(35) // 7, np.arange(35) % 7] = 0.01
    rise = net.forward(inputs + steps, ["fc"])["fc"][:, 1] - net.forward(inputs - steps, ["fc"])["fc"][:, 1]
    np.testing.assert_allclose(relevance.ravel(), rise / 0.02, atol=2e-4)


def test_on_the_tiny_net_it_is_caffes_own_gradient() -> None:
    pytest.importorskip("torch")
    from predicdiff.nets.caffe.caffemodel import read_caffemodel
    from predicdiff.nets.caffe.prototxt import read_prototxt
    from predicdiff.nets.caffe.torch_net import CaffeTorchNet

    net = CaffeTorchNet(
        read_prototxt(DATA / "tiny_v1.prototxt"), read_caffemodel(DATA / "tiny_v1.caffemodel"), device="cpu"
    )
    with np.load(DATA / "tiny_caffe.npz") as recorded:
        for image, gradient in zip(recorded["images"], recorded["grad_fc2"]):
            wanted, product = np.abs(gradient).max(axis=0), (gradient * image).sum(axis=0)
            maps = [sensitivity(net, image, blob="fc", unit=2, reduce=reduce) for reduce in ("max_abs", "times_input")]
            np.testing.assert_allclose(maps[0], wanted, atol=1e-5 * wanted.max())
            np.testing.assert_allclose(maps[1], product, atol=1e-5 * np.abs(product).max())
