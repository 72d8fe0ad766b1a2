"""Small nets of layer records put together at random, and what they give, layer by layer over whole maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from helpers.records import layer, net
from predicdiff.errors import LayerError
from predicdiff.nets.caffe import resolved as layers
from predicdiff.nets.caffe.graph import caffe_graph
from predicdiff.nets.caffe.layer_types import shapes
from predicdiff.nets.caffe.records import Layer, NetSpec

#: Layers whose sums and products of small whole numbers are exact in single precision.
EXACT = (
    "convolution", "convolution", "deconvolution", "maximum", "rectifier", "concat", "crop", "slice", "sum", "scale",
    "split", "power", "inner",
)  # fmt: skip
#: These, and the others that BVLC's Caffe has.
OFFICIAL = (
    *EXACT, "mean", "lrn", "norm", "product", "prelu", "elu", "global", "flatten", "slice of columns", "absolute",
    "softplus", "clip", "swish", "lrn within", "reduction", "pyramid", "tile", "gate",
)  # fmt: skip
#: These, its forks', and those of which Caffe has no gradient, or one that leaves out what eps adds.
ALL = (*OFFICIAL, "largest", "mvn", "depthwise", "relu6", "shuffle", "normalize", "bn", "scaling norm", "permute")


@st.composite
def specs(draw: st.DrawFn, kinds: tuple[str, ...] = OFFICIAL, most: int = 7) -> NetSpec:
    """Layers that read any of the blobs before them, the last ones mostly."""
    shape = (draw(st.integers(1, 3)), draw(st.integers(4, 11)), draw(st.integers(4, 11)))
    blobs, records = {"data": shape}, []
    for number in range(draw(st.integers(1, most))):
        bottom = draw(st.sampled_from(list(blobs)[-3:]))
        record = draw(of_kind(draw(st.sampled_from(kinds)), bottom, blobs, f"b{number}"))
        if record is None:
            continue
        try:
            tops = shapes(record, tuple(blobs[name] for name in record.bottoms)).tops
        except LayerError:
            continue
        records.append(record)
        blobs.update(zip(record.tops, tops))
    if not records:
        records.append(layer("ReLU", "data", "b0"))
    if "mean" in kinds and draw(st.booleans()):
        records += [layer("InnerProduct", records[-1].tops[0], "fc", num_output=3), layer("Softmax", "fc", "prob")]
    return net(shape, *records)


@st.composite
def of_kind(draw: st.DrawFn, kind: str, bottom: str, blobs: dict[str, tuple[int, ...]], top: str) -> Layer | None:
    """A layer; None where the bottom is not of its kind."""
    shape = blobs[bottom]
    if kind == "inner":
        return layer("InnerProduct", bottom, top, num_output=draw(st.integers(1, 4)))
    if kind in PLAIN:
        in_place = kind == "rectifier" and bottom != "data" and draw(st.booleans())
        return layer(PLAIN[kind], bottom, bottom if in_place else top, name=top, **FIELDS.get(kind, {}))
    if kind == "split":
        return layer("Split", bottom, f"{top} {top}s", name=top)
    if kind == "gate":
        fits = [name for name, other in blobs.items() if other == shape[: len(other)]]
        return layer(draw(st.sampled_from(["Scale", "Bias"])), f"{bottom} {draw(st.sampled_from(fits))}", top, axis=0)
    if kind == "reduction":
        operation = draw(st.sampled_from(["SUM", "ASUM", "SUMSQ", "MEAN"]))
        fields = {"axis": draw(st.integers(2, 3)), "operation": operation, "coeff": 0.25}
        return layer("Reduction", bottom, top, **fields) if len(shape) == 3 else None
    if kind == "largest":
        fields = {"axis": draw(st.integers(1, len(shape))), "out_max_val": True}
        return layer("ArgMax", bottom, top, top_k=draw(st.integers(1, shape[fields["axis"] - 1])), **fields)
    if kind in ("tile", "permute") and len(shape) == 3:
        if kind == "tile":
            return layer("Tile", bottom, top, axis=draw(st.integers(1, 3)), tiles=draw(st.integers(1, 2)))
        return layer("Permute", bottom, top, order=[0, *draw(st.permutations([1, 2, 3]))])
    if kind in ("sum", "product", "concat"):
        alike = [name for name, other in blobs.items() if other[1:] == shape[1:] and len(other) == len(shape)]
        if kind == "concat":
            others = draw(st.lists(st.sampled_from(alike), min_size=1, max_size=2))
            return layer("Concat", " ".join([*others, bottom]), top)
        others = draw(st.sampled_from([name for name in alike if blobs[name] == shape]))
        fields = {"coeff": [1, 2]} if kind == "sum" and draw(st.booleans()) else {}
        operation = draw(st.sampled_from(["SUM", "MAX"])) if kind == "sum" and not fields else "SUM"
        return layer(
            "Eltwise", f"{others} {bottom}", top, operation="PROD" if kind == "product" else operation, **fields
        )
    if kind in ("slice", "slice of columns"):
        axis = len(shape) if kind == "slice of columns" else 1
        if shape[axis - 1] < 2:
            return None
        at = draw(st.integers(1, shape[axis - 1] - 1))
        return layer("Slice", bottom, f"{top} {top}s", name=top, axis=axis, slice_point=[at])
    if len(shape) != 3:
        return None
    return draw(crops(bottom, blobs, top) if kind == "crop" else of_windows(kind, bottom, shape, top))


@st.composite
def crops(draw: st.DrawFn, bottom: str, blobs: dict[str, tuple[int, ...]], top: str) -> Layer:
    """To the size of any blob that is not larger, be it itself; channels too where there are as many or fewer."""
    shape = blobs[bottom]
    smaller = [name for name, other in blobs.items() if len(other) == 3 and all(map(int.__ge__, shape[1:], other[1:]))]
    like = draw(st.sampled_from(smaller))
    axis = draw(st.sampled_from([1, 2])) if blobs[like][0] <= shape[0] else 2
    room = [ours - theirs for ours, theirs in zip(shape[axis - 1 :], blobs[like][axis - 1 :])]
    return layer("Crop", f"{bottom} {like}", top, axis=axis, offset=[draw(st.integers(0, most)) for most in room])


PLAIN = {
    "rectifier": "ReLU", "scale": "Scale", "power": "Power", "norm": "BatchNorm", "prelu": "PReLU", "elu": "ELU",
    "lrn": "LRN", "flatten": "Flatten", "absolute": "AbsVal", "softplus": "BNLL", "clip": "Clip", "swish": "Swish",
    "lrn within": "LRN", "mvn": "MVN", "relu6": "ReLU6", "shuffle": "ShuffleChannel", "normalize": "Normalize",
    "bn": "BN", "scaling norm": "BatchNorm",
}  # fmt: skip
FIELDS: dict[str, dict[str, Any]] = {
    "scale": {"bias_term": True}, "power": {"scale": 2, "shift": -1}, "lrn": {"local_size": 3, "alpha": 0.5, "k": 1.5},
    "clip": {"min": -0.5, "max": 1}, "lrn within": {"local_size": 3, "alpha": 0.5, "norm_region": "WITHIN_CHANNEL"},
    "mvn": {"eps": 0.1}, "shuffle": {"group": 2}, "bn": {"eps": 0.1}, "scaling norm": {"scale_bias": True},
    "normalize": {"across_spatial": False, "channel_shared": False, "eps": 0.1},
}  # fmt: skip


POOLS = ["MAX", "AVE"]


@st.composite
def of_windows(draw: st.DrawFn, kind: str, bottom: str, shape: tuple[int, ...], top: str) -> Layer | None:
    """A convolution of either way or pooling, of windows of any sides, strides and pads."""
    if kind == "global":
        return layer("Pooling", bottom, top, global_pooling=True, pool=draw(st.sampled_from(POOLS)))
    if kind == "pyramid":
        return layer("SPP", bottom, top, pyramid_height=draw(st.integers(1, 3)), pool=draw(st.sampled_from(POOLS)))
    sides: dict[str, Any] = {}
    for side in ("h", "w"):
        kernel = draw(st.integers(1, 4))
        # not more: torch falls over convolutions of narrow maps of which a window sees nothing
        pad = draw(st.integers(0, min(2, kernel - 1)))
        sides.update({f"kernel_{side}": kernel, f"stride_{side}": draw(st.integers(1, 3)), f"pad_{side}": pad})
    if kind == "deconvolution" and max(shape[1:]) > 12:
        return None
    if kind == "depthwise":
        return layer("ConvolutionDepthwise", bottom, top, num_output=shape[0], **sides)
    if kind in ("convolution", "deconvolution"):
        group = draw(st.sampled_from([g for g in (1, 2, 3) if shape[0] % g == 0]))
        dilation = draw(st.sampled_from([[1], [1], [2], [1, 3]]))
        out = group * draw(st.integers(1, 2))
        return layer(kind.title(), bottom, top, num_output=out, group=group, dilation=dilation, **sides)
    rounded = draw(st.sampled_from(["CEIL", "FLOOR"]))
    return layer("Pooling", bottom, top, pool="MAX" if kind == "maximum" else "AVE", round_mode=rounded, **sides)


def weights(spec: NetSpec, generator: np.random.Generator, *, exact: bool = False) -> dict[str, list[np.ndarray]]:
    """As each layer wants them: small whole numbers, or normal ones by which maps stay about as they are."""
    arrays = {}
    for step in layers.resolve(spec).steps:
        wanted = step.shapes.weights
        if exact:
            arrays[step.layer.name] = [generator.integers(-1, 2, shape).astype(np.float32) for shape in wanted]
        elif step.layer.type in ("BatchNorm", "BN"):
            arrays[step.layer.name] = [generator.uniform(0.5, 2, shape).astype(np.float32) for shape in wanted]
        else:
            arrays[step.layer.name] = [
                (generator.standard_normal(s) / np.sqrt(max(1, np.prod(s[1:])))).astype(np.float32) for s in wanted
            ]
    return arrays


def layer_by_layer(
    spec: NetSpec,
    arrays: dict[str, list[np.ndarray]],
    image: np.ndarray,
    changed: np.ndarray,
    start: str | None = None,
) -> dict[str, np.ndarray]:
    """Blobs (b, ...) where a blob, by default the input, is replaced by ``changed`` (b, ...), all of each computed."""
    net_plan = layers.resolve(spec)
    held = {name: [torch.tensor(array) for array in of_layer] for name, of_layer in arrays.items()}
    source = 0 if start is None else net_plan.values[start]
    values = {0: torch.tensor(image)[None].expand(len(changed), *image.shape)}
    values[source] = torch.tensor(changed).reshape(len(changed), *net_plan.sizes[source])
    with torch.inference_mode():
        for node in caffe_graph(net_plan, held, torch.device("cpu")).nodes:
            if node.writes != source:
                values[node.writes] = node.run([values[number] for number in node.reads])
    return {blob: values[number].numpy() for blob, number in net_plan.values.items()}
