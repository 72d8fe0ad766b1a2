"""Caffe's layer types: what each makes of its bottoms' shapes, which weights it wants, and its defaults.

Shapes leave out the batch axis, which every layer here passes through; Caffe's axis 1 is therefore our axis 0. Each
type is one function of `TYPES`, from `Fields` to `Shapes`; its settings come out with all defaults filled in, in the
words that the functions of `torch_layers` take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ...errors import LayerError
from .fields import Fields, Shape
from .prototxt import Layer

#: Largest number of elements of a blob: Caffe counts in int.
MOST = 2**31 - 1


@dataclass(frozen=True)
class Shapes:
    """What a layer makes of its bottoms."""

    tops: tuple[Shape, ...]
    weights: tuple[Shape, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def shapes(layer: Layer, bottoms: tuple[Shape, ...]) -> Shapes:
    """Shapes of a layer's tops and weights, and its settings.

    Parameters
    ----------
    layer : Layer
    bottoms : tuple of shapes, without the batch axis

    Raises
    ------
    LayerError
        If the type is unknown, or the parameters contradict each other or the bottoms.
    """
    if layer.type not in TYPES:
        raise LayerError(f"layer {layer.name!r} is of type {layer.type!r}, {_hint(layer.type)}")
    fields = Fields(layer, bottoms)
    if layer.type != "Split" and len(layer.tops) != 1:
        raise fields.error(f"has {len(layer.tops)} tops, want 1")
    result = TYPES[layer.type](fields)
    for shape in result.tops + result.weights:
        if 0 in shape or math.prod(shape) > MOST:
            raise fields.error(f"gives a blob of shape {shape}, want 1 to 2^31 - 1 elements")
    return result


def _hint(kind: str) -> str:
    if kind.endswith(("Data", "Loss", "LossLayer")) or kind in ("Accuracy", "SoftmaxWithLoss", "ArgMax"):
        return "which belongs to training: give the net's deploy prototxt instead."
    return f"which is not known here. Known types: Input, {', '.join(sorted(TYPES))}."


def convolution(fields: Fields) -> Shapes:
    """Weights (out, in / group, kh, kw), then the bias."""
    channels, *size = fields.image()
    fields.only_channel_axis()
    out, group = fields.whole("num_output", least=1), fields.whole("group", 1, least=1)
    if channels % group or out % group:
        raise fields.error(f"has {channels} channels in, {out} out: want both to be multiples of group = {group}")
    kernel, stride = fields.pair("kernel", least=1), fields.pair("stride", 1, least=1)
    pad, dilation = fields.pair("pad", 0), fields.pair("dilation", 1, least=1)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if any(e > n + 2 * p for e, n, p in zip(extent, size, pad)):
        raise fields.error(
            f"has a kernel that spans {_by(extent)}, larger than its input {_by(size)} with pad {_by(pad)}"
        )
    top = tuple((n + 2 * p - e) // s + 1 for n, p, e, s in zip(size, pad, extent, stride))
    settings = {"stride": stride, "pad": pad, "dilation": dilation, "group": group}
    weights = ((out, channels // group, *kernel),) + fields.bias(out)
    return Shapes(((out, *top),), weights, settings)


def inner_product(fields: Fields) -> Shapes:
    """Weights (out, in), or (in, out) if ``transpose``, then the bias."""
    (bottom,) = fields.take(1)
    out, axis = fields.whole("num_output", least=1), fields.axis(len(bottom), 1)
    transpose = fields.flag("transpose", False)
    size = math.prod(bottom[axis:])
    weight = (size, out) if transpose else (out, size)
    return Shapes((bottom[:axis] + (out,),), (weight,) + fields.bias(out), {"axis": axis, "transpose": transpose})


def pooling(fields: Fields) -> Shapes:
    """Windows over the far edge count: sizes are rounded up, and what lies outside is cut off."""
    channels, *size = fields.image()
    method = fields.choice("pool", "MAX", ("MAX", "AVE"))
    fields.choice("round_mode", "CEIL", ("CEIL",))
    if fields.flag("global_pooling", False):
        return Shapes(((channels, 1, 1),), (), _global_pooling(fields, method, tuple(size)))
    kernel, stride, pad = fields.pair("kernel", least=1), fields.pair("stride", 1, least=1), fields.pair("pad", 0)
    if any(p >= k for p, k in zip(pad, kernel)):
        raise fields.error(f"has pad {_by(pad)}, want less than the kernel {_by(kernel)}")
    top = [-((k - n - 2 * p) // s) + 1 for n, k, s, p in zip(size, kernel, stride, pad)]
    if any(pad):
        top = [o - 1 if (o - 1) * s >= n + p else o for o, s, n, p in zip(top, stride, size, pad)]
    if any(o < 1 for o in top):
        raise fields.error(f"has a kernel {_by(kernel)} larger than its input {_by(size)} with pad {_by(pad)}")
    if any((o - 1) * s >= n + p for o, s, n, p in zip(top, stride, size, pad)):
        raise fields.error(
            f"has stride {_by(stride)}, by which its last window lies wholly outside its input {_by(size)}"
        )
    settings = {"method": method, "kernel": kernel, "stride": stride, "pad": pad, "size": tuple(top)}
    return Shapes(((channels, *top),), (), settings)


def _global_pooling(fields: Fields, method: str, size: tuple[int, ...]) -> dict[str, Any]:
    if any(fields.has(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise fields.error("has both global_pooling and a kernel, want one of them")
    if any(fields.pair("pad", 0)) or any(s != 1 for s in fields.pair("stride", 1)):
        raise fields.error("has global_pooling, want pad 0 and stride 1 with it")
    return {"method": method, "kernel": size, "stride": (1, 1), "pad": (0, 0), "size": (1, 1)}


def lrn(fields: Fields) -> Shapes:
    """``x (k + alpha / size * (sum of x^2 over size channels))^-beta``."""
    bottom = fields.image()
    if fields.choice("norm_region", "ACROSS_CHANNELS", ("ACROSS_CHANNELS", "WITHIN_CHANNEL")) == "WITHIN_CHANNEL":
        raise fields.error("has norm_region WITHIN_CHANNEL, which is not known here: want ACROSS_CHANNELS")
    size = fields.whole("local_size", 5, least=1)
    if size % 2 == 0:
        raise fields.error(f"has local_size {size}, want an odd number")
    numbers = {"alpha": fields.number("alpha", 1.0), "beta": fields.number("beta", 0.75), "k": fields.number("k", 1.0)}
    return Shapes((bottom,), (), {"size": size, **numbers})


def softmax(fields: Fields) -> Shapes:
    """Normalised exponentials along one axis."""
    (bottom,) = fields.take(1)
    return Shapes((bottom,), (), {"axis": fields.axis(len(bottom), 1)})


def concat(fields: Fields) -> Shapes:
    """Bottoms one after the other along one axis."""
    bottoms = fields.take(1, None)
    if fields.has("axis") and fields.has("concat_dim"):
        raise fields.error("has both axis and concat_dim, want one of them")
    axis = fields.axis(len(bottoms[0]), 1, name="concat_dim" if fields.has("concat_dim") else "axis")
    if any(
        b[:axis] + b[axis + 1 :] != bottoms[0][:axis] + bottoms[0][axis + 1 :] or len(b) != len(bottoms[0])
        for b in bottoms
    ):
        raise fields.error(f"joins blobs of shapes {_list(bottoms)}, want equal ones but for axis {axis + 1}")
    top = bottoms[0][:axis] + (sum(b[axis] for b in bottoms),) + bottoms[0][axis + 1 :]
    return Shapes((top,), (), {"axis": axis})


def eltwise(fields: Fields) -> Shapes:
    """Sum with coefficients, product or maximum of bottoms of one shape."""
    bottoms = fields.take(2, None)
    if any(b != bottoms[0] for b in bottoms):
        raise fields.error(f"combines blobs of shapes {_list(bottoms)}, want equal ones")
    operation = fields.choice("operation", "SUM", ("SUM", "PROD", "MAX"))
    coefficients = fields.numbers("coeff")
    if coefficients and operation != "SUM":
        raise fields.error(f"has coefficients for operation {operation}, want them for SUM only")
    if coefficients and len(coefficients) != len(bottoms):
        raise fields.error(f"has {len(coefficients)} coefficients for {len(bottoms)} bottoms, want one each")
    return Shapes((bottoms[0],), (), {"operation": operation, "coefficients": coefficients or (1.0,) * len(bottoms)})


def batch_norm(fields: Fields) -> Shapes:
    """Weights: mean, variance and the factor by which both are to be divided."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    if not fields.flag("use_global_stats", True):
        raise fields.error("has use_global_stats: false, by which images of a batch change each other: want true")
    weights = (bottom[:1], bottom[:1], (1,))
    return Shapes((bottom,), weights, {"eps": fields.number("eps", 1e-5)})


