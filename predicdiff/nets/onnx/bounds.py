"""ONNX files of more parts than any net has: refused before protobuf makes a hundred bytes of every two."""

from __future__ import annotations

import io
from typing import Any, Iterator

from ...errors import FormatError
from ..caffe.wire import LENGTH, Walk

#: Nodes of a model, those of its branches, loops and functions included; nets have some thousand.
MOST_NODES = 20_000
#: Fields of protobuf, each looked at for some microseconds.
MOST_FIELDS = 10**6
#: Functions that call functions.
DEEPEST = 64

#: Which fields of which messages hold messages that have parts of their own, as onnx.proto numbers them.
PARTS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "leaf", 15: "sparse"},
    "function": {7: "node", 11: "attribute", 12: "value"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type", 22: "sparse", 23: "sparse",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
    "value": {2: "type"},
    "type": {1: "typed", 4: "typed", 5: "typed", 8: "typed", 9: "typed"},
    "typed": {1: "type", 2: "shape"},
    "shape": {1: "leaf"},
    "leaf": {},
}  # fmt: skip


def check_parts(content: bytes) -> None:
    """Refuse a file of too many fields or nodes, by protobuf's bytes alone; errors leave the file's name out."""
    walk, nodes = Walk(io.BufferedReader(io.BytesIO(content)), MOST_FIELDS), 0
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, start, stop = waiting.pop()
        nodes += kind == "node"
        if nodes > MOST_NODES:
            raise FormatError(_too_many(""))
        for field in walk.fields(start, stop):
            inner = PARTS[kind].get(field.number)
            if inner is not None and field.wire == LENGTH:
                waiting.append((inner, field.start, field.stop))


def check_functions(model: Any) -> None:
    """Refuse a model that has too many nodes where its functions are called; errors leave the file's name out."""
    sizes = {(one.domain, one.name): 0 for one in model.functions}
    for _ in range(DEEPEST if sizes else 0):
        before = dict(sizes)
        for one in model.functions:
            sizes[one.domain, one.name] = _size(one, before)
        if _size(model.graph, sizes) > MOST_NODES or max(sizes.values()) > MOST_NODES:
            raise FormatError(_too_many(", where its functions are called"))
        if sizes == before:
            return
    if sizes:
        raise FormatError(f"functions that call functions more than {DEEPEST} deep, or themselves")


def _size(graph: Any, sizes: dict[tuple[str, str], int]) -> int:
    """The nodes of a graph or a function, with those of the functions that it calls."""
    return sum(1 + sizes.get((node.domain, node.op_type), 0) for node in _nodes(graph))


def _nodes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, attribute.g):
                yield from _nodes(inner)


def _too_many(where: str) -> str:
    return f"more than {MOST_NODES:,} nodes{where}"
