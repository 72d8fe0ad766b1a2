"""Layer types that slide a window over a map: convolutions one way and the other, and pooling."""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

from ....windows import by
from ...engine.geometry import Shape
from ..fields import Fields
from .base import SCALED, LayerType, Shapes


def convolution(fields: Fields, *, depthwise: bool = False) -> Shapes:
    """Weights (out, in / group, kh, kw), then the bias; ``depthwise`` with as many groups as channels."""
    channels, *size = fields.image()
    out, settings, kernel, extent = _convolution(fields, channels, groups=channels if depthwise else 1)
    pad, stride = settings["pad"], settings["stride"]
    if any(e > n + 2 * p for e, n, p in zip(extent, size, pad)):
        raise fields.error(f"has a kernel that spans {by(extent)}, larger than its input {by(size)} with pad {by(pad)}")
    top = tuple((n + 2 * p - e) // s + 1 for n, p, e, s in zip(size, pad, extent, stride))
    weights = ((out, channels // settings["group"], *kernel),) + fields.bias(out)
    return Shapes(((out, *top),), weights, settings)


def deconvolution(fields: Fields) -> Shapes:
    """The transposed map of a convolution: weights (in, out / group, kh, kw), then the bias."""
    channels, *size = fields.image()
    out, settings, kernel, extent = _convolution(fields, channels)
    top = tuple(s * (n - 1) + e - 2 * p for n, p, e, s in zip(size, settings["pad"], extent, settings["stride"]))
    if any(n < 1 for n in top):
        raise fields.error(f"has pad {by(settings['pad'])}, which leaves nothing of its output")
    weights = ((channels, out // settings["group"], *kernel),) + fields.bias(out)
    return Shapes(((out, *top),), weights, settings)


def _convolution(
    fields: Fields, channels: int, *, groups: int = 1
) -> tuple[int, dict[str, Any], tuple[int, int], list[int]]:
    """Number of outputs, settings, kernel, and how far that spans, of a convolution either way."""
    fields.only_channel_axis()
    out, group = fields.whole("num_output", least=1), fields.whole("group", groups, least=1)
    if channels % group or out % group:
        raise fields.error(f"has {channels} channels in, {out} out: want both to be multiples of group = {group}")
    kernel, stride = fields.pair("kernel", least=1), fields.pair("stride", 1, least=1)
    pad, dilation = fields.pair("pad", 0), fields.pair("dilation", 1, least=1)
    extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    return out, {"stride": stride, "pad": pad, "dilation": dilation, "group": group}, kernel, extent


def depthwise(fields: Fields) -> Shapes:
    """A convolution of each channel by itself."""
    shapes = convolution(fields, depthwise=True)
    channels, group = fields.bottoms[0][0], shapes.settings["group"]
    if group != channels:
        raise fields.error(f"has group = {group}, want {channels}, as many as channels, or none")
    return shapes


def _columns(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    """One column for each place of the top, of all that its kernel sees."""
    return _unfolded(bottoms[0], shapes.tops[0], shapes)


def _columns_transposed(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    return _unfolded(shapes.tops[0], bottoms[0], shapes)


def _unfolded(seen: Shape, places: Shape, shapes: Shapes) -> int:
    return seen[0] * math.prod(shapes.weights[0][2:]) * math.prod(places[1:])


def pooling(fields: Fields) -> Shapes:
    """Windows over the far edge count, but where sizes are rounded down; what lies outside is cut off."""
    channels, *size = fields.image()
    method = fields.choice("pool", "MAX", ("MAX", "AVE"))
    floor = _rounds_down(fields)
    if fields.flag("global_pooling", False):
        return Shapes(((channels, 1, 1),), (), _global_pooling(fields, method, tuple(size)))
    kernel, stride, pad = fields.pair("kernel", least=1), fields.pair("stride", 1, least=1), fields.pair("pad", 0)
    if any(p >= k for p, k in zip(pad, kernel)):
        raise fields.error(f"has pad {by(pad)}, want less than the kernel {by(kernel)}")
    beyond = [0 if floor else s - 1 for s in stride]
    top = [(n + 2 * p - k + b) // s + 1 for n, k, s, p, b in zip(size, kernel, stride, pad, beyond)]
    if any(pad):
        top = [o - 1 if (o - 1) * s >= n + p else o for o, s, n, p in zip(top, stride, size, pad)]
    if any(o < 1 for o in top):
        raise fields.error(f"has a kernel {by(kernel)} larger than its input {by(size)} with pad {by(pad)}")
    if any((o - 1) * s >= n + p for o, s, n, p in zip(top, stride, size, pad)):
        raise fields.error(
            f"has stride {by(stride)}, by which its last window lies wholly outside its input {by(size)}"
        )
    settings = {"method": method, "kernel": kernel, "stride": stride, "pad": pad, "size": tuple(top)}
    return Shapes(((channels, *top),), (), settings)


def _rounds_down(fields: Fields) -> bool:
    """Whether `round_mode` says so, or the forks' word for it, `ceil_mode`."""
    mode = fields.choice("round_mode", "CEIL", ("CEIL", "FLOOR"))
    ceil = fields.flag("ceil_mode", mode == "CEIL")
    if fields.has("round_mode") and ceil != (mode == "CEIL"):
        raise fields.error(f"has round_mode: {mode} and ceil_mode: {str(ceil).lower()}, want one of them")
    return not ceil


def _global_pooling(fields: Fields, method: str, size: tuple[int, ...]) -> dict[str, Any]:
    if any(fields.has(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
        raise fields.error("has both global_pooling and a kernel, want one of them")
    if any(fields.pair("pad", 0)) or any(s != 1 for s in fields.pair("stride", 1)):
        raise fields.error("has global_pooling, want pad 0 and stride 1 with it")
    return {"method": method, "kernel": size, "stride": (1, 1), "pad": (0, 0), "size": (1, 1)}


def _padded(bottoms: Sequence[Shape], shapes: Shapes) -> int:
    return bordered(bottoms[0], shapes.settings)


def bordered(bottom: Shape, settings: Mapping[str, Any]) -> int:
    """Elements of a map (C, H, W) with all that the windows of a pooling reach beyond it, where torch has to make it.

    It pools without that where no pad is over half a kernel and no kernel over the padded map.
    """
    along = list(zip(bottom[1:], *(settings[name] for name in ("kernel", "stride", "pad", "size"))))
    if all(2 * p <= k <= n + 2 * p for n, k, _, p, _ in along):
        return 0
    return bottom[0] * math.prod(max(n + p, (o - 1) * s + k) for n, k, s, p, o in along)


TYPES = (
    LayerType("Convolution", convolution, holds="logits", columns=_columns),
    # as other Caffes than BVLC's call it
    LayerType("ConvolutionDepthwise", depthwise, group="convolution_param", holds="logits", columns=_columns),
    LayerType("DepthwiseConvolution", depthwise, group="convolution_param", holds="logits", columns=_columns),
    LayerType("Deconvolution", deconvolution, group="convolution_param", holds="logits", columns=_columns_transposed),
    LayerType("Pooling", pooling, holds=SCALED, keeps=2, widened=_padded),
)
