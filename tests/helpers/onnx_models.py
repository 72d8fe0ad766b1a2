"""ONNX models put together by hand, node by node."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import pytest


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """A node that is called as what it makes; ``inputs`` are names with spaces between them."""
    onnx = pytest.importorskip("onnx")
    return onnx.helper.make_node(kind, inputs.split(), output.split(), output.split()[0], **attributes)


def model(
    nodes: Sequence[Any],
    weights: Mapping[str, np.ndarray],
    *,
    shape: Sequence[Any] = ("N", 3, 12, 10),
    outputs: Mapping[str, Sequence[Any]],
    dtype: Any = np.float32,
    opset: int = 17,
    about: Mapping[str, str] | None = None,
) -> Any:
    """An ``onnx.ModelProto`` that takes "x" and gives ``outputs``, of these shapes."""
    onnx = pytest.importorskip("onnx")
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = onnx.helper.make_graph(
        list(nodes), "net", [onnx.helper.make_tensor_value_info("x", kind, list(shape))],
        [onnx.helper.make_tensor_value_info(name, kind, list(of)) for name, of in outputs.items()],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    onnx.helper.set_model_props(made, dict(about or {}))
    return made


def branches(module: Any) -> Any:
    """The model of a `contract_modules.Branches`, whose values are called as its submodules are."""
    weights = {name: value.detach().numpy() for name, value in module.state_dict().items() if value.dim()}
    nodes = [
        node("Conv", "x stem.weight stem.bias", "stem", pads=[1] * 4),
        node("BatchNormalization", "stem norm.weight norm.bias norm.running_mean norm.running_var", "norm"),
        node("Relu", "norm", "over"),
        node("Conv", "over left.weight left.bias", "left", pads=[1] * 4),
        node("Relu", "left", "relu"),
        node("Conv", "over right.weight right.bias", "right"),
        node("Mul", "relu right", "product"),
        node("Mul", "product factor", "scaled"),
        node("MaxPool", "scaled", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "pool", "flat"),
        node("Gemm", "flat last.weight last.bias", "last", transB=1),
    ]
    return model(nodes, {**weights, "factor": np.float32(1.5)}, outputs={"last": ("N", 4)})
