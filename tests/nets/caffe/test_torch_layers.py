"""Every layer type against explicit loops or its formula, written out in float64 numpy."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from helpers import loops  # noqa: E402
from helpers.formulas import FORMULAS, WITH_WEIGHTS, X, draw  # noqa: E402
from helpers.functions import FORKS, OFFICIAL, SHAPE  # noqa: E402
from helpers.records import layer, net  # noqa: E402

from predicdiff.nets.caffe.graph import caffe_graph  # noqa: E402
from predicdiff.nets.caffe.layer_types import TYPES  # noqa: E402
from predicdiff.nets.caffe.records import Layer  # noqa: E402
from predicdiff.nets.caffe.resolved import resolve  # noqa: E402
from predicdiff.nets.caffe.torch_layers import LAYERS  # noqa: E402

LAYOUTS = (torch.contiguous_format, torch.channels_last)


def node(spec: Any, *weights: np.ndarray) -> Any:
    """What a net's last layer is in the graph."""
    resolved = resolve(spec)
    tensors = [torch.tensor(array, dtype=torch.float32) for array in weights]
    return caffe_graph(resolved, {resolved.steps[-1].layer.name: tensors}, torch.device("cpu")).nodes[-1]


def run(bottom: np.ndarray, record: Layer, *weights: np.ndarray, layout: Any = torch.contiguous_format) -> np.ndarray:
    """Run one layer on a batch (b, ...) given as all of its bottoms; the batch must come out unchanged."""
    spec = net(bottom.shape[1:], record)
    tensor = torch.tensor(bottom)
    tensor = tensor.contiguous(memory_format=layout) if tensor.dim() == 4 else tensor
    with torch.inference_mode():
        top = node(spec, *weights).run([tensor] * len(record.bottoms))
    np.testing.assert_array_equal(tensor.numpy(), bottom)
    assert tuple(top.shape[1:]) == resolve(spec).blobs["top"]
    return top.numpy()


def check(top: np.ndarray, wanted: Any) -> None:
    wanted = np.asarray(wanted)
    np.testing.assert_allclose(top, wanted, rtol=1e-5, atol=2e-6 * max(1.0, np.abs(wanted).max()))


def pairs(least: int, most: int) -> Any:
    return st.tuples(st.integers(least, most), st.integers(least, most))


def both(name: str, pair: tuple[int, int]) -> dict[str, int]:
    return {f"{name}_h": pair[0], f"{name}_w": pair[1]}


def test_every_known_type_can_be_computed() -> None:
    assert set(LAYERS) == set(TYPES)


@settings(max_examples=60)
@given(
    size=pairs(1, 7), kernel=pairs(1, 3), stride=pairs(1, 3), pad=pairs(0, 3), dilation=pairs(1, 2),
    group=st.integers(1, 2), channels=st.integers(1, 2), out=st.integers(1, 2), bias=st.booleans(),
    layout=st.sampled_from(LAYOUTS), batch=st.integers(1, 2),
)  # fmt: skip
def test_convolution(
    size: Any, kernel: Any, stride: Any, pad: Any, dilation: Any, group: int, channels: int, out: int, bias: bool,
    layout: Any, batch: int,
) -> None:  # fmt: skip
    assume(all(n + 2 * p > d * (k - 1) for n, p, d, k in zip(size, pad, dilation, kernel)))
    x = draw((batch, channels * group, *size))
    weight, offset = draw((out * group, channels, *kernel), 1), draw((out * group,), 2) * bias
    fields = {**both("kernel", kernel), **both("stride", stride), **both("pad", pad), "dilation": list(dilation)}
    record = layer("Convolution", "data", "top", num_output=out * group, group=group, bias_term=bias, **fields)
    top = run(x, record, weight, *([offset] if bias else []), layout=layout)
    check(top, [loops.convolution(image, weight, offset, stride, pad, dilation, group) for image in x])


