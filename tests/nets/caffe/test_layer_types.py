"""Each type's shapes against counting; its refusals by their words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from helpers.records import layer, net
from hypothesis import given, settings
from hypothesis import strategies as st

from predicdiff.errors import LayerError
from predicdiff.nets.caffe.layer_types import TYPES
from predicdiff.nets.caffe.records import Layer
from predicdiff.nets.caffe.resolved import resolve

IMAGE = (4, 6, 5)


def top_shape(bottom: tuple[int, ...], kind: str, **fields: Any) -> tuple[int, ...]:
    """Shape that one layer makes of a blob."""
    return resolve(net(bottom, layer(kind, "data", "top", **fields))).blobs["top"]


@given(
    size=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    pad=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.integers(1, 3),
)
def test_convolution_counts_kernels_that_fit(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], pad: tuple[int, int], dilation: int
) -> None:
    spans = [dilation * (k - 1) + 1 for k in kernel]
    counts = tuple(len(range(0, n + 2 * p - e + 1, s)) for n, p, e, s in zip(size, pad, spans, stride))
    fields = {
        "num_output": 2, "kernel_h": kernel[0], "kernel_w": kernel[1], "stride_h": stride[0], "stride_w": stride[1],
        "pad_h": pad[0], "pad_w": pad[1], "dilation": [dilation],
    }  # fmt: skip
    if 0 in counts:
        with pytest.raises(LayerError, match=r"kernel that spans .* larger than its input"):
            top_shape((3, *size), "Convolution", **fields)
    else:
        assert top_shape((3, *size), "Convolution", **fields) == (2, *counts)


@given(size=st.integers(1, 14), kernel=st.integers(1, 5), stride=st.integers(1, 5), pad=st.integers(0, 4))
def test_pooling_windows_cover_the_input_and_begin_inside(size: int, kernel: int, stride: int, pad: int) -> None:
    """As many windows as it takes to reach the far padding's end; with padding, none that begins beyond the input."""
    starts = [-pad]
    while starts[-1] + kernel < size + pad:
        starts.append(starts[-1] + stride)
    if pad and starts[-1] >= size:
        del starts[-1]
    fields = {"kernel_size": kernel, "stride": stride, "pad": pad}
    if pad >= kernel:
        with pytest.raises(LayerError, match="less than the kernel"):
            top_shape((1, size, 20), "Pooling", **fields)
    elif kernel > size + 2 * pad and -((kernel - size - 2 * pad) // stride) + 1 < 1:
        with pytest.raises(LayerError, match="larger than its input"):
            top_shape((1, size, size), "Pooling", **fields)
    elif starts[-1] >= size:
        with pytest.raises(LayerError, match="last window lies wholly outside"):
            top_shape((1, size, size), "Pooling", **fields)
    else:
        assert top_shape((1, size, size), "Pooling", **fields) == (1, len(starts), len(starts))


@given(size=st.integers(1, 14), kernel=st.integers(1, 5), stride=st.integers(1, 5), pad=st.integers(0, 4))
@pytest.mark.parametrize("word", [{"round_mode": "FLOOR"}, {"ceil_mode": False}])
def test_pooling_that_rounds_down_has_windows_within_the_padding(
    word: dict[str, Any], size: int, kernel: int, stride: int, pad: int
) -> None:
    count = len(range(0, size + 2 * pad - kernel + 1, stride))
    fields = {"kernel_size": kernel, "stride": stride, "pad": pad, **word}
    if pad >= kernel or count == 0:
        with pytest.raises(LayerError, match=r"(less than the kernel|larger than its input)"):
            top_shape((1, size, size), "Pooling", **fields)
    else:
        assert top_shape((1, size, size), "Pooling", **fields) == (1, count, count)


@pytest.mark.parametrize(
    ("kind", "fields", "wanted"),
    [
        ("Pooling", {"global_pooling": True}, (4, 1, 1)),
        ("Pooling", {"global_pooling": True, "round_mode": "FLOOR"}, (4, 1, 1)),
        ("Pooling", {"kernel_size": 3, "stride": 2, "ceil_mode": True}, (4, 3, 2)),
        ("InnerProduct", {"num_output": 7}, (7,)),
        ("InnerProduct", {"num_output": 7, "axis": 2}, (4, 7)),
        ("InnerProduct", {"num_output": 7, "axis": -1}, (4, 6, 7)),
        ("Flatten", {}, (120,)),
        ("Flatten", {"axis": 2}, (4, 30)),
        ("Flatten", {"axis": 1, "end_axis": 2}, (24, 5)),
        ("Flatten", {"axis": -3, "end_axis": -2}, (24, 5)),
        ("Reshape", {"shape": {"dim": [0, -1]}}, (120,)),
        ("Reshape", {"shape": {"dim": [0, 0, -1]}}, (4, 30)),
        ("Reshape", {"shape": {"dim": [-1, 8, 15]}}, (8, 15)),
        ("Reshape", {"shape": {"dim": [1, 8, 15]}}, (8, 15)),
        ("Reshape", {"shape": {"dim": [2, 2]}, "axis": 1, "num_axes": 1}, (2, 2, 6, 5)),
        ("Reshape", {"shape": {"dim": [1]}, "axis": 4}, (4, 6, 5, 1)),
        ("Reshape", {"shape": {"dim": [1]}, "axis": -1}, (4, 6, 5, 1)),
        ("Reshape", {"shape": {"dim": [30]}, "axis": 2}, (4, 30)),
        ("Softmax", {"axis": -1}, IMAGE),
        ("Deconvolution", {"num_output": 2, "kernel_size": [4], "stride": [2], "pad": [1]}, (2, 12, 10)),
        ("Deconvolution", {"num_output": 2, "kernel_size": [3, 1], "dilation": [2], "stride": [3, 1]}, (2, 20, 5)),
        ("LRN", {"local_size": 3}, IMAGE),
        ("Dropout", {"dropout_ratio": 0.5}, IMAGE),
        ("ArgMax", {}, (1, 1, 1)),
        ("ArgMax", {"top_k": 3, "out_max_val": True}, (2, 3, 1)),
        ("ArgMax", {"top_k": 2, "axis": -1}, (4, 6, 2)),
        ("Reduction", {"axis": 2}, (4,)),
        ("SPP", {"pyramid_height": 1}, (4, 1, 1)),
        ("SPP", {"pyramid_height": 2}, (20,)),
        ("Tile", {"axis": 3, "tiles": 2}, (4, 6, 10)),
        ("Permute", {"order": [0, 2]}, (6, 4, 5)),
    ],
)
def test_shapes(kind: str, fields: dict[str, Any], wanted: tuple[int, ...]) -> None:
    assert top_shape(IMAGE, kind, **fields) == wanted


def test_concat_adds_up_along_its_axis() -> None:
    first, second = layer("ReLU", "data", "a"), layer("Convolution", "data", "b", num_output=3, kernel_size=[1])
    assert resolve(net(IMAGE, first, second, layer("Concat", "a b", "c"))).blobs["c"] == (7, 6, 5)
    assert resolve(net(IMAGE, layer("Concat", "data data", "c", concat_dim=3))).blobs["c"] == (4, 6, 10)


@pytest.mark.parametrize(
    ("kind", "fields", "shapes"),
    [
        ("Convolution", {"num_output": 6, "kernel_size": [3, 2], "group": 2}, ((6, 2, 3, 2), (6,))),
        ("Convolution", {"num_output": 6, "kernel_size": [1], "bias_term": False}, ((6, 4, 1, 1),)),
        ("Deconvolution", {"num_output": 6, "kernel_size": [3, 2], "group": 2}, ((4, 3, 3, 2), (6,))),
        ("InnerProduct", {"num_output": 7}, ((7, 120), (7,))),
        ("InnerProduct", {"num_output": 7, "transpose": True, "bias_term": False}, ((120, 7),)),
        ("BatchNorm", {}, ((4,), (4,), (1,))),
        ("BatchNorm", {"scale_bias": True}, ((4,), (4,), (1,), (4,), (4,))),
        ("BN", {"eps": 0.1}, ((4,),) * 4),
        ("BN", {"bn_mode": "INFERENCE"}, ((4,),) * 2),
        ("Normalize", {}, ((),)),
        ("Normalize", {"channel_shared": False}, ((4,),)),
        ("ConvolutionDepthwise", {"num_output": 4, "kernel_size": [3]}, ((4, 1, 3, 3), (4,))),
        ("Scale", {}, ((4,),)),
        ("Scale", {"bias_term": True, "axis": 2, "num_axes": 2}, ((6, 5), (6, 5))),
        ("Scale", {"num_axes": 0}, ((),)),
        ("Bias", {"num_axes": -1}, (IMAGE,)),
        ("PReLU", {}, ((4,),)),
        ("PReLU", {"channel_shared": True}, ((),)),
    ],
)
def test_shapes_of_weights(kind: str, fields: dict[str, Any], shapes: tuple[Any, ...]) -> None:
    assert resolve(net(IMAGE, layer(kind, "data", "top", **fields))).steps[0].shapes.weights == shapes


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            layer("MarginInnerProduct", "data", "x"),
            r"'x' is of type 'MarginInnerProduct', which .*here\. Want a type of",
        ),
        (
            layer("innerproduct", "data", "x"),
            r"'innerproduct', .* known here\. Do you mean InnerProduct\? Want a type of",
        ),
        (layer("SoftmaxWithLoss", "data", "loss"), "'SoftmaxWithLoss', which belongs to training: .*what reads it"),
        (layer("LSTM", "data data", "x"), "'LSTM', which reads a sequence: want a net that reads images"),
        (layer("Parameter", "", "x"), "'Parameter', which hands its weights on: want them among"),
        (layer("ImageData", "", "x"), "'ImageData', which belongs to training"),
        (layer("Accuracy", "data data", "a"), "'Accuracy', which belongs to training"),
        (layer("ReLU", "data data", "a"), "has 2 bottoms, want 1"),
        (layer("ReLU", "data", "a b"), "has 2 tops, want 1"),
        (layer("Eltwise", "data", "a"), "has 1 bottoms, want at least 2"),
        (layer("Concat", "", "a"), "has 0 bottoms, want at least 1"),
        (layer("Convolution", "data", "a", kernel_size=[3]), r"'a' \(Convolution\) has no num_output"),
        (layer("Convolution", "data", "a", num_output=2), "has no kernel_size"),
        (layer("Convolution", "data", "a", num_output=2, kernel_h=2), "has no kernel_w"),
        (layer("Convolution", "data", "a", num_output=2, kernel_size=[3], kernel_h=2), "has both kernel_size and"),
        (layer("Convolution", "data", "a", num_output=2, kernel_size=[1, 2, 3]), "has 3 values of kernel_size"),
        (layer("Convolution", "data", "a", num_output=2, kernel_size=[0]), "has kernel_size = 0, want .* at least 1"),
        (layer("Convolution", "data", "a", num_output=2, kernel_size=[2, 0]), r"has kernel_size = \[2, 0\]"),
        (layer("Convolution", "data", "a", num_output=2, kernel_size=[1], stride=[0]), "has stride = 0"),
        (
            layer("Pooling", "data", "a", kernel_size=3, stride=2**32 - 1),
            r"has stride = 4294967295, want a whole number of at least 1 and below 2\^31",
        ),
        (layer("Reshape", "data", "a", shape={"dim": [0] + [1] * 32}), "has 33 dimensions, want 32 at most"),
        (layer("Convolution", "data", "a", num_output=0, kernel_size=[1]), "has num_output = 0"),
        (layer("Convolution", "data", "a", num_output=3, kernel_size=[1], group=2), "multiples of group = 2"),
        (layer("Convolution", "data", "a", num_output=3, kernel_size=[1], axis=2), "another axis than 1"),
        (layer("Convolution", "data", "a", num_output=3, kernel_size=[9]), "spans 9 x 9, larger than its input 6 x 5"),
        (layer("Convolution", "data", "a", num_output=2**31, kernel_size=[1]), r"at least 1 and below 2\^31"),
        (layer("Convolution", "data", "a", num_output=1, kernel_size=[1], pad=[2**31]), r"at least 0 and below 2\^31"),
        (
            layer("Deconvolution", "data", "a", num_output=2, kernel_size=[1], pad=[3]),
            "pad 3 x 3, which leaves nothing",
        ),
        (layer("Deconvolution", "data", "a", num_output=3, kernel_size=[1], group=2), "multiples of group = 2"),
        (layer("Slice", "data", "a b c"), "slices 4 of axis 1 into 3 tops: want equal parts, or slice_point"),
        (layer("Slice", "data", "a b c", slice_point=[1]), "has 1 slice_point for 3 tops"),
        (
            layer("Slice", "data", "a b c", slice_point=[2, 2]),
            r"slice_point \[2, 2\], want them ascending within the 4",
        ),
        (layer("Slice", "data", "a b", slice_point=[4]), "want them ascending within the 4 of axis 1"),
        (layer("Slice", "data", "a b", slice_point=[-1]), r"slice_point = \[-1\], want whole numbers"),
        (layer("Slice", "data", "a b", axis=1, slice_dim=1), "has both axis and slice_dim"),
        (layer("Slice", "data", "a b", axis=0), "the batch axis"),
        (layer("Crop", "data", "a"), "has 1 bottoms, want 2"),
        (layer("Crop", "data data", "a", offset=[1]), r"crops \(4, 6, 5\) from \(0, 1, 1\) on out of \(4, 6, 5\)"),
        (
            layer("Crop", "data data", "a", offset=[0, 0, 0]),
            "has 3 values of offset, want one, or one for each of 2 axes",
        ),
        (layer("InnerProduct", "data", "a", num_output=2**30), r"want 1 to 2\^31 - 1 elements"),
        (layer("InnerProduct", "data", "a", num_output=2, axis=0), "axis = 0, which is the batch axis"),
        (layer("InnerProduct", "data", "a", num_output=2, axis=4), "axis = 4, want at most 3"),
        (layer("Pooling", "data", "a", pool="STOCHASTIC", kernel_size=2), "pool = STOCHASTIC, want MAX or AVE"),
        (layer("Pooling", "data", "a", round_mode="DOWN", kernel_size=2), "round_mode = DOWN, want CEIL or FLOOR"),
        (
            layer("Pooling", "data", "a", round_mode="FLOOR", ceil_mode=True, kernel_size=2),
            "has round_mode: FLOOR and ceil_mode: true, want one of them",
        ),
        (layer("Pooling", "data", "a", global_pooling=True, kernel_size=2), "both global_pooling and a kernel"),
        (layer("Pooling", "data", "a", global_pooling=True, stride=2), "want pad 0 and stride 1"),
        (layer("Pooling", "data", "a"), "has no kernel_size"),
        (layer("LRN", "data", "a", local_size=4), "local_size 4, want an odd number"),
        (layer("LRN", "data", "a", alpha=float("nan")), "alpha = nan, want a finite number"),
        (layer("BatchNorm", "data", "a", use_global_stats=False), "use_global_stats: false"),
        (layer("BatchNorm", "data", "a", scale_bias=True, use_global_stats=False), "use_global_stats: false"),
        (layer("BN", "data", "a", bn_mode="LEARN"), "takes mean and variance of each batch"),
        (layer("BN", "data", "a", moving_average=False), "takes mean and variance of each batch"),
        (layer("Scale", "data data", "a"), "has a second bottom and axis = 1, want axis = 0"),
        (layer("Scale", "data data", "a", axis=0, bias_term=True), "so a bias for each image: want a layer Bias"),
        (layer("Clip", "data", "a", max=1.0), "'a' .Clip. has no min"),
        (layer("Clip", "data", "a", min=2.0, max=1.0), "has min = 2.0 and max = 1.0, want the first below"),
        (layer("Log", "data", "a", base=1.0), "has base = 1.0, want a number above 0 that is not 1"),
        (layer("Exp", "data", "a", base=-2.0), "has base = -2.0, want a number above 0"),
        (layer("Reduction", "data", "a"), "has axis = 0, which is the batch axis"),
        (layer("Tile", "data", "a"), "has no tiles"),
        (layer("Silence", "data", "a"), "has 1 tops, want none"),
        (layer("ArgMax", "data", "a", top_k=121), "has top_k = 121, want at most 120"),
        (layer("ArgMax", "data", "a", top_k=5, axis=1), "has top_k = 5, want at most 4"),
        (layer("SPP", "data", "a", pyramid_height=4), "'a' .SPP. has pad 1 x 2, want less than the kernel 2 x 2"),
        (layer("SPP", "data", "a", pool="STOCHASTIC", pyramid_height=1), "pool = STOCHASTIC, want MAX or AVE"),
        (layer("Axpy", "data data data", "a"), r"joins blobs of shapes \(4, 6, 5\), .* want the last two equal"),
        (layer("ConvolutionDepthwise", "data", "a", num_output=6, kernel_size=[1]), "multiples of group = 4"),
        (
            layer("DepthwiseConvolution", "data", "a", num_output=4, kernel_size=[1], group=2),
            "want 4, as many as channels",
        ),
        (layer("Permute", "data", "a", order=[0, 2, 2]), r"has order \[0, 2, 2\], want 0, the batch axis"),
        (layer("Permute", "data", "a", order=[1]), r"has order \[1\], want 0, the batch axis"),
        (layer("ShuffleChannel", "data", "a", group=3), "has 4 channels, want a multiple of group = 3"),
        (layer("Scale", "data", "a", num_axes=4), "covers 4 axes from axis 1"),
        (layer("Eltwise", "data data", "a", operation="PROD", coeff=[1.0, 2.0]), "want them for SUM only"),
        (layer("Eltwise", "data data", "a", coeff=[1.0]), "has 1 coefficients for 2 bottoms"),
        (layer("Concat", "data data", "a", axis=1, concat_dim=1), "has both axis and concat_dim"),
        (layer("Concat", "data data", "a", axis=0), "the batch axis"),
        (layer("Flatten", "data", "a", axis=3, end_axis=2), "flattens axis 3 to 2"),
        (layer("Reshape", "data", "a", shape={"dim": [0, 7]}), "another number of elements"),
        (layer("Reshape", "data", "a", shape={"dim": [0, -1, -1]}), "one -1 at most"),
        (layer("Reshape", "data", "a", shape={"dim": [0, 7, -1]}), "another number of elements"),
        (layer("Reshape", "data", "a", shape={"dim": [-1, 60]}), "mix the images of a batch"),
        (layer("Reshape", "data", "a", shape={"dim": [0, 0, 0, 0, 0]}), "want positive ones"),
        (layer("Reshape", "data", "a", axis=3, num_axes=5), "reshapes axes 3 to 8 of a blob that has 4"),
    ],
)
def test_a_layer_that_cannot_be(record: Layer, words: str) -> None:
    with pytest.raises(LayerError, match=words):
        resolve(net(IMAGE, record))


