"""Nets as lists of functions: what is run for what, and what depends on what."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from predicdiff.nets.engine.graph import Graph, Node, Whole  # noqa: E402


def made(reads: list[tuple[int, ...]], ran: list[int] | None = None) -> Graph:
    """Node i writes value i + 1: the sum of what it reads, plus its own number."""

    def run(number: int, values: list[torch.Tensor]) -> torch.Tensor:
        if ran is not None:
            ran.append(number)
        return torch.stack(list(values)).sum(0) + number

    nodes = tuple(
        Node(f"n{i}", "sum", numbers, i + 1, lambda values, i=i: run(i + 1, values)) for i, numbers in enumerate(reads)
    )
    return Graph(nodes, dict.fromkeys(range(len(nodes) + 1), ()), 0, {f"n{i}": i + 1 for i in range(len(nodes))})


@st.composite
def graphs(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """For each node which values before it it reads."""
    count = draw(st.integers(1, 7))
    return [tuple(draw(st.lists(st.integers(0, i), min_size=1, max_size=3))) for i in range(count)]


def depends(reads: list[tuple[int, ...]], source: int, target: int) -> bool:
    """By following every way back."""
    return target == source or (target > 0 and any(depends(reads, source, number) for number in reads[target - 1]))


@given(reads=graphs(), data=st.data())
def test_the_path_is_what_lies_between_two_values(reads: list[tuple[int, ...]], data: st.DataObject) -> None:
    source, target = sorted(data.draw(st.lists(st.integers(0, len(reads)), min_size=2, max_size=2)))
    graph = made(reads)
    assert graph.sees(source, target) == depends(reads, source, target)
    written = [node.writes for node in graph.path(source, target)]
    between = range(source + 1, target + 1)
    assert written == [value for value in between if depends(reads, source, value) and depends(reads, value, target)]


@given(reads=graphs(), data=st.data())
def test_only_what_is_needed_is_run_and_once(reads: list[tuple[int, ...]], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, len(reads)), min_size=1, max_size=3))
    ran: list[int] = []
    results = made(reads, ran).run(torch.ones(2), wanted)
    assert ran == [v for v in range(1, len(reads) + 1) if any(depends(reads, v, target) for target in wanted)]

    def value(number: int) -> int:
        return 1 if number == 0 else number + sum(value(read) for read in reads[number - 1])

    assert {number: values.tolist() for number, values in results.items()} == {v: [value(v)] * 2 for v in wanted}


def test_what_is_not_said_of_a_node() -> None:
    node = made([(0,)]).nodes[0]
    assert (node.kind, node.fresh, node.over, node.work) == (Whole(), True, None, 0)


def in_place(*, fresh: bool = True, second: tuple[int, ...] = (1,)) -> Graph:
    """Two times 1 more, the second on the first's memory if that may be."""
    first = Node("a", "add", (0,), 1, lambda values: values[0] + 1 if fresh else values[0].view(-1), fresh=fresh)
    over = Node("b", "add", second, 2, lambda values: values[0] + 1, over=lambda values: values[0].add_(1).mul_(-1))
    return Graph((first, over), dict.fromkeys(range(3), (2,)), 0, {})


def test_a_node_may_write_over_what_nobody_else_needs() -> None:
    """The toy's sign says which of its two functions was run."""
    ones = torch.ones(2)
    with torch.no_grad():
        assert in_place().run(ones, [2])[2].tolist() == [-3, -3]
        assert in_place().run(ones, [1, 2])[2].tolist() == [3, 3], "its input was asked for"
        assert in_place(second=(1, 1)).run(ones, [2])[2].tolist() == [3, 3], "its input is read twice"
        assert in_place(second=(0,)).run(ones, [2])[2].tolist() == [2, 2], "its input is the caller's"
        assert in_place(fresh=False).run(ones, [2])[2].tolist() == [2, 2], "its input shares the caller's memory"
    assert in_place().run(ones, [2])[2].tolist() == [3, 3], "a gradient may need its input"
    assert ones.tolist() == [1, 1]


def test_no_value_is_kept_for_longer_than_it_is_needed() -> None:
    alive: list[weakref.ref[torch.Tensor]] = []
    counts = []

    def run(values: Any) -> torch.Tensor:
        value = values[0] + 1
        alive.append(weakref.ref(value))
        counts.append(sum(reference() is not None for reference in alive))
        return value

    reads = [(0,), (1,), (2, 1), (3,), (4,)]
    nodes = tuple(Node(f"n{i}", "add", numbers, i + 1, run) for i, numbers in enumerate(reads))
    Graph(nodes, dict.fromkeys(range(6), (2,)), 0, {}).run(torch.ones(2), [3, 5])
    # value 1 is read by the third, so all three are there then; value 3 is asked for
    assert counts == [1, 2, 3, 2, 3]
