"""Scaling of channels, taken into the convolution before it: fewer nodes, the same values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from helpers.records import layer, net  # noqa: E402
from torch import nn  # noqa: E402

from predicdiff.nets.caffe.torch_net import CaffeTorchNet  # noqa: E402
from predicdiff.nets.engine.folding import folded  # noqa: E402
from predicdiff.nets.engine.graph import Graph, Node  # noqa: E402
from predicdiff.nets.modules.net import ModuleNet  # noqa: E402

SHAPE = (3, 7, 6)


def caffe(*, bias: bool = True) -> CaffeTorchNet:
    spec = net(
        SHAPE,
        layer("Convolution", "data", "conv", num_output=4, kernel_size=[3], bias_term=bias),
        layer("BatchNorm", "conv", "conv", name="norm"),
        layer("Scale", "conv", "conv", name="scale", bias_term=True),
        layer("ReLU", "conv", "conv", name="relu"),
        layer("Convolution", "conv", "top", num_output=2, kernel_size=[1]),
        layer("Bias", "top", "bias"),
    )
    draw = np.random.default_rng(0).standard_normal
    own = [draw((4, 3, 3, 3)), draw(4)] if bias else [draw((4, 3, 3, 3))]
    weights = {
        "conv": own,
        "norm": [draw(4), draw(4) ** 2 + 0.1, np.array([2.0])],
        "scale": [draw(4), draw(4)],
        "top": [draw((2, 4, 1, 1)), draw(2)],
        "bias": [draw(2)],
    }
    arrays = {name: [array.astype(np.float32) for array in blobs] for name, blobs in weights.items()}
    return CaffeTorchNet(spec, arrays, device="cpu")


def module() -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2, stride=2),
        nn.BatchNorm2d(4, affine=False), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip
    for child in layers:
        if isinstance(child, nn.BatchNorm2d):
            child.running_mean.uniform_(-1, 1)
            child.running_var.uniform_(0.5, 2)
    return layers.eval()


def whole(torch_net: Any, blob: str) -> tuple[Graph, int, int]:
    graph, source, target = torch_net._graph(None, blob)
    return graph, source, target


@pytest.mark.parametrize("bias", [True, False])
def test_norms_of_caffe_go_into_the_convolution(bias: bool) -> None:
    graph, source, target = whole(caffe(bias=bias), "bias")
    fewer = folded(graph, {source, target})
    assert [node.operation for node in fewer.nodes] == ["Convolution+BatchNorm+Scale", "ReLU", "Convolution+Bias"]
    inputs = torch.randn(2, *SHAPE)
    torch.testing.assert_close(fewer.run(inputs, [target])[target], graph.run(inputs, [target])[target])


def test_norms_of_modules_go_into_the_convolution() -> None:
    torch_net = ModuleNet(module(), input_shape=SHAPE, device="cpu")
    graph, source, target = whole(torch_net, "logits")
    fewer = folded(graph, {source, target})
    names = [node.operation for node in fewer.nodes]
    assert names[:3] == ["Conv2d+BatchNorm2d", "ReLU", "Conv2d+BatchNorm2d"]
    with torch.no_grad():
        inputs = torch.randn(2, *SHAPE)
        torch.testing.assert_close(fewer.run(inputs, [target])[target], torch_net.module(inputs), rtol=1e-5, atol=1e-6)


def test_what_is_kept_or_read_twice_stays() -> None:
    torch_net = caffe()
    graph, source, _ = whole(torch_net, "bias")
    first = graph.nodes[0].writes
    assert folded(graph, {source, first}).nodes[0].operation == "Convolution"
    spec = net(
        SHAPE,
        layer("Convolution", "data", "conv", num_output=2, kernel_size=[1]),
        layer("Scale", "conv", "scaled"),
        layer("Eltwise", "conv scaled", "sum"),
    )
    weights = {"conv": [np.ones((2, 3, 1, 1)), np.ones(2)], "scaled": [np.ones(2)]}
    twice, source, target = whole(CaffeTorchNet(spec, weights, device="cpu"), "sum")
    assert len(folded(twice, {source, target}).nodes) == 3


def test_weights_are_asked_for_once_and_not_before_a_graph_runs() -> None:
    graph, source, target = whole(caffe(), "bias")
    asked = []

    def noted(node: Node) -> Node:
        affine = node.affine
        return node if affine is None else replace(node, affine=lambda: (asked.append(node.operation), affine())[1])

    fewer = folded(replace(graph, nodes=tuple(map(noted, graph.nodes))), {source, target})
    assert asked == []
    for _ in range(2):
        fewer.run(torch.randn(2, *SHAPE), [target])
    assert asked == ["BatchNorm", "Scale", "Bias"]


def test_estimates_are_those_of_the_folded_graph() -> None:
    """A convolution's own output is not kept where a norm is folded into it."""
    torch_net = ModuleNet(module(), input_shape=SHAPE, device="cpu")
    fixed, _ = torch_net.bytes_needed("logits", start=None, window=2)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in torch_net.module.state_dict().values())
    maps = 3 * 7 * 6 + 2 * 4 * 7 * 6 + 4 * 3 * 2 + 24 + 2 * 3  # the input, two maps, one behind a stride, vectors
    bordered = 3 * 9 * 8 + 4 * 7 * 6
    assert fixed == weights + 4 * (maps + bordered)


def test_a_module_that_is_changed_is_folded_anew() -> None:
    torch_net = ModuleNet(module(), input_shape=SHAPE, device="cpu")
    ask: dict[str, Any] = {"blob": "logits", "units": [(0,)], "batch_size": 8}
    image = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    origins, patches = np.array([[2, 2]]), np.zeros((1, 2, 3, 2, 2), np.float32)
    before = torch_net.evaluate(image, origins, patches, **ask)
    with torch.no_grad():
        torch_net.module[1].weight.mul_(3)
        torch_net.module[0].weight.mul_(-1)
    after = torch_net.evaluate(image, origins, patches, **ask)
    assert np.abs(after - before).max() > 1e-3
    changed = image.copy()
    changed[:, 2:4, 2:4] = 0
    np.testing.assert_allclose(after[0, 0, 0], torch_net.forward(changed[None], ["logits"])["logits"][0, 0], rtol=1e-4)
