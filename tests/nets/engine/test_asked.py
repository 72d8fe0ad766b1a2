"""The last layers for some channels alone: which weights are cut, and that the values stay what they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers.random_caffe import specs, weights  # noqa: E402
from helpers.random_modules import modules  # noqa: E402
from helpers.records import layer, net  # noqa: E402
from torch import nn  # noqa: E402

from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.engine.asked import only  # noqa: E402
from predicdiff.nets.engine.folding import folded  # noqa: E402
from predicdiff.nets.engine.graph import Graph  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (2, 7, 6)
CONV = layer("Convolution", "data", "conv", num_output=4, kernel_size=[3])


def caffe(*records: Any) -> CaffeTorchNet:
    spec = net(SHAPE, *records)
    return CaffeTorchNet(spec, weights(spec, np.random.default_rng(0)), device="cpu")


def module(*children: nn.Module) -> ModuleNet:
    torch.manual_seed(0)
    return ModuleNet(nn.Sequential(*children), input_shape=SHAPE, device="cpu")


def cut(torch_net: Any, blob: str, channels: list[int], start: str | None = None) -> tuple[Graph, Graph, int]:
    """A net's graph before and after, and the number of the blob."""
    whole, source, target = torch_net._graph(start, blob)
    whole = folded(whole, {source, target})
    return whole, only(whole, source, target, channels), target


def agree(torch_net: Any, blob: str, channels: list[int], *, cuts: bool = True, rounding: float = 1e-5) -> Graph:
    """Hold the cut graph's values against the dense pass of the net, whose every channel is computed."""
    whole, less, target = cut(torch_net, blob, channels)
    assert (less is not whole) == cuts
    inputs = torch.randn(3, *torch_net.input_shape, generator=torch.Generator().manual_seed(1))
    with torch_net._ready(), torch.no_grad():
        values = less.run(inputs, [target])[target]
    wanted = torch_net.forward(inputs.numpy(), [blob])[blob]
    wanted = wanted[:, channels] if cuts else wanted
    assert tuple(values.shape[1:]) == tuple(less.shapes[target])
    np.testing.assert_allclose(values.numpy(), wanted, rtol=rounding, atol=rounding * np.abs(wanted).max())
    return less


TAILS = {
    "convolution": [CONV],
    "rectifier in place": [CONV, layer("ReLU", "conv", "conv", name="relu")],
    "pooling": [CONV, layer("ReLU", "conv", "r"), layer("Pooling", "r", "p", pool="AVE", kernel_size=[3], pad=[1])],
    "norm": [CONV, layer("BatchNorm", "conv", "n"), layer("Scale", "n", "s"), layer("ELU", "s", "e")],
    "linear": [CONV, layer("InnerProduct", "conv", "f", num_output=5)],
    "without bias": [layer("InnerProduct", "data", "f", num_output=5, bias_term=False), layer("TanH", "f", "t")],
    "transposed": [CONV, layer("InnerProduct", "conv", "f", num_output=5, transpose=True)],
    "dropout": [layer("InnerProduct", "data", "f", num_output=5), layer("Dropout", "f", "f", name="d"),
                layer("Sigmoid", "f", "s")],
}  # fmt: skip


@pytest.mark.parametrize("channels", [[0], [1, 3], [0, 1, 2]])
@pytest.mark.parametrize("tail", TAILS)
def test_layers_of_caffe(tail: str, channels: list[int]) -> None:
    torch_net = caffe(*TAILS[tail])
    agree(torch_net, list(torch_net.blobs)[-1], channels)


