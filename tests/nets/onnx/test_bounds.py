"""ONNX files of more parts than any net has are refused before any is worked with."""

from __future__ import annotations

import pytest

from predicdiff.errors import FormatError
from predicdiff.nets.caffe.wire import piece
from predicdiff.nets.onnx import bounds
from predicdiff.nets.onnx.bounds import check_functions, check_parts

onnx = pytest.importorskip("onnx")


def within(path: tuple[int, ...], content: bytes) -> bytes:
    """A message in the field of another, and so on, the outermost field first."""
    for number in reversed(path):
        content = piece(number, content)
    return content


@pytest.mark.parametrize("path", [(7, 1), (7, 1, 5, 6, 1), (7, 1, 5, 11, 1), (20, 1, 1), (25, 7)])
def test_more_nodes_than_any_net_has_are_refused_wherever_they_lie(path: tuple[int, ...]) -> None:
    for count in (19_999, 20_001):
        content = within(path[:-1], piece(path[-1], piece(1, b"x")) * count)
        if count < 20_000:
            check_parts(content)
    with pytest.raises(FormatError, match="more than 20,000 nodes"):
        check_parts(content)


@pytest.mark.parametrize("path", [(7, 5, 1), (7, 11, 2, 1, 2, 1), (7, 1, 5, 8), (14,), (7, 5, 13), (7, 15, 1, 1)])
def test_more_fields_than_any_net_has_are_refused_wherever_they_lie(
    path: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_FIELDS", 100)
    check_parts(within(path[:-1], piece(path[-1], b"") * 94))
    with pytest.raises(FormatError, match="more than 100 fields"):
        check_parts(within(path[:-1], piece(path[-1], b"") * 101))


def doubling(depth: int) -> object:
    """A model of one node, whose function calls another twice, and so on."""
    node = onnx.helper.make_node
    functions = [
        onnx.helper.make_function(
            "own", f"f{level}", ["x"], ["y"],
            [node(f"f{level + 1}", [value], [out], domain="own") for value, out in (("x", "z"), ("z", "y"))], [],
        )
        for level in range(depth)
    ]  # fmt: skip
    graph = onnx.helper.make_graph([node("f0", ["x"], ["y"], domain="own")], "g", [], [])
    return onnx.helper.make_model(graph, functions=functions)


def test_nodes_of_functions_count_as_often_as_they_are_called() -> None:
    check_functions(doubling(13))  # 1 + 2 + ... + 2^13 nodes
    with pytest.raises(FormatError, match="more than 20,000 nodes, where its functions are called"):
        check_functions(doubling(14))


def test_a_function_that_calls_itself_ends_in_a_sentence() -> None:
    node = onnx.helper.make_node("f", ["x"], ["y"], domain="own")
    function = onnx.helper.make_function("own", "f", ["x"], ["y"], [node], [])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], []), functions=[function])
    with pytest.raises(FormatError, match="functions more than 64 deep, or themselves"):
        check_functions(model)
