"""What is Caffe's own about a net of layer records on torch."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.functions import GATE  # noqa: E402
from helpers.records import layer, net  # noqa: E402
from helpers.small_net import SHAPE, definition, images, make, weights  # noqa: E402

from predicdiff.errors import LayerError, WeightsError  # noqa: E402
from predicdiff.nets.caffe.records import Layer, NetSpec  # noqa: E402
from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.preprocessing import Preprocessing  # noqa: E402


def test_attributes() -> None:
    torch_net = make(labels=["a", "b", "c"], name="mine", training_instances=50)
    assert (torch_net.name, torch_net.input_shape, torch_net.scores, torch_net.output) == ("mine", SHAPE, "fc", "prob")
    assert (torch_net.labels, torch_net.training_instances) == (["a", "b", "c"], 50)
    assert list(torch_net.blobs.items()) == [("data", SHAPE), ("conv", (4, 4, 3)), ("fc", (3,)), ("prob", (3,))]
    assert (make().name, make().training_instances, make().labels) == ("net", 1_281_167, None)


WITHIN = {"norm_region": "WITHIN_CHANNEL"}


@pytest.mark.parametrize(
    ("record", "how"),
    [
        (layer("LRN", "data", "top", **WITHIN), "incremental"),
        (layer("Tile", "data", "top", tiles=2), "incremental"),
        (layer("Tile", "data", "top", axis=2, tiles=2), "incremental up to top (Tile)"),
        (layer("ArgMax", "data", "top", axis=1), "incremental"),
        (layer("ArgMax", "data", "top", axis=2), "incremental up to top (ArgMax)"),
        (layer("Scale", "data data", "top", axis=0), "incremental"),
        (layer("Scale", "data gate", "top", axis=0), "incremental up to top (Scale)"),
        (layer("Axpy", "mean data data", "top"), "incremental up to top (Axpy)"),
        (layer("Reduction", "data", "top", axis=2), "incremental up to top (Reduction)"),
        (layer("MVN", "data", "top"), "incremental up to top (MVN)"),
        (layer("SPP", "data", "top", pyramid_height=2), "incremental up to top (SPP)"),
        (layer("Permute", "data", "top", order=[0, 1, 2, 3]), "incremental"),
        (layer("Permute", "data", "top", order=[0, 1, 3, 2]), "incremental up to top (Permute)"),
    ],
)
def test_what_joins_all_places_is_named(record: Layer, how: str) -> None:
    assert CaffeTorchNet(net(SHAPE, *GATE, record), {}, device="cpu").evaluation("top") == how


def test_blobs_that_are_the_same_do_not_share_memory() -> None:
    spec = net(SHAPE, layer("Dropout", "data", "a"), layer("Split", "a", "b c"))
    values = CaffeTorchNet(spec, {}, device="cpu").forward(images(1, *SHAPE), ["data", "a", "b", "c"])
    values["a"][:] = 7
    assert all((values[name] != 7).all() for name in ("data", "b", "c"))


def test_a_blob_has_what_the_layers_in_place_left() -> None:
    inputs = images(2, *SHAPE)
    conv = make().forward(inputs, ["conv"])["conv"]
    assert conv.min() == 0
    bare = NetSpec("bare", {"data": SHAPE}, definition().layers[:1])
    before_relu = CaffeTorchNet(bare, weights(), device="cpu").forward(inputs, ["conv"])["conv"]
    np.testing.assert_allclose(conv, np.maximum(before_relu, 0), atol=1e-6)


def test_weights_are_copied() -> None:
    mine, inputs = weights(), images(1, *SHAPE)
    torch_net = CaffeTorchNet(definition(), mine, device="cpu")
    before = torch_net.forward(inputs, ["fc"])["fc"]
    for blobs in mine.values():
        for blob in blobs:
            blob[:] = 0
    np.testing.assert_array_equal(torch_net.forward(inputs, ["fc"])["fc"], before)


def test_weights_that_may_not_be_written_to() -> None:
    mine = weights()
    mine["fc"][0].flags.writeable = False
    assert CaffeTorchNet(definition(), mine, device="cpu").blobs["fc"] == (3,)


def test_bytes_per_input_counts_what_lives_at_one_time() -> None:
    torch_net = make()
    assert torch_net.bytes_per_input("conv") >= 4 * (90 + 48)
    assert torch_net.bytes_per_input("data") < torch_net.bytes_per_input("conv") <= torch_net.bytes_per_input("prob")


def test_weights_of_another_net() -> None:
    with pytest.raises(WeightsError, match=r"layer 'fc'.*in mine.caffemodel"):
        CaffeTorchNet(definition((3, 6, 6)), weights(), device="cpu", source="mine.caffemodel")


def test_a_net_with_two_inputs() -> None:
    with pytest.raises(LayerError, match=r"has the inputs data .*, more .*: want one"):
        CaffeTorchNet(NetSpec("two", {"data": SHAPE, "more": SHAPE}, ()), {}, device="cpu")


def test_provenance_tells_nets_apart() -> None:
    usual = make().provenance
    assert json.loads(json.dumps(usual)) == usual == make().provenance
    assert (usual["engine"], usual["engine_version"], usual["preprocessing"]) == ("torch", torch.__version__, None)
    other = CaffeTorchNet(definition(), weights(seed=1), device="cpu").provenance
    assert {key for key in usual if usual[key] != other[key]} == {"weights"}
    leaky = layer("ReLU", "conv", "conv", name="relu", negative_slope=0.1)
    layers = tuple(leaky if record.name == "relu" else record for record in definition().layers)
    other = CaffeTorchNet(NetSpec("net", {"data": SHAPE}, layers), weights(), device="cpu").provenance
    assert {key for key in usual if usual[key] != other[key]} == {"definition"}
    assert make(preprocessing=Preprocessing(channels="bgr")).provenance["preprocessing"]["channels"] == "bgr"


def test_a_layer_in_place_on_the_input() -> None:
    """The input's name stands for what the layer made of it."""
    twice = layer("Power", "data", "data", name="twice", scale=2)
    torch_net, inputs = CaffeTorchNet(net(SHAPE, twice), {}, device="cpu"), images(2, *SHAPE)
    np.testing.assert_allclose(torch_net.forward(inputs, ["data"])["data"], 2 * inputs)
    np.testing.assert_array_equal(torch_net.gradient(inputs[0], blob="data", unit=(0, 0, 0)).sum(), 2)
