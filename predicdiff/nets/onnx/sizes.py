"""How large an ONNX model's values are, as far as its file says, asked before any of them is made."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ... import budget
from ...errors import OutOfMemoryError
from ...extras import imported

#: Of weights with more numbers than that only the shape counts: they are no shapes themselves.
FEW = 4096
ADVICE = "Allow more (--memory), or take a net of smaller inputs or values"


def check_room(model: Any, images: str, shape: Sequence[int], name: str, *, kept: bool) -> None:
    """Refuse a model for which memory has no room when it is asked for three images.

    Parameters
    ----------
    model : onnx.ModelProto
    images : str
        Its input, of (N, C, H, W).
    shape : (C, H, W)
    name : str
        Of the net.
    kept : bool
        Whether all values are kept at once, and not one alone.

    Raises
    ------
    OutOfMemoryError
    """
    found = sizes(model, images, (3, *shape))
    wanted = sum(found) if kept else max(found, default=0)
    budget.ask(wanted, f"what net {name!r} computes", OutOfMemoryError, ADVICE)


def sizes(model: Any, images: str, shape: Sequence[int]) -> list[int]:
    """Bytes of each value that the model's nodes make of an input of this shape, as far as onnx can tell."""
    onnx = imported("onnx", "onnx")
    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    bare.graph.name = "net"
    bare.graph.node.extend(model.graph.node)
    bare.graph.input.append(onnx.helper.make_tensor_value_info(images, onnx.TensorProto.FLOAT, list(shape)))
    for weight in model.graph.initializer:
        if prod(weight.dims) <= FEW:  # which may be a shape
            bare.graph.initializer.append(weight)
        else:
            bare.graph.input.append(onnx.helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims))
    bare.graph.output.extend(onnx.helper.make_empty_tensor_value_info(value.name) for value in model.graph.output)
    try:
        known = onnx.shape_inference.infer_shapes(bare, data_prop=True).graph
    except Exception:  # whatever is wrong with the model: whoever runs it says so
        return []
    # by their names, since an output may stand among the others too
    return list({value.name: _bytes(value.type.tensor_type) for value in (*known.output, *known.value_info)}.values())


def _bytes(tensor: Any) -> int:
    """What a tensor takes; 0 where its type or a side is not known."""
    onnx = imported("onnx", "onnx")
    dims = [side.dim_value for side in tensor.shape.dim]
    if not tensor.elem_type or min(dims, default=1) < 0:
        return 0
    return prod(dims) * int(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize)