def test_bottoms_of_other_shapes() -> None:
    pool = layer("Pooling", "data", "small", kernel_size=2)
    with pytest.raises(LayerError, match=r"combines blobs of shapes \(4, 6, 5\) and \(4, 5, 4\), want equal"):
        resolve(net(IMAGE, pool, layer("Eltwise", "data small", "sum")))
    with pytest.raises(LayerError, match=r"second bottom of shape \(4, 5, 4\), want \(4, 6, 5\) or the first of these"):
        resolve(net(IMAGE, pool, layer("Scale", "data small", "gated", axis=0)))
    with pytest.raises(LayerError, match=r"joins blobs of shapes .* want equal ones but for axis 1"):
        resolve(net(IMAGE, pool, layer("Concat", "data small", "both")))
    with pytest.raises(LayerError, match=r"has a bottom of shape \(120,\), want \(channels, height, width\)"):
        resolve(net(IMAGE, layer("Flatten", "data", "flat"), layer("LRN", "flat", "norm")))
    with pytest.raises(
        LayerError, match=r"crops a blob of shape \(4, 6, 5\) to one of shape \(120,\), want as many axes"
    ):
        resolve(net(IMAGE, layer("Flatten", "data", "flat"), layer("Crop", "data flat", "crop")))


NUMBERS = st.one_of(
    st.integers(-4, 9), st.sampled_from([2**31 - 1, 2**32 - 1, 2**63]), st.booleans(), st.floats(), st.just("MAX"),
    st.lists(st.integers(-2, 2**31), max_size=3),
)  # fmt: skip
FIELDS = (
    "num_output", "kernel_size", "kernel_h", "stride", "pad", "pad_w", "group", "dilation", "axis", "num_axes",
    "slice_point", "offset", "end_axis", "concat_dim", "local_size", "coeff", "global_pooling", "bias_term",
    "alpha", "pool", "shape", "pyramid_height", "tiles", "top_k", "order", "base", "min", "max",
)  # fmt: skip
SHAPES = st.builds(lambda dims: {"dim": dims}, st.lists(st.integers(-2, 9), max_size=5))


@st.composite
def parameters(draw: Any) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True))
    return {name: draw(SHAPES if name == "shape" else NUMBERS) for name in names}


@settings(max_examples=400)
@given(kind=st.sampled_from(sorted(TYPES)), fields=parameters())
def test_any_parameters_give_a_shape_or_a_layer_error(kind: str, fields: dict[str, Any]) -> None:
    try:
        resolved = resolve(net(IMAGE, layer(kind, "data", "top", **fields)))
    except LayerError:
        return
    assert 0 < math.prod(resolved.blobs["top"]) < 2**31
