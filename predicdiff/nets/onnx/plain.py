"""An ONNX model in the one form that is worked with: any number of images (N, C, H, W) of float32 in, scores out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...extras import imported
from ..doors import NetSettings
from .ends import FLOATS, Images, images_of, output_of, scores_of, sizes_of
from .graphs import attribute_of, part

#: What the input for images is called.
IMAGES = "images/nchw"


@dataclass(frozen=True)
class Plain:
    """A model in that form.

    Attributes
    ----------
    model : onnx.ModelProto
        Its only input is `IMAGES`, its only output ``own``.
    own : str
        The value that is explained.
    kind : str
        What that holds, one of `protocols.OUTPUT_KINDS`.
    shape : (C, H, W)
    classes : int or None
        How many classes its output has, where the file says so.
    half : bool
        Whether it computes in 16 bits.
    """

    model: Any
    own: str
    kind: str
    shape: tuple[int, int, int]
    classes: int | None
    half: bool


def plain(model: Any, settings: NetSettings, file: str) -> Plain:
    """Bring a model into that form; errors are `ends`'."""
    images = images_of(model.graph, settings.input_shape, file)
    output = output_of(model.graph, settings.pick, file)
    own, kind = scores_of(model, output, settings)
    small = part(model, [own])
    _take_images(small.graph, images)
    sizes = sizes_of(model.graph, output)
    return Plain(small, own, kind, images.shape, sizes[1] if len(sizes) > 1 else None, FLOATS[images.kind] == "float16")


def _take_images(graph: Any, images: Images) -> None:
    """Have a graph take `IMAGES`, which are turned into what its own input is."""
    onnx = imported("onnx", "onnx")
    if not graph.input:  # nothing depends on them
        return
    del graph.input[:]
    graph.input.append(onnx.helper.make_tensor_value_info(IMAGES, onnx.TensorProto.FLOAT, ["N", *images.shape]))
    value, before = IMAGES, []
    if FLOATS[images.kind] != "float32":
        before.append(onnx.helper.make_node("Cast", [value], ["images/cast"], "images/Cast", to=images.kind))
        value = "images/cast"
    if images.last:
        value = _channels_last(graph, images.name, value, before)
    for node in graph.node:
        _rename(node, images.name, value)
    after = list(graph.node)
    del graph.node[:]
    graph.node.extend([*before, *after])


def _channels_last(graph: Any, name: str, value: str, before: list[Any]) -> str:
    """What takes an input's place that has channels last.

    Where all that the graph does with it is to put channels first, as nets of TensorFlow do, neither is done.
    """
    readers = [node for node in graph.node if name in node.input]
    turned = [node.output[0] for node in readers if _puts_channels_first(node)]
    if len(turned) < len(readers):
        onnx = imported("onnx", "onnx")
        before.append(
            onnx.helper.make_node("Transpose", [value], ["images/nhwc"], "images/Transpose", perm=[0, 2, 3, 1])
        )
        return "images/nhwc"
    rest = [node for node in graph.node if node not in readers]
    for node in rest:
        for old in turned:
            _rename(node, old, value)
    kept = [type(node).FromString(node.SerializeToString()) for node in rest]
    del graph.node[:]
    graph.node.extend(kept)
    return value


def _puts_channels_first(node: Any) -> bool:
    return node.op_type == "Transpose" and list(attribute_of(node, "perm", [])) == [0, 3, 1, 2]


def _rename(node: Any, old: str, new: str) -> None:
    for place, value in enumerate(node.input):
        if value == old:
            node.input[place] = new
