"""What lies between values of an ONNX graph: the nodes on the way, the weights, and parts that stand alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ...extras import imported


def weights_by_name(graph: Any) -> dict[str, Any]:
    """The graph's initial values, ``onnx.TensorProto``."""
    return {tensor.name: tensor for tensor in graph.initializer}


def makers(graph: Any) -> dict[str, Any]:
    """The node that makes each value."""
    return {value: node for node in graph.node for value in node.output if value}


def reads(node: Any) -> Iterator[str]:
    """Values that a node reads, those inside of its branches and loops included."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            for part in inner.node:
                yield from reads(part)


def on_the_way(graph: Any, wanted: Iterable[str], given: Iterable[str]) -> list[Any]:
    """Nodes that compute ``wanted`` of the graph's inputs and of values that are ``given``, in their order."""
    needed, known, kept = set(wanted), set(given), []
    for node in reversed(graph.node):
        if any(value in needed and value not in known for value in node.output):
            needed.update(reads(node))
            kept.append(node)
    return kept[::-1]


def downstream(graph: Any, start: str) -> set[str]:
    """Values that depend on one."""
    found = {start}
    for node in graph.node:
        if any(value in found for value in reads(node)):
            found.update(node.output)
    return found - {start}


def part(model: Any, wanted: Sequence[str], start: str | None = None) -> Any:
    """A model of its own that computes ``wanted`` of the inputs, or with a ``start``, which becomes an input, of both.

    Parameters
    ----------
    model : onnx.ModelProto
    wanted : sequence of str
    start : str, optional
        A value of float32.
    """
    onnx = imported("onnx", "onnx")
    nodes = on_the_way(model.graph, wanted, () if start is None else (start,))
    needed = {value for node in nodes for value in reads(node)} | set(wanted)
    small = onnx.ModelProto()
    small.ir_version = model.ir_version
    small.opset_import.extend(model.opset_import)
    small.functions.extend(model.functions)
    graph = small.graph
    graph.name = model.graph.name or "part"
    graph.node.extend(nodes)
    graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in needed)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    graph.input.extend(value for value in model.graph.input if value.name in needed)
    if start is not None:
        _apart(graph, start)
        graph.input.append(onnx.helper.make_tensor_value_info(start, onnx.TensorProto.FLOAT, None))
    graph.output.extend(onnx.ValueInfoProto(name=value) for value in wanted)
    return small


def _apart(graph: Any, start: str) -> None:
    """Call a value that an input takes the place of otherwise where a node makes it along with others."""
    for node in graph.node:
        for place, value in enumerate(node.output):
            if value == start:
                node.output[place] = f"{start}/replaced"


def array_of(tensor: Any) -> np.ndarray:
    """An ``onnx.TensorProto`` as an array."""
    array: np.ndarray = imported("onnx.numpy_helper", "onnx").to_array(tensor)
    return array


def attribute_of(node: Any, name: str, default: Any) -> Any:
    """An attribute's value, or what counts where it is not given."""
    onnx = imported("onnx", "onnx")
    return next((onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name), default)


def opset_of(model: Any) -> int:
    """The version of ONNX's own operations that a model is written in."""
    return max((int(one.version) for one in model.opset_import if one.domain in ("", "ai.onnx")), default=1)