def scale(fields: Fields) -> Shapes:
    """A factor, and with ``bias_term`` a summand, per index along ``num_axes`` axes from ``axis``."""
    shape, axis = _along_axes(fields)
    bias = fields.flag("bias_term", False)
    return Shapes(fields.bottoms, (shape, shape) if bias else (shape,), {"axis": axis})


def bias(fields: Fields) -> Shapes:
    """A summand per index along ``num_axes`` axes from ``axis``."""
    shape, axis = _along_axes(fields)
    return Shapes(fields.bottoms, (shape,), {"axis": axis})


def _along_axes(fields: Fields) -> tuple[Shape, int]:
    if len(fields.bottoms) == 2:
        raise fields.error(
            "takes its values from a second bottom, which is not known here: want them among the weights"
        )
    (bottom,) = fields.take(1)
    axis = fields.axis(len(bottom), 1)
    count = fields.whole("num_axes", 1, least=-1)
    if axis + count > len(bottom):
        raise fields.error(f"covers {count} axes from axis {axis + 1}, more than its bottom {bottom} has")
    return (bottom[axis:] if count == -1 else bottom[axis : axis + count]), axis


def flatten(fields: Fields) -> Shapes:
    """Axes ``axis`` to ``end_axis`` become one."""
    (bottom,) = fields.take(1)
    start, end = fields.axis(len(bottom), 1), fields.axis(len(bottom), -1, name="end_axis")
    if start > end:
        raise fields.error(f"flattens axis {start + 1} to {end + 1}, want the first before the last")
    return Shapes((bottom[:start] + (math.prod(bottom[start : end + 1]),) + bottom[end + 1 :],))


