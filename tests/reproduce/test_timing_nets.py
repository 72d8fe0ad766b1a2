"""Nets as anyone would write them in torch, against ours; seeded weights; SqueezeNet's architecture."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from predicdiff.errors import DependencyError, SettingsError
from predicdiff.nets.caffe import resolved as layers
from predicdiff.nets.caffe.caffemodel import read_caffemodel
from predicdiff.nets.caffe.prototxt import read_prototxt
from predicdiff.nets.caffe.records import Layer, NetSpec

torch = pytest.importorskip("torch")

from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402


@pytest.fixture
def nets(module: Callable[[str], Any]) -> Any:
    return module("timing_nets")


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(nets: Any, spec: NetSpec, weights: Any, blobs: list[str]) -> None:
    """Plain layers give what our net gives."""
    inputs = draw(3, *next(iter(spec.inputs.values())), seed=1)
    net = CaffeTorchNet(spec, weights, device="cpu")
    wanted = net.forward(inputs, blobs)
    plain = nets.PlainNet(layers.resolve(spec), net.weights, torch.device("cpu"))
    for blob in blobs:
        with torch.inference_mode():
            values = plain(torch.from_numpy(inputs), blob).numpy()
        np.testing.assert_allclose(values, wanted[blob], rtol=1e-4, atol=1e-5 * np.abs(wanted[blob]).max())


def test_every_blob_of_the_tiny_net(nets: Any, data: Path) -> None:
    spec = read_prototxt(data / "tiny_v1.prototxt")
    blobs = [blob for blob in layers.resolve(spec).blobs if blob != "data"]
    check(nets, spec, read_caffemodel(data / "tiny_v1.caffemodel"), blobs)


RECORDS = {
    "grouped, strided convolution": ("Convolution", {"num_output": 4, "kernel_size": [3], "stride": [2], "group": 2}),
    "padded convolution without bias": (
        "Convolution",
        {"num_output": 3, "kernel_size": [3], "pad": [1], "bias_term": False},
    ),
    "dilated convolution": ("Convolution", {"num_output": 2, "kernel_size": [2], "dilation": [2]}),
    "largest, rounded up": ("Pooling", {"pool": "MAX", "kernel_size": 3, "stride": 2}),
    "mean with padding": ("Pooling", {"pool": "AVE", "kernel_size": 3, "stride": 2, "pad": 1}),
    "mean of all": ("Pooling", {"pool": "AVE", "global_pooling": True}),
    "normalisation": ("LRN", {"local_size": 3, "alpha": 0.5, "beta": 0.75, "k": 2.0}),
    "rectifier": ("ReLU", {}),
    "leaking rectifier": ("ReLU", {"negative_slope": 0.25}),
    "linear": ("InnerProduct", {"num_output": 5}),
    "linear, transposed, without bias": ("InnerProduct", {"num_output": 5, "transpose": True, "bias_term": False}),
    "softmax over channels": ("Softmax", {}),
    "softmax over rows": ("Softmax", {"axis": 2}),
    "dropout": ("Dropout", {"dropout_ratio": 0.5}),
    "channels one after the other": ("Concat", {}),
    "rows one below the other": ("Concat", {"axis": 2}),
}
GROUPS = {"InnerProduct": "inner_product_param"}


@pytest.mark.parametrize("title", RECORDS)
def test_each_layer_type(title: str, nets: Any) -> None:
    kind, fields = RECORDS[title]
    bottoms = ("data", "data") if kind == "Concat" else ("data",)
    group = GROUPS.get(kind, f"{kind.lower()}_param")
    spec = NetSpec("one", {"data": (4, 8, 7)}, (Layer("top", kind, bottoms, ("top",), {group: fields}),))
    (step,) = layers.resolve(spec).steps
    weights = {"top": [draw(*shape, seed=i) for i, shape in enumerate(step.shapes.weights)]}
    check(nets, spec, weights, ["top"])


def test_each_type_that_is_known_is_tested(nets: Any) -> None:
    assert {kind for kind, _ in RECORDS.values()} == set(nets.LAYERS)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "vgg16", "squeezenet"])
def test_layers_of_the_nets_are_known(name: str, nets: Any, models: Path) -> None:
    assert {layer.type for layer in read_prototxt(models / f"{name}.prototxt").layers} <= set(nets.LAYERS)


def test_another_type_is_refused(nets: Any) -> None:
    spec = NetSpec("one", {"data": (4, 8, 7)}, (Layer("bent", "TanH", ("data",), ("bent",), {}),))
    with pytest.raises(SettingsError, match=r"'bent' \(TanH\) has no plain counterpart.*want a net of Concat, Conv"):
        nets.PlainNet(layers.resolve(spec), {}, torch.device("cpu"))


def test_a_module_is_itself_in_its_usual_layout(nets: Any) -> None:
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 6 * 6, 5)
    )
    module.to(memory_format=torch.channels_last)
    net = ModuleNet(module, input_shape=(3, 8, 8), device="cpu")
    plain = nets.plain(nets.Timed("module", net, "own", None))
    inputs = draw(2, 3, 8, 8)
    wanted = net.forward(inputs, ["logits", "prob"])
    for blob in ("logits", "prob"):
        with torch.inference_mode():
            values = plain(torch.from_numpy(inputs), blob).numpy()
        np.testing.assert_allclose(values, wanted[blob], rtol=1e-5, atol=1e-6)
    assert module[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_seeded_weights_fit_and_follow_the_seed(nets: Any, data: Path) -> None:
    plan = layers.resolve(read_prototxt(data / "tiny_v1.prototxt"))
    first, again, other = nets.seeded(plan, 3), nets.seeded(plan, 3), nets.seeded(plan, 4)
    assert set(layers.check_weights(plan, first)) == {"conv1", "conv2a", "conv2b", "fc"}
    for layer in ("conv1", "fc"):
        np.testing.assert_array_equal(first[layer][0], again[layer][0])
        assert not np.array_equal(first[layer][0], other[layer][0])
    inside = math.prod(first["fc"][0].shape[1:])
    assert first["fc"][0].std() == pytest.approx(math.sqrt(2 / inside), rel=0.2)
    assert first["conv1"][0].std() == pytest.approx(math.sqrt(2 / 75) / 60, rel=0.2)  # they read pixels


def test_squeezenet_has_the_published_size(models: Path) -> None:
    plan = layers.resolve(read_prototxt(models / "squeezenet.prototxt"))
    count = sum(math.prod(shape) for step in plan.steps for shape in step.shapes.weights)
    assert (plan.input_shape, count) == ((3, 227, 227), 1_248_424)
    wanted = {
        **{"conv1": (96, 111, 111), "pool1": (96, 55, 55), "fire4/concat": (256, 55, 55), "pool4": (256, 27, 27)},
        **{"fire8/concat": (512, 27, 27), "pool8": (512, 13, 13), "conv10": (1000, 15, 15), "prob": (1000, 1, 1)},
    }
    assert {blob: plan.blobs[blob] for blob in wanted} == wanted


def test_squeezenet_has_the_recorded_layers(models: Path, shared: Path) -> None:
    facts = json.loads((shared / "nets" / "squeezenet_v1.0.layers.json").read_text())
    layers_read = [
        {"name": layer.name, "type": layer.type, "bottom": list(layer.bottoms), "top": list(layer.tops), **layer.params}
        for layer in read_prototxt(models / "squeezenet.prototxt").layers
    ]
    assert layers_read == facts["layers"]


def test_a_modules_seeded_weights_keep_activations_near_one(nets: Any) -> None:
    def filled(seed: int) -> Any:
        module = torch.nn.Sequential(
            torch.nn.Conv2d(3, 40, 5), torch.nn.ReLU(), torch.nn.Conv2d(40, 40, 5), torch.nn.BatchNorm2d(40),
            torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(40 * 64, 100),
        )  # fmt: skip
        return nets.seeded_module(module, seed)

    one, again, other = filled(3), filled(3), filled(4)
    assert torch.equal(one[2].weight, again[2].weight)
    assert not torch.equal(one[2].weight, other[2].weight)
    assert not one.training
    with torch.inference_mode():
        activations = one(torch.from_numpy(draw(4, 3, 16, 16)) * nets.PIXELS)
    assert 0.5 < float(activations.std()) < 3


def test_torchvisions_nets(nets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(DependencyError, match="resnet18 is torchvision's, which is not installed: pip install torchv"):
        nets.definition("resnet18")
    monkeypatch.undo()
    pytest.importorskip("torchvision.models")
    assert nets.definition("resnet18") is None
    timed = nets.load("resnet18", seed=0, device="cpu")
    assert (timed.net.input_shape, timed.weights) == ((3, 224, 224), "seeded")
    assert timed.net.blobs["layer4.1"] == (512, 7, 7)