NARROW = """
import numpy as np
from predicdiff.nets.caffe.prototxt import parse_prototxt
from predicdiff.nets.caffe.torch_net import CaffeTorchNet

TEXT = '''
input: "data" input_dim: 1 input_dim: 2 input_dim: 7 input_dim: 1
layer {
  name: "top" type: "Convolution" bottom: "data" top: "top"
  convolution_param {
    num_output: 4 group: 2 kernel_h: 3 kernel_w: 2 stride_h: 3 stride_w: 2 pad_h: 0 pad_w: 3 dilation: 1 dilation: 2
  }
}'''
net = CaffeTorchNet(parse_prototxt(TEXT, "narrow"), {"top": [np.ones((4, 1, 3, 2)), np.ones(4)]}, device="cpu")
image = np.ones((2, 7, 1), np.float32)
for _ in range(300):
    net.forward(np.stack([image, image]), ["top"])
    net.evaluate(image, np.zeros((2, 2), int), np.zeros((2, 1, 2, 1, 1)), blob="top", units=[(0,)], batch_size=2)
"""


def test_a_map_one_column_wide_does_not_end_the_process() -> None:
    """Of such torch 2.13 reads beyond its memory, if the channels are said to come last."""
    done = subprocess.run([sys.executable, "-c", NARROW], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@settings(max_examples=150)
@given(
    method=st.sampled_from(["MAX", "AVE"]), size=pairs(1, 8), kernel=pairs(1, 5), stride=pairs(1, 4), pad=pairs(0, 4),
    layout=st.sampled_from(LAYOUTS), rounded=st.sampled_from(["CEIL", "FLOOR"]),
)  # fmt: skip
def test_pooling(method: str, size: Any, kernel: Any, stride: Any, pad: Any, layout: Any, rounded: str) -> None:
    assume(all(p < k for p, k in zip(pad, kernel)))
    whole = math.ceil if rounded == "CEIL" else math.floor
    out = [whole((n + 2 * p - k) / s) + 1 for n, p, k, s in zip(size, pad, kernel, stride)]
    if any(pad):
        out = [o - 1 if (o - 1) * s >= n + p else o for o, n, p, s in zip(out, size, pad, stride)]
    assume(all(o >= 1 and (o - 1) * s < n + p for o, n, p, s in zip(out, size, pad, stride)))
    x = draw((2, 2, *size)) - 3  # negative, lest a padding of zeros pass for a maximum
    fields = {**both("kernel", kernel), **both("stride", stride), **both("pad", pad)}
    top = run(x, layer("Pooling", "data", "top", pool=method, round_mode=rounded, **fields), layout=layout)
    check(top, [loops.pooling(image, method, kernel, stride, pad, tuple(out)) for image in x])


@pytest.mark.parametrize(("method", "reduce"), [("MAX", np.max), ("AVE", np.mean)])
def test_global_pooling(method: str, reduce: Any) -> None:
    x = draw((2, 3, 5, 4))
    top = run(x, layer("Pooling", "data", "top", pool=method, global_pooling=True))
    check(top, reduce(x, axis=(2, 3), keepdims=True))


def test_pooling_sends_the_gradient_to_the_first_of_equals() -> None:
    pool = node(net((1, 2, 2), layer("Pooling", "data", "top", global_pooling=True)))
    x = torch.ones(1, 1, 2, 2, requires_grad=True)
    pool.run([x]).sum().backward()
    assert x.grad.flatten().tolist() == [1, 0, 0, 0]


@settings(max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 3)), size=st.sampled_from([1, 3, 5, 7]),
    beta=st.sampled_from([0.75, 0.5, 1.0]), k=st.sampled_from([1.0, 2.0]), alpha=st.sampled_from([1e-4, 0.05, 1.0]),
    batch=st.integers(1, 2), layout=st.sampled_from(LAYOUTS),
)  # fmt: skip
def test_lrn(shape: Any, size: int, beta: float, k: float, alpha: float, batch: int, layout: Any) -> None:
    x = 10 * draw((batch, *shape))
    top = run(x, layer("LRN", "data", "top", local_size=size, alpha=alpha, beta=beta, k=k), layout=layout)
    check(top, [loops.lrn(image.astype(np.float64), size, alpha, beta, k) for image in x])