MODULES = {
    "logits": ([nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(60, 5)], "logits"),
    "rectifier": ([nn.Conv2d(2, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(80, 5)], "1"),
    "norm": ([nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Hardswish(), nn.MaxPool2d(2), nn.Flatten()], "3"),
    "hidden linear": ([nn.Flatten(), nn.Linear(84, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 5)], "3"),
}


@pytest.mark.parametrize("channels", [[1], [0, 3]])
@pytest.mark.parametrize("name", MODULES)
def test_modules_of_torch(name: str, channels: list[int]) -> None:
    children, blob = MODULES[name]
    agree(module(*children), blob, channels)


def test_sigmoids_stand_by_themselves() -> None:
    torch_net = ModuleNet(
        nn.Sequential(nn.Flatten(), nn.Linear(84, 5)), input_shape=SHAPE, output="sigmoid", device="cpu"
    )
    agree(torch_net, "prob", [2])


def test_functions_of_a_module() -> None:
    class Functions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.last = nn.Conv2d(2, 4, 3), nn.Identity()

        def forward(self, x: Any) -> Any:
            return self.last(nn.functional.max_pool2d(nn.functional.relu(self.conv(x), inplace=True), 2) * 2)

    agree(ModuleNet(Functions(), input_shape=SHAPE, output="activation", device="cpu"), "last", [3])


def test_branches_that_are_not_asked_for_are_left_out() -> None:
    torch_net = caffe(
        CONV, layer("Convolution", "data", "other", num_output=3, kernel_size=[3]), layer("ReLU", "other", "r"),
        layer("Convolution", "conv", "deep", num_output=2, kernel_size=[1]), layer("Concat", "deep r conv", "all"),
    )  # fmt: skip
    less = agree(torch_net, "all", [2, 4])
    assert [node.name for node in less.path(less.input, less.values["all"])] == ["other", "r", "all"]
    assert [node.work for node in less.path(less.input, less.values["all"])] == [2 * 18, 0, 0]
    agree(torch_net, "all", [0, 4])
    agree(torch_net, "all", [2, 3, 4])
    # conv is read by two: its weights stay whole, and so does all
    agree(torch_net, "all", [0, 6], cuts=False)


UNCUT = {
    "softmax": [layer("InnerProduct", "data", "f", num_output=5), layer("Softmax", "f", "p")],
    "groups": [layer("Convolution", "data", "c", num_output=4, kernel_size=[3], group=2)],
    "normalisation": [CONV, layer("LRN", "conv", "n")],
    "slopes": [CONV, layer("PReLU", "conv", "n")],
    "sum": [CONV, layer("Convolution", "data", "d", num_output=4, kernel_size=[3]), layer("Eltwise", "conv d", "s")],
    "no weights": [layer("ReLU", "data", "r")],
    "rows": [layer("InnerProduct", "data", "f", num_output=5, axis=2)],
}


@pytest.mark.parametrize("tail", UNCUT)
def test_what_cannot_be_cut_stays_whole(tail: str) -> None:
    torch_net = caffe(*UNCUT[tail])
    agree(torch_net, list(torch_net.blobs)[-1], [1], cuts=False)


def test_all_channels_leave_the_graph_as_it_is() -> None:
    agree(caffe(CONV), "conv", [0, 1, 2, 3], cuts=False)


def test_nothing_is_cut_before_a_hidden_start() -> None:
    torch_net = caffe(CONV, layer("ReLU", "conv", "r"), layer("InnerProduct", "r", "f", num_output=5))
    whole, less, _ = cut(torch_net, "r", [1], start="conv")
    assert less is whole
    whole, less, target = cut(torch_net, "f", [1], start="conv")
    assert less.shapes[target] == (1,)
    branches = caffe(CONV, layer("Convolution", "data", "other", num_output=3, kernel_size=[3]),
                     layer("Convolution", "conv", "deep", num_output=2, kernel_size=[1]),
                     layer("Concat", "deep other", "all"))  # fmt: skip
    whole, less, _ = cut(branches, "all", [3], start="conv")
    assert less is whole, "no channel that is asked for sees the start"


def test_work_that_is_spared_counts_as_dense() -> None:
    torch_net = caffe(CONV, layer("ReLU", "conv", "r"), layer("InnerProduct", "r", "f", num_output=5))
    image, patches = np.zeros(SHAPE, np.float32), np.ones((1, 3, 2, 7, 6), np.float32)[..., :6, :]
    ask: dict[str, Any] = {"blob": "f", "units": [(1,), (4,)], "batch_size": 3}
    torch_net.evaluate(image, np.array([[0, 0]]), patches, **ask)
    convolution, linear = 4 * 18 * 20, 80
    assert torch_net.work.done == 3 * (convolution + 2 * linear)
    assert torch_net.work.dense == 3 * (convolution + 5 * linear)


@pytest.mark.parametrize("blob", ["logits", "1"])
def test_weights_that_change_are_cut_anew(blob: str) -> None:
    torch_net = module(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 5))
    image, patches = np.ones(SHAPE, np.float32), np.zeros((1, 1, 2, 2, 2), np.float32)
    ask: dict[str, Any] = {"blob": blob, "units": [(2,)], "batch_size": 1}
    changed = image.copy()
    changed[:, 1:3, 1:3] = 0
    for _ in range(2):
        with torch.no_grad():
            for tensor in torch_net.module.parameters():
                tensor += 0.1
        value = torch_net.evaluate(image, np.array([[1, 1]]), patches, **ask)[0, 0, 0]
        wanted = torch_net.forward(changed[None], [blob])[blob][0, 2].mean()
        np.testing.assert_allclose(value, wanted, rtol=1e-5)


@settings(max_examples=60)
@given(data=st.data())
def test_random_nets(data: st.DataObject) -> None:
    spec = data.draw(specs())
    torch_net = CaffeTorchNet(spec, weights(spec, np.random.default_rng(data.draw(st.integers(0, 99)))), device="cpu")
    random_channels(data, torch_net, data.draw(st.sampled_from(list(torch_net.blobs))))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@settings(max_examples=60)
@given(data=st.data())
def test_random_modules(data: st.DataObject) -> None:
    torch_net = ModuleNet(data.draw(modules((2, 8, 7))), input_shape=(2, 8, 7), output="activation", device="cpu")
    random_channels(data, torch_net, data.draw(st.sampled_from(list(torch_net.blobs))))


def random_channels(data: st.DataObject, torch_net: Any, blob: str) -> None:
    several = st.integers(0, torch_net.blobs[blob][0] - 1)
    channels = sorted(data.draw(st.sets(several, min_size=1)))
    whole, less, _ = cut(torch_net, blob, channels)
    agree(torch_net, blob, channels, cuts=less is not whole, rounding=1e-4)
