"""Whole nets as data: shapes against Caffe's recorded ones, what is run and freed when, and which weights fit."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.records import layer, net

from predicdiff.errors import BlobError, LayerError, WeightsError
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.records import Layer, NetSpec
from predicdiff.nets.caffe.resolved import check_weights, resolve

IMAGE = (4, 6, 5)


@pytest.mark.parametrize(
    ("name", "parameters"), [("alexnet", 60_965_224), ("googlenet", 6_998_552), ("vgg16", 138_357_544)]
)
def test_shapes_and_parameters_of_the_published_nets(name: str, parameters: int, data: Path, models: Path) -> None:
    resolved = resolve(read_prototxt(models / f"{name}.prototxt"))
    recorded = np.load(data / f"{name}_caffe.npz")
    shapes = {key[6:]: tuple(recorded[key][1:]) for key in recorded.files if key.startswith("shape:")}
    assert {blob: shape for blob, shape in resolved.blobs.items() if blob != "data"} == shapes
    assert list(resolved.blobs) == ["data", *shapes]
    assert sum(math.prod(shape) for step in resolved.steps for shape in step.shapes.weights) == parameters


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (layer("ReLU", "dta", "a"), "reads blob 'dta', which no layer before it makes. Near names: data"),
        (layer("Split", "data", "a a"), "has the top 'a' twice"),
        (layer("InnerProduct", "data", "data", num_output=3), "in place on blob 'data' and changes its shape"),
    ],
)
def test_a_layer_that_does_not_fit_its_place(record: Layer, words: str) -> None:
    with pytest.raises(LayerError, match=words):
        resolve(net(IMAGE, record))


def test_a_blob_is_made_once() -> None:
    twice = (layer("ReLU", "data", "a", name="first"), layer("TanH", "data", "a", name="second"))
    with pytest.raises(LayerError, match=r"layer 'second'.*makes blob 'a', which another layer makes already"):
        resolve(net(IMAGE, *twice))


def test_layers_with_weights_have_names_of_their_own() -> None:
    layers = [layer("Scale", "data", "a", name="s"), layer("Scale", "a", "b", name="s")]
    with pytest.raises(LayerError, match="2 layers with weights have the name 's'"):
        resolve(net(IMAGE, *layers))


@pytest.mark.parametrize("inputs", [{}, {"data": IMAGE, "more": IMAGE}, {"data": (4,)}])
def test_one_image_goes_in(inputs: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(LayerError, match="want one of shape"):
        _ = resolve(NetSpec("net", inputs, ())).input_shape


def test_an_input_without_pixels() -> None:
    with pytest.raises(LayerError, match=r"input 'data' has the shape \(3, 0, 4\)"):
        resolve(net((3, 0, 4)))


def branches() -> NetSpec:
    return net(
        IMAGE,
        layer("Convolution", "data", "conv", num_output=4, kernel_size=[1]),
        layer("ReLU", "conv", "conv", name="relu"),
        layer("Pooling", "conv", "left", kernel_size=2),
        layer("TanH", "conv", "right"),
        layer("InnerProduct", "left", "fc", num_output=2),
    )


def test_a_blobs_name_stands_for_what_the_last_layer_in_place_left() -> None:
    data, _, relu, left, right, fc = range(6)
    assert resolve(branches()).values == {"data": data, "conv": relu, "left": left, "right": right, "fc": fc}


def test_a_crop_depends_on_its_first_bottom_alone() -> None:
    conv = layer("Convolution", "data", "conv", num_output=4, kernel_size=[1])
    cropped = resolve(net(IMAGE, conv, layer("Crop", "data conv", "crop")))
    assert cropped.values["crop"] not in cropped.downstream("conv")
    assert cropped.live_elements("crop") == 3 * 120 + 120


def test_live_elements_by_hand() -> None:
    resolved = resolve(net((1, 4, 4), layer("Pooling", "data", "a", kernel_size=2, stride=2), layer("TanH", "a", "b")))
    # the input (16), the pool's top (4) and twice that to work with; then tops alone
    assert resolved.live_elements("b") == 16 + 4 + 8
    assert resolved.live_elements("data") == 16
    # four maps as large as the input, which itself is no longer there: the rectifier's bottom, its top, and twice that
    assert resolve(branches()).live_elements("conv") == 4 * math.prod(IMAGE)


def test_unknown_blob() -> None:
    with pytest.raises(BlobError, match=r"no blob 'conf'. Near names: conv"):
        resolve(branches()).live_elements("conf")


def weights_of_branches() -> dict[str, list[np.ndarray]]:
    return {
        "conv": [np.arange(16.0).reshape(4, 4, 1, 1), np.arange(4.0).reshape(1, 1, 1, 4)],
        "fc": [np.ones((1, 1, 2, 80), np.float32), np.zeros((1, 1, 1, 2), np.float32)],
        "head of another net": [np.zeros(3)],
    }


def test_weights_of_old_files_and_of_other_layers() -> None:
    checked = check_weights(resolve(branches()), weights_of_branches())
    assert {name: [blob.shape for blob in blobs] for name, blobs in checked.items()} == {
        "conv": [(4, 4, 1, 1), (4,)],
        "fc": [(2, 80), (2,)],
    }
    assert all(blob.dtype == np.float32 for blobs in checked.values() for blob in blobs)
    np.testing.assert_array_equal(checked["conv"][0].ravel(), np.arange(16))


def test_a_vector_lies_along_any_axis() -> None:
    """PSPNet's Caffe stores (1, C, 1, 1), older ones of its line (1, C)."""
    batch_norm = resolve(net(IMAGE, layer("BN", "data", "bn")))
    stored = [np.arange(4.0).reshape(shape) for shape in ((1, 4, 1, 1), (1, 4), (4, 1), (4,))]
    assert [blob.tolist() for blob in check_weights(batch_norm, {"bn": stored})["bn"]] == [[0, 1, 2, 3]] * 4
    with pytest.raises(WeightsError, match=r"weights of shape \(2, 2\)"):
        check_weights(batch_norm, {"bn": [np.zeros((2, 2)), *stored[1:]]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fc": []}, r"layer 'fc' \(InnerProduct\) has no weights in w.caffemodel: want \(2, 80\), \(2,\)"),
        ({"fc": [np.zeros((2, 90)), np.zeros(2)]}, r"weights of shape \(2, 90\), \(2,\) in w.*wants \(2, 80\), \(2,\)"),
        ({"fc": [np.zeros((80, 2)), np.zeros(2)]}, r"'fc' .* weights of shape \(80, 2\)"),
        ({"conv": [np.zeros((4, 4, 1, 1))]}, r"'conv' .*\(4, 4, 1, 1\) in w.*wants \(4, 4, 1, 1\), \(4,\)"),
        ({"conv": [np.zeros((16, 1, 1, 1)), np.zeros(4)]}, r"'conv' .*\(16, 1, 1, 1\), \(4,\)"),
    ],
)
def test_weights_of_another_net(change: dict[str, list[np.ndarray]], words: str) -> None:
    with pytest.raises(WeightsError, match=words):
        check_weights(resolve(branches()), {**weights_of_branches(), **change}, source="w.caffemodel")