@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn_of_half_precision_is_rounded_once(beta: float) -> None:
    x = torch.tensor(10 * draw((3, 7, 4, 5))).bfloat16()
    top = LAYERS["LRN"].run([x], (), size=5, alpha=0.5, beta=beta, k=1.0)
    assert top.dtype == torch.bfloat16
    wanted = np.array([loops.lrn(image, 5, 0.5, beta, 1.0) for image in x.double().numpy()])
    np.testing.assert_allclose(top.double().numpy(), wanted, rtol=2**-8 + 2**-20)


@pytest.mark.parametrize("name", ["lrn within channels", "mvn", "normalised place by place"])
def test_norms_of_half_precision_are_rounded_once(name: str) -> None:
    (record,), function, weights = {**OFFICIAL, **FORKS}[name]
    held = weights.get("top", [])
    half = [torch.tensor(array).bfloat16() for array in (10 * draw((1, *SHAPE)) + 300, *held)]
    top = node(net(SHAPE, record), *(array.float().numpy() for array in half[1:])).run([half[0]])
    assert top.dtype == torch.bfloat16
    exact = function(half[0][0].double().numpy())
    if held:
        exact = exact / held[0][:, None, None] * half[1].double().numpy()[:, None, None]
    np.testing.assert_allclose(top[0].double().numpy(), exact, rtol=2**-8 + 2**-16)


def test_lrn_has_the_same_gradient_by_difference_quotients() -> None:
    x = torch.tensor(draw((2, 6, 1, 2)), dtype=torch.float64, requires_grad=True)
    lrn = node(net((6, 1, 2), layer("LRN", "data", "top", alpha=0.5)))
    assert torch.autograd.gradcheck(lambda values: lrn.run([values]), (x,))


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), axis=st.integers(1, 3),
    transpose=st.booleans(), bias=st.booleans(), layout=st.sampled_from(LAYOUTS),
)  # fmt: skip
def test_inner_product(shape: Any, axis: int, transpose: bool, bias: bool, layout: Any) -> None:
    x, inside = draw((2, *shape)), math.prod(shape[axis - 1 :])
    weight, offset = draw((inside, 3) if transpose else (3, inside), 1), draw((3,), 2) * bias
    record = layer("InnerProduct", "data", "top", num_output=3, axis=axis, transpose=transpose, bias_term=bias)
    top = run(x, record, weight, *([offset] if bias else []), layout=layout)
    check(top, [loops.inner_product(image, weight, offset, axis - 1, transpose) for image in x])


@pytest.mark.parametrize("layout", LAYOUTS, ids=["nchw", "channels last"])
@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str, layout: Any) -> None:
    record, wanted = FORMULAS[name]
    check(run(X.astype(np.float32), record, layout=layout), wanted)


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_formula_with_weights(name: str) -> None:
    record, weights, wanted = WITH_WEIGHTS[name]
    check(run(X.astype(np.float32), record, *weights), wanted)


def test_maximum_of_different_blobs() -> None:
    maximum = node(net((3,), layer("Eltwise", "data data", "top", operation="MAX")))
    a, b = torch.tensor([[1.0, 5.0, 2.0]], requires_grad=True), torch.tensor([[4.0, 3.0, 2.0]], requires_grad=True)
    top = maximum.run([a, b])
    top.sum().backward()
    assert top.tolist() == [[4, 5, 2]]
    assert (a.grad.tolist(), b.grad.tolist()) == ([[0, 1, 0]], [[1, 0, 1]])  # equals: to the second, as in Caffe


def test_split_gives_each_reader_the_same() -> None:
    graph = caffe_graph(resolve(net((3,), layer("Split", "data", "a b c"))), {}, torch.device("cpu"))
    x = torch.tensor(draw((2, 3)))
    assert [torch.equal(top, x) for top in graph.run(x, [1, 2, 3]).values()] == [True] * 3


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_relu_writes_into_its_bottom_where_it_may(slope: float) -> None:
    relu = node(net((3, 2, 2), layer("ReLU", "data", "top", negative_slope=slope)))
    x = torch.tensor(X, dtype=torch.float32)
    top = relu.over([x])
    assert top.data_ptr() == x.data_ptr()
    check(top.numpy(), np.where(X > 0, X, slope * X))