def reshape(fields: Fields) -> Shapes:
    """Dimensions as given; 0 copies the bottom's, -1 takes what is left over."""
    (bottom,) = fields.take(1)
    whole = (1, *bottom)  # a batch of one: the batch axis has to come out as it went in
    start = fields.whole("axis", 0, least=-len(whole) - 1)
    start += len(whole) + 1 if start < 0 else 0
    count = fields.whole("num_axes", -1, least=-1)
    end = len(whole) if count == -1 else start + count
    if max(start, end) > len(whole):
        raise fields.error(f"reshapes axes {start} to {end} of a blob that has {len(whole)}")
    dims = [whole[start + i] if d == 0 and start + i < end else d for i, d in enumerate(fields.dims())]
    left, right = whole[:start], whole[end:]
    known = math.prod(left) * math.prod(right) * math.prod(d for d in dims if d != -1)
    if dims.count(-1) > 1 or any(d < -1 or d == 0 for d in dims):
        raise fields.error(
            f"has the dimensions {fields.dims()}, want positive ones, 0 for the bottom's and one -1 at most"
        )
    top = left + tuple(math.prod(whole) // known if d == -1 else d for d in dims) + right
    if math.prod(top) != math.prod(whole):
        raise fields.error(f"makes dimensions {fields.dims()} of {bottom}, which has another number of elements")
    if top[:1] != (1,):
        raise fields.error(f"has the dimensions {fields.dims()}, which mix the images of a batch: want 0 first")
    return Shapes((top[1:],))


def split(fields: Fields) -> Shapes:
    """The same blob under several names."""
    return Shapes(fields.take(1) * len(fields.layer.tops))


def prelu(fields: Fields) -> Shapes:
    """A slope below zero per channel, or one for all."""
    (bottom,) = fields.take(1)
    if not bottom:
        raise fields.error("has a bottom without channels")
    return Shapes((bottom,), ((1,) if fields.flag("channel_shared", False) else bottom[:1],))


def same(**numbers: float) -> Callable[[Fields], Shapes]:
    """Make the function of a type that keeps its bottom's shape and has ``numbers`` alone for settings."""

    def function(fields: Fields) -> Shapes:
        return Shapes(fields.take(1), (), {name: fields.number(name, value) for name, value in numbers.items()})

    return function


def _by(pair: Any) -> str:
    return " x ".join(map(str, pair))


def _list(bottoms: Any) -> str:
    return " and ".join(map(str, bottoms))


TYPES: dict[str, Callable[[Fields], Shapes]] = {
    "BatchNorm": batch_norm,
    "Bias": bias,
    "Concat": concat,
    "Convolution": convolution,
    "Dropout": same(),
    "ELU": same(alpha=1.0),
    "Eltwise": eltwise,
    "Flatten": flatten,
    "InnerProduct": inner_product,
    "LRN": lrn,
    "PReLU": prelu,
    "Pooling": pooling,
    "Power": same(power=1.0, scale=1.0, shift=0.0),
    "ReLU": same(negative_slope=0.0),
    "Reshape": reshape,
    "Scale": scale,
    "Sigmoid": same(),
    "Softmax": softmax,
    "Split": split,
    "TanH": same(),
}

__all__: list[str] = ["MOST", "TYPES", "Shapes", "shapes"]
