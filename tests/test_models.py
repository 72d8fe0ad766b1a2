"""The bundled definitions of AlexNet, GoogLeNet, VGG16 and SqueezeNet 1.1 against what is known of them."""

from __future__ import annotations

import collections
import json
import re
from math import prod
from pathlib import Path
from typing import Tuple

import pytest
from helpers.places import MODELS

from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.records import Layer, NetSpec

NAMES = ("alexnet", "googlenet", "vgg16", "squeezenet_v1.1")
Shape = Tuple[int, ...]


def read(name: str) -> NetSpec:
    return read_prototxt(MODELS / f"{name}.prototxt")


def shapes_and_parameters(net: NetSpec) -> tuple[dict[str, Shape], dict[str, int]]:
    """Shapes of all blobs and numbers of parameters of all layers, by arithmetic of the test's own."""
    shapes: dict[str, Shape] = dict(net.inputs)
    parameters: dict[str, int] = {}
    for layer in net.layers:
        bottoms = [shapes[name] for name in layer.bottoms]
        (top,) = layer.tops
        shapes[top] = bottoms[0]
        if layer.type == "Convolution":
            shapes[top], parameters[layer.name] = convolved(layer, *bottoms)
        elif layer.type == "Pooling":
            shapes[top] = pooled(layer, *bottoms)
        elif layer.type == "InnerProduct":
            out = layer.params["inner_product_param"]["num_output"]
            shapes[top], parameters[layer.name] = (out,), out * (prod(bottoms[0]) + 1)
        elif layer.type == "Concat":
            shapes[top] = (sum(bottom[0] for bottom in bottoms), *bottoms[0][1:])
        else:
            assert layer.type in ("ReLU", "LRN", "Dropout", "Softmax")
    return shapes, parameters


def convolved(layer: Layer, bottom: Shape) -> tuple[Shape, int]:
    param = layer.params["convolution_param"]
    (kernel,), (stride,), (pad,) = param["kernel_size"], param.get("stride", [1]), param.get("pad", [0])
    out, channels = param["num_output"], bottom[0] // param.get("group", 1)
    side = (bottom[1] + 2 * pad - kernel) // stride + 1
    return (out, side, side), out * (channels * kernel**2 + 1)


def pooled(layer: Layer, bottom: Shape) -> Shape:
    param = layer.params["pooling_param"]
    if param.get("global_pooling"):
        return (bottom[0], 1, 1)
    pad = param.get("pad", 0)
    side = -(-(bottom[1] + 2 * pad - param["kernel_size"]) // param["stride"]) + 1  # rounded up
    if pad and (side - 1) * param["stride"] >= bottom[1] + pad:
        side -= 1
    return (bottom[0], side, side)


@pytest.mark.parametrize(
    ("name", "layers", "parameters", "side"),
    [
        ("alexnet", 23, 60_965_224, 227),
        ("googlenet", 142, 6_998_552, 224),
        ("vgg16", 39, 138_357_544, 224),
        ("squeezenet_v1.1", 66, 1_235_496, 227),
    ],
)
def test_layers_and_parameters(name: str, layers: int, parameters: int, side: int) -> None:
    net = read(name)
    assert net.inputs == {"data": (3, side, side)}
    assert len(net.layers) == layers
    assert len({layer.name for layer in net.layers}) == layers
    assert sum(shapes_and_parameters(net)[1].values()) == parameters
    last = net.layers[-1]
    assert (last.name, last.type, last.tops) == ("prob", "Softmax", ("prob",))


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("alexnet", {"conv1": (96, 55, 55), "norm1": (96, 55, 55), "pool2": (256, 13, 13), "pool5": (256, 6, 6)}),
        (
            "googlenet",
            {
                **{"conv1/7x7_s2": (64, 112, 112), "conv2/norm2": (192, 56, 56), "inception_3a/output": (256, 28, 28)},
                **{"inception_4e/output": (832, 14, 14), "inception_5b/output": (1024, 7, 7)},
                **{"pool5/7x7_s1": (1024, 1, 1), "loss3/classifier": (1000,), "prob": (1000,)},
            },
        ),
        ("squeezenet_v1.1", {"conv1": (64, 113, 113), "pool3": (128, 28, 28), "pool10": (1000, 1, 1)}),
        ("vgg16", {"conv1_2": (64, 224, 224), "pool4": (512, 14, 14), "pool5": (512, 7, 7), "fc7": (4096,)}),
    ],
)
def test_shapes_of_blobs(name: str, wanted: dict[str, Shape]) -> None:
    shapes, _ = shapes_and_parameters(read(name))
    assert {blob: shapes[blob] for blob in wanted} == wanted


@pytest.mark.parametrize(
    ("name", "types"),
    [
        (
            "alexnet",
            {"Convolution": 5, "ReLU": 7, "LRN": 2, "Pooling": 3, "InnerProduct": 3, "Dropout": 2, "Softmax": 1},
        ),
        (
            "googlenet",
            {
                **{"Convolution": 57, "ReLU": 57, "LRN": 2, "Pooling": 14, "Concat": 9},
                **{"InnerProduct": 1, "Dropout": 1, "Softmax": 1},
            },
        ),
        ("squeezenet_v1.1", {"Convolution": 26, "ReLU": 26, "Pooling": 4, "Concat": 8, "Dropout": 1, "Softmax": 1}),
        ("vgg16", {"Convolution": 13, "ReLU": 15, "Pooling": 5, "InnerProduct": 3, "Dropout": 2, "Softmax": 1}),
    ],
)
def test_types_of_layers(name: str, types: dict[str, int]) -> None:
    assert collections.Counter(layer.type for layer in read(name).layers) == types


@pytest.mark.parametrize("name", NAMES)
def test_rectifiers_and_dropout_work_in_place(name: str) -> None:
    layers = read(name).layers
    for previous, layer in zip(layers, layers[1:]):
        if layer.type in ("ReLU", "Dropout"):
            assert layer.bottoms == layer.tops == previous.tops


def test_alexnet_has_two_groups_and_normalises_before_it_pools() -> None:
    net = read("alexnet")
    groups = {
        layer.name: layer.params["convolution_param"].get("group", 1)
        for layer in net.layers[:15]
        if "conv" in layer.name
    }
    assert groups == {"conv1": 1, "conv2": 2, "conv3": 1, "conv4": 2, "conv5": 2}
    assert [layer.name for layer in net.layers[:4]] == ["conv1", "relu1", "norm1", "pool1"]


@pytest.mark.parametrize("name", NAMES)
def test_layers_are_those_of_the_recorded_facts(name: str, shared: Path) -> None:
    facts = json.loads((shared / "nets" / f"{name}.layers.json").read_text())
    layers_read: list[dict[str, object]] = [
        {"name": layer.name, "type": layer.type, "bottom": list(layer.bottoms), "top": list(layer.tops), **layer.params}
        for layer in read(name).layers
    ]
    assert layers_read == facts["layers"]
    assert {blob: list(shape) for blob, shape in read(name).inputs.items()} == facts["input"]


@pytest.mark.parametrize("name", NAMES)
def test_head_says_what_it_is(name: str) -> None:
    head = (MODELS / f"{name}.prototxt").read_text().split("\n\n")[0]
    assert re.fullmatch(r"(# .*\n)+# Weights: [\w.]+\.caffemodel\. .*parameters\.", head)
    assert re.search(r"(NIPS|CVPR|ICLR|arXiv:1602\.07360,) 20\d\d", head)