def test_weights_that_layers_share_may_be_held_once() -> None:
    """As in Caffe's HDF5 files: the first layer has them, the others have what is their own."""
    first, second, third = (
        replace(layer("Convolution", bottom, top, num_output=4, kernel_size=[1]), shared=shared)
        for bottom, top, shared in (("data", "a", ("w", "b")), ("a", "b", ("w", "b")), ("b", "c", ("w", "")))
    )
    weights, biases = np.arange(16.0).reshape(4, 4, 1, 1), np.arange(8.0).reshape(2, 4)
    held = {"a": [weights, biases[0]], "c": [np.empty(0), biases[1]]}
    checked = check_weights(resolve(net(IMAGE, first, second, third)), held)
    for name, bias in (("a", biases[0]), ("b", biases[0]), ("c", biases[1])):
        np.testing.assert_array_equal(checked[name][0], weights)
        np.testing.assert_array_equal(checked[name][1], bias)
    with pytest.raises(WeightsError, match=r"layer 'c' .* weights of shape \(0,\), \(4,\) in the weights"):
        check_weights(resolve(net(IMAGE, first, second, replace(third, shared=()))), held)
    with pytest.raises(WeightsError, match=r"layer 'b' .* has no weights"):
        check_weights(resolve(net(IMAGE, first, replace(second, shared=()), third)), held)


def test_missing_weights_name_the_near_layers() -> None:
    weights = weights_of_branches()
    weights["fc_new"] = weights.pop("fc")
    with pytest.raises(WeightsError, match=r"layer 'fc'.* It has fc_new"):
        check_weights(resolve(branches()), weights)


def test_live_elements_of_several_blobs_and_of_a_gradient() -> None:
    """A chain whose maps double: two are alive at a time, or all of them."""
    doubling = [layer("Concat", f"{above} {above}", top, axis=1) for above, top in zip(["data", *"abc"], "abcd")]
    resolved = resolve(net((1, 2, 2), *doubling))
    last, blobs = 4 * 16, 4 * (2 + 4 + 8 + 16)
    assert resolved.live_elements("d") == last // 2 + last + 2 * last
    assert resolved.live_elements(*"abcd") == blobs + 2 * last
    assert resolved.live_elements("d", freeing=False) == 4 + blobs + 2 * last  # the image too
